//! Words in passing: told to who listens just now, and kept nowhere.

use protocol::api::delivery::{MAX_PASSING, Passing, PassingSubmission};
use protocol::id::GroupId;

use crate::accounts::tokens::Caller;
use crate::http::refusal::Refusal;
use crate::shared::Shared;

impl Shared {
    /// Tells the devices of other accounts in a group, if they listen. The word is for the group as it is now: none passes when
    /// its leaves are not what the record says (SND-2).
    pub(crate) fn pass(&self, caller: &Caller, group: GroupId, asked: PassingSubmission) -> Result<(), Refusal> {
        caller.require_confirmed()?;
        let PassingSubmission { epoch, passing } = asked;
        if passing.0.len() > MAX_PASSING {
            return Err(Refusal::TooLarge);
        }
        let owner = caller.owner();
        self.rates().pass(&caller.device, self.now_s())?;
        let found = self
            .delivery
            .readers
            .with(|rows| rows.snapshot(|rows| Ok::<_, rusqlite::Error>((rows.head(&group)?, rows.leaves(&group)?))))?;
        let (Some(head), leaves) = found else { return Err(Refusal::GroupUnknown) };
        if !leaves.contains(&owner) {
            return Err(Refusal::GroupUnknown);
        }
        if head.epoch != epoch {
            return Err(Refusal::StaleEpoch { epoch: head.epoch });
        }
        self.check_sound(&group, epoch)?;
        let others: Vec<_> = leaves.into_iter().filter(|leaf| leaf.account != owner.account).collect();
        self.delivery.hub.pass(&others, &Passing { group, epoch, passing });
        Ok(())
    }
}
