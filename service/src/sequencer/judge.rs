//! Judging entries against the records: the same for a caller's first look and for the sequencer.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use chain::audit::{Before, Effects, judge_entries};
use chain::handle::HandleHead;
use chain::id::{AccountId, Digest, HandleLabel, PublicKey, SignatureBytes};
use chain::map::{MapKey, MapValue};
use chain::sigchain::device_set::DeviceSet;
use chain::sigchain::entry::{Claim, Entry, Role, Signatures};
use chain::sigchain::fold::Ground;

use crate::disk::store::Store;
use crate::error::{Corrupt, Stopped};
use crate::http::refusal::Refusal;
use crate::record::Record;

/// The state before a block, read once and remembered, so that the second look reads what the first one read.
pub(crate) struct Reads<'a> {
    store: &'a Store,
    /// Set by the sequencer, for whom store and map are in step: every record is compared with the map.
    map: Option<&'a Record>,
    accounts: RefCell<BTreeMap<AccountId, Option<DeviceSet>>>,
    handles: RefCell<BTreeMap<HandleLabel, Option<HandleHead>>>,
    failed: RefCell<Option<Stopped>>,
}

/// The state before a block, as far as the block touches it.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    pub(crate) accounts: BTreeMap<AccountId, Option<DeviceSet>>,
    pub(crate) handles: BTreeMap<HandleLabel, Option<HandleHead>>,
}

impl<'a> Reads<'a> {
    /// Reads from `store`; with a `map` every record is compared with it (attack 24).
    pub(crate) fn new(store: &'a Store, map: Option<&'a Record>) -> Self {
        Self { store, map, accounts: RefCell::default(), handles: RefCell::default(), failed: RefCell::default() }
    }

    /// An account's state.
    pub(crate) fn account(&self, account: &AccountId) -> Option<DeviceSet> {
        if let Some(known) = self.accounts.borrow().get(account) {
            return known.clone();
        }
        let key = MapKey(DeviceSet::map_key(account));
        let value = |set: &DeviceSet| MapValue(set.map_value());
        let set = self.checked(self.store.account(account), &key, value, || format!("account {account}"));
        self.accounts.borrow_mut().insert(*account, set.clone());
        set
    }

    /// A handle's state.
    pub(crate) fn handle(&self, label: &HandleLabel) -> Option<HandleHead> {
        if let Some(known) = self.handles.borrow().get(label) {
            return *known;
        }
        let key = MapKey(Digest(label.0));
        let value = |head: &HandleHead| MapValue(head.value());
        let head = self.checked(self.store.handle(label), &key, value, || format!("handle {label}"));
        self.handles.borrow_mut().insert(*label, head);
        head
    }

    fn checked<T>(
        &self,
        read: Result<Option<T>, Stopped>,
        key: &MapKey,
        value: impl Fn(&T) -> MapValue,
        what: impl FnOnce() -> String,
    ) -> Option<T> {
        let found = match read {
            Ok(found) => found,
            Err(error) => {
                self.failed.borrow_mut().get_or_insert(error);
                return None;
            }
        };
        if self.map.is_some_and(|map| map.value(key) != found.as_ref().map(&value)) {
            self.failed.borrow_mut().get_or_insert(Corrupt::Record { what: what() }.into());
            return None;
        }
        found
    }

    /// What was read.
    pub(crate) fn remembered(self) -> Remembered {
        Remembered { accounts: self.accounts.into_inner(), handles: self.handles.into_inner() }
    }

    /// The first thing that could not be read, or was not what the map says.
    pub(crate) fn finish(&self) -> Result<(), Stopped> {
        self.failed.borrow_mut().take().map_or(Ok(()), Err)
    }
}

/// Judges the entries of one unit, ascending by account, and hands out what has to be signed for them to be valid.
pub(crate) fn judge_unit(
    entries: &[Entry],
    reads: &Reads<'_>,
    ground: &Ground<'_>,
) -> Result<(Effects, Vec<Claim>), Refusal> {
    let (account, handle) = (|id: &AccountId| reads.account(id), |label: &HandleLabel| reads.handle(label));
    let before = Before { account: &account, handle: &handle };
    let mut claims = Vec::new();
    let judged = judge_entries(entries, &before, ground, &mut Signatures::Collect(&mut claims));
    reads.finish()?;
    Ok((judged?, claims))
}

/// Claims that were checked by whoever read them from the network, and the service's own signatures.
#[derive(Debug, Default)]
pub(crate) struct CheckedClaims(HashMap<(PublicKey, SignatureBytes), Claim>);

impl CheckedClaims {
    /// Remembers claims that hold.
    pub(crate) fn add(&mut self, claims: Vec<Claim>) {
        self.0.extend(claims.into_iter().map(|claim| ((claim.key, claim.signature), claim)));
    }

    /// True if all of these were checked.
    pub(crate) fn contain_all(&self, claims: &[Claim]) -> bool {
        claims.iter().all(|claim| self.0.get(&(claim.key, claim.signature)) == Some(claim))
    }
}

/// What the service itself has just signed in an entry: the one claim that need not be checked.
pub(crate) fn own_claim(entry: &Entry, origin: &str, key: PublicKey) -> Option<Claim> {
    let (_, signature) = entry.signatures().find(|(role, _)| *role == Role::Service)?;
    let message = entry.statement.signed_bytes(Role::Service, origin)?;
    Some(Claim { key, message, signature: *signature })
}
