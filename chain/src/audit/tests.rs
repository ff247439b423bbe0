//! Blocks judged as auditors judge them: BLK-1 to BLK-5, HND-1 to HND-3, and the resets that move handles.

use super::*;
use crate::handle::HandleState;
use crate::sigchain::rules::{DAY_S, HOUR_S};
use crate::sigchain::tests::world::{Device, START_S, World};

const LABEL: HandleLabel = HandleLabel([4; 32]);
const OTHER_LABEL: HandleLabel = HandleLabel([5; 32]);

/// A block with the header before it. The roots are any: a map is not asked here.
struct Block {
    previous: Header,
    header: Header,
    body: Vec<u8>,
}

impl Block {
    /// An honest block with these entries.
    fn of(world: &World, mut entries: Vec<Entry>) -> Self {
        entries.sort_by_key(|entry| entry.statement.position.account);
        let changes = world.judge_block(&entries).unwrap().changes;
        Self::with_body(world, &Body { entries, changes })
    }

    /// A block with this body, whatever it says.
    fn with_body(world: &World, body: &Body) -> Self {
        let genesis = world.parameters.genesis(START_S);
        let previous = Header { number: world.block - 1, time_s: world.time_s, ..genesis.clone() };
        let bytes = body.encode();
        let header = Header {
            number: world.block,
            previous_root: previous.new_root,
            new_root: Digest::sha256(b"new"),
            entries: u32::try_from(body.entries.len()).unwrap(),
            body_hash: body_hash(&bytes),
            ..previous.clone()
        };
        Self { previous, header, body: bytes }
    }

    /// The same with another header.
    fn change(mut self, change: impl FnOnce(&mut Header)) -> Self {
        change(&mut self.header);
        self
    }

    fn judge(&self, world: &World) -> Result<Effects, BlockBroken> {
        let account = |id: &AccountId| world.accounts.get(id).cloned();
        let handle = |label: &HandleLabel| world.handles.get(label).copied();
        let before = Before { account: &account, handle: &handle };
        let ground = Ground { time_s: self.header.time_s, ..world.ground() };
        judge_block(&self.previous, &self.header, &self.body, &before, &ground, &mut Signatures::CheckNow)
    }

    /// The rule that it breaks.
    fn breaks(&self, world: &World) -> &'static str {
        let broken = self.judge(world).expect_err("the block is refused");
        if broken.rule().starts_with("BLK") {
            assert_eq!(broken.code(), "chain.block_invalid");
        }
        broken.rule()
    }
}

/// Two accounts, of devices 1 and 2, that have been there for long.
fn two_accounts() -> (World, [AccountId; 2], [Device; 2]) {
    let (mut world, one, first) = World::with_account();
    let second = Device::new(2);
    let two = world.open(&second);
    world.wait(4 * DAY_S);
    (world, [one, two], [first, second])
}

/// A world in which device 1 opened an account with [`LABEL`].
fn with_handle() -> (World, AccountId, Device) {
    let mut world = World::new();
    let first = Device::new(1);
    let opening = world.opening(&first, Some(LABEL));
    let account = opening.statement.position.account;
    world.seal(vec![opening]).unwrap();
    world.wait(4 * DAY_S);
    (world, account, first)
}

/// BLK-1.
#[test]
fn block_zero_is_what_its_parameters_give() {
    let world = World::new();
    let (header, body) = (world.parameters.genesis(START_S), world.parameters.encode());
    assert_eq!(judge_genesis(&header, &body).as_ref(), Ok(&world.parameters));
    let changes: [fn(&mut Header); 6] = [
        |it| it.number = 1,
        |it| it.entries = 1,
        |it| it.new_root = Digest::ZERO,
        |it| it.previous_root = Digest::ZERO,
        |it| it.body_hash = Digest::ZERO,
        |it| it.vrf_key.0 = Digest::ZERO,
    ];
    for change in changes {
        let mut other = header.clone();
        change(&mut other);
        assert_eq!(judge_genesis(&other, &body), Err(BlockBroken::OtherParameters));
    }
    assert_eq!(judge_genesis(&header, &[body.as_slice(), &[0]].concat()).unwrap_err().rule(), "BLK-1");
}

