//! Whom a group may have as leaves: the one rule, asked by the service, by senders and by receivers.
//!
//! The group context (RFC 9420 §8.1) carries two components of the application data dictionary
//! (draft-ietf-mls-extensions): [`Members`], which names for each account the place in its sigchain that its leaves
//! stand for, and [`Roles`], which says who may let accounts in. A commit is allowed if the leaves after it are what the
//! public record says about those places (GRP-1 to GRP-6 of `docs/protocol.md`).
//!
//! Deterministic (GRP-5): it looks at what the commit names and at proven facts, never at a clock or at "the newest".
//! Not in scope: freshness before sending (SND-1), MLS itself.

use std::collections::{BTreeMap, BTreeSet};

use chain::encoding::{DecodeError, Reader, Writer};
use chain::id::{AccountId, DeviceId, Digest, PublicKey};
use chain::sigchain::device_set::DeviceSet;
use chain::sigchain::entry::SeenCheckpoint;
use thiserror::Error;

use crate::api::delivery::MAX_LEAVES;

/// Version of the components and of the credential.
const VERSION: u8 = 1;

/// A device's leaf, as far as the rule looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leaf {
    /// The account that its credential names.
    pub account: AccountId,
    /// The device that its credential names.
    pub device: DeviceId,
    /// The leaf's signature key.
    pub key: PublicKey,
}

impl Leaf {
    /// Bytes of a credential's identity.
    pub const IDENTITY_LEN: usize = 49;

    /// The identity in a leaf's basic credential (RFC 9420 §5.3): version, account, device.
    pub fn identity(account: &AccountId, device: &DeviceId) -> Vec<u8> {
        let mut w = Writer::new();
        w.u8(VERSION).raw(&account.0).raw(&device.0);
        w.finish()
    }

    /// Reads a leaf from its credential's identity and its signature key.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn read(identity: &[u8], key: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(identity);
        check_version(&mut r, "credential version")?;
        let (account, device) = (AccountId::decode(&mut r, "account")?, DeviceId::decode(&mut r, "device")?);
        r.finish()?;
        let mut r = Reader::new(key);
        let key = PublicKey::decode(&mut r, "leaf key")?;
        r.finish()?;
        Ok(Self { account, device, key })
    }
}

/// The place in an account's sigchain that its leaves stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Standing {
    /// Generation of the account.
    pub generation: u32,
    /// Sequence number of the entry.
    pub sequence: u64,
    /// Hash of the device set after it.
    pub device_set: Digest,
}

impl Standing {
    /// The standing that a device set is.
    pub fn of(set: &DeviceSet) -> Self {
        Self { generation: set.generation(), sequence: set.sequence(), device_set: set.hash() }
    }

    fn place(&self) -> (u32, u64) {
        (self.generation, self.sequence)
    }

    fn encode(&self, w: &mut Writer) {
        w.u32(self.generation).u64(self.sequence).raw(&self.device_set.0);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            generation: r.u32("generation")?,
            sequence: r.u64("sequence")?,
            device_set: Digest::decode(r, "device set")?,
        })
    }
}

/// Component `trefoil.members`: which accounts are in the group, and what their leaves stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members {
    /// A checkpoint of the record that proves all of it.
    pub log: SeenCheckpoint,
    /// By account.
    pub accounts: BTreeMap<AccountId, Standing>,
}

/// What a commit changes in [`Members`] (the payload of its AppDataUpdate).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembersUpdate {
    /// The newer checkpoint.
    pub log: SeenCheckpoint,
    /// Accounts whose standing changes; `None` takes the account out.
    pub changed: BTreeMap<AccountId, Option<Standing>>,
}

impl Members {
    /// Number of the component, from the private range of draft-ietf-mls-extensions §4.6.
    pub const COMPONENT: u16 = 0xff01;

    /// The state after an update.
    #[must_use]
    pub fn updated(&self, update: &MembersUpdate) -> Self {
        let mut accounts = self.accounts.clone();
        for (account, standing) in &update.changed {
            match standing {
                Some(standing) => accounts.insert(*account, *standing),
                None => accounts.remove(account),
            };
        }
        Self { log: update.log, accounts }
    }

    /// The update that leads from this state to another.
    pub fn update_to(&self, later: &Self) -> MembersUpdate {
        let gone = self.accounts.keys().filter(|account| !later.accounts.contains_key(*account));
        let gone = gone.map(|account| (*account, None));
        let new = later.accounts.iter().filter(|(account, standing)| self.accounts.get(*account) != Some(*standing));
        let new = new.map(|(account, standing)| (*account, Some(*standing)));
        MembersUpdate { log: later.log, changed: gone.chain(new).collect() }
    }

