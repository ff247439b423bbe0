//! Who may write: requests from strangers, accepting, blocking, reporting, contact links. Rules PPL-1 to PPL-5; story 2.

use chain::id::AccountId;
use client::query::{self, ConversationRow};
use client::step::{Answer, Command, Event, Failure};
use protocol::api::reports::{REPORTS, Reason};
use protocol::people::{Decision, LinkToken, Standing};
use scenarios::town::{Town, Weather, Who};
use service::told_of;

fn account(town: &Town, who: Who) -> AccountId {
    town.read(who, |store| query::status(store, 0)).account.unwrap()
}

fn decide(town: &mut Town, who: Who, account: AccountId, decision: Decision) {
    town.wish(who, Command::Decide { account, decision });
}

fn conversations(town: &Town, who: Who) -> Vec<ConversationRow> {
    town.read(who, query::conversations)
}

fn standings(town: &Town, who: Who) -> Vec<Standing> {
    conversations(town, who).into_iter().filter(|row| !row.own).map(|row| row.standing).collect()
}

/// What somebody hears without asking for a conversation by name.
fn heard(town: &Town, who: Who) -> Vec<String> {
    let rows = town.read(who, |store| query::messages(store, None, 1_000));
    rows.into_iter().map(|row| row.text).collect()
}

fn failure(events: &[Event]) -> Option<Failure> {
    events.iter().find_map(|event| match event {
        Event::Failed { failure, .. } => Some(failure.clone()),
        _ => None,
    })
}

fn link(town: &mut Town, who: Who, renew: bool) -> LinkToken {
    town.wish(who, Command::MakeLink { renew });
    town.read(who, query::link_token).unwrap()
}

fn open_link(town: &mut Town, who: Who, handle: &str, account: AccountId, token: LinkToken) {
    let (account, token) = (Some(account), Some(token));
    let events = town.wish(who, Command::AddContact { handle: handle.to_owned(), account, token });
    assert_eq!(failure(&events), None);
}

/// PPL-2: what a stranger writes is there for whoever looks, and makes no sound.
#[test]
fn a_stranger_lands_among_the_requests() {
    let mut town = Town::new();
    let (bob, alice) = (town.stranger("bob"), town.stranger("alice"));
    let desktop = town.add_device("bob", bob, false);
    town.send(alice, "bob", "hello, you don't know me");
    for device in [bob, desktop] {
        assert_eq!(standings(&town, device), [Standing::Request]);
        assert!(heard(&town, device).is_empty());
        assert_eq!(town.texts(device, Some("alice")), ["hello, you don't know me"]);
    }
    // whoever wrote first has asked for nothing
    assert_eq!(standings(&town, alice), [Standing::Open]);
    // on a device that comes in meanwhile it is one too
    let tablet = town.add_device("bob", bob, true);
    assert_eq!((standings(&town, tablet), heard(&town, tablet).len()), (vec![Standing::Request], 0));
    let stranger = account(&town, alice);
    decide(&mut town, desktop, stranger, Decision::Accepted);
    town.send(alice, "bob", "are you there?");
    for device in [bob, desktop, tablet] {
        assert_eq!(standings(&town, device), [Standing::Open]);
        assert_eq!(heard(&town, device), ["hello, you don't know me", "are you there?"]);
    }
}

/// PPL-1: an answer is an acceptance, on all devices; and whoever is written to first needs none.
#[test]
fn whoever_answers_has_accepted() {
    let mut town = Town::new();
    let (bob, alice) = (town.stranger("bob"), town.stranger("alice"));
    let phone = town.add_device("alice", alice, false);
    town.send(alice, "bob", "hello");
    town.send(bob, "alice", "who are you?");
    assert_eq!(standings(&town, bob), [Standing::Open]);
    for device in [alice, phone] {
        assert_eq!(standings(&town, device), [Standing::Open]);
        assert_eq!(heard(&town, device), ["hello", "who are you?"]);
    }
}

