//! Witnesses: what a quorum has cosigned is published, and a service behind or beside it does not run.

use axum::http::Request;
use chain::id::Digest;
use chain::log::checkpoint::VerifiedCheckpoint;
use chain::log::merkle;
use chain::log::note::SignedNote;
use chain::log::policy::Policy;
use chain::sigchain::body::{Body, Predecessor, ResetChoice};
use chain::sigchain::device_set::AccountState;
use chain::sigchain::entry::{SeenCheckpoint, Statement};
use protocol::api::EntryAccepted;
use service::{Options, Service, WitnessAddress};

use crate::witness::Witness;
use crate::world::{
    Device, LOOPBACK, World, account, answer, ask, block_on, bytes, nothing_seen, proven, submit, well_known,
};

fn witnesses(world: &World, count: u8) -> Vec<Witness> {
    (1..=count).map(|seed| Witness::start(seed, &world.now_s)).collect()
}

/// Opens a service and lets the witnesses know its log.
fn open(world: &World, witnesses: &[Witness]) -> Service {
    let options = Options { witnesses: witnesses.iter().map(Witness::by_url).collect(), ..world.options() };
    let service = Service::open(options).unwrap();
    witnesses.iter().for_each(|witness| witness.trust(service.log_vkey()));
    wait_until_published(&service);
    service
}

fn wait_until_published(service: &Service) {
    while block_on(ask(service, Request::get("/checkpoint"), "", LOOPBACK)).status() != 200 {
        std::thread::yield_now();
    }
}

/// Waits for the witnesses that the quorum did not wait for.
fn wait_until_all_cosigned(service: &Service, count: u8) {
    let signatures = || SignedNote::parse(&bytes(service, "/checkpoint")).unwrap().signatures().len();
    while signatures() < 1 + usize::from(count) {
        std::thread::yield_now();
    }
}

/// What is published: the checkpoint without its signatures, of which more may come.
fn published(service: &Service) -> String {
    SignedNote::parse(&bytes(service, "/checkpoint")).unwrap().text().to_owned()
}

/// A proposal whose answer waits for the quorum.
fn submit_and_wait(service: &Service, proposal: Vec<u8>) -> EntryAccepted {
    answer(service, Request::post("/v1/entries?wait=quorum"), proposal, LOOPBACK).unwrap()
}

/// Block 0 names the witnesses, so it waits for their keys; until then the answer is 503.
#[test]
fn block_0_waits_until_every_witness_key_is_known() {
    let world = World::new();
    let witnesses = witnesses(&world, 3);
    witnesses[2].set_down(true);
    let options = Options { witnesses: witnesses.iter().map(Witness::by_url).collect(), ..world.options() };
    let service = Service::open(options).unwrap();
    witnesses.iter().for_each(|witness| witness.trust(service.log_vkey()));
    let refused = submit(&service, &Device::new().opening(None).1);
    assert_eq!(refused.unwrap_err(), "service.starting");
    assert!(!service.policy_path().exists());
    witnesses[2].set_down(false);
    wait_until_published(&service);
    assert_eq!(well_known(&service).witnesses.len(), 3);
}

/// CHK-2: what is published has a quorum of cosignatures, and proofs are made under it.
#[test]
fn a_block_is_published_when_a_quorum_has_cosigned_it() {
    let world = World::new();
    let witnesses = witnesses(&world, 4);
    let service = open(&world, &witnesses);
    assert_eq!(well_known(&service).quorum, 3);
    witnesses[3].set_down(true);
    for _ in 0..5 {
        let (id, opening) = Device::new().opening(None);
        let accepted = submit_and_wait(&service, opening.encode());
        assert!(accepted.quorum);
        assert!(proven(&service, &id).is_some());
        let policy: Policy = std::fs::read_to_string(service.policy_path()).unwrap().parse().unwrap();
        let note = SignedNote::parse(&bytes(&service, "/checkpoint")).unwrap();
        let verified = VerifiedCheckpoint::verify(&note, &policy).unwrap();
        assert!(verified.checkpoint().size > accepted.block && verified.times().len() >= 3);
    }
    service.close().unwrap();
}

/// Without a quorum entries are sealed, and nothing newer is published; with it again, the newest is, in one step.
#[test]
fn without_a_quorum_nothing_newer_is_published() {
    let world = World::new();
    let witnesses = witnesses(&world, 3);
    let service = open(&world, &witnesses);
    let before = published(&service);
    witnesses[..2].iter().for_each(|witness| witness.set_down(true));
    let (id, _) = account(&service);
    let (other, _) = account(&service);
    assert_eq!(published(&service), before);
    assert_eq!(proven(&service, &id), None);
    witnesses[1].set_down(false);
    let (third, opening) = Device::new().opening(None);
    assert!(submit_and_wait(&service, opening.encode()).quorum);
    assert!([id, other, third].iter().all(|id| proven(&service, id).is_some()));
}

/// The published view is the same after a restart, also if newer blocks have no quorum yet.
#[test]
fn a_restart_publishes_what_was_published() {
    let world = World::new();
    let witnesses = witnesses(&world, 3);
    let service = open(&world, &witnesses);
    let (id, opening) = Device::new().opening(None);
    submit_and_wait(&service, opening.encode());
    witnesses.iter().for_each(|witness| witness.set_down(true));
    let (other, _) = account(&service);
    let before = published(&service);
    service.close().unwrap();
    for snapshot in [true, false] {
        if !snapshot {
            std::fs::remove_file(world.data.join("tree.snapshot")).unwrap();
        }
        let service = Service::open(world.options()).unwrap();
        assert_eq!(published(&service), before);
        assert!(proven(&service, &id).is_some());
        assert_eq!(proven(&service, &other), None);
        service.close().unwrap();
    }
    let service = Service::open(world.options()).unwrap();
    witnesses.iter().for_each(|witness| witness.set_down(false));
    let (_, opening) = Device::new().opening(None);
    assert!(submit_and_wait(&service, opening.encode()).quorum);
    assert!(proven(&service, &other).is_some());
}

