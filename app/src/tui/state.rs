//! All that the face knows and shows. It has no clock, no socket and no terminal: [`super::update`] changes it,
//! [`super::draw`] shows it.

use std::collections::{BTreeMap, BTreeSet};

use protocol::api::reports::Reason;

use super::editor::Editor;
use super::popup::Popup;
use super::talk::Talk;
use crate::failure::Failure;
use crate::local::What;
use crate::local::rows::{self, ALWAYS, Contact, Conversation, Device, Message, Notice, OPEN, REQUEST};

/// From how many columns on list and conversation stand beside each other.
const WIDE: u16 = 64;

/// What has the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pane {
    List,
    Messages,
    Writing,
}

/// What fills the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    Talk,
    Devices,
}

/// What a text that is being written will be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Purpose {
    #[default]
    New,
    /// An answer to a message.
    Reply(String),
    /// Instead of an own message.
    Edit(String),
}

/// A text that was not sent yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Draft {
    pub(super) editor: Editor,
    pub(super) purpose: Purpose,
    /// What was being written before an own message was to be changed.
    pub(super) aside: Editor,
    /// What the other devices know of it.
    pub(super) told: String,
}

impl Draft {
    /// What was begun to be written as a new message.
    pub(super) fn begun(&self) -> String {
        if matches!(self.purpose, Purpose::Edit(_)) { self.aside.text() } else { self.editor.text() }
    }
}

/// Something that is asked of the agent.
pub(super) struct Wish {
    pub(super) why: Why,
    pub(super) what: What,
}

/// What an answer is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    Status,
    Conversations,
    Messages,
    Devices,
    Notices,
    Contacts,
    /// Whatever comes.
    Follow,
    /// What changes without a message.
    Changes,
    Search,
    /// The code that two people compare.
    Code,
    /// A text, or something about a message: what to say once the service has it, nothing for a text.
    Said(Option<&'static str>),
    /// The digits of a waiting device.
    Open(String),
    Confirm(String),
    Refuse(String),
    /// A handle was looked up.
    Added(String),
    /// Somebody was reported: who, and why.
    Reported(String, Reason),
    /// Anything else: what to say when it is done.
    Tell(String),
    /// Nobody needs to hear of it.
    Quiet,
}

/// A line at the bottom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Remark {
    pub(super) text: String,
    pub(super) is_bad: bool,
    /// The tick at which it was said.
    pub(super) since: u64,
}

/// How the face ended.
#[derive(Debug)]
pub(super) enum End {
    /// Somebody wanted it.
    Wanted,
    /// There is nothing to show any more.
    Failed(Failure),
}

/// What is known and shown.
pub(super) struct State {
    /// Columns and rows of the terminal.
    pub(super) size: (u16, u16),
    /// RFC 3339.
    pub(super) now: String,
    pub(super) status: Option<rows::State>,
    /// As the agent orders them: pinned ones first, then the newest.
    pub(super) conversations: Vec<Conversation>,
    pub(super) devices: Vec<Device>,
    pub(super) notices: Vec<Notice>,
    pub(super) contacts: Vec<Contact>,
    pub(super) talk: Option<Talk>,
    /// By what the conversation is called towards the agent.
    pub(super) drafts: BTreeMap<String, Draft>,
    pub(super) focus: Pane,
    pub(super) page: Page,
    /// The conversation that is marked in the list, by its id.
    pub(super) marked: Option<String>,
    /// The device that is marked on its page.
    pub(super) device: usize,
    pub(super) popup: Option<Popup>,
    /// Requests that somebody wants to answer later.
    pub(super) put_off: BTreeSet<String>,
    pub(super) remark: Option<Remark>,
    /// True while the agent is out of reach.
    pub(super) is_agent_lost: bool,
    /// Looks that are not answered yet.
    pub(super) under_way: BTreeSet<Why>,
    pub(super) ticks: u64,
    /// The tick at which others were told that one types.
    pub(super) typed: Option<u64>,
    /// Who wrote, for the terminal to make a sound.
    pub(super) ring: Option<String>,
    pub(super) end: Option<End>,
}

