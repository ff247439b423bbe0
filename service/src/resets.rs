//! Carrying out a reset whose notice is due: the one entry that the service makes itself (RST-2 to RST-5).
//!
//! The waiting device brings the opening of the identity to come; the service adds the AccountReset with the two
//! cosigned checkpoints that prove the wait, and both go into one block. Whether they prove it is for the fold to say.

use chain::audit::BlockBroken;
use chain::id::AccountId;
use chain::sigchain::body::Body;
use chain::sigchain::broken::RuleBroken;
use chain::sigchain::entry::{Proposal, SeenCheckpoint};

use crate::disk::store::Store;
use crate::entries::{Admitted, Reply};
use crate::http::refusal::Refusal;
use crate::record::Record;
use crate::sequencer::judge::Reads;
use crate::shared::Shared;

fn refuse<T>(reason: RuleBroken) -> Result<T, Refusal> {
    Err(BlockBroken::Entry { index: 0, reason }.into())
}

impl Shared {
    /// Ends `account` in favour of the identity that `opening` opens.
    pub(crate) fn submit_reset(&self, account: &AccountId, opening: &[u8]) -> Result<Reply, Refusal> {
        let record = self.record()?;
        self.check_disk()?;
        let opening = Proposal::decode(opening)?;
        let successor = opening.statement.position.account;
        let now_s = self.now_s();
        let (entries, checked) = self.readers.with(|store| {
            let reads = Reads::new(store, None);
            let Some(set) = reads.account(account) else { return refuse(RuleBroken::NoNotice) };
            let Some(notice) = set.notice() else { return refuse(RuleBroken::NoNotice) };
            let earliest_s = notice.opened_at_s.saturating_add(notice.wait_s);
            if now_s < earliest_s {
                return refuse(RuleBroken::ResetTooEarly { earliest_s, now_s });
            }
            let [notice_checkpoint, later_checkpoint] = carried(record, store, notice.block)?;
            let body = Body::AccountReset { successor, notice_checkpoint, later_checkpoint };
            let reset = set.following(body, seen(record));
            let origin = &record.parameters.origin;
            // the service is its only signer
            let reset = Proposal::sign(reset, origin, &self.keys.entry, None).complete(origin, &self.keys.entry);
            let mut entries = vec![reset, opening.complete(origin, &self.keys.entry)];
            entries.sort_unstable_by_key(|entry| entry.statement.position.account);
            let checked = self.check(record, &reads, &entries, now_s)?;
            Ok::<_, Refusal>((entries, checked))
        })?;
        self.queue(Admitted { entries, checked, proposed: successor })
    }
}

/// RST-5: a cosigned checkpoint that covers the notice, and the newest one. Without witnesses nobody proves the wait,
/// and nothing is carried.
fn carried(record: &Record, store: &Store, notice: u64) -> Result<[Vec<u8>; 2], Refusal> {
    if record.parameters.policy.smallest_quorum() == 0 {
        return Ok([Vec::new(), Vec::new()]);
    }
    let covering = store.cosigned_covering(notice)?;
    Ok([covering, record.published_note()].map(|note| note.unwrap_or_default().into_bytes()))
}

/// The newest checkpoint that the service itself has.
fn seen(record: &Record) -> SeenCheckpoint {
    let size = record.sizes().sealed;
    SeenCheckpoint { size, root: record.root_at(size).unwrap_or(chain::map::EMPTY_ROOT) }
}
