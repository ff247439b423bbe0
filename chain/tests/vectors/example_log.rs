//! A small log as the files that a service serves: Alice and Bob, with handles, devices, a recovery key and an account
//! that is closed.

use chain::id::{AccountId, Digest, PublicKey};
use chain::log::merkle;
use chain::log::tile::{TileKind, encode_bundle, hash_tile, tiles_for_growth};
use chain::replay::{Replay, complete_node};
use chain::sigchain::body::{Answer, Body, Confirmer, ResetChoice};
use chain::sigchain::entry::Entry;
use ed25519_dalek::SigningKey;

use crate::files::{Files, write_or_compare};
use crate::ledger::{Device, HOUR_S, Ledger, alice_phone, bob_phone, carol_phone};

/// Bob's further devices.
pub(crate) fn bob_laptop() -> Device {
    Device::new(0xb2)
}

fn bob_tablet() -> Device {
    Device::new(0xb3)
}

/// Bob's recovery key.
pub(crate) fn recovery_key() -> SigningKey {
    SigningKey::from_bytes(&[0xbf; 32])
}

/// Thirteen blocks: what happens in them is one line each.
pub(crate) fn example() -> Ledger {
    let (phone, laptop, tablet) = (bob_phone(), bob_laptop(), bob_tablet());
    let mut log = Ledger::new(2, 3);
    let alice = log.opened(&alice_phone(), Some("alice"));
    let bob = log.opened(&phone, Some("bob"));
    // a second device, and something else in the same block
    next(&mut log, |log| vec![log.add(&bob, &laptop), log.choose(&alice, ResetChoice::SevenDays, &alice_phone())]);
    next(&mut log, |log| vec![log.confirm(&bob, &laptop, &phone, &phone)]);
    next(&mut log, |_| Vec::new());
    let recovery = Some(PublicKey::from(&recovery_key()));
    let carol = log.opened(&carol_phone(), Some("carol"));
    next(&mut log, |log| {
        let set = Body::RecoveryKeySet { key: recovery, signer: phone.id() };
        vec![
            log.follow(&bob, set, &phone),
            log.follow(&carol, Body::AccountClosed { signer: carol_phone().id() }, &carol_phone()),
        ]
    });
    next(&mut log, |log| vec![log.remove(&bob, &laptop, &phone)]);
    next(&mut log, |log| vec![log.add(&bob, &tablet)]);
    next(&mut log, |log| vec![confirm_by_recovery_key(log, &bob, &tablet)]);
    next(&mut log, |log| vec![log.follow(&bob, Body::HandleBound { handle: None, signer: phone.id() }, &phone)]);
    next(&mut log, |_| Vec::new());
    log
}

fn next(log: &mut Ledger, entries: impl Fn(&Ledger) -> Vec<Entry>) {
    let entries = entries(log);
    log.seal(entries, log.time_s() + HOUR_S);
}

fn confirm_by_recovery_key(log: &Ledger, account: &AccountId, device: &Device) -> Entry {
    let added = log.set(account).pending()[&device.id()].added;
    let answer = Answer { added, device: device.id(), signer: Confirmer::RecoveryKey };
    let signer = Device { chain: recovery_key(), mls: recovery_key() };
    log.follow(account, Body::DeviceConfirmed(answer), &signer)
}

/// The files under which a service serves the log, and the keys that a reader has to know.
pub(crate) fn files(log: &Ledger) -> Files {
    let mut files = Files::new();
    let leaves: Vec<Digest> = log.headers.iter().map(|header| merkle::leaf_hash(header)).collect();
    for tile in tiles_for_growth(0, log.size()) {
        let content = match tile.kind() {
            TileKind::Hashes(_) => hash_tile(&tile, |level, index| complete_node(&leaves, level, index)).unwrap(),
            TileKind::Entries => encode_bundle(&log.headers).unwrap(),
        };
        files.insert(tile.to_string(), content);
    }
    for (number, body) in log.bodies.iter().enumerate() {
        files.insert(format!("block/{number}"), body.clone());
    }
    files.insert("checkpoint".to_owned(), log.checkpoint(log.size(), &[0, 1, 2], log.time_s() + 1));
    files.insert("vkey".to_owned(), format!("{}\n", log.log_key()).into_bytes());
    files.insert("policy".to_owned(), log.policy.to_string().into_bytes());
    files
}

/// The files in `docs/vectors/example-log` are those of this log.
#[test]
fn the_example_log_is_reproduced_byte_for_byte() {
    write_or_compare("example-log", &files(&example()));
}

/// BLK-1 to BLK-5, and all rules of entries.
#[test]
fn the_example_log_replays() {
    let log = example();
    let mut replay = Replay::new();
    let mut claims = Vec::new();
    for (header, body) in log.headers.iter().zip(&log.bodies) {
        replay.apply(header, body, &mut claims).unwrap();
    }
    assert!(claims.iter().all(chain::sigchain::entry::Claim::holds));
    assert_eq!((replay.blocks(), replay.entries(), replay.accounts()), (13, 12, 3));
}
