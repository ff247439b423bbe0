//! People: add somebody, the own link, and for each one what is known of his devices and the code to compare (stories 2, 13,
//! 19).

use axum::extract::{Path, State};
use axum::routing::{get, post};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::frame::{self, Page, confirmed, framed};
use super::{App, Routes, qr, reporting};
use crate::commands::contact as command;
use crate::failure::{Failure, Kind};
use crate::link;
use crate::local::rows::{Contact, Link, State as Own, Verification};
use crate::local::{Decided, What};
use crate::web::answer::{Answer, Fragment, Wanted};
use crate::web::server::Shared;
use crate::words::web as words;
use crate::words::{one_line, people, web_pages, web_record};

pub(super) const PLACES: &[&str] = &["/contacts", "/contacts/{handle}"];

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/page/contacts", get(page))
        .route("/page/contacts/{handle}", get(page_of_one))
        .route("/part/contacts", get(part))
        .route("/do/add", post(add))
        .route("/do/link", post(renew_link))
        .route("/do/withdraw-links", post(withdraw_links))
        .route("/do/compare", post(compare))
        .route("/do/mark", post(mark))
        .route("/do/block", post(block))
        .route("/do/accept-reset", post(accept_reset))
}

async fn page(State(shared): App) -> Answer {
    let own = confirmed(&shared).await?;
    let list = list(&shared).await?;
    let link = own_link(&shared, &own, false).await?;
    let main = html! {
        section.page {
            header.head { a.back href="/" aria-label=(words::BACK) { "‹" } h1 { (words::CONTACTS) } }
            div.column {
                form.inline data-do="/do/add" {
                    label for="who" { (words::ADD_SOMEBODY) }
                    input id="who" name="who" type="text" required autocapitalize="none" spellcheck="false" autocomplete="off"
                        placeholder=(words::WHO_EXAMPLE);
                    button.main type="submit" { (words::ADD) }
                    div data-answer role="alert" {}
                }
                div id="contacts" data-from="/part/contacts" data-on="contacts account" { (list) }
                section.card id="link" {
                    h2 { (words::MY_LINK) }
                    p { (words::MY_LINK_WHY) }
                    div data-here { (link) }
                }
            }
        }
    };
    framed(&shared, &own, Page { title: words::CONTACTS, at: "/contacts", main }).await
}

async fn part(State(shared): App) -> Answer {
    confirmed(&shared).await?;
    Ok(list(&shared).await?.into())
}

async fn list(shared: &Shared) -> Result<Markup, Failure> {
    let rows: Vec<Contact> = shared.face.list(What::Contacts).await?;
    Ok(html! {
        @if rows.is_empty() { p.none { (words::NO_CONTACTS) } }
        ul.people {
            @for row in &rows {
                li {
                    a.entry href={ "/contacts/" (row.handle) } {
                        (frame::avatar(&row.handle))
                        span.name dir="auto" { (one_line(&row.handle)) @if row.verified { " " span.tag { (words::VERIFIED) } } }
                        span.about { (words::devices_of(row)) }
                    }
                }
            }
        }
    })
}

async fn own_link(shared: &Shared, own: &Own, renew: bool) -> Result<Markup, Failure> {
    let token: Link = shared.face.done(What::ContactLink { renew }).await?;
    let link = command::link_of(own, &token)?;
    Ok(html! {
        div.link {
            (qr::drawn(&link, words::MY_LINK_AS_QR)?)
            div {
                label for="own-link" { (words::LINK_TO_COPY) }
                div.copy {
                    input id="own-link" type="text" readonly value=(link);
                    button type="button" data-copy="own-link" { (words::COPY) }
                }
                div.choices {
                    form data-do="/do/link" data-into="#link [data-here]" {
                        button.quiet type="submit" { (words::NEW_LINK) }
                        div data-answer role="alert" {}
                    }
                    form data-do="/do/withdraw-links" {
                        button.quiet type="submit" { (words::WITHDRAW) }
                        div data-answer role="alert" {}
                    }
                }
            }
        }
    })
}

async fn page_of_one(State(shared): App, Path(handle): Path<String>) -> Answer {
    let own = confirmed(&shared).await?;
    let rows: Vec<Contact> = shared.face.list(What::Contacts).await?;
    let unknown = || Failure::new(Kind::Refused, "contact.unknown", words::unknown(&handle));
    let row = rows.into_iter().find(|row| row.handle == handle).ok_or_else(unknown)?;
    let code: Verification = shared.face.done(What::VerificationCode { handle: handle.clone() }).await?;
    let name = one_line(&handle);
    let main = html! {
        section.page {
            header.head {
                a.back href="/contacts" aria-label=(words::BACK) { "‹" }
                (frame::avatar(&name))
                div { h1 dir="auto" { (name) } p.about { (words::devices_of(&row)) } }
                a.button href={ "/to/" (handle) } { (words::WRITE_BUTTON) }
            }
            div.column {
                @if let Some(at) = &row.reset_at { (reset(&handle, at)) }
                p { (words::about_devices(&row)) " " a href={ "/record/" (handle) } { (web_record::LINK) } }
                (comparing(&row, &code)?)
                (blocking(&row))
            }
        }
    };
    framed(&shared, &own, Page { title: &name, at: &format!("/contacts/{handle}"), main }).await
}

