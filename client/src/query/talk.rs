//! What a person may ask of conversations, messages and people.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use chain::handle::Handle;
use chain::id::{AccountId, Digest};
use chain::sigchain::body::Confirmer;
use protocol::content::{Content, Mention, Part, Receipt};
use protocol::id::{GroupId, MessageId};
use protocol::people::Standing;
use protocol::settings::is_self_group_id;

use super::{
    AnsweredRow, ChangeRow, ContactRow, ConversationRow, FileRow, MentionRow, MessageRow, MessageState, NEWEST_LETTERS,
    ReactionRow, ReceiptRow,
};
use crate::arranging;
use crate::contacts::{self, CONTACT, Contact};
use crate::conversation::{self, Conversation, Stage};
use crate::device::Device;
use crate::error::Error;
use crate::files::file_of;
use crate::leaving;
use crate::mentions;
use crate::message::{MemberChange, Stored};
use crate::mls::{Loaded, Mls};
use crate::own;
use crate::people;
use crate::picture;
use crate::reading::read_up_to;
use crate::receipts::{self, Receipts, said_by_all};
use crate::record;
use crate::settings;
use crate::store::Store;

/// The newest messages, oldest of them first: of those conversations that a handle, a title or the beginning of an id names,
/// or of all but those that somebody unknown or blocked has opened (PPL-2).
///
/// # Errors
/// [`Error`].
pub fn messages(store: &Store<'_>, with: Option<&str>, limit: u32) -> Result<Vec<MessageRow>, Error> {
    let groups = groups_to_show(store, with)?;
    rows_of(store, store.newest_messages(groups.as_deref(), limit)?)
}

/// As [`messages`], with the lines that are none: who came and went.
///
/// # Errors
/// [`Error`].
pub fn lines(store: &Store<'_>, with: Option<&str>, limit: u32) -> Result<Vec<MessageRow>, Error> {
    let groups = groups_to_show(store, with)?;
    rows_of(store, store.newest_lines(groups.as_deref(), limit)?)
}

/// The messages that stand before another one of a conversation, oldest of them first; none if that one is not there.
///
/// # Errors
/// [`Error`].
pub fn messages_before(
    store: &Store<'_>,
    group: &GroupId,
    before: &MessageId,
    limit: u32,
) -> Result<Vec<MessageRow>, Error> {
    rows_of(store, store.messages_above(group, before, limit)?)
}

/// Messages with the names of their writers.
pub(crate) fn rows_of(store: &Store<'_>, messages: Vec<Stored>) -> Result<Vec<MessageRow>, Error> {
    let mut names = Names::default();
    messages.into_iter().map(|stored| message_row(store, &mut names, stored)).collect()
}

/// What was looked up already: handles, and whose messages are own ones and what may be shown of them.
#[derive(Default)]
struct Names {
    handles: BTreeMap<AccountId, Option<String>>,
    own: Option<(Option<AccountId>, Receipts)>,
    members: BTreeMap<GroupId, BTreeSet<AccountId>>,
}

impl Names {
    /// The own account, and which receipts it gives and sees.
    fn own(&mut self, store: &Store<'_>) -> Result<(Option<AccountId>, Receipts), Error> {
        if let Some(own) = self.own {
            return Ok(own);
        }
        let account = own::stored(store)?.and_then(|own| own.account());
        Ok(*self.own.insert((account, receipts::wanted(store)?)))
    }

    /// Who is in a conversation; nobody in one that this device is not in.
    fn members(&mut self, store: &Store<'_>, group: &GroupId) -> Result<&BTreeSet<AccountId>, Error> {
        Ok(match self.members.entry(*group) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(place) => {
                let device = own::stored(store)?.and_then(|own| own.device());
                place.insert(match device {
                    Some(device) if Mls::reading(*store, &device).has(group)? => {
                        Mls::reading(*store, &device).composition_to_show(group, None)?.accounts().into_iter().collect()
                    }
                    _ => BTreeSet::new(),
                })
            }
        })
    }

    fn of(&mut self, store: &Store<'_>, account: &AccountId) -> Result<Option<String>, Error> {
        match self.handles.entry(*account) {
            Entry::Occupied(found) => Ok(found.get().clone()),
            Entry::Vacant(place) => Ok(place.insert(handle_of(store, account)?).clone()),
        }
    }
}

