//! A toy of group commit: as little as is needed to compare who writes.
//!
//! - Records gather in one buffer; whoever takes it writes and syncs it as one group.
//! - Groups are numbered from 1 on. At most `flights_max` that follow the last published one are
//!   written at once; they are published in order.
//! - While records gather and a flight is free, one of their threads is awake, or the writer is.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    sync::atomic::{
        AtomicBool, AtomicU32, AtomicU64,
        Ordering::{Acquire, Release},
    },
};

use parking_lot::Mutex;

use crate::{disk::prepared::Offsets, number::wide};

/// Who writes groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lead {
    /// A caller, who at the end wakes one who leads the next group, then those of its own.
    Leader,
    /// A caller, who at the end wakes those of its group, then one who leads the next.
    GroupFirst,
    /// Callers, as [`Lead::Leader`], with up to two groups at once.
    TwoSyncs,
    /// A thread of its own.
    Dedicated,
}

/// A file to which many threads write.
#[derive(Debug)]
pub(crate) struct Group {
    file: File,
    lead: Lead,
    state: Mutex<State>,
    /// The last group that is published: `State::published`, to be read without the lock.
    durable: AtomicU64,
    /// Threads of up to four groups sleep on words of their own.
    words: [AtomicU32; 4],
    /// The dedicated writer sleeps on this one.
    wanted: AtomicU32,
    stopping: AtomicBool,
    failed: AtomicBool,
    failure: Mutex<Option<io::Error>>,
}

#[derive(Debug, Default)]
struct State {
    gathering: Vec<u8>,
    /// How many groups were taken: the gathering one is the next.
    taken: u64,
    published: u64,
    /// Durable, but not published: a group before is not durable.
    early: Vec<u64>,
    offsets: Offsets,
    spare: Vec<Vec<u8>>,
}

/// A group that is written.
struct Flight {
    group: u64,
    offset: u64,
    bytes: Vec<u8>,
}

impl Lead {
    fn flights_max(self) -> u64 {
        match self {
            Self::TwoSyncs => 2,
            Self::Leader | Self::GroupFirst | Self::Dedicated => 1,
        }
    }
}

impl Group {
    /// The file must be as long as a segment.
    pub(crate) fn new(file: File, lead: Lead) -> Self {
        Self {
            file,
            lead,
            state: Mutex::default(),
            durable: AtomicU64::new(0),
            words: Default::default(),
            wanted: AtomicU32::new(0),
            stopping: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            failure: Mutex::default(),
        }
    }

    /// Returns when the record is durable; says whether it is.
    pub(crate) fn append(&self, record: &[u8]) -> bool {
        let (group, is_first) = self.state.lock().push(record);
        if is_first && self.lead == Lead::Dedicated {
            wake_one(&self.wanted);
        }
        loop {
            // Acquire pairs with the Release of whoever wakes: what it did before is seen.
            let word = self.word(group);
            let seen = word.load(Acquire);
            if self.durable.load(Acquire) >= group {
                return true;
            }
            if self.failed.load(Acquire) {
                return false;
            }
            if self.lead == Lead::Dedicated || !self.lead(Some(group)) {
                atomic_wait::wait(word, seen);
            }
        }
    }

    /// What the dedicated thread does until it is stopped.
    pub(crate) fn write_for_all(&self) {
        loop {
            let seen = self.wanted.load(Acquire);
            if !self.lead(None) {
                if self.stopping.load(Acquire) {
                    return;
                }
                atomic_wait::wait(&self.wanted, seen);
            }
        }
    }

