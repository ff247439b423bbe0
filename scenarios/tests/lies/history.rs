//! Old messages on their way between one's own devices: parts that are dropped, repeated, mixed up or given to another device, and
//! an older device that lies. Rules HIS-1 to HIS-4; attacks 46 to 49.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use chain::id::Digest;
use chain::sigchain::entry::SeenCheckpoint;
use client::query::{self, HistoryRow, Phase};
use client::step::{Answer, Command};
use protocol::api::ACCOUNTS;
use protocol::api::delivery::{Delivery, DeliveryKind, RELAY, Relay};
use protocol::content::{Content, Expiry, Part, pad};
use protocol::gossip::Gossip;
use protocol::history::{Erased, HistoryMessage, HistoryRequest, IndexRow, MAX_MESSAGES, Plain, Wanted, split};
use protocol::id::GroupId;
use protocol::relay::RelayBody;
use protocol::settings::{SETTINGS, Setting, SettingKey, encode_settings};
use scenarios::impostor::Impostor;
use scenarios::town::{Town, Who};

use crate::{fill, is_done, is_place, lies, places, two};

/// Bytes of a text, so that a few make several parts.
const LONG: usize = 30_000;

fn history(town: &Town, who: Who) -> HistoryRow {
    town.read(who, query::history).unwrap()
}

fn is_part(delivery: &Delivery) -> bool {
    delivery.kind == DeliveryKind::Relay && delivery.bytes.0.first() == Some(&4)
}

/// Bob has written so many long texts to Alice.
fn with_much(count: usize) -> (Town, Who, Who) {
    let (mut town, alice, bob) = two();
    for number in 0..count {
        assert!(is_done(&town.send(bob, "alice", &format!("{number} {}", "x".repeat(LONG)))));
    }
    (town, alice, bob)
}

/// A device that Bob's older one lets in, with the old messages, and nothing of that has happened yet.
fn let_in(town: &mut Town, older: Who) -> Who {
    let who = town.device();
    town.wish(who, Command::LogIn(Town::joining("bob")));
    let (code, _) = town.read(who, query::code).unwrap();
    let device = town.id(who);
    town.command(older, Command::Confirm { device, code, history: true });
    who
}

/// HIS-3, attack 39: parts that the service drops, repeats and gives in the wrong order cost time and nothing else.
#[test]
fn parts_that_are_dropped_repeated_and_shuffled_come_all_the_same() {
    let (mut town, _, bob) = with_much(24);
    let desktop = let_in(&mut town, bob);
    // each part takes the place of the one before it, but for every fifth, in whose place an older one comes again
    let (mut before, mut seen) = (Vec::<Delivery>::new(), 0_usize);
    let lost = Rc::new(RefCell::new(0_usize));
    let count = Rc::clone(&lost);
    town.liar.change_deliveries(move |who, mut deliveries| {
        for place in deliveries.iter_mut().filter(|it| who == desktop && is_part(it)) {
            seen += 1;
            let part = place.clone();
            match before.last().cloned() {
                Some(other) if seen.is_multiple_of(5) => {
                    *count.borrow_mut() += 1;
                    fill(place, &other);
                }
                Some(_) => {
                    let other = before.pop().unwrap();
                    fill(place, &other);
                    before.push(part);
                }
                None => {
                    place.bytes.0.clear();
                    before.push(part);
                }
            }
        }
        deliveries
    });
    for _ in 0..12 {
        town.pass_ms(31_000);
    }
    assert!(*lost.borrow() >= 3, "parts were lost");
    town.liar.stop();
    for _ in 0..20 {
        town.pass_ms(60_000);
    }
    let row = history(&town, desktop);
    assert_eq!((row.complete, row.messages, row.total), (true, 26, 26));
    assert_eq!(town.texts(desktop, None), town.texts(bob, None));
    assert!(town.read(desktop, query::conversations).iter().all(|row| !row.unverified));
}

/// What a relayed request for old messages wants.
fn wanted(body: &[u8]) -> Option<Wanted> {
    match RelayBody::decode(body) {
        Ok(RelayBody::HistoryRequest(request)) => HistoryRequest::decode(&request).ok().map(|it| it.wanted),
        _ => None,
    }
}

