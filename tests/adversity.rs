//! What should not happen below the store or around it, and does: calls of the disk that panic, a
//! clock that is set forward and back.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test"
)]

use std::{
    collections::BTreeMap,
    future::Future,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    task::{Context, Wake, Waker},
    thread,
    time::Duration,
};

use annals::{
    Annals, Append, Delivery, Directory, File, LogQuery, NewEvent, Options, Position, StreamId,
    SyncPolicy, Threads, Timestamp,
};
use annals_sim::{CrashPlan, SimDisk, SimEnvironment};
use annals_wal::{Access, LockError, Map, WriterLock};

/// A disk of which one call that writes, syncs or names panics.
#[derive(Debug, Clone)]
struct Panicking {
    disk: SimDisk,
    /// How many of these calls are left before that one.
    left: Arc<AtomicU64>,
}

/// That there is no such call.
const NEVER: u64 = u64::MAX;

impl Panicking {
    fn call(&self) {
        // Relaxed: it only counts.
        let before = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            (left != NEVER).then(|| left.checked_sub(1).unwrap_or(NEVER))
        });
        assert_ne!(before, Ok(0), "planted");
    }

    fn file(&self, file: Arc<dyn File>) -> Arc<dyn File> {
        Arc::new(PanickingFile { file, directory: self.clone() })
    }
}

impl Directory for Panicking {
    fn lock(&self) -> Result<Box<dyn WriterLock>, LockError> {
        self.disk.lock()
    }
    fn names(&self) -> io::Result<Vec<String>> {
        self.disk.names()
    }
    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.call();
        Ok(self.file(self.disk.create(name)?))
    }
    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn File>> {
        Ok(self.file(self.disk.open(name, access)?))
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.call();
        self.disk.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }
    fn sync(&self) -> io::Result<()> {
        self.call();
        self.disk.sync()
    }
    fn display(&self, name: &str) -> String {
        self.disk.display(name)
    }
}

#[derive(Debug)]
struct PanickingFile {
    file: Arc<dyn File>,
    directory: Panicking,
}

impl File for PanickingFile {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, out)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        self.directory.call();
        self.file.write_at(offset, bytes)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.directory.call();
        self.file.sync_data()
    }
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }
    fn map(&self, len: u64, access: Access) -> io::Result<Option<Map>> {
        self.file.map(len, access)
    }
}

fn append(stream: &str, label: u64) -> Append {
    let payload = [label.to_le_bytes().as_slice(), &[7; 1800]].concat();
    let event = NewEvent::new(StreamId::new(stream).unwrap(), "Happened", payload).unwrap();
    Append::new().event(event)
}

/// The label of each event, by position.
fn labels(store: &Annals) -> BTreeMap<u64, u64> {
    let label = |event: annals::RecordedEvent| {
        let label = event.payload.first_chunk().unwrap();
        (event.position.get(), u64::from_le_bytes(*label))
    };
    store.read_all(LogQuery::forward()).map(|event| label(event.unwrap())).collect()
}

/// Two threads append, one blocks and one awaits, until something fails; what was acknowledged.
fn live(store: &Annals) -> BTreeMap<u64, u64> {
    let life = |caller: u64| {
        let mut told = BTreeMap::new();
        for number in 0..8 {
            let label = caller << 8 | number;
            let attempt = || {
                let pending = store.append(&append("a", label));
                if caller == 0 { pending.wait() } else { pollster::block_on(pending) }
            };
            let Ok(Ok(committed)) = catch_unwind(AssertUnwindSafe(attempt)) else { break };
            told.insert(committed.first.get(), label);
        }
        told
    };
    thread::scope(|scope| {
        let other = scope.spawn(|| life(1));
        let mut told = life(0);
        told.extend(other.join().unwrap());
        told
    })
}

