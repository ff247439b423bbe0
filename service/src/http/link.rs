//! What a browser shows to whoever opens a contact link there: how to open it in the program.
//!
//! One page for every link. Whose it is stands behind the `#`, which no browser sends, and the token in the path is looked
//! at by nobody here: it is for the devices of whoever made the link (PPL-4).

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// Where links lead.
pub(super) const PLACE: &str = "/i/{token}";

const PAGE: &str = include_str!("link.html");

/// The page.
pub(super) async fn page() -> Response {
    answer()
}

/// No script, nothing from elsewhere, and it tells no other site where somebody came from.
fn answer() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ];
    (headers, PAGE).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_no_script_and_nothing_from_elsewhere() {
        let answer = answer();
        let policy = answer.headers().get(header::CONTENT_SECURITY_POLICY).unwrap().to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("script-src"), "{policy}");
        assert_eq!(answer.headers().get(header::REFERRER_POLICY).unwrap(), "no-referrer");
        for wrong in ["<script", "http:", "https:", "src=", "href=", "@import", "url("] {
            assert!(!PAGE.contains(wrong), "{wrong}");
        }
    }
}
