//! Folded state that is kept between commands, bounded by bytes.
//!
//! A state is taken out while a command works with it, and put back when its events are in order;
//! its entry stays meanwhile, empty. Whoever finds none folds from the beginning. What is taken
//! out is only a beginning: its versions are compared with the store's each time.

use std::{
    any::{Any, TypeId},
    fmt,
    hash::{Hash, Hasher},
};

use annals_event::{ReadFrom, StreamId};
use annals_sync::Mutex;
use quick_cache::{DefaultHashBuilder, Equivalent, Lifecycle, Weighter, unsync};
use smallvec::SmallVec;

use crate::meter::Meter;

/// A state of any type.
pub(crate) type AnyState = Box<dyn Any + Send>;

/// What a kept state is the fold of: of which streams, however far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StateKey<'a> {
    /// What it is called: a type.
    pub(crate) name: TypeId,
    /// Tells apart those of the same name.
    pub(crate) number: u64,
    /// Of the names of its streams.
    pub(crate) hash: u64,
    pub(crate) streams: &'a [ReadFrom],
}

/// As [`StateKey`], with streams of its own.
#[derive(Debug)]
struct OwnedKey {
    name: TypeId,
    number: u64,
    hash: u64,
    streams: SmallVec<[StreamId; 1]>,
}

/// Has the state that was kept, or is empty while a command has it.
struct Slot {
    bytes: u64,
    state: Option<AnyState>,
}

/// How often state was found, and how much is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    /// How often a state was wanted and found.
    pub hits: u64,
    /// How often a state was wanted and not found: its streams were read from the beginning.
    pub misses: u64,
    /// How many states are kept.
    pub states: u64,
    /// How many bytes they take, as their types tell.
    pub bytes: u64,
}

type Map = unsync::Cache<OwnedKey, Slot, BySize, DefaultHashBuilder, Hand>;

#[derive(Debug)]
struct Shard {
    map: Map,
    hits: u64,
    misses: u64,
}

/// Keys that hash alike share a lock.
const SHARDS: usize = 8;

/// What an entry takes besides state and names: about what the map and the allocator need.
const ENTRY_BYTES: usize = 160;

/// Folded state that is kept between commands.
#[derive(Debug)]
pub(crate) struct StateCache {
    shards: [Mutex<Shard>; SHARDS],
    hits: Meter,
    misses: Meter,
}

impl StateCache {
    /// Keeps at most so many bytes.
    pub(crate) fn new(bytes_max: u64) -> Self {
        let per_shard = bytes_max / u64::try_from(SHARDS).unwrap_or(u64::MAX);
        let states = usize::try_from(per_shard / 256).unwrap_or(usize::MAX);
        let shard = || {
            let map = Map::with(states, per_shard, BySize, DefaultHashBuilder::default(), Hand);
            Mutex::new(Shard { map, hits: 0, misses: 0 })
        };
        Self {
            shards: std::array::from_fn(|_| shard()),
            hits: Meter::new("annals_state_cache_hits_total"),
            misses: Meter::new("annals_state_cache_misses_total"),
        }
    }

    fn shard(&self, key: &StateKey<'_>) -> &Mutex<Shard> {
        let [first, ..] = key.hash.to_le_bytes();
        let [zero, ..] = &self.shards;
        self.shards.get(usize::from(first) % SHARDS).unwrap_or(zero)
    }

