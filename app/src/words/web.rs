//! What people read on the pages of `trefoil web`, but for what the commands say in the same words.

use client::query::MessageState;
use jiff::civil::Date;

use super::device::name_of;
use super::{claimed, message, one_line, time};
use crate::clock::{now_ms, rfc3339};
use crate::failure::Failure;
use crate::local::rows::{Contact, Conversation, Device, fingerprint};

/// On the terminal.
pub(crate) const LINK: &str = "Open this link in a browser on this machine. It works once; `trefoil web` makes another, `trefoil web --stop` ends all.";
pub(crate) const ENDED: &str = "The pages have ended; nobody can use them any more.";
pub(crate) const NONE_TO_END: &str = "There are no pages to end.";
pub(crate) const CANNOT_OPEN: &str = "no browser could be opened; open the link yourself";

/// A file that leads a browser to the link, without telling anybody else. The link is our own, and holds nothing to escape.
pub(crate) fn opening(link: &str) -> String {
    format!(
        "<!DOCTYPE html><meta charset=\"utf-8\"><meta name=\"referrer\" content=\"no-referrer\"><title>{TITLE}</title><meta \
         http-equiv=\"refresh\" content=\"0;url={link}\">"
    )
}

/// In the browser's title.
pub(crate) const TITLE: &str = "Trefoil";
/// Who has no token.
pub(crate) const LOCKED: &str = "This page is locked";
pub(crate) const LOCKED_WHY: &str =
    "It locks itself when nobody has used it for a while, and a start link opens it once. For a new link, type:";
/// Nobody answers any more.
pub(crate) const GONE: &str = "The program that served this page has ended; the same command starts it again.";
pub(crate) const NO_SCRIPT: &str = "These pages need JavaScript, which comes from this machine alone. Without it, every command of `trefoil` does the same.";
pub(crate) const MALFORMED: &str = "this page asked for something that the program doesn't understand; load it again";

/// Around every page.
pub(crate) const PLACES: &str = "Conversations and other pages";
pub(crate) const PLACES_OF_FRAME: [(&str, &str); 4] =
    [("/contacts", "People"), ("/devices", "Devices"), ("/settings", "Settings"), ("/help", "Help")];
pub(crate) const LOCK: &str = "Lock";
pub(crate) const LOCK_WHY: &str = "Lock this page; `trefoil web` opens it again";
pub(crate) const CONVERSATIONS: &str = "Conversations";
pub(crate) const NO_CONVERSATIONS: &str = "No conversations yet.";
pub(crate) const NOTHING_CHOSEN: &str = "Choose a conversation.";
pub(crate) const REQUESTS: &str = "Requests";
pub(crate) const UNREAD: &str = "unread";
pub(crate) const BACK: &str = "Back";
pub(crate) const DETAILS: &str = "Details";
pub(crate) const CLONED: &str = "A copy of this device is in use, so neither gets in any more. If you have copied its folder, that is why; if not, somebody else \
     has your keys. Remove this device from another one of yours, and log in here again.";

/// In a conversation.
pub(crate) const NO_SUCH_CONVERSATION: &str = "there is no such conversation here";
pub(crate) const NOT_WRITTEN_YET: &str = "You haven't written to each other yet";
pub(crate) const OLDER: &str = "Older messages";
pub(crate) const WRITE: &str = "Message";
pub(crate) const WRITE_HOW: &str = "Enter sends; Shift-Enter or Alt-Enter begins a new line";
pub(crate) const WRITE_BUTTON: &str = "Write";
pub(crate) const SEND: &str = "Send";
pub(crate) const NOT_SENT: &str = "this was not sent";
pub(crate) const TRY_AGAIN: &str = "Try again";
pub(crate) const UNVERIFIED: &str =
    "Some older messages from your other device don't fit what their writers sent later.";
pub(crate) const COMPARE: &str = "Compare codes";
pub(crate) const WRITE_ANYWAY: &str = "Write anyway";

/// Requests of strangers.
pub(crate) const ACCEPT: &str = "Accept";
pub(crate) const BLOCK: &str = "Block";
pub(crate) const LEAVE_IT: &str = "Leave it here";

