//! The service on its own address: answers, patience, end.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use protocol::api::WellKnown;
use service::{Options, Patience, Service, Stopped};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::world::World;

/// A service that runs until it is told to end.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    runtime: Runtime,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Result<(), Stopped>>,
}

impl Running {
    pub(crate) fn start(options: Options) -> Self {
        let listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        let service = Service::open(Options { listen, origin: None, ..options }).unwrap();
        let address = service.address().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let runtime = Runtime::new().unwrap();
        let ended = runtime.spawn(service.run(async { stopped.await.unwrap() }));
        Self { address, runtime, stop, ended }
    }

    pub(crate) fn end(self) {
        self.stop.send(()).unwrap();
        self.runtime.block_on(self.ended).unwrap().unwrap();
    }

    /// What the service says to these bytes before it closes the connection, which the caller does not.
    pub(crate) fn last_words(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        // closing with something unread looks like a reset from here
        let ended = stream.read_to_end(&mut answer).map_err(|error| error.kind());
        assert!(matches!(ended, Ok(_) | Err(ErrorKind::ConnectionReset)), "{ended:?}");
        String::from_utf8_lossy(&answer).into_owned()
    }
}

/// Answers come on the address, until the service is told to end; then it ends, and its folder is free.
#[test]
fn the_service_answers_on_its_address_until_it_is_told_to_end() {
    let world = World::new();
    let running = Running::start(world.options());
    let address = running.address;
    let known: WellKnown = loop {
        let asked = ureq::get(format!("http://{address}/.well-known/trefoil")).call();
        // 503 until block 0 is sealed
        if let Ok(mut found) = asked {
            break serde_json::from_slice(&found.body_mut().read_to_vec().unwrap()).unwrap();
        }
    };
    assert_eq!((known.origin, known.quorum), (format!("{address}/trefoil"), 0));
    running.end();
    Service::open(Options { origin: None, ..world.options() }).unwrap();
}

/// Attack 52: headers that never end, a body that never ends, and a caller who keeps a connection and says nothing.
#[test]
fn whoever_keeps_the_service_waiting_loses_the_connection() {
    let world = World::new();
    let short = Duration::from_millis(50);
    let patience = Patience { headers: short, body: short, ..Patience::default() };
    let running = Running::start(Options { patience, ..world.options() });
    assert_eq!(running.last_words(b""), "");
    assert_eq!(running.last_words(b"GET /checkpoint HT"), "");
    assert_eq!(running.last_words(b"GET /checkpoint HTTP/1.1\r\nhost: a\r\nx: y"), "");
    let idle = running.last_words(b"GET /nothing HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(idle.starts_with("HTTP/1.1 404 "), "{idle}");
    let half = running.last_words(b"POST /v1/entries HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nabc");
    assert!(half.starts_with("HTTP/1.1 400 ") && half.contains("request.malformed"), "{half}");
    running.end();
}
