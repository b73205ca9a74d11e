//! Those who wait for the watermark to rise, whatever group it rises with: subscriptions, in threads
//! and in tasks.
//!
//! Nobody is woken under a lock: a waker may append, also wait for what it appended, begin to wait for
//! the next rise, close the log or drop its last handle. It must not block until others do something:
//! it runs in the thread that writes for them.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll, Waker},
};

use annals_planted::{Bug, planted};
use annals_sync::{
    Condvar, Mutex,
    atomic::{AtomicBool, Ordering::SeqCst},
};

/// The watermark's rises, and who waits for the next one.
#[derive(Debug, Default)]
pub(crate) struct Rises {
    /// Whether somebody may be waiting. `SeqCst`, as the watermark: who waits says so and then looks
    /// at the watermark; who raises it looks here afterwards. One of them sees the other.
    is_awaited: AtomicBool,
    waiting: Mutex<Vec<Weak<Seat>>>,
}

/// The watermark's next rise, after [`Log::listen`](crate::Log::listen); also the log's failure or
/// close. Waits as a future, or with [`Rise::wait`].
#[derive(Debug)]
pub struct Rise(Arc<Seat>);

/// Where one of those who wait is told.
#[derive(Debug, Default)]
struct Seat {
    seen: Mutex<Seen>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Seen {
    has_risen: bool,
    waker: Option<Waker>,
}

impl Rises {
    /// Waits from now on.
    pub(crate) fn listen(&self) -> Rise {
        let seat = Arc::<Seat>::default();
        let mut waiting = self.waiting.lock();
        if waiting.len() == waiting.capacity() {
            // Those who gave up leave room. Twice as much as is needed: who comes and goes must not
            // have all others looked at each time.
            waiting.retain(|seat| seat.strong_count() > 0);
            let len = waiting.len();
            waiting.reserve(len.max(4));
        }
        waiting.push(Arc::downgrade(&seat));
        self.is_awaited.store(true, SeqCst);
        Rise(seat)
    }

    /// Wakes all who wait. Without any lock held.
    pub(crate) fn wake_all(&self) {
        if !self.is_awaited.load(SeqCst) {
            return;
        }
        let mut waiting = self.waiting.lock();
        self.is_awaited.store(false, SeqCst);
        let woken = std::mem::take(&mut *waiting);
        if !planted(Bug::WokenUnderLock) {
            drop(waiting);
        }
        if planted(Bug::RiseLost) {
            self.is_awaited.store(false, SeqCst);
        }
        for seat in woken.iter().filter_map(Weak::upgrade) {
            seat.rise();
        }
    }
}

impl Seat {
    fn rise(&self) {
        let mut seen = self.seen.lock();
        seen.has_risen = true;
        let waker = seen.waker.take();
        drop(seen);
        self.changed.notify_all();
        if let Some(waker) = waker {
            wake(waker);
        }
    }
}

/// Wakes a task. A waker that panics must not take the others along.
pub(crate) fn wake(waker: Waker) {
    drop(catch_unwind(AssertUnwindSafe(|| waker.wake())));
}

impl Rise {
    /// Blocks until it comes.
    pub fn wait(&self) {
        let mut seen = self.0.seen.lock();
        while !seen.has_risen {
            self.0.changed.wait(&mut seen);
        }
    }
}

impl Future for Rise {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        // Cloned and dropped without the lock: both are the task's own code.
        let waker = context.waker().clone();
        let mut seen = self.0.seen.lock();
        if seen.has_risen {
            return Poll::Ready(());
        }
        let before = seen.waker.replace(waker);
        drop(seen);
        drop(before);
        Poll::Pending
    }
}

#[cfg(all(test, not(any(annals_loom, annals_shuttle))))]
mod tests {
    use std::{sync::atomic::AtomicU64, task::Wake, thread};

    use super::*;

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Counted(AtomicU64);

    impl Wake for Counted {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    #[test]
    fn who_waits_goes_on_after_the_rise_and_not_before() {
        let (rises, has_risen) = (Rises::default(), AtomicBool::new(false));
        let rise = rises.listen();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                rise.wait();
                has_risen.load(SeqCst)
            });
            // The other one is given time to go on too early.
            (0..1_000).for_each(|_| thread::yield_now());
            has_risen.store(true, SeqCst);
            rises.wake_all();
            assert!(waiting.join().is_ok_and(|risen| risen));
        });
    }

    #[test]
    fn a_task_is_woken_by_the_next_rise_alone() {
        let rises = Rises::default();
        let counted = Arc::new(Counted::default());
        let waker = Waker::from(counted.clone());
        let mut context = Context::from_waker(&waker);
        let mut rise = rises.listen();
        assert!(Pin::new(&mut rise).poll(&mut context).is_pending());
        rises.wake_all();
        rises.wake_all();
        assert_eq!(counted.0.load(SeqCst), 1);
        assert!(Pin::new(&mut rise).poll(&mut context).is_ready());
        assert!(Pin::new(&mut rises.listen()).poll(&mut context).is_pending());
    }

    /// Who comes and goes while nothing rises takes no more room than who is there.
    #[test]
    fn those_who_gave_up_leave_room() {
        let rises = Rises::default();
        let there: Vec<Rise> = (0..10).map(|_| rises.listen()).collect();
        (0..10_000).for_each(|_| drop(rises.listen()));
        assert!(rises.waiting.lock().capacity() < 100);
        rises.wake_all();
        there.iter().for_each(Rise::wait);
    }
}
