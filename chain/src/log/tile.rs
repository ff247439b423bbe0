//! Tiles: the files that a log is served as (C2SP tlog-tiles).
//!
//! A hash tile holds up to 256 consecutive nodes of one level of the tree, levels 0, 8, 16, …; an entry bundle holds the
//! up to 256 leaves under a tile of level 0. Full ones never change; partial ones carry their width in their path, so
//! they never change either. Not in scope: reading and writing the files.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::checkpoint::parse_decimal;
use super::merkle::{self, MAX_SIZE};
use crate::encoding::{DecodeError, Reader, Writer};
use crate::id::Digest;

/// Nodes in a full tile, and entries in a full bundle.
pub const TILE_WIDTH: u16 = 256;

/// Height of a tile: each hash of a level is the root of a full tile of the level below.
const TILE_HEIGHT: u8 = 8;

/// Highest tile level with a node in a tree of at most [`MAX_SIZE`] leaves.
const MAX_LEVEL: u8 = 7;

/// Text that is not the path of a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("this is no path of a tile")]
pub struct TilePathError;

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TileKind {
    /// Hashes of this tile level, 0 to 7: nodes of height 8 × level.
    Hashes(u8),
    /// The leaves themselves.
    Entries,
}

/// The name of a tile. Its text form is its path, such as `tile/0/x001/234.p/5` or `tile/entries/067`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tile {
    kind: TileKind,
    index: u64,
    width: u16,
}

impl Tile {
    /// The tile of this kind and position in the tree of `size` leaves, full or as wide as that tree makes it; `None`
    /// if that tree has none there.
    pub fn within(size: u64, kind: TileKind, index: u64) -> Option<Self> {
        if size > MAX_SIZE || index > MAX_SIZE {
            return None;
        }
        let nodes = size.checked_shr(height(kind)?.into())?;
        let width = nodes.checked_sub(index.checked_mul(TILE_WIDTH.into())?)?.min(TILE_WIDTH.into());
        let width = u16::try_from(width).ok().filter(|width| *width > 0)?;
        Some(Self { kind, index, width })
    }

    /// What it holds.
    pub fn kind(&self) -> TileKind {
        self.kind
    }

    /// Its position within its level, from 0.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// How many hashes or entries it holds, 1 to 256.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// True if it can grow no more.
    pub fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// The nodes or leaves that it holds, by position within their level.
    pub fn nodes(&self) -> std::ops::Range<u64> {
        let start = self.index.saturating_mul(TILE_WIDTH.into());
        start..start.saturating_add(self.width.into())
    }
}

/// Level of the nodes in a tile; 0 for entries.
fn height(kind: TileKind) -> Option<u8> {
    match kind {
        TileKind::Entries => Some(0),
        TileKind::Hashes(level) => Some(level).filter(|level| *level <= MAX_LEVEL).map(|level| level * TILE_HEIGHT),
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Hashes(level) => write!(f, "tile/{level}")?,
            TileKind::Entries => write!(f, "tile/entries")?,
        }
        let mut groups = vec![format!("/{:03}", self.index % 1000)];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(format!("/x{:03}", rest % 1000));
            rest /= 1000;
        }
        groups.iter().rev().try_for_each(|group| f.write_str(group))?;
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

impl FromStr for Tile {
    type Err = TilePathError;
    fn from_str(path: &str) -> Result<Self, TilePathError> {
        let (kind, rest) = path.strip_prefix("tile/").and_then(|rest| rest.split_once('/')).ok_or(TilePathError)?;
        let kind = match kind {
            "entries" => TileKind::Entries,
            level => TileKind::Hashes(level.parse().map_err(|_| TilePathError)?),
        };
        height(kind).ok_or(TilePathError)?;
        let (groups, width) = match rest.split_once(".p/") {
            None => (rest, TILE_WIDTH.into()),
            Some((groups, width)) => (groups, parse_decimal(width).ok_or(TilePathError)?),
        };
        let width = u16::try_from(width).ok().filter(|width| (1..=TILE_WIDTH).contains(width)).ok_or(TilePathError)?;
        let digits: String = groups.split('/').map(|group| group.strip_prefix('x').unwrap_or(group)).collect();
        let index = digits.parse().map_err(|_| TilePathError)?;
        let tile = Self { kind, index, width };
        // whatever is written otherwise than here is another path
        if tile.to_string() == path { Ok(tile) } else { Err(TilePathError) }
    }
}

/// The tiles and bundles that a tree of `new_size` leaves has and one of `old_size` leaves has not, in the order in
/// which they can be made: bundles first, then level by level. None if `old_size` is not below `new_size`.
pub fn tiles_for_growth(old_size: u64, new_size: u64) -> impl Iterator<Item = Tile> {
    let hashes = (0..=MAX_LEVEL).map(TileKind::Hashes);
    std::iter::once(TileKind::Entries).chain(hashes).flat_map(move |kind| {
        let nodes = |size: u64| height(kind).and_then(|height| size.checked_shr(height.into())).unwrap_or(0);
        let range = if nodes(old_size) < nodes(new_size) {
            nodes(old_size) / u64::from(TILE_WIDTH)..nodes(new_size).div_ceil(TILE_WIDTH.into())
        } else {
            0..0
        };
        range.filter_map(move |index| Tile::within(new_size, kind, index))
    })
}

