//! The flusher under the policies that acknowledge before the sync: what is pushed is written without
//! waiting for the next sync, and is synced however much is pushed.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test")]

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicI64, AtomicU64, Ordering::SeqCst},
    },
    task::{Context, Wake},
    thread,
    time::Duration,
};

use annals_wal::{
    Environment, Log, LogOptions, Memory, NewFrame, Pushed, ReadMode, SyncPolicy, body_checksum,
};

const HOUR: Duration = Duration::from_hours(1);

/// A clock that only the test moves.
#[derive(Debug, Default)]
struct Clock(AtomicI64);

impl Environment for Clock {
    fn now_micros(&self) -> i64 {
        self.0.load(SeqCst)
    }
    fn random(&self) -> io::Result<u128> {
        Ok(4)
    }
}

/// A log that is synced every hour. Its segments are not mapped, so that frames gather in groups.
fn open(clock: &Arc<Clock>) -> Arc<Log> {
    let options = LogOptions {
        sync_policy: SyncPolicy::Interval(HOUR),
        read_mode: ReadMode::Pread,
        environment: clock.clone(),
        ..LogOptions::default()
    };
    Arc::new(Log::open(Arc::new(Memory::default()), options, &mut ()).unwrap())
}

fn push(log: &Log) -> Pushed {
    let body = [1; 8];
    let body_checksum = body_checksum(&body);
    let frame = NewFrame { record_count: 1, time: 5, stamps: &[7], body: &body, body_checksum };
    log.push(&frame).unwrap()
}

/// Pushes another frame whenever its last one can be seen, until something is synced. In the thread
/// that wakes it: the flusher.
struct Eager {
    log: Weak<Log>,
    clock: Arc<Clock>,
    pushed: AtomicU64,
}

/// Who never sees a sync gives up here.
const PUSHED_MAX: u64 = 1_000;

impl Eager {
    fn push(self: Arc<Self>, log: &Log) {
        self.pushed.fetch_add(1, SeqCst);
        let mut ticket = push(log).ticket;
        let polled = Pin::new(&mut ticket).poll(&mut Context::from_waker(&self.into()));
        assert!(polled.is_pending(), "the thread that writes is here, or sleeps");
    }
}

impl Wake for Eager {
    fn wake(self: Arc<Self>) {
        self.clock.0.store(2 * 3_600_000_000, SeqCst);
        let Some(log) = self.log.upgrade() else { return };
        if log.stats().syncs == 0 && self.pushed.load(SeqCst) < PUSHED_MAX {
            self.push(&log);
        }
    }
}

/// A flusher that goes on as long as something gathers would never look whether the interval is over
/// where those whom it wakes push at once: nothing would be durable, however long ago it could be seen.
#[test]
fn an_interval_ends_while_frames_come_without_a_pause() {
    let clock = Arc::new(Clock::default());
    let log = open(&clock);
    let pushed = AtomicU64::new(0);
    let eager = Arc::new(Eager { log: Arc::downgrade(&log), clock, pushed });
    eager.clone().push(&log);
    while log.stats().syncs == 0 && eager.pushed.load(SeqCst) < PUSHED_MAX {
        thread::yield_now();
    }
    // The one that the hour ended with, and one that was pushed then.
    assert_eq!(eager.pushed.load(SeqCst), 2);
}

/// A flusher that has written a group looks for the next one before it sleeps until the interval is
/// over: who wants it meanwhile does not wake it.
#[test]
fn what_is_pushed_is_not_left_until_the_interval_is_over() {
    let log = open(&Arc::default());
    for record in 1..=200 {
        drop(push(&log).ticket);
        log.wait(record).unwrap();
    }
    assert_eq!(log.stats().syncs, 0);
}
