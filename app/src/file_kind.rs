//! What kind of file a name stands for: its media type, by the ending alone. Nobody looks into the file.

use protocol::content::ANY_TYPE;

/// Endings of files that people send, and their types (IANA, media types).
const KINDS: [(&str, &str); 30] = [
    ("7z", "application/x-7z-compressed"),
    ("avif", "image/avif"),
    ("csv", "text/csv"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("epub", "application/epub+zip"),
    ("flac", "audio/flac"),
    ("gif", "image/gif"),
    ("gz", "application/gzip"),
    ("heic", "image/heic"),
    ("html", "text/html"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("json", "application/json"),
    ("m4a", "audio/mp4"),
    ("md", "text/markdown"),
    ("mov", "video/quicktime"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("odt", "application/vnd.oasis.opendocument.text"),
    ("ogg", "audio/ogg"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("txt", "text/plain"),
    ("wav", "audio/wav"),
    ("webm", "video/webm"),
    ("webp", "image/webp"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("zip", "application/zip"),
];

/// The media type of a name.
pub(crate) fn of(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default();
    KINDS.iter().find(|(known, _)| *known == ending).map_or(ANY_TYPE, |(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use protocol::content::is_content_type;

    use super::*;

    #[test]
    fn a_name_has_the_kind_of_its_ending() {
        assert_eq!(
            [of("a.PNG"), of("a.tar.gz"), of("png"), of("a.")],
            ["image/png", "application/gzip", ANY_TYPE, ANY_TYPE]
        );
        assert!(KINDS.iter().all(|(_, kind)| is_content_type(kind)));
    }
}
