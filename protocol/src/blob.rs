//! Files on their way: padded, cut into chunks, each chunk sealed, so that none can be changed, moved, left out or added
//! (docs/protocol.md §29, rules BLB-1 to BLB-3).
//!
//! ```text
//! file ‖ zeros                  filled to a Padmé length (PURBs, PETS 2019): at most 12 % more, few lengths to tell apart
//! chunk 0, chunk 1, …           65,520 bytes each, the last one what is left
//! AES-256-GCM of each           nonce: prefix 7 ‖ number of the chunk u32 ‖ 1 for the last chunk, else 0; the tag behind
//! ```
//!
//! That is STREAM (Hoang, Reyhanitabar, Rogaway, Vizár: Online Authenticated-Encryption, 2015). Key and prefix are random
//! and for one file; **they must never seal two different files**, so whoever seals compares each part with a hash that
//! was made before the first one was sealed ([`Manifest`]).
//!
//! Not in scope: reading and writing files, asking the service, when what is done (crates `client` and `app`).

use std::ops::Range;

use aes_gcm::aead::{AeadInPlace as _, KeyInit as _};
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use chain::id::Digest;
use thiserror::Error;
use zeroize::Zeroizing;

/// Most bytes of a file: 2 GiB.
pub const MAX_FILE: u64 = 2 << 30;
/// Bytes of a sealed chunk; the last one may be shorter.
pub const SEALED_CHUNK: usize = 65_536;
/// Bytes of a file in a chunk; the last one may be shorter.
pub const CHUNK: usize = SEALED_CHUNK - TAG;
/// Chunks of a part: what is compared with one hash, and sent in one request at most.
pub const PART_CHUNKS: u64 = 128;
/// Bytes of a sealed part: 8 MiB.
pub const MAX_PART: u64 = PART_CHUNKS * SEALED_CHUNK as u64;
/// Bytes of a file in a part.
pub const PART: u64 = PART_CHUNKS * CHUNK as u64;

/// Bytes that the cipher adds to each chunk.
const TAG: usize = 16;
/// Small files are filled up to this.
const SMALLEST: u64 = 4_096;

/// What the service gave is not what was sealed: another blob, or one that was changed, cut off, or put together anew
/// (BLB-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("what the service has is not the file that was sent")]
pub struct BlobBroken;

impl BlobBroken {
    /// The stable code.
    pub const CODE: &str = "blob.hash";
}

/// Key and nonce prefix of one file.
#[derive(Clone, PartialEq, Eq)]
pub struct BlobKey {
    /// The key of AES-256-GCM.
    pub key: Zeroizing<[u8; 32]>,
    /// The beginning of every nonce.
    pub prefix: [u8; 7],
}

impl std::fmt::Debug for BlobKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BlobKey(..)")
    }
}

/// Where what of a file stands in its blob. It follows from the file's length alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    length: u64,
}

impl Layout {
    /// Of a file of so many bytes; `None` for more than [`MAX_FILE`].
    pub fn of(length: u64) -> Option<Self> {
        (length <= MAX_FILE).then_some(Self { length })
    }

    /// Bytes of the file.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Bytes of the file with the zeros behind it.
    pub fn padded(&self) -> u64 {
        padme(self.length).max(SMALLEST)
    }

    /// How many chunks there are; at least one.
    pub fn chunks(&self) -> u64 {
        self.padded().div_ceil(CHUNK as u64)
    }

    /// How many parts there are; at least one.
    pub fn parts(&self) -> u64 {
        self.chunks().div_ceil(PART_CHUNKS)
    }

    /// Bytes of the blob.
    pub fn sealed(&self) -> u64 {
        self.padded().saturating_add(self.chunks().saturating_mul(TAG as u64))
    }

    /// The bytes of the file that are in a part; none for a part that is all padding.
    pub fn part(&self, part: u64) -> Range<u64> {
        let begin = part.saturating_mul(PART).min(self.length);
        begin..begin.saturating_add(PART).min(self.length)
    }

    /// The bytes of the blob that a sealed part takes.
    pub fn sealed_part(&self, part: u64) -> Range<u64> {
        let begin = part.saturating_mul(MAX_PART).min(self.sealed());
        begin..begin.saturating_add(MAX_PART).min(self.sealed())
    }

    /// Bytes of a chunk before it is sealed.
    fn chunk(&self, chunk: u64) -> usize {
        let begin = chunk.saturating_mul(CHUNK as u64).min(self.padded());
        usize::try_from(self.padded().saturating_sub(begin)).unwrap_or(CHUNK).min(CHUNK)
    }
}

/// The next Padmé length: as floating-point numbers with as many bits of mantissa as the exponent has (PURBs §4).
fn padme(length: u64) -> u64 {
    let Some(exponent) = length.checked_ilog2().filter(|exponent| *exponent > 0) else { return length };
    let mantissa = exponent.ilog2().saturating_add(1);
    let mask = (1_u64 << exponent.saturating_sub(mantissa)).saturating_sub(1);
    length.saturating_add(mask) & !mask
}

/// What a file was when it was first read. What is sealed later is compared with it, part by part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its length.
    pub length: u64,
    /// SHA-256 of all of it.
    pub hash: Digest,
    /// SHA-256 of each part, those that are all padding included.
    pub parts: Vec<Digest>,
}

/// Makes a [`Manifest`] of a file that is read from its beginning to its end.
#[derive(Debug, Default)]
pub struct Measure {
    length: u64,
    whole: Sha256,
    part: Sha256,
    parts: Vec<Digest>,
}

