//! The server of the programs' interface: on loopback, on a port that nobody can know before, as long as there is a token.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chain::id::Digest;
use futures_util::stream::unfold;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;

use super::rights::{Right, needed};
use crate::agent::{Face, Reply};
use crate::failure::{Failure, Kind};
use crate::local::rows::Bot;
use crate::local::{Line, MAX_LINE, Says, What};

/// The interface, for programs that write programs.
const OPENAPI: &str = include_str!("../../../docs/openapi.json");
/// How often it is looked whether anybody is left.
const LOOK: Duration = Duration::from_secs(2);

/// The programs that have tokens; nothing listens while there are none.
#[derive(Debug, Default)]
pub(crate) struct Bots(Mutex<Option<Arc<Shared>>>);

#[derive(Debug)]
pub(super) struct Shared {
    address: SocketAddr,
    face: Face,
    tokens: Mutex<BTreeMap<Digest, Token>>,
}

/// What a token allows, and who has asked for it: it ends with his connection.
#[derive(Debug)]
struct Token {
    rights: Vec<Right>,
    asker: Reply,
}

impl Bots {
    /// Gives a program a token, which is good until the connection of whoever asked ends.
    ///
    /// # Errors
    /// `bot.listen`, or no random numbers.
    pub(crate) fn open(&self, face: &Face, rights: Vec<Right>, asker: &Reply) -> Result<Bot, Failure> {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let alive = running.take().filter(|shared| shared.has_anybody());
        let shared = match alive {
            Some(shared) => shared,
            None => start(face)?,
        };
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(Failure::broken)?;
        let token = URL_SAFE_NO_PAD.encode(bytes);
        let asker = asker.clone();
        shared.tokens().insert(Digest::sha256(token.as_bytes()), Token { rights, asker });
        let api = format!("http://{}", shared.address);
        *running = Some(shared);
        Ok(Bot { api, token })
    }
}

impl Shared {
    fn tokens(&self) -> MutexGuard<'_, BTreeMap<Digest, Token>> {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.retain(|_, token| !token.asker.is_gone());
        tokens
    }

    fn has_anybody(&self) -> bool {
        !self.tokens().is_empty()
    }

    /// What the token of a request allows; nothing if it is none.
    fn rights(&self, headers: &HeaderMap) -> Option<Vec<Right>> {
        let token = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
        Some(self.tokens().get(&Digest::sha256(token.as_bytes()))?.rights.clone())
    }
}

fn start(face: &Face) -> Result<Arc<Shared>, Failure> {
    let wrong = |error: std::io::Error| Failure::new(Kind::Broken, "bot.listen", error);
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).map_err(wrong)?;
    listener.set_nonblocking(true).map_err(wrong)?;
    let address = listener.local_addr().map_err(wrong)?;
    let shared = Arc::new(Shared { address, face: face.clone(), tokens: Mutex::default() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(wrong)?;
    let (app, watched) = (router(Arc::clone(&shared)), Arc::clone(&shared));
    let serve = move || {
        runtime.block_on(async {
            let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
            tokio::spawn(axum::serve(listener, app).into_future());
            loop {
                tokio::time::sleep(LOOK).await;
                if !watched.has_anybody() {
                    break;
                }
            }
        });
    };
    std::thread::Builder::new().name("bots".to_owned()).spawn(serve).map_err(wrong)?;
    Ok(shared)
}

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/openapi.json", get(openapi))
        .route("/v1/messages", get(messages))
        .route("/v1/changes", get(changes))
        .route("/v1/{do}", post(ask))
        .layer(DefaultBodyLimit::max(MAX_LINE))
        .with_state(shared)
}

type Asked = State<Arc<Shared>>;

/// Why a request is not carried out, as an answer.
struct Refused(StatusCode, Failure);

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        let status = match failure.kind {
            Kind::Misuse => StatusCode::BAD_REQUEST,
            Kind::Refused => StatusCode::FORBIDDEN,
            Kind::Waiting => StatusCode::CONFLICT,
            Kind::Unreachable => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Lie | Kind::Broken => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, failure)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, [(header::CONTENT_TYPE, "application/json")], self.1.to_json()).into_response()
    }
}

fn refused(status: StatusCode, code: &str, message: &str) -> Refused {
    Refused(status, Failure::new(Kind::Refused, code, message))
}

