//! The face in the terminal, in a real one: it writes what somebody else reads, shows what comes, and leaves the terminal
//! as it was, also when the system ends it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use scenarios::program::{eventually, trefoil};
use scenarios::world::World;

use scenarios::device::Device;

/// What leaves the alternate screen.
const BACK: &str = "\u{1b}[?1049l";

/// `trefoil tui` in a terminal of its own.
struct Terminal {
    keys: File,
    line: OwnedFd,
    child: Child,
    shown: Arc<Mutex<String>>,
}

impl Terminal {
    fn start(device: &Device) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let line = open(ptsname(&master, Vec::new()).unwrap(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        tcsetwinsize(&line, Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let mut command = device.at_home(Command::new(trefoil()));
        command.arg("tui").env("TERM", "xterm-256color").env("HOME", &device.home);
        command.stdin(line.try_clone().unwrap()).stdout(line.try_clone().unwrap()).stderr(line.try_clone().unwrap());
        let child = command.spawn().unwrap();
        let keys = File::from(master);
        let mut screen = keys.try_clone().unwrap();
        let shown = Arc::new(Mutex::new(String::new()));
        let collected = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut bytes = [0; 4_096];
            while let Ok(length @ 1..) = screen.read(&mut bytes) {
                collected.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..length]));
            }
        });
        Self { keys, line, child, shown }
    }

    fn shows(&self, text: &str) {
        eventually(&format!("the screen shows {text:?}"), || self.shown.lock().unwrap().contains(text).then_some(()));
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// True while the terminal hands over lines, as it does for a shell.
    fn is_as_it_was(&self) -> bool {
        tcgetattr(&self.line).unwrap().local_modes.contains(LocalModes::ICANON | LocalModes::ECHO)
    }

    /// How it ended; the terminal is given back by then.
    fn end(mut self) -> Option<i32> {
        let status = eventually("it ends", || self.child.try_wait().unwrap());
        self.shows(BACK);
        assert!(self.is_as_it_was());
        status.code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

impl Terminal {
    fn ends_with(self, status: Option<i32>) {
        assert_eq!(self.end(), status);
    }
}

#[test]
fn what_is_written_in_a_terminal_is_read_by_somebody_else_and_what_comes_is_shown() {
    let world = World::new();
    let service = world.service("service");
    let people = ["bob", "alice"].map(|name| Device::signed_up(&world, name, &service.api.url));
    let [bob, alice] = &people;
    alice.says(&["send", "bob", "WELCOME"]);
    bob.reads("WELCOME");
    let mut terminal = Terminal::start(bob);
    terminal.shows("alice");
    assert!(!terminal.is_as_it_was(), "keys come one by one");
    terminal.press("\r");
    terminal.shows("WELCOME");
    terminal.press("hello from a terminal\u{1b}\rand a second line\r");
    alice.reads("hello from a terminal\nand a second line");
    alice.says(&["send", "bob", "QUITE\u{1b}[2JSO"]);
    terminal.shows("QUITE\\u{1b}[2JSO");
    // the agent goes away and is there again
    bob.says(&["agent", "--stop"]);
    alice.says(&["send", "bob", "ZEBRA"]);
    terminal.shows("ZEBRA");
    terminal.press("\u{11}");
    terminal.ends_with(Some(0));
}

#[test]
fn a_terminal_is_given_back_when_the_system_ends_the_face_and_is_not_taken_without_an_account() {
    let world = World::new();
    let service = world.service("service");
    let bob = Device::signed_up(&world, "bob", &service.api.url);
    let terminal = Terminal::start(&bob);
    terminal.shows("Conversations");
    Command::new("kill").arg(terminal.child.id().to_string()).status().unwrap();
    terminal.ends_with(Some(0));
    let ended = bob.run(&["tui"]);
    assert_eq!(ended.verdict(), (Some(2), "tui.no_terminal".to_owned()), "nothing to draw on");
    let nobody = Device::new(&world, "nobody", &service.api.url);
    let ended = nobody.run(&["tui"]);
    assert_eq!(ended.verdict(), (Some(2), "profile.new".to_owned()));
    assert!(ended.error()["message"].as_str().unwrap().contains("trefoil signup"));
}
