//! Sequences whose last entry is refused.

use chain::id::{AccountId, Digest};
use chain::sigchain::body::{Body, ResetChoice};
use chain::sigchain::entry::{Entry, SeenCheckpoint, Statement};
use chain::stamped::StampedEntry;

use crate::case::Case;
use crate::fold::{
    DAY_S, case, confirmed, notice, noticed, opened, pending, recover, recovery_key, refuse, reset, successor, then, veto,
};
use crate::ledger::{Device, HOUR_S, Ledger, alice_laptop, alice_phone, bob_phone, carol_phone, ghost};

/// Whoever's sequence it is, its name, and the entry that is refused so many seconds after the newest block.
struct Next<'a> {
    ledger: &'a Ledger,
    account: AccountId,
    after_s: u64,
}

impl Next<'_> {
    fn refused(&self, name: &str, expect: &str, what: &str, entry: &Entry) -> Case {
        let mut entries = self.ledger.entries(&self.account).to_vec();
        let time_s = self.ledger.time_s() + self.after_s;
        entries.push(StampedEntry { block: self.ledger.size(), time_s, entry: entry.encode() });
        case(&format!("bad-{name}"), expect, what, self.ledger, &entries)
    }
}

fn next(ledger: &Ledger, account: AccountId) -> Next<'_> {
    Next { ledger, account, after_s: 5 }
}

pub(crate) fn cases() -> Vec<Case> {
    [openings(), positions(), checkpoints(), joining(), leaving(), recovery(), notices(), early_resets(), ended()].concat()
}

fn bent(entry: &Entry, bend: impl Fn(&mut Statement)) -> Statement {
    let mut statement = entry.statement.clone();
    bend(&mut statement);
    statement
}

fn openings() -> Vec<Case> {
    let ledger = Ledger::new(0, 0);
    let alone = |name: &str, what: &str, entry: &Entry| {
        let stamped = StampedEntry { block: 1, time_s: ledger.time_s() + 5, entry: entry.encode() };
        case(&format!("bad-{name}"), "entry.opening DEV-2", what, &ledger, &[stamped])
    };
    let good = ledger.open(&alice_phone(), None);
    let sign = |bend: fn(&mut Statement)| ledger.sign(bent(&good, bend), &alice_phone());
    let mut body = good.statement.clone();
    body.body = Body::AccountClosed { signer: alice_phone().id() };
    let (opened, alice) = opened();
    let again = opened.follow(&alice, good.statement.body.clone(), &alice_phone());
    vec![
        alone("first-kind", "The first entry is no AccountCreated.", &ledger.sign(body, &alice_phone())),
        alone("account-id", "The account id is not the hash of the body.", &sign(|it| it.position.account.0[0] ^= 1)),
        alone("generation", "Generation 2 without a predecessor.", &sign(|it| it.position.generation = 2)),
        next(&opened, alice).refused("opened-twice", "entry.opening DEV-2", "A second AccountCreated.", &again),
    ]
}

fn positions() -> Vec<Case> {
    let (ledger, alice) = opened();
    let good = ledger.choose(&alice, ResetChoice::Never, &alice_phone());
    let refused = |name, expect, what, bend: fn(&mut Statement)| {
        next(&ledger, alice).refused(name, expect, what, &ledger.sign(bent(&good, bend), &alice_phone()))
    };
    let unsigned = ledger.sign(good.statement.clone(), &ghost());
    let conflict = "chain.conflict ENT-3";
    vec![
        refused("sequence", conflict, "A sequence number is left out.", |it| it.position.sequence = 2),
        refused("sequence-again", conflict, "A sequence number stands twice.", |it| it.position.sequence = 0),
        refused("previous", conflict, "Follows another entry.", |it| it.position.previous.0[0] ^= 1),
        refused("account", "entry.other_account ENT-3", "Of another account.", |it| it.position.account.0[0] ^= 1),
        refused("generation-changed", "entry.other_account ENT-3", "The generation changes.", |it| {
            it.position.generation = 2;
        }),
        next(&ledger, alice).refused("signature", "entry.signature ENT-2", "Signed by another device.", &unsigned),
    ]
}

