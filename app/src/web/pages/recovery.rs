//! The recovery key: made in two steps, so that nobody relies on words that are not on his paper; and dropped (story 11).
//!
//! The words of a key that is being made are in memory only, for a few minutes, and are sent to the page that asks. Nothing is
//! in the record before two of them were typed.

use std::time::{Duration, Instant};

use axum::extract::State;
use axum::routing::{get, post};
use chain::id::PublicKey;
use maud::{Markup, html};
use protocol::recovery::{RANDOM, RecoveryKey, WORDS};
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::frame::{Page, confirmed, framed};
use super::{App, Routes};
use crate::failure::{Failure, Kind};
use crate::local::What;
use crate::web::answer::{Answer, Wanted};
use crate::words::web as common;
use crate::words::web_pages as words;

pub(super) const PLACES: &[&str] = &["/recovery"];

/// How long words wait to be written down.
const LASTS: Duration = Duration::from_secs(15 * 60);
/// Answers of these routes go here.
const INTO: &str = "#recovery";

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/page/recovery", get(page))
        .route("/do/recovery-make", post(make))
        .route("/do/recovery-show", post(show))
        .route("/do/recovery-ask", post(ask))
        .route("/do/recovery-set", post(set))
        .route("/do/recovery-drop", post(drop_key))
}

/// A key that is being made.
#[derive(Debug)]
pub(in crate::web) struct Making {
    key: RecoveryKey,
    since: Instant,
    /// Places of the two words that are asked for, from 1, ascending.
    asked: [usize; 2],
}

impl Making {
    fn begin(now: Instant) -> Result<Self, Failure> {
        let mut random = Zeroizing::new([0; RANDOM]);
        getrandom::fill(random.as_mut_slice()).map_err(Failure::broken)?;
        let mut places = [0; 2];
        getrandom::fill(&mut places).map_err(Failure::broken)?;
        Ok(Self { key: RecoveryKey::new(&random), since: now, asked: asked(places) })
    }

    /// The first place whose word is another one.
    fn wrong(&self, typed: [&str; 2]) -> Option<usize> {
        let is_right = |place: usize, typed: &str| {
            let word = self.key.words().nth(place - 1);
            word.is_some_and(|word| word == typed.trim().to_lowercase())
        };
        self.asked.into_iter().zip(typed).find(|(place, typed)| !is_right(*place, typed)).map(|(place, _)| place)
    }
}

/// Two places of words out of two random bytes: one in each half of the paper.
fn asked([first, second]: [u8; 2]) -> [usize; 2] {
    let half = WORDS / 2;
    [1 + usize::from(first) % half, 1 + half + usize::from(second) % half]
}

/// What is shown of a key that is being made, unless it was put away.
fn of_making(shared: &App, shown: impl FnOnce(&Making) -> Markup) -> Answer {
    let mut making = shared.making();
    if making.as_ref().is_some_and(|it| it.since.elapsed() > LASTS) {
        *making = None;
    }
    let gone = || Failure::new(Kind::Refused, "recovery.gone", words::NO_LONGER_THERE);
    Ok(shown(making.as_ref().ok_or_else(gone)?).into())
}

async fn page(State(shared): App) -> Answer {
    let own = confirmed(&shared).await?;
    let main = html! {
        section.page {
            header.head { a.back.always href="/settings" aria-label=(common::BACK) { "‹" } h1 { (words::RECOVERY) } }
            div.column id="recovery" { (state(own.recovery_key)) }
        }
    };
    framed(&shared, &own, Page { title: words::RECOVERY, at: "/settings", main }).await
}

fn state(has_key: bool) -> Markup {
    html! {
        p.lead { (words::RECOVERY_WHY) }
        section.card {
            h2 { (if has_key { words::HAS_KEY } else { words::HAS_NO_KEY }) }
            @if has_key {
                p { (words::HAS_KEY_WHY) }
                details {
                    summary { (words::MAKE_ANOTHER) "…" }
                    p { (words::MAKE_ANOTHER_WHY) }
                    (step("/do/recovery-make", words::MAKE_ANOTHER, "main"))
                }
                details {
                    summary.danger { (words::DROP) "…" }
                    p { (words::DROP_WHY) }
                    (step("/do/recovery-drop", words::DROP_DONE, "danger"))
                }
            } @else {
                (step("/do/recovery-make", words::MAKE, "main"))
            }
        }
    }
}

