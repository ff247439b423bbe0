//! The rule of a group's leaves, both ways: what is allowed, and each way to break it, named by what it breaks.

mod bytes;
mod world;

use super::*;
use world::{Device, World, leaf};

/// Alice with a phone, Bob with a phone and a laptop, Carol with a phone; Alice's tablet waits. Alice and Bob have a
/// group, in which Alice is the admin.
struct Scene {
    world: World,
    alice: AccountId,
    bob: AccountId,
    carol: AccountId,
    phones: [Device; 3],
    laptop: Device,
    tablet: Device,
    group: Composition,
}

impl Scene {
    fn new() -> Self {
        let mut world = World::new();
        let phones = [1, 2, 3].map(Device::new);
        let (laptop, tablet) = (Device::new(4), Device::new(5));
        let [alice, bob, carol] = [0, 1, 2].map(|at: usize| world.open(&phones[at]));
        world.join(&bob, &laptop, &phones[1]);
        world.ask(&alice, &tablet);
        let group = world.group(&[alice, bob], &[alice]);
        Self { world, alice, bob, carol, phones, laptop, tablet, group }
    }

    /// The group as the record has its accounts now.
    fn now(&self) -> Composition {
        let accounts: Vec<_> = self.group.members.accounts.keys().copied().collect();
        Composition { roles: self.group.roles.clone(), epoch: 2, ..self.world.group(&accounts, &[]) }
    }

    /// A commit of Alice's phone.
    fn by_alice(&self, after: &Composition) -> Result<(), MembersBroken> {
        let committer = Committer::Member(leaf(self.alice, &self.phones[0]));
        check_commit(&self.group, after, &committer, &self.world.record())
    }

    /// A commit of Bob's phone, who is no admin.
    fn by_bob(&self, after: &Composition) -> Result<(), MembersBroken> {
        let committer = Committer::Member(leaf(self.bob, &self.phones[1]));
        check_commit(&self.group, after, &committer, &self.world.record())
    }

    /// An external commit that brings in this leaf.
    fn enters(&self, leaf: Leaf, after: &Composition) -> Result<(), MembersBroken> {
        check_commit(&self.group, after, &Committer::External(leaf), &self.world.record())
    }

    /// What [`check_group`] says of the group after a change.
    fn changed(&self, change: impl FnOnce(&mut Composition)) -> Result<(), MembersBroken> {
        let mut group = self.group.clone();
        change(&mut group);
        check_group(&group, &self.world.record())
    }
}

fn name(group: &mut Composition, account: AccountId, standing: Standing) {
    group.members.accounts.insert(account, standing);
}

/// GRP-1.
#[test]
fn leaves_that_are_the_confirmed_devices_are_allowed_in_any_order() {
    let scene = Scene::new();
    assert_eq!(scene.changed(|_| ()), Ok(()));
    assert_eq!(scene.changed(|group| group.leaves.reverse()), Ok(()));
    assert_eq!(scene.group.leaves.len(), 3, "the waiting tablet is none of them");
}

/// GRP-1.
#[test]
fn a_leaf_of_an_account_that_is_not_named_is_refused() {
    let scene = Scene::new();
    let foreign = leaf(scene.carol, &scene.phones[2]);
    assert_eq!(scene.changed(|group| group.leaves.push(foreign)), Err(MembersBroken::Leaves));
}

/// GRP-1.
#[test]
fn an_account_without_a_leaf_is_refused() {
    let scene = Scene::new();
    let phantom = Standing::of(scene.world.set(&scene.carol));
    let named = scene.changed(|group| name(group, scene.carol, phantom));
    assert_eq!(named, Err(MembersBroken::NotConfirmed { account: scene.carol }));
}

