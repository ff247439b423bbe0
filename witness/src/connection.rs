//! Connections that end: no peer holds one for longer than it needs (attack 52).

use std::future::Future as _;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Sleep, sleep};

/// How long a connection may bring requests. A witness hears from a log every few seconds; a new connection a minute
/// costs nothing.
const LIFETIME: Duration = Duration::from_secs(60);

/// Accepts connections that end by themselves.
pub(crate) struct EndingListener(pub(crate) TcpListener);

impl axum::serve::Listener for EndingListener {
    type Io = EndingStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (EndingStream, SocketAddr) {
        let (stream, address) = axum::serve::Listener::accept(&mut self.0).await;
        (EndingStream { stream, end: Box::pin(sleep(LIFETIME)) }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// A connection on which reading and waiting to write fail after [`LIFETIME`].
pub(crate) struct EndingStream {
    stream: TcpStream,
    end: Pin<Box<Sleep>>,
}

impl EndingStream {
    /// What `poll` says, or an error if that is "wait" and the time is over.
    fn unless_over<T>(
        &mut self,
        context: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let polled = poll(Pin::new(&mut self.stream), context);
        if polled.is_pending() && self.end.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        polled
    }
}

impl AsyncRead for EndingStream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.end.is_elapsed() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        self.unless_over(context, |stream, context| stream.poll_read(context, buf))
    }
}

impl AsyncWrite for EndingStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.unless_over(context, |stream, context| stream.poll_write(context, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.unless_over(context, |stream, context| stream.poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.unless_over(context, |stream, context| stream.poll_shutdown(context))
    }
}