    /// The canonical bytes: version u8, log size u64 and root 32, number of accounts u32, and ascending by account:
    /// account 32, generation u32, sequence u64, device-set hash 32.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u8(VERSION).u64(self.log.size).raw(&self.log.root.0).count32(self.accounts.len());
        for (account, standing) in &self.accounts {
            standing.encode(w.raw(&account.0));
        }
        w.finish()
    }

    /// Reads the component.
    ///
    /// # Errors
    /// [`DecodeError`] for anything but the canonical encoding.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        check_version(&mut r, "members version")?;
        let log = decode_log(&mut r)?;
        let mut accounts = BTreeMap::new();
        for _ in 0..r.count32(MAX_LEAVES, 76, "members")? {
            let account = next_account(&mut r, accounts.last_key_value())?;
            accounts.insert(account, Standing::decode(&mut r)?);
        }
        r.finish()?;
        Ok(Self { log, accounts })
    }
}

impl MembersUpdate {
    /// The canonical bytes: as [`Members::encode`], each standing behind a marker, 1 present or 0 taken out.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u8(VERSION).u64(self.log.size).raw(&self.log.root.0).count32(self.changed.len());
        for (account, standing) in &self.changed {
            w.raw(&account.0);
            match standing {
                None => {
                    w.u8(0);
                }
                Some(standing) => standing.encode(w.u8(1)),
            }
        }
        w.finish()
    }

    /// Reads an update.
    ///
    /// # Errors
    /// [`DecodeError`] for anything but the canonical encoding.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        check_version(&mut r, "update version")?;
        let log = decode_log(&mut r)?;
        let mut changed = BTreeMap::new();
        for _ in 0..r.count32(MAX_LEAVES, 33, "changed members")? {
            let account = next_account(&mut r, changed.last_key_value())?;
            let standing = if r.present("standing")? { Some(Standing::decode(&mut r)?) } else { None };
            changed.insert(account, standing);
        }
        r.finish()?;
        Ok(Self { log, changed })
    }
}

/// Component `trefoil.roles`: who may let accounts in and take them out (GRP-3). An update replaces it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Roles {
    /// Accounts that may add and remove accounts, and change the roles.
    pub admins: BTreeSet<AccountId>,
    /// True if every member may add accounts.
    pub open: bool,
}

impl Roles {
    /// Number of the component.
    pub const COMPONENT: u16 = 0xff02;

    /// The canonical bytes: version u8, open u8, number of admins u32, the admins ascending.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u8(VERSION).u8(self.open.into()).count32(self.admins.len());
        for account in &self.admins {
            w.raw(&account.0);
        }
        w.finish()
    }

    /// Reads the component.
    ///
    /// # Errors
    /// [`DecodeError`] for anything but the canonical encoding.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        check_version(&mut r, "roles version")?;
        let open = r.present("open")?;
        let mut admins = BTreeSet::new();
        for _ in 0..r.count32(MAX_LEAVES, 32, "admins")? {
            let last = admins.last().copied();
            admins.insert(next_account(&mut r, last.as_ref().map(|last| (last, &())))?);
        }
        r.finish()?;
        Ok(Self { admins, open })
    }
}

/// A group between two commits, as far as the rule looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composition {
    /// Component `trefoil.members`.
    pub members: Members,
    /// Component `trefoil.roles`.
    pub roles: Roles,
    /// All leaves, in any order.
    pub leaves: Vec<Leaf>,
    /// The epoch.
    pub epoch: u64,
}

impl Composition {
    /// The accounts that have a leaf: all that are named but those that have ended (GRP-1).
    pub fn accounts(&self) -> BTreeSet<AccountId> {
        self.leaves.iter().map(|leaf| leaf.account).collect()
    }
}

/// Who makes a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committer {
    /// A leaf of the group before.
    Member(Leaf),
    /// A device that enters by an external commit (RFC 9420 §12.4.3.2); its new leaf.
    External(Leaf),
}

impl Committer {
    /// Whose device it is.
    pub fn account(&self) -> AccountId {
        match self {
            Self::Member(leaf) | Self::External(leaf) => leaf.account,
        }
    }
}

/// Proven facts of the record. `None` means: not to be had now; stop and try again, never skip (GRP-5).
pub struct Record<'a> {
    /// Root of the log at a size.
    pub root: &'a dyn Fn(u64) -> Option<Digest>,
    /// The device set of an account at a place of its sigchain.
    pub set: &'a dyn Fn(&AccountId, &Standing) -> Option<DeviceSet>,
}

