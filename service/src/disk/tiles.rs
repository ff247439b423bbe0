//! The log's static files: tiles, entry bundles and block bodies (C2SP tlog-tiles).
//!
//! Partial tiles are written again at every start from the records, so they are not synchronised; full tiles and
//! blocks are, before anything that covers them is signed or shown.

use std::fs;
use std::io;

use chain::id::Digest;
use chain::log::tile::{Tile, TileKind, encode_bundle, hash_tile, tiles_for_growth};

use crate::disk::folder::{Folder, write_atomically, write_durably};
use crate::disk::store::Store;
use crate::error::Stopped;

/// Writes the tiles that the log of `new_size` blocks has and the one of `old_size` has not.
pub(crate) fn write_growth(
    folder: &Folder,
    store: &Store,
    old_size: u64,
    new_size: u64,
    node: impl Fn(u8, u64) -> Option<Digest>,
) -> Result<(), Stopped> {
    for tile in tiles_for_growth(old_size, new_size) {
        let content = match tile.kind() {
            TileKind::Hashes(_) => hash_tile(&tile, &node),
            TileKind::Entries => {
                let nodes = tile.nodes();
                let headers = store.headers_from(nodes.start, tile.width().into())?;
                encode_bundle(&headers).ok().filter(|_| headers.len() == usize::from(tile.width()))
            }
        };
        let content = content.ok_or(Stopped::Fault { what: "making a tile" })?;
        write_tile(folder, &tile, &content)?;
    }
    Ok(())
}

fn write_tile(folder: &Folder, tile: &Tile, content: &[u8]) -> io::Result<()> {
    let path = folder.public(&tile.to_string());
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    if !tile.is_full() {
        return write_atomically(&path, content);
    }
    write_durably(&path, content)?;
    // tlog-tiles: whoever looks for a partial tile falls back to the full one
    match fs::remove_dir_all(path.with_added_extension("p")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
