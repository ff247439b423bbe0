//! The auditor: replays every block of a log and checks every rule (`trefoil audit`).
//!
//! One look ([`Auditor::look`]) takes the newest checkpoint, proves all new headers against it, replays the blocks,
//! checks all signatures on all cores meanwhile ([`crate::checking`]), and then, if the auditor has a key, cosigns: "every block below this size
//! replayed, every rule holds". The rules themselves are [`chain::replay`]'s.

use std::path::PathBuf;

use chain::audit::BlockBroken;
use chain::block::{MAX_BODY, body_hash};
use chain::evidence::{Evidence, Lie, contradicts};
use chain::id::Digest;
use chain::log::checkpoint::{Checkpoint, CheckpointError, LogSignedCheckpoint, VerifiedCheckpoint};
use chain::log::cosignature;
use chain::log::merkle::{self, Frontier};
use chain::log::note::{NoteError, NoteSigner, SignedNote};
use chain::log::policy::Policy;
use chain::replay::Replay;
use chain::sigchain::broken::RuleBroken;
use chain::view::BLOCK_AHEAD_S;
use thiserror::Error;

use crate::audit_folder::{AuditFolder, FolderError};
use crate::checking::{Checking, Claims};
use crate::headers::Headers;
use crate::source::{Source, SourceError};

/// After how many blocks the state is kept.
const KEEP_EVERY: u64 = 20_000;
/// Most bytes of a checkpoint.
const MAX_CHECKPOINT: usize = 128 * 1024;

/// Why a look ended badly.
#[derive(Debug, Error)]
pub enum AuditError {
    /// A file cannot be had.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The auditor's folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The checkpoint is not signed, or has no quorum.
    #[error("the checkpoint is refused: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The auditor's own key cannot sign.
    #[error("the auditor's key is refused: {0}")]
    Key(NoteError),
    /// A file does not fit the signed checkpoint. A bad disk or network can do that; a lie cannot be proven from it.
    #[error("{what} does not fit the signed checkpoint")]
    Unproven {
        /// Which file.
        what: String,
    },
    /// The log is smaller than it was.
    #[error("the log had {known} blocks, now it has {offered}")]
    Rollback {
        /// Size at the last look.
        known: u64,
        /// Size now.
        offered: u64,
    },
    /// A block is dated later than its witnesses allow.
    #[error("block {number} is dated {ahead_s} s after its witnesses saw it")]
    Ahead {
        /// The block.
        number: u64,
        /// Seconds after the quorum.
        ahead_s: u64,
    },
    /// A rule is broken, or the log has two faces.
    #[error("{fact}")]
    Lie {
        /// The stable code.
        code: &'static str,
        /// The rule's number.
        rule: &'static str,
        /// The facts in one sentence.
        fact: String,
        /// The block, if one breaks the rule.
        block: Option<u64>,
        /// What convicts the log; `None` if it could not be put together.
        evidence: Option<Box<Evidence>>,
        /// Where it was kept.
        kept: Option<PathBuf>,
    },
}

impl AuditError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Source(error) => error.code(),
            Self::Folder(error) => error.code(),
            Self::Checkpoint(error) => error.code(),
            Self::Key(error) => error.code(),
            Self::Unproven { .. } => "chain.proof_invalid",
            Self::Rollback { .. } => "chain.rollback",
            Self::Ahead { .. } => "chain.time",
            Self::Lie { code, .. } => code,
        }
    }

    /// The broken rule's number, where there is one.
    pub fn rule(&self) -> Option<&'static str> {
        match self {
            Self::Lie { rule, .. } => Some(rule),
            Self::Ahead { .. } => Some("BLK-5"),
            Self::Checkpoint(_) | Self::Rollback { .. } => Some("CHK-2"),
            Self::Source(_) | Self::Folder(_) | Self::Key(_) | Self::Unproven { .. } => None,
        }
    }
}

