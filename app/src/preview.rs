//! What an own picture is like from afar, to go with the message that names it (BLB-10): its size as it is looked at, and its
//! ThumbHash. Only what this machine sends is decoded, with bounds; what cannot be is sent without.

use std::io::{BufReader, Read, Seek};
use std::sync::{Mutex, PoisonError};
use std::thread;

use image::metadata::Orientation as Turned;
use image::{DynamicImage, ImageDecoder as _, ImageFormat, ImageReader, Limits};
use protocol::content::Preview;

use crate::picture::MOST_SHOWN;

/// Most bytes of memory for the points of a picture: 85 million of three bytes. A decoder takes up to three times as much.
const MOST_DECODED: u64 = 256_000_000;
/// Points of the longer side of which the waves are counted; more make no difference.
const SIDE: u32 = 100;

/// The preview of a file of this type that was opened and not read.
pub(crate) fn of(file: impl Read + Seek + Send + 'static, kind: &str, length: u64) -> Option<Preview> {
    decoded(file, kind, length, |picture, turned| preview(&picture, turned))
}

fn preview(picture: &DynamicImage, turned: Turned) -> Option<Preview> {
    let (width, height) = match turned {
        Turned::Rotate90 | Turned::Rotate270 | Turned::Rotate90FlipH | Turned::Rotate270FlipH => {
            (picture.height(), picture.width())
        }
        Turned::NoTransforms | Turned::Rotate180 | Turned::FlipHorizontal | Turned::FlipVertical => {
            (picture.width(), picture.height())
        }
    };
    let mut small = picture.thumbnail(SIDE, SIDE);
    small.apply_orientation(turned);
    let small = small.into_rgba8();
    let side = |points: u32| usize::try_from(points).unwrap_or_default();
    let thumb = thumbhash::rgba_to_thumb_hash(side(small.width()), side(small.height()), small.as_raw());
    Preview::new(width, height, thumb)
}

/// What somebody makes of a picture of this type that he has here: its points, and how they are to be turned. Nothing, if that
/// would take too much memory, or it is none.
pub(crate) fn decoded<T: Send + 'static>(
    file: impl Read + Seek + Send + 'static,
    kind: &str,
    length: u64,
    make: impl FnOnce(DynamicImage, Turned) -> Option<T> + Send + 'static,
) -> Option<T> {
    // one after the other, so that many pictures take no more memory than one
    static ONE: Mutex<()> = Mutex::new(());
    let format = ImageFormat::from_mime_type(kind).filter(|_| length <= MOST_SHOWN)?;
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let made = thread::spawn(move || {
        let (picture, turned) = opened(file, format)?;
        make(picture, turned)
    });
    // a decoder that gives up costs this thread, and no message
    made.join().ok()?
}

fn opened(file: impl Read + Seek, format: ImageFormat) -> Option<(DynamicImage, Turned)> {
    let mut reader = ImageReader::with_format(BufReader::new(file), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_DECODED);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().ok()?;
    if decoder.total_bytes() > MOST_DECODED {
        return None;
    }
    let turned = decoder.orientation().ok()?;
    Some((DynamicImage::from_decoder(decoder).ok()?, turned))
}

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, Write as _};

    use image::{ExtendedColorType, ImageEncoder as _, Rgb, RgbImage};

    use super::*;

    fn preview(bytes: &[u8], kind: &str) -> Option<Preview> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        of(file, kind, bytes.len() as u64)
    }

    /// Red on the left, blue on the right.
    fn two_colours(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, _| if x < width / 2 { Rgb([220, 20, 20]) } else { Rgb([20, 20, 220]) })
    }

    fn encoded(picture: &RgbImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    /// A photo of a telephone that was held upright.
    fn turned(picture: &RgbImage) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 80);
        // TIFF 6.0 and Exif 2.3: one entry, tag 0x0112, a short, 6: what is the upper edge is the right one to look at
        let exif = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        encoder.set_exif_metadata(exif.to_vec()).unwrap();
        encoder.write_image(picture, picture.width(), picture.height(), ExtendedColorType::Rgb8).unwrap();
        bytes
    }

    /// BLB-10.
    #[test]
    fn a_picture_of_each_kind_has_a_preview() {
        let picture = two_colours(400, 300);
        for (kind, format) in [
            ("image/gif", ImageFormat::Gif),
            ("image/jpeg", ImageFormat::Jpeg),
            ("image/png", ImageFormat::Png),
            ("image/webp", ImageFormat::WebP),
        ] {
            let preview = preview(&encoded(&picture, format), kind).unwrap_or_else(|| panic!("{kind}"));
            assert_eq!((preview.width(), preview.height()), (400, 300), "{kind}");
            let (width, height, points) = thumbhash::thumb_hash_to_rgba(preview.thumb()).unwrap();
            assert!(width > height, "{kind}");
            let row = &points[width * 4 * (height / 2)..][..width * 4];
            assert!(row[0] > row[2] && row[width * 4 - 4] < row[width * 4 - 2], "{kind}: red, then blue");
        }
    }

    /// BLB-10: size and preview are those of what somebody sees.
    #[test]
    fn a_picture_that_was_taken_upright_stands_upright() {
        let preview = preview(&turned(&two_colours(400, 300)), "image/jpeg").unwrap();
        assert_eq!((preview.width(), preview.height()), (300, 400));
        let (width, height, points) = thumbhash::thumb_hash_to_rgba(preview.thumb()).unwrap();
        let last = &points[width * 4 * (height - 1)..];
        assert!(height > width && points[0] > points[2] && last[0] < last[2], "red above, blue below");
    }

    /// BLB-10: whatever somebody sends, he sends it.
    #[test]
    fn what_cannot_be_decoded_has_none() {
        let good = encoded(&two_colours(40, 30), ImageFormat::Png);
        let mut bomb = good.clone();
        bomb[16..24].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
        // the checksum of a header is looked at first
        let sum = crc(&bomb[12..29]);
        bomb[29..33].copy_from_slice(&sum.to_be_bytes());
        assert_eq!(preview(&bomb, "image/png"), None);
        for cut in [0, 8, 20, 40, good.len() / 2] {
            assert_eq!(preview(&good[..cut], "image/png"), None, "cut to {cut}");
        }
        for (bytes, kind) in [(&good[..], "image/jpeg"), (b"GIF89a", "image/gif"), (b"%PDF", "application/pdf")] {
            assert_eq!(preview(bytes, kind), None, "{kind}");
        }
        assert!(preview(&good, "image/png").is_some());
    }

    /// CRC-32 as PNG has it.
    fn crc(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0, |sum, byte| {
            (0..8).fold(sum ^ u32::from(*byte), |sum, _| sum >> 1 ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 })
        })
    }
}