/// HIS-2: while an older device cannot look at the record, the service gives it an earlier request once more in the place of the
/// one that waits for that look. The earlier one takes no other's place: as soon as there is a look, the page comes.
#[test]
fn a_request_that_comes_once_more_takes_the_place_of_no_other() {
    let (mut town, _, bob) = with_much(3);
    let desktop = let_in(&mut town, bob);
    // what Bob was given: requests for the list, and positions of those for a page
    let given = Rc::new(RefCell::new((Vec::<u8>::new(), BTreeSet::<u64>::new())));
    let seen = Rc::clone(&given);
    town.liar.change_deliveries(move |who, mut deliveries| {
        for request in deliveries.iter_mut().filter(|it| who == bob && it.kind == DeliveryKind::Relay) {
            let (list, pages) = &mut *seen.borrow_mut();
            match wanted(&request.bytes.0) {
                Some(Wanted::Index) => list.clone_from(&request.bytes.0),
                Some(_) => {
                    pages.insert(request.position);
                    if pages.len() == 2 {
                        request.bytes.0.clone_from(list);
                    }
                }
                None => (),
            }
        }
        deliveries
    });
    let (pages, is_later) = (Rc::clone(&given), Rc::new(Cell::new(false)));
    let later = Rc::clone(&is_later);
    town.liar.answer_instead(move |who, call| {
        // a moment has to pass before the page is asked for, or the look for the list would do for it
        let asks = || serde_json::from_slice::<Relay>(call.body.as_deref()?).ok().and_then(|it| wanted(&it.body.0));
        let is_held = who == desktop && !later.get() && asks().is_some_and(|it| it != Wanted::Index);
        let looks = who == bob && call.path.starts_with(ACCOUNTS) && !pages.borrow().1.is_empty();
        (is_held || looks).then_some(Answer::Unreachable)
    });
    let come = |town: &Town| (given.borrow().1.len(), history(town, desktop).messages);
    town.settle();
    assert_eq!(come(&town), (0, 0));
    town.pass_ms(1_000);
    is_later.set(true);
    // a key pressed: what could not be asked is asked again at once
    let press = |town: &mut Town, who| town.command(who, Command::MarkRead { with: "alice".to_owned() });
    press(&mut town, desktop);
    town.settle();
    assert_eq!(come(&town), (1, 0));
    // so long a device waits for an answer of the only other one, and then until it asks again
    town.pass_ms(50_000);
    assert_eq!(come(&town), (2, 0));
    town.liar.stop();
    press(&mut town, bob);
    town.settle();
    let row = history(&town, desktop);
    assert_eq!((row.complete, row.messages, row.total), (true, 5, 5), "{row:?}");
}

/// HIS-3, attack 49: two devices are let in at once, and the service gives each the parts of the other. Neither takes one of
/// them, and each gets its own when the lie ends.
#[test]
fn parts_for_another_device_are_not_taken() {
    let (mut town, _, bob) = with_much(3);
    let desktop = let_in(&mut town, bob);
    town.settle();
    let tablet = let_in(&mut town, bob);
    let kept = Rc::new(RefCell::new([Vec::<Delivery>::new(), Vec::new()]));
    let parts = Rc::clone(&kept);
    town.liar.change_deliveries(move |who, mut deliveries| {
        let Some(at) = [desktop, tablet].iter().position(|it| *it == who) else { return deliveries };
        // what comes for the one is kept for the other, and stands in the places of what comes for that
        for part in deliveries.iter_mut().filter(|it| is_part(it)) {
            let mut parts = parts.borrow_mut();
            parts[at].push(part.clone());
            match parts[1 - at].pop() {
                Some(others) => part.bytes = others.bytes,
                None => part.bytes.0.clear(),
            }
        }
        deliveries
    });
    town.wish(desktop, Command::FetchHistory);
    for _ in 0..6 {
        town.pass_ms(31_000);
    }
    assert!(kept.borrow().iter().all(|parts| !parts.is_empty()), "both were answered");
    let swapped = town.liar.delivered.iter().filter(|(who, it)| *who == tablet && is_part(it));
    assert!(swapped.count() > 0, "the tablet was given parts of the desktop");
    assert_eq!(history(&town, tablet).messages, 0);
    assert!(town.texts(tablet, None).is_empty());
    town.liar.stop();
    for _ in 0..6 {
        town.pass_ms(60_000);
    }
    for who in [desktop, tablet] {
        assert!(history(&town, who).complete, "{:?}", history(&town, who));
        assert_eq!(town.texts(who, None), town.texts(bob, None));
    }
}

