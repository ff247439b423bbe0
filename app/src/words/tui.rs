//! What people read in the terminal's face, where the other files have no sentence for it.

use super::{claimed, one_line, time};
use crate::clock::now_ms;
use crate::failure::Failure;
use crate::local::rows::{Connection, Conversation, Device, State, Verification};

pub(crate) const TOO_SMALL: &str = "Make this window larger.";
pub(crate) const CHOOSE: &str = "Choose a conversation with the arrows and Enter, or begin one with Ctrl-N.";
pub(crate) const CONVERSATIONS: &str = "Conversations";
pub(crate) const REQUESTS: &str = "You don't know them:";
pub(crate) const NOBODY_YET: &str = "Nobody yet. Ctrl-N begins a conversation, with a handle or a contact link.";
pub(crate) const DEVICES: &str = "Your devices";
pub(crate) const DEVICE_KEYS: &str = "Enter: let a waiting one in · x: not me · r: rename · d: remove · Esc: back";
pub(crate) const WRITE: &str = "Write; Enter sends, Alt-Enter begins a new line";
pub(crate) const WRITE_FROM_ELSEWHERE: &str = "Tab: write";
pub(crate) const CHANGING: &str = "changing your message; Esc: leave it";
pub(crate) const MORE_BELOW: &str = "newer ones below: End";
pub(crate) const HOW_UNCHECKED: &str = " g, in the list.";
pub(crate) const HINT: &str = "F1 help";
pub(crate) const MORE: &str = " (F4)";
pub(crate) const SCROLL: &str = " ↓ ";
pub(crate) const AGENT_LOST: &str = "The agent of this profile is away; it is looked for again.";
pub(crate) const ONLY_OWN: &str = "Only a message of yours can be changed or taken back; mark one with the arrows.";
pub(crate) const TOO_FAR_BACK: &str =
    "That message is too far back to be shown here: `trefoil read` with --limit shows it.";
pub(crate) const NOT_THIS_ONE: &str = "This is the device you sit at: `trefoil logout` takes it out.";
pub(crate) const LOOKING_UP: &str = "Looking into the record …";
pub(crate) const ANSWERED_ELSEWHERE: &str = "That request was answered on another of your devices, or ran out.";
pub(crate) const ASK_TAKE_BACK: &str =
    "Take this message back, on all devices of everybody?\nWhoever has read it still knows it.";
pub(crate) const YES_NO: &str = "y: yes   n: no";
pub(crate) const CLOSE: &str = "Esc: close";
pub(crate) const READ: &str = "Enter: I have read this   Esc: later";
pub(crate) const NO_NOTICES: &str = "Nothing that you have not read.";

pub(crate) const HELP_TITLE: &str = "Keys";
pub(crate) const NOTICES_TITLE: &str = "Since you last looked";
pub(crate) const SWITCHER_TITLE: &str = "Go to a conversation";
pub(crate) const NEWCOMER_TITLE: &str = "New conversation";
pub(crate) const SEARCH_TITLE: &str = "Search on this device";
pub(crate) const REACTION_TITLE: &str = "What do you think of it?";
pub(crate) const QUESTION_TITLE: &str = "Sure?";
pub(crate) const REQUEST_TITLE: &str = "A new device";
pub(crate) const RENAME_TITLE: &str = "Rename a device";
pub(crate) const CODE_TITLE: &str = "Verification code";

pub(crate) const NAME: &str = "Name: ";
pub(crate) const WHO: &str = "Who: ";
pub(crate) const SEARCH: &str = "Words: ";
pub(crate) const REACTION: &str = "Or type: ";
pub(crate) const NEWCOMER: &str = "A handle, or a contact link. Who it is will be looked up in the public record.";
pub(crate) const RENAME: &str = "Only your own devices see this name.";
pub(crate) const CODE_KEYS: &str = "y: they are the same   n: they differ   Esc: close";

