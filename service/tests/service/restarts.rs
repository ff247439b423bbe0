//! Restarts, damage and old copies: nothing acknowledged is lost, and nothing wrong is signed.

use std::fs;
use std::path::Path;

use crate::world::{World, account, bytes, proven, submit};
use chain::sigchain::body::ResetChoice;
use service::Service;

fn error_code(world: &World) -> &'static str {
    Service::open(world.options()).map(|_| ()).unwrap_err().code()
}

/// BLK-7: what was acknowledged is there after a restart, and the log goes on from the same root.
#[test]
fn a_restart_keeps_everything() {
    let world = World::new();
    let service = world.open().unwrap();
    let accounts: Vec<_> = (0..5).map(|_| account(&service)).collect();
    let (checkpoint, block) = (bytes(&service, "/checkpoint"), bytes(&service, "/block/3"));
    let sets: Vec<_> = accounts.iter().map(|(id, _)| proven(&service, id)).collect();
    service.close().unwrap();
    // once from the snapshot, once from the records
    for snapshot in [true, false] {
        if !snapshot {
            fs::remove_file(world.data.join("tree.snapshot")).unwrap();
        }
        let service = world.open().unwrap();
        assert_eq!(bytes(&service, "/checkpoint"), checkpoint);
        assert_eq!(bytes(&service, "/block/3"), block);
        for ((id, _), set) in accounts.iter().zip(&sets) {
            assert_eq!(proven(&service, id), *set);
        }
        service.close().unwrap();
    }
    let service = world.open().unwrap();
    let (id, device) = &accounts[0];
    let accepted = submit(&service, &device.choosing(sets[0].as_ref().unwrap(), ResetChoice::Never)).unwrap();
    assert_eq!(accepted.block, 6);
    assert_eq!(proven(&service, id).unwrap().reset_choice(), ResetChoice::Never);
}

/// BLK-5: block time never falls, whatever the clock does.
#[test]
fn block_time_does_not_fall_with_the_clock() {
    let world = World::new();
    let service = world.open().unwrap();
    let (id, _) = account(&service);
    world.now_s.fetch_sub(1_000, std::sync::atomic::Ordering::Relaxed);
    let (other, _) = account(&service);
    let at = |id| proven(&service, id).unwrap().confirmed().values().next().unwrap().at_s;
    assert_eq!(at(&id), at(&other));
}

#[test]
fn a_second_process_is_refused() {
    let world = World::new();
    let service = world.open().unwrap();
    assert_eq!(error_code(&world), "store.locked");
    service.close().unwrap();
    world.open().unwrap();
}

/// Keys are for the service alone, and without them a log does not go on.
#[test]
fn a_log_without_its_keys_does_not_start() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    world.open().unwrap().close().unwrap();
    for name in ["log", "entry", "vrf", "opaque"] {
        let key = world.data.join("keys").join(name);
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        let seed = fs::read(&key).unwrap();
        fs::remove_file(&key).unwrap();
        assert_eq!(error_code(&world), "store.io");
        fs::write(&key, "7".repeat(64)).unwrap();
        assert_eq!(error_code(&world), "store.io");
        fs::write(&key, seed).unwrap();
    }
    world.open().unwrap();
}

#[test]
fn another_origin_is_refused() {
    let world = World::new();
    world.open().unwrap().close().unwrap();
    let options = service::Options { origin: Some("other.example/log".into()), ..world.options() };
    assert_eq!(Service::open(options).map(|_| ()).unwrap_err().code(), "service.origin");
}

/// Attack 23: a block's file without its transaction is not a block.
#[test]
fn a_half_written_block_is_replaced() {
    let world = World::new();
    let service = world.open().unwrap();
    account(&service);
    service.close().unwrap();
    fs::write(world.data.join("public/block/2"), b"half a block").unwrap();
    fs::write(world.data.join("public/block/2.new"), b"half").unwrap();
    let service = world.open().unwrap();
    let (id, _) = account(&service);
    assert!(proven(&service, &id).is_some());
}

/// Flips one bit of a file.
fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    let at = at % bytes.len();
    bytes[at] ^= 1 << (at % 8);
    fs::write(path, bytes).unwrap();
}

/// Attack 24: flipped bits of every file in turn are noticed or change nothing; a wrong root is never signed.
#[test]
fn flipped_bits_are_noticed_or_change_nothing() {
    let world = World::new();
    let service = world.open().unwrap();
    let accounts: Vec<_> = (0..3).map(|_| account(&service)).collect();
    let sets: Vec<_> = accounts.iter().map(|(id, _)| proven(&service, id).unwrap()).collect();
    service.close().unwrap();
    let mut noticed = 0;
    for file in ["tree.snapshot", "store.sqlite", "public/block/0", "public/block/2", "public/checkpoint", "keys/log"] {
        let length = fs::metadata(world.data.join(file)).unwrap().len() as usize;
        for sample in 0..12 {
            let mut copy = World::new();
            copy.limits = world.limits;
            world.copy_to(&copy.data);
            flip(&copy.data.join(file), sample * length / 12 + sample);
            let Ok(service) = copy.open() else {
                noticed += 1;
                continue;
            };
            // if it starts, then every account continues with the right root, or nothing is signed any more
            for ((id, device), set) in accounts.iter().zip(&sets) {
                match submit(&service, &device.choosing(set, ResetChoice::Never)) {
                    Ok(_) => assert_eq!(proven(&service, id).unwrap().sequence(), 1),
                    Err(_) => noticed += 1,
                }
            }
        }
    }
    assert!(noticed > 0);
}

/// Attack 24: a record that is not the one in the map ends the service before anything is signed over it.
#[test]
fn a_changed_record_stops_the_service() {
    let world = World::new();
    let service = world.open().unwrap();
    let (id, device) = account(&service);
    let (_, stranger) = account(&service);
    let set = proven(&service, &id).unwrap();
    service.close().unwrap();
    let db = rusqlite::Connection::open(world.data.join("store.sqlite")).unwrap();
    let mut record: Vec<u8> =
        db.query_row("SELECT device_set FROM accounts WHERE account = ?1", [id.as_bytes()], |row| row.get(0)).unwrap();
    // puts another chain key where the device's is, so that another device could sign
    let at = record.windows(32).position(|window| window == device.keys().chain.as_bytes()).unwrap();
    record[at..at + 32].copy_from_slice(stranger.keys().chain.as_bytes());
    db.execute("UPDATE accounts SET device_set = ?1 WHERE account = ?2", rusqlite::params![record, id.as_bytes()])
        .unwrap();
    drop(db);
    let service = world.open().unwrap();
    let before = bytes(&service, "/checkpoint/latest");
    submit(&service, &device.choosing(&set, ResetChoice::Never)).unwrap_err();
    assert_eq!(bytes(&service, "/checkpoint/latest"), before);
    fs::remove_file(world.data.join("tree.snapshot")).unwrap();
    drop(service);
    assert_eq!(error_code(&world), "store.corrupt");
}

/// Attack 16: without its blocks, a log whose checkpoint was shown is not begun anew under its key.
#[test]
fn a_log_that_lost_its_records_does_not_begin_again() {
    let world = World::new();
    let service = world.open().unwrap();
    account(&service);
    service.close().unwrap();
    for file in ["store.sqlite", "store.sqlite-wal", "store.sqlite-shm"] {
        fs::remove_file(world.data.join(file)).unwrap_or_default();
    }
    assert_eq!(error_code(&world), "store.corrupt");
}
