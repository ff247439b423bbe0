//! `members`, `members-update`, `roles`, `credential`: what a group's context and its leaves carry (§17).

use std::collections::BTreeMap;

use chain::id::{AccountId, DeviceKeys, Digest};
use chain::sigchain::entry::SeenCheckpoint;
use protocol::members::{Leaf, Members, MembersUpdate, Roles, Standing};

use crate::case::{Fields, Verdict, check};
use crate::{key, malformed, ok, read};

const RULE: &str = "GRP-1";

fn log(size: u64) -> SeenCheckpoint {
    SeenCheckpoint { size, root: Digest::sha256(&size.to_be_bytes()) }
}

fn account(byte: u8) -> AccountId {
    AccountId([byte; 32])
}

fn standing(sequence: u64) -> Standing {
    Standing { generation: 1, sequence, device_set: Digest::sha256(&sequence.to_be_bytes()) }
}

fn members(accounts: &[(u8, u64)]) -> Members {
    let accounts = accounts.iter().map(|(byte, sequence)| (account(*byte), standing(*sequence))).collect();
    Members { log: log(7), accounts }
}

/// The bytes with one of them changed.
fn bent(mut bytes: Vec<u8>, at: usize, to: u8) -> Vec<u8> {
    bytes[at] = to;
    bytes
}

/// Two items of a list, the other way round.
fn swapped(mut bytes: Vec<u8>, first: usize, length: usize) -> Vec<u8> {
    let (one, two) = bytes[first..].split_at_mut(length);
    one.swap_with_slice(&mut two[..length]);
    bytes
}

fn longer(bytes: Vec<u8>) -> Vec<u8> {
    [bytes, vec![0]].concat()
}

#[test]
fn members_component() {
    let fields = |members: &Members| {
        let by_account = |fields: Fields, (account, standing): (&AccountId, &Standing)| {
            let fields = fields.with("account", account.0).with("generation", standing.generation.to_be_bytes());
            fields.with_number("sequence", standing.sequence).with("device-set-hash", standing.device_set.0)
        };
        let fields = Fields::default().with("members", members.encode());
        let fields = fields.with_number("log-size", members.log.size).with("log-root", members.log.root.0);
        members.accounts.iter().fold(fields, by_account)
    };
    let only = |bytes: Vec<u8>| Fields::default().with("members", bytes);
    let two = || members(&[(1, 3), (2, 0)]).encode();
    let bad = |name, what, bytes| malformed(name, RULE, what, only(bytes));
    let cases = [
        ok("one", "a group of one account", fields(&members(&[(1, 0)]))),
        ok("two", "a group of two accounts", fields(&members(&[(1, 3), (2, 0)]))),
        bad("not-ascending", "the accounts do not ascend", swapped(two(), 45, 76)),
        bad("version", "another version", bent(two(), 0, 2)),
        bad("one-byte-more", "a byte follows", longer(two())),
        bad("one-account-fewer", "the number of accounts is too large", bent(two(), 44, 3)),
    ];
    let judge = |fields: &Fields| -> Verdict {
        let members = read(Members::decode(fields.get("members")), RULE)?;
        assert_eq!((members.log.size, &members.log.root.0[..]), (fields.number("log-size"), fields.get("log-root")));
        let named = members.accounts.iter().flat_map(|(account, standing)| {
            let Standing { generation, sequence, device_set } = standing;
            [&account.0[..], &generation.to_be_bytes(), &sequence.to_be_bytes(), &device_set.0].map(<[u8]>::to_vec)
        });
        let lists = ["account", "generation", "sequence", "device-set-hash"].map(|name| fields.all(name));
        let mut lists = lists.map(|list| list.map(<[u8]>::to_vec));
        for (at, value) in named.enumerate() {
            assert_eq!(lists[at % 4].next(), Some(value));
        }
        assert!(lists.iter_mut().all(|list| list.next().is_none()));
        Ok(())
    };
    assert_eq!(check("members", &cases, judge), 6);
}

