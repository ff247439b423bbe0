//! What the agent tells, and what it changes.

use client::query::{MessageState, Phase};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::alerts::is_request;
use super::keys;
use super::layout::Parts;
use super::popup::{self, Popup};
use super::report;
use super::state::{End, State, Why, Wish, is_called, look};
use crate::failure::{Failure, Kind};
use crate::local::rows::{self, Message, Sent};
use crate::words;

/// The last line of an answer, with all before it.
pub(super) fn told(state: &mut State, why: Why, rows: Vec<Value>, answer: Result<Value, Failure>) -> Vec<Wish> {
    state.under_way.remove(&why);
    let done = match answer {
        Ok(done) => done,
        Err(failure) => return failed(state, &why, &failure),
    };
    match why {
        Why::Status => read(done).map_or_else(Vec::new, |row| status(state, row)),
        Why::Conversations => {
            state.conversations = read_all(rows);
            conversations(state)
        }
        Why::Devices => {
            state.devices = read_all(rows);
            devices(state)
        }
        Why::Notices => {
            state.notices = read_all(rows);
            Vec::new()
        }
        Why::Contacts => {
            state.contacts = read_all(rows);
            Vec::new()
        }
        Why::Messages => messages(state, read_all(rows)),
        Why::Search => {
            popup::found(state, read_all(rows), read(done));
            Vec::new()
        }
        Why::Code => {
            // a request that has come up meanwhile is not to be covered
            if state.popup.is_none() {
                state.popup = read(done).map(Popup::Code);
            }
            Vec::new()
        }
        Why::Said(said) => sent(state, said, read(done)),
        Why::Open(device) => {
            popup::digits_shown(state, &device);
            Vec::new()
        }
        Why::Confirm(device) => {
            let said = words::device::confirmed(state.device_row(&device));
            popup::answered(state, &device);
            state.say(said);
            vec![look(Why::Devices)]
        }
        Why::Refuse(device) => {
            popup::answered(state, &device);
            state.say(words::device::REFUSED);
            vec![look(Why::Devices)]
        }
        Why::Added(handle) => added(state, &handle),
        Why::Reported(name, reason) => {
            state.say(report::said(&name, reason, read(done)));
            [Why::Status, Why::Conversations, Why::Contacts].map(look).into()
        }
        Why::Tell(said) => {
            state.say(said);
            [Why::Status, Why::Conversations, Why::Devices, Why::Contacts].map(look).into()
        }
        Why::Quiet => vec![look(Why::Conversations), look(Why::Notices)],
        Why::Follow | Why::Changes => Vec::new(),
    }
}

fn read<Row: DeserializeOwned>(value: Value) -> Option<Row> {
    serde_json::from_value(value).ok()
}

/// Rows of an agent of another version may be unknown: those that can be read are shown.
fn read_all<Row: DeserializeOwned>(rows: Vec<Value>) -> Vec<Row> {
    rows.into_iter().filter_map(read).collect()
}

fn failed(state: &mut State, why: &Why, failure: &Failure) -> Vec<Wish> {
    // that nobody answers is said by the line of the connection
    let is_look = matches!(why, Why::Conversations | Why::Devices | Why::Notices | Why::Contacts | Why::Quiet);
    match why {
        _ if is_look && failure.kind == Kind::Unreachable => (),
        // only what was to be done is worth a word then
        Why::Status | Why::Follow | Why::Changes | Why::Messages if failure.code == "agent.ended" => (),
        _ if is_look && failure.code == "agent.ended" => (),
        Why::Open(device) | Why::Confirm(device) | Why::Refuse(device) => return popup::failed(state, device, failure),
        Why::Search | Why::Added(_) => popup::refused(state, failure),
        // a conversation that nobody has begun yet has no messages
        Why::Messages if failure.code == "chat.unknown" => (),
        _ => state.complain(failure),
    }
    Vec::new()
}

fn status(state: &mut State, row: rows::State) -> Vec<Wish> {
    if let Err(failure) = is_usable(&row) {
        state.end = Some(End::Failed(failure));
    }
    state.status = Some(row);
    Vec::new()
}

/// Is there anything that this face can show?
///
/// # Errors
/// `profile.new` and the like, with what to do about it.
pub(crate) fn is_usable(row: &rows::State) -> Result<(), Failure> {
    let said = || words::status(row).into_iter().next().unwrap_or_default();
    match row.phase {
        Phase::Confirmed => Ok(()),
        Phase::New | Phase::Joining => Err(Failure::misuse("profile.new", said())),
        Phase::Pending => Err(Failure::new(Kind::Waiting, "device.pending", said())),
        Phase::Resetting => Err(Failure::new(Kind::Waiting, "reset.waiting", said())),
        Phase::Ended => Err(Failure::new(Kind::Refused, "device.removed", said())),
    }
}

