//! Where the agent is asked. On its socket, who connects is checked to be the same user, and each line becomes a request; the
//! pages ask without a socket.

use std::path::Path;
use std::sync::Arc;

use client::StoreKey;
use serde::Serialize;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use zeroize::Zeroizing;

use super::Incoming;
use super::keeper::Keeper;
use crate::bot::Bots;
use crate::failure::{Failure, Kind};
use crate::local::rows::{Hello, WebEnded};
use crate::local::{Ask, Line, MAX_LINE, Says, VERSION, What, build};
use crate::web::{Prefilled, Server};

/// Where the answers to one request go.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    id: u64,
    lines: mpsc::UnboundedSender<Line>,
}

impl Reply {
    /// Something, and more follows.
    pub(crate) fn event(&self, row: &impl Serialize) {
        self.say(Says::Event(value(row)));
    }

    /// The end, and it went well.
    pub(crate) fn done(&self, row: &impl Serialize) {
        self.say(Says::Done(value(row)));
    }

    /// The end, and it did not.
    pub(crate) fn fail(&self, failure: Failure) {
        self.say(Says::Error(failure.into()));
    }

    /// True if nobody listens any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.lines.is_closed()
    }

    #[cfg(test)]
    pub(super) fn for_test() -> (Self, mpsc::UnboundedReceiver<Line>) {
        let (lines, read) = mpsc::unbounded_channel();
        (Self { id: 1, lines }, read)
    }

    fn say(&self, says: Says) {
        // who hung up wants no answer
        self.lines.send(Line { id: self.id, says }).unwrap_or_default();
    }
}

fn value(row: &impl Serialize) -> Value {
    serde_json::to_value(row).unwrap_or_default()
}

/// Whoever asks the agent does it here, over the socket or from the pages: what concerns the key and the pages is answered
/// at once, everything else by the core.
#[derive(Debug, Clone)]
pub(crate) struct Face {
    build: Arc<str>,
    keeper: Arc<Keeper>,
    core: mpsc::Sender<Incoming>,
    web: Arc<Server>,
    bots: Arc<Bots>,
}

impl Face {
    /// Of an agent. To be made as long as the file of the program is still the one that runs.
    pub(super) fn new(keeper: Arc<Keeper>, core: mpsc::Sender<Incoming>) -> Self {
        Self { build: Arc::from(build()), keeper, core, web: Arc::default(), bots: Arc::default() }
    }

    /// The profile's folder.
    pub(crate) fn folder(&self) -> &Path {
        self.keeper.folder()
    }

    /// The bytes of a file, if it is kept on this machine and is not damaged.
    ///
    /// # Errors
    /// `file.unknown`, `agent.ended`.
    pub(crate) async fn kept(&self, message: &str) -> Result<Option<Vec<u8>>, Failure> {
        let (to, bytes) = oneshot::channel();
        let ended = || Failure::new(Kind::Broken, "agent.ended", "the agent of this profile has ended");
        self.core.send(Incoming::Kept { message: message.to_owned(), to }).await.map_err(|_| ended())?;
        bytes.await.map_err(|_| ended())?
    }

    /// Asks; the lines of the answer come one by one, and end when nothing more follows. `agent.ended`: there are none.
    pub(crate) async fn ask(&self, what: What) -> mpsc::UnboundedReceiver<Line> {
        let (lines, answer) = mpsc::unbounded_channel();
        let reply = Reply { id: 1, lines };
        if let Err(Ended) = self.asked(what, reply.clone()).await {
            reply.fail(Failure::new(Kind::Broken, "agent.ended", "the agent of this profile has ended"));
        }
        answer
    }

    async fn asked(&self, what: What, reply: Reply) -> Result<(), Ended> {
        match what {
            What::Hello => {
                let (version, build) = (VERSION.to_owned(), self.build.to_string());
                let (key, wrapped) = (self.keeper.state(), self.keeper.is_wrapped());
                reply.done(&Hello { version, build, key, wrapped, process: std::process::id() });
                Ok(())
            }
            What::Unlock { passphrase } => {
                let key = self.keeper.unlock(Zeroizing::new(passphrase)).await;
                self.open(key, reply).await
            }
            What::NewKey { passphrase } => {
                let key = self.keeper.create(passphrase.map(Zeroizing::new)).await;
                self.open(key, reply).await
            }
            What::OpenWeb { service, policy } => {
                let opened = self.web.open(self, Prefilled { service, policy });
                opened.map_or_else(|failure| reply.fail(failure), |row| reply.done(&row));
                Ok(())
            }
            What::OpenBot { may } => {
                // what it was given is good as long as whoever asks stays here
                match self.bots.open(self, may, &reply) {
                    Ok(row) => reply.event(&row),
                    Err(failure) => reply.fail(failure),
                }
                Ok(())
            }
            What::CloseWeb => {
                reply.done(&WebEnded { ended: self.web.close() });
                Ok(())
            }
            what => self.core.send(Incoming::Asked { what, reply }).await.map_err(|_| Ended),
        }
    }

    async fn open(&self, key: Result<StoreKey, Failure>, reply: Reply) -> Result<(), Ended> {
        match key {
            Ok(key) => self.core.send(Incoming::Key { key, reply }).await.map_err(|_| Ended),
            Err(failure) => {
                reply.fail(failure);
                Ok(())
            }
        }
    }
}

/// Takes in connections until the core has ended.
pub(crate) async fn run(listener: UnixListener, face: Face) {
    while !face.core.is_closed() {
        // a connection that broke before it was taken in is nobody's
        let Ok((stream, _)) = listener.accept().await else { continue };
        let own = rustix::process::geteuid().as_raw();
        if stream.peer_cred().is_ok_and(|peer| peer.uid() == own) {
            tokio::spawn(serve(stream, face.clone()));
        }
    }
}

async fn serve(stream: UnixStream, face: Face) {
    let (reading, mut writing) = stream.into_split();
    let (lines, mut to_write) = mpsc::unbounded_channel::<Line>();
    let writer = tokio::spawn(async move {
        while let Some(line) = to_write.recv().await {
            let Ok(mut bytes) = serde_json::to_vec(&line) else { return };
            bytes.push(b'\n');
            if writing.write_all(&bytes).await.is_err() {
                return;
            }
        }
    });
    let mut reader = BufReader::new(reading);
    let limit = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
    loop {
        let mut line = Zeroizing::new(Vec::new());
        let read = (&mut reader).take(limit).read_until(b'\n', &mut line).await;
        if read.is_err() || line.pop() != Some(b'\n') {
            break;
        }
        match serde_json::from_slice::<Ask>(&line) {
            Ok(ask) => {
                let reply = Reply { id: ask.id, lines: lines.clone() };
                if face.asked(ask.what, reply).await.is_err() {
                    break;
                }
            }
            Err(_) => {
                let failure = Failure::misuse("request.malformed", "this line is no request");
                Reply { id: 0, lines: lines.clone() }.fail(failure);
            }
        }
    }
    // nobody reads any more; what was set going goes on
    writer.abort();
}

/// The core has ended, and with it the agent.
#[derive(Debug)]
struct Ended;
