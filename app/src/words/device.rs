//! What people read about their devices.

use protocol::introduction::DeviceKind;

use super::{ago, claimed, one_line, time};
use crate::clock::{ms_of, now_ms, rfc3339};
use crate::local::Telling;
use crate::local::rows::{Device, LogInEvent, Notice, Notifying, fingerprint};

/// Said whenever digits are asked for.
pub(crate) const ONLY_IN_FRONT_OF_YOU: &str =
    "Only type a code from a device in front of you. Nobody from support, and no invitation, ever needs it.";
/// After a refusal.
pub(crate) const REFUSED: &str = "Refused: that device never saw your messages. Since whoever it was knows your password, \
                                  choose a new one: `trefoil account password`.";
/// Another password was chosen.
pub(crate) const PASSWORD_CHANGED: &str = "New password set; your devices stay signed in.";
/// A copy of this device is in use.
pub(crate) const CLONED: &str = "A COPY OF THIS DEVICE IS IN USE, so neither gets in any more. If you have copied this folder, or put an \
                                 old copy of it back, that is why; if not, somebody else has your keys. Take this device out from \
                                 another of yours (`trefoil device remove`), and log in as a new one. If you have no other: \
                                 `trefoil recovery create` still works here, and lets the new one in.";
/// Before this device is taken out.
pub(crate) const SIGN_OUT: &str = "This device leaves your account, and your messages are erased from this machine; your other devices \
                                   keep theirs.";
/// Before the last one is.
pub(crate) const SIGN_OUT_LAST: &str = "This is your last device: your messages are nowhere else, and will be gone. Only your recovery \
                                        key gets you back into your account.";
/// The last one stays.
pub(crate) const LAST_WITHOUT_KEY: &str = "this is your last device, and there is no recovery key: without both, nothing gets you back into your account (`trefoil \
     recovery create` makes one)";
/// It is out.
pub(crate) const SIGNED_OUT: &str =
    "Signed out: this device is no longer one of your account's, and nothing of it is left here.";
/// After a removal.
pub(crate) const REMOVED: &str =
    "Removed: nothing sent from now on can be read on it, but what it already had may still be on it.";

/// Nobody shows notifications.
pub(crate) const NO_DESKTOP: &str = "Nothing on this machine shows notifications, as far as the agent can see.";

/// What the desktop of this machine shows.
pub(crate) fn notifications(row: Notifying) -> Vec<String> {
    let shown = match row.notifications {
        Telling::Off => "This machine's desktop shows nothing of what comes.",
        Telling::Name => "This machine's desktop shows who writes to you, and never what.",
        Telling::Text => "This machine's desktop shows who writes to you and what, to whoever can see its screen.",
    };
    let is_missed = row.notifications != Telling::Off && !row.shown;
    [shown].into_iter().chain(is_missed.then_some(NO_DESKTOP)).map(str::to_owned).collect()
}

/// Why this device is none of the account's any more.
pub(crate) fn ended(code: Option<&str>) -> &'static str {
    match code {
        Some("device.refused") => "This device was not let in.",
        Some("confirm.expired") => "The request ran out before anybody let this device in; log in again.",
        Some("reset.vetoed") => "The reset was stopped, so this device is not one of your account's.",
        Some("account.reset") => "Your account was reset: it goes on as a new identity, without this device.",
        _ => "This device is no longer one of your account's; its keys are gone.",
    }
}

/// A device in a list.
pub(crate) fn line(row: &Device, all: &[Device]) -> String {
    let name = row.name.as_deref().map_or_else(|| "(no name)".to_owned(), claimed);
    let this = if row.this { ", this one" } else { "" };
    let state = match (row.state.as_str(), &row.confirmed_by) {
        ("pending", _) => "waiting to be let in".to_owned(),
        ("confirmed", Some(by)) => format!("confirmed by {}", name_of(by, all)),
        ("confirmed", None) if row.recovered => "let in with the recovery key".to_owned(),
        ("confirmed", None) => "your first one".to_owned(),
        (other, _) => one_line(other),
    };
    let added = time(&row.added_at);
    let system = system(row).map(|system| format!("  {system}")).unwrap_or_default();
    let seen = seen(row, now_ms()).map(|seen| format!("; {seen}")).unwrap_or_default();
    format!("{}  {name}{system}  {state}{this}; added {added}, block {}{seen}", row.device, row.added_block)
}

/// Story 9: it is too young for what somebody wants, until then (seconds since 1970).
pub(crate) fn too_new(until_s: u64) -> String {
    let until = time(&rfc3339(until_s.saturating_mul(1_000)));
    format!(
        "this device joined less than 3 days ago, so it can't remove older ones, nor change how the account is got back, before {until}; an \
         older one can do it now"
    )
}

