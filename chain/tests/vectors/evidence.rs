//! Evidence files: each kind, and files that prove nothing.

use chain::evidence::{Evidence, Lie};
use chain::id::{AccountId, Digest};
use chain::log::note::{KeyKind, NoteSigner};
use chain::sigchain::body::ResetChoice;
use ed25519_dalek::SigningKey;

use crate::case::Case;
use crate::fold::then;
use crate::ledger::{Ledger, ORIGIN, alice_laptop, alice_phone, bob_phone, ghost};

fn case(name: &str, expect: &str, what: &str, file: &Evidence) -> Case {
    Case::new(&format!("evidence/{name}"), "evidence", expect, what).hex("file", file.encode())
}

const NOTHING: &str = "evidence.no_contradiction 10.2";
const UNPROVEN: &str = "evidence.unproven 10.2";
const MALFORMED: &str = "evidence.malformed 10.2";

pub(crate) fn cases() -> Vec<Case> {
    [forks(), records(), sigchains(), blocks(), malformed()].concat()
}

/// A log with one witness, and Alice with a pending laptop.
fn pending() -> (Ledger, AccountId) {
    let mut ledger = Ledger::new(1, 1);
    let alice = ledger.opened(&alice_phone(), Some("alice"));
    let added = ledger.add(&alice, &alice_laptop());
    then(&mut ledger, added, 5);
    (ledger, alice)
}

fn fork(one: &Ledger, old: u64, two: &Ledger, new: u64, path: Vec<Digest>) -> Evidence {
    let (earlier, later) = (one.checkpoint(old, &[0], 5), two.checkpoint(new, &[0], 6));
    one.evidence(Lie::Fork { earlier, later, path })
}

fn forks() -> Vec<Case> {
    let (ledger, alice) = pending();
    let (mut one, mut two) = (ledger.clone(), ledger);
    let choose = one.choose(&alice, ResetChoice::Never, &alice_phone());
    then(&mut one, choose, 5);
    two.grow(4);
    let same = fork(&one, 4, &two, 4, Vec::new());
    two.grow(6);
    let later = fork(&one, 4, &two, 6, two.telling_path(4, 6));
    let honest = fork(&two, 4, &two, 6, two.telling_path(4, 6));
    let no_root = fork(&one, 4, &two, 6, two.consistency(4, 6));
    let own = NoteSigner::new(ORIGIN.parse().unwrap(), KeyKind::Ed25519, SigningKey::from_bytes(&[77; 32]));
    let two_keys = format!("log {}\n{}", own.verifier_key(), same.policy).parse().unwrap();
    let two_keys = Evidence { policy: two_keys, ..same.clone() };
    let other_key = format!("log {}\nquorum none\n", own.verifier_key()).parse().unwrap();
    let other_key = Evidence { policy: other_key, ..same.clone() };
    vec![
        case("fork-same-size", "ok", "Two roots for one size, cosigned by one witness.", &same),
        case("fork-later", "ok", "A later log that has another root at the earlier size.", &later),
        case("fork-honest", NOTHING, "One log at two sizes.", &honest),
        case("fork-without-root", NOTHING, "From a power of two, and the other root is not in front.", &no_root),
        case("fork-two-keys", NOTHING, "Two keys of one name: whose lie would it be?", &two_keys),
        case("fork-other-key", UNPROVEN, "The key that the file names signed nothing.", &other_key),
    ]
}

fn records() -> Vec<Case> {
    let mut ledger = Ledger::new(0, 0);
    let alice = ledger.opened(&alice_phone(), None);
    let before = ledger.set(&alice).clone();
    let choose = ledger.choose(&alice, ResetChoice::Never, &alice_phone());
    then(&mut ledger, choose, 5);
    ledger.seal_record(before, ledger.time_s() + 5);
    let file = |earlier, later| {
        let [earlier, later] = [earlier, later].map(|number| Box::new(ledger.proven_record(&alice, number)));
        ledger.evidence(Lie::Rewound { earlier, later })
    };
    vec![
        case("rewound", "ok", "An account goes back to its state before.", &file(2, 3)),
        case("rewound-honest", NOTHING, "An account goes on.", &file(1, 2)),
        case("rewound-order", NOTHING, "The later state is of an earlier block.", &file(2, 1)),
    ]
}

