//! What happens, and what it changes. Pure: what is to be asked of the agent comes back as wishes.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use serde_json::Value;

use super::popup::{self, Popup};
use super::state::{End, Pane, Remark, State, Why, Wish, look};
use super::{devices, keys, news};
use crate::failure::Failure;
use crate::words;

/// Ticks between looks at everything; one is half a second.
const LOOK_EVERY: u64 = 4;
/// Ticks that a line at the bottom stays if no key is pressed.
const REMARK_STAYS: u64 = 20;
/// The same while the service does not answer: each look makes the agent try again.
const LOOK_OFFLINE_EVERY: u64 = 12;

/// Something that happens to the face.
pub(super) enum Happening {
    Key(KeyEvent),
    Pasted(String),
    /// Columns and rows.
    Resized(u16, u16),
    /// Half a second has passed.
    Tick,
    /// A message came, or was changed.
    Came(Value),
    /// Something is not as it was.
    Changed(Value),
    /// The last line of an answer, with all before it.
    Told {
        why: Why,
        rows: Vec<Value>,
        answer: Result<Value, Failure>,
    },
    /// The agent hung up.
    AgentLost,
    /// It cannot be reached any more, for this reason.
    AgentRefused(Failure),
    /// It is there, at first or again.
    AgentFound,
    /// The system wants the face to end.
    Ended,
}

/// Takes in what happens; what comes back is to be asked.
pub(super) fn update(state: &mut State, happening: Happening) -> Vec<Wish> {
    let wishes = match happening {
        // some terminals tell of keys that are let go, too
        Happening::Key(key) if key.kind == KeyEventKind::Release => Vec::new(),
        Happening::Key(key) => key_pressed(state, &key),
        Happening::Pasted(text) => pasted(state, &text),
        Happening::Resized(columns, rows) => {
            state.size = (columns, rows);
            Vec::new()
        }
        Happening::Tick => tick(state),
        Happening::Came(row) => news::came(state, row),
        Happening::Changed(row) => news::changed(state, row),
        Happening::Told { why, rows, answer } => news::told(state, why, rows, answer),
        Happening::AgentLost => {
            state.is_agent_lost = true;
            state.under_way.clear();
            popup::agent_lost(state);
            Vec::new()
        }
        Happening::AgentRefused(failure) => {
            state.end = Some(End::Failed(failure));
            Vec::new()
        }
        Happening::AgentFound => {
            state.is_agent_lost = false;
            let mut wishes = vec![look(Why::Follow), look(Why::Changes)];
            wishes.extend(look_at_everything());
            wishes.extend(state.talk.as_ref().map(super::talk::Talk::look));
            wishes
        }
        Happening::Ended => {
            state.end = Some(End::Wanted);
            Vec::new()
        }
    };
    under_way(state, wishes)
}

/// Leaves out what is under way already, and what nobody could answer.
fn under_way(state: &mut State, wishes: Vec<Wish>) -> Vec<Wish> {
    let is_look = |why: &Why| {
        matches!(why, Why::Status | Why::Conversations | Why::Devices | Why::Notices | Why::Contacts | Why::Messages)
    };
    let is_lost = state.is_agent_lost;
    if is_lost && wishes.iter().any(|wish| !is_look(&wish.why)) {
        state.remark = Some(Remark { text: words::tui::AGENT_LOST.to_owned(), is_bad: true, since: state.ticks });
    }
    wishes
        .into_iter()
        .filter(|wish| !is_lost && (!is_look(&wish.why) || state.under_way.insert(wish.why.clone())))
        .collect()
}

fn look_at_everything() -> Vec<Wish> {
    [Why::Status, Why::Conversations, Why::Devices, Why::Notices, Why::Contacts].map(look).into()
}

fn tick(state: &mut State) -> Vec<Wish> {
    state.ticks = state.ticks.wrapping_add(1);
    state.remark.take_if(|remark| state.ticks.saturating_sub(remark.since) > REMARK_STAYS);
    let is_offline = state.status.as_ref().is_some_and(|status| status.offline_since.is_some());
    let every = if is_offline { LOOK_OFFLINE_EVERY } else { LOOK_EVERY };
    let mut wishes = Vec::new();
    // what the service takes of a message that was written here tells nobody
    if let Some(talk) = &state.talk {
        let is_waiting = talk.rows.iter().any(|row| row.state == client::query::MessageState::Waiting) && !is_offline;
        if is_waiting || state.ticks.is_multiple_of(every) {
            wishes.push(talk.look());
        }
    }
    if state.ticks.is_multiple_of(every) {
        wishes.extend(keys::keep_draft(state));
        wishes.extend(look_at_everything());
    }
    wishes
}

fn pasted(state: &mut State, text: &str) -> Vec<Wish> {
    if state.popup.is_some() {
        popup::pasted(state, text);
    } else if state.page == super::state::Page::Talk
        && state.focus == Pane::Writing
        && let Some(draft) = state.draft_mut()
    {
        draft.editor.insert(text);
    }
    Vec::new()
}

fn key_pressed(state: &mut State, key: &KeyEvent) -> Vec<Wish> {
    let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
    if is_control && matches!(key.code, KeyCode::Char('q' | 'c')) {
        state.end = Some(End::Wanted);
        return Vec::new();
    }
    state.remark = None;
    if let Some(popup) = state.popup.take() {
        return popup::key(state, popup, key);
    }
    match key.code {
        KeyCode::F(1) => state.popup = Some(Popup::help()),
        KeyCode::Char('k') if is_control => state.popup = Some(Popup::switcher()),
        KeyCode::Char('n') if is_control => state.popup = Some(Popup::newcomer()),
        KeyCode::Char('f') if is_control => state.popup = Some(Popup::search()),
        KeyCode::F(2) => return devices::turn_page(state),
        KeyCode::F(4) => state.popup = Some(Popup::notices()),
        KeyCode::F(8) => return keys::ask_to_stop_reset(state),
        _ if state.page == super::state::Page::Devices => return devices::key(state, key),
        _ => return keys::key(state, key),
    }
    Vec::new()
}
