//! What a message says: MIMI content (draft-ietf-mimi-content-08), as far as it is in use here.
//!
//! ```text
//! [ salt: 16 bytes, replaces: id / null, topic: bytes, expires: [relative: bool, seconds: u32] / null,
//!   in reply to: id / null,
//!   extensions: { ? -70001: id of this sender's previous message here, ? -70002: preview of a picture,
//!     ? -70003: whom it mentions, … },
//!   part: [ disposition, language, 1, content type, content ] ]
//! ```
//!
//! CBOR in its deterministic form (RFC 8949 §4.2.1), and nothing else: see `deterministic`. What this version does not
//! know (topics, languages, other extensions) is checked for its form and passed over; parts of other kinds are
//! kept.
//!
//! Where it differs from the draft: the id of a message hashes group, account and device instead of the URIs of room and
//! sender, which do not exist here; nesting is bounded by 8 levels of the whole
//! instead of 4 of the parts and 4 of the extensions; there are no floating-point numbers.
//!
//! Not in scope: how it is encrypted (`mls` in crate `client`), how it is shown ([`crate::tame`]).

mod deterministic;
mod external;
mod mentions;
mod preview;
mod receipts;

use std::convert::Infallible;

use chain::id::{AccountId, DeviceId};
use minicbor::data::Type;
use minicbor::{Decoder, Encoder, decode, encode};
use thiserror::Error;

use crate::id::{GroupId, MessageId};
use crate::label::{MESSAGE_ID, labelled};
use crate::limits::MAX_TEXT;
use crate::picture;
use crate::settings::MAX_VALUE;

pub use external::{ANY_TYPE, External, MAX_CONTENT_TYPE, MAX_DESCRIPTION, is_content_type};
pub use mentions::{MAX_MENTIONS, Mention, mentions_in};
pub use preview::{MAX_THUMB, Preview};
pub use receipts::{MAX_RECEIPTS, RECEIPTS, Receipt, decode_receipts, encode_receipts};

/// Most bytes of a content: what the largest bucket of [`pad`] takes.
pub const MAX_CONTENT: usize = MAX_TEXT + AROUND - LENGTH_BYTES;
/// Most levels of arrays, maps and tags (attack 55).
pub const MAX_DEPTH: usize = 8;

/// What contents are filled up to, in bytes (attack 66): buckets for texts of 256 bytes, 1, 4, 16 and 64 KiB, whether
/// they answer, replace or follow a message or not.
pub const BUCKETS: [usize; 5] = [256 + AROUND, 1_024 + AROUND, 4_096 + AROUND, 16_384 + AROUND, MAX_TEXT + AROUND];

/// Bytes for everything around a text: at most 173, of which 68 are two ids that most messages do not have.
const AROUND: usize = 192;

/// Bytes of the length in front of a padded content.
const LENGTH_BYTES: usize = 4;
/// Most bytes of a topic, a language, a content type and the name of an extension.
pub const MAX_NAME: usize = 255;
/// Most bytes of an extension's value (draft-ietf-mimi-content-08 §4.3).
const MAX_EXTENSION: usize = 4_095;
/// Keys of our own extensions; negative ones are for private use.
const PREVIOUS: i64 = -70_001;
const PREVIEW: i64 = -70_002;
const MENTIONS: i64 = -70_003;
/// The disposition "render".
const RENDER: u8 = 1;
/// The disposition "reaction".
const REACTION: u8 = 2;
/// Most bytes of a reaction: an emoji of several code points, or a short word.
pub const MAX_REACTION: usize = 64;
/// The longest time after which messages are gone, seconds: a year.
pub const MAX_TIMER: u32 = 31_536_000;
/// Content type of a timer.
const TIMER_TYPE: &str = "application/vnd.trefoil.timer";
/// Content type of what somebody says who leaves; it says nothing else.
const LEAVES_TYPE: &str = "application/vnd.trefoil.leaves";
/// Content type of a title.
const TITLE_TYPE: &str = "application/vnd.trefoil.title";
/// Content type of the picture of a conversation; told to whoever comes in, it is a signal.
pub const PICTURE: &str = "application/vnd.trefoil.picture";
/// Most bytes of such a picture: what a setting can hold (MSG-13).
pub const MAX_PICTURE: usize = MAX_VALUE;
/// Most points of a side of it.
pub const MAX_PICTURE_SIDE: u32 = 256;
/// What the picture of a conversation has to be.
const JPEG: &str = "image/jpeg";
/// The one content type that is a text here.
const TEXT_TYPE: &str = "text/plain;charset=utf-8";

