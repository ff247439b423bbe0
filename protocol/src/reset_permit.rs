//! The operator's permit for a reset: what he gives to somebody whom he knows, and who has neither a device nor the password
//! (PMT-1 to PMT-4).
//!
//! As text it is `reset-` and eight groups of four letters and digits: 16 random bytes and 4 that check them, in Crockford's
//! base 32, which has no letter that looks like a digit. So what was mistyped is noticed before anything is sent, and nobody
//! takes it for a contact link or for the digits of a device. What the service is shown is a hash of it.
//!
//! Not in scope: whom it is for and until when (crate `service`); what a reset has to wait for (`chain::sigchain`).

use std::fmt;
use std::str::FromStr;

use chain::id::Digest;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::bytes::Base64Url;
use crate::label;

/// Random bytes of a permit.
pub const RANDOM: usize = 16;
/// Bytes that check them.
const CHECKS: usize = 4;
/// Letters and digits behind the prefix: five bits each.
const LETTERS: usize = (RANDOM + CHECKS) * 8 / 5;
/// Letters and digits between two hyphens.
const GROUP: usize = 4;
/// Fewest of them by which a text is known for what it is meant to be: more than a handle has.
const MEANT: usize = 28;
/// What every permit begins with, in any case.
const PREFIX: &str = "reset";
/// Crockford's base 32: without I, L, O and U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Why what was typed is no permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Mistyped {
    /// It does not begin as one.
    #[error("a permit begins with \"reset-\", and this does not")]
    Prefix,
    /// Not as many letters and digits as there have to be.
    #[error("a permit has {LETTERS} letters and digits behind \"reset-\", and these are {found}")]
    Length {
        /// How many there are.
        found: usize,
    },
    /// Something that no permit has.
    #[error("the letter or digit at place {place} behind \"reset-\" is none that a permit can have")]
    Letter {
        /// Its place, from 1, hyphens not counted.
        place: usize,
    },
    /// The check does not fit.
    #[error("a letter or digit of this permit is wrong: compare it with what you were given")]
    Check,
}

impl Mistyped {
    /// The stable code.
    pub fn code(self) -> &'static str {
        "permit.mistyped"
    }
}

/// An operator's permit. `Debug` does not show it; `Display` is what the operator hands over.
#[derive(Clone)]
pub struct ResetPermit(Zeroizing<[u8; RANDOM]>);

impl fmt::Debug for ResetPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResetPermit(..)")
    }
}

impl ResetPermit {
    /// A permit of these random bytes.
    pub fn new(random: Zeroizing<[u8; RANDOM]>) -> Self {
        Self(random)
    }

    /// True for a text that is meant as a permit, mistyped or not. No handle is so long, and no link has these letters only.
    pub fn is_meant_by(text: &str) -> bool {
        let is_long = |rest: &str| rest.len() >= MEANT && rest.chars().all(|letter| letter.is_ascii_alphanumeric());
        behind_prefix(&packed(text)).is_some_and(is_long)
    }

    /// PMT-1: the 32 bytes that the service is shown, and that the person never sees.
    pub fn bearer(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(Digest::labelled(label::RESET_PERMIT, &[self.0.as_slice()]).0)
    }

    /// The same as it stands in a request's `Authorization: Bearer`.
    pub fn bearer_text(&self) -> Base64Url {
        Base64Url(self.bearer().to_vec())
    }
}

fn checks(random: &[u8]) -> [u8; CHECKS] {
    let Digest(hash) = Digest::labelled(label::RESET_PERMIT_CHECK, &[random]);
    std::array::from_fn(|at| hash.get(at).copied().unwrap_or_default())
}

/// Without what may stand between the groups, and in capitals.
fn packed(text: &str) -> Zeroizing<String> {
    let letters = text.chars().filter(|letter| !letter.is_whitespace() && *letter != '-');
    Zeroizing::new(letters.map(|letter| letter.to_ascii_uppercase()).collect())
}

fn behind_prefix(packed: &str) -> Option<&str> {
    let (prefix, rest) = packed.split_at_checked(PREFIX.len())?;
    prefix.eq_ignore_ascii_case(PREFIX).then_some(rest)
}

/// What a letter stands for; those that look like a digit are that digit.
fn value_of(letter: char) -> Option<u8> {
    let letter = match letter {
        'I' | 'L' => '1',
        'O' => '0',
        letter => letter,
    };
    let place = ALPHABET.iter().position(|it| char::from(*it) == letter)?;
    u8::try_from(place).ok()
}

impl fmt::Display for ResetPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        let bytes = Zeroizing::new([self.0.as_slice(), &checks(self.0.as_slice())].concat());
        let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1);
        for place in 0..LETTERS {
            if place % GROUP == 0 {
                f.write_str("-")?;
            }
            let value = (0..5).fold(0, |value, offset| value << 1 | bit(place * 5 + offset));
            let letter = ALPHABET.get(usize::from(value)).copied().unwrap_or_default();
            fmt::Write::write_char(f, char::from(letter))?;
        }
        Ok(())
    }
}

