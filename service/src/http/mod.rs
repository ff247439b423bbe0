//! Routes to functions, refusals to statuses; nothing is decided here.
//!
//! Dynamic answers are `no-store`; only tiles and blocks, which never change, may be cached (attack 25). Whatever reads
//! the store or checks signatures runs on the runtime's blocking threads.

mod accounts;
mod blobs;
pub(crate) mod connections;
mod delivery;
mod link;
mod push;
pub(crate) mod rates;
pub(crate) mod refusal;
mod reports;
pub(crate) mod tls;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{ConnectInfo, DefaultBodyLimit, Extension, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use chain::id::AccountId;
use chain::log::tile::Tile;
use protocol::api::{self, EntryAccepted, HandleQuestion};
use protocol::limits::MAX_REQUEST_BODY;
use serde::{Deserialize, Serialize};

use crate::accounts::secret::Secret;
use crate::disk::folder::read_if_there;
use crate::entries::Accepted;
use crate::http::refusal::Refusal;
use crate::record::At;
use crate::shared::Shared;

/// How long an answer waits for a quorum before it says that there is none yet.
const QUORUM_WAIT: Duration = Duration::from_secs(10);
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

type Service = State<Arc<Shared>>;
type Peer = Option<Extension<ConnectInfo<SocketAddr>>>;
type Answer = Result<Response, Refusal>;

/// All routes.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route(api::WELL_KNOWN, get(well_known))
        .route(api::CHECKPOINT, get(checkpoint))
        .route(api::CHECKPOINT_LATEST, get(latest_checkpoint))
        .route("/tile/{*path}", get(tile))
        .route("/block/{number}", get(block))
        .route(api::ENTRIES, post(add_entry))
        .route("/v1/accounts/{id}", get(account))
        .route("/v1/accounts/{id}/reset", post(reset))
        .route(api::HANDLE_LOOKUP, post(handle))
        .route(api::CONSISTENCY, get(consistency))
        .route(api::GENESIS, get(genesis))
        .route(link::PLACE, get(link::page))
        .merge(accounts::router())
        .merge(delivery::router())
        .merge(blobs::router())
        .merge(reports::router())
        .fallback(|| std::future::ready(Refusal::NotFound))
        .method_not_allowed_fallback(|| std::future::ready(Refusal::Method))
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BODY))
        .with_state(shared)
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let problem = self.problem();
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, api::PROBLEM_TYPE)], body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(after_s) = problem.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(after_s));
        }
        response
    }
}

/// Runs what blocks where it may, and not too much of it at once.
async fn blocking<T: Send + 'static>(
    shared: Arc<Shared>,
    work: impl FnOnce(&Shared) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let permit = Arc::clone(&shared.blocking).acquire_owned().await.map_err(|_| Refusal::Stopping)?;
    let work = move || {
        let result = work(&shared);
        drop(permit);
        result
    };
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Refusal::Stopping))
}

fn json(answer: &impl Serialize) -> Answer {
    let body = serde_json::to_vec(answer).map_err(|_| Refusal::Malformed { what: "the answer" })?;
    Ok(([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], body).into_response())
}

fn text(note: String) -> Response {
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    (headers, note).into_response()
}

fn address(peer: &Peer) -> IpAddr {
    peer.as_ref().map_or(Ipv4Addr::LOCALHOST.into(), |Extension(ConnectInfo(peer))| peer.ip())
}

fn body(bytes: Result<Bytes, BytesRejection>) -> Result<Bytes, Refusal> {
    bytes.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Refusal::TooLarge,
        _ => Refusal::Malformed { what: "the body" },
    })
}

fn query<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Refusal> {
    query.map(|Query(query)| query).map_err(|_| Refusal::Malformed { what: "the query" })
}

async fn well_known(State(shared): Service) -> Answer {
    json(&shared.well_known()?)
}

async fn checkpoint(State(shared): Service) -> Answer {
    shared.record()?.published_note().map(text).ok_or(Refusal::Starting)
}

async fn latest_checkpoint(State(shared): Service) -> Answer {
    shared.record()?.newest().map(|(_, head)| text(head.note)).ok_or(Refusal::Starting)
}

async fn tile(State(shared): Service, Path(path): Path<String>) -> Answer {
    // only what is written exactly as a tile's path is one
    let tile: Tile = format!("tile/{path}").parse().map_err(|_| Refusal::NotFound)?;
    immutable(shared, move |shared| shared.folder.public(&tile.to_string())).await
}

async fn block(State(shared): Service, Path(number): Path<String>) -> Answer {
    let parsed: u64 = number.parse().map_err(|_| Refusal::NotFound)?;
    // a file of that number may be there before its block is
    if parsed.to_string() != number || parsed >= shared.record()?.sizes().sealed {
        return Err(Refusal::NotFound);
    }
    immutable(shared, move |shared| shared.folder.block(parsed)).await
}

