//! Reporting somebody to the service's operator: why, and what is told of it. Stands beside every way to block somebody.

use axum::extract::State;
use axum::routing::post;
use maud::{Markup, html};
use protocol::api::reports::Reason;
use serde::Deserialize;

use super::{App, Routes};
use crate::local::{Reported, What};
use crate::web::answer::{Answer, Fragment, Wanted};
use crate::words::report as words;

pub(super) fn routes() -> Routes {
    Routes::new().route("/do/report", post(report))
}

/// The way to report somebody: `who` as the agent takes it, `name` as a person reads it.
pub(super) fn reporting(who: &str, name: &str, is_blocked: bool) -> Markup {
    let button = if is_blocked { words::REPORT } else { words::REPORT_AND_BLOCK };
    html! {
        details.report {
            summary { (button) "…" }
            form data-do="/do/report" {
                p.small { (words::what_is_told(name)) }
                input type="hidden" name="who" value=(who);
                input type="hidden" name="name" value=(name);
                div.pick role="radiogroup" aria-label=(words::WHY) {
                    @for reason in Reason::ALL {
                        label {
                            input type="radio" name="reason" value=(reason.name()) checked[reason == Reason::Spam] required;
                            span { (words::reason(reason)) }
                        }
                    }
                }
                button.danger type="submit" { (button) }
                div data-answer role="alert" {}
            }
        }
    }
}

#[derive(Deserialize)]
struct Reporting {
    who: String,
    name: String,
    reason: Reason,
}

async fn report(State(shared): App, Wanted(Reporting { who, name, reason }): Wanted<Reporting>) -> Answer {
    let told: Reported = shared.face.done(What::Report { who, reason, block: true }).await?;
    Ok(Fragment::said(&words::reported(&name, reason, told.sent)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_reason_is_chosen_and_what_is_told_is_said_before() {
        let shown = reporting("bob", "<b>bob", false).into_string();
        assert!(shown.contains("nothing that was written goes along"), "{shown}");
        assert!(shown.contains("value=\"&lt;b&gt;bob\"") && !shown.contains("<b>bob"), "{shown}");
        assert_eq!(shown.matches("type=\"radio\"").count(), 4);
        assert_eq!(shown.matches(" checked").count(), 1);
        assert!(shown.contains(">Report and block</button>"), "{shown}");
        assert!(reporting("bob", "bob", true).into_string().contains(">Report</button>"), "who is blocked already");
    }
}
