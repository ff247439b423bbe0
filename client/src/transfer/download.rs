//! From the service, or from what is kept of it here, into a file (BLB-2, BLB-6, BLB-7).

use std::ops::Range;

use chain::id::Digest;
use protocol::api::blobs::MAX_PIECE;
use protocol::blob::{BlobBroken, CHUNK, SEALED_CHUNK, Sha256};
use protocol::id::MessageId;

use super::{Blob, End, KEPT_UNASKED, Target, index};
use crate::step::{Answer, Call, Failure};

/// Chunks of a piece.
const PIECE_CHUNKS: u64 = MAX_PIECE / SEALED_CHUNK as u64;

/// What is to be done next.
pub enum Doing {
    /// Ask the service, read no more than one byte more than [`Download::expected`], and give [`Download::answered`] what
    /// it says.
    Ask(Call),
    /// Write these bytes behind what is there; then go on.
    Write(Vec<u8>),
    /// All that is written is the file: put it under its name.
    Finish,
    /// It is over.
    End(End),
}

/// A download under way.
pub struct Download {
    blob: Blob,
    hash: Digest,
    message: MessageId,
    target: Option<Target>,
    /// The next chunk to ask for.
    chunk: u64,
    so_far: Sha256,
    opened: Option<Vec<u8>>,
    ended: Option<End>,
}

impl std::fmt::Debug for Doing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Doing(..)")
    }
}

impl std::fmt::Debug for Download {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Download(..)")
    }
}

impl Download {
    pub(crate) fn new(blob: Blob, hash: Digest, message: MessageId, target: Option<Target>) -> Self {
        Self { blob, hash, message, target, chunk: 0, so_far: Sha256::default(), opened: None, ended: None }
    }

    pub(crate) fn asking_with(mut self, bearer: String) -> Self {
        self.blob.bearer = bearer;
        self
    }

    /// Begins anew: what was there so far was not it.
    pub fn begin_again(&mut self) {
        (self.chunk, self.so_far, self.opened, self.ended) = (0, Sha256::default(), None, None);
    }

    /// Where the file is to be; `None`: nowhere, it is to be kept as it comes.
    pub fn target(&self) -> Option<&Target> {
        self.target.as_ref()
    }

    /// The message with the file.
    pub fn message(&self) -> MessageId {
        self.message
    }

    /// True if the blob is to be kept as it comes (BLB-7).
    pub fn is_kept(&self) -> bool {
        self.target.is_none() || self.blob.cipher.layout().length() <= KEPT_UNASKED
    }

    /// What the unfinished file is called: the same for the same blob, and nothing that its sender has chosen.
    pub fn mark(&self) -> String {
        self.blob.id.to_string().chars().take(16).collect()
    }

    /// How many bytes are here, and how many there are to be.
    pub fn progress(&self) -> (u64, u64) {
        let size = self.blob.cipher.layout().sealed();
        (self.chunk.saturating_mul(SEALED_CHUNK as u64).min(size), size)
    }

    /// How many bytes of an unfinished file of this length are of use: whole chunks of it. Those are to be given to
    /// [`Self::found`], and what stands behind them to be cut off.
    pub fn of_use(&self, length: u64) -> u64 {
        length.min(self.blob.cipher.layout().length()) / CHUNK as u64 * CHUNK as u64
    }

    /// Bytes that are there already, in their order.
    pub fn found(&mut self, bytes: &[u8]) {
        self.so_far.add(bytes);
        self.chunk = self.chunk.saturating_add((bytes.len() / CHUNK) as u64);
    }

    /// What is to be done next.
    pub fn go_on(&mut self) -> Doing {
        if let Some(end) = &self.ended {
            return Doing::End(end.clone());
        }
        if let Some(bytes) = self.opened.take().filter(|bytes| !bytes.is_empty()) {
            return Doing::Write(bytes);
        }
        if self.chunk < self.blob.cipher.layout().chunks() {
            return Doing::Ask(self.question(self.chunk));
        }
        if self.so_far.clone().finish() == self.hash {
            return Doing::Finish;
        }
        self.ended = Some(End::Failed(broken()));
        Doing::End(End::Failed(broken()))
    }

    /// What may be asked while the last piece is written: the piece after it.
    pub fn ahead(&self) -> Option<Call> {
        let next = self.chunk.saturating_add(PIECE_CHUNKS);
        (next < self.blob.cipher.layout().chunks()).then(|| self.question(next))
    }

    /// How many bytes the next answer has.
    pub fn expected(&self) -> u64 {
        let range = self.wanted();
        range.end.saturating_sub(range.start)
    }

    /// The service's answer to the last question.
    pub fn answered(&mut self, answer: Answer) {
        let mut bytes = match answer {
            Answer::Ok(bytes) => bytes,
            Answer::Refused(problem) => return self.ended = Some(End::Refused(problem)),
            Answer::Unreachable => return self.ended = Some(End::Unreachable),
        };
        let is_whole = bytes.len() == index(self.expected());
        if !is_whole || self.blob.cipher.open(self.chunk, &mut bytes).is_err() {
            return self.ended = Some(End::Failed(broken()));
        }
        self.so_far.add(&bytes);
        self.chunk = self.chunk.saturating_add(PIECE_CHUNKS).min(self.blob.cipher.layout().chunks());
        self.opened = Some(bytes);
    }

    /// The file is under its name.
    pub fn finished(&mut self) {
        self.ended = Some(End::Done);
    }

    /// It cannot be written: a stable code, and why, for a person.
    pub fn unwritable(&mut self, code: &str, message: String) {
        self.ended = Some(End::Failed(Failure::misuse(code, message)));
    }

    /// Where in the blob the bytes of the next answer stand.
    pub fn wanted(&self) -> Range<u64> {
        self.range(self.chunk)
    }

    fn range(&self, chunk: u64) -> Range<u64> {
        let size = self.blob.cipher.layout().sealed();
        let begin = chunk.saturating_mul(SEALED_CHUNK as u64).min(size);
        begin..begin.saturating_add(MAX_PIECE).min(size)
    }

    fn question(&self, chunk: u64) -> Call {
        let range = self.range(chunk);
        let length = range.end.saturating_sub(range.start);
        self.blob.call(&format!("?at={}&length={length}", range.start), None)
    }
}

fn broken() -> Failure {
    Failure::lie(BlobBroken::CODE, format!("{BlobBroken}; nothing of it was kept"))
}
