//! What faces wait for: each looks at every event until it has its answer, its time is over, or nobody answers.

use chain::id::{AccountId, DeviceId};
use client::query::{self, MessageRow, MessageState};
use client::step::{Event, IntentId};
use serde_json::json;
use tokio::time::Instant;

use super::core::Open;
use super::face::Reply;
use crate::clock::rfc3339;
use crate::failure::{Failure, Kind};
use crate::file_kind;
use crate::local::Reported;
use crate::local::files::Saved;
use crate::local::rows::{self, Change, LogInEvent, ResetAnnounced, Sent, SignedUp};
use crate::words;

/// Requests in a row without an answer after which a face is told that nobody answers.
const LOST_IN_A_ROW: u32 = 3;
/// How far back a follower looks for a message of one conversation.
const FOLLOWED: u32 = 200;

/// Whether it goes on waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Stay,
    End,
}

/// What is waited for.
#[derive(Debug)]
pub(crate) enum Goal {
    /// An intent is carried out.
    Done,
    /// The account is open.
    SignedUp,
    /// The reset is announced.
    ResetAnnounced,
    /// This device is confirmed; `is_pending` once it is in the record, then for as long as `wait_until` says.
    LoggedIn { is_pending: bool, wait_until: Option<Instant> },
    /// The waiting device shows its digits.
    CodeShown(DeviceId),
    /// The service says when it has seen whom, or does not.
    Seen,
    /// The message of this row is at the service.
    Sent { row: Option<i64> },
    /// The service has what the operator is told.
    Reported,
    /// The file of a message is saved.
    Saved(Saved),
    /// Whatever comes, in one conversation or in all. Of one conversation: rows above this one were not shown yet.
    Following { with: Option<String>, above: i64 },
    /// Whatever changes.
    Changes,
}

/// A face that waits.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) reply: Reply,
    pub(crate) goal: Goal,
    /// The intent that it is about; `None` if it is about none.
    pub(crate) intent: Option<IntentId>,
    pub(crate) until: Option<Instant>,
    /// Requests in a row that were not answered.
    pub(crate) lost: u32,
}

impl Waiting {
    /// When its time is over.
    pub(crate) fn until(&self) -> Option<Instant> {
        self.until
    }

