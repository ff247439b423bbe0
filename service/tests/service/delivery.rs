//! Groups, messages and feeds, through the router, with devices that speak MLS and stand in the record.

use axum::body::Body as HttpBody;
use axum::http::Request;
use protocol::api::delivery::{
    CommitSubmission, DeliveryKind, GroupState, KEPT_S, KeyPackages, MAX_MESSAGE, MAX_RELAY, MessageSubmission,
    OwnGroups, Submitted, Welcomed,
};
use protocol::bytes::Base64Url;
use protocol::id::GroupId;
use protocol::members::Roles;
use protocol::refusal::Problem;
use service::Service;

use crate::accounts::removing;
use crate::mls::{Member, Plan, members};
use crate::world::{LOOPBACK, World, answer, ask, block_on, proven, submit};

pub(crate) const GROUP: GroupId = GroupId([7; 32]);

fn refused<T>(code: &str) -> Result<T, String> {
    Err(code.into())
}

/// A group of the first one's making, with all others welcomed.
pub(crate) fn group_of(service: &Service, all: &[&Member]) {
    all[0].create(service, &GROUP);
    let accounts: Vec<_> = all.iter().map(|it| it.account).collect();
    let add = all[1..].iter().map(|it| (*it, it.key_package(false))).collect();
    let plan = Plan { add, ..Plan::of(members(service, &accounts)) };
    let commit = all[0].commit(&GROUP, &plan);
    all[0].submit(service, &GROUP, &commit).unwrap();
    all[0].merge(&GROUP);
    for member in &all[1..] {
        let welcome = member.texts(service, 0).into_iter().find(|it| it.kind == DeliveryKind::Welcome).unwrap();
        let state: GroupState = member.get(service, &format!("/v1/groups/{GROUP}?epoch={}", welcome.epoch)).unwrap();
        member.join(&welcome.bytes.0, &state.tree.0);
    }
}

fn ack(service: &Service, member: &Member, position: u64) -> Result<serde_json::Value, String> {
    member.post(service, "/v1/feed/ack", &serde_json::json!({ "position": position }))
}

/// How many rows of deliveries the closed service has.
fn rows(world: &World) -> u64 {
    let db = rusqlite::Connection::open(world.data.join("delivery.sqlite")).unwrap();
    let count: i64 = db.query_row("SELECT COUNT(*) FROM deliveries WHERE kind <> 4", [], |row| row.get(0)).unwrap();
    count.unsigned_abs()
}

#[test]
fn a_message_is_stored_once_and_read_by_every_leaf_and_by_nobody_else() {
    let world = World::new();
    let service = world.open().unwrap();
    let (alice, bob, carol) = (Member::alone(&service), Member::alone(&service), Member::alone(&service));
    group_of(&service, &[&alice, &bob]);
    let sent = alice.send(&service, &GROUP, &alice.encrypt(&GROUP, b"hello")).unwrap();
    assert_eq!(sent.epoch, 1);
    let [got] = &bob.texts(&service, sent.position - 1)[..] else { panic!("one delivery") };
    assert_eq!((got.position, got.kind, got.group, got.epoch), (sent.position, DeliveryKind::Message, Some(GROUP), 1));
    assert_eq!(bob.read(&GROUP, &got.bytes.0).unwrap(), b"hello");
    assert_eq!(alice.texts(&service, sent.position - 1), std::slice::from_ref(got));
    assert!(carol.texts(&service, 0).is_empty());
    assert_eq!(carol.send(&service, &GROUP, &alice.encrypt(&GROUP, b"x")), refused("group.unknown"));
    assert_eq!(carol.state(&service, &GROUP).map(drop), refused("group.unknown"));
    service.close().unwrap();
    // the commit, the Welcome and the message
    assert_eq!(rows(&world), 3);
}