/// When the service has seen it last; nothing of the one that shows this.
pub(crate) fn seen(row: &Device, now_ms: u64) -> Option<String> {
    let at_ms = row.seen_at.as_deref().and_then(ms_of).filter(|_| !row.this)?;
    Some(match ago(at_ms, now_ms).as_str() {
        "now" => "connected now".to_owned(),
        ago => format!("last seen {ago}"),
    })
}

/// The same for one that waits, which is told the hour and no more.
pub(crate) fn seen_roughly(row: &Device, now_ms: u64) -> Option<String> {
    let at_ms = row.seen_at.as_deref().and_then(ms_of)?;
    let is_recent = now_ms.saturating_sub(at_ms) < 2 * 3_600_000;
    Some(if is_recent {
        "last seen within the last two hours".to_owned()
    } else {
        format!("last seen {}", ago(at_ms, now_ms))
    })
}

/// What it says that it runs on.
pub(crate) fn system(row: &Device) -> Option<&'static str> {
    match row.kind? {
        DeviceKind::Linux => Some("Linux"),
        DeviceKind::MacOs => Some("macOS"),
        DeviceKind::Windows => Some("Windows"),
        DeviceKind::Android => Some("Android"),
        DeviceKind::Ios => Some("iOS"),
        DeviceKind::Bsd => Some("BSD"),
        DeviceKind::Other => None,
    }
}

/// The same, of one that waits; it is its own claim too.
pub(crate) fn says_it_runs(row: &Device) -> String {
    system(row).map(|system| format!(" It says that it runs {system}.")).unwrap_or_default()
}

/// A device's name, or the beginning of its id.
pub(crate) fn name_of(device: &str, all: &[Device]) -> String {
    let known = all.iter().find(|row| row.device == device).and_then(|row| row.name.as_deref());
    known.map_or_else(|| format!("device {}", device.chars().take(8).collect::<String>()), claimed)
}

/// What stands above the question for the digits.
pub(crate) fn request(row: &Device) -> Vec<String> {
    let mut lines = asks(row);
    lines.push(
        "If it is in front of you, type the 6 digits it shows. If it is not yours: trefoil device refuse.".to_owned(),
    );
    lines.push(ONLY_IN_FRONT_OF_YOU.to_owned());
    lines
}

/// Who wants to be let in.
pub(crate) fn asks(row: &Device) -> Vec<String> {
    let name = row.name.as_deref().map_or_else(
        || "a device that has not said its name".to_owned(),
        |name| format!("a device calling itself {}", claimed(name)),
    );
    vec![
        "A new device wants to read all your messages.".to_owned(),
        format!("It is {name}; it asked at {} to join your account.{}", time(&row.added_at), says_it_runs(row)),
        format!("Its fingerprint: {}", fingerprint(&row.device)),
    ]
}

/// It has another name.
pub(crate) fn renamed(name: &str) -> String {
    format!("Your devices call it {} from now on.", claimed(name))
}

/// It was let in.
pub(crate) fn confirmed(row: Option<&Device>) -> String {
    let name = row.and_then(|row| row.name.as_deref()).map_or_else(|| "That device".to_owned(), claimed);
    format!("{name} is now one of your devices.")
}

/// A log-in, step by step; `None` for what the failure's own sentence says.
pub(crate) fn log_in(event: &LogInEvent) -> Option<String> {
    match event {
        LogInEvent::Pending { device, recovery_key } => {
            let other_way = if *recovery_key { format!("\n{}", super::recovery::OTHER_WAY) } else { String::new() };
            Some(format!(
                "Almost there: open Trefoil on one of your devices to let this one in.\nThere, `trefoil device list` shows \
                 this one, and `trefoil device confirm {}` lets it in.{other_way}",
                device.chars().take(8).collect::<String>()
            ))
        }
        LogInEvent::Code { code, by_device, by_name } => {
            let by = by_name.as_deref().map_or_else(
                || format!("your device {}", by_device.chars().take(8).collect::<String>()),
                |name| format!("your {}", claimed(name)),
            );
            Some(format!("On {by}, type {} to let this device in.", spaced(code)))
        }
        LogInEvent::Confirmed { by_device: Some(by), .. } => {
            let by: String = by.chars().take(8).collect();
            Some(format!("Confirmed by your device {by}. This is now one of your devices."))
        }
        // who was not asked in time is told only that it is one
        LogInEvent::Confirmed { by_device: None, block: Some(_), .. } => {
            Some("Let in with your recovery key. This is now one of your devices.".to_owned())
        }
        LogInEvent::Confirmed { by_device: None, block: None, .. } => Some("This is one of your devices.".to_owned()),
        LogInEvent::Refused | LogInEvent::Expired => None,
    }
}

/// Six digits as three and three.
pub(crate) fn spaced(code: &str) -> String {
    match code.split_at_checked(3) {
        Some((first, second)) => format!("{first} {second}"),
        None => one_line(code),
    }
}

