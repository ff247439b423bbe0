//! Facts of the public record together with what proves them: bytes that anybody can check by himself.
//!
//! They are what a service sends, what a client keeps and what an evidence file holds. Each has one check, which gives
//! the fact as a type of its own. Not in scope: whether the checkpoint is the newest, and whether its quorum is met
//! ([`crate::view`]); the log's own signature is enough to hold the log to what it said.

use crate::block::{Header, Parameters, body_hash};
use crate::encoding::{DecodeError, Reader, Writer};
use crate::id::Digest;
use crate::log::checkpoint::{Checkpoint, CheckpointError, LogSignedCheckpoint};
use crate::log::merkle::{self, MAX_PROOF_HASHES};
use crate::log::note::SignedNote;
use crate::log::policy::Policy;
use crate::map::{MapKey, MapProof, MapValue};
use crate::sigchain::device_set::DeviceSet;
use thiserror::Error;

/// Most bytes of a signed checkpoint.
pub const MAX_NOTE: usize = 16_384;
/// Most bytes of a device-set record in an answer (attack 27).
pub const MAX_RECORD: usize = 1 << 20;

/// Why something that should prove a fact does not.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unproven {
    /// Not the encoding.
    #[error("the proof is malformed: {0}")]
    Malformed(#[from] DecodeError),
    /// The checkpoint is not one that the log signed.
    #[error("the checkpoint is refused: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The header is not in the log.
    #[error("header {number} is not in the log of size {size}")]
    Header {
        /// Its number.
        number: u64,
        /// Size of the checkpoint.
        size: u64,
    },
    /// The body of block 0 is not the one that its header names.
    #[error("the parameters are not those of block 0")]
    Parameters,
    /// The body is not the one that the header names.
    #[error("the body is not the one that the header names")]
    Body,
    /// The map does not say this.
    #[error("the map does not say this")]
    Map,
}

/// A block's header, in the log of a checkpoint that the log signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenHeader {
    /// The signed checkpoint.
    pub checkpoint: Vec<u8>,
    /// The header, 152 bytes.
    pub header: Vec<u8>,
    /// Inclusion proof of leaf number (the header's) in the checkpoint's tree.
    pub inclusion: Vec<Digest>,
}

impl ProvenHeader {
    /// Checks log signature and inclusion.
    ///
    /// # Errors
    /// [`Unproven`].
    pub fn check(&self, policy: &Policy) -> Result<(LogSignedCheckpoint, Header), Unproven> {
        let note = SignedNote::parse(&self.checkpoint).map_err(CheckpointError::from)?;
        let signed = LogSignedCheckpoint::verify(&note, policy)?;
        let header = check_inclusion(signed.checkpoint(), &self.header, &self.inclusion)?;
        Ok((signed, header))
    }

    /// Adds the canonical bytes.
    pub fn encode(&self, w: &mut Writer) {
        w.bytes16(&self.checkpoint).bytes16(&self.header);
        encode_path(w, &self.inclusion);
    }

    /// Reads one; nothing is checked.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            checkpoint: r.bytes16(1, MAX_NOTE, "checkpoint")?.to_vec(),
            header: r.bytes16(Header::LEN, Header::LEN, "header")?.to_vec(),
            inclusion: decode_path(r)?,
        })
    }
}

/// Checks that `header` is in the tree of `checkpoint` at the place of its number (BLK-1).
///
/// # Errors
/// [`Unproven::Malformed`], [`Unproven::Header`].
pub fn check_inclusion(checkpoint: &Checkpoint, header: &[u8], inclusion: &[Digest]) -> Result<Header, Unproven> {
    let leaf = merkle::leaf_hash(header);
    let header = Header::decode(header)?;
    let (number, size) = (header.number, checkpoint.size);
    merkle::verify_inclusion(&leaf, number, size, inclusion, &checkpoint.root)
        .map_err(|_| Unproven::Header { number, size })?;
    Ok(header)
}

/// Block 0, in the log of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenGenesis {
    /// Header 0, 152 bytes.
    pub header: Vec<u8>,
    /// Inclusion proof of leaf 0.
    pub inclusion: Vec<Digest>,
    /// The body of block 0.
    pub parameters: Vec<u8>,
}

