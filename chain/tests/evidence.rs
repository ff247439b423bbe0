//! Evidence files: what convicts a log that lied, and that nothing convicts one that did not (attacks 1 to 5, 10 to
//! 12, 15, 19, 27, 32).
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking; its logs are short"
)]

#[expect(dead_code, reason = "each test uses a part of the ledger")]
mod ledger;

use chain::audit::Effects;
use chain::block::{Body as BlockBody, Header};
use chain::evidence::{Evidence, EvidenceError, Finding, Lie};
use chain::id::{AccountId, Digest};
use chain::map::{Change, MapKey, MapValue};
use chain::proven::Unproven;
use chain::sealed_block::SealedBlock;
use chain::sigchain::body::{Answer, Body, Confirmer, Predecessor, ResetChoice};
use chain::sigchain::entry::{Entry, SeenCheckpoint, Signatures, Statement};
use chain::view::{View, ViewError};

use ledger::{HOUR_S, Ledger, alice_laptop, alice_phone, bob_phone, carol_phone, ghost};

/// One witness, and Alice with two devices, the second of them pending.
fn pending_laptop() -> (Ledger, AccountId) {
    let mut ledger = Ledger::new(1, 1);
    let alice = ledger.opened(&alice_phone(), Some("alice"));
    let add = ledger.add(&alice, &alice_laptop());
    ledger.seal(vec![add], ledger.time_s() + 5);
    (ledger, alice)
}

/// What Bob, who has known Alice since the view was made, and a newcomer find out about her newest block.
fn found_by_all(view: &View, before: &Ledger, ledger: &Ledger, alice: AccountId) -> Finding {
    let known = view.account(alice, None, &before.account_evidence(&alice, None)).unwrap();
    let evidence = ledger.account_evidence(&alice, Some(known.set().sequence()));
    let moved = view.advance(&ledger.log_evidence(view.size()), ledger.time_s()).unwrap();
    let bob = moved.account(alice, Some(&known), &evidence);
    let carol = ledger.view().account(alice, None, &ledger.account_evidence(&alice, None));
    let [first, second] = [bob, carol].map(|result| match result.unwrap_err() {
        ViewError::Lie { code, evidence } => {
            let found = Evidence::decode(&evidence.encode()).unwrap().check().unwrap();
            assert_eq!(found.code, code);
            found
        }
        other => panic!("no evidence: {other}"),
    });
    assert_eq!((first.rule, &first.log), (second.rule, &ledger.log_key()));
    first
}

fn judge(ledger: &Ledger, block: SealedBlock) -> Result<Finding, EvidenceError> {
    let file = ledger.evidence(Lie::Block(Box::new(block))).encode();
    let read = Evidence::decode(&file).unwrap();
    assert_eq!(read.encode(), file);
    read.check()
}

/// The rule that the newest block breaks, as an auditor shows it.
fn rule_of_newest(ledger: &Ledger) -> &'static str {
    let found = judge(ledger, ledger.sealed(ledger.size() - 1)).unwrap();
    assert_eq!(found.log, ledger.log_key());
    found.rule
}

/// Attacks 1 and 2: the service confirms a ghost in the name of Alice's phone.
#[test]
fn a_sealed_confirmation_that_the_device_did_not_sign_convicts_the_log() {
    let (mut ledger, alice) = pending_laptop();
    let add = ledger.add(&alice, &ghost());
    ledger.seal(vec![add], ledger.time_s() + 5);
    let (view, before) = (ledger.view(), ledger.clone());
    let forged = ledger.confirm(&alice, &ghost(), &alice_phone(), &ghost());
    ledger.seal_forged(forged, ledger.time_s() + 5, ledger.time_s() + 5);
    let found = found_by_all(&view, &before, &ledger, alice);
    assert_eq!((found.rule, found.code), ("ENT-2", "entry.signature"));
    assert_eq!(rule_of_newest(&ledger), "ENT-2");
}

/// Attack 4: a device that is not confirmed confirms nothing.
#[test]
fn a_confirmation_by_a_pending_device_convicts_the_log() {
    let (mut ledger, alice) = pending_laptop();
    let (view, before) = (ledger.view(), ledger.clone());
    let mut pretended = ledger.clone();
    let honest = pretended.confirm(&alice, &alice_laptop(), &alice_phone(), &alice_phone());
    pretended.seal(vec![honest], ledger.time_s() + 5);
    let by_itself = ledger.confirm(&alice, &alice_laptop(), &alice_laptop(), &alice_laptop());
    ledger.seal_as(by_itself, pretended.set(&alice), ledger.time_s() + 5);
    assert_eq!(found_by_all(&view, &before, &ledger, alice).rule, "DEV-4");
    assert_eq!(rule_of_newest(&ledger), "DEV-4");
}

