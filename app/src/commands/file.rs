//! `trefoil file`, and `trefoil send --file`: files to somebody, and from somebody.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use clap::Subcommand;
use indicatif::ProgressBar;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::read::Titles;
use super::send::handle_or_title;
use super::{row_text, runtime, say, say_all, say_row};
use crate::failure::Failure;
use crate::local::What;
use crate::local::connection::Agent;
use crate::local::files::{Listed, Moving, Saved};
use crate::local::rows::{Message, Sent, State};
use crate::settings::Settings;
use crate::words;

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Files that were sent and received, and those on their way
    List {
        /// Only in the conversation with this handle, title, or beginning of an id
        with: Option<String>,
        /// How many of the newest
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: u32,
    },
    /// Fetch a file and write it down; Ctrl-C stops it, and a kill does no harm: the same again goes on
    Save {
        /// The beginning of its message's id, as `trefoil read` shows it
        id: String,
        /// A folder, or a file that is not there yet; the folder where you are, if it is missing
        path: Option<PathBuf>,
        /// Write over a file that is there
        #[arg(long)]
        force: bool,
    },
    /// Stop a file on its way out, as `trefoil file list` shows it
    Cancel {
        /// Its number
        transfer: i64,
    },
}

/// Lists, fetches, stops.
pub(crate) fn run(verb: &Verb, settings: &Settings) -> Result<(), Failure> {
    match verb {
        Verb::List { with, limit } => list(with.as_deref(), *limit, settings),
        Verb::Save { id, path, force } => save(id, path.as_deref(), *force, settings),
        Verb::Cancel { transfer } => {
            Agent::opened(settings)?.ask::<Value>(What::CancelFile { transfer: *transfer }).map(drop)
        }
    }
}

/// Sends a file; returns when the message with it is at the service, or nobody answers.
pub(super) fn send(
    agent: &mut Agent,
    to: String,
    (path, as_is): (&Path, bool),
    text: String,
    settings: &Settings,
) -> Result<(), Failure> {
    let path = absolute(path)?;
    let what = What::SendFile { to, path, text, as_is };
    let row: Sent = moved(agent, what, "{msg} {bar:30} {bytes} of {total_bytes}", settings)?;
    if settings.json {
        return say_row(&row);
    }
    say(words::message::sent(&row));
    say_all(row.tells_place.then(|| words::file::TELLS_PLACE.to_owned()));
    Ok(())
}

fn save(id: &str, path: Option<&Path>, force: bool, settings: &Settings) -> Result<(), Failure> {
    let mut agent = Agent::opened(settings)?;
    let target = match path {
        Some(path) if !path.is_dir() => path.to_owned(),
        folder => {
            let name = name_of(&mut agent, id)?;
            folder.unwrap_or(Path::new(".")).join(name)
        }
    };
    let what = What::SaveFile { message: id.to_owned(), path: absolute(&target)?, replace: force };
    let row: Saved = moved(&mut agent, what, "{msg} {bar:30} {bytes} of {total_bytes}", settings)?;
    if settings.json {
        return say_row(&row);
    }
    say(words::file::saved(&row));
    Ok(())
}

fn list(with: Option<&str>, limit: u32, settings: &Settings) -> Result<(), Failure> {
    let mut agent = Agent::opened(settings)?;
    let state: State = agent.ask(What::Status)?;
    let mut titles = Titles::default();
    if !settings.json {
        titles.look(&mut agent)?;
    }
    let what = What::Files { with: with.map(handle_or_title), limit };
    let mut lines = Vec::new();
    let listed: Listed = agent.ask_streaming(what, |row: Message| {
        lines.push(match settings.json {
            true => row_text(&row)?,
            false => words::message::line(&row, state.account.as_deref(), titles.of(&row.conversation)),
        });
        Ok(())
    })?;
    say_all(lines);
    if settings.json {
        return say_row(&listed);
    }
    say_all(listed.outgoing.iter().map(words::file::outgoing));
    Ok(())
}

/// The name of a file, as its sender called it and the agent tamed it.
fn name_of(agent: &mut Agent, id: &str) -> Result<String, Failure> {
    let mut names = Vec::new();
    agent.ask_streaming::<Message, Value>(What::Files { with: None, limit: u32::MAX }, |row| {
        if row.message.starts_with(&id.to_ascii_lowercase()) {
            names.extend(row.file.map(|file| file.name));
        }
        Ok(())
    })?;
    // which of several, and whether there is one, is the agent's to say
    Ok(names.pop().unwrap_or_else(|| "file".to_owned()))
}

pub(super) fn absolute(path: &Path) -> Result<String, Failure> {
    let absolute = std::path::absolute(path).map_err(|error| Failure::misuse("file.unreadable", error))?;
    let text = absolute.into_os_string().into_string();
    text.map_err(|_| Failure::misuse("file.unreadable", "a path has to be text in UTF-8"))
}

/// Waits for a file with a bar; Ctrl-C stops the file, not only this program.
fn moved<Done: DeserializeOwned>(
    agent: &mut Agent,
    what: What,
    bar: &str,
    settings: &Settings,
) -> Result<Done, Failure> {
    let transfer = Arc::new(AtomicI64::new(0));
    stop_on_interrupt(Arc::clone(&transfer), settings.clone());
    let bar = super::backup::bar(0, bar, settings)?;
    let ended = agent.ask_streaming(what, |row: Moving| {
        transfer.store(row.transfer, Ordering::SeqCst);
        show(&bar, &row);
        Ok(())
    });
    bar.finish_and_clear();
    ended
}

fn show(bar: &ProgressBar, row: &Moving) {
    if bar.length() == Some(0) && row.done > 0 {
        bar.set_message(words::file::GOES_ON);
    }
    bar.set_length(row.total);
    bar.set_position(row.done);
}

/// At Ctrl-C the agent is asked to stop, and says so to whoever waits; a second one ends this program alone.
fn stop_on_interrupt(transfer: Arc<AtomicI64>, settings: Settings) {
    let wait = move || {
        let Ok(runtime) = runtime() else { return };
        let mut asked = false;
        while runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
            let transfer = transfer.load(Ordering::SeqCst);
            let is_stopped = !asked
                && transfer != 0
                && Agent::opened(&settings)
                    .and_then(|mut agent| agent.ask::<Value>(What::CancelFile { transfer }))
                    .is_ok();
            if !is_stopped {
                std::process::exit(130);
            }
            asked = true;
        }
    };
    std::thread::spawn(wait);
}
