//! A service from its opening to its end.

use std::collections::VecDeque;
use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use chain::log::note::{NoteSigner, VerifierKey};
use protocol::limits::MAX_QUEUED;
use tokio::sync::{Semaphore, watch};

use crate::accounts::Accounts;
use crate::blobs::Blobs;
use crate::delivery::{Delivery, hints};
use crate::disk::folder::{Folder, write_atomically};
use crate::disk::keys::Keys;
use crate::disk::store::{Readers, Store};
use crate::disk::tiles;
use crate::error::{StartError, Stopped};
use crate::http;
use crate::http::connections::{self, Patience};
use crate::http::tls::{self, Tls};
use crate::options::{Options, WitnessAddress};
use crate::record::Record;
use crate::reports::Reports;
use crate::sequencer::Sequencer;
use crate::sequencer::genesis;
use crate::sequencer::seal::Sealer;
use crate::shared::{EndWithThread, Message, Shared};
use crate::start::{Found, PublicKeys, open_log};
use crate::witnesses::client::WitnessClient;
use crate::witnesses::{self, Gathering, Witness};

/// A running service. It seals from its opening on; HTTP is answered in [`Service::run`].
#[derive(Debug)]
pub struct Service {
    shared: Arc<Shared>,
    listener: Option<TcpListener>,
    tls: Option<Tls>,
    patience: Patience,
    gathering: Arc<Gathering>,
    thread: Option<JoinHandle<()>>,
    writer: Option<JoinHandle<()>>,
}

