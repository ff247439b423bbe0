//! What a person, or this device itself, wants to reach: kept until it is reached or cannot be.
//!
//! An intent names no epoch, so a commit of somebody else in between makes it neither wrong nor lost: it is carried out
//! anew from where the group then is.

use protocol::api::reports::Reason;
use protocol::bytes::Base64Url;
use protocol::id::GroupId;
use protocol::people::LinkToken;
use rusqlite::params;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::step::{Event, Failure, IntentId};
use crate::store::Store;
use crate::turn::Turn;

const INTENT: &[u8] = b"intent";

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Want {
    /// This device counts; carried by sign-up and log-in themselves.
    Join,
    /// The account is changed; carried by the change itself.
    ChangeAccount,
    /// Somebody is to be known; with an account, this one or nobody.
    Contact {
        handle: String,
        account: Option<[u8; 32]>,
        #[serde(default)]
        token: Option<[u8; LinkToken::LEN]>,
    },
    /// A contact's fresh identity is to be accepted.
    AcceptReset {
        handle: String,
    },
    /// A backup file of an account is to be taken in.
    OpenBackup {
        origin: String,
        account: [u8; 32],
    },
    /// A message is to be written to a handle or into a conversation.
    Send {
        to: String,
        text: String,
    },
    /// A file is to be sent; what it is stands apart (`files`).
    SendFile {
        to: String,
        text: String,
    },
    /// What waited for somebody is to be written to whoever goes on in his place.
    SendAnew {
        to: String,
        content: Base64Url,
    },
    /// The file of a message is to be saved.
    SaveFile {
        message: [u8; 32],
        path: String,
        replace: bool,
    },
    /// The file of a message is to be here.
    KeepFile {
        message: [u8; 32],
    },
    /// A message was written; it carries the intent itself.
    Sending,
    /// A conversation of several people.
    NewChat {
        title: String,
        with: Vec<String>,
        group: Option<GroupId>,
    },
    /// People come in.
    AddMembers {
        chat: String,
        with: Vec<String>,
    },
    /// People go out.
    RemoveMembers {
        chat: String,
        with: Vec<String>,
    },
    SetAdmin {
        chat: String,
        who: String,
        on: bool,
    },
    /// The service's operator is to be told of somebody.
    Report {
        account: [u8; 32],
        reason: Reason,
    },
}

/// An intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Intent {
    pub(crate) id: IntentId,
    pub(crate) want: Want,
}

/// How many messages wait to be sent.
pub(crate) fn waiting_to_be_sent(store: &Store<'_>) -> Result<u64, Error> {
    let intents = stored(store)?;
    let is_to_be_sent = |want: &Want| matches!(want, Want::Send { .. } | Want::SendFile { .. } | Want::SendAnew { .. });
    let waiting = intents.iter().filter(|intent| is_to_be_sent(&intent.want)).count();
    Ok(u64::try_from(waiting).unwrap_or(u64::MAX).saturating_add(store.count_waiting()?))
}

/// How many reports wait until the service has them (PPL-5).
pub(crate) fn waiting_reports(store: &Store<'_>) -> Result<u64, Error> {
    let reports = stored(store)?.into_iter().filter(|intent| matches!(intent.want, Want::Report { .. })).count();
    Ok(u64::try_from(reports).unwrap_or(u64::MAX))
}

/// All intents, oldest first.
pub(crate) fn stored(store: &Store<'_>) -> Result<Vec<Intent>, Error> {
    let mut select = store.db().prepare_cached("SELECT id, value FROM intents ORDER BY id")?;
    let rows = select.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)))?;
    let mut intents = Vec::new();
    for row in rows {
        let (id, value) = row?;
        let bytes = store.open(&[INTENT], &value)?;
        intents.push(Intent { id, want: serde_json::from_slice(&bytes).map_err(|_| Error::Damaged)? });
    }
    Ok(intents)
}

impl Turn<'_> {
    /// Keeps an intent; the step's output names it.
    pub(crate) fn want(&mut self, want: Want) -> Result<(), Error> {
        self.add_intent(&want).map(|_| ())
    }

    /// Keeps an intent and gives its id.
    pub(crate) fn add_intent(&mut self, want: &Want) -> Result<IntentId, Error> {
        let value = self.seal_want(want)?;
        self.store.db().prepare_cached("INSERT INTO intents (value) VALUES (?1)")?.execute([value])?;
        let id = self.store.db().last_insert_rowid();
        self.out.intent = Some(id);
        Ok(id)
    }

    /// Keeps how far an intent has come.
    pub(crate) fn update_intent(&mut self, intent: &Intent) -> Result<(), Error> {
        let value = self.seal_want(&intent.want)?;
        let mut update = self.store.db().prepare_cached("UPDATE intents SET value = ?2 WHERE id = ?1")?;
        update.execute(params![intent.id, value])?;
        Ok(())
    }

    fn seal_want(&self, want: &Want) -> Result<Vec<u8>, Error> {
        let bytes = serde_json::to_vec(want).map_err(|_| Error::Damaged)?;
        self.store.seal(&[INTENT], &bytes)
    }

    /// All intents, oldest first.
    pub(crate) fn intents(&self) -> Result<Vec<Intent>, Error> {
        stored(&self.store)
    }

    /// It was carried out.
    pub(crate) fn intent_done(&mut self, intent: IntentId) -> Result<(), Error> {
        self.drop_intent(intent)?;
        self.event(Event::Done { intent });
        Ok(())
    }

    /// It was not, and will not be.
    pub(crate) fn intent_failed(&mut self, intent: IntentId, failure: Failure) -> Result<(), Error> {
        self.drop_intent(intent)?;
        self.event(Event::Failed { intent, failure });
        Ok(())
    }

    fn drop_intent(&mut self, intent: IntentId) -> Result<(), Error> {
        self.store.db().prepare_cached("DELETE FROM intents WHERE id = ?1")?.execute([intent])?;
        self.forget_outgoing(intent)
    }
}