/// BLK-4: an honest block, and what it does.
#[test]
fn a_block_changes_what_its_entries_explain() {
    let (world, [one, two], [first, second]) = two_accounts();
    let entries = vec![world.added(&one, &Device::new(3)), world.handle_bound(&two, Some(LABEL), &second)];
    let effects = Block::of(&world, entries).judge(&world).unwrap();
    assert_eq!((effects.accounts.len(), effects.changes.len()), (2, 3));
    assert!(effects.changes.is_sorted_by(|a, b| a.key < b.key));
    assert_eq!(effects.handles[&LABEL], HandleHead { account: two, incarnation: 1, state: HandleState::Bound });
    for set in &effects.accounts {
        let change = effects.changes.iter().find(|it| it.key == MapKey(DeviceSet::map_key(&set.account()))).unwrap();
        assert_eq!(change.old, Some(MapValue(world.set(&set.account()).map_value())));
        assert_eq!(change.new, MapValue(set.map_value()));
    }
    assert!(world.counts(&one, &first));
}

/// BLK-6: time goes on without entries.
#[test]
fn a_block_without_entries_is_good() {
    let world = World::new();
    assert_eq!(Block::of(&world, vec![]).judge(&world), Ok(Effects::default()));
}

/// BLK-1.
#[test]
fn a_header_of_another_index_body_count_or_key_is_refused() {
    let (world, [one, _], _) = two_accounts();
    let block = || Block::of(&world, vec![world.added(&one, &Device::new(3))]);
    assert!(block().judge(&world).is_ok());
    let changes: [fn(&mut Header); 5] = [
        |it| it.number += 1,
        |it| it.number = 0,
        |it| it.entries += 1,
        |it| it.body_hash = Digest::ZERO,
        |it| it.vrf_key.0 = Digest::ZERO,
    ];
    for change in changes {
        assert_eq!(block().change(change).breaks(&world), "BLK-1");
    }
    let mut other = block();
    other.body.push(0);
    assert_eq!(other.judge(&world), Err(BlockBroken::OtherBody));
    other.header.body_hash = body_hash(&other.body);
    assert_eq!(other.breaks(&world), "BLK-1");
}

/// BLK-2.
#[test]
fn a_block_that_starts_from_another_root_is_refused() {
    let world = World::new();
    let block = Block::of(&world, vec![]).change(|it| it.previous_root = Digest::ZERO);
    assert_eq!(block.judge(&world), Err(BlockBroken::PreviousRoot));
}

/// BLK-5.
#[test]
fn block_time_never_falls() {
    let world = World::new();
    let at = |time_s| Block::of(&world, vec![]).change(|it| it.time_s = time_s);
    assert_eq!(at(START_S - 1).breaks(&world), "BLK-5");
    assert!(at(START_S).judge(&world).is_ok() && at(START_S + HOUR_S).judge(&world).is_ok());
}

/// BLK-3.
#[test]
fn two_entries_of_one_account_in_one_block_are_refused() {
    let (world, [one, _], [first, _]) = two_accounts();
    let never = world.choice_set(&one, crate::sigchain::body::ResetChoice::Never, &first);
    let added = world.added(&one, &Device::new(3));
    let entries = vec![never.clone(), added];
    assert_eq!(world.judge_block(&entries).unwrap_err().rule(), "BLK-3");
    assert_eq!(world.judge_block(&[never.clone(), never]).unwrap_err().rule(), "BLK-3");
    let changes = Vec::new();
    assert_eq!(Block::with_body(&world, &Body { entries, changes }).breaks(&world), "BLK-3");
}

