//! Text from others, made harmless for a terminal: control characters and those that turn the direction of writing are
//! shown, not obeyed (attack 63).

/// The text as it may be shown: line breaks and tabs stay, every other control or direction character becomes `\u{…}`.
pub fn display(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmless(c) {
            shown.push(c);
        } else {
            shown.extend(c.escape_unicode());
        }
    }
    shown
}

/// The same in one line, with at most `most` characters: for names.
pub fn name(text: &str, most: usize) -> String {
    let one_line: String = text.chars().map(|c| if matches!(c, '\n' | '\t') { ' ' } else { c }).collect();
    let shown = display(&one_line);
    if shown.chars().count() <= most {
        return shown;
    }
    let mut cut: String = shown.chars().take(most.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

fn is_harmless(c: char) -> bool {
    match c {
        '\n' | '\t' => true,
        // marks, embeddings, overrides and isolates of direction; invisible operators; the byte order mark
        '\u{61c}'
        | '\u{200b}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}' => false,
        // line and paragraph separators; annotations; tags
        '\u{2028}' | '\u{2029}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' => false,
        c => !c.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Attack 63.
    #[test]
    fn a_terminal_obeys_nothing_of_it() {
        let hostile =
            ["\u{1b}]52;c;aGk=\u{7}", "\u{1b}[2J", "\u{9b}31m", "a\u{202e}b", "a\rb", "\u{8}\u{8}", "\u{2066}x"];
        for text in hostile {
            let shown = display(text);
            assert!(shown.chars().all(|c| is_harmless(c) && c != '\n'), "{shown}");
            assert!(shown.contains("\\u{"), "{shown}");
        }
        assert_eq!(display("שלום 👩‍💻\nzwei\tdrei"), "שלום 👩‍💻\nzwei\tdrei");
        assert_eq!(display(&"\u{7}".repeat(65_536)).len(), 65_536 * 5);
    }

    #[test]
    fn a_name_is_one_short_line() {
        assert_eq!(name("Bob's\ndesktop", 40), "Bob's desktop");
        assert_eq!(name(&"x".repeat(500), 40).chars().count(), 40);
    }
}