/// Attack 3: the recorded confirmation of a device that was removed is published again.
#[test]
fn a_replayed_confirmation_convicts_the_log() {
    let (mut ledger, alice) = pending_laptop();
    let confirm = ledger.confirm(&alice, &alice_laptop(), &alice_phone(), &alice_phone());
    ledger.seal(vec![confirm.clone()], ledger.time_s() + 5);
    let confirmed = ledger.set(&alice).clone();
    let remove = ledger.remove(&alice, &alice_laptop(), &alice_phone());
    ledger.seal(vec![remove], ledger.time_s() + 5);
    let (view, before) = (ledger.view(), ledger.clone());
    // as it was, it stands at another position; bent to this one, nobody signed it
    let Body::DeviceConfirmed(answer) = confirm.statement.body else { panic!("a confirmation") };
    let mut statement = ledger.set(&alice).following(Body::DeviceConfirmed(answer), confirm.statement.checkpoint);
    statement.request = confirm.statement.request;
    let replayed = ledger.sign(statement, &ghost());
    ledger.seal_as(replayed, &confirmed, ledger.time_s() + 5);
    assert_eq!(found_by_all(&view, &before, &ledger, alice).rule, "ENT-2");
}

/// Attack 10, DEV-8: a device of one hour cannot remove an older one, whatever the service seals.
#[test]
fn a_removal_by_a_young_device_convicts_the_log() {
    let (mut ledger, alice) = pending_laptop();
    let confirm = ledger.confirm(&alice, &alice_laptop(), &alice_phone(), &alice_phone());
    ledger.seal(vec![confirm], ledger.time_s() + 5);
    let (view, before) = (ledger.view(), ledger.clone());
    let early = ledger.remove(&alice, &alice_phone(), &alice_laptop());
    let time_s = ledger.time_s() + HOUR_S;
    ledger.seal_forged(early, time_s, time_s + 72 * HOUR_S);
    let found = found_by_all(&view, &before, &ledger, alice);
    assert_eq!((found.rule, found.code), ("DEV-8", "device.too_new"));
    assert_eq!(rule_of_newest(&ledger), "DEV-8");
}

/// A log with an open reset notice for Alice, and the entry that would carry it out.
fn noticed(mut ledger: Ledger) -> (Ledger, AccountId, Entry) {
    let alice = ledger.opened(&alice_phone(), None);
    let head = ledger.set(&alice).head();
    let body = Body::AccountCreated {
        salt: [9; 32],
        device: ghost().keys(),
        reset_choice: ResetChoice::OneDay,
        handle: None,
        predecessor: Some(Predecessor { account: alice, head }),
    };
    let seen = SeenCheckpoint { size: 0, root: Digest::sha256(b"") };
    let successor = Statement::opening(2, seen, body).position.account;
    let notice = Body::ResetRequested { successor, device: ghost().keys() };
    let notice = ledger.follow(&alice, notice, &ghost());
    ledger.seal(vec![notice], ledger.time_s() + 5);
    let body = Body::AccountReset { successor, notice_checkpoint: Vec::new(), later_checkpoint: Vec::new() };
    let reset = ledger.follow(&alice, body, &ghost());
    (ledger, alice, reset)
}

/// Attack 11: RST-4 by block time, and RST-5 by the witnesses' clocks, against a service that dates its blocks as it
/// likes.
#[test]
fn a_reset_before_its_time_convicts_the_log() {
    for (ledger, wait_s, rule) in [
        (Ledger::new(0, 0), HOUR_S, "RST-4"),
        (Ledger::new(1, 1), HOUR_S, "RST-4"),
        (Ledger::new(1, 1), 24 * HOUR_S, "RST-5"),
    ] {
        let (mut ledger, alice, reset) = noticed(ledger);
        let (view, before) = (ledger.view(), ledger.clone());
        let time_s = ledger.time_s() + wait_s;
        ledger.seal_forged(reset, time_s, time_s + 24 * HOUR_S);
        assert_eq!(found_by_all(&view, &before, &ledger, alice).rule, rule);
        assert_eq!(rule_of_newest(&ledger), rule);
    }
}

