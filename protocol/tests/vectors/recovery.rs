//! `recovery-key`: the words on paper, the key that they stand for, and what is told of those that were mistyped (§24).

use bip39::Language;
use chain::id::{Digest, PublicKey};
use ed25519_dalek::SigningKey;
use protocol::recovery::{Mistyped, RANDOM, RecoveryKey, WORDS};
use zeroize::Zeroizing;

use crate::case::{Case, Fields, Verdict, check};
use crate::ok;

const RULE: &str = "§24";

fn key(seed: u8) -> RecoveryKey {
    RecoveryKey::new(&Zeroizing::new(std::array::from_fn(|at| seed.wrapping_add(u8::try_from(at).unwrap() * 7))))
}

fn words(key: &RecoveryKey) -> Vec<&'static str> {
    key.words().collect()
}

/// The places of words in the list.
fn numbers(words: &[&str]) -> Vec<u16> {
    let list = Language::English.word_list();
    words.iter().map(|word| u16::try_from(list.iter().position(|it| it == word).unwrap()).unwrap()).collect()
}

/// Multiplies in GF(2^11) as one would on paper: first the polynomials, then the remainder.
fn times(a: u16, b: u16) -> u16 {
    let product = (0..11).filter(|bit| b >> bit & 1 == 1).fold(0_u32, |sum, bit| sum ^ u32::from(a) << bit);
    let rest =
        (11..22).rev().fold(product, |rest, bit| if rest >> bit & 1 == 1 { rest ^ 0x805 << (bit - 11) } else { rest });
    u16::try_from(rest).unwrap()
}

/// True if these are the coefficients of a multiple of (z - 1)(z - x)(z - x^2), the first in front.
fn is_multiple(words: &[u16]) -> bool {
    [1, 2, 4].iter().all(|root| {
        let mut power = 1;
        let terms = words.iter().rev().map(|word| {
            let term = times(*word, power);
            power = times(power, *root);
            term
        });
        terms.fold(0, |sum, term| sum ^ term) == 0
    })
}

fn good(name: &str, what: &str, key: &RecoveryKey, typed: &str) -> Case {
    let numbers = numbers(&words(key)).into_iter().flat_map(u16::to_be_bytes).collect::<Vec<_>>();
    let public = PublicKey::from(&key.signing_key());
    let fields = Fields::default().with("typed", typed).with("words", words(key).join(" "));
    ok(name, what, fields.with("numbers", numbers).with("key", public.as_bytes()))
}

/// What is told of what was typed: the first place that it names, and the word that has to stand there.
fn told(mistyped: &Mistyped) -> (u64, &'static str) {
    let number = |place: usize| u64::try_from(place).unwrap();
    match mistyped {
        Mistyped::Wrong { place, right } => (number(*place), right),
        Mistyped::Unknown { place } | Mistyped::Swapped { place } => (number(*place), ""),
        Mistyped::Count { .. } | Mistyped::Several => (0, ""),
    }
}

fn bad(name: &str, what: &str, typed: &[&str]) -> Case {
    let typed = typed.join(" ");
    let (place, right) = told(&RecoveryKey::parse(&typed).unwrap_err());
    let fields = Fields::default().with("typed", &typed).with_number("place", place).with("right", right);
    Case::new(name, Err(("recovery.mistyped", RULE)), what, fields)
}

#[test]
fn recovery_keys() {
    let (zeros, one) = (RecoveryKey::new(&Zeroizing::new([0; RANDOM])), key(1));
    let right = words(&one);
    let with = |place: usize, word: &'static str| {
        let mut typed = right.clone();
        typed[place] = word;
        typed
    };
    let mut swapped = right.clone();
    swapped.swap(4, 5);
    let mut two = with(2, "zoo");
    two[9] = "zoo";
    let mut unknown = with(2, "trefoil");
    unknown[9] = "trefoil";
    let short: Vec<String> = right.iter().map(|word| word.chars().take(4).collect()).collect();
    let longer = [right.as_slice(), &["zoo"]].concat();
    let cases = [
        good("key", "24 words", &one, &right.join(" ")),
        good("zeros", "all words are the first of the list: the checks too", &zeros, &words(&zeros).join(" ")),
        good(
            "short",
            "four letters of each, in capitals, with numbers and commas",
            &one,
            &format!("1. {}", short.join(", ").to_uppercase()),
        ),
        bad("one-wrong", "word 7 is another one of the list", &with(6, "zoo")),
        bad("first-wrong", "word 1 is another one of the list", &with(0, "zoo")),
        bad("check-wrong", "word 24, a check, is another one of the list", &with(23, "zoo")),
        bad("no-word", "word 7 is in no list", &with(6, "trefoil")),
        bad("three-letters", "three letters are too few to know word 7 by", &with(6, right[6].get(..3).unwrap())),
        bad("swapped", "words 5 and 6 have changed places", &swapped),
        bad("two-wrong", "two words are others of the list: nobody can say which", &two),
        bad("two-no-words", "two words are in no list: the first is named", &unknown),
        bad("one-fewer", "23 words", &right[..WORDS - 1]),
        bad("one-more", "25 words", &longer),
    ];
    let judge = |fields: &Fields| -> Verdict {
        let text = |name| std::str::from_utf8(fields.get(name)).unwrap();
        let key = RecoveryKey::parse(text("typed")).map_err(|mistyped| {
            assert_eq!(told(&mistyped), (fields.number("place"), text("right")));
            (mistyped.code(), RULE)
        })?;
        assert_eq!(words(&key).join(" "), text("words"));
        let found = numbers(&text("words").split(' ').collect::<Vec<_>>());
        assert!(found.len() == WORDS && is_multiple(&found));
        let bytes: Vec<_> = found.into_iter().flat_map(u16::to_be_bytes).collect();
        assert_eq!(bytes, fields.get("numbers"));
        let seed = Digest::sha256(&[b"\x17trefoil/recovery-key/v1", bytes.as_slice()].concat()).0;
        assert_eq!(SigningKey::from_bytes(&seed).verifying_key().to_bytes(), fields.array("key"));
        assert_eq!(PublicKey::from(&key.signing_key()).as_bytes(), &fields.array::<32>("key"));
        Ok(())
    };
    assert_eq!(check("recovery-key", &cases, judge), 13);
}
