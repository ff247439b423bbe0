//! What a picture is here: which files are sent as one, and how large one may be that is shown (BLB-9).

use protocol::content::ANY_TYPE;
pub(crate) use protocol::picture::{KINDS, kind, to_show};

/// Largest file that is shown in its place, bytes; a larger one is only saved.
pub(crate) const MOST_SHOWN: u64 = 64_000_000;

/// The media type under which a file is sent: that of a picture only if it is one.
pub(crate) fn sent_as(beginning: &[u8], by_name: &'static str) -> &'static str {
    kind(beginning).unwrap_or(if KINDS.contains(&by_name) { ANY_TYPE } else { by_name })
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
    }
}
