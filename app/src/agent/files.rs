//! Files that faces send, fetch, list and stop.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use client::query::{self, MessageRow};
use client::step::{Command, Input};
use client::transfer::{Download, End, Forgotten, LocalFile, Target};
use protocol::id::MessageId;
use serde_json::json;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Incoming;
use super::core::Core;
use super::face::Reply;
use super::waiting::{Goal, Waiting, unreachable};
use crate::failure::{Failure, Kind};
use crate::local::What;
use crate::local::files::{Coming, EXPIRED, KEPT, Listed, Moving, Outgoing, Saved};
use crate::local::rows::Message;
use crate::picture::MOST_SHOWN;
use crate::words;

/// Messages that are looked through for files.
const LOOKED_AT: u32 = 10_000;
/// Whoever wants to see a picture is told after so long that it still comes.
const LOOKED_FOR: Duration = Duration::from_secs(60);

/// A file that is to be saved.
#[derive(Debug)]
pub(crate) struct Saving {
    message: MessageId,
    target: Target,
    saved: Saved,
}

impl Core {
    /// Answers what is asked about files.
    pub(super) fn file(&mut self, what: What, reply: &Reply) -> Result<(), Failure> {
        match what {
            What::SendFile { to, path, text, as_is } => {
                self.require_confirmed()?;
                let reply = reply.clone();
                self.outside.porter.measure(path, as_is, move |file| Incoming::Measured { to, text, file, reply });
                Ok(())
            }
            What::SaveFile { message, path, replace } => {
                self.require_confirmed()?;
                let row = self.file_called(&message)?;
                let size = row.file.as_ref().map_or(0, |file| file.length);
                let saved = Saved { message: row.message.to_string(), path: path.clone(), size };
                let saving = Saving { message: row.message, target: Target { path, replace }, saved };
                if !self.outside.porter.shelf().has(&row.message) {
                    return self.save(saving, reply);
                }
                let reply = reply.clone();
                let download = self.download(&row, Some(saving.target.clone()))?;
                // beside what an intent fetches: none has this number
                let then = move |end| Incoming::Opened { saving, end, reply };
                self.outside.porter.open_into(download, 0, then);
                Ok(())
            }
            What::KeepFile { message } => self.keep(&message, reply),
            What::CancelFile { transfer } => {
                self.opened()?;
                let output = self.step(Input::Command(Command::CancelFile { intent: transfer }))?;
                self.carry_out(output);
                self.files_changed();
                reply.done(&json!({}));
                Ok(())
            }
            What::Files { with, limit } => self.files(with.as_deref(), limit, reply),
            _ => Err(Failure::misuse("request.malformed", "this is not about a file")),
        }
    }

    /// Fetches a file from the service.
    fn save(&mut self, saving: Saving, reply: &Reply) -> Result<(), Failure> {
        let Saving { message, target: Target { path, replace }, saved } = saving;
        self.move_file(Command::SaveFile { message, path, replace }, Goal::Saved(saved), None, reply)
    }

    /// What is kept of a file was opened: if it was not the right one, the service is asked.
    pub(super) fn opened_kept(&mut self, saving: Saving, end: Result<End, Failure>, reply: &Reply) {
        let saved = match end {
            Ok(End::Done) => return reply.done(&saving.saved),
            Ok(_) => self.save(saving, reply),
            // it went while it was looked at
            Err(_) if !self.outside.porter.shelf().has(&saving.message) => self.save(saving, reply),
            Err(failure) => Err(failure),
        };
        if let Err(failure) = saved {
            reply.fail(failure);
        }
    }

    /// A file is to be here, so that it can be shown. Whoever looks does not wait for a service that is away.
    fn keep(&mut self, message: &str, reply: &Reply) -> Result<(), Failure> {
        let row = self.file_called(message)?;
        if self.outside.porter.shelf().has(&row.message) {
            reply.done(&json!({}));
            return Ok(());
        }
        self.require_confirmed()?;
        if row.file.is_some_and(|file| file.length > MOST_SHOWN) {
            return Err(Failure::misuse("file.too_large_to_show", words::file::TOO_LARGE_TO_SHOW));
        }
        if self.offline_since_ms.is_some() {
            return Err(unreachable());
        }
        self.move_file(Command::KeepFile(row.message), Goal::Done, Some(Instant::now() + LOOKED_FOR), reply)
    }

    /// The bytes of a file that is kept.
    pub(super) fn kept(&self, message: &str, to: oneshot::Sender<Result<Option<Vec<u8>>, Failure>>) {
        match self.file_called(message).and_then(|row| self.download(&row, None)) {
            Ok(download) => self.outside.porter.open(download, to),
            // a page that was closed wants nothing any more
            Err(failure) => to.send(Err(failure)).unwrap_or_default(),
        }
    }

    fn download(&self, row: &MessageRow, target: Option<Target>) -> Result<Download, Failure> {
        let found = query::file_download(&self.opened()?.store(), row, target);
        found.map_err(|error| Failure::from_store(&error))?.ok_or_else(unknown)
    }

    /// BLB-8: of these messages nothing is kept but for those that are here and have a file.
    pub(super) fn tidy_shelf(&self, messages: &BTreeSet<MessageId>) {
        let Some(open) = &self.open else { return };
        // what cannot be read now is looked at again at the next start
        let Ok(named) = query::with_files(&open.store(), messages) else { return };
        messages.difference(&named).for_each(|message| self.outside.porter.shelf().forget(message));
    }

