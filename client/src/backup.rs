//! A backup file of the account (docs/protocol.md §26): what goes into it, and what is taken in from one. The file itself,
//! its passphrase and its parts are the shell's.

use std::collections::BTreeSet;

use chain::id::{AccountId, Digest};
use chain::sigchain::reset::check_succession;
use protocol::backup::{Owner, Part};
use protocol::history::HistoryMessage;
use protocol::id::{GroupId, MessageId};
use protocol::settings::Setting;
use rusqlite::{Row, params};

use crate::contacts::{MAX_RESETS, opening, predecessor};
use crate::error::Error;
use crate::intent::{Intent, Want};
use crate::message::{NOT_YET, is_place};
use crate::old_messages::HandingOver;
use crate::step::{Event, Failure};
use crate::store::Store;
use crate::turn::Turn;
use crate::{own, record, settings};

/// Accounts whose backup files this device takes in; by their ids.
const OPENED: &str = "backup opened";
/// Conversations about which something was taken in and that are still to be looked at; by their groups.
const TOUCHED: &str = "backup touched";

/// Whose a backup file of this device would be.
///
/// # Errors
/// [`Error`].
pub fn backup_owner(store: &Store<'_>) -> Result<Option<Owner>, Error> {
    let account = own::stored(store)?.and_then(|own| own.account());
    let origin = record::stored_view(store)?.map(|view| view.parameters().origin.clone());
    Ok(account.zip(origin).map(|(account, origin)| Owner { origin, account }))
}

/// A message that may belong into a backup file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupRow {
    /// The number of its row.
    pub row: i64,
    /// Its id.
    pub message: MessageId,
    /// True if what it said first belongs into no file any more: it was taken back, or its writer says something else since.
    pub is_rest: bool,
}

/// Messages that may belong into a backup file, at most `count` of them, after a row.
///
/// # Errors
/// [`Error`].
pub fn backup_rows(store: &Store<'_>, after: i64, count: u32) -> Result<Vec<BackupRow>, Error> {
    let (mut rows, mut handing) = (Vec::new(), HandingOver::of(store));
    for (row, message, has_effect) in store.rows_after(after, count)? {
        let stored = if has_effect { store.message(row)? } else { None };
        let handed = stored.map(|stored| handing.message(stored)).transpose()?.flatten();
        rows.push(BackupRow { row, message, is_rest: handed.is_some_and(|it| it.erased.is_some()) });
    }
    Ok(rows)
}

/// Those of these messages that belong into a backup file (BAK-4): not what waits to be sent, or could not be read.
///
/// # Errors
/// [`Error`].
pub fn backed_up_messages(store: &Store<'_>, rows: &[i64]) -> Result<Vec<HistoryMessage>, Error> {
    let (mut messages, mut handing) = (Vec::new(), HandingOver::of(store));
    for row in rows {
        messages.extend(store.message(*row)?.map(|stored| handing.message(stored)).transpose()?.flatten());
    }
    Ok(messages)
}

/// The settings that belong into a backup file (BAK-4).
///
/// # Errors
/// [`Error`].
pub fn backed_up_settings(store: &Store<'_>) -> Result<Vec<Setting>, Error> {
    match own::stored(store)? {
        Some(own) => settings::to_back_up(store, &own.id()),
        None => Ok(Vec::new()),
    }
}

