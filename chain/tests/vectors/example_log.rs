//! A small log as static files: what a stranger checks first.

use std::collections::BTreeMap;

use chain::log::merkle::leaf_hash;
use chain::log::tile::{TileKind, encode_bundle, hash_tile, tiles_for_growth};
use chain::sigchain::body::{Body, ResetChoice};

use crate::fold::{recovery_key, refuse};
use crate::ledger::{HOUR_S, Ledger, alice_laptop, alice_phone, bob_phone, carol_phone, ghost};

/// Seven blocks: two accounts, four devices, a handle that is released, one block without entries. Two of three
/// witnesses.
pub(crate) fn example() -> Ledger {
    let mut ledger = Ledger::new(2, 3);
    let alice = ledger.opened(&alice_phone(), Some("alice"));
    let (add, bob) = (ledger.add(&alice, &alice_laptop()), ledger.open(&bob_phone(), Some("bob")));
    let bobs = bob.statement.position.account;
    ledger.seal(vec![add, bob], ledger.time_s() + 7);
    let confirm = ledger.confirm(&alice, &alice_laptop(), &alice_phone(), &alice_phone());
    let key = recovery_key(&ledger, &bobs, Some(&carol_phone()), &bob_phone());
    ledger.seal(vec![confirm, key], ledger.time_s() + 30);
    ledger.grow(5);
    let (add, choose) = (ledger.add(&alice, &ghost()), ledger.choose(&bobs, ResetChoice::SevenDays, &bob_phone()));
    ledger.seal(vec![add, choose], ledger.time_s() + HOUR_S);
    let refused = refuse(&ledger, &alice, &ghost(), &alice_laptop());
    let release = ledger.follow(&bobs, Body::HandleBound { handle: None, signer: bob_phone().id() }, &bob_phone());
    ledger.seal(vec![refused, release], ledger.time_s() + 80 * HOUR_S);
    ledger
}

/// The static files of a log, by path.
pub(crate) fn files(ledger: &Ledger) -> BTreeMap<String, Vec<u8>> {
    let checkpoint = ledger.checkpoint(ledger.size(), &[0, 2], ledger.time_s() + 2);
    let mut files = BTreeMap::from([("checkpoint".to_owned(), checkpoint)]);
    for (number, body) in ledger.bodies.iter().enumerate() {
        files.insert(format!("block/{number}"), body.clone());
    }
    for tile in tiles_for_growth(0, ledger.size()) {
        let leaf = |level, index: u64| (level == 0).then(|| leaf_hash(&ledger.headers[index as usize]));
        let content = match tile.kind() {
            TileKind::Hashes(_) => hash_tile(&tile, leaf).unwrap(),
            TileKind::Entries => encode_bundle(&ledger.headers).unwrap(),
        };
        files.insert(tile.to_string(), content);
    }
    files
}
