//! A service in a folder of its own with a made-up clock and without sockets, and devices that talk to its router.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use axum::body::{Body as HttpBody, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use chain::block::Header;
use chain::encoding::Reader;
use chain::handle::{Handle, HandleHead, VrfProof, VrfPublicKey};
use chain::id::{AccountId, DeviceKeys, Digest, HandleLabel, PublicKey};
use chain::log::checkpoint::LogSignedCheckpoint;
use chain::log::merkle;
use chain::log::note::SignedNote;
use chain::log::policy::Policy;
use chain::map::{MapKey, MapProof, MapValue};
use chain::sigchain::body::{Answer, Body, Confirmer, ResetChoice};
use chain::sigchain::device_set::DeviceSet;
use chain::sigchain::entry::{Entry, Proposal, SeenCheckpoint, Signatures, Statement};
use chain::sigchain::fold::Ground;
use ed25519_dalek::SigningKey;
use protocol::api::{AccountAnswer, EntryAccepted, HandleAnswer, Head, SealedEntry, WellKnown};
use protocol::limits::Limits;
use protocol::refusal::Problem;
use serde::de::DeserializeOwned;
use service::{Options, Service, StartError};
use tower::ServiceExt as _;

pub(crate) const ORIGIN: &str = "test.example/log";

/// A data folder that goes away with its test, and a clock.
pub(crate) struct World {
    pub(crate) data: PathBuf,
    pub(crate) now_s: Arc<AtomicU64>,
    pub(crate) limits: Limits,
    pub(crate) free_percent: fn(&Path) -> std::io::Result<u64>,
}

static NEXT: AtomicU32 = AtomicU32::new(0);

