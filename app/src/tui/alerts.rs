//! Lines above everything else: what stays until it was read, or until it is over.

use super::state::State;
use super::text;
use crate::words;

/// A line that has to be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Alert {
    pub(super) text: String,
    /// True for what is dangerous.
    pub(super) is_loud: bool,
}

/// All of them, the most pressing first.
pub(super) fn all(state: &State) -> Vec<Alert> {
    let mut alerts = Vec::new();
    let mut push = |text: String, is_loud: bool| alerts.push(Alert { text, is_loud });
    if let Some(status) = &state.status {
        if let Some(due) = &status.reset_due {
            push(words::tui::reset_alarm(due), true);
        }
        if status.cloned {
            push(words::device::CLONED.to_owned(), true);
        }
    }
    let waiting = state.devices.iter().filter(|row| is_request(row)).find(|row| state.put_off.contains(&row.device));
    if let Some(row) = waiting {
        push(words::tui::waits(row), false);
    }
    if let Some(contact) = talk_reset(state) {
        push(words::tui::contact_reset(&contact.handle, contact.reset_at.as_deref().unwrap_or_default()), true);
    }
    if let Some(said) = state.talk_row().and_then(words::unchecked::above) {
        let how = if state.talk_row().is_some_and(|row| row.unchecked) { "" } else { words::tui::HOW_UNCHECKED };
        push(format!("{said}{how}"), true);
    }
    // while the alarm itself stands there, its notice says nothing new
    let has_alarm = state.status.as_ref().is_some_and(|status| status.reset_due.is_some());
    for row in state.notices.iter().filter(|row| !(has_alarm && row.notice == "reset.requested")) {
        push(
            words::device::notice(row, &state.devices),
            matches!(row.notice.as_str(), "reset.requested" | "device.cloned"),
        );
    }
    alerts
}

/// True for a device that waits to be let in by this one.
pub(super) fn is_request(row: &crate::local::rows::Device) -> bool {
    row.state == "pending" && !row.this
}

/// The contact of the open conversation, if it was reset and that is not accepted yet.
fn talk_reset(state: &State) -> Option<&crate::local::rows::Contact> {
    let row = state.talk_row().filter(|row| row.pair)?;
    state.contacts.iter().find(|contact| contact.handle == row.title && contact.reset_at.is_some())
}

/// As rows of the screen: each alert in a few, and not more of them than leave room for the rest.
pub(super) fn rows(state: &State) -> Vec<Alert> {
    let (columns, height) = state.size;
    let (each, most) = if height < 16 { (1, 2) } else { (2, usize::from(height / 5)) };
    let columns = usize::from(columns).saturating_sub(2);
    let alerts = all(state);
    let mut rows = Vec::new();
    for alert in &alerts {
        let mut lines = text::wrap(&alert.text.replace('\n', " "), columns);
        if lines.len() > each {
            lines.truncate(each);
            if let Some(last) = lines.last_mut() {
                let more = words::tui::MORE;
                let beginning = text::cut(&format!("{last} …"), columns.saturating_sub(more.len()));
                *last = format!("{beginning}{more}");
            }
        }
        let mark = |(number, line): (usize, String)| format!("{}{line}", if number == 0 { "! " } else { "  " });
        let marked = lines.into_iter().enumerate().map(mark);
        rows.extend(marked.map(|text| Alert { text, is_loud: alert.is_loud }));
    }
    rows.truncate(most);
    rows
}
