//! `blob`: files as they lie at a service (§28).

use chain::id::Digest;
use protocol::blob::{BlobBroken, BlobKey, Cipher, Layout};
use zeroize::Zeroizing;

use crate::case::{Case, Fields, Verdict, check};
use crate::ok;

const KEY: [u8; 32] = [0x11; 32];
const PREFIX: [u8; 7] = [0x22; 7];
/// A file that ends in the second chunk, too long to be written out.
const LONG: u64 = 65_600;

fn long() -> Vec<u8> {
    (0..LONG).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

fn cipher(length: u64) -> Cipher {
    let key = BlobKey { key: Zeroizing::new(KEY), prefix: PREFIX };
    Cipher::new(&key, Layout::of(length).unwrap())
}

fn fields(length: u64, blob: Vec<u8>) -> Fields {
    Fields::default().with("key", KEY).with("prefix", PREFIX).with_number("length", length).with("blob", blob)
}

fn cases() -> Vec<Case> {
    let hello = b"hello".to_vec();
    let short = cipher(5).seal_part(0, &hello).unwrap();
    let two = Digest::sha256(&cipher(LONG).seal_part(0, &long()).unwrap());
    let two =
        Fields::default().with("key", KEY).with("prefix", PREFIX).with_number("length", LONG).with("blob-hash", two.0);
    let bad = |name, what, length, blob| Case::new(name, Err((BlobBroken::CODE, "BLB-2")), what, fields(length, blob));
    let changed = |blob: &[u8], at: usize| {
        let mut bytes = blob.to_vec();
        bytes[at] ^= 1;
        bytes
    };
    vec![
        ok("short", "five bytes", fields(5, short.clone()).with("file", hello)),
        ok("empty", "a file without bytes", fields(0, cipher(0).seal_part(0, &[]).unwrap()).with("file", Vec::new())),
        ok("two-chunks", "65,600 bytes, each its place modulo 251: its blob has this SHA-256", two),
        bad("changed", "a byte is changed", 5, changed(&short, 3)),
        bad("changed-tag", "the tag is changed", 5, changed(&short, 4_100)),
        bad("cut", "the last byte is missing", 5, short[..short.len() - 1].to_vec()),
        bad("longer", "a byte follows", 5, [&short[..], &[0]].concat()),
        bad("padding-not-zero", "the file is longer than its message says", 4, short),
    ]
}

fn judge(fields: &Fields) -> Verdict {
    let key = BlobKey { key: Zeroizing::new(fields.array("key")), prefix: fields.array("prefix") };
    let cipher = Cipher::new(&key, Layout::of(fields.number("length")).unwrap());
    if let Some(hash) = fields.find("blob-hash") {
        assert_eq!(hash, Digest::sha256(&cipher.seal_part(0, &long()).unwrap()).0);
        return Ok(());
    }
    let mut plain = fields.get("blob").to_vec();
    let is_whole = plain.len() as u64 == cipher.layout().sealed();
    let opened = cipher.open(0, &mut plain).and(if is_whole { Ok(()) } else { Err(BlobBroken) });
    opened.map_err(|_| (BlobBroken::CODE, "BLB-2"))?;
    assert_eq!(plain, fields.get("file"));
    Ok(())
}

/// BLB-1, BLB-2.
#[test]
fn blobs() {
    assert_eq!(check("blob", &cases(), judge), 8);
}
