//! A conversation: its newest messages, older ones as one scrolls up, and a place to write.

use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use client::query::MessageState;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::frame::{self, Page, confirmed, framed};
use super::text::text;
use super::{App, Routes, requests};
use crate::failure::{Failure, Kind};
use crate::local::What;
use crate::local::rows::{Contact, Conversation, Message, REQUEST, Sent, State as Own};
use crate::web::answer::{Answer, Fragment, Wanted};
use crate::web::server::Shared;
use crate::words::one_line;
use crate::words::web as words;

/// By the id of a conversation, or for somebody whom one has not written to yet.
pub(super) const PLACES: &[&str] = &["/c/{conversation}", "/to/{handle}"];

/// Messages that are fetched at once.
const PAGE: u32 = 50;
/// How long to wait for the service before the page is told that the message waits.
const SENT_WITHIN_S: u64 = 10;
/// Messages of one person with less than so many minutes in between stand together.
const TOGETHER_MIN: i64 = 5;

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/page/c/{conversation}", get(page))
        .route("/page/to/{handle}", get(page_to))
        .route("/part/messages/{conversation}", get(newest))
        .route("/part/older/{conversation}", get(older))
        .route("/do/send", post(send))
        .route("/do/read", post(read))
}

async fn page(State(shared): App, Path(conversation): Path<String>) -> Answer {
    let own = confirmed(&shared).await?;
    let rows: Vec<Conversation> = shared.face.list(What::Conversations).await?;
    let unknown = || Failure::new(Kind::Refused, "chat.unknown", words::NO_SUCH_CONVERSATION);
    let row = rows.into_iter().find(|row| row.conversation == conversation).ok_or_else(unknown)?;
    show(&shared, &own, &row).await
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
            (head(&name, words::NOT_WRITTEN_YET, known.as_ref()))
            div.scroll { }
            (write(&handle, &name))
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
    let messages = messages(shared, own, row).await?;
    let main = html! {
        section.talk {
            (head(&name, &words::about(row), contact))
            @if let Some((at, handle)) = contact.and_then(|it| it.reset_at.as_ref().zip(Some(&it.handle))) {
                (reset_banner(handle, at))
            }
            @if row.unverified { p.notice { (words::UNVERIFIED) } }
            div.scroll id="scroll" tabindex="0" role="log" aria-label=(words::messages_with(&name)) {
                @if row.messages > u64::from(PAGE) {
                    button.older type="button" data-older={ "/part/older/" (id) } { (words::OLDER) }
                }
                ol.messages id="messages" data-merge data-read=(id) data-from={ "/part/messages/" (id) }
                    data-on={ "messages:" (id) } { (messages) }
            }
            @if row.standing == REQUEST { (requests::decision(row, &name)) } @else { (write(id, &name)) }
        }
    };
    framed(shared, own, Page { title: &name, at: &format!("/c/{id}"), main }).await
}