async fn immutable(shared: Arc<Shared>, path: impl FnOnce(&Shared) -> std::path::PathBuf + Send + 'static) -> Answer {
    let bytes = blocking(shared, |shared| {
        let bytes = read_if_there(&path(shared)).map_err(|error| Refusal::Broken(error.into()))?;
        bytes.ok_or(Refusal::NotFound)
    });
    let headers = [(header::CONTENT_TYPE, "application/octet-stream"), (header::CACHE_CONTROL, IMMUTABLE)];
    Ok((headers, bytes.await?).into_response())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryQuery {
    wait: Option<Wait>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Wait {
    Quorum,
}

async fn add_entry(
    State(shared): Service,
    peer: Peer,
    headers: HeaderMap,
    asked: Result<Query<EntryQuery>, QueryRejection>,
    bytes: Result<Bytes, BytesRejection>,
) -> Answer {
    let (bytes, EntryQuery { wait }) = (body(bytes)?, query(asked)?);
    let (address, permit) = (address(&peer), Secret::of_bearer(&headers));
    let submit = move |shared: &Shared| shared.submit(&bytes, permit.as_ref(), address);
    let reply = blocking(Arc::clone(&shared), submit).await?;
    let accepted = reply.await.map_err(|_| Refusal::Stopping)??;
    sealed(&shared, accepted, wait.is_some()).await
}

async fn reset(
    State(shared): Service,
    Path(id): Path<String>,
    asked: Result<Query<EntryQuery>, QueryRejection>,
    bytes: Result<Bytes, BytesRejection>,
) -> Answer {
    let (bytes, EntryQuery { wait }) = (body(bytes)?, query(asked)?);
    let account: AccountId = id.parse().map_err(|_| Refusal::Malformed { what: "the account id" })?;
    let reply = blocking(Arc::clone(&shared), move |shared| shared.submit_reset(&account, &bytes)).await?;
    let accepted = reply.await.map_err(|_| Refusal::Stopping)??;
    sealed(&shared, accepted, wait.is_some()).await
}

/// Says where a sealed entry is, after a quorum if that is asked for.
async fn sealed(shared: &Shared, accepted: Accepted, wait_for_quorum: bool) -> Answer {
    let record = shared.record()?;
    let mut sizes = record.watch();
    let covered = |published: u64| published > accepted.block;
    let waiting = sizes.wait_for(|sizes| covered(sizes.published));
    let mut ended = shared.ended.subscribe();
    let quorum = if wait_for_quorum {
        tokio::select! {
            waited = tokio::time::timeout(QUORUM_WAIT, waiting) => waited.is_ok(),
            // nothing more is published: the answer must not hold up the end
            _ = ended.wait_for(|ended| *ended) => false,
        }
    } else {
        covered(record.sizes().published)
    };
    json(&EntryAccepted {
        entry: accepted.entry.to_string(),
        account: accepted.account.to_string(),
        sequence: accepted.sequence,
        block: accepted.block,
        quorum,
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountQuery {
    #[serde(default)]
    since: u64,
    at: Option<Latest>,
    from: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Latest {
    Latest,
}

async fn account(
    State(shared): Service,
    Path(id): Path<String>,
    asked: Result<Query<AccountQuery>, QueryRejection>,
) -> Answer {
    let AccountQuery { since, at, from } = query(asked)?;
    let account: AccountId = id.parse().map_err(|_| Refusal::Malformed { what: "the account id" })?;
    let at = at.map_or(At::Published, |Latest::Latest| At::Latest);
    json(&blocking(shared, move |shared| shared.account(&account, since, at, from)).await?)
}

async fn handle(State(shared): Service, peer: Peer, bytes: Result<Bytes, BytesRejection>) -> Answer {
    let bytes = body(bytes)?;
    let question: HandleQuestion =
        serde_json::from_slice(&bytes).map_err(|_| Refusal::Malformed { what: "the question" })?;
    let address = address(&peer);
    json(&blocking(shared, move |shared| shared.handle(&question, address)).await?)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConsistencyQuery {
    from: u64,
    to: u64,
}

async fn consistency(State(shared): Service, asked: Result<Query<ConsistencyQuery>, QueryRejection>) -> Answer {
    let ConsistencyQuery { from, to } = query(asked)?;
    json(&shared.consistency(from, to)?)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GenesisQuery {
    from: Option<u64>,
}

async fn genesis(State(shared): Service, asked: Result<Query<GenesisQuery>, QueryRejection>) -> Answer {
    let GenesisQuery { from } = query(asked)?;
    json(&shared.genesis(from)?)
}