pub(crate) const DIGITS: &str = "The 6 digits it shows: ";
pub(crate) const NO_DIGITS_YET: &str = "It shows no digits yet; keep Trefoil open on it.";
pub(crate) const NO_DIGITS: &str = "Is it on, and does it wait there? Enter asks it again.";
pub(crate) const ANSWERING: &str = "Your answer goes into the record …";
pub(crate) const DIGITS_AND_CHOICE: &str = "Type all 6 digits, and say whether it gets your old messages.";
pub(crate) const REQUEST_KEYS: &str = "Enter: let in  Ctrl-X: not me  Esc: later";
pub(crate) const REFUSE_SURE: &str = "Not you? Then it will never get in. Refuse it?   y: yes   n: no";

pub(crate) const REPORT_KEYS: &str = "A digit says why; Esc: neither";

/// All keys, by where they work.
pub(crate) const HELP: [&str; 33] = [
    "Everywhere",
    "  Tab          from list to messages to writing",
    "  Ctrl-K       go to a conversation by its name",
    "  Ctrl-N       new conversation",
    "  Ctrl-F or /  search",
    "  F2           your devices",
    "  F4           notices in full",
    "  F8           stop a reset of your account",
    "  F1 or ?      this help",
    "  Ctrl-Q       quit; what was sent goes out all the same",
    "",
    "In the list",
    "  Enter        open       n  new",
    "  a b B        accept, block, report and block somebody",
    "  p m z        pin, silence, put away (or not any more)",
    "  v            verification code",
    "  g            go on with somebody who was reset, or unchecked",
    "  d            your devices",
    "",
    "Among messages",
    "  Up Down      mark one; PageUp and Home go further back",
    "  r            answer it",
    "  e            change it, if it is yours",
    "  d            take it back, if it is yours",
    "  +            react; the same again takes that back",
    "",
    "Writing",
    "  Enter        send",
    "  Alt-Enter    new line; a pasted text is never sent by itself",
    "  Up           to the messages; PageUp scrolls them",
    "  Esc          leave an answer or a change; back to the list",
    "",
    "Esc closes what stands before the screen.",
];

/// A failure, without its code: that is for scripts.
pub(crate) fn failed(failure: &Failure) -> String {
    let text = failure.to_string();
    text.rsplit_once(" (").map_or(text.clone(), |(sentence, _)| sentence.to_owned())
}

/// When it was written, as a day and a time of that day.
pub(crate) fn date_and_clock(rfc3339: &str) -> (String, String) {
    let at = time(rfc3339);
    match at.split_once(' ') {
        Some((date, clock)) => (date.to_owned(), clock.to_owned()),
        None => (at, String::new()),
    }
}

/// What stands between two days.
pub(crate) fn day(date: &str, width: usize) -> String {
    let side = "─".repeat(width.saturating_sub(date.len() + 2) / 2);
    format!("{side} {date} {side}")
}

/// Somebody has changed how long messages stay.
pub(crate) fn timer(from: &str, seconds: u32) -> String {
    format!("({from}: {})", super::message::timer(seconds))
}

/// What a conversation is called.
pub(crate) fn title(row: &Conversation) -> String {
    if row.own { super::message::NOTES.to_owned() } else { one_line(&row.title) }
}

/// Signs before a conversation in the list: somebody waits there for this account, pinned, silent, from somebody who is not known.
pub(crate) fn marks(row: &Conversation, is_muted: bool) -> String {
    let marks =
        [(row.mentioned, "@"), (row.pinned, "^"), (is_muted, "~"), (row.standing == crate::local::rows::REQUEST, "?")];
    let marks: String = marks.iter().filter(|(is_so, _)| *is_so).map(|(_, mark)| *mark).collect();
    if marks.is_empty() { "  ".to_owned() } else { format!("{marks} ") }
}

