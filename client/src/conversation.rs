//! Conversations: what a person sees of a group. Where it stands, who is wanted in it, and what is under way.

use chain::id::{AccountId, Digest};
use protocol::id::{GroupId, hex};
use protocol::people::Standing;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::own::random;
use crate::people::standing;
use crate::step::{Event, Failure};
use crate::turn::Turn;

const CONVERSATION: &str = "conversation";
/// The request that makes or changes a group, until it was answered; by group. Apart, because it can be large and every step
/// reads all conversations.
const SUBMISSION: &str = "submission";

/// A conversation.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Conversation {
    #[serde(skip, default = "no_group")]
    pub(crate) group: GroupId,
    /// Its title here; `None` for a conversation of two.
    pub(crate) title: Option<String>,
    /// Where that was said; `None` if it was not, but told by whoever let somebody in, or is this account's own.
    #[serde(default)]
    pub(crate) titled: Option<u64>,
    /// SHA-256 of its picture; and where that was said, or that there is none (MSG-13).
    #[serde(default)]
    pub(crate) picture: Option<[u8; 32]>,
    #[serde(default)]
    pub(crate) pictured: Option<u64>,
    /// The other account of a conversation of two.
    pub(crate) pair: Option<[u8; 32]>,
    pub(crate) stage: Stage,
    /// A commit that was made and not yet answered.
    pub(crate) pending: Option<Pending>,
    /// Accounts that are to come in, or go, with the next commit.
    pub(crate) invited: Vec<[u8; 32]>,
    pub(crate) expelled: Vec<[u8; 32]>,
    /// The service said that the group is at this epoch: nothing is made before that is reached here.
    pub(crate) known_epoch: u64,
    /// Size of the newest checkpoint that was sent here in full.
    pub(crate) told_size: u64,
    /// This device has said here how the members are called.
    pub(crate) introduced: bool,
    /// It has let somebody in, who is to be told at once.
    pub(crate) must_introduce: bool,
    /// A person decided to send although the record cannot be checked.
    pub(crate) unchecked: bool,
    /// When the record was last checked, seconds since 1970, while that is too long ago for what is written here.
    #[serde(default)]
    pub(crate) stale_since_s: Option<u64>,
    /// The newest text that this device wrote here, which the next one names.
    #[serde(default)]
    pub(crate) written: Option<[u8; 32]>,
    /// True if old messages that came from another own device do not fit what their writers sent after them.
    #[serde(default)]
    pub(crate) unverified: bool,
    /// Other accounts that have opened it: one of two people the other one, else its admins. Nobody if this account has.
    #[serde(default)]
    pub(crate) openers: Vec<[u8; 32]>,
    /// This account has opened it, as far as this device knows.
    #[serde(default)]
    pub(crate) opened_here: bool,
    /// Devices of which a text was read here since this device came in, each with the place of the first: from there on a gap
    /// in theirs is one.
    #[serde(default)]
    pub(crate) heard: Vec<([u8; 16], u64)>,
    /// After what time messages are gone.
    #[serde(default)]
    pub(crate) timer: Option<Timer>,
    /// Members who have said that they leave and are still in it (MSG-11).
    #[serde(default)]
    pub(crate) leavers: Vec<[u8; 32]>,
    /// Accounts that are to let people in and out with the next commit, or not any more.
    #[serde(default)]
    pub(crate) admins: Vec<([u8; 32], bool)>,
    /// When its leaves last changed, or this device came in.
    #[serde(default)]
    pub(crate) leaves_since: LeavesSince,
}

/// The commit after which a group has the leaves that it has.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct LeavesSince {
    /// The epoch that began with it.
    pub(crate) epoch: u64,
    /// Where it stands.
    pub(crate) place: u64,
}

impl LeavesSince {
    /// SND-5: true of a message that was written for other leaves than it comes to.
    pub(crate) fn is_after(self, epoch: u64, place: u64) -> bool {
        epoch < self.epoch && place > self.place
    }
}

/// After what time messages of a conversation are gone, and how that is known.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Timer {
    /// Seconds; 0: they stay.
    pub(crate) seconds: u32,
    /// Where that was said.
    pub(crate) place: u64,
    /// It was said; else it was concluded from a text.
    pub(crate) is_said: bool,
}

fn no_group() -> GroupId {
    GroupId([0; 32])
}

/// How far this device is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stage {
    /// Made here, not yet known to the service.
    Creating,
    /// In it.
    Active,
    /// Of this account, and this device is not in it, or has lost its state: enters by an external commit.
    Entering,
    /// Taken out of it.
    Removed,
    /// A rule was broken that honest software cannot break (GRP-6); the code.
    Halted(String),
}

impl Stage {
    /// Why nothing more is sent here, if that is so.
    pub(crate) fn end(&self) -> Option<Failure> {
        match self {
            Self::Removed => {
                let message = "this account is not in that conversation any more";
                Some(Failure::refused("group.removed", message))
            }
            Self::Halted(code) => {
                let message = "this conversation is stopped: the service let in what the record does not allow";
                Some(Failure::lie(code.clone(), message))
            }
            Self::Creating | Self::Active | Self::Entering => None,
        }
    }
}

/// A commit that was made and not yet answered.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Pending {
    /// Hash of the commit.
    #[serde(with = "hex")]
    pub(crate) commit: Digest,
}

impl Conversation {
    /// True if somebody is to come or go, or to let people in and out.
    pub(crate) fn wants_change(&self) -> bool {
        !self.invited.is_empty() || !self.expelled.is_empty() || !self.admins.is_empty()
    }

