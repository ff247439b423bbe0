//! Groups that the service made up, leaves that it put in, commits that it changed on the way. Rules GRP-1 to GRP-6;
//! attacks 33 to 36, 41.

use chain::block::Parameters;
use chain::id::DeviceId;
use chain::log::checkpoint::LogSignedCheckpoint;
use chain::log::note::SignedNote;
use chain::sigchain::device_set::DeviceSet;
use chain::sigchain::entry::SeenCheckpoint;
use client::query;
use client::step::{Answer, Command};
use protocol::api::delivery::{
    CLAIM, ClaimRequest, ClaimedKeyPackage, CommitSubmission, Delivery, DeliveryKind, GROUP_UNKNOWN, GROUPS,
    GroupState, OwnGroup, OwnGroups,
};
use protocol::api::{ACCOUNTS, AccountAnswer, GENESIS, GenesisAnswer};
use protocol::bytes::Base64Url;
use protocol::id::GroupId;
use protocol::members::{Members, Standing};
use scenarios::impostor::Impostor;
use scenarios::town::{Town, Who};

use crate::{account, bearer, group, is_done, lies, newest, reasons, refused, send, two};

const MADE_UP: GroupId = GroupId([7; 32]);
const FOREIGN: &str = "mls.leaf_not_in_chain";

/// What the record says of these accounts, as a group names it: all of it true.
fn members(town: &Town, who: &[Who]) -> Members {
    let found = who.iter().map(|who| {
        let account = account(town, *who);
        let answer: AccountAnswer = town.ask_for(&format!("{ACCOUNTS}{account}?since=0"), None, None);
        (account, Standing::of(&DeviceSet::decode(&answer.record.0).unwrap()))
    });
    let accounts = found.collect();
    let genesis: GenesisAnswer = town.ask_for(GENESIS, None, None);
    let policy = Parameters::decode(&genesis.parameters.0).unwrap().policy;
    let note = SignedNote::parse(genesis.head.checkpoint.as_bytes()).unwrap();
    let signed = LogSignedCheckpoint::verify(&note, &policy).unwrap();
    let log = SeenCheckpoint { size: signed.checkpoint().size, root: signed.checkpoint().root };
    Members { log, accounts }
}

/// Hands a device something behind all that it has.
fn deliver(town: &mut Town, to: Who, kind: DeliveryKind, group: GroupId, epoch: u64, bytes: Base64Url) {
    let mut once = Some(Delivery { position: 1_000_000, kind, group: Some(group), epoch, bytes, at_s: 0, from: None });
    town.liar.change_deliveries(move |who, mut deliveries| {
        if who == to {
            deliveries.extend(once.take());
        }
        deliveries
    });
    town.settle();
}

/// Attack 33, GRP-1, GRP-4: the service lists a group that there is not. All in it is true but for one thing: the key of
/// the leaf that goes by the name of Alice's device.
#[test]
fn a_made_up_group_under_a_true_name_is_not_entered() {
    let (mut town, alice, bob) = two();
    let impostor = Impostor::new(account(&town, alice), town.id(alice));
    let state = impostor.group(&MADE_UP, &members(&town, &[alice, bob]));
    town.liar.change_answers(move |who, call, answer| match answer {
        Answer::Ok(body) if who == bob && call.path == GROUPS && call.body.is_none() => {
            let mut told: OwnGroups = serde_json::from_slice(&body).unwrap();
            told.groups.push(OwnGroup { group: MADE_UP, epoch: 1, present: false, position: 1 });
            Answer::Ok(serde_json::to_vec(&told).unwrap())
        }
        _ if who == bob && call.path == format!("{GROUPS}/{MADE_UP}") => {
            Answer::Ok(serde_json::to_vec(&state).unwrap())
        }
        answer => answer,
    });
    town.restart(bob);
    town.settle();
    assert_eq!(lies(&town, bob), [(FOREIGN.to_owned(), Vec::new())]);
    let inside = format!("{GROUPS}/{MADE_UP}/");
    assert!(!town.liar.answered.iter().any(|(who, call, _)| *who == bob && call.path.starts_with(&inside)));
    // what there is goes on
    assert!(is_done(&town.send(alice, "bob", "three")));
    assert_eq!(town.texts(bob, None), ["one", "two", "three"]);
}

