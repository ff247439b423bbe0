//! What a waiting device says of itself, and what an older one makes of it (CNF-8): a name in the popup, and after the
//! confirmation the name that all devices of the account know it by.
//!
//! It is sealed to the key of an offer, so it is said to each device that offered, also to those that were not the first
//! for their try.

use chain::id::DeviceId;
use protocol::bytes::Base64Url;
use protocol::confirm::Offer;
use protocol::introduction::{Claim, DeviceKind, Introduction};
use protocol::relay::RelayBody;
use protocol::settings::SettingKey;

use crate::error::Error;
use crate::mls::Sealed;
use crate::own::Own;
use crate::requests::claim_of;
use crate::settings;
use crate::step::Event;
use crate::store::Store;
use crate::turn::Turn;

/// What was said to whoever made an offer; by the offer's signature. The same offer again gets the same bytes.
const INTRODUCED: &str = "introduced";
/// Most of them: a waiting device does not seal for ever to whoever repeats offers.
const MAX_INTRODUCED: usize = 64;

/// What a device of the account says that it is, or its person: for a waiting one its own claim.
pub(crate) fn name_and_kind(
    store: &Store<'_>,
    own: &Own,
    device: &DeviceId,
) -> Result<(Option<String>, Option<DeviceKind>), Error> {
    let claim = match claim_of(store, device)? {
        None if *device == own.id() => Some(own.claim()),
        claim => claim,
    };
    let claimed = claim.as_ref().map(|it| it.name().to_owned()).filter(|name| !name.is_empty());
    let name = settings::device_name(store, device)?.or(claimed);
    let kind = settings::device_kind(store, device)?.or(claim.map(|it| it.kind()));
    Ok((name, kind))
}

impl Own {
    /// What this device says of itself.
    pub(crate) fn claim(&self) -> Claim {
        Claim::new(DeviceKind::of(self.device_kind), &self.device_name)
    }
}

impl Turn<'_> {
    /// This waiting device tells whoever made a true offer what it is called. `bytes`: the offer as it came.
    pub(crate) fn introduce_itself(&mut self, own: &Own, offer: &Offer, bytes: &[u8]) -> Result<(), Error> {
        let Some(key) = bytes.last_chunk::<64>() else { return Ok(()) };
        let said = match self.store.bytes(INTRODUCED, key)? {
            Some(said) => said,
            None if self.store.keys(INTRODUCED)?.len() >= MAX_INTRODUCED => return Ok(()),
            None => {
                let plain = own.claim().encode();
                let device = self.device()?;
                let sealed = self.mls(&device).seal_to(&offer.public_key, &Introduction::info(bytes), &plain);
                // what is no key gets no answer
                let Some(Sealed { kem_output, ciphertext }) = sealed else { return Ok(()) };
                let (request, attempt, device) = (offer.request, offer.attempt, offer.device);
                let said = Introduction { request, attempt, device, kem_output, ciphertext }.sign(&own.chain_key());
                self.store.put_bytes(INTRODUCED, key, &said)?;
                said
            }
        };
        self.relay(offer.device, &RelayBody::Introduction(said))
    }

    /// Nobody needs to be told any more.
    pub(crate) fn forget_introductions(&mut self) -> Result<(), Error> {
        self.store.clear(INTRODUCED)
    }

    /// A waiting device says what it is called. What it says first is what it says.
    pub(crate) fn take_introduction(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Ok(introduction) = Introduction::decode(bytes) else { return Ok(()) };
        let Some((device, pending)) = self.waiting_device(&introduction.request, &introduction.device)? else {
            return Ok(());
        };
        if !Introduction::is_signed(bytes, &pending.keys.chain) {
            return Ok(());
        }
        let Some(mut asked) = self.asked(&device)?.filter(|asked| asked.claim.is_none()) else { return Ok(()) };
        let Some((offer, private)) = asked.sealing(introduction.attempt) else { return Ok(()) };
        let own = self.device()?;
        let sealed = Sealed { kem_output: introduction.kem_output, ciphertext: introduction.ciphertext };
        let Some(plain) = self.mls(&own).open_with(private, &Introduction::info(offer), sealed) else { return Ok(()) };
        let Ok(claim) = Claim::decode(&plain) else { return Ok(()) };
        asked.claim = Some(Base64Url(claim.encode()));
        self.keep_asked(&device, &asked)?;
        self.event(Event::Introduced { device });
        Ok(())
    }

    /// The waiting device that is let in is called by all devices as it calls itself, until somebody calls it otherwise.
    pub(crate) fn name_new_device(&mut self, device: &DeviceId) -> Result<(), Error> {
        match claim_of(&self.store, device)? {
            Some(claim) => self.call_device(device, &claim),
            None => Ok(()),
        }
    }

    /// A device is called as it calls itself. It may say so itself, and whoever lets it in: whatever a person says counts more.
    pub(crate) fn call_device(&mut self, device: &DeviceId, claim: &Claim) -> Result<(), Error> {
        if !claim.name().is_empty() {
            self.set_first(&SettingKey::DeviceName(*device), claim.name().as_bytes())?;
        }
        self.set_first(&SettingKey::DeviceKind(*device), &[claim.kind().number()])
    }
}
