//! Connections: how many there may be, how long each may keep the service waiting, and how they end (attack 52).
//!
//! A caller who never finishes its handshake, its headers, its body, or the reading of an answer loses its connection, and holds up
//! neither others nor the service's end. An idle connection counts as one that has not sent its headers. A WebSocket is
//! bound by the time for writing alone. Not in scope: how often somebody may ask (`rates`).

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use protocol::limits::MAX_CONNECTIONS;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Sleep, sleep, timeout};
use tower::ServiceExt as _;

use crate::http::rates::{Asker, asker};
use crate::http::tls::Tls;

/// How long requests that are under way may take after the service was asked to end.
const GRACE: Duration = Duration::from_secs(5);
/// Wait after the system could give no connection, so that one may end meanwhile.
const EXHAUSTED: Duration = Duration::from_secs(1);

/// How long one connection may keep the service waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For the TLS handshake, if there is one.
    pub handshake: Duration,
    /// For a request's headers, from the connection or from the answer before them.
    pub headers: Duration,
    /// For a request's body, from its headers.
    pub body: Duration,
    /// For the caller to take any part of what is written to it.
    pub writing: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let [handshake, headers, body, writing] = [5, 10, 30, 30].map(Duration::from_secs);
        Self { handshake, headers, body, writing }
    }
}

/// Answers on a listener until `end` is ready; then what is under way has [`GRACE`] to finish.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<Tls>,
    router: Router,
    patience: Patience,
    end: impl Future<Output = ()>,
) {
    let places = Arc::new(Places::default());
    let ending = watch::Sender::new(false);
    let mut connections = JoinSet::new();
    let mut end = pin!(end);
    loop {
        tokio::select! {
            () = &mut end => break,
            Some(_) = connections.join_next() => (),
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    if let Some(place) = places.take(peer.ip()) {
                        // small answers and pushes go at once
                        stream.set_nodelay(true).unwrap_or_default();
                        let stream = Bounded::new(stream, patience.writing, place);
                        let (tls, router, ending) = (tls.clone(), router.clone(), ending.subscribe());
                        connections.spawn(begin(stream, tls, peer, router, patience, ending));
                    }
                }
                Err(error) if is_of_the_caller(&error) => (),
                Err(_) => sleep(EXHAUSTED).await,
            },
        }
    }
    drop(listener);
    ending.send_replace(true);
    // whoever never finishes a request does not keep the service from its end
    timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await.unwrap_or_default();
}

/// True if accepting failed because the caller went away, not because this machine has run out of something.
fn is_of_the_caller(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// The handshake, if there is to be one, then the requests. One that is slow holds up its own caller only.
async fn begin(
    stream: Bounded<TcpStream>,
    tls: Option<Tls>,
    peer: SocketAddr,
    router: Router,
    patience: Patience,
    ending: watch::Receiver<bool>,
) {
    let Some(tls) = tls else { return converse(stream, peer, router, patience, ending).await };
    if let Ok(Ok(stream)) = timeout(patience.handshake, tls.accept(stream)).await {
        converse(stream, peer, router, patience, ending).await;
    }
}

/// Answers one connection's requests. What goes wrong with it concerns its caller only.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    router: Router,
    patience: Patience,
    mut ending: watch::Receiver<bool>,
) {
    let answer = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(|body| Body::new(Timed { body, deadline: Box::pin(sleep(patience.body)) }));
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request)
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(patience.headers);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), answer).with_upgrades());
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = ending.wait_for(|ending| *ending) => connection.as_mut().graceful_shutdown(),
    }
    connection.await.unwrap_or_default();
}

/// A body that fails if it is not there in time.
struct Timed {
    body: Incoming,
    deadline: Pin<Box<Sleep>>,
}

