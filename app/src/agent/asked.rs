//! What faces ask for: a look into the store, or a command to the client and what it becomes.

use std::time::Duration;

use chain::id::{AccountId, DeviceId, PublicKey};
use chain::sigchain::body::ResetChoice;
use client::query::{self, ContactRow, Found, Phase, Unknown, Wanted};
use client::step::{Arrangement, Command, Input, Joining, Secret};
use protocol::api::reports::Reason;
use protocol::people::Decision;
use serde_json::json;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::core::{Core, new_profile};
use super::face::Reply;
use super::waiting::{Goal, Waiting, code_event, has_recovery_key, seen_up_to, signed_up_row};
use crate::clock::rfc3339;
use crate::commands::joining::device_kind;
use crate::failure::{Failure, Kind};
use crate::link;
use crate::local::rows::{
    Contact, Conversation, Device, History, Link, LogInEvent, Notice, Searched, SignedUp, State, Unplaced, Verification,
};
use crate::local::{Join, What};

/// How long a sign-up or log-in may take until it is in the record.
const JOIN_WITHIN: Duration = Duration::from_secs(60);
/// How long anything else may take before the face is told that it goes on by itself.
pub(super) const DONE_WITHIN: Duration = Duration::from_secs(30);

impl Core {
    /// Answers a face, now or later.
    pub(super) fn asked(&mut self, what: What, reply: &Reply) {
        if let Err(failure) = self.answer(what, reply) {
            reply.fail(failure);
        }
    }

    fn answer(&mut self, what: What, reply: &Reply) -> Result<(), Failure> {
        self.listen_at_once();
        match what {
            What::Status => self.tell_status(reply),
            What::Devices | What::WhoIsHere { .. } => self.devices(&what, reply),
            What::Contacts => self.list(reply, query::contacts, Contact::from),
            What::Conversations => {
                let client = &self.opened()?.client;
                self.list(reply, |store| client.conversations(store), Conversation::from)
            }
            What::Notices => self.list(reply, query::notices, Notice::from),
            What::Unplaced => self.list(reply, query::unplaced, Unplaced::from),
            What::Read { with, limit, follow } => self.read(with, limit, follow, reply),
            What::Older { conversation, before, limit } => self.older(&conversation, &before, limit, reply),
            What::Changes => self.follow_changes(reply),
            What::Search { text, with, from, limit } => {
                self.search(&text, with.as_deref(), from.as_deref(), limit, reply)
            }
            What::SignUp(join) => match self.opened_before(&join)? {
                Some(row) => {
                    reply.done(&row);
                    Ok(())
                }
                None => self.join(join, reply, Command::SignUp, |_| Goal::SignedUp),
            },
            What::LogIn(join) => {
                let goal = |wait_until| Goal::LoggedIn { is_pending: false, wait_until };
                self.join(join, reply, Command::LogIn, goal)
            }
            What::ResetWithPermit { join, permit } => {
                let permit = link::permit(&permit)?;
                self.wait_no_more(&join)?;
                self.join(join, reply, |joining| Command::ResetWithPermit { joining, permit }, |_| Goal::ResetAnnounced)
            }
            What::Reset(join) => {
                self.wait_no_more(&join)?;
                self.join(join, reply, Command::Reset, |_| Goal::ResetAnnounced)
            }
            What::History => self.history(reply),
            What::Record { handle } => self.record(handle.as_deref(), reply),
            What::ContactLink { renew } => self.contact_link(renew, reply),
            What::VerificationCode { handle } => self.verification_code(&handle, reply),
            What::Recover { words } => self.recover(words, reply),
            What::AwaitConfirmation { wait_s } => self.await_confirmation(wait_s, reply),
            What::OpenRequest { device, wait_s } => self.open_request(&device, wait_s, reply),
            What::Report { who, reason, block } => self.report(&who, reason, block, reply),
            What::PictureChat { chat, path, wait_s } => self.picture_chat(chat, path, wait_s, reply),
            What::ChatPicture { chat } => self.chat_picture(&chat, reply),
            What::SendFile { .. }
            | What::SaveFile { .. }
            | What::KeepFile { .. }
            | What::CancelFile { .. }
            | What::Files { .. } => self.file(what, reply),
            What::BackupRows { .. }
            | What::BackupMessages { .. }
            | What::BackupSettings
            | What::BackupOpen { .. }
            | What::BackupTake { .. }
            | What::BackupFinish => self.backup(what, reply),
            What::StartOver | What::NoticesRead { .. } | What::Typing { .. } | What::Notifications { .. } => {
                self.at_once(what, reply)
            }
            what => match said(what) {
                Ok((command, wait_s)) => self.say(command, wait_s, reply),
                Err(what) => {
                    self.require_confirmed()?;
                    let command = self.command_of(*what)?;
                    self.command(command, reply, Goal::Done, Some(Instant::now() + DONE_WITHIN))
                }
            },
        }
    }