    /// Ends [`Group::write_for_all`] when nobody appends any more.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Release);
        wake_one(&self.wanted);
    }

    /// How many groups were written; or why one was not.
    pub(crate) fn end(self) -> io::Result<u64> {
        self.failure.into_inner().map_or(Ok(self.state.into_inner().published), Err)
    }

    /// Writes what gathers, if that is the wanted group and may be written now.
    fn lead(&self, wanted: Option<u64>) -> bool {
        let taken = self.state.lock().take(wanted, self.lead.flights_max());
        let Some(flight) = taken else { return false };
        let written = self.file.write_all_at(&flight.bytes, flight.offset);
        match written.and_then(|()| self.file.sync_data()) {
            Ok(()) => self.publish(flight),
            Err(error) => self.fail(error),
        }
        true
    }

    fn publish(&self, flight: Flight) {
        let (groups, next) = {
            let mut state = self.state.lock();
            let before = state.published;
            state.publish(flight);
            self.durable.store(state.published, Release);
            (before + 1..=state.published, state.next(self.lead.flights_max()))
        };
        let next = next.filter(|_| self.lead != Lead::Dedicated);
        let wake_next = || next.into_iter().for_each(|group| wake_one(self.word(group)));
        if self.lead != Lead::GroupFirst {
            wake_next();
        }
        for group in groups {
            wake_all(self.word(group));
        }
        if self.lead == Lead::GroupFirst {
            wake_next();
        }
    }

    fn fail(&self, error: io::Error) {
        self.failure.lock().get_or_insert(error);
        self.failed.store(true, Release);
        for word in &self.words {
            wake_all(word);
        }
    }

    fn word(&self, group: u64) -> &AtomicU32 {
        let [first, second, third, fourth] = &self.words;
        match group % 4 {
            0 => first,
            1 => second,
            2 => third,
            _ => fourth,
        }
    }
}

impl State {
    /// Returns the record's group, and whether it is the first one in it.
    fn push(&mut self, record: &[u8]) -> (u64, bool) {
        let is_first = self.gathering.is_empty();
        self.gathering.extend_from_slice(record);
        (self.taken + 1, is_first)
    }

    /// The group that gathers, if it may be written now.
    fn next(&self, flights_max: u64) -> Option<u64> {
        let may = !self.gathering.is_empty() && self.taken - self.published < flights_max;
        may.then_some(self.taken + 1)
    }

    fn take(&mut self, wanted: Option<u64>, flights_max: u64) -> Option<Flight> {
        let group = self.next(flights_max)?;
        if wanted.is_some_and(|wanted| wanted != group) {
            return None;
        }
        self.taken = group;
        let spare = self.spare.pop().unwrap_or_default();
        let bytes = std::mem::replace(&mut self.gathering, spare);
        Some(Flight { group, offset: self.offsets.next(wide(bytes.len())), bytes })
    }

    fn publish(&mut self, Flight { group, mut bytes, .. }: Flight) {
        bytes.clear();
        self.spare.push(bytes);
        self.early.push(group);
        while let Some(at) = self.early.iter().position(|group| *group == self.published + 1) {
            self.early.swap_remove(at);
            self.published += 1;
        }
    }
}

/// Changes the word before it wakes: who was about to sleep does not.
fn wake_one(word: &AtomicU32) {
    word.fetch_add(1, Release);
    atomic_wait::wake_one(word);
}

fn wake_all(word: &AtomicU32) {
    word.fetch_add(1, Release);
    atomic_wait::wake_all(word);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_that_overlap_are_published_in_order() {
        let mut state = State::default();
        assert_eq!(state.push(b"a"), (1, true));
        assert_eq!(state.push(b"b"), (1, false));
        assert!(state.take(Some(2), 2).is_none(), "another group gathers");
        let first = state.take(Some(1), 2).unwrap();
        assert_eq!((first.offset, first.bytes.as_slice()), (0, b"ab".as_slice()));
        assert_eq!(state.push(b"c"), (2, true));
        assert_eq!(state.next(1), None, "one in flight is all that may be");
        let second = state.take(Some(2), 2).unwrap();
        assert_eq!(second.offset, 2);
        state.push(b"d");
        assert!(state.take(None, 2).is_none());
        state.publish(second);
        assert_eq!((state.published, state.next(2)), (0, None));
        state.publish(first);
        assert_eq!((state.published, state.next(2)), (2, Some(3)));
    }
}
