//! What a witness decides on, and the bodies of its protocol (C2SP tlog-witness, rules WIT-1, WIT-2, WIT-5).
//!
//! The decision is a function of the newest checkpoint that the witness cosigned for this log and of the request. To
//! store the result before the cosignature leaves (WIT-3) is the duty of the program (crate `witness`). Not in scope:
//! `sign-subtree`, which tlog-witness leaves open.

use std::fmt;

use thiserror::Error;

use super::checkpoint::{Checkpoint, CheckpointError, format_hash, parse_decimal, parse_hash};
use super::cosignature;
use super::merkle::{self, MAX_PROOF_HASHES, ProofError};
use super::note::{self, MAX_NOTE_BYTES, NoteError, NoteSignature, NoteSigner, SignedNote, VerifierKey};
use crate::id::Digest;

/// Longest body of an add-checkpoint request in bytes: the old size, 63 hashes, the note.
pub const MAX_REQUEST_BYTES: usize = MAX_NOTE_BYTES + 4096;

/// The type of the body that names the size to start from (status 409).
pub const SIZE_CONTENT_TYPE: &str = "text/x.tlog.size";

/// Bytes that are not a body of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BodyError {
    /// Longer than [`MAX_REQUEST_BYTES`].
    #[error("the body has {bytes} bytes, the most is {MAX_REQUEST_BYTES}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not UTF-8, or without an empty line.
    #[error("the body is no text with an empty line")]
    NotText,
    /// No old size in the first line.
    #[error("the old size is malformed")]
    BadOldSize,
    /// More than 63 hashes.
    #[error("the proof has more than {MAX_PROOF_HASHES} hashes")]
    TooManyHashes,
    /// A hash that is not the base64 form of 32 bytes.
    #[error("a hash of the proof is malformed")]
    BadHash,
    /// The rest is no checkpoint.
    #[error("the checkpoint is malformed")]
    Checkpoint(#[from] CheckpointError),
    /// A tree size in an answer is malformed.
    #[error("the size in the answer is malformed")]
    BadSize,
}

/// The body of an add-checkpoint request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpointRequest {
    old_size: u64,
    proof: Vec<Digest>,
    note: SignedNote,
    checkpoint: Checkpoint,
}

impl AddCheckpointRequest {
    /// A request to cosign `note`, with the proof that its tree begins with the one of `old_size` leaves.
    ///
    /// # Errors
    /// [`CheckpointError`] if the note is no checkpoint.
    pub fn new(old_size: u64, proof: Vec<Digest>, note: SignedNote) -> Result<Self, CheckpointError> {
        let checkpoint = Checkpoint::parse(note.text())?;
        Ok(Self { old_size, proof, note, checkpoint })
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`BodyError`]; the answer to each is status 400.
    pub fn parse(bytes: &[u8]) -> Result<Self, BodyError> {
        if bytes.len() > MAX_REQUEST_BYTES {
            return Err(BodyError::TooLong { bytes: bytes.len() });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| BodyError::NotText)?;
        let (head, note) = text.split_once("\n\n").ok_or(BodyError::NotText)?;
        let mut lines = head.split('\n');
        let old_size = lines.next().and_then(|line| line.strip_prefix("old ")).and_then(parse_decimal);
        let old_size = old_size.ok_or(BodyError::BadOldSize)?;
        if lines.clone().count() > MAX_PROOF_HASHES {
            return Err(BodyError::TooManyHashes);
        }
        let proof = lines.map(parse_hash).collect::<Option<_>>().ok_or(BodyError::BadHash)?;
        let note = SignedNote::parse(note.as_bytes()).map_err(CheckpointError::from)?;
        Ok(Self::new(old_size, proof, note)?)
    }

    /// What the witness is asked to cosign.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }
}

/// Writes the body.
impl fmt::Display for AddCheckpointRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old_size)?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{}", format_hash(hash)))?;
        write!(f, "\n{}", self.note)
    }
}

