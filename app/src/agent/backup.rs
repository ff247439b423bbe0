//! What a backup file is made of, and what is taken in from one: the agent alone opens the database, the command alone the
//! file.

use client::query::{self, Phase};
use client::step::{Command, Event, Input};
use protocol::backup::{Owner, Part, Pile, settings_parts};
use serde_json::json;
use tokio::time::Instant;

use super::asked::DONE_WITHIN;
use super::core::{Core, new_profile};
use super::face::Reply;
use super::waiting::Goal;
use crate::failure::{Failure, Kind};
use crate::local::What;
use crate::local::backup::{BackupOwner, BackupPart, BackupRow, BackupTaken};

/// Rows in one answer.
const ROWS: u32 = 5_000;
/// Most rows whose messages are asked for at once.
const MOST_MESSAGES: usize = 1_000;

impl Core {
    /// Answers what is asked about a backup file.
    pub(super) fn backup(&mut self, what: What, reply: &Reply) -> Result<(), Failure> {
        match what {
            What::BackupRows { after } => {
                let store = self.opened()?.store();
                let rows = query::backup_rows(&store, after, ROWS).map_err(|error| Failure::from_store(&error))?;
                rows.into_iter().for_each(|it| {
                    let message = it.message.to_string();
                    reply.event(&BackupRow { row: it.row, message, is_rest: it.is_rest });
                });
                reply.done(&json!({}));
                Ok(())
            }
            What::BackupMessages { rows } => self.backed_up_messages(&rows, reply),
            What::BackupSettings => self.backed_up_settings(reply),
            What::BackupOpen { origin, account } => {
                self.require_confirmed()?;
                let malformed = |_| Failure::misuse("request.malformed", "this is no account id");
                let owner = Owner { origin, account: account.parse().map_err(malformed)? };
                let until = Some(Instant::now() + DONE_WITHIN);
                self.command(Command::OpenBackup { owner }, reply, Goal::Done, until)
            }
            What::BackupTake { account, part } => {
                let malformed = |_| Failure::misuse("request.malformed", "this is no account id");
                let account = account.parse().map_err(malformed)?;
                let part = BackupPart { part }.read()?;
                self.take_in(Command::TakeBackup { account, part }, reply)
            }
            _ => self.take_in(Command::FinishBackup, reply),
        }
    }

    fn backed_up_messages(&self, rows: &[i64], reply: &Reply) -> Result<(), Failure> {
        if rows.len() > MOST_MESSAGES {
            return Err(Failure::misuse("request.malformed", "at most 1000 messages at once"));
        }
        let store = self.opened()?.store();
        let messages = query::backed_up_messages(&store, rows).map_err(|error| Failure::from_store(&error))?;
        let mut pile = Pile::default();
        for message in messages {
            pile.add(message).iter().try_for_each(|part| tell(part, reply))?;
        }
        pile.take().iter().try_for_each(|part| tell(part, reply))?;
        reply.done(&json!({}));
        Ok(())
    }

    fn backed_up_settings(&self, reply: &Reply) -> Result<(), Failure> {
        let open = self.opened()?;
        // a device that was taken out has what it has read
        if open.status()?.phase != Phase::Ended {
            self.require_confirmed()?;
        }
        let owner = query::backup_owner(&open.store()).map_err(|error| Failure::from_store(&error))?;
        let (Some(owner), Some(handle)) = (owner, open.status()?.handle) else { return Err(new_profile()) };
        let settings = query::backed_up_settings(&open.store()).map_err(|error| Failure::from_store(&error))?;
        settings_parts(settings).iter().try_for_each(|part| tell(part, reply))?;
        reply.done(&BackupOwner { origin: owner.origin, account: owner.account.to_string(), handle });
        Ok(())
    }

    /// A command whose step does all of it.
    fn take_in(&mut self, command: Command, reply: &Reply) -> Result<(), Failure> {
        self.require_confirmed()?;
        let output = self.step(Input::Command(command))?;
        let what_became = output.events.iter().find_map(|event| match event {
            Event::Backup { messages, settings, left } => {
                Some(Ok(BackupTaken { messages: *messages, settings: *settings, left: *left }))
            }
            Event::Failed { failure, .. } => Some(Err(Failure::from_client(failure.clone()))),
            _ => None,
        });
        self.carry_out(output);
        let silent = || Failure::new(Kind::Broken, "app.broken", "nothing became of a part of a backup");
        reply.done(&what_became.ok_or_else(silent)??);
        Ok(())
    }
}

fn tell(part: &Part, reply: &Reply) -> Result<(), Failure> {
    reply.event(&BackupPart::of(part)?);
    Ok(())
}
