//! Notes and keys against the examples of C2SP signed-note.

use proptest::prelude::*;

use super::*;

const VKEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const NOTE: &str = "This is an example message.\n\n— example.com/foo \
    Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

fn signer(kind: KeyKind) -> NoteSigner {
    NoteSigner::new("example.com/log".parse().unwrap(), kind, SigningKey::from_bytes(&[7; 32]))
}

#[test]
fn the_example_of_signed_note_verifies() {
    let key: VerifierKey = VKEY.parse().unwrap();
    let note = SignedNote::parse(NOTE.as_bytes()).unwrap();
    assert_eq!(key.verify(&note), Ok(()));
    assert_eq!(key.to_string(), VKEY);
    assert_eq!(note.to_string(), NOTE);
}

#[test]
fn every_changed_bit_of_a_note_is_refused() {
    let key: VerifierKey = VKEY.parse().unwrap();
    for at in 0..NOTE.len() * 8 {
        let mut bytes = NOTE.as_bytes().to_vec();
        bytes[at / 8] ^= 1 << (at % 8);
        let verified = SignedNote::parse(&bytes).and_then(|note| key.verify(&note));
        assert!(verified.is_err(), "bit {at}");
    }
}

#[test]
fn every_changed_bit_of_a_key_is_refused() {
    for at in 0..VKEY.len() * 8 {
        let mut bytes = VKEY.as_bytes().to_vec();
        bytes[at / 8] ^= 1 << (at % 8);
        assert!(std::str::from_utf8(&bytes).map_or(true, |text| text.parse::<VerifierKey>().is_err()), "bit {at}");
    }
}

#[test]
fn the_text_ends_at_the_last_empty_line() {
    let signer = signer(KeyKind::Ed25519);
    let text = "one\n\n\ntwo\n";
    let note = SignedNote::new(text, &[signer.sign(text).unwrap()]).unwrap();
    assert_eq!(note.text(), text);
    assert_eq!(signer.verifier_key().verify(&note), Ok(()));
}

#[test]
fn malformed_notes_are_refused() {
    let line = "— a AAAAAAA=\n";
    for bad in [
        "",
        "text\n",
        "text\n\n",
        "text\n— a AAAAAAA=\n",
        "text\n\n— a AAAAAAA=",
        "text\n\n- a AAAAAAA=\n",
        "text\n\n— a  AAAAAAA=\n",
        "text\n\n— a AAAAAAA= \n",
        "text\n\n— a AAAAAAA\n",
        "text\n\n— a AAAAAAB=\n",
        "text\n\n— a AAAAAA==\n",
        "text\n\n— a+b AAAAAAA=\n",
        "text\n\n—  AAAAAAA=\n",
        "te\txt\n\n— a AAAAAAA=\n",
        "te\rxt\n\n— a AAAAAAA=\n",
    ] {
        let code = SignedNote::parse(bad.as_bytes()).map_err(|e| e.code());
        assert_eq!(code, Err("note.malformed"), "{bad:?}");
    }
    assert_eq!(SignedNote::parse(b"\xff\n\n"), Err(NoteError::NotText));
    assert!(SignedNote::parse(format!("text\n\n{}", line.repeat(MAX_SIGNATURES)).as_bytes()).is_ok());
    let count = MAX_SIGNATURES + 1;
    let refusal = SignedNote::parse(format!("text\n\n{}", line.repeat(count)).as_bytes());
    assert_eq!(refusal, Err(NoteError::TooManySignatures { count }));
    let bytes = MAX_NOTE_BYTES + 1;
    assert_eq!(SignedNote::parse(&vec![b'a'; bytes]), Err(NoteError::TooLong { bytes }));
}

#[test]
fn a_key_of_another_type_or_with_a_wrong_id_is_refused() {
    let key = signer(KeyKind::Ed25519).verifier_key().to_string();
    assert_eq!(key.replacen('+', "+0", 1).parse::<VerifierKey>(), Err(NoteError::WrongKeyId));
    assert_eq!(key.to_uppercase().parse::<VerifierKey>().map_err(|e| e.code()), Err("note.key"));
    let mldsa = format!("a+00000000+{}", BASE64.encode([6; 33]));
    assert_eq!(mldsa.parse::<VerifierKey>(), Err(NoteError::UnknownKeyKind { kind: 6 }));
    let weak = format!("a+00000000+{}", BASE64.encode([[1].as_slice(), &[0; 32]].concat()));
    assert_eq!(weak.parse::<VerifierKey>(), Err(NoteError::MalformedKey));
}

#[test]
fn lines_of_unknown_keys_are_ignored_and_false_ones_of_known_keys_are_not() {
    let signer = signer(KeyKind::Ed25519);
    let good = signer.sign("text\n").unwrap();
    let unknown = NoteSignature { key_id: KeyId([0; 4]), ..good.clone() };
    let false_line = NoteSignature { signature: vec![0; 64], ..good.clone() };
    let verify = |lines: &[NoteSignature]| signer.verifier_key().verify(&SignedNote::new("text\n", lines).unwrap());
    assert_eq!(verify(&[unknown.clone(), good.clone()]), Ok(()));
    assert_eq!(verify(&[unknown]), Err(NoteError::NotSigned));
    assert_eq!(verify(&[good, false_line]), Err(NoteError::BadSignature));
}

#[test]
fn a_signer_comes_back_from_its_secret_text_and_hides_it() {
    for kind in [KeyKind::Ed25519, KeyKind::CosignatureV1] {
        let signer = signer(kind);
        let text = signer.to_secret_text();
        let back: NoteSigner = text.parse().unwrap();
        assert_eq!(back.verifier_key(), signer.verifier_key());
        assert!(!format!("{signer:?}").contains("PRIVATE"));
        assert!(text.replace("log+", "lag+").parse::<NoteSigner>().is_err());
    }
}

/// A key for cosignatures signs no notes (attack 40).
#[test]
fn a_cosignature_key_signs_and_verifies_no_plain_note() {
    let signer = signer(KeyKind::CosignatureV1);
    let refusal = NoteError::WrongKeyKind { expected: KeyKind::Ed25519 };
    assert_eq!(signer.sign("text\n"), Err(refusal));
    assert_eq!(signer.verifier_key().verify(&SignedNote::parse(NOTE.as_bytes()).unwrap()), Err(refusal));
}

proptest! {
    #[test]
    fn what_parses_is_written_back_the_same(bytes in "[ab\n— +=A]{0,60}") {
        if let Ok(note) = SignedNote::parse(bytes.as_bytes()) {
            prop_assert_eq!(note.to_string(), bytes);
        }
    }
}
