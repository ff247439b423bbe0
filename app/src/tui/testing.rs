//! What the tests of this face share: rows as an agent tells them, a screen without a terminal.

use client::query::Phase;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::{Value, json};

use super::colours::Colours;
use super::draw::draw;
use super::state::{State, Why, Wish};
use super::update::{Happening, update};
use crate::failure::{Failure, Kind};
use crate::local::What;
use crate::local::rows::{self, Conversation, Device, Message, OPEN};

/// An id that names a conversation.
pub(super) fn id(letter: char) -> String {
    std::iter::repeat_n(letter, 64).collect()
}

pub(super) fn message(id: &str, text: &str) -> Message {
    message_of(id, "alice", text)
}

pub(super) fn message_of(message: &str, from: &str, text: &str) -> Message {
    let (message, conversation, account) = (message.into(), id('a'), format!("account of {from}"));
    Message { message, conversation, account, from: from.into(), ..Message::sample(text) }
}

pub(super) fn conversation(letter: char, title: &str) -> Conversation {
    serde_json::from_value(json!({
        "conversation": id(letter), "title": title, "members": [], "pair": true, "devices": 2, "messages": 3,
        "newest_at": "2026-08-02T14:02:11.123Z", "standing": OPEN, "ready": true,
    }))
    .unwrap()
}

pub(super) fn device(id: &str, name: &str, state: &str) -> Device {
    Device {
        device: id.into(),
        name: Some(name.into()),
        state: state.into(),
        added_block: 7,
        added_at: "2026-08-02T14:02:11.123Z".into(),
        confirmed_by: None,
        recovered: false,
        this: state == "confirmed",
        kind: None,
        seen_at: None,
        code_shown: false,
    }
}

/// A face of bob, who knows alice, at 80 by 24 or 40 by 10.
pub(super) struct Stage {
    pub(super) state: State,
    /// All that was asked and not yet looked at.
    pub(super) asked: Vec<Wish>,
}

pub(super) const SIZES: [(u16, u16); 2] = [(80, 24), (40, 10)];

impl Stage {
    pub(super) fn new(size: (u16, u16)) -> Self {
        let mut stage = Self { state: State::new(size), asked: Vec::new() };
        let status = rows::State {
            phase: Phase::Confirmed,
            connection: rows::Connection::Online,
            account: Some("account of bob".into()),
            handle: Some("bob".into()),
            service: Some("http://host.example".into()),
            freshness: "fresh".into(),
            ..rows::State::new_profile()
        };
        stage.tell(Why::Status, &[], serde_json::to_value(status).unwrap());
        stage.tell_rows(Why::Conversations, &[conversation('a', "alice")]);
        stage.tell_rows(Why::Devices, &[device("d1", "laptop", "confirmed")]);
        stage.asked.clear();
        stage
    }

    /// With the conversation with alice open, and these texts of hers in it.
    pub(super) fn in_talk(size: (u16, u16), rows: &[Message]) -> Self {
        let mut stage = Self::new(size);
        stage.press(KeyCode::Enter);
        stage.tell_rows(Why::Messages, rows);
        stage.asked.clear();
        stage
    }

    pub(super) fn happen(&mut self, happening: Happening) {
        let wishes = update(&mut self.state, happening);
        self.asked.extend(wishes);
    }

    pub(super) fn press(&mut self, code: KeyCode) {
        self.happen(Happening::Key(KeyEvent::from(code)));
    }

    pub(super) fn press_with(&mut self, modifiers: KeyModifiers, code: KeyCode) {
        self.happen(Happening::Key(KeyEvent::new(code, modifiers)));
    }

    pub(super) fn type_in(&mut self, text: &str) {
        text.chars().for_each(|letter| self.press(KeyCode::Char(letter)));
    }

    pub(super) fn tell(&mut self, why: Why, rows: &[Value], done: Value) {
        self.happen(Happening::Told { why, rows: rows.to_vec(), answer: Ok(done) });
    }

    pub(super) fn tell_rows<Row: serde::Serialize>(&mut self, why: Why, rows: &[Row]) {
        let rows: Vec<_> = rows.iter().map(|row| serde_json::to_value(row).unwrap()).collect();
        self.tell(why, &rows, json!({}));
    }

    pub(super) fn refuse(&mut self, why: Why, code: &str, message: &str) {
        let answer = Err(Failure::new(Kind::Refused, code, message));
        self.happen(Happening::Told { why, rows: Vec::new(), answer });
    }

    /// How often it was asked since the last look that others see that one types. Only that is taken.
    pub(super) fn take_typing(&mut self) -> usize {
        let before = self.asked.len();
        self.asked.retain(|wish| !matches!(wish.what, What::Typing { .. }));
        before - self.asked.len()
    }

    /// What was asked since the last look but for looks, and that one types: JSON, as it stands on the socket.
    pub(super) fn take_asked(&mut self) -> Vec<Value> {
        let is_deed = |it: &Value| {
            !["status", "conversations", "devices", "notices", "contacts", "read", "changes", "typing"]
                .contains(&it["do"].as_str().unwrap())
        };
        self.asked.drain(..).map(|wish| serde_json::to_value(wish.what).unwrap()).filter(is_deed).collect()
    }

    /// The rows of the screen.
    pub(super) fn screen(&self) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(self.state.size.0, self.state.size.1)).unwrap();
        terminal.draw(|frame| draw(&self.state, Colours(true), frame)).unwrap();
        let buffer = terminal.backend().buffer();
        let area = buffer.area;
        let row = |y: u16| (0..area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        (0..area.height).map(row).collect()
    }

    /// All of it as one text, rows joined by spaces.
    pub(super) fn shown(&self) -> String {
        self.screen().iter().map(|row| row.trim_matches([' ', '│'])).collect::<Vec<_>>().join(" ")
    }
}
