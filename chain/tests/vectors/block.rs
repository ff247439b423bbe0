//! Headers, parameters, and whole logs of which the last block is judged.

use chain::audit::Effects;
use chain::block::{Body as BlockBody, Header};
use chain::id::{AccountId, Digest};
use chain::map::{Change, MapKey, MapValue};
use chain::sigchain::body::{Body, ResetChoice};
use chain::sigchain::entry::{Entry, SeenCheckpoint, Signatures};

use crate::case::Case;
use crate::example_log::example;
use crate::fold::{DAY_S, noticed, opened, pending, reset};
use crate::ledger::{HOUR_S, Ledger, alice_laptop, alice_phone, bob_phone, ghost};

pub(crate) fn cases() -> Vec<Case> {
    [headers(), parameters(), replays(), bent_headers(), bent_bodies(), forged(), bent_resets()].concat()
}

const INVALID: &str = "chain.block_invalid BLK-1";

fn headers() -> Vec<Case> {
    let header = |name: &str, expect: &str, what: &str, bend: fn(&mut Vec<u8>)| {
        let mut bytes = example().headers[3].clone();
        bend(&mut bytes);
        Case::new(&format!("block/header-{name}"), "header", expect, what).hex("header", bytes)
    };
    vec![
        header("usual", "ok", "The header of a block: a leaf of the log.", |_| ()),
        header("format", INVALID, "Format 2 is not known.", |it| it[1] = 2),
        header("rule-set", INVALID, "Rule set 2 is not known.", |it| it[151] = 2),
        header("trailing", INVALID, "153 bytes.", |it| it.push(0)),
        header("truncated", INVALID, "151 bytes.", |it| it.truncate(151)),
    ]
}

fn parameters() -> Vec<Case> {
    let parameters = |name: &str, expect: &str, what: &str, bytes: Vec<u8>| {
        Case::new(&format!("block/parameters-{name}"), "parameters", expect, what).hex("parameters", bytes)
    };
    let good = example().parameters;
    let with_policy = |text: &str| {
        let mut bytes = good.encode();
        bytes.truncate(bytes.len() - good.policy.to_string().len() - 2);
        [bytes, (text.len() as u16).to_be_bytes().to_vec(), text.as_bytes().to_vec()].concat()
    };
    let mut plus = good.encode();
    plus[10] = b'+';
    let weak = format!("{}group g 1 w0 w1\nquorum g\n", good.policy.to_string().split("group").next().unwrap());
    vec![
        parameters("usual", "ok", "The body of block 0.", good.encode()),
        parameters("quorum-none", "ok", "Of a log without witnesses.", Ledger::new(0, 0).parameters.encode()),
        parameters("origin", INVALID, "An origin has no plus.", plus),
        parameters("policy-form", INVALID, "The policy is not in its canonical form.", with_policy("\nquorum none\n")),
        parameters("policy-weak", INVALID, "Two quorums of the policy share no witness.", with_policy(&weak)),
    ]
}

/// The whole log, with the checkpoint that its log signed.
fn replay(name: &str, expect: &str, what: &str, ledger: &Ledger) -> Case {
    let case = Case::new(&format!("block/{name}"), "replay", expect, what).word("log-key", ledger.log_key());
    let case = case.text("checkpoint", ledger.checkpoint(ledger.size(), &[], 0));
    let blocks = ledger.headers.iter().zip(&ledger.bodies);
    blocks.fold(case, |case, (header, body)| case.hex("header", header).hex("body", body))
}

fn replays() -> Vec<Case> {
    let (mut ended, alice, heir) = noticed(0, 0);
    let entry = reset(&ended, &alice, heir.statement.position.account, [Vec::new(), Vec::new()]);
    ended.seal(vec![entry, heir], ended.time_s() + DAY_S);
    let mut time = Ledger::new(0, 0);
    time.seal(Vec::new(), time.time_s());
    vec![
        replay("genesis", "ok", "Block 0 alone.", &Ledger::new(0, 0)),
        replay("empty", "ok", "A block without entries, at the time of the one before.", &time),
        replay("usual", "ok", "The blocks of `example-log`.", &example()),
        replay("reset", "ok", "A reset and its successor in one block (RST-4).", &ended),
    ]
}

