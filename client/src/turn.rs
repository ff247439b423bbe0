//! One step while it runs: the store, the time, what is remembered between steps, and what comes out.
//!
//! Nothing here waits. A part of the client that lacks something asks for it ([`Turn::ask`]) and gives up; when the
//! answer has been taken in, every part looks again at what is stored and goes as far as it can. So a killed process
//! needs no special care: after a start everything is asked for again.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use chain::id::{AccountId, DeviceId, Digest};
use chain::view::View;
use ed25519_dalek::SigningKey;
use protocol::api::delivery::Delivery;
use protocol::id::GroupId;
use zeroize::Zeroizing;

use crate::accounts::Accounts;
use crate::changes::Subject;
use crate::device::Device;
use crate::error::Error;
use crate::joining::JoiningMemory;
use crate::membership::Settled;
use crate::mls::{Loaded, Mls};
use crate::own::OwnRead;
use crate::pausing::{Pause, Pauses, Reachability};
use crate::step::{Call, Event, IntentId, Output, Request, RequestId};
use crate::store::Store;
use crate::typing::TypingMemory;

/// What an answer is for. Of each there is at most one under way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Purpose {
    /// The first look at the log.
    Genesis,
    /// What the record says of an account.
    Account(AccountId),
    /// Who holds a handle.
    Handle(String),
    /// A root of the log at an earlier size.
    Root(u64),
    /// A challenge, then the token for it.
    Challenge,
    /// The token.
    Token,
    /// First message of a registration.
    SignupStart,
    /// The account with its password.
    Signup,
    /// First message of a log-in.
    LoginStart,
    /// Last message of a log-in.
    LoginFinish,
    /// The reset of an account, which is due.
    Reset,
    /// First message of another password.
    PasswordStart,
    /// The other password.
    Password,
    /// An entry of the own account; by what it is about.
    Entry(Subject),
    /// New key packages.
    KeyPackages,
    /// A key package of somebody's device.
    Claim(AccountId, DeviceId),
    /// Which groups this account has.
    OwnGroups,
    /// A group as the service has it; of an earlier epoch for a Welcome.
    GroupState(GroupId, Option<u64>),
    /// A new group.
    Creation(GroupId),
    /// A commit.
    Commit(GroupId),
    /// A message; by its row.
    Message(i64),
    /// A word in passing.
    Passing(GroupId),
    /// A file; by its intent.
    Transfer(IntentId),
    /// Something for another own device; by the hash of its bytes.
    Relay(Digest),
    /// When the account's devices were last there.
    DevicesSeen,
    /// What the operator is told of somebody.
    Report(AccountId),
    /// What came for this device.
    Feed,
    /// What this device has.
    Ack,
}

impl Purpose {
    /// True for what an attempt to join waits for.
    pub(crate) fn is_joining(&self) -> bool {
        matches!(
            self,
            Self::Genesis
                | Self::Account(_)
                | Self::Handle(_)
                | Self::SignupStart
                | Self::Signup
                | Self::LoginStart
                | Self::LoginFinish
                | Self::Entry(_)
        )
    }
}

/// What is remembered between steps, all of it made again from the store when it is lost.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) view: Option<View>,
    pub(crate) accounts: Accounts,
    pub(crate) in_flight: BTreeMap<Purpose, Flight>,
    /// Groups that were as they should be, and how long that holds.
    pub(crate) settled: BTreeMap<GroupId, Settled>,
    /// What was last asked for to judge a composition, by group.
    pub(crate) lookups: BTreeMap<GroupId, BTreeSet<Purpose>>,
    purposes: BTreeMap<RequestId, Purpose>,
    next_request: RequestId,
    /// Answers to the question for the feed that were whole.
    pub(crate) feeds: u64,
    /// Groups that are behind the service's, and how many of those answers there were when that was seen.
    pub(crate) behind: BTreeMap<GroupId, u64>,
    /// The service was asked since the start which groups this account has.
    pub(crate) knows_groups: bool,
    /// This device was given a token since its start, and was not told since that it is one of two copies.
    pub(crate) has_token: bool,
    /// All that this device shares with the others of its account is on its way, until something changes.
    pub(crate) is_shared: bool,
    /// When a part of old messages came, milliseconds since 1970.
    pub(crate) part_ms: u64,
    /// This device, as its keys were last derived.
    pub(crate) device: RefCell<Option<Device>>,
    /// Only here, never on disk.
    pub(crate) password: Option<Zeroizing<String>>,
    /// Typed on a waiting device; only here, never on disk.
    pub(crate) recovery: Option<SigningKey>,
    pub(crate) joining: JoiningMemory,
    pub(crate) typing: TypingMemory,
    pub(crate) reachability: Reachability,
    pub(crate) pauses: Pauses,
    /// Accounts of which somebody names a newer place than is shown, and when they are looked at again.
    pub(crate) further: BTreeMap<AccountId, Pause>,
}

