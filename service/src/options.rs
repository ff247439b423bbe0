//! What an operator may set. Ten settings; each says who would change it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chain::log::note::VerifierKey;
use protocol::limits::Limits;

use crate::disk::folder::free_percent;
use crate::error::StartError;
use crate::http::connections::Patience;
use crate::http::tls::TlsFiles;
use crate::shared::Clock;

/// The settings.
pub struct Options {
    /// The data folder, one per log. Everybody who runs a service.
    pub data: PathBuf,
    /// Where to listen; `None` for a service that is only called in its own process. Everybody.
    pub listen: Option<SocketAddr>,
    /// TLS on that address; `None` for plain HTTP, on loopback or behind a proxy. Who runs a service without a proxy.
    pub tls: Option<TlsFiles>,
    /// The witnesses of a new log; for a log that is there, new addresses of its witnesses. Everybody.
    pub witnesses: Vec<WitnessAddress>,
    /// The origin of a new log; by default the address. Who runs a service under a name.
    pub origin: Option<String>,
    /// Time between blocks when nothing happens. Who runs witnesses that are slow.
    pub heartbeat: Duration,
    /// How much one account or address may ask for. Who runs a load test.
    pub limits: Limits,
    /// How long a connection may keep the service waiting. Tests.
    pub patience: Patience,
    /// Seconds since 1970. Tests.
    pub clock: Clock,
    /// The free part of the disk in percent. Tests.
    pub free_percent: fn(&Path) -> io::Result<u64>,
}

impl Options {
    /// The defaults for a data folder: no listener, no witnesses, a block at least every 60 seconds.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            listen: None,
            tls: None,
            witnesses: Vec::new(),
            origin: None,
            heartbeat: Duration::from_secs(60),
            limits: Limits::PUBLIC,
            patience: Patience::default(),
            clock: Arc::new(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())),
            free_percent,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("data", &self.data).field("listen", &self.listen).finish_non_exhaustive()
    }
}

/// A witness as an operator names it: `<vkey>@<URL>`, or a URL alone, at which the witness tells its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessAddress {
    /// Its key; without one it is asked for once and then kept for good.
    pub key: Option<VerifierKey>,
    /// Submission prefix (C2SP tlog-witness), without a slash at the end.
    pub url: String,
}

impl FromStr for WitnessAddress {
    type Err = StartError;
    fn from_str(text: &str) -> Result<Self, StartError> {
        let bad = || StartError::BadWitness(text.to_owned());
        let is_url = |text: &str| {
            let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
            rest.is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_graphic()))
        };
        let (key, url) = if is_url(text) {
            (None, text)
        } else {
            let at = text.find("@http").ok_or_else(bad)?;
            let (key, url) = text.split_at_checked(at).ok_or_else(bad)?;
            (Some(key.parse().map_err(|_| bad())?), url.trim_start_matches('@'))
        };
        if is_url(url) { Ok(Self { key, url: url.trim_end_matches('/').to_owned() }) } else { Err(bad()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_witness_is_a_url_with_or_without_its_key() {
        let url: WitnessAddress = "http://localhost:8101/w/".parse().unwrap();
        assert_eq!((url.key, url.url.as_str()), (None, "http://localhost:8101/w"));
        for bad in ["", "localhost:1", "http://", "key@http://a", "ftp://a", "http://a b"] {
            assert!(bad.parse::<WitnessAddress>().is_err(), "{bad}");
        }
    }
}
