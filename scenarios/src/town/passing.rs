//! What people's devices say in passing.

use client::query::ConversationRow;
use client::step::{Call, Input};
use client::{Store, StoreKey};
use protocol::api::delivery::{GROUPS, Passing, PassingSubmission};

use super::{KEY, Town, Who};

impl Town {
    /// What is said in passing comes to everybody who is there, whether or not it is for him: the service's tests show to whom it
    /// goes, these that it means nothing to others.
    pub(super) fn pass_on(&mut self, from: Who, call: &Call) {
        let Some(place) = call.path.strip_suffix("/passing") else { return };
        let group = place.trim_start_matches(GROUPS).trim_start_matches('/');
        let said: PassingSubmission = serde_json::from_slice(call.body.as_deref().unwrap()).unwrap();
        let passing = Passing { group: group.parse().unwrap(), epoch: said.epoch, passing: said.passing };
        self.passed.push(passing.clone());
        for who in self.everybody().filter(|who| *who != from && self.devices[who.0].online).collect::<Vec<_>>() {
            self.hear(who, passing.clone());
        }
    }

    /// A device hears a word in passing.
    pub fn hear(&mut self, who: Who, passing: Passing) {
        self.step(who, Input::Passing(passing));
    }

    /// Who types, as a device shows it: handles, with what it calls their conversation.
    pub fn typing(&self, who: Who) -> Vec<(String, String)> {
        let device = &self.devices[who.0];
        let rows = device.client.conversations(&Store::reading(&device.db, &StoreKey::new(KEY))).unwrap();
        let of = |row: ConversationRow| row.typing.into_iter().map(move |(_, name)| (row.title.clone(), name.unwrap()));
        rows.into_iter().flat_map(of).collect()
    }
}
