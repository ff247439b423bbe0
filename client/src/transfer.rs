//! Files on their way, as a shell moves them: it is told what to ask, to read and to write, one thing after the other, and
//! never holds more than a part of a file. No file, no network and no clock here.
//!
//! ```text
//! upload:    ask how far the service is → read a part, compare it, seal it → send it → …           ([`Upload`])
//! download:  look at what is there already → ask for a piece → open it → write it → compare all    ([`Download`])
//! ```
//!
//! A client hands these out in [`crate::step::Output::transfers`], and is told by [`crate::step::Input::Transferred`] how
//! each has ended. One that is dropped on the way is handed out again after the next start and goes on from where the
//! service, or the file, is. Not in scope: what is to be moved and what follows from it (`files`).

mod download;
mod upload;

use protocol::api::blobs::BLOBS;
use protocol::blob::{Cipher, Manifest};
use protocol::content::Preview;
use protocol::id::{BlobId, MessageId};
use protocol::refusal::Problem;

pub use download::{Doing as Downloading, Download};
pub use upload::{Doing as Uploading, Upload};

use crate::step::{Answer, Call, Failure, IntentId, RequestId};

/// A file is to be moved.
#[derive(Debug)]
pub struct Transfer {
    /// To be named when it has ended.
    pub id: RequestId,
    /// The intent that it is for.
    pub intent: IntentId,
    /// What is to be done.
    pub job: Job,
}

/// Which way.
#[derive(Debug)]
pub enum Job {
    /// From a file of this machine to the service.
    Upload(Box<Upload>),
    /// From the service into a file.
    Download(Box<Download>),
}

/// Where a file is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// An absolute path.
    pub path: String,
    /// True if it may take the place of another one.
    pub replace: bool,
}

/// Files of up to so many bytes are kept when they pass, without anybody's asking (BLB-7).
pub const KEPT_UNASKED: u64 = 10_000_000;

/// For what nothing may be kept any more (BLB-8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forgotten {
    /// A message that was taken back or is gone.
    Message(MessageId),
    /// A file at this path, that was to be sent: it is, or nobody wants it to be any more.
    Source(String),
    /// A message that was not sent, and is written once more for its intent: what is kept is of that one then.
    Unsent {
        /// As it was.
        message: MessageId,
        /// Who wants it.
        intent: IntentId,
    },
    /// All that this device had.
    Everything,
}

/// How a transfer has ended.
#[derive(Debug, Clone)]
pub enum End {
    /// All of it is there: on the service's disk, or under its name.
    Done,
    /// The service says no.
    Refused(Problem),
    /// Nobody answers; it goes on later.
    Unreachable,
    /// It cannot go on.
    Failed(Failure),
}

impl End {
    /// As an answer of the service, or what it has failed with.
    pub(crate) fn answer(self) -> Result<Answer, Failure> {
        match self {
            Self::Done => Ok(Answer::Ok(Vec::new())),
            Self::Refused(problem) => Ok(Answer::Refused(problem)),
            Self::Unreachable => Ok(Answer::Unreachable),
            Self::Failed(failure) => Err(failure),
        }
    }
}

/// A file of this machine, as it is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalFile {
    /// Where it is: an absolute path.
    pub path: String,
    /// What the receivers see as its name.
    pub name: String,
    /// Its media type.
    pub content_type: String,
    /// What it was when it was measured.
    pub manifest: Manifest,
    /// What it is like, of a picture.
    pub preview: Option<Preview>,
    /// True if what is sent is not what lies there, but what is left of that picture without what it tells (BLB-11).
    pub is_cleaned: bool,
}

/// What both directions need.
pub(crate) struct Blob {
    pub(crate) id: BlobId,
    pub(crate) bearer: String,
    pub(crate) cipher: Cipher,
}

impl Blob {
    fn call(&self, rest: &str, body: Option<Vec<u8>>) -> Call {
        Call { path: format!("{BLOBS}{}{rest}", self.id), body, bearer: Some(self.bearer.clone()) }
    }
}

/// A number of bytes as it indexes memory. Parts and pieces are far below the limit.
fn index(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