fn bent_headers() -> Vec<Case> {
    let bends: [(&str, &str, &str, fn(&mut Header)); 7] = [
        ("number", "BLK-1", "The header has another number than its index.", |it| it.number += 1),
        ("count", "BLK-1", "The header counts an entry more.", |it| it.entries += 1),
        ("vrf-key", "BLK-1", "Another VRF key.", |it| it.vrf_key.0.0[0] ^= 1),
        ("body-hash", "BLK-1", "Another body.", |it| it.body_hash.0[0] ^= 1),
        ("previous-root", "BLK-2", "Starts from another root than the block before left.", |it| {
            it.previous_root.0[0] ^= 1;
        }),
        ("new-root", "BLK-2", "The changes give another root.", |it| it.new_root.0[0] ^= 1),
        ("time", "BLK-5", "Time falls by a second.", |it| it.time_s -= 6),
    ];
    let bent = |(name, rule, what, bend): (&str, &str, &str, fn(&mut Header))| {
        let (mut ledger, _) = pending();
        let bob = ledger.open(&bob_phone(), Some("bob"));
        let time_s = ledger.time_s() + 5;
        let effects = ledger.effects(std::slice::from_ref(&bob), time_s, &mut Signatures::CheckNow);
        let body = BlockBody { entries: vec![bob], changes: effects.changes.clone() };
        ledger.seal_bent(&body, effects, time_s, bend);
        replay(&format!("bad-{name}"), &format!("chain.block_invalid {rule}"), what, &ledger)
    };
    let mut first = Ledger::new(0, 0);
    let mut header = Header::decode(&first.headers[0]).unwrap();
    header.new_root = Digest([1; 32]);
    first.headers[0] = header.encode();
    let genesis = replay("bad-genesis", INVALID, "Block 0 does not leave the empty map.", &first);
    bends.into_iter().map(bent).chain([genesis]).collect()
}

fn bent_bodies() -> Vec<Case> {
    let (ledger, alice) = pending();
    let choose = ledger.choose(&alice, ResetChoice::Never, &alice_phone());
    let confirm = ledger.confirm(&alice, &alice_laptop(), &alice_phone(), &alice_phone());
    let bent = |name: &str, rule: &str, what: &str, entries: Vec<Entry>, bend: &dyn Fn(&mut Effects)| {
        let mut ledger = ledger.clone();
        let time_s = ledger.time_s() + 5;
        let mut effects = ledger.effects(&entries[..entries.len().min(1)], time_s, &mut Signatures::CheckNow);
        bend(&mut effects);
        ledger.seal_unchecked(entries, effects, time_s);
        replay(&format!("bad-{name}"), &format!("chain.block_invalid {rule}"), what, &ledger)
    };
    let unexplained = Change { key: MapKey(Digest([8; 32])), old: None, new: MapValue(Digest([9; 32])) };
    let extra = |it: &mut Effects| it.changes.push(unexplained);
    let one = || vec![choose.clone()];
    let mut bobs = [ledger.open(&bob_phone(), None), choose.clone()];
    bobs.sort_by_key(|entry| std::cmp::Reverse(entry.statement.position.account));
    let old_value = |it: &mut Effects| it.changes[0].old = Some(MapValue(Digest([7; 32])));
    vec![
        bent("unexplained", "BLK-4", "A change that no entry explains.", Vec::new(), &extra),
        bent("unchanged", "BLK-4", "An entry without its change.", one(), &|it| it.changes.clear()),
        bent("value", "BLK-4", "Another value.", one(), &|it| it.changes[0].new = MapValue(Digest([9; 32]))),
        bent("old-value", "BLK-4", "Another old value.", one(), &old_value),
        bent("change-twice", "BLK-3", "A change stands twice.", one(), &|it| it.changes.push(it.changes[0])),
        bent("entry-twice", "BLK-3", "Two entries of one account.", vec![choose.clone(), confirm], &|_| ()),
        bent("entry-order", "BLK-3", "Entries do not ascend by account.", bobs.to_vec(), &|_| ()),
    ]
}

