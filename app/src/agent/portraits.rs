//! Pictures of conversations: made of a file of this machine and given, or shown.

use client::query;
use client::step::Command;
use protocol::bytes::Base64Url;

use super::Incoming;
use super::core::Core;
use super::face::Reply;
use crate::failure::{Failure, Kind};
use crate::local::files::Portrait;

impl Core {
    /// Gives a conversation a picture; none takes it away.
    pub(super) fn picture_chat(
        &mut self,
        chat: String,
        path: Option<String>,
        wait_s: u64,
        reply: &Reply,
    ) -> Result<(), Failure> {
        self.require_confirmed()?;
        let Some(path) = path else {
            return self.say(Command::PictureChat { chat, jpeg: Vec::new() }, wait_s, reply);
        };
        let reply = reply.clone();
        self.outside.porter.portray(path, move |jpeg| Incoming::Portrayed { chat, jpeg, wait_s, reply });
        Ok(())
    }

    /// It was made.
    pub(super) fn portrayed(&mut self, chat: String, jpeg: Result<Vec<u8>, Failure>, wait_s: u64, reply: &Reply) {
        // whoever hung up meanwhile does not want it any more
        if reply.is_gone() {
            return;
        }
        let said = jpeg.and_then(|jpeg| self.say(Command::PictureChat { chat, jpeg }, wait_s, reply));
        if let Err(failure) = said {
            reply.fail(failure);
        }
    }

    /// The picture of a conversation.
    pub(super) fn chat_picture(&self, chat: &str, reply: &Reply) -> Result<(), Failure> {
        let none = || Failure::new(Kind::Refused, "chat.no_picture", "this conversation has no picture");
        let group = chat.parse().map_err(|_| none())?;
        let found = query::conversation_picture(&self.opened()?.store(), &group);
        let jpeg = found.map_err(|error| Failure::from_store(&error))?.ok_or_else(none)?;
        reply.done(&Portrait { picture: Base64Url(jpeg) });
        Ok(())
    }
}
