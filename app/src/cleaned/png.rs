//! PNG (W3C, third edition), also with several frames: from chunk to chunk.

use super::{Rest, turned};

/// What is needed to show it: points and palette, transparency, colours, the shape of a point, frames and their times.
const NEEDED: [&[u8; 4]; 17] = [
    b"IHDR", b"PLTE", b"IDAT", b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP", b"mDCV", b"cLLI",
    b"bKGD", b"pHYs", b"acTL", b"fcTL", b"fdAT",
];

pub(super) fn cleaned(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut rest = Rest(bytes);
    let mut kept = Vec::with_capacity(bytes.len());
    kept.extend(rest.take(8)?);
    let (mut has_header, mut has_points, mut has_exif) = (false, false, false);
    loop {
        let whole = rest.0;
        let length = usize::try_from(u32::from_be_bytes(rest.array()?)).ok()?;
        let name: [u8; 4] = rest.array()?;
        let content = rest.take(length)?;
        rest.take(4)?;
        let chunk = rest.since(whole);
        has_header |= name == *b"IHDR";
        match &name {
            _ if !has_header => return None,
            b"IEND" => {
                keep(&mut kept, b"IEND", &[]);
                return has_points.then_some(kept);
            }
            b"eXIf" if !has_exif => {
                has_exif = true;
                turned(content).iter().for_each(|exif| keep(&mut kept, b"eXIf", exif));
            }
            name if NEEDED.contains(&name) => {
                has_points |= *name == *b"IDAT";
                kept.extend(chunk);
            }
            // a capital letter: nobody can show the picture who does not know it
            [b'A'..=b'Z', ..] => return None,
            _ => {}
        }
    }
}

fn keep(kept: &mut Vec<u8>, name: &[u8; 4], content: &[u8]) {
    kept.extend(u32::try_from(content.len()).unwrap_or_default().to_be_bytes());
    kept.extend(name);
    kept.extend(content);
    kept.extend(crc(name.iter().chain(content)).to_be_bytes());
}

/// CRC-32 as PNG has it, of a few bytes.
fn crc<'b>(bytes: impl Iterator<Item = &'b u8>) -> u32 {
    !bytes.fold(!0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| sum >> 1 ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 })
    })
}
