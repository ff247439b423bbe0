//! One block with everything that is needed to judge it alone: no replay, no map, no trust.
//!
//! The header before, block 0, the states that the block touches (each proven under the map root before it), and the
//! log roots that its entries name (each proven consistent with the checkpoint). What is missing can only make the
//! verdict milder, never harsher: nobody can accuse a log by leaving something out.

use std::cell::Cell;
use std::collections::BTreeMap;

use crate::audit::{Before, BlockBroken, judge_block, judge_genesis};
use crate::block::{Body, Header, MAX_BODY, MAX_CHANGES, MAX_ENTRIES, body_hash};
use crate::encoding::{DecodeError, Reader, Writer};
use crate::evidence::decode_header;
use crate::handle::HandleHead;
use crate::id::{AccountId, Digest, HandleLabel};
use crate::log::checkpoint::LogSignedCheckpoint;
use crate::log::merkle;
use crate::log::policy::Policy;
use crate::map::TransitionProof;
use crate::map::transition::MAX_TRANSITION_LEN;
use crate::proven::{
    MAX_RECORD, ProvenGenesis, ProvenHeader, Unproven, check_inclusion, check_map, check_record, decode_path,
    encode_path,
};
use crate::sigchain::device_set::DeviceSet;
use crate::sigchain::entry::Signatures;
use crate::sigchain::fold::Ground;

/// The state of one key of the map before the block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateBefore<Key> {
    /// Whose state.
    pub key: Key,
    /// Map proof (encoded) under the map root before the block.
    pub proof: Vec<u8>,
    /// The record or head; empty if there is none.
    pub state: Vec<u8>,
}

/// A log root that an entry of the block could name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootBefore {
    /// Size of the log.
    pub size: u64,
    /// Its root at that size.
    pub root: Digest,
    /// Consistency proof to the checkpoint.
    pub path: Vec<Digest>,
}

/// A block, ready to be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedBlock {
    /// Its header, in a checkpoint that the log signed.
    pub at: ProvenHeader,
    /// The header before it; empty for block 0.
    pub previous: Vec<u8>,
    /// Inclusion proof of the header before it, in the same checkpoint.
    pub previous_inclusion: Vec<Digest>,
    /// Block 0, in the same checkpoint.
    pub genesis: ProvenGenesis,
    /// Its body.
    pub body: Vec<u8>,
    /// Accounts that it touches.
    pub accounts: Vec<StateBefore<AccountId>>,
    /// Handles that it touches.
    pub handles: Vec<StateBefore<HandleLabel>>,
    /// Roots that its entries name.
    pub roots: Vec<RootBefore>,
    /// The transition of the map (encoded); empty if the new root is not what is wrong.
    pub transition: Vec<u8>,
}

impl SealedBlock {
    /// Judges the block: the rule that it breaks, or `None` if it breaks none that this shows.
    ///
    /// # Errors
    /// [`Unproven`]: a part is not what the log signed, so nothing can be said of the log.
    pub fn check(&self, policy: &Policy) -> Result<(LogSignedCheckpoint, Option<BlockBroken>), Unproven> {
        let (signed, header) = self.at.check(policy)?;
        let checkpoint = signed.checkpoint();
        // another body than the header names is the accuser's doing: the log signed no body
        if body_hash(&self.body) != header.body_hash {
            return Err(Unproven::Body);
        }
        if header.number == 0 {
            let broken = judge_genesis(&header, &self.body).err();
            return Ok((signed, broken));
        }
        let parameters = self.genesis.check(checkpoint)?;
        let previous = check_inclusion(checkpoint, &self.previous, &self.previous_inclusion)?;
        if previous.number.checked_add(1) != Some(header.number) {
            return Err(Unproven::Header { number: previous.number, size: checkpoint.size });
        }
        let accounts = self.accounts_before(&previous.new_root)?;
        let handles = self.handles_before(&previous.new_root)?;
        let roots = self.roots_before(checkpoint.size, &checkpoint.root)?;
        let missing = Cell::new(false);
        let before =
            Before { account: &|id| known(&accounts, id, &missing), handle: &|label| known(&handles, label, &missing) };
        let root_at = |size: u64| roots.get(&size).copied();
        let ground = Ground { parameters: &parameters, block: header.number, time_s: header.time_s, root_at: &root_at };
        let judged = judge_block(&previous, &header, &self.body, &before, &ground, &mut Signatures::CheckNow);
        if missing.get() {
            return Err(Unproven::Map);
        }
        let broken = match judged {
            Err(broken) => Some(broken),
            Ok(_) => self.wrong_root(&previous, &header)?,
        };
        Ok((signed, broken))
    }

    /// BLK-2: what the transition gives, if one is shown and it gives another root than the header.
    fn wrong_root(&self, previous: &Header, header: &Header) -> Result<Option<BlockBroken>, Unproven> {
        if self.transition.is_empty() {
            return Ok(None);
        }
        let proof = TransitionProof::decode(&self.transition)?;
        let changes = Body::decode(&self.body)?.changes;
        let computed = proof.verify(&previous.new_root, &changes).map_err(|_| Unproven::Map)?;
        let wrong = computed != header.new_root;
        Ok(wrong.then_some(BlockBroken::NewRoot { computed, header: header.new_root }))
    }