/// The groups that a handle, a title or the beginning of an id names.
pub(crate) fn groups_meant(store: &Store<'_>, with: &str) -> Result<Vec<GroupId>, Error> {
    Ok(meant(store, with)?.into_iter().map(|it| it.group).collect())
}

/// Everybody who has, or had, this handle, as far as this device knows.
pub(crate) fn accounts_called(store: &Store<'_>, handle: &Handle) -> Result<BTreeSet<AccountId>, Error> {
    let contacts = contacts::all(store)?.into_iter().filter(|(_, contact)| contact.handle == handle.as_str());
    let own = own::stored(store)?.filter(|own| own.handle == handle.as_str()).and_then(|own| own.account());
    Ok(contacts.map(|(account, _)| account).chain(own).collect())
}

/// The groups that are meant, or those that are open; nothing if all are.
fn groups_to_show(store: &Store<'_>, with: Option<&str>) -> Result<Option<Vec<GroupId>>, Error> {
    match with {
        None => open_groups(store),
        Some(with) => groups_meant(store, with).map(Some),
    }
}

/// The groups of the conversations that are open; nothing if all are.
fn open_groups(store: &Store<'_>) -> Result<Option<Vec<GroupId>>, Error> {
    let (mut groups, mut are_all) = (Vec::new(), true);
    for conversation in conversation::all(store)? {
        match people::standing(store, &conversation)? {
            Standing::Open => groups.push(conversation.group),
            Standing::Request | Standing::Blocked => are_all = false,
        }
    }
    Ok((!are_all).then_some(groups))
}

/// True for a conversation whose messages people hear of: nobody unknown or blocked has opened it.
///
/// # Errors
/// [`Error`].
pub fn is_open(store: &Store<'_>, group: &GroupId) -> Result<bool, Error> {
    let Some(conversation) = conversation::found(store, group)? else { return Ok(false) };
    Ok(people::standing(store, &conversation)? == Standing::Open)
}

/// One message by its row.
///
/// # Errors
/// [`Error`].
pub fn message(store: &Store<'_>, row: i64) -> Result<Option<MessageRow>, Error> {
    let Some(stored) = store.message(row)? else { return Ok(None) };
    message_row(store, &mut Names::default(), stored).map(Some)
}

/// All conversations: those that are pinned, and then the others, the one with the newest message first.
///
/// # Errors
/// [`Error`].
pub fn conversations(store: &Store<'_>) -> Result<Vec<ConversationRow>, Error> {
    conversations_of(store, None)
}

/// The same, with the groups that a client has read.
pub(crate) fn conversations_of(store: &Store<'_>, loaded: Option<&Loaded>) -> Result<Vec<ConversationRow>, Error> {
    let device = own::stored(store)?.and_then(|own| own.device());
    let mut rows = Vec::new();
    for conversation in conversation::all(store)? {
        rows.push(conversation_row(store, loaded, device.as_ref(), &conversation)?);
    }
    // among themselves the devices of an account share more than notes, and nobody needs to see where
    rows.retain(|row| !row.own || row.messages > 0);
    rows.sort_by_key(|row| std::cmp::Reverse((row.pinned, row.newest.as_ref().map(|newest| newest.sent_at_ms))));
    Ok(rows)
}

