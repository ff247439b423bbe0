//! The README's first command, on the real binary. That this test exists also makes `cargo test --workspace` build the
//! binary, which the tests of crate `scenarios` run.

use std::process::Command;

/// The nine steps: every one is verified by the program itself, or it ends with another status.
#[test]
fn the_story_of_the_readme_holds() {
    let output = Command::new(env!("CARGO_BIN_EXE_trefoil")).args(["try", "--exit"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("encrypted to both") && said.ends_with("Every step was verified.\n"), "{said}");
}
