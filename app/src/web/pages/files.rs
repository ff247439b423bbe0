//! Files on the pages: one that came is saved by the browser, one that is chosen is sent. Both go by way of a folder of the
//! profile, because the agent reads and writes files and never holds one.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use client::query::MessageState;
use futures_util::StreamExt as _;
use futures_util::stream::unfold;
use maud::{Markup, html};
use protocol::blob::MAX_FILE;
use protocol::tame;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::oneshot;

use super::message::Seen;
use super::{App, Routes, pictures};
use crate::failure::{Failure, Kind};
use crate::file_kind;
use crate::local::files::{EXPIRED, FileInfo, Saved};
use crate::local::rows::{Message, Sent};
use crate::local::{Says, What};
use crate::outbox::Outbox;
use crate::picture;
use crate::web::answer::{Answer, Fragment, Instead};
use crate::web::server::Shared;
use crate::words::{file as words, one_line, web_talk};

/// Bytes that are read of a file at once: so few that the thread of the pages, which does it itself, is not held up.
const PIECE: usize = 65_536;
/// What was not fetched from its folder for so long is nobody's.
const LEFT: Duration = Duration::from_secs(7 * 86_400);

pub(super) fn routes() -> Routes {
    Routes::new().route("/file/{message}", get(save)).route(
        crate::web::guard::UPLOAD,
        post(send).layer(DefaultBodyLimit::max(usize::try_from(MAX_FILE).unwrap_or(usize::MAX))),
    )
}

/// A file in a message: what it shows, what it is, and a way to save it.
pub(super) fn card(row: &Message, file: &FileInfo, seen: Seen<'_>) -> Markup {
    let name = one_line(&file.name);
    html! {
        div.file data-said=(pictures::said(&row.text, file)) {
            (pictures::place(row, file, seen))
            div.named {
                span dir="auto" { strong { (name) } }
                span.about { (words::size(file.size)) }
                @if file.state != EXPIRED {
                    button.quiet type="button" data-file={ "/file/" (row.message) } data-name=(name) { (web_talk::SAVE) }
                } @else {
                    span.about { (web_talk::FILE_GONE) }
                }
            }
        }
    }
}

/// A folder of its own for one file; gone with it.
pub(super) struct Place(PathBuf);

impl Place {
    pub(super) fn new(profile: &FilePath) -> Result<Self, Failure> {
        let mut name = [0; 16];
        getrandom::fill(&mut name).map_err(Failure::broken)?;
        let all = profile.join("moving");
        sweep(&all);
        let folder = all.join(URL_SAFE_NO_PAD.encode(name));
        let mut builder = std::fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.recursive(true).create(&folder).map_err(cannot)?;
        Ok(Self(folder))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Takes in a file of up to so many bytes; its path.
    pub(super) async fn receive(&self, name: &str, body: Body, most: u64) -> Result<String, Failure> {
        let path = self.file(&tame::file_name(name));
        let mut file = File::create_new(&path).map_err(cannot)?;
        let (mut pieces, mut length) = (body.into_data_stream(), 0_u64);
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|_| Failure::misuse("file.broken_off", web_talk::BROKEN_OFF))?;
            length = length.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
            if length > most {
                return Err(Failure::misuse("file.too_large", web_talk::TOO_LARGE));
            }
            file.write_all(&piece).map_err(cannot)?;
        }
        file.sync_all().map_err(cannot)?;
        Ok(path.display().to_string())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap_or_default();
    }
}

/// Takes away what a page left that was closed on the way.
fn sweep(all: &FilePath) {
    let now = SystemTime::now();
    for entry in std::fs::read_dir(all).into_iter().flatten().flatten() {
        let changed = entry.metadata().and_then(|it| it.modified()).unwrap_or(now);
        if now.duration_since(changed).is_ok_and(|age| age > LEFT) {
            std::fs::remove_dir_all(entry.path()).unwrap_or_default();
        }
    }
}

fn cannot(error: std::io::Error) -> Failure {
    Failure::new(Kind::Broken, "store.io", error)
}

