//! Opening a log that is there: everything is compared with what was signed before anything is signed again.
//!
//! The headers have to make the log root of the signed checkpoint, the parameters have to fit the keys, and the map,
//! from its snapshot or from the records, has to have the root of the newest header. A damaged snapshot is ignored; any
//! other difference ends the start with `store.corrupt`.

use std::collections::BTreeMap;
use std::fs;

use chain::audit::judge_genesis;
use chain::block::{Body, Header, Parameters, body_hash};
use chain::handle::VrfPublicKey;
use chain::id::PublicKey;
use chain::log::checkpoint::{Checkpoint, LogSignedCheckpoint, VerifiedCheckpoint};
use chain::log::note::{SignedNote, VerifierKey};
use chain::map::{MapKey, MapValue, Tree, snapshot};

use crate::disk::folder::{Folder, read_if_there};
use crate::disk::store::Store;
use crate::error::{Corrupt, StartError};
use crate::nodes::LogNodes;
use crate::record::{Record, SealedHead, State};
use crate::sequencer::seal::Saved;

/// A log as it was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) record: Record,
    pub(crate) newest: Header,
    /// What the snapshot has, if there is a good one.
    pub(crate) saved: Saved,
}

/// The public keys that the parameters have to name.
#[derive(Debug)]
pub(crate) struct PublicKeys<'a> {
    pub(crate) entry: PublicKey,
    pub(crate) vrf: VrfPublicKey,
    pub(crate) log: &'a VerifierKey,
}

/// Reads and checks the log in a folder; `None` if there is no block yet.
pub(crate) fn open_log(folder: &Folder, store: &Store, keys: &PublicKeys<'_>) -> Result<Option<Found>, StartError> {
    let headers = read_headers(store)?;
    let (Some(genesis), Some(newest)) = (headers.first().cloned(), headers.last().cloned()) else {
        // a published checkpoint without blocks: the records are gone, and a new log under the old key would be a fork
        let published = folder.checkpoint().try_exists()?;
        return if published { Err(Corrupt::Unreadable { what: "the list of blocks" }.into()) } else { Ok(None) };
    };
    let parameters = read_parameters(folder, &headers, keys)?;
    let mut log = LogNodes::default();
    for header in &headers {
        log.append(&header.encode()).map_err(|_| Corrupt::LogRoot)?;
    }
    let note = check_signed(store, &parameters, &log)?;
    let published = read_published(folder, &parameters, &log, &note)?;
    let (tree, versions, saved) = read_map(folder, store, &headers, published.as_ref().map(|it| it.0))?;
    let mut heads = BTreeMap::new();
    for ((size, version), header) in versions.into_iter().rev().zip(headers.iter().rev()) {
        // only the newest log-signed note is kept; older heads serve proofs under the published one
        let note = if size == log.size() { note.clone() } else { String::new() };
        heads.insert(size, SealedHead { note, header: header.clone(), version });
    }
    let record = Record::new(genesis, parameters, State { tree, log, heads, published });
    Ok(Some(Found { record, newest, saved }))
}

fn read_headers(store: &Store) -> Result<Vec<Header>, StartError> {
    let unreadable = || Corrupt::Unreadable { what: "a header" };
    let mut headers: Vec<Header> = Vec::new();
    for bytes in store.headers()? {
        let header = Header::decode(&bytes).map_err(|_| unreadable())?;
        let fits = headers.last().is_none_or(|before| before.new_root == header.previous_root);
        if header.number != headers.len() as u64 || !fits {
            return Err(unreadable().into());
        }
        headers.push(header);
    }
    Ok(headers)
}

fn read_parameters(folder: &Folder, headers: &[Header], keys: &PublicKeys<'_>) -> Result<Parameters, StartError> {
    let unreadable = Corrupt::Unreadable { what: "block 0" };
    let body = fs::read(folder.block(0))?;
    let Some(parameters) = headers.first().and_then(|header| judge_genesis(header, &body).ok()) else {
        return Err(unreadable.into());
    };
    if parameters.service_key != keys.entry {
        return Err(StartError::BadKey { name: "entry" });
    }
    if parameters.vrf_key != keys.vrf {
        return Err(StartError::BadKey { name: "vrf" });
    }
    match parameters.policy.logs() {
        [log] if log.key == *keys.log => Ok(parameters),
        _ => Err(StartError::BadKey { name: "log" }),
    }
}

/// The newest log-signed checkpoint, which has to be the headers'.
fn check_signed(store: &Store, parameters: &Parameters, log: &LogNodes) -> Result<String, StartError> {
    let note = store.kept("checkpoint")?.ok_or(Corrupt::LogRoot)?;
    let signed = SignedNote::parse(note.as_bytes()).ok();
    let signed = signed.and_then(|note| LogSignedCheckpoint::verify(&note, &parameters.policy).ok());
    let checkpoint = signed.as_ref().map(LogSignedCheckpoint::checkpoint);
    let fits = |it: &Checkpoint| it.size == log.size() && it.root == log.root();
    if checkpoint.is_some_and(fits) { Ok(note) } else { Err(Corrupt::LogRoot.into()) }
}

