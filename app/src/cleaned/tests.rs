//! Pictures as telephones and programs make them, with all that they tell, and pictures that are none.

use std::io::Cursor;

use image::codecs::gif::{GifDecoder, GifEncoder, Repeat};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{PngDecoder, PngEncoder};
use image::codecs::webp::{WebPDecoder, WebPEncoder};
use image::{
    AnimationDecoder as _, DynamicImage, ExtendedColorType, Frame, ImageDecoder as _, ImageEncoder, ImageReader,
    RgbImage,
};

use super::*;

const MARK: &[u8] = b"marker-of-the-place";
const KINDS: [&str; 4] = ["image/gif", "image/jpeg", "image/png", "image/webp"];
const ICC_PROFILE: &[u8] = b"colours, as far as anybody asks here";

fn tells(bytes: &[u8]) -> bool {
    bytes.windows(MARK.len()).any(|part| part == MARK)
}

fn points() -> RgbImage {
    RgbImage::from_fn(24, 16, |x, y| image::Rgb([x, y, x * y].map(|it| u8::try_from(it * 9 % 256).unwrap())))
}

/// What a camera writes: how it was held, and a text; in the order of bytes that most of them have.
fn exif(orientation: u8) -> Vec<u8> {
    let head = b"II\x2a\0\x08\0\0\0\x02\0\x0e\x01\x02\0\x13\0\0\0\x26\0\0\0";
    let turned = [0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0, 0, 0, 0, 0];
    [&head[..], &turned, MARK].concat()
}

fn made(encode: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(&mut bytes);
    bytes
}

fn with_profile(mut encoder: impl ImageEncoder, orientation: u8) {
    encoder.set_icc_profile(ICC_PROFILE.to_vec()).unwrap();
    encoder.set_exif_metadata(exif(orientation)).unwrap();
    encoder.write_image(&points(), 24, 16, ExtendedColorType::Rgb8).unwrap();
}

/// Puts something in front of the first place where such bytes stand.
fn before(bytes: &[u8], place: &[u8], put: &[u8]) -> Vec<u8> {
    let at = bytes.windows(place.len()).position(|part| part == place).unwrap();
    [&bytes[..at], put, &bytes[at..]].concat()
}

fn segment(code: u8, head: &[u8], rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(head.len() + rest.len() + 2).unwrap();
    [&[0xff, code], &length.to_be_bytes()[..], head, rest].concat()
}

fn png_chunk(name: &[u8], content: &[u8]) -> Vec<u8> {
    let named = [name, content].concat();
    let sum = !named.iter().fold(!0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| sum >> 1 ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 })
    });
    [&u32::try_from(content.len()).unwrap().to_be_bytes()[..], &named, &sum.to_be_bytes()].concat()
}

fn webp_chunk(name: &[u8], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_le_bytes();
    [name, &length, content, if content.len() % 2 == 1 { &[0] } else { &[] }].concat()
}

fn riff(chunks: &[u8]) -> Vec<u8> {
    [b"RIFF", &u32::try_from(chunks.len() + 4).unwrap().to_le_bytes()[..], b"WEBP", chunks].concat()
}

fn jpeg(orientation: u8) -> Vec<u8> {
    let plain = made(|bytes| with_profile(JpegEncoder::new_with_quality(bytes, 90), orientation));
    let told = [
        segment(0xe0, b"JFXX\0\x10", MARK),
        segment(0xe1, b"http://ns.adobe.com/xap/1.0/\0", MARK),
        segment(0xe2, b"MPF\0", MARK),
        segment(0xe7, b"", MARK),
        segment(0xeb, b"JP", MARK),
        segment(0xed, b"Photoshop 3.0\x008BIM", MARK),
        segment(0xee, b"Adobe\0\x64\0\0\0\0\x01", MARK),
        segment(0xef, b"", MARK),
        segment(0xfe, b"", MARK),
        // and what stands between segments
        MARK.to_vec(),
    ];
    let full = before(&plain, b"\xff\xdb", &told.concat());
    // of several scans the later ones have segments in front of them too
    let end = full.len() - 2;
    let between =
        [segment(0xfe, b"", MARK), segment(0xe2, b"ICC_PROFILE\0\x01\x01", MARK), segment(0xe1, b"Exif\0\0", MARK)]
            .concat();
    [&full[..end], &between, &full[end..]].concat()
}

