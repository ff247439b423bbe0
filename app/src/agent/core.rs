//! The one loop: something comes in, a transaction, a step, the commit; then what came out is sent and shown. What has come in
//! meanwhile has steps of its own and the same commit, until something is to be sent.

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use client::query::{self, Status};
use client::step::{Answer, Event, Input, Output};
use client::{Client, Store, StoreKey};
use rusqlite::Connection;
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::Incoming;
use super::face::Reply;
use super::keeper::{Keeper, locked};
use super::log::Log;
use super::net::Net;
use super::notifications::{Notifications, Shown};
use super::porter::Porter;
use super::push::{Target, is_other};
use super::telling;
use super::waiting::{Verdict, Waiting};
use crate::clock::now_ms;
use crate::failure::{Failure, Kind};
use crate::keeping::keep_evidence;
use crate::local::What;
use crate::local::rows::{self, KeyState};
use crate::outbox::Outbox;

/// A wake-up is at least this far off, so that no mistake makes the loop spin.
const SHORTEST_SLEEP: Duration = Duration::from_millis(10);
/// And at most this far: after a jump of the clock it comes early, and costs a step.
const LONGEST_SLEEP: Duration = Duration::from_secs(3_600);
/// So long after a step at the latest nothing of what it wrote over is on the disk any more.
const TIDY_AFTER: Duration = Duration::from_secs(5);
/// Steps that share a commit, at most: nobody waits long for the first.
const STEPS_A_COMMIT: usize = 16;
/// Failed steps in a row after which the agent ends.
const GIVE_UP_AFTER: u32 = 2;

/// The ways out.
#[derive(Debug)]
pub(crate) struct Outside {
    pub(crate) net: Net,
    pub(crate) porter: Porter,
    pub(crate) outbox: Outbox,
    pub(crate) push: watch::Sender<Option<Target>>,
    pub(crate) desktop: watch::Sender<Shown>,
    pub(crate) log: Log,
    /// Folder of evidence.
    pub(crate) state: PathBuf,
}

/// An open store and the client over it.
pub(crate) struct Open {
    db: Connection,
    pub(super) client: Client,
    key: StoreKey,
}

impl Open {
    pub(super) fn new(database: &Path, key: StoreKey) -> Result<Self, client::Error> {
        let db = Connection::open(database)?;
        client::prepare(&db)?;
        Ok(Self { db, client: Client::new(key.clone()), key })
    }

    /// The store, for reading.
    pub(crate) fn store(&self) -> Store<'_> {
        Store::reading(&self.db, &self.key)
    }

    /// The state of this device.
    pub(crate) fn status(&self) -> Result<Status, Failure> {
        query::status(&self.store(), now_ms()).map_err(|error| Failure::from_store(&error))
    }

    /// Steps up to the first that has something to be sent, and their commit.
    fn steps(&mut self, inputs: &mut VecDeque<Input>) -> Result<Vec<Output>, client::Error> {
        let transaction = self.db.transaction()?;
        let mut outputs = Vec::new();
        while let Some(input) = inputs.pop_front() {
            let output = self.client.step(&transaction, now_ms(), input)?;
            let is_awaited = !output.requests.is_empty();
            outputs.push(output);
            if is_awaited {
                break;
            }
        }
        transaction.commit()?;
        Ok(outputs)
    }
}

/// The owner of a profile's connection and client.
pub(crate) struct Core {
    database: PathBuf,
    pub(super) keeper: Arc<Keeper>,
    pub(super) outside: Outside,
    pub(super) open: Option<Open>,
    /// Counts the clients: an answer to an earlier one is nobody's.
    generation: u64,
    /// Where requests go: the service of this account, or of the attempt to get one.
    pub(super) service: Option<String>,
    pub(super) waiting: Vec<Waiting>,
    pub(super) notifications: Notifications,
    pub(super) connection: rows::Connection,
    pub(super) offline_since_ms: Option<u64>,
    wake: Option<Instant>,
    /// When the store's write-ahead log is emptied.
    tidy: Option<Instant>,
    failed_steps: u32,
    /// Why the agent has to end.
    fatal: Option<Failure>,
}

