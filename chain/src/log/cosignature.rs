//! Cosignatures with a time, version 1 (C2SP tlog-cosignature, Ed25519).
//!
//! What a witness says with one: "at this time, the largest consistent tree that I saw of this log has this root". An
//! auditor says more ("every block below this size was replayed and every rule holds") and therefore has a key of its
//! own name. The signed bytes are
//!
//! ```text
//! cosignature/v1
//! time 1679315147
//! <the whole text of the checkpoint's note>
//! ```
//!
//! and the signature in the note is the time (8 bytes, big-endian) and the Ed25519 signature (64 bytes). Not in scope:
//! ML-DSA-44 cosignatures (type 0x06), whether a time is plausible (who has a clock judges).

use super::checkpoint::Checkpoint;
use super::note::{KeyKind, NoteError, NoteSignature, NoteSigner, SignedNote, VerifierKey};
use crate::encoding::{Reader, Writer};
use crate::id::SignatureBytes;

/// The latest time that a cosignature may carry, in seconds since 1970: 2^63 − 1.
pub const MAX_TIME: u64 = u64::MAX >> 1;

/// Cosigns a checkpoint at `time`, in seconds since 1970. Whoever calls this has checked what the signature says.
///
/// # Errors
/// [`NoteError::WrongKeyKind`] if this is no key for cosignatures; [`NoteError::BadSignature`] if `time` is 0 or above
/// [`MAX_TIME`].
pub fn cosign(signer: &NoteSigner, checkpoint: &Checkpoint, time: u64) -> Result<NoteSignature, NoteError> {
    if signer.verifier_key().kind() != KeyKind::CosignatureV1 {
        return Err(NoteError::WrongKeyKind { expected: KeyKind::CosignatureV1 });
    }
    if !is_time(time) {
        return Err(NoteError::BadSignature);
    }
    let signature = signer.sign_bytes(&signed_bytes(&checkpoint.to_text(), time));
    let mut writer = Writer::new();
    writer.u64(time).raw(signature.as_bytes());
    Ok(signer.line(writer.finish()))
}

/// Checks the cosignature of `key` on `note` and gives its time, in seconds since 1970; of several, the latest.
///
/// # Errors
/// [`NoteError::WrongKeyKind`], [`NoteError::NotSigned`], [`NoteError::BadSignature`].
pub fn verify(key: &VerifierKey, note: &SignedNote) -> Result<u64, NoteError> {
    if key.kind() != KeyKind::CosignatureV1 {
        return Err(NoteError::WrongKeyKind { expected: KeyKind::CosignatureV1 });
    }
    let times = key.check_lines(note, |line| {
        let (time, signature) = decode(&line.signature).ok_or(NoteError::BadSignature)?;
        let valid = is_time(time) && key.public_key().verifies(&signed_bytes(note.text(), time), &signature);
        if valid { Ok(time) } else { Err(NoteError::BadSignature) }
    })?;
    times.into_iter().max().ok_or(NoteError::NotSigned)
}

fn is_time(time: u64) -> bool {
    (1..=MAX_TIME).contains(&time)
}

fn decode(bytes: &[u8]) -> Option<(u64, SignatureBytes)> {
    let mut reader = Reader::new(bytes);
    let time = reader.u64("time").ok()?;
    let signature = SignatureBytes::decode(&mut reader, "signature").ok()?;
    reader.finish().ok()?;
    Some((time, signature))
}

fn signed_bytes(text: &str, time: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {time}\n{text}").into_bytes()
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;

    use super::*;
    use crate::id::Digest;

    fn witness() -> NoteSigner {
        let name = "witness.example/w1".parse().unwrap();
        NoteSigner::new(name, KeyKind::CosignatureV1, SigningKey::from_bytes(&[3; 32]))
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint::new("example.com/log".parse().unwrap(), 7, Digest::sha256(b"root"))
    }

    fn note(line: NoteSignature) -> SignedNote {
        SignedNote::new(&checkpoint().to_text(), &[line]).unwrap()
    }

    /// The bytes between the name and the signature as tlog-cosignature draws them.
    #[test]
    fn the_signed_bytes_are_those_of_the_example_in_tlog_cosignature() {
        let text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        let bytes = format!("cosignature/v1\ntime 1679315147\n{text}");
        assert_eq!(signed_bytes(text, 1_679_315_147), bytes.as_bytes());
        let line = "— witness.example.com/w1 \
            jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==";
        let line: NoteSignature = line.parse().unwrap();
        assert_eq!(decode(&line.signature).map(|(time, _)| time), Some(1_679_315_147));
    }

    #[test]
    fn a_cosignature_gives_its_time() {
        let line = cosign(&witness(), &checkpoint(), 1_679_315_147).unwrap();
        assert_eq!(line.signature.len(), 72);
        assert_eq!(verify(witness().verifier_key(), &note(line)), Ok(1_679_315_147));
    }

    #[test]
    fn every_changed_bit_of_a_cosignature_is_refused() {
        let line = cosign(&witness(), &checkpoint(), 5).unwrap();
        for at in 0..line.signature.len() * 8 {
            let mut changed = line.clone();
            changed.signature[at / 8] ^= 1 << (at % 8);
            assert_eq!(verify(witness().verifier_key(), &note(changed)), Err(NoteError::BadSignature), "bit {at}");
        }
        let mut longer = line;
        longer.signature.push(0);
        assert_eq!(verify(witness().verifier_key(), &note(longer)), Err(NoteError::BadSignature));
    }

    #[test]
    fn a_cosignature_without_a_time_or_by_a_key_of_a_log_is_refused() {
        for time in [0, MAX_TIME + 1, u64::MAX] {
            assert_eq!(cosign(&witness(), &checkpoint(), time), Err(NoteError::BadSignature));
        }
        let untimed = witness().sign_bytes(&signed_bytes(&checkpoint().to_text(), 0));
        let untimed = witness().line([[0; 8].as_slice(), untimed.as_bytes()].concat());
        assert_eq!(verify(witness().verifier_key(), &note(untimed)), Err(NoteError::BadSignature));
        let log =
            NoteSigner::new("example.com/log".parse().unwrap(), KeyKind::Ed25519, SigningKey::from_bytes(&[1; 32]));
        let refusal = NoteError::WrongKeyKind { expected: KeyKind::CosignatureV1 };
        assert_eq!(cosign(&log, &checkpoint(), 5), Err(refusal));
        assert_eq!(verify(log.verifier_key(), &checkpoint().sign(&log).unwrap()), Err(refusal));
    }
}
