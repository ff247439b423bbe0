//! Devices in one process, each with a store of its own; the test carries the bytes between them.

use std::collections::BTreeMap;

use chain::id::{AccountId, Digest};
use chain::sigchain::entry::SeenCheckpoint;
use ed25519_dalek::SigningKey;
use openmls::prelude::{Extension, ExtensionType, Extensions, GroupContext, RequiredCapabilitiesExtension};
use protocol::members::{Committer, Standing};
use rusqlite::Connection;
use tls_codec::Serialize as _;

use super::*;
use crate::StoreKey;

const GROUP: GroupId = GroupId([7; 32]);
const ALICE: AccountId = AccountId([0xa1; 32]);
const BOB: AccountId = AccountId([0xb0; 32]);

struct Person {
    db: Connection,
    key: StoreKey,
    device: Device,
    loaded: Loaded,
}

impl Person {
    fn new(account: AccountId, seed: u8) -> Self {
        let device = Device {
            account,
            chain: SigningKey::from_bytes(&[seed; 32]),
            mls: SigningKey::from_bytes(&[seed ^ 0x80; 32]),
        };
        Self::with_store(device, Connection::open_in_memory().unwrap())
    }

    fn with_store(device: Device, db: Connection) -> Self {
        crate::prepare(&db).unwrap();
        Self { db, key: StoreKey::new([9; 32]), device, loaded: Loaded::default() }
    }

