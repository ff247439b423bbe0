//! The decision of a witness, status by status, over two branches of one log.

use ed25519_dalek::SigningKey;

use super::*;
use crate::log::note::KeyKind;

const ORIGIN: &str = "example.com/log";

fn signer(name: &str, kind: KeyKind, seed: u8) -> NoteSigner {
    NoteSigner::new(name.parse().unwrap(), kind, SigningKey::from_bytes(&[seed; 32]))
}

fn log() -> NoteSigner {
    signer(ORIGIN, KeyKind::Ed25519, 1)
}

fn witness() -> NoteSigner {
    signer("witness.example/w1", KeyKind::CosignatureV1, 2)
}

fn known() -> Vec<VerifierKey> {
    vec![log().verifier_key().clone(), signer("example.com/other", KeyKind::Ed25519, 9).verifier_key().clone()]
}

/// A tree of `size` leaves; the two branches share the first ten.
fn frontier(branch: u8, size: u64) -> impl FnMut(u8, u64) -> Option<Digest> {
    let mut nodes = std::collections::BTreeMap::new();
    let mut frontier = merkle::Frontier::new();
    for i in 0..size {
        let leaf = merkle::leaf_hash(&[if i < 10 { 0 } else { branch }, i.try_into().unwrap()]);
        frontier.append_with(leaf, |level, index, hash| _ = nodes.insert((level, index), hash)).unwrap();
    }
    move |level, index| nodes.get(&(level, index)).copied()
}

fn checkpoint(branch: u8, size: u64) -> Checkpoint {
    Checkpoint::new(ORIGIN.parse().unwrap(), size, merkle::root(size, frontier(branch, size)).unwrap())
}

fn proof(branch: u8, old: u64, new: u64) -> Vec<Digest> {
    merkle::prove_consistency(old, new, frontier(branch, new)).unwrap()
}

fn request(old_size: u64, proof: Vec<Digest>, checkpoint: &Checkpoint) -> AddCheckpointRequest {
    AddCheckpointRequest::new(old_size, proof, checkpoint.sign(&log()).unwrap()).unwrap()
}

fn status(cosigned: Option<&Checkpoint>, request: &AddCheckpointRequest) -> u16 {
    decide(cosigned, request, &known()).map_or_else(|refusal| refusal.status(), |_| 200)
}

#[test]
fn the_first_checkpoint_needs_no_proof_and_the_next_a_good_one() {
    let first = checkpoint(1, 12);
    assert_eq!(status(None, &request(0, vec![], &first)), 200);
    let next = checkpoint(1, 20);
    assert_eq!(status(Some(&first), &request(12, proof(1, 12, 20), &next)), 200);
    // WIT-5
    assert_eq!(status(Some(&first), &request(12, vec![], &first)), 200);
}

/// WIT-2: 404 and 403.
#[test]
fn a_checkpoint_of_an_unknown_log_or_without_its_signature_is_refused() {
    let unknown = Checkpoint { origin: "example.com/unknown".parse().unwrap(), ..checkpoint(1, 12) };
    assert_eq!(status(None, &request(0, vec![], &unknown)), 404);
    let other = Checkpoint { origin: "example.com/other".parse().unwrap(), ..checkpoint(1, 12) };
    assert_eq!(status(None, &request(0, vec![], &other)), 403);
    let mut line = log().sign(&checkpoint(1, 12).to_text()).unwrap();
    line.signature[0] ^= 1;
    let note = SignedNote::new(&checkpoint(1, 12).to_text(), &[line]).unwrap();
    assert_eq!(status(None, &AddCheckpointRequest::new(0, vec![], note).unwrap()), 403);
}

/// WIT-2: 400 and 409, attack 16.
#[test]
fn an_old_size_that_is_not_the_cosigned_one_is_refused() {
    let cosigned = checkpoint(1, 12);
    assert_eq!(status(Some(&cosigned), &request(13, vec![], &cosigned)), 400);
    for old in [0, 5, 11] {
        let refusal = decide(Some(&cosigned), &request(old, proof(1, old, 20), &checkpoint(1, 20)), &known());
        assert_eq!(refusal, Err(Refusal::Stale { cosigned_size: 12 }));
    }
    assert_eq!(status(Some(&cosigned), &request(5, vec![], &checkpoint(1, 5))), 409);
    assert_eq!(status(None, &request(5, proof(1, 5, 12), &cosigned)), 409);
    assert_eq!(parse_size(Refusal::Stale { cosigned_size: 12 }.body().as_bytes()), Ok(12));
    assert!(parse_size(b"12").is_err() && parse_size(b"012\n").is_err() && parse_size(b"\n").is_err());
}

