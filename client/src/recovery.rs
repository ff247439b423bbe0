//! The recovery key of the account: set from a confirmed device, used by one that waits (REC-1 to REC-3).
//!
//! Whoever sets it makes the words and keeps them; this device hands the record their public key and never has the words.
//! Whoever uses it types them on the waiting device; they are in its memory until the entry is signed, and never on a
//! disk.

use chain::id::PublicKey;
use chain::sigchain::device_set::DeviceSet;
use ed25519_dalek::SigningKey;
use protocol::recovery::RecoveryKey;

use crate::changes::{Change, Subject};
use crate::error::Error;
use crate::intent::Want;
use crate::own::Phase;
use crate::step::{Failure, Secret};
use crate::turn::Turn;

impl Turn<'_> {
    /// A person wants another recovery key, or none.
    pub(crate) fn set_recovery_key(&mut self, key: Option<PublicKey>) -> Result<(), Error> {
        if self.account_to_change()?.is_none() {
            return self.refuse_unconfirmed();
        }
        let key = key.map(|key| *key.as_bytes());
        self.begin_change(Subject::RecoveryKey, Change::SetRecoveryKey(key)).map(|_| ())
    }

    /// A person typed the words on a device that waits.
    pub(crate) fn recover(&mut self, words: &Secret) -> Result<(), Error> {
        let key = match RecoveryKey::parse(&words.0) {
            Ok(key) => key.signing_key(),
            Err(mistyped) => {
                let failure = Failure::misuse(mistyped.code(), mistyped.to_string());
                return self.refuse_command(&Want::ChangeAccount, failure);
            }
        };
        let Some(own) = self.own()?.filter(|own| matches!(own.phase, Phase::Pending(_))) else {
            let message = "only a device that waits to be let in can use the recovery key: log in on it first";
            return self.refuse_command(&Want::ChangeAccount, Failure::misuse("recovery.not_waiting", message));
        };
        self.memory.recovery = Some(key);
        self.begin_change(Subject::Device(own.id()), Change::Recover).map(|_| ())
    }

    /// The key that was typed, if it is this account's.
    pub(crate) fn recovery_key_for(&mut self, set: &DeviceSet) -> Result<SigningKey, Failure> {
        let Some(wanted) = set.recovery_key() else {
            let message = "this account has no recovery key; open Trefoil on one of your devices to let this one in";
            return Err(Failure::refused("recovery.none", message));
        };
        let Some(typed) = self.memory.recovery.clone() else {
            let message = "the program ended before the recovery key was used: type it again";
            return Err(Failure::refused("recovery.interrupted", message));
        };
        if PublicKey::from(&typed) != wanted {
            self.memory.recovery = None;
            let message = "this is a recovery key, and not this account's: it may have been replaced by a newer one";
            return Err(Failure::refused("recovery.wrong", message));
        }
        Ok(typed)
    }
}
