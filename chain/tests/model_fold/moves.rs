//! What can happen: what honest devices sign, and what the service does with it.

use std::collections::BTreeSet;
use std::sync::Arc;

use chain::id::{DeviceId, Digest};
use chain::sigchain::body::{Answer, Body, Confirmer, Predecessor};
use chain::sigchain::device_set::{AccountState, DeviceSet};
use chain::sigchain::entry::{Entry, Role, Signatures, Statement};
use chain::sigchain::fold::Ground;
use chain::sigchain::rules::{CODE_COMMITMENTS, DAY_S, YOUNG_FOR_S};

use crate::Fold;
use crate::cast::{GHOST, HONEST, START_S, WAITING, checkpoint, opening_body};
use crate::state::{ACCOUNT, OTHER, Promise, Signed, State, signer_of};

/// One step. Devices and accounts are numbers, as in [`crate::cast`] and [`crate::state`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// The owner starts a device: it signs its own DeviceAdded.
    Start(usize),
    /// A device of the owner confirms one that the owner started.
    Confirm { by: usize, device: usize },
    /// A device removes another, or itself; it may be a stolen one.
    Remove { by: usize, device: usize },
    /// A device of the owner refuses the ghost.
    RefuseGhost { by: usize },
    /// A device of the owner objects to a reset.
    Veto { by: usize },
    /// The service appends what an honest device signed, as it is.
    Append(usize),
    /// The service appends what an honest device signed, moved to the newest head of an account.
    Move { signed: usize, account: usize },
    /// The service lists its ghost.
    AddGhost,
    /// The ghost signs as the confirming device.
    GhostConfirms { device: usize },
    /// The service signs a confirmation of the ghost in the name of a device.
    ForgeConfirmation { by: usize },
    /// The ghost removes a device.
    GhostRemoves { device: usize },
    /// The service announces a reset to an identity of its own.
    Announce,
    /// The service carries the announced reset out.
    Reset,
    /// The ghost enters the identity that followed a reset.
    GhostJoinsSuccessor,
    /// Time passes, seconds.
    Wait(u64),
}

impl Fold {
    /// Both accounts, opened long ago.
    pub(crate) fn first_state(&self) -> State {
        let parameters = &self.cast.parameters;
        let ground = Ground { parameters, block: 1, time_s: START_S - 10 * DAY_S, root_at: &|_| None };
        let open = |number: u8| {
            let mut claims = Vec::new();
            let entry = self.cast.opening(number);
            Arc::new(DeviceSet::open(&entry, &ground, &mut Signatures::Collect(&mut claims)).expect("it is good"))
        };
        State {
            sets: [open(0), open(1)],
            successor: None,
            announced: None,
            signed: Vec::new(),
            time_s: START_S,
            jumps: 0,
            entries: 0,
            gone: BTreeSet::new(),
            notice_s: None,
            first_was_removed: false,
            broken: None,
        }
    }

    /// Every step that is worth trying; the judge decides.
    pub(crate) fn list_actions(&self, state: &State, actions: &mut Vec<Action>) {
        let current = state.signed.iter().filter(|signed| state.is_current(&signed.entry)).count();
        if state.signed.len() < self.bounds.signed && current < 2 {
            self.list_signatures(state, actions);
        }
        if state.jumps < self.bounds.jumps && state.entries > 0 {
            actions.extend([YOUNG_FOR_S - 1, YOUNG_FOR_S, 7 * DAY_S].map(Action::Wait));
        }
        if state.entries >= self.bounds.entries {
            return;
        }
        for signed in 0..state.signed.len() {
            actions.push(Action::Append(signed));
            actions.extend([ACCOUNT, OTHER].map(|account| Action::Move { signed, account }));
        }
        let set = &state.sets[ACCOUNT];
        if self.cast.waits(set, GHOST) {
            let waiting = (1..=GHOST).filter(|device| self.cast.waits(set, *device));
            actions.extend(waiting.map(|device| Action::GhostConfirms { device }));
            actions.extend([Action::ForgeConfirmation { by: 0 }, Action::GhostRemoves { device: 0 }]);
        } else {
            actions.push(Action::AddGhost);
        }
        actions.extend([Action::Announce, Action::Reset]);
        if state.successor.is_some() {
            actions.push(Action::GhostJoinsSuccessor);
        }
    }

