//! Answers about accounts, handles and the log: proofs under one head, taken at one moment, with what they prove.

use std::net::IpAddr;

use chain::encoding::Writer;
use chain::handle::Handle;
use chain::id::{AccountId, Digest};
use chain::map::{MapKey, MapProof, MapValue};
use chain::sigchain::device_set::DeviceSet;
use chain::sigchain::rules::RULE_SET;
use chain::stamped::{StampedEntry, fold_stamped};
use protocol::api::{
    AccountAnswer, ConsistencyAnswer, GenesisAnswer, HandleAnswer, HandleQuestion, Head, SealedEntry, WellKnown,
    WitnessEntry,
};
use protocol::bytes::{Base64Url, Hashes};
use protocol::limits::{MAX_REQUEST_BODY, PAGE_ENTRIES};

use crate::http::refusal::Refusal;
use crate::record::{At, Proven, ProvenHead};
use crate::shared::Shared;

/// Most bytes of entries in one answer: with base64url and proofs it stays below 1 MiB.
const MAX_PAGE_BYTES: usize = 600_000;

fn head(proven: ProvenHead) -> Head {
    Head {
        checkpoint: proven.note,
        header: Base64Url(proven.header.encode()),
        inclusion: Hashes(proven.inclusion),
        consistency: proven.consistency.map(Hashes),
    }
}

fn encode(proof: &MapProof) -> Base64Url {
    let mut writer = Writer::new();
    proof.encode(&mut writer);
    Base64Url(writer.finish())
}

impl Shared {
    /// What a first look needs, and what leads to it from the size that the asker knows.
    pub(crate) fn genesis(&self, from: Option<u64>) -> Result<GenesisAnswer, Refusal> {
        let record = self.record()?;
        let (proven, inclusion) = record.prove_genesis(from).ok_or(Refusal::Starting)?;
        Ok(GenesisAnswer {
            head: head(proven),
            genesis: Base64Url(record.genesis.encode()),
            genesis_inclusion: Hashes(inclusion),
            parameters: Base64Url(record.parameters.encode()),
        })
    }

    /// What the record says of an account, with its entries from sequence number `since` on; its head with what leads
    /// there from size `from`.
    pub(crate) fn account(
        &self,
        account: &AccountId,
        since: u64,
        at: At,
        from: Option<u64>,
    ) -> Result<AccountAnswer, Refusal> {
        let key = MapKey(DeviceSet::map_key(account));
        let proven = self.record()?.prove(at, &key, from).ok_or(Refusal::Starting)?;
        let wanted = PAGE_ENTRIES.saturating_add(1);
        let found = self.readers.with(|store| store.entries_since(account, since, proven.head.size, wanted))?;
        let mut entries = Vec::new();
        let (mut bytes, total) = (0_usize, found.len());
        for entry in found.into_iter().take(PAGE_ENTRIES) {
            bytes = bytes.saturating_add(entry.bytes.len());
            if bytes > MAX_PAGE_BYTES && !entries.is_empty() {
                break;
            }
            entries.push(SealedEntry { block: entry.block, time_s: entry.time_s, entry: Base64Url(entry.bytes) });
        }
        let more = entries.len() < total;
        let record = Base64Url(self.record_of(account, &proven)?);
        let map_proof = encode(&proven.map_proof);
        Ok(AccountAnswer { head: head(proven.head), map_proof, record, entries, more })
    }

    /// The device-set record that stands behind the proven value: the newest one, or, while a newer block waits for its
    /// quorum, the one that the entries up to the proven block give.
    fn record_of(&self, account: &AccountId, proven: &Proven) -> Result<Vec<u8>, Refusal> {
        let Some(value) = proven.value else { return Ok(Vec::new()) };
        let newest = self.readers.with(|store| store.account(account))?;
        if let Some(set) = newest.filter(|set| MapValue(set.map_value()) == value) {
            return Ok(set.encode());
        }
        let found = self.readers.with(|store| store.entries_since(account, 0, proven.head.size, usize::MAX))?;
        let stamped: Vec<_> =
            found.into_iter().map(|it| StampedEntry { block: it.block, time_s: it.time_s, entry: it.bytes }).collect();
        let folded = fold_stamped(None, &stamped, &self.record()?.parameters, &|_| None);
        folded.map(|set| set.encode()).map_err(|_| Refusal::Starting)
    }

    /// Who holds a handle, by the published record. The work is the same for all handles (attack 31).
    pub(crate) fn handle(&self, question: &HandleQuestion, address: IpAddr) -> Result<HandleAnswer, Refusal> {
        let record = self.record()?;
        let now_s = self.now_s();
        self.rates().lookup(&self.limits, address, now_s)?;
        let handle = Handle::parse(&question.handle)?;
        let (vrf_proof, label) = self.keys.vrf.prove(&handle)?;
        let key = MapKey(Digest(label.0));
        let proven = record.prove(At::Published, &key, question.from).ok_or(Refusal::Starting)?;
        let newest = self.readers.with(|store| store.handle(&label))?;
        let fits = |head: &chain::handle::HandleHead| Some(MapValue(head.value())) == proven.value;
        let handle_head = match newest.filter(fits) {
            Some(head) => head.encode(),
            None if proven.value.is_none() => Vec::new(),
            // it changed hands in a block that witnesses have not seen yet: in a moment there is one answer again
            None => return Err(Refusal::Starting),
        };
        Ok(HandleAnswer {
            head: head(proven.head),
            vrf_proof: Base64Url(vrf_proof.as_bytes().to_vec()),
            label: label.to_string(),
            map_proof: encode(&proven.map_proof),
            handle_head: Base64Url(handle_head),
        })
    }

    /// That the log at one size begins with the log at another.
    pub(crate) fn consistency(&self, from: u64, to: u64) -> Result<ConsistencyAnswer, Refusal> {
        let proof = self.record()?.consistency_with_root(from, to);
        let proof = proof.ok_or(Refusal::Malformed { what: "the range of sizes" })?;
        Ok(ConsistencyAnswer { from, to, proof: Hashes(proof) })
    }

    /// What the service says about itself.
    pub(crate) fn well_known(&self) -> Result<WellKnown, Refusal> {
        let parameters = &self.record()?.parameters;
        let witnesses = parameters.policy.witnesses().iter().map(|witness| WitnessEntry {
            vkey: witness.key.to_string(),
            url: witness.url.clone().unwrap_or_default(),
        });
        Ok(WellKnown {
            api: "/v1".into(),
            origin: self.origin.clone(),
            log_vkey: self.log_vkey.to_string(),
            service_key: parameters.service_key.to_string(),
            vrf_key: Digest(*parameters.vrf_key.as_bytes()).to_string(),
            witnesses: witnesses.collect(),
            quorum: parameters.policy.smallest_quorum(),
            rule_set: RULE_SET,
            max_request_body: MAX_REQUEST_BODY,
            page_entries: PAGE_ENTRIES,
            heartbeat_s: self.heartbeat.as_secs(),
        })
    }
}