/// Why leaves or a commit are not what the record says.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MembersBroken {
    /// The facts cannot be had now: no verdict.
    #[error("the record of a member is not to be had now")]
    Unavailable {
        /// The account; `None` if it is a root of the log.
        account: Option<AccountId>,
    },
    /// GRP-1: a leaf of no named account, or a device or key twice.
    #[error("a leaf belongs to no member, or a device is there twice (GRP-1)")]
    Leaves,
    /// GRP-1: the leaves of an account are not its devices.
    #[error("the leaves of account {account} are not the devices that the record confirms (GRP-1)")]
    NotConfirmed {
        /// The account.
        account: AccountId,
    },
    /// GRP-1: the named place of the sigchain is another one than the record has.
    #[error("the record of account {account} is not the one that the group names (GRP-1)")]
    OtherRecord {
        /// The account.
        account: AccountId,
    },
    /// GRP-2: a size or sequence falls, or the log is another one.
    #[error("the group goes back in the record (GRP-2)")]
    GoesBack,
    /// GRP-3: who commits may not do that.
    #[error("whoever made this change may not make it (GRP-3)")]
    NotAllowed,
    /// GRP-4: an external commit does more than let one device in.
    #[error("an external commit lets in one device of a member, and nothing else (GRP-4)")]
    External,
    /// More leaves than allowed.
    #[error("a group has at most {MAX_LEAVES} devices")]
    TooMany,
}

impl MembersBroken {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => crate::refusal::UNAVAILABLE,
            Self::TooMany => crate::api::delivery::GROUP_FULL,
            _ => crate::api::delivery::LEAF_NOT_IN_CHAIN,
        }
    }
}

/// GRP-1, in full: the leaves of each account are exactly its devices confirmed at the named place. Asked of a group
/// that one is welcomed to, after a member's commit, and before sending.
///
/// # Errors
/// [`MembersBroken`].
pub fn check_group(group: &Composition, record: &Record<'_>) -> Result<(), MembersBroken> {
    check_form(group, record)?;
    for (account, standing) in &group.members.accounts {
        if devices_at(account, standing, record)? != leaves_of(group, account) {
            return Err(MembersBroken::NotConfirmed { account: *account });
        }
    }
    Ok(())
}

/// GRP-1 at the beginning: a new group has one leaf, a confirmed device of the one account that it names. The account's
/// other devices come in with its first commit, after which [`check_group`] holds.
///
/// # Errors
/// [`MembersBroken`].
pub fn check_creation(group: &Composition, creator: &Leaf, record: &Record<'_>) -> Result<(), MembersBroken> {
    check_form(group, record)?;
    let standing = group.members.accounts.get(&creator.account).ok_or(MembersBroken::Leaves)?;
    if group.epoch != 0 || group.leaves != [*creator] || group.members.accounts.len() != 1 {
        return Err(MembersBroken::Leaves);
    }
    let confirmed = devices_at(&creator.account, standing, record)?.contains(&(creator.device, creator.key));
    if confirmed { Ok(()) } else { Err(MembersBroken::NotConfirmed { account: creator.account }) }
}

/// GRP-1 to GRP-4, for the commit that leads from one composition to the next.
///
/// # Errors
/// [`MembersBroken`].
pub fn check_commit(
    before: &Composition,
    after: &Composition,
    committer: &Committer,
    record: &Record<'_>,
) -> Result<(), MembersBroken> {
    check_forward(before, after)?;
    match committer {
        Committer::Member(leaf) => {
            if !before.leaves.contains(leaf) || !after.leaves.contains(leaf) {
                return Err(MembersBroken::NotAllowed);
            }
            check_roles(before, after, &leaf.account)?;
            check_group(after, record)
        }
        Committer::External(leaf) => check_external(before, after, leaf, record),
    }
}

/// GRP-4, for whoever enters by himself and has not seen how the group came to be: each leaf is, with its key, a device that
/// its account's record has confirmed at some time. Those that were removed since are taken out before anything is sent
/// (SND-1). `was_confirmed`: `None` if the record is not to be had now.
///
/// # Errors
/// [`MembersBroken`].
pub fn check_entered(group: &Composition, was_confirmed: &dyn Fn(&Leaf) -> Option<bool>) -> Result<(), MembersBroken> {
    for leaf in &group.leaves {
        let account = leaf.account;
        if !was_confirmed(leaf).ok_or(MembersBroken::Unavailable { account: Some(account) })? {
            return Err(MembersBroken::NotConfirmed { account });
        }
    }
    Ok(())
}

/// GRP-4: equality may be out of reach, because an external commit cannot add or remove others.
fn check_external(
    before: &Composition,
    after: &Composition,
    new: &Leaf,
    record: &Record<'_>,
) -> Result<(), MembersBroken> {
    check_form(after, record)?;
    let others = |group: &Composition| {
        let others = group.leaves.iter().filter(|leaf| leaf.device != new.device);
        others.copied().collect::<BTreeSet<_>>()
    };
    let is_member = before.members.accounts.contains_key(&new.account);
    if !is_member || others(before) != others(after) || !after.leaves.contains(new) || before.roles != after.roles {
        return Err(MembersBroken::External);
    }
    let other_accounts = |group: &Composition| {
        let mut accounts = group.members.accounts.clone();
        accounts.remove(&new.account);
        accounts
    };
    if other_accounts(before) != other_accounts(after) {
        return Err(MembersBroken::External);
    }
    // that its other leaves were confirmed or were there before follows: they are those of before
    let account = new.account;
    let standing = after.members.accounts.get(&account).ok_or(MembersBroken::External)?;
    if devices_at(&account, standing, record)?.contains(&(new.device, new.key)) {
        Ok(())
    } else {
        Err(MembersBroken::NotConfirmed { account })
    }
}

