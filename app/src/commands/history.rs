//! `trefoil history`: old messages, from an older device to a newer one.

use std::io::{IsTerminal as _, stderr};
use std::thread::sleep;
use std::time::Duration;

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::{say, say_all, say_row};
use crate::failure::Failure;
use crate::local::What;
use crate::local::connection::Agent;
use crate::local::rows::{Device, History};
use crate::settings::Settings;
use crate::words;

/// How often a bar is moved on.
const LOOK: Duration = Duration::from_millis(200);

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// How far they have come, and what was handed to other devices
    Status {
        /// Show a bar until all are here; Ctrl-C ends the bar and not the transfer
        #[arg(long)]
        follow: bool,
    },
    /// Ask your other devices for them once more, now
    Fetch,
    /// Let a device of yours have them that was let in without
    Send {
        /// Its id, or the beginning of it
        device: String,
    },
}

/// Shows or begins.
pub(crate) fn run(verb: &Verb, settings: &Settings) -> Result<(), Failure> {
    let mut agent = Agent::opened(settings)?;
    match verb {
        Verb::Status { follow } => {
            if *follow && !settings.json {
                follow_bar(&mut agent)?;
            }
            tell(&mut agent, settings)
        }
        Verb::Fetch => {
            agent.ask::<Value>(What::FetchHistory)?;
            tell(&mut agent, settings)
        }
        Verb::Send { device } => {
            agent.ask::<Value>(What::GrantHistory { device: device.clone() })?;
            match settings.json {
                true => say(json!({ "device": device, "history": true })),
                false => say(words::history::GRANTED),
            }
            Ok(())
        }
    }
}

fn tell(agent: &mut Agent, settings: &Settings) -> Result<(), Failure> {
    let row: History = agent.ask(What::History)?;
    if settings.json {
        return say_row(&row);
    }
    let devices: Vec<Device> = agent.list(What::Devices)?;
    say_all(words::history::status(&row, &devices));
    Ok(())
}

fn follow_bar(agent: &mut Agent) -> Result<(), Failure> {
    if !stderr().is_terminal() {
        return Ok(());
    }
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} messages ({per_sec})");
    bar.set_style(style.map_err(Failure::broken)?);
    loop {
        let row: History = agent.ask(What::History)?;
        bar.set_length(row.total);
        bar.set_position(row.messages);
        if row.state != "running" {
            bar.finish_and_clear();
            return Ok(());
        }
        sleep(LOOK);
    }
}