#[test]
fn the_same_submission_again_gets_the_same_answer_and_is_there_once() {
    let world = World::new();
    let service = world.open().unwrap();
    let (alice, bob) = (Member::alone(&service), Member::alone(&service));
    let asked = alice.creation(&GROUP, &members(&service, &[alice.account]), &Roles::default());
    let created: Submitted = alice.post(&service, "/v1/groups", &asked).unwrap();
    assert_eq!(alice.post(&service, "/v1/groups", &asked), Ok(created));
    assert_eq!(bob.post::<Submitted>(&service, "/v1/groups", &asked), refused("mls.leaf_not_in_chain"));
    let plan = Plan {
        add: vec![(&bob, bob.key_package(false))],
        ..Plan::of(members(&service, &[alice.account, bob.account]))
    };
    let commit = alice.commit(&GROUP, &plan);
    let first = alice.submit(&service, &GROUP, &commit).unwrap();
    assert_eq!(alice.submit(&service, &GROUP, &commit), Ok(first));
    alice.merge(&GROUP);
    let message = alice.encrypt(&GROUP, b"once");
    let sent = alice.send(&service, &GROUP, &message).unwrap();
    assert_eq!(alice.send(&service, &GROUP, &message), Ok(sent));
    let relayed = alice.relay(&service, &alice, b"note").unwrap();
    assert_eq!(alice.relay(&service, &alice, b"note"), Ok(relayed));
    drop(service);
    let service = world.open().unwrap();
    assert_eq!(alice.submit(&service, &GROUP, &commit), Ok(first));
    assert_eq!(alice.send(&service, &GROUP, &message), Ok(sent));
    let kinds: Vec<_> = alice.texts(&service, 0).into_iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [DeliveryKind::Commit, DeliveryKind::Message, DeliveryKind::Relay]);
}

/// Attack 34, invariant I10.
#[test]
fn of_two_commits_for_one_epoch_one_is_taken_and_the_other_learns_the_epoch() {
    let world = World::new();
    let service = world.open().unwrap();
    let (alice, bob) = (Member::alone(&service), Member::alone(&service));
    group_of(&service, &[&alice, &bob]);
    let both = members(&service, &[alice.account, bob.account]);
    let (first, second) = (alice.commit(&GROUP, &Plan::of(both.clone())), bob.commit(&GROUP, &Plan::of(both)));
    let taken = alice.submit(&service, &GROUP, &first).unwrap();
    assert_eq!(taken.epoch, 2);
    let request = bob.request(Request::post(format!("/v1/groups/{GROUP}/commits")));
    let problem: Problem = block_on(async {
        let response = ask(&service, request, serde_json::to_vec(&second).unwrap(), LOOPBACK).await;
        assert_eq!(response.status(), 409);
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        serde_json::from_slice(&body).unwrap()
    });
    assert_eq!((problem.code.as_str(), problem.epoch), ("mls.stale_epoch", Some(2)));
    alice.merge(&GROUP);
    // bob follows, and then his message is of the new epoch
    let commits = bob.texts(&service, taken.position - 1);
    assert_eq!(bob.read(&GROUP, &commits[0].bytes.0), None);
    let sent = bob.send(&service, &GROUP, &bob.encrypt(&GROUP, b"after")).unwrap();
    assert_eq!(alice.read(&GROUP, &alice.texts(&service, sent.position - 1)[0].bytes.0).unwrap(), b"after");
}

#[test]
fn a_new_leaf_sees_what_comes_later_and_one_that_left_what_was_before() {
    let world = World::new();
    let service = world.open().unwrap();
    let (alice, bob, carol) = (Member::alone(&service), Member::alone(&service), Member::alone(&service));
    group_of(&service, &[&alice, &bob]);
    let early = alice.send(&service, &GROUP, &alice.encrypt(&GROUP, b"early")).unwrap();
    let plan = Plan {
        add: vec![(&carol, carol.key_package(false))],
        remove: vec![bob.id()],
        ..Plan::of(members(&service, &[alice.account, carol.account]))
    };
    let commit = alice.commit(&GROUP, &plan);
    let turn = alice.submit(&service, &GROUP, &commit).unwrap();
    alice.merge(&GROUP);
    let late = alice.send(&service, &GROUP, &alice.encrypt(&GROUP, b"late")).unwrap();
    let positions = |member: &Member| -> Vec<_> {
        member.texts(&service, early.position - 1).into_iter().map(|it| it.position).collect()
    };
    assert_eq!(positions(&bob), [early.position, turn.position]);
    assert_eq!(positions(&carol), [turn.position + 1, late.position]);
    assert_eq!(bob.send(&service, &GROUP, &bob.encrypt(&GROUP, b"ghost")), refused("group.unknown"));
    let groups = |member: &Member| member.get::<OwnGroups>(&service, "/v1/groups").unwrap().groups;
    assert!(groups(&bob).is_empty());
    assert_eq!(groups(&carol).iter().map(|it| (it.epoch, it.present)).collect::<Vec<_>>(), [(2, true)]);
}

