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

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use annals::{Annals, Executor, Options};
use annals_sim::{CrashPlan, Fault, SimDisk, SimEnvironment, Times};
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
