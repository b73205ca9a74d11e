//! Names to numbers: every stream's name is kept once, and everything else uses its number.

use std::hash::BuildHasher;

use annals_event::StreamId;
use annals_planted::{Bug, planted};
use annals_sync::RwLock;
use foldhash::{SharedSeed, quality::SeedableRandomState};
use hashbrown::HashTable;

/// A stream, in this process: dense, from 0. Not in any file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamNumber(pub(crate) u32);

/// Names that hash alike share a lock.
const SHARDS: usize = 16;

/// Names to numbers and back. Numbers are given once and stay.
#[derive(Debug)]
pub(crate) struct Names {
    /// The key is random for each log, so that nobody can choose names that collide.
    hasher: SeedableRandomState,
    shards: [RwLock<HashTable<(StreamId, StreamNumber)>>; SHARDS],
    by_number: RwLock<Vec<StreamId>>,
}

impl Names {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            hasher: SeedableRandomState::with_seed(seed, SharedSeed::global_random()),
            shards: Default::default(),
            by_number: RwLock::default(),
        }
    }

    fn shard(&self, hash: u64) -> &RwLock<HashTable<(StreamId, StreamNumber)>> {
        let [first, ..] = hash.to_le_bytes();
        let index = usize::from(first) % SHARDS;
        self.shards.get(index).unwrap_or(&self.shards[0])
    }

    /// The number of a stream that has one.
    pub(crate) fn find(&self, name: &str) -> Option<StreamNumber> {
        let hash = self.hasher.hash_one(name);
        let shard = self.shard(hash).read();
        shard.find(hash, |(id, _)| id.as_str() == name).map(|(_, number)| *number)
    }

    /// The number of a stream; gives it one if it has none.
    pub(crate) fn intern(&self, stream: &StreamId) -> StreamNumber {
        if let Some(number) = self.find(stream.as_str()) {
            return number;
        }
        let hash = self.hasher.hash_one(stream.as_str());
        let mut shard = self.shard(hash).write();
        // Again, now that nobody else gives numbers here.
        let found = shard.find(hash, |(id, _)| id == stream);
        if let Some((_, number)) = found.filter(|_| !planted(Bug::NumberedTwice)) {
            return *number;
        }
        let number = {
            let mut by_number = self.by_number.write();
            by_number.push(stream.clone());
            StreamNumber(u32::try_from(by_number.len() - 1).unwrap_or(u32::MAX))
        };
        let rehash = |(id, _): &(StreamId, StreamNumber)| self.hasher.hash_one(id.as_str());
        shard.insert_unique(hash, (stream.clone(), number), rehash);
        number
    }

    /// The name of a stream.
    pub(crate) fn name(&self, number: StreamNumber) -> Option<StreamId> {
        self.by_number.read().get(index(number)).cloned()
    }

    /// Every name, in the order of the numbers.
    pub(crate) fn all(&self) -> Vec<StreamId> {
        self.by_number.read().clone()
    }
}

/// Where a stream stands in a list of all streams.
#[expect(clippy::as_conversions, reason = "u32 to usize, which has 64 bits here")]
pub(crate) const fn index(number: StreamNumber) -> usize {
    number.0 as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_number() {
        let names = Names::new(7);
        let ids: Vec<StreamId> =
            (0..1000).map(|n| StreamId::new(&format!("stream-{n}")).unwrap()).collect();
        let numbers: Vec<StreamNumber> = ids.iter().map(|id| names.intern(id)).collect();
        for (id, number) in ids.iter().zip(&numbers) {
            assert_eq!(names.intern(id), *number);
            assert_eq!(names.find(id.as_str()), Some(*number));
            assert_eq!(names.name(*number).as_ref(), Some(id));
        }
        assert_eq!(names.find("nobody"), None);
        assert_eq!(names.all(), ids);
    }
}
