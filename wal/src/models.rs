//! Few threads in every order, by `loom`: whoever waits is woken, whoever leads leaves nobody
//! behind. The code is the log's own; only the locks, atomics and threads are the checker's.
//!
//! ```sh
//! RUSTFLAGS="--cfg annals_loom" cargo test -p annals-wal --lib models
//! ```
//!
//! A thread that waits for ever is a deadlock, which the checker reports with the order that led
//! to it.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

use annals_sync::thread::{self, Builder, Thread};

use crate::{
    background::Helpers,
    commit::{Shared, run_flusher},
    environment::Threads,
    error::Failure,
    format::body_checksum,
    log::Log,
    memory::Memory,
    options::{LogOptions, ReadMode, SyncPolicy},
    poison,
    recovery::Recovery,
    storage::Directory,
    tail::NewFrame,
    ticket::Ticket,
    watermark::Watermark,
};

/// Goes through every order in which at most so many threads are interrupted.
fn in_every_order(preemptions: usize, check: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(check);
}

fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> thread::JoinHandle<T> {
    Builder::new().spawn(run).unwrap()
}

/// Unparks a thread of the model.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Polls until it is ready, in this thread.
fn block_on<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        if let Poll::Ready(value) = poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        thread::park();
    }
}

// The watermark alone.

fn failure() -> Failure {
    let source = Arc::new(std::io::Error::other("planted"));
    Failure { action: "sync", file: "a".to_owned(), source }
}

#[test]
fn who_waits_for_a_group_is_woken() {
    in_every_order(4, || {
        let watermark = Arc::new(Watermark::new(0));
        let waiting = watermark.clone();
        let waiter = spawn(move || waiting.wait(1, || false).map(|()| waiting.record()));
        watermark.publish(1, 7);
        watermark.wake(Some(1));
        assert_eq!(waiter.join().unwrap().unwrap(), 7, "published before the group ended");
    });
}

#[test]
fn who_waits_for_the_next_group_is_woken() {
    in_every_order(3, || {
        let watermark = Arc::new(Watermark::new(0));
        let waiters = [1, 2].map(|group| {
            let watermark = watermark.clone();
            spawn(move || watermark.wait(group, || false))
        });
        for group in [1, 2] {
            watermark.publish(group, group);
            watermark.wake(Some(group));
        }
        for waiter in waiters {
            waiter.join().unwrap().unwrap();
        }
    });
}

#[test]
fn who_waits_hears_of_a_failure() {
    in_every_order(4, || {
        let watermark = Arc::new(Watermark::new(0));
        let waiters = [1, 2].map(|group| {
            let watermark = watermark.clone();
            spawn(move || watermark.wait(group, || false))
        });
        watermark.publish(1, 1);
        watermark.fail(failure());
        watermark.wake(Some(1));
        let [first, second] = waiters.map(|waiter| waiter.join().unwrap());
        assert!(first.is_ok() && second.is_err());
    });
}

#[test]
fn a_task_that_registers_is_woken() {
    in_every_order(4, || {
        let watermark = Arc::new(Watermark::new(0));
        let waiting = watermark.clone();
        let task = spawn(move || {
            block_on(|context| match waiting.register(1, context.waker()) {
                Some(outcome) => Poll::Ready(outcome),
                None => Poll::Pending,
            })
        });
        watermark.publish(1, 7);
        watermark.wake(Some(1));
        task.join().unwrap().unwrap();
    });
}

/// Two threads wait for the second rise, perhaps after the first.
#[test]
fn who_waits_for_a_rise_is_woken() {
    in_every_order(3, || {
        let watermark = Arc::new(Watermark::new(0));
        let waiters = [(); 2].map(|()| {
            let watermark = watermark.clone();
            spawn(move || {
                loop {
                    let rise = watermark.rises.listen();
                    if watermark.record() == 2 {
                        break;
                    }
                    rise.wait();
                }
            })
        });
        for number in [1, 2] {
            watermark.publish(number, number);
            watermark.wake(Some(number));
        }
        for waiter in waiters {
            waiter.join().unwrap();
        }
    });
}

/// What a waker does may be anything: this one waits for the next rise.
struct ListensAgain(Arc<Watermark>);

impl Wake for ListensAgain {
    fn wake(self: Arc<Self>) {
        drop(self.0.rises.listen());
    }
}

#[test]
fn a_waker_may_wait_for_the_next_rise() {
    in_every_order(3, || {
        let watermark = Arc::new(Watermark::new(0));
        let waker = Waker::from(Arc::new(ListensAgain(watermark.clone())));
        let mut rise = watermark.rises.listen();
        let mut context = Context::from_waker(&waker);
        assert!(Pin::new(&mut rise).poll(&mut context).is_pending());
        watermark.publish(1, 1);
        watermark.wake(Some(1));
        assert!(Pin::new(&mut rise).poll(&mut context).is_ready());
    });
}

// The whole commit path.

/// A log in memory, and what runs its flusher.
fn log() -> (Arc<Shared>, impl FnOnce() + Send) {
    let directory: Arc<dyn Directory> = Arc::new(Memory::default());
    let read_mode = ReadMode::Pread;
    let options = LogOptions { segment_bytes: 8 << 10, read_mode, ..LogOptions::default() };
    let recovered = Recovery { directory: &directory, options: &options }.run(&mut ());
    let helpers = Helpers::start(Threads::Inline).unwrap();
    let shared = Arc::new(Shared::new(directory, options, recovered.unwrap(), helpers));
    let flushed = shared.clone();
    (shared, move || run_flusher(&flushed))
}