impl HttpBody for Timed {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        ready!(self.deadline.as_mut().poll(cx));
        Poll::Ready(Some(Err(late("the body").into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn late(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("{what} took too long"))
}

/// A stream that fails if its other end takes nothing for too long. It has its place among the connections for as long
/// as it lives, as a WebSocket too.
struct Bounded<Io> {
    io: Io,
    writing: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
    _place: Place,
}

impl<Io> Bounded<Io> {
    fn new(io: Io, writing: Duration, place: Place) -> Self {
        Self { io, writing, stalled: None, _place: place }
    }

    /// Passes on what writing gave, unless it has given nothing for too long.
    fn in_time<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let writing = self.writing;
        ready!(self.stalled.get_or_insert_with(|| Box::pin(sleep(writing))).as_mut().poll(cx));
        Poll::Ready(Err(late("reading the answer")))
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Bounded<Io> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Bounded<Io> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.in_time(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, parts);
        self.in_time(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        self.in_time(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.io).poll_shutdown(cx);
        self.in_time(cx, shut)
    }
}

/// How many connections each address has.
#[derive(Default)]
struct Places {
    taken: Mutex<BTreeMap<Asker, usize>>,
}

impl Places {
    /// A place for one more connection; `None` if the address has [`MAX_CONNECTIONS`]. People on the machine itself have
    /// as many as they want, as a proxy there needs.
    fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        if address.to_canonical().is_loopback() {
            return Some(Place { held: None });
        }
        let asker = asker(address);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(asker).or_default();
        if *count >= MAX_CONNECTIONS {
            return None;
        }
        *count = count.saturating_add(1);
        Some(Place { held: Some((Arc::clone(self), asker)) })
    }
}

/// One connection's place; it is free again when this goes away.
struct Place {
    held: Option<(Arc<Places>, Asker)>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((places, asker)) = &self.held else { return };
        let mut taken = places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(asker) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                taken.remove(asker);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::extract::ws::WebSocketUpgrade;
    use axum::routing::any;
    use std::future::{pending, poll_fn};
    use std::io::{Read as _, Write as _};

    use super::*;

    const SHORT: Duration = Duration::from_millis(50);

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Runtime::new().unwrap()
    }

    /// Attack 52: a slow reader.
    #[test]
    fn an_answer_that_nobody_reads_is_given_up() {
        let writing = async {
            let (io, _other) = tokio::net::UnixStream::pair().unwrap();
            let mut stream = Bounded::new(io, SHORT, Place { held: None });
            loop {
                let written = poll_fn(|cx| Pin::new(&mut stream).poll_write(cx, &[0; 65_536])).await;
                if let Err(error) = written {
                    return error.kind();
                }
            }
        };
        assert_eq!(runtime().block_on(writing), io::ErrorKind::TimedOut);
    }

    /// Attack 52: one address, or one /64 network, has so many places; each is free again after its connection.
    #[test]
    fn an_address_has_so_many_connections_at_once() {
        let places = Arc::new(Places::default());
        let take = |address: &str| places.take(address.parse().unwrap());
        let mut held: Vec<_> = (0..MAX_CONNECTIONS).map_while(|_| take("2001:db8::1")).collect();
        assert_eq!(held.len(), MAX_CONNECTIONS);
        assert!(take("2001:db8::2").is_none());
        assert!(take("2001:db8:1::1").is_some());
        held.pop();
        held.push(take("2001:db8::2").unwrap());
        assert!(take("2001:db8::1").is_none());
        let local: Vec<_> = (0..MAX_CONNECTIONS * 2).map_while(|_| take("::ffff:127.0.0.1")).collect();
        assert_eq!(local.len(), MAX_CONNECTIONS * 2);
        drop(held);
        assert!(places.taken.lock().unwrap().is_empty());
    }

    /// A WebSocket is not bound by the time for headers.
    #[test]
    fn a_web_socket_is_kept_after_its_headers() {
        let echo = any(|upgrade: WebSocketUpgrade| async {
            upgrade.on_upgrade(|mut socket| async move {
                while let Some(Ok(message)) = socket.recv().await {
                    socket.send(message).await.unwrap_or_default();
                }
            })
        });
        let patience = Patience { headers: SHORT, body: SHORT, ..Patience::default() };
        let runtime = runtime();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(serve(listener, None, Router::new().route("/echo", echo), patience, pending()));
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        let upgrade = "GET /echo HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
            sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
        stream.write_all(upgrade.as_bytes()).unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            answer.extend(byte);
        }
        assert!(answer.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&answer));
        // this connection's own time for headers is over when another's, begun later, is
        let mut other = std::net::TcpStream::connect(address).unwrap();
        other.write_all(b"GET ").unwrap();
        assert_eq!(other.read(&mut [0; 9]).unwrap(), 0);
        // RFC 6455 §5.2: a text frame, masked with zeros as a client must; it comes back without a mask
        stream.write_all(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i']).unwrap();
        let mut frame = [0; 4];
        stream.read_exact(&mut frame).unwrap();
        assert_eq!(frame, [0x81, 2, b'h', b'i']);
    }
}
