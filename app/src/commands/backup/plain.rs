//! The same as readable JSON lines, for whoever wants to leave, or to keep a copy that needs no program.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use chain::id::AccountId;
use protocol::content::{Content, Part};
use protocol::history::HistoryMessage;
use protocol::settings::{Setting, SettingKey};
use serde_json::{Value, json};
use witness::durable::sync_folder_of;

use super::{AT_ONCE, bar, messages, rows, shared};
use crate::clock::rfc3339;
use crate::commands::{ask_line, say, say_all};
use crate::failure::{Failure, Kind};
use crate::local::connection::{Agent, say_aside};
use crate::secret;
use crate::settings::Settings;
use crate::words;

/// Writes a new file that anybody can read.
pub(super) fn export(path: &Path, is_meant: bool, settings: &Settings) -> Result<(), Failure> {
    let mut agent = Agent::opened(settings)?;
    let (owner, handle, shared) = shared(&mut agent)?;
    if !is_meant {
        say_aside(words::backup::READABLE);
        if !secret::is_terminal() || !matches!(ask_line("Go on? (yes/no) ")?.to_lowercase().as_str(), "yes" | "y") {
            let message = "nothing was written; --yes says that it is meant";
            return Err(Failure::new(Kind::Refused, "backup.not_meant", message));
        }
    }
    let disk =
        |error: std::io::Error| Failure::new(Kind::Broken, "backup.io", format_args!("{}: {error}", path.display()));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let file = match file {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let message = "there is a file of this name, and it stays as it is; choose another name";
            return Err(Failure::new(Kind::Refused, "backup.exists", message));
        }
        file => file.map_err(disk)?,
    };
    let mut names: BTreeMap<AccountId, String> = [(owner.account, handle)].into();
    let mut out = BufWriter::new(file);
    for line in shared.iter().filter_map(|setting| setting_line(setting, &mut names)) {
        write_line(&mut out, &line).map_err(disk)?;
    }
    let rows = rows(&mut agent, |_| Ok(true))?;
    let total = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    let bar = bar(total, "{bar:40} {pos} of {len} messages ({per_sec})", settings)?;
    let mut written = 0_u64;
    for some in rows.chunks(AT_ONCE) {
        for line in messages(&mut agent, some)?.iter().filter_map(|message| message_line(message, &names)) {
            write_line(&mut out, &line).map_err(disk)?;
            written = written.saturating_add(1);
        }
        bar.inc(u64::try_from(some.len()).unwrap_or_default());
    }
    bar.finish_and_clear();
    let file = out.into_inner().map_err(|error| disk(error.into_error()))?;
    file.sync_all().and_then(|()| sync_folder_of(path)).map_err(disk)?;
    match settings.json {
        true => {
            say(json!({ "event": "exported", "file": path.display().to_string(), "messages": written, "plain": true }))
        }
        false => say_all(words::backup::exported_readable(path, written)),
    }
    Ok(())
}

fn write_line(out: &mut BufWriter<File>, line: &Value) -> std::io::Result<()> {
    writeln!(out, "{line}")
}

/// What the devices share, as a line; what is for programs alone is none.
fn setting_line(setting: &Setting, names: &mut BTreeMap<AccountId, String>) -> Option<Value> {
    let text = || String::from_utf8(setting.value.clone()).ok().filter(|text| !text.is_empty());
    Some(match SettingKey::decode(&setting.key)? {
        SettingKey::Contact(account) => {
            let handle = text()?;
            names.insert(account, handle.clone());
            json!({ "kind": "contact", "account": account.to_string(), "handle": handle })
        }
        SettingKey::Title(group) => {
            json!({ "kind": "conversation", "conversation": group.to_string(), "title": text()? })
        }
        SettingKey::DeviceName(device) => {
            json!({ "kind": "device", "device": device.to_string(), "name": text()? })
        }
        SettingKey::Verified(account) if setting.value == [1] => {
            json!({ "kind": "verified", "account": account.to_string() })
        }
        _ => return None,
    })
}

fn message_line(message: &HistoryMessage, names: &BTreeMap<AccountId, String>) -> Option<Value> {
    // what was changed since says what it says now by its last change
    if message.erased.is_some() {
        return None;
    }
    let (text, file) = match Content::decode(&message.content).ok()?.part {
        Part::Text(text) => (text, None),
        // the name of the file, which is not in the backup
        Part::External(file) => (file.description, Some(file.name)),
        // a change says again what it was about
        Part::Signal { .. }
        | Part::Unknown { .. }
        | Part::Reaction(_)
        | Part::Nothing
        | Part::Timer(_)
        | Part::Title(_)
        | Part::Picture(_)
        | Part::Leaves => {
            return None;
        }
    };
    let id = message.id();
    let from = names.get(&message.from).cloned().unwrap_or_else(|| message.from.to_string());
    Some(json!({ "kind": "message", "message": id.to_string(), "conversation": message.group.to_string(),
        "position": message.place, "from": from, "account": message.from.to_string(), "device": message.device.to_string(),
        "text": text, "file": file, "sent_at": rfc3339(message.sent_at_ms) }))
}