/// RST-4: a reset without the announced successor in the same block. Clients cannot see it, auditors do.
#[test]
fn a_reset_without_its_successor_convicts_the_log() {
    let (mut ledger, _, reset) = noticed(Ledger::new(0, 0));
    let time_s = ledger.time_s() + 24 * HOUR_S;
    ledger.seal_forged(reset, time_s, time_s);
    assert_eq!(rule_of_newest(&ledger), "RST-4");
}

/// BLK-4, attack 1: a true entry, and a record that says something else.
#[test]
fn a_record_that_the_entries_do_not_give_convicts_the_log() {
    let (mut ledger, alice) = pending_laptop();
    let (view, before) = (ledger.view(), ledger.clone());
    let mut pretended = ledger.clone();
    let confirm = pretended.confirm(&alice, &alice_laptop(), &alice_phone(), &alice_phone());
    pretended.seal(vec![confirm], ledger.time_s() + 5);
    let harmless = ledger.choose(&alice, ResetChoice::Never, &alice_phone());
    ledger.seal_as(harmless, pretended.set(&alice), ledger.time_s() + 5);
    let found = found_by_all(&view, &before, &ledger, alice);
    assert_eq!((found.rule, found.code), ("BLK-4", "chain.block_invalid"));
    assert_eq!(rule_of_newest(&ledger), "BLK-4");
}

/// BLK-4, attack 10: a confirmation dated back in the record, so that the device looks older than it is. Who is shown
/// the false time only cannot see it; who replays the block does.
#[test]
fn a_record_that_tells_another_time_than_its_block_convicts_the_log() {
    let (mut ledger, alice) = pending_laptop();
    let view = ledger.view();
    let known = view.account(alice, None, &ledger.account_evidence(&alice, None)).unwrap();
    let confirm = vec![ledger.confirm(&alice, &alice_laptop(), &alice_phone(), &alice_phone())];
    let backdated = ledger.effects(&confirm, ledger.time_s(), &mut Signatures::CheckNow);
    ledger.seal_unchecked(confirm, backdated, ledger.time_s() + 100 * HOUR_S);
    assert_eq!(rule_of_newest(&ledger), "BLK-4");
    let moved = view.advance(&ledger.log_evidence(view.size()), ledger.time_s()).unwrap();
    let told = moved.account(alice, Some(&known), &ledger.account_evidence(&alice, Some(1)));
    assert_eq!(told.unwrap_err().code(), "chain.proof_invalid");
}

/// An honest log in which much happens: openings, handles bound, moved and released, removals, two accounts a block.
fn busy() -> Ledger {
    let (mut ledger, alice) = pending_laptop();
    let confirm = ledger.confirm(&alice, &alice_laptop(), &alice_phone(), &alice_phone());
    let bob = ledger.open(&bob_phone(), Some("bob"));
    let bobs = bob.statement.position.account;
    ledger.seal(vec![confirm, bob], ledger.time_s() + 5);
    ledger.grow(6);
    let remove = ledger.remove(&alice, &alice_phone(), &alice_laptop());
    let release = ledger.follow(&bobs, Body::HandleBound { handle: None, signer: bob_phone().id() }, &bob_phone());
    ledger.seal(vec![remove, release], ledger.time_s() + 100 * HOUR_S);
    let close = ledger.follow(&alice, Body::AccountClosed { signer: alice_laptop().id() }, &alice_laptop());
    ledger.seal(vec![close], ledger.time_s() + 100 * HOUR_S);
    ledger.opened(&carol_phone(), Some("carol"));
    ledger
}

#[test]
fn no_honest_block_is_a_contradiction() {
    let ledger = busy();
    for number in 0..ledger.size() {
        assert_eq!(judge(&ledger, ledger.sealed(number)), Err(EvidenceError::NoContradiction), "block {number}");
    }
}