    /// Takes out a state, if there is one of this type.
    pub(crate) fn take<T: 'static>(&self, key: &StateKey<'_>) -> Option<Box<T>> {
        self.take_any(key)?.downcast().ok()
    }

    /// Takes out a state, if there is one.
    pub(crate) fn take_any(&self, key: &StateKey<'_>) -> Option<AnyState> {
        let mut shard = self.shard(key).lock();
        let state = shard.map.get_mut(key).and_then(|mut slot| slot.state.take());
        let is_hit = state.is_some();
        *if is_hit { &mut shard.hits } else { &mut shard.misses } += 1;
        drop(shard);
        if is_hit { &self.hits } else { &self.misses }.add(1);
        state
    }

    /// As [`StateCache::take_any`], without counting.
    pub(crate) fn take_quietly(&self, key: &StateKey<'_>) -> Option<AnyState> {
        let mut shard = self.shard(key).lock();
        shard.map.get_mut(key).and_then(|mut slot| slot.state.take())
    }

    /// Puts a state in, or back, that takes so many bytes.
    pub(crate) fn put(&self, key: &StateKey<'_>, state: AnyState, bytes: usize) {
        let names: usize = key.streams.iter().map(|from| from.stream.as_str().len()).sum();
        let bytes = u64::try_from(bytes + names + ENTRY_BYTES).unwrap_or(u64::MAX);
        // What must go is dropped without the lock: dropping may run anything.
        let (mut evicted, mut replaced) = (Vec::new(), None);
        let mut shard = self.shard(key).lock();
        if let Some(mut slot) = shard.map.get_mut(key) {
            replaced = slot.state.take();
            if slot.bytes == bytes {
                slot.state = Some(state);
                return;
            }
        }
        let slot = Slot { bytes, state: Some(state) };
        shard.map.insert_with_lifecycle(OwnedKey::from(key), slot, &mut evicted);
        drop(shard);
        drop((evicted, replaced));
    }

    /// Drops everything.
    pub(crate) fn clear(&self) {
        for shard in &self.shards {
            let kept: Vec<_> = shard.lock().map.drain().collect();
            drop(kept);
        }
    }

    pub(crate) fn stats(&self) -> CacheStats {
        let mut stats = CacheStats::default();
        for shard in &self.shards {
            let shard = shard.lock();
            stats.hits += shard.hits;
            stats.misses += shard.misses;
            stats.states += u64::try_from(shard.map.len()).unwrap_or(u64::MAX);
            stats.bytes += shard.map.weight();
        }
        stats
    }
}

/// Weighs an entry by its bytes.
#[derive(Debug, Clone)]
struct BySize;

impl Weighter<OwnedKey, Slot> for BySize {
    fn weight(&self, _: &OwnedKey, slot: &Slot) -> u64 {
        slot.bytes
    }
}

/// Hands over what is evicted.
#[derive(Debug, Clone)]
struct Hand;

impl Lifecycle<OwnedKey, Slot> for Hand {
    type RequestState = Vec<(OwnedKey, Slot)>;

    fn on_evict(&self, evicted: &mut Self::RequestState, key: OwnedKey, slot: Slot) {
        evicted.push((key, slot));
    }
}

impl From<&StateKey<'_>> for OwnedKey {
    fn from(key: &StateKey<'_>) -> Self {
        let StateKey { name, number, hash, streams } = *key;
        Self {
            name,
            number,
            hash,
            streams: streams.iter().map(|from| from.stream.clone()).collect(),
        }
    }
}

impl Hash for OwnedKey {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        (self.name, self.number, self.hash).hash(hasher);
    }
}

impl Hash for StateKey<'_> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        (self.name, self.number, self.hash).hash(hasher);
    }
}

impl PartialEq for OwnedKey {
    fn eq(&self, other: &Self) -> bool {
        let OwnedKey { name, number, hash, streams } = self;
        (*name, *number, *hash) == (other.name, other.number, other.hash)
            && *streams == other.streams
    }
}

impl Eq for OwnedKey {}

impl Equivalent<OwnedKey> for StateKey<'_> {
    fn equivalent(&self, other: &OwnedKey) -> bool {
        (self.name, self.number, self.hash) == (other.name, other.number, other.hash)
            && self.streams.iter().map(|from| &from.stream).eq(&other.streams)
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_taken = self.state.is_none();
        f.debug_struct("Slot").field("bytes", &self.bytes).field("is_taken", &is_taken).finish()
    }
}

#[cfg(test)]
mod tests {
    use annals_event::StreamVersion;

    use super::*;

