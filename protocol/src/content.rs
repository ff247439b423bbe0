//! What a message says: MIMI content (draft-ietf-mimi-content-08), as far as Trefoil sends it, in deterministic CBOR
//! (RFC 8949 §4.2).
//!
//! ```text
//! [ salt: bytes 16, replaces: null / bytes 32, topic: bytes, expires: null / [bool, uint], in reply to: null / bytes 32,
//!   extensions: map, part ]
//! part = [ disposition: uint, language: text, 0 ] / [ disposition, language, 1, content type: text, content: bytes ] / …
//! ```
//!
//! A message's id is SHA-256 of these bytes *as received*; they are never encoded again to be compared. Limits come
//! before allocation: nothing here reserves what a length promises (attacks 55, 57). What is not text is kept as it is.
//!
//! Deviations from the draft: ids are SHA-256 of the bytes alone; several parts and external parts are not read yet;
//! extension `-70001` holds the id of this sender's message before in the conversation, so that a gap shows.

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};
use thiserror::Error;

use crate::id::MessageId;
use chain::id::Digest;

/// Most bytes of a text or another part.
pub const MAX_PART: usize = 65_536;
/// Sizes that contents are filled up to, so that short texts have one size on the wire (attack 66), in bytes.
pub const BUCKETS: [usize; 5] = [256, 1_024, 4_096, 16_384, 65_536 + 256];
/// Deepest nesting of arrays and maps.
const MAX_DEPTH: u8 = 8;
/// Key of the extension with the id of the message before.
const PREVIOUS: i64 = -70_001;
const TEXT: &str = "text/plain;charset=utf-8";
/// Disposition "render".
const RENDER: u8 = 1;

/// What a message says.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    /// Random bytes, so that two equal texts are two messages.
    pub salt: [u8; 16],
    /// The message that this one takes the place of.
    pub replaces: Option<MessageId>,
    /// The message that it answers.
    pub in_reply_to: Option<MessageId>,
    /// This sender's message before, in this conversation.
    pub previous: Option<MessageId>,
    /// What there is to show.
    pub part: Part,
}

/// The part of a message.
#[derive(Clone, PartialEq, Eq)]
pub enum Part {
    /// Plain text.
    Text(String),
    /// Something that this version does not show.
    Unknown {
        /// What to do with it, as the draft numbers it.
        disposition: u8,
        /// Its media type.
        content_type: String,
        /// The bytes.
        bytes: Vec<u8>,
    },
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Content(..)")
    }
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Part(..)")
    }
}

/// Why bytes are no content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ContentError {
    /// Not the CBOR of a content, or of another version.
    #[error("not a content that this version reads")]
    Malformed,
    /// Longer or deeper than allowed.
    #[error("longer or deeper than allowed")]
    TooLarge,
    /// The filling is not zeros up to one of the sizes.
    #[error("not filled up as it should be")]
    Padding,
}

impl From<minicbor::decode::Error> for ContentError {
    fn from(_: minicbor::decode::Error) -> Self {
        Self::Malformed
    }
}

impl Content {
    /// The bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::new(Vec::new());
        // writing to a vector does not fail
        let written = self.write(&mut e);
        debug_assert!(written.is_ok());
        e.into_writer()
    }

    fn write(&self, e: &mut Encoder<Vec<u8>>) -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
        e.array(7)?.bytes(&self.salt)?;
        write_id(e, self.replaces.as_ref())?;
        e.bytes(&[])?.null()?;
        write_id(e, self.in_reply_to.as_ref())?;
        match &self.previous {
            None => e.map(0)?,
            Some(previous) => e.map(1)?.i64(PREVIOUS)?.bytes(&previous.0)?,
        };
        let (disposition, content_type, bytes) = match &self.part {
            Part::Text(text) => (RENDER, TEXT, text.as_bytes()),
            Part::Unknown { disposition, content_type, bytes } => {
                (*disposition, content_type.as_str(), bytes.as_slice())
            }
        };
        e.array(5)?.u8(disposition)?.str("")?.u8(1)?.str(content_type)?.bytes(bytes)?;
        Ok(())
    }

    /// Reads bytes.
    ///
    /// # Errors
    /// [`ContentError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, ContentError> {
        if bytes.len() > MAX_PART.saturating_add(1_024) {
            return Err(ContentError::TooLarge);
        }
        let mut d = Decoder::new(bytes);
        expect_array(&mut d, 7)?;
        let salt = d.bytes()?.try_into().map_err(|_| ContentError::Malformed)?;
        let replaces = read_id(&mut d)?;
        d.bytes()?;
        skip(&mut d, MAX_DEPTH)?;
        let in_reply_to = read_id(&mut d)?;
        let previous = read_extensions(&mut d)?;
        let part = read_part(&mut d)?;
        if d.position() != bytes.len() {
            return Err(ContentError::Malformed);
        }
        Ok(Self { salt, replaces, in_reply_to, previous, part })
    }
}

