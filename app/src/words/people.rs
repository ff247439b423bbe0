//! What people read about who may write to them (story 2).

use super::{one_line, time};
use crate::local::rows::Conversation;

/// Under the own link.
pub(crate) const LINK: &str = "Whoever has this link can write to you without being asked in, and knows that it is really you. `trefoil contact link \
     --withdraw` ends that.";
/// The links are no longer good.
pub(crate) const LINKS_WITHDRAWN: &str =
    "Withdrawn: whoever opens one of your links from now on lands among your requests, like anybody else.";
/// Nobody wants anything.
pub(crate) const NO_REQUESTS: &str = "Nobody whom you don't know has written to you.";
/// Somebody was blocked.
pub(crate) const BLOCKED: &str = "Blocked: they won't know, and nothing from them will reach you.";

/// Somebody may write.
pub(crate) fn accepted(who: &str) -> String {
    format!("{} can write to you now.", one_line(who))
}

/// Somebody has opened the link.
pub(crate) fn linked(who: &str, at: &str) -> String {
    format!("Since you last looked: {} opened your contact link ({}).", one_line(who), time(at))
}

/// Somebody unknown has opened a conversation.
pub(crate) fn request(row: &Conversation) -> String {
    let id: String = row.conversation.chars().take(8).collect();
    let who = one_line(&row.title);
    let when = row.newest_at.as_deref().map(|at| format!(", newest {}", time(at))).unwrap_or_default();
    let what = if row.pair { "wants to write to you" } else { "is a conversation somebody put you into" };
    let texts = if row.messages == 1 { "1 message".to_owned() } else { format!("{} messages", row.messages) };
    format!(
        "{id}  {who} {what} ({texts}{when}): `trefoil read {id}`, then `trefoil contact accept {id}`, `block`, `report`, or leave it \
         here; they won't know."
    )
}

/// Two codes are the same.
pub(crate) fn codes_match(handle: &str) -> String {
    format!("Codes match: {} is marked as verified on all your devices.", one_line(handle))
}

/// They are not.
pub(crate) fn codes_differ(handle: &str) -> String {
    let handle = one_line(handle);
    format!("codes differ: don't share anything private with {handle}, and tell {handle} by another way")
}

/// How many there are.
pub(crate) fn requests(count: usize) -> Option<String> {
    match count {
        0 => None,
        1 => Some("  requests     1 person whom you don't know has written: `trefoil contact requests`".to_owned()),
        _ => {
            Some(format!("  requests     {count} people whom you don't know have written: `trefoil contact requests`"))
        }
    }
}