    /// The devices of the account; or the service is asked first when it saw them last.
    fn devices(&mut self, what: &What, reply: &Reply) -> Result<(), Failure> {
        match what {
            What::WhoIsHere { wait_s } => {
                let until = Instant::now() + Duration::from_secs(*wait_s);
                self.command(Command::LookWhoIsHere, reply, Goal::Seen, Some(until))
            }
            _ => self.list(reply, query::devices, Device::from),
        }
    }

    /// Somebody wants to hear what is not as it was before.
    fn follow_changes(&mut self, reply: &Reply) -> Result<(), Failure> {
        let (reply, goal) = (reply.clone(), Goal::Changes);
        self.waiting.push(Waiting { reply, goal, intent: None, until: None, lost: 0 });
        Ok(())
    }

    /// Something is to be said, and the service to have it within some seconds; else it goes out by itself.
    pub(super) fn say(&mut self, command: Command, wait_s: u64, reply: &Reply) -> Result<(), Failure> {
        self.require_confirmed()?;
        let until = Instant::now() + Duration::from_secs(wait_s);
        self.command(command, reply, Goal::Sent { row: None }, Some(until))
    }

    /// The commands that end with "done".
    fn command_of(&self, what: What) -> Result<Command, Failure> {
        Ok(match what {
            What::Confirm { device, code, history } => {
                Command::Confirm { device: self.device(&device)?, code, history }
            }
            What::Refuse { device } => Command::Refuse { device: self.device(&device)? },
            What::Remove { device } => Command::Remove { device: self.device(&device)? },
            What::NameDevice { device, name } => Command::NameDevice { device: self.device(&device)?, name },
            What::GrantHistory { device } => Command::GrantHistory { device: self.device(&device)? },
            What::FetchHistory => Command::FetchHistory,
            What::SetResetWait { hours } => {
                let all = [ResetChoice::OneDay, ResetChoice::ThreeDays, ResetChoice::SevenDays, ResetChoice::Never];
                let wait_s = hours.map(|hours| hours.saturating_mul(3_600));
                let choice = all.into_iter().find(|choice| choice.wait_s() == wait_s);
                let unknown = || Failure::misuse("reset.choice", "a reset waits 24, 72 or 168 hours, or there is none");
                Command::SetResetChoice { choice: choice.ok_or_else(unknown)? }
            }
            What::SetReceipts { receipt, on } => receipt.command(on),
            What::Veto => Command::Veto,
            What::AcceptReset { handle } => Command::AcceptReset { handle },
            What::MarkVerified { handle, verified } => {
                Command::MarkVerified { account: self.contact(&handle)?.account, verified }
            }
            What::SetPassword { password } => Command::SetPassword { password: Secret(Zeroizing::new(password)) },
            What::SetRecoveryKey { key } => {
                let malformed = || Failure::misuse("recovery.malformed", "this is no public key");
                let bytes = key.map(|key| key.parse::<chain::id::Digest>()).transpose().map_err(|_| malformed())?;
                let key = bytes.map(|it| PublicKey::from_bytes(&it.0, "recovery key")).transpose();
                Command::SetRecoveryKey { key: key.map_err(|_| malformed())? }
            }
            What::AddContact { handle, account, token } => {
                let malformed = || Failure::misuse("link.malformed", "this is no contact link");
                let account = account.map(|account| account.parse()).transpose().map_err(|_| malformed())?;
                let token = token.map(|token| token.parse()).transpose().map_err(|_| malformed())?;
                Command::AddContact { handle, account, token }
            }
            What::Decide { who, decision } => {
                Command::Decide { account: self.person(&who)?, decision: Decision::from(decision) }
            }
            What::WithdrawLinks => Command::WithdrawLinks,
            What::MarkRead { with } => Command::MarkRead { with },
            What::NewChat { title, with } => Command::NewChat { title, with },
            What::AddMembers { chat, with } => Command::AddMembers { chat, with },
            What::RemoveMembers { chat, with } => Command::RemoveMembers { chat, with },
            What::SetAdmin { chat, who, on } => Command::SetAdmin { chat, who, on },
            What::Mute { chat, seconds } => {
                let after = |seconds: u64| crate::clock::now_ms().saturating_add(seconds.saturating_mul(1_000));
                let until_ms = match seconds {
                    Some(0) => None,
                    Some(seconds) => Some(after(seconds)),
                    None => Some(u64::MAX),
                };
                Command::Arrange { chat, arrangement: Arrangement::Muted { until_ms } }
            }
            What::Pin { chat, on } => Command::Arrange { chat, arrangement: Arrangement::Pinned(on) },
            What::Archive { chat, on } => Command::Arrange { chat, arrangement: Arrangement::Archived(on) },
            What::Draft { chat, text } => Command::Arrange { chat, arrangement: Arrangement::Draft(text) },
            What::SendUnchecked { to } => Command::SendUnchecked { to },
            _ => return Err(Failure::misuse("request.malformed", "this cannot be asked of the core")),
        })
    }