/// BLK-3: one block has one encoding.
#[test]
fn entries_or_changes_out_of_order_are_refused() {
    let (world, [one, two], _) = two_accounts();
    let mut entries = vec![world.added(&one, &Device::new(3)), world.added(&two, &Device::new(4))];
    entries.sort_by_key(|entry| entry.statement.position.account);
    let mut changes = world.judge_block(&entries).unwrap().changes;
    let good = Body { entries: entries.clone(), changes: changes.clone() };
    assert!(Block::with_body(&world, &good).judge(&world).is_ok());
    changes.reverse();
    let swapped = Body { changes: changes.clone(), ..good.clone() };
    assert_eq!(Block::with_body(&world, &swapped).breaks(&world), "BLK-3");
    entries.reverse();
    assert_eq!(world.judge_block(&entries).unwrap_err().rule(), "BLK-3");
    let swapped = Body { entries, ..good.clone() };
    assert_eq!(Block::with_body(&world, &swapped).breaks(&world), "BLK-3");
    let twice = Body { changes: vec![good.changes[0], good.changes[0]], ..good };
    assert_eq!(Block::with_body(&world, &twice).breaks(&world), "BLK-3");
}

/// BLK-4, attack 1: a leaf that moves without an entry, one that does not move, one that moves otherwise.
#[test]
fn a_change_that_no_entry_explains_is_refused() {
    let (world, [one, _], _) = two_accounts();
    let entries = vec![world.added(&one, &Device::new(3))];
    let honest = world.judge_block(&entries).unwrap().changes[0];
    let unexplained = Change { key: MapKey(Digest([0xff; 32])), ..honest };
    let cases = [
        vec![],
        vec![honest, unexplained],
        vec![Change { old: None, ..honest }],
        vec![Change { old: Some(MapValue(Digest::ZERO)), ..honest }],
        vec![Change { new: MapValue(Digest::ZERO), ..honest }],
    ];
    for changes in cases {
        let body = Body { entries: entries.clone(), changes };
        assert_eq!(Block::with_body(&world, &body).judge(&world), Err(BlockBroken::Unexplained));
    }
    let body = Body { entries: vec![], changes: vec![unexplained] };
    assert_eq!(Block::with_body(&world, &body).breaks(&world), "BLK-4");
}

/// BLK-4: a block is no better than its worst entry, and says which that is.
#[test]
fn a_broken_entry_breaks_its_block() {
    let (world, accounts, _) = two_accounts();
    let forged = |account: &AccountId| world.sign(world.added(account, &Device::new(3)).statement, &Device::new(9));
    for (bad, good) in [(0, 1), (1, 0)] {
        let mut entries = vec![forged(&accounts[bad]), world.added(&accounts[good], &Device::new(4))];
        entries.sort_by_key(|entry| entry.statement.position.account);
        let index = entries.iter().position(|it| it.statement.position.account == accounts[bad]).unwrap();
        let reason = RuleBroken::Signature { place: 0 };
        assert_eq!(world.judge_block(&entries), Err(BlockBroken::Entry { index, reason: reason.clone() }));
        let block = Block::with_body(&world, &Body { entries, changes: vec![] });
        assert_eq!(block.judge(&world).unwrap_err().code(), reason.code());
    }
}

/// HND-1, attack 29: a handle does not move without its owner's key.
#[test]
fn a_handle_that_somebody_holds_cannot_be_bound_or_opened_with() {
    let (mut world, _, _) = with_handle();
    let taker = Device::new(2);
    let opening = world.opening(&taker, Some(LABEL));
    assert_eq!(world.judge_block(&[opening]).unwrap_err().code(), "handle.taken");
    let account = world.open(&taker);
    world.wait(4 * DAY_S);
    let bound = world.handle_bound(&account, Some(LABEL), &taker);
    assert_eq!(world.judge_block(&[bound]).unwrap_err().code(), "handle.taken");
}

/// HND-1: not even in the block in which its owner lets it go.
#[test]
fn a_handle_is_not_caught_in_the_block_that_releases_it() {
    let (mut world, account, first) = with_handle();
    let taker = Device::new(2);
    let other = world.open(&taker);
    world.wait(4 * DAY_S);
    let entries = vec![world.handle_bound(&account, None, &first), world.handle_bound(&other, Some(LABEL), &taker)];
    assert_eq!(world.seal(entries).unwrap_err().code(), "handle.taken");
}

