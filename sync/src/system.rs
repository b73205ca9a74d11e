//! The system's.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

pub use std::{sync::atomic, thread};

pub use crossbeam_channel::{Receiver, Sender, unbounded};
pub use parking_lot::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// A number that threads wait for to change.
#[derive(Debug, Default)]
pub struct WakeWord(AtomicU32);

impl WakeWord {
    /// What it is, to wait for something else.
    #[inline]
    pub fn get(&self) -> u32 {
        self.0.load(SeqCst)
    }

    /// Makes it another.
    #[inline]
    pub fn change(&self) {
        self.0.fetch_add(1, SeqCst);
    }

    /// Blocks while it is `seen`, and perhaps not so long.
    #[inline]
    pub fn wait(&self, seen: u32) {
        atomic_wait::wait(&self.0, seen);
    }

    /// Wakes all who wait.
    #[inline]
    pub fn wake_all(&self) {
        atomic_wait::wake_all(&raw const self.0);
    }
}

/// How often to look before sleeping.
#[inline]
#[must_use]
pub const fn looks(count: u32) -> u32 {
    count
}
