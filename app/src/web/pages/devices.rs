//! The devices of the account: those that are in it, those that wait, and what has happened to them (story 7, 9; lesson 19).

use axum::extract::State;
use axum::routing::{get, post};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::frame::{Page, confirmed, framed};
use super::text::with_commands;
use super::{App, Routes, alarm, history, popup};
use crate::failure::Failure;
use crate::local::What;
use crate::local::rows::{Device, State as Own};
use crate::web::answer::{Answer, Fragment, Wanted};
use crate::web::server::Shared;
use crate::words::web as words;
use crate::words::{device, time, web_pages, web_record};

pub(super) const PLACES: &[&str] = &["/devices"];

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/page/devices", get(page))
        .route("/part/devices", get(part))
        .route("/do/rename", post(rename))
        .route("/do/remove", post(remove))
        .route("/do/grant", post(grant))
}

async fn page(State(shared): App) -> Answer {
    let own = confirmed(&shared).await?;
    let list = list(&shared).await?;
    let history = history::section(&shared).await?;
    let main = html! {
        section.page {
            header.head { a.back href="/" aria-label=(words::BACK) { "‹" } h1 { (words::DEVICES) } }
            div.column {
                p.lead { (words::DEVICES_WHY) " " (words::SEEN_WHY) " " a href="/record" { (web_record::LINK) } }
                div id="devices" data-from="/part/devices" data-on="devices notices account contacts" { (list) }
                (history)
                (more(&own))
            }
        }
    };
    framed(&shared, &own, Page { title: words::DEVICES, at: "/devices", main }).await
}

async fn part(State(shared): App) -> Answer {
    confirmed(&shared).await?;
    Ok(list(&shared).await?.into())
}

async fn list(shared: &Shared) -> Result<Markup, Failure> {
    // what comes of it is shown when it is there
    shared.face.done::<Value>(What::WhoIsHere { wait_s: 0 }).await?;
    let rows: Vec<Device> = shared.face.list(What::Devices).await?;
    let notices = alarm::notices(shared, usize::MAX).await?;
    let of = |state: &'static str| rows.iter().filter(move |row| row.state == state);
    let removed = of("removed").count();
    Ok(html! {
        (notices)
        @for row in of("pending") {
            article.card.waiting {
                h2 { (words::WAITS) }
                p dir="auto" { (words::asks_to_join(row)) }
                (popup::form(row))
            }
        }
        ul.cards { @for row in of("confirmed") { li.card { (card(row, &rows)) } } }
        @if removed > 0 {
            details.removed id="removed" {
                summary { (words::removed_before(removed)) }
                ul { @for row in of("removed") { li dir="auto" { (device::name_of(&row.device, &rows)) ", " (words::added(&time(&row.added_at))) } } }
            }
        }
    })
}

fn card(row: &Device, all: &[Device]) -> Markup {
    let name = words::name(row);
    let id: String = row.device.chars().take(16).collect();
    html! {
        div.row {
            div {
                h2 dir="auto" { (name) @if row.this { " " span.tag { (words::THIS_ONE) } } }
                p.about dir="auto" { (words::how_it_came(row, all)) }
            }
        }
        details id={ "change-" (id) } {
            summary { (words::CHANGE) }
            form.inline data-do="/do/rename" {
                input type="hidden" name="device" value=(row.device);
                label for={ "name-" (id) } { (words::ITS_NAME) }
                input id={ "name-" (id) } name="name" type="text" maxlength="64" value=(row.name.as_deref().unwrap_or_default()) required dir="auto";
                button type="submit" { (words::RENAME) }
                div data-answer role="alert" {}
            }
            @if !row.this {
                form data-do="/do/grant" {
                    input type="hidden" name="device" value=(row.device);
                    button type="submit" { (words::SEND_HISTORY) }
                    div data-answer role="alert" {}
                }
                details.remove id={ "remove-" (id) } {
                    summary.danger { (words::REMOVE) }
                    form data-do="/do/remove" {
                        p { (words::remove_why(&name)) }
                        input type="hidden" name="device" value=(row.device);
                        button.danger type="submit" { (words::remove(&name)) }
                        div data-answer role="alert" {}
                    }
                }
            }
            p.small { (words::fingerprint_of(row)) " " (words::in_block(row.added_block)) }
        }
    }
}

/// What this device can do to be used elsewhere.
fn more(own: &Own) -> Markup {
    html! {
        section.more {
            h2 { (words::ADD_DEVICE) }
            p { (with_commands(&words::add_device(own.handle.as_deref().unwrap_or_default()))) }
            @if !own.recovery_key { p.small { (web_pages::NO_KEY_YET) " " a href="/recovery" { (web_pages::OFFER_LINK) } } }
        }
    }
}

#[derive(Deserialize)]
struct Rename {
    device: String,
    name: String,
}

async fn rename(State(shared): App, Wanted(Rename { device, name }): Wanted<Rename>) -> Answer {
    shared.face.done::<Value>(What::NameDevice { device, name: name.clone() }).await?;
    Ok(Fragment::said(&device::renamed(&name)))
}

#[derive(Deserialize)]
struct Asked {
    device: String,
}

async fn remove(State(shared): App, Wanted(Asked { device }): Wanted<Asked>) -> Answer {
    shared.face.done::<Value>(What::Remove { device }).await?;
    Ok(Fragment::said(device::REMOVED))
}

async fn grant(State(shared): App, Wanted(Asked { device }): Wanted<Asked>) -> Answer {
    shared.face.done::<Value>(What::GrantHistory { device }).await?;
    Ok(Fragment::said(crate::words::history::GRANTED))
}
