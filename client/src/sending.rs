//! Messages out: from a person's words to what the service has on its disk (SND-1, TXN-1).

use chain::encoding::Writer;
use chain::id::{AccountId, Digest};
use protocol::api::delivery::{GROUPS, MessageSubmission, REMOVED_LEAF, STALE_EPOCH, Submitted};
use protocol::bytes::Base64Url;
use protocol::content::{Content, Expiry, MAX_CONTENT, MAX_NAME, PICTURE, Part, message_id, pad};
use protocol::gossip::Gossip;
use protocol::id::{GroupId, MessageId};
use protocol::members::Composition;
use protocol::people::INVITED;
use protocol::refusal::{Kind, Problem};
use protocol::settings::SettingKey;

use crate::conversation::{Conversation, Stage};
use crate::error::Error;
use crate::intent::Want;
use crate::membership::Standpoint;
use crate::message::{Kept, NOT_YET_PLACED, Stored};
use crate::own::random;
use crate::picture;
use crate::query::MessageState;
use crate::receipts::is_receipts;
use crate::receiving::shown_text;
use crate::revising::not_a_text;
use crate::step::{Event, Failure};
use crate::turn::{Purpose, Turn, post_bytes};

/// Content type of what whoever lets somebody in, or writes first, tells once: what the conversation is called (behind its length,
/// u8), and of each member account (32 bytes) and handle (behind its length, u8). Of handles nobody is believed: the record knows.
pub(crate) const NAMES: &str = "application/vnd.trefoil.names";

/// The bytes of names, behind what the conversation is called (empty: by nothing but its members).
fn encode_names(title: &str, names: &[(AccountId, String)]) -> Vec<u8> {
    let mut w = Writer::new();
    w.bytes8(title.as_bytes());
    for (account, handle) in names {
        w.raw(&account.0).bytes8(handle.as_bytes());
    }
    w.finish()
}

/// What a message has to do with an earlier one of its conversation.
#[derive(Debug, Clone, Copy)]
pub(crate) enum About {
    Nothing,
    Answers(MessageId),
    Replaces(MessageId),
}

