//! What keys do in the list, among the messages, and where one writes.

use client::query::MessageState;
use protocol::settings::MAX_VALUE;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::editor::Editor;
use super::layout::Parts;
use super::popup::Popup;
use super::report;
use super::state::{Draft, Pane, Purpose, State, Why, Wish};
use super::talk::{MESSAGES, MOST_MESSAGES, Talk};
use crate::commands::send::{SENT_WITHIN_S, check_text};
use crate::local::rows::{OPEN, REQUEST};
use crate::local::{Decided, What};
use crate::words;

/// Ticks between two words that one types; one is half a second.
const TYPED_EVERY: u64 = 8;

/// A key that no popup and no other page has taken.
pub(super) fn key(state: &mut State, key: &KeyEvent) -> Vec<Wish> {
    match key.code {
        KeyCode::Tab => next_pane(state, true),
        KeyCode::BackTab => next_pane(state, false),
        _ if state.focus == Pane::Writing => return writing(state, key),
        KeyCode::Char('?') => state.popup = Some(Popup::help()),
        KeyCode::Char('/') => state.popup = Some(Popup::search()),
        KeyCode::Char('v') => return verification(state),
        KeyCode::Char('g') => return ask_to_go_on(state),
        _ if state.focus == Pane::List => return list(state, key),
        _ => return messages(state, key),
    }
    Vec::new()
}

fn next_pane(state: &mut State, is_forward: bool) {
    if state.talk.is_none() {
        return;
    }
    state.focus = match (state.focus, is_forward) {
        (Pane::List, true) | (Pane::Writing, false) => Pane::Messages,
        (Pane::Messages, true) | (Pane::List, false) => Pane::Writing,
        (Pane::Writing, true) | (Pane::Messages, false) => Pane::List,
    };
}

/// Opens a conversation, by whatever the agent knows it under.
pub(super) fn open(state: &mut State, with: &str) -> Vec<Wish> {
    let left = keep_draft(state);
    state.page = super::state::Page::Talk;
    let talk = Talk::new(with);
    let wish = talk.look();
    state.talk = Some(talk);
    // what was asked for before is another conversation's
    state.under_way.remove(&Why::Messages);
    let row = state.talk_row().cloned();
    state.focus = if row.as_ref().is_some_and(|row| row.standing == REQUEST) { Pane::Messages } else { Pane::Writing };
    if let Some(row) = &row {
        state.marked = Some(row.conversation.clone());
    }
    go_on_with_draft(state);
    let mut wishes = vec![wish];
    wishes.extend(left);
    wishes.extend(mark_read(state));
    wishes
}

/// What was begun to be written there on another device stands there, unless something does already.
fn go_on_with_draft(state: &mut State) {
    let begun = state.talk_row().and_then(|row| row.draft.clone());
    if let (Some(begun), Some(draft)) = (begun, state.draft_mut())
        && draft.begun().is_empty()
        && draft.purpose == Purpose::New
    {
        (draft.editor, draft.told) = (Editor::of(&begun), begun);
    }
}

/// The other devices are told what was begun to be written here.
pub(super) fn keep_draft(state: &mut State) -> Option<Wish> {
    let chat = state.talk_row().filter(|row| row.standing == OPEN).map(|row| row.conversation.clone())?;
    let draft = state.draft_mut()?;
    let text = draft.begun();
    if text == draft.told || text.len() > MAX_VALUE {
        return None;
    }
    draft.told.clone_from(&text);
    Some(Wish { why: Why::Quiet, what: What::Draft { chat, text } })
}

/// What is shown is read; of a request nobody says so.
pub(super) fn mark_read(state: &mut State) -> Option<Wish> {
    let is_shown = state.page == super::state::Page::Talk && (state.is_wide() || state.focus != Pane::List);
    let row = state.talk_row().filter(|row| is_shown && row.unread > 0 && row.standing == OPEN)?;
    let (with, counts) = (row.conversation.clone(), (row.messages, row.unread));
    let talk = state.talk.as_mut().filter(|talk| talk.said_read != Some(counts))?;
    talk.said_read = Some(counts);
    Some(Wish { why: Why::Quiet, what: What::MarkRead { with } })
}

