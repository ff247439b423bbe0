//! `trefoil account`: what is one for all devices.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use client::query::Phase;
use protocol::reset_permit::ResetPermit;
use serde_json::{Value, json};

use super::joining::{JoinArguments, PASSWORD_VARIABLE, agent_and_state, ask_password, clear, make_key};
use super::{ask_line, say, say_all, say_row};
use crate::failure::{Failure, Kind};
use crate::link;
use crate::local::connection::{Agent, say_aside};
use crate::local::rows::{ResetAnnounced, State};
use crate::local::{ReceiptKind, What};
use crate::secret::{self, Origin, Secret};
use crate::settings::Settings;
use crate::words;

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Choose another password; the old one isn't needed, and all devices stay signed in
    Password {
        /// File whose first line is the new password; or TREFOIL_PASSWORD_FD, a file descriptor. Otherwise it is asked for
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// All your devices are lost: announce a fresh identity for your handle, with this machine as its first device
    Reset {
        #[command(flatten)]
        joining: JoinArguments,
        /// You don't have the password either: file whose first line is a permit of your service's operator; or
        /// TREFOIL_PERMIT_FD, a file descriptor. Otherwise it is asked for. The password is then a new one
        #[arg(long, value_name = "FILE")]
        permit_file: Option<PathBuf>,
        /// Don't ask whether this is meant
        #[arg(long)]
        yes: bool,
    },
    /// Stop a reset that somebody announced
    Veto,
    /// Whether others are told that their messages came to you, that you have read them, and that you type; without an answer,
    /// how it is
    Receipts {
        /// Which of them
        #[arg(requires = "tell")]
        receipt: Option<ReceiptKind>,
        /// Off, and you aren't shown it of others either
        tell: Option<Tell>,
    },
    /// How long a reset of your account has to wait, so that a device of yours can stop it
    ResetWait {
        /// The time; with never, an account whose devices and recovery key are lost is lost for good
        wait: Wait,
    },
}

/// Whether something is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tell {
    On,
    Off,
}

/// How long a reset has to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Wait {
    #[value(name = "24h")]
    OneDay,
    #[value(name = "72h")]
    ThreeDays,
    #[value(name = "7d")]
    SevenDays,
    Never,
}

impl Wait {
    fn hours(self) -> Option<u64> {
        match self {
            Self::OneDay => Some(24),
            Self::ThreeDays => Some(72),
            Self::SevenDays => Some(168),
            Self::Never => None,
        }
    }
}

/// Changes it.
pub(crate) fn run(verb: &Verb, settings: &Settings) -> Result<(), Failure> {
    match verb {
        Verb::Password { password_file } => set_password(password_file.as_ref(), settings),
        Verb::Reset { joining, permit_file, yes } => reset(joining, permit_file.as_ref(), *yes, settings),
        Verb::ResetWait { wait } => {
            Agent::opened(settings)?.ask::<Value>(What::SetResetWait { hours: wait.hours() })?;
            match settings.json {
                true => say(json!({ "reset_wait_hours": wait.hours() })),
                false => say(words::account::reset_wait(wait.hours())),
            }
            Ok(())
        }
        Verb::Receipts { receipt, tell } => receipts(receipt.zip(*tell), settings),
        Verb::Veto => {
            Agent::opened(settings)?.ask::<Value>(What::Veto)?;
            match settings.json {
                true => say(json!({ "reset": "vetoed" })),
                false => say(words::account::VETOED),
            }
            Ok(())
        }
    }
}

fn receipts(told: Option<(ReceiptKind, Tell)>, settings: &Settings) -> Result<(), Failure> {
    let mut agent = Agent::opened(settings)?;
    if let Some((receipt, tell)) = told {
        agent.ask::<Value>(What::SetReceipts { receipt, on: tell == Tell::On })?;
    }
    let state: State = agent.ask(What::Status)?;
    match settings.json {
        true => say_row(&state.receipts)?,
        false => say_all(words::account::receipts(state.receipts)),
    }
    Ok(())
}

fn reset(
    joining: &JoinArguments,
    permit_file: Option<&PathBuf>,
    is_meant: bool,
    settings: &Settings,
) -> Result<(), Failure> {
    let (mut agent, state) = agent_and_state(settings)?;
    let handle = joining.handle()?;
    if !is_meant {
        say_aside(&words::account::reset_warning(handle.as_str()));
        if !secret::is_terminal() || ask_line(&format!("Type {handle} to go on: "))? != handle.as_str() {
            return Err(Failure::new(
                Kind::Refused,
                "reset.not_meant",
                "nothing was done; --yes says that it is meant",
            ));
        }
    }
    // a typo is noticed before anything else is asked for
    let permit = ask_permit(permit_file, joining.password_file.is_some())?;
    // whether a wait to be let in is given up for it, the agent knows
    if state.phase != Phase::Pending {
        clear(&mut agent, &state)?;
    }
    let join = joining.join(settings, permit.is_some(), None)?;
    make_key(&mut agent, settings)?;
    let what = match permit {
        Some(permit) => What::ResetWithPermit { join, permit: permit.to_string() },
        None => What::Reset(join),
    };
    let row: ResetAnnounced = agent.ask(what)?;
    if settings.json {
        return say_row(&row);
    }
    say_all(words::account::reset_announced(&row));
    Ok(())
}

/// A permit of the operator: of a file, of a file descriptor, or typed where the password is to be typed too. `None`:
/// whoever asks has the password.
fn ask_permit(file: Option<&PathBuf>, has_password: bool) -> Result<Option<ResetPermit>, Failure> {
    let origin = Origin { file: file.cloned(), variable: "TREFOIL_PERMIT_FD" };
    if let Some(text) = origin.read()? {
        return link::permit(&text).map(Some);
    }
    if has_password || !secret::is_terminal() || std::env::var_os(PASSWORD_VARIABLE).is_some() {
        return Ok(None);
    }
    let text = Secret::new(ask_line(words::account::ASK_PERMIT)?);
    if text.is_empty() { Ok(None) } else { link::permit(&text).map(Some) }
}

fn set_password(password_file: Option<&PathBuf>, settings: &Settings) -> Result<(), Failure> {
    let mut agent = Agent::opened(settings)?;
    let password = ask_password(password_file, true)?;
    secret::check_strength(&password)?;
    agent.ask::<Value>(What::SetPassword { password: password.to_string() })?;
    match settings.json {
        true => say(json!({ "password": "changed" })),
        false => say(words::device::PASSWORD_CHANGED),
    }
    Ok(())
}