/// What a good look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Blocks replayed in all.
    pub blocks: u64,
    /// Entries in them.
    pub entries: u64,
    /// Accounts.
    pub accounts: usize,
    /// Size of the audited checkpoint.
    pub size: u64,
    /// Its root.
    pub root: Digest,
    /// Time of the newest block, seconds.
    pub newest_s: u64,
}

/// How far a look is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Headers fetched, of how many.
    Headers(u64, u64),
    /// Blocks replayed, of how many.
    Blocks(u64, u64),
}

/// What was judged, and whose signatures are not yet known to hold.
#[derive(Debug, Default)]
struct Open {
    /// Being checked.
    checking: Option<Checking>,
    /// Of later blocks.
    claims: Claims,
}

/// An auditor of one log.
#[derive(Debug)]
pub struct Auditor {
    source: Source,
    policy: Policy,
    folder: Option<AuditFolder>,
    signer: Option<NoteSigner>,
    replay: Replay,
    known: Option<SignedNote>,
}

impl Auditor {
    /// Takes up the state of the last run, if there is a folder.
    ///
    /// # Errors
    /// [`AuditError::Folder`].
    pub fn new(
        source: Source,
        policy: Policy,
        folder: Option<AuditFolder>,
        signer: Option<NoteSigner>,
    ) -> Result<Self, AuditError> {
        let replay = folder.as_ref().map_or_else(|| Ok(Replay::new()), AuditFolder::state)?;
        let kept = folder.as_ref().map_or(Ok(None), AuditFolder::checkpoint)?;
        let known = kept.and_then(|bytes| SignedNote::parse(&bytes).ok());
        Ok(Self { source, policy, folder, signer, replay, known })
    }

    /// Audits everything that is new.
    ///
    /// # Errors
    /// [`AuditError`]. After a lie the auditor is of no more use.
    pub fn look(&mut self, progress: &mut dyn FnMut(Progress)) -> Result<Summary, AuditError> {
        let bytes = self.source.read("checkpoint", MAX_CHECKPOINT)?;
        let note = SignedNote::parse(&bytes).map_err(CheckpointError::from)?;
        let signed = LogSignedCheckpoint::verify(&note, &self.policy)?;
        let checkpoint = signed.checkpoint().clone();
        let headers = self.prove_headers(&signed, progress)?;
        let verified = VerifiedCheckpoint::from_log_signed(signed, &self.policy)?;
        self.replay_blocks(&note, &checkpoint, &headers, progress)?;
        let newest = self.replay.newest();
        let newest_s = newest.as_ref().map_or(0, |header| header.time_s);
        // BLK-5 is judged live: only the first cosignatures of a block say how late it was
        if let Some(at_s) = self.policy.quorum_time_not_after(verified.times())
            && newest_s > at_s.saturating_add(BLOCK_AHEAD_S)
        {
            return Err(AuditError::Ahead { number: checkpoint.size.saturating_sub(1), ahead_s: newest_s - at_s });
        }
        self.keep_state()?;
        self.keep_checkpoint(&note, &checkpoint)?;
        self.known = Some(note);
        Ok(Summary {
            blocks: self.replay.blocks(),
            entries: self.replay.entries(),
            accounts: self.replay.accounts(),
            size: checkpoint.size,
            root: checkpoint.root,
            newest_s,
        })
    }

