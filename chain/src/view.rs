//! What a verifier remembers of the record, and how it moves on: never back, never aside, never on faith.
//!
//! [`View::advance`] takes the old view and a newer checkpoint and gives the new view, or says what is wrong.
//! [`View::account`] and [`View::handle`] check what a service says of somebody against it; only they make the types
//! that may be acted on. Nothing is stored here: what to keep is the caller's, as bytes ([`View::encode`]).
//!
//! Rules CHK-1 to CHK-4 of `docs/protocol.md`. Not in scope: when to look (CHK-5, CHK-6, CHK-8), which is the client's.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::account::ProvenAccount;
use crate::block::{Header, Parameters};
use crate::encoding::{DecodeError, Reader, Writer};
use crate::evidence::{Evidence, Lie, contradicts, log_signed};
use crate::handle::{Handle, HandleError, HandleHead, VrfProof};
use crate::id::{AccountId, Digest, HandleLabel};
use crate::log::checkpoint::{CheckpointError, LogSignedCheckpoint, VerifiedCheckpoint};
use crate::log::merkle;
use crate::log::note::SignedNote;
use crate::log::policy::Policy;
use crate::proven::{
    MAX_NOTE, ProvenGenesis, ProvenHeader, ProvenRecord, Unproven, check_inclusion, check_map, check_record,
    decode_policy,
};
use crate::sigchain::device_set::DeviceSet;
use crate::stamped::{StampedEntry, fold_stamped};

/// A view older than this is refreshed before it is used (CHK-5).
pub const REFRESH_AFTER_S: u64 = 3_600;
/// A view older than this is not used (`chain.stale`).
pub const STALE_AFTER_S: u64 = 86_400;
/// How far clocks may be apart without an alarm.
pub const SKEW_S: u64 = 600;
/// BLK-5: how much later than its quorum a block's time may be.
pub const BLOCK_AHEAD_S: u64 = 300;
/// From this many entries on, a newcomer may start from the record alone.
pub const RECORD_AFTER_ENTRIES: u64 = 64;
/// How many verified roots a view remembers, the newest ones: to recognise those that entries and messages name.
const MAX_SEEN: usize = 1_024;

/// Why a view does not move, or something is not believed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ViewError {
    /// The checkpoint is not signed by the log, or no quorum cosigned it.
    #[error("{0}")]
    Checkpoint(#[from] CheckpointError),
    /// A proof does not hold.
    #[error("{0}")]
    Proof(#[from] Unproven),
    /// Smaller than what this view has seen. A stale cache can do that; a log cannot.
    #[error("the record was at {known} blocks, now {offered} are offered")]
    Rollback {
        /// Size of the view.
        known: u64,
        /// Size that was offered.
        offered: u64,
    },
    /// The newest block is dated later than its witnesses allow (BLK-5).
    #[error("the newest block is dated {ahead_s} s after its witnesses saw it")]
    Ahead {
        /// Seconds after the quorum.
        ahead_s: u64,
    },
    /// Nothing newer than the freshness bound.
    #[error("the newest checkpoint with a quorum is {age_s} s old")]
    Stale {
        /// Seconds since its quorum.
        age_s: u64,
    },
    /// The handle or its proof.
    #[error("{0}")]
    Handle(#[from] HandleError),
    /// A lie, with what proves it.
    #[error("the service contradicts its own signature")]
    Lie {
        /// The stable code: `chain.fork`, `chain.rollback`, or that of the broken rule.
        code: &'static str,
        /// The file to keep.
        evidence: Box<Evidence>,
    },
}

impl ViewError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Checkpoint(reason) => reason.code(),
            Self::Proof(Unproven::Checkpoint(reason)) => reason.code(),
            Self::Proof(_) => "chain.proof_invalid",
            Self::Rollback { .. } => "chain.rollback",
            Self::Ahead { .. } => "chain.time",
            Self::Stale { .. } => "chain.stale",
            Self::Handle(reason) => reason.code(),
            Self::Lie { code, .. } => code,
        }
    }
}

