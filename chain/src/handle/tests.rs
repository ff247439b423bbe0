use super::*;

fn handle(text: &str) -> Handle {
    Handle::parse(text).unwrap()
}

fn key(seed: u8) -> VrfSecretKey {
    VrfSecretKey::from_seed(&[seed; 32]).unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// The scalar field's order, little-endian (RFC 8032 §5.1).
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

#[test]
fn capitals_become_small_and_nothing_else_changes() {
    assert_eq!(handle("Alice_B.c-9").as_str(), "alice_b.c-9");
    assert_eq!(handle("...").as_str(), "...");
}

/// Attack 30: a letter that looks like another is refused, as are all other characters, wherever they stand.
#[test]
fn a_character_outside_the_set_is_refused() {
    let cyrillic = Handle::parse("\u{430}1ice").unwrap_err();
    assert_eq!(cyrillic, HandleError::Charset { position: 0 });
    assert_eq!(cyrillic.code(), "handle.charset");
    for text in ["al\u{131}ce", "alice ", " alice", "ali\u{200b}ce", "al/ice", "ali\0ce", "\u{ff41}lice", "\u{212a}arl"]
    {
        assert_eq!(Handle::parse(text).unwrap_err().code(), "handle.charset", "{text:?}");
    }
}

#[test]
fn a_handle_has_three_to_thirty_two_characters() {
    for length in [0, 1, 2, 33, 100_000] {
        let error = Handle::parse(&"a".repeat(length)).unwrap_err();
        assert_eq!((error.code(), error), ("handle.length", HandleError::Length { length }));
    }
    assert!(Handle::parse("abc").is_ok() && Handle::parse(&"a".repeat(32)).is_ok());
}

/// RFC 9381 appendix B.4, examples 19 to 21.
#[test]
fn the_vectors_of_rfc_9381_hold() {
    let vectors = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "7d9c633ffeee27349264cf5c667579fc583b4bda63ab71d001f89c10003ab46f14adf9a3cd8b8412d9038531e865c341\
             cafa73589b023d14311c331a9ad15ff2fb37831e00f0acaa6d73bc9997b06501",
            "9d574bf9b8302ec0fc1e21c3ec5368269527b87b462ce36dab2d14ccf80c53cc\
             cf6758f058c5b1c856b116388152bbe509ee3b9ecfe63d93c3b4346c1fbc6c54",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "47b327393ff2dd81336f8a2ef10339112401253b3c714eeda879f12c509072ef055b48372bb82efbdce8e10c8cb9a2f9\
             d60e93908f93df1623ad78a86a028d6bc064dbfc75a6a57379ef855dc6733801",
            "38561d6b77b71d30eb97a062168ae12b667ce5c28caccdf76bc88e093e463598\
             7cd96814ce55b4689b3dd2947f80e59aac7b7675f8083865b46c89b2ce9cc735",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "926e895d308f5e328e7aa159c06eddbe56d06846abf5d98c2512235eaa57fdce35b46edfc655bc828d44ad09d1150f31\
             374e7ef73027e14760d42e77341fe05467bb286cc2c9d7fde29120a0b2320d04",
            "121b7f9b9aaaa29099fc04a94ba52784d44eac976dd1a3cca458733be5cd090a\
             7b5fbd148444f17f8daf1fb55cb04b1ae85a626e30a54b4b0f8abf4a43314a58",
        ),
    ];
    for (seed, public, alpha, pi, beta) in vectors.map(|(a, b, c, d, e)| (hex(a), hex(b), hex(c), hex(d), hex(e))) {
        let key = VrfSecretKey::from_seed(&seed.try_into().unwrap()).unwrap();
        assert_eq!(key.public().as_bytes()[..], public);
        assert_eq!(key.secret.prove(&alpha).unwrap().encode_to_pi(), pi);
        let proof = VrfProof(pi.try_into().unwrap());
        assert_eq!(key.public().output(&alpha, &proof).unwrap()[..], beta);
    }
}

/// `docs/protocol.md` §2: the bytes that go into the VRF and into the hashes, written out.
#[test]
fn the_label_is_made_of_exactly_these_bytes() {
    let (key, alice) = (key(1), handle("alice"));
    assert_eq!(alice.alpha(), b"\x15trefoil/vrf/handle/v1alice");
    let id = Digest::sha256(&[&b"\x15trefoil/vrf-key-id/v1"[..], key.public().as_bytes()].concat());
    assert_eq!(key.public().id(), VrfKeyId(id));
    let (proof, label) = key.prove(&alice).unwrap();
    let beta = key.public().output(&alice.alpha(), &proof).unwrap();
    let hashed = [&b"\x15trefoil/map/handle/v1"[..], id.as_bytes(), &beta].concat();
    assert_eq!(label.as_bytes(), Digest::sha256(&hashed).as_bytes());
}

