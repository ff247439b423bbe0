//! A service, seen from outside: asks it, and believes nothing that does not verify.

use std::path::Path;
use std::time::Duration;

use chain::account::ProvenAccount;
use chain::block::{Header, Parameters};
use chain::handle::{Handle, HandleHead, HandleState, VrfProof};
use chain::id::{AccountId, Digest};
use chain::log::checkpoint::Checkpoint;
use chain::log::merkle::{self, ProveError};
use chain::log::note::SignedNote;
use chain::log::policy::Policy;
use chain::log::tile::{TILE_WIDTH, Tile, TileKind, decode_bundle, decode_hash_tile, node_from_tiles};
use chain::proven::{ProvenGenesis, ProvenHeader};
use chain::stamped::StampedEntry;
use chain::view::{AccountEvidence, HandleEvidence, LogEvidence, View, ViewError};
use protocol::api::{
    ACCOUNTS, AccountAnswer, CONSISTENCY, ConsistencyAnswer, HANDLE_LOOKUP, HandleAnswer, HandleQuestion, Head,
};
use protocol::limits::MAX_ANSWER;
use protocol::refusal::Problem;
use ureq::Agent;
use ureq::http::Response;
use witness::source::{Source, SourceError};

use crate::commands::now_s;
use crate::failure::{Failure, Kind};
use crate::keeping::Kept;
use crate::tls::Trusted;

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Most bytes of a checkpoint.
const MAX_CHECKPOINT: usize = 128 * 1024;

/// A service's address.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    agent: Agent,
    base: String,
    source: Source,
}

/// An account as proven, with all its entries.
pub(crate) struct Seen {
    pub(crate) account: ProvenAccount,
    pub(crate) entries: Vec<StampedEntry>,
}

impl Remote {
    /// Takes an `http://` or `https://` address, and certificates to trust instead of the usual ones.
    pub(crate) fn new(address: &str, trusted: Option<&Trusted>) -> Result<Self, Failure> {
        if !address.starts_with("http://") && !address.starts_with("https://") {
            return Err(Failure::misuse("source.address", format_args!("{address} is no http address")));
        }
        let (agent, base) = (agent(trusted), address.trim_end_matches('/').to_owned());
        let source = Source::Web { agent: agent.clone(), base: base.clone() };
        Ok(Self { agent, base, source })
    }

    /// Its static files.
    pub(crate) fn into_source(self) -> Source {
        self.source
    }

    /// The policy in block 0: what the service itself says, for a first look without a policy of one's own.
    pub(crate) fn policy(&self) -> Result<Policy, Failure> {
        let body = self.source.read("block/0", chain::block::MAX_POLICY * 2).map_err(unreachable)?;
        let parameters = Parameters::decode(&body).map_err(|error| lie("chain.proof_invalid", error))?;
        Ok(parameters.policy)
    }

    /// The first look.
    pub(crate) fn begin(&self, policy: Policy) -> Result<View, Failure> {
        let note = self.source.read("checkpoint", MAX_CHECKPOINT).map_err(unreachable)?;
        let parsed = SignedNote::parse(&note).map_err(|error| lie("checkpoint.malformed", error))?;
        let checkpoint = Checkpoint::parse(parsed.text()).map_err(|error| lie(error.code(), error))?;
        let size = checkpoint.size;
        let newest = size.checked_sub(1).ok_or_else(|| lie("chain.proof_invalid", "the log is empty"))?;
        let genesis = ProvenGenesis {
            header: self.header(0, size)?,
            inclusion: self.inclusion(0, size)?,
            parameters: self.source.read("block/0", chain::block::MAX_POLICY * 2).map_err(unreachable)?,
        };
        let newest = ProvenHeader {
            checkpoint: note,
            header: self.header(newest, size)?,
            inclusion: self.inclusion(newest, size)?,
        };
        View::begin(policy, genesis, newest, now_s()).map_err(|error| Failure::from_view(&error))
    }

    /// Moves a view on to the head that came with an answer; evidence of a lie is kept.
    pub(crate) fn advance(&self, view: &View, head: &Head, kept: &Kept) -> Result<View, Failure> {
        let newest = ProvenHeader {
            checkpoint: head.checkpoint.clone().into_bytes(),
            header: head.header.0.clone(),
            inclusion: head.inclusion.0.clone(),
        };
        let parsed = SignedNote::parse(&newest.checkpoint).map_err(|error| lie("checkpoint.malformed", error))?;
        let checkpoint = Checkpoint::parse(parsed.text()).map_err(|error| lie(error.code(), error))?;
        let consistency = self.consistency(view, checkpoint.size)?;
        view.advance(&LogEvidence { newest, consistency }, now_s()).map_err(|error| keep_lie(&error, kept))
    }

