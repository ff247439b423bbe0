//! One entry of each kind, and the ways in which an entry is none.

use chain::id::{DeviceId, Digest, HandleLabel, PublicKey};
use chain::sigchain::body::{Answer, Body, Confirmer, Predecessor, ResetChoice};
use chain::sigchain::entry::{Entry, Proposal, Role, SeenCheckpoint, Statement};
use ed25519_dalek::SigningKey;

use crate::case::Case;
use crate::ledger::{Device, Ledger, ORIGIN, alice_laptop, alice_phone, bob_phone, ghost};

/// Length of everything before the body.
const FRONT: usize = 127;

pub(crate) fn cases() -> Vec<Case> {
    [valid(), bent_encodings(), bent_signatures()].concat()
}

/// The account of all entries here: opened by Alice's phone, with her laptop pending under request 1.
fn ledger() -> (Ledger, chain::id::AccountId) {
    let mut ledger = Ledger::new(0, 0);
    let alice = ledger.opened(&alice_phone(), None);
    let added = ledger.add(&alice, &alice_laptop());
    ledger.seal(vec![added], ledger.time_s() + 5);
    (ledger, alice)
}

/// An entry with the keys that have to have signed it, in the order of the wire.
fn keys_of(ledger: &Ledger, entry: &Entry, device: &Device) -> Vec<PublicKey> {
    let key = |role: &Role| match role {
        Role::Mls => device.keys().mls,
        Role::Service => ledger.parameters.service_key,
        Role::Device | Role::RecoveryKey => device.keys().chain,
    };
    entry.statement.roles().iter().map(key).collect()
}

fn case(name: &str, expect: &str, what: &str, bytes: &[u8], keys: &[PublicKey]) -> Case {
    let case = Case::new(&format!("entry/{name}"), "entry", expect, what).word("origin", ORIGIN).hex("entry", bytes);
    keys.iter().fold(case, |case, key| case.word("key", key))
}

/// A body of each kind with the device that signs.
fn bodies() -> Vec<(&'static str, &'static str, Body, Device)> {
    let (ledger, alice) = ledger();
    let (phone, laptop) = (alice_phone(), alice_laptop());
    let (signer, device) = (phone.id(), laptop.id());
    let added = ledger.set(&alice).pending()[&device].added;
    let handle = Some(HandleLabel([0x4a; 32]));
    let mut removed = vec![laptop.id(), ghost().id(), bob_phone().id()];
    removed.sort();
    let notes = [ledger.checkpoint(2, &[], 0), ledger.checkpoint(3, &[], 0)];
    let [notice_checkpoint, later_checkpoint] = notes;
    let (successor, notice) = (chain::id::AccountId([0x5c; 32]), Digest([0x60; 32]));
    let by = |signer| Answer { added, device, signer };
    let recovery = Answer { added, device, signer: Confirmer::RecoveryKey };
    let key = Some(ghost().keys().chain);
    let add = Body::DeviceAdded { device: bob_phone().keys(), commitments: [1, 2, 3].map(|byte| Digest([byte; 32])) };
    let request = Body::ResetRequested { successor, device: ghost().keys() };
    let reset = Body::AccountReset { successor, notice_checkpoint, later_checkpoint };
    let kinds = [
        ("02-device-added", "The new device signs with both keys.", add, bob_phone()),
        ("03-device-confirmed", "By a device.", Body::DeviceConfirmed(by(Confirmer::Device(signer))), alice_phone()),
        ("03-device-confirmed-recovery", "By the recovery key.", Body::DeviceConfirmed(recovery), ghost()),
    ];
    let refuse = Body::DeviceRefused(Answer { added, device, signer });
    let remove = Body::DeviceRemoved { devices: removed, signer };
    let more = [
        ("04-device-refused", "By a confirmed device.", refuse, alice_phone()),
        ("05-device-removed", "Three ids, ascending.", remove, alice_phone()),
        ("06-handle-bound", "A label.", Body::HandleBound { handle, signer }, alice_phone()),
        ("06-handle-released", "No label.", Body::HandleBound { handle: None, signer }, alice_phone()),
        ("07-recovery-key-set", "A key.", Body::RecoveryKeySet { key, signer }, alice_phone()),
        ("07-recovery-key-dropped", "No key.", Body::RecoveryKeySet { key: None, signer }, alice_phone()),
        (
            "08-reset-choice-set",
            "Never.",
            Body::ResetChoiceSet { choice: ResetChoice::Never, signer },
            alice_phone(),
        ),
        ("09-reset-requested", "Signed by the device that waits.", request, ghost()),
        ("10-reset-vetoed", "By a confirmed device.", Body::ResetVetoed { notice, signer }, alice_phone()),
        ("11-account-reset", "With two checkpoints; the service alone signs.", reset, ghost()),
        ("12-account-closed", "By a confirmed device.", Body::AccountClosed { signer }, alice_phone()),
    ];
    kinds.into_iter().chain(more).collect()
}

