//! `signatures`: opening entries with signatures that hold, and that do not.

use chain::block::Parameters;
use chain::sigchain::device_set::DeviceSet;
use chain::sigchain::entry::{Entry, Role, Signatures, Statement};
use chain::sigchain::fold::Ground;
use ed25519_dalek::{Signer as _, SigningKey};

use crate::case::{Case, Fields, Verdict, check, refusal};
use crate::ledger::{Ledger, ORIGIN, START_S, bob_phone};

/// The order of the group, little-endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// ENT-2, attacks 40 and 41.
#[test]
fn signatures_hold_or_do_not() {
    assert_eq!(check("signatures", &cases(), judge), 9);
}

fn judge(fields: &Fields) -> Verdict {
    let parameters = Parameters::decode(fields.get("parameters")).unwrap();
    let entry = Entry::decode(fields.get("entry")).unwrap();
    let ground = Ground { parameters: &parameters, block: 1, time_s: START_S, root_at: &|_| None };
    DeviceSet::open(&entry, &ground, &mut Signatures::CheckNow).map(|_| ()).map_err(refusal)
}

fn cases() -> Vec<Case> {
    let log = Ledger::new(0, 0);
    let entry = log.open(&bob_phone(), None);
    let statement = &entry.statement;
    let good: Vec<[u8; 64]> = entry.signatures().map(|(_, signature)| signature.0).collect();
    let (chain, mls) = (bob_phone().chain, bob_phone().mls);
    let other = Ledger::named("other.example/log", 0, 0).parameters;
    let mut later = statement.clone();
    later.checkpoint.size += 1;
    let with = |place: usize, signature: [u8; 64]| {
        let mut signatures = good.clone();
        signatures[place] = signature;
        bytes(statement, &signatures)
    };
    let case = |name, what, entry: Vec<u8>| {
        let fields = Fields::default().with("parameters", log.parameters.encode()).with("entry", entry);
        Case::new(name, if name == "valid" { Ok(()) } else { Err(("entry.signature", "ENT-2")) }, what, fields)
    };
    let of_other_origin = Fields::default().with("parameters", other.encode()).with("entry", entry.encode());
    vec![
        case("valid", "three signatures that hold", entry.encode()),
        case(
            "wrong-label",
            "the chain key signed under the label of the MLS key",
            with(0, sign(statement, Role::Mls, ORIGIN, &chain)),
        ),
        case(
            "other-origin",
            "the chain key signed for another log",
            with(0, sign(statement, Role::Device, "other.example/log", &chain)),
        ),
        Case::new(
            "moved-to-another-log",
            Err(("entry.signature", "ENT-2")),
            "a good entry shown to another log",
            of_other_origin,
        ),
        case(
            "roles-swapped",
            "the signatures of chain key and MLS key change places",
            bytes(statement, &[good[1], good[0], good[2]]),
        ),
        case("other-statement", "the MLS key signed another statement", with(1, sign(&later, Role::Mls, ORIGIN, &mls))),
        case(
            "service-by-device",
            "the device signed in the service's place",
            with(2, sign(statement, Role::Service, ORIGIN, &chain)),
        ),
        case("s-not-canonical", "the group's order is added to s", with(0, plus_order(good[0]))),
        case("zeros", "a signature of zeros", with(2, [0; 64])),
    ]
}

fn sign(statement: &Statement, role: Role, origin: &str, key: &SigningKey) -> [u8; 64] {
    key.sign(&statement.signed_bytes(role, origin).unwrap()).to_bytes()
}

fn bytes(statement: &Statement, signatures: &[[u8; 64]]) -> Vec<u8> {
    [statement.encode(), signatures.concat()].concat()
}

/// The same signature with s + order: equal modulo the order, and so refused only by who looks.
fn plus_order(mut signature: [u8; 64]) -> [u8; 64] {
    let mut carry = 0;
    for (byte, add) in signature[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        let [high, low] = sum.to_be_bytes();
        (*byte, carry) = (low, u16::from(high));
    }
    signature
}
