//! Whom this device knows by name, and what becomes of that when somebody's account goes on as a fresh identity.
//!
//! A name belongs to an account, not to whoever the handle leads to now: a fresh identity, or a stranger who took a handle
//! that was free again, is somebody else until a person has said otherwise (RST-6, attacks 11 and 29). Receiving goes on
//! meanwhile; sending waits.

use chain::handle::Handle;
use chain::id::AccountId;
use chain::sigchain::body::Body;
use chain::sigchain::device_set::{AccountState, DeviceSet};
use chain::sigchain::entry::{Entry, Statement};
use chain::sigchain::reset::check_succession;
use protocol::people::Decision;
use protocol::settings::SettingKey;
use serde::{Deserialize, Serialize};

use crate::conversation::Stage;
use crate::error::Error;
use crate::intent::Intent;
use crate::message::Stored;
use crate::notices::Notice;
use crate::record::{self, Known};
use crate::reset::RESET;
use crate::step::{Blame, Failure};
use crate::store::Store;
use crate::turn::Turn;

pub(crate) const CONTACT: &str = "contact";
/// Contacts whose reset a person was told of; by account.
const TOLD: &str = "reset told";
/// Most identities, one after the other, that are followed at once.
pub(crate) const MAX_RESETS: usize = 16;

/// Somebody whom this device knows.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Contact {
    /// The handle, as proven to be this account's.
    pub(crate) handle: String,
    /// The account that this device knew by this handle before, until a person accepts that this is another one.
    #[serde(default)]
    pub(crate) instead_of: Option<[u8; 32]>,
    /// True if another account has taken its place, and a person has accepted that.
    #[serde(default)]
    pub(crate) is_former: bool,
}

impl Contact {
    /// True if a person who says this handle means this account.
    pub(crate) fn is_called(&self, handle: &str) -> bool {
        self.handle == handle && self.instead_of.is_none() && !self.is_former
    }
}

/// All contacts.
pub(crate) fn all(store: &Store<'_>) -> Result<Vec<(AccountId, Contact)>, Error> {
    let mut contacts = Vec::new();
    for key in store.keys(CONTACT)? {
        let Ok(account) = <[u8; 32]>::try_from(key.as_slice()).map(AccountId) else { continue };
        contacts.extend(store.get(CONTACT, &key)?.map(|contact| (account, contact)));
    }
    Ok(contacts)
}

/// When an account was reset, seconds since 1970.
pub(crate) fn reset_s(store: &Store<'_>, account: &AccountId, set: Option<&DeviceSet>) -> Result<Option<u64>, Error> {
    let is_reset = set.is_some_and(|set| matches!(set.state(), AccountState::ResetTo { .. }));
    if is_reset { record::newest_entry_s(store, account) } else { Ok(None) }
}

/// What an account's first entry says.
pub(crate) fn opening(known: &Known) -> Option<Statement> {
    known.entries.first().and_then(|stamped| Entry::decode(&stamped.entry).ok()).map(|entry| entry.statement)
}

/// The account that an account's first entry says it continues.
pub(crate) fn predecessor(opening: &Statement) -> Option<AccountId> {
    match &opening.body {
        Body::AccountCreated { predecessor, .. } => predecessor.map(|before| before.account),
        _ => None,
    }
}

