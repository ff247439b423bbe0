//! What people read on the pages about their own account: settings, recovery key, old messages, and what raises an alarm.

use super::device::name_of;
use super::{one_line, time};
use crate::local::Telling;
use crate::local::rows::{Device, History, Notice, State};

/// Settings.
pub(crate) const SETTINGS: &str = "Settings";
pub(crate) const PASSWORD: &str = "Password";
pub(crate) const PASSWORD_WHY: &str = "With it somebody can only ask to be let in. The old one isn't needed to choose another, and all your devices stay signed in.";
pub(crate) const NEW_PASSWORD: &str = "New password";
pub(crate) const ONCE_MORE: &str = "Once more";
pub(crate) const CHANGE_PASSWORD: &str = "Change password";
pub(crate) const NOT_THE_SAME: &str = "the two passwords aren't the same";
pub(crate) const RESET: &str = "If all your devices are lost";
pub(crate) const RESET_WHY: &str = "Somebody who lost everything can ask for a fresh identity under your handle. That is public, and waits, so that \
                                    any device of yours can stop it. How long?";
pub(crate) const WAITS: [(&str, &str); 3] = [("24", "24 hours"), ("72", "3 days"), ("168", "7 days")];
pub(crate) const SET_WAIT: &str = "Set";
pub(crate) const NEVER: &str = "Never allow a reset";
pub(crate) const NEVER_WHY: &str = "If you lose all your devices and your recovery key, the account is then lost for good, for you as well. Nobody, the service \
                                    included, can make an exception.";
pub(crate) const IS_NEVER: &str = "At present your account can never be reset.";
pub(crate) const RECEIPTS: &str = "Delivered and read";
pub(crate) const RECEIPTS_WHY: &str = "Whoever writes to you sees when it came to you, when you have read it, and when you type; only in conversations that you have accepted, and \
                                       of up to 32 people. What you don't tell you aren't shown either. It holds on all your devices.";
pub(crate) const RECEIPTS_SET: &str = "Set, on all your devices.";
pub(crate) const TELL_DELIVERED: [&str; 2] = ["Tell when messages came", "Don't tell when messages came"];
pub(crate) const TELL_READ: [&str; 2] = ["Tell when I have read them", "Don't tell when I have read them"];
pub(crate) const TELL_TYPING: [&str; 2] = ["Tell when I type", "Don't tell when I type"];
pub(crate) const NOTIFICATIONS: &str = "Notifications";
pub(crate) const NOTIFICATIONS_WHY: &str = "What this machine's desktop shows when somebody writes, also when no page is open. It holds on this device alone. Muted and \
                                            archived conversations, and requests, show nothing.";
pub(crate) const TELLINGS: [(&str, &str); 3] = [("off", "Nothing"), ("name", "Who writes"), ("text", "Who, and what")];

/// The value of one of them.
pub(crate) fn telling(telling: Telling) -> &'static str {
    match telling {
        Telling::Off => "off",
        Telling::Name => "name",
        Telling::Text => "text",
    }
}
pub(crate) const LOCKING: &str = "These pages";
pub(crate) const LOCK_AFTER: &str = "Lock when nobody has used them for";
pub(crate) const MINUTES: [(&str, &str); 4] =
    [("5", "5 minutes"), ("15", "15 minutes"), ("30", "half an hour"), ("60", "an hour")];
pub(crate) const LOCK_NOW: &str = "Lock now";
pub(crate) const LOCK_HOW: &str =
    "This holds until the agent of this profile ends. A locked page shows nothing; `trefoil web` opens it again.";
pub(crate) const STORED: &str = "Messages on this machine";
pub(crate) const WITH_PASSPHRASE: &str = "They are encrypted, and the key to them is locked with your passphrase: whoever takes this machine away needs it. It is \
                                          asked for when the agent starts, and doesn't protect you while it runs.";
