//! Who comes into the town: new accounts, and new devices of those that are there.

use chain::id::{AccountId, DeviceId};
use client::step::{Command, Event};
use protocol::people::Decision;

use crate::town::{Town, Who};

impl Town {
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
        self.read(who, |store| client::query::status(store, 0)).account
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
        let who = self.device();
        let events = self.wish(who, Command::LogIn(Self::joining(handle)));
        let device = self.id(who);
        let shown = events.iter().rev().find_map(|event| match event {
            Event::Code { code, by_device } => Some((code.clone(), *by_device)),
            _ => None,
        });
        let (code, by_device) =
            shown.unwrap_or_else(|| panic!("no digits to show: {events:?}, {:?}", self.events(older)));
        // the person goes to the device that the new one names
        let named = self.everybody().find(|who| self.has_id(*who, by_device));
        let older = named.unwrap_or(older);
        let events = self.wish(older, Command::Confirm { device, code, history });
        assert!(events.iter().any(|event| matches!(event, Event::Done { .. })), "{events:?}");
        who
    }

    fn has_id(&self, who: Who, id: DeviceId) -> bool {
        self.read(who, |store| client::query::status(store, self.now_ms())).device == Some(id)
    }
}
