//! What people read of messages.

use client::query::MessageState;
use protocol::tame;

use super::{offline, one_line, time};
use crate::local::rows::{Conversation, Message, Searched, Sent};

/// What an account's notes to itself are called.
pub(crate) const NOTES: &str = "notes to yourself";

/// A message; `title` is that of a conversation of several people. Further lines are indented, so that no text looks like
/// a message of somebody else.
pub(crate) fn line(row: &Message, own_account: Option<&str>, title: Option<&str>) -> String {
    let from = if own_account == Some(row.account.as_str()) { "you".to_owned() } else { one_line(&row.from) };
    let place = title.map(|title| format!(" in {}", one_line(title))).unwrap_or_default();
    let state = match row.state {
        MessageState::Waiting => "  (waiting)",
        MessageState::Failed => "  (not sent)",
        MessageState::Sent | MessageState::Received | MessageState::Unreadable => "",
    };
    let text = match row.state {
        MessageState::Unreadable => {
            format!("(This message couldn't be read here; {from}'s device was asked to send it again.)")
        }
        _ => tame::display(&row.text).lines().collect::<Vec<_>>().join("\n      "),
    };
    let text = match &row.file {
        Some(file) if text.is_empty() => super::file::of_message(file, &row.message),
        Some(file) => format!("{text}\n      {}", super::file::of_message(file, &row.message)),
        None => text,
    };
    format!("{}  {from}{place}: {text}{state}", time(&row.sent_at))
}

/// What became of a text.
pub(crate) fn sent(row: &Sent) -> String {
    match (row.state, row.encrypted_to.len()) {
        (MessageState::Sent | MessageState::Received, 1) => "Sent, encrypted to 1 device.".to_owned(),
        (MessageState::Sent | MessageState::Received, devices) => format!("Sent, encrypted to {devices} devices."),
        (MessageState::Failed, _) => "Not sent.".to_owned(),
        (MessageState::Waiting | MessageState::Unreadable, _) => offline(row.offline_since.as_deref(), row.waiting),
    }
}

/// What a search found and what it has looked through: what is here, and nothing else.
pub(crate) fn searched(row: &Searched, limit: u32) -> Vec<String> {
    let since = row.since.as_deref().map(|at| format!(", the oldest of {}", time(at))).unwrap_or_default();
    let found = match row.found {
        0 => "Nothing found".to_owned(),
        found if found > u64::from(limit) => format!("{found} found, the newest {limit} are shown"),
        found => format!("{found} found"),
    };
    let messages = if row.messages == 1 { "message that is" } else { "messages that are" };
    let mut lines = vec![format!("{found}, in the {} {messages} on this device{since}.", row.messages)];
    if !row.complete {
        lines.push("Older ones from your other devices are not all here yet: `trefoil history status`.".to_owned());
    }
    lines
}

/// A conversation in a list.
pub(crate) fn conversation(row: &Conversation) -> String {
    let id: String = row.conversation.chars().take(8).collect();
    let newest = row.newest_at.as_deref().map(|at| format!(", newest {}", time(at))).unwrap_or_default();
    let ready = match (row.ready, row.unverified) {
        (false, _) => ", not open yet",
        (true, true) => "; some older messages from your other device don't fit what their writers sent later",
        (true, false) => "",
    };
    let people = match row.pair || row.own {
        true => String::new(),
        false => {
            let name =
                |member: &crate::local::rows::Member| one_line(member.handle.as_deref().unwrap_or(&member.account));
            format!(" with {}", row.members.iter().map(name).collect::<Vec<_>>().join(", "))
        }
    };
    let unread = if row.unread > 0 { format!(", {} unread", row.unread) } else { String::new() };
    let title = if row.own { NOTES.to_owned() } else { one_line(&row.title) };
    let messages = if row.messages == 1 { "1 message".to_owned() } else { format!("{} messages", row.messages) };
    let devices = if row.devices == 1 { "1 device".to_owned() } else { format!("{} devices", row.devices) };
    format!("{id}  {title}{people}: {messages}{unread}, {devices}{newest}{ready}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str, state: MessageState) -> Message {
        Message {
            message: "m".into(),
            conversation: "c".into(),
            from: "alice".into(),
            account: "a".into(),
            device: "d".into(),
            text: text.into(),
            sent_at: "2026-08-02T14:02:11.123Z".into(),
            from_history: false,
            state,
            file: None,
        }
    }

    #[test]
    fn a_text_cannot_pose_as_another_message_or_move_the_cursor() {
        let row = message("hi\n2026-08-02 14:02  bob: fake\u{1b}[1A", MessageState::Received);
        let shown = line(&row, None, None);
        let at = time(&row.sent_at);
        assert!(shown.starts_with(&format!("{at}  alice: hi\n      2026")), "{shown:?}");
        assert!(!shown.contains('\u{1b}'));
    }

    #[test]
    fn a_message_that_cannot_be_read_is_no_riddle() {
        let shown = line(&message("", MessageState::Unreadable), None, None);
        assert!(shown.contains("couldn't be read here; alice's device was asked to send it again"));
    }

    #[test]
    fn a_search_says_what_it_has_looked_through() {
        let row = |found, complete| Searched {
            found,
            messages: 1_240,
            since: Some("2026-08-02T14:02:11.123Z".into()),
            complete,
        };
        let oldest = time("2026-08-02T14:02:11.123Z");
        let said = format!("Nothing found, in the 1240 messages that are on this device, the oldest of {oldest}.");
        assert_eq!(searched(&row(0, true), 20), [said]);
        assert!(searched(&row(30, true), 20)[0].starts_with("30 found, the newest 20 are shown"));
        assert!(searched(&row(3, false), 20)[1].contains("not all here yet"));
    }

    #[test]
    fn what_was_not_sent_says_so() {
        assert!(line(&message("hi", MessageState::Waiting), Some("a"), None).ends_with("you: hi  (waiting)"));
        let row = Sent {
            message: None,
            conversation: None,
            state: MessageState::Waiting,
            encrypted_to: Vec::new(),
            offline_since: Some("2026-08-02T14:02:11.123Z".into()),
            waiting: 3,
        };
        let since = time("2026-08-02T14:02:11.123Z");
        assert!(sent(&row).starts_with(&format!("Offline since {since}; 3 messages")));
    }
}
