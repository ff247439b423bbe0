//! What people read on the page that shows an account in the public record.
//!
//! In a sentence about an entry `{device}` and `{by}` stand for the devices that it is about and for the one that wanted it.

use super::{one_line, time};
use crate::local::record::{RecordEntry, RecordProof, Witnessed};

pub(crate) const LINK: &str = "Why these devices count";
pub(crate) const OWN_TITLE: &str = "Why your devices count";
pub(crate) const LEAD: &str = "Every device stands in a public record that nobody can change unseen. One counts only if an older one \
                               has let it in; this device checks that before it encrypts anything.";
pub(crate) const VERIFIED: &str = "Verified on this device";
pub(crate) const NOT_NOW: &str = "Can't be verified now";
pub(crate) const WITNESSES: &str = "Witnesses of this";
pub(crate) const NO_WITNESS: &str = "No independent witness watches this service's record: for its being the same for everybody you believe the service alone.";
pub(crate) const DEVICES: &str = "Devices, in the order in which they asked";
pub(crate) const COUNTS: &str = "counts";
pub(crate) const WAITS: &str = "waits; nothing is encrypted to it";
pub(crate) const REFUSED: &str = "was refused";
pub(crate) const REMOVED: &str = "was removed";
pub(crate) const ENTRIES: &str = "What happened, oldest first";
pub(crate) const THE_SERVICE: &str = "the service";
pub(crate) const THE_RECOVERY_KEY: &str = "the recovery key";
pub(crate) const SIGNED_BY: &str = "Signed by ";
pub(crate) const PROOF: &str = "Proof";

/// In the browser's title, and above the page.
pub(crate) fn title(handle: &str) -> String {
    format!("Why {}'s devices count", one_line(handle))
}

/// A device of somebody else: its names are nobody's business.
pub(crate) fn device(number: usize) -> String {
    format!("device {number}")
}

/// What an entry says.
pub(crate) fn entry(row: &RecordEntry) -> String {
    let is_by_key = row.signed_by.iter().any(|it| it == "recovery_key");
    match (row.kind.as_str(), row.set) {
        ("AccountCreated", _) if row.other_account.is_some() => {
            "{device} is the first device of a fresh identity, after a reset".to_owned()
        }
        ("AccountCreated", _) => "{device} is the first device: it opened the account".to_owned(),
        ("DeviceAdded", _) => "{device} asked to join".to_owned(),
        ("DeviceConfirmed", _) if is_by_key => "The recovery key let {device} in".to_owned(),
        ("DeviceConfirmed", _) => "{by} let {device} in".to_owned(),
        ("DeviceRefused", _) => "{by} refused {device}".to_owned(),
        ("DeviceRemoved", _) if row.devices.len() == 1 && row.devices.first() == row.by.as_ref() => {
            "{by} signed out".to_owned()
        }
        ("DeviceRemoved", _) => "{by} removed {device}".to_owned(),
        ("HandleBound", Some(true)) => "{by} chose another handle".to_owned(),
        ("HandleBound", _) => "{by} gave up the handle".to_owned(),
        ("RecoveryKeySet", Some(true)) => "{by} made a recovery key".to_owned(),
        ("RecoveryKeySet", _) => "{by} dropped the recovery key".to_owned(),
        ("ResetChoiceSet", _) => match row.wait_hours {
            Some(hours) => format!("{{by}} chose that a reset waits {hours} hours"),
            None => "{by} chose that the account can never be reset".to_owned(),
        },
        ("ResetRequested", _) => {
            let due = row.due.as_deref().map(|due| format!(": due {}", time(due))).unwrap_or_default();
            format!("Somebody announced a reset of the account{due}, unless one of its devices stops it")
        }
        ("ResetVetoed", _) => "{by} stopped the reset".to_owned(),
        ("AccountReset", _) => "The account was reset; it goes on as another identity".to_owned(),
        ("AccountClosed", _) => "{by} closed the account".to_owned(),
        (other, _) => one_line(other),
    }
}

/// Where an entry is.
pub(crate) fn place(row: &RecordEntry) -> String {
    format!("{} · block {}", time(&row.at), row.block)
}

