//! Encrypted files: taken in part by part, resumed, limited, handed out, deleted.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Instant;

use axum::body::{Body as HttpBody, Bytes, to_bytes};
use axum::http::Request;
use protocol::api::blobs::{BLOB_KEPT_S, BLOB_WAITS_S, BlobOpening, BlobProgress, MAX_PIECE};
use protocol::blob::{Layout, MAX_FILE, MAX_PART};
use protocol::id::BlobId;
use service::Service;

use crate::accounts::token;
use crate::mls::Member;
use crate::world::{LOOPBACK, World, answer, ask, block_on};

const ID: BlobId = BlobId([9; 32]);

fn open(service: &Service, who: &Member, id: BlobId, size: u64) -> Result<BlobProgress, String> {
    who.post(service, &format!("/v1/blobs/{id}"), &BlobOpening { size })
}

fn put(service: &Service, who: &Member, at: u64, bytes: impl Into<HttpBody>) -> Result<BlobProgress, String> {
    answer(service, who.request(Request::post(format!("/v1/blobs/{ID}/parts?at={at}"))), bytes, LOOPBACK)
}

/// Status and body.
fn get(service: &Service, who: &Member, query: &str) -> (u16, Vec<u8>) {
    block_on(async {
        let request = who.request(Request::get(format!("/v1/blobs/{ID}{query}")));
        let response = ask(service, request, "", LOOPBACK).await;
        assert_eq!(response.headers()["cache-control"], "no-store");
        let status = response.status().as_u16();
        (status, to_bytes(response.into_body(), 1 << 22).await.unwrap().to_vec())
    })
}

/// The same device with a token of now.
fn renewed(service: &Service, who: Member) -> Member {
    let token = token(service, who.account, &who.device).unwrap();
    Member { token, ..who }
}

/// Waits for the thread that deletes.
pub(crate) fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let began = Instant::now();
    while !happened() {
        assert!(began.elapsed().as_secs() < 30, "never happened: {what}");
        std::thread::yield_now();
    }
}

fn blob(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at % 249).unwrap()).collect()
}

fn progress(size: usize, have: usize) -> Result<BlobProgress, String> {
    Ok(BlobProgress { size: size as u64, have: have as u64 })
}

fn refused<T>(code: &str) -> Result<T, String> {
    Err(code.into())
}

/// BLB-5: parts one behind the other, over a kill of the service, each once.
#[test]
fn a_blob_is_whole_when_its_parts_are_and_then_there_for_everybody_who_names_it() {
    let world = World::new();
    let service = world.open().unwrap();
    let (alice, bob) = (Member::alone(&service), Member::alone(&service));
    let bytes = blob(3_000_000);
    assert_eq!(put(&service, &alice, 0, "x"), refused("blob.gone"));
    assert_eq!(open(&service, &alice, ID, 3_000_000), progress(3_000_000, 0));
    assert_eq!(put(&service, &alice, 0, bytes[..1_000_000].to_vec()), progress(3_000_000, 1_000_000));
    assert_eq!(put(&service, &alice, 0, bytes[..1_000_000].to_vec()), refused("blob.offset"));
    assert_eq!(put(&service, &alice, 1_000_001, "x"), refused("blob.offset"));
    assert_eq!(get(&service, &bob, "").0, 404, "what is not whole is given to nobody");
    drop(service);
    let service = world.open().unwrap();
    assert_eq!(open(&service, &alice, ID, 3_000_000), progress(3_000_000, 1_000_000));
    assert_eq!(put(&service, &alice, 1_000_000, bytes[1_000_000..].to_vec()), progress(3_000_000, 3_000_000));
    assert_eq!(open(&service, &alice, ID, 3_000_000), progress(3_000_000, 3_000_000));
    assert_eq!(put(&service, &alice, 3_000_000, "x"), refused("blob.offset"));
    for who in [&alice, &bob] {
        let mut found = Vec::new();
        while found.len() < bytes.len() {
            let (status, piece) = get(&service, who, &format!("?at={}&length=99999999", found.len()));
            assert!(status == 200 && !piece.is_empty() && piece.len() as u64 <= MAX_PIECE);
            found.extend(piece);
        }
        assert!(found == bytes);
    }
    assert_eq!(get(&service, &bob, "?at=10&length=5").1, bytes[10..15]);
    assert_eq!(get(&service, &bob, "?at=3000000").1, b"");
    let file = world.data.join("blobs").join(ID.to_string());
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(world.data.join("blobs")).unwrap().permissions().mode() & 0o777, 0o700);
}

