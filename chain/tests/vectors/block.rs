//! `block`: headers and bodies of a log from its first block; the last one is judged.

use chain::audit::{BlockBroken, Effects};
use chain::block::{Body as BlockBody, Header, body_hash};
use chain::id::Digest;
use chain::map::MapValue;
use chain::replay::Replay;
use chain::sigchain::body::ResetChoice;
use chain::sigchain::entry::{Claim, Entry, Signatures};

use crate::case::{Case, Fields, Verdict, check};
use crate::ledger::{Ledger, alice_phone, bob_phone};

const INVALID: Verdict = Err(("chain.block_invalid", ""));

/// BLK-1 to BLK-5.
#[test]
fn blocks_are_accepted_or_refused() {
    assert_eq!(check("block", &cases(), judge), 19);
}

fn judge(fields: &Fields) -> Verdict {
    let mut replay = Replay::new();
    let blocks: Vec<_> = fields.all("header").zip(fields.all("body")).collect();
    let (last, before) = blocks.split_last().unwrap();
    for (header, body) in before {
        replay.apply(header, body, &mut Vec::new()).unwrap();
    }
    let mut claims = Vec::new();
    replay.apply(last.0, last.1, &mut claims).map_err(|broken: BlockBroken| (broken.code(), broken.rule()))?;
    if claims.iter().all(Claim::holds) { Ok(()) } else { Err(("entry.signature", "ENT-2")) }
}

/// Alice and Bob, in blocks 1 and 2.
fn begun() -> Ledger {
    let mut log = Ledger::new(0, 0);
    log.opened(&alice_phone(), Some("alice"));
    log.opened(&bob_phone(), None);
    log
}

/// One entry of each, for block 3.
fn entries(log: &Ledger) -> Vec<Entry> {
    let account = |device, handle| log.open(device, handle).statement.position.account;
    let mut entries = vec![
        log.choose(&account(&alice_phone(), Some("alice")), ResetChoice::Never, &alice_phone()),
        log.choose(&account(&bob_phone(), None), ResetChoice::SevenDays, &bob_phone()),
    ];
    entries.sort_by_key(|entry| entry.statement.position.account);
    entries
}

fn case(name: &str, expect: Verdict, what: &str, log: &Ledger) -> Case {
    let blocks = log.headers.iter().zip(&log.bodies);
    let fields =
        blocks.fold(Fields::default(), |fields, (header, body)| fields.with("header", header).with("body", body));
    Case::new(name, expect, what, fields)
}

fn invalid(rule: &'static str) -> Verdict {
    INVALID.map_err(|(code, _)| (code, rule))
}

/// A block 3 whose header is bent, or whose encoded body is bent and then named by the header.
fn bent(name: &str, rule: &'static str, what: &str, header: fn(&mut Header), body: fn(&mut Vec<u8>)) -> Case {
    let mut log = begun();
    log.seal(entries(&log), log.time_s() + 60);
    let (sealed, bytes) = (log.headers.last_mut().unwrap(), log.bodies.last_mut().unwrap());
    body(bytes);
    let mut decoded = Header::decode(sealed).unwrap();
    decoded.body_hash = body_hash(bytes);
    header(&mut decoded);
    *sealed = decoded.encode();
    case(name, invalid(rule), what, &log)
}

/// A block 3 whose body and effects are bent before they are sealed.
fn resealed(name: &str, rule: &'static str, what: &str, bend: fn(&mut BlockBody, &mut Effects)) -> Case {
    let mut log = begun();
    let entries = entries(&log);
    let mut effects = log.effects(&entries, log.time_s() + 60, &mut Signatures::CheckNow);
    let mut body = BlockBody { entries, changes: effects.changes.clone() };
    bend(&mut body, &mut effects);
    log.seal_bent(&body, effects, log.time_s() + 60, |_| ());
    case(name, invalid(rule), what, &log)
}

fn cases() -> Vec<Case> {
    let genesis = Ledger::new(2, 3);
    let (mut full, mut empty, mut forged) = (begun(), begun(), begun());
    full.seal(entries(&full), full.time_s() + 60);
    empty.grow(4);
    let alice = forged.open(&alice_phone(), Some("alice")).statement.position.account;
    let statement = forged.choose(&alice, ResetChoice::Never, &alice_phone()).statement;
    let entry = forged.sign(statement, &bob_phone());
    forged.seal_forged(entry, forged.time_s() + 60, forged.time_s() + 60);
    let same = |_: &mut Vec<u8>| ();
    let as_is = |_: &mut Header| ();
    let mut other_body = begun();
    other_body.seal(entries(&other_body), other_body.time_s() + 60);
    *other_body.bodies.last_mut().unwrap() = BlockBody::default().encode();
    let mut format = begun();
    format.grow(4);
    format.headers.last_mut().unwrap()[1] = 2;
    vec![
        case("genesis", Ok(()), "block 0 with a policy of three witnesses", &genesis),
        case("two-entries", Ok(()), "a block with two entries", &full),
        case("no-entries", Ok(()), "a block without entries", &empty),
        case("other-body", invalid("BLK-1"), "a body that the header does not name", &other_body),
        case("unknown-format", invalid("BLK-1"), "format 2 in the header", &format),
        bent("other-number", "BLK-1", "the number is not the block's place", |header| header.number = 4, same),
        bent("other-count", "BLK-1", "the header counts another number of entries", |header| header.entries = 1, same),
        bent(
            "other-vrf-key",
            "BLK-1",
            "the header names another VRF key",
            |header| header.vrf_key.0 = Digest([1; 32]),
            same,
        ),
        bent("trailing-byte", "BLK-1", "one byte follows the body", as_is, |body| body.push(0)),
        bent("truncated", "BLK-1", "the last byte of the body is missing", as_is, |body| body.truncate(body.len() - 1)),
        bent(
            "previous-root",
            "BLK-2",
            "the map root before is not that after the last block",
            |header| header.previous_root = Digest([1; 32]),
            same,
        ),
        bent(
            "new-root",
            "BLK-2",
            "the map root after is not what the changes give",
            |header| header.new_root = Digest([1; 32]),
            same,
        ),
        bent("time-falls", "BLK-5", "the time is before that of the last block", |header| header.time_s -= 61, same),
        resealed("entries-not-ascending", "BLK-3", "the entries descend", |body, _| body.entries.reverse()),
        resealed("changes-not-ascending", "BLK-3", "the changes descend", |body, _| body.changes.reverse()),
        resealed("change-left-out", "BLK-4", "an entry's change is not there", |body, effects| {
            body.changes.pop();
            effects.changes.pop();
        }),
        resealed("change-unexplained", "BLK-4", "an account gets a value that no entry gives", |body, effects| {
            let value = MapValue(Digest([1; 32]));
            (body.changes[0].new, effects.changes[0].new) = (value, value);
        }),
        resealed("old-value-left-out", "BLK-4", "a change takes a present key for a new one", |body, _| {
            body.changes[0].old = None;
        }),
        case(
            "forged-signature",
            Err(("entry.signature", "ENT-2")),
            "an entry in Alice's name that somebody else signed",
            &forged,
        ),
    ]
}
