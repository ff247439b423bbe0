//! `trefoil recovery`: the key on paper that lets a device in when all others are gone.

use std::io::Read as _;

use chain::id::PublicKey;
use clap::Subcommand;
use protocol::recovery::{RANDOM, RecoveryKey};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{ask_line, say, say_all};
use crate::failure::{Failure, Kind};
use crate::local::What;
use crate::local::connection::{Agent, say_aside};
use crate::local::rows::State;
use crate::secret;
use crate::settings::Settings;
use crate::words;

/// Most bytes of what is read as a recovery key.
const MAX_TYPED: u64 = 4_096;

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Make one: 24 words, shown once, to be written down
    Create {
        /// Make another one in place of the one there is, which is worthless from then on
        #[arg(long)]
        replace: bool,
    },
    /// Let this waiting device in with the words; asked for, or read from standard input
    Use,
    /// From now on the account has none
    Drop,
}

/// Makes, uses or drops it.
pub(crate) fn run(verb: &Verb, settings: &Settings) -> Result<(), Failure> {
    let mut agent = Agent::opened(settings)?;
    match verb {
        Verb::Create { replace } => create(&mut agent, *replace, settings),
        Verb::Use => recover(&mut agent, settings),
        Verb::Drop => {
            agent.ask::<Value>(What::SetRecoveryKey { key: None })?;
            match settings.json {
                true => say(json!({ "recovery_key": false })),
                false => say(words::recovery::DROPPED),
            }
            Ok(())
        }
    }
}

/// The words are made here and shown once they count. The agent gets their public half only.
fn create(agent: &mut Agent, replace: bool, settings: &Settings) -> Result<(), Failure> {
    let state: State = agent.ask(What::Status)?;
    if state.recovery_key && !replace && !may_replace()? {
        let message = "your account has a recovery key; --replace makes another one, and the old one worthless";
        return Err(Failure::new(Kind::Refused, "recovery.exists", message));
    }
    let mut random = Zeroizing::new([0; RANDOM]);
    getrandom::fill(random.as_mut_slice()).map_err(Failure::broken)?;
    let key = RecoveryKey::new(&random);
    let public = PublicKey::from(&key.signing_key());
    agent.ask::<Value>(What::SetRecoveryKey { key: Some(public.to_string()) })?;
    let words: Vec<&str> = key.words().collect();
    match settings.json {
        true => say(json!({ "recovery_key": true, "words": words })),
        false => say_all(words::recovery::created(&words)),
    }
    Ok(())
}

fn may_replace() -> Result<bool, Failure> {
    if !secret::is_terminal() {
        return Ok(false);
    }
    let answer = ask_line("Your account has a recovery key. Make another one, and the old one worthless? (yes/no) ")?;
    Ok(matches!(answer.to_lowercase().as_str(), "yes" | "y"))
}

fn recover(agent: &mut Agent, settings: &Settings) -> Result<(), Failure> {
    let words = typed()?;
    agent.ask::<Value>(What::Recover { words: words.to_string() })?;
    let state: State = agent.ask(What::Status)?;
    match settings.json {
        true => say(json!({ "device": state.device, "state": "confirmed" })),
        false => say(words::recovery::BACK),
    }
    Ok(())
}

/// The words: on a terminal in as many lines as somebody likes, up to an empty one.
fn typed() -> Result<Zeroizing<String>, Failure> {
    let mut words = Zeroizing::new(String::new());
    if secret::is_terminal() {
        say_aside(words::recovery::TYPE_IT);
        while words.split_whitespace().count() < protocol::recovery::WORDS {
            let line = Zeroizing::new(ask_line("> ")?);
            if line.is_empty() {
                break;
            }
            words.push_str(&line);
            words.push(' ');
        }
        return Ok(words);
    }
    let mut stdin = std::io::stdin().lock().take(MAX_TYPED);
    stdin.read_to_string(&mut words).map_err(|error| Failure::misuse("secret.unreadable", error))?;
    Ok(words)
}
