//! Files there and back, and everything that a service can do to a blob.

use super::*;

fn key(seed: u8) -> BlobKey {
    BlobKey { key: Zeroizing::new([seed; 32]), prefix: [seed; 7] }
}

fn cipher(length: u64) -> Cipher {
    Cipher::new(&key(1), Layout::of(length).unwrap())
}

fn file(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

fn sealed(cipher: &Cipher, file: &[u8]) -> Vec<u8> {
    let layout = cipher.layout();
    let of = |part| {
        let range = layout.part(part);
        &file[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()]
    };
    (0..layout.parts()).flat_map(|part| cipher.seal_part(part, of(part)).unwrap()).collect()
}

fn opened(cipher: &Cipher, blob: &[u8]) -> Result<Vec<u8>, BlobBroken> {
    let mut plain = blob.to_vec();
    cipher.open(0, &mut plain)?;
    // whoever opens knows how long the blob has to be
    if blob.len() as u64 == cipher.layout().sealed() { Ok(plain) } else { Err(BlobBroken) }
}

/// BLB-1: the lengths around every border there and back, in one piece and in chunks.
#[test]
fn what_is_sealed_is_opened() {
    let part = usize::try_from(PART).unwrap();
    for length in [0, 1, 15, 4_095, 4_096, 4_097, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, part - 1, part, part + 1] {
        let (file, cipher) = (file(length), cipher(length as u64));
        let blob = sealed(&cipher, &file);
        assert_eq!(blob.len() as u64, cipher.layout().sealed(), "{length}");
        assert_eq!(opened(&cipher, &blob).unwrap(), file, "{length}");
        let mut found = Vec::new();
        for (number, chunk) in blob.chunks(SEALED_CHUNK).enumerate() {
            let mut chunk = chunk.to_vec();
            cipher.open(number as u64, &mut chunk).unwrap();
            found.extend(chunk);
        }
        assert_eq!(found, file, "{length}");
    }
}

/// BLB-1 (attack 66): few lengths, none of them much longer than the file.
#[test]
fn a_blob_tells_little_of_its_length() {
    assert_eq!(padme(0), 0);
    assert_eq!([1, 2, 9, 100, 1_000, 1_000_000].map(padme), [1, 2, 10, 104, 1_024, 1_015_808]);
    let mut lengths = std::collections::BTreeSet::new();
    for length in (0..MAX_FILE).step_by(99_991).chain(0..10_000).chain([MAX_FILE - 1, MAX_FILE]) {
        let layout = Layout::of(length).unwrap();
        let padded = layout.padded();
        assert!(padded >= length && (padded <= SMALLEST || padded * 100 <= length * 112), "{length}: {padded}");
        lengths.insert(layout.sealed());
    }
    assert!(lengths.len() < 400, "{} lengths", lengths.len());
    assert_eq!(Layout::of(MAX_FILE).unwrap().padded(), MAX_FILE);
    assert_eq!(Layout::of(MAX_FILE + 1), None);
}

/// BLB-2 (attack 45): every truncation, every bit that is turned, every byte too many.
#[test]
fn a_changed_blob_is_not_opened() {
    let (file, cipher) = (file(5_000), cipher(5_000));
    let blob = sealed(&cipher, &file);
    for length in 0..blob.len() {
        assert_eq!(opened(&cipher, &blob[..length]), Err(BlobBroken), "cut to {length}");
    }
    for at in 0..blob.len() {
        let mut bent = blob.clone();
        bent[at] ^= 1 << (at % 8);
        assert_eq!(opened(&cipher, &bent), Err(BlobBroken), "byte {at}");
    }
    for more in [1, 15, 16, 17, SEALED_CHUNK] {
        let longer = [blob.clone(), vec![0; more]].concat();
        assert_eq!(opened(&cipher, &longer), Err(BlobBroken), "{more} more");
        let twice = [blob.clone(), blob[..more.min(blob.len())].to_vec()].concat();
        assert_eq!(opened(&cipher, &twice), Err(BlobBroken));
    }
}

/// BLB-2 (attack 45): chunks in another order, twice, left out, of another file, or the last one in another place.
#[test]
fn chunks_that_were_put_together_anew_are_not_opened() {
    let length = 4 * CHUNK - 1_000;
    let (file, cipher) = (file(length), cipher(length as u64));
    let blob = sealed(&cipher, &file);
    let chunks: Vec<&[u8]> = blob.chunks(SEALED_CHUNK).collect();
    let count = chunks.len();
    for (a, b) in (0..count).flat_map(|a| (0..count).map(move |b| (a, b))).filter(|(a, b)| a != b) {
        let mut other = chunks.clone();
        other.swap(a, b);
        assert_eq!(opened(&cipher, &other.concat()), Err(BlobBroken), "{a} and {b} changed places");
        other = chunks.clone();
        other[a] = chunks[b];
        assert_eq!(opened(&cipher, &other.concat()), Err(BlobBroken), "{b} in the place of {a}");
    }
    for gone in 0..count {
        let mut other = chunks.clone();
        other.remove(gone);
        assert_eq!(opened(&cipher, &other.concat()), Err(BlobBroken), "{gone} left out");
        // a shorter file of which each chunk is right
        let shorter = Cipher::new(&key(1), Layout::of((gone * CHUNK) as u64).unwrap());
        assert!(opened(&shorter, &chunks[..gone].concat()).is_err(), "cut behind {gone}");
    }
    let other = Cipher::new(&key(2), cipher.layout());
    assert_eq!(opened(&other, &blob), Err(BlobBroken));
    let other = BlobKey { prefix: [9; 7], ..key(1) };
    assert_eq!(opened(&Cipher::new(&other, cipher.layout()), &blob), Err(BlobBroken));
}

/// BLB-1: nothing is hidden behind a file, and of one length there is one blob.
#[test]
fn padding_is_zeros() {
    let longer = cipher(101);
    let blob = sealed(&longer, &file(101));
    assert_eq!(opened(&cipher(100), &blob), Err(BlobBroken));
    let zeros = sealed(&longer, &[file(100), vec![0]].concat());
    assert_eq!(opened(&cipher(100), &zeros).unwrap(), file(100));
}

/// BLB-3: a file is what it was when it was first read, part by part, however it is read.
#[test]
fn a_manifest_is_that_of_the_bytes() {
    let part = usize::try_from(PART).unwrap();
    for length in [0, 1, part - 1, part, part + 1, 2 * part, 2 * part + 7] {
        let file = file(length);
        let measured = |step: usize| {
            let mut measure = Measure::default();
            assert!(file.chunks(step).all(|bytes| measure.add(bytes)));
            measure.finish().unwrap()
        };
        let manifest = measured(1 << 20);
        assert_eq!(manifest, measured(part + 3));
        let layout = Layout::of(length as u64).unwrap();
        assert_eq!((manifest.length, manifest.hash), (length as u64, Digest::sha256(&file)));
        assert_eq!(manifest.parts.len() as u64, layout.parts());
        for (number, hash) in manifest.parts.iter().enumerate() {
            let range = layout.part(number as u64);
            let bytes = &file[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()];
            assert_eq!(*hash, Digest::sha256(bytes));
        }
        let wrong = vec![0; file.len().min(part) + 1];
        assert_eq!(Cipher::new(&key(1), layout).seal_part(0, &wrong), Err(BlobBroken));
    }
}
