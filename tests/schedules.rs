//! The whole store under a scheduler that chooses at random who goes on, at each lock and each
//! atomic: callers append by hand and through an executor, and what they are told must be strictly
//! serializable in every schedule. Whoever waits for ever is a deadlock, and an error.
//!
//! ```sh
//! RUSTFLAGS="--cfg annals_shuttle" cargo test -p annals --test schedules
//! ```
//!
//! A schedule that fails is printed, and can be replayed with `shuttle::replay`.
#![cfg(annals_shuttle)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test"
)]

#[path = "common/callers.rs"]
mod callers;
#[path = "common/history.rs"]
mod history;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use annals::{
    Annals, Append, Delivery, Directory, EventId, Executor, File, Memory, NewEvent, Options,
    Position, ReadError, Store, StreamId, SyncPolicy,
};
use annals_sim::{CrashPlan, Fault, SimDisk, SimEnvironment, Times};
use annals_wal::{Access, LockError, Map, WriterLock};
use callers::{Scene, Wish, at_once, by_command, by_hand, call};
use shuttle::{
    Config, Runner,
    scheduler::{PctScheduler, RandomScheduler, Scheduler},
    thread,
};

/// How many schedules each test goes through with each scheduler.
const SCHEDULES: usize = 25_000;

fn open(disk: &SimDisk) -> Annals {
    let environment = Arc::new(SimEnvironment::new(1));
    let options = Options::new().segment_bytes(8 << 10).environment(environment);
    options.open_on(Arc::new(disk.clone())).unwrap()
}

/// Three callers over two streams: one by hand, two as commands of one executor, of which one has
/// them in flight together.
fn call_all(disk: &SimDisk, store: Annals, seed: u64) {
    let scene = Scene::new(2);
    let executor = Executor::new(store.clone()).attempts_max(1);
    thread::scope(|scope| {
        for caller in 0..3 {
            let (scene, store, executor) = (&scene, &store, &executor);
            scope.spawn(move || {
                let hand = |wish: &Wish| by_hand(scene, store, wish);
                let command = |wish: &Wish| by_command(scene, executor, wish);
                let seed = 3 * seed + caller;
                match caller {
                    0 => call(scene, seed, 2, &hand),
                    1 => call(scene, seed, 2, &command),
                    _ => at_once(scene, executor, seed, 2),
                }
            });
        }
    });
    // On a dead disk that fails; what was told must be there when the disk is well again.
    store.close().ok();
    drop((executor, store));
    scene.check(&open(&disk.crash(CrashPlan::everything())));
}

/// Runs a model under two schedulers: one that is fair, and one that lets a thread wait for long.
fn in_many_schedules(model: impl Fn(u64) + Send + Sync + 'static) {
    let model = Arc::new(model);
    let schedulers: [Box<dyn Scheduler + Send>; 2] =
        [Box::new(RandomScheduler::new(SCHEDULES)), Box::new(PctScheduler::new(3, SCHEDULES))];
    for scheduler in schedulers {
        let (model, seed) = (model.clone(), AtomicU64::new(0));
        let runner = Runner::new(scheduler, Config::new());
        // Relaxed: only another number each time.
        let run = runner.run(move || model(seed.fetch_add(1, Ordering::Relaxed)));
        assert_eq!(run, SCHEDULES);
    }
}

/// G10, G21 (serializable, without deadlock): whatever the schedule.
#[test]
fn callers_are_strictly_serializable_in_every_schedule() {
    in_many_schedules(|seed| {
        let disk = SimDisk::new();
        call_all(&disk, open(&disk), seed);
    });
}

/// G4, G10, G21 (failure poisons, without deadlock): the disk dies at some call: everyone hears of it,
/// nobody waits for ever.
#[test]
fn nobody_waits_for_a_dead_disk_in_any_schedule() {
    let died = Arc::new(AtomicUsize::new(0));
    let count = died.clone();
    in_many_schedules(move |seed| {
        let disk = SimDisk::new();
        let store = open(&disk);
        disk.fail_at(disk.calls() + seed % 20, Fault::EIO, Times::Forever);
        call_all(&disk, store, seed);
        // Relaxed: only a count.
        count.fetch_add(usize::from(disk.faults_struck() > 0), Ordering::Relaxed);
    });
    // A schedule of few groups ends before the last of those calls.
    let died = died.load(Ordering::Relaxed);
    assert!(died > SCHEDULES, "in {died} of {} schedules the disk died", 2 * SCHEDULES);
}

