//! The whole product in one process: the real service, called without sockets, and real clients over databases of their
//! own, with a made-up clock. Who speaks when is decided here, one step after the other.
//!
//! Not in scope: the agent, the push connection, processes ([`crate::world`]). What a push connection would bring is
//! fetched between the steps; what a network loses, doubles or holds back is up to the test ([`Weather`]).

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{Request as HttpRequest, StatusCode, header};
use chain::id::DeviceId;
use client::step::{Answer, Call, Command, Event, Input, IntentId, Joining, Request, RequestId, Secret};
use client::transfer::{Forgotten, Transfer};
use client::{Client, Store, StoreKey};
use http_body_util::BodyExt as _;
use protocol::api::HANDLE_LOOKUP;
use protocol::api::accounts::TOKEN_CHALLENGE;
use protocol::api::delivery::{ACK, CLAIM, Delivery, DeliveryKind, Feed, KEY_PACKAGES, PUSH, Passing};
use protocol::introduction::DeviceKind;
use protocol::limits::Limits;
use protocol::opaque::Stretching;
use protocol::refusal::Problem;
use rusqlite::Connection;
use service::{Options, Service};
use tower::ServiceExt as _;

use crate::carrier::Place;
use crate::evil::{Face, Liar};

mod disk;
mod passing;
mod port;

/// A moment in November 2026, milliseconds since 1970.
const MORNING_MS: u64 = 1_795_000_000_000;
/// Passwords cost nothing here.
pub(crate) const CHEAP: Stretching = Stretching { memory_kib: 8, passes: 1, lanes: 1 };

/// A service and everybody who uses it.
pub struct Town {
    folder: tempfile::TempDir,
    clock_ms: Arc<AtomicU64>,
    service: Option<Service>,
    router: Router,
    runtime: tokio::runtime::Runtime,
    devices: Vec<Device>,
    /// What is done to requests on their way.
    pub weather: Weather,
    /// Who asked for which path, in order.
    pub asked: Vec<(Who, String)>,
    /// What was said in passing.
    pub passed: Vec<Passing>,
    /// Whose next message is damaged on its way.
    pub spoiled: Option<Who>,
    /// Who is told nothing by itself, and can ask.
    pub deaf: Option<Who>,
    /// Whose next message is lost on its way.
    pub robbed: Option<Who>,
    /// The commits that the service took: path and body, in order.
    pub commits: RefCell<Vec<(String, Vec<u8>)>>,
    /// The key packages that the service took, in order.
    pub offered: RefCell<Vec<Vec<u8>>>,
    /// The answers to those who asked for one, in order.
    pub claimed: RefCell<Vec<Vec<u8>>>,
    /// Whose feed may have something new.
    stirred: RefCell<BTreeSet<Who>>,
    /// Answers that are still on their way.
    late: VecDeque<(Who, RequestId, Answer)>,
    /// What the service lies about.
    pub liar: Liar,
    /// Files of devices.
    pub files: BTreeMap<Place, Vec<u8>>,
    /// How many more requests about files are answered, if that is counted.
    pub pieces: Option<usize>,
}

/// What happens to requests on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Weather {
    /// They arrive, and the answers too.
    #[default]
    Fine,
    /// Nothing arrives.
    Down,
    /// They arrive; the answers are lost.
    AnswersLost,
    /// They arrive twice; the answer that counts is that to the second.
    Doubled,
    /// They arrive; the answers come when this is over.
    Slow,
}

/// Names a device of the town.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Who(usize);

struct Device {
    path: PathBuf,
    db: Connection,
    client: Client,
    requests: VecDeque<Request>,
    transfers: VecDeque<Transfer>,
    forgotten: Vec<Forgotten>,
    heard: VecDeque<Delivery>,
    events: Vec<Event>,
    online: bool,
    skew_ms: i64,
    wake_at_ms: Option<u64>,
}

const KEY: [u8; 32] = [42; 32];
/// Requests after which nobody's feed has anything new; a new token opens one that was closed.
const QUIET: [&str; 5] = [ACK, CLAIM, HANDLE_LOOKUP, KEY_PACKAGES, TOKEN_CHALLENGE];

impl Default for Town {
    fn default() -> Self {
        Self::new()
    }
}

impl Town {
    /// A service without witnesses, and nobody yet.
    pub fn new() -> Self {
        Self::beginning_at(MORNING_MS)
    }

