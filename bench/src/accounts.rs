//! The made-up accounts that both maps hold: a label and 64 bytes.

use chain::id::Digest;

/// Bytes of a value.
pub const VALUE_LEN: usize = 64;

/// A label and its value.
pub type Account = (String, [u8; VALUE_LEN]);

/// Label of account `number`: `acct:` and 16 hexadecimal digits that look like chance.
pub fn label(number: usize) -> String {
    let digest = Digest::sha256(&number.to_be_bytes()).to_string();
    format!("acct:{}", &digest[..16])
}

/// What account `number` holds after its `version`th update.
pub fn value(number: usize, version: usize) -> [u8; VALUE_LEN] {
    let half = |side: u8| Digest::sha256(&[&number.to_be_bytes()[..], &version.to_be_bytes(), &[side]].concat()).0;
    let mut value = [0; VALUE_LEN];
    value[..32].copy_from_slice(&half(0));
    value[32..].copy_from_slice(&half(1));
    value
}

/// The accounts with these numbers, all at the same version.
pub fn accounts(numbers: impl Iterator<Item = usize>, version: usize) -> Vec<Account> {
    numbers.map(|number| (label(number), value(number, version))).collect()
}
