//! Text from others, made safe to show (attack 63): it moves no cursor, sets no clipboard, hides and turns around
//! nothing.

use std::fmt::Write as _;

/// Most bytes of the name of a file: what file systems take.
pub const MAX_FILE_NAME: usize = 255;
/// What a file is called whose sender gave it no name.
const NAMELESS: &str = "file";

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

/// The name of a file from somebody else, as it is shown and as a file may be called (attacks 61, 63): what stands behind the
/// last `/` or `\\`, without characters that [`display`] would escape and those that a file system or a shell of some
/// system takes for something else, without dots and spaces around it, at most [`MAX_FILE_NAME`] bytes. A name of which
/// nothing is left is `file`. The same again gives the same.
pub fn file_name(name: &str) -> String {
    let base = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let is_kept =
        |c: &char| is_tame(*c) && !matches!(*c, '\n' | '\t' | '\u{feff}' | '\u{200b}'..='\u{200d}' | '\u{2060}');
    let plain = |c| if matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*') { '_' } else { c };
    let tamed: String = base.chars().filter(is_kept).map(plain).collect();
    let tamed = tamed.trim_matches(|c: char| c == '.' || c.is_whitespace());
    let cut = shortened(tamed);
    let cut = cut.trim_matches(|c: char| c == '.' || c.is_whitespace());
    if cut.is_empty() { NAMELESS.to_owned() } else { cut.to_owned() }
}

/// The name with its ending, cut in front of that.
fn shortened(name: &str) -> String {
    if name.len() <= MAX_FILE_NAME {
        return name.to_owned();
    }
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let ending = if ending.is_empty() || ending.len() > 16 { String::new() } else { format!(".{ending}") };
    let room = MAX_FILE_NAME.saturating_sub(ending.len());
    let mut beginning = String::new();
    for c in name.chars() {
        if beginning.len() + c.len_utf8() > room {
            break;
        }
        beginning.push(c);
    }
    beginning + &ending
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Attacks 61, 63: no name leads anywhere, hides its ending, or hides the file.
    #[test]
    fn the_name_of_a_file_is_a_name_and_nothing_else() {
        for (name, tame) in [
            ("holiday.mp4", "holiday.mp4"),
            ("Grüße 你好.txt", "Grüße 你好.txt"),
            ("../../../etc/passwd", "passwd"),
            ("..\\..\\autoexec.bat", "autoexec.bat"),
            ("/absolute/path", "path"),
            ("..", "file"),
            ("", "file"),
            ("a/", "file"),
            (".bashrc", "bashrc"),
            ("...hidden", "hidden"),
            ("ends with dots... ", "ends with dots"),
            ("picture\u{202e}gpj.exe", "picturegpj.exe"),
            ("a\u{1b}[31mb\n\tc\0", "a[31mbc"),
            ("con:stream|x?.txt", "con_stream_x_.txt"),
            ("zero\u{200b}width\u{feff}", "zerowidth"),
        ] {
            assert_eq!(file_name(name), tame, "{name:?}");
        }
        let long = file_name(&format!("{}.jpeg", "ä".repeat(400)));
        assert!(long.len() <= MAX_FILE_NAME && long.ends_with("ä.jpeg"), "{long}");
        let all: String = (0..=0x10_ffff).filter_map(char::from_u32).collect();
        for name in
            [all.as_str(), &"x.".repeat(400), &" .".repeat(400), &format!("a.{}", "b".repeat(300)), long.as_str()]
        {
            let tame = file_name(name);
            assert_eq!(file_name(&tame), tame);
            assert!(!tame.is_empty() && tame.len() <= MAX_FILE_NAME && display(&tame) == tame);
            assert!(!tame.starts_with('.') && !tame.contains(['/', '\\', '\0', '\n']));
        }
    }

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