    fn list_signatures(&self, state: &State, actions: &mut Vec<Action>) {
        let set = &state.sets[ACCOUNT];
        for device in 1..HONEST {
            // devices 1 and 2 are alike: the second starts after the first
            let in_turn = device == 1 || self.was_started(state, device - 1);
            if in_turn && !self.cast.waits(set, device) && !self.cast.counts(set, device) {
                actions.push(Action::Start(device));
            }
        }
        for by in (0..HONEST).filter(|by| self.cast.counts(set, *by)) {
            let waiting = (1..HONEST).filter(|device| self.cast.waits(set, *device));
            actions.extend(waiting.map(|device| Action::Confirm { by, device }));
            let counting = (0..HONEST).filter(|device| self.cast.counts(set, *device));
            actions.extend(counting.map(|device| Action::Remove { by, device }));
            if self.cast.waits(set, GHOST) {
                actions.push(Action::RefuseGhost { by });
            }
            if set.notice().is_some() {
                actions.push(Action::Veto { by });
            }
        }
    }

    fn was_started(&self, state: &State, device: usize) -> bool {
        let keys = self.cast.devices[device];
        let starts = |body: &Body| matches!(body, Body::DeviceAdded { device, .. } if *device == keys);
        state.signed.iter().any(|signed| starts(&signed.entry.statement.body))
    }

    /// The state after a step; `None` if nothing comes of it.
    pub(crate) fn take(&self, state: &State, action: Action) -> Option<State> {
        match action {
            Action::Wait(seconds) => {
                let (time_s, jumps) = (state.time_s + seconds, state.jumps + 1);
                Some(State { time_s, jumps, ..state.clone() })
            }
            Action::Append(place) => {
                let entry = &state.signed[place].entry;
                state.is_current(entry).then(|| self.append(state, ACCOUNT, entry))?
            }
            Action::Move { signed, account } => {
                let entry = self.moved(state, &state.signed[signed], account)?;
                self.append(state, account, &entry)
            }
            Action::Announce => self.announce(state),
            Action::Reset => self.reset(state),
            Action::GhostJoinsSuccessor => self.ghost_joins(state),
            Action::AddGhost
            | Action::GhostConfirms { .. }
            | Action::ForgeConfirmation { .. }
            | Action::GhostRemoves { .. } => {
                let set = &state.sets[ACCOUNT];
                let body = self.body(set, action)?;
                self.append(state, ACCOUNT, &self.cast.unsigned(set.following(body, checkpoint())))
            }
            Action::Start(_)
            | Action::Confirm { .. }
            | Action::Remove { .. }
            | Action::RefuseGhost { .. }
            | Action::Veto { .. } => self.sign(state, action),
        }
    }

