//! The recovery key: 24 words on paper that let a device in when all others are gone (REC-1 to REC-3).
//!
//! Each word stands for 11 bits, by the English list of BIP-39, in which no two words begin with the same four letters.
//! 21 words are random; three are checks, so that the words are a codeword of a Reed-Solomon code over GF(2^11): any one
//! wrong word is found with its place and with what it has to be, as are two neighbours that changed places; any two
//! wrong words are noticed. (The checksum of BIP-39 itself notices an error, seven times of eight bits, and cannot say
//! where it is.)
//!
//! Not in scope: what the key may sign (`chain::sigchain::fold`).

use std::fmt;

use bip39::Language;
use chain::id::Digest;
use ed25519_dalek::SigningKey;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::label;

/// Words of a key.
pub const WORDS: usize = 24;
/// Those of them that are checks: the last ones.
const CHECKS: usize = 3;
/// Random bytes that a key is made of: 21 times 11 bits of them are used.
pub const RANDOM: usize = 32;
/// Bits of a word.
const BITS: usize = 11;
/// Letters of a word that are enough to know it.
const ENOUGH: usize = 4;

/// Why what was typed is no recovery key. Places count from 1.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Mistyped {
    /// Not as many words as there have to be.
    #[error("a recovery key has {WORDS} words, and these are {found}")]
    Count {
        /// How many there are.
        found: usize,
    },
    /// Several words are not in the list.
    #[error("word {place} is none that a recovery key can have, and not the only one: compare all with your paper")]
    Unknown {
        /// Place of the first.
        place: usize,
    },
    /// One word is wrong.
    #[error("word {place} is wrong: with the others it can only be \"{right}\"")]
    Wrong {
        /// Its place.
        place: usize,
        /// What it has to be.
        right: &'static str,
    },
    /// Two neighbours changed places.
    #[error("words {place} and {} have changed places", place + 1)]
    Swapped {
        /// Place of the first.
        place: usize,
    },
    /// More than one word is wrong, and nobody can say which.
    #[error("more than one word is wrong: compare all with your paper")]
    Several,
}

impl Mistyped {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        "recovery.mistyped"
    }
}

/// A recovery key.
pub struct RecoveryKey(Zeroizing<[u16; WORDS]>);

impl fmt::Debug for RecoveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryKey(..)")
    }
}

impl RecoveryKey {
    /// A key of these random bytes.
    pub fn new(random: &Zeroizing<[u8; RANDOM]>) -> Self {
        let mut words = Zeroizing::new([0; WORDS]);
        let (data, checks) = words.split_at_mut(WORDS - CHECKS);
        let bit = |at: usize| random.get(at / 8).map_or(0, |byte| u16::from(byte >> (7 - at % 8) & 1));
        for (index, word) in data.iter_mut().enumerate() {
            *word = (0..BITS).fold(0, |word, offset| word << 1 | bit(index * BITS + offset));
        }
        checks.copy_from_slice(&remainder(data));
        Self(words)
    }

    /// Reads what somebody typed: words between anything that is no letter, in any case, each whole or its first four
    /// letters at least.
    ///
    /// # Errors
    /// [`Mistyped`].
    pub fn parse(typed: &str) -> Result<Self, Mistyped> {
        let lower = Zeroizing::new(typed.to_lowercase());
        let found: Vec<&str> = lower.split(|it: char| !it.is_alphabetic()).filter(|it| !it.is_empty()).collect();
        let mut words = Zeroizing::new([0; WORDS]);
        if found.len() != WORDS {
            return Err(Mistyped::Count { found: found.len() });
        }
        let mut unknown = None;
        for (place, (word, text)) in words.iter_mut().zip(&found).enumerate() {
            match (word_of(text), unknown) {
                (Some(index), _) => *word = index,
                // any word does: the checks say which one it has to be
                (None, None) => unknown = Some(place),
                (None, Some(first)) => return Err(Mistyped::Unknown { place: first + 1 }),
            }
        }
        match (find_error(&words), unknown) {
            (None, None) => Ok(Self(words)),
            // the word that stood in for it was the right one
            (None, Some(place)) => Err(Mistyped::Wrong { place: place + 1, right: text_of(0) }),
            (Some(Mistyped::Wrong { place, right }), Some(first)) if place == first + 1 => {
                Err(Mistyped::Wrong { place, right })
            }
            (Some(_), Some(first)) => Err(Mistyped::Unknown { place: first + 1 }),
            (Some(mistyped), None) => Err(mistyped),
        }
    }