/// Why bytes are not a content.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ContentError {
    /// Not the CBOR of a content, or not in its deterministic form.
    #[error("{field} of a message is malformed")]
    Malformed {
        /// What was being read.
        field: &'static str,
    },
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("a message is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// A content or a text is longer than allowed.
    #[error("a message is longer than {max} bytes")]
    TooLarge {
        /// Most bytes.
        max: usize,
    },
    /// Not what [`pad`] makes of anything.
    #[error("the padding of a message is malformed")]
    Padding,
}

impl ContentError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "content.too_large",
            Self::Malformed { .. } | Self::TooDeep | Self::Padding => "content.malformed",
        }
    }
}

/// One message as its sender wrote it.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    /// Random, so that no two messages have one id.
    pub salt: [u8; 16],
    /// The message that this one replaces.
    pub replaces: Option<MessageId>,
    /// The message that this one answers.
    pub in_reply_to: Option<MessageId>,
    /// This sender's message before this one in the same conversation, so that a gap shows.
    pub previous: Option<MessageId>,
    /// When it is to be gone.
    pub expires: Option<Expiry>,
    /// Whom its text mentions (MEN-1); nobody in what has none.
    pub mentions: Vec<Mention>,
    /// What it says.
    pub part: Part,
}

/// When a message is to be gone from all devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiry {
    /// True if the time begins when the message was read, false if it is a time since 1970.
    pub relative: bool,
    /// Seconds.
    pub seconds: u32,
}

/// The body of a message.
#[derive(Clone, PartialEq, Eq)]
pub enum Part {
    /// A text, at most [`MAX_TEXT`] bytes.
    Text(String),
    /// What somebody thinks of the message that this one answers: 1 to [`MAX_REACTION`] bytes without control characters.
    Reaction(String),
    /// Nothing: the message that this one replaces is taken back.
    Nothing,
    /// From here on messages of this conversation are gone so many seconds after they were read; 0: they stay. At most
    /// [`MAX_TIMER`].
    Timer(u32),
    /// What the conversation is called from here on: 1 to [`MAX_NAME`] bytes without control characters.
    Title(String),
    /// The picture that the conversation has from here on, a JPEG as [`Part::picture`] takes it; empty: none.
    Picture(Vec<u8>),
    /// Whoever writes this leaves the conversation.
    Leaves,
    /// A file: where it is and how it is opened.
    External(Box<External>),
    /// What one device tells another by itself, for nobody to see.
    Signal {
        /// Its media type, which begins with `application/vnd.trefoil.`.
        content_type: String,
        /// The content.
        bytes: Vec<u8>,
    },
    /// Anything else.
    Unknown {
        /// What it is meant for (draft-ietf-mimi-content-08 §4.4).
        disposition: u8,
        /// The media type of a single part; empty for a part that is not one, or does not say what it is.
        content_type: String,
        /// The content of a single part; with an empty media type the whole part as it came, CBOR.
        bytes: Vec<u8>,
    },
}

impl Part {
    /// A text to send.
    ///
    /// # Errors
    /// [`ContentError::TooLarge`].
    pub fn text(text: impl Into<String>) -> Result<Self, ContentError> {
        let text = text.into();
        if text.len() > MAX_TEXT { Err(ContentError::TooLarge { max: MAX_TEXT }) } else { Ok(Self::Text(text)) }
    }

