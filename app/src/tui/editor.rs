//! A field of text with a cursor.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::text::Span;

/// Joins characters to one.
const JOINER: char = '\u{200d}';

/// What is being written: what stands before the cursor, and behind it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Editor {
    pub(super) before: String,
    pub(super) after: String,
}

impl Editor {
    /// With a text, and the cursor behind it.
    pub(super) fn of(text: &str) -> Self {
        let mut editor = Self::default();
        editor.insert(text);
        editor
    }

    /// All of it.
    pub(super) fn text(&self) -> String {
        format!("{}{}", self.before, self.after)
    }

    /// Writes at the cursor, whatever it is: a line's end is one, and no other control character gets in.
    pub(super) fn insert(&mut self, text: &str) {
        let text = text.replace("\r\n", "\n").replace('\r', "\n").replace('\t', "    ");
        self.before.extend(text.chars().filter(|letter| *letter == '\n' || !letter.is_control()));
    }

    /// The same into a field of one line.
    pub(super) fn insert_line(&mut self, text: &str) {
        self.insert(&text.trim().replace(['\n', '\r'], " "));
    }

    /// What a key does to it; false if it does nothing to text.
    pub(super) fn key(&mut self, key: &KeyEvent) -> bool {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            match key.code {
                KeyCode::Char('w') => self.erase_word(),
                KeyCode::Char('u') => self.before.clear(),
                KeyCode::Char('a') => self.go_to_start_of_line(),
                KeyCode::Char('e') => self.go_to_end_of_line(),
                _ => return false,
            }
            return true;
        }
        match key.code {
            KeyCode::Char(letter) if !key.modifiers.contains(KeyModifiers::ALT) => self.before.push(letter),
            KeyCode::Backspace => drop(self.pop()),
            KeyCode::Delete => drop(self.pop_after()),
            KeyCode::Left => self.move_back(),
            KeyCode::Right => {
                let letter = self.pop_after();
                self.before.push_str(&letter);
            }
            KeyCode::Home => self.go_to_start_of_line(),
            KeyCode::End => self.go_to_end_of_line(),
            _ => return false,
        }
        true
    }

    /// The cursor goes a line up; false if it stands in the first one.
    pub(super) fn up(&mut self) -> bool {
        if !self.before.contains('\n') {
            return false;
        }
        let column = self.column();
        self.go_to_start_of_line();
        self.move_back();
        self.go_to_start_of_line();
        self.forward(column);
        true
    }

    /// The cursor goes a line down; false if it stands in the last one.
    pub(super) fn down(&mut self) -> bool {
        if !self.after.contains('\n') {
            return false;
        }
        let column = self.column();
        self.go_to_end_of_line();
        let end = self.pop_after();
        self.before.push_str(&end);
        self.forward(column);
        true
    }

    fn column(&self) -> usize {
        self.before.chars().rev().take_while(|letter| *letter != '\n').count()
    }

    fn forward(&mut self, column: usize) {
        for _ in 0..column {
            if self.after.is_empty() || self.after.starts_with('\n') {
                return;
            }
            let letter = self.pop_after();
            self.before.push_str(&letter);
        }
    }

    fn move_back(&mut self) {
        let letter = self.pop();
        self.after.insert_str(0, &letter);
    }

    fn go_to_start_of_line(&mut self) {
        while !self.before.is_empty() && !self.before.ends_with('\n') {
            self.move_back();
        }
    }

    fn go_to_end_of_line(&mut self) {
        let line: String = self.after.chars().take_while(|letter| *letter != '\n').collect();
        self.after = self.after.chars().skip(line.chars().count()).collect();
        self.before.push_str(&line);
    }

    fn erase_word(&mut self) {
        while self.before.ends_with(' ') {
            self.before.pop();
        }
        while !self.before.is_empty() && !self.before.ends_with([' ', '\n']) {
            self.before.pop();
        }
    }

    /// Takes what a person takes for one character from before the cursor.
    fn pop(&mut self) -> String {
        let mut letters = Vec::new();
        while let Some(letter) = self.before.pop() {
            letters.push(letter);
            if !is_mark(letter) && !self.before.ends_with(JOINER) {
                break;
            }
        }
        letters.into_iter().rev().collect()
    }

    /// The same from behind it.
    fn pop_after(&mut self) -> String {
        let mut taken = String::new();
        let mut rest = self.after.chars().peekable();
        taken.extend(rest.next());
        while let Some(letter) = rest.next_if(|next| is_mark(*next) || taken.ends_with(JOINER)) {
            taken.push(letter);
        }
        self.after = rest.collect();
        taken
    }
}

/// True for what is shown on the character before it.
fn is_mark(letter: char) -> bool {
    letter != '\n' && Span::raw(letter.to_string()).width() == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(editor: &mut Editor, codes: &[KeyCode]) {
        codes.iter().for_each(|code| assert!(editor.key(&KeyEvent::from(*code)), "{code:?}"));
    }

    #[test]
    fn one_key_takes_one_character_as_people_count_them() {
        for text in ["a", "e\u{301}", "👩\u{200d}👧", "你", "❤\u{fe0f}"] {
            let mut editor = Editor::of(&format!("x{text}"));
            press(&mut editor, &[KeyCode::Left]);
            assert_eq!((editor.before.as_str(), editor.after.as_str()), ("x", text));
            press(&mut editor, &[KeyCode::Right, KeyCode::Backspace]);
            assert_eq!(editor.text(), "x");
        }
    }

    #[test]
    fn the_cursor_goes_between_lines() {
        let mut editor = Editor::of("one\ntwo\nthree");
        assert!(!editor.down() && editor.up());
        assert_eq!(editor.before, "one\ntwo");
        press(&mut editor, &[KeyCode::Home]);
        assert_eq!(editor.before, "one\n");
        assert!(editor.up() && !editor.up() && editor.before.is_empty());
        assert!(editor.down() && editor.before == "one\n");
        press(&mut editor, &[KeyCode::End]);
        assert_eq!(editor.before, "one\ntwo");
        editor.key(&KeyEvent::new(KeyCode::Char('w'), KeyModifiers::CONTROL));
        assert_eq!(editor.text(), "one\n\nthree");
    }

    /// A clipboard may hold anything; nothing of it does anything.
    #[test]
    fn what_is_pasted_is_text_and_nothing_else() {
        let mut editor = Editor::default();
        editor.insert("a\r\nb\rc\u{1b}[31m\u{7}\td");
        assert_eq!(editor.text(), "a\nb\nc[31m    d");
        let mut line = Editor::default();
        line.insert_line("  bob\n");
        assert_eq!(line.text(), "bob");
    }
}
