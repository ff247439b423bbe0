//! `trefoil permit`: the operator lets somebody announce a reset who has neither a device nor the password.

use std::path::PathBuf;

use chain::handle::Handle;
use serde_json::json;
use service::{PermitError, issue_reset_permit};

use super::serve::with_sources;
use super::{now_s, say, say_all};
use crate::clock::rfc3339;
use crate::failure::{Failure, Kind};
use crate::words;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Whose account it is
    handle: String,
    /// The service's folder, as `serve` has it; the service may be running or not
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// Makes a permit and prints it.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let name = arguments.handle.split('@').next().unwrap_or_default();
    let handle = Handle::parse(name).map_err(|error| Failure::misuse(error.code(), error))?;
    let issued = issue_reset_permit(&arguments.data, &handle, now_s()).map_err(|error| refuse(&error))?;
    let (permit, ends) = (issued.permit.to_string(), rfc3339(issued.ends_s.saturating_mul(1_000)));
    let (account, wait_hours) = (issued.account.to_string(), issued.wait_s / 3_600);
    let handle = handle.as_str();
    match arguments.json {
        true => say(json!({
            "handle": handle, "account": account, "permit": permit, "ends": ends, "wait_hours": wait_hours
        })),
        false => say_all(words::account::permit(handle, &permit, &ends, wait_hours)),
    }
    Ok(())
}

fn refuse(error: &PermitError) -> Failure {
    let kind = match error {
        PermitError::NoService => Kind::Misuse,
        PermitError::UnknownHandle { .. } | PermitError::Never | PermitError::Announced => Kind::Refused,
        PermitError::Folder(_) | PermitError::Records(_) => Kind::Broken,
    };
    Failure::new(kind, error.code(), with_sources(error))
}