/// Attack 16: yesterday's copy of the folder does not start while a witness has seen today's.
#[test]
fn an_older_copy_does_not_start() {
    let world = World::new();
    let witnesses = witnesses(&world, 3);
    open(&world, &witnesses).close().unwrap();
    let copy = World::new();
    world.copy_to(&copy.data);
    let service = open(&world, &witnesses);
    let (_, opening) = Device::new().opening(None);
    submit_and_wait(&service, opening.encode());
    service.close().unwrap();
    assert_eq!(Service::open(copy.options()).map(|_| ()).unwrap_err().code(), "store.rollback");
    // witnesses that do not answer do not stop the start of a store that is not behind
    Service::open(world.options()).unwrap().close().unwrap();
}

/// Attack 15: of two copies that go on apart, one gets no quorum, and does not start again.
#[test]
fn a_copy_that_went_its_own_way_does_not_start_again() {
    let world = World::new();
    let witnesses = witnesses(&world, 3);
    open(&world, &witnesses).close().unwrap();
    let copy = World::new();
    world.copy_to(&copy.data);
    // the copy asks its witnesses where nobody is
    let nowhere = |witness: &Witness| WitnessAddress { url: "http://127.0.0.1:9".into(), ..witness.by_key() };
    let apart = Options { witnesses: witnesses.iter().map(nowhere).collect(), ..copy.options() };
    let fork = Service::open(apart).unwrap();
    let before = published(&fork);
    let (id, _) = account(&fork);
    assert_eq!(published(&fork), before);
    assert_eq!(proven(&fork, &id), None);
    fork.close().unwrap();
    let service = Service::open(world.options()).unwrap();
    submit_and_wait(&service, Device::new().opening(None).1.encode());
    assert!(witnesses.iter().filter(|witness| witness.size() == 2).count() >= 2);
    assert_eq!(Service::open(copy.options()).map(|_| ()).unwrap_err().code(), "store.rollback");
}

/// RST-4, RST-5: a reset is carried out when its time has come, with both checkpoints, in one block with its successor.
#[test]
fn a_reset_that_is_due_is_carried_out() {
    reset_when_due(3);
}

/// RST-5: without witnesses nobody proves the wait, and block time alone decides.
#[test]
fn a_reset_without_witnesses_is_carried_out() {
    reset_when_due(0);
}

fn reset_when_due(count: u8) {
    let world = World::new();
    let witnesses = witnesses(&world, count);
    let service = open(&world, &witnesses);
    let (id, opening) = Device::new().opening(None);
    submit_and_wait(&service, opening.encode());
    let set = proven(&service, &id).unwrap();
    let next = Device::new();
    let body = Body::AccountCreated {
        salt: [9; 32],
        device: next.keys(),
        reset_choice: ResetChoice::ThreeDays,
        handle: None,
        predecessor: Some(Predecessor { account: id, head: set.head() }),
    };
    let statement = Statement::opening(2, nothing_seen(), body);
    let successor = statement.position.account;
    let notice = Body::ResetRequested { successor, device: next.keys() };
    // opening a successor alone is refused
    let opening = next.sign(statement);
    assert_eq!(submit(&service, &opening).unwrap_err(), "reset.successor");
    // right after another block, and then nothing happens for days: its checkpoint is kept all the same
    submit_and_wait(&service, next.sign(set.following(notice, nothing_seen())).encode());
    wait_until_all_cosigned(&service, count);
    let carry_out = || {
        let request = Request::post(format!("/v1/accounts/{id}/reset?wait=quorum"));
        answer::<EntryAccepted>(&service, request, opening.encode(), LOOPBACK)
    };
    world.pass(71 * 3_600);
    assert_eq!(carry_out().unwrap_err(), "reset.too_early");
    world.pass(2 * 3_600);
    // a block, so that witnesses say what time it is
    submit_and_wait(&service, Device::new().opening(None).1.encode());
    let accepted = carry_out().unwrap();
    assert_eq!(accepted.account, successor.to_string());
    let ended = proven(&service, &id).unwrap();
    assert!(matches!(ended.state(), AccountState::ResetTo { successor: to, .. } if *to == successor));
    assert_eq!(proven(&service, &successor).unwrap().generation(), 2);
}

/// ENT-4: an entry names a checkpoint that this log had, or is refused.
#[test]
fn an_entry_from_a_fork_is_refused() {
    let world = World::new();
    let service = world.open().unwrap();
    account(&service);
    let opening = |size: u64, root: Digest| {
        let device = Device::new();
        let (_, proposal) = device.opening(None);
        let statement = Statement { checkpoint: SeenCheckpoint { size, root }, ..proposal.statement };
        submit(&service, &device.sign(statement)).map(|_| ())
    };
    assert_eq!(opening(2, Digest::ZERO), Err("entry.checkpoint".into()));
    assert_eq!(opening(3, Digest::ZERO), Err("entry.checkpoint".into()));
    let header = bytes(&service, "/tile/0/000.p/1");
    let root = Digest(header.as_slice().try_into().unwrap());
    assert_ne!(root, merkle::empty_root());
    assert_eq!(opening(1, root), Ok(()));
}