fn png(orientation: u8) -> Vec<u8> {
    let plain = made(|bytes| with_profile(PngEncoder::new(bytes), orientation));
    let told = [
        png_chunk(b"tEXt", &[b"Comment\0", MARK].concat()),
        png_chunk(b"iTXt", &[b"XML:com.adobe.xmp\0\0\0\0\0", MARK].concat()),
        png_chunk(b"zTXt", MARK),
        png_chunk(b"tIME", &MARK[..7]),
        png_chunk(b"eXIf", &exif(3)),
        png_chunk(b"caBX", MARK),
    ];
    let at = plain.windows(4).position(|name| name == b"IDAT").unwrap() - 4;
    let end = plain.len() - 12;
    [&plain[..at], &told.concat(), &plain[at..end], &png_chunk(b"iTXt", MARK), &plain[end..]].concat()
}

fn webp(orientation: u8) -> Vec<u8> {
    let plain = made(|bytes| with_profile(WebPEncoder::new_lossless(bytes), orientation));
    let mut chunks = plain[12..].to_vec();
    chunks[8] |= 4;
    chunks.extend(webp_chunk(b"EXIF", &exif(3)));
    chunks.extend(webp_chunk(b"XMP ", MARK));
    chunks.extend(webp_chunk(b"JUNK", MARK));
    riff(&chunks)
}

fn gif() -> Vec<u8> {
    let plain = made(|bytes| {
        let mut encoder = GifEncoder::new(bytes);
        encoder.set_repeat(Repeat::Infinite).unwrap();
        let picture = DynamicImage::from(points()).into_rgba8();
        encoder.encode_frames([picture.clone(), picture].map(Frame::new)).unwrap();
    });
    let told = |label: u8, head: &[u8]| [b"!", &[label][..], head, &[19], MARK, b"\0"].concat();
    let told = [told(0xfe, b""), told(0xff, b"\x0bXMP DataXMP"), told(0x01, b"\x0c123456789012")].concat();
    let end = plain.len() - 1;
    [&before(&plain[..end], b"!\xf9", &told)[..], &told, &plain[end..]].concat()
}

/// A picture of a kind that tells all that it can, also behind its end.
fn full(kind: &str, orientation: u8) -> Vec<u8> {
    let picture = match kind {
        "image/gif" => gif(),
        "image/jpeg" => jpeg(orientation),
        "image/png" => png(orientation),
        _ => webp(orientation),
    };
    assert!(tells(&picture));
    picture
}

/// What somebody sees: points, colours, and how it is turned.
fn seen(bytes: &[u8]) -> (DynamicImage, Option<Vec<u8>>, Orientation) {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().unwrap();
    let mut decoder = reader.into_decoder().unwrap();
    let (profile, turned) = (decoder.icc_profile().unwrap(), decoder.orientation().unwrap());
    (DynamicImage::from_decoder(decoder).unwrap(), profile, turned)
}

/// BLB-11.
#[test]
fn a_picture_looks_the_same_and_tells_nothing_else() {
    for kind in KINDS {
        for orientation in 1..=8 {
            let full = full(kind, orientation);
            let trailed = [&full[..], b"\xff\xd8\xff\xe1", MARK].concat();
            let bare = cleaned(&trailed).unwrap_or_else(|| panic!("{kind}"));
            assert!(!tells(&bare) && bare.len() < full.len(), "{kind}, {orientation}");
            assert!(seen(&bare) == seen(&full), "{kind}, {orientation}");
            assert_eq!(cleaned(&full).as_ref(), Some(&bare), "{kind}: the same, whatever is behind it");
            assert_eq!(cleaned(&bare).as_ref(), Some(&bare), "{kind}: nothing is left to take away");
            if kind != "image/gif" {
                let (_, profile, turned) = seen(&bare);
                assert_eq!((profile.as_deref(), turned.to_exif()), (Some(ICC_PROFILE), orientation), "{kind}");
                let has_exif = bare.windows(4).any(|part| matches!(part, b"MM\0\x2a" | b"II\x2a\0"));
                assert_eq!(has_exif, orientation != 1, "{kind}: no Exif but for that");
            }
        }
    }
}

/// BLB-11: what has nothing to tell is sent as it is.
#[test]
fn a_bare_picture_stays_what_it_is() {
    let picture = points();
    let encoded = |format| {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    };
    use image::ImageFormat::{Gif, Jpeg, Png, WebP};
    for format in [Gif, Jpeg, Png, WebP] {
        let bytes = encoded(format);
        assert_eq!(cleaned(&bytes), Some(bytes), "{format:?}");
    }
}