    /// A title to send.
    ///
    /// # Errors
    /// [`ContentError`]: empty, too long, or with control characters.
    pub fn title(text: impl Into<String>) -> Result<Self, ContentError> {
        let text = text.into();
        if text.len() > MAX_NAME {
            return Err(ContentError::TooLarge { max: MAX_NAME });
        }
        require(!text.trim().is_empty() && !text.contains(char::is_control), "title")?;
        Ok(Self::Title(text))
    }

    /// A picture of a conversation to send, or none.
    ///
    /// # Errors
    /// [`ContentError`]: too long, not a JPEG, or with more than [`MAX_PICTURE_SIDE`] points a side.
    pub fn picture(bytes: impl Into<Vec<u8>>) -> Result<Self, ContentError> {
        let bytes = bytes.into();
        if bytes.len() > MAX_PICTURE {
            return Err(ContentError::TooLarge { max: MAX_PICTURE });
        }
        let is_small =
            |(width, height)| (1..=MAX_PICTURE_SIDE).contains(&width) && (1..=MAX_PICTURE_SIDE).contains(&height);
        let is_one = || picture::kind(&bytes) == Some(JPEG) && picture::size(JPEG, &bytes).is_some_and(is_small);
        require(bytes.is_empty() || is_one(), "picture")?;
        Ok(Self::Picture(bytes))
    }

    /// What people wrote in it, in which others can be mentioned.
    pub fn said(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::External(file) => &file.description,
            _ => "",
        }
    }

    /// A reaction to send.
    ///
    /// # Errors
    /// [`ContentError`]: empty, too long, or with control characters.
    pub fn reaction(text: impl Into<String>) -> Result<Self, ContentError> {
        let text = text.into();
        if text.len() > MAX_REACTION {
            return Err(ContentError::TooLarge { max: MAX_REACTION });
        }
        require(!text.trim().is_empty() && !text.contains(char::is_control), "reaction")?;
        Ok(Self::Reaction(text))
    }
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

/// The id of the message that this device of this account wrote into this group (§18), from the content's bytes as they
/// were received: never from a second encoding. Whoever sends the same bytes as somebody else has written another message.
pub fn message_id(group: &GroupId, account: &AccountId, device: &DeviceId, bytes: &[u8]) -> MessageId {
    MessageId::sha256(&labelled(MESSAGE_ID, &[&group.0, &account.0, &device.0, bytes]))
}

impl Content {
    /// What says this and nothing else: it replaces and answers nothing, names none before it, mentions nobody, and stays.
    pub fn of(salt: [u8; 16], part: Part) -> Self {
        Self { salt, replaces: None, in_reply_to: None, previous: None, expires: None, mentions: Vec::new(), part }
    }

    /// The deterministic CBOR. Of a text that [`Part::text`] would refuse, nobody reads the result.
    pub fn encode(&self) -> Vec<u8> {
        // writing to memory does not fail, and nothing else can
        self.write().unwrap_or_default()
    }

