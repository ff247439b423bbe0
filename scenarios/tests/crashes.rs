//! The real service killed at its nth sync, or told by the system that the nth sync failed, while people submit entries
//! (attacks 14, 23; I11, I12; BLK-7). Then it is started again, and everything that was promised has to be there.
//!
//! Needs `strace` on the PATH; without it the tests say so and pass. SIGKILL keeps the page cache: this shows the order
//! of promises, not the need for the sync. TREFOIL_CRASH_SWEEP=1 takes every sync instead of samples.

use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use chain::id::{AccountId, Digest};
use chain::log::merkle;
use protocol::api::{ConsistencyAnswer, EntryAccepted};
use scenarios::api::{Api, checkpoint};
use scenarios::people::Device;
use scenarios::program::{Ended, eventually, trefoil};
use scenarios::world::{Service, Witness, World, addresses};

/// Which syncs are hit in an ordinary run.
const SAMPLES: [u32; 12] = [1, 2, 3, 4, 5, 6, 8, 11, 15, 20, 27, 36];
/// How many entries each of two people submits while the service can be hit.
const ENTRIES: usize = 12;

fn has_strace() -> bool {
    let found = Command::new("strace").arg("-V").output().is_ok();
    if !found {
        println!("SKIPPED: strace is not on the PATH, the service was not hit at its syncs");
    }
    found
}

fn places() -> Vec<u32> {
    if std::env::var_os("TREFOIL_CRASH_SWEEP").is_some() { (1..=120).collect() } else { SAMPLES.to_vec() }
}

/// `trefoil` under strace, which is not its parent, so that the process is the service itself.
fn hit_at(inject: &str) -> Command {
    let mut command = Command::new("strace");
    let calls = inject.split(':').next().unwrap().to_owned();
    command.args(["-D", "-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={calls}")]);
    command.args(["-e", &format!("inject={inject}")]).arg(trefoil());
    command
}

/// What a service promised before it ended.
#[derive(Debug, Default)]
struct Promised {
    entries: Mutex<Vec<(AccountId, EntryAccepted)>>,
}

impl Promised {
    /// Two people submit, one waiting for the quorum each time, until the service is gone or they are done.
    fn submit(&self, api: &Api, origin: &str) {
        std::thread::scope(|scope| {
            for path in ["/v1/entries", "/v1/entries?wait=quorum"] {
                scope.spawn(move || {
                    for _ in 0..ENTRIES {
                        let laptop = Device::new();
                        let statement = laptop.opening(None);
                        let account = statement.position.account;
                        let Some(answer) = api.try_post(path, &laptop.sign(statement, origin)) else { return };
                        if answer.status == 200 {
                            self.entries.lock().unwrap().push((account, answer.accepted()));
                        } else {
                            // whoever is told no is told why
                            assert!(answer.status >= 500, "{answer:?}");
                            answer.refusal();
                        }
                    }
                });
            }
        });
    }

    fn is_kept_by(&self, api: &Api, case: &str) {
        let promised = self.entries.lock().unwrap();
        let published = api.published().map_or(0, |it| it.size);
        for (account, accepted) in promised.iter() {
            let set = api.device_set(account).unwrap_or_else(|| panic!("{case}: {accepted:?} is gone"));
            assert_eq!(set.head().to_string(), accepted.entry, "{case}");
            assert!(!accepted.quorum || accepted.block < published, "{case}: {accepted:?} was under a quorum");
        }
    }
}

/// I12: what each witness cosigned last is the beginning of the log.
fn witnesses_saw_this_log(service: &Service, witnesses: &[Witness], case: &str) {
    let newest = checkpoint(&service.api.get("/checkpoint/latest").body).unwrap();
    let origin = Digest::sha256(newest.origin.as_str().as_bytes());
    for witness in witnesses {
        let answer = witness.api().get(&format!("/{origin}/checkpoint"));
        assert_eq!(answer.status, 200, "{case}: {answer:?}");
        let seen = checkpoint(&answer.body).unwrap();
        assert!(seen.size <= newest.size, "{case}: a witness cosigned what the service forgot");
        let path = format!("/v1/consistency?from={}&to={}", seen.size, newest.size);
        let proof: ConsistencyAnswer = serde_json::from_slice(&service.api.get(&path).body).unwrap();
        let path = merkle::without_root(seen.size, &seen.root, &proof.proof.0);
        merkle::verify_consistency(seen.size, newest.size, path, &seen.root, &newest.root)
            .unwrap_or_else(|error| panic!("{case}: a witness cosigned another log: {error}"));
    }
}

/// One more entry, which every witness cosigns: none of them saw a fork.
fn goes_on(service: &Service, witnesses: &[Witness], origin: &str, case: &str) {
    let laptop = Device::new();
    let sealed = service.api.propose(&laptop.sign(laptop.opening(None), origin)).accepted();
    eventually(&format!("{case}: all witnesses cosign what follows"), || {
        let note = service.api.get("/checkpoint").body;
        let covered = checkpoint(&note).is_some_and(|it| it.size > sealed.block);
        let lines = String::from_utf8_lossy(&note).matches("\n\u{2014} w").count();
        (covered && lines == witnesses.len()).then_some(())
    });
}

