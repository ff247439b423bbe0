//! `trefoil doctor`: what is wrong, and how to cure it.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use client::query::Phase;
use serde_json::json;

use super::say;
use crate::failure::{Failure, Kind};
use crate::local::connection::Agent;
use crate::local::rows::{Connection, Notifying, State};
use crate::local::{Telling, What};
use crate::settings::Settings;
use crate::words;

/// What one look found.
struct Finding {
    check: &'static str,
    /// What is wrong and what to do, or `None`.
    trouble: Option<(Kind, String)>,
    /// What is not as on other machines, and is no trouble.
    remark: Option<&'static str>,
}

impl Finding {
    fn new(check: &'static str, trouble: Option<(Kind, String)>) -> Self {
        Self { check, trouble, remark: None }
    }
}

/// Looks at everything that has to be right; fails with the first thing that is not.
pub(crate) fn run(settings: &Settings) -> Result<(), Failure> {
    let agent = Agent::opened(settings).and_then(|mut agent| {
        Ok((agent.ask::<State>(What::Status)?, agent.ask::<Notifying>(What::Notifications { show: None })?))
    });
    let mut findings = vec![private_folder(&settings.profile.folder)];
    match agent {
        Ok((state, notifying)) => findings.extend([
            Finding::new("agent", None),
            account(&state),
            service(&state),
            record(&state),
            witnesses(&state),
            desktop(notifying),
        ]),
        Err(failure) => findings.push(Finding::new("agent", Some((failure.kind, failure.to_string())))),
    }
    for finding in &findings {
        let message = finding.trouble.as_ref().map(|(_, message)| message.as_str()).or(finding.remark);
        let is_ok = finding.trouble.is_none();
        match (settings.json, message) {
            (true, _) => say(json!({ "check": finding.check, "ok": is_ok, "message": message })),
            (false, None) => say(format_args!("{:<10} in order", finding.check)),
            (false, Some(message)) => say(format_args!("{:<10} {message}", finding.check)),
        }
    }
    match findings.into_iter().find_map(|it| it.trouble) {
        None => Ok(()),
        Some((kind, message)) => Err(Failure::new(kind, "doctor.trouble", message)),
    }
}

fn private_folder(folder: &Path) -> Finding {
    let mode = std::fs::metadata(folder).map_or(0, |found| found.mode());
    let trouble = (mode & 0o077 != 0)
        .then(|| (Kind::Broken, format!("others can look into {}; close it with chmod 700", folder.display())));
    Finding::new("folder", trouble)
}

fn account(state: &State) -> Finding {
    let trouble = match state.phase {
        Phase::Confirmed => None,
        Phase::New | Phase::Joining => Some((Kind::Misuse, "no account yet; trefoil signup HANDLE".to_owned())),
        Phase::Resetting => Some((Kind::Waiting, "the reset of your account is announced, and not due yet".to_owned())),
        Phase::Pending => Some((Kind::Waiting, "this device waits to be let in by another of yours".to_owned())),
        Phase::Ended => Some((Kind::Refused, "this device was removed or not let in; trefoil login HANDLE".to_owned())),
    };
    Finding::new("account", trouble)
}

fn service(state: &State) -> Finding {
    let trouble = (state.connection == Connection::Offline)
        .then(|| (Kind::Unreachable, "the service does not answer; is the network there?".to_owned()));
    Finding::new("service", trouble)
}

fn record(state: &State) -> Finding {
    let is_late = state.chain_size > 0 && state.freshness == "stale";
    let trouble = is_late.then(|| {
        let message = "the record is more than a day old for this device: is this machine's clock right, and does the \
                       service answer?";
        (Kind::Waiting, message.to_owned())
    });
    Finding::new("record", trouble)
}

fn witnesses(state: &State) -> Finding {
    let has_none = state.chain_size > 0 && state.quorum == 0;
    let trouble = has_none.then(|| {
        let message = "no independent witness watches this service's record; --policy FILE at sign-up pins some";
        (Kind::Refused, message.to_owned())
    });
    Finding::new("witnesses", trouble)
}

/// A machine without a desktop is in order all the same.
fn desktop(row: Notifying) -> Finding {
    let is_missed = row.notifications != Telling::Off && !row.shown;
    Finding { remark: is_missed.then_some(words::device::NO_DESKTOP), ..Finding::new("desktop", None) }
}
