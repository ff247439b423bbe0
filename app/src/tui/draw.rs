//! The state, drawn. It changes nothing, and knows no terminal.

use client::query::MessageState;
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};

use super::alerts::{self, is_request};
use super::colours::Colours;
use super::layout::Parts;
use super::state::{Page, Pane, Purpose, State};
use super::talk::{Kind, Talk, TalkLine};
use super::{layout, sheet, text};
use crate::local::rows::{Conversation, Message, REQUEST};
use crate::words;

/// Less than this shows nothing that could be used.
const LEAST: (u16, u16) = (20, 6);

/// Draws all of it.
pub(super) fn draw(state: &State, colours: Colours, frame: &mut Frame<'_>) {
    let area = frame.area();
    frame.render_widget(Clear, area);
    if state.size != (area.width, area.height) {
        // it is told in a moment
        return;
    }
    if area.width < LEAST.0 || area.height < LEAST.1 {
        frame.render_widget(Paragraph::new(words::tui::TOO_SMALL), area);
        return;
    }
    let parts = Parts::of(state);
    draw_alerts(state, colours, frame, parts.alerts);
    match state.page {
        Page::Talk => draw_talk_page(state, colours, frame, &parts),
        Page::Devices => draw_devices(state, colours, frame, parts.middle),
    }
    draw_bottom(state, colours, frame, parts.bottom);
    if let Some(popup) = &state.popup {
        sheet::draw(state, popup, colours, frame);
    }
}

fn put(frame: &mut Frame<'_>, area: Rect, lines: Vec<Line<'_>>) {
    frame.render_widget(Paragraph::new(lines), area);
}

fn cells(area: Rect) -> usize {
    usize::from(area.width)
}

fn draw_alerts(state: &State, colours: Colours, frame: &mut Frame<'_>, area: Rect) {
    let line = |alert: alerts::Alert| {
        let style = if alert.is_loud { colours.bad() } else { colours.notice() };
        Line::styled(alert.text, style)
    };
    let lines = alerts::rows(state).into_iter().map(line).collect();
    put(frame, area, lines);
}

fn draw_talk_page(state: &State, colours: Colours, frame: &mut Frame<'_>, parts: &Parts) {
    if parts.list.width > 0 {
        draw_list(state, colours, frame, parts.list);
    }
    if parts.title.width == 0 {
        return;
    }
    if parts.list.width > 0 {
        let bar = Rect { x: parts.list.width, width: 1, ..parts.middle };
        put(frame, bar, vec![Line::styled("│", colours.aside()); usize::from(bar.height)]);
    }
    match &state.talk {
        Some(talk) => draw_talk(state, talk, colours, frame, parts),
        None => {
            let lines = text::wrap(words::tui::CHOOSE, cells(parts.title).saturating_sub(1));
            let area = Rect { height: parts.middle.height, ..parts.title };
            put(frame, area, lines.into_iter().map(|line| Line::styled(format!(" {line}"), colours.aside())).collect());
        }
    }
}

fn draw_list(state: &State, colours: Colours, frame: &mut Frame<'_>, area: Rect) {
    let has_keys = state.focus == Pane::List && state.popup.is_none();
    let width = cells(area);
    let listed = state.listed();
    let marked = state.marked_row().map(|row| row.conversation.as_str());
    let mut lines = Vec::new();
    let mut at = 0;
    let mut was_request = false;
    for row in &listed {
        if row.standing == REQUEST && !was_request {
            was_request = true;
            lines.push(Line::styled(text::cut(words::tui::REQUESTS, width), colours.notice()));
        }
        let is_marked = Some(row.conversation.as_str()) == marked;
        if is_marked {
            at = lines.len();
        }
        let mut style = if row.unread > 0 { colours.strong() } else { Style::new() };
        if is_marked {
            style = style.patch(colours.marked(has_keys));
        }
        lines.push(Line::styled(list_line(row, state, width), style));
    }
    if listed.is_empty() {
        lines.extend(
            text::wrap(words::tui::NOBODY_YET, width).into_iter().map(|line| Line::styled(line, colours.aside())),
        );
    }
    let height = usize::from(area.height.saturating_sub(1));
    let first = (at + 1).saturating_sub(height);
    let title = Line::styled(text::cut(words::tui::CONVERSATIONS, width), colours.title(has_keys));
    put(frame, area, std::iter::once(title).chain(lines.into_iter().skip(first).take(height)).collect());
}

