//! `trefoil chat`: conversations, above all those of several people.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};

use super::file::absolute;
use super::send::{SENT_WITHIN_S, handle_or_title};
use super::{say, say_row};
use crate::failure::Failure;
use crate::local::What;
use crate::local::connection::Agent;
use crate::local::rows::{Conversation, OPEN, Sent};
use crate::settings::Settings;
use crate::words;

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// All conversations
    List,
    /// Begin one with several people
    New {
        /// What it is called
        title: String,
        /// Handles
        #[arg(required = true)]
        with: Vec<String>,
    },
    /// Let people in
    Add {
        /// Its title, or the beginning of its id
        chat: String,
        /// Handles
        #[arg(required = true)]
        with: Vec<String>,
    },
    /// Take people out
    Remove {
        /// Its title, or the beginning of its id
        chat: String,
        /// Handles
        #[arg(required = true)]
        with: Vec<String>,
    },
    /// Leave it: nothing more comes from there to any of your devices; what was said stays here
    Leave {
        /// Its title, or the beginning of its id
        chat: String,
    },
    /// Say who lets people in and out of it
    Admin {
        /// Its title, or the beginning of its id
        chat: String,
        /// A handle
        who: String,
        /// Not any more
        #[arg(long)]
        not: bool,
    },
    /// Call it otherwise, for everybody
    Rename {
        /// Its title, or the beginning of its id
        chat: String,
        /// What it is called from now on
        title: String,
    },
    /// Give it a picture, for everybody: the middle of the file, small, and without anything else that is in it
    Picture {
        /// Its title, or the beginning of its id
        chat: String,
        /// PNG, JPEG, GIF or WebP
        #[arg(required_unless_present = "none", conflicts_with = "none")]
        file: Option<PathBuf>,
        /// None any more
        #[arg(long)]
        none: bool,
    },
    /// From now on its messages are gone some time after they were read, on all devices of everybody
    Timer {
        /// A handle, a title, or the beginning of its id
        chat: String,
        /// 30m, 8h, 7d; or off: they stay
        #[arg(value_parser = timer_seconds)]
        time: u64,
    },
    /// Make one silent, on all your devices
    Mute {
        /// A handle, a title, or the beginning of its id
        chat: String,
        /// For so long: 30m, 8h, 7d; without it for good
        #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
        time: Option<u64>,
    },
    /// Let it make sounds again
    Unmute {
        /// A handle, a title, or the beginning of its id
        chat: String,
    },
    /// Put one above the others
    Pin {
        /// A handle, a title, or the beginning of its id
        chat: String,
    },
    /// Put it back among them
    Unpin {
        /// A handle, a title, or the beginning of its id
        chat: String,
    },
    /// Begin to write, and go on with it on any of your devices
    Draft {
        /// A handle, a title, or the beginning of its id
        chat: String,
        /// What to go on with; without it, nothing any more
        #[arg(default_value = "")]
        text: String,
    },
    /// While the public record cannot be checked for more than a day, and until it can be: send what waits there, and what you
    /// write, only to devices that were checked before
    Unchecked {
        /// A handle, a title, or the beginning of its id
        chat: String,
    },
    /// Put one away until somebody writes there
    Archive {
        /// A handle, a title, or the beginning of its id
        chat: String,
    },
    /// Take it out again
    Unarchive {
        /// A handle, a title, or the beginning of its id
        chat: String,
    },
}

/// A time as people write it: a number and `m`, `h` or `d`.
fn seconds(text: &str) -> Result<u64, String> {
    let refused = || "a time is a number and m, h or d: 30m, 8h, 7d".to_owned();
    let unit = match text.chars().last() {
        Some('m') => 60,
        Some('h') => 3_600,
        Some('d') => 86_400,
        _ => return Err(refused()),
    };
    let number: u64 = text.get(..text.len().saturating_sub(1)).and_then(|it| it.parse().ok()).ok_or_else(refused)?;
    number.checked_mul(unit).filter(|seconds| (1..=MOST_SECONDS).contains(seconds)).ok_or_else(refused)
}

fn timer_seconds(text: &str) -> Result<u64, String> {
    if text == "off" { Ok(0) } else { seconds(text) }
}

/// Ten years; who wants longer means for good.
const MOST_SECONDS: u64 = 315_360_000;

