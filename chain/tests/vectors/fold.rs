//! `fold`: entries with block and time, and the record that they give.

use chain::block::Parameters;
use chain::encoding::{Reader, Writer};
use chain::id::{AccountId, HandleLabel, PublicKey};
use chain::sigchain::body::{Answer, Body, Confirmer, Predecessor, ResetChoice};
use chain::sigchain::device_set::DeviceSet;
use chain::sigchain::entry::{Entry, SeenCheckpoint, Statement};
use chain::stamped::{StampedEntry, fold_stamped};

use crate::case::{Case, Fields, Verdict, check, refusal};
use crate::example_log::{bob_laptop, recovery_key};
use crate::ledger::{Device, HOUR_S, Ledger, bob_phone, ghost};
use crate::refused_fold::all_refused;

/// DEV-1 to DEV-10, REC-1 to REC-3, RST-1 to RST-7.
#[test]
fn entries_fold_to_a_record_or_are_refused() {
    let cases: Vec<_> = valid().into_iter().chain(all_refused()).collect();
    assert_eq!(check("fold", &cases, judge), 48);
}

fn judge(fields: &Fields) -> Verdict {
    let parameters = Parameters::decode(fields.get("parameters")).unwrap();
    let stamped: Vec<_> =
        fields.all("stamped").map(|bytes| StampedEntry::decode(&mut Reader::new(bytes)).unwrap()).collect();
    let (last, before) = stamped.split_last().unwrap();
    // whatever is refused is the last entry
    let set = fold_before(before, &parameters);
    let set = fold_stamped(set, std::slice::from_ref(last), &parameters, &|_| None).map_err(refusal)?;
    assert_eq!(set.encode(), fields.get("record"));
    assert_eq!(set.hash().0, *fields.get("device-set-hash"));
    assert_eq!(DeviceSet::map_key(&set.account()).0, *fields.get("map-key"));
    assert_eq!(set.map_value().0, *fields.get("map-value"));
    Ok(())
}

fn fold_before(entries: &[StampedEntry], parameters: &Parameters) -> Option<DeviceSet> {
    (!entries.is_empty()).then(|| fold_stamped(None, entries, parameters, &|_| None).unwrap())
}

/// Bob's account, an hour further with every entry.
pub(crate) struct Story {
    pub(crate) log: Ledger,
    pub(crate) bob: AccountId,
}

impl Story {
    pub(crate) fn begin() -> Self {
        Self::with_policy(0, 0)
    }

    pub(crate) fn with_policy(quorum: usize, witnesses: u8) -> Self {
        let mut log = Ledger::new(quorum, witnesses);
        let bob = log.opened(&bob_phone(), None);
        Self { log, bob }
    }

    /// With the laptop pending.
    pub(crate) fn pending() -> Self {
        Self::begin().then(|story| story.log.add(&story.bob, &bob_laptop()))
    }

    /// With the laptop confirmed by the phone.
    pub(crate) fn confirmed() -> Self {
        Self::pending().then(|story| story.log.confirm(&story.bob, &bob_laptop(), &bob_phone(), &bob_phone()))
    }

    /// With an announced reset.
    pub(crate) fn announced() -> Self {
        Self::begin().then(Self::announcement)
    }

    pub(crate) fn then(self, entry: impl Fn(&Self) -> Entry) -> Self {
        self.after(1, entry)
    }

    pub(crate) fn after(mut self, hours: u64, entry: impl Fn(&Self) -> Entry) -> Self {
        let entry = entry(&self);
        self.log.seal(vec![entry], self.log.time_s() + hours * HOUR_S);
        self
    }

    pub(crate) fn follow(&self, body: Body, device: &Device) -> Entry {
        self.log.follow(&self.bob, body, device)
    }

    /// The opening of the identity that would follow, as its device made it before the notice.
    pub(crate) fn successor(&self) -> Entry {
        let opening = StampedEntry { ..self.log.entries(&self.bob)[0].clone() };
        let head = Entry::decode(&opening.entry).unwrap().hash();
        let body = Body::AccountCreated {
            salt: [8; 32],
            device: ghost().keys(),
            reset_choice: ResetChoice::OneDay,
            handle: None,
            predecessor: Some(Predecessor { account: self.bob, head }),
        };
        self.log.sign(Statement::opening(2, self.log_start(), body), &ghost())
    }

    /// What an author names who has seen block 0 only.
    fn log_start(&self) -> SeenCheckpoint {
        SeenCheckpoint { size: 1, root: self.log.root_at(1) }
    }

    pub(crate) fn announcement(&self) -> Entry {
        let successor = self.successor().statement.position.account;
        self.follow(Body::ResetRequested { successor, device: ghost().keys() }, &ghost())
    }

    pub(crate) fn veto(&self) -> Entry {
        let notice = self.log.set(&self.bob).notice().unwrap().hash;
        self.follow(Body::ResetVetoed { notice, signer: bob_phone().id() }, &bob_phone())
    }

    pub(crate) fn reset(&self, checkpoints: [Vec<u8>; 2]) -> Entry {
        let [notice_checkpoint, later_checkpoint] = checkpoints;
        let successor = self.successor().statement.position.account;
        self.follow(Body::AccountReset { successor, notice_checkpoint, later_checkpoint }, &ghost())
    }

