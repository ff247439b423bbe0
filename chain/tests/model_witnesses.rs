//! Model check of the quorum: a forking log, its witnesses and two clients. With n witnesses, quorum q and f liars two
//! quorums share an honest witness if and only if 2q − n > f.
//!
//! Checkpoints are (size, branch); size 0 is common to all branches. Whether an honest witness cosigns is asked of the
//! production decision, with real trees, notes and proofs; a liar cosigns anything, a forgetful one cosigns and then loses what it should have kept
//! (WIT-3). A client accepts what extends its own newest checkpoint and has a quorum. The log signs everything.
//! Searched: every state, with two branches of two blocks each.

#![expect(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test: witnesses and clients are numbers below their count, and the number of states is worth seeing"
)]

use std::collections::{BTreeMap, BTreeSet};

use chain::log::checkpoint::Checkpoint as LogCheckpoint;
use chain::log::merkle::{self, Frontier};
use chain::log::note::{KeyKind, NoteSigner};
use chain::log::witness::{AddCheckpointRequest, decide};
use ed25519_dalek::SigningKey;
use stateright::{Checker, HasDiscoveries, Model, Property};

const LARGEST: u8 = 2;
const BRANCHES: [u8; 2] = [b'a', b'b'];
const CLIENTS: usize = 2;

/// A prefix of one of the log's branches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Checkpoint {
    size: u8,
    branch: u8,
}

impl Checkpoint {
    /// The empty log, on every branch.
    const EMPTY: Self = Self { size: 0, branch: b'a' };

    /// True if a consistency proof from `older` to this one can exist (RFC 6962 §2.1.4).
    fn extends(self, older: Self) -> bool {
        older.size == 0 || (older.size <= self.size && older.branch == self.branch)
    }

    fn all() -> impl Iterator<Item = Self> {
        BRANCHES.into_iter().flat_map(|branch| (1..=LARGEST).map(move |size| Self { size, branch }))
    }
}

/// The log that forks, with its key.
struct ForkingLog {
    signer: NoteSigner,
}

impl ForkingLog {
    const ORIGIN: &str = "trefoil.example/chain";

    fn new() -> Self {
        let key = SigningKey::from_bytes(&[1; 32]);
        Self { signer: NoteSigner::new(Self::ORIGIN.parse().unwrap(), KeyKind::Ed25519, key) }
    }

    /// The hashes of a branch: its leaves differ from the first on.
    fn nodes(at: Checkpoint) -> impl FnMut(u8, u64) -> Option<chain::id::Digest> {
        let (mut nodes, mut frontier) = (BTreeMap::new(), Frontier::new());
        for leaf in 0..at.size {
            let hash = merkle::leaf_hash(&[at.branch, leaf]);
            frontier.append_with(hash, |level, index, hash| _ = nodes.insert((level, index), hash)).unwrap();
        }
        move |level, index| nodes.get(&(level, index)).copied()
    }

    fn checkpoint(at: Checkpoint) -> LogCheckpoint {
        let (size, origin) = (u64::from(at.size), Self::ORIGIN.parse().unwrap());
        LogCheckpoint::new(origin, size, merkle::root(size, Self::nodes(at)).unwrap())
    }

    /// True if the production decision cosigns `new` over `kept` for any request that this log can make.
    fn convinces(&self, kept: Checkpoint, new: Checkpoint) -> bool {
        let cosigned = (kept != Checkpoint::EMPTY).then(|| Self::checkpoint(kept));
        let known = [self.signer.verifier_key().clone()];
        let note = Self::checkpoint(new).sign(&self.signer).unwrap();
        let proofs = |old: u8| {
            let of = move |branch| {
                merkle::prove_consistency(old.into(), new.size.into(), Self::nodes(Checkpoint { branch, ..new }))
            };
            BRANCHES.into_iter().filter_map(move |branch| of(branch).ok()).chain([Vec::new()])
        };
        (0..=LARGEST).flat_map(|old| proofs(old).map(move |proof| (old, proof))).any(|(old, proof)| {
            let request = AddCheckpointRequest::new(old.into(), proof, note.clone()).unwrap();
            decide(cosigned.as_ref(), &request, &known).is_ok()
        })
    }
}

/// How a witness is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Witness {
    Honest,
    /// Cosigns anything.
    Liar,
    /// May lose its newest state after the cosignature left, once.
    Forgetful,
}

/// A setting: its witnesses and the quorum.
struct Quorum {
    witnesses: Vec<Witness>,
    quorum: usize,
    /// What the production decision cosigns: (kept, new).
    cosigns: BTreeSet<(Checkpoint, Checkpoint)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    /// Newest checkpoint that each witness keeps.
    kept: Vec<Checkpoint>,
    /// Which witness cosigned what.
    cosigned: BTreeSet<(usize, Checkpoint)>,
    /// Newest checkpoint that each client accepted.
    accepted: [Checkpoint; CLIENTS],
    /// True once a forgetful witness lost its state.
    forgot: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Cosign(usize, Checkpoint),
    Forget(usize),
    Accept(usize, Checkpoint),
}

