//! What happens to whole accounts: passwords and names, a recovery key, all devices lost, a reset.

use chain::id::{AccountId, PublicKey};
use client::query::{self, Phase};
use client::step::{Call, Command, Event, Secret};
use protocol::api::ENTRIES;
use protocol::recovery::{RANDOM, RecoveryKey};
use scenarios::people::Device;
use scenarios::town::Who;
use zeroize::Zeroizing;

use crate::strangers::{Acquaintance, is_request};
use crate::walk::{Fate, PEOPLE, REQUESTS, STRANGER, Walk};

/// More than a clock of the walk is wrong by.
const SKEW_MS: u64 = 700_000;
const HOUR_MS: u64 = 3_600_000;
/// What the record demands before a reset, and after one that was stopped.
const WAIT_MS: u64 = 72 * HOUR_MS;

impl Walk {
    /// A device is called otherwise, or a code was compared, or not.
    pub(crate) fn share(&mut self, number: usize) {
        let (person, by) = self.somebody();
        if self.dice.roll(2) == 0 {
            let which = self.one_of(person);
            let name = format!("device of step {number}");
            println!("{number} {by:?} calls {which:?} otherwise");
            let device = self.ids[&which];
            self.names.get_mut(&device).unwrap().insert(name.clone());
            self.town.command(by, Command::NameDevice { device, name });
            return;
        }
        let other = (person + 1 + self.dice.roll(2)) % 3;
        let verified = self.dice.roll(3) > 0;
        println!("{number} {by:?} marks {} as compared: {verified}", PEOPLE[other]);
        let account = self.account(other).id;
        self.town.command(by, Command::MarkVerified { account, verified });
    }

    /// Another password: the old one opens nothing any more.
    pub(crate) fn change_password(&mut self, number: usize) {
        let (person, by) = self.somebody();
        self.calm_down();
        println!("{number} {by:?} changes the password");
        let old = self.joining(person);
        self.password[person] = format!("password of step {number}");
        let password = Secret(self.password[person].clone().into());
        self.wish(by, Command::SetPassword { password });
        for other in self.devices[person].iter().filter(|other| **other != by) {
            let newest = self.town.read(*other, query::notices).pop();
            assert_eq!(newest.unwrap().code, "password.changed", "{other:?} was not told");
        }
        let stranger = self.town.device();
        let events = self.town.wish(stranger, Command::LogIn(old));
        assert_eq!(codes(&events), ["login.refused"], "the old password of {}", PEOPLE[person]);
    }

    /// A recovery key is made; or all devices are lost, and it lets in a new one, which takes them out.
    pub(crate) fn recover(&mut self, number: usize) {
        let person = self.dice.roll(3);
        self.calm_down();
        let Some(seed) = self.paper[person] else {
            // a device that is younger than another may not, for three days
            let by = self.devices[person][0];
            println!("{number} {by:?} makes a recovery key");
            let seed = u8::try_from(self.dice.roll(256)).unwrap();
            self.paper[person] = Some(seed);
            let key = Some(PublicKey::from(&key(seed).signing_key()));
            self.wish(by, Command::SetRecoveryKey { key });
            self.done(person, "recovery.set", None);
            return;
        };
        // what a device waits with for a decision is lost with it
        if let Some(about) = (0..3).find(|about| self.undecided.contains(&(person, *about))) {
            return self.decide(number, person, about);
        }
        println!("{number} {} loses all devices and recovers", PEOPLE[person]);
        // what is decided after it is newer than what a file says, however wrong a clock was
        self.town.pass_ms(2 * SKEW_MS);
        let lost = self.lose(person);
        let who = self.town.device();
        let joining = self.joining(person);
        self.town.wish(who, Command::LogIn(joining));
        self.meet(person, who);
        self.done(person, "device.requested", Some(who));
        let words = key(seed).words().collect::<Vec<_>>().join(" ");
        self.wish(who, Command::Recover { words: Secret(words.into()) });
        self.done(person, "device.recovered", Some(who));
        self.devices[person].push(who);
        for lost in lost {
            let device = self.ids[&lost];
            self.wish(who, Command::Remove { device });
            self.done(person, "device.removed", Some(lost));
            self.is_gone(lost);
        }
        self.standing[person].is_forgotten();
    }

    /// All devices of somebody are somewhere else, cut off.
    fn lose(&mut self, person: usize) -> Vec<Who> {
        let lost = std::mem::take(&mut self.devices[person]);
        for who in &lost {
            self.town.set_online(*who, false);
            self.offline.insert(*who);
        }
        lost
    }

