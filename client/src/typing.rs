//! That somebody types (MSG-12). All of it is in memory and none of it on disk: what a person begins to say is for those who
//! are there just now.

use std::collections::BTreeMap;

use chacha20poly1305::aead::{Aead as _, KeyInit as _};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use chain::id::{AccountId, DeviceId};
use protocol::api::delivery::{GROUPS, Passing, PassingSubmission};
use protocol::id::GroupId;
use protocol::members::Composition;
use protocol::settings::SettingKey;
use protocol::typing::{FRESH_MS, NONCE, SEALED, Typing};
use zeroize::Zeroizing;

use crate::conversation::Stage;
use crate::error::Error;
use crate::intent::Want;
use crate::membership::Standpoint;
use crate::own::random;
use crate::settings;
use crate::step::Event;
use crate::store::Store;
use crate::turn::{Purpose, Turn, post};

/// So often others are told, milliseconds.
const EVERY_MS: u64 = 4_000;
/// So long it is shown after the last word, milliseconds.
const SHOWN_MS: u64 = 6_000;

/// Who types, and what this device has said.
#[derive(Default)]
pub(crate) struct TypingMemory {
    /// When others were told last, by group.
    said: BTreeMap<GroupId, u64>,
    /// The time of the newest word of a device in a group.
    heard: BTreeMap<(GroupId, DeviceId), u64>,
    /// Until when it is shown that somebody types.
    shown: BTreeMap<(GroupId, AccountId), u64>,
}

impl TypingMemory {
    /// True if somebody types in a group.
    pub(crate) fn shows(&self, group: &GroupId, account: &AccountId) -> bool {
        self.shown.contains_key(&(*group, *account))
    }
}

/// True if the account tells that its person types, and sees it of others.
pub(crate) fn is_told(store: &Store<'_>) -> Result<bool, Error> {
    Ok(settings::value(store, &SettingKey::NoTyping)?.is_none_or(|it| it != [1]))
}