/// BLB-11: a small picture beside the large one is gone, and how the colours are stored is not.
#[test]
fn a_jpeg_keeps_its_colours_and_no_thumbnail() {
    let plain = made(|bytes| with_profile(JpegEncoder::new_with_quality(bytes, 90), 1));
    let jfif = plain.windows(5).position(|part| part == b"JFIF\0").unwrap() - 4;
    let (sizes, behind) = (&plain[jfif + 9..jfif + 16], &plain[jfif + 18..]);
    let small = segment(0xe0, b"JFIF\0", &[sizes, &[1, 6], &MARK[..18]].concat());
    let with_small = [&plain[..jfif], &small, behind].concat();
    assert_eq!(cleaned(&with_small), cleaned(&plain));
    // without this, the three colours of each point would be taken for others
    let adobe = segment(0xee, b"Adobe\0\x64\0\0\0\0\0", b"");
    let stored_otherwise = before(&[&plain[..jfif], behind].concat(), b"\xff\xdb", &adobe);
    let bare = cleaned(&stored_otherwise).unwrap();
    assert!(seen(&bare) == seen(&stored_otherwise) && seen(&bare).0 != seen(&plain).0);
}

/// BLB-11: what moves goes on moving.
#[test]
fn an_animation_keeps_its_frames() {
    let frames =
        |bytes: &[u8]| GifDecoder::new(Cursor::new(bytes.to_vec())).unwrap().into_frames().collect_frames().unwrap();
    let [full_frames, bare_frames] = [gif(), cleaned(&gif()).unwrap()].map(|bytes| frames(&bytes));
    let times = |frames: &[Frame]| frames.iter().map(|it| (it.delay(), it.buffer().clone())).collect::<Vec<_>>();
    assert!(full_frames.len() == 2 && times(&full_frames) == times(&bare_frames));
    let bare = cleaned(&gif()).unwrap();
    assert!(bare.windows(11).any(|part| part == b"NETSCAPE2.0"), "it begins again");

    let still =
        made(|bytes| WebPEncoder::new_lossless(bytes).encode(&points(), 24, 16, ExtendedColorType::Rgb8).unwrap());
    let frame = [&[0; 6][..], &[23, 0, 0, 15, 0, 0, 100, 0, 0, 0], &still[12..], &webp_chunk(b"tell", MARK)].concat();
    let head = webp_chunk(b"VP8X", &[2, 0, 0, 0, 23, 0, 0, 15, 0, 0]);
    let frame = webp_chunk(b"ANMF", &frame);
    let full = riff(&[&head[..], &webp_chunk(b"ANIM", &[0; 6]), &frame, &frame].concat());
    let bare = cleaned(&full).unwrap();
    let frames = |bytes: &[u8]| {
        let decoder = WebPDecoder::new(Cursor::new(bytes.to_vec())).unwrap();
        assert!(decoder.has_animation());
        decoder.into_frames().collect_frames().unwrap()
    };
    assert!(frames(&bare).len() == 2 && times(&frames(&bare)) == times(&frames(&full)) && !tells(&bare));

    let still = made(|bytes| with_profile(PngEncoder::new(bytes), 1));
    let (at, end) = (still.windows(4).position(|name| name == b"IDAT").unwrap() - 4, still.len() - 12);
    let size = [0, 0, 0, 24, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 10, 0, 0];
    let control = |number: u8| png_chunk(b"fcTL", &[&[0, 0, 0, number], &size[..]].concat());
    let second = png_chunk(b"fdAT", &[&[0, 0, 0, 2], &still[at + 8..end - 4]].concat());
    let begun = png_chunk(b"acTL", &[0, 0, 0, 2, 0, 0, 0, 0]);
    let told = png_chunk(b"tEXt", MARK);
    let full =
        [&still[..at], &begun, &control(0), &still[at..end], &told, &control(1), &second, &still[end..]].concat();
    let bare = cleaned(&full).unwrap();
    let frames = |bytes: &[u8]| {
        let decoder = PngDecoder::new(Cursor::new(bytes.to_vec())).unwrap();
        decoder.apng().unwrap().into_frames().collect_frames().unwrap()
    };
    assert!(frames(&bare).len() == 2 && times(&frames(&bare)) == times(&frames(&full)) && !tells(&bare));
}

