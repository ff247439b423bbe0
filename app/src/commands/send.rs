//! `trefoil send`: a text to somebody.

use std::io::Read as _;
use std::path::PathBuf;

use protocol::limits::MAX_TEXT;

use super::{say, say_row};
use crate::failure::Failure;
use crate::local::What;
use crate::local::connection::Agent;
use crate::local::rows::Sent;
use crate::settings::Settings;
use crate::words;

/// How long to wait until the service has it; then it goes out by itself.
pub(crate) const SENT_WITHIN_S: u64 = 10;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A handle, a conversation's title, or the beginning of its id
    to: String,
    /// The text; from standard input if it is missing
    text: Option<String>,
    /// A picture or any other file of up to 2 GiB; then a text may go with it
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// Send a picture with all that its file tells, such as where and with what it was taken; without this, only what it shows
    #[arg(long, requires = "file")]
    as_is: bool,
    /// If the public record cannot be checked for more than a day: send to devices that were checked before, until it can be
    #[arg(long)]
    unchecked: bool,
}

/// Writes; returns when the service has it, or after a while.
pub(crate) fn run(arguments: &Arguments, settings: &Settings) -> Result<(), Failure> {
    let text = match &arguments.text {
        Some(text) => text.clone(),
        None if arguments.file.is_some() => String::new(),
        None => read_text()?,
    };
    let to = handle_or_title(&arguments.to);
    if arguments.file.is_none() {
        check_text(&text)?;
    }
    let mut agent = Agent::opened(settings)?;
    if arguments.unchecked {
        match agent.ask::<serde_json::Value>(What::SendUnchecked { to: to.clone() }) {
            // there was nothing to decide
            Err(failure) if failure.code == "chain.checked" => (),
            decided => drop(decided?),
        }
    }
    if let Some(path) = &arguments.file {
        return super::file::send(&mut agent, to, (path, arguments.as_is), text, settings);
    }
    let row: Sent = agent.ask(of_text(to.clone(), text, SENT_WITHIN_S)?).map_err(|failure| with_a_way(failure, &to))?;
    if settings.json {
        return say_row(&row);
    }
    say(words::message::sent(&row));
    words::unchecked::sent(&row, &to).into_iter().for_each(say);
    Ok(())
}

/// Where a person may decide that it goes all the same, the sentence says how.
fn with_a_way(failure: Failure, to: &str) -> Failure {
    if failure.code != "chain.stale" {
        return failure;
    }
    Failure { message: format!("{}; {}", failure.message, words::unchecked::how_to_send(to)), ..failure }
}

/// What sends a text, if it is one that can be sent.
///
/// # Errors
/// `message.empty`, `message.too_large`.
pub(crate) fn of_text(to: String, text: String, wait_s: u64) -> Result<What, Failure> {
    check_text(&text).map(|()| What::Send { to, text, wait_s })
}

/// Refuses what is no text to send.
pub(crate) fn check_text(text: &str) -> Result<(), Failure> {
    match text.len() {
        0 => Err(Failure::misuse("message.empty", "there is no text to send")),
        1..=MAX_TEXT => Ok(()),
        _ => Err(too_large()),
    }
}

/// A handle may be written with its host, as people say it.
pub(crate) fn handle_or_title(text: &str) -> String {
    let has_host = text.contains('@') || text.starts_with("trefoil:");
    let contact = if has_host { crate::link::Contact::parse(text).ok() } else { None };
    contact.map_or_else(|| text.to_owned(), |contact| contact.handle)
}

fn too_large() -> Failure {
    Failure::misuse("message.too_large", format_args!("a text has up to {MAX_TEXT} bytes"))
}

/// A text from standard input, without the end of its last line.
pub(super) fn read_text() -> Result<String, Failure> {
    let mut bytes = Vec::new();
    // a line's end, and one byte that is too many
    let read = std::io::stdin().take(MAX_TEXT as u64 + 2).read_to_end(&mut bytes);
    read.map_err(|error| Failure::misuse("message.unreadable", error))?;
    if bytes.len() > MAX_TEXT + 1 {
        return Err(too_large());
    }
    let text = String::from_utf8(bytes).map_err(|_| Failure::misuse("message.not_text", "this is no text in UTF-8"))?;
    Ok(text.strip_suffix('\n').map_or_else(|| text.clone(), str::to_owned))
}
