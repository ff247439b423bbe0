//! One file per verb of the command line.

pub(crate) mod account;
pub(crate) mod agent;
pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod bot;
pub(crate) mod chat;
pub(crate) mod contact;
pub(crate) mod device;
pub(crate) mod doctor;
pub(crate) mod file;
pub(crate) mod history;
pub(crate) mod joining;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod message;
pub(crate) mod permit;
pub(crate) mod read;
pub(crate) mod record;
pub(crate) mod recovery;
pub(crate) mod reports;
pub(crate) mod search;
pub(crate) mod send;
pub(crate) mod serve;
pub(crate) mod signup;
pub(crate) mod status;
pub(crate) mod try_out;
pub(crate) mod tui;
pub(crate) mod web;
pub(crate) mod witness;

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use crate::failure::Failure;

/// Prints one line of result; a reader that went away ends nothing.
pub(crate) fn say(line: impl std::fmt::Display) {
    heard(line);
}

/// Prints one line; false if the reader went away.
pub(crate) fn heard(line: impl std::fmt::Display) -> bool {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).is_ok()
}

/// Prints lines.
pub(crate) fn say_all(lines: impl IntoIterator<Item = String>) {
    lines.into_iter().for_each(say);
}

/// Prints a row as JSON.
pub(crate) fn say_row(row: &impl Serialize) -> Result<(), Failure> {
    row_text(row).map(say)
}

/// A row as JSON, on one line.
pub(crate) fn row_text(row: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(row).map_err(Failure::broken)
}

/// True if a person reads what is printed.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Asks something that is no secret; the question goes to standard error.
pub(crate) fn ask_line(question: &str) -> Result<String, Failure> {
    let mut err = io::stderr().lock();
    write!(err, "{question}").and_then(|()| err.flush()).unwrap_or_default();
    let mut line = String::new();
    match io::stdin().lock().read_line(&mut line) {
        Ok(1..) => Ok(line.trim().to_owned()),
        Ok(0) => Err(Failure::misuse("answer.missing", "nobody answered")),
        Err(error) => Err(Failure::misuse("answer.missing", error)),
    }
}

/// Seconds since 1970.
pub(crate) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A runtime for the commands that serve.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::broken)
}

/// Listens from now on; ready when the system (SIGTERM) or the person (Ctrl-C) asks to end. To be called within a
/// runtime, before anybody is told that the program is ready: until then a signal ends it without a last word.
pub(crate) fn asked_to_end() -> impl Future<Output = ()> {
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    async {
        // without handlers the signals end the process by themselves
        let (Ok(mut terminate), Ok(mut interrupt)) = signals else { return std::future::pending().await };
        tokio::select! {
            _ = terminate.recv() => (),
            _ = interrupt.recv() => (),
        }
    }
}
