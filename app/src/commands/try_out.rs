//! `trefoil try`: the whole thing on one machine. A service, four witnesses and an auditor as processes of their own;
//! Alice's device and Bob's two as real agents; the nine steps over real sockets. Every sentence is printed after it was
//! verified.

mod life;
mod people;
mod stage;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use clap::ValueEnum;
use serde_json::Value;

use super::{asked_to_end, runtime, say};
use crate::failure::Failure;
use stage::{Speaker, Stage, command, program, text, unexpected};

/// The password of everybody in the story.
const PASSWORD: &str = "correct horse battery staple";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Ends after the story, with status 0 only if every step was verified
    #[arg(long)]
    exit: bool,
    /// The nine steps, or also what comes later: lost devices, the recovery key, another password, a reset,
    /// a contact link, a stranger
    #[arg(long, value_name = "nine|all", default_value = "nine")]
    story: Which,
}

/// Which story is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    Nine,
    All,
}

/// Plays the story, and then leaves it running unless told otherwise.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let folder = tempfile::Builder::new().prefix("trefoil-try-").tempdir().map_err(Failure::broken)?;
    let stage = Stage::set_up(folder.path())?;
    let story = Story::new(&stage)?;
    story.play()?;
    if arguments.story == Which::All {
        story.live_on()?;
    }
    stage.audit()?;
    if arguments.exit {
        say("Every step was verified.");
        return Ok(());
    }
    let _auditor = stage.follow()?;
    story.say_what_to_type()?;
    runtime()?.block_on(async { asked_to_end().await });
    Ok(())
}

/// One device of the story: a folder of its own, and an agent that works in it.
struct Device {
    home: PathBuf,
    folder: PathBuf,
}

impl Drop for Device {
    fn drop(&mut self) {
        // an agent that has ended by itself is no trouble
        let agent = self.command(&["agent", "--stop"]).map(|mut command| {
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().map(drop)
        });
        agent.map(Result::unwrap_or_default).unwrap_or_default();
    }
}

impl Device {
    fn command(&self, arguments: &[&str]) -> Result<Command, Failure> {
        let mut command = command(&self.folder, arguments)?;
        command.arg("--json").env("TREFOIL_HOME", &self.home);
        Ok(command)
    }

    /// Runs a command to its end; its lines.
    fn ask(&self, arguments: &[&str]) -> Result<Vec<Value>, Failure> {
        self.ask_with(arguments, "")
    }

    /// The same, with something to read.
    fn ask_with(&self, arguments: &[&str], typed: &str) -> Result<Vec<Value>, Failure> {
        let mut command = self.command(arguments)?;
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().map_err(Failure::broken)?;
        // whoever reads nothing has ended already
        child.stdin.take().into_iter().for_each(|mut stdin| stdin.write_all(typed.as_bytes()).unwrap_or_default());
        let output = child.wait_with_output().map_err(Failure::broken)?;
        let name = arguments.first().unwrap_or(&"");
        if !output.status.success() {
            return Err(unexpected(&format!("`trefoil {name}` failed")));
        }
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        let lines = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>();
        lines.map_err(|_| unexpected(&format!("`trefoil {name}` printed a line that is no JSON")))
    }

    /// The only line of a command.
    fn ask_one(&self, arguments: &[&str]) -> Result<Value, Failure> {
        self.ask(arguments)?.pop().ok_or_else(|| unexpected("a command said nothing"))
    }

    /// Waits until a text is there to read.
    fn read(&self, with: &str, wanted: &str) -> Result<Value, Failure> {
        let mut reader = Speaker::start(self.command(&["read", with, "--follow"])?)?;
        loop {
            let line = reader.next()?;
            if line.get("text").and_then(Value::as_str) == Some(wanted) {
                return Ok(line);
            }
        }
    }
}

/// The people and their devices.
struct Story<'a> {
    stage: &'a Stage,
    alice: Device,
    laptop: Device,
    desktop: Device,
    /// Of what comes later.
    phone: Device,
    stranger: Device,
    carol: Device,
    dave: Device,
    password: PathBuf,
}

impl<'a> Story<'a> {
    fn new(stage: &'a Stage) -> Result<Self, Failure> {
        let password = stage.folder.join("password");
        std::fs::write(&password, PASSWORD).map_err(Failure::broken)?;
        let device = |name: &str| {
            let home = stage.folder.join(name);
            std::fs::create_dir_all(&home)
                .map(|()| Device { home, folder: stage.folder.clone() })
                .map_err(Failure::broken)
        };
        let (alice, laptop, desktop) = (device("alice")?, device("bob-laptop")?, device("bob-desktop")?);
        let (phone, stranger) = (device("bob-phone")?, device("stranger")?);
        let (carol, dave) = (device("carol")?, device("dave")?);
        Ok(Self { stage, alice, laptop, desktop, phone, stranger, carol, dave, password })
    }

    fn play(&self) -> Result<(), Failure> {
        let bob = self.sign_up(&self.laptop, "bob", "laptop")?;
        let laptop = text(&bob, "device")?;
        say(format_args!("\n1  Bob signed up on his laptop, which made its own keys: device {laptop}."));
        let block = number(&bob, "block")?;
        say(format_args!(
            "2  His account {} is in block {block} of the public record, under three witnesses.\n   The record holds no name of his, only a label.",
            short(&text(&bob, "account")?)
        ));
        self.sign_up(&self.alice, "alice", "notebook")?;
        self.first_message(&laptop)?;
        let desktop = self.second_device(&laptop)?;
        self.second_message(&laptop, &desktop)
    }

