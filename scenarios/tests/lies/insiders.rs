//! What a member can say that no program of ours says: made-up roots of the record, and the words of others as its own.
//! Rules BLB-10, CHK-7, MSG-13, SND-3, SLF-1; attacks 15, 34, 39, 45.

use chain::id::Digest;
use chain::log::checkpoint::Checkpoint;
use chain::log::note::{KeyKind, NoteSigner};
use chain::sigchain::entry::SeenCheckpoint;
use client::query;
use client::step::Command;
use ed25519_dalek::SigningKey;
use protocol::api::delivery::{Delivery, DeliveryKind};
use protocol::content::{Content, PICTURE, Part, Preview, pad, unpad};
use protocol::gossip::Gossip;
use protocol::people::Decision;
use protocol::settings::{SETTINGS, SETTINGS_WANTED, Setting, SettingKey, encode_settings};
use scenarios::impostor::Impostor;
use scenarios::people::random;
use scenarios::town::{Town, Who};

use crate::{is_done, lies, newest};

fn words(text: &str) -> Vec<u8> {
    let part = Part::Text(text.to_owned());
    pad(&Content::of([3; 16], part).encode()).unwrap()
}

/// MSG-5, SND-3, attack 39: a service that lets a change, or a take-back, come before its message gains nothing: whatever the order,
/// the message is shown as it is now.
#[test]
fn a_change_that_comes_before_its_message_waits_for_it() {
    for is_taken_back in [false, true] {
        let mut town = Town::new();
        let (alice, bob) = (town.sign_up("alice"), town.sign_up("bob"));
        assert!(is_done(&town.send(alice, "bob", "one")));
        town.set_online(bob, false);
        town.send(alice, "bob", "a sekret");
        let message = town.messages(alice).pop().unwrap().message.to_string();
        town.wish(
            alice,
            match is_taken_back {
                false => Command::Edit { message, text: "a secret".to_owned() },
                true => Command::Delete { message },
            },
        );
        town.liar.change_deliveries(swapped(bob, true));
        town.set_online(bob, true);
        town.settle();
        town.pass_ms(300_000);
        assert_eq!(town.texts(bob, None), ["one", if is_taken_back { "" } else { "a secret" }]);
        assert!(town.messages(bob).iter().all(|row| row.state == query::MessageState::Received));
    }
}

/// MSG-2 to MSG-4: a member neither changes the words of another nor takes them back, and buries nothing under reactions.
#[test]
fn a_member_cannot_change_or_take_back_the_words_of_another() {
    let mut town = Town::new();
    let (alice, bob) = (town.sign_up("alice"), town.sign_up("bob"));
    let mallory = Impostor::sign_up(&town, "mallory");
    let with = vec!["bob".to_owned(), "mallory".to_owned()];
    town.wish(alice, Command::NewChat { title: "Three".to_owned(), with });
    let group = mallory.join(&town);
    assert!(is_done(&town.send(alice, "Three", "as agreed")));
    let row = town.messages(bob).into_iter().find(|row| row.text == "as agreed").unwrap();
    let (target, nobody) = (Some(row.message), Some(Digest([9; 32])));
    let text = || Part::Text("not as agreed".to_owned());
    let mut said = vec![(target, None, text()), (target, None, Part::Nothing), (nobody, target, text())];
    said.extend((0..50).map(|number| (None, target, Part::reaction(number.to_string()).unwrap())));
    for (replaces, in_reply_to, part) in said {
        let content = Content { replaces, in_reply_to, ..Content::of(*random().first_chunk().unwrap(), part) };
        mallory.say(&town, &group, b"", &pad(&content.encode()).unwrap());
    }
    town.settle();
    for who in [alice, bob] {
        assert_eq!(town.texts(who, None), ["as agreed"]);
        let row = town.messages(who).pop().unwrap();
        assert!(!row.edited && !row.deleted && row.reactions.len() == 8);
    }
}

