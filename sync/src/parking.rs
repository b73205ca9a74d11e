//! Parking for models of `loom`, whose own forgets that a thread was unparked while it waited for
//! a mutex.

use std::sync::Arc;

use loom::{
    sync::{Condvar, Mutex},
    thread::{self, ThreadId},
};

loom::thread_local! {
    static TOKEN: Arc<Token> = Arc::default();
}

/// Whether a thread was unparked since it last parked.
#[derive(Debug, Default)]
struct Token {
    is_there: Mutex<bool>,
    came: Condvar,
}

/// A thread that can be unparked.
#[derive(Debug, Clone)]
pub struct Thread {
    id: ThreadId,
    token: Arc<Token>,
}

impl Thread {
    /// Which one it is.
    #[must_use]
    pub fn id(&self) -> ThreadId {
        self.id
    }

    /// Has it go on, now or when it parks next.
    pub fn unpark(&self) {
        if let Ok(mut is_there) = self.token.is_there.lock() {
            *is_there = true;
            self.token.came.notify_one();
        }
    }
}

/// This thread.
#[must_use]
pub fn current() -> Thread {
    Thread { id: thread::current().id(), token: TOKEN.with(Arc::clone) }
}

/// Blocks until somebody unparks this thread, or did since it last parked.
pub fn park() {
    let token = TOKEN.with(Arc::clone);
    let mut waited = token.is_there.lock();
    while let Ok(mut is_there) = waited {
        if std::mem::take(&mut *is_there) {
            return;
        }
        waited = token.came.wait(is_there);
    }
}
