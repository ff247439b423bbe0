//! Somebody who has the public files and nothing else replays the log.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use chain::audit::{Before, judge_block, judge_genesis};
use chain::block::{Body, Header};
use chain::handle::HandleHead;
use chain::id::{AccountId, HandleLabel};
use chain::log::checkpoint::LogSignedCheckpoint;
use chain::log::merkle::{self, Frontier, leaf_hash};
use chain::log::note::SignedNote;
use chain::log::policy::Policy;
use chain::log::tile::{Tile, TileKind, decode_bundle, decode_hash_tile, node_from_tiles};
use chain::map::Tree;
use chain::sigchain::device_set::DeviceSet;
use chain::sigchain::entry::Signatures;
use chain::sigchain::fold::Ground;
use protocol::limits::Limits;

use crate::world::{Device, World, account, proven, proven_handle, submit};

fn headers(public: &Path, size: u64) -> Vec<Header> {
    let tiles = (0..).map_while(|index| Tile::within(size, TileKind::Entries, index));
    let bundles = tiles.map(|tile| (tile, fs::read(public.join(tile.to_string())).unwrap()));
    bundles
        .flat_map(|(tile, bytes)| {
            let leaves = decode_bundle(&tile, &bytes).unwrap();
            leaves.into_iter().map(|leaf| Header::decode(leaf).unwrap()).collect::<Vec<_>>()
        })
        .collect()
}

/// BLK-1 to BLK-5, attack 31: every block holds under every rule, tiles give the signed root, and no handle is in clear.
#[test]
fn the_public_files_alone_prove_the_whole_log() {
    let mut world = World::new();
    world.limits = Limits::NONE;
    let service = world.open().unwrap();
    let (_, label) = proven_handle(&service, "rumpelstiltskin");
    submit(&service, &Device::new().opening(Some(label)).1).unwrap();
    let (id, first) = account(&service);
    let second = Device::new();
    submit(&service, &second.joining(&proven(&service, &id).unwrap())).unwrap();
    submit(&service, &first.confirming(&proven(&service, &id).unwrap(), &second)).unwrap();
    // past the first full tile
    (0..260).for_each(|_| drop(account(&service)));
    let policy: Policy = fs::read_to_string(service.policy_path()).unwrap().parse().unwrap();
    service.close().unwrap();
    let public = world.data.join("public");
    let note = SignedNote::parse(&fs::read(public.join("checkpoint")).unwrap()).unwrap();
    let signed = LogSignedCheckpoint::verify(&note, &policy).unwrap();
    let size = signed.checkpoint().size;
    assert_eq!(size, 265);
    let headers = headers(&public, size);
    let read_tile = |tile: &Tile| decode_hash_tile(tile, &fs::read(public.join(tile.to_string())).ok()?).ok();
    let node = |level, index| node_from_tiles(size, level, index, &mut { read_tile });
    assert_eq!(merkle::root(size, node), Ok(signed.checkpoint().root));
    assert!(!public.join("tile/0/000.p").exists());

    let parameters = judge_genesis(&headers[0], &fs::read(public.join("block/0")).unwrap()).unwrap();
    let (mut sets, mut handles) = (BTreeMap::<AccountId, DeviceSet>::new(), BTreeMap::<HandleLabel, HandleHead>::new());
    let (mut tree, mut log) = (Tree::new(), Frontier::new());
    log.append(leaf_hash(&headers[0].encode())).unwrap();
    for (previous, header) in headers.iter().zip(&headers[1..]) {
        let body = fs::read(public.join("block").join(header.number.to_string())).unwrap();
        assert!(!body.windows(6).any(|window| window == b"rumpel"));
        let effects = {
            let account = |id: &AccountId| sets.get(id).cloned();
            let handle = |label: &HandleLabel| handles.get(label).copied();
            let before = Before { account: &account, handle: &handle };
            let ground =
                Ground { parameters: &parameters, block: header.number, time_s: header.time_s, root_at: &|_| None };
            judge_block(previous, header, &body, &before, &ground, &mut Signatures::CheckNow).unwrap()
        };
        let version = tree.apply(tree.newest(), &Body::decode(&body).unwrap().changes).unwrap();
        assert_eq!(tree.root(version), Ok(header.new_root));
        sets.extend(effects.accounts.into_iter().map(|set| (set.account(), set)));
        handles.extend(effects.handles);
        log.append(leaf_hash(&header.encode())).unwrap();
    }
    assert_eq!(log.root(), signed.checkpoint().root);
    assert_eq!((sets.len(), handles.len(), sets[&id].confirmed().len()), (262, 1, 2));
}