/// GRP-1, GRP-3: an account that has ended keeps its place and no leaf; whoever sends next takes those that it had out.
#[test]
fn every_member_takes_the_leaves_of_an_account_that_has_ended_out() {
    let mut scene = Scene::new();
    scene.group = Composition {
        roles: scene.group.roles.clone(),
        ..scene.world.group(&[scene.alice, scene.bob, scene.carol], &[])
    };
    scene.world.close(&scene.carol, &scene.phones[2]);
    let ended = scene.now();
    assert_eq!(ended.accounts(), [scene.alice, scene.bob].into());
    assert_eq!(scene.by_bob(&ended), Ok(()));
    let kept = leaf(scene.carol, &scene.phones[2]);
    let with_a_leaf = Composition { leaves: [ended.leaves.clone(), vec![kept]].concat(), ..ended.clone() };
    assert_eq!(scene.by_bob(&with_a_leaf), Err(MembersBroken::NotConfirmed { account: scene.carol }));
    // its place in the list is the admin's to take away
    scene.group = ended;
    let forgotten =
        Composition { roles: scene.group.roles.clone(), ..scene.world.group(&[scene.alice, scene.bob], &[]) };
    assert_eq!(scene.by_bob(&forgotten), Err(MembersBroken::NotAllowed));
    assert_eq!(scene.by_alice(&forgotten), Ok(()));
}

/// GRP-1: equality, not inclusion.
#[test]
fn a_confirmed_device_without_its_leaf_is_refused() {
    let scene = Scene::new();
    let laptop = leaf(scene.bob, &scene.laptop);
    let left_out = scene.changed(|group| group.leaves.retain(|leaf| *leaf != laptop));
    assert_eq!(left_out, Err(MembersBroken::NotConfirmed { account: scene.bob }));
}

/// GRP-1: what the service lets in alone gets no leaf.
#[test]
fn a_pending_device_is_refused() {
    let scene = Scene::new();
    let tablet = leaf(scene.alice, &scene.tablet);
    let let_in = scene.changed(|group| group.leaves.push(tablet));
    assert_eq!(let_in, Err(MembersBroken::NotConfirmed { account: scene.alice }));
}

/// GRP-1.
#[test]
fn a_removed_device_is_refused() {
    let mut scene = Scene::new();
    scene.world.remove(&scene.bob, &scene.laptop, &scene.phones[1]);
    let standing = Standing::of(scene.world.set(&scene.bob));
    let kept = scene.changed(|group| name(group, scene.bob, standing));
    assert_eq!(kept, Err(MembersBroken::NotConfirmed { account: scene.bob }));
}

/// GRP-1: at the place before the removal it is what the record said then; that this is old shows before sending.
#[test]
fn a_removed_device_is_allowed_at_the_place_before_its_removal() {
    let mut scene = Scene::new();
    scene.world.remove(&scene.bob, &scene.laptop, &scene.phones[1]);
    assert_eq!(scene.changed(|_| ()), Ok(()));
}

/// GRP-1.
#[test]
fn a_device_or_a_key_that_is_there_twice_is_refused() {
    let scene = Scene::new();
    let (phone, laptop) = (leaf(scene.bob, &scene.phones[1]), leaf(scene.bob, &scene.laptop));
    let ghost = Device::new(66);
    for double in [
        phone,
        Leaf { key: ghost.keys().mls, ..phone },
        Leaf { device: ghost.id(), ..phone },
        Leaf { account: scene.alice, ..phone },
        Leaf { device: laptop.device, ..phone },
    ] {
        assert_eq!(scene.changed(|group| group.leaves.push(double)), Err(MembersBroken::Leaves));
    }
}

/// GRP-1: id and key both count.
#[test]
fn a_device_with_another_key_or_id_is_refused() {
    let scene = Scene::new();
    let (ghost, refused) = (Device::new(66), Err(MembersBroken::NotConfirmed { account: scene.bob }));
    let laptop = leaf(scene.bob, &scene.laptop);
    for other in [
        Leaf { key: ghost.keys().mls, ..laptop },
        Leaf { device: ghost.id(), ..laptop },
        Leaf { key: scene.laptop.keys().chain, ..laptop },
    ] {
        let replaced = scene.changed(|group| {
            group.leaves.iter_mut().filter(|leaf| **leaf == laptop).for_each(|leaf| *leaf = other);
        });
        assert_eq!(replaced, refused);
    }
}

/// GRP-1.
#[test]
fn a_device_under_the_name_of_another_member_is_refused() {
    let scene = Scene::new();
    let laptop = leaf(scene.bob, &scene.laptop);
    let moved = scene.changed(|group| {
        group.leaves.iter_mut().filter(|leaf| **leaf == laptop).for_each(|leaf| leaf.account = scene.alice);
    });
    assert!(matches!(moved, Err(MembersBroken::NotConfirmed { .. })));
}