/// The popup.
pub(crate) const ASKS_TO_JOIN: &str = "A new device wants to read all your messages";
pub(crate) const SIX_DIGITS: &str = "The 6 digits that it shows";
pub(crate) const CONFIRM_WITH: &str = "Confirm and send my old messages";
pub(crate) const CONFIRM_WITHOUT: &str = "Confirm without old messages";
pub(crate) const NOT_ME: &str = "Not me";
pub(crate) const LATER: &str = "Later";
pub(crate) const LATER_WHY: &str = "It goes on waiting, under Devices";
pub(crate) const REFUSED: &str = "Refused: that device never saw your messages. Since whoever it was knows your password, choose a new one now, under Settings.";

/// Devices.
pub(crate) const DEVICES: &str = "Devices";
pub(crate) const DEVICES_WHY: &str =
    "Each of them reads and writes as you. None is the main one: every one can let in or remove others.";
pub(crate) const SEEN_WHY: &str = "When one was last seen is what the service says.";
pub(crate) const COULD_LET_IN: &str = "Your devices";
pub(crate) const COULD_LET_IN_WHY: &str = "When each was last seen is what the service says, to the hour. Their names are told only to \
                                           devices of yours, and this one is not one yet.";
pub(crate) const WAITS: &str = "Waiting to be let in";
pub(crate) const THIS_ONE: &str = "this one";
pub(crate) const CHANGE: &str = "Change";
pub(crate) const ITS_NAME: &str = "Its name, which only your devices see";
pub(crate) const RENAME: &str = "Rename";
pub(crate) const SEND_HISTORY: &str = "Send it my old messages";
pub(crate) const REMOVE: &str = "Remove";
pub(crate) const ADD_DEVICE: &str = "Add a device";

/// People.
pub(crate) const CONTACTS: &str = "People";
pub(crate) const NO_CONTACTS: &str = "You know nobody yet.";
pub(crate) const ADD_SOMEBODY: &str = "Add somebody";
pub(crate) const WHO_EXAMPLE: &str = "a handle, or a link that you were given";
pub(crate) const ADD: &str = "Add";
pub(crate) const VERIFIED: &str = "verified";
pub(crate) const MY_LINK: &str = "Your link";
pub(crate) const MY_LINK_WHY: &str =
    "Whoever has it can write to you without being asked in, and knows that it is really you.";
pub(crate) const MY_LINK_AS_QR: &str = "Your contact link as a QR code";
pub(crate) const LINK_TO_COPY: &str = "To copy and hand out";
pub(crate) const COPY: &str = "Copy";
pub(crate) const NEW_LINK: &str = "Make a new one";
pub(crate) const WITHDRAW: &str = "Withdraw all";
pub(crate) const CODE: &str = "Verification code";
pub(crate) const CODE_AS_QR: &str = "The verification code as a QR code";
pub(crate) const CODES_MATCH: &str = "They match";
pub(crate) const CODES_DIFFER: &str = "They differ";
pub(crate) const PASTE_CODE: &str = "Compare with a scanned code";
pub(crate) const PASTED: &str = "What the scanner has read";
pub(crate) const BLOCK_WHY: &str = "Who is blocked doesn't know it, and nothing from them reaches you.";
pub(crate) const IS_BLOCKED: &str = "Blocked: they don't know, and nothing from them reaches you.";
pub(crate) const UNBLOCK: &str = "Let them write again";