/// CNF-3: whoever asks again has not got the answer, so the same again arrives again; a retry does not.
#[test]
fn the_same_body_is_delivered_again_once_it_was_taken() {
    let world = World::new();
    let service = world.open().unwrap();
    let alice = Member::alone(&service);
    let pending = alice.list(&service);
    let first = alice.relay(&service, &pending, b"offer").unwrap();
    assert_eq!(alice.relay(&service, &pending, b"offer"), Ok(first));
    assert_eq!(pending.texts(&service, 0).len(), 1);
    ack(&service, &pending, first.position).unwrap();
    let second = alice.relay(&service, &pending, b"offer").unwrap();
    assert!(second.position > first.position);
    assert_eq!(pending.texts(&service, first.position).len(), 1);
}

#[test]
fn a_pending_device_relays_reads_its_inbox_hands_in_key_packages_and_nothing_else() {
    let world = World::new();
    let service = world.open().unwrap();
    let alice = Member::alone(&service);
    alice.create(&service, &GROUP);
    let pending = alice.list(&service);
    pending.relay(&service, &alice, b"reveal").unwrap();
    let there = alice.relay(&service, &pending, b"offer").unwrap();
    let got = pending.texts(&service, 0);
    assert_eq!((got.len(), got[0].bytes.0.as_slice()), (1, b"offer".as_slice()));
    assert_eq!(got[0].from, Some(alice.id().to_string()));
    ack(&service, &pending, there.position).unwrap();
    assert!(pending.texts(&service, 0).is_empty());
    let unconfirmed = "device.unconfirmed";
    assert_eq!(pending.get::<OwnGroups>(&service, "/v1/groups").map(drop), refused(unconfirmed));
    assert_eq!(pending.state(&service, &GROUP).map(drop), refused(unconfirmed));
    assert_eq!(pending.claim(&service, &alice).map(drop), refused(unconfirmed));
    assert_eq!(pending.send(&service, &GROUP, &alice.encrypt(&GROUP, b"x")), refused(unconfirmed));
    let none = KeyPackages { one_time: Vec::new(), last_resort: None };
    assert!(pending.post::<serde_json::Value>(&service, "/v1/key-packages", &none).is_ok());
    assert_eq!(alice.claim(&service, &pending).map(drop), refused("key_package.none"));
    let creation = pending.creation(&GroupId([8; 32]), &members(&service, &[alice.account]), &Roles::default());
    assert_eq!(pending.post::<Submitted>(&service, "/v1/groups", &creation), refused(unconfirmed));
    let stranger = Member::alone(&service);
    assert_eq!(stranger.relay(&service, &alice, b"spam"), refused("device.removed"));
    let codes: Vec<_> = (0_u8..40).map(|number| pending.relay(&service, &alice, &[number]).map(drop)).collect();
    assert_eq!(codes.last().unwrap(), &refused("rate.limited"));
}

/// Attack 33: no leaf but the devices that the record confirms, whoever asks; and the group stays as it was.
#[test]
fn a_foreign_leaf_is_refused_and_changes_nothing() {
    let world = World::new();
    let service = world.open().unwrap();
    let (alice, bob, mallory) = (Member::alone(&service), Member::alone(&service), Member::alone(&service));
    group_of(&service, &[&alice, &bob]);
    let before = alice.state(&service, &GROUP).unwrap();
    let pending = bob.list(&service);
    let foreign = "mls.leaf_not_in_chain";
    let accounts = [alice.account, bob.account];
    let try_add = |new: &Member, accounts: &[_]| {
        let plan = Plan { add: vec![(new, new.key_package(false))], ..Plan::of(members(&service, accounts)) };
        alice.submit(&service, &GROUP, &alice.commit(&GROUP, &plan))
    };
    // a device that waits, one of an account that is not named, one that names another account
    assert_eq!(try_add(&pending, &accounts), refused(foreign));
    assert_eq!(try_add(&mallory, &accounts), refused(foreign));
    let ghost = Member { account: bob.account, ..Member::alone(&service) };
    assert_eq!(try_add(&ghost, &accounts), refused(foreign));
    // who is no admin lets nobody in
    let plan = Plan {
        add: vec![(&mallory, mallory.key_package(false))],
        ..Plan::of(members(&service, &[alice.account, bob.account, mallory.account]))
    };
    assert_eq!(bob.submit(&service, &GROUP, &bob.commit(&GROUP, &plan)), refused(foreign));
    // nor makes itself one
    let roles = Some(Roles { admins: [bob.account].into(), open: true });
    let plan = Plan { roles, ..Plan::of(members(&service, &accounts)) };
    assert_eq!(bob.submit(&service, &GROUP, &bob.commit(&GROUP, &plan)), refused(foreign));
    // nor sends what another one made
    let plan = Plan::of(members(&service, &accounts));
    assert_eq!(bob.submit(&service, &GROUP, &alice.commit(&GROUP, &plan)), refused(foreign));
    // and a device of no member does not come in by itself
    let commit = mallory.enter(&GROUP, &before, &members(&service, &accounts));
    assert_eq!(mallory.submit(&service, &GROUP, &commit), refused("group.unknown"));
    assert_eq!(alice.state(&service, &GROUP).unwrap(), before);
}

