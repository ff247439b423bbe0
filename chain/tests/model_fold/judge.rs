//! Who decides what is accepted: the production fold, or the same behind a wrapper that forgets one defence.

use chain::audit::{Before, judge_entries};
use chain::id::AccountId;
use chain::sigchain::body::Body;
use chain::sigchain::device_set::DeviceSet;
use chain::sigchain::entry::{Claim, Entry, Signatures};
use chain::sigchain::fold::Ground;
use chain::sigchain::rules::YOUNG_FOR_S;

use crate::Fold;
use crate::state::{Signed, State};

/// The judge of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judge {
    /// The fold as it is.
    Production,
    /// Takes a signature for every statement of the same kind about the same device, wherever it stands.
    UnboundSignatures,
    /// Believes that every signer of a removal is old enough.
    NoYouth,
    /// Believes that every reset has waited.
    NoWait,
}

impl Fold {
    fn ground(&self, state: &State, body: &Body) -> Ground<'_> {
        let skips = match self.judge {
            Judge::NoYouth => matches!(body, Body::DeviceRemoved { .. }),
            Judge::NoWait => matches!(body, Body::AccountReset { .. }),
            Judge::Production | Judge::UnboundSignatures => false,
        };
        let time_s = state.time_s + if skips { YOUNG_FOR_S } else { 0 };
        Ground { parameters: &self.cast.parameters, block: 1 + u64::from(state.entries), time_s, root_at: &|_| None }
    }

    /// What an entry does to its account, if it is accepted.
    pub(crate) fn judge(&self, state: &State, set: &DeviceSet, entry: &Entry) -> Option<DeviceSet> {
        let mut claims = Vec::new();
        let ground = self.ground(state, &entry.statement.body);
        let next = set.apply(entry, &ground, &mut Signatures::Collect(&mut claims)).ok()?;
        claims.iter().all(|claim| self.holds(state, claim, entry)).then_some(next)
    }

    /// What entries do in one block, if all of them are accepted.
    pub(crate) fn judge_block(&self, state: &State, entries: &[&Entry]) -> Option<Vec<DeviceSet>> {
        let account = |id: &AccountId| {
            state.sets.iter().chain(&state.successor).find(|set| set.account() == *id).map(|set| DeviceSet::clone(set))
        };
        let mut entries: Vec<_> = entries.iter().copied().cloned().collect();
        entries.sort_by_key(|entry| entry.statement.position.account);
        let reset = entries.iter().find(|entry| matches!(entry.statement.body, Body::AccountReset { .. }))?;
        let ground = self.ground(state, &reset.statement.body);
        let mut claims = Vec::new();
        let before = Before { account: &account, handle: &|_| None };
        let effects = judge_entries(&entries, &before, &ground, &mut Signatures::Collect(&mut claims)).ok()?;
        let held = claims.iter().all(|claim| entries.iter().any(|entry| self.holds(state, claim, entry)));
        held.then_some(effects.accounts)
    }

    /// An ideal signature: the service's own key, or exactly what the owner of the key signed.
    fn holds(&self, state: &State, claim: &Claim, entry: &Entry) -> bool {
        let said = |signed: &Signed| {
            let exactly = signed.claims.iter().any(|(key, message)| *key == claim.key && *message == claim.message);
            let loosely = self.judge == Judge::UnboundSignatures
                && signed.claims.iter().any(|(key, _)| *key == claim.key)
                && subject(&signed.entry) == subject(entry);
            exactly || loosely
        };
        self.cast.is_the_services(&claim.key) || state.signed.iter().any(|signed| said(signed))
    }
}

/// Kind and device of an entry.
fn subject(entry: &Entry) -> (u8, Option<chain::id::DeviceId>) {
    let body = &entry.statement.body;
    let device = match body {
        Body::DeviceAdded { device, .. } => Some(device.id()),
        Body::DeviceConfirmed(answer) => Some(answer.device),
        Body::DeviceRefused(answer) => Some(answer.device),
        Body::DeviceRemoved { devices, .. } => devices.first().copied(),
        _ => None,
    };
    (body.kind(), device)
}
