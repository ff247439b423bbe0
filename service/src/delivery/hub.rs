//! Who listens: the devices with an open socket, and what they are told as soon as it is on disk.
//!
//! A listener that does not keep up is cut off, never waited for and never buffered for without bound; it comes back
//! and reads on from its position.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::extract::ws::Utf8Bytes;
use chain::id::AccountId;
use protocol::api::delivery::{Delivery, Passing};
use tokio::sync::mpsc;

use crate::delivery::rows::Owner;
use crate::http::refusal::Refusal;

/// Sockets of one account at once (attack 53).
const SOCKETS_AN_ACCOUNT: usize = 8;
/// Deliveries that wait for one socket.
const MAX_BEHIND: usize = 256;

/// Something that was put on disk, and for whom.
#[derive(Debug)]
pub(super) struct Push {
    pub(super) to: Vec<Owner>,
    pub(super) delivery: Delivery,
}

/// What a listener is told.
#[derive(Debug, Clone)]
pub(crate) enum Live {
    /// A delivery as JSON, with its position.
    Delivery(u64, Utf8Bytes),
    /// A word in passing as JSON.
    Passing(Utf8Bytes),
    /// The record no longer has this device.
    Removed,
}

/// All listeners.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    sockets: Mutex<Sockets>,
}

#[derive(Debug, Default)]
struct Sockets {
    /// By device and number.
    open: BTreeMap<(Owner, u64), mpsc::Sender<Live>>,
    next: u64,
}

/// One listener; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Listening {
    /// Whose.
    pub(crate) owner: Owner,
    number: u64,
    /// Ends when the listener is cut off.
    pub(crate) live: mpsc::Receiver<Live>,
}

impl Hub {
    fn sockets(&self) -> MutexGuard<'_, Sockets> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Listens from now on. End it with [`Hub::leave`].
    ///
    /// # Errors
    /// [`Refusal::RateLimited`]: the account has too many sockets.
    pub(crate) fn listen(&self, owner: Owner) -> Result<Listening, Refusal> {
        let mut sockets = self.sockets();
        let [first, last] = Owner::of_account(&owner.account);
        if sockets.open.range((first, 0)..=(last, u64::MAX)).count() >= SOCKETS_AN_ACCOUNT {
            return Err(Refusal::RateLimited { what: "open sockets of this account", retry_after_s: 10 });
        }
        let (sender, live) = mpsc::channel(MAX_BEHIND);
        sockets.next = sockets.next.saturating_add(1);
        let number = sockets.next;
        sockets.open.insert((owner, number), sender);
        Ok(Listening { owner, number, live })
    }

    /// Ends a listener.
    pub(crate) fn leave(&self, listening: &Listening) {
        self.sockets().open.remove(&(listening.owner, listening.number));
    }

    /// Tells everybody whom it concerns.
    pub(super) fn push(&self, pushes: &[Push]) {
        if pushes.is_empty() {
            return;
        }
        let mut sockets = self.sockets();
        for Push { to, delivery } in pushes {
            let mut told = Vec::new();
            for owner in to {
                told.extend(sockets.open.range((*owner, 0)..=(*owner, u64::MAX)).map(|(key, _)| *key));
            }
            // nobody pays for the text of what nobody hears
            let Some(text) = (!told.is_empty()).then(|| serde_json::to_string(delivery).ok()).flatten() else {
                continue;
            };
            let live = Live::Delivery(delivery.position, text.into());
            for key in told {
                if sockets.open.get(&key).is_some_and(|socket| socket.try_send(live.clone()).is_err()) {
                    sockets.open.remove(&key);
                }
            }
        }
    }

    /// Tells those of these devices who listen and keep up. Nobody is cut off for a word that was not worth keeping.
    pub(super) fn pass(&self, to: &[Owner], passing: &Passing) {
        let sockets = self.sockets();
        let Ok(text) = serde_json::to_string(passing).map(Utf8Bytes::from) else { return };
        for owner in to {
            for (_, socket) in sockets.open.range((*owner, 0)..=(*owner, u64::MAX)) {
                // what is behind may not lose its place to it
                if socket.capacity() > MAX_BEHIND / 2 {
                    socket.try_send(Live::Passing(text.clone())).unwrap_or_default();
                }
            }
        }
    }

