//! A conversation: its newest messages, older ones as one scrolls up, and a place to write.

use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::frame::{self, Page, confirmed, framed};
use super::message::Seen;
use super::moving::With;
use super::{App, Routes, message, moving, pictures, requests, saying, unchecked};
use crate::failure::{Failure, Kind};
use crate::local::What;
use crate::local::rows::{Contact, Conversation, Message, OPEN, REQUEST, State as Own, Unplaced};
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
        .route("/part/to/{handle}", get(part_to))
        .route("/part/head/{conversation}", get(part_head))
        .route("/part/reset/{conversation}", get(part_reset))
        .route("/part/messages/{conversation}", get(newest))
        .route("/part/older/{conversation}", get(older))
        .route("/do/read", post(read))
        .route("/do/typing", post(typing))
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
    let (known, open) = with(&shared, &handle).await?;
    if let Some(place) = open {
        return Ok(Fragment::go(place));
    }
    let name = one_line(&handle);
    let waiting = waiting(&shared, &handle).await?;
    let main = html! {
        section.talk {
            header.head {
                a.back href="/" aria-label=(words::BACK) { "‹" }
                div.whom { (named(&frame::avatar(&name), &name, words::NOT_WRITTEN_YET)) }
                @if let Some(known) = known { a.quiet href={ "/contacts/" (known.handle) } { (words::DETAILS) } }
            }
            div.scroll id="begins" data-from={ "/part/to/" (handle) } data-on="conversations" { (waiting) }
            (moving::place(&shared, &own, With::Handle(&handle)).await?)
            (saying::write(&handle, &kept(&handle), &name, None))
        }
    };
    framed(&shared, &own, Page { title: &name, at: &format!("/to/{handle}"), main }).await
}

/// As soon as there is a conversation, by whichever of both or on whichever device, the page goes there.
async fn part_to(State(shared): App, Path(handle): Path<String>) -> Answer {
    confirmed(&shared).await?;
    match with(&shared, &handle).await?.1 {
        Some(place) => Ok(Fragment::go(place)),
        None => Ok(waiting(&shared, &handle).await?.into()),
    }
}

/// What was written to him, and waits for him to be found.
async fn waiting(shared: &Shared, handle: &str) -> Result<Markup, Failure> {
    let mut rows: Vec<Unplaced> = shared.face.list(What::Unplaced).await?;
    rows.retain(|row| row.to == handle);
    Ok(unchecked::unplaced(&rows, handle))
}

/// Somebody, if he is known, and where the conversation with him is, if there is one.
async fn with(shared: &Shared, handle: &str) -> Result<(Option<Contact>, Option<String>), Failure> {
    let contacts: Vec<Contact> = shared.face.list(What::Contacts).await?;
    let known = contacts.into_iter().find(|it| it.handle == handle);
    let rows: Vec<Conversation> = shared.face.list(What::Conversations).await?;
    let is_with = |row: &&Conversation| {
        row.pair && known.as_ref().is_some_and(|known| row.members.iter().any(|it| it.account == known.account))
    };
    let place = rows.iter().find(is_with).map(|row| format!("/c/{}", row.conversation));
    Ok((known, place))
}

/// Under what name an unsent text to somebody is kept: the same before and after there is a conversation.
fn kept(handle: &str) -> String {
    format!("with:{handle}")
}

async fn show(shared: &Shared, own: &Own, row: &Conversation) -> Answer {
    let contacts: Vec<Contact> = shared.face.list(What::Contacts).await?;
    let contact = other_in(row, &contacts);
    let name = words::title(row);
    let id = &row.conversation;
    let (messages, has_older) = messages(shared, own, row).await?;
    let moving = moving::place(shared, own, With::Conversation(row)).await?;
    let main = html! {
        section.talk {
            header.head {
                a.back href="/" aria-label=(words::BACK) { "‹" }
                (whom(row))
                a.quiet href={ "/c/" (id) "/details" } { (words::DETAILS) }
            }
            div data-from={ "/part/reset/" (id) } data-on="contacts conversations" { (held_up(contact, row)) }
            @if row.unverified { p.notice { (words::UNVERIFIED) } }
            div.scroll id="scroll" tabindex="0" role="log" aria-label=(words::messages_with(&name)) {
                @if has_older {
                    button.older type="button" data-older={ "/part/older/" (id) } { (words::OLDER) }
                }
                ol.messages id="messages" data-merge data-read=(id) data-from={ "/part/messages/" (id) }
                    data-on={ "messages:" (id) " conversations contacts" } { (messages) }
            }
            (moving)
            @if row.left { p.notice { (web_talk::NOT_IN_IT) } } @else if row.standing == REQUEST { (requests::decision(row, &name)) } @else {
                (saying::write(id, &contact.map_or_else(|| format!("in:{id}"), |it| kept(&it.handle)), &name, Some((row, own))))
            }
            (saying::menu())
            (pictures::large())
        }
    };
    framed(shared, own, Page { title: &name, at: &format!("/c/{id}"), main }).await
}

/// What a conversation is called, and how many are in it: both can change while somebody looks at it.
pub(super) fn whom(row: &Conversation) -> Markup {
    html! {
        div.whom id="head" data-from={ "/part/head/" (row.conversation) } data-on={ "typing:" (row.conversation) " conversations messages contacts" } {
            (titled(row))
        }
    }
}

fn titled(row: &Conversation) -> Markup {
    named(&frame::portrait(row), &words::title(row), &web_talk::about(row))
}

fn named(mark: &Markup, name: &str, about: &str) -> Markup {
    html! {
        (mark)
        div { h1 dir="auto" { (name) } p.about { (about) } }
    }
}

async fn part_head(State(shared): App, Path(conversation): Path<String>) -> Answer {
    confirmed(&shared).await?;
    let row = found(&shared, &conversation).await?;
    Ok(titled(&row).into())
}

async fn part_reset(State(shared): App, Path(conversation): Path<String>) -> Answer {
    confirmed(&shared).await?;
    let row = found(&shared, &conversation).await?;
    let contacts: Vec<Contact> = shared.face.list(What::Contacts).await?;
    Ok(held_up(other_in(&row, &contacts), &row).into())
}

/// What holds up what is written there.
fn held_up(contact: Option<&Contact>, row: &Conversation) -> Markup {
    html! { (reset_banner(contact)) (unchecked::banner(row)) }
}

/// The other one of two, if he is known.
fn other_in<'a>(row: &Conversation, contacts: &'a [Contact]) -> Option<&'a Contact> {
    contacts.iter().find(|it| row.pair && row.members.iter().any(|member| member.account == it.account))
}

/// Somebody goes on as another identity: one choice before anything is sent (story 13). Nothing once it was made.
fn reset_banner(contact: Option<&Contact>) -> Markup {
    let reset = contact.and_then(|it| it.reset_at.as_ref().zip(Some(&it.handle)));
    html! {
        @if let Some((at, handle)) = reset {
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

fn seen<'a>(own: &'a Own, row: &'a Conversation) -> Seen<'a> {
    Seen { own, of: row, is_pair: row.pair, is_open: row.standing == OPEN }
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

/// Somebody types. It is not worth a word if nobody can be told.
async fn typing(State(shared): App, Wanted(Read { conversation: chat }): Wanted<Read>) -> Answer {
    shared.face.done::<Value>(What::Typing { chat }).await?;
    Ok(Fragment::default())
}
