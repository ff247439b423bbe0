//! A home of somebody who runs `trefoil`, and how the tests read what it says.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// A home of one's own; whatever agent was started in it ends with it.
pub(crate) struct Home(tempfile::TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// `trefoil` as somebody whose umask hides nothing.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(Path::new(env!("CARGO_BIN_EXE_trefoil")), arguments)
    }

    /// The same, of another copy of the program.
    pub(crate) fn command_of(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", "umask 000; exec \"$0\" \"$@\""]).arg(program).args(arguments);
        command.env("TREFOIL_HOME", self.path());
        for name in
            ["TREFOIL_PROFILE", "TREFOIL_SERVICE", "TREFOIL_CA_FILE", "TREFOIL_PASSWORD_FD", "TREFOIL_PASSPHRASE_FD"]
        {
            command.env_remove(name);
        }
        command
    }

    /// Runs `trefoil` to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        self.run(&["agent", "--stop"]);
    }
}

pub(crate) fn first_line(bytes: &[u8]) -> Value {
    let text = String::from_utf8_lossy(bytes);
    let line = text.lines().find(|line| line.starts_with('{')).unwrap_or_else(|| panic!("no JSON: {text}"));
    serde_json::from_str(line).unwrap()
}

/// Exit status and code of a command that failed.
pub(crate) fn code_of(output: &Output) -> (Option<i32>, String) {
    let error = first_line(&output.stderr);
    (output.status.code(), error["error"]["code"].as_str().unwrap().to_owned())
}
