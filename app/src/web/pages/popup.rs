//! Another device wants to be let in: on whatever page somebody is (story 4).

use axum::extract::State;
use axum::routing::{get, post};
use client::query::Phase;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::{App, Routes};
use crate::link::refuse_as_code;
use crate::local::What;
use crate::local::rows::{Device, State as Own};
use crate::web::answer::{Answer, Fragment, Wanted};
use crate::words::web as words;
use crate::words::{device, time};

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/part/popup", get(part))
        .route("/do/look", post(look))
        .route("/do/confirm", post(confirm))
        .route("/do/refuse", post(refuse))
}

/// The popup, if somebody waits; nothing otherwise.
async fn part(State(shared): App) -> Answer {
    // who is locked out, or waits himself, lets nobody in
    let Ok(own) = shared.face.done::<Own>(What::Status).await else { return Ok(Fragment::default()) };
    if own.phase != Phase::Confirmed {
        return Ok(Fragment::default());
    }
    let rows: Vec<Device> = shared.face.list(What::Devices).await?;
    let waiting = rows.iter().find(|row| row.state == "pending");
    Ok(waiting.map_or_else(Fragment::default, |row| popup(row).into()))
}

fn popup(row: &Device) -> Markup {
    html! {
        section.popup role="dialog" aria-labelledby="popup-title" aria-describedby="popup-why" data-popup=(row.device) {
            h2 id="popup-title" { (words::ASKS_TO_JOIN) }
            p id="popup-why" dir="auto" { (words::asks_to_join(row)) }
            (form(row))
            button.later.quiet type="button" data-later=(row.device) title=(words::LATER_WHY) { (words::LATER) }
        }
    }
}

/// The field for the digits, and the two ways to answer; neither is preset.
pub(super) fn form(row: &Device) -> Markup {
    let id = format!("digits-{}", row.device);
    html! {
        form.confirm data-do="/do/confirm" data-look=(row.device) {
            input type="hidden" name="device" value=(row.device);
            label for=(id) { (words::SIX_DIGITS) }
            input.digits id=(id) name="code" type="text" inputmode="numeric" autocomplete="off" maxlength="7"
                placeholder="000 000" aria-describedby={ "only-" (row.device) } required;
            p.small id={ "only-" (row.device) } { (device::ONLY_IN_FRONT_OF_YOU) }
            div data-answer role="alert" {}
            div.choices {
                button.main type="submit" name="history" value="yes" { (words::CONFIRM_WITH) }
                button type="submit" name="history" value="no" { (words::CONFIRM_WITHOUT) }
                button.danger type="submit" formnovalidate data-do="/do/refuse" { (words::NOT_ME) }
            }
            details id={ "about-" (row.device) } {
                summary { (words::DETAILS) }
                p.small { (words::fingerprint_of(row)) " " (words::asked_at(&time(&row.added_at), row.added_block)) }
            }
        }
    }
}

#[derive(Deserialize)]
struct Asked {
    device: String,
}

/// Somebody looks at the request: the new device shows its digits, if it did not yet.
async fn look(State(shared): App, Wanted(Asked { device }): Wanted<Asked>) -> Answer {
    match shared.face.done::<Value>(What::OpenRequest { device, wait_s: 0 }).await {
        // it will
        Err(failure) if failure.code != "confirm.not_shown" => Err(failure.into()),
        _ => Ok(Fragment::default()),
    }
}

#[derive(Deserialize)]
struct Confirm {
    device: String,
    code: String,
    history: Which,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Which {
    Yes,
    No,
}

async fn confirm(State(shared): App, Wanted(Confirm { device, code, history }): Wanted<Confirm>) -> Answer {
    refuse_as_code(&code)?;
    let code = code.chars().filter(|letter| !letter.is_whitespace()).collect();
    let history = history == Which::Yes;
    let confirmed = shared.face.done::<Value>(What::Confirm { device: device.clone(), code, history }).await;
    if confirmed.as_ref().is_err_and(|failure| failure.code == "confirm.code_mismatch") {
        // the next try has other digits; if there is none, the sentence of this one says so
        let next = shared.face.done::<Value>(What::OpenRequest { device: device.clone(), wait_s: 0 }).await;
        next.map(drop).unwrap_or_default();
    }
    confirmed?;
    // by now it may have told what it is called
    let rows: Vec<Device> = shared.face.list(What::Devices).await?;
    let row = rows.into_iter().find(|row| row.device == device);
    Ok(Fragment::said(&device::confirmed(row.as_ref())))
}

async fn refuse(State(shared): App, Wanted(Asked { device }): Wanted<Asked>) -> Answer {
    shared.face.done::<Value>(What::Refuse { device }).await?;
    Ok(Fragment::said(words::REFUSED))
}
