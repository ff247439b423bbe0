//! The page of the own devices.

use ratatui::crossterm::event::{KeyCode, KeyEvent};

use super::popup::Popup;
use super::state::{Page, State, Why, Wish, look};
use crate::local::What;
use crate::words;

/// There and back.
pub(super) fn turn_page(state: &mut State) -> Vec<Wish> {
    state.page = if state.page == Page::Devices { Page::Talk } else { Page::Devices };
    state.device = state.device.min(state.devices.len().saturating_sub(1));
    if state.page == Page::Devices {
        // what comes of it changes the list
        return vec![Wish { why: Why::Quiet, what: What::WhoIsHere { wait_s: 0 } }];
    }
    Vec::new()
}

/// What keys do there.
pub(super) fn key(state: &mut State, key: &KeyEvent) -> Vec<Wish> {
    let last = state.devices.len().saturating_sub(1);
    let row = state.devices.get(state.device).cloned();
    match (key.code, row) {
        (KeyCode::Esc | KeyCode::Left | KeyCode::Tab, _) => return turn_page(state),
        (KeyCode::Char('?'), _) => state.popup = Some(Popup::help()),
        (KeyCode::Up, _) => state.device = state.device.saturating_sub(1),
        (KeyCode::Down, _) => state.device = (state.device + 1).min(last),
        (KeyCode::Home, _) => state.device = 0,
        (KeyCode::End, _) => state.device = last,
        (KeyCode::Enter | KeyCode::Char('c'), Some(row)) if super::alerts::is_request(&row) => {
            return super::popup::open_request(state, &row);
        }
        (KeyCode::Char('x'), Some(row)) if super::alerts::is_request(&row) => {
            let wish = Wish { why: Why::Refuse(row.device.clone()), what: What::Refuse { device: row.device.clone() } };
            state.popup = Some(Popup::question(&words::tui::ask_refuse(&row), wish));
        }
        (KeyCode::Char('r'), Some(row)) if row.state == "confirmed" => {
            state.popup = Some(Popup::rename(&row));
        }
        (KeyCode::Char('d') | KeyCode::Delete, Some(row)) if row.state == "confirmed" => {
            if row.this {
                state.say(words::tui::NOT_THIS_ONE);
                return Vec::new();
            }
            let why = Why::Tell(words::device::REMOVED.to_owned());
            let wish = Wish { why, what: What::Remove { device: row.device.clone() } };
            state.popup = Some(Popup::question(&words::tui::ask_remove(&row), wish));
        }
        (KeyCode::Char('d'), None) => return vec![look(Why::Devices)],
        _ => (),
    }
    Vec::new()
}