/// The ways in.
pub(crate) const WELCOME: &str = "Welcome to Trefoil";
pub(crate) const WELCOME_WHY: &str = "Choose a handle and a password. This machine makes its own keys and becomes your first device. No phone number, no e-mail.";
pub(crate) const SIGN_UP: &str = "Open an account";
pub(crate) const SIGN_UP_INSTEAD: &str = "Open one";
pub(crate) const HAVE_ACCOUNT: &str = "You have an account already?";
pub(crate) const LOG_IN: &str = "Log in";
pub(crate) const LOG_IN_INSTEAD: &str = "Log in on this machine";
pub(crate) const LOG_IN_WHY: &str = "This machine becomes another of your devices, once one that you have lets it in.";
pub(crate) const NO_ACCOUNT: &str = "No account yet?";
pub(crate) const HANDLE: &str = "Handle";
pub(crate) const HANDLE_EXAMPLE: &str = "bob@host.example";
pub(crate) const PASSWORD: &str = "Password";
pub(crate) const PASSWORD_HOW: &str = "At least 8 letters, better four random words.";
pub(crate) const NAME_OF_DEVICE: &str = "Name of this device";
pub(crate) const NAME_HOW: &str = "Only your own devices see it.";
pub(crate) const PASSPHRASE_ASKED: &str = "Lock the messages on this machine with a passphrase";
pub(crate) const PASSPHRASE_HOW: &str = "Without one, whoever can read your files on this machine can read your messages. With one, it is asked for after each start.";
pub(crate) const PASSPHRASE: &str = "Passphrase";
pub(crate) const UNLOCK: &str = "Your messages are locked";
pub(crate) const UNLOCK_WHY: &str = "Type the passphrase of this profile.";
pub(crate) const OPEN: &str = "Open";
pub(crate) const KEY_MISSING: &str =
    "your messages are still here, but the key to open them isn't; nothing was deleted";
pub(crate) const WAITING: &str = "Waiting";
pub(crate) const ON_THE_WAY: &str = "One moment";
pub(crate) const RESETTING: &str = "A fresh identity";
pub(crate) const ALMOST_THERE: &str = "Almost there";
pub(crate) const OPEN_ANOTHER: &str = "Open Trefoil on one of your devices to let this one in.";
pub(crate) const DIGITS_COME: &str = "Six digits appear here as soon as one of them has answered.";
pub(crate) const TYPE_THIS: &str = "Type these digits there";
pub(crate) const OTHER_WAYS: &str = "Other ways in";
pub(crate) const USE_RECOVERY_KEY: &str = "Use my recovery key";
pub(crate) const RECOVERY_WORDS: &str =
    "Its 24 words. Nobody but you, here, ever needs them: no support, no other page, no other device.";
pub(crate) const LET_IN: &str = "Let this device in";
pub(crate) const NO_DEVICE_LEFT: &str = "I no longer have any of my devices";
pub(crate) const START_OVER: &str = "Start over";

/// Help.
pub(crate) const HELP: &str = "Help";
pub(crate) const KEYS: &str = "Keys";
pub(crate) const KEYS_AND_WHAT_THEY_DO: [(&str, &str); 5] = [
    ("Enter", "sends"),
    ("Shift-Enter, Alt-Enter", "begins a new line"),
    ("Ctrl-K", "goes to the first conversation; then Tab and the arrow keys"),
    ("Esc", "puts the popup aside, or an answer that was begun"),
    ("?", "this page"),
];
pub(crate) const HONEST: &str = "What these pages can't protect you from";
pub(crate) const HONEST_WORDS: [&str; 2] = [
    "A browser extension that may read all sites can read these pages too, and type into them. So can whoever uses this machine as \
     you.",
    "If you have such extensions, open the link in a fresh profile of your browser, without any:",
];
pub(crate) const CLEAN_PROFILE: &str = "chromium --user-data-dir=\"$(mktemp -d)\" LINK";
pub(crate) const MORE_COMMANDS: &str = "More than these pages";
pub(crate) const MORE_COMMANDS_WHY: &str = "`trefoil --help` lists everything else: the public record, recovery key, backup. `trefoil web --stop` ends these \
     pages.";

/// A failure as a sentence: its own, with a capital and a full stop, or one that says where on these pages to go on.
pub(crate) fn failure(failure: &Failure) -> String {
    let said = match failure.code.as_str() {
        "service.missing" => "Which service? Write the handle as name@host.",
        "profile.new" => "There is no account here yet.",
        "contact.other_service" | "link.wrong_kind" | "link.malformed" => return sentence(&failure.message),
        "service.unreachable" => "The service does not answer; try again in a while.",
        "file.not_cleaned" => {
            "This picture is damaged, or larger than 64 MB: what it tells of place and camera can't be taken out. It was not sent."
        }
        "store.locked" => "That is not the passphrase, or your messages are locked; nothing was deleted.",
        "account.reset" => "This waits: decide above whether it goes to the new identity.",
        _ => return sentence(&failure.message),
    };
    said.to_owned()
}

