//! `trefoil backup`: old messages and what the devices share, in one file behind a passphrase, and back from it.

mod export;
mod import;
mod plain;

use std::io::{IsTerminal as _, stderr};
use std::path::PathBuf;

use chain::id::AccountId;
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use protocol::backup::{Owner, Part};
use protocol::history::HistoryMessage;
use protocol::settings::Setting;

use crate::failure::Failure;
use crate::local::What;
use crate::local::backup::{BackupOwner, BackupPart, BackupRow};
use crate::local::connection::Agent;
use crate::secret::{self, Origin, Secret};
use crate::settings::Settings;

/// Messages that are asked for at once.
const AT_ONCE: usize = 200;

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Write all messages, names, titles and compared codes into one encrypted file; no keys. The same file again takes what
    /// is new, also after it was broken off
    Export {
        /// The file
        file: PathBuf,
        #[command(flatten)]
        passphrase: Passphrase,
        /// Write readable JSON lines instead, which anybody can read and nothing takes in again
        #[arg(long)]
        plain: bool,
        /// Don't ask whether a readable file is meant
        #[arg(long)]
        yes: bool,
    },
    /// Take in what such a file has: on any device of the account, or of one that continues it by a reset
    Import {
        /// The file
        file: PathBuf,
        #[command(flatten)]
        passphrase: Passphrase,
    },
}

#[derive(clap::Args)]
pub(crate) struct Passphrase {
    /// File whose first line is the backup's passphrase; or TREFOIL_BACKUP_PASSPHRASE_FD, a file descriptor. Otherwise it is
    /// asked for
    #[arg(long, value_name = "FILE")]
    backup_passphrase_file: Option<PathBuf>,
}

impl Passphrase {
    /// The passphrase; of a new file it is asked for twice, and may not be short.
    ///
    /// # Errors
    /// `backup.passphrase_missing`, `backup.passphrase_weak`, those of [`Origin::read`].
    fn read(&self, is_new: bool) -> Result<Secret, Failure> {
        let origin = Origin { file: self.backup_passphrase_file.clone(), variable: "TREFOIL_BACKUP_PASSPHRASE_FD" };
        let passphrase = match origin.read()? {
            Some(passphrase) => passphrase,
            None if !secret::is_terminal() => {
                let message = "a passphrase is needed: --backup-passphrase-file FILE, or TREFOIL_BACKUP_PASSPHRASE_FD";
                return Err(Failure::misuse("backup.passphrase_missing", message));
            }
            None if is_new => secret::ask_twice("Passphrase for this backup: ")?,
            None => secret::ask("Passphrase of this backup: ")?,
        };
        if is_new && secret::is_short(&passphrase) {
            let message = "this passphrase is too short, and it is all that protects the file; take at least 8 letters, \
                           better four random words";
            return Err(Failure::misuse("backup.passphrase_weak", message));
        }
        Ok(passphrase)
    }
}

/// Writes a file, or takes one in.
pub(crate) fn run(verb: &Verb, settings: &Settings) -> Result<(), Failure> {
    match verb {
        Verb::Export { file, plain: true, yes, .. } => plain::export(file, *yes, settings),
        Verb::Export { file, passphrase, .. } => export::export(file, passphrase, settings),
        Verb::Import { file, passphrase } => import::import(file, passphrase, settings),
    }
}

/// Whose a file of this device is, how that account is called, and what its devices share.
fn shared(agent: &mut Agent) -> Result<(Owner, String, Vec<Setting>), Failure> {
    let mut settings = Vec::new();
    let owner: BackupOwner = agent.ask_streaming(What::BackupSettings, |row: BackupPart| {
        if let Part::Settings(some) = row.read()? {
            settings.extend(some);
        }
        Ok(())
    })?;
    let account: AccountId = owner.account.parse().map_err(Failure::broken)?;
    Ok((Owner { origin: owner.origin, account }, owner.handle, settings))
}

/// The rows of all messages that are wanted.
fn rows(
    agent: &mut Agent,
    mut is_wanted: impl FnMut(&BackupRow) -> Result<bool, Failure>,
) -> Result<Vec<i64>, Failure> {
    let (mut wanted, mut after) = (Vec::new(), 0);
    loop {
        let page: Vec<BackupRow> = agent.list(What::BackupRows { after })?;
        let Some(last) = page.last() else { return Ok(wanted) };
        after = last.row;
        for row in &page {
            if is_wanted(row)? {
                wanted.push(row.row);
            }
        }
    }
}

/// The messages of some rows, in their order.
fn messages(agent: &mut Agent, rows: &[i64]) -> Result<Vec<HistoryMessage>, Failure> {
    let mut messages = Vec::new();
    for row in agent.list::<BackupPart>(What::BackupMessages { rows: rows.to_vec() })? {
        if let Part::Messages(some) = row.read()? {
            messages.extend(some);
        }
    }
    Ok(messages)
}

/// A bar on a terminal, and nothing elsewhere.
pub(super) fn bar(total: u64, template: &str, settings: &Settings) -> Result<ProgressBar, Failure> {
    if settings.json || !stderr().is_terminal() {
        return Ok(ProgressBar::hidden());
    }
    let bar = ProgressBar::new(total);
    bar.set_style(ProgressStyle::with_template(template).map_err(Failure::broken)?);
    Ok(bar)
}
