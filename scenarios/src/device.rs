//! Somebody's device: a home of its own, commands in it, and the agent that they start.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::program::{Ended, Process, eventually, trefoil};
use crate::world::World;
use serde_json::Value;

/// The password of everybody.
pub const PASSWORD: &str = "correct horse battery";

/// A device. Whatever runs in its home ends with it.
#[derive(Debug)]
pub struct Device {
    /// Its folder.
    pub home: PathBuf,
    service: String,
    password: String,
}

impl Device {
    /// A device without an account, which knows the address of a service.
    pub fn new(world: &World, name: &str, service: &str) -> Self {
        let home = world.home(name);
        let password = world.path(&format!("{name}.password"));
        fs::write(&password, PASSWORD).unwrap();
        Self { home, service: service.to_owned(), password: password.display().to_string() }
    }

    /// The first device of a new account.
    pub fn signed_up(world: &World, handle: &str, service: &str) -> Self {
        let device = Self::new(world, handle, service);
        device.says(&device.join("signup", handle));
        device
    }

    /// The arguments of `signup` or `login`.
    pub fn join<'a>(&'a self, verb: &'a str, handle: &'a str) -> Vec<&'a str> {
        vec![verb, handle, "--service", &self.service, "--password-file", &self.password]
    }

    /// The start link of its pages.
    ///
    /// # Panics
    /// If there is none.
    pub fn opens_pages(&self) -> String {
        self.says(&["web", "--service", &self.service])[0]["link"].as_str().unwrap().to_owned()
    }

    /// `program` in this home.
    pub fn at_home(&self, mut program: Command) -> Command {
        // no test speaks to whoever sits at this machine
        program.env("TREFOIL_HOME", &self.home).env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/dev/null");
        for name in ["PROFILE", "CA_FILE", "PASSWORD_FD", "PERMIT_FD", "PASSPHRASE_FD", "BACKUP_PASSPHRASE_FD"] {
            program.env_remove(format!("TREFOIL_{name}"));
        }
        program
    }

    /// Starts a command as scripts do, with `--json`.
    pub fn start(&self, arguments: &[&str]) -> Process {
        let arguments = [&["--json"], arguments].concat();
        Process::start(self.at_home(Command::new(trefoil())), &self.home, &arguments)
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).wait_for_end()
    }

    /// What a person sees of a command.
    pub fn shows(&self, arguments: &[&str]) -> Ended {
        Process::start(self.at_home(Command::new(trefoil())), &self.home, arguments).wait_for_end()
    }

    /// The lines of a command that has to succeed.
    pub fn says(&self, arguments: &[&str]) -> Vec<Value> {
        let ended = self.run(arguments);
        assert_eq!(ended.status, Some(0), "{arguments:?}: {ended:?}");
        ended.lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Everything that it can read, oldest first; whoever has written is let in.
    pub fn messages(&self) -> Vec<Value> {
        for request in self.says(&["contact", "requests"]) {
            self.says(&["contact", "accept", request["conversation"].as_str().unwrap()]);
        }
        self.says(&["read", "--limit", "1000"])
    }

    /// Waits for a text, and says what stands beside it.
    pub fn reads(&self, text: &str) -> Value {
        eventually(&format!("{text:?} is there to read"), || self.messages().into_iter().find(|it| it["text"] == text))
    }

    /// Starts the agent under another program, such as strace; `None` if it ends before it is there.
    pub fn agent_under(&self, program: Command) -> Option<Process> {
        self.kill_everything();
        let mut agent = Process::start(self.at_home(program), &self.home, &["agent", "--json"]);
        agent.ready().map(|_| agent)
    }

    /// The processes that run in this home, above all the agent.
    pub fn processes(&self) -> Vec<u32> {
        let variable = format!("TREFOIL_HOME={}\0", self.home.display()).into_bytes();
        let is_here = |id: &u32| {
            let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
            environment.windows(variable.len()).any(|part| part == variable)
        };
        let ids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        ids.filter(is_here).collect()
    }

    /// Kills the agent and every command, as a power cut would.
    pub fn kill_everything(&self) {
        eventually("whatever ran here is dead", || {
            let processes = self.processes();
            for id in &processes {
                let mut kill = Command::new("kill");
                kill.args(["-9", &id.to_string()]).stderr(Stdio::null());
                kill.status().map(drop).unwrap_or_default();
            }
            processes.is_empty().then_some(())
        });
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.kill_everything();
    }
}
