//! The auditor: a record of signed entries replayed by every rule, against nothing but `ed25519-dalek` checking the
//! same signatures on as many threads, by turns in one run.

use std::collections::BTreeMap;
use std::thread;

use bench::record::{Record, record};
use bench::timing::{Took, median, time_process};
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
        "| round | replayed, signatures/s | bare, signatures/s | share, clock | share, processors |\n|---|---|---|---|---|"
    );
    let (mut clock, mut processors) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let ((), replayed) = time_process(|| replay(&record));
        let ((), checked) = time_process(|| verify(&bare));
        clock.push(100.0 * checked.wall / replayed.wall);
        processors.push(100.0 * checked.cpu / replayed.cpu);
        let rate = |took: Took| bare.len() as f64 / took.wall;
        let shares = (clock[round - 1], processors[round - 1]);
        println!("| {round} | {:.0} | {:.0} | {:.0} % | {:.0} % |", rate(replayed), rate(checked), shares.0, shares.1);
    }
    println!("| median | | | {:.0} % | {:.0} % |", median(clock.into_iter()), median(processors.into_iter()));
}

/// Replays the record as the auditor does.
fn replay(record: &Record) {
    let (mut replay, mut claims, mut checking) = (Replay::new(), Claims::default(), None);
    for (number, (header, body)) in (0..).zip(&record.blocks) {
        replay.apply(header, body, &mut claims.all).unwrap();
        claims.end_block(number);
        if claims.are_many() {
            settle(&mut replay, checking.replace(Checking::start(std::mem::take(&mut claims))));
        }
    }
    settle(&mut replay, checking);
    settle(&mut replay, Some(Checking::start(claims)));
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

/// `ed25519-dalek` alone, on all cores.
fn verify(bare: &[Bare]) {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for part in bare.chunks(bare.len().div_ceil(cores)) {
            scope.spawn(|| {
                part.iter().for_each(|(key, message, signature)| key.verify_strict(message, signature).unwrap())
            });
        }
    });
}