/// Puts a frame at the end.
fn put(shared: &Arc<Shared>) -> Ticket {
    let body = [7; 8];
    let body_checksum = body_checksum(&body);
    let frame = NewFrame { record_count: 1, time: 0, stamps: &[0], body: &body, body_checksum };
    let mut tail = shared.tail.lock();
    tail.put(&frame);
    Ticket::new(shared.clone(), tail.group)
}

/// Two threads append and block, and the flusher takes over whenever it is told to: both hear of
/// their own frame, and both frames are there.
#[test]
fn callers_and_the_flusher_hand_over() {
    in_every_order(3, || {
        let (shared, flush) = log();
        let flusher = spawn(flush);
        let other = shared.clone();
        let caller = spawn(move || put(&other).wait());
        put(&shared).wait().unwrap();
        caller.join().unwrap().unwrap();
        assert_eq!(shared.watermark.record(), 2);
        shared.flusher.stop();
        flusher.join().unwrap();
    });
}

/// The same where groups are quick: whoever finds nobody writing writes for all, whatever the
/// flusher was told, and passes on what is left.
#[test]
fn callers_of_quick_groups_leave_nobody_behind() {
    in_every_order(3, || {
        let (shared, flush) = log();
        (0..100).for_each(|_| shared.pace.note(1));
        assert!(shared.pace.is_quick());
        let flusher = spawn(flush);
        let other = shared.clone();
        let caller = spawn(move || put(&other).wait());
        put(&shared).wait().unwrap();
        drop(put(&shared));
        caller.join().unwrap().unwrap();
        put(&shared).wait().unwrap();
        assert_eq!(shared.watermark.record(), 4);
        shared.flusher.stop();
        flusher.join().unwrap();
    });
}

/// A task appends and awaits while a thread appends and blocks.
#[test]
fn a_task_and_a_caller_hand_over() {
    in_every_order(3, || {
        let (shared, flush) = log();
        let flusher = spawn(flush);
        let other = shared.clone();
        let task = spawn(move || {
            let mut ticket = put(&other);
            block_on(|context| Pin::new(&mut ticket).poll(context))
        });
        put(&shared).wait().unwrap();
        task.join().unwrap().unwrap();
        assert_eq!(shared.watermark.record(), 2);
        shared.flusher.stop();
        flusher.join().unwrap();
    });
}

/// A caller comes back while the flusher finds nothing to do, which another had told it of: it does
/// not wait for a flusher that has stopped to lead.
#[test]
fn who_comes_back_is_not_left_behind() {
    in_every_order(3, || {
        let (shared, flush) = log();
        let flusher = spawn(flush);
        put(&shared).wait().unwrap();
        shared.flush_soon();
        put(&shared).wait().unwrap();
        assert_eq!(shared.watermark.record(), 2);
        shared.flusher.stop();
        flusher.join().unwrap();
    });
}

/// Appends and waits when it is woken.
struct PutsAgain(Arc<Shared>);

impl Wake for PutsAgain {
    fn wake(self: Arc<Self>) {
        put(&self.0).wait().unwrap();
    }
}

/// A waker appends and waits, in the flusher's thread or in that of a caller: it goes on, and so
/// does everybody else.
#[test]
fn a_waker_may_wait_for_its_own_frame() {
    in_every_order(3, || {
        let (shared, flush) = log();
        let flusher = spawn(flush);
        let waker = Waker::from(Arc::new(PutsAgain(shared.clone())));
        let mut first = put(&shared);
        let _ = Pin::new(&mut first).poll(&mut Context::from_waker(&waker));
        put(&shared).wait().unwrap();
        shared.flusher.stop();
        flusher.join().unwrap();
    });
}

/// A ticket that is dropped leaves its frame to the flusher: whoever waits for the watermark gets
/// there.
#[test]
fn a_dropped_ticket_is_written_all_the_same() {
    in_every_order(3, || {
        let (shared, flush) = log();
        let flusher = spawn(flush);
        let other = shared.clone();
        let caller = spawn(move || drop(put(&other)));
        caller.join().unwrap();
        let mut all = Ticket::new(shared.clone(), 1);
        block_on(|context| Pin::new(&mut all).poll(context)).unwrap();
        assert_eq!(shared.watermark.record(), 1);
        shared.flusher.stop();
        flusher.join().unwrap();
    });
}

/// G14: a frame goes to its file at once while the log fails. It is seen before the failure or refused: who
/// sees a failure has all that will ever be seen.
#[test]
fn nothing_is_seen_behind_a_failure() {
    in_every_order(3, || {
        let (threads, sync_policy) = (Threads::Inline, SyncPolicy::Never);
        let options =
            LogOptions { threads, sync_policy, segment_bytes: 8 << 10, ..LogOptions::default() };
        let log = Arc::new(Log::open(Arc::new(Memory::default()), options, &mut ()).unwrap());
        let [pushing, failing] = [(); 2].map(|()| log.clone());
        let pusher = spawn(move || {
            let body_checksum = body_checksum(&[7; 8]);
            let frame =
                NewFrame { record_count: 1, time: 0, stamps: &[0], body: &[7; 8], body_checksum };
            pushing.push(&frame).map(|pushed| pushed.ticket.wait()).is_ok()
        });
        let failer =
            spawn(move || poison::fail(&failing.shared.tail, &failing.shared.watermark, failure()));
        let watermark = &log.shared.watermark;
        let end = watermark.failure().is_some().then(|| watermark.record());
        failer.join().unwrap();
        assert_eq!(u64::from(pusher.join().unwrap()), watermark.record(), "seen, or refused");
        assert!(end.is_none_or(|end| end == watermark.record()));
    });
}