fn checkpoints() -> Vec<Case> {
    let (ledger, alice) = opened();
    let named = |size, root| {
        let body = Body::ResetChoiceSet { choice: ResetChoice::Never, signer: alice_phone().id() };
        ledger.sign(ledger.set(&alice).following(body, SeenCheckpoint { size, root }), &alice_phone())
    };
    let next = next(&ledger, alice);
    let bad = "entry.checkpoint ENT-4";
    let known = |case: Case| case.word("root", format!("2 {}", ledger.root_at(2)));
    let (unknown, true_root) = (named(2, Digest([5; 32])), named(2, ledger.root_at(2)));
    let unknown_ok = next.refused("x", "ok", "A root that the verifier does not know is not judged.", &unknown);
    let known_ok = known(next.refused("x", "ok", "The root that the log had, which the verifier knows.", &true_root));
    vec![
        next.refused("ahead", bad, "Names a checkpoint larger than the log.", &named(3, ledger.root_at(2))),
        next.refused("nothing", bad, "Size 0 has the hash of nothing.", &named(0, Digest([5; 32]))),
        known(next.refused("foreign", bad, "Another root than the log had, which the verifier knows.", &unknown)),
        Case { path: "fold/checkpoint-unknown.txt".into(), ..unknown_ok },
        Case { path: "fold/checkpoint-known.txt".into(), ..known_ok },
    ]
}

fn joining() -> Vec<Case> {
    let mut cases = Vec::new();
    let (ledger, alice) = pending();
    let by_itself = ledger.confirm(&alice, &alice_laptop(), &alice_laptop(), &alice_laptop());
    let good = ledger.confirm(&alice, &alice_laptop(), &alice_phone(), &alice_phone());
    let other_hash = ledger.sign(
        bent(&good, |it| {
            if let Body::DeviceConfirmed(answer) = &mut it.body {
                answer.added.0[0] ^= 1;
            }
        }),
        &alice_phone(),
    );
    let other_number = ledger.sign(bent(&good, |it| it.request = 2), &alice_phone());
    let at = next(&ledger, alice);
    let what = "A pending device confirms itself.";
    cases.push(at.refused("confirmed-itself", "device.unconfirmed DEV-4", what, &by_itself));
    let other = "confirm.other_request DEV-4";
    cases.push(at.refused("other-hash", other, "Names another DeviceAdded.", &other_hash));
    cases.push(at.refused("other-number", other, "Names a request that was never opened.", &other_number));
    let lapsed = Next { after_s: 7 * DAY_S, ..next(&ledger, alice) };
    cases.push(lapsed.refused("lapsed", "confirm.replayed DEV-5", "Confirmed after exactly 7 days.", &good));
    let twice = ledger.add(&alice, &alice_laptop());
    cases.push(at.refused("added-twice", "device.known_key DEV-3", "A device that waits is added again.", &twice));
    let skipped = ledger.sign(bent(&ledger.add(&alice, &carol_phone()), |it| it.request = 3), &carol_phone());
    cases.push(at.refused("request-number", "entry.request DEV-3", "A request number is left out.", &skipped));
    cases.extend(replays(&good));
    let (mut full, alice) = opened();
    for seed in 1..=8 {
        let add = full.add(&alice, &Device::new(seed));
        then(&mut full, add, 1);
    }
    let ninth = full.add(&alice, &Device::new(9));
    cases.push(next(&full, alice).refused("ninth", "device.too_many DEV-3", "A ninth device waits.", &ninth));
    cases
}

