//! One file per page. Each says at which places it is (`PLACES`) and answers three kinds of request: `/page/…` with the whole
//! page, `/part/…` with what is fetched again when something changes, `/do/…` when a person wants something.
//!
//! A place itself answers with the shell, which is the same for everybody; the script in it asks for the page.

mod alarm;
mod contacts;
mod conversation;
mod details;
mod devices;
mod files;
mod frame;
mod help;
mod history;
mod icons;
mod joining;
mod lanes;
mod message;
mod moving;
mod new_chat;
mod pictures;
mod popup;
mod portraits;
mod qr;
mod record;
mod recovery;
mod reporting;
mod requests;
mod resetting;
mod saying;
mod search;
mod settings;
mod shell;
mod text;
mod unchecked;
mod unsent;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

pub(super) use self::recovery::Making;
pub(super) use self::text::with_commands;
pub(super) use self::unsent::Unsent;
use super::server::Shared;

type Routes = Router<Arc<Shared>>;
type App = axum::extract::State<Arc<Shared>>;

/// The places of all pages, each with the shell.
pub(super) fn shells() -> Routes {
    let talk = [frame::PLACES, conversation::PLACES, details::PLACES, new_chat::PLACES, search::PLACES].concat();
    let own = [devices::PLACES, record::PLACES, recovery::PLACES, settings::PLACES].concat();
    let others = [contacts::PLACES, joining::PLACES, resetting::PLACES, help::PLACES].concat();
    let places = [talk, own, others].concat();
    places.into_iter().fold(Router::new(), |routes, place| routes.route(place, get(shell::shell)))
}

/// What they ask for, behind the token.
pub(super) fn private() -> Routes {
    frame::routes()
        .merge(conversation::routes())
        .merge(files::routes())
        .merge(moving::routes())
        .merge(pictures::routes())
        .merge(portraits::routes())
        .merge(resetting::routes())
        .merge(saying::routes())
        .merge(details::routes())
        .merge(new_chat::routes())
        .merge(search::routes())
        .merge(requests::routes())
        .merge(unchecked::routes())
        .merge(reporting::routes())
        .merge(popup::routes())
        .merge(devices::routes())
        .merge(contacts::routes())
        .merge(joining::routes())
        .merge(help::routes())
        .merge(record::routes())
        .merge(recovery::routes())
        .merge(settings::routes())
        .merge(history::routes())
        .merge(alarm::routes())
}
