//! RST-5: the wait of a reset is proven by the witnesses' clocks. Attack 11: a service that wants to be fast.

use ed25519_dalek::SigningKey;

use super::world::{Device, World};
use crate::id::{AccountId, Digest};
use crate::log::checkpoint::Checkpoint;
use crate::log::cosignature::cosign;
use crate::log::note::{KeyKind, NoteSigner, SignedNote};
use crate::sigchain::body::Body;
use crate::sigchain::broken::RuleBroken;
use crate::sigchain::entry::Entry;
use crate::sigchain::rules::HOUR_S;

const WAIT_S: u64 = 72 * HOUR_S;

fn signer(name: &str, kind: KeyKind, seed: u8) -> NoteSigner {
    NoteSigner::new(name.parse().unwrap(), kind, SigningKey::from_bytes(&[seed; 32]))
}

fn log(origin: &str) -> NoteSigner {
    signer(origin, KeyKind::Ed25519, 90)
}

fn witness(number: u8) -> NoteSigner {
    signer(&format!("w{number}"), KeyKind::CosignatureV1, 90 + number)
}

/// A world whose block 0 names four witnesses, any three of whom are a quorum.
fn witnessed() -> World {
    let mut world = World::new();
    let witnesses = [1, 2, 3, 4].map(|n| format!("witness w{n} {}\n", witness(n).verifier_key())).concat();
    let key = log(&world.parameters.origin);
    let text = format!("log {}\n{witnesses}group g 3 w1 w2 w3 w4\nquorum g\n", key.verifier_key());
    world.parameters.policy = text.parse().unwrap();
    world
}

/// An account whose reset is announced, and whose waiting time has passed by block time.
struct Announced {
    world: World,
    account: AccountId,
    successor: Entry,
    /// Number and time of the block with the notice.
    block: u64,
    at_s: u64,
}

fn announced() -> Announced {
    let mut world = witnessed();
    let account = world.open(&Device::new(1));
    let successor = world.successor(&account, &Device::new(60), None);
    let (block, at_s) = (world.block, world.time_s);
    world.submit(world.announced(&account, &successor, &Device::new(60))).unwrap();
    world.wait(WAIT_S);
    world.block += 100;
    Announced { world, account, successor, block, at_s }
}

impl Announced {
    /// A checkpoint of this size that these witnesses cosigned at these times.
    fn note(&self, size: u64, cosigned: &[(u8, u64)]) -> Vec<u8> {
        self.note_of(&self.world.parameters.origin, size, super::world::root_at(size).unwrap(), cosigned)
    }

    fn note_of(&self, origin: &str, size: u64, root: Digest, cosigned: &[(u8, u64)]) -> Vec<u8> {
        let checkpoint = Checkpoint::new(origin.parse().unwrap(), size, root);
        let text = checkpoint.to_text();
        let cosignatures = cosigned.iter().map(|(n, time)| cosign(&witness(*n), &checkpoint, *time).unwrap());
        let lines: Vec<_> = [log(origin).sign(&text).unwrap()].into_iter().chain(cosignatures).collect();
        SignedNote::new(&text, &lines).unwrap().to_string().into_bytes()
    }

    fn judge(&self, notice_checkpoint: Vec<u8>, later_checkpoint: Vec<u8>) -> Result<(), RuleBroken> {
        let successor = self.successor.statement.position.account;
        let body = Body::AccountReset { successor, notice_checkpoint, later_checkpoint };
        let statement = self.world.set(&self.account).following(body, self.world.checkpoint());
        self.world.judge(&self.world.sign(statement, &Device::new(0))).map(drop)
    }
}

fn by(witnesses: &[u8], at_s: u64) -> Vec<(u8, u64)> {
    witnesses.iter().map(|n| (*n, at_s)).collect()
}

/// RST-5: three witnesses saw the notice, three, not the same, saw the log the waiting time later.
#[test]
fn two_quorums_a_waiting_time_apart_prove_the_wait() {
    let it = announced();
    let first = it.note(it.block + 1, &by(&[1, 2, 3], it.at_s));
    let second = it.note(it.block + 50, &by(&[2, 3, 4], it.at_s + WAIT_S));
    assert_eq!(it.judge(first, second), Ok(()));
}

/// RST-5: one second less, a quorum less, the notice not covered, the wrong order, nothing at all.
#[test]
fn anything_less_does_not_prove_the_wait() {
    let it = announced();
    let first = it.note(it.block + 1, &by(&[1, 2, 3], it.at_s));
    let second = it.note(it.block + 50, &by(&[2, 3, 4], it.at_s + WAIT_S));
    let early = it.note(it.block + 50, &by(&[2, 3, 4], it.at_s + WAIT_S - 1));
    let few = it.note(it.block + 50, &by(&[2, 3], it.at_s + WAIT_S));
    let uncovering = it.note(it.block, &by(&[1, 2, 3], it.at_s));
    let future = it.note(it.world.block + 1, &by(&[2, 3, 4], it.at_s + WAIT_S));
    for (a, b) in [
        (first.clone(), early),
        (first.clone(), few.clone()),
        (few, second.clone()),
        (uncovering, second.clone()),
        (second.clone(), first.clone()),
        (first.clone(), future),
        (first.clone(), Vec::new()),
        (Vec::new(), second),
        (Vec::new(), Vec::new()),
        (first.clone(), first),
    ] {
        assert_eq!(it.judge(a, b), Err(RuleBroken::WaitUnproven));
    }
}

/// RST-5: one witness whose clock is wrong, or who lies, neither shortens the wait nor stops the reset.
#[test]
fn a_single_witness_cannot_shorten_the_wait() {
    let it = announced();
    let first = it.note(it.block + 1, &[(1, 1), (2, it.at_s), (3, it.at_s)]);
    let second = it.note(it.block + 50, &[(2, it.at_s + 60), (3, it.at_s + 60), (4, u64::MAX >> 1)]);
    assert_eq!(it.judge(first, second), Err(RuleBroken::WaitUnproven));
    let slow = it.note(it.block + 1, &[(1, it.at_s + WAIT_S), (2, it.at_s), (3, it.at_s), (4, it.at_s)]);
    let later = it.note(it.block + 50, &[(1, 1), (2, it.at_s + WAIT_S), (3, it.at_s + WAIT_S), (4, it.at_s + WAIT_S)]);
    assert_eq!(it.judge(slow, later), Ok(()));
}

/// RST-5: checkpoints of another log, or roots that this log never had, prove nothing.
#[test]
fn foreign_checkpoints_do_not_prove_the_wait() {
    let it = announced();
    let first = it.note(it.block + 1, &by(&[1, 2, 3], it.at_s));
    let cosigned = by(&[2, 3, 4], it.at_s + WAIT_S);
    let origin = it.world.parameters.origin.clone();
    let root = super::world::root_at(it.block + 50).unwrap();
    let other_log = it.note_of("other.example/log", it.block + 50, root, &cosigned);
    let other_root = it.note_of(&origin, it.block + 50, Digest([7; 32]), &cosigned);
    assert_eq!(it.judge(first.clone(), other_log), Err(RuleBroken::WaitUnproven));
    assert_eq!(it.judge(first, other_root), Err(RuleBroken::WaitUnproven));
}