impl World {
    pub(crate) fn new() -> Self {
        let name = format!("trefoil-service-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let data = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&data).unwrap();
        let now_s = Arc::new(AtomicU64::new(1_800_000_000));
        Self { data, now_s, limits: Limits::PUBLIC, free_percent: |_| Ok(50) }
    }

    pub(crate) fn options(&self) -> Options {
        let now_s = Arc::clone(&self.now_s);
        Options {
            origin: Some(ORIGIN.into()),
            heartbeat: Duration::from_secs(86_400),
            limits: self.limits,
            clock: Arc::new(move || now_s.load(Ordering::Relaxed)),
            free_percent: self.free_percent,
            ..Options::new(&self.data)
        }
    }

    pub(crate) fn open(&self) -> Result<Service, StartError> {
        let service = Service::open(self.options())?;
        // block 0 is sealed by the sequencer's thread; without witnesses that takes a few writes
        while block_on(ask(&service, Request::get("/checkpoint"), "", LOOPBACK)).status() == 503 {
            std::thread::yield_now();
        }
        Ok(service)
    }

    pub(crate) fn now_s(&self) -> u64 {
        self.now_s.load(Ordering::SeqCst)
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.now_s.fetch_add(seconds, Ordering::Relaxed);
    }

    pub(crate) fn copy_to(&self, other: &Path) {
        copy(&self.data, other);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.data).unwrap_or_default();
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

pub(crate) const LOOPBACK: &str = "127.0.0.1:1";

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

pub(crate) async fn ask(
    service: &Service,
    request: axum::http::request::Builder,
    body: impl Into<HttpBody>,
    from: &str,
) -> Response<HttpBody> {
    let mut request = request.body(body.into()).unwrap();
    request.extensions_mut().insert(ConnectInfo(from.parse::<SocketAddr>().unwrap()));
    service.router().oneshot(request).await.unwrap()
}

/// The body, or the refusal's code.
pub(crate) fn answer<T: DeserializeOwned>(
    service: &Service,
    request: axum::http::request::Builder,
    body: impl Into<HttpBody>,
    from: &str,
) -> Result<T, String> {
    block_on(async {
        let response = ask(service, request, body, from).await;
        let status = response.status();
        assert_eq!(response.headers()["cache-control"], "no-store");
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        if status.is_success() {
            return Ok(serde_json::from_slice(&body).unwrap());
        }
        let problem: Problem = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem.status, status.as_u16());
        Err(problem.code)
    })
}

pub(crate) fn bytes(service: &Service, path: &str) -> Vec<u8> {
    block_on(async {
        let response = ask(service, Request::get(path), "", LOOPBACK).await;
        assert!(response.status().is_success(), "{path}: {}", response.status());
        to_bytes(response.into_body(), 1 << 25).await.unwrap().to_vec()
    })
}

pub(crate) fn submit(service: &Service, proposal: &Proposal) -> Result<EntryAccepted, String> {
    submit_from(service, proposal, LOOPBACK)
}

pub(crate) fn submit_from(service: &Service, proposal: &Proposal, from: &str) -> Result<EntryAccepted, String> {
    answer(service, Request::post("/v1/entries"), proposal.encode(), from)
}

pub(crate) fn lookup(service: &Service, handle: &str, from: &str) -> Result<HandleAnswer, String> {
    let question = serde_json::json!({ "handle": handle }).to_string();
    answer(service, Request::post("/v1/handles/lookup"), question, from)
}

pub(crate) fn well_known(service: &Service) -> WellKnown {
    answer(service, Request::get("/.well-known/trefoil"), "", LOOPBACK).unwrap()
}

/// Checks a head as a client does: log signature, inclusion of the newest leaf. Gives its header and checkpoint.
pub(crate) fn check_head(service: &Service, head: &Head) -> (Header, SeenCheckpoint) {
    let policy: Policy = std::fs::read_to_string(service.policy_path()).unwrap().parse().unwrap();
    let note = SignedNote::parse(head.checkpoint.as_bytes()).unwrap();
    let signed = LogSignedCheckpoint::verify(&note, &policy).unwrap();
    let (size, root) = (signed.checkpoint().size, signed.checkpoint().root);
    let leaf = merkle::leaf_hash(&head.header.0);
    merkle::verify_inclusion(&leaf, size - 1, size, &head.inclusion.0, &root).unwrap();
    (Header::decode(&head.header.0).unwrap(), SeenCheckpoint { size, root })
}

fn map_value(proof: &[u8], header: &Header, key: &MapKey) -> Option<MapValue> {
    let mut reader = Reader::new(proof);
    let proof = MapProof::decode(&mut reader).unwrap();
    reader.finish().unwrap();
    proof.verify(&header.new_root, key).unwrap()
}

/// An account as its answer proves it, all entries folded.
pub(crate) fn proven(service: &Service, account: &AccountId) -> Option<DeviceSet> {
    let mut set: Option<DeviceSet> = None;
    loop {
        let since = set.as_ref().map_or(0, |set| set.sequence() + 1);
        let path = format!("/v1/accounts/{account}?since={since}");
        let found: AccountAnswer = answer(service, Request::get(path), "", LOOPBACK).unwrap();
        set = fold(service, set, &found.entries);
        if !found.more {
            let (header, _) = check_head(service, &found.head);
            let value = map_value(&found.map_proof.0, &header, &MapKey(DeviceSet::map_key(account)));
            assert_eq!(value, set.as_ref().map(|set| MapValue(set.map_value())));
            return set;
        }
    }
}

/// Continues the fold of an account.
pub(crate) fn fold(service: &Service, set: Option<DeviceSet>, entries: &[SealedEntry]) -> Option<DeviceSet> {
    let parameters = chain::block::Parameters::decode(&bytes(service, "/block/0")).unwrap();
    entries.iter().fold(set, |set, sealed| {
        let entry = Entry::decode(&sealed.entry.0).unwrap();
        let ground = Ground { parameters: &parameters, block: sealed.block, time_s: sealed.time_s, root_at: &|_| None };
        let folded = match &set {
            None => DeviceSet::open(&entry, &ground, &mut Signatures::CheckNow),
            Some(set) => set.apply(&entry, &ground, &mut Signatures::CheckNow),
        };
        Some(folded.unwrap())
    })
}

/// Who holds a handle, as the answer proves it; and the handle's label.
pub(crate) fn proven_handle(service: &Service, handle: &str) -> (Option<HandleHead>, HandleLabel) {
    let found = lookup(service, handle, LOOPBACK).unwrap();
    let (header, _) = check_head(service, &found.head);
    let key: Digest = well_known(service).vrf_key.parse().unwrap();
    let proof = VrfProof(found.vrf_proof.0.as_slice().try_into().unwrap());
    let key = VrfPublicKey::from_bytes(&key.0).unwrap();
    let label = key.verify(&Handle::parse(handle).unwrap(), &proof).unwrap();
    assert_eq!(label.to_string(), found.label);
    let value = map_value(&found.map_proof.0, &header, &MapKey(Digest(label.0)));
    let head = (!found.handle_head.0.is_empty()).then(|| {
        let mut reader = Reader::new(&found.handle_head.0);
        HandleHead::decode(&mut reader).unwrap()
    });
    assert_eq!(value, head.as_ref().map(|head| MapValue(head.value())));
    (head, label)
}

/// A device with its keys.
pub(crate) struct Device {
    pub(crate) chain: SigningKey,
    pub(crate) mls: SigningKey,
}

static NEXT_KEY: AtomicU32 = AtomicU32::new(1);

impl Device {
    pub(crate) fn new() -> Self {
        let seed = |half: u8| {
            let mut seed = [half; 32];
            seed[..4].copy_from_slice(&NEXT_KEY.fetch_add(1, Ordering::Relaxed).to_be_bytes());
            SigningKey::from_bytes(&seed)
        };
        Self { chain: seed(1), mls: seed(2) }
    }