impl From<DecodeError> for ViewError {
    fn from(error: DecodeError) -> Self {
        Self::Proof(Unproven::Malformed(error))
    }
}

/// A newer checkpoint and what leads to it from an older one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEvidence {
    /// The newest header, in the checkpoint.
    pub newest: ProvenHeader,
    /// Consistency proof from the view's size; empty at the first look and if the size is the same. The usual proof from
    /// a power of two cannot show a fork, because it leaves the older root out: who asks again, after
    /// `chain.proof_invalid`, puts the root that the other side names for that size in front.
    pub consistency: Vec<Digest>,
}

/// What the service says of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountEvidence {
    /// Map proof (encoded) of the account's leaf under the view's newest block.
    pub proof: Vec<u8>,
    /// The device-set record.
    pub record: Vec<u8>,
    /// The entries after the state that is already known; all of them at the first look, or none if there are more
    /// than 64.
    pub entries: Vec<StampedEntry>,
}

/// What the service says of a handle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandleEvidence {
    /// VRF proof of the handle's place.
    pub vrf: [u8; VrfProof::LEN],
    /// Map proof (encoded) of the handle's leaf under the view's newest block.
    pub proof: Vec<u8>,
    /// The handle's head (encoded); empty if nobody ever had the handle.
    pub head: Vec<u8>,
}

/// How much a view may be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Younger than an hour.
    Fresh,
    /// Older: to be refreshed, still good if that fails.
    Aging,
    /// Past 24 hours: not to be relied on.
    Stale,
}

/// What a verifier remembers of one log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    policy: Policy,
    parameters: Parameters,
    genesis: ProvenGenesis,
    genesis_in: Vec<u8>,
    newest: ProvenHeader,
    header: Header,
    size: u64,
    root: Digest,
    witnessed_s: u64,
    seen: BTreeMap<u64, Digest>,
}

impl View {
    /// The first look at a log whose policy is pinned (CHK-1, CHK-2).
    ///
    /// # Errors
    /// [`ViewError`].
    pub fn begin(policy: Policy, genesis: ProvenGenesis, newest: ProvenHeader, now_s: u64) -> Result<Self, ViewError> {
        let (checkpoint, header, witnessed_s) = check_newest(&policy, &newest)?;
        let (size, root) = (checkpoint.checkpoint().size, checkpoint.checkpoint().root);
        let parameters = genesis.check(checkpoint.checkpoint())?;
        let seen = BTreeMap::from([(size, root)]);
        let genesis_in = newest.checkpoint.clone();
        let view = Self { policy, parameters, genesis, genesis_in, newest, header, size, root, witnessed_s, seen };
        view.check_age(now_s)?;
        Ok(view)
    }

    /// Moves on to a newer checkpoint, or to the same with newer cosignatures (CHK-2).
    ///
    /// # Errors
    /// [`ViewError`]: this view stays the one to use. A [`ViewError::Lie`] carries what to keep and to show.
    pub fn advance(&self, evidence: &LogEvidence, now_s: u64) -> Result<Self, ViewError> {
        // what the log signed is compared before anything else, so that a fork without a quorum, or with a header that
        // is not in it, is a fork, too
        let signed = log_signed(&evidence.newest.checkpoint, &self.policy)?;
        let (size, root) = (signed.checkpoint().size, signed.checkpoint().root);
        match self.compare(&signed, &evidence.consistency) {
            // who is behind has no proof to offer
            Ok(()) | Err(ViewError::Proof(Unproven::Header { .. })) if size < self.size => {
                return Err(ViewError::Rollback { known: self.size, offered: size });
            }
            compared => compared?,
        }
        let (_, header, witnessed_s) = check_newest(&self.policy, &evidence.newest)?;
        let witnessed_s = witnessed_s.max(self.witnessed_s);
        let mut seen = self.seen.clone();
        seen.insert(size, root);
        while seen.len() > MAX_SEEN {
            seen.pop_first();
        }
        let newest = evidence.newest.clone();
        let view = Self { newest, header, size, root, witnessed_s, seen, ..self.clone() };
        view.check_age(now_s)?;
        Ok(view)
    }

