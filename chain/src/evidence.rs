//! A lie of the service as one file, which anybody checks offline (attack 32).
//!
//! ```text
//! "trefoil-evidence/v1" behind its length (u8) | policy text (length u16) | kind u8 | what shows it
//! ```
//!
//! Everything that accuses is under the log's own signature, so it cannot be denied. The policy text names the keys:
//! who checks a file compares them with those that he knows. Witnesses whose cosignatures stand on *both* sides of a
//! fork broke their word too, and are named.

use thiserror::Error;

use crate::block::{Header, Parameters};
use crate::encoding::{DecodeError, Reader, Writer};
use crate::id::Digest;
use crate::log::checkpoint::{CheckpointError, LogSignedCheckpoint};
use crate::log::note::SignedNote;
use crate::log::policy::{Policy, PolicyLog};
use crate::log::{cosignature, merkle};
use crate::proven::{MAX_NOTE, ProvenGenesis, ProvenRecord, Unproven, decode_path, decode_policy, encode_path};
use crate::sealed_block::SealedBlock;
use crate::sigchain::device_set::DeviceSet;
use crate::stamped::{StampedEntry, fold_stamped};

const MAGIC: &[u8] = b"trefoil-evidence/v1";
/// Most bytes of an evidence file: one whole block and the states that it touches.
pub const MAX_EVIDENCE: usize = 64 << 20;
/// Most entries in a sigchain that a file carries.
const MAX_ENTRIES: usize = 1 << 16;

/// What shows the lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lie {
    /// Two checkpoints of one log that cannot both be true (attacks 15, 16).
    Fork {
        /// The smaller one, a signed note.
        earlier: Vec<u8>,
        /// The larger one, a signed note.
        later: Vec<u8>,
        /// Consistency proof that leads from the earlier size to the later root, over another earlier root. Empty if
        /// the sizes are equal.
        path: Vec<Digest>,
    },
    /// An account's state that stands before, or beside, one that the log showed in an earlier block (attacks 12, 19).
    Rewound {
        /// The state of the earlier block.
        earlier: Box<ProvenRecord>,
        /// The state of the later block.
        later: Box<ProvenRecord>,
    },
    /// Entries in the log that do not lead from one proven state to the next (attacks 1 to 5, 10, 11).
    Sigchain {
        /// The state before; `None` if the entries begin with the first.
        earlier: Option<Box<ProvenRecord>>,
        /// The state after, as the log has it.
        later: Box<ProvenRecord>,
        /// Block 0 of the same log.
        genesis: Box<ProvenGenesis>,
        /// The checkpoint, a signed note, that block 0 is proven in: the first one that the view saw, seldom the later
        /// state's.
        genesis_in: Vec<u8>,
        /// The entries between.
        entries: Vec<StampedEntry>,
    },
    /// A block that breaks a rule.
    Block(Box<SealedBlock>),
}

/// A lie, and the keys that tell whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The log's key and the witnesses' (C2SP tlog-policy).
    pub policy: Policy,
    /// What shows it.
    pub lie: Lie,
}

/// What a file proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The stable code, such as `chain.fork`.
    pub code: &'static str,
    /// The number of the broken rule.
    pub rule: &'static str,
    /// The facts in one sentence.
    pub fact: String,
    /// The log whose signature accuses it: its verifier key.
    pub log: String,
    /// Verifier keys of the witnesses that cosigned both sides of a fork.
    pub witnesses: Vec<String>,
}

/// Why a file proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EvidenceError {
    /// Not an evidence file.
    #[error("this is not an evidence file: {0}")]
    Malformed(#[from] DecodeError),
    /// A part of it is not signed by the log or not in it.
    #[error("the file shows nothing that the log signed: {0}")]
    Unproven(#[from] Unproven),
    /// Everything in it can be true at once.
    #[error("what the file shows is no contradiction")]
    NoContradiction,
}

impl EvidenceError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "evidence.malformed",
            Self::Unproven(_) => "evidence.unproven",
            Self::NoContradiction => "evidence.no_contradiction",
        }
    }
}

impl Evidence {
    /// Checks everything, offline, and says what it proves.
    ///
    /// # Errors
    /// [`EvidenceError`]: it proves nothing.
    pub fn check(&self) -> Result<Finding, EvidenceError> {
        match &self.lie {
            Lie::Fork { earlier, later, path } => self.check_fork(earlier, later, path),
            Lie::Rewound { earlier, later } => self.check_rewound(earlier, later),
            Lie::Sigchain { earlier, later, genesis, genesis_in, entries } => {
                let genesis_in = log_signed(genesis_in, &self.policy)?;
                let parameters = genesis.check(genesis_in.checkpoint())?;
                self.check_sigchain(earlier.as_deref(), later, &genesis_in, &parameters, entries)
            }
            Lie::Block(block) => {
                let (signed, broken) = block.check(&self.policy)?;
                let broken = broken.ok_or(EvidenceError::NoContradiction)?;
                self.finding(&[&signed], broken.rule(), broken.code(), broken.to_string())
            }
        }
    }

