//! A device wants to be let in: the six digits that it shows, with or without old messages, or "not me" (story 4).
//!
//! Nothing is preset, and no single key lets a device in: digits, a choice and Enter do.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::news::next_request;
use super::popup::Popup;
use super::state::{State, Why, Wish};
use crate::failure::Failure;
use crate::link::refuse_as_code;
use crate::local::What;
use crate::local::rows::Device;
use crate::words;

/// How long the new device may take to show its digits.
const DIGITS_WITHIN_S: u64 = 60;
/// Digits of a code.
pub(super) const DIGITS: usize = 6;

/// A request, and what was answered so far.
pub(super) struct Request {
    pub(super) row: Device,
    pub(super) digits: String,
    /// Whether it gets the old messages.
    pub(super) history: Option<bool>,
    pub(super) stage: Stage,
    /// What went wrong.
    pub(super) said: Option<String>,
    /// The first line that is shown of what is said about it.
    pub(super) top: usize,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The new device does not show its digits yet.
    Asked,
    /// It was not there in time; Enter asks once more.
    Silent,
    /// It shows them.
    Shown,
    /// The answer is on its way.
    Answering,
    /// "Not me" was said, and has to be said once more.
    NotMe,
}

impl Request {
    fn new(row: &Device) -> Self {
        let stage = if row.code_shown { Stage::Shown } else { Stage::Asked };
        Self { row: row.clone(), digits: String::new(), history: None, stage, said: None, top: 0 }
    }

    /// Digits out of a clipboard. A link there lets nobody in (attack 6).
    pub(super) fn paste(&mut self, text: &str) {
        match refuse_as_code(text) {
            Ok(()) => text.chars().for_each(|letter| self.type_digit(letter)),
            Err(failure) => self.said = Some(words::tui::failed(&failure)),
        }
    }

    fn type_digit(&mut self, letter: char) {
        if letter.is_ascii_digit() && self.digits.len() < DIGITS {
            self.digits.push(letter);
        }
    }
}

fn ask_for_digits(device: &str) -> Wish {
    let what = What::OpenRequest { device: device.to_owned(), wait_s: DIGITS_WITHIN_S };
    Wish { why: Why::Open(device.to_owned()), what }
}

/// Shows a request; the new device is asked for its digits.
pub(super) fn open(state: &mut State, row: &Device) -> Vec<Wish> {
    state.put_off.remove(&row.device);
    state.popup = Some(Popup::Request(Request::new(row)));
    vec![ask_for_digits(&row.device)]
}

/// The next request that waits, if nothing else stands there.
pub(super) fn next(state: &mut State) -> Vec<Wish> {
    if state.popup.is_some() {
        return Vec::new();
    }
    next_request(state).map_or_else(Vec::new, |row| open(state, &row))
}

/// The list of devices is another one: what was answered elsewhere goes away here, and what is new comes up.
pub(super) fn devices_changed(state: &mut State) -> Vec<Wish> {
    if let Some(Popup::Request(request)) = &state.popup {
        let row = state.device_row(&request.row.device).cloned();
        let (device, is_answering) = (request.row.device.clone(), request.stage == Stage::Answering);
        match row {
            Some(row) if super::alerts::is_request(&row) => {
                if let Some(Popup::Request(request)) = &mut state.popup {
                    request.row = row;
                }
            }
            // this one's own answer is told by itself
            _ if is_answering => (),
            Some(row) if row.state == "confirmed" => {
                answered(state, &device);
                state.say(words::device::confirmed(Some(&row)));
            }
            _ => {
                answered(state, &device);
                state.say(words::tui::ANSWERED_ELSEWHERE);
            }
        }
    }
    let devices: std::collections::BTreeSet<_> = state.devices.iter().map(|row| row.device.clone()).collect();
    state.put_off.retain(|device| devices.contains(device));
    next(state)
}

/// Nobody has to answer it any more.
pub(super) fn answered(state: &mut State, device: &str) {
    if matches!(&state.popup, Some(Popup::Request(request)) if request.row.device == device) {
        state.popup = None;
    }
}

