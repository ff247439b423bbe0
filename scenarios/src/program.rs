//! The program under test, as processes.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take that has to happen.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The binary that was built together with this test.
///
/// # Panics
/// If there is none: a test cannot build it, since cargo is holding its lock.
pub fn trefoil() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let program = profile.join("trefoil");
    assert!(program.is_file(), "{} is missing: run `cargo build -p app` first", program.display());
    program
}

/// Asks again and again until there is an answer.
///
/// # Panics
/// After [`PATIENCE`].
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// How a process ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// Its exit status; `None` if a signal ended it.
    pub status: Option<i32>,
    /// What it printed, line by line.
    pub lines: Vec<String>,
    /// What it said on standard error.
    pub stderr: String,
}

impl Ended {
    /// The refusal's code from the JSON object on standard error, or an empty text.
    pub fn code(&self) -> String {
        self.error()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The JSON object in the last line of standard error.
    pub fn error(&self) -> Value {
        let last = self.stderr.lines().last().and_then(|line| serde_json::from_str::<Value>(line).ok());
        last.map_or(Value::Null, |value| value["error"].clone())
    }

    /// The last line of standard output, as JSON.
    pub fn last(&self) -> Value {
        self.lines.last().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default()
    }

    /// Exit status and code: what a script sees.
    pub fn verdict(&self) -> (Option<i32>, String) {
        (self.status, self.code())
    }
}

/// Runs `trefoil` to its end, in a home folder of its own.
///
/// # Panics
/// If it does not end.
pub fn run(home: &Path, arguments: &[&str]) -> Ended {
    Process::start(Command::new(trefoil()), home, arguments).wait_for_end()
}

/// A running process. It is killed when this goes away.
#[derive(Debug)]
pub struct Process {
    child: Child,
    lines: Receiver<String>,
    stderr: tempfile::NamedTempFile,
    seen: Vec<String>,
}

impl Process {
    /// Starts `command` with these further arguments.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(mut command: Command, home: &Path, arguments: &[&str]) -> Self {
        let stderr = tempfile::NamedTempFile::new().unwrap();
        command.args(arguments).env("HOME", home).env_remove("XDG_STATE_HOME").env_remove("TREFOIL_SERVICE");
        command.current_dir(home).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr.reopen().unwrap());
        let mut child = command.spawn().unwrap();
        let (sender, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        // read to its end, so that the process never waits for a reader
        std::thread::spawn(move || out.lines().map_while(Result::ok).for_each(|line| sender.send(line).unwrap_or(())));
        Self { child, lines, stderr, seen: Vec::new() }
    }

    /// The next line of standard output as JSON; `None` if it ends before.
    pub fn ready(&mut self) -> Option<Value> {
        let line = self.lines.recv_timeout(PATIENCE).ok()?;
        let value = serde_json::from_str(&line).ok();
        self.seen.push(line);
        value
    }

    /// What it has said so far and nobody has taken yet, each line as JSON.
    pub fn said(&mut self) -> Vec<Value> {
        let lines: Vec<String> = self.lines.try_iter().collect();
        self.seen.extend(lines.iter().cloned());
        lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// True as long as it runs.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it ends by itself.
    ///
    /// # Panics
    /// If it does not.
    pub fn wait_for_end(mut self) -> Ended {
        let mut status: Option<ExitStatus> = None;
        eventually("the process ends", || {
            status = self.child.try_wait().unwrap();
            status
        });
        self.end(status)
    }

    /// Kills it as a power cut would (SIGKILL).
    pub fn kill(mut self) -> Ended {
        self.child.kill().unwrap_or_default();
        let status = self.child.wait().ok();
        self.end(status)
    }

    /// Asks it to end (SIGTERM) and waits.
    pub fn stop(self) -> Ended {
        Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        self.wait_for_end()
    }

    fn end(&mut self, status: Option<ExitStatus>) -> Ended {
        let mut lines = std::mem::take(&mut self.seen);
        // the reader ends when the last holder of the pipe does
        lines.extend(std::iter::from_fn(|| self.lines.recv_timeout(Duration::from_secs(5)).ok()));
        let stderr = fs::read(self.stderr.path()).unwrap_or_default();
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        Ended { status: status.and_then(|status| status.code()), lines, stderr }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}