    /// True if nobody waits any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.reply.is_gone()
    }

    /// Looks at an event.
    pub(crate) fn see(&mut self, event: &Event, open: &Open, offline_since_ms: Option<u64>) -> Verdict {
        match event {
            // in the record it waits whatever comes; before, whoever asked should know what it waits for
            Event::Held { .. } if matches!(self.goal, Goal::LoggedIn { is_pending: true, .. }) => (),
            Event::Failed { intent, failure } if self.is_about(*intent) => {
                self.reply.fail(failed(failure, open));
                return Verdict::End;
            }
            Event::Held { intent, failure } if self.is_about(*intent) => {
                self.reply.fail(Failure::held(failure.clone()));
                return Verdict::End;
            }
            _ => (),
        }
        let ended = match &mut self.goal {
            Goal::Done => matches!(event, Event::Done { intent } if Some(*intent) == self.intent).then(|| {
                self.reply.done(&json!({}));
            }),
            Goal::Reported => matches!(event, Event::Done { intent } if Some(*intent) == self.intent).then(|| {
                self.reply.done(&Reported { sent: true });
            }),
            Goal::Saved(saved) => matches!(event, Event::Done { intent } if Some(*intent) == self.intent).then(|| {
                self.reply.done(saved);
            }),
            Goal::SignedUp => signed_up(&self.reply, event, open),
            Goal::ResetAnnounced => reset_announced(&self.reply, event, open),
            Goal::Seen => matches!(event, Event::Seen { .. }).then(|| self.reply.done(&json!({}))),
            Goal::CodeShown(device) => code_shown(&self.reply, *device, event),
            Goal::LoggedIn { is_pending, wait_until } => {
                if matches!(event, Event::Pending { .. }) {
                    *is_pending = true;
                    self.until = *wait_until;
                }
                logged_in(&self.reply, event, open)
            }
            Goal::Sent { row } => sent(&self.reply, row, self.intent, event, open, offline_since_ms),
            Goal::Changes => {
                change(event).into_iter().for_each(|row| self.reply.event(&row));
                None
            }
            Goal::Following { with: None, .. } => {
                follow_all(&self.reply, event, open);
                None
            }
            Goal::Following { with: Some(with), above } => {
                follow(&self.reply, with, above, event, open);
                None
            }
        };
        ended.map_or(Verdict::Stay, |()| Verdict::End)
    }

    /// A request was answered, or lost.
    pub(crate) fn note_answer(&mut self, is_lost: bool, open: &Open, offline_since_ms: Option<u64>) -> Verdict {
        self.lost = if is_lost { self.lost.saturating_add(1) } else { 0 };
        let is_patient =
            matches!(self.goal, Goal::Following { .. } | Goal::Changes | Goal::LoggedIn { is_pending: true, .. });
        if self.lost < LOST_IN_A_ROW || is_patient {
            return Verdict::Stay;
        }
        match self.goal {
            Goal::Sent { row } => waits(&self.reply, row, open, offline_since_ms),
            Goal::Seen => self.reply.done(&json!({})),
            Goal::Reported => self.reply.done(&Reported { sent: false }),
            _ => self.reply.fail(unreachable()),
        }
        Verdict::End
    }

    /// Its time is over.
    pub(crate) fn expire(&self, open: &Open, offline_since_ms: Option<u64>) {
        let waits_still = |code, message| self.reply.fail(Failure::new(Kind::Waiting, code, message));
        match self.goal {
            Goal::Sent { row } => waits(&self.reply, row, open, offline_since_ms),
            Goal::Reported => self.reply.done(&Reported { sent: false }),
            Goal::LoggedIn { is_pending: true, .. } => {
                waits_still(
                    "device.pending",
                    "this device still waits to be let in; run the same command again to go on",
                );
            }
            Goal::Seen => self.reply.done(&json!({})),
            Goal::CodeShown(_) => {
                waits_still(
                    "confirm.not_shown",
                    "the new device shows no digits yet; is it on, and does it wait there?",
                );
            }
            Goal::SignedUp | Goal::ResetAnnounced | Goal::LoggedIn { .. } => self.reply.fail(unreachable()),
            Goal::Done | Goal::Saved(_) | Goal::Following { .. } | Goal::Changes if offline_since_ms.is_some() => {
                self.reply.fail(unreachable())
            }
            Goal::Done | Goal::Saved(_) | Goal::Following { .. } | Goal::Changes => {
                waits_still("intent.waiting", "this takes longer than usual; it goes on by itself");
            }
        }
    }

    /// The service answers again, or no longer.
    pub(crate) fn note_connection(&self) {
        if matches!(self.goal, Goal::Changes) {
            self.reply.event(&Change::of("connection"));
        }
    }

    /// Files are further, or no longer on their way.
    pub(crate) fn note_files(&self) {
        if matches!(self.goal, Goal::Changes) {
            self.reply.event(&Change::of("files"));
        }
    }

    fn is_about(&self, intent: IntentId) -> bool {
        self.intent == Some(intent)
    }
}

/// A failure as it is told here, where it is known since when this device is of the account.
fn failed(failure: &client::step::Failure, open: &Open) -> Failure {
    let told = Failure::from_client(failure.clone());
    let until_s = || {
        let rows = query::devices(&open.store()).unwrap_or_default();
        rows.into_iter().find(|row| row.this).and_then(|row| row.young_until_s)
    };
    match told.code.as_str() {
        "device.too_new" => match until_s() {
            Some(until_s) => Failure { message: words::device::too_new(until_s), ..told },
            None => told,
        },
        _ => told,
    }
}

pub(super) fn unreachable() -> Failure {
    let message = "the service does not answer; run the same command again later";
    Failure::new(Kind::Unreachable, "service.unreachable", message)
}

fn signed_up(reply: &Reply, event: &Event, open: &Open) -> Option<()> {
    let Event::SignedUp { account, handle, device, block } = event else { return None };
    reply.done(&signed_up_row(account, handle, *device, *block, open));
    Some(())
}

fn reset_announced(reply: &Reply, event: &Event, open: &Open) -> Option<()> {
    let Event::ResetAnnounced { due_s } = event else { return None };
    let handle = open.status().ok().and_then(|it| it.handle).unwrap_or_default();
    reply.done(&ResetAnnounced { handle, due: rfc3339(due_s.saturating_mul(1_000)) });
    Some(())
}