/// Somebody goes on as another identity: nothing is sent before this is decided (story 13).
fn reset(handle: &str, at: &str) -> Markup {
    html! {
        form.notice data-do="/do/accept-reset" {
            p { (words::contact_reset(handle, at)) " " (web_pages::COMPARE_BELOW) }
            input type="hidden" name="handle" value=(handle);
            button type="submit" { (web_pages::ACCEPT_RESET) }
            div data-answer role="alert" {}
        }
    }
}

fn comparing(row: &Contact, code: &Verification) -> Result<Markup, Failure> {
    let groups: Vec<&str> = code.code.split(' ').collect();
    Ok(html! {
        section.card {
            h2 { (words::CODE) }
            p { (words::code_why(row)) }
            div.link {
                (qr::drawn(&command::picture_of(&code.code), words::CODE_AS_QR)?)
                div {
                    p.sixty { @for group in groups { span { (group) } " " } }
                    form data-do="/do/mark" {
                        input type="hidden" name="handle" value=(row.handle);
                        div.choices {
                            button.main type="submit" name="verified" value="yes" { (words::CODES_MATCH) }
                            button type="submit" name="verified" value="no" { (words::CODES_DIFFER) }
                        }
                        div data-answer role="alert" {}
                    }
                }
            }
            details {
                summary { (words::PASTE_CODE) }
                form.inline data-do="/do/compare" {
                    input type="hidden" name="handle" value=(row.handle);
                    label for="scanned" { (words::PASTED) }
                    input id="scanned" name="scanned" type="text" required autocomplete="off";
                    button type="submit" { (words::COMPARE) }
                    div data-answer role="alert" {}
                }
            }
        }
    })
}

fn blocking(row: &Contact) -> Markup {
    let is_blocked = row.decision == Some(Decided::Blocked);
    html! {
        section.card {
            form data-do="/do/block" {
                p { (if is_blocked { words::IS_BLOCKED } else { words::BLOCK_WHY }) }
                input type="hidden" name="handle" value=(row.handle);
                @if is_blocked {
                    button type="submit" name="decision" value="accepted" { (words::UNBLOCK) }
                } @else {
                    button.danger type="submit" name="decision" value="blocked" { (words::BLOCK) }
                }
                div data-answer role="alert" {}
            }
            (reporting::reporting(&row.handle, &row.handle, is_blocked))
        }
    }
}

#[derive(Deserialize)]
struct Who {
    who: String,
}

async fn add(State(shared): App, Wanted(Who { who }): Wanted<Who>) -> Answer {
    let own = confirmed(&shared).await?;
    let wanted = link::Contact::parse(&who)?;
    shared.face.done::<Value>(command::add(&wanted, &own)?).await?;
    Ok(Fragment::go(format!("/to/{}", wanted.handle)))
}

#[derive(Deserialize)]
struct Nothing {}

async fn renew_link(State(shared): App, Wanted(Nothing {}): Wanted<Nothing>) -> Answer {
    let own = confirmed(&shared).await?;
    Ok(own_link(&shared, &own, true).await?.into())
}

async fn withdraw_links(State(shared): App, Wanted(Nothing {}): Wanted<Nothing>) -> Answer {
    shared.face.done::<Value>(What::WithdrawLinks).await?;
    Ok(Fragment::said(people::LINKS_WITHDRAWN))
}

#[derive(Deserialize)]
struct Scanned {
    handle: String,
    scanned: String,
}

/// Somebody has pasted what a scanner read.
async fn compare(State(shared): App, Wanted(Scanned { handle, scanned }): Wanted<Scanned>) -> Answer {
    let scanned = command::scanned_digits(&scanned)?;
    let row: Verification = shared.face.done(What::VerificationCode { handle: handle.clone() }).await?;
    remember(&shared, handle, scanned == command::digits(&row.code)).await
}

#[derive(Deserialize)]
struct Marked {
    handle: String,
    verified: Said,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Said {
    Yes,
    No,
}

async fn mark(State(shared): App, Wanted(Marked { handle, verified }): Wanted<Marked>) -> Answer {
    remember(&shared, handle, verified == Said::Yes).await
}

async fn remember(shared: &Shared, handle: String, verified: bool) -> Answer {
    shared.face.done::<Value>(What::MarkVerified { handle: handle.clone(), verified }).await?;
    match verified {
        true => Ok(Fragment::said(&people::codes_match(&handle))),
        false => Err(Failure::new(Kind::Refused, "code.differs", people::codes_differ(&handle)).into()),
    }
}

#[derive(Deserialize)]
struct Decision {
    handle: String,
    decision: Decided,
}

async fn block(State(shared): App, Wanted(Decision { handle, decision }): Wanted<Decision>) -> Answer {
    shared.face.done::<Value>(What::Decide { who: handle.clone(), decision }).await?;
    Ok(match decision {
        Decided::Accepted => Fragment::said(&people::accepted(&handle)),
        Decided::Blocked => Fragment::said(people::BLOCKED),
    })
}

#[derive(Deserialize)]
struct Handle {
    handle: String,
}

async fn accept_reset(State(shared): App, Wanted(Handle { handle }): Wanted<Handle>) -> Answer {
    shared.face.done::<Value>(What::AcceptReset { handle: handle.clone() }).await?;
    Ok(Fragment::said(&crate::words::account::accepted(&handle)))
}