    /// One step whose transaction is committed.
    fn step<T>(&self, step: impl FnOnce(Mls<'_>) -> T) -> T {
        let transaction = self.db.unchecked_transaction().unwrap();
        let done = step(Mls::new(Store::new(&transaction, &self.key), &self.device, &self.loaded));
        transaction.commit().unwrap();
        done
    }

    /// One step whose transaction is rolled back.
    fn undone<T>(&self, step: impl FnOnce(Mls<'_>) -> T) -> T {
        let transaction = self.db.unchecked_transaction().unwrap();
        step(Mls::new(Store::new(&transaction, &self.key), &self.device, &self.loaded))
    }

    fn admitted(&self) -> Admitted {
        Admitted { account: self.device.account, keys: self.device.keys() }
    }

    fn leaf(&self) -> Leaf {
        self.admitted().leaf()
    }

    /// The tree that the service would have.
    fn tree(&self) -> Vec<u8> {
        let group = self.step(|mls| mls.groups().load(&mls_id(&GROUP)).unwrap());
        group.export_ratchet_tree().tls_serialize_detached().unwrap()
    }

    fn create(&self) -> Created {
        let members = Members { log: log(1), accounts: BTreeMap::from([(self.device.account, standing(1))]) };
        let roles = Roles { admins: [self.device.account].into(), open: false };
        self.step(|mls| mls.create(&GROUP, &members, &roles).unwrap())
    }

    fn key_package(&self, last_resort: bool) -> Vec<u8> {
        self.step(|mls| mls.key_packages(1, last_resort).unwrap()).remove(0)
    }

    fn commit(&self, plan: &CommitPlan) -> Committed {
        self.step(|mls| mls.commit(&GROUP, plan).unwrap().unwrap())
    }

    fn merge_pending(&self) {
        self.step(|mls| mls.merge_pending(&GROUP).unwrap());
    }

    fn read(&self, message: &[u8]) -> Result<Incoming, Unreadable> {
        self.step(|mls| mls.read(&GROUP, message).unwrap())
    }

    fn apply(&self, commit: &[u8]) -> (Composition, Composition, Committer, bool) {
        self.step(|mls| match mls.read(&GROUP, commit).unwrap().unwrap() {
            Incoming::Commit(staged) => {
                let seen =
                    (Composition::clone(&staged.before), staged.after.clone(), staged.committer, staged.removes_me);
                mls.merge(*staged).unwrap().unwrap();
                seen
            }
            other => panic!("{other:?}"),
        })
    }

    fn join(&self, welcome: &[u8], tree: &[u8]) -> Leaf {
        self.step(|mls| {
            let welcome = mls.stage_welcome(welcome, tree).unwrap().unwrap();
            let from = welcome.from;
            mls.accept(welcome).unwrap();
            from
        })
    }

    fn encrypt(&self, text: &str) -> Vec<u8> {
        self.step(|mls| mls.encrypt(&GROUP, b"seen", text.as_bytes()).unwrap())
    }

    /// Epoch and epoch authenticator.
    fn state(&self) -> (u64, Vec<u8>) {
        self.step(|mls| (mls.epoch(&GROUP).unwrap(), mls.epoch_authenticator(&GROUP).unwrap()))
    }

    /// Everything in the store, as it lies there.
    fn everything(&self) -> Vec<(String, Vec<u8>, Vec<u8>)> {
        let mut rows = self.db.prepare("SELECT space, key, value FROM kept ORDER BY space, key").unwrap();
        let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }
}

fn log(size: u64) -> SeenCheckpoint {
    SeenCheckpoint { size, root: Digest::sha256(&size.to_be_bytes()) }
}

fn standing(sequence: u64) -> Standing {
    Standing { generation: 1, sequence, device_set: Digest::sha256(&sequence.to_be_bytes()) }
}

fn stands(account: AccountId, sequence: u64) -> MembersUpdate {
    MembersUpdate { log: log(sequence), changed: BTreeMap::from([(account, Some(standing(sequence)))]) }
}

fn plan(members: MembersUpdate) -> CommitPlan {
    CommitPlan { add: Vec::new(), remove: Vec::new(), members, roles: None }
}

fn adding(person: &Person, sequence: u64) -> CommitPlan {
    let add = Add { device: person.admitted(), key_package: person.key_package(false) };
    CommitPlan { add: vec![add], ..plan(stands(person.device.account, sequence)) }
}

/// Alice and Bob in one group, at epoch 1.
fn two() -> (Person, Person) {
    let (alice, bob) = (Person::new(ALICE, 1), Person::new(BOB, 2));
    alice.create();
    let committed = alice.commit(&adding(&bob, 2));
    alice.merge_pending();
    assert_eq!(bob.join(&committed.welcome, &alice.tree()), alice.leaf());
    (alice, bob)
}

fn assert_reads(reader: &Person, message: &[u8], text: &str, by: &Person) {
    match reader.read(message).unwrap() {
        Incoming::Message { from, aad, content, .. } => {
            assert_eq!((from, aad, content), (by.leaf(), b"seen".to_vec(), text.as_bytes().to_vec()));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_welcomed_device_and_its_host_read_each_other() {
    let (alice, bob) = two();
    assert_eq!(alice.state(), bob.state());
    assert_reads(&bob, &alice.encrypt("hello"), "hello", &alice);
    assert_reads(&alice, &bob.encrypt("hi"), "hi", &bob);
    let composition = bob.step(|mls| mls.composition(&GROUP).unwrap());
    assert_eq!(composition.leaves, [alice.leaf(), bob.leaf()]);
    assert_eq!(composition.members.accounts.get(&BOB), Some(&standing(2)));
    assert_eq!(composition.roles.admins, [ALICE].into());
    assert_eq!(composition.epoch, 1);
}

/// Encryption.md §9: whoever is second merges the first commit, drops his own and makes it again.
#[test]
fn the_second_of_two_commits_is_made_again_after_the_first() {
    let (alice, bob) = two();
    let first = alice.commit(&plan(stands(ALICE, 3)));
    let second = bob.commit(&plan(stands(BOB, 3)));
    alice.merge_pending();
    let (before, after, committer, removes_me) = bob.apply(&first.commit);
    assert_eq!((before.epoch, after.epoch, removes_me), (1, 2, false));
    assert_eq!(committer, Committer::Member(alice.leaf()));
    assert_eq!(alice.read(&second.commit).unwrap_err(), Unreadable::OtherEpoch { epoch: 1, own: 2 });
    assert!(bob.undone(|mls| mls.merge_pending(&GROUP)).is_err());
    let again = bob.commit(&plan(stands(BOB, 4)));
    assert_eq!(again.base_epoch, 2);
    assert!(matches!(bob.read(&again.commit), Ok(Incoming::OwnCommit)));
    bob.merge_pending();
    alice.apply(&again.commit);
    assert_eq!(alice.state(), bob.state());
}

#[test]
fn a_second_device_enters_by_itself() {
    let (alice, bob) = two();
    let bob2 = Person::new(BOB, 3);
    let newest = alice.commit(&plan(stands(ALICE, 3)));
    alice.merge_pending();
    bob.apply(&newest.commit);
    let entering = bob2.step(|mls| mls.enter(&newest.group_info, &alice.tree(), |_| stands(BOB, 4)).unwrap().unwrap());
    assert_eq!((entering.group, entering.committed.base_epoch), (GROUP, 2));
    assert!(!bob2.step(|mls| mls.has(&GROUP).unwrap()));
    for member in [&alice, &bob] {
        let (before, after, committer, _) = member.apply(&entering.committed.commit);
        assert_eq!((&before, &after), (&entering.before, &entering.after));
        assert_eq!(committer, Committer::External(bob2.leaf()));
        assert_eq!(before.leaves, [alice.leaf(), bob.leaf()]);
        assert_eq!(after.leaves, [alice.leaf(), bob.leaf(), bob2.leaf()]);
        assert_eq!(after.members.accounts.get(&BOB), Some(&standing(4)));
    }
    assert!(matches!(bob2.read(&entering.committed.commit), Ok(Incoming::OwnCommit)));
    bob2.merge_pending();
    assert_eq!(alice.state(), bob2.state());
    assert_reads(&bob2, &alice.encrypt("to both"), "to both", &alice);
    assert_reads(&bob, &bob2.encrypt("from the second"), "from the second", &bob2);
    // the group info that it made lets the next one in
    let bob3 = Person::new(BOB, 4);
    let info = &entering.committed.group_info;
    let third = bob3.step(|mls| mls.enter(info, &bob2.tree(), |_| stands(BOB, 5)).unwrap().unwrap());
    bob2.apply(&third.committed.commit);
    bob3.merge_pending();
    assert_eq!(bob2.state(), bob3.state());
}

#[test]
fn an_external_commit_that_came_too_late_is_made_again() {
    let (alice, bob) = two();
    let bob2 = Person::new(BOB, 3);
    let late = alice.commit(&plan(stands(ALICE, 3)));
    alice.merge_pending();
    bob2.step(|mls| mls.enter(&late.group_info, &alice.tree(), |_| stands(BOB, 4)).unwrap().unwrap());
    bob.apply(&late.commit);
    let newest = bob.commit(&plan(stands(BOB, 4)));
    bob.merge_pending();
    alice.apply(&newest.commit);
    bob2.step(|mls| mls.clear_pending(&GROUP).unwrap());
    let tree = bob.tree();
    let entering = bob2.step(|mls| mls.enter(&newest.group_info, &tree, |_| stands(BOB, 5)).unwrap().unwrap());
    bob2.merge_pending();
    alice.apply(&entering.committed.commit);
    assert_eq!(alice.state(), bob2.state());
}

#[test]
fn a_device_that_lost_its_state_comes_back_in_place_of_its_old_leaf() {
    let (alice, bob) = two();
    let newest = alice.commit(&plan(stands(ALICE, 3)));
    alice.merge_pending();
    // Bob's state is stale, not lost: it stays until his commit is merged
    let entering = bob.step(|mls| mls.enter(&newest.group_info, &alice.tree(), |_| stands(BOB, 4)).unwrap().unwrap());
    assert_eq!(bob.state().0, 1);
    assert_eq!(entering.before.leaves, entering.after.leaves);
    let (before, after, committer, _) = alice.apply(&entering.committed.commit);
    assert_eq!(before.leaves, after.leaves);
    assert_eq!(committer, Committer::External(bob.leaf()));
    bob.merge_pending();
    assert_eq!(alice.state(), bob.state());
    // and now it is lost
    let lost = Person::new(BOB, 2);
    let info = &entering.committed.group_info;
    let entering = lost.step(|mls| mls.enter(info, &alice.tree(), |_| stands(BOB, 5)).unwrap().unwrap());
    let (_, _, _, removes_me) = bob.apply(&entering.committed.commit);
    assert!(removes_me);
    alice.apply(&entering.committed.commit);
    lost.merge_pending();
    assert_eq!(alice.state(), lost.state());
    assert_reads(&lost, &alice.encrypt("again"), "again", &alice);
}

#[test]
fn a_removed_device_is_told_and_reads_no_more() {
    let (alice, bob) = two();
    let members = MembersUpdate { log: log(3), changed: BTreeMap::from([(BOB, None)]) };
    let removal = alice.commit(&CommitPlan { remove: vec![bob.device.id()], ..plan(members) });
    alice.merge_pending();
    let (_, after, committer, removes_me) = bob.apply(&removal.commit);
    assert!(removes_me);
    assert_eq!(committer, Committer::Member(alice.leaf()));
    assert_eq!(after.leaves, [alice.leaf()]);
    assert!(!after.members.accounts.contains_key(&BOB));
    assert_eq!(bob.read(&alice.encrypt("alone")).unwrap_err(), Unreadable::NotIn);
    // welcomed again, while what is left of the group is still there
    let committed = alice.commit(&adding(&bob, 4));
    alice.merge_pending();
    bob.join(&committed.welcome, &alice.tree());
    assert_reads(&bob, &alice.encrypt("back"), "back", &alice);
    bob.step(|mls| mls.forget(&GROUP).unwrap());
    assert!(!bob.step(|mls| mls.has(&GROUP).unwrap()));
    assert!(bob.everything().iter().all(|(space, ..)| space != "mls" && space != "mls.entering"));
}

#[test]
fn what_is_rolled_back_has_not_happened() {
    let (alice, bob) = two();
    let message = alice.encrypt("once");
    let states = (alice.everything(), bob.everything());
    alice.undone(|mls| mls.commit(&GROUP, &plan(stands(ALICE, 3))).unwrap().unwrap());
    alice.undone(|mls| mls.encrypt(&GROUP, b"", b"never sent").unwrap());
    assert!(bob.undone(|mls| mls.read(&GROUP, &message).unwrap()).is_ok());
    assert_eq!((alice.everything(), bob.everything()), states);
    assert_reads(&bob, &message, "once", &alice);
}

#[test]
fn a_group_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Connection::open(folder.path().join("store.sqlite")).unwrap();
    let (alice, bob) = (Person::new(ALICE, 1), Person::new(BOB, 2));
    let bob = Person::with_store(bob.device, open());
    alice.create();
    let committed = alice.commit(&adding(&bob, 2));
    alice.merge_pending();
    bob.join(&committed.welcome, &alice.tree());
    assert_reads(&bob, &alice.encrypt("before"), "before", &alice);
    let pending = bob.commit(&plan(stands(BOB, 3)));
    drop(bob.db);
    let bob = Person::with_store(bob.device, open());
    assert!(matches!(bob.read(&pending.commit), Ok(Incoming::OwnCommit)));
    bob.merge_pending();
    alice.apply(&pending.commit);
    assert_reads(&bob, &alice.encrypt("after"), "after", &alice);
}

/// Messages of up to five epochs before, in any order, and each once.
#[test]
fn late_messages_are_read_and_repeated_ones_are_not() {
    let (alice, bob) = two();
    let late = [alice.encrypt("first"), alice.encrypt("second")];
    for sequence in 3..8 {
        let commit = bob.commit(&plan(stands(BOB, sequence))).commit;
        bob.merge_pending();
        alice.apply(&commit);
    }
    assert_reads(&bob, &late[1], "second", &alice);
    assert_reads(&bob, &late[0], "first", &alice);
    let state = bob.everything();
    assert_eq!(bob.read(&late[0]).unwrap_err(), Unreadable::AlreadyRead);
    assert_eq!(alice.read(&alice.encrypt("own")).unwrap_err(), Unreadable::OwnMessage);
    assert_eq!(bob.everything(), state);
    let commit = bob.commit(&plan(stands(BOB, 9))).commit;
    bob.merge_pending();
    alice.apply(&commit);
    assert_eq!(bob.read(&late[0]).unwrap_err(), Unreadable::OtherEpoch { epoch: 1, own: 7 });
}

fn tampered(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let step = (bytes.len() / 200).max(1);
    let flipped = (0..bytes.len()).step_by(step).map(|place| {
        let mut bytes = bytes.to_vec();
        bytes[place] ^= 1 << (place % 8);
        bytes
    });
    let cut = bytes[..bytes.len() / 2].to_vec();
    let longer = [bytes, &[0]].concat();
    flipped.chain([cut, longer, Vec::new()])
}

#[test]
fn tampered_bytes_are_unreadable_and_change_nothing() {
    let (alice, bob) = two();
    let carol = Person::new(AccountId([0xca; 32]), 5);
    let message = alice.encrypt("whole");
    let commit = alice.commit(&adding(&carol, 3));
    let state = bob.everything();
    for bytes in tampered(&message).chain(tampered(&commit.commit)) {
        assert!(bob.read(&bytes).is_err());
    }
    assert_eq!(bob.everything(), state);
    assert_reads(&bob, &message, "whole", &alice);
    bob.apply(&commit.commit);
}

#[test]
fn tampered_welcomes_trees_and_group_infos_are_refused_and_use_up_nothing() {
    let (alice, bob) = (Person::new(ALICE, 1), Person::new(BOB, 2));
    let carol = Person::new(ALICE, 3);
    alice.create();
    let committed = alice.commit(&adding(&bob, 2));
    alice.merge_pending();
    let (tree, info) = (alice.tree(), &committed.group_info);
    let states = (bob.everything(), carol.everything());
    for welcome in tampered(&committed.welcome) {
        assert!(bob.step(|mls| mls.stage_welcome(&welcome, &tree).unwrap()).is_err());
    }
    for tree in tampered(&tree) {
        assert!(bob.step(|mls| mls.stage_welcome(&committed.welcome, &tree).unwrap()).is_err());
        assert!(carol.step(|mls| mls.enter(info, &tree, |_| stands(ALICE, 3)).unwrap()).is_err());
    }
    for info in tampered(info) {
        assert!(carol.step(|mls| mls.enter(&info, &tree, |_| stands(ALICE, 3)).unwrap()).is_err());
    }
    assert_eq!((bob.everything(), carol.everything()), states);
    bob.join(&committed.welcome, &tree);
    assert_eq!(alice.state(), bob.state());
}

/// Attacks 33 and 38: a key package of somebody else's key, of another device, or tampered with.
#[test]
fn only_the_own_key_package_of_a_device_adds_it() {
    let (alice, bob) = (Person::new(ALICE, 1), Person::new(BOB, 2));
    let mallory = Person::new(BOB, 6);
    alice.create();
    let refused = |key_package: Vec<u8>| {
        let add = Add { device: bob.admitted(), key_package };
        let plan = CommitPlan { add: vec![add], ..plan(stands(BOB, 2)) };
        let state = alice.everything();
        let answer = alice.step(|mls| mls.commit(&GROUP, &plan).unwrap());
        assert_eq!(alice.everything(), state);
        assert_eq!(answer, Err(MlsRefused::KeyPackage { device: bob.device.id() }));
    };
    // names Bob's device, but is signed with another key
    let liar = Device { account: BOB, chain: bob.device.chain.clone(), mls: mallory.device.mls.clone() };
    refused(Person::with_store(liar, Connection::open_in_memory().unwrap()).key_package(false));
    refused(mallory.key_package(false));
    tampered(&bob.key_package(false)).for_each(refused);
}

#[test]
fn a_key_package_opens_one_welcome_and_the_last_resort_many() {
    let (alice, bob) = (Person::new(ALICE, 1), Person::new(BOB, 2));
    alice.create();
    let committed = alice.commit(&adding(&bob, 2));
    alice.merge_pending();
    let tree = alice.tree();
    bob.join(&committed.welcome, &tree);
    let stage = |welcome: &[u8], tree: &[u8]| bob.step(|mls| mls.stage_welcome(welcome, tree).unwrap().map(|_| ()));
    assert_eq!(stage(&committed.welcome, &tree), Err(MlsRefused::WelcomeReplayed));
    assert!(bob.everything().iter().all(|(space, ..)| space != "mls.key_packages"));
    let last_resort = bob.key_package(true);
    for sequence in [3, 5] {
        let remove = CommitPlan { remove: vec![bob.device.id()], ..plan(stands(ALICE, sequence)) };
        bob.step(|mls| mls.forget(&GROUP).unwrap());
        alice.commit(&remove);
        alice.merge_pending();
        let add = Add { device: bob.admitted(), key_package: last_resort.clone() };
        let committed = alice.commit(&CommitPlan { add: vec![add], ..plan(stands(BOB, sequence + 1)) });
        alice.merge_pending();
        let tree = alice.tree();
        bob.join(&committed.welcome, &tree);
        assert_eq!(alice.state(), bob.state());
        assert_eq!(stage(&committed.welcome, &tree), Err(MlsRefused::WelcomeReplayed));
    }
    let stranger = Person::new(BOB, 8);
    let answer = stranger.step(|mls| mls.stage_welcome(&committed.welcome, &tree).unwrap().map(|_| ()));
    assert_eq!(answer, Err(MlsRefused::NotForUs));
}

/// A Welcome never replaces a group that the device is in: anybody can make one with its id.
#[test]
fn a_welcome_to_a_group_that_the_device_is_in_is_refused() {
    let (_, bob) = two();
    let mallory = Person::new(AccountId([0xee; 32]), 9);
    mallory.create();
    let committed = mallory.commit(&adding(&bob, 2));
    mallory.merge_pending();
    let answer = bob.step(|mls| mls.stage_welcome(&committed.welcome, &mallory.tree()).unwrap().map(|_| ()));
    assert_eq!(answer, Err(MlsRefused::AlreadyIn));
}

/// TXN-3: what is in memory does not roll back, and counts only in the state that the store has.
#[test]
fn a_group_in_memory_is_the_one_in_the_store_or_is_read_again() {
    let (alice, bob) = two();
    assert_reads(&bob, &alice.encrypt("first"), "first", &alice);
    let lost = alice.undone(|mls| mls.encrypt(&GROUP, b"", b"lost").unwrap());
    let second = alice.encrypt("second");
    // the same key of the ratchet: had memory gone on, the lost message would be readable too
    assert_reads(&bob, &second, "second", &alice);
    assert!(bob.read(&lost).is_err());
    alice.undone(|mls| mls.commit(&GROUP, &plan(stands(ALICE, 3))).unwrap().unwrap());
    assert!(alice.step(|mls| mls.merge_pending(&GROUP)).is_err(), "nothing is pending");
    // another process has changed the store
    let elsewhere = Loaded::default();
    let transaction = alice.db.unchecked_transaction().unwrap();
    let store = Store::new(&transaction, &alice.key);
    Mls::new(store, &alice.device, &elsewhere).encrypt(&GROUP, b"", b"elsewhere").unwrap();
    transaction.commit().unwrap();
    let in_memory = alice.step(|mls| mls.encrypt(&GROUP, b"", b"third").unwrap());
    let third = bob.read(&in_memory);
    assert!(matches!(third, Ok(Incoming::Message { .. })), "{third:?}");
}

/// TXN-3: the same for what was read from a group, which steps ask for without reading the group.
#[test]
fn a_composition_in_memory_is_that_of_the_group_in_the_store() {
    let (alice, _bob) = two();
    let epoch = |loaded: &Loaded| {
        let transaction = alice.db.unchecked_transaction().unwrap();
        let composition = Mls::new(Store::new(&transaction, &alice.key), &alice.device, loaded).composition(&GROUP);
        transaction.commit().unwrap();
        composition.unwrap().epoch
    };
    let before = epoch(&alice.loaded);
    let undone = alice.undone(|mls| {
        mls.commit(&GROUP, &plan(stands(ALICE, 3))).unwrap().unwrap();
        mls.merge_pending(&GROUP).unwrap();
        [mls.composition(&GROUP).unwrap().epoch, mls.composition(&GROUP).unwrap().epoch]
    });
    assert_eq!(undone, [before + 1, before + 1]);
    assert_eq!(epoch(&alice.loaded), before);
    alice.encrypt("the group has another state, and the same composition");
    assert_eq!(epoch(&alice.loaded), before);
    // another process goes on with the store
    let elsewhere = Loaded::default();
    let transaction = alice.db.unchecked_transaction().unwrap();
    let mls = Mls::new(Store::new(&transaction, &alice.key), &alice.device, &elsewhere);
    mls.commit(&GROUP, &plan(stands(ALICE, 3))).unwrap().unwrap();
    mls.merge_pending(&GROUP).unwrap();
    transaction.commit().unwrap();
    assert_eq!(epoch(&alice.loaded), before + 1);
}

/// What MLS would allow and this protocol does not. A renewal of keys alone is allowed.
#[test]
fn a_commit_that_rewrites_the_context_is_refused() {
    let (alice, bob) = two();
    let commit = |extensions: Option<Extensions<GroupContext>>| {
        let transaction = alice.db.unchecked_transaction().unwrap();
        let mls = Mls::new(Store::new(&transaction, &alice.key), &alice.device, &alice.loaded);
        let provider = mls.groups();
        let mut group = provider.load(&mls_id(&GROUP)).unwrap();
        let stage = group.commit_builder().force_self_update(true);
        let stage = match extensions {
            Some(extensions) => stage.propose_group_context_extensions(extensions).unwrap(),
            None => stage,
        };
        let stage = stage.load_psks(provider.storage()).unwrap();
        let built = stage.build(provider.rand(), provider.crypto(), &alice.device, |_| true).unwrap();
        built.stage_commit(&provider).unwrap().into_commit().to_bytes().unwrap()
    };
    assert!(matches!(bob.read(&commit(None)), Ok(Incoming::Commit(_))));
    let mut extensions = alice.step(|mls| mls.groups().load(&mls_id(&GROUP)).unwrap().extensions().clone());
    let required = RequiredCapabilitiesExtension::new(&[ExtensionType::AppDataDictionary], &[], &[]);
    extensions.add_or_replace(Extension::RequiredCapabilities(required)).unwrap();
    assert_eq!(bob.read(&commit(Some(extensions))).unwrap_err(), Unreadable::NotOurs);
}

/// What a message costs does not grow with the epochs before it.
#[test]
fn a_message_rewrites_one_small_value() {
    let (alice, bob) = two();
    for sequence in 3..9 {
        let commit = alice.commit(&plan(stands(ALICE, sequence))).commit;
        alice.merge_pending();
        bob.apply(&commit);
    }
    for person in [&alice, &bob] {
        let before = person.everything();
        assert_eq!(before.iter().filter(|(space, ..)| space == "mls.past").count(), 5 * 6);
        if person.device.account == ALICE {
            alice.encrypt("small");
        } else {
            assert_reads(&bob, &alice.encrypt("small"), "small", &alice);
        }
        let after = person.everything();
        let rewritten: Vec<_> = after.iter().zip(&before).filter(|(after, before)| after != before).collect();
        // and the stamp
        assert_eq!((after.len(), rewritten.len()), (before.len(), 2));
        assert!(rewritten.iter().all(|(after, _)| after.2.len() < 4_096));
    }
}

/// Whoever welcomes a device can keep keys of the tree back. That stops no step, and the device helps itself.
#[test]
fn a_device_that_was_given_too_few_keys_enters_anew() {
    let (alice, bob) = two();
    let carol = Person::new(AccountId([0xca; 32]), 5);
    alice.commit(&plan(stands(ALICE, 3)));
    alice.merge_pending();
    let committed = alice.commit(&adding(&carol, 4));
    alice.merge_pending();
    carol.join(&committed.welcome, &alice.tree());
    // the keys of carol's path, longer than the other values behind 33 bytes
    let keys = "DELETE FROM kept WHERE space = 'mls' AND length(key) > 33";
    assert_eq!(carol.db.execute(keys, []).unwrap(), 1);
    // a commit without a path: it has nothing to decrypt
    let pathless = {
        let transaction = alice.db.unchecked_transaction().unwrap();
        let mls = Mls::new(Store::new(&transaction, &alice.key), &alice.device, &alice.loaded);
        let provider = mls.groups();
        let mut group = provider.load(&mls_id(&GROUP)).unwrap();
        let added = check_key_package(&provider, &adding(&Person::new(BOB, 6), 5).add[0]).unwrap();
        let stage = group.commit_builder().propose_adds([added]).load_psks(provider.storage()).unwrap();
        let stage = stage.create_group_info(true);
        let built = stage.build(provider.rand(), provider.crypto(), &alice.device, |_| true).unwrap();
        let committed = super::committed(3, built.stage_commit(&provider).unwrap(), Vec::new()).unwrap();
        transaction.commit().unwrap();
        committed
    };
    let state = carol.everything();
    carol.step(|mls| match mls.read(&GROUP, &pathless.commit).unwrap().unwrap() {
        Incoming::Commit(staged) => assert_eq!(mls.merge(*staged).unwrap(), Err(Unreadable::Invalid)),
        other => panic!("{other:?}"),
    });
    assert_eq!(carol.everything(), state);
    alice.merge_pending();
    let tree = alice.tree();
    let update = |_: &Composition| stands(carol.device.account, 6);
    let entering = carol.step(|mls| mls.enter(&pathless.group_info, &tree, update).unwrap().unwrap());
    carol.merge_pending();
    alice.apply(&entering.committed.commit);
    assert_eq!(alice.state(), carol.state());
    drop(bob);
}
