//! All devices are lost: a fresh identity for a handle is asked for, with the password or with a permit of the service's operator
//! (story 12). What is asked for is announced, and waits; the wait is on the page of a device that waits ([`super::joining`]).

use axum::extract::State;
use axum::routing::{get, post};
use client::query::Phase;
use maud::{Markup, html};
use serde::Deserialize;

use super::joining::{Fields, alone, handle_field, hello, name_field, passphrase_field};
use super::{App, Routes};
use crate::failure::{Failure, Kind};
use crate::local::What;
use crate::local::rows::{KeyState, ResetAnnounced, State as Own};
use crate::secret::check_strength;
use crate::web::answer::{Answer, Fragment, Wanted};
use crate::web::server::Shared;
use crate::words::{web, web_reset as words};

pub(super) const PLACES: &[&str] = &["/reset"];

pub(super) fn routes() -> Routes {
    Routes::new().route("/page/reset", get(page)).route("/do/reset", post(reset))
}

async fn page(State(shared): App) -> Answer {
    let own = match hello(&shared).await? {
        KeyState::None => None,
        KeyState::Locked | KeyState::Missing => return Ok(Fragment::go("/unlock")),
        KeyState::Open => Some(shared.face.done::<Own>(What::Status).await?),
    };
    match own.as_ref().map(|own| own.phase) {
        Some(Phase::Confirmed) => return Ok(Fragment::go("/")),
        Some(Phase::Joining | Phase::Resetting) => return Ok(Fragment::go("/waiting")),
        None | Some(Phase::New | Phase::Pending | Phase::Ended) => (),
    }
    let waiting = own.filter(|own| own.phase == Phase::Pending);
    let back = if waiting.is_some() { "/waiting" } else { "/login" };
    let main = html! {
        h1 { (words::TITLE) }
        p.lead { (words::WHY) }
        ul.means { @for line in words::WHAT { li { (line) } } }
        @if waiting.as_ref().is_some_and(|own| own.recovery_key) { p.notice { (words::HAS_KEY) } }
        (form(&shared, waiting.as_ref()).await?)
        p.other { a href=(back) { (web::BACK) } }
    };
    Ok(alone(words::TITLE, &main))
}

async fn form(shared: &Shared, waiting: Option<&Own>) -> Result<Markup, Failure> {
    let needs_key = hello(shared).await? == KeyState::None;
    Ok(html! {
        form.fields data-do="/do/reset" {
            (handle_field(shared, waiting, false))
            label for="password" { (web::PASSWORD) }
            input id="password" name="password" type="password" required autocomplete="current-password";
            details {
                summary { (words::NO_PASSWORD) }
                p.small { (words::NO_PASSWORD_HOW) }
                label for="permit" { (words::PERMIT) }
                input id="permit" name="permit" type="text" autocomplete="off" autocapitalize="none" spellcheck="false";
            }
            (name_field(waiting.and_then(|own| own.device_name.clone())))
            @if needs_key { (passphrase_field()) }
            label.check { input type="checkbox" name="lost" value="true" required; " " (words::ALL_LOST) }
            button.danger type="submit" { (words::LINK) }
            div data-answer role="alert" {}
        }
    })
}

#[derive(Deserialize)]
struct Lost {
    #[serde(flatten)]
    fields: Fields,
    #[serde(default)]
    permit: String,
    #[serde(default)]
    lost: String,
}

async fn reset(State(shared): App, Wanted(Lost { fields, permit, lost }): Wanted<Lost>) -> Answer {
    if lost.is_empty() {
        return Err(Failure::new(Kind::Refused, "reset.not_meant", words::NOT_MEANT).into());
    }
    let permit = Some(permit.trim().to_owned()).filter(|it| !it.is_empty());
    if let Some(permit) = &permit {
        // a typo is noticed before anything is given up
        crate::link::permit(permit)?;
        check_strength(&fields.password)?;
    }
    let join = fields.join(&shared, None).await?;
    let what = match permit {
        Some(permit) => What::ResetWithPermit { join, permit },
        None => What::Reset(join),
    };
    shared.face.done::<ResetAnnounced>(what).await?;
    Ok(Fragment::go("/waiting"))
}
