//! How the flusher is told to work and to stop. What it does is in `commit.rs`.

use std::sync::OnceLock;

use annals_planted::{Bug, planted};
use annals_sync::{
    atomic::{AtomicBool, Ordering, Ordering::SeqCst},
    thread::{self, Thread},
};

/// How the flusher is told to work and to stop.
#[derive(Debug, Default)]
pub(crate) struct Flusher {
    pub(crate) wanted: AtomicBool,
    /// Whether it writes groups until there is none: nobody else does meanwhile.
    pub(crate) leads: AtomicBool,
    pub(crate) stopping: AtomicBool,
    pub(crate) thread: OnceLock<Thread>,
}

impl Flusher {
    /// Has the flusher write what gathers. If one of those who wait did, callers would fall into
    /// two halves that take turns, one gathering while the other is written. The flusher first
    /// wakes all whose group ended, and finds most of them back when it takes the next one.
    pub(crate) fn lead(&self) {
        if !self.leads.swap(true, SeqCst) && !planted(Bug::TakeOverLost) {
            self.wake();
        }
    }

    pub(crate) fn wake(&self) {
        // AcqRel pairs with the swap in `run`: the flusher sees the frames of who woke it.
        if !self.wanted.swap(true, Ordering::AcqRel)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }

    /// Whether this thread is the flusher.
    pub(crate) fn is_here(&self) -> bool {
        self.thread.get().is_some_and(|flusher| flusher.id() == thread::current().id())
    }

    pub(crate) fn stop(&self) {
        // Release pairs with the Acquire in `run`.
        self.stopping.store(true, Ordering::Release);
        self.wake();
    }
}
