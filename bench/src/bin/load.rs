//! The sequencer end to end: signed proposals over HTTP into a service with four witnesses on loopback, all in this
//! process, with real sockets and real syncs.
//!
//! First as fast as it goes; then at half of that rate, for the time from submit to "in a block that a quorum cosigned".
//! In the same run: how many Ed25519 verifications a core does, and how many syncs the disk.

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chain::id::{DeviceKeys, Digest};
use chain::log::note::VerifierKey;
use chain::sigchain::body::{Body, ResetChoice};
use chain::sigchain::entry::{Proposal, SeenCheckpoint, Statement};
use ed25519_dalek::{Signer as _, SigningKey};
use protocol::limits::Limits;
use service::{Options, Service, WitnessAddress};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use witness::server::{Witness, WitnessOptions, system_time};

const CONNECTIONS: usize = 256;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let verifies = verifications_a_second();
    let syncs = syncs_a_second(folder.path());
    let (address, origin) = start(&runtime, folder.path());
    println!("signing {} proposals beforehand", 30_000 + 20_000);
    let flood = proposals(30_000, &origin, 1);
    let steady = proposals(20_000, &origin, 2);
    let (rate, mut waits) = runtime.block_on(submit(address, flood, "", None));
    println!("sustained, acknowledged when durable: {rate:.0} entries/s   {}", spread(&mut waits));
    println!(
        "  = {:.0} % of what one core verifies (2 signatures an entry), {:.1} entries a sync",
        200.0 * rate / verifies,
        rate / syncs
    );
    let (half, mut waits) = runtime.block_on(submit(address, steady, "?wait=quorum", Some(rate / 2.0)));
    println!("at {half:.0} entries/s, submit to quorum-cosigned block: {}", spread(&mut waits));
    println!("one core: {verifies:.0} verifications/s; disk: {syncs:.0} syncs/s");
    std::process::exit(0);
}

fn start(runtime: &tokio::runtime::Runtime, folder: &std::path::Path) -> (SocketAddr, String) {
    let origin = "bench.example/log";
    // the log's key is made by the service: witnesses learn it from the first start
    let mut options = Options::new(folder.join("service"));
    options.origin = Some(origin.to_owned());
    options.listen = Some("127.0.0.1:0".parse().unwrap());
    options.limits = Limits::NONE;
    let ports: Vec<_> = (0..4).map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let addresses: Vec<_> = ports.iter().map(|port| port.local_addr().unwrap()).collect();
    drop(ports);
    options.witnesses = addresses.iter().map(|it| format!("http://{it}").parse::<WitnessAddress>().unwrap()).collect();
    let service = Service::open(options).unwrap();
    let log: VerifierKey = service.log_vkey().clone();
    for (number, address) in addresses.into_iter().enumerate() {
        let options = WitnessOptions {
            folder: folder.join(format!("w{number}")),
            name: format!("w{number}.example").parse().unwrap(),
            logs: vec![log.clone()],
            clock: system_time,
        };
        let witness = Witness::open(options).unwrap();
        runtime.spawn(async move { witness.bind(address).await.unwrap().run(std::future::pending()).await.unwrap() });
    }
    let address = service.address().unwrap();
    runtime.spawn(async move { service.run(std::future::pending()).await.unwrap() });
    let ready = Instant::now();
    while !folder.join("service/public/checkpoint").exists() {
        assert!(ready.elapsed() < Duration::from_secs(30), "the service does not come up");
        std::thread::sleep(Duration::from_millis(20));
    }
    (address, origin.to_owned())
}

fn proposals(count: usize, origin: &str, run: u8) -> Vec<Vec<u8>> {
    let checkpoint = SeenCheckpoint { size: 0, root: Digest::sha256(b"") };
    let make = |number: usize| {
        let seed = |role: u8| {
            let mut seed = [role; 32];
            seed[0] = run;
            seed[1..9].copy_from_slice(&number.to_be_bytes());
            seed
        };
        let (chain, mls) = (SigningKey::from_bytes(&seed(1)), SigningKey::from_bytes(&seed(2)));
        let device = DeviceKeys { chain: (&chain).into(), mls: (&mls).into() };
        let body = Body::AccountCreated {
            salt: seed(3),
            device,
            reset_choice: ResetChoice::ThreeDays,
            handle: None,
            predecessor: None,
        };
        Proposal::sign(Statement::opening(1, checkpoint, body), origin, &chain, Some(&mls)).encode()
    };
    (0..count).map(make).collect()
}

/// Submits over keep-alive connections, at a rate if one is given; gives the rate reached and each wait.
async fn submit(address: SocketAddr, entries: Vec<Vec<u8>>, query: &str, rate: Option<f64>) -> (f64, Vec<Duration>) {
    let count = entries.len();
    let entries = Arc::new(entries);
    let next = Arc::new(AtomicUsize::new(0));
    let begin = Instant::now();
    let connections = if rate.is_some() { CONNECTIONS * 8 } else { CONNECTIONS };
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let (entries, next) = (Arc::clone(&entries), Arc::clone(&next));
        let path = format!("/v1/entries{query}");
        tasks.push(tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let mut waits = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(entry) = entries.get(number) else { return waits };
                let due = rate.map(|rate| begin + Duration::from_secs_f64(number as f64 / rate));
                if let Some(due) = due {
                    tokio::time::sleep_until(due.into()).await;
                }
                let sent = due.unwrap_or_else(Instant::now);
                exchange(&mut stream, &path, entry).await;
                waits.push(sent.elapsed());
            }
        }));
    }
    let mut waits = Vec::with_capacity(count);
    for task in tasks {
        waits.extend(task.await.unwrap());
    }
    (count as f64 / begin.elapsed().as_secs_f64(), waits)
}

async fn exchange(stream: &mut TcpStream, path: &str, body: &[u8]) {
    let head = format!("POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    loop {
        let read = stream.read(&mut part).await.unwrap();
        assert!(read > 0, "the service closed the connection");
        answer.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&answer);
        let Some(end) = text.find("\r\n\r\n") else { continue };
        let length = text
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
        if answer.len() >= end + 4 + length.unwrap_or(0) {
            assert!(text.starts_with("HTTP/1.1 200"), "{text}");
            return;
        }
    }
}

fn spread(waits: &mut [Duration]) -> String {
    waits.sort_unstable();
    let at = |part: f64| waits[((waits.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
    format!("p50 {:.0} ms, p99 {:.0} ms, max {:.0} ms", at(0.5), at(0.99), at(1.0))
}

fn verifications_a_second() -> f64 {
    let key = SigningKey::from_bytes(&[9; 32]);
    let signature = key.sign(b"message");
    let begin = Instant::now();
    let count = 5_000;
    assert!((0..count).all(|_| key.verifying_key().verify_strict(b"message", &signature).is_ok()));
    f64::from(count) / begin.elapsed().as_secs_f64()
}

fn syncs_a_second(folder: &std::path::Path) -> f64 {
    let mut file = File::create(folder.join("sync")).unwrap();
    let begin = Instant::now();
    let count = 200;
    for _ in 0..count {
        file.write_all(&[0; 4096]).unwrap();
        file.sync_data().unwrap();
    }
    f64::from(count) / begin.elapsed().as_secs_f64()
}