/// The next entry, with a request number where the kind has one.
fn next(body: Body, device: &Device) -> Entry {
    let (ledger, alice) = ledger();
    let seen = SeenCheckpoint { size: 2, root: ledger.root_at(2) };
    let mut statement = ledger.set(&alice).following(body, seen);
    if statement.body.names_a_request() && statement.request == 0 {
        statement.request = 2;
    }
    ledger.sign(statement, device)
}

fn valid() -> Vec<Case> {
    let (ledger, alice) = ledger();
    let opened = ledger.open(&alice_phone(), Some("alice"));
    let heir = Body::AccountCreated {
        salt: [9; 32],
        device: ghost().keys(),
        reset_choice: ResetChoice::ThreeDays,
        handle: None,
        predecessor: Some(Predecessor { account: alice, head: ledger.set(&alice).head() }),
    };
    let seen = SeenCheckpoint { size: 0, root: Digest::sha256(b"") };
    let heir = ledger.sign(Statement::opening(2, seen, heir), &ghost());
    let mut cases = vec![
        case("01-account-created", "ok", "With a handle.", &opened.encode(), &keys_of(&ledger, &opened, &alice_phone())),
        case(
            "01-account-created-successor",
            "ok",
            "After a reset: generation 2, with a predecessor; no checkpoint seen yet.",
            &heir.encode(),
            &keys_of(&ledger, &heir, &ghost()),
        ),
    ];
    for (name, what, body, device) in bodies() {
        let entry = next(body, &device);
        cases.push(case(name, "ok", what, &entry.encode(), &keys_of(&ledger, &entry, &device)));
    }
    cases
}

fn kind(name: &str) -> Vec<u8> {
    let (_, _, body, device) = bodies().into_iter().find(|it| it.0 == name).unwrap();
    next(body, &device).encode()
}

