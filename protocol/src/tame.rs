//! Text from others, made safe to show (attack 63): it moves no cursor, sets no clipboard, hides and turns around
//! nothing.

use std::fmt::Write as _;

/// The text with every control character escaped visibly, as in `\u{1b}`: those of ASCII but line feed and tab, those of
/// ISO 6429 (C1), and those that change the direction of text or end a line or paragraph (UAX 9, UAX 14).
///
/// Any length; the result is at most six times as long for ASCII controls.
pub fn display(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_tame(c) {
            shown.push(c);
        } else {
            // writing to memory does not fail
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
        }
    }
    shown
}

fn is_tame(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    matches!(c, '\n' | '\t') || !(c.is_control() || turns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_text_is_shown_as_it_is() {
        for text in ["", "Grüße, 你好 👩‍👩‍👧 שלום", "a\n\tb", "\\u{1b}"] {
            assert_eq!(display(text), text);
        }
    }

    /// Attack 63: a clipboard (OSC 52), a coloured line (CSI, in seven and in eight bits), a line written over another.
    #[test]
    fn no_sequence_reaches_the_terminal() {
        assert_eq!(display("\u{1b}]52;c;aGk=\u{7}"), "\\u{1b}]52;c;aGk=\\u{7}");
        assert_eq!(display("\u{1b}[31mred \u{9b}2J"), "\\u{1b}[31mred \\u{9b}2J");
        assert_eq!(display("paid: no\rpaid: yes\u{8}\u{7f}\0"), "paid: no\\u{d}paid: yes\\u{8}\\u{7f}\\u{0}");
    }

    /// Attack 63.
    #[test]
    fn nothing_is_turned_around() {
        assert_eq!(display("\u{202e}gpj.exe"), "\\u{202e}gpj.exe");
        for c in "\u{61c}\u{200e}\u{200f}\u{2028}\u{202a}\u{202b}\u{202c}\u{202d}\u{2066}\u{2069}".chars() {
            assert_eq!(display(&c.to_string()), format!("\\u{{{:x}}}", u32::from(c)));
        }
    }

    #[test]
    fn all_of_a_long_hostile_text_is_tamed() {
        let shown = display(&"\u{1b}[2J".repeat(16_384));
        assert_eq!(shown, "\\u{1b}[2J".repeat(16_384));
        let all: String = (0..=0x10_ffff).filter_map(char::from_u32).collect();
        assert!(display(&all).chars().all(is_tame));
    }
}