fn list(state: &mut State, key: &KeyEvent) -> Vec<Wish> {
    let page = usize::from(state.size.1).saturating_sub(4).max(1);
    let row = state.marked_row().cloned();
    let chat = row.as_ref().map(|row| row.conversation.clone());
    match (key.code, row) {
        (KeyCode::Up, _) => move_mark(state, 1, true),
        (KeyCode::Down, _) => move_mark(state, 1, false),
        (KeyCode::PageUp, _) => move_mark(state, page, true),
        (KeyCode::PageDown, _) => move_mark(state, page, false),
        (KeyCode::Home, _) => move_mark(state, usize::MAX, true),
        (KeyCode::End, _) => move_mark(state, usize::MAX, false),
        (KeyCode::Enter | KeyCode::Right, Some(row)) => return open(state, &row.conversation),
        (KeyCode::Char('n'), _) => state.popup = Some(Popup::newcomer()),
        (KeyCode::Char('d'), _) => return super::devices::turn_page(state),
        (KeyCode::Char('p'), Some(row)) => {
            let said = if row.pinned { words::message::UNPINNED } else { words::message::PINNED };
            return tell(said, chat.map(|chat| What::Pin { chat, on: !row.pinned }));
        }
        (KeyCode::Char('m'), Some(row)) => {
            let is_muted = state.is_muted(&row.conversation);
            let said = if is_muted { words::message::UNMUTED } else { words::message::MUTED };
            return tell(said, chat.map(|chat| What::Mute { chat, seconds: is_muted.then_some(0) }));
        }
        (KeyCode::Char('z'), Some(row)) => {
            let said = if row.archived { words::message::UNARCHIVED } else { words::message::ARCHIVED };
            return tell(said, chat.map(|chat| What::Archive { chat, on: !row.archived }));
        }
        (KeyCode::Char('B'), Some(_)) => report::open(state),
        (KeyCode::Char('a' | 'b'), Some(_)) => return decide(state, key.code == KeyCode::Char('a')),
        _ => (),
    }
    Vec::new()
}

fn tell(said: &str, what: Option<What>) -> Vec<Wish> {
    what.map(|what| Wish { why: Why::Tell(said.to_owned()), what }).into_iter().collect()
}

fn move_mark(state: &mut State, by: usize, is_up: bool) {
    let ids: Vec<String> = state.listed().iter().map(|row| row.conversation.clone()).collect();
    let at = ids.iter().position(|id| Some(id) == state.marked.as_ref()).unwrap_or_default();
    let to = if is_up { at.saturating_sub(by) } else { at.saturating_add(by).min(ids.len().saturating_sub(1)) };
    state.marked = ids.get(to).cloned();
}

/// Lets somebody write who asked, or hears nothing more of somebody.
fn decide(state: &mut State, is_accepted: bool) -> Vec<Wish> {
    let Some(row) = state.meant_row().filter(|row| row.standing == REQUEST || (row.pair && !is_accepted)) else {
        return Vec::new();
    };
    let (who, title) = (row.conversation.clone(), row.title.clone());
    if is_accepted {
        let what = What::Decide { who, decision: Decided::Accepted };
        return tell(&words::people::accepted(&title), Some(what));
    }
    let what = What::Decide { who, decision: Decided::Blocked };
    let wish = Wish { why: Why::Tell(words::people::BLOCKED.to_owned()), what };
    state.popup = Some(Popup::question(&words::tui::ask_block(&title), wish));
    Vec::new()
}

fn verification(state: &State) -> Vec<Wish> {
    let Some(row) = state.meant_row().filter(|row| row.pair) else { return Vec::new() };
    vec![Wish { why: Why::Code, what: What::VerificationCode { handle: row.title.clone() } }]
}

/// What holds up a conversation, and waits for one decision.
fn ask_to_go_on(state: &mut State) -> Vec<Wish> {
    let stale = state.meant_row().filter(|row| row.stale_since.is_some() && !row.unchecked);
    if let Some(row) = stale {
        let (asked, to) = (words::unchecked::ask(row), row.conversation.clone());
        let why = Why::Tell(words::unchecked::DECIDED.to_owned());
        state.popup = Some(Popup::question(&asked, Wish { why, what: What::SendUnchecked { to } }));
        return Vec::new();
    }
    ask_to_accept_reset(state)
}

