//! `trefoil logout`: takes this device out of its account, and everything of the account off this machine.

use serde_json::{Value, json};

use super::{ask_line, say};
use crate::failure::{Failure, Kind};
use crate::local::What;
use crate::local::connection::{Agent, say_aside};
use crate::local::rows::{Device, State};
use crate::secret;
use crate::settings::Settings;
use crate::words;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Don't ask whether this is meant
    #[arg(long)]
    yes: bool,
}

/// Asks, removes, erases.
pub(crate) fn run(arguments: &Arguments, settings: &Settings) -> Result<(), Failure> {
    let mut agent = Agent::opened(settings)?;
    let state: State = agent.ask(What::Status)?;
    let devices: Vec<Device> = agent.list(What::Devices)?;
    let leaving = leaving(&state, &devices)?;
    if !arguments.yes {
        say_aside(leaving.warning);
        if !secret::is_terminal() || !matches!(ask_line("Go on? (yes/no) ")?.to_lowercase().as_str(), "yes" | "y") {
            return Err(Failure::new(
                Kind::Refused,
                "logout.not_meant",
                "nothing was done; --yes says that it is meant",
            ));
        }
    }
    agent.ask::<Value>(What::Remove { device: leaving.device.clone() })?;
    agent.ask::<Value>(What::StartOver)?;
    match settings.json {
        true => say(json!({ "device": leaving.device, "state": "removed" })),
        false => say(words::device::SIGNED_OUT),
    }
    Ok(())
}

/// What leaving means.
pub(crate) struct Leaving {
    /// This device's id.
    pub(crate) device: String,
    /// What it costs.
    pub(crate) warning: &'static str,
}

/// Whether this device may leave its account. The last one only with a recovery key: without both, nobody comes back.
///
/// # Errors
/// `profile.new`, `device.last`.
pub(crate) fn leaving(state: &State, devices: &[Device]) -> Result<Leaving, Failure> {
    let Some(this) = devices.iter().find(|row| row.this && row.state == "confirmed") else {
        return Err(Failure::misuse("profile.new", "this profile has no account to sign out of"));
    };
    let is_last = !devices.iter().any(|row| !row.this && row.state == "confirmed");
    if is_last && !state.recovery_key {
        return Err(Failure::new(Kind::Refused, "device.last", words::device::LAST_WITHOUT_KEY));
    }
    let warning = if is_last { words::device::SIGN_OUT_LAST } else { words::device::SIGN_OUT };
    Ok(Leaving { device: this.device.clone(), warning })
}