impl Turn<'_> {
    /// What is known of an account's name.
    pub(crate) fn contact(&self, account: &AccountId) -> Result<Option<Contact>, Error> {
        self.store.get(CONTACT, &account.0)
    }

    fn put_contact(&self, account: &AccountId, contact: &Contact) -> Result<(), Error> {
        self.store.put(CONTACT, &account.0, contact)
    }

    /// Keeps a name that was proven; whoever looks at a conversation with this account learns it.
    pub(crate) fn keep_contact(&mut self, account: &AccountId, handle: &str) -> Result<(), Error> {
        if self.contact(account)?.is_some_and(|known| known.handle == handle) {
            return Ok(());
        }
        let before = self.known_as(handle)?.filter(|it| it != account);
        let is_accepted = self.accepted_after(account)?.is_some();
        let instead_of = before.filter(|_| !is_accepted).map(|before| before.0);
        self.put_contact(account, &Contact { handle: handle.to_owned(), instead_of, is_former: false })?;
        for conversation in self.conversations()?.iter().filter(|it| it.pair == Some(account.0)) {
            self.conversation_changed(&conversation.group);
        }
        Ok(())
    }

    /// RST-6: another device of the account knows `account` by a handle that `holder` has now. If the record proves that the
    /// one goes on as the other, and nobody has accepted that, this device knows it too, and waits for a decision as well. False:
    /// a fact is lacking yet.
    pub(crate) fn keep_reset_contact(
        &mut self,
        account: &AccountId,
        handle: &str,
        holder: &AccountId,
    ) -> Result<bool, Error> {
        let is_ours = self.shared_text(&SettingKey::Contact(*account))?.is_some_and(|known| known == handle);
        if !is_ours {
            return Ok(true);
        }
        let Some(set) = self.fresh(account)?.map(|known| known.set().clone()) else { return Ok(false) };
        let way = match self.follow(set)? {
            Followed::Later => return Ok(false),
            Followed::To(way) if way.last() == Some(holder) => way,
            Followed::To(_) | Followed::Nowhere(_) => return Ok(true),
        };
        for successor in &way {
            // the other devices know the one that was accepted
            if self.accepted_after(successor)?.is_some() {
                return Ok(true);
            }
        }
        let handle = handle.to_owned();
        self.put_contact(account, &Contact { handle, instead_of: None, is_former: false })?;
        if let Some(contact) = self.contact(holder)? {
            self.put_contact(holder, &Contact { instead_of: Some(account.0), ..contact })?;
        }
        self.tell_of_reset(account)?;
        Ok(true)
    }

    /// The account that this device knows by a handle, as a person has accepted it.
    fn known_as(&self, handle: &str) -> Result<Option<AccountId>, Error> {
        let contacts = all(&self.store)?.into_iter();
        Ok(contacts.filter(|(_, contact)| contact.is_called(handle)).map(|(account, _)| account).next())
    }

    /// RST-6: why nothing is sent to an account that goes on in the place of one that this device knew, until a person has
    /// accepted it.
    pub(crate) fn unaccepted(&mut self, account: &AccountId) -> Result<Option<Failure>, Error> {
        let predecessor = self.known(account)?.and_then(opening).as_ref().and_then(predecessor);
        // whoever this device never knew is nobody's place
        let known_before = match predecessor {
            Some(before) => self.contact(&before)?.is_some_and(|contact| !contact.is_former),
            None => false,
        };
        let instead_of = self.contact(account)?.and_then(|contact| contact.instead_of);
        if known_before {
            return Ok(Some(was_reset()));
        }
        if instead_of.is_some() {
            let message = "somebody else has this handle now than the account that you knew by it; ask for a contact link if \
                           you want to write there";
            return Ok(Some(waiting("contact.other_account", message)));
        }
        Ok(None)
    }

    /// A person was told that a contact was reset, once.
    pub(crate) fn tell_of_reset(&mut self, account: &AccountId) -> Result<(), Error> {
        let Some(known) = self.known(account)? else { return Ok(()) };
        let at = known.entries.last().map(|it| (it.block, it.time_s));
        let was_reset = matches!(known.set().state(), AccountState::ResetTo { .. });
        let Some((block, at_s)) = at.filter(|_| was_reset) else { return Ok(()) };
        let is_known = self.contact(account)?.is_some_and(|contact| !contact.is_former);
        if is_known && self.store.bytes(TOLD, &account.0)?.is_none() {
            self.store.put_bytes(TOLD, &account.0, &[])?;
            self.notice(Notice::of_account("contact.reset", account, block, at_s))?;
        }
        Ok(())
    }

    /// A person accepts that a contact goes on as a fresh identity, as far as the record proves that it does.
    pub(crate) fn go_on_accepting(&mut self, intent: &Intent, handle: &str) -> Result<(), Error> {
        let handle = match Handle::parse(handle.split('@').next().unwrap_or_default()) {
            Ok(handle) => handle,
            Err(error) => {
                let failure = Failure::misuse(error.code(), error.to_string());
                return self.intent_failed(intent.id, failure);
            }
        };
        let Some(before) = self.known_as(handle.as_str())? else {
            let failure = Failure::refused("contact.unknown", "you know nobody by this handle");
            return self.intent_failed(intent.id, failure);
        };
        let Some(set) = self.fresh(&before)?.map(|known| known.set().clone()) else {
            return self.wait_for_record(intent, handle.as_str());
        };
        let successor = match self.follow(set)? {
            Followed::Later => return self.wait_for_record(intent, handle.as_str()),
            Followed::Nowhere(failure) => return self.intent_failed(intent.id, failure),
            Followed::To(way) => way.last().copied().unwrap_or(before),
        };
        let Some(holder) = self.holder(&handle)? else { return self.wait_for_record(intent, handle.as_str()) };
        if holder.account != Some(successor.0) {
            let message = "the handle is neither the old account's nor the fresh one's";
            return self.intent_failed(intent.id, Failure::refused("handle.moved", message));
        }
        self.accept(&before, &successor)?;
        self.put_contact(&successor, &Contact { handle: handle.to_string(), instead_of: None, is_former: false })?;
        self.set(&SettingKey::Contact(successor), handle.as_str().as_bytes())?;
        self.set(&SettingKey::ResetAccepted(successor), &before.0)?;
        self.decide(&successor, Decision::Accepted)?;
        self.intent_done(intent.id)
    }

    /// Where an account goes on, over as many resets as there were (RST-4).
    fn follow(&mut self, mut ended: DeviceSet) -> Result<Followed, Error> {
        let nowhere = |code, message| Ok(Followed::Nowhere(Failure::refused(code, message)));
        let mut way = Vec::new();
        for _ in 0..MAX_RESETS {
            let successor = match ended.state() {
                AccountState::ResetTo { successor, .. } => *successor,
                AccountState::Open => return nowhere("reset.none", "this contact was not reset"),
                AccountState::Closed => return nowhere("account.gone", "this account has ended"),
            };
            let Some(next) = self.fresh(&successor)? else { return Ok(Followed::Later) };
            if opening(next).is_none_or(|opening| check_succession(&ended, &opening).is_err()) {
                let message = "the record names an account in the place of this one that does not continue it";
                return Ok(Followed::Nowhere(Failure::lie("reset.successor", message)));
            }
            way.push(successor);
            if *next.set().state() == AccountState::Open {
                return Ok(Followed::To(way));
            }
            ended = next.set().clone();
        }
        nowhere("account.gone", "this account was reset too often to follow it")
    }

    /// What was known of one account is over, and what waits for it goes to the other one; so it is with whoever was in that
    /// place between the two.
    pub(crate) fn accept(&mut self, before: &AccountId, successor: &AccountId) -> Result<(), Error> {
        for (account, contact) in all(&self.store)? {
            if account != *successor && contact.instead_of == Some(before.0) {
                self.give_way(&account, successor)?;
            }
        }
        self.give_way(before, successor)
    }

    fn give_way(&mut self, before: &AccountId, successor: &AccountId) -> Result<(), Error> {
        let Some(contact) = self.contact(before)?.filter(|contact| !contact.is_former) else { return Ok(()) };
        let handle = contact.handle.clone();
        self.put_contact(before, &Contact { is_former: true, ..contact })?;
        if let Some(contact) = self.contact(successor)? {
            self.put_contact(successor, &Contact { instead_of: None, ..contact })?;
        }
        for mut conversation in self.conversations()? {
            // what waits with the successor itself was written after what waits with whoever it follows
            let (is_over, is_next) = (conversation.pair == Some(before.0), conversation.pair == Some(successor.0));
            if !is_over && !is_next {
                continue;
            }
            let mut waiting = self.store.all_waiting(&conversation.group)?;
            let unsent = |it: &&Stored| it.kept.is_shown && it.kept.submission.is_none();
            let goes: Vec<_> = waiting.iter().filter(unsent).map(|it| it.message).collect();
            let is_of = |it: &Stored| goes.contains(&it.message) || it.kept.about.is_some_and(|of| goes.contains(&of));
            waiting.retain(|it| is_over || is_of(it));
            self.write_anew(&waiting, &handle)?;
            if is_over {
                conversation.stage = Stage::Removed;
            } else {
                conversation.written = None;
            }
            self.keep_conversation(&conversation)?;
            self.conversation_changed(&conversation.group);
        }
        // what was concluded of the fresh identity before holds no more
        self.hint(successor)
    }

    /// This account, and those before it that it continues, the newest first, as far as they were looked at.
    pub(crate) fn own_accounts(&mut self) -> Result<Vec<AccountId>, Error> {
        let mut at = self.device()?.account;
        let mut accounts = vec![at];
        while accounts.len() <= MAX_RESETS
            && let Some(before) = self.known(&at)?.and_then(opening).as_ref().and_then(predecessor)
        {
            accounts.push(before);
            at = before;
        }
        Ok(accounts)
    }

    /// An account before a reset is shown under this account's handle.
    pub(crate) fn was_own(&self, before: &AccountId) -> Result<(), Error> {
        match (self.own()?, self.contact(before)?) {
            (Some(own), None) => {
                self.put_contact(before, &Contact { handle: own.handle, instead_of: None, is_former: true })
            }
            _ => Ok(()),
        }
    }

    /// A person means this account and no other one by its handle.
    pub(crate) fn mean(&mut self, account: &AccountId) -> Result<(), Error> {
        match self.contact(account)?.and_then(|contact| contact.instead_of) {
            Some(before) => self.accept(&AccountId(before), account),
            None => Ok(()),
        }
    }

    /// The account whose place this one takes, as a person has accepted it on any device of the account.
    fn accepted_after(&self, successor: &AccountId) -> Result<Option<AccountId>, Error> {
        self.shared_account(&SettingKey::ResetAccepted(*successor))
    }
}

/// Where an account goes on.
enum Followed {
    /// The identities after it, of which the last one is open.
    To(Vec<AccountId>),
    Later,
    Nowhere(Failure),
}

fn waiting(code: &str, message: &str) -> Failure {
    Failure { code: code.to_owned(), blame: Blame::Waiting, message: message.to_owned() }
}

/// Story 13.
pub(crate) fn was_reset() -> Failure {
    waiting(
        RESET,
        "this account was reset; it may be a new device after a loss, or someone else, so ask in another way before you share \
         anything private: `trefoil contact verify` compares codes, `trefoil contact accept-reset` writes anyway",
    )
}