/// The row of an account that this device opened.
pub(crate) fn signed_up_row(account: &AccountId, handle: &str, device: DeviceId, block: u64, open: &Open) -> SignedUp {
    let status = open.status().ok();
    let device = device.to_string();
    SignedUp {
        account: account.to_string(),
        handle: handle.to_owned(),
        fingerprint: rows::fingerprint(&device),
        device,
        block,
        witnesses: status.as_ref().map_or(0, |it| it.witnesses),
        quorum: status.as_ref().map_or(0, |it| it.quorum),
    }
}

/// True if the own account has a recovery key, as far as this device knows.
pub(crate) fn has_recovery_key(open: &Open) -> bool {
    query::has_recovery_key(&open.store()).unwrap_or_default()
}

/// The row of the digits that this device shows.
pub(crate) fn code_event(code: &str, by_device: DeviceId, open: &Open) -> LogInEvent {
    let devices = query::devices(&open.store()).unwrap_or_default();
    let by_name = devices.into_iter().find(|row| row.device == by_device).and_then(|row| row.name);
    LogInEvent::Code { code: code.to_owned(), by_device: by_device.to_string(), by_name }
}

fn logged_in(reply: &Reply, event: &Event, open: &Open) -> Option<()> {
    match event {
        Event::Pending { device } => {
            let recovery_key = has_recovery_key(open);
            reply.event(&LogInEvent::Pending { device: device.to_string(), recovery_key });
            None
        }
        Event::Code { code, by_device } => {
            reply.event(&code_event(code, *by_device, open));
            None
        }
        Event::Confirmed { device, by_device, block } => {
            let by_device = by_device.map(|it| it.to_string());
            reply.event(&LogInEvent::Confirmed { device: device.to_string(), by_device, block: Some(*block) });
            reply.done(&json!({}));
            Some(())
        }
        Event::NotConfirmed { expired } => {
            reply.event(if *expired { &LogInEvent::Expired } else { &LogInEvent::Refused });
            let (code, message) = match expired {
                true => ("confirm.expired", "the request ran out; start again on the new device"),
                false => ("device.refused", "this device was not let in"),
            };
            reply.fail(Failure::new(Kind::Refused, code, message));
            Some(())
        }
        _ => None,
    }
}

fn code_shown(reply: &Reply, asked: DeviceId, event: &Event) -> Option<()> {
    match event {
        Event::CodeShown { device } if *device == asked => {
            reply.done(&json!({}));
            Some(())
        }
        Event::RequestAnswered { device, .. } if *device == asked => {
            let message = "this request was answered already, or ran out";
            reply.fail(Failure::new(Kind::Refused, "confirm.answered", message));
            Some(())
        }
        _ => None,
    }
}

fn sent(
    reply: &Reply,
    row: &mut Option<i64>,
    own: Option<IntentId>,
    event: &Event,
    open: &Open,
    offline_since_ms: Option<u64>,
) -> Option<()> {
    match event {
        // several may be under way: which row is one's own says this one alone
        Event::Written { intent, row: found, .. } if Some(*intent) == own => {
            *row = Some(*found);
            None
        }
        Event::Message { row: found, incoming: false, .. } if *row == Some(*found) => {
            let message = query::message(&open.store(), *found).ok()??;
            matches!(message.state, MessageState::Sent | MessageState::Delivered | MessageState::Read)
                .then(|| tell_sent(reply, Some(message), open, offline_since_ms))
        }
        Event::Done { intent } if Some(*intent) == own => {
            let message = row.and_then(|row| query::message(&open.store(), row).ok()?);
            tell_sent(reply, message, open, offline_since_ms);
            Some(())
        }
        _ => None,
    }
}

/// It was not sent yet, and will be.
fn waits(reply: &Reply, row: Option<i64>, open: &Open, offline_since_ms: Option<u64>) {
    let message = row.and_then(|row| query::message(&open.store(), row).ok()?);
    tell_sent(reply, message, open, offline_since_ms);
}

fn tell_sent(reply: &Reply, message: Option<MessageRow>, open: &Open, offline_since_ms: Option<u64>) {
    let file = message.as_ref().and_then(|it| it.file.as_ref());
    let tells_place = file.is_some_and(|file| file_kind::can_tell_place(&file.content_type));
    let encrypted_to = message.iter().flat_map(|it| &it.encrypted_to).map(ToString::to_string).collect();
    reply.done(&Sent {
        message: message.as_ref().map(|it| it.message.to_string()),
        conversation: message.as_ref().map(|it| it.group.to_string()),
        unchecked_s: message.as_ref().and_then(|it| it.unchecked_s),
        state: message.map_or(MessageState::Waiting, |it| it.state),
        encrypted_to,
        offline_since: offline_since_ms.map(rfc3339),
        waiting: open.status().map_or(0, |it| it.waiting),
        tells_place,
    });
}

