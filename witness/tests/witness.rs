//! The witness over its routes, without sockets but for one test: every status of tlog-witness, and what a restart keeps.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod branches;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use branches::{NOW, ORIGINS, log, options, request};
use chain::log::checkpoint::{Checkpoint, Origin};
use chain::log::cosignature;
use chain::log::note::SignedNote;
use chain::log::witness::{add_cosignature, parse_size};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;
use witness::server::{Witness, WitnessError};

const ONE: &str = ORIGINS[0];

fn open(folder: &Path) -> Witness {
    Witness::open(options(folder, || NOW)).unwrap()
}

async fn send(app: Router, request: Request<Body>) -> (u16, String, String) {
    let response = app.oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, content_type, String::from_utf8(body.to_vec()).unwrap())
}

async fn post(app: Router, body: String) -> (u16, String, String) {
    send(app, Request::post("/add-checkpoint").body(body.into()).unwrap()).await
}

async fn get(app: Router, path: &str) -> (u16, String) {
    let (status, _, body) = send(app, Request::get(path).body(Body::empty()).unwrap()).await;
    (status, body)
}

fn refused(folder: &Path) -> &'static str {
    Witness::open(options(folder, || NOW)).map_err(|error| error.code()).unwrap_err()
}

/// WIT-2: the statuses that tlog-witness demands, by their numbers.
#[tokio::test]
async fn every_refusal_has_its_status() {
    let folder = tempfile::tempdir().unwrap();
    let witness = open(folder.path());
    let app = witness.app();
    let status = async |body: String| post(app.clone(), body).await.0;
    assert_eq!(status(request(ONE, 'a', 5, 12).to_string()).await, 409);
    assert_eq!(status(request(ONE, 'a', 0, 12).to_string()).await, 200);
    assert_eq!(status(request("example.com/unknown", 'a', 0, 12).to_string()).await, 404);
    let unsigned = request(ONE, 'a', 12, 20).to_string().replace(ONE, ORIGINS[1]);
    assert_eq!(status(unsigned.replacen(ORIGINS[1], ONE, 1)).await, 403);
    assert_eq!(status(request(ONE, 'a', 13, 12).to_string()).await, 400);
    assert_eq!(status("nonsense".to_owned()).await, 400);
    assert_eq!(status(request(ONE, 'b', 12, 12).to_string()).await, 409);
    assert_eq!(status(request(ONE, 'b', 12, 20).to_string()).await, 422);
    assert_eq!(status("a".repeat(1 << 20)).await, 413);
    let (status, content_type, size) = post(app, request(ONE, 'a', 3, 20).to_string()).await;
    assert_eq!((status, content_type.as_str(), parse_size(size.as_bytes())), (409, "text/x.tlog.size", Ok(12)));
}

#[tokio::test]
async fn a_growing_log_is_cosigned_and_the_newest_checkpoint_served_whole() {
    let folder = tempfile::tempdir().unwrap();
    let witness = open(folder.path());
    assert!(witness.is_new());
    let (_, vkey) = get(witness.app(), "/vkey").await;
    let key = vkey.trim_end().parse().unwrap();
    assert_eq!(&key, witness.verifier_key());
    let hash = ONE.parse::<Origin>().unwrap().hash().to_string();
    let path = format!("/{hash}/checkpoint");
    assert_eq!(get(witness.app(), &path).await.0, 404);
    for (old, new) in [(0, 12), (12, 12), (12, 20)] {
        let (status, _, line) = post(witness.app(), request(ONE, 'a', old, new).to_string()).await;
        assert_eq!(status, 200);
        let log_signed = request(ONE, 'a', old, new).checkpoint().sign(&log(ONE)).unwrap();
        let (whole, time) = add_cosignature(&log_signed, line.as_bytes(), &key).unwrap();
        // WIT-6
        assert_eq!((time, get(witness.app(), &path).await), (NOW, (200, whole.to_string())));
    }
    assert_eq!(get(witness.app(), &path.replace(&hash, &hash.to_uppercase())).await.0, 404);
}

