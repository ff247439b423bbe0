//! The server of the pages: a thread of its own in the agent, on loopback and on a port that nobody can know before.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::oneshot;

use super::answer::Wanted;
use super::assets::{self, ASSETS};
use super::pages::{Making, Unsent};
use super::sessions::{By, Sessions};
use super::{Prefilled, events, guard, pages};
use crate::agent::Face;
use crate::failure::{Failure, Kind};
use crate::local::MAX_LINE;
use crate::local::rows::Web;

/// The header with the token. Not a cookie: those are sent to every port of a host (RFC 6265 §8.5).
pub(super) const TOKEN: &str = "trefoil-token";
/// The header with which a page says that it asks by itself.
pub(super) const BY: &str = "trefoil-by";
/// How often a port is looked for that is free on both loopback addresses.
const TRIES: usize = 20;

/// What all requests share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) addresses: Vec<SocketAddr>,
    sessions: Mutex<Sessions>,
    making: Mutex<Option<Making>>,
    pub(super) unsent: Unsent,
    pub(super) face: Face,
    pub(super) prefilled: Prefilled,
}

impl Shared {
    pub(super) fn new(addresses: Vec<SocketAddr>, face: Face, prefilled: Prefilled) -> Self {
        Self {
            addresses,
            sessions: Mutex::default(),
            making: Mutex::default(),
            unsent: Unsent::default(),
            face,
            prefilled,
        }
    }

    /// Links and tokens. Whoever panicked in between left them whole: each call changes them at one place.
    pub(super) fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The recovery key that somebody is about to write down.
    pub(super) fn making(&self) -> MutexGuard<'_, Option<Making>> {
        self.making.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The token of a request, if it is good now.
    pub(super) fn good_token(&self, headers: &HeaderMap) -> Option<String> {
        let token = headers.get(TOKEN)?.to_str().ok()?;
        let by = if headers.contains_key(BY) { By::Page } else { By::Person };
        self.sessions().is_good(token, by, Instant::now()).then(|| token.to_owned())
    }
}

/// Off, until somebody asks for pages.
#[derive(Debug, Default)]
pub(crate) struct Server(Mutex<Option<Running>>);

#[derive(Debug)]
struct Running {
    shared: Arc<Shared>,
    /// Dropped, it ends the thread.
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Server {
    /// Serves, if it does not yet, and makes a link that opens the pages once.
    ///
    /// # Errors
    /// `web.assets`, `web.listen`.
    pub(crate) fn open(&self, face: &Face, prefilled: Prefilled) -> Result<Web, Failure> {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if running.is_none() {
            *running = Some(start(face.clone(), prefilled)?);
        }
        let shared = running.as_ref().map(|it| &it.shared).ok_or_else(|| Failure::broken("no pages"))?;
        let secret = shared.sessions().new_link(Instant::now())?;
        let addresses: Vec<_> = shared.addresses.iter().map(|address| format!("http://{address}/")).collect();
        let first = addresses.first().map(String::as_str).unwrap_or_default();
        Ok(Web { link: format!("{first}#{secret}"), addresses })
    }

    /// Ends it, with every token and socket; true if there was something to end.
    pub(crate) fn close(&self) -> bool {
        let running = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Running { stop, thread, .. }) = running else { return false };
        drop(stop);
        // nothing in it waits for anybody: it drops its runtime, and whoever panicked there has said so
        thread.join().unwrap_or_default();
        true
    }
}

/// A thread and a runtime of its own: whatever a browser does, the agent goes on.
fn start(face: Face, prefilled: Prefilled) -> Result<Running, Failure> {
    assets::check(&ASSETS)?;
    let wrong = |error: std::io::Error| Failure::new(Kind::Broken, "web.listen", error);
    let listeners = listen().map_err(wrong)?;
    let addresses = listeners.iter().map(TcpListener::local_addr).collect::<Result<_, _>>().map_err(wrong)?;
    let shared = Arc::new(Shared::new(addresses, face, prefilled));
    let app = router(Arc::clone(&shared));
    let (stop, stopped) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(wrong)?;
    let serve = move || {
        // with the runtime every connection ends, those of event streams too
        runtime.block_on(async {
            for listener in listeners {
                if let Ok(listener) = tokio::net::TcpListener::from_std(listener) {
                    tokio::spawn(axum::serve(listener, app.clone()).into_future());
                }
            }
            // the sender is only ever dropped
            stopped.await.unwrap_or_default();
        });
    };
    let thread = std::thread::Builder::new().name("web".to_owned()).spawn(serve).map_err(wrong)?;
    Ok(Running { shared, stop, thread })
}

/// Both loopback addresses, on one port; only the older one where there is no IPv6 (W1).
fn listen() -> std::io::Result<Vec<TcpListener>> {
    let mut tries = 0;
    loop {
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let second = TcpListener::bind((Ipv6Addr::LOCALHOST, first.local_addr()?.port()));
        tries += 1;
        let listeners = match second {
            Ok(second) => vec![first, second],
            // somebody else has it there
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && tries < TRIES => continue,
            Err(_) => vec![first],
        };
        listeners.iter().try_for_each(|listener| listener.set_nonblocking(true))?;
        return Ok(listeners);
    }
}

/// All routes: those for everybody, which are the same for everybody, and behind the token all others.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    let private = pages::private()
        .route("/events", get(events::stream))
        .route("/do/lock", post(lock))
        .layer(from_fn_with_state(Arc::clone(&shared), with_token));
    let mut open = pages::shells().route("/start", post(exchange));
    for asset in ASSETS {
        open = open.route(asset.path, get(move || std::future::ready(asset.answer())));
    }
    open.merge(private)
        .fallback(|| std::future::ready(StatusCode::NOT_FOUND))
        .layer(DefaultBodyLimit::max(MAX_LINE))
        .layer(from_fn_with_state(Arc::clone(&shared), guarded))
        .with_state(shared)
}

/// Around everything.
async fn guarded(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let mut answer = match guard::judge(&shared.addresses, request.method(), request.uri().path(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(status) => status.into_response(),
    };
    guard::cover(answer.headers_mut());
    answer
}

/// Around everything that is private.
async fn with_token(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    match shared.good_token(request.headers()) {
        Some(_) => next.run(request).await,
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

#[derive(Deserialize)]
struct Start {
    secret: String,
}

/// The secret of a start link for a token, once (W5).
async fn exchange(State(shared): State<Arc<Shared>>, Wanted(start): Wanted<Start>) -> Response {
    let exchanged = shared.sessions().exchange(&start.secret, Instant::now());
    match exchanged {
        Ok(Some(token)) => axum::Json(json!({ "token": token })).into_response(),
        Ok(None) => StatusCode::UNAUTHORIZED.into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Somebody goes away from the machine.
async fn lock(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> StatusCode {
    if let Some(token) = shared.good_token(&headers) {
        shared.sessions().end(&token);
        *shared.making() = None;
    }
    StatusCode::NO_CONTENT
}