impl ProvenGenesis {
    /// Checks inclusion, body and origin.
    ///
    /// # Errors
    /// [`Unproven`].
    pub fn check(&self, checkpoint: &Checkpoint) -> Result<Parameters, Unproven> {
        let header = check_inclusion(checkpoint, &self.header, &self.inclusion)?;
        let parameters = Parameters::decode(&self.parameters)?;
        let fits = header == parameters.genesis(header.time_s) && header.body_hash == body_hash(&self.parameters);
        if fits && parameters.origin == checkpoint.origin.as_str() { Ok(parameters) } else { Err(Unproven::Parameters) }
    }

    /// Adds the canonical bytes.
    pub fn encode(&self, w: &mut Writer) {
        w.bytes16(&self.header);
        encode_path(w, &self.inclusion);
        w.bytes16(&self.parameters);
    }

    /// Reads one; nothing is checked.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            header: r.bytes16(Header::LEN, Header::LEN, "header")?.to_vec(),
            inclusion: decode_path(r)?,
            parameters: r.bytes16(1, MAX_NOTE, "parameters")?.to_vec(),
        })
    }
}

/// An account's state, as the map of one block had it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenRecord {
    /// The block.
    pub at: ProvenHeader,
    /// Map proof (encoded) of the account's leaf under the block's new root.
    pub proof: Vec<u8>,
    /// The device-set record.
    pub record: Vec<u8>,
}

impl ProvenRecord {
    /// Checks that the log signed a map that holds this record.
    ///
    /// # Errors
    /// [`Unproven`].
    pub fn check(&self, policy: &Policy) -> Result<(LogSignedCheckpoint, Header, DeviceSet), Unproven> {
        let (signed, header) = self.at.check(policy)?;
        let set = check_record(&header.new_root, &self.proof, &self.record)?;
        Ok((signed, header, set))
    }

    /// Adds the canonical bytes.
    pub fn encode(&self, w: &mut Writer) {
        self.at.encode(w);
        w.bytes16(&self.proof).bytes32(&self.record);
    }

    /// Reads one; nothing is checked.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            at: ProvenHeader::decode(r)?,
            proof: r.bytes16(1, usize::from(u16::MAX), "map proof")?.to_vec(),
            record: r.bytes32(MAX_RECORD, "record")?.to_vec(),
        })
    }
}

/// What a map says of a key; `None` if it says that there is nothing.
///
/// # Errors
/// [`Unproven`].
pub fn check_map(root: &Digest, key: Digest, proof: &[u8]) -> Result<Option<Digest>, Unproven> {
    let mut r = Reader::new(proof);
    let proof = MapProof::decode(&mut r)?;
    r.finish()?;
    let value = proof.verify(root, &MapKey(key)).map_err(|_| Unproven::Map)?;
    Ok(value.map(|MapValue(value)| value))
}

/// Checks that the map with this root holds exactly this record for its account.
///
/// # Errors
/// [`Unproven`].
pub fn check_record(root: &Digest, proof: &[u8], record: &[u8]) -> Result<DeviceSet, Unproven> {
    let set = DeviceSet::decode(record)?;
    let value = check_map(root, DeviceSet::map_key(&set.account()), proof)?;
    if value == Some(set.map_value()) { Ok(set) } else { Err(Unproven::Map) }
}

/// Adds a Merkle path: its length in one byte and the hashes.
pub fn encode_path(w: &mut Writer, path: &[Digest]) {
    w.u8(u8::try_from(path.len()).unwrap_or(u8::MAX));
    path.iter().for_each(|hash| {
        w.raw(&hash.0);
    });
}

/// Reads a Merkle path of at most 63 hashes (attack 27).
///
/// # Errors
/// [`DecodeError`].
pub fn decode_path(r: &mut Reader<'_>) -> Result<Vec<Digest>, DecodeError> {
    let (field, max) = ("Merkle path", MAX_PROOF_HASHES);
    let length = usize::from(r.u8(field)?);
    if length > max {
        return Err(DecodeError::Length { field, length, min: 0, max });
    }
    (0..length).map(|_| Digest::decode(r, field)).collect()
}

/// Reads a policy behind a two-byte length, in its canonical form.
pub(crate) fn decode_policy(r: &mut Reader<'_>) -> Result<Policy, DecodeError> {
    let text = r.bytes16(0, MAX_NOTE, "policy")?;
    let policy = std::str::from_utf8(text).ok().and_then(|text| text.parse::<Policy>().ok());
    let policy = policy.filter(|policy| policy.to_string().as_bytes() == text);
    policy.ok_or(DecodeError::Unknown { field: "policy", value: 0 })
}