impl State {
    /// Nothing is known yet.
    pub(super) fn new(size: (u16, u16)) -> Self {
        Self {
            size,
            now: String::new(),
            status: None,
            conversations: Vec::new(),
            devices: Vec::new(),
            notices: Vec::new(),
            contacts: Vec::new(),
            talk: None,
            drafts: BTreeMap::new(),
            focus: Pane::List,
            page: Page::Talk,
            marked: None,
            device: 0,
            popup: None,
            put_off: BTreeSet::new(),
            remark: None,
            is_agent_lost: false,
            under_way: BTreeSet::new(),
            ticks: 0,
            typed: None,
            ring: None,
            end: None,
        }
    }

    /// True if list and conversation stand beside each other.
    pub(super) fn is_wide(&self) -> bool {
        self.size.0 >= WIDE
    }

    /// What is in the list: open conversations, those put away left out, then requests.
    pub(super) fn listed(&self) -> Vec<&Conversation> {
        let open = self.conversations.iter().filter(|row| row.standing == OPEN && !row.archived);
        open.chain(self.conversations.iter().filter(|row| row.standing == REQUEST)).collect()
    }

    /// The marked row of the list.
    pub(super) fn marked_row(&self) -> Option<&Conversation> {
        let listed = self.listed();
        let marked = self.marked.as_deref();
        listed.iter().find(|row| Some(row.conversation.as_str()) == marked).or(listed.first()).copied()
    }

    /// The conversation that is open, once it is there.
    pub(super) fn talk_row(&self) -> Option<&Conversation> {
        let talk = self.talk.as_ref()?;
        self.conversations.iter().find(|row| is_called(row, &talk.with))
    }

    /// What the keys are about: the marked conversation in the list, otherwise the open one.
    pub(super) fn meant_row(&self) -> Option<&Conversation> {
        if self.focus == Pane::List { self.marked_row() } else { self.talk_row() }
    }

    /// What is being written in the open conversation.
    pub(super) fn draft(&self) -> Option<&Draft> {
        self.drafts.get(&self.talk.as_ref()?.with)
    }

    /// The same, to write on.
    pub(super) fn draft_mut(&mut self) -> Option<&mut Draft> {
        let with = self.talk.as_ref()?.with.clone();
        Some(self.drafts.entry(with).or_default())
    }

    /// The own account.
    pub(super) fn own(&self) -> Option<&str> {
        self.status.as_ref()?.account.as_deref()
    }

    /// True if a message there makes no sound now.
    pub(super) fn is_muted(&self, conversation: &str) -> bool {
        let row = self.conversations.iter().find(|row| row.conversation == conversation);
        let until = row.and_then(|row| row.muted_until.as_deref());
        until.is_some_and(|until| until == ALWAYS || until > self.now.as_str())
    }

    /// The marked message.
    pub(super) fn message(&self) -> Option<&Message> {
        self.talk.as_ref()?.marked()
    }

    /// A device of the account, by its id.
    pub(super) fn device_row(&self, id: &str) -> Option<&Device> {
        self.devices.iter().find(|row| row.device == id)
    }

    /// The line at the bottom says this.
    pub(super) fn say(&mut self, text: impl Into<String>) {
        self.remark = Some(Remark { text: text.into(), is_bad: false, since: self.ticks });
    }

    /// The same about something that went wrong.
    pub(super) fn complain(&mut self, failure: &Failure) {
        self.remark = Some(Remark { text: crate::words::tui::failed(failure), is_bad: true, since: self.ticks });
    }
}

/// True if the agent means this conversation by that name.
pub(super) fn is_called(row: &Conversation, with: &str) -> bool {
    row.conversation == with || (row.pair && row.title == with)
}

/// A wish to look at something.
pub(super) fn look(why: Why) -> Wish {
    let what = match why {
        Why::Conversations => What::Conversations,
        Why::Devices => What::Devices,
        Why::Notices => What::Notices,
        Why::Contacts => What::Contacts,
        Why::Follow => What::Read { with: None, limit: 0, follow: true },
        Why::Changes => What::Changes,
        _ => What::Status,
    };
    Wish { why, what }
}
