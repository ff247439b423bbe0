//! Signed notes and their keys (C2SP signed-note).
//!
//! A note is text that ends in a newline, an empty line, and signature lines `— <key name> <base64>`. Parsing is
//! strict: `SignedNote::parse(bytes)` gives back exactly `bytes` when written. Two signature types are known here:
//! 0x01 (Ed25519) and 0x04 (cosignature/v1, made and checked in [`super::cosignature`]); lines of others are kept and
//! never trusted. Not in scope: what the text says ([`super::checkpoint`]).

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signer as _, SigningKey};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::id::{Digest, PublicKey, SignatureBytes};

/// Longest note in bytes: room for more than 16 signatures of 5 kB, as signed-note demands.
pub const MAX_NOTE_BYTES: usize = 128 * 1024;

/// Most signature lines in a note (signed-note: at least 16 must be accepted).
pub const MAX_SIGNATURES: usize = 64;

/// Longest key name in bytes (the limit of the ML-DSA-44 cosignature in tlog-cosignature).
pub const MAX_NAME_BYTES: usize = 255;

/// Why bytes are not a signed note, or text is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NoteError {
    /// Longer than [`MAX_NOTE_BYTES`].
    #[error("the note has {bytes} bytes, the most is {MAX_NOTE_BYTES}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// More lines than [`MAX_SIGNATURES`].
    #[error("the note has {count} signature lines, the most is {MAX_SIGNATURES}")]
    TooManySignatures {
        /// How many.
        count: usize,
    },
    /// Not UTF-8, or a control character other than newline.
    #[error("the note has a byte that is no text")]
    NotText,
    /// No empty line between a text and at least one signature line.
    #[error("the note has no signature lines")]
    NoSignatures,
    /// A signature line of another form.
    #[error("signature line {line} is malformed")]
    MalformedSignature {
        /// Counted from 1.
        line: usize,
    },
    /// A name that is empty, too long, or has a space, a plus or a control character.
    #[error("this is no key name")]
    BadName,
    /// Text that is not a key in the form of signed-note.
    #[error("this is no key")]
    MalformedKey,
    /// A key id that does not belong to its name and key.
    #[error("the key id does not belong to the key")]
    WrongKeyId,
    /// A key of a signature type that is not known here.
    #[error("signature type {kind:#04x} is not known")]
    UnknownKeyKind {
        /// The signature type byte.
        kind: u8,
    },
    /// A key that is for another signature type.
    #[error("the key is not for {expected:?} signatures")]
    WrongKeyKind {
        /// What was needed.
        expected: KeyKind,
    },
    /// No line by this key.
    #[error("no signature by the key")]
    NotSigned,
    /// A line by this key that does not verify.
    #[error("a signature by the key does not verify")]
    BadSignature,
}

impl NoteError {
    /// The stable code of this refusal.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotSigned | Self::BadSignature => "note.signature",
            Self::BadName
            | Self::MalformedKey
            | Self::WrongKeyId
            | Self::UnknownKeyKind { .. }
            | Self::WrongKeyKind { .. } => "note.key",
            Self::TooLong { .. }
            | Self::TooManySignatures { .. }
            | Self::NotText
            | Self::NoSignatures
            | Self::MalformedSignature { .. } => "note.malformed",
        }
    }
}

/// The name of a key: not empty, at most 255 bytes, no space, plus or control character.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyName(String);

impl KeyName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = NoteError;
    fn from_str(text: &str) -> Result<Self, NoteError> {
        let forbidden = |c: char| c.is_whitespace() || c.is_control() || c == '+';
        if text.is_empty() || text.len() > MAX_NAME_BYTES || text.contains(forbidden) {
            return Err(NoteError::BadName);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The four bytes that stand before each signature. Short on purpose: no proof of anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId(pub [u8; 4]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

/// The signature types that are made and checked here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyKind {
    /// 0x01: Ed25519 over the text of the note; the keys of logs.
    Ed25519,
    /// 0x04: Ed25519 cosignature with a time; the keys of witnesses and auditors.
    CosignatureV1,
}

impl KeyKind {
    fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::CosignatureV1 => 0x04,
        }
    }

    fn from_byte(kind: u8) -> Result<Self, NoteError> {
        match kind {
            0x01 => Ok(Self::Ed25519),
            0x04 => Ok(Self::CosignatureV1),
            _ => Err(NoteError::UnknownKeyKind { kind }),
        }
    }
}

/// A key that signatures are checked against. Its text form is the *vkey*:
/// `<name>+<key id, 8 hexadecimal digits>+<base64 of signature type and public key>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: KeyName,
    kind: KeyKind,
    key: PublicKey,
    id: KeyId,
}