impl Memory {
    /// Forgets all of it but the numbers of requests: what is under way is answered to nobody.
    pub(crate) fn forget(&mut self) {
        *self = Self { next_request: self.next_request, ..Self::default() };
    }
}

/// A request that is under way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flight {
    /// Size of the view when it was sent.
    pub(crate) view_size: u64,
    /// What it asks for has changed since then: the answer may be of before.
    pub(crate) is_overtaken: bool,
}

/// One step while it runs.
pub(crate) struct Turn<'a> {
    pub(crate) store: Store<'a>,
    pub(crate) own_read: OwnRead,
    pub(crate) now_ms: u64,
    pub(crate) memory: &'a mut Memory,
    pub(crate) loaded: &'a Loaded,
    pub(crate) out: &'a mut Output,
    /// What the answer that came in is for.
    pub(crate) answering: Option<Purpose>,
    /// What came from other own devices, to be processed in this very step.
    pub(crate) arrived: Vec<Delivery>,
}

impl<'a> Turn<'a> {
    /// The groups of this device.
    pub(crate) fn mls<'d>(&self, device: &'d Device) -> Mls<'d>
    where
        'a: 'd,
    {
        Mls::new(self.store, device, self.loaded)
    }

    /// The time in seconds.
    pub(crate) fn now_s(&self) -> u64 {
        self.now_ms / 1_000
    }

    /// Asks, unless the same is under way already or the service is not to be asked yet.
    pub(crate) fn ask(&mut self, purpose: Purpose, call: Call) {
        if !self.may_ask(&purpose) {
            return;
        }
        let id = self.take_off(purpose);
        self.out.requests.push(Request { id, call });
    }

    /// From now on this is under way, by this number.
    pub(crate) fn take_off(&mut self, purpose: Purpose) -> RequestId {
        let id = self.memory.next_request;
        self.memory.next_request = id.wrapping_add(1);
        let view_size = self.memory.view.as_ref().map_or(0, View::size);
        self.memory.in_flight.insert(purpose.clone(), Flight { view_size, is_overtaken: false });
        self.memory.purposes.insert(id, purpose);
        id
    }

    /// What is asked has changed. A question that has not left yet is answered as things are then.
    pub(crate) fn overtake(&mut self, purpose: &Purpose) {
        let is_unsent = self.out.requests.iter().any(|it| self.memory.purposes.get(&it.id) == Some(purpose));
        if !is_unsent && let Some(flight) = self.memory.in_flight.get_mut(purpose) {
            flight.is_overtaken = true;
        }
    }

    /// True if this is not under way and the service is to be asked now.
    pub(crate) fn may_ask(&mut self, purpose: &Purpose) -> bool {
        !self.memory.in_flight.contains_key(purpose) && !self.is_too_early(purpose)
    }

    /// What an answer is for, and how it was sent; `None` for answers to a client before a restart.
    pub(crate) fn take_flight(&mut self, id: RequestId) -> Option<(Purpose, Flight)> {
        let purpose = self.memory.purposes.remove(&id)?;
        let flight = self.memory.in_flight.remove(&purpose)?;
        self.memory.lookups.retain(|_, lookups| {
            lookups.remove(&purpose);
            !lookups.is_empty()
        });
        Some((purpose, flight))
    }

    /// Shows something after the commit.
    pub(crate) fn event(&mut self, event: Event) {
        self.out.events.push(event);
    }

    /// Comes back at this time, or before.
    pub(crate) fn wake(&mut self, at_ms: u64) {
        let earliest = self.out.wake_at_ms.map_or(at_ms, |earlier| earlier.min(at_ms));
        self.out.wake_at_ms = Some(earliest);
    }
}

/// A GET.
pub(crate) fn get(path: impl Into<String>) -> Call {
    Call { path: path.into(), body: None, bearer: None }
}

/// A POST of JSON.
pub(crate) fn post<T: serde::Serialize>(path: impl Into<String>, body: &T) -> Result<Call, Error> {
    let body = serde_json::to_vec(body).map_err(|_| Error::Fault("a body that is no JSON"))?;
    Ok(Call { path: path.into(), body: Some(body), bearer: None })
}

/// A POST of raw bytes.
pub(crate) fn post_bytes(path: impl Into<String>, body: Vec<u8>) -> Call {
    Call { path: path.into(), body: Some(body), bearer: None }
}
