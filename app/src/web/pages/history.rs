//! Old messages: how far they have come here, and what was handed to other devices (story 6).

use axum::extract::State;
use axum::routing::{get, post};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::frame::confirmed;
use super::{App, Routes};
use crate::failure::Failure;
use crate::local::What;
use crate::local::rows::{Device, History};
use crate::web::answer::{Answer, Fragment, Wanted};
use crate::web::server::Shared;
use crate::words::web_pages as words;

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/part/history", get(part))
        .route("/part/progress", get(progress_part))
        .route("/do/fetch-history", post(fetch))
}

/// On the page of the devices.
pub(super) async fn section(shared: &Shared) -> Result<Markup, Failure> {
    let content = content(shared).await?;
    Ok(html! { div id="history" data-from="/part/history" data-on="history devices" { (content) } })
}

/// Beside every page, for as long as they come.
pub(super) async fn progress(shared: &Shared) -> Result<Markup, Failure> {
    let content = running(shared).await?;
    Ok(html! { div id="progress" data-from="/part/progress" data-on="history devices" { (content) } })
}

async fn part(State(shared): App) -> Answer {
    confirmed(&shared).await?;
    Ok(content(&shared).await?.into())
}

async fn progress_part(State(shared): App) -> Answer {
    confirmed(&shared).await?;
    Ok(running(&shared).await?.into())
}

async fn known(shared: &Shared) -> Result<(History, Vec<Device>), Failure> {
    Ok((shared.face.done(What::History).await?, shared.face.list(What::Devices).await?))
}

async fn content(shared: &Shared) -> Result<Markup, Failure> {
    let (row, devices) = known(shared).await?;
    let here = words::history(&row, &devices);
    if here.is_none() && row.handed.is_empty() {
        return Ok(html! {});
    }
    Ok(html! {
        section.card {
            h2 { (words::HISTORY) }
            @if let Some(here) = &here {
                (bar(&row))
                p dir="auto" { (here) }
                @if row.state == "running" {
                    form data-do="/do/fetch-history" {
                        button type="submit" { (words::FETCH_AGAIN) }
                        div data-answer role="alert" {}
                    }
                }
            }
            @if !row.handed.is_empty() {
                ul.small { @for it in &row.handed { li dir="auto" { (words::handed(&it.device, it.messages, &devices)) } } }
            }
        }
    })
}

async fn running(shared: &Shared) -> Result<Markup, Failure> {
    let (row, devices) = known(shared).await?;
    let sentence = words::history(&row, &devices).filter(|_| row.state == "running");
    Ok(html! {
        @if let Some(sentence) = sentence {
            a.progress href="/devices" { (bar(&row)) span dir="auto" { (sentence) } }
        }
    })
}

/// Without a total it moves and tells no share.
fn bar(row: &History) -> Markup {
    let share = (row.total > 0).then_some((row.messages.min(row.total), row.total));
    html! {
        @if row.state == "running" {
            @match share {
                Some((messages, total)) => progress value=(messages) max=(total) aria-label=(words::HISTORY) {},
                None => progress aria-label=(words::HISTORY) {},
            }
        }
    }
}

#[derive(Deserialize)]
struct Nothing {}

async fn fetch(State(shared): App, Wanted(Nothing {}): Wanted<Nothing>) -> Answer {
    shared.face.done::<Value>(What::FetchHistory).await?;
    Ok(Fragment::said(words::FETCHING))
}