/// PPL-2, attack 67: a stranger is not told by anything that somebody is there: no message, no commit, no request to send again.
#[test]
fn a_request_is_answered_by_nothing() {
    let mut town = Town::new();
    let (bob, alice) = (town.stranger("bob"), town.stranger("alice"));
    town.send(alice, "bob", "one");
    let sent = |town: &Town| {
        let of_bob = town.asked.iter().filter(|(who, path)| *who == bob && path.contains("/groups/"));
        of_bob.filter(|(_, path)| path.ends_with("/messages") || path.ends_with("/commits")).count()
    };
    let before = sent(&town);
    for text in ["two", "three", "four", "five"] {
        town.spoiled = Some(bob);
        town.send(alice, "bob", text);
    }
    town.pass_ms(3_600_000);
    town.settle();
    assert_eq!(sent(&town), before);
    // once he is accepted, what cannot be read is asked for like everybody's
    let stranger = account(&town, alice);
    decide(&mut town, bob, stranger, Decision::Accepted);
    town.spoiled = Some(bob);
    town.send(alice, "bob", "six");
    town.pass_ms(60_000);
    town.settle();
    assert!(sent(&town) > before);
    assert!(heard(&town, bob).contains(&"six".to_owned()), "{:?}", heard(&town, bob));
}

/// PPL-3: nothing of somebody who is blocked is shown, wherever he writes; he is not told, and others are heard.
#[test]
fn of_somebody_blocked_nothing_is_shown_anywhere() {
    let mut town = Town::new();
    let (bob, alice, carol) = (town.stranger("bob"), town.stranger("alice"), town.stranger("carol"));
    let desktop = town.add_device("bob", bob, false);
    town.send(bob, "alice", "hello");
    town.send(alice, "bob", "hello yourself");
    let with = vec!["alice".to_owned(), "carol".to_owned()];
    town.wish(bob, Command::NewChat { title: "trip".to_owned(), with });
    town.send(bob, "trip", "where to?");
    let pest = account(&town, alice);
    decide(&mut town, bob, pest, Decision::Blocked);
    let group = conversations(&town, alice).into_iter().find(|row| !row.pair).unwrap().group.to_string();
    let sent = town.send(alice, "bob", "you will not see this");
    assert_eq!(failure(&sent), None);
    town.send(alice, &group, "nor this");
    town.send(carol, &group, "to the sea");
    for device in [bob, desktop] {
        assert_eq!(heard(&town, device), ["hello", "hello yourself", "where to?", "to the sea"]);
        assert_eq!(town.texts(device, Some("alice")), ["hello", "hello yourself"]);
    }
    assert_eq!(failure(&town.send(bob, "alice", "come back")).unwrap().code, "contact.blocked");
    // what was written meanwhile stays unseen, and is not missed either
    decide(&mut town, desktop, pest, Decision::Accepted);
    town.send(alice, "bob", "again?");
    town.send(alice, &group, "and here");
    for device in [bob, desktop] {
        assert_eq!(heard(&town, device), ["hello", "hello yourself", "where to?", "to the sea", "again?", "and here"]);
    }
}

/// PPL-3: whoever is blocked cannot come back through a conversation of several people.
#[test]
fn somebody_blocked_puts_nobody_into_a_conversation() {
    let mut town = Town::new();
    let (bob, alice, carol) = (town.stranger("bob"), town.stranger("alice"), town.stranger("carol"));
    town.send(bob, "carol", "hi");
    let pest = account(&town, alice);
    town.send(alice, "bob", "buy this");
    decide(&mut town, bob, pest, Decision::Blocked);
    let with = vec!["bob".to_owned(), "carol".to_owned()];
    town.wish(alice, Command::NewChat { title: "offers".to_owned(), with });
    town.send(alice, "offers", "buy that");
    let group = conversations(&town, alice).into_iter().find(|row| !row.pair).unwrap().group.to_string();
    town.send(carol, &group, "what is this?");
    assert_eq!(heard(&town, bob), ["hi"]);
    assert_eq!(standings(&town, bob).iter().filter(|it| **it == Standing::Blocked).count(), 2);
    assert_eq!(failure(&town.send(bob, &group, "no")).unwrap().code, "contact.blocked");
    // what a stranger has opened is a request, whoever else is in it
    assert_eq!(standings(&town, carol).iter().filter(|it| **it == Standing::Request).count(), 1);
}

