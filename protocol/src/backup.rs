//! The backup file: old messages and what the devices of an account share, behind a passphrase (docs/protocol.md §26).
//!
//! ```text
//! header, 256 bytes: "trefoil backup\n" | version u8 | salt 16 | nonce 24 | sealed 192 | check 8
//! part, a multiple of 1,024 bytes, one after the other: length of what is sealed u32 | nonce 24 | sealed
//! ```
//!
//! The key is Argon2id of the passphrase and the salt. Everything is sealed with XChaCha20-Poly1305 under random nonces, so that
//! a part that was torn and is written again gives nothing away. A part is bound to the header and to its offset: it cannot be
//! moved, left out before another one, or put into another file. Whoever reads finds the next part after a damaged one at a
//! multiple of 1,024 bytes. That the end is missing shows only by the last part, which says that an export ended there; that
//! the file is an old one shows by its time.
//!
//! Not in scope: files, randomness, and which account may take in what is here.

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use chain::encoding::{DecodeError, Reader, Writer};
use chain::id::{AccountId, Digest};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::content::MAX_CONTENT;
use crate::history::{END, HistoryMessage, MESSAGE_HEAD};
use crate::label::{self, labelled};
use crate::opaque::Stretching;
use crate::settings::{Setting, decode_settings, encode_settings};

/// Bytes of a header.
pub const HEADER: usize = 256;
/// Bytes of a salt.
pub const SALT: usize = 16;
/// Bytes of a nonce.
pub const NONCE: usize = 24;
/// A part is a multiple of so many bytes long.
pub const STEP: usize = 1_024;
/// Most bytes of a part: what the longest message needs.
pub const MAX_PART: usize = 66 * STEP;

const MAGIC: &[u8; 15] = b"trefoil backup\n";
const VERSION: u8 = 1;
/// Bytes of an AEAD's tag (RFC 8439 §2.5).
const TAG: usize = 16;
/// Bytes of whose the file is: origin behind its length, account, zeros.
const OWNER: usize = 176;
/// Bytes of a header before its check.
const CHECKED: usize = HEADER - 8;
/// Bytes of a part around its content.
const AROUND: usize = 4 + NONCE + TAG;
/// Bytes of a part's content before what it lists: what it is, and how many, or how long.
const PART_HEAD: usize = 1 + 4;
/// Most bytes of a part's content.
const MAX_PLAIN: usize = MAX_PART - AROUND;
/// Most bytes of an origin.
const MAX_ORIGIN: usize = 128;

const _: () = assert!(PART_HEAD + MESSAGE_HEAD + END + MAX_CONTENT <= MAX_PLAIN);

/// Why a file does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BackupError {
    /// It does not begin as one.
    #[error("this file is no backup of Trefoil")]
    Malformed,
    /// A later version of this program wrote it.
    #[error("a later version of Trefoil wrote this backup; update to read it")]
    Newer,
    /// Its first 256 bytes are not as they were written, and without them nothing can be read.
    #[error("the beginning of this backup is damaged, and without it nothing of it can be read")]
    Header,
    /// Another passphrase.
    #[error("this passphrase doesn't open this backup")]
    Passphrase,
    /// An empty passphrase, a bad origin, or Argon2id finds no memory.
    #[error("the key of this backup could not be made")]
    Key,
}

impl BackupError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "backup.malformed",
            Self::Newer => "backup.newer",
            Self::Header => "backup.damaged",
            Self::Passphrase => "backup.passphrase",
            Self::Key => "backup.key",
        }
    }
}

/// Whose a backup is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The origin of the log, 1 to 128 bytes.
    pub origin: String,
    /// The account.
    pub account: AccountId,
}

impl Owner {
    fn encode(&self) -> Option<Vec<u8>> {
        if !(1..=MAX_ORIGIN).contains(&self.origin.len()) {
            return None;
        }
        let mut w = Writer::new();
        w.bytes8(self.origin.as_bytes()).raw(&self.account.0);
        let mut bytes = w.finish();
        bytes.resize(OWNER, 0);
        Some(bytes)
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut r = Reader::new(bytes);
        let origin = std::str::from_utf8(r.bytes8(1, MAX_ORIGIN, "origin").ok()?).ok()?.to_owned();
        let account = AccountId::decode(&mut r, "account").ok()?;
        is_zero(&mut r).then_some(Self { origin, account })
    }
}

/// The key of one file.
pub struct BackupKey {
    key: Zeroizing<[u8; 32]>,
    /// Hash of the header, by which parts belong to it.
    header: Digest,
}

impl std::fmt::Debug for BackupKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BackupKey(..)")
    }
}

