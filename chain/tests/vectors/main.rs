//! The test vectors of `docs/vectors`: made here from production code, compared byte for byte with the files, and
//! judged by production code as they stand there.
//!
//! After a change that is meant: `TREFOIL_WRITE_VECTORS=1 cargo test -p chain --test vectors`, and read the difference.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking; its logs are short"
)]

mod block;
mod case;
mod entry;
mod evidence;
mod example_log;
mod fold;
mod fold_refused;
mod handle;
mod ids;
mod judge;
#[expect(dead_code, reason = "each test uses a part of the ledger")]
#[path = "../ledger/mod.rs"]
mod ledger;
mod log;
mod map;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use case::Case;

/// The folders of cases; `waict-mpt` is foreign, and `example-log` is a log.
const SUBJECTS: [&str; 9] = ["block", "entry", "evidence", "fold", "handle", "ids", "labels", "log", "map"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/vectors")
}

/// Every case, with its results filled in.
fn cases() -> Vec<Case> {
    let subjects = [
        ids::cases(),
        entry::cases(),
        fold::cases(),
        fold_refused::cases(),
        map::cases(),
        handle::cases(),
        block::cases(),
        log::cases(),
        evidence::cases(),
    ];
    let filled = |case: Case| Case { gives: judge::judge(&case).unwrap_or_default(), ..case };
    subjects.into_iter().flatten().map(filled).collect()
}

/// Every file below `folder`, by its path from there.
fn files_below(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            files.extend(files_below(&path).into_iter().map(|(below, bytes)| (format!("{name}/{below}"), bytes)));
        } else {
            files.insert(name, fs::read(&path).unwrap());
        }
    }
    files
}

/// Compares a folder with what it should hold, or makes it so if that is asked for.
fn compare(folder: &Path, expected: &BTreeMap<String, Vec<u8>>) {
    if std::env::var_os("TREFOIL_WRITE_VECTORS").is_some() {
        if folder.exists() {
            fs::remove_dir_all(folder).unwrap();
        }
        for (name, bytes) in expected {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }
    let found = files_below(folder);
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(expected), "the files of {}", folder.display());
    for (name, bytes) in expected {
        assert!(found[name] == *bytes, "{}/{name} is not what the code makes", folder.display());
    }
}

#[test]
fn every_vector_is_what_the_code_makes() {
    let cases = cases();
    let paths: Vec<_> = cases.iter().map(|case| case.path.as_str()).collect();
    assert!(paths.iter().enumerate().all(|(at, path)| !paths[..at].contains(path)), "two cases with one name");
    for subject in SUBJECTS {
        let within = |case: &Case| {
            let name = case.path.strip_prefix(subject)?.strip_prefix('/')?.to_owned();
            Some((name, case.to_text().into_bytes()))
        };
        compare(&folder().join(subject), &cases.iter().filter_map(within).collect());
    }
}

/// Reads the files alone: what they expect is what production code says.
#[test]
fn every_vector_gets_its_verdict() {
    for subject in SUBJECTS {
        let files = files_below(&folder().join(subject));
        assert!(!files.is_empty(), "no vectors of {subject}");
        for (name, bytes) in files {
            let text = String::from_utf8(bytes).unwrap();
            let case = Case::parse(&format!("{subject}/{name}"), &text);
            assert_eq!(case.to_text(), text, "{subject}/{name} has one form");
            let (verdict, gives) = match judge::judge(&case) {
                Ok(gives) => ("ok".to_owned(), gives),
                Err((code, rule)) => (format!("{code} {rule}"), Vec::new()),
            };
            assert_eq!((verdict, gives), (case.expect, case.gives), "{subject}/{name}");
        }
    }
}

#[test]
fn the_example_log_is_what_the_code_makes() {
    let log = example_log::example();
    compare(&folder().join("example-log"), &example_log::files(&log));
    let readme = fs::read_to_string(folder().join("README.md")).unwrap();
    assert!(readme.contains(&log.log_key()), "the key of the example log is in the README: {}", log.log_key());
}