fn sentence(text: &str) -> String {
    let text = protocol::tame::display(text);
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().collect::<String>()).unwrap_or_default();
    let stop = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{stop}", letters.as_str())
}

/// The date of today, in the reader's zone.
pub(crate) fn today() -> String {
    date(&rfc3339(now_ms()))
}

/// `2026-08-02` of a time, in the reader's zone.
pub(crate) fn date(rfc3339: &str) -> String {
    time(rfc3339).split(' ').next().unwrap_or_default().to_owned()
}

/// `16:02` of a time, in the reader's zone.
pub(crate) fn hour(rfc3339: &str) -> String {
    time(rfc3339).split(' ').nth(1).unwrap_or_default().to_owned()
}

/// A date as people say it, seen from today: both as `2026-08-02`.
pub(crate) fn day(date: &str, today: &str) -> String {
    let (Ok(day), Ok(today)) = (date.parse::<Date>(), today.parse::<Date>()) else { return one_line(date) };
    match (today - day).get_days() {
        0 => "Today".to_owned(),
        1 => "Yesterday".to_owned(),
        2..=6 => day.strftime("%A").to_string(),
        _ if day.year() == today.year() => day.strftime("%A, %-d %B").to_string(),
        _ => day.strftime("%-d %B %Y").to_string(),
    }
}

/// The time of the newest message in a list: the hour if it was today.
pub(crate) fn shortly(rfc3339: &str, today: &str) -> String {
    let date = date(rfc3339);
    if date == today { hour(rfc3339) } else { day_short(&date, today) }
}

fn day_short(date: &str, today: &str) -> String {
    let (Ok(day), Ok(now)) = (date.parse::<Date>(), today.parse::<Date>()) else { return one_line(date) };
    match (now - day).get_days() {
        1..=6 => day.strftime("%a").to_string(),
        _ if day.year() == now.year() => day.strftime("%-d %b").to_string(),
        _ => day.strftime("%-d %b %Y").to_string(),
    }
}

/// Whole minutes from one time to another; many if either is none.
pub(crate) fn minutes_between(before: &str, after: &str) -> i64 {
    let at = |text: &str| text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second);
    at(before).zip(at(after)).map_or(i64::MAX, |(before, after)| after.saturating_sub(before).abs() / 60)
}

/// What a conversation is called.
pub(crate) fn title(row: &Conversation) -> String {
    match (row.own, row.title.is_empty()) {
        (true, _) => sentence(message::NOTES).trim_end_matches('.').to_owned(),
        (false, true) => "(no name)".to_owned(),
        (false, false) => one_line(&row.title),
    }
}

/// Somebody unknown, in the list.
pub(crate) fn asks(is_pair: bool) -> &'static str {
    if is_pair { "Wants to write to you" } else { "You were put into it" }
}

/// Before what was begun to be written and not sent.
pub(crate) const BEGUN: &str = "Not sent: ";
/// Before an own message in the list.
pub(crate) const YOURS: &str = "You: ";
/// Before one that could not be sent.
pub(crate) const YOURS_FAILED: &str = "You, not sent: ";
/// A message that cannot be read, in the list.
pub(crate) const COULD_NOT_BE_READ: &str = "A message that couldn't be read here";

/// One line about a conversation.
pub(crate) fn about(row: &Conversation) -> String {
    if let Some(typing) = super::typing(&row.typing) {
        return typing;
    }
    let devices = if row.devices == 1 { "1 device".to_owned() } else { format!("{} devices", row.devices) };
    match (row.ready, row.pair || row.own) {
        (false, _) if row.left => "You are not in it any more".to_owned(),
        (false, _) => "Not open yet".to_owned(),
        (true, true) => format!("Encrypted to {devices}"),
        (true, false) => format!("{} people, {devices}", row.members.len()),
    }
}

/// For those who hear the page.
pub(crate) fn messages_with(name: &str) -> String {
    format!("Messages with {name}")
}

