//! Checkpoints: what a log says its tree is (C2SP tlog-checkpoint).
//!
//! ```text
//! example.com/log
//! 20852163
//! CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
//!
//! — example.com/log Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+…
//! — witness.example/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/…
//! ```
//!
//! Three states, each made only from the one before: [`Checkpoint`] (read, nothing checked), [`LogSignedCheckpoint`]
//! (the log signed it), [`VerifiedCheckpoint`] (and a quorum of witnesses cosigned it). Only the last is to be
//! believed; a log's signature alone still is evidence against the log. Not in scope: comparing with an earlier
//! checkpoint (the view of the client), the clock.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use thiserror::Error;

use super::cosignature;
use super::merkle::MAX_SIZE;
use super::note::{MAX_NAME_BYTES, NoteError, NoteSigner, SignedNote};
use super::policy::{Policy, WitnessTime};
use crate::id::Digest;

/// Why a note is not a checkpoint, or not one to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CheckpointError {
    /// Not a note, or no good signature of a known log.
    #[error("the checkpoint's note is refused")]
    Note(#[from] NoteError),
    /// Fewer than three lines, or an empty line.
    #[error("the text is not at least three lines, none of them empty")]
    MissingLine,
    /// An origin that is empty, too long, or has a control character.
    #[error("this is no origin")]
    BadOrigin,
    /// A size that is no number, has a leading zero, or is above [`MAX_SIZE`].
    #[error("the tree size is not a number of at most {MAX_SIZE}")]
    BadSize,
    /// A root hash that is not the base64 form of 32 bytes.
    #[error("the root hash is malformed")]
    BadRoot,
    /// Lines after the third: fine for a C2SP log, not for a log of ours (`docs/protocol.md`, the log).
    #[error("the checkpoint has {count} extension lines")]
    Extension {
        /// How many.
        count: usize,
    },
    /// The witnesses that cosigned are no quorum of the policy.
    #[error("{cosigned} witnesses cosigned, which is no quorum")]
    NoQuorum {
        /// How many of the policy's witnesses cosigned.
        cosigned: usize,
    },
}

impl CheckpointError {
    /// The stable code of this refusal.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Note(NoteError::NotSigned | NoteError::BadSignature) => "checkpoint.signature",
            Self::Note(_) | Self::MissingLine | Self::BadOrigin | Self::BadSize | Self::BadRoot => {
                "checkpoint.malformed"
            }
            Self::Extension { .. } => "checkpoint.extension",
            Self::NoQuorum { .. } => "witness.quorum",
        }
    }
}

/// The name that a log goes by: one line, not empty, at most 255 bytes, no control character.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin(String);

impl Origin {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// SHA-256 of the name: how a witness names the log in addresses (tlog-witness).
    pub fn hash(&self) -> Digest {
        Digest::sha256(self.0.as_bytes())
    }
}

impl FromStr for Origin {
    type Err = CheckpointError;
    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        if text.is_empty() || text.len() > MAX_NAME_BYTES || text.contains(char::is_control) {
            return Err(CheckpointError::BadOrigin);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a checkpoint says; nothing about it is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log.
    pub origin: Origin,
    /// Number of leaves, at most [`MAX_SIZE`].
    pub size: u64,
    /// Root of the tree of this size (RFC 6962 §2.1).
    pub root: Digest,
    /// Further lines, none of them empty. A log of ours has none; a witness takes any.
    pub extensions: Vec<String>,
}

impl Checkpoint {
    /// A checkpoint without extension lines.
    pub fn new(origin: Origin, size: u64, root: Digest) -> Self {
        Self { origin, size, root, extensions: Vec::new() }
    }

    /// Reads the text of a note.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.strip_suffix('\n').ok_or(CheckpointError::MissingLine)?.split('\n');
        let mut line = || lines.next().filter(|line| !line.is_empty()).ok_or(CheckpointError::MissingLine);
        let origin = line()?.parse()?;
        let size = parse_decimal(line()?).filter(|size| *size <= MAX_SIZE).ok_or(CheckpointError::BadSize)?;
        let root = parse_hash(line()?).ok_or(CheckpointError::BadRoot)?;
        let extensions: Vec<_> = lines.map(str::to_owned).collect();
        if extensions.iter().any(String::is_empty) {
            return Err(CheckpointError::MissingLine);
        }
        Ok(Self { origin, size, root, extensions })
    }

    /// The text that is signed and cosigned.
    pub fn to_text(&self) -> String {
        let Self { origin, size, root, extensions } = self;
        let more: String = extensions.iter().map(|line| format!("{line}\n")).collect();
        format!("{origin}\n{size}\n{}\n{more}", format_hash(root))
    }

    /// Signs the checkpoint with the key of the log.
    ///
    /// # Errors
    /// [`NoteError::WrongKeyKind`] if this is no key of a log.
    pub fn sign(&self, signer: &NoteSigner) -> Result<SignedNote, NoteError> {
        let text = self.to_text();
        SignedNote::new(&text, &[signer.sign(&text)?])
    }
}

