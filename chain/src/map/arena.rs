//! Storage of tree nodes by number, in chunks: growth never copies a node and never doubles.

/// Items in a chunk.
const CHUNK: usize = 1024;

/// Items by number, from 0; none is ever removed.
#[derive(Debug)]
pub(super) struct Arena<T> {
    /// All full but the last.
    chunks: Vec<Vec<T>>,
}

impl<T> Arena<T> {
    /// Starts without items.
    pub(super) fn new() -> Self {
        Self { chunks: Vec::new() }
    }

    /// Stores an item and says its number.
    #[expect(clippy::expect_used, reason = "`tree::MAX_LEAVES` keeps the number of nodes far below 2^32")]
    pub(super) fn insert(&mut self, item: T) -> u32 {
        let full = self.chunks.len().saturating_sub(1) * CHUNK;
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK => {
                chunk.push(item);
                u32::try_from(full + chunk.len() - 1).expect("fewer than 2^32 nodes")
            }
            _ => {
                let index = self.chunks.len() * CHUNK;
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(item);
                self.chunks.push(chunk);
                u32::try_from(index).expect("fewer than 2^32 nodes")
            }
        }
    }

    /// The item with this number.
    #[expect(clippy::indexing_slicing, reason = "the tree asks only for numbers that `insert` gave it")]
    pub(super) fn item(&self, index: u32) -> &T {
        let index = index as usize;
        &self.chunks[index / CHUNK][index % CHUNK]
    }

    /// Puts another item in the place of the one with this number, and gives the old one.
    #[expect(clippy::indexing_slicing, reason = "the tree asks only for numbers that `insert` gave it")]
    pub(super) fn replace(&mut self, index: u32, item: T) -> T {
        let index = index as usize;
        std::mem::replace(&mut self.chunks[index / CHUNK][index % CHUNK], item)
    }

    /// Bytes of memory reserved, used or not.
    pub(super) fn memory_bytes(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.capacity() * size_of::<T>()).sum::<usize>()
            + self.chunks.capacity() * size_of::<Vec<T>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_keep_their_numbers_and_can_be_replaced() {
        let mut arena = Arena::new();
        let numbers: Vec<u32> = (0..3000).map(|i| arena.insert(i)).collect();
        assert_eq!(numbers, (0..3000).collect::<Vec<u32>>());
        assert_eq!(arena.replace(2047, 7), 2047);
        assert_eq!((arena.item(2046), arena.item(2047), arena.item(2048), arena.item(2999)), (&2046, &7, &2048, &2999));
    }
}
