//! Back from a file, one part after the other. What is here already is passed over, so it can be broken off and repeated.

use std::path::Path;

use protocol::backup::Part;
use serde_json::{Value, json};

use super::{Passphrase, bar};
use crate::backup_file::BackupFile;
use crate::clock::rfc3339;
use crate::commands::{say, say_all};
use crate::failure::{Failure, Kind};
use crate::local::What;
use crate::local::backup::{BackupPart, BackupTaken};
use crate::local::connection::{Agent, say_aside};
use crate::settings::Settings;
use crate::words;

/// What was found, and what of it was new.
#[derive(Default)]
struct Counts {
    found: u64,
    messages: u64,
    settings: u64,
}

/// Takes in a file.
pub(super) fn import(path: &Path, passphrase: &Passphrase, settings: &Settings) -> Result<(), Failure> {
    let mut agent = Agent::opened(settings)?;
    BackupFile::check(path)?;
    let passphrase = passphrase.read(false)?;
    let mut file = BackupFile::open(path, &passphrase, false)?;
    let (origin, account) = (file.owner().origin.clone(), file.owner().account.to_string());
    agent.ask::<Value>(What::BackupOpen { origin, account: account.clone() })?;
    let counts = take_in(&mut agent, &mut file, &account, settings)?;
    let (end, damaged) = (file.end(), file.damaged());
    match settings.json {
        true => say(
            json!({ "event": "imported", "file": path.display().to_string(), "messages": counts.messages, "found": counts.found,
            "settings": counts.settings, "complete": end.is_some(), "made_at": end.map(|end| rfc3339(end.at_ms)),
            "damaged": damaged }),
        ),
        false => say_all(words::backup::imported(counts.messages, counts.found, end.map(|end| rfc3339(end.at_ms)))),
    }
    if !damaged.is_empty() {
        let message = words::backup::damaged(damaged);
        return Err(Failure::new(Kind::Broken, "backup.damaged", message));
    }
    if end.is_none() {
        say_aside(words::backup::NO_END);
    }
    Ok(())
}

fn take_in(agent: &mut Agent, file: &mut BackupFile, account: &str, settings: &Settings) -> Result<Counts, Failure> {
    let bar = bar(file.length(), "{bar:40} {bytes} of {total_bytes}, {msg} messages", settings)?;
    bar.set_message("0");
    let mut counts = Counts::default();
    while let Some(part) = file.next()? {
        match &part {
            Part::Messages(messages) => {
                counts.found = counts.found.saturating_add(u64::try_from(messages.len()).unwrap_or(u64::MAX));
            }
            Part::Settings(_) => (),
            Part::End { .. } => continue,
        }
        let what = What::BackupTake { account: account.to_owned(), part: BackupPart::of(&part)?.part };
        let taken: BackupTaken = agent.ask(what)?;
        counts.messages = counts.messages.saturating_add(taken.messages);
        counts.settings = counts.settings.saturating_add(taken.settings);
        bar.set_position(file.position());
        bar.set_message(counts.found.to_string());
        if settings.json {
            say(
                json!({ "event": "progress", "messages": counts.messages, "bytes": file.position(), "total_bytes": file.length() }),
            );
        }
    }
    while agent.ask::<BackupTaken>(What::BackupFinish)?.left > 0 {}
    bar.finish_and_clear();
    Ok(counts)
}
