//! When a command waits: before it tries again, and until its deadline.
//!
//! No async runtime is needed: unless told otherwise, one helper thread for the whole process
//! wakes those whose time has come. It starts when somebody first waits.

use std::{
    collections::BTreeMap,
    fmt,
    pin::Pin,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use foldhash::quality::RandomState;
use parking_lot::{Condvar, Mutex};

/// Ready when its time has come.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where time comes from, and chance: a simulation owns both.
pub trait Timer: fmt::Debug + Send + Sync {
    /// How long ago some fixed moment is; never runs backward.
    fn now(&self) -> Duration;

    /// Ready at `until`, or soon after. Dropped, it leaves nothing behind.
    fn sleep(&self, until: Duration) -> Sleep;

    /// Returns at `until`, or soon after.
    fn sleep_blocking(&self, until: Duration);

    /// Any number: how much longer to wait than others.
    fn random(&self) -> u64;
}

/// The system's clock, and a helper thread that wakes futures.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemTimer;

/// When this process first asked.
#[expect(clippy::disallowed_methods, reason = "this is where time comes from")]
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

static ALARMS: LazyLock<Alarms> = LazyLock::new(Alarms::default);

impl Timer for SystemTimer {
    fn now(&self) -> Duration {
        START.elapsed()
    }

    fn sleep(&self, until: Duration) -> Sleep {
        // Relaxed: only to tell sleepers apart.
        let number = ALARMS.next.fetch_add(1, Ordering::Relaxed);
        Box::pin(Sleeping { key: (until, number), is_set: false })
    }

    fn sleep_blocking(&self, until: Duration) {
        loop {
            let left = until.saturating_sub(self.now());
            if left.is_zero() {
                return;
            }
            thread::park_timeout(left);
        }
    }

    fn random(&self) -> u64 {
        use std::hash::BuildHasher;
        static RANDOM: LazyLock<RandomState> = LazyLock::new(RandomState::default);
        static COUNT: AtomicU64 = AtomicU64::new(0);
        // Relaxed: each only wants another number.
        RANDOM.hash_one(COUNT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Who is to be woken when.
#[derive(Debug, Default)]
struct Alarms {
    next: AtomicU64,
    set: Mutex<Set>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Set {
    wakers: BTreeMap<(Duration, u64), Waker>,
    has_thread: bool,
}

impl Alarms {
    fn set(&'static self, key: (Duration, u64), waker: &Waker) {
        let mut set = self.set.lock();
        set.wakers.insert(key, waker.clone());
        let is_first = set.wakers.first_key_value().is_some_and(|(first, _)| *first == key);
        if !set.has_thread {
            let ring = move || self.ring();
            // Without a thread nobody would be woken: the next sleeper tries again, and whoever
            // is polled for another reason looks at the time.
            set.has_thread = thread::Builder::new().name("annals-timer".into()).spawn(ring).is_ok();
        }
        drop(set);
        if is_first {
            self.changed.notify_one();
        }
    }

    /// The helper thread.
    fn ring(&self) {
        let mut set = self.set.lock();
        loop {
            let now = SystemTimer.now();
            match set.wakers.first_entry() {
                None => self.changed.wait(&mut set),
                Some(first) if first.key().0 <= now => {
                    let waker = first.remove();
                    // A waker may do anything, also set the next alarm, or panic.
                    parking_lot::MutexGuard::unlocked(&mut set, || {
                        let wake = std::panic::AssertUnwindSafe(|| waker.wake());
                        drop(std::panic::catch_unwind(wake));
                    });
                }
                Some(first) => {
                    let left = first.key().0.saturating_sub(now);
                    self.changed.wait_for(&mut set, left);
                }
            }
        }
    }
}

struct Sleeping {
    key: (Duration, u64),
    is_set: bool,
}

impl Future for Sleeping {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if SystemTimer.now() >= self.key.0 {
            return Poll::Ready(());
        }
        ALARMS.set(self.key, context.waker());
        self.is_set = true;
        Poll::Pending
    }
}

impl Drop for Sleeping {
    fn drop(&mut self) {
        if self.is_set {
            let waker = ALARMS.set.lock().wakers.remove(&self.key);
            drop(waker);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block_on::block_on;

    #[test]
    fn sleepers_wake_in_their_order_and_leave_nothing_behind() {
        let start = SystemTimer.now();
        let [first, second] = [1, 3].map(|n| SystemTimer.sleep(start + Duration::from_millis(n)));
        let never = SystemTimer.sleep(start + Duration::from_hours(1));
        let mut never = Box::pin(never);
        assert!(never.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let is_waiting = |after: Duration| {
            ALARMS.set.lock().wakers.keys().any(|(until, _)| *until >= start + after)
        };
        assert!(is_waiting(Duration::from_hours(1)));
        block_on(second);
        assert!(SystemTimer.now() >= start + Duration::from_millis(3));
        block_on(first);
        drop(never);
        assert!(!is_waiting(Duration::from_hours(1)));
        SystemTimer.sleep_blocking(start + Duration::from_millis(5));
        assert!(SystemTimer.now() >= start + Duration::from_millis(5));
        assert_ne!(SystemTimer.random(), SystemTimer.random());
    }
}
