//! The HTTP interface of a witness (C2SP tlog-witness).
//!
//! | Request | Answer |
//! |---|---|
//! | `POST /add-checkpoint` | the cosignature, or a refusal (WIT-2) |
//! | `GET /<hex SHA-256 of origin>/checkpoint` | the newest cosigned checkpoint, or 404 (WIT-6) |
//! | `GET /vkey` | the key of this witness |
//!
//! `/vkey` is not in tlog-witness: it spares typing, and proves nothing about who runs the witness. A refusal that names no size has its code as body. Not in scope: TLS, for which a proxy stands in front.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use chain::id::Digest;
use chain::log::note::{KeyKind, KeyName, NoteError, VerifierKey};
use chain::log::witness::{AddCheckpointRequest, MAX_REQUEST_BYTES, Refusal, decide};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::connection::EndingListener;
use crate::store::{Store, StoreError};

/// How long the body of a request may take (attack 52).
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long requests may go on after the shutdown was asked for.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);

const TEXT: &str = "text/plain; charset=utf-8";

/// What a witness is started with.
#[derive(Debug, Clone)]
pub struct WitnessOptions {
    /// Its folder; see [`crate::store`].
    pub folder: PathBuf,
    /// The name of its key, such as `witness.example/w1`; fixed when the folder is new.
    pub name: KeyName,
    /// The keys of the logs that it cosigns (type 0x01). The name of a key is the origin of its log.
    pub logs: Vec<VerifierKey>,
    /// The clock: seconds since 1970. [`system_time`] outside tests.
    pub clock: fn() -> u64,
}

/// The time of the operating system, in seconds since 1970; 0 before.
pub fn system_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Why a witness does not start, or ended.
#[derive(Debug, Error)]
pub enum WitnessError {
    /// The folder is refused, or a write failed.
    #[error("the store is refused")]
    Store(#[from] StoreError),
    /// A key that is not for logs.
    #[error("the key of {name} is no key of a log")]
    NotALogKey {
        /// Its name.
        name: KeyName,
    },
    /// The address is not to be had, or the socket failed.
    #[error("the socket failed")]
    Socket(#[source] io::Error),
}

impl WitnessError {
    /// The stable code of this refusal.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            Self::NotALogKey { .. } => "witness.log_key",
            Self::Socket(_) => "witness.socket",
        }
    }
}

/// A witness with its folder open; not listening yet.
#[derive(Debug)]
pub struct Witness {
    cosigner: Arc<Cosigner>,
    failures: mpsc::UnboundedReceiver<StoreError>,
}

impl Witness {
    /// Opens the folder, or makes a new one; see [`Witness::is_new`].
    ///
    /// # Errors
    /// [`WitnessError::Store`], [`WitnessError::NotALogKey`].
    pub fn open(options: WitnessOptions) -> Result<Self, WitnessError> {
        let WitnessOptions { folder, name, logs, clock } = options;
        if let Some(key) = logs.iter().find(|key| key.kind() != KeyKind::Ed25519) {
            return Err(WitnessError::NotALogKey { name: key.name().clone() });
        }
        let store = Store::open(&folder, &name)?;
        let (vkey, is_new) = (store.signer().verifier_key().clone(), store.is_new());
        let (failed, failures) = mpsc::unbounded_channel();
        let cosigner = Cosigner { store: Mutex::new(store), logs, clock, vkey, is_new, failed };
        Ok(Self { cosigner: Arc::new(cosigner), failures })
    }

    /// True if the folder was made just now: a new witness with a new key, which has to be said aloud.
    pub fn is_new(&self) -> bool {
        self.cosigner.is_new
    }

    /// The key that its cosignatures are checked against.
    pub fn verifier_key(&self) -> &VerifierKey {
        &self.cosigner.vkey
    }

    /// The answer to an add-checkpoint request. Blocks while the disk writes.
    pub fn add_checkpoint(&self, body: &[u8]) -> Answer {
        self.cosigner.add_checkpoint(body)
    }

    /// The routes, for use without a socket.
    pub fn app(&self) -> Router {
        Router::new()
            .route("/add-checkpoint", post(add_checkpoint))
            .route("/{origin_hash}/checkpoint", get(checkpoint))
            .route("/vkey", get(vkey))
            .with_state(Arc::clone(&self.cosigner))
    }

    /// Starts to listen. Port 0 takes a free one; see [`BoundWitness::address`].
    ///
    /// # Errors
    /// [`WitnessError::Socket`].
    pub async fn bind(self, address: SocketAddr) -> Result<BoundWitness, WitnessError> {
        let listener = TcpListener::bind(address).await.map_err(WitnessError::Socket)?;
        let address = listener.local_addr().map_err(WitnessError::Socket)?;
        Ok(BoundWitness { witness: self, listener, address })
    }
}

