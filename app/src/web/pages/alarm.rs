//! What somebody has to see wherever he is: a reset that was announced, and what happened since he last looked (stories 4, 8,
//! 12).

use axum::extract::State;
use axum::routing::{get, post};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::frame::confirmed;
use super::text::with_commands;
use super::{App, Routes};
use crate::failure::Failure;
use crate::local::What;
use crate::local::rows::{Device, Notice, State as Own};
use crate::web::answer::{Answer, Fragment, Wanted};
use crate::web::server::Shared;
use crate::words::device;
use crate::words::web as common;
use crate::words::web_pages as words;

/// Notices that stand beside every page; the page of the devices has all.
const BESIDE: usize = 3;

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/part/alarm", get(alarm_part))
        .route("/part/notices", get(notices_part))
        .route("/do/veto", post(veto))
        .route("/do/notices-read", post(notices_read))
}

/// Above every page.
pub(super) fn above(own: &Own) -> Markup {
    html! { div id="alarm" role="alert" data-from="/part/alarm" data-on="account notices" { (alarm(own)) } }
}

/// Beside every page.
pub(super) async fn beside(shared: &Shared) -> Result<Markup, Failure> {
    let notices = notices(shared, BESIDE).await?;
    Ok(html! { div id="notices" data-from="/part/notices" data-on="notices devices" { (notices) } })
}

async fn alarm_part(State(shared): App) -> Answer {
    Ok(alarm(&confirmed(&shared).await?).into())
}

async fn notices_part(State(shared): App) -> Answer {
    confirmed(&shared).await?;
    Ok(notices(&shared, BESIDE).await?.into())
}

/// One step, and nothing is asked: whoever is right can ask for the reset again, whoever is wrong has lost his account.
fn alarm(own: &Own) -> Markup {
    html! {
        @if let Some(due) = words::reset_due(own) {
            form.alarm-bar data-do="/do/veto" {
                div { strong { (words::RESET_ASKED) } p { (due) } div data-answer {} }
                button type="submit" { (words::STOP_IT) }
            }
        }
    }
}

/// What stays until somebody says that he has seen it: the newest, up to so many.
pub(super) async fn notices(shared: &Shared, most: usize) -> Result<Markup, Failure> {
    let notices: Vec<Notice> = shared.face.list(What::Notices).await?;
    let devices: Vec<Device> = shared.face.list(What::Devices).await?;
    let up_to = notices.iter().map(|row| row.number).max();
    let left_out = notices.len().saturating_sub(most);
    Ok(html! {
        @if let Some(up_to) = up_to {
            form.notice data-do="/do/notices-read" {
                h2 { (words::NOTICES) }
                ul { @for row in notices.iter().skip(left_out) { li dir="auto" { (with_commands(&said(row, &devices))) } } }
                input type="hidden" name="up_to" value=(up_to);
                div.choices {
                    // what is not shown was not seen
                    @if left_out > 0 { a.button href="/devices" { (words::ALL_NOTICES) } }
                    @else { button type="submit" { (words::SEEN) } }
                }
                div data-answer role="alert" {}
            }
        }
    })
}

/// As a command says it, but for what is done on a page.
fn said(row: &Notice, devices: &[Device]) -> String {
    let said = if row.notice == "reset.requested" { words::reset_noticed(row) } else { device::notice(row, devices) };
    words::noticed(&said).to_owned()
}

#[derive(Deserialize)]
struct Nothing {}

async fn veto(State(shared): App, Wanted(Nothing {}): Wanted<Nothing>) -> Answer {
    shared.face.done::<Value>(What::Veto).await?;
    Ok(Fragment::said(words::STOPPED))
}

#[derive(Deserialize)]
struct UpTo {
    up_to: String,
}

async fn notices_read(State(shared): App, Wanted(UpTo { up_to }): Wanted<UpTo>) -> Answer {
    let malformed = |_| Failure::misuse("request.malformed", common::MALFORMED);
    shared.face.done::<Value>(What::NoticesRead { up_to: up_to.parse().map_err(malformed)? }).await?;
    Ok(Fragment::default())
}