/// Attack 33, GRP-1: the same group, by a Welcome to a key package that the service has.
#[test]
fn a_welcome_into_a_made_up_group_is_refused() {
    let (mut town, alice, bob) = two();
    let claim = ClaimRequest { account: account(&town, bob), device: town.id(bob) };
    let claim = serde_json::to_vec(&claim).unwrap();
    let claimed: ClaimedKeyPackage = town.ask_for(CLAIM, Some(claim), bearer(&town, alice));
    let impostor = Impostor::new(account(&town, alice), town.id(alice));
    impostor.group(&MADE_UP, &members(&town, &[alice, bob]));
    let (welcome, state) = impostor.welcome(&MADE_UP, &claimed.key_package.0);
    town.liar.answer_instead(move |who, call| {
        let is_it = who == bob && call.path.starts_with(&format!("{GROUPS}/{MADE_UP}"));
        is_it.then(|| Answer::Ok(serde_json::to_vec(&state).unwrap()))
    });
    deliver(&mut town, bob, DeliveryKind::Welcome, MADE_UP, 1, welcome);
    assert_eq!(lies(&town, bob), [(FOREIGN.to_owned(), Vec::new())]);
    assert_eq!(town.read(bob, query::conversations).len(), 1);
    assert!(is_done(&town.send(bob, "alice", "three")));
}

/// Attacks 1 and 33, GRP-4, GRP-6: a ghost of Bob's account commits itself into the group of Alice and Bob. Alice sees it,
/// and writes there to nobody any more.
#[test]
fn a_ghost_that_commits_itself_into_a_group_stops_it_visibly() {
    for takes_a_name in [false, true] {
        let (mut town, alice, bob) = two();
        let id = group(&town, alice);
        let state: GroupState = town.ask_for(&format!("{GROUPS}/{id}"), None, bearer(&town, alice));
        // a device of its own, or that of Bob, as if he had lost his state
        let device = if takes_a_name { town.id(bob) } else { DeviceId([7; 16]) };
        let commit = Impostor::new(account(&town, bob), device).enter(&state).commit;
        deliver(&mut town, alice, DeliveryKind::Commit, id, state.epoch, commit);
        assert_eq!(lies(&town, alice), [(FOREIGN.to_owned(), Vec::new())], "{takes_a_name}");
        let events = town.send(alice, "bob", "three");
        assert_eq!(reasons(&events), [FOREIGN], "{events:?}");
        assert_eq!(town.texts(bob, None), ["one", "two"]);
    }
}

/// Attacks 33 and 41, SND-1: a key package that is not that of the device, or has no keys in it, is not used, however often the
/// service gives it out. Who waits is told why, and the message goes when there is a true one.
#[test]
fn a_foreign_or_empty_key_package_lets_nobody_in() {
    for empty in [false, true] {
        let mut town = Town::new();
        let (bob, alice, mallory) = (town.sign_up("bob"), town.sign_up("alice"), town.sign_up("mallory"));
        town.send(alice, "mallory", "hello");
        let whose = if empty { bob } else { mallory };
        let claim = serde_json::to_vec(&ClaimRequest { account: account(&town, whose), device: town.id(whose) });
        let mut false_one: ClaimedKeyPackage = town.ask_for(CLAIM, Some(claim.unwrap()), bearer(&town, alice));
        if empty {
            // behind four numbers of two bytes and the length of the key
            false_one.key_package.0[10..1_226].fill(0);
        }
        town.liar.change(CLAIM, move |_, told: &mut ClaimedKeyPackage| *told = false_one.clone());
        assert_eq!(reasons(&town.send(alice, "bob", "secret")), [FOREIGN]);
        town.pass_ms(240_000);
        let claims = town.asked.iter().filter(|(who, path)| *who == alice && path == CLAIM);
        assert_eq!(claims.count(), 2, "not claimed at once again");
        assert!(town.texts(bob, None).is_empty());
        assert_eq!(town.texts(mallory, None), ["hello"]);
        town.liar.stop();
        town.pass_ms(301_000);
        assert_eq!(town.texts(bob, None), ["secret"]);
        assert_eq!(town.texts(mallory, None), ["hello"]);
    }
}