    /// The commands that need nobody.
    fn at_once(&mut self, what: What, reply: &Reply) -> Result<(), Failure> {
        if let What::Notifications { show } = what {
            return self.notifications(show, reply);
        }
        self.opened()?;
        let command = match what {
            What::NoticesRead { up_to } => Command::NoticesRead { up_to },
            What::Typing { chat } => {
                self.require_confirmed()?;
                Command::Typing { chat }
            }
            _ => Command::StartOver,
        };
        let output = self.step(Input::Command(command))?;
        self.carry_out(output);
        reply.done(&json!({}));
        Ok(())
    }

    /// Hands a command to the client; whoever asked waits for the goal.
    pub(super) fn command(
        &mut self,
        command: Command,
        reply: &Reply,
        goal: Goal,
        until: Option<Instant>,
    ) -> Result<(), Failure> {
        self.opened()?;
        let output = self.step(Input::Command(command))?;
        // it has to be there when the events of this very step are shown
        let intent = output.intent;
        if intent.is_none() && matches!(goal, Goal::Done) {
            reply.done(&json!({}));
        } else {
            self.waiting.push(Waiting { reply: reply.clone(), goal, intent, until, lost: 0 });
        }
        self.carry_out(output);
        Ok(())
    }

    /// Whoever asks for a fresh identity does not wait any longer to be let into the one before.
    fn wait_no_more(&mut self, join: &Join) -> Result<(), Failure> {
        let status = self.opened()?.status()?;
        if status.phase == Phase::Pending && status.handle.as_ref() == Some(&join.handle) {
            let output = self.step(Input::Command(Command::StartOver))?;
            self.carry_out(output);
        }
        Ok(())
    }

    fn join(
        &mut self,
        join: Join,
        reply: &Reply,
        command: impl FnOnce(Joining) -> Command,
        goal: impl FnOnce(Option<Instant>) -> Goal,
    ) -> Result<(), Failure> {
        let status = self.opened()?.status()?;
        if matches!(status.phase, Phase::Pending | Phase::Resetting | Phase::Confirmed) {
            let message = "this profile has an account already; --profile NAME makes another one beside it";
            return Err(Failure::misuse("profile.in_use", message));
        }
        let now = Instant::now();
        let goal = goal(join.wait_s.map(|seconds| now + Duration::from_secs(seconds)));
        self.service = Some(join.service.clone());
        let joining = Joining {
            service: join.service,
            handle: join.handle,
            password: Secret(Zeroizing::new(join.password)),
            device_name: join.device_name,
            device_kind: device_kind(),
            policy: join.policy,
        };
        self.command(command(joining), reply, goal, Some(now + JOIN_WITHIN))
    }