#[test]
fn a_handle_has_one_label_under_one_key() {
    let key = key(1);
    let (proof, label) = key.prove(&handle("alice")).unwrap();
    assert_eq!(key.prove(&handle("ALICE")), Ok((proof, label)));
    assert_eq!(key.public().verify(&handle("alice"), &proof), Ok(label));
    assert_ne!(key.prove(&handle("alice2")).unwrap().1, label);
}

#[test]
fn a_proof_for_one_handle_is_refused_for_another() {
    let (proof, _) = key(1).prove(&handle("alice")).unwrap();
    assert_eq!(key(1).public().verify(&handle("bob"), &proof), Err(HandleError::IndexKey));
}

/// Attack 26: two keys would be two places for one handle.
#[test]
fn a_proof_under_another_key_is_refused() {
    let (proof, label) = key(1).prove(&handle("alice")).unwrap();
    let error = key(2).public().verify(&handle("alice"), &proof).unwrap_err();
    assert_eq!(error.code(), "chain.index_key");
    assert_ne!(key(2).prove(&handle("alice")).unwrap().1, label);
}

#[test]
fn every_bit_flip_of_a_proof_is_refused() {
    let (key, alice) = (key(1), handle("alice"));
    let (proof, _) = key.prove(&alice).unwrap();
    for bit in 0..VrfProof::LEN * 8 {
        let mut flipped = proof;
        flipped.0[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(key.public().verify(&alice, &flipped), Err(HandleError::IndexKey), "bit {bit}");
    }
}

/// RFC 9381 §5.4.4: the same s plus the group's order is another way to write the proof. The library alone takes it.
#[test]
fn a_proof_with_an_s_above_the_order_is_refused() {
    let (key, alice) = (key(1), handle("alice"));
    let (mut proof, _) = key.prove(&alice).unwrap();
    let mut carry = 0;
    for (byte, add) in proof.0[48..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        [*byte, _] = sum.to_le_bytes();
        carry = sum >> 8;
    }
    let library = EdVrfEdwards25519Ell2PublicKey::from_slice(key.public().as_bytes()).unwrap();
    assert!(library.verify(&alice.alpha(), EdVrfProof::decode_pi(&proof.0).unwrap()).is_ok());
    assert_eq!(key.public().verify(&alice, &proof), Err(HandleError::IndexKey));
}

/// RFC 8032 §5.1.3: y = p + 1 is the identity written in another way, and x = 0 has no sign.
#[test]
fn a_proof_whose_gamma_is_not_canonical_is_refused() {
    let mut above_p = [0xff; 32];
    above_p[0] = 0xee;
    above_p[31] = 0x7f;
    let mut signed_zero = [0; 32];
    signed_zero[0] = 1;
    signed_zero[31] = 0x80;
    for gamma in [above_p, signed_zero] {
        let mut proof = [0; VrfProof::LEN];
        proof[..32].copy_from_slice(&gamma);
        assert!(EdVrfProof::decode_pi(&proof).is_ok(), "else the check is not ours to make");
        assert!(VrfProof(proof).strict().is_none());
    }
}

/// RFC 9381 §5.4.5: the service could otherwise choose a key under which one handle has several labels.
#[test]
fn small_order_and_non_canonical_vrf_keys_are_refused() {
    let bad = Err(DecodeError::BadKey { field: "VRF key" });
    for point in curve25519_dalek::constants::EIGHT_TORSION {
        assert_eq!(VrfPublicKey::from_bytes(&point.compress().0), bad);
    }
    // y from p to 2^255 − 1, with and without a sign
    for low in 0xed..=0xff {
        for high in [0x7f, 0xff] {
            let mut bytes = [0xff; 32];
            (bytes[0], bytes[31]) = (low, high);
            assert_eq!(VrfPublicKey::from_bytes(&bytes), bad);
        }
    }
}

/// A key with a small-order part gives no second label: the part falls out of the output (RFC 9381 §5.2, cofactor).
#[test]
fn a_gamma_with_a_small_order_part_gives_no_other_label() {
    let (key, alice) = (key(1), handle("alice"));
    let (proof, label) = key.prove(&alice).unwrap();
    let gamma = curve25519_dalek::edwards::CompressedEdwardsY(proof.0[..32].try_into().unwrap()).decompress().unwrap();
    for torsion in curve25519_dalek::constants::EIGHT_TORSION {
        let mut other = proof;
        other.0[..32].copy_from_slice(&(gamma + torsion).compress().0);
        let verified = key.public().verify(&alice, &other);
        assert!(verified == Err(HandleError::IndexKey) || verified == Ok(label));
    }
}

/// Style: names and keys stay out of logs.
#[test]
fn debug_shows_neither_name_nor_secret() {
    let key = key(1);
    let (proof, _) = key.prove(&handle("alice")).unwrap();
    let text = format!("{:?} {key:?} {proof:?}", handle("alice"));
    assert_eq!(text, "Handle(..) VrfSecretKey(..) VrfProof(..)");
}

const ALICE: AccountId = AccountId([1; 32]);
const MALLORY: AccountId = AccountId([2; 32]);

/// HND-2: every holder has the next number, and nobody takes a handle that is held.
#[test]
fn a_bound_handle_is_taken_and_its_incarnation_only_rises() {
    let head = HandleHead::bind(None, ALICE, 10).unwrap();
    assert_eq!(head, HandleHead { account: ALICE, incarnation: 1, state: HandleState::Bound });
    for account in [ALICE, MALLORY] {
        assert_eq!(HandleHead::bind(Some(&head), account, u64::MAX).unwrap_err().code(), "handle.taken");
    }
    let released = head.release(ALICE, 20).unwrap();
    assert_eq!(released.incarnation, 1);
    assert_eq!(HandleHead::bind(Some(&released), ALICE, u64::MAX).unwrap().incarnation, 2);
    let last = HandleHead { incarnation: u64::MAX, ..released };
    assert_eq!(HandleHead::bind(Some(&last), ALICE, u64::MAX), Err(HandleError::Exhausted));
}

/// HND-3, attack 29: a released handle is free after 31,536,000 seconds and not one earlier.
#[test]
fn a_released_handle_is_locked_for_a_year() {
    let released = HandleHead::bind(None, ALICE, 0).unwrap().release(ALICE, 1_000).unwrap();
    let until_s = 31_537_000;
    for account in [ALICE, MALLORY] {
        let error = HandleHead::bind(Some(&released), account, until_s - 1).unwrap_err();
        assert_eq!((error.code(), error), ("handle.locked", HandleError::Locked { until_s }));
    }
    let bound = HandleHead::bind(Some(&released), MALLORY, until_s).unwrap();
    assert_eq!(bound, HandleHead { account: MALLORY, incarnation: 2, state: HandleState::Bound });
    let never = HandleHead { state: HandleState::Released { at_s: u64::MAX - 1 }, ..released };
    assert!(HandleHead::bind(Some(&never), MALLORY, u64::MAX - 1).is_err());
}

#[test]
fn only_the_holder_releases_or_hands_over() {
    let head = HandleHead::bind(None, ALICE, 0).unwrap();
    assert_eq!(head.release(MALLORY, 1), Err(HandleError::NotHeld));
    assert_eq!(head.succeed(MALLORY, MALLORY), Err(HandleError::NotHeld));
    let released = head.release(ALICE, 1).unwrap();
    assert_eq!(released.release(ALICE, 2), Err(HandleError::NotHeld));
    assert_eq!(released.succeed(ALICE, MALLORY), Err(HandleError::NotHeld));
}

/// HND-2: a reset is another holder, seen in the number, and the handle is never free in between.
#[test]
fn a_successor_holds_the_handle_at_once_in_the_next_incarnation() {
    let successor = AccountId([3; 32]);
    let head = HandleHead::bind(None, ALICE, 0).unwrap().succeed(ALICE, successor).unwrap();
    assert_eq!(head, HandleHead { account: successor, incarnation: 2, state: HandleState::Bound });
}

#[test]
fn a_handle_head_has_one_encoding() {
    let bound = HandleHead::bind(None, ALICE, 0).unwrap();
    for head in [bound, bound.release(ALICE, 7).unwrap(), bound.succeed(ALICE, MALLORY).unwrap()] {
        let bytes = head.encode();
        let mut reader = Reader::new(&bytes);
        assert_eq!(HandleHead::decode(&mut reader), Ok(head));
        assert_eq!(reader.finish(), Ok(()));
        for length in 0..bytes.len() {
            assert!(HandleHead::decode(&mut Reader::new(&bytes[..length])).is_err());
        }
    }
    let released = bound.release(ALICE, 7).unwrap();
    let encoded = [&[1; 32][..], &[0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 7]].concat();
    assert_eq!(released.encode(), encoded);
    assert_eq!(released.value(), Digest::sha256(&[&b"\x1atrefoil/map/handle-head/v1"[..], &encoded].concat()));
    let mut bytes = bound.encode();
    bytes[40] = 3;
    assert_eq!(
        HandleHead::decode(&mut Reader::new(&bytes)),
        Err(DecodeError::Unknown { field: "handle state", value: 3 })
    );
    bytes[32..41].copy_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 1]);
    assert!(HandleHead::decode(&mut Reader::new(&bytes)).is_err());
}
