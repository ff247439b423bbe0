//! What a verifier remembers, against honest logs and lying ones (CHK-1 to CHK-4; attacks 1, 12, 15 to 21, 25, 26).
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking; its logs are short"
)]

#[expect(dead_code, reason = "each test uses a part of the ledger")]
mod ledger;

use chain::account::ProvenAccount;
use chain::evidence::{Evidence, Finding};
use chain::handle::Handle;
use chain::id::AccountId;
use chain::log::checkpoint::LogSignedCheckpoint;
use chain::log::note::{NoteSignature, SignedNote};
use chain::log::policy::Policy;
use chain::proven::Unproven;
use chain::sigchain::body::{Body, ResetChoice};
use chain::sigchain::entry::Signatures;
use chain::view::{Freshness, LogEvidence, View, ViewError};

use ledger::{Device, HOUR_S, Ledger, alice_laptop, alice_phone, bob_phone, carol_phone, ghost};

/// Three of four witnesses, and Alice with one device.
fn alice() -> (Ledger, AccountId) {
    let mut ledger = Ledger::new(3, 4);
    let alice = ledger.opened(&alice_phone(), Some("alice"));
    (ledger, alice)
}

fn code<T: std::fmt::Debug>(result: Result<T, ViewError>) -> &'static str {
    result.unwrap_err().code()
}

/// What a stranger without a network says to the file that an alarm leaves behind (attack 32).
fn finding<T: std::fmt::Debug>(result: Result<T, ViewError>) -> Finding {
    let ViewError::Lie { code, evidence } = result.unwrap_err() else { panic!("no evidence") };
    let file = evidence.encode();
    let read = Evidence::decode(&file).unwrap();
    assert_eq!(read.encode(), file);
    let finding = read.check().unwrap();
    assert_eq!(finding.code, code);
    finding
}

fn look(view: &View, ledger: &Ledger, account: AccountId) -> ProvenAccount {
    view.account(account, None, &ledger.account_evidence(&account, None)).unwrap()
}

/// CHK-2, CHK-3; attack 1: senders see the confirmed devices and no others, however they came to know them.
#[test]
fn devices_folded_block_by_block_are_those_folded_from_scratch() {
    let (mut ledger, alice) = alice();
    let mut view = ledger.view();
    let mut known = look(&view, &ledger, alice);
    let ids = |account: &ProvenAccount| account.confirmed_devices().iter().map(|it| it.id()).collect::<Vec<_>>();
    let (phone, laptop) = (alice_phone(), alice_laptop());
    for step in 0..4 {
        let time_s = ledger.time_s() + 100 * HOUR_S;
        let entry = match step {
            0 => ledger.add(&alice, &laptop),
            1 => ledger.confirm(&alice, &laptop, &phone, &phone),
            2 => ledger.choose(&alice, ResetChoice::Never, &laptop),
            _ => ledger.remove(&alice, &phone, &laptop),
        };
        let bob = ledger.open(&Device::new(step + 1), None);
        ledger.seal(vec![entry, bob], time_s);
        ledger.grow(ledger.size() + u64::from(step));
        view = view.advance(&ledger.log_evidence(view.size()), ledger.time_s()).unwrap();
        let since = known.set().sequence();
        known = view.account(alice, Some(&known), &ledger.account_evidence(&alice, Some(since))).unwrap();
        assert_eq!(known, look(&ledger.view(), &ledger, alice));
        assert_eq!(known.set(), ledger.set(&alice));
        let mut expected = match step {
            0 => vec![phone.id()],
            1 | 2 => vec![phone.id(), laptop.id()],
            _ => vec![laptop.id()],
        };
        expected.sort_unstable();
        assert_eq!(ids(&known), expected, "step {step}");
    }
}

/// RST-6: an account that has ended has nobody to encrypt to.
#[test]
fn a_closed_account_has_no_devices() {
    let (mut ledger, alice) = alice();
    let close = ledger.follow(&alice, Body::AccountClosed { signer: alice_phone().id() }, &alice_phone());
    ledger.seal(vec![close], ledger.time_s() + 100 * HOUR_S);
    assert!(look(&ledger.view(), &ledger, alice).confirmed_devices().is_empty());
}