/// A button that leads on, in the same place.
fn step(to: &str, label: &str, class: &str) -> Markup {
    html! {
        form data-do=(to) data-into=(INTO) {
            button class=(class) type="submit" { (label) }
            div data-answer role="alert" {}
        }
    }
}

#[derive(Deserialize)]
struct Nothing {}

async fn make(State(shared): App, Wanted(Nothing {}): Wanted<Nothing>) -> Answer {
    confirmed(&shared).await?;
    *shared.making() = Some(Making::begin(Instant::now())?);
    of_making(&State(shared), words_of)
}

async fn show(State(shared): App, Wanted(Nothing {}): Wanted<Nothing>) -> Answer {
    of_making(&State(shared), words_of)
}

fn words_of(making: &Making) -> Markup {
    html! {
        section.card {
            h2 { (words::WRITE_DOWN) }
            ol.words translate="no" { @for word in making.key.words() { li { (word) } } }
            p.small { (words::WRITE_DOWN_WHY) }
            div.choices { (step("/do/recovery-ask", words::WRITTEN, "main")) }
        }
    }
}

async fn ask(State(shared): App, Wanted(Nothing {}): Wanted<Nothing>) -> Answer {
    of_making(&State(shared), |making| {
        let [first, second] = making.asked;
        html! {
            section.card {
                form.stack data-do="/do/recovery-set" data-into=(INTO) {
                    h2 { (words::CHECK) }
                    p { (words::CHECK_WHY) }
                    div.two {
                        (word_field("first", first))
                        (word_field("second", second))
                    }
                    button.main type="submit" { (words::CHECK_DONE) }
                    div data-answer role="alert" {}
                }
                (step("/do/recovery-show", words::SHOW_AGAIN, "quiet"))
            }
        }
    })
}

fn word_field(name: &str, place: usize) -> Markup {
    html! {
        div {
            label for=(name) { (words::word_number(place)) }
            input id=(name) name=(name) type="text" autocomplete="off" autocapitalize="none" spellcheck="false" required;
        }
    }
}

#[derive(Deserialize)]
struct Typed {
    first: String,
    second: String,
}

async fn set(State(shared): App, Wanted(Typed { first, second }): Wanted<Typed>) -> Answer {
    let (first, second) = (Zeroizing::new(first), Zeroizing::new(second));
    let mut wrong = None;
    let mut public = None;
    of_making(&State(shared.clone()), |making| {
        wrong = making.wrong([&first, &second]);
        public = Some(PublicKey::from(&making.key.signing_key()).to_string());
        html! {}
    })?;
    if let Some(place) = wrong {
        return Err(Failure::new(Kind::Refused, "recovery.other_word", words::other_word(place)).into());
    }
    shared.face.done::<Value>(What::SetRecoveryKey { key: public }).await?;
    *shared.making() = None;
    Ok(html! {
        section.verdict { h2 { (words::KEY_IN_PLACE) } p { (words::KEY_IN_PLACE_WHY) } }
        (state(true))
    }
    .into())
}

async fn drop_key(State(shared): App, Wanted(Nothing {}): Wanted<Nothing>) -> Answer {
    shared.face.done::<Value>(What::SetRecoveryKey { key: None }).await?;
    Ok(html! { p.notice { (crate::words::recovery::DROPPED) } (state(false)) }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word_of_each_half_of_the_paper_is_asked_for() {
        for byte in 0..=u8::MAX {
            let [first, second] = asked([byte, byte]);
            assert!((1..=12).contains(&first) && (13..=24).contains(&second), "{first} {second}");
        }
    }

    #[test]
    fn a_wrong_word_is_named_by_its_place() {
        let making = Making::begin(Instant::now()).unwrap();
        let right = making.asked.map(|place| making.key.words().nth(place - 1).unwrap());
        assert_eq!(making.wrong(right), None);
        assert_eq!(making.wrong([&right[0].to_uppercase(), &format!(" {} ", right[1])]), None, "as people type");
        assert_eq!(making.wrong([right[0], "xyzzy"]), Some(making.asked[1]));
        assert_eq!(making.wrong(["", ""]), Some(making.asked[0]));
    }
}