/// A witness that has its address.
#[derive(Debug)]
pub struct BoundWitness {
    witness: Witness,
    listener: TcpListener,
    address: SocketAddr,
}

impl BoundWitness {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests until `shutdown` completes.
    ///
    /// # Errors
    /// [`WitnessError::Store`] as soon as anything could not be written or synced: the caller ends the process, because
    /// a second attempt could succeed without the bytes being on the disk.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<(), WitnessError> {
        let Self { mut witness, listener, .. } = self;
        let (asked, mut is_asked) = mpsc::channel::<()>(1);
        let shutdown = async move {
            shutdown.await;
            drop(asked);
        };
        let server = axum::serve(EndingListener(listener), witness.app()).with_graceful_shutdown(shutdown);
        let too_late = async {
            is_asked.recv().await;
            tokio::time::sleep(SHUTDOWN_TIMEOUT).await;
        };
        tokio::select! {
            served = server.into_future() => served.map_err(WitnessError::Socket),
            Some(error) = witness.failures.recv() => Err(error.into()),
            () = too_late => Ok(()),
        }
    }
}

/// The state behind the routes.
#[derive(Debug)]
struct Cosigner {
    /// Check and store are one step: whoever decides holds the lock until the result is on the disk (WIT-3).
    store: Mutex<Store>,
    logs: Vec<VerifierKey>,
    clock: fn() -> u64,
    vkey: VerifierKey,
    is_new: bool,
    failed: mpsc::UnboundedSender<StoreError>,
}

/// Why a request is not answered with a cosignature.
#[derive(Debug, Error)]
enum AddError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the clock has no time to sign")]
    Clock(#[source] NoteError),
    #[error("the store is broken")]
    Broken,
}

impl Cosigner {
    fn add_checkpoint(&self, body: &[u8]) -> Answer {
        match self.try_add_checkpoint(body) {
            Ok(line) => Answer { status: 200, content_type: TEXT, body: line },
            Err(AddError::Refused(refusal)) => {
                let content_type = refusal.content_type().unwrap_or(TEXT);
                Answer { status: refusal.status(), content_type, body: refusal.body() }
            }
            Err(AddError::Clock(_)) => Answer::code(500, "witness.clock"),
            Err(AddError::Broken) => Answer::code(500, "store.broken"),
        }
    }

    fn try_add_checkpoint(&self, body: &[u8]) -> Result<String, AddError> {
        let request = AddCheckpointRequest::parse(body).map_err(Refusal::from)?;
        let mut store = self.store.lock().map_err(|_| AddError::Broken)?;
        let accepted = decide(store.newest(&request.checkpoint().origin), &request, &self.logs)?;
        let cosigned = accepted.cosign(store.signer(), (self.clock)()).map_err(AddError::Clock)?;
        store.record(cosigned.note).map_err(|error| {
            // nobody listens any more if the server is ending already
            _ = self.failed.send(error);
            AddError::Broken
        })?;
        Ok(cosigned.answer)
    }

    fn newest(&self, origin_hash: &Digest) -> Option<String> {
        self.store.lock().ok()?.newest_note(origin_hash).map(ToString::to_string)
    }
}

/// An answer, before it is HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The content type.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

impl Answer {
    fn code(status: u16, code: &str) -> Self {
        Self { status, content_type: TEXT, body: format!("{code}\n") }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // what a witness says is true now, not later (attack 25)
        (status, [(CONTENT_TYPE, self.content_type), (CACHE_CONTROL, "no-store")], self.body).into_response()
    }
}

async fn add_checkpoint(State(cosigner): State<Arc<Cosigner>>, body: Body) -> Answer {
    let body = match timeout(BODY_TIMEOUT, to_bytes(body, MAX_REQUEST_BYTES)).await {
        Err(_) => return Answer::code(408, "witness.slow"),
        Ok(Err(_)) => return Answer::code(413, "witness.too_large"),
        Ok(Ok(body)) => body,
    };
    let answered = tokio::task::spawn_blocking(move || cosigner.add_checkpoint(&body)).await;
    answered.unwrap_or_else(|_| Answer::code(500, "store.broken"))
}

async fn checkpoint(State(cosigner): State<Arc<Cosigner>>, Path(origin_hash): Path<String>) -> Answer {
    let newest = tokio::task::spawn_blocking(move || cosigner.newest(&origin_hash.parse().ok()?)).await;
    match newest {
        Ok(Some(note)) => Answer { status: 200, content_type: TEXT, body: note },
        Ok(None) | Err(_) => Answer::code(404, "witness.unknown_origin"),
    }
}

async fn vkey(State(cosigner): State<Arc<Cosigner>>) -> Answer {
    Answer { status: 200, content_type: TEXT, body: format!("{}\n", cosigner.vkey) }
}
