//! What happens to a group: made, welcomed to, entered, changed by others, changed from here. Rules GRP-1 to GRP-6.

use std::collections::BTreeSet;

use chain::id::{AccountId, Digest};
use protocol::api::delivery::{
    CommitSubmission, GROUP_UNKNOWN, GROUPS, GroupCreation, GroupState, LEAF_NOT_IN_CHAIN, OwnGroups, STALE_EPOCH,
    Submitted,
};
use protocol::bytes::Base64Url;
use protocol::id::GroupId;
use protocol::members::{
    Committer, Composition, Leaf, Members, MembersBroken, Roles, check_commit, check_entered, check_group,
};
use protocol::refusal::Problem;

use crate::conversation::{Conversation, LeavesSince, Pending, Stage};
use crate::device::Device;
use crate::error::Error;
use crate::feed::Processed;
use crate::membership::Difference;
use crate::mls::{Add, Admitted, CommitPlan, Committed, Incoming};
use crate::step::{Event, Failure};
use crate::turn::{Purpose, Turn, get, post_bytes};

const GROUP: &str = "group";
pub(crate) const CLAIMED: &str = "claimed";
/// Groups whose state is asked for at a time.
const ENTERED_AT_ONCE: usize = 8;

impl Turn<'_> {
    /// This device with its keys.
    pub(crate) fn device(&self) -> Result<Device, Error> {
        self.own_device()?.ok_or(Error::Fault("a group without an account"))
    }

    /// Makes a group of this device alone, for these accounts.
    pub(crate) fn create_group(&mut self, conversation: &mut Conversation, roles: &Roles) -> Result<bool, Error> {
        let device = self.device()?;
        let Some(own) = self.fresh(&device.account)? else { return Ok(false) };
        let standing = own.standing;
        let members = Members { log: self.checkpoint(), accounts: [(device.account, standing)].into() };
        let group = conversation.group;
        let made = self.mls(&device).create(&group, &members, roles)?;
        let creation = GroupCreation { group, group_info: Base64Url(made.group_info), tree: Base64Url(made.tree) };
        self.keep_submission(&group, &serde_json::to_vec(&creation).map_err(|_| Error::Damaged)?)?;
        conversation.stage = Stage::Creating;
        conversation.opened_here = true;
        self.keep_conversation(conversation)?;
        Ok(true)
    }

    /// The service knows a new group.
    pub(crate) fn take_creation(&mut self, group: &GroupId, body: &[u8]) -> Result<(), Error> {
        let Some(mut conversation) = self.conversation(group)? else { return Ok(()) };
        if serde_json::from_slice::<Submitted>(body).is_ok() && conversation.stage == Stage::Creating {
            conversation.stage = Stage::Active;
            self.keep_conversation(&conversation)?;
        }
        Ok(())
    }

    /// Sends what was made and not yet answered; true if there was something.
    pub(crate) fn send_pending(&mut self, conversation: &Conversation) -> Result<bool, Error> {
        let group = conversation.group;
        let (purpose, path) = match (&conversation.stage, &conversation.pending) {
            (Stage::Creating, _) => (Purpose::Creation(group), GROUPS.to_owned()),
            (_, Some(_)) => (Purpose::Commit(group), format!("{GROUPS}/{group}/commits")),
            (_, None) => return Ok(false),
        };
        if self.may_ask(&purpose) {
            let body = self.submission(&group)?;
            self.ask_as_device(purpose, post_bytes(path, body))?;
        }
        Ok(true)
    }

    /// Makes the commit that brings a group to where it should be; false if a key package is still lacking.
    pub(crate) fn commit(
        &mut self,
        conversation: &mut Conversation,
        difference: Difference,
        now: &Composition,
    ) -> Result<bool, Error> {
        let mut add = Vec::new();
        for device in &difference.add {
            match self.store.bytes(CLAIMED, &device.id().0)? {
                Some(key_package) => add.push(Add { device: Admitted::of(device), key_package }),
                None => self.claim(&device.account(), &device.id())?,
            }
        }
        if add.len() < difference.add.len() {
            return Ok(false);
        }
        let members = now.members.update_to(&difference.members);
        let plan = CommitPlan { add, remove: difference.remove.clone(), members, roles: difference.roles };
        let device = self.device()?;
        let committed = self.mls(&device).commit(&conversation.group, &plan)?;
        for added in &difference.add {
            self.store.remove(CLAIMED, &added.id().0)?;
        }
        match committed {
            Ok(committed) => self.keep_pending(conversation, committed).map(|()| true),
            // a key package that is not its device's is thrown away, and another one claimed after a while
            Err(_) => {
                let message = "the service gave out no valid key of a device that this has to reach";
                self.hold_back(&conversation.group, &Failure::lie(LEAF_NOT_IN_CHAIN, message))?;
                for added in &difference.add {
                    self.unclaimable(&added.id())?;
                }
                Ok(false)
            }
        }
    }

    fn keep_pending(&mut self, conversation: &mut Conversation, committed: Committed) -> Result<(), Error> {
        let submission = CommitSubmission {
            base_epoch: committed.base_epoch,
            commit: Base64Url(committed.commit.clone()),
            group_info: Base64Url(committed.group_info),
            welcome: Base64Url(committed.welcome),
            welcomed: committed.welcomed,
        };
        let body = serde_json::to_vec(&submission).map_err(|_| Error::Damaged)?;
        self.keep_submission(&conversation.group, &body)?;
        conversation.pending = Some(Pending { commit: Digest::sha256(&committed.commit) });
        self.keep_conversation(conversation)
    }

    /// The service took the commit that was made here.
    pub(crate) fn take_commit(&mut self, group: &GroupId, body: &[u8]) -> Result<(), Error> {
        let Ok(submitted) = serde_json::from_slice::<Submitted>(body) else {
            self.pause();
            return Ok(());
        };
        match self.conversation(group)? {
            Some(conversation) if conversation.pending.is_some() => {
                self.own_commit_accepted(conversation, submitted.position)
            }
            _ => Ok(()),
        }
    }

    /// TXN-4: the commit is the group's next epoch.
    fn own_commit_accepted(&mut self, mut conversation: Conversation, place: u64) -> Result<(), Error> {
        let device = self.device()?;
        let group = conversation.group;
        let mls = self.mls(&device);
        let before = if conversation.stage == Stage::Active { Some(mls.composition(&group)?) } else { None };
        mls.merge_pending(&group)?;
        let now = mls.composition(&group)?;
        if before.as_ref().is_none_or(|before| before.leaves != now.leaves) {
            conversation.leaves_since = LeavesSince { epoch: now.epoch, place };
        }
        if let (Some(before), Some(pending)) = (before, &conversation.pending) {
            let before = before.accounts();
            self.note_members(&group, place, &device.account, &before, &now.accounts(), &pending.commit.0)?;
        }
        conversation.pending = None;
        // whoever comes in is told who is there; who writes next says it again for those who came by themselves
        conversation.must_introduce |= conversation.stage == Stage::Active && !conversation.invited.is_empty();
        let entered = conversation.stage != Stage::Active;
        if entered {
            // whatever the service said before
            conversation.known_epoch = now.epoch;
        }
        let met = now.members.accounts.keys().filter(|it| entered || conversation.invited.contains(&it.0)).copied();
        self.meet(met.collect())?;
        conversation.stage = Stage::Active;
        self.settle(&mut conversation, &now)?;
        self.conversation_changed(&group);
        Ok(())
    }

    /// CHK-8: only who shares a group with an account hears of its changes. So whoever is met in one is looked at once
    /// more before anything is written there, however short ago that was done.
    fn meet(&mut self, accounts: Vec<AccountId>) -> Result<(), Error> {
        let own = self.device()?.account;
        for account in accounts.into_iter().filter(|account| *account != own) {
            self.hint(&account)?;
        }
        Ok(())
    }

    /// Forgets what has been reached by a new epoch.
    fn settle(&mut self, conversation: &mut Conversation, now: &Composition) -> Result<(), Error> {
        let there = now.accounts();
        let has = |account: &[u8; 32]| there.contains(&AccountId(*account));
        conversation.invited.retain(|account| !has(account));
        conversation.expelled.retain(has);
        let own = self.device()?.account;
        conversation.follow_roles(now, &own);
        let others: Vec<_> = there.iter().filter(|account| **account != own).collect();
        if conversation.title.is_none() && conversation.pair.is_none() {
            conversation.title = self.shared_title(&conversation.group)?;
        }
        self.share_picture(conversation)?;
        self.shared_timer(conversation)?;
        if conversation.title.is_none()
            && conversation.pair.is_none()
            && now.roles == Roles::default()
            && let [other] = others.as_slice()
        {
            conversation.pair = Some(other.0);
        }
        conversation.opened_here |= now.roles.admins.contains(&own);
        conversation.openers = match conversation.pair {
            _ if conversation.opened_here => Vec::new(),
            Some(other) => vec![other],
            None => now.roles.admins.iter().map(|account| account.0).collect(),
        };
        self.keep_conversation(conversation)
    }

    /// The service refused a group or a commit.
    pub(crate) fn commit_refused(&mut self, group: &GroupId, problem: &Problem) -> Result<(), Error> {
        let Some(mut conversation) = self.conversation(group)? else { return Ok(()) };
        if conversation.stage == Stage::Creating {
            self.pause();
            return Ok(());
        }
        let device = self.device()?;
        if conversation.pending.take().is_some() {
            self.mls(&device).clear_pending(group)?;
        }
        if problem.code == STALE_EPOCH {
            conversation.known_epoch = problem.epoch.unwrap_or_default().max(conversation.known_epoch);
            self.ask_for_feed()?;
        } else {
            // what the record says has changed meanwhile, or the service is wrong: look again, after a moment
            for account in self.members_of(&conversation)? {
                self.hint(&account)?;
            }
            self.pause();
        }
        self.keep_conversation(&conversation)
    }

    /// The accounts in a group, as far as this device is in it.
    pub(crate) fn members_of(&self, conversation: &Conversation) -> Result<Vec<AccountId>, Error> {
        let device = self.device()?;
        let mls = self.mls(&device);
        if !mls.has(&conversation.group)? {
            return Ok(Vec::new());
        }
        Ok(mls.composition(&conversation.group)?.accounts().into_iter().collect())
    }

    /// Somebody let this device into a group.
    pub(crate) fn welcomed(
        &mut self,
        group: &GroupId,
        epoch: u64,
        place: u64,
        welcome: &[u8],
    ) -> Result<Processed, Error> {
        let device = self.device()?;
        if self.mls(&device).has(group)? {
            return Ok(Processed::Done);
        }
        if self.conversation(group)?.is_some_and(|it| it.stage == Stage::Entering && it.pending.is_some()) {
            // TXN-4: its own way in may have been taken already, and it never drops its own commit
            return Ok(Processed::Later);
        }
        let key = [group.0.as_slice(), &epoch.to_be_bytes()].concat();
        let Some(tree) = self.store.bytes(GROUP, &key)? else {
            self.ask_as_device(
                Purpose::GroupState(*group, Some(epoch)),
                get(format!("{GROUPS}/{group}?epoch={epoch}")),
            )?;
            return Ok(Processed::Later);
        };
        let staged = if tree.is_empty() { None } else { self.mls(&device).stage_welcome(welcome, &tree)?.ok() };
        let Some(staged) = staged.filter(|staged| staged.group == *group) else {
            // the tree is gone, or the key package is: there is another way in
            self.store.remove(GROUP, &key)?;
            return self.enter_instead(group).map(|()| Processed::Done);
        };
        let now = staged.composition.clone();
        let Some(facts) = self.facts(group, &now)? else { return Ok(Processed::Later) };
        self.store.remove(GROUP, &key)?;
        let let_in_by_a_member = now.leaves.contains(&staged.from);
        let verdict = facts.judge(|record| check_group(&now, record));
        if let Err(broken) = verdict.and(if let_in_by_a_member { Ok(()) } else { Err(MembersBroken::NotAllowed) }) {
            self.event(Event::Lie { code: broken.code().to_owned(), evidence: Vec::new() });
            return Ok(Processed::Done);
        }
        let by = staged.from.account;
        let opened_here = by == device.account;
        self.mls(&device).accept(staged)?;
        let mut conversation = Conversation { opened_here, ..Conversation::new(*group, Stage::Active) };
        conversation.leaves_since = LeavesSince { epoch: now.epoch, place };
        // of an earlier time in it only what it is called counts, and its picture
        if let Some(before) = self.conversation(group)? {
            (conversation.title, conversation.titled) = (before.title, before.titled);
            (conversation.picture, conversation.pictured) = (before.picture, before.pictured);
        }
        self.meet(now.members.accounts.keys().copied().collect())?;
        self.settle(&mut conversation, &now)?;
        self.was_asked(&conversation)?;
        self.note_members(group, place, &by, &BTreeSet::new(), &[device.account].into(), welcome)?;
        self.conversation_changed(group);
        Ok(Processed::Done)
    }

    /// This account is not in it any more, and no commit that says so will come.
    fn left(&mut self, group: &GroupId) -> Result<(), Error> {
        let Some(mut conversation) = self.conversation(group)? else { return Ok(()) };
        if conversation.stage == Stage::Entering {
            conversation.stage = Stage::Removed;
            conversation.pending = None;
            self.mls(&self.device()?).forget(group)?;
            self.keep_conversation(&conversation)?;
            self.leaving_is_over(group, u64::MAX)?;
            self.conversation_changed(group);
        }
        Ok(())
    }

    /// Comes in by itself, because what it has of a group fits nothing any more. Of what was written meanwhile it goes on to miss
    /// what does not come (SND-3): that was for this device, and whoever wants one gone must not have it enter anew for that.
    pub(crate) fn enter_instead(&mut self, group: &GroupId) -> Result<(), Error> {
        let mut conversation = self.conversation(group)?.unwrap_or_else(|| Conversation::new(*group, Stage::Entering));
        if !matches!(conversation.stage, Stage::Halted(_)) {
            conversation.stage = Stage::Entering;
            conversation.pending = None;
        }
        self.keep_conversation(&conversation)
    }

    /// Somebody changed a group.
    pub(crate) fn committed(
        &mut self,
        group: &GroupId,
        epoch: u64,
        place: u64,
        commit: &[u8],
    ) -> Result<Processed, Error> {
        let Some(mut conversation) = self.conversation(group)? else { return Ok(Processed::Done) };
        if conversation.pending.as_ref().is_some_and(|pending| pending.commit == Digest::sha256(commit)) {
            return self.own_commit_accepted(conversation, place).map(|()| Processed::Done);
        }
        let device = self.device()?;
        let mls = self.mls(&device);
        if conversation.stage != Stage::Active || !mls.has(group)? || epoch < mls.epoch(group)? {
            return Ok(Processed::Done);
        }
        let staged = match mls.read(group, commit)? {
            Ok(Incoming::Commit(staged)) => staged,
            Ok(Incoming::OwnCommit) => return self.own_commit_accepted(conversation, place).map(|()| Processed::Done),
            // the service lets nobody send what is no commit; this device's own state does not fit
            Ok(Incoming::Message { .. }) | Err(_) => return self.enter_instead(group).map(|()| Processed::Done),
        };
        let (before, after, committer) = (staged.before.clone(), staged.after.clone(), staged.committer);
        // who comes by itself may have lost what it was told before
        let by_itself = matches!(committer, Committer::External(_));
        let somebody_new = by_itself || after.leaves.iter().any(|leaf| !before.leaves.contains(leaf));
        let Some(facts) = self.facts(group, &after)? else { return Ok(Processed::Later) };
        if let Err(broken) = facts.judge(|record| check_commit(&before, &after, &committer, record)) {
            return self.halt(conversation, &broken).map(|()| Processed::Done);
        }
        if staged.removes_me {
            mls.forget(group)?;
            conversation.stage = Stage::Removed;
            conversation.pending = None;
            self.keep_conversation(&conversation)?;
            self.leaving_is_over(group, place)?;
            self.conversation_changed(group);
            return Ok(Processed::Done);
        }
        if mls.merge(*staged)?.is_err() {
            return self.enter_instead(group).map(|()| Processed::Done);
        }
        conversation.pending = None;
        if before.leaves != after.leaves {
            conversation.leaves_since = LeavesSince { epoch: after.epoch, place };
        }
        // whoever is new does not know whose device this is
        conversation.introduced &= !somebody_new;
        let by = committer.account();
        self.note_members(group, place, &by, &before.accounts(), &after.accounts(), &Digest::sha256(commit).0)?;
        self.settle(&mut conversation, &after)?;
        self.conversation_changed(group);
        Ok(Processed::Done)
    }

    /// GRP-6: honest software cannot do this. The conversation stops, visibly.
    fn halt(&mut self, mut conversation: Conversation, broken: &MembersBroken) -> Result<(), Error> {
        let code = broken.code().to_owned();
        conversation.stage = Stage::Halted(code.clone());
        self.keep_conversation(&conversation)?;
        self.event(Event::Lie { code, evidence: Vec::new() });
        self.conversation_changed(&conversation.group);
        Ok(())
    }

    /// Asks which groups this account has, once after each start.
    pub(crate) fn look_for_groups(&mut self) -> Result<(), Error> {
        if !self.memory.knows_groups {
            self.ask_as_device(Purpose::OwnGroups, get(GROUPS))?;
        }
        Ok(())
    }

    /// Finds groups of this account that this device is not in.
    pub(crate) fn take_own_groups(&mut self, body: &[u8]) -> Result<(), Error> {
        let Ok(OwnGroups { groups }) = serde_json::from_slice(body) else {
            self.pause();
            return Ok(());
        };
        self.memory.knows_groups = true;
        self.found_groups(groups.iter().map(|found| found.group))?;
        let device = self.device()?;
        for found in groups {
            let here = self.mls(&device).has(&found.group)?;
            // one that has had no commit yet is its maker's alone, who takes in everybody with the first one, and could not any
            // more after another one (GRP-3)
            let has_begun = found.epoch > 0 || found.present;
            if found.present && here {
                self.service_is_at(&found.group, found.epoch)?;
            } else if has_begun {
                let known = self.conversation(&found.group)?;
                if known.is_none_or(|it| matches!(it.stage, Stage::Active | Stage::Removed)) {
                    self.enter_instead(&found.group)?;
                }
            }
        }
        Ok(())
    }

    /// The service has a group at an epoch: what leads there has to be read first.
    fn service_is_at(&mut self, group: &GroupId, epoch: u64) -> Result<(), Error> {
        match self.conversation(group)? {
            Some(mut conversation) if conversation.stage == Stage::Active && conversation.known_epoch < epoch => {
                conversation.known_epoch = epoch;
                self.keep_conversation(&conversation)
            }
            _ => Ok(()),
        }
    }

    /// Goes on entering a group: asks for its state.
    pub(crate) fn go_on_entering(&mut self, conversation: &Conversation) -> Result<(), Error> {
        let group = conversation.group;
        let is_asked = |purpose: &&Purpose| matches!(purpose, Purpose::GroupState(_, None));
        let others = self.memory.in_flight.keys().filter(is_asked).count();
        // to enter takes a while for each: what else comes in, old messages above all, comes in between
        if others >= ENTERED_AT_ONCE || self.is_looking_up(&group) || self.is_welcome(&group)? {
            return Ok(());
        }
        self.ask_as_device(Purpose::GroupState(group, None), get(format!("{GROUPS}/{group}")))
    }

    /// A group's state came: the tree for a Welcome, or everything to enter by.
    pub(crate) fn take_group_state(&mut self, group: &GroupId, epoch: Option<u64>, body: &[u8]) -> Result<(), Error> {
        let Ok(state) = serde_json::from_slice::<GroupState>(body) else {
            self.pause();
            return Ok(());
        };
        match epoch {
            Some(epoch) => {
                let key = [group.0.as_slice(), &epoch.to_be_bytes()].concat();
                self.store.put_bytes(GROUP, &key, &state.tree.0)
            }
            None => self.enter(group, &state),
        }
    }

    /// There is no such state any more.
    pub(crate) fn group_state_refused(
        &mut self,
        group: &GroupId,
        epoch: Option<u64>,
        problem: &Problem,
    ) -> Result<(), Error> {
        match epoch {
            // its account has left, or was taken out; should it be let in again, it is welcomed or finds the group
            None if problem.code == GROUP_UNKNOWN => self.left(group),
            Some(epoch) => {
                let key = [group.0.as_slice(), &epoch.to_be_bytes()].concat();
                self.store.put_bytes(GROUP, &key, &[])
            }
            None => {
                self.pause();
                Ok(())
            }
        }
    }

    /// Enters by an external commit, with nobody else online (GRP-4).
    fn enter(&mut self, group: &GroupId, state: &GroupState) -> Result<(), Error> {
        let Some(mut conversation) = self.conversation(group)? else { return Ok(()) };
        // who was let in by somebody can also read what was sent since
        if conversation.stage != Stage::Entering || conversation.pending.is_some() || self.is_welcome(group)? {
            return Ok(());
        }
        let device = self.device()?;
        let Some(own) = self.fresh(&device.account)? else { return Ok(()) };
        let standing = own.standing;
        let log = self.checkpoint();
        let update = |before: &Composition| {
            let mut after = before.members.clone();
            after.log = if log.size >= before.members.log.size { log } else { before.members.log };
            after.accounts.insert(device.account, standing);
            before.members.update_to(&after)
        };
        let entering = match self.mls(&device).enter(&state.group_info.0, &state.tree.0, update)? {
            Ok(entering) if entering.group == *group => entering,
            Ok(_) | Err(_) => {
                self.pause();
                return Ok(());
            }
        };
        let (before, after) = (entering.before.clone(), entering.after.clone());
        let Some(facts) = self.facts(group, &after)? else {
            self.mls(&device).clear_pending(group)?;
            return Ok(());
        };
        let leaf = Leaf { account: device.account, device: device.id(), key: device.keys().mls };
        let verdict = facts.judge(|record| check_commit(&before, &after, &Committer::External(leaf), record));
        let known = |leaf: &Leaf| {
            let known = self.memory.accounts.get(&leaf.account);
            known.map(|known| known.ever_confirmed(&leaf.device, &leaf.key))
        };
        let verdict = verdict.and_then(|()| check_entered(&after, &known));
        if let Err(broken) = verdict {
            self.mls(&device).clear_pending(group)?;
            return self.halt(conversation, &broken);
        }
        self.keep_pending(&mut conversation, entering.committed)
    }
}
