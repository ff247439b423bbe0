//! Old messages for a newer device of the account: what there is, and one page at a time.
//!
//! Nothing goes to a device that the record does not confirm, or whose person has not agreed (attack 47). Any device may
//! answer: that somebody agreed is shared in the self-group.

use chain::id::DeviceId;
use protocol::history::{
    HistoryMessage, HistoryPart, HistoryRequest, IndexRow, MAX_PARTS, PART_FILL, Plain, Wanted, split, split_index,
};
use protocol::id::GroupId;
use protocol::relay::RelayBody;
use protocol::settings::SettingKey;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::old_messages::HandingOver;
use crate::store::Store;
use crate::turn::Turn;

/// When a request was answered last; by its hash.
const ANSWERED: &str = "history answered";
/// How many messages each device was handed; by its id.
const HANDED: &str = "history handed";
/// The same request is answered again at most this often, milliseconds: whoever relays could repeat it at will.
const AGAIN_MS: u64 = 10_000;
/// Messages that are read at once.
const CHUNK: u32 = 100;

/// How many old messages this device has handed to others of its account.
///
/// # Errors
/// [`Error`].
pub fn handed(store: &Store<'_>) -> Result<Vec<(DeviceId, u64)>, Error> {
    let mut rows = Vec::new();
    for key in store.keys(HANDED)? {
        let Ok(device) = <[u8; 16]>::try_from(key.as_slice()) else { continue };
        rows.extend(store.get(HANDED, &key)?.map(|count| (DeviceId(device), count)));
    }
    Ok(rows)
}

/// HIS-2: the newest part first, for whoever waits to read; then the oldest, which says what to ask for next; then the rest.
fn to_send(parts: &[Plain]) -> impl Iterator<Item = (u32, &Plain)> {
    let mut numbered: Vec<(u32, &Plain)> = (0..).zip(parts).collect();
    if let Some(rest) = numbered.get_mut(1..).filter(|rest| !rest.is_empty()) {
        rest.rotate_right(1);
    }
    numbered.into_iter()
}

impl Turn<'_> {
    /// A person agreed that a device gets the old messages, or did not. Any device of the account hands them over then.
    pub(crate) fn grant_history(&mut self, device: &DeviceId, history: bool) -> Result<(), Error> {
        self.set(&SettingKey::HistoryGranted(*device), &[u8::from(history)])
    }

    /// HIS-1: a newer device asks. It gets what its person agreed to.
    pub(crate) fn history_requested(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Ok(request) = HistoryRequest::decode(bytes) else { return Ok(()) };
        let device = self.device()?;
        let Some(known) = self.known(&device.account)? else { return Ok(()) };
        let Some(confirmed) = known.set().confirmed().get(&request.device) else { return Ok(()) };
        let (key, confirmed_s) = (confirmed.keys.chain, confirmed.at_s);
        let generation = known.set().generation();
        let is_ours = request.account == device.account && request.generation == generation;
        if !is_ours || !HistoryRequest::is_signed(bytes, &key) {
            return Ok(());
        }
        let hash = HistoryRequest::hash(bytes);
        let answered_ms: Option<u64> = self.store.get(ANSWERED, &hash.0)?;
        let is_early = answered_ms.is_some_and(|at_ms| self.now_ms.saturating_sub(at_ms) < AGAIN_MS);
        // HIS-5: what was sent since it counts was for it as well, whatever anybody agreed to
        let since_ms = match request.wanted {
            Wanted::Index | Wanted::Page { .. } => 0,
            Wanted::Gap | Wanted::GapPage { .. } => confirmed_s.saturating_mul(1_000),
        };
        if is_early || (since_ms == 0 && !self.has_granted_history(&request.device)?) {
            return Ok(());
        }
        self.store.put(ANSWERED, &hash.0, &self.now_ms)?;
        let partial = self.may_lack_some(request.wanted, confirmed_s)?;
        let parts = match request.wanted {
            Wanted::Index | Wanted::Gap => split_index(&self.index(since_ms)?, partial),
            Wanted::Page { group, before } | Wanted::GapPage { group, before } => {
                let (messages, older) = self.page(&group, before, since_ms)?;
                split(&messages, older, partial)
            }
        };
        let count = u32::try_from(parts.len()).unwrap_or(u32::MAX);
        for (index, part) in to_send(&parts) {
            let info = HistoryPart::info(&hash, index, count);
            let plain = Zeroizing::new(part.encode());
            let Some(sealed) = self.mls(&device).seal_to(&request.public_key, &info, &plain) else { return Ok(()) };
            let (kem_output, ciphertext) = (sealed.kem_output, sealed.ciphertext);
            let part = HistoryPart { request: hash, index, count, kem_output, ciphertext };
            self.relay(request.device, &RelayBody::HistoryPart(part.sign(&device.chain)))?;
        }
        self.count_handed(&request.device, &parts)
    }

    fn has_granted_history(&self, device: &DeviceId) -> Result<bool, Error> {
        self.is_set(&SettingKey::HistoryGranted(*device))
    }

    fn count_handed(&mut self, device: &DeviceId, parts: &[Plain]) -> Result<(), Error> {
        let of = |part: &Plain| match part {
            Plain::Messages { messages, .. } => messages.len(),
            Plain::Index { .. } => 0,
        };
        let handed: u64 = self.store.get(HANDED, &device.0)?.unwrap_or_default();
        let more = u64::try_from(parts.iter().map(of).sum::<usize>()).unwrap_or(u64::MAX);
        self.store.put(HANDED, &device.0, &handed.saturating_add(more))
    }

    /// What there is: conversations with messages that can be handed over, the one with the newest first; those with none since
    /// a time are left out.
    fn index(&self, since_ms: u64) -> Result<Vec<IndexRow>, Error> {
        let mut rows = Vec::new();
        for conversation in self.conversations()? {
            let group = conversation.group;
            let newest = self.store.newest_messages(Some(&[group]), 1)?;
            let Some(newest) = newest.first() else { continue };
            let newest_ms = newest.kept.sent_at_ms;
            if newest_ms < since_ms {
                continue;
            }
            rows.push(IndexRow { group, messages: self.store.count_said(&group)?, newest_ms });
        }
        rows.sort_by_key(|row| std::cmp::Reverse(row.newest_ms));
        Ok(rows)
    }

    /// The newest messages of a conversation before a position and since a time, as many as an answer has room for.
    /// True if there are older ones than those.
    fn page(&self, group: &GroupId, before: u64, since_ms: u64) -> Result<(Vec<HistoryMessage>, bool), Error> {
        let room = PART_FILL.saturating_mul(usize::try_from(MAX_PARTS).unwrap_or(usize::MAX));
        let (mut messages, mut filled, mut skipped, mut older) = (Vec::new(), 0_usize, 0_u32, true);
        let mut handing = HandingOver::of(&self.store);
        while filled < room && older {
            let some = self.store.messages_before(group, before, CHUNK, skipped)?;
            older = some.len() >= usize::try_from(CHUNK).unwrap_or(usize::MAX);
            skipped = skipped.saturating_add(CHUNK);
            // what stands before the first that is too old is older still, but for clocks that differ
            older &= some.last().is_none_or(|last| last.kept.sent_at_ms >= since_ms);
            let wanted = some.into_iter().filter(|stored| stored.kept.sent_at_ms >= since_ms);
            for stored in wanted {
                let Some(message) = handing.message(stored)? else { continue };
                filled = filled.saturating_add(message.encoded_len());
                messages.push(message);
            }
        }
        Ok((messages, older))
    }
}
