//! `trefoil record`: what the public record says of somebody, and evidence of lies.

use std::path::{Path, PathBuf};

use chain::evidence::Evidence;
use chain::handle::Handle;
use chain::id::AccountId;
use chain::log::note::VerifierKey;
use chain::log::policy::Policy;
use chain::sigchain::entry::Entry;
use chain::view::View;
use clap::Subcommand;
use serde_json::json;

use super::{now_s, say};
use crate::failure::{Failure, Kind};
use crate::keeping::{Kept, origin_shown, remember_origin, replace};
use crate::local::What;
use crate::local::connection::Agent;
use crate::local::record::state_word;
use crate::local::rows::State;
use crate::remote::{Remote, Seen, read_policy};
use crate::settings::Settings;
use crate::tls::Trusted;
use crate::words::record as words;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Every entry of an account, verified
    Show {
        /// A name, or an account id
        who: String,
        /// Folder that remembers what was seen
        #[arg(long, value_name = "DIR")]
        state: Option<PathBuf>,
    },
    /// Checks an evidence file, offline
    Check {
        /// The file
        file: PathBuf,
    },
    /// Lists the evidence that was kept, or copies one file of it
    Evidence {
        /// Which one to copy, by the beginning of its name
        name: Option<String>,
        /// Where to
        #[arg(long, value_name = "FILE", requires = "name")]
        out: Option<PathBuf>,
        /// Folder that remembers what was seen
        #[arg(long, value_name = "DIR")]
        state: Option<PathBuf>,
    },
}

/// Shows, checks or lists.
pub(crate) fn run(arguments: &Arguments, settings: &Settings) -> Result<(), Failure> {
    let policy = settings.policy.as_deref().map(read_policy).transpose()?;
    let folder = |state: &Option<PathBuf>| state.clone().unwrap_or_else(|| settings.places.state().to_owned());
    match &arguments.verb {
        Verb::Show { who, state } => {
            let service = service_of(who, settings)?;
            let name = if who.parse::<AccountId>().is_ok() { who } else { who.split('@').next().unwrap_or(who) };
            let trusted = settings.ca_file.as_deref().map(Trusted::read).transpose()?;
            let remote = Remote::new(&service, trusted.as_ref())?;
            show(name, &remote, &service, policy, &folder(state), settings.json)
        }
        Verb::Check { file } => check(file, policy.as_ref(), settings.json),
        Verb::Evidence { name, out, state } => {
            evidence(&folder(state).join("evidence"), name.as_deref(), out.as_ref(), settings.json)
        }
    }
}

/// The service that was asked for, the one after the `@`, or that of the profile.
fn service_of(who: &str, settings: &Settings) -> Result<String, Failure> {
    let missing = match settings.service_for(who) {
        Err(failure) if failure.code == "service.missing" => failure,
        found => return found,
    };
    if !settings.profile.folder.exists() {
        return Err(missing);
    }
    let state: State = Agent::opened(settings)?.ask(What::Status)?;
    state.service.ok_or(missing)
}

fn show(
    who: &str,
    remote: &Remote,
    service: &str,
    policy: Option<Policy>,
    state: &Path,
    json: bool,
) -> Result<(), Failure> {
    let pinned = policy.is_some();
    let (kept, view) = remembered_view(remote, service, policy, state)?;
    kept.keep_view(&view)?;
    let (view, id) = match who.parse::<AccountId>() {
        Ok(id) => (view, Some(id)),
        Err(_) => {
            let handle = Handle::parse(who).map_err(|error| Failure::misuse(error.code(), error))?;
            let (view, place) = remote.handle(&view, &handle, &kept)?;
            (view, place.holder())
        }
    };
    kept.keep_view(&view)?;
    let nobody = || Failure::new(Kind::Refused, "account.unknown", format_args!("the record knows nobody as {who}"));
    let (view, seen) = remote.account(&view, id.ok_or_else(nobody)?, &kept)?;
    kept.keep_view(&view)?;
    let seen = seen.ok_or_else(nobody)?;
    kept.keep_account(&seen.account)?;
    if json {
        return tell(&view, &seen);
    }
    print(who, &view, &seen)?;
    if !pinned {
        say(
            "Whom to trust as witnesses was asked of the service itself at the first look; --policy FILE pins your own choice.",
        );
    }
    Ok(())
}

/// What was seen of the log before, or the first look. Another policy does not forget it: a service is held to the log that it showed first, and a new policy has to fit the old view.
fn remembered_view(
    remote: &Remote,
    service: &str,
    policy: Option<Policy>,
    state: &Path,
) -> Result<(Kept, View), Failure> {
    let origin_of = |policy: &Policy| policy.logs().first().map(|log| log.key.name().as_str().to_owned());
    let origin = match &policy {
        Some(policy) => origin_of(policy),
        None => origin_shown(state, service)?,
    };
    let asked = match (&policy, &origin) {
        (None, None) => Some(remote.policy()?),
        _ => policy,
    };
    let origin = origin.or_else(|| asked.as_ref().and_then(origin_of)).unwrap_or_default();
    let kept = Kept::of(state, &origin);
    let view = match (kept.view()?, asked) {
        (Some(view), None) => view,
        (Some(view), Some(policy)) if *view.policy() == policy => view,
        (Some(view), Some(policy)) => {
            let fresh = remote.begin(policy)?;
            remote.check_continues(&view, &fresh, &kept)?;
            fresh
        }
        (None, Some(policy)) => remote.begin(policy)?,
        (None, None) => remote.begin(remote.policy()?)?,
    };
    if view.parameters().origin != origin {
        let message = format_args!("the service showed the log {origin} before, and now another");
        return Err(Failure::new(Kind::Lie, "chain.proof_invalid", message));
    }
    remember_origin(state, service, &origin)?;
    Ok((kept, view))
}

