//! What stands before everything else until it is answered: questions, fields, lists.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::editor::Editor;
use super::keys;
use super::report::{self, Report};
use super::request::Request;
use super::state::{State, Why, Wish};
use crate::commands::contact::check_host;
use crate::commands::send::SENT_WITHIN_S;
use crate::failure::Failure;
use crate::link;
use crate::local::What;
use crate::local::rows::{Conversation, Device, Message, Searched, Verification};
use crate::words;

pub(super) use super::request::{agent_lost, answered, devices_changed, digits_shown, failed, open as open_request};

/// How many messages a search shows.
pub(super) const FOUND: u32 = 50;
/// Reactions that a digit stands for.
pub(super) const REACTIONS: [&str; 6] = ["👍", "❤", "😂", "😮", "😢", "🙏"];

/// What stands there.
pub(super) enum Popup {
    /// The first line that is shown.
    Help(usize),
    /// All alerts in full, from this line on.
    Notices(usize),
    Switcher(Choice),
    /// Whom to write to: a handle or a link.
    Newcomer(Field),
    Search(Search),
    /// What somebody thinks of a message.
    Reaction {
        message: String,
        field: Field,
    },
    /// Yes, or no.
    Question {
        asked: String,
        wish: Wish,
    },
    /// A device wants to be let in.
    Request(Request),
    /// The new name of a device.
    Rename {
        device: String,
        field: Field,
    },
    /// The code that two people compare.
    Code(Verification),
    /// Somebody is to be reported: why?
    Report(Report),
}

/// A field with what is wrong with what stands in it.
#[derive(Default)]
pub(super) struct Field {
    pub(super) editor: Editor,
    pub(super) said: Option<String>,
}

/// A conversation that is looked for by its name.
#[derive(Default)]
pub(super) struct Choice {
    pub(super) editor: Editor,
    pub(super) marked: usize,
}

/// A search among messages.
#[derive(Default)]
pub(super) struct Search {
    pub(super) field: Field,
    pub(super) rows: Vec<Message>,
    pub(super) covers: Option<Searched>,
    pub(super) marked: usize,
}

impl Popup {
    pub(super) fn help() -> Self {
        Self::Help(0)
    }

    pub(super) fn notices() -> Self {
        Self::Notices(0)
    }

    pub(super) fn switcher() -> Self {
        Self::Switcher(Choice::default())
    }

    pub(super) fn newcomer() -> Self {
        Self::Newcomer(Field::default())
    }

    pub(super) fn search() -> Self {
        Self::Search(Search::default())
    }

    pub(super) fn reaction(message: &str) -> Self {
        Self::Reaction { message: message.to_owned(), field: Field::default() }
    }

    pub(super) fn question(asked: &str, wish: Wish) -> Self {
        Self::Question { asked: asked.to_owned(), wish }
    }

    pub(super) fn rename(row: &Device) -> Self {
        let editor = Editor::of(row.name.as_deref().unwrap_or_default());
        Self::Rename { device: row.device.clone(), field: Field { editor, said: None } }
    }
}

/// What a key does to it; it goes away unless it is put back.
pub(super) fn key(state: &mut State, popup: Popup, key: &KeyEvent) -> Vec<Wish> {
    if let Popup::Request(request) = popup {
        return super::request::key(state, request, key);
    }
    if key.code == KeyCode::Esc {
        return super::request::next(state);
    }
    match popup {
        Popup::Help(top) => state.popup = scrolled(top, key, Popup::Help),
        Popup::Notices(_) if key.code == KeyCode::Enter => return notices_read(state),
        Popup::Notices(top) => state.popup = scrolled(top, key, Popup::Notices),
        Popup::Switcher(choice) => return switch(state, choice, key),
        Popup::Newcomer(field) => return newcomer(state, field, key),
        Popup::Search(search) => return look_for(state, search, key),
        Popup::Reaction { message, field } => return react(state, message, field, key),
        Popup::Question { asked, wish } => match key.code {
            KeyCode::Char('y' | 'Y') => return vec![wish],
            KeyCode::Char('n' | 'N') => (),
            // nothing else is an answer
            _ => state.popup = Some(Popup::Question { asked, wish }),
        },
        Popup::Rename { device, field } => return rename(state, device, field, key),
        Popup::Code(row) => match key.code {
            KeyCode::Char('y') => {
                let why = Why::Tell(words::people::codes_match(&row.handle));
                return vec![Wish { why, what: What::MarkVerified { handle: row.handle, verified: true } }];
            }
            KeyCode::Char('n') => {
                let why = Why::Tell(words::people::codes_differ(&row.handle));
                return vec![Wish { why, what: What::MarkVerified { handle: row.handle, verified: false } }];
            }
            _ => (),
        },
        Popup::Report(it) => return report::key(state, it, key),
        Popup::Request(_) => (),
    }
    Vec::new()
}

