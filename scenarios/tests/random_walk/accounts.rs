//! What the record has to say of each account, what its devices are told of that, and what they share.

use std::collections::BTreeMap;

use chain::id::{AccountId, DeviceId};
use chain::sigchain::body::{Body, Confirmer};
use chain::sigchain::entry::Entry;
use client::query::{self, ContactRow};
use protocol::id::GroupId;
use scenarios::town::Who;

use crate::walk::{PEOPLE, Walk};

/// What an entry says, and of which device.
pub(crate) type Done = (&'static str, Option<DeviceId>);

/// An account; after a reset its person has another one.
pub(crate) struct Account {
    pub(crate) id: AccountId,
    /// What was done to it, in order.
    pub(crate) done: Vec<Done>,
    /// Its entries at the last look.
    entries: Vec<Vec<u8>>,
}

/// What the devices of an account have to agree on.
#[derive(Debug, PartialEq, Eq)]
struct Shared {
    names: BTreeMap<DeviceId, Option<String>>,
    /// Account, handle, whether it was reset, whether its code was compared.
    contacts: Vec<(AccountId, String, bool, bool)>,
    titles: BTreeMap<GroupId, String>,
    has_recovery_key: bool,
}

impl Account {
    pub(crate) fn new(id: AccountId, first: DeviceId) -> Self {
        Self { id, done: vec![("account.created", Some(first))], entries: Vec::new() }
    }
}

impl Walk {
    /// Something was done to somebody's account.
    pub(crate) fn done(&mut self, person: usize, what: &'static str, who: Option<Who>) {
        let device = who.map(|who| self.ids[&who]);
        self.account_mut(person).done.push((what, device));
    }

    /// Somebody's account.
    pub(crate) fn account(&self, person: usize) -> &Account {
        self.accounts[person].last().unwrap()
    }

    fn account_mut(&mut self, person: usize) -> &mut Account {
        self.accounts[person].last_mut().unwrap()
    }

    /// Whom a device knows.
    pub(crate) fn contacts(&self, who: Who) -> Vec<ContactRow> {
        self.town.read(who, query::contacts)
    }

    /// I5, I8: what the record says of somebody is what was done, and each device was told of all that came after it.
    pub(crate) fn check_record(&mut self, person: usize) {
        for at in 0..self.accounts[person].len() {
            let entries = self.town.entries_of(&self.accounts[person][at].id);
            let account = &mut self.accounts[person][at];
            assert!(entries.starts_with(&account.entries), "I8: entries of {} have changed", PEOPLE[person]);
            account.entries.clone_from(&entries);
            let said: Vec<Done> = entries.iter().map(|entry| body(entry)).flat_map(|body| said_by(&body)).collect();
            assert_eq!(said, account.done, "I5: {}", PEOPLE[person]);
        }
        let bodies: Vec<_> = self.account(person).entries.iter().map(|entry| body(entry)).collect();
        for who in &self.devices[person] {
            let own = self.ids[who];
            let began = |body: &Body| match body {
                Body::AccountCreated { device, .. } => device.id() == own,
                Body::DeviceConfirmed(answer) => answer.device == own,
                _ => false,
            };
            let since = bodies.iter().position(began).unwrap() + 1;
            let told: Vec<_> = bodies[since..].iter().flat_map(|body| told_to(body, &own)).collect();
            let heard = self.town.read(*who, query::notices);
            // that nobody has answered in time stands in no entry
            let is_entry = |code: &str| {
                let of_account = ["device.", "recovery.", "reset."].iter().any(|it| code.starts_with(it));
                of_account && code != "device.expired"
            };
            let heard = heard.iter().filter(|it| is_entry(&it.code)).map(|it| (it.code.as_str(), it.device));
            assert_eq!(heard.collect::<Vec<_>>(), told, "I8: the notices of {who:?}");
            let is_alarmed = self.town.read(*who, query::reset_due_s).is_some();
            assert_eq!(is_alarmed, self.announced[person].is_some(), "I8: the alarm of {who:?}");
        }
    }

    /// I9: what the devices of an account share is the same on all of them.
    pub(crate) fn check_shared(&self, person: usize) {
        let all: Vec<_> = self.devices[person].iter().map(|who| self.shared(*who)).collect();
        for two in all.windows(2) {
            assert_eq!((&two[0].names, &two[0].contacts), (&two[1].names, &two[1].contacts), "I9: {}", PEOPLE[person]);
            assert_eq!(two[0].has_recovery_key, two[1].has_recovery_key, "I9: {}", PEOPLE[person]);
            for (group, title) in &two[0].titles {
                let other = two[1].titles.get(group).unwrap_or(title);
                // without a title it is called by names, of which some may be known to one device alone
                let is_same = title == other || ![title, other].iter().any(|it| it.starts_with("chat "));
                assert!(is_same, "I9: {} and {group}: {title:?}, {other:?}", PEOPLE[person]);
            }
        }
        for (device, name) in &all[0].names {
            let is_given = name.as_ref().is_none_or(|name| self.names[device].contains(name));
            assert!(is_given, "I9: nobody called {device} {name:?}");
        }
        assert_eq!(all[0].has_recovery_key, self.paper[person].is_some(), "I9: {}", PEOPLE[person]);
    }

    fn shared(&self, who: Who) -> Shared {
        let devices = self.town.read(who, query::devices).into_iter().filter(|row| row.state == "confirmed");
        let contacts = self.contacts(who).into_iter();
        let conversations = self.town.read(who, query::conversations).into_iter();
        Shared {
            names: devices.map(|row| (row.device, row.name)).collect(),
            contacts: contacts.map(|row| (row.account, row.handle, row.reset_s.is_some(), row.verified)).collect(),
            titles: conversations.filter(|row| !row.pair && !row.own).map(|row| (row.group, row.title)).collect(),
            has_recovery_key: self.town.read(who, query::has_recovery_key),
        }
    }
}

fn body(entry: &[u8]) -> Body {
    Entry::decode(entry).unwrap().statement.body
}

/// What an entry says was done.
fn said_by(body: &Body) -> Vec<Done> {
    match body {
        Body::AccountCreated { device, .. } => vec![("account.created", Some(device.id()))],
        Body::DeviceAdded { device, .. } => vec![("device.requested", Some(device.id()))],
        Body::DeviceConfirmed(answer) => match answer.signer {
            Confirmer::Device(_) => vec![("device.confirmed", Some(answer.device))],
            Confirmer::RecoveryKey => vec![("device.recovered", Some(answer.device))],
        },
        Body::DeviceRefused(answer) => vec![("device.refused", Some(answer.device))],
        Body::DeviceRemoved { devices, .. } => devices.iter().map(|it| ("device.removed", Some(*it))).collect(),
        Body::RecoveryKeySet { key, .. } => {
            vec![(if key.is_some() { "recovery.set" } else { "recovery.dropped" }, None)]
        }
        Body::ResetRequested { device, .. } => vec![("reset.requested", Some(device.id()))],
        Body::ResetVetoed { .. } => vec![("reset.vetoed", None)],
        Body::AccountReset { .. } => vec![("account.reset", None)],
        Body::HandleBound { .. } | Body::ResetChoiceSet { .. } | Body::AccountClosed { .. } => {
            vec![("nobody's doing", None)]
        }
    }
}

/// What a device is to be told of an entry: all but what it did itself for itself.
fn told_to(body: &Body, own: &DeviceId) -> Vec<Done> {
    match body {
        Body::RecoveryKeySet { signer, .. } if signer == own => Vec::new(),
        Body::AccountCreated { .. } | Body::AccountReset { .. } => Vec::new(),
        Body::DeviceConfirmed(answer) => vec![("device.confirmed", Some(answer.device))],
        body => said_by(body),
    }
}
