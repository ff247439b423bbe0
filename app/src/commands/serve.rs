//! `trefoil serve`: a service.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::json;
use service::{Options, Service, StartError, Stopped, TlsFiles, WitnessAddress};

use super::{asked_to_end, runtime, say};
use crate::failure::{Failure, Kind};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Folder of this log: keys, database, blocks. Made at the first start
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Address and port; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8400")]
    listen: SocketAddr,
    /// Certificate for TLS, then those that lead to its issuer (PEM). Without it: plain HTTP, for this machine or a proxy
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// A witness: VKEY@URL, or a URL alone if it tells its key. Repeat for each
    #[arg(long, value_name = "WITNESS")]
    witness: Vec<String>,
    /// Name of the log, at its first start only; by default made from the address
    #[arg(long, value_name = "NAME")]
    origin: Option<String>,
    /// One JSON object when ready
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs until asked to end.
pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let witnesses = arguments.witness.iter().map(|text| text.parse::<WitnessAddress>());
    let witnesses = witnesses.collect::<Result<Vec<_>, _>>().map_err(|error| refuse(&error))?;
    let data = std::path::absolute(&arguments.data).map_err(Failure::broken)?;
    let mut options = Options::new(data);
    options.listen = Some(arguments.listen);
    options.tls = tls_files(arguments.tls_cert, arguments.tls_key);
    let scheme = if options.tls.is_some() { "https" } else { "http" };
    options.witnesses = witnesses;
    options.origin = arguments.origin;
    let runtime = runtime()?;
    let service = Service::open(options).map_err(|error| refuse(&error))?;
    runtime.block_on(async {
        let end = asked_to_end();
        announce(&service, scheme, arguments.json);
        service.run(end).await.map_err(|stopped| ended(&stopped))
    })
}

/// Both or none: the arguments require each other.
fn tls_files(certificate: Option<PathBuf>, key: Option<PathBuf>) -> Option<TlsFiles> {
    certificate.zip(key).map(|(certificate, key)| TlsFiles { certificate, key })
}

fn announce(service: &Service, scheme: &str, json: bool) {
    let address = service.address().map(|address| address.to_string()).unwrap_or_default();
    let url = format!("{scheme}://{address}");
    let (vkey, policy) = (service.log_vkey().to_string(), service.policy_path().display().to_string());
    if json {
        say(json!({ "listening": address, "service": url, "log_vkey": vkey, "policy": policy }));
        return;
    }
    say(format_args!("The service answers at {url}."));
    say(format_args!("Its log key, for witnesses and auditors: {vkey}"));
    say(format_args!("Its witness policy, to hand to clients: {policy}"));
    say("Ctrl-C ends it.");
}

fn refuse(error: &StartError) -> Failure {
    let kind = match error {
        StartError::BadWitness(_) | StartError::BadOrigin | StartError::OtherOrigin { .. } | StartError::Tls { .. } => {
            Kind::Misuse
        }
        StartError::Locked => Kind::Refused,
        _ => Kind::Broken,
    };
    Failure::new(kind, error.code(), with_sources(error))
}

fn ended(stopped: &Stopped) -> Failure {
    Failure::new(Kind::Broken, stopped.code(), with_sources(stopped))
}

/// The sentence and the causes behind it.
pub(crate) fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
