//! `trefoil witness`: a witness of any C2SP log.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use chain::log::note::{KeyName, VerifierKey};
use clap::Subcommand;
use serde_json::json;
use witness::server::{Witness, WitnessError, WitnessOptions, system_time};
use witness::store::Store;

use super::serve::with_sources;
use super::{asked_to_end, runtime, say};
use crate::failure::{Failure, Kind};

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Folder of this witness: its key and what it cosigned
    #[arg(long, value_name = "DIR", required = true)]
    data: Option<PathBuf>,
    /// Address and port; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8401")]
    listen: SocketAddr,
    /// Verifier key of a log to cosign. Repeat for each
    #[arg(long, value_name = "VKEY", required = true)]
    log: Vec<String>,
    /// Name of its key, when the folder is new; by default a random one
    #[arg(long)]
    name: Option<String>,
    /// One JSON object when ready
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum Verb {
    /// Make the key, so that services can name this witness before it runs
    Init {
        /// Folder of the witness
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Name of its key; by default a random one
        #[arg(long)]
        name: Option<String>,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
}

impl Arguments {
    pub(crate) fn is_json(&self) -> bool {
        match self.verb {
            Some(Verb::Init { json, .. }) => json,
            None => self.json,
        }
    }
}

/// Runs until asked to end, or makes the key.
pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    if let Some(Verb::Init { data, name, json }) = arguments.verb {
        return init(&data, name.as_deref(), json);
    }
    let logs = arguments.log.iter().map(|text| text.parse::<VerifierKey>());
    let logs = logs
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Failure::misuse("witness.log_key", format_args!("this is no verifier key: {error}")))?;
    let folder = arguments.data.unwrap_or_default();
    let name = name_of(&folder, arguments.name.as_deref())?;
    let runtime = runtime()?;
    let witness = Witness::open(WitnessOptions { folder, name, logs, clock: system_time }).map_err(refuse)?;
    let (is_new, vkey) = (witness.is_new(), witness.verifier_key().to_string());
    runtime.block_on(async {
        let bound = witness.bind(arguments.listen).await.map_err(refuse)?;
        let (address, end) = (bound.address(), asked_to_end());
        if arguments.json {
            say(json!({ "listening": address.to_string(), "witness_vkey": vkey }));
        } else {
            if is_new {
                say("This is a new witness: it has a new key, and has cosigned nothing yet.");
            }
            say(format_args!("The witness answers at http://{address}."));
            say(format_args!("Its key, for services and policies: {vkey}"));
            say("Ctrl-C ends it.");
        }
        bound.run(end).await.map_err(refuse)
    })
}

fn init(folder: &Path, name: Option<&str>, json: bool) -> Result<(), Failure> {
    let name = name_of(folder, name)?;
    let store = Store::open(folder, &name).map_err(|error| refuse(error.into()))?;
    let vkey = store.signer().verifier_key().to_string();
    if json {
        say(json!({ "witness_vkey": vkey }));
    } else {
        say(format_args!("Its key, for services and policies: {vkey}"));
    }
    Ok(())
}

/// The name that the folder's key has, else the one that is asked for, else a random one.
fn name_of(folder: &Path, asked: Option<&str>) -> Result<KeyName, Failure> {
    let kept = Store::kept_name(folder).map_err(|error| refuse(error.into()))?;
    let text = match (asked, kept) {
        (None, Some(kept)) => return Ok(kept),
        (Some(asked), _) => asked.to_owned(),
        (None, None) => {
            let mut random = [0; 4];
            getrandom::fill(&mut random).map_err(Failure::broken)?;
            format!("witness-{:08x}", u32::from_be_bytes(random))
        }
    };
    text.parse().map_err(|_| Failure::misuse("witness.name", "a name has no spaces, no plus and no control characters"))
}

fn refuse(error: WitnessError) -> Failure {
    let kind = match error.code() {
        "witness.log_key" | "witness.name" => Kind::Misuse,
        "store.locked" => Kind::Refused,
        _ => Kind::Broken,
    };
    Failure::new(kind, error.code(), with_sources(&error))
}