impl Core {
    /// Over a database that is opened later.
    pub(crate) fn new(database: PathBuf, keeper: Arc<Keeper>, outside: Outside) -> Self {
        let notifications = Notifications::new(telling::kept(keeper.folder()));
        Self {
            database,
            keeper,
            outside,
            open: None,
            generation: 0,
            service: None,
            waiting: Vec::new(),
            notifications,
            connection: rows::Connection::Unknown,
            offline_since_ms: None,
            wake: None,
            tidy: None,
            failed_steps: 0,
            fatal: None,
        }
    }

    /// Opens the store and takes the first step.
    ///
    /// # Errors
    /// `store.*`.
    pub(crate) fn open(&mut self, key: StoreKey) -> Result<(), Failure> {
        let open = Open::new(&self.database, key).map_err(|error| Failure::from_store(&error))?;
        // a key that does not fit is noticed here, before anything is written under it
        self.service = open.status()?.service;
        self.open = Some(open);
        self.keeper.opened();
        self.generation = self.generation.wrapping_add(1);
        self.wake = Some(Instant::now());
        // whatever was to go and did not before the last end
        self.tidy_shelf(&self.outside.porter.shelf().tidy());
        self.tidy_outbox();
        Ok(())
    }

    /// Runs until `end`, a face's wish, or a second failed step in a row.
    ///
    /// # Errors
    /// What made it end.
    pub(crate) async fn run(
        mut self,
        mut inbox: mpsc::Receiver<Incoming>,
        end: impl Future<Output = ()>,
    ) -> Result<(), Failure> {
        self.outside.log.note("agent.started", u64::from(std::process::id()));
        tokio::pin!(end);
        let (mut asked_to_stop, mut next) = (None, None);
        while self.fatal.is_none() && asked_to_stop.is_none() {
            let due = self.next_due();
            tokio::select! {
                () = &mut end => break,
                incoming = next_of(&mut next, &mut inbox) => match incoming {
                    Some(Incoming::Asked { what: What::Stop, reply }) => asked_to_stop = Some(reply),
                    Some(incoming) => next = self.take_some(incoming, &mut inbox),
                    None => break,
                },
                () = sleep_until(due) => self.time_passed(),
            }
        }
        self.outside.log.note("agent.ended", u64::from(self.failed_steps));
        if let Some(reply) = asked_to_stop {
            reply.done(&json!({}));
        }
        self.fatal.map_or(Ok(()), Err)
    }

    /// Takes what has come, and with it what has come after it and needs nothing but a step; what comes then, if that is here.
    fn take_some(&mut self, first: Incoming, inbox: &mut mpsc::Receiver<Incoming>) -> Option<Incoming> {
        let (mut inputs, mut next) = (VecDeque::new(), Some(first));
        while let Some(incoming) = next.take() {
            match incoming {
                Incoming::Answered { generation, id, answer } => {
                    if generation == self.generation {
                        self.note_connection(&answer);
                        inputs.push_back(Input::Answer { id, answer });
                    }
                }
                Incoming::Delivered(delivery) => inputs.push_back(Input::Delivered(delivery)),
                other if inputs.is_empty() => {
                    self.take(other);
                    return None;
                }
                other => {
                    next = Some(other);
                    break;
                }
            }
            next = if inputs.len() < STEPS_A_COMMIT { inbox.try_recv().ok() } else { None };
        }
        self.steps_and_carry_out(inputs);
        next
    }