/// A conversation in the list: what holds for it in front, how much is unread at its end.
fn list_line(row: &Conversation, state: &State, width: usize) -> String {
    let marks = words::tui::marks(row, state.is_muted(&row.conversation));
    let unread = if row.unread > 0 { format!(" {}", row.unread) } else { String::new() };
    let name = text::cut(&format!("{marks}{}", words::tui::title(row)), width.saturating_sub(unread.len() + 1));
    let gap = width.saturating_sub(text::width(&name) + unread.len());
    format!("{name}{}{unread}", " ".repeat(gap))
}

fn draw_talk(state: &State, talk: &Talk, colours: Colours, frame: &mut Frame<'_>, parts: &Parts) {
    let title = words::tui::talk_title(state.talk_row(), &talk.with);
    let has_keys = state.focus != Pane::List && state.popup.is_none();
    put(frame, parts.title, vec![Line::styled(text::cut(&title, cells(parts.title)), colours.title(has_keys))]);
    let own = state.own();
    let lines = talk.lines(own, cells(parts.messages));
    let height = usize::from(parts.messages.height);
    let first = talk.first_line(&lines, height);
    let shown = lines.iter().skip(first).take(height);
    let shown: Vec<_> = shown.map(|line| talk_line(state, talk, line, colours)).collect();
    // few messages stand at the bottom, where one writes
    let down = parts.messages.height.saturating_sub(u16::try_from(shown.len()).unwrap_or(u16::MAX));
    let area = Rect { y: parts.messages.y + down, height: parts.messages.height - down, ..parts.messages };
    put(frame, area, shown);
    draw_writing(state, first + height < lines.len(), colours, frame, parts);
}

fn talk_line<'l>(state: &State, talk: &Talk, line: &'l TalkLine, colours: Colours) -> Line<'l> {
    let row = talk.rows.get(line.of.0);
    let is_own = row.is_some_and(|row| Some(row.account.as_str()) == state.own());
    let is_marked = row.is_some_and(|row| Some(row.message.as_str()) == talk.marked.as_deref());
    let style = match row.map(|row| row.state) {
        Some(MessageState::Failed) => colours.bad(),
        Some(MessageState::Waiting | MessageState::Unreadable) => colours.aside(),
        _ => Style::new(),
    };
    let mut shown = match line.kind {
        Kind::Day | Kind::Aside | Kind::Event => Line::styled(line.text.as_str(), colours.aside()),
        Kind::Text => Line::from(with_names(row, &line.text, style, colours)),
        Kind::Head(length) => {
            let end = line.text.char_indices().nth(length).map_or(line.text.len(), |(at, _)| at);
            let (head, rest) = line.text.split_at_checked(end).unwrap_or((&line.text, ""));
            let mut spans = vec![Span::styled(head, colours.writer(is_own))];
            spans.extend(with_names(row, rest, style, colours));
            Line::from(spans)
        }
    };
    if is_marked && line.kind != Kind::Day {
        shown = shown.patch_style(colours.marked(state.focus == Pane::Messages));
    }
    shown
}

/// Those whom a message mentions stand out.
fn with_names<'l>(row: Option<&Message>, line: &'l str, style: Style, colours: Colours) -> Vec<Span<'l>> {
    let pieces = row.map_or_else(|| vec![(false, line)], |row| words::message::with_names(row, line));
    let styled = |(is_name, piece)| Span::styled(piece, if is_name { style.patch(colours.mention()) } else { style });
    pieces.into_iter().map(styled).collect()
}

