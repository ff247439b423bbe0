//! Block 0: the log's parameters for its whole life.
//!
//! It names the witnesses, so it waits until every witness key is known. A key that a witness told is kept before it is
//! used, so that the same witness is named after a crash.

use std::fs;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use chain::block::Parameters;
use chain::id::PublicKey;
use chain::log::note::{NoteSigner, VerifierKey};
use chain::log::policy::Policy;
use chain::map::Tree;

use crate::disk::folder::{write_atomically, write_durably};
use crate::disk::store::{BlockRecords, Store};
use crate::disk::tiles;
use crate::error::{StartError, Stopped};
use crate::nodes::LogNodes;
use crate::options::WitnessAddress;
use crate::record::{Record, SealedHead, State};
use crate::sequencer::seal::{Saved, Sealer, sign};
use crate::shared::{Message, Shared};
use crate::witnesses::Witness;
use crate::witnesses::client::WitnessClient;

/// Wait between two tries to learn a witness's key.
const RETRY: Duration = Duration::from_millis(200);

/// Learns every witness's key: from the address, from an earlier start, or from the witness. `None` if the service is
/// to end before all are known.
pub(crate) fn learn_witnesses(
    shared: &Shared,
    store: &Store,
    addresses: &[WitnessAddress],
    queue: &Receiver<Message>,
) -> Result<Option<Vec<Witness>>, Stopped> {
    let client = WitnessClient::new(Duration::from_secs(2));
    let mut witnesses = Vec::new();
    for WitnessAddress { key, url } in addresses {
        let name = format!("witness {url}");
        let mut known = match key {
            Some(key) => Some(key.clone()),
            None => store.kept(&name)?.and_then(|text| text.parse::<VerifierKey>().ok()),
        };
        while known.is_none() {
            known = client.vkey(url);
            if let Some(key) = &known {
                store.keep(&name, &key.to_string())?;
            } else {
                // nobody proposes before block 0, so a message is the end
                match queue.recv_timeout(RETRY) {
                    Err(RecvTimeoutError::Timeout) if !shared.is_stopping() => (),
                    _ => return Ok(None),
                }
            }
        }
        witnesses.extend(known.map(|key| Witness { key, url: url.clone() }));
    }
    Ok(Some(witnesses))
}

/// The policy of a new log: more than half of its witnesses.
pub(crate) fn policy(log: &VerifierKey, witnesses: &[Witness]) -> Result<Policy, StartError> {
    let names: Vec<String> = (1..=witnesses.len()).map(|number| format!("w{number}")).collect();
    let lines = witnesses.iter().zip(&names).map(|(it, name)| format!("witness {name} {} {}\n", it.key, it.url));
    let lines: String = lines.collect();
    let quorum = match witnesses.len() {
        0 => "quorum none\n".to_owned(),
        count => format!("group witnesses {} {}\nquorum witnesses\n", count / 2 + 1, names.join(" ")),
    };
    let text = format!("log {log}\n{lines}{quorum}");
    text.parse().map_err(|error| StartError::BadWitness(format!("the list of witnesses ({error})")))
}

/// Seals block 0.
pub(crate) fn seal(
    shared: &Shared,
    mut store: Store,
    signer: NoteSigner,
    policy: Policy,
) -> Result<(Record, Sealer), Stopped> {
    let parameters = Parameters {
        origin: shared.origin.clone(),
        service_key: PublicKey::from(&shared.keys.entry),
        vrf_key: shared.keys.vrf.public(),
        policy,
    };
    let body = parameters.encode();
    let header = parameters.genesis(shared.now_s());
    write_durably(&shared.folder.block(0), &body)?;
    // a policy that is too long is noticed before it is signed
    let read = fs::read(shared.folder.block(0))?;
    chain::audit::judge_genesis(&header, &read).map_err(|_| Stopped::Fault { what: "making block 0" })?;
    write_durably(&shared.folder.policy(), parameters.policy.to_string().as_bytes())?;
    let tree = Tree::new();
    let version = tree.newest();
    let state = State { tree, log: LogNodes::default(), heads: std::collections::BTreeMap::new(), published: None };
    let record = Record::new(header.clone(), parameters, state);
    let note = sign(&record, &signer, &header)?;
    store.commit(&BlockRecords { header: &header, checkpoint: &note, entries: &[], accounts: &[], handles: &[] })?;
    record.add(SealedHead { note: note.clone(), header: header.clone(), version });
    tiles::write_growth(&shared.folder, &store, 0, 1, |level, index| record.node(level, index))?;
    if record.parameters.policy.witnesses().is_empty() {
        write_atomically(&shared.folder.checkpoint(), note.as_bytes())?;
        record.publish(1, note);
    }
    Ok((record, Sealer::new(store, signer, header, Saved::default())))
}
