//! The lines of the socket: many requests under way at once, each answer told as one thing that happened.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::state::{Why, Wish};
use super::update::Happening;
use crate::failure::{Failure, Kind};
use crate::local::connection::Agent;
use crate::local::rows::KeyState;
use crate::local::{Ask, Line, Says};
use crate::settings::Settings;
use crate::words;

/// How long to wait before an agent that is away is looked for again.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// What was asked and is not answered yet, with the events that came.
type UnderWay = Arc<Mutex<BTreeMap<u64, (Why, Vec<Value>)>>>;

/// The way to the agent; while there is none, what is asked is lost.
pub(super) struct Wire {
    stream: Arc<Mutex<Option<UnixStream>>>,
    under_way: UnderWay,
    next_id: u64,
}

impl Wire {
    /// Over a connection that is there; what happens goes to `happenings`, as long as somebody listens.
    ///
    /// # Errors
    /// This program's or its machine's fault.
    pub(super) fn new(agent: Agent, settings: &Settings, happenings: Sender<Happening>) -> Result<Self, Failure> {
        let stream = UnixStream::from(agent);
        let writing = stream.try_clone().map_err(Failure::broken)?;
        let wire = Self { stream: Arc::new(Mutex::new(Some(writing))), under_way: UnderWay::default(), next_id: 1 };
        let (shared, under_way, settings) = (Arc::clone(&wire.stream), Arc::clone(&wire.under_way), settings.clone());
        std::thread::spawn(move || keep_listening(stream, &shared, &under_way, &settings, &happenings));
        Ok(wire)
    }

    /// Asks; the answer will happen.
    pub(super) fn ask(&mut self, wish: Wish) {
        let id = self.next_id;
        self.next_id = id.wrapping_add(1);
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(writing) = stream.as_mut() else { return };
        let Ok(mut line) = serde_json::to_vec(&Ask { id, what: wish.what }) else { return };
        line.push(b'\n');
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner).insert(id, (wish.why, Vec::new()));
        // that it is gone is noticed where lines are read
        writing.write_all(&line).unwrap_or_default();
    }
}

fn keep_listening(
    mut stream: UnixStream,
    shared: &Mutex<Option<UnixStream>>,
    under_way: &UnderWay,
    settings: &Settings,
    happenings: &Sender<Happening>,
) {
    loop {
        if happenings.send(Happening::AgentFound).is_err() || !listen(stream, under_way, happenings) {
            return;
        }
        *shared.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let unanswered = std::mem::take(&mut *under_way.lock().unwrap_or_else(PoisonError::into_inner));
        if happenings.send(Happening::AgentLost).is_err() {
            return;
        }
        for (why, rows) in unanswered.into_values() {
            let answer = Err(Failure::new(Kind::Broken, "agent.ended", words::tui::UNANSWERED));
            happenings.send(Happening::Told { why, rows, answer }).unwrap_or_default();
        }
        stream = loop {
            std::thread::sleep(AGAIN_AFTER);
            match find(settings) {
                Ok(Some((reading, writing))) => {
                    *shared.lock().unwrap_or_else(PoisonError::into_inner) = Some(writing);
                    break reading;
                }
                Ok(None) => (),
                Err(failure) => {
                    happenings.send(Happening::AgentRefused(failure)).unwrap_or_default();
                    return;
                }
            }
        };
    }
}

/// Reads until the agent hangs up; false if nobody wants to hear of it any more.
fn listen(stream: UnixStream, under_way: &UnderWay, happenings: &Sender<Happening>) -> bool {
    for line in BufReader::new(stream).lines() {
        let Ok(line) = line else { return true };
        // an agent of another version may say what is not known here
        let Ok(line) = serde_json::from_str::<Line>(&line) else { continue };
        let Some(happening) = take(line, under_way) else { continue };
        if happenings.send(happening).is_err() {
            return false;
        }
    }
    true
}

fn take(line: Line, under_way: &UnderWay) -> Option<Happening> {
    let mut under_way = under_way.lock().unwrap_or_else(PoisonError::into_inner);
    let answer = match line.says {
        Says::Event(row) => {
            let (why, rows) = under_way.get_mut(&line.id)?;
            match why {
                Why::Follow => return Some(Happening::Came(row)),
                Why::Changes => return Some(Happening::Changed(row)),
                _ => (),
            }
            rows.push(row);
            return None;
        }
        Says::Done(row) => Ok(row),
        Says::Error(refusal) => Err(Failure::from(refusal)),
    };
    let (why, rows) = under_way.remove(&line.id)?;
    Some(Happening::Told { why, rows, answer })
}

/// The agent that runs, or a new one; nothing if that did not work this time.
fn find(settings: &Settings) -> Result<Option<(UnixStream, UnixStream)>, Failure> {
    let found = match Agent::running(&settings.profile.socket) {
        Ok(Some((agent, _))) => Some(agent),
        _ => Agent::started(settings).ok(),
    };
    let Some(agent) = found else { return Ok(None) };
    match agent.key() {
        KeyState::Open | KeyState::None => (),
        // its passphrase is asked for where nothing else is on the screen
        KeyState::Locked | KeyState::Missing => {
            return Err(Failure::new(Kind::Refused, "store.locked", words::tui::LOCKED_NOW));
        }
    }
    let stream = UnixStream::from(agent);
    Ok(stream.try_clone().ok().map(|writing| (stream, writing)))
}
