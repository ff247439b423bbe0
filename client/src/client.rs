//! The step: one match over what came in, then every part goes as far as it can.

use std::collections::BTreeSet;

use chain::id::AccountId;
use rusqlite::Transaction;

use crate::error::Error;
use crate::intent::Want;
use crate::mls::Loaded;
use crate::own::OwnRead;
use crate::query::{ConversationRow, News};
use crate::seal::StoreKey;
use crate::step::{Answer, Command, Input, Listening, Output, RequestId};
use crate::store::Store;
use crate::turn::{Flight, Memory, Purpose, Turn};
use protocol::api::accounts::{DEVICE_CLONED, DEVICE_REMOVED, TOKEN_INVALID, TOKEN_REFUSED};
use protocol::id::GroupId;
use protocol::opaque::Stretching;
use protocol::refusal::Problem;

/// One device.
pub struct Client {
    key: StoreKey,
    memory: Memory,
    loaded: Loaded,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client(..)")
    }
}

impl Client {
    /// A device over a store of this key. Nothing is read yet.
    pub fn new(key: StoreKey) -> Self {
        Self { key, memory: Memory::default(), loaded: Loaded::default() }
    }

    /// The same with another stretching of passwords than the recommended one: for tests. An account's devices have to
    /// use the same.
    pub fn with_stretching(key: StoreKey, stretching: Stretching) -> Self {
        let mut client = Self::new(key);
        client.memory.joining.stretching = stretching;
        client
    }

    /// Takes in one thing and goes as far as it can. `now_ms`: milliseconds since 1970.
    ///
    /// # Errors
    /// [`Error`]: this program's or the disk's fault. The transaction has to be rolled back and this client dropped.
    pub fn step(&mut self, transaction: &Transaction<'_>, now_ms: u64, input: Input) -> Result<Output, Error> {
        let mut out = Output::default();
        let store = Store::new(transaction, &self.key);
        let (memory, loaded, own_read) = (&mut self.memory, &self.loaded, OwnRead::default());
        let (answering, arrived, out_of) = (None, Vec::new(), &mut out);
        let mut turn = Turn { store, own_read, now_ms, memory, loaded, out: out_of, answering, arrived };
        match input {
            Input::Command(command) => turn.command(command)?,
            Input::Answer { id, answer } => turn.answer(id, answer)?,
            Input::Transferred { id, end } => match end.answer() {
                Ok(answer) => turn.answer(id, answer)?,
                Err(failure) => {
                    if let Some((Purpose::Transfer(intent), _)) = turn.take_flight(id) {
                        turn.transfer_failed(intent, failure)?;
                    }
                }
            },
            Input::Delivered(delivery) => turn.delivered(delivery)?,
            Input::Passing(passing) => turn.passed(&passing)?,
            Input::Tick => {
                turn.stop_waiting_for_service();
                turn.look_after_pause()?;
            }
            // only the record's word ends a device
            Input::Unwelcome => turn.hint_own_account()?,
        }
        turn.go_on()?;
        Ok(out)
    }

    /// What [`crate::query::conversations`] says, without reading the groups again that steps have looked at.
    ///
    /// # Errors
    /// [`Error`].
    pub fn conversations(&self, store: &Store<'_>) -> Result<Vec<ConversationRow>, Error> {
        let mut rows = crate::query::conversations_of(store, Some(&self.loaded))?;
        for row in &mut rows {
            let types = |(account, _): &&(AccountId, _)| self.memory.typing.shows(&row.group, account);
            row.typing = row.members.iter().filter(types).cloned().collect();
        }
        Ok(rows)
    }

    /// What [`crate::query::news`] says, in the same way.
    ///
    /// # Errors
    /// [`Error`].
    pub fn news(
        &self,
        store: &Store<'_>,
        group: &GroupId,
        rows: &BTreeSet<i64>,
        now_ms: u64,
    ) -> Result<Option<News>, Error> {
        crate::query::news_of(store, Some(&self.loaded), group, rows, now_ms)
    }

    /// Where to listen for deliveries; `None` while there is nothing to listen to.
    ///
    /// # Errors
    /// [`Error`].
    pub fn listening(&self, store: &Store<'_>) -> Result<Option<Listening>, Error> {
        crate::feed::listening(store)
    }
}

