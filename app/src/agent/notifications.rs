//! What the desktop shows of what is going on: one notification for each conversation in which somebody wrote something that
//! nobody has read, one for each device that asks to be let in, one for a reset that was asked for. What happened and what is so
//! comes in; what is to be shown comes out, and whoever shows it compares that with what he shows.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chain::id::DeviceId;
use client::query::{MessageRow, News};
use client::step::Event;
use protocol::id::GroupId;
use tokio::time::Instant;

use crate::local::Telling;
use crate::words::notification as words;

/// So long nothing is shown of what has happened: what comes together is one, and whoever is looking has read it by then.
const GATHER: Duration = Duration::from_secs(1);
/// So long a conversation is not shown anew, and twice as long each time until somebody has read it.
const PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(40);

/// What a notification is about: of each there is one at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum About {
    Conversation(GroupId),
    Device(DeviceId),
    Reset,
}

/// A notification.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) title: String,
    /// Markup, escaped.
    pub(crate) body: String,
    /// It stays until it is answered.
    pub(crate) is_urgent: bool,
    /// Grows when something newer is said; else what is said is only no longer as it was.
    pub(super) told: u64,
}

impl std::fmt::Debug for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Note(..)")
    }
}

/// All that is to be shown.
pub(crate) type Shown = BTreeMap<About, Note>;

/// What is so now, as far as it was asked for.
#[derive(Default)]
pub(crate) struct Facts {
    /// Of the conversations that make a sound and have something that nobody has read.
    pub(crate) news: BTreeMap<GroupId, News>,
    /// When a reset of the own account is due.
    pub(crate) reset_due: Option<String>,
}

/// What has happened and nobody has seen yet.
pub(crate) struct Notifications {
    telling: Telling,
    unseen: BTreeMap<GroupId, Unseen>,
    asking: BTreeSet<DeviceId>,
    /// Something is to be seen about the account, which may be a reset.
    is_noticed: bool,
    due: Option<Instant>,
}

/// What came in one conversation.
struct Unseen {
    /// The newest rows, as many as are counted.
    rows: BTreeSet<i64>,
    /// Those of which something is shown.
    shown: BTreeSet<i64>,
    /// The newest row of which something was ever shown, and how often that was.
    up_to: i64,
    told: u64,
    /// Nothing newer is shown before this.
    next: Instant,
    pause: Duration,
}

impl Notifications {
    /// Nothing has happened yet.
    pub(crate) fn new(telling: Telling) -> Self {
        Self { telling, unseen: BTreeMap::new(), asking: BTreeSet::new(), is_noticed: false, due: None }
    }

    /// How much is shown.
    pub(crate) fn telling(&self) -> Telling {
        self.telling
    }

    /// From now on so much is shown; of nothing that has happened while nothing was.
    pub(crate) fn set(&mut self, telling: Telling, now: Instant) {
        if telling == Telling::Off {
            self.forget();
        }
        self.telling = telling;
        self.due = Some(now);
    }

    /// Something has happened.
    pub(crate) fn see(&mut self, event: &Event, now: Instant) {
        if self.telling == Telling::Off {
            return;
        }
        match event {
            Event::Message { row, group, incoming: true, .. } => {
                let rows = &mut self.unseen.entry(*group).or_insert_with(|| Unseen::new(now)).rows;
                rows.insert(*row);
                if rows.len() > words::MOST_COUNTED {
                    rows.pop_first();
                }
            }
            Event::Changed { group, .. } | Event::Conversation { group } | Event::Message { group, .. }
                if self.unseen.contains_key(group) => {}
            Event::RequestSeen { device } => drop(self.asking.insert(*device)),
            Event::RequestAnswered { device, .. } if self.asking.remove(device) => {}
            Event::Notice { .. } => self.is_noticed = true,
            Event::Removed => self.forget(),
            _ => return,
        }
        self.wake(now + GATHER);
    }

    /// When it is to be decided anew.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// True if that is now.
    pub(crate) fn take_due(&mut self, now: Instant) -> bool {
        self.due.take_if(|due| *due <= now).is_some()
    }

