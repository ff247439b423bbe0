//! `trefoil search`: messages that are here, by their words.

use super::read::Titles;
use super::send::handle_or_title;
use super::{heard, is_terminal, row_text, say, say_row};
use crate::failure::{Failure, Kind};
use crate::local::What;
use crate::local::connection::Agent;
use crate::local::rows::{Message, Searched, State};
use crate::settings::Settings;
use crate::words;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Words, all of which are in the message; upper and lower case are the same
    #[arg(required = true)]
    text: Vec<String>,
    /// Only in the conversation with this handle, title, or beginning of an id
    #[arg(long, value_name = "NAME")]
    with: Option<String>,
    /// Only what somebody wrote: a handle
    #[arg(long, value_name = "NAME")]
    from: Option<String>,
    /// How many of the newest
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: u32,
}

const CLOSED: &str = "pipe.closed";

/// Prints what is found, newest first, and what was looked through.
pub(crate) fn run(arguments: &Arguments, settings: &Settings) -> Result<(), Failure> {
    let mut agent = Agent::opened(settings)?;
    let state: State = agent.ask(What::Status)?;
    let mut titles = Titles::default();
    if !settings.json {
        titles.look(&mut agent)?;
    }
    let what = What::Search {
        text: arguments.text.join(" "),
        with: arguments.with.as_deref().map(handle_or_title),
        from: arguments.from.as_deref().map(handle_or_title),
        limit: arguments.limit,
    };
    let show = |row: Message| {
        let line = match settings.json {
            true => row_text(&row)?,
            false => words::message::line(&row, state.account.as_deref(), titles.of(&row.conversation)),
        };
        if heard(line) { Ok(()) } else { Err(Failure::new(Kind::Broken, CLOSED, "nobody reads any more")) }
    };
    let covers: Searched = match agent.ask_streaming(what, show) {
        Err(failure) if failure.code == CLOSED => return Ok(()),
        ended => ended?,
    };
    match settings.json {
        true => say_row(&covers),
        false => {
            if covers.found > 0 && is_terminal() {
                say("");
            }
            words::message::searched(&covers, arguments.limit).into_iter().for_each(say);
            Ok(())
        }
    }
}
