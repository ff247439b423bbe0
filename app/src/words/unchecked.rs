//! What people read when the public record cannot be checked (story 14).

use chain::view::STALE_AFTER_S;

use super::one_line;
use super::web::minutes_between;
use crate::clock::{now_ms, rfc3339};
use crate::local::rows::{Conversation, Message, Sent};

pub(crate) const SEND_ANYWAY: &str = "Send anyway";
/// After that was decided.
pub(crate) const DECIDED: &str =
    "What you write there goes only to devices that were checked before, until the public record can be checked again.";
/// On the page before there is a conversation.
pub(crate) const WAITING: &str = "waiting";

/// A time that was too long.
fn hours(seconds: u64) -> String {
    match seconds / 3_600 {
        0 => "a while".to_owned(),
        1 => "1 hour".to_owned(),
        hours => format!("{hours} hours"),
    }
}

fn hours_since(rfc3339_since: &str) -> String {
    let minutes = minutes_between(rfc3339_since, &rfc3339(now_ms()));
    hours(u64::try_from(minutes).unwrap_or_default().saturating_mul(60))
}

/// Whose devices.
fn devices(row: &Conversation) -> String {
    match (row.own, row.pair) {
        (true, _) => "devices of yours".to_owned(),
        (false, true) => format!("devices of {}", one_line(&row.title)),
        (false, false) => "devices of the people here".to_owned(),
    }
}

/// Above a conversation: what is written there waits, or what was decided.
pub(crate) fn above(row: &Conversation) -> Option<String> {
    let (hours, devices) = (hours_since(row.stale_since.as_deref()?), devices(row));
    Some(match row.unchecked {
        true => format!(
            "The public record couldn't be checked for {hours}; your messages go only to {devices} that were checked before, until \
             it can be checked again."
        ),
        false => format!(
            "The public record couldn't be checked for {hours}, so your messages wait here until it can be. You can send them \
             anyway, only to {devices} that were checked before: if one of those was removed since, nobody can see it now."
        ),
    })
}

/// Before that is decided in a terminal.
pub(crate) fn ask(row: &Conversation) -> String {
    format!(
        "The public record couldn't be checked for {}.\nSend anyway, only to {} that were checked before? If one of those was \
         removed since, nobody can see it now.",
        row.stale_since.as_deref().map(hours_since).unwrap_or_default(),
        devices(row)
    )
}

/// Behind the state of a message that went nevertheless.
pub(crate) fn mark(row: &Message) -> Option<String> {
    row.unchecked_s.map(|seconds| format!("record not checked for {}", hours(seconds)))
}

/// The same in a sentence.
pub(crate) fn went(seconds: u64, row: &Conversation) -> String {
    went_to(seconds, &devices(row))
}

fn went_to(seconds: u64, devices: &str) -> String {
    let hours = hours(seconds);
    format!(
        "The public record couldn't be checked for {hours}; your message went only to {devices} that were checked before."
    )
}

/// Behind what became of a text, with whom it was for.
pub(crate) fn sent(row: &Sent, to: &str) -> Option<String> {
    row.unchecked_s.map(|seconds| went_to(seconds, &format!("devices of {}", one_line(to))))
}

/// True if somebody had to decide it: past the day for which known devices are known well enough.
pub(crate) fn was_decided(seconds: u64) -> bool {
    seconds > STALE_AFTER_S
}

/// Something new, which nobody can check now.
pub(crate) fn unproven(whom: &str) -> String {
    let whom = one_line(whom);
    format!("We can't check {whom}'s devices against the public record right now, so your message is waiting here.")
}

/// Behind why a text waits, on a terminal.
pub(crate) fn how_to_send(to: &str) -> String {
    format!("`trefoil chat unchecked {}` sends it anyway, only to devices that were checked before", one_line(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CHK-9.
    #[test]
    fn what_went_unchecked_says_for_how_long_and_to_whom() {
        let said = "The public record couldn't be checked for 26 hours; your message went only to devices of bob that were checked \
                    before.";
        assert_eq!(went_to(26 * 3_600 + 59, "devices of bob"), said);
        let row = Message { unchecked_s: Some(3 * 3_600), ..Message::sample("hi") };
        assert_eq!(mark(&row).as_deref(), Some("record not checked for 3 hours"));
        assert_eq!(mark(&Message::sample("hi")), None);
        assert_eq!([hours(0), hours(3_600)], ["a while", "1 hour"]);
    }
}
