//! Into a file what it does not have yet. What it has is found in the file itself, so it does not matter which device wrote it,
//! where that was killed, or what of it was damaged since: what cannot be read of it is missing and is written again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use protocol::backup::{Part, Pile, settings_parts};
use protocol::id::MessageId;
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

/// The first half of a message's id.
type Half = [u8; 16];

fn half(message: &MessageId) -> Half {
    message.0.first_chunk().copied().unwrap_or_default()
}

/// What a file has.
#[derive(Default)]
struct Had {
    /// Of each message, ascending; true where there is only what is left of it.
    messages: Vec<(Half, bool)>,
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
                Part::Messages(some) => {
                    had.messages.extend(some.iter().map(|it| (half(&it.id()), it.erased.is_some())));
                }
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

    fn says(&self, message: Half) -> bool {
        self.messages.binary_search(&(message, false)).is_ok()
    }

    fn has(&self, message: Half) -> bool {
        self.says(message) || self.messages.binary_search(&(message, true)).is_ok()
    }

    fn count(&self) -> usize {
        self.messages.chunk_by(|one, next| one.0 == next.0).count()
    }
}

/// What is to be written.
struct Missing {
    rows: Vec<i64>,
    /// What the file says of these was taken back, or is said otherwise, since it was written.
    stale: BTreeSet<Half>,
}

impl Missing {
    fn of(had: &Had, agent: &mut Agent) -> Result<Self, Failure> {
        let mut stale = BTreeSet::new();
        let rows = rows(agent, |row| {
            let message = half(&row.message.parse().map_err(Failure::broken)?);
            let is_stale = row.is_rest && had.says(message);
            if is_stale {
                stale.insert(message);
            }
            Ok(is_stale || !had.has(message))
        })?;
        Ok(Self { rows, stale })
    }
}

/// BAK-4: all of a file but what is stale, in another one beside it, which takes its place when it is whole.
fn without(stale: &BTreeSet<Half>, file: &mut BackupFile, passphrase: &str) -> Result<BackupFile, Failure> {
    let mut anew = BackupFile::create(&beside(file.path()), file.owner(), passphrase)?;
    file.begin_again();
    while let Some(part) = file.next()? {
        match part {
            Part::Messages(mut some) => {
                some.retain(|it| !stale.contains(&half(&it.id())));
                if !some.is_empty() {
                    anew.write(&Part::Messages(some))?;
                }
            }
            Part::Settings(_) => anew.write(&part)?,
            Part::End { .. } => (),
        }
    }
    Ok(anew)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
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
    let missing = Missing::of(&had, &mut agent)?;
    let damaged = file.damaged().to_vec();
    // the lock of the one is held until the other is in its place
    let mut other = None;
    if missing.stale.is_empty() {
        file.cut()?;
    } else {
        let anew = without(&missing.stale, &mut file, &passphrase)?;
        other = Some(std::mem::replace(&mut file, anew));
    }
    let before = if is_new { 0 } else { file.length() };
    let news: Vec<Setting> = all_settings.into_iter().filter(|it| had.is_news(it)).collect();
    let count = news.len();
    settings_parts(news).iter().try_for_each(|part| file.write(part))?;
    let new = write_messages(&mut agent, &mut file, &missing.rows, settings)?;
    let kept = had.count().saturating_sub(missing.stale.len());
    let total = u64::try_from(kept).unwrap_or(u64::MAX).saturating_add(new);
    if file.end().is_none() || file.length() != before {
        file.write(&Part::End { at_ms: now_ms(), messages: total })?;
    }
    file.sync()?;
    if other.is_some() {
        file.rename(path)?;
    }
    let added = file.length().saturating_sub(before);
    match settings.json {
        true => say(
            json!({ "event": "exported", "file": path.display().to_string(), "messages": new, "total": total, "settings": count,
            "bytes": added, "damaged": damaged.len() }),
        ),
        false => say_all(words::backup::exported(path, new, total, added)),
    }
    if !damaged.is_empty() {
        say_aside(&words::backup::damaged_before(&damaged));
    }
    Ok(())
}

/// How many messages were written.
fn write_messages(
    agent: &mut Agent,
    file: &mut BackupFile,
    missing: &[i64],
    settings: &Settings,
) -> Result<u64, Failure> {
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

#[cfg(test)]
mod tests {
    use chain::id::{AccountId, DeviceId};
    use protocol::backup::Owner;
    use protocol::history::{Erased, HistoryMessage};
    use protocol::id::GroupId;

    use super::*;

    const PASSPHRASE: &str = "four random words here";

    fn message(place: u64, content: &[u8]) -> HistoryMessage {
        let (group, from, device) = (GroupId([1; 32]), AccountId([2; 32]), DeviceId([3; 16]));
        HistoryMessage {
            group,
            place,
            from,
            device,
            sent_at_ms: 5,
            ends_ms: None,
            content: content.to_vec(),
            erased: None,
        }
    }

    /// BAK-4: the file that there was stays whole until the other one takes its place.
    #[test]
    fn what_was_taken_back_since_goes_out_of_a_file_and_the_rest_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("backup");
        let owner = Owner { origin: "trefoil.example/log".to_owned(), account: AccountId([7; 32]) };
        let mut file = BackupFile::create(&path, &owner, PASSPHRASE).unwrap();
        let (back, stays) = (message(1, b"taken back"), message(2, b"stays"));
        let left = Erased { message: back.id(), previous: None, about: None };
        let rest = HistoryMessage { content: Vec::new(), erased: Some(left), ..back.clone() };
        assert_eq!(rest.id(), back.id());
        let parts = [vec![back.clone(), stays.clone()], vec![rest], vec![back.clone()]].map(Part::Messages);
        parts.iter().chain([&Part::End { at_ms: 1, messages: 3 }]).for_each(|part| file.write(part).unwrap());
        let before = std::fs::read(&path).unwrap();
        let mut anew = without(&BTreeSet::from([half(&back.id())]), &mut file, PASSPHRASE).unwrap();
        anew.sync().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), before);
        anew.rename(&path).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        drop((file, anew));
        let mut file = BackupFile::open(&path, PASSPHRASE, false).unwrap();
        let found: Vec<_> = std::iter::from_fn(|| file.next().unwrap()).collect();
        assert_eq!(found, [Part::Messages(vec![stays])]);
    }
}
