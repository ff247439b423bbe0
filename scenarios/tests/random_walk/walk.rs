//! The town with its model: who counts, who is in which conversation, what was written.

use std::collections::{BTreeMap, BTreeSet};

use chain::id::DeviceId;
use client::step::Event;
use scenarios::town::{Town, Who};

use crate::dice::Dice;

/// Conversations that are there from the beginning.
pub(crate) const FIXED: usize = 6;
pub(crate) const PEOPLE: [&str; 3] = ["alice", "bob", "carol"];

/// A conversation.
pub(crate) struct Talk {
    /// Who is in it, by number; whoever opened it comes first.
    pub(crate) members: Vec<usize>,
    /// The id of its group, for one of three.
    pub(crate) group: Option<String>,
}

/// A message that was written.
pub(crate) struct Written {
    pub(crate) talk: usize,
    pub(crate) by: Who,
    pub(crate) number: usize,
    /// Who was in the conversation.
    pub(crate) audience: Vec<usize>,
    /// Their devices that counted, and those that got it with the old messages.
    pub(crate) counted: BTreeSet<Who>,
}

/// How far a device's changes were judged, and what is known of it from before.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) events: usize,
    /// The row of each text.
    pub(crate) rows: BTreeMap<String, i64>,
    pub(crate) chain_size: u64,
}

pub(crate) struct Walk {
    pub(crate) town: Town,
    pub(crate) dice: Dice,
    /// By person: devices that count, the oldest first.
    pub(crate) devices: [Vec<Who>; 3],
    /// By person: one that asks to come in.
    pub(crate) stranger: [Option<Who>; 3],
    pub(crate) refused: Vec<Who>,
    /// Devices that no longer count, and the texts that they had by then.
    pub(crate) gone: BTreeMap<Who, BTreeSet<String>>,
    pub(crate) offline: BTreeSet<Who>,
    /// The three of two people come first, then what each notes for himself ([`FIXED`] together).
    pub(crate) talks: Vec<Talk>,
    /// By text.
    pub(crate) written: BTreeMap<String, Written>,
    pub(crate) ids: BTreeMap<Who, DeviceId>,
    pub(crate) person_of: BTreeMap<Who, usize>,
    pub(crate) seen: BTreeMap<Who, Seen>,
    /// By person: the account's entries so far.
    pub(crate) entries: [Vec<Vec<u8>>; 3],
    /// The commit of each group's epoch.
    pub(crate) commits: BTreeMap<(String, u64), String>,
}

impl Walk {
    pub(crate) fn new(seed: u64) -> Self {
        let mut town = Town::new();
        let devices = PEOPLE.map(|name| vec![town.sign_up(name)]);
        let pair = |one, other| Talk { members: vec![one, other], group: None };
        let notes = |person| Talk { members: vec![person], group: None };
        let mut walk = Self {
            town,
            dice: Dice(seed),
            devices: devices.clone(),
            stranger: [None; 3],
            refused: Vec::new(),
            gone: BTreeMap::new(),
            offline: BTreeSet::new(),
            talks: vec![pair(0, 1), pair(1, 2), pair(2, 0), notes(0), notes(1), notes(2)],
            written: BTreeMap::new(),
            ids: BTreeMap::new(),
            person_of: BTreeMap::new(),
            seen: BTreeMap::new(),
            entries: Default::default(),
            commits: BTreeMap::new(),
        };
        for (person, devices) in devices.iter().enumerate() {
            walk.meet(person, devices[0]);
        }
        walk
    }

    /// A device is there from now on.
    pub(crate) fn meet(&mut self, person: usize, who: Who) {
        self.ids.insert(who, self.town.id(who));
        self.person_of.insert(who, person);
        self.seen.insert(who, Seen::default());
    }

    /// Somebody who counts.
    pub(crate) fn somebody(&mut self) -> (usize, Who) {
        let person = self.dice.roll(3);
        (person, self.one_of(person))
    }

    /// A device of somebody.
    pub(crate) fn one_of(&mut self, person: usize) -> Who {
        let devices = self.devices[person].clone();
        self.dice.pick(&devices)
    }

    /// The devices of these people that count.
    pub(crate) fn devices_of(&self, people: &[usize]) -> BTreeSet<Who> {
        people.iter().flat_map(|person| self.devices[*person].iter().copied()).collect()
    }

    /// What happened at a device since the last look.
    pub(crate) fn news(&mut self, who: Who) -> Vec<Event> {
        let seen = self.seen.get_mut(&who).unwrap();
        let news = self.town.events(who)[seen.events..].to_vec();
        seen.events += news.len();
        news
    }
}