/// Lists or changes.
pub(crate) fn run(verb: &Verb, settings: &Settings) -> Result<(), Failure> {
    let mut agent = Agent::opened(settings)?;
    let name = match verb {
        Verb::List => None,
        Verb::New { title, with } => {
            agent.ask::<Value>(What::NewChat { title: title.clone(), with: with.clone() })?;
            Some(title)
        }
        Verb::Add { chat, with } => {
            agent.ask::<Value>(What::AddMembers { chat: chat.clone(), with: with.clone() })?;
            Some(chat)
        }
        Verb::Remove { chat, with } => {
            agent.ask::<Value>(What::RemoveMembers { chat: chat.clone(), with: with.clone() })?;
            Some(chat)
        }
        Verb::Leave { chat } => return leave(chat.clone(), &mut agent, settings),
        Verb::Admin { chat, who, not } => {
            agent.ask::<Value>(What::SetAdmin { chat: chat.clone(), who: who.clone(), on: !not })?;
            Some(chat)
        }
        Verb::Rename { chat, title } => return rename(chat.clone(), title.clone(), &mut agent, settings),
        Verb::Picture { chat, file, .. } => return picture(chat.clone(), file.as_deref(), &mut agent, settings),
        Verb::Timer { chat, time } => return set_timer(handle_or_title(chat), *time, &mut agent, settings),
        Verb::Mute { chat, .. }
        | Verb::Unmute { chat }
        | Verb::Pin { chat }
        | Verb::Unpin { chat }
        | Verb::Draft { chat, .. }
        | Verb::Unchecked { chat }
        | Verb::Archive { chat }
        | Verb::Unarchive { chat } => return arrange(verb, handle_or_title(chat), &mut agent, settings),
    };
    let rows: Vec<Conversation> = agent.list(What::Conversations)?;
    let is_meant =
        |row: &&Conversation| name.is_none_or(|name| row.title == *name || row.conversation.starts_with(name.as_str()));
    // requests have a place of their own, and of whom somebody has blocked he hears nothing
    let is_shown = |row: &&Conversation| settings.json || row.standing == OPEN || name.is_some();
    for row in rows.iter().filter(is_meant).filter(is_shown) {
        match settings.json {
            true => say_row(row)?,
            false => say(words::message::conversation(row)),
        }
    }
    Ok(())
}

fn rename(chat: String, title: String, agent: &mut Agent, settings: &Settings) -> Result<(), Failure> {
    let row: Sent = agent.ask(What::RenameChat { chat, title, wait_s: SENT_WITHIN_S })?;
    if settings.json {
        return say_row(&row);
    }
    say(words::message::done(&row, words::message::RENAMED));
    Ok(())
}

fn picture(chat: String, file: Option<&Path>, agent: &mut Agent, settings: &Settings) -> Result<(), Failure> {
    let path = file.map(absolute).transpose()?;
    let row: Sent = agent.ask(What::PictureChat { chat, path, wait_s: SENT_WITHIN_S })?;
    if settings.json {
        return say_row(&row);
    }
    let done = if file.is_some() { words::message::PICTURED } else { words::message::UNPICTURED };
    say(words::message::done(&row, done));
    Ok(())
}

fn leave(chat: String, agent: &mut Agent, settings: &Settings) -> Result<(), Failure> {
    let row: Sent = agent.ask(What::LeaveChat { chat, wait_s: SENT_WITHIN_S })?;
    if settings.json {
        return say_row(&row);
    }
    say(words::message::done(&row, words::message::LEFT));
    Ok(())
}

fn set_timer(chat: String, seconds: u64, agent: &mut Agent, settings: &Settings) -> Result<(), Failure> {
    let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
    let row: Sent = agent.ask(What::SetTimer { chat, seconds, wait_s: SENT_WITHIN_S })?;
    if settings.json {
        return say_row(&row);
    }
    say(words::message::done(
        &row,
        &format!("Done: {}. Who reads them in another program may keep them.", words::message::timer(seconds)),
    ));
    Ok(())
}

fn arrange(verb: &Verb, chat: String, agent: &mut Agent, settings: &Settings) -> Result<(), Failure> {
    let (what, said) = match verb {
        Verb::Mute { time, .. } => (What::Mute { chat, seconds: *time }, words::message::MUTED),
        Verb::Unmute { .. } => (What::Mute { chat, seconds: Some(0) }, words::message::UNMUTED),
        Verb::Pin { .. } => (What::Pin { chat, on: true }, words::message::PINNED),
        Verb::Unpin { .. } => (What::Pin { chat, on: false }, words::message::UNPINNED),
        Verb::Draft { text, .. } if text.is_empty() => {
            (What::Draft { chat, text: String::new() }, words::message::NO_DRAFT)
        }
        Verb::Draft { text, .. } => (What::Draft { chat, text: text.clone() }, words::message::DRAFTED),
        Verb::Unchecked { .. } => (What::SendUnchecked { to: chat }, words::unchecked::DECIDED),
        Verb::Archive { .. } => (What::Archive { chat, on: true }, words::message::ARCHIVED),
        _ => (What::Archive { chat, on: false }, words::message::UNARCHIVED),
    };
    agent.ask::<Value>(what)?;
    say(if settings.json { json!({}).to_string() } else { said.to_owned() });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!([seconds("30m"), seconds("8h"), seconds("7d")], [Ok(1_800), Ok(28_800), Ok(604_800)]);
        for text in ["", "m", "0h", "8", "8 h", "-1d", "1w", "99999999999999999999d", "4000d", "é"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