    /// Of which rows of which conversations the facts are needed.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = (&GroupId, BTreeSet<i64>)> {
        self.unseen.iter().map(|(group, unseen)| (group, &unseen.rows | &unseen.shown))
    }

    /// What is to be shown now.
    pub(crate) fn decide(&mut self, facts: &Facts, now: Instant) -> Shown {
        let mut shown = Shown::new();
        let mut later = None;
        for (group, unseen) in &mut self.unseen {
            let news = facts.news.get(group);
            // what makes no sound now makes none later
            unseen.keep(&news.iter().flat_map(|news| &news.messages).map(|it| it.row).collect());
            if unseen.has_newer() && !unseen.show(now) {
                later = later.into_iter().chain([unseen.next]).min();
            }
            let Some(news) = news else { continue };
            let messages: Vec<_> = news.messages.iter().filter(|it| unseen.shown.contains(&it.row)).collect();
            if let Some(body) = body(self.telling, news.conversation.pair, &messages) {
                let title = words::title(&news.conversation.title);
                let note = Note { title, body, is_urgent: false, told: unseen.told };
                shown.insert(About::Conversation(*group), note);
            }
        }
        self.unseen.retain(|_, unseen| !unseen.rows.is_empty());
        later.into_iter().for_each(|at| self.wake(at));
        let urgent = |body: String| Note { title: words::TREFOIL.to_owned(), body, is_urgent: true, told: 0 };
        shown.extend(self.asking.iter().map(|it| (About::Device(*it), urgent(words::DEVICE_ASKS.to_owned()))));
        self.is_noticed &= facts.reset_due.is_some();
        if let Some(due) = facts.reset_due.as_ref().filter(|_| self.is_noticed) {
            shown.insert(About::Reset, urgent(words::reset_asked(due)));
        }
        shown
    }

    fn wake(&mut self, at: Instant) {
        self.due = self.due.into_iter().chain([at]).min();
    }

    fn forget(&mut self) {
        self.unseen.clear();
        self.asking.clear();
        self.is_noticed = false;
    }
}

impl Unseen {
    fn new(now: Instant) -> Self {
        let (rows, shown) = (BTreeSet::new(), BTreeSet::new());
        Self { rows, shown, up_to: i64::MIN, told: 0, next: now, pause: PAUSE }
    }

    /// Only these are there still.
    fn keep(&mut self, there: &BTreeSet<i64>) {
        self.rows.retain(|row| there.contains(row));
        self.shown.retain(|row| there.contains(row));
    }

    fn has_newer(&self) -> bool {
        self.rows.last().is_some_and(|newest| *newest > self.up_to)
    }

    /// Shows all that is there, unless it is too early for that.
    fn show(&mut self, now: Instant) -> bool {
        let is_time = self.next <= now;
        if is_time {
            self.up_to = self.rows.last().copied().unwrap_or(self.up_to);
            self.shown.clone_from(&self.rows);
            self.told = self.told.saturating_add(1);
            self.next = now + self.pause;
            self.pause = self.pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
        is_time
    }
}

/// What is said of messages of one conversation; nothing of none.
fn body(telling: Telling, is_pair: bool, messages: &[&MessageRow]) -> Option<String> {
    let newest = messages.last()?;
    let name =
        |it: &MessageRow| it.from_handle.clone().unwrap_or_else(|| it.from.to_string().chars().take(8).collect());
    // between two people the title says who
    let from = (!is_pair).then(|| name(newest));
    Some(match telling {
        Telling::Off => return None,
        Telling::Name => {
            let is_one = messages.iter().all(|it| it.from == newest.from);
            words::came(messages.len(), from.as_deref().filter(|_| is_one))
        }
        Telling::Text => {
            let file = newest.file.as_ref().filter(|_| newest.text.trim().is_empty());
            let text = file.map_or_else(|| newest.text.clone(), |file| words::file(&file.name));
            words::said(&text, from.as_deref(), messages.len().saturating_sub(1))
        }
    })
}

#[cfg(test)]
mod tests {
    use chain::id::{AccountId, Digest};
    use client::query::{ConversationRow, MessageState};
    use protocol::people::Standing;

    use super::*;

    const GROUP: GroupId = GroupId([1; 32]);
    const DEVICE: DeviceId = DeviceId([2; 16]);

    fn message(row: i64, from: &str, text: &str) -> MessageRow {
        MessageRow {
            row,
            message: Digest([0; 32]),
            place: Some(row.unsigned_abs()),
            group: GROUP,
            from: AccountId([from.as_bytes()[0]; 32]),
            from_handle: Some(from.to_owned()),
            device: DEVICE,
            text: text.to_owned(),
            sent_at_ms: 0,
            state: MessageState::Received,
            from_history: false,
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
        }
    }