#[test]
fn a_confirmed_device_enters_by_itself_and_again_after_it_lost_its_state() {
    let world = World::new();
    let service = world.open().unwrap();
    let (alice, bob) = (Member::alone(&service), Member::alone(&service));
    group_of(&service, &[&alice, &bob]);
    let second = bob.second(&service);
    let accounts = [alice.account, bob.account];
    let groups: OwnGroups = second.get(&service, "/v1/groups").unwrap();
    assert_eq!(groups.groups.iter().map(|it| (it.group, it.present)).collect::<Vec<_>>(), [(GROUP, false)]);
    let state = second.state(&service, &GROUP).unwrap();
    let commit = second.enter(&GROUP, &state, &members(&service, &accounts));
    let entered = second.submit(&service, &GROUP, &commit).unwrap();
    assert_eq!(entered.epoch, 2);
    assert_eq!(alice.read(&GROUP, &alice.texts(&service, entered.position - 1)[0].bytes.0), None);
    let sent = alice.send(&service, &GROUP, &alice.encrypt(&GROUP, b"to both")).unwrap();
    let got = second.texts(&service, 0);
    assert_eq!(got.iter().map(|it| it.position).collect::<Vec<_>>(), [sent.position]);
    assert_eq!(second.read(&GROUP, &got[0].bytes.0).unwrap(), b"to both");
    // the same device with nothing but its keys
    let again = Member::new(&service, bob.account, second.device);
    let state = again.state(&service, &GROUP).unwrap();
    let commit = again.enter(&GROUP, &state, &members(&service, &accounts));
    assert_eq!(again.submit(&service, &GROUP, &commit).unwrap().epoch, 3);
    assert_eq!(alice.group(&GROUP).members().count(), 3);
}

/// Attack 9, SND-2.
#[test]
fn a_group_with_a_removed_device_takes_no_message_until_it_is_out_and_none_of_before() {
    let world = World::new();
    let service = world.open().unwrap();
    let (alice, bob) = (Member::alone(&service), Member::alone(&service));
    let lost = bob.second(&service);
    alice.create(&service, &GROUP);
    let accounts = [alice.account, bob.account];
    let plan = Plan {
        add: vec![(&bob, bob.key_package(false)), (&lost, lost.key_package(false))],
        ..Plan::of(members(&service, &accounts))
    };
    alice.submit(&service, &GROUP, &alice.commit(&GROUP, &plan)).unwrap();
    alice.merge(&GROUP);
    alice.send(&service, &GROUP, &alice.encrypt(&GROUP, b"before")).unwrap();
    submit(&service, &removing(&service, &bob.account, &bob.device, &lost.device)).unwrap();
    let of_before = alice.encrypt(&GROUP, b"secret");
    assert_eq!(alice.send(&service, &GROUP, &of_before), refused("mls.removed_leaf"));
    assert_eq!(lost.get::<serde_json::Value>(&service, "/v1/feed?after=0"), refused("device.removed"));
    let plan = Plan { remove: vec![lost.id()], ..Plan::of(members(&service, &accounts)) };
    alice.submit(&service, &GROUP, &alice.commit(&GROUP, &plan)).unwrap();
    assert_eq!(alice.send(&service, &GROUP, &of_before), refused("mls.stale_epoch"));
    alice.merge(&GROUP);
    alice.send(&service, &GROUP, &alice.encrypt(&GROUP, b"after")).unwrap();
}

