//! Files on their way: what is being sent and saved, how far it is, and what could not be sent (story 18).

use axum::extract::{Path, State};
use axum::routing::{get, post};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::frame::confirmed;
use super::unsent::Row;
use super::{App, Routes, icons, with_commands};
use crate::failure::Failure;
use crate::local::What;
use crate::local::files::{Coming, Listed, Outgoing};
use crate::local::rows::{Connection, Conversation, State as Own};
use crate::web::answer::{Answer, Fragment, Wanted};
use crate::web::server::Shared;
use crate::words::{file as words, one_line, web_talk};

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/part/moving/{conversation}", get(part))
        .route("/do/stop-file", post(stop))
        .route("/do/unsent-seen", post(seen))
}

/// Between the messages of a conversation and the place to write.
pub(super) async fn place(shared: &Shared, own: &Own, with: With<'_>) -> Result<Markup, Failure> {
    let rows = rows(shared, own, with).await?;
    let id = match with {
        With::Conversation(row) => &row.conversation,
        With::Handle(handle) => handle,
    };
    Ok(html! {
        div.moving id="moving" role="group" aria-label=(web_talk::FILES_MOVE) data-rows
            data-from={ "/part/moving/" (id) } data-on="files connection conversations" { (rows) }
    })
}

async fn part(State(shared): App, Path(id): Path<String>) -> Answer {
    let own = confirmed(&shared).await?;
    let rows_there: Vec<Conversation> = shared.face.list(What::Conversations).await?;
    let row = rows_there.iter().find(|row| row.conversation == id);
    Ok(rows(&shared, &own, row.map_or(With::Handle(&id), With::Conversation)).await?.into())
}

async fn rows(shared: &Shared, own: &Own, with: With<'_>) -> Result<Markup, Failure> {
    // none of the files that are there
    let Listed { outgoing, incoming } = shared.face.done(What::Files { with: None, limit: 0 }).await?;
    let offline = own.connection == Connection::Offline;
    let unsent = shared.unsent.rows().clone();
    Ok(html! {
        @for file in outgoing.iter().filter(|it| with.is_meant(own, &it.to)) { (sending(file, offline)) }
        @for file in incoming.iter().filter(|it| with.is_meant(own, &it.conversation)) { (saving(file, offline)) }
        @for file in unsent.iter().filter(|it| with.is_meant(own, &it.to)) { (not_sent(file)) }
    })
}

/// Where files go that are shown together.
#[derive(Clone, Copy)]
pub(super) enum With<'a> {
    Conversation(&'a Conversation),
    /// Of somebody with whom there is none yet.
    Handle(&'a str),
}

impl With<'_> {
    /// Whether somebody means it who says so: its id, its name, or whom it is with.
    fn is_meant(self, own: &Own, to: &str) -> bool {
        let is_handle = |handle: &str| handle.eq_ignore_ascii_case(to.split('@').next().unwrap_or_default());
        match self {
            Self::Handle(handle) => is_handle(handle),
            Self::Conversation(row) if row.pair || row.own => {
                let others = row.members.iter().filter(|it| row.own || own.account.as_deref() != Some(&it.account));
                row.conversation == to || others.filter_map(|it| it.handle.as_deref()).any(is_handle)
            }
            Self::Conversation(row) => row.conversation == to || row.title == to,
        }
    }
}

fn sending(file: &Outgoing, offline: bool) -> Markup {
    let Outgoing { transfer, name, size, done, total, .. } = file;
    moving(*transfer, web_talk::SENDING, &words::on_its_way(name, *done, *total, *size, offline), (*done, *total))
}

fn saving(file: &Coming, offline: bool) -> Markup {
    let Coming { transfer, name, size, done, total, .. } = file;
    moving(*transfer, web_talk::FETCHING, &words::on_its_way(name, *done, *total, *size, offline), (*done, *total))
}

/// What lives changes; the button stays where it is while somebody presses it.
fn moving(transfer: i64, what: &str, sentence: &str, (done, total): (u64, u64)) -> Markup {
    html! {
        div.row id={ "t-" (transfer) } {
            div data-live {
                span dir="auto" { (what) " " (sentence) }
                @if total > 0 {
                    progress value=(done.min(total)) max=(total) aria-label=(what) {}
                } @else {
                    progress aria-label=(what) {}
                }
            }
            form data-do="/do/stop-file" {
                input type="hidden" name="transfer" value=(transfer);
                button.quiet type="submit" aria-label={ (web_talk::STOP) " " (sentence) } title=(web_talk::STOP) { (icons::drawn(icons::CLOSE)) }
            }
        }
    }
}

fn not_sent(file: &Row) -> Markup {
    html! {
        div.row.failed id={ "u-" (file.number) } {
            div data-live { p role="alert" dir="auto" { (words::not_sent(&one_line(&file.name))) " " (with_commands(&file.failure.message)) } }
            form data-do="/do/unsent-seen" {
                input type="hidden" name="number" value=(file.number);
                button.quiet type="submit" { (crate::words::web_pages::SEEN) }
            }
        }
    }
}

#[derive(Deserialize)]
struct Stop {
    transfer: String,
}

async fn stop(State(shared): App, Wanted(Stop { transfer }): Wanted<Stop>) -> Answer {
    let transfer = transfer.parse().map_err(|_| Failure::misuse("request.malformed", "no transfer has this number"))?;
    shared.face.done::<Value>(What::CancelFile { transfer }).await?;
    Ok(Fragment::default())
}

#[derive(Deserialize)]
struct Seen {
    number: String,
}

async fn seen(State(shared): App, Wanted(Seen { number }): Wanted<Seen>) -> Answer {
    shared.unsent.rows().retain(|row| row.number.to_string() != number);
    Ok(Fragment::default())
}