/// BLB-10, attack 45: a member claims what no picture can be, or sends a picture where its ThumbHash should be. That goes, and the
/// message is there as any other.
#[test]
fn a_preview_that_is_none_is_passed_over() {
    let mut town = Town::new();
    let (alice, bob) = (town.sign_up("alice"), town.sign_up("bob"));
    let mallory = Impostor::sign_up(&town, "mallory");
    let with = vec!["bob".to_owned(), "mallory".to_owned()];
    town.wish(alice, Command::NewChat { title: "Three".to_owned(), with });
    let group = mallory.join(&town);
    let mut file = town.put_file(alice, "/island.png", &[7; 9_000]);
    file.preview = Preview::new(4_000, 3_000, vec![7; 24]);
    town.wish(alice, Command::SendFile { to: "Three".to_owned(), text: "mine".to_owned(), file });
    let heard = mallory.hear(&town, &group);
    let mut decoded = heard.iter().filter_map(|bytes| Content::decode(unpad(bytes).ok()?).ok());
    let shown = decoded.find(|content| matches!(content.part, Part::External(_))).unwrap();
    let bytes = shown.encode();
    // [4000, 3000, 24 bytes]
    let at = bytes.windows(7).position(|it| it == [0x83, 0x19, 0x0f, 0xa0, 0x19, 0x0b, 0xb8]).unwrap();
    let jpeg = [&[0xff, 0xd8, 0xff, 0xe0][..], &[7; 4_000]].concat();
    let length = u16::try_from(jpeg.len()).unwrap().to_be_bytes();
    let claims: [Vec<u8>; 5] = [
        [&[0x83, 0x19, 0xff, 0xff, 0x19, 0xff, 0xff, 0x58, 24][..], &[7; 24]].concat(),
        [&[0x83, 0, 0x19, 0x0b, 0xb8, 0x58, 24][..], &[7; 24]].concat(),
        [&[0x83, 0x19, 0x0f, 0xa0, 0x19, 0x0b, 0xb8, 0x59][..], &length, &jpeg].concat(),
        [&[0x83, 0x19, 0x0f, 0xa0, 0x19, 0x0b, 0xb8, 0x58, 25][..], &[7; 25]].concat(),
        vec![0xf6],
    ];
    for claim in &claims {
        let mut said = bytes.clone();
        said.splice(at..at + 9 + 24, claim.iter().copied());
        said[2..18].copy_from_slice(&random()[..16]);
        mallory.say(&town, &group, b"", &pad(&said).unwrap());
    }
    town.settle();
    for who in [alice, bob] {
        let rows = town.messages(who).into_iter().filter_map(|row| row.file);
        let previews: Vec<_> = rows.map(|file| (file.name, file.preview.is_some())).collect();
        assert_eq!(previews.len(), 1 + claims.len());
        for (number, (name, is_there)) in previews.iter().enumerate() {
            assert_eq!((name.as_str(), *is_there), ("island.png", number == 0), "{number}");
        }
    }
}

/// What somebody says to be the picture of a conversation; told to a newcomer it has disposition 0.
fn pictured(disposition: u8, bytes: &[u8]) -> Vec<u8> {
    let part = Part::Unknown { disposition, content_type: PICTURE.to_owned(), bytes: bytes.to_vec() };
    let salt = *random().first_chunk().unwrap();
    pad(&Content::of(salt, part).encode()).unwrap()
}

/// MSG-13, PPL-3: a picture of somebody who may not give one, of something else than a small JPEG, and of somebody who is blocked.
#[test]
fn no_member_puts_something_else_in_the_place_of_a_picture() {
    let mut town = Town::new();
    let (alice, bob) = (town.sign_up("alice"), town.sign_up("bob"));
    let mallory = Impostor::sign_up(&town, "mallory");
    let with = vec!["bob".to_owned(), "mallory".to_owned()];
    town.wish(alice, Command::NewChat { title: "Three".to_owned(), with });
    let group = mallory.join(&town);
    let picture = |town: &Town, who: Who| town.read(who, |store| query::conversation_picture(store, &group));
    let head = b"\xff\xd8\xff\xe0\0\x04ab\xff\xc0\0\x11\x08\0\x80\0\x80";
    let [mine, hers, other] = [1, 2, 3].map(|last| [&head[..], &[7; 3_000], &[last]].concat());
    town.wish(alice, Command::PictureChat { chat: "Three".to_owned(), jpeg: mine.clone() });
    // who may not, whether to all or as if to a newcomer
    for disposition in [1, 0] {
        mallory.say(&town, &group, b"", &pictured(disposition, &hers));
    }
    town.settle();
    assert_eq!([alice, bob].map(|who| picture(&town, who)), [Some(mine.clone()), Some(mine.clone())]);
    // who may, and says something else
    town.wish(alice, Command::SetAdmin { chat: "Three".to_owned(), who: "mallory".to_owned(), on: true });
    let (mut large, long) = (mine.clone(), [&mine[..], &[0; 9_000]].concat());
    large[13..17].copy_from_slice(&[0xff; 4]);
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
    for wrong in [&svg[..], b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x10\0\0\0\x10", &large, &long, &head[..9], &[0]] {
        mallory.say(&town, &group, b"", &pictured(1, wrong));
    }
    town.settle();
    assert_eq!([alice, bob].map(|who| picture(&town, who)), [Some(mine.clone()), Some(mine)]);
    mallory.say(&town, &group, b"", &pictured(1, &hers));
    town.settle();
    assert_eq!(
        [alice, bob].map(|who| picture(&town, who)),
        [Some(hers.clone()), Some(hers.clone())],
        "a true one counts"
    );
    let account = town.read(bob, query::contacts).into_iter().find(|row| row.handle == "mallory").unwrap().account;
    town.wish(bob, Command::Decide { account, decision: Decision::Blocked });
    mallory.say(&town, &group, b"", &pictured(1, &other));
    town.settle();
    assert_eq!([alice, bob].map(|who| picture(&town, who)), [Some(other), Some(hers)]);
}