/// The same.
pub(crate) fn write_to(name: &str) -> String {
    format!("Message to {name}")
}

/// A message that is no riddle.
pub(crate) fn unreadable(from: &str) -> String {
    format!("This message couldn't be read here; {}'s device was asked to send it again.", one_line(from))
}

/// Its class.
pub(crate) fn state_class(state: MessageState) -> &'static str {
    match state {
        MessageState::Waiting => "waiting",
        MessageState::Failed => "failed",
        MessageState::Read => "quiet read",
        MessageState::Sent | MessageState::Delivered | MessageState::Received | MessageState::Unreadable => "quiet",
    }
}

/// Nobody answers.
pub(crate) fn offline(since: &str) -> String {
    format!("Offline since {}. You can read and write; it goes out when the connection is back.", time(since))
}

/// A contact goes on as another identity.
pub(crate) fn contact_reset(handle: &str, at: &str) -> String {
    format!(
        "{}'s account was reset at {}; it may be a new device after a loss, or someone else, so ask in another way before you share \
         anything private. Your messages wait until you decide.",
        one_line(handle),
        time(at)
    )
}

/// Somebody unknown.
pub(crate) fn wants_to_write(name: &str, is_pair: bool) -> String {
    match is_pair {
        true => format!("{name} wants to write to you: accept, or leave it here; they won't know."),
        false => format!("Somebody put you into \"{name}\": accept, or leave it here; they won't know."),
    }
}

/// Who asks to be let in (story 4).
pub(crate) fn asks_to_join(row: &Device) -> String {
    let name = row.name.as_deref().map_or_else(
        || "A device that has not said its name".to_owned(),
        |name| format!("A device calling itself {}", claimed(name)),
    );
    format!(
        "{name} asked at {} to join your account; if it is in front of you, type the 6 digits it shows.{}",
        time(&row.added_at),
        super::device::says_it_runs(row)
    )
}

/// A device's id for comparing.
pub(crate) fn fingerprint_of(row: &Device) -> String {
    format!("Fingerprint {}.", fingerprint(&row.device))
}

/// Where a request is in the record.
pub(crate) fn asked_at(at: &str, block: u64) -> String {
    format!("Asked at {at}, in block {block} of the public record.")
}

/// Where a device is in the record.
pub(crate) fn in_block(block: u64) -> String {
    format!("In block {block} of the public record.")
}

/// A device's name, as its owner gave it.
pub(crate) fn name(row: &Device) -> String {
    row.name.as_deref().map_or_else(|| "(no name)".to_owned(), one_line)
}

/// When a device was added, and who let it in.
pub(crate) fn how_it_came(row: &Device, all: &[Device]) -> String {
    let by = match &row.confirmed_by {
        Some(by) => format!("confirmed by {}", name_of(by, all)),
        None if row.recovered => "let in with the recovery key".to_owned(),
        None => "your first one".to_owned(),
    };
    let system = super::device::system(row).map(|system| format!("{system}. ")).unwrap_or_default();
    let seen = super::device::seen(row, now_ms()).map(|seen| format!("; {seen}")).unwrap_or_default();
    format!("{system}{}, {by}{seen}", sentence(&added(&time(&row.added_at))).trim_end_matches('.'))
}

/// A device that could let this one in. Its name is for devices of the account only.
pub(crate) fn could_let_in(row: &Device) -> String {
    let seen = super::device::seen_roughly(row, now_ms()).map(|seen| format!("; {seen}")).unwrap_or_default();
    format!("Device {}, {}{seen}", fingerprint(&row.device), added(&time(&row.added_at)))
}

/// When a device was added.
pub(crate) fn added(at: &str) -> String {
    format!("added {at}")
}

/// Devices of before.
pub(crate) fn removed_before(count: usize) -> String {
    if count == 1 { "1 removed device".to_owned() } else { format!("{count} removed devices") }
}

/// Before a device is taken out.
pub(crate) fn remove_why(name: &str) -> String {
    format!(
        "Remove {name} for good? Nothing sent from then on can be read on it, but what it already has may still be on it. To use it \
         again, log in there anew."
    )
}