impl BackupKey {
    /// A new file: its header and its key. Salt and nonce are random.
    ///
    /// # Errors
    /// [`BackupError::Key`].
    pub fn create(
        owner: &Owner,
        passphrase: &str,
        stretching: Stretching,
        salt: [u8; SALT],
        nonce: [u8; NONCE],
    ) -> Result<(Vec<u8>, Self), BackupError> {
        let key = stretch(passphrase, stretching, &salt)?;
        let before = [&MAGIC[..], &[VERSION], &salt].concat();
        let owner = owner.encode().ok_or(BackupError::Key)?;
        let sealed = seal(&key, &nonce, &labelled(label::BACKUP_OWNER, &[&before]), &owner);
        let mut header = [before, nonce.to_vec(), sealed.ok_or(BackupError::Key)?].concat();
        let hash = Digest::labelled(label::BACKUP_HEADER, &[&header]);
        header.extend(check(&hash));
        Ok((header, Self { key, header: hash }))
    }

    /// Opens a file by its header, which is checked before the passphrase is stretched.
    ///
    /// # Errors
    /// [`BackupError`].
    pub fn open(header: &[u8], passphrase: &str, stretching: Stretching) -> Result<(Owner, Self), BackupError> {
        check_header(header)?;
        let mut r = Reader::new(header);
        let cut = |_: DecodeError| BackupError::Header;
        let before = r.take(MAGIC.len() + 1 + SALT, "header").map_err(cut)?;
        let salt = before.last_chunk::<SALT>().ok_or(BackupError::Header)?;
        let nonce = r.array::<NONCE>("nonce").map_err(cut)?;
        let sealed = r.take(OWNER + TAG, "owner").map_err(cut)?;
        let key = stretch(passphrase, stretching, salt)?;
        let opened = unseal(&key, &nonce, &labelled(label::BACKUP_OWNER, &[before]), sealed);
        let owner = Owner::decode(&opened.ok_or(BackupError::Passphrase)?).ok_or(BackupError::Header)?;
        let checked = header.get(..CHECKED).ok_or(BackupError::Header)?;
        Ok((owner, Self { key, header: Digest::labelled(label::BACKUP_HEADER, &[checked]) }))
    }

    /// The bytes of a part at an offset in the file; `None` if it is too long. The nonce is random.
    pub fn seal(&self, part: &Part, at: u64, nonce: [u8; NONCE]) -> Option<Vec<u8>> {
        let plain = Zeroizing::new(part.encode()?);
        let sealed = seal(&self.key, &nonce, &self.place(at), &plain)?;
        let mut w = Writer::new();
        w.count32(sealed.len()).raw(&nonce).raw(&sealed);
        Some(w.finish())
    }

    /// Reads the part at an offset; `None` for anything that was not written there with this key.
    pub fn read(&self, bytes: &[u8], at: u64) -> Option<Part> {
        let (head, rest) = bytes.split_first_chunk::<4>()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE>()?;
        if part_len(*head) != Some(bytes.len()) {
            return None;
        }
        Part::decode(&unseal(&self.key, nonce, &self.place(at), sealed)?).ok()
    }

    fn place(&self, at: u64) -> Vec<u8> {
        labelled(label::BACKUP_PART, &[&self.header.0, &at.to_be_bytes()])
    }
}

/// How long a part is, from its first four bytes; `None` if none begins so.
pub fn part_len(head: [u8; 4]) -> Option<usize> {
    let length = usize::try_from(u32::from_be_bytes(head)).ok()?.checked_add(AROUND - TAG)?;
    ((STEP..=MAX_PART).contains(&length) && length.is_multiple_of(STEP)).then_some(length)
}

/// The header's own errors, which need no passphrase.
///
/// # Errors
/// [`BackupError`].
pub fn check_header(header: &[u8]) -> Result<(), BackupError> {
    let Some(rest) = header.strip_prefix(&MAGIC[..]) else { return Err(BackupError::Malformed) };
    match rest.first() {
        Some(&VERSION) => (),
        Some(&version) if version > VERSION => return Err(BackupError::Newer),
        Some(_) => return Err(BackupError::Malformed),
        None => return Err(BackupError::Header),
    }
    let Some((checked, end)) = header.split_at_checked(CHECKED) else { return Err(BackupError::Header) };
    let hash = Digest::labelled(label::BACKUP_HEADER, &[checked]);
    if end == check(&hash) { Ok(()) } else { Err(BackupError::Header) }
}

fn check(hash: &Digest) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = hash.0;
    [a, b, c, d, e, f, g, h]
}

fn stretch(passphrase: &str, by: Stretching, salt: &[u8; SALT]) -> Result<Zeroizing<[u8; 32]>, BackupError> {
    let mut key = Zeroizing::new([0; 32]);
    let argon2id = by.argon2id().map_err(|_| BackupError::Key)?;
    if passphrase.is_empty() {
        return Err(BackupError::Key);
    }
    let stretched = argon2id.hash_password_into(passphrase.as_bytes(), salt, key.as_mut_slice());
    stretched.map(|()| key).map_err(|_| BackupError::Key)
}

