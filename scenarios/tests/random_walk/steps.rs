//! What can happen.

use std::collections::BTreeSet;

use client::query;
use client::step::{Command, Event};
use scenarios::town::{Weather, Who};

use crate::walk::{Fate, PEOPLE, Talk, Walk, Written};

/// Most devices of a person, and conversations of three into which somebody can be let.
const MAX_DEVICES: usize = 3;
const MAX_CHATS: usize = 2;
/// How wrong a clock may be.
const SKEW_MS: i64 = 600_000;

impl Walk {
    /// Something happens; then there is some time for it, or none.
    pub(crate) fn step(&mut self, number: usize) {
        match self.dice.roll(73) {
            0..=23 => self.send(number),
            24..=28 => self.restart(number),
            29..=33 => self.go_off(number),
            34..=38 => self.come_back(number),
            39..=44 => self.weather_changes(number),
            45..=47 => self.overtake(number),
            48..=50 => self.echo(number),
            51 => self.restart_service(number),
            52 | 53 => self.wait(number),
            54 => self.go_wrong(number),
            55 => self.add(number),
            56 => self.remove(number),
            57 => self.ask_to_come_in(number),
            58 | 59 => self.change_chats(number),
            60 | 61 => self.share(number),
            62 => self.change_password(number),
            63 => self.recover(number),
            64 => self.announce(number),
            65 => self.reset(number),
            66 => self.ask_for_history(number),
            67 | 68 => self.meet_stranger(number),
            69 | 70 => self.back_up(number),
            71 => self.hand_on(number),
            _ => self.sleep(number),
        }
        for _ in 0..self.dice.roll(8) {
            self.town.exchange();
        }
    }

    fn send(&mut self, number: usize) {
        let talks = self.open_talks();
        let talk = self.dice.pick(&talks);
        let members = self.talks[talk].members.clone();
        let person = self.dice.pick(&members);
        let by = self.one_of(person);
        self.write(number, talk, by);
        if number.is_multiple_of(3) {
            let reader = self.dice.pick(&members);
            self.read(number, reader);
        }
    }

    /// Somebody looks at all that there is.
    fn read(&mut self, number: usize, person: usize) {
        let who = self.one_of(person);
        println!("{number} {who:?} reads");
        for row in self.town.read(who, query::conversations) {
            self.town.command(who, Command::MarkRead { with: row.group.to_string() });
        }
    }

    /// Writes, whatever the weather.
    pub(crate) fn write(&mut self, number: usize, talk: usize, by: Who) {
        let person = self.person_of[&by];
        let members = self.talks[talk].members.clone();
        let text = format!("{number} from {} {by:?} in {talk}", PEOPLE[person]);
        println!("{text}");
        let other = members.iter().find(|other| **other != person).unwrap_or(&person);
        let to = self.talks[talk].group.clone().unwrap_or_else(|| PEOPLE[*other].to_owned());
        self.town.command(by, Command::Send { to, text: text.clone() });
        let fate = if self.has_to_decide(person, &members) { Fate::Waits } else { Fate::Goes };
        let (readers, counted) = (BTreeSet::new(), BTreeSet::new());
        let number = self.written.len();
        let mut written = Written { talk, by, number, readers, counted, fate };
        self.address(&mut written, person);
        self.written.insert(text, written);
    }

    /// Who may show a message that is sent now, and who has to.
    pub(crate) fn address(&self, it: &mut Written, by: usize) {
        // RST-6: what waits for a decision is for nobody. PPL-3: what somebody writes who is blocked is shown to nobody
        let is_for = |other: &usize| *other == by || (it.fate == Fate::Goes && !self.has_blocked(*other, by));
        let audience: Vec<_> = self.talks[it.talk].members.iter().copied().filter(is_for).collect();
        it.readers = self.accounts_of(&audience);
        it.counted = if it.fate == Fate::Goes { self.devices_of(&audience) } else { BTreeSet::new() };
    }

    fn restart(&mut self, number: usize) {
        let (_, who) = self.somebody();
        println!("{number} {who:?} is killed");
        self.town.restart(who);
    }

    fn go_off(&mut self, number: usize) {
        let (_, who) = self.somebody();
        println!("{number} {who:?} is cut off");
        self.offline.insert(who);
        self.town.set_online(who, false);
    }

