//! The shape of the whole: which crate may know which, how long a file may be, and that every numbered rule has a test.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Which of our crates each crate may depend on. `scenarios` may see all.
const MAY_DEPEND_ON: [(&str, &[&str]); 6] = [
    ("chain", &[]),
    ("protocol", &["chain"]),
    ("client", &["chain", "protocol"]),
    ("service", &["chain", "protocol"]),
    ("witness", &["chain"]),
    ("app", &["chain", "client", "protocol", "service", "witness"]),
];

/// Crates without a clock, input, output or randomness.
const PURE: [&str; 2] = ["chain", "protocol"];

/// What opens a socket or a file, waits, reads a clock or draws random numbers.
const IMPURE: [&str; 24] = [
    "axum",
    "async-std",
    "chrono",
    "crossbeam-channel",
    "fastrand",
    "getrandom",
    "hyper",
    "mio",
    "rand",
    "rand_chacha",
    "rand_core",
    "reqwest",
    "rusqlite",
    "rustix",
    "rustls",
    "signal-hook",
    "smol",
    "socket2",
    "sqlx",
    "tempfile",
    "time",
    "tokio",
    "tracing",
    "ureq",
];

/// Impure names that a pure crate may reach all the same.
const TOLERATED: [(&str, &str); 2] = [
    ("rand_core", "traits only: without a generator and without the operating system's entropy"),
    ("rand", "what OPAQUE takes its generator as: without the operating system's entropy"),
];

/// Most lines of a source file, tests at its bottom not counted.
const MAX_LINES: usize = 600;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn cargo(arguments: &[&str]) -> Vec<u8> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn metadata() -> Value {
    serde_json::from_slice(&cargo(&["metadata", "--format-version", "1", "--locked"])).unwrap()
}

/// A resolved package: its name, and the packages that it uses other than in tests.
struct Package {
    name: String,
    uses: Vec<String>,
}

fn packages(metadata: &Value) -> BTreeMap<String, Package> {
    let items = |value: &Value| value.as_array().unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let names: BTreeMap<_, _> =
        items(&metadata["packages"]).iter().map(|it| (text(&it["id"]), text(&it["name"]))).collect();
    let is_normal = |dependency: &Value| items(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
    let package = |node: &Value| {
        let uses = items(&node["deps"]).iter().filter(|it| is_normal(it)).map(|it| text(&it["pkg"])).collect();
        let id = text(&node["id"]);
        (id.clone(), Package { name: names[&id].clone(), uses })
    };
    items(&metadata["resolve"]["nodes"]).iter().map(package).collect()
}

fn id_of<'p>(packages: &'p BTreeMap<String, Package>, name: &str) -> &'p str {
    let is_ours = |id: &str| id.contains(&root().display().to_string());
    packages.iter().find(|(id, package)| package.name == name && is_ours(id)).map(|(id, _)| id.as_str()).unwrap()
}

#[test]
fn every_arrow_between_our_crates_follows_the_layers() {
    let packages = packages(&metadata());
    let ours: BTreeSet<_> = MAY_DEPEND_ON.iter().map(|(name, _)| *name).chain(["scenarios"]).collect();
    let members: BTreeSet<_> = metadata()["workspace_members"]
        .as_array()
        .unwrap()
        .clone()
        .iter()
        .map(|id| packages[id.as_str().unwrap()].name.clone())
        .collect();
    assert!(members.iter().all(|name| ours.contains(name.as_str())), "a crate without a layer: {members:?}");
    for (name, allowed) in MAY_DEPEND_ON {
        for used in &packages[id_of(&packages, name)].uses {
            let used = packages[used].name.as_str();
            assert!(!ours.contains(used) || allowed.contains(&used), "{name} must not depend on {used}");
        }
    }
}

