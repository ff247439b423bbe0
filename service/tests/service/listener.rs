//! The one test of the listener itself.

use std::net::SocketAddr;

use protocol::api::WellKnown;
use service::{Options, Service};

use crate::world::World;

/// Answers come on the address, until the service is told to end; then it ends, and its folder is free.
#[test]
fn the_service_answers_on_its_address_until_it_is_told_to_end() {
    let world = World::new();
    let listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let service = Service::open(Options { listen, origin: None, ..world.options() }).unwrap();
    let address = service.address().unwrap();
    assert_eq!(service.origin(), format!("{address}/trefoil"));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let running = runtime.spawn(service.run(async { stopped.await.unwrap() }));
    let known: WellKnown = loop {
        let asked = ureq::get(format!("http://{address}/.well-known/trefoil")).call();
        // 503 until block 0 is sealed
        if let Ok(mut found) = asked {
            break serde_json::from_slice(&found.body_mut().read_to_vec().unwrap()).unwrap();
        }
    };
    assert_eq!((known.origin, known.quorum), (format!("{address}/trefoil"), 0));
    stop.send(()).unwrap();
    runtime.block_on(running).unwrap().unwrap();
    Service::open(Options { origin: None, ..world.options() }).unwrap();
}
