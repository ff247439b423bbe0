//! What the devices of one account share: names of devices, contacts, titles, notes, and the password. Rules SLF-1 to
//! SLF-3; story 10.

use chain::id::{AccountId, DeviceId};
use client::query::{self, Phase};
use client::step::{Arrangement, Command, Event, Failure, Joining, Secret};
use scenarios::town::{Town, Weather, Who};

fn names(town: &Town, who: Who) -> Vec<(DeviceId, Option<String>)> {
    town.read(who, query::devices).into_iter().map(|row| (row.device, row.name)).collect()
}

fn name_of(town: &Town, who: Who, device: DeviceId) -> Option<String> {
    names(town, who).into_iter().find(|(it, _)| *it == device).and_then(|(_, name)| name)
}

fn rename(town: &mut Town, who: Who, device: DeviceId, name: &str) -> Vec<Event> {
    town.wish(who, Command::NameDevice { device, name: name.to_owned() })
}

fn contacts(town: &Town, who: Who) -> Vec<String> {
    town.read(who, query::contacts).into_iter().map(|row| row.handle).collect()
}

fn titles(town: &Town, who: Who) -> Vec<String> {
    town.read(who, query::conversations).into_iter().map(|row| row.title).collect()
}

fn notices(town: &Town, who: Who) -> Vec<String> {
    town.read(who, query::notices).into_iter().map(|row| row.code).collect()
}

fn failure(events: &[Event]) -> Option<Failure> {
    events.iter().find_map(|event| match event {
        Event::Failed { failure, .. } => Some(failure.clone()),
        _ => None,
    })
}

fn set_password(password: &str) -> Command {
    Command::SetPassword { password: Secret(password.to_owned().into()) }
}

/// A new device that gives this password, and how it ends.
fn log_in(town: &mut Town, handle: &str, password: &str) -> (Who, Option<Failure>) {
    let who = town.device();
    let joining = Joining { password: Secret(password.to_owned().into()), ..Town::joining(handle) };
    let events = town.wish(who, Command::LogIn(joining));
    (who, failure(&events))
}

/// Decision 7: names of devices are for one's own devices, and nowhere else.
#[test]
fn all_devices_know_how_each_is_called() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    let alice = town.sign_up("alice");
    let desktop = town.add_device("bob", laptop, false);
    let (first, second) = (town.id(laptop), town.id(desktop));
    rename(&mut town, laptop, first, "the laptop");
    rename(&mut town, laptop, second, "the desktop");
    let phone = town.add_device("bob", desktop, false);
    for who in [laptop, desktop, phone] {
        assert_eq!(name_of(&town, who, first).as_deref(), Some("the laptop"));
        assert_eq!(name_of(&town, who, second).as_deref(), Some("the desktop"));
        assert!(name_of(&town, who, town.id(phone)).is_some(), "what it called itself when it joined");
    }
    town.send(alice, "bob", "hello");
    assert_eq!(town.texts(phone, None), ["hello"]);
    let stranger = DeviceId([9; 16]);
    assert_eq!(failure(&rename(&mut town, phone, stranger, "x")).unwrap().code, "device.not_in_set");
    assert_eq!(failure(&rename(&mut town, phone, first, "")).unwrap().code, "device.name");
}

/// SLF-3: two devices give the same one a name while they cannot reach each other.
#[test]
fn the_last_name_is_the_one_that_stays_everywhere() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    let desktop = town.add_device("bob", laptop, false);
    let device = town.id(laptop);
    town.weather = Weather::Down;
    // the desktop's clock is a day behind, and it writes last: it has seen nothing newer
    town.command(laptop, Command::NameDevice { device, name: "one".to_owned() });
    town.pass_ms(1_000);
    town.command(desktop, Command::NameDevice { device, name: "two".to_owned() });
    town.weather = Weather::Fine;
    town.pass_ms(61_000);
    town.settle();
    assert_eq!(name_of(&town, laptop, device).as_deref(), Some("two"));
    assert_eq!(name_of(&town, desktop, device).as_deref(), Some("two"));
    // a clock that is behind loses nothing: whoever writes has seen what it writes over
    town.set_skew_ms(laptop, -86_400_000);
    rename(&mut town, laptop, device, "three");
    assert_eq!(name_of(&town, desktop, device).as_deref(), Some("three"));
}

