//! Two devices that want opposite things of their account at the same moment: the record takes one, and everybody comes to the
//! same. Rules DEV-5, DEV-7, RST-3, RST-4; attack 5.

use chain::sigchain::body::Body;
use chain::sigchain::entry::Entry;
use client::query::{self, Phase};
use client::step::{Call, Command, Event};
use protocol::api::ENTRIES;
use scenarios::people::Device;
use scenarios::town::{Town, Who};

const HOUR_MS: u64 = 3_600_000;
/// What the record demands by default before a reset.
const WAIT_MS: u64 = 72 * HOUR_MS;

fn phase(town: &Town, who: Who) -> Phase {
    town.read(who, |store| query::status(store, 0)).phase
}

fn bodies(town: &Town) -> Vec<Body> {
    town.entries("bob").iter().map(|entry| Entry::decode(entry).unwrap().statement.body).collect()
}

/// What became of what a device wanted: nothing if it was done, else why not.
fn outcomes(events: &[Event]) -> Vec<Option<String>> {
    let of = |event: &Event| match event {
        Event::Done { .. } => Some(None),
        Event::Failed { failure, .. } => Some(Some(failure.code.clone())),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

/// Two people want something before either hears of the other; what became of it.
fn at_once(town: &mut Town, wants: [(Who, Command); 2]) -> [Vec<Option<String>>; 2] {
    let seen = wants.each_ref().map(|(who, _)| (*who, town.events(*who).len()));
    for (who, command) in wants {
        town.command(who, command);
    }
    town.settle();
    town.pass_ms(61_000);
    seen.map(|(who, seen)| outcomes(&town.events(who)[seen..]))
}

/// Everybody is off for so long, and the log goes on meanwhile.
fn all_sleep(town: &mut Town, ms: u64) {
    let all: Vec<_> = town.everybody().collect();
    all.iter().for_each(|who| town.set_online(*who, false));
    town.pass_ms(ms);
    let stranger = Device::new();
    let proposal = stranger.sign(stranger.opening(None), "town.example/log");
    let call = Call { path: format!("{ENTRIES}?wait=quorum"), body: Some(proposal), bearer: None };
    assert_eq!(town.ask(&call).unwrap().0, 200);
}

fn wake(town: &mut Town, who: Who) {
    town.set_online(who, true);
    town.settle();
}

fn two_devices() -> (Town, Who, Who) {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    let desktop = town.add_device("bob", laptop, false);
    (town, laptop, desktop)
}

/// DEV-5: one lets a device in and the other says that it is nobody's. It is in or out on all of them, by one entry.
#[test]
fn of_two_answers_to_one_request_one_counts() {
    for confirmer_is_first in [true, false] {
        let (mut town, laptop, desktop) = two_devices();
        let phone = town.device();
        town.wish(phone, Command::LogIn(Town::joining("bob")));
        let (code, by) = town.read(phone, query::code).unwrap();
        let device = town.id(phone);
        let (confirms, refuses) = if by == town.id(laptop) { (laptop, desktop) } else { (desktop, laptop) };
        let confirm = Command::Confirm { device, code, history: false };
        let refuse = Command::Refuse { device };
        if !confirmer_is_first {
            // what it asks first is lost, so the other one is
            town.set_online(confirms, false);
        }
        let seen = [confirms, refuses].map(|who| town.events(who).len());
        town.command(confirms, confirm);
        if !confirmer_is_first {
            town.command(refuses, refuse);
            town.settle();
            town.set_online(confirms, true);
        } else {
            town.command(refuses, refuse);
        }
        town.settle();
        town.pass_ms(61_000);
        let became = [(confirms, seen[0]), (refuses, seen[1])].map(|(who, seen)| outcomes(&town.events(who)[seen..]));
        let answers = bodies(&town).into_iter().filter_map(|body| match body {
            Body::DeviceConfirmed(answer) if answer.device == device => Some(true),
            Body::DeviceRefused(answer) if answer.device == device => Some(false),
            _ => None,
        });
        let answers: Vec<_> = answers.collect();
        assert_eq!(answers.len(), 1, "{answers:?}");
        let (won, lost) = if answers[0] { (&became[0], &became[1]) } else { (&became[1], &became[0]) };
        assert_eq!(*won, [None], "{became:?}");
        let why = lost.iter().flatten().next().expect("it is told that it was too late");
        assert!(["confirm.replayed", "confirm.no_request"].contains(&why.as_str()), "{became:?}");
        assert_eq!(phase(&town, phone), if answers[0] { Phase::Confirmed } else { Phase::Ended });
        for who in [laptop, desktop] {
            let rows = town.read(who, query::devices);
            assert_eq!(rows.iter().any(|row| row.device == device && row.state == "confirmed"), answers[0]);
        }
    }
}

/// DEV-7: each throws the other out. One stays, and the other knows.
#[test]
fn of_two_devices_that_remove_each_other_one_stays() {
    let (mut town, laptop, desktop) = two_devices();
    // before, the younger one may not
    all_sleep(&mut town, WAIT_MS + HOUR_MS);
    [laptop, desktop].into_iter().for_each(|who| wake(&mut town, who));
    let removal = |town: &Town, of: Who| Command::Remove { device: town.id(of) };
    let wants = [(laptop, removal(&town, desktop)), (desktop, removal(&town, laptop))];
    let became = at_once(&mut town, wants);
    let stays: Vec<_> = [laptop, desktop].into_iter().filter(|who| phase(&town, *who) == Phase::Confirmed).collect();
    assert_eq!(stays.len(), 1, "{became:?}");
    let removed = bodies(&town).into_iter().filter(|body| matches!(body, Body::DeviceRemoved { .. })).count();
    assert_eq!(removed, 1);
    let winner = usize::from(stays[0] == desktop);
    assert_eq!(became[winner], [None]);
    assert!(became[1 - winner].iter().all(Option::is_some), "{became:?}");
    town.send(stays[0], "bob", "alone");
    assert_eq!(town.texts(stays[0], None), ["alone"]);
}

/// The same wish twice is one entry, and both have what they wanted.
#[test]
fn two_devices_that_want_the_same_both_get_it() {
    let (mut town, laptop, desktop) = two_devices();
    let tablet = town.add_device("bob", laptop, false);
    all_sleep(&mut town, WAIT_MS + HOUR_MS);
    [laptop, desktop, tablet].into_iter().for_each(|who| wake(&mut town, who));
    let device = town.id(tablet);
    let became = at_once(&mut town, [laptop, desktop].map(|who| (who, Command::Remove { device })));
    assert_eq!(became, [[None], [None]]);
    wake(&mut town, tablet);
    assert_eq!(phase(&town, tablet), Phase::Ended);
    let thief = town.device();
    town.wish(thief, Command::Reset(Town::joining("bob")));
    let became = at_once(&mut town, [laptop, desktop].map(|who| (who, Command::Veto)));
    assert_eq!(became, [[None], [None]]);
    town.pass_ms(601_000);
    let is_it = |body: &&Body| matches!(body, Body::DeviceRemoved { .. } | Body::ResetVetoed { .. });
    assert_eq!(bodies(&town).iter().filter(is_it).count(), 2);
    assert_eq!(phase(&town, thief), Phase::Ended);
}

/// RST-2: two machines ask for a fresh identity at once. One is announced.
#[test]
fn of_two_resets_that_are_announced_at_once_one_is() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    town.set_online(laptop, false);
    let machines = [town.device(), town.device()];
    let became = at_once(&mut town, machines.map(|who| (who, Command::Reset(Town::joining("bob")))));
    let announced: Vec<_> = machines.into_iter().filter(|who| phase(&town, *who) == Phase::Resetting).collect();
    assert_eq!(announced.len(), 1, "{became:?}");
    assert!(became.contains(&vec![None]) && became.contains(&vec![Some("reset.open".to_owned())]), "{became:?}");
    let notices = bodies(&town).into_iter().filter(|body| matches!(body, Body::ResetRequested { .. })).count();
    assert_eq!(notices, 1);
}

/// RST-3, RST-4: stopped at the very moment when it is due. Whichever comes first counts, and the other one knows.
#[test]
fn a_veto_at_the_moment_when_a_reset_is_due_stops_it_or_comes_too_late() {
    for veto_is_first in [true, false] {
        let (mut town, laptop, desktop) = two_devices();
        let fresh = town.device();
        town.wish(fresh, Command::Reset(Town::joining("bob")));
        all_sleep(&mut town, WAIT_MS + 1_000);
        let wakes = if veto_is_first { [laptop, fresh] } else { [fresh, laptop] };
        let seen = town.events(laptop).len();
        town.command(laptop, Command::Veto);
        wakes.into_iter().for_each(|who| wake(&mut town, who));
        wake(&mut town, desktop);
        town.pass_ms(61_000);
        let became = outcomes(&town.events(laptop)[seen..]);
        if veto_is_first {
            assert_eq!((became.as_slice(), phase(&town, fresh)), ([None].as_slice(), Phase::Ended));
            assert!([laptop, desktop].iter().all(|who| phase(&town, *who) == Phase::Confirmed));
        } else {
            assert!(became.len() == 1 && became[0].is_some(), "{became:?}");
            assert_eq!(phase(&town, fresh), Phase::Confirmed);
            assert!([laptop, desktop].iter().all(|who| phase(&town, *who) == Phase::Ended));
        }
    }
}