    /// The account that this device has opened already: whoever asked was not told, and asks again.
    fn opened_before(&self, join: &Join) -> Result<Option<SignedUp>, Failure> {
        let open = self.opened()?;
        let status = open.status()?;
        let is_same = status.handle.as_ref() == Some(&join.handle) && status.service.as_ref() == Some(&join.service);
        if status.phase != Phase::Confirmed || !is_same {
            return Ok(None);
        }
        let rows = query::devices(&open.store()).map_err(|error| Failure::from_store(&error))?;
        let first = rows.into_iter().find(|row| row.this && row.confirmed_by.is_none()).zip(status.account);
        Ok(first.map(|(row, account)| signed_up_row(&account, &join.handle, row.device, row.added_block, open)))
    }

    fn await_confirmation(&mut self, wait_s: Option<u64>, reply: &Reply) -> Result<(), Failure> {
        let open = self.opened()?;
        let status = open.status()?;
        let device = status.device.map(|it| it.to_string()).unwrap_or_default();
        match status.phase {
            Phase::Confirmed => {
                reply.event(&LogInEvent::Confirmed { device, by_device: None, block: None });
                reply.done(&json!({}));
                return Ok(());
            }
            Phase::Pending => (),
            Phase::New | Phase::Joining | Phase::Resetting | Phase::Ended => return Err(new_profile()),
        }
        reply.event(&LogInEvent::Pending { device, recovery_key: has_recovery_key(open) });
        let shown = query::code(&open.store()).map_err(|error| Failure::from_store(&error))?;
        if let Some((code, by_device)) = shown {
            reply.event(&code_event(&code, by_device, open));
        }
        let until = wait_s.map(|seconds| Instant::now() + Duration::from_secs(seconds));
        let goal = Goal::LoggedIn { is_pending: true, wait_until: until };
        self.waiting.push(Waiting { reply: reply.clone(), goal, intent: None, until, lost: 0 });
        Ok(())
    }

    /// Somebody by his handle, or by the beginning of the id of a conversation that he has opened: not everybody has a name here.
    fn person(&self, who: &str) -> Result<AccountId, Failure> {
        if let Ok(row) = self.contact(who) {
            return Ok(row.account);
        }
        let rows = query::openers(&self.opened()?.store(), who).map_err(|error| Failure::from_store(&error))?;
        match rows.as_slice() {
            [account] => Ok(*account),
            _ => Err(Failure::new(Kind::Refused, "contact.unknown", format_args!("you know nobody as {who}"))),
        }
    }

    fn report(&mut self, who: &str, reason: Reason, block: bool, reply: &Reply) -> Result<(), Failure> {
        self.require_confirmed()?;
        let command = Command::Report { account: self.person(who)?, reason, block };
        self.command(command, reply, Goal::Reported, Some(Instant::now() + DONE_WITHIN))
    }

    fn contact_link(&mut self, renew: bool, reply: &Reply) -> Result<(), Failure> {
        self.require_confirmed()?;
        let output = self.step(Input::Command(Command::MakeLink { renew }))?;
        self.carry_out(output);
        let token = query::link_token(&self.opened()?.store()).map_err(|error| Failure::from_store(&error))?;
        let token = token.ok_or_else(|| Failure::broken("a contact link that was not made"))?;
        reply.done(&Link { token: token.to_string() });
        Ok(())
    }

    /// Somebody whom this device knows.
    pub(super) fn contact(&self, handle: &str) -> Result<ContactRow, Failure> {
        let rows = query::contacts(&self.opened()?.store()).map_err(|error| Failure::from_store(&error))?;
        let unknown = || Failure::new(Kind::Refused, "contact.unknown", format_args!("you know nobody as {handle}"));
        rows.into_iter().find(|row| row.handle == handle).ok_or_else(unknown)
    }

    fn history(&self, reply: &Reply) -> Result<(), Failure> {
        let store = self.opened()?.store();
        let row = query::history(&store).map_err(|error| Failure::from_store(&error))?;
        let handed = query::handed(&store).map_err(|error| Failure::from_store(&error))?;
        reply.done(&History::of(row, handed));
        Ok(())
    }

