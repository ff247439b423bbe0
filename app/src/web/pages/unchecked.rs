//! When the public record cannot be checked (story 14): what waits and why, the one decision about it, and what is said of what went
//! all the same.

use axum::extract::State;
use axum::routing::post;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::{App, Routes};
use crate::local::What;
use crate::local::rows::{Conversation, Message, Unplaced};
use crate::web::answer::{Answer, Fragment, Wanted};
use crate::words::unchecked as words;

pub(super) fn routes() -> Routes {
    Routes::new().route("/do/send-unchecked", post(send_unchecked))
}

/// Above a conversation, while it is so.
pub(super) fn banner(row: &Conversation) -> Markup {
    html! {
        @if let Some(said) = words::above(row) {
            div.notice role="alert" {
                p { (said) }
                @if !row.unchecked {
                    form data-do="/do/send-unchecked" {
                        input type="hidden" name="conversation" value=(row.conversation);
                        div.choices { button type="submit" { (words::SEND_ANYWAY) } }
                        div data-answer role="alert" {}
                    }
                }
            }
        }
    }
}

/// Behind the state of a message.
pub(super) fn mark(row: &Message, of: &Conversation) -> Markup {
    let mark = words::mark(row).zip(row.unchecked_s.filter(|seconds| !words::was_decided(*seconds)));
    html! { @if let Some((mark, seconds)) = mark { span.state title=(words::went(seconds, of)) { (mark) } } }
}

/// Under a message that went because somebody said so.
pub(super) fn told(row: &Message, of: &Conversation) -> Markup {
    let decided = row.unchecked_s.filter(|seconds| words::was_decided(*seconds));
    html! { @if let Some(seconds) = decided { p.small.unchecked { (words::went(seconds, of)) } } }
}

/// What was written to somebody before there is a conversation.
pub(super) fn unplaced(rows: &[Unplaced], name: &str) -> Markup {
    html! {
        @if !rows.is_empty() {
            @if rows.iter().any(|row| row.unproven) { p.notice role="alert" { (words::unproven(name)) } }
            ol.messages id="messages" {
                @for row in rows {
                    li.own { div.beside { div.bubble {
                        p.text dir="auto" { (protocol::tame::display(&row.text)) }
                        span.meta { span.state { (words::WAITING) } }
                    } } }
                }
            }
        }
    }
}

#[derive(Deserialize)]
struct Decided {
    conversation: String,
}

async fn send_unchecked(State(shared): App, Wanted(Decided { conversation: to }): Wanted<Decided>) -> Answer {
    shared.face.done::<Value>(What::SendUnchecked { to }).await?;
    Ok(Fragment::default())
}