/// WIT-3, I12: of two branches offered at the same time one is cosigned, whoever comes first.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_branches_at_the_same_time_exactly_one_is_cosigned() {
    let folder = tempfile::tempdir().unwrap();
    let witness = open(folder.path());
    let offers = (0..16).map(|i| {
        let body = request(ONE, if i % 2 == 0 { 'a' } else { 'b' }, 0, 12).to_string();
        tokio::spawn(post(witness.app(), body))
    });
    let mut statuses = Vec::new();
    for offer in offers.collect::<Vec<_>>() {
        statuses.push(offer.await.unwrap().0);
    }
    statuses.sort_unstable();
    assert_eq!(statuses[0], 200);
    assert!(statuses[1..].iter().all(|status| *status == 409), "{statuses:?}");
}

/// Attack 22: a restart forgets nothing.
#[tokio::test]
async fn after_a_restart_the_other_branch_is_refused_and_the_same_one_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path());
    let key = first.verifier_key().clone();
    assert_eq!(first.add_checkpoint(request(ONE, 'a', 0, 12).to_string().as_bytes()).status, 200);
    drop(first);
    let second = open(folder.path());
    assert!(!second.is_new());
    assert_eq!(second.verifier_key(), &key);
    let status = |branch, old, new| second.add_checkpoint(request(ONE, branch, old, new).to_string().as_bytes()).status;
    assert_eq!((status('b', 0, 12), status('b', 12, 12), status('b', 12, 20)), (409, 409, 422));
    assert_eq!((status('a', 12, 20), status('a', 20, 20)), (200, 200));
}

/// WIT-5: the same checkpoint again, with the time of now.
#[test]
fn the_same_checkpoint_cosigned_again_has_a_newer_time() {
    static CLOCK: AtomicU64 = AtomicU64::new(NOW);
    let folder = tempfile::tempdir().unwrap();
    let witness = Witness::open(options(folder.path(), || CLOCK.fetch_add(60, Ordering::Relaxed))).unwrap();
    let time = |old| {
        let request = request(ONE, 'a', old, 12);
        let answer = witness.add_checkpoint(request.to_string().as_bytes()).body;
        let note = SignedNote::new(&request.checkpoint().to_text(), &[answer.trim_end().parse().unwrap()]).unwrap();
        cosignature::verify(witness.verifier_key(), &note).unwrap()
    };
    assert_eq!((time(0), time(12), time(12)), (NOW, NOW + 60, NOW + 120));
}

/// WIT-4: whatever of the state is lost, this key signs no more.
#[test]
fn a_folder_that_lost_state_is_refused() {
    let lost = |lose: &dyn Fn(&Path)| {
        let folder = tempfile::tempdir().unwrap();
        let witness = open(folder.path());
        assert_eq!(witness.add_checkpoint(request(ONE, 'a', 0, 12).to_string().as_bytes()).status, 200);
        drop(witness);
        drop(open(folder.path()));
        lose(folder.path());
        refused(folder.path())
    };
    let file = |folder: &Path| folder.join(format!("logs/{}.checkpoint", ONE.parse::<Origin>().unwrap().hash()));
    let changed = |from: &'static str, to: &'static str| {
        lost(&move |folder: &Path| {
            let text = fs::read_to_string(file(folder)).unwrap();
            assert!(text.contains(from));
            fs::write(file(folder), text.replacen(from, to, 1)).unwrap();
        })
    };
    assert_eq!(lost(&|folder| fs::remove_file(file(folder)).unwrap()), "store.rollback");
    assert_eq!(lost(&|folder| fs::remove_dir_all(folder.join("logs")).unwrap()), "store.rollback");
    assert_eq!(lost(&|folder| fs::write(file(folder), "").unwrap()), "store.rollback");
    assert_eq!(lost(&|folder| fs::remove_file(folder.join("cosigned-origins")).unwrap()), "store.rollback");
    assert_eq!(lost(&|folder| fs::remove_file(folder.join("key")).unwrap()), "store.rollback");
    assert_eq!(changed("\n12\n", "\n11\n"), "store.rollback");
    assert_eq!(lost(&|folder| fs::write(folder.join("key"), "nonsense").unwrap()), "store.key");
    // the checkpoint of another log in the place of this one's
    let other = lost(&|folder| {
        let name = ORIGINS[1].parse::<Origin>().unwrap().hash();
        fs::copy(file(folder), folder.join(format!("logs/{name}.checkpoint"))).unwrap();
    });
    assert_eq!(other, "store.rollback");
}

