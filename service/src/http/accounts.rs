//! Routes of sign-up, log-in and tokens.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use axum::routing::{get, post};
use protocol::api::accounts::{self, TokenHolder};
use serde::de::DeserializeOwned;

use crate::accounts::passwords::{Opening, SignupState};
use crate::entries::{Accepted, Reply};
use crate::http::refusal::Refusal;
use crate::http::{Answer, Peer, Service, address, blocking, body, json, sealed};
use crate::shared::Shared;

/// The routes.
pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route(accounts::SIGNUP_START, post(start_signup))
        .route(accounts::SIGNUP, post(signup))
        .route(accounts::LOGIN_START, post(start_login))
        .route(accounts::LOGIN_FINISH, post(finish_login))
        .route(accounts::PASSWORD_START, post(start_password))
        .route(accounts::PASSWORD, post(set_password))
        .route(accounts::TOKEN_CHALLENGE, post(challenge))
        .route(accounts::DEVICES_SEEN, get(devices_seen))
        .route(accounts::TOKENS, get(token_holder).post(token))
}

type Body = Result<Bytes, BytesRejection>;

fn question<T: DeserializeOwned>(bytes: Body) -> Result<T, Refusal> {
    serde_json::from_slice(&body(bytes)?).map_err(|_| Refusal::Malformed { what: "the question" })
}

async fn start_signup(State(shared): Service, peer: Peer, bytes: Body) -> Answer {
    let (question, address) = (question(bytes)?, address(&peer));
    json(&blocking(shared, move |shared| shared.start_signup(&question, address)).await?)
}

async fn signup(State(shared): Service, peer: Peer, bytes: Body) -> Answer {
    let (question, address) = (question(bytes)?, address(&peer));
    let begin = {
        let shared = Arc::clone(&shared);
        move |_: &Shared| shared.sign_up(&question, address)
    };
    let accepted = match blocking(Arc::clone(&shared), begin).await? {
        SignupState::Sealed(accepted) => accepted,
        SignupState::Queued(reply, opening) => {
            // goes on if the caller hangs up: the password of an account that is refused must not stay
            let follow = tokio::spawn(follow(Arc::clone(&shared), reply, opening));
            follow.await.unwrap_or(Err(Refusal::Stopping))?
        }
    };
    sealed(&shared, accepted, true).await
}

/// Waits until the sequencer has sealed or refused.
async fn follow(shared: Arc<Shared>, reply: Reply, opening: Opening) -> Result<Accepted, Refusal> {
    match reply.await {
        Ok(Err(refusal)) => {
            blocking(shared, |_| opening.abandon()).await?;
            Err(refusal)
        }
        Ok(accepted) => accepted,
        // the service ends, and whether the entry is in its last block is not known here
        Err(_) => Err(Refusal::Stopping),
    }
}

async fn start_login(State(shared): Service, peer: Peer, bytes: Body) -> Answer {
    let (question, address) = (question(bytes)?, address(&peer));
    json(&blocking(shared, move |shared| shared.start_login(&question, address)).await?)
}

async fn finish_login(State(shared): Service, bytes: Body) -> Answer {
    let question = question(bytes)?;
    json(&blocking(shared, move |shared| shared.finish_login(&question)).await?)
}

async fn start_password(State(shared): Service, headers: HeaderMap, bytes: Body) -> Answer {
    let question = question(bytes)?;
    json(&blocking(shared, move |shared| shared.start_password(&headers, &question)).await?)
}

async fn set_password(State(shared): Service, headers: HeaderMap, bytes: Body) -> Answer {
    let question = question(bytes)?;
    json(&blocking(shared, move |shared| shared.set_password(&headers, &question)).await?)
}

async fn challenge(State(shared): Service) -> Answer {
    json(&shared.challenge()?)
}

async fn token(State(shared): Service, bytes: Body) -> Answer {
    let question = question(bytes)?;
    json(&blocking(shared, move |shared| shared.issue_token(&question)).await?)
}

async fn devices_seen(State(shared): Service, headers: HeaderMap) -> Answer {
    json(&blocking(shared, move |shared| shared.devices_seen(&headers)).await?)
}

async fn token_holder(State(shared): Service, headers: HeaderMap) -> Answer {
    let caller = blocking(shared, move |shared| shared.caller(&headers)).await?;
    json(&TokenHolder { account: caller.account, device: caller.device, confirmed: caller.confirmed })
}