/// The crates that a crate reaches when it is built by itself, so without features that other crates turn on.
fn reached(name: &str) -> BTreeSet<String> {
    let output = cargo(&["tree", "-p", name, "-e", "normal", "--prefix", "none", "--locked"]);
    let text = String::from_utf8(output).unwrap();
    text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn the_pure_crates_reach_no_clock_no_socket_and_no_randomness() {
    for name in PURE {
        let reached = reached(name);
        assert!(reached.contains("chain") && reached.contains("sha2"), "{reached:?}");
        let tolerated = |found: &str| TOLERATED.iter().any(|(name, _)| *name == found);
        let impure: Vec<_> = IMPURE.iter().filter(|it| reached.contains(**it) && !tolerated(it)).collect();
        assert!(impure.is_empty(), "{name} reaches {impure:?}");
    }
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && name != "target" {
            sources(&path, found);
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
}

fn our_sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    sources(root(), &mut found);
    found.sort();
    found.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// Where a file's tests begin: at its top if it is all tests.
fn tests_begin(path: &Path, text: &str) -> usize {
    let is_all_tests = path.components().any(|it| it.as_os_str() == "tests") || path.ends_with("tests.rs");
    if is_all_tests { 0 } else { text.find("#[cfg(test)]\nmod ").unwrap_or(text.len()) }
}

#[test]
fn no_source_file_passes_its_length() {
    for (path, text) in our_sources() {
        let lines = text[..tests_begin(&path, &text)].lines().count();
        assert!(lines <= MAX_LINES, "{} has {lines} lines without tests", path.display());
    }
}

/// The numbers of all rules: `**ENT-1**` in docs/protocol.md.
fn rules() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("docs/protocol.md")).unwrap();
    let is_number = |text: &&str| {
        let parts = text.split_once('-');
        parts.is_some_and(|(kind, number)| {
            kind.len() == 3
                && kind.chars().all(|it| it.is_ascii_uppercase())
                && !number.is_empty()
                && number.chars().all(|it| it.is_ascii_digit())
        })
    };
    text.split("**").filter(is_number).map(str::to_owned).collect()
}

#[test]
fn every_numbered_rule_is_named_by_a_test() {
    let rules = rules();
    assert!(rules.len() > 30, "only {rules:?}");
    let tests: String = our_sources()
        .iter()
        .filter(|(path, _)| !path.ends_with("layering.rs"))
        .map(|(path, text)| &text[tests_begin(path, text)..])
        .collect();
    let is_named = |rule: &str| {
        tests.match_indices(rule).any(|(at, _)| !tests[at + rule.len()..].starts_with(|it: char| it.is_ascii_digit()))
    };
    let missing: Vec<_> = rules.iter().filter(|rule| !is_named(rule)).collect();
    assert!(missing.is_empty(), "no test names {missing:?}");
}

/// Where a code stands as what somebody is told: behind one of these.
const TELLS: [&str; 14] = [
    "Failure::misuse(",
    "Failure::refused(",
    "Failure::lie(",
    "Kind::Misuse,",
    "Kind::Refused,",
    "Kind::Waiting,",
    "Kind::Broken,",
    "Kind::Unreachable,",
    "Kind::Lie,",
    " refused(",
    " misuse(",
    " waiting(",
    "Notice::new(",
    "Notice::of_account(",
];

/// `noun.fact`, in quotes, at the beginning of a text.
fn code_at(text: &str) -> Option<&str> {
    let literal = text.trim_start().strip_prefix('"')?.split('"').next()?;
    let (noun, fact) = literal.split_once('.')?;
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|it| it.is_ascii_lowercase() || it == '_');
    (is_word(noun) && is_word(fact)).then_some(literal)
}

/// The codes that a source can tell somebody: behind [`TELLS`], those that a `fn code` gives, and the constants of `protocol`.
fn codes(path: &Path, text: &str) -> BTreeSet<String> {
    let mut found: Vec<&str> = Vec::new();
    for tells in TELLS {
        found.extend(text.match_indices(tells).filter_map(|(at, _)| code_at(&text[at + tells.len()..])));
    }
    for (at, _) in text.match_indices("fn code(") {
        let body = text[at..].split("\n    }\n").next().unwrap_or_default();
        found.extend(body.match_indices("=> ").filter_map(|(at, _)| code_at(&body[at + 3..])));
    }
    if path.starts_with(root().join("protocol")) {
        found.extend(text.match_indices("&str = ").filter_map(|(at, _)| code_at(&text[at + 7..])));
    }
    found.into_iter().map(str::to_owned).collect()
}

#[test]
fn every_code_that_somebody_can_be_told_stands_in_a_table() {
    let documents = ["docs/protocol.md", "docs/agent.md"].map(|path| fs::read_to_string(root().join(path)).unwrap());
    let rows: String = documents.iter().flat_map(|text| text.lines()).filter(|line| line.starts_with("| ")).collect();
    let notices = documents[1].split("\nA `notice` is one of").nth(1).and_then(|text| text.split("\n\n").next());
    let listed = rows + notices.unwrap();
    let mut all = BTreeSet::new();
    for (path, text) in our_sources() {
        let is_shipped = MAY_DEPEND_ON.iter().any(|(name, _)| path.starts_with(root().join(name).join("src")));
        if is_shipped {
            all.extend(codes(&path, &text[..tests_begin(&path, &text)]));
        }
    }
    assert!(all.len() > 200 && all.contains("chat.not_admin") && all.contains("blob.gone"), "{all:?}");
    let missing: Vec<_> = all.iter().filter(|code| !listed.contains(&format!("`{code}`"))).collect();
    assert!(missing.is_empty(), "in no table: {missing:?}");
}