/// Why a witness does not cosign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The body is no request.
    #[error("the request is malformed")]
    Malformed(#[from] BodyError),
    /// No key is known for the log of this origin.
    #[error("the log is not known")]
    UnknownOrigin,
    /// No good signature by a key of the log.
    #[error("the checkpoint is not signed by its log")]
    NotSignedByLog(#[source] NoteError),
    /// The old size is above the new one.
    #[error("the old size {old_size} is above the new size {new_size}")]
    OldSizeAboveNew {
        /// In the request.
        old_size: u64,
        /// In the checkpoint.
        new_size: u64,
    },
    /// The old size is not the size of the newest checkpoint that was cosigned.
    #[error("the newest cosigned checkpoint has size {cosigned_size}")]
    Stale {
        /// The size to start from.
        cosigned_size: u64,
    },
    /// Another root for a size that was cosigned already: the log signed a fork.
    #[error("another root was cosigned for size {size}")]
    Fork {
        /// The size.
        size: u64,
    },
    /// A root of the empty tree that is not its root.
    #[error("the root of the empty tree is wrong")]
    EmptyTreeRoot,
    /// The proof does not lead from the cosigned root to the new one.
    #[error("the consistency proof is refused")]
    Proof(#[source] ProofError),
}

impl Refusal {
    /// The status of the answer (tlog-witness).
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) | Self::OldSizeAboveNew { .. } => 400,
            Self::NotSignedByLog(_) => 403,
            Self::UnknownOrigin => 404,
            Self::Stale { .. } | Self::Fork { .. } => 409,
            Self::EmptyTreeRoot | Self::Proof(_) => 422,
        }
    }

    /// The stable code of this refusal.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "witness.malformed",
            Self::OldSizeAboveNew { .. } => "witness.old_size",
            Self::NotSignedByLog(_) => "witness.log_signature",
            Self::UnknownOrigin => "witness.unknown_origin",
            Self::Stale { .. } => "witness.stale",
            Self::Fork { .. } => "chain.fork",
            Self::EmptyTreeRoot | Self::Proof(_) => "chain.proof_invalid",
        }
    }

    /// The type of [`Refusal::body`], if it is not plain text: a fork is no size to start from.
    pub fn content_type(&self) -> Option<&'static str> {
        matches!(self, Self::Stale { .. }).then_some(SIZE_CONTENT_TYPE)
    }

    /// The body of the answer: for another old size the size to start from and a newline, as tlog-witness demands; else
    /// the code.
    pub fn body(&self) -> String {
        match self {
            Self::Stale { cosigned_size } => format!("{cosigned_size}\n"),
            _ => format!("{}\n", self.code()),
        }
    }
}

/// A checkpoint that may be cosigned. Made by [`decide`] only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    checkpoint: Checkpoint,
    text: String,
    /// The lines by the keys of the log, each of them good.
    log_lines: Vec<NoteSignature>,
}

/// What a witness has to store, and then to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    /// The checkpoint with the signatures of its log and the cosignature: the newest state for this log, whole (WIT-1).
    pub note: SignedNote,
    /// The body of the answer: the line of the cosignature.
    pub answer: String,
}

impl Accepted {
    /// What is accepted.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Cosigns at `time`, in seconds since 1970. The result must be stored before any of it is told (WIT-3).
    ///
    /// # Errors
    /// As [`cosignature::cosign`].
    pub fn cosign(self, signer: &NoteSigner, time: u64) -> Result<Cosigned, NoteError> {
        let line = cosignature::cosign(signer, &self.checkpoint, time)?;
        let answer = line.to_string();
        let lines: Vec<_> = self.log_lines.into_iter().chain([line]).collect();
        Ok(Cosigned { note: SignedNote::new(&self.text, &lines)?, answer })
    }
}