/// The bytes of a file, for the browser to save. Only pictures are shown in place (`pictures`): a page of ours runs nothing of
/// what others send.
async fn save(State(shared): App, Path(message): Path<String>) -> Result<Response, Instead> {
    let place = Place::new(shared.face.folder())?;
    let path = place.file("file");
    let what = What::SaveFile { message, path: path.display().to_string(), replace: false };
    let saved: Saved = shared.face.told::<Value, Saved>(what).await.1?;
    let file = File::open(&path).map_err(cannot)?;
    // opened, it needs no name any more
    drop(place);
    let pieces = unfold(file, |mut file| async move {
        let mut piece = vec![0; PIECE];
        match file.read(&mut piece) {
            Ok(0) => None,
            Ok(read) => {
                piece.truncate(read);
                Some((Ok(piece), file))
            }
            Err(error) => Some((Err(error), file)),
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, "attachment".to_owned()),
        (header::CONTENT_LENGTH, saved.size.to_string()),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

#[derive(Deserialize)]
pub(super) struct Chosen {
    pub(super) to: String,
    pub(super) name: String,
    /// What goes with it.
    #[serde(default)]
    pub(super) text: String,
    /// True if a picture goes with all that it tells, which is offered where it cannot be cleaned.
    #[serde(default)]
    pub(super) as_is: bool,
}

/// A file that was chosen. As soon as it is on its way nobody has to wait for it, and the page can be closed.
async fn send(State(shared): App, Query(chosen): Query<Chosen>, body: Body) -> Answer {
    let place = Place::new(shared.face.folder())?;
    let received = place.receive(&chosen.name, body, MAX_FILE).await?;
    let path = Outbox::of(shared.face.folder()).take_in(FilePath::new(&received)).map_err(cannot)?;
    let tells_place = tells_place(&path);
    let (begun, is_begun) = oneshot::channel();
    tokio::spawn(bring(Arc::clone(&shared), path, chosen, begun));
    is_begun.await.map_err(Failure::broken)??;
    Ok(if tells_place { Fragment::said(words::TELLS_PLACE) } else { Fragment::default() })
}

/// BLB-11: whether it is of a kind of which nothing is taken out.
fn tells_place(path: &FilePath) -> bool {
    let mut beginning = [0; 16];
    let read = File::open(path).and_then(|mut file| file.read(&mut beginning)).unwrap_or_default();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beginning = beginning.get(..read).unwrap_or_default();
    file_kind::can_tell_place(picture::sent_as(beginning, file_kind::of(&name)))
}

/// Waits for a file that is sent. What fails before it is on its way is told the one who waits for that, if he still does.
async fn bring(shared: Arc<Shared>, path: PathBuf, chosen: Chosen, begun: oneshot::Sender<Result<(), Failure>>) {
    let Chosen { to, name, text, as_is } = chosen;
    let what = What::SendFile { to: to.clone(), path: path.display().to_string(), text, as_is };
    let (mut lines, mut begun) = (shared.face.ask(what).await, Some(begun));
    while let Some(line) = lines.recv().await {
        let failure = match line.says {
            Says::Event(_) => {
                // who does not wait any more need not know
                begun.take().map(|it| it.send(Ok(())));
                continue;
            }
            Says::Done(row) => serde_json::from_value::<Sent>(row)
                .is_ok_and(|sent| sent.state == MessageState::Failed)
                .then(|| Failure::new(Kind::Refused, "message.failed", crate::words::web::NOT_SENT)),
            Says::Error(error) => Some(Failure::from(error)),
        };
        let is_begun = begun.is_none();
        let Some(failure) = failure else { return };
        if !is_begun {
            // the agent knows nothing of it
            Outbox::of(shared.face.folder()).forget(&path);
        }
        let told = begun.take().map(|it| it.send(Err(failure.clone())));
        if failure.code != "file.cancelled" && !matches!(told, Some(Ok(()))) {
            shared.unsent.note(to, name, failure);
        }
        return;
    }
}