impl Measure {
    /// The next bytes of the file, any number. False if it is longer than a file may be.
    #[must_use]
    pub fn add(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            let left = PART.saturating_sub(self.length % PART);
            let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
            let (these, rest) = bytes.split_at(here);
            self.whole.add(these);
            self.part.add(these);
            self.length = self.length.saturating_add(here as u64);
            if self.length.is_multiple_of(PART) {
                self.parts.push(std::mem::take(&mut self.part).finish());
            }
            bytes = rest;
        }
        self.length <= MAX_FILE
    }

    /// What the file was; `None` if it is longer than a file may be.
    pub fn finish(mut self) -> Option<Manifest> {
        let parts = usize::try_from(Layout::of(self.length)?.parts()).ok()?;
        if !self.length.is_multiple_of(PART) {
            self.parts.push(self.part.finish());
        }
        self.parts.resize(parts, Digest::sha256(&[]));
        Some(Manifest { length: self.length, hash: self.whole.finish(), parts: self.parts })
    }
}

/// SHA-256 of bytes that come one after the other.
#[derive(Clone, Default)]
pub struct Sha256(sha2::Sha256);

impl Sha256 {
    /// The next bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        sha2::Digest::update(&mut self.0, bytes);
    }

    /// The hash.
    pub fn finish(self) -> Digest {
        Digest(sha2::Digest::finalize(self.0).into())
    }
}

impl std::fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sha256(..)")
    }
}

/// Seals and opens the chunks of one file.
pub struct Cipher {
    layout: Layout,
    prefix: [u8; 7],
    cipher: Box<Aes256Gcm>,
}

impl std::fmt::Debug for Cipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cipher(..)")
    }
}

impl Cipher {
    /// For a file of this layout.
    pub fn new(key: &BlobKey, layout: Layout) -> Self {
        let cipher = Box::new(Aes256Gcm::new(key.key.as_slice().into()));
        Self { layout, prefix: key.prefix, cipher }
    }

    /// Where what stands.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Seals a part: `plain` is [`Layout::part`] of the file, the result [`Layout::sealed_part`] of the blob. Only for
    /// bytes that were compared with the manifest.
    ///
    /// # Errors
    /// [`BlobBroken`] for bytes that are not as many as they have to be.
    pub fn seal_part(&self, part: u64, plain: &[u8]) -> Result<Vec<u8>, BlobBroken> {
        let (of_file, of_blob) = (self.layout.part(part), self.layout.sealed_part(part));
        if plain.len() as u64 != of_file.end.saturating_sub(of_file.start) {
            return Err(BlobBroken);
        }
        let length = usize::try_from(of_blob.end.saturating_sub(of_blob.start)).map_err(|_| BlobBroken)?;
        let mut sealed = Vec::with_capacity(length);
        let mut rest = plain;
        let first = part.saturating_mul(PART_CHUNKS);
        for chunk in first..first.saturating_add(PART_CHUNKS).min(self.layout.chunks()) {
            let (these, later) = rest.split_at(rest.len().min(CHUNK));
            rest = later;
            let begin = sealed.len();
            sealed.extend_from_slice(these);
            sealed.resize(begin.saturating_add(self.layout.chunk(chunk)), 0);
            let buffer = sealed.get_mut(begin..).ok_or(BlobBroken)?;
            let tag =
                self.cipher.encrypt_in_place_detached(&self.nonce(chunk)?, &[], buffer).map_err(|_| BlobBroken)?;
            sealed.extend_from_slice(&tag);
        }
        Ok(sealed)
    }

    /// Opens some sealed chunks, the first of which is `first`, in place: what stands in the buffer then are bytes of the
    /// file, from `first` times [`CHUNK`] on.
    ///
    /// # Errors
    /// [`BlobBroken`]; the buffer is of no use then.
    pub fn open(&self, first: u64, sealed: &mut Vec<u8>) -> Result<(), BlobBroken> {
        let (mut from, mut to, mut chunk) = (0_usize, 0_usize, first);
        while from < sealed.len() {
            let length = self.layout.chunk(chunk);
            let behind = from.saturating_add(length);
            let tag = sealed.get(behind..behind.saturating_add(TAG)).ok_or(BlobBroken)?;
            let tag = *Tag::from_slice(tag);
            let buffer = sealed.get_mut(from..behind).filter(|it| !it.is_empty()).ok_or(BlobBroken)?;
            self.cipher.decrypt_in_place_detached(&self.nonce(chunk)?, &[], buffer, &tag).map_err(|_| BlobBroken)?;
            sealed.copy_within(from..behind, to);
            (from, to, chunk) = (behind.saturating_add(TAG), to.saturating_add(length), chunk.saturating_add(1));
        }
        sealed.truncate(to);
        self.cut_padding(first, sealed)
    }

    /// Takes away the zeros behind the file, and nothing but zeros.
    fn cut_padding(&self, first: u64, plain: &mut Vec<u8>) -> Result<(), BlobBroken> {
        let begin = first.saturating_mul(CHUNK as u64);
        let real = usize::try_from(self.layout.length.saturating_sub(begin)).unwrap_or(usize::MAX).min(plain.len());
        if plain.get(real..).is_some_and(|zeros| zeros.iter().any(|byte| *byte != 0)) {
            return Err(BlobBroken);
        }
        plain.truncate(real);
        Ok(())
    }

    fn nonce(&self, chunk: u64) -> Result<Nonce<aes_gcm::aead::consts::U12>, BlobBroken> {
        let number = u32::try_from(chunk).map_err(|_| BlobBroken)?;
        let is_last = chunk.saturating_add(1) == self.layout.chunks();
        let mut nonce = [0; 12];
        let parts = self.prefix.into_iter().chain(number.to_be_bytes()).chain([u8::from(is_last)]);
        nonce.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
        Ok(nonce.into())
    }
}

#[cfg(test)]
mod tests;
