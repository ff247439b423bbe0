//! The socket on which a device is told at once (RFC 6455).
//!
//! It begins to listen, then reads its feed from the position that it names, then hears what comes: in order, nothing
//! twice, nothing left out. Text frames out, each a `Delivery`, or a `Passing`; text frames in, each an `Acknowledgement`. Deflate is
//! never negotiated (attack 51), frames in are small (attack 53), who does not read is cut off (attack 52).
//!
//! Close codes: 4403 the device was removed, 1008 something else than an acknowledgement came, 1009 it was too large,
//! 1013 too slow: come back and read on, 1001 the service ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::rejection::QueryRejection;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::IntoResponse as _;
use protocol::api::delivery::Acknowledgement;
use serde::Deserialize;
use tokio::sync::watch;

use crate::delivery::hub::{Listening, Live};
use crate::http::refusal::Refusal;
use crate::http::{Answer, Service, blocking, query};
use crate::shared::Shared;

/// Most bytes of a frame or message that comes in.
const MAX_IN: usize = 1_024;
/// Between pings.
const PING: Duration = Duration::from_secs(30);
/// Without a sign of life for this long the socket is closed.
const DEAD: Duration = Duration::from_secs(90);
/// How long one frame may take to go out.
const SLOW: Duration = Duration::from_secs(10);

const ENDING: u16 = 1001;
const NOT_ALLOWED: u16 = 1008;
const TOO_LARGE: u16 = 1009;
const COME_BACK: u16 = 1013;
const REMOVED: u16 = 4403;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PushQuery {
    after: u64,
}

/// Why a socket is closed.
type Closed = u16;

/// `GET /v1/push`.
pub(super) async fn push(
    State(shared): Service,
    headers: HeaderMap,
    asked: Result<Query<PushQuery>, QueryRejection>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Answer {
    let PushQuery { after } = query(asked)?;
    let listen = {
        let shared = Arc::clone(&shared);
        move |_: &Shared| {
            let caller = shared.caller(&headers)?;
            let listener = Listener { listening: shared.delivery.hub.listen(caller.owner())?, shared };
            // removed between the question and the listening: nobody would say so any more
            listener.shared.caller(&headers)?;
            Ok(listener)
        }
    };
    let upgrade = upgrade.map_err(|_| Refusal::Malformed { what: "the upgrade to a WebSocket" })?;
    let listener = blocking(shared, listen).await?;
    let upgrade = upgrade.max_message_size(MAX_IN).max_frame_size(MAX_IN);
    Ok(upgrade.on_upgrade(move |socket| listener.serve(socket, after)).into_response())
}

/// A listener that leaves when it is dropped.
struct Listener {
    listening: Listening,
    shared: Arc<Shared>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.shared.delivery.hub.leave(&self.listening);
        // it was here until now; kept with the next that is
        self.shared.accounts.seen.note(self.listening.owner, self.shared.now_s());
    }
}

impl Listener {
    async fn serve(mut self, mut socket: WebSocket, after: u64) {
        let closed = match self.catch_up(&mut socket, after).await {
            Ok(last) => self.go_on(&mut socket, last).await,
            Err(closed) => closed,
        };
        if let Some(code) = closed {
            let frame = CloseFrame { code, reason: Utf8Bytes::default() };
            // whoever does not take it is gone anyway
            drop(tokio::time::timeout(SLOW, socket.send(Message::Close(Some(frame)))).await);
        }
    }

    /// Sends what the feed has. Gives the position up to which that is everything.
    async fn catch_up(&mut self, socket: &mut WebSocket, after: u64) -> Result<u64, Option<Closed>> {
        let mut after = after;
        loop {
            let owner = self.listening.owner;
            let page = blocking(Arc::clone(&self.shared), move |shared| shared.feed(&owner, after, None));
            let page = page.await.map_err(|_| Some(ENDING))?;
            for delivery in &page.deliveries {
                let text = serde_json::to_string(delivery).map_err(|_| Some(ENDING))?;
                send(socket, Message::text(text)).await?;
            }
            after = page.up_to;
            if !page.more {
                return Ok(after);
            }
        }
    }

    /// Sends what comes, and takes acknowledgements, until either side ends.
    async fn go_on(&mut self, socket: &mut WebSocket, last: u64) -> Option<Closed> {
        let mut ended = self.shared.ended.subscribe();
        let mut ping = tokio::time::interval(PING);
        let mut alive = Instant::now();
        loop {
            let done = tokio::select! {
                live = self.listening.live.recv() => match live {
                    // what the feed had already
                    Some(Live::Delivery(position, _)) if position <= last => Ok(()),
                    Some(Live::Delivery(_, text) | Live::Passing(text)) => send(socket, Message::Text(text)).await,
                    Some(Live::Removed) => Err(Some(REMOVED)),
                    None => Err(Some(COME_BACK)),
                },
                came = socket.recv() => {
                    alive = Instant::now();
                    self.take(came).await
                }
                _ = ping.tick() => {
                    if alive.elapsed() > DEAD { Err(None) } else { send(socket, Message::Ping(Vec::new().into())).await }
                }
                () = over(&mut ended) => Err(Some(ENDING)),
            };
            if let Err(closed) = done {
                return closed;
            }
        }
    }

    /// Takes a frame that came in.
    async fn take(&self, came: Option<Result<Message, axum::Error>>) -> Result<(), Option<Closed>> {
        match came {
            Some(Ok(Message::Text(text))) => {
                let upto: Acknowledgement = serde_json::from_str(&text).map_err(|_| Some(NOT_ALLOWED))?;
                match self.shared.acknowledge(self.listening.owner, upto) {
                    // an acknowledgement that is lost comes again with the next
                    Ok(reply) => reply.await.map_or(Err(Some(ENDING)), |taken| taken.map_err(|_| Some(NOT_ALLOWED))),
                    Err(Refusal::Busy) => Ok(()),
                    Err(_) => Err(Some(ENDING)),
                }
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
            Some(Ok(Message::Binary(_))) => Err(Some(NOT_ALLOWED)),
            Some(Ok(Message::Close(_))) | None => Err(None),
            // the only thing to say to a frame that breaks a limit; to a socket that broke it does no harm
            Some(Err(_)) => Err(Some(TOO_LARGE)),
        }
    }
}

/// Waits for the service's end.
async fn over(ended: &mut watch::Receiver<bool>) {
    // without the sender the service has ended too
    ended.wait_for(|ended| *ended).await.map(drop).unwrap_or_default();
}

async fn send(socket: &mut WebSocket, message: Message) -> Result<(), Option<Closed>> {
    match tokio::time::timeout(SLOW, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(None),
        Err(_) => Err(Some(COME_BACK)),
    }
}
