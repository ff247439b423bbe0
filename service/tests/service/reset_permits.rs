//! The operator's permit for a reset: what it opens, for whom and for how long, and what it does not open. Rules PMT-1 to
//! PMT-3; attack 11.

use std::path::Path;
use std::sync::atomic::Ordering;

use axum::http::Request;
use chain::handle::Handle;
use chain::id::AccountId;
use chain::sigchain::body::{Answer, Body, Confirmer, Predecessor, ResetChoice};
use chain::sigchain::entry::{Proposal, account_id};
use protocol::api::EntryAccepted;
use protocol::api::accounts::{
    PASSWORD_START, PasswordKept, RESET_PERMIT_AGAIN_S, RESET_PERMIT_S, TOKENS, TokenHolder,
};
use protocol::bytes::Base64Url;
use service::{Issued, PermitError, Service, issue_reset_permit};

use crate::accounts::{PASSWORD, bearer, joining, log_in, signed_up, submit_with};
use crate::world::{Device, LOOPBACK, World, account, answer, nothing_seen, proven, proven_handle, submit};

const HOUR_S: u64 = 3_600;

fn issue_in(data: &Path, handle: &str, now_s: u64) -> Result<Issued, PermitError> {
    issue_reset_permit(data, &Handle::parse(handle).unwrap(), now_s)
}

fn issue(world: &World, handle: &str) -> Result<Issued, PermitError> {
    issue_in(&world.data, handle, world.now_s.load(Ordering::Relaxed))
}

fn permit(world: &World, handle: &str) -> Base64Url {
    issue(world, handle).unwrap().permit.bearer_text()
}

/// What announces a reset of an account in favour of an identity whose first device this is.
fn announcing(service: &Service, account: &AccountId, device: &Device) -> Proposal {
    let set = proven(service, account).unwrap();
    let successor = account_id(&Body::AccountCreated {
        salt: [9; 32],
        device: device.keys(),
        reset_choice: ResetChoice::ThreeDays,
        handle: None,
        predecessor: Some(Predecessor { account: *account, head: set.head() }),
    });
    device.sign(set.following(Body::ResetRequested { successor, device: device.keys() }, nothing_seen()))
}

fn announce(service: &Service, account: &AccountId, device: &Device, permit: &Base64Url) -> Result<(), String> {
    submit_with(service, &announcing(service, account, device), permit).map(|_| ())
}

fn veto(service: &Service, account: &AccountId, device: &Device) {
    let set = proven(service, account).unwrap();
    let body = Body::ResetVetoed { notice: set.notice().unwrap().hash, signer: device.keys().id() };
    submit(service, &device.sign(set.following(body, nothing_seen()))).unwrap();
}

fn choose(service: &Service, account: &AccountId, device: &Device, choice: ResetChoice) {
    submit(service, &device.choosing(&proven(service, account).unwrap(), choice)).unwrap();
}

/// PMT-2: nobody's password was asked for, and everything that the record demands of a reset is as it was.
#[test]
fn a_permit_announces_a_reset_beside_a_running_service() {
    let world = World::new();
    let service = world.open().unwrap();
    let (bob, _) = signed_up(&service, "bob");
    let next = Device::new();
    assert_eq!(submit(&service, &announcing(&service, &bob, &next)).unwrap_err(), "login.permit");
    let issued = issue(&world, "Bob").unwrap();
    assert_eq!((issued.account, issued.wait_s), (bob, 72 * HOUR_S));
    announce(&service, &bob, &next, &issued.permit.bearer_text()).unwrap();
    let set = proven(&service, &bob).unwrap();
    let notice = set.notice().unwrap();
    assert_eq!((notice.device, notice.wait_s), (next.keys(), 72 * HOUR_S));
    world.pass(71 * HOUR_S);
    let path = format!("/v1/accounts/{bob}/reset");
    let opening = next.opening(None).1.encode();
    assert_eq!(
        answer::<EntryAccepted>(&service, Request::post(path), opening, LOOPBACK).unwrap_err(),
        "reset.too_early"
    );
}

/// It lies in the folder, so it may be made while the service is down.
#[test]
fn a_permit_that_was_made_while_the_service_was_down_is_good_when_it_is_up_again() {
    let world = World::new();
    let service = world.open().unwrap();
    let (bob, _) = signed_up(&service, "bob");
    service.close().unwrap();
    let permit = permit(&world, "bob");
    let service = world.open().unwrap();
    announce(&service, &bob, &Device::new(), &permit).unwrap();
}

/// PMT-2: no device, no confirmation, no token, no password, and nobody else's account.
#[test]
fn a_permit_opens_nothing_but_the_reset_of_its_account() {
    let world = World::new();
    let service = world.open().unwrap();
    let (bob, _) = signed_up(&service, "bob");
    let (alice, _) = signed_up(&service, "alice");
    let permit = permit(&world, "bob");
    let next = Device::new();
    assert_eq!(submit_with(&service, &joining(&service, &bob, &next), &permit).unwrap_err(), "login.permit");
    assert_eq!(announce(&service, &alice, &next, &permit).unwrap_err(), "login.permit");
    let refused = answer::<TokenHolder>(&service, bearer(Request::get(TOKENS), &permit), "", LOOPBACK);
    assert_eq!(refused.unwrap_err(), "token.invalid");
    let question = serde_json::json!({ "message": Base64Url(vec![7; 32]) }).to_string();
    let request = bearer(Request::post(PASSWORD_START), &permit);
    assert_eq!(answer::<PasswordKept>(&service, request, question, LOOPBACK).unwrap_err(), "token.invalid");
    // a device that waits by the password, and a stranger who has the permit
    let waiting = Device::new();
    let found = log_in(&service, "bob", PASSWORD, LOOPBACK).unwrap();
    submit_with(&service, &joining(&service, &bob, &waiting), &found.permit).unwrap();
    let set = proven(&service, &bob).unwrap();
    let device = waiting.keys().id();
    let added = set.pending()[&device].added;
    let first = *set.confirmed().keys().next().unwrap();
    let body = Body::DeviceConfirmed(Answer { added, device, signer: Confirmer::Device(first) });
    let stranger = next.sign(set.following(body, nothing_seen()));
    assert_eq!(submit_with(&service, &stranger, &permit).unwrap_err(), "entry.signature");
    // all of that has not spent it
    announce(&service, &bob, &next, &permit).unwrap();
}