    /// A new one, of this device alone.
    pub(crate) fn new(group: GroupId, stage: Stage) -> Self {
        Self {
            group,
            title: None,
            titled: None,
            picture: None,
            pictured: None,
            pair: None,
            stage,
            pending: None,
            invited: Vec::new(),
            expelled: Vec::new(),
            known_epoch: 0,
            told_size: 0,
            introduced: false,
            must_introduce: false,
            unchecked: false,
            stale_since_s: None,
            written: None,
            timer: None,
            unverified: false,
            openers: Vec::new(),
            opened_here: false,
            heard: Vec::new(),
            leavers: Vec::new(),
            admins: Vec::new(),
            leaves_since: LeavesSince::default(),
        }
    }
}

impl Turn<'_> {
    /// A conversation by its group.
    pub(crate) fn conversation(&self, group: &GroupId) -> Result<Option<Conversation>, Error> {
        found(&self.store, group)
    }

    /// Keeps a conversation.
    pub(crate) fn keep_conversation(&self, conversation: &Conversation) -> Result<(), Error> {
        if conversation.pending.is_none() && conversation.stage != Stage::Creating {
            self.store.remove(SUBMISSION, &conversation.group.0)?;
        }
        self.store.put(CONVERSATION, &conversation.group.0, conversation)
    }

    /// Keeps the request that makes or changes a group.
    pub(crate) fn keep_submission(&self, group: &GroupId, body: &[u8]) -> Result<(), Error> {
        self.store.put_bytes(SUBMISSION, &group.0, body)
    }

    /// That request.
    pub(crate) fn submission(&self, group: &GroupId) -> Result<Vec<u8>, Error> {
        self.store.bytes(SUBMISSION, &group.0)?.ok_or(Error::Damaged)
    }

    /// All conversations.
    pub(crate) fn conversations(&self) -> Result<Vec<Conversation>, Error> {
        all(&self.store)
    }

    /// Shows that a conversation is new or other than before.
    pub(crate) fn conversation_changed(&mut self, group: &GroupId) {
        self.event(Event::Conversation { group: *group });
    }

    /// The conversation with one other account. If two were opened at once: the one where a text of this device still
    /// waits, since what is written now must not pass it; then the one with the smallest id, so that both sides come to
    /// the same.
    pub(crate) fn pair_with(&self, account: &AccountId) -> Result<Option<Conversation>, Error> {
        let mut found = self.conversations()?;
        found.retain(|it| it.pair == Some(account.0) && !matches!(it.stage, Stage::Removed));
        for conversation in &found {
            if self.store.has_waiting_text(&conversation.group)? {
                return Ok(Some(conversation.clone()));
            }
        }
        Ok(found.into_iter().min_by_key(|it| it.group))
    }

    /// Conversations that a person means by a title or by the beginning of an id (at least four digits).
    pub(crate) fn conversations_named(&self, name: &str) -> Result<Vec<Conversation>, Error> {
        named(&self.store, name)
    }

    /// The same for what is only looked at or kept otherwise: also by a title that others gave, if nothing else is called so.
    pub(crate) fn chats_meant(&mut self, name: &str) -> Result<Vec<Conversation>, Error> {
        let meant = self.conversations_meant(name)?;
        if meant.is_empty() { called_by_others(&self.store, name) } else { Ok(meant) }
    }

    /// A new group's id.
    pub(crate) fn new_group_id(&self) -> Result<GroupId, Error> {
        random().map(GroupId)
    }
}

/// A conversation of a store.
pub(crate) fn found(store: &crate::store::Store<'_>, group: &GroupId) -> Result<Option<Conversation>, Error> {
    let found: Option<Conversation> = store.get(CONVERSATION, &group.0)?;
    Ok(found.map(|it| Conversation { group: *group, ..it }))
}

/// All conversations of a store.
pub(crate) fn all(store: &crate::store::Store<'_>) -> Result<Vec<Conversation>, Error> {
    let mut conversations = Vec::new();
    for key in store.keys(CONVERSATION)? {
        let group = GroupId(key.as_slice().try_into().map_err(|_| Error::Damaged)?);
        if let Some(found) = store.get::<Conversation>(CONVERSATION, &key)? {
            conversations.push(Conversation { group, ..found });
        }
    }
    Ok(conversations)
}

/// Conversations of a store that a person means, whatever else is called so: by the beginning of the id, or by a title that
/// this account has given. A title that others gave names nobody's handle away: it counts where nothing else is meant (MSG-8).
pub(crate) fn named(store: &crate::store::Store<'_>, name: &str) -> Result<Vec<Conversation>, Error> {
    let is_id = name.len() >= 4 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = name.to_ascii_lowercase();
    let is_called = |it: &Conversation| it.opened_here && it.title.as_deref() == Some(name);
    let fits = |it: &Conversation| is_called(it) || (is_id && it.group.to_string().starts_with(&id));
    Ok(all(store)?.into_iter().filter(fits).collect())
}

/// Conversations of a store that others call so; none that somebody unknown has opened.
pub(crate) fn called_by_others(store: &crate::store::Store<'_>, name: &str) -> Result<Vec<Conversation>, Error> {
    let mut found = Vec::new();
    for conversation in all(store)? {
        let is_called = !conversation.opened_here && conversation.title.as_deref() == Some(name);
        if is_called && standing(store, &conversation)? == Standing::Open {
            found.push(conversation);
        }
    }
    Ok(found)
}
