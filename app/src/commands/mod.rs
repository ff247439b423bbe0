//! One file per verb of the command line.

pub(crate) mod audit;
pub(crate) mod record;
pub(crate) mod serve;
pub(crate) mod try_out;
pub(crate) mod witness;

use std::io::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::signal::unix::{SignalKind, signal};

use crate::failure::Failure;

/// Prints one line of result; a reader that went away ends nothing.
pub(crate) fn say(line: impl std::fmt::Display) {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).unwrap_or_default();
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