/// The button.
pub(crate) fn remove(name: &str) -> String {
    format!("Remove {name}")
}

/// How to get another one.
pub(crate) fn add_device(handle: &str) -> String {
    format!(
        "On the other machine, start `trefoil web` and log in as {}, or type `trefoil login`. It then asks here to be let in.",
        one_line(handle)
    )
}

/// Number and age of somebody's devices.
pub(crate) fn devices_of(row: &Contact) -> String {
    let devices = if row.devices == 1 { "1 device".to_owned() } else { format!("{} devices", row.devices) };
    format!("{devices}, newest added {}", time(&row.newest_at))
}

/// What the record says about them (story 5).
pub(crate) fn about_devices(row: &Contact) -> String {
    let handle = one_line(&row.handle);
    match &row.newest_confirmed_by {
        Some(by) => format!(
            "{handle}'s newest device was confirmed by one of {handle}'s older ones (fingerprint {}).",
            fingerprint(by)
        ),
        None => format!("The public record lists {handle}'s devices; yours encrypt to those alone."),
    }
}

/// Why, or why not, to compare.
pub(crate) fn code_why(row: &Contact) -> String {
    let handle = one_line(&row.handle);
    match (row.verified, row.by_link) {
        (true, false) => format!("You have compared this code with {handle}."),
        (true, true) => format!("You know {handle} from a contact link, so there is no need to compare this."),
        (false, _) => format!(
            "If {handle} sees the same digits under your name, you have each other's true account. You never have to compare them."
        ),
    }
}

/// Nobody is called that.
pub(crate) fn unknown(handle: &str) -> String {
    format!("you know nobody as {}", one_line(handle))
}

/// How a handle is written.
pub(crate) fn handle_how(service: Option<&str>) -> String {
    match service {
        Some(service) => format!("A name is enough: the service is {}.", one_line(service)),
        None => "A name, an @, and the host of your service.".to_owned(),
    }
}

/// On the way into an account.
pub(crate) fn on_the_way(handle: &str) -> String {
    format!("On the way into {handle}; this goes on by itself as soon as the service answers.")
}

/// While a reset waits.
pub(crate) fn resetting(handle: &str, due: Option<&str>) -> String {
    let when = due.map(|due| format!(" from {due}")).unwrap_or_default();
    format!(
        "You have asked for a fresh identity for {handle}. Your fresh start is possible{when}, unless one of your devices stops it."
    )
}

/// Under the digits.
pub(crate) fn type_this(by_device: &str, by_name: Option<&str>) -> String {
    let by = by_name.map_or_else(
        || format!("your device {}", by_device.chars().take(8).collect::<String>()),
        |name| format!("your {}", claimed(name)),
    );
    format!("On {by}, or another of your devices, type them to let this device in.")
}

/// How the other devices see this one.
pub(crate) fn called_there(name: &str) -> String {
    format!("Your other devices see this one as {}.", claimed(name))
}

/// What is left then.
pub(crate) fn no_device_left(recovery_key: bool) -> String {
    let first = if recovery_key { "Use your recovery key above. " } else { "" };
    format!(
        "{first}Without a device and without a recovery key only a reset is left: it gives your handle a new identity, your old \
         messages are gone, and everyone you write with is told."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_called_as_seen_from_today() {
        let said = |date| day(date, "2026-08-05");
        assert_eq!([said("2026-08-05"), said("2026-08-04")], ["Today", "Yesterday"]);
        assert_eq!(said("2026-07-31"), "Friday");
        assert_eq!(said("2026-03-01"), "Sunday, 1 March");
        assert_eq!(said("2025-12-31"), "31 December 2025");
        // a clock of somebody else may be ahead
        assert_eq!(said("2026-08-07"), "Friday, 7 August");
    }

    #[test]
    fn a_failure_is_a_whole_sentence() {
        let said = |message: &str| failure(&Failure::misuse("x", message));
        assert_eq!(said("a code is six digits"), "A code is six digits.");
        assert_eq!(said("is Trefoil open on it?"), "Is Trefoil open on it?");
        assert_eq!(said(""), ".");
    }
}
