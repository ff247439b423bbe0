//! `checkpoint`, `inclusion` and `consistency`: what a log says, who saw it, and that it only grew.

use chain::id::Digest;
use chain::log::checkpoint::{Checkpoint, VerifiedCheckpoint};
use chain::log::merkle::{leaf_hash, verify_consistency, verify_inclusion};
use chain::log::note::SignedNote;
use chain::log::policy::Policy;

use crate::case::{Case, Fields, Verdict, check};
use crate::example_log::example;
use crate::ledger::Ledger;

const UNPROVEN: (&str, &str) = ("chain.proof_invalid", "CHK-2");

/// CHK-1, CHK-2, attacks 15 and 16.
#[test]
fn checkpoints_are_believed_or_refused() {
    assert_eq!(check("checkpoint", &checkpoints(), judge_checkpoint), 12);
}

fn judge_checkpoint(fields: &Fields) -> Verdict {
    let text = |name| std::str::from_utf8(fields.get(name)).unwrap();
    let policy: Policy =
        text("policy").parse().map_err(|error: chain::log::policy::PolicyError| (error.code(), "CHK-1"))?;
    let note = SignedNote::parse(fields.get("checkpoint")).map_err(|_| ("checkpoint.malformed", "CHK-2"))?;
    let verified = VerifiedCheckpoint::verify(&note, &policy).map_err(|error| (error.code(), "CHK-2"))?;
    let Checkpoint { size, root, .. } = verified.checkpoint();
    assert_eq!((*size, &root.0[..]), (fields.number("size"), fields.get("root")));
    Ok(())
}

fn checkpoints() -> Vec<Case> {
    let log = example();
    let (size, time_s) = (log.size(), log.time_s() + 1);
    let policy = log.policy.to_string();
    let note = |witnesses: &[usize]| String::from_utf8(log.checkpoint(size, witnesses, time_s)).unwrap();
    let fields = |policy: &str, checkpoint: &str| {
        let fields = Fields::default().with("policy", policy).with("checkpoint", checkpoint);
        fields.with_number("size", size).with("root", log.root_at(size).0)
    };
    let ok = |name, what, checkpoint: &str| Case::new(name, Ok(()), what, fields(&policy, checkpoint));
    let refused =
        |name, what, code, checkpoint: &str| Case::new(name, Err((code, "CHK-2")), what, fields(&policy, checkpoint));
    let line = |number: usize| note(&[0, 1, 2]).lines().nth(number).unwrap().to_owned() + "\n";
    let old = String::from_utf8(log.checkpoint(size - 1, &[0, 1], time_s)).unwrap();
    let (signed, text) = (note(&[]), note(&[]).split_once("\n\n").unwrap().0.to_owned());
    let moved_line = old.lines().last().unwrap();
    let stranger = Ledger::named("other.example/log", 0, 0);
    let strangers = String::from_utf8(stranger.checkpoint(1, &[], time_s)).unwrap();
    let loose = policy.replace("group g 2 ", "group g 1 ");
    vec![
        ok("quorum", "two of three witnesses cosigned", &note(&[0, 2])),
        ok("all-witnesses", "all three witnesses cosigned", &note(&[0, 1, 2])),
        ok(
            "unknown-line",
            "a line by an unknown key is passed over",
            &(note(&[0, 1]) + strangers.lines().last().unwrap() + "\n"),
        ),
        refused("no-quorum", "one of three witnesses cosigned", "witness.quorum", &note(&[1])),
        refused("one-witness-twice", "one witness cosigned at two times", "witness.quorum", &twice(&log, size, time_s)),
        refused(
            "not-signed-by-the-log",
            "cosignatures without the log's signature",
            "checkpoint.signature",
            &format!("{text}\n\n{}{}", line(5), line(6)),
        ),
        refused("other-log", "a checkpoint of another log", "checkpoint.signature", &strangers),
        refused(
            "other-size",
            "the size is changed after signing",
            "checkpoint.signature",
            &note(&[0, 1]).replacen("\n13\n", "\n12\n", 1),
        ),
        refused(
            "cosignature-of-another-checkpoint",
            "a cosignature of the checkpoint before",
            "checkpoint.signature",
            &format!("{signed}{}{moved_line}\n", line(5)),
        ),
        refused(
            "leading-zero",
            "the size has a leading zero",
            "checkpoint.malformed",
            &note(&[0, 1]).replacen("\n13\n", "\n013\n", 1),
        ),
        refused(
            "extension",
            "a line after the root",
            "checkpoint.extension",
            &note(&[0, 1]).replacen("\n\n", "\nmore\n\n", 1),
        ),
        Case::new(
            "quorums-apart",
            Err(("policy.no_intersection", "CHK-1")),
            "a policy with two quorums that share no witness",
            fields(&loose, &note(&[0, 1, 2])),
        ),
    ]
}

