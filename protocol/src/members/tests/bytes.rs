//! The credential and the two components: one encoding each, and updates that lead where they should.

use chain::encoding::DecodeError;

use super::*;

fn standing(byte: u8) -> Standing {
    Standing { generation: 1, sequence: byte.into(), device_set: Digest([byte; 32]) }
}

fn members(accounts: &[u8]) -> Members {
    let accounts = accounts.iter().map(|byte| (AccountId([*byte; 32]), standing(*byte))).collect();
    Members { log: SeenCheckpoint { size: 7, root: Digest([8; 32]) }, accounts }
}

fn update() -> MembersUpdate {
    let mut later = members(&[1, 3, 4]);
    later.log = SeenCheckpoint { size: 9, root: Digest([9; 32]) };
    later.accounts.insert(AccountId([1; 32]), standing(5));
    members(&[1, 2, 3]).update_to(&later)
}

#[test]
fn components_are_read_as_they_were_written() {
    for accounts in [&[][..], &[1], &[1, 2, 3]] {
        let members = members(accounts);
        assert_eq!(Members::decode(&members.encode()), Ok(members.clone()));
        assert_eq!(members.encode().len(), 45 + 76 * accounts.len());
        let roles = Roles { admins: members.accounts.keys().copied().collect(), open: accounts.len() == 1 };
        assert_eq!(Roles::decode(&roles.encode()), Ok(roles));
    }
    assert_eq!(MembersUpdate::decode(&update().encode()), Ok(update()));
}

/// An update carries only the accounts that change, and leads to the later state.
#[test]
fn an_update_leads_from_one_state_to_the_next() {
    let before = members(&[1, 2, 3]);
    let update = update();
    let changed: Vec<_> = update.changed.iter().map(|(account, standing)| (account.0[0], standing.is_some())).collect();
    assert_eq!(changed, [(1, true), (2, false), (4, true)]);
    let after = before.updated(&update);
    assert_eq!(before.update_to(&after), update);
    assert_eq!(after.accounts.keys().map(|account| account.0[0]).collect::<Vec<_>>(), [1, 3, 4]);
    assert_eq!(after.log.size, 9);
    assert!(before.update_to(&before).changed.is_empty());
    let absent = MembersUpdate { changed: [(AccountId([7; 32]), None)].into(), ..update };
    assert_eq!(members(&[1]).updated(&absent).accounts, members(&[1]).accounts);
}

#[test]
fn a_credential_is_read_as_it_was_written() {
    let device = Device::new(1);
    let account = AccountId([1; 32]);
    let identity = Leaf::identity(&account, &device.id());
    assert_eq!(identity.len(), Leaf::IDENTITY_LEN);
    assert_eq!(Leaf::read(&identity, device.keys().mls.as_bytes()), Ok(leaf(account, &device)));
    let key = *device.keys().mls.as_bytes();
    let version = [&[2], &identity[1..]].concat();
    for other in [&version[..], &identity[1..], &[&identity[..], &[0]].concat(), &[]] {
        assert!(Leaf::read(other, &key).is_err());
    }
    for other in [&key[1..], &[&key[..], &[0]].concat(), &[0; 32], &[]] {
        assert!(Leaf::read(&identity, other).is_err());
    }
}

/// Why bytes are refused.
type Refusal = fn(&[u8]) -> Option<DecodeError>;

#[test]
fn another_version_order_or_length_is_refused() {
    let encodings = [members(&[1, 2]).encode(), update().encode(), roles().encode()];
    let decoders: [Refusal; 3] = [
        |bytes| Members::decode(bytes).err(),
        |bytes| MembersUpdate::decode(bytes).err(),
        |bytes| Roles::decode(bytes).err(),
    ];
    for (bytes, refused) in encodings.iter().zip(decoders) {
        assert_eq!(refused(bytes), None);
        assert!((0..bytes.len()).all(|end| refused(&bytes[..end]).is_some()));
        assert!(matches!(refused(&[&bytes[..], &[0]].concat()), Some(DecodeError::TrailingBytes { .. })));
        assert!(matches!(refused(&[&[2], &bytes[1..]].concat()), Some(DecodeError::Unknown { .. })));
    }
}

fn roles() -> Roles {
    Roles { admins: [AccountId([1; 32]), AccountId([2; 32])].into(), open: false }
}

#[test]
fn accounts_ascend_strictly() {
    let swapped = |mut bytes: Vec<u8>, first: usize, length: usize| {
        let (_, list) = bytes.split_at_mut(first);
        let (one, rest) = list.split_at_mut(length);
        one.swap_with_slice(&mut rest[..length]);
        bytes
    };
    let doubled = |mut bytes: Vec<u8>, first: usize, length: usize| {
        bytes.copy_within(first..first + length, first + length);
        bytes
    };
    let not_ascending = |error| assert!(matches!(error, Some(DecodeError::NotAscending { .. })), "{error:?}");
    let (members, roles) = (members(&[1, 2]).encode(), roles().encode());
    not_ascending(Members::decode(&swapped(members.clone(), 45, 76)).err());
    not_ascending(Members::decode(&doubled(members, 45, 76)).err());
    not_ascending(Roles::decode(&swapped(roles.clone(), 6, 32)).err());
    not_ascending(Roles::decode(&doubled(roles, 6, 32)).err());
    let two = MembersUpdate { changed: [1, 2].map(|byte| (AccountId([byte; 32]), None)).into(), ..update() };
    not_ascending(MembersUpdate::decode(&swapped(two.encode(), 45, 33)).err());
}

/// Attack 27.
#[test]
fn a_marker_has_two_values_and_a_count_is_true() {
    let mut bytes = roles().encode();
    bytes[1] = 2;
    assert!(Roles::decode(&bytes).is_err());
    let mut bytes = MembersUpdate { changed: [(AccountId([1; 32]), None)].into(), ..update() }.encode();
    *bytes.last_mut().unwrap() = 2;
    assert!(MembersUpdate::decode(&bytes).is_err());
    let mut bytes = members(&[]).encode();
    bytes[41..].fill(0xff);
    assert!(matches!(Members::decode(&bytes), Err(DecodeError::Length { .. })));
    bytes[41..].copy_from_slice(&100_u32.to_be_bytes());
    assert!(matches!(Members::decode(&bytes), Err(DecodeError::Truncated { .. })));
}