fn happened() -> NewEvent {
    NewEvent::new(StreamId::new("a").unwrap(), "Happened", "x").unwrap()
}

/// G24 (at once, from elsewhere): while an event with an id is appended, the id is found or not. In
/// between it was in the index and not in order yet, and an image was accused that did not exist.
#[test]
fn an_id_is_found_or_not_in_any_schedule() {
    in_many_schedules(|_| {
        let store = open(&SimDisk::new());
        let id = EventId::new([7; 16]);
        thread::scope(|scope| {
            scope.spawn(|| {
                let append = Append::new().event(happened().with_id(id));
                store.append(&append).wait().unwrap();
            });
            scope.spawn(|| (0..3).for_each(|_| drop(store.find_blocking(id).unwrap())));
        });
        assert!(store.find_blocking(id).unwrap().is_some());
    });
}

/// Memory whose files can be written through a mapping, and from some moment on not be synced.
#[derive(Debug)]
struct Dying(Memory, Arc<AtomicBool>);

#[derive(Debug)]
struct DyingFile(Arc<dyn File>, Arc<AtomicBool>);

impl Directory for Dying {
    fn lock(&self) -> Result<Box<dyn WriterLock>, LockError> {
        self.0.lock()
    }
    fn names(&self) -> io::Result<Vec<String>> {
        self.0.names()
    }
    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(DyingFile(self.0.create(name)?, self.1.clone())))
    }
    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(DyingFile(self.0.open(name, access)?, self.1.clone())))
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }
    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }
    fn display(&self, name: &str) -> String {
        self.0.display(name)
    }
}

impl File for DyingFile {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, out)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_at(offset, bytes)
    }
    fn sync_data(&self) -> io::Result<()> {
        if self.1.load(Ordering::SeqCst) { Err(io::Error::other("it died")) } else { Ok(()) }
    }
    fn extend(&self, len: u64) -> io::Result<bool> {
        self.0.extend(len)
    }
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }
    fn map(&self, len: u64, access: Access) -> io::Result<Option<Map>> {
        self.0.map(len, access)
    }
}

/// G14: a frame that goes to its file at once was between the look for a
/// failure and its place in the log when a sync failed. A subscription ended, and then the event was
/// acknowledged.
#[test]
fn a_subscription_ends_behind_all_that_was_acknowledged_in_any_schedule() {
    let ended_well = Arc::new(AtomicUsize::new(0));
    let count = ended_well.clone();
    in_many_schedules(move |_| {
        let is_dead = Arc::new(AtomicBool::new(false));
        let disk = Dying(Memory::default(), is_dead.clone());
        let options = Options::new()
            .segment_bytes(8 << 10)
            .sync_policy(SyncPolicy::Interval(Duration::from_micros(5)))
            .environment(Arc::new(SimEnvironment::new(1)));
        let store = options.open_on(Arc::new(disk)).unwrap();
        is_dead.store(true, Ordering::SeqCst);
        thread::scope(|scope| {
            let appender = scope.spawn(|| {
                let append = || store.append(&Append::new().event(happened())).wait();
                let last = (0..4).map_while(|_| append().ok()).last();
                store.close().unwrap_err();
                last.map_or(Position::ZERO, |committed| committed.last)
            });
            let mut subscription = store.subscribe(Position::ZERO);
            let mut delivered = Position::ZERO;
            let subscriber = scope.spawn(move || {
                loop {
                    match subscription.recv() {
                        Ok(Delivery::Event(event)) => delivered = event.position,
                        Ok(Delivery::CaughtUp(_)) => {}
                        Err(ReadError::Poisoned(_)) => return delivered,
                        Err(error) => panic!("{error}"),
                    }
                }
            });
            let acknowledged = appender.join().unwrap();
            assert_eq!(subscriber.join().unwrap(), acknowledged);
            count.fetch_add(usize::from(acknowledged > Position::ZERO), Ordering::Relaxed);
        });
    });
    assert!(ended_well.load(Ordering::Relaxed) > SCHEDULES, "most acknowledged something");
}
