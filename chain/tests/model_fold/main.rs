//! Model check of the fold: a lying service against an honest owner, with the production fold as the judge of every
//! step, so that model and code cannot drift apart.
//!
//! An owner has devices 1, 2 and 3 and two accounts that device 1 opened. The service has its own key, the keys of a
//! ghost device and of the device that waits for a reset, and everything that honest devices ever signed. It appends
//! what it likes, when it likes, moved to where it likes, and lets time pass. Signatures are ideal: the fold's
//! collected claims hold if the key is the service's own or the honest owner of the key signed exactly that.
//!
//! What is searched: every state within [`Bounds`]. Heads are compared by what follows from them, not by their bytes
//! ([`state`]). Not in scope: the witness time of a reset (RST-5), and what contacts do about one (RST-6).

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test: devices and accounts are numbers below their count, and what the model composes is canonical"
)]

mod cast;
mod judge;
mod moves;
mod state;

use std::collections::BTreeSet;

use stateright::{Checker, HasDiscoveries, Model, Property};

use crate::cast::{Cast, GHOST};
use crate::judge::Judge;
use crate::moves::Action;
use crate::state::{ACCOUNT, OTHER, Promise, State};

/// How far the search goes.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    /// Most entries after the two openings.
    pub(crate) entries: u8,
    /// Most statements that honest devices sign.
    pub(crate) signed: usize,
    /// Most jumps of time.
    pub(crate) jumps: u8,
}

/// The model: who plays, who judges, how far.
pub(crate) struct Fold {
    cast: Cast,
    judge: Judge,
    bounds: Bounds,
}

impl Fold {
    fn new(judge: Judge, bounds: Bounds) -> Self {
        Self { cast: Cast::new(), judge, bounds }
    }
}

impl Model for Fold {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.first_state()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.list_actions(state, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        self.take(state, action)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let always = Property::<Self>::always;
        let sometimes = Property::<Self>::sometimes;
        vec![
            always("a device counts only if its owner confirmed it", |model, state| {
                !state.broke(Promise::OwnerConfirms) && !state.sets.iter().any(|set| model.cast.counts(set, GHOST))
            }),
            always("what was removed or refused never returns", |_, state| !state.something_returned()),
            always("nobody is removed without the word of a device", |_, state| !state.broke(Promise::DeviceRemoves)),
            always("a young device removes no older one", |_, state| !state.broke(Promise::YoungSpares)),
            always("a reset has a notice, its time and no veto", |_, state| !state.broke(Promise::ResetWaits)),
            always("what is signed for one account changes no other", |_, state| state.sets[OTHER].sequence() == 0),
            sometimes("a second and a third device count", |_, state| state.sets[ACCOUNT].confirmed().len() == 3),
            sometimes("an older device is removed by a younger one", |_, state| state.first_was_removed),
            sometimes("a reset is vetoed", |_, state| state.sets[ACCOUNT].vetoed_at_s().is_some()),
            sometimes("a reset completes", |_, state| state.successor.is_some()),
            sometimes("a ghost enters the successor", |model, state| {
                state.successor.as_ref().is_some_and(|set| model.cast.counts(set, GHOST))
            }),
        ]
    }
}

const PRODUCTION: Bounds = Bounds { entries: 9, signed: 4, jumps: 2 };

/// Attacks 1, 3, 4, 5, 10, 11 against rule set 1.
#[test]
fn the_service_cannot_break_the_fold_within_the_bounds() {
    let checker = Fold::new(Judge::Production, PRODUCTION).checker().threads(2).spawn_dfs().join();
    println!(
        "{} states, {} unique, depth {}",
        checker.state_count(),
        checker.unique_state_count(),
        checker.max_depth()
    );
    checker.assert_properties();
    assert!(checker.unique_state_count() >= 1_000_000);
}

/// A judge that is weak in one way is found out: the model has teeth.
fn breaks(judge: Judge, property: &'static str) {
    let bounds = Bounds { entries: 6, ..PRODUCTION };
    let found = HasDiscoveries::AllOf(BTreeSet::from([property]));
    let checker = Fold::new(judge, bounds).checker().finish_when(found).spawn_bfs().join();
    println!("{judge:?} is found out in {} unique states", checker.unique_state_count());
    assert!(checker.discovery(property).is_some(), "{property}");
}

/// Attack 3: were a confirmation good at any place, a recorded one would bring a device in.
#[test]
fn confirmations_that_are_not_bound_to_their_place_break_the_model() {
    breaks(Judge::UnboundSignatures, "a device counts only if its owner confirmed it");
}

/// Attack 10.
#[test]
fn a_fold_without_dev_8_breaks_the_model() {
    breaks(Judge::NoYouth, "a young device removes no older one");
}

/// Attack 11.
#[test]
fn a_fold_that_does_not_wait_before_a_reset_breaks_the_model() {
    breaks(Judge::NoWait, "a reset has a notice, its time and no veto");
}
