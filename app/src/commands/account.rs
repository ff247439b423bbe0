//! `trefoil account`: what is one for all devices.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::{Value, json};

use super::joining::ask_password;
use super::say;
use crate::failure::Failure;
use crate::local::What;
use crate::local::connection::Agent;
use crate::secret;
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
}

/// Changes it.
pub(crate) fn run(verb: &Verb, settings: &Settings) -> Result<(), Failure> {
    let mut agent = Agent::opened(settings)?;
    let Verb::Password { password_file } = verb;
    let password = ask_password(password_file.as_ref(), true)?;
    secret::check_strength(&password)?;
    agent.ask::<Value>(What::SetPassword { password: password.to_string() })?;
    match settings.json {
        true => say(json!({ "password": "changed" })),
        false => say(words::device::PASSWORD_CHANGED),
    }
    Ok(())
}