/// The content of a hash tile; `read` gives the hash of a complete node, by level and position (see [`merkle`]). `None`
/// if a node is missing, or for a bundle.
pub fn hash_tile(tile: &Tile, mut read: impl FnMut(u8, u64) -> Option<Digest>) -> Option<Vec<u8>> {
    let TileKind::Hashes(_) = tile.kind else { return None };
    let level = height(tile.kind)?;
    tile.nodes().map(|index| read(level, index).map(|hash| hash.0)).collect::<Option<Vec<_>>>().map(|all| all.concat())
}

/// Reads the content of a hash tile.
///
/// # Errors
/// [`DecodeError::Length`] if it is not as long as the tile is wide.
pub fn decode_hash_tile(tile: &Tile, bytes: &[u8]) -> Result<Vec<Digest>, DecodeError> {
    let length = usize::from(tile.width) * Digest::LEN;
    if bytes.len() != length {
        return Err(DecodeError::Length { field: "hash tile", length: bytes.len(), min: length, max: length });
    }
    let (hashes, _) = bytes.as_chunks();
    Ok(hashes.iter().map(|hash| Digest(*hash)).collect())
}

/// The hash of the complete node `(level, index)` of the tree of `size` leaves, from its tiles: what the functions of
/// [`merkle`] take as `read`. `read_tile` gives the hashes of a tile. `None` if the tree has no such node, or the tile
/// is missing or too short.
pub fn node_from_tiles(
    size: u64,
    level: u8,
    index: u64,
    read_tile: &mut impl FnMut(&Tile) -> Option<Vec<Digest>>,
) -> Option<Digest> {
    let above = level % TILE_HEIGHT;
    let first = index.checked_shl(above.into()).filter(|first| first >> above == index)?;
    let tile = Tile::within(size, TileKind::Hashes(level / TILE_HEIGHT), first / u64::from(TILE_WIDTH))?;
    let offset = usize::try_from(first % u64::from(TILE_WIDTH)).ok()?;
    let hashes = read_tile(&tile)?;
    let hashes = hashes.get(offset..offset.checked_add(1 << above)?)?;
    merkle::root(1 << above, |level, index| {
        let start = usize::try_from(index << level).ok()?;
        let mut nodes = hashes.get(start..start.checked_add(1 << level)?)?.to_vec();
        while nodes.len() > 1 {
            let (pairs, _) = nodes.as_chunks::<2>();
            nodes = pairs.iter().map(|[left, right]| merkle::node_hash(left, right)).collect();
        }
        nodes.first().copied()
    })
    .ok()
}

/// The content of an entry bundle: each entry behind its length in two bytes.
///
/// # Errors
/// [`DecodeError::Length`] if there are no or more than 256 entries, or one is longer than 65,535 bytes.
pub fn encode_bundle(entries: &[impl AsRef<[u8]>]) -> Result<Vec<u8>, DecodeError> {
    check_length("bundle", entries.len(), 1, TILE_WIDTH.into())?;
    let mut writer = Writer::new();
    for entry in entries {
        check_length("entry", entry.as_ref().len(), 0, u16::MAX.into())?;
        writer.bytes16(entry.as_ref());
    }
    Ok(writer.finish())
}

/// Reads the content of an entry bundle.
///
/// # Errors
/// [`DecodeError`] if it does not hold exactly as many entries as the tile is wide.
pub fn decode_bundle<'a>(tile: &Tile, bytes: &'a [u8]) -> Result<Vec<&'a [u8]>, DecodeError> {
    let mut reader = Reader::new(bytes);
    let entries = (0..tile.width).map(|_| reader.bytes16(0, u16::MAX.into(), "entry")).collect::<Result<_, _>>()?;
    reader.finish()?;
    Ok(entries)
}

