//! Sign-up, log-in, permits and tokens, as devices and attackers use them.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::Request;
use axum::http::request::Builder;
use chain::id::AccountId;
use chain::sigchain::body::Body;
use chain::sigchain::entry::Proposal;
use ed25519_dalek::Signer as _;
use protocol::api::EntryAccepted;
use protocol::api::accounts::{
    self, Challenge, LoggedIn, LoginChallenge, LoginFinish, LoginStart, OpaqueAnswer, Signup, SignupStart, Token,
    TokenHolder, TokenRequest,
};
use protocol::bytes::Base64Url;
use protocol::opaque::{KE1, KE3, Stretching, client};
use serde::Serialize;
use serde::de::DeserializeOwned;
use service::Service;

use crate::world::{
    Device, LOOPBACK, ORIGIN, World, account, answer, ask, block_on, nothing_seen, proven, proven_handle, submit,
};

const CHEAP: Stretching = Stretching { memory_kib: 8, passes: 1, lanes: 1 };
pub(crate) const PASSWORD: &[u8] = b"correct horse battery staple";

fn random(bytes: &mut [u8]) -> bool {
    getrandom::fill(bytes).is_ok()
}

fn post<T: DeserializeOwned>(
    service: &Service,
    path: &str,
    question: &impl Serialize,
    from: &str,
) -> Result<T, String> {
    answer(service, Request::post(path), serde_json::to_vec(question).unwrap(), from)
}

pub(crate) fn bearer(request: Builder, secret: &Base64Url) -> Builder {
    let text = serde_json::to_value(secret).unwrap();
    request.header("authorization", format!("Bearer {}", text.as_str().unwrap()))
}

/// The record of a password for an account to be.
fn registered(service: &Service, account: AccountId, password: &[u8]) -> Result<Base64Url, String> {
    let (registration, message) = client::start_registration(password, &mut random).unwrap();
    let question = SignupStart { account, message: Base64Url(message) };
    let found: OpaqueAnswer = post(service, accounts::SIGNUP_START, &question, LOOPBACK)?;
    Ok(Base64Url(registration.finish(password, &found.message.0, CHEAP, &mut random).unwrap()))
}

/// A sign-up, ready to be sent.
fn signup(service: &Service, device: &Device, handle: &str) -> (AccountId, Signup) {
    let (_, label) = proven_handle(service, handle);
    let (account, opening) = device.opening(Some(label));
    let record = registered(service, account, PASSWORD).unwrap();
    (account, Signup { record, proposal: Base64Url(opening.encode()) })
}

pub(crate) fn signed_up(service: &Service, handle: &str) -> (AccountId, Device) {
    let device = Device::new();
    let (account, signup) = signup(service, &device, handle);
    let accepted: EntryAccepted = post(service, accounts::SIGNUP, &signup, LOOPBACK).unwrap();
    assert!(accepted.quorum && accepted.account == account.to_string());
    (account, device)
}

fn begin(service: &Service, handle: &str, ke1: Vec<u8>, from: &str) -> Result<LoginChallenge, String> {
    let question = LoginStart { handle: handle.into(), message: Base64Url(ke1) };
    post(service, accounts::LOGIN_START, &question, from)
}

/// A log-in as an honest device does it. With a wrong password it cannot make the last message, and sends a guess.
pub(crate) fn log_in(service: &Service, handle: &str, password: &[u8], from: &str) -> Result<LoggedIn, String> {
    let (login, ke1) = client::start_login(password, &mut random).unwrap();
    let challenge = begin(service, handle, ke1, from)?;
    let ke3 = login.finish(password, &challenge.message.0, ORIGIN, CHEAP, &mut random);
    let question = LoginFinish { login: challenge.login, message: Base64Url(ke3.unwrap_or_else(|_| vec![7; KE3])) };
    post(service, accounts::LOGIN_FINISH, &question, from)
}