/// What is said under the verdict.
pub(crate) fn verdict(entries: usize, proof: &RecordProof) -> String {
    let devices = match proof.confirmed.len() {
        0 => "No device counts".to_owned(),
        1 => "1 device counts".to_owned(),
        count => format!("{count} devices count"),
    };
    let entries = if entries == 1 { "1 entry".to_owned() } else { format!("{entries} entries") };
    format!(
        "{devices}. {entries}, each with its signatures, proven in the record of {} blocks; last checked {}.",
        proof.size,
        time(&proof.checked_at)
    )
}

/// Why the record can't be believed now, in one sentence.
pub(crate) fn trouble(proof: &RecordProof) -> Option<String> {
    let seen = time(&proof.checked_at);
    match (proof.trouble.as_deref(), proof.freshness.as_str()) {
        (Some("chain.fork" | "chain.rollback"), _) => Some(format!(
            "This service has shown different people different records, or taken one back: what stands below is as it was proven \
             at {seen}."
        )),
        (Some(_), _) => Some(format!(
            "The newest answer of the service doesn't prove itself: what stands below is as it was proven at {seen}."
        )),
        (None, "stale") => Some(format!(
            "The public record can't be checked right now: what stands below is as it was proven at {seen}."
        )),
        (None, _) => None,
    }
}

/// How many witnesses agreed, and how many have to.
pub(crate) fn quorum(proof: &RecordProof) -> String {
    let cosigned = proof.witnesses.iter().filter(|it| it.cosigned_at.is_some()).count();
    format!("{cosigned} of {} cosigned; {} have to", proof.witnesses.len(), proof.quorum)
}

/// What a witness did.
pub(crate) fn witness(row: &Witnessed) -> String {
    match &row.cosigned_at {
        Some(at) => format!("{} cosigned the record at {}", one_line(&row.name), time(at)),
        None => format!("{} has not cosigned this state of the record", one_line(&row.name)),
    }
}

/// Bytes and hashes.
pub(crate) fn sizes(proof: &RecordProof) -> String {
    format!(
        "{} bytes of state, {} bytes of proof that the map holds it, {} hashes of proof that the log holds the map",
        proof.record_bytes, proof.map_proof_bytes, proof.inclusion_hashes
    )
}

/// One entry's.
pub(crate) fn entry_size(row: &RecordEntry) -> String {
    format!("{}, entry {}, {} bytes", one_line(&row.kind), row.number, row.bytes)
}

/// Names of what stands under Details.
pub(crate) const KIND: &str = "Entry";
pub(crate) const HASH: &str = "Hash";
pub(crate) const FINGERPRINT: &str = "Fingerprint";
pub(crate) const OTHER_ACCOUNT: &str = "Other identity";
pub(crate) const ACCOUNT: &str = "Account";
pub(crate) const IDENTITY: &str = "Identity";
pub(crate) const STATE: &str = "State";
pub(crate) const LOG: &str = "Log";
pub(crate) const ROOT: &str = "Root";
pub(crate) const SIZES: &str = "Sizes";

/// Which identity of a person this is.
pub(crate) fn identity(generation: u32) -> String {
    match generation {
        1 => "the first, never reset".to_owned(),
        number => format!("number {number}, after {} resets", number.saturating_sub(1)),
    }
}

/// A log and its length.
pub(crate) fn log(proof: &RecordProof) -> String {
    format!("{}, {} blocks", one_line(&proof.origin), proof.size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(kind: &str) -> RecordEntry {
        RecordEntry { kind: kind.to_owned(), ..RecordEntry::default() }
    }

    #[test]
    fn every_kind_of_entry_is_told_in_plain_words() {
        let all = [
            "AccountCreated",
            "DeviceAdded",
            "DeviceConfirmed",
            "DeviceRefused",
            "DeviceRemoved",
            "HandleBound",
            "RecoveryKeySet",
            "ResetChoiceSet",
            "ResetRequested",
            "ResetVetoed",
            "AccountReset",
            "AccountClosed",
        ];
        for kind in all {
            assert!(!entry(&row(kind)).contains(kind), "{kind}");
        }
    }

    #[test]
    fn a_reset_is_told_with_its_time() {
        let due = "2026-08-02T14:02:11Z".to_owned();
        let said = entry(&RecordEntry { due: Some(due.clone()), ..row("ResetRequested") });
        assert!(said.contains(&time(&due)), "{said}");
    }

    #[test]
    fn who_was_let_in_by_the_key_is_told_so() {
        let said = entry(&RecordEntry { signed_by: vec!["recovery_key".to_owned()], ..row("DeviceConfirmed") });
        assert_eq!(said, "The recovery key let {device} in");
    }
}