impl Store<'_> {
    /// Numbers and ids of what was said to stay and has a place, with what has an effect on that; true of each that has to do with
    /// an effect. After a row, in the order of their rows.
    fn rows_after(&self, row: i64, count: u32) -> Result<Vec<(i64, MessageId, bool)>, Error> {
        let which = "SELECT id, message, about IS NOT NULL OR EXISTS (SELECT 1 FROM messages AS effect \
                     WHERE effect.conversation = messages.conversation AND effect.about = messages.message) \
                     FROM messages WHERE id > ?1 AND (shown OR about IS NOT NULL) AND place < ?2 \
                     AND lasts_s IS NULL AND ends_ms IS NULL AND NOT EXISTS (SELECT 1 FROM messages AS target \
                     WHERE target.conversation = messages.conversation AND target.message = messages.about \
                     AND (target.lasts_s IS NOT NULL OR target.ends_ms IS NOT NULL)) ORDER BY id LIMIT ?3";
        let mut select = self.db().prepare_cached(which)?;
        let read = |row: &Row<'_>| Ok((row.get(0)?, Digest(row.get(1)?), row.get(2)?));
        let rows = select.query_map(params![row, NOT_YET, count], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Turn<'_> {
    /// A person wants to take in a backup file.
    pub(crate) fn open_backup(&mut self, owner: Owner) -> Result<(), Error> {
        self.want(Want::OpenBackup { origin: owner.origin, account: owner.account.0 })
    }

    /// BAK-3: goes back over the resets of this account until it comes to the one of the file.
    pub(crate) fn go_on_opening_backup(
        &mut self,
        intent: &Intent,
        origin: &str,
        account: AccountId,
    ) -> Result<(), Error> {
        let mut at = self.device()?.account;
        let is_here = self.origin()?.is_some_and(|own| own == origin);
        for _ in 0..MAX_RESETS {
            if is_here && at == account {
                self.store.put_bytes(OPENED, &account.0, &[])?;
                return self.intent_done(intent.id);
            }
            let opening = self.known(&at)?.and_then(opening);
            let Some(opening) = opening.filter(|opening| is_here && predecessor(opening).is_some()) else { break };
            let Some(before) = predecessor(&opening) else { break };
            let Some(ended) = self.fresh(&before)? else { return Ok(()) };
            if check_succession(ended.set(), &opening).is_err() {
                let message = "the record names an account before this one that does not lead to it";
                return self.intent_failed(intent.id, Failure::lie("reset.successor", message));
            }
            at = before;
        }
        self.intent_failed(intent.id, other_account())
    }

    /// Takes in a part of a file that was opened.
    pub(crate) fn take_backup(&mut self, account: &AccountId, part: Part) -> Result<(), Error> {
        if self.store.bytes(OPENED, &account.0)?.is_none() {
            return self.refuse_command(&Want::ChangeAccount, other_account());
        }
        let (mut messages, mut settings) = (0_u64, 0_u64);
        match part {
            Part::Messages(mut some) => {
                let (own, this) = (self.own_accounts()?, self.device()?.id());
                // what this very device has written is here, or it never wrote it
                some.retain(|it| it.device != this && is_place(it.place));
                messages = self.take_over(&some, &own)?;
                for group in some.iter().map(|it| it.group).collect::<BTreeSet<_>>() {
                    self.store.put_bytes(TOUCHED, &group.0, &[])?;
                }
            }
            Part::Settings(some) => {
                let is_same = self.device()?.account == *account;
                for setting in &some {
                    settings = settings.saturating_add(u64::from(self.restore_setting(setting, is_same)?));
                }
            }
            Part::End { .. } => (),
        }
        self.tell_taken(messages, settings)
    }

    /// Looks at the next conversation that was taken in, whether its messages fit each other (HIS-4).
    pub(crate) fn finish_backup(&mut self) -> Result<(), Error> {
        if let Some(key) = self.store.first_keys(TOUCHED, 1)?.pop() {
            let own = self.own_accounts()?;
            if let Ok(group) = <[u8; 32]>::try_from(key.as_slice()) {
                self.conversation_is_here(&GroupId(group), &own)?;
            }
            self.store.remove(TOUCHED, &key)?;
        }
        self.tell_taken(0, 0)
    }

    fn tell_taken(&mut self, messages: u64, settings: u64) -> Result<(), Error> {
        let left = u64::try_from(self.store.keys(TOUCHED)?.len()).unwrap_or(u64::MAX);
        self.event(Event::Backup { messages, settings, left });
        Ok(())
    }
}

fn other_account() -> Failure {
    let message = "this backup is of another account, and nothing of it was taken in";
    Failure::refused("backup.other_account", message)
}