/// Who accuses may leave things out, bring his own body, or bring parts of other blocks: nothing of it convicts.
#[test]
fn no_part_that_is_missing_or_swapped_convicts_an_honest_block() {
    let ledger = busy();
    let blocks: Vec<_> = (0..ledger.size()).map(|number| ledger.sealed(number)).collect();
    for (number, block) in blocks.iter().enumerate() {
        let acquitted = |bend: &dyn Fn(&mut SealedBlock)| {
            let mut bent = block.clone();
            bend(&mut bent);
            let verdict = ledger.evidence(Lie::Block(Box::new(bent))).check();
            assert!(verdict.is_err(), "block {number}: {verdict:?}");
        };
        (0..block.accounts.len()).for_each(|at| acquitted(&|it| drop(it.accounts.remove(at))));
        (0..block.handles.len()).for_each(|at| acquitted(&|it| drop(it.handles.remove(at))));
        (0..block.roots.len()).for_each(|at| acquitted(&|it| drop(it.roots.remove(at))));
        (0..block.accounts.len()).for_each(|at| acquitted(&|it| it.accounts[at].state.clear()));
        (0..block.handles.len()).for_each(|at| acquitted(&|it| it.handles[at].state.clear()));
        if let [first, second, ..] = block.accounts.as_slice() {
            // each account's state in the place of the other's
            acquitted(&|it| (it.accounts[0].key, it.accounts[1].key) = (second.key, first.key));
        }
        for at in (0..block.handles.len()).filter(|at| !block.handles[*at].state.is_empty()) {
            acquitted(&|it| it.handles[at].state[39] ^= 3);
        }
        acquitted(&|it| it.transition.clear());
        acquitted(&|it| it.transition.truncate(1));
        acquitted(&|it| it.body.clear());
        acquitted(&|it| it.previous.clear());
        acquitted(&|it| it.previous_inclusion.clear());
        for other in &blocks {
            acquitted(&|it| it.at = other.at.clone());
            acquitted(&|it| it.body.clone_from(&other.body));
            acquitted(&|it| {
                (it.previous, it.previous_inclusion) = (other.previous.clone(), other.previous_inclusion.clone())
            });
            acquitted(&|it| it.accounts.clone_from(&other.accounts));
            acquitted(&|it| it.handles.clone_from(&other.handles));
            acquitted(&|it| it.roots.clone_from(&other.roots));
            acquitted(&|it| it.transition.clone_from(&other.transition));
        }
    }
}

/// The body is not signed but by its hash in the header, so another body is the accuser's.
#[test]
fn a_body_of_the_accusers_own_making_proves_nothing() {
    let ledger = busy();
    for number in 0..ledger.size() {
        let block = SealedBlock { body: Ledger::new(2, 3).bodies[0].clone(), ..ledger.sealed(number) };
        assert_eq!(judge(&ledger, block), Err(EvidenceError::Unproven(Unproven::Body)), "block {number}");
    }
}

fn seal_bent(ledger: &mut Ledger, entries: Vec<Entry>, bend: impl Fn(&mut Header)) {
    let time_s = ledger.time_s() + 5;
    let effects = ledger.effects(&entries, time_s, &mut Signatures::CheckNow);
    ledger.seal_bent(&BlockBody { entries, changes: effects.changes.clone() }, effects, time_s, bend);
}

/// BLK-1, BLK-2, BLK-5: headers that do not fit what they stand for.
#[test]
fn a_bent_header_convicts_the_log_of_its_rule() {
    type Bend = fn(&mut Header);
    let bends: [(&str, Bend); 6] = [
        ("BLK-1", |it| it.entries += 1),
        ("BLK-1", |it| it.vrf_key.0.0[0] ^= 1),
        ("BLK-2", |it| it.previous_root.0[0] ^= 1),
        ("BLK-2", |it| it.new_root.0[0] ^= 1),
        ("BLK-2", |it| it.new_root = it.previous_root),
        ("BLK-5", |it| it.time_s -= 6),
    ];
    for (rule, bend) in bends {
        let (mut ledger, _) = pending_laptop();
        let bob = ledger.open(&bob_phone(), Some("bob"));
        seal_bent(&mut ledger, vec![bob], bend);
        assert_eq!(rule_of_newest(&ledger), rule);
    }
}

/// BLK-1: block 0 has the empty map.
#[test]
fn a_block_0_that_its_parameters_do_not_give_convicts_the_log() {
    let mut ledger = Ledger::new(1, 1);
    let mut header = Header::decode(&ledger.headers[0]).unwrap();
    header.new_root = Digest([1; 32]);
    ledger.headers[0] = header.encode();
    assert_eq!(rule_of_newest(&ledger), "BLK-1");
}