#[test]
fn update_of_the_members() {
    let before = members(&[(1, 3), (2, 0), (3, 5)]);
    let after = Members { log: log(9), ..members(&[(1, 4), (3, 5), (4, 1)]) };
    let update = before.update_to(&after);
    let later = Members { log: log(9), ..before.clone() };
    let with = |before: &Members, update: Vec<u8>, after: &Members| {
        let fields = Fields::default().with("before", before.encode()).with("update", update);
        fields.with("after", after.encode())
    };
    let out = |bytes: [u8; 2]| {
        let changed: BTreeMap<_, _> = bytes.map(|byte| (account(byte), None)).into();
        MembersUpdate { log: log(9), changed }.encode()
    };
    let bad = |name, what, bytes| malformed(name, RULE, what, with(&before, bytes, &before));
    let cases = [
        ok("changed", "one account goes on, one goes, one comes, one stays", with(&before, update.encode(), &after)),
        ok("log-only", "the log alone is a newer one", with(&before, before.update_to(&later).encode(), &later)),
        bad("not-ascending", "the accounts do not ascend", swapped(out([1, 2]), 45, 33)),
        bad("marker", "a marker that is neither 0 nor 1", bent(out([1, 2]), 77, 2)),
        bad("one-byte-more", "a byte follows", longer(update.encode())),
    ];
    let judge = |fields: &Fields| -> Verdict {
        let update = read(MembersUpdate::decode(fields.get("update")), RULE)?;
        let [before, after] = ["before", "after"].map(|name| Members::decode(fields.get(name)).unwrap());
        assert_eq!(before.updated(&update), after);
        assert_eq!(before.update_to(&after), update);
        Ok(())
    };
    assert_eq!(check("members-update", &cases, judge), 5);
}

#[test]
fn roles_component() {
    let roles = |admins: &[u8], open| Roles { admins: admins.iter().map(|byte| account(*byte)).collect(), open };
    let fields = |roles: &Roles| {
        let fields = Fields::default().with("roles", roles.encode()).with("open", [u8::from(roles.open)]);
        fields.with_all("admin", roles.admins.iter().map(|admin| admin.0))
    };
    let bad = |name, what, bytes: Vec<u8>| malformed(name, "GRP-3", what, Fields::default().with("roles", bytes));
    let two = || roles(&[1, 2], false).encode();
    let cases = [
        ok("one-admin", "a group with one admin", fields(&roles(&[1], false))),
        ok("open", "an open group with two admins", fields(&roles(&[1, 2], true))),
        ok("nobody", "a group without admins", fields(&roles(&[], false))),
        bad("not-ascending", "the admins do not ascend", swapped(two(), 6, 32)),
        bad("open-and-shut", "an option that is neither 0 nor 1", bent(two(), 1, 2)),
        bad("version", "another version", bent(two(), 0, 0)),
    ];
    let judge = |fields: &Fields| -> Verdict {
        let roles = read(Roles::decode(fields.get("roles")), "GRP-3")?;
        assert_eq!(fields.get("open"), [u8::from(roles.open)]);
        assert!(roles.admins.iter().map(|admin| &admin.0[..]).eq(fields.all("admin")));
        Ok(())
    };
    assert_eq!(check("roles", &cases, judge), 6);
}

#[test]
fn credential() {
    let keys = DeviceKeys { chain: key(1).1, mls: key(2).1 };
    let identity = Leaf::identity(&account(1), &keys.id());
    let fields = |identity: &[u8], key: &[u8]| Fields::default().with("identity", identity).with("leaf-key", key);
    let good = fields(&identity, keys.mls.as_bytes()).with("account", account(1).0).with("device-id", keys.id().0);
    let bad = |name, what, identity: &[u8], key: &[u8]| malformed(name, RULE, what, fields(identity, key));
    let mls = keys.mls.as_bytes();
    let cases = [
        ok("credential", "the identity and signature key of a leaf, and what they name", good),
        bad("version", "another version", &bent(identity.clone(), 0, 2), mls),
        bad("one-byte-more", "a byte follows", &longer(identity.clone()), mls),
        bad("key-of-small-order", "the key is no key", &identity, &[0; 32]),
    ];
    let judge = |fields: &Fields| -> Verdict {
        let leaf = read(Leaf::read(fields.get("identity"), fields.get("leaf-key")), RULE)?;
        assert_eq!((leaf.account.0, leaf.device.0), (fields.array("account"), fields.array("device-id")));
        Ok(())
    };
    assert_eq!(check("credential", &cases, judge), 4);
}
