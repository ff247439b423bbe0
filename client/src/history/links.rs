//! Whether old messages fit what their writers sent after them (HIS-4, attack 46).
//!
//! Each text names the one before it of its device. So an old message that was changed on its way, or left out, no longer
//! fits the one after it; only the newest of each writer has nothing to fit yet. What an older device itself has missed
//! looks the same: it cannot be verified either.

use chain::id::{DeviceId, Digest};
use protocol::id::{GroupId, MessageId};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::query::MessageState;
use crate::store::Store;
use crate::turn::Turn;

/// Messages that are looked at at once.
const CHUNK: u32 = 1_000;
/// The same for a step that nobody waits for, and others may wait behind.
const A_STEP: u32 = 200;
/// Conversations whose old messages are to be looked at, and how far that has come; by their groups.
const UNCHECKED: &str = "links unchecked";

/// How far the look at a conversation has come.
#[derive(Default, Serialize, Deserialize)]
struct Progress {
    /// The last message that was looked at: its place and row.
    after: Option<(u64, i64)>,
    /// The newest of each device up to there.
    newest: Vec<([u8; 16], [u8; 32])>,
}

/// What a look at some messages showed.
enum Looked {
    /// There may be more.
    So(Progress),
    /// All of them fit.
    Fit,
    /// A text does not stand after the one that it names as the one before it of its device.
    Broken,
}

impl Progress {
    /// Looks at the next messages of a conversation.
    fn look(mut self, store: &Store<'_>, group: &GroupId) -> Result<Looked, Error> {
        let some = store.messages_after(group, self.after, A_STEP)?;
        let Some(last) = some.last() else { return Ok(Looked::Fit) };
        self.after = Some((last.place.unwrap_or(u64::MAX), last.row));
        for stored in some {
            // what could not be read names nothing
            let Some(previous) = stored.kept.names() else { continue };
            if !self.fits(stored.kept.device, stored.message, previous) {
                return Ok(Looked::Broken);
            }
        }
        Ok(Looked::So(self))
    }

    fn fits(&mut self, device: DeviceId, message: MessageId, previous: Option<MessageId>) -> bool {
        let Some((_, before)) = self.newest.iter_mut().find(|(of, _)| *of == device.0) else {
            self.newest.push((device.0, message.0));
            return true;
        };
        let before = Digest(std::mem::replace(before, message.0));
        previous.is_none_or(|previous| previous == before)
    }
}

impl Turn<'_> {
    /// All old messages of a conversation are here: whether they fit is looked at from now on, some at a time.
    pub(crate) fn begin_checking_links(&mut self, group: &GroupId) -> Result<(), Error> {
        self.store.put(UNCHECKED, &group.0, &Progress::default())
    }

    /// Looks at the next old messages; those that do not fit make their conversation unverified (HIS-4).
    pub(crate) fn go_on_checking_links(&mut self) -> Result<(), Error> {
        let Some(key) = self.store.first_keys(UNCHECKED, 1)?.pop() else { return Ok(()) };
        // whoever waits for old messages waits for them first
        if self.history_comes_first() {
            return Ok(());
        }
        let (Ok(group), Some(progress)) = (<[u8; 32]>::try_from(key.as_slice()), self.store.get(UNCHECKED, &key)?)
        else {
            return Err(Error::Damaged);
        };
        let group = GroupId(group);
        match Progress::look(progress, &self.store, &group)? {
            Looked::So(progress) => self.store.put(UNCHECKED, &key, &progress)?,
            Looked::Fit => self.store.remove(UNCHECKED, &key)?,
            Looked::Broken => {
                self.store.remove(UNCHECKED, &key)?;
                if let Some(mut conversation) = self.conversation(&group)? {
                    conversation.unverified = true;
                    self.keep_conversation(&conversation)?;
                    self.conversation_changed(&group);
                }
            }
        }
        // there may be more, of this one or another
        self.wake(self.now_ms);
        Ok(())
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
    use chain::id::{AccountId, PublicKey};
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
        let bytes = Content { previous, ..Content::of(salt, part) }.encode();
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
        let mut progress = Progress::default();
        loop {
            match progress.look(&store, &GROUP).unwrap() {
                Looked::So(more) => progress = more,
                Looked::Fit => return true,
                Looked::Broken => return false,
            }
        }
    }

    #[test]
    fn what_was_written_fits_whoever_else_writes_in_between() {
        assert!(holds(|_| ()));
        assert!(holds(|store| {
            // the first that is here names one that is not
            let first = text(store, 5, 1, "one", Some(Digest([9; 32])));
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
                let really = Content::of([2; 16], Part::Text("said".to_owned()));
                let really = message_id(&GROUP, &leaf(1).account, &leaf(1).device, &really.encode());
                let second = text(store, 6, 1, say(2), Some(really));
                let next = if changed == 2 { Digest([8; 32]) } else { second };
                text(store, 7, 1, "after", Some(next));
                assert!(changed == 2 || first != really);
            }));
        }
    }

    #[test]
    fn one_that_was_left_out_does_not_fit() {
        assert!(!holds(|store| {
            text(store, 5, 1, "one", None);
            text(store, 7, 1, "three", Some(Digest([3; 32])));
        }));
    }
}
