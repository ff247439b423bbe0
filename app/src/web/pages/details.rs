//! What one does with a conversation: who is in it, what it is called, how long its messages last, how it is kept.

use axum::extract::{Path, State};
use axum::routing::{get, post};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::frame::{self, Page, confirmed, framed};
use super::saying::{SENT_WITHIN_S, YesOrNo, said, yes_or_no};
use super::{App, Routes, conversation, new_chat, portraits};
use crate::failure::Failure;
use crate::local::What;
use crate::local::rows::{Conversation, Member, OPEN, State as Own};
use crate::web::answer::{Answer, Fragment, Wanted};
use crate::words::web as words;
use crate::words::{message, one_line, web_talk};

pub(super) const PLACES: &[&str] = &["/c/{conversation}/details"];

/// Stands for a silence without an end.
const FOR_GOOD: &str = "always";

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/page/c/{conversation}/details", get(page))
        .route("/part/members/{conversation}", get(part_members))
        .route("/part/keeping/{conversation}", get(part_keeping))
        .route("/do/let-in", post(let_in))
        .route("/do/take-out", post(take_out))
        .route("/do/admin", post(admin))
        .route("/do/leave", post(leave))
        .route("/do/title", post(title))
        .route("/do/timer", post(timer))
        .route("/do/mute", post(mute))
        .route("/do/pin", post(pin))
        .route("/do/put-away", post(put_away))
}

async fn page(State(shared): App, Path(id): Path<String>) -> Answer {
    let own = confirmed(&shared).await?;
    let row = conversation::found(&shared, &id).await?;
    let name = words::title(&row);
    let place = format!("/c/{id}");
    let main = html! {
        section.page {
            header.head {
                a.back.always href=(place) aria-label=(words::BACK) { "‹" }
                (conversation::whom(&row))
            }
            div.column {
                section.card {
                    h2 { (web_talk::MEMBERS) }
                    div id="members" data-from={ "/part/members/" (id) } data-on="conversations contacts" { (members(&row, &own)) }
                    @if is_admin(&row, &own) { (letting_in(&row)) }
                    @else if !row.pair && !row.own { p.small { (web_talk::ONLY_OPENER) } }
                }
                @if is_admin(&row, &own) {
                    (renaming(&row))
                    div.column.inner data-from={ "/part/picture/" (id) } data-on="conversations" { (portraits::choosing(&row)) }
                }
                @if row.standing == OPEN {
                    div.column.inner id="keeping" data-from={ "/part/keeping/" (id) } data-on="conversations messages" { (keeping(&row)) }
                }
                @if !row.pair && !row.own && !row.left { (leaving(&row)) }
            }
        }
    };
    framed(&shared, &own, Page { title: &name, at: &place, main }).await
}

async fn part_members(State(shared): App, Path(id): Path<String>) -> Answer {
    let own = confirmed(&shared).await?;
    Ok(members(&conversation::found(&shared, &id).await?, &own).into())
}

async fn part_keeping(State(shared): App, Path(id): Path<String>) -> Answer {
    confirmed(&shared).await?;
    Ok(keeping(&conversation::found(&shared, &id).await?).into())
}

/// Only who may can let people in and out, and says what it is called.
pub(super) fn is_admin(row: &Conversation, own: &Own) -> bool {
    row.members.iter().any(|it| it.admin && own.account.as_deref() == Some(&it.account))
}

fn members(row: &Conversation, own: &Own) -> Markup {
    let is_admin = is_admin(row, own);
    html! {
        ul.members {
            @for member in &row.members {
                @let is_you = own.account.as_deref() == Some(&member.account);
                li {
                    (person(member, is_you))
                    @if is_admin && !is_you { (letting(row, member)) (taking_out(row, member)) }
                }
            }
        }
    }
}

fn called(member: &Member) -> String {
    one_line(member.handle.as_deref().unwrap_or(&member.account))
}

fn person(member: &Member, is_you: bool) -> Markup {
    let name = called(member);
    let inside = html! {
        (frame::avatar(&name))
        span.name dir="auto" {
            (name)
            @if is_you { " " span.tag { (web_talk::YOU) } }
            @if member.admin { " " span.tag { (web_talk::OPENED_IT) } }
        }
    };
    html! {
        @match &member.handle {
            Some(handle) if !is_you => a.person href={ "/contacts/" (handle) } { (inside) },
            _ => div.person { (inside) },
        }
    }
}