    /// Fetches the new headers and proves them, with those replayed before, against the checkpoint.
    fn prove_headers(
        &self,
        signed: &LogSignedCheckpoint,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Headers, AuditError> {
        let checkpoint = signed.checkpoint();
        let size = checkpoint.size;
        let known = self.replay.blocks();
        if size < known {
            let same = self.replay.root_at(size) == Some(checkpoint.root);
            let rollback = AuditError::Rollback { known, offered: size };
            return Err(if same { rollback } else { self.find_fork(signed, progress).unwrap_or(rollback) });
        }
        let mut seen = |done| progress(Progress::Headers(done, size));
        let headers = Headers::fetch(&self.source, known, size, &mut seen)?;
        if headers.give(self.replay.frontier(), checkpoint) {
            return Ok(headers);
        }
        Err(self.find_fork(signed, progress).unwrap_or_else(|| unproven("the log's headers")))
    }

    /// If the log shows another history than the one audited before: both checkpoints and the path that convicts.
    fn find_fork(&self, signed: &LogSignedCheckpoint, progress: &mut dyn FnMut(Progress)) -> Option<AuditError> {
        let known = LogSignedCheckpoint::verify(self.known.as_ref()?, &self.policy).ok()?;
        let (mut earlier, mut later) = (&known, signed);
        if earlier.checkpoint().size > later.checkpoint().size {
            (earlier, later) = (later, earlier);
        }
        let (a, b) = (earlier.checkpoint(), later.checkpoint());
        let path = if a.size == b.size {
            Vec::new()
        } else {
            // what is on offer must be the later one, or there is no way to its headers
            let mut seen = |done| progress(Progress::Headers(done, b.size));
            let all = Headers::fetch(&self.source, 0, b.size, &mut seen).ok()?;
            if !all.give(&Frontier::new(), b) {
                return None;
            }
            let leaves: Vec<_> = all.leaves().collect();
            fork_path(&leaves, a.size)?
        };
        if !contradicts((a.size, a.root), (b.size, b.root), &path) {
            return None;
        }
        let fact = format!("the log showed one history of {} blocks, and another of {}", a.size, b.size);
        let bytes = |it: &LogSignedCheckpoint| it.note().to_string().into_bytes();
        let lie = Lie::Fork { earlier: bytes(earlier), later: bytes(later), path };
        Some(self.lie("chain.fork", "CHK-2", fact, None, Some(lie)))
    }

    fn replay_blocks(
        &mut self,
        note: &SignedNote,
        checkpoint: &Checkpoint,
        headers: &Headers,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), AuditError> {
        let mut open = Open::default();
        let judged = self.judge_blocks(&mut open, note, checkpoint, headers, progress);
        // also when a file was missing: a later look starts behind these blocks
        self.check_all(&mut open, note, checkpoint, headers)?;
        judged
    }

    fn judge_blocks(
        &mut self,
        open: &mut Open,
        note: &SignedNote,
        checkpoint: &Checkpoint,
        headers: &Headers,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), AuditError> {
        let mut kept_at = headers.first;
        for (number, header) in (headers.first..).zip(&headers.bytes) {
            let body = self.body(number, header)?;
            if let Err(broken) = self.replay.apply(header, &body, &mut open.claims.all) {
                self.check_all(open, note, checkpoint, headers)?;
                return Err(self.accuse(broken, note, checkpoint, headers, &body));
            }
            open.claims.end_block(number);
            if open.claims.are_many() {
                let before = open.checking.replace(Checking::start(std::mem::take(&mut open.claims)));
                self.settle(before, open, note, checkpoint, headers)?;
                if number - kept_at >= KEEP_EVERY {
                    self.check_all(open, note, checkpoint, headers)?;
                    kept_at = number;
                    self.keep_state()?;
                }
            }
            progress(Progress::Blocks(number + 1, checkpoint.size));
        }
        Ok(())
    }

    /// Checks every signature that is still open.
    fn check_all(
        &mut self,
        open: &mut Open,
        note: &SignedNote,
        checkpoint: &Checkpoint,
        headers: &Headers,
    ) -> Result<(), AuditError> {
        let before = open.checking.take();
        self.settle(before, open, note, checkpoint, headers)?;
        let last = Checking::start(std::mem::take(&mut open.claims));
        self.settle(Some(last), open, note, checkpoint, headers)
    }

    /// Waits for a check; if a signature does not hold, goes back to its block and accuses it.
    fn settle(
        &mut self,
        checking: Option<Checking>,
        open: &mut Open,
        note: &SignedNote,
        checkpoint: &Checkpoint,
        headers: &Headers,
    ) -> Result<(), AuditError> {
        let number = match checking.map_or(Ok(0), Checking::finish) {
            Ok(checked) => {
                self.replay.settle(checked);
                return Ok(());
            }
            Err(number) => number,
        };
        *open = Open::default();
        self.replay.take_back(number);
        let header = headers.header(number).unwrap_or_default().to_vec();
        let body = self.body(number, &header)?;
        let broken = BlockBroken::Entry { index: 0, reason: RuleBroken::Signature { place: 0 } };
        Err(self.accuse(broken, note, checkpoint, headers, &body))
    }

    fn body(&self, number: u64, header: &[u8]) -> Result<Vec<u8>, AuditError> {
        let path = format!("block/{number}");
        let body = self.source.read(&path, MAX_BODY)?;
        let named = chain::block::Header::decode(header).map(|header| header.body_hash);
        if named == Ok(body_hash(&body)) { Ok(body) } else { Err(unproven(&path)) }
    }

    fn accuse(
        &self,
        broken: BlockBroken,
        note: &SignedNote,
        checkpoint: &Checkpoint,
        headers: &Headers,
        body: &[u8],
    ) -> AuditError {
        let number = self.replay.blocks();
        let evidence = headers.header(number).and_then(|header| {
            let mut leaves = self.leaves_before(headers.first)?;
            leaves.extend(headers.leaves());
            self.replay.accuse(note.to_string().as_bytes(), checkpoint, &leaves, header, body)
        });
        let lie = evidence.map(|block| Lie::Block(Box::new(block)));
        // the file has the last word: it names the entry and the signature
        let checked = lie.clone().and_then(|lie| Evidence { policy: self.policy.clone(), lie }.check().ok());
        let (code, rule, fact) = match checked {
            Some(finding) => (finding.code, finding.rule, finding.fact),
            None => (broken.code(), broken.rule(), broken.to_string()),
        };
        self.lie(code, rule, format!("block {number}: {fact}"), Some(number), lie)
    }

    /// Leaf hashes of the blocks of earlier runs; fetched again, because only an accusation needs them.
    fn leaves_before(&self, first: u64) -> Option<Vec<Digest>> {
        let headers = Headers::fetch(&self.source, 0, first, &mut |_| ()).ok()?;
        Some(headers.leaves().collect())
    }

    fn lie(
        &self,
        code: &'static str,
        rule: &'static str,
        fact: String,
        block: Option<u64>,
        lie: Option<Lie>,
    ) -> AuditError {
        let evidence = lie.map(|lie| Box::new(Evidence { policy: self.policy.clone(), lie }));
        let kept = self.folder.as_ref().zip(evidence.as_ref()).and_then(|(folder, evidence)| {
            let bytes = evidence.encode();
            let name = format!("{}.evidence", Digest::sha256(&bytes).to_string().split_at(16).0);
            folder.keep_evidence(&name, &bytes).ok()
        });
        AuditError::Lie { code, rule, fact, block, evidence, kept }
    }

    fn keep_state(&self) -> Result<(), AuditError> {
        Ok(self.folder.as_ref().map_or(Ok(()), |folder| folder.keep_state(&self.replay))?)
    }

    /// Keeps the audited checkpoint, with the auditor's own cosignature if it has a key.
    fn keep_checkpoint(&self, note: &SignedNote, checkpoint: &Checkpoint) -> Result<(), AuditError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let mut text = note.to_string();
        if let Some(signer) = &self.signer {
            let line = cosignature::cosign(signer, checkpoint, crate::server::system_time());
            text.push_str(&line.map_err(AuditError::Key)?.to_string());
        }
        Ok(folder.keep_checkpoint(&text)?)
    }

    /// The log's policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }
}

fn unproven(what: &str) -> AuditError {
    AuditError::Unproven { what: what.to_owned() }
}

/// The consistency proof from `size`, with the earlier root in front where the usual proof leaves it out.
fn fork_path(leaves: &[Digest], size: u64) -> Option<Vec<Digest>> {
    let node = |level: u8, index: u64| chain::replay::complete_node(leaves, level, index);
    let mut path = merkle::prove_consistency(size, leaves.len() as u64, node).ok()?;
    if size.is_power_of_two() {
        path.insert(0, merkle::root(size, node).ok()?);
    }
    Some(path)
}