/// PMT-3: and whoever shows it first may show it again, when an answer was lost.
#[test]
fn a_second_person_with_the_same_permit_is_refused() {
    let world = World::new();
    let service = world.open().unwrap();
    let (bob, first) = signed_up(&service, "bob");
    choose(&service, &bob, &first, ResetChoice::OneDay);
    let permit = permit(&world, "bob");
    let (one, other) = (Device::new(), Device::new());
    let proposal = announcing(&service, &bob, &one);
    let accepted = submit_with(&service, &proposal, &permit).unwrap();
    assert_eq!(submit_with(&service, &proposal, &permit).unwrap().entry, accepted.entry);
    assert_eq!(announce(&service, &bob, &other, &permit).unwrap_err(), "login.permit");
    veto(&service, &bob, &first);
    assert_eq!(announce(&service, &bob, &other, &permit).unwrap_err(), "login.permit");
    // before the record allows another announcement, the permit has ended for the first one too
    assert_eq!(announce(&service, &bob, &one, &permit).unwrap_err(), "reset.too_soon");
    world.pass(RESET_PERMIT_AGAIN_S);
    assert_eq!(announce(&service, &bob, &one, &permit).unwrap_err(), "login.permit");
    assert!(Some(RESET_PERMIT_AGAIN_S) < ResetChoice::OneDay.wait_s());
}

/// PMT-3: nobody can get another one by himself, so what the record refuses spends none.
#[test]
fn an_announcement_that_is_refused_spends_no_permit() {
    let world = World::new();
    let service = world.open().unwrap();
    let (bob, first) = signed_up(&service, "bob");
    choose(&service, &bob, &first, ResetChoice::OneDay);
    let permit = permit(&world, "bob");
    let found = log_in(&service, "bob", PASSWORD, LOOPBACK).unwrap();
    announce(&service, &bob, &Device::new(), &found.permit).unwrap();
    assert_eq!(announce(&service, &bob, &Device::new(), &permit).unwrap_err(), "reset.open");
    assert_eq!(issue(&world, "bob").unwrap_err().code(), "reset.open");
    veto(&service, &bob, &first);
    world.pass(25 * HOUR_S);
    announce(&service, &bob, &Device::new(), &permit).unwrap();
}

/// PMT-3.
#[test]
fn a_permit_lapses_and_another_one_ends_it() {
    let world = World::new();
    let service = world.open().unwrap();
    let (bob, _) = signed_up(&service, "bob");
    let (early, late) = (permit(&world, "bob"), permit(&world, "bob"));
    assert_eq!(announce(&service, &bob, &Device::new(), &early).unwrap_err(), "login.permit");
    world.pass(RESET_PERMIT_S);
    assert_eq!(announce(&service, &bob, &Device::new(), &late).unwrap_err(), "login.permit");
    let third = permit(&world, "bob");
    world.pass(RESET_PERMIT_S - 1);
    announce(&service, &bob, &Device::new(), &third).unwrap();
}

/// PMT-1: the database has a hash of a hash of it, and nothing that could be shown.
#[test]
fn a_permit_is_not_on_the_disk() {
    let world = World::new();
    let service = world.open().unwrap();
    signed_up(&service, "bob");
    let issued = issue(&world, "bob").unwrap();
    service.close().unwrap();
    let bytes = std::fs::read(world.data.join("accounts.sqlite")).unwrap();
    let (text, secret) = (issued.permit.to_string(), issued.permit.bearer());
    for marker in [text.as_bytes(), secret.as_slice()] {
        assert!(!bytes.windows(marker.len()).any(|part| part == marker));
    }
}

#[test]
fn an_operator_is_told_why_there_is_no_permit() {
    let world = World::new();
    let empty = world.data.join("empty");
    for folder in [&empty, &world.data] {
        assert!(matches!(issue_in(folder, "bob", 0), Err(PermitError::NoService)));
    }
    assert!(!empty.exists() && std::fs::read_dir(&world.data).unwrap().next().is_none(), "nothing is made");
    let service = world.open().unwrap();
    assert_eq!(issue(&world, "bob").unwrap_err().code(), "handle.unknown");
    let (bob, device) = signed_up(&service, "bob");
    choose(&service, &bob, &device, ResetChoice::Never);
    assert_eq!(issue(&world, "bob").unwrap_err().code(), "reset.never");
    // accounts without a name have none that an operator could say
    account(&service);
    std::fs::write(world.data.join("keys/vrf"), "no key").unwrap();
    assert_eq!(issue(&world, "bob").unwrap_err().code(), "store.io");
}

/// An account that was opened without a password asks nobody for anything; its permit is as good as none, and does no harm.
#[test]
fn an_account_without_a_password_has_a_permit_too() {
    let world = World::new();
    let service = world.open().unwrap();
    let (_, label) = proven_handle(&service, "carol");
    let (carol, opening) = Device::new().opening(Some(label));
    submit(&service, &opening).unwrap();
    let permit = permit(&world, "carol");
    announce(&service, &carol, &Device::new(), &permit).unwrap();
}
