//! What stands around every page of a confirmed device: who one is, the conversations with what is unread in them, requests,
//! and where else one can go.

use axum::extract::{Query, State};
use axum::routing::get;
use client::query::{MessageState, Phase};
use maud::{Markup, html};
use serde::Deserialize;

use super::message::shortened;
use super::text::with_commands;
use super::{App, Routes, alarm, history, icons, pictures};
use crate::failure::Failure;
use crate::local::What;
use crate::local::rows::{Conversation, KeyState, Message, OPEN, REQUEST, State as Own};
use crate::web::answer::{Answer, Instead};
use crate::web::server::Shared;
use crate::words::web as words;
use crate::words::{self as common, one_line, web_pages, web_talk};

/// The list alone, where there is room for no more.
pub(super) const PLACES: &[&str] = &["/"];

pub(super) fn routes() -> Routes {
    Routes::new().route("/page/", get(page)).route("/part/side", get(part))
}

/// A page of a confirmed device.
pub(super) struct Page<'a> {
    /// In the browser's title.
    pub(super) title: &'a str,
    /// The place that the list marks as where one is.
    pub(super) at: &'a str,
    pub(super) main: Markup,
}

/// The state of a device that is confirmed; whoever is not goes where he can do something about it.
pub(super) async fn confirmed(shared: &Shared) -> Result<Own, Instead> {
    let hello: crate::local::rows::Hello = shared.face.done(What::Hello).await?;
    match hello.key {
        KeyState::None => return Err(Instead::Go("/welcome")),
        KeyState::Locked | KeyState::Missing => return Err(Instead::Go("/unlock")),
        KeyState::Open => (),
    }
    let state: Own = shared.face.done(What::Status).await?;
    match state.phase {
        Phase::New => Err(Instead::Go("/welcome")),
        Phase::Ended => Err(Instead::Go("/login")),
        Phase::Joining | Phase::Pending | Phase::Resetting => Err(Instead::Go("/waiting")),
        Phase::Confirmed => Ok(state),
    }
}

/// The page with all that stands around it.
pub(super) async fn framed(shared: &Shared, own: &Own, page: Page<'_>) -> Answer {
    let side = side(shared, own, page.at).await?;
    let (notices, progress) = (alarm::beside(shared).await?, history::progress(shared).await?);
    let handle = own.handle.as_deref().map(one_line).unwrap_or_default();
    let piece = html! {
        (alarm::above(own))
        div.frame data-title=(page.title) data-view=(if page.at == "/" { "list" } else { "main" }) {
            nav.side aria-label=(words::PLACES) {
                header {
                    a.me href="/devices" { bdi { (handle) } }
                    (tool("/search", web_talk::SEARCH, icons::SEARCH, page.at))
                    (tool("/new", web_talk::NEW, icons::NEW, page.at))
                    button.quiet type="button" data-lock title=(words::LOCK_WHY) { (words::LOCK) }
                }
                (progress)
                @if page.at != "/devices" { (notices) }
                div id="side" data-from={ "/part/side?at=" (page.at) } data-on="conversations messages contacts connection account" {
                    (side)
                }
                ul.places {
                    @for (place, name) in words::PLACES_OF_FRAME {
                        li { a href=(place) aria-current=[(page.at == place).then_some("page")] { (name) } }
                    }
                }
            }
            main id="main" tabindex="-1" { (page.main) }
        }
    };
    Ok(piece.into())
}

/// A drawing that leads somewhere.
fn tool(place: &str, name: &str, icon: icons::Icon, at: &str) -> Markup {
    html! {
        a.tool href=(place) aria-label=(name) title=(name) aria-current=[(at == place).then_some("page")] { (icons::drawn(icon)) }
    }
}

#[derive(Deserialize)]
struct At {
    at: String,
}

async fn part(State(shared): App, Query(At { at }): Query<At>) -> Answer {
    let own = confirmed(&shared).await?;
    Ok(side(&shared, &own, &at).await?.into())
}

async fn page(State(shared): App) -> Answer {
    let own = confirmed(&shared).await?;
    let main = html! {
        div.empty {
            img src="/assets/icon.svg" alt="" width="64" height="64";
            p { (words::NOTHING_CHOSEN) }
        }
    };
    framed(&shared, &own, Page { title: words::CONVERSATIONS, at: "/", main }).await
}

async fn side(shared: &Shared, own: &Own, at: &str) -> Result<Markup, Failure> {
    let rows: Vec<Conversation> = shared.face.list(What::Conversations).await?;
    let (open, others): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.standing == OPEN);
    let requests: Vec<_> = others.into_iter().filter(|row| row.standing == REQUEST).collect();
    let (away, open): (Vec<_>, Vec<_>) = open.into_iter().partition(|row| row.archived);
    // what is silent calls nobody
    let unread =
        open.iter().filter(|row| !web_talk::is_silent(row)).fold(0_u64, |sum, row| sum.saturating_add(row.unread));
    let today = words::today();
    Ok(html! {
        div.rows data-unread=(unread) {
            @if let Some(sentence) = trouble(own) { p.notice { (with_commands(&sentence)) } }
            h2.hidden { (words::CONVERSATIONS) }
            @if open.is_empty() && away.is_empty() && requests.is_empty() {
                div.none {
                    p { (words::NO_CONVERSATIONS) }
                    a.button href="/contacts" { (words::ADD_SOMEBODY) }
                    // once, early, and gone with the first conversation
                    @if !own.recovery_key { p.small { (web_pages::OFFER) " " a href="/recovery" { (web_pages::OFFER_LINK) } } }
                }
            }
            ul { @for row in &open { (entry(row, own, at, &today)) } }
            @if !requests.is_empty() {
                h2 { (words::REQUESTS) " " span.count { (requests.len()) } }
                ul { @for row in &requests { (entry(row, own, at, &today)) } }
            }
            @if !away.is_empty() {
                details.away id="away" {
                    summary { (web_talk::put_away(away.len())) }
                    ul { @for row in &away { (entry(row, own, at, &today)) } }
                }
            }
        }
    })
}

