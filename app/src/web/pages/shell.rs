//! What everybody gets who asks for a page: the same bytes, without anything private (W7).

use axum::http::header;
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, html};

use crate::words::web as words;

/// The shell.
pub(super) async fn shell() -> Response {
    std::future::ready(()).await;
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { (words::TITLE) }
                meta name="viewport" content="width=device-width, initial-scale=1, interactive-widget=resizes-content";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                link rel="icon" href="/assets/icon.svg";
                link rel="stylesheet" href="/assets/app.css";
                script src="/assets/app.js" defer {}
            }
            body {
                div id="app" {}
                div id="popup" data-from="/part/popup" data-on="devices account" {}
                div id="said" role="status" aria-live="polite" {}
                main id="locked" hidden {
                    img src="/assets/icon.svg" alt="" width="48" height="48";
                    h1 { (words::LOCKED) }
                    p { (words::LOCKED_WHY) }
                    p id="gone" hidden { (words::GONE) }
                    p { code { "trefoil web" } }
                }
                noscript { p { (words::NO_SCRIPT) } }
            }
        }
    };
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page.into_string()).into_response()
}
