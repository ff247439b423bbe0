//! Judges a case as it stands in its file, by production code alone.

use chain::audit::BlockBroken;
use chain::block::{Header, Parameters};
use chain::encoding::{DecodeError, Reader, Writer};
use chain::evidence::{Evidence, EvidenceError};
use chain::handle::{Handle, HandleError, HandleHead, VrfProof, VrfPublicKey};
use chain::id::{AccountId, DeviceKeys, Digest, PublicKey, SignatureBytes};
use chain::label;
use chain::log::checkpoint::{Checkpoint, CheckpointError, LogSignedCheckpoint, VerifiedCheckpoint};
use chain::log::merkle;
use chain::log::note::{SignedNote, VerifierKey};
use chain::log::policy::{Policy, PolicyError};
use chain::log::tile::{Tile, TileKind};
use chain::log::witness::{AddCheckpointRequest, Refusal as WitnessRefusal, decide};
use chain::map::{Change, MapKey, MapProof, MapValue, TransitionProof, Tree};
use chain::replay::Replay;
use chain::sigchain::broken::RuleBroken;
use chain::sigchain::device_set::DeviceSet;
use chain::sigchain::entry::{Entry, account_id};
use chain::stamped::{StampedEntry, fold_stamped};

use crate::case::{Case, Fields, hex, unhex};

/// Code and rule.
pub(crate) type Refused = (&'static str, &'static str);

type Verdict = Result<Fields, Refused>;

/// What comes out of a case, or the rule that it breaks.
pub(crate) fn judge(case: &Case) -> Verdict {
    match case.check.as_str() {
        "labels" => labels(case),
        "account-id" => opening_id(case),
        "device-id" => device_id(case),
        "public-key" => PublicKey::from_bytes(&case.array("key"), "key").map(|_| Fields::new()).map_err(entry_code),
        "signature" => signature(case),
        "entry" => entry(case),
        "fold" => fold(case),
        "map-root" => map_root(case),
        "map-proof" => map_proof(case),
        "transition" => transition(case),
        "handle-name" => Handle::parse(case.one("text")).map(|it| give("handle", it)).map_err(handle_code),
        "handle-place" => handle_place(case),
        "handle-head" => handle_head(case),
        "handle-move" => handle_move(case),
        "header" => header(case),
        "parameters" => parameters(case),
        "replay" => replay(case),
        "policy" => policy(case),
        "checkpoint" => checkpoint(case),
        "inclusion" => inclusion(case),
        "consistency" => consistency(case),
        "tile" => tile(case),
        "add-checkpoint" => add_checkpoint(case),
        "evidence" => evidence(case),
        other => panic!("{}: no procedure {other}", case.path),
    }
}

fn give(name: &str, value: impl ToString) -> Fields {
    vec![(name.to_owned(), value.to_string())]
}

fn also(mut fields: Fields, name: &str, value: impl ToString) -> Fields {
    fields.push((name.to_owned(), value.to_string()));
    fields
}

fn digest(text: &str) -> Digest {
    text.parse().unwrap()
}

