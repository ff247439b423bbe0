//! What a picture is: told by its own bytes, whatever its name is and whatever its sender says (BLB-9). Four kinds, none of which
//! can hold a script; and no more points than a browser can have in memory. Nothing is decoded here.

/// The media types of those that are shown in their place.
pub const KINDS: [&str; 4] = ["image/gif", "image/jpeg", "image/png", "image/webp"];

/// Most points, each of which takes four bytes of memory: the largest cameras of telephones have fewer.
pub const MAX_POINTS: u64 = 220_000_000;

/// The kind of picture that these bytes begin.
pub fn kind(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

/// The kind of a whole picture that may be shown.
pub fn to_show(bytes: &[u8]) -> Option<&'static str> {
    let kind = kind(bytes)?;
    let (width, height) = size(kind, bytes)?;
    let points = u64::from(width).saturating_mul(u64::from(height));
    (1..=MAX_POINTS).contains(&points).then_some(kind)
}

/// Width and height of a picture of this kind, as it says itself.
pub fn size(kind: &str, bytes: &[u8]) -> Option<(u32, u32)> {
    match kind {
        "image/gif" => Some((little(bytes, 6, 2)?, little(bytes, 8, 2)?)),
        "image/png" => {
            let is_header = bytes.get(12..16)? == b"IHDR";
            is_header.then_some((big(bytes, 16, 4)?, big(bytes, 20, 4)?))
        }
        "image/webp" => webp(bytes),
        _ => jpeg(bytes),
    }
}

fn webp(bytes: &[u8]) -> Option<(u32, u32)> {
    match bytes.get(12..16)? {
        b"VP8 " => Some((little(bytes, 26, 2)? & 0x3fff, little(bytes, 28, 2)? & 0x3fff)),
        b"VP8L" => {
            let packed = little(bytes, 21, 4)?;
            Some(((packed & 0x3fff) + 1, ((packed >> 14) & 0x3fff) + 1))
        }
        b"VP8X" => Some((little(bytes, 24, 3)? + 1, little(bytes, 27, 3)? + 1)),
        _ => None,
    }
}

/// Goes from segment to segment, up to the one that begins a frame (ITU-T T.81, B.1).
fn jpeg(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut at = 2_usize;
    loop {
        let (mark, code) = (*bytes.get(at)?, *bytes.get(at + 1)?);
        match (mark, code) {
            (0xff, 0xff) => at += 1,
            (0xff, 0x01 | 0xd0..=0xd7) => at += 2,
            (0xff, 0xc4 | 0xc8 | 0xcc) => at += 2 + usize::try_from(big(bytes, at + 2, 2)?).ok()?,
            (0xff, 0xc0..=0xcf) => return Some((big(bytes, at + 7, 2)?, big(bytes, at + 5, 2)?)),
            (0xff, 0xdb..=0xfe) => at += 2 + usize::try_from(big(bytes, at + 2, 2)?).ok()?,
            _ => return None,
        }
    }
}

fn big(bytes: &[u8], at: usize, count: usize) -> Option<u32> {
    Some(bytes.get(at..at + count)?.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
}

fn little(bytes: &[u8], at: usize, count: usize) -> Option<u32> {
    Some(bytes.get(at..at + count)?.iter().rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        [b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".as_slice(), &width.to_be_bytes(), &height.to_be_bytes()].concat()
    }

    #[test]
    fn a_picture_is_told_by_its_bytes() {
        let gif = b"GIF89a\x10\0\x08\0rest";
        let jpeg = b"\xff\xd8\xff\xe0\0\x04ab\xff\xff\xc4\0\x03x\xff\xc2\0\x11\x08\0\x08\0\x10";
        let lossy = b"RIFF\x20\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x10\0\x08\0";
        let lossless = b"RIFF\x20\0\0\0WEBPVP8L\0\0\0\0\x2f\x0f\xc0\x01\0";
        let extended = b"RIFF\x20\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x0f\0\0\x07\0\0";
        let found: [(&[u8], &str); 6] = [
            (gif, "image/gif"),
            (jpeg, "image/jpeg"),
            (&png(16, 8), "image/png"),
            (lossy, "image/webp"),
            (lossless, "image/webp"),
            (extended, "image/webp"),
        ];
        for (bytes, expected) in found {
            assert_eq!((to_show(bytes), size(expected, bytes)), (Some(expected), Some((16, 8))), "{expected}");
            // cut off anywhere it is no picture, and no trouble
            for end in 0..bytes.len() {
                to_show(&bytes[..end]);
            }
        }
    }

    #[test]
    fn nothing_else_is_a_picture() {
        let svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
        for other in [svg.as_slice(), b"<!doctype html><script>", b"", b"GIF", b"\xff\xd8\xff\xd9", b"%PDF-1.7", b"BM"]
        {
            assert_eq!(to_show(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_small_file_with_more_points_than_memory_is_not_shown() {
        assert_eq!(to_show(&png(65_535, 65_535)), None);
        assert_eq!(to_show(&png(u32::MAX, u32::MAX)), None);
        assert_eq!(to_show(&png(0, 9)), None);
        assert_eq!(to_show(&png(12_000, 9_000)), Some("image/png"));
    }
}