impl VerifierKey {
    /// The key of this name for this signature type.
    pub fn new(name: KeyName, kind: KeyKind, key: PublicKey) -> Self {
        let hashed = [name.0.as_bytes(), b"\n", &[kind.byte()], key.as_bytes()].concat();
        let [a, b, c, d, ..] = Digest::sha256(&hashed).0;
        Self { name, kind, key, id: KeyId([a, b, c, d]) }
    }

    /// The name.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The key id: SHA-256(name ‖ newline ‖ signature type ‖ public key), first four bytes.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The signature type.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The public key itself.
    pub fn public_key(&self) -> &PublicKey {
        &self.key
    }

    /// True if `line` says that it is by this key. Says nothing about whether it is.
    #[must_use]
    pub fn is_named_by(&self, line: &NoteSignature) -> bool {
        line.name == self.name && line.key_id == self.id
    }

    /// Checks every line that says it is by this key, by `verify`, and gives what the lines say.
    ///
    /// # Errors
    /// [`NoteError::NotSigned`]; whatever `verify` says of the first line that fails, because a note with a false
    /// signature by a known key is refused whole (signed-note).
    pub(super) fn check_lines<T>(
        &self,
        note: &SignedNote,
        verify: impl Fn(&NoteSignature) -> Result<T, NoteError>,
    ) -> Result<Vec<T>, NoteError> {
        let lines = note.signatures.iter().filter(|line| self.is_named_by(line));
        let said: Vec<T> = lines.map(verify).collect::<Result<_, _>>()?;
        if said.is_empty() { Err(NoteError::NotSigned) } else { Ok(said) }
    }

    /// Checks that `note` is signed by this Ed25519 key (type 0x01).
    ///
    /// # Errors
    /// [`NoteError::WrongKeyKind`], [`NoteError::NotSigned`], [`NoteError::BadSignature`].
    pub fn verify(&self, note: &SignedNote) -> Result<(), NoteError> {
        if self.kind != KeyKind::Ed25519 {
            return Err(NoteError::WrongKeyKind { expected: KeyKind::Ed25519 });
        }
        self.check_lines(note, |line| {
            let signature = <[u8; 64]>::try_from(line.signature.as_slice()).map_err(|_| NoteError::BadSignature)?;
            let valid = self.key.verifies(note.text.as_bytes(), &SignatureBytes(signature));
            if valid { Ok(()) } else { Err(NoteError::BadSignature) }
        })
        .map(|_| ())
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[self.kind.byte()], self.key.as_bytes().as_slice()].concat();
        write!(f, "{}+{}+{}", self.name, self.id, BASE64.encode(key))
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;
    fn from_str(text: &str) -> Result<Self, NoteError> {
        let (name, id, kind, key) = parse_key(text)?;
        let key = PublicKey::from_bytes(&key, "public key").map_err(|_| NoteError::MalformedKey)?;
        let key = Self::new(name, kind, key);
        if key.id.to_string() == id { Ok(key) } else { Err(NoteError::WrongKeyId) }
    }
}

/// Takes `<name>+<id>+<base64>` apart; the id is left to the caller to compare.
fn parse_key(text: &str) -> Result<(KeyName, &str, KeyKind, [u8; 32]), NoteError> {
    let (name, rest) = text.split_once('+').ok_or(NoteError::MalformedKey)?;
    let (id, key) = rest.split_once('+').ok_or(NoteError::MalformedKey)?;
    let key = Zeroizing::new(BASE64.decode(key).map_err(|_| NoteError::MalformedKey)?);
    let (kind, key) = key.split_first().ok_or(NoteError::MalformedKey)?;
    let kind = KeyKind::from_byte(*kind)?;
    let key = key.try_into().map_err(|_| NoteError::MalformedKey)?;
    Ok((name.parse()?, id, kind, key))
}

const PRIVATE_KEY: &str = "PRIVATE+KEY+";

/// A key that signs, with its name and the signature type it is for.
#[derive(Clone)]
pub struct NoteSigner {
    key: SigningKey,
    verifier: VerifierKey,
}

impl NoteSigner {
    /// The signer of this name. A key is for one name and one signature type only (tlog-cosignature).
    pub fn new(name: KeyName, kind: KeyKind, key: SigningKey) -> Self {
        let verifier = VerifierKey::new(name, kind, PublicKey::from(&key));
        Self { key, verifier }
    }

    /// The key to check its signatures against.
    pub fn verifier_key(&self) -> &VerifierKey {
        &self.verifier
    }

    /// The text form for storage, secret: `PRIVATE+KEY+<name>+<key id>+<base64 of signature type and seed>`, as the Go
    /// note package writes it.
    pub fn to_secret_text(&self) -> Zeroizing<String> {
        let VerifierKey { name, kind, id, .. } = &self.verifier;
        let seed = Zeroizing::new(self.key.to_bytes());
        let key = Zeroizing::new([&[kind.byte()], seed.as_slice()].concat());
        let key = Zeroizing::new(BASE64.encode(key.as_slice()));
        Zeroizing::new(format!("{PRIVATE_KEY}{name}+{id}+{}", key.as_str()))
    }

