//! The open conversation: its messages as lines, and which of them is marked.

use super::text;
use crate::local::What;
use crate::local::rows::Message;
use crate::words;

use super::state::{Why, Wish};

/// How many messages are asked for, and how many more at a time.
pub(super) const MESSAGES: u32 = 60;
/// Most that are asked for: whoever looks further back searches.
pub(super) const MOST_MESSAGES: u32 = 3_840;

/// The open conversation.
#[derive(Clone)]
pub(super) struct Talk {
    /// What it is called towards the agent: an id, or a handle as long as there is no conversation yet.
    pub(super) with: String,
    pub(super) limit: u32,
    /// Oldest first.
    pub(super) rows: Vec<Message>,
    /// The line at the top, as a message and a line of it; nothing at the bottom of it all.
    pub(super) top: Option<(String, usize)>,
    /// The id of the marked message.
    pub(super) marked: Option<String>,
    /// A message to be shown once it has come.
    pub(super) wanted: Option<String>,
    /// How many messages there were, and how many of them unread, when it was last said that they are read.
    pub(super) said_read: Option<(u64, u64)>,
}

/// What a line of it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Day,
    /// The first line of a message; so many letters are who wrote it, and when.
    Head(usize),
    Text,
    /// Something about a message: what it answers, reactions.
    Aside,
    /// A change of what holds for messages.
    Event,
}

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TalkLine {
    /// The number of its message, and the number of the line within that.
    pub(super) of: (usize, usize),
    pub(super) kind: Kind,
    pub(super) text: String,
}

impl Talk {
    /// Opened, and nothing of it seen yet.
    pub(super) fn new(with: &str) -> Self {
        Self {
            with: with.to_owned(),
            limit: MESSAGES,
            rows: Vec::new(),
            top: None,
            marked: None,
            wanted: None,
            said_read: None,
        }
    }

    /// To look at its messages.
    pub(super) fn look(&self) -> Wish {
        Wish {
            why: Why::Messages,
            what: What::Read { with: Some(self.with.clone()), limit: self.limit, follow: false },
        }
    }

    /// True if there may be older messages than those that are here.
    pub(super) fn has_older(&self) -> bool {
        self.limit < MOST_MESSAGES && self.rows.len() >= usize::try_from(self.limit).unwrap_or(usize::MAX)
    }

    /// The marked message.
    pub(super) fn marked(&self) -> Option<&Message> {
        let marked = self.marked.as_deref()?;
        self.rows.iter().find(|row| row.message == marked)
    }

    /// All lines, for a width.
    pub(super) fn lines(&self, own: Option<&str>, width: usize) -> Vec<TalkLine> {
        let mut lines = Vec::new();
        let mut day = String::new();
        for (number, row) in self.rows.iter().enumerate() {
            let (date, clock) = words::tui::date_and_clock(&row.sent_at);
            let mut within = 0;
            let mut push = |kind: Kind, text: String| {
                lines.push(TalkLine { of: (number, within), kind, text });
                within += 1;
            };
            if date != day {
                push(Kind::Day, text::cut(&words::tui::day(&date, width), width));
                day = date;
            }
            of_message(row, own, &clock, width, &mut push);
        }
        lines
    }

    /// Which lines are shown in a height: the number of the first one.
    pub(super) fn first_line(&self, lines: &[TalkLine], height: usize) -> usize {
        let last = lines.len().saturating_sub(height);
        let Some((message, within)) = &self.top else { return last };
        let number = self.rows.iter().position(|row| row.message == *message);
        let at = number.and_then(|number| {
            let of = |line: &TalkLine| line.of.0 == number && line.of.1 >= *within;
            lines.iter().position(of).or_else(|| lines.iter().position(|line| line.of.0 == number))
        });
        at.unwrap_or(last).min(last)
    }

    /// Shows the lines from this one on.
    fn show_from(&mut self, lines: &[TalkLine], first: usize, height: usize) {
        let is_end = first + height >= lines.len();
        let at = lines.get(first).filter(|_| !is_end);
        self.top = at.and_then(|line| Some((self.rows.get(line.of.0)?.message.clone(), line.of.1)));
    }

    /// A page up or down; true if it stands at the very top then.
    pub(super) fn page(&mut self, lines: &[TalkLine], height: usize, is_up: bool) -> bool {
        let step = height.saturating_sub(1).max(1);
        let before = self.first_line(lines, height);
        let first = if is_up { before.saturating_sub(step) } else { before + step };
        self.show_from(lines, first, height);
        let first = self.first_line(lines, height);
        // what is marked can be seen: the first that begins here going up, the last one going down
        let visible = lines.iter().skip(first).take(height).map(|line| line.of.0);
        let number = if is_up { visible.min() } else { visible.max() };
        self.marked = number.and_then(|number| self.rows.get(number)).map(|row| row.message.clone());
        is_up && first == 0
    }

