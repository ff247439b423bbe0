//! `trefoil login`: this machine as another device of an account. Run again, it goes on waiting.

use client::query::Phase;
use serde_json::Value;

use super::joining::{JoinArguments, agent_and_state, clear, make_key};
use super::{say, say_row};
use crate::failure::Failure;
use crate::local::What;
use crate::local::rows::LogInEvent;
use crate::settings::Settings;
use crate::words;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    joining: JoinArguments,
    /// How long to wait to be let in; without it, for as long as it takes. The request stays open for 7 days
    #[arg(long, value_name = "SECONDS")]
    wait: Option<u64>,
}

/// Asks to be let in, and says how it goes on.
pub(crate) fn run(arguments: &Arguments, settings: &Settings) -> Result<(), Failure> {
    let handle = arguments.joining.handle()?;
    let (mut agent, state) = agent_and_state(settings)?;
    let is_under_way = matches!(state.phase, Phase::Pending | Phase::Confirmed);
    let what = if is_under_way && state.handle.as_deref() == Some(handle.as_str()) {
        What::AwaitConfirmation { wait_s: arguments.wait }
    } else {
        clear(&mut agent, &state)?;
        let join = arguments.joining.join(settings, false, arguments.wait)?;
        make_key(&mut agent, settings)?;
        What::LogIn(join)
    };
    let show = |event: LogInEvent| {
        if settings.json {
            return say_row(&event);
        }
        if let (LogInEvent::Code { code, .. }, true) = (&event, super::is_terminal()) {
            say(format_args!("\n{}\n", words::digits::large(code)));
        }
        words::device::log_in(&event).into_iter().for_each(say);
        Ok(())
    };
    agent.ask_streaming::<LogInEvent, Value>(what, show).map(drop)
}
