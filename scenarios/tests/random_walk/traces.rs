//! What passes the service and lies on disks: the log's blocks, key packages, keys that are used up, and how much there is of it.

use std::collections::{BTreeMap, BTreeSet};

use chain::id::Digest;
use client::step::Call;
use protocol::api::CHECKPOINT;
use protocol::api::delivery::{ClaimedKeyPackage, CommitSubmission, KeyPackages as Offered, ONE_TIME_KEY_PACKAGES};
use rusqlite::{Connection, OpenFlags};
use scenarios::wire;

use crate::walk::Walk;

/// Most that a device keeps in this short life, all told: eight times what was measured.
const MAX_DISK: usize = 32 << 20;
/// Bytes of a page of the database.
const PAGE: usize = 4_096;
/// How many bytes of a sealed value are looked for, and after how many: a value that was deleted may lose its first ones.
const LOOKED_FOR: usize = 16;
const PASSED_OVER: usize = 12;

/// The key packages that were offered, given out and used.
#[derive(Default)]
pub(crate) struct KeyPackages {
    /// Those that are given out again and again when there is no other, with their references.
    last_resorts: BTreeMap<Vec<u8>, Vec<u8>>,
    one_time: BTreeSet<Vec<u8>>,
    given_out: BTreeSet<Vec<u8>>,
    /// The references of those that a member came in by.
    used: BTreeSet<Vec<u8>>,
}

impl KeyPackages {
    /// I13: nobody comes in by a key package that somebody came in by already.
    pub(crate) fn are_used(&mut self, commit: &CommitSubmission) {
        for reference in wire::welcomed(&commit.welcome.0) {
            let is_last_resort = self.last_resorts.values().any(|it| *it == reference);
            assert!(is_last_resort || self.used.insert(reference), "I13: a key package was used twice");
        }
    }
}

impl Walk {
    /// I13: each key package is given out once, but for the last resort.
    pub(crate) fn look_at_key_packages(&mut self) {
        for body in self.town.offered.take() {
            let offered: Offered = serde_json::from_slice(&body).unwrap();
            self.key_packages.one_time.extend(offered.one_time.into_iter().map(|it| it.0));
            let last_resort = offered.last_resort.map(|it| (wire::reference(&it.0), it.0));
            self.key_packages.last_resorts.extend(last_resort.map(|(reference, bytes)| (bytes, reference)));
        }
        for body in self.town.claimed.take() {
            let ClaimedKeyPackage { key_package } = serde_json::from_slice(&body).unwrap();
            if !self.key_packages.last_resorts.contains_key(&key_package.0) {
                assert!(
                    self.key_packages.one_time.contains(&key_package.0),
                    "I13: nobody has offered this key package"
                );
                assert!(self.key_packages.given_out.insert(key_package.0), "I13: a key package was given out twice");
            }
        }
    }

    /// The service ends as by a kill, and is started again.
    pub(crate) fn restart_service(&mut self, number: usize) {
        println!("{number} the service is restarted");
        self.check_restart();
    }

    /// I11: and everything is there as it was.
    pub(crate) fn check_restart(&mut self) {
        self.check_log();
        self.town.restart_service();
        self.check_log();
    }

    /// I11: what a checkpoint covers is served, and what was served stays as it was.
    pub(crate) fn check_log(&mut self) {
        let checkpoint = String::from_utf8(self.get(CHECKPOINT.to_owned())).unwrap();
        let size: usize = checkpoint.lines().nth(1).unwrap().parse().unwrap();
        assert!(size >= self.blocks.len(), "I11: a checkpoint of size {size} after one of {}", self.blocks.len());
        for number in 0..size {
            let block = Digest::sha256(&self.get(format!("/block/{number}")));
            match self.blocks.get(number) {
                Some(before) => assert_eq!(*before, block, "I11: block {number} has changed"),
                None => self.blocks.push(block),
            }
        }
    }

    fn get(&self, path: String) -> Vec<u8> {
        let (status, body) = self.town.ask(&Call { path: path.clone(), body: None, bearer: None }).unwrap();
        assert_eq!(status, 200, "I11: {path}");
        body
    }

    /// I14: what a device has kept of its groups and keys and does not need any more is not on its disk, but for rows that SQLite has
    /// moved, of which it erases only the last copy.
    pub(crate) fn check_erased(&mut self) {
        for who in self.seen.keys().copied().collect::<Vec<_>>() {
            let is_long = |value: &Vec<u8>| value.len() >= PASSED_OVER + LOOKED_FOR;
            let now: BTreeSet<_> = self.town.sealed_keys(who).into_iter().filter(is_long).collect();
            let before = self.secrets.insert(who, now.clone()).unwrap_or_default();
            let gone = before.difference(&now).map(|value| &value[PASSED_OVER..PASSED_OVER + LOOKED_FOR]);
            let gone: BTreeSet<_> = gone.collect();
            let firsts: [bool; 256] = std::array::from_fn(|byte| gone.iter().any(|it| usize::from(it[0]) == byte));
            let disk = self.town.disk(who);
            let mut parts = disk.windows(LOOKED_FOR).enumerate().filter(|(_, part)| firsts[usize::from(part[0])]);
            let is_there = parts.any(|(at, part)| gone.contains(part) && !is_in_gap(&disk, at));
            assert!(!is_there, "I14: a key that was used up is on the disk of {who:?}");
            assert!(disk.len() < MAX_DISK, "I16: {who:?} keeps {} bytes", disk.len());
        }
    }

    /// I16: of each device so many key packages wait as there may, and nothing is kept that all who may have it have.
    pub(crate) fn check_bounds(&self) {
        let path = self.town.path("service").join("delivery.sqlite");
        let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let count = |of: &str| db.query_row(of, [], |row| row.get::<_, Option<usize>>(0)).unwrap().unwrap_or_default();
        let most = "SELECT MAX(waiting) FROM (SELECT COUNT(*) AS waiting FROM key_packages \
                    WHERE claimed_at_s IS NULL GROUP BY owner)";
        let most = count(most);
        assert!(most <= ONE_TIME_KEY_PACKAGES + 1, "I16: {most} key packages of a device wait");
        let kept = "SELECT COUNT(*) FROM deliveries d WHERE owner IS NULL AND NOT EXISTS (SELECT 1 FROM leaves l \
                    LEFT JOIN cursors c ON c.owner = l.owner WHERE l.group_id = d.group_id \
                    AND l.from_position < d.position AND IFNULL(l.until_position, d.position) >= d.position \
                    AND IFNULL(c.acked, 0) < d.position)";
        let kept = count(kept);
        assert_eq!(kept, 0, "I16: the service keeps what everybody has");
    }
}

/// True in the unused middle of a page of rows, where SQLite leaves what it has moved to another page.
fn is_in_gap(disk: &[u8], at: usize) -> bool {
    let start = at / PAGE * PAGE;
    let head = &disk[start + if start == 0 { 100 } else { 0 }..];
    let number = |at: usize| usize::from(u16::from_be_bytes([head[at], head[at + 1]]));
    let pointers = match head[0] {
        10 | 13 => 8,
        2 | 5 => 12,
        _ => return false,
    };
    (pointers + 2 * number(3)..number(5)).contains(&(at - start))
}