    /// Signs the text of a note with an Ed25519 key (type 0x01).
    ///
    /// # Errors
    /// [`NoteError::WrongKeyKind`].
    pub fn sign(&self, text: &str) -> Result<NoteSignature, NoteError> {
        if self.verifier.kind != KeyKind::Ed25519 {
            return Err(NoteError::WrongKeyKind { expected: KeyKind::Ed25519 });
        }
        Ok(self.line(self.sign_bytes(text.as_bytes()).0.to_vec()))
    }

    pub(super) fn sign_bytes(&self, message: &[u8]) -> SignatureBytes {
        SignatureBytes(self.key.sign(message).to_bytes())
    }

    pub(super) fn line(&self, signature: Vec<u8>) -> NoteSignature {
        NoteSignature { name: self.verifier.name.clone(), key_id: self.verifier.id, signature }
    }
}

impl FromStr for NoteSigner {
    type Err = NoteError;
    fn from_str(text: &str) -> Result<Self, NoteError> {
        let text = text.strip_prefix(PRIVATE_KEY).ok_or(NoteError::MalformedKey)?;
        let (name, id, kind, seed) = parse_key(text)?;
        let seed = Zeroizing::new(seed);
        let signer = Self::new(name, kind, SigningKey::from_bytes(&seed));
        if signer.verifier.id.to_string() == id { Ok(signer) } else { Err(NoteError::WrongKeyId) }
    }
}

/// Tells the public key only.
impl fmt::Debug for NoteSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NoteSigner({})", self.verifier)
    }
}

/// One signature line, unchecked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// Whose it says it is.
    pub name: KeyName,
    /// Under which key.
    pub key_id: KeyId,
    /// What follows the key id: the form depends on the signature type. At least one byte.
    pub signature: Vec<u8>,
}

impl FromStr for NoteSignature {
    type Err = NoteError;

    /// Reads a line without its newline.
    fn from_str(line: &str) -> Result<Self, NoteError> {
        let malformed = NoteError::MalformedSignature { line: 1 };
        let (name, encoded) = line.strip_prefix("— ").and_then(|rest| rest.split_once(' ')).ok_or(malformed)?;
        let bytes = BASE64.decode(encoded).map_err(|_| malformed)?;
        let (key_id, signature) = bytes.split_first_chunk::<4>().ok_or(malformed)?;
        if signature.is_empty() {
            return Err(malformed);
        }
        Ok(Self { name: name.parse().map_err(|_| malformed)?, key_id: KeyId(*key_id), signature: signature.to_vec() })
    }
}

/// Writes the line with its newline.
impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.key_id.0.as_slice(), &self.signature].concat();
        writeln!(f, "— {} {}", self.name, BASE64.encode(bytes))
    }
}

/// A text with its signature lines, none of them checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl SignedNote {
    /// Puts a text and its signature lines together.
    ///
    /// # Errors
    /// [`NoteError`], if the result is not a signed note.
    pub fn new(text: &str, signatures: &[NoteSignature]) -> Result<Self, NoteError> {
        let lines: String = signatures.iter().map(NoteSignature::to_string).collect();
        Self::parse(format!("{text}\n{lines}").as_bytes())
    }

    /// Reads a note.
    ///
    /// # Errors
    /// [`NoteError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLong { bytes: bytes.len() });
        }
        let whole = std::str::from_utf8(bytes).map_err(|_| NoteError::NotText)?;
        if whole.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
            return Err(NoteError::NotText);
        }
        // the text keeps the first newline of the last empty line
        let (text, lines) = whole.rsplit_once("\n\n").ok_or(NoteError::NoSignatures)?;
        let signatures = parse_signatures(lines)?;
        if signatures.is_empty() {
            return Err(NoteError::NoSignatures);
        }
        Ok(Self { text: format!("{text}\n"), signatures })
    }

    /// The text, with its last newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines, unchecked.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }
}

/// Reads signature lines, each with its newline; none is fine.
///
/// # Errors
/// [`NoteError::TooManySignatures`], [`NoteError::MalformedSignature`].
pub fn parse_signatures(lines: &str) -> Result<Vec<NoteSignature>, NoteError> {
    let count = lines.matches('\n').count();
    if count > MAX_SIGNATURES {
        return Err(NoteError::TooManySignatures { count });
    }
    let malformed = |line| NoteError::MalformedSignature { line };
    let lines = lines.split_inclusive('\n').zip(1..);
    lines.map(|(line, n)| line.strip_suffix('\n').and_then(|line| line.parse().ok()).ok_or(malformed(n))).collect()
}

impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|line| write!(f, "{line}"))
    }
}

#[cfg(test)]
mod tests;
