//! What people read of messages.

use client::query::MessageState;
use protocol::tame;

use super::{offline, one_line, time, unchecked};
use crate::local::rows::{Answered, Conversation, MemberChange, Message, Reaction, Receipted, Searched, Sent};

/// What an account's notes to itself are called.
pub(crate) const NOTES: &str = "notes to yourself";

/// After a change of a message.
pub(crate) const EDITED: &str = "Changed, on everybody's devices; the others see that it was.";
/// After a message was taken back.
pub(crate) const TAKEN_BACK: &str = "Taken back; whoever has read it or copied it still knows it.";
/// After a reaction.
pub(crate) const REACTED: &str = "Done.";
/// After a conversation was called otherwise.
pub(crate) const RENAMED: &str = "Done; everybody in it sees the new name.";
/// After it was given a picture, or none.
pub(crate) const PICTURED: &str = "Done; everybody in it sees the new picture.";
pub(crate) const UNPICTURED: &str = "Done; it has no picture any more.";
/// After a conversation was left.
pub(crate) const LEFT: &str = "You have left; what was said stays here, and nothing more comes.";
/// After a change of how a conversation is kept.
pub(crate) const MUTED: &str = "Silent, on all your devices.";
pub(crate) const UNMUTED: &str = "It makes sounds again.";
pub(crate) const PINNED: &str = "It stands above the others.";
pub(crate) const UNPINNED: &str = "It stands among the others.";
pub(crate) const ARCHIVED: &str = "Put away; it comes back when somebody writes there.";
pub(crate) const UNARCHIVED: &str = "It is back.";
/// After a change of what was begun to be written.
pub(crate) const DRAFTED: &str = "Kept; it stands there on all your devices until you send something.";
pub(crate) const NO_DRAFT: &str = "Nothing stands there any more.";
/// Letters of a message that stand before an answer to it.
const QUOTED: usize = 40;

/// A message; `title` is that of a conversation of several people. Further lines are indented, so that no text looks like
/// a message of somebody else.
pub(crate) fn line(row: &Message, own_account: Option<&str>, title: Option<&str>) -> String {
    let from = writer(row, own_account);
    let place = title.map(|title| format!(" in {}", one_line(title))).unwrap_or_default();
    let text = body(row, &from).lines().collect::<Vec<_>>().join("\n      ");
    let answers = row.answers.as_ref().map(answered).unwrap_or_default();
    let reactions = reactions(row);
    format!("{}  {from}{place}: {answers}{text}{}{reactions}", time(&row.sent_at), marks(row, from == YOU))
}

/// What the own account is called.
const YOU: &str = "you";

/// Who wrote it.
pub(crate) fn writer(row: &Message, own_account: Option<&str>) -> String {
    if own_account == Some(row.account.as_str()) { YOU.to_owned() } else { one_line(&row.from) }
}

/// What it says, or why it says nothing.
pub(crate) fn body(row: &Message, from: &str) -> String {
    match row.state {
        MessageState::Unreadable => {
            format!("(This message couldn't be read here; {from}'s device was asked to send it again.)")
        }
        _ if row.leaves() => "(left)".to_owned(),
        _ if row.change.is_some() => format!("({})", row.change.as_ref().map(change).unwrap_or_default()),
        _ if row.title.is_some() => {
            format!("(from here on this is called {:?})", one_line(row.title.as_deref().unwrap_or_default()))
        }
        _ if row.pictured == Some(true) => "(changed the picture of this)".to_owned(),
        _ if row.pictured == Some(false) => "(removed the picture of this)".to_owned(),
        _ if row.deleted => "(taken back)".to_owned(),
        _ if row.timer_s.is_some() => format!("({})", timer(row.timer_s.unwrap_or_default())),
        _ => match (&row.file, tame::display(&row.said())) {
            (None, text) => text,
            (Some(file), text) if text.is_empty() => super::file::of_message(file, &row.message),
            (Some(file), text) => format!("{text}\n{}", super::file::of_message(file, &row.message)),
        },
    }
}

/// A line of a message in pieces, some of which are names of those whom it mentions.
pub(crate) fn with_names<'l>(row: &Message, line: &'l str) -> Vec<(bool, &'l str)> {
    let names = row.pieces().into_iter().filter_map(|(who, piece)| Some(tame::display(&who?.shown(piece))));
    let names: Vec<String> = names.collect();
    let (mut pieces, mut rest) = (Vec::new(), line);
    let next = |text: &str| names.iter().filter_map(|name| Some((text.find(name.as_str())?, name.len()))).min();
    while let Some((at, length)) = next(rest) {
        let Some((before, behind)) = rest.split_at_checked(at) else { break };
        let Some((name, behind)) = behind.split_at_checked(length) else { break };
        pieces.extend([(false, before), (true, name)]);
        rest = behind;
    }
    pieces.push((false, rest));
    pieces.retain(|(_, piece)| !piece.is_empty());
    pieces
}

