//! What kind of file a name stands for: its media type, by the ending; and what cameras write, by how it begins.

use protocol::content::ANY_TYPE;

/// Endings of files that people send, and their types (IANA, media types).
const KINDS: [(&str, &str); 34] = [
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
    ("heif", "image/heif"),
    ("html", "text/html"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("json", "application/json"),
    ("m4a", "audio/mp4"),
    ("m4v", "video/mp4"),
    ("md", "text/markdown"),
    ("mov", "video/quicktime"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("odt", "application/vnd.oasis.opendocument.text"),
    ("ogg", "audio/ogg"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("tif", "image/tiff"),
    ("tiff", "image/tiff"),
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

/// Kinds of which nothing is taken out (BLB-11), and in which cameras and telephones write where they were.
const TELLING: [&str; 9] = [
    "audio/mp4",
    "image/avif",
    "image/heic",
    "image/heif",
    "image/tiff",
    "image/x-canon-cr3",
    "video/3gpp",
    "video/mp4",
    "video/quicktime",
];

/// True if a file of this type can tell where it was made.
pub(crate) fn can_tell_place(kind: &str) -> bool {
    TELLING.contains(&kind)
}

/// The media type of a file that begins as those of cameras do (ISO/IEC 14496-12; TIFF 6.0, in which most write what their sensor
/// gave).
pub(crate) fn camera(beginning: &[u8]) -> Option<&'static str> {
    match beginning {
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => Some(match brand.first_chunk()? {
            b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"mif1" | b"msf1" => "image/heic",
            b"avif" | b"avis" => "image/avif",
            b"crx " => "image/x-canon-cr3",
            b"M4A " => "audio/mp4",
            b"qt  " => "video/quicktime",
            [b'3', b'g', ..] => "video/3gpp",
            _ => "video/mp4",
        }),
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => Some("image/tiff"),
        _ => None,
    }
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
        assert!(KINDS.iter().map(|(_, kind)| kind).chain(&TELLING).all(|kind| is_content_type(kind)));
    }
}
