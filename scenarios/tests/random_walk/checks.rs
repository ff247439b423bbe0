//! What has to hold.

use std::collections::{BTreeMap, BTreeSet};

use chain::id::DeviceId;
use chain::sigchain::body::Body;
use chain::sigchain::entry::Entry;
use client::query::{self, MessageRow, MessageState};
use client::step::Event;
use protocol::api::delivery::CommitSubmission;
use scenarios::town::Who;

use crate::walk::{PEOPLE, Walk};

/// What each device shows.
type Shown = BTreeMap<Who, Vec<MessageRow>>;

impl Walk {
    /// Judges what has changed since the last look.
    pub(crate) fn look(&mut self) {
        for who in self.seen.keys().copied().collect::<Vec<_>>() {
            for event in self.news(who) {
                match event {
                    Event::Lie { code, .. } => panic!("I6, I7: {who:?} sees a lie: {code}"),
                    Event::Failed { failure, .. } if self.counts(who) => panic!("I1: {who:?}: {failure:?}"),
                    Event::Message { row, .. } => {
                        if let Some(row) = self.town.read(who, |store| query::message(store, row)) {
                            self.look_at(who, &row);
                        }
                    }
                    _ => {}
                }
            }
        }
        for (path, body) in self.town.commits.take() {
            let CommitSubmission { base_epoch, commit, .. } = serde_json::from_slice(&body).unwrap();
            let commit = format!("{commit:?}");
            let before = self.commits.entry((path, base_epoch)).or_insert(commit.clone());
            assert_eq!(*before, commit, "I10: two commits of epoch {base_epoch}");
        }
    }

    fn counts(&self, who: Who) -> bool {
        self.devices.iter().flatten().any(|it| *it == who)
    }

    fn look_at(&mut self, who: Who, row: &MessageRow) {
        if row.state == MessageState::Unreadable {
            return;
        }
        self.may_show(who, &row.text);
        let it = &self.written[&row.text];
        let may_read: BTreeSet<_> = it.counted.union(&self.devices_of(&it.audience)).map(|who| self.ids[who]).collect();
        for device in &row.encrypted_to {
            assert!(may_read.contains(device), "I4: {:?} was encrypted to {device}", row.text);
        }
        let before = self.seen.get_mut(&who).unwrap().rows.insert(row.text.clone(), row.row);
        if let Some(before) = before.filter(|before| *before != row.row) {
            let still = self.town.read(who, |store| query::message(store, before));
            assert!(still.is_none(), "I2: {:?} is twice on {who:?}", row.text);
        }
    }

    /// I4: a device shows what was written to its person while it counted, or before.
    fn may_show(&self, who: Who, text: &str) {
        let it = self.written.get(text).unwrap_or_else(|| panic!("I4: nobody wrote {text:?}"));
        assert!(it.audience.contains(&self.person_of[&who]), "I4: {who:?} shows {text:?}");
        assert!(!self.refused.contains(&who) && !self.stranger.contains(&Some(who)), "I4: {who:?} shows {text:?}");
        assert!(self.gone.get(&who).is_none_or(|had| had.contains(text)), "I4: {who:?} is gone and shows {text:?}");
    }

    /// When everything has been repaired: what each device shows is what it has to show.
    pub(crate) fn check(&mut self) -> Shown {
        println!("all is checked");
        self.calm_down();
        self.look();
        let mut shown = BTreeMap::new();
        for who in self.seen.keys().copied().collect::<Vec<_>>() {
            let rows = self.town.read(who, |store| query::messages(store, None, 10_000));
            let places = self.check_rows(who, &rows);
            if self.counts(who) {
                self.check_complete(who, &places);
            }
            shown.insert(who, rows);
            let size = self.town.read(who, |store| query::status(store, 0)).chain_size;
            let seen = self.seen.get_mut(&who).unwrap();
            assert!(seen.chain_size <= size, "I6: {who:?} has forgotten a part of the record");
            seen.chain_size = size;
        }
        for talk in 0..self.talks.len() {
            self.check_order(talk, &shown);
        }
        for person in 0..3 {
            self.check_record(person);
        }
        shown
    }

