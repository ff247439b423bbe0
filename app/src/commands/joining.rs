//! What sign-up and log-in have in common: the password, the device's name, the policy, the key of a new profile.

use std::path::PathBuf;

use chain::handle::Handle;
use client::query::Phase;
use protocol::introduction::DeviceKind;
use serde_json::Value;

use crate::failure::Failure;
use crate::lives_with;
use crate::local::connection::{Agent, passphrase_origin, say_aside};
use crate::local::rows::{KeyState, State};
use crate::local::{Join, What};
use crate::remote::read_policy;
use crate::secret::{self, Origin, Secret};
use crate::settings::Settings;
use crate::words;

/// A file descriptor with the password.
pub(crate) const PASSWORD_VARIABLE: &str = "TREFOIL_PASSWORD_FD";
/// Longest name of a device, in letters.
const MAX_NAME: usize = 64;

#[derive(clap::Args)]
pub(crate) struct JoinArguments {
    /// name@host, or a name alone with --service
    pub(crate) handle: String,
    /// How your devices call this one; only they see it
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// File whose first line is the password; or TREFOIL_PASSWORD_FD, a file descriptor. Otherwise it is asked for
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

impl JoinArguments {
    /// The part before the `@`, normalised.
    pub(crate) fn handle(&self) -> Result<Handle, Failure> {
        let name = self.handle.split('@').next().unwrap_or_default();
        Handle::parse(name).map_err(|error| Failure::misuse(error.code(), error))
    }

    /// Everything that the service and the client need; asks for the password, twice if it is new.
    pub(crate) fn join(&self, settings: &Settings, is_new: bool, wait_s: Option<u64>) -> Result<Join, Failure> {
        let handle = self.handle()?.as_str().to_owned();
        let service = settings.service_for(&self.handle)?;
        let policy = settings.policy.as_deref().map(|path| {
            read_policy(path)?;
            std::fs::read_to_string(path).map_err(|error| Failure::misuse("policy.missing", error))
        });
        let policy = policy.transpose()?;
        let password = ask_password(self.password_file.as_ref(), is_new)?;
        if is_new {
            secret::check_strength(&password)?;
        }
        let device_name = device_name(self.name.clone());
        Ok(Join { service, handle, password: password.to_string(), device_name, policy, wait_s })
    }
}

/// The password: of a file, of a file descriptor, or asked for; twice if it is new.
pub(crate) fn ask_password(file: Option<&PathBuf>, is_new: bool) -> Result<Secret, Failure> {
    let origin = Origin { file: file.cloned(), variable: PASSWORD_VARIABLE };
    match origin.read()? {
        Some(password) => Ok(password),
        None if !secret::is_terminal() => {
            let message = "a password is needed: --password-file FILE, or TREFOIL_PASSWORD_FD";
            Err(Failure::misuse("password.missing", message))
        }
        None if is_new => secret::ask_twice("New password: "),
        None => secret::ask("Password: "),
    }
}

/// The agent of a profile and how far it has come; a profile without a key has come nowhere.
pub(crate) fn agent_and_state(settings: &Settings) -> Result<(Agent, State), Failure> {
    let mut agent = Agent::opened(settings)?;
    let state = agent.ask(What::Status)?;
    Ok((agent, state))
}

/// Makes the key of a profile that has none, and says what protects it.
pub(crate) fn make_key(agent: &mut Agent, settings: &Settings) -> Result<(), Failure> {
    if agent.key() != KeyState::None {
        return Ok(());
    }
    let passphrase = match passphrase_origin(settings).read()? {
        Some(passphrase) => Some(passphrase),
        None if secret::is_terminal() => {
            let question = "Passphrase that locks your messages on this machine (empty for none): ";
            Some(secret::ask_twice(question)?)
        }
        None => None,
    };
    let passphrase = passphrase.filter(|it| !it.is_empty());
    if passphrase.is_none() && !lives_with::is_somebodys() {
        say_aside(words::NO_PASSPHRASE);
    }
    agent.ask::<Value>(What::NewKey { passphrase: passphrase.map(|it| it.to_string()) })?;
    Ok(())
}

/// Refuses a profile that is somebody's already; a profile that is done with is cleared.
pub(crate) fn clear(agent: &mut Agent, state: &State) -> Result<(), Failure> {
    match state.phase {
        Phase::New | Phase::Joining => Ok(()),
        Phase::Ended => agent.ask::<Value>(What::StartOver).map(drop),
        Phase::Pending | Phase::Resetting | Phase::Confirmed => {
            let who = state.handle.as_deref().map(words::one_line).unwrap_or_default();
            let message = format_args!("this profile is {who} already; --profile NAME makes another one beside it");
            Err(Failure::misuse("profile.in_use", message))
        }
    }
}

/// How a device is called at first: as somebody wants, or as the machine.
pub(crate) fn device_name(wanted: Option<String>) -> String {
    wanted.unwrap_or_else(host_name).chars().take(MAX_NAME).collect()
}

/// What this device is, as far as the program knows by itself.
pub(crate) fn device_kind() -> DeviceKind {
    match std::env::consts::OS {
        "linux" => DeviceKind::Linux,
        "macos" => DeviceKind::MacOs,
        "windows" => DeviceKind::Windows,
        "android" => DeviceKind::Android,
        "ios" => DeviceKind::Ios,
        "freebsd" | "dragonfly" | "netbsd" | "openbsd" => DeviceKind::Bsd,
        _ => DeviceKind::Other,
    }
}

/// The machine's name.
fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let name: String = name.chars().filter(|letter| !letter.is_control()).collect();
    if name.is_empty() { "this computer".to_owned() } else { name }
}