    pub(crate) fn keys(&self) -> DeviceKeys {
        DeviceKeys { chain: PublicKey::from(&self.chain), mls: PublicKey::from(&self.mls) }
    }

    pub(crate) fn sign(&self, statement: Statement) -> Proposal {
        Proposal::sign(statement, ORIGIN, &self.chain, Some(&self.mls))
    }

    /// A proposal that opens an account.
    pub(crate) fn opening(&self, handle: Option<HandleLabel>) -> (AccountId, Proposal) {
        let body = Body::AccountCreated {
            salt: self.mls.to_bytes(),
            device: self.keys(),
            reset_choice: ResetChoice::ThreeDays,
            handle,
            predecessor: None,
        };
        let statement = Statement::opening(1, nothing_seen(), body);
        (statement.position.account, self.sign(statement))
    }

    /// A proposal that lists this device in an account.
    pub(crate) fn joining(&self, set: &DeviceSet) -> Proposal {
        let body = Body::DeviceAdded { device: self.keys(), commitments: [Digest::ZERO; 3] };
        self.sign(set.following(body, nothing_seen()))
    }

    /// A proposal by which this device confirms another.
    pub(crate) fn confirming(&self, set: &DeviceSet, other: &Self) -> Proposal {
        let device = other.keys().id();
        let added = set.pending()[&device].added;
        let signer = Confirmer::Device(self.keys().id());
        self.sign(set.following(Body::DeviceConfirmed(Answer { added, device, signer }), nothing_seen()))
    }

    /// A proposal that changes the reset choice, as a thing to do.
    pub(crate) fn choosing(&self, set: &DeviceSet, choice: ResetChoice) -> Proposal {
        self.sign(set.following(Body::ResetChoiceSet { choice, signer: self.keys().id() }, nothing_seen()))
    }
}

pub(crate) fn nothing_seen() -> SeenCheckpoint {
    SeenCheckpoint { size: 0, root: merkle::empty_root() }
}

/// An open account with one device.
pub(crate) fn account(service: &Service) -> (AccountId, Device) {
    let device = Device::new();
    let (account, opening) = device.opening(None);
    submit(service, &opening).unwrap();
    (account, device)
}