fn everything_holds(world: &World, service: &Service, witnesses: &[Witness], promised: &Promised, case: &str) {
    if witnesses.is_empty() {
        // a log that did not come to its first block has it now
        service.api.wait_for_size(1);
    }
    let origin = service.api.origin();
    promised.is_kept_by(&service.api, case);
    witnesses_saw_this_log(service, witnesses, case);
    goes_on(service, witnesses, &origin, case);
    let audit = world.audit(&service.api.url, &service.policy);
    assert_eq!(audit.status, Some(0), "{case}: {audit:?}");
}

/// Runs the service hit at a sync, and again untouched. Gives how the first ended; `None` if it was not hit.
fn hit_and_continue(world: &World, witnesses: &[Witness], origin: &str, inject: &str) -> Option<Ended> {
    let promised = Promised::default();
    let addresses = addresses(witnesses);
    let ended = match world.serve_under(hit_at(inject), "service", &addresses) {
        Ok(mut service) => {
            promised.submit(&service.api, origin);
            // the answer to the last request may be on its way before the next sync
            let untouched = promised.entries.lock().unwrap().len() == 2 * ENTRIES && service.process.is_alive();
            let ended = if untouched { service.process.stop() } else { service.process.wait_for_end() };
            (!untouched).then_some(ended)
        }
        Err(ended) => Some(ended),
    };
    let service = world.serve("service", &addresses);
    everything_holds(world, &service, witnesses, &promised, inject);
    assert_eq!(service.process.stop().status, Some(0), "{inject}");
    ended
}

/// A stopped service with witnesses, and its origin.
fn watched(world: &World) -> (Vec<Witness>, String) {
    let mut witnesses = world.witnesses(3);
    let service = world.watched_service("service", &mut witnesses);
    let origin = service.api.origin();
    assert_eq!(service.process.stop().status, Some(0));
    (witnesses, origin)
}

#[test]
fn a_service_killed_at_any_sync_keeps_every_promise() {
    if !has_strace() {
        return;
    }
    let world = World::new();
    let (witnesses, origin) = watched(&world);
    let mut hits = 0;
    for place in places() {
        let inject = format!("fsync,fdatasync:signal=KILL:when={place}");
        let Some(ended) = hit_and_continue(&world, &witnesses, &origin, &inject) else { continue };
        assert_eq!(ended.status, None, "{inject}: {ended:?}");
        hits += 1;
    }
    assert!(hits >= 8, "only {hits} kills");
}

/// A log's very first syncs: its keys, its origin, block 0.
#[test]
fn a_log_killed_while_it_begins_begins_again() {
    if !has_strace() {
        return;
    }
    for place in 1..=12 {
        let world = World::new();
        let inject = format!("fsync,fdatasync:signal=KILL:when={place}");
        hit_and_continue(&world, &[], "scenario.example/log", &inject);
    }
}

/// BLK-7: after a failed sync nobody knows what is on the disk, so the process ends, and a restart looks.
#[test]
fn a_sync_that_fails_ends_the_service() {
    if !has_strace() {
        return;
    }
    let world = World::new();
    let (witnesses, origin) = watched(&world);
    let mut hits = 0;
    for place in [1, 2, 3, 4, 5, 7, 10, 14] {
        for inject in
            [format!("fsync,fdatasync:error=EIO:when={place}"), format!("pwrite64:error=ENOSPC:when={}+", place * 5)]
        {
            let Some(ended) = hit_and_continue(&world, &witnesses, &origin, &inject) else { continue };
            assert_eq!(ended.status, Some(1), "{inject}: {ended:?}");
            assert!(ended.code().starts_with("store."), "{inject}: {ended:?}");
            hits += 1;
        }
    }
    assert!(hits >= 8, "only {hits} failures");
}

/// The folder of a killed service is a backup like any other: whoever has it can audit it.
#[test]
fn what_a_killed_service_left_is_a_log_that_holds() {
    if !has_strace() {
        return;
    }
    let world = World::new();
    let (witnesses, origin) = watched(&world);
    for place in [3, 9, 17] {
        let inject = format!("fsync,fdatasync:signal=KILL:when={place}");
        let command = hit_at(&inject);
        if let Ok(service) = world.serve_under(command, "service", &addresses(&witnesses)) {
            Promised::default().submit(&service.api, &origin);
            drop(service);
        }
        let audit = world.audit(&public(&world.path("service")), &world.path("service/policy"));
        assert_eq!(audit.status, Some(0), "{inject}: {audit:?}");
    }
}

fn public(data: &Path) -> String {
    data.join("public").display().to_string()
}
