//! `trefoil signup`: a new account, and this machine as its first device.

use client::query::Phase;

use super::joining::{JoinArguments, agent_and_state, clear, make_key};
use super::{say, say_all};
use crate::failure::Failure;
use crate::local::What;
use crate::local::rows::SignedUp;
use crate::settings::Settings;
use crate::words;

/// Opens the account; returns when it is in the record. Run again by somebody who was not told, it says the same.
pub(crate) fn run(arguments: &JoinArguments, settings: &Settings) -> Result<(), Failure> {
    let (mut agent, state) = agent_and_state(settings)?;
    let is_open = state.phase == Phase::Confirmed && state.handle.as_deref() == Some(arguments.handle()?.as_str());
    if !is_open {
        clear(&mut agent, &state)?;
    }
    let join = arguments.join(settings, true, None)?;
    make_key(&mut agent, settings)?;
    let row: SignedUp = agent.ask(What::SignUp(join))?;
    if settings.json {
        say(serde_json::to_string(&row).map_err(Failure::broken)?);
    } else {
        say_all(words::signed_up(&row, settings.policy.is_some()));
    }
    Ok(())
}
