//! `entry`: an entry of every kind.

use chain::id::{AccountId, Digest, HandleLabel, PublicKey};
use chain::sigchain::body::{Answer, Body, Confirmer, Predecessor, ResetChoice};
use chain::sigchain::entry::{Entry, SeenCheckpoint, Statement};

use crate::case::{Case, Fields, Verdict, check, refusal};
use crate::example_log::{bob_laptop, recovery_key};
use crate::ledger::{Device, Ledger, bob_phone};
use crate::refused_entry::refused;

/// ENT-1.
#[test]
fn entries_are_read_or_refused() {
    let cases: Vec<_> = valid().into_iter().chain(refused()).collect();
    let count = check("entry", &cases, |fields| {
        let bytes = fields.get("entry");
        let entry = Entry::decode(bytes).map_err(refusal)?;
        assert_eq!((entry.encode().as_slice(), &entry.hash().0[..]), (bytes, fields.get("entry-hash")));
        Verdict::Ok(())
    });
    assert_eq!(count, 32);
}

/// An entry of this body at a fixed position, signed by Bob's phone and the service.
pub(crate) fn entry(body: Body) -> Entry {
    signed(statement(body), &bob_phone())
}

pub(crate) fn signed(statement: Statement, device: &Device) -> Entry {
    Ledger::new(0, 0).sign(statement, device)
}

pub(crate) fn statement(body: Body) -> Statement {
    let checkpoint = SeenCheckpoint { size: 9, root: Digest([0x99; 32]) };
    let mut statement = Statement::opening(1, checkpoint, body);
    statement.request = u64::from(statement.body.names_a_request()) * 3;
    if statement.body.kind() != 1 {
        statement.position.account = AccountId([0xaa; 32]);
        statement.position.sequence = 5;
        statement.position.previous = Digest([0x55; 32]);
    }
    statement
}

/// One body of every kind, and the second form of those that have two.
pub(crate) fn bodies() -> Vec<(&'static str, Body)> {
    let (phone, laptop) = (bob_phone(), bob_laptop());
    let (signer, device, hash) = (phone.id(), laptop.id(), Digest([0x77; 32]));
    let answer = Answer { added: hash, device, signer };
    let opening = |handle, predecessor| Body::AccountCreated {
        salt: [7; 32],
        device: phone.keys(),
        reset_choice: ResetChoice::ThreeDays,
        handle,
        predecessor,
    };
    let predecessor = Predecessor { account: AccountId([0x11; 32]), head: hash };
    let mut devices = vec![signer, device];
    devices.sort();
    let confirmed = |signer| Body::DeviceConfirmed(Answer { added: hash, device, signer });
    let recovery = Some(PublicKey::from(&recovery_key()));
    vec![
        ("01-account-created", opening(None, None)),
        ("01-account-created-with-handle-and-predecessor", opening(Some(HandleLabel([0x22; 32])), Some(predecessor))),
        (
            "02-device-added",
            Body::DeviceAdded { device: laptop.keys(), commitments: [1, 2, 3].map(|n| Digest([n; 32])) },
        ),
        ("03-device-confirmed", confirmed(Confirmer::Device(signer))),
        ("03-device-confirmed-by-recovery-key", confirmed(Confirmer::RecoveryKey)),
        ("04-device-refused", Body::DeviceRefused(answer)),
        ("05-device-removed", Body::DeviceRemoved { devices, signer }),
        ("06-handle-bound", Body::HandleBound { handle: Some(HandleLabel([0x22; 32])), signer }),
        ("06-handle-released", Body::HandleBound { handle: None, signer }),
        ("07-recovery-key-set", Body::RecoveryKeySet { key: recovery, signer }),
        ("08-reset-choice-set", Body::ResetChoiceSet { choice: ResetChoice::Never, signer }),
        ("09-reset-requested", Body::ResetRequested { successor: AccountId([0x33; 32]), device: laptop.keys() }),
        ("10-reset-vetoed", Body::ResetVetoed { notice: hash, signer }),
        (
            "11-account-reset",
            Body::AccountReset {
                successor: AccountId([0x33; 32]),
                notice_checkpoint: b"a signed note".to_vec(),
                later_checkpoint: b"a later one".to_vec(),
            },
        ),
        ("12-account-closed", Body::AccountClosed { signer }),
    ]
}

fn valid() -> Vec<Case> {
    let case = |(name, body): (&str, Body)| {
        let what = format!("{}, kind {}", body.name(), body.kind());
        let generation = if name.ends_with("predecessor") { 2 } else { 1 };
        let mut statement = statement(body);
        statement.position.generation = generation;
        let entry = signed(statement, &bob_phone());
        let fields = Fields::default().with("entry", entry.encode()).with("entry-hash", entry.hash().0);
        Case::new(name, Ok(()), &what, fields)
    };
    bodies().into_iter().map(case).collect()
}