    /// Checks that a first look under a new policy shows the log that was seen before, no smaller and not another.
    pub(crate) fn check_continues(&self, before: &View, fresh: &View, kept: &Kept) -> Result<(), Failure> {
        let path = self.consistency(before, fresh.size())?;
        let (signed, _) = fresh.newest().check(before.policy()).map_err(|error| Failure::from_view(&error.into()))?;
        before.compare(&signed, &path).map_err(|error| keep_lie(&error, kept))?;
        let (known, offered) = (before.size(), fresh.size());
        if offered < known {
            return Err(Failure::from_view(&ViewError::Rollback { known, offered }));
        }
        Ok(())
    }

    fn consistency(&self, view: &View, size: u64) -> Result<Vec<Digest>, Failure> {
        let (from, to) = (view.size().min(size), view.size().max(size));
        if from == to {
            return Ok(Vec::new());
        }
        let answer: ConsistencyAnswer = match self.get(&format!("{CONSISTENCY}?from={from}&to={to}")) {
            // a log that went back has no proof to offer; the view says that it went back
            Err(failure) if size < view.size() && failure.kind == Kind::Misuse => return Ok(Vec::new()),
            answer => answer?,
        };
        Ok(answer.proof.0)
    }

    /// Everything of an account, checked against the view and against what was seen before.
    pub(crate) fn account(&self, view: &View, id: AccountId, kept: &Kept) -> Result<(View, Option<Seen>), Failure> {
        let mut entries = Vec::new();
        let answer = loop {
            let since = entries.len();
            let answer: AccountAnswer = self.get(&format!("{ACCOUNTS}{id}?since={since}"))?;
            entries.extend(answer.entries.iter().map(|it| StampedEntry {
                block: it.block,
                time_s: it.time_s,
                entry: it.entry.0.clone(),
            }));
            if !answer.more || answer.entries.is_empty() {
                break answer;
            }
        };
        let view = self.advance(view, &answer.head, kept)?;
        if answer.record.0.is_empty() {
            view.absent(id, &answer.map_proof.0).map_err(|error| Failure::from_view(&error))?;
            return Ok((view, None));
        }
        let known = kept.account(&view, &id)?;
        let skip = known.as_ref().map_or(0, |known| known.set().sequence().saturating_add(1));
        let new = entries.iter().skip(usize::try_from(skip).unwrap_or(usize::MAX)).cloned().collect();
        let evidence = AccountEvidence { proof: answer.map_proof.0, record: answer.record.0, entries: new };
        let account = view.account(id, known.as_ref(), &evidence).map_err(|error| keep_lie(&error, kept))?;
        Ok((view, Some(Seen { account, entries })))
    }

    /// Who holds a handle.
    pub(crate) fn handle(&self, view: &View, handle: &Handle, kept: &Kept) -> Result<(View, Place), Failure> {
        let question = HandleQuestion { handle: handle.as_str().to_owned(), from: None };
        let body = serde_json::to_vec(&question).map_err(Failure::broken)?;
        let sent = self.agent.post(format!("{}{HANDLE_LOOKUP}", self.base)).content_type("application/json");
        let answer: HandleAnswer = parse(sent.send(&body))?;
        let view = self.advance(view, &answer.head, kept)?;
        let vrf: [u8; VrfProof::LEN] = answer
            .vrf_proof
            .0
            .as_slice()
            .try_into()
            .map_err(|_| lie("chain.index_key", "the proof of the handle's place has another length"))?;
        let evidence = HandleEvidence { vrf, proof: answer.map_proof.0, head: answer.handle_head.0 };
        let (_, head) = view.handle(handle, &evidence).map_err(|error| keep_lie(&error, kept))?;
        Ok((view, Place { head }))
    }

    fn get<Answer: serde::de::DeserializeOwned>(&self, path: &str) -> Result<Answer, Failure> {
        parse(self.agent.get(format!("{}{path}", self.base)).call())
    }