    fn write(&self) -> Result<Vec<u8>, encode::Error<Infallible>> {
        let mut e = Encoder::new(Vec::new());
        e.array(7)?.bytes(&self.salt)?;
        write_id(&mut e, self.replaces.as_ref())?;
        e.bytes(&[])?;
        match &self.expires {
            Some(expiry) => e.array(2)?.bool(expiry.relative)?.u32(expiry.seconds)?,
            None => e.null()?,
        };
        write_id(&mut e, self.in_reply_to.as_ref())?;
        self.write_extensions(&mut e)?;
        let timer;
        let (disposition, content_type, content) = match &self.part {
            Part::Timer(seconds) => {
                timer = seconds.to_be_bytes();
                (RENDER, TIMER_TYPE, &timer[..])
            }
            Part::External(file) => {
                external::write(&mut e, file)?;
                return Ok(e.into_writer());
            }
            Part::Nothing => {
                e.array(3)?.u8(RENDER)?.str("")?.u8(NOTHING)?;
                return Ok(e.into_writer());
            }
            Part::Text(text) => (RENDER, TEXT_TYPE, text.as_bytes()),
            Part::Title(title) => (RENDER, TITLE_TYPE, title.as_bytes()),
            Part::Picture(jpeg) => (RENDER, PICTURE, &jpeg[..]),
            Part::Leaves => (RENDER, LEAVES_TYPE, &[][..]),
            Part::Reaction(text) => (REACTION, TEXT_TYPE, text.as_bytes()),
            Part::Signal { content_type, bytes } => (UNSPECIFIED, content_type.as_str(), &bytes[..]),
            Part::Unknown { disposition, content_type, bytes } => (*disposition, content_type.as_str(), &bytes[..]),
        };
        if content_type.is_empty() {
            e.writer_mut().extend_from_slice(content);
        } else {
            e.array(5)?.u8(disposition)?.str("")?.u8(SINGLE)?.str(content_type)?.bytes(content)?;
        }
        Ok(e.into_writer())
    }

    fn write_extensions(&self, e: &mut Encoder<Vec<u8>>) -> Result<(), encode::Error<Infallible>> {
        let preview = match &self.part {
            Part::External(file) => file.preview.as_ref(),
            _ => None,
        };
        let has = [self.previous.is_some(), preview.is_some(), !self.mentions.is_empty()];
        e.map(has.into_iter().map(u64::from).sum())?;
        if let Some(previous) = &self.previous {
            e.i64(PREVIOUS)?.bytes(&previous.0)?;
        }
        if let Some(preview) = preview {
            preview.write(e.i64(PREVIEW)?)?;
        }
        if !self.mentions.is_empty() {
            mentions::write(e.i64(MENTIONS)?, &self.mentions)?;
        }
        Ok(())
    }

    /// Reads a content.
    ///
    /// # Errors
    /// [`ContentError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, ContentError> {
        if bytes.len() > MAX_CONTENT {
            return Err(ContentError::TooLarge { max: MAX_CONTENT });
        }
        // from here on there is one whole item with definite lengths that are true, no deeper than MAX_DEPTH
        deterministic::check(bytes)?;
        let mut d = Decoder::new(bytes);
        require(array(&mut d, "content")? == 7, "content")?;
        let salt = fixed(&mut d, "salt")?;
        let replaces = read_id(&mut d, "replaces")?;
        require(d.bytes().map_err(malformed("topic"))?.len() <= MAX_NAME, "topic")?;
        let expires = read_expiry(&mut d)?;
        let in_reply_to = read_id(&mut d, "in reply to")?;
        let Extensions { previous, preview, mut mentions } = read_extensions(&mut d, bytes)?;
        let mut part = read_part(&mut d, bytes)?;
        if let Part::External(file) = &mut part {
            file.preview = preview.filter(|_| file.inline);
        }
        if !mentions::are_of(&mentions, part.said()) {
            mentions.clear();
        }
        Ok(Self { salt, replaces, in_reply_to, previous, expires, mentions, part })
    }
}

/// Disposition of what nobody is shown.
const UNSPECIFIED: u8 = 0;
/// How the media types of signals begin.
const SIGNALS: &str = "application/vnd.trefoil.";
/// Kinds of parts (draft-ietf-mimi-content-08 §4.4, cardinality), with the number of items of each.
const NOTHING: u8 = 0;
const SINGLE: u8 = 1;
const ITEMS: [u64; 4] = [3, 5, 15, 5];

fn malformed(field: &'static str) -> impl Fn(decode::Error) -> ContentError {
    move |_| ContentError::Malformed { field }
}

