//! What openmls keeps of a group that is followed from outside, as one blob.
//!
//! Each item is JSON, because openmls asks for a self-describing format; the blob is the items in a fixed order, each
//! behind its length in four bytes. Proposals are never kept: the service takes commits only.

use std::cell::RefCell;

use chain::encoding::{Reader, Writer};
use openmls::group::PublicGroup;
use openmls_traits::public_storage::PublicStorageProvider;
use openmls_traits::storage::{CURRENT_VERSION as V, traits};
use protocol::id::GroupId;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Most bytes of one item: a tree of 250 leaves takes about 4 MiB.
const MAX_ITEM: usize = 64 << 20;

/// The items of one group.
#[derive(Debug, Default)]
pub(super) struct Kept {
    items: RefCell<[Vec<u8>; 4]>,
}

/// Places of the items.
#[derive(Debug, Clone, Copy)]
enum Item {
    Tree,
    Context,
    Interim,
    Tag,
}

impl Kept {
    /// The blob.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        self.items.borrow().iter().for_each(|item| {
            w.bytes32(item);
        });
        w.finish()
    }

    /// Reads a blob. `None` if it is not one.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut r = Reader::new(bytes);
        let mut items = <[Vec<u8>; 4]>::default();
        for item in &mut items {
            *item = r.bytes32(MAX_ITEM, "item").ok()?.to_vec();
        }
        r.finish().ok()?;
        Some(Self { items: RefCell::new(items) })
    }

    /// The group. `None` if the items are not one, or are another.
    pub(super) fn load(&self, group: &GroupId) -> Option<PublicGroup> {
        let id = openmls::group::GroupId::from_slice(group.as_bytes());
        PublicGroup::load(self, &id).ok().flatten().filter(|found| *found.group_id() == id)
    }

    fn write(&self, item: Item, value: &impl Serialize) -> Result<(), serde_json::Error> {
        let bytes = serde_json::to_vec(value)?;
        if let Some(place) = self.items.borrow_mut().get_mut(item as usize) {
            *place = bytes;
        }
        Ok(())
    }

    fn read<T: DeserializeOwned>(&self, item: Item) -> Result<Option<T>, serde_json::Error> {
        match self.items.borrow().get(item as usize).filter(|bytes| !bytes.is_empty()) {
            Some(bytes) => serde_json::from_slice(bytes).map(Some),
            None => Ok(None),
        }
    }

    fn clear(&self, item: Item) {
        if let Some(place) = self.items.borrow_mut().get_mut(item as usize) {
            place.clear();
        }
    }
}

impl PublicStorageProvider<V> for Kept {
    type PublicError = serde_json::Error;

    fn write_tree<G: traits::GroupId<V>, T: traits::TreeSync<V>>(
        &self,
        _group: &G,
        value: &T,
    ) -> Result<(), Self::PublicError> {
        self.write(Item::Tree, value)
    }

    fn tree<G: traits::GroupId<V>, T: traits::TreeSync<V>>(&self, _group: &G) -> Result<Option<T>, Self::PublicError> {
        self.read(Item::Tree)
    }

    fn delete_tree<G: traits::GroupId<V>>(&self, _group: &G) -> Result<(), Self::PublicError> {
        self.clear(Item::Tree);
        Ok(())
    }

    fn write_context<G: traits::GroupId<V>, T: traits::GroupContext<V>>(
        &self,
        _group: &G,
        value: &T,
    ) -> Result<(), Self::PublicError> {
        self.write(Item::Context, value)
    }

    fn group_context<G: traits::GroupId<V>, T: traits::GroupContext<V>>(
        &self,
        _group: &G,
    ) -> Result<Option<T>, Self::PublicError> {
        self.read(Item::Context)
    }

    fn delete_context<G: traits::GroupId<V>>(&self, _group: &G) -> Result<(), Self::PublicError> {
        self.clear(Item::Context);
        Ok(())
    }

    fn write_interim_transcript_hash<G: traits::GroupId<V>, T: traits::InterimTranscriptHash<V>>(
        &self,
        _group: &G,
        value: &T,
    ) -> Result<(), Self::PublicError> {
        self.write(Item::Interim, value)
    }

    fn interim_transcript_hash<G: traits::GroupId<V>, T: traits::InterimTranscriptHash<V>>(
        &self,
        _group: &G,
    ) -> Result<Option<T>, Self::PublicError> {
        self.read(Item::Interim)
    }

    fn delete_interim_transcript_hash<G: traits::GroupId<V>>(&self, _group: &G) -> Result<(), Self::PublicError> {
        self.clear(Item::Interim);
        Ok(())
    }

    fn write_confirmation_tag<G: traits::GroupId<V>, T: traits::ConfirmationTag<V>>(
        &self,
        _group: &G,
        value: &T,
    ) -> Result<(), Self::PublicError> {
        self.write(Item::Tag, value)
    }

    fn confirmation_tag<G: traits::GroupId<V>, T: traits::ConfirmationTag<V>>(
        &self,
        _group: &G,
    ) -> Result<Option<T>, Self::PublicError> {
        self.read(Item::Tag)
    }

    fn delete_confirmation_tag<G: traits::GroupId<V>>(&self, _group: &G) -> Result<(), Self::PublicError> {
        self.clear(Item::Tag);
        Ok(())
    }

    fn queue_proposal<G: traits::GroupId<V>, R: traits::ProposalRef<V>, Q: traits::QueuedProposal<V>>(
        &self,
        _group: &G,
        _reference: &R,
        _proposal: &Q,
    ) -> Result<(), Self::PublicError> {
        Ok(())
    }

    fn queued_proposals<G: traits::GroupId<V>, R: traits::ProposalRef<V>, Q: traits::QueuedProposal<V>>(
        &self,
        _group: &G,
    ) -> Result<Vec<(R, Q)>, Self::PublicError> {
        Ok(Vec::new())
    }

    fn remove_proposal<G: traits::GroupId<V>, R: traits::ProposalRef<V>>(
        &self,
        _group: &G,
        _reference: &R,
    ) -> Result<(), Self::PublicError> {
        Ok(())
    }

    fn clear_proposal_queue<G: traits::GroupId<V>, R: traits::ProposalRef<V>>(
        &self,
        _group: &G,
    ) -> Result<(), Self::PublicError> {
        Ok(())
    }
}
