//! Starting again: all devices of an account are lost (rules RST-1 to RST-7).
//!
//! The service may end an identity in favour of a fresh one, but only in public, after a notice, after the waiting
//! time that the account chose, and if no living device objects. Nobody sends to the successor before its person has
//! accepted it (RST-6), so even a service that lies here reads nothing.

use crate::id::{AccountId, DeviceKeys, Digest};
use crate::log::checkpoint::VerifiedCheckpoint;
use crate::log::note::SignedNote;
use crate::sigchain::body::{Body, Predecessor};
use crate::sigchain::broken::RuleBroken;
use crate::sigchain::device_set::{AccountState, DeviceSet, Notice};
use crate::sigchain::entry::Statement;
use crate::sigchain::fold::Ground;

/// RST-1, RST-2: opens a notice.
pub(super) fn announce(
    set: &mut DeviceSet,
    request: u64,
    previous: Digest,
    successor: AccountId,
    device: &DeviceKeys,
    ground: &Ground<'_>,
) -> Result<(), RuleBroken> {
    let wait_s = set.reset_choice.wait_s().ok_or(RuleBroken::ResetNever)?;
    if set.notice.is_some() {
        return Err(RuleBroken::ResetOpen);
    }
    let earliest_s = set.vetoed_at_s.map_or(0, |at_s| at_s.saturating_add(wait_s));
    if ground.time_s < earliest_s {
        return Err(RuleBroken::ResetTooSoon { earliest_s });
    }
    for key in [&device.chain, &device.mls] {
        if set.uses_key(key) || set.has_retired(key) {
            return Err(RuleBroken::KnownKey);
        }
    }
    set.open_request(request)?;
    set.notice = Some(Notice {
        request,
        hash: set.head,
        previous,
        successor,
        device: *device,
        block: ground.block,
        opened_at_s: ground.time_s,
        wait_s,
    });
    Ok(())
}

/// RST-3: closes the notice.
pub(super) fn veto(set: &mut DeviceSet, request: u64, notice: &Digest, now_s: u64) -> Result<(), RuleBroken> {
    if !set.notice.as_ref().is_some_and(|open| open.hash == *notice && open.request == request) {
        return Err(RuleBroken::NoNotice);
    }
    set.notice = None;
    set.vetoed_at_s = Some(now_s);
    Ok(())
}

/// RST-2, RST-4, RST-5: ends the identity.
pub(super) fn carry_out(
    set: &mut DeviceSet,
    request: u64,
    successor: &AccountId,
    carried: [&[u8]; 2],
    ground: &Ground<'_>,
) -> Result<(), RuleBroken> {
    let notice = set.notice.take().filter(|open| open.request == request).ok_or(RuleBroken::NoNotice)?;
    if notice.successor != *successor {
        return Err(RuleBroken::OtherSuccessor);
    }
    let earliest_s = notice.opened_at_s.saturating_add(notice.wait_s);
    if ground.time_s < earliest_s {
        return Err(RuleBroken::ResetTooEarly { earliest_s, now_s: ground.time_s });
    }
    check_wait(&notice, carried, ground)?;
    set.end(AccountState::ResetTo {
        successor: notice.successor,
        device: Box::new(notice.device),
        head: notice.previous,
    });
    Ok(())
}

/// RST-4: whether `opening`, the first statement of an account, continues `ended`. The sequencer and auditors demand
/// it inside one block, a client when it follows a contact from the old identity to the new.
///
/// # Errors
/// [`RuleBroken::Successor`], [`RuleBroken::Generation`].
pub fn check_succession(ended: &DeviceSet, opening: &Statement) -> Result<(), RuleBroken> {
    let AccountState::ResetTo { successor, device, head } = ended.state() else {
        return Err(RuleBroken::Successor);
    };
    let Body::AccountCreated { device: first, predecessor, .. } = &opening.body else {
        return Err(RuleBroken::Successor);
    };
    let names = Predecessor { account: ended.account(), head: *head };
    if opening.position.account != *successor || first != device.as_ref() || *predecessor != Some(names) {
        return Err(RuleBroken::Successor);
    }
    if Some(opening.position.generation) != ended.generation().checked_add(1) {
        return Err(RuleBroken::Generation { got: opening.position.generation });
    }
    Ok(())
}

/// RST-5: the carried checkpoints prove that the waiting time has passed by the witnesses' clocks, not the service's.
fn check_wait(notice: &Notice, carried: [&[u8]; 2], ground: &Ground<'_>) -> Result<(), RuleBroken> {
    let policy = &ground.parameters.policy;
    if policy.smallest_quorum() == 0 {
        return if carried == [&[] as &[u8]; 2] { Ok(()) } else { Err(RuleBroken::WaitUnproven) };
    }
    let [first, second] = carried.map(|note| {
        let verified = SignedNote::parse(note).ok().and_then(|note| VerifiedCheckpoint::verify(&note, policy).ok())?;
        let checkpoint = verified.checkpoint();
        let known = (ground.root_at)(checkpoint.size);
        let own = checkpoint.origin.as_str() == ground.parameters.origin;
        (own && known.is_none_or(|root| root == checkpoint.root)).then_some(verified)
    });
    let (Some(first), Some(second)) = (first, second) else { return Err(RuleBroken::WaitUnproven) };
    let sizes = [notice.block, first.checkpoint().size, second.checkpoint().size, ground.block];
    let ordered = matches!(sizes, [block, a, b, log] if block < a && a <= b && b <= log);
    let announced = policy.quorum_time_not_after(first.times());
    let waited = policy.quorum_time_not_before(second.times());
    let enough = announced.zip(waited).is_some_and(|(from, to)| to.saturating_sub(from) >= notice.wait_s);
    if ordered && enough { Ok(()) } else { Err(RuleBroken::WaitUnproven) }
}
