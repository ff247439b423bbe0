//! What one does with a message: write one, answer, change or take back one's own, and react.

use axum::extract::{Path, State};
use axum::routing::{get, post};
use client::query::MessageState;
use maud::{Markup, html};
use protocol::blob::MAX_FILE;
use serde::Deserialize;
use serde_json::Value;

use super::frame::{self, confirmed};
use super::{App, Routes, conversation, icons};
use crate::commands::send;
use crate::failure::{Failure, Kind};
use crate::local::What;
use crate::local::rows::{Conversation, Sent, State as Own, Unplaced};
use crate::web::answer::{Answer, Fragment, Wanted};
use crate::web::server::Shared;
use crate::words::web as words;
use crate::words::{message, one_line, web_talk};

/// How long to wait for the service before the page is told that the message waits.
pub(super) const SENT_WITHIN_S: u64 = 10;
/// What people say most.
const REACTIONS: [&str; 6] = ["👍", "❤️", "😂", "😮", "😢", "🙏"];

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/part/names/{conversation}", get(part_names))
        .route("/do/send", post(send))
        .route("/do/react", post(react))
        .route("/do/take-back", post(take_back))
        .route("/do/draft", post(keep_draft))
}

/// The field for a text. What it answers or changes stands above it; what is not sent yet is kept under a name of its own on this
/// page; in a conversation that there is stands what was begun to be written, and people in it are offered behind an `@`.
pub(super) fn write(to: &str, keep: &str, name: &str, there: Option<(&Conversation, &Own)>) -> Markup {
    let begun = there.map(|(row, _)| row.draft.as_deref().unwrap_or_default());
    html! {
        form.write data-do="/do/send" data-keep=(keep) data-draft=[begun.map(|_| to)] {
            input type="hidden" name="to" value=(to);
            input type="hidden" name="answers";
            input type="hidden" name="edits";
            div.about-what data-about hidden {
                div {
                    strong { span data-when="answers" { (web_talk::YOU_ANSWER) " " bdi data-whom {} } span data-when="edits" { (web_talk::YOU_EDIT) } }
                    span.quoted data-quoted dir="auto" {}
                }
                button.quiet type="button" data-cancel aria-label=(web_talk::CANCEL) title=(web_talk::CANCEL) { (icons::drawn(icons::CLOSE)) }
            }
            @if let Some((row, own)) = there {
                ul.names id="names" role="listbox" aria-label=(web_talk::PEOPLE_HERE) hidden
                    data-from={ "/part/names/" (row.conversation) } data-on="conversations contacts" { (names(row, own)) }
            }
            (chosen())
            textarea name="text" rows="1" required data-enter dir="auto" placeholder=(words::WRITE)
                aria-autocomplete=[there.map(|_| "list")] aria-controls=[there.map(|_| "names")]
                aria-label=(words::write_to(name)) title=(words::WRITE_HOW) autofocus { (begun.unwrap_or_default()) }
            label.tool title=(web_talk::SEND_FILE) {
                span.hidden { (web_talk::SEND_FILE) } (icons::drawn(icons::CLIP))
                input.hidden type="file" multiple data-choose;
            }
            button.main type="submit" { (words::SEND) }
            div data-answer role="alert" {}
        }
    }
}

/// Files that go with what is written; each can be left out before that.
fn chosen() -> Markup {
    html! {
        ul.chosen data-chosen data-most=(MAX_FILE) aria-label=(web_talk::CHOSEN) hidden {}
        template data-one {
            li {
                span.thumb data-thumb { (icons::drawn(icons::CLIP)) }
                span.what { strong dir="auto" data-name {} span.about data-size {} span.failed data-too-large hidden { (web_talk::TOO_LARGE) } }
                button.quiet type="button" data-leave-out title=(web_talk::LEAVE_OUT) {
                    span.hidden { (web_talk::LEAVE_OUT) " " span data-name {} } (icons::drawn(icons::CLOSE))
                }
            }
        }
    }
}

/// Whom one can mention.
fn names(row: &Conversation, own: &Own) -> Markup {
    let others = row.members.iter().filter(|it| own.account.as_deref() != Some(&it.account));
    html! {
        @for handle in others.filter_map(|it| it.handle.as_deref()) {
            li id={ "n-" (handle) } role="option" aria-selected="false" data-name=(handle) { (frame::avatar(handle)) bdi { (one_line(handle)) } }
        }
    }
}

async fn part_names(State(shared): App, Path(id): Path<String>) -> Answer {
    let own = confirmed(&shared).await?;
    Ok(names(&conversation::found(&shared, &id).await?, &own).into())
}

