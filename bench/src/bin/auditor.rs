//! The auditor: a record of signed entries replayed by every rule, against nothing but `ed25519-dalek` checking the
//! same signatures on as many threads, by turns in one run.

use std::collections::BTreeMap;
use std::thread;
use std::time::Instant;

use bench::record::{Record, record};
use bench::timing::median;
use chain::replay::Replay;
use chain::sigchain::entry::Claim;
use ed25519_dalek::{Signature, VerifyingKey};
use witness::checking::{Checking, Claims};

const ROUNDS: usize = 5;
const BLOCKS: usize = 20;
const ENTRIES_A_BLOCK: usize = 1_000;

fn main() {
    let record = record(BLOCKS, ENTRIES_A_BLOCK);
    let bare = bare(&record);
    println!("{} blocks, {} entries, {} signatures", record.blocks.len(), BLOCKS * ENTRIES_A_BLOCK, bare.len());
    println!(
        "| round | replayed, signatures/s | of that judged alone, s | bare, signatures/s | share |\n|---|---|---|---|---|"
    );
    let mut shares = Vec::new();
    for round in 1..=ROUNDS {
        let (replayed, judged) = replay(&record);
        let checked = verify(&bare);
        let rate = |seconds: f64| bare.len() as f64 / seconds;
        shares.push(100.0 * checked / replayed);
        println!(
            "| {round} | {:.0} | {judged:.2} | {:.0} | {:.0} % |",
            rate(replayed),
            rate(checked),
            shares[round - 1]
        );
    }
    println!("median {:.0} %", median(shares.into_iter()));
}

/// Seconds to replay the record as the auditor does, and how many of them went into judging.
fn replay(record: &Record) -> (f64, f64) {
    let begin = Instant::now();
    let mut judged = 0.0;
    let (mut replay, mut claims, mut checking) = (Replay::new(), Claims::default(), None);
    for (number, (header, body)) in (0..).zip(&record.blocks) {
        let judging = Instant::now();
        replay.apply(header, body, &mut claims.all).unwrap();
        claims.end_block(number);
        judged += judging.elapsed().as_secs_f64();
        if claims.are_many() {
            settle(&mut replay, checking.replace(Checking::start(std::mem::take(&mut claims))));
        }
    }
    settle(&mut replay, checking);
    settle(&mut replay, Some(Checking::start(claims)));
    (begin.elapsed().as_secs_f64(), judged)
}

fn settle(replay: &mut Replay, checking: Option<Checking>) {
    replay.settle(checking.map_or(0, |checking| checking.finish().unwrap()));
}

type Bare = (VerifyingKey, Vec<u8>, Signature);

/// The record's signatures without anything around them.
fn bare(record: &Record) -> Vec<Bare> {
    let (mut replay, mut claims, mut keys) = (Replay::new(), Vec::new(), BTreeMap::new());
    record.blocks.iter().for_each(|(header, body)| replay.apply(header, body, &mut claims).unwrap());
    let part = |claim: Claim| {
        let key = keys.entry(claim.key).or_insert_with(|| VerifyingKey::from_bytes(claim.key.as_bytes()).unwrap());
        (*key, claim.message, Signature::from_bytes(&claim.signature.0))
    };
    claims.into_iter().map(part).collect()
}

/// Seconds that `ed25519-dalek` alone takes on all cores.
fn verify(bare: &[Bare]) -> f64 {
    let begin = Instant::now();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for part in bare.chunks(bare.len().div_ceil(cores)) {
            scope.spawn(|| {
                part.iter().for_each(|(key, message, signature)| key.verify_strict(message, signature).unwrap())
            });
        }
    });
    begin.elapsed().as_secs_f64()
}