/// Decides on a request as tlog-witness demands, in its order of checks (WIT-2).
///
/// `log_keys` are the keys of all logs that this witness knows; the name of each is the origin of its log. `cosigned` is
/// the newest checkpoint of this log that the witness cosigned, if any. The same checkpoint may be cosigned again, for
/// a newer time (WIT-5).
///
/// # Errors
/// [`Refusal`].
pub fn decide(
    cosigned: Option<&Checkpoint>,
    request: &AddCheckpointRequest,
    log_keys: &[VerifierKey],
) -> Result<Accepted, Refusal> {
    let AddCheckpointRequest { old_size, proof, note, checkpoint } = request;
    let old_size = *old_size;
    let log_lines = check_log_signature(checkpoint, note, log_keys)?;
    if old_size > checkpoint.size {
        return Err(Refusal::OldSizeAboveNew { old_size, new_size: checkpoint.size });
    }
    let (cosigned_size, cosigned_root) = cosigned.map_or((0, merkle::empty_root()), |c| (c.size, c.root));
    if old_size != cosigned_size {
        return Err(Refusal::Stale { cosigned_size });
    }
    if checkpoint.size == 0 && checkpoint.root != merkle::empty_root() {
        return Err(Refusal::EmptyTreeRoot);
    }
    if old_size == checkpoint.size && cosigned_root != checkpoint.root {
        return Err(Refusal::Fork { size: old_size });
    }
    merkle::verify_consistency(old_size, checkpoint.size, proof, &cosigned_root, &checkpoint.root)
        .map_err(Refusal::Proof)?;
    Ok(Accepted { checkpoint: checkpoint.clone(), text: note.text().to_owned(), log_lines })
}

/// The lines by keys of the log that the checkpoint names, all of them good and at least one.
fn check_log_signature(
    checkpoint: &Checkpoint,
    note: &SignedNote,
    log_keys: &[VerifierKey],
) -> Result<Vec<NoteSignature>, Refusal> {
    let keys: Vec<_> = log_keys.iter().filter(|key| key.name().as_str() == checkpoint.origin.as_str()).collect();
    if keys.is_empty() {
        return Err(Refusal::UnknownOrigin);
    }
    let mut lines = Vec::new();
    for key in keys {
        match key.verify(note) {
            Ok(()) => lines.extend(note.signatures().iter().filter(|line| key.is_named_by(line)).cloned()),
            Err(NoteError::NotSigned) => (),
            Err(error) => return Err(Refusal::NotSignedByLog(error)),
        }
    }
    if lines.is_empty() { Err(Refusal::NotSignedByLog(NoteError::NotSigned)) } else { Ok(lines) }
}

/// Reads the answer with status 200 and gives `note` with the cosignature of `witness` added, and its time in seconds
/// since 1970. Lines by other keys are left out.
///
/// # Errors
/// [`NoteError`].
pub fn add_cosignature(
    note: &SignedNote,
    answer: &[u8],
    witness: &VerifierKey,
) -> Result<(SignedNote, u64), NoteError> {
    if answer.len() > MAX_NOTE_BYTES {
        return Err(NoteError::TooLong { bytes: answer.len() });
    }
    let answer = std::str::from_utf8(answer).map_err(|_| NoteError::NotText)?;
    let new: Vec<_> = note::parse_signatures(answer)?.into_iter().filter(|line| witness.is_named_by(line)).collect();
    let time = cosignature::verify(witness, &SignedNote::new(note.text(), &new).map_err(no_line_is_not_signed)?)?;
    let others = note.signatures().iter().filter(|line| !witness.is_named_by(line)).cloned();
    let lines: Vec<_> = others.chain(new).collect();
    Ok((SignedNote::new(note.text(), &lines)?, time))
}

fn no_line_is_not_signed(error: NoteError) -> NoteError {
    if error == NoteError::NoSignatures { NoteError::NotSigned } else { error }
}

/// Reads the answer with status 409: the size of the newest checkpoint that the witness cosigned.
///
/// # Errors
/// [`BodyError::BadSize`].
pub fn parse_size(answer: &[u8]) -> Result<u64, BodyError> {
    let text = std::str::from_utf8(answer).ok().and_then(|text| text.strip_suffix('\n'));
    text.and_then(parse_decimal).ok_or(BodyError::BadSize)
}

#[cfg(test)]
mod tests;
