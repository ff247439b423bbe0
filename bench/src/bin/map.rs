//! The map against `akd`, the same work by turns in one process on one thread: `map [--accounts N] [--million]`.
//!
//! Not the same: `akd` hides labels behind a verifiable random function, because its users' labels are telephone
//! numbers. Ours are hashes of keys, which hide nothing and need no hiding; handles have a VRF, off this path.

use std::io::Write as _;
use std::time::Instant;

use bench::accounts::{Account, accounts, label, value};
use bench::chain_map::{ChainMap, key, verify};
use bench::rival::{Rival, batch};
use bench::timing::{Series, median, resident_bytes, seconds, time};
use chain::encoding::Writer;
use chain::map::snapshot;

const BATCH: usize = 10_000;
const EPOCH: usize = 1_000;
const EPOCHS: usize = 5;
const SINGLES: usize = 20;
const LOOKUPS: usize = 300;
const LOOKUPS_A_TURN: usize = 20;
const MILLION: usize = 1_000_000;

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--million"] => million(),
        ["--accounts", count] => compare(count.parse().expect("a number of accounts")),
        [] => compare(100_000),
        _ => panic!("map [--accounts N] [--million]"),
    }
}

/// The two maps, with the same accounts.
struct Comparison {
    ours: ChainMap,
    rival: Rival,
    accounts: usize,
}

fn compare(count: usize) {
    let mut it = Comparison { ours: ChainMap::default(), rival: Rival::default(), accounts: 0 };
    println!("| {count} accounts | chain | akd 0.13.0 | ratio, processor | ratio, clock |\n|---|---|---|---|---|");
    it.build(count);
    let new: Vec<_> = (0..EPOCHS).map(|_| it.new_accounts(EPOCH)).collect();
    it.publish_all("publish of 1,000 new", new.into_iter().map(|new| (new, Vec::new())));
    it.audit("audit of 1,000 new");
    let step = it.accounts / EPOCH;
    let spread = |epoch: usize, version: usize| accounts((0..EPOCH).map(|i| i * step + epoch), version);
    it.publish_all("publish of 1,000 updates", (0..EPOCHS).map(|epoch| (spread(epoch, 1), spread(epoch, 0))));
    it.audit("audit of 1,000 updates");
    let singles: Vec<_> = (0..SINGLES).map(|_| it.new_accounts(1)).collect();
    it.publish_all("publish of 1 new", singles.into_iter().map(|new| (new, Vec::new())));
    it.look_up();
}

impl Comparison {
    fn new_accounts(&mut self, count: usize) -> Vec<Account> {
        let first = self.accounts;
        self.accounts += count;
        accounts(first..first + count, 0)
    }

    fn build(&mut self, count: usize) {
        let (mut ours, mut rival) = (Series::default(), Series::default());
        let mut rival_bytes = 0;
        while self.accounts < count {
            let size = BATCH.min(count - self.accounts);
            let new = self.new_accounts(size);
            ours.add(time(|| self.ours.publish(&new, &[])).1, size);
            let batch = batch(&new);
            let before = resident_bytes();
            rival.add(time(|| self.rival.publish(batch)).1, size);
            rival_bytes += resident_bytes().saturating_sub(before);
        }
        row("build in batches of 10,000, an account", &ours, &rival);
        // ours fits into what the rival's growth leaves free, so the process does not show it
        let our_bytes = self.ours.tree().memory_bytes();
        figures(
            "memory, bytes an account: reserved by ours, grown by the rival's",
            our_bytes / count,
            rival_bytes / count,
        );
    }

    /// Publishes epochs by turns: what the accounts hold from now on, and what they held before.
    fn publish_all(&mut self, what: &str, epochs: impl Iterator<Item = (Vec<Account>, Vec<Account>)>) {
        let (mut ours, mut rival) = (Series::default(), Series::default());
        for (accounts, old) in epochs {
            ours.add(time(|| self.ours.publish(&accounts, &old)).1, 1);
            let batch = batch(&accounts);
            rival.add(time(|| self.rival.publish(batch)).1, 1);
        }
        row(what, &ours, &rival);
    }

    fn audit(&mut self, what: &str) {
        let [mut our_proving, mut proving, mut our_checking, mut checking] = [(); 4].map(|()| Series::default());
        let (before, after) = (self.ours.root_before(), self.ours.root());
        let mut sizes = (0, 0);
        for _ in 0..EPOCHS {
            let (audit, took) = time(|| self.ours.prove_transition());
            our_proving.add(took, 1);
            let (theirs, took) = time(|| self.rival.prove_transition());
            proving.add(took, 1);
            our_checking.add(time(|| audit.verify(&before, &after)).1, 1);
            checking.add(time(|| self.rival.verify_transition(&theirs)).1, 1);
            sizes = (audit.len(), theirs.len());
        }
        figures(&format!("{what}: bytes"), sizes.0, sizes.1);
        row(&format!("{what}: prove"), &our_proving, &proving);
        row(&format!("{what}: verify"), &our_checking, &checking);
    }

