//! How far the log is durable: the one number that decides what a reader may see, and those who
//! wait for it.
//!
//! Groups end in order: while group `n` is written, group `n + 1` gathers. So two wake words, for
//! odd and even groups, are enough to wake exactly those whose group ended, with one system call.

use std::{sync::OnceLock, task::Waker};

use annals_planted::{Bug, planted};
use annals_sync::{
    Mutex, WakeWord,
    atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::SeqCst},
};

use crate::{
    error::Failure,
    rise::{Rises, wake},
};

/// How far the log is durable. Only rises, until it fails for good.
#[derive(Debug)]
pub(crate) struct Watermark {
    /// The last group that ended.
    group: AtomicU64,
    /// The last record that may be seen.
    record: AtomicU64,
    failure: OnceLock<Failure>,
    /// Whether `failure` is there. Of its own, so that it is in one order with all the rest.
    has_failed: AtomicBool,
    /// By the group's parity.
    slots: [Slot; 2],
    /// For those who wait for a record, not for a group.
    pub(crate) rises: Rises,
}

#[derive(Debug, Default)]
struct Slot {
    /// Changes when a group of this parity ends.
    word: WakeWord,
    /// How many threads wait for the word to change.
    threads: AtomicU32,
    wakers: Mutex<Vec<Waker>>,
}

// Every access is SeqCst: a waiter announces itself and then looks at the group, or for a failure; who
// ends a group, or fails, says so and then looks for waiters. Each must see the other's first step
// (Dekker).
impl Watermark {
    pub(crate) fn new(record: u64) -> Self {
        Self {
            group: AtomicU64::new(0),
            record: AtomicU64::new(record),
            failure: OnceLock::new(),
            has_failed: AtomicBool::new(false),
            slots: Default::default(),
            rises: Rises::default(),
        }
    }

    /// The last record that may be seen.
    pub(crate) fn record(&self) -> u64 {
        self.record.load(SeqCst)
    }

    pub(crate) fn failure(&self) -> Option<&Failure> {
        self.has_failed.load(SeqCst).then(|| self.failure.get()).flatten()
    }

    /// Whether the group ended, well or not.
    pub(crate) fn outcome(&self, group: u64) -> Option<Result<(), Failure>> {
        // Before the group: who sees a failure sees every group that ended well before it.
        let failure = self.failure();
        if self.group.load(SeqCst) >= group {
            return Some(Ok(()));
        }
        failure.map(|failure| Err(failure.clone()))
    }

    fn slot(&self, group: u64) -> &Slot {
        let [even, odd] = &self.slots;
        if group.is_multiple_of(2) { even } else { odd }
    }

    /// Ends a group: its records may be seen. Its waiters go on with [`Watermark::wake`].
    pub(crate) fn publish(&self, group: u64, record: u64) {
        if planted(Bug::GroupBeforeRecord) {
            self.group.store(group, SeqCst);
        }
        self.record.store(record, SeqCst);
        self.group.store(group, SeqCst);
    }

    /// A frame is in its file and may be seen before it is synced.
    pub(crate) fn show(&self, record: u64) {
        self.record.store(record, SeqCst);
    }

    /// Wakes those who waited for a group that ended; after a failure, everyone.
    pub(crate) fn wake(&self, ended: Option<u64>) {
        match ended {
            _ if self.failure().is_some() => self.slots.iter().for_each(Slot::wake_all),
            Some(group) => self.slot(group).wake_all(),
            None => return,
        }
        self.rises.wake_all();
    }

    /// Ends everything: nothing more becomes durable. Only the first failure counts.
    /// Its waiters go on with [`Watermark::wake`].
    pub(crate) fn fail(&self, failure: Failure) {
        // A second failure changes nothing for anyone.
        drop(self.failure.set(failure));
        self.has_failed.store(true, SeqCst);
    }

    /// Blocks until the group ended. `lead` is called when nobody may be at work: it writes a
    /// group if it can, and says whether it did.
    pub(crate) fn wait(&self, group: u64, lead: impl Fn() -> bool) -> Result<(), Failure> {
        let slot = self.slot(group);
        loop {
            if let Some(outcome) = self.outcome(group) {
                return outcome;
            }
            // A thread that leads at once need not be woken, nor pay for it.
            if lead() {
                continue;
            }
            slot.threads.fetch_add(1, SeqCst);
            let seen = slot.word.get();
            // Again, now that whoever ends a group or stops leading sees this thread.
            let is_to_sleep = self.outcome(group).is_none() && !lead();
            if is_to_sleep || planted(Bug::NoSecondLook) {
                slot.word.wait(seen);
            }
            slot.threads.fetch_sub(1, SeqCst);
        }
    }

    /// Has the waker woken when the group ends; says if it has ended already.
    pub(crate) fn register(&self, group: u64, waker: &Waker) -> Option<Result<(), Failure>> {
        let too_early = planted(Bug::RegisteredTooLate).then(|| self.outcome(group));
        let mut wakers = self.slot(group).wakers.lock();
        let outcome = too_early.unwrap_or_else(|| self.outcome(group));
        // A task that is polled again and again is still woken once.
        if outcome.is_none() && wakers.last().is_none_or(|last| !last.will_wake(waker)) {
            wakers.push(waker.clone());
        }
        outcome
    }
}

impl Slot {
    fn wake_all(&self) {
        self.word.change();
        if self.threads.load(SeqCst) > 0 {
            self.word.wake_all();
        }
        let wakers = std::mem::take(&mut *self.wakers.lock());
        wakers.into_iter().for_each(wake);
    }
}
