//! What the people of a [`crate::town`] do that takes several steps, and what they look up.

use std::collections::{BTreeMap, BTreeSet};

use chain::handle::Handle;
use chain::id::AccountId;
use client::query::{self, MessageRow};
use client::step::{Call, Command, Event, Joining};
use protocol::api::{ACCOUNTS, AccountAnswer};
use protocol::id::GroupId;
use protocol::people::Decision;
use protocol::reset_permit::ResetPermit;
use service::issue_reset_permit;

use crate::town::{Town, Who};

impl Town {
    /// The entries of the account that has a handle, as the service gives them to anybody.
    pub fn entries(&self, handle: &str) -> Vec<Vec<u8>> {
        let statuses = self.everybody().map(|who| self.read(who, |store| query::status(store, 0)));
        let account = statuses.filter(|it| it.handle.as_deref() == Some(handle)).find_map(|it| it.account).unwrap();
        self.entries_of(&account)
    }

    /// The operator's permit to reset whoever has a handle.
    pub fn permit(&self, handle: &str) -> ResetPermit {
        let handle = Handle::parse(handle).unwrap();
        issue_reset_permit(&self.path("service"), &handle, self.now_ms() / 1_000).unwrap().permit
    }

    /// All messages of a device in their order, also those of conversations that somebody unknown has opened.
    pub fn messages(&self, who: Who) -> Vec<MessageRow> {
        let conversations = self.read(who, query::conversations).into_iter();
        let of = |group: String| self.read(who, |store| query::messages(store, Some(&group), 10_000));
        let mut rows: Vec<_> = conversations.flat_map(|row| of(row.group.to_string())).collect();
        rows.sort_by_key(|row| (row.place.unwrap_or(u64::MAX), row.row));
        rows
    }

    /// Of all that came to a device while it ran, the texts that its desktop would show.
    pub fn told(&self, who: Who) -> Vec<String> {
        let mut came: BTreeMap<GroupId, BTreeSet<i64>> = BTreeMap::new();
        for event in self.events(who) {
            if let Event::Message { row, group, incoming: true, .. } = event {
                came.entry(*group).or_default().insert(*row);
            }
        }
        let news = came
            .iter()
            .filter_map(|(group, rows)| self.read(who, |store| query::news(store, group, rows, self.now_ms())));
        news.flat_map(|news| news.messages).map(|row| row.text).collect()
    }

    /// The entries of an account, as the service gives them to anybody.
    pub fn entries_of(&self, account: &AccountId) -> Vec<Vec<u8>> {
        let path = format!("{ACCOUNTS}{account}?since=0");
        let (_, body) = self.ask(&Call { path, body: None, bearer: None }).unwrap();
        let answer: AccountAnswer = serde_json::from_slice(&body).unwrap();
        answer.entries.into_iter().map(|it| it.entry.0).collect()
    }

    /// Opens an account with its first device. All who are there already and it have accepted each other.
    pub fn sign_up(&mut self, handle: &str) -> Who {
        let who = self.stranger(handle);
        let newcomer = self.account(who);
        for other in self.everybody().filter(|other| *other != who) {
            if let (Some(account), Some(newcomer)) = (self.account(other), newcomer) {
                self.command(other, Command::Decide { account: newcomer, decision: Decision::Accepted });
                self.command(who, Command::Decide { account, decision: Decision::Accepted });
            }
        }
        who
    }

    fn account(&self, who: Who) -> Option<AccountId> {
        self.read(who, |store| query::status(store, 0)).account
    }

    /// Opens an account with its first device, which nobody has accepted.
    pub fn stranger(&mut self, handle: &str) -> Who {
        let who = self.device();
        let events = self.wish(who, Command::SignUp(Self::joining(handle)));
        assert!(events.iter().any(|event| matches!(event, Event::SignedUp { .. })), "{events:?}");
        who
    }

    /// Logs in on a new device and has it confirmed by an older one, with old messages or without.
    pub fn add_device(&mut self, handle: &str, older: Who, history: bool) -> Who {
        self.add_device_as(Self::joining(handle), older, history)
    }

    /// As [`Self::add_device`], with this handle and password.
    pub fn add_device_as(&mut self, joining: Joining, older: Who, history: bool) -> Who {
        let who = self.device();
        let events = self.wish(who, Command::LogIn(joining));
        let device = self.id(who);
        let shown = events.iter().rev().find_map(|event| match event {
            Event::Code { code, by_device } => Some((code.clone(), *by_device)),
            _ => None,
        });
        let (code, by_device) =
            shown.unwrap_or_else(|| panic!("no digits to show: {events:?}, {:?}", self.events(older)));
        // the person goes to the device that the new one names
        let is_named = |who: &Who| self.read(*who, |store| query::status(store, 0)).device == Some(by_device);
        let older = self.everybody().find(is_named).unwrap_or(older);
        let events = self.wish(older, Command::Confirm { device, code, history });
        assert!(events.iter().any(|event| matches!(event, Event::Done { .. })), "{events:?}");
        who
    }
}
