//! Every domain label of this crate, in one list. Those of the public record are in `chain::label`; a test compares
//! both lists, so that nothing signed or hashed for one purpose is good for another (attack 40).

macro_rules! labels {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$doc])* pub const $name: &str = $text;)*
        /// All labels of this crate.
        pub const ALL: &[&str] = &[$($text),*];
    };
}

labels! {
    /// Signature: a device's chain key, to get a token.
    TOKEN_REQUEST = "trefoil/token-request/v1";
    /// OPAQUE context (RFC 9807 §6.2.1), followed by the log's origin.
    OPAQUE_CONTEXT = "trefoil/opaque/v1";
    /// Hash: handle label of a name that nobody holds → OPAQUE credential identifier.
    OPAQUE_ABSENT = "trefoil/opaque-absent/v1";
    /// Signature: an older device's chain key, over its offer to confirm.
    CONFIRM_OFFER = "trefoil/confirm-offer/v1";
    /// Signature: the new device's chain key, over a revealed nonce.
    CONFIRM_REVEAL = "trefoil/confirm-reveal/v1";
    /// Hash: everything that both devices know → confirmation code.
    CONFIRM_CODE = "trefoil/confirm-code/v1";
    /// Signature: the new device's chain key, over what it says of itself.
    INTRODUCTION = "trefoil/introduction/v1";
    /// HPKE info of what a new device says of itself.
    INTRODUCTION_SEAL = "trefoil/introduction-seal/v1";
    /// Signature: a new device's chain key, over its request for history.
    HISTORY_REQUEST = "trefoil/history-request/v1";
    /// Hash: a signed request for history → its name in the answer.
    HISTORY_REQUEST_HASH = "trefoil/history-request-hash/v1";
    /// Signature: an older device's chain key, over a part of the history.
    HISTORY_PART = "trefoil/history-part/v1";
    /// Hash: group, sender and content of a message → its id.
    MESSAGE_ID = "trefoil/message-id/v1";
    /// Hash: sender, place and bytes of what was submitted → its name, under which it is answered again.
    SUBMITTED = "trefoil/submitted/v1";
    /// HPKE info of a part of the history.
    HISTORY_SEAL = "trefoil/history-seal/v1";
    /// Hash: account and random bytes → the rest of a self-group's id.
    SELF_GROUP = "trefoil/self-group/v1";
    /// Hash: the words of a recovery key → the seed of its signing key.
    RECOVERY_KEY = "trefoil/recovery-key/v1";
    /// Hash: an operator's permit for a reset → what the service is shown.
    RESET_PERMIT = "trefoil/reset-permit/v1";
    /// Hash: the same → the bytes that check it.
    RESET_PERMIT_CHECK = "trefoil/reset-permit-check/v1";
    /// Hash: the header of a backup file → its check, and what parts belong to.
    BACKUP_HEADER = "trefoil/backup-header/v1";
    /// Additional data of what says whose a backup file is.
    BACKUP_OWNER = "trefoil/backup-owner/v1";
    /// Additional data of a part of a backup file.
    BACKUP_PART = "trefoil/backup-part/v1";
    /// Signature: a device's chain key, over that its person types.
    TYPING = "trefoil/typing/v1";
    /// Hash (SHA-512): two accounts → verification code.
    VERIFICATION_CODE = "trefoil/verification-code/v1";
}

/// What is signed or hashed under a label: its length in one byte, the label, then the parts.
pub fn labelled(label: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(label.len()).unwrap_or(u8::MAX)];
    bytes.extend_from_slice(label.as_bytes());
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    bytes
}

#[cfg(test)]
mod tests {
    use super::ALL;

    /// Attack 40.
    #[test]
    fn no_label_stands_in_for_another_of_either_crate() {
        let all: Vec<_> = ALL.iter().chain(chain::label::ALL).collect();
        for (i, a) in all.iter().enumerate() {
            assert!(a.is_ascii() && !a.is_empty() && a.len() < 256);
            for (j, b) in all.iter().enumerate() {
                assert!(i == j || !b.starts_with(**a), "{a} is a prefix of {b}");
            }
        }
    }
}
