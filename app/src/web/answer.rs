//! What a page's script gets: a piece of HTML, and in headers what else to do.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde::de::DeserializeOwned;

use super::pages::with_commands;
use crate::failure::{Failure, Kind};
use crate::words;

/// Where the script goes on to.
const GO: HeaderName = HeaderName::from_static("trefoil-go");
/// The stable code of a failure.
const CODE: HeaderName = HeaderName::from_static("trefoil-code");

/// There if what was wanted is kept all the same, and done by itself as soon as it can be.
const WAITS: HeaderName = HeaderName::from_static("trefoil-waits");

/// An answer to the script.
pub(super) type Answer = Result<Fragment, Instead>;

/// A piece of HTML.
#[derive(Debug, Default)]
pub(super) struct Fragment {
    html: String,
    go: Option<String>,
}

impl Fragment {
    /// Nothing to show, and the script goes to another page.
    pub(super) fn go(path: impl Into<String>) -> Self {
        Self { html: String::new(), go: Some(path.into()) }
    }

    /// A sentence that tells what was done.
    pub(super) fn said(sentence: &str) -> Self {
        html! { p.said { (with_commands(sentence)) } }.into()
    }
}

impl From<Markup> for Fragment {
    fn from(markup: Markup) -> Self {
        Self { html: markup.into_string(), go: None }
    }
}

impl IntoResponse for Fragment {
    fn into_response(self) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        if let Some(go) = self.go.and_then(|go| HeaderValue::from_str(&go).ok()) {
            headers.insert(GO, go);
        }
        (headers, self.html).into_response()
    }
}

/// Why a page is not shown, or a wish not carried out.
#[derive(Debug)]
pub(super) enum Instead {
    /// A failure, as a sentence for whoever sees the page.
    Failed(Failure),
    /// Something else has to be done first, at this place.
    Go(&'static str),
}

impl From<Failure> for Instead {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl IntoResponse for Instead {
    fn into_response(self) -> Response {
        let failure = match self {
            Self::Go(place) => return Fragment::go(place).into_response(),
            Self::Failed(failure) => failure,
        };
        // 401 is for the token alone
        let status = match failure.kind {
            Kind::Broken => StatusCode::INTERNAL_SERVER_ERROR,
            Kind::Misuse => StatusCode::UNPROCESSABLE_ENTITY,
            Kind::Unreachable => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Lie => StatusCode::BAD_GATEWAY,
            Kind::Refused | Kind::Waiting => StatusCode::CONFLICT,
        };
        let piece = html! {
            p.trouble { (words::web::failure(&failure)) }
            @if failure.code == "file.not_cleaned" { button.quiet type="button" data-as-is { (words::web_talk::SEND_AS_IS) } }
        };
        let mut answer = (status, Fragment::from(piece)).into_response();
        if let Ok(code) = HeaderValue::from_str(&failure.code) {
            answer.headers_mut().insert(CODE, code);
        }
        if failure.waits {
            answer.headers_mut().insert(WAITS, HeaderValue::from_static("yes"));
        }
        answer
    }
}

/// The body of a request that wants something, out of JSON.
#[derive(Debug)]
pub(super) struct Wanted<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Wanted<T> {
    type Rejection = Instead;

    async fn from_request(request: Request, state: &S) -> Result<Self, Instead> {
        let malformed = || Failure::misuse("request.malformed", words::web::MALFORMED);
        let bytes = Bytes::from_request(request, state).await.map_err(|_| malformed())?;
        Ok(serde_json::from_slice(&bytes).map(Self).map_err(|_| malformed())?)
    }
}