/// Contacts and titles come to a device that gets no old messages.
#[test]
fn a_new_device_knows_whom_its_account_knows() {
    let mut town = Town::new();
    let (alice, carol) = (town.sign_up("alice"), town.sign_up("carol"));
    let laptop = town.sign_up("bob");
    town.wish(laptop, Command::AddContact { handle: "carol".to_owned(), account: None, token: None });
    town.wish(laptop, Command::NewChat { title: "plans".to_owned(), with: vec!["alice".to_owned()] });
    let desktop = town.add_device("bob", laptop, false);
    assert_eq!(contacts(&town, desktop), ["alice", "carol"]);
    assert_eq!(titles(&town, desktop), ["plans"]);
    // and later ones too, on every device
    town.wish(desktop, Command::NewChat { title: "more".to_owned(), with: vec!["carol".to_owned()] });
    assert!(titles(&town, laptop).contains(&"more".to_owned()));
    // whoever is let in is told what it is called (MSG-8), and nobody else
    assert_eq!(titles(&town, alice), ["plans"]);
    assert_eq!(titles(&town, carol), ["more"]);
}

/// Notes to oneself are on all devices, and nobody else is in their group.
#[test]
fn a_note_to_oneself_is_on_every_device() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    town.send(laptop, "bob", "milk");
    assert_eq!(town.texts(laptop, Some("bob")), ["milk"]);
    let desktop = town.add_device("bob", laptop, true);
    town.send(desktop, "bob", "bread");
    for who in [laptop, desktop] {
        assert_eq!(town.texts(who, Some("bob")), ["milk", "bread"]);
        let rows = town.read(who, query::conversations);
        assert_eq!(rows.len(), 1, "one place for notes: {rows:?}");
        assert!(rows[0].own && rows[0].devices == 2 && rows[0].members.len() == 1);
    }
}

/// Nothing is shown of what devices share among themselves, and an account with one device shares with nobody.
#[test]
fn nobody_sees_what_devices_share_among_themselves() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    assert!(town.read(laptop, query::conversations).is_empty());
    let desktop = town.add_device("bob", laptop, false);
    for who in [laptop, desktop] {
        assert!(town.read(who, query::conversations).is_empty());
        assert!(town.texts(who, None).is_empty());
    }
}

/// A removed device hears nothing more of the others.
#[test]
fn a_removed_device_is_told_nothing_more() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    let desktop = town.add_device("bob", laptop, false);
    let tablet = town.add_device("bob", laptop, false);
    let device = town.id(desktop);
    town.set_online(desktop, false);
    town.wish(laptop, Command::Remove { device });
    town.send(laptop, "bob", "not for the desktop");
    let first = town.id(laptop);
    rename(&mut town, laptop, first, "new name");
    town.pass_ms(61_000);
    town.set_online(desktop, true);
    town.settle();
    assert_eq!(town.texts(tablet, Some("bob")), ["not for the desktop"]);
    assert!(town.texts(desktop, None).is_empty());
    assert_ne!(name_of(&town, desktop, first).as_deref(), Some("new name"));
}

/// Story 10: any device, no old password; the old one stops working, devices stay signed in, the others get one line.
#[test]
fn a_new_password_takes_the_place_of_the_old_one() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    let desktop = town.add_device("bob", laptop, false);
    assert_eq!(failure(&town.wish(desktop, set_password("short"))).unwrap().code, "password.weak");
    assert!(failure(&town.wish(desktop, set_password("another long password"))).is_none());
    assert_eq!(notices(&town, laptop).last().map(String::as_str), Some("password.changed"));
    assert!(!notices(&town, desktop).contains(&"password.changed".to_owned()));
    let old = Town::joining("bob").password;
    assert_eq!(log_in(&mut town, "bob", &old.0).1.unwrap().code, "login.refused");
    let (phone, ended) = log_in(&mut town, "bob", "another long password");
    assert!(ended.is_none());
    assert_eq!(town.read(phone, |store| query::status(store, 0)).phase, Phase::Pending);
    town.send(laptop, "bob", "still here");
    assert_eq!(town.texts(desktop, None), ["still here"]);
    // a device that waits is not one of the account's yet
    assert_eq!(failure(&town.wish(phone, set_password("thiefs own password"))).unwrap().code, "device.unconfirmed");
}

