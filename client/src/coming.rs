//! Who came into a conversation and who went, and by whom: lines between its messages, made here from the commits as they are
//! merged. They are this device's own: nobody sends them, and no history has them.

use std::collections::BTreeSet;

use chain::id::{AccountId, DeviceId, Digest};
use protocol::id::GroupId;
use protocol::settings::is_self_group_id;

use crate::error::Error;
use crate::message::{Kept, MemberChange, NOTHING};
use crate::query::MessageState;
use crate::turn::Turn;

impl Turn<'_> {
    /// Keeps a line for a change of members, if there is one. `commit`: its bytes or hash, which names the line.
    pub(crate) fn note_members(
        &mut self,
        group: &GroupId,
        place: u64,
        by: &AccountId,
        before: &BTreeSet<AccountId>,
        after: &BTreeSet<AccountId>,
        commit: &[u8],
    ) -> Result<(), Error> {
        let conversation = self.conversation(group)?;
        // who leaves has said so himself
        let leavers = conversation.as_ref().map(|it| it.leavers.clone()).unwrap_or_default();
        let change = MemberChange {
            came: after.difference(before).copied().collect(),
            went: before.difference(after).filter(|account| !leavers.contains(&account.0)).copied().collect(),
        };
        let is_pair = conversation.is_some_and(|it| it.pair.is_some());
        // among one's own devices nobody lets anybody in
        let is_own = is_self_group_id(&self.device()?.account, group);
        if is_pair || is_own || (change.came.is_empty() && change.went.is_empty()) {
            return Ok(());
        }
        let kept = Kept {
            from: *by,
            // no device has said it
            device: DeviceId([0; 16]),
            state: MessageState::Received,
            about: Some(NOTHING),
            change: Some(change),
            ..Kept::unreadable(None, "", self.now_ms)
        };
        let line = Digest::sha256(&[b"members".as_slice(), commit].concat());
        self.store.add_message(group, &line, Some(place), &kept).map(drop)
    }
}
