//! Files that faces send, fetch, list and stop.

use client::query::{self, MessageRow};
use client::step::{Command, Input};
use client::transfer::{End, LocalFile};
use serde_json::json;

use super::Incoming;
use super::core::Core;
use super::face::Reply;
use super::waiting::{Goal, Waiting};
use crate::failure::{Failure, Kind};
use crate::local::What;
use crate::local::files::{Moving, Outgoing, Saved};
use crate::local::rows::Message;

/// Messages that are looked through for files.
const LOOKED_AT: u32 = 10_000;

impl Core {
    /// Answers what is asked about files.
    pub(super) fn file(&mut self, what: What, reply: &Reply) -> Result<(), Failure> {
        match what {
            What::SendFile { to, path, text } => {
                self.require_confirmed()?;
                let reply = reply.clone();
                self.outside.porter.measure(path, move |file| Incoming::Measured { to, text, file, reply });
                Ok(())
            }
            What::SaveFile { message, path, replace } => {
                self.require_confirmed()?;
                let row = self.file_called(&message)?;
                let size = row.file.as_ref().map_or(0, |file| file.length);
                let saved = Saved { message: row.message.to_string(), path: path.clone(), size };
                let command = Command::SaveFile { message: row.message, path, replace };
                self.move_file(command, Goal::Saved(saved), reply)
            }
            What::CancelFile { transfer } => {
                self.opened()?;
                let output = self.step(Input::Command(Command::CancelFile { intent: transfer }))?;
                self.carry_out(output);
                reply.done(&json!({}));
                Ok(())
            }
            What::Files { with, limit } => self.files(with.as_deref(), limit, reply),
            _ => Err(Failure::misuse("request.malformed", "this is not about a file")),
        }
    }

    /// A file was read once; now it is known what is to be sent.
    pub(super) fn measured(&mut self, to: String, text: String, file: Result<LocalFile, Failure>, reply: &Reply) {
        // whoever hung up meanwhile does not want it any more
        if reply.is_gone() {
            return;
        }
        let begun = file.and_then(|file| {
            let command = Command::SendFile { to, text, file };
            self.move_file(command, Goal::Sent { row: None }, reply)
        });
        if let Err(failure) = begun {
            reply.fail(failure);
        }
    }

    /// Whoever asked waits for as long as it takes, and is told how far it is.
    fn move_file(&mut self, command: Command, goal: Goal, reply: &Reply) -> Result<(), Failure> {
        self.opened()?;
        let output = self.step(Input::Command(command))?;
        let intent = output.intent;
        if let Some(transfer) = intent {
            let (done, total) = self.outside.porter.progress(transfer).unwrap_or_default();
            reply.event(&Moving { transfer, done, total });
        }
        self.waiting.push(Waiting { reply: reply.clone(), goal, intent, until: None, lost: 0 });
        self.carry_out(output);
        Ok(())
    }

    /// A file has moved: whoever waits for it is told.
    pub(super) fn moved(&mut self, transfer: i64, done: u64, total: u64) {
        let waiting = self.waiting.iter().filter(|it| it.intent == Some(transfer));
        waiting.for_each(|it| it.reply.event(&Moving { transfer, done, total }));
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
        let unknown = || Failure::new(Kind::Refused, "file.unknown", "there is no file whose id begins so");
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
        let rows = query::messages(&store, with, LOOKED_AT).map_err(|error| Failure::from_store(&error))?;
        let mut rows: Vec<_> = rows.into_iter().filter(|row| row.file.is_some()).collect();
        let too_many = rows.len().saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
        rows.drain(..too_many).for_each(drop);
        rows.into_iter().for_each(|row| reply.event(&Message::from(row)));
        let waiting = query::outgoing_files(&store).map_err(|error| Failure::from_store(&error))?;
        let row = |row: query::OutgoingRow| {
            let (done, total) = self.outside.porter.progress(row.intent).unwrap_or_default();
            Outgoing { transfer: row.intent, name: row.name, size: row.length, done, total }
        };
        reply.done(&json!({ "outgoing": waiting.into_iter().map(row).collect::<Vec<_>>() }));
        Ok(())
    }
}