/// CHK-4, HND-1; attacks 26 and 29.
#[test]
fn handles_are_found_or_proven_absent_under_one_key_only() {
    let (ledger, alice) = alice();
    let view = ledger.view();
    let handle = |name| Handle::parse(name).unwrap();
    let held = view.handle(&handle("alice"), &ledger.handle_evidence("alice")).unwrap().1.unwrap();
    assert_eq!((held.account, held.incarnation), (alice, 1));
    assert_eq!(view.handle(&handle("bob"), &ledger.handle_evidence("bob")).map(|(_, head)| head), Ok(None));
    // somebody else's answer, a bent proof, a head left out
    assert_eq!(code(view.handle(&handle("alice"), &ledger.handle_evidence("bob"))), "chain.index_key");
    let mut bent = ledger.handle_evidence("alice");
    bent.vrf[70] ^= 1;
    assert_eq!(code(view.handle(&handle("alice"), &bent)), "chain.index_key");
    let mut hidden = ledger.handle_evidence("alice");
    hidden.head = Vec::new();
    assert_eq!(code(view.handle(&handle("alice"), &hidden)), "chain.proof_invalid");
    let mut other = ledger.handle_evidence("alice");
    other.head[39] ^= 3;
    assert_eq!(code(view.handle(&handle("alice"), &other)), "chain.proof_invalid");
}

/// CHK-2; attacks 15 and 32: two roots at one size.
#[test]
fn a_fork_at_the_same_size_convicts_the_log_and_the_witnesses_of_both_sides() {
    let (mut one, _) = alice();
    let mut two = one.clone();
    one.opened(&bob_phone(), None);
    two.opened(&carol_phone(), None);
    let offered = LogEvidence { newest: two.newest(&[1, 2], two.time_s()), consistency: Vec::new() };
    let found = finding(one.view().advance(&offered, one.time_s()));
    assert_eq!((found.code, found.rule, found.log), ("chain.fork", "CHK-2", one.log_key()));
    assert_eq!(found.witnesses, [one.witness_key(1), one.witness_key(2)]);
    // a header that is not in it does not save the liar
    let mut broken = offered;
    broken.newest.inclusion.clear();
    assert_eq!(finding(one.view().advance(&broken, one.time_s())).code, "chain.fork");
}

/// CHK-2; attack 15, at all sizes, powers of two among them.
#[test]
fn a_fork_at_another_size_is_shown_by_the_other_branchs_own_proof() {
    let (common, _) = alice();
    for (old, new) in [(3, 5), (4, 5), (4, 9), (5, 8), (6, 13), (8, 9), (8, 16), (7, 8)] {
        let (mut one, mut two) = (common.clone(), common.clone());
        one.opened(&bob_phone(), None);
        two.opened(&carol_phone(), None);
        one.grow(old);
        two.grow(new);
        let view = one.view();
        let newest = two.newest(&[], two.time_s());
        let offered = LogEvidence { newest, consistency: two.telling_path(old, new) };
        let found = finding(view.advance(&offered, two.time_s()));
        assert_eq!((found.code, found.witnesses.len()), ("chain.fork", 0), "{old} to {new}");
        // and the other way round: what somebody else saw at a smaller size
        let gossip = one.newest(&[0, 1, 2], one.time_s() + 1);
        let later = two.view();
        let offered = LogEvidence { newest: gossip, consistency: two.telling_path(old, new) };
        let found = finding(later.advance(&offered, two.time_s()));
        assert_eq!((found.code, found.witnesses.len()), ("chain.fork", 3), "{new} back to {old}");
    }
}

