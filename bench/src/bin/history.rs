//! What the ciphers and the disk alone take for old messages: `history [MESSAGES]`, for bench/history.py.
//!
//! No protocol, no record, no requests: an older device opens so many sealed rows and seals them in parts (HPKE, the suite of
//! the groups); each part is written and synced once, as a service has to; a newer device opens the parts, seals the rows
//! one by one and inserts them, one synced transaction of SQLite a part. One after the other, on one thread.

use std::fs::File;
use std::io::Write as _;

use bench::timing::{seconds, time_process};
use chacha20poly1305::aead::{Aead as _, KeyInit as _};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use openmls::prelude::Ciphersuite;
use openmls_rust_crypto::RustCrypto;
use openmls_traits::crypto::OpenMlsCrypto as _;
use rusqlite::{Connection, params};

const SUITE: Ciphersuite = Ciphersuite::MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519;
/// Bytes of a row at rest, and of a message in a part, as those of bench/history.py have them.
const ROW: usize = 450;
const MESSAGE: usize = 330;
/// Bytes of a part.
const PART: usize = 32_768;

fn main() {
    let count: usize = std::env::args().nth(1).map_or(10_000, |count| count.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let crypto = RustCrypto::default();
    let pair = crypto.derive_hpke_keypair(SUITE.hpke_config(), &[7; 64]).unwrap();
    let cipher = XChaCha20Poly1305::new(&[7; 32].into());
    let nonce = XNonce::from_slice(&[7; 24]);
    let row = cipher.encrypt(nonce, [b'x'; ROW].as_slice()).unwrap();
    let a_part = PART / MESSAGE;
    let parts = count.div_ceil(a_part);

    let (sealed, older) = time_process(|| {
        let seal = |_| {
            let opened = (0..a_part).map(|_| cipher.decrypt(nonce, row.as_slice()).unwrap().len()).sum::<usize>();
            assert!(opened > 0);
            crypto.hpke_seal(SUITE.hpke_config(), &pair.public, b"info", &[], &[b'x'; PART]).unwrap()
        };
        (0..parts).map(seal).collect::<Vec<_>>()
    });
    let mut file = File::create(folder.path().join("parts")).unwrap();
    let ((), service) = time_process(|| {
        for part in &sealed {
            file.write_all(part.ciphertext.as_slice()).unwrap();
            file.sync_data().unwrap();
        }
    });
    let mut db = Connection::open(folder.path().join("store.sqlite")).unwrap();
    db.pragma_update(None, "journal_mode", "WAL").unwrap();
    db.pragma_update(None, "synchronous", "FULL").unwrap();
    db.execute_batch("CREATE TABLE rows (id INTEGER PRIMARY KEY, name BLOB UNIQUE, value BLOB)").unwrap();
    let ((), newer) = time_process(|| {
        for (number, part) in sealed.iter().enumerate() {
            let opened = crypto.hpke_open(SUITE.hpke_config(), part, &pair.private, b"info", &[]).unwrap();
            assert_eq!(opened.len(), PART);
            let transaction = db.transaction().unwrap();
            for place in 0..a_part {
                let row = cipher.encrypt(nonce, [b'x'; ROW].as_slice()).unwrap();
                let mut name = [7; 32];
                name[..8].copy_from_slice(&(number * a_part + place).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
                let mut insert = transaction.prepare_cached("INSERT INTO rows (name, value) VALUES (?1, ?2)").unwrap();
                insert.execute(params![name, row]).unwrap();
            }
            transaction.commit().unwrap();
        }
    });
    for (what, took) in [("older device", &older), ("service", &service), ("newer device", &newer)] {
        println!("{what}: {} by the clock, {} on the processor", seconds(took.wall), seconds(took.cpu));
    }
    println!("{count} messages by the ciphers and the disk alone: together {:.2} s", older.wall + service.wall + newer.wall);
}