/// Something that stays until it was read.
pub(crate) fn notice(row: &Notice, all: &[Device]) -> String {
    let device = row.device.as_deref().map_or_else(|| "a device".to_owned(), |device| name_of(device, all));
    let by = row.by_device.as_deref().map(|by| format!(" by {}", name_of(by, all))).unwrap_or_default();
    let what = match row.notice.as_str() {
        "device.confirmed" if row.by_device.is_none() => {
            format!("{device} was let in with the recovery key and can read your messages")
        }
        "device.confirmed" => format!("{device} was let in{by} and can read your messages"),
        "device.refused" => format!("{device} was refused{by}"),
        "device.removed" => format!("{device} was removed{by}"),
        "reset.requested" => return super::account::reset_noticed(row),
        "reset.vetoed" => format!("the reset of your account was stopped{by}"),
        "account.fresh" => return super::account::reset_done(&row.at),
        "contact.reset" => {
            let contact = row.contact.as_deref().unwrap_or("a contact");
            return super::account::contact_reset(contact, &row.at);
        }
        "device.away" => {
            return format!(
                "This device was away since {}: longer than the service keeps messages. What it missed comes from your other \
                 devices, or again from whoever wrote it.",
                time(&row.at)
            );
        }
        "report.refused" => return super::report::refused(row.contact.as_deref(), &row.at),
        "contact.linked" => return super::people::linked(row.contact.as_deref().unwrap_or("somebody"), &row.at),
        "history.refused" => format!("old messages that were offered{by} were refused: more than anybody can have"),
        "device.cloned" => {
            return format!("Since you last looked: a copy of this device was noticed ({}).", time(&row.at));
        }
        "recovery.set" => format!("a new recovery key was made{by}; if it wasn't you, make another one at once"),
        "password.changed" => {
            return format!("Since you last looked: the password was changed{by} ({}).", time(&row.at));
        }
        "recovery.dropped" => format!("the recovery key was dropped{by}"),
        "device.requested" => format!("{device} asked to join your account"),
        other => format!("{} ({device}{by})", one_line(other)),
    };
    format!("Since you last looked: {what} ({}, block {}).", time(&row.at), row.block)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(id: &str, name: &str, state: &str, by: Option<&str>) -> Device {
        Device {
            device: id.into(),
            name: Some(name.into()),
            kind: Some(DeviceKind::Linux),
            state: state.into(),
            added_block: 7,
            added_at: "2026-08-02T14:02:11.123Z".into(),
            confirmed_by: by.map(str::to_owned),
            recovered: false,
            this: false,
            seen_at: None,
            code_shown: false,
        }
    }

    #[test]
    fn a_confirmed_device_is_shown_with_the_one_that_confirmed_it() {
        let all = [device("aa", "laptop", "confirmed", None), device("bb", "desktop", "confirmed", Some("aa"))];
        assert_eq!(
            line(&all[1], &all),
            format!("bb  \"desktop\"  Linux  confirmed by \"laptop\"; added {}, block 7", time(&all[1].added_at))
        );
    }

    /// Stories 3 and 4; attack 6: no invitation ever needs a code, and the dialog says so.
    #[test]
    fn the_dialog_says_what_the_device_gets_and_where_a_code_comes_from() {
        let lines = request(&device("aa", "desktop\u{202e}", "pending", None)).join("\n");
        assert!(lines.contains("read all your messages") && lines.contains(ONLY_IN_FRONT_OF_YOU));
        assert!(!lines.contains('\u{202e}'));
    }

    /// Lesson 19, SEE-1.
    #[test]
    fn when_a_device_was_last_seen_is_said_of_the_others_only() {
        let seen_at = Some("2026-08-02T14:02:00.000Z".to_owned());
        let row = Device { seen_at, ..device("bb", "desktop", "confirmed", Some("aa")) };
        let at_ms = ms_of("2026-08-02T14:02:00.000Z").unwrap();
        assert_eq!(seen(&row, at_ms + 60_000).unwrap(), "connected now");
        assert_eq!(seen(&row, at_ms + 5 * 60_000).unwrap(), "last seen 5 minutes ago");
        assert_eq!(seen_roughly(&row, at_ms + 5 * 60_000).unwrap(), "last seen within the last two hours");
        assert_eq!(seen_roughly(&row, at_ms + 3 * 86_400_000).unwrap(), "last seen 3 days ago");
        assert_eq!(seen(&Device { this: true, ..row }, at_ms), None);
    }

    #[test]
    fn the_digits_stand_three_and_three() {
        assert_eq!(spaced("418093"), "418 093");
        let event = LogInEvent::Code { code: "418093".into(), by_device: "aa".into(), by_name: Some("laptop".into()) };
        assert_eq!(log_in(&event).unwrap(), "On your \"laptop\", type 418 093 to let this device in.");
    }
}
