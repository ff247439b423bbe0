//! What has to hold.

use std::collections::{BTreeMap, BTreeSet};

use client::query::{self, MessageRow, MessageState};
use client::step::Event;
use protocol::api::delivery::CommitSubmission;
use scenarios::town::Who;

use crate::strangers::is_request;
use crate::walk::{Fate, PEOPLE, Talk, Walk, Written};

/// What each device shows.
type Shown = BTreeMap<Who, Vec<MessageRow>>;

impl Walk {
    /// Judges what has changed since the last look.
    pub(crate) fn look(&mut self) {
        for who in self.seen.keys().copied().collect::<Vec<_>>() {
            for event in self.news(who) {
                match event {
                    Event::Lie { code, .. } => panic!("I6, I7: {who:?} sees a lie: {code}"),
                    // what waited for a decision in a conversation that its writer is taken out of
                    Event::Failed { failure, .. } if failure.code == "group.removed" && self.gives_up(who) => {}
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
        self.look_at_key_packages();
        for (path, body) in self.town.commits.take() {
            let submission: CommitSubmission = serde_json::from_slice(&body).unwrap();
            let (epoch, commit) = (submission.base_epoch, format!("{:?}", submission.commit));
            match self.commits.insert((path, epoch), commit.clone()) {
                Some(before) => assert_eq!(before, commit, "I10: two commits of epoch {epoch}"),
                None => self.key_packages.are_used(&submission),
            }
        }
    }

    fn gives_up(&self, who: Who) -> bool {
        self.written.values().any(|it| it.fate == Fate::GivenUp && it.by == who)
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
        // RST-6: what waits for a decision is for nobody
        let people: &[usize] = if it.fate == Fate::Goes { &self.talks[it.talk].members } else { &[] };
        // PPL-3: whoever is blocked is not told
        let is_for = |who: &Who| is_request(it.talk) || it.readers.contains(&self.account_of[who]);
        let counts = self.devices_of(people).into_iter().filter(is_for);
        let may_read: BTreeSet<_> = it.counted.iter().copied().chain(counts).map(|who| self.ids[&who]).collect();
        for device in &row.encrypted_to {
            assert!(may_read.contains(device), "I4, I15: {:?} was encrypted to {device}", row.text);
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
        assert!(it.readers.contains(&self.account_of[&who]), "I4: {who:?} shows {text:?}");
        assert!(it.fate == Fate::Goes || it.by == who, "I15: {who:?} shows {text:?}");
        let is_stranger = self.stranger.iter().flatten().any(|(it, _)| *it == who);
        assert!(!self.refused.contains(&who) && !is_stranger, "I4: {who:?} shows {text:?}");
        assert!(self.gone.get(&who).is_none_or(|had| had.contains(text)), "I4: {who:?} is gone and shows {text:?}");
    }

    /// When everything has been repaired: what each device shows is what it has to show.
    pub(crate) fn check(&mut self) -> Shown {
        println!("all is checked");
        self.calm_down();
        self.look();
        let mut shown = BTreeMap::new();
        for who in self.seen.keys().copied().collect::<Vec<_>>() {
            let rows = self.town.messages(who);
            let places = self.check_rows(who, &rows);
            if self.counts(who) {
                self.check_complete(who, &places);
            }
            // HIS-4: nobody has changed anything, and what was written while somebody was out he cannot have
            let mut conversations = self.town.read(who, query::conversations);
            conversations.retain(|row| !self.left.contains(&row.group.to_string()));
            assert!(conversations.iter().all(|row| !row.unverified), "I9: {who:?} cannot verify what is old");
            shown.insert(who, rows);
            let size = self.town.read(who, |store| query::status(store, 0)).chain_size;
            let seen = self.seen.get_mut(&who).unwrap();
            assert!(seen.chain_size <= size, "I6: {who:?} has forgotten a part of the record");
            seen.chain_size = size;
        }
        for talk in 0..self.talks.len() {
            self.check_order(talk, &shown);
            self.check_outsiders(talk);
        }
        for person in 0..PEOPLE.len() {
            self.check_record(person);
            self.check_shared(person);
        }
        self.check_standings();
        // what everybody has is deleted when there is quiet, or at the end
        self.check_restart();
        self.check_erased();
        self.check_bounds();
        shown
    }

    fn check_rows<'a>(&self, who: Who, rows: &'a [MessageRow]) -> BTreeMap<&'a str, usize> {
        let mut places = BTreeMap::new();
        for (place, row) in rows.iter().enumerate() {
            let is_good = !matches!(row.state, MessageState::Waiting | MessageState::Failed | MessageState::Unreadable);
            for said in &row.receipts {
                let readers = &self.written[&row.text].readers;
                assert!(readers.contains(&said.from), "MSG-9: {:?} was not for {}", row.text, said.from);
            }
            let is_held = self.written.get(&row.text).is_some_and(|it| it.fate != Fate::Goes);
            assert!(!(is_good && is_held), "I15: {} was sent", row.text);
            // what a device had not repaired when it was removed stays as it is
            let is_well = is_good || is_held || self.gone.contains_key(&who);
            assert!(is_well, "I1: {who:?}: {:?} {}", row.state, row.text);
            if is_good || is_held {
                self.may_show(who, &row.text);
                assert!(places.insert(row.text.as_str(), place).is_none(), "I2: {} is twice on {who:?}", row.text);
            }
        }
        places
    }

    fn check_complete(&self, who: Who, places: &BTreeMap<&str, usize>) {
        let has_to_show = |it: &Written| it.counted.contains(&who) || (it.fate != Fate::Goes && it.by == who);
        let mut written: Vec<_> = self.written.iter().filter(|(_, it)| has_to_show(it)).collect();
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

    /// GRP-3: an account that nobody has let in, as the fresh one of somebody who was in, knows nothing of a conversation.
    fn check_outsiders(&self, talk: usize) {
        let Talk { group: Some(group), let_in, .. } = &self.talks[talk] else { return };
        for who in self.seen.keys().filter(|who| self.counts(**who) && !let_in.contains(&self.account_of[who])) {
            let conversations = self.town.read(*who, query::conversations);
            let knows = conversations.iter().any(|row| row.group.to_string() == *group);
            assert!(!knows, "I4: {who:?} knows of conversation {talk}, and nobody has let it in");
        }
    }

    /// The end: everybody writes everywhere once more, and everybody reads it.
    pub(crate) fn part(&mut self) {
        self.calm_down();
        for talk in self.open_talks() {
            for who in self.devices_of(&self.talks[talk].members) {
                self.write(usize::MAX, talk, who);
                self.town.settle();
            }
        }
        self.stranger_writes_to_all();
        let shown = self.check();
        for talk in self.open_talks() {
            let members = &self.talks[talk].members;
            // until then each side may have a group of its own
            if !members.iter().any(|person| self.has_to_decide(*person, members)) {
                self.check_members(talk, &shown);
            }
        }
        self.check_files();
    }

    /// I18: what the service has on its disk says nothing of what was written.
    fn check_files(&self) {
        let mut folders = vec![self.town.path("service")];
        let mut bytes = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let content = std::fs::read(&path).unwrap();
                bytes += content.len();
                for name in PEOPLE {
                    let text = format!(" from {name} ");
                    let is_there = content.windows(text.len()).any(|it| it == text.as_bytes());
                    assert!(!is_there, "I18: {}", path.display());
                }
            }
        }
        assert!(bytes > 100_000, "only {bytes} bytes were looked at");
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