/// Everybody whom this device knows by name, in the order of their handles.
///
/// # Errors
/// [`Error`].
pub fn contacts(store: &Store<'_>) -> Result<Vec<ContactRow>, Error> {
    let mut rows = Vec::new();
    let is_shown = |(_, contact): &(AccountId, Contact)| !contact.is_former && contact.instead_of.is_none();
    for (account, contact) in contacts::all(store)?.into_iter().filter(is_shown) {
        let set = record::kept_set(store, &account)?;
        let newest = set.iter().flat_map(|set| set.confirmed().values()).max_by_key(|device| device.sequence);
        let reset_s = contacts::reset_s(store, &account, set.as_ref())?;
        // nobody has compared a code with whoever goes on now
        let is_same = reset_s.is_none();
        rows.push(ContactRow {
            account,
            handle: contact.handle,
            devices: set.as_ref().map_or(0, |set| set.confirmed().len()),
            newest_s: newest.map_or(0, |device| device.at_s),
            newest_by: newest.and_then(|device| match device.by {
                Some(Confirmer::Device(device)) => Some(device),
                Some(Confirmer::RecoveryKey) | None => None,
            }),
            reset_s,
            verified: is_same && settings::is_verified(store, &account)?,
            by_link: is_same && settings::is_known_by_link(store, &account)?,
            decision: people::decision(store, &account)?,
        });
    }
    rows.sort_by(|a, b| a.handle.cmp(&b.handle));
    Ok(rows)
}

/// True if a handle, a title or the beginning of an id names a conversation that is there.
///
/// # Errors
/// [`Error`].
pub fn knows(store: &Store<'_>, with: &str) -> Result<bool, Error> {
    Ok(!meant(store, with)?.is_empty())
}

/// True if a handle, a title or the beginning of an id names this conversation.
///
/// # Errors
/// [`Error`].
pub fn is_of(store: &Store<'_>, group: &GroupId, with: &str) -> Result<bool, Error> {
    Ok(groups_meant(store, with)?.contains(group))
}

/// Who has opened the conversations that a handle, a title or the beginning of an id names, but for the own account.
///
/// # Errors
/// [`Error`].
pub fn openers(store: &Store<'_>, with: &str) -> Result<Vec<AccountId>, Error> {
    let openers = meant(store, with)?.into_iter().flat_map(|it| it.openers).map(AccountId);
    let different: BTreeSet<_> = openers.collect();
    Ok(different.into_iter().collect())
}

fn meant(store: &Store<'_>, with: &str) -> Result<Vec<Conversation>, Error> {
    let named = conversation::named(store, with)?;
    if !named.is_empty() {
        return Ok(named);
    }
    let Ok(handle) = Handle::parse(with.split('@').next().unwrap_or_default()) else {
        return conversation::called_by_others(store, with);
    };
    let own = own::stored(store)?.filter(|own| own.handle == handle.as_str()).and_then(|own| own.account());
    let mut found = Vec::new();
    for conversation in conversation::all(store)? {
        if own.is_some_and(|own| is_self_group_id(&own, &conversation.group)) {
            found.push(conversation);
            continue;
        }
        let Some(pair) = conversation.pair else { continue };
        if handle_of(store, &AccountId(pair))?.as_deref() == Some(handle.as_str()) {
            found.push(conversation);
        }
    }
    // to look at, what others call so will do
    if found.is_empty() { conversation::called_by_others(store, with) } else { Ok(found) }
}

fn handle_of(store: &Store<'_>, account: &AccountId) -> Result<Option<String>, Error> {
    let own = own::stored(store)?.filter(|own| own.account() == Some(*account)).map(|own| own.handle);
    match own {
        Some(handle) => Ok(Some(handle)),
        None => Ok(store.get::<Contact>(CONTACT, &account.0)?.map(|contact| contact.handle)),
    }
}

