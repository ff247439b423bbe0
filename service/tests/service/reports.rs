//! Reports to the operator: who was reported, by how many and why; how many a day, for how long, and what nobody learns by them.
//! Rule PPL-5.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::Ordering;

use axum::body::to_bytes;
use axum::http::Request;
use chain::id::AccountId;
use protocol::api::reports::{REPORT_KEPT_S, REPORTS, Reason, Report, Reported};
use protocol::limits::DAY_S;
use rusqlite::Connection;
use service::{ReportsError, Service, Told, forget_reports, told_of};

use crate::accounts::token;
use crate::blobs::eventually;
use crate::mls::Member;
use crate::world::{LOOPBACK, World, answer, ask, block_on};

fn report(service: &Service, by: &Member, account: AccountId, reason: Reason) -> Result<Reported, String> {
    by.post(service, REPORTS, &Report { account, reason })
}

fn told(world: &World) -> Vec<Told> {
    told_of(&world.data, world.now_s.load(Ordering::Relaxed)).unwrap()
}

/// By how many, and how many of them for which reason.
fn counted(world: &World, account: &AccountId) -> (u64, BTreeMap<Reason, u64>) {
    let row = told(world).into_iter().find(|row| row.account == *account);
    row.map(|row| (row.reporters, row.reasons)).unwrap_or_default()
}

/// The same device with a token of now.
fn renewed(service: &Service, who: Member) -> Member {
    let token = token(service, who.account, &who.device).unwrap();
    Member { token, ..who }
}

#[test]
fn an_account_counts_once_with_its_newest_reason_and_over_a_kill() {
    let world = World::new();
    let service = world.open().unwrap();
    let [alice, bob, mallory] = [(); 3].map(|()| Member::alone(&service));
    assert!(told(&world).is_empty());
    report(&service, &alice, mallory.account, Reason::Spam).unwrap();
    world.pass(60);
    report(&service, &bob, mallory.account, Reason::Spam).unwrap();
    assert_eq!(counted(&world, &mallory.account), (2, [(Reason::Spam, 2)].into()));
    // another device of an account, another reason
    let tablet = bob.second(&service);
    report(&service, &tablet, mallory.account, Reason::Impersonation).unwrap();
    let now = [(Reason::Spam, 1), (Reason::Impersonation, 1)];
    drop(service);
    assert_eq!(counted(&world, &mallory.account), (2, now.into()), "beside a service that does not run");
    let service = world.open().unwrap();
    assert_eq!(counted(&world, &mallory.account), (2, now.into()));
    let row = told(&world).remove(0);
    assert_eq!(row.last_s - row.first_s, 60);
    let mode = std::fs::metadata(world.data.join("reports.sqlite")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "who reported whom is nobody else's");

    // most of all first
    report(&service, &mallory, bob.account, Reason::Other).unwrap();
    let order: Vec<_> = told(&world).into_iter().map(|row| row.account).collect();
    assert_eq!(order, [mallory.account, bob.account]);
    assert_eq!(forget_reports(&world.data, &mallory.account).unwrap(), 2);
    assert_eq!(told(&world).len(), 1);
    report(&service, &alice, mallory.account, Reason::Abuse).unwrap();
    assert_eq!(counted(&world, &mallory.account), (1, [(Reason::Abuse, 1)].into()));
    world.pass(REPORT_KEPT_S);
    assert!(told(&world).is_empty());
    let rows = || {
        let db = Connection::open(world.data.join("reports.sqlite")).unwrap();
        db.query_row("SELECT COUNT(*) FROM reports", [], |row| row.get::<_, u32>(0)).unwrap()
    };
    eventually("they are gone from the disk", || rows() == 0);
}

#[test]
fn only_a_confirmed_device_reports_and_nobody_himself() {
    let world = World::new();
    let service = world.open().unwrap();
    let (bob, mallory) = (Member::alone(&service), Member::alone(&service));
    let waiting = bob.list(&service);
    let about = |who: &Member| Report { account: who.account, reason: Reason::Spam };
    let refused = |code: &str| Err::<Reported, _>(code.to_owned());
    assert_eq!(report(&service, &waiting, mallory.account, Reason::Spam), refused("device.unconfirmed"));
    assert_eq!(report(&service, &bob, bob.account, Reason::Spam), refused("report.own"));
    let body = serde_json::to_string(&about(&mallory)).unwrap();
    assert_eq!(answer(&service, Request::post(REPORTS), body.clone(), LOOPBACK), refused("token.invalid"));
    let more = body.replace('}', r#","text":"buy this"}"#);
    for (body, code) in [
        (more, "request.malformed"),
        (body.replace("spam", "he is rude"), "request.malformed"),
        ("{}".to_owned(), "request.malformed"),
        (" ".repeat(2_000), "request.too_large"),
    ] {
        assert_eq!(answer(&service, bob.request(Request::post(REPORTS)), body, LOOPBACK), refused(code));
    }
    assert!(told(&world).is_empty());
    assert!(matches!(told_of(&world.data.join("elsewhere"), 0), Err(ReportsError::NoService)));
    assert!(matches!(forget_reports(&world.data.join("elsewhere"), &bob.account), Err(ReportsError::NoService)));
}

/// No oracle: the answer is the same to the byte, whoever is meant; and the operator is not shown accounts that never were.
#[test]
fn an_account_that_does_not_exist_is_answered_like_one_that_does() {
    let world = World::new();
    let service = world.open().unwrap();
    let (bob, mallory) = (Member::alone(&service), Member::alone(&service));
    let answered = |account: AccountId| {
        block_on(async {
            let body = serde_json::to_string(&Report { account, reason: Reason::Spam }).unwrap();
            let response = ask(&service, bob.request(Request::post(REPORTS)), body, LOOPBACK).await;
            let (status, headers) = (response.status(), response.headers().clone());
            (status, headers, to_bytes(response.into_body(), 1_000).await.unwrap())
        })
    };
    let there = answered(mallory.account);
    assert_eq!((there.0.as_u16(), &there.2[..]), (200, &b"{}"[..]));
    assert_eq!(answered(AccountId([9; 32])), there);
    let shown: Vec<_> = told(&world).into_iter().map(|row| row.account).collect();
    assert_eq!(shown, [mallory.account]);
}

#[test]
fn an_account_makes_twenty_reports_a_day_whatever_happens_to_the_service() {
    let world = World::new();
    let service = world.open().unwrap();
    let bob = Member::alone(&service);
    for number in 1..=20 {
        report(&service, &bob, AccountId([number; 32]), Reason::Spam).unwrap();
        // its answer was lost: the same again is no other one
        report(&service, &bob, AccountId([number; 32]), Reason::Spam).unwrap();
    }
    let refused = Err::<Reported, _>("rate.limited".to_owned());
    assert_eq!(report(&service, &bob, AccountId([21; 32]), Reason::Spam), refused);
    assert_eq!(report(&service, &bob, AccountId([1; 32]), Reason::Abuse), refused, "another reason is one more");
    drop(service);
    let service = world.open().unwrap();
    assert_eq!(report(&service, &bob, AccountId([21; 32]), Reason::Spam), refused);
    let alice = Member::alone(&service);
    report(&service, &alice, AccountId([1; 32]), Reason::Spam).unwrap();
    world.pass(DAY_S);
    let bob = renewed(&service, bob);
    report(&service, &bob, AccountId([21; 32]), Reason::Spam).unwrap();
}
