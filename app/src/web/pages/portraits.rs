//! Pictures of conversations: chosen where one decides about a conversation, and shown wherever its name is.

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use maud::{Markup, html};
use serde::Deserialize;

use super::files::{Chosen, Place};
use super::frame::{self, confirmed};
use super::saying::{SENT_WITHIN_S, said};
use super::{App, Routes, conversation, details};
use crate::failure::{Failure, Kind};
use crate::local::What;
use crate::local::files::Portrait;
use crate::local::rows::Conversation;
use crate::picture::{self, MOST_SHOWN};
use crate::web::answer::{Answer, Fragment, Instead, Wanted};
use crate::web::guard::PORTRAIT;
use crate::words::{file, message, web_talk};

pub(super) fn routes() -> Routes {
    let most = usize::try_from(MOST_SHOWN).unwrap_or(usize::MAX);
    Routes::new()
        .route("/portrait/{conversation}/{picture}", get(show))
        .route("/part/picture/{conversation}", get(part))
        .route(PORTRAIT, post(choose).layer(DefaultBodyLimit::max(most)))
        .route("/do/no-picture", post(remove))
}

/// Where one chooses it, for whoever may.
pub(super) fn choosing(row: &Conversation) -> Markup {
    html! {
        form.card data-do="/do/no-picture" {
            h2 { (web_talk::PICTURE) }
            p.small { (web_talk::PICTURE_WHY) }
            input type="hidden" name="conversation" value=(row.conversation);
            div.choices {
                (frame::portrait(row))
                label.button.choosing {
                    (web_talk::CHOOSE_PICTURE)
                    input.hidden type="file" accept=(picture::KINDS.join(",")) data-upload=(row.conversation) data-place=(PORTRAIT);
                }
                @if row.picture.is_some() { button.quiet type="submit" { (web_talk::REMOVE_PICTURE) } }
            }
            div data-answer role="alert" {}
        }
    }
}

async fn part(State(shared): App, Path(id): Path<String>) -> Answer {
    let own = confirmed(&shared).await?;
    let row = conversation::found(&shared, &id).await?;
    Ok(html! { @if details::is_admin(&row, &own) { (choosing(&row)) } }.into())
}

/// The picture that a conversation has now: a JPEG, and nothing else.
async fn show(State(shared): App, Path((chat, _)): Path<(String, String)>) -> Result<Response, Instead> {
    let Portrait { picture: bytes } = shared.face.done(What::ChatPicture { chat }).await?;
    match picture::to_show(&bytes.0) {
        Some(kind) => Ok(([(header::CONTENT_TYPE, kind)], bytes.0).into_response()),
        None => Err(Failure::new(Kind::Refused, "file.no_picture", file::NO_PICTURE).into()),
    }
}

async fn choose(State(shared): App, Query(Chosen { to: chat, name, .. }): Query<Chosen>, body: Body) -> Answer {
    let place = Place::new(shared.face.folder())?;
    let path = Some(place.receive(&name, body, MOST_SHOWN).await?);
    said(&shared, What::PictureChat { chat, path, wait_s: SENT_WITHIN_S }).await?;
    Ok(Fragment::said(message::PICTURED))
}

#[derive(Deserialize)]
struct Which {
    conversation: String,
}

async fn remove(State(shared): App, Wanted(Which { conversation: chat }): Wanted<Which>) -> Answer {
    said(&shared, What::PictureChat { chat, path: None, wait_s: SENT_WITHIN_S }).await?;
    Ok(Fragment::said(message::UNPICTURED))
}