fn message_row(store: &Store<'_>, names: &mut Names, stored: Stored) -> Result<MessageRow, Error> {
    let (state, receipts) = reached(store, names, &stored)?;
    let mentions = mentioned(store, names, &stored)?;
    let kept = stored.kept;
    let content = Content::decode(&kept.content).ok();
    let file = content.as_ref().and_then(|content| match &content.part {
        Part::External(file) => Some(file.clone()),
        _ => None,
    });
    let text = file.as_ref().map_or(kept.text, |file| file.description.clone());
    let timer_s = content.as_ref().and_then(|content| match content.part {
        Part::Timer(seconds) => Some(seconds),
        _ => None,
    });
    let title = content.as_ref().and_then(|content| match &content.part {
        Part::Title(title) => Some(title.clone()),
        _ => None,
    });
    let pictured = content.as_ref().and_then(|content| match &content.part {
        Part::Picture(jpeg) => Some(!jpeg.is_empty()),
        _ => None,
    });
    let leaves = content.as_ref().is_some_and(|content| content.part == Part::Leaves);
    let went = MemberChange { came: Vec::new(), went: vec![kept.from] };
    let change = match kept.change.or_else(|| leaves.then_some(went)) {
        Some(change) => {
            Some(ChangeRow { came: named(store, names, change.came)?, went: named(store, names, change.went)? })
        }
        None => None,
    };
    let lasts = content.as_ref().and_then(|content| content.expires).filter(|expires| expires.relative);
    let answers = match content.and_then(|content| content.in_reply_to) {
        Some(message) => Some(answered_row(store, names, &stored.group, message)?),
        None => None,
    };
    let mut reactions = Vec::new();
    for (from, reaction) in kept.reactions {
        reactions.push(ReactionRow { from, from_handle: names.of(store, &from)?, reaction });
    }
    Ok(MessageRow {
        row: stored.row,
        message: stored.message,
        group: stored.group,
        place: stored.place,
        from: kept.from,
        from_handle: names.of(store, &kept.from)?,
        device: kept.device,
        text,
        sent_at_ms: kept.sent_at_ms,
        state,
        from_history: kept.from_history,
        encrypted_to: kept.encrypted_to,
        answers,
        edited: kept.edited,
        deleted: kept.deleted,
        reactions,
        timer_s,
        lasts_s: lasts.map(|lasts| lasts.seconds),
        title,
        pictured,
        change,
        file: file.as_deref().map(FileRow::of),
        receipts,
        mentions,
        unchecked_s: kept.unchecked_s,
    })
}

/// MEN-3: whom a message mentions, of those who are in the conversation.
fn mentioned(store: &Store<'_>, names: &mut Names, stored: &Stored) -> Result<Vec<MentionRow>, Error> {
    let mut rows = Vec::new();
    for Mention { start, end, account } in mentions::mentions(store, stored)? {
        if names.members(store, &stored.group)?.contains(&account) {
            rows.push(MentionRow { start, end, account, handle: names.of(store, &account)? });
        }
    }
    Ok(rows)
}

/// How far an own message has come, and what each has said of it.
fn reached(store: &Store<'_>, names: &mut Names, stored: &Stored) -> Result<(MessageState, Vec<ReceiptRow>), Error> {
    let kept = &stored.kept;
    if kept.receipts.is_empty() || !matches!(kept.state, MessageState::Sent | MessageState::Received) {
        return Ok((kept.state, Vec::new()));
    }
    let (own, wanted) = names.own(store)?;
    if own != Some(kept.from) {
        return Ok((kept.state, Vec::new()));
    }
    let mut rows = Vec::new();
    for (from, said) in &kept.receipts {
        if let Some(receipt) = said.and_then(|said| wanted.allow(said)) {
            rows.push(ReceiptRow { from: *from, from_handle: names.of(store, from)?, receipt });
        }
    }
    let state = match said_by_all(&kept.receipts, wanted) {
        Some(Receipt::Read) => MessageState::Read,
        Some(Receipt::Delivered) => MessageState::Delivered,
        None => kept.state,
    };
    Ok((state, rows))
}

fn named(
    store: &Store<'_>,
    names: &mut Names,
    accounts: Vec<AccountId>,
) -> Result<Vec<(AccountId, Option<String>)>, Error> {
    accounts.into_iter().map(|account| Ok((account, names.of(store, &account)?))).collect()
}

