//! What the story is played on: a service, four witnesses and an auditor, each a process of its own on this machine.

use std::io::{BufRead as _, BufReader, Lines};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use witness::source::Source;

use super::super::say;
use crate::failure::{Failure, Kind};
use crate::lives_with::{Alive, VARIABLE};

/// How many witnesses there are.
const WITNESSES: usize = 4;
/// How long service and witnesses may take until block 0 is cosigned.
const START_WITHIN: Duration = Duration::from_secs(30);
/// Most bytes of a checkpoint.
const MAX_CHECKPOINT: usize = 128 * 1024;

/// A process that ends with this one.
pub(super) struct Actor(Child);

impl Drop for Actor {
    fn drop(&mut self) {
        // it may have ended by itself
        self.0.kill().unwrap_or_default();
        self.0.wait().map(drop).unwrap_or_default();
    }
}

/// The running service and who watches it.
pub(super) struct Stage {
    _actors: Vec<Actor>,
    _alive: Alive,
    pub(super) folder: PathBuf,
    pub(super) service: String,
    pub(super) policy: PathBuf,
}

impl Stage {
    pub(super) fn set_up(folder: &Path) -> Result<Self, Failure> {
        let alive = Alive::at(&proof_of_life(folder)).map_err(Failure::broken)?;
        let mut actors = Vec::new();
        let mut witnesses = Vec::new();
        for number in 1..=WITNESSES {
            let data = folder.join(format!("witness-{number}")).display().to_string();
            let name = format!("w{number}.example");
            let ready = finish(folder, &["witness", "init", "--data", &data, "--name", &name, "--json"])?;
            witnesses.push((data, free_port()?, text(&ready, "witness_vkey")?));
        }
        let data = folder.join("service").display().to_string();
        let mut arguments = vec!["serve", "--json", "--listen", "127.0.0.1:0", "--origin", "try.example/log", "--data"];
        let addresses: Vec<_> =
            witnesses.iter().map(|(_, port, vkey)| format!("{vkey}@http://127.0.0.1:{port}")).collect();
        arguments.push(&data);
        for address in &addresses {
            arguments.extend(["--witness", address]);
        }
        let (service, ready) = start(folder, &arguments)?;
        actors.push(service);
        let log = text(&ready, "log_vkey")?;
        for (data, port, _) in &witnesses {
            let listen = format!("127.0.0.1:{port}");
            let (witness, _) =
                start(folder, &["witness", "--json", "--data", data, "--listen", &listen, "--log", &log])?;
            actors.push(witness);
        }
        let service = text(&ready, "service")?;
        wait_for_quorum(&service)?;
        say(format_args!(
            "A service is running at {service}, and {WITNESSES} witnesses beside it: three of the four have to"
        ));
        say("cosign each state of the record before anybody believes it.");
        let policy = PathBuf::from(text(&ready, "policy")?);
        Ok(Self { _actors: actors, _alive: alive, folder: folder.to_owned(), service, policy })
    }

    /// Runs an auditor to its end.
    pub(super) fn audit(&self) -> Result<(), Failure> {
        let policy = self.policy.display().to_string();
        let last = finish(&self.folder, &["audit", &self.service, "--policy", &policy, "--json"])?;
        if last.get("ok") != Some(&Value::Bool(true)) {
            return Err(unexpected("the auditor found something"));
        }
        let number = |name: &str| last.get(name).and_then(Value::as_u64).unwrap_or_default();
        say(format_args!(
            "An auditor replayed all {} blocks from the first and checked every signature and every rule of {} entries.",
            number("blocks"),
            number("entries")
        ));
        Ok(())
    }

    /// Starts an auditor that goes on.
    pub(super) fn follow(&self) -> Result<Actor, Failure> {
        let policy = self.policy.display().to_string();
        let data = self.folder.join("auditor").display().to_string();
        let arguments = ["audit", &self.service, "--policy", &policy, "--data", &data, "--follow", "--json"];
        start(&self.folder, &arguments).map(|(actor, _)| actor)
    }
}

pub(super) fn unexpected(what: &str) -> Failure {
    Failure::new(Kind::Broken, "try.unexpected", what)
}

pub(super) fn program() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(Failure::broken)
}

/// This program once more, for the story in this folder: it ends with the story, and whatever it starts does too.
pub(super) fn command(folder: &Path, arguments: &[&str]) -> Result<Command, Failure> {
    let mut command = Command::new(program()?);
    command.args(arguments).env(VARIABLE, proof_of_life(folder));
    Ok(command)
}

fn proof_of_life(folder: &Path) -> PathBuf {
    folder.join("alive")
}

/// Until the witnesses have cosigned block 0, nobody can believe anything.
fn wait_for_quorum(service: &str) -> Result<(), Failure> {
    let source = Source::parse(service).map_err(|error| unexpected(&error.to_string()))?;
    let patience = Instant::now();
    while let Err(error) = source.read("checkpoint", MAX_CHECKPOINT) {
        if patience.elapsed() > START_WITHIN {
            return Err(unexpected(&error.to_string()));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// A port that nobody listens on at the moment.
fn free_port() -> Result<u16, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(Failure::broken)?;
    listener.local_addr().map(|address| address.port()).map_err(Failure::broken)
}

/// Starts a process and waits for its ready line.
fn start(folder: &Path, arguments: &[&str]) -> Result<(Actor, Value), Failure> {
    let mut speaker = Speaker::start(command(folder, arguments)?)?;
    let ready = speaker.next()?;
    Ok((speaker.leave(), ready))
}

/// A process whose lines of JSON are read one by one.
pub(super) struct Speaker {
    actor: Actor,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Speaker {
    /// Starts it.
    pub(super) fn start(mut command: Command) -> Result<Self, Failure> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut actor = Actor(child.map_err(Failure::broken)?);
        let out = actor.0.stdout.take().ok_or_else(|| unexpected("a process without output"))?;
        Ok(Self { actor, lines: BufReader::new(out).lines() })
    }

    /// Its next line.
    pub(super) fn next(&mut self) -> Result<Value, Failure> {
        let line = self.lines.next().ok_or_else(|| unexpected("a process ended before it was ready"))?;
        serde_json::from_str(&line.map_err(Failure::broken)?).map_err(|_| unexpected("a line that is no JSON"))
    }

    /// Lets it run; what it says from now on is read and dropped, so that it never waits for a reader.
    fn leave(self) -> Actor {
        let lines = self.lines;
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        self.actor
    }
}

/// Runs a process to its end and takes its last line.
fn finish(folder: &Path, arguments: &[&str]) -> Result<Value, Failure> {
    let output = command(folder, arguments)?.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.map_err(Failure::broken)?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let last = text.lines().last().and_then(|line| serde_json::from_str(line).ok());
    last.ok_or_else(|| unexpected(&format!("`trefoil {}` failed", arguments.first().unwrap_or(&""))))
}

pub(super) fn text(value: &Value, name: &str) -> Result<String, Failure> {
    let text = value.get(name).and_then(Value::as_str).map(str::to_owned);
    text.ok_or_else(|| unexpected(&format!("{name} is missing")))
}