/// Attacks 34, 35, GRP-4: a commit that was changed on its way to Carol fits nothing that she has. She comes in again by
/// herself, and reads what follows.
#[test]
fn whoever_gets_another_commit_than_the_rest_comes_in_again() {
    for from_the_end in [5, 400] {
        let (mut town, alice, bob) = two();
        let carol = town.sign_up("carol");
        let with = vec!["bob".to_owned(), "carol".to_owned()];
        town.wish(alice, Command::NewChat { title: "Friends".to_owned(), with });
        town.send(alice, "Friends", "all of you");
        assert_eq!(town.texts(carol, None), ["all of you"]);
        let mut is_told = false;
        town.liar.change_deliveries(move |who, mut deliveries| {
            let commit = deliveries.iter_mut().find(|it| who == carol && it.kind == DeliveryKind::Commit);
            if let Some(commit) = commit.filter(|_| !is_told) {
                let place = commit.bytes.0.len() - from_the_end;
                commit.bytes.0[place] ^= 1;
                is_told = true;
            }
            deliveries
        });
        town.add_device("bob", bob, false);
        town.send(alice, "Friends", "and your desktop");
        let commits = town.liar.delivered.iter().filter(|(_, it)| it.kind == DeliveryKind::Commit);
        assert!(commits.map(|(who, _)| *who).any(|who| who == carol));
        assert!(is_done(&town.send(alice, "Friends", "again")));
        assert_eq!(town.texts(carol, None).last().unwrap(), "again", "{from_the_end}");
        let friends = group(&town, carol).to_string();
        let events = town.send(carol, &friends, "here again");
        assert!(is_done(&events), "{events:?}");
        assert!(town.texts(bob, None).contains(&"here again".to_owned()));
    }
}

/// Attack 34: the tree that the service hands out for a Welcome is not the one that it was made for. Bob takes neither, and
/// comes in by himself.
#[test]
fn a_welcome_with_another_tree_is_refused_and_there_is_another_way_in() {
    for garbled in [false, true] {
        let mut town = Town::new();
        let (bob, alice) = (town.sign_up("bob"), town.sign_up("alice"));
        let mut seen = 0;
        town.liar.change_answers(move |who, call, answer| match answer {
            Answer::Ok(body) if who == bob && call.path.starts_with(GROUPS) && call.path.contains("?epoch=") => {
                let mut told: GroupState = serde_json::from_slice(&body).unwrap();
                let middle = told.tree.0.len() / 2;
                if garbled {
                    told.tree.0[middle] ^= 1
                } else {
                    told.tree.0.truncate(middle)
                }
                seen += 1;
                assert_eq!(seen, 1, "asked once");
                Answer::Ok(serde_json::to_vec(&told).unwrap())
            }
            answer => answer,
        });
        assert!(is_done(&town.send(alice, "bob", "one")));
        town.settle();
        assert!(lies(&town, bob).is_empty());
        assert!(is_done(&town.send(alice, "bob", "two")));
        assert_eq!(town.texts(bob, None).last().unwrap(), "two", "{garbled}");
        assert!(is_done(&town.send(bob, "alice", "three")));
        assert_eq!(newest(&town, alice).text, "three");
        let entered = town.liar.answered.iter().filter(|(who, call, _)| *who == bob && call.path.ends_with("/commits"));
        assert_eq!(entered.count(), 1);
    }
}

