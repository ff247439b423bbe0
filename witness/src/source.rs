//! Where an auditor reads a log: the static files of C2SP tlog-tiles and the block bodies, over HTTP or in a folder.
//!
//! Nothing that comes from here is believed; everything is checked against the signed checkpoint.

use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use ureq::Agent;

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Why a file cannot be had.
#[derive(Debug, Error)]
pub enum SourceError {
    /// Neither `http(s)://…` nor a folder.
    #[error("{0} is neither an http address nor a folder")]
    NotASource(String),
    /// No answer, or not a good one.
    #[error("{path} cannot be fetched: {reason}")]
    Unreachable {
        /// The file.
        path: String,
        /// What the network said.
        reason: String,
    },
    /// There is no such file.
    #[error("{path} is not there")]
    Missing {
        /// The file.
        path: String,
    },
    /// Longer than it may be.
    #[error("{path} has more than {max} bytes")]
    TooLong {
        /// The file.
        path: String,
        /// How many it may have.
        max: usize,
    },
}

impl SourceError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotASource(_) => "source.address",
            Self::Unreachable { .. } | Self::Missing { .. } => "service.unreachable",
            Self::TooLong { .. } => "chain.proof_invalid",
        }
    }
}

/// A log's files.
#[derive(Debug, Clone)]
pub enum Source {
    /// Behind an HTTP address, without a slash at its end.
    Web {
        /// Keeps connections open.
        agent: Agent,
        /// The address.
        base: String,
    },
    /// In a folder.
    Folder(PathBuf),
}

impl Source {
    /// Takes an `http://` or `https://` address, or the path of a folder.
    ///
    /// # Errors
    /// [`SourceError::NotASource`].
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        if text.starts_with("http://") || text.starts_with("https://") {
            let agent =
                Agent::config_builder().timeout_global(Some(TIMEOUT)).http_status_as_error(false).build().new_agent();
            return Ok(Self::Web { agent, base: text.trim_end_matches('/').to_owned() });
        }
        let folder = PathBuf::from(text);
        if folder.is_dir() { Ok(Self::Folder(folder)) } else { Err(SourceError::NotASource(text.to_owned())) }
    }

    /// Reads one file of at most `max` bytes; `path` is relative, such as `tile/entries/000`.
    ///
    /// # Errors
    /// [`SourceError`].
    pub fn read(&self, path: &str, max: usize) -> Result<Vec<u8>, SourceError> {
        let bytes = match self {
            Self::Web { agent, base } => fetch(agent, base, path, max)?,
            Self::Folder(folder) => open(folder, path, max)?,
        };
        if bytes.len() > max { Err(SourceError::TooLong { path: path.to_owned(), max }) } else { Ok(bytes) }
    }
}

fn fetch(agent: &Agent, base: &str, path: &str, max: usize) -> Result<Vec<u8>, SourceError> {
    let unreachable =
        |reason: &dyn std::fmt::Display| SourceError::Unreachable { path: path.to_owned(), reason: reason.to_string() };
    let mut answer = agent.get(format!("{base}/{path}")).call().map_err(|error| unreachable(&error))?;
    match answer.status().as_u16() {
        200 => {}
        404 => return Err(SourceError::Missing { path: path.to_owned() }),
        status => return Err(unreachable(&format!("status {status}"))),
    }
    let limit = max as u64 + 1;
    let mut bytes = Vec::new();
    let read = answer.body_mut().with_config().limit(u64::MAX).reader().take(limit).read_to_end(&mut bytes);
    read.map_err(|error| unreachable(&error))?;
    Ok(bytes)
}

fn open(folder: &std::path::Path, path: &str, max: usize) -> Result<Vec<u8>, SourceError> {
    let file = std::fs::File::open(folder.join(path)).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => SourceError::Missing { path: path.to_owned() },
        _ => SourceError::Unreachable { path: path.to_owned(), reason: error.to_string() },
    })?;
    let mut bytes = Vec::new();
    file.take(max as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| SourceError::Unreachable { path: path.to_owned(), reason: error.to_string() })?;
    Ok(bytes)
}