    fn conversation(title: &str, pair: bool) -> ConversationRow {
        ConversationRow {
            group: GROUP,
            title: title.to_owned(),
            members: Vec::new(),
            admins: BTreeSet::new(),
            pair,
            own: false,
            unverified: false,
            typing: Vec::new(),
            picture: None,
            stale_since_s: None,
            unchecked: false,
            devices: 2,
            messages: 1,
            newest: None,
            unread: 1,
            mentioned: false,
            standing: Standing::Open,
            ready: true,
            left: false,
            timer_s: 0,
            muted_until_ms: None,
            pinned: false,
            archived: false,
            draft: None,
        }
    }

    /// A desktop, what is so, and what time it is.
    struct Stage {
        notifications: Notifications,
        title: &'static str,
        pair: bool,
        unread: Vec<MessageRow>,
        reset_due: Option<String>,
        now: Instant,
        /// Notifications that popped up.
        pops: u64,
        shown: Shown,
    }

    impl Stage {
        fn new(telling: Telling) -> Self {
            Self {
                notifications: Notifications::new(telling),
                title: "bob",
                pair: true,
                unread: Vec::new(),
                reset_due: None,
                now: Instant::now(),
                pops: 0,
                shown: Shown::new(),
            }
        }

        /// Somebody writes; no time passes.
        fn writes(&mut self, from: &str, text: &str) {
            let row = i64::try_from(self.unread.len()).unwrap() + 1;
            self.unread.push(message(row, from, text));
            self.happens(Event::Message { row, message: Digest([0; 32]), group: GROUP, incoming: true });
        }

        fn happens(&mut self, event: Event) {
            self.notifications.see(&event, self.now);
        }

        /// Something else is so of the conversation.
        fn changes(&mut self) {
            self.happens(Event::Conversation { group: GROUP });
            self.pass(1_000);
        }

        fn pass(&mut self, milliseconds: u64) {
            let end = self.now + Duration::from_millis(milliseconds);
            while let Some(due) = self.notifications.due().filter(|due| *due <= end) {
                self.now = due.max(self.now);
                assert!(self.notifications.take_due(self.now));
                let wanted: BTreeSet<i64> = self.notifications.wanted().flat_map(|(_, rows)| rows).collect();
                let messages: Vec<_> = self.unread.iter().filter(|it| wanted.contains(&it.row)).cloned().collect();
                let news = News { conversation: conversation(self.title, self.pair), messages };
                let news = (!news.messages.is_empty()).then_some((GROUP, news));
                let facts = Facts { news: news.into_iter().collect(), reset_due: self.reset_due.clone() };
                let shown = self.notifications.decide(&facts, self.now);
                let is_new = |(about, note): &(&About, &Note)| self.shown.get(about) != Some(*note);
                self.pops += u64::try_from(shown.iter().filter(is_new).count()).unwrap();
                self.shown = shown;
            }
            self.now = end;
        }

