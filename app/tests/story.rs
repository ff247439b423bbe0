//! The README's first command, on the real binary. That this test exists also makes `cargo test --workspace` build the
//! binary, which the tests of crate `scenarios` run.

#![expect(clippy::unwrap_used, reason = "test code")]

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The nine steps: every one is verified by the program itself, or it ends with another status.
#[test]
fn the_story_of_the_readme_holds() {
    let output = Command::new(env!("CARGO_BIN_EXE_trefoil")).args(["try", "--exit"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("encrypted to both") && said.ends_with("Every step was verified.\n"), "{said}");
}

/// Whoever closes the terminal, or kills it, finds nothing of it running.
#[cfg(target_os = "linux")]
#[test]
fn a_story_that_is_killed_leaves_no_process_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_trefoil"));
    command.arg("try").env("TMPDIR", folder.path()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut story = command.spawn().unwrap();
    let mut said = BufReader::new(story.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(said.any(|line| line.starts_with("4  Bob read it")), "it gets so far");
    let left = || running(&folder.path().display().to_string());
    assert!(left() >= 8, "the story, a service, four witnesses and two agents");
    story.kill().unwrap();
    story.wait().unwrap();
    let began = Instant::now();
    while left() > 0 {
        assert!(began.elapsed() < Duration::from_secs(60), "{} processes are left", left());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// How many processes have this in their environment or in their command.
#[cfg(target_os = "linux")]
fn running(mark: &str) -> usize {
    let is_marked = |process: &std::path::Path| {
        ["environ", "cmdline"].iter().any(|file| {
            let bytes = std::fs::read(process.join(file)).unwrap_or_default();
            bytes.windows(mark.len()).any(|window| window == mark.as_bytes())
        })
    };
    std::fs::read_dir("/proc").unwrap().flatten().filter(|entry| is_marked(&entry.path())).count()
}