/// GRP-1.
#[test]
fn another_device_set_hash_than_the_record_has_there_is_refused() {
    let scene = Scene::new();
    let bent = scene.changed(|group| {
        group.members.accounts.get_mut(&scene.bob).unwrap().device_set = Digest([9; 32]);
    });
    assert_eq!(bent, Err(MembersBroken::OtherRecord { account: scene.bob }));
}

/// GRP-1: whoever looks up the record for this function cannot mix up accounts or places.
#[test]
fn the_device_set_of_another_account_or_place_is_not_taken() {
    let scene = Scene::new();
    let others: [&dyn Fn() -> DeviceSet; 2] =
        [&|| scene.world.set(&scene.carol).clone(), &|| scene.world.at(&scene.bob, 0).clone()];
    for other in others {
        let set = |account: &AccountId, standing: &Standing| match *account == scene.bob {
            true => Some(other()),
            false => scene.world.at_standing(account, standing),
        };
        let record = Record { root: &world::root, set: &set };
        let refused = check_group(&scene.group, &record);
        assert_eq!(refused, Err(MembersBroken::OtherRecord { account: scene.bob }));
    }
}

/// GRP-1: somebody else's devices do not pass as a member's, even with the record of that other account.
#[test]
fn the_place_of_another_account_is_not_taken() {
    let scene = Scene::new();
    let mut group = scene.group.clone();
    name(&mut group, scene.bob, Standing::of(scene.world.set(&scene.carol)));
    group.leaves.retain(|leaf| leaf.account != scene.bob);
    group.leaves.push(leaf(scene.bob, &scene.phones[2]));
    let set = |account: &AccountId, standing: &Standing| match *account == scene.bob {
        true => Some(scene.world.set(&scene.carol).clone()),
        false => scene.world.at_standing(account, standing),
    };
    let refused = check_group(&group, &Record { root: &world::root, set: &set });
    assert_eq!(refused, Err(MembersBroken::OtherRecord { account: scene.bob }));
}

/// GRP-1 at the beginning: the creator's leaf alone, although its account has another device.
#[test]
fn a_group_begins_with_one_confirmed_device_of_the_one_account_that_it_names() {
    let scene = Scene::new();
    let laptop = leaf(scene.bob, &scene.laptop);
    let begun = |change: &dyn Fn(&mut Composition), creator: Leaf| {
        let mut group = scene.world.group(&[scene.bob], &[scene.bob]);
        (group.epoch, group.leaves) = (0, vec![laptop]);
        change(&mut group);
        check_creation(&group, &creator, &scene.world.record())
    };
    assert_eq!(begun(&|_| (), laptop), Ok(()));
    let alices = Standing::of(scene.world.set(&scene.alice));
    let (ghost, phone) = (Leaf { key: Device::new(66).keys().mls, ..laptop }, leaf(scene.bob, &scene.phones[1]));
    let leaves = Err(MembersBroken::Leaves);
    assert_eq!(begun(&|_| (), phone), leaves, "somebody else's leaf");
    assert_eq!(begun(&|group| group.epoch = 1, laptop), leaves);
    assert_eq!(begun(&|group| group.leaves.push(phone), laptop), leaves);
    assert_eq!(begun(&|group| name(group, scene.alice, alices), laptop), leaves);
    let not_confirmed = |account| Err(MembersBroken::NotConfirmed { account });
    assert_eq!(begun(&|group| group.leaves = vec![ghost], ghost), not_confirmed(scene.bob));
    let tablet = leaf(scene.alice, &scene.tablet);
    let of_alice = |group: &mut Composition| {
        group.members.accounts.clear();
        name(group, scene.alice, alices);
        group.leaves = vec![tablet];
    };
    assert_eq!(begun(&of_alice, tablet), not_confirmed(scene.alice));
    assert_eq!(begun(&|group| group.members.log.root = Digest([9; 32]), laptop), Err(MembersBroken::GoesBack));
}

#[test]
fn more_leaves_than_allowed_are_refused_as_such() {
    let scene = Scene::new();
    let full = scene.changed(|group| {
        group.leaves = vec![group.leaves[0]; MAX_LEAVES + 1];
    });
    assert_eq!(full, Err(MembersBroken::TooMany));
    assert_eq!(MembersBroken::TooMany.code(), "group.full");
}

