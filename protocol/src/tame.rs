//! Text from others, on a terminal.

/// Shows control and bidirectional characters instead of obeying them (attack 63).
pub fn display(text: &str) -> String {
    let is_wild = |letter: char| {
        (letter.is_control() && letter != '\n' && letter != '\t')
            || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars()
        .map(|letter| if is_wild(letter) { format!("\\u{{{:x}}}", u32::from(letter)) } else { letter.to_string() })
        .collect()
}