/// A lost answer changes nothing: the same bytes go again.
#[test]
fn a_password_whose_answer_is_lost_is_set_all_the_same() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    town.command(laptop, set_password("another long password"));
    // the first message and its answer
    town.exchange();
    town.weather = Weather::AnswersLost;
    town.exchange();
    town.restart(laptop);
    town.settle();
    town.weather = Weather::Fine;
    town.pass_ms(61_000);
    town.settle();
    let done = town.events(laptop).iter().filter(|event| matches!(event, Event::Done { .. })).count();
    assert!(done >= 1, "{:?}", town.events(laptop));
    assert!(log_in(&mut town, "bob", "another long password").1.is_none());

    // a restart before anything was kept forgets it, and says so: the old one still holds
    let carol = town.sign_up("carol");
    town.weather = Weather::Down;
    town.command(carol, set_password("another long password"));
    town.restart(carol);
    town.weather = Weather::Fine;
    town.pass_ms(61_000);
    town.settle();
    assert_eq!(failure(town.events(carol)).unwrap().code, "password.interrupted");
    let old = Town::joining("carol").password;
    assert!(log_in(&mut town, "carol", &old.0).1.is_none());
}

/// SLF-2: two devices make one each, because neither could know of the other's. Both are read, and one is written to.
#[test]
fn two_self_groups_become_one() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    let desktop = town.device();
    town.wish(desktop, Command::LogIn(Town::joining("bob")));
    let (code, _) = town.read(desktop, query::code).unwrap();
    let device = town.id(desktop);
    town.command(laptop, Command::Confirm { device, code, history: false });
    // the laptop is off as soon as the confirmation is on its way, and the desktop makes a self-group by itself
    while !town.asked.last().is_some_and(|(who, path)| *who == laptop && path.starts_with("/v1/entries")) {
        assert!(town.exchange());
    }
    town.set_online(laptop, false);
    town.settle();
    town.send(desktop, "bob", "written on the desktop");
    town.command(laptop, Command::Send { to: "bob".to_owned(), text: "written on the laptop".to_owned() });
    town.set_online(laptop, true);
    town.settle();
    for who in [laptop, desktop] {
        let mut texts = town.texts(who, Some("bob"));
        texts.sort();
        assert_eq!(texts, ["written on the desktop", "written on the laptop"]);
        assert!(names(&town, who).iter().all(|(_, name)| name.is_some()));
    }
    // whatever is written from now on is in one of them
    let ids = |town: &Town, text: &str| -> Vec<_> {
        let of = |who| town.read(who, |store| query::messages(store, Some("bob"), 100));
        [laptop, desktop].map(of).into_iter().flatten().filter(|row| row.text == text).map(|row| row.group).collect()
    };
    town.send(laptop, "bob", "again on the laptop");
    town.send(desktop, "bob", "again on the desktop");
    let all = [ids(&town, "again on the laptop"), ids(&town, "again on the desktop")].concat();
    assert_eq!(all.len(), 4);
    assert!(all.iter().all(|group| *group == all[0]), "{all:?}");
}

/// Story 13: the code is the same on both sides; that it was compared is known on all devices, and nobody else is told.
#[test]
fn a_compared_code_is_marked_on_all_devices() {
    let mut town = Town::new();
    let (alice, laptop) = (town.sign_up("alice"), town.sign_up("bob"));
    town.send(laptop, "alice", "one");
    let desktop = town.add_device("bob", laptop, false);
    let code =
        |town: &Town, who, other: AccountId| town.read(who, |store| query::verification_code(store, &other)).unwrap();
    let account = |town: &Town, who| town.read(who, |store| query::status(store, 0)).account.unwrap();
    let (a, b) = (account(&town, alice), account(&town, laptop));
    assert_eq!(code(&town, alice, b).to_string(), code(&town, desktop, a).to_string());
    let verified = |town: &Town, who| town.read(who, query::contacts)[0].verified;
    for marked in [true, false] {
        town.wish(desktop, Command::MarkVerified { account: a, verified: marked });
        assert_eq!([laptop, desktop].map(|who| verified(&town, who)), [marked; 2]);
        assert!(!verified(&town, alice));
    }
}

