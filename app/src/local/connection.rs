//! A command's end of the socket: finds the agent of a profile, or starts it.

use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::rows::{Hello, KeyState};
use super::{Ask, Line, Says, VERSION, What, build};
use crate::agent::lock_path;
use crate::failure::{Failure, Kind};
use crate::secret::{self, Origin};
use crate::settings::Settings;

/// How long an agent may take to be there, or to end.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A connection to the agent of a profile.
pub(crate) struct Agent {
    reader: BufReader<UnixStream>,
    next_id: u64,
    key: KeyState,
}

impl Agent {
    /// The agent of this version, started if there is none; its store may be locked.
    ///
    /// # Errors
    /// Whatever keeps an agent from starting; `agent.unreachable`.
    pub(crate) fn started(settings: &Settings) -> Result<Self, Failure> {
        let socket = &settings.profile.socket;
        if let Some((agent, hello)) = Self::running(socket)? {
            if hello.version == VERSION && hello.build == build() {
                return Ok(agent);
            }
            say_aside("The agent of this profile is another build of Trefoil; it is started anew.");
            agent.stop(settings)?;
        }
        let refused = start(settings).err();
        let patience = Instant::now();
        loop {
            if let Some((agent, _)) = Self::running(socket)? {
                return Ok(agent);
            }
            match &refused {
                // somebody else started one at the same time
                Some(failure) if failure.code != "agent.running" => return Err(failure.clone()),
                _ if patience.elapsed() > PATIENCE => {
                    let message = "the agent of this profile runs and does not answer; `trefoil agent --stop` ends it";
                    return Err(Failure::new(Kind::Broken, "agent.unreachable", message));
                }
                _ => std::thread::sleep(LOOK_EVERY),
            }
        }
    }

    /// The agent with its store open, or with none to open.
    ///
    /// # Errors
    /// Those of [`Self::started`]; `store.locked`.
    pub(crate) fn opened(settings: &Settings) -> Result<Self, Failure> {
        let mut agent = Self::started(settings)?;
        match agent.key {
            KeyState::None | KeyState::Open => return Ok(agent),
            KeyState::Missing => {
                let message = "your messages are still here, but the key to open them isn't; nothing was deleted";
                return Err(Failure::new(Kind::Refused, "store.locked", message));
            }
            KeyState::Locked => (),
        }
        let passphrase = match passphrase_origin(settings).read()? {
            Some(passphrase) => passphrase,
            None if secret::is_terminal() => secret::ask("Passphrase of this profile: ")?,
            None => {
                let message = "your messages are locked with a passphrase; give --passphrase-file FILE";
                return Err(Failure::new(Kind::Refused, "store.locked", message));
            }
        };
        agent.ask::<Value>(What::Unlock { passphrase: passphrase.to_string() })?;
        agent.key = KeyState::Open;
        Ok(agent)
    }

    /// Whether its store is open.
    pub(crate) fn key(&self) -> KeyState {
        self.key
    }

    /// The agent that runs, if one does.
    ///
    /// # Errors
    /// `agent.ended`: it hung up.
    pub(crate) fn running(socket: &Path) -> Result<Option<(Self, Hello)>, Failure> {
        let Ok(stream) = UnixStream::connect(socket) else { return Ok(None) };
        let mut agent = Self { reader: BufReader::new(stream), next_id: 1, key: KeyState::None };
        let hello: Hello = match agent.ask(What::Hello) {
            Ok(hello) => hello,
            // it ended between the two
            Err(failure) if failure.code == "agent.ended" => return Ok(None),
            Err(failure) => return Err(failure),
        };
        agent.key = hello.key;
        Ok(Some((agent, hello)))
    }