/// Attacks 25 and 27: garbled, foreign and oversized proofs are refused and accuse nobody.
#[test]
fn an_unfitting_consistency_proof_is_refused_without_an_accusation() {
    let (mut ledger, _) = alice();
    ledger.grow(10);
    let at_ten = ledger.view();
    ledger.grow(15);
    let at_fifteen = ledger.view();
    ledger.grow(20);
    // the cache's mistake: the proof (10, 20) for somebody at 15
    let mixed = LogEvidence { consistency: ledger.consistency(10, 20), ..ledger.log_evidence(15) };
    assert_eq!(code(at_fifteen.advance(&mixed, ledger.time_s())), "chain.proof_invalid");
    let honest = ledger.log_evidence(10);
    for at in 0..honest.consistency.len() {
        for bit in [0, 100, 255] {
            let mut garbled = honest.clone();
            garbled.consistency[at].0[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(code(at_ten.advance(&garbled, ledger.time_s())), "chain.proof_invalid");
        }
        let mut short = honest.clone();
        short.consistency.remove(at);
        assert_eq!(code(at_ten.advance(&short, ledger.time_s())), "chain.proof_invalid");
    }
    let bomb = LogEvidence { consistency: vec![honest.consistency[0]; 10_000], ..honest.clone() };
    assert_eq!(code(at_ten.advance(&bomb, ledger.time_s())), "chain.proof_invalid");
    assert_eq!(at_ten.advance(&honest, ledger.time_s()).unwrap().size(), 20);
}

/// Attack 16; CHK-2.
#[test]
fn a_smaller_size_is_a_rollback() {
    let (mut ledger, _) = alice();
    ledger.grow(6);
    let (old, at_six) = (ledger.clone(), ledger.view());
    ledger.grow(9);
    let at_nine = ledger.view();
    // seen before, never seen, and with the proof that it was so once
    let advanced = at_six.advance(&ledger.log_evidence(6), ledger.time_s()).unwrap();
    let backup = LogEvidence { consistency: Vec::new(), ..old.log_evidence(6) };
    let rollback = ViewError::Rollback { known: 9, offered: 6 };
    assert_eq!(advanced.advance(&backup, ledger.time_s()), Err(rollback.clone()));
    assert_eq!(at_nine.advance(&backup, ledger.time_s()), Err(rollback.clone()));
    let proven = LogEvidence { consistency: ledger.consistency(6, 9), ..backup };
    assert_eq!(at_nine.advance(&proven, ledger.time_s()), Err(rollback));
    assert_eq!(code(at_nine.advance(&proven, ledger.time_s())), "chain.rollback");
}

/// Attacks 12 and 19; CHK-3: the head goes back for one block, and then on as if nothing had been.
#[test]
fn a_head_rewound_between_two_honest_ones_is_caught_by_who_saw_the_newer_state() {
    let (mut ledger, alice) = alice();
    let before = ledger.set(&alice).clone();
    let add = ledger.add(&alice, &alice_laptop());
    ledger.seal(vec![add], ledger.time_s() + 5);
    let (newer, view) = (ledger.set(&alice).clone(), ledger.view());
    let known = look(&view, &ledger, alice);
    ledger.seal_record(before, ledger.time_s() + 5);
    let mut rewound = ledger.account_evidence(&alice, Some(1));
    rewound.entries.clear();
    let view = view.advance(&ledger.log_evidence(view.size()), ledger.time_s()).unwrap();
    let found = finding(view.account(alice, Some(&known), &rewound));
    assert_eq!((found.code, found.rule, found.log), ("chain.rollback", "CHK-3", ledger.log_key()));
    ledger.seal_record(newer, ledger.time_s() + 5);
    let view = view.advance(&ledger.log_evidence(view.size()), ledger.time_s()).unwrap();
    view.account(alice, Some(&known), &ledger.account_evidence(&alice, Some(1))).unwrap();
}

/// Attack 19; CHK-3: one position, two states.
#[test]
fn another_record_at_the_same_position_convicts_the_log() {
    let (mut ledger, alice) = alice();
    let mut other = ledger.clone();
    for (log, choice) in [(&mut ledger, ResetChoice::Never), (&mut other, ResetChoice::SevenDays)] {
        let entry = log.choose(&alice, choice, &alice_phone());
        log.seal(vec![entry], log.time_s() + 5);
    }
    let view = ledger.view();
    let known = look(&view, &ledger, alice);
    ledger.seal_record(other.set(&alice).clone(), ledger.time_s() + 5);
    let view = view.advance(&ledger.log_evidence(view.size()), ledger.time_s()).unwrap();
    let found = finding(view.account(alice, Some(&known), &ledger.account_evidence(&alice, Some(1))));
    assert_eq!(found.rule, "CHK-3");
}

/// A view taken from an old backup is behind what is known: that accuses nobody.
#[test]
fn a_state_newer_than_the_view_is_no_rollback_of_the_log() {
    let (mut ledger, alice) = alice();
    let (old_view, old) = (ledger.view(), ledger.account_evidence(&alice, None));
    let entry = ledger.choose(&alice, ResetChoice::Never, &alice_phone());
    ledger.seal(vec![entry], ledger.time_s() + 5);
    let known = look(&ledger.view(), &ledger, alice);
    assert_eq!(old_view.account(alice, Some(&known), &old), Err(ViewError::Proof(Unproven::Map)));
}

/// Attack 17; CHK-5: 24 hours by the witnesses' clocks, and ten minutes of anybody's.
#[test]
fn an_old_checkpoint_is_stale_and_a_wrong_clock_is_no_alarm() {
    let (ledger, _) = alice();
    let view = ledger.view();
    let seen_s = view.witnessed_s();
    let again = |now_s| view.advance(&ledger.log_evidence(view.size()), now_s).map(|view| view.freshness(now_s));
    for (now_s, expected) in [
        (seen_s - 10 * 60, Freshness::Fresh),
        (seen_s + HOUR_S, Freshness::Fresh),
        (seen_s + HOUR_S + 1, Freshness::Aging),
        (seen_s + 24 * HOUR_S + 10 * 60, Freshness::Aging),
    ] {
        assert_eq!(again(now_s), Ok(expected), "{now_s}");
    }
    assert_eq!(code(again(seen_s + 24 * HOUR_S + 10 * 60 + 1)), "chain.stale");
    // newer cosignatures over the same log are enough
    let newest = ledger.newest(&[0, 1, 3], seen_s + 25 * HOUR_S);
    let refreshed = LogEvidence { newest, consistency: Vec::new() };
    assert_eq!(view.advance(&refreshed, seen_s + 25 * HOUR_S).unwrap().witnessed_s(), seen_s + 25 * HOUR_S);
}

/// CHK-2; attack 15: the log's own word is not enough, nor are two of four.
#[test]
fn a_checkpoint_without_a_quorum_moves_nothing() {
    let (mut ledger, _) = alice();
    let view = ledger.view();
    ledger.grow(5);
    let mut offered = ledger.log_evidence(view.size());
    for witnesses in [&[][..], &[0, 3], &[2, 2, 2]] {
        offered.newest = ledger.newest(witnesses, ledger.time_s());
        assert_eq!(code(view.advance(&offered, ledger.time_s())), "witness.quorum", "{witnesses:?}");
    }
    offered.newest = ledger.newest(&[0, 1, 3], ledger.time_s());
    assert!(view.advance(&offered, ledger.time_s()).is_ok());
}

/// BLK-5: no block from the future.
#[test]
fn a_block_dated_later_than_its_quorum_allows_is_refused() {
    let (mut ledger, _) = alice();
    let view = ledger.view();
    ledger.grow(5);
    let offered = |cosigned_s| LogEvidence {
        newest: ledger.newest(&[0, 1, 2], cosigned_s),
        consistency: ledger.consistency(view.size(), 5),
    };
    assert!(view.advance(&offered(ledger.time_s() - 300), ledger.time_s()).is_ok());
    let refused = view.advance(&offered(ledger.time_s() - 301), ledger.time_s());
    assert_eq!(refused, Err(ViewError::Ahead { ahead_s: 301 }));
}

/// Attack 18; CHK-3: what was cut or bent on the way is refused, and the log is not blamed for it.
#[test]
fn withheld_swapped_and_restamped_entries_are_refused_without_an_accusation() {
    let (mut ledger, alice) = alice();
    let (phone, laptop) = (alice_phone(), alice_laptop());
    let add = ledger.add(&alice, &laptop);
    ledger.seal(vec![add], ledger.time_s() + 5);
    let confirm = ledger.confirm(&alice, &laptop, &phone, &phone);
    ledger.seal(vec![confirm], ledger.time_s() + 5);
    ledger.opened(&bob_phone(), None);
    let bob = ledger.open(&bob_phone(), None).statement.position.account;
    let (view, honest) = (ledger.view(), ledger.account_evidence(&alice, None));
    let refused = |bend: &dyn Fn(&mut chain::view::AccountEvidence)| {
        let mut bent = honest.clone();
        bend(&mut bent);
        assert_ne!(bent, honest);
        assert_eq!(code(view.account(alice, None, &bent)), "chain.proof_invalid");
    };
    (0..3).for_each(|at| refused(&|it| drop(it.entries.remove(at))));
    refused(&|it| it.entries.clear());
    refused(&|it| it.entries.swap(1, 2));
    refused(&|it| it.entries.push(it.entries[2].clone()));
    refused(&|it| it.entries[1] = ledger.entries(&bob)[0].clone());
    (0..3).for_each(|at| refused(&|it| it.entries[at].time_s -= 1));
    (0..3).for_each(|at| refused(&|it| it.entries[at].block -= 1));
    refused(&|it| it.entries[2].time_s += 1);
    refused(&|it| it.entries[2].block += 1);
    (0..3).for_each(|at| refused(&|it| *it.entries[at].entry.last_mut().unwrap() ^= 1));
    refused(&|it| it.record[40] ^= 1);
    refused(&|it| it.proof[10] ^= 1);
    assert_eq!(code(view.account(bob, None, &honest)), "chain.proof_invalid");
    // a later answer that leaves the newest entry out, to somebody who knows the first ones
    let known = view.account(alice, None, &honest).unwrap();
    let remove = ledger.remove(&alice, &laptop, &phone);
    ledger.seal(vec![remove], ledger.time_s() + 100 * HOUR_S);
    let mut cut = ledger.account_evidence(&alice, Some(2));
    cut.entries.clear();
    let view = view.advance(&ledger.log_evidence(view.size()), ledger.time_s()).unwrap();
    assert_eq!(code(view.account(alice, Some(&known), &cut)), "chain.proof_invalid");
}

/// CHK-3: a record that tells of a time before the entry before, or after the newest block, is not believed even with
/// an answer that fits it.
#[test]
fn an_entry_told_to_be_older_than_the_one_before_or_newer_than_the_log_is_refused() {
    let (ledger, alice) = alice();
    let sealed_s = ledger.time_s();
    for (told_s, accepted) in [(sealed_s - 1, false), (sealed_s, true), (sealed_s + 50, true), (sealed_s + 51, false)] {
        let mut ledger = ledger.clone();
        let entry = vec![ledger.choose(&alice, ResetChoice::Never, &alice_phone())];
        let effects = ledger.effects(&entry, told_s, &mut Signatures::CheckNow);
        ledger.seal_unchecked(entry, effects, sealed_s + 50);
        let mut evidence = ledger.account_evidence(&alice, None);
        evidence.entries[1].time_s = told_s;
        let looked = ledger.view().account(alice, None, &evidence);
        assert_eq!(looked.is_ok(), accepted, "{}", i128::from(told_s) - i128::from(sealed_s));
    }
}

/// CHK-2: the header shown beside a checkpoint is its newest.
#[test]
fn an_older_header_of_the_log_is_not_taken_for_the_newest() {
    let (mut ledger, _) = alice();
    let view = ledger.view();
    ledger.grow(6);
    let offered = LogEvidence { newest: ledger.proven_header(4, 6), ..ledger.log_evidence(view.size()) };
    let refused = ViewError::Proof(Unproven::Header { number: 4, size: 6 });
    assert_eq!(view.advance(&offered, ledger.time_s()), Err(refused));
}

/// Attack 17: the same checkpoint with older cosignatures makes a view no older.
#[test]
fn older_cosignatures_do_not_turn_a_view_back() {
    let (ledger, _) = alice();
    let now_s = ledger.time_s() + HOUR_S;
    let at = |time_s| LogEvidence { newest: ledger.newest(&[0, 1, 2], time_s), consistency: Vec::new() };
    let view = ledger.view().advance(&at(now_s), now_s).unwrap();
    let again = view.advance(&at(now_s - 100), now_s).unwrap();
    assert_eq!(again.witnessed_s(), now_s);
    assert_eq!(View::decode(&again.encode()), Ok(again));
}

/// CHK-1: a policy may name two logs; what one says is nothing about the other.
#[test]
fn a_checkpoint_of_another_log_is_refused_and_no_fork() {
    let (mut one, two) = (Ledger::new(0, 0), Ledger::named("other.example/log", 0, 0));
    let text = format!("log {}\nlog {}\nquorum none\n", one.log_key(), two.log_key());
    one.policy = text.parse().unwrap();
    let view = one.view();
    let offered = LogEvidence { newest: two.newest(&[], 0), consistency: Vec::new() };
    assert_eq!(view.advance(&offered, one.time_s()), Err(ViewError::Proof(Unproven::Parameters)));
}

/// However often a view moves, it can be kept.
#[test]
fn a_view_remembers_the_newest_1024_roots() {
    let mut ledger = Ledger::new(0, 0);
    let mut view = ledger.view();
    for size in 2..1_030 {
        ledger.grow(size);
        view = view.advance(&ledger.log_evidence(view.size()), ledger.time_s()).unwrap();
    }
    assert_eq!(View::decode(&view.encode()), Ok(view));
}

/// CHK-3: a newcomer need not fold a thousand entries, but nobody is spared the first 64.
#[test]
fn a_newcomer_starts_from_the_record_of_an_account_with_64_entries_and_not_before() {
    let mut ledger = Ledger::new(1, 1);
    let alice = ledger.opened(&alice_phone(), None);
    for at in 0..64 {
        let choice = if at % 2 == 0 { ResetChoice::Never } else { ResetChoice::OneDay };
        let entry = ledger.choose(&alice, choice, &alice_phone());
        ledger.seal(vec![entry], ledger.time_s() + 5);
        let mut alone = ledger.account_evidence(&alice, None);
        alone.entries.clear();
        let looked = ledger.view().account(alice, None, &alone);
        if at < 63 {
            assert_eq!(code(looked), "chain.proof_invalid", "{} entries", at + 2);
        } else {
            assert_eq!(looked.unwrap(), look(&ledger.view(), &ledger, alice));
        }
    }
}

/// What is kept is checked like what is sent, but for its age.
#[test]
fn a_view_and_its_accounts_are_taken_up_again_after_they_have_moved() {
    let (mut ledger, alice) = alice();
    let mut view = ledger.view();
    for size in [4, 7, 8, 12] {
        ledger.grow(size);
        view = view.advance(&ledger.log_evidence(view.size()), ledger.time_s()).unwrap();
        assert_eq!(View::decode(&view.encode()), Ok(view.clone()), "at {size}");
    }
    let known = look(&view, &ledger, alice);
    assert_eq!(ProvenAccount::restore(&ledger.policy, known.proven().clone()), Ok(known.clone()));
    let mut unwitnessed = known.proven().clone();
    unwitnessed.at = ledger.newest(&[0], ledger.time_s());
    assert_eq!(code(ProvenAccount::restore(&ledger.policy, unwitnessed)), "witness.quorum");
    let mut bent = known.proven().clone();
    bent.record[40] ^= 1;
    assert_eq!(code(ProvenAccount::restore(&ledger.policy, bent)), "chain.proof_invalid");
}

#[test]
fn a_damaged_state_file_is_an_error_or_reads_as_written() {
    let (mut ledger, _) = alice();
    let first = ledger.view();
    ledger.grow(6);
    let view = first.advance(&ledger.log_evidence(first.size()), ledger.time_s()).unwrap();
    let bytes = view.encode();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        if let Ok(read) = View::decode(&damaged) {
            assert_eq!(read.encode(), damaged, "byte {at}");
        }
        assert!(View::decode(&bytes[..at]).is_err());
    }
}