/// What of a profile is not as it was before an event.
fn change(event: &Event) -> Option<Change> {
    Some(match event {
        Event::Message { group, .. }
        | Event::Written { group, .. }
        | Event::Changed { group, .. }
        | Event::Reached { group, .. } => Change { conversation: Some(group.to_string()), ..Change::of("messages") },
        Event::Conversation { .. } => Change::of("conversations"),
        Event::Typing { group } => Change { conversation: Some(group.to_string()), ..Change::of("typing") },
        Event::RequestSeen { .. }
        | Event::RequestAnswered { .. }
        | Event::Introduced { .. }
        | Event::Seen { is_news: true }
        | Event::CodeShown { .. } => Change::of("devices"),
        Event::Notice { .. } => Change::of("notices"),
        Event::History { .. } | Event::Backup { .. } => Change::of("history"),
        Event::Done { .. } | Event::Settings => Change::of("contacts"),
        Event::SignedUp { .. }
        | Event::Pending { .. }
        | Event::Code { .. }
        | Event::Confirmed { .. }
        | Event::ResetAnnounced { .. }
        | Event::ResetStopped
        | Event::NotConfirmed { .. }
        | Event::Removed
        | Event::Lie { .. } => Change::of("account"),
        // the core tells of the connection by itself, as it sees also what no step is taken for
        Event::Seen { is_news: false } | Event::Failed { .. } | Event::Held { .. } | Event::Reachable(_) => {
            return None;
        }
    })
}

fn follow_all(reply: &Reply, event: &Event, open: &Open) {
    let (row, group, is_change) = match event {
        Event::Message { row, group, incoming: true, .. } => (row, group, false),
        Event::Changed { row, group, .. } => (row, group, true),
        _ => return,
    };
    // whoever is not known makes no sound (PPL-2)
    if !query::is_open(&open.store(), group).unwrap_or_default() {
        return;
    }
    let message = query::message(&open.store(), *row).ok().flatten();
    // what cannot be read yet comes again when it can
    let Some(message) = message.filter(|it| is_change || has_come(it)) else { return };
    reply.event(&rows::Message::from(message));
}

/// A message may be there before it is known what its conversation is called.
fn follow(reply: &Reply, with: &str, above: &mut i64, event: &Event, open: &Open) {
    if let Event::Changed { row, group, .. } = event {
        let is_meant = query::is_of(&open.store(), group, with).unwrap_or_default();
        let message = query::message(&open.store(), *row).ok().flatten().filter(|_| is_meant);
        return message.into_iter().for_each(|message| reply.event(&rows::Message::from(message)));
    }
    if !matches!(event, Event::Message { incoming: true, .. } | Event::Conversation { .. }) {
        return;
    }
    let newest = query::messages(&open.store(), Some(with), FOLLOWED).unwrap_or_default();
    unseen(newest, above).for_each(|message| reply.event(&rows::Message::from(message)));
}

/// What came since; it is seen then. What can be read at last has a new row.
fn unseen(newest: Vec<MessageRow>, above: &mut i64) -> impl Iterator<Item = MessageRow> {
    let seen = std::mem::replace(above, newest.iter().map(|it| it.row).fold(*above, i64::max));
    let is_new = move |it: &MessageRow| it.row > seen && has_come(it) && !it.from_history;
    newest.into_iter().filter(is_new)
}

/// True for what another device wrote, also an own one, whoever has it by now.
fn has_come(row: &MessageRow) -> bool {
    match row.state {
        MessageState::Received => true,
        MessageState::Delivered | MessageState::Read => row.encrypted_to.is_empty(),
        MessageState::Waiting | MessageState::Sent | MessageState::Unreadable | MessageState::Failed => false,
    }
}