/// WIT-2: 409 and 422, attacks 15, 22 and 25.
#[test]
fn another_branch_of_a_cosigned_tree_is_refused() {
    let cosigned = checkpoint(1, 12);
    let refusal = decide(Some(&cosigned), &request(12, vec![], &checkpoint(2, 12)), &known()).unwrap_err();
    assert_eq!((refusal, refusal.code(), refusal.status()), (Refusal::Fork { size: 12 }, "chain.fork", 409));
    let refusal = decide(Some(&cosigned), &request(12, proof(2, 12, 20), &checkpoint(2, 20)), &known()).unwrap_err();
    assert_eq!((refusal.code(), refusal.status()), ("chain.proof_invalid", 422));
    assert_eq!(status(Some(&cosigned), &request(12, proof(1, 10, 20), &checkpoint(1, 20))), 422);
    assert_eq!(status(Some(&cosigned), &request(12, vec![], &checkpoint(1, 20))), 422);
    assert_eq!(status(Some(&cosigned), &request(12, vec![Digest::ZERO], &cosigned)), 422);
    assert_eq!(status(None, &request(0, vec![Digest::ZERO], &cosigned)), 422);
    let empty = Checkpoint { size: 0, ..cosigned };
    assert_eq!(status(None, &request(0, vec![], &empty)), 422);
    assert_eq!(status(None, &request(0, vec![], &Checkpoint { root: merkle::empty_root(), ..empty })), 200);
}

/// WIT-1: the state is the note with the log's signatures and the cosignature, and nothing unchecked.
#[test]
fn what_is_stored_is_the_whole_checkpoint() {
    let checkpoint = Checkpoint { extensions: vec!["extension".into()], ..checkpoint(1, 12) };
    let log_line = log().sign(&checkpoint.to_text()).unwrap();
    let foreign = signer("example.com/foreign", KeyKind::Ed25519, 8).sign("other\n").unwrap();
    let note = SignedNote::new(&checkpoint.to_text(), &[foreign, log_line]).unwrap();
    let request = AddCheckpointRequest::new(0, vec![], note.clone()).unwrap();
    let cosigned = decide(None, &request, &known()).unwrap().cosign(&witness(), 77).unwrap();
    assert_eq!(Checkpoint::parse(cosigned.note.text()), Ok(checkpoint));
    assert_eq!(cosigned.note.signatures().len(), 2);
    assert_eq!(log().verifier_key().verify(&cosigned.note), Ok(()));
    assert_eq!(cosignature::verify(witness().verifier_key(), &cosigned.note), Ok(77));
    let (whole, time) = add_cosignature(&note, cosigned.answer.as_bytes(), witness().verifier_key()).unwrap();
    assert_eq!((whole.signatures().len(), time), (3, 77));
    let (again, _) = add_cosignature(&whole, cosigned.answer.as_bytes(), witness().verifier_key()).unwrap();
    assert_eq!(again, whole);
    let other = signer("witness.example/w2", KeyKind::CosignatureV1, 3);
    let refusal = add_cosignature(&note, cosigned.answer.as_bytes(), other.verifier_key());
    assert_eq!(refusal, Err(NoteError::NotSigned));
}

#[test]
fn a_body_is_written_and_read_the_same() {
    for (old, new) in [(0, 12), (12, 20), (20, 20)] {
        let request = request(old, proof(1, old, new), &checkpoint(1, new));
        assert_eq!(AddCheckpointRequest::parse(request.to_string().as_bytes()), Ok(request));
    }
}

/// Attack 27 among others: 63 hashes and no more.
#[test]
fn malformed_bodies_are_refused() {
    let good = request(12, proof(1, 12, 20), &checkpoint(1, 20)).to_string();
    let hash = format!("{}\n", format_hash(&Digest::ZERO));
    for (body, expected) in [
        (String::new(), BodyError::NotText),
        (good.replacen("old 12", "old 012", 1), BodyError::BadOldSize),
        (good.replacen("old 12", "old -1", 1), BodyError::BadOldSize),
        (good.replacen("old", "new", 1), BodyError::BadOldSize),
        (good.replacen("old 12\n", "old 12\nAAAA\n", 1), BodyError::BadHash),
        (good.replacen("old 12\n", &format!("old 12\n{}", hash.repeat(63)), 1), BodyError::TooManyHashes),
        (good.replacen("old 12\n", &format!("old 12\n{}", hash.repeat(64)), 1), BodyError::TooManyHashes),
        (good.replacen("\n20\n", "\n020\n", 1), BodyError::Checkpoint(CheckpointError::BadSize)),
    ] {
        let refusal = AddCheckpointRequest::parse(body.as_bytes());
        assert_eq!(refusal, Err(expected));
        assert_eq!(Refusal::from(expected).status(), 400);
    }
    let bomb = good.replacen("old 12\n", &format!("old 12\n{}", hash.repeat(10_000)), 1);
    let refusal = AddCheckpointRequest::parse(bomb.as_bytes());
    assert_eq!(refusal, Err(BodyError::TooLong { bytes: bomb.len() }));
    assert_eq!(AddCheckpointRequest::parse(b"old 1\xff\n\n"), Err(BodyError::NotText));
}
