//! JPEG (ITU-T T.81, B.1): from segment to segment, in front of the first scan and between the scans.

use super::{Rest, turned};

const START_OF_SCAN: u8 = 0xda;
const END: u8 = 0xd9;

const JFIF: &[u8] = b"JFIF\0";
const EXIF: &[u8] = b"Exif\0\0";
const ICC: &[u8] = b"ICC_PROFILE\0";
const ADOBE: &[u8] = b"Adobe";

pub(super) fn cleaned(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut rest = Rest(bytes);
    let mut kept = Vec::with_capacity(bytes.len());
    kept.extend(rest.take(2)?);
    let (mut has_scan, mut has_jfif, mut has_exif) = (false, false, false);
    loop {
        let code = marker(&mut rest)?;
        match code {
            END => {
                kept.extend([0xff, END]);
                return has_scan.then_some(kept);
            }
            // of no use outside of a scan
            0x01 | 0xd0..=0xd7 => {}
            START_OF_SCAN => {
                has_scan = true;
                keep(&mut kept, code, segment(&mut rest)?);
                kept.extend(scan(&mut rest)?);
            }
            // frames, tables, restarts, lines
            0xc0..=0xc7 | 0xc9..=0xcf | 0xdb..=0xdd => keep(&mut kept, code, segment(&mut rest)?),
            // what applications and people add: of it counts what stands in front of the picture
            0xe0..=0xef | 0xfe => {
                let content = segment(&mut rest)?;
                match code {
                    _ if has_scan => {}
                    // without the thumbnail that may be in it
                    0xe0 if content.starts_with(JFIF) && !has_jfif => {
                        has_jfif = true;
                        let sizes = content.get(JFIF.len()..12)?;
                        keep(&mut kept, code, &[JFIF, sizes, &[0, 0]].concat());
                    }
                    0xe1 if content.starts_with(EXIF) && !has_exif => {
                        has_exif = true;
                        let exif = content.get(EXIF.len()..).and_then(turned);
                        exif.into_iter().for_each(|exif| keep(&mut kept, code, &[EXIF, &exif].concat()));
                    }
                    0xe2 if content.starts_with(ICC) => keep(&mut kept, code, content),
                    // how the colours are stored
                    0xee if content.starts_with(ADOBE) => keep(&mut kept, code, content.get(..12)?),
                    _ => {}
                }
            }
            _ => return None,
        }
    }
}

/// The code of the next marker; what stands in front of it is nothing to any decoder.
fn marker(rest: &mut Rest<'_>) -> Option<u8> {
    loop {
        while rest.byte()? != 0xff {}
        let code = loop {
            match rest.byte()? {
                0xff => {}
                code => break code,
            }
        };
        if code != 0 {
            return Some(code);
        }
    }
}

fn segment<'b>(rest: &mut Rest<'b>) -> Option<&'b [u8]> {
    let length = usize::from(u16::from_be_bytes(rest.array()?));
    rest.take(length.checked_sub(2)?)
}

/// The coded points of a scan, up to the next marker.
fn scan<'b>(rest: &mut Rest<'b>) -> Option<&'b [u8]> {
    let mut length = 0_usize;
    loop {
        length = length.checked_add(rest.0.get(length..)?.iter().position(|byte| *byte == 0xff)?)?;
        match rest.0.get(length.checked_add(1)?)? {
            0 | 0xd0..=0xd7 => length = length.checked_add(2)?,
            _ => return rest.take(length),
        }
    }
}

fn keep(kept: &mut Vec<u8>, code: u8, content: &[u8]) {
    // as long as it was, or shorter
    let length = u16::try_from(content.len().saturating_add(2)).unwrap_or(u16::MAX);
    kept.extend([0xff, code]);
    kept.extend(length.to_be_bytes());
    kept.extend(content);
}