fn sigchains() -> Vec<Case> {
    let (ledger, alice) = pending();
    let mut lied = ledger.clone();
    let add = lied.add(&alice, &ghost());
    then(&mut lied, add, 5);
    let forged = lied.confirm(&alice, &ghost(), &alice_phone(), &ghost());
    lied.seal_forged(forged, lied.time_s() + 5, lied.time_s() + 5);
    let mut honest = ledger.clone();
    let confirm = honest.confirm(&alice, &alice_laptop(), &alice_phone(), &alice_phone());
    then(&mut honest, confirm, 5);
    let file = |ledger: &Ledger, earlier: Option<u64>, skip: usize| {
        let record = |number| Box::new(ledger.proven_record(&alice, number));
        ledger.evidence(Lie::Sigchain {
            earlier: earlier.map(record),
            later: record(ledger.size() - 1),
            genesis: Box::new(ledger.genesis(2)),
            genesis_in: ledger.checkpoint(2, &[], 0),
            entries: ledger.entries(&alice)[skip..].to_vec(),
        })
    };
    vec![
        case("sigchain", "ok", "A confirmation that the device did not sign, seen from the first entry.", &file(&lied, None, 0)),
        case("sigchain-since", "ok", "The same, seen by whoever knew the state before.", &file(&lied, Some(3), 3)),
        case("sigchain-honest", NOTHING, "Entries that give the state.", &file(&honest, None, 0)),
        case("sigchain-left-out", NOTHING, "An entry is left out by the accuser.", &file(&lied, None, 1)),
    ]
}

fn blocks() -> Vec<Case> {
    let (mut ledger, alice) = pending();
    let honest = ledger.clone();
    let by_itself = ledger.confirm(&alice, &alice_laptop(), &alice_laptop(), &alice_laptop());
    let mut pretended = ledger.clone();
    let confirm = pretended.confirm(&alice, &alice_laptop(), &alice_phone(), &alice_phone());
    then(&mut pretended, confirm, 5);
    ledger.seal_as(by_itself, pretended.set(&alice), ledger.time_s() + 5);
    let mut root = honest.clone();
    let bob = root.open(&bob_phone(), Some("bob"));
    let time_s = root.time_s() + 5;
    let effects = root.effects(std::slice::from_ref(&bob), time_s, &mut chain::sigchain::entry::Signatures::CheckNow);
    let body = chain::block::Body { entries: vec![bob], changes: effects.changes.clone() };
    root.seal_bent(&body, effects, time_s, |it| it.new_root.0[0] ^= 1);
    let file = |ledger: &Ledger, number| ledger.evidence(Lie::Block(Box::new(ledger.sealed(number))));
    let bent = |bend: fn(&mut chain::sealed_block::SealedBlock)| {
        let mut block = ledger.sealed(3);
        bend(&mut block);
        ledger.evidence(Lie::Block(Box::new(block)))
    };
    vec![
        case("block", "ok", "A pending device confirms itself.", &file(&ledger, 3)),
        case("block-root", "ok", "The transition gives another root than the header.", &file(&root, 3)),
        case("block-honest", NOTHING, "A block by the rules.", &file(&honest, 2)),
        case("block-genesis", NOTHING, "Block 0 by the rules.", &file(&honest, 0)),
        case("block-state-missing", UNPROVEN, "The accuser leaves a state out.", &bent(|it| it.accounts.clear())),
        case("block-other-body", UNPROVEN, "A body of the accuser's own making.", &bent(|it| it.body.push(0))),
    ]
}

fn malformed() -> Vec<Case> {
    let (ledger, _) = pending();
    let good = fork(&ledger, 2, &ledger, 3, ledger.telling_path(2, 3)).encode();
    let bent = |name: &str, what: &str, bend: fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        bend(&mut bytes);
        Case::new(&format!("evidence/bad-{name}"), "evidence", MALFORMED, what).hex("file", bytes)
    };
    vec![
        bent("magic", "Another first line.", |it| it[19] = b'2'),
        bent("trailing", "A byte follows.", |it| it.push(0)),
        bent("truncated", "The last byte is missing.", |it| it.truncate(it.len() - 1)),
    ]
}