impl Turn<'_> {
    /// A person writes.
    pub(crate) fn want_to_send(&mut self, to: String, text: String) -> Result<(), Error> {
        let intent = self.add_intent(&Want::Send { to, text: text.clone() })?;
        not_a_text(&text).map_or(Ok(()), |failure| self.intent_failed(intent, failure))
    }

    /// Writes a message into a conversation, to be sent when it can be.
    pub(crate) fn write(
        &mut self,
        group: &GroupId,
        part: Part,
        intent: Option<i64>,
    ) -> Result<(i64, MessageId), Error> {
        self.write_about(group, About::Nothing, part, intent)
    }

    /// The same for one that answers an earlier message, or replaces it.
    pub(crate) fn write_about(
        &mut self,
        group: &GroupId,
        about: About,
        part: Part,
        intent: Option<i64>,
    ) -> Result<(i64, MessageId), Error> {
        let device = self.device()?;
        // only what people say is in the chain: who reads along must not miss what nobody is shown
        let is_said = !matches!(part, Part::Signal { .. });
        let conversation = if is_said { self.conversation(group)? } else { None };
        let previous = conversation.as_ref().and_then(|it| it.written).map(Digest);
        let (replaces, in_reply_to) = match about {
            About::Nothing => (None, None),
            About::Answers(message) => (None, Some(message)),
            About::Replaces(message) => (Some(message), None),
        };
        let seconds = conversation.as_ref().and_then(|it| it.timer).map_or(0, |timer| timer.seconds);
        let lasts = seconds > 0 && matches!(part, Part::Text(_) | Part::External(_));
        let expires = lasts.then_some(Expiry { relative: true, seconds });
        let mentions = self.mentions_of(group, &part)?;
        let mut content = Content { salt: random()?, replaces, in_reply_to, previous, expires, mentions, part };
        // the longest texts leave no room for anything else
        if !content.mentions.is_empty() && content.encode().len() > MAX_CONTENT {
            content.mentions.clear();
        }
        let about = content.effect().map(|(about, _)| about);
        let is_shown = is_said && about.is_none();
        if is_shown {
            self.end_draft(group)?;
        }
        let text = if is_said { shown_text(&content.part) } else { String::new() };
        let bytes = content.encode();
        let message = message_id(group, &device.account, &device.id(), &bytes);
        if let Some(mut conversation) = conversation {
            conversation.written = Some(message.0);
            self.keep_conversation(&conversation)?;
        }
        let (from, device, state) = (device.account, device.id(), MessageState::Waiting);
        self.note_timer(group, &content, NOT_YET_PLACED)?;
        self.note_called(group, &from, &content, NOT_YET_PLACED)?;
        let kept = Kept {
            from,
            device,
            content: bytes,
            text,
            state,
            intent,
            is_shown,
            about,
            expires: expires.filter(|_| is_shown),
            ..Kept::unreadable(None, "", self.now_ms)
        };
        let row = self.store.add_message(group, &message, None, &kept)?.ok_or(Error::Fault("a message twice"))?;
        if is_shown {
            self.event(Event::Message { row, message, group: *group, incoming: false });
        }
        self.apply_effects_of(group, &message, about)?;
        Ok((row, message))
    }

    /// Brings every conversation as far as it goes.
    pub(crate) fn go_on_with_conversations(&mut self) -> Result<(), Error> {
        // also while it waits: whoever is confirmed and off can be let in by others
        self.keep_key_packages()?;
        if !self.own()?.is_some_and(|own| own.is_confirmed()) {
            return Ok(());
        }
        self.look_for_groups()?;
        self.go_on_with_intents()?;
        // what was settled just now goes to the other devices with this step
        self.go_on_with_self_group()?;
        for conversation in self.conversations()? {
            self.go_on_with(conversation)?;
        }
        Ok(())
    }

    fn go_on_with(&mut self, conversation: Conversation) -> Result<(), Error> {
        if self.send_pending(&conversation)? {
            return Ok(());
        }
        match conversation.stage {
            Stage::Entering => self.go_on_entering(&conversation),
            Stage::Active => self.go_on_in(conversation),
            Stage::Removed | Stage::Halted(_) => self.give_up_in(&conversation),
            Stage::Creating => Ok(()),
        }
    }

    /// What waits in a conversation that has ended for this device is never sent, and whoever wrote it is told.
    fn give_up_in(&mut self, conversation: &Conversation) -> Result<(), Error> {
        let Some(failure) = conversation.stage.end() else { return Ok(()) };
        for mut waiting in self.store.all_waiting(&conversation.group)? {
            let intent = waiting.kept.intent.take();
            self.give_up(&mut waiting)?;
            if waiting.kept.is_shown {
                let (row, message, group) = (waiting.row, waiting.message, waiting.group);
                self.event(Event::Message { row, message, group, incoming: false });
            }
            if let Some(intent) = intent {
                self.intent_failed(intent, failure.clone())?;
            }
        }
        Ok(())
    }

    /// A message that is never to be sent, and has no effect.
    fn give_up(&mut self, stored: &mut Stored) -> Result<(), Error> {
        self.store.give_up_message(stored)?;
        self.apply_effects_of(&stored.group, &stored.message, stored.kept.about)
    }

    /// An active conversation: its members are brought up to date when somebody wants to write there, somebody is to come
    /// or go, or an own device was removed; then the oldest waiting message goes.
    fn go_on_in(&mut self, mut conversation: Conversation) -> Result<(), Error> {
        let group = conversation.group;
        self.go_on_asking(&group)?;
        let device = self.device()?;
        let mls = self.mls(&device);
        let now = mls.composition(&group)?;
        if now.epoch < conversation.known_epoch {
            self.hold_behind(&conversation)?;
            return self.catch_up(&group);
        }
        self.memory.behind.remove(&group);
        let waiting = self.store.first_waiting(&group)?;
        if let Some(receipts) = waiting.as_ref().filter(|it| is_receipts(&it.kept)) {
            return self.hand_in(receipts);
        }
        let wants_change = conversation.wants_change();
        let is_silent = waiting.is_none() && !conversation.must_introduce;
        if is_silent && !wants_change && !self.own_devices_differ(&now, &device.account)? {
            return Ok(());
        }
        let standpoint = self.standpoint(&conversation, &now)?;
        self.note_stale(&mut conversation, &now, &standpoint)?;
        match standpoint {
            Standpoint::Later => Ok(()),
            Standpoint::Held(failure) => self.hold_back(&group, &failure),
            Standpoint::Fits(unchecked_s) => match waiting {
                _ if conversation.must_introduce => {
                    conversation.must_introduce = false;
                    // written, it goes behind the names
                    if let Some(jpeg) = picture::found(&self.store, &group)? {
                        let part = Part::Signal { content_type: PICTURE.to_owned(), bytes: jpeg };
                        self.write(&group, part, None)?;
                    }
                    self.introduce(&mut conversation, &now)
                }
                Some(mut waiting) => {
                    if waiting.kept.submission.is_none() {
                        waiting.kept.unchecked_s = unchecked_s;
                    }
                    self.send(&mut conversation, waiting, &now)
                }
                None => Ok(()),
            },
            Standpoint::Differs(difference) => {
                if self.commit(&mut conversation, difference, &now)? {
                    self.send_pending(&conversation)?;
                }
                Ok(())
            }
        }
    }

    /// True if an own device was removed from the account and still has a leaf: it is taken out at once.
    fn own_devices_differ(&mut self, now: &Composition, account: &AccountId) -> Result<bool, Error> {
        let Some(known) = self.known(account)? else { return Ok(false) };
        let confirmed = known.set().confirmed();
        Ok(now.leaves.iter().any(|leaf| leaf.account == *account && !confirmed.contains_key(&leaf.device)))
    }

    /// What waits here waits on; whoever wants it is told why, once for each reason.
    pub(crate) fn hold_back(&mut self, group: &GroupId, failure: &Failure) -> Result<(), Error> {
        for waiting in self.store.all_waiting(group)? {
            waiting.kept.intent.into_iter().for_each(|intent| self.hold(intent, failure.clone()));
        }
        self.wake(self.now_ms.saturating_add(60_000));
        Ok(())
    }

    /// Encrypts the oldest waiting message and hands it over; what was encrypted is sent again as it is (TXN-1).
    fn send(&mut self, conversation: &mut Conversation, mut waiting: Stored, now: &Composition) -> Result<(), Error> {
        // among one's own devices nobody has to be told who is there
        if !conversation.introduced && now.accounts().len() > 1 {
            return self.introduce(conversation, now);
        }
        self.encrypt(conversation, &mut waiting, now)?;
        self.hand_in(&waiting)
    }

    /// Encrypts a message, once (TXN-1).
    pub(crate) fn encrypt(
        &mut self,
        conversation: &mut Conversation,
        waiting: &mut Stored,
        now: &Composition,
    ) -> Result<(), Error> {
        let group = conversation.group;
        if waiting.kept.submission.is_none() {
            let device = self.device()?;
            let padded = pad(&waiting.kept.content).map_err(|_| Error::Fault("a message that is too long"))?;
            let aad = self.gossip(conversation).encode();
            let message = self.mls(&device).encrypt(&group, &aad, &padded)?;
            self.remember_sent(&message, waiting.row)?;
            let submission = MessageSubmission { epoch: now.epoch, message: Base64Url(message) };
            waiting.kept.submission = Some(serde_json::to_string(&submission).map_err(|_| Error::Damaged)?);
            let others = now.leaves.iter().filter(|leaf| leaf.device != device.id());
            waiting.kept.encrypted_to = others.map(|leaf| leaf.device).collect();
            if waiting.kept.is_shown {
                waiting.kept.receipts = self.awaited(&group)?;
            }
            self.store.update_message(waiting)?;
            self.keep_conversation(conversation)?;
        }
        Ok(())
    }

    /// Hands over what was encrypted.
    pub(crate) fn hand_in(&mut self, waiting: &Stored) -> Result<(), Error> {
        let (purpose, group) = (Purpose::Message(waiting.row), waiting.group);
        let body = waiting.kept.submission.clone().unwrap_or_default();
        self.ask_as_device(purpose, post_bytes(format!("{GROUPS}/{group}/messages"), body.into_bytes()))
    }

    /// Says once in each conversation how its members are called; others ask the record whether that is so.
    fn introduce(&mut self, conversation: &mut Conversation, now: &Composition) -> Result<(), Error> {
        conversation.introduced = true;
        self.keep_conversation(conversation)?;
        let mut names = Vec::new();
        for account in now.accounts() {
            names.extend(self.name_of(&account)?.map(|name| (account, name)));
        }
        let title = conversation.title.as_deref().filter(|title| title.len() <= MAX_NAME).unwrap_or_default();
        let names = encode_names(title, &names);
        let part = self.introduction(conversation.pair.map(AccountId), names)?;
        let (row, _) = self.write(&conversation.group, part, None)?;
        // it goes first: what waits was written before it
        match self.store.message(row)? {
            Some(introduction) => self.send(conversation, introduction, now),
            None => Ok(()),
        }
    }

    /// Names, and for whoever handed out the contact link that was opened here its token (PPL-4).
    fn introduction(&mut self, other: Option<AccountId>, names: Vec<u8>) -> Result<Part, Error> {
        let Some(other) = other else { return Ok(Part::Signal { content_type: NAMES.to_owned(), bytes: names }) };
        Ok(match self.invitation(&other)? {
            None => Part::Signal { content_type: NAMES.to_owned(), bytes: names },
            Some(token) => {
                self.set(&SettingKey::Invitation(other), &[])?;
                Part::Signal { content_type: INVITED.to_owned(), bytes: [token.0.as_slice(), &names].concat() }
            }
        })
    }

    /// The handle of an account, if it is known here.
    pub(crate) fn name_of(&self, account: &AccountId) -> Result<Option<String>, Error> {
        let own = self.own()?.filter(|own| own.account() == Some(*account)).map(|own| own.handle);
        match own {
            Some(handle) => Ok(Some(handle)),
            None => Ok(self.contact(account)?.map(|contact| contact.handle)),
        }
    }

    /// CHK-7: what this device has seen of the record, with the signed checkpoint when it was not sent here before.
    fn gossip(&mut self, conversation: &mut Conversation) -> Gossip {
        let log = self.checkpoint();
        let note = match self.memory.view.as_ref() {
            Some(view) if conversation.told_size < log.size => view.newest().checkpoint.clone(),
            _ => Vec::new(),
        };
        conversation.told_size = conversation.told_size.max(log.size);
        Gossip { log, note }
    }

    /// The service has a message on its disk.
    pub(crate) fn take_sent(&mut self, row: i64, body: &[u8]) -> Result<(), Error> {
        let (Ok(submitted), Some(stored)) = (serde_json::from_slice::<Submitted>(body), self.store.message(row)?)
        else {
            self.pause();
            return Ok(());
        };
        self.sent(stored, submitted.position)
    }

    /// A message of this device has its place.
    pub(crate) fn sent(&mut self, mut stored: Stored, position: u64) -> Result<(), Error> {
        if !stored.is_waiting() {
            return Ok(());
        }
        stored.place = Some(position);
        stored.kept.state = MessageState::Sent;
        stored.kept.submission = None;
        let intent = stored.kept.intent.take();
        self.store.update_message(&stored)?;
        self.forget_unread_at(&stored.group, position)?;
        self.apply_effects_of(&stored.group, &stored.message, stored.kept.about)?;
        if stored.kept.is_shown {
            if let Ok(content) = Content::decode(&stored.kept.content) {
                self.note_timer(&stored.group, &content, position)?;
                self.note_called(&stored.group, &stored.kept.from, &content, position)?;
                self.note_leaving(&stored.group, &stored.kept.from, &content, position)?;
            }
            self.has_written(&stored.group, position)?;
            let (row, message, group) = (stored.row, stored.message, stored.group);
            self.event(Event::Message { row, message, group, incoming: false });
        } else if is_receipts(&stored.kept) {
            self.receipts_sent(&stored)?;
        }
        intent.map_or(Ok(()), |intent| self.intent_done(intent))
    }

    /// The service did not take a message.
    pub(crate) fn message_refused(&mut self, row: i64, problem: &Problem) -> Result<(), Error> {
        let Some(mut stored) = self.store.message(row)?.filter(Stored::is_waiting) else { return Ok(()) };
        let Some(mut conversation) = self.conversation(&stored.group)? else { return Ok(()) };
        if is_receipts(&stored.kept) {
            self.receipts_refused(&stored, problem)?;
        }
        match problem.code.as_str() {
            STALE_EPOCH => {
                // only after this definite answer is it encrypted anew (TXN-1)
                stored.kept.submission = None;
                conversation.known_epoch = problem.epoch.unwrap_or_default().max(conversation.known_epoch);
                self.store.update_message(&stored)?;
                self.keep_conversation(&conversation)?;
                self.ask_for_feed()
            }
            REMOVED_LEAF => {
                stored.kept.submission = None;
                self.store.update_message(&stored)?;
                // the commit that takes this device out may have come first
                for account in self.members_of(&conversation)? {
                    self.hint(&account)?;
                }
                // or nobody can see that it is out, and it would be encrypted anew as fast as the network is
                self.hold_behind(&conversation)?;
                self.pause();
                Ok(())
            }
            _ if problem.kind == Kind::Misuse => {
                let intent = stored.kept.intent.take();
                self.give_up(&mut stored)?;
                let failure = Failure::of(problem);
                intent.map_or(Ok(()), |intent| self.intent_failed(intent, failure))
            }
            _ => {
                self.pause();
                Ok(())
            }
        }
    }
}