/// The new device shows its digits.
pub(super) fn digits_shown(state: &mut State, device: &str) {
    if let Some(request) = of(state, device)
        && matches!(request.stage, Stage::Asked | Stage::Silent)
    {
        request.stage = Stage::Shown;
    }
}

/// The agent is gone, and what was asked of it.
pub(super) fn agent_lost(state: &mut State) {
    if let Some(Popup::Request(request)) = &mut state.popup {
        request.stage = Stage::Silent;
    }
}

fn of<'s>(state: &'s mut State, device: &str) -> Option<&'s mut Request> {
    match &mut state.popup {
        Some(Popup::Request(request)) if request.row.device == device => Some(request),
        _ => None,
    }
}

/// It was not shown, not let in, or not refused.
pub(super) fn failed(state: &mut State, device: &str, failure: &Failure) -> Vec<Wish> {
    let Some(request) = of(state, device) else {
        state.complain(failure);
        return Vec::new();
    };
    match failure.code.as_str() {
        "confirm.not_shown" => request.stage = Stage::Silent,
        "confirm.code_mismatch" | "confirm.code_expired" => {
            // the digits of the next try are other ones
            request.stage = Stage::Asked;
            request.digits.clear();
            request.said = Some(words::tui::failed(failure));
            return vec![ask_for_digits(device)];
        }
        "confirm.answered" | "confirm.replayed" | "confirm.no_request" => {
            answered(state, device);
            state.complain(failure);
            return vec![super::state::look(Why::Devices)];
        }
        _ => request.stage = Stage::Silent,
    }
    request.said = Some(words::tui::failed(failure));
    Vec::new()
}

/// What a key does.
pub(super) fn key(state: &mut State, mut request: Request, key: &KeyEvent) -> Vec<Wish> {
    let device = request.row.device.clone();
    let mut wishes = Vec::new();
    match (request.stage, key.code) {
        (_, KeyCode::Up) => request.top = request.top.saturating_sub(1),
        (_, KeyCode::Down) => request.top += 1,
        (Stage::NotMe, KeyCode::Char('y' | 'Y')) => {
            request.stage = Stage::Answering;
            wishes.push(Wish { why: Why::Refuse(device.clone()), what: What::Refuse { device } });
        }
        (Stage::NotMe, KeyCode::Char('n' | 'N') | KeyCode::Esc) => {
            request.stage = Stage::Silent;
            wishes.push(ask_for_digits(&device));
        }
        (Stage::NotMe, _) => (),
        // it stays under devices
        (_, KeyCode::Esc) => {
            state.put_off.insert(device);
            return next(state);
        }
        (Stage::Answering, _) => (),
        // a letter could be meant for the text that was being written when this came up
        (_, KeyCode::Char('x')) if key.modifiers.contains(KeyModifiers::CONTROL) => request.stage = Stage::NotMe,
        (_, KeyCode::Char('o' | 'O')) => request.history = Some(true),
        (_, KeyCode::Char('w' | 'W')) => request.history = Some(false),
        (_, KeyCode::Left | KeyCode::Right | KeyCode::Tab) => request.history = Some(request.history != Some(true)),
        (_, KeyCode::Backspace) => drop(request.digits.pop()),
        (_, KeyCode::Char(letter)) => request.type_digit(letter),
        (Stage::Silent, KeyCode::Enter) => {
            request.stage = Stage::Asked;
            request.said = None;
            wishes.push(ask_for_digits(&device));
        }
        (Stage::Shown, KeyCode::Enter) => match request.history {
            Some(history) if request.digits.len() == DIGITS => {
                request.stage = Stage::Answering;
                request.said = None;
                let code = request.digits.clone();
                wishes.push(Wish { why: Why::Confirm(device.clone()), what: What::Confirm { device, code, history } });
            }
            _ => request.said = Some(words::tui::DIGITS_AND_CHOICE.to_owned()),
        },
        _ => (),
    }
    state.popup = Some(Popup::Request(request));
    wishes
}