    fn header(&self, number: u64, size: u64) -> Result<Vec<u8>, Failure> {
        let width = u64::from(TILE_WIDTH);
        let missing = || lie("chain.proof_invalid", "the log's headers are not there");
        let tile = Tile::within(size, TileKind::Entries, number / width).ok_or_else(missing)?;
        let bundle = self.source.read(&tile.to_string(), usize::from(TILE_WIDTH) * (Header::LEN + 2));
        let bundle = bundle.map_err(unreachable)?;
        let headers = decode_bundle(&tile, &bundle).map_err(|_| missing())?;
        let place = usize::try_from(number % width).unwrap_or(usize::MAX);
        headers.get(place).map(|header| header.to_vec()).ok_or_else(missing)
    }

    fn inclusion(&self, number: u64, size: u64) -> Result<Vec<Digest>, Failure> {
        self.prove_by_tiles(size, |node| merkle::prove_inclusion(number, size, node))
    }

    /// Makes something out of the hashes of the tree. A tile that did not arrive is no lie.
    fn prove_by_tiles<T>(
        &self,
        size: u64,
        make: impl FnOnce(&mut dyn FnMut(u8, u64) -> Option<Digest>) -> Result<T, ProveError>,
    ) -> Result<T, Failure> {
        let mut away = None;
        let made = make(&mut |level, index| {
            node_from_tiles(size, level, index, &mut |tile: &Tile| match self
                .source
                .read(&tile.to_string(), 32 * usize::from(TILE_WIDTH))
            {
                Ok(bytes) => decode_hash_tile(tile, &bytes).ok(),
                Err(error) => {
                    away.get_or_insert(unreachable(error));
                    None
                }
            })
        });
        away.map_or_else(|| made.map_err(|error| lie("chain.proof_invalid", error)), Err)
    }
}

/// A handle's place in the record, and what stands there.
pub(crate) struct Place {
    pub(crate) head: Option<HandleHead>,
}

impl Place {
    /// The account that holds the handle.
    pub(crate) fn holder(&self) -> Option<AccountId> {
        self.head.filter(|head| head.state == HandleState::Bound).map(|head| head.account)
    }
}

fn agent(trusted: Option<&Trusted>) -> Agent {
    let config = Agent::config_builder().timeout_global(Some(TIMEOUT)).http_status_as_error(false);
    let config = match trusted {
        Some(trusted) => config.tls_config(trusted.for_requests()),
        None => config,
    };
    config.build().new_agent()
}

/// Reads a witness policy file.
pub(crate) fn read_policy(path: &Path) -> Result<Policy, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::misuse("policy.missing", format_args!("{}: {error}", path.display())))?;
    text.parse().map_err(|error: chain::log::policy::PolicyError| Failure::misuse(error.code(), error))
}

fn parse<Answer: serde::de::DeserializeOwned>(
    answer: Result<Response<ureq::Body>, ureq::Error>,
) -> Result<Answer, Failure> {
    let away = |error: &dyn std::fmt::Display| {
        Failure::new(Kind::Unreachable, "service.unreachable", format_args!("the service does not answer: {error}"))
    };
    let mut answer = answer.map_err(|error| away(&error))?;
    let status = answer.status().as_u16();
    let bytes = answer.body_mut().with_config().limit(MAX_ANSWER as u64).read_to_vec().map_err(|error| away(&error))?;
    if status == 200 {
        return serde_json::from_slice(&bytes).map_err(|error| away(&error));
    }
    match serde_json::from_slice::<Problem>(&bytes) {
        Ok(problem) => Err(Failure::from_problem(&problem)),
        Err(_) => Err(away(&format_args!("status {status}"))),
    }
}

fn unreachable(error: SourceError) -> Failure {
    let kind = if error.code() == "service.unreachable" { Kind::Unreachable } else { Kind::Lie };
    Failure::new(kind, error.code(), error)
}

fn lie(code: &str, message: impl std::fmt::Display) -> Failure {
    Failure::new(Kind::Lie, code, message)
}

/// A lie's evidence is on disk before anybody is told of it.
fn keep_lie(error: &ViewError, kept: &Kept) -> Failure {
    let mut failure = Failure::from_view(error);
    if let ViewError::Lie { evidence, .. } = error {
        match kept.keep_evidence(evidence) {
            Ok(path) => failure.evidence = Some(path.display().to_string()),
            Err(disk) => failure.message = format!("{} (and the evidence could not be kept: {disk})", failure.message),
        }
    }
    failure
}