    /// The same, at another moment, milliseconds since 1970.
    pub fn beginning_at(start_ms: u64) -> Self {
        let folder = tempfile::Builder::new().prefix("trefoil-town-").tempdir_in(memory_or_disk()).unwrap();
        let clock_ms = Arc::new(AtomicU64::new(start_ms));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let service = open(&folder.path().join("service"), &clock_ms);
        let router = service.router();
        let town = Self {
            folder,
            clock_ms,
            service: Some(service),
            router,
            runtime,
            devices: Vec::new(),
            weather: Weather::Fine,
            asked: Vec::new(),
            passed: Vec::new(),
            spoiled: None,
            deaf: None,
            robbed: None,
            commits: RefCell::default(),
            offered: RefCell::default(),
            claimed: RefCell::default(),
            stirred: RefCell::default(),
            late: VecDeque::new(),
            liar: Liar::default(),
            files: BTreeMap::new(),
            pieces: None,
        };
        // block 0 is sealed by another thread
        while town
            .ask(&Call { path: "/v1/genesis".to_owned(), body: None, bearer: None })
            .is_none_or(|(code, _)| code != 200)
        {
            std::thread::yield_now();
        }
        town
    }

    /// The folder of everything.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Ends the service as a kill would, and starts it again.
    pub fn restart_service(&mut self) {
        // whoever holds a route holds the folder
        self.router = Router::new();
        self.service.take();
        let service = open(&self.path("service"), &self.clock_ms);
        self.router = service.router();
        self.service = Some(service);
        self.wait_for_hints();
        self.stir();
    }

    /// A copy of the service's folder, run beside it: a second face of the same log, whose clock stands still.
    pub fn second_face(&mut self) -> Face {
        self.router = Router::new();
        self.service.take();
        let path = self.path(&format!("face-{}", self.now_ms()));
        crate::world::copy(&self.path("service"), &path);
        self.restart_service();
        let stopped = Arc::new(AtomicU64::new(self.now_ms()));
        Face::new(open(&path, &stopped))
    }

