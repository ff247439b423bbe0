//! The push connection: a WebSocket (RFC 6455) on which the service tells at once what came for this device.
//!
//! It brings nothing that the feed would not bring, only sooner: it may break at any time, and is opened again after a
//! pause that doubles. Acknowledging is the client's, by a request.

use std::time::Duration;

use client::step::Listening;
use futures_util::StreamExt as _;
use protocol::api::delivery::{Delivery, Passing};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::AUTHORIZATION;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{Connector, connect_async_tls_with_config};

use super::Incoming;
use crate::tls::Trusted;

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long connecting may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(30);
/// The service pings every 30 s; a connection that is silent for longer than this is gone.
const SILENCE: Duration = Duration::from_secs(90);
/// Most bytes of a frame: a commit in base64, and what stands around it.
const MAX_FRAME: usize = 8 << 20;

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Address of the service.
    pub(crate) service: String,
    /// Path and token.
    pub(crate) listening: Listening,
}

/// True if a connection made for the one does not serve for the other: a new place to begin from does not count.
pub(crate) fn is_other(before: Option<&Target>, now: Option<&Target>) -> bool {
    let essence = |target: &Target| (target.service.clone(), target.listening.bearer.clone());
    before.map(essence) != now.map(essence)
}

/// Listens wherever `targets` says, until the core has ended.
pub(crate) async fn run(
    mut targets: watch::Receiver<Option<Target>>,
    trusted: Option<Trusted>,
    core: mpsc::Sender<Incoming>,
) {
    let mut pause = FIRST_PAUSE;
    loop {
        let target = targets.borrow_and_update().clone();
        let Some(target) = target else {
            if targets.changed().await.is_err() {
                return;
            }
            continue;
        };
        let mut was_connected = false;
        let ended = tokio::select! {
            ended = listen(&target, trusted.as_ref(), &core, &mut was_connected) => ended,
            changed = targets.changed() => {
                if changed.is_err() {
                    return;
                }
                pause = FIRST_PAUSE;
                continue;
            }
        };
        // a service that refuses is there
        let news = if matches!(ended, Err(Error::Http(_))) { Incoming::Refused } else { Incoming::Disconnected };
        if core.send(news).await.is_err() {
            return;
        }
        pause = if was_connected { FIRST_PAUSE } else { pause.saturating_mul(2).min(LONGEST_PAUSE) };
        tokio::select! {
            () = sleep(jittered(pause)) => (),
            _ = targets.changed() => (),
        }
    }
}

/// Connects and passes on, until the connection breaks.
async fn listen(
    target: &Target,
    trusted: Option<&Trusted>,
    core: &mpsc::Sender<Incoming>,
    was_connected: &mut bool,
) -> Result<(), Error> {
    let address = socket_address(&target.service, &target.listening.path);
    let mut request = address.into_client_request()?;
    let bearer = HeaderValue::from_str(&format!("Bearer {}", target.listening.bearer));
    request.headers_mut().insert(AUTHORIZATION, bearer.map_err(|error| Error::HttpFormat(error.into()))?);
    let config = WebSocketConfig::default().max_message_size(Some(MAX_FRAME)).max_frame_size(Some(MAX_FRAME));
    let connector = trusted.and_then(Trusted::for_push).map(Connector::Rustls);
    let connecting = connect_async_tls_with_config(request, Some(config), true, connector);
    let connected = timeout(CONNECT_WITHIN, connecting).await;
    let (mut socket, _) = connected.map_err(|_| Error::ConnectionClosed)??;
    *was_connected = true;
    if core.send(Incoming::Connected).await.is_err() {
        return Ok(());
    }
    loop {
        let frame = timeout(SILENCE, socket.next()).await.map_err(|_| Error::ConnectionClosed)?;
        let Some(frame) = frame else { return Ok(()) };
        let Message::Text(text) = frame? else { continue };
        // what is neither is left out: the feed has it if it was a delivery
        let incoming = serde_json::from_str::<Delivery>(&text).map(Incoming::Delivered);
        let incoming = incoming.or_else(|_| serde_json::from_str::<Passing>(&text).map(Incoming::Passed));
        let Ok(incoming) = incoming else { continue };
        if core.send(incoming).await.is_err() {
            return Ok(());
        }
    }
}

/// `ws` for `http`, `wss` for `https`.
fn socket_address(service: &str, path: &str) -> String {
    let rest = service.strip_prefix("http").unwrap_or(service);
    format!("ws{rest}{path}")
}

