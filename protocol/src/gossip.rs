//! What every message says of the public record, in its authenticated data (CHK-7): the newest checkpoint that its
//! sender has verified. So two people who were shown different records find out with the first message between them.
//!
//! ```text
//! version u8 = 1 | log size u64 | log root 32 | checkpoint note, behind its length (u16); empty unless the sender has not
//! sent one of this size here before
//! ```
//!
//! Not in scope: comparing (`chain::view`).

use chain::encoding::{DecodeError, Reader, Writer};
use chain::id::Digest;
use chain::proven::MAX_NOTE;
use chain::sigchain::entry::SeenCheckpoint;

/// A sender's view of the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gossip {
    /// Size and root.
    pub log: SeenCheckpoint,
    /// The signed checkpoint, or nothing.
    pub note: Vec<u8>,
}

impl Gossip {
    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u8(1).u64(self.log.size).raw(&self.log.root.0).bytes16(&self.note);
        w.finish()
    }

    /// Reads authenticated data.
    ///
    /// # Errors
    /// [`DecodeError`] for anything but the canonical encoding.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        match r.u8("gossip version")? {
            1 => {}
            value => return Err(DecodeError::Unknown { field: "gossip version", value: value.into() }),
        }
        let log = SeenCheckpoint { size: r.u64("log size")?, root: Digest::decode(&mut r, "log root")? };
        let note = r.bytes16(0, MAX_NOTE, "checkpoint")?.to_vec();
        r.finish()?;
        Ok(Self { log, note })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gossip_has_one_form() {
        let log = SeenCheckpoint { size: 7, root: Digest::sha256(b"root") };
        for note in [Vec::new(), b"a note".to_vec()] {
            let bytes = Gossip { log, note: note.clone() }.encode();
            assert_eq!(Gossip::decode(&bytes), Ok(Gossip { log, note }));
            for cut in 0..bytes.len() {
                assert!(Gossip::decode(&bytes[..cut]).is_err());
            }
            assert!(Gossip::decode(&[bytes.as_slice(), &[0]].concat()).is_err());
            assert!(Gossip::decode(&[&[2], &bytes[1..]].concat()).is_err());
        }
    }
}