    /// The words, in order.
    pub fn words(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|word| text_of(*word))
    }

    /// The key that signs for it: Ed25519 (RFC 8032) of a seed that is a hash of the words.
    pub fn signing_key(&self) -> SigningKey {
        let bytes = Zeroizing::new(self.0.map(u16::to_be_bytes));
        let seed = Zeroizing::new(Digest::labelled(label::RECOVERY_KEY, &[bytes.as_flattened()]).0);
        SigningKey::from_bytes(&seed)
    }
}

/// A word's place in the list.
fn word_of(text: &str) -> Option<u16> {
    let list = Language::English.word_list();
    let index = list.partition_point(|word| *word < text);
    let word = list.get(index)?;
    let is_meant = *word == text || (text.len() >= ENOUGH && word.starts_with(text));
    is_meant.then(|| u16::try_from(index).ok()).flatten()
}

fn text_of(word: u16) -> &'static str {
    Language::English.word_list().get(usize::from(word)).copied().unwrap_or_default()
}

/// Multiplies in GF(2^11) with x^11 + x^2 + 1.
const fn times(a: u16, b: u16) -> u16 {
    let (mut product, mut a, mut bit) = (0, a, 0);
    while bit < BITS {
        if b >> bit & 1 == 1 {
            product ^= a;
        }
        a <<= 1;
        if a >> BITS & 1 == 1 {
            a ^= 0x805;
        }
        bit += 1;
    }
    product
}

/// The generator x to this power.
const fn power(exponent: usize) -> u16 {
    let (mut product, mut left) = (1, exponent);
    while left > 0 {
        product = times(product, 2);
        left -= 1;
    }
    product
}

/// What the checks are: the remainder of the words, as a polynomial with the first word in front, times x^3, by the one
/// whose roots are 1, x and x^2.
fn remainder(words: &[u16]) -> [u16; CHECKS] {
    // (z - 1)(z - x)(z - x^2), without its leading 1
    let (one, two) = (power(1), power(2));
    let (second, first, last) = (1 ^ one ^ two, one ^ two ^ times(one, two), times(one, two));
    words.iter().fold([0; CHECKS], |[a, b, c], word| {
        let factor = a ^ word;
        [b ^ times(factor, second), c ^ times(factor, first), times(factor, last)]
    })
}