fn require(holds: bool, field: &'static str) -> Result<(), ContentError> {
    if holds { Ok(()) } else { Err(ContentError::Malformed { field }) }
}

fn array(d: &mut Decoder<'_>, field: &'static str) -> Result<u64, ContentError> {
    d.array().map_err(malformed(field))?.ok_or(ContentError::Malformed { field })
}

fn is_null(d: &Decoder<'_>) -> bool {
    d.datatype().is_ok_and(|found| found == Type::Null)
}

fn fixed<const N: usize>(d: &mut Decoder<'_>, field: &'static str) -> Result<[u8; N], ContentError> {
    let bytes = d.bytes().map_err(malformed(field))?;
    bytes.try_into().map_err(|_| ContentError::Malformed { field })
}

fn name<'b>(d: &mut Decoder<'b>, field: &'static str) -> Result<&'b str, ContentError> {
    let name = d.str().map_err(malformed(field))?;
    require(name.len() <= MAX_NAME, field)?;
    Ok(name)
}

fn write_id(e: &mut Encoder<Vec<u8>>, id: Option<&MessageId>) -> Result<(), encode::Error<Infallible>> {
    match id {
        Some(id) => e.bytes(&id.0)?,
        None => e.null()?,
    };
    Ok(())
}

fn read_id(d: &mut Decoder<'_>, field: &'static str) -> Result<Option<MessageId>, ContentError> {
    if is_null(d) {
        d.skip().map_err(malformed(field))?;
        return Ok(None);
    }
    Ok(Some(chain::id::Digest(fixed(d, field)?)))
}

fn read_expiry(d: &mut Decoder<'_>) -> Result<Option<Expiry>, ContentError> {
    let malformed = malformed("expiry");
    if is_null(d) {
        return d.skip().map(|()| None).map_err(malformed);
    }
    require(array(d, "expiry")? == 2, "expiry")?;
    let relative = d.bool().map_err(&malformed)?;
    Ok(Some(Expiry { relative, seconds: d.u32().map_err(&malformed)? }))
}

/// What extensions of our own say.
#[derive(Default)]
struct Extensions {
    previous: Option<MessageId>,
    preview: Option<Preview>,
    mentions: Vec<Mention>,
}

/// Passes over extensions except our own, and over a preview (BLB-10) and mentions (MEN-1) that are none; `all` are the
/// content's bytes.
fn read_extensions(d: &mut Decoder<'_>, all: &[u8]) -> Result<Extensions, ContentError> {
    const FIELD: &str = "extensions";
    let count = d.map().map_err(malformed(FIELD))?.ok_or(ContentError::Malformed { field: FIELD })?;
    let mut found = Extensions::default();
    for _ in 0..count {
        let mut key = None;
        if d.datatype().map_err(malformed(FIELD))? == Type::String {
            require(!name(d, FIELD)?.is_empty(), FIELD)?;
        } else {
            key = Some(d.i64().map_err(malformed(FIELD))?);
        }
        if key == Some(PREVIOUS) {
            found.previous = Some(chain::id::Digest(fixed(d, "previous message")?));
            continue;
        }
        let start = d.position();
        d.skip().map_err(malformed(FIELD))?;
        let value = all.get(start..d.position()).unwrap_or_default();
        match key {
            Some(MENTIONS) => found.mentions = mentions::read(value).unwrap_or_default(),
            _ => require(value.len() <= MAX_EXTENSION, FIELD)?,
        }
        if key == Some(PREVIEW) {
            found.preview = Preview::read(value);
        }
    }
    Ok(found)
}

fn utf8(bytes: &[u8]) -> Result<&str, ContentError> {
    std::str::from_utf8(bytes).map_err(|_| ContentError::Malformed { field: "text" })
}

