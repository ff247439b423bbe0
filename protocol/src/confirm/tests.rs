//! The code and what leads to it: what it depends on, and what is not taken for what.

use std::collections::BTreeSet;

use super::*;

const ORIGIN: &str = "trefoil.example/log";
const NONCE: [u8; 32] = [1; 32];

fn key(seed: u8) -> (SigningKey, PublicKey) {
    let key = SigningKey::from_bytes(&[seed; 32]);
    let public = PublicKey::from(&key);
    (key, public)
}

fn offer() -> Offer {
    let request = Request { account: AccountId([2; 32]), generation: 1, added: Digest([3; 32]), request: 4 };
    let checkpoint = SeenCheckpoint { size: 5, root: Digest([6; 32]) };
    Offer { request, attempt: 0, device: DeviceId([7; 16]), checkpoint, random: [8; 32], public_key: vec![9; 40] }
}

fn reveal() -> Reveal {
    Reveal { request: offer().request, attempt: 0, device: offer().device, nonce: NONCE }
}

/// Every change of one input, each with a number mixed in.
fn changes() -> [fn(&mut Offer, u64); 9] {
    [
        |it, n| it.request.account.0[..8].copy_from_slice(&n.to_be_bytes()),
        |it, n| it.request.generation = u32::try_from(n).unwrap() + 2,
        |it, n| it.request.added.0[..8].copy_from_slice(&n.to_be_bytes()),
        |it, n| it.request.request = n + 5,
        |it, n| it.attempt = u8::try_from(n % 2).unwrap() + 1,
        |it, n| it.device.0[..8].copy_from_slice(&n.to_be_bytes()),
        |it, n| it.checkpoint.size = n + 6,
        |it, n| it.checkpoint.root.0[..8].copy_from_slice(&n.to_be_bytes()),
        |it, n| it.random[..8].copy_from_slice(&n.to_be_bytes()),
    ]
}

/// CNF-4: two different inputs have the same six digits once in a million times, so of a hundred codes with one input
/// changed hardly any is the code before; and they are not all alike.
#[test]
fn the_code_depends_on_every_input() {
    let public = key(1).1;
    let before = code(ORIGIN, &offer(), &public, &NONCE);
    for (at, change) in changes().into_iter().enumerate() {
        let changed = |n| {
            let mut other = offer();
            change(&mut other, n);
            code(ORIGIN, &other, &public, &NONCE).0
        };
        let codes: BTreeSet<_> = (0..100).map(changed).collect();
        let different = if at == 4 { 2 } else { 98 };
        assert!(codes.len() >= different && !codes.contains(&before.0), "input {at}: {} codes", codes.len());
    }
    for n in 2..100 {
        let mut nonce = NONCE;
        nonce[31] = n;
        assert_ne!(code(ORIGIN, &offer(), &public, &nonce), before);
        assert_ne!(code(ORIGIN, &offer(), &key(n).1, &NONCE), before);
        assert_ne!(code(&format!("{ORIGIN}{n}"), &offer(), &public, &NONCE), before);
    }
}

/// CNF-4: all digits occur at all places about as often.
#[test]
fn codes_are_spread_evenly() {
    let mut counts = [[0_u32; 10]; 6];
    for n in 0..6_000_u64 {
        let mut nonce = NONCE;
        nonce[..8].copy_from_slice(&n.to_be_bytes());
        let text = code(ORIGIN, &offer(), &key(1).1, &nonce).to_string();
        assert_eq!(text.len(), 6);
        for (place, digit) in counts.iter_mut().zip(text.bytes()) {
            place[usize::from(digit - b'0')] += 1;
        }
    }
    assert!(counts.iter().flatten().all(|count| (450..=750).contains(count)), "{counts:?}");
}

/// CNF-5: only the right digits, and only with the nonce that the entry is committed to (CNF-1).
#[test]
fn a_code_matches_only_with_the_committed_nonce() {
    let public = key(1).1;
    let commitments = [commitment(&NONCE), commitment(&[9; 32]), commitment(&[10; 32])];
    let right = code(ORIGIN, &offer(), &public, &NONCE);
    let check = |offer: &Offer, commitments: &[Digest; 3], nonce: &[u8; 32], typed| {
        CodeMatched::check(ORIGIN, offer, &public, commitments, nonce, typed)
    };
    assert_eq!(check(&offer(), &commitments, &NONCE, right).unwrap().request(), &offer().request);
    for wrong in [0, 1, 10, 100_000, 999_999].map(|add| Code((right.0 + add) % 1_000_000)) {
        assert_eq!(check(&offer(), &commitments, &NONCE, wrong).is_some(), wrong == right);
    }
    let swapped = [9; 32];
    assert_eq!(check(&offer(), &commitments, &swapped, code(ORIGIN, &offer(), &public, &swapped)), None);
    assert_eq!(check(&offer(), &[Digest::ZERO; 3], &NONCE, right), None);
    let second = Offer { attempt: 1, ..offer() };
    let code_of_second = code(ORIGIN, &second, &public, &NONCE);
    assert_eq!(check(&second, &commitments, &NONCE, code_of_second), None, "each try has its own nonce");
    let fourth = Offer { attempt: 3, ..offer() };
    assert_eq!(check(&fourth, &commitments, &NONCE, code(ORIGIN, &fourth, &public, &NONCE)), None);
}

