//! The requests of the client, over HTTP (RFC 9110): a bounded number at once, each with a bounded time and answer.

use std::io::{ErrorKind, Read as _};
use std::sync::Arc;
use std::time::Duration;

use client::step::{Answer, Call, Request};
use protocol::api::accounts::LOGIN_FINISH;
use protocol::refusal::Problem;
use tokio::sync::{Semaphore, mpsc};

use super::Incoming;
use crate::tls::Trusted;

/// Requests under way at once.
const AT_ONCE: usize = 8;
/// How long one may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Most bytes of an answer: a page of deliveries with commits in it.
const MAX_ANSWER: u64 = 8 << 20;

/// Asks over HTTP; each request has this time, and so many connections are kept.
pub(super) fn http(trusted: Option<&Trusted>, timeout: Duration, kept: usize) -> ureq::Agent {
    // no redirect: what is meant for the service goes to the service; no proxy: the push connection knows none
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(timeout))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .max_idle_connections_per_host(kept)
        .proxy(None);
    let config = match trusted {
        Some(trusted) => config.tls_config(trusted.for_requests()),
        None => config,
    };
    config.build().new_agent()
}

/// The way to the service.
#[derive(Debug, Clone)]
pub(crate) struct Net {
    http: ureq::Agent,
    permits: Arc<Semaphore>,
    core: mpsc::Sender<Incoming>,
}

impl Net {
    /// Answers go to `core`.
    pub(crate) fn new(trusted: Option<&Trusted>, core: mpsc::Sender<Incoming>) -> Self {
        Self { http: http(trusted, TIMEOUT, AT_ONCE), permits: Arc::new(Semaphore::new(AT_ONCE)), core }
    }

    /// Sends a request; its answer comes to the core by itself. To be called within the runtime.
    pub(crate) fn send(&self, service: Option<&str>, generation: u64, request: Request) {
        let (net, service) = (self.clone(), service.map(str::to_owned));
        tokio::spawn(async move {
            let Ok(_permit) = Arc::clone(&net.permits).acquire_owned().await else { return };
            let http = net.http.clone();
            let id = request.id;
            let asked = tokio::task::spawn_blocking(move || {
                service.map_or(Answer::Unreachable, |service| ask(&http, &service, &request.call, MAX_ANSWER))
            });
            let answer = asked.await.unwrap_or(Answer::Unreachable);
            // a core that has ended wants no answer
            net.core.send(Incoming::Answered { generation, id, answer }).await.unwrap_or_default();
        });
    }
}

/// Asks; of an answer that is longer than `most`, one byte more than that is read.
pub(super) fn ask(http: &ureq::Agent, service: &str, call: &Call, most: u64) -> Answer {
    let first = try_once(http, service, call, most);
    // a kept connection that the service had closed meanwhile says nothing about the service; every request may be
    // sent twice, but for the end of a log-in, which the service takes once: the second answer would be that of a wrong
    // password
    let is_repeatable = call.path != LOGIN_FINISH;
    let again = match first {
        Err(ureq::Error::Io(error)) if is_repeatable && is_lost(error.kind()) => try_once(http, service, call, most),
        first => first,
    };
    again.unwrap_or(Answer::Unreachable)
}

fn is_lost(kind: ErrorKind) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(kind, BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

fn try_once(http: &ureq::Agent, service: &str, call: &Call, most: u64) -> Result<Answer, ureq::Error> {
    let url = format!("{service}{}", call.path);
    let bearer = call.bearer.as_ref().map(|token| format!("Bearer {token}"));
    let mut response = match &call.body {
        Some(body) => {
            let post = http.post(url).content_type("application/octet-stream");
            let post = match bearer {
                Some(bearer) => post.header("Authorization", bearer),
                None => post,
            };
            post.send(body.as_slice())?
        }
        None => {
            let get = http.get(url);
            let get = match bearer {
                Some(bearer) => get.header("Authorization", bearer),
                None => get,
            };
            get.call()?
        }
    };
    let status = response.status().as_u16();
    let mut body = Vec::new();
    response.body_mut().as_reader().take(most.saturating_add(1)).read_to_end(&mut body)?;
    Ok(answer_of(status, body))
}

/// What an HTTP answer is to the client.
fn answer_of(status: u16, body: Vec<u8>) -> Answer {
    if status == 200 {
        return Answer::Ok(body);
    }
    // something in between answers with pages of its own: nobody has answered
    serde_json::from_slice::<Problem>(&body).map_or(Answer::Unreachable, Answer::Refused)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn only_a_problem_document_is_a_refusal() {
        let problem = r#"{"type":"about:blank","status":409,"code":"handle.taken","kind":"refused","detail":"no"}"#;
        assert!(matches!(answer_of(409, problem.into()), Answer::Refused(it) if it.code == "handle.taken"));
        assert!(matches!(answer_of(502, b"<html>Bad Gateway</html>".to_vec()), Answer::Unreachable));
        assert!(matches!(answer_of(302, Vec::new()), Answer::Unreachable));
        assert!(matches!(answer_of(200, b"{}".to_vec()), Answer::Ok(body) if body == b"{}"));
    }

    #[test]
    fn nobody_there_is_unreachable() {
        let http = ureq::Agent::new_with_defaults();
        let call = Call { body: None, path: "/".to_owned(), bearer: None };
        // port 1 of this machine: nobody listens there without being root and meaning it
        assert!(matches!(ask(&http, "http://127.0.0.1:1", &call, MAX_ANSWER), Answer::Unreachable));
    }

    /// A service closes connections that are kept for later; that loses no request and costs no pause.
    #[test]
    fn a_kept_connection_that_was_closed_is_replaced_at_once() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let service = format!("http://{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().unwrap();
                let mut asked = [0; 1024];
                let length = stream.read(&mut asked).unwrap();
                assert!(String::from_utf8_lossy(&asked[..length]).to_lowercase().contains("bearer token"));
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").unwrap();
            }
        });
        let http = ureq::Agent::new_with_defaults();
        let call = Call { body: None, path: "/v1/feed".to_owned(), bearer: Some("token".to_owned()) };
        for _ in 0..2 {
            assert!(matches!(ask(&http, &service, &call, MAX_ANSWER), Answer::Ok(body) if body == b"{}"));
        }
        server.join().unwrap();
    }
}
