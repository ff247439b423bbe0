//! The service of the desktop that shows notifications (org.freedesktop.Notifications, version 1.2 of its specification), over the
//! bus of whoever is logged in. Without a bus, or without anybody there who shows anything, nothing is shown and nobody is told.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::{mpsc, watch};
use zbus::message::Type;
use zbus::names::OwnedUniqueName;
use zbus::wire::Variant;
use zbus::{Connection, Error, MatchRule, Message, MessageStream, connection};

use super::notifications::{About, Note, Shown};
use crate::words::notification::{OPEN, TREFOIL};

const SERVICE: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";
/// So long the bus, and whoever shows notifications, may take for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Urgencies by their numbers.
const NORMAL: u8 = 1;
const CRITICAL: u8 = 2;

/// Shows what is wanted, always the newest of it; nothing any more once nobody wants anything. What somebody presses goes to `chosen`.
pub(super) async fn run(mut wanted: watch::Receiver<Shown>, chosen: mpsc::Sender<About>) {
    let mut desktop = Desktop { bus: None, shown: BTreeMap::new() };
    loop {
        tokio::select! {
            changed = wanted.changed() => {
                if changed.is_err() {
                    break;
                }
                let shown = wanted.borrow_and_update().clone();
                desktop.show(shown).await;
            }
            // whoever presses faster than something opens gets the first of it
            about = desktop.pressed() => chosen.try_send(about).unwrap_or_default(),
        }
    }
    desktop.show(Shown::new()).await;
}

/// True if somebody on this machine shows notifications.
pub(super) async fn is_there() -> bool {
    let asked = async { call(&connect().await?, "GetServerInformation", &()).await };
    asked.await.is_ok()
}

/// What is on the desktop, with the numbers by which the desktop knows it.
struct Desktop {
    bus: Option<Bus>,
    shown: BTreeMap<About, (Note, u32)>,
}

/// A connection, and what comes of notifications over it.
struct Bus {
    connection: Connection,
    presses: MessageStream,
    /// Who shows them: presses that others tell of are none.
    server: Option<OwnedUniqueName>,
}

impl Bus {
    async fn connect() -> Result<Self, Error> {
        let connection = connect().await?;
        let rule = MatchRule::builder().msg_type(Type::Signal).path(PATH).interface(SERVICE).member("ActionInvoked");
        let presses = MessageStream::for_match_rule(rule.build()?, &connection, None).await?;
        Ok(Self { connection, presses, server: None })
    }

    /// Shows it, in the place of the one with this number if there is such; its number.
    async fn notify(&mut self, note: &Note, number: u32, is_quiet: bool) -> Result<u32, Error> {
        let reply = notify(&self.connection, note, number, is_quiet).await?;
        self.server = reply.header().sender().map(|sender| sender.to_owned().into());
        reply.body().deserialize()
    }
}

impl Desktop {
    /// Waits until somebody presses one of them.
    async fn pressed(&mut self) -> About {
        while let Some(bus) = &mut self.bus {
            let Some(Ok(message)) = bus.presses.next().await else { break };
            let header = message.header();
            let is_theirs = bus.server.as_ref().is_some_and(|server| header.sender() == Some(&**server));
            let Ok((number, _)) = message.body().deserialize::<(u32, &str)>() else { continue };
            let about = self.shown.iter().find(|(_, (_, shown))| *shown == number).map(|(about, _)| *about);
            if let Some(about) = about.filter(|_| is_theirs) {
                return about;
            }
        }
        // without a bus nobody presses anything, until something is shown again
        std::future::pending().await
    }

    async fn show(&mut self, wanted: Shown) {
        // one that was lost, as when the desktop has started anew, is made once more
        for _ in 0..2 {
            match self.try_to_show(&wanted).await {
                Ok(()) => return,
                Err(_) => self.bus = None,
            }
        }
    }

    async fn try_to_show(&mut self, wanted: &Shown) -> Result<(), Error> {
        let gone: Vec<_> = self.shown.keys().filter(|about| !wanted.contains_key(about)).copied().collect();
        let is_new = |(about, note): &(&About, &Note)| self.shown.get(about).is_none_or(|(shown, _)| shown != *note);
        let fresh: Vec<_> = wanted.iter().filter(is_new).collect();
        if gone.is_empty() && fresh.is_empty() {
            return Ok(());
        }
        let bus = match &mut self.bus {
            Some(bus) => bus,
            none => none.insert(Bus::connect().await?),
        };
        for about in gone {
            let Some((_, number)) = self.shown.remove(&about) else { continue };
            // somebody may have put it away himself
            match call(&bus.connection, "CloseNotification", &number).await {
                Ok(_) | Err(Error::MethodError(..)) => {}
                Err(error) => return Err(error),
            }
        }
        for (about, note) in fresh {
            let before = self.shown.get(about).map(|(before, number)| (before.told == note.told, *number));
            let (is_quiet, number) = before.unwrap_or_default();
            let number = bus.notify(note, number, is_quiet).await?;
            self.shown.insert(*about, (note.clone(), number));
        }
        Ok(())
    }
}

async fn connect() -> Result<Connection, Error> {
    let connecting = connection::Builder::session().method_timeout(ANSWER_WITHIN).build();
    let timed_out = |_| Error::InputOutput(std::io::Error::from(std::io::ErrorKind::TimedOut).into());
    tokio::time::timeout(ANSWER_WITHIN, connecting).await.map_err(timed_out)?
}

/// Shows it, in the place of the one with this number if there is such.
async fn notify(connection: &Connection, note: &Note, number: u32, is_quiet: bool) -> Result<Message, Error> {
    let (urgency, category) = if note.is_urgent { (CRITICAL, "device") } else { (NORMAL, "im.received") };
    let hints = HashMap::from([
        ("urgency", Variant::from(urgency)),
        ("category", Variant::from(category)),
        ("suppress-sound", Variant::from(is_quiet)),
    ]);
    // what a press on the whole of it does
    let (icon, actions, as_usual) = ("", vec!["default", OPEN], -1_i32);
    let body = (TREFOIL, number, icon, note.title.as_str(), note.body.as_str(), actions, hints, as_usual);
    call(connection, "Notify", &body).await
}

async fn call<B>(connection: &Connection, method: &str, body: &B) -> Result<Message, Error>
where
    B: serde::Serialize + zbus::DynamicType,
{
    connection.call_method(Some(SERVICE), PATH, Some(SERVICE), method, body).await
}