fn draw_writing(state: &State, is_more_below: bool, colours: Colours, frame: &mut Frame<'_>, parts: &Parts) {
    let has_keys = state.focus == Pane::Writing && state.popup.is_none();
    let draft = state.draft();
    let answered = match draft.map(|draft| &draft.purpose) {
        Some(Purpose::Reply(message)) => {
            let row = state.talk.as_ref().and_then(|talk| talk.rows.iter().find(|row| row.message == *message));
            words::tui::answering(row.map(|row| (row.from.as_str(), row.text.as_str())))
        }
        Some(Purpose::Edit(_)) => words::tui::CHANGING.to_owned(),
        _ if is_more_below => words::tui::MORE_BELOW.to_owned(),
        _ => String::new(),
    };
    let width = cells(parts.rule);
    let label = if answered.is_empty() { answered } else { format!("─ {answered} ") };
    let label = text::cut(&label, width);
    let rule = format!("{label}{}", "─".repeat(width.saturating_sub(text::width(&label))));
    put(frame, parts.rule, vec![Line::styled(rule, if has_keys { Style::new() } else { colours.aside() })]);
    let (before, after) =
        draft.map(|draft| (draft.editor.before.as_str(), draft.editor.after.as_str())).unwrap_or_default();
    if before.is_empty() && after.is_empty() {
        let hint = if has_keys { words::tui::WRITE } else { words::tui::WRITE_FROM_ELSEWHERE };
        put(frame, parts.writing, vec![Line::styled(text::cut(hint, cells(parts.writing)), colours.aside())]);
    }
    let (rows, (row, column)) = text::written(before, after, cells(parts.writing));
    let height = usize::from(parts.writing.height);
    let first = (row + 1).saturating_sub(height);
    if !(before.is_empty() && after.is_empty()) {
        put(frame, parts.writing, rows.into_iter().skip(first).take(height).map(Line::raw).collect());
    }
    if has_keys && height > 0 {
        let at = |offset: usize| u16::try_from(offset).unwrap_or(u16::MAX);
        let column = at(column).min(parts.writing.width.saturating_sub(1));
        frame.set_cursor_position(Position {
            x: parts.writing.x + column,
            y: parts.writing.y.saturating_add(at(row - first)),
        });
    }
}

fn draw_devices(state: &State, colours: Colours, frame: &mut Frame<'_>, area: Rect) {
    let width = cells(area);
    let mut lines = vec![Line::styled(text::cut(words::tui::DEVICES, width), colours.title(state.popup.is_none()))];
    let mut begin = 0;
    for (number, row) in state.devices.iter().enumerate() {
        let is_marked = number == state.device;
        if is_marked {
            begin = lines.len();
        }
        let style = match (is_marked, is_request(row)) {
            (true, _) => colours.marked(state.popup.is_none()),
            (false, true) => colours.notice(),
            (false, false) => Style::new(),
        };
        let shown = words::tui::device(row, &state.devices);
        for (place, line) in text::wrap(&shown, width.saturating_sub(2)).into_iter().enumerate() {
            let indent = if place == 0 { "" } else { "  " };
            lines.push(Line::styled(format!("{indent}{line}"), style));
        }
    }
    let hints = text::wrap(words::tui::DEVICE_KEYS, width);
    let height = usize::from(area.height).saturating_sub(hints.len()).max(1);
    // the marked one is seen whole where it fits
    let first = (begin + 4).min(lines.len()).saturating_sub(height).min(begin);
    let shown = lines.into_iter().skip(first).take(height).collect::<Vec<_>>();
    put(frame, Rect { height: u16::try_from(height).unwrap_or(area.height), ..area }, shown);
    let below = u16::try_from(height).unwrap_or(area.height);
    let rest = Rect { y: area.y + below, height: area.height.saturating_sub(below), ..area };
    put(frame, rest, hints.into_iter().map(|line| Line::styled(line, colours.aside())).collect());
}

fn draw_bottom(state: &State, colours: Colours, frame: &mut Frame<'_>, area: Rect) {
    let width = cells(area);
    if let Some(remark) = &state.remark {
        let style = if remark.is_bad { colours.bad() } else { colours.notice() };
        let rows = layout::remark_rows(state);
        put(frame, area, rows.into_iter().map(|row| Line::styled(row, style)).collect());
        return;
    }
    let (shown, style) = if state.is_agent_lost {
        (text::cut(words::tui::AGENT_LOST, width), colours.bad())
    } else {
        let connection = state.status.as_ref().map(words::tui::connection).unwrap_or_default();
        let hint = words::tui::HINT;
        let left = text::cut(&connection, width.saturating_sub(hint.len() + 1));
        let gap = width.saturating_sub(text::width(&left) + hint.len());
        (format!("{left}{}{hint}", " ".repeat(gap)), colours.aside())
    };
    put(frame, area, vec![Line::styled(shown, style)]);
}