/// CHK-7, attack 15 turned round: whoever is in a group cannot keep its members from sending with a root that the log never
/// had: nothing counts but what the log itself has signed.
#[test]
fn a_made_up_root_of_a_member_stops_nobody() {
    let mut town = Town::new();
    let alice = town.sign_up("alice");
    let mallory = Impostor::sign_up(&town, "mallory");
    assert!(is_done(&town.send(alice, "mallory", "one")));
    let group = mallory.join(&town);
    let size = town.read(alice, |store| query::status(store, town.now_ms())).chain_size;
    let forger =
        NoteSigner::new("town.example/log".parse().unwrap(), KeyKind::Ed25519, SigningKey::from_bytes(&random()));
    for size in [1, size, size + 1, u64::MAX >> 2] {
        let log = SeenCheckpoint { size, root: Digest::sha256(b"made up") };
        let signed = Checkpoint::new("town.example/log".parse().unwrap(), size, log.root).sign(&forger).unwrap();
        for (number, note) in [Vec::new(), b"no note".to_vec(), signed.to_string().into_bytes()].into_iter().enumerate()
        {
            mallory.say(&town, &group, &Gossip { log, note }.encode(), &words(&format!("{number} at {size}")));
        }
    }
    town.settle();
    town.pass_ms(120_000);
    assert_eq!(town.texts(alice, None).len(), 1 + 12);
    assert!(lies(&town, alice).is_empty());
    assert!(is_done(&town.send(alice, "mallory", "two")));
}

/// Attack 39, SND-3: the very bytes of somebody's message, sent by another member, take nothing from it: both are shown,
/// each under the name of its sender, whichever the service lets come first.
#[test]
fn the_words_of_another_do_not_take_the_place_of_his() {
    for copy_first in [false, true] {
        let mut town = Town::new();
        let (alice, bob) = (town.sign_up("alice"), town.sign_up("bob"));
        let mallory = Impostor::sign_up(&town, "mallory");
        let with = vec!["bob".to_owned(), "mallory".to_owned()];
        town.wish(alice, Command::NewChat { title: "Three".to_owned(), with });
        let group = mallory.join(&town);
        mallory.hear(&town, &group);
        town.liar.change_deliveries(swapped(bob, copy_first));
        assert!(is_done(&town.send(alice, "Three", "mine")));
        for content in mallory.hear(&town, &group) {
            mallory.say(&town, &group, b"", &content);
        }
        town.settle();
        let rows = town.read(bob, |store| query::messages(store, None, 10));
        let mut from: Vec<_> = rows.iter().filter(|row| row.text == "mine").map(|row| row.device).collect();
        if copy_first {
            from.reverse();
        }
        assert_eq!(from.len(), 2, "{rows:?}");
        assert_eq!(from[0], town.id(alice));
        assert_ne!(from[1], town.id(alice));
        assert_eq!(newest(&town, alice).text, "mine");
    }
}

/// Attack 57: what a member encrypts need not be a content. It is kept as something that cannot be shown, asks for nothing, and
/// what follows is read.
#[test]
fn bytes_that_are_no_content_are_something_that_cannot_be_shown() {
    let mut town = Town::new();
    let alice = town.sign_up("alice");
    let mallory = Impostor::sign_up(&town, "mallory");
    assert!(is_done(&town.send(alice, "mallory", "one")));
    let group = mallory.join(&town);
    for content in [Vec::new(), vec![0xff; 3], vec![0; 4_096], pad(&[0x9f; 100]).unwrap(), words("two")] {
        mallory.say(&town, &group, b"", &content);
    }
    town.settle();
    let rows = town.read(alice, |store| query::messages(store, None, 10));
    assert_eq!((rows.len(), rows[5].text.as_str()), (6, "two"));
    for row in &rows[1..5] {
        assert_eq!(
            (row.text.as_str(), row.state),
            ("(something that this version cannot show)", query::MessageState::Received)
        );
    }
    assert!(is_done(&town.send(alice, "mallory", "three")));
}

