//! What a look at the record leaves behind: one folder per log, with the view, the accounts seen, and evidence.
//!
//! ```text
//! STATE/<hash of the origin>/view          chain::view::View
//! STATE/<hash of the origin>/accounts/<id> chain::proven::ProvenRecord
//! STATE/services/<hash of the address>     origin of the log that the service showed first
//! STATE/evidence/<hash>.evidence           chain::evidence::Evidence
//! ```

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use chain::account::ProvenAccount;
use chain::encoding::{Reader, Writer};
use chain::evidence::Evidence;
use chain::id::{AccountId, Digest};
use chain::proven::ProvenRecord;
use chain::view::View;
use witness::durable;

use crate::failure::{Failure, Kind};

/// Keeps the bytes of evidence that this device's client found, among the rest of it.
pub(crate) fn keep_evidence(state: &Path, evidence: &[u8]) -> Result<PathBuf, Failure> {
    let path = state.join("evidence").join(evidence_name(evidence));
    replace(&path, evidence)?;
    Ok(path)
}

/// The origin of the log that the service at this address showed first.
pub(crate) fn origin_shown(state: &Path, service: &str) -> Result<Option<String>, Failure> {
    Ok(read(&service_file(state, service))?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// Remembers the origin of the log that the service at this address shows.
pub(crate) fn remember_origin(state: &Path, service: &str, origin: &str) -> Result<(), Failure> {
    replace(&service_file(state, service), origin.as_bytes())
}

fn service_file(state: &Path, service: &str) -> PathBuf {
    let name = Digest::sha256(service.trim_end_matches('/').as_bytes()).to_string();
    state.join("services").join(name.split_at(16).0)
}

/// What was seen of one log.
#[derive(Debug)]
pub(crate) struct Kept {
    folder: PathBuf,
    evidence: PathBuf,
}

impl Kept {
    /// The place for a log of this origin.
    pub(crate) fn of(state: &Path, origin: &str) -> Self {
        let name = Digest::sha256(origin.as_bytes()).to_string();
        Self { folder: state.join(name.split_at(16).0), evidence: state.join("evidence") }
    }

    /// The view of the last look.
    pub(crate) fn view(&self) -> Result<Option<View>, Failure> {
        let path = self.folder.join("view");
        let Some(bytes) = read(&path)? else { return Ok(None) };
        let damaged = |error| {
            let message = format_args!("{} is damaged ({error}); delete it to look afresh", path.display());
            Failure::new(Kind::Broken, "store.corrupt", message)
        };
        View::decode(&bytes).map(Some).map_err(damaged)
    }

    /// Keeps a view.
    pub(crate) fn keep_view(&self, view: &View) -> Result<(), Failure> {
        replace(&self.folder.join("view"), &view.encode())
    }

    /// The account as it was proven at the last look.
    pub(crate) fn account(&self, view: &View, id: &AccountId) -> Result<Option<ProvenAccount>, Failure> {
        let path = self.folder.join("accounts").join(id.to_string());
        let Some(bytes) = read(&path)? else { return Ok(None) };
        let damaged = || {
            let message = format_args!("{} is damaged; delete it to look afresh", path.display());
            Failure::new(Kind::Broken, "store.corrupt", message)
        };
        let mut reader = Reader::new(&bytes);
        let record = ProvenRecord::decode(&mut reader).map_err(|_| damaged())?;
        ProvenAccount::restore(view.policy(), record).map(Some).map_err(|_| damaged())
    }

    /// Keeps a proven account.
    pub(crate) fn keep_account(&self, account: &ProvenAccount) -> Result<(), Failure> {
        let mut w = Writer::new();
        account.proven().encode(&mut w);
        replace(&self.folder.join("accounts").join(account.set().account().to_string()), &w.finish())
    }

    /// Keeps evidence of a lie.
    pub(crate) fn keep_evidence(&self, evidence: &Evidence) -> Result<PathBuf, Failure> {
        let bytes = evidence.encode();
        let path = self.evidence.join(evidence_name(&bytes));
        replace(&path, &bytes)?;
        Ok(path)
    }
}

/// Writes evidence into the current folder.
pub(crate) fn write_beside(evidence: &Evidence) -> Result<PathBuf, Failure> {
    let bytes = evidence.encode();
    let path = PathBuf::from(evidence_name(&bytes));
    replace(&path, &bytes)?;
    Ok(path)
}

fn evidence_name(bytes: &[u8]) -> String {
    format!("{}.evidence", Digest::sha256(bytes).to_string().split_at(16).0)
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(disk(path, &error)),
    }
}

/// Replaces a file whole, in folders that only the person may look into: they tell whom he looked up.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let made = folder.map_or(Ok(()), |folder| DirBuilder::new().recursive(true).mode(0o700).create(folder));
    made.and_then(|()| durable::replace(path, bytes)).map_err(|error| disk(path, &error))
}

fn disk(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Kind::Broken, "store.io", format_args!("{}: {error}", path.display()))
}
