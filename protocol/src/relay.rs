//! What the devices of one account pass each other through the service (`POST /v1/relay`): one byte that says which, then
//! bytes that have their own signature. The service does not look into it, and nobody believes it who said it.

use chain::encoding::DecodeError;

/// Something from another device of the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayBody {
    /// A signed [`crate::confirm::Offer`].
    Offer(Vec<u8>),
    /// A signed [`crate::confirm::Reveal`].
    Reveal(Vec<u8>),
    /// A signed [`crate::history::HistoryRequest`].
    HistoryRequest(Vec<u8>),
    /// A signed [`crate::history::HistoryPart`].
    HistoryPart(Vec<u8>),
}

impl RelayBody {
    /// The bytes.
    pub fn encode(&self) -> Vec<u8> {
        let (kind, bytes) = match self {
            Self::Offer(bytes) => (1, bytes),
            Self::Reveal(bytes) => (2, bytes),
            Self::HistoryRequest(bytes) => (3, bytes),
            Self::HistoryPart(bytes) => (4, bytes),
        };
        [&[kind], bytes.as_slice()].concat()
    }

    /// Reads a relayed body; what is in it is read and checked by its own type.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (kind, rest) = bytes.split_first().ok_or(DecodeError::Truncated { field: "relayed body" })?;
        let rest = rest.to_vec();
        match kind {
            1 => Ok(Self::Offer(rest)),
            2 => Ok(Self::Reveal(rest)),
            3 => Ok(Self::HistoryRequest(rest)),
            4 => Ok(Self::HistoryPart(rest)),
            kind => Err(DecodeError::Unknown { field: "relayed body", value: (*kind).into() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relayed_body_has_one_form() {
        for body in [
            RelayBody::Offer(vec![1]),
            RelayBody::Reveal(vec![]),
            RelayBody::HistoryRequest(vec![3; 9]),
            RelayBody::HistoryPart(vec![4]),
        ] {
            assert_eq!(RelayBody::decode(&body.encode()), Ok(body));
        }
        assert!(
            RelayBody::decode(&[]).is_err() && RelayBody::decode(&[0]).is_err() && RelayBody::decode(&[5]).is_err()
        );
    }
}