/// BLK-3: one handle, one change.
#[test]
fn two_accounts_cannot_bind_one_handle_in_one_block() {
    let (mut world, [one, two], [first, second]) = two_accounts();
    let entries = vec![world.handle_bound(&one, Some(LABEL), &first), world.handle_bound(&two, Some(LABEL), &second)];
    assert_eq!(world.seal(entries), Err(BlockBroken::HandleTwice));
}

/// HND-1, HND-2: a new name is no new identity, and the old one is free only later.
#[test]
fn binding_another_handle_releases_the_one_before() {
    let (mut world, account, first) = with_handle();
    let released_at_s = world.time_s;
    world.seal(vec![world.handle_bound(&account, Some(OTHER_LABEL), &first)]).unwrap();
    assert_eq!(world.handles[&LABEL].state, HandleState::Released { at_s: released_at_s });
    assert_eq!(world.handles[&OTHER_LABEL], HandleHead { account, incarnation: 1, state: HandleState::Bound });
    let again = world.handle_bound(&account, Some(OTHER_LABEL), &first);
    assert_eq!(world.judge_block(&[again]).unwrap_err().code(), "handle.taken");
}

/// HND-3, HND-2, attack 29: to the second.
#[test]
fn a_released_handle_is_locked_for_a_year() {
    let (mut world, account, first) = with_handle();
    world.seal(vec![world.closed(&account, &first)]).unwrap();
    let released_at_s = world.time_s;
    assert_eq!(world.handles[&LABEL].state, HandleState::Released { at_s: released_at_s });
    let taker = Device::new(2);
    world.wait(HandleHead::LOCK_S - 1);
    let until_s = released_at_s + HandleHead::LOCK_S;
    let early = world.judge_block(&[world.opening(&taker, Some(LABEL))]);
    assert_eq!(early, Err(BlockBroken::Handle { index: 0, reason: HandleError::Locked { until_s } }));
    world.wait(1);
    world.seal(vec![world.opening(&taker, Some(LABEL))]).unwrap();
    assert_eq!(world.handles[&LABEL].incarnation, 2);
}

/// RST-4, HND-1: a reset moves the handle to the identity that was announced, at once.
#[test]
fn a_reset_moves_the_handle_to_the_successor() {
    let (mut world, account, _) = with_handle();
    let new = Device::new(60);
    let successor = world.successor(&account, &new, Some(LABEL));
    world.submit(world.announced(&account, &successor, &new)).unwrap();
    world.wait(72 * HOUR_S);
    world.seal(vec![world.reset(&account, &successor), successor.clone()]).unwrap();
    let heir = successor.statement.position.account;
    assert_eq!(world.handles[&LABEL], HandleHead { account: heir, incarnation: 2, state: HandleState::Bound });
    assert_eq!((world.set(&account).handle(), world.set(&heir).handle()), (None, Some(LABEL)));
}

/// HND-1, HND-3: a successor that asks for another handle, or none, does not leave the old one open to others.
#[test]
fn a_reset_releases_a_handle_that_the_successor_does_not_want() {
    for asked in [None, Some(OTHER_LABEL)] {
        let (mut world, account, _) = with_handle();
        let new = Device::new(60);
        let successor = world.successor(&account, &new, asked);
        world.submit(world.announced(&account, &successor, &new)).unwrap();
        world.wait(72 * HOUR_S);
        let released_at_s = world.time_s;
        world.seal(vec![world.reset(&account, &successor), successor]).unwrap();
        assert_eq!(world.handles[&LABEL].state, HandleState::Released { at_s: released_at_s });
        assert_eq!(world.handles.len(), if asked.is_some() { 2 } else { 1 });
    }
}

/// HND-1: a reset is no door to a third person's handle.
#[test]
fn a_successor_takes_no_handle_but_its_predecessors() {
    let (mut world, _, _) = with_handle();
    let victim = Device::new(2);
    let account = world.open(&victim);
    world.wait(4 * DAY_S);
    let new = Device::new(60);
    let successor = world.successor(&account, &new, Some(LABEL));
    world.submit(world.announced(&account, &successor, &new)).unwrap();
    world.wait(72 * HOUR_S);
    let entries = vec![world.reset(&account, &successor), successor];
    assert_eq!(world.seal(entries).unwrap_err().code(), "handle.taken");
}