fn ask_to_accept_reset(state: &mut State) -> Vec<Wish> {
    let title = state.meant_row().filter(|row| row.pair).map(|row| row.title.clone());
    let contact = state.contacts.iter().find(|it| it.reset_at.is_some() && Some(&it.handle) == title.as_ref());
    if let Some(contact) = contact {
        let handle = contact.handle.clone();
        let asked = words::tui::ask_accept_reset(&handle);
        let why = Why::Tell(words::account::accepted(&handle));
        state.popup = Some(Popup::question(&asked, Wish { why, what: What::AcceptReset { handle } }));
    }
    Vec::new()
}

/// Only where there is one to stop.
pub(super) fn ask_to_stop_reset(state: &mut State) -> Vec<Wish> {
    if let Some(due) = state.status.as_ref().and_then(|status| status.reset_due.clone()) {
        let wish = Wish { why: Why::Tell(words::account::VETOED.to_owned()), what: What::Veto };
        state.popup = Some(Popup::question(&words::tui::ask_veto(&due), wish));
    }
    Vec::new()
}

fn messages(state: &mut State, key: &KeyEvent) -> Vec<Wish> {
    match key.code {
        KeyCode::Up | KeyCode::Down | KeyCode::PageUp | KeyCode::PageDown => return scroll(state, key.code),
        KeyCode::Home => {
            let first = state.talk.as_ref().and_then(|talk| talk.rows.first()).map(|row| row.message.clone());
            if let Some(talk) = &mut state.talk {
                talk.top = first.clone().map(|first| (first, 0));
                talk.marked = first;
            }
            return older(state);
        }
        KeyCode::End => {
            if let Some(talk) = &mut state.talk {
                (talk.top, talk.marked) = (None, None);
            }
        }
        KeyCode::Esc | KeyCode::Left => state.focus = Pane::List,
        KeyCode::Enter | KeyCode::Right => state.focus = Pane::Writing,
        KeyCode::Char('B') => report::open(state),
        KeyCode::Char('a' | 'b') => return decide(state, key.code == KeyCode::Char('a')),
        KeyCode::Char('r') => reply(state),
        KeyCode::Char('e') => edit(state),
        KeyCode::Char('d') => take_back(state),
        KeyCode::Char('+') => {
            let message = state.message().filter(|row| !row.deleted && row.timer_s.is_none());
            state.popup = message.map(|row| Popup::reaction(&row.message));
        }
        _ => (),
    }
    Vec::new()
}

fn scroll(state: &mut State, code: KeyCode) -> Vec<Wish> {
    let parts = Parts::of(state);
    let own = state.own().map(str::to_owned);
    let Some(talk) = &mut state.talk else { return Vec::new() };
    let lines = talk.lines(own.as_deref(), usize::from(parts.messages.width));
    let height = usize::from(parts.messages.height);
    let is_up = matches!(code, KeyCode::Up | KeyCode::PageUp);
    let is_at_top = match code {
        KeyCode::Up | KeyCode::Down => talk.step(&lines, height, is_up),
        _ => talk.page(&lines, height, is_up),
    };
    if is_at_top { older(state) } else { Vec::new() }
}

/// Asks for more of the conversation, if there is more.
pub(super) fn older(state: &mut State) -> Vec<Wish> {
    let Some(talk) = state.talk.as_mut().filter(|talk| talk.has_older()) else { return Vec::new() };
    talk.limit = if talk.wanted.is_some() { talk.limit * 2 } else { talk.limit + MESSAGES }.min(MOST_MESSAGES);
    vec![talk.look()]
}

fn reply(state: &mut State) {
    let message = state.message().filter(|row| !row.deleted && row.timer_s.is_none()).map(|row| row.message.clone());
    if let (Some(message), Some(draft)) = (message, state.draft_mut()) {
        leave_edit(draft);
        draft.purpose = Purpose::Reply(message);
        state.focus = Pane::Writing;
    }
}

fn edit(state: &mut State) {
    let own = state.own().map(str::to_owned);
    let is_sent = |it: MessageState| !matches!(it, MessageState::Failed | MessageState::Unreadable);
    let message = state.message().filter(|row| {
        Some(&row.account) == own.as_ref() && !row.deleted && row.timer_s.is_none() && is_sent(row.state)
    });
    let message = message.map(|row| (row.message.clone(), row.text.clone()));
    match (message, state.draft_mut()) {
        (Some((message, text)), Some(draft)) => {
            if !matches!(draft.purpose, Purpose::Edit(_)) {
                draft.aside = std::mem::take(&mut draft.editor);
            }
            draft.editor = Editor::of(&text);
            draft.purpose = Purpose::Edit(message);
            state.focus = Pane::Writing;
        }
        _ => state.say(words::tui::ONLY_OWN),
    }
}

