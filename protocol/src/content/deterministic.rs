//! That bytes are one CBOR item in its deterministic form (RFC 8949 §4.2.1), before anything is made of them.
//!
//! Every head is the shortest one, every length definite and true, texts are UTF-8, the keys of a map ascend strictly by
//! their bytes, and nothing is nested deeper than [`MAX_DEPTH`]. No floating-point numbers, and of the simple values
//! only `false`, `true` and `null`. It looks at each byte once, reserves nothing, and its depth is bounded (attack 55).

use chain::encoding::{DecodeError, Reader};

use super::{ContentError, MAX_DEPTH};

const MALFORMED: ContentError = ContentError::Malformed { field: "encoding" };

/// Checks that `bytes` are one such item, and no byte more.
pub(super) fn check(bytes: &[u8]) -> Result<(), ContentError> {
    let mut r = Reader::new(bytes);
    item(&mut r, 0)?;
    r.finish().map_err(cut)
}

fn cut(_: DecodeError) -> ContentError {
    MALFORMED
}

/// Passes over one item inside `depth` others.
fn item(r: &mut Reader<'_>, depth: usize) -> Result<(), ContentError> {
    let (major, value) = head(r)?;
    if (4..=6).contains(&major) && depth >= MAX_DEPTH {
        return Err(ContentError::TooDeep);
    }
    match major {
        0 | 1 => Ok(()),
        2 => string(r, value).map(drop),
        3 => std::str::from_utf8(string(r, value)?).map(drop).map_err(|_| MALFORMED),
        // every item has a byte at least, so a number that is not true ends with the bytes
        4 => (0..value).try_for_each(|_| item(r, depth + 1)),
        5 => map(r, value, depth + 1),
        6 => item(r, depth + 1),
        _ if (20..=22).contains(&value) => Ok(()),
        _ => Err(MALFORMED),
    }
}

fn map(r: &mut Reader<'_>, pairs: u64, depth: usize) -> Result<(), ContentError> {
    let mut last: &[u8] = &[];
    for _ in 0..pairs {
        let mut key = r.clone();
        item(r, depth)?;
        let key = key.take(key.remaining().saturating_sub(r.remaining()), "key").map_err(cut)?;
        if key <= last {
            return Err(MALFORMED);
        }
        last = key;
        item(r, depth)?;
    }
    Ok(())
}

fn string<'b>(r: &mut Reader<'b>, length: u64) -> Result<&'b [u8], ContentError> {
    let length = usize::try_from(length).map_err(|_| MALFORMED)?;
    r.take(length, "string").map_err(cut)
}

/// The major type and the number in the head of an item (RFC 8949 §3), which must be the shortest head for it.
fn head(r: &mut Reader<'_>) -> Result<(u8, u64), ContentError> {
    let first = r.u8("head").map_err(cut)?;
    let (major, short) = (first >> 5, first & 0x1f);
    let (value, least) = match short {
        0..=23 => (short.into(), 0),
        24 => (r.u8("head").map_err(cut)?.into(), 24),
        25 => (r.u16("head").map_err(cut)?.into(), 1 << 8),
        26 => (r.u32("head").map_err(cut)?.into(), 1 << 16),
        27 => (r.u64("head").map_err(cut)?, 1 << 32),
        _ => return Err(MALFORMED),
    };
    if value < least { Err(MALFORMED) } else { Ok((major, value)) }
}
