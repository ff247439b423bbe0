//! Whether old messages fit what their writers sent after them (HIS-4, attack 46).
//!
//! Each text names the one before it of its device. So an old message that was changed on its way, or left out, no longer
//! fits the one after it; only the newest of each writer has nothing to fit yet. What an older device itself has missed
//! looks the same: it cannot be verified either.

use std::collections::BTreeMap;

use chain::id::DeviceId;
use protocol::id::{GroupId, MessageId};

use crate::error::Error;
use crate::query::MessageState;
use crate::store::Store;

/// Messages that are looked at at once.
const CHUNK: u32 = 1_000;

/// True if every text of a conversation that names the one before it of its device stands after that one.
pub(crate) fn links_hold(store: &Store<'_>, group: &GroupId) -> Result<bool, Error> {
    let (mut newest, mut after) = (BTreeMap::new(), None);
    loop {
        let some = store.messages_after(group, after, CHUNK)?;
        let Some(last) = some.last() else { return Ok(true) };
        after = Some((last.place.unwrap_or(u64::MAX), last.row));
        for stored in some {
            // what could not be read names nothing
            let Some(previous) = stored.kept.names() else { continue };
            let before = newest.insert(stored.kept.device, stored.message);
            if before.is_some() && previous.is_some() && before != previous {
                return Ok(false);
            }
        }
    }
}

/// False if the first text of a device that was read here does not name the newest one before it that came from a history. As
/// long as something between the two cannot be read, nothing is said.
pub(crate) fn fits_history(
    store: &Store<'_>,
    group: &GroupId,
    device: &DeviceId,
    previous: Option<&MessageId>,
    place: u64,
) -> Result<bool, Error> {
    let mut skipped = 0_u32;
    loop {
        let some = store.messages_before(group, place, CHUNK, skipped)?;
        for stored in &some {
            if stored.kept.state == MessageState::Unreadable {
                return Ok(true);
            }
            if stored.kept.device == *device {
                return Ok(!stored.kept.from_history || previous == Some(&stored.message));
            }
        }
        if u32::try_from(some.len()).is_ok_and(|count| count < CHUNK) {
            return Ok(true);
        }
        skipped = skipped.saturating_add(CHUNK);
    }
}

#[cfg(test)]
mod tests {
    use chain::id::{AccountId, DeviceId, PublicKey};
    use ed25519_dalek::SigningKey;
    use protocol::content::{Content, Part, message_id};
    use protocol::members::Leaf;
    use rusqlite::Connection;

    use super::*;
    use crate::message::Kept;
    use crate::seal::StoreKey;

    const GROUP: GroupId = GroupId([1; 32]);

    fn leaf(writer: u8) -> Leaf {
        let key = PublicKey::from(&SigningKey::from_bytes(&[writer; 32]));
        Leaf { account: AccountId([writer; 32]), device: DeviceId([writer; 16]), key }
    }

    /// A text of a writer at a place, after another one; its id.
    fn text(store: &Store<'_>, place: u64, writer: u8, text: &str, previous: Option<MessageId>) -> MessageId {
        let (salt, part) = ([2; 16], Part::Text(text.to_owned()));
        let bytes = Content { salt, replaces: None, in_reply_to: None, previous, expires: None, part }.encode();
        let from = leaf(writer);
        let id = message_id(&GROUP, &from.account, &from.device, &bytes);
        let kept = Kept::received(&from, &bytes, text.to_owned(), 0);
        store.add_message(&GROUP, &id, Some(place), &kept).unwrap().unwrap();
        id
    }

    fn holds(fill: impl FnOnce(&Store<'_>)) -> bool {
        let mut db = Connection::open_in_memory().unwrap();
        crate::prepare(&db).unwrap();
        let transaction = db.transaction().unwrap();
        let key = StoreKey::new([7; 32]);
        let store = Store::new(&transaction, &key);
        fill(&store);
        links_hold(&store, &GROUP).unwrap()
    }

    #[test]
    fn what_was_written_fits_whoever_else_writes_in_between() {
        assert!(holds(|_| ()));
        assert!(holds(|store| {
            // the first that is here names one that is not
            let first = text(store, 5, 1, "one", Some(chain::id::Digest([9; 32])));
            let other = text(store, 6, 2, "hello", None);
            let second = text(store, 7, 1, "two", Some(first));
            text(store, 8, 2, "again", Some(other));
            text(store, 9, 1, "three", Some(second));
        }));
    }

    /// HIS-4, attack 46.
    #[test]
    fn a_past_message_that_was_changed_does_not_fit() {
        for changed in [1, 2] {
            assert!(!holds(|store| {
                let say = |number| if number == changed { "forged" } else { "said" };
                let first = text(store, 5, 1, say(1), None);
                // what they name is what was really written
                let really = Content {
                    salt: [2; 16],
                    replaces: None,
                    in_reply_to: None,
                    previous: None,
                    expires: None,
                    part: Part::Text("said".to_owned()),
                };
                let really = message_id(&GROUP, &leaf(1).account, &leaf(1).device, &really.encode());
                let second = text(store, 6, 1, say(2), Some(really));
                let next = if changed == 2 { chain::id::Digest([8; 32]) } else { second };
                text(store, 7, 1, "after", Some(next));
                assert!(changed == 2 || first != really);
            }));
        }
    }

    #[test]
    fn one_that_was_left_out_does_not_fit() {
        assert!(!holds(|store| {
            text(store, 5, 1, "one", None);
            text(store, 7, 1, "three", Some(chain::id::Digest([3; 32])));
        }));
    }
}