pub(crate) fn submit_with(service: &Service, proposal: &Proposal, permit: &Base64Url) -> Result<EntryAccepted, String> {
    answer(service, bearer(Request::post("/v1/entries"), permit), proposal.encode(), LOOPBACK)
}

pub(crate) fn joining(service: &Service, account: &AccountId, device: &Device) -> Proposal {
    device.joining(&proven(service, account).unwrap())
}

pub(crate) fn removing(service: &Service, account: &AccountId, by: &Device, other: &Device) -> Proposal {
    let set = proven(service, account).unwrap();
    let body = Body::DeviceRemoved { devices: vec![other.keys().id()], signer: by.keys().id() };
    by.sign(set.following(body, nothing_seen()))
}

static NUMBER: AtomicU64 = AtomicU64::new(1);

fn token_request(service: &Service, account: AccountId, device: &Device) -> TokenRequest {
    let Challenge { challenge } = answer(service, Request::post(accounts::TOKEN_CHALLENGE), "", LOOPBACK).unwrap();
    let id = device.keys().id();
    // of all devices of all tests: each has greater numbers than before
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let signature = device.chain.sign(&accounts::token_request(ORIGIN, &account, &id, number, &challenge.0));
    TokenRequest { account, device: id, challenge, number, signature: Base64Url(signature.to_bytes().to_vec()) }
}

pub(crate) fn token(service: &Service, account: AccountId, device: &Device) -> Result<Base64Url, String> {
    let request = token_request(service, account, device);
    post::<Token>(service, accounts::TOKENS, &request, LOOPBACK).map(|found| found.token)
}

fn holder(service: &Service, token: &Base64Url) -> Result<TokenHolder, String> {
    answer(service, bearer(Request::get(accounts::TOKENS), token), "", LOOPBACK)
}

#[test]
fn a_log_in_after_a_sign_up_lets_one_device_in() {
    let world = World::new();
    let service = world.open().unwrap();
    let (id, first) = signed_up(&service, "alice");
    let second = Device::new();
    assert_eq!(submit(&service, &joining(&service, &id, &second)).unwrap_err(), "login.permit");
    let found = log_in(&service, "Alice", PASSWORD, LOOPBACK).unwrap();
    assert_eq!(found.account, id);
    let accepted = submit_with(&service, &joining(&service, &id, &second), &found.permit).unwrap();
    assert_eq!(accepted.sequence, 1);
    submit(&service, &first.confirming(&proven(&service, &id).unwrap(), &second)).unwrap();
    // spent on the second device, so of no use to a third
    let third = joining(&service, &id, &Device::new());
    assert_eq!(submit_with(&service, &third, &found.permit).unwrap_err(), "login.permit");
}

/// A lost answer, and an account that changed in between, need no second log-in.
#[test]
fn a_permit_is_good_again_for_the_same_device() {
    let world = World::new();
    let service = world.open().unwrap();
    let (id, first) = signed_up(&service, "alice");
    let second = Device::new();
    let LoggedIn { permit, .. } = log_in(&service, "alice", PASSWORD, LOOPBACK).unwrap();
    let late = joining(&service, &id, &second);
    let set = proven(&service, &id).unwrap();
    submit(&service, &first.choosing(&set, chain::sigchain::body::ResetChoice::Never)).unwrap();
    assert!(submit_with(&service, &late, &permit).is_err());
    let proposal = joining(&service, &id, &second);
    let accepted = submit_with(&service, &proposal, &permit).unwrap();
    assert_eq!(submit_with(&service, &proposal, &permit).unwrap().entry, accepted.entry);
}

#[test]
fn a_permit_ends_and_is_of_its_account_only() {
    let world = World::new();
    let service = world.open().unwrap();
    let (alice, _) = signed_up(&service, "alice");
    let (bob, _) = signed_up(&service, "bob");
    let LoggedIn { permit, .. } = log_in(&service, "bob", PASSWORD, LOOPBACK).unwrap();
    let proposal = joining(&service, &alice, &Device::new());
    assert_eq!(submit_with(&service, &proposal, &permit).unwrap_err(), "login.permit");
    world.pass(accounts::PERMIT_S);
    let proposal = joining(&service, &bob, &Device::new());
    assert_eq!(submit_with(&service, &proposal, &permit).unwrap_err(), "login.permit");
    assert_eq!(submit_with(&service, &proposal, &Base64Url(vec![0; 32])).unwrap_err(), "login.permit");
}

