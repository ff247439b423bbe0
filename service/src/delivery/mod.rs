//! Delivery: one order of everything that devices send each other, stored once, kept until every device has it.
//!
//! A request is checked on its caller's thread ([`commits`], [`messages`], [`key_packages`]), written by one thread
//! ([`writer`], [`change`]), read by [`feed`], told at once by [`hub`], deleted by [`retention`]. [`hints`] tells
//! devices that a record has grown. What a group may have as leaves is in `protocol::members`, what is valid MLS in
//! `groups`.
//!
//! Positions only grow and are given by the one writer, so a device that has everything up to a position has missed
//! nothing, and a reader's snapshot is always complete up to the newest position in it.

mod change;
mod claims;
mod commits;
mod feed;
pub(crate) mod hints;
pub(crate) mod hub;
mod key_packages;
mod messages;
mod passing;
mod retention;
pub(crate) mod rows;
pub(crate) mod writer;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use chain::id::{AccountId, Digest};
use chain::sigchain::device_set::DeviceSet;
use protocol::id::GroupId;

pub(crate) use crate::delivery::rows::Owner;

use crate::accounts::tokens::Caller;
use crate::delivery::claims::Claims;
use crate::delivery::hub::Hub;
use crate::delivery::messages::Sound;
use crate::delivery::rows::Rows;
use crate::delivery::writer::{Message, Writer};
use crate::disk::store::Readers;
use crate::error::{StartError, Stopped};
use crate::shared::Shared;

/// Most operations that wait for the writer.
const MAX_WAITING: usize = 4_096;

/// What the service's threads share of delivery.
#[derive(Debug)]
pub(crate) struct Delivery {
    readers: Readers<Rows>,
    queue: SyncSender<Message>,
    /// Who listens.
    pub(crate) hub: Hub,
    /// Groups whose leaves were all found confirmed.
    sound: Mutex<HashMap<GroupId, Sound>>,
    claims: Arc<Mutex<Claims>>,
}

/// Opened for writing; [`Opened::start`] begins to write.
#[derive(Debug)]
pub(crate) struct Opened {
    rows: Rows,
    queue: Receiver<Message>,
}

impl Delivery {
    /// Opens the database, and makes it if it is missing.
    pub(crate) fn open(path: PathBuf) -> Result<(Self, Opened), StartError> {
        let rows = Rows::open(&path)?;
        let (sender, queue) = sync_channel(MAX_WAITING);
        let delivery = Self {
            readers: Readers::new(path, Rows::open_reader),
            queue: sender,
            hub: Hub::default(),
            sound: Mutex::default(),
            claims: Arc::default(),
        };
        Ok((delivery, Opened { rows, queue }))
    }

    /// Ends the writer after what is queued. Blocks while the queue is full.
    pub(crate) fn end(&self) {
        // a writer that has ended takes nothing more
        self.queue.send(Message::Stop).unwrap_or_default();
    }
}

impl Opened {
    /// Starts the thread that writes.
    pub(crate) fn start(self, shared: &Arc<Shared>) -> Result<JoinHandle<()>, StartError> {
        let writer = Writer::new(Arc::clone(shared), self.rows, self.queue)?;
        Ok(std::thread::Builder::new().name("delivery".into()).spawn(move || writer.run())?)
    }
}

impl Shared {
    /// The devices that an account has by its newest sealed entries, pending ones included.
    fn devices_of(&self, account: &AccountId) -> Result<Vec<Owner>, Stopped> {
        let set: Option<DeviceSet> = self.readers.with(|store| store.account(account))?;
        let owner = |device| Owner { account: *account, device };
        let devices =
            |set: &DeviceSet| set.confirmed().keys().chain(set.pending().keys()).copied().map(owner).collect();
        Ok(set.as_ref().map(devices).unwrap_or_default())
    }
}

impl Caller {
    /// The device that asks, as the rows name it.
    pub(crate) fn owner(&self) -> Owner {
        Owner { account: self.account, device: self.device }
    }

    /// The name of what it submits: the same bytes in the same place by the same device.
    fn name(&self, place: &[u8], parts: &[&[u8]]) -> Digest {
        let hashes: Vec<u8> = parts.iter().flat_map(|part| Digest::sha256(part).0).collect();
        let place = Digest::sha256(place);
        let all: [&[u8]; 4] = [self.account.as_bytes(), self.device.as_bytes(), place.as_bytes(), &hashes];
        Digest::labelled(protocol::label::SUBMITTED, &all)
    }
}
