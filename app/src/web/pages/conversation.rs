//! A conversation: its newest messages, older ones as one scrolls up, and a place to write.

use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::frame::{self, Page, confirmed, framed};
use super::message::Seen;
use super::{App, Routes, message, pictures, requests, saying};
use crate::failure::{Failure, Kind};
use crate::local::What;
use crate::local::rows::{Contact, Conversation, Message, OPEN, REQUEST, State as Own};
use crate::web::answer::{Answer, Fragment, Wanted};
use crate::web::server::Shared;
use crate::words::web as words;
use crate::words::{one_line, web_talk};

/// By the id of a conversation, or for somebody whom one has not written to yet.
pub(super) const PLACES: &[&str] = &["/c/{conversation}", "/to/{handle}"];

/// Messages that are fetched at once.
const PAGE: u32 = 50;

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/page/c/{conversation}", get(page))
        .route("/page/to/{handle}", get(page_to))
        .route("/part/messages/{conversation}", get(newest))
        .route("/part/older/{conversation}", get(older))
        .route("/do/read", post(read))
}

async fn page(State(shared): App, Path(conversation): Path<String>) -> Answer {
    let own = confirmed(&shared).await?;
    let row = found(&shared, &conversation).await?;
    show(&shared, &own, &row).await
}

/// A conversation by its id.
pub(super) async fn found(shared: &Shared, id: &str) -> Result<Conversation, Failure> {
    let rows: Vec<Conversation> = shared.face.list(What::Conversations).await?;
    let unknown = || Failure::new(Kind::Refused, "chat.unknown", words::NO_SUCH_CONVERSATION);
    rows.into_iter().find(|row| row.conversation == id).ok_or_else(unknown)
}

/// The conversation with somebody, or a place to begin one.
async fn page_to(State(shared): App, Path(handle): Path<String>) -> Answer {
    let own = confirmed(&shared).await?;
    let contacts: Vec<Contact> = shared.face.list(What::Contacts).await?;
    let known = contacts.into_iter().find(|it| it.handle == handle);
    let rows: Vec<Conversation> = shared.face.list(What::Conversations).await?;
    let is_with = |row: &&Conversation| {
        row.pair && known.as_ref().is_some_and(|known| row.members.iter().any(|it| it.account == known.account))
    };
    if let Some(row) = rows.iter().find(is_with) {
        return Ok(Fragment::go(format!("/c/{}", row.conversation)));
    }
    let name = one_line(&handle);
    let main = html! {
        section.talk {
            (head(&name, words::NOT_WRITTEN_YET, known.as_ref().map(|it| format!("/contacts/{}", it.handle))))
            div.scroll { }
            (saying::write(&handle, &name, None))
        }
    };
    framed(&shared, &own, Page { title: &name, at: &format!("/to/{handle}"), main }).await
}

async fn show(shared: &Shared, own: &Own, row: &Conversation) -> Answer {
    let contacts: Vec<Contact> = shared.face.list(What::Contacts).await?;
    let other = |it: &&Contact| row.pair && row.members.iter().any(|member| member.account == it.account);
    let contact = contacts.iter().find(other);
    let name = words::title(row);
    let id = &row.conversation;
    let (messages, has_older) = messages(shared, own, row).await?;
    let main = html! {
        section.talk {
            (head(&name, &web_talk::about(row), Some(format!("/c/{id}/details"))))
            @if let Some((at, handle)) = contact.and_then(|it| it.reset_at.as_ref().zip(Some(&it.handle))) {
                (reset_banner(handle, at))
            }
            @if row.unverified { p.notice { (words::UNVERIFIED) } }
            div.scroll id="scroll" tabindex="0" role="log" aria-label=(words::messages_with(&name)) {
                @if has_older {
                    button.older type="button" data-older={ "/part/older/" (id) } { (words::OLDER) }
                }
                ol.messages id="messages" data-merge data-read=(id) data-from={ "/part/messages/" (id) }
                    data-on={ "messages:" (id) } { (messages) }
            }
            @if row.standing == REQUEST { (requests::decision(row, &name)) } @else { (saying::write(id, &name, Some(row.draft.as_deref().unwrap_or_default()))) }
            (saying::menu())
            (pictures::large())
        }
    };
    framed(shared, own, Page { title: &name, at: &format!("/c/{id}"), main }).await
}

fn head(name: &str, about: &str, details: Option<String>) -> Markup {
    html! {
        header.head {
            a.back href="/" aria-label=(words::BACK) { "‹" }
            (frame::avatar(name))
            div {
                h1 dir="auto" { (name) }
                p.about { (about) }
            }
            @if let Some(details) = details { a.quiet href=(details) { (words::DETAILS) } }
        }
    }
}

/// Somebody goes on as another identity: one choice before anything is sent (story 13).
fn reset_banner(handle: &str, at: &str) -> Markup {
    html! {
        div.notice {
            p { (words::contact_reset(handle, at)) }
            div.choices {
                a.button href={ "/contacts/" (handle) } { (words::COMPARE) }
                form data-do="/do/accept-reset" {
                    input type="hidden" name="handle" value=(handle);
                    button type="submit" { (words::WRITE_ANYWAY) }
                    div data-answer role="alert" {}
                }
            }
        }
    }
}

async fn newest(State(shared): App, Path(conversation): Path<String>) -> Answer {
    let own = confirmed(&shared).await?;
    let rows: Vec<Conversation> = shared.face.list(What::Conversations).await?;
    let row = rows.into_iter().find(|row| row.conversation == conversation);
    match row {
        Some(row) => Ok(messages(&shared, &own, &row).await?.0.into()),
        None => Ok(Fragment::go("/")),
    }
}

/// The newest, and whether there may be older ones.
async fn messages(shared: &Shared, own: &Own, row: &Conversation) -> Result<(Markup, bool), Failure> {
    let what = What::Read { with: Some(row.conversation.clone()), limit: PAGE, follow: false };
    let rows: Vec<Message> = shared.face.list(what).await?;
    Ok((message::list(&rows, seen(own, row)), is_full(&rows)))
}

fn is_full(rows: &[Message]) -> bool {
    u32::try_from(rows.len()).is_ok_and(|count| count >= PAGE)
}

fn seen<'a>(own: &'a Own, row: &Conversation) -> Seen<'a> {
    Seen { own, is_pair: row.pair, is_open: row.standing == OPEN }
}

#[derive(Deserialize)]
struct Before {
    before: String,
}

/// What stands above a message; with less than a page of it, there is no more.
async fn older(
    State(shared): App,
    Path(conversation): Path<String>,
    Query(Before { before }): Query<Before>,
) -> Answer {
    let own = confirmed(&shared).await?;
    let row = found(&shared, &conversation).await?;
    let rows: Vec<Message> = shared.face.list(What::Older { conversation, before, limit: PAGE }).await?;
    let is_all = !is_full(&rows);
    Ok(html! { (message::list(&rows, seen(&own, &row))) @if is_all { li data-all {} } }.into())
}

#[derive(Deserialize)]
struct Read {
    conversation: String,
}

/// As `trefoil read` does: what is on the screen of somebody who looks at it was read.
async fn read(State(shared): App, Wanted(Read { conversation }): Wanted<Read>) -> Answer {
    shared.face.done::<Value>(What::MarkRead { with: conversation }).await?;
    Ok(Fragment::default())
}