/// Attack 3: a recorded confirmation is published again.
fn replays(recorded: &Entry) -> Vec<Case> {
    let (mut ledger, alice) = confirmed();
    let replayed = "confirm.replayed DEV-5";
    let what = "The confirmation is published again as it is.";
    let mut cases = vec![next(&ledger, alice).refused("replayed", replayed, what, recorded)];
    let remove = ledger.remove(&alice, &alice_laptop(), &alice_phone());
    then(&mut ledger, remove, 5);
    let what = "And again, after the device was removed.";
    cases.push(next(&ledger, alice).refused("replayed-removed", replayed, what, recorded));
    let back = ledger.add(&alice, &alice_laptop());
    let what = "A removed device asks to join again.";
    cases.push(next(&ledger, alice).refused("retired", "device.known_key DEV-3", what, &back));
    let (mut ledger, alice) = pending();
    let no = refuse(&ledger, &alice, &alice_laptop(), &alice_phone());
    then(&mut ledger, no, 5);
    let what = "Confirmed after it was refused.";
    cases.push(next(&ledger, alice).refused("refused-before", replayed, what, recorded));
    cases
}

fn leaving() -> Vec<Case> {
    let (ledger, alice) = confirmed();
    let (phone, laptop) = (alice_phone(), alice_laptop());
    let young = "device.too_new DEV-8";
    let old = Next { after_s: 72 * HOUR_S - 1, ..next(&ledger, alice) };
    let bind = Body::HandleBound { handle: None, signer: laptop.id() };
    let close = Body::AccountClosed { signer: laptop.id() };
    let (bind, close) = (ledger.follow(&alice, bind, &laptop), ledger.follow(&alice, close, &laptop));
    let (alone, alices) = opened();
    let last = alone.remove(&alices, &phone, &phone);
    let unknown = ledger.remove(&alice, &ghost(), &phone);
    vec![
        old.refused("removed-young", young, "A second less than 72 h old.", &ledger.remove(&alice, &phone, &laptop)),
        old.refused("handle-young", young, "A young device releases the handle (DEV-9).", &bind),
        old.refused("closed-young", young, "A young device closes the account (DEV-9).", &close),
        old.refused(
            "recovery-key-young",
            young,
            "A young device sets the recovery key (DEV-9).",
            &recovery_key(&ledger, &alice, Some(&ghost()), &laptop),
        ),
        old.refused(
            "reset-choice-young",
            young,
            "A young device changes the reset choice (DEV-9).",
            &ledger.choose(&alice, ResetChoice::OneDay, &laptop),
        ),
        next(&ledger, alice).refused("not-in-set", "device.not_in_set DEV-7", "Removes a stranger.", &unknown),
        next(&alone, alices).refused("last-device", "device.last DEV-10", "The last device goes.", &last),
    ]
}

fn recovery() -> Vec<Case> {
    let (mut ledger, alice) = pending();
    let none = recover(&ledger, &alice, &alice_laptop(), &bob_phone());
    let no_key = next(&ledger, alice).refused("no-recovery-key", "recovery_key.none REC-1", "There is none.", &none);
    let device = recovery_key(&ledger, &alice, Some(&alice_laptop()), &alice_phone());
    let what = "The recovery key is a device's key (REC-1).";
    let device = next(&ledger, alice).refused("recovery-key-device", "device.known_key DEV-3", what, &device);
    let set = recovery_key(&ledger, &alice, Some(&bob_phone()), &alice_phone());
    then(&mut ledger, set, 5);
    let key = ledger.add(&alice, &bob_phone());
    let what = "A device whose key is the recovery key.";
    let key = next(&ledger, alice).refused("device-recovery-key", "device.known_key DEV-3", what, &key);
    let forged = recover(&ledger, &alice, &alice_laptop(), &ghost());
    let what = "In the name of the recovery key, signed by another.";
    let forged = next(&ledger, alice).refused("recovery-key-forged", "entry.signature ENT-2", what, &forged);
    vec![no_key, device, key, forged]
}