/// BLB-5, BLB-6: whoever has no token gets nothing, and nobody gets into what another account brings.
#[test]
fn nobody_else_writes_and_no_stranger_reads() {
    let world = World::new();
    let service = world.open().unwrap();
    let (alice, eve) = (Member::alone(&service), Member::alone(&service));
    open(&service, &alice, ID, 100).unwrap();
    assert_eq!(open(&service, &eve, ID, 100), refused("blob.exists"));
    assert_eq!(open(&service, &alice, ID, 101), refused("blob.exists"));
    assert_eq!(put(&service, &eve, 0, "x"), refused("blob.gone"));
    put(&service, &alice, 0, blob(100)).unwrap();
    let path = format!("/v1/blobs/{ID}");
    let unnamed = block_on(ask(&service, Request::get(&path), "", LOOPBACK));
    assert_eq!(unnamed.status(), 401);
    let unnamed: Result<BlobProgress, _> = answer(&service, Request::post(format!("{path}/parts?at=0")), "x", LOOPBACK);
    assert_eq!(unnamed, refused("token.invalid"));
    for wrong in ["/v1/blobs/..%2f..%2fkeys%2flog", "/v1/blobs/xyz", &format!("{path}0")] {
        let request = alice.request(Request::get(wrong));
        let status = block_on(ask(&service, request, "", LOOPBACK)).status();
        assert!(status == 400 || status == 404, "{wrong}: {status}");
    }
}

/// A body that breaks off: what came is kept, and the next part begins there (BLB-5).
#[test]
fn what_came_of_a_part_that_broke_off_is_kept() {
    let world = World::new();
    let service = world.open().unwrap();
    let alice = Member::alone(&service);
    let bytes = blob(2_000_000);
    open(&service, &alice, ID, 2_000_000).unwrap();
    let frames = [Ok(Bytes::copy_from_slice(&bytes[..700_000])), Err(std::io::Error::other("the line is dead"))];
    let broken = HttpBody::from_stream(futures_util::stream::iter(frames));
    assert_eq!(put(&service, &alice, 0, broken), refused("request.malformed"));
    assert_eq!(open(&service, &alice, ID, 2_000_000), progress(2_000_000, 700_000));
    put(&service, &alice, 700_000, bytes[700_000..].to_vec()).unwrap();
    assert_eq!(get(&service, &alice, "?at=699999&length=2").1, bytes[699_999..700_001]);
}

/// Attack 50: a body that is too long is refused by its announcement, and one without where it is.
#[test]
fn a_giant_body_is_refused_before_it_is_read() {
    let world = World::new();
    let service = world.open().unwrap();
    let alice = Member::alone(&service);
    let largest = Layout::of(MAX_FILE).unwrap().sealed();
    assert_eq!(open(&service, &alice, ID, largest + 1), refused("blob.too_large"));
    assert_eq!(open(&service, &alice, ID, 0), refused("blob.too_large"));
    open(&service, &alice, ID, largest).unwrap();
    let path = format!("/v1/blobs/{ID}/parts?at=0");
    let announced = alice.request(Request::post(&path)).header("content-length", MAX_PART + 1);
    // nobody ever sends its body
    let never = HttpBody::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
    assert_eq!(answer::<BlobProgress>(&service, announced, never, LOOPBACK), refused("request.too_large"));
    let frame = Bytes::from(vec![0; 1 << 20]);
    let frames = std::iter::repeat_with(move || Ok::<_, std::io::Error>(frame.clone()));
    let endless = HttpBody::from_stream(futures_util::stream::iter(frames));
    assert_eq!(put(&service, &alice, 0, endless), refused("request.too_large"));
    let small = HttpBody::from(vec![b' '; 2_000]);
    let opening = alice.request(Request::post(format!("/v1/blobs/{ID}")));
    assert_eq!(answer::<BlobProgress>(&service, opening, small, LOOPBACK), refused("request.too_large"));
    // and none is longer than was said
    let other = Member::alone(&service);
    let short = BlobId([8; 32]);
    open(&service, &other, short, 10).unwrap();
    let request = other.request(Request::post(format!("/v1/blobs/{short}/parts?at=0")));
    assert_eq!(answer::<BlobProgress>(&service, request, vec![0; 11], LOOPBACK), refused("blob.too_large"));
    assert_eq!(open(&service, &other, short, 10), progress(10, 0));
}

