//! What people read on the pages about conversations: what one does with a message, with a conversation, and in a search.

use super::message::{self, duration};
use super::web::{date, hour};
use super::{claimed, one_line, time};
use crate::clock::now_ms;
use crate::local::rows::{ALWAYS, Conversation, Message};

/// On a message.
pub(crate) const MORE: &str = "What to do with this message";
pub(crate) const EDITED: &str = "edited";
pub(crate) const TAKEN_BACK: &str = "Taken back";
pub(crate) const GONE: &str = "a message that is not here";
pub(crate) const GO_THERE: &str = "Show the message that this answers";
pub(crate) const REACTIONS: &str = "Reactions";
pub(crate) const REACT: &str = "React";
pub(crate) const REACT_WITH: &str = "Another emoji or word";
pub(crate) const ANSWER: &str = "Answer";
pub(crate) const EDIT: &str = "Edit";
pub(crate) const TAKE_BACK: &str = "Take back";
pub(crate) const TAKE_BACK_WHY: &str =
    "Take it back on everybody's devices? Whoever has read or copied it still knows it.";
pub(crate) const TOO_OLD: &str = "That message stands further above; scroll up, or search for it.";

/// Above the field for a text.
pub(crate) const YOU_ANSWER: &str = "You answer";
pub(crate) const YOU_EDIT: &str = "You change what you wrote";
pub(crate) const CANCEL: &str = "Cancel";

/// Files on their way.
pub(crate) const FILES_MOVE: &str = "Files on their way";
pub(crate) const SENDING: &str = "Sending";
pub(crate) const FETCHING: &str = "Fetching";
pub(crate) const STOP: &str = "Stop";
/// Those that were chosen and not sent yet; of pictures, dropped in or pasted.
pub(crate) const CHOSEN: &str = "Goes with the message";
pub(crate) const LEAVE_OUT: &str = "Leave out";
pub(crate) const SAVE: &str = "Save";
pub(crate) const SHOW: &str = "Show";
pub(crate) const PICTURE: &str = "Picture";
pub(crate) const CLOSE: &str = "Close";
pub(crate) const FILE_GONE: &str = "no longer at the service";
pub(crate) const SEND_FILE: &str = "Send a picture or another file";
pub(crate) const SEND_AS_IS: &str = "Send it with all that it tells";
pub(crate) const BROKEN_OFF: &str = "The file did not come here whole; choose it again.";
pub(crate) const TOO_LARGE: &str = "A file has up to 2 GiB.";

/// In the list.
pub(crate) const NEW: &str = "New conversation";
pub(crate) const PINNED: &str = "pinned";
pub(crate) const SILENT: &str = "silent";
/// Somebody waits there for whoever looks.
pub(crate) const MENTIONED: &str = "you are mentioned";
/// Whom one can mention.
pub(crate) const PEOPLE_HERE: &str = "People in this conversation";

/// A new conversation.
pub(crate) const NEW_WHY: &str = "For several people. To write to one alone, choose them under People.";
pub(crate) const ITS_TITLE: &str = "What it is called";
pub(crate) const WITH: &str = "Who is in it";
pub(crate) const OTHERS: &str = "Handles of others";
pub(crate) const OTHERS_EXAMPLE: &str = "dave, erin";
pub(crate) const BEGIN: &str = "Begin";
pub(crate) const NO_TITLE: &str = "a conversation of several people needs a name of one line, up to 255 bytes";
pub(crate) const NOBODY: &str = "choose somebody, or write a handle";

/// What one does with a conversation.
pub(crate) const MEMBERS: &str = "People in it";
pub(crate) const YOU: &str = "you";
pub(crate) const OPENED_IT: &str = "lets people in";
pub(crate) const ADMIN: &str = "May let people in and out";
pub(crate) const NO_ADMIN: &str = "May no longer let people in and out";
pub(crate) const LEAVE: &str = "Leave this conversation";
pub(crate) const LEAVE_WHY: &str =
    "What was said stays on your devices, and nothing more comes. The others see that you left.";
