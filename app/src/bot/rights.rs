//! What a program may do that was given a token: some of what a person's commands may, and never what is about devices, keys,
//! passwords or the agent itself.

use serde::{Deserialize, Serialize};

use crate::local::What;

/// A kind of things that a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Right {
    /// Reads: messages, conversations, contacts, and what comes.
    Read,
    /// Writes: sends, answers, changes and takes back, reacts, marks as read.
    Write,
    /// People: lets them in and out, accepts and blocks, opens conversations.
    People,
}

/// The right that a request takes; nothing for one that no token allows, and for one that has no end.
pub(crate) fn needed(what: &What) -> Option<Right> {
    Some(match what {
        What::Status
        | What::Contacts
        | What::Conversations
        | What::Read { follow: false, .. }
        | What::Older { .. }
        | What::Search { .. } => Right::Read,
        What::Send { .. }
        | What::Reply { .. }
        | What::Edit { .. }
        | What::Delete { .. }
        | What::React { .. }
        | What::MarkRead { .. } => Right::Write,
        What::NewChat { .. }
        | What::RenameChat { .. }
        | What::SetTimer { .. }
        | What::AddMembers { .. }
        | What::RemoveMembers { .. }
        | What::LeaveChat { .. }
        | What::SetAdmin { .. }
        | What::AddContact { .. }
        | What::Decide { .. } => Right::People,
        _ => return None,
    })
}