/// The row up to which a conversation has been seen: 0 if there is none of this name yet.
pub(crate) fn seen_up_to(open: &Open, with: Option<&str>) -> i64 {
    let mut above = 0;
    if with.is_some() {
        let newest = query::messages(&open.store(), with, FOLLOWED).unwrap_or_default();
        unseen(newest, &mut above).for_each(drop);
    }
    above
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use client::StoreKey;
    use client::step::Blame;
    use tokio::sync::mpsc;

    use super::*;
    use crate::local::{Line, Says};

    const DEVICE: DeviceId = DeviceId([1; 16]);

    /// A face that waits for a goal of intent 7, and what it is told.
    struct Stage {
        _folder: tempfile::TempDir,
        open: Open,
        waiting: Waiting,
        lines: mpsc::UnboundedReceiver<Line>,
    }

    impl Stage {
        fn new(goal: Goal) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let open = Open::new(&folder.path().join("store.sqlite"), StoreKey::new([7; 32])).unwrap();
            let (reply, lines) = Reply::for_test();
            let waiting = Waiting { reply, goal, intent: Some(7), until: None, lost: 0 };
            Self { _folder: folder, open, waiting, lines }
        }

        fn see(&mut self, event: &Event) -> Verdict {
            self.waiting.see(event, &self.open, None)
        }

        fn lose(&mut self, is_lost: bool) -> Verdict {
            self.waiting.note_answer(is_lost, &self.open, None)
        }

        /// Everything said so far: `event` and the row, `done`, or the code of an error.
        fn said(&mut self) -> Vec<String> {
            let text = |line: Line| match line.says {
                Says::Event(row) => format!("event {}", row["event"].as_str().unwrap_or_default()),
                Says::Done(row) => format!("done {}", row["state"].as_str().unwrap_or_default()),
                Says::Error(refusal) => refusal.code,
            };
            std::iter::from_fn(|| self.lines.try_recv().ok()).map(text).collect()
        }
    }

    fn failed(intent: IntentId, code: &str) -> Event {
        let failure = client::step::Failure { code: code.into(), blame: Blame::Refused, message: String::new() };
        Event::Failed { intent, failure }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn only_ones_own_intent_ends_the_waiting() {
        let mut stage = Stage::new(Goal::Done);
        assert_eq!(stage.see(&Event::Done { intent: 6 }), Verdict::Stay);
        assert_eq!(stage.see(&failed(8, "other")), Verdict::Stay);
        assert_eq!(stage.see(&failed(7, "chain.conflict")), Verdict::End);
        assert_eq!(stage.said(), ["chain.conflict"]);
        let mut stage = Stage::new(Goal::Done);
        assert_eq!(stage.see(&Event::Done { intent: 7 }), Verdict::End);
        assert_eq!(stage.said(), ["done "]);
    }

    /// PPL-5: it stays, and goes out by itself.
    #[tokio::test(flavor = "current_thread")]
    async fn a_report_that_nobody_takes_now_is_no_failure() {
        let mut stage = Stage::new(Goal::Reported);
        assert_eq!([(); 3].map(|()| stage.lose(true)), [Verdict::Stay, Verdict::Stay, Verdict::End]);
        assert_eq!(stage.said(), ["done "]);
        let mut stage = Stage::new(Goal::Reported);
        assert_eq!(stage.see(&failed(7, "rate.limited")), Verdict::End);
        assert_eq!(stage.said(), ["rate.limited"]);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_log_in_tells_each_step_and_waits_longer_once_it_is_in_the_record() {
        let later = Instant::now() + Duration::from_secs(9);
        let mut stage = Stage::new(Goal::LoggedIn { is_pending: false, wait_until: Some(later) });
        assert_eq!(stage.see(&Event::Pending { device: DEVICE }), Verdict::Stay);
        assert_eq!(stage.waiting.until(), Some(later));
        for _ in 0..5 {
            assert_eq!(stage.lose(true), Verdict::Stay, "the request stays open without the service");
        }
        stage.see(&Event::Code { code: "418093".into(), by_device: DEVICE });
        let confirmed = Event::Confirmed { device: DEVICE, by_device: None, block: 3 };
        assert_eq!(stage.see(&confirmed), Verdict::End);
        assert_eq!(stage.said(), ["event pending", "event code", "event confirmed", "done "]);
        let mut stage = Stage::new(Goal::LoggedIn { is_pending: true, wait_until: None });
        assert_eq!(stage.see(&Event::NotConfirmed { expired: false }), Verdict::End);
        assert_eq!(stage.said(), ["event refused", "device.refused"]);
    }

    /// A text that is there before its conversation has a name, and one that could be read at last, are both shown, once.
    #[test]
    fn a_follower_shows_what_it_has_not_shown() {
        let message = |row: i64, state: MessageState| MessageRow {
            row,
            message: chain::id::Digest([0; 32]),
            place: None,
            group: protocol::id::GroupId([0; 32]),
            from: AccountId([0; 32]),
            from_handle: None,
            device: DEVICE,
            text: String::new(),
            sent_at_ms: 0,
            state,
            from_history: row == 6,
            encrypted_to: Vec::new(),
            answers: None,
            edited: false,
            deleted: false,
            reactions: Vec::new(),
            timer_s: None,
            lasts_s: None,
            title: None,
            pictured: None,
            change: None,
            file: None,
            receipts: Vec::new(),
            mentions: Vec::new(),
            unchecked_s: None,
        };
        let mut above = 0;
        let mut see = |rows: &[(i64, MessageState)]| {
            let newest = rows.iter().map(|(row, state)| message(*row, *state)).collect();
            unseen(newest, &mut above).map(|it| it.row).collect::<Vec<_>>()
        };
        assert!(see(&[]).is_empty());
        let (received, unread) = (MessageState::Received, MessageState::Unreadable);
        assert_eq!(see(&[(2, received), (3, unread), (4, received)]), [2, 4]);
        assert_eq!(see(&[(2, received), (5, received), (4, received)]), [5]);
        assert!(see(&[(5, received), (6, received), (7, MessageState::Sent)]).is_empty());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn one_lost_answer_is_nothing_and_three_in_a_row_are_nobody() {
        let mut stage = Stage::new(Goal::SignedUp);
        for is_lost in [true, true, false, true, true] {
            assert_eq!(stage.lose(is_lost), Verdict::Stay);
        }
        assert_eq!(stage.lose(true), Verdict::End);
        assert_eq!(stage.said(), ["service.unreachable"]);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_text_that_nobody_takes_waits_and_is_no_failure() {
        let mut stage = Stage::new(Goal::Sent { row: None });
        assert_eq!([true, true, true].map(|it| stage.lose(it)), [Verdict::Stay, Verdict::Stay, Verdict::End]);
        assert_eq!(stage.said(), ["done waiting"]);
        let mut stage = Stage::new(Goal::Sent { row: None });
        stage.waiting.expire(&stage.open, None);
        assert_eq!(stage.said(), ["done waiting"]);
    }

    /// Several texts are under way at once: each answer is about its own.
    #[tokio::test(flavor = "current_thread")]
    async fn a_sender_is_told_of_its_own_text_and_of_no_other() {
        let (message, group) = (chain::id::Digest([1; 32]), protocol::id::GroupId([2; 32]));
        let mut stage = Stage::new(Goal::Sent { row: None });
        stage.see(&Event::Message { row: 4, message, group, incoming: false });
        assert!(matches!(stage.waiting.goal, Goal::Sent { row: None }), "another's");
        stage.see(&Event::Written { intent: 6, row: 4, message, group });
        assert!(matches!(stage.waiting.goal, Goal::Sent { row: None }), "another's");
        stage.see(&Event::Written { intent: 7, row: 5, message, group });
        assert!(matches!(stage.waiting.goal, Goal::Sent { row: Some(5) }));
        assert!(stage.said().is_empty());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn the_digits_of_another_device_are_not_the_ones_waited_for() {
        let mut stage = Stage::new(Goal::CodeShown(DEVICE));
        assert_eq!(stage.see(&Event::CodeShown { device: DeviceId([2; 16]) }), Verdict::Stay);
        assert_eq!(stage.see(&Event::CodeShown { device: DEVICE }), Verdict::End);
        let mut stage = Stage::new(Goal::CodeShown(DEVICE));
        let answered = Event::RequestAnswered { device: DEVICE, confirmed: false, by_device: None };
        assert_eq!(stage.see(&answered), Verdict::End);
        assert_eq!(stage.said(), ["confirm.answered"]);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn an_open_account_is_told_with_its_fingerprint() {
        let mut stage = Stage::new(Goal::SignedUp);
        let account = AccountId([3; 32]);
        let event = Event::SignedUp { account, handle: "bob".into(), device: DEVICE, block: 12 };
        assert_eq!(stage.see(&event), Verdict::End);
        let Says::Done(row) = stage.lines.try_recv().unwrap().says else { panic!("not done") };
        let row: SignedUp = serde_json::from_value(row).unwrap();
        assert_eq!((row.block, row.fingerprint.as_str()), (12, "0101 0101 0101 0101 0101 0101 0101 0101"));
    }
}