/// A checkpoint that a log of the policy signed: evidence of what the log said, not of what it said to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSignedCheckpoint {
    checkpoint: Checkpoint,
    note: SignedNote,
}

impl LogSignedCheckpoint {
    /// Reads a note and checks the signature of the log that its origin names (CHK-2, first half). Extension lines are
    /// refused: our logs write none, and witnesses say nothing about them.
    ///
    /// # Errors
    /// [`CheckpointError`], all but [`CheckpointError::NoQuorum`].
    pub fn verify(note: &SignedNote, policy: &Policy) -> Result<Self, CheckpointError> {
        let checkpoint = Checkpoint::parse(note.text())?;
        if !checkpoint.extensions.is_empty() {
            return Err(CheckpointError::Extension { count: checkpoint.extensions.len() });
        }
        let mut signed = Err(NoteError::NotSigned);
        let keys = policy.logs().iter().map(|log| &log.key);
        for key in keys.filter(|key| key.name().as_str() == checkpoint.origin.as_str()) {
            match key.verify(note) {
                Err(NoteError::NotSigned) => (),
                Err(error) => return Err(error.into()),
                Ok(()) => signed = Ok(()),
            }
        }
        signed?;
        Ok(Self { checkpoint, note: note.clone() })
    }

    /// What it says.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The bytes that prove it.
    pub fn note(&self) -> &SignedNote {
        &self.note
    }
}

/// A checkpoint that a log of the policy signed and a quorum of its witnesses cosigned.
///
/// ```compile_fail
/// use chain::log::checkpoint::VerifiedCheckpoint;
/// fn unchecked(signed: chain::log::checkpoint::LogSignedCheckpoint) -> VerifiedCheckpoint {
///     VerifiedCheckpoint { signed, times: Vec::new() }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedCheckpoint {
    signed: LogSignedCheckpoint,
    times: Vec<WitnessTime>,
}

impl VerifiedCheckpoint {
    /// Reads a note and checks log signature and quorum (CHK-2).
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn verify(note: &SignedNote, policy: &Policy) -> Result<Self, CheckpointError> {
        Self::from_log_signed(LogSignedCheckpoint::verify(note, policy)?, policy)
    }

    /// Checks the quorum of a checkpoint whose log signature is checked. A false cosignature under the name and id of a
    /// known witness refuses the whole note (signed-note).
    ///
    /// # Errors
    /// [`CheckpointError::NoQuorum`], [`CheckpointError::Note`].
    pub fn from_log_signed(signed: LogSignedCheckpoint, policy: &Policy) -> Result<Self, CheckpointError> {
        let mut times = Vec::new();
        for (index, witness) in policy.witnesses().iter().enumerate() {
            match cosignature::verify(&witness.key, &signed.note) {
                Ok(time) => times.push(WitnessTime { witness: index, time }),
                Err(NoteError::NotSigned) => (),
                Err(error) => return Err(error.into()),
            }
        }
        if policy.quorum_met(times.iter().map(|at| at.witness)) {
            Ok(Self { signed, times })
        } else {
            Err(CheckpointError::NoQuorum { cosigned: times.len() })
        }
    }

    /// What it says.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.signed.checkpoint
    }

    /// The bytes that prove it.
    pub fn note(&self) -> &SignedNote {
        &self.signed.note
    }

    /// Which witnesses of the policy cosigned, and when; empty only under a policy without a quorum.
    pub fn times(&self) -> &[WitnessTime] {
        &self.times
    }
}

/// A number without sign and leading zeroes.
pub(super) fn parse_decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// The base64 form of 32 bytes.
pub(super) fn parse_hash(text: &str) -> Option<Digest> {
    // 44 characters; looked at first so that a long line reserves nothing
    if text.len() != 44 {
        return None;
    }
    BASE64.decode(text).ok()?.try_into().ok().map(Digest)
}