/// BLK-3, BLK-4, HND-2, ENT-4: bodies that no rule allows.
#[test]
fn a_body_against_the_rules_convicts_the_log_of_its_rule() {
    let (ledger, alice) = pending_laptop();
    let seal = |entries: Vec<Entry>, bend: &dyn Fn(&mut Effects)| {
        let mut ledger = ledger.clone();
        let mut effects = ledger.effects(&entries, ledger.time_s() + 5, &mut Signatures::CheckNow);
        bend(&mut effects);
        ledger.seal_unchecked(entries, effects, ledger.time_s() + 5);
        rule_of_newest(&ledger)
    };
    let choose = ledger.choose(&alice, ResetChoice::Never, &alice_phone());
    let unexplained = Change { key: MapKey(Digest([8; 32])), old: None, new: MapValue(Digest([9; 32])) };
    assert_eq!(seal(vec![], &|it| it.changes.push(unexplained)), "BLK-4");
    assert_eq!(seal(vec![choose.clone()], &|it| it.changes.clear()), "BLK-4");
    assert_eq!(seal(vec![choose.clone()], &|it| it.changes[0].new = MapValue(Digest([9; 32]))), "BLK-4");
    assert_eq!(seal(vec![choose.clone()], &|it| it.changes.insert(0, it.changes[0])), "BLK-3");
    let confirm = ledger.confirm(&alice, &alice_laptop(), &alice_phone(), &alice_phone());
    let mut twice = ledger.clone();
    let effects = twice.effects(std::slice::from_ref(&choose), twice.time_s() + 5, &mut Signatures::CheckNow);
    twice.seal_unchecked(vec![choose.clone(), confirm], effects, twice.time_s() + 5);
    assert_eq!(rule_of_newest(&twice), "BLK-3");
    // a handle that Alice holds
    let mut taken = ledger.clone();
    let bob = taken.open(&bob_phone(), Some("alice"));
    taken.seal_forged(bob, taken.time_s() + 5, taken.time_s() + 5);
    assert_eq!(rule_of_newest(&taken), "HND-2");
    // a root that this log never had
    let mut foreign = ledger.clone();
    let seen = SeenCheckpoint { size: 2, root: Digest([5; 32]) };
    let choose = foreign.sign(foreign.set(&alice).following(choose.statement.body, seen), &alice_phone());
    foreign.seal_forged(choose, foreign.time_s() + 5, foreign.time_s() + 5);
    assert_eq!(rule_of_newest(&foreign), "ENT-4");
}

/// The honest statements of one log in every form that a file can have.
fn honest_files() -> (Ledger, Vec<Evidence>) {
    let (mut ledger, alice) = pending_laptop();
    let confirm = ledger.confirm(&alice, &alice_laptop(), &alice_phone(), &alice_phone());
    ledger.seal(vec![confirm], ledger.time_s() + 5);
    let record = |number| Box::new(ledger.proven_record(&alice, number));
    let sigchain = |earlier: Option<u64>, later: u64| {
        let skip = earlier.unwrap_or(0) as usize;
        Lie::Sigchain {
            earlier: earlier.map(record),
            later: record(later),
            genesis: Box::new(ledger.genesis(2)),
            genesis_in: ledger.checkpoint(2, &[], 0),
            entries: ledger.entries(&alice)[skip..later as usize].to_vec(),
        }
    };
    let fork = |old, new| Lie::Fork {
        earlier: ledger.checkpoint(old, &[0], 5),
        later: ledger.checkpoint(new, &[0], 6),
        path: ledger.telling_path(old, new),
    };
    let lies = vec![
        fork(3, 4),
        fork(2, 4),
        fork(4, 4),
        Lie::Rewound { earlier: record(1), later: record(3) },
        Lie::Rewound { earlier: record(2), later: record(2) },
        sigchain(None, 3),
        sigchain(Some(1), 3),
        sigchain(Some(2), 2),
        Lie::Block(Box::new(ledger.sealed(3))),
        Lie::Block(Box::new(ledger.sealed(0))),
    ];
    let files = lies.into_iter().map(|lie| ledger.evidence(lie)).collect();
    (ledger, files)
}

