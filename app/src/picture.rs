//! What a picture is here: which files are sent as one, and how large one may be that is shown (BLB-9).

use protocol::content::ANY_TYPE;
pub(crate) use protocol::picture::{KINDS, kind, to_show};

use crate::file_kind::camera;

/// Largest file that is shown in its place, bytes, and that is cleaned (BLB-11); a larger one is only saved.
pub(crate) const MOST_SHOWN: u64 = 64_000_000;

/// The media type under which a file is sent: that of a picture only if it is one.
pub(crate) fn sent_as(beginning: &[u8], by_name: &'static str) -> &'static str {
    let is_known = by_name != ANY_TYPE && !KINDS.contains(&by_name);
    kind(beginning).or(is_known.then_some(by_name)).or_else(|| camera(beginning)).unwrap_or(ANY_TYPE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_as_a_picture_is_one() {
        assert_eq!(sent_as(b"<html>", "image/png"), ANY_TYPE);
        assert_eq!(sent_as(b"GIF89a..", "text/plain"), "image/gif");
        assert_eq!(sent_as(b"<html>", "text/html"), "text/html");
        assert_eq!(sent_as(b"<svg>", "image/svg+xml"), "image/svg+xml");
        // telephones write such files, also under the name of a JPEG
        assert_eq!(sent_as(b"\0\0\0\x18ftypheic\0\0\0\0", "image/jpeg"), "image/heic");
        assert_eq!(sent_as(b"II\x2a\0\x08\0\0\0", ANY_TYPE), "image/tiff");
        assert_eq!(sent_as(b"\0\0\0\x18ftypisom\0\0\0\0", "text/plain"), "text/plain");
    }
}