/// GRP-6: nothing that the rule does not see changes a group.
#[test]
fn commits_that_do_more_or_fit_less_than_they_say_are_refused() {
    let world = World::new();
    let service = world.open().unwrap();
    let (alice, bob, carol) = (Member::alone(&service), Member::alone(&service), Member::alone(&service));
    group_of(&service, &[&alice, &bob]);
    let accounts = [alice.account, bob.account];
    let plan = || Plan::of(members(&service, &accounts));
    let before = alice.state(&service, &GROUP).unwrap();
    let try_it = |commit: &CommitSubmission| alice.submit(&service, &GROUP, commit).map(drop);
    let good = alice.commit(&GROUP, &plan());
    let other = alice.commit(&GROUP, &plan());
    let invalid = refused("mls.commit_invalid");
    assert_eq!(try_it(&CommitSubmission { group_info: other.group_info, ..good.clone() }), invalid);
    assert_eq!(try_it(&CommitSubmission { group_info: before.group_info.clone(), ..good.clone() }), invalid);
    assert_eq!(try_it(&CommitSubmission { commit: good.group_info.clone(), ..good.clone() }), invalid);
    assert_eq!(
        try_it(&CommitSubmission { commit: Base64Url(vec![1; 40]), ..good.clone() }),
        refused("request.malformed")
    );
    let welcomed = vec![Welcomed { account: bob.account, device: bob.id() }];
    assert_eq!(try_it(&CommitSubmission { welcomed, ..good.clone() }), invalid);
    // who is added has to be welcomed
    let all = members(&service, &[alice.account, bob.account, carol.account]);
    let adding = alice.commit(&GROUP, &Plan { add: vec![(&carol, carol.key_package(false))], ..Plan::of(all) });
    assert_eq!(try_it(&CommitSubmission { welcome: Base64Url::default(), ..adding.clone() }), invalid);
    assert_eq!(try_it(&CommitSubmission { welcomed: Vec::new(), ..adding }), invalid);
    // a proposal of a kind that nobody looks at
    let context = alice.group(&GROUP).public_group().group_context().extensions().clone();
    assert_eq!(try_it(&alice.commit_by(&GROUP, &plan(), Some(context))), invalid);
    assert_eq!(alice.state(&service, &GROUP).unwrap(), before);
    assert_eq!(try_it(&alice.commit(&GROUP, &plan())), Ok(()));
}

/// Attacks 44, 54.
#[test]
fn no_changed_byte_of_a_commit_is_taken_or_ends_anything() {
    let world = World::new();
    let service = world.open().unwrap();
    let (alice, bob) = (Member::alone(&service), Member::alone(&service));
    group_of(&service, &[&alice, &bob]);
    let good = alice.commit(&GROUP, &Plan::of(members(&service, &[alice.account, bob.account])));
    let flipped = |bytes: &Base64Url, place: usize| {
        let mut bytes = bytes.clone();
        bytes.0[place] ^= 1 << (place % 8);
        bytes
    };
    let (commit, info) = (good.commit.0.len(), good.group_info.0.len());
    for place in (0..commit).step_by(commit / 60) {
        let bad = CommitSubmission { commit: flipped(&good.commit, place), ..good.clone() };
        // the membership tag at the end can be checked by members only: there every byte may pass
        if place < commit - 64 {
            alice.submit(&service, &GROUP, &bad).unwrap_err();
        }
    }
    for place in (0..info).step_by(info / 60) {
        let bad = CommitSubmission { group_info: flipped(&good.group_info, place), ..good.clone() };
        alice.submit(&service, &GROUP, &bad).unwrap_err();
    }
    assert_eq!(alice.submit(&service, &GROUP, &good).unwrap().epoch, 2);
}