fn check_length(field: &'static str, length: usize, min: usize, max: usize) -> Result<(), DecodeError> {
    if (min..=max).contains(&length) { Ok(()) } else { Err(DecodeError::Length { field, length, min, max }) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn paths_are_those_of_tlog_tiles() {
        let tile = |size, kind, index| Tile::within(size, kind, index).unwrap().to_string();
        assert_eq!(tile(1_234_068 * 256, TileKind::Hashes(0), 1_234_067), "tile/0/x001/x234/067");
        assert_eq!(tile(1_234 * 256 + 5, TileKind::Hashes(0), 1_234), "tile/0/x001/234.p/5");
        assert_eq!(tile(70_000, TileKind::Hashes(1), 1), "tile/1/001.p/17");
        assert_eq!(tile(70_000, TileKind::Entries, 273), "tile/entries/273.p/112");
        assert_eq!(tile(256, TileKind::Hashes(1), 0), "tile/1/000.p/1");
        assert_eq!(Tile::within(255, TileKind::Hashes(1), 0), None);
        assert_eq!(Tile::within(256, TileKind::Hashes(0), 1), None);
    }

    #[test]
    fn a_path_has_one_form() {
        for path in ["tile/0/000", "tile/7/000.p/1", "tile/0/x001/x234/067", "tile/entries/999.p/255"] {
            assert_eq!(path.parse::<Tile>().map(|tile| tile.to_string()), Ok(path.to_owned()));
        }
        for path in [
            "tile/0/0",
            "tile/0/0000",
            "tile/0/x000/001",
            "tile/0/001/067",
            "tile/0/x001/x067",
            "tile/00/067",
            "tile/8/000",
            "tile/-1/000",
            "tile/+1/000",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/000.p/",
            "/tile/0/000",
            "tile/0/../000",
            "tile/data/000",
            "tile/0/",
            "tile/0",
            "",
            "tile/0/x999/x999/x999/x999/x999/x999/999",
            "tile/0/+01",
        ] {
            assert_eq!(path.parse::<Tile>(), Err(TilePathError), "{path:?}");
        }
    }

    /// The example of tlog-tiles: 70,000 leaves.
    #[test]
    fn a_tree_has_the_tiles_that_tlog_tiles_counts() {
        let tiles: Vec<_> = tiles_for_growth(0, 70_000).collect();
        let count = |kind, full| tiles.iter().filter(|tile| tile.kind == kind && tile.is_full() == full).count();
        assert_eq!((count(TileKind::Hashes(0), true), count(TileKind::Hashes(0), false)), (273, 1));
        assert_eq!((count(TileKind::Hashes(1), true), count(TileKind::Hashes(1), false)), (1, 1));
        assert_eq!((count(TileKind::Hashes(2), true), count(TileKind::Hashes(2), false)), (0, 1));
        assert_eq!(count(TileKind::Entries, true), 273);
        assert_eq!(tiles_for_growth(70_000, 70_000).count() + tiles_for_growth(5, 4).count(), 0);
    }

    #[test]
    fn proofs_made_from_the_tiles_of_a_growing_log_hold() {
        let mut frontier = merkle::Frontier::new();
        let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut roots = Vec::new();
        for (old, new) in [(0, 1), (1, 255), (255, 256), (256, 257), (257, 600), (600, 1_000)] {
            let mut nodes = BTreeMap::new();
            for i in old..new {
                let leaf = merkle::leaf_hash(&u64::to_be_bytes(i));
                frontier
                    .append_with(leaf, |level, index, hash| {
                        nodes.insert((level, index), hash);
                    })
                    .unwrap();
            }
            for tile in tiles_for_growth(old, new).filter(|tile| tile.kind != TileKind::Entries) {
                let content = hash_tile(&tile, |level, index| {
                    let mut read = |tile: &Tile| decode_hash_tile(tile, files.get(&tile.to_string())?).ok();
                    nodes.get(&(level, index)).copied().or_else(|| node_from_tiles(old, level, index, &mut read))
                });
                files.insert(tile.to_string(), content.unwrap());
            }
            roots.push((new, frontier.root()));
        }
        let (size, root) = (1_000, frontier.root());
        let mut read_tile = |tile: &Tile| decode_hash_tile(tile, files.get(&tile.to_string())?).ok();
        let mut read = |level, index| node_from_tiles(size, level, index, &mut read_tile);
        for (old, old_root) in roots {
            let proof = merkle::prove_consistency(old, size, &mut read).unwrap();
            assert_eq!(merkle::verify_consistency(old, size, &proof, &old_root, &root), Ok(()));
        }
        for index in (0..size).step_by(37) {
            let proof = merkle::prove_inclusion(index, size, &mut read).unwrap();
            let leaf = merkle::leaf_hash(&index.to_be_bytes());
            assert_eq!(merkle::verify_inclusion(&leaf, index, size, &proof, &root), Ok(()));
        }
        assert_eq!(read(8, 3), None);
        assert_eq!(merkle::Frontier::read(size, read), Ok(frontier));
    }

    #[test]
    fn a_bundle_has_exactly_the_entries_of_its_tile() {
        let entries = [b"one".as_slice(), b"", b"three"];
        let bytes = encode_bundle(&entries).unwrap();
        let tile = Tile::within(3, TileKind::Entries, 0).unwrap();
        assert_eq!(decode_bundle(&tile, &bytes), Ok(entries.to_vec()));
        assert!(decode_bundle(&tile, &bytes[..bytes.len() - 1]).is_err());
        assert!(decode_bundle(&Tile::within(2, TileKind::Entries, 0).unwrap(), &bytes).is_err());
        assert!(decode_bundle(&Tile::within(4, TileKind::Entries, 0).unwrap(), &bytes).is_err());
        assert!(encode_bundle(&[vec![0; 65_536]]).is_err());
        assert!(encode_bundle(&[b""; 0]).is_err() && encode_bundle(&[b""; 257]).is_err());
        assert!(decode_hash_tile(&tile, &[0; 95]).is_err() && decode_hash_tile(&tile, &[0; 96]).is_ok());
    }
}
