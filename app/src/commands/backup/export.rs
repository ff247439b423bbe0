//! Into a file what it does not have yet. What it has is found in the file itself, so it does not matter which device wrote it,
//! where that was killed, or what of it was damaged since: what cannot be read of it is missing and is written again.

use std::collections::BTreeMap;
use std::path::Path;

use protocol::backup::{Part, Pile, settings_parts};
use protocol::content::message_id;
use protocol::settings::Setting;
use serde_json::json;

use super::{AT_ONCE, Passphrase, bar, messages, rows, shared};
use crate::backup_file::BackupFile;
use crate::clock::now_ms;
use crate::commands::{say, say_all};
use crate::failure::{Failure, Kind};
use crate::local::connection::{Agent, say_aside};
use crate::settings::Settings;
use crate::words;

/// What a file has.
#[derive(Default)]
struct Had {
    /// The first half of each message's id, ascending.
    messages: Vec<[u8; 16]>,
    /// By their keys, each as it was written last.
    settings: BTreeMap<Vec<u8>, Setting>,
}

impl Had {
    /// Reads all of a file.
    fn read(file: &mut BackupFile, settings: &Settings) -> Result<Self, Failure> {
        let bar = bar(file.length(), "reading the file {bar:30} {bytes} of {total_bytes}", settings)?;
        let mut had = Self::default();
        while let Some(part) = file.next()? {
            match part {
                Part::Messages(some) => had.messages.extend(some.iter().map(|it| {
                    let id = message_id(&it.group, &it.from, &it.device, &it.content);
                    id.0.first_chunk().copied().unwrap_or_default()
                })),
                Part::Settings(some) => some.into_iter().for_each(|setting| {
                    if had.is_news(&setting) {
                        had.settings.insert(setting.key.clone(), setting);
                    }
                }),
                Part::End { .. } => (),
            }
            bar.set_position(file.position());
        }
        had.messages.sort_unstable();
        had.messages.dedup();
        bar.finish_and_clear();
        Ok(had)
    }

    fn is_news(&self, setting: &Setting) -> bool {
        self.settings.get(&setting.key).is_none_or(|before| setting.wins_over(before))
    }

    fn has(&self, message: &str) -> Result<bool, Failure> {
        let id: chain::id::Digest = message.parse().map_err(Failure::broken)?;
        Ok(id.0.first_chunk().is_some_and(|half| self.messages.binary_search(half).is_ok()))
    }
}

/// Goes on with a file, or makes one.
pub(super) fn export(path: &Path, passphrase: &Passphrase, settings: &Settings) -> Result<(), Failure> {
    let mut agent = Agent::opened(settings)?;
    let (owner, _, all_settings) = shared(&mut agent)?;
    let is_new = !BackupFile::is_there(path);
    if !is_new {
        BackupFile::check(path)?;
    }
    let passphrase = passphrase.read(is_new)?;
    let mut file = match is_new {
        true => BackupFile::create(path, &owner, &passphrase)?,
        false => BackupFile::open(path, &passphrase, true)?,
    };
    if *file.owner() != owner {
        let message =
            "this file is the backup of another account; choose another file, nothing in this one was changed";
        return Err(Failure::new(Kind::Refused, "backup.other_account", message));
    }
    let had = Had::read(&mut file, settings)?;
    file.cut()?;
    let before = if is_new { 0 } else { file.length() };
    let news: Vec<Setting> = all_settings.into_iter().filter(|it| had.is_news(it)).collect();
    let count = news.len();
    settings_parts(news).iter().try_for_each(|part| file.write(part))?;
    let new = write_messages(&mut agent, &mut file, &had, settings)?;
    let total = u64::try_from(had.messages.len()).unwrap_or(u64::MAX).saturating_add(new);
    if file.end().is_none() || file.length() != before {
        file.write(&Part::End { at_ms: now_ms(), messages: total })?;
    }
    file.sync()?;
    let (added, damaged) = (file.length().saturating_sub(before), file.damaged().len());
    match settings.json {
        true => say(
            json!({ "event": "exported", "file": path.display().to_string(), "messages": new, "total": total, "settings": count,
            "bytes": added, "damaged": damaged }),
        ),
        false => say_all(words::backup::exported(path, new, total, added)),
    }
    if damaged > 0 {
        say_aside(&words::backup::damaged_before(file.damaged()));
    }
    Ok(())
}

/// How many messages were written.
fn write_messages(agent: &mut Agent, file: &mut BackupFile, had: &Had, settings: &Settings) -> Result<u64, Failure> {
    let missing = rows(agent, |row| had.has(&row.message).map(|has| !has))?;
    let total = u64::try_from(missing.len()).unwrap_or(u64::MAX);
    let bar = bar(total, "{bar:40} {pos} of {len} messages ({per_sec})", settings)?;
    let (mut pile, mut written) = (Pile::default(), 0_u64);
    for some in missing.chunks(AT_ONCE) {
        for message in messages(agent, some)? {
            written = written.saturating_add(1);
            if let Some(part) = pile.add(message) {
                file.write(&part)?;
            }
        }
        bar.inc(u64::try_from(some.len()).unwrap_or_default());
        if settings.json {
            say(json!({ "event": "progress", "messages": written, "total": total }));
        }
    }
    if let Some(part) = pile.take() {
        file.write(&part)?;
    }
    bar.finish_and_clear();
    Ok(written)
}
