//! What the desktop shows. The text of a notification is markup to those who show it, so that it is escaped, whoever wrote it.

use super::{one_line, time};
use protocol::tame;

/// Longest text of a message that is shown, in letters.
const MAX_TEXT: usize = 240;
/// What a press on a notification does.
pub(crate) const OPEN: &str = "Open";
/// Who speaks where it is nobody's message.
pub(crate) const TREFOIL: &str = "Trefoil";

/// The name of a conversation or of a person, in plain letters.
pub(crate) fn title(name: &str) -> String {
    one_line(name)
}

/// So many messages came, of one person in a conversation of several if he is named.
pub(crate) fn came(count: usize, from: Option<&str>) -> String {
    let from = from.map(|from| format!(" from {}", escaped(&one_line(from)))).unwrap_or_default();
    match count {
        0 | 1 => format!("New message{from}"),
        count => format!("{} new messages{from}", counted(count)),
    }
}

/// The newest of them as it is, by whom if it may be one of several, and how many stand before it.
pub(crate) fn said(text: &str, from: Option<&str>, before: usize) -> String {
    let from = from.map(|from| format!("{}: ", escaped(&one_line(from)))).unwrap_or_default();
    let more = match before {
        0 => String::new(),
        before => format!("\n({} more before it)", counted(before)),
    };
    format!("{from}{}{more}", escaped(&shortened(text)))
}

/// A file, if nothing is written with it.
pub(crate) fn file(name: &str) -> String {
    format!("A file: {}", tame::file_name(name))
}

/// A device asks to be let in: not which, since what it says of itself proves nothing.
pub(crate) const DEVICE_ASKS: &str =
    "A device asks to join your account. Answer it in Trefoil; if it isn't yours, it is never let in.";

/// Somebody wants a fresh identity for the account.
pub(crate) fn reset_asked(due: &str) -> String {
    let due = escaped(&time(due));
    format!(
        "Someone asked to reset your account. If that isn't you, stop it in Trefoil: unstopped, it takes effect at {due}."
    )
}

/// Counted up to here, and no further.
pub(crate) const MOST_COUNTED: usize = 100;

fn counted(count: usize) -> String {
    if count < MOST_COUNTED { count.to_string() } else { format!("{MOST_COUNTED} or more") }
}

/// On one line, and not endless.
fn shortened(text: &str) -> String {
    let mut letters = text.chars().map(|letter| if letter.is_whitespace() { ' ' } else { letter });
    let short: String = letters.by_ref().take(MAX_TEXT).collect();
    let rest = if letters.next().is_some() { "…" } else { "" };
    format!("{}{rest}", tame::display(&short))
}

/// As text in markup.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_is_no_markup_turns_nothing_around_and_ends() {
        let hostile = "<a href=\"http://x\">a</a>&amp;\u{202e}\u{1b}]x\n<img src=\"/etc/passwd\"/>";
        let shown = said(hostile, Some("<b>Eve</b>"), 0);
        assert!(!shown.contains(['<', '>', '\u{202e}', '\u{1b}', '\n']), "{shown}");
        assert!(shown.starts_with("&lt;b&gt;Eve&lt;/b&gt;: &lt;a href") && shown.contains("&amp;amp;"), "{shown}");
        assert!(!came(2, Some("<i>")).contains('<') && !title("a\u{202e}\nb").contains(['\u{202e}', '\n']));
        let long = said(&"\u{1b}&".repeat(1_000_000), None, 0);
        assert!(long.chars().count() < MAX_TEXT * 7 && long.ends_with('…'), "{}", long.len());
    }

    #[test]
    fn messages_are_counted_and_not_endlessly() {
        assert_eq!((came(1, None).as_str(), came(3, Some("bob")).as_str()), ("New message", "3 new messages from bob"));
        assert_eq!(came(MOST_COUNTED, None), "100 or more new messages");
        assert_eq!(said("tea?", Some("bob"), 2), "bob: tea?\n(2 more before it)");
    }
}