/// BLB-11: where a picture ends is not known, so nobody can say what stands behind it.
#[test]
fn a_picture_that_breaks_off_cannot_be_cleaned() {
    for kind in KINDS {
        let bare = cleaned(&full(kind, 6)).unwrap();
        for picture in [&full(kind, 6), &bare] {
            for cut in 0..picture.len() {
                let left = cleaned(&picture[..cut]);
                // between two of its blocks a GIF may end, also without saying so
                let may_be =
                    kind == "image/gif" && left.as_ref().is_some_and(|it| bare.starts_with(&it[..it.len() - 1]));
                assert!(left.is_none() || may_be, "{kind}, cut to {cut}");
            }
        }
    }
    // nor what is a picture by its beginning only, or holds what every decoder has to know
    let (head, points) = (&png(1)[..33], &png(1)[33..]);
    let apple = [head, &png_chunk(b"CgBI", &[0; 4]), points].concat();
    for bytes in [&b"\xff\xd8\xff\xd9"[..], b"GIF89a\0\0\0\0\0\0\0;", &riff(b""), &apple] {
        assert!(kind(bytes).is_some());
        assert_eq!(cleaned(bytes), None);
    }
}

/// BLB-11: whatever somebody has on his disk, reading it does no harm; and what is called clean is.
#[test]
fn damaged_pictures_are_read_without_harm() {
    for kind in KINDS {
        let full = full(kind, 6);
        for at in 0..full.len() {
            for bit in 0..8 {
                let mut bent = full.clone();
                bent[at] ^= 1 << bit;
                if let Some(bare) = cleaned(&bent) {
                    assert!(bare.len() <= bent.len() + 4 && cleaned(&bare) == Some(bare), "{kind}: bit {bit} of {at}");
                }
            }
        }
        let mut wild = 0x2545_f491_u32;
        for _ in 0..2_000 {
            let mut bytes = full[..16].to_vec();
            bytes.extend((0..200).map(|_| {
                wild = wild.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                // ends, markers and short lengths more often than anything else
                [0xff, 0, 0xd9, 1, wild.to_be_bytes()[1]][usize::try_from(wild >> 29).unwrap().min(4)]
            }));
            cleaned(&bytes);
        }
    }
}

/// BLB-11: parts that are shorter than what is to be in them, wherever they stand, and the last one without what fills it up.
#[test]
fn parts_that_are_too_short_are_read_without_harm() {
    let [jpeg, png] = [jpeg(6), png(6)];
    let (frame, points) = (&jpeg[..2], &jpeg[2..]);
    for length in 0..24 {
        let content = vec![1; length];
        for code in 0xc0..=0xfe_u8 {
            for head in [&b"JFIF\0"[..], b"Exif\0\0", b"ICC_PROFILE\0", b"Adobe", b""] {
                cleaned(&[frame, &segment(code, head, &content), points].concat());
            }
        }
        for name in [b"IHDR", b"PLTE", b"IDAT", b"tRNS", b"iCCP", b"pHYs", b"acTL", b"fcTL", b"fdAT", b"eXIf", b"IEND"]
        {
            cleaned(&[&png[..8], &png_chunk(name, &content), &png[8..]].concat());
            cleaned(&[&png[..33], &png_chunk(name, &content), &png[33..]].concat());
        }
        for name in [b"VP8X", b"VP8 ", b"VP8L", b"ANMF", b"ICCP", b"ANIM", b"ALPH", b"EXIF", b"JUNK"] {
            let chunk = webp_chunk(name, &content);
            let bare = chunk.strip_suffix(&[0]).unwrap_or(&chunk);
            for chunks in [&chunk[..], bare, &[&webp_chunk(b"VP8X", &content)[..], bare].concat()] {
                if let Some(bare) = cleaned(&riff(chunks)) {
                    assert_eq!(cleaned(&bare), Some(bare), "{name:?}, {length}");
                }
            }
        }
        let block = [&b"!\xff"[..], &[u8::try_from(length).unwrap()], &content, b"\0"].concat();
        cleaned(&before(&gif(), b"!\xf9", &block));
    }
}

/// BLB-11: whatever an Exif says of itself, with places that lead beyond it, back to its beginning or in a circle: of what it tells
/// nothing goes along.
#[test]
fn an_exif_that_lies_about_itself_gives_nothing_away() {
    for kind in ["image/jpeg", "image/png", "image/webp"] {
        let (full, exif) = (full(kind, 6), exif(6));
        let at = full.windows(exif.len()).position(|part| part == exif).unwrap();
        for place in 0..exif.len() - MARK.len() {
            for value in [[0, 0], [0xff, 0xff], [8, 0], [0, 8], [1, 0], [0xff, 0x7f]] {
                let mut bent = full.clone();
                bent[at + place..at + place + 2].copy_from_slice(&value);
                let bare = cleaned(&bent).unwrap();
                assert!(!tells(&bare), "{kind}: {value:?} at {place}");
                let count = bare.windows(4).filter(|part| matches!(*part, b"MM\0\x2a" | b"II\x2a\0")).count();
                assert!(count <= 1 && bare.len() < full.len(), "{kind}: {value:?} at {place}");
            }
        }
    }
}