/// Opens, lives and goes, whatever panics; what was acknowledged.
fn open_and_live(
    directory: &Panicking,
    threads: Threads,
    policy: SyncPolicy,
) -> BTreeMap<u64, u64> {
    let options = Options::new().segment_bytes(8 << 10).threads(threads).sync_policy(policy);
    let options = options.environment(Arc::new(SimEnvironment::new(1)));
    let opened = catch_unwind(AssertUnwindSafe(|| options.open_on(Arc::new(directory.clone()))));
    let Ok(Ok(store)) = opened else { return BTreeMap::new() };
    let told = live(&store);
    let shown = labels(&store);
    assert!(told.iter().all(|(position, label)| shown.get(position) == Some(label)));
    let closed = catch_unwind(AssertUnwindSafe(|| store.close()));
    if closed.is_err() {
        // What the panic left is unknown: nobody may say that all of it is durable.
        assert!(store.close().is_err(), "closed well after a panic");
    }
    told
}

/// Runs it in a thread of its own, which must end.
fn ends<T: Send + 'static>(what: &str, run: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    let thread = thread::spawn(move || sender.send(run()));
    let Ok(outcome) = receiver.recv_timeout(Duration::from_mins(5)) else {
        panic!("{what}: it does not end: {:?}", thread.is_finished());
    };
    outcome
}

/// G4 (failure poisons): any call that writes, syncs or names may panic, in a caller's thread or in
/// one of the store's: nobody waits for ever, and what was acknowledged is there when the store is
/// opened again, in the same boot or after a power cut.
#[test]
fn a_panic_of_any_call_leaves_nobody_waiting_and_loses_nothing() {
    let policies = [SyncPolicy::Always, SyncPolicy::Never];
    let ways = [Threads::Inline, Threads::Background].map(|t| policies.map(|policy| (t, policy)));
    for (threads, policy) in ways.into_iter().flatten() {
        let mut struck = 0;
        for call in 0.. {
            let directory =
                Panicking { disk: SimDisk::new(), left: Arc::new(AtomicU64::new(call)) };
            let living = directory.clone();
            let told = ends(&format!("{threads:?}, call {call}"), move || {
                open_and_live(&living, threads, policy)
            });
            if directory.left.swap(NEVER, Ordering::Relaxed) != NEVER {
                assert_eq!(told.len(), 16);
                break;
            }
            struck += 1;
            let mut disks = vec![directory.disk.clone()];
            if policy == SyncPolicy::Always {
                disks.push(directory.disk.crash(CrashPlan::durable_only()));
            }
            for disk in disks {
                let store = Options::new().segment_bytes(8 << 10).open_on(Arc::new(disk)).unwrap();
                let found = labels(&store);
                for (position, label) in &told {
                    assert_eq!(found.get(position), Some(label), "{threads:?}, call {call}");
                }
                store.append(&append("a", 0)).wait().unwrap();
            }
        }
        println!("{threads:?}, {policy:?}: {struck} panics");
        assert!(struck > 10, "{struck}");
    }
}

/// What a task's waker does.
struct Waking<F>(Mutex<Option<F>>);

impl<F: FnOnce() + Send> Wake for Waking<F> {
    fn wake(self: Arc<Self>) {
        let wake = self.0.lock().unwrap().take();
        if let Some(wake) = wake {
            wake();
        }
    }
}

