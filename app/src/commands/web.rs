//! `trefoil web`: asks the agent for pages, and says with which link a browser opens them. The link is printed and opens
//! nothing by itself: where a terminal is, there need not be a browser.

use super::{say, say_row};
use crate::browser;
use crate::failure::Failure;
use crate::local::What;
use crate::local::connection::Agent;
use crate::local::rows::{Web, WebEnded};
use crate::remote::read_policy;
use crate::settings::Settings;
use crate::words;

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
    if arguments.open { browser::open(&row.link, &settings.profile.folder) } else { Ok(()) }
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
