//! `trefoil device`: the devices of the account; who is let in, refused, removed.

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{ask_line, say, say_all, say_row};
use crate::failure::{Failure, Kind};
use crate::link::refuse_as_code;
use crate::local::connection::{Agent, say_aside};
use crate::local::rows::{Device, Notice, Notifying};
use crate::local::{Telling, What};
use crate::secret;
use crate::settings::Settings;
use crate::words;

/// How long the new device may take to show its digits, when somebody sits there.
const DIGITS_WITHIN_S: u64 = 60;
/// How long the service may take to say when it has seen whom; the list is there without it.
const SEEN_WITHIN_S: u64 = 2;
/// Attempts of one request (CNF-5).
const TRIES: u32 = 3;

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Your devices, and those that wait to be let in
    List,
    /// Let a waiting device in, with the digits that it shows
    Confirm {
        /// Its id, or the beginning of it
        device: String,
        /// The six digits; asked for on a terminal. Nothing replaces them
        #[arg(long, value_name = "DIGITS")]
        code: Option<String>,
        /// Whether it gets your old messages; asked on a terminal, otherwise no
        #[arg(long, value_name = "yes|no")]
        history: Option<History>,
    },
    /// "This is not me": it is never let in
    Refuse {
        /// Its id, or the beginning of it
        device: String,
    },
    /// Call one of your devices otherwise; only they see it
    Rename {
        /// Its id, or the beginning of it
        device: String,
        /// How it is called from now on
        name: String,
    },
    /// What this machine's desktop shows of messages that come; without an answer, how it is
    Notifications {
        /// From now on, here and on no other device
        show: Option<Telling>,
    },
    /// Take a device out of your account, for good
    Remove {
        /// Its id, or the beginning of it
        device: String,
    },
}

/// Whether a new device gets the old messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum History {
    Yes,
    No,
}

/// Lists, lets in, refuses or removes.
pub(crate) fn run(verb: &Verb, settings: &Settings) -> Result<(), Failure> {
    let mut agent = Agent::opened(settings)?;
    match verb {
        Verb::List => list(&mut agent, settings),
        Verb::Confirm { device, code, history } => {
            let device = confirm(&mut agent, device, code.as_deref(), *history)?;
            match settings.json {
                true => say(json!({ "device": device.0.device, "state": "confirmed", "history": device.1 })),
                false => say(words::device::confirmed(Some(&device.0))),
            }
            Ok(())
        }
        Verb::Refuse { device } => {
            let row = find(&mut agent, device)?;
            agent.ask::<Value>(What::Refuse { device: row.device.clone() })?;
            tell(settings, &row, "refused", words::device::REFUSED)
        }
        Verb::Rename { device, name } => {
            let row = find(&mut agent, device)?;
            agent.ask::<Value>(What::NameDevice { device: row.device.clone(), name: name.clone() })?;
            match settings.json {
                true => say(json!({ "device": row.device, "name": name })),
                false => say(words::device::renamed(name)),
            }
            Ok(())
        }
        Verb::Remove { device } => {
            let row = find(&mut agent, device)?;
            agent.ask::<Value>(What::Remove { device: row.device.clone() })?;
            tell(settings, &row, "removed", words::device::REMOVED)
        }
        Verb::Notifications { show } => {
            let row: Notifying = agent.ask(What::Notifications { show: *show })?;
            match settings.json {
                true => say_row(&row)?,
                false => say_all(words::device::notifications(row)),
            }
            Ok(())
        }
    }
}

fn tell(settings: &Settings, row: &Device, state: &str, sentence: &str) -> Result<(), Failure> {
    match settings.json {
        true => say(json!({ "device": row.device, "state": state })),
        false => say(sentence),
    }
    Ok(())
}

