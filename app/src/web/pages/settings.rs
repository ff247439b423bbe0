//! What can be chosen: password, how long a reset waits, when these pages lock; and the way out (stories 10, 12, 20).

use axum::extract::State;
use axum::routing::{get, post};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::frame::{Page, confirmed, framed};
use super::saying::{YesOrNo, yes_or_no};
use super::text::with_commands;
use super::{App, Routes};
use crate::commands::logout;
use crate::failure::Failure;
use crate::local::record::RecordProof;
use crate::local::rows::{Device, Hello, Notifying, Receipts, State as Own};
use crate::local::{ReceiptKind, Telling, What};
use crate::secret::check_strength;
use crate::web::answer::{Answer, Fragment, Wanted};
use crate::words::web as common;
use crate::words::web_pages as words;
use crate::words::{account, device};

pub(super) const PLACES: &[&str] = &["/settings"];

/// Stands for a reset that is never allowed.
const NEVER: &str = "never";

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/page/settings", get(page))
        .route("/do/password", post(set_password))
        .route("/part/receipts", get(part_receipts))
        .route("/do/receipts", post(set_receipts))
        .route("/do/reset-wait", post(set_reset_wait))
        .route("/do/notifications", post(set_notifications))
        .route("/do/lock-after", post(lock_after))
        .route("/do/sign-out", post(sign_out))
}

async fn page(State(shared): App) -> Answer {
    let own = confirmed(&shared).await?;
    let hello: Hello = shared.face.done(What::Hello).await?;
    let (_, proof) = shared.face.told::<Value, RecordProof>(What::Record { handle: None }).await;
    let devices: Vec<Device> = shared.face.list(What::Devices).await?;
    let notifying: Notifying = shared.face.done(What::Notifications { show: None }).await?;
    let main = html! {
        section.page {
            header.head { a.back href="/" aria-label=(common::BACK) { "‹" } h1 { (words::SETTINGS) } }
            div.column {
                (password())
                (reset_wait(proof?.reset_wait_hours))
                section.card id="receipts" data-from="/part/receipts" data-on="account contacts" { (receipts(own.receipts)) }
                (notifications(notifying))
                (locking(shared.sessions().locks_after_min()))
                section.card {
                    h2 { (words::STORED) }
                    p { (if hello.wrapped { words::WITH_PASSPHRASE } else { words::WITHOUT_PASSPHRASE }) }
                }
                ul.card.links {
                    @for (place, name, why) in words::MORE_LINKS {
                        li { a href=(place) { strong { (name) } span { (why) } } }
                    }
                }
                (way_out(&own, &devices))
            }
        }
    };
    framed(&shared, &own, Page { title: words::SETTINGS, at: "/settings", main }).await
}

fn password() -> Markup {
    html! {
        form.card.stack data-do="/do/password" {
            h2 { (words::PASSWORD) }
            p { (words::PASSWORD_WHY) }
            div.two {
                div {
                    label for="password" { (words::NEW_PASSWORD) }
                    input id="password" name="password" type="password" autocomplete="new-password" minlength="8" required aria-describedby="password-how";
                }
                div {
                    label for="again" { (words::ONCE_MORE) }
                    input id="again" name="again" type="password" autocomplete="new-password" minlength="8" required;
                }
            }
            p.small id="password-how" { (common::PASSWORD_HOW) }
            button.main type="submit" { (words::CHANGE_PASSWORD) }
            div data-answer role="alert" {}
        }
    }
}

fn reset_wait(hours: Option<u64>) -> Markup {
    let now = hours.map(|hours| hours.to_string());
    html! {
        section.card {
            form data-do="/do/reset-wait" {
                h2 { (words::RESET) }
                p { (words::RESET_WHY) }
                @if hours.is_none() { p { (words::IS_NEVER) } }
                (choice("hours", &words::WAITS, now.as_deref(), words::RESET))
                button type="submit" { (words::SET_WAIT) }
                div data-answer role="alert" {}
            }
            @if hours.is_some() {
                details {
                    summary { (words::NEVER) "…" }
                    form data-do="/do/reset-wait" {
                        p { (words::NEVER_WHY) }
                        input type="hidden" name="hours" value=(NEVER);
                        button.danger type="submit" { (words::NEVER) }
                        div data-answer role="alert" {}
                    }
                }
            }
        }
    }
}

async fn part_receipts(State(shared): App) -> Answer {
    let own = confirmed(&shared).await?;
    Ok(receipts(own.receipts).into())
}

fn receipts(now: Receipts) -> Markup {
    html! {
        h2 { (words::RECEIPTS) }
        p { (words::RECEIPTS_WHY) }
        @for line in account::receipts(now) { p.small { (line) } }
        div.choices {
            (receipt("delivered", now.delivered, words::TELL_DELIVERED))
            (receipt("read", now.read, words::TELL_READ))
            (receipt("typing", now.typing, words::TELL_TYPING))
        }
    }
}

/// A button that turns one kind on, or off.
fn receipt(name: &str, is_on: bool, [on, off]: [&str; 2]) -> Markup {
    html! {
        form data-do="/do/receipts" {
            input type="hidden" name="receipt" value=(name);
            button type="submit" name="on" value=(yes_or_no(!is_on)) { (if is_on { off } else { on }) }
            div data-answer role="alert" {}
        }
    }
}