fn bent_encodings() -> Vec<Case> {
    let bent = |name: &str, expect: &str, what: &str, from: &str, bend: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = kind(from);
        bend(&mut bytes);
        case(&format!("bad-{name}"), expect, what, &bytes, &[])
    };
    let (removed, choice) = ("05-device-removed", "08-reset-choice-set");
    let bad = "entry.encoding ENT-1";
    let key = "key.invalid ENT-1";
    let swap = |it: &mut Vec<u8>| it[FRONT + 1..FRONT + 33].rotate_left(16);
    let twice = |it: &mut Vec<u8>| it.copy_within(FRONT + 1..FRONT + 17, FRONT + 17);
    let no_ids = |it: &mut Vec<u8>| {
        it[FRONT] = 0;
        it.drain(FRONT + 1..FRONT + 49);
    };
    let one_key = |it: &mut Vec<u8>| it.copy_within(FRONT..FRONT + 32, FRONT + 32);
    let too_long = |it: &mut Vec<u8>| {
        it[FRONT + 32..FRONT + 34].copy_from_slice(&8193_u16.to_be_bytes());
        it.splice(FRONT + 34..FRONT + 34, vec![0; 8193]);
    };
    vec![
        bent("trailing", bad, "A byte follows the last signature.", choice, &|it| it.push(0)),
        bent("truncated", bad, "The last byte is missing.", choice, &|it| it.truncate(it.len() - 1)),
        bent("format", bad, "Format 2 is not known.", choice, &|it| it[1] = 2),
        bent("kind", bad, "Kind 13 is not known.", choice, &|it| it[2] = 13),
        bent("request", bad, "This kind has request 0.", choice, &|it| it[86] = 1),
        bent("no-request", bad, "This kind has a request other than 0.", "02-device-added", &|it| it[86] = 0),
        bent("reset-choice", bad, "Reset choice 5 is not known.", choice, &|it| it[FRONT] = 5),
        bent("option", bad, "An option begins with 0 or 1.", "06-handle-bound", &|it| it[FRONT] = 2),
        bent("signer", bad, "Signer 3 is not known.", "03-device-confirmed", &|it| it[FRONT + 48] = 3),
        bent("not-ascending", bad, "The ids do not ascend.", removed, &swap),
        bent("twice", bad, "An id stands there twice.", removed, &twice),
        bent("no-ids", bad, "At least one device is removed.", removed, &no_ids),
        bent("checkpoint-length", bad, "A carried checkpoint has at most 8192 bytes.", "11-account-reset", &too_long),
        bent("small-order-key", key, "A key of small order.", "02-device-added", &|it| it[FRONT..FRONT + 32].fill(0)),
        bent("one-key", key, "Chain key and MLS key are one.", "02-device-added", &one_key),
    ]
}

fn bent_signatures() -> Vec<Case> {
    let (ledger, _) = ledger();
    let (_, _, body, phone) = bodies().into_iter().find(|it| it.0 == "06-handle-bound").unwrap();
    let good = next(body, &phone);
    let keys = keys_of(&ledger, &good, &phone);
    let bad = |name: &str, what: &str, bytes: &[u8]| {
        case(&format!("bad-{name}"), "entry.signature ENT-2", what, bytes, &keys)
    };
    let statement = good.statement.clone();
    let (front, signatures) = (statement.encode(), good.encode().split_off(statement.encode().len()));
    let with = |first: &[u8], second: &[u8]| [&front, first, second].concat();
    let (device, service) = signatures.split_at(64);
    let other_kind = Statement { body: Body::AccountClosed { signer: DeviceId([0; 16]) }, ..statement.clone() };
    let other_label = other_kind.label(Role::Device).unwrap();
    let relabelled = [&[other_label.len() as u8], other_label.as_bytes(), &[ORIGIN.len() as u8], ORIGIN.as_bytes(), &front];
    let relabelled = ed25519_dalek::Signer::sign(&phone.chain, &relabelled.concat()).to_bytes();
    let elsewhere = Proposal::sign(statement.clone(), "other.example/log", &phone.chain, None);
    let elsewhere = elsewhere.complete("other.example/log", &SigningKey::from_bytes(&[2; 32]));
    let unlabelled = ed25519_dalek::Signer::sign(&phone.chain, &front).to_bytes();
    let mut moved = front.clone();
    moved[46] ^= 1;
    let by_mls = statement.sign(Role::Device, ORIGIN, &phone.mls).unwrap();
    vec![
        bad("label", "The device signed under the label of AccountClosed.", &with(&relabelled, service)),
        bad("no-label", "The device signed the statement alone.", &with(&unlabelled, service)),
        bad("origin", "Signed for the log of another origin.", &elsewhere.encode()),
        bad("order", "The service's signature stands first.", &with(service, device)),
        bad("mls-key", "Signed with the device's MLS key.", &with(&by_mls.0, service)),
        bad("moved", "The sequence number was changed after signing.", &[&moved, device, service].concat()),
        bad("zero-signature", "The service's signature is zeros.", &with(device, &[0; 64])),
    ]
}
