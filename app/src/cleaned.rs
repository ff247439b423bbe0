//! A picture as it is sent (BLB-11): its points and colours as they are, without what its file tells besides, such as where, when
//! and with what it was taken. Nothing is decoded: parts of the file that are known to be needed are taken over byte by byte, all
//! others are left behind, and what stands behind the end as well. The same file always gives the same bytes.
//!
//! Written here and not taken from a library: those for containers (img-parts) take out what they know and leave the rest in,
//! and with a JPEG all that follows its first scan.

mod gif;
mod jpeg;
mod png;
mod webp;

use image::metadata::Orientation;

use crate::picture::kind;

/// What is left of a picture; nothing if this is none, or it breaks off, or parts of it are not known.
pub(crate) fn cleaned(bytes: &[u8]) -> Option<Vec<u8>> {
    match kind(bytes)? {
        "image/gif" => gif::cleaned(bytes),
        "image/jpeg" => jpeg::cleaned(bytes),
        "image/png" => png::cleaned(bytes),
        "image/webp" => webp::cleaned(bytes),
        _ => None,
    }
}

/// What is not read yet.
struct Rest<'b>(&'b [u8]);

impl<'b> Rest<'b> {
    fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    /// The bytes between an earlier place and this one.
    fn since(&self, before: &'b [u8]) -> &'b [u8] {
        before.get(..before.len().saturating_sub(self.0.len())).unwrap_or_default()
    }
}

/// Exif that says how a picture is to be turned as this one does, and nothing else; none if it is not to be turned.
fn turned(exif: &[u8]) -> Option<[u8; 26]> {
    let orientation = Orientation::from_exif_chunk(exif).filter(|it| *it != Orientation::NoTransforms)?;
    // TIFF 6.0 and Exif 2.3: one entry, tag 0x0112, one short, and no further list
    let mut bare = *b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0";
    bare[19] = orientation.to_exif();
    Some(bare)
}

#[cfg(test)]
mod tests;