/// HIS-1, attack 47: the true request of a device that has been removed since, played back, gets nothing. (Of one that waits:
/// `devices::whoever_is_confirmed_on_another_face_alone_gets_no_old_messages`.)
#[test]
fn a_true_request_of_a_device_that_was_removed_gets_nothing() {
    let (mut town, _, bob) = two();
    let desktop = town.add_device("bob", bob, true);
    let tablet = town.add_device("bob", bob, false);
    assert!(history(&town, desktop).complete);
    let is_request =
        |(who, it): &&(Who, Delivery)| *who == bob && it.kind == DeliveryKind::Relay && it.bytes.0.first() == Some(&3);
    let of_desktop = |it: &Delivery| {
        HistoryRequest::decode(&it.bytes.0[1..]).is_ok_and(|request| request.device == town.id(desktop))
    };
    let requests: Vec<_> = town.liar.delivered.iter().filter(is_request).map(|(_, it)| it.clone()).collect();
    let requests: Vec<_> = requests.into_iter().filter(of_desktop).collect();
    assert!(requests.len() >= 2, "for the index and for a page");
    let device = town.id(desktop);
    assert!(is_done(&town.wish(bob, Command::Remove { device })));
    let answered = town.liar.answered.len();
    let mut again = requests.into_iter().cycle();
    town.liar.change_deliveries(move |who, mut deliveries| {
        let places = deliveries.iter_mut().filter(|it| who == bob && is_place(it));
        places.zip(&mut again).for_each(|(place, request)| fill(place, &request));
        deliveries
    });
    places(&town, tablet, bob, 4);
    town.pass_ms(120_000);
    let is_answer = |(who, call, _): &(Who, client::step::Call, Answer)| {
        let relay = call.body.as_deref().and_then(|body| serde_json::from_slice::<Relay>(body).ok());
        let relay = relay.filter(|_| *who == bob && call.path == RELAY);
        relay.is_some_and(|relay| matches!(RelayBody::decode(&relay.body.0), Ok(RelayBody::HistoryPart(_))))
    };
    let given = town.liar.delivered.iter().filter(|(who, it)| *who == bob && it.bytes.0.first() == Some(&3)).count();
    assert!(given >= 6, "{given}");
    assert_eq!(town.liar.answered[answered..].iter().filter(|it| is_answer(it)).count(), 0);
}

/// Bob's account begins with a device that lies. Alice has written to it; then a desktop of Bob's comes in.
fn with_a_liar(count: usize) -> (Town, Who, Impostor, Who, Vec<HistoryMessage>) {
    let mut town = Town::new();
    let alice = town.sign_up("alice");
    let liar = Impostor::sign_up_for_others(&town, "bob");
    for number in 0..count {
        assert!(is_done(&town.send(alice, "bob", &format!("true {number}"))));
    }
    let group = liar.join(&town);
    let mut messages = liar.old_messages(&town, &group);
    messages.retain(|it| matches!(Content::decode(&it.content).unwrap().part, Part::Text(_)));
    assert_eq!(messages.len(), count);
    let desktop = town.device();
    town.wish(desktop, Command::LogIn(Town::joining("bob")));
    liar.confirm(&town, town.id(desktop));
    town.pass_ms(61_000);
    assert_eq!(town.read(desktop, |store| query::status(store, 0)).phase, Phase::Confirmed);
    (town, alice, liar, desktop, messages)
}

/// Answers what a device asks for old messages, as long as it asks; how often it did.
fn answer(town: &mut Town, liar: &Impostor, mut say: impl FnMut(Wanted) -> Vec<Plain>) -> usize {
    let mut answered = 0;
    loop {
        let asked = liar.asked(town);
        let Some(request) = asked.get(answered..).and_then(<[_]>::first) else { return answered };
        answered += 1;
        liar.hand(town, request, &say(HistoryRequest::decode(request).unwrap().wanted));
        town.settle();
        assert!(answered < 50, "it asks without end");
    }
}

fn index(group: GroupId, messages: u64) -> Vec<Plain> {
    let rows = vec![IndexRow { group, messages, newest_ms: 1_795_000_000_000 }];
    vec![Plain::Index { partial: false, rows }]
}