/// The published checkpoint. A file that is damaged is gathered again; one that says more than the store has means that
/// the store is older than its own files (attack 16).
fn read_published(
    folder: &Folder,
    parameters: &Parameters,
    log: &LogNodes,
    note: &str,
) -> Result<Option<(u64, String)>, StartError> {
    let alone = parameters.policy.witnesses().is_empty();
    let unread = || Ok(alone.then(|| (log.size(), note.to_owned())));
    let Some(bytes) = read_if_there(&folder.checkpoint())? else { return unread() };
    let parsed = SignedNote::parse(&bytes).ok();
    // under a policy without witnesses the log's signature is all there is
    let verified = parsed.and_then(|note| VerifiedCheckpoint::verify(&note, &parameters.policy).ok());
    let Some(verified) = verified else { return unread() };
    let checkpoint = verified.checkpoint();
    if log.root_at(checkpoint.size) != Some(checkpoint.root) {
        let (cosigned, stored) = (checkpoint.size, log.size());
        return Err(StartError::Rollback { witness: "of the published checkpoint".into(), cosigned, stored });
    }
    if alone { unread() } else { Ok(Some((checkpoint.size, verified.note().to_string()))) }
}

type Versions = Vec<(u64, chain::map::Version)>;

/// The map in a version for every block from the published one to the newest; and what of it is in
/// the snapshot.
fn read_map(
    folder: &Folder,
    store: &Store,
    headers: &[Header],
    published: Option<u64>,
) -> Result<(Tree, Versions, Saved), StartError> {
    let size = headers.len() as u64;
    let oldest = published.unwrap_or(size);
    let from_snapshot =
        read_if_there(&folder.snapshot())?.and_then(|bytes| snapshot::decode(&bytes).ok()).filter(|found| {
            found.block < oldest && root_after(headers, found.block) == found.tree.root(found.tree.newest()).ok()
        });
    if let Some(found) = from_snapshot
        && let Ok((tree, versions)) = replay(folder, found.tree, found.block, headers, oldest)
    {
        // what was replayed counts as missing
        let replayed = headers.iter().filter(|header| header.number > found.block);
        let missing_changes = replayed.map(|header| header.entries as usize).sum();
        return Ok((tree, versions, Saved { block: found.block, missing_changes }));
    }
    let block = oldest.saturating_sub(1);
    let mut leaves: BTreeMap<MapKey, MapValue> = store.leaves()?.into_iter().collect();
    for number in (oldest..size).rev() {
        for change in read_block(folder, headers, number)?.changes {
            match change.old {
                Some(old) => leaves.insert(change.key, old),
                None => leaves.remove(&change.key),
            };
        }
    }
    let tree = Tree::from_sorted(leaves).map_err(|_| Corrupt::MapRoot { block })?;
    if tree.root(tree.newest()).ok() != root_after(headers, block) {
        return Err(Corrupt::MapRoot { block }.into());
    }
    let (tree, versions) = replay(folder, tree, block, headers, oldest)?;
    Ok((tree, versions, Saved::NONE))
}

fn root_after(headers: &[Header], block: u64) -> Option<chain::id::Digest> {
    usize::try_from(block).ok().and_then(|block| headers.get(block)).map(|header| header.new_root)
}

/// Applies the blocks after `block`, and keeps the versions from size `oldest` on.
fn replay(
    folder: &Folder,
    mut tree: Tree,
    block: u64,
    headers: &[Header],
    oldest: u64,
) -> Result<(Tree, Versions), StartError> {
    let mut versions = Vec::new();
    let mut keep = |number: u64, tree: &mut Tree| {
        let size = number.saturating_add(1);
        if size >= oldest {
            versions.push((size, tree.newest()));
        } else {
            tree.release_before(tree.newest()).unwrap_or_default();
        }
    };
    keep(block, &mut tree);
    for number in block.saturating_add(1)..headers.len() as u64 {
        let changes = read_block(folder, headers, number)?.changes;
        let broken = Corrupt::MapRoot { block: number };
        let version = tree.apply(tree.newest(), &changes).map_err(|_| broken.clone())?;
        if tree.root(version).ok() != root_after(headers, number) {
            return Err(broken.into());
        }
        keep(number, &mut tree);
    }
    Ok((tree, versions))
}

fn read_block(folder: &Folder, headers: &[Header], number: u64) -> Result<Body, StartError> {
    let unreadable = Corrupt::Unreadable { what: "a block" };
    let bytes = fs::read(folder.block(number))?;
    let header = usize::try_from(number).ok().and_then(|number| headers.get(number));
    let body = header.filter(|header| header.body_hash == body_hash(&bytes)).and_then(|_| Body::decode(&bytes).ok());
    Ok(body.ok_or(unreadable)?)
}
