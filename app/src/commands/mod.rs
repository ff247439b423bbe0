//! One file per verb of the command line.

pub(crate) mod audit;
pub(crate) mod record;
pub(crate) mod serve;
pub(crate) mod try_out;
pub(crate) mod witness;

use std::io::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

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

/// Ready when the person (Ctrl-C) or the system (SIGTERM) asks to end.
pub(crate) async fn asked_to_end() {
    let terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
    let Ok(mut terminate) = terminate else {
        tokio::signal::ctrl_c().await.unwrap_or_default();
        return;
    };
    tokio::select! {
        _ = terminate.recv() => (),
        _ = tokio::signal::ctrl_c() => (),
    }
}