    /// A device no longer counts: it keeps what it has.
    pub(crate) fn is_gone(&mut self, who: Who) {
        let had = self.town.messages(who).into_iter().map(|row| row.text).collect();
        self.gone.insert(who, had);
    }

    /// Whoever has the password announces a reset of somebody who has lost nothing, or it is stopped after a while.
    pub(crate) fn announce(&mut self, number: usize) {
        let (person, by) = self.somebody();
        self.calm_down();
        if self.announced[person].is_some() {
            return self.veto(number, person, by);
        }
        println!("{number} a thief announces a reset of {}", PEOPLE[person]);
        let thief = self.town.device();
        let joining = self.joining(person);
        let events = self.town.wish(thief, Command::Reset(joining));
        if self.town.now_ms() < self.no_reset_before_ms[person] {
            assert_eq!(codes(&events), ["reset.too_soon"], "RST-2: {}", PEOPLE[person]);
            return;
        }
        assert_eq!(self.phase(thief), Phase::Resetting, "{events:?}");
        self.meet(person, thief);
        self.refused.push(thief);
        self.done(person, "reset.requested", Some(thief));
        self.announced[person] = Some(thief);
    }

    fn veto(&mut self, number: usize, person: usize, by: Who) {
        println!("{number} {by:?} stops the reset");
        self.wish(by, Command::Veto);
        self.done(person, "reset.vetoed", None);
        self.announced[person] = None;
        self.no_reset_before_ms[person] = self.town.now_ms() + WAIT_MS;
    }

    /// What nobody stops in time would be carried out.
    fn veto_all(&mut self, number: usize) {
        for person in 0..3 {
            if self.announced[person].is_some() {
                let by = self.one_of(person);
                self.veto(number, person, by);
            }
        }
    }

    /// Somebody decides about whoever was reset; or all devices of somebody are lost, and nothing was kept.
    pub(crate) fn reset(&mut self, number: usize) {
        let person = self.dice.roll(3);
        self.calm_down();
        if let Some((by, about)) = self.undecided.iter().copied().next()
            && self.dice.roll(2) == 0
        {
            return self.decide(number, by, about);
        }
        let is_too_soon = self.town.now_ms() < self.no_reset_before_ms[person];
        if is_too_soon || self.announced[person].is_some() {
            return self.announce(number);
        }
        self.veto_all(number);
        println!("{number} {} loses everything and begins anew", PEOPLE[person]);
        let others: Vec<_> = (0..PEOPLE.len()).filter(|other| *other != person).collect();
        let account = self.account(person).id;
        let knows = |walk: &Self, other: &usize| {
            walk.contacts(walk.devices[*other][0]).iter().any(|row| row.handle == PEOPLE[person])
        };
        let knowing: Vec<_> = others.into_iter().filter(|other| knows(self, other)).collect();
        let lost = self.lose(person);
        let fresh = self.town.device();
        let joining = self.joining(person);
        self.wish(fresh, Command::Reset(joining));
        self.meet(person, fresh);
        self.done(person, "reset.requested", Some(fresh));
        self.devices[person].push(fresh);
        self.sleep_ms(WAIT_MS + HOUR_MS);
        assert_eq!(self.phase(fresh), Phase::Confirmed, "{:?}", self.town.events(fresh));
        self.done(person, "account.reset", None);
        self.has_opened(person, fresh);
        lost.iter().for_each(|who| self.is_gone(*who));
        self.refused.extend(self.stranger[person].take().map(|(who, _)| who));
        self.paper[person] = None;
        self.files[person] = None;
        if let Some(standing) = self.standing.get_mut(person) {
            *standing = Acquaintance::default();
        }
        self.undecided.retain(|(by, _)| *by != person);
        self.check_told_of_reset(person, &account, &knowing);
        self.go_on_without(number, person, &lost);
    }

    /// RST-6: whoever knows the account has to decide about its successor, and hears of that once.
    fn check_told_of_reset(&mut self, person: usize, account: &AccountId, knowing: &[usize]) {
        for other in knowing.iter().copied() {
            self.undecided.insert((other, person));
            for who in &self.devices[other] {
                // only who shares a conversation with an account is told at once
                let conversations = self.town.read(*who, query::conversations);
                let is_met = conversations.iter().any(|row| row.members.iter().any(|(it, _)| it == account));
                let is_told = is_met && self.contacts(*who).iter().any(|row| row.account == *account);
                let notices = self.town.read(*who, query::notices);
                let is_it = |row: &&query::NoticeRow| {
                    row.code == "contact.reset" && row.contact.as_ref().is_some_and(|(it, _)| it == account)
                };
                let told = notices.iter().filter(is_it).count();
                assert!(told == 1 || (told == 0 && !is_told), "I15: {who:?} was told {told} times");
            }
        }
    }