    fn verification_code(&self, handle: &str, reply: &Reply) -> Result<(), Failure> {
        self.require_confirmed()?;
        let row = self.contact(handle)?;
        let code = query::verification_code(&self.opened()?.store(), &row.account);
        let code = code.map_err(|error| Failure::from_store(&error))?.ok_or_else(new_profile)?;
        let (verified, by_link) = (row.verified, row.by_link);
        reply.done(&Verification { handle: row.handle, code: code.to_string(), verified, by_link });
        Ok(())
    }

    fn recover(&mut self, words: String, reply: &Reply) -> Result<(), Failure> {
        let words = Secret(Zeroizing::new(words));
        match self.opened()?.status()?.phase {
            Phase::Pending => {
                self.command(Command::Recover { words }, reply, Goal::Done, Some(Instant::now() + DONE_WITHIN))
            }
            Phase::New | Phase::Joining => Err(new_profile()),
            Phase::Confirmed | Phase::Resetting | Phase::Ended => {
                let message = "only a device that waits to be let in can use the recovery key: log in on it first";
                Err(Failure::misuse("recovery.not_waiting", message))
            }
        }
    }

    fn open_request(&mut self, device: &str, wait_s: u64, reply: &Reply) -> Result<(), Failure> {
        self.require_confirmed()?;
        let device = self.device(device)?;
        let rows = query::devices(&self.opened()?.store()).map_err(|error| Failure::from_store(&error))?;
        let row = rows.into_iter().find(|row| row.device == device);
        match row {
            Some(row) if row.code_shown => reply.done(&json!({})),
            Some(row) if row.state != "pending" => {
                return Err(Failure::new(Kind::Refused, "confirm.answered", "this device does not wait to be let in"));
            }
            _ => {
                let until = Instant::now() + Duration::from_secs(wait_s);
                let goal = Goal::CodeShown(device);
                return self.command(Command::OpenRequest { device }, reply, goal, Some(until));
            }
        }
        Ok(())
    }

    fn read(&mut self, with: Option<String>, limit: u32, follow: bool, reply: &Reply) -> Result<(), Failure> {
        let open = self.opened()?;
        if open.status()?.phase == Phase::New {
            return Err(new_profile());
        }
        let rows = query::lines(&open.store(), with.as_deref(), limit);
        for row in rows.map_err(|error| Failure::from_store(&error))? {
            reply.event(&self.told(row));
        }
        if follow {
            let goal = Goal::Following { above: seen_up_to(open, with.as_deref()), with };
            self.waiting.push(Waiting { reply: reply.clone(), goal, intent: None, until: None, lost: 0 });
        } else {
            reply.done(&json!({}));
        }
        Ok(())
    }

    fn older(&self, conversation: &str, before: &str, limit: u32, reply: &Reply) -> Result<(), Failure> {
        let malformed = |_| Failure::misuse("request.malformed", "this is no id");
        let (group, before) = (conversation.parse().map_err(malformed)?, before.parse().map_err(malformed)?);
        let rows = query::messages_before(&self.opened()?.store(), &group, &before, limit);
        rows.map_err(|error| Failure::from_store(&error))?.into_iter().for_each(|row| reply.event(&self.told(row)));
        reply.done(&json!({}));
        Ok(())
    }

    fn search(
        &self,
        words: &str,
        with: Option<&str>,
        from: Option<&str>,
        limit: u32,
        reply: &Reply,
    ) -> Result<(), Failure> {
        let open = self.opened()?;
        if open.status()?.phase == Phase::New {
            return Err(new_profile());
        }
        if words.trim().is_empty() {
            return Err(Failure::misuse("search.empty", "there is nothing to look for"));
        }
        let wanted = Wanted { words, with, from, limit: usize::try_from(limit).unwrap_or(usize::MAX) };
        let found = match query::search(&open.store(), &wanted).map_err(|error| Failure::from_store(&error))? {
            Ok(found) => found,
            Err(Unknown::Conversation) => {
                let message = "there is no conversation that is called that";
                return Err(Failure::new(Kind::Refused, "chat.unknown", message));
            }
            Err(Unknown::Person) => {
                return Err(Failure::new(Kind::Refused, "contact.unknown", "you know nobody who is called that"));
            }
        };
        let Found { rows, found, messages, since_ms, complete } = found;
        rows.into_iter().for_each(|row| reply.event(&self.told(row)));
        reply.done(&Searched { found, messages, since: since_ms.map(rfc3339), complete });
        Ok(())
    }

