//! What a conversation is called for all its members (MSG-8), and who says so; also of its picture (`picture`).

use chain::encoding::Reader;
use chain::id::AccountId;
use protocol::content::{Content, ContentError, Part};
use protocol::id::GroupId;
use protocol::settings::SettingKey;

use crate::error::Error;
use crate::intent::Want;
use crate::message::NOT_YET_PLACED;
use crate::step::{Event, Failure};
use crate::turn::Turn;

impl Turn<'_> {
    /// A person calls a conversation otherwise, for all.
    pub(crate) fn rename_chat(&mut self, chat: &str, title: &str) -> Result<(), Error> {
        match Part::title(title) {
            Ok(part) => self.say_of_chat(chat, part),
            Err(error) => self.refuse_command(&Want::Sending, no_title(&error)),
        }
    }

    /// Says of a conversation what only those say who may.
    pub(crate) fn say_of_chat(&mut self, chat: &str, part: Part) -> Result<(), Error> {
        let conversations = self.chats_meant(chat)?;
        let own = self.device()?.account;
        let failure = match conversations.as_slice() {
            [conversation] => match self.why_not_write(conversation)? {
                Some(failure) => Some(failure),
                None if self.may_name(&conversation.group, &own)? => None,
                None => {
                    let message = "only who lets people in and out of a conversation says what it is called, and what its \
                                   picture is";
                    Some(Failure::refused("chat.not_admin", message))
                }
            },
            _ => Some(Failure::misuse("chat.unknown", "there is no one conversation that is called that")),
        };
        match (failure, conversations.first()) {
            (Some(failure), _) => self.refuse_command(&Want::Sending, failure),
            (None, Some(conversation)) => {
                let (intent, group) = (self.add_intent(&Want::Sending)?, conversation.group);
                let (row, message) = self.write(&group, part, Some(intent))?;
                self.event(Event::Written { intent, row, message, group });
                Ok(())
            }
            (None, None) => Ok(()),
        }
    }

    /// MSG-8, MSG-13: somebody who may says what a conversation is called, or what its picture is.
    pub(crate) fn note_called(
        &mut self,
        group: &GroupId,
        from: &AccountId,
        content: &Content,
        place: u64,
    ) -> Result<(), Error> {
        let is_about_it = matches!(content.part, Part::Title(_) | Part::Picture(_));
        let Some(mut conversation) = self.conversation(group)?.filter(|_| is_about_it) else { return Ok(()) };
        let is_newer = |before: u64| place >= before || before == NOT_YET_PLACED;
        if let Part::Picture(jpeg) = &content.part
            && conversation.pictured.is_none_or(is_newer)
            && self.may_name(group, from)?
        {
            conversation.pictured = Some(place);
            self.put_picture(&mut conversation, jpeg)?;
            self.set(&SettingKey::Picture(*group), jpeg)?;
        } else if let Part::Title(title) = &content.part
            && conversation.titled.is_none_or(is_newer)
            && self.may_name(group, from)?
        {
            (conversation.title, conversation.titled) = (Some(title.clone()), Some(place));
            self.keep_conversation(&conversation)?;
            // own devices that come later were not told
            self.set(&SettingKey::Title(*group), title.as_bytes())?;
            self.conversation_changed(group);
        }
        Ok(())
    }

    /// Whoever lets somebody in says what the conversation is called, and its members: believed until somebody says otherwise to all.
    pub(crate) fn introduced(&mut self, group: &GroupId, bytes: &[u8]) -> Result<(), Error> {
        let mut r = Reader::new(bytes);
        let title = r.bytes8(0, 255, "title").unwrap_or_default();
        let title = std::str::from_utf8(title).ok().and_then(|title| Part::title(title).ok());
        let names = bytes.get(bytes.len().saturating_sub(r.remaining())..).unwrap_or_default();
        if let (Some(Part::Title(title)), Some(mut conversation)) = (title, self.conversation(group)?)
            && conversation.title.is_none()
            && conversation.pair.is_none()
        {
            self.set(&SettingKey::Title(*group), title.as_bytes())?;
            conversation.title = Some(title);
            self.keep_conversation(&conversation)?;
            self.conversation_changed(group);
        }
        self.named(names)
    }

    /// True for whoever may let people in and out.
    fn may_name(&mut self, group: &GroupId, account: &AccountId) -> Result<bool, Error> {
        let device = self.device()?;
        let mls = self.mls(&device);
        if !mls.has(group)? {
            return Ok(false);
        }
        let roles = mls.composition(group)?.roles.clone();
        Ok(roles.admins.contains(account) || roles.open)
    }
}

fn no_title(error: &ContentError) -> Failure {
    let message = match error {
        ContentError::TooLarge { .. } => "a title has up to 255 bytes",
        _ => "this is no title",
    };
    Failure::misuse("chat.title", message)
}