/// Attack 32, the other side of it: bytes bent by an accuser never convict a log that did not lie.
#[test]
fn honest_statements_convict_nobody_however_a_byte_is_bent() {
    let (_, files) = honest_files();
    for (which, file) in files.iter().enumerate() {
        assert_eq!(file.check(), Err(EvidenceError::NoContradiction), "file {which}");
        let bytes = file.encode();
        for at in 0..bytes.len() {
            let mut bent = bytes.clone();
            bent[at] ^= 1 << ((at + which) % 8);
            let verdict = Evidence::decode(&bent).map(|file| file.check());
            assert!(!matches!(verdict, Ok(Ok(_))), "file {which}, byte {at}: {verdict:?}");
        }
    }
}

/// Honest statements in the wrong order, or of different sigchains, convict nobody.
#[test]
fn honest_statements_in_another_order_convict_nobody() {
    let ledger = busy();
    let bob = ledger.open(&bob_phone(), Some("bob")).statement.position.account;
    let alice = ledger.open(&alice_phone(), Some("alice")).statement.position.account;
    let records: Vec<_> = [(alice, 1), (alice, 2), (alice, 3), (alice, 7), (bob, 3), (bob, 6), (bob, 8)]
        .map(|(account, number)| ledger.proven_record(&account, number))
        .to_vec();
    let acquitted = |lie: Lie| assert!(ledger.evidence(lie).check().is_err());
    for earlier in &records {
        for later in &records {
            let (earlier, later) = (Box::new(earlier.clone()), Box::new(later.clone()));
            acquitted(Lie::Rewound { earlier: earlier.clone(), later: later.clone() });
            for account in [alice, bob] {
                let all = ledger.entries(&account);
                for (from, to) in (0..=all.len()).flat_map(|to| (0..=to).map(move |from| (from, to))) {
                    for earlier in [None, Some(earlier.clone())] {
                        let (genesis, genesis_in) = (Box::new(ledger.genesis(2)), ledger.checkpoint(2, &[], 0));
                        let entries = all[from..to].to_vec();
                        acquitted(Lie::Sigchain { earlier, later: later.clone(), genesis, genesis_in, entries });
                    }
                }
            }
        }
    }
    for (old, new) in (1..=ledger.size()).flat_map(|new| (1..=ledger.size()).map(move |old| (old, new))) {
        for proof in (1..=ledger.size()).flat_map(|to| (1..=to).map(move |from| (from, to))) {
            let (earlier, later) = (ledger.checkpoint(old, &[], 0), ledger.checkpoint(new, &[], 0));
            acquitted(Lie::Fork { earlier, later, path: ledger.telling_path(proof.0, proof.1) });
        }
    }
}

/// The fork and the rewound record that the next two tests bend.
fn lies() -> (Ledger, [Evidence; 2]) {
    let mut ledger = Ledger::new(0, 1);
    let alice = ledger.opened(&alice_phone(), None);
    let mut other = ledger.clone();
    let before = ledger.set(&alice).clone();
    let choose = ledger.choose(&alice, ResetChoice::Never, &alice_phone());
    ledger.seal(vec![choose], ledger.time_s() + 5);
    ledger.seal_record(before, ledger.time_s() + 5);
    other.grow(3);
    let (earlier, later) = (other.checkpoint(3, &[0], 5), ledger.checkpoint(4, &[0], 6));
    let fork = Lie::Fork { earlier, later, path: ledger.telling_path(3, 4) };
    let (earlier, later) = (Box::new(ledger.proven_record(&alice, 2)), Box::new(ledger.proven_record(&alice, 3)));
    let files = [fork, Lie::Rewound { earlier, later }].map(|lie| ledger.evidence(lie));
    (ledger, files)
}

/// Each bit of a file that convicts: it then proves the same, perhaps of fewer witnesses, or nothing.
fn every_bit_flip_proves_the_same_or_nothing(file: &Evidence) {
    let (bytes, truth) = (file.encode(), file.check().unwrap());
    for at in 0..bytes.len() * 8 {
        let mut bent = bytes.clone();
        bent[at / 8] ^= 1 << (at % 8);
        let Ok(Ok(found)) = Evidence::decode(&bent).map(|file| file.check()) else { continue };
        assert!(found.witnesses.iter().all(|key| truth.witnesses.contains(key)), "bit {at}: {found:?}");
        assert_eq!(Finding { witnesses: truth.witnesses.clone(), ..found }, truth, "bit {at}");
    }
}

/// Attack 32.
#[test]
fn every_bit_flip_of_a_fork_file_proves_the_same_or_nothing() {
    let (ledger, [fork, _]) = lies();
    assert_eq!(fork.check().unwrap().witnesses, [ledger.witness_key(0)]);
    every_bit_flip_proves_the_same_or_nothing(&fork);
}

