//! The headers of a log, fetched as entry bundles and proven all together: they give the root of the signed
//! checkpoint, or nothing of them is used.

use chain::block::Header;
use chain::id::Digest;
use chain::log::checkpoint::Checkpoint;
use chain::log::merkle::{Frontier, leaf_hash};
use chain::log::tile::{TILE_WIDTH, Tile, TileKind, decode_bundle};

use crate::source::{Source, SourceError};

/// Most bytes of an entry bundle of headers.
const MAX_BUNDLE: usize = TILE_WIDTH as usize * (Header::LEN + 2);

/// Headers from some number up to a checkpoint.
#[derive(Debug, Default)]
pub struct Headers {
    /// Number of the first.
    pub first: u64,
    /// Their bytes, one after the other.
    pub bytes: Vec<Vec<u8>>,
}

impl Headers {
    /// Fetches the headers from `first` on to the end of the log of `size` blocks.
    ///
    /// # Errors
    /// [`SourceError`]; a bundle of another form is [`SourceError::TooLong`] or [`SourceError::Unreachable`].
    pub fn fetch(source: &Source, first: u64, size: u64, seen: &mut dyn FnMut(u64)) -> Result<Self, SourceError> {
        let width = u64::from(TILE_WIDTH);
        let mut bytes = Vec::new();
        let mut next = first;
        while next < size {
            let index = next / width;
            let Some(tile) = Tile::within(size, TileKind::Entries, index) else { break };
            let path = tile.to_string();
            let bundle = source.read(&path, MAX_BUNDLE)?;
            let malformed = |error| SourceError::Unreachable { path: path.clone(), reason: format!("{error}") };
            let skip = usize::try_from(next % width).unwrap_or(usize::MAX);
            bytes.extend(decode_bundle(&tile, &bundle).map_err(malformed)?.into_iter().skip(skip).map(<[u8]>::to_vec));
            next = tile.nodes().end;
            seen(next);
        }
        Ok(Self { first, bytes })
    }

    /// True if these headers, after a log with this frontier, give the checkpoint.
    pub fn give(&self, before: &Frontier, checkpoint: &Checkpoint) -> bool {
        let mut frontier = before.clone();
        let appended = self.bytes.iter().try_for_each(|header| frontier.append(leaf_hash(header)));
        appended.is_ok() && frontier.size() == checkpoint.size && frontier.root() == checkpoint.root
    }

    /// The header with this number.
    pub fn header(&self, number: u64) -> Option<&[u8]> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.bytes.get(index).map(Vec::as_slice)
    }

    /// Their leaf hashes.
    pub fn leaves(&self) -> impl Iterator<Item = Digest> {
        self.bytes.iter().map(|header| leaf_hash(header))
    }
}