/// GRP-2: nothing goes back, and accounts stay in their generation or go on.
fn check_forward(before: &Composition, after: &Composition) -> Result<(), MembersBroken> {
    let (from, to) = (before.members.log, after.members.log);
    let same_size_other_root = from.size == to.size && from.root != to.root;
    let falls = |(account, standing): (&AccountId, &Standing)| {
        let later = after.members.accounts.get(account);
        later.is_some_and(|later| {
            later.place() < standing.place() || (later.place() == standing.place() && later != standing)
        })
    };
    if to.size < from.size || same_size_other_root || before.members.accounts.iter().any(falls) {
        return Err(MembersBroken::GoesBack);
    }
    Ok(())
}

/// GRP-3: accounts come and go by an admin, come by every member of an open group, and at the start by its creator.
fn check_roles(before: &Composition, after: &Composition, by: &AccountId) -> Result<(), MembersBroken> {
    if before.epoch == 0 || before.roles.admins.contains(by) {
        return Ok(());
    }
    let (old, new) = (&before.members.accounts, &after.members.accounts);
    let adds = new.keys().any(|account| !old.contains_key(account));
    let removes = old.keys().any(|account| !new.contains_key(account));
    let allowed = before.roles == after.roles && !removes && (!adds || before.roles.open);
    if allowed { Ok(()) } else { Err(MembersBroken::NotAllowed) }
}

/// What holds of every composition: a root that is the log's, members and leaves that fit each other.
fn check_form(group: &Composition, record: &Record<'_>) -> Result<(), MembersBroken> {
    let SeenCheckpoint { size, root } = group.members.log;
    let own = (record.root)(size).ok_or(MembersBroken::Unavailable { account: None })?;
    if own != root {
        return Err(MembersBroken::GoesBack);
    }
    if group.leaves.len() > MAX_LEAVES {
        return Err(MembersBroken::TooMany);
    }
    let devices: BTreeSet<_> = group.leaves.iter().map(|leaf| leaf.device).collect();
    let keys: BTreeSet<_> = group.leaves.iter().map(|leaf| leaf.key).collect();
    let count = group.leaves.len();
    let unique = devices.len() == count && keys.len() == count;
    // a named account without a leaf is one that has ended, or its leaves are not its devices
    let are_named = group.accounts().iter().all(|account| group.members.accounts.contains_key(account));
    if unique && are_named { Ok(()) } else { Err(MembersBroken::Leaves) }
}

fn leaves_of(group: &Composition, account: &AccountId) -> BTreeSet<(DeviceId, PublicKey)> {
    group.leaves.iter().filter(|leaf| leaf.account == *account).map(|leaf| (leaf.device, leaf.key)).collect()
}

/// The devices that count at a place of a sigchain, if the record has that place.
fn devices_at(
    account: &AccountId,
    standing: &Standing,
    record: &Record<'_>,
) -> Result<BTreeSet<(DeviceId, PublicKey)>, MembersBroken> {
    let set = (record.set)(account, standing).ok_or(MembersBroken::Unavailable { account: Some(*account) })?;
    if set.account() != *account || Standing::of(&set) != *standing {
        return Err(MembersBroken::OtherRecord { account: *account });
    }
    Ok(set.confirmed().iter().map(|(device, confirmed)| (*device, confirmed.keys.mls)).collect())
}

fn check_version(r: &mut Reader<'_>, field: &'static str) -> Result<(), DecodeError> {
    match r.u8(field)? {
        VERSION => Ok(()),
        value => Err(DecodeError::Unknown { field, value: value.into() }),
    }
}

fn decode_log(r: &mut Reader<'_>) -> Result<SeenCheckpoint, DecodeError> {
    Ok(SeenCheckpoint { size: r.u64("log size")?, root: Digest::decode(r, "log root")? })
}

fn next_account<V>(r: &mut Reader<'_>, last: Option<(&AccountId, &V)>) -> Result<AccountId, DecodeError> {
    let account = AccountId::decode(r, "account")?;
    match last {
        Some((last, _)) if *last >= account => Err(DecodeError::NotAscending { field: "accounts" }),
        _ => Ok(account),
    }
}

#[cfg(test)]
mod tests;
