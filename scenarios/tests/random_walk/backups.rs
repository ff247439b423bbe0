//! What somebody had comes back out of a backup file, once (BAK-3 to BAK-5).

use std::collections::BTreeSet;

use client::query::{self, MessageState};
use client::step::{Command, Event};
use protocol::backup::{Owner, Part, Pile, settings_parts};
use protocol::people::Decision;
use scenarios::town::Who;

use crate::strangers::{Acquaintance, is_request};
use crate::walk::{Fate, PEOPLE, Walk};

/// A backup file.
pub(crate) struct File {
    owner: Owner,
    parts: Vec<Part>,
    /// What was written into it.
    texts: BTreeSet<String>,
    stranger: Acquaintance,
    /// How many accounts there had been. What an older file says of somebody who was reset since has to be decided again.
    accounts: usize,
    /// About whose fresh identity nothing was decided. What was decided since is known to the devices that there were then.
    undecided: Vec<usize>,
}

impl Walk {
    /// A backup file is written, or the newest one is taken in, by whichever device.
    pub(crate) fn back_up(&mut self, number: usize) {
        let (person, by) = self.somebody();
        self.calm_down();
        let accounts = self.accounts.iter().map(Vec::len).sum();
        let undecided: Vec<_> =
            self.undecided.iter().filter(|(by, _)| *by == person).map(|(_, about)| *about).collect();
        let is_as_now = |file: &File| file.accounts == accounts && file.undecided == undecided;
        let is_usable = self.files[person].as_ref().is_some_and(is_as_now);
        if is_usable && self.dice.roll(2) == 0 {
            println!("{number} {by:?} takes in the backup of {}", PEOPLE[person]);
            let file = self.files[person].take().unwrap();
            self.take_in(person, by, &file);
            self.files[person] = Some(file);
            return;
        }
        println!("{number} {by:?} writes a backup");
        let owner = self.town.read(by, query::backup_owner).unwrap();
        let rows = self.town.read(by, |store| query::backup_rows(store, 0, 10_000));
        let rows: Vec<_> = rows.into_iter().map(|it| it.row).collect();
        let mut parts = settings_parts(self.town.read(by, query::backed_up_settings));
        let (mut pile, mut messages) = (Pile::default(), 0);
        for message in self.town.read(by, |store| query::backed_up_messages(store, &rows)) {
            messages += 1;
            parts.extend(pile.add(message));
        }
        parts.extend(pile.take());
        let has = |state| !matches!(state, MessageState::Waiting | MessageState::Failed | MessageState::Unreadable);
        let texts = self.town.messages(by).into_iter().filter(|row| has(row.state)).map(|row| row.text);
        let texts: BTreeSet<_> = texts.collect();
        assert_eq!(messages, texts.len(), "BAK-4: {by:?}");
        let stranger = self.standing[person];
        self.files[person] = Some(File { owner, parts, texts, stranger, accounts, undecided });
    }

    fn take_in(&mut self, person: usize, by: Who, file: &File) {
        self.wish(by, Command::OpenBackup { owner: file.owner.clone() });
        for part in &file.parts {
            self.town.wish(by, Command::TakeBackup { account: file.owner.account, part: part.clone() });
        }
        while !self.is_looked_through(by) {}
        let standing = &mut self.standing[person];
        if standing.is_found {
            // only who has lost all devices has lost what was decided too
            standing.decision = standing.decision.or(file.stranger.decision);
            standing.is_found = file.stranger.is_found || !file.stranger.has_asked;
        }
        let is_blocked = standing.decision == Some(Decision::Blocked);
        for text in &file.texts {
            let it = self.written.get_mut(text).unwrap();
            if !(is_request(it.talk) && is_blocked) {
                it.counted.insert(by);
            }
        }
        self.calm_down();
        self.note_gaps(by);
    }

    fn is_looked_through(&mut self, by: Who) -> bool {
        let events = self.town.wish(by, Command::FinishBackup);
        events.iter().any(|event| matches!(event, Event::Backup { left: 0, .. }))
    }

    /// HIS-4: where the newest of what somebody wrote is not there, what comes next does not follow on it.
    fn note_gaps(&mut self, who: Who) {
        let rows = self.town.messages(who);
        let has: BTreeSet<_> = rows.iter().map(|row| row.text.as_str()).collect();
        for row in &rows {
            let Some(it) = self.written.get(&row.text) else { continue };
            let mut all = self.written.iter().filter(|(_, other)| {
                other.by == it.by && other.talk == it.talk && other.fate == Fate::Goes && other.number > it.number
            });
            if all.any(|(text, _)| !has.contains(text.as_str())) {
                self.left.insert(row.group.to_string());
            }
        }
    }
}