/// A line of a message on a terminal, where names of those whom it mentions stand out.
pub(crate) fn with_bold_names(row: &Message, line: &str) -> String {
    let bold =
        |(is_name, piece): (bool, &str)| if is_name { format!("\u{1b}[1m{piece}\u{1b}[0m") } else { piece.to_owned() };
    with_names(row, line).into_iter().map(bold).collect()
}

/// What became of it.
pub(crate) fn marks(row: &Message, is_own: bool) -> String {
    let unchecked = unchecked::mark(row).map(|mark| format!("; {mark}")).unwrap_or_default();
    let state = reached(row, is_own).map(|state| format!("  ({state}{unchecked})")).unwrap_or_default();
    format!("{}{state}", if row.edited { "  (edited)" } else { "" })
}

/// How far an own message has come; also one that was written on another device of the account.
pub(crate) fn reached(row: &Message, is_own: bool) -> Option<&'static str> {
    if !is_own || row.deleted || row.change.is_some() {
        return None;
    }
    match row.state {
        MessageState::Waiting => Some("waiting"),
        MessageState::Sent | MessageState::Received => Some("sent"),
        MessageState::Delivered => Some("delivered"),
        MessageState::Read => Some("read"),
        MessageState::Failed => Some("not sent"),
        MessageState::Unreadable => None,
    }
}

/// Who has it and who has read it, in one line; nothing where one word says it all.
pub(crate) fn receipts(row: &Message) -> Option<String> {
    let of = |state: MessageState, said: &str| {
        let names: Vec<_> =
            row.receipts.iter().filter(|it: &&Receipted| it.state == state).map(|it| one_line(&it.from)).collect();
        (!names.is_empty()).then(|| format!("{said} {}", names.join(", ")))
    };
    let parts = [of(MessageState::Read, "read by"), of(MessageState::Delivered, "delivered to")];
    let said: Vec<_> = parts.into_iter().flatten().collect();
    (!said.is_empty()).then(|| said.join("; "))
}

/// Who came and went, after the name of who let them in or took them out.
pub(crate) fn change(change: &MemberChange) -> String {
    let names = |names: &[String]| names.iter().map(|name| one_line(name)).collect::<Vec<_>>().join(", ");
    match (change.came.as_slice(), change.went.as_slice()) {
        (came, []) => format!("let in {}", names(came)),
        ([], went) => format!("took out {}", names(went)),
        (came, went) => format!("let in {} and took out {}", names(came), names(went)),
    }
}

/// After what time messages are gone.
pub(crate) fn timer(seconds: u32) -> String {
    match seconds {
        0 => "from here on messages stay".to_owned(),
        seconds => format!("from here on messages are {}", gone_after(seconds)),
    }
}

/// When they are.
pub(crate) fn gone_after(seconds: u32) -> String {
    format!("gone {} after they were read", duration(seconds))
}

