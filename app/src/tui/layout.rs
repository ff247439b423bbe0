//! Where on the screen things are.

use ratatui::layout::Rect;

use super::state::{Pane, State};
use super::{alerts, text};

/// Columns of the list beside a conversation.
const LIST: (u16, u16) = (22, 32);
/// Most rows of what is being written.
const MOST_WRITTEN: u16 = 6;

/// What was said last, in as many rows as it needs; none if nothing was.
pub(super) fn remark_rows(state: &State) -> Vec<String> {
    let said = state.remark.as_ref().map(|remark| remark.text.replace('\n', " "));
    said.map_or_else(Vec::new, |said| text::wrap(&said, usize::from(state.size.0)))
}

/// The parts of the screen; what is not shown is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) alerts: Rect,
    /// Below the alerts, above the line at the bottom.
    pub(super) middle: Rect,
    pub(super) list: Rect,
    /// The name of the conversation.
    pub(super) title: Rect,
    pub(super) messages: Rect,
    /// Between messages and what is being written.
    pub(super) rule: Rect,
    pub(super) writing: Rect,
    pub(super) bottom: Rect,
}

impl Parts {
    /// For what the state shows.
    pub(super) fn of(state: &State) -> Self {
        let (columns, rows) = state.size;
        let alert_rows = u16::try_from(alerts::rows(state).len()).unwrap_or(u16::MAX).min(rows.saturating_sub(5));
        let band = |x: u16, y: u16, width: u16, height: u16| Rect { x, y, width, height };
        let bottom_rows = u16::try_from(remark_rows(state).len()).unwrap_or(u16::MAX).clamp(1, (rows / 5).clamp(1, 4));
        let bottom_row = rows.saturating_sub(bottom_rows);
        let middle = band(0, alert_rows, columns, bottom_row.saturating_sub(alert_rows));
        let list_columns = match (state.is_wide(), state.focus == Pane::List || state.talk.is_none()) {
            (true, _) => (columns / 3).clamp(LIST.0, LIST.1),
            (false, true) => columns,
            (false, false) => 0,
        };
        let rest = columns.saturating_sub(list_columns);
        // beside the list stands a line
        let (x, width) = if list_columns > 0 && rest > 0 { (list_columns + 1, rest - 1) } else { (list_columns, rest) };
        let draft = state.draft().map(|draft| (draft.editor.before.as_str(), draft.editor.after.as_str()));
        let (before, after) = draft.unwrap_or_default();
        let wanted = text::written(before, after, usize::from(width)).0.len();
        let written = u16::try_from(wanted).unwrap_or(u16::MAX).clamp(1, (middle.height / 3).clamp(1, MOST_WRITTEN));
        let messages = middle.height.saturating_sub(2 + written);
        Self {
            alerts: band(0, 0, columns, alert_rows),
            middle,
            list: band(0, middle.y, list_columns, middle.height),
            title: band(x, middle.y, width, middle.height.min(1)),
            messages: band(x, middle.y + 1, width, messages),
            rule: band(x, middle.y + 1 + messages, width, middle.height.saturating_sub(1 + messages).min(1)),
            writing: band(x, middle.y + 2 + messages, width, written.min(middle.height.saturating_sub(2 + messages))),
            bottom: band(0, bottom_row, columns, rows.min(bottom_rows)),
        }
    }
}