pub(crate) const NOT_IN_IT: &str = "You are not in this conversation any more. What was said stays here.";
pub(crate) const LET_IN: &str = "Let people in";
pub(crate) const LET_IN_BUTTON: &str = "Let in";
pub(crate) const LET_IN_DONE: &str =
    "They come in as soon as the record has proven their devices; what was written before stays unseen.";
pub(crate) const ONLY_OPENER: &str = "Others here let people in and out, and say what it is called.";
pub(crate) const TAKE_OUT: &str = "Take out";
pub(crate) const RENAME: &str = "Rename";
pub(crate) const TIMER: &str = "Disappearing messages";
pub(crate) const TIMER_WHY: &str = "New messages are gone from everybody's devices some time after they were read. Who reads them in another program may keep them.";
pub(crate) const TIMES: [(u32, &str); 5] =
    [(0, "Off"), (3_600, "1 hour"), (86_400, "1 day"), (604_800, "1 week"), (2_419_200, "4 weeks")];
pub(crate) const SOUNDS: &str = "Sounds";
pub(crate) const SOUNDS_ON: &str = "Make it silent, on all your devices, for";
pub(crate) const SILENCES: [(&str, &str); 3] = [("28800", "8 hours"), ("604800", "A week"), ("always", "For good")];
pub(crate) const SOUNDS_AGAIN: &str = "Let it make sounds again";
pub(crate) const PLACE: &str = "In the list";
pub(crate) const PIN: &str = "Pin it above the others";
pub(crate) const UNPIN: &str = "Unpin";
pub(crate) const PUT_AWAY: &str = "Put away";
pub(crate) const PUT_AWAY_WHY: &str = "What is put away comes back when somebody writes there, unless it is silent.";
pub(crate) const TAKE_OUT_AGAIN: &str = "Put it back into the list";

/// Search.
pub(crate) const SEARCH: &str = "Search";
pub(crate) const WORDS: &str = "Words";
pub(crate) const WORDS_EXAMPLE: &str = "all of which are in the message";
pub(crate) const BY_WHOM: &str = "Written by";
pub(crate) const ANYBODY: &str = "anybody";
pub(crate) const WHERE: &str = "In";
pub(crate) const ANYWHERE: &str = "all conversations";
pub(crate) const OLDER_ONES: &str = "What other devices of yours have of before this one came is not all here yet.";

/// What a message says that is no text: who came and went, a title, a picture, a timer.
pub(crate) fn line(row: &Message, is_own: bool) -> Option<String> {
    let who = if is_own { "You".to_owned() } else { one_line(&row.from) };
    if let Some(change) = &row.change {
        let what = if row.leaves() { "left".to_owned() } else { message::change(change) };
        return Some(format!("{who} {what}"));
    }
    if let Some(title) = &row.title {
        return Some(format!("{who} named this {}", claimed(title)));
    }
    if let Some(is_there) = row.pictured {
        return Some(format!("{who} {} the picture", if is_there { "changed" } else { "removed" }));
    }
    row.timer_s.map(|seconds| format!("{who} decided: {}", message::timer(seconds)))
}

/// The picture of a conversation.
pub(crate) const CHOOSE_PICTURE: &str = "Choose a picture";
pub(crate) const REMOVE_PICTURE: &str = "Remove it";
pub(crate) const PICTURE_WHY: &str =
    "Everybody in it sees it. It is cut to a small square, and carries nothing of the file but what it shows.";

/// How long a message is there.
pub(crate) fn lasts(seconds: u32) -> String {
    format!("gone {} after it was read", duration(seconds))
}

/// A time that is none of those on the page.
pub(crate) fn other_timer(seconds: u32) -> Option<String> {
    let is_listed = TIMES.iter().any(|(listed, _)| *listed == seconds);
    (!is_listed).then(|| format!("Now: {}", duration(seconds)))
}

/// Somebody may let people in and out, or may not any more.
pub(crate) fn letting(who: &str, on: bool) -> String {
    let who = one_line(who);
    if on { format!("{who} lets people in and out as well.") } else { format!("{who} lets nobody in or out any more.") }
}