    fn tell_status(&mut self, reply: &Reply) -> Result<(), Failure> {
        match self.opened() {
            Ok(open) => {
                let recovery_key = has_recovery_key(open);
                let reset_due = query::reset_due_s(&open.store()).map_err(|error| Failure::from_store(&error))?;
                let reset_due = reset_due.map(|seconds| rfc3339(seconds.saturating_mul(1_000)));
                let state = State::of(open.status()?, self.connection, self.offline_since_ms);
                reply.done(&State { recovery_key, reset_due, ..state });
            }
            Err(failure) if failure.code == "profile.new" => reply.done(&State::new_profile()),
            Err(failure) => return Err(failure),
        }
        Ok(())
    }

    fn list<Found, Row: serde::Serialize>(
        &self,
        reply: &Reply,
        ask: impl FnOnce(&client::Store<'_>) -> Result<Vec<Found>, client::Error>,
        row: impl Fn(Found) -> Row,
    ) -> Result<(), Failure> {
        let found = ask(&self.opened()?.store()).map_err(|error| Failure::from_store(&error))?;
        found.into_iter().for_each(|found| reply.event(&row(found)));
        reply.done(&json!({}));
        Ok(())
    }

    /// A device of the own account, by the beginning of its id.
    fn device(&self, beginning: &str) -> Result<DeviceId, Failure> {
        let rows = query::devices(&self.opened()?.store()).map_err(|error| Failure::from_store(&error))?;
        let beginning = beginning.replace(' ', "").to_lowercase();
        let mut fitting = rows.iter().map(|row| row.device).filter(|id| id.to_string().starts_with(&beginning));
        match (fitting.next(), fitting.next()) {
            (Some(device), None) if !beginning.is_empty() => Ok(device),
            (None, _) => Err(Failure::new(Kind::Refused, "device.unknown", "you have no device whose id begins so")),
            _ => Err(Failure::misuse("device.ambiguous", "several of your devices have an id that begins so")),
        }
    }

    /// Only a confirmed device acts for its account.
    pub(super) fn require_confirmed(&self) -> Result<(), Failure> {
        match self.opened()?.status()?.phase {
            Phase::Confirmed => Ok(()),
            Phase::Pending => {
                let message = "this device waits to be let in; open Trefoil on one of your other devices";
                Err(Failure::new(Kind::Waiting, "device.pending", message))
            }
            Phase::New | Phase::Joining => Err(new_profile()),
            Phase::Resetting => {
                let message = "the reset of your account is announced, and not due yet";
                Err(Failure::new(Kind::Waiting, "reset.waiting", message))
            }
            Phase::Ended => {
                let message = "this device is no longer one of your account's; `trefoil login HANDLE` joins again";
                Err(Failure::new(Kind::Refused, "device.removed", message))
            }
        }
    }
}

/// What says something, and how long whoever asked waits until the service has it; anything else as it is.
fn said(what: What) -> Result<(Command, u64), Box<What>> {
    Ok(match what {
        What::Send { to, text, wait_s } => (Command::Send { to, text }, wait_s),
        What::LeaveChat { chat, wait_s } => (Command::LeaveChat { chat }, wait_s),
        What::RenameChat { chat, title, wait_s } => (Command::RenameChat { chat, title }, wait_s),
        What::SetTimer { chat, seconds, wait_s } => (Command::SetTimer { chat, seconds }, wait_s),
        What::Reply { message, text, wait_s } => (Command::Reply { message, text }, wait_s),
        What::Edit { message, text, wait_s } => (Command::Edit { message, text }, wait_s),
        What::Delete { message, wait_s } => (Command::Delete { message }, wait_s),
        What::React { message, reaction, remove, wait_s } => (Command::React { message, reaction, remove }, wait_s),
        what => return Err(Box::new(what)),
    })
}