    fn look_up(&self) {
        let [mut our_proving, mut proving, mut our_checking, mut checking] = [(); 4].map(|()| Series::default());
        let (mut our_sizes, mut sizes) = (Vec::new(), Vec::new());
        let root = self.ours.root();
        let held: Vec<_> = (0..LOOKUPS).map(|i| i * (self.accounts / LOOKUPS)).collect();
        for turn in held.chunks(LOOKUPS_A_TURN) {
            let accounts: Vec<_> =
                turn.iter().map(|number| (label(*number), value(*number, self.version(*number)))).collect();
            let prove_ours = || accounts.iter().map(|(label, _)| self.ours.prove(label)).collect::<Vec<_>>();
            let (our_proofs, took) = time(prove_ours);
            our_proving.add(took, turn.len());
            let (proofs, took) = time(|| accounts.iter().map(|(label, _)| self.rival.prove(label)).collect::<Vec<_>>());
            proving.add(took, turn.len());
            let check = || accounts.iter().zip(&our_proofs).for_each(|(account, proof)| verify(&root, account, proof));
            our_checking.add(time(check).1, turn.len());
            let check = || accounts.iter().zip(&proofs).for_each(|(account, proof)| self.rival.verify(account, proof));
            checking.add(time(check).1, turn.len());
            our_sizes.extend(our_proofs.iter().map(Vec::len));
            sizes.extend(proofs.iter().map(Vec::len));
        }
        row("lookup: prove", &our_proving, &proving);
        row("lookup: verify", &our_checking, &checking);
        figures("lookup: bytes, median", middle(&our_sizes), middle(&sizes));
        figures("lookup: bytes, most", most(&our_sizes), most(&sizes));
    }

    /// How often an account was updated: epoch `e` updated the multiples of the step, plus `e`.
    fn version(&self, number: usize) -> usize {
        let step = (self.accounts - SINGLES) / EPOCH;
        let (place, epoch) = (number / step, number % step);
        if place < EPOCH && epoch < EPOCHS { epoch + 1 } else { 0 }
    }
}

fn row(what: &str, ours: &Series, rival: &Series) {
    let cell = |series: &Series| {
        let (least, most) = series.bounds();
        format!("{} ({} to {})", seconds(series.cpu()), seconds(least), seconds(most))
    };
    let (processor, clock) = (rival.cpu() / ours.cpu(), rival.wall() / ours.wall());
    println!("| {what} | {} | {} | {processor:.1} | {clock:.1} |", cell(ours), cell(rival));
}

fn figures(what: &str, ours: usize, rival: usize) {
    println!("| {what} | {ours} | {rival} | {:.1} | |", rival as f64 / ours as f64);
}

fn middle(sizes: &[usize]) -> usize {
    median(sizes.iter().map(|size| *size as f64)) as usize
}

fn most(sizes: &[usize]) -> usize {
    sizes.iter().copied().max().unwrap_or(0)
}

/// Ours alone at a million accounts: memory, proofs, and how soon a service is back after a restart.
fn million() {
    let before = resident_bytes();
    let mut map = ChainMap::default();
    let mut publish = Series::default();
    for first in (0..MILLION).step_by(BATCH) {
        map.publish(&accounts(first..first + BATCH, 0), &[]);
    }
    let resident = resident_bytes() - before;
    println!("| 1,000,000 accounts | chain |\n|---|---|");
    println!("| memory that the map reserves, bytes an account | {:.1} |", map.tree().memory_bytes() as f64 / 1e6);
    println!("| growth of the process, bytes an account | {:.1} |", resident as f64 / 1e6);
    let sizes: Vec<_> = (0..MILLION).map(|number| map.prove(&label(number)).len()).collect();
    println!("| account proof, bytes: median, most | {}, {} |", middle(&sizes), most(&sizes));
    for epoch in 0..EPOCHS {
        let new = accounts((0..EPOCH).map(|i| MILLION + epoch * EPOCH + i), 0);
        publish.add(time(|| map.publish(&new, &[])).1, 1);
    }
    let (least, most) = publish.bounds();
    println!("| publish of 1,000 new | {} ({} to {}) |", seconds(publish.cpu()), seconds(least), seconds(most));
    restart(&map);
}

fn restart(map: &ChainMap) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.snapshot");
    let begin = Instant::now();
    let file = std::fs::File::create(&path).unwrap();
    let mut writer = std::io::BufWriter::new(file);
    let tree = map.tree();
    snapshot::encode(tree, tree.newest(), 1, |piece| writer.write_all(piece).unwrap()).unwrap();
    let file = writer.into_inner().unwrap();
    file.sync_all().unwrap();
    println!(
        "| snapshot written and synced: bytes, seconds | {}, {:.2} |",
        file.metadata().unwrap().len(),
        elapsed(begin)
    );
    // the file is on the disk, so its pages can be dropped: the restart reads it from there
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    drop(file);
    let begin = Instant::now();
    let bytes = std::fs::read(&path).unwrap();
    let read = elapsed(begin);
    let restored = snapshot::decode(&bytes).unwrap().tree;
    let mut writer = Writer::new();
    restored.prove(restored.newest(), &key(&label(7))).unwrap().encode(&mut writer);
    let (restarted, proof) = (elapsed(begin), writer.finish());
    println!("| restart: read, then decoded and the first proof made, seconds | {read:.2}, {restarted:.2} |");
    verify(&map.root(), &(label(7), value(7, 0)), &proof);
}

fn elapsed(begin: Instant) -> f64 {
    begin.elapsed().as_secs_f64()
}