/// Attack 20; CHK-1.
#[test]
fn a_minority_policy_is_refused() {
    let text = Ledger::new(2, 3).policy.to_string().replace("group g 2", "group g 1");
    assert_eq!(text.parse::<Policy>().map_err(|error| error.code()), Err("policy.no_intersection"));
}

/// Attack 21: two of four witnesses cannot carry a fork; three can, but not past who saw the other branch.
#[test]
fn colluding_witnesses_fool_only_who_has_seen_nothing() {
    let (mut honest, alice) = alice();
    let mut forked = honest.clone();
    honest.opened(&bob_phone(), None);
    let add = forked.add(&alice, &ghost());
    forked.seal(vec![add], forked.time_s() + 5);
    forked.grow(5);
    let begin = |witnesses: &[usize]| {
        let newest = forked.newest(witnesses, forked.time_s());
        View::begin(forked.policy.clone(), forked.genesis(forked.size()), newest, forked.time_s())
    };
    assert_eq!(code(begin(&[2, 3])), "witness.quorum");
    // the documented limit: a fresh client
    assert!(begin(&[1, 2, 3]).is_ok());
    let newest = forked.newest(&[1, 2, 3], forked.time_s());
    let offered = LogEvidence { newest, consistency: forked.consistency(3, 5) };
    let found = finding(honest.view().advance(&offered, forked.time_s()));
    assert_eq!((found.code, found.witnesses.len()), ("chain.fork", 3));
}

