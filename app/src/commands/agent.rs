//! `trefoil agent`: the process behind a profile. Every command starts it by itself.

use serde_json::json;

use super::say;
use crate::agent::{self, Options};
use crate::failure::Failure;
use crate::local::connection::{Agent, passphrase_origin};
use crate::settings::Settings;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Ends the one that runs
    #[arg(long)]
    stop: bool,
    /// Started by another command: goes on without its terminal
    #[arg(long, hide = true)]
    background: bool,
}

/// Serves until asked to end, or asks the one that runs to end.
pub(crate) fn run(arguments: &Arguments, settings: &Settings) -> Result<(), Failure> {
    if arguments.stop {
        return stop(settings);
    }
    if arguments.background {
        // fails if it leads a session already, which is just as good
        rustix::process::setsid().map(drop).unwrap_or_default();
        // all paths are absolute by now, and whoever wants to unmount the folder may
        std::env::set_current_dir("/").map_err(Failure::broken)?;
    }
    let options = Options {
        profile: settings.profile.clone(),
        ca_file: settings.ca_file.clone(),
        passphrase: passphrase_origin(settings).read()?,
    };
    let socket = settings.profile.socket.display().to_string();
    let ready = || match settings.json {
        true => say(json!({ "socket": socket })),
        false => {
            say(format_args!("The agent of profile {} answers at {socket}. Ctrl-C ends it.", settings.profile.name))
        }
    };
    let ended = agent::run(options, ready);
    if let (Err(failure), true) = (&ended, arguments.background) {
        // whoever started it reads here
        say(failure.to_json());
    }
    ended
}

fn stop(settings: &Settings) -> Result<(), Failure> {
    let said = match Agent::running(&settings.profile.socket)? {
        None => "No agent runs for this profile.",
        Some((agent, _)) => {
            agent.stop(settings)?;
            "The agent has ended."
        }
    };
    if settings.json {
        say(json!({ "running": false }));
    } else {
        say(said);
    }
    Ok(())
}
