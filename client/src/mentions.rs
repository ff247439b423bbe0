//! Whom messages mention (MEN-1 to MEN-4): found as they are written, believed of members alone, and kept of the own account, so that
//! it is known where somebody is waited for without reading every message.

use std::collections::BTreeSet;

use chain::id::AccountId;
use protocol::content::{Content, Mention, Part, mentions_in};
use protocol::effect::Effect;
use protocol::id::GroupId;

use crate::contacts::{CONTACT, Contact};
use crate::error::Error;
use crate::message::{Kept, Stored};
use crate::query::MessageState;
use crate::store::Store;
use crate::turn::Turn;
use crate::{own, reading};

/// Positions of the newest messages that mention the own account and were not read, ascending, by group.
const MENTIONED: &str = "mentioned";
/// So many of them are kept: more tell nothing new, unless all of these are taken back.
const MOST_KEPT: usize = 256;

/// Whom a message mentions as it says now, also if it was changed: whether they are members is not looked at.
pub(crate) fn mentions(store: &Store<'_>, stored: &Stored) -> Result<Vec<Mention>, Error> {
    if stored.kept.deleted {
        return Ok(Vec::new());
    }
    let mentions = |kept: &Kept| Content::decode(&kept.content).map(|content| content.mentions).unwrap_or_default();
    if !stored.kept.edited {
        return Ok(mentions(&stored.kept));
    }
    let edits = store.effects_on(&stored.group, &stored.message)?;
    let is_it = |edit: &&Stored| {
        let says = Content::decode(&edit.kept.content);
        let is_same =
            says.is_ok_and(|says| matches!(says.effect(), Some((_, Effect::Edit(it))) if it == stored.kept.text));
        is_same && edit.kept.from == stored.kept.from && !edit.kept.deleted && edit.kept.state != MessageState::Failed
    };
    Ok(edits.iter().rfind(is_it).map(|edit| mentions(&edit.kept)).unwrap_or_default())
}

/// True if a message mentions an account.
pub(crate) fn is_mentioned(store: &Store<'_>, stored: &Stored, account: &AccountId) -> Result<bool, Error> {
    Ok(stored.kept.from != *account && mentions(store, stored)?.iter().any(|it| it.account == *account))
}

/// MEN-4: true if somebody mentions the own account in what nobody of it has read.
pub(crate) fn is_waited_for(store: &Store<'_>, group: &GroupId, read: u64) -> Result<bool, Error> {
    let places: Vec<u64> = store.get(MENTIONED, &group.0)?.unwrap_or_default();
    let Some(own) = own::stored(store)?.and_then(|own| own.account()) else { return Ok(false) };
    for place in places.into_iter().rev().take_while(|place| *place > read) {
        // it may have been taken back, changed, or be gone
        for stored in store.messages_at(group, place)? {
            if stored.kept.is_shown && stored.kept.about.is_none() && is_mentioned(store, &stored, &own)? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

impl Turn<'_> {
    /// MEN-2: whom a part mentions that is to be written.
    pub(crate) fn mentions_of(&self, group: &GroupId, part: &Part) -> Result<Vec<Mention>, Error> {
        if !part.said().contains('@') {
            return Ok(Vec::new());
        }
        let Some(conversation) = self.conversation(group)? else { return Ok(Vec::new()) };
        let members: BTreeSet<AccountId> = self.members_of(&conversation)?.into_iter().collect();
        let own = self.own()?;
        let mut people = Vec::new();
        for account in members {
            let is_own = own.as_ref().filter(|own| own.account() == Some(account));
            let handle = match is_own {
                Some(own) => Some(own.handle.clone()),
                None => self.store.get::<Contact>(CONTACT, &account.0)?.map(|contact| contact.handle),
            };
            people.extend(handle.map(|handle| (account, handle)));
        }
        Ok(mentions_in(part.said(), &people))
    }

    /// Somebody else's message came: whoever it mentions is waited for there.
    pub(crate) fn note_mention(&self, group: &GroupId, place: u64, kept: &Kept) -> Result<(), Error> {
        let Some(own) = self.own()?.and_then(|own| own.account()) else { return Ok(()) };
        let mentions = Content::decode(&kept.content).map(|content| content.mentions).unwrap_or_default();
        let read = reading::read_up_to(&self.store, group)?;
        if place <= read || !mentions.iter().any(|it| it.account == own) {
            return Ok(());
        }
        let mut places: Vec<u64> = self.store.get(MENTIONED, &group.0)?.unwrap_or_default();
        places.retain(|it| *it > read && *it != place);
        // one that comes late may stand further up
        let at = places.partition_point(|it| *it < place);
        places.insert(at, place);
        let too_many = places.len().saturating_sub(MOST_KEPT);
        self.store.put(MENTIONED, &group.0, &places.split_off(too_many))
    }
}
