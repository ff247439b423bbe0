//! Sequences of entries that are allowed, and the record that each gives.

use chain::id::{AccountId, Digest, PublicKey};
use chain::sigchain::body::{Answer, Body, Confirmer, Predecessor, ResetChoice};
use chain::sigchain::entry::{Entry, SeenCheckpoint, Statement};
use chain::stamped::StampedEntry;

use crate::case::Case;
use crate::ledger::{Device, HOUR_S, Ledger, alice_laptop, alice_phone, bob_phone, carol_phone, ghost};

pub(crate) const DAY_S: u64 = 24 * HOUR_S;

/// A case of these entries under the parameters of the ledger.
pub(crate) fn case(name: &str, expect: &str, what: &str, ledger: &Ledger, entries: &[StampedEntry]) -> Case {
    let case = Case::new(&format!("fold/{name}"), "fold", expect, what).hex("parameters", ledger.parameters.encode());
    entries.iter().fold(case, |case, it| {
        case.word("block", it.block).word("time", it.time_s).hex("entry", &it.entry)
    })
}

/// What the ledger sealed of an account.
fn sealed(name: &str, what: &str, ledger: &Ledger, account: &AccountId) -> Case {
    case(name, "ok", what, ledger, ledger.entries(account))
}

/// One more entry in a block of its own.
pub(crate) fn then(ledger: &mut Ledger, entry: Entry, after_s: u64) {
    ledger.seal(vec![entry], ledger.time_s() + after_s);
}

/// Alice's account, opened by her phone.
pub(crate) fn opened() -> (Ledger, AccountId) {
    let mut ledger = Ledger::new(0, 0);
    let alice = ledger.opened(&alice_phone(), None);
    (ledger, alice)
}

/// And her laptop, which waits under request 1.
pub(crate) fn pending() -> (Ledger, AccountId) {
    let (mut ledger, alice) = opened();
    let added = ledger.add(&alice, &alice_laptop());
    then(&mut ledger, added, 5);
    (ledger, alice)
}

/// And confirmed.
pub(crate) fn confirmed() -> (Ledger, AccountId) {
    let (mut ledger, alice) = pending();
    let entry = ledger.confirm(&alice, &alice_laptop(), &alice_phone(), &alice_phone());
    then(&mut ledger, entry, 60);
    (ledger, alice)
}

pub(crate) fn refuse(ledger: &Ledger, account: &AccountId, device: &Device, by: &Device) -> Entry {
    let added = ledger.set(account).pending()[&device.id()].added;
    ledger.follow(account, Body::DeviceRefused(Answer { added, device: device.id(), signer: by.id() }), by)
}

pub(crate) fn recovery_key(ledger: &Ledger, account: &AccountId, key: Option<&Device>, by: &Device) -> Entry {
    let key = key.map(|key| PublicKey::from(&key.chain));
    ledger.follow(account, Body::RecoveryKeySet { key, signer: by.id() }, by)
}

/// A device confirmed by the recovery key.
pub(crate) fn recover(ledger: &Ledger, account: &AccountId, device: &Device, key: &Device) -> Entry {
    let added = ledger.set(account).pending().get(&device.id()).map_or(Digest::ZERO, |it| it.added);
    let answer = Answer { added, device: device.id(), signer: Confirmer::RecoveryKey };
    let mut statement = ledger.follow(account, Body::DeviceConfirmed(answer), key).statement;
    statement.request = statement.request.max(1);
    ledger.sign(statement, key)
}

/// The opening of the identity that follows, by the ghost.
pub(crate) fn successor(ledger: &Ledger, account: &AccountId) -> Entry {
    let set = ledger.set(account);
    let body = Body::AccountCreated {
        salt: [9; 32],
        device: ghost().keys(),
        reset_choice: ResetChoice::ThreeDays,
        handle: None,
        predecessor: Some(Predecessor { account: *account, head: set.head() }),
    };
    let seen = SeenCheckpoint { size: 0, root: Digest::sha256(b"") };
    ledger.sign(Statement::opening(set.generation() + 1, seen, body), &ghost())
}