/// Whether somebody lets people in and out as well.
fn letting(row: &Conversation, member: &Member) -> Markup {
    let (on, name) = if member.admin { ("no", web_talk::NO_ADMIN) } else { ("yes", web_talk::ADMIN) };
    html! {
        @if let Some(handle) = &member.handle {
            form data-do="/do/admin" {
                input type="hidden" name="conversation" value=(row.conversation);
                input type="hidden" name="who" value=(handle);
                button.quiet type="submit" name="on" value=(on) { (name) span.hidden { " " (called(member)) } }
                div data-answer role="alert" {}
            }
        }
    }
}

fn leaving(row: &Conversation) -> Markup {
    html! {
        details.card id="leave" {
            summary { (web_talk::LEAVE) }
            form data-do="/do/leave" {
                p.small { (web_talk::LEAVE_WHY) }
                input type="hidden" name="conversation" value=(row.conversation);
                button.danger type="submit" { (web_talk::LEAVE) }
                div data-answer role="alert" {}
            }
        }
    }
}

fn taking_out(row: &Conversation, member: &Member) -> Markup {
    let name = called(member);
    html! {
        @if let Some(handle) = &member.handle {
            details id={ "out-" (member.account) } {
                summary { (web_talk::TAKE_OUT) }
                form data-do="/do/take-out" {
                    p.small dir="auto" { (web_talk::take_out_why(&name)) }
                    input type="hidden" name="conversation" value=(row.conversation);
                    button.danger type="submit" name="who" value=(handle) { (web_talk::take_out(&name)) }
                    div data-answer role="alert" {}
                }
            }
        }
    }
}

fn letting_in(row: &Conversation) -> Markup {
    html! {
        form.inline data-do="/do/let-in" data-reset {
            input type="hidden" name="conversation" value=(row.conversation);
            label for="let-in" { (web_talk::LET_IN) }
            input id="let-in" name="with" type="text" required autocapitalize="none" spellcheck="false" autocomplete="off"
                placeholder=(web_talk::OTHERS_EXAMPLE);
            button type="submit" { (web_talk::LET_IN_BUTTON) }
            div data-answer role="alert" {}
        }
    }
}

fn renaming(row: &Conversation) -> Markup {
    html! {
        form.card.inline data-do="/do/title" {
            input type="hidden" name="conversation" value=(row.conversation);
            label for="new-title" { (web_talk::ITS_TITLE) }
            input id="new-title" name="title" type="text" required autocomplete="off" dir="auto" value=(one_line(&row.title));
            button type="submit" { (web_talk::RENAME) }
            div data-answer role="alert" {}
        }
    }
}

fn keeping(row: &Conversation) -> Markup {
    let id = &row.conversation;
    html! {
        form.card data-do="/do/timer" {
            h2 { (web_talk::TIMER) }
            p.small { (web_talk::TIMER_WHY) }
            input type="hidden" name="conversation" value=(id);
            div.choices {
                @for (seconds, name) in web_talk::TIMES {
                    button.choice type="submit" name="seconds" value=(seconds) aria-pressed=(row.timer_s == seconds) { (name) }
                }
                @if let Some(other) = web_talk::other_timer(row.timer_s) { span.small { (other) } }
            }
            div data-answer role="alert" {}
        }
        form.card data-do="/do/mute" {
            h2 { (web_talk::SOUNDS) }
            input type="hidden" name="conversation" value=(id);
            @if web_talk::is_silent(row) {
                p.small { (web_talk::silence(row)) @if let Some(until) = web_talk::silent_until(row) { " " (until) } }
                div.choices { button type="submit" name="seconds" value="0" { (web_talk::SOUNDS_AGAIN) } }
            } @else {
                p.small { (web_talk::SOUNDS_ON) }
                div.choices {
                    @for (seconds, name) in web_talk::SILENCES { button.choice type="submit" name="seconds" value=(seconds) { (name) } }
                }
            }
            div data-answer role="alert" {}
        }
        section.card {
            h2 { (web_talk::PLACE) }
            p.small { (web_talk::PUT_AWAY_WHY) }
            div.choices {
                (switch("/do/pin", id, row.pinned, [web_talk::PIN, web_talk::UNPIN]))
                (switch("/do/put-away", id, row.archived, [web_talk::PUT_AWAY, web_talk::TAKE_OUT_AGAIN]))
            }
        }
    }
}

