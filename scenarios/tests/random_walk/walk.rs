//! The town with its model: who counts, who is in which conversation, what was written.

use std::collections::{BTreeMap, BTreeSet};

use chain::id::{AccountId, DeviceId, Digest};
use client::query;
use client::step::{Event, Joining, Secret};
use scenarios::town::{Town, Who};

use crate::accounts::Account;
use crate::backups::File;
use crate::dice::Dice;
use crate::strangers::{Acquaintance, is_request};
use crate::traces::KeyPackages;

/// Three who know each other, and one whom nobody knows.
pub(crate) const PEOPLE: [&str; 4] = ["alice", "bob", "carol", "dave"];
pub(crate) const STRANGER: usize = 3;
/// Where the conversations begin in which the stranger writes to each of the others.
pub(crate) const REQUESTS: usize = 6;

/// A conversation.
#[derive(Default)]
pub(crate) struct Talk {
    /// Who is in it, by number.
    pub(crate) members: Vec<usize>,
    /// The id of its group, for one of three.
    pub(crate) group: Option<String>,
    /// Who has opened it, for one of three; once that account has ended, nobody lets anybody in or out any more.
    pub(crate) admin: Option<usize>,
    /// The accounts that ever were in it, for one of three.
    pub(crate) let_in: BTreeSet<AccountId>,
}

/// What becomes of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Goes,
    /// It waits for its writer to accept somebody's reset.
    Waits,
    /// Its writer was let out while it waited.
    GivenUp,
}

/// A message that was written.
pub(crate) struct Written {
    pub(crate) talk: usize,
    pub(crate) by: Who,
    pub(crate) number: usize,
    /// The accounts that may read it: after a reset a person has another one.
    pub(crate) readers: BTreeSet<AccountId>,
    /// Their devices that counted, and those that got it with the old messages or out of a backup file.
    pub(crate) counted: BTreeSet<Who>,
    pub(crate) fate: Fate,
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
    pub(crate) devices: [Vec<Who>; 4],
    /// By person: one that asks to come in, and since when.
    pub(crate) stranger: [Option<(Who, u64)>; 4],
    /// Devices that never counted, and never will.
    pub(crate) refused: Vec<Who>,
    /// Devices that no longer count, and the texts that they had by then.
    pub(crate) gone: BTreeMap<Who, BTreeSet<String>>,
    pub(crate) offline: BTreeSet<Who>,
    /// Devices that were let in without the old messages.
    pub(crate) bare: BTreeSet<Who>,
    /// The three of two people come first, then what each notes for himself, the stranger's ([`REQUESTS`]), and those of three.
    pub(crate) talks: Vec<Talk>,
    /// Groups out of which somebody was let.
    pub(crate) left: BTreeSet<String>,
    /// By text.
    pub(crate) written: BTreeMap<String, Written>,
    pub(crate) ids: BTreeMap<Who, DeviceId>,
    pub(crate) person_of: BTreeMap<Who, usize>,
    /// The account that each device is of, or asks to be of.
    pub(crate) account_of: BTreeMap<Who, AccountId>,
    pub(crate) seen: BTreeMap<Who, Seen>,
    /// By person: the accounts, of which the last one is open.
    pub(crate) accounts: [Vec<Account>; 4],
    pub(crate) password: [String; 4],
    /// By person: what the words of the recovery key are made of.
    pub(crate) paper: [Option<u8>; 4],
    /// By person: the device that has announced a reset of the account.
    pub(crate) announced: [Option<Who>; 4],
    /// By person: until when no reset can be announced, because one was stopped.
    pub(crate) no_reset_before_ms: [u64; 4],
    /// Who has yet to decide about whom, who was reset.
    pub(crate) undecided: BTreeSet<(usize, usize)>,
    /// How each device was called.
    pub(crate) names: BTreeMap<DeviceId, BTreeSet<String>>,
    /// By person: what the stranger is for him.
    pub(crate) standing: [Acquaintance; 3],
    /// By person: the newest backup file.
    pub(crate) files: [Option<File>; 3],
    /// The commit of each group's epoch.
    pub(crate) commits: BTreeMap<(String, u64), String>,
    pub(crate) key_packages: KeyPackages,
    /// The hashes of the log's blocks.
    pub(crate) blocks: Vec<Digest>,
    /// What the groups of each device were kept as at the last look, sealed.
    pub(crate) secrets: BTreeMap<Who, BTreeSet<Vec<u8>>>,
}

impl Walk {
    pub(crate) fn new(seed: u64) -> Self {
        let mut town = Town::new();
        let [alice, bob, carol, dave] = PEOPLE;
        let three = [alice, bob, carol].map(|name| vec![town.sign_up(name)]);
        let devices: Vec<_> = three.into_iter().chain([vec![town.stranger(dave)]]).collect();
        let devices: [Vec<Who>; 4] = devices.try_into().unwrap();
        let talk = |members: &[usize]| Talk { members: members.to_vec(), ..Talk::default() };
        let talks: [&[usize]; 9] = [&[0, 1], &[1, 2], &[2, 0], &[0], &[1], &[2], &[3, 0], &[3, 1], &[3, 2]];
        let password = PEOPLE.map(|name| Town::joining(name).password.0.to_string());
        let mut walk = Self {
            town,
            dice: Dice(seed),
            devices: devices.clone(),
            stranger: [None; 4],
            refused: Vec::new(),
            gone: BTreeMap::new(),
            offline: BTreeSet::new(),
            bare: BTreeSet::new(),
            talks: talks.map(talk).into(),
            left: BTreeSet::new(),
            written: BTreeMap::new(),
            ids: BTreeMap::new(),
            person_of: BTreeMap::new(),
            account_of: BTreeMap::new(),
            seen: BTreeMap::new(),
            accounts: Default::default(),
            password,
            paper: [None; 4],
            announced: [None; 4],
            no_reset_before_ms: [0; 4],
            undecided: BTreeSet::new(),
            names: BTreeMap::new(),
            standing: Default::default(),
            files: Default::default(),
            commits: BTreeMap::new(),
            key_packages: KeyPackages::default(),
            blocks: Vec::new(),
            secrets: BTreeMap::new(),
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
        self.account_of.extend(self.accounts[person].last().map(|account| (who, account.id)));
        self.seen.insert(who, Seen::default());
        self.names.insert(self.ids[&who], [self.joining(person).device_name].into());
    }

    /// Somebody's account begins with this device.
    pub(crate) fn has_opened(&mut self, person: usize, who: Who) {
        let id = self.town.read(who, |store| query::status(store, 0)).account.unwrap();
        self.accounts[person].push(Account::new(id, self.ids[&who]));
        self.account_of.insert(who, id);
    }

    /// What somebody types to get in.
    pub(crate) fn joining(&self, person: usize) -> Joining {
        Joining { password: Secret(self.password[person].clone().into()), ..Town::joining(PEOPLE[person]) }
    }

    /// One of the three, and a device of his that counts.
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

    /// The accounts of these people.
    pub(crate) fn accounts_of(&self, people: &[usize]) -> BTreeSet<AccountId> {
        people.iter().map(|person| self.account(*person).id).collect()
    }

    /// The conversations in which one of the three can write.
    pub(crate) fn open_talks(&self) -> Vec<usize> {
        (0..self.talks.len()).filter(|talk| !is_request(*talk) && !self.talks[*talk].members.is_empty()).collect()
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