/// Attack 36, I10: everybody commits at once, and the service answers one of them late, time after time. Of each epoch one
/// commit is taken, nobody is left behind, and each message comes once to every device.
#[test]
fn whoever_always_loses_the_race_for_a_commit_gets_through() {
    let (mut town, alice, bob) = two();
    let (carol, dave) = (town.sign_up("carol"), town.sign_up("dave"));
    let with = ["bob", "carol", "dave"].map(str::to_owned).to_vec();
    town.wish(alice, Command::NewChat { title: "Friends".to_owned(), with });
    town.send(alice, "Friends", "all of you");
    let friends = newest(&town, carol).group;
    let everybody = [alice, bob, carol, dave];
    let mut texts = vec!["all of you".to_owned()];
    let mut lost = 0;
    // the service is never there for Dave when he commits, four times over
    town.liar.answer_instead(move |who, call| {
        let is_unlucky = who == dave && call.path.ends_with("/commits") && lost < 4;
        lost += u32::from(is_unlucky);
        is_unlucky.then_some(Answer::Unreachable)
    });
    for round in 0..3 {
        let newcomer = town.add_device("bob", bob, false);
        town.set_online(newcomer, false);
        let device = town.id(newcomer);
        assert!(is_done(&town.wish(bob, Command::Remove { device })));
        for who in everybody {
            let text = format!("{round} of {who:?}");
            town.command(who, send(&friends.to_string(), &text));
            texts.push(text);
        }
        town.settle();
        town.pass_ms(40_000);
    }
    texts.sort();
    for who in everybody {
        let rows = town.read(who, |store| query::messages(store, Some(&friends.to_string()), 100));
        let mut shown: Vec<_> = rows.into_iter().map(|row| row.text).collect();
        shown.sort();
        assert_eq!(shown, texts, "{who:?}");
    }
    let taken = |(_, call, answer): &&(Who, client::step::Call, Answer)| {
        call.path == format!("{GROUPS}/{friends}/commits") && matches!(answer, Answer::Ok(_))
    };
    let bodies = town.liar.answered.iter().filter(taken).map(|(_, call, _)| call.body.clone().unwrap());
    let mut epochs: Vec<_> =
        bodies.map(|it| serde_json::from_slice::<CommitSubmission>(&it).unwrap().base_epoch).collect();
    let all = epochs.len();
    epochs.sort_unstable();
    epochs.dedup();
    assert_eq!(epochs.len(), all, "one commit for each epoch");
}

/// Attack 39: a new device is told that there is no such group. It is held up, for as long as nobody writes there, and is let in
/// by whoever does.
#[test]
fn a_device_that_is_told_of_no_group_is_let_in_with_the_next_message() {
    let (mut town, alice, bob) = two();
    town.send(alice, "bob", "one");
    let told = town.liar.answered.len();
    town.liar.answer_instead(|_, call| {
        let is_group = call.body.is_none() && call.path.starts_with(&format!("{GROUPS}/"));
        is_group.then(|| refused(GROUP_UNKNOWN))
    });
    let desktop = town.add_device("bob", bob, false);
    town.pass_ms(60_000);
    assert!(town.liar.answered[told..].iter().any(|(who, call, _)| *who == desktop && call.path.contains(GROUPS)));
    assert!(!town.texts(desktop, None).contains(&"one".to_owned()));
    town.liar.stop();
    assert!(is_done(&town.send(alice, "bob", "two")));
    // what his other devices have decided about her was kept from it too
    let group = town.read(alice, query::conversations)[0].group.to_string();
    assert_eq!(town.texts(desktop, Some(&group)), ["two"], "{:?}", town.read(desktop, query::conversations));
    assert!(is_done(&town.send(desktop, "alice", "three")));
    assert_eq!(newest(&town, alice).text, "three");
}

/// GRP-7, HIS-5: a group is said to be at an epoch to which no commit leads. The device enters anew, once an hour at most, does not
/// ask for ever for what does not come, and what is written meanwhile goes out by itself.
#[test]
fn a_group_that_is_said_to_be_ahead_is_entered_once_an_hour() {
    let (mut town, alice, bob) = two();
    town.liar.change_answers(|_, call, answer| match answer {
        Answer::Ok(body) if call.path == GROUPS && call.body.is_none() => {
            let mut told: OwnGroups = serde_json::from_slice(&body).unwrap();
            told.groups.iter_mut().for_each(|it| it.epoch += 7);
            Answer::Ok(serde_json::to_vec(&told).unwrap())
        }
        answer => answer,
    });
    let asked = |town: &Town, end: &str| {
        let of_bob = |(who, path): &&(Who, String)| *who == bob && path.contains(end);
        town.asked.iter().filter(of_bob).count()
    };
    let (commits, feeds) = (asked(&town, "/commits"), asked(&town, "/feed?"));
    town.restart(bob);
    town.settle();
    assert!(is_done(&town.send(bob, "alice", "three")));
    town.restart(bob);
    town.settle();
    assert!(!is_done(&town.send(bob, "alice", "four")), "it is too soon to enter again");
    town.pass_ms(600_000);
    assert_eq!(asked(&town, "/commits") - commits, 1);
    town.pass_ms(3_600_000);
    assert_eq!(town.texts(alice, None)[2..], ["three", "four"]);
    assert_eq!(asked(&town, "/commits") - commits, 2);
    assert!(asked(&town, "/feed?") - feeds < 30, "{}", asked(&town, "/feed?") - feeds);
}