#[test]
fn a_second_process_in_the_same_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let witness = open(folder.path());
    assert_eq!(refused(folder.path()), "store.locked");
    drop(witness);
    drop(open(folder.path()));
}

#[test]
fn a_folder_of_another_name_and_a_key_that_is_no_logs_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let witness = open(folder.path());
    let own = witness.verifier_key().clone();
    drop(witness);
    let renamed = options(folder.path(), || NOW);
    let renamed = witness::server::WitnessOptions { name: "witness.example/w2".parse().unwrap(), ..renamed };
    assert_eq!(Witness::open(renamed).map_err(|error| error.code()).unwrap_err(), "store.name");
    let mut no_log = options(folder.path(), || NOW);
    no_log.logs.push(own);
    assert!(matches!(Witness::open(no_log), Err(WitnessError::NotALogKey { .. })));
}

#[test]
fn the_key_and_the_folder_are_for_their_user_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("a/b");
    drop(open(&folder));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&folder.join("key"))), (0o700, 0o600));
}

/// After a failed write nothing is signed, and the server ends.
#[tokio::test]
async fn a_failed_write_ends_the_witness() {
    let folder = tempfile::tempdir().unwrap();
    let witness = open(folder.path());
    // the place of the temporary file is taken by a folder: root too cannot write there
    let name = ONE.parse::<Origin>().unwrap().hash();
    fs::create_dir_all(folder.path().join(format!("logs/{name}.checkpoint.new"))).unwrap();
    let app = witness.app();
    let first = post(app.clone(), request(ONE, 'a', 0, 12).to_string()).await;
    assert_eq!((first.0, first.2.as_str()), (500, "store.broken\n"));
    let other = post(app, request(ORIGINS[1], 'a', 0, 12).to_string()).await;
    assert_eq!(other.0, 500);
    let bound = witness.bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let ended = bound.run(std::future::pending()).await;
    assert_eq!(ended.map_err(|error| error.code()), Err("store.broken"));
}

#[tokio::test]
async fn a_bound_witness_answers_on_its_port_and_stops_when_asked() {
    use std::io::{Read as _, Write as _};
    let folder = tempfile::tempdir().unwrap();
    let bound = open(folder.path()).bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = bound.address();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(bound.run(async { _ = stopped.await }));
    let body = request(ONE, 'a', 0, 12).to_string();
    let head = format!("POST /add-checkpoint HTTP/1.1\r\nhost: w\r\ncontent-length: {}\r\n", body.len());
    let asking = tokio::task::spawn_blocking(move || {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.write_all(format!("{head}connection: close\r\n\r\n{body}").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    let answer = asking.await.unwrap();
    assert!(answer.starts_with(&format!("HTTP/1.1 {}", StatusCode::OK)), "{answer}");
    stop.send(()).unwrap();
    assert!(running.await.unwrap().is_ok());
}

/// Attack 52, on a clock that jumps ahead as soon as everybody waits.
#[tokio::test(start_paused = true)]
async fn a_connection_that_brings_no_request_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let bound = open(folder.path()).bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = bound.address();
    let running = tokio::spawn(bound.run(std::future::pending()));
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    assert_eq!(stream.try_write(b"POST /add-checkpoint HTTP/1.1\r\n").unwrap(), 31);
    let start = tokio::time::Instant::now();
    stream.readable().await.unwrap();
    assert!(matches!(stream.try_read(&mut [0; 64]), Ok(0) | Err(_)));
    assert_eq!(start.elapsed().as_secs(), 60);
    assert!(!running.is_finished());
}

/// A checkpoint with extension lines is some log's own affair; the cosignature covers them.
#[test]
fn a_checkpoint_with_extension_lines_is_cosigned() {
    let folder = tempfile::tempdir().unwrap();
    let witness = open(folder.path());
    let plain = request(ONE, 'a', 0, 12);
    let extended = Checkpoint { extensions: vec!["extension".into()], ..plain.checkpoint().clone() };
    let body = format!("old 0\n\n{}", extended.sign(&log(ONE)).unwrap());
    assert_eq!(witness.add_checkpoint(body.as_bytes()).status, 200);
}