pub(crate) const WITHOUT_PASSPHRASE: &str = "They are encrypted, but the key to them lies beside them without a passphrase: whoever can read your files on this \
                                             machine can read your messages. An encrypted disk helps. A passphrase is chosen when a device joins.";
pub(crate) const SIGN_OUT: &str = "Sign out";
pub(crate) const SIGN_OUT_HERE: &str = "Sign this device out";
pub(crate) const SIGN_OUT_DONE: &str = "Sign out and erase";
pub(crate) const CHOOSE_KEY_FIRST: &str = "Make a recovery key first";
pub(crate) const MORE_LINKS: [(&str, &str, &str); 4] = [
    ("/recovery", "Recovery key", "24 words on paper, for when all devices are lost"),
    ("/devices", "Devices", "who reads and writes as you"),
    ("/record", "Public record", "why each of your devices counts"),
    ("/help", "Help", "keys, and what these pages can't protect you from"),
];

/// A reset waits so long now.
pub(crate) fn wait_set(hours: Option<u64>) -> String {
    super::account::reset_wait(hours)
}

/// Pages lock themselves.
pub(crate) fn locks_after(minutes: u64) -> String {
    format!("These pages lock when nobody has used them for {minutes} minutes.")
}

/// The recovery key.
pub(crate) const RECOVERY: &str = "Recovery key";
pub(crate) const RECOVERY_WHY: &str = "24 words on paper. If you ever lose all your devices, they let a new one into this account: same account, same contacts, \
                                       nobody is alarmed. They do nothing else, and the service never sees them.";
pub(crate) const HAS_KEY: &str = "Your account has a recovery key.";
pub(crate) const HAS_KEY_WHY: &str =
    "Its words were shown once, when it was made. If the paper is lost, make another one.";
pub(crate) const HAS_NO_KEY: &str = "Your account has no recovery key.";
pub(crate) const MAKE: &str = "Make a recovery key";
pub(crate) const MAKE_ANOTHER: &str = "Make another one";
pub(crate) const MAKE_ANOTHER_WHY: &str =
    "The key that you have stays good until the new one is in place, and is worthless from then on.";
pub(crate) const DROP: &str = "Drop it";
pub(crate) const DROP_WHY: &str =
    "Without a recovery key nothing gets you back into your account once all your devices are lost.";
pub(crate) const DROP_DONE: &str = "Drop the recovery key";
pub(crate) const WRITE_DOWN: &str = "Write these words down, in this order";
pub(crate) const WRITE_DOWN_WHY: &str = "On paper, away from your devices. They are shown only now, and count once you have typed two of them. Whoever has them \
                                         and your password can let a device in; all your devices would be told.";
pub(crate) const WRITTEN: &str = "I have written them down";
pub(crate) const CHECK: &str = "From your paper";
pub(crate) const CHECK_WHY: &str = "Two of the words, so that you know the paper is right.";
pub(crate) const SHOW_AGAIN: &str = "Show the words again";
pub(crate) const CHECK_DONE: &str = "Use this key";
pub(crate) const NO_LONGER_THERE: &str = "these words were put away; make a key anew";
pub(crate) const KEY_IN_PLACE: &str = "Your recovery key is in place";
pub(crate) const KEY_IN_PLACE_WHY: &str =
    "It stands in the public record, and all your devices know of it. Keep the paper where you keep what matters.";
pub(crate) const OFFER: &str = "If you ever lose this device, only a recovery key gets you back.";
pub(crate) const OFFER_LINK: &str = "Make one";
pub(crate) const NO_KEY_YET: &str =
    "You have no recovery key yet: if you lose all your devices, only that gets you back.";

/// Which word is asked for.
pub(crate) fn word_number(place: usize) -> String {
    format!("Word {place}")
}

/// It is another one.
pub(crate) fn other_word(place: usize) -> String {
    format!("word {place} is another one; compare it with the words on the screen before")
}