    fn sign_up(&self, device: &Device, handle: &str, name: &str) -> Result<Value, Failure> {
        let (policy, password) = (self.stage.policy.display().to_string(), self.password.display().to_string());
        let service = &self.stage.service;
        device.ask_one(&[
            "signup",
            handle,
            "--service",
            service,
            "--policy",
            &policy,
            "--name",
            name,
            "--password-file",
            &password,
        ])
    }

    /// Steps 3 and 4.
    fn first_message(&self, laptop: &str) -> Result<(), Failure> {
        let sent = self.alice.ask_one(&["send", "bob", "Hello Bob!"])?;
        expect_devices(&sent, &[laptop])?;
        say("3  Alice wrote to bob. Her device looked his name up, verified his key against the record,");
        say(format_args!("   and only then encrypted: to his device {}, and to nobody else.", short(laptop)));
        self.laptop.read("alice", "Hello Bob!")?;
        self.laptop.ask(&["contact", "add", "alice"])?;
        say("4  Bob read it on his laptop: \"Hello Bob!\" Alice was a stranger to him until he let her write.");
        Ok(())
    }

    /// Steps 5, 6 and 7.
    fn second_device(&self, laptop: &str) -> Result<String, Failure> {
        let (policy, password) = (self.stage.policy.display().to_string(), self.password.display().to_string());
        let service = &self.stage.service;
        let log_in = [
            "login",
            "bob",
            "--service",
            service,
            "--policy",
            &policy,
            "--name",
            "desktop",
            "--password-file",
            &password,
            "--wait",
            "60",
        ];
        let mut login = Speaker::start(self.desktop.command(&log_in)?)?;
        let pending = login.next()?;
        let desktop = text(&pending, "device")?;
        say(format_args!("5  Bob logged in on his desktop, which made its own keys: device {desktop}."));
        say("   The service has written it to the record. It waits, and can read nothing.");
        let code = loop {
            let line = login.next()?;
            if line.get("event").and_then(Value::as_str) == Some("code") {
                break text(&line, "code")?;
            }
        };
        say("6  On the laptop a request appeared, with a field for six digits.");
        self.laptop.ask(&["device", "confirm", &desktop, "--code", &code, "--history", "yes"])?;
        let confirmed = login.next()?;
        if confirmed.get("event").and_then(Value::as_str) != Some("confirmed") {
            return Err(unexpected("the desktop was not confirmed"));
        }
        let seen = self.entries_of_bob()?;
        let entry = seen.iter().find(|it| it.get("kind").and_then(Value::as_str) == Some("DeviceConfirmed"));
        let block = number(entry.ok_or_else(|| unexpected("no confirmation in the record"))?, "block")?;
        say(format_args!(
            "7  Bob typed the digits that the desktop showed ({code}); the laptop {} signed, block {block}.",
            short(laptop)
        ));
        Ok(desktop)
    }

    fn entries_of_bob(&self) -> Result<Vec<Value>, Failure> {
        let policy = self.stage.policy.display().to_string();
        self.alice.ask(&["record", "show", "bob", "--service", &self.stage.service, "--policy", &policy])
    }

    /// Steps 8 and 9.
    fn second_message(&self, laptop: &str, desktop: &str) -> Result<(), Failure> {
        let sent = self.alice.ask_one(&["send", "bob", "Hello to all of you!"])?;
        expect_devices(&sent, &[laptop, desktop])?;
        say("8  Alice wrote again. Her device saw the new key, verified that the service and an older device of Bob's");
        say("   have both signed it in the record, and encrypted to both.");
        self.laptop.read("alice", "Hello to all of you!")?;
        self.desktop.read("alice", "Hello to all of you!")?;
        let old = self.desktop.read("alice", "Hello Bob!")?;
        if old.get("from_history") != Some(&Value::Bool(true)) {
            return Err(unexpected("the old message did not come from the laptop"));
        }
        say("9  Bob read it on both. The desktop asked the laptop for the old messages and got them: \"Hello Bob!\"\n");
        Ok(())
    }

    fn say_what_to_type(&self) -> Result<(), Failure> {
        let program = program()?;
        let (program, service, policy) = (program.display(), &self.stage.service, self.stage.policy.display());
        say("\nAll of it is still running. In other terminals, as Alice:");
        say(format_args!("  export TREFOIL_HOME={}", self.alice.home.display()));
        say(format_args!("  {program} send bob \"how are you?\"; {program} read bob --follow"));
        say("as Bob, on either device:");
        say(format_args!(
            "  export TREFOIL_HOME={}    # or {}",
            self.laptop.home.display(),
            self.desktop.home.display()
        ));
        say(format_args!("  {program} read alice; {program} device list; {program} status"));
        say("and as anybody:");
        say(format_args!("  {program} record show bob --service {service} --policy {policy}"));
        say(format_args!("  {program} audit {service} --policy {policy}"));
        say("Ctrl-C ends it and deletes its folder.");
        Ok(())
    }
}

/// The message went to these devices and to no other.
fn expect_devices(sent: &Value, expected: &[&str]) -> Result<(), Failure> {
    let list = sent.get("encrypted_to").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut list: Vec<_> = list.iter().filter_map(Value::as_str).collect();
    let mut expected = expected.to_vec();
    list.sort_unstable();
    expected.sort_unstable();
    if list == expected { Ok(()) } else { Err(unexpected("the message went to other devices than it should")) }
}

fn number(value: &Value, name: &str) -> Result<u64, Failure> {
    value.get(name).and_then(Value::as_u64).ok_or_else(|| unexpected(&format!("{name} is missing")))
}

/// The beginning of an id.
fn short(id: &str) -> String {
    id.chars().take(8).collect()
}