    /// True if a device of this account listens.
    pub(super) fn has_listeners(&self, account: &AccountId) -> bool {
        let [first, last] = Owner::of_account(account);
        self.sockets().open.range((first, 0)..=(last, u64::MAX)).next().is_some()
    }

    /// True if this device listens.
    pub(crate) fn is_listening(&self, owner: &Owner) -> bool {
        self.sockets().open.range((*owner, 0)..=(*owner, u64::MAX)).next().is_some()
    }

    /// Cuts off the listeners of a device: the token that they came with is gone.
    pub(crate) fn cut(&self, owner: &Owner) {
        let mut sockets = self.sockets();
        let of: Vec<_> = sockets.open.range((*owner, 0)..=(*owner, u64::MAX)).map(|(key, _)| *key).collect();
        of.iter().for_each(|key| drop(sockets.open.remove(key)));
    }

    /// Ends the listeners of an account's devices that are not `among` those that it still has.
    pub(super) fn end_others(&self, account: &AccountId, among: &[Owner]) {
        let mut sockets = self.sockets();
        let [first, last] = Owner::of_account(account);
        let others = sockets.open.range((first, 0)..=(last, u64::MAX)).map(|(key, _)| *key);
        let others: Vec<_> = others.filter(|(owner, _)| !among.contains(owner)).collect();
        for key in others {
            if let Some(socket) = sockets.open.remove(&key) {
                // without room for it the socket just ends
                socket.try_send(Live::Removed).unwrap_or_default();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use chain::id::DeviceId;
    use protocol::api::delivery::DeliveryKind;

    use super::*;

    fn owner(account: u8, device: u8) -> Owner {
        Owner { account: AccountId([account; 32]), device: DeviceId([device; 16]) }
    }

    fn push(position: u64, to: Owner) -> Push {
        let delivery = Delivery {
            position,
            kind: DeliveryKind::Relay,
            group: None,
            epoch: 0,
            bytes: Vec::new().into(),
            at_s: 0,
            from: None,
        };
        Push { to: vec![to], delivery }
    }

    /// Attacks 52, 53.
    #[test]
    fn who_does_not_keep_up_is_cut_off_and_holds_up_nobody() {
        let hub = Hub::default();
        let (mut slow, mut quick) = (hub.listen(owner(1, 1)).unwrap(), hub.listen(owner(1, 2)).unwrap());
        for position in 1..=1_000 {
            hub.push(&[push(position, owner(1, 1)), push(position, owner(1, 2))]);
            assert!(matches!(quick.live.try_recv(), Ok(Live::Delivery(got, _)) if got == position));
        }
        let mut got = 0;
        while let Ok(Live::Delivery(position, _)) = slow.live.try_recv() {
            got += 1;
            assert_eq!(position, got);
        }
        assert_eq!(got, MAX_BEHIND as u64);
        assert!(slow.live.is_closed());
    }

    #[test]
    fn an_account_has_a_bounded_number_of_sockets() {
        let hub = Hub::default();
        let all: Vec<_> = (0..8).map(|device| hub.listen(owner(1, device)).unwrap()).collect();
        assert!(matches!(hub.listen(owner(1, 9)), Err(Refusal::RateLimited { .. })));
        assert!(hub.listen(owner(2, 0)).is_ok());
        hub.leave(&all[0]);
        assert!(hub.listen(owner(1, 9)).is_ok());
    }

    #[test]
    fn a_removed_device_hears_that_and_nothing_more() {
        let hub = Hub::default();
        let (mut gone, mut stays) = (hub.listen(owner(1, 1)).unwrap(), hub.listen(owner(1, 2)).unwrap());
        hub.end_others(&AccountId([1; 32]), &[owner(1, 2)]);
        hub.push(&[push(1, owner(1, 1)), push(1, owner(1, 2))]);
        assert!(matches!(gone.live.try_recv(), Ok(Live::Removed)));
        assert!(gone.live.try_recv().is_err());
        assert!(matches!(stays.live.try_recv(), Ok(Live::Delivery(1, _))));
    }
}