impl Service {
    /// Opens the data folder, checks what is there, and starts the sequencer. Blocks: not to be called from async code.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn open(options: Options) -> Result<Self, StartError> {
        let tls = options.tls.as_ref().map(tls::open).transpose()?;
        let folder = Folder::open(&options.data)?;
        let store = Store::open(&folder.store())?;
        let listen = |address| TcpListener::bind(address).map_err(|source| StartError::Socket { address, source });
        let listener = options.listen.map(listen).transpose()?;
        let is_new = store.is_empty()?;
        let keys = Keys::open(&folder, is_new)?;
        let bound = listener.as_ref().and_then(|listener| listener.local_addr().ok());
        let origin = settle_origin(&store, options.origin.as_deref(), bound)?;
        let signer = keys.log_signer(&origin)?;
        let log_vkey = signer.verifier_key().clone();
        let public = PublicKeys { entry: (&keys.entry).into(), vrf: keys.vrf.public(), log: &log_vkey };
        let found = open_log(&folder, &store, &public)?;
        let accounts = Accounts::open(&folder)?;
        let blobs = Blobs::open(&folder)?;
        let reports = Reports::open(&folder)?;
        let (delivery, opened) = Delivery::open(folder.delivery())?;
        let (queue, receiver) = sync_channel(MAX_QUEUED);
        let shared = Arc::new(Shared {
            readers: Readers::new(folder.store(), Store::open_reader),
            folder,
            keys,
            accounts,
            delivery,
            blobs,
            reports,
            origin,
            log_vkey,
            clock: options.clock,
            limits: options.limits,
            heartbeat: options.heartbeat,
            free_percent: options.free_percent,
            record: OnceLock::new(),
            rates: Mutex::default(),
            queue,
            blocking: Arc::new(Semaphore::new(readers())),
            stopping: AtomicBool::new(false),
            ended: watch::Sender::new(false),
            reason: Mutex::new(None),
        });
        let beginning = begin(&shared, store, signer, found, options.witnesses)?;
        let writer = opened.start(&shared)?;
        let gathering = Arc::new(Gathering::default());
        let thread = {
            let (shared, gathering) = (Arc::clone(&shared), Arc::clone(&gathering));
            std::thread::Builder::new()
                .name("sequencer".into())
                .spawn(move || work_until_stopped(&shared, &gathering, beginning, receiver))?
        };
        Ok(Self {
            shared,
            listener,
            tls,
            patience: options.patience,
            gathering,
            thread: Some(thread),
            writer: Some(writer),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> Option<SocketAddr> {
        self.listener.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// The log's origin.
    pub fn origin(&self) -> &str {
        &self.shared.origin
    }

    /// The log's verifier key.
    pub fn log_vkey(&self) -> &VerifierKey {
        &self.shared.log_vkey
    }

    /// The witness policy's file: there once block 0 is sealed.
    pub fn policy_path(&self) -> PathBuf {
        self.shared.folder.policy()
    }

    /// True if every device that the published record concerns was told of it.
    ///
    /// # Errors
    /// [`Stopped`]: the store.
    pub fn has_told_all(&self) -> Result<bool, Stopped> {
        let published = self.shared.record.get().map_or(0, |record| record.sizes().published);
        Ok(published <= hints::told(&self.shared)?)
    }

    /// The HTTP interface, for calls without a socket.
    pub fn router(&self) -> Router {
        http::router(Arc::clone(&self.shared))
    }

    /// Answers HTTP until `shutdown` is ready or something fails, then seals what is queued and ends.
    ///
    /// # Errors
    /// [`Stopped`]: why it ended, if nobody asked it to.
    pub async fn run(mut self, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<(), Stopped> {
        if let Some(listener) = self.listener.take() {
            listener.set_nonblocking(true)?;
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let mut ended = self.shared.ended.subscribe();
            let until = async move {
                tokio::select! {
                    () = shutdown => (),
                    _ = ended.wait_for(|ended| *ended) => (),
                }
            };
            connections::serve(listener, self.tls.take(), self.router(), self.patience, until).await;
        } else {
            shutdown.await;
        }
        tokio::task::spawn_blocking(move || self.close()).await.unwrap_or(Ok(()))
    }

    /// Seals what is queued and ends. Blocks.
    ///
    /// # Errors
    /// [`Stopped`]: why it ended before, if it did.
    pub fn close(mut self) -> Result<(), Stopped> {
        self.end();
        let mut reason = self.shared.reason.lock().unwrap_or_else(PoisonError::into_inner);
        reason.take().map_or(Ok(()), Err)
    }

    fn end(&mut self) {
        self.shared.stop(None);
        self.gathering.wake();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            self.shared.stop(Some(Stopped::Fault { what: "the sequencer" }));
        }
        self.shared.delivery.end();
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            self.shared.stop(Some(Stopped::Fault { what: "the writer of deliveries" }));
        }
        // what could not be moved into the file stays in the log beside it, and is read from there
        self.shared.accounts.settle().unwrap_or_default();
        self.shared.reports.settle().unwrap_or_default();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.end();
    }
}

/// Twice the processors, so that a reader that waits for the disk holds up nobody.
fn readers() -> usize {
    std::thread::available_parallelism().map_or(4, std::num::NonZero::get).saturating_mul(2)
}

/// The origin of the log: what it always was, else what is asked for, else its address.
fn settle_origin(store: &Store, asked: Option<&str>, bound: Option<SocketAddr>) -> Result<String, StartError> {
    if let Some(stored) = store.kept("origin")? {
        return match asked {
            Some(asked) if asked != stored => Err(StartError::OtherOrigin { stored }),
            _ => Ok(stored),
        };
    }
    let of_address = || bound.map_or_else(|| "localhost/trefoil".to_owned(), |bound| format!("{bound}/trefoil"));
    let origin = asked.map_or_else(of_address, str::to_owned);
    let allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'+';
    if origin.is_empty() || origin.len() > chain::sigchain::rules::MAX_ORIGIN || !origin.bytes().all(allowed) {
        return Err(StartError::BadOrigin);
    }
    store.keep("origin", &origin)?;
    Ok(origin)
}

/// How the sequencer's thread begins.
enum Beginning {
    /// With block 0.
    New { store: Store, signer: NoteSigner, witnesses: Vec<WitnessAddress> },
    /// With what was there.
    Continued { sealer: Sealer, witnesses: Vec<Witness> },
}

/// Sets the record of a log that was found, after it has been compared with what its witnesses have.
fn begin(
    shared: &Shared,
    store: Store,
    signer: NoteSigner,
    found: Option<Found>,
    addresses: Vec<WitnessAddress>,
) -> Result<Beginning, StartError> {
    let Some(Found { record, newest, saved }) = found else {
        return Ok(Beginning::New { store, signer, witnesses: addresses });
    };
    let witnesses = witnesses_of(&record, &addresses);
    witnesses::check_no_rollback(shared, &record, &witnesses)?;
    let folder = &shared.folder;
    write_atomically(&folder.policy(), record.parameters.policy.to_string().as_bytes())?;
    // full tiles are on disk; the last full one and the partial ones are written again
    let size = newest.number.saturating_add(1);
    let sure = (size & !0xff).saturating_sub(256);
    tiles::write_growth(folder, &store, sure, size, |level, index| record.node(level, index))?;
    if witnesses.is_empty() {
        write_atomically(&folder.checkpoint(), record.published_note().unwrap_or_default().as_bytes())?;
    }
    shared.record.set(record).unwrap_or_default();
    let sealer = Sealer::new(store, signer, newest, saved);
    Ok(Beginning::Continued { sealer, witnesses })
}

/// The witnesses in block 0, at their newest addresses.
fn witnesses_of(record: &Record, addresses: &[WitnessAddress]) -> Vec<Witness> {
    let client = WitnessClient::new(Duration::from_secs(2));
    let ask = |address: &WitnessAddress| {
        let key = address.key.clone().or_else(|| client.vkey(&address.url))?;
        Some((key, address.url.clone()))
    };
    let known_urls = |url: &str| record.parameters.policy.witnesses().iter().any(|it| it.url.as_deref() == Some(url));
    let new = addresses.iter().filter(|address| address.key.is_some() || !known_urls(&address.url));
    let new: Vec<_> = new.filter_map(ask).collect();
    let policy = record.parameters.policy.witnesses().iter();
    let witnesses = policy.map(|it| {
        let moved = new.iter().find(|(key, _)| *key == it.key).map(|(_, url)| url.clone());
        Witness { key: it.key.clone(), url: moved.or_else(|| it.url.clone()).unwrap_or_default() }
    });
    witnesses.collect()
}

/// The sequencer's thread.
fn work_until_stopped(
    shared: &Arc<Shared>,
    gathering: &Arc<Gathering>,
    beginning: Beginning,
    queue: Receiver<Message>,
) {
    let _on_panic = EndWithThread(shared);
    let result = work(shared, gathering, beginning, queue);
    shared.stop(result.err());
    gathering.wake();
}

fn work(
    shared: &Arc<Shared>,
    gathering: &Arc<Gathering>,
    beginning: Beginning,
    queue: Receiver<Message>,
) -> Result<(), Stopped> {
    let (sealer, witnesses) = match beginning {
        Beginning::Continued { sealer, witnesses } => (sealer, witnesses),
        Beginning::New { store, signer, witnesses } => {
            let Some(witnesses) = genesis::learn_witnesses(shared, &store, &witnesses, &queue)? else { return Ok(()) };
            let policy = genesis::policy(&shared.log_vkey, &witnesses)
                .map_err(|_| Stopped::Fault { what: "making a policy of these witnesses" })?;
            let (record, sealer) = genesis::seal(shared, store, signer, policy)?;
            shared.record.set(record).unwrap_or_default();
            (sealer, witnesses)
        }
    };
    let mut threads = witnesses::start(shared, gathering, witnesses)?;
    threads.push(hints::start(shared)?);
    if let Some(record) = shared.record.get() {
        gathering.offer(record);
    }
    let shared = Arc::clone(shared);
    let gathering = Arc::clone(gathering);
    let sequencer = Sequencer {
        shared: Arc::clone(&shared),
        sealer,
        queue,
        gathering: Arc::clone(&gathering),
        waiting: VecDeque::new(),
    };
    let result = sequencer.run();
    shared.stop(None);
    gathering.wake();
    for thread in threads {
        // a witness's thread that panicked has nothing left to do
        thread.join().unwrap_or_default();
    }
    result
}
