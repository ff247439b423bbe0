//! A popup, drawn: text that can be longer than the screen, and below it what is to be answered.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Paragraph};

use super::colours::Colours;
use super::editor::Editor;
use super::popup::{Field, Popup, REACTIONS, choices};
use super::report::{Report, reasons};
use super::request::{DIGITS, Request, Stage};
use super::state::State;
use super::{alerts, text};
use crate::words;

/// Most columns of a popup.
const MOST_COLUMNS: u16 = 72;

/// What stands in a popup, not yet fitted into rows.
#[derive(Default)]
struct Sheet {
    title: &'static str,
    /// Shown from here on; what comes before and behind can be scrolled to.
    top: usize,
    body: Vec<(String, Style)>,
    /// The marked row of the body, which is then one row each.
    marked: Option<usize>,
    foot: Vec<(String, Style)>,
    /// A line of the foot in which somebody types, and where.
    typing: Option<(usize, usize)>,
}

impl Sheet {
    fn new(title: &'static str) -> Self {
        Self { title, ..Self::default() }
    }

    fn say(&mut self, line: impl Into<String>) {
        self.body.push((line.into(), Style::new()));
    }

    fn end(&mut self, line: impl Into<String>, style: Style) {
        self.foot.push((line.into(), style));
    }

    /// A field, with its cursor.
    fn field(&mut self, label: &str, editor: &Editor, width: usize) {
        // the end of a long text is where one types
        let room = width.saturating_sub(text::width(label) + 1);
        let mut before = text::safe(&editor.before);
        while text::width(&before) >= room && !before.is_empty() {
            before = before.chars().skip(1).collect();
        }
        self.typing = Some((self.foot.len(), text::width(label) + text::width(&before)));
        self.end(text::cut(&format!("{label}{before}{}", text::safe(&editor.after)), width), Style::new());
    }

    fn field_with_remark(&mut self, label: &str, field: &Field, width: usize, colours: Colours) {
        if let Some(said) = &field.said {
            for line in text::wrap(said, width) {
                self.end(line, colours.notice());
            }
        }
        self.field(label, &field.editor, width);
    }
}

/// Draws what stands before everything else.
pub(super) fn draw(state: &State, popup: &Popup, colours: Colours, frame: &mut Frame<'_>) {
    let screen = frame.area();
    let columns = screen.width.min(MOST_COLUMNS);
    let width = usize::from(columns).saturating_sub(4);
    let sheet = sheet(state, popup, width, colours);
    let body: Vec<(String, Style)> = match sheet.marked {
        Some(_) => sheet.body,
        None => {
            let wrapped =
                |(line, style): (String, Style)| text::wrap(&line, width).into_iter().map(move |it| (it, style));
            sheet.body.into_iter().flat_map(wrapped).collect()
        }
    };
    let foot_rows = u16::try_from(sheet.foot.len()).unwrap_or(u16::MAX).min(screen.height.saturating_sub(3));
    let wanted = u16::try_from(body.len()).unwrap_or(u16::MAX).saturating_add(foot_rows).saturating_add(2);
    let rows = wanted.min(screen.height);
    let area = Rect {
        x: screen.x + (screen.width - columns) / 2,
        y: screen.y + (screen.height - rows) / 2,
        width: columns,
        height: rows,
    };
    frame.render_widget(Clear, area);
    let height = usize::from(rows.saturating_sub(2 + foot_rows));
    let last = body.len().saturating_sub(height);
    let first = match sheet.marked {
        Some(marked) => (marked + 1).saturating_sub(height).min(last),
        None => sheet.top.min(last),
    };
    let mut block = Block::bordered().title(Line::styled(format!(" {} ", sheet.title), colours.strong()));
    if first < last {
        block = block.title_bottom(Line::styled(words::tui::SCROLL, colours.aside()).right_aligned());
    }
    frame.render_widget(block, area);
    let inner = Rect { x: area.x + 2, y: area.y + 1, width: columns.saturating_sub(4), height: rows.saturating_sub(2) };
    let line = |(text, style): (String, Style)| Line::styled(text, style);
    let lines: Vec<_> = body.into_iter().skip(first).take(height).map(line).collect();
    frame.render_widget(Paragraph::new(lines), inner);
    let below = u16::try_from(height).unwrap_or_default();
    let foot = Rect { y: inner.y + below, height: foot_rows, ..inner };
    frame.render_widget(Paragraph::new(sheet.foot.into_iter().map(line).collect::<Vec<_>>()), foot);
    if let Some((row, column)) = sheet.typing {
        let at = |offset: usize| u16::try_from(offset).unwrap_or(u16::MAX);
        let x = foot.x.saturating_add(at(column)).min(foot.right().saturating_sub(1));
        frame.set_cursor_position(Position {
            x,
            y: foot.y.saturating_add(at(row)).min(area.bottom().saturating_sub(2)),
        });
    }
}

