//! Finding a stream among those of one command.

use std::{hash::BuildHasher, sync::LazyLock};

use annals_event::StreamId;
use foldhash::quality::RandomState;
use hashbrown::HashTable;
use smallvec::SmallVec;

/// The key is random for each process, so that nobody can choose names that collide.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::default);

/// Where a stream's name leads to, in this process.
pub(crate) fn hash_of(stream: &StreamId) -> u64 {
    HASHER.hash_one(stream.as_str())
}

/// Up to here, looking at all hashes is faster than a table.
const LINEAR_MAX: usize = 16;

/// Finds streams in a list that is kept elsewhere, by the hashes of their names.
#[derive(Debug, Default)]
pub(crate) struct StreamIndex {
    hashes: SmallVec<[u64; 8]>,
    /// Where each is; only for many.
    table: HashTable<usize>,
}

impl StreamIndex {
    /// The hashes, in the order of the list.
    pub(crate) fn hashes(&self) -> &[u64] {
        &self.hashes
    }

    /// Where the stream with this hash is for which `is_same` says so.
    pub(crate) fn find(&self, hash: u64, is_same: impl Fn(usize) -> bool) -> Option<usize> {
        if self.table.is_empty() {
            let mut numbered = self.hashes.iter().enumerate();
            return numbered.find(|(at, h)| **h == hash && is_same(*at)).map(|(at, _)| at);
        }
        self.table.find(hash, |at| is_same(*at)).copied()
    }

    /// One more stream at the end of the list.
    pub(crate) fn push(&mut self, hash: u64) {
        self.hashes.push(hash);
        if self.hashes.len() > LINEAR_MAX {
            let hashes = &self.hashes;
            let from = if self.table.is_empty() { 0 } else { hashes.len() - 1 };
            for (at, hash) in hashes.iter().enumerate().skip(from) {
                let hash_at = |at: &usize| hashes.get(*at).copied().unwrap_or_default();
                self.table.insert_unique(*hash, at, hash_at);
            }
        }
    }

    /// Forgets all but the first `len` streams.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.hashes.truncate(len);
        self.table.retain(|at| *at < len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_many_streams_are_found() {
        let names: Vec<StreamId> =
            (0..100).map(|n| StreamId::new(&format!("stream-{n}")).unwrap()).collect();
        let mut index = StreamIndex::default();
        let find = |index: &StreamIndex, name: &StreamId| {
            index.find(hash_of(name), |at| names[at] == *name)
        };
        for (at, name) in names.iter().enumerate() {
            assert_eq!(find(&index, name), None);
            index.push(hash_of(name));
            for (known, name) in names.iter().enumerate().take(at + 1) {
                assert_eq!(find(&index, name), Some(known));
            }
        }
        for len in [50, 10, 0] {
            index.truncate(len);
            let found = names.iter().filter(|name| find(&index, name).is_some());
            assert_eq!((found.count(), index.hashes().len()), (len, len));
        }
        for name in &names {
            index.push(hash_of(name));
        }
        assert_eq!(find(&index, &names[99]), Some(99));
    }

    /// Names with the same hash are told apart by whoever knows them.
    #[test]
    fn a_hash_alone_does_not_decide() {
        for count in [2, 40] {
            let mut index = StreamIndex::default();
            (0..count).for_each(|_| index.push(7));
            assert_eq!(index.find(7, |at| at == 1), Some(1));
            assert_eq!(index.find(7, |_| false), None);
        }
    }
}