/// Waits for the next event in a task that is never polled again; what wakes it does this instead.
fn await_next(store: &Annals, wake: impl FnOnce() + Send + 'static) -> Box<dyn Send> {
    let mut following = store.subscribe(Position::ZERO);
    assert_eq!(following.try_recv().unwrap(), Some(Delivery::CaughtUp(Position::ZERO)));
    let mut next = Box::pin(async move { following.next().await });
    let waker = Waker::from(Arc::new(Waking(Mutex::new(Some(wake)))));
    assert!(next.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    Box::new(next)
}

/// G4 (failure poisons): a waker may run anything, in whichever thread wakes. One here drops all that
/// is left of the store, in the thread that writes for it.
#[test]
fn a_waker_may_drop_the_last_handle() {
    for threads in [Threads::Inline, Threads::Background] {
        let disk = SimDisk::new();
        let living = disk.clone();
        let found = ends(&format!("{threads:?}"), move || {
            let options = Options::new().threads(threads);
            let store = options.open_on(Arc::new(living.clone())).unwrap();
            let all = Arc::new(Mutex::new(None));
            let to_drop = all.clone();
            let next = await_next(&store, move || drop(to_drop.lock().unwrap().take()));
            *all.lock().unwrap() = Some((next, store.clone()));
            // Nobody waits for it: whoever writes it is the last to know of the store.
            drop(store.append(&append("a", 1)));
            drop(store);
            let mut again = Options::new().open_on(Arc::new(living.clone()));
            while again.is_err() {
                thread::yield_now();
                again = Options::new().open_on(Arc::new(living.clone()));
            }
            labels(&again.unwrap())
        });
        assert_eq!(found, BTreeMap::from([(1, 1)]), "{threads:?}");
    }
}

/// G4 (failure poisons): the same when the disk panics. One here closes the store, which waits for
/// whoever is writing: nobody may be.
#[test]
fn a_waker_may_close_after_a_panic() {
    for threads in [Threads::Inline, Threads::Background] {
        let directory = Panicking { disk: SimDisk::new(), left: Arc::new(AtomicU64::new(NEVER)) };
        let closed = ends(&format!("{threads:?}"), move || {
            let options = Options::new().threads(threads);
            let store = options.open_on(Arc::new(directory.clone())).unwrap();
            let (sender, receiver) = mpsc::channel();
            let closing = store.clone();
            let next = await_next(&store, move || sender.send(closing.close()).unwrap());
            directory.left.store(0, Ordering::Relaxed);
            let attempt = || store.append(&append("a", 1)).wait();
            assert!(!matches!(catch_unwind(AssertUnwindSafe(attempt)), Ok(Ok(_))));
            let closed = receiver.recv().unwrap();
            drop(next);
            closed
        });
        assert!(closed.is_err(), "{threads:?}: closed well after a panic");
    }
}

/// G9 (one list of commits): the order, the positions and the versions are the log's. The clock only
/// says when, and may be set forward and back.
#[test]
fn a_clock_that_jumps_changes_nothing_but_times() {
    const HOUR: i64 = 3_600_000_000;
    let jumps = [0, HOUR, -3 * HOUR, i64::MAX, 0, i64::MIN, i64::MIN, i64::MIN, HOUR];
    let policies =
        [SyncPolicy::Always, SyncPolicy::Interval(Duration::from_secs(1)), SyncPolicy::Never];
    for policy in policies {
        let (disk, clock) = (SimDisk::new(), SimEnvironment::new(1));
        let mut times = Vec::new();
        for (number, jump) in (1..).zip(jumps) {
            let options = Options::new().segment_bytes(8 << 10).sync_policy(policy);
            let options = options.environment(Arc::new(clock.clone()));
            let store = options.open_on(Arc::new(disk.clone())).unwrap();
            clock.advance(jump);
            let before = annals_wal::Environment::now_micros(&clock);
            let committed = store.append(&append("a", number)).wait().unwrap();
            assert_eq!((committed.first.get(), committed.versions[0].get()), (number, number));
            let after = annals_wal::Environment::now_micros(&clock);
            times.push(before..=after);
            store.close().unwrap();
        }
        let store = Options::new().open_on(Arc::new(disk)).unwrap();
        let events: Vec<_> =
            store.read_all(LogQuery::forward()).map(|event| event.unwrap()).collect();
        assert_eq!(events.len(), times.len());
        for ((number, event), times) in (1..).zip(&events).zip(&times) {
            assert_eq!((event.position.get(), event.version.get()), (number, number));
            let Timestamp(time) = event.time;
            assert!(times.contains(&time), "{policy:?}: event {number} at {time}");
        }
    }
}