/// How conversations are kept is one for all devices; what was put away comes back when somebody writes there, unless it is silent.
#[test]
fn a_conversation_is_kept_alike_on_all_devices() {
    let mut town = Town::new();
    let (alice, laptop) = (town.sign_up("alice"), town.sign_up("bob"));
    let carol = town.sign_up("carol");
    let desktop = town.add_device("bob", laptop, false);
    town.send(alice, "bob", "one");
    town.send(carol, "bob", "two");
    let arrange = |chat: &str, arrangement: Arrangement| Command::Arrange { chat: chat.to_owned(), arrangement };
    let kept = |town: &Town, who: Who, title: &str| {
        let row = town.read(who, query::conversations).into_iter().find(|row| row.title == title).unwrap();
        (row.muted_until_ms, row.pinned, row.archived)
    };
    let first = |town: &Town, who: Who| town.read(who, query::conversations)[0].title.clone();
    town.wish(laptop, arrange("alice", Arrangement::Pinned(true)));
    town.wish(desktop, arrange("alice", Arrangement::Archived(true)));
    town.wish(desktop, arrange("carol", Arrangement::Muted { until_ms: Some(u64::MAX) }));
    town.wish(laptop, arrange("carol", Arrangement::Archived(true)));
    for who in [laptop, desktop] {
        assert_eq!(kept(&town, who, "alice"), (None, true, true));
        assert_eq!(kept(&town, who, "carol"), (Some(u64::MAX), false, true));
        assert_eq!(first(&town, who), "alice");
    }
    town.send(alice, "bob", "three");
    town.pass_ms(1_000);
    town.send(carol, "bob", "four");
    town.wish(laptop, arrange("alice", Arrangement::Pinned(false)));
    for who in [laptop, desktop] {
        assert_eq!(kept(&town, who, "alice"), (None, false, false));
        assert_eq!(kept(&town, who, "carol"), (Some(u64::MAX), false, true));
        assert_eq!(first(&town, who), "carol");
    }
    town.wish(desktop, arrange("carol", Arrangement::Muted { until_ms: None }));
    assert_eq!(kept(&town, laptop, "carol"), (None, false, false));
    let events = town.wish(laptop, arrange("nobody", Arrangement::Pinned(true)));
    assert!(
        events.iter().any(|event| matches!(event, Event::Failed { failure, .. } if failure.code == "chat.unknown"))
    );
}

/// What was begun on one device is gone on with on another, and ends on all of them with what is sent.
#[test]
fn what_was_begun_to_be_written_stands_on_all_devices_until_it_is_sent() {
    let mut town = Town::new();
    let (alice, laptop) = (town.sign_up("alice"), town.sign_up("bob"));
    let desktop = town.add_device("bob", laptop, false);
    town.send(alice, "bob", "when?");
    let begin =
        |text: &str| Command::Arrange { chat: "alice".to_owned(), arrangement: Arrangement::Draft(text.to_owned()) };
    let begun = |town: &Town, who: Who| town.read(who, query::conversations)[0].draft.clone();
    town.wish(laptop, begin("on Mon"));
    assert_eq!([laptop, desktop].map(|who| begun(&town, who)), [Some("on Mon".to_owned()), Some("on Mon".to_owned())]);
    town.wish(desktop, begin("on Monday"));
    assert_eq!(
        [laptop, desktop].map(|who| begun(&town, who)),
        [Some("on Monday".to_owned()), Some("on Monday".to_owned())]
    );
    let events = town.wish(laptop, begin(&"x".repeat(8_193)));
    assert!(
        events.iter().any(|event| matches!(event, Event::Failed { failure, .. } if failure.code == "draft.too_long"))
    );
    assert_eq!(begun(&town, laptop).as_deref(), Some("on Monday"));
    assert_eq!(begun(&town, alice), None);
    town.send(desktop, "alice", "on Monday");
    assert_eq!([laptop, desktop].map(|who| begun(&town, who)), [None, None]);
    // a change of something that was said ends nothing
    town.wish(laptop, begin("and"));
    let said = town.read(desktop, |store| query::messages(store, Some("alice"), 1)).pop().unwrap().message;
    town.wish(desktop, Command::Edit { message: said.to_string(), text: "on Tuesday".to_owned() });
    assert_eq!(begun(&town, desktop).as_deref(), Some("and"));
    town.wish(desktop, begin(""));
    assert_eq!([laptop, desktop].map(|who| begun(&town, who)), [None, None]);
}