fn decode(entries: &Seen) -> Result<Vec<Entry>, Failure> {
    let decoded = entries.entries.iter().map(|it| Entry::decode(&it.entry));
    // the fold has read them before
    decoded.collect::<Result<_, _>>().map_err(Failure::broken)
}

fn tell(view: &View, seen: &Seen) -> Result<(), Failure> {
    for (stamped, entry) in seen.entries.iter().zip(decode(seen)?) {
        say(json!({
            "number": entry.statement.position.sequence, "kind": entry.statement.body.name(),
            "block": stamped.block, "time_s": stamped.time_s, "entry": entry.hash().to_string(),
            "signed_by": words::signers(&entry), "says": words::entry(&entry),
            "verified": ["signatures", "hash link", "rules", "map", "log", "quorum"],
        }));
    }
    let set = seen.account.set();
    let confirmed = set
        .confirmed()
        .iter()
        .map(|(id, it)| json!({ "device": id.to_string(), "state": "confirmed", "since_entry": it.sequence }));
    let pending = set
        .pending()
        .iter()
        .map(|(id, it)| json!({ "device": id.to_string(), "state": "pending", "request": it.request }));
    say(json!({
        "account": set.account().to_string(), "generation": set.generation(), "entries": set.sequence() + 1,
        "state": state_word(set), "devices": confirmed.chain(pending).collect::<Vec<_>>(),
        "size": view.size(), "root": view.root().to_string(),
        "witnesses": view.policy().witnesses().len(), "quorum": view.policy().smallest_quorum(),
        "age_s": now_s().saturating_sub(view.witnessed_s()),
    }));
    Ok(())
}

fn print(who: &str, view: &View, seen: &Seen) -> Result<(), Failure> {
    let set = seen.account.set();
    say(format_args!("{who} is account {}, {}.", set.account(), state_word(set)));
    for (stamped, entry) in seen.entries.iter().zip(decode(seen)?) {
        say(format_args!(
            "  {:>3}  block {:<6} {}  [signed by {}]",
            entry.statement.position.sequence,
            stamped.block,
            words::entry(&entry),
            words::signers(&entry).join(", ")
        ));
    }
    for id in set.confirmed().keys() {
        say(format_args!("  device {id}  confirmed"));
    }
    for id in set.pending().keys() {
        say(format_args!("  device {id}  waits for confirmation; nothing is encrypted to it"));
    }
    let quorum = view.policy().smallest_quorum();
    let witnesses = match quorum {
        0 => "without any independent witness".to_owned(),
        _ => format!("cosigned by at least {quorum} of {} witnesses", view.policy().witnesses().len()),
    };
    let age = words::ago(now_s().saturating_sub(view.witnessed_s()));
    say(format_args!("All of it verified in the record of {} blocks, {witnesses}, {age} ago.", view.size()));
    Ok(())
}

fn check(file: &Path, policy: Option<&Policy>, json: bool) -> Result<(), Failure> {
    let bytes = std::fs::read(file)
        .map_err(|error| Failure::misuse("evidence.missing", format_args!("{}: {error}", file.display())))?;
    let evidence = Evidence::decode(&bytes)
        .map_err(|error| Failure::misuse("evidence.malformed", format_args!("this is no evidence file: {error}")))?;
    let finding = evidence.check().map_err(|error| Failure::new(Kind::Refused, error.code(), error))?;
    let known = policy.map(|policy| {
        let key: Option<VerifierKey> = finding.log.parse().ok();
        policy.logs().iter().any(|log| Some(&log.key) == key.as_ref())
    });
    if json {
        say(json!({
            "code": finding.code, "rule": finding.rule, "fact": finding.fact, "log": finding.log,
            "witnesses": finding.witnesses, "known": known, "proven": true,
        }));
        return Ok(());
    }
    say(format_args!("Proven: {} ({}, rule {}).", finding.fact, finding.code, finding.rule));
    say(format_args!("Signed by the log key {}", finding.log));
    for witness in &finding.witnesses {
        say(format_args!("Cosigned on both sides by the witness {witness}"));
    }
    match known {
        Some(true) => say("This is the key of a log in your policy."),
        Some(false) => say("This key is in none of your policy's logs: it accuses somebody else."),
        None => say("Compare the key with the one that you know: the file only shows that this key lied."),
    }
    Ok(())
}

fn evidence(folder: &Path, name: Option<&str>, out: Option<&PathBuf>, json: bool) -> Result<(), Failure> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|it| it == "evidence"));
    files.sort();
    let stem = |path: &PathBuf| path.file_stem().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
    if let Some(name) = name {
        files.retain(|path| stem(path).starts_with(name));
    }
    if let (Some(out), [file]) = (out, files.as_slice()) {
        let bytes = std::fs::read(file).map_err(Failure::broken)?;
        replace(out, &bytes)?;
    } else if name.is_some() && files.len() != 1 {
        let message = format_args!("{} files have such a name", files.len());
        return Err(Failure::misuse("evidence.missing", message));
    }
    for file in &files {
        let bytes = std::fs::read(file).map_err(Failure::broken)?;
        let finding = Evidence::decode(&bytes).ok().and_then(|it| it.check().ok());
        let (code, fact) = finding.map_or(("evidence.malformed", String::new()), |it| (it.code, it.fact));
        if json {
            say(json!({ "name": stem(file), "path": file.display().to_string(), "code": code, "fact": fact }));
        } else {
            say(format_args!("{}  {code}  {fact}", stem(file)));
        }
    }
    if files.is_empty() && !json {
        say("No evidence of any lie was kept.");
    }
    Ok(())
}