/// GRP-2.
#[test]
fn a_root_that_the_log_did_not_have_at_that_size_is_refused() {
    let scene = Scene::new();
    let bent = scene.changed(|group| group.members.log.root = Digest([9; 32]));
    assert_eq!(bent, Err(MembersBroken::GoesBack));
}

/// GRP-5: without the facts there is no verdict, neither way.
#[test]
fn facts_that_are_not_to_be_had_give_no_verdict() {
    let scene = Scene::new();
    let set = |account: &AccountId, standing: &Standing| scene.world.at_standing(account, standing);
    let no_root = Record { root: &|_| None, set: &set };
    let no_set = Record { root: &world::root, set: &|_, _| None };
    let not_bobs = |account: &AccountId, standing: &Standing| match *account == scene.bob {
        true => None,
        false => scene.world.at_standing(account, standing),
    };
    let not_bobs = Record { root: &world::root, set: &not_bobs };
    let mut bent = scene.group.clone();
    bent.leaves.retain(|leaf| leaf.account != scene.bob || leaf.device != scene.laptop.id());
    let unavailable = |account| Err(MembersBroken::Unavailable { account });
    for group in [&scene.group, &bent] {
        assert_eq!(check_group(group, &no_root), unavailable(None));
        assert!(matches!(check_group(group, &no_set), Err(MembersBroken::Unavailable { account: Some(_) })));
        assert_eq!(check_group(group, &not_bobs), unavailable(Some(scene.bob)));
        let laptop = leaf(scene.bob, &scene.laptop);
        let member = Committer::Member(leaf(scene.alice, &scene.phones[0]));
        assert_eq!(check_commit(&scene.group, group, &member, &no_root), unavailable(None));
        assert_eq!(check_commit(&scene.group, group, &member, &not_bobs), unavailable(Some(scene.bob)));
        assert_eq!(check_commit(&scene.group, group, &Committer::External(laptop), &no_root), unavailable(None));
    }
    let laptop = Committer::External(leaf(scene.bob, &scene.laptop));
    assert_eq!(check_commit(&scene.group, &scene.group, &laptop, &no_set), unavailable(Some(scene.bob)));
    assert_eq!(MembersBroken::Unavailable { account: None }.code(), "chain.unavailable");
}

/// GRP-2 with GRP-3: every member may bring the group to what the record says.
#[test]
fn any_member_adds_what_was_confirmed_and_removes_what_was_removed() {
    let mut scene = Scene::new();
    scene.world.confirm(&scene.alice, &scene.tablet, &scene.phones[0]);
    scene.world.remove(&scene.bob, &scene.laptop, &scene.phones[1]);
    let after = scene.now();
    assert_eq!((scene.by_alice(&after), scene.by_bob(&after)), (Ok(()), Ok(())));
    assert!(after.leaves.contains(&leaf(scene.alice, &scene.tablet)));
    assert!(!after.leaves.contains(&leaf(scene.bob, &scene.laptop)));
}

/// A key update changes no leaf.
#[test]
fn a_commit_that_changes_nothing_here_is_allowed() {
    let scene = Scene::new();
    assert_eq!(scene.by_bob(&Composition { epoch: 2, ..scene.group.clone() }), Ok(()));
}

/// GRP-2: leaves change only together with the place that they stand for.
#[test]
fn a_new_device_without_a_new_place_is_refused() {
    let mut scene = Scene::new();
    scene.world.confirm(&scene.alice, &scene.tablet, &scene.phones[0]);
    let mut after = scene.now();
    after.members = scene.group.members.clone();
    assert_eq!(scene.by_alice(&after), Err(MembersBroken::NotConfirmed { account: scene.alice }));
}

/// GRP-2: a removed device does not come back by an older place.
#[test]
fn a_sequence_that_falls_is_refused() {
    let mut scene = Scene::new();
    let older = scene.group.clone();
    scene.world.remove(&scene.bob, &scene.laptop, &scene.phones[1]);
    scene.group = scene.now();
    let mut after = older;
    after.members.log = scene.group.members.log;
    assert_eq!(check_group(&after, &scene.world.record()), Ok(()));
    assert_eq!(scene.by_alice(&after), Err(MembersBroken::GoesBack));
}