fn sheet(state: &State, popup: &Popup, width: usize, colours: Colours) -> Sheet {
    match popup {
        Popup::Help(top) => {
            let mut sheet = Sheet { top: *top, ..Sheet::new(words::tui::HELP_TITLE) };
            words::tui::HELP.iter().for_each(|line| sheet.say(*line));
            sheet
        }
        Popup::Notices(top) => notices(state, *top, width, colours),
        Popup::Switcher(choice) => {
            let mut sheet = Sheet { marked: Some(choice.marked), ..Sheet::new(words::tui::SWITCHER_TITLE) };
            for (number, row) in choices(state, choice).into_iter().enumerate() {
                let style = if number == choice.marked { colours.marked(true) } else { Style::new() };
                sheet.body.push((text::cut(&words::tui::choice(row), width), style));
            }
            sheet.field(words::tui::NAME, &choice.editor, width);
            sheet
        }
        Popup::Newcomer(field) => {
            let mut sheet = Sheet::new(words::tui::NEWCOMER_TITLE);
            sheet.say(words::tui::NEWCOMER);
            sheet.field_with_remark(words::tui::WHO, field, width, colours);
            sheet
        }
        Popup::Search(search) => {
            let mut sheet = Sheet { marked: Some(search.marked), ..Sheet::new(words::tui::SEARCH_TITLE) };
            for (number, row) in search.rows.iter().enumerate() {
                let title = state.conversations.iter().find(|it| it.conversation == row.conversation && !it.pair);
                let title = title.map(words::tui::title);
                let shown = words::message::line(row, state.own(), title.as_deref()).replace('\n', " ");
                let style = if number == search.marked { colours.marked(true) } else { Style::new() };
                sheet.body.push((text::cut(&shown, width), style));
            }
            sheet.field_with_remark(words::tui::SEARCH, &search.field, width, colours);
            sheet
        }
        Popup::Reaction { field, .. } => {
            let mut sheet = Sheet::new(words::tui::REACTION_TITLE);
            let offered = REACTIONS.iter().enumerate().map(|(number, it)| format!("{} {it}", number + 1));
            sheet.say(offered.collect::<Vec<_>>().join("   "));
            sheet.field(words::tui::REACTION, &field.editor, width);
            sheet
        }
        Popup::Question { asked, .. } => {
            let mut sheet = Sheet::new(words::tui::QUESTION_TITLE);
            asked.split('\n').for_each(|line| sheet.say(line));
            sheet.end(words::tui::YES_NO, colours.strong());
            sheet
        }
        Popup::Request(it) => request(it, width, colours),
        Popup::Rename { field, .. } => {
            let mut sheet = Sheet::new(words::tui::RENAME_TITLE);
            sheet.say(words::tui::RENAME);
            sheet.field_with_remark(words::tui::NAME, field, width, colours);
            sheet
        }
        Popup::Report(it) => report(it, width, colours),
        Popup::Code(row) => {
            let mut sheet = Sheet::new(words::tui::CODE_TITLE);
            words::tui::verification(row, width).into_iter().for_each(|line| sheet.say(line));
            for line in text::wrap(words::tui::CODE_KEYS, width) {
                sheet.end(line, colours.strong());
            }
            sheet
        }
    }
}

fn report(it: &Report, width: usize, colours: Colours) -> Sheet {
    let mut sheet = Sheet::new(words::report::REPORT_AND_BLOCK);
    sheet.say(words::report::what_is_told(&it.name));
    let reasons: Vec<_> =
        reasons().map(|(digit, reason)| format!("{digit} {}", words::report::reason(reason))).collect();
    for line in text::wrap(&reasons.join("  "), width) {
        sheet.end(line, Style::new());
    }
    sheet.end(text::cut(words::tui::REPORT_KEYS, width), colours.strong());
    sheet
}

fn notices(state: &State, top: usize, width: usize, colours: Colours) -> Sheet {
    let mut sheet = Sheet { top, ..Sheet::new(words::tui::NOTICES_TITLE) };
    let alerts = alerts::all(state);
    if alerts.is_empty() {
        sheet.say(words::tui::NO_NOTICES);
    }
    for alert in alerts {
        let style = if alert.is_loud { colours.bad() } else { Style::new() };
        sheet.body.push((alert.text, style));
        sheet.say("");
    }
    let keys = if state.notices.is_empty() { words::tui::CLOSE } else { words::tui::READ };
    sheet.end(text::cut(keys, width), colours.strong());
    sheet
}

fn request(it: &Request, width: usize, colours: Colours) -> Sheet {
    let mut sheet = Sheet { top: it.top, ..Sheet::new(words::tui::REQUEST_TITLE) };
    let lines = words::device::asks(&it.row);
    lines.into_iter().for_each(|line| sheet.say(line));
    sheet.say(words::device::ONLY_IN_FRONT_OF_YOU);
    if let Some(said) = &it.said {
        for line in text::wrap(said, width) {
            sheet.end(line, colours.bad());
        }
    }
    if it.stage == Stage::NotMe {
        for line in text::wrap(words::tui::REFUSE_SURE, width) {
            sheet.end(line, colours.strong());
        }
        return sheet;
    }
    let stage = match it.stage {
        Stage::Asked => words::tui::NO_DIGITS_YET,
        Stage::Silent => words::tui::NO_DIGITS,
        Stage::Answering => words::tui::ANSWERING,
        Stage::Shown | Stage::NotMe => "",
    };
    if !stage.is_empty() {
        text::wrap(stage, width).into_iter().for_each(|line| sheet.end(line, colours.notice()));
    }
    let typed = words::tui::digits(&it.digits, DIGITS);
    let label = words::tui::DIGITS;
    let column = text::width(label) + it.digits.len() + usize::from(it.digits.len() > 2);
    sheet.typing = Some((sheet.foot.len(), column));
    sheet.end(format!("{label}{typed}"), colours.strong());
    sheet.end(words::tui::history_choice(it.history), Style::new());
    sheet.end(text::cut(words::tui::REQUEST_KEYS, width), colours.aside());
    sheet
}