pub(super) fn format_hash(hash: &Digest) -> String {
    BASE64.encode(hash.as_bytes())
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;

    use super::*;
    use crate::log::note::{KeyKind, NoteSignature};

    fn signer(name: &str, kind: KeyKind, seed: u8) -> NoteSigner {
        NoteSigner::new(name.parse().unwrap(), kind, SigningKey::from_bytes(&[seed; 32]))
    }

    fn log() -> NoteSigner {
        signer("example.com/log", KeyKind::Ed25519, 1)
    }

    fn witness(seed: u8) -> NoteSigner {
        signer(&format!("witness.example/w{seed}"), KeyKind::CosignatureV1, seed)
    }

    /// Two of the witnesses 2, 3, 4.
    fn policy() -> Policy {
        let keys = [2, 3, 4].map(|seed| format!("witness w{seed} {}\n", witness(seed).verifier_key())).concat();
        let text = format!("log {}\n{keys}group g 2 w2 w3 w4\nquorum g\n", log().verifier_key());
        text.parse().unwrap()
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint::new("example.com/log".parse().unwrap(), 7, Digest::sha256(b"root"))
    }

    fn cosigned(checkpoint: &Checkpoint, witnesses: &[(u8, u64)]) -> SignedNote {
        let text = checkpoint.to_text();
        let cosign = |(seed, time): &(u8, u64)| cosignature::cosign(&witness(*seed), checkpoint, *time).unwrap();
        let lines: Vec<NoteSignature> =
            [log().sign(&text).unwrap()].into_iter().chain(witnesses.iter().map(cosign)).collect();
        SignedNote::new(&text, &lines).unwrap()
    }

    #[test]
    fn the_text_of_the_example_in_tlog_checkpoint_is_read_and_written() {
        let text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        let checkpoint = Checkpoint::parse(text).unwrap();
        assert_eq!((checkpoint.origin.as_str(), checkpoint.size), ("example.com/behind-the-sofa", 20_852_163));
        assert_eq!(checkpoint.to_text(), text);
        let extended = format!("{text}more\n");
        assert_eq!(Checkpoint::parse(&extended).unwrap().to_text(), extended);
    }

    #[test]
    fn other_texts_are_refused() {
        let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
        for bad in [
            String::new(),
            "o\n1\n".into(),
            format!("o\n1\n{root}"),
            format!("\n1\n{root}\n"),
            format!("o\n01\n{root}\n"),
            format!("o\n+1\n{root}\n"),
            format!("o\n-1\n{root}\n"),
            format!("o\n\n{root}\n"),
            format!("o\n{}\n{root}\n", MAX_SIZE + 1),
            format!("o\n18446744073709551616\n{root}\n"),
            format!("o\n1\n{root}A\n"),
            "o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n".into(),
            format!("o\n1\n{root}\n\n"),
            format!("o\n1\n{root}\n\nmore\n"),
            format!("{}\n1\n{root}\n", "o".repeat(MAX_NAME_BYTES + 1)),
        ] {
            assert_eq!(Checkpoint::parse(&bad).map_err(|e| e.code()), Err("checkpoint.malformed"), "{bad:?}");
        }
    }

    /// CHK-2, attack 15: the log's own word is not enough.
    #[test]
    fn a_checkpoint_without_a_quorum_is_refused() {
        let verify =
            |witnesses: &[(u8, u64)]| VerifiedCheckpoint::verify(&cosigned(&checkpoint(), witnesses), &policy());
        assert_eq!(verify(&[]), Err(CheckpointError::NoQuorum { cosigned: 0 }));
        assert_eq!(verify(&[(2, 5), (2, 6), (9, 5)]).map_err(|e| e.code()), Err("witness.quorum"));
        let verified = verify(&[(3, 5), (4, 6), (9, 7)]).unwrap();
        assert_eq!(verified.checkpoint(), &checkpoint());
        assert_eq!(verified.times(), [WitnessTime { witness: 1, time: 5 }, WitnessTime { witness: 2, time: 6 }]);
    }

    #[test]
    fn a_checkpoint_that_its_log_did_not_sign_is_refused() {
        let text = checkpoint().to_text();
        let cosignature = cosignature::cosign(&witness(2), &checkpoint(), 5).unwrap();
        let note = SignedNote::new(&text, &[cosignature]).unwrap();
        assert_eq!(LogSignedCheckpoint::verify(&note, &policy()).map_err(|e| e.code()), Err("checkpoint.signature"));
        // the right key, under an origin that it is not for
        let other = Checkpoint::new("example.com/other".parse().unwrap(), 7, Digest::ZERO);
        let note = other.sign(&log()).unwrap();
        assert_eq!(LogSignedCheckpoint::verify(&note, &policy()).map_err(|e| e.code()), Err("checkpoint.signature"));
    }

    #[test]
    fn extension_lines_of_a_log_of_ours_are_refused() {
        let note = Checkpoint { extensions: vec!["map".into()], ..checkpoint() }.sign(&log()).unwrap();
        let refusal = LogSignedCheckpoint::verify(&note, &policy()).map_err(|e| e.code());
        assert_eq!(refusal, Err("checkpoint.extension"));
    }

    #[test]
    fn every_changed_bit_of_a_cosigned_checkpoint_is_refused() {
        let note = cosigned(&checkpoint(), &[(2, 5), (3, 6)]).to_string();
        let policy = policy();
        for at in 0..note.len() * 8 {
            let mut bytes = note.as_bytes().to_vec();
            bytes[at / 8] ^= 1 << (at % 8);
            let verified = SignedNote::parse(&bytes)
                .map_err(CheckpointError::from)
                .and_then(|note| VerifiedCheckpoint::verify(&note, &policy));
            assert!(verified.is_err(), "bit {at}");
        }
    }
}
