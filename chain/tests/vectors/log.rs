//! Checkpoints, proofs, tiles, policies, and what a witness decides.

use chain::id::Digest;
use chain::log::checkpoint::Checkpoint;
use chain::log::cosignature;
use chain::log::note::{KeyKind, NoteSigner, SignedNote};
use ed25519_dalek::SigningKey;

use crate::case::Case;
use crate::example_log::example;
use crate::ledger::{Ledger, ORIGIN};

pub(crate) fn cases() -> Vec<Case> {
    [policies(), checkpoints(), bad_checkpoints(), inclusions(), consistencies(), tiles(), witnesses()].concat()
}

fn policies() -> Vec<Case> {
    let ledger = Ledger::new(0, 5);
    let keys = (0..5).map(|at| format!("witness w{at} {}\n", ledger.witness_key(at))).collect::<String>();
    let policy = |name: &str, expect: &str, what: &str, more: &str| {
        let text = format!("log {}\n{keys}{more}", ledger.log_key());
        Case::new(&format!("log/policy-{name}"), "policy", expect, what).text("policy", text)
    };
    let (weak, malformed) = ("policy.no_intersection CHK-1", "policy.malformed CHK-1");
    vec![
        policy("none", "ok", "No witness counts.", "quorum none\n"),
        policy("one", "ok", "One witness is the quorum.", "quorum w0\n"),
        policy("3-of-5", "ok", "2 · 3 > 5.", "group g 3 w0 w1 w2 w3 w4\nquorum g\n"),
        policy("2-of-4", weak, "2 · 2 = 4: two halves share nobody.", "group g 2 w0 w1 w2 w3\nquorum g\n"),
        policy("any", weak, "Any of two.", "group g any w0 w1\nquorum g\n"),
        policy("nested", "ok", "Both of a pair, and two of three.", "group a all w0 w1\ngroup b 2 w2 w3 w4\ngroup g all a b\nquorum g\n"),
        policy("nested-weak", weak, "One of two groups, each with an intersection.", "group a 2 w0 w1 w2\ngroup b all w3 w4\ngroup g any a b\nquorum g\n"),
        policy("member-twice", malformed, "A witness in two groups.", "group a all w0 w1\ngroup b all w1 w2\nquorum a\n"),
        policy("no-quorum", malformed, "No quorum line.", "group g 3 w0 w1 w2 w3 w4\n"),
        policy("comments", "ok", "Comments and spaces are not in the canonical form.", "# of five\n\n group  g 3 w0 w1 w2 w3 w4\nquorum g\n"),
    ]
}

fn checkpoint(name: &str, expect: &str, what: &str, note: impl AsRef<[u8]>) -> Case {
    let case = Case::new(&format!("log/checkpoint-{name}"), "checkpoint", expect, what);
    case.text("policy", example().policy.to_string()).text("note", note)
}

const AT_S: u64 = 1_790_292_000;

fn checkpoints() -> Vec<Case> {
    let ledger = example();
    let note = |witnesses: &[usize]| ledger.checkpoint(ledger.size(), witnesses, AT_S);
    let mut unknown = String::from_utf8(note(&[0, 2])).unwrap();
    unknown.push_str("— somebody.example/else AAAAAAA=\n");
    let twice = [note(&[0, 1]), cosignature_line(&ledger, 0, AT_S + 60)].concat();
    vec![
        checkpoint("quorum", "ok", "Two of three witnesses.", note(&[0, 2])),
        checkpoint("all", "ok", "All three.", note(&[0, 1, 2])),
        checkpoint("unknown-key", "ok", "Lines by unknown keys are passed over.", unknown),
        checkpoint("twice", "ok", "Two cosignatures of one witness: the later time counts.", twice),
    ]
}

fn witness(at: u8) -> NoteSigner {
    let name = format!("witness.example/w{at}").parse().unwrap();
    NoteSigner::new(name, KeyKind::CosignatureV1, SigningKey::from_bytes(&[10 + at; 32]))
}

fn log_signer() -> NoteSigner {
    NoteSigner::new(ORIGIN.parse().unwrap(), KeyKind::Ed25519, SigningKey::from_bytes(&[ORIGIN.len() as u8; 32]))
}

fn newest(ledger: &Ledger) -> Checkpoint {
    Checkpoint::new(ORIGIN.parse().unwrap(), ledger.size(), ledger.root_at(ledger.size()))
}

fn cosignature_line(ledger: &Ledger, at: u8, time_s: u64) -> Vec<u8> {
    cosignature::cosign(&witness(at), &newest(ledger), time_s).unwrap().to_string().into_bytes()
}