pub(crate) fn notice(ledger: &Ledger, account: &AccountId) -> Entry {
    let successor = successor(ledger, account).statement.position.account;
    ledger.follow(account, Body::ResetRequested { successor, device: ghost().keys() }, &ghost())
}

pub(crate) fn veto(ledger: &Ledger, account: &AccountId, by: &Device) -> Entry {
    let notice = ledger.set(account).notice().map_or(Digest::ZERO, |notice| notice.hash);
    let mut statement = ledger.follow(account, Body::ResetVetoed { notice, signer: by.id() }, by).statement;
    statement.request = statement.request.max(1);
    ledger.sign(statement, by)
}

pub(crate) fn reset(ledger: &Ledger, account: &AccountId, to: AccountId, carried: [Vec<u8>; 2]) -> Entry {
    let [notice_checkpoint, later_checkpoint] = carried;
    let body = Body::AccountReset { successor: to, notice_checkpoint, later_checkpoint };
    let mut statement = ledger.follow(account, body, &ghost()).statement;
    statement.request = statement.request.max(1);
    ledger.sign(statement, &ghost())
}

/// A log with an open notice, and the successor's opening.
pub(crate) fn noticed(quorum: usize, witnesses: u8) -> (Ledger, AccountId, Entry) {
    let mut ledger = Ledger::new(quorum, witnesses);
    let alice = ledger.opened(&alice_phone(), None);
    let heir = successor(&ledger, &alice);
    let announced = notice(&ledger, &alice);
    then(&mut ledger, announced, 5);
    (ledger, alice, heir)
}

pub(crate) fn cases() -> Vec<Case> {
    [devices(), choices(), resets()].concat()
}

fn devices() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut ledger = Ledger::new(0, 0);
    let alice = ledger.opened(&alice_phone(), Some("alice"));
    cases.push(sealed("opened", "An account with its first device and a handle.", &ledger, &alice));
    let (ledger, alice) = pending();
    cases.push(sealed("added", "A device that waits counts for nothing (DEV-3).", &ledger, &alice));
    let (mut ledger, alice) = confirmed();
    cases.push(sealed("confirmed", "The first device confirms the second (DEV-4).", &ledger, &alice));
    let add = ledger.add(&alice, &carol_phone());
    then(&mut ledger, add, 5);
    let refused = refuse(&ledger, &alice, &carol_phone(), &alice_laptop());
    then(&mut ledger, refused, 5);
    cases.push(sealed("refused", "The second device refuses a third; its keys are retired (DEV-6).", &ledger, &alice));
    let remove = ledger.remove(&alice, &alice_phone(), &alice_laptop());
    then(&mut ledger, remove, 73 * HOUR_S);
    let what = "72 h later the second device removes the first, and stays (DEV-7, DEV-8).";
    cases.push(sealed("removed", what, &ledger, &alice));
    let (mut ledger, alice) = pending();
    let add = ledger.add(&alice, &carol_phone());
    then(&mut ledger, add, 7 * DAY_S);
    let what = "The first request has lapsed after exactly 7 days: the next entry drops it (DEV-5).";
    cases.push(sealed("request-lapsed", what, &ledger, &alice));
    let (mut ledger, alice) = confirmed();
    let remove = ledger.remove(&alice, &alice_laptop(), &alice_laptop());
    then(&mut ledger, remove, 5);
    cases.push(sealed("removed-itself", "A young device may remove itself (DEV-8).", &ledger, &alice));
    cases
}