/// What somebody has to know wherever he is.
fn trouble(own: &Own) -> Option<String> {
    if own.cloned {
        return Some(words::CLONED.to_owned());
    }
    let since = own.offline_since.as_deref()?;
    Some(if own.waiting > 0 { common::offline(Some(since), own.waiting) } else { words::offline(since) })
}

fn entry(row: &Conversation, own: &Own, at: &str, today: &str) -> Markup {
    let place = format!("/c/{}", row.conversation);
    let name = words::title(row);
    let shown_unread = row.unread > 0 && at != place;
    html! {
        li {
            a.entry href=(place) aria-current=[(at == place).then_some("page")] {
                (portrait(row))
                span.name { bdi { (name) } (marks(row)) }
                @if let Some(newest) = &row.newest_at { time.when datetime=(newest) { (words::shortly(newest, today)) } }
                span.about { (about(row, own)) }
                @if shown_unread && row.mentioned {
                    span.count.at title=(web_talk::MENTIONED) { "@" span.hidden { (web_talk::MENTIONED) ", " (row.unread) " " (words::UNREAD) } }
                } @else if shown_unread {
                    span.count.quiet[web_talk::is_silent(row)] { (row.unread) span.hidden { " " (words::UNREAD) } }
                }
            }
        }
    }
}

/// What is going on there: who types, what was begun, or what was said last. Nobody is shown what a stranger says before he looks.
fn about(row: &Conversation, own: &Own) -> Markup {
    let last = row.newest.as_ref().filter(|_| !row.left);
    match (&row.draft, last) {
        _ if row.standing == REQUEST => html! { (words::asks(row.pair)) },
        _ if !row.typing.is_empty() => html! { (words::about(row)) },
        (Some(draft), _) => html! { (words::BEGUN) bdi { (shortened(draft)) } },
        (None, Some(newest)) => last_said(newest, row, own),
        (None, None) => html! { (words::about(row)) },
    }
}

fn last_said(newest: &Message, row: &Conversation, own: &Own) -> Markup {
    let is_own = own.account.as_deref() == Some(newest.account.as_str());
    if let Some(line) = web_talk::line(newest, is_own) {
        return html! { bdi { (line) } };
    }
    let said = match &newest.file {
        _ if newest.state == MessageState::Unreadable => words::COULD_NOT_BE_READ.to_owned(),
        _ if newest.deleted => web_talk::TAKEN_BACK.to_owned(),
        Some(file) => shortened(&pictures::said(&newest.said(), file)),
        None => shortened(&newest.said()),
    };
    let is_failed = newest.state == MessageState::Failed;
    html! {
        @if is_own && is_failed { (words::YOURS_FAILED) } @else if is_own && !row.own { (words::YOURS) }
        @if !is_own && !row.pair { bdi { (one_line(&newest.from)) } ": " }
        bdi { (said) }
    }
}

/// How it is kept.
fn marks(row: &Conversation) -> Markup {
    let mark = |icon, name: &str| html! { span.kept title=(name) { (icons::drawn(icon)) span.hidden { ", " (name) } } };
    html! {
        @if row.pinned { (mark(icons::PIN, web_talk::PINNED)) }
        @if web_talk::is_silent(row) { (mark(icons::SILENT, web_talk::SILENT)) }
    }
}

/// The picture of a conversation, behind its mark until it is there; or that alone.
pub(super) fn portrait(row: &Conversation) -> Markup {
    let name = words::title(row);
    let (letter, hue) = mark(&name);
    let place = row.picture.as_ref().map(|picture| format!("/portrait/{}/{picture}", row.conversation));
    match place {
        None => avatar(&name),
        Some(place) => html! {
            span class={ "avatar hue-" (hue) } aria-hidden="true" data-picture=(place) data-now data-small { (letter) }
        },
    }
}

/// A round mark with a letter, in one of a few colours, so that the eye finds a name again.
pub(super) fn avatar(name: &str) -> Markup {
    let (letter, hue) = mark(name);
    html! { span class={ "avatar hue-" (hue) } aria-hidden="true" { (letter) } }
}

fn mark(name: &str) -> (String, u8) {
    let letter = name.chars().find(|letter| letter.is_alphanumeric()).unwrap_or('?').to_uppercase().collect();
    (letter, name.bytes().fold(0_u8, u8::wrapping_add) % 6)
}