/// HIS-4, attack 46: an older device changes one past message before it hands it on. Whichever that is, the conversation is
/// shown as unverified once what its writer sent after it is there; and not if nothing was changed.
#[test]
fn a_past_message_that_an_older_device_forges_makes_its_conversation_unverified() {
    for forged in [None, Some(0), Some(1), Some(2)] {
        let (mut town, alice, liar, desktop, mut messages) = with_a_liar(3);
        if let Some(forged) = forged {
            let content = Content::decode(&messages[forged].content).unwrap();
            let part = Part::Text("forged".to_owned());
            messages[forged].content = Content { part, ..content }.encode();
        }
        let (group, count) = (messages[0].group, messages.len() as u64);
        messages.reverse();
        answer(&mut town, &liar, |wanted| match wanted {
            Wanted::Index | Wanted::Gap => index(group, count),
            Wanted::Page { .. } | Wanted::GapPage { .. } => split(&messages, false, false),
        });
        let row = history(&town, desktop);
        assert_eq!((row.complete, row.messages), (true, 3), "{forged:?}");
        let is_unverified = |town: &Town| town.read(desktop, query::conversations)[0].unverified;
        // the newest has nothing to fit yet
        assert_eq!(is_unverified(&town), forged.is_some_and(|forged| forged < 2), "{forged:?}");
        assert!(is_done(&town.send(alice, "bob", "after")));
        assert_eq!(town.texts(desktop, None).last().unwrap(), "after");
        assert_eq!(is_unverified(&town), forged.is_some(), "{forged:?}");
        assert_eq!(town.texts(desktop, None).iter().any(|text| text == "forged"), forged.is_some());
        assert!(lies(&town, desktop).is_empty(), "nobody else can be shown it");
    }
}

/// HIS-3, attack 48: more is announced than anybody has. It is refused up front, and said; nothing of it is asked for.
#[test]
fn a_history_of_more_than_anybody_has_is_refused_up_front() {
    let (mut town, _, liar, desktop, messages) = with_a_liar(1);
    let group = messages[0].group;
    let asked = answer(&mut town, &liar, |wanted| match wanted {
        Wanted::Index | Wanted::Gap => index(group, MAX_MESSAGES + 1),
        Wanted::Page { .. } | Wanted::GapPage { .. } => panic!("a page was asked for"),
    });
    assert_eq!(asked, 1);
    town.pass_ms(600_000);
    assert_eq!(liar.asked(&town).len(), 1);
    assert!(town.read(desktop, query::notices).iter().any(|row| row.code == "history.refused"));
    assert!(town.texts(desktop, None).is_empty());
}

/// HIS-3, attack 48: pages without end. No more is taken than was announced, and a bounded number beyond it.
#[test]
fn pages_without_end_come_to_an_end() {
    let (mut town, alice, liar, desktop, messages) = with_a_liar(1);
    let (group, from, device) = (messages[0].group, messages[0].from, messages[0].device);
    let mut number = 0_u64;
    let mut made_up = |place: u64| {
        number += 1;
        let mut salt = [0; 16];
        salt[..8].copy_from_slice(&number.to_be_bytes());
        let part = Part::Text("made up".to_owned());
        let content = Content::of(salt, part).encode();
        HistoryMessage { group, place, from, device, sent_at_ms: 0, ends_ms: None, content, erased: None }
    };
    // the town is young: many of them stand at each place
    let asked = answer(&mut town, &liar, |wanted| match wanted {
        Wanted::Index | Wanted::Gap => index(group, 5),
        Wanted::Page { before, .. } | Wanted::GapPage { before, .. } => {
            let place = before.min(messages[0].place) - 1;
            split(&(0..4_000).map(|_| made_up(place)).collect::<Vec<_>>(), true, false)
        }
    });
    let row = history(&town, desktop);
    assert!(row.complete && row.messages > 10_000 && row.messages <= 5 + 10_000 + 4_000, "{asked} {row:?}");
    assert!(is_done(&town.send(alice, "bob", "after")));
    assert_eq!(town.texts(desktop, None).last().map(String::as_str), Some("after"));
}

/// HIS-3, attack 46: an old message that is to stand behind all that ever comes. The page is not taken, and asked for again.
#[test]
fn an_old_message_that_stands_after_what_has_come_is_not_taken() {
    let (mut town, alice, liar, desktop, messages) = with_a_liar(2);
    let group = messages[0].group;
    let ahead: Vec<_> = messages.iter().rev().map(|it| HistoryMessage { place: 1 << 40, ..it.clone() }).collect();
    answer(&mut town, &liar, |wanted| match wanted {
        Wanted::Index | Wanted::Gap => index(group, 2),
        Wanted::Page { .. } | Wanted::GapPage { .. } => split(&ahead, false, false),
    });
    assert_eq!((history(&town, desktop).messages, history(&town, desktop).complete), (0, false));
    assert!(is_done(&town.send(alice, "bob", "after")));
    assert_eq!(town.texts(desktop, None), ["after"]);
}