    pub(crate) fn set_recovery_key(&self, key: Option<PublicKey>) -> Entry {
        self.follow(Body::RecoveryKeySet { key, signer: bob_phone().id() }, &bob_phone())
    }

    pub(crate) fn confirm_by_recovery_key(&self, device: &Device) -> Entry {
        let added = self.log.set(&self.bob).pending()[&device.id()].added;
        let answer = Answer { added, device: device.id(), signer: Confirmer::RecoveryKey };
        self.follow(Body::DeviceConfirmed(answer), &Device { chain: recovery_key(), mls: recovery_key() })
    }

    pub(crate) fn close(&self) -> Entry {
        self.follow(Body::AccountClosed { signer: bob_phone().id() }, &bob_phone())
    }

    /// Parameters and entries so far.
    pub(crate) fn fields(&self) -> Fields {
        let stamped = self.log.entries(&self.bob).iter().map(encoded);
        Fields::default().with("parameters", self.log.parameters.encode()).with_all("stamped", stamped)
    }

    fn valid(&self, name: &str, what: &str) -> Case {
        self.valid_with(name, what, &[])
    }

    /// The record after the entries so far and one more, which stands in the next block.
    fn valid_with(&self, name: &str, what: &str, more: &[StampedEntry]) -> Case {
        let before = Some(self.log.set(&self.bob).clone());
        let set = fold_stamped(before, more, &self.log.parameters, &|_| None).unwrap();
        let fields = self.fields().with_all("stamped", more.iter().map(encoded));
        let fields = fields.with("record", set.encode()).with("device-set-hash", set.hash().0);
        let fields = fields.with("map-key", DeviceSet::map_key(&self.bob).0).with("map-value", set.map_value().0);
        Case::new(name, Ok(()), what, fields)
    }

    /// An entry in the next block, some hours later.
    pub(crate) fn stamp(&self, hours: u64, entry: &Entry) -> StampedEntry {
        let time_s = self.log.time_s() + hours * HOUR_S;
        StampedEntry { block: self.log.size(), time_s, entry: entry.encode() }
    }
}

pub(crate) fn encoded(stamped: &StampedEntry) -> Vec<u8> {
    let mut w = Writer::new();
    stamped.encode(&mut w);
    w.finish()
}

fn valid() -> Vec<Case> {
    let (phone, laptop) = (bob_phone(), bob_laptop());
    let refuse = |story: &Story| {
        let added = story.log.set(&story.bob).pending()[&laptop.id()].added;
        story.follow(Body::DeviceRefused(Answer { added, device: laptop.id(), signer: phone.id() }), &phone)
    };
    let recovery = Some(PublicKey::from(&recovery_key()));
    let by_recovery = Story::begin()
        .then(|story| story.set_recovery_key(recovery))
        .then(|story| story.log.add(&story.bob, &laptop))
        .then(|story| story.confirm_by_recovery_key(&laptop));
    let bind = Body::HandleBound { handle: Some(HandleLabel([0x22; 32])), signer: phone.id() };
    let announced = Story::announced();
    let reset = announced.stamp(24, &announced.reset([Vec::new(), Vec::new()]));
    let witnessed = Story::with_policy(2, 3).then(Story::announcement);
    let checkpoints =
        [0, 24].map(|hours| witnessed.log.checkpoint(3, &[0, 1, 2], witnessed.log.time_s() + hours * HOUR_S));
    let witnessed_reset = witnessed.stamp(24, &witnessed.reset(checkpoints));
    vec![
        Story::begin().valid("opened", "an account with its first device"),
        Story::pending().valid("pending", "a second device waits"),
        Story::confirmed().valid("confirmed", "the first device confirms it"),
        Story::pending().then(refuse).valid("refused", "the first device refuses it; its keys are retired"),
        Story::confirmed()
            .then(|story| story.log.remove(&story.bob, &laptop, &phone))
            .valid("removed", "the first device removes the second"),
        by_recovery.valid("confirmed-by-recovery-key", "the recovery key confirms a device"),
        by_recovery
            .then(|story| story.log.remove(&story.bob, &phone, &laptop))
            .valid("young-by-recovery-key", "a device that the recovery key confirmed removes an older one at once"),
        Story::confirmed()
            .after(72, |story| story.log.remove(&story.bob, &phone, &laptop))
            .valid("grown-up", "72 hours after its confirmation, a device removes an older one"),
        Story::begin().then(|story| story.follow(bind.clone(), &phone)).valid("handle", "a handle is bound"),
        Story::begin()
            .then(|story| story.log.choose(&story.bob, ResetChoice::Never, &phone))
            .valid("never", "the account chooses never to be reset"),
        Story::announced().valid("announced", "a reset is announced"),
        Story::announced().then(Story::veto).valid("vetoed", "a device objects to the reset"),
        announced.valid_with(
            "reset",
            "the reset is carried out to the second, under a policy without witnesses",
            &[reset],
        ),
        witnessed.valid_with(
            "reset-with-witnesses",
            "the reset is carried out with two checkpoints that prove the wait",
            &[witnessed_reset],
        ),
        Story::begin().then(Story::close).valid("closed", "the account is closed"),
    ]
}
