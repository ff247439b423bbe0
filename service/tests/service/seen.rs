//! When devices were last here: told to their own account, coarsely, and kept without a disk for each request. Rule SEE-1.

use axum::http::Request;
use chain::id::{AccountId, DeviceId};
use protocol::api::accounts::{self, DevicesSeen};
use protocol::bytes::Base64Url;
use service::Service;

use crate::accounts::{bearer, joining, signed_up, submit_with, token};
use crate::push::Port;
use crate::world::{Device, LOOPBACK, World, answer, proven, submit};

/// Of each device when it was seen, and whether it listens.
type Seen = Vec<(DeviceId, Option<u64>, bool)>;

fn seen(service: &Service, token: &Base64Url) -> Result<Seen, String> {
    let told: DevicesSeen = answer(service, bearer(Request::get(accounts::DEVICES_SEEN), token), "", LOOPBACK)?;
    Ok(told.devices.into_iter().map(|it| (it.device, it.at_s, it.connected)).collect())
}

/// When one device was seen, as another is told.
fn seen_of(service: &Service, token: &Base64Url, device: &Device) -> Option<u64> {
    let id = device.keys().id();
    seen(service, token).unwrap().into_iter().find(|(it, ..)| *it == id).and_then(|(_, at_s, _)| at_s)
}

/// An account with two devices and one that waits, and the tokens of all.
fn three(service: &Service) -> (AccountId, [(Device, Base64Url); 3]) {
    let (id, first) = signed_up(service, "alice");
    let waiting = |handle: &str| {
        let device = Device::new();
        let permit = crate::accounts::log_in(service, handle, crate::accounts::PASSWORD, LOOPBACK).unwrap().permit;
        submit_with(service, &joining(service, &id, &device), &permit).unwrap();
        device
    };
    let second = waiting("alice");
    submit(service, &first.confirming(&proven(service, &id).unwrap(), &second)).unwrap();
    let third = waiting("alice");
    let devices = [first, second, third].map(|device| {
        let token = token(service, id, &device).unwrap();
        (device, token)
    });
    (id, devices)
}

/// SEE-1: minutes to a device of the account; to one that waits hours, and nothing of others that wait.
#[test]
fn a_device_hears_the_minute_and_one_that_waits_the_hour() {
    let world = World::new();
    let service = world.open().unwrap();
    let (_, [(first, one), (second, two), (third, waiting)]) = three(&service);
    seen(&service, &two).unwrap();
    let at_s = world.now_s();
    world.pass(20 * 3_600 + 47);
    assert_eq!(seen_of(&service, &one, &second), Some(at_s - at_s % 60));
    assert_eq!(seen_of(&service, &one, &first), Some(world.now_s() - world.now_s() % 60), "it asks just now");
    assert_eq!(seen_of(&service, &waiting, &second), Some(at_s - at_s % 3_600));
    let ids = |token| seen(&service, token).unwrap().into_iter().map(|(id, ..)| id).collect::<Vec<_>>();
    assert!(ids(&one).contains(&third.keys().id()));
    let mut both = [&first, &second].map(|device| device.keys().id()).to_vec();
    both.sort_unstable();
    assert_eq!(ids(&waiting), both);
    assert!(seen(&service, &waiting).unwrap().iter().all(|(.., connected)| !connected));
}

/// SEE-1: nobody else is told, whoever he is.
#[test]
fn nothing_is_told_of_another_account_or_to_nobody() {
    let world = World::new();
    let service = world.open().unwrap();
    let (_, [(first, one), ..]) = three(&service);
    let (bob, bobs) = signed_up(&service, "bob");
    let bobs_token = token(&service, bob, &bobs).unwrap();
    let ids: Vec<_> = seen(&service, &bobs_token).unwrap().into_iter().map(|(id, ..)| id).collect();
    assert_eq!(ids, [bobs.keys().id()]);
    assert!(!seen(&service, &one).unwrap().iter().any(|(id, ..)| *id == bobs.keys().id()));
    let refused = answer::<DevicesSeen>(&service, Request::get(accounts::DEVICES_SEEN), "", LOOPBACK);
    assert_eq!(refused.unwrap_err(), "token.invalid");
    assert!(seen_of(&service, &one, &first).is_some());
}

/// SEE-1: while it listens it is connected, and afterwards seen when it stopped.
#[test]
fn a_device_that_listens_is_connected_until_it_stops() {
    let world = World::new();
    let service = world.open().unwrap();
    let (_, [(_, one), (second, two), _]) = three(&service);
    let port = Port::open(&service);
    let socket = port.connect(&two, 0).unwrap();
    world.pass(10 * 3_600);
    let of_second = || seen(&service, &one).unwrap().into_iter().find(|(id, ..)| *id == second.keys().id()).unwrap();
    assert!(of_second().2);
    drop(socket);
    while of_second().2 {
        std::thread::yield_now();
    }
    let until_s = world.now_s();
    world.pass(3_600);
    assert_eq!(of_second().1, Some(until_s - until_s % 60));
}

/// SEE-1: an orderly end keeps all of it, a crash all but the last minutes; a request writes nothing by itself.
#[test]
fn what_was_seen_is_there_after_the_next_start() {
    let world = World::new();
    let service = world.open().unwrap();
    let (id, [(first, one), (second, two), _]) = three(&service);
    seen(&service, &two).unwrap();
    let kept_s = world.now_s();
    // at most once in five minutes: of what came since the last time the disk has nothing
    world.pass(30);
    seen(&service, &two).unwrap();
    let copy = World::new();
    world.copy_to(&copy.data);
    let database = rusqlite::Connection::open(copy.data.join("accounts.sqlite")).unwrap();
    let newest: i64 = database.query_row("SELECT MAX(at_s) FROM seen", [], |row| row.get(0)).unwrap();
    assert!(newest.unsigned_abs() <= kept_s);
    world.pass(30_000);
    seen(&service, &two).unwrap();
    let at_s = world.now_s();
    service.close().unwrap();
    world.pass(30_000);
    let service = world.open().unwrap();
    assert_eq!(seen_of(&service, &one, &second), Some(at_s - at_s % 60));
    assert!(token(&service, id, &first).is_ok());
}
