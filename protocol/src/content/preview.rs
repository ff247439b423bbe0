//! How large the picture of a message is, and what it is like from afar, before anybody has fetched it (BLB-10).
//!
//! ```text
//! extension -70002 of a message with a file: [ width: 1 to 65535, height: 1 to 65535, ThumbHash: bytes ]
//! ```
//!
//! A ThumbHash is the picture's first few waves of brightness and colour, at most 25 bytes: so few that they fill no larger
//! bucket than the file without them, and that whoever draws them needs no decoder of pictures. Anybody's bytes of the right
//! length are one. Not in scope: how it is made and drawn (`preview` and the pages in crate `app`).

use std::convert::Infallible;

use minicbor::{Decoder, Encoder, encode};

use crate::picture::MAX_POINTS;

/// Most bytes of a ThumbHash.
pub const MAX_THUMB: usize = 25;

/// The size of a picture, as it is looked at, and its ThumbHash.
#[derive(Clone, PartialEq, Eq)]
pub struct Preview {
    width: u16,
    height: u16,
    thumb: Vec<u8>,
}

impl std::fmt::Debug for Preview {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Preview(..)")
    }
}

impl Preview {
    /// BLB-10: `None` if there can be no picture of this size, or this is no ThumbHash.
    pub fn new(width: u32, height: u32, thumb: Vec<u8>) -> Option<Self> {
        let points = u64::from(width).saturating_mul(u64::from(height));
        if points > MAX_POINTS || length(&thumb) != Some(thumb.len()) {
            return None;
        }
        let side = |points: u32| u16::try_from(points).ok().filter(|points| *points > 0);
        Some(Self { width: side(width)?, height: side(height)?, thumb })
    }

    /// Points from left to right.
    pub fn width(&self) -> u32 {
        self.width.into()
    }

    /// Points from top to bottom.
    pub fn height(&self) -> u32 {
        self.height.into()
    }

    /// The ThumbHash.
    pub fn thumb(&self) -> &[u8] {
        &self.thumb
    }

    pub(super) fn write(&self, e: &mut Encoder<Vec<u8>>) -> Result<(), encode::Error<Infallible>> {
        e.array(3)?.u16(self.width)?.u16(self.height)?.bytes(&self.thumb)?;
        Ok(())
    }

    /// Reads the value of the extension, of which nothing else is taken.
    pub(super) fn read(value: &[u8]) -> Option<Self> {
        let mut d = Decoder::new(value);
        let (items, width, height) = (d.array().ok()??, d.u32().ok()?, d.u32().ok()?);
        let thumb = d.bytes().ok()?.to_vec();
        if items == 3 { Self::new(width, height, thumb) } else { None }
    }
}

/// How many bytes a ThumbHash that begins so has: five or six, and half a byte for each wave. `None`: this is no beginning.
fn length(thumb: &[u8]) -> Option<usize> {
    let [_, _, alpha, short, landscape, ..] = thumb else { return None };
    let (is_clear, is_wide) = (alpha & 0x80 != 0, landscape & 0x80 != 0);
    let long = if is_clear { 5 } else { 7 };
    let short = usize::from(short & 7);
    if !(1..=long).contains(&short) {
        return None;
    }
    let (across, down) = if is_wide { (long, short) } else { (short, long) };
    let colours = waves(3, 3).saturating_mul(2);
    let clear = if is_clear { waves(5, 5) } else { 0 };
    let all = waves(across.max(3), down.max(3)).saturating_add(colours).saturating_add(clear);
    Some(all.div_ceil(2).saturating_add(5).saturating_add(is_clear.into()))
}

/// The waves of so many across and down, without the one that does not change.
fn waves(across: usize, down: usize) -> usize {
    (0..down).map(|at| across.saturating_mul(down.saturating_sub(at)).div_ceil(down)).sum::<usize>().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ThumbHash of this size whose waves are all the same.
    fn thumb(is_clear: bool, is_wide: bool, short: u8, length: usize) -> Vec<u8> {
        let mut thumb = vec![0x77; length];
        thumb[2] = if is_clear { 0x87 } else { 7 };
        thumb[3] = thumb[3] & !7 | short;
        thumb[4] = if is_wide { 0x87 } else { 7 };
        thumb
    }

    /// BLB-10: the lengths that the algorithm's own encoder makes, and no others.
    #[test]
    fn a_preview_is_as_long_as_its_beginning_says() {
        let lengths = [(false, 7, 24), (false, 5, 21), (false, 1, 17), (true, 5, 25), (true, 1, 23)];
        for (is_clear, short, expected) in lengths {
            for is_wide in [false, true] {
                for length in 0..40 {
                    let thumb = if length < 5 { vec![7; length] } else { thumb(is_clear, is_wide, short, length) };
                    let found = Preview::new(4, 3, thumb);
                    assert_eq!(found.is_some(), length == expected, "{is_clear} {is_wide} {short} {length}");
                }
            }
        }
        for (is_clear, short) in [(false, 0), (true, 0), (true, 6), (true, 7)] {
            assert!((5..40).all(|length| Preview::new(4, 3, thumb(is_clear, true, short, length)).is_none()));
        }
    }

    /// BLB-10: a message claims nothing that no picture can be.
    #[test]
    fn an_absurd_size_is_none() {
        let thumb = || thumb(false, true, 5, 21);
        for (width, height) in [(0, 1), (1, 0), (65_536, 1), (1, 65_536), (65_535, 65_535), (u32::MAX, u32::MAX)] {
            assert_eq!(Preview::new(width, height, thumb()), None, "{width} × {height}");
        }
        for (width, height) in [(1, 1), (65_535, 1), (20_000, 11_000)] {
            let preview = Preview::new(width, height, thumb()).unwrap();
            assert_eq!((preview.width(), preview.height(), preview.thumb()), (width, height, &thumb()[..]));
        }
    }

    /// BLB-10: something else in its place is no preview.
    #[test]
    fn only_three_items_of_these_kinds_are_read() {
        let good = Preview::new(4, 3, thumb(false, true, 5, 21)).unwrap();
        let thumb = [&[0x55][..], good.thumb()].concat();
        let others: [&[&[u8]]; 6] = [
            &[&[0x82, 4, 3]],
            &[&[0x84, 4, 3], &thumb, &[1]],
            &[&[0x83, 0x23, 3], &thumb],
            &[&[0x83, 0x1b, 0, 0, 0, 1, 0, 0, 0, 0, 3], &thumb],
            &[&[0x83, 4, 3, 0x63], b"abc"],
            &[&thumb],
        ];
        assert_eq!(Preview::read(&[&[0x83, 4, 3], &thumb[..]].concat()), Some(good));
        for (at, other) in others.into_iter().enumerate() {
            assert_eq!(Preview::read(&other.concat()), None, "{at}");
        }
    }
}