impl Turn<'_> {
    /// A person wants others to see that he types, or not any more; on all devices.
    pub(crate) fn set_typing(&mut self, on: bool) -> Result<(), Error> {
        self.set(&SettingKey::NoTyping, if on { &[] } else { &[1] })?;
        let intent = self.add_intent(&Want::ChangeAccount)?;
        self.intent_done(intent)
    }

    /// A person types.
    pub(crate) fn says_typing(&mut self, chat: &str) -> Result<(), Error> {
        let conversations = self.chats_meant(chat)?;
        let [conversation] = conversations.as_slice() else { return Ok(()) };
        let group = conversation.group;
        let said_ms = self.memory.typing.said.get(&group).copied().unwrap_or_default();
        // a clock that was put back ends the waiting
        if (said_ms..said_ms.saturating_add(EVERY_MS)).contains(&self.now_ms) || !is_told(&self.store)? {
            return Ok(());
        }
        let device = self.device()?;
        let is_in = conversation.stage == Stage::Active && self.mls(&device).has(&group)?;
        if !is_in || conversation.pending.is_some() || !self.may_tell(&group)? || self.has_left(&group)? {
            return Ok(());
        }
        let now = self.mls(&device).composition(&group)?;
        // for this nobody makes a commit, and nobody waits for the record
        let is_sound = matches!(self.standpoint(conversation, &now)?, Standpoint::Fits(_));
        if !is_sound || self.is_not_for(&now)? || now.epoch < conversation.known_epoch {
            return Ok(());
        }
        let at_ms = self.now_ms;
        let word = Typing { group, epoch: now.epoch, account: device.account, device: device.id(), at_ms };
        let key = self.mls(&device).typing_key(&group)?;
        let nonce: [u8; NONCE] = random()?;
        let sealed = cipher(&key).encrypt(XNonce::from_slice(&nonce), word.sign(&device.chain).as_slice());
        let sealed = sealed.map_err(|_| Error::Fault("a word that cannot be sealed"))?;
        let passing = [nonce.as_slice(), &sealed].concat().into();
        let submission = PassingSubmission { epoch: now.epoch, passing };
        self.memory.typing.said.insert(group, self.now_ms);
        self.ask_as_device(Purpose::Passing(group), post(format!("{GROUPS}/{group}/passing"), &submission)?)
    }

    /// Somebody says something in passing. What is not the word of a member's device, or not from now, is nothing.
    pub(crate) fn passed(&mut self, passing: &Passing) -> Result<(), Error> {
        let group = passing.group;
        let Some(conversation) = self.conversation(&group)?.filter(|it| it.stage == Stage::Active) else {
            return Ok(());
        };
        if !is_told(&self.store)? || !self.may_tell(&group)? || self.has_left(&conversation.group)? {
            return Ok(());
        }
        let device = self.device()?;
        if !self.mls(&device).has(&group)? {
            return Ok(());
        }
        let now = self.mls(&device).composition(&group)?;
        let Some(word) = self.typing_word(passing, &now)? else { return Ok(()) };
        let is_new = self.memory.typing.heard.get(&(group, word.device)).is_none_or(|heard| *heard < word.at_ms);
        let is_of_now = self.now_ms.abs_diff(word.at_ms) <= FRESH_MS;
        let is_other = word.account != device.account;
        if is_new && is_of_now && is_other && !self.is_unwanted(&group, &word.account)? && !self.is_not_for(&now)? {
            let until_ms = self.now_ms.saturating_add(SHOWN_MS);
            self.memory.typing.heard.insert((group, word.device), word.at_ms);
            self.memory.typing.shown.insert((group, word.account), until_ms);
            self.event(Event::Typing { group });
        }
        Ok(())
    }

    /// The word, if it is sealed for this group's epoch and signed by a device that is in it.
    fn typing_word(&mut self, passing: &Passing, now: &Composition) -> Result<Option<Typing>, Error> {
        let bytes = passing.passing.0.as_slice();
        let Some((nonce, sealed)) = bytes.split_at_checked(NONCE).filter(|_| bytes.len() == SEALED) else {
            return Ok(None);
        };
        let device = self.device()?;
        let key = self.mls(&device).typing_key(&passing.group)?;
        let Ok(plain) = cipher(&key).decrypt(XNonce::from_slice(nonce), sealed) else { return Ok(None) };
        let Ok(word) = Typing::decode(&plain) else { return Ok(None) };
        let is_there = now.leaves.iter().any(|it| (it.account, it.device) == (word.account, word.device));
        let is_meant = (word.group, word.epoch) == (passing.group, now.epoch) && is_there;
        let known = self.known(&word.account)?;
        let chain = known.and_then(|it| it.set().confirmed().get(&word.device)).map(|it| it.keys.chain);
        Ok(chain.filter(|chain| is_meant && Typing::is_signed(&plain, chain)).map(|_| word))
    }

    /// Somebody's message is here, so he does not type it any more.
    pub(crate) fn has_typed(&mut self, group: &GroupId, account: &AccountId) {
        if self.memory.typing.shown.remove(&(*group, *account)).is_some() {
            self.event(Event::Typing { group: *group });
        }
    }

    /// What was not said again for a while ends.
    pub(crate) fn go_on_with_typing(&mut self) {
        let now_ms = self.now_ms;
        // one that lasts longer than any is of another time: the clock was put back
        let is_over = |until: u64| until <= now_ms || until > now_ms.saturating_add(SHOWN_MS);
        let over = self.memory.typing.shown.iter().filter(|(_, until)| is_over(**until)).map(|(key, _)| *key);
        for key in over.collect::<Vec<_>>() {
            self.memory.typing.shown.remove(&key);
            self.event(Event::Typing { group: key.0 });
        }
        if let Some(next) = self.memory.typing.shown.values().min().copied() {
            self.wake(next);
        }
        let fresh = |at: &mut u64| now_ms.abs_diff(*at) <= FRESH_MS.saturating_mul(2);
        self.memory.typing.heard.retain(|_, at| fresh(at));
        self.memory.typing.said.retain(|_, at| fresh(at));
    }
}

fn cipher(key: &Zeroizing<[u8; 32]>) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.as_slice().into())
}