/// CHK-2: block 0 decides what log it is.
#[test]
fn another_block_0_is_refused() {
    let (ledger, _) = alice();
    let other = Ledger::new(1, 1);
    let begin = |genesis| View::begin(ledger.policy.clone(), genesis, ledger.newest(&[0, 1, 2], ledger.time_s()), 0);
    assert!(begin(ledger.genesis(ledger.size())).is_ok());
    let swapped = chain::proven::ProvenGenesis { parameters: other.bodies[0].clone(), ..ledger.genesis(ledger.size()) };
    assert_eq!(code(begin(swapped)), "chain.proof_invalid");
    assert_eq!(code(begin(other.genesis(1))), "chain.proof_invalid");
}

/// Attack 32: padding a signed checkpoint with signatures of nobody keeps no evidence from being written.
#[test]
fn evidence_is_always_small_enough_to_be_read_again() {
    let (mut one, mut two) = (alice().0, alice().0);
    one.opened(&bob_phone(), None);
    two.opened(&carol_phone(), None);
    let view = one.view();
    let compare = |note: &SignedNote| view.compare(&LogSignedCheckpoint::verify(note, &one.policy).unwrap(), &[]);
    let note = SignedNote::parse(&two.checkpoint(3, &[], 0)).unwrap();
    assert_eq!(finding(compare(&note)).code, "chain.fork");
    let mut lines = note.signatures().to_vec();
    let junk = NoteSignature { name: "junk".parse().unwrap(), signature: vec![0; 1_000], ..lines[0].clone() };
    lines.extend(vec![junk; 20]);
    let padded = SignedNote::new(note.text(), &lines).unwrap();
    assert_eq!(code(compare(&padded)), "chain.proof_invalid");
}

/// Attack 15, gossip (CHK-7): a root that the view itself has seen fills in what the usual proof leaves out.
#[test]
fn a_foreign_root_at_a_size_that_was_seen_is_a_fork_by_the_usual_proof() {
    let (mut one, _) = alice();
    let mut two = one.clone();
    one.opened(&bob_phone(), None);
    two.opened(&carol_phone(), None);
    let mut view = one.view();
    for size in [3, 4, 5, 8, 11] {
        one.grow(size);
        two.grow(size);
        let usual = one.log_evidence(view.size());
        let telling = LogEvidence { consistency: one.telling_path(view.size(), size), ..usual.clone() };
        let next = view.advance(&usual, one.time_s()).unwrap();
        assert_eq!(view.advance(&telling, one.time_s()).unwrap(), next);
        view = next;
    }
    for size in [3, 4, 5, 8, 11] {
        let note = SignedNote::parse(&two.checkpoint(size, &[], 0)).unwrap();
        let signed = LogSignedCheckpoint::verify(&note, &two.policy).unwrap();
        for path in [one.consistency(size, 11), one.telling_path(size, 11)] {
            assert_eq!(finding(view.compare(&signed, &path)).code, "chain.fork", "{size}");
        }
    }
}