fn answered_row(
    store: &Store<'_>,
    names: &mut Names,
    group: &GroupId,
    message: MessageId,
) -> Result<AnsweredRow, Error> {
    // what nobody is shown is not shown by the way
    let there = store.message_by_id(group, &message)?.filter(|it| it.kept.is_shown && !it.is_missing());
    let Some(answered) = there else { return Ok(AnsweredRow { message, from: None, text: None, file: None }) };
    let from = answered.kept.from;
    let file = file_of(&answered.kept.content).as_ref().map(FileRow::of);
    let text = (!answered.kept.deleted).then_some(answered.kept.text);
    Ok(AnsweredRow { message, from: Some((from, names.of(store, &from)?)), text, file })
}

pub(super) fn conversation_row(
    store: &Store<'_>,
    loaded: Option<&Loaded>,
    device: Option<&Device>,
    conversation: &Conversation,
) -> Result<ConversationRow, Error> {
    let group = conversation.group;
    let now = match device {
        Some(device) if Mls::reading(*store, device).has(&group)? => {
            Some(Mls::reading(*store, device).composition_to_show(&group, loaded)?)
        }
        _ => None,
    };
    let mut members = Vec::new();
    for account in now.iter().flat_map(|now| now.accounts()) {
        members.push((account, handle_of(store, &account)?));
    }
    let own = device.is_some_and(|device| is_self_group_id(&device.account, &group));
    let names = members.iter().filter(|(account, _)| own || device.is_none_or(|device| device.account != *account));
    let names = names.map(|(account, handle)| handle.clone().unwrap_or_else(|| short(account)));
    let title = conversation.title.clone().unwrap_or_else(|| names.collect::<Vec<_>>().join(", "));
    let newest = store.newest_messages(Some(&[group]), 1)?.pop();
    let newest = newest.map(|newest| in_a_line(store, newest)).transpose()?;
    let arranged = arranging::arranged(store, &group)?;
    let read = read_up_to(store, &group)?;
    let left = leaving::is_left(store, conversation)?;
    Ok(ConversationRow {
        group,
        title,
        members,
        admins: now.as_ref().map(|now| now.roles.admins.clone()).unwrap_or_default(),
        pair: conversation.pair.is_some(),
        own,
        unverified: conversation.unverified,
        typing: Vec::new(),
        devices: now.as_ref().map_or(0, |now| now.leaves.len()),
        messages: store.count_messages(&group)?,
        newest: newest.map(Box::new),
        unread: store.count_messages_above(&group, read)?,
        mentioned: mentions::is_waited_for(store, &group, read)?,
        standing: people::standing(store, conversation)?,
        ready: conversation.stage == Stage::Active && !left,
        left,
        timer_s: conversation.timer.map_or(0, |timer| timer.seconds),
        muted_until_ms: arranged.muted_until_ms,
        pinned: arranged.pinned,
        archived: arranged.archived,
        draft: arranged.draft,
        picture: conversation.picture.map(Digest),
        stale_since_s: conversation.stale_since_s,
        unchecked: conversation.unchecked,
    })
}

/// As much of a message as stands in a line.
fn in_a_line(store: &Store<'_>, stored: Stored) -> Result<MessageRow, Error> {
    let mut row = message_row(store, &mut Names::default(), stored)?;
    (row.answers, row.reactions) = (None, Vec::new());
    if let Some((end, _)) = row.text.char_indices().nth(NEWEST_LETTERS) {
        row.text.truncate(end);
        row.mentions.retain(|mention| mention.end <= end);
    }
    Ok(row)
}

/// The picture of a conversation, a JPEG.
///
/// # Errors
/// [`Error`].
pub fn conversation_picture(store: &Store<'_>, group: &GroupId) -> Result<Option<Vec<u8>>, Error> {
    picture::found(store, group)
}

/// The beginning of an id, for people without a name here.
fn short(account: &AccountId) -> String {
    account.to_string().chars().take(8).collect()
}
