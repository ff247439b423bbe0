//! The socket on which a device is told at once: real sockets on loopback.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use protocol::api::delivery::{Delivery, DeliveryKind, MAX_PASSING, Passing, PassingSubmission};
use protocol::bytes::Base64Url;
use service::Service;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{self, HandshakeError, Message, WebSocket};

use crate::accounts::removing;
use crate::delivery::{GROUP, group_of};
use crate::mls::Member;
use crate::world::{World, submit};

/// The service's router on a port, until this is dropped.
pub(crate) struct Port {
    address: SocketAddr,
    _runtime: tokio::runtime::Runtime,
}

impl Port {
    pub(crate) fn open(service: &Service) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let router = service.router().into_make_service_with_connect_info::<SocketAddr>();
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { address, _runtime: runtime }
    }

    pub(crate) fn connect(&self, token: &Base64Url, after: u64) -> Result<WebSocket<TcpStream>, u16> {
        let mut request = format!("ws://{}/v1/push?after={after}", self.address).into_client_request().unwrap();
        let text = serde_json::to_value(token).unwrap();
        let bearer = format!("Bearer {}", text.as_str().unwrap());
        request.headers_mut().insert("authorization", bearer.parse().unwrap());
        // attack 51: not even when it is asked for
        request.headers_mut().insert("sec-websocket-extensions", "permessage-deflate".parse().unwrap());
        match tungstenite::client(request, TcpStream::connect(self.address).unwrap()) {
            Ok((socket, response)) => {
                assert!(!response.headers().contains_key("sec-websocket-extensions"));
                Ok(socket)
            }
            Err(HandshakeError::Failure(tungstenite::Error::Http(response))) => Err(response.status().as_u16()),
            Err(other) => panic!("{other}"),
        }
    }
}