fn list(agent: &mut Agent, settings: &Settings) -> Result<(), Failure> {
    agent.ask::<Value>(What::WhoIsHere { wait_s: SEEN_WITHIN_S })?;
    let rows: Vec<Device> = agent.list(What::Devices)?;
    if settings.json {
        return rows.iter().try_for_each(say_row);
    }
    say_all(rows.iter().map(|row| words::device::line(row, &rows)));
    show_notices(agent, &rows)
}

/// Says what has happened since somebody last looked; a person has then seen it.
pub(crate) fn show_notices(agent: &mut Agent, devices: &[Device]) -> Result<(), Failure> {
    let notices: Vec<Notice> = agent.list(What::Notices)?;
    say_all(notices.iter().map(|row| words::device::notice(row, devices)));
    match notices.iter().map(|row| row.number).max() {
        Some(up_to) => agent.ask::<Value>(What::NoticesRead { up_to }).map(drop),
        None => Ok(()),
    }
}

fn find(agent: &mut Agent, beginning: &str) -> Result<Device, Failure> {
    let rows: Vec<Device> = agent.list(What::Devices)?;
    let wanted = beginning.replace(' ', "").to_lowercase();
    let mut fitting = rows.into_iter().filter(|row| row.device.starts_with(&wanted));
    match (fitting.next(), fitting.next()) {
        (Some(row), None) if !wanted.is_empty() => Ok(row),
        (None, _) => Err(Failure::new(Kind::Refused, "device.unknown", "you have no device whose id begins so")),
        _ => Err(Failure::misuse("device.ambiguous", "several of your devices have an id that begins so")),
    }
}

fn confirm(
    agent: &mut Agent,
    beginning: &str,
    code: Option<&str>,
    history: Option<History>,
) -> Result<(Device, bool), Failure> {
    code.map(refuse_as_code).transpose()?;
    refuse_as_code(beginning)?;
    let row = find(agent, beginning)?;
    let confirm = |agent: &mut Agent, code: String, history| {
        agent.ask::<Value>(What::Confirm { device: row.device.clone(), code, history })
    };
    if let Some(code) = code {
        let history = with_history(history, secret::is_terminal())?;
        return confirm(agent, code.to_owned(), history).map(|_| (row, history));
    }
    if !secret::is_terminal() {
        // whoever reads this on a screen elsewhere finds the digits there
        agent.ask::<Value>(What::OpenRequest { device: row.device.clone(), wait_s: 0 }).map(drop).or_else(is_early)?;
        let message = "read the 6 digits on the new device, and give them with --code";
        return Err(Failure::new(Kind::Waiting, "confirm.code_needed", message));
    }
    words::device::request(&row).iter().for_each(|line| say_aside(line));
    let mut tries = 1;
    loop {
        agent.ask::<Value>(What::OpenRequest { device: row.device.clone(), wait_s: DIGITS_WITHIN_S })?;
        let typed = ask_line("The 6 digits it shows: ")?;
        refuse_as_code(&typed)?;
        let history = with_history(history, true)?;
        match confirm(agent, typed, history) {
            Err(failure) if failure.code == "confirm.code_mismatch" && tries < TRIES => {
                say_aside(&failure.to_string());
                tries += 1;
            }
            answer => return answer.map(|_| (row, history)),
        }
    }
}

/// That the digits are not shown yet is no failure of a look at the request.
fn is_early(failure: Failure) -> Result<(), Failure> {
    if failure.code == "confirm.not_shown" { Ok(()) } else { Err(failure) }
}

/// None is preset: whoever is asked has to say.
fn with_history(asked: Option<History>, is_asked: bool) -> Result<bool, Failure> {
    if let Some(history) = asked {
        return Ok(history == History::Yes);
    }
    if !is_asked {
        return Ok(false);
    }
    loop {
        match ask_line("Does it get your old messages too? (yes/no) ")?.trim().to_lowercase().as_str() {
            "yes" | "y" => return Ok(true),
            "no" | "n" => return Ok(false),
            _ => (),
        }
    }
}
