//! Giant, malformed and hostile requests to every path: each is refused with a code, and the service lives on.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use scenarios::api::Api;
use scenarios::people::{Device, Person};
use scenarios::world::World;

/// Sends a request with a declared length, as much of its body as is taken, and reads the status line and the rest.
fn send(api: &Api, head: &str, mut body: impl FnMut(&mut TcpStream) -> std::io::Result<()>) -> String {
    let address = api.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(10))).unwrap();
    // the service may close while we still send
    let sent = write!(stream, "{head}host: {address}\r\nconnection: close\r\n\r\n");
    sent.and_then(|()| body(&mut stream)).unwrap_or_default();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap_or_default();
    String::from_utf8_lossy(&answer).into_owned()
}

/// Peak memory of a process in KiB.
fn peak_kib(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

const POSTS: [&str; 3] = [
    "/v1/entries",
    "/v1/handles/lookup",
    "/v1/accounts/0000000000000000000000000000000000000000000000000000000000000000/reset",
];

/// Attack 50: a body that never ends, with a declared length and without.
#[test]
fn a_giant_body_is_refused_at_the_limit() {
    let world = World::new();
    let service = world.service("service");
    let before = peak_kib(service.process.id());
    let began = Instant::now();
    for path in POSTS {
        let flood = |stream: &mut TcpStream| (0..1_600).try_for_each(|_| stream.write_all(&[b'a'; 65_536]));
        let head = format!("POST {path} HTTP/1.1\r\ncontent-length: 104857600\r\n");
        let declared = send(&service.api, &head, flood);
        assert!(declared.starts_with("HTTP/1.1 413 "), "{path}: {declared:?}");
        assert!(declared.contains("request.too_large"), "{path}: {declared:?}");
        let chunk = |stream: &mut TcpStream| {
            (0..1_600).try_for_each(|_| {
                stream.write_all(b"10000\r\n")?;
                stream.write_all(&[b'a'; 65_536])?;
                stream.write_all(b"\r\n")
            })
        };
        let head = format!("POST {path} HTTP/1.1\r\ntransfer-encoding: chunked\r\n");
        let chunked = send(&service.api, &head, chunk);
        assert!(chunked.is_empty() || chunked.starts_with("HTTP/1.1 413 "), "{path}: {chunked:?}");
        // exactly at the limit it is read, and refused for what it is
        let refused = service.api.post(path, &vec![b'a'; 65_536]).refusal();
        assert_eq!(refused.0, 400, "{path}: {refused:?}");
        assert_eq!(service.api.post(path, &vec![b'a'; 65_537]).refusal(), (413, "request.too_large".into()));
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let grown = peak_kib(service.process.id()) - before;
    assert!(grown < 16 * 1_024, "{grown} KiB more");
    Person::sign_up(&service.api, None);
}

/// Attack 52: three hundred callers who never finish their request delay neither an answer nor the end.
#[test]
fn requests_that_never_end_hold_up_nobody() {
    let world = World::new();
    let service = world.service("service");
    let address = service.api.url.strip_prefix("http://").unwrap().to_owned();
    let starts: [&[u8]; 2] =
        [b"GET /checkpoint HT", b"POST /v1/entries HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nabc"];
    let held: Vec<_> = starts
        .into_iter()
        .cycle()
        .take(300)
        .map(|start| {
            let mut stream = TcpStream::connect(&address).unwrap();
            stream.write_all(start).unwrap();
            stream
        })
        .collect();
    Person::sign_up(&service.api, None).add_and_confirm();
    let ended = service.process.stop();
    assert_eq!((ended.status, held.len()), (Some(0), 300), "{ended:?}");
}

/// Attacks 27, 54, 55: what no client sends.
#[test]
fn whatever_is_posted_is_refused_with_a_code() {
    let world = World::new();
    let service = world.service("service");
    let laptop = Device::new();
    let valid = laptop.sign(laptop.opening(None), &service.api.origin());
    let nested = "[".repeat(60_000).into_bytes();
    let mut bodies =
        vec![vec![], vec![0], vec![0xff; 1_000], nested, b"{\"handle\":null}".to_vec(), b"{\"handle\":1}".to_vec()];
    bodies.push(b"{\"handle\":\"alice\",\"more\":1}".to_vec());
    bodies.push(format!("{{\"handle\":\"{}\"}}", "a".repeat(50_000)).into_bytes());
    bodies.push(b"{\"handle\":\"\\u0000\\ud800\"}".to_vec());
    bodies.extend((0..valid.len()).step_by(7).map(|length| valid[..length].to_vec()));
    bodies.push([valid.as_slice(), &[0]].concat());
    for path in POSTS {
        for body in &bodies {
            let (status, code) = service.api.post(path, body).refusal();
            assert!((400..500).contains(&status) && code.contains('.'), "{path}: {status} {code}: {body:?}");
        }
    }
    for at in 0..valid.len() {
        let mut changed = valid.clone();
        changed[at] ^= 1;
        let (status, code) = service.api.propose(&changed).refusal();
        assert!(matches!(status, 400 | 409 | 422) && code.contains('.'), "byte {at}: {status} {code}");
    }
    service.api.propose(&valid).accepted();
}

/// Attacks 27, 54: what no client asks for.
#[test]
fn whatever_is_asked_for_is_answered_or_refused_with_a_code() {
    let world = World::new();
    let service = world.service("service");
    let bob = Person::sign_up(&service.api, None);
    let account = bob.account;
    let long = "a".repeat(8_000);
    let paths = [
        "/",
        "/nothing",
        "/v1",
        "/block/",
        "/block/-1",
        "/block/00",
        "/block/01",
        "/block/2",
        "/block/+1",
        "/block/18446744073709551615",
        "/block/18446744073709551616",
        "/block/..%2f..%2fkeys%2flog",
        "/block/%00",
        "/tile/0/000",
        "/tile/8/000",
        "/tile/0/000.p/3",
        "/tile/0/000.p/255",
        "/tile/entries/x999/x999/999.p/1",
        "/tile/../../keys/log",
        "/tile/..%2f..%2fkeys%2flog",
        "/tile/entries/%2e%2e/%2e%2e/keys/log",
        "/tile/data/000",
        "/v1/accounts/",
        "/v1/accounts/00",
        "/v1/accounts/zz",
        "/v1/consistency",
        "/v1/consistency?from=1",
        "/v1/consistency?from=2&to=1",
        "/v1/consistency?from=0&to=3",
        "/v1/consistency?from=-1&to=1",
        "/v1/consistency?from=1&to=18446744073709551615",
        "/v1/consistency?from=1&to=2&more=1",
        "/../keys/log",
    ];
    for path in paths.into_iter().map(str::to_owned).chain([format!("/v1/accounts/{long}"), format!("/{long}")]) {
        let (status, code) = service.api.get(&path).refusal();
        assert!((400..500).contains(&status) && code.starts_with("request."), "{path}: {status} {code}");
    }
    for query in ["since=-1", "since=x", "at=other", "since=1&since=2", "more=1"] {
        let refused = service.api.get(&format!("/v1/accounts/{account}?{query}")).refusal();
        assert_eq!(refused, (400, "request.malformed".into()), "{query}");
    }
    let beyond = service.api.get(&format!("/v1/accounts/{account}?since=18446744073709551615"));
    assert_eq!((beyond.status, beyond.json()["entries"].as_array().map(Vec::len)), (200, Some(0)));
    for method in ["DELETE", "PUT", "PATCH", "TRACE", "FROB"] {
        for path in ["/v1/entries", "/checkpoint", "/v1/handles/lookup"] {
            let answer = send(&service.api, &format!("{method} {path} HTTP/1.1\r\n"), |_| Ok(()));
            assert!(answer.starts_with("HTTP/1.1 4"), "{method} {path}: {answer:?}");
            assert!(answer.contains("\"code\":\"request."), "{method} {path}: {answer:?}");
        }
    }
    for garbage in [
        "\r\n\r\n",
        "GET\r\n",
        "\u{16}\u{3}\u{1}\u{2}",
        "GET / HTTP/9.9\r\n",
        "POST /v1/entries HTTP/1.1\r\ncontent-length: x\r\n",
    ] {
        send(&service.api, garbage, |_| Ok(()));
    }
    bob.add();
}
