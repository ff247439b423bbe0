//! Desktop notifications over a bus of the test's own: what the desktop is told, and what a press on it opens. Without `dbus-daemon` this
//! says so and passes.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use futures_util::StreamExt as _;
use scenarios::device::Device;
use scenarios::program::{eventually, trefoil};
use scenarios::world::World;
use tokio::runtime::Runtime;
use zbus::wire::Variant;
use zbus::{Connection, Message, MessageStream, connection};

const SERVICE: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";

/// A bus that nobody else uses.
struct Bus {
    daemon: Child,
    address: String,
}

impl Bus {
    fn start() -> Option<Self> {
        let mut command = Command::new("dbus-daemon");
        command.args(["--session", "--nofork", "--nopidfile", "--print-address"]);
        let mut daemon = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
        let mut address = String::new();
        BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Some(Self { daemon, address: address.trim().to_owned() })
    }

    async fn connect(&self) -> Connection {
        connection::Builder::address(self.address.as_str()).build().await.unwrap()
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.daemon.kill().unwrap();
        self.daemon.wait().unwrap();
    }
}

/// What is on the desktop: title and text, by number.
type Shown = Arc<Mutex<BTreeMap<u32, (String, String)>>>;

/// Shows something, in the place of what has this number if it is not 0.
fn show(shown: &Shown, number: u32, note: (String, String)) -> u32 {
    let mut shown = shown.lock().unwrap();
    let next = shown.keys().max().map_or(1, |most| most + 1);
    let number = if number == 0 { next } else { number };
    shown.insert(number, note);
    number
}

/// Answers as whoever shows notifications does.
async fn answer(connection: &Connection, message: &Message, shown: &Shown) {
    let header = message.header();
    match header.member().map(|member| member.as_str()) {
        Some("Notify") => {
            type Notify<'m> =
                (&'m str, u32, &'m str, &'m str, &'m str, Vec<&'m str>, HashMap<&'m str, Variant<'m>>, i32);
            let body = message.body();
            let (_, number, _, title, text, actions, ..): Notify<'_> = body.deserialize().unwrap();
            assert_eq!(actions, ["default", "Open"]);
            let number = show(shown, number, (title.to_owned(), text.to_owned()));
            connection.reply(&header, &number).await.unwrap();
        }
        Some("CloseNotification") => {
            let number: u32 = message.body().deserialize().unwrap();
            shown.lock().unwrap().remove(&number);
            connection.reply(&header, &()).await.unwrap();
        }
        Some("GetServerInformation") => connection.reply(&header, &("a", "b", "1", "1.2")).await.unwrap(),
        _ => {}
    }
}

/// Whoever shows notifications on a bus.
async fn desktop(bus: &Bus) -> (Connection, Shown) {
    let (connection, shown) = (bus.connect().await, Shown::default());
    let mut messages = MessageStream::from(&connection);
    let name = (SERVICE, 4_u32);
    let (dbus, path) = ("org.freedesktop.DBus", "/org/freedesktop/DBus");
    connection.call_method(Some(dbus), path, Some(dbus), "RequestName", &name).await.unwrap();
    let (own, kept) = (connection.clone(), Arc::clone(&shown));
    tokio::spawn(async move {
        while let Some(Ok(message)) = messages.next().await {
            answer(&own, &message, &kept).await;
        }
    });
    (connection, shown)
}

async fn press(by: &Connection, number: u32) {
    by.emit_signal(None::<&str>, PATH, SERVICE, "ActionInvoked", &(number, "default")).await.unwrap();
}

/// A program that opens links, and only writes down what it was given.
fn opener(world: &World) -> String {
    let folder = world.home("bin");
    fs::write(folder.join("xdg-open"), "#!/bin/sh\ncat \"$1\" >> \"$HOME/opened\"\n").unwrap();
    fs::set_permissions(folder.join("xdg-open"), fs::Permissions::from_mode(0o755)).unwrap();
    format!("PATH={}:{}", folder.display(), std::env::var("PATH").unwrap())
}

#[test]
fn a_press_on_a_notification_opens_what_it_is_about() {
    let Some(bus) = Bus::start() else { return eprintln!("skipped: there is no dbus-daemon here") };
    let world = World::new();
    let service = world.service("service");
    let [alice, carol, bob] =
        ["alice", "carol", "bob"].map(|handle| Device::signed_up(&world, handle, &service.api.url));
    for (device, other) in [(&alice, &bob), (&bob, &alice), (&carol, &bob), (&bob, &carol)] {
        let link = other.says(&["contact", "link"])[0]["link"].as_str().unwrap().to_owned();
        device.says(&["contact", "add", &link]);
    }
    let runtime = Runtime::new().unwrap();
    let (connection, shown) = runtime.block_on(desktop(&bus));
    let stranger = runtime.block_on(bus.connect());
    let mut program = Command::new("env");
    program.arg(format!("DBUS_SESSION_BUS_ADDRESS={}", bus.address)).arg(opener(&world)).arg(trefoil());
    let _agent = bob.agent_under(program).unwrap();

    let [of_alice, of_carol] = [(&alice, "alice"), (&carol, "carol")].map(|(device, name)| {
        device.says(&["send", "bob", "come quickly"]);
        eventually("bob's desktop shows it", || {
            let shown = shown.lock().unwrap();
            assert!(shown.values().all(|(title, text)| !format!("{title}{text}").contains("quickly")), "{shown:?}");
            shown.iter().find(|(_, (title, _))| title.contains(name)).map(|(number, _)| *number)
        })
    });
    // whoever else is on the bus presses nothing, and what is not there is not pressed
    runtime.block_on(async {
        press(&stranger, of_carol).await;
        press(&connection, of_carol + 7).await;
        press(&connection, of_alice).await;
    });
    let opened = bob.home.join("opened");
    let page = eventually("something is opened", || fs::read_to_string(&opened).ok().filter(|it| it.contains("/c/")));
    let rows = bob.says(&["chat", "list"]);
    let with_alice = rows.iter().find(|row| row["title"] == "alice").unwrap()["conversation"].as_str().unwrap();
    assert!(page.contains("http://127.0.0.1:") && page.contains(&format!("/c/{with_alice}#")), "{page}");
    assert_eq!(page.matches("/c/").count(), 1, "{page}");
    // read elsewhere, it goes
    bob.says(&["read", "alice"]);
    eventually("one is left", || shown.lock().unwrap().keys().eq([&of_carol]).then_some(()));
}