fn seal(key: &[u8; 32], nonce: &[u8; NONCE], aad: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
    let cipher = XChaCha20Poly1305::new(key.into());
    cipher.encrypt(XNonce::from_slice(nonce), Payload { msg: plain, aad }).ok()
}

fn unseal(key: &[u8; 32], nonce: &[u8; NONCE], aad: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let cipher = XChaCha20Poly1305::new(key.into());
    cipher.decrypt(XNonce::from_slice(nonce), Payload { msg: sealed, aad }).map(Zeroizing::new).ok()
}

/// True if nothing but zeros is left.
fn is_zero(r: &mut Reader<'_>) -> bool {
    r.take(r.remaining(), "filling").is_ok_and(|rest| rest.iter().all(|byte| *byte == 0))
}

/// What is in a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// 1: what the devices of the account share.
    Settings(Vec<Setting>),
    /// 2: messages.
    Messages(Vec<HistoryMessage>),
    /// 3: an export ended here.
    End {
        /// When, milliseconds since 1970.
        at_ms: u64,
        /// How many messages were in the file then.
        messages: u64,
    },
}

impl Part {
    /// The bytes of a part before it is sealed, filled with zeros so that the part is a multiple of [`STEP`] long: what it is
    /// u8; settings behind their length (u32), or the number of messages (u32) and the messages as in a history, or time u64
    /// and number u64. `None` if that is too long.
    pub fn encode(&self) -> Option<Vec<u8>> {
        let mut w = Writer::new();
        match self {
            Self::Settings(settings) => {
                w.u8(1).bytes32(&encode_settings(settings));
            }
            Self::Messages(messages) => {
                w.u8(2).count32(messages.len());
                messages.iter().for_each(|message| message.encode(&mut w));
            }
            Self::End { at_ms, messages } => {
                w.u8(3).u64(*at_ms).u64(*messages);
            }
        }
        let mut bytes = w.finish();
        let filled = filled(bytes.len())?;
        bytes.resize(filled, 0);
        Some(bytes)
    }

    /// Reads an opened part.
    ///
    /// # Errors
    /// [`DecodeError`] for anything but the canonical encoding.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        let part = match r.u8("kind of part")? {
            1 => Self::Settings(decode_settings(r.bytes32(MAX_PLAIN, "settings")?)?),
            2 => {
                let count = r.count32(MAX_PLAIN / MESSAGE_HEAD, MESSAGE_HEAD, "messages")?;
                Self::Messages((0..count).map(|_| HistoryMessage::decode(&mut r)).collect::<Result<_, _>>()?)
            }
            3 => Self::End { at_ms: r.u64("time")?, messages: r.u64("messages")? },
            value => return Err(DecodeError::Unknown { field: "kind of part", value: value.into() }),
        };
        let used = bytes.len().saturating_sub(r.remaining());
        if filled(used) != Some(bytes.len()) || !is_zero(&mut r) {
            return Err(DecodeError::TrailingBytes { count: bytes.len().saturating_sub(used) });
        }
        Ok(part)
    }
}

/// The length to which so many bytes are filled.
fn filled(length: usize) -> Option<usize> {
    let filled = length.checked_add(AROUND)?.next_multiple_of(STEP).checked_sub(AROUND)?;
    (filled <= MAX_PLAIN).then_some(filled)
}

/// Settings in as many parts as they need.
pub fn settings_parts(settings: Vec<Setting>) -> Vec<Part> {
    let (mut parts, mut some, mut length) = (Vec::new(), Vec::new(), PART_HEAD);
    for setting in settings {
        if length.saturating_add(setting.length()) > MAX_PLAIN {
            parts.push(Part::Settings(std::mem::take(&mut some)));
            length = PART_HEAD;
        }
        length = length.saturating_add(setting.length());
        some.push(setting);
    }
    if !some.is_empty() {
        parts.push(Part::Settings(some));
    }
    parts
}

/// Messages until they fill a part.
#[derive(Debug, Default)]
pub struct Pile {
    messages: Vec<HistoryMessage>,
    length: usize,
}

impl Pile {
    /// Adds a message; gives those before it if there is no room for it beside them.
    pub fn add(&mut self, message: HistoryMessage) -> Option<Part> {
        let full = PART_HEAD.saturating_add(self.length).saturating_add(message.encoded_len()) > MAX_PLAIN;
        let before = if full { self.take() } else { None };
        self.length = self.length.saturating_add(message.encoded_len());
        self.messages.push(message);
        before
    }

    /// What is left.
    pub fn take(&mut self) -> Option<Part> {
        self.length = 0;
        let messages = std::mem::take(&mut self.messages);
        (!messages.is_empty()).then_some(Part::Messages(messages))
    }
}

#[cfg(test)]
mod tests;
