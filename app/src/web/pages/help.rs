//! Keys, and what these pages can and cannot protect (W15).

use axum::extract::State;
use axum::routing::get;
use maud::html;

use super::frame::{Page, confirmed, framed};
use super::text::with_commands;
use super::{App, Routes};
use crate::web::answer::Answer;
use crate::words::web as words;

pub(super) const PLACES: &[&str] = &["/help"];

pub(super) fn routes() -> Routes {
    Routes::new().route("/page/help", get(page))
}

async fn page(State(shared): App) -> Answer {
    let own = confirmed(&shared).await?;
    let main = html! {
        section.page {
            header.head { a.back href="/" aria-label=(words::BACK) { "‹" } h1 { (words::HELP) } }
            div.column {
                h2 { (words::KEYS) }
                dl.keys { @for (key, does) in words::KEYS_AND_WHAT_THEY_DO { dt { kbd { (key) } } dd { (does) } } }
                h2 { (words::HONEST) }
                @for sentence in words::HONEST_WORDS { p { (sentence) } }
                p { code { (words::CLEAN_PROFILE) } }
                h2 { (words::MORE_COMMANDS) }
                p { (with_commands(words::MORE_COMMANDS_WHY)) }
            }
        }
    };
    framed(&shared, &own, Page { title: words::HELP, at: "/help", main }).await
}