/// The newest checkpoint, cosigned by witness 0 now and a second later.
fn twice(log: &Ledger, size: u64, time_s: u64) -> String {
    let notes = [time_s, time_s + 1].map(|time_s| String::from_utf8(log.checkpoint(size, &[0], time_s)).unwrap());
    notes[0].clone() + notes[1].lines().last().unwrap() + "\n"
}

fn digests<'a>(fields: &'a Fields, name: &'a str) -> Vec<Digest> {
    fields.all(name).map(|hash| Digest(hash.try_into().unwrap())).collect()
}

/// CHK-2: header `number` is in the log.
#[test]
fn inclusion_is_shown_or_not() {
    let log = example();
    let shown = |number: u64, size: u64, header: usize, path: Vec<Digest>| {
        let fields = Fields::default().with("leaf", &log.headers[header]).with_number("index", number);
        let fields = fields.with_number("size", size).with_all("path", path.iter().map(|hash| hash.0));
        fields.with("root", log.root_at(size).0)
    };
    let good = || log.inclusion(5, 13);
    let swapped = || good().into_iter().rev().collect();
    let longer = || good().into_iter().chain([Digest::ZERO]).collect();
    let shorter = || good().into_iter().skip(1).collect();
    let refused = |name, what, fields| Case::new(name, Err(UNPROVEN), what, fields);
    let cases = [
        Case::new("included", Ok(()), "leaf 5 of 13", shown(5, 13, 5, good())),
        Case::new("last-leaf", Ok(()), "leaf 12 of 13", shown(12, 13, 12, log.inclusion(12, 13))),
        Case::new("only-leaf", Ok(()), "leaf 0 of 1: nothing is to be hashed", shown(0, 1, 0, Vec::new())),
        refused("other-leaf", "another leaf", shown(5, 13, 6, good())),
        refused("other-index", "another index", shown(4, 13, 5, good())),
        refused("beyond-the-log", "index 13 of 13", shown(13, 13, 5, good())),
        refused("hashes-swapped", "the hashes in another order", shown(5, 13, 5, swapped())),
        refused("one-hash-more", "one hash too many", shown(5, 13, 5, longer())),
        refused("one-hash-fewer", "one hash is missing", shown(5, 13, 5, shorter())),
    ];
    let judge = |fields: &Fields| {
        let (leaf, root) = (leaf_hash(fields.get("leaf")), Digest(fields.array("root")));
        let path = digests(fields, "path");
        verify_inclusion(&leaf, fields.number("index"), fields.number("size"), &path, &root).map_err(|_| UNPROVEN)
    };
    assert_eq!(check("inclusion", &cases, judge), 9);
}

/// CHK-2: the log only grew.
#[test]
fn consistency_is_shown_or_not() {
    let log = example();
    let shown = |old: u64, new: u64, old_root: Digest, path: Vec<Digest>| {
        let fields = Fields::default().with_number("old-size", old).with("old-root", old_root.0);
        let fields = fields.with_number("new-size", new).with("new-root", log.root_at(new).0);
        fields.with_all("path", path.iter().map(|hash| hash.0))
    };
    let root = |size| log.root_at(size);
    let refused = |name, what, fields| Case::new(name, Err(UNPROVEN), what, fields);
    let longer = |old| log.consistency(old, 13).into_iter().chain([Digest::ZERO]).collect();
    let cases = [
        Case::new("grown", Ok(()), "from 6 to 13 leaves", shown(6, 13, root(6), log.consistency(6, 13))),
        Case::new(
            "grown-from-a-full-tree",
            Ok(()),
            "from 8 to 13 leaves",
            shown(8, 13, root(8), log.consistency(8, 13)),
        ),
        Case::new(
            "not-grown",
            Ok(()),
            "from 13 to 13 leaves: nothing is to be shown",
            shown(13, 13, root(13), Vec::new()),
        ),
        refused("rewritten", "the old root was another", shown(6, 13, root(5), log.consistency(6, 13))),
        refused("not-grown-rewritten", "the same size with two roots", shown(13, 13, root(12), Vec::new())),
        refused("shrunk", "from 13 to 6 leaves", shown(13, 6, root(13), log.consistency(6, 13))),
        refused("one-hash-more", "one hash too many", shown(6, 13, root(6), longer(6))),
        refused("nothing-shown", "no hashes at all", shown(6, 13, root(6), Vec::new())),
    ];
    let judge = |fields: &Fields| {
        let (old, new) = (fields.number("old-size"), fields.number("new-size"));
        let roots = [Digest(fields.array("old-root")), Digest(fields.array("new-root"))];
        verify_consistency(old, new, &digests(fields, "path"), &roots[0], &roots[1]).map_err(|_| UNPROVEN)
    };
    assert_eq!(check("consistency", &cases, judge), 8);
}