/// Old messages.
pub(crate) const HISTORY: &str = "Old messages";
pub(crate) const FETCH_AGAIN: &str = "Fetch again";
pub(crate) const FETCHING: &str = "Your other devices were asked once more.";

/// How far they have come.
pub(crate) fn history(row: &History, devices: &[Device]) -> Option<String> {
    let from = row.from.as_deref().map(|from| name_of(from, devices));
    Some(match (row.state.as_str(), from) {
        ("complete", _) => format!("Your old messages are here: {}.", counted(row.messages)),
        ("running", Some(from)) => {
            format!("Fetching your messages from {from}: {} of {}.", counted(row.messages), counted(row.total))
        }
        ("running", None) => "Your older messages arrive when one of your other devices is next on.".to_owned(),
        ("waiting", _) => "None yet. On another of your devices, under Devices, send them to this one.".to_owned(),
        _ => return None,
    })
}

/// What went to another device.
pub(crate) fn handed(device: &str, messages: u64, devices: &[Device]) -> String {
    let count = if messages == 1 { "1 message".to_owned() } else { format!("{} messages", counted(messages)) };
    format!("Handed to {}: {count}.", name_of(device, devices))
}

/// A number with its thousands apart.
pub(crate) fn counted(number: u64) -> String {
    let digits = number.to_string();
    let apart = digits.char_indices().map(|(at, digit)| {
        let is_apart = at > 0 && (digits.len() - at).is_multiple_of(3);
        if is_apart { format!(",{digit}") } else { digit.to_string() }
    });
    apart.collect()
}

/// An alarm.
pub(crate) const RESET_ASKED: &str = "Someone asked to reset your account";
pub(crate) const STOP_IT: &str = "Stop it";
pub(crate) const STOPPED: &str = "Stopped: your account stays as it is. Whoever asked knows your password, or asked your service's operator; choose another \
                                  password under Settings.";
pub(crate) const SEEN: &str = "Seen";
pub(crate) const ALL_NOTICES: &str = "All of them";
pub(crate) const ACCEPT_RESET: &str = "Write anyway";
pub(crate) const COMPARE_BELOW: &str = "Compare the code below first, if you can.";

/// Until when it can be stopped.
pub(crate) fn reset_due(own: &State) -> Option<String> {
    let due = own.reset_due.as_deref()?;
    Some(format!(
        "If that isn't you, stop it now. Unstopped, {} goes to a new identity at {}, and your devices are out.",
        own.handle.as_deref().map(one_line).unwrap_or_default(),
        time(due)
    ))
}

/// Above what happened meanwhile.
pub(crate) const NOTICES: &str = "Since you last looked";

/// What happened, under that.
pub(crate) fn noticed(said: &str) -> &str {
    said.strip_prefix(NOTICES).and_then(|said| said.strip_prefix(": ")).unwrap_or(said)
}

/// That it was asked for; above the page stands whether it still can be stopped.
pub(crate) fn reset_noticed(row: &Notice) -> String {
    format!("Since you last looked: someone asked to reset your account ({}, block {}).", time(&row.at), row.block)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_meanwhile_stands_under_its_title_once() {
        assert_eq!(noticed("Since you last looked: alice left."), "alice left.");
        assert_eq!(noticed("This device was away."), "This device was away.");
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!([0, 999, 1_000, 10_000, 1_234_567].map(counted), ["0", "999", "1,000", "10,000", "1,234,567"]);
    }

    #[test]
    fn how_far_old_messages_have_come_is_said_with_counts_and_the_device_that_helps() {
        let row = |state: &str, from: Option<&str>| History {
            state: state.into(),
            messages: 3_200,
            total: 10_000,
            from: from.map(str::to_owned),
            handed: Vec::new(),
        };
        let running = history(&row("running", Some("aa11bb22cc")), &[]).unwrap();
        assert_eq!(running, "Fetching your messages from device aa11bb22: 3,200 of 10,000.");
        assert!(history(&row("none", None), &[]).is_none(), "a first device has nothing to fetch");
    }
}
