//! The service killed in the middle of each of the nine steps, and started again on the same folder and port.

use std::process::Command;

use scenarios::program::{eventually, trefoil};
use scenarios::world::{Service, World, free_port};
use serde_json::Value;

use crate::stubborn::Stubborn;
use crate::wire::{Fate, Wire};
use scenarios::device::Device;

/// How a command may fail on such a day.
const UNREACHABLE: (i32, &str) = (3, "service.unreachable");

/// A service behind a line on which its killer listens.
struct Scene {
    world: World,
    address: String,
    wire: Wire,
    service: Option<Service>,
    /// What becomes of the request at which the service is killed.
    fate: Fate,
}

impl Scene {
    fn new(fate: Fate) -> Self {
        let world = World::new();
        let address = format!("127.0.0.1:{}", free_port());
        let wire = Wire::to(&address);
        let mut scene = Self { world, address, wire, service: None, fate };
        scene.start();
        scene
    }

    fn start(&mut self) {
        let service = self.world.serve_at(Command::new(trefoil()), "service", &self.address, &[]);
        self.service = Some(service.unwrap_or_else(|ended| panic!("it does not start again: {ended:?}")));
    }

    /// The next such request has the chosen fate, and after it nothing reaches the service.
    fn lie_in_wait(&self, wanted: &'static str) {
        let (fate, mut is_over) = (self.fate, false);
        self.wire.judge(move |request| match is_over {
            true => Fate::Lost,
            false if !is_like(request, wanted) => Fate::Answered,
            false => {
                is_over = true;
                fate
            }
        });
    }

    /// Kills the service at each of these requests, one after the other, and starts it again; meanwhile it `looks`.
    fn kill_at(&mut self, requests: &[&'static str], mut looks: impl FnMut()) {
        for (number, wanted) in requests.iter().enumerate() {
            if number == 0 {
                self.lie_in_wait(wanted);
            }
            eventually(wanted, || {
                looks();
                self.wire.is_cut().then_some(())
            });
            let killed = self.service.take().unwrap().process.kill();
            assert_eq!(killed.status, None, "{killed:?}");
            self.start();
            match requests.get(number + 1) {
                Some(next) => self.lie_in_wait(next),
                None => self.wire.judge(|_| Fate::Answered),
            }
        }
    }

    /// What a command says during which the service is killed at each of these requests.
    fn survives(&mut self, device: &Device, command: &[&str], requests: &[&'static str]) -> Vec<Value> {
        let mut stubborn = None;
        let start = || Stubborn::start(device, command, UNREACHABLE);
        self.kill_at(requests, || stubborn.get_or_insert_with(start).look());
        stubborn.unwrap().succeeds()
    }
}

/// Whether a request is the one that is wanted: `*` stands for anything.
fn is_like(request: &str, wanted: &str) -> bool {
    match wanted.split_once('*') {
        Some((start, end)) => request.starts_with(start) && request.ends_with(end),
        None => request == wanted,
    }
}

fn texts(device: &Device) -> Vec<String> {
    device.messages().iter().map(|it| it["text"].as_str().unwrap().to_owned()).collect()
}

/// Steps 1 to 9, with a kill at the requests that make them.
fn nine_steps(mut scene: Scene) {
    let url = scene.wire.url.clone();
    let laptop = Device::new(&scene.world, "laptop", &url);
    let line = laptop.join("signup", "bob");
    let bob = scene.survives(&laptop, &line, &["POST /v1/signup/start", "POST /v1/signup", "POST /v1/tokens"]);
    assert_eq!(bob[0]["handle"], "bob");
    let alice = Device::new(&scene.world, "alice", &url);
    let line = alice.join("signup", "alice");
    scene.survives(&alice, &line, &["POST /v1/handles/lookup", "POST /v1/signup", "POST /v1/key-packages"]);

    // 3, 4: she writes, he reads
    let requests = ["POST /v1/groups", "POST /v1/groups/*/commits", "POST /v1/groups/*/messages"];
    scene.survives(&alice, &["send", "bob", "hello bob"], &requests);
    // whoever has read says so
    scene.survives(&alice, &["send", "bob", "are you there?"], &["POST /v1/feed/ack"]);
    laptop.reads("are you there?");

    // 5, 6: the second device asks to be let in, and shows six digits
    let desktop = Device::new(&scene.world, "desktop", &url);
    let line = [&desktop.join("login", "bob")[..], &["--wait", "60"]].concat();
    let mut login = Stubborn::start(&desktop, &line, UNREACHABLE);
    scene.kill_at(&["POST /v1/login/finish", "POST /v1/entries*", "POST /v1/relay"], || login.look());
    let id = login.says("pending")["device"].as_str().unwrap().to_owned();
    let code = login.says("code")["code"].as_str().unwrap().to_owned();

    // 7: they are typed on the first
    let confirm = ["device", "confirm", &id, "--code", &code, "--history", "yes"];
    scene.survives(&laptop, &confirm, &["POST /v1/entries*", "POST /v1/groups/*/commits"]);
    login.says("confirmed");

    // 8: the old messages; 9: both read
    assert_eq!(desktop.reads("hello bob")["from_history"], true);
    scene.survives(&alice, &["send", "bob", "hello both"], &["POST /v1/groups/*/messages"]);
    for device in [&laptop, &desktop] {
        device.reads("hello both");
        assert_eq!(texts(device), ["hello bob", "are you there?", "hello both"]);
    }
    let show = ["record", "show", "bob", "--service", &url];
    let shown = scene.survives(&alice, &show, &["GET /v1/accounts/*"]);
    let kinds: Vec<_> = shown.iter().filter_map(|it| it["kind"].as_str()).collect();
    assert_eq!(kinds, ["AccountCreated", "DeviceAdded", "DeviceConfirmed"], "each entry once");
    let service = scene.service.as_ref().unwrap();
    let audit = scene.world.audit(&service.api.url, &service.policy);
    assert_eq!(audit.status, Some(0), "{audit:?}");
}

/// The service has done it, and dies before it can say so: nothing is done twice.
#[test]
fn a_service_killed_after_each_request_costs_nothing_but_patience() {
    nine_steps(Scene::new(Fate::AnswerLost));
}

/// It dies with the request in its hands: whether it was done or not, the story ends the same way.
#[test]
fn a_service_killed_during_each_request_costs_nothing_but_patience() {
    nine_steps(Scene::new(Fate::Asked));
}
