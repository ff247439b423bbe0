//! The picture of a conversation, made of a file of this machine: a small square without anything but what it shows (MSG-13).

use std::fs::File;

use image::codecs::jpeg::JpegEncoder;
use image::imageops::thumbnail;
use image::{DynamicImage, GenericImageView as _, Rgb, RgbImage};
use protocol::content::MAX_PICTURE;

use crate::preview::decoded;

/// Points of a side.
const SIDE: u32 = 128;
/// How well it is kept, from the best to what always has room.
const QUALITIES: [u8; 6] = [90, 80, 65, 50, 30, 10];

/// A JPEG of the middle of a picture of this type; the file was opened and not read.
pub(crate) fn of(file: File, kind: &str, length: u64) -> Option<Vec<u8>> {
    decoded(file, kind, length, |picture, turned| {
        let side = picture.width().min(picture.height());
        let (left, top) = ((picture.width() - side) / 2, (picture.height() - side) / 2);
        let small = side.clamp(1, SIDE);
        let middle = picture.view(left, top, side, side);
        let mut square = DynamicImage::ImageRgba8(thumbnail(&*middle, small, small));
        square.apply_orientation(turned);
        let square = on_white(&square);
        QUALITIES.into_iter().find_map(|quality| {
            let mut jpeg = Vec::new();
            JpegEncoder::new_with_quality(&mut jpeg, quality).encode_image(&square).ok()?;
            (jpeg.len() <= MAX_PICTURE).then_some(jpeg)
        })
    })
}

/// A JPEG lets nothing shine through.
fn on_white(picture: &DynamicImage) -> RgbImage {
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [red, green, blue, alpha] = picture.get_pixel(x, y).0.map(u32::from);
        let on_white = |colour: u32| u8::try_from((colour * alpha + 255 * (255 - alpha)) / 255).unwrap_or(u8::MAX);
        Rgb([red, green, blue].map(on_white))
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Seek as _, Write as _};

    use image::{ImageFormat, ImageReader, Rgba, RgbaImage};
    use protocol::content::Part;

    use super::*;

    fn portrait(picture: &DynamicImage) -> Option<Vec<u8>> {
        let (mut file, mut bytes) = (tempfile::tempfile().unwrap(), Cursor::new(Vec::new()));
        picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
        file.write_all(bytes.get_ref()).unwrap();
        file.rewind().unwrap();
        of(file, "image/png", bytes.get_ref().len() as u64)
    }

    /// MSG-13: whatever it is made of, it has room where pictures of conversations go.
    #[test]
    fn a_portrait_is_a_small_square_jpeg() {
        // nothing is worse to compress
        let noise = RgbImage::from_fn(900, 500, |x, y| {
            let wild =
                x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(2_246_822_519) ^ (x * y).wrapping_mul(3_266_489_917);
            Rgb([wild.to_le_bytes()[1], wild.to_le_bytes()[2], wild.to_le_bytes()[3]])
        });
        for (width, expected) in [(900, 128), (60, 60), (1, 1)] {
            let picture = DynamicImage::ImageRgb8(noise.clone()).crop_imm(0, 0, width, width.max(500).min(width * 2));
            let jpeg = portrait(&picture).unwrap();
            let read = ImageReader::with_format(Cursor::new(&jpeg), ImageFormat::Jpeg).decode().unwrap();
            assert_eq!((read.width(), read.height()), (expected, expected));
            assert!(Part::picture(jpeg).is_ok());
        }
    }

    #[test]
    fn it_shows_the_middle_and_white_where_nothing_is() {
        let picture = RgbaImage::from_fn(300, 100, |x, y| match (x, y) {
            (100..200, 0..50) => Rgba([0, 200, 0, 255]),
            (100..200, _) => Rgba([0, 0, 0, 0]),
            _ => Rgba([200, 0, 0, 255]),
        });
        let jpeg = portrait(&DynamicImage::ImageRgba8(picture)).unwrap();
        let read = ImageReader::with_format(Cursor::new(&jpeg), ImageFormat::Jpeg).decode().unwrap().into_rgb8();
        let [green, white] = [read.get_pixel(50, 20).0, read.get_pixel(50, 80).0];
        assert!(green[1] > 150 && green[0] < 60 && white.iter().all(|it| *it > 200), "{green:?} {white:?}");
    }
}
