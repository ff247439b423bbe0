//! The agent as a process: who may see what it makes, that there is one per profile, and how commands end.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// A home of one's own; whatever agent was started in it ends with it.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs `trefoil` as somebody whose umask hides nothing.
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("sh");
        command.args(["-c", "umask 000; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_trefoil")]).args(arguments);
        command.env("TREFOIL_HOME", self.path());
        for name in ["TREFOIL_PROFILE", "TREFOIL_SERVICE", "TREFOIL_PASSWORD_FD", "TREFOIL_PASSPHRASE_FD"] {
            command.env_remove(name);
        }
        command.output().unwrap()
    }

    fn mode(&self, path: &str) -> u32 {
        std::fs::metadata(self.path().join(path)).unwrap().mode() & 0o777
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// Signs up at a service that nobody runs: makes key and store, and gets no further.
    fn sign_up_in_vain(&self, more: &[&str]) -> Output {
        let password = self.write("password", "correct horse battery\n");
        let line = ["signup", "bob", "--json", "--service", "http://127.0.0.1:1", "--password-file", &password];
        self.run(&[&line, more].concat())
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        self.run(&["agent", "--stop"]);
    }
}

fn first_line(bytes: &[u8]) -> Value {
    let text = String::from_utf8_lossy(bytes);
    let line = text.lines().find(|line| line.starts_with('{')).unwrap_or_else(|| panic!("no JSON: {text}"));
    serde_json::from_str(line).unwrap()
}

fn code_of(output: &Output) -> (Option<i32>, String) {
    let error = first_line(&output.stderr);
    (output.status.code(), error["error"]["code"].as_str().unwrap().to_owned())
}

#[test]
fn a_new_profile_has_a_status_and_nobody_else_can_look_into_it() {
    let home = Home::new();
    let status = home.run(&["status", "--json"]);
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    assert_eq!(first_line(&status.stdout)["phase"], "new");
    let failed = home.sign_up_in_vain(&[]);
    assert_eq!(code_of(&failed), (Some(3), "service.unreachable".to_owned()));
    assert!(String::from_utf8_lossy(&failed.stderr).contains("whoever can read this user's files"));
    for folder in ["data/default", "run", "state"] {
        assert_eq!(home.mode(folder), 0o700, "{folder}");
    }
    for file in ["data/default/lock", "data/default/store.key", "data/default/store.sqlite", "run/default.sock"] {
        assert_eq!(home.mode(file), 0o600, "{file}");
    }
    assert_eq!(home.mode("state/default.log"), 0o600);
}

#[test]
fn a_profile_has_one_agent_and_it_ends_when_asked() {
    let home = Home::new();
    assert!(home.run(&["status"]).status.success());
    assert_eq!(code_of(&home.run(&["agent", "--json"])), (Some(5), "agent.running".to_owned()));
    assert!(home.run(&["agent", "--stop"]).status.success());
    assert!(!home.path().join("run/default.sock").exists());
    assert!(home.run(&["agent", "--stop"]).status.success(), "stopping what does not run is no failure");
    assert!(home.run(&["status"]).status.success(), "the next command starts it again");
}

/// Story "database cannot be opened": nothing is deleted, and the right passphrase still opens it.
#[test]
fn a_locked_profile_opens_with_its_passphrase_only() {
    let home = Home::new();
    let right = home.write("right", "four random words here\n");
    let wrong = home.write("wrong", "guessed\n");
    home.sign_up_in_vain(&["--passphrase-file", &right]);
    home.run(&["agent", "--stop"]);
    assert_eq!(code_of(&home.run(&["status", "--json"])), (Some(5), "store.locked".to_owned()));
    let failed = home.run(&["status", "--json", "--passphrase-file", &wrong]);
    assert_eq!(code_of(&failed), (Some(5), "store.locked".to_owned()));
    let opened = home.run(&["status", "--json", "--passphrase-file", &right]);
    assert!(opened.status.success(), "{}", String::from_utf8_lossy(&opened.stderr));
}

#[test]
fn what_needs_an_account_says_so_and_a_wrong_line_is_told_as_json_too() {
    let home = Home::new();
    assert_eq!(code_of(&home.run(&["send", "alice", "hi", "--json"])), (Some(2), "profile.new".to_owned()));
    assert_eq!(code_of(&home.run(&["read", "--json"])), (Some(2), "profile.new".to_owned()));
    assert_eq!(code_of(&home.run(&["dance", "--json"])), (Some(2), "usage".to_owned()));
    let weak = home.write("weak", "short\n");
    let line = ["signup", "bob", "--json", "--service", "http://127.0.0.1:1", "--password-file", &weak];
    assert_eq!(code_of(&home.run(&line)), (Some(2), "password.weak".to_owned()));
    assert!(!home.path().join("data/default/store.key").exists(), "nothing half-made is left behind");
    assert_eq!(code_of(&home.run(&["contact", "add", "418093", "--json"])), (Some(2), "link.wrong_kind".to_owned()));
}