/// A time in words, in the largest unit that it is a whole number of.
pub(super) fn duration(seconds: u32) -> String {
    let units = [(604_800, "week"), (86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let (unit, name) = units.into_iter().find(|(unit, _)| seconds.is_multiple_of(*unit)).unwrap_or((1, "second"));
    match seconds / unit {
        1 => format!("1 {name}"),
        number => format!("{number} {name}s"),
    }
}

/// The message that another one answers, in a few words.
pub(crate) fn answered(row: &Answered) -> String {
    let from = row.from.as_deref().map_or_else(|| "somebody".to_owned(), one_line);
    match &row.text {
        Some(text) => format!("[to {from}: {}] ", short(text)),
        None => format!("[to a message of {from}] "),
    }
}

/// The beginning of a text, on one line.
pub(crate) fn short(text: &str) -> String {
    let text = one_line(text);
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// What people think of a message, on a line of its own.
pub(crate) fn reactions(row: &Message) -> String {
    let said = |it: &Reaction| format!("{} {}", one_line(&it.reaction), one_line(&it.from));
    match row.reactions.as_slice() {
        [] => String::new(),
        reactions => format!("\n      [{}]", reactions.iter().map(said).collect::<Vec<_>>().join(", ")),
    }
}

/// What became of something that was said about a message.
pub(crate) fn done(row: &Sent, said: &str) -> String {
    match row.state {
        MessageState::Sent | MessageState::Received | MessageState::Delivered | MessageState::Read => said.to_owned(),
        _ => sent(row),
    }
}

/// What became of a text.
pub(crate) fn sent(row: &Sent) -> String {
    match (row.state, row.encrypted_to.len()) {
        (MessageState::Failed, _) => "Not sent.".to_owned(),
        (MessageState::Waiting | MessageState::Unreadable, _) => offline(row.offline_since.as_deref(), row.waiting),
        (_, 1) => "Sent, encrypted to 1 device.".to_owned(),
        (_, devices) => format!("Sent, encrypted to {devices} devices."),
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
        (false, _) if row.left => ", you are not in it any more",
        (false, _) => ", not open yet",
        (true, true) => "; some older messages from your other device don't fit what their writers sent later",
        (true, false) => "",
    };
    let people = match row.pair || row.own || row.members.is_empty() {
        true => String::new(),
        false => {
            let name =
                |member: &crate::local::rows::Member| one_line(member.handle.as_deref().unwrap_or(&member.account));
            format!(" with {}", row.members.iter().map(name).collect::<Vec<_>>().join(", "))
        }
    };
    let marks = [
        (row.pinned, "pinned"),
        (row.muted_until.is_some(), "silent"),
        (row.archived, "put away"),
        (row.draft.is_some(), "begun"),
        (row.stale_since.is_some() && !row.unchecked, "waits for the public record"),
    ];
    let marks: String = marks.iter().filter(|(is_so, _)| *is_so).map(|(_, mark)| format!(", {mark}")).collect();
    let at = if row.mentioned { ", you are mentioned" } else { "" };
    let unread = if row.unread > 0 { format!(", {} unread{at}", row.unread) } else { String::new() };
    let title = if row.own { NOTES.to_owned() } else { one_line(&row.title) };
    let messages = if row.messages == 1 { "1 message".to_owned() } else { format!("{} messages", row.messages) };
    let devices = if row.devices == 1 { "1 device".to_owned() } else { format!("{} devices", row.devices) };
    format!("{id}  {title}{people}: {messages}{unread}, {devices}{newest}{marks}{ready}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str, state: MessageState) -> Message {
        Message { state, ..Message::sample(text) }
    }

    /// MSG-1 to MSG-4, and attack 57: nothing of it can pose as a message.
    #[test]
    fn what_became_of_a_message_stands_with_it() {
        let reaction = |text: &str| Reaction { reaction: text.into(), from: "bob".into(), account: "b".into() };
        let mut row = message("six", MessageState::Received);
        row.edited = true;
        row.reactions = vec![reaction("\u{1f44d}"), reaction("\u{1b}[2J\nbob: fake")];
        let quoted = Some("when?\nor never".to_owned());
        row.answers = Some(Answered { message: "q".into(), from: Some("bob".into()), text: quoted, file: None });
        let shown = line(&row, None, None);
        assert!(shown.contains("alice: [to bob: when?"), "{shown}");
        assert!(shown.contains("six  (edited)\n      [\u{1f44d} bob, "), "{shown}");
        assert!(!shown.contains('\u{1b}') && shown.lines().count() == 2, "{shown}");
        row.deleted = true;
        assert!(line(&row, None, None).contains("(taken back)"));
        assert_eq!(short(&"x".repeat(50)), format!("{}…", "x".repeat(40)));
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

    /// MSG-9: a word each, on whichever device of the account it was written; of somebody else's nothing.
    #[test]
    fn an_own_message_says_how_far_it_has_come() {
        let states = [
            (MessageState::Sent, "sent"),
            (MessageState::Received, "sent"),
            (MessageState::Delivered, "delivered"),
            (MessageState::Read, "read"),
        ];
        for (state, word) in states {
            let row = message("hi", state);
            assert!(line(&row, Some("a"), None).ends_with(&format!("you: hi  ({word})")), "{word}");
            assert!(line(&row, Some("b"), None).ends_with("alice: hi"), "{word}");
        }
        let said = |from: &str, state| Receipted { state, from: from.into(), account: from.into() };
        let mut row = message("hi", MessageState::Delivered);
        assert_eq!(receipts(&row), None);
        row.receipts = vec![said("bob", MessageState::Read), said("a\u{1b}[2J", MessageState::Delivered)];
        assert_eq!(receipts(&row).unwrap(), "read by bob; delivered to a\\u{1b}[2J");
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
            tells_place: false,
            unchecked_s: None,
        };
        let since = time("2026-08-02T14:02:11.123Z");
        assert!(sent(&row).starts_with(&format!("Offline since {since}; 3 messages")));
    }
}
