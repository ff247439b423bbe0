//! Requests and answers of the service, as JSON. Ids and hashes of 32 bytes are lower-case hexadecimal where a person
//! may have to compare them, everything else base64url.
//!
//! ```text
//! GET  /.well-known/trefoil                      -> WellKnown
//! GET  /checkpoint                               -> note, newest with a quorum (C2SP tlog-checkpoint)
//! GET  /checkpoint/latest                        -> note, newest with the log's signature
//! GET  /tile/<level>/<index>[.p/<width>]         -> hashes (C2SP tlog-tiles)
//! GET  /tile/entries/<index>[.p/<width>]         -> block headers
//! GET  /block/<number>                           -> block body, named by number in decimal
//! POST /v1/entries[?wait=quorum]                 <- proposal, raw bytes        -> EntryAccepted
//! GET  /v1/accounts/<id>?since=<seq>[&at=latest][&from=<size>] -> AccountAnswer
//! POST /v1/accounts/<id>/reset                   <- successor's proposal, raw  -> EntryAccepted
//! POST /v1/handles/lookup                        <- HandleQuestion             -> HandleAnswer
//! GET  /v1/consistency?from=<size>&to=<size>     -> ConsistencyAnswer
//! GET  /v1/genesis[?from=<size>]                 -> GenesisAnswer
//! ```
//!
//! Sign-up, log-in and tokens are in [`accounts`], groups and messages in [`delivery`], files in [`blobs`], what is told to the
//! operator in [`reports`].
//!
//! Every answer carries its own sizes and proofs, so no cache can pass one off as another (attack 25). Not in scope:
//! checking them (`chain::view`).

pub mod accounts;
pub mod blobs;
pub mod delivery;
pub mod reports;

use serde::{Deserialize, Serialize};

use crate::bytes::{Base64Url, Hashes};

/// Where a program starts that knows the service's address only.
pub const WELL_KNOWN: &str = "/.well-known/trefoil";
/// Newest checkpoint with a quorum of cosignatures.
pub const CHECKPOINT: &str = "/checkpoint";
/// Newest checkpoint with the log's signature alone.
pub const CHECKPOINT_LATEST: &str = "/checkpoint/latest";
/// Prefix of tiles.
pub const TILE: &str = "/tile/";
/// Prefix of block bodies.
pub const BLOCK: &str = "/block/";
/// Where proposals go.
pub const ENTRIES: &str = "/v1/entries";
/// Prefix of accounts.
pub const ACCOUNTS: &str = "/v1/accounts/";
/// Where handles are looked up.
pub const HANDLE_LOOKUP: &str = "/v1/handles/lookup";
/// Where consistency proofs are.
pub const CONSISTENCY: &str = "/v1/consistency";
/// Where a first look begins.
pub const GENESIS: &str = "/v1/genesis";
/// Media type of refusals (RFC 9457).
pub const PROBLEM_TYPE: &str = "application/problem+json";

/// One witness of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WitnessEntry {
    /// Its verifier key (C2SP signed-note, cosignature).
    pub vkey: String,
    /// Where it answers.
    pub url: String,
}

/// What the service says about itself. Nothing here is trusted without a policy file of one's own: it is a
/// convenience for a first look and for programs that only read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WellKnown {
    /// Path prefix of the interface.
    pub api: String,
    /// The log's origin.
    pub origin: String,
    /// The log's verifier key (C2SP signed-note).
    pub log_vkey: String,
    /// The service's entry key, hexadecimal.
    pub service_key: String,
    /// The log's VRF key, hexadecimal.
    pub vrf_key: String,
    /// The witnesses.
    pub witnesses: Vec<WitnessEntry>,
    /// How many of them make a quorum; 0 without witnesses.
    pub quorum: usize,
    /// Rule sets and formats of the chain that are in use.
    pub rule_set: u16,
    /// Most bytes of a request's body.
    pub max_request_body: usize,
    /// Most entries in one answer.
    pub page_entries: usize,
    /// Seconds between blocks when nothing happens.
    pub heartbeat_s: u64,
}

/// A proposal was sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryAccepted {
    /// Hash of the sealed entry, hexadecimal.
    pub entry: String,
    /// The account, hexadecimal.
    pub account: String,
    /// Its place in the sigchain.
    pub sequence: u64,
    /// The number of its block: it is proven under every checkpoint of a size above this.
    pub block: u64,
    /// True if a checkpoint with a quorum of cosignatures covers it.
    pub quorum: bool,
}

/// The head of the log and its newest header: what every proof about the map stands on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The checkpoint, a signed note.
    pub checkpoint: String,
    /// The header of the newest block under it: leaf `size - 1`.
    pub header: Base64Url,
    /// The inclusion proof of that leaf.
    pub inclusion: Hashes,
    /// If the question named the size that the asker knows (`from`): the consistency proof from there (RFC 6962 §2.1.2);
    /// for a power of two with the root of that size in front, which the usual proof leaves out, so that it shows a
    /// fork as well. Empty if the sizes are the same. Left out if nobody asked, and if `from` is 0 or larger than this
    /// log: whoever has seen more than there is gets the smaller head, and knows that the log was rolled back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consistency: Option<Hashes>,
}

/// What a first look needs, in one answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenesisAnswer {
    /// The log's head.
    #[serde(flatten)]
    pub head: Head,
    /// Header 0.
    pub genesis: Base64Url,
    /// The inclusion proof of leaf 0.
    pub genesis_inclusion: Hashes,
    /// The body of block 0.
    pub parameters: Base64Url,
}

/// One entry with the block that it is in; both numbers are bound by the history hash in the account's head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedEntry {
    /// Number of its block.
    pub block: u64,
    /// Time of that block, seconds since 1970.
    pub time_s: u64,
    /// The entry.
    pub entry: Base64Url,
}

/// What the record says of one account. Present and absent accounts have one shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountAnswer {
    /// The log's head.
    #[serde(flatten)]
    pub head: Head,
    /// The map proof of the account's leaf, or of its absence.
    pub map_proof: Base64Url,
    /// The device-set record whose hash is in the leaf; empty if there is no such account.
    pub record: Base64Url,
    /// Entries from the asked sequence number on, at most 256.
    pub entries: Vec<SealedEntry>,
    /// True if more follow: ask again from after the last one. The proof is for the head behind all of them.
    pub more: bool,
}

/// The question who holds a handle. In a body, so that no name is in a URL.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandleQuestion {
    /// The handle, as typed.
    pub handle: String,
    /// The size of the log that the asker knows, for a consistency proof in the answer's head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
}

impl std::fmt::Debug for HandleQuestion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HandleQuestion(..)")
    }
}

/// What the record says of one handle. Bound, released and unknown handles have one shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandleAnswer {
    /// The log's head.
    #[serde(flatten)]
    pub head: Head,
    /// The VRF proof of the handle's place; the label follows from it.
    pub vrf_proof: Base64Url,
    /// The handle's label, as an entry that binds it has to name it, hexadecimal.
    pub label: String,
    /// The map proof of the handle's leaf, or of its absence.
    pub map_proof: Base64Url,
    /// The handle's head; empty if it was never bound.
    pub handle_head: Base64Url,
}

/// That the log at one size begins with the log at another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsistencyAnswer {
    /// The smaller size.
    pub from: u64,
    /// The larger size.
    pub to: u64,
    /// The proof (RFC 6962 §2.1.2); of a complete smaller tree with its root in front.
    pub proof: Hashes,
}