        fn bodies(&self) -> Vec<&str> {
            self.shown.values().map(|note| note.body.as_str()).collect()
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn by_default_only_who_wrote_is_shown_and_never_what() {
        let mut stage = Stage::new(Telling::default());
        stage.writes("bob", "the secret");
        stage.pass(1_000);
        assert_eq!(stage.bodies(), ["New message"]);
        assert!(stage.shown.values().all(|note| note.title == "bob" && !note.is_urgent));
        let mut stage = Stage { title: "Chess club", pair: false, ..Stage::new(Telling::default()) };
        stage.writes("carol", "the secret");
        stage.pass(1_000);
        assert_eq!(stage.bodies(), ["New message from carol"]);
        stage.writes("bob", "another");
        stage.pass(10_000);
        assert_eq!(stage.bodies(), ["2 new messages"]);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn whoever_wants_to_sees_the_newest_text_and_how_many_stand_before_it() {
        let mut stage = Stage { title: "Chess club", pair: false, ..Stage::new(Telling::Text) };
        stage.writes("carol", "tea?");
        stage.writes("bob", "<b>yes</b>");
        stage.pass(1_000);
        assert_eq!(stage.bodies(), ["bob: &lt;b&gt;yes&lt;/b&gt;\n(1 more before it)"]);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn nothing_is_shown_when_nothing_is_wanted() {
        let mut stage = Stage::new(Telling::Off);
        stage.writes("bob", "hello");
        stage.happens(Event::RequestSeen { device: DEVICE });
        stage.pass(60_000);
        assert!(stage.shown.is_empty());
        stage.notifications.set(Telling::Text, stage.now);
        stage.pass(60_000);
        assert!(stage.shown.is_empty(), "what came meanwhile is old");
        stage.writes("bob", "again");
        stage.pass(1_000);
        assert_eq!(stage.bodies(), ["again"]);
        stage.notifications.set(Telling::Off, stage.now);
        stage.pass(0);
        assert!(stage.shown.is_empty());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_burst_is_one_notification_and_not_one_a_message() {
        let mut stage = Stage::new(Telling::Name);
        for _ in 0..50 {
            stage.writes("bob", "hello");
        }
        stage.pass(1_000);
        assert_eq!((stage.pops, stage.bodies()), (1, vec!["50 new messages"]));
        // a queue of a long sleep that takes a minute
        for _ in 0..600 {
            stage.writes("bob", "hello");
            stage.pass(100);
        }
        stage.pass(60_000);
        assert_eq!(stage.bodies(), ["100 or more new messages"]);
        assert!(stage.pops <= 6, "popped up {} times", stage.pops);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_is_read_at_once_is_never_shown() {
        let mut stage = Stage::new(Telling::Name);
        stage.writes("bob", "hello");
        stage.pass(500);
        stage.unread.clear();
        stage.changes();
        assert_eq!((stage.pops, stage.bodies()), (0, vec![]));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_was_read_or_taken_back_is_no_longer_shown() {
        let mut stage = Stage::new(Telling::Text);
        stage.writes("bob", "one");
        stage.pass(1_000);
        stage.writes("bob", "two");
        stage.pass(60_000);
        assert_eq!(stage.bodies(), ["two\n(1 more before it)"]);
        stage.unread.pop();
        stage.changes();
        assert_eq!(stage.bodies(), ["one"]);
        stage.unread.clear();
        stage.changes();
        assert!(stage.shown.is_empty());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_text_that_is_taken_back_goes_also_while_the_next_one_waits_to_be_shown() {
        let mut stage = Stage::new(Telling::Text);
        stage.writes("bob", "regretted");
        stage.pass(1_000);
        stage.writes("bob", "after it");
        stage.unread.remove(0);
        stage.changes();
        assert!(stage.shown.is_empty(), "{:?}", stage.bodies());
        stage.pass(60_000);
        assert_eq!(stage.bodies(), ["after it"]);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_made_no_sound_when_it_came_makes_none_later() {
        let mut stage = Stage::new(Telling::Name);
        stage.writes("bob", "hello");
        let silent = std::mem::take(&mut stage.unread);
        stage.pass(1_000);
        stage.unread = silent;
        stage.changes();
        stage.pass(60_000);
        assert!(stage.shown.is_empty());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_device_that_asks_is_shown_until_somebody_has_answered() {
        let mut stage = Stage::new(Telling::Name);
        stage.happens(Event::RequestSeen { device: DEVICE });
        stage.pass(1_000);
        assert_eq!(stage.bodies(), [words::DEVICE_ASKS]);
        assert!(stage.shown.values().all(|note| note.is_urgent));
        stage.happens(Event::RequestSeen { device: DEVICE });
        stage.pass(60_000);
        assert_eq!(stage.pops, 1, "once is enough");
        stage.happens(Event::RequestAnswered { device: DEVICE, confirmed: true, by_device: None });
        stage.pass(1_000);
        assert!(stage.shown.is_empty());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_reset_is_shown_until_it_is_stopped() {
        let mut stage = Stage::new(Telling::Name);
        stage.happens(Event::Notice { number: 1 });
        stage.pass(1_000);
        assert!(stage.shown.is_empty(), "it was something else");
        stage.reset_due = Some("2026-08-02T14:02:11Z".to_owned());
        stage.happens(Event::Notice { number: 2 });
        stage.pass(1_000);
        assert!(stage.bodies()[0].contains("reset your account"), "{:?}", stage.bodies());
        stage.reset_due = None;
        stage.happens(Event::Notice { number: 3 });
        stage.pass(1_000);
        assert!(stage.shown.is_empty());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_device_that_is_one_no_more_shows_nothing() {
        let mut stage = Stage::new(Telling::Text);
        stage.writes("bob", "hello");
        stage.happens(Event::RequestSeen { device: DEVICE });
        stage.pass(1_000);
        assert_eq!(stage.shown.len(), 2);
        stage.happens(Event::Removed);
        stage.pass(1_000);
        assert!(stage.shown.is_empty());
    }
}