    /// The time, milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        self.clock_ms.load(Ordering::SeqCst)
    }

    /// A new, empty device.
    pub fn device(&mut self) -> Who {
        let path = self.path(&format!("device-{}.sqlite", self.devices.len()));
        let db = database(&path);
        self.devices.push(Device {
            path,
            db,
            client: fresh_client(),
            requests: VecDeque::new(),
            transfers: VecDeque::new(),
            forgotten: Vec::new(),
            heard: VecDeque::new(),
            events: Vec::new(),
            online: true,
            skew_ms: 0,
            wake_at_ms: None,
        });
        self.stir();
        Who(self.devices.len() - 1)
    }

    /// All devices, in the order in which they came.
    pub fn everybody(&self) -> impl Iterator<Item = Who> + use<> {
        (0..self.devices.len()).map(Who)
    }

    /// Kills a device's process and starts it again: what was not in the database is gone.
    pub fn restart(&mut self, who: Who) {
        let device = &mut self.devices[who.0];
        device.db = database(&device.path);
        device.client = fresh_client();
        device.requests.clear();
        device.transfers.clear();
        self.late.retain(|(of, ..)| *of != who);
        self.step(who, Input::Tick);
    }

    /// Takes a device off the network, or puts it back.
    pub fn set_online(&mut self, who: Who, online: bool) {
        self.devices[who.0].online = online;
        if online {
            self.step(who, Input::Tick);
        }
    }

    /// Sets a device's clock wrong.
    pub fn set_skew_ms(&mut self, who: Who, skew_ms: i64) {
        self.devices[who.0].skew_ms = skew_ms;
    }

    /// The service hands a device something that nobody else was handed.
    pub fn hand(&mut self, who: Who, delivery: Delivery) {
        self.step(who, Input::Delivered(delivery));
    }

    /// The network hands a device once more what came last, the newest first.
    pub fn echo(&mut self, who: Who) {
        for delivery in self.devices[who.0].heard.clone() {
            self.step(who, Input::Delivered(delivery));
        }
    }

    /// Somebody hands a device what another one got last, the oldest first.
    pub fn hand_on(&mut self, from: Who, to: Who) {
        for delivery in self.devices[from.0].heard.clone().into_iter().rev() {
            self.step(to, Input::Delivered(delivery));
        }
    }

    /// What a device asks next overtakes what it asked first.
    pub fn overtake(&mut self, who: Who) {
        let requests = &mut self.devices[who.0].requests;
        requests.rotate_left(1.min(requests.len()));
    }

    /// Somebody wants something; the intent.
    pub fn command(&mut self, who: Who, command: Command) -> Option<IntentId> {
        self.step(who, Input::Command(command))
    }

    /// From now on a device's commits are on the disk before the next step, as an agent's are.
    pub fn set_durable(&mut self, who: Who) {
        self.devices[who.0].db.pragma_update(None, "synchronous", "FULL").unwrap();
    }

    /// The oldest request of a device, which nobody has sent yet.
    pub fn take_request(&mut self, who: Who) -> Option<Request> {
        self.devices[who.0].requests.pop_front()
    }

    /// A request of a device is answered.
    pub fn answer(&mut self, who: Who, id: RequestId, answer: Answer) {
        self.step(who, Input::Answer { id, answer });
    }

    /// Somebody wants something, and the disk fails before the commit: the transaction is gone, and so is the client.
    pub fn fail(&mut self, who: Who, command: Command) {
        let now_ms = self.now_ms();
        let device = &mut self.devices[who.0];
        let transaction = device.db.transaction().unwrap();
        device.client.step(&transaction, now_ms, Input::Command(command)).unwrap();
        transaction.rollback().unwrap();
        self.restart(who);
    }

    /// Somebody wants something, and everything that follows happens. What became of it.
    pub fn wish(&mut self, who: Who, command: Command) -> Vec<Event> {
        let before = self.devices[who.0].events.len();
        self.command(who, command);
        self.settle();
        self.devices[who.0].events[before..].to_vec()
    }

    /// What everybody types to sign up or to log in.
    pub fn joining(handle: &str) -> Joining {
        Joining {
            service: "http://town".to_owned(),
            handle: handle.to_owned(),
            password: Secret("correct horse battery".to_owned().into()),
            device_name: format!("{handle}'s device"),
            device_kind: DeviceKind::Linux,
            policy: None,
        }
    }

    /// The id of a device.
    pub fn id(&self, who: Who) -> DeviceId {
        self.read(who, |store| client::query::status(store, self.now_ms())).device.unwrap()
    }

    /// Sends, and lets everything that follows happen.
    pub fn send(&mut self, who: Who, to: &str, text: &str) -> Vec<Event> {
        self.wish(who, Command::Send { to: to.to_owned(), text: text.to_owned() })
    }

    /// The texts that a device shows, of a conversation or of all.
    pub fn texts(&self, who: Who, with: Option<&str>) -> Vec<String> {
        let rows = match with {
            Some(with) => self.read(who, |store| client::query::messages(store, Some(with), 10_000)),
            None => self.messages(who),
        };
        rows.into_iter().map(|row| row.text).collect()
    }

    /// Reads what a device has.
    pub fn read<T>(&self, who: Who, read: impl FnOnce(&Store<'_>) -> Result<T, client::Error>) -> T {
        read(&Store::reading(&self.devices[who.0].db, &StoreKey::new(KEY))).unwrap()
    }

    /// All events of a device so far.
    pub fn events(&self, who: Who) -> &[Event] {
        &self.devices[who.0].events
    }

    /// Time passes, and what falls due happens.
    pub fn pass_ms(&mut self, ms: u64) {
        let until = self.now_ms() + ms;
        loop {
            let due = self.devices.iter().filter(|it| it.online).filter_map(|it| it.wake_at_ms).min();
            match due.filter(|due| *due <= until) {
                Some(due) => {
                    self.clock_ms.fetch_max(due, Ordering::SeqCst);
                    self.wake_those_due();
                    self.settle();
                }
                None => break,
            }
        }
        self.clock_ms.fetch_max(until, Ordering::SeqCst);
        self.settle();
    }

    /// Everything under way arrives, and what follows from it, until nothing is left to do at this moment; short pauses
    /// pass.
    pub fn settle(&mut self) {
        for _ in 0..10_000 {
            if self.exchange() {
                continue;
            }
            let soon = self.now_ms() + 3_000;
            let due = self.devices.iter().filter(|it| it.online).filter_map(|it| it.wake_at_ms).min();
            match due.filter(|due| *due <= soon && self.weather == Weather::Fine) {
                Some(due) => {
                    self.clock_ms.fetch_max(due, Ordering::SeqCst);
                    self.wake_those_due();
                }
                None => return,
            }
        }
        panic!("the town does not come to rest");
    }

    /// Every device's feed may have something new, of programs outside of the town too.
    pub fn stir(&self) {
        self.stirred.borrow_mut().extend((0..self.devices.len()).map(Who));
    }

    /// Waits until the service's own threads have told everybody what is new in the record.
    fn wait_for_hints(&self) {
        while self.service.as_ref().is_some_and(|service| !service.has_told_all().unwrap()) {
            std::thread::yield_now();
        }
    }

    fn wake_those_due(&mut self) {
        let now = self.now_ms();
        for index in 0..self.devices.len() {
            let device = &self.devices[index];
            if device.online && device.wake_at_ms.is_some_and(|at| at <= now) {
                self.step(Who(index), Input::Tick);
            }
        }
    }

    /// One round: every device's oldest request, then what came for it. True if there was anything.
    pub fn exchange(&mut self) -> bool {
        let mut any = false;
        while self.weather != Weather::Slow
            && let Some((who, id, answer)) = self.late.pop_front()
        {
            any = true;
            self.step(who, Input::Answer { id, answer });
        }
        for index in 0..self.devices.len() {
            let who = Who(index);
            if let Some(request) = self.devices[index].requests.pop_front() {
                any = true;
                self.asked.push((who, request.call.path.clone()));
                let answer = self.deliver(who, &request.call);
                if matches!(answer, Answer::Ok(_)) {
                    self.pass_on(who, &request.call);
                }
                match self.weather {
                    Weather::Slow => self.late.push_back((who, request.id, answer)),
                    _ => drop(self.step(who, Input::Answer { id: request.id, answer })),
                }
            }
            if let Some(transfer) = self.devices[index].transfers.pop_front() {
                any = true;
                self.carry(who, transfer);
            }
            any |= self.fetch_feed(who);
        }
        any
    }

    pub(crate) fn deliver(&mut self, who: Who, call: &Call) -> Answer {
        if !self.devices[who.0].online || self.weather == Weather::Down {
            return Answer::Unreachable;
        }
        if self.weather == Weather::Doubled {
            self.ask(call);
        }
        let instead = self.liar.instead(who, call);
        let answer = instead.unwrap_or_else(|| answer_of(self.ask(call)));
        let answer = self.liar.answered(who, call, answer);
        if self.weather == Weather::AnswersLost { Answer::Unreachable } else { answer }
    }

    /// What the push connection would bring.
    fn fetch_feed(&mut self, who: Who) -> bool {
        let is_cut = matches!(self.weather, Weather::Down | Weather::AnswersLost) || !self.devices[who.0].online;
        let is_lied_to = self.liar.makes_up_deliveries();
        if is_cut || self.deaf == Some(who) || !(self.stirred.borrow_mut().remove(&who) || is_lied_to) {
            return false;
        }
        let device = &self.devices[who.0];
        let listening = device.client.listening(&Store::reading(&device.db, &StoreKey::new(KEY))).unwrap();
        let Some(listening) = listening else { return false };
        let path = listening.path.replace(PUSH, "/v1/feed");
        let feed = match self.ask(&Call { path, body: None, bearer: Some(listening.bearer) }) {
            Some((200, body)) => serde_json::from_slice(&body).unwrap(),
            _ => Feed { deliveries: Vec::new(), more: false, up_to: 0 },
        };
        if feed.more || is_lied_to {
            // what was kept back is there when the lie ends
            self.stirred.borrow_mut().insert(who);
        }
        let mut deliveries = self.liar.delivered(who, feed.deliveries);
        if self.robbed == Some(who)
            && let Some(lost) = deliveries.iter().position(|it| it.kind == DeliveryKind::Message)
        {
            // nobody misses it before something later comes
            let rest = deliveries.split_off(lost);
            if rest.len() > 1 {
                deliveries.extend(rest.into_iter().skip(1));
                self.robbed = None;
            }
        }
        let any = !deliveries.is_empty();
        for mut delivery in deliveries {
            if delivery.kind == DeliveryKind::Message && self.spoiled.take_if(|it| *it == who).is_some() {
                delivery.bytes.0.iter_mut().rev().take(20).for_each(|byte| *byte ^= 0x55);
            }
            let heard = &mut self.devices[who.0].heard;
            heard.truncate(7);
            heard.push_front(delivery.clone());
            self.step(who, Input::Delivered(delivery));
        }
        any
    }

    /// Asks the service as a network would: status and body.
    pub fn ask(&self, call: &Call) -> Option<(u16, Vec<u8>)> {
        let answer = ask(&self.runtime, &self.router, call);
        // whatever is in a feed came by somebody's request
        if call.body.is_some() && !QUIET.contains(&call.path.as_str()) {
            self.wait_for_hints();
            self.stir();
        }
        if let (Some(body), Some((200, said))) = (&call.body, &answer) {
            match call.path.as_str() {
                KEY_PACKAGES => self.offered.borrow_mut().push(body.clone()),
                CLAIM => self.claimed.borrow_mut().push(said.clone()),
                path if path.ends_with("/commits") => {
                    self.commits.borrow_mut().push((path.to_owned(), body.clone()));
                }
                _ => {}
            }
        }
        answer
    }

    pub(crate) fn step(&mut self, who: Who, input: Input) -> Option<IntentId> {
        let now_ms = self.now_ms();
        let device = &mut self.devices[who.0];
        let transaction = device.db.transaction().unwrap();
        let now_ms = now_ms.saturating_add_signed(device.skew_ms);
        let output = device.client.step(&transaction, now_ms, input).unwrap();
        transaction.commit().unwrap();
        device.requests.extend(output.requests);
        device.transfers.extend(output.transfers);
        device.forgotten.extend(output.forgotten);
        device.events.extend(output.events);
        device.wake_at_ms = output.wake_at_ms.map(|at| at.saturating_add_signed(-device.skew_ms));
        output.intent
    }
}

