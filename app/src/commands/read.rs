//! `trefoil read`: messages, those that are here and those that come.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::send::handle_or_title;
use super::{heard, is_terminal, row_text};
use crate::failure::{Failure, Kind};
use crate::local::What;
use crate::local::connection::Agent;
use crate::local::rows::{Conversation, Message, State};
use crate::settings::Settings;
use crate::words;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A handle, a conversation's title, or the beginning of its id; without it, all
    with: Option<String>,
    /// Goes on: prints each message as it comes
    #[arg(long, short)]
    follow: bool,
    /// How many of the newest
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
    /// With the beginning of each message's id, to name it by
    #[arg(long)]
    ids: bool,
}

/// Prints messages, oldest first.
pub(crate) fn run(arguments: &Arguments, settings: &Settings) -> Result<(), Failure> {
    let mut agent = Agent::opened(settings)?;
    let state: State = agent.ask(What::Status)?;
    let mut titles = Titles::default();
    if !settings.json {
        titles.look(&mut agent)?;
    }
    let with = arguments.with.as_deref().map(handle_or_title);
    let is_bold = is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty());
    let mut seen = BTreeSet::new();
    let show = |row: Message| {
        seen.insert(row.conversation.clone());
        let line = match settings.json {
            true => row_text(&row)?,
            false => {
                let id = if arguments.ids { format!("{:.8}  ", row.message) } else { String::new() };
                let line = words::message::line(&row, state.account.as_deref(), titles.of(&row.conversation));
                format!("{id}{}", if is_bold { words::message::with_bold_names(&row, &line) } else { line })
            }
        };
        // whoever reads no more ends it
        if heard(line) { Ok(()) } else { Err(Failure::new(Kind::Broken, CLOSED, "nobody reads any more")) }
    };
    if let Some(with) = with.clone().filter(|_| arguments.follow) {
        // whoever follows never comes to an end
        agent.ask::<Value>(What::MarkRead { with })?;
    }
    let what = What::Read { with: with.clone(), limit: arguments.limit, follow: arguments.follow };
    match agent.ask_streaming::<Message, Value>(what, show) {
        Err(failure) if failure.code == CLOSED => Ok(()),
        Err(failure) => Err(failure),
        Ok(_) => seen.into_iter().try_for_each(|with| agent.ask::<Value>(What::MarkRead { with }).map(drop)),
    }
}

const CLOSED: &str = "pipe.closed";

/// Titles of conversations of several people.
#[derive(Default)]
pub(super) struct Titles(BTreeMap<String, String>);

impl Titles {
    pub(super) fn look(&mut self, agent: &mut Agent) -> Result<(), Failure> {
        let rows: Vec<Conversation> = agent.list(What::Conversations)?;
        let notes = |row: &Conversation| if row.own { words::message::NOTES.to_owned() } else { row.title.clone() };
        let several = rows.into_iter().filter(|row| !row.pair);
        self.0 = several.map(|row| (row.conversation.clone(), notes(&row))).collect();
        Ok(())
    }

    pub(super) fn of(&self, conversation: &str) -> Option<&str> {
        self.0.get(conversation).map(String::as_str)
    }
}