/// A button that turns something on, or off.
fn switch(place: &str, id: &str, is_on: bool, [on, off]: [&str; 2]) -> Markup {
    html! {
        form data-do=(place) {
            input type="hidden" name="conversation" value=(id);
            button type="submit" name="on" value=(yes_or_no(!is_on)) { (if is_on { off } else { on }) }
            div data-answer role="alert" {}
        }
    }
}

#[derive(Deserialize)]
struct People {
    conversation: String,
    with: String,
}

async fn let_in(State(shared): App, Wanted(People { conversation: chat, with }): Wanted<People>) -> Answer {
    let own = confirmed(&shared).await?;
    let with = new_chat::handles(&shared, &own, &with).await?;
    shared.face.done::<Value>(What::AddMembers { chat, with }).await?;
    Ok(Fragment::said(web_talk::LET_IN_DONE))
}

#[derive(Deserialize)]
struct Person {
    conversation: String,
    who: String,
}

async fn take_out(State(shared): App, Wanted(Person { conversation: chat, who }): Wanted<Person>) -> Answer {
    shared.face.done::<Value>(What::RemoveMembers { chat, with: vec![who.clone()] }).await?;
    Ok(Fragment::said(&web_talk::taken_out(&who)))
}

#[derive(Deserialize)]
struct Letting {
    conversation: String,
    who: String,
    on: YesOrNo,
}

async fn admin(State(shared): App, Wanted(Letting { conversation: chat, who, on }): Wanted<Letting>) -> Answer {
    let on = on == YesOrNo::Yes;
    shared.face.done::<Value>(What::SetAdmin { chat, who: who.clone(), on }).await?;
    Ok(Fragment::said(&web_talk::letting(&who, on)))
}

#[derive(Deserialize)]
struct Left {
    conversation: String,
}

async fn leave(State(shared): App, Wanted(Left { conversation: chat }): Wanted<Left>) -> Answer {
    let place = format!("/c/{chat}");
    said(&shared, What::LeaveChat { chat, wait_s: SENT_WITHIN_S }).await?;
    Ok(Fragment::go(place))
}

#[derive(Deserialize)]
struct Title {
    conversation: String,
    title: String,
}

async fn title(State(shared): App, Wanted(Title { conversation: chat, title }): Wanted<Title>) -> Answer {
    said(&shared, What::RenameChat { chat, title: title.trim().to_owned(), wait_s: SENT_WITHIN_S }).await?;
    Ok(Fragment::said(message::RENAMED))
}

#[derive(Deserialize)]
struct Seconds {
    conversation: String,
    seconds: String,
}

impl Seconds {
    /// A number of seconds; nothing for good.
    fn read(&self) -> Result<Option<u64>, Failure> {
        if self.seconds == FOR_GOOD {
            return Ok(None);
        }
        let seconds = self.seconds.parse().map_err(|_| Failure::misuse("request.malformed", words::MALFORMED))?;
        Ok(Some(seconds))
    }
}

async fn timer(State(shared): App, Wanted(wanted): Wanted<Seconds>) -> Answer {
    // more than fits is too long in any case, and refused as such
    let seconds = u32::try_from(wanted.read()?.unwrap_or(u64::MAX)).unwrap_or(u32::MAX);
    said(&shared, What::SetTimer { chat: wanted.conversation, seconds, wait_s: SENT_WITHIN_S }).await?;
    Ok(Fragment::said(&web_talk::timer_set(seconds)))
}

async fn mute(State(shared): App, Wanted(wanted): Wanted<Seconds>) -> Answer {
    let seconds = wanted.read()?;
    shared.face.done::<Value>(What::Mute { chat: wanted.conversation, seconds }).await?;
    Ok(Fragment::said(if seconds == Some(0) { message::UNMUTED } else { message::MUTED }))
}

#[derive(Deserialize)]
struct Switched {
    conversation: String,
    on: YesOrNo,
}

async fn pin(State(shared): App, Wanted(Switched { conversation: chat, on }): Wanted<Switched>) -> Answer {
    let on = on == YesOrNo::Yes;
    shared.face.done::<Value>(What::Pin { chat, on }).await?;
    Ok(Fragment::said(if on { message::PINNED } else { message::UNPINNED }))
}

async fn put_away(State(shared): App, Wanted(Switched { conversation: chat, on }): Wanted<Switched>) -> Answer {
    let on = on == YesOrNo::Yes;
    shared.face.done::<Value>(What::Archive { chat, on }).await?;
    Ok(Fragment::said(if on { message::ARCHIVED } else { message::UNARCHIVED }))
}