/// GRP-2.
#[test]
fn a_generation_that_falls_and_another_set_at_the_same_place_are_refused() {
    let mut scene = Scene::new();
    let after = scene.group.clone();
    scene.group.members.accounts.get_mut(&scene.bob).unwrap().generation = 2;
    assert_eq!(scene.by_alice(&after), Err(MembersBroken::GoesBack));
    let mut scene = Scene::new();
    scene.group.members.accounts.get_mut(&scene.bob).unwrap().device_set = Digest([9; 32]);
    assert_eq!(scene.by_alice(&after), Err(MembersBroken::GoesBack));
}

/// GRP-2.
#[test]
fn a_log_size_that_falls_and_another_root_at_the_same_size_are_refused() {
    let mut scene = Scene::new();
    let after = scene.group.clone();
    scene.group.members.log = scene.world.log_at(after.members.log.size + 1);
    assert_eq!(scene.by_alice(&after), Err(MembersBroken::GoesBack));
    scene.group.members.log = SeenCheckpoint { root: Digest([9; 32]), ..after.members.log };
    assert_eq!(scene.by_alice(&after), Err(MembersBroken::GoesBack));
}

/// GRP-3.
#[test]
fn an_admin_lets_accounts_in_and_takes_them_out() {
    let scene = Scene::new();
    let with_carol = Composition {
        roles: scene.group.roles.clone(),
        ..scene.world.group(&[scene.alice, scene.bob, scene.carol], &[])
    };
    let without_bob = Composition { roles: scene.group.roles.clone(), ..scene.world.group(&[scene.alice], &[]) };
    for after in [&with_carol, &without_bob] {
        assert_eq!(scene.by_alice(after), Ok(()));
    }
    assert_eq!(scene.by_bob(&with_carol), Err(MembersBroken::NotAllowed));
    let without_alice = Composition { roles: scene.group.roles.clone(), ..scene.world.group(&[scene.bob], &[]) };
    assert_eq!(scene.by_bob(&without_alice), Err(MembersBroken::NotAllowed));
}

/// GRP-3.
#[test]
fn in_an_open_group_every_member_lets_accounts_in_and_only_admins_take_them_out() {
    let mut scene = Scene::new();
    scene.group.roles.open = true;
    let roles = scene.group.roles.clone();
    let all = [scene.alice, scene.bob, scene.carol];
    let with_carol = Composition { roles: roles.clone(), ..scene.world.group(&all, &[]) };
    assert_eq!(scene.by_bob(&with_carol), Ok(()));
    scene.group = with_carol;
    let without_carol = Composition { roles, ..scene.world.group(&all[..2], &[]) };
    assert_eq!(scene.by_bob(&without_carol), Err(MembersBroken::NotAllowed));
    assert_eq!(scene.by_alice(&without_carol), Ok(()));
}

/// GRP-3: roles are the admins' to change, in an open group too.
#[test]
fn roles_are_changed_by_admins_only() {
    let mut scene = Scene::new();
    for open in [false, true] {
        scene.group.roles.open = open;
        let admins = [scene.alice, scene.bob].into();
        let after = Composition { roles: Roles { admins, open }, ..scene.group.clone() };
        assert_eq!(scene.by_bob(&after), Err(MembersBroken::NotAllowed));
        assert_eq!(scene.by_alice(&after), Ok(()));
    }
}

/// GRP-3: in epoch 0 there is nobody but the creator.
#[test]
fn the_creator_lets_the_first_accounts_in() {
    let mut scene = Scene::new();
    scene.group = Composition { epoch: 0, ..scene.world.group(&[scene.bob], &[scene.alice]) };
    let after = Composition { epoch: 1, ..scene.world.group(&[scene.alice, scene.bob], &[scene.alice]) };
    assert_eq!(scene.by_bob(&after), Ok(()));
    scene.group.epoch = 1;
    assert_eq!(scene.by_bob(&after), Err(MembersBroken::NotAllowed));
}