    fn come_back(&mut self, number: usize) {
        if let Some(who) = self.offline.pop_first() {
            println!("{number} {who:?} comes back");
            self.town.set_online(who, true);
        }
    }

    fn weather_changes(&mut self, number: usize) {
        let weathers =
            [Weather::Fine, Weather::Fine, Weather::AnswersLost, Weather::Down, Weather::Doubled, Weather::Slow];
        self.town.weather = self.dice.pick(&weathers);
        println!("{number} {:?}", self.town.weather);
    }

    fn overtake(&mut self, number: usize) {
        println!("{number} requests overtake others");
        for who in self.devices_of(&[0, 1, 2]) {
            self.town.overtake(who);
        }
    }

    fn echo(&mut self, number: usize) {
        let (_, who) = self.somebody();
        println!("{number} {who:?} gets again what it got");
        self.town.echo(who);
    }

    /// Whoever has a device that no longer counts is handed what one that counts has heard.
    fn hand_on(&mut self, number: usize) {
        let (_, from) = self.somebody();
        let gone: Vec<_> = self.gone.keys().copied().collect();
        if !gone.is_empty() {
            let to = self.dice.pick(&gone);
            println!("{number} {to:?} is handed what {from:?} has heard");
            self.town.hand_on(from, to);
        }
    }

    fn wait(&mut self, number: usize) {
        let ms = u64::try_from(self.dice.roll(100_000)).unwrap();
        println!("{number} {ms} ms pass");
        self.town.pass_ms(ms);
    }

    fn go_wrong(&mut self, number: usize) {
        let (_, who) = self.somebody();
        let skew_ms = self.dice.pick(&[-SKEW_MS, -1_000, 0, 1_000, SKEW_MS]);
        println!("{number} the clock of {who:?} is {skew_ms} ms fast");
        self.town.set_skew_ms(who, skew_ms);
    }

    /// Everything that was written arrives.
    pub(crate) fn calm_down(&mut self) {
        self.town.weather = Weather::Fine;
        while let Some(who) = self.offline.pop_first() {
            self.town.set_online(who, true);
        }
        self.town.pass_ms(120_000);
    }

    /// What a device wants is done at once.
    pub(crate) fn wish(&mut self, who: Who, command: Command) {
        let events = self.town.wish(who, command);
        assert!(events.iter().any(|event| matches!(event, Event::Done { .. })), "{events:?}");
    }

    /// A device more; most get the old messages.
    fn add(&mut self, number: usize) {
        let (person, older) = self.somebody();
        if self.devices[person].len() >= MAX_DEVICES {
            return self.remove(number);
        }
        let history = self.dice.roll(4) > 0;
        println!("{number} {} adds a device by {older:?}, with old messages: {history}", PEOPLE[person]);
        self.calm_down();
        let who = self.town.add_device_as(self.joining(person), older, history);
        self.town.settle();
        self.meet(person, who);
        self.done(person, "device.requested", Some(who));
        self.done(person, "device.confirmed", Some(who));
        if history {
            self.has_old_messages(person, who);
        } else {
            self.bare.insert(who);
        }
        self.devices[person].push(who);
    }

    /// Whichever device answered: what all the others have a device has too.
    fn has_old_messages(&mut self, person: usize, who: Who) {
        assert!(self.town.read(who, query::history).unwrap().complete, "{who:?} has not all old messages");
        let others: Vec<_> = self.devices[person].iter().filter(|it| **it != who).collect();
        for it in self.written.values_mut().filter(|it| others.iter().all(|who| it.counted.contains(who))) {
            it.counted.insert(who);
        }
    }

    /// A device that was let in without the old messages gets them after all, or one that has them asks once more.
    fn ask_for_history(&mut self, number: usize) {
        let (person, by) = self.somebody();
        self.calm_down();
        let bare = self.devices[person].iter().copied().find(|who| *who != by && self.bare.contains(who));
        if let Some(who) = bare {
            println!("{number} {by:?} gives {who:?} the old messages");
            let device = self.ids[&who];
            self.town.command(by, Command::GrantHistory { device });
            self.calm_down();
            self.bare.remove(&who);
            self.has_old_messages(person, who);
        } else if self.town.read(by, query::history).is_some_and(|row| row.complete) {
            println!("{number} {by:?} asks for old messages once more");
            self.town.command(by, Command::FetchHistory);
            self.calm_down();
            self.has_old_messages(person, by);
        }
    }

