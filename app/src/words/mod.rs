//! Every sentence that a person reads, but for the reasons of failures. What comes from others is tamed here.

pub(crate) mod account;
pub(crate) mod backup;
pub(crate) mod device;
pub(crate) mod digits;
pub(crate) mod file;
pub(crate) mod history;
pub(crate) mod message;
pub(crate) mod notification;
pub(crate) mod people;
pub(crate) mod record;
pub(crate) mod recovery;
pub(crate) mod report;
pub(crate) mod tui;
pub(crate) mod unchecked;
pub(crate) mod web;
pub(crate) mod web_pages;
pub(crate) mod web_record;
pub(crate) mod web_reset;
pub(crate) mod web_talk;

use client::query::Phase;
use jiff::tz::TimeZone;
use protocol::tame;

use crate::clock;
use crate::local::Decided;
use crate::local::rows::{Connection, Contact, SignedUp, State, Verification};

/// Longest name of a device that is shown, in letters.
const MAX_NAME: usize = 64;

/// Somebody's name for something, in quotes because it is a claim, on one line and not endless. It does not end the quotes itself.
pub(crate) fn claimed(name: &str) -> String {
    format!("\"{}\"", one_line(name).replace(['"', '\u{201c}', '\u{201d}', '\u{201e}', '\u{ff02}'], "'"))
}

/// A text of others as one line of bounded length.
pub(crate) fn one_line(text: &str) -> String {
    let flat: String = text.chars().map(|letter| if letter.is_whitespace() { ' ' } else { letter }).collect();
    let mut letters = flat.chars();
    let short: String = letters.by_ref().take(MAX_NAME).collect();
    let rest = if letters.next().is_some() { "…" } else { "" };
    format!("{}{rest}", tame::display(&short))
}

/// Who types just now, if somebody does.
pub(crate) fn typing(who: &[String]) -> Option<String> {
    let names: Vec<_> = who.iter().map(|name| one_line(name)).collect();
    match names.as_slice() {
        [] => None,
        [one] => Some(format!("{one} is typing…")),
        [one, other] => Some(format!("{one} and {other} are typing…")),
        [_, _, _, ..] => Some(format!("{} people are typing…", names.len())),
    }
}

/// `2026-08-02T14:02:11.123Z` as `2026-08-02 16:02`, in the zone of whoever reads it; anything else as it is.
pub(crate) fn time(rfc3339: &str) -> String {
    clock::in_zone(rfc3339, TimeZone::system()).unwrap_or_else(|| tame::display(rfc3339))
}

/// How long ago that was, as people say it; both in milliseconds since 1970.
pub(crate) fn ago(at_ms: u64, now_ms: u64) -> String {
    let minutes = now_ms.saturating_sub(at_ms) / 60_000;
    let several = |count: u64, one: &str| format!("{count} {one}{} ago", if count == 1 { "" } else { "s" });
    match (minutes, minutes / 60, minutes / 1_440) {
        (0 | 1, ..) => "now".to_owned(),
        (_, 0, _) => several(minutes, "minute"),
        (_, hours, 0 | 1) => several(hours, "hour"),
        (.., days) => several(days, "day"),
    }
}

/// The account is open.
pub(crate) fn signed_up(row: &SignedUp, pinned: bool) -> Vec<String> {
    let mut lines = vec![
        "You're in. This is your first device, and it is now listed in the public record.".to_owned(),
        format!("  handle       {}", one_line(&row.handle)),
        format!("  account      {}", row.account),
        format!("  fingerprint  {}", row.fingerprint),
        format!("  listed in    block {}", row.block),
    ];
    lines.push(match row.quorum {
        0 => "No independent witness watches this service's record: you believe the service alone.".to_owned(),
        quorum => {
            format!("{quorum} of {} witnesses have to agree before this device believes a record.", row.witnesses)
        }
    });
    if !pinned && row.quorum > 0 {
        lines.push("Who they are was asked of the service itself; --policy FILE pins your own choice.".to_owned());
    }
    lines.push(recovery::OFFER.to_owned());
    lines
}

/// What is said when a key is made without a passphrase.
pub(crate) const NO_PASSPHRASE: &str =
    "No passphrase: whoever can read this user's files on this machine can read your messages.";

/// How a device is and what it sees.
pub(crate) fn status(state: &State) -> Vec<String> {
    let handle = state.handle.as_deref().map(one_line).unwrap_or_default();
    let mut lines = vec![match state.phase {
        Phase::New => {
            "No account yet: `trefoil signup HANDLE` opens one, `trefoil login HANDLE` joins yours.".to_owned()
        }
        Phase::Joining => format!("On the way into {handle}; run the same command again to go on."),
        Phase::Pending => {
            format!("You are {handle}, and this device waits: open Trefoil on one of your devices to let it in.")
        }
        Phase::Resetting => format!("You have asked for a fresh identity for {handle}, and wait for it."),
        Phase::Confirmed => format!("You are {handle}, and this device is one of yours."),
        Phase::Ended => device::ended(state.ended.as_deref()).to_owned(),
    }];
    if state.cloned {
        lines.push(device::CLONED.to_owned());
    }
    if let Some(due) = &state.reset_due {
        lines.push(match state.phase {
            Phase::Resetting => account::reset_waits(due),
            _ => account::reset_alarm(due),
        });
    }
    if let Some(device) = &state.device {
        let name = state.device_name.as_deref().map(one_line).unwrap_or_default();
        lines.push(format!("  this device  {name}  {}", crate::local::rows::fingerprint(device)));
    }
    if let Some(service) = &state.service {
        lines.push(format!("  service      {}, {}", one_line(service), connection(state)));
    }
    if state.chain_size > 0 {
        let seen = state.witnessed_at.as_deref().map(time).unwrap_or_else(|| "never".to_owned());
        lines.push(format!(
            "  record       {} blocks, {} of {} witnesses make a quorum, last cosigned {seen}, {}",
            state.chain_size, state.quorum, state.witnesses, state.freshness
        ));
    }
    if state.waiting > 0 {
        lines.push(offline(state.offline_since.as_deref(), state.waiting));
    }
    lines.extend(report::waiting(state.reports));
    lines
}

