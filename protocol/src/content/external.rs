//! A file that a message names: where its encrypted bytes are and how they are opened (ExternalPart of
//! draft-ietf-mimi-content-08 §4.4, docs/protocol.md §29).
//!
//! ```text
//! [ disposition, language, 2, content type, url: "trefoil-blob:<id>", expires: u32, size: u64, encAlg: 32769, key: 32,
//!   nonce: 7, aad: empty, hashAlg: 1 (SHA-256), hash of the file: 32, description, file name ]
//! ```
//!
//! An address of another kind, or another encryption, is none of ours: the part is kept as one that this version cannot
//! show, and nothing is ever asked at an address that a message names.

use std::convert::Infallible;

use chain::id::Digest;
use minicbor::{Decoder, Encoder, encode};
use zeroize::Zeroizing;

use super::{ContentError, Preview, RENDER, fixed, malformed, name, require};
use crate::blob::{BlobKey, MAX_FILE};
use crate::id::BlobId;
use crate::tame::{self, MAX_FILE_NAME};

/// Most bytes of the text that goes with a file.
pub const MAX_DESCRIPTION: usize = 16_384;
/// Most bytes of a content type (RFC 6838 §4.2 allows 127 for each half).
pub const MAX_CONTENT_TYPE: usize = 127;
/// What is said of a file whose kind is not known (RFC 2046 §4.5.1).
pub const ANY_TYPE: &str = "application/octet-stream";

/// Cardinality of an external part.
pub(super) const EXTERNAL: u8 = 2;
/// Dispositions: shown in its place, or as something to fetch.
const INLINE: u8 = 4;
const ATTACHMENT: u8 = 6;
/// How our addresses begin.
const SCHEME: &str = "trefoil-blob:";
/// Our encryption, out of the numbers for private use of IANA's registry of AEAD algorithms.
const CHUNKED: u16 = 32_769;
/// SHA-256 in IANA's registry of named information hash algorithms (RFC 6920).
const SHA_256: u8 = 1;

/// A file that a message names.
#[derive(Clone, PartialEq, Eq)]
pub struct External {
    /// True for what is shown in its place, as a picture; false for what is only listed.
    pub inline: bool,
    /// What its sender says that it is, as `image/png`; nobody has looked.
    pub content_type: String,
    /// Its encrypted bytes at the service.
    pub blob: BlobId,
    /// Until when the service keeps them at least, seconds since 1970; 0 if that is not known.
    pub expires_s: u32,
    /// Its true length in bytes.
    pub length: u64,
    /// What opens it.
    pub key: BlobKey,
    /// SHA-256 of the file.
    pub hash: Digest,
    /// A text that goes with it, at most [`MAX_DESCRIPTION`] bytes; may be empty.
    pub description: String,
    /// What it is called, as [`tame::file_name`] leaves it.
    pub name: String,
    /// Of what is shown in its place: what it is like. It stands among the extensions of the message.
    pub preview: Option<Preview>,
}

impl std::fmt::Debug for External {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("External(..)")
    }
}

/// True for something like `image/png`: two names of RFC 6838 §4.2, in lower case, without parameters.
pub fn is_content_type(text: &str) -> bool {
    let is_name = |name: &str| {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$&-^_.+".contains(&byte);
        name.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric()) && name.bytes().all(allowed)
    };
    text.len() <= MAX_CONTENT_TYPE && text.split_once('/').is_some_and(|(kind, sub)| is_name(kind) && is_name(sub))
}

/// Writes the whole part, which is all but the preview.
pub(super) fn write(e: &mut Encoder<Vec<u8>>, part: &External) -> Result<(), encode::Error<Infallible>> {
    let disposition = if part.inline { RENDER } else { ATTACHMENT };
    e.array(15)?.u8(disposition)?.str("")?.u8(EXTERNAL)?;
    e.str(&part.content_type)?.str(&format!("{SCHEME}{}", part.blob))?.u32(part.expires_s)?.u64(part.length)?;
    e.u16(CHUNKED)?.bytes(part.key.key.as_slice())?.bytes(&part.key.prefix)?.bytes(&[])?;
    e.u8(SHA_256)?.bytes(&part.hash.0)?.str(&part.description)?.str(&part.name)?;
    Ok(())
}