/// Reads the last item of a content, `all` its bytes.
fn read_part(d: &mut Decoder<'_>, all: &[u8]) -> Result<Part, ContentError> {
    const FIELD: &str = "part";
    let start = d.position();
    let items = array(d, FIELD)?;
    let disposition = d.u8().map_err(malformed("disposition"))?;
    name(d, "language")?;
    let kind = d.u8().map_err(malformed("cardinality"))?;
    require(ITEMS.get(usize::from(kind)).is_none_or(|expected| *expected == items), FIELD)?;
    if kind == NOTHING && disposition == RENDER {
        return Ok(Part::Nothing);
    }
    if kind == SINGLE {
        let content_type = name(d, "content type")?;
        let content = d.bytes().map_err(malformed("content"))?;
        if disposition == UNSPECIFIED && content_type.starts_with(SIGNALS) {
            return Ok(Part::Signal { content_type: content_type.to_owned(), bytes: content.to_vec() });
        }
        if disposition == RENDER && content_type == TEXT_TYPE {
            return Part::text(utf8(content)?);
        }
        if disposition == REACTION && content_type == TEXT_TYPE {
            return Part::reaction(utf8(content)?);
        }
        if disposition == RENDER && content_type == TITLE_TYPE {
            return Part::title(utf8(content)?);
        }
        if disposition == RENDER && content_type == PICTURE {
            return Part::picture(content);
        }
        if disposition == RENDER && content_type == LEAVES_TYPE {
            require(content.is_empty(), "leaving")?;
            return Ok(Part::Leaves);
        }
        if disposition == RENDER && content_type == TIMER_TYPE {
            let seconds = content.try_into().map(u32::from_be_bytes);
            return match seconds {
                Ok(seconds @ 0..=MAX_TIMER) => Ok(Part::Timer(seconds)),
                _ => Err(ContentError::Malformed { field: "timer" }),
            };
        }
        if !content_type.is_empty() {
            return Ok(Part::Unknown { disposition, content_type: content_type.to_owned(), bytes: content.to_vec() });
        }
    }
    if kind == external::EXTERNAL
        && let Some(file) = external::read(d, disposition)?
    {
        return Ok(Part::External(Box::new(file)));
    }
    let bytes = all.get(start..).unwrap_or_default().to_vec();
    Ok(Part::Unknown { disposition, content_type: String::new(), bytes })
}

/// Fills a content up to the next bucket: its length in four bytes, the content, zeros.
///
/// # Errors
/// [`ContentError::TooLarge`] if no bucket takes it.
pub fn pad(content: &[u8]) -> Result<Vec<u8>, ContentError> {
    let too_large = ContentError::TooLarge { max: MAX_CONTENT };
    let bucket = bucket_of(content.len()).ok_or(too_large.clone())?;
    let length = u32::try_from(content.len()).map_err(|_| too_large)?;
    let mut padded = Vec::with_capacity(bucket);
    padded.extend_from_slice(&length.to_be_bytes());
    padded.extend_from_slice(content);
    padded.resize(bucket, 0);
    Ok(padded)
}

/// The content in what [`pad`] made.
///
/// # Errors
/// [`ContentError::Padding`] for anything else: another size, a larger bucket than needed, padding that is not zero.
pub fn unpad(padded: &[u8]) -> Result<&[u8], ContentError> {
    let (length, rest) = padded.split_first_chunk::<LENGTH_BYTES>().ok_or(ContentError::Padding)?;
    let length = u32::from_be_bytes(*length) as usize;
    let (content, zeros) = rest.split_at_checked(length).ok_or(ContentError::Padding)?;
    let fits = bucket_of(length) == Some(padded.len());
    if fits && zeros.iter().all(|byte| *byte == 0) { Ok(content) } else { Err(ContentError::Padding) }
}

fn bucket_of(length: usize) -> Option<usize> {
    BUCKETS.into_iter().find(|bucket| length <= bucket.saturating_sub(LENGTH_BYTES))
}

#[cfg(test)]
mod tests;
