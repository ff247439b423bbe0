//! A command that is repeated for as long as it fails in one way, as its sentence tells people to.

use scenarios::program::{Process, eventually};
use serde_json::Value;

use scenarios::device::Device;

/// Such a command.
pub(crate) struct Stubborn<'a> {
    device: &'a Device,
    command: Vec<String>,
    /// Exit status and code after which it is repeated.
    forgiven: (i32, &'static str),
    /// `None` once it has succeeded.
    process: Option<Process>,
    /// What it said, by tries.
    said: Vec<Vec<Value>>,
}

impl<'a> Stubborn<'a> {
    /// Starts it.
    pub(crate) fn start(device: &'a Device, command: &[&str], forgiven: (i32, &'static str)) -> Self {
        let process = Some(device.start(command));
        let command = command.iter().map(ToString::to_string).collect();
        Self { device, command, forgiven, process, said: vec![Vec::new()] }
    }

    /// Listens, and repeats it if it has to be.
    pub(crate) fn look(&mut self) {
        let Some(process) = &mut self.process else { return };
        let is_alive = process.is_alive();
        self.said.last_mut().unwrap().extend(process.said());
        let Some(process) = self.process.take_if(|_| !is_alive) else { return };
        let ended = process.wait_for_end();
        *self.said.last_mut().unwrap() = ended.lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        if ended.status == Some(0) {
            return;
        }
        let (status, code) = self.forgiven;
        assert_eq!(ended.verdict(), (Some(status), code.to_owned()), "{:?}: {ended:?}", self.command);
        self.said.push(Vec::new());
        let command: Vec<_> = self.command.iter().map(String::as_str).collect();
        self.process = Some(self.device.start(&command));
    }

    /// Waits until it has said this event.
    pub(crate) fn says(&mut self, event: &str) -> Value {
        eventually(event, || {
            self.look();
            self.said.iter().flatten().rfind(|line| line["event"] == event).cloned()
        })
    }

    /// What it says when it succeeds.
    pub(crate) fn succeeds(mut self) -> Vec<Value> {
        eventually("the command succeeds", || {
            self.look();
            self.process.is_none().then_some(())
        });
        self.said.pop().unwrap()
    }
}