/// GRP-3.
#[test]
fn nobody_commits_without_a_leaf_before_and_after() {
    let scene = Scene::new();
    let phone = leaf(scene.alice, &scene.phones[0]);
    let ghost = Device::new(66);
    let strangers = [
        leaf(scene.carol, &scene.phones[2]),
        leaf(scene.alice, &scene.tablet),
        Leaf { key: ghost.keys().mls, ..phone },
        Leaf { account: scene.bob, ..phone },
    ];
    for stranger in strangers {
        let commit = check_commit(&scene.group, &scene.group, &Committer::Member(stranger), &scene.world.record());
        assert_eq!(commit, Err(MembersBroken::NotAllowed));
    }
    let (scene, tablet, after) = entered();
    let commit = check_commit(&scene.group, &after, &Committer::Member(tablet), &scene.world.record());
    assert_eq!(commit, Err(MembersBroken::NotAllowed));
    let mut without_itself = scene.group.clone();
    let phone = leaf(scene.alice, &scene.phones[0]);
    without_itself.leaves.retain(|leaf| *leaf != phone);
    assert_eq!(scene.by_alice(&without_itself), Err(MembersBroken::NotAllowed));
}

/// The tablet confirmed, and what its external commit makes of the group.
fn entered() -> (Scene, Leaf, Composition) {
    let mut scene = Scene::new();
    scene.world.confirm(&scene.alice, &scene.tablet, &scene.phones[0]);
    let (tablet, after) = (leaf(scene.alice, &scene.tablet), scene.now());
    (scene, tablet, after)
}

/// GRP-4.
#[test]
fn a_confirmed_device_enters_by_itself() {
    let (scene, tablet, after) = entered();
    assert_eq!(scene.enters(tablet, &after), Ok(()));
}

/// GRP-4: RFC 9420 §12.4.3.2 lets an external commit neither add nor remove others, so its account may be incomplete.
#[test]
fn it_enters_although_another_device_is_missing_or_was_removed() {
    let (mut scene, tablet, _) = entered();
    let second = Device::new(6);
    scene.world.join(&scene.alice, &second, &scene.phones[0]);
    let mut after = scene.now();
    after.leaves.retain(|leaf| leaf.device != second.id());
    assert_eq!(scene.enters(tablet, &after), Ok(()));
    scene.world.remove(&scene.alice, &scene.phones[0], &scene.phones[0]);
    let mut after = scene.now();
    after.leaves.retain(|leaf| leaf.device != second.id());
    after.leaves.push(leaf(scene.alice, &scene.phones[0]));
    assert_eq!(scene.enters(tablet, &after), Ok(()));
    let member = check_group(&after, &scene.world.record());
    assert_eq!(member, Err(MembersBroken::NotConfirmed { account: scene.alice }), "but a member must not leave it so");
}

/// GRP-4: lost state is repaired the same way.
#[test]
fn a_device_replaces_its_own_old_leaf() {
    let scene = Scene::new();
    let laptop = leaf(scene.bob, &scene.laptop);
    assert_eq!(scene.enters(laptop, &Composition { epoch: 2, ..scene.group.clone() }), Ok(()));
}

/// GRP-4.
#[test]
fn a_pending_or_removed_device_does_not_enter() {
    let scene = Scene::new();
    let tablet = leaf(scene.alice, &scene.tablet);
    let mut after = scene.now();
    after.leaves.push(tablet);
    assert_eq!(scene.enters(tablet, &after), Err(MembersBroken::NotConfirmed { account: scene.alice }));
    let mut scene = scene;
    scene.world.remove(&scene.bob, &scene.laptop, &scene.phones[1]);
    let laptop = leaf(scene.bob, &scene.laptop);
    let mut after = scene.now();
    after.leaves.push(laptop);
    assert_eq!(scene.enters(laptop, &after), Err(MembersBroken::NotConfirmed { account: scene.bob }));
}

/// GRP-4: a device of a member's account with another key is not that device.
#[test]
fn a_device_with_another_key_does_not_enter() {
    let (scene, tablet, mut after) = entered();
    let bent = Leaf { key: Device::new(66).keys().mls, ..tablet };
    after.leaves.iter_mut().filter(|leaf| **leaf == tablet).for_each(|leaf| *leaf = bent);
    assert_eq!(scene.enters(bent, &after), Err(MembersBroken::NotConfirmed { account: scene.alice }));
}