/// What the operator is told: of each account by how many, and the reasons.
fn told(town: &Town) -> Vec<(AccountId, u64, Vec<Reason>)> {
    let rows = told_of(&town.path("service"), town.now_ms() / 1_000).unwrap();
    rows.into_iter().map(|row| (row.account, row.reporters, row.reasons.into_keys().collect())).collect()
}

fn reporting(account: AccountId, reason: Reason, block: bool) -> Command {
    Command::Report { account, reason, block }
}

/// PPL-5: who and why, to the byte; the other one hears nothing of it, and is blocked.
#[test]
fn a_report_has_no_content() {
    let mut town = Town::new();
    let (bob, mallory) = (town.stranger("bob"), town.stranger("mallory"));
    town.send(mallory, "bob", "buy this");
    let (pest, heard) = (account(&town, mallory), town.events(mallory).len());
    town.command(bob, reporting(pest, Reason::Impersonation, true));
    let mut reports = Vec::new();
    while let Some(request) = town.take_request(bob) {
        let (status, body) = town.ask(&request.call).unwrap();
        assert_eq!(status, 200);
        if request.call.path.starts_with(REPORTS) {
            reports.push((request.call.path.clone(), String::from_utf8(request.call.body.unwrap()).unwrap()));
        }
        town.answer(bob, request.id, Answer::Ok(body));
    }
    let body = format!(r#"{{"account":"{pest}","reason":"impersonation"}}"#);
    assert_eq!(reports, [(REPORTS.to_owned(), body)]);
    assert!(town.events(bob).iter().any(|event| matches!(event, Event::Done { .. })));
    town.settle();
    assert_eq!(told(&town), [(pest, 1, vec![Reason::Impersonation])]);
    assert_eq!(town.events(mallory).len(), heard, "whoever is reported is told nothing");
    town.send(mallory, "bob", "really, buy this");
    assert_eq!(
        (standings(&town, bob), town.texts(bob, Some("mallory"))),
        (vec![Standing::Blocked], vec!["buy this".to_owned()])
    );
}

/// PPL-5: blocked at once, told when the service is there; over a kill on either side, and once although answers are lost.
#[test]
fn a_report_made_offline_goes_out_later() {
    let mut town = Town::new();
    let (bob, mallory) = (town.stranger("bob"), town.stranger("mallory"));
    town.send(mallory, "bob", "buy this");
    let pest = account(&town, mallory);
    town.set_online(bob, false);
    for reason in [Reason::Spam, Reason::Abuse] {
        let events = town.wish(bob, reporting(pest, reason, true));
        assert_eq!((failure(&events), standings(&town, bob)), (None, vec![Standing::Blocked]));
    }
    town.settle();
    assert_eq!(told(&town), []);
    town.weather = Weather::AnswersLost;
    town.set_online(bob, true);
    town.pass_ms(60_000);
    assert_eq!(told(&town), [(pest, 1, vec![Reason::Spam])]);
    let done = |town: &Town| town.events(bob).iter().filter(|event| matches!(event, Event::Done { .. })).count();
    // killed before it heard that the service has it
    town.restart(bob);
    let before = done(&town);
    town.weather = Weather::Fine;
    town.pass_ms(60_000);
    // both have gone out, and the reason that was chosen last is the one that stays
    assert_eq!((told(&town), done(&town) - before), (vec![(pest, 1, vec![Reason::Abuse])], 2));
    town.restart_service();
    assert_eq!(told(&town), [(pest, 1, vec![Reason::Abuse])]);
}

/// PPL-5: whoever made it is told also when he waits for it no more, and sees until then that it waits.
#[test]
fn a_report_made_offline_that_is_refused_is_told() {
    let mut town = Town::new();
    let (bob, mallory) = (town.stranger("bob"), town.stranger("mallory"));
    town.send(mallory, "bob", "buy this");
    let pest = account(&town, mallory);
    for number in 0..20 {
        assert_eq!(failure(&town.wish(bob, reporting(AccountId([number; 32]), Reason::Spam, false))), None);
    }
    let reports = |town: &Town| town.read(bob, |store| query::status(store, town.now_ms())).reports;
    assert_eq!(reports(&town), 0);
    town.set_online(bob, false);
    let events = town.wish(bob, reporting(pest, Reason::Abuse, true));
    assert_eq!((failure(&events), reports(&town)), (None, 1));
    town.set_online(bob, true);
    town.pass_ms(60_000);
    assert_eq!(reports(&town), 0);
    let notices = town.read(bob, query::notices);
    let [row] = &notices[..] else { panic!("one notice: {notices:?}") };
    let about = row.contact.as_ref().map(|(account, handle)| (*account, handle.as_str()));
    assert_eq!((row.code.as_str(), about), ("report.refused", Some((pest, "mallory"))));
    assert!(town.events(bob).iter().any(|event| matches!(event, Event::Notice { number } if *number == row.number)));
    assert!(told(&town).iter().all(|(account, ..)| *account != pest));
}

/// PPL-5: without blocking he is heard on; and nobody reports himself.
#[test]
fn a_report_decides_nothing_by_itself() {
    let mut town = Town::new();
    let (bob, mallory) = (town.stranger("bob"), town.stranger("mallory"));
    town.send(mallory, "bob", "buy this");
    let (pest, own) = (account(&town, mallory), account(&town, bob));
    assert_eq!(failure(&town.wish(bob, reporting(pest, Reason::Other, false))), None);
    assert_eq!(standings(&town, bob), [Standing::Request]);
    assert_eq!(failure(&town.wish(bob, reporting(own, Reason::Spam, true))).unwrap().code, "report.own");
    assert_eq!(told(&town), [(pest, 1, vec![Reason::Other])]);
}

/// PPL-4: a link stands for a decision that was made before, until it is withdrawn; on every device.
#[test]
fn whoever_has_a_link_needs_not_to_be_asked_in() {
    let mut town = Town::new();
    let (bob, alice, carol) = (town.stranger("bob"), town.stranger("alice"), town.stranger("carol"));
    let desktop = town.add_device("bob", bob, false);
    let phone = town.add_device("alice", alice, false);
    let of_bob = account(&town, bob);
    let token = link(&mut town, bob, false);
    assert_eq!(link(&mut town, desktop, false), token, "all devices hand out the same one");
    open_link(&mut town, alice, "bob", of_bob, token);
    // whichever device writes first
    town.send(phone, "bob", "here I am");
    for device in [bob, desktop] {
        assert_eq!(heard(&town, device), ["here I am"]);
        let notices = town.read(device, query::notices);
        assert!(notices.iter().any(|it| it.code == "contact.linked"), "{notices:?}");
    }
    for device in [alice, phone] {
        let rows = town.read(device, query::contacts);
        assert!(rows.iter().any(|row| row.handle == "bob" && row.verified && row.by_link));
    }
    let renewed = link(&mut town, desktop, true);
    assert_ne!(renewed, token);
    open_link(&mut town, carol, "bob", of_bob, token);
    town.send(carol, "bob", "me too");
    assert_eq!(heard(&town, bob), ["here I am"], "an old link is good for nothing");
    // a good one helps also somebody who is waiting already
    open_link(&mut town, carol, "bob", of_bob, renewed);
    town.send(carol, "bob", "now?");
    for device in [bob, desktop] {
        assert_eq!(heard(&town, device), ["here I am", "me too", "now?"]);
    }
}

/// PPL-4: a token takes back no decision, and counts only from whoever uses it in a conversation of two.
#[test]
fn a_link_does_not_open_the_door_to_somebody_blocked() {
    let mut town = Town::new();
    let (bob, alice) = (town.stranger("bob"), town.stranger("alice"));
    let (of_bob, pest) = (account(&town, bob), account(&town, alice));
    let token = link(&mut town, bob, false);
    decide(&mut town, bob, pest, Decision::Blocked);
    open_link(&mut town, alice, "bob", of_bob, token);
    town.send(alice, "bob", "I have your link");
    assert!(heard(&town, bob).is_empty());
    town.wish(bob, Command::WithdrawLinks);
    assert_eq!(town.read(bob, query::link_token), None);
}

/// What was read on one device is read on all; whoever writes has read what stands before.
#[test]
fn what_was_read_on_one_device_is_read_on_all() {
    let mut town = Town::new();
    let (bob, alice) = (town.stranger("bob"), town.stranger("alice"));
    let desktop = town.add_device("bob", bob, false);
    let unread = |town: &Town, who| conversations(town, who).iter().map(|row| row.unread).sum::<u64>();
    town.send(bob, "alice", "hello");
    town.send(alice, "bob", "one");
    town.send(alice, "bob", "two");
    assert_eq!((unread(&town, bob), unread(&town, desktop)), (2, 2));
    town.wish(desktop, Command::MarkRead { with: "alice".to_owned() });
    assert_eq!((unread(&town, bob), unread(&town, desktop)), (0, 0));
    town.send(alice, "bob", "three");
    assert_eq!((unread(&town, bob), unread(&town, desktop)), (1, 1));
    town.send(bob, "alice", "an answer");
    assert_eq!((unread(&town, bob), unread(&town, desktop)), (0, 0));
    let third = town.add_device("bob", bob, true);
    assert_eq!(unread(&town, third), 0);
}

/// MSG-8, attack 30: whoever calls a conversation like somebody's handle gets nothing that is for him, whether he is known yet or not;
/// and it can be written to by its id.
#[test]
fn a_title_is_nobodys_handle() {
    let mut town = Town::new();
    let [bob, mallory] = ["bob", "mallory"].map(|name| town.sign_up(name));
    let alice = town.stranger("alice");
    let carol = town.sign_up("carol");
    for title in ["alice", "carol"] {
        let with = vec!["bob".to_owned()];
        town.wish(mallory, Command::NewChat { title: title.to_owned(), with });
        // it is known what it is called
        town.send(mallory, title, "hello");
    }
    let titled = |title: &str| {
        let rows = town.read(bob, query::conversations);
        rows.into_iter().find(|row| row.title == title && !row.pair).unwrap().group.to_string()
    };
    let trap = titled("alice");
    let code = |events: &[Event]| {
        events.iter().find_map(|event| match event {
            Event::Failed { failure, .. } => Some(failure.code.clone()),
            _ => None,
        })
    };
    assert_eq!(code(&town.send(bob, "alice", "for alice alone")).as_deref(), Some("chat.ambiguous"));
    town.wish(bob, Command::AddContact { handle: "alice".to_owned(), account: None, token: None });
    town.send(bob, "alice", "for alice alone");
    town.wish(bob, Command::AddContact { handle: "carol".to_owned(), account: None, token: None });
    town.send(bob, "carol", "for carol alone");
    town.send(bob, &trap, "for everybody here");
    assert_eq!(town.texts(mallory, None), ["hello", "hello", "for everybody here"]);
    assert_eq!(town.texts(alice, None), ["for alice alone"]);
    assert_eq!(town.texts(carol, None), ["for carol alone"]);
}