/// CNF-5: attack 2, a service that swaps the key: the digits on one side are not those on the other.
#[test]
fn a_swapped_entry_or_key_fails() {
    let (public, other) = (key(1).1, key(2).1);
    let commitments = [commitment(&NONCE), Digest::ZERO, Digest::ZERO];
    let shown = code(ORIGIN, &offer(), &public, &NONCE);
    let mut swapped = offer();
    swapped.request.added = Digest([66; 32]);
    assert_eq!(CodeMatched::check(ORIGIN, &swapped, &public, &commitments, &NONCE, shown), None);
    assert_eq!(CodeMatched::check(ORIGIN, &offer(), &other, &commitments, &NONCE, shown), None);
    assert_eq!(CodeMatched::check("other.example/log", &offer(), &public, &commitments, &NONCE, shown), None);
}

/// CNF-2, CNF-3.
#[test]
fn offer_and_reveal_are_read_as_they_were_signed() {
    let (secret, public) = key(1);
    let bytes = offer().sign(&secret);
    assert_eq!(Offer::decode(&bytes), Ok(offer()));
    assert!(Offer::is_signed(&bytes, &public) && !Offer::is_signed(&bytes, &key(2).1));
    let bytes = reveal().sign(&secret);
    assert!(Reveal::decode(&bytes) == Ok(reveal()));
    assert!(Reveal::is_signed(&bytes, &public) && !Reveal::is_signed(&bytes, &key(2).1));
}

/// Attack 40.
#[test]
fn no_signature_of_this_exchange_is_good_for_another_purpose() {
    let (secret, public) = key(1);
    let (offer, reveal) = (offer().sign(&secret), reveal().sign(&secret));
    assert!(!Reveal::is_signed(&offer, &public));
    assert!(!Offer::is_signed(&reveal, &public));
    for bytes in [&offer, &reveal] {
        let (statement, signature) = bytes.split_last_chunk::<64>().unwrap();
        for label in label::ALL.iter().chain(chain::label::ALL) {
            let own = [label::CONFIRM_OFFER, label::CONFIRM_REVEAL].contains(label);
            // as here, and as an entry is signed: with the origin in front
            let length = [u8::try_from(ORIGIN.len()).unwrap()];
            let signed = [labelled(label, &[statement]), labelled(label, &[&length, ORIGIN.as_bytes(), statement])];
            let holds = signed.map(|message| public.verifies(&message, &SignatureBytes(*signature)));
            assert!(own || holds == [false; 2], "{label}");
        }
    }
}

/// CNF-2, CNF-3: strict, and a changed byte shows.
#[test]
fn another_length_a_fourth_try_or_a_changed_byte_is_refused() {
    let (secret, public) = key(1);
    let (offered, revealed) = (offer().sign(&secret), reveal().sign(&secret));
    assert!(Offer::decode(&revealed).is_err() && Reveal::decode(&offered).is_err());
    for end in 0..offered.len() {
        assert!(Offer::decode(&offered[..end]).is_err() && !Offer::is_signed(&offered[..end], &public));
    }
    for end in 0..revealed.len() {
        assert!(Reveal::decode(&revealed[..end]).is_err() && !Reveal::is_signed(&revealed[..end], &public));
    }
    assert!(Offer::decode(&[&offered[..], &[0]].concat()).is_err());
    assert!(Reveal::decode(&[&revealed[..], &[0]].concat()).is_err());
    assert!(Offer::decode(&Offer { attempt: 3, ..offer() }.sign(&secret)).is_err());
    assert!(Reveal::decode(&Reveal { attempt: 3, ..reveal() }.sign(&secret)).is_err());
    for at in 0..offered.len() {
        let mut bent = offered.clone();
        bent[at] ^= 1;
        assert!(!Offer::is_signed(&bent, &public), "byte {at}");
    }
}

/// CNF-5.
#[test]
fn a_typed_code_is_six_digits_in_any_usual_spelling() {
    for typed in ["418093", "418 093", "418-093", " 4 1 8 0 9 3 ", "418\u{a0}093", "418\u{2009}093"] {
        assert_eq!(Code::parse(typed), Some(Code(418_093)), "{typed}");
    }
    assert_eq!(Code::parse("000007").unwrap().to_string(), "000007");
    for typed in ["", "41809", "4180930", "+41809", "41809x", "٤١٨٠٩٣", "418093\n", "418,093", "trefoil:bob@host#00"]
    {
        assert_eq!(Code::parse(typed), None, "{typed}");
    }
}

#[test]
fn neither_code_nor_nonce_is_in_a_debug_form() {
    let code = code(ORIGIN, &offer(), &key(1).1, &NONCE);
    assert_eq!(format!("{code:?}"), "Code(..)");
    assert_eq!(format!("{:?}", reveal()), "Reveal { attempt: 0, .. }");
}