/// The id of a message: SHA-256 of its content's bytes as received.
pub fn message_id(bytes: &[u8]) -> MessageId {
    Digest::sha256(bytes)
}

/// Fills a content up to the next size: length u32, bytes, zeros. What is longer than the largest size stays as it is,
/// and nobody takes it.
pub fn pad(bytes: &[u8]) -> Vec<u8> {
    let mut padded = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes().to_vec();
    padded.extend_from_slice(bytes);
    let size = BUCKETS.into_iter().find(|size| *size >= padded.len()).unwrap_or(padded.len());
    padded.resize(size, 0);
    padded
}

/// The content in what [`pad`] gave.
///
/// # Errors
/// [`ContentError::Padding`].
pub fn unpad(padded: &[u8]) -> Result<&[u8], ContentError> {
    let bad = ContentError::Padding;
    let (length, rest) = padded.split_first_chunk::<4>().ok_or(bad)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| bad)?;
    let (bytes, filling) = rest.split_at_checked(length).ok_or(bad)?;
    let smallest = BUCKETS.into_iter().find(|size| *size >= length.saturating_add(4));
    let filled = smallest == Some(padded.len()) && filling.iter().all(|byte| *byte == 0);
    if filled { Ok(bytes) } else { Err(bad) }
}

fn write_id(
    e: &mut Encoder<Vec<u8>>,
    id: Option<&MessageId>,
) -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
    match id {
        None => e.null()?,
        Some(id) => e.bytes(&id.0)?,
    };
    Ok(())
}

fn read_id(d: &mut Decoder<'_>) -> Result<Option<MessageId>, ContentError> {
    if d.datatype()? == Type::Null {
        d.null()?;
        return Ok(None);
    }
    d.bytes()?.try_into().map(|id| Some(Digest(id))).map_err(|_| ContentError::Malformed)
}

fn expect_array(d: &mut Decoder<'_>, length: u64) -> Result<(), ContentError> {
    if d.array()? == Some(length) { Ok(()) } else { Err(ContentError::Malformed) }
}

/// The id of the message before; extensions that nobody here knows are passed over.
fn read_extensions(d: &mut Decoder<'_>) -> Result<Option<MessageId>, ContentError> {
    let count = d.map()?.ok_or(ContentError::Malformed)?;
    let mut previous = None;
    for _ in 0..count {
        let is_previous = matches!(d.datatype()?, Type::I8 | Type::I16 | Type::I32 | Type::I64)
            && d.clone().i64().is_ok_and(|key| key == PREVIOUS);
        skip(d, MAX_DEPTH)?;
        if is_previous {
            previous = read_id(d)?;
        } else {
            skip(d, MAX_DEPTH)?;
        }
    }
    Ok(previous)
}

fn read_part(d: &mut Decoder<'_>) -> Result<Part, ContentError> {
    let start = d.position();
    let length = d.array()?.ok_or(ContentError::Malformed)?;
    let disposition = d.u8()?;
    d.str()?;
    let cardinality = d.u8()?;
    if (length, cardinality) != (5, 1) {
        // no part, several, or one elsewhere: kept as it stands
        for _ in 3..length {
            skip(d, MAX_DEPTH)?;
        }
        let bytes = d.input().get(start..d.position()).unwrap_or_default().to_vec();
        return Ok(Part::Unknown { disposition, content_type: String::new(), bytes });
    }
    let content_type = d.str()?;
    let bytes = d.bytes()?;
    if bytes.len() > MAX_PART {
        return Err(ContentError::TooLarge);
    }
    if content_type == TEXT && disposition == RENDER {
        let text = std::str::from_utf8(bytes).map_err(|_| ContentError::Malformed)?;
        return Ok(Part::Text(text.to_owned()));
    }
    Ok(Part::Unknown { disposition, content_type: content_type.to_owned(), bytes: bytes.to_vec() })
}

