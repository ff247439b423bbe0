//! `trefoil chat`: conversations, above all those of several people.

use clap::Subcommand;
use serde_json::Value;

use super::{say, say_row};
use crate::failure::Failure;
use crate::local::What;
use crate::local::connection::Agent;
use crate::local::rows::{Conversation, OPEN};
use crate::settings::Settings;
use crate::words;

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// All conversations
    List,
    /// Begin one with several people
    New {
        /// What you call it; only your devices see it
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
}

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
