//! Somebody is reported to the service's operator and blocked, beside the way to block him alone (PPL-5): why, and what is told of it.

use protocol::api::reports::Reason;
use ratatui::crossterm::event::{KeyCode, KeyEvent};

use super::popup::Popup;
use super::state::{State, Why, Wish};
use crate::local::rows::REQUEST;
use crate::local::{Reported, What};
use crate::words;

/// Whom it is about.
pub(super) struct Report {
    /// As the agent takes it.
    who: String,
    /// As a person reads it.
    pub(super) name: String,
}

/// Asks why.
pub(super) fn open(state: &mut State) {
    let row = state.meant_row().filter(|row| row.standing == REQUEST || row.pair);
    let report = row.map(|row| {
        let name = if row.pair { row.title.clone() } else { words::report::who_opened(&row.title) };
        Report { who: row.conversation.clone(), name }
    });
    state.popup = report.map(Popup::Report);
}

/// The reasons, each behind the digit that chooses it.
pub(super) fn reasons() -> impl Iterator<Item = (char, Reason)> {
    ('1'..='9').zip(Reason::ALL)
}

/// What a key does: a digit is the answer, and nothing else is.
pub(super) fn key(state: &mut State, report: Report, key: &KeyEvent) -> Vec<Wish> {
    let chosen = reasons().find(|(digit, _)| key.code == KeyCode::Char(*digit));
    let Some((_, reason)) = chosen else {
        state.popup = Some(Popup::Report(report));
        return Vec::new();
    };
    let Report { who, name } = report;
    vec![Wish { why: Why::Reported(name, reason), what: What::Report { who, reason, block: true } }]
}

/// What is told, or will be.
pub(super) fn said(name: &str, reason: Reason, told: Option<Reported>) -> String {
    let is_sent = told.is_some_and(|told| told.sent);
    format!("{} {}", words::report::reported(name, reason, is_sent), words::people::BLOCKED)
}
