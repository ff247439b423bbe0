//! The sixty digits that two people compare who want to be sure of each other's accounts.
//!
//! They follow from the two account ids and the log's origin alone: the same on both sides, unchanged when a device
//! comes or goes, another after a reset, because a successor is another account. A match says: each of us has the
//! other's true account id, and the public record says the rest.

use chain::id::AccountId;
use sha2::{Digest as _, Sha512};

use crate::label::{self, labelled};

/// Groups of five digits in a code.
const GROUPS: usize = 12;

/// A code; [`std::fmt::Display`] writes it in groups.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VerificationCode([u32; GROUPS]);

impl VerificationCode {
    /// The code of two accounts at the service of `origin`, in either order: SHA-512 over label, origin behind its
    /// length (1 byte), smaller id, larger id; of each of the first twelve times five bytes, as a big-endian number, the
    /// remainder by 100,000.
    pub fn of(origin: &str, one: &AccountId, other: &AccountId) -> Self {
        let (smaller, larger) = if one <= other { (one, other) } else { (other, one) };
        let length = [u8::try_from(origin.len()).unwrap_or(u8::MAX)];
        let parts: [&[u8]; 4] = [&length, origin.as_bytes(), &smaller.0, &larger.0];
        let hash = Sha512::digest(labelled(label::VERIFICATION_CODE, &parts));
        let mut groups = [0; GROUPS];
        for (group, chunk) in groups.iter_mut().zip(hash.as_chunks::<5>().0) {
            let number = chunk.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
            *group = u32::try_from(number % 100_000).unwrap_or_default();
        }
        Self(groups)
    }
}

impl std::fmt::Display for VerificationCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (place, group) in self.0.iter().enumerate() {
            let space = if place == 0 { "" } else { " " };
            write!(f, "{space}{group:05}")?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for VerificationCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VerificationCode(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: AccountId = AccountId([0xa1; 32]);
    const BOB: AccountId = AccountId([0xb0; 32]);

    #[test]
    fn both_sides_read_the_same_sixty_digits() {
        let code = VerificationCode::of("trefoil.example/log", &ALICE, &BOB);
        assert_eq!(code, VerificationCode::of("trefoil.example/log", &BOB, &ALICE));
        let text = code.to_string();
        assert_eq!(text.split(' ').map(str::len).collect::<Vec<_>>(), [5; GROUPS]);
        assert!(text.bytes().all(|byte| byte == b' ' || byte.is_ascii_digit()));
    }

    #[test]
    fn another_account_or_another_service_gives_another_code() {
        let code = VerificationCode::of("trefoil.example/log", &ALICE, &BOB);
        let carol = AccountId([0xc0; 32]);
        assert_ne!(code, VerificationCode::of("trefoil.example/log", &ALICE, &carol));
        assert_ne!(code, VerificationCode::of("trefoil.example/lo", &ALICE, &BOB));
    }
}