/// Passes over one item without more depth than allowed; items of no announced length are refused.
fn skip(d: &mut Decoder<'_>, depth: u8) -> Result<(), ContentError> {
    let deeper = depth.checked_sub(1).ok_or(ContentError::TooLarge)?;
    match d.datatype()? {
        Type::Array => {
            let count = d.array()?.ok_or(ContentError::Malformed)?;
            for _ in 0..count {
                skip(d, deeper)?;
            }
        }
        Type::Map => {
            let count = d.map()?.ok_or(ContentError::Malformed)?;
            for _ in 0..count {
                skip(d, deeper)?;
                skip(d, deeper)?;
            }
        }
        Type::Tag => {
            d.tag()?;
            skip(d, deeper)?;
        }
        Type::ArrayIndef | Type::MapIndef | Type::BytesIndef | Type::StringIndef | Type::Break | Type::Unknown(_) => {
            return Err(ContentError::Malformed);
        }
        _ => d.skip()?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Content {
        let part = Part::Text(text.to_owned());
        Content { salt: [7; 16], replaces: None, in_reply_to: None, previous: None, part }
    }

    #[test]
    fn what_is_said_arrives() {
        let id = Digest::sha256(b"id");
        let all = Content { replaces: Some(id), in_reply_to: Some(id), previous: Some(id), ..text("häh? 🍀") };
        let other = Part::Unknown { disposition: 6, content_type: "image/png".to_owned(), bytes: vec![0; 9] };
        for content in [text(""), text(&"x".repeat(MAX_PART)), all, Content { part: other, ..text("") }] {
            assert_eq!(Content::decode(&content.encode()).map(|it| it == content), Ok(true));
        }
    }

    /// Attacks 55, 57: cheap to refuse, no panic, nothing reserved by promise.
    #[test]
    fn hostile_contents_are_refused() {
        let good = text("hello").encode();
        for cut in 0..good.len() {
            assert!(Content::decode(&good[..cut]).is_err(), "{cut}");
        }
        assert!(Content::decode(&[good.as_slice(), &[0]].concat()).is_err());
        assert!(Content::decode(&vec![0x81; 60_000]).is_err(), "nested arrays");
        let mut deep = good[..18].to_vec();
        deep.extend(vec![0x81; 9]);
        assert!(Content::decode(&deep).is_err());
        let promise =
            [&[0x87, 0x50], [7; 16].as_slice(), &[0xf6, 0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]].concat();
        assert!(Content::decode(&promise).is_err());
        let mut invalid = text("aa").encode();
        *invalid.last_mut().unwrap() = 0xff;
        assert!(Content::decode(&invalid).is_err(), "text is UTF-8");
        assert_eq!(Content::decode(&vec![0; 1 << 20]).err(), Some(ContentError::TooLarge));
    }

    #[test]
    fn any_bytes_are_read_or_refused() {
        bolero::check!().for_each(|bytes: &[u8]| {
            if let Ok(content) = Content::decode(bytes)
                && matches!(content.part, Part::Text(_))
            {
                assert!(Content::decode(&content.encode()).is_ok_and(|again| again == content));
            }
            if let Ok(inner) = unpad(bytes) {
                assert_eq!(pad(inner), bytes);
            }
        });
    }

    /// Attack 66.
    #[test]
    fn short_texts_have_one_size() {
        for length in 1..=200 {
            let padded = pad(&text(&"x".repeat(length.min(180))).encode());
            assert_eq!(padded.len(), 256);
        }
        let content = text("hello").encode();
        assert_eq!(unpad(&pad(&content)), Ok(content.as_slice()));
        let mut dirty = pad(&content);
        *dirty.last_mut().unwrap() = 1;
        assert_eq!(unpad(&dirty), Err(ContentError::Padding));
        assert_eq!(unpad(&pad(&content)[..255]), Err(ContentError::Padding));
        assert!(unpad(&[0, 0]).is_err());
    }
}