/// Under the title of a conversation, where messages disappear.
pub(crate) fn about(row: &Conversation) -> String {
    let about = super::web::about(row);
    match row.timer_s {
        0 => about,
        seconds => format!("{about}; messages last {}", duration(seconds)),
    }
}

/// Who thinks so.
pub(crate) fn who_reacted(names: &[String], is_own: bool) -> String {
    let you = is_own.then(|| YOU.to_owned());
    let names: Vec<String> = you.into_iter().chain(names.iter().map(|name| one_line(name))).collect();
    names.join(", ")
}

/// For those who hear the page, and where one points.
pub(crate) fn reaction_of(reaction: &str, who: &str) -> String {
    format!("{}: {who}", one_line(reaction))
}

/// True while a conversation makes no sound.
pub(crate) fn is_silent(row: &Conversation) -> bool {
    row.muted_until.as_deref().is_some_and(|until| until == ALWAYS || is_to_come(until))
}

fn is_to_come(rfc3339: &str) -> bool {
    rfc3339.parse::<jiff::Timestamp>().is_ok_and(|at| u64::try_from(at.as_millisecond()).is_ok_and(|at| at > now_ms()))
}

/// How it is with its sounds.
pub(crate) fn silence(row: &Conversation) -> &'static str {
    match row.muted_until.as_deref() {
        Some(ALWAYS) => "Silent for good, on all your devices.",
        _ => "Silent, on all your devices.",
    }
}

/// Until when.
pub(crate) fn silent_until(row: &Conversation) -> Option<String> {
    let until = row.muted_until.as_deref().filter(|until| *until != ALWAYS)?;
    Some(format!("Until {}.", time(until)))
}

/// Conversations that are put away.
pub(crate) fn put_away(count: usize) -> String {
    format!("{PUT_AWAY} ({count})")
}

/// The button.
pub(crate) fn take_out(name: &str) -> String {
    format!("Take out {}", one_line(name))
}

/// Before somebody is taken out.
pub(crate) fn take_out_why(name: &str) -> String {
    format!("Take {} out? They keep what they have, and get nothing that is written from then on.", one_line(name))
}

/// After that.
pub(crate) fn taken_out(name: &str) -> String {
    format!("{} is taken out.", one_line(name))
}

/// After a change of the timer.
pub(crate) fn timer_set(seconds: u32) -> String {
    format!("Done: {}.", message::timer(seconds))
}

/// When something found was written.
pub(crate) fn found_at(rfc3339: &str, today: &str) -> String {
    let date = date(rfc3339);
    format!("{}, {}", super::web::day(&date, today), hour(rfc3339))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::rows::MemberChange;

    fn said() -> Message {
        Message { from: "alice\u{202e}".into(), ..Message::sample("") }
    }

    #[test]
    fn lines_say_who_did_what_and_hostile_names_stay_on_them() {
        let mut row = said();
        assert_eq!(line(&row, false), None, "a text is no line");
        row.timer_s = Some(86_400);
        assert_eq!(
            line(&row, true).as_deref(),
            Some("You decided: from here on messages are gone 1 day after they were read")
        );
        row.title = Some("a\u{202e}b\nc".into());
        assert_eq!(line(&row, false).as_deref(), Some("alice\\u{202e} named this \"a\\u{202e}b c\""));
        row.change = Some(MemberChange { came: vec!["bob".into()], went: Vec::new() });
        assert_eq!(line(&row, true).as_deref(), Some("You let in bob"));
        row.change = Some(MemberChange { came: Vec::new(), went: vec![row.from.clone()] });
        assert_eq!(line(&row, false).as_deref(), Some("alice\\u{202e} left"));
    }

    #[test]
    fn a_time_in_the_past_makes_nothing_silent() {
        assert!(!is_to_come("2020-01-01T00:00:00Z") && is_to_come("2990-01-01T00:00:00Z") && !is_to_come("never"));
    }
}
