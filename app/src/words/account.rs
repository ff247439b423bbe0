//! What people read about a reset of an account: their own, or somebody else's (stories 12, 13).

use super::{one_line, time};
use crate::local::rows::{Notice, Receipts, ResetAnnounced};

/// Before it is asked for.
pub(crate) fn reset_warning(handle: &str) -> String {
    format!(
        "This gives {} a new identity: your old messages are gone, but for those in a backup file, and everyone you write with \
         will be told.\nIf any of your devices still works, or you have a recovery key, use that instead.",
        one_line(handle)
    )
}

/// It is in the record.
pub(crate) fn reset_announced(row: &ResetAnnounced) -> Vec<String> {
    vec![
        format!("Announced in the public record. From {} on, {} has its new identity, with this device.", time(&row.due), {
            one_line(&row.handle)
        }),
        "Until then any of your old devices can stop it with one command. Leave this one on, or look in with `trefoil status` \
         after that time: it goes on by itself."
            .to_owned(),
    ]
}

/// Asked before the password.
pub(crate) const ASK_PERMIT: &str = "If you don't have the password either, type the permit that your service's operator gave you; else only press Enter: ";

/// What an operator reads who has made one: the permit alone on its line, to be copied.
pub(crate) fn permit(handle: &str, permit: &str, ends: &str, wait_hours: u64) -> Vec<String> {
    let handle = one_line(handle);
    vec![
        format!("With this permit somebody can announce a reset of {handle}, once, until {}:", time(ends)),
        format!("\n  {permit}\n"),
        format!(
            "Give it only to the person whom you know as {handle}, when you see or hear each other. On a new machine, \
             `trefoil account reset {handle}` asks for it."
        ),
        format!(
            "It opens nothing else. The announcement is public and waits {wait_hours} hours, in which any device of {handle} can \
             stop it; contacts are asked before they write to the new identity. Another permit for {handle} ends this one."
        ),
    ]
}

/// On the device that waits for it.
pub(crate) fn reset_waits(due: &str) -> String {
    format!("  due from     {}; until then any of your old devices can stop it", time(due))
}

/// On the device that has waited for it.
pub(crate) fn reset_done(at: &str) -> String {
    format!(
        "Your account has its fresh identity since {}: your old messages are gone, and everyone you write with is told.",
        time(at)
    )
}

/// On every living device.
pub(crate) fn reset_alarm(due: &str) -> String {
    format!(
        "SOMEONE ASKED TO RESET YOUR ACCOUNT; if that isn't you, stop it now: `trefoil account veto`. Unstopped, it takes \
         effect at {}.",
        time(due)
    )
}

/// The same, as what has happened.
pub(crate) fn reset_noticed(row: &Notice) -> String {
    format!(
        "Since you last looked: someone asked to reset your account ({}, block {}); if that isn't you, stop it now: `trefoil \
         account veto`.",
        time(&row.at),
        row.block
    )
}

/// How long a reset has to wait from now on.
pub(crate) fn reset_wait(hours: Option<u64>) -> String {
    match hours {
        Some(hours) => format!("A reset of your account waits {hours} hours from now on; any of your devices can stop it meanwhile."),
        None => "Your account can never be reset from now on. If you lose all your devices and your recovery key, it is lost, for \
                 you as well."
            .to_owned(),
    }
}

/// What others are told of their messages.
pub(crate) fn receipts(receipts: Receipts) -> Vec<String> {
    let delivered = match receipts.delivered {
        true => "Others see when their messages came to you, and you see it of yours.",
        false => "Nobody sees whether their messages came to you, and you don't see it of yours.",
    };
    let read = match receipts.read {
        true => "They see when you have read them, and you see it of yours.",
        false => "Nobody sees whether you have read them, and you don't see it of yours.",
    };
    let typing = match receipts.typing {
        true => "They see when you type, and you see when they do.",
        false => "Nobody sees when you type, and you don't see when others do.",
    };
    vec![delivered.to_owned(), read.to_owned(), typing.to_owned()]
}

/// It was stopped.
pub(crate) const VETOED: &str = "Stopped: your account stays as it is. Whoever asked knows your password, or asked your service's operator; choose another \
     password: `trefoil account password`.";

/// Somebody else was reset.
pub(crate) fn contact_reset(handle: &str, at: &str) -> String {
    let handle = one_line(handle);
    format!(
        "{handle}'s account was reset at {}; it may be a new device after a loss, or someone else, so ask in another way before \
         you share anything private. Your messages to {handle} wait: `trefoil contact accept-reset {handle}` sends them.",
        time(at)
    )
}

/// A person accepted it.
pub(crate) fn accepted(handle: &str) -> String {
    format!("{} is from now on the new identity; your messages go there.", one_line(handle))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permit_stands_alone_on_its_line() {
        let lines = permit("bob", "reset-0000", "2026-08-02T14:02:11Z", 72);
        assert!(lines.iter().any(|line| line.trim() == "reset-0000"));
    }

    #[test]
    fn a_reset_is_told_with_what_to_do_about_it() {
        assert!(reset_alarm("2026-08-02T14:02:11Z").contains("trefoil account veto"));
        assert!(contact_reset("bob", "2026-08-02T14:02:11Z").contains("trefoil contact accept-reset bob"));
    }
}