/// Blocks with an entry that is against the rules, and everything else made to fit it.
fn forged() -> Vec<Case> {
    let bad = |name: &str, expect: &str, what: &str, ledger: &Ledger| replay(&format!("bad-{name}"), expect, what, ledger);
    let seal = |ledger: &Ledger, entry: Entry, pretended_s: u64| {
        let mut ledger = ledger.clone();
        let time_s = ledger.time_s() + 5;
        ledger.seal_forged(entry, time_s, time_s + pretended_s);
        ledger
    };
    let (ledger, alice) = pending();
    let forged = ledger.confirm(&alice, &alice_laptop(), &alice_phone(), &ghost());
    let signature = seal(&ledger, forged, 0);
    let body = Body::ResetChoiceSet { choice: ResetChoice::Never, signer: alice_phone().id() };
    let seen = SeenCheckpoint { size: 2, root: Digest([5; 32]) };
    let foreign = ledger.sign(ledger.set(&alice).following(body, seen), &alice_phone());
    let foreign = seal(&ledger, foreign, 0);
    let mut confirmed = ledger.clone();
    let confirm = confirmed.confirm(&alice, &alice_laptop(), &alice_phone(), &alice_phone());
    confirmed.seal(vec![confirm], confirmed.time_s() + 5);
    let young = seal(&confirmed, confirmed.remove(&alice, &alice_phone(), &alice_laptop()), 72 * HOUR_S);
    let mut ghostly = ledger.clone();
    let honest = confirmed.set(&alice).clone();
    let choose = ghostly.choose(&alice, ResetChoice::Never, &alice_phone());
    ghostly.seal_as(choose, &honest, ghostly.time_s() + 5);
    let mut handles = Ledger::new(0, 0);
    handles.opened(&alice_phone(), Some("alice"));
    let taken = seal(&handles, handles.open(&bob_phone(), Some("alice")), 0);
    let mut alone = ledger.clone();
    let by_itself = ledger.confirm(&alice, &alice_laptop(), &alice_laptop(), &alice_laptop());
    alone.seal_as(by_itself, &honest, alone.time_s() + 5);
    vec![
        bad("signature", "entry.signature ENT-2", "The service confirms a device in another's name.", &signature),
        bad("foreign-root", "entry.checkpoint ENT-4", "The entry names a root that the log never had.", &foreign),
        bad("young", "device.too_new DEV-8", "A young device removes an older one.", &young),
        bad("by-itself", "device.unconfirmed DEV-4", "A pending device confirms itself.", &alone),
        bad("record", "chain.block_invalid BLK-4", "A record that the entry does not give.", &ghostly),
        bad("taken", "handle.taken HND-2", "A handle that another holds.", &taken),
        bad("twice-opened", "chain.block_invalid BLK-3", "Two entries bind one handle.", &both_bind()),
    ]
}

/// Alice and Bob ask for one handle in one block.
fn both_bind() -> Ledger {
    let mut ledger = Ledger::new(0, 0);
    let mut entries = [&alice_phone(), &bob_phone()].map(|device| ledger.open(device, Some("both"))).to_vec();
    entries.sort_by_key(|entry| entry.statement.position.account);
    let time_s = ledger.time_s() + 5;
    let effects = ledger.effects(&entries[..1], time_s, &mut Signatures::CheckNow);
    ledger.seal_unchecked(entries, effects, time_s);
    ledger
}

fn bent_resets() -> Vec<Case> {
    let carried = || [Vec::new(), Vec::new()];
    let (mut alone, alice, heir) = noticed(0, 0);
    let to: AccountId = heir.statement.position.account;
    let entry = reset(&alone, &alice, to, carried());
    let time_s = alone.time_s() + DAY_S;
    alone.seal_forged(entry, time_s, time_s);
    let (mut heirs, _) = opened();
    let time_s = heirs.time_s() + 5;
    heirs.seal_forged(heir, time_s, time_s);
    let expect = "reset.successor RST-4";
    vec![
        replay("bad-reset-alone", expect, "A reset without its successor.", &alone),
        replay("bad-successor-alone", expect, "A successor without the reset.", &heirs),
    ]
}