/// GRP-4: "its own old leaf" is not whatever leaf it names.
#[test]
fn a_device_does_not_take_the_leaf_of_another_by_its_id() {
    let (scene, tablet, mut after) = entered();
    let thief = Leaf { device: scene.laptop.id(), ..tablet };
    after.leaves.retain(|leaf| leaf.device != scene.laptop.id() && leaf.device != tablet.device);
    after.leaves.push(thief);
    assert_eq!(scene.enters(thief, &after), Err(MembersBroken::NotConfirmed { account: scene.alice }));
}

/// GRP-4: nobody brings in an account.
#[test]
fn a_device_of_no_member_does_not_enter() {
    let scene = Scene::new();
    let phone = leaf(scene.carol, &scene.phones[2]);
    let roles = scene.group.roles.clone();
    let after = Composition { roles, ..scene.world.group(&[scene.alice, scene.bob, scene.carol], &[]) };
    assert_eq!(scene.enters(phone, &after), Err(MembersBroken::External));
}

/// GRP-4.
#[test]
fn an_external_commit_does_nothing_else() {
    let (mut scene, tablet, after) = entered();
    let second = Device::new(6);
    scene.world.join(&scene.alice, &second, &scene.phones[0]);
    let two_leaves = scene.now();
    assert_eq!(scene.enters(tablet, &two_leaves), Err(MembersBroken::External));
    let bent = |change: &dyn Fn(&mut Composition)| {
        let mut after = after.clone();
        change(&mut after);
        assert_eq!(scene.enters(tablet, &after), Err(MembersBroken::External));
    };
    bent(&|after| after.leaves.retain(|leaf| leaf.device != scene.laptop.id()));
    bent(&|after| after.leaves.retain(|leaf| leaf.device != scene.phones[0].id()));
    bent(&|after| after.leaves.retain(|leaf| leaf.device != scene.tablet.id()));
    bent(&|after| after.roles.admins.extend([scene.bob]));
    bent(&|after| after.roles.open = true);
    bent(&|after| {
        after.leaves.retain(|leaf| leaf.account != scene.bob);
        after.members.accounts.remove(&scene.bob);
    });
}

/// GRP-4: not even to what the record says of it.
#[test]
fn an_external_commit_leaves_the_places_of_other_accounts() {
    let (mut scene, tablet, _) = entered();
    scene.world.ask(&scene.bob, &Device::new(6));
    assert_eq!(scene.enters(tablet, &scene.now()), Err(MembersBroken::External));
}

/// GRP-4 with GRP-2.
#[test]
fn an_external_commit_does_not_go_back() {
    let (mut scene, tablet, after) = entered();
    scene.world.ask(&scene.alice, &Device::new(6));
    scene.group.members = scene.now().members;
    assert_eq!(scene.enters(tablet, &after), Err(MembersBroken::GoesBack));
}

/// GRP-6: one code for every broken rule, so that what the service refuses has one name.
#[test]
fn every_broken_rule_has_the_same_code() {
    let account = AccountId([1; 32]);
    let broken = [
        MembersBroken::Leaves,
        MembersBroken::NotConfirmed { account },
        MembersBroken::OtherRecord { account },
        MembersBroken::GoesBack,
        MembersBroken::NotAllowed,
        MembersBroken::External,
    ];
    assert!(broken.iter().all(|it| it.code() == "mls.leaf_not_in_chain"));
}

/// GRP-4: whoever enters by himself believes no leaf that nobody ever confirmed, whatever name and place it claims.
#[test]
fn whoever_enters_believes_no_leaf_that_was_never_confirmed() {
    let scene = Scene::new();
    let group = scene.now();
    let real = group.leaves.clone();
    let was = |leaf: &Leaf| Some(real.contains(leaf));
    assert_eq!(check_entered(&group, &was), Ok(()));
    // a ghost under the id of Alice's phone, with a key of its own
    let mut forged = group.clone();
    let ghost = leaf(scene.alice, &Device::new(9)).key;
    let place = forged.leaves.iter().position(|leaf| leaf.account == scene.alice).unwrap();
    forged.leaves[place].key = ghost;
    assert_eq!(check_entered(&forged, &was), Err(MembersBroken::NotConfirmed { account: scene.alice }));
    let unknown = |_: &Leaf| None;
    let unavailable = Err(MembersBroken::Unavailable { account: Some(group.leaves[0].account) });
    assert_eq!(check_entered(&group, &unknown), unavailable);
}