fn notifications(row: Notifying) -> Markup {
    html! {
        form.card data-do="/do/notifications" {
            h2 { (words::NOTIFICATIONS) }
            p { (words::NOTIFICATIONS_WHY) }
            (choice("show", &words::TELLINGS, Some(words::telling(row.notifications)), words::NOTIFICATIONS))
            button type="submit" { (words::SET_WAIT) }
            @if !row.shown { p.small { (device::NO_DESKTOP) } }
            div data-answer role="alert" {}
        }
    }
}

fn locking(minutes: u64) -> Markup {
    html! {
        form.card data-do="/do/lock-after" {
            h2 { (words::LOCKING) }
            p { (words::LOCK_AFTER) }
            (choice("minutes", &words::MINUTES, Some(&minutes.to_string()), words::LOCK_AFTER))
            div.choices.close {
                button type="submit" { (words::SET_WAIT) }
                button type="button" data-lock { (words::LOCK_NOW) }
            }
            p.small { (with_commands(words::LOCK_HOW)) }
            div data-answer role="alert" {}
        }
    }
}

/// One of a few, side by side.
fn choice(name: &str, all: &[(&str, &str)], now: Option<&str>, label: &str) -> Markup {
    html! {
        div.pick role="radiogroup" aria-label=(label) {
            @for (value, said) in all {
                label { input type="radio" name=(name) value=(value) checked[now == Some(*value)] required; span { (said) } }
            }
        }
    }
}

/// Out, with what that costs; the last device without a recovery key stays.
fn way_out(own: &Own, devices: &[Device]) -> Markup {
    html! {
        section.card {
            h2 { (words::SIGN_OUT) }
            @match logout::leaving(own, devices) {
                Ok(leaving) => {
                    p { (leaving.warning) }
                    details {
                        summary.danger { (words::SIGN_OUT_HERE) "…" }
                        form data-do="/do/sign-out" {
                            button.danger type="submit" { (words::SIGN_OUT_DONE) }
                            div data-answer role="alert" {}
                        }
                    }
                }
                Err(failure) => {
                    p { (common::failure(&failure)) }
                    a.button href="/recovery" { (words::CHOOSE_KEY_FIRST) }
                }
            }
        }
    }
}

#[derive(Deserialize)]
struct Password {
    password: String,
    again: String,
}

async fn set_password(State(shared): App, Wanted(Password { password, again }): Wanted<Password>) -> Answer {
    if password != again {
        return Err(Failure::misuse("password.differs", words::NOT_THE_SAME).into());
    }
    check_strength(&password)?;
    shared.face.done::<Value>(What::SetPassword { password }).await?;
    Ok(Fragment::said(device::PASSWORD_CHANGED))
}

#[derive(Deserialize)]
struct Wait {
    hours: String,
}

async fn set_reset_wait(State(shared): App, Wanted(Wait { hours }): Wanted<Wait>) -> Answer {
    let malformed = |_| Failure::misuse("request.malformed", common::MALFORMED);
    let hours = if hours == NEVER { None } else { Some(hours.parse().map_err(malformed)?) };
    shared.face.done::<Value>(What::SetResetWait { hours }).await?;
    Ok(Fragment::said(&words::wait_set(hours)))
}

#[derive(Deserialize)]
struct Told {
    receipt: ReceiptKind,
    on: YesOrNo,
}

async fn set_receipts(State(shared): App, Wanted(Told { receipt, on }): Wanted<Told>) -> Answer {
    let on = on == YesOrNo::Yes;
    shared.face.done::<Value>(What::SetReceipts { receipt, on }).await?;
    Ok(Fragment::said(words::RECEIPTS_SET))
}

#[derive(Deserialize)]
struct Shown {
    show: Telling,
}

async fn set_notifications(State(shared): App, Wanted(Shown { show }): Wanted<Shown>) -> Answer {
    let row: Notifying = shared.face.done(What::Notifications { show: Some(show) }).await?;
    Ok(Fragment::said(&device::notifications(row).join(" ")))
}

#[derive(Deserialize)]
struct LockAfter {
    minutes: String,
}

/// Only what the page offers: nobody locks it so late that it never is.
async fn lock_after(State(shared): App, Wanted(LockAfter { minutes }): Wanted<LockAfter>) -> Answer {
    let malformed = || Failure::misuse("request.malformed", common::MALFORMED);
    let offered = words::MINUTES.iter().any(|(value, _)| *value == minutes);
    let minutes: u64 = minutes.parse().ok().filter(|_| offered).ok_or_else(malformed)?;
    shared.sessions().lock_after_min(minutes);
    Ok(Fragment::said(&words::locks_after(minutes)))
}

#[derive(Deserialize)]
struct Nothing {}

async fn sign_out(State(shared): App, Wanted(Nothing {}): Wanted<Nothing>) -> Answer {
    let own = confirmed(&shared).await?;
    let devices: Vec<Device> = shared.face.list(What::Devices).await?;
    let leaving = logout::leaving(&own, &devices)?;
    shared.face.done::<Value>(What::Remove { device: leaving.device }).await?;
    shared.face.done::<Value>(What::StartOver).await?;
    Ok(Fragment::go("/welcome"))
}
