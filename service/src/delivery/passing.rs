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
        let found = self.delivery.readers.with(|rows| {
            rows.snapshot(|rows| {
                match rows.head(&group)?.filter(|_| rows.has_leaf(&group, &owner).unwrap_or_default()) {
                    Some(head) => Ok::<_, rusqlite::Error>(Some((head.epoch, rows.leaves(&group)?))),
                    None => Ok(None),
                }
            })
        })?;
        let Some((now, leaves)) = found else { return Err(Refusal::GroupUnknown) };
        if now != epoch {
            return Err(Refusal::StaleEpoch { epoch: now });
        }
        self.check_sound(&group, epoch)?;
        let others: Vec<_> = leaves.into_iter().filter(|leaf| leaf.account != owner.account).collect();
        self.delivery.hub.pass(&others, &Passing { group, epoch, passing });
        Ok(())
    }
}