/// An account has only so much at the service, and brings only so much in a day.
#[test]
fn an_account_keeps_and_brings_as_much_as_it_may() {
    let mut world = World::new();
    world.limits.blobs_kept = std::num::NonZeroU32::new(3);
    world.limits.blob_bytes_kept = std::num::NonZeroU64::new(1_000);
    world.limits.blob_bytes_a_day = std::num::NonZeroU64::new(500);
    let service = world.open().unwrap();
    let (mut alice, bob) = (Member::alone(&service), Member::alone(&service));
    let id = |number: u8| BlobId([number; 32]);
    open(&service, &alice, id(1), 400).unwrap();
    assert_eq!(open(&service, &alice, id(2), 101), refused("rate.limited"));
    assert_eq!(open(&service, &alice, id(1), 400), progress(400, 0), "what is begun goes on");
    open(&service, &bob, id(2), 500).unwrap();
    world.pass(86_399);
    alice = renewed(&service, alice);
    assert_eq!(open(&service, &alice, id(3), 500), refused("rate.limited"));
    let request = alice.request(Request::post(format!("/v1/blobs/{}/parts?at=0", id(1))));
    answer::<BlobProgress>(&service, request, vec![0; 400], LOOPBACK).unwrap();
    world.pass(1);
    open(&service, &alice, id(3), 500).unwrap();
    world.pass(86_399);
    alice = renewed(&service, alice);
    let request = alice.request(Request::post(format!("/v1/blobs/{}/parts?at=0", id(3))));
    answer::<BlobProgress>(&service, request, vec![0; 500], LOOPBACK).unwrap();
    world.pass(1);
    assert_eq!(open(&service, &alice, id(4), 101), refused("blob.quota"));
    open(&service, &alice, id(4), 100).unwrap();
    assert_eq!(open(&service, &alice, id(5), 1), refused("blob.quota"));
}

/// BLB-6: 60 days, and a day for what was never finished; at the next start the disk is empty too.
#[test]
fn a_blob_goes_when_its_time_is_over_and_a_dropped_one_sooner() {
    let world = World::new();
    let service = world.open().unwrap();
    let alice = Member::alone(&service);
    let dropped = BlobId([8; 32]);
    open(&service, &alice, ID, 100).unwrap();
    put(&service, &alice, 0, blob(100)).unwrap();
    open(&service, &alice, dropped, 100).unwrap();
    let request = alice.request(Request::post(format!("/v1/blobs/{dropped}/parts?at=0")));
    answer::<BlobProgress>(&service, request, "half", LOOPBACK).unwrap();
    let there = |id: BlobId| world.data.join("blobs").join(id.to_string()).exists();
    assert!(there(ID) && there(dropped));
    world.pass(BLOB_WAITS_S);
    eventually("the dropped one is gone", || !there(dropped));
    assert!(there(ID));
    drop(service);
    std::fs::write(world.data.join("blobs/stray"), "x").unwrap();
    world.pass(BLOB_KEPT_S - BLOB_WAITS_S - 1);
    let service = world.open().unwrap();
    assert!(!world.data.join("blobs/stray").exists());
    let alice = renewed(&service, alice);
    assert_eq!(get(&service, &alice, "").0, 200);
    world.pass(1);
    let (status, body) = get(&service, &alice, "");
    assert!(status == 404 && String::from_utf8_lossy(&body).contains("blob.gone"));
    eventually("it is gone from the disk", || !there(ID));
}

/// BLK-7: nothing is promised when the disk is nearly full.
#[test]
fn a_full_disk_takes_no_file() {
    let mut world = World::new();
    let service = world.open().unwrap();
    let alice = Member::alone(&service);
    open(&service, &alice, ID, 100).unwrap();
    drop(service);
    world.free_percent = |_| Ok(9);
    let service = world.open().unwrap();
    assert_eq!(open(&service, &alice, ID, 100), refused("store.full"));
    assert_eq!(put(&service, &alice, 0, "x"), refused("store.full"));
}
