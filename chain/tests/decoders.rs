//! Every format that comes from outside, against bytes of every kind: nothing panics, and what is read is written as
//! it was (ENT-1, BLK-1; attack 27).
//!
//! Fixed pseudo-random edits of true values, as many as [`CASES`] says, are the same in every run; `any_bytes` adds
//! inputs of bolero's that are new in every run (it prints the seed of a failure), and those that
//! `cargo bolero test any_bytes` found and left beside this file.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "a test panics")]

#[expect(dead_code, reason = "each test uses a part of the ledger")]
mod ledger;

use chain::block::{Body as BlockBody, Header, Parameters};
use chain::encoding::{DecodeError, Reader, Writer};
use chain::evidence::{Evidence, Lie};
use chain::handle::{HandleHead, VrfPublicKey};
use chain::id::{DeviceKeys, Digest};
use chain::log::checkpoint::Checkpoint;
use chain::log::merkle::Frontier;
use chain::log::note::{SignedNote, VerifierKey};
use chain::log::policy::Policy;
use chain::log::tile::Tile;
use chain::log::witness::AddCheckpointRequest;
use chain::map::{MapProof, TransitionProof, snapshot};
use chain::proven::{ProvenGenesis, ProvenHeader, ProvenRecord};
use chain::sealed_block::SealedBlock;
use chain::sigchain::body::{Body, Predecessor, ResetChoice};
use chain::sigchain::device_set::DeviceSet;
use chain::sigchain::entry::{Entry, Proposal, SeenCheckpoint, Statement};
use chain::stamped::StampedEntry;
use chain::view::View;

use ledger::{HOUR_S, Ledger, alice_laptop, alice_phone, bob_phone, ghost};

/// Inputs for each format in the plain test run.
const CASES: u64 = 20_000;

/// A format: what reads and writes it, and true values.
struct Format {
    name: &'static str,
    /// Reads the bytes and writes what it read.
    again: fn(&[u8]) -> Option<Vec<u8>>,
    samples: Vec<Vec<u8>>,
}

impl Format {
    fn new(name: &'static str, samples: Vec<Vec<u8>>, again: fn(&[u8]) -> Option<Vec<u8>>) -> Self {
        assert!(!samples.is_empty());
        for sample in &samples {
            assert_eq!(again(sample).as_ref(), Some(sample), "{name}");
        }
        Self { name, again, samples }
    }

    /// True if the bytes are a value.
    fn check(&self, bytes: &[u8]) -> bool {
        let written = (self.again)(bytes);
        assert!(written.as_ref().is_none_or(|written| written == bytes), "{}: {bytes:02x?}", self.name);
        written.is_some()
    }
}