/// Attack 32.
#[test]
fn every_bit_flip_of_a_record_file_proves_the_same_or_nothing() {
    let (_, [_, rewound]) = lies();
    assert_eq!(rewound.check().unwrap().rule, "CHK-3");
    every_bit_flip_proves_the_same_or_nothing(&rewound);
}

/// A file with a key of the accuser's own beside the log's, under the log's name, says nothing of the log.
#[test]
fn a_second_key_of_the_same_name_convicts_nobody() {
    let (_, [fork, rewound]) = lies();
    let own = other_log(ledger::ORIGIN, 77);
    for file in [fork, rewound] {
        let text = format!("log {}\n{}", own.verifier_key(), file.policy);
        let forged = Evidence { policy: text.parse().unwrap(), ..file };
        assert_eq!(forged.check(), Err(EvidenceError::NoContradiction));
    }
}

/// An account id says nothing of a log: the same person may open the same account in two.
#[test]
fn the_states_of_one_account_in_two_logs_convict_neither() {
    let (mut one, mut two) = (Ledger::new(0, 0), Ledger::named("other.example/log", 0, 0));
    let alice = one.opened(&alice_phone(), None);
    assert_eq!(two.opened(&alice_phone(), None), alice);
    let choose = one.choose(&alice, ResetChoice::Never, &alice_phone());
    one.seal(vec![choose], one.time_s() + 5);
    two.grow(4);
    let text = format!("log {}\nlog {}\nquorum none\n", one.log_key(), two.log_key());
    let (earlier, later) = (Box::new(one.proven_record(&alice, 2)), Box::new(two.proven_record(&alice, 3)));
    let file = Evidence { policy: text.parse().unwrap(), lie: Lie::Rewound { earlier, later } };
    assert_eq!(file.check(), Err(EvidenceError::NoContradiction));
}

fn other_log(name: &str, seed: u8) -> chain::log::note::NoteSigner {
    let key = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]);
    chain::log::note::NoteSigner::new(name.parse().unwrap(), chain::log::note::KeyKind::Ed25519, key)
}

/// Attack 27: numbers that promise more than there is, at every place of every file.
#[test]
fn absurd_lengths_are_refused() {
    let (ledger, files) = honest_files();
    for file in &files {
        let bytes = file.encode();
        for at in 0..bytes.len() {
            for absurd in [&[0xff; 1][..], &[0xff; 2], &[0xff; 4], &[6, 0x40, 0, 0]] {
                let mut bomb = bytes.clone();
                let end = (at + absurd.len()).min(bytes.len());
                bomb[at..end].copy_from_slice(&absurd[..end - at]);
                if let Ok(read) = Evidence::decode(&bomb) {
                    assert_eq!(read.encode(), bomb, "byte {at}");
                }
            }
        }
    }
    // 10,000 hashes where a path is expected
    let mut block = ledger.sealed(3);
    block.at.inclusion = vec![Digest::ZERO; 10_000];
    assert!(Evidence::decode(&ledger.evidence(Lie::Block(Box::new(block.clone()))).encode()).is_err());
    assert!(ledger.evidence(Lie::Block(Box::new(block))).check().is_err());
    let mut record = ledger.proven_record(&ledger.open(&alice_phone(), Some("alice")).statement.position.account, 1);
    record.proof = vec![0xff; 10_000 * 33];
    let twice = Lie::Rewound { earlier: Box::new(record.clone()), later: Box::new(record) };
    assert!(ledger.evidence(twice.clone()).check().is_err());
    assert!(Evidence::decode(&ledger.evidence(twice).encode()).is_err());
    assert!(Evidence::decode(&vec![0; chain::evidence::MAX_EVIDENCE + 1]).is_err());
}

/// DEV-4, sanity of the ledger itself: what it seals by the rules names the request that is open.
#[test]
fn the_answer_names_the_open_request() {
    let (ledger, alice) = pending_laptop();
    let confirm = ledger.confirm(&alice, &alice_laptop(), &alice_phone(), &alice_phone());
    let Body::DeviceConfirmed(Answer { signer, .. }) = confirm.statement.body else { panic!("a confirmation") };
    assert_eq!((confirm.statement.request, signer), (1, Confirmer::Device(alice_phone().id())));
}