impl FromStr for ResetPermit {
    type Err = Mistyped;

    /// Reads what somebody typed or pasted, in any case, with or without its hyphens.
    fn from_str(text: &str) -> Result<Self, Mistyped> {
        let packed = packed(text);
        let letters = behind_prefix(&packed).ok_or(Mistyped::Prefix)?;
        let found = letters.chars().count();
        if found != LETTERS {
            return Err(Mistyped::Length { found });
        }
        let mut bytes = Zeroizing::new([0_u8; RANDOM + CHECKS]);
        for (place, letter) in letters.chars().enumerate() {
            let value = value_of(letter).ok_or(Mistyped::Letter { place: place + 1 })?;
            for offset in 0..5 {
                let at = place * 5 + offset;
                if let Some(byte) = bytes.get_mut(at / 8) {
                    *byte |= (value >> (4 - offset) & 1) << (7 - at % 8);
                }
            }
        }
        let (random, check) = bytes.split_at(RANDOM);
        if check != checks(random) {
            return Err(Mistyped::Check);
        }
        let mut permit = Zeroizing::new([0; RANDOM]);
        permit.copy_from_slice(random);
        Ok(Self(permit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permit(seed: u8) -> ResetPermit {
        let byte = |at: usize| u8::try_from(at).unwrap().wrapping_mul(73).wrapping_add(seed);
        ResetPermit::new(Zeroizing::new(std::array::from_fn(byte)))
    }

    /// PMT-1, and the example in docs/protocol.md.
    #[test]
    fn a_permit_is_written_as_documented() {
        let random = std::array::from_fn(|at| u8::try_from(at).unwrap());
        let permit = ResetPermit::new(Zeroizing::new(random));
        assert_eq!(permit.to_string(), "reset-000G-40R4-0M30-E209-185G-R38E-1XFA-F8AD");
        assert_eq!(
            Digest(*permit.bearer()).to_string(),
            "a19d4b1492a88e7868124cf41a06c2f60c90c8bc94eb3d833000b28d4156f5a7"
        );
    }

    #[test]
    fn a_permit_is_read_however_it_is_typed() {
        let permit = permit(7);
        let text = permit.to_string();
        let spaced = text.replace('-', " ");
        let alike = text.replacen("reset", "RESET", 1).replace('1', "l").replace('0', "o");
        for typed in [text.clone(), text.to_lowercase(), text.replace('-', ""), spaced, alike, format!(" {text}\n")] {
            assert!(ResetPermit::is_meant_by(&typed));
            assert_eq!(typed.parse::<ResetPermit>().unwrap().bearer(), permit.bearer(), "{typed}");
        }
        assert_eq!(format!("{permit:?}"), "ResetPermit(..)");
    }

    /// PMT-1: every letter at every place, typed as every other; and neighbours that changed places.
    #[test]
    fn what_was_mistyped_is_noticed() {
        let text: Vec<char> = permit(3).to_string().chars().collect();
        let read = |text: &[char]| text.iter().collect::<String>().parse::<ResetPermit>();
        for place in (PREFIX.len()..text.len()).filter(|place| text[*place] != '-') {
            for wrong in ALPHABET.iter().map(|it| char::from(*it)).filter(|wrong| *wrong != text[place]) {
                let mut typed = text.clone();
                typed[place] = wrong;
                assert_eq!(read(&typed).unwrap_err(), Mistyped::Check);
            }
        }
        for place in (PREFIX.len() + 2..text.len()).filter(|place| text[*place] != text[*place - 1]) {
            let mut typed = text.clone();
            typed.swap(place, place - 1);
            let is_same = text[place] == '-' || text[place - 1] == '-';
            assert_eq!(read(&typed).is_ok(), is_same, "{place}");
        }
        assert_eq!(read(&text[..text.len() - 1]).unwrap_err(), Mistyped::Length { found: LETTERS - 1 });
        let mut typed = text;
        typed[6] = 'U';
        assert_eq!(read(&typed).unwrap_err(), Mistyped::Letter { place: 1 });
    }

    #[test]
    fn nothing_else_is_a_permit() {
        for text in [
            "",
            "reset",
            "418093",
            "bob",
            "trefoil:bob@host#00",
            "https://host/i/AAAA#bob.00",
            "réset-0000",
            "ab\u{301}",
        ] {
            assert!(text.parse::<ResetPermit>().is_err(), "{text}");
            assert!(!ResetPermit::is_meant_by(text), "{text}");
        }
        // a handle may begin so
        for handle in ["reset-me", "reset-me@service.example.org", "reset-27-more-letters-are-the-mo"] {
            assert!(!ResetPermit::is_meant_by(handle), "{handle}");
        }
    }
}