    /// Of what pages have handed over stays what is still to be sent.
    pub(super) fn tidy_outbox(&self) {
        let Some(open) = &self.open else { return };
        if let Ok(rows) = query::outgoing_files(&open.store()) {
            self.outside.outbox.keep_only(&rows.into_iter().map(|row| PathBuf::from(row.path)).collect());
        }
    }

    /// BLB-8: what was kept goes with its message.
    pub(super) fn forget_kept(&self, forgotten: Forgotten) {
        match forgotten {
            Forgotten::Message(message) => self.outside.porter.shelf().forget(&message),
            Forgotten::Source(path) => self.outside.outbox.forget(Path::new(&path)),
            Forgotten::Unsent { message, intent } => self.outside.porter.shelf().unname(intent, &message),
            Forgotten::Everything => {
                self.outside.porter.shelf().clear();
                self.outside.outbox.keep_only(&BTreeSet::new());
            }
        }
    }

    /// A message, as faces are told of it.
    pub(super) fn told(&self, row: MessageRow) -> Message {
        let id = row.message;
        let mut told = Message::from(row);
        if let Some(file) = told.file.as_mut().filter(|file| file.state == EXPIRED)
            && self.outside.porter.shelf().has(&id)
        {
            file.state = KEPT.to_owned();
        }
        told
    }

    /// A file was read once; now it is known what is to be sent.
    pub(super) fn measured(&mut self, to: String, text: String, file: Result<LocalFile, Failure>, reply: &Reply) {
        // whoever hung up meanwhile does not want it any more
        if reply.is_gone() {
            return;
        }
        let begun = file.and_then(|file| {
            let command = Command::SendFile { to, text, file };
            self.move_file(command, Goal::Sent { row: None }, None, reply)
        });
        if let Err(failure) = begun {
            reply.fail(failure);
        }
    }

    /// Whoever asked waits for as long as it takes, or until then, and is told how far it is.
    fn move_file(
        &mut self,
        command: Command,
        goal: Goal,
        until: Option<Instant>,
        reply: &Reply,
    ) -> Result<(), Failure> {
        self.opened()?;
        let output = self.step(Input::Command(command))?;
        let intent = output.intent;
        if let Some(transfer) = intent {
            let (done, total) = self.outside.porter.progress(transfer).unwrap_or_default();
            reply.event(&Moving { transfer, done, total });
        }
        self.waiting.push(Waiting { reply: reply.clone(), goal, intent, until, lost: 0 });
        self.carry_out(output);
        self.files_changed();
        Ok(())
    }

    /// Whoever shows how far files are looks again.
    pub(super) fn files_changed(&self) {
        self.waiting.iter().for_each(Waiting::note_files);
    }

    /// A file has moved: whoever waits for it is told.
    pub(super) fn moved(&mut self, transfer: i64, done: u64, total: u64) {
        let waiting = self.waiting.iter().filter(|it| it.intent == Some(transfer));
        waiting.for_each(|it| it.reply.event(&Moving { transfer, done, total }));
        self.files_changed();
    }

    /// A transfer has ended: that says whether the service is there.
    pub(super) fn note_transfer(&mut self, end: &End) {
        // what failed here says nothing about the service
        if !matches!(end, End::Failed(_)) {
            self.note_lost(matches!(end, End::Unreachable));
        }
    }

    /// A message with a file, by the beginning of its id.
    fn file_called(&self, beginning: &str) -> Result<MessageRow, Failure> {
        let is_id = beginning.len() >= 4 && beginning.len() <= 64 && beginning.bytes().all(|it| it.is_ascii_hexdigit());
        if !is_id {
            return Err(unknown());
        }
        let found = query::files_called(&self.opened()?.store(), beginning);
        let mut found = found.map_err(|error| Failure::from_store(&error))?;
        match (found.pop(), found.is_empty()) {
            (Some(row), true) => Ok(row),
            (Some(_), false) => Err(Failure::misuse("file.ambiguous", "several files have an id that begins so")),
            (None, _) => Err(unknown()),
        }
    }

    fn files(&self, with: Option<&str>, limit: u32, reply: &Reply) -> Result<(), Failure> {
        let store = self.opened()?.store();
        let looked_at = if limit == 0 { 0 } else { LOOKED_AT };
        let rows = query::messages(&store, with, looked_at).map_err(|error| Failure::from_store(&error))?;
        let mut rows: Vec<_> = rows.into_iter().filter(|row| row.file.is_some()).collect();
        let too_many = rows.len().saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
        rows.drain(..too_many).for_each(drop);
        rows.into_iter().for_each(|row| reply.event(&self.told(row)));
        let of_store = |error: client::Error| Failure::from_store(&error);
        let progress = |intent| self.outside.porter.progress(intent).unwrap_or_default();
        let outgoing = query::outgoing_files(&store).map_err(of_store)?.into_iter().map(|row| {
            let (done, total) = progress(row.intent);
            Outgoing { transfer: row.intent, to: row.to, name: row.name, size: row.length, done, total }
        });
        let incoming = query::incoming_files(&store).map_err(of_store)?.into_iter().map(|row| {
            let (done, total) = progress(row.intent);
            let (message, conversation) = (row.message.to_string(), row.group.to_string());
            let (transfer, name, size) = (row.intent, row.file.name, row.file.length);
            Coming { transfer, message, conversation, name, size, done, total }
        });
        reply.done(&Listed { outgoing: outgoing.collect(), incoming: incoming.collect() });
        Ok(())
    }
}

fn unknown() -> Failure {
    Failure::new(Kind::Refused, "file.unknown", "there is no file whose id begins so")
}
