//! A model checker's, with the interface of the system's.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::PoisonError,
};

#[cfg(annals_loom)]
use loom::sync as checker;
#[cfg(not(annals_loom))]
use shuttle::sync as checker;

pub use checker::{RwLockReadGuard, RwLockWriteGuard, mpsc::Sender};

#[cfg(not(annals_loom))]
pub use checker::atomic;

#[cfg(annals_loom)]
pub use crate::fenced as atomic;

use atomic::{AtomicU32, Ordering::SeqCst};

/// Threads of the model.
pub mod thread {
    use std::time::Duration;

    pub use std::thread::panicking;

    #[cfg(annals_loom)]
    pub use crate::parking::{Thread, current, park};
    #[cfg(annals_loom)]
    pub use loom::thread::{Builder, JoinHandle, ThreadId, yield_now};
    #[cfg(not(annals_loom))]
    pub use shuttle::thread::{Builder, JoinHandle, Thread, ThreadId, current, park, yield_now};

    /// There is no time: it may be over at once.
    pub fn park_timeout(_: Duration) {
        yield_now();
    }
}

/// A mutex of the model. Nobody minds a panic of whoever had it.
#[derive(Default)]
pub struct Mutex<T>(checker::Mutex<T>);

/// Whoever has the mutex.
pub struct MutexGuard<'a, T>(Option<checker::MutexGuard<'a, T>>);

impl<T> Mutex<T> {
    /// A mutex that nobody has.
    pub fn new(value: T) -> Self {
        Self(checker::Mutex::new(value))
    }

    /// Takes it, after whoever has it.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard(Some(self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Takes it if nobody has it.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock().ok().map(|guard| MutexGuard(Some(guard)))
    }
}

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mutex").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MutexGuard").finish_non_exhaustive()
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[expect(clippy::expect_used, reason = "only `Condvar::wait` takes it out, and puts it back")]
    fn deref(&self) -> &T {
        self.0.as_ref().expect("a guard")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    #[expect(clippy::expect_used, reason = "only `Condvar::wait` takes it out, and puts it back")]
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().expect("a guard")
    }
}

/// A condition variable of the model.
#[derive(Default)]
pub struct Condvar(checker::Condvar);

impl Condvar {
    /// A condition that nobody waits for.
    #[must_use]
    pub fn new() -> Self {
        Self(checker::Condvar::new())
    }

    /// Gives up the mutex until somebody notifies.
    pub fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let waited = guard.0.take().map(|guard| self.0.wait(guard));
        guard.0 = waited.map(|waited| waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Wakes all who wait.
    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").finish_non_exhaustive()
    }
}

/// A lock of the model for many readers or one writer.
#[derive(Default)]
pub struct RwLock<T>(checker::RwLock<T>);

impl<T> RwLock<T> {
    /// A lock that nobody has.
    pub fn new(value: T) -> Self {
        Self(checker::RwLock::new(value))
    }

    /// Takes it with other readers.
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes it alone.
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RwLock").finish_non_exhaustive()
    }
}

/// A number that threads wait for to change.
#[derive(Debug, Default)]
pub struct WakeWord {
    word: AtomicU32,
    /// Held by who looks at the word before sleeping, and by who wakes.
    looking: Mutex<()>,
    changed: Condvar,
}

impl WakeWord {
    /// What it is, to wait for something else.
    pub fn get(&self) -> u32 {
        self.word.load(SeqCst)
    }

    /// Makes it another.
    pub fn change(&self) {
        self.word.fetch_add(1, SeqCst);
    }

    /// Blocks while it is `seen`, and perhaps not so long.
    pub fn wait(&self, seen: u32) {
        let mut looking = self.looking.lock();
        if self.get() == seen {
            self.changed.wait(&mut looking);
        }
    }

    /// Wakes all who wait.
    pub fn wake_all(&self) {
        let _looking = self.looking.lock();
        self.changed.notify_all();
    }
}

/// The end of a channel that jobs come out of.
pub struct Receiver<T>(checker::mpsc::Receiver<T>);

/// A channel without a bound.
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = checker::mpsc::channel();
    (sender, Receiver(receiver))
}

impl<T> Iterator for Receiver<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.recv().ok()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}

/// How often to look before sleeping: once, as nothing is to be won by looking again.
#[must_use]
pub const fn looks(_: u32) -> u32 {
    1
}