impl Turn<'_> {
    /// Every part goes as far as it can.
    fn go_on(&mut self) -> Result<(), Error> {
        self.go_on_joining()?;
        if self.own()?.is_some_and(|own| own.is_listed()) {
            // without a token there is nothing to listen with
            self.bearer()?;
            self.go_on_reading()?;
            self.go_on_with_own_account()?;
            self.go_on_with_password()?;
            self.go_on_with_conversations()?;
            self.go_on_with_receipts()?;
            self.go_on_with_names()?;
            self.go_on_with_gossip()?;
            self.hold_if_cloned()?;
        }
        self.go_on_with_typing();
        self.go_on_disappearing()?;
        self.go_on_checking_links()?;
        self.go_on_indexing()
    }

    fn answer(&mut self, id: RequestId, answer: Answer) -> Result<(), Error> {
        self.note_reachability(&answer);
        if let Some((purpose, flight)) = self.take_flight(id) {
            self.answering = Some(purpose.clone());
            self.answered(purpose, flight, answer)?;
            self.forget_old_pause();
        }
        Ok(())
    }

    fn answered(&mut self, purpose: Purpose, flight: Flight, answer: Answer) -> Result<(), Error> {
        let body = match answer {
            Answer::Ok(body) => body,
            // what is still wanted is asked for again after a pause
            Answer::Unreachable if purpose == Purpose::DevicesSeen => {
                self.devices_seen_refused();
                return Ok(());
            }
            Answer::Unreachable => return self.joining_unreachable(&purpose),
            Answer::Refused(problem) => {
                if problem.code == TOKEN_INVALID {
                    return self.drop_token();
                }
                if problem.code == DEVICE_CLONED {
                    self.drop_token()?;
                    self.is_cloned()?;
                }
                if problem.code == DEVICE_REMOVED || problem.code == TOKEN_REFUSED {
                    // only the record's word ends a device
                    self.hint_own_account()?;
                }
                return self.refused(purpose, &problem);
            }
        };
        match purpose {
            Purpose::Genesis => self.take_first_look(&body),
            Purpose::Account(account) => self.take_account(&account, &body, flight),
            Purpose::Handle(name) => self.take_handle(&name, &body, flight),
            Purpose::Root(size) => self.take_root(size, &body),
            Purpose::Challenge => self.take_challenge(&body),
            Purpose::Token => self.take_token(&body),
            Purpose::SignupStart => self.take_signup_start(&body),
            Purpose::Signup => self.take_signup(&body),
            Purpose::LoginStart => self.take_login_start(&body),
            Purpose::LoginFinish => self.take_login_finish(&body),
            Purpose::Entry(subject) => self.take_entry(&subject, &body),
            Purpose::Reset => self.take_reset(&body),
            Purpose::PasswordStart => self.take_password_start(&body),
            Purpose::Password => self.take_password(&body),
            Purpose::Relay(hash) => self.relay_taken(&hash),
            Purpose::KeyPackages => self.take_key_package_count(&body),
            Purpose::Claim(account, device) => self.take_claimed(&account, &device, &body),
            Purpose::OwnGroups => self.take_own_groups(&body),
            Purpose::GroupState(group, epoch) => self.take_group_state(&group, epoch, &body),
            Purpose::Creation(group) => self.take_creation(&group, &body),
            Purpose::Commit(group) => self.take_commit(&group, &body),
            Purpose::Message(row) => self.take_sent(row, &body),
            Purpose::Transfer(intent) => self.transferred(intent),
            Purpose::DevicesSeen => self.take_devices_seen(&body),
            Purpose::Report(account) => self.take_report(&account, &body),
            Purpose::Feed => self.take_feed(&body),
            Purpose::Ack => self.take_ack(),
            Purpose::Passing(_) => Ok(()),
        }
    }

    fn refused(&mut self, purpose: Purpose, problem: &Problem) -> Result<(), Error> {
        match purpose {
            Purpose::Genesis | Purpose::SignupStart | Purpose::Signup | Purpose::LoginStart | Purpose::LoginFinish => {
                self.joining_refused(&purpose, problem)
            }
            Purpose::Entry(subject) => self.entry_refused(&subject, problem),
            Purpose::PasswordStart | Purpose::Password => self.password_refused(problem),
            Purpose::Relay(hash) => self.relay_refused(&hash, problem),
            Purpose::Report(account) => self.report_refused(&account, problem),
            Purpose::Claim(account, device) => self.claim_refused(&account, &device, problem),
            Purpose::Creation(group) | Purpose::Commit(group) => self.commit_refused(&group, problem),
            Purpose::Message(row) => self.message_refused(row, problem),
            Purpose::Transfer(intent) => self.transfer_refused(intent, problem),
            Purpose::GroupState(group, epoch) => self.group_state_refused(&group, epoch, problem),
            Purpose::Account(_) | Purpose::Handle(_) => {
                self.pause();
                self.joining_refused(&purpose, problem)
            }
            // what was to be said is over by then
            Purpose::Passing(_) => Ok(()),
            Purpose::DevicesSeen => {
                self.devices_seen_refused();
                Ok(())
            }
            // asked again when it is needed again; the service is left alone for a while first
            Purpose::Root(_)
            | Purpose::Challenge
            | Purpose::Token
            | Purpose::Reset
            | Purpose::KeyPackages
            | Purpose::OwnGroups
            | Purpose::Feed
            | Purpose::Ack => {
                self.pause();
                Ok(())
            }
        }
    }

    fn command(&mut self, command: Command) -> Result<(), Error> {
        self.stop_pausing();
        match command {
            Command::SignUp(joining) => self.sign_up(joining),
            Command::LogIn(joining) => self.log_in(joining),
            Command::StartOver => self.start_over(),
            Command::OpenRequest { device } => self.open_request(&device),
            Command::LookWhoIsHere => self.look_who_is_here(),
            Command::Confirm { device, code, history } => self.confirm(&device, &code, history),
            Command::Refuse { device } => self.refuse(&device),
            Command::Remove { device } => self.remove_device(&device),
            Command::Reset(joining) => self.want_reset(joining, None),
            Command::ResetWithPermit { joining, permit } => self.want_reset(joining, Some(&permit)),
            Command::SetResetChoice { choice } => self.set_reset_choice(choice),
            Command::Veto => self.veto(),
            Command::AcceptReset { handle } => self.want(Want::AcceptReset { handle }),
            Command::GrantHistory { device } => self.grant_history(&device, true),
            Command::FetchHistory => self.fetch_history(),
            Command::OpenBackup { owner } => self.open_backup(owner),
            Command::TakeBackup { account, part } => self.take_backup(&account, part),
            Command::FinishBackup => self.finish_backup(),
            Command::MarkVerified { account, verified } => self.mark_verified(&account, verified),
            Command::SetPassword { password } => self.set_password(password),
            Command::SetRecoveryKey { key } => self.set_recovery_key(key),
            Command::Recover { words } => self.recover(&words),
            Command::NameDevice { device, name } => self.name_device(&device, &name),
            Command::NoticesRead { up_to } => self.notices_read(up_to),
            Command::AddContact { handle, account, token } => {
                let (account, token) = (account.map(|account| account.0), token.map(|token| token.0));
                self.want(Want::Contact { handle, account, token })
            }
            Command::Decide { account, decision } => self.decide(&account, decision),
            Command::Report { account, reason, block } => self.report(&account, reason, block),
            Command::MakeLink { renew } => self.make_link(renew),
            Command::WithdrawLinks => self.withdraw_links(),
            Command::MarkRead { with } => self.mark_read(&with),
            Command::RenameChat { chat, title } => self.rename_chat(&chat, &title),
            Command::PictureChat { chat, jpeg } => self.picture_chat(&chat, jpeg),
            Command::SetTimer { chat, seconds } => self.set_timer(&chat, seconds),
            Command::Arrange { chat, arrangement } => self.arrange(&chat, arrangement),
            Command::SetReceipts(receipt, on) => self.set_receipts(receipt, on),
            Command::SetTyping(on) => self.set_typing(on),
            Command::Typing { chat } => self.says_typing(&chat),
            Command::Send { to, text } => self.want_to_send(to, text),
            Command::Reply { message, text } => self.reply(&message, text),
            Command::Edit { message, text } => self.edit(&message, text),
            Command::Delete { message } => self.delete(&message),
            Command::React { message, reaction, remove } => self.react(&message, reaction, remove),
            Command::SendFile { to, text, file } => self.want_to_send_file(to, text, file),
            Command::SaveFile { message, path, replace } => self.want_file(&message, path, replace),
            Command::KeepFile(message) => self.want_kept(&message),
            Command::CancelFile { intent } => self.cancel_file(intent),
            Command::NewChat { title, with } => self.want(Want::NewChat { title, with, group: None }),
            Command::AddMembers { chat, with } => self.want(Want::AddMembers { chat, with }),
            Command::RemoveMembers { chat, with } => self.want(Want::RemoveMembers { chat, with }),
            Command::LeaveChat { chat } => self.leave_chat(&chat),
            Command::SetAdmin { chat, who, on } => self.want(Want::SetAdmin { chat, who, on }),
            Command::SendUnchecked { to } => self.send_unchecked(&to),
        }
    }
}
