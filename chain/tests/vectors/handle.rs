//! Handles: their form, their place in the map, and who may hold them.

use chain::handle::{Handle, HandleHead, HandleState, VrfProof, VrfSecretKey};
use chain::id::{AccountId, HandleLabel};
use curve25519_dalek::constants::EIGHT_TORSION;

use crate::case::Case;
use crate::ledger::START_S;

fn secret() -> VrfSecretKey {
    VrfSecretKey::from_seed(&[4; 32]).unwrap()
}

/// Where a handle is under the key of every ledger.
pub(crate) fn place(name: &str) -> (VrfProof, HandleLabel) {
    secret().prove(&Handle::parse(name).unwrap()).unwrap()
}

pub(crate) fn cases() -> Vec<Case> {
    [names(), places(), heads(), moves()].concat()
}

fn names() -> Vec<Case> {
    let name = |name: &str, expect: &str, what: &str, text: &str| {
        Case::new(&format!("handle/name-{name}"), "handle-name", expect, what).word("text", text)
    };
    let (length, charset) = ("handle.length HND-4", "handle.charset HND-4");
    vec![
        name("usual", "ok", "Every kind of character that is allowed.", "a.b_c-9"),
        name("capitals", "ok", "ASCII capitals become small.", "Alice"),
        name("longest", "ok", "32 characters.", &"a".repeat(32)),
        name("short", length, "Two characters.", "ab"),
        name("long", length, "33 characters.", &"a".repeat(33)),
        name("space", charset, "A space within.", "al ice"),
        name("umlaut", charset, "A letter that is not ASCII.", "bärbel"),
        name("kelvin", charset, "U+212A, which other foldings make a k.", "\u{212a}elvin"),
    ]
}

fn places() -> Vec<Case> {
    let (proof, _) = place("alice");
    let key = *secret().public().as_bytes();
    let at = |name: &str, expect: &str, what: &str, handle: &str, key: &[u8; 32], proof: &[u8]| {
        let case = Case::new(&format!("handle/place-{name}"), "handle-place", expect, what);
        case.hex("vrf-key", key).word("handle", handle).hex("proof", proof)
    };
    let bad = "chain.index_key HND-5";
    let bent = |place: usize| {
        let mut bent = proof.0;
        bent[place] ^= 1;
        bent
    };
    let other = *VrfSecretKey::from_seed(&[5; 32]).unwrap().public().as_bytes();
    let mut gamma = proof.0;
    gamma[..32].copy_from_slice(&EIGHT_TORSION[1].compress().0);
    let mut large = proof.0;
    large[79] |= 0xf0;
    vec![
        at("alice", "ok", "The one place of a handle under a key.", "alice", &key, &proof.0),
        at("bob", "ok", "Another handle.", "bob", &key, &place("bob").0.0),
        at("other-handle", bad, "The proof of another handle.", "bob", &key, &proof.0),
        at("other-key", bad, "Another VRF key.", "alice", &other, &proof.0),
        at("challenge", bad, "A bit of c is changed.", "alice", &key, &bent(40)),
        at("response", bad, "A bit of s is changed.", "alice", &key, &bent(50)),
        at("gamma", bad, "Gamma is a point of small order.", "alice", &key, &gamma),
        at("large-s", bad, "s is not below the group's order.", "alice", &key, &large),
        at("key-small-order", "key.invalid ENT-1", "The key has small order.", "alice", &EIGHT_TORSION[1].compress().0, &proof.0),
    ]
}

fn account(byte: u8) -> AccountId {
    AccountId([byte; 32])
}

fn bound() -> HandleHead {
    HandleHead { account: account(0xa1), incarnation: 3, state: HandleState::Bound }
}

fn released() -> HandleHead {
    HandleHead { state: HandleState::Released { at_s: START_S }, ..bound() }
}

fn heads() -> Vec<Case> {
    let head = |name: &str, expect: &str, what: &str, bytes: &[u8]| {
        Case::new(&format!("handle/head-{name}"), "handle-head", expect, what).hex("head", bytes)
    };
    let bad = "chain.proof_invalid CHK-3";
    let mut zero = bound().encode();
    zero[39] = 0;
    vec![
        head("bound", "ok", "Somebody's third incarnation.", &bound().encode()),
        head("released", "ok", "Released, with the time.", &released().encode()),
        head("incarnation-0", bad, "Incarnations are counted from 1.", &zero),
        head("trailing", bad, "A bound handle has no time.", &[bound().encode(), vec![0; 8]].concat()),
    ]
}

fn moves() -> Vec<Case> {
    let case = |name: &str, expect: &str, what: &str, before: Option<HandleHead>| {
        let bytes = before.map(|head| head.encode()).unwrap_or_default();
        Case::new(&format!("handle/move-{name}"), "handle-move", expect, what).hex("before", bytes)
    };
    let by = |case: Case, what: &str, byte: u8, after_s: u64| {
        case.word("move", what).word("account", account(byte)).word("time", START_S + after_s)
    };
    let year_s = HandleHead::LOCK_S;
    let succeed = case("succeed", "ok", "A successor takes it over at once (HND-2).", Some(bound()));
    vec![
        by(case("first", "ok", "Nobody ever had it.", None), "bind", 0xb1, 0),
        by(case("again", "ok", "365 days after its release.", Some(released())), "bind", 0xb1, year_s),
        by(case("locked", "handle.locked HND-3", "A second earlier.", Some(released())), "bind", 0xb1, year_s - 1),
        by(case("taken", "handle.taken HND-2", "Somebody holds it.", Some(bound())), "bind", 0xb1, year_s),
        by(case("release", "ok", "Its holder lets it go.", Some(bound())), "release", 0xa1, 9),
        by(case("not-held", "handle.not_held HND-1", "Another lets it go.", Some(bound())), "release", 0xb1, 9),
        by(succeed, "succeed", 0xa1, 9).word("successor", account(0xb1)),
    ]
}
