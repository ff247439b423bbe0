//! What changes, as it changes: one line a change, read by the page's script with `fetch`, because only that sends the token.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::time::{Instant, Interval, interval_at};

use super::server::Shared;
use crate::local::{Line, Says, What};

/// How often an empty line says that the stream is alive, and the token is looked at again.
const PULSE: Duration = Duration::from_secs(15);

struct Stream {
    shared: Arc<Shared>,
    headers: HeaderMap,
    changes: UnboundedReceiver<Line>,
    unsent: watch::Receiver<u64>,
    pulse: Interval,
}

/// The lines, until the token is good no longer.
pub(super) async fn stream(State(shared): State<Arc<Shared>>, mut headers: HeaderMap) -> Response {
    // that it goes on is nobody's doing
    headers.insert(super::server::BY, axum::http::HeaderValue::from_static("page"));
    let changes = shared.face.ask(What::Changes).await;
    let pulse = interval_at(Instant::now() + PULSE, PULSE);
    let unsent = shared.unsent.news();
    let first = Stream { shared, headers, changes, unsent, pulse };
    // what happened while nobody listened is looked at once
    let begin = line(&json!({ "changed": "all" }));
    let lines = unfold((first, Some(begin)), |(mut stream, begin)| async move {
        let line = match begin {
            Some(line) => line,
            None => stream.next().await?,
        };
        Some((Ok::<_, Infallible>(Bytes::from(line)), (stream, None)))
    });
    ([("content-type", "application/x-ndjson")], Body::from_stream(lines)).into_response()
}

fn line(change: &Value) -> String {
    format!("{change}\n")
}

impl Stream {
    async fn next(&mut self) -> Option<String> {
        tokio::select! {
            change = self.changes.recv() => match change?.says {
                Says::Event(row) => Some(line(&row)),
                Says::Done(_) | Says::Error(_) => None,
            },
            // the pages outlive their streams, so this ends with them
            Ok(()) = self.unsent.changed() => Some(line(&json!({ "changed": "files" }))),
            _ = self.pulse.tick() => self.shared.good_token(&self.headers).map(|_| "\n".to_owned()),
        }
    }
}