/// Reads all of the bytes.
fn whole<T>(bytes: &[u8], decode: impl Fn(&mut Reader<'_>) -> Result<T, DecodeError>) -> Option<T> {
    let mut reader = Reader::new(bytes);
    let value = decode(&mut reader).ok()?;
    reader.finish().ok()?;
    Some(value)
}

fn written(encode: impl Fn(&mut Writer)) -> Vec<u8> {
    let mut w = Writer::new();
    encode(&mut w);
    w.finish()
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// A log in which every kind of record and proof occurs: two accounts, one of them with a reset announced.
fn sample_log() -> Ledger {
    let mut ledger = Ledger::new(1, 1);
    let alice = ledger.opened(&alice_phone(), Some("alice"));
    let bob = ledger.opened(&bob_phone(), Some("bob"));
    let seen = SeenCheckpoint { size: 0, root: Digest::sha256(b"") };
    let successor = Statement::opening(2, seen, Body::AccountClosed { signer: ghost().id() }).position.account;
    let add = ledger.add(&alice, &alice_laptop());
    let notice = ledger.follow(&bob, Body::ResetRequested { successor, device: ghost().keys() }, &ghost());
    ledger.seal(vec![add, notice], ledger.time_s() + 5);
    let confirm = ledger.confirm(&alice, &alice_laptop(), &alice_phone(), &alice_phone());
    ledger.seal(vec![confirm], ledger.time_s() + 5);
    let remove = ledger.remove(&alice, &alice_laptop(), &alice_phone());
    ledger.seal(vec![remove], ledger.time_s() + 100 * HOUR_S);
    ledger
}

/// One statement of each kind.
fn statements(ledger: &Ledger) -> Vec<Statement> {
    let alice = ledger.open(&alice_phone(), Some("alice")).statement.position.account;
    let (signer, set) = (alice_phone().id(), ledger.set(&alice));
    let seen = SeenCheckpoint { size: 1, root: Digest([1; 32]) };
    let key = alice_laptop().keys().mls;
    let bodies = [
        Body::HandleBound { handle: set.handle(), signer },
        Body::HandleBound { handle: None, signer },
        Body::RecoveryKeySet { key: Some(key), signer },
        Body::ResetChoiceSet { choice: ResetChoice::SevenDays, signer },
        Body::DeviceRemoved { devices: vec![signer], signer },
        Body::AccountClosed { signer },
    ];
    let mut statements: Vec<_> = bodies.into_iter().map(|body| set.following(body, seen)).collect();
    let answers = [
        Body::ResetVetoed { notice: Digest([2; 32]), signer },
        Body::AccountReset { successor: alice, notice_checkpoint: vec![1; 40], later_checkpoint: vec![2; 50] },
    ];
    statements.extend(answers.map(|body| Statement { request: 1, ..set.following(body, seen) }));
    let predecessor = Some(Predecessor { account: alice, head: set.head() });
    let (salt, device, reset_choice) = ([1; 32], ghost().keys(), ResetChoice::Never);
    let opening = Body::AccountCreated { salt, device, reset_choice, handle: set.handle(), predecessor };
    statements.push(Statement::opening(2, seen, opening));
    statements
}

fn entries(ledger: &Ledger) -> Vec<Vec<u8>> {
    let sealed = ledger.bodies[1..].iter().flat_map(|body| BlockBody::decode(body).unwrap().entries);
    let others = statements(ledger).into_iter().map(|statement| ledger.sign(statement, &alice_phone()));
    sealed.chain(others).map(|entry| entry.encode()).collect()
}

/// What accounts, blocks and maps are made of.
fn record_formats(ledger: &Ledger) -> Vec<Format> {
    let bob = ledger.open(&bob_phone(), Some("bob")).statement.position.account;
    let sealed: Vec<_> = (1..ledger.size()).map(|number| ledger.sealed(number)).collect();
    let states = || sealed.iter().flat_map(|block| &block.accounts);
    let records: Vec<_> = states().map(|it| it.state.clone()).filter(|state| !state.is_empty()).collect();
    let mut map_proofs: Vec<_> = states().map(|it| it.proof.clone()).collect();
    map_proofs.extend(["alice", "nobody"].map(|name| ledger.handle_evidence(name).proof));
    let proposals = statements(ledger).into_iter();
    let proposals =
        proposals.map(|it| Proposal::sign(it, "o", &alice_phone().chain, Some(&alice_phone().mls)).encode());
    let keys = ghost().keys();
    let mut kept = Vec::new();
    let tree = ledger.tree();
    snapshot::encode(&tree, tree.newest(), 5, |piece| kept.extend_from_slice(piece)).unwrap();
    let stamped = ledger.entries(&bob).iter().map(|entry| written(|w| entry.encode(w)));
    vec![
        Format::new("entry", entries(ledger), |it| Some(Entry::decode(it).ok()?.encode())),
        Format::new("proposal", proposals.collect(), |it| Some(Proposal::decode(it).ok()?.encode())),
        Format::new("header", ledger.headers.clone(), |it| Some(Header::decode(it).ok()?.encode())),
        Format::new("body", ledger.bodies[1..].to_vec(), |it| Some(BlockBody::decode(it).ok()?.encode())),
        Format::new("parameters", ledger.bodies[..1].to_vec(), |it| Some(Parameters::decode(it).ok()?.encode())),
        Format::new("device-set record", records, |it| Some(DeviceSet::decode(it).ok()?.encode())),
        Format::new("map proof", map_proofs, |it| {
            let proof = whole(it, MapProof::decode)?;
            Some(written(|w| proof.encode(w)))
        }),
        Format::new("transition", sealed.iter().map(|it| it.transition.clone()).collect(), |it| {
            let proof = TransitionProof::decode(it).ok()?;
            let verified = proof.verify(&Digest::ZERO, &[]);
            assert!(verified.is_err(), "no map has this root");
            Some(proof.encode())
        }),
        Format::new("snapshot", vec![kept], |it| {
            let (mut again, read) = (Vec::new(), snapshot::decode(it).ok()?);
            snapshot::encode(&read.tree, read.tree.newest(), read.block, |piece| again.extend_from_slice(piece))
                .ok()?;
            Some(again)
        }),
        Format::new("handle head", vec![ledger.handle_evidence("alice").head], |it| {
            Some(whole(it, HandleHead::decode)?.encode())
        }),
        Format::new("device keys", vec![[*keys.chain.as_bytes(), *keys.mls.as_bytes()].concat()], |it| {
            let keys = whole(it, DeviceKeys::decode)?;
            Some([*keys.chain.as_bytes(), *keys.mls.as_bytes()].concat())
        }),
        Format::new("VRF key", vec![ledger.parameters.vrf_key.as_bytes().to_vec()], |it| {
            Some(whole(it, VrfPublicKey::decode)?.as_bytes().to_vec())
        }),
        Format::new("stamped entry", stamped.collect(), |it| {
            let entry = whole(it, StampedEntry::decode)?;
            Some(written(|w| entry.encode(w)))
        }),
    ]
}

/// The texts of the log and its witnesses.
fn log_formats(ledger: &Ledger) -> Vec<Format> {
    let notes: Vec<_> = [1, 4].map(|size| ledger.checkpoint(size, &[0], 9)).to_vec();
    let note = SignedNote::parse(&notes[1]).unwrap();
    let request = AddCheckpointRequest::new(3, ledger.consistency(3, 4), note.clone()).unwrap();
    let tiles = ["tile/0/x001/234.p/5", "tile/entries/067", "tile/3/000", "tile/entries/x012/x345/678.p/255"];
    let frontier = Frontier::read(5, |level, index| ledger.node(level, index)).unwrap();
    let policies = [Ledger::new(2, 3), Ledger::new(0, 0)].map(|it| it.policy.to_string().into_bytes());
    vec![
        Format::new("signed note", notes, |it| Some(SignedNote::parse(it).ok()?.to_string().into_bytes())),
        Format::new("checkpoint", vec![note.text().as_bytes().to_vec()], |it| {
            Some(Checkpoint::parse(text(it)?).ok()?.to_text().into_bytes())
        }),
        Format::new("verifier key", vec![ledger.log_key().into_bytes(), ledger.witness_key(0).into_bytes()], |it| {
            Some(text(it)?.parse::<VerifierKey>().ok()?.to_string().into_bytes())
        }),
        Format::new("policy", policies.to_vec(), |it| {
            // comments and blanks are for people: the form that we write is the one that reads as itself
            let policy = text(it)?.parse::<Policy>().ok()?;
            assert_eq!(policy.to_string().parse(), Ok(policy.clone()));
            Some(if policy.to_string().as_bytes() == it { policy.to_string().into_bytes() } else { it.to_vec() })
        }),
        Format::new("add-checkpoint request", vec![request.to_string().into_bytes()], |it| {
            Some(AddCheckpointRequest::parse(it).ok()?.to_string().into_bytes())
        }),
        Format::new("tile path", tiles.map(|path| path.as_bytes().to_vec()).to_vec(), |it| {
            Some(text(it)?.parse::<Tile>().ok()?.to_string().into_bytes())
        }),
        Format::new("frontier", vec![frontier.encode()], |it| Some(Frontier::decode(it).ok()?.encode())),
    ]
}

/// What proves, and what convicts.
fn proof_formats(ledger: &Ledger) -> Vec<Format> {
    let alice = ledger.open(&alice_phone(), Some("alice")).statement.position.account;
    let record = |number| Box::new(ledger.proven_record(&alice, number));
    let blocks: Vec<_> = (0..ledger.size()).map(|number| ledger.sealed(number)).collect();
    let (earlier, later) = (ledger.checkpoint(2, &[0], 5), ledger.checkpoint(5, &[], 5));
    let (genesis, genesis_in) = (Box::new(ledger.genesis(2)), ledger.checkpoint(2, &[0], 5));
    let lies = [
        Lie::Fork { earlier, later, path: ledger.telling_path(2, 5) },
        Lie::Rewound { earlier: record(1), later: record(4) },
        Lie::Sigchain {
            earlier: Some(record(1)),
            later: record(4),
            genesis,
            genesis_in,
            entries: ledger.entries(&alice).to_vec(),
        },
        Lie::Block(Box::new(blocks[3].clone())),
    ];
    vec![
        Format::new("proven header", vec![written(|w| ledger.proven_header(3, 5).encode(w))], |it| {
            let header = whole(it, ProvenHeader::decode)?;
            Some(written(|w| header.encode(w)))
        }),
        Format::new("proven genesis", vec![written(|w| ledger.genesis(5).encode(w))], |it| {
            let genesis = whole(it, ProvenGenesis::decode)?;
            Some(written(|w| genesis.encode(w)))
        }),
        Format::new("proven record", vec![written(|w| record(4).encode(w))], |it| {
            let record = whole(it, ProvenRecord::decode)?;
            Some(written(|w| record.encode(w)))
        }),
        Format::new("sealed block", blocks.iter().map(|block| written(|w| block.encode(w))).collect(), |it| {
            let block = whole(it, SealedBlock::decode)?;
            Some(written(|w| block.encode(w)))
        }),
        Format::new("evidence", lies.map(|lie| ledger.evidence(lie).encode()).to_vec(), |it| {
            let evidence = Evidence::decode(it).ok()?;
            assert!(evidence.check().is_err(), "this log did not lie");
            Some(evidence.encode())
        }),
        Format::new("view", vec![ledger.view().encode()], |it| Some(View::decode(it).ok()?.encode())),
    ]
}

/// Bends bytes: each four bytes of `edits` are what to do, where (two bytes) and with what.
fn edited(sample: &[u8], edits: &[u8]) -> Vec<u8> {
    let mut bytes = sample.to_vec();
    for edit in edits.as_chunks::<4>().0.iter().take(8) {
        let [kind, high, low, value] = *edit;
        let at = (usize::from(u16::from_be_bytes([high, low])) * bytes.len()) >> 16;
        let end = (at + 1 + usize::from(value % 64)).min(bytes.len());
        match kind % 8 {
            0 | 1 if at < bytes.len() => bytes[at] ^= 1 << (value % 8),
            2 if at < bytes.len() => bytes[at] = value,
            3 => drop(bytes.drain(at..end)),
            4 => drop(bytes.splice(at..at, vec![value; usize::from(value % 40)])),
            5 => drop(bytes.splice(at..at, bytes[at..end].to_vec())),
            6 => bytes[at..end].iter_mut().take(8).for_each(|byte| *byte = if value < 128 { 0xff } else { 0 }),
            _ if value < 16 => bytes.truncate(at),
            _ => (),
        }
    }
    bytes
}

/// Bytes as an input: which format, which sample to bend or none, and the rest.
fn judge(formats: &[Format], input: &[u8]) -> bool {
    let [format, how, rest @ ..] = input else { return false };
    let format = &formats[usize::from(*format) % formats.len()];
    match usize::from(*how).checked_sub(16) {
        None => format.check(rest),
        Some(which) => format.check(&edited(&format.samples[which % format.samples.len()], rest)),
    }
}

/// SplitMix64, so that every run tries the same.
fn noise(seed: u64) -> impl Iterator<Item = u8> {
    (1..).flat_map(move |step: u64| {
        let mut z = seed.wrapping_mul(0x2545_f491_4f6c_dd1d).wrapping_add(step.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).to_be_bytes()
    })
}

fn try_all(formats: &[Format]) {
    for (place, format) in formats.iter().enumerate() {
        let mut accepted = 0;
        for case in 0..CASES {
            let mut input: Vec<u8> = noise(case).take(2 + 4 * (1 + case as usize % 3)).collect();
            input[0] = place as u8;
            accepted += u64::from(judge(formats, &input));
        }
        assert!(accepted > CASES / 50, "{}: {accepted} inputs are values, so little is tried", format.name);
    }
}

#[test]
fn what_is_read_of_accounts_blocks_and_maps_is_written_as_it_was() {
    try_all(&record_formats(&sample_log()));
}

#[test]
fn what_is_read_of_the_log_and_its_witnesses_is_written_as_it_was() {
    try_all(&log_formats(&sample_log()));
}

#[test]
fn what_is_read_of_proofs_and_evidence_is_written_as_it_was() {
    try_all(&proof_formats(&sample_log()));
}

/// A little of what `cargo bolero test any_bytes` does for as long as one likes.
#[test]
fn any_bytes() {
    let ledger = sample_log();
    let formats: Vec<_> =
        [record_formats(&ledger), log_formats(&ledger), proof_formats(&ledger)].into_iter().flatten().collect();
    bolero::check!().with_iterations(20_000).for_each(|input: &[u8]| {
        judge(&formats, input);
    });
}
