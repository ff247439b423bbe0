//! From a file of this machine to the service (BLB-3, BLB-5).

use std::collections::VecDeque;
use std::ops::Range;

use chain::id::Digest;
use protocol::api::blobs::{BLOB_OFFSET, BlobOpening, BlobProgress};
use protocol::blob::{MAX_PART, Manifest};

use super::{Blob, End, KEPT_UNASKED, index};
use crate::failure::ANSWER_MALFORMED;
use crate::step::{Answer, Call, Failure};

/// The first body; the next ones grow as long as they arrive quickly.
const FIRST_BODY: u64 = 1 << 20;
/// A body that has taken longer was large enough, milliseconds.
const QUICK_MS: u64 = 1_500;
/// Sealed parts that are ready at a time: the one that is sent, and the next.
const READY: usize = 2;
/// Answers in a row that brought nothing further.
const FRUITLESS: u32 = 3;

/// What is to be done next.
#[derive(Debug)]
pub enum Doing {
    /// Ask the service, and give [`Upload::answered`] what it says.
    Ask(Call),
    /// Read these bytes of the file, and give them to [`Upload::read`].
    Read(Range<u64>),
    /// It is over.
    End(End),
}

/// A sealed part, and where in the blob it stands.
struct Sealed {
    at: u64,
    bytes: Vec<u8>,
}

impl Sealed {
    fn end(&self) -> u64 {
        self.at.saturating_add(self.bytes.len() as u64)
    }
}

/// An upload under way.
pub struct Upload {
    blob: Blob,
    path: String,
    is_cleaned: bool,
    parts: Vec<Digest>,
    /// How far the service is; `None` until it has said so.
    have: Option<u64>,
    ready: VecDeque<Sealed>,
    body: u64,
    fruitless: u32,
    ended: Option<End>,
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Upload(..)")
    }
}

impl Upload {
    pub(crate) fn new(blob: Blob, path: String, is_cleaned: bool, manifest: &Manifest) -> Self {
        let (parts, ready) = (manifest.parts.clone(), VecDeque::new());
        Self { blob, path, is_cleaned, parts, have: None, ready, body: FIRST_BODY, fruitless: 0, ended: None }
    }

    /// The file.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// True if what is read is not what lies there, but what is left of that picture without what it tells (BLB-11).
    pub fn is_cleaned(&self) -> bool {
        self.is_cleaned
    }

    /// How many bytes the service has, and how many it is to have.
    pub fn progress(&self) -> (u64, u64) {
        (self.have.unwrap_or_default(), self.size())
    }

    fn size(&self) -> u64 {
        self.blob.cipher.layout().sealed()
    }

    /// True if the blob is to be kept here too (BLB-7).
    pub fn is_kept(&self) -> bool {
        self.blob.cipher.layout().length() <= KEPT_UNASKED
    }

    /// The bytes of the file that are in a part; `None` behind the last one.
    pub fn part(&self, part: u64) -> Option<Range<u64>> {
        let layout = self.blob.cipher.layout();
        (part < layout.parts()).then(|| layout.part(part))
    }

    /// Seals a part once more, to the same bytes as before (BLB-3); `None` if the file is another one by now.
    pub fn seal(&self, part: u64, bytes: &[u8]) -> Option<Vec<u8>> {
        let is_same = self.parts.get(index(part)) == Some(&Digest::sha256(bytes));
        self.blob.cipher.seal_part(part, bytes).ok().filter(|_| is_same)
    }

    /// What is to be done next.
    pub fn go_on(&mut self) -> Doing {
        if let Some(end) = &self.ended {
            return Doing::End(end.clone());
        }
        let Some(have) = self.have else { return Doing::Ask(self.opening()) };
        while self.ready.front().is_some_and(|part| part.end() <= have) {
            self.ready.pop_front();
        }
        match self.ready.front().filter(|part| part.at <= have) {
            Some(part) => {
                let from = index(have.saturating_sub(part.at));
                let bytes = part.bytes.get(from..).unwrap_or_default();
                let body = bytes.get(..index(self.body)).unwrap_or(bytes).to_vec();
                Doing::Ask(self.blob.call(&format!("/parts?at={have}"), Some(body)))
            }
            None => {
                self.ready.clear();
                Doing::Read(self.blob.cipher.layout().part(have / MAX_PART))
            }
        }
    }

    /// What may be read while the service is asked: the part after those that are ready.
    pub fn ahead(&self) -> Option<Range<u64>> {
        let next = self.ready.back()?.end() / MAX_PART;
        let layout = self.blob.cipher.layout();
        (self.ready.len() < READY && self.ended.is_none() && next < layout.parts()).then(|| layout.part(next))
    }

    /// The bytes of the file that were to be read; fewer, or none, if it has no more.
    pub fn read(&mut self, bytes: &[u8]) {
        let layout = self.blob.cipher.layout();
        let part = match self.ready.back() {
            Some(last) => last.end() / MAX_PART,
            None => self.have.unwrap_or_default() / MAX_PART,
        };
        // BLB-3: under one key no second file is ever sealed, whatever became of the first
        match self.seal(part, bytes) {
            Some(bytes) => self.ready.push_back(Sealed { at: layout.sealed_part(part).start, bytes }),
            None => self.ended = Some(End::Failed(changed())),
        }
    }

    /// The file cannot be read: why not, for a person.
    pub fn unreadable(&mut self, reason: &str) {
        let message = format!("the file can't be read any more ({reason}), so it was not sent");
        self.ended = Some(End::Failed(Failure::misuse("file.unreadable", message)));
    }

    /// The service's answer to the last question, and how long it took, milliseconds.
    pub fn answered(&mut self, answer: Answer, took_ms: u64) {
        let progress = match answer {
            Answer::Unreachable => return self.ended = Some(End::Unreachable),
            Answer::Refused(problem) if problem.code == BLOB_OFFSET && self.fruitless < FRUITLESS => {
                // a part arrived and its answer did not, or one is still on its way: the service says how far it is
                self.fruitless = self.fruitless.saturating_add(1);
                return self.have = None;
            }
            Answer::Refused(problem) if problem.code == BLOB_OFFSET => return self.ended = Some(End::Unreachable),
            Answer::Refused(problem) => return self.ended = Some(End::Refused(problem)),
            Answer::Ok(body) => serde_json::from_slice::<BlobProgress>(&body).ok(),
        };
        let Some(progress) = progress.filter(|it| it.size == self.size() && it.have <= it.size) else {
            let failure = Failure::lie(ANSWER_MALFORMED, "the service's answer is not one");
            return self.ended = Some(End::Failed(failure));
        };
        match self.have {
            Some(before) if progress.have <= before => {
                self.fruitless = self.fruitless.saturating_add(1);
                if self.fruitless > FRUITLESS {
                    self.ended = Some(End::Unreachable);
                }
            }
            Some(_) => {
                self.fruitless = 0;
                self.body = if took_ms < QUICK_MS { self.body.saturating_mul(2).min(MAX_PART) } else { self.body };
            }
            None => {}
        }
        self.have = Some(progress.have);
        if progress.have == progress.size {
            self.ended = Some(End::Done);
        }
    }

    fn opening(&self) -> Call {
        let body = serde_json::to_vec(&BlobOpening { size: self.size() }).unwrap_or_default();
        self.blob.call("", Some(body))
    }
}

fn changed() -> Failure {
    Failure::refused("file.changed", "the file was changed while it was being sent, so it was not sent; send it again")
}