    /// What an action says about an account.
    fn body(&self, set: &DeviceSet, action: Action) -> Option<Body> {
        let id = |device: usize| self.cast.ids[device];
        let added = |device: usize| set.pending().get(&id(device)).map(|pending| pending.added);
        let confirmed = |device: usize, by: usize| {
            let signer = Confirmer::Device(id(by));
            Some(Body::DeviceConfirmed(Answer { added: added(device)?, device: id(device), signer }))
        };
        let removed = |device: usize, by: usize| Body::DeviceRemoved { devices: vec![id(device)], signer: id(by) };
        let listed = |device: usize| Body::DeviceAdded {
            device: self.cast.devices[device],
            commitments: [Digest::ZERO; CODE_COMMITMENTS],
        };
        Some(match action {
            Action::Start(device) => listed(device),
            Action::AddGhost => listed(GHOST),
            Action::Confirm { by, device } => confirmed(device, by)?,
            Action::GhostConfirms { device } => confirmed(device, GHOST)?,
            Action::ForgeConfirmation { by } => confirmed(GHOST, by)?,
            Action::Remove { by, device } => removed(device, by),
            Action::GhostRemoves { device } => removed(device, GHOST),
            Action::RefuseGhost { by } => {
                Body::DeviceRefused(Answer { added: added(GHOST)?, device: id(GHOST), signer: id(by) })
            }
            Action::Veto { by } => Body::ResetVetoed { notice: set.notice()?.hash, signer: id(by) },
            _ => return None,
        })
    }

    /// An honest device signs at the newest head; it hands the result to the service.
    fn sign(&self, state: &State, action: Action) -> Option<State> {
        let statement = state.sets[ACCOUNT].following(self.body(&state.sets[ACCOUNT], action)?, checkpoint());
        if *state.sets[ACCOUNT].state() != AccountState::Open
            || state.signed.iter().any(|it| it.entry.statement == statement)
        {
            return None;
        }
        let keys = match &statement.body {
            Body::DeviceAdded { device, .. } => *device,
            body => self.cast.devices[self.number_of(&signer_of(body))?],
        };
        let origin = &self.cast.parameters.origin;
        let claims = [(Role::Device, keys.chain), (Role::Mls, keys.mls)]
            .into_iter()
            .filter_map(|(role, key)| Some((key, statement.signed_bytes(role, origin)?)))
            .collect();
        let mut next = state.clone();
        next.signed.push(Arc::new(Signed { entry: self.cast.unsigned(statement), claims }));
        Some(next)
    }

    fn number_of(&self, id: &DeviceId) -> Option<usize> {
        self.cast.ids.iter().position(|other| other == id)
    }

    /// What was signed, at another place and for the request that is open there.
    fn moved(&self, state: &State, signed: &Signed, account: usize) -> Option<Entry> {
        let set = &state.sets[account];
        if set.head() == signed.entry.statement.position.previous {
            return None;
        }
        let mut body = signed.entry.statement.body.clone();
        match &mut body {
            Body::DeviceConfirmed(answer) => {
                answer.added = set.pending().get(&answer.device).map_or(answer.added, |it| it.added);
            }
            Body::DeviceRefused(answer) => {
                answer.added = set.pending().get(&answer.device).map_or(answer.added, |it| it.added);
            }
            Body::ResetVetoed { notice, .. } => *notice = set.notice()?.hash,
            _ => {}
        }
        let mut statement = set.following(body, checkpoint());
        if statement.body.names_a_request() && statement.request == 0 {
            statement.request = signed.entry.statement.request;
        }
        Some(self.cast.unsigned(statement))
    }

    /// Appends an entry to one of the owner's accounts, if the judge takes it, and keeps book of the promises.
    fn append(&self, state: &State, account: usize, entry: &Entry) -> Option<State> {
        let set = self.judge(state, &state.sets[account], entry)?;
        let mut next = state.clone();
        next.broken = self.broken_by(state, account, entry).or(state.broken);
        match &entry.statement.body {
            Body::DeviceRemoved { devices, .. } if account == ACCOUNT => {
                next.first_was_removed |=
                    devices.contains(&self.cast.ids[0]) && signer_of(&entry.statement.body) != self.cast.ids[0];
                next.gone.extend(devices);
            }
            Body::DeviceRefused(answer) if account == ACCOUNT => {
                next.gone.insert(answer.device);
            }
            Body::ResetVetoed { .. } => next.notice_s = None,
            _ => {}
        }
        next.sets[account] = Arc::new(set);
        next.entries += 1;
        Some(next)
    }