    /// Compares a checkpoint, from the service or from somebody else (CHK-7), with what this view has seen. `path` is
    /// the consistency proof between the two sizes (RFC 6962 §2.1.2), with or without the root of an earlier complete tree in front.
    ///
    /// # Errors
    /// [`ViewError::Lie`] with both checkpoints if they exclude each other; [`ViewError::Proof`] if the path shows
    /// neither that nor the contrary.
    pub fn compare(&self, other: &LogSignedCheckpoint, path: &[Digest]) -> Result<(), ViewError> {
        let it = other.checkpoint();
        if it.origin.as_str() != self.parameters.origin {
            return Err(ViewError::Proof(Unproven::Parameters));
        }
        let note = other.note().to_string().into_bytes();
        if note.len() > MAX_NOTE {
            // no evidence file would hold it
            let (field, length) = ("checkpoint", note.len());
            return Err(DecodeError::Length { field, length, min: 1, max: MAX_NOTE }.into());
        }
        let own = (self.size, self.root);
        let (earlier, later) = if it.size < self.size { ((it.size, it.root), own) } else { (own, (it.size, it.root)) };
        if earlier == later || self.seen.get(&it.size) == Some(&it.root) {
            return Ok(());
        }
        let path = match self.seen.get(&it.size) {
            // the usual proof leaves out the root of a complete earlier tree; here it is known
            Some(root) if it.size < self.size && it.size.is_power_of_two() => {
                &[&[*root], merkle::without_root(it.size, root, path)].concat()
            }
            _ => path,
        };
        let path = merkle::without_root(earlier.0, &earlier.1, path);
        if contradicts(earlier, later, path) {
            let own = self.newest.checkpoint.clone();
            let (earlier, later) = if it.size < self.size { (note, own) } else { (own, note) };
            let lie = Lie::Fork { earlier, later, path: path.to_vec() };
            return Err(self.accuse(lie, Unproven::Header { number: it.size, size: self.size }));
        }
        merkle::verify_consistency(earlier.0, later.0, path, &earlier.1, &later.1)
            .map_err(|_| ViewError::Proof(Unproven::Header { number: earlier.0, size: later.0 }))
    }

    /// Checks what the service says of an account (CHK-3), on top of what is already known of it.
    ///
    /// # Errors
    /// [`ViewError`]; a state that goes back, or entries that do not explain it, are lies with evidence.
    pub fn account(
        &self,
        account: AccountId,
        known: Option<&ProvenAccount>,
        evidence: &AccountEvidence,
    ) -> Result<ProvenAccount, ViewError> {
        let set = check_record(&self.header.new_root, &evidence.proof, &evidence.record)?;
        if set.account() != account {
            return Err(ViewError::Proof(Unproven::Map));
        }
        let (proof, record) = (evidence.proof.clone(), evidence.record.clone());
        let (block, at) = (self.header.number, self.newest.clone());
        let proven = ProvenAccount { set, block, proven: ProvenRecord { at, proof, record } };
        if let Some(known) = known.filter(|known| known.contradicts(&proven)) {
            let (earlier, later) = (Box::new(known.proven.clone()), Box::new(proven.proven));
            return Err(self.accuse(Lie::Rewound { earlier, later }, Unproven::Map));
        }
        let starts_from_record =
            known.is_none() && evidence.entries.is_empty() && proven.set.sequence() >= RECORD_AFTER_ENTRIES;
        if !starts_from_record {
            self.check_entries(known, &proven, &evidence.entries)?;
        }
        Ok(proven)
    }

