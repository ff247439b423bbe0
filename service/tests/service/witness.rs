//! A witness on a loopback port, in memory: the production decision behind the three addresses that a service asks.

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use chain::log::checkpoint::Checkpoint;
use chain::log::note::{KeyKind, NoteSigner, SignedNote, VerifierKey};
use chain::log::witness::{AddCheckpointRequest, Refusal, decide};
use ed25519_dalek::SigningKey;
use service::WitnessAddress;

/// The witness, also after its log has forgotten something.
pub(crate) struct Witness {
    shared: Arc<Shared>,
    pub(crate) url: String,
}

struct Shared {
    signer: NoteSigner,
    now_s: Arc<AtomicU64>,
    down: AtomicBool,
    logs: Mutex<Vec<VerifierKey>>,
    newest: Mutex<Option<SignedNote>>,
}

impl Witness {
    pub(crate) fn start(seed: u8, now_s: &Arc<AtomicU64>) -> Self {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let signer = NoteSigner::new(format!("witness.example/{seed}").parse().unwrap(), KeyKind::CosignatureV1, key);
        let shared = Arc::new(Shared {
            signer,
            now_s: Arc::clone(now_s),
            down: AtomicBool::new(false),
            logs: Mutex::default(),
            newest: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/vkey", get(async |State(it): State<Arc<Shared>>| it.vkey()))
            .route("/add-checkpoint", post(async |State(it): State<Arc<Shared>>, body: String| it.add(body.as_bytes())))
            .route("/{origin}/checkpoint", get(async |State(it): State<Arc<Shared>>, _: Path<String>| it.newest()))
            .with_state(Arc::clone(&shared));
        std::thread::spawn(move || {
            crate::world::block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, router).await.unwrap();
            });
        });
        Self { shared, url }
    }

    pub(crate) fn by_url(&self) -> WitnessAddress {
        self.url.parse().unwrap()
    }

    pub(crate) fn by_key(&self) -> WitnessAddress {
        format!("{}@{}", self.shared.signer.verifier_key(), self.url).parse().unwrap()
    }

    /// Begins to cosign for a log.
    pub(crate) fn trust(&self, log: &VerifierKey) {
        self.shared.logs.lock().unwrap().push(log.clone());
    }

    pub(crate) fn set_down(&self, down: bool) {
        self.shared.down.store(down, Ordering::Relaxed);
    }

    pub(crate) fn size(&self) -> u64 {
        let newest = self.shared.newest.lock().unwrap();
        newest.as_ref().map_or(0, |note| Checkpoint::parse(note.text()).unwrap().size)
    }
}

impl Shared {
    fn vkey(&self) -> (StatusCode, String) {
        if self.down.load(Ordering::Relaxed) {
            return (StatusCode::SERVICE_UNAVAILABLE, String::new());
        }
        (StatusCode::OK, self.signer.verifier_key().to_string())
    }

    fn add(&self, body: &[u8]) -> (StatusCode, String) {
        if self.down.load(Ordering::Relaxed) {
            return (StatusCode::SERVICE_UNAVAILABLE, String::new());
        }
        let mut newest = self.newest.lock().unwrap();
        let cosigned = newest.as_ref().map(|note| Checkpoint::parse(note.text()).unwrap());
        let decided = AddCheckpointRequest::parse(body)
            .map_err(Refusal::from)
            .and_then(|request| decide(cosigned.as_ref(), &request, &self.logs.lock().unwrap()));
        match decided {
            Ok(accepted) => {
                let cosigned = accepted.cosign(&self.signer, self.now_s.load(Ordering::Relaxed)).unwrap();
                *newest = Some(cosigned.note);
                (StatusCode::OK, cosigned.answer)
            }
            Err(refusal) => (StatusCode::from_u16(refusal.status()).unwrap(), refusal.body()),
        }
    }

    fn newest(&self) -> (StatusCode, String) {
        let newest = self.newest.lock().unwrap();
        newest.as_ref().map_or((StatusCode::NOT_FOUND, String::new()), |note| (StatusCode::OK, note.to_string()))
    }
}
