//! Things that are handed out, come back once or never, and end by themselves: challenges and open log-ins.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// At most so many at a time; the oldest make room. Whoever floods the service has to do so faster than an honest device
/// comes back, and log-ins are limited before they get here.
const MAX_OPEN: usize = 16_384;

/// Open things by name.
#[derive(Debug)]
pub(crate) struct Once<K, V> {
    open: HashMap<K, (u64, V)>,
    /// In the order in which they were handed out, which is that in which they end. Some are gone already.
    order: VecDeque<(u64, K)>,
}

impl<K, V> Default for Once<K, V> {
    fn default() -> Self {
        Self { open: HashMap::new(), order: VecDeque::new() }
    }
}

impl<K: Hash + Eq + Copy, V> Once<K, V> {
    /// Remembers a thing under a name that was never used before, until `ends_s`.
    pub(crate) fn put(&mut self, name: K, value: V, now_s: u64, ends_s: u64) {
        while let Some((end_s, oldest)) = self.order.front()
            && (*end_s <= now_s || self.order.len() >= MAX_OPEN)
        {
            self.open.remove(oldest);
            self.order.pop_front();
        }
        self.order.push_back((ends_s, name));
        self.open.insert(name, (ends_s, value));
    }

    /// Takes a thing back; the second time there is none.
    pub(crate) fn take(&mut self, name: &K, now_s: u64) -> Option<V> {
        self.open.remove(name).filter(|(ends_s, _)| *ends_s > now_s).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_comes_back_once_and_in_time() {
        let mut once = Once::default();
        once.put(1, 'a', 0, 60);
        once.put(2, 'b', 0, 60);
        assert_eq!(once.take(&1, 59), Some('a'));
        assert_eq!(once.take(&1, 59), None);
        assert_eq!(once.take(&2, 60), None);
    }

    /// Attack 27: what never comes back does not pile up.
    #[test]
    fn the_oldest_make_room() {
        let mut once = Once::default();
        for name in 0..2 * MAX_OPEN {
            once.put(name, (), 0, 60);
        }
        assert_eq!((once.open.len(), once.order.len()), (MAX_OPEN, MAX_OPEN));
        assert!(once.take(&0, 1).is_none() && once.take(&(2 * MAX_OPEN - 1), 1).is_some());
        once.put(usize::MAX, (), 100, 160);
        assert_eq!((once.open.len(), once.order.len()), (1, 1));
    }
}