/// Reads what follows the cardinality. `None`: a file of a kind that this version does not fetch.
pub(super) fn read(d: &mut Decoder<'_>, disposition: u8) -> Result<Option<External>, ContentError> {
    let content_type = name(d, "content type")?.to_owned();
    let url = d.str().map_err(malformed("address of a file"))?;
    let expires_s = d.u32().map_err(malformed("expiry of a file"))?;
    let length = d.u64().map_err(malformed("size of a file"))?;
    let algorithm = d.u16().map_err(malformed("encryption of a file"))?;
    let (Some(id), CHUNKED) = (url.strip_prefix(SCHEME), algorithm) else { return Ok(None) };
    if !matches!(disposition, RENDER | INLINE | ATTACHMENT) {
        return Ok(None);
    }
    // from here on it is one of ours, or nothing
    let blob = id.parse().map_err(|_| ContentError::Malformed { field: "address of a file" })?;
    require(is_content_type(&content_type), "content type")?;
    require(length <= MAX_FILE, "size of a file")?;
    let key = Zeroizing::new(fixed(d, "key of a file")?);
    let key = BlobKey { key, prefix: fixed(d, "nonce of a file")? };
    require(d.bytes().map_err(malformed("file"))?.is_empty(), "additional data of a file")?;
    require(d.u8().map_err(malformed("hash of a file"))? == SHA_256, "hash of a file")?;
    let hash = Digest(fixed(d, "hash of a file")?);
    let description = d.str().map_err(malformed("description of a file"))?.to_owned();
    require(description.len() <= MAX_DESCRIPTION, "description of a file")?;
    let file_name = d.str().map_err(malformed("name of a file"))?;
    require(file_name.len() <= MAX_FILE_NAME, "name of a file")?;
    let (inline, name, preview) = (disposition != ATTACHMENT, tame::file_name(file_name), None);
    Ok(Some(External { inline, content_type, blob, expires_s, length, key, hash, description, name, preview }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{Content, Part, pad};

    fn file() -> External {
        External {
            inline: true,
            content_type: "image/png".to_owned(),
            blob: BlobId([7; 32]),
            expires_s: 1_800_000_000,
            length: 123_456,
            key: BlobKey { key: Zeroizing::new([8; 32]), prefix: [9; 7] },
            hash: Digest([3; 32]),
            description: "us, on the island".to_owned(),
            name: "island.png".to_owned(),
            preview: Preview::new(4_000, 3_000, vec![7; 24]),
        }
    }

    fn content(file: External) -> Content {
        let part = Part::External(Box::new(file));
        Content { previous: Some(Digest([2; 32])), ..Content::of([1; 16], part) }
    }

    fn read(file: External) -> Result<External, ContentError> {
        let decoded = Content::decode(&content(file).encode())?;
        match decoded.part {
            Part::External(file) => Ok(*file),
            other => panic!("{other:?}"),
        }
    }

    /// BLB-4.
    #[test]
    fn a_file_is_read_as_it_was_written() {
        assert!(file().preview.is_some());
        let attached = External { inline: false, preview: None, description: String::new(), ..file() };
        let attached = External { expires_s: 0, length: 0, ..attached };
        for file in [file(), attached] {
            assert_eq!(read(file.clone()), Ok(file));
        }
    }

    /// BLB-10 (attack 66): whoever sees how long a message is does not see that its file is a picture.
    #[test]
    fn a_preview_takes_no_larger_bucket() {
        for length in 1..100 {
            let named = External { name: "x".repeat(length), ..file() };
            let without = External { preview: None, ..named.clone() };
            let [with, without] = [named, without].map(|file| pad(&content(file).encode()).unwrap().len());
            assert_eq!(with, without, "a name of {length} bytes");
        }
    }

    /// BLB-10: what is only listed has none, whatever its sender says.
    #[test]
    fn only_what_is_shown_in_its_place_has_a_preview() {
        assert_eq!(read(External { inline: false, ..file() }).unwrap().preview, None);
    }

    /// BLB-10: a preview that is none goes, and the file stays.
    #[test]
    fn a_preview_that_is_none_costs_no_message() {
        let bytes = content(file()).encode();
        let at = bytes.windows(4).position(|it| it == [0x83, 0x19, 0x0f, 0xa0]).unwrap();
        let [mut negative, mut absurd, mut other] = [bytes.clone(), bytes.clone(), bytes];
        negative[at + 1] = 0x39;
        absurd[at + 2..at + 6].copy_from_slice(&[0xff, 0xff, 0x19, 0xff]);
        other[at + 12] = 0;
        for bytes in [negative, absurd, other] {
            let Part::External(read) = Content::decode(&bytes).unwrap().part else { panic!("no file") };
            assert_eq!(*read, External { preview: None, ..file() });
        }
    }

    /// BLB-4 (attacks 45, 61): a name is one, whoever wrote it.
    #[test]
    fn a_hostile_name_is_tamed_before_anybody_sees_it() {
        let hostile = External { name: "../../.ssh/\u{202e}authorized_keys".to_owned(), ..file() };
        assert_eq!(read(hostile).unwrap().name, "authorized_keys");
        assert_eq!(read(External { name: String::new(), ..file() }).unwrap().name, "file");
    }

    /// BLB-4: what is too long, too large or no content type.
    #[test]
    fn what_is_no_file_is_refused() {
        let long = |length| "x".repeat(length);
        for broken in [
            External { length: MAX_FILE + 1, ..file() },
            External { description: long(MAX_DESCRIPTION + 1), ..file() },
            External { name: long(MAX_FILE_NAME + 1), ..file() },
            External { content_type: format!("a/{}", long(MAX_CONTENT_TYPE)), ..file() },
            External { content_type: "text/html; charset=utf-8".to_owned(), ..file() },
            External { content_type: "image".to_owned(), ..file() },
            External { content_type: "../png".to_owned(), ..file() },
            External { content_type: "Image/PNG".to_owned(), ..file() },
        ] {
            assert!(matches!(read(broken), Err(ContentError::Malformed { .. })));
        }
        assert!(read(External { length: MAX_FILE, description: long(MAX_DESCRIPTION), ..file() }).is_ok());
    }

    /// BLB-4: every byte of it that is cut off or turned is noticed, or makes another file of the same form.
    #[test]
    fn no_bytes_stop_the_reader() {
        let bytes = content(file()).encode();
        for length in 0..bytes.len() {
            assert!(Content::decode(&bytes[..length]).is_err(), "cut to {length}");
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut bent = bytes.clone();
                bent[at] ^= 1 << bit;
                let read = Content::decode(&bent);
                assert!(read.is_err() || read != Ok(content(file())), "bit {bit} of byte {at}");
            }
        }
    }

    /// BLB-4: an address of another kind is never asked, an encryption of another kind never opened.
    #[test]
    fn a_file_of_another_system_is_kept_and_not_fetched() {
        let bytes = content(file()).encode();
        let ours = format!("{SCHEME}{}", file().blob);
        let elsewhere = ours.replace(SCHEME, "https://a.bad/");
        let at = bytes.windows(ours.len()).position(|it| it == ours.as_bytes()).unwrap();
        let mut other = bytes.clone();
        other.splice(at - 2..at + ours.len(), [0x78, u8::try_from(elsewhere.len()).unwrap()]);
        let behind = at;
        other.splice(behind..behind, elsewhere.bytes());
        let number = CHUNKED.to_be_bytes();
        let at = bytes.windows(3).position(|it| it == [0x19, number[0], number[1]]).unwrap();
        let mut encrypted = bytes;
        encrypted[at + 2] ^= 2;
        for bytes in [other, encrypted] {
            assert!(matches!(Content::decode(&bytes).unwrap().part, Part::Unknown { .. }));
        }
    }
}