    /// CHK-3: the new entries, folded, give exactly the state that the map holds.
    fn check_entries(
        &self,
        known: Option<&ProvenAccount>,
        proven: &ProvenAccount,
        entries: &[StampedEntry],
    ) -> Result<(), ViewError> {
        let before = known.map(|known| known.set.clone());
        let in_log = entries.iter().all(|it| it.block < self.size && it.time_s <= self.header.time_s);
        let ordered = entries.is_sorted_by(|a, b| a.block < b.block && a.time_s <= b.time_s);
        if !in_log || !ordered {
            return Err(ViewError::Proof(Unproven::Map));
        }
        let folded = if entries.is_empty() {
            before.clone()
        } else {
            fold_stamped(before, entries, &self.parameters, &|size| self.seen.get(&size).copied()).ok()
        };
        if folded.as_ref() == Some(&proven.set) {
            return Ok(());
        }
        let lie = Lie::Sigchain {
            earlier: known.map(|known| Box::new(known.proven.clone())),
            later: Box::new(proven.proven.clone()),
            genesis: Box::new(self.genesis.clone()),
            genesis_in: self.genesis_in.clone(),
            entries: entries.to_vec(),
        };
        // entries that were left out or swapped on the way prove nothing against the log, only against the answer
        Err(self.accuse(lie, Unproven::Map))
    }

    /// Checks that the record knows no account of this id.
    ///
    /// # Errors
    /// [`ViewError::Proof`].
    pub fn absent(&self, account: AccountId, proof: &[u8]) -> Result<(), ViewError> {
        let value = check_map(&self.header.new_root, DeviceSet::map_key(&account), proof)?;
        if value.is_none() { Ok(()) } else { Err(ViewError::Proof(Unproven::Map)) }
    }

    /// Checks what the service says of a handle (CHK-4): its label, and who holds it or held it last; `None` if nobody
    /// ever did.
    ///
    /// # Errors
    /// [`ViewError`].
    pub fn handle(
        &self,
        handle: &Handle,
        evidence: &HandleEvidence,
    ) -> Result<(HandleLabel, Option<HandleHead>), ViewError> {
        let label = self.parameters.vrf_key.verify(handle, &VrfProof(evidence.vrf))?;
        let value = check_map(&self.header.new_root, Digest(label.0), &evidence.proof)?;
        if evidence.head.is_empty() {
            return if value.is_none() { Ok((label, None)) } else { Err(ViewError::Proof(Unproven::Map)) };
        }
        let mut reader = Reader::new(&evidence.head);
        let head = HandleHead::decode(&mut reader)?;
        reader.finish()?;
        if value == Some(head.value()) { Ok((label, Some(head))) } else { Err(ViewError::Proof(Unproven::Map)) }
    }

    /// How much the view may be relied on at `now_s`. A clock that is a little ahead or behind changes nothing.
    pub fn freshness(&self, now_s: u64) -> Freshness {
        match now_s.saturating_sub(self.witnessed_s) {
            age_s if age_s <= REFRESH_AFTER_S => Freshness::Fresh,
            age_s if age_s <= STALE_AFTER_S.saturating_add(SKEW_S) => Freshness::Aging,
            _ => Freshness::Stale,
        }
    }

    fn check_age(&self, now_s: u64) -> Result<(), ViewError> {
        match self.freshness(now_s) {
            Freshness::Fresh | Freshness::Aging => Ok(()),
            Freshness::Stale => Err(ViewError::Stale { age_s: now_s.saturating_sub(self.witnessed_s) }),
        }
    }

    /// The lie, if anybody else can be shown it; else only the refusal.
    fn accuse(&self, lie: Lie, refusal: Unproven) -> ViewError {
        let evidence = Box::new(Evidence { policy: self.policy.clone(), lie });
        match evidence.check() {
            Ok(finding) => ViewError::Lie { code: finding.code, evidence },
            Err(_) => ViewError::Proof(refusal),
        }
    }

    /// The pinned policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The log's parameters.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Number of blocks.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Root of the log at that size.
    pub fn root(&self) -> Digest {
        self.root
    }