/// A conversation among those that can be gone to.
pub(crate) fn choice(row: &Conversation) -> String {
    let more = match (row.standing == crate::local::rows::REQUEST, row.archived, row.unread) {
        (true, _, _) => ", from somebody you don't know".to_owned(),
        (false, true, _) => ", put away".to_owned(),
        (false, false, 0) => String::new(),
        (false, false, unread) => format!(", {unread} unread"),
    };
    format!("{}{more}", title(row))
}

/// Above the messages: who is there, and what holds there.
pub(crate) fn talk_title(row: Option<&Conversation>, with: &str) -> String {
    let Some(row) = row else { return one_line(with) };
    let mut said = vec![title(row)];
    if !row.pair && !row.own {
        let name = |member: &crate::local::rows::Member| one_line(member.handle.as_deref().unwrap_or(&member.account));
        said.push(row.members.iter().map(name).collect::<Vec<_>>().join(", "));
    }
    said.extend((row.timer_s > 0).then(|| super::message::gone_after(row.timer_s)));
    if row.standing == crate::local::rows::REQUEST {
        said.push("you don't know them; a: accept, b: block, B: report and block, or leave it".to_owned());
    }
    let closed = if row.left { "you are not in it any more" } else { "not open yet" };
    said.extend((!row.ready).then(|| closed.to_owned()));
    said.extend(row.unverified.then(|| "some older messages don't fit what was sent later".to_owned()));
    said.extend(super::typing(&row.typing));
    said.join(" · ")
}

/// What is being answered.
pub(crate) fn answering(message: Option<(&str, &str)>) -> String {
    match message {
        Some((from, text)) => format!("answering {}: {}", one_line(from), super::message::short(text)),
        None => "answering a message".to_owned(),
    }
}

/// Who one is, and whether the service answers.
pub(crate) fn connection(state: &State) -> String {
    let handle = state.handle.as_deref().map(one_line).unwrap_or_default();
    let waiting = match state.waiting {
        0 => String::new(),
        1 => ", 1 message waits".to_owned(),
        several => format!(", {several} messages wait"),
    };
    let connection = match (state.connection, &state.offline_since) {
        (Connection::Offline, Some(since)) => format!("offline since {}", time(since)),
        (Connection::Offline, None) => "offline".to_owned(),
        (Connection::Online, _) => "connected".to_owned(),
        (Connection::Unknown, _) => "not asked yet".to_owned(),
    };
    let record = if state.freshness == "stale" { ", the record can't be checked now" } else { "" };
    format!("{handle} · {connection}{waiting}{record}")
}

/// On every living device; the key stops it.
pub(crate) fn reset_alarm(due: &str) -> String {
    format!(
        "SOMEONE ASKED TO RESET YOUR ACCOUNT: F8 stops it. If that isn't you, do so now; unstopped, it takes effect at {}.",
        time(due)
    )
}

/// Somebody else was reset.
pub(crate) fn contact_reset(handle: &str, at: &str) -> String {
    let handle = one_line(handle);
    format!(
        "{handle}'s account was reset at {}; it may be a new device after a loss, or someone else, so ask in another way before \
         you share anything private. Your messages to {handle} wait until you accept it: g, in the list.",
        time(at)
    )
}

/// A device still waits that somebody wanted to answer later.
pub(crate) fn waits(row: &Device) -> String {
    format!("{} waits to be let in: F2.", name(row))
}

fn name(row: &Device) -> String {
    row.name.as_deref().map_or_else(|| "A device without a name".to_owned(), claimed)
}

/// A device on its page.
pub(crate) fn device(row: &Device, all: &[Device]) -> String {
    let this = if row.this { ", this one" } else { "" };
    let state = match (row.state.as_str(), &row.confirmed_by) {
        ("pending", _) => "waits to be let in".to_owned(),
        ("confirmed", Some(by)) => format!("confirmed by {}", super::device::name_of(by, all)),
        ("confirmed", None) if row.recovered => "let in with the recovery key".to_owned(),
        ("confirmed", None) => "your first one".to_owned(),
        (other, _) => one_line(other),
    };
    let system = super::device::system(row).map(|system| format!("  {system}")).unwrap_or_default();
    let seen = super::device::seen(row, now_ms()).map(|seen| format!("; {seen}")).unwrap_or_default();
    format!("{}{system}  {state}{this}; added {}{seen}", name(row), time(&row.added_at))
}