/// The next delivery that is no hint, or the code with which the socket was closed.
fn next(socket: &mut WebSocket<TcpStream>) -> Result<Delivery, u16> {
    loop {
        match socket.read().unwrap() {
            Message::Text(text) => {
                let delivery: Delivery = serde_json::from_str(&text).unwrap();
                if delivery.kind != DeliveryKind::Record {
                    return Ok(delivery);
                }
            }
            Message::Close(Some(CloseFrame { code, .. })) => return Err(code.into()),
            Message::Ping(_) => (),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_socket_tells_what_was_missed_and_what_comes_in_order_and_once() {
    let world = World::new();
    let service = world.open().unwrap();
    let alice = Member::alone(&service);
    let missed: Vec<_> = (0_u8..120).map(|it| alice.relay(&service, &alice, &[it]).unwrap().position).collect();
    let port = Port::open(&service);
    let mut socket = port.connect(&alice.token, missed[9]).unwrap();
    // some of these come while the feed is still read
    let live: Vec<_> = (120_u8..140).map(|it| alice.relay(&service, &alice, &[it]).unwrap().position).collect();
    let expected: Vec<_> = missed[10..].iter().chain(&live).copied().collect();
    let got: Vec<_> = expected.iter().map(|_| next(&mut socket).unwrap().position).collect();
    assert_eq!(got, expected);
    // acknowledged on the socket, gone from the feed
    let last = *live.last().unwrap();
    socket.send(Message::text(format!("{{\"position\":{last}}}"))).unwrap();
    while !alice.texts(&service, 0).is_empty() {
        std::thread::yield_now();
    }
    let later = alice.relay(&service, &alice, b"later").unwrap().position;
    assert_eq!(next(&mut socket).unwrap().position, later);
}

/// I1: nobody listens when the write begins, and somebody does before it has ended.
#[test]
fn nothing_is_left_out_that_is_written_while_the_first_socket_opens() {
    let world = World::new();
    let service = world.open().unwrap();
    let alice = Member::alone(&service);
    let port = Port::open(&service);
    let mut last = alice.relay(&service, &alice, b"first").unwrap().position;
    for round in 0_u8..60 {
        let (mut socket, during) = std::thread::scope(|scope| {
            let during = scope.spawn(|| alice.relay(&service, &alice, &[b'd', round]).unwrap().position);
            let socket = std::iter::from_fn(|| Some(port.connect(&alice.token, last))).find_map(Result::ok);
            (socket.unwrap(), during.join().unwrap())
        });
        // what is left out never comes
        socket.get_ref().set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let after = alice.relay(&service, &alice, &[b'a', round]).unwrap().position;
        let got = [next(&mut socket).unwrap().position, next(&mut socket).unwrap().position];
        assert_eq!(got, [during, after], "round {round}");
        last = after;
        socket.close(None).unwrap();
        while socket.read().is_ok() {}
    }
}

#[test]
fn a_removed_device_is_told_so_and_comes_in_no_more() {
    let world = World::new();
    let service = world.open().unwrap();
    let alice = Member::alone(&service);
    let second = alice.second(&service);
    let port = Port::open(&service);
    let mut socket = port.connect(&second.token, 0).unwrap();
    submit(&service, &removing(&service, &alice.account, &alice.device, &second.device)).unwrap();
    assert_eq!(next(&mut socket), Err(4403));
    assert_eq!(port.connect(&second.token, 0).map(drop), Err(403));
    assert_eq!(port.connect(&Base64Url(vec![7; 32]), 0).map(drop), Err(401));
}

/// Attack 53.
#[test]
fn frames_that_are_too_large_or_something_else_end_the_socket() {
    let world = World::new();
    let service = world.open().unwrap();
    let alice = Member::alone(&service);
    let port = Port::open(&service);
    let mut socket = port.connect(&alice.token, 0).unwrap();
    socket.send(Message::text("x".repeat(5_000))).unwrap();
    assert_eq!(next(&mut socket), Err(1009));
    let mut socket = port.connect(&alice.token, 0).unwrap();
    socket.send(Message::text("hello")).unwrap();
    assert_eq!(next(&mut socket), Err(1008));
    let sockets: Vec<_> = std::iter::from_fn(|| port.connect(&alice.token, 0).ok()).take(20).collect();
    assert!(sockets.len() <= 8, "{}", sockets.len());
    assert_eq!(port.connect(&alice.token, 0).map(drop), Err(429));
}

fn pass(service: &Service, member: &Member, epoch: u64, said: &[u8]) -> Result<serde_json::Value, String> {
    let asked = PassingSubmission { epoch, passing: Base64Url(said.to_vec()) };
    member.post(service, &format!("/v1/groups/{GROUP}/passing"), &asked)
}

/// MSG-12: heard by devices of other accounts that are in the group and listen, and by nobody else; kept nowhere.
#[test]
fn a_word_in_passing_is_heard_by_the_others_who_listen() {
    let world = World::new();
    let service = world.open().unwrap();
    let (alice, bob, carol) = (Member::alone(&service), Member::alone(&service), Member::alone(&service));
    group_of(&service, &[&alice, &bob]);
    let port = Port::open(&service);
    let last = |of: &Member| of.feed(&service, 0).up_to;
    let mut hears = port.connect(&bob.token, last(&bob)).unwrap();
    let mut own = port.connect(&alice.token, last(&alice)).unwrap();
    let mut other = port.connect(&carol.token, last(&carol)).unwrap();
    // a socket listens once it has said something
    for (member, socket) in [(&alice, &mut own), (&bob, &mut hears), (&carol, &mut other)] {
        member.relay(&service, member, b"here").unwrap();
        assert_eq!(next(socket).unwrap().kind, DeliveryKind::Relay);
    }
    pass(&service, &alice, 1, b"word").unwrap();
    let Message::Text(text) = hears.read().unwrap() else { panic!("no text") };
    let heard: Passing = serde_json::from_str(&text).unwrap();
    assert_eq!(heard, Passing { group: GROUP, epoch: 1, passing: Base64Url(b"word".to_vec()) });
    // what comes next to the others is no word
    for (member, socket) in [(&alice, &mut own), (&carol, &mut other)] {
        member.relay(&service, member, b"next").unwrap();
        assert_eq!(next(socket).unwrap().bytes.0, b"next");
    }
    assert!(bob.feed(&service, 0).deliveries.iter().all(|it| it.bytes.0 != b"word"), "it is kept nowhere");
    for epoch in [0, 2] {
        assert_eq!(pass(&service, &alice, epoch, b"word"), Err("mls.stale_epoch".to_owned()));
    }
    assert_eq!(pass(&service, &carol, 1, b"word"), Err("group.unknown".to_owned()));
    assert_eq!(pass(&service, &alice, 1, &[0; MAX_PASSING + 1]), Err("request.too_large".to_owned()));
    let refused = (0..100).find_map(|_| pass(&service, &alice, 1, b"word").err());
    assert_eq!(refused.as_deref(), Some("rate.limited"));
    assert!(pass(&service, &bob, 1, b"word").is_ok(), "of each device");
}
