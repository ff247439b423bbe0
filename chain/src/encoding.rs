//! The one canonical, strict encoding of everything that is signed or hashed.
//!
//! TLS presentation style (RFC 8446 §3): fixed-width big-endian integers, byte strings behind a length of one,
//! two or four bytes, options as one byte `0` or `1`. Not in scope: what the fields mean (each type's own file).
//!
//! Every decoder in this crate upholds `encode(decode(bytes)) == bytes`: there is no second way to write a value.

use thiserror::Error;

/// Why bytes are not the canonical encoding of a value (rule ENT-1 and its likes).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The bytes end inside a value.
    #[error("the bytes end inside {field}")]
    Truncated {
        /// What was being read.
        field: &'static str,
    },
    /// Bytes follow the value.
    #[error("{count} bytes follow the value")]
    TrailingBytes {
        /// How many.
        count: usize,
    },
    /// A value that this format does not know.
    #[error("{field} has the unknown value {value}")]
    Unknown {
        /// What was being read.
        field: &'static str,
        /// What stood there.
        value: u64,
    },
    /// A length outside its bounds.
    #[error("{field} has length {length}, allowed are {min} to {max}")]
    Length {
        /// What was being read.
        field: &'static str,
        /// The length that stood there.
        length: usize,
        /// Shortest allowed.
        min: usize,
        /// Longest allowed.
        max: usize,
    },
    /// A list that is not strictly ascending.
    #[error("{field} is not strictly ascending")]
    NotAscending {
        /// What was being read.
        field: &'static str,
    },
    /// A public key that is not the canonical encoding of a point of full order.
    #[error("{field} is not an acceptable public key")]
    BadKey {
        /// What was being read.
        field: &'static str,
    },
}

/// Reads a canonical encoding from front to back.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Takes exactly `count` bytes.
    pub fn take(&mut self, count: usize, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let (head, tail) = self.rest.split_at_checked(count).ok_or(DecodeError::Truncated { field })?;
        self.rest = tail;
        Ok(head)
    }

    /// Takes `N` bytes as an array.
    pub fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        let (head, tail) = self.rest.split_first_chunk::<N>().ok_or(DecodeError::Truncated { field })?;
        self.rest = tail;
        Ok(*head)
    }

    /// Reads one byte.
    pub fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        self.array::<1>(field).map(u8::from_be_bytes)
    }

    /// Reads two bytes.
    pub fn u16(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        self.array(field).map(u16::from_be_bytes)
    }

    /// Reads four bytes.
    pub fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        self.array(field).map(u32::from_be_bytes)
    }

    /// Reads eight bytes.
    pub fn u64(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        self.array(field).map(u64::from_be_bytes)
    }

    /// Reads an option's marker: 0 absent, 1 present.
    pub fn present(&mut self, field: &'static str) -> Result<bool, DecodeError> {
        match self.u8(field)? {
            0 => Ok(false),
            1 => Ok(true),
            value => Err(DecodeError::Unknown { field, value: value.into() }),
        }
    }

    /// Reads a byte string behind a two-byte length, `min..=max` bytes long.
    pub fn bytes16(&mut self, min: usize, max: usize, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let length = usize::from(self.u16(field)?);
        if length < min || length > max {
            return Err(DecodeError::Length { field, length, min, max });
        }
        self.take(length, field)
    }

    /// Reads a byte string behind a four-byte length, at most `max` bytes long.
    pub fn bytes32(&mut self, max: usize, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let length = self.count32(max, 1, field)?;
        self.take(length, field)
    }

    /// Reads a byte string behind a one-byte length, `min..=max` bytes long.
    pub fn bytes8(&mut self, min: usize, max: usize, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let length = usize::from(self.u8(field)?);
        if length < min || length > max {
            return Err(DecodeError::Length { field, length, min, max });
        }
        self.take(length, field)
    }

    /// Reads the number of items of a list, four bytes, at most `max`, and refuses a number whose items (each at
    /// least `item_len` bytes) cannot be in what is left: so no attacker makes us reserve memory.
    pub fn count32(&mut self, max: usize, item_len: usize, field: &'static str) -> Result<usize, DecodeError> {
        let length = self.u32(field)? as usize;
        if length > max {
            return Err(DecodeError::Length { field, length, min: 0, max });
        }
        if length.saturating_mul(item_len) > self.rest.len() {
            return Err(DecodeError::Truncated { field });
        }
        Ok(length)
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`DecodeError::TrailingBytes`] if anything is left.
    pub fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::TrailingBytes { count: self.rest.len() }) }
    }
}

/// Writes a canonical encoding.
#[derive(Debug, Clone, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// Starts empty.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// Adds one byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.raw(&[value])
    }

    /// Adds two bytes.
    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Adds four bytes.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Adds eight bytes.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Adds an option of fixed bytes: `0`, or `1` and the bytes.
    pub fn option(&mut self, value: Option<&[u8]>) -> &mut Self {
        match value {
            None => self.u8(0),
            Some(bytes) => self.u8(1).raw(bytes),
        }
    }

    /// Adds a byte string behind a one-byte length. Longer than 255 bytes is a bug of the caller; the length is then
    /// cut, and no decoder takes the result.
    pub fn bytes8(&mut self, bytes: &[u8]) -> &mut Self {
        let length = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
        self.u8(length).raw(bytes)
    }

    /// Adds a byte string behind a two-byte length, with the same remark as [`Writer::bytes8`].
    pub fn bytes16(&mut self, bytes: &[u8]) -> &mut Self {
        let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
        self.u16(length).raw(bytes)
    }

    /// Adds a byte string behind a four-byte length, with the same remark as [`Writer::bytes8`].
    pub fn bytes32(&mut self, bytes: &[u8]) -> &mut Self {
        self.count32(bytes.len()).raw(bytes)
    }

    /// Adds the number of items of a list in four bytes, with the same remark as [`Writer::bytes8`].
    pub fn count32(&mut self, count: usize) -> &mut Self {
        self.u32(u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// The bytes so far.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_ends_early_or_late_is_refused() {
        let mut reader = Reader::new(&[0, 1, 2]);
        assert_eq!(reader.u16("n"), Ok(1));
        assert_eq!(reader.clone().u16("n"), Err(DecodeError::Truncated { field: "n" }));
        assert_eq!(reader.finish(), Err(DecodeError::TrailingBytes { count: 1 }));
    }

    #[test]
    fn an_option_has_two_forms_only() {
        assert_eq!(Reader::new(&[2]).present("o"), Err(DecodeError::Unknown { field: "o", value: 2 }));
    }

    /// Attack 27: a length that promises more than there is reserves nothing.
    #[test]
    fn a_count_larger_than_the_bytes_is_refused() {
        assert_eq!(
            Reader::new(&[0, 0, 255, 255]).count32(1 << 20, 32, "l"),
            Err(DecodeError::Truncated { field: "l" })
        );
        assert!(matches!(Reader::new(&[255; 4]).count32(10, 0, "l"), Err(DecodeError::Length { .. })));
    }
}