    /// The root of the log at an earlier size, if this view has verified a checkpoint of that size.
    pub fn seen_root(&self, size: u64) -> Option<Digest> {
        self.seen.get(&size).copied()
    }

    /// The newest block's header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// When a quorum had cosigned the newest checkpoint, seconds; without witnesses, the newest block's own time.
    pub fn witnessed_s(&self) -> u64 {
        self.witnessed_s
    }

    /// The newest header with its checkpoint.
    pub fn newest(&self) -> &ProvenHeader {
        &self.newest
    }

    /// The bytes to keep.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u8(1).bytes16(self.policy.to_string().as_bytes());
        self.genesis.encode(&mut w);
        w.bytes16(&self.genesis_in);
        self.newest.encode(&mut w);
        w.u64(self.witnessed_s).count32(self.seen.len());
        self.seen.iter().for_each(|(size, root)| {
            w.u64(*size).raw(&root.0);
        });
        w.finish()
    }

    /// Reads what [`View::encode`] wrote, and checks it as at the first look but for its age.
    ///
    /// # Errors
    /// [`ViewError`]: the kept bytes are damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, ViewError> {
        let mut r = Reader::new(bytes);
        let version = r.u8("view version")?;
        if version != 1 {
            return Err(DecodeError::Unknown { field: "view version", value: version.into() }.into());
        }
        let policy = decode_policy(&mut r)?;
        let genesis = ProvenGenesis::decode(&mut r)?;
        let genesis_in = r.bytes16(1, MAX_NOTE, "checkpoint")?.to_vec();
        let newest = ProvenHeader::decode(&mut r)?;
        let witnessed_s = r.u64("witnessed")?;
        let mut seen = BTreeMap::new();
        for _ in 0..r.count32(MAX_SEEN, 40, "seen roots")? {
            let (size, root) = (r.u64("size")?, Digest::decode(&mut r, "root")?);
            if seen.last_key_value().is_some_and(|(last, _)| *last >= size) {
                return Err(DecodeError::NotAscending { field: "seen roots" }.into());
            }
            seen.insert(size, root);
        }
        r.finish()?;
        let parameters = genesis.check(log_signed(&genesis_in, &policy)?.checkpoint())?;
        let (verified, header, proven_s) = check_newest(&policy, &newest)?;
        let (size, root) = (verified.checkpoint().size, verified.checkpoint().root);
        let own_log = verified.checkpoint().origin.as_str() == parameters.origin;
        if !own_log || witnessed_s < proven_s || seen.last_key_value() != Some((&size, &root)) {
            return Err(ViewError::Proof(Unproven::Parameters));
        }
        Ok(Self { policy, parameters, genesis, genesis_in, newest, header, size, root, witnessed_s, seen })
    }
}

/// CHK-2, for one checkpoint: log signature, quorum, and the newest leaf; with the time at which the quorum was there.
fn check_newest(policy: &Policy, newest: &ProvenHeader) -> Result<(VerifiedCheckpoint, Header, u64), ViewError> {
    let note = SignedNote::parse(&newest.checkpoint).map_err(CheckpointError::from)?;
    let verified = VerifiedCheckpoint::verify(&note, policy)?;
    let checkpoint = verified.checkpoint();
    let header = check_inclusion(checkpoint, &newest.header, &newest.inclusion)?;
    if header.number.checked_add(1) != Some(checkpoint.size) {
        return Err(ViewError::Proof(Unproven::Header { number: header.number, size: checkpoint.size }));
    }
    let times = verified.times();
    let ahead_s = policy.quorum_time_not_after(times).map_or(0, |at_s| header.time_s.saturating_sub(at_s));
    // a quorum vouches for the log up to this time; without witnesses there is only the log's own word
    let witnessed_s = policy.quorum_time_not_before(times).unwrap_or(header.time_s);
    if ahead_s > BLOCK_AHEAD_S {
        return Err(ViewError::Ahead { ahead_s });
    }
    Ok((verified, header, witnessed_s))
}
