//! Somebody unknown has written: let him, block him, report him, or leave it (story 2).

use axum::extract::State;
use axum::routing::post;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::{App, Routes, reporting};
use crate::local::rows::Conversation;
use crate::local::{Decided, What};
use crate::web::answer::{Answer, Fragment, Wanted};
use crate::words::{report, web as words};

pub(super) fn routes() -> Routes {
    Routes::new().route("/do/decide", post(decide))
}

/// What stands in the place of the field for a text.
pub(super) fn decision(row: &Conversation, name: &str) -> Markup {
    let reported = if row.pair { name.to_owned() } else { report::who_opened(name) };
    html! {
        div.decision {
            form data-do="/do/decide" {
                p { (words::wants_to_write(name, row.pair)) }
                input type="hidden" name="who" value=(row.conversation);
                div.choices {
                    button.main type="submit" name="decision" value="accepted" { (words::ACCEPT) }
                    button type="submit" name="decision" value="blocked" { (words::BLOCK) }
                    a.button href="/" { (words::LEAVE_IT) }
                }
                div data-answer role="alert" {}
            }
            (reporting::reporting(&row.conversation, &reported, false))
        }
    }
}

#[derive(Deserialize)]
struct Decision {
    who: String,
    decision: Decided,
}

async fn decide(State(shared): App, Wanted(Decision { who, decision }): Wanted<Decision>) -> Answer {
    shared.face.done::<Value>(What::Decide { who: who.clone(), decision }).await?;
    Ok(match decision {
        Decided::Accepted => Fragment::go(format!("/c/{who}")),
        Decided::Blocked => Fragment::go("/"),
    })
}
