//! `trefoil audit`: replays every block of a log.

use std::io::{IsTerminal as _, stderr};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use chain::log::note::{KeyKind, NoteSigner};
use ed25519_dalek::SigningKey;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use witness::audit_folder::AuditFolder;
use witness::auditor::{AuditError, Auditor, Progress, Summary};
use witness::source::Source;

use super::say;
use crate::failure::{Failure, Kind};
use crate::keeping::write_beside;
use crate::remote::{Remote, read_policy};
use crate::tls::Trusted;

/// How long to wait between two looks.
const FOLLOW_EVERY: Duration = Duration::from_secs(5);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Address of the log, or a folder with a copy of its files
    source: String,
    /// Witness policy to hold it to (C2SP tlog-policy); without one, what the service itself says
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Keeps the state here, so that the next run goes on where this one ended
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Cosigns what was audited, under a key of this name kept in the data folder
    #[arg(long, value_name = "NAME", requires = "data")]
    cosign: Option<String>,
    /// Goes on: looks again every few seconds
    #[arg(long)]
    follow: bool,
    /// One JSON object per look
    #[arg(long)]
    pub(crate) json: bool,
}

/// Audits once, or for ever; `ca_file` has the certificates to trust instead of the usual ones.
pub(crate) fn run(arguments: &Arguments, ca_file: Option<&Path>) -> Result<(), Failure> {
    let trusted = ca_file.map(Trusted::read).transpose()?;
    let is_web = ["http://", "https://"].iter().any(|scheme| arguments.source.starts_with(scheme));
    let given = arguments.policy.as_deref().map(read_policy);
    let (policy, source) = if is_web {
        let remote = Remote::new(&arguments.source, trusted.as_ref())?;
        (given.unwrap_or_else(|| remote.policy())?, remote.into_source())
    } else {
        let source = Source::parse(&arguments.source).map_err(|error| Failure::misuse(error.code(), error))?;
        let missing = "a folder does not say whose it is: give --policy FILE";
        (given.unwrap_or_else(|| Err(Failure::misuse("policy.missing", missing)))?, source)
    };
    if policy.smallest_quorum() == 0 && !arguments.json {
        say("This log has no independent witness: nothing but its own word says that it has one face only.");
    }
    let folder = arguments.data.as_deref().map(AuditFolder::open).transpose();
    let folder = folder.map_err(|error| fail(AuditError::Folder(error)))?;
    let signer = arguments.cosign.as_deref().zip(folder.as_ref()).map(|(name, folder)| signer(name, folder));
    let signer = signer.transpose()?;
    if let Some(signer) = &signer
        && !arguments.json
    {
        say(format_args!("The auditor's key: {}", signer.verifier_key()));
    }
    let mut auditor = Auditor::new(source, policy, folder, signer).map_err(fail)?;
    loop {
        let bar = bar(arguments.json);
        let looked = auditor.look(&mut |progress| show(&bar, progress));
        bar.finish_and_clear();
        match looked {
            Ok(summary) => report(&summary, arguments.json),
            // a service that is away for a moment is no finding
            Err(AuditError::Source(error)) if arguments.follow => tell_absence(&error.to_string(), arguments.json),
            Err(error) => return Err(fail_reported(error, arguments)),
        }
        if !arguments.follow {
            return Ok(());
        }
        sleep(FOLLOW_EVERY);
    }
}

/// The auditor's own key: an extra statement needs a key of its own (C2SP tlog-cosignature).
fn signer(name: &str, folder: &AuditFolder) -> Result<NoteSigner, Failure> {
    let broken = |error: &dyn std::fmt::Display| Failure::broken(error);
    if let Some(kept) = folder.key().map_err(|error| broken(&error))? {
        let text = String::from_utf8(kept).map_err(|error| broken(&error))?;
        let signer: NoteSigner = text.trim().parse().map_err(|error: chain::log::note::NoteError| broken(&error))?;
        return if signer.verifier_key().name().as_str() == name {
            Ok(signer)
        } else {
            let message = format_args!("the key in this folder is {}'s", signer.verifier_key().name());
            Err(Failure::misuse("audit.key_name", message))
        };
    }
    let name = name.parse().map_err(|_| Failure::misuse("audit.key_name", "a key's name has no spaces and no plus"))?;
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(Failure::broken)?;
    let signer = NoteSigner::new(name, KeyKind::CosignatureV1, SigningKey::from_bytes(&seed));
    folder.keep_key(&signer.to_secret_text()).map_err(|error| broken(&error))?;
    Ok(signer)
}

fn bar(json: bool) -> ProgressBar {
    let shown = !json && stderr().is_terminal();
    let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let style = ProgressStyle::with_template("{msg:>8} {wide_bar} {pos}/{len} blocks, {eta} left");
    let bar = ProgressBar::with_draw_target(Some(0), target);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

fn show(bar: &ProgressBar, progress: Progress) {
    let (message, done, of) = match progress {
        Progress::Headers(done, of) => ("headers", done, of),
        Progress::Blocks(done, of) => ("replayed", done, of),
    };
    bar.set_message(message);
    bar.set_length(of);
    bar.set_position(done);
}

fn report(summary: &Summary, json: bool) {
    let Summary { blocks, entries, accounts, size, root, .. } = summary;
    if json {
        say(json!({
            "blocks": blocks, "entries": entries, "accounts": accounts, "size": size, "root": root.to_string(), "ok": true,
        }));
    } else {
        say(format_args!(
            "Every rule holds, from block 0 to block {}: {entries} entries, {accounts} accounts. Log root {root}.",
            blocks.saturating_sub(1)
        ));
    }
}

fn tell_absence(reason: &str, json: bool) {
    if json {
        say(json!({ "event": "unreachable", "message": reason }));
    } else {
        say(format_args!("No answer: {reason}. Looking again."));
    }
}

/// For machines, a bad end has a last line, too.
fn fail_reported(error: AuditError, arguments: &Arguments) -> Failure {
    let failure = fail(error);
    if arguments.json && failure.kind == Kind::Lie {
        say(json!({ "ok": false, "code": failure.code, "rule": failure.rule, "evidence": failure.evidence }));
    }
    failure
}

fn fail(error: AuditError) -> Failure {
    let kind = match &error {
        AuditError::Source(error) if error.code() == "service.unreachable" => Kind::Unreachable,
        AuditError::Folder(_) | AuditError::Key(_) => Kind::Broken,
        _ => Kind::Lie,
    };
    let mut failure = Failure::new(kind, error.code(), &error);
    failure.rule = error.rule();
    if let AuditError::Lie { evidence: Some(evidence), kept, .. } = error {
        // without a folder the evidence goes where the person stands
        let kept = kept.or_else(|| write_beside(&evidence).ok());
        failure.evidence = kept.map(|path| path.display().to_string());
    }
    failure
}