/// Attacks 37, 38.
#[test]
fn a_key_package_is_handed_out_once_then_the_last_resort_answers() {
    let world = World::new();
    let service = world.open().unwrap();
    let (alice, bob) = (Member::alone(&service), Member::alone(&service));
    assert_eq!(bob.claim(&service, &alice), refused("key_package.none"));
    let one_time = vec![alice.key_package(false), alice.key_package(false)];
    let asked = KeyPackages { one_time: one_time.clone(), last_resort: Some(alice.key_package(true)) };
    alice.post::<serde_json::Value>(&service, "/v1/key-packages", &asked).unwrap();
    let claimed = [bob.claim(&service, &alice).unwrap(), bob.claim(&service, &alice).unwrap()];
    assert_eq!(claimed.as_slice(), one_time);
    let last = bob.claim(&service, &alice).unwrap();
    assert_eq!(bob.claim(&service, &alice), Ok(last.clone()));
    assert_eq!(asked.last_resort, Some(last.clone()));
    // what was handed out does not come back
    alice.post::<serde_json::Value>(&service, "/v1/key-packages", &asked).unwrap();
    assert_eq!(bob.claim(&service, &alice), Ok(last));
    let counted = alice.offer(&service, 15, false);
    assert_eq!((counted.one_time, counted.last_resort), (15, true));
    assert_eq!(alice.offer(&service, 15, false).one_time, 20);
    let foreign = KeyPackages { one_time: vec![bob.key_package(false)], last_resort: None };
    let put = |asked: &KeyPackages| alice.post::<serde_json::Value>(&service, "/v1/key-packages", asked).map(drop);
    assert_eq!(put(&foreign), refused("mls.leaf_not_in_chain"));
    let mixed = KeyPackages { one_time: vec![alice.key_package(true)], last_resort: None };
    assert_eq!(put(&mixed), refused("mls.commit_invalid"));
    // the first one, which got nothing, does not count
    for _ in 0..15 {
        bob.claim(&service, &alice).unwrap();
    }
    assert_eq!(bob.claim(&service, &alice), refused("rate.limited"));
    let carol = Member::alone(&service);
    carol.claim(&service, &alice).unwrap();
}

/// Attack 50.
#[test]
fn what_is_too_large_is_refused_before_it_is_read() {
    let world = World::new();
    let service = world.open().unwrap();
    let alice = Member::alone(&service);
    alice.create(&service, &GROUP);
    let too_large = "request.too_large";
    let message = MessageSubmission { epoch: 0, message: Base64Url(vec![0; MAX_MESSAGE + 1]) };
    assert_eq!(alice.send(&service, &GROUP, &message), refused(too_large));
    assert_eq!(alice.relay(&service, &alice, &[0; MAX_RELAY + 1]), refused(too_large));
    // an endless body is never read: what it announces is enough
    for path in ["/v1/groups".to_owned(), format!("/v1/groups/{GROUP}/commits"), "/v1/feed/ack".to_owned()] {
        let request = alice.request(Request::post(path)).header("content-length", "100000000");
        let endless = HttpBody::empty();
        assert_eq!(answer::<Submitted>(&service, request, endless, LOOPBACK), refused(too_large));
    }
    let request = Request::post(format!("/v1/groups/{GROUP}/commits"));
    assert_eq!(answer::<Submitted>(&service, request, vec![0; 1 << 20], LOOPBACK), refused("token.invalid"));
}

#[test]
fn what_was_answered_is_on_disk_and_stays_until_it_is_acknowledged() {
    let world = World::new();
    let service = world.open().unwrap();
    let (alice, bob) = (Member::alone(&service), Member::alone(&service));
    group_of(&service, &[&alice, &bob]);
    let sent = alice.send(&service, &GROUP, &alice.encrypt(&GROUP, b"kept")).unwrap();
    // as after a loss of power: the files as they are at the moment of the answer
    let copy = World::new();
    world.copy_to(&copy.data);
    std::fs::remove_file(copy.data.join("lock")).unwrap();
    let restored = copy.open().unwrap();
    assert_eq!(bob.texts(&restored, sent.position - 1).len(), 1);
    let next = alice.relay(&restored, &alice, b"next").unwrap();
    assert!(next.position > sent.position);
    drop(restored);
    ack(&service, &bob, sent.position).unwrap();
    service.close().unwrap();
    assert_eq!(rows(&world), 2, "alice has not acknowledged");
    let service = world.open().unwrap();
    assert_eq!(alice.texts(&service, 0).len(), 2);
    assert_eq!(ack(&service, &alice, u64::MAX / 2), refused("request.malformed"));
    ack(&service, &alice, sent.position).unwrap();
    service.close().unwrap();
    assert_eq!(rows(&world), 0);
    let service = world.open().unwrap();
    let later = alice.send(&service, &GROUP, &alice.encrypt(&GROUP, b"later")).unwrap();
    assert!(later.position > sent.position);
    assert_eq!(bob.texts(&service, sent.position)[0].position, later.position);
}