fn choices() -> Vec<Case> {
    let mut cases = Vec::new();
    let (mut ledger, alice) = opened();
    let set = recovery_key(&ledger, &alice, Some(&bob_phone()), &alice_phone());
    then(&mut ledger, set, 5);
    cases.push(sealed("recovery-key", "An account with a recovery key (REC-1).", &ledger, &alice));
    let remove = ledger.remove(&alice, &alice_phone(), &alice_phone());
    then(&mut ledger, remove, 5);
    cases.push(sealed("no-device", "With a recovery key, the last device may go (DEV-10).", &ledger, &alice));
    let (mut ledger, alice) = opened();
    let set = recovery_key(&ledger, &alice, Some(&bob_phone()), &alice_phone());
    then(&mut ledger, set, 5);
    let add = ledger.add(&alice, &alice_laptop());
    then(&mut ledger, add, 5);
    let confirm = recover(&ledger, &alice, &alice_laptop(), &bob_phone());
    then(&mut ledger, confirm, 5);
    let remove = ledger.remove(&alice, &alice_phone(), &alice_laptop());
    then(&mut ledger, remove, 5);
    let what = "A device that the recovery key confirmed may remove an older one at once (DEV-8, REC-2).";
    cases.push(sealed("recovered", what, &ledger, &alice));
    let drop = recovery_key(&ledger, &alice, None, &alice_laptop());
    then(&mut ledger, drop, 5);
    cases.push(sealed("recovery-key-dropped", "And may drop that key (DEV-9).", &ledger, &alice));
    let (mut ledger, alice) = opened();
    for (choice, handle) in [(ResetChoice::SevenDays, Some("alice")), (ResetChoice::Never, None)] {
        let choose = ledger.choose(&alice, choice, &alice_phone());
        then(&mut ledger, choose, 5);
        let handle = handle.map(|name| crate::handle::place(name).1);
        let bind = ledger.follow(&alice, Body::HandleBound { handle, signer: alice_phone().id() }, &alice_phone());
        then(&mut ledger, bind, 5);
    }
    cases.push(sealed("choices", "Reset choice and handle, each set and changed.", &ledger, &alice));
    let close = ledger.follow(&alice, Body::AccountClosed { signer: alice_phone().id() }, &alice_phone());
    then(&mut ledger, close, 5);
    cases.push(sealed("closed", "An account that has ended has nothing left (RST-6).", &ledger, &alice));
    cases
}

fn resets() -> Vec<Case> {
    let mut cases = Vec::new();
    let (mut ledger, alice, heir) = noticed(0, 0);
    let to = heir.statement.position.account;
    cases.push(sealed("notice", "A reset is announced (RST-2).", &ledger, &alice));
    let mut vetoed = ledger.clone();
    let entry = veto(&vetoed, &alice, &alice_phone());
    then(&mut vetoed, entry, HOUR_S);
    cases.push(sealed("vetoed", "A device objects (RST-3).", &vetoed, &alice));
    let again = notice(&vetoed, &alice);
    then(&mut vetoed, again, DAY_S);
    cases.push(sealed("notice-again", "The next notice, the waiting time after the veto (RST-2).", &vetoed, &alice));
    let mut lapsed = ledger.clone();
    let again = notice(&lapsed, &alice);
    then(&mut lapsed, again, 30 * DAY_S);
    cases.push(sealed("notice-lapsed", "After 30 days the notice is gone, and a new one may come (RST-7).", &lapsed, &alice));
    let entry = reset(&ledger, &alice, to, [Vec::new(), Vec::new()]);
    ledger.seal(vec![entry, heir], ledger.time_s() + DAY_S);
    cases.push(sealed("reset", "Carried out after exactly the waiting time; no witnesses in block 0 (RST-4).", &ledger, &alice));
    cases.push(sealed("successor", "The identity that follows, generation 2.", &ledger, &to));
    let (mut ledger, alice, heir) = noticed(2, 3);
    let at_s = ledger.time_s();
    ledger.grow(5);
    let carried = [ledger.checkpoint(3, &[0, 1], at_s + 7), ledger.checkpoint(5, &[1, 2], at_s + 7 + DAY_S)];
    let entry = reset(&ledger, &alice, heir.statement.position.account, carried);
    ledger.seal(vec![entry, heir], at_s + DAY_S + 60);
    let what = "Two of three witnesses saw the notice, and two a checkpoint 24 h later (RST-5).";
    cases.push(sealed("reset-witnessed", what, &ledger, &alice));
    cases
}
