//! Texts and names of others on a page: escaped by the template, tamed against what turns text around, with links that tell
//! nobody where they were found (W10, W11).

use maud::{Markup, html};
use protocol::tame;

use crate::local::rows::{Mentioned, Message};
use crate::words::one_line;

/// A text, with its lines and its links.
pub(super) fn text(text: &str) -> Markup {
    let shown = tame::display(text);
    html! {
        @for (is_link, piece) in pieces(&shown) {
            @if is_link {
                a href=(piece) target="_blank" rel="noreferrer noopener" { (piece) }
            } @else { (piece) }
        }
    }
}

/// What a message says: whom it mentions is called as he is called now, and leads to what is known of him.
pub(super) fn said(row: &Message, own: Option<&str>) -> Markup {
    html! {
        @for (who, piece) in row.pieces() {
            @match who {
                None => (text(piece)),
                Some(who) if own == Some(who.account.as_str()) => mark.mention { (tame::display(&who.shown(piece))) },
                Some(who) => (mention(who, piece)),
            }
        }
    }
}

fn mention(who: &Mentioned, written: &str) -> Markup {
    html! {
        @match &who.handle {
            Some(handle) => a.mention href={ "/contacts/" (handle) } { "@" (one_line(handle)) },
            None => span.mention { (tame::display(written)) },
        }
    }
}

/// A sentence of our own, in which commands stand between backticks.
pub(in crate::web) fn with_commands(sentence: &str) -> Markup {
    html! {
        @for (number, piece) in sentence.split('`').enumerate() {
            @if number % 2 == 1 { code { (piece) } } @else { (piece) }
        }
    }
}

/// The text in pieces, some of which are addresses of the web. Nothing of it is left out.
fn pieces(text: &str) -> Vec<(bool, &str)> {
    let mut pieces = Vec::new();
    for word in text.split_inclusive(char::is_whitespace) {
        let starts = ["https://", "http://"].iter().filter_map(|scheme| word.find(scheme)).min();
        let Some((before, rest)) = starts.and_then(|at| word.split_at_checked(at)) else {
            pieces.push((false, word));
            continue;
        };
        // what ends a sentence or stands around an address is none of it
        let address =
            rest.trim_end().trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '}', '\'', '"', '>', '»']);
        let (address, after) = rest.split_at_checked(address.len()).unwrap_or((rest, ""));
        let is_link = address.split_once("://").is_some_and(|(_, host)| !host.is_empty());
        pieces.extend([(false, before), (is_link, address), (false, after)]);
    }
    pieces.retain(|(_, piece)| !piece.is_empty());
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_links_and_everything_else_is_text() {
        let shown = text("see (https://a.example/x?y=1&z=2), or javascript:alert(1)\nhttp://").into_string();
        assert_eq!(
            shown,
            "see (<a href=\"https://a.example/x?y=1&amp;z=2\" target=\"_blank\" rel=\"noreferrer noopener\">\
             https://a.example/x?y=1&amp;z=2</a>), or javascript:alert(1)\nhttp://"
        );
    }

    /// MEN-3: a mention leads to the person, and is text all the same.
    #[test]
    fn whoever_is_mentioned_is_marked_and_nothing_of_it_is_markup() {
        let mut row = Message::sample("<b>@bob</b>, @me: https://a.example/@bob");
        let mention = |account: &str, handle: &str, start, end| Mentioned {
            account: account.into(),
            handle: Some(handle.into()),
            start,
            end,
        };
        row.mentions = vec![mention("b", "robert", 3, 7), mention("own", "me", 13, 16)];
        assert_eq!(
            said(&row, Some("own")).into_string(),
            "&lt;b&gt;<a class=\"mention\" href=\"/contacts/robert\">@robert</a>&lt;/b&gt;, <mark class=\"mention\">@me</mark>: \
             <a href=\"https://a.example/@bob\" target=\"_blank\" rel=\"noreferrer noopener\">https://a.example/@bob</a>"
        );
        row.mentions = vec![mention("b", "<img src=x>\"", 3, 7)];
        assert!(!said(&row, None).into_string().contains("<img"));
    }

    /// W10: whatever stands in a text, all of it is shown and none of it is markup.
    #[test]
    fn no_text_becomes_markup() {
        let hostile = [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "\"><svg onload=alert(1)>",
            "https://a.example/\"onmouseover=\"alert(1)",
            "https://a.example/<script>alert(1)</script>",
            "</textarea><iframe src=javascript:alert(1)>",
            "<!--",
            "]]>",
            "&lt;script&gt;",
            "<a href='javascript:alert(1)'>x</a>",
            "{{7*7}}",
            "<style>*{display:none}</style>",
        ];
        for hostile in hostile {
            let shown = text(hostile).into_string();
            let without_links =
                shown.replace(" target=\"_blank\" rel=\"noreferrer noopener\">", "").replace("</a>", "");
            assert_eq!(without_links.matches('<').count(), without_links.matches("<a href=\"http").count(), "{shown}");
            assert!(!shown.contains("\"onmouseover"), "{shown}");
        }
    }

    #[test]
    fn what_turns_text_around_is_shown_as_what_it_is() {
        assert_eq!(text("\u{202e}gpj.exe").into_string(), "\\u{202e}gpj.exe");
    }
}
