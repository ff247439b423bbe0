//! A seeded random walk of named people against a simple model of what each device has to show (I1 to I4).
//!
//! The seed is printed when something does not hold; `TREFOIL_WALK_SEED` and `TREFOIL_WALK_STEPS` repeat or lengthen a walk.

use std::collections::{BTreeMap, BTreeSet};

use client::query::MessageState;
use client::step::{Command, Event};
use scenarios::town::{Town, Weather, Who};

/// A small generator (SplitMix64): the walk has to be the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(sides).unwrap()).unwrap()
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.roll(of.len())]
    }
}

const PEOPLE: [&str; 3] = ["alice", "bob", "carol"];

/// A message that was written, and the devices that counted then.
struct Written {
    text: String,
    from: usize,
    to: usize,
    by: Who,
    counted: Vec<Who>,
}

struct Walk {
    town: Town,
    dice: Dice,
    /// By person: devices that count.
    devices: [Vec<Who>; 3],
    /// Devices that no longer count, and the texts that they had by then.
    gone: Vec<(Who, BTreeSet<String>)>,
    offline: BTreeSet<Who>,
    written: Vec<Written>,
}

impl Walk {
    fn new(seed: u64) -> Self {
        let mut town = Town::new();
        let devices = PEOPLE.map(|name| vec![town.sign_up(name)]);
        Self { town, dice: Dice(seed), devices, gone: Vec::new(), offline: BTreeSet::new(), written: Vec::new() }
    }

    fn somebody(&mut self) -> (usize, Who) {
        let person = self.dice.roll(3);
        let devices = self.devices[person].clone();
        (person, self.dice.pick(&devices))
    }

    fn step(&mut self, number: usize) {
        match self.dice.roll(20) {
            0..=8 => self.send(number),
            9 | 10 => self.restart(),
            11 | 12 => self.go_off(),
            13 | 14 => self.come_back(),
            15 => self.add(),
            16 => self.remove(),
            17 => self.lose_answers(),
            18 => self.town.restart_service(),
            _ => {
                let ms = u64::try_from(self.dice.roll(100_000)).unwrap();
                self.town.pass_ms(ms);
            }
        }
        for _ in 0..self.dice.roll(8) {
            self.town.exchange();
        }
    }

    fn send(&mut self, number: usize) {
        let (from, by) = self.somebody();
        let to = (from + 1 + self.dice.roll(2)) % 3;
        let text = format!("{number} from {}", PEOPLE[from]);
        self.town.command(by, Command::Send { to: PEOPLE[to].to_owned(), text: text.clone() });
        let counted = self.devices[from].iter().chain(&self.devices[to]).copied().collect();
        self.written.push(Written { text, from, to, by, counted });
    }

    fn restart(&mut self) {
        let (_, who) = self.somebody();
        self.town.restart(who);
    }

    fn go_off(&mut self) {
        let (_, who) = self.somebody();
        self.offline.insert(who);
        self.town.set_online(who, false);
    }

    fn come_back(&mut self) {
        if let Some(who) = self.offline.pop_first() {
            self.town.set_online(who, true);
        }
    }

    fn everybody_comes_back(&mut self) {
        while !self.offline.is_empty() {
            self.come_back();
        }
        self.town.weather = Weather::Fine;
        self.town.pass_ms(120_000);
    }

    /// A device more, with the old messages; at most three a person.
    fn add(&mut self) {
        let (person, older) = self.somebody();
        if self.devices[person].len() >= 3 {
            return;
        }
        self.everybody_comes_back();
        let who = self.town.add_device(PEOPLE[person], older, true);
        self.town.settle();
        self.devices[person].push(who);
    }

    /// A device less: it keeps what it has, and gets nothing more.
    fn remove(&mut self) {
        let person = self.dice.roll(3);
        if self.devices[person].len() < 2 {
            return;
        }
        self.everybody_comes_back();
        // the oldest is never the one: a young device may not remove an older one
        let at = 1 + self.dice.roll(self.devices[person].len() - 1);
        let who = self.devices[person].remove(at);
        let device = self.town.id(who);
        let events = self.town.wish(self.devices[person][0], Command::Remove { device });
        assert!(events.iter().any(|event| matches!(event, Event::Done { .. })), "{events:?}");
        let had = self.town.texts(who, None).into_iter().collect();
        self.gone.push((who, had));
    }

    fn lose_answers(&mut self) {
        self.town.weather = Weather::AnswersLost;
        for _ in 0..self.dice.roll(4) {
            self.town.exchange();
        }
        self.town.weather = Weather::Fine;
    }

    /// When everything has been repaired: what each device shows is what it has to show.
    fn check(&mut self) {
        self.everybody_comes_back();
        for person in 0..3 {
            for who in self.devices[person].clone() {
                self.check_device(person, who);
            }
        }
        for (who, had) in &self.gone {
            let has: BTreeSet<_> = self.town.texts(*who, None).into_iter().collect();
            assert!(has.is_subset(had), "I4: a removed device shows {:?}", has.difference(had));
        }
    }

    fn check_device(&self, person: usize, who: Who) {
        let rows = self.town.read(who, |store| client::query::messages(store, None, 10_000));
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        for (place, row) in rows.iter().enumerate() {
            assert!(
                matches!(row.state, MessageState::Sent | MessageState::Received),
                "I1: {:?} {}",
                row.state,
                row.text
            );
            assert!(places.insert(&row.text, place).is_none(), "I2: {} is shown twice", row.text);
        }
        let mut last: BTreeMap<(Who, usize), usize> = BTreeMap::new();
        for it in self.written.iter().filter(|it| it.from == person || it.to == person) {
            let place = places.get(it.text.as_str()).copied();
            if !it.counted.contains(&who) {
                continue;
            }
            // a message whose writer was removed before it went out is nobody's
            let writer_is_gone = self.gone.iter().any(|(gone, _)| *gone == it.by);
            let Some(place) = place else {
                assert!(writer_is_gone, "I1: {} does not show {:?}", PEOPLE[person], it.text);
                continue;
            };
            let other = if it.from == person { it.to } else { it.from };
            let before = last.insert((it.by, other), place);
            assert!(before.is_none_or(|before| before < place), "I3: {:?} is out of order", it.text);
        }
    }
}

fn walk(seed: u64) {
    let seed = std::env::var("TREFOIL_WALK_SEED").map_or(seed, |seed| seed.parse().unwrap());
    let steps = std::env::var("TREFOIL_WALK_STEPS").map_or(120, |steps| steps.parse().unwrap());
    println!("TREFOIL_WALK_SEED={seed}");
    let mut walk = Walk::new(seed);
    for number in 0..steps {
        walk.step(number);
        if number % 50 == 49 {
            walk.check();
        }
    }
    walk.check();
}

#[test]
fn whatever_happens_each_device_shows_what_it_has_to_1() {
    walk(1);
}

#[test]
fn whatever_happens_each_device_shows_what_it_has_to_2() {
    walk(2);
}

#[test]
fn whatever_happens_each_device_shows_what_it_has_to_3() {
    walk(3);
}