    fn check_rows<'a>(&self, who: Who, rows: &'a [MessageRow]) -> BTreeMap<&'a str, usize> {
        let mut places = BTreeMap::new();
        for (place, row) in rows.iter().enumerate() {
            let is_good = matches!(row.state, MessageState::Sent | MessageState::Received);
            // what a device had not repaired when it was removed stays as it is
            assert!(is_good || self.gone.contains_key(&who), "I1: {who:?}: {:?} {}", row.state, row.text);
            if is_good {
                self.may_show(who, &row.text);
                assert!(places.insert(row.text.as_str(), place).is_none(), "I2: {} is twice on {who:?}", row.text);
            }
        }
        places
    }

    fn check_complete(&self, who: Who, places: &BTreeMap<&str, usize>) {
        let mut written: Vec<_> = self.written.iter().filter(|(_, it)| it.counted.contains(&who)).collect();
        written.sort_by_key(|(_, it)| it.number);
        let mut last: BTreeMap<(Who, usize), usize> = BTreeMap::new();
        for (text, it) in written {
            let place = places.get(text.as_str()).unwrap_or_else(|| panic!("I1: {who:?} does not show {text:?}"));
            let before = last.insert((it.by, it.talk), *place);
            assert!(before.is_none_or(|before| before < *place), "I3: {text:?} is out of order on {who:?}");
        }
    }

    /// I9: what two devices both have of a conversation is in the same order on both.
    fn check_order(&self, talk: usize, shown: &Shown) {
        let texts = |who: &Who| {
            let texts = shown[who].iter().map(|row| row.text.as_str());
            texts.filter(|text| self.written.get(*text).is_some_and(|it| it.talk == talk)).collect::<Vec<_>>()
        };
        let devices = self.devices_of(&self.talks[talk].members);
        let all: Vec<_> = devices.iter().map(texts).collect();
        for two in all.windows(2) {
            let common = |of: &[&str], other: &[&str]| {
                let other: BTreeSet<_> = other.iter().collect();
                of.iter().filter(|text| other.contains(text)).map(|text| (*text).to_owned()).collect::<Vec<_>>()
            };
            assert_eq!(common(&two[0], &two[1]), common(&two[1], &two[0]), "I9: the order in conversation {talk}");
        }
    }

    /// I5, I8: what the record says of a person's devices is what the person did, and each device was told.
    fn check_record(&mut self, person: usize) {
        let entries = self.town.entries(PEOPLE[person]);
        let before = std::mem::replace(&mut self.entries[person], entries.clone());
        assert!(entries.starts_with(&before), "I8: entries of {} have changed", PEOPLE[person]);
        let bodies: Vec<_> = entries.iter().map(|bytes| Entry::decode(bytes).unwrap().statement.body).collect();
        let told: Vec<(&str, DeviceId)> = bodies.iter().flat_map(notices_of).collect();
        let of = |code: &str| told.iter().filter(|(it, _)| *it == code).map(|(_, id)| *id).collect::<BTreeSet<_>>();
        let ids = |of: &mut dyn Iterator<Item = &Who>| {
            of.filter(|who| self.person_of[who] == person).map(|who| self.ids[who]).collect::<BTreeSet<_>>()
        };
        // the first one opened the account
        let counted = ids(&mut self.devices[person].iter().skip(1).chain(self.gone.keys()));
        assert_eq!(of("device.confirmed"), counted, "I5: {}", PEOPLE[person]);
        assert_eq!(of("device.refused"), ids(&mut self.refused.iter()), "I5: {}", PEOPLE[person]);
        assert_eq!(of("device.removed"), ids(&mut self.gone.keys()), "I5: {}", PEOPLE[person]);
        for who in &self.devices[person] {
            let own = ("device.confirmed", self.ids[who]);
            let since = told.iter().position(|it| *it == own).map_or(0, |at| at + 1);
            let heard = self.town.read(*who, query::notices);
            let heard: Vec<_> = heard.iter().filter_map(|it| Some((it.code.as_str(), it.device?))).collect();
            assert_eq!(heard, told[since..], "I8: the notices of {who:?}");
        }
    }

    /// The end: everybody writes everywhere once more, and everybody reads it.
    pub(crate) fn part(&mut self) {
        self.calm_down();
        for talk in 0..self.talks.len() {
            for who in self.devices_of(&self.talks[talk].members) {
                self.write(usize::MAX, talk, who);
                self.town.settle();
            }
        }
        let shown = self.check();
        for talk in 0..self.talks.len() {
            self.check_members(talk, &shown);
        }
    }

    /// I9: everybody sees the same members and as many devices as there are.
    fn check_members(&self, talk: usize, shown: &Shown) {
        let members = &self.talks[talk].members;
        let devices = self.devices_of(members);
        let mut people: Vec<_> = members.iter().map(|person| PEOPLE[*person]).collect();
        people.sort_unstable();
        let is_newest = |row: &&MessageRow| self.written.get(&row.text).is_some_and(|it| it.talk == talk);
        for who in &devices {
            let group = shown[who].iter().rfind(is_newest).unwrap().group;
            let shown = self.town.read(*who, query::conversations);
            let shown = shown.iter().find(|row| row.group == group).unwrap();
            let mut names: Vec<_> = shown.members.iter().filter_map(|(_, handle)| handle.as_deref()).collect();
            names.sort_unstable();
            assert_eq!((names, shown.devices), (people.clone(), devices.len()), "I9: {who:?} in conversation {talk}");
        }
    }
}

/// What own devices are to be told of an entry.
fn notices_of(body: &Body) -> Vec<(&'static str, DeviceId)> {
    match body {
        Body::DeviceAdded { device, .. } => vec![("device.requested", device.id())],
        Body::DeviceConfirmed(answer) => vec![("device.confirmed", answer.device)],
        Body::DeviceRefused(answer) => vec![("device.refused", answer.device)],
        Body::DeviceRemoved { devices, .. } => devices.iter().map(|device| ("device.removed", *device)).collect(),
        _ => Vec::new(),
    }
}
