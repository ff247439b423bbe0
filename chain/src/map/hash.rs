//! The two hashes of the map. Both inputs are one full block of SHA-256 and a rest that fits the next, so the blocks
//! are laid out here (FIPS 180-4 §5.1.1) and only compressed: a third faster than a hash of any length, and every
//! publication, proof and audit consists of little else.

use sha2::block_api::compress256;

use super::{MapKey, MapValue};
use crate::id::Digest;

/// The state that SHA-256 starts from (FIPS 180-4 §5.3.3).
const START: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// Second block of a leaf: no byte, the end mark, the length of 512 bits.
const LEAF_REST: [u8; 64] = padded([0x80, 0], 512);

/// Second block of an inner node: the bit position (to be filled in), the end mark, the length of 520 bits.
const INNER_REST: [u8; 64] = padded([0, 0x80], 520);

const fn padded(start: [u8; 2], bits: u16) -> [u8; 64] {
    let mut block = [0; 64];
    [block[0], block[1]] = start;
    [block[62], block[63]] = bits.to_be_bytes();
    block
}

/// Hash of a leaf.
pub fn leaf_hash(key: &MapKey, value: &MapValue) -> Digest {
    compressed(&key.0, &value.0, LEAF_REST)
}

/// Hash of an inner node whose keys first differ at bit `p`.
pub fn inner_hash(left: &Digest, right: &Digest, p: u8) -> Digest {
    let mut rest = INNER_REST;
    rest[0] = p;
    compressed(left, right, rest)
}

fn compressed(first: &Digest, second: &Digest, rest: [u8; 64]) -> Digest {
    let mut blocks = [[0; 64], rest];
    let (low, high) = blocks[0].split_at_mut(32);
    low.copy_from_slice(&first.0);
    high.copy_from_slice(&second.0);
    let mut state = START;
    compress256(&mut state, &blocks);
    let mut digest = [0; 32];
    digest.as_chunks_mut().0.iter_mut().zip(state).for_each(|(to, word)| *to = word.to_be_bytes());
    Digest(digest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn both_hashes_are_sha256_of_the_concatenation(left: [u8; 32], right: [u8; 32], p: u8) {
            let leaf = Digest::sha256(&[left, right].concat());
            prop_assert_eq!(leaf_hash(&MapKey(Digest(left)), &MapValue(Digest(right))), leaf);
            let inner = Digest::sha256(&[&left[..], &right, &[p]].concat());
            prop_assert_eq!(inner_hash(&Digest(left), &Digest(right), p), inner);
        }
    }
}
