//! A stand-in for the client, until the real one is here: it answers every wish with "nobody answers".

use rusqlite::Transaction;

use crate::error::Error;
use crate::seal::StoreKey;
use crate::step::{Blame, Command, Event, Failure, Input, Listening, Output};
use crate::store::Store;

/// One device.
#[derive(Debug)]
pub struct Client;

impl Client {
    /// A device.
    pub fn new(_key: StoreKey) -> Self {
        Self
    }

    /// Takes one thing in.
    ///
    /// # Errors
    /// [`Error`].
    pub fn step(&mut self, tx: &Transaction<'_>, _now_ms: u64, input: Input) -> Result<Output, Error> {
        let _: i64 = tx.query_row("SELECT count(*) FROM intents", [], |row| row.get(0))?;
        let mut out = Output::default();
        if let Input::Command(Command::SignUp(_) | Command::LogIn(_) | Command::Send { .. }) = input {
            let message = "the service does not answer".to_owned();
            let failure = Failure { code: "service.unreachable".to_owned(), blame: Blame::Unreachable, message };
            out.intent = Some(1);
            out.events.push(Event::Failed { intent: 1, failure });
        }
        Ok(out)
    }

    /// Where to listen.
    ///
    /// # Errors
    /// [`Error`].
    pub fn listening(&self, _store: &Store<'_>) -> Result<Option<Listening>, Error> {
        Ok(None)
    }
}
