//! What devices of one account pass each other outside of any group, through `POST /v1/relay`: one byte that says what it
//! is, and the rest.
//!
//! The service carries it and could make it up: what is inside is signed ([`crate::confirm`], [`crate::introduction`], [`crate::history`]), and
//! [`RelayBody::Closed`] is a hint and nothing more.

use chain::encoding::DecodeError;

use crate::api::delivery::MAX_RELAY;

/// One relayed body; the bytes are those that were signed, with their signature.
#[derive(Clone, PartialEq, Eq)]
pub enum RelayBody {
    /// 1: a [`crate::confirm::Offer`].
    Offer(Vec<u8>),
    /// 2: a [`crate::confirm::Reveal`].
    Reveal(Vec<u8>),
    /// 3: a [`crate::history::HistoryRequest`].
    HistoryRequest(Vec<u8>),
    /// 4: a [`crate::history::HistoryPart`].
    HistoryPart(Vec<u8>),
    /// 6: a [`crate::introduction::Introduction`].
    Introduction(Vec<u8>),
    /// 5: the sender is done with what went on between the two: look at the record. Proves nothing.
    Closed,
}

impl RelayBody {
    fn parts(&self) -> (u8, &[u8]) {
        match self {
            Self::Offer(bytes) => (1, bytes),
            Self::Reveal(bytes) => (2, bytes),
            Self::HistoryRequest(bytes) => (3, bytes),
            Self::HistoryPart(bytes) => (4, bytes),
            Self::Closed => (5, &[]),
            Self::Introduction(bytes) => (6, bytes),
        }
    }

    /// The bytes to relay.
    pub fn encode(&self) -> Vec<u8> {
        let (kind, bytes) = self.parts();
        [&[kind], bytes].concat()
    }

    /// Reads a relayed body; what is inside is read, and its signature checked, by its own type.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (kind, rest) = bytes.split_first().ok_or(DecodeError::Truncated { field: "relayed body" })?;
        if bytes.len() > MAX_RELAY {
            return Err(DecodeError::Length { field: "relayed body", length: bytes.len(), min: 1, max: MAX_RELAY });
        }
        match kind {
            5 if rest.is_empty() => Ok(Self::Closed),
            5 => Err(DecodeError::TrailingBytes { count: rest.len() }),
            1..=4 | 6 if rest.is_empty() => Err(DecodeError::Truncated { field: "relayed body" }),
            1 => Ok(Self::Offer(rest.to_vec())),
            2 => Ok(Self::Reveal(rest.to_vec())),
            3 => Ok(Self::HistoryRequest(rest.to_vec())),
            4 => Ok(Self::HistoryPart(rest.to_vec())),
            6 => Ok(Self::Introduction(rest.to_vec())),
            kind => Err(DecodeError::Unknown { field: "kind of relayed body", value: (*kind).into() }),
        }
    }
}

impl std::fmt::Debug for RelayBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RelayBody(kind {}, {} bytes)", self.parts().0, self.parts().1.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_as_it_was_written() {
        let bytes = vec![7, 8];
        let bodies: [(u8, RelayBody); 6] = [
            (1, RelayBody::Offer(bytes.clone())),
            (2, RelayBody::Reveal(bytes.clone())),
            (3, RelayBody::HistoryRequest(bytes.clone())),
            (4, RelayBody::HistoryPart(bytes.clone())),
            (5, RelayBody::Closed),
            (6, RelayBody::Introduction(bytes)),
        ];
        for (kind, body) in bodies {
            assert_eq!(body.encode()[0], kind);
            assert_eq!(RelayBody::decode(&body.encode()), Ok(body));
        }
    }

    #[test]
    fn other_kinds_nothing_and_too_much_are_refused() {
        for bytes in [&[][..], &[0, 1], &[7, 1], &[1], &[4], &[6], &[5, 0], &[1; MAX_RELAY + 1]] {
            assert!(RelayBody::decode(bytes).is_err(), "{} bytes", bytes.len());
        }
    }
}