    fn accounts_before(&self, root: &Digest) -> Result<BTreeMap<AccountId, Option<DeviceSet>>, Unproven> {
        let check = |it: &StateBefore<AccountId>| {
            if it.state.is_empty() {
                let absent = check_map(root, DeviceSet::map_key(&it.key), &it.proof)?.is_none();
                return if absent { Ok((it.key, None)) } else { Err(Unproven::Map) };
            }
            let set = check_record(root, &it.proof, &it.state)?;
            if set.account() == it.key { Ok((it.key, Some(set))) } else { Err(Unproven::Map) }
        };
        self.accounts.iter().map(check).collect()
    }

    fn handles_before(&self, root: &Digest) -> Result<BTreeMap<HandleLabel, Option<HandleHead>>, Unproven> {
        let check = |it: &StateBefore<HandleLabel>| {
            let value = check_map(root, Digest(it.key.0), &it.proof)?;
            if it.state.is_empty() {
                return if value.is_none() { Ok((it.key, None)) } else { Err(Unproven::Map) };
            }
            let mut reader = Reader::new(&it.state);
            let head = HandleHead::decode(&mut reader)?;
            reader.finish()?;
            if value == Some(head.value()) { Ok((it.key, Some(head))) } else { Err(Unproven::Map) }
        };
        self.handles.iter().map(check).collect()
    }

    fn roots_before(&self, size: u64, root: &Digest) -> Result<BTreeMap<u64, Digest>, Unproven> {
        let check = |it: &RootBefore| {
            merkle::verify_consistency(it.size, size, &it.path, &it.root, root)
                .map_err(|_| Unproven::Header { number: it.size, size })?;
            Ok((it.size, it.root))
        };
        self.roots.iter().map(check).collect()
    }

    /// Adds the canonical bytes.
    pub fn encode(&self, w: &mut Writer) {
        self.at.encode(w);
        w.bytes16(&self.previous);
        encode_path(w, &self.previous_inclusion);
        self.genesis.encode(w);
        w.bytes32(&self.body);
        w.count32(self.accounts.len());
        self.accounts.iter().for_each(|it| encode_state(w, &it.key.0, &it.proof, &it.state));
        w.count32(self.handles.len());
        self.handles.iter().for_each(|it| encode_state(w, &it.key.0, &it.proof, &it.state));
        w.count32(self.roots.len());
        for it in &self.roots {
            encode_path(w.u64(it.size).raw(&it.root.0), &it.path);
        }
        w.bytes32(&self.transition);
    }

    /// Reads one; nothing is checked.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = ProvenHeader::decode(r)?;
        let number = Header::decode(&at.header)?.number;
        let previous = if number == 0 { r.bytes16(0, 0, "previous header")?.to_vec() } else { decode_header(r)? };
        Ok(Self {
            at,
            previous,
            previous_inclusion: decode_path(r)?,
            genesis: ProvenGenesis::decode(r)?,
            body: r.bytes32(MAX_BODY, "body")?.to_vec(),
            accounts: (0..r.count32(2 * MAX_ENTRIES, 38, "accounts")?)
                .map(|_| decode_state(r, |r| AccountId::decode(r, "account")))
                .collect::<Result<_, _>>()?,
            handles: (0..r.count32(MAX_CHANGES, 38, "handles")?)
                .map(|_| decode_state(r, |r| HandleLabel::decode(r, "handle")))
                .collect::<Result<_, _>>()?,
            roots: (0..r.count32(MAX_ENTRIES, 41, "roots")?).map(|_| decode_root(r)).collect::<Result<_, _>>()?,
            transition: r.bytes32(MAX_TRANSITION_LEN, "transition")?.to_vec(),
        })
    }
}

fn known<Key: Ord, State: Clone>(
    states: &BTreeMap<Key, Option<State>>,
    key: &Key,
    missing: &Cell<bool>,
) -> Option<State> {
    states.get(key).cloned().unwrap_or_else(|| {
        missing.set(true);
        None
    })
}

fn encode_state(w: &mut Writer, key: &[u8; 32], proof: &[u8], state: &[u8]) {
    w.raw(key).bytes16(proof).bytes32(state);
}

fn decode_state<Key>(
    r: &mut Reader<'_>,
    key: fn(&mut Reader<'_>) -> Result<Key, DecodeError>,
) -> Result<StateBefore<Key>, DecodeError> {
    Ok(StateBefore {
        key: key(r)?,
        proof: r.bytes16(1, usize::from(u16::MAX), "map proof")?.to_vec(),
        state: r.bytes32(MAX_RECORD, "state")?.to_vec(),
    })
}

fn decode_root(r: &mut Reader<'_>) -> Result<RootBefore, DecodeError> {
    Ok(RootBefore { size: r.u64("size")?, root: Digest::decode(r, "root")?, path: decode_path(r)? })
}