#[test]
fn what_nobody_fetches_is_gone_after_sixty_days() {
    let world = World::new();
    let service = world.open().unwrap();
    let (alice, bob) = (Member::alone(&service), Member::alone(&service));
    group_of(&service, &[&alice, &bob]);
    alice.send(&service, &GROUP, &alice.encrypt(&GROUP, b"old")).unwrap();
    world.pass(KEPT_S + 1);
    let alice = Member { token: crate::accounts::token(&service, alice.account, &alice.device).unwrap(), ..alice };
    let young = alice.send(&service, &GROUP, &alice.encrypt(&GROUP, b"young")).unwrap();
    service.close().unwrap();
    assert_eq!(rows(&world), 1);
    let service = world.open().unwrap();
    let bob = Member { token: crate::accounts::token(&service, bob.account, &bob.device).unwrap(), ..bob };
    assert_eq!(bob.texts(&service, 0).iter().map(|it| it.position).collect::<Vec<_>>(), [young.position]);
}

#[test]
fn a_change_of_a_record_is_told_to_its_devices_and_to_those_who_share_a_group() {
    let world = World::new();
    let service = world.open().unwrap();
    let (alice, bob, carol) = (Member::alone(&service), Member::alone(&service), Member::alone(&service));
    group_of(&service, &[&alice, &bob]);
    let hints = |member: &Member, about: &Member| {
        let all = member.feed(&service, 0).deliveries.into_iter();
        all.filter(|it| it.kind == DeliveryKind::Record && it.bytes.0 == about.account.0).count()
    };
    let before = bob.feed(&service, 0).up_to;
    let pending = bob.list(&service);
    bob.confirm(&service, &pending);
    // hints come from a thread of their own
    while alice.feed(&service, before).deliveries.len() + bob.feed(&service, before).deliveries.len() < 2
        || pending.feed(&service, before).deliveries.is_empty()
    {
        std::thread::yield_now();
    }
    assert_eq!((hints(&alice, &bob), hints(&bob, &bob), hints(&pending, &bob)), (1, 1, 1));
    assert_eq!(hints(&carol, &bob), 0);
    assert_eq!(proven(&service, &bob.account).unwrap().confirmed().len(), 2);
}

#[test]
fn of_an_account_that_was_just_opened_nobody_is_told() {
    let world = World::new();
    let service = world.open().unwrap();
    let alice = Member::alone(&service);
    let told = || {
        while !service.has_told_all().unwrap() {
            std::thread::yield_now();
        }
    };
    told();
    assert!(alice.feed(&service, 0).deliveries.is_empty());
    let pending = alice.list(&service);
    told();
    for member in [&alice, &pending] {
        assert!(matches!(member.feed(&service, 0).deliveries.as_slice(), [it] if it.kind == DeliveryKind::Record));
    }
}

/// A database that is new beside an older record is up to date at once, and not only with the next block.
#[test]
fn whoever_begins_behind_the_record_notes_where_it_is() {
    let world = World::new();
    let service = world.open().unwrap();
    let alice = Member::alone(&service);
    alice.list(&service);
    drop(service);
    for end in ["", "-wal", "-shm"] {
        std::fs::remove_file(world.data.join(format!("delivery.sqlite{end}"))).unwrap_or_default();
    }
    let service = world.open().unwrap();
    // the next heartbeat is a day away
    while !service.has_told_all().unwrap() {
        std::thread::yield_now();
    }
}

#[test]
fn a_feed_comes_in_pages_that_say_whether_more_follow() {
    let world = World::new();
    let service = world.open().unwrap();
    let alice = Member::alone(&service);
    let sent: Vec<_> = (0_u8..7).map(|it| alice.relay(&service, &alice, &[it]).unwrap().position).collect();
    let (mut after, mut got) = (0, Vec::new());
    loop {
        let page: protocol::api::delivery::Feed =
            alice.get(&service, &format!("/v1/feed?after={after}&limit=3")).unwrap();
        assert!(page.deliveries.len() <= 3 && page.up_to >= after);
        got.extend(page.deliveries.iter().filter(|it| it.kind == DeliveryKind::Relay).map(|it| it.position));
        after = page.up_to;
        if !page.more {
            break;
        }
    }
    assert_eq!(got, sent);
    assert!(alice.feed(&service, after).deliveries.is_empty());
}
