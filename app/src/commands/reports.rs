//! `trefoil reports`: the operator sees who was reported, by how many and why; never by whom.

use std::path::PathBuf;

use chain::id::AccountId;
use protocol::api::reports::Reason;
use serde_json::{Map, json};
use service::{ReportsError, Told, forget_reports, told_of};

use super::serve::with_sources;
use super::{now_s, say, say_all};
use crate::clock::rfc3339;
use crate::failure::{Failure, Kind};
use crate::words;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The service's folder, as `serve` has it; the service may be running or not
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Takes away what was reported about one account
    #[arg(long, value_name = "ACCOUNT")]
    forget: Option<String>,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// Lists them, or takes those about an account away.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if let Some(account) = &arguments.forget {
        return forget(account, arguments);
    }
    let rows = told_of(&arguments.data, now_s()).map_err(|error| refuse(&error))?;
    match arguments.json {
        true => rows.iter().for_each(|row| say(as_json(row))),
        false => say_all(words::report::table(&rows)),
    }
    Ok(())
}

fn forget(account: &str, arguments: &Arguments) -> Result<(), Failure> {
    let none = |_| Failure::misuse("account.malformed", "an account's id has 64 hexadecimal digits");
    let account: AccountId = account.parse().map_err(none)?;
    let forgotten = forget_reports(&arguments.data, &account).map_err(|error| refuse(&error))?;
    match arguments.json {
        true => say(json!({ "account": account.to_string(), "forgotten": forgotten })),
        false => say(words::report::forgotten(forgotten)),
    }
    Ok(())
}

fn as_json(row: &Told) -> serde_json::Value {
    let count = |reason: Reason| row.reasons.get(&reason).copied().unwrap_or_default();
    let reasons: Map<_, _> = Reason::ALL.into_iter().map(|it| (it.name().to_owned(), count(it).into())).collect();
    let [first, last] = [row.first_s, row.last_s].map(|seconds| rfc3339(seconds.saturating_mul(1_000)));
    json!({
        "account": row.account.to_string(), "reporters": row.reporters, "reasons": reasons, "first": first, "last": last
    })
}

fn refuse(error: &ReportsError) -> Failure {
    let kind = match error {
        ReportsError::NoService => Kind::Misuse,
        ReportsError::Folder(_) | ReportsError::Records(_) => Kind::Broken,
    };
    Failure::new(kind, error.code(), with_sources(error))
}
