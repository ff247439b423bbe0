//! What became of messages at whoever got them: that they came, that a person has read them (MSG-9).
//!
//! A list of ids and states in CBOR, as in draft-mahy-mimi-message-status-01: `[ [ id: 32 bytes, status: uint8 ], … ]`. Ours is
//! narrower: 1 to [`MAX_RECEIPTS`] pairs, the ids strictly ascending, so that each is named once and there is one form. What else the
//! draft knows (unread, expired, deleted, hidden, error) is nobody's business here: it is passed over, as is what comes later.

use minicbor::{Decoder, Encoder};

use super::{ContentError, array, deterministic, fixed, malformed, require};
use crate::id::MessageId;

/// Content type of receipts.
pub const RECEIPTS: &str = "application/vnd.trefoil.receipts";
/// Most messages that one receipt is about; so many fill the bucket of 4,288 bytes.
pub const MAX_RECEIPTS: usize = 100;

const FIELD: &str = "receipt";

/// What became of a message. Who has read it has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Receipt {
    /// It is on a device of the account.
    Delivered,
    /// A person has read it.
    Read,
}

impl Receipt {
    /// The number on the wire.
    pub fn number(self) -> u8 {
        match self {
            Self::Delivered => 1,
            Self::Read => 2,
        }
    }

    /// The state with this number, if it is one of ours.
    pub fn of_number(number: u8) -> Option<Self> {
        [Self::Delivered, Self::Read].into_iter().find(|it| it.number() == number)
    }
}

/// The bytes of receipts, in the order of the ids. Of more than [`MAX_RECEIPTS`], or of none, nobody reads the result.
pub fn encode_receipts(receipts: &[(MessageId, Receipt)]) -> Vec<u8> {
    let mut receipts = receipts.to_vec();
    receipts.sort_unstable();
    let mut e = Encoder::new(Vec::new());
    // writing to memory does not fail
    let _ = e.array(u64::try_from(receipts.len()).unwrap_or(u64::MAX));
    for (message, receipt) in receipts {
        let _ = e.array(2).and_then(|e| e.bytes(&message.0)).and_then(|e| e.u8(receipt.number()));
    }
    e.into_writer()
}

/// Reads receipts; those of other kinds are left out.
///
/// # Errors
/// [`ContentError`] for anything but the one form of a list.
pub fn decode_receipts(bytes: &[u8]) -> Result<Vec<(MessageId, Receipt)>, ContentError> {
    deterministic::check(bytes)?;
    let mut d = Decoder::new(bytes);
    let count = array(&mut d, FIELD)?;
    require((1..=MAX_RECEIPTS as u64).contains(&count), FIELD)?;
    let mut receipts = Vec::new();
    let mut last: Option<MessageId> = None;
    for _ in 0..count {
        require(array(&mut d, FIELD)? == 2, FIELD)?;
        let message = chain::id::Digest(fixed(&mut d, FIELD)?);
        require(last.is_none_or(|last| last < message), FIELD)?;
        last = Some(message);
        let number = d.u8().map_err(malformed(FIELD))?;
        receipts.extend(Receipt::of_number(number).map(|receipt| (message, receipt)));
    }
    Ok(receipts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{BUCKETS, Content, Part, pad};

    fn id(number: usize) -> MessageId {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&(number as u64).to_be_bytes());
        chain::id::Digest(id)
    }

    /// MSG-9: one form, bounded, and nothing but that is read.
    #[test]
    fn receipts_have_one_form() {
        let some = [(id(2), Receipt::Read), (id(1), Receipt::Delivered), (id(3), Receipt::Read)];
        let bytes = encode_receipts(&some);
        let read = decode_receipts(&bytes).unwrap();
        assert_eq!(read, [(id(1), Receipt::Delivered), (id(2), Receipt::Read), (id(3), Receipt::Read)]);
        assert_eq!(encode_receipts(&read), bytes);
        let many = |count| encode_receipts(&(0..count).map(|it| (id(it), Receipt::Read)).collect::<Vec<_>>());
        assert_eq!(decode_receipts(&many(MAX_RECEIPTS)).unwrap().len(), MAX_RECEIPTS);
        let twice = encode_receipts(&[some[0], some[0]]);
        let mut swapped = encode_receipts(&some[..2]);
        // the last byte of the first eight of each id
        (swapped[11], swapped[47]) = (2, 1);
        for bad in [many(0), many(MAX_RECEIPTS + 1), twice, swapped, bytes[1..].to_vec(), Vec::new()] {
            assert!(decode_receipts(&bad).is_err(), "{bad:02x?}");
        }
        for cut in 0..bytes.len() {
            assert!(decode_receipts(&bytes[..cut]).is_err());
        }
    }

    /// What a later version says of a message is passed over, and what it says of others is read.
    #[test]
    fn other_states_are_passed_over() {
        let mut bytes = encode_receipts(&[(id(1), Receipt::Delivered), (id(2), Receipt::Read)]);
        bytes[36] = 6;
        assert_eq!(decode_receipts(&bytes).unwrap(), [(id(2), Receipt::Read)]);
    }

    /// Attack 66: the greatest receipt fits the third bucket, seven ids the first.
    #[test]
    fn receipts_fit_their_buckets() {
        let length = |count| {
            let receipts: Vec<_> = (0..count).map(|it| (id(it), Receipt::Read)).collect();
            let part = Part::Signal { content_type: RECEIPTS.to_owned(), bytes: encode_receipts(&receipts) };
            let content = Content::of([1; 16], part);
            pad(&content.encode()).unwrap().len()
        };
        assert_eq!((length(7), length(MAX_RECEIPTS)), (BUCKETS[0], BUCKETS[2]));
    }
}