    /// Ends it, and waits until it has let go of the profile.
    ///
    /// # Errors
    /// `agent.unreachable`: it has not, in time.
    pub(crate) fn stop(mut self, settings: &Settings) -> Result<(), Failure> {
        match self.ask::<Value>(What::Stop) {
            Err(failure) if failure.code != "agent.ended" => return Err(failure),
            _ => (),
        }
        let patience = Instant::now();
        let lock = OpenOptions::new().write(true).open(lock_path(&settings.profile)).map_err(Failure::broken)?;
        while lock.try_lock().is_err() {
            if patience.elapsed() > PATIENCE {
                let message = "the agent was asked to end and has not";
                return Err(Failure::new(Kind::Broken, "agent.unreachable", message));
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// Asks, and waits for the last line.
    ///
    /// # Errors
    /// What the agent says; `agent.ended`.
    pub(crate) fn ask<Done: DeserializeOwned>(&mut self, what: What) -> Result<Done, Failure> {
        self.ask_streaming(what, |_: Value| Ok(()))
    }

    /// Asks for a list.
    ///
    /// # Errors
    /// Those of [`Self::ask`].
    pub(crate) fn list<Row: DeserializeOwned>(&mut self, what: What) -> Result<Vec<Row>, Failure> {
        let mut rows = Vec::new();
        self.ask_streaming::<Row, Value>(what, |row| {
            rows.push(row);
            Ok(())
        })?;
        Ok(rows)
    }

    /// Asks, and hands over each event as it comes.
    ///
    /// # Errors
    /// Those of [`Self::ask`], and of `on_event`, which ends it.
    pub(crate) fn ask_streaming<Row: DeserializeOwned, Done: DeserializeOwned>(
        &mut self,
        what: What,
        mut on_event: impl FnMut(Row) -> Result<(), Failure>,
    ) -> Result<Done, Failure> {
        let id = self.next_id;
        self.next_id = id.wrapping_add(1);
        let mut line = serde_json::to_vec(&Ask { id, what }).map_err(Failure::broken)?;
        line.push(b'\n');
        self.reader.get_mut().write_all(&line).map_err(|_| ended())?;
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line).map_err(|_| ended())? == 0 {
                return Err(ended());
            }
            let line: Line = serde_json::from_str(&line).map_err(other)?;
            match line.says {
                _ if line.id != id => (),
                Says::Event(row) => on_event(serde_json::from_value(row).map_err(other)?)?,
                Says::Done(row) => return serde_json::from_value(row).map_err(other),
                Says::Error(refusal) => return Err(refusal.into()),
            }
        }
    }
}

impl From<Agent> for UnixStream {
    /// For who reads and writes the lines by himself; nothing is under way, so nothing of an answer is lost.
    fn from(agent: Agent) -> Self {
        agent.reader.into_inner()
    }
}

/// Where the passphrase of a profile may come from.
pub(crate) fn passphrase_origin(settings: &Settings) -> Origin {
    Origin { file: settings.passphrase_file.clone(), variable: "TREFOIL_PASSPHRASE_FD" }
}

fn ended() -> Failure {
    let message = "the agent of this profile ended; its log may say why, and `trefoil doctor` what to do";
    Failure::new(Kind::Broken, "agent.ended", message)
}

fn other(_: serde_json::Error) -> Failure {
    Failure::new(
        Kind::Broken,
        "agent.other",
        "the agent of this profile says something that this program does not know",
    )
}

/// Starts an agent that outlives this process, and waits until it says that it is there.
fn start(settings: &Settings) -> Result<(), Failure> {
    let mut command = Command::new(std::env::current_exe().map_err(Failure::broken)?);
    command.args(["agent", "--background", "--json", "--profile", &settings.profile.name]);
    if let Some(file) = &settings.ca_file {
        command.arg("--ca-file").arg(std::path::absolute(file).map_err(Failure::broken)?);
    }
    // these are for this process to read, once
    for variable in
        ["TREFOIL_PASSPHRASE_FD", "TREFOIL_PASSWORD_FD", "TREFOIL_PERMIT_FD", "TREFOIL_BACKUP_PASSPHRASE_FD"]
    {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(Failure::broken)?;
    let said = child.stdout.take().map(BufReader::new);
    let mut line = String::new();
    said.map(|mut said| said.read_line(&mut line)).transpose().map_err(Failure::broken)?;
    let line: Value = serde_json::from_str(&line).map_err(|_| ended())?;
    match line.get("error").cloned() {
        None => Ok(()),
        Some(error) => Err(serde_json::from_value::<super::Refusal>(error).map_err(other)?.into()),
    }
}

/// A remark that is no result.
pub(crate) fn say_aside(text: &str) {
    // whoever closed standard error does not want to know
    writeln!(std::io::stderr(), "{text}").unwrap_or_default();
}