/// Moves what is longer than the screen; the end is found when it is drawn. Enter and `q` close it.
fn scrolled(top: usize, key: &KeyEvent, popup: impl FnOnce(usize) -> Popup) -> Option<Popup> {
    match key.code {
        KeyCode::Up => Some(popup(top.saturating_sub(1))),
        KeyCode::Down => Some(popup(top + 1)),
        KeyCode::PageUp => Some(popup(top.saturating_sub(6))),
        KeyCode::PageDown | KeyCode::Char(' ') => Some(popup(top + 6)),
        KeyCode::Enter | KeyCode::F(_) | KeyCode::Char(_) => None,
        _ => Some(popup(top)),
    }
}

fn notices_read(state: &State) -> Vec<Wish> {
    let up_to = state.notices.iter().map(|row| row.number).max();
    up_to.map(|up_to| Wish { why: Why::Quiet, what: What::NoticesRead { up_to } }).into_iter().collect()
}

/// What is pasted into a field.
pub(super) fn pasted(state: &mut State, text: &str) {
    match &mut state.popup {
        Some(Popup::Switcher(choice)) => choice.editor.insert_line(text),
        Some(Popup::Newcomer(field) | Popup::Reaction { field, .. } | Popup::Rename { field, .. }) => {
            field.editor.insert_line(text);
        }
        Some(Popup::Search(search)) => search.field.editor.insert_line(text),
        Some(Popup::Request(request)) => request.paste(text),
        _ => (),
    }
}

/// The conversations whose name has what was typed, requests too, and those that were put away.
pub(super) fn choices<'s>(state: &'s State, choice: &Choice) -> Vec<&'s Conversation> {
    let wanted = choice.editor.text().to_lowercase();
    let has = |row: &&Conversation| {
        row.standing != crate::local::rows::BLOCKED && words::tui::title(row).to_lowercase().contains(wanted.trim())
    };
    state.conversations.iter().filter(has).collect()
}

fn switch(state: &mut State, mut choice: Choice, key: &KeyEvent) -> Vec<Wish> {
    let ids: Vec<String> = choices(state, &choice).iter().map(|row| row.conversation.clone()).collect();
    match key.code {
        KeyCode::Enter => return ids.get(choice.marked).map_or_else(Vec::new, |id| keys::open(state, id)),
        KeyCode::Up => choice.marked = choice.marked.saturating_sub(1),
        KeyCode::Down => choice.marked = (choice.marked + 1).min(ids.len().saturating_sub(1)),
        _ => {
            if choice.editor.key(key) {
                choice.marked = 0;
            }
        }
    }
    state.popup = Some(Popup::Switcher(choice));
    Vec::new()
}

fn newcomer(state: &mut State, mut field: Field, key: &KeyEvent) -> Vec<Wish> {
    if key.code != KeyCode::Enter {
        field.editor.key(key);
        state.popup = Some(Popup::Newcomer(field));
        return Vec::new();
    }
    let own = state.status.as_ref().and_then(|status| status.service.as_deref());
    let wanted = link::Contact::parse(&field.editor.text()).and_then(|it| check_host(own, &it).map(|()| it));
    match wanted {
        Ok(wanted) => {
            field.said = Some(words::tui::LOOKING_UP.to_owned());
            state.popup = Some(Popup::Newcomer(field));
            let (account, token) = (wanted.account.map(|it| it.to_string()), wanted.token.map(|it| it.to_string()));
            let why = Why::Added(wanted.handle.clone());
            vec![Wish { why, what: What::AddContact { handle: wanted.handle, account, token } }]
        }
        Err(failure) => {
            field.said = Some(words::tui::failed(&failure));
            state.popup = Some(Popup::Newcomer(field));
            Vec::new()
        }
    }
}