fn bad_checkpoints() -> Vec<Case> {
    let ledger = example();
    let note = |witnesses: &[usize]| String::from_utf8(ledger.checkpoint(ledger.size(), witnesses, AT_S)).unwrap();
    let good = note(&[0, 2]);
    let lines: Vec<_> = good.split_inclusive('\n').collect();
    let without_log = [&lines[..4], &lines[5..]].concat().concat();
    // the log's own line with a bit changed
    let extended = Checkpoint { extensions: vec!["map".into()], ..newest(&ledger) }.sign(&log_signer()).unwrap();
    let other = Checkpoint::new(ORIGIN.parse().unwrap(), ledger.size(), Digest([1; 32]));
    let wrong_text = SignedNote::new(&other.to_text(), SignedNote::parse(good.as_bytes()).unwrap().signatures());
    let as_log = NoteSigner::new(ORIGIN.parse().unwrap(), KeyKind::Ed25519, SigningKey::from_bytes(&[77; 32]));
    let stranger = newest(&ledger).sign(&as_log).unwrap();
    let false_line = {
        let wrong = cosignature::cosign(&witness(1), &other, AT_S).unwrap();
        format!("{good}{wrong}")
    };
    let (signature, malformed) = ("checkpoint.signature CHK-2", "checkpoint.malformed CHK-2");
    let quorum = "witness.quorum CHK-2";
    vec![
        checkpoint("no-cosignature", quorum, "The log's word alone.", note(&[])),
        checkpoint("one-witness", quorum, "One of three.", note(&[1])),
        checkpoint("one-twice", quorum, "One of three, twice.", [note(&[1]).into_bytes(), cosignature_line(&ledger, 1, AT_S + 9)].concat()),
        checkpoint("no-log", signature, "The log did not sign.", without_log),
        checkpoint("stranger", signature, "Signed by another key under the log's name.", stranger.to_string()),
        checkpoint("other-text", signature, "The signatures of another checkpoint.", wrong_text.unwrap().to_string()),
        checkpoint("false-cosignature", signature, "A quorum, and a false line of a known witness.", false_line),
        checkpoint("extension", "checkpoint.extension CHK-2", "An extension line.", extended.to_string()),
        checkpoint("leading-zero", malformed, "A size with a leading zero.", good.replacen("\n7\n", "\n07\n", 1)),
        checkpoint("no-signature", malformed, "No signature lines.", newest(&ledger).to_text()),
        checkpoint("no-newline", malformed, "The last line does not end.", good.trim_end()),
    ]
}

fn with_path(case: Case, path: &[Digest]) -> Case {
    path.iter().fold(case, |case, hash| case.word("hash", hash))
}

fn inclusions() -> Vec<Case> {
    let ledger = example();
    let case = |name: &str, expect: &str, what: &str, index: u64, size: u64, path: &[Digest]| {
        let case = Case::new(&format!("log/inclusion-{name}"), "inclusion", expect, what);
        let case = case.hex("leaf", &ledger.headers[index as usize]).word("index", index).word("size", size);
        with_path(case.word("root", ledger.root_at(size)), path)
    };
    let bad = "chain.proof_invalid CHK-2";
    let good = ledger.inclusion(2, 7);
    let longer = [good.clone(), vec![Digest::ZERO]].concat();
    vec![
        case("first-of-7", "ok", "Leaf 0 of 7.", 0, 7, &ledger.inclusion(0, 7)),
        case("last-of-7", "ok", "Leaf 6 of 7: the newest has a short path.", 6, 7, &ledger.inclusion(6, 7)),
        case("middle-of-4", "ok", "Leaf 2 of 4.", 2, 4, &ledger.inclusion(2, 4)),
        case("alone", "ok", "Leaf 0 of 1: the path is empty.", 0, 1, &[]),
        case("bad-index", bad, "The path of another leaf.", 3, 7, &good),
        case("bad-short", bad, "A hash is left out.", 2, 7, &good[..good.len() - 1]),
        case("bad-long", bad, "A hash too many.", 2, 7, &longer),
        case("bad-beyond", bad, "The index is the size.", 4, 4, &[]),
    ]
}