fn head(name: &str, about: &str, contact: Option<&Contact>) -> Markup {
    html! {
        header.head {
            a.back href="/" aria-label=(words::BACK) { "‹" }
            (frame::avatar(name))
            div {
                h1 dir="auto" { (name) }
                p.about { (about) }
            }
            @if let Some(contact) = contact { a.quiet href={ "/contacts/" (contact.handle) } { (words::DETAILS) } }
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

fn write(to: &str, name: &str) -> Markup {
    html! {
        form.write data-do="/do/send" data-keep={ "to:" (to) } {
            input type="hidden" name="to" value=(to);
            textarea name="text" rows="1" required data-enter dir="auto" placeholder=(words::WRITE)
                aria-label=(words::write_to(name)) title=(words::WRITE_HOW) autofocus {}
            button.main type="submit" { (words::SEND) }
            div data-answer role="alert" {}
        }
    }
}

async fn newest(State(shared): App, Path(conversation): Path<String>) -> Answer {
    let own = confirmed(&shared).await?;
    let rows: Vec<Conversation> = shared.face.list(What::Conversations).await?;
    let row = rows.into_iter().find(|row| row.conversation == conversation);
    match row {
        Some(row) => Ok(messages(&shared, &own, &row).await?.into()),
        None => Ok(Fragment::go("/")),
    }
}

async fn messages(shared: &Shared, own: &Own, row: &Conversation) -> Result<Markup, Failure> {
    let what = What::Read { with: Some(row.conversation.clone()), limit: PAGE, follow: false };
    let rows: Vec<Message> = shared.face.list(what).await?;
    Ok(list(&rows, own, row.pair))
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
    let conversations: Vec<Conversation> = shared.face.list(What::Conversations).await?;
    let is_pair = conversations.iter().any(|row| row.conversation == conversation && row.pair);
    let rows: Vec<Message> = shared.face.list(What::Older { conversation, before, limit: PAGE }).await?;
    let is_all = rows.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
    Ok(html! { (list(&rows, &own, is_pair)) @if is_all { li data-all {} } }.into())
}

/// Messages with the days between them. Every element has an id that stays, so that the script changes only what is new.
fn list(rows: &[Message], own: &Own, is_pair: bool) -> Markup {
    let today = words::today();
    let mut before: Option<&Message> = None;
    let items = rows.iter().map(|row| {
        let day = words::date(&row.sent_at);
        let is_new_day = before.is_none_or(|before| words::date(&before.sent_at) != day);
        let follows = !is_new_day && before.is_some_and(|before| stands_together(before, row));
        before = Some(row);
        html! {
            @if is_new_day { li.day id={ "d-" (day) } { span { (words::day(&day, &today)) } } }
            (message(row, own, is_pair, follows))
        }
    });
    html! { @for item in items { (item) } }
}

fn stands_together(before: &Message, row: &Message) -> bool {
    before.account == row.account && words::minutes_between(&before.sent_at, &row.sent_at) < TOGETHER_MIN
}

fn message(row: &Message, own: &Own, is_pair: bool, follows: bool) -> Markup {
    let is_own = own.account.as_deref() == Some(row.account.as_str());
    let shows_name = !is_own && !is_pair && !follows;
    html! {
        li id={ "m-" (row.message) } class=(class_of(is_own, follows)) {
            @if shows_name { span.from dir="auto" { (one_line(&row.from)) } }
            div.bubble {
                @if row.state == MessageState::Unreadable {
                    p.text.unreadable { (words::unreadable(&row.from)) }
                } @else {
                    p.text dir="auto" { (text(&row.text)) }
                }
                span.meta {
                    time datetime=(row.sent_at) { (words::hour(&row.sent_at)) }
                    @if let Some(state) = words::state(row.state) { span class={ "state " (words::state_class(row.state)) } { (state) } }
                }
            }
            @if row.state == MessageState::Failed {
                form.again data-do="/do/send" {
                    input type="hidden" name="to" value=(row.conversation);
                    input type="hidden" name="text" value=(row.text);
                    button.quiet type="submit" { (words::TRY_AGAIN) }
                    div data-answer role="alert" {}
                }
            }
        }
    }
}

fn class_of(is_own: bool, follows: bool) -> &'static str {
    match (is_own, follows) {
        (true, true) => "own follows",
        (true, false) => "own",
        (false, true) => "theirs follows",
        (false, false) => "theirs",
    }
}

#[derive(Deserialize)]
struct Send {
    to: String,
    text: String,
}

async fn send(State(shared): App, Wanted(Send { to, text }): Wanted<Send>) -> Answer {
    let what = crate::commands::send::of_text(to, text, SENT_WITHIN_S)?;
    let sent: Sent = shared.face.done(what).await?;
    match sent.state {
        MessageState::Failed => Err(Failure::new(Kind::Refused, "message.failed", words::NOT_SENT).into()),
        _ => Ok(Fragment::default()),
    }
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
