//! Labels, identifiers, keys and single signatures.

use chain::label;
use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::scalar::Scalar;
use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest as _, Sha512};

use crate::case::Case;
use crate::ledger::{Ledger, alice_phone, bob_phone};

/// The group's order, little-endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

pub(crate) fn cases() -> Vec<Case> {
    let open = |handle| Ledger::new(0, 0).open(&alice_phone(), handle).encode();
    let keys = alice_phone().keys();
    let device = |name, expect, what, mls: &[u8]| {
        Case::new(name, "device-id", expect, what).hex("chain-key", keys.chain.as_bytes()).hex("mls-key", mls)
    };
    let labels = |name, data: &[u8]| {
        let what = "Every label of the protocol, each with the labelled hash of the same data.";
        Case::new(name, "labels", "ok", what).hex("data", data)
    };
    assert!(label::ALL.len() > 30);
    let mut cases = vec![
        labels("labels/nothing", b""),
        labels("labels/abc", b"abc"),
        Case::new("ids/account", "account-id", "ok", "An account id is the hash of the first entry's body.")
            .hex("entry", open(None)),
        Case::new("ids/account-with-handle", "account-id", "ok", "The handle label is part of the body.")
            .hex("entry", open(Some("alice"))),
        device("ids/device", "ok", "A device id is the first half of a hash.", keys.mls.as_bytes()),
        device("ids/device-one-key", "key.invalid ENT-1", "The two keys of a device differ.", keys.chain.as_bytes()),
    ];
    cases.extend(public_keys());
    cases.extend(signatures());
    cases
}

fn public_keys() -> Vec<Case> {
    let key = |name: &str, expect, what, key: [u8; 32]| {
        Case::new(&format!("ids/key-{name}"), "public-key", expect, what).hex("key", key)
    };
    let mut above = [0xff; 32];
    (above[0], above[31]) = (0xf0, 0x7f);
    let mixed = ED25519_BASEPOINT_POINT + EIGHT_TORSION[1];
    let bad = "key.invalid ENT-1";
    let mut no_point = [0; 32];
    no_point[0] = 2;
    vec![
        key("usual", "ok", "A key as everybody makes it.", *bob_phone().keys().chain.as_bytes()),
        key("mixed-order", "ok", "A point with a small-order part only harms its owner.", mixed.compress().0),
        key("identity", bad, "The neutral point has order 1.", EIGHT_TORSION[0].compress().0),
        key("order-2", bad, "A point of order 2.", EIGHT_TORSION[4].compress().0),
        key("order-8", bad, "A point of order 8.", EIGHT_TORSION[1].compress().0),
        key("not-canonical", bad, "y is p + 3: another encoding of a point that has one.", above),
        key("no-point", bad, "No point has this y.", no_point),
    ]
}

fn signatures() -> Vec<Case> {
    let signer = SigningKey::from_bytes(&[0x51; 32]);
    let message = b"message";
    let good = signer.sign(message).to_bytes();
    let case = |name: &str, expect, what, key: [u8; 32], signature: [u8; 64]| {
        let case = Case::new(&format!("ids/signature-{name}"), "signature", expect, what);
        case.hex("key", key).hex("message", message).hex("signature", signature)
    };
    let key = signer.verifying_key().to_bytes();
    let mut large = good;
    let mut carry = 0;
    for (byte, order) in large[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        (*byte, carry) = (sum as u8, sum >> 8);
    }
    let (small_r, cofactored) = (small_order_r(message), only_with_cofactor(message));
    let bad = "entry.signature ENT-2";
    vec![
        case("usual", "ok", "A signature as RFC 8032 makes it.", key, good),
        case("large-s", bad, "s is s + L: the same signature in another form.", key, large),
        case("small-order-r", bad, "R is the neutral point; the equation holds.", small_r.0, small_r.1),
        case("cofactor", bad, "Holds only if both sides are multiplied by 8.", cofactored.0, cofactored.1),
    ]
}

fn challenge(r: &[u8; 32], key: &[u8; 32], message: &[u8]) -> Scalar {
    let hash: [u8; 64] = Sha512::new().chain_update(r).chain_update(key).chain_update(message).finalize().into();
    Scalar::from_bytes_mod_order_wide(&hash)
}

/// R is the neutral point and s = k · a: what strict verification is there to refuse.
fn small_order_r(message: &[u8]) -> ([u8; 32], [u8; 64]) {
    let secret = Scalar::from(0x0123_4567_89ab_cdef_u64);
    let key = (secret * ED25519_BASEPOINT_POINT).compress().0;
    let r = EIGHT_TORSION[0].compress().0;
    let s = challenge(&r, &key, message) * secret;
    (key, [r, s.to_bytes()].concat().try_into().unwrap())
}

/// The key has a part of order 8, which the signature leaves out.
fn only_with_cofactor(message: &[u8]) -> ([u8; 32], [u8; 64]) {
    let (secret, nonce) = (Scalar::from(0x0123_4567_89ab_cdef_u64), Scalar::from(0xfedc_ba98_7654_3210_u64));
    let key = (secret * ED25519_BASEPOINT_POINT + EIGHT_TORSION[1]).compress().0;
    let r = (nonce * ED25519_BASEPOINT_POINT).compress().0;
    let k = challenge(&r, &key, message);
    assert_ne!(k.to_bytes()[0] % 8, 0, "the small-order part matters");
    (key, [r, (nonce + k * secret).to_bytes()].concat().try_into().unwrap())
}
