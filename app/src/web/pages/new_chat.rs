//! A conversation of several people, begun.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::routing::{get, post};
use maud::{Markup, html};
use protocol::content::Part;
use serde::Deserialize;
use serde_json::Value;

use super::frame::{self, Page, confirmed, framed};
use super::{App, Routes};
use crate::commands::contact as command;
use crate::failure::Failure;
use crate::link;
use crate::local::rows::{Contact, Conversation, State as Own};
use crate::local::{Decided, What};
use crate::web::answer::{Answer, Fragment, Wanted};
use crate::web::server::Shared;
use crate::words::web as words;
use crate::words::{one_line, web_talk};

pub(super) const PLACES: &[&str] = &["/new"];

pub(super) fn routes() -> Routes {
    Routes::new().route("/page/new", get(page)).route("/do/new", post(begin))
}

async fn page(State(shared): App) -> Answer {
    let own = confirmed(&shared).await?;
    let contacts: Vec<Contact> = shared.face.list(What::Contacts).await?;
    let main = html! {
        section.page {
            header.head { a.back href="/" aria-label=(words::BACK) { "‹" } h1 { (web_talk::NEW) } }
            div.column {
                p.lead { (web_talk::NEW_WHY) }
                form.fields.flat data-do="/do/new" {
                    label for="title" { (web_talk::ITS_TITLE) }
                    input id="title" name="title" type="text" required autocomplete="off" dir="auto" autofocus;
                    (people(&own, &contacts))
                    label for="others" { (web_talk::OTHERS) }
                    input id="others" name="with" type="text" autocapitalize="none" spellcheck="false" autocomplete="off"
                        placeholder=(web_talk::OTHERS_EXAMPLE);
                    div data-answer role="alert" {}
                    button.main type="submit" { (web_talk::BEGIN) }
                }
            }
        }
    };
    framed(&shared, &own, Page { title: web_talk::NEW, at: "/new", main }).await
}

/// Those whom one knows, to be chosen.
fn people(own: &Own, contacts: &[Contact]) -> Markup {
    // who has only asked to write is no suggestion
    let can_be_chosen =
        |it: &&Contact| own.handle.as_deref() != Some(&it.handle) && it.decision == Some(Decided::Accepted);
    let contacts: Vec<&Contact> = contacts.iter().filter(can_be_chosen).collect();
    html! {
        @if !contacts.is_empty() {
            fieldset {
                legend { (web_talk::WITH) }
                div.chips {
                    @for contact in contacts {
                        label.chip {
                            input type="checkbox" name="with" value=(contact.handle);
                            (frame::avatar(&contact.handle))
                            span dir="auto" { (one_line(&contact.handle)) }
                        }
                    }
                }
            }
        }
    }
}

#[derive(Deserialize)]
struct New {
    title: String,
    #[serde(default)]
    with: String,
}

async fn begin(State(shared): App, Wanted(New { title, with }): Wanted<New>) -> Answer {
    let own = confirmed(&shared).await?;
    let title = title.trim().to_owned();
    Part::title(title.clone()).map_err(|_| Failure::misuse("chat.title", web_talk::NO_TITLE))?;
    let with = handles(&shared, &own, &with).await?;
    let before: BTreeSet<String> = conversations(&shared).await?.into_iter().map(|row| row.conversation).collect();
    shared.face.done::<Value>(What::NewChat { title: title.clone(), with }).await?;
    let rows = conversations(&shared).await?;
    let fresh = rows.into_iter().find(|row| row.title == title && !before.contains(&row.conversation));
    Ok(Fragment::go(fresh.map_or_else(|| "/".to_owned(), |row| format!("/c/{}", row.conversation))))
}

async fn conversations(shared: &Shared) -> Result<Vec<Conversation>, Failure> {
    shared.face.list(What::Conversations).await
}

/// Handles and contact links, with commas or spaces in between; whose a link is, is looked at first.
///
/// # Errors
/// Those of links and handles; `chat.nobody`: there is none.
pub(super) async fn handles(shared: &Shared, own: &Own, text: &str) -> Result<Vec<String>, Failure> {
    let mut handles = Vec::new();
    for text in text.split([' ', ',', ';', '\n', '\t']).filter(|text| !text.is_empty()) {
        let wanted = link::Contact::parse(text)?;
        let add = command::add(&wanted, own)?;
        if wanted.account.is_some() {
            shared.face.done::<Value>(add).await?;
        }
        handles.push(wanted.handle);
    }
    match handles.is_empty() {
        true => Err(Failure::misuse("chat.nobody", web_talk::NOBODY)),
        false => Ok(handles),
    }
}
