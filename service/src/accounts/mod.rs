//! Who asks: passwords, permits and tokens.
//!
//! A password opens two things, a `DeviceAdded` and a `ResetRequested` entry, by a permit ([`passwords`]), and the operator
//! can give one for the second ([`reset_permits`]); everything else is opened by a token, which a device gets for a
//! signature of its chain key ([`tokens`]). An account without a password asks new devices for
//! nothing: who confirms them is protection enough, and requests are limited. What is kept is in [`database`].

pub(crate) mod database;
mod once;
pub(crate) mod passwords;
pub(crate) mod reset_permits;
pub(crate) mod secret;
pub(crate) mod seen;
pub(crate) mod tokens;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

use chain::id::{AccountId, DeviceId};
use protocol::opaque::server::Setup;

use crate::accounts::database::Database;
use crate::accounts::once::Once;
use crate::accounts::passwords::OpenLogin;
use crate::accounts::seen::Seen;
use crate::disk::folder::Folder;
use crate::disk::keys::open_setup;
use crate::error::StartError;

/// What the service needs to know who asks.
#[derive(Debug)]
pub(crate) struct Accounts {
    setup: Setup,
    database: Database,
    /// By their names.
    logins: Mutex<Once<[u8; 16], OpenLogin>>,
    /// Each with its place in the order in which they were made.
    challenges: Mutex<Once<[u8; 32], u64>>,
    challenge_order: AtomicU64,
    /// The challenge that each device answered last.
    taken: Mutex<BTreeMap<(AccountId, DeviceId), u64>>,
    /// Accounts whose password is stored and whose first entry waits to be sealed.
    opening: Mutex<BTreeSet<AccountId>>,
    /// Which device was last here when.
    pub(crate) seen: Seen,
}

impl Accounts {
    /// Opens database and setup. A setup that is not the one of the database's records does not start: every password
    /// would look wrong.
    pub(crate) fn open(folder: &Folder) -> Result<Self, StartError> {
        // records of passwords are for the service alone; SQLite gives the files beside it the same mode
        OpenOptions::new().create(true).append(true).mode(0o600).open(folder.accounts())?;
        let database = Database::open(folder.accounts())?;
        let known = database.setup_key()?;
        let setup = open_setup(folder, known.is_none())?;
        match known {
            Some(known) if known != setup.public_key() => return Err(StartError::BadKey { name: "opaque" }),
            Some(_) => (),
            None => database.keep_setup_key(&setup.public_key())?,
        }
        Ok(Self {
            setup,
            database,
            logins: Mutex::default(),
            challenges: Mutex::default(),
            challenge_order: AtomicU64::new(0),
            taken: Mutex::default(),
            opening: Mutex::default(),
            seen: Seen::default(),
        })
    }

    /// At the end of the service: see [`Database::settle`].
    pub(crate) fn settle(&self) -> Result<(), rusqlite::Error> {
        self.database.keep_seen(&self.seen.rest(), 0)?;
        self.database.settle()
    }
}