    fn check_fork(&self, earlier: &[u8], later: &[u8], path: &[Digest]) -> Result<Finding, EvidenceError> {
        let earlier = log_signed(earlier, &self.policy)?;
        let later = log_signed(later, &self.policy)?;
        let (a, b) = (earlier.checkpoint(), later.checkpoint());
        if !contradicts((a.size, a.root), (b.size, b.root), path) {
            return Err(EvidenceError::NoContradiction);
        }
        let cosigned = |note: &SignedNote| -> Vec<String> {
            let witnesses = self.policy.witnesses().iter();
            let signed = witnesses.filter(|witness| cosignature::verify(&witness.key, note).is_ok());
            signed.map(|witness| witness.key.to_string()).collect()
        };
        let both = cosigned(earlier.note());
        let other = cosigned(later.note());
        let both = both.into_iter().filter(|key| other.contains(key)).collect();
        let fact = format!(
            "the log signed root {} at size {} and, as part of its log of size {}, another",
            a.root, a.size, b.size
        );
        let finding = self.finding(&[&earlier, &later], "CHK-2", "chain.fork", fact)?;
        Ok(Finding { witnesses: both, ..finding })
    }

    fn check_rewound(&self, earlier: &ProvenRecord, later: &ProvenRecord) -> Result<Finding, EvidenceError> {
        let (first_signed, first_header, first) = earlier.check(&self.policy)?;
        let (second_signed, second_header, second) = later.check(&self.policy)?;
        let place = |set: &DeviceSet| (set.generation(), set.sequence());
        let back = place(&second) < place(&first) || (place(&second) == place(&first) && first != second);
        if first.account() != second.account() || second_header.number < first_header.number || !back {
            return Err(EvidenceError::NoContradiction);
        }
        let fact = format!(
            "account {} had entry {} in block {} and entry {} in block {}",
            first.account(),
            first.sequence(),
            first_header.number,
            second.sequence(),
            second_header.number
        );
        self.finding(&[&first_signed, &second_signed], "CHK-3", "chain.rollback", fact)
    }

    fn check_sigchain(
        &self,
        earlier: Option<&ProvenRecord>,
        later: &ProvenRecord,
        genesis_in: &LogSignedCheckpoint,
        parameters: &Parameters,
        entries: &[StampedEntry],
    ) -> Result<Finding, EvidenceError> {
        let earlier = earlier.map(|it| it.check(&self.policy)).transpose()?;
        let (signed, _, after) = later.check(&self.policy)?;
        let mut sides = vec![genesis_in, &signed];
        sides.extend(earlier.iter().map(|(signed, _, _)| signed));
        let before = earlier.as_ref().map(|(_, _, set)| set.clone());
        if !links(before.as_ref(), &after, entries) {
            return Err(EvidenceError::NoContradiction);
        }
        let (rule, code, fact) = match fold_stamped(before, entries, parameters, &|_| None) {
            Ok(set) if set == after => return Err(EvidenceError::NoContradiction),
            Ok(_) => ("BLK-4", "chain.block_invalid", "the entries give another device set".to_owned()),
            Err(broken) => (broken.rule(), broken.code(), broken.to_string()),
        };
        self.finding(&sides, rule, code, fact)
    }

