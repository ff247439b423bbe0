//! `trefoil message`: what one does with messages that are there.

use clap::Subcommand;

use super::send::{SENT_WITHIN_S, check_text, read_text};
use super::{say, say_row};
use crate::failure::Failure;
use crate::local::What;
use crate::local::connection::Agent;
use crate::local::rows::Sent;
use crate::settings::Settings;
use crate::words;

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Answer a message
    Reply {
        /// The beginning of its id (`trefoil read --ids`)
        message: String,
        /// The text; from standard input if it is missing
        text: Option<String>,
    },
    /// Say something else instead of a message of yours
    Edit {
        /// The beginning of its id (`trefoil read --ids`)
        message: String,
        /// What it says from now on; from standard input if it is missing
        text: Option<String>,
    },
    /// Take a message of yours back, on all devices of everybody
    Delete {
        /// The beginning of its id (`trefoil read --ids`)
        message: String,
    },
    /// Say what you think of a message
    React {
        /// The beginning of its id (`trefoil read --ids`)
        message: String,
        /// An emoji, or a short word
        reaction: String,
        /// Take it back
        #[arg(long)]
        remove: bool,
    },
}

/// Says it; returns when the service has it, or after a while.
pub(crate) fn run(verb: &Verb, settings: &Settings) -> Result<(), Failure> {
    let wait_s = SENT_WITHIN_S;
    let what = match verb {
        Verb::Reply { message, text } => What::Reply { message: message.clone(), text: text_of(text)?, wait_s },
        Verb::Edit { message, text } => What::Edit { message: message.clone(), text: text_of(text)?, wait_s },
        Verb::Delete { message } => What::Delete { message: message.clone(), wait_s },
        Verb::React { message, reaction, remove } => {
            What::React { message: message.clone(), reaction: reaction.clone(), remove: *remove, wait_s }
        }
    };
    let row: Sent = Agent::opened(settings)?.ask(what)?;
    if settings.json {
        return say_row(&row);
    }
    say(match verb {
        Verb::Reply { .. } => words::message::sent(&row),
        Verb::Edit { .. } => words::message::done(&row, words::message::EDITED),
        Verb::Delete { .. } => words::message::done(&row, words::message::TAKEN_BACK),
        Verb::React { .. } => words::message::done(&row, words::message::REACTED),
    });
    Ok(())
}

fn text_of(text: &Option<String>) -> Result<String, Failure> {
    let text = match text {
        Some(text) => text.clone(),
        None => read_text()?,
    };
    check_text(&text).map(|()| text)
}
