//! Routes of blobs: raw bytes, of which never more than a part's beginning is in memory (attack 50).

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use http_body_util::BodyExt as _;
use protocol::api::blobs::{BlobOpening, BlobProgress, MAX_PIECE};
use protocol::blob::MAX_PART;
use protocol::id::BlobId;
use serde::Deserialize;

use crate::blobs::Part;
use crate::http::delivery::caller;
use crate::http::refusal::Refusal;
use crate::http::{Answer, Service, blocking, json, query};
use crate::shared::Shared;

/// Bytes that are gathered before they are written.
const GATHERED: usize = 512 * 1_024;
/// Most bytes of an opening.
const MAX_OPENING: usize = 1_024;

/// The routes.
pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new().route("/v1/blobs/{id}", get(read).post(open)).route("/v1/blobs/{id}/parts", post(put_part))
}

fn blob(id: &str) -> Result<BlobId, Refusal> {
    id.parse().map_err(|_| Refusal::Malformed { what: "the id of a file" })
}

/// Refuses before anything is read what says that it is too large.
fn check_announced(headers: &HeaderMap, max: u64) -> Result<(), Refusal> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|announced| announced > max) { Err(Refusal::TooLarge) } else { Ok(()) }
}

async fn open(State(shared): Service, Path(id): Path<String>, headers: HeaderMap, body: Body) -> Answer {
    let id = blob(&id)?;
    check_announced(&headers, MAX_OPENING as u64)?;
    let caller = caller(&shared, headers).await?;
    let bytes = to_bytes(body, MAX_OPENING).await.map_err(|_| Refusal::TooLarge)?;
    let BlobOpening { size } = serde_json::from_slice(&bytes).map_err(|_| Refusal::Malformed { what: "the body" })?;
    json(&blocking(shared, move |shared| shared.open_blob(&caller, &id, size)).await?)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PartQuery {
    at: u64,
}

async fn put_part(
    State(shared): Service,
    Path(id): Path<String>,
    headers: HeaderMap,
    asked: Result<Query<PartQuery>, QueryRejection>,
    body: Body,
) -> Answer {
    let (id, PartQuery { at }) = (blob(&id)?, query(asked)?);
    check_announced(&headers, MAX_PART)?;
    let caller = caller(&shared, headers).await?;
    // a caller that goes away takes its request with it, and what came by then is to be kept
    let received = tokio::spawn(async move {
        let begun = Arc::clone(&shared);
        let part = blocking(Arc::clone(&shared), move |_| begun.begin_part(&caller, &id, at)).await?;
        receive(&shared, part, body).await
    });
    json(&received.await.unwrap_or(Err(Refusal::Stopping))?)
}

/// Writes what comes. A body that breaks off is kept as far as it came; one that is too long is not.
async fn receive(shared: &Arc<Shared>, mut part: Part, mut body: Body) -> Result<BlobProgress, Refusal> {
    let (mut received, mut gathered) = (0_u64, Vec::new());
    let mut broke_off = false;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            broke_off = true;
            break;
        };
        let Ok(bytes) = frame.into_data() else { continue };
        received = received.saturating_add(bytes.len() as u64);
        if received > MAX_PART {
            return Err(Refusal::TooLarge);
        }
        gathered.push(bytes);
        if gathered.iter().map(Bytes::len).sum::<usize>() >= GATHERED {
            part = write(shared, part, std::mem::take(&mut gathered)).await?;
        }
    }
    part = write(shared, part, gathered).await?;
    let progress = blocking(Arc::clone(shared), move |_| part.finish()).await?;
    // nobody reads it, but for a caller whose time was over
    if broke_off { Err(Refusal::Malformed { what: "the body" }) } else { Ok(progress) }
}

async fn write(shared: &Arc<Shared>, mut part: Part, gathered: Vec<Bytes>) -> Result<Part, Refusal> {
    let write = move |_: &Shared| {
        gathered.iter().try_for_each(|bytes| part.write(bytes))?;
        Ok(part)
    };
    blocking(Arc::clone(shared), write).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PieceQuery {
    #[serde(default)]
    at: u64,
    length: Option<u64>,
}

async fn read(
    State(shared): Service,
    Path(id): Path<String>,
    headers: HeaderMap,
    asked: Result<Query<PieceQuery>, QueryRejection>,
) -> Answer {
    let (id, PieceQuery { at, length }) = (blob(&id)?, query(asked)?);
    let bytes = blocking(shared, move |shared| {
        shared.caller(&headers)?.require_confirmed()?;
        shared.read_blob(&id, at, length.unwrap_or(MAX_PIECE))
    });
    let headers = [(header::CONTENT_TYPE, "application/octet-stream"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, bytes.await?).into_response())
}
