//! A folder with services and witnesses, all of them the real program.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use crate::api::Api;
use crate::program::{Ended, Process, run, trefoil};

/// Where everything of one test lies. It goes away with the test.
#[derive(Debug)]
pub struct World {
    folder: tempfile::TempDir,
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// An empty folder.
    pub fn new() -> Self {
        Self { folder: tempfile::Builder::new().prefix("trefoil-scenario-").tempdir().unwrap() }
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A new folder in it, such as another person's home.
    pub fn home(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// Runs `trefoil` to its end.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        run(self.folder.path(), arguments)
    }

    /// Starts a service without witnesses, and waits for block 0.
    pub fn service(&self, name: &str) -> Service {
        let service = self.serve(name, &[]);
        service.api.wait_for_size(1);
        service
    }

    /// Starts a service and these witnesses of its log, and waits until they have cosigned block 0.
    pub fn watched_service(&self, name: &str, witnesses: &mut [Witness]) -> Service {
        let service = self.serve(name, &addresses(witnesses));
        for witness in witnesses {
            witness.start(&service.log_vkey);
        }
        service.api.wait_for_size(1);
        service
    }

    /// Starts a service with these witnesses, in the folder of this name.
    ///
    /// # Panics
    /// If it does not start.
    pub fn serve(&self, name: &str, witnesses: &[String]) -> Service {
        self.try_serve(name, witnesses).unwrap_or_else(|ended| panic!("the service does not start: {ended:?}"))
    }

    /// Starts a service, or tells how it ended.
    ///
    /// # Errors
    /// How the process ended.
    pub fn try_serve(&self, name: &str, witnesses: &[String]) -> Result<Service, Ended> {
        self.serve_under(Command::new(trefoil()), name, witnesses)
    }

    /// Starts a service under another program, such as strace, that is given the arguments of `serve`.
    ///
    /// # Errors
    /// How the process ended.
    pub fn serve_under(&self, command: Command, name: &str, witnesses: &[String]) -> Result<Service, Ended> {
        let more: Vec<_> = witnesses.iter().flat_map(|witness| ["--witness", witness]).collect();
        self.serve_at(command, name, "127.0.0.1:0", &more)
    }

    /// Starts a service under another program, at this address, with these further arguments.
    ///
    /// # Errors
    /// How the process ended.
    pub fn serve_at(&self, command: Command, name: &str, listen: &str, more: &[&str]) -> Result<Service, Ended> {
        let data = self.path(name).display().to_string();
        let mut arguments = vec!["serve", "--json", "--listen", listen, "--origin", "scenario.example/log"];
        arguments.extend(["--data", &data]);
        arguments.extend(more);
        let mut process = Process::start(command, self.folder.path(), &arguments);
        let Some(ready) = process.ready() else { return Err(process.wait_for_end()) };
        let text = |name: &str| ready[name].as_str().unwrap().to_owned();
        let api = Api::new(&text("service"));
        let policy = PathBuf::from(text("policy"));
        Ok(Service { process, api, log_vkey: text("log_vkey"), policy, data: self.path(name) })
    }

    /// Makes witnesses, which do not run yet.
    pub fn witnesses(&self, count: usize) -> Vec<Witness> {
        (1..=count).map(|number| Witness::new(self, &format!("w{number}"))).collect()
    }

    /// Copies a folder, as anybody with the disk can.
    pub fn copy(&self, from: &str, to: &str) {
        copy(&self.path(from), &self.path(to));
    }

    /// What `record show` says, with the memory in `state`.
    pub fn look(&self, service: &Service, who: &str, state: &str) -> Ended {
        let (state, policy) = (self.path(state).display().to_string(), service.policy.display().to_string());
        self.run(&[
            "record",
            "show",
            who,
            "--json",
            "--service",
            &service.api.url,
            "--policy",
            &policy,
            "--state",
            &state,
        ])
    }

    /// What `audit` says of a service or a folder.
    pub fn audit(&self, source: &str, policy: &Path) -> Ended {
        self.run(&["audit", source, "--json", "--policy", &policy.display().to_string()])
    }
}

/// How a service names its witnesses.
pub fn addresses(witnesses: &[Witness]) -> Vec<String> {
    witnesses.iter().map(|it| format!("{}@http://127.0.0.1:{}", it.vkey, it.port)).collect()
}

/// A running service.
#[derive(Debug)]
pub struct Service {
    /// The process.
    pub process: Process,
    /// Its interface.
    pub api: Api,
    /// The log's verifier key.
    pub log_vkey: String,
    /// Its witness policy.
    pub policy: PathBuf,
    /// Its data folder.
    pub data: PathBuf,
}

/// A witness that runs, or does not.
#[derive(Debug)]
pub struct Witness {
    folder: PathBuf,
    home: PathBuf,
    port: u16,
    /// Its verifier key.
    pub vkey: String,
    process: Option<Process>,
}

impl Witness {
    fn new(world: &World, name: &str) -> Self {
        let folder = world.path(name);
        let data = folder.display().to_string();
        let made = world.run(&["witness", "init", "--json", "--data", &data, "--name", &format!("{name}.example")]);
        let vkey = made.last()["witness_vkey"].as_str().unwrap().to_owned();
        Self { folder, home: world.path(""), port: free_port(), vkey, process: None }
    }

    /// Starts it, again after a kill: on the same port, with the same memory.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start(&mut self, log_vkey: &str) -> Value {
        let (data, listen) = (self.folder.display().to_string(), format!("127.0.0.1:{}", self.port));
        let arguments = ["witness", "--json", "--data", &data, "--listen", &listen, "--log", log_vkey];
        let mut process = Process::start(Command::new(trefoil()), &self.home, &arguments);
        let ready = process.ready().expect("the witness starts");
        self.process = Some(process);
        ready
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Asks it.
    pub fn api(&self) -> Api {
        Api::new(&format!("http://127.0.0.1:{}", self.port))
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

static NEXT_PORT: AtomicU32 = AtomicU32::new(0);

/// A port below the ones that the system hands out by itself, so that it stays free while its owner is not running.
pub fn free_port() -> u16 {
    loop {
        let place = std::process::id().wrapping_mul(16).wrapping_add(NEXT_PORT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(10_000 + place % 22_000).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Copies a folder with everything in it.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Every file below a folder, sorted.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}