    fn key(number: u64) -> StateKey<'static> {
        StateKey { name: TypeId::of::<u64>(), number, hash: number, streams: &[] }
    }

    /// Two sets of streams of one hash are told apart: one would be taken for the other's state.
    #[test]
    fn states_of_other_streams_of_the_same_hash_are_others() {
        let from =
            |name| [ReadFrom { stream: StreamId::new(name).unwrap(), after: StreamVersion::ZERO }];
        let (a, b) = (from("a"), from("b"));
        let [a, b] = [&a, &b].map(|streams| StateKey { streams, ..key(1) });
        let cache = StateCache::new(1 << 20);
        cache.put(&a, Box::new(1_u64), 8);
        assert_eq!(cache.take::<u64>(&b), None);
        cache.put(&b, Box::new(2_u64), 8);
        assert_eq!(cache.take::<u64>(&a), Some(Box::new(1)));
        assert_eq!(cache.take::<u64>(&b), Some(Box::new(2)));
        assert!(OwnedKey::from(&a) != OwnedKey::from(&b));
        assert!(OwnedKey::from(&key(1)) != OwnedKey::from(&key(2)));
    }

    #[test]
    fn a_state_is_taken_once_and_put_back() {
        let cache = StateCache::new(1 << 20);
        assert_eq!(cache.take::<u64>(&key(1)), None);
        cache.put(&key(1), Box::new(7_u64), 8);
        assert_eq!(cache.take::<u64>(&key(1)), Some(Box::new(7)));
        assert_eq!(cache.take::<u64>(&key(1)), None, "somebody has it");
        cache.put(&key(1), Box::new(8_u64), 8);
        cache.put(&key(1), Box::new(9_u64), 80);
        assert_eq!(cache.take::<u64>(&key(1)), Some(Box::new(9)));
        cache.put(&key(1), Box::new(9_u64), 80);
        let stats = cache.stats();
        assert_eq!((stats.hits, stats.misses, stats.states), (2, 2, 1));
        assert_eq!(stats.bytes, 80 + 160);
        cache.clear();
        assert_eq!(cache.take::<u64>(&key(1)), None);
    }

    #[test]
    fn states_of_other_streams_names_and_numbers_are_others() {
        let cache = StateCache::new(1 << 20);
        let [a, b] = ["a", "b"].map(|name| {
            let stream = StreamId::new(name).unwrap();
            [ReadFrom { stream, after: StreamVersion::ZERO }]
        });
        let first = StateKey { streams: &a, ..key(1) };
        cache.put(&first, Box::new(1_u64), 8);
        let same_hash = StateKey { streams: &b, ..key(1) };
        let other_name = StateKey { name: TypeId::of::<u32>(), ..first };
        for other in [same_hash, other_name, StateKey { number: 2, ..first }] {
            assert_eq!(cache.take::<u64>(&other), None);
        }
        assert_eq!(cache.take::<u64>(&first), Some(Box::new(1)));
    }

    #[test]
    fn what_is_kept_is_bounded_by_its_bytes() {
        let bytes_max = 256 << 10;
        let cache = StateCache::new(bytes_max);
        for number in 0..10_000 {
            cache.put(&key(number), Box::new(vec![0_u8; 1000]), 1000);
            assert!(cache.stats().bytes <= bytes_max);
        }
        assert!(cache.stats().states > 100, "{:?}", cache.stats());
        // One that grows makes others go; one that is too large is not kept.
        cache.put(&key(1), Box::new(vec![0_u8; 20_000]), 20_000);
        cache.put(&key(2), Box::new(vec![0_u8; 300_000]), 300_000);
        assert!(cache.stats().bytes <= bytes_max);
        assert_eq!(cache.take::<Vec<u8>>(&key(2)), None);
    }

    /// A state that panics when it is dropped does so outside of the lock.
    #[test]
    fn a_state_may_do_anything_when_it_is_dropped() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                assert!(std::thread::panicking(), "dropped");
            }
        }
        let cache = StateCache::new(64 << 10);
        let put = |number| {
            let bomb = Box::new(Bomb);
            let put = std::panic::AssertUnwindSafe(|| cache.put(&key(number), bomb, 5000));
            std::panic::catch_unwind(put).is_err()
        };
        let panics = (0..100).filter(|number| put(number * 8)).count();
        assert!(panics > 0);
        cache.put(&key(1), Box::new(7_u64), 8);
        assert_eq!(cache.take::<u64>(&key(1)), Some(Box::new(7)));
        drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| cache.clear())));
    }
}