fn take_back(state: &mut State) {
    let own = state.own().map(str::to_owned);
    let is_own = |row: &&crate::local::rows::Message| Some(&row.account) == own.as_ref() && !row.deleted;
    match state.message().filter(is_own).map(|row| row.message.clone()) {
        Some(message) => {
            let why = Why::Said(Some(words::message::TAKEN_BACK));
            let wish = Wish { why, what: What::Delete { message, wait_s: SENT_WITHIN_S } };
            state.popup = Some(Popup::question(words::tui::ASK_TAKE_BACK, wish));
        }
        None => state.say(words::tui::ONLY_OWN),
    }
}

/// What was written before an own message was to be changed is there again.
fn leave_edit(draft: &mut Draft) {
    if matches!(draft.purpose, Purpose::Edit(_)) {
        draft.editor = std::mem::take(&mut draft.aside);
    }
    draft.purpose = Purpose::New;
}

fn writing(state: &mut State, key: &KeyEvent) -> Vec<Wish> {
    let is_new_line = key.modifiers.intersects(KeyModifiers::ALT | KeyModifiers::SHIFT);
    match key.code {
        KeyCode::PageUp | KeyCode::PageDown => return scroll(state, key.code),
        KeyCode::Esc => match state.draft_mut() {
            Some(draft) if draft.purpose != Purpose::New => leave_edit(draft),
            _ => {
                state.focus = Pane::List;
                return keep_draft(state).into_iter().collect();
            }
        },
        KeyCode::Enter if is_new_line => state.draft_mut().into_iter().for_each(|draft| draft.editor.insert("\n")),
        KeyCode::Enter => return send(state),
        KeyCode::Up => {
            if !state.draft_mut().is_some_and(|draft| draft.editor.up()) {
                state.focus = Pane::Messages;
                return scroll(state, KeyCode::Up);
            }
        }
        KeyCode::Down => drop(state.draft_mut().map(|draft| draft.editor.down())),
        _ => {
            let is_new = state.draft_mut().is_some_and(|draft| draft.editor.key(key));
            return types(state).filter(|_| is_new).into_iter().collect();
        }
    }
    Vec::new()
}

/// Whoever is there sees that one types; said again every few seconds, and not of nothing.
fn types(state: &mut State) -> Option<Wish> {
    let chat = state.talk_row().filter(|row| row.standing == OPEN).map(|row| row.conversation.clone())?;
    let is_something = state.draft_mut().is_some_and(|draft| !draft.begun().trim().is_empty());
    let ticks = state.ticks;
    if !is_something || state.typed.is_some_and(|at| ticks.wrapping_sub(at) < TYPED_EVERY) {
        return None;
    }
    state.typed = Some(ticks);
    Some(Wish { why: Why::Quiet, what: What::Typing { chat } })
}

fn send(state: &mut State) -> Vec<Wish> {
    let Some(with) = state.talk.as_ref().map(|talk| talk.with.clone()) else { return Vec::new() };
    if state.is_agent_lost {
        // what is written stays until it can be handed over
        state.say(words::tui::AGENT_LOST);
        return Vec::new();
    }
    let Some(draft) = state.draft_mut() else { return Vec::new() };
    let text = draft.editor.text();
    if text.trim().is_empty() {
        return Vec::new();
    }
    if let Err(failure) = check_text(&text) {
        state.complain(&failure);
        return Vec::new();
    }
    let wait_s = SENT_WITHIN_S;
    let purpose = draft.purpose.clone();
    leave_edit(draft);
    let (said, what) = match purpose {
        Purpose::New => (None, What::Send { to: with, text, wait_s }),
        Purpose::Reply(message) => (None, What::Reply { message, text, wait_s }),
        Purpose::Edit(message) => (Some(words::message::EDITED), What::Edit { message, text, wait_s }),
    };
    if said.is_none() {
        draft.editor = Editor::default();
        // what is sent is begun no longer, on no device
        draft.told.clear();
    }
    let mut wishes = vec![Wish { why: Why::Said(said), what }];
    if let Some(talk) = &mut state.talk {
        (talk.top, talk.marked) = (None, None);
        wishes.push(talk.look());
    }
    wishes
}