fn notices() -> Vec<Case> {
    let mut cases = Vec::new();
    let (mut never, alice) = opened();
    let choose = never.choose(&alice, ResetChoice::Never, &alice_phone());
    then(&mut never, choose, 5);
    let entry = notice(&never, &alice);
    cases.push(next(&never, alice).refused("reset-never", "reset.never RST-1", "The account chose never.", &entry));
    let (mut ledger, alice, _) = noticed(0, 0);
    let entry = notice(&ledger, &alice);
    cases.push(next(&ledger, alice).refused("reset-open", "reset.open RST-2", "A notice is open.", &entry));
    let no = veto(&ledger, &alice, &alice_phone());
    then(&mut ledger, no, 5);
    let soon = Next { after_s: DAY_S - 1, ..next(&ledger, alice) };
    let what = "A second too early after a veto.";
    cases.push(soon.refused("reset-too-soon", "reset.too_soon RST-2", what, &notice(&ledger, &alice)));
    let what = "A second veto: no notice is open.";
    let entry = veto(&ledger, &alice, &alice_phone());
    cases.push(next(&ledger, alice).refused("veto-nothing", "reset.no_notice RST-3", what, &entry));
    cases
}

fn early_resets() -> Vec<Case> {
    let (ledger, alice, heir) = noticed(0, 0);
    let to = heir.statement.position.account;
    let none = || [Vec::new(), Vec::new()];
    let after = |after_s| Next { after_s, ..next(&ledger, alice) };
    let early = reset(&ledger, &alice, to, none());
    let other = reset(&ledger, &alice, alice, none());
    let mut cases = vec![
        after(DAY_S - 1).refused("reset-early", "reset.too_early RST-4", "A second too early.", &early),
        after(DAY_S).refused("reset-other", "reset.successor RST-2", "Another successor than announced.", &other),
        after(30 * DAY_S).refused("reset-lapsed", "reset.no_notice RST-3", "The notice has lapsed (RST-7).", &early),
    ];
    let (mut ledger, alice, heir) = noticed(2, 3);
    let (to, at_s) = (heir.statement.position.account, ledger.time_s());
    ledger.grow(5);
    let after = Next { after_s: 2 * DAY_S, ..next(&ledger, alice) };
    let note = |size, witnesses: &[usize], time_s| ledger.checkpoint(size, witnesses, time_s);
    let (first, enough) = (note(3, &[0, 1], at_s + 7), at_s + 7 + DAY_S);
    let mut unproven = |name: &str, what: &str, carried: [Vec<u8>; 2]| {
        let entry = reset(&ledger, &alice, to, carried);
        cases.push(after.refused(name, "reset.wait_unproven RST-5", what, &entry));
    };
    unproven("reset-no-checkpoints", "No checkpoints.", none());
    unproven("reset-second-short", "A second too little between them.", [first.clone(), note(5, &[1, 2], enough - 1)]);
    unproven("reset-one-witness", "One witness is no quorum.", [first.clone(), note(5, &[2], enough)]);
    unproven("reset-before-notice", "Does not cover the notice.", [note(2, &[0, 1], at_s), note(5, &[1, 2], enough)]);
    unproven("reset-order", "The second is smaller.", [note(5, &[0, 1], at_s + 7), note(4, &[1, 2], enough)]);
    cases
}

fn ended() -> Vec<Case> {
    let (mut closed, alice) = opened();
    let close = closed.follow(&alice, Body::AccountClosed { signer: alice_phone().id() }, &alice_phone());
    let late = closed.choose(&alice, ResetChoice::Never, &alice_phone());
    then(&mut closed, close, 5);
    let late = closed.follow(&alice, late.statement.body, &alice_phone());
    let gone = "account.gone ENT-5";
    let after_close = next(&closed, alice).refused("after-close", gone, "The account is closed.", &late);
    let (mut ended, alice, _) = noticed(0, 0);
    let heir = successor(&opened().0, &alice);
    let entry = reset(&ended, &alice, heir.statement.position.account, [Vec::new(), Vec::new()]);
    ended.seal(vec![entry, heir], ended.time_s() + DAY_S);
    let no = ended.choose(&alice, ResetChoice::Never, &alice_phone());
    vec![after_close, next(&ended, alice).refused("after-reset", gone, "The account was reset.", &no)]
}
