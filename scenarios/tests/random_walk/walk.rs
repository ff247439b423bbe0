//! The town with its model: who counts, who is in which conversation, what was written.

use std::collections::{BTreeMap, BTreeSet};

use chain::id::DeviceId;
use client::query;
use client::step::{Event, Joining, Secret};
use scenarios::town::{Town, Who};

use crate::accounts::Account;
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
    /// True once somebody in it was reset: nobody can write there any more.
    pub(crate) is_over: bool,
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
    /// True while it waits for its writer to accept somebody's reset.
    pub(crate) is_held: bool,
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
    /// By person: one that asks to come in, and since when.
    pub(crate) stranger: [Option<(Who, u64)>; 3],
    /// Devices that never counted, and never will.
    pub(crate) refused: Vec<Who>,
    /// Devices that no longer count, and the texts that they had by then.
    pub(crate) gone: BTreeMap<Who, BTreeSet<String>>,
    pub(crate) offline: BTreeSet<Who>,
    /// Devices that were let in without the old messages.
    pub(crate) bare: BTreeSet<Who>,
    /// The three of two people come first, then what each notes for himself ([`FIXED`] together).
    pub(crate) talks: Vec<Talk>,
    /// Groups out of which somebody was let.
    pub(crate) left: BTreeSet<String>,
    /// By text.
    pub(crate) written: BTreeMap<String, Written>,
    pub(crate) ids: BTreeMap<Who, DeviceId>,
    pub(crate) person_of: BTreeMap<Who, usize>,
    pub(crate) seen: BTreeMap<Who, Seen>,
    /// By person: the accounts, of which the last one is open.
    pub(crate) accounts: [Vec<Account>; 3],
    pub(crate) password: [String; 3],
    /// By person: what the words of the recovery key are made of.
    pub(crate) paper: [Option<u8>; 3],
    /// By person: the device that has announced a reset of the account.
    pub(crate) announced: [Option<Who>; 3],
    /// By person: until when no reset can be announced, because one was stopped.
    pub(crate) no_reset_before_ms: [u64; 3],
    /// Who has yet to decide about whom, who was reset.
    pub(crate) undecided: BTreeSet<(usize, usize)>,
    /// How each device was called.
    pub(crate) names: BTreeMap<DeviceId, BTreeSet<String>>,
    /// The commit of each group's epoch.
    pub(crate) commits: BTreeMap<(String, u64), String>,
}

impl Walk {
    pub(crate) fn new(seed: u64) -> Self {
        let mut town = Town::new();
        let devices = PEOPLE.map(|name| vec![town.sign_up(name)]);
        let talk = |members| Talk { members, group: None, is_over: false };
        let password = PEOPLE.map(|name| Town::joining(name).password.0.to_string());
        let mut walk = Self {
            town,
            dice: Dice(seed),
            devices: devices.clone(),
            stranger: [None; 3],
            refused: Vec::new(),
            gone: BTreeMap::new(),
            offline: BTreeSet::new(),
            bare: BTreeSet::new(),
            talks: [vec![0, 1], vec![1, 2], vec![2, 0], vec![0], vec![1], vec![2]].map(talk).into(),
            left: BTreeSet::new(),
            written: BTreeMap::new(),
            ids: BTreeMap::new(),
            person_of: BTreeMap::new(),
            seen: BTreeMap::new(),
            accounts: Default::default(),
            password,
            paper: [None; 3],
            announced: [None; 3],
            no_reset_before_ms: [0; 3],
            undecided: BTreeSet::new(),
            names: BTreeMap::new(),
            commits: BTreeMap::new(),
        };
        for (person, devices) in devices.iter().enumerate() {
            walk.meet(person, devices[0]);
            walk.has_opened(person, devices[0]);
        }
        walk
    }

    /// A device is there from now on.
    pub(crate) fn meet(&mut self, person: usize, who: Who) {
        self.ids.insert(who, self.town.id(who));
        self.person_of.insert(who, person);
        self.seen.insert(who, Seen::default());
        self.names.insert(self.ids[&who], [self.joining(person).device_name].into());
    }

    /// Somebody's account begins with this device.
    pub(crate) fn has_opened(&mut self, person: usize, who: Who) {
        let id = self.town.read(who, |store| query::status(store, 0)).account.unwrap();
        self.accounts[person].push(Account::new(id, self.ids[&who]));
    }

    /// What somebody types to get in.
    pub(crate) fn joining(&self, person: usize) -> Joining {
        Joining { password: Secret(self.password[person].clone().into()), ..Town::joining(PEOPLE[person]) }
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

    /// The conversations in which somebody can write.
    pub(crate) fn open_talks(&self) -> Vec<usize> {
        (0..self.talks.len()).filter(|talk| !self.talks[*talk].is_over).collect()
    }

    /// RST-6: true if somebody has yet to decide about one of these.
    pub(crate) fn has_to_decide(&self, person: usize, about: &[usize]) -> bool {
        about.iter().any(|other| self.undecided.contains(&(person, *other)))
    }

    /// What happened at a device since the last look.
    pub(crate) fn news(&mut self, who: Who) -> Vec<Event> {
        let seen = self.seen.get_mut(&who).unwrap();
        let news = self.town.events(who)[seen.events..].to_vec();
        seen.events += news.len();
        news
    }
}