/// Looks whose request it is: this very address, no page of a browser, and a token. What that allows.
fn who(shared: &Shared, headers: &HeaderMap) -> Result<Vec<Right>, Refused> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<SocketAddr>().ok());
    if host != Some(shared.address) {
        return Err(refused(StatusCode::MISDIRECTED_REQUEST, "bot.host", "this is another address than was asked for"));
    }
    // what a page sends says so, and no page is a program of one's own (attacks 58, 59)
    let is_page = |name| headers.contains_key(name);
    if is_page(header::ORIGIN) || is_page(HeaderName::from_static("sec-fetch-site")) {
        return Err(refused(StatusCode::FORBIDDEN, "bot.page", "this is for programs, not for pages of a browser"));
    }
    let no_token = || refused(StatusCode::UNAUTHORIZED, "bot.token", "this is no token, or its program has ended");
    shared.rights(headers).ok_or_else(no_token)
}

fn may(rights: &[Right], right: Option<Right>) -> Result<(), Refused> {
    match right {
        Some(right) if rights.contains(&right) => Ok(()),
        _ => Err(refused(StatusCode::FORBIDDEN, "bot.not_allowed", "the token does not allow this")),
    }
}

async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

/// One request, and its whole answer.
async fn ask(
    State(shared): Asked,
    Path(verb): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    let rights = who(&shared, &headers)?;
    let what = request(&verb, &body);
    if let Some(what) = &what {
        may(&rights, needed(what))?;
    }
    let is_json = headers.get(header::CONTENT_TYPE).is_some_and(|it| it.as_bytes().starts_with(b"application/json"));
    let malformed = || Failure::misuse("request.malformed", "this is no request of docs/openapi.json");
    let what = what.filter(|_| is_json).ok_or_else(malformed)?;
    let mut answer = shared.face.ask(what).await;
    let mut events = Vec::new();
    while let Some(line) = answer.recv().await {
        match line.says {
            Says::Event(row) => events.push(without_draft(row)),
            Says::Done(done) => return Ok(axum::Json(json!({ "events": events, "done": done })).into_response()),
            Says::Error(refusal) => return Err(Failure::from(refusal).into()),
        }
    }
    Err(Failure::broken("the agent has ended").into())
}

/// What a person has begun to write is his alone until he sends it.
fn without_draft(mut row: Value) -> Value {
    row.as_object_mut().map(|row| row.remove("draft"));
    row
}

/// The request that a path and a body make, as it stands on the socket.
fn request(verb: &str, body: &[u8]) -> Option<What> {
    let mut fields = if body.is_empty() { json!({}) } else { serde_json::from_slice(body).ok()? };
    fields.as_object_mut()?.insert("do".to_owned(), Value::String(verb.to_owned()));
    serde_json::from_value(fields).ok()
}

#[derive(Deserialize)]
struct With {
    with: Option<String>,
}

/// Messages as they come, one a line, until the token ends.
async fn messages(
    State(shared): Asked,
    Query(With { with }): Query<With>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    may(&who(&shared, &headers)?, Some(Right::Read))?;
    Ok(stream(shared, headers, What::Read { with, limit: 0, follow: true }).await)
}

/// What is not as it was before, one a line, until the token ends.
async fn changes(State(shared): Asked, headers: HeaderMap) -> Result<Response, Refused> {
    may(&who(&shared, &headers)?, Some(Right::Read))?;
    Ok(stream(shared, headers, What::Changes).await)
}

async fn stream(shared: Arc<Shared>, headers: HeaderMap, what: What) -> Response {
    let lines = shared.face.ask(what).await;
    let first = Lines { shared, headers, lines };
    let lines = unfold(first, |mut lines| async move {
        let line = lines.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(line)), lines))
    });
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response()
}

struct Lines {
    shared: Arc<Shared>,
    headers: HeaderMap,
    lines: UnboundedReceiver<Line>,
}

impl Lines {
    /// The next row; now and then an empty line, which says that it goes on.
    async fn next(&mut self) -> Option<String> {
        tokio::select! {
            line = self.lines.recv() => match line?.says {
                Says::Event(row) => Some(row.to_string() + "\n"),
                Says::Done(_) | Says::Error(_) => None,
            },
            () = tokio::time::sleep(LOOK) => self.shared.rights(&self.headers).map(|_| "\n".to_owned()),
        }
    }
}