    /// The promise that an accepted entry breaks, judged without the fold.
    fn broken_by(&self, state: &State, account: usize, entry: &Entry) -> Option<Promise> {
        let (set, statement) = (&state.sets[account], &entry.statement);
        let said = |same: &dyn Fn(&Statement) -> bool| {
            state
                .signed
                .iter()
                .map(|it| &it.entry.statement)
                .any(|it| it.position.account == statement.position.account && same(it))
        };
        match &statement.body {
            Body::DeviceConfirmed(answer) => {
                let same = |it: &Statement| {
                    let body = matches!(&it.body, Body::DeviceConfirmed(other) if other == answer);
                    body && it.request == statement.request
                };
                (!said(&same)).then_some(Promise::OwnerConfirms)
            }
            Body::DeviceRemoved { devices, signer } => {
                if !said(&|it| it.body == statement.body) {
                    return Some(Promise::DeviceRemoves);
                }
                let by = set.confirmed().get(signer)?;
                let young = state.time_s < by.at_s + YOUNG_FOR_S;
                let older = devices.iter().filter_map(|id| set.confirmed().get(id)).any(|it| it.sequence < by.sequence);
                (young && older).then_some(Promise::YoungSpares)
            }
            _ => None,
        }
    }

    fn announce(&self, state: &State) -> Option<State> {
        let set = &state.sets[ACCOUNT];
        let predecessor = Some(Predecessor { account: set.account(), head: set.head() });
        let device = self.cast.devices[WAITING];
        let body = opening_body(device, 9, predecessor);
        let opening = Statement::opening(set.generation() + 1, checkpoint(), body);
        let body = Body::ResetRequested { successor: opening.position.account, device };
        let mut next = self.append(state, ACCOUNT, &self.cast.unsigned(set.following(body, checkpoint())))?;
        next.announced = Some(Arc::new(self.cast.unsigned(opening)));
        next.notice_s = Some(state.time_s);
        Some(next)
    }

    fn reset(&self, state: &State) -> Option<State> {
        let (set, opening) = (&state.sets[ACCOUNT], state.announced.as_ref()?);
        set.notice()?;
        let body = Body::AccountReset {
            successor: opening.statement.position.account,
            notice_checkpoint: Vec::new(),
            later_checkpoint: Vec::new(),
        };
        let end = self.cast.unsigned(set.following(body, checkpoint()));
        if self.judge_block(state, &[&end]).is_some() || self.judge_block(state, &[&end, &end]).is_some() {
            return Some(State { broken: Some(Promise::ResetWaits), ..state.clone() });
        }
        let sets = self.judge_block(state, &[&end, opening])?;
        let waited = state.notice_s.is_some_and(|at_s| state.time_s >= at_s + YOUNG_FOR_S);
        let mut next = State { entries: state.entries + 1, ..state.clone() };
        next.broken = if waited { state.broken } else { Some(Promise::ResetWaits) };
        for set in sets {
            if set.account() == next.sets[ACCOUNT].account() {
                next.sets[ACCOUNT] = Arc::new(set);
            } else {
                next.successor = Some(Arc::new(set));
            }
        }
        Some(next)
    }

    /// Behind a reset everything is the service's: which is why no contact sends there unasked (RST-6).
    fn ghost_joins(&self, state: &State) -> Option<State> {
        let set = state.successor.as_ref()?;
        let ghost = self.cast.ids[GHOST];
        let body = match set.pending().get(&ghost) {
            None => self.body(set, Action::AddGhost)?,
            Some(pending) => {
                let signer = Confirmer::Device(self.cast.ids[WAITING]);
                Body::DeviceConfirmed(Answer { added: pending.added, device: ghost, signer })
            }
        };
        let set = self.judge(state, set, &self.cast.unsigned(set.following(body, checkpoint())))?;
        Some(State { successor: Some(Arc::new(set)), entries: state.entries + 1, ..state.clone() })
    }
}