/// What is wrong with these words, if anything is.
fn find_error(words: &[u16; WORDS]) -> Option<Mistyped> {
    let at = |root: u16| words.iter().fold(0, |sum, word| times(sum, root) ^ word);
    let [s0, s1, s2] = [at(1), at(power(1)), at(power(2))];
    if [s0, s1, s2] == [0; 3] {
        return None;
    }
    // the factor of the word at this place
    let factor = |place: usize| power(WORDS - 1 - place);
    for (place, word) in words.iter().enumerate() {
        if s0 != 0 && s1 == times(s0, factor(place)) && s2 == times(s1, factor(place)) {
            return Some(Mistyped::Wrong { place: place + 1, right: text_of(word ^ s0) });
        }
    }
    for (place, [word, next]) in words.array_windows().enumerate() {
        let difference = word ^ next;
        let sum = factor(place) ^ factor(place + 1);
        let square = times(factor(place), factor(place)) ^ times(factor(place + 1), factor(place + 1));
        if s0 == 0 && s1 == times(difference, sum) && s2 == times(difference, square) {
            return Some(Mistyped::Swapped { place: place + 1 });
        }
    }
    Some(Mistyped::Several)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> RecoveryKey {
        let bytes: [u8; RANDOM] =
            std::array::from_fn(|at| seed.wrapping_mul(31).wrapping_add(u8::try_from(at).unwrap().wrapping_mul(73)));
        RecoveryKey::new(&Zeroizing::new(bytes))
    }

    fn text(words: &[u16]) -> String {
        words.iter().map(|word| text_of(*word)).collect::<Vec<_>>().join(" ")
    }

    fn words_of(key: &RecoveryKey) -> [u16; WORDS] {
        *key.0
    }

    #[test]
    fn a_key_is_read_from_its_words_however_they_are_typed() {
        let (key, other) = (key(1), key(2));
        let words: Vec<_> = key.words().collect();
        let short: Vec<String> = words.iter().map(|word| word.chars().take(4).collect()).collect();
        let numbered: String =
            words.iter().enumerate().map(|(place, word)| format!("{}. {word}\n", place + 1)).collect();
        for typed in [words.join(" "), words.join("\n").to_uppercase(), short.join(", "), numbered] {
            let read = RecoveryKey::parse(&typed).unwrap();
            assert_eq!(read.signing_key().to_bytes(), key.signing_key().to_bytes());
        }
        assert_ne!(other.signing_key().to_bytes(), key.signing_key().to_bytes());
    }

    /// Every word at every place, typed as every other word of the list.
    #[test]
    fn any_one_wrong_word_is_named_with_its_place() {
        let words = words_of(&key(3));
        for place in 0..WORDS {
            for wrong in (0..2048).filter(|wrong| *wrong != words[place]) {
                let mut typed = words;
                typed[place] = wrong;
                let named = Mistyped::Wrong { place: place + 1, right: text_of(words[place]) };
                assert_eq!(find_error(&typed), Some(named));
            }
        }
    }

    #[test]
    fn a_word_that_is_in_no_list_is_named_with_its_place() {
        let words = text(&words_of(&key(4)));
        for place in 0..WORDS {
            let mut typed: Vec<&str> = words.split(' ').collect();
            let right = typed[place];
            typed[place] = "trefoil";
            let Err(Mistyped::Wrong { place: named, right: told }) = RecoveryKey::parse(&typed.join(" ")) else {
                panic!("word {place} was not named");
            };
            assert_eq!((named, told), (place + 1, right));
            typed[(place + 5) % WORDS] = "trefoil";
            let Err(Mistyped::Unknown { place: named }) = RecoveryKey::parse(&typed.join(" ")) else { panic!("taken") };
            assert_eq!(named, 1 + place.min((place + 5) % WORDS));
        }
    }

    #[test]
    fn two_words_that_changed_places_are_named() {
        let words = words_of(&key(5));
        for place in 0..WORDS - 1 {
            let mut typed = words;
            typed.swap(place, place + 1);
            assert_ne!(typed, words);
            assert_eq!(find_error(&typed), Some(Mistyped::Swapped { place: place + 1 }));
        }
    }

    #[test]
    fn two_wrong_words_are_never_taken_for_a_key() {
        let words = words_of(&key(6));
        for place in 0..WORDS {
            for other in (0..WORDS).filter(|other| *other != place) {
                for (a, b) in [(1, 1), (5, 1000), (2047, 3), (9, 9)] {
                    let mut typed = words;
                    typed[place] ^= a;
                    typed[other] ^= b;
                    assert!(find_error(&typed).is_some());
                }
            }
        }
    }

    #[test]
    fn too_few_and_too_many_words_are_counted() {
        let words = text(&words_of(&key(7)));
        let fewer = words.rsplit_once(' ').unwrap().0;
        assert_eq!(RecoveryKey::parse(fewer).unwrap_err(), Mistyped::Count { found: 23 });
        assert_eq!(RecoveryKey::parse(&format!("{words} abandon")).unwrap_err(), Mistyped::Count { found: 25 });
        assert_eq!(RecoveryKey::parse("").unwrap_err(), Mistyped::Count { found: 0 });
    }

    /// The list has to have what the reading of beginnings relies on.
    #[test]
    fn no_two_words_of_the_list_begin_with_the_same_four_letters() {
        let list = Language::English.word_list();
        assert!(list.len() == 1 << BITS && list.is_sorted());
        for pair in list.windows(2) {
            let beginning = |word: &str| word.chars().take(ENOUGH).collect::<String>();
            assert_ne!(beginning(pair[0]), beginning(pair[1]));
        }
        assert!(list.iter().enumerate().all(|(index, word)| word_of(word) == u16::try_from(index).ok()));
    }
}
