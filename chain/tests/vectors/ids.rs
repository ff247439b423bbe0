//! `labels` and `ids`: labelled hashes, what they name, and keys that are none.

use chain::block::body_hash;
use chain::encoding::Reader;
use chain::handle::VrfPublicKey;
use chain::id::{AccountId, DeviceKeys, Digest};
use chain::label;
use chain::sigchain::device_set::DeviceSet;
use chain::sigchain::entry::Entry;

use crate::case::{Case, Fields, Verdict, check, refusal};
use crate::example_log::example;
use crate::ledger::bob_phone;

/// §2.
#[test]
fn labels_and_labelled_hashes() {
    let all = Fields::default().with_all("label", label::ALL);
    let hash = |data: &[u8]| {
        let fields = Fields::default().with("label", label::HISTORY).with("data", data);
        fields.with("hash", Digest::labelled(label::HISTORY, &[data]).0)
    };
    let cases = [
        Case::new("all", Ok(()), "every label of this version: none is a prefix of another", all),
        Case::new("hash", Ok(()), "a labelled hash", hash(b"some data")),
        Case::new("hash-of-nothing", Ok(()), "a labelled hash of no data", hash(b"")),
    ];
    let judge = |fields: &Fields| {
        if let Some(hash) = fields.find("hash") {
            let label = std::str::from_utf8(fields.get("label")).unwrap();
            assert_eq!(Digest::labelled(label, &[fields.get("data")]).0, *hash);
            return Ok(());
        }
        let labels: Vec<_> = fields.all("label").collect();
        assert_eq!(labels, label::ALL.iter().map(|label| label.as_bytes()).collect::<Vec<_>>());
        Ok(())
    };
    assert_eq!(check("labels", &cases, judge), 3);
}

/// §2, §3, attack 41.
#[test]
fn ids_and_keys() {
    let cases: Vec<_> = good_ids().into_iter().chain(bad_keys()).collect();
    assert_eq!(check("ids", &cases, judge), 13);
}

fn good_ids() -> Vec<Case> {
    let log = example();
    let keys = bob_phone().keys();
    let opening = log.open(&bob_phone(), Some("bob"));
    let account = opening.statement.position.account;
    let body = log.bodies[3].clone();
    let vrf = log.parameters.vrf_key;
    let ok = |name, what, fields| Case::new(name, Ok(()), what, fields);
    let history = DeviceSet::next_history(&Digest::ZERO, &opening.hash(), 2, 1_790_000_020);
    vec![
        ok(
            "device-id",
            "both keys of a device, and its id",
            both(keys.chain.as_bytes(), keys.mls.as_bytes()).with("device-id", keys.id().0),
        ),
        ok(
            "account-id",
            "an opening entry and the account id",
            Fields::default().with("entry", opening.encode()).with("account", account.0),
        ),
        ok(
            "entry-hash",
            "an entry and its hash",
            Fields::default().with("entry", opening.encode()).with("entry-hash", opening.hash().0),
        ),
        ok(
            "map-key",
            "an account and its key in the map",
            Fields::default().with("account", account.0).with("map-key", DeviceSet::map_key(&account).0),
        ),
        ok(
            "body-hash",
            "a block's body and its hash",
            Fields::default().with("body", &body).with("body-hash", body_hash(&body).0),
        ),
        ok(
            "vrf-key-id",
            "a VRF key and its id",
            Fields::default().with("vrf-key", vrf.as_bytes()).with("vrf-key-id", vrf.id().0.0),
        ),
        ok(
            "history",
            "history hash before, entry, block, time, and the history hash after",
            Fields::default()
                .with("before", Digest::ZERO.0)
                .with("entry", opening.encode())
                .with_number("block", 2)
                .with_number("time", 1_790_000_020)
                .with("history", history.0),
        ),
    ]
}

fn both(chain: &[u8; 32], mls: &[u8; 32]) -> Fields {
    Fields::default().with("chain-key", chain).with("mls-key", mls)
}

fn bad_keys() -> Vec<Case> {
    let good = bob_phone().keys();
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut above_p = [0xff; 32];
    (above_p[0], above_p[31]) = (0xee, 0x7f);
    let mut order_2 = above_p;
    order_2[0] = 0xec;
    // y = 2 is on no point of the curve
    let mut off_curve = [0; 32];
    off_curve[0] = 2;
    let bad = Err(("key.invalid", "ENT-1"));
    let case = |name, what, key: &[u8; 32]| Case::new(name, bad, what, both(key, good.mls.as_bytes()));
    vec![
        case("key-identity", "the neutral point as a key", &identity),
        case("key-of-order-2", "a key of order 2", &order_2),
        case("key-of-order-4", "a key of order 4 (y = 0)", &[0; 32]),
        case("key-above-p", "y = p + 1: the neutral point in another encoding", &above_p),
        case("key-off-the-curve", "y = 2, which is on no point", &off_curve),
        case("one-key-twice", "a device whose two keys are one", good.mls.as_bytes()),
    ]
}

fn judge(fields: &Fields) -> Verdict {
    let entry = |fields: &Fields| Entry::decode(fields.get("entry")).unwrap();
    if let Some(chain) = fields.find("chain-key") {
        let bytes = [chain, fields.get("mls-key")].concat();
        let keys = DeviceKeys::decode(&mut Reader::new(&bytes)).map_err(refusal)?;
        assert_eq!(keys.id().0, *fields.get("device-id"));
    } else if let Some(id) = fields.find("vrf-key-id") {
        let key = VrfPublicKey::from_bytes(&fields.array("vrf-key")).map_err(refusal)?;
        assert_eq!(key.id().0.0, *id);
    } else if let Some(key) = fields.find("map-key") {
        assert_eq!(DeviceSet::map_key(&AccountId(fields.array("account"))).0, *key);
    } else if let Some(account) = fields.find("account") {
        assert_eq!(chain::sigchain::entry::account_id(&entry(fields).statement.body).0, *account);
    } else if let Some(hash) = fields.find("entry-hash") {
        assert_eq!(entry(fields).hash().0, *hash);
    } else if let Some(hash) = fields.find("body-hash") {
        assert_eq!(body_hash(fields.get("body")).0, *hash);
    } else {
        let (before, hash) = (Digest(fields.array("before")), entry(fields).hash());
        let after = DeviceSet::next_history(&before, &hash, fields.number("block"), fields.number("time"));
        assert_eq!(after.0, *fields.get("history"));
    }
    Ok(())
}