fn conversations(state: &mut State) -> Vec<Wish> {
    // a conversation that was opened by a handle has an id now
    let found = state.talk_row().map(|row| row.conversation.clone());
    let mut wishes = Vec::new();
    if let (Some(id), Some(talk)) = (found, &mut state.talk)
        && talk.with != id
    {
        let before = std::mem::replace(&mut talk.with, id.clone());
        wishes.push(talk.look());
        if let Some(draft) = state.drafts.remove(&before) {
            state.drafts.insert(id, draft);
        }
    }
    if state.talk_row().is_some_and(|row| row.standing == rows::BLOCKED) {
        // nothing more is to be seen of them
        state.talk = None;
        state.focus = super::state::Pane::List;
    }
    if state.marked.is_none() {
        state.marked = state.listed().first().map(|row| row.conversation.clone());
    }
    wishes.extend(keys::mark_read(state));
    wishes
}

fn devices(state: &mut State) -> Vec<Wish> {
    state.device = state.device.min(state.devices.len().saturating_sub(1));
    popup::devices_changed(state)
}

/// The first request that nobody has answered or put off.
pub(super) fn next_request(state: &State) -> Option<rows::Device> {
    state.devices.iter().find(|row| is_request(row) && !state.put_off.contains(&row.device)).cloned()
}

fn messages(state: &mut State, rows: Vec<Message>) -> Vec<Wish> {
    let own = state.own().map(str::to_owned);
    let Some(talk) = &mut state.talk else { return Vec::new() };
    // an answer to what was asked before another one was opened
    let called = rows.first().map(|row| row.conversation.clone());
    let is_other = called.is_some_and(|id| {
        id != talk.with && !state.conversations.iter().any(|row| row.conversation == id && is_called(row, &talk.with))
    });
    if is_other && talk.with.len() == 64 {
        return Vec::new();
    }
    talk.rows = rows;
    if talk.wanted.is_none() {
        return Vec::new();
    }
    let parts = Parts::of(state);
    let Some(talk) = &mut state.talk else { return Vec::new() };
    let lines = talk.lines(own.as_deref(), usize::from(parts.messages.width));
    if talk.find(&lines, usize::from(parts.messages.height)) {
        let wishes = keys::older(state);
        if wishes.is_empty() {
            state.say(words::tui::TOO_FAR_BACK);
        }
        return wishes;
    }
    Vec::new()
}

fn sent(state: &mut State, said: Option<&'static str>, row: Option<Sent>) -> Vec<Wish> {
    match (said, row) {
        (_, Some(row)) if matches!(row.state, MessageState::Waiting | MessageState::Failed) => {
            state.say(words::message::sent(&row));
        }
        (Some(said), _) => state.say(said),
        _ => (),
    }
    let mut wishes: Vec<_> = state.talk.as_ref().map(super::talk::Talk::look).into_iter().collect();
    wishes.push(look(Why::Conversations));
    wishes
}

/// Somebody was looked up: what is written now goes there.
fn added(state: &mut State, handle: &str) -> Vec<Wish> {
    if !matches!(state.popup, Some(Popup::Newcomer(_))) {
        // whoever asked has gone on to something else
        return vec![look(Why::Contacts)];
    }
    state.popup = None;
    let known = state.conversations.iter().find(|row| row.pair && row.title == handle);
    let with = known.map_or_else(|| handle.to_owned(), |row| row.conversation.clone());
    let mut wishes = keys::open(state, &with);
    wishes.push(look(Why::Contacts));
    wishes
}

/// Messages of the open conversation are not as they were: also that somebody has them, which no message says.
pub(super) fn changed(state: &State, row: Value) -> Vec<Wish> {
    let change = read::<rows::Change>(row);
    let is_open = change.as_ref().is_some_and(|change| {
        change.conversation.is_some() && state.talk_row().map(|talk| &talk.conversation) == change.conversation.as_ref()
    });
    if change.is_some_and(|change| change.changed == "typing") {
        return if is_open { vec![look(Why::Conversations)] } else { Vec::new() };
    }
    state.talk.as_ref().filter(|_| is_open).map(super::talk::Talk::look).into_iter().collect()
}

/// A message came, or was changed.
pub(super) fn came(state: &mut State, row: Value) -> Vec<Wish> {
    let mut wishes = vec![look(Why::Conversations), look(Why::Notices)];
    let Some(row) = read::<Message>(row) else { return wishes };
    let is_open = state.talk_row().is_some_and(|talk| talk.conversation == row.conversation);
    if is_open {
        wishes.extend(state.talk.as_ref().map(super::talk::Talk::look));
    }
    let is_new = row.state == MessageState::Received && !row.edited && !row.deleted && row.reactions.is_empty();
    let is_own = Some(row.account.as_str()) == state.own();
    if is_new && !is_own && !is_open && !state.is_muted(&row.conversation) {
        state.ring = Some(words::one_line(&row.from));
    }
    wishes
}
