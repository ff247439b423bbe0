//! Stand-in until the real one is merged.
#![allow(missing_docs, reason = "stand-in")]
use crate::id::MessageId;
use chain::id::Digest;
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Text(String),
    Unknown { disposition: u8, content_type: String, bytes: Vec<u8> },
}
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    pub salt: [u8; 16],
    pub replaces: Option<MessageId>,
    pub in_reply_to: Option<MessageId>,
    pub previous: Option<MessageId>,
    pub part: Part,
}
#[derive(Debug)]
pub struct ContentError;
impl Content {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.salt.to_vec();
        match &self.part {
            Part::Text(text) => {
                out.push(0);
                out.extend(text.as_bytes());
            }
            Part::Unknown { content_type, bytes, .. } => {
                out.push(u8::try_from(content_type.len()).unwrap_or(255));
                out.extend(content_type.as_bytes());
                out.extend(bytes);
            }
        }
        out
    }
    pub fn decode(bytes: &[u8]) -> Result<Self, ContentError> {
        let (salt, rest) = bytes.split_first_chunk::<16>().ok_or(ContentError)?;
        let (n, rest) = rest.split_first().ok_or(ContentError)?;
        let part = if *n == 0 {
            Part::Text(String::from_utf8(rest.to_vec()).map_err(|_| ContentError)?)
        } else {
            let (t, b) = rest.split_at_checked(usize::from(*n)).ok_or(ContentError)?;
            Part::Unknown { disposition: 1, content_type: String::from_utf8_lossy(t).into_owned(), bytes: b.to_vec() }
        };
        Ok(Self { salt: *salt, replaces: None, in_reply_to: None, previous: None, part })
    }
}
pub fn message_id(bytes: &[u8]) -> MessageId {
    Digest::sha256(bytes)
}
pub fn pad(bytes: &[u8]) -> Vec<u8> {
    let mut out = u32::try_from(bytes.len()).unwrap_or(0).to_be_bytes().to_vec();
    out.extend(bytes);
    out
}
pub fn unpad(bytes: &[u8]) -> Result<&[u8], ContentError> {
    let (n, rest) = bytes.split_first_chunk::<4>().ok_or(ContentError)?;
    rest.get(..u32::from_be_bytes(*n) as usize).ok_or(ContentError)
}