/// Hands these old messages over, newest first, to whoever asks for them.
fn hand_over(town: &mut Town, liar: &Impostor, messages: &[HistoryMessage]) {
    let (group, count) = (messages[0].group, messages.len() as u64);
    answer(town, liar, |wanted| match wanted {
        Wanted::Index | Wanted::Gap => index(group, count),
        Wanted::Page { .. } | Wanted::GapPage { .. } => split(messages, false, false),
    });
}

/// MSG-7, HIS-4, attack 46: an older device lies about when old messages end. It can bring an end near, as it could have kept the
/// message back; it can put none off beyond the message's own time, nor give one to what has none; and what came by itself stays.
#[test]
fn a_lie_about_when_an_old_message_ends_puts_no_end_off() {
    let (mut town, alice, liar, desktop, messages) = with_a_liar(1);
    assert!(is_done(&town.send(alice, "bob", "live")));
    let (now_ms, hour) = (town.now_ms(), Expiry { relative: true, seconds: 3_600 });
    let told = [
        ("later", Some(hour), Some(now_ms + 36_000_000)),
        ("never", Some(hour), Some(u64::MAX)),
        ("at the beginning", Some(hour), Some(0)),
        ("before", Some(hour), Some(now_ms - 60_000)),
        ("unread", Some(hour), None),
        ("without a time", None, Some(0)),
        ("for long", Some(Expiry { relative: true, seconds: u32::MAX }), Some(u64::MAX)),
        ("at the end of all", Some(Expiry { relative: false, seconds: u32::MAX }), Some(0)),
    ];
    let content = Content::decode(&messages[0].content).unwrap();
    let lie = |(text, expires, ends_ms): &(&str, Option<Expiry>, Option<u64>)| {
        let part = Part::Text((*text).to_owned());
        let content = Content { expires: *expires, part, ..content.clone() }.encode();
        HistoryMessage { content, ends_ms: *ends_ms, ..messages[0].clone() }
    };
    hand_over(&mut town, &liar, &told.iter().map(lie).collect::<Vec<_>>());
    town.pass_ms(5_000);
    assert_eq!((history(&town, desktop).messages, history(&town, desktop).complete), (8, true));
    let shown = |town: &Town| {
        let mut texts = town.texts(desktop, None);
        texts.sort();
        texts
    };
    let stays = ["at the end of all", "for long", "later", "live", "never", "unread", "without a time"];
    assert_eq!(shown(&town), stays);
    // an hour after it came all is gone that lasts an hour, but for what nobody has read
    town.pass_ms(3_600_000);
    assert_eq!(shown(&town), ["at the end of all", "for long", "live", "unread", "without a time"]);
    town.wish(desktop, Command::MarkRead { with: "alice".to_owned() });
    town.pass_ms(3_601_000);
    assert_eq!(shown(&town), ["at the end of all", "for long", "live", "without a time"]);
    assert!(is_done(&town.send(alice, "bob", "after")));
    assert_eq!(town.texts(desktop, None).last().unwrap(), "after");
    assert!(town.texts(alice, None).contains(&"true 0".to_owned()), "hers are hers");
}