fn consistencies() -> Vec<Case> {
    let ledger = example();
    let case = |name: &str, expect: &str, what: &str, (old, new): (u64, u64), root: Digest, path: &[Digest]| {
        let case = Case::new(&format!("log/consistency-{name}"), "consistency", expect, what);
        let case = case.word("old-size", old).word("new-size", new).word("old-root", root);
        with_path(case.word("new-root", ledger.root_at(new)), path)
    };
    let ok = |name: &str, what: &str, old, new| {
        case(name, "ok", what, (old, new), ledger.root_at(old), &ledger.consistency(old, new))
    };
    let bad = "chain.proof_invalid CHK-2";
    let path = ledger.consistency(3, 7);
    vec![
        ok("3-to-7", "An uneven old size.", 3, 7),
        ok("4-to-7", "A power of two: the old root is not in the path.", 4, 7),
        ok("6-to-7", "One leaf more.", 6, 7),
        ok("same", "Equal sizes have the empty path.", 7, 7),
        case("bad-old-root", bad, "Another old root.", (3, 7), Digest([1; 32]), &path),
        case("bad-same", bad, "Equal sizes and different roots.", (7, 7), Digest([1; 32]), &[]),
        case("bad-short", bad, "A hash is left out.", (3, 7), ledger.root_at(3), &path[1..]),
        case("bad-shrunk", bad, "The old size is above the new one.", (7, 3), ledger.root_at(7), &path),
    ]
}

fn tiles() -> Vec<Case> {
    let tile = |name: &str, what: &str, size: u64, level: &str, index: u64| {
        let case = Case::new(&format!("log/tile-{name}"), "tile", "ok", what);
        case.word("size", size).word("level", level).word("index", index)
    };
    vec![
        tile("partial", "The headers of a log of 7 blocks.", 7, "entries", 0),
        tile("full", "256 hashes.", 70_000, "0", 17),
        tile("large-index", "Digits in groups of three.", 400_000_000, "0", 1_234_067),
        tile("level-1", "A hash in it stands for 256 leaves.", 70_000, "1", 1),
    ]
}

fn witnesses() -> Vec<Case> {
    let ledger = example();
    let text = |size| Checkpoint::new(ORIGIN.parse().unwrap(), size, ledger.root_at(size)).to_text();
    let request = |old: u64, path: &[Digest], note: &[u8]| {
        let hashes: String = path.iter().map(|hash| format!("{}\n", base64(&hash.0))).collect();
        [format!("old {old}\n{hashes}\n").as_bytes(), note].concat()
    };
    let case = |name: &str, expect: &str, what: &str, cosigned: Option<u64>, request: Vec<u8>| {
        let case = Case::new(&format!("log/witness-{name}"), "add-checkpoint", expect, what);
        let case = case.word("log-key", ledger.log_key());
        let case = cosigned.into_iter().fold(case, |case, size| case.text("cosigned", text(size)));
        case.text("request", request)
    };
    let path = ledger.consistency(3, 7);
    let note = ledger.checkpoint(7, &[], 0);
    let mut fork = ledger.clone();
    fork.headers[6][20] ^= 1;
    let forked = fork.checkpoint(7, &[], 0);
    let other = Ledger::named("other.example/log", 0, 0).checkpoint(1, &[], 0);
    let stranger = Checkpoint::new(ORIGIN.parse().unwrap(), 7, ledger.root_at(7));
    let key = NoteSigner::new(ORIGIN.parse().unwrap(), KeyKind::Ed25519, SigningKey::from_bytes(&[77; 32]));
    let stranger = stranger.sign(&key).unwrap().to_string().into_bytes();
    vec![
        case("first", "ok", "The first checkpoint of a log (200).", None, request(0, &[], &note)),
        case("grows", "ok", "A proof from the newest one (200).", Some(3), request(3, &path, &note)),
        case("again", "ok", "The same again, for a newer time (200, WIT-5).", Some(7), request(7, &[], &note)),
        case("stale", "witness.stale WIT-2", "Another old size than the newest one's (409).", Some(4), request(3, &path, &note)),
        case("fork", "chain.fork WIT-2", "Another root at the same size (422).", Some(7), request(7, &[], &forked)),
        case("proof", "chain.proof_invalid WIT-2", "The proof does not hold (422).", Some(3), request(3, &path[1..], &note)),
        case("above", "witness.old_size WIT-2", "The old size is above the new one (400).", Some(3), request(8, &[], &note)),
        case("unsigned", "witness.log_signature WIT-2", "Not signed by the log (403).", None, request(0, &[], &stranger)),
        case("unknown", "witness.unknown_origin WIT-2", "An unknown log (404).", None, request(0, &[], &other)),
        case("malformed", "witness.malformed WIT-2", "No old size (400).", None, note.clone()),
    ]
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
