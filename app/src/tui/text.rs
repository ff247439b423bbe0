//! Text as it fits into cells. What comes from others may be wide, without width, or a pile of marks: here it becomes
//! rows of a known width.

use protocol::tame;
use ratatui::style::Style;
use ratatui::text::Span;

/// Most characters of what a person takes for one: a family of four with its joiners has seven, a pile of marks hundreds.
const MOST_JOINED: usize = 10;
/// Cells of a tab.
const TAB: &str = "    ";

/// What a person takes for one character, with the cells that it takes; what takes none is left out.
fn letters(line: &str) -> Vec<(String, usize)> {
    let span = Span::raw(line);
    let symbols = span.styled_graphemes(Style::new()).map(|it| {
        let is_pile = it.symbol.chars().nth(MOST_JOINED).is_some();
        if is_pile { it.symbol.chars().take(1).collect::<String>() } else { it.symbol.to_owned() }
    });
    symbols
        .map(|symbol| (Span::raw(symbol.as_str()).width(), symbol))
        .filter(|it| it.0 > 0)
        .map(|(w, s)| (s, w))
        .collect()
}

/// Cells that a line takes.
pub(super) fn width(line: &str) -> usize {
    letters(line).iter().map(|it| it.1).sum()
}

/// Text of others without anything that moves a cursor or turns text around (attack 63).
pub(super) fn safe(text: &str) -> String {
    tame::display(text).replace('\t', TAB)
}

/// The beginning of a line that fits into `cells`; `…` stands for the rest.
pub(super) fn cut(line: &str, cells: usize) -> String {
    let letters = letters(line);
    if letters.iter().map(|it| it.1).sum::<usize>() <= cells {
        return letters.into_iter().map(|it| it.0).collect();
    }
    let (mut shown, mut used) = (String::new(), 1);
    for (symbol, width) in letters {
        used += width;
        if used > cells {
            break;
        }
        shown.push_str(&symbol);
    }
    if cells > 0 {
        shown.push('…');
    }
    shown
}

/// Rows of at most `cells`, broken between words where that can be.
pub(super) fn wrap(text: &str, cells: usize) -> Vec<String> {
    let cells = cells.max(2);
    let mut rows = Vec::new();
    for line in text.split('\n') {
        let mut row = Row::default();
        let mut word = Row::default();
        for (symbol, width) in letters(line) {
            if symbol != " " {
                if word.used + width > cells {
                    row.take(&mut word, cells, &mut rows);
                }
                word.push(&symbol, width);
                continue;
            }
            row.take(&mut word, cells, &mut rows);
            if row.used < cells {
                row.push(" ", 1);
            }
        }
        row.take(&mut word, cells, &mut rows);
        rows.push(row.text);
    }
    rows
}

/// Part of a row.
#[derive(Default)]
struct Row {
    text: String,
    used: usize,
}

impl Row {
    fn push(&mut self, symbol: &str, width: usize) {
        self.text.push_str(symbol);
        self.used += width;
    }

    /// A word at its end, or at the beginning of the next row.
    fn take(&mut self, word: &mut Self, cells: usize, rows: &mut Vec<String>) {
        if self.used + word.used > cells {
            rows.push(std::mem::take(self).text.trim_end().to_owned());
        }
        self.push(&word.text, word.used);
        *word = Self::default();
    }
}

/// What is being written, in rows of at most `cells`, and where the cursor stands: row and column.
pub(super) fn written(before: &str, after: &str, cells: usize) -> (Vec<String>, (usize, usize)) {
    let cells = cells.max(2);
    let mut rows = vec![Row::default()];
    lay(before, cells, &mut rows);
    let full = rows.last().is_some_and(|row| row.used >= cells);
    if full {
        rows.push(Row::default());
    }
    let cursor = (rows.len().saturating_sub(1), rows.last().map_or(0, |row| row.used));
    lay(after, cells, &mut rows);
    (rows.into_iter().map(|row| row.text).collect(), cursor)
}

fn lay(text: &str, cells: usize, rows: &mut Vec<Row>) {
    for (number, line) in safe(text).split('\n').enumerate() {
        if number > 0 {
            rows.push(Row::default());
        }
        for (symbol, width) in letters(line) {
            if rows.last().is_some_and(|row| row.used + width > cells) {
                rows.push(Row::default());
            }
            if let Some(row) = rows.last_mut() {
                row.push(&symbol, width);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_break_between_words_and_long_words_anywhere() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("a\n\nb", 9), ["a", "", "b"]);
        assert_eq!(wrap("", 9), [""]);
        assert_eq!(wrap("你好你好", 5), ["你好", "你好"]);
    }

    #[test]
    fn a_pile_of_marks_is_one_letter_and_what_has_no_width_is_gone() {
        let pile = format!("a{}b", "\u{301}".repeat(500));
        assert_eq!(cut(&pile, 9), "ab");
        assert_eq!(cut("\u{200b}\u{feff}x", 9), "x");
        assert_eq!(cut("e\u{301}", 9), "e\u{301}");
    }

    #[test]
    fn what_is_cut_says_so_and_fits() {
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("你好你", 4), "你…");
        assert_eq!(cut("abc", 0), "");
    }

    #[test]
    fn the_cursor_stands_behind_what_was_typed() {
        assert_eq!(written("ab", "cd", 9), (vec!["abcd".to_owned()], (0, 2)));
        assert_eq!(written("ab\nc", "", 9).1, (1, 1));
        assert_eq!(written("abcd", "", 4).1, (1, 0));
        assert_eq!(written("你", "", 9).1, (0, 2));
    }
}
