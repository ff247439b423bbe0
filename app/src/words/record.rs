//! What people read about the record.

use std::time::Duration;

use chain::sigchain::body::{Body, Confirmer, ResetChoice};
use chain::sigchain::entry::{Entry, Role};

/// What an entry says, in one line.
pub(crate) fn entry(entry: &Entry) -> String {
    match &entry.statement.body {
        Body::AccountCreated { device, predecessor: None, .. } => {
            format!("the account was opened by device {}", device.id())
        }
        Body::AccountCreated { device, predecessor: Some(old), .. } => {
            format!("a fresh identity, opened by device {}, after the reset of account {}", device.id(), old.account)
        }
        Body::DeviceAdded { device, .. } => format!("device {} asked to join", device.id()),
        Body::DeviceConfirmed(it) => match it.signer {
            Confirmer::Device(by) => format!("device {} was confirmed by device {by}", it.device),
            Confirmer::RecoveryKey => format!("device {} was confirmed by the recovery key", it.device),
        },
        Body::DeviceRefused(it) => format!("device {} was refused by device {}", it.device, it.signer),
        Body::DeviceRemoved { devices, signer } => {
            let names: Vec<_> = devices.iter().map(ToString::to_string).collect();
            format!(
                "{} removed by device {signer}: {}",
                if names.len() == 1 { "device" } else { "devices" },
                names.join(", ")
            )
        }
        Body::HandleBound { handle: Some(_), .. } => "another name was chosen".to_owned(),
        Body::HandleBound { handle: None, .. } => "the name was given up".to_owned(),
        Body::RecoveryKeySet { key: Some(_), .. } => "a recovery key was set".to_owned(),
        Body::RecoveryKeySet { key: None, .. } => "the recovery key was dropped".to_owned(),
        Body::ResetChoiceSet { choice, .. } => format!("a reset {}", wait(*choice)),
        Body::ResetRequested { .. } => "a reset was announced".to_owned(),
        Body::ResetVetoed { signer, .. } => format!("device {signer} stopped the reset"),
        Body::AccountReset { successor, .. } => format!("the account was reset; it continues as {successor}"),
        Body::AccountClosed { signer } => format!("device {signer} closed the account"),
    }
}

fn wait(choice: ResetChoice) -> &'static str {
    match choice {
        ResetChoice::OneDay => "now has to wait 24 hours",
        ResetChoice::ThreeDays => "now has to wait 72 hours",
        ResetChoice::SevenDays => "now has to wait 7 days",
        ResetChoice::Never => "is now impossible",
    }
}

/// Whose signatures an entry carries.
pub(crate) fn signers(entry: &Entry) -> Vec<&'static str> {
    let name = |role: &Role| match role {
        Role::Device => "device",
        Role::Mls => "device's MLS key",
        Role::RecoveryKey => "recovery key",
        Role::Service => "service",
    };
    entry.statement.roles().iter().map(name).collect()
}

/// A number of seconds as a person says it.
pub(crate) fn ago(seconds: u64) -> String {
    match Duration::from_secs(seconds).as_secs() {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