    /// GRP-1, GRP-3: a conversation of three goes on without an account that has ended: the next sender takes its leaves out. A
    /// thief of its devices is handed all that the others hear there.
    fn go_on_without(&mut self, number: usize, person: usize, lost: &[Who]) {
        for talk in 0..self.talks.len() {
            let it = &mut self.talks[talk];
            let Some(group) = it.group.clone().filter(|_| it.members.contains(&person)) else { continue };
            it.members.retain(|member| *member != person);
            it.admin = it.admin.filter(|admin| *admin != person);
            let members = it.members.clone();
            self.left.insert(group);
            if !members.is_empty() && self.dice.roll(2) == 0 {
                let by = self.dice.pick(&members);
                let by = self.one_of(by);
                self.write(number, talk, by);
                self.town.settle();
                for who in self.devices_of(&members) {
                    lost.iter().for_each(|lost| self.town.hand_on(who, *lost));
                }
            }
        }
        self.calm_down();
        self.release();
    }

    /// A person accepts that somebody goes on as a fresh identity: what waited for that is for its devices now.
    pub(crate) fn decide(&mut self, number: usize, person: usize, about: usize) {
        let by = self.one_of(person);
        println!("{number} {by:?} accepts the fresh identity of {}", PEOPLE[about]);
        self.wish(by, Command::AcceptReset { handle: PEOPLE[about].to_owned() });
        self.undecided.remove(&(person, about));
        self.calm_down();
        self.release();
    }

    /// What waits for nobody's decision any more is for whoever is in its conversation now.
    pub(crate) fn release(&mut self) {
        let waiting = self.written.iter().filter(|(_, it)| it.fate == Fate::Waits);
        let waiting: Vec<_> = waiting.map(|(text, it)| (text.clone(), it.talk, it.by)).collect();
        for (text, talk, by) in waiting {
            // what waited on a device that is lost is lost
            let Some(person) = self.devices.iter().position(|own| own.contains(&by)) else { continue };
            if !self.has_to_decide(person, &self.talks[talk].members) {
                let mut it = self.written.remove(&text).unwrap();
                it.fate = Fate::Goes;
                // whoever was let in or out meanwhile
                self.address(&mut it, person);
                if is_request(talk) && person == STRANGER {
                    self.standing[talk - REQUESTS].has_asked = true;
                }
                self.written.insert(text, it);
            }
        }
    }

    /// Everybody is off for a day or more, which whoever is cut off is for longer still.
    pub(crate) fn sleep(&mut self, number: usize) {
        self.calm_down();
        self.veto_all(number);
        let (_, off) = self.somebody();
        println!("{number} everybody sleeps, and {off:?} goes on sleeping");
        self.offline.insert(off);
        let hours = 25 + u64::try_from(self.dice.roll(50)).unwrap();
        self.sleep_ms(hours * HOUR_MS);
    }

    /// So long everybody is off; then somebody else comes to the town, so that the log goes on, and they look around.
    fn sleep_ms(&mut self, ms: u64) {
        let all: Vec<_> = self.town.everybody().collect();
        all.iter().for_each(|who| self.town.set_online(*who, false));
        self.town.pass_ms(ms);
        let other = Device::new();
        let proposal = other.sign(other.opening(None), "town.example/log");
        let call = Call { path: format!("{ENTRIES}?wait=quorum"), body: Some(proposal), bearer: None };
        assert_eq!(self.town.ask(&call).unwrap().0, 200);
        for who in all.into_iter().filter(|who| !self.offline.contains(who)) {
            self.town.set_online(who, true);
        }
        self.town.settle();
        self.town.pass_ms(61_000);
    }

    pub(crate) fn phase(&self, who: Who) -> Phase {
        self.town.read(who, |store| query::status(store, 0)).phase
    }
}

fn key(seed: u8) -> RecoveryKey {
    RecoveryKey::new(&Zeroizing::new([seed; RANDOM]))
}

/// Why what was wanted did not happen.
fn codes(events: &[Event]) -> Vec<&str> {
    let failures = events.iter().filter_map(|event| match event {
        Event::Failed { failure, .. } => Some(failure.code.as_str()),
        _ => None,
    });
    failures.collect()
}