/// MSG-2, MSG-3, HIS-4, attack 46: an older device lies about what is left of a message that was changed or taken back. What this
/// device has itself stays as it is, and what is left says nothing.
#[test]
fn a_lie_about_what_is_left_of_a_message_takes_nothing_away() {
    let (mut town, alice, liar, desktop, messages) = with_a_liar(1);
    assert!(is_done(&town.send(alice, "bob", "live")));
    let live = town.messages(desktop).pop().unwrap();
    let real = Content::decode(&messages[0].content).unwrap();
    let rest = |part: Part| Content { salt: [0; 16], part, ..real.clone() }.encode();
    let (nothing, says) = (rest(Part::Text(String::new())), rest(Part::Text("it said this".to_owned())));
    let other = |name: &str| Digest::sha256(name.as_bytes());
    let lies = [
        // of what is here
        (live.message, None, Vec::new()),
        (live.message, None, nothing.clone()),
        (live.message, Some(other("a")), Vec::new()),
        // an effect on it that was taken back
        (other("a"), Some(live.message), Vec::new()),
        (other("b"), Some(live.message), nothing),
        // rests that are none
        (other("c"), None, says),
        (other("d"), None, rest(Part::Timer(60))),
        (other("e"), Some(live.message), rest(Part::Reaction("+1".to_owned()))),
        (other("f"), None, vec![0xff; 40]),
    ];
    let lie = |(message, about, content): &(Digest, Option<Digest>, Vec<u8>)| {
        let erased = Some(Erased { message: *message, previous: None, about: *about });
        HistoryMessage { content: content.clone(), erased, ..messages[0].clone() }
    };
    hand_over(&mut town, &liar, &lies.iter().map(lie).collect::<Vec<_>>());
    assert_eq!((history(&town, desktop).messages, history(&town, desktop).complete), (2, true));
    let row = |town: &Town, text: &str| town.messages(desktop).into_iter().find(|row| row.text == text).unwrap();
    let after = row(&town, "live");
    assert_eq!((after.deleted, after.edited, after.from_history), (false, false, false));
    assert!(after.reactions.is_empty());
    assert!(!town.texts(desktop, None).contains(&"it said this".to_owned()));
    assert_eq!(town.read(desktop, query::conversations).iter().find(|row| !row.own).unwrap().timer_s, 0);
    // and it is changed by whoever wrote it, and nobody else
    let edit = Command::Edit { message: live.message.to_string(), text: "changed".to_owned() };
    assert!(is_done(&town.wish(alice, edit)));
    assert!(row(&town, "changed").edited);
    assert!(is_done(&town.send(alice, "bob", "after")));
    assert_eq!(town.texts(desktop, None).last().unwrap(), "after");
}

/// MSG-6, SLF-3: an older device makes up after what time messages of a conversation are gone: for longer than there is, or said in
/// a time to come. It is believed no further than what a member says next, and whoever else is in the conversation hears nothing.
#[test]
fn a_made_up_time_stands_above_nothing_that_is_said_later() {
    let (mut town, alice, liar, desktop, messages) = with_a_liar(1);
    // the newest device makes no group for all of them, so there is one more
    town.add_device("bob", desktop, false);
    town.pass_ms(61_000);
    let (group, own) = (messages[0].group, liar.join_own(&town));
    let device = town.id(desktop);
    let timer = |town: &Town, who| town.read(who, query::conversations).into_iter().find(|it| !it.own).unwrap().timer_s;
    let mut stamp = town.now_ms();
    let mut say = |town: &mut Town, value: Vec<u8>| {
        stamp += 1_000_000;
        let setting = Setting { key: SettingKey::Timer(group).encode(), stamp, device, value };
        let part = Part::Signal { content_type: SETTINGS.to_owned(), bytes: encode_settings(&[setting]) };
        let log = SeenCheckpoint { size: 1, root: Digest::sha256(b"made up") };
        let aad = Gossip { log, note: Vec::new() }.encode();
        liar.say(town, &own, &aad, &pad(&Content::of([4; 16], part).encode()).unwrap());
        town.settle();
    };
    let value = |seconds: u32, place: u64| [&seconds.to_be_bytes()[..], &place.to_be_bytes()].concat();
    let far = [1 << 20, 1 << 40, (1 << 62) - 3, (1 << 62) - 1, u64::MAX];
    let impossible =
        || far.iter().map(|place| value(60, *place)).chain([value(u32::MAX, 1), vec![1, 2, 3], vec![0; 11]]);
    for lie in impossible() {
        say(&mut town, lie.clone());
        assert_eq!(timer(&town, desktop), 0, "{lie:?}");
    }
    let said = |seconds| Command::SetTimer { chat: "bob".to_owned(), seconds };
    assert!(is_done(&town.wish(alice, said(3_600))));
    assert_eq!(timer(&town, desktop), 3_600);
    for lie in impossible() {
        say(&mut town, lie.clone());
        assert_eq!(timer(&town, desktop), 3_600, "{lie:?}");
    }
    // one that might be so is believed, until somebody says something else
    say(&mut town, value(60, messages[0].place + 1));
    assert_eq!(timer(&town, desktop), 3_600, "it was said before");
    let newest = liar.newest_position(&town);
    say(&mut town, value(60, newest));
    assert_eq!((timer(&town, desktop), timer(&town, alice)), (60, 3_600));
    assert!(is_done(&town.wish(alice, said(7_200))));
    assert_eq!((timer(&town, desktop), timer(&town, alice)), (7_200, 7_200));
    assert!(is_done(&town.send(desktop, "alice", "from the desktop")));
    assert_eq!(town.messages(alice).pop().unwrap().lasts_s, Some(7_200));
}