fn entry_code(error: DecodeError) -> Refused {
    rule_code(RuleBroken::from(error))
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn rule_code(broken: RuleBroken) -> Refused {
    (broken.code(), broken.rule())
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn block_code(broken: BlockBroken) -> Refused {
    (broken.code(), broken.rule())
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn handle_code(error: HandleError) -> Refused {
    (error.code(), error.rule())
}

fn labels(case: &Case) -> Verdict {
    let data = case.bytes("data");
    let hashes = label::ALL.iter().map(|label| format!("{label} {}", Digest::labelled(label, &[&data])));
    Ok(hashes.map(|line| ("hash".to_owned(), line)).collect())
}

fn opening_id(case: &Case) -> Verdict {
    let bytes = case.bytes("entry");
    let entry = Entry::decode(&bytes).map_err(entry_code)?;
    let account = account_id(&entry.statement.body);
    // 127 bytes before the body, three signatures behind it
    let body = &bytes[127..bytes.len() - 192];
    assert_eq!(Digest::labelled(label::ACCOUNT_ID, &[body]).0, account.0);
    Ok(also(give("body", hex(body)), "account", account))
}

fn device_id(case: &Case) -> Verdict {
    let both = [case.bytes("chain-key"), case.bytes("mls-key")].concat();
    let keys = DeviceKeys::decode(&mut Reader::new(&both)).map_err(entry_code)?;
    Ok(give("device", keys.id()))
}

fn signature(case: &Case) -> Verdict {
    let key = PublicKey::from_bytes(&case.array("key"), "key").map_err(entry_code)?;
    let holds = key.verifies(&case.bytes("message"), &SignatureBytes(case.array("signature")));
    if holds { Ok(Fields::new()) } else { Err(rule_code(RuleBroken::Signature { place: 0 })) }
}

fn entry(case: &Case) -> Verdict {
    let bytes = case.bytes("entry");
    let entry = Entry::decode(&bytes).map_err(entry_code)?;
    assert_eq!(entry.encode(), bytes, "one encoding");
    let keys = case.all("key");
    let mut gives = give("kind", entry.statement.body.name());
    for (place, (role, signature)) in entry.signatures().enumerate() {
        let key = PublicKey::from_bytes(&unhex(keys[place]).try_into().unwrap(), "key").map_err(entry_code)?;
        let message = entry.statement.signed_bytes(role, case.one("origin")).unwrap();
        if !key.verifies(&message, signature) {
            return Err(rule_code(RuleBroken::Signature { place }));
        }
        gives = also(gives, "label", entry.statement.label(role).unwrap());
        gives = also(gives, "signed", hex(&message));
    }
    assert_eq!(keys.len(), entry.signatures().count(), "a key for each signature");
    Ok(also(gives, "hash", entry.hash()))
}

fn fold(case: &Case) -> Verdict {
    let parameters = Parameters::decode(&case.bytes("parameters")).unwrap();
    let roots: Vec<_> = case.all("root").iter().map(|line| line.split_once(' ').unwrap()).collect();
    let root_at =
        |size: u64| roots.iter().find(|(known, _)| known.parse() == Ok(size)).map(|(_, root)| digest(root));
    let stamps = case.all("block").into_iter().zip(case.all("time"));
    let stamped = stamps.zip(case.all("entry")).map(|((block, time), entry)| StampedEntry {
        block: block.parse().unwrap(),
        time_s: time.parse().unwrap(),
        entry: unhex(entry),
    });
    let entries: Vec<_> = stamped.collect();
    let folded = fold_stamped(None, &entries, &parameters, &root_at).map_err(rule_code);
    if folded.is_err() && entries.len() > 1 {
        let before = fold_stamped(None, &entries[..entries.len() - 1], &parameters, &root_at);
        assert!(before.is_ok(), "{}: only the last entry is refused", case.path);
    }
    let set = folded?;
    assert_eq!(DeviceSet::decode(&set.encode()).unwrap(), set);
    let ids: Fields = set.confirmed().keys().map(|id| ("confirmed".to_owned(), id.to_string())).collect();
    let mut gives = [give("record", hex(&set.encode())), ids].concat();
    gives = also(gives, "device-set", set.hash());
    gives = also(gives, "map-key", DeviceSet::map_key(&set.account()));
    Ok(also(gives, "map-value", set.map_value()))
}

fn map_root(case: &Case) -> Verdict {
    let leaf = |line: &str| {
        let (key, value) = line.split_once(' ').unwrap();
        (MapKey(digest(key)), MapValue(digest(value)))
    };
    let tree = Tree::from_sorted(case.all("leaf").into_iter().map(leaf)).unwrap();
    Ok(give("root", tree.root(tree.newest()).unwrap()))
}

const MAP_REFUSAL: Refused = ("chain.proof_invalid", "CHK-3");

fn map_proof(case: &Case) -> Verdict {
    let bytes = case.bytes("proof");
    let mut reader = Reader::new(&bytes);
    let proof = MapProof::decode(&mut reader).map_err(|_| MAP_REFUSAL)?;
    reader.finish().map_err(|_| MAP_REFUSAL)?;
    let mut writer = Writer::new();
    proof.encode(&mut writer);
    assert_eq!(writer.finish(), bytes, "one encoding");
    let value = proof.verify(&digest(case.one("root")), &MapKey(digest(case.one("key")))).map_err(|_| MAP_REFUSAL)?;
    Ok(give("value", value.map_or("absent".to_owned(), |value| value.0.to_string())))
}

/// `key old new`, old is `-` for none.
fn change(line: &str) -> Change {
    let words: Vec<_> = line.split(' ').collect();
    let [key, old, new] = words[..] else { panic!("not a change: {line}") };
    let old = (old != "-").then(|| MapValue(digest(old)));
    Change { key: MapKey(digest(key)), old, new: MapValue(digest(new)) }
}

fn transition(case: &Case) -> Verdict {
    let changes: Vec<_> = case.all("change").into_iter().map(change).collect();
    let refused = ("chain.proof_invalid", "BLK-2");
    let proof = TransitionProof::decode(&case.bytes("proof")).map_err(|_| refused)?;
    let root = proof.verify(&digest(case.one("old-root")), &changes).map_err(|_| refused)?;
    Ok(give("new-root", root))
}

fn handle_place(case: &Case) -> Verdict {
    let key = VrfPublicKey::from_bytes(&case.array("vrf-key")).map_err(entry_code)?;
    let handle = Handle::parse(case.one("handle")).unwrap();
    let label = key.verify(&handle, &VrfProof(case.array("proof"))).map_err(handle_code)?;
    Ok(also(give("vrf-key-id", key.id().0), "label", label))
}

fn read_head(bytes: &[u8]) -> Result<HandleHead, Refused> {
    let mut reader = Reader::new(bytes);
    let head = HandleHead::decode(&mut reader).map_err(|_| MAP_REFUSAL)?;
    reader.finish().map_err(|_| MAP_REFUSAL)?;
    Ok(head)
}

fn handle_head(case: &Case) -> Verdict {
    read_head(&case.bytes("head")).map(|head| give("map-value", head.value()))
}

fn handle_move(case: &Case) -> Verdict {
    let before = case.bytes("before");
    let before = if before.is_empty() { None } else { Some(read_head(&before)?) };
    let account: AccountId = case.one("account").parse().unwrap();
    let head = match case.one("move") {
        "bind" => HandleHead::bind(before.as_ref(), account, case.number("time")),
        "release" => before.unwrap().release(account, case.number("time")),
        "succeed" => before.unwrap().succeed(account, case.one("successor").parse().unwrap()),
        other => panic!("no move {other}"),
    };
    Ok(give("head", hex(&head.map_err(handle_code)?.encode())))
}

fn header(case: &Case) -> Verdict {
    let bytes = case.bytes("header");
    let header = Header::decode(&bytes).map_err(BlockBroken::from).map_err(block_code)?;
    assert_eq!(header.encode(), bytes, "one encoding");
    let gives = also(give("number", header.number), "time", header.time_s);
    let gives = also(also(gives, "previous-root", header.previous_root), "new-root", header.new_root);
    let gives = also(also(gives, "entries", header.entries), "body-hash", header.body_hash);
    Ok(also(gives, "leaf-hash", merkle::leaf_hash(&bytes)))
}

fn parameters(case: &Case) -> Verdict {
    let bytes = case.bytes("parameters");
    let parameters = Parameters::decode(&bytes).map_err(BlockBroken::from).map_err(block_code)?;
    assert_eq!(parameters.encode(), bytes, "one encoding");
    let gives = also(give("origin", &parameters.origin), "service-key", parameters.service_key);
    Ok(also(gives, "policy", &parameters.policy))
}

/// A log's public key alone, as a policy.
fn log_alone(case: &Case) -> Policy {
    format!("log {}\nquorum none\n", case.one("log-key")).parse().unwrap()
}

fn replay(case: &Case) -> Verdict {
    let note = SignedNote::parse(&case.lines("checkpoint")).unwrap();
    let signed = LogSignedCheckpoint::verify(&note, &log_alone(case)).map_err(checkpoint_code)?;
    let mut replay = Replay::new();
    let (mut claims, mut frontier) = (Vec::new(), merkle::Frontier::new());
    let blocks: Vec<_> = case.all("header").into_iter().zip(case.all("body")).collect();
    for (header, _) in &blocks {
        frontier.append(merkle::leaf_hash(&unhex(header))).unwrap();
    }
    let checkpoint = signed.checkpoint();
    assert_eq!((checkpoint.size, checkpoint.root), (frontier.size(), frontier.root()), "the checkpoint's tree");
    for (at, (header, body)) in blocks.iter().enumerate() {
        let applied = replay.apply(&unhex(header), &unhex(body), &mut claims);
        assert!(applied.is_ok() || at + 1 == blocks.len(), "{}: only the last block is refused", case.path);
        applied.map_err(block_code)?;
    }
    if !claims.iter().all(chain::sigchain::entry::Claim::holds) {
        return Err(rule_code(RuleBroken::Signature { place: 0 }));
    }
    let gives = also(give("entries", replay.entries()), "accounts", replay.accounts());
    Ok(also(gives, "map-root", replay.newest().unwrap().new_root))
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn policy_code(error: PolicyError) -> Refused {
    (error.code(), "CHK-1")
}

fn checkpoint_code(error: CheckpointError) -> Refused {
    (error.code(), "CHK-2")
}

fn read_policy(case: &Case) -> Result<Policy, Refused> {
    String::from_utf8(case.lines("policy")).unwrap().parse().map_err(policy_code)
}

fn policy(case: &Case) -> Verdict {
    let policy = read_policy(case)?;
    Ok(also(give("canonical", &policy), "smallest-quorum", policy.smallest_quorum()))
}

fn checkpoint(case: &Case) -> Verdict {
    let policy = read_policy(case)?;
    let note = SignedNote::parse(&case.lines("note")).map_err(|error| checkpoint_code(error.into()))?;
    let verified = VerifiedCheckpoint::verify(&note, &policy).map_err(checkpoint_code)?;
    let checkpoint = verified.checkpoint();
    let mut gives = also(give("size", checkpoint.size), "root", checkpoint.root);
    for at in verified.times() {
        gives = also(gives, "cosigned", format!("{} {}", policy.witnesses()[at.witness].name, at.time));
    }
    Ok(gives)
}

fn proof_code(error: merkle::ProofError) -> Refused {
    (error.code(), "CHK-2")
}

fn path(case: &Case) -> Vec<Digest> {
    case.all("hash").into_iter().map(digest).collect()
}

fn inclusion(case: &Case) -> Verdict {
    let leaf = merkle::leaf_hash(&case.bytes("leaf"));
    let (index, size) = (case.number("index"), case.number("size"));
    merkle::verify_inclusion(&leaf, index, size, &path(case), &digest(case.one("root"))).map_err(proof_code)?;
    Ok(give("leaf-hash", leaf))
}

fn consistency(case: &Case) -> Verdict {
    let (old, new) = (case.number("old-size"), case.number("new-size"));
    let roots = ["old-root", "new-root"].map(|name| digest(case.one(name)));
    merkle::verify_consistency(old, new, &path(case), &roots[0], &roots[1]).map_err(proof_code)?;
    Ok(Fields::new())
}

fn tile(case: &Case) -> Verdict {
    let kind = match case.one("level") {
        "entries" => TileKind::Entries,
        level => TileKind::Hashes(level.parse().unwrap()),
    };
    let tile = Tile::within(case.number("size"), kind, case.number("index")).unwrap();
    Ok(also(give("path", tile), "width", tile.width()))
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn witness_code(refusal: WitnessRefusal) -> Refused {
    (refusal.code(), "WIT-2")
}

fn add_checkpoint(case: &Case) -> Verdict {
    let keys: Vec<VerifierKey> = case.all("log-key").iter().map(|key| key.parse().unwrap()).collect();
    let cosigned = case.all("cosigned").first().map(|text| Checkpoint::parse(text).unwrap());
    let request = AddCheckpointRequest::parse(&case.lines("request"));
    let request = request.map_err(|error| witness_code(error.into()))?;
    let accepted = decide(cosigned.as_ref(), &request, &keys).map_err(witness_code)?;
    Ok(give("size", accepted.checkpoint().size))
}

fn evidence(case: &Case) -> Verdict {
    let refused = |error: EvidenceError| (error.code(), "10.2");
    let bytes = case.bytes("file");
    let evidence = Evidence::decode(&bytes).map_err(|error| refused(error.into()))?;
    assert_eq!(evidence.encode(), bytes, "one encoding");
    let found = evidence.check().map_err(refused)?;
    let mut gives = also(give("finding", format!("{} {}", found.code, found.rule)), "log", found.log);
    for witness in found.witnesses {
        gives = also(gives, "witness", witness);
    }
    Ok(gives)
}
