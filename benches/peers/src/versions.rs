//! Versions of streams, for systems that know none: what their users would have to build.

use std::{collections::HashMap, sync::Arc};

use parking_lot::{Mutex, MutexGuard, RwLock};

use crate::{
    append::{Append, Conflict},
    system::{Answer, Failure},
};

/// The versions of streams in memory, for one writer at a time. Each is looked up in the system
/// when its stream is first met.
#[derive(Debug, Default)]
pub(crate) struct Versions(HashMap<u32, u64>);

impl Versions {
    /// Checks an append, and counts its events if it holds. `load` says how many events a stream
    /// has on disk.
    pub(crate) fn take(
        &mut self,
        append: &Append,
        mut load: impl FnMut(u32) -> Result<u64, Failure>,
    ) -> Result<Answer, Failure> {
        let mut conflicts = Vec::new();
        for (index, target) in append.targets.iter().enumerate() {
            let number = target.stream.number;
            let actual = match self.0.get(&number) {
                Some(version) => *version,
                None => load(number)?,
            };
            self.0.insert(number, actual);
            if actual != target.version {
                conflicts.push(Conflict { target: index, actual });
            }
        }
        if !conflicts.is_empty() {
            return Ok(Answer::Conflict(conflicts));
        }
        for event in &append.events {
            if let Some(stream) = append.stream_of(event) {
                self.0.insert(stream.number, event.version);
            }
        }
        Ok(Answer::Committed)
    }
}

/// A lock for each stream, for systems that several threads write to at once. Whoever appends
/// keeps the locks of its streams until it is durable: otherwise someone could build on what a
/// crash takes away.
#[derive(Debug)]
pub(crate) struct StreamLocks<T>(RwLock<HashMap<u32, Arc<Mutex<T>>>>);

impl<T> Default for StreamLocks<T> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<T: Default> StreamLocks<T> {
    /// The state of a stream; empty, if it is new.
    pub(crate) fn of(&self, number: u32) -> Arc<Mutex<T>> {
        let known = self.0.read().get(&number).cloned();
        known.unwrap_or_else(|| Arc::clone(self.0.write().entry(number).or_default()))
    }

    /// The states of an append's streams, in the order in which they must be locked, each with
    /// the index of its target.
    pub(crate) fn of_targets(&self, append: &Append) -> Vec<(usize, Arc<Mutex<T>>)> {
        let mut order: Vec<(u32, usize)> = append
            .targets
            .iter()
            .enumerate()
            .map(|(index, target)| (target.stream.number, index))
            .collect();
        order.sort_unstable();
        order.into_iter().map(|(number, index)| (index, self.of(number))).collect()
    }
}

/// Locks states in their order; the guards are in the order of the targets.
pub(crate) fn lock_all<T>(states: &[(usize, Arc<Mutex<T>>)]) -> Vec<MutexGuard<'_, T>> {
    let mut guards: Vec<_> = states.iter().map(|(index, state)| (*index, state.lock())).collect();
    guards.sort_unstable_by_key(|(index, _)| *index);
    guards.into_iter().map(|(_, guard)| guard).collect()
}

/// Which targets of an append have not the version that is actual. In the order of the targets.
pub(crate) fn conflicts(append: &Append, actual: impl IntoIterator<Item = u64>) -> Vec<Conflict> {
    let both = append.targets.iter().zip(actual).enumerate();
    both.filter(|(_, (target, actual))| target.version != *actual)
        .map(|(index, (_, actual))| Conflict { target: index, actual })
        .collect()
}

#[cfg(test)]
mod tests {
    use annals_bench::{MULTI, Random};

    use super::*;
    use crate::append::Stream;

    fn append() -> Append {
        let streams = [7, 3, 9, 5].map(Stream::new).to_vec();
        Append::new(&MULTI, streams, &mut Random::new(1))
    }

    #[test]
    fn versions_are_loaded_once_and_then_counted() {
        let mut versions = Versions::default();
        let mut append = append();
        let load = |number| Ok(if number == 9 { 4 } else { 0 });
        let answer = versions.take(&append, load).unwrap();
        let conflicts = vec![Conflict { target: 2, actual: 4 }];
        assert_eq!(answer, Answer::Conflict(conflicts.clone()));
        append.correct(&conflicts);
        let never = |_| Err("it was loaded already".into());
        assert_eq!(versions.take(&append, never).unwrap(), Answer::Committed);
        append.acknowledge();
        assert_eq!(versions.take(&append, never).unwrap(), Answer::Committed);
    }

    #[test]
    fn states_are_locked_by_number_and_returned_by_target() {
        let locks = StreamLocks::<u64>::default();
        for number in [7, 3, 9, 5] {
            *locks.of(number).lock() = u64::from(number);
        }
        let append = append();
        let states = locks.of_targets(&append);
        let order: Vec<u64> = states.iter().map(|(_, state)| *state.lock()).collect();
        assert_eq!(order, [3, 5, 7, 9]);
        let guards = lock_all(&states);
        let actual: Vec<u64> = guards.iter().map(|guard| **guard).collect();
        assert_eq!(actual, [7, 3, 9, 5]);
        assert_eq!(conflicts(&append, [0, 0, 1, 0]), [Conflict { target: 2, actual: 1 }]);
    }
}
