//! The agent as a process: who may see what it makes, that there is one per profile, and how commands end.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

mod home;

use std::os::unix::fs::MetadataExt as _;
use std::process::Output;

use home::{Home, code_of, first_line};

impl Home {
    fn mode(&self, path: &str) -> u32 {
        std::fs::metadata(self.path().join(path)).unwrap().mode() & 0o777
    }

    /// Signs up at a service that nobody runs: makes key and store, and gets no further.
    fn sign_up_in_vain(&self, more: &[&str]) -> Output {
        let password = self.write("password", "correct horse battery\n");
        let line = ["signup", "bob", "--json", "--service", "http://127.0.0.1:1", "--password-file", &password];
        self.run(&[&line, more].concat())
    }
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

/// Whoever builds the program anew and keeps its version has a new agent too.
#[test]
fn an_agent_of_another_build_is_started_anew_and_one_of_the_same_is_not() {
    let home = Home::new();
    let program = home.path().join("trefoil");
    std::fs::copy(env!("CARGO_BIN_EXE_trefoil"), &program).unwrap();
    let status = || {
        let output = home.command_of(&program, &["status"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let log = std::fs::read_to_string(home.path().join("state/default.log")).unwrap();
        log.matches("agent.started").count()
    };
    assert_eq!([status(), status()], [1, 1]);
    // a build replaces the file and does not write into it
    let rebuilt = home.path().join("rebuilt");
    std::fs::copy(&program, &rebuilt).unwrap();
    std::fs::rename(&rebuilt, &program).unwrap();
    assert_eq!([status(), status()], [2, 2]);
    assert!(home.command_of(&program, &["agent", "--stop"]).status().unwrap().success());
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
