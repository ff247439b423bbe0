//! `trefoil tui`: conversations, messages and devices in this terminal.

use std::io::{self, IsTerminal as _};

use crate::failure::Failure;
use crate::local::What;
use crate::local::connection::Agent;
use crate::local::rows::State;
use crate::settings::Settings;
use crate::tui;
use crate::words;

/// Shows them until somebody quits.
pub(crate) fn run(settings: &Settings) -> Result<(), Failure> {
    let mut agent = Agent::opened(settings)?;
    let state: State = agent.ask(What::Status)?;
    tui::is_usable(&state)?;
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(Failure::misuse("tui.no_terminal", words::tui::NO_TERMINAL));
    }
    tui::run(agent, settings)
}
