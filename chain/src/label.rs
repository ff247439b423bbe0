//! Every domain label, in one list.
//!
//! A label says what a signature or a hash is *for*, so that none can stand in for another (`docs/protocol.md`
//! §2). On the wire a label is always preceded by its length in one byte, so no label can be read as the start
//! of another; a test asserts it of the bare strings too.

macro_rules! labels {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$doc])* pub const $name: &str = $text;)*
        /// All labels, for the test that compares them and for other implementers.
        pub const ALL: &[&str] = &[$($text),*];
    };
}

labels! {
    /// Hash: body of an account's first entry → account id.
    ACCOUNT_ID = "trefoil/account-id/v1";
    /// Hash: the two keys of a device → device id.
    DEVICE_ID = "trefoil/device-id/v1";
    /// Hash: one public key → the mark that keeps it from returning.
    RETIRED_KEY = "trefoil/retired-key/v1";
    /// Hash: an entry with its signatures → entry hash.
    ENTRY_HASH = "trefoil/entry-hash/v1";
    /// Hash: the fold's whole result → device-set hash.
    DEVICE_SET = "trefoil/device-set/v1";
    /// Hash: entry, block number and block time, chained → history hash.
    HISTORY = "trefoil/history/v1";
    /// Hash: nonce → commitment of the confirmation code.
    CODE_COMMITMENT = "trefoil/code-commitment/v1";
    /// Hash: account id → map key.
    MAP_ACCOUNT = "trefoil/map/account/v1";
    /// Hash: account head → map value.
    MAP_ACCOUNT_HEAD = "trefoil/map/account-head/v1";
    /// Hash: VRF key id and output → map key.
    MAP_HANDLE = "trefoil/map/handle/v1";
    /// Hash: handle head → map value.
    MAP_HANDLE_HEAD = "trefoil/map/handle-head/v1";
    /// Hash: VRF public key → VRF key id.
    VRF_KEY_ID = "trefoil/vrf-key-id/v1";
    /// VRF input: the normalised handle.
    VRF_HANDLE = "trefoil/vrf/handle/v1";
    /// Hash: a block's body → body hash in its header.
    BLOCK_BODY = "trefoil/block-body/v1";

    /// Signature: AccountCreated, the first device's chain key.
    ACCOUNT_CREATED_DEVICE = "trefoil/entry/account-created/device/v1";
    /// Signature: AccountCreated, the first device's MLS key.
    ACCOUNT_CREATED_MLS = "trefoil/entry/account-created/mls/v1";
    /// Signature: AccountCreated, the service.
    ACCOUNT_CREATED_SERVICE = "trefoil/entry/account-created/service/v1";
    /// Signature: DeviceAdded, the new device's chain key.
    DEVICE_ADDED_DEVICE = "trefoil/entry/device-added/new-device/v1";
    /// Signature: DeviceAdded, the new device's MLS key.
    DEVICE_ADDED_MLS = "trefoil/entry/device-added/new-mls/v1";
    /// Signature: DeviceAdded, the service.
    DEVICE_ADDED_SERVICE = "trefoil/entry/device-added/service/v1";
    /// Signature: DeviceConfirmed, a confirmed device.
    DEVICE_CONFIRMED_DEVICE = "trefoil/entry/device-confirmed/device/v1";
    /// Signature: DeviceConfirmed, the recovery key.
    DEVICE_CONFIRMED_RECOVERY = "trefoil/entry/device-confirmed/recovery-key/v1";
    /// Signature: DeviceRefused, a confirmed device.
    DEVICE_REFUSED_DEVICE = "trefoil/entry/device-refused/device/v1";
    /// Signature: DeviceRemoved, a confirmed device.
    DEVICE_REMOVED_DEVICE = "trefoil/entry/device-removed/device/v1";
    /// Signature: HandleBound, a confirmed device.
    HANDLE_BOUND_DEVICE = "trefoil/entry/handle-bound/device/v1";
    /// Signature: HandleBound, the service.
    HANDLE_BOUND_SERVICE = "trefoil/entry/handle-bound/service/v1";
    /// Signature: RecoveryKeySet, a confirmed device.
    RECOVERY_KEY_SET_DEVICE = "trefoil/entry/recovery-key-set/device/v1";
    /// Signature: RecoveryKeySet, the service.
    RECOVERY_KEY_SET_SERVICE = "trefoil/entry/recovery-key-set/service/v1";
    /// Signature: ResetChoiceSet, a confirmed device.
    RESET_CHOICE_SET_DEVICE = "trefoil/entry/reset-choice-set/device/v1";
    /// Signature: ResetRequested, the waiting new device's chain key.
    RESET_REQUESTED_DEVICE = "trefoil/entry/reset-requested/new-device/v1";
    /// Signature: ResetRequested, the service.
    RESET_REQUESTED_SERVICE = "trefoil/entry/reset-requested/service/v1";
    /// Signature: ResetVetoed, a confirmed device.
    RESET_VETOED_DEVICE = "trefoil/entry/reset-vetoed/device/v1";
    /// Signature: AccountReset, the service.
    ACCOUNT_RESET_SERVICE = "trefoil/entry/account-reset/service/v1";
    /// Signature: AccountClosed, a confirmed device.
    ACCOUNT_CLOSED_DEVICE = "trefoil/entry/account-closed/device/v1";
    /// Signature: AccountClosed, the service.
    ACCOUNT_CLOSED_SERVICE = "trefoil/entry/account-closed/service/v1";
}

#[cfg(test)]
mod tests {
    use super::ALL;

    /// Attack 40: a signature or hash made for one purpose is never good for another.
    #[test]
    fn every_label_differs_and_none_is_a_prefix_of_another() {
        for (i, a) in ALL.iter().enumerate() {
            assert!(a.is_ascii() && !a.is_empty() && a.len() < 256);
            for (j, b) in ALL.iter().enumerate() {
                assert!(i == j || !b.starts_with(a), "{a} is a prefix of {b}");
            }
        }
    }
}