/// What was asked for in a field was refused.
pub(super) fn refused(state: &mut State, failure: &Failure) {
    let said = Some(words::tui::failed(failure));
    match &mut state.popup {
        Some(Popup::Newcomer(field)) => field.said = said,
        Some(Popup::Search(search)) => search.field.said = said,
        _ => state.complain(failure),
    }
}

fn look_for(state: &mut State, mut search: Search, key: &KeyEvent) -> Vec<Wish> {
    let mut wishes = Vec::new();
    match (key.code, search.rows.get(search.marked)) {
        (KeyCode::Enter, Some(row)) => {
            let (with, message) = (row.conversation.clone(), row.message.clone());
            let wishes = keys::open(state, &with);
            if let Some(talk) = &mut state.talk {
                talk.wanted = Some(message);
                state.focus = super::state::Pane::Messages;
            }
            return wishes;
        }
        (KeyCode::Enter, None) => {
            let text = search.field.editor.text();
            wishes.push(Wish { why: Why::Search, what: What::Search { text, with: None, from: None, limit: FOUND } });
        }
        (KeyCode::Up, _) => search.marked = search.marked.saturating_sub(1),
        (KeyCode::Down, _) => search.marked = (search.marked + 1).min(search.rows.len().saturating_sub(1)),
        _ => {
            if search.field.editor.key(key) {
                search = Search { field: Field { editor: search.field.editor, said: None }, ..Search::default() };
            }
        }
    }
    state.popup = Some(Popup::Search(search));
    wishes
}

/// The answer to a search, if somebody still waits for it.
pub(super) fn found(state: &mut State, rows: Vec<Message>, covers: Option<Searched>) {
    if let Some(Popup::Search(search)) = &mut state.popup {
        search.field.said = covers.as_ref().map(|covers| words::message::searched(covers, FOUND).join(" "));
        (search.rows, search.covers, search.marked) = (rows, covers, 0);
    }
}

fn react(state: &mut State, message: String, mut field: Field, key: &KeyEvent) -> Vec<Wish> {
    let typed = field.editor.text();
    let chosen = match key.code {
        KeyCode::Char(digit @ '1'..='6') if typed.is_empty() => {
            let number = digit.to_digit(10).and_then(|it| usize::try_from(it).ok()).unwrap_or(1);
            REACTIONS.get(number - 1).map(|it| (*it).to_owned())
        }
        KeyCode::Enter if !typed.trim().is_empty() => Some(typed.trim().to_owned()),
        _ => None,
    };
    let Some(reaction) = chosen else {
        if !key.modifiers.contains(KeyModifiers::ALT) {
            field.editor.key(key);
        }
        state.popup = Some(Popup::Reaction { message, field });
        return Vec::new();
    };
    // the same once more takes it back
    let row = state.talk.as_ref().and_then(|talk| talk.rows.iter().find(|row| row.message == message));
    let is_said =
        |it: &crate::local::rows::Reaction| it.reaction == reaction && Some(it.account.as_str()) == state.own();
    let remove = row.is_some_and(|row| row.reactions.iter().any(is_said));
    let what = What::React { message, reaction, remove, wait_s: SENT_WITHIN_S };
    vec![Wish { why: Why::Said(Some(words::message::REACTED)), what }]
}

fn rename(state: &mut State, device: String, mut field: Field, key: &KeyEvent) -> Vec<Wish> {
    let name = field.editor.text().trim().to_owned();
    if key.code == KeyCode::Enter && !name.is_empty() {
        let why = Why::Tell(words::device::renamed(&name));
        return vec![Wish { why, what: What::NameDevice { device, name } }];
    }
    field.editor.key(key);
    state.popup = Some(Popup::Rename { device, field });
    Vec::new()
}
