//! The browser of whoever sits at this machine.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::failure::{Failure, Kind};
use crate::words;

/// What opens a file, by the kind of system.
const OPENER: &str = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };

/// Opens a link: through a file that only this user can read: the arguments of a program are seen by everybody on the machine (attack 60).
///
/// # Errors
/// `store.io`, `web.open`.
pub(crate) fn open(link: &str, folder: &Path) -> Result<(), Failure> {
    let path = folder.join("open.html");
    write_anew(&path, &words::web::opening(link))
        .map_err(|error| Failure::new(Kind::Broken, "store.io", format_args!("{}: {error}", path.display())))?;
    let mut command = Command::new(OPENER);
    command.arg(&path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        _ => Err(Failure::new(Kind::Broken, "web.open", words::web::CANNOT_OPEN)),
    }
}

fn write_anew(path: &Path, text: &str) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => (),
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(text.as_bytes())
}