    /// What the signed checkpoints prove, if one key made all of them. Else nothing: two logs may differ, and a file's
    /// author can name a key of his own beside the log's.
    fn finding(
        &self,
        sides: &[&LogSignedCheckpoint],
        rule: &'static str,
        code: &'static str,
        fact: String,
    ) -> Result<Finding, EvidenceError> {
        let origin = sides.first().map_or("", |side| side.checkpoint().origin.as_str());
        let named = |log: &&PolicyLog| log.key.name().as_str() == origin;
        let logs: Vec<&PolicyLog> = self.policy.logs().iter().filter(named).collect();
        let one_log = sides.iter().all(|side| side.checkpoint().origin.as_str() == origin);
        match logs.as_slice() {
            [log] if one_log => Ok(Finding { code, rule, fact, log: log.key.to_string(), witnesses: Vec::new() }),
            _ => Err(EvidenceError::NoContradiction),
        }
    }

    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.bytes8(MAGIC).bytes16(self.policy.to_string().as_bytes());
        match &self.lie {
            Lie::Fork { earlier, later, path } => {
                w.u8(1).bytes16(earlier).bytes16(later);
                encode_path(&mut w, path);
            }
            Lie::Rewound { earlier, later } => {
                earlier.encode(w.u8(2));
                later.encode(&mut w);
            }
            Lie::Sigchain { earlier, later, genesis, genesis_in, entries } => {
                w.u8(3).u8(u8::from(earlier.is_some()));
                earlier.iter().for_each(|it| it.encode(&mut w));
                later.encode(&mut w);
                genesis.encode(&mut w);
                w.bytes16(genesis_in).count32(entries.len());
                entries.iter().for_each(|entry| entry.encode(&mut w));
            }
            Lie::Block(block) => block.encode(w.u8(4)),
        }
        w.finish()
    }

    /// Reads a file; nothing is checked.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_EVIDENCE {
            return Err(DecodeError::Length { field: "evidence file", length: bytes.len(), min: 1, max: MAX_EVIDENCE });
        }
        let mut r = Reader::new(bytes);
        if r.bytes8(0, 255, "evidence file")? != MAGIC {
            return Err(DecodeError::Unknown { field: "evidence file", value: 0 });
        }
        let policy = decode_policy(&mut r)?;
        let lie = match r.u8("kind of evidence")? {
            1 => Lie::Fork {
                earlier: r.bytes16(1, MAX_NOTE, "checkpoint")?.to_vec(),
                later: r.bytes16(1, MAX_NOTE, "checkpoint")?.to_vec(),
                path: decode_path(&mut r)?,
            },
            2 => Lie::Rewound {
                earlier: Box::new(ProvenRecord::decode(&mut r)?),
                later: Box::new(ProvenRecord::decode(&mut r)?),
            },
            3 => Lie::Sigchain {
                earlier: if r.present("earlier state")? { Some(Box::new(ProvenRecord::decode(&mut r)?)) } else { None },
                later: Box::new(ProvenRecord::decode(&mut r)?),
                genesis: Box::new(ProvenGenesis::decode(&mut r)?),
                genesis_in: r.bytes16(1, MAX_NOTE, "checkpoint")?.to_vec(),
                entries: (0..r.count32(MAX_ENTRIES, StampedEntry::MIN_LEN, "entries")?)
                    .map(|_| StampedEntry::decode(&mut r))
                    .collect::<Result<_, _>>()?,
            },
            4 => Lie::Block(Box::new(SealedBlock::decode(&mut r)?)),
            value => return Err(DecodeError::Unknown { field: "kind of evidence", value: value.into() }),
        };
        r.finish()?;
        Ok(Self { policy, lie })
    }
}

/// True if a log cannot have both checkpoints: another root at one size, or a path that leads to the later root over
/// another root at the earlier size.
pub fn contradicts(earlier: (u64, Digest), later: (u64, Digest), path: &[Digest]) -> bool {
    let ((size_a, root_a), (size_b, root_b)) = (earlier, later);
    if size_a == size_b {
        return path.is_empty() && root_a != root_b;
    }
    // a complete earlier tree is left out of the usual proof: here its true root stands first
    let (first, rest) = match path.split_first() {
        Some((first, rest)) if size_a.is_power_of_two() => (*first, rest),
        _ => (root_a, path),
    };
    merkle::consistency_roots(size_a, size_b, rest, &first).is_ok_and(|(old, new)| new == root_b && old != root_a)
}

/// True if the entries are those that the later state commits to: hash-linked from the earlier head to the later one,
/// with the block numbers and times that its history hash binds.
fn links(before: Option<&DeviceSet>, after: &DeviceSet, entries: &[StampedEntry]) -> bool {
    let mut head = before.map_or(Digest::ZERO, DeviceSet::head);
    let mut history = before.map_or(Digest::ZERO, DeviceSet::history);
    for stamped in entries {
        let Ok(entry) = crate::sigchain::entry::Entry::decode(&stamped.entry) else { return false };
        if entry.statement.position.previous != head {
            return false;
        }
        head = entry.hash();
        history = DeviceSet::next_history(&history, &head, stamped.block, stamped.time_s);
    }
    head == after.head() && history == after.history()
}

/// Reads a signed note and checks the log's signature.
pub(crate) fn log_signed(note: &[u8], policy: &Policy) -> Result<LogSignedCheckpoint, Unproven> {
    let note = SignedNote::parse(note).map_err(CheckpointError::from)?;
    Ok(LogSignedCheckpoint::verify(&note, policy)?)
}

/// Reads a header that a proof needs beside another.
pub(crate) fn decode_header(r: &mut Reader<'_>) -> Result<Vec<u8>, DecodeError> {
    Ok(r.bytes16(Header::LEN, Header::LEN, "header")?.to_vec())
}