/// Asks a service as a network would: status and body.
pub(crate) fn ask(runtime: &tokio::runtime::Runtime, router: &Router, call: &Call) -> Option<(u16, Vec<u8>)> {
    let mut request = HttpRequest::builder().uri(&call.path).header(header::CONTENT_TYPE, "application/json");
    if let Some(bearer) = &call.bearer {
        request = request.header(header::AUTHORIZATION, format!("Bearer {bearer}"));
    }
    let method = if call.body.is_some() { "POST" } else { "GET" };
    let request = request.method(method).body(Body::from(call.body.clone().unwrap_or_default())).unwrap();
    let router = router.clone();
    runtime.block_on(async move {
        let answer = router.oneshot(request).await.unwrap();
        let status: StatusCode = answer.status();
        let body = answer.into_body().collect().await.ok()?.to_bytes().to_vec();
        Some((status.as_u16(), body))
    })
}

/// What a client is told of an answer.
pub(crate) fn answer_of(answer: Option<(u16, Vec<u8>)>) -> Answer {
    match answer {
        Some((200, body)) => Answer::Ok(body),
        Some((_, body)) => serde_json::from_slice::<Problem>(&body).map_or(Answer::Unreachable, Answer::Refused),
        None => Answer::Unreachable,
    }
}

/// Where syncing costs nothing, if there is room: a killed process loses nothing that the system was given.
fn memory_or_disk() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    let free = rustix::fs::statvfs(&memory).map_or(0, |it| it.f_bavail.saturating_mul(it.f_frsize));
    if free >= 1 << 30 { memory } else { std::env::temp_dir() }
}

fn fresh_client() -> Client {
    Client::with_stretching(StoreKey::new(KEY), CHEAP)
}

fn database(path: &std::path::Path) -> Connection {
    let db = Connection::open(path).unwrap();
    client::prepare(&db).unwrap();
    // a killed process loses nothing that the system was given
    db.pragma_update(None, "synchronous", "OFF").unwrap();
    db
}

fn open(data: &std::path::Path, clock_ms: &Arc<AtomicU64>) -> Service {
    let clock_ms = Arc::clone(clock_ms);
    let mut options = Options::new(data);
    options.origin = Some("town.example/log".to_owned());
    options.limits = Limits { reports_a_day: Limits::PUBLIC.reports_a_day, ..Limits::NONE };
    options.clock = Arc::new(move || clock_ms.load(Ordering::SeqCst) / 1_000);
    Service::open(options).unwrap()
}