    /// Marks the next message up or down, and shows it; true if there is none further up.
    pub(super) fn step(&mut self, lines: &[TalkLine], height: usize, is_up: bool) -> bool {
        let number = self.marked.as_deref().and_then(|marked| self.rows.iter().position(|row| row.message == marked));
        let last = self.rows.len().saturating_sub(1);
        let to = match (number, is_up) {
            (None, _) => last,
            (Some(number), true) => number.saturating_sub(1),
            (Some(number), false) => (number + 1).min(last),
        };
        self.marked = self.rows.get(to).map(|row| row.message.clone());
        self.show(lines, height, to);
        is_up && number == Some(0)
    }

    /// Shows a message, as far as it fits.
    fn show(&mut self, lines: &[TalkLine], height: usize, number: usize) {
        let begin = lines.iter().position(|line| line.of.0 == number).unwrap_or_default();
        let end = lines.iter().rposition(|line| line.of.0 == number).unwrap_or_default() + 1;
        let first = self.first_line(lines, height);
        if begin < first || end - begin > height {
            self.show_from(lines, begin, height);
        } else if end > first + height {
            self.show_from(lines, end - height, height);
        }
    }

    /// Marks and shows the message that was wanted; true if it is not here.
    pub(super) fn find(&mut self, lines: &[TalkLine], height: usize) -> bool {
        let Some(wanted) = self.wanted.clone() else { return false };
        let Some(number) = self.rows.iter().position(|row| row.message == wanted) else { return true };
        self.wanted = None;
        self.marked = Some(wanted);
        self.show(lines, height, number);
        false
    }
}

/// The lines of one message. Further lines are indented, so that no text looks like a message of somebody else.
fn of_message(row: &Message, own: Option<&str>, clock: &str, width: usize, push: &mut impl FnMut(Kind, String)) {
    let from = words::message::writer(row, own);
    if let Some(seconds) = row.timer_s {
        let said = words::tui::timer(&from, seconds);
        text::wrap(&said, width).into_iter().for_each(|line| push(Kind::Event, line));
        return;
    }
    if let Some(answered) = &row.answers {
        push(Kind::Aside, text::cut(&format!("  {}", words::message::answered(answered).trim_end()), width));
    }
    let head = format!("{clock} {from}: ");
    let body = text::safe(&words::message::body(row, &from));
    let mark = words::message::marks(row, own == Some(row.account.as_str()));
    let rows = text::wrap(&format!("{head}{body}{mark}"), width.saturating_sub(2));
    for (number, line) in rows.into_iter().enumerate() {
        match number {
            0 => push(Kind::Head(head.trim_end().chars().count()), line),
            _ => push(Kind::Text, format!("  {line}")),
        }
    }
    if !row.reactions.is_empty() {
        let said = words::message::reactions(row);
        text::wrap(said.trim(), width.saturating_sub(2))
            .into_iter()
            .for_each(|line| push(Kind::Aside, format!("  {line}")));
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{message, message_of};
    use super::*;

    fn talk(count: usize) -> Talk {
        let mut talk = Talk::new("c");
        talk.rows = (0..count).map(|number| message(&format!("m{number}"), &format!("text {number}"))).collect();
        talk
    }

    #[test]
    fn a_new_message_moves_nothing_for_who_reads_further_up() {
        let mut talk = talk(30);
        let lines = talk.lines(None, 40);
        assert!(!talk.page(&lines, 10, true));
        let first = talk.first_line(&lines, 10);
        let shown = lines[first].text.clone();
        talk.rows.push(message("m30", "new"));
        talk.rows.insert(0, message("older", "old"));
        let lines = talk.lines(None, 40);
        assert_eq!(lines[talk.first_line(&lines, 10)].text, shown);
    }

    #[test]
    fn the_top_says_that_older_ones_are_wanted_and_the_bottom_stays_the_bottom() {
        let mut talk = talk(12);
        let lines = talk.lines(None, 40);
        assert!(talk.page(&lines, 10, true));
        talk.page(&lines, 10, false);
        assert_eq!(talk.top, None);
        assert!(!talk.step(&lines, 10, true) && talk.marked.is_some());
    }

    /// Nothing that somebody writes looks like a message of somebody else.
    #[test]
    fn further_lines_of_a_message_are_indented() {
        let mut talk = Talk::new("c");
        talk.rows = vec![message_of("m", "mallory", "hi\n14:02 bob: I agree")];
        let lines = talk.lines(None, 40);
        let forged = lines.iter().find(|line| line.text.contains("I agree")).unwrap();
        assert!(forged.text.starts_with("  ") && forged.kind == Kind::Text);
    }

    #[test]
    fn a_message_longer_than_the_screen_can_be_read_by_pages() {
        let mut talk = Talk::new("c");
        let long: String = (0..50).map(|number| format!("line {number}\n")).collect();
        talk.rows = vec![message("a", &long), message("b", "end")];
        let lines = talk.lines(None, 40);
        let mut seen = std::collections::BTreeSet::new();
        loop {
            let first = talk.first_line(&lines, 10);
            seen.extend(lines[first..first + 10].iter().map(|line| line.text.clone()));
            if talk.page(&lines, 10, true) {
                break;
            }
        }
        let first = talk.first_line(&lines, 10);
        seen.extend(lines[first..first + 10].iter().map(|line| line.text.clone()));
        assert!(lines.iter().all(|line| seen.contains(&line.text)));
    }
}