/// Before a device is taken out.
pub(crate) fn ask_remove(row: &Device) -> String {
    format!(
        "Take {} out of your account, for good?\nNothing sent from then on can be read on it; what it already had may still be on \
         it.",
        name(row)
    )
}

/// Before a request is refused on the page of devices.
pub(crate) fn ask_refuse(row: &Device) -> String {
    format!("Refuse {}? It will never get in.\nWhoever it is knows your password: choose another one then.", name(row))
}

/// Before somebody is blocked.
pub(crate) fn ask_block(who: &str) -> String {
    format!("Block {}? They won't know, and nothing from them will reach you.", one_line(who))
}

/// Before a reset of somebody else is accepted.
pub(crate) fn ask_accept_reset(handle: &str) -> String {
    let handle = one_line(handle);
    format!(
        "Have you asked {handle} in another way whether the account was really reset?\nIf you go on, your messages go to the new \
         identity."
    )
}

/// Before a reset of the own account is stopped.
pub(crate) fn ask_veto(due: &str) -> String {
    format!("Stop the reset of your account? Unstopped, it takes effect at {}.", time(due))
}

/// Six digits, three and three, as far as they are typed.
pub(crate) fn digits(typed: &str, all: usize) -> String {
    let letters: Vec<char> = typed.chars().chain(std::iter::repeat('_')).take(all).collect();
    letters.chunks(3).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

/// Whether the new device gets the old messages; nothing is preset.
pub(crate) fn history_choice(chosen: Option<bool>) -> &'static str {
    match chosen {
        None => "Old messages: o( ) with w( ) without",
        Some(true) => "Old messages: o(x) with w( ) without",
        Some(false) => "Old messages: o( ) with w(x) without",
    }
}

/// The code that two people compare, in as many groups a row as fit.
pub(crate) fn verification(row: &Verification, width: usize) -> Vec<String> {
    let handle = one_line(&row.handle);
    let groups: Vec<&str> = row.code.split(' ').collect();
    let in_a_row = if width >= 23 { 4 } else { 3 };
    let mut lines: Vec<String> = groups.chunks(in_a_row).map(|row| row.join(" ")).collect();
    lines.push(match (row.verified, row.by_link) {
        (true, false) => format!("You have compared this code with {handle}."),
        (true, true) => format!("You know {handle} from a contact link, so there is no need to compare this."),
        (false, _) => {
            format!("If {handle} sees the same digits under your name, you have each other's true account. You never have to.")
        }
    });
    lines
}

/// What a desktop shows of a message: a name only.
pub(crate) fn notification(from: &str) -> String {
    format!("Trefoil: {}", one_line(from))
}

/// There is no terminal to draw on.
pub(crate) const NO_TERMINAL: &str = "this face needs a terminal; `trefoil read` and `trefoil send` do not";
/// What was asked has no answer.
pub(crate) const UNANSWERED: &str = "the agent ended before it had answered; look whether it was done";
/// The agent is another one now, and its messages are locked.
pub(crate) const LOCKED_NOW: &str =
    "the agent was started anew and your messages are locked; start `trefoil tui` again";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Kind;

    #[test]
    fn people_read_a_sentence_and_scripts_the_code() {
        let failure = Failure::new(Kind::Refused, "contact.unknown", "you know nobody (here) as bob");
        assert_eq!(failed(&failure), "You know nobody (here) as bob.");
    }

    #[test]
    fn digits_stand_three_and_three_as_they_are_typed() {
        assert_eq!([digits("", 6), digits("4180", 6), digits("418093", 6)], ["___ ___", "418 0__", "418 093"]);
    }
}
