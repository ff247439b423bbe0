//! What an agent writes about itself: when, what as a stable code, and a number. No name, text, id or key is ever in it.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::clock::{now_ms, rfc3339};
use crate::failure::{Failure, Kind};
use crate::places::make_private;

/// A log of this many bytes is begun anew at the agent's next start.
const MAX_LOG: u64 = 1 << 20;

/// A log file.
#[derive(Debug)]
pub(crate) struct Log(File);

impl Log {
    /// Opens it for writing at its end.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        if let Some(folder) = path.parent() {
            make_private(folder)?;
        }
        let is_long = std::fs::metadata(path).is_ok_and(|found| found.len() > MAX_LOG);
        let mut options = OpenOptions::new();
        options.create(true).mode(0o600);
        let options = if is_long { options.write(true).truncate(true) } else { options.append(true) };
        let disk = |error| Failure::new(Kind::Broken, "store.io", format_args!("{}: {error}", path.display()));
        options.open(path).map(Self).map_err(disk)
    }

    /// Writes a line. A log that cannot be written ends nothing.
    pub(crate) fn note(&self, code: &'static str, number: u64) {
        let line = format!("{} {code} {number}\n", rfc3339(now_ms()));
        (&self.0).write_all(line.as_bytes()).unwrap_or_default();
    }
}
