//! What people want of conversations, carried out one after the other: contacts, new conversations, people in and out.

use std::collections::BTreeSet;

use chain::handle::Handle;
use chain::id::{AccountId, Digest};
use protocol::content::Part;
use protocol::id::GroupId;
use protocol::members::Roles;
use protocol::people::{LinkToken, Standing};
use protocol::settings::SettingKey;

use crate::contacts;
use crate::conversation::{Conversation, Stage, called_by_others};
use crate::error::Error;
use crate::intent::{Intent, Want};
use crate::membership::refused;
use crate::people;
use crate::step::{Blame, Event, Failure};
use crate::transfer::Target;
use crate::turn::Turn;

/// How far the search for people has come.
enum Found {
    Everybody(Vec<AccountId>),
    Later,
    /// The record cannot be checked now.
    Unproven(Failure),
    Nobody(Failure),
}

impl Turn<'_> {
    /// Goes on with everything that is wanted, oldest first.
    pub(crate) fn go_on_with_intents(&mut self) -> Result<(), Error> {
        for intent in self.intents()? {
            match intent.want.clone() {
                // carried elsewhere
                Want::Join | Want::ChangeAccount | Want::Sending => {}
                Want::Contact { handle, account, token } => {
                    let (account, token) = (account.map(AccountId), token.map(LinkToken));
                    self.go_on_with_contact(&intent, &handle, account, token)?;
                }
                Want::AcceptReset { handle } => self.go_on_accepting(&intent, &handle)?,
                Want::OpenBackup { origin, account } => {
                    self.go_on_opening_backup(&intent, &origin, AccountId(account))?
                }
                Want::Send { to, text } => self.go_on_with_send(intent, &to, text)?,
                Want::SendFile { to, text } => self.go_on_with_file(intent, &to, text)?,
                Want::SendAnew { to, content } => self.go_on_anew(intent, &to, &content.0)?,
                Want::SaveFile { message, path, replace } => {
                    self.go_on_fetching(&intent, &Digest(message), Some(Target { path, replace }))?;
                }
                Want::KeepFile { message } => self.go_on_fetching(&intent, &Digest(message), None)?,
                Want::NewChat { title, with, group } => self.go_on_with_chat(intent, title, &with, group)?,
                Want::AddMembers { chat, with } => self.go_on_with_members(&intent, &chat, &with, true)?,
                Want::RemoveMembers { chat, with } => self.go_on_with_members(&intent, &chat, &with, false)?,
                Want::SetAdmin { chat, who, on } => self.go_on_with_admin(&intent, &chat, &who, on)?,
                Want::Report { account, reason } => self.go_on_with_report(AccountId(account), reason)?,
            }
        }
        Ok(())
    }

    fn go_on_with_contact(
        &mut self,
        intent: &Intent,
        handle: &str,
        expected: Option<AccountId>,
        token: Option<LinkToken>,
    ) -> Result<(), Error> {
        let found = match handle_meant(handle) {
            Ok(handle) => self.find(&handle, expected)?,
            Err(failure) => Err(failure),
        };
        let account = match found {
            Ok(Some(account)) => account,
            Ok(None) => return Ok(()),
            Err(failure) => return self.intent_failed(intent.id, failure),
        };
        if let Some(failure) = self.accept_people(&[account])? {
            return self.intent_failed(intent.id, failure);
        }
        if expected.is_some() && account != self.device()?.account {
            self.opened_link(&account, token)?;
        }
        self.intent_done(intent.id)
    }

    /// PPL-1: whom a person wants to do with he accepts; why not, if he has blocked one of them.
    fn accept_people(&mut self, people: &[AccountId]) -> Result<Option<Failure>, Error> {
        let own = self.device()?.account;
        for account in people.iter().filter(|account| **account != own) {
            if let Some(failure) = self.accept_by_writing(account)? {
                return Ok(Some(failure));
            }
        }
        Ok(None)
    }

    /// Who holds these handles, each proven by the record, and each account looked at.
    fn find_people(&mut self, handles: &[String]) -> Result<Found, Error> {
        let mut people = Vec::new();
        let mut complete = true;
        for text in handles {
            let handle = match handle_meant(text) {
                Ok(handle) => handle,
                Err(failure) => return Ok(Found::Nobody(failure)),
            };
            match self.find(&handle, None)? {
                Ok(Some(account)) => people.push(account),
                Ok(None) => complete = false,
                Err(failure) if failure.blame == Blame::Lie => return Ok(Found::Unproven(failure)),
                Err(failure) => return Ok(Found::Nobody(failure)),
            }
        }
        Ok(if complete { Found::Everybody(people) } else { Found::Later })
    }

    /// Who holds a handle. Anybody but `expected` is refused before anything of him is asked for or kept.
    fn find(
        &mut self,
        handle: &Handle,
        expected: Option<AccountId>,
    ) -> Result<Result<Option<AccountId>, Failure>, Error> {
        let Some(holder) = self.holder(handle)? else { return self.reason_to_give_up() };
        let Some(account) = holder.account.map(AccountId) else {
            let message = format!("nobody here is called {handle}");
            return Ok(Err(refused("handle.unknown", &message)));
        };
        if expected.is_some_and(|expected| expected != account) {
            let message = "the public record knows another account by this name than the link says; don't write to it, \
                           and ask for the link again";
            return Ok(Err(refused("link.other_account", message)));
        }
        if self.fresh(&account)?.is_none() {
            return self.reason_to_give_up();
        }
        self.keep_contact(&account, handle.as_str())?;
        if expected.is_some() {
            // whoever has a link knows whom he means
            self.mean(&account)?;
        }
        if account != self.device()?.account {
            self.set(&SettingKey::Contact(account), handle.as_str().as_bytes())?;
        }
        Ok(Ok(Some(account)))
    }

    /// Nobody new is accepted while the record cannot be believed (CHK-9).
    fn reason_to_give_up(&self) -> Result<Result<Option<AccountId>, Failure>, Error> {
        match self.trouble()? {
            Some(trouble) => {
                let message = "the public record cannot be verified, so nobody new is believed".to_owned();
                Ok(Err(Failure { code: trouble.code, blame: Blame::Lie, message }))
            }
            None => Ok(Ok(None)),
        }
    }

    /// Conversations that a person means: by title or id, or with whoever has this handle.
    pub(crate) fn conversations_meant(&mut self, to: &str) -> Result<Vec<Conversation>, Error> {
        let named = self.conversations_named(to)?;
        if !named.is_empty() {
            return Ok(named);
        }
        let Ok(handle) = Handle::parse(to.split('@').next().unwrap_or_default()) else {
            // nobody can have it as a handle
            return called_by_others(&self.store, to);
        };
        if self.is_own_handle(to)? {
            return Ok(self.self_group()?.into_iter().collect());
        }
        for conversation in self.conversations()? {
            let Some(pair) = conversation.pair.map(AccountId) else { continue };
            if self.contact(&pair)?.is_some_and(|it| it.is_called(handle.as_str())) {
                return Ok(self.pair_with(&pair)?.into_iter().collect());
            }
        }
        Ok(Vec::new())
    }

    /// Where somebody means to write, made if it is not there; `None`: not yet, or the intent has failed.
    pub(crate) fn place_to_write(&mut self, intent: &Intent, to: &str) -> Result<Option<GroupId>, Error> {
        let failure = match self.conversations_meant(to)?.as_slice() {
            [conversation] => match self.why_not_write(conversation)? {
                Some(failure) => failure,
                None => return Ok(Some(conversation.group)),
            },
            [] if self.is_own_handle(to)? => return self.self_group_or_new(),
            // whoever has called a conversation like somebody else's handle gets nothing that is for him
            [] if !self.is_contact(to)? && !called_by_others(&self.store, to)?.is_empty() => {
                let message = "others call a conversation so, and it may be somebody's handle: use the beginning of the \
                               conversation's id, or add the person as a contact first";
                misuse("chat.ambiguous", message)
            }
            [] => match self.find_people(std::slice::from_ref(&to.to_owned()))? {
                Found::Later => return Ok(None),
                Found::Unproven(_) => return self.wait_for_record(intent, to).map(|()| None),
                Found::Nobody(failure) => failure,
                Found::Everybody(people) => match self.accept_people(&people)? {
                    Some(failure) => failure,
                    None => return self.open_pair(&people),
                },
            },
            _ => {
                let message = "more than one conversation is called that; use the beginning of its id";
                misuse("chat.ambiguous", message)
            }
        };
        self.intent_failed(intent.id, failure).map(|()| None)
    }

    fn go_on_with_send(&mut self, mut intent: Intent, to: &str, text: String) -> Result<(), Error> {
        let Some(group) = self.place_to_write(&intent, to)? else { return Ok(()) };
        let (row, message) = self.write(&group, Part::Text(text), Some(intent.id))?;
        intent.want = Want::Sending;
        self.update_intent(&intent)?;
        self.event(Event::Written { intent: intent.id, row, message, group });
        Ok(())
    }

    /// Why nothing can be written into a conversation; whoever writes into a request accepts those who have opened it.
    pub(crate) fn why_not_write(&mut self, conversation: &Conversation) -> Result<Option<Failure>, Error> {
        if let Some(failure) = self.why_not_in(conversation)? {
            return Ok(Some(failure));
        }
        match conversation.pair {
            Some(other) => self.accept_people(&[AccountId(other)]),
            None if people::standing(&self.store, conversation)? == Standing::Open => Ok(None),
            None => {
                let openers: Vec<_> = conversation.openers.iter().copied().map(AccountId).collect();
                self.accept_people(&openers)
            }
        }
    }

    /// True if somebody whom this device knows has this handle.
    fn is_contact(&self, to: &str) -> Result<bool, Error> {
        let Ok(handle) = handle_meant(to) else { return Ok(false) };
        Ok(contacts::all(&self.store)?.iter().any(|(_, contact)| contact.is_called(handle.as_str())))
    }

    /// True if somebody writes to himself.
    fn is_own_handle(&self, to: &str) -> Result<bool, Error> {
        let handle = handle_meant(to).ok();
        Ok(self.own()?.zip(handle).is_some_and(|(own, handle)| own.handle == handle.as_str()))
    }

    /// The conversation with one person, new if there is none. `None`: not yet.
    fn open_pair(&mut self, people: &[AccountId]) -> Result<Option<GroupId>, Error> {
        let Some(other) = people.first() else { return Ok(None) };
        if let Some(conversation) = self.pair_with(other)? {
            return Ok(Some(conversation.group));
        }
        let mut conversation = Conversation::new(self.new_group_id()?, Stage::Active);
        conversation.pair = Some(other.0);
        conversation.invited.push(other.0);
        let made = self.create_group(&mut conversation, &Roles::default())?;
        Ok(made.then_some(conversation.group))
    }

    fn go_on_with_chat(
        &mut self,
        mut intent: Intent,
        title: String,
        with: &[String],
        group: Option<GroupId>,
    ) -> Result<(), Error> {
        if let Some(group) = group {
            let conversation = self.conversation(&group)?;
            if let Some(failure) = conversation.as_ref().and_then(|it| it.stage.end()) {
                return self.intent_failed(intent.id, failure);
            }
            let ready = conversation.is_some_and(|it| it.stage == Stage::Active && it.invited.is_empty());
            return if ready { self.intent_done(intent.id) } else { Ok(()) };
        }
        let people = match self.find_people(with)? {
            Found::Everybody(people) => people,
            Found::Later => return Ok(()),
            Found::Unproven(failure) | Found::Nobody(failure) => return self.intent_failed(intent.id, failure),
        };
        if let Some(failure) = self.accept_people(&people)? {
            return self.intent_failed(intent.id, failure);
        }
        let own = self.device()?.account;
        let mut conversation = Conversation::new(self.new_group_id()?, Stage::Active);
        conversation.title = Some(title.clone());
        let people: BTreeSet<_> = people.into_iter().filter(|account| *account != own).collect();
        conversation.invited = people.into_iter().map(|account| account.0).collect();
        let roles = Roles { admins: [own].into(), open: false };
        if self.create_group(&mut conversation, &roles)? {
            intent.want = Want::NewChat { title: title.clone(), with: with.to_vec(), group: Some(conversation.group) };
            self.update_intent(&intent)?;
            self.set(&SettingKey::Title(conversation.group), title.as_bytes())?;
            self.conversation_changed(&conversation.group);
        }
        Ok(())
    }

    fn go_on_with_members(&mut self, intent: &Intent, chat: &str, with: &[String], add: bool) -> Result<(), Error> {
        let conversations = self.chats_meant(chat)?;
        let [conversation] = conversations.as_slice() else {
            let failure = misuse("chat.unknown", "there is no one conversation that is called that");
            return self.intent_failed(intent.id, failure);
        };
        let mut conversation = conversation.clone();
        if let Some(failure) = self.why_not_in(&conversation)? {
            return self.intent_failed(intent.id, failure);
        }
        let people = match self.find_people(with)? {
            Found::Everybody(people) => people,
            Found::Later => return Ok(()),
            Found::Unproven(failure) | Found::Nobody(failure) => return self.intent_failed(intent.id, failure),
        };
        if conversation.stage != Stage::Active {
            return Ok(());
        }
        if add && let Some(failure) = self.accept_people(&people)? {
            return self.intent_failed(intent.id, failure);
        }
        let device = self.device()?;
        let now = self.mls(&device).composition(&conversation.group)?;
        let may = now.roles.admins.contains(&device.account) || (add && now.roles.open);
        if !may {
            let failure = refused("chat.not_admin", "somebody else lets people in and out of this conversation");
            return self.intent_failed(intent.id, failure);
        }
        let there = now.accounts();
        let is_in = |account: &AccountId| there.contains(account);
        if people.iter().all(|account| is_in(account) == add) {
            return self.intent_done(intent.id);
        }
        let (list, other) = if add {
            (&mut conversation.invited, &mut conversation.expelled)
        } else {
            (&mut conversation.expelled, &mut conversation.invited)
        };
        for account in people.iter().filter(|account| is_in(account) != add) {
            other.retain(|it| *it != account.0);
            if !list.contains(&account.0) {
                list.push(account.0);
            }
        }
        self.keep_conversation(&conversation)
    }
}

/// The handle in what a person typed, with a host or without.
fn handle_meant(text: &str) -> Result<Handle, Failure> {
    let handle = Handle::parse(text.split('@').next().unwrap_or_default());
    handle.map_err(|error| misuse(error.code(), &error.to_string()))
}

fn misuse(code: &str, message: &str) -> Failure {
    Failure { code: code.to_owned(), blame: Blame::Misuse, message: message.to_owned() }
}
