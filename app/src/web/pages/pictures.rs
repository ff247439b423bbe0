//! Pictures in messages, shown in their place. What is one, its own bytes say, when they are here and opened: what its sender
//! says only decides whether anybody looks. The bytes go to the script, which shows them out of its memory.

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::{Markup, html};
use serde_json::Value;

use super::message::Seen;
use super::{App, Routes};
use crate::failure::{Failure, Kind};
use crate::local::What;
use crate::local::files::{EXPIRED, FileInfo};
use crate::local::rows::{Answered, Message};
use crate::picture;
use crate::web::answer::Instead;
use crate::words::{file as words, one_line, web_talk};

/// Larger ones are fetched when somebody wants to see them.
const BY_ITSELF: u64 = 10_000_000;
/// Room of a picture on a page, points of the page; the style says the same.
const LARGEST: (u32, u32) = (420, 340);
/// And above an answer.
const SMALL: (u32, u32) = (40, 40);
/// The second time when what was kept is damaged.
const TRIES: u32 = 2;

pub(super) fn routes() -> Routes {
    Routes::new().route("/picture/{message}", get(show))
}

/// True if it is worth a look whether this is a picture.
pub(super) fn may_be(file: &FileInfo) -> bool {
    picture::KINDS.contains(&file.kind.as_str()) && file.size <= picture::MOST_SHOWN && file.state != EXPIRED
}

/// Only where somebody was let in anything is fetched that nobody has asked for.
fn comes_by_itself(file: &FileInfo, seen: Seen<'_>) -> bool {
    seen.is_open && file.size <= BY_ITSELF
}

/// Where a picture is shown, if it is one.
pub(super) fn place(row: &Message, file: &FileInfo, seen: Seen<'_>) -> Markup {
    let (name, by_itself) = (one_line(&file.name), comes_by_itself(file, seen));
    html! {
        @if may_be(file) {
            @let preview = preview(file);
            div.picture.sized[preview.is_some()] data-picture={ "/picture/" (row.message) } data-name=(name) data-near[by_itself] {
                @if let Some(preview) = preview { (preview) }
                button.quiet type="button" data-show hidden[by_itself] { (web_talk::SHOW) }
            }
        }
    }
}

/// The same, small, above an answer to it.
pub(super) fn small(answered: &Answered, seen: Seen<'_>) -> Markup {
    let file = answered.file.as_ref().filter(|file| may_be(file) && comes_by_itself(file, seen));
    html! {
        @if file.is_some() {
            span.small-picture data-picture={ "/picture/" (answered.message) } data-near data-small {
                @if let Some(thumb) = file.and_then(|file| file.preview.as_ref()) { (drawn(thumb, SMALL)) }
            }
        }
    }
}

/// What a picture is like from afar, in its size on the page: its place is kept, and something is there at once. The script
/// draws it; nothing that somebody sends is decoded for that.
fn preview(file: &FileInfo) -> Option<Markup> {
    let size = (file.width.filter(|it| *it > 0)?, file.height.filter(|it| *it > 0)?);
    file.preview.as_ref().map(|thumb| drawn(thumb, fitting(size)))
}

fn drawn(thumb: &str, (width, height): (u32, u32)) -> Markup {
    html! { canvas data-preview=(thumb) width=(width) height=(height) aria-hidden="true" {} }
}

/// A size that has the same proportions, and room in [`LARGEST`]; never larger.
fn fitting((width, height): (u32, u32)) -> (u32, u32) {
    let scaled = |side: u32, by: u32, to: u32| {
        let scaled = u64::from(side).saturating_mul(by.into()).checked_div(to.into()).unwrap_or_default();
        u32::try_from(scaled).unwrap_or(side).max(1)
    };
    let (widest, highest) = LARGEST;
    let (width, height) = if width > widest { (widest, scaled(height, widest, width)) } else { (width, height) };
    if height > highest { (scaled(width, highest, height), highest) } else { (width, height) }
}

/// What a message with a file says where there is room for a line only.
pub(super) fn said(text: &str, file: &FileInfo) -> String {
    match text.strip_suffix(file.name.as_str()).unwrap_or(text).trim() {
        "" if may_be(file) => web_talk::PICTURE.to_owned(),
        "" => one_line(&file.name),
        text => text.to_owned(),
    }
}

/// Where one is shown as large as the page.
pub(super) fn large() -> Markup {
    html! {
        dialog id="large" aria-label=(web_talk::PICTURE) {
            button.close type="button" aria-label=(web_talk::CLOSE) title=(web_talk::CLOSE) { "×" }
            div data-place {}
            p data-caption dir="auto" {}
        }
    }
}

/// The bytes of a picture, and of nothing else, under one of four types.
async fn show(State(shared): App, Path(message): Path<String>) -> Result<Response, Instead> {
    for _ in 0..TRIES {
        shared.face.done::<Value>(What::KeepFile { message: message.clone() }).await?;
        let Some(bytes) = shared.face.kept(&message).await? else { continue };
        let Some(kind) = picture::to_show(&bytes) else {
            return Err(Failure::new(Kind::Refused, "file.no_picture", words::NO_PICTURE).into());
        };
        return Ok(([(header::CONTENT_TYPE, kind)], bytes).into_response());
    }
    Err(Failure::new(Kind::Broken, "file.not_kept", words::NOT_KEPT).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(kind: &str, size: u64, state: &str) -> FileInfo {
        FileInfo {
            name: "island.png".into(),
            size,
            kind: kind.into(),
            inline: true,
            state: state.into(),
            expires_at: None,
            width: None,
            height: None,
            preview: None,
        }
    }

    #[test]
    fn only_what_may_be_a_picture_and_can_be_had_has_a_place() {
        assert!(may_be(&file("image/png", 1, "available")) && may_be(&file("image/webp", 1, "kept")));
        for other in [
            file("image/svg+xml", 1, "available"),
            file("text/html", 1, "available"),
            file("image/png", picture::MOST_SHOWN + 1, "available"),
            file("image/png", 1, "expired"),
        ] {
            assert!(!may_be(&other), "{other:?}");
        }
    }

    /// BLB-10: its place is as large as it will be, whatever is claimed.
    #[test]
    fn a_preview_has_the_proportions_of_its_picture() {
        let sizes =
            [((4_000, 3_000), (420, 315)), ((3_000, 4_000), (255, 340)), ((16, 8), (16, 8)), ((1, 65_535), (1, 340))];
        for (size, expected) in sizes.into_iter().chain([((65_535, 1), (420, 1)), ((u32::MAX, u32::MAX), (340, 340))]) {
            assert_eq!(fitting(size), expected, "{size:?}");
        }
        let seen = file("image/png", 1, "available");
        let sized = FileInfo { width: Some(40), height: Some(30), preview: Some("AQID".into()), ..seen.clone() };
        let drawn = preview(&sized).unwrap().into_string();
        assert!(drawn.contains("data-preview=\"AQID\" width=\"40\" height=\"30\""), "{drawn}");
        for other in [seen, FileInfo { preview: None, ..sized.clone() }, FileInfo { width: Some(0), ..sized }] {
            assert!(preview(&other).is_none(), "{other:?}");
        }
    }

    #[test]
    fn a_picture_without_words_is_called_one() {
        let picture = file("image/png", 1, "available");
        let said = ["island.png", "us\nisland.png", "us"].map(|text| said(text, &picture));
        assert_eq!(said, ["Picture", "us", "us"]);
        assert_eq!(super::said("island.png", &file("text/plain", 1, "available")), "island.png");
    }
}