impl Model for Quorum {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            kept: vec![Checkpoint::EMPTY; self.witnesses.len()],
            cosigned: BTreeSet::new(),
            accepted: [Checkpoint::EMPTY; CLIENTS],
            forgot: false,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for checkpoint in Checkpoint::all() {
            actions.extend((0..self.witnesses.len()).map(|witness| Action::Cosign(witness, checkpoint)));
            actions.extend((0..CLIENTS).map(|client| Action::Accept(client, checkpoint)));
        }
        let forgetful = |witness: &usize| self.witnesses[*witness] == Witness::Forgetful;
        if !state.forgot {
            actions.extend((0..self.witnesses.len()).filter(forgetful).map(Action::Forget));
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Cosign(witness, checkpoint) => {
                let lies = self.witnesses[witness] == Witness::Liar;
                if !lies && !self.cosigns.contains(&(state.kept[witness], checkpoint)) {
                    return None;
                }
                if !lies {
                    next.kept[witness] = checkpoint;
                }
                if !next.cosigned.insert((witness, checkpoint)) {
                    return None;
                }
            }
            Action::Forget(witness) => {
                next.kept[witness] = Checkpoint::EMPTY;
                next.forgot = true;
            }
            Action::Accept(client, checkpoint) => {
                let cosigned = (0..self.witnesses.len()).filter(|it| state.cosigned.contains(&(*it, checkpoint)));
                let known = state.accepted[client];
                if checkpoint == known || !checkpoint.extends(known) || cosigned.count() < self.quorum {
                    return None;
                }
                next.accepted[client] = checkpoint;
            }
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(NO_FORK, |_, state: &State| {
                let [one, other] = state.accepted;
                one.extends(other) || other.extends(one)
            }),
            Property::sometimes("a client follows the log", |_, state: &State| state.accepted[0].size == LARGEST),
        ]
    }
}

const NO_FORK: &str = "of any two clients' checkpoints one is a prefix of the other";

/// A setting with some liars and some forgetful witnesses, the others honest.
fn setting(n: usize, quorum: usize, liars: usize, forgetful: usize) -> Quorum {
    let kind = |place: usize| match place {
        _ if place < liars => Witness::Liar,
        _ if place < liars + forgetful => Witness::Forgetful,
        _ => Witness::Honest,
    };
    let log = ForkingLog::new();
    let kept = || Checkpoint::all().chain([Checkpoint::EMPTY]);
    let pairs = kept().flat_map(|kept| Checkpoint::all().map(move |new| (kept, new)));
    let cosigns = pairs.filter(|(kept, new)| log.convinces(*kept, *new)).collect();
    Quorum { witnesses: (0..n).map(kind).collect(), quorum, cosigns }
}

/// True if two clients can be led onto two branches.
fn forks(n: usize, quorum: usize, liars: usize, forgetful: usize) -> bool {
    let checker =
        setting(n, quorum, liars, forgetful).checker().finish_when(HasDiscoveries::AnyFailures).spawn_dfs().join();
    let fork = checker.discovery(NO_FORK);
    println!("{n}, {quorum}, {liars}, {forgetful}: {} states, fork: {}", checker.unique_state_count(), fork.is_some());
    if fork.is_none() {
        checker.assert_properties();
    }
    fork.is_some()
}

/// Attacks 15, 21: decision 14's default.
#[test]
fn three_of_four_witnesses_bear_one_liar() {
    assert!(!forks(4, 3, 1, 0));
}

/// Attack 21: and not two.
#[test]
fn three_of_four_witnesses_do_not_bear_two_liars() {
    assert!(forks(4, 3, 2, 0));
}

/// Attack 21: who fears two liars asks for four of five.
#[test]
fn four_of_five_witnesses_bear_two_liars() {
    assert!(!forks(5, 4, 2, 0));
}

/// Attack 22, WIT-3: a witness that answers before its state is on disk is as bad as a liar.
#[test]
fn one_forgetful_witness_breaks_an_honest_two_of_three() {
    assert!(forks(3, 2, 0, 1));
    assert!(!forks(3, 2, 0, 0));
    assert!(!forks(3, 3, 0, 1));
}

/// Attack 22: the default bears one witness that forgets, but not beside a liar.
#[test]
fn three_of_four_witnesses_bear_one_that_forgets() {
    assert!(!forks(4, 3, 0, 1));
    assert!(forks(4, 3, 1, 1));
}

/// Attack 20: a policy with 2q ≤ n forks without any fault.
#[test]
fn a_minority_quorum_forks_among_honest_witnesses() {
    assert!(forks(3, 1, 0, 0));
    assert!(forks(4, 2, 0, 0));
}

/// The bound itself, in the settings of the table.
#[test]
fn two_quorums_share_an_honest_witness_exactly_if_2q_minus_n_exceeds_f() {
    for (n, quorum) in [(1, 1), (3, 1), (3, 2), (3, 3)] {
        for liars in 0..=n.min(2) {
            assert_eq!(forks(n, quorum, liars, 0), 2 * quorum <= n + liars, "n {n}, q {quorum}, f {liars}");
        }
    }
}