#[test]
fn an_account_without_a_password_asks_for_no_permit() {
    let world = World::new();
    let service = world.open().unwrap();
    let (id, _) = account(&service);
    submit(&service, &joining(&service, &id, &Device::new())).unwrap();
}

/// RFC 9807 §10.9, attacks 31, 56.
#[test]
fn a_wrong_password_an_unknown_name_and_an_account_without_password_get_the_same_answers() {
    let world = World::new();
    let service = world.open().unwrap();
    signed_up(&service, "alice");
    let (_, label) = proven_handle(&service, "carol");
    submit(&service, &Device::new().opening(Some(label)).1).unwrap();
    let raw = |path: &str, question: Vec<u8>| {
        block_on(async {
            let response = ask(&service, Request::post(path), question, LOOPBACK).await;
            let (head, body) = response.into_parts();
            let body = axum::body::to_bytes(body, 1 << 16).await.unwrap();
            (head.status.as_u16(), format!("{:?}", head.headers), body.to_vec())
        })
    };
    let answers = ["alice", "nobody", "carol"].map(|handle| {
        let (_, ke1) = client::start_login(b"wrong", &mut random).unwrap();
        let start = LoginStart { handle: handle.into(), message: Base64Url(ke1) };
        let (status, headers, body) = raw(accounts::LOGIN_START, serde_json::to_vec(&start).unwrap());
        let challenge: LoginChallenge = serde_json::from_slice(&body).unwrap();
        let finish = LoginFinish { login: challenge.login, message: Base64Url(vec![7; KE3]) };
        let refused = raw(accounts::LOGIN_FINISH, serde_json::to_vec(&finish).unwrap());
        (status, headers, body.len(), refused)
    });
    assert_eq!((answers[0].0, answers[0].3.0), (200, 403));
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
    for (handle, password) in [("alice", b"wrong".as_slice()), ("nobody", PASSWORD), ("carol", PASSWORD)] {
        assert_eq!(log_in(&service, handle, password, LOOPBACK).unwrap_err(), "login.refused");
    }
}

/// RFC 9807 §10.9: who asks again about a name that nobody holds finds the same OPRF key behind it.
#[test]
fn an_unknown_name_is_answered_with_one_key() {
    let world = World::new();
    let service = world.open().unwrap();
    let (_, ke1) = client::start_login(b"guess", &mut random).unwrap();
    let evaluated = |handle| begin(&service, handle, ke1.clone(), LOOPBACK).unwrap().message.0[..32].to_vec();
    assert_eq!(evaluated("nobody"), evaluated("nobody"));
    assert_ne!(evaluated("nobody"), evaluated("no-one"));
}

#[test]
fn a_log_in_is_finished_once_and_in_time() {
    let world = World::new();
    let service = world.open().unwrap();
    signed_up(&service, "alice");
    let started = || {
        let (login, ke1) = client::start_login(PASSWORD, &mut random).unwrap();
        let challenge = begin(&service, "alice", ke1, LOOPBACK).unwrap();
        let message = login.finish(PASSWORD, &challenge.message.0, ORIGIN, CHEAP, &mut random).unwrap();
        LoginFinish { login: challenge.login, message: Base64Url(message) }
    };
    let finish = |question: &LoginFinish| post::<LoggedIn>(&service, accounts::LOGIN_FINISH, question, LOOPBACK);
    let once = started();
    assert!(finish(&once).is_ok());
    assert_eq!(finish(&once).unwrap_err(), "login.refused");
    let late = started();
    world.pass(accounts::LOGIN_S);
    assert_eq!(finish(&late).unwrap_err(), "login.refused");
}

