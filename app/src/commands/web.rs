//! `trefoil web`: asks the agent for pages, and says with which link a browser opens them. The link is printed and opens
//! nothing by itself: where a terminal is, there need not be a browser.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{say, say_row};
use crate::failure::{Failure, Kind};
use crate::local::What;
use crate::local::connection::Agent;
use crate::local::rows::{Web, WebEnded};
use crate::remote::read_policy;
use crate::settings::Settings;
use crate::words;

/// What opens a file, by the kind of system.
const OPENER: &str = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Opens the link in your browser
    #[arg(long, conflicts_with = "stop")]
    open: bool,
    /// Ends the pages, wherever they are open
    #[arg(long)]
    stop: bool,
}

/// Begins or ends the pages.
pub(crate) fn run(arguments: &Arguments, settings: &Settings) -> Result<(), Failure> {
    if arguments.stop {
        return stop(settings);
    }
    let policy = settings.policy.as_deref().map(|path| {
        read_policy(path)?;
        std::fs::read_to_string(path).map_err(|error| Failure::misuse("policy.missing", error))
    });
    let (service, policy) = (settings.service.clone(), policy.transpose()?);
    // a locked store is opened on the pages
    let row: Web = Agent::started(settings)?.ask(What::OpenWeb { service, policy })?;
    if settings.json {
        say_row(&row)?;
    } else {
        say(&row.link);
        say(words::web::LINK);
    }
    if arguments.open { open(&row.link, settings) } else { Ok(()) }
}

fn stop(settings: &Settings) -> Result<(), Failure> {
    // without an agent there are no pages, and none is started to say so
    let ended = match Agent::running(&settings.profile.socket)? {
        Some((mut agent, _)) => agent.ask(What::CloseWeb)?,
        None => WebEnded { ended: false },
    };
    if settings.json {
        return say_row(&ended);
    }
    say(if ended.ended { words::web::ENDED } else { words::web::NONE_TO_END });
    Ok(())
}

/// Through a file that only this user can read: the arguments of a program are seen by everybody on the machine (attack 60).
fn open(link: &str, settings: &Settings) -> Result<(), Failure> {
    let path = settings.profile.folder.join("open.html");
    write_anew(&path, &words::web::opening(link))
        .map_err(|error| Failure::new(Kind::Broken, "store.io", format_args!("{}: {error}", path.display())))?;
    let mut command = Command::new(OPENER);
    command.arg(&path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        _ => Err(Failure::new(Kind::Broken, "web.open", words::web::CANNOT_OPEN)),
    }
}

fn write_anew(path: &Path, text: &str) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => (),
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(text.as_bytes())
}
