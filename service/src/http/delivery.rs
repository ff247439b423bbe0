//! Routes of groups, messages, key packages and the feed.
//!
//! Who asks is known before a body is read, and each body has its own limit, which the announced length is compared with
//! first (attack 50).

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::routing::{get, post};
use protocol::api::delivery::{
    self as api, Acknowledgement, ClaimRequest, CommitSubmission, GroupCreation, KeyPackages, MAX_COMMIT,
    MAX_KEY_PACKAGE, MAX_MESSAGE, MAX_RELAY, MessageSubmission, ONE_TIME_KEY_PACKAGES, PassingSubmission, Relay,
};
use protocol::id::GroupId;
use protocol::limits::MAX_REQUEST_BODY;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::accounts::tokens::Caller;
use crate::delivery::writer::Reply;
use crate::http::refusal::Refusal;
use crate::http::{Answer, Service, blocking, json, push, query};
use crate::shared::Shared;

/// The routes.
pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route(api::KEY_PACKAGES, post(put_key_packages))
        .route(api::CLAIM, post(claim))
        .route(api::GROUPS, get(own_groups).post(create_group))
        .route("/v1/groups/{id}", get(group_state))
        .route("/v1/groups/{id}/commits", post(submit_commit))
        .route("/v1/groups/{id}/messages", post(submit_message))
        .route("/v1/groups/{id}/passing", post(pass))
        .route(api::RELAY, post(relay))
        .route(api::FEED, get(feed))
        .route(api::ACK, post(acknowledge))
        .route(api::PUSH, get(push::push))
}

/// Most bytes of a body in which so many stand as base64url (RFC 4648 §5), with room for names and ids.
const fn body_of(bytes: usize) -> usize {
    bytes.div_ceil(3) * 4 + 65_536
}

/// The device that asks.
pub(super) async fn caller(shared: &Arc<Shared>, headers: HeaderMap) -> Result<Caller, Refusal> {
    blocking(Arc::clone(shared), move |shared| shared.caller(&headers)).await
}

/// The device that asks, and then what it asks.
pub(super) async fn asked<T: DeserializeOwned>(
    shared: &Arc<Shared>,
    headers: HeaderMap,
    body: Body,
    max: usize,
) -> Result<(Caller, T), Refusal> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|announced| announced > max) {
        return Err(Refusal::TooLarge);
    }
    let caller = caller(shared, headers).await?;
    let bytes = to_bytes(body, max).await.map_err(|_| Refusal::TooLarge)?;
    let asked = serde_json::from_slice(&bytes).map_err(|_| Refusal::Malformed { what: "the body" })?;
    Ok((caller, asked))
}

/// Runs what checks and queues, then waits until it is on disk.
async fn written<T: Serialize + Send + 'static>(
    shared: Arc<Shared>,
    submit: impl FnOnce(&Shared) -> Result<Reply<T>, Refusal> + Send + 'static,
) -> Answer {
    let reply = blocking(shared, submit).await?;
    json(&reply.await.map_err(|_| Refusal::Stopping)??)
}

fn group(id: &str) -> Result<GroupId, Refusal> {
    id.parse().map_err(|_| Refusal::Malformed { what: "the group id" })
}

async fn put_key_packages(State(shared): Service, headers: HeaderMap, body: Body) -> Answer {
    const MAX: usize = body_of((ONE_TIME_KEY_PACKAGES + 1) * MAX_KEY_PACKAGE);
    let (caller, asked): (_, KeyPackages) = asked(&shared, headers, body, MAX).await?;
    written(shared, move |shared| shared.put_key_packages(&caller, asked)).await
}

async fn claim(State(shared): Service, headers: HeaderMap, body: Body) -> Answer {
    let (caller, asked): (_, ClaimRequest) = asked(&shared, headers, body, MAX_REQUEST_BODY).await?;
    written(shared, move |shared| shared.claim(&caller, &asked)).await
}

async fn create_group(State(shared): Service, headers: HeaderMap, body: Body) -> Answer {
    let (caller, asked): (_, GroupCreation) = asked(&shared, headers, body, MAX_REQUEST_BODY).await?;
    written(shared, move |shared| shared.create_group(&caller, asked)).await
}

async fn own_groups(State(shared): Service, headers: HeaderMap) -> Answer {
    let groups = blocking(shared, move |shared| shared.own_groups(&shared.caller(&headers)?));
    json(&groups.await?)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StateQuery {
    epoch: Option<u64>,
}

async fn group_state(
    State(shared): Service,
    Path(id): Path<String>,
    headers: HeaderMap,
    asked: Result<Query<StateQuery>, QueryRejection>,
) -> Answer {
    let (group, StateQuery { epoch }) = (group(&id)?, query(asked)?);
    let state = blocking(shared, move |shared| shared.group_state(&shared.caller(&headers)?, &group, epoch));
    json(&state.await?)
}

async fn submit_commit(State(shared): Service, Path(id): Path<String>, headers: HeaderMap, body: Body) -> Answer {
    let group = group(&id)?;
    let (caller, asked): (_, CommitSubmission) = asked(&shared, headers, body, body_of(MAX_COMMIT)).await?;
    written(shared, move |shared| shared.submit_commit(&caller, group, asked)).await
}

async fn submit_message(State(shared): Service, Path(id): Path<String>, headers: HeaderMap, body: Body) -> Answer {
    let group = group(&id)?;
    let (caller, asked): (_, MessageSubmission) = asked(&shared, headers, body, body_of(MAX_MESSAGE)).await?;
    written(shared, move |shared| shared.submit_message(&caller, group, asked)).await
}

async fn pass(State(shared): Service, Path(id): Path<String>, headers: HeaderMap, body: Body) -> Answer {
    let group = group(&id)?;
    let (caller, asked): (_, PassingSubmission) = asked(&shared, headers, body, MAX_REQUEST_BODY).await?;
    blocking(shared, move |shared| shared.pass(&caller, group, asked)).await?;
    json(&Done {})
}

async fn relay(State(shared): Service, headers: HeaderMap, body: Body) -> Answer {
    let (caller, asked): (_, Relay) = asked(&shared, headers, body, body_of(MAX_RELAY)).await?;
    written(shared, move |shared| shared.relay(&caller, asked)).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FeedQuery {
    after: u64,
    limit: Option<usize>,
}

async fn feed(State(shared): Service, headers: HeaderMap, asked: Result<Query<FeedQuery>, QueryRejection>) -> Answer {
    let FeedQuery { after, limit } = query(asked)?;
    let feed = blocking(shared, move |shared| shared.feed(&shared.caller(&headers)?.owner(), after, limit));
    json(&feed.await?)
}

/// The empty answer, `{}`.
#[derive(Serialize)]
struct Done {}

async fn acknowledge(State(shared): Service, headers: HeaderMap, body: Body) -> Answer {
    let (caller, asked): (_, Acknowledgement) = asked(&shared, headers, body, MAX_REQUEST_BODY).await?;
    let reply = blocking(shared, move |shared| shared.acknowledge(caller.owner(), asked)).await?;
    reply.await.map_err(|_| Refusal::Stopping)??;
    json(&Done {})
}