#[test]
fn a_sign_up_sent_again_gets_the_same_answer_and_keeps_its_password() {
    let world = World::new();
    let service = world.open().unwrap();
    let (id, question) = signup(&service, &Device::new(), "alice");
    let send = |question: &Signup| post::<EntryAccepted>(&service, accounts::SIGNUP, question, LOOPBACK);
    let first = send(&question).unwrap();
    assert_eq!(send(&question).unwrap(), first);
    // another password for an account that is open: from whoever has read its first entry in the record
    let other = Signup { record: Base64Url(other_record(&service)), ..question.clone() };
    assert_eq!(send(&other).unwrap_err(), "chain.conflict");
    assert_eq!(registered(&service, id, b"mine").unwrap_err(), "chain.conflict");
    assert_eq!(log_in(&service, "alice", PASSWORD, LOOPBACK).unwrap().account, id);
}

/// A well-formed record that belongs to nobody.
fn other_record(service: &Service) -> Vec<u8> {
    registered(service, AccountId([9; 32]), b"mine").unwrap().0
}

/// Two answers were lost at once: one entry, one password, and nobody is told something else.
#[test]
fn a_sign_up_sent_many_times_at_once_opens_one_account() {
    let world = World::new();
    let service = world.open().unwrap();
    let (id, question) = signup(&service, &Device::new(), "alice");
    let results: Vec<_> = std::thread::scope(|scope| {
        let send = || post::<EntryAccepted>(&service, accounts::SIGNUP, &question, LOOPBACK);
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(send)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(results.iter().any(Result::is_ok));
    assert!(results.iter().all(|it| it.is_ok() || it.as_ref().unwrap_err() == "service.busy"));
    assert_eq!(log_in(&service, "alice", PASSWORD, LOOPBACK).unwrap().account, id);
}

/// An account that anybody opened without a password cannot be given one by a stranger.
#[test]
fn an_open_account_gets_no_password_from_a_stranger() {
    let world = World::new();
    let service = world.open().unwrap();
    let (id, opening) = Device::new().opening(None);
    submit(&service, &opening).unwrap();
    let question = Signup { record: Base64Url(other_record(&service)), proposal: Base64Url(opening.encode()) };
    let refused = post::<EntryAccepted>(&service, accounts::SIGNUP, &question, LOOPBACK);
    assert_eq!(refused.unwrap_err(), "chain.conflict");
    submit(&service, &joining(&service, &id, &Device::new())).unwrap();
}

#[test]
fn a_refused_sign_up_leaves_no_password() {
    let world = World::new();
    let service = world.open().unwrap();
    let (id, question) = signup(&service, &Device::new(), "alice");
    signed_up(&service, "alice");
    let send = |question: &Signup| post::<EntryAccepted>(&service, accounts::SIGNUP, question, LOOPBACK);
    assert_eq!(send(&question).unwrap_err(), "handle.taken");
    let mut broken = question.clone();
    *broken.proposal.0.last_mut().unwrap() ^= 1;
    assert!(send(&broken).is_err());
    service.close().unwrap();
    let database = std::fs::read(world.data.join("accounts.sqlite")).unwrap();
    assert!(!contains(&database, &id.0) && !contains(&database, &question.record.0));
}

/// Whoever is second is refused after his password was stored.
#[test]
fn of_many_sign_ups_for_one_name_one_password_stays() {
    let world = World::new();
    let service = world.open().unwrap();
    let questions: Vec<_> = (0..8).map(|_| signup(&service, &Device::new(), "alice")).collect();
    let results: Vec<_> = std::thread::scope(|scope| {
        let send = |question| post::<EntryAccepted>(&service, accounts::SIGNUP, question, LOOPBACK);
        let threads: Vec<_> = questions.iter().map(|(_, question)| scope.spawn(move || send(question))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let winner = log_in(&service, "alice", PASSWORD, LOOPBACK).unwrap().account;
    service.close().unwrap();
    let database = std::fs::read(world.data.join("accounts.sqlite")).unwrap();
    for ((id, question), result) in questions.iter().zip(results) {
        assert_eq!(result.map(drop), if *id == winner { Ok(()) } else { Err("handle.taken".into()) });
        assert_eq!(contains(&database, &question.record.0), *id == winner);
    }
}

#[test]
fn a_sign_up_takes_what_opens_an_account_only() {
    let world = World::new();
    let service = world.open().unwrap();
    let (id, _) = account(&service);
    let proposal = joining(&service, &id, &Device::new());
    let question = Signup { record: Base64Url(other_record(&service)), proposal: Base64Url(proposal.encode()) };
    let refused = post::<EntryAccepted>(&service, accounts::SIGNUP, &question, LOOPBACK);
    assert_eq!(refused.unwrap_err(), "request.malformed");
}

#[test]
fn a_restart_keeps_passwords_permits_and_tokens() {
    let world = World::new();
    let service = world.open().unwrap();
    let (id, device) = signed_up(&service, "alice");
    let LoggedIn { permit, .. } = log_in(&service, "alice", PASSWORD, LOOPBACK).unwrap();
    let token = token(&service, id, &device).unwrap();
    service.close().unwrap();
    let service = world.open().unwrap();
    assert_eq!(log_in(&service, "alice", PASSWORD, LOOPBACK).unwrap().account, id);
    assert!(holder(&service, &token).unwrap().confirmed);
    submit_with(&service, &joining(&service, &id, &Device::new()), &permit).unwrap();
}

/// Attack 56: a thousand guesses for one name, ten of them looked at; other names and addresses go on.
#[test]
fn log_ins_are_limited_by_name_and_by_address() {
    let world = World::new();
    let service = world.open().unwrap();
    let (_, ke1) = client::start_login(b"guess", &mut random).unwrap();
    let tries = |handle: &str, from: &str, count: usize| {
        (0..count).filter(|_| begin(&service, handle, ke1.clone(), from).is_ok()).count()
    };
    assert_eq!(tries("alice", LOOPBACK, 1_000), 10);
    assert_eq!(begin(&service, "Alice", ke1.clone(), "192.0.2.7:9").unwrap_err(), "rate.limited");
    assert_eq!(tries("bob", LOOPBACK, 10), 10);
    let from_one: usize = (0..8).map(|n| tries(&format!("name-{n}"), "192.0.2.1:9", 5)).sum();
    assert_eq!(from_one, 30);
    assert_eq!(tries("carol", "192.0.2.2:9", 1), 1);
    world.pass(60);
    assert_eq!(tries("alice", "192.0.2.1:9", 11), 10);
}

#[test]
fn a_token_says_who_asks_and_ends_with_its_device() {
    let world = World::new();
    let service = world.open().unwrap();
    let (id, first) = account(&service);
    let second = Device::new();
    assert_eq!(token(&service, id, &second).unwrap_err(), "device.removed");
    submit(&service, &joining(&service, &id, &second)).unwrap();
    let pending = token(&service, id, &second).unwrap();
    let found = holder(&service, &pending).unwrap();
    assert_eq!((found.account, found.device, found.confirmed), (id, second.keys().id(), false));
    submit(&service, &first.confirming(&proven(&service, &id).unwrap(), &second)).unwrap();
    assert!(holder(&service, &pending).unwrap().confirmed);
    submit(&service, &removing(&service, &id, &first, &second)).unwrap();
    assert_eq!(holder(&service, &pending).unwrap_err(), "device.removed");
    assert_eq!(token(&service, id, &second).unwrap_err(), "device.removed");
}

/// DEV-5: nobody answered, and no entry says so.
#[test]
fn a_lapsed_request_ends_the_pending_devices_token() {
    let world = World::new();
    let service = world.open().unwrap();
    let (id, _) = account(&service);
    let second = Device::new();
    submit(&service, &joining(&service, &id, &second)).unwrap();
    world.pass(7 * 86_400 - 1);
    let pending = token(&service, id, &second).unwrap();
    assert!(!holder(&service, &pending).unwrap().confirmed);
    world.pass(1);
    assert_eq!(holder(&service, &pending).unwrap_err(), "device.removed");
}

#[test]
fn a_token_ends_after_a_day_and_a_device_has_one() {
    let world = World::new();
    let service = world.open().unwrap();
    let (id, device) = account(&service);
    let mut tokens = Vec::new();
    for _ in 0..5 {
        tokens.push(token(&service, id, &device).unwrap());
        world.pass(1);
    }
    let alive = |token: &Base64Url| holder(&service, token).is_ok();
    assert_eq!(tokens.iter().map(alive).collect::<Vec<_>>(), [false, false, false, false, true]);
    world.pass(accounts::TOKEN_S);
    assert_eq!(holder(&service, &tokens[4]).unwrap_err(), "token.invalid");
    assert_eq!(holder(&service, &Base64Url(vec![1; 32])).unwrap_err(), "token.invalid");
    let without = answer::<TokenHolder>(&service, Request::get(accounts::TOKENS), "", LOOPBACK);
    assert_eq!(without.unwrap_err(), "token.invalid");
}

/// Attack 40: a signature for another challenge, device, account, service or key is none.
#[test]
fn a_token_request_is_signed_for_one_challenge_once() {
    let world = World::new();
    let service = world.open().unwrap();
    let ((id, device), (other, stranger)) = (account(&service), account(&service));
    let send = |request: &TokenRequest| post::<Token>(&service, accounts::TOKENS, request, LOOPBACK).map(drop);
    let request = token_request(&service, id, &device);
    assert_eq!(send(&request), Ok(()));
    let refused = Err("token.refused".to_owned());
    assert_eq!(send(&request), refused);
    let late = token_request(&service, id, &device);
    world.pass(accounts::CHALLENGE_S);
    assert_eq!(send(&late), refused);
    let mut moved = token_request(&service, other, &stranger);
    (moved.account, moved.device) = (id, device.keys().id());
    assert_eq!(send(&moved), refused);
    let mut cut = token_request(&service, id, &device);
    cut.signature.0.pop();
    assert_eq!(send(&cut), refused);
}

/// TOK-1, TOK-2, attack 7: a number that was used before is a copy's; then neither gets a token, and the one that there was is
/// worth nothing. A request that was only held up on its way is no copy's.
#[test]
fn of_two_copies_of_a_device_neither_gets_in() {
    let world = World::new();
    let service = world.open().unwrap();
    let (id, device) = account(&service);
    let send = |request: &TokenRequest| post::<Token>(&service, accounts::TOKENS, request, LOOPBACK);
    let held_up = token_request(&service, id, &device);
    let first = token(&service, id, &device).unwrap();
    assert_eq!(send(&held_up).unwrap_err(), "token.refused");
    assert!(holder(&service, &first).is_ok(), "and nothing comes of it");
    // a copy counts on from where it was made
    let mut copy = token_request(&service, id, &device);
    copy.number -= 1;
    let message = accounts::token_request(ORIGIN, &id, &copy.device, copy.number, &copy.challenge.0);
    copy.signature = Base64Url(device.chain.sign(&message).to_bytes().to_vec());
    assert_eq!(send(&copy).unwrap_err(), "device.cloned");
    assert_eq!(holder(&service, &first).unwrap_err(), "token.invalid");
    assert_eq!(token(&service, id, &device).unwrap_err(), "device.cloned");
    drop(service);
    let service = world.open().unwrap();
    assert_eq!(token(&service, id, &device).unwrap_err(), "device.cloned");
}

/// Attack 65: who has the database has no permit, no token and no name.
#[test]
fn the_database_holds_no_secret_and_no_name_in_clear() {
    let world = World::new();
    let service = world.open().unwrap();
    let handle = "marker-handle";
    let (id, device) = signed_up(&service, handle);
    let token = token(&service, id, &device).unwrap();
    let LoggedIn { permit, .. } = log_in(&service, handle, PASSWORD, LOOPBACK).unwrap();
    let setup = std::fs::read_to_string(world.data.join("keys/opaque")).unwrap();
    let check = |file: &Path| {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        let bytes = std::fs::read(file).unwrap();
        for secret in [&token.0[..], &permit.0, handle.as_bytes(), PASSWORD] {
            assert!(!contains(&bytes, secret), "{}", file.display());
        }
        for line in setup.lines() {
            let part: chain::id::Digest = line.parse().unwrap();
            assert!(!contains(&bytes, &part.0) && !contains(&bytes, line.as_bytes()), "{}", file.display());
        }
    };
    let in_clear = |name: &str| name.starts_with("accounts.sqlite");
    let files = |world: &World| -> Vec<_> {
        let entries = std::fs::read_dir(&world.data).unwrap().map(|entry| entry.unwrap());
        entries.filter(|it| in_clear(it.file_name().to_str().unwrap())).map(|it| it.path()).collect()
    };
    assert!(files(&world).len() >= 2, "the write-ahead log is looked at as well");
    files(&world).iter().for_each(|file| check(file));
    service.close().unwrap();
    files(&world).iter().for_each(|file| check(file));
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Attack 27: whatever comes in is answered.
#[test]
fn malformed_messages_are_refused_as_such() {
    let world = World::new();
    let service = world.open().unwrap();
    signed_up(&service, "alice");
    for length in [0, 1, 31, 32, 63, 64, 95, KE1, 192, 1_000] {
        let mut bytes = vec![0xff; length];
        random(&mut bytes);
        // never an element of the group
        bytes.iter_mut().take(32).for_each(|byte| *byte |= 0x81);
        let start = SignupStart { account: AccountId([1; 32]), message: Base64Url(bytes.clone()) };
        let malformed = Some("request.malformed".to_owned());
        assert_eq!(post::<OpaqueAnswer>(&service, accounts::SIGNUP_START, &start, LOOPBACK).err(), malformed);
        assert_eq!(begin(&service, &format!("name-{length}"), bytes.clone(), LOOPBACK).err(), malformed);
        let record = Signup { record: Base64Url(bytes.clone()), proposal: Base64Url(bytes.clone()) };
        assert_eq!(post::<EntryAccepted>(&service, accounts::SIGNUP, &record, LOOPBACK).err(), malformed);
    }
    let (_, ke1) = client::start_login(PASSWORD, &mut random).unwrap();
    let LoginChallenge { login, .. } = begin(&service, "alice", ke1, LOOPBACK).unwrap();
    let finish = |login: &Base64Url, length| {
        let question = LoginFinish { login: login.clone(), message: Base64Url(vec![1; length]) };
        post::<LoggedIn>(&service, accounts::LOGIN_FINISH, &question, LOOPBACK).unwrap_err()
    };
    assert_eq!(finish(&Base64Url(vec![1; 15]), KE3), "request.malformed");
    assert_eq!(finish(&Base64Url(vec![1; 16]), KE3), "login.refused");
    assert_eq!(finish(&login, KE3 + 1), "request.malformed");
    for path in [accounts::SIGNUP, accounts::LOGIN_START, accounts::LOGIN_FINISH, accounts::TOKENS] {
        for body in ["", "{", "[]", "{\"handle\":1}", "\u{0}"] {
            let refused = answer::<Token>(&service, Request::post(path), body, LOOPBACK);
            assert_eq!(refused.unwrap_err(), "request.malformed");
        }
    }
    for header in ["", "Bearer", "Bearer ", "Bearer !!", "Basic AAAA", "Bearer AAAA"] {
        let request = Request::get(accounts::TOKENS).header("authorization", header);
        assert_eq!(answer::<TokenHolder>(&service, request, "", LOOPBACK).unwrap_err(), "token.invalid");
    }
}
