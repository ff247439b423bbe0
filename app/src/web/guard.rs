//! Whose request is it? Looked at before anything else, on every request; and the headers that every answer has.
//!
//! A page of some other site can make a browser send requests here, and a name that its owner points at this machine can make
//! it believe that they are the same site (attacks 58, 59). Both show: in `Host`, `Origin` and `Sec-Fetch-Site`, which no page
//! can write itself.

use std::net::SocketAddr;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

/// What else may be loaded, sent to, or run: nothing but this program's own files (W8), and texts become parts of a page in one
/// place only.
pub(super) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; \
                                 connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; \
                                 require-trusted-types-for 'script'; trusted-types trefoil";
/// What a page may use of a machine: nothing.
const PERMISSIONS: &str = "accelerometer=(), autoplay=(), camera=(), clipboard-read=(), display-capture=(), \
                           fullscreen=(), geolocation=(), gyroscope=(), hid=(), magnetometer=(), microphone=(), midi=(), \
                           payment=(), publickey-credentials-get=(), screen-wake-lock=(), serial=(), usb=(), \
                           xr-spatial-tracking=()";

/// The places that take something else than JSON: the bytes of a file. No form of a page can send those either.
pub(super) const UPLOAD: &str = "/do/file";
pub(super) const PORTRAIT: &str = "/do/picture";

/// The headers of every answer (W8, W9). None of CORS is ever among them.
const HEADERS: [(HeaderName, &str); 9] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-embedder-policy"), "require-corp"),
    (HeaderName::from_static("permissions-policy"), PERMISSIONS),
];

/// Gives an answer its headers.
pub(super) fn cover(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Looks at a request to one of these addresses.
///
/// # Errors
/// The status to answer with, without a body: 421 for another host (W2), 403 for another page (W3), 415 for a change that a
/// form of another page could send (W4).
pub(super) fn judge(
    addresses: &[SocketAddr],
    method: &Method,
    path: &str,
    headers: &HeaderMap,
) -> Result<(), StatusCode> {
    let host = only(headers, "host").and_then(|host| host.parse::<SocketAddr>().ok());
    let host = host.filter(|host| addresses.contains(host)).ok_or(StatusCode::MISDIRECTED_REQUEST)?;
    if matches!(*method, Method::GET | Method::HEAD) {
        // `none`: a person typed it; a program that is no browser says nothing. The start link may stand elsewhere, so somebody
        // may come from there, but nothing there may load or frame anything of ours
        let comes = is(headers, "sec-fetch-mode", "navigate") && is(headers, "sec-fetch-dest", "document");
        let is_own = is(headers, "sec-fetch-site", "same-origin") || is(headers, "sec-fetch-site", "none");
        let is_ours = !headers.contains_key("sec-fetch-site") || is_own || comes;
        return if is_ours { Ok(()) } else { Err(StatusCode::FORBIDDEN) };
    }
    let origin = format!("http://{host}");
    if !is(headers, "origin", &origin) || !is(headers, "sec-fetch-site", "same-origin") {
        return Err(StatusCode::FORBIDDEN);
    }
    let kind = if matches!(path, UPLOAD | PORTRAIT) { "application/octet-stream" } else { "application/json" };
    if !is(headers, "content-type", kind) {
        return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    Ok(())
}

/// A header that is there once, and is text.
fn only<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    value.to_str().ok()
}

fn is(headers: &HeaderMap, name: &str, wanted: &str) -> bool {
    only(headers, name) == Some(wanted)
}
