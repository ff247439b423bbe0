//! The picture of a conversation, one for all its members (MSG-13): said as its title is, by the same people (`naming`).
//!
//! The bytes lie apart: every step reads all conversations.

use chain::id::Digest;
use protocol::content::{ContentError, MAX_PICTURE, Part};
use protocol::id::GroupId;
use protocol::settings::SettingKey;

use crate::conversation::Conversation;
use crate::error::Error;
use crate::intent::Want;
use crate::settings::value;
use crate::step::Failure;
use crate::store::Store;
use crate::turn::Turn;

/// Pictures; by their conversation.
const PICTURE: &str = "picture";

/// The picture of a conversation, if it has one.
pub(crate) fn found(store: &Store<'_>, group: &GroupId) -> Result<Option<Vec<u8>>, Error> {
    store.bytes(PICTURE, &group.0)
}

impl Turn<'_> {
    /// A person gives a conversation a picture, for all; an empty one takes it away.
    pub(crate) fn picture_chat(&mut self, chat: &str, jpeg: Vec<u8>) -> Result<(), Error> {
        match Part::picture(jpeg) {
            Ok(part) => self.say_of_chat(chat, part),
            Err(error) => self.refuse_command(&Want::Sending, no_picture(&error)),
        }
    }

    /// Keeps a picture that counts, or that there is none.
    pub(crate) fn put_picture(&mut self, conversation: &mut Conversation, jpeg: &[u8]) -> Result<(), Error> {
        let group = conversation.group;
        conversation.picture = (!jpeg.is_empty()).then(|| Digest::sha256(jpeg).0);
        match conversation.picture {
            Some(_) => self.store.put_bytes(PICTURE, &group.0, jpeg)?,
            None => self.store.remove(PICTURE, &group.0)?,
        }
        self.keep_conversation(conversation)?;
        self.conversation_changed(&group);
        Ok(())
    }

    /// Whoever lets somebody in shows what picture the conversation has: believed until somebody says otherwise to all.
    pub(crate) fn shown_picture(&mut self, group: &GroupId, bytes: &[u8]) -> Result<(), Error> {
        let Ok(Part::Picture(jpeg)) = Part::picture(bytes) else { return Ok(()) };
        let Some(mut conversation) = self.conversation(group)? else { return Ok(()) };
        let is_known = conversation.picture.is_some() || conversation.pictured.is_some() || conversation.pair.is_some();
        if is_known || jpeg.is_empty() {
            return Ok(());
        }
        self.put_picture(&mut conversation, &jpeg)?;
        self.set(&SettingKey::Picture(*group), &jpeg)
    }

    /// What another device of the account has seen, as long as nobody has said anything to all that this one has heard.
    pub(crate) fn share_picture(&mut self, conversation: &mut Conversation) -> Result<(), Error> {
        if conversation.pictured.is_some() || conversation.pair.is_some() {
            return Ok(());
        }
        let shared = value(&self.store, &SettingKey::Picture(conversation.group))?.unwrap_or_default();
        let is_same = conversation.picture == (!shared.is_empty()).then(|| Digest::sha256(&shared).0);
        match Part::picture(shared) {
            Ok(Part::Picture(jpeg)) if !is_same => self.put_picture(conversation, &jpeg),
            _ => Ok(()),
        }
    }

    /// The same, when that comes.
    pub(crate) fn picture_is_shared(&mut self, group: &GroupId) -> Result<(), Error> {
        match self.conversation(group)? {
            Some(mut conversation) => self.share_picture(&mut conversation),
            None => Ok(()),
        }
    }
}

fn no_picture(error: &ContentError) -> Failure {
    let message = match error {
        ContentError::TooLarge { .. } => format!("a picture of a conversation has up to {MAX_PICTURE} bytes"),
        _ => "this is no picture of a conversation".to_owned(),
    };
    Failure::misuse("chat.picture", message)
}