/// Between half of the pause and all of it, so that the clients of a service that was away do not come back as one.
fn jittered(pause: Duration) -> Duration {
    let mut random = [0; 4];
    // without randomness everybody waits the whole pause
    getrandom::fill(&mut random).unwrap_or_default();
    pause.mul_f64(1.0 - f64::from(u32::from_be_bytes(random)) / f64::from(u32::MAX) / 2.0)
}

#[cfg(test)]
mod tests {
    use futures_util::SinkExt as _;
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::{TcpListener, TcpStream};
    use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
    use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

    use super::*;

    fn target(path: &str, bearer: &str) -> Target {
        let listening = Listening { path: path.to_owned(), bearer: bearer.to_owned() };
        Target { service: "https://host.example".to_owned(), listening }
    }

    #[test]
    fn a_new_token_needs_a_new_connection_and_a_new_position_does_not() {
        let before = target("/v1/push?after=1", "a");
        assert!(!is_other(Some(&before), Some(&target("/v1/push?after=2", "a"))));
        assert!(is_other(Some(&before), Some(&target("/v1/push?after=1", "b"))));
        assert!(is_other(Some(&before), None) && is_other(None, Some(&before)) && !is_other(None, None));
    }

    #[test]
    fn the_push_connection_is_as_secret_as_the_requests() {
        assert_eq!(socket_address("https://a.example", "/v1/push"), "wss://a.example/v1/push");
        assert_eq!(socket_address("http://127.0.0.1:8400", "/v1/push"), "ws://127.0.0.1:8400/v1/push");
    }

    #[test]
    fn a_pause_keeps_at_least_half_of_its_length() {
        for _ in 0..100 {
            let pause = jittered(Duration::from_secs(8));
            assert!(pause >= Duration::from_secs(4) && pause <= Duration::from_secs(8));
        }
    }

    /// A new connection and its bearer.
    #[expect(clippy::result_large_err, reason = "the library's own type of a refusal")]
    async fn accept(listener: &TcpListener) -> (WebSocketStream<TcpStream>, String) {
        let (stream, _) = listener.accept().await.unwrap();
        let mut bearer = String::new();
        let look = |request: &Request, response: Response| {
            bearer = request.headers().get(AUTHORIZATION).unwrap().to_str().unwrap().to_owned();
            Ok(response)
        };
        let socket = accept_hdr_async(stream, look).await.unwrap();
        (socket, bearer)
    }

    #[tokio::test(flavor = "current_thread")]
    async fn deliveries_come_in_rubbish_does_not_and_a_new_token_is_used_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let service = format!("http://{}", listener.local_addr().unwrap());
        let target = |bearer: &str| {
            let listening = Listening { path: "/v1/push?after=0".to_owned(), bearer: bearer.to_owned() };
            Some(Target { service: service.clone(), listening })
        };
        let (core, mut inbox) = mpsc::channel(8);
        let (targets, listen_at) = watch::channel(target("first"));
        tokio::spawn(run(listen_at, None, core));
        let (mut socket, bearer) = accept(&listener).await;
        assert_eq!(bearer, "Bearer first");
        let delivery = r#"{"position":7,"kind":"record","epoch":0,"bytes":"","at_s":1}"#;
        for text in ["rubbish", "{}", delivery] {
            socket.send(Message::text(text)).await.unwrap();
        }
        assert!(matches!(inbox.recv().await, Some(Incoming::Connected)));
        assert!(matches!(inbox.recv().await, Some(Incoming::Delivered(it)) if it.position == 7));
        targets.send(target("second")).unwrap();
        let (_socket, bearer) = accept(&listener).await;
        assert_eq!(bearer, "Bearer second");
        assert!(matches!(inbox.recv().await, Some(Incoming::Connected)));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_service_that_is_gone_is_told_apart_from_one_that_refuses() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let service = format!("http://{}", listener.local_addr().unwrap());
        let listening = Listening { path: "/v1/push?after=0".to_owned(), bearer: "token".to_owned() };
        let (core, mut inbox) = mpsc::channel(8);
        let (_targets, listen_at) = watch::channel(Some(Target { service, listening }));
        tokio::spawn(run(listen_at, None, core));
        let (mut refused, _) = listener.accept().await.unwrap();
        refused.write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        assert!(matches!(inbox.recv().await, Some(Incoming::Refused)));
        let (socket, _) = accept(&listener).await;
        assert!(matches!(inbox.recv().await, Some(Incoming::Connected)));
        drop((socket, listener));
        for _ in 0..2 {
            assert!(matches!(inbox.recv().await, Some(Incoming::Disconnected)));
        }
    }
}