fn connection(state: &State) -> String {
    match (state.connection, &state.offline_since) {
        (Connection::Offline, Some(since)) => format!("offline since {}", time(since)),
        (Connection::Offline, None) => "offline".to_owned(),
        (Connection::Online, _) => "connected".to_owned(),
        (Connection::Unknown, _) => "not asked yet".to_owned(),
    }
}

/// Messages wait.
pub(crate) fn offline(since: Option<&str>, waiting: u64) -> String {
    let what = match waiting {
        0 | 1 => "your message".to_owned(),
        several => format!("{several} messages"),
    };
    match since {
        Some(since) => format!("Offline since {}; {what} will be sent when the connection is back.", time(since)),
        None => format!("Not sent yet; {what} will go out by itself."),
    }
}

/// The code that two people compare, in four rows.
pub(crate) fn verification(row: &Verification) -> Vec<String> {
    let handle = one_line(&row.handle);
    let groups: Vec<&str> = row.code.split(' ').collect();
    let mut lines: Vec<String> = groups.chunks(3).map(|row| format!("    {}", row.join(" "))).collect();
    lines.push(match (row.verified, row.by_link) {
        (true, false) => format!("You have compared this code with {handle}."),
        (true, true) => format!("You know {handle} from a contact link, so there is no need to compare this."),
        (false, _) => format!(
            "If {handle} sees the same digits under your name, you have each other's true account: `trefoil contact verify \
             {handle} --matches yes` remembers it on all your devices. You never have to."
        ),
    });
    lines
}

/// Somebody known.
pub(crate) fn contact(row: &Contact) -> String {
    let devices = if row.devices == 1 { "1 device".to_owned() } else { format!("{} devices", row.devices) };
    let by = if row.newest_confirmed_by.is_some() { ", confirmed by an older one" } else { "" };
    let verified = match (row.verified, row.by_link) {
        (true, true) => "; known from a contact link",
        (true, false) => "; you have compared the verification code",
        (false, _) => "",
    };
    let decision = match row.decision {
        Some(Decided::Accepted) => "",
        Some(Decided::Blocked) => "; blocked",
        None => "; known by name alone",
    };
    match &row.reset_at {
        Some(at) => account::contact_reset(&row.handle, at),
        None => format!(
            "{}  {devices}, newest added {}{by}{verified}{decision}",
            one_line(&row.handle),
            time(&row.newest_at)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Story 4: a name with control characters, bidi characters or 500 letters is shown tamed.
    #[test]
    fn a_devices_name_is_one_short_harmless_line() {
        let wild = format!("\u{1b}[31mBob\u{202e}\n{}", "x".repeat(500));
        let shown = claimed(&wild);
        assert!(!shown.contains(['\u{1b}', '\u{202e}', '\n']), "{shown:?}");
        assert!(shown.starts_with('"') && shown.ends_with("…\"") && shown.chars().count() < 100, "{shown:?}");
        assert_eq!(claimed("x\", confirmed by \"laptop"), "\"x', confirmed by 'laptop\"");
    }

    #[test]
    fn people_read_how_long_ago_that_was() {
        let minutes = |minutes: u64| ago(1_785_679_331_123, 1_785_679_331_123 + minutes * 60_000);
        let said = [0, 1, 2, 59, 60, 119, 1_440, 2_879, 2_880, 183 * 1_440].map(minutes);
        let told = [
            "now",
            "now",
            "2 minutes ago",
            "59 minutes ago",
            "1 hour ago",
            "1 hour ago",
            "24 hours ago",
            "47 hours ago",
        ];
        assert_eq!(said[..8], told);
        assert_eq!(said[8..], ["2 days ago", "183 days ago"]);
        assert_eq!(ago(5, 0), "now", "of a clock that is behind");
    }

    #[test]
    fn what_waits_is_counted_and_the_time_since_when_is_said() {
        let line = offline(Some("2026-08-02T14:02:11.123Z"), 3);
        assert_eq!(
            line,
            format!(
                "Offline since {}; 3 messages will be sent when the connection is back.",
                time("2026-08-02T14:02:11.123Z")
            )
        );
    }

    #[test]
    fn a_service_without_witnesses_is_told_as_such() {
        let row = |quorum| SignedUp {
            account: "a".into(),
            handle: "bob".into(),
            device: "d".into(),
            fingerprint: "d".into(),
            block: 3,
            witnesses: 4,
            quorum,
        };
        let said = |row, pinned| signed_up(&row, pinned).join("\n");
        assert!(said(row(0), false).contains("believe the service alone"));
        assert!(said(row(3), true).contains("3 of 4 witnesses") && !said(row(3), true).contains("--policy"));
        assert!(said(row(3), false).contains("--policy"));
    }
}
