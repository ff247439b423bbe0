//! What can happen.

use client::query;
use client::step::{Command, Event};
use scenarios::town::{Town, Weather, Who};

use crate::walk::{FIXED, PEOPLE, Talk, Walk, Written};

/// Most devices of a person, and conversations of three.
const MAX_DEVICES: usize = 3;
const MAX_CHATS: usize = 2;
/// How wrong a clock may be.
const SKEW_MS: i64 = 600_000;

impl Walk {
    /// Something happens; then there is some time for it, or none.
    pub(crate) fn step(&mut self, number: usize) {
        match self.dice.roll(60) {
            0..=23 => self.send(number),
            24..=28 => self.restart(number),
            29..=33 => self.go_off(number),
            34..=38 => self.come_back(number),
            39..=44 => self.weather_changes(number),
            45..=47 => self.overtake(number),
            48..=50 => self.echo(number),
            51 => {
                println!("{number} the service is restarted");
                self.town.restart_service();
            }
            52 | 53 => self.wait(number),
            54 => self.go_wrong(number),
            55 => self.add(number),
            56 => self.remove(number),
            57 => self.ask_to_come_in(number),
            _ => self.change_chats(number),
        }
        for _ in 0..self.dice.roll(8) {
            self.town.exchange();
        }
    }

    fn send(&mut self, number: usize) {
        let talk = self.dice.roll(self.talks.len());
        let members = self.talks[talk].members.clone();
        let person = self.dice.pick(&members);
        let by = self.one_of(person);
        self.write(number, talk, by);
    }

    /// Writes, whatever the weather.
    pub(crate) fn write(&mut self, number: usize, talk: usize, by: Who) {
        let person = self.person_of[&by];
        let audience = self.talks[talk].members.clone();
        let text = format!("{number} from {} {by:?} in {talk}", PEOPLE[person]);
        println!("{text}");
        let other = audience.iter().find(|other| **other != person).unwrap_or(&person);
        let to = self.talks[talk].group.clone().unwrap_or_else(|| PEOPLE[*other].to_owned());
        self.town.command(by, Command::Send { to, text: text.clone() });
        let counted = self.devices_of(&audience);
        self.written.insert(text, Written { talk, by, number, audience, counted });
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
    fn wish(&mut self, who: Who, command: Command) {
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
        let who = self.town.add_device(PEOPLE[person], older, history);
        self.town.settle();
        self.meet(person, who);
        // whichever device let it in: what all of them have it has too
        let older = &self.devices[person];
        for it in self.written.values_mut().filter(|it| history && older.iter().all(|who| it.counted.contains(who))) {
            it.counted.insert(who);
        }
        self.devices[person].push(who);
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
        let had = self.town.texts(who, None).into_iter().collect();
        self.gone.insert(who, had);
    }

    /// Somebody with the password asks to come in, or is refused after a while.
    fn ask_to_come_in(&mut self, number: usize) {
        let (person, by) = self.somebody();
        self.calm_down();
        let Some(who) = self.stranger[person].take() else {
            println!("{number} a stranger asks to be {}", PEOPLE[person]);
            let who = self.town.device();
            self.town.wish(who, Command::LogIn(Town::joining(PEOPLE[person])));
            self.meet(person, who);
            self.stranger[person] = Some(who);
            return;
        };
        println!("{number} {by:?} refuses {who:?}");
        let device = self.ids[&who];
        self.wish(by, Command::Refuse { device });
        self.refused.push(who);
    }

    /// A conversation of three is opened, or whoever opened it lets the other in or out.
    fn change_chats(&mut self, number: usize) {
        self.calm_down();
        let chats = self.talks.len() - FIXED;
        if chats == 0 || (chats < MAX_CHATS && self.dice.roll(4) == 0) {
            let (person, by) = self.somebody();
            println!("{number} {by:?} opens a conversation of three");
            let others: Vec<_> = (0..3).filter(|other| *other != person).collect();
            let with = others.iter().map(|other| PEOPLE[*other].to_owned()).collect();
            let before = self.groups(by);
            self.wish(by, Command::NewChat { title: format!("chat {number}"), with });
            let group = self.groups(by).into_iter().find(|it| !before.contains(it));
            self.talks.push(Talk { members: [vec![person], others].concat(), group });
            return;
        }
        let talk = FIXED + self.dice.roll(chats);
        let Talk { members, group } = &self.talks[talk];
        let (opener, chat) = (members[0], group.clone().unwrap());
        let other = (opener + 1 + self.dice.roll(2)) % 3;
        let (is_in, is_pair) = (members.contains(&other), members.len() == 2);
        let with = vec![PEOPLE[other].to_owned()];
        let by = self.one_of(opener);
        if !is_in {
            println!("{number} {by:?} lets {} into {talk}", PEOPLE[other]);
            self.wish(by, Command::AddMembers { chat, with });
            self.talks[talk].members.push(other);
        } else if !is_pair {
            println!("{number} {by:?} lets {} out of {talk}", PEOPLE[other]);
            self.wish(by, Command::RemoveMembers { chat, with });
            self.talks[talk].members.retain(|it| *it != other);
        }
    }

    fn groups(&self, who: Who) -> Vec<String> {
        self.town.read(who, query::conversations).iter().map(|row| row.group.to_string()).collect()
    }
}