    fn take(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Asked { what, reply } => self.asked(what, &reply),
            Incoming::Key { key, reply } => self.take_key(key, &reply),
            Incoming::Answered { .. } | Incoming::Delivered(_) => (),
            Incoming::Measured { to, text, file, reply } => self.measured(to, text, file, &reply),
            Incoming::Portrayed { chat, jpeg, wait_s, reply } => self.portrayed(chat, jpeg, wait_s, &reply),
            Incoming::Moved { intent, done, total } => self.moved(intent, done, total),
            Incoming::Transferred { generation, id, end, message } => {
                if generation == self.generation {
                    self.note_transfer(&end);
                    self.step_and_carry_out(Input::Transferred { id, end });
                    self.files_changed();
                }
                // it may have been taken back while it came
                message.into_iter().for_each(|message| self.tidy_shelf(&BTreeSet::from([message])));
            }
            Incoming::Opened { saving, end, reply } => self.opened_kept(saving, end, &reply),
            Incoming::Kept { message, to } => self.kept(&message, to),
            Incoming::Connected => {
                self.outside.log.note("push.connected", self.generation);
                self.offline_since_ms = None;
                self.note_reached(true);
                self.step_and_carry_out(Input::Tick);
            }
            Incoming::Passed(passing) => self.step_and_carry_out(Input::Passing(passing)),
            Incoming::Disconnected => self.note_reached(false),
            Incoming::Refused => {
                self.note_reached(true);
                self.step_and_carry_out(Input::Unwelcome);
            }
        }
    }

    fn take_key(&mut self, key: StoreKey, reply: &Reply) {
        let opened = if self.open.is_some() { Ok(()) } else { self.open(key) };
        match opened {
            Ok(()) => reply.done(&json!({})),
            Err(failure) => reply.fail(failure),
        }
    }

    /// The open store.
    ///
    /// # Errors
    /// `store.locked`, `profile.new`.
    pub(super) fn opened(&self) -> Result<&Open, Failure> {
        self.open.as_ref().ok_or_else(|| match self.keeper.state() {
            KeyState::None => new_profile(),
            KeyState::Locked | KeyState::Missing | KeyState::Open => locked(),
        })
    }

    /// One step; nothing of it is sent or shown yet. Without a store there is nothing to do.
    ///
    /// # Errors
    /// This program's or its disk's fault; the step is undone.
    pub(super) fn step(&mut self, input: Input) -> Result<Output, Failure> {
        Ok(self.steps(&mut VecDeque::from([input]))?.pop().unwrap_or_default())
    }

    /// The same for some of these inputs: what was taken of them is undone together.
    fn steps(&mut self, inputs: &mut VecDeque<Input>) -> Result<Vec<Output>, Failure> {
        let Some(open) = self.open.as_mut() else {
            inputs.clear();
            return Ok(Vec::new());
        };
        let error = match open.steps(inputs) {
            Ok(outputs) => {
                self.failed_steps = 0;
                self.tidy.get_or_insert_with(|| Instant::now() + TIDY_AFTER);
                return Ok(outputs);
            }
            Err(error) => error,
        };
        self.outside.log.note(error.code(), u64::from(self.failed_steps));
        let failure = Failure::from_store(&error);
        self.failed_steps = self.failed_steps.saturating_add(1);
        let key = open.key.clone();
        // what was in memory may not be what is on disk; what else came was for that client
        inputs.clear();
        self.open = None;
        let reopened = self.open(key);
        if self.failed_steps >= GIVE_UP_AFTER || reopened.is_err() {
            self.fatal = Some(failure.clone());
        }
        Err(failure)
    }

    fn step_and_carry_out(&mut self, input: Input) {
        self.steps_and_carry_out(VecDeque::from([input]));
    }

    fn steps_and_carry_out(&mut self, mut inputs: VecDeque<Input>) {
        while !inputs.is_empty() {
            for output in self.steps(&mut inputs).unwrap_or_default() {
                self.carry_out(output);
            }
        }
    }

    /// Sends and shows what came out of a step, after its commit.
    pub(super) fn carry_out(&mut self, output: Output) {
        for request in output.requests {
            self.outside.net.send(self.service.as_deref(), self.generation, request);
        }
        for transfer in output.transfers {
            self.outside.porter.begin(self.service.as_deref(), self.generation, transfer);
        }
        output.forgotten.into_iter().for_each(|it| self.forget_kept(it));
        self.wake = output.wake_at_ms.map(|at_ms| {
            let wait = Duration::from_millis(at_ms.saturating_sub(now_ms()));
            Instant::now() + wait.clamp(SHORTEST_SLEEP, LONGEST_SLEEP)
        });
        for event in output.events {
            self.show(&event);
        }
        self.point_push();
    }

    fn show(&mut self, event: &Event) {
        if let Event::Done { intent } | Event::Failed { intent, .. } = event {
            self.outside.porter.give_up(*intent);
            self.outside.porter.shelf().forget_sent(*intent);
        }
        if let Event::Written { intent, message, .. } = event {
            self.outside.porter.shelf().name(*intent, message);
        }
        if let Event::Lie { evidence, .. } = event {
            let kept = evidence.is_empty() || keep_evidence(&self.outside.state, evidence).is_ok();
            self.outside.log.note("lie.seen", u64::from(kept));
        }
        self.notifications.see(event, Instant::now());
        let Some(open) = &self.open else { return };
        let offline_since_ms = self.offline_since_ms;
        self.waiting.retain_mut(|it| !it.is_gone() && it.see(event, open, offline_since_ms) == Verdict::Stay);
    }

    /// Tells the push connection where to listen now.
    fn point_push(&mut self) {
        let (Some(open), Some(service)) = (&self.open, &self.service) else { return };
        let Ok(listening) = open.client.listening(&open.store()) else { return };
        let target = listening.map(|listening| Target { service: service.clone(), listening });
        self.outside.push.send_if_modified(|before| {
            let is_other = is_other(before.as_ref(), target.as_ref());
            *before = target;
            is_other
        });
    }

    fn note_connection(&mut self, answer: &Answer) {
        self.note_lost(matches!(answer, Answer::Unreachable));
    }

    /// Whether a request was lost.
    pub(super) fn note_lost(&mut self, is_lost: bool) {
        self.note_reached(!is_lost);
        let Some(open) = &self.open else { return };
        let offline_since_ms = self.offline_since_ms;
        self.waiting.retain_mut(|it| it.note_answer(is_lost, open, offline_since_ms) == Verdict::Stay);
    }

    /// The service was there just now, or was not.
    fn note_reached(&mut self, is_there: bool) {
        if is_there {
            self.listen_at_once();
            self.offline_since_ms = None;
        } else {
            self.offline_since_ms.get_or_insert_with(now_ms);
        }
        let connection = if is_there { rows::Connection::Online } else { rows::Connection::Offline };
        if std::mem::replace(&mut self.connection, connection) != connection {
            self.waiting.iter().for_each(Waiting::note_connection);
        }
    }

    /// Cuts the pause of the push connection short, if the service was out of reach: somebody is here, or it has answered.
    pub(super) fn listen_at_once(&self) {
        if self.offline_since_ms.is_some() {
            self.outside.push.send_modify(|_| ());
        }
    }

    fn next_due(&self) -> Instant {
        let deadlines = self.waiting.iter().filter_map(Waiting::until).chain(self.wake).chain(self.tidy);
        let deadlines = deadlines.chain(self.notifications.due());
        deadlines.min().unwrap_or_else(|| Instant::now() + LONGEST_SLEEP)
    }

    fn time_passed(&mut self) {
        let now = Instant::now();
        if self.wake.is_some_and(|wake| wake <= now) {
            self.wake = None;
            self.step_and_carry_out(Input::Tick);
        }
        self.tell_desktop(now);
        let is_untidy = self.tidy.take_if(|tidy| *tidy <= now).is_some();
        let Some(open) = &self.open else { return };
        if is_untidy && let Err(error) = client::tidy(&open.db) {
            // the next step has it tried again
            self.outside.log.note(error.code(), 0);
        }
        let offline_since_ms = self.offline_since_ms;
        self.waiting.retain(|it| {
            let is_due = it.until().is_some_and(|until| until <= now);
            if is_due {
                it.expire(open, offline_since_ms);
            }
            !is_due
        });
    }
}

/// What was taken out of the inbox already, or else what comes into it.
async fn next_of(next: &mut Option<Incoming>, inbox: &mut mpsc::Receiver<Incoming>) -> Option<Incoming> {
    match next.take() {
        Some(next) => Some(next),
        None => inbox.recv().await,
    }
}

/// A profile without an account.
pub(super) fn new_profile() -> Failure {
    let message =
        "this profile has no account yet: `trefoil signup HANDLE` opens one, `trefoil login HANDLE` joins yours";
    Failure::new(Kind::Misuse, "profile.new", message)
}
