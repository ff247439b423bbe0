//! What the cipher and the disk alone take for a file: `files FILE FOLDER`, for bench/files.py.
//!
//! No requests, no record, no message: out, the file is read and hashed, read again, sealed, written and synced, as a sender
//! and a service have to; in, that is read, opened, hashed, written and synced. One after the other, on one thread.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::Instant;

use protocol::blob::{BlobKey, Cipher, Layout, MAX_PART, Measure, PART_CHUNKS, Sha256};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (file, folder) = (arguments.next().unwrap(), arguments.next().unwrap());
    let sealed = Path::new(&folder).join("alone.sealed");
    let key = BlobKey { key: [7; 32].into(), prefix: [7; 7] };

    let began = Instant::now();
    let mut measure = Measure::default();
    pieces(Path::new(&file), 1 << 20, |bytes| assert!(measure.add(bytes)));
    let manifest = measure.finish().unwrap();
    let layout = Layout::of(manifest.length).unwrap();
    let cipher = Cipher::new(&key, layout);
    let mut source = File::open(&file).unwrap();
    let mut out = File::create(&sealed).unwrap();
    for part in 0..layout.parts() {
        let range = layout.part(part);
        let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap()];
        source.read_exact(&mut bytes).unwrap();
        out.write_all(&cipher.seal_part(part, &bytes).unwrap()).unwrap();
    }
    out.sync_all().unwrap();
    let there = began.elapsed();

    let began = Instant::now();
    let mut saved = File::create(Path::new(&folder).join("alone.saved")).unwrap();
    let (mut hash, mut chunk) = (Sha256::default(), 0);
    pieces(&sealed, usize::try_from(MAX_PART).unwrap(), |bytes| {
        let mut bytes = bytes.to_vec();
        cipher.open(chunk, &mut bytes).unwrap();
        hash.add(&bytes);
        saved.write_all(&bytes).unwrap();
        chunk += PART_CHUNKS;
    });
    saved.sync_all().unwrap();
    assert_eq!(hash.finish(), manifest.hash);
    println!("out {:.4} in {:.4}", there.as_secs_f64(), began.elapsed().as_secs_f64());
}

/// Hands over a file in pieces of this length, but for the last one.
fn pieces(path: &Path, length: usize, mut with: impl FnMut(&[u8])) {
    let (mut file, mut buffer) = (File::open(path).unwrap(), vec![0; length]);
    loop {
        let mut filled = 0;
        while filled < length {
            match file.read(&mut buffer[filled..]).unwrap() {
                0 => break,
                more => filled += more,
            }
        }
        if filled == 0 {
            return;
        }
        with(&buffer[..filled]);
    }
}