/// The one menu of the page; the script says for which message it opens.
pub(super) fn menu() -> Markup {
    html! {
        div.menu id="menu" popover role="dialog" aria-label=(web_talk::MORE) {
            form.faces data-do="/do/react" {
                input type="hidden" name="message";
                input type="hidden" name="remove" value="no";
                @for reaction in REACTIONS {
                    button type="submit" name="reaction" value=(reaction) aria-label={ (web_talk::REACT) " " (reaction) } { (reaction) }
                }
                div data-answer role="alert" {}
            }
            form.inline data-do="/do/react" {
                input type="hidden" name="message";
                input type="hidden" name="remove" value="no";
                input name="reaction" type="text" required maxlength="64" autocomplete="off" placeholder=(web_talk::REACT_WITH)
                    aria-label=(web_talk::REACT_WITH);
                button type="submit" { (web_talk::REACT) }
                div data-answer role="alert" {}
            }
            p.small.reached data-reached dir="auto" hidden {}
            button.item type="button" data-answer-to { (web_talk::ANSWER) }
            button.item type="button" data-edit data-own { (web_talk::EDIT) }
            details data-own {
                summary.item.danger { (web_talk::TAKE_BACK) }
                form data-do="/do/take-back" {
                    p.small { (web_talk::TAKE_BACK_WHY) }
                    input type="hidden" name="message";
                    button.danger type="submit" { (web_talk::TAKE_BACK) }
                    div data-answer role="alert" {}
                }
            }
        }
        template id="too-old" { p.said { (web_talk::TOO_OLD) } }
    }
}

#[derive(Deserialize)]
struct Send {
    to: String,
    text: String,
    /// The message that it answers, or the own one that it replaces.
    #[serde(default)]
    answers: String,
    #[serde(default)]
    edits: String,
}

#[derive(Deserialize)]
struct Begun {
    conversation: String,
    text: String,
}

async fn keep_draft(State(shared): App, Wanted(Begun { conversation: chat, text }): Wanted<Begun>) -> Answer {
    shared.face.done::<Value>(What::Draft { chat, text }).await?;
    Ok(Fragment::default())
}

async fn send(State(shared): App, Wanted(Send { to, text, answers, edits }): Wanted<Send>) -> Answer {
    let (wait_s, what) = (SENT_WITHIN_S, send::of_text(to.clone(), text.clone(), SENT_WITHIN_S)?);
    let what = match (answers.is_empty(), edits.is_empty()) {
        (_, false) => What::Edit { message: edits, text, wait_s },
        (false, true) => What::Reply { message: answers, text, wait_s },
        (true, true) => what,
    };
    match said(&shared, what).await {
        // above it stands why, and what can be done
        Err(failure) if failure.waits && (failure.code == "chain.stale" || is_unplaced(&shared, &to).await?) => {
            Ok(Fragment::default())
        }
        done => Ok(done.map(|()| Fragment::default())?),
    }
}

/// True if something waits for somebody with whom there is no conversation yet.
async fn is_unplaced(shared: &Shared, to: &str) -> Result<bool, Failure> {
    let rows: Vec<Unplaced> = shared.face.list(What::Unplaced).await?;
    Ok(rows.iter().any(|row| row.to == to && row.unproven))
}

/// Says something, and waits for the service for a while.
pub(super) async fn said(shared: &Shared, what: What) -> Result<(), Failure> {
    let sent: Sent = shared.face.done(what).await?;
    match sent.state {
        MessageState::Failed => Err(Failure::new(Kind::Refused, "message.failed", words::NOT_SENT)),
        _ => Ok(()),
    }
}

#[derive(Deserialize)]
struct React {
    message: String,
    reaction: String,
    remove: YesOrNo,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum YesOrNo {
    Yes,
    No,
}

/// As a button sends it.
pub(super) fn yes_or_no(is_so: bool) -> &'static str {
    if is_so { "yes" } else { "no" }
}

async fn react(State(shared): App, Wanted(React { message, reaction, remove }): Wanted<React>) -> Answer {
    let remove = remove == YesOrNo::Yes;
    said(&shared, What::React { message, reaction, remove, wait_s: SENT_WITHIN_S }).await?;
    Ok(Fragment::default())
}

#[derive(Deserialize)]
struct Meant {
    message: String,
}

async fn take_back(State(shared): App, Wanted(Meant { message }): Wanted<Meant>) -> Answer {
    said(&shared, What::Delete { message, wait_s: SENT_WITHIN_S }).await?;
    Ok(Fragment::said(message::TAKEN_BACK))
}