/// Attack 34, GRP-7: Mallory makes two commits for one epoch, and the service, which is with her, shows one to Bob and the other
/// to everybody else. Bob understands nobody any more; he comes in again by himself, and nothing is lost.
#[test]
fn whoever_is_led_to_another_branch_of_a_group_comes_back() {
    let mut town = Town::new();
    let (alice, bob) = (town.sign_up("alice"), town.sign_up("bob"));
    let mallory = Impostor::sign_up(&town, "mallory");
    let with = vec!["bob".to_owned(), "mallory".to_owned()];
    town.wish(alice, Command::NewChat { title: "Three".to_owned(), with });
    assert!(is_done(&town.send(alice, "Three", "one")));
    let group = mallory.join(&town);
    let state = mallory.state_of(&town, &group);
    let (for_bob, for_others) = (mallory.enter(&state), mallory.enter(&state));
    let (for_bob, shown) = (for_bob.commit, for_others.commit.0.clone());
    town.liar.change_deliveries(move |who, mut deliveries| {
        for it in deliveries.iter_mut().filter(|it| who == bob && it.bytes.0 == shown) {
            it.bytes = for_bob.clone();
        }
        deliveries
    });
    mallory.submit(&town, &group, &for_others);
    town.settle();
    let mut texts = vec!["one".to_owned()];
    for (who, text) in [(alice, "two"), (bob, "three"), (alice, "four"), (alice, "five"), (alice, "six")] {
        // only Alice knows what she called it
        let to = if who == alice { "Three".to_owned() } else { group.to_string() };
        town.command(who, Command::Send { to, text: text.to_owned() });
        town.settle();
        texts.push(text.to_owned());
    }
    for _ in 0..20 {
        town.pass_ms(60_000);
    }
    let events = town.send(bob, &group.to_string(), "seven");
    assert!(is_done(&events), "{events:?}");
    texts.push("seven".to_owned());
    for who in [alice, bob] {
        let mut read = town.texts(who, None);
        read.sort();
        texts.sort();
        assert_eq!(read, texts);
        assert!(lies(&town, who).is_empty());
    }
}

/// Holds back what a device would get until there are two messages for it, and gives them in the other order.
fn swapped(to: Who, is_on: bool) -> impl FnMut(Who, Vec<Delivery>) -> Vec<Delivery> {
    move |who, mut deliveries| {
        if who != to || !is_on {
            return deliveries;
        }
        let messages: Vec<_> =
            (0..deliveries.len()).filter(|index| deliveries[*index].kind == DeliveryKind::Message).collect();
        match messages.as_slice() {
            [] => deliveries,
            [_] => Vec::new(),
            [.., one, other] => {
                let (first, second) = (deliveries[*one].bytes.clone(), deliveries[*other].bytes.clone());
                (deliveries[*one].bytes, deliveries[*other].bytes) = (second, first);
                deliveries
            }
        }
    }
}

/// SLF-1: what only one's own devices say to each other, said by another member of a group, changes nothing.
#[test]
fn settings_of_somebody_else_are_none() {
    let mut town = Town::new();
    let alice = town.sign_up("alice");
    let mallory = Impostor::sign_up(&town, "mallory");
    assert!(is_done(&town.send(alice, "mallory", "one")));
    let group = mallory.join(&town);
    let (device, conversation) = (town.id(alice), town.read(alice, query::conversations)[0].group);
    let before = town.read(alice, query::devices);
    let of = |key: SettingKey| Setting { key: key.encode(), stamp: u64::MAX, device, value: b"mallory".to_vec() };
    let settings = [SettingKey::DeviceName(device), SettingKey::Title(conversation), SettingKey::Password].map(of);
    for (content_type, bytes) in [(SETTINGS, encode_settings(&settings)), (SETTINGS_WANTED, Vec::new())] {
        let part = Part::Signal { content_type: content_type.to_owned(), bytes };
        let content = Content::of([4; 16], part).encode();
        let log = SeenCheckpoint { size: 1, root: Digest::sha256(b"made up") };
        let aad = Gossip { log, note: Vec::new() }.encode();
        mallory.say(&town, &group, &aad, &pad(&content).unwrap());
    }
    town.settle();
    assert_eq!(town.read(alice, query::devices), before);
    assert_eq!(town.read(alice, query::conversations)[0].title, "mallory");
    assert!(town.read(alice, query::notices).is_empty());
    // who is who, and her text
    assert_eq!(mallory.hear(&town, &group).len(), 2, "alice has answered nothing");
}
