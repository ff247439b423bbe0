//! Somebody whom nobody knows writes to each of the others, who accept him, block him, answer, or do nothing (PPL-1 to PPL-3).

use client::query;
use client::step::Command;
use protocol::people::{Decision, Standing};

use crate::walk::{Fate, PEOPLE, REQUESTS, STRANGER, Walk, Written};

/// What the stranger is for an account.
#[derive(Clone, Copy, Default)]
pub(crate) struct Acquaintance {
    /// He has written to it.
    pub(crate) has_asked: bool,
    pub(crate) decision: Option<Decision>,
    /// All devices that knew of him are lost, so that what he has opened is no request for those that came after.
    pub(crate) is_found: bool,
}

impl Acquaintance {
    /// All devices of the account are lost, and what was decided with them.
    pub(crate) fn is_forgotten(&mut self) {
        (self.decision, self.is_found) = (None, self.has_asked);
    }

    /// PPL-2: what his conversation is.
    fn standing(self) -> Standing {
        match self.decision {
            Some(Decision::Blocked) => Standing::Blocked,
            None if !self.is_found => Standing::Request,
            Some(Decision::Accepted) | None => Standing::Open,
        }
    }
}

/// True for a conversation that the stranger opens.
pub(crate) fn is_request(talk: usize) -> bool {
    (REQUESTS..REQUESTS + STRANGER).contains(&talk)
}

impl Walk {
    /// The stranger writes to somebody, or somebody decides about him or answers.
    pub(crate) fn meet_stranger(&mut self, number: usize) {
        let (person, by) = self.somebody();
        self.calm_down();
        let it = self.standing[person];
        match self.dice.roll(4) {
            0 if it.has_asked => {
                let decision = self.dice.pick(&[Decision::Accepted, Decision::Blocked]);
                println!("{number} {by:?} decides about {}: {decision:?}", PEOPLE[STRANGER]);
                let account = self.account(STRANGER).id;
                self.town.command(by, Command::Decide { account, decision });
                self.standing[person].decision = Some(decision);
            }
            1 if it.has_asked && it.decision != Some(Decision::Blocked) => {
                self.write(number, REQUESTS + person, by);
                self.standing[person].decision = Some(Decision::Accepted);
            }
            2 if self.has_to_decide(STRANGER, &[person]) => self.decide(number, STRANGER, person),
            _ => self.stranger_writes(number, person),
        }
        self.calm_down();
    }

    fn stranger_writes(&mut self, number: usize, person: usize) {
        let by = self.one_of(STRANGER);
        self.write(number, REQUESTS + person, by);
        self.standing[person].has_asked |= !self.has_to_decide(STRANGER, &[person]);
    }

    /// At the end he writes to everybody once more.
    pub(crate) fn stranger_writes_to_all(&mut self) {
        for person in 0..STRANGER {
            self.stranger_writes(usize::MAX, person);
            self.calm_down();
        }
    }

    /// PPL-3: whether somebody has blocked whoever writes.
    pub(crate) fn has_blocked(&self, person: usize, by: usize) -> bool {
        by == STRANGER && self.standing.get(person).is_some_and(|it| it.decision == Some(Decision::Blocked))
    }

    /// PPL-2: what he has opened is the same on all devices of an account, and nobody is told of a request.
    pub(crate) fn check_standings(&self) {
        let stranger = self.account(STRANGER).id;
        for (person, it) in self.standing.iter().enumerate().filter(|(_, it)| it.has_asked) {
            let is_his = |it: &Written| it.talk == REQUESTS + person && it.fate == Fate::Goes;
            for who in &self.devices[person] {
                let mut rows = self.town.read(*who, query::conversations);
                rows.retain(|row| row.pair && row.members.iter().any(|(account, _)| *account == stranger));
                let standings: Vec<_> = rows.iter().map(|row| row.standing).collect();
                assert_eq!(standings, [it.standing()], "PPL-2: {} on {who:?}", PEOPLE[STRANGER]);
                let heard = self.town.read(*who, |store| query::messages(store, None, 10_000));
                let mut heard = heard.iter().filter(|row| self.written.get(&row.text).is_some_and(is_his));
                let is_told = heard.next().is_some();
                assert!(!is_told || it.standing() != Standing::Request, "PPL-2: {who:?} is told of a request");
            }
        }
    }
}