    /// A device less: it keeps what it has, and gets nothing more.
    fn remove(&mut self, number: usize) {
        let person = self.dice.roll(3);
        if self.devices[person].len() < 2 {
            return;
        }
        self.calm_down();
        // the oldest is never the one: a young device may not remove an older one
        let at = 1 + self.dice.roll(self.devices[person].len() - 1);
        let who = self.devices[person].remove(at);
        println!("{number} {} removes {who:?}", PEOPLE[person]);
        let device = self.ids[&who];
        self.wish(self.devices[person][0], Command::Remove { device });
        self.done(person, "device.removed", Some(who));
        self.is_gone(who);
    }

    /// Somebody with the password asks to come in, or is refused after a while.
    fn ask_to_come_in(&mut self, number: usize) {
        let (person, by) = self.somebody();
        self.calm_down();
        let now_ms = self.town.now_ms();
        let Some((who, since_ms)) = self.stranger[person].take() else {
            println!("{number} a stranger asks to be {}", PEOPLE[person]);
            let who = self.town.device();
            let joining = self.joining(person);
            self.town.wish(who, Command::LogIn(joining));
            self.meet(person, who);
            self.done(person, "device.requested", Some(who));
            self.stranger[person] = Some((who, now_ms));
            return;
        };
        println!("{number} {by:?} refuses {who:?}");
        let device = self.ids[&who];
        self.wish(by, Command::Refuse { device });
        self.refused.push(who);
        // DEV-5: after a week nobody has to
        if now_ms - since_ms < 7 * 86_400_000 {
            self.done(person, "device.refused", Some(who));
        }
    }

    /// A conversation of three is opened, or whoever opened it lets the other in or out.
    fn change_chats(&mut self, number: usize) {
        self.calm_down();
        let chats: Vec<_> = self.open_talks().into_iter().filter(|talk| self.talks[*talk].admin.is_some()).collect();
        if chats.is_empty() || (chats.len() < MAX_CHATS && self.dice.roll(4) == 0) {
            let (person, by) = self.somebody();
            let others: Vec<_> = (0..3).filter(|other| *other != person).collect();
            if let Some(about) = others.iter().copied().find(|about| self.has_to_decide(person, &[*about])) {
                return self.decide(number, person, about);
            }
            println!("{number} {by:?} opens a conversation of three");
            let with = others.iter().map(|other| PEOPLE[*other].to_owned()).collect();
            let before = self.groups(by);
            self.wish(by, Command::NewChat { title: format!("chat {number}"), with });
            let group = self.groups(by).into_iter().find(|it| !before.contains(it));
            let let_in = self.accounts_of(&[0, 1, 2]);
            self.talks.push(Talk { members: [vec![person], others].concat(), group, admin: Some(person), let_in });
            return;
        }
        let talk = self.dice.pick(&chats);
        let Talk { members, group, admin, .. } = &self.talks[talk];
        let (opener, chat) = (admin.unwrap(), group.clone().unwrap());
        let other = (opener + 1 + self.dice.roll(2)) % 3;
        let (is_in, is_pair) = (members.contains(&other), members.len() == 2);
        let with = vec![PEOPLE[other].to_owned()];
        let by = self.one_of(opener);
        if let Some(about) = (0..3).find(|about| self.has_to_decide(opener, &[*about])) {
            return self.decide(number, opener, about);
        }
        if !is_in {
            println!("{number} {by:?} lets {} into {talk}", PEOPLE[other]);
            self.wish(by, Command::AddMembers { chat, with });
            let account = self.account(other).id;
            self.talks[talk].members.push(other);
            self.talks[talk].let_in.insert(account);
        } else if !is_pair {
            println!("{number} {by:?} lets {} out of {talk}", PEOPLE[other]);
            self.left.insert(chat.clone());
            self.wish(by, Command::RemoveMembers { chat, with });
            self.talks[talk].members.retain(|it| *it != other);
            let own = self.devices[other].clone();
            let waits = |it: &&mut Written| it.talk == talk && it.fate == Fate::Waits && own.contains(&it.by);
            self.written.values_mut().filter(waits).for_each(|it| it.fate = Fate::GivenUp);
            self.release();
        }
    }

    fn groups(&self, who: Who) -> Vec<String> {
        self.town.read(who, query::conversations).iter().map(|row| row.group.to_string()).collect()
    }
}
