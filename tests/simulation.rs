//! The simulated disk under whole stores: the same seed gives the same trace, byte for byte; and a
//! disk that says that it synced and did not may cost what it lied about, but shows nothing wrong.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used,
    missing_docs,
    reason = "a test"
)]

mod common;

use std::sync::atomic::{AtomicU64, Ordering};

use annals::{OpenError, ReadError};
use annals_sim::{CrashPlan, Fault, Fill, Random, SimDisk, Times};
use common::{
    Ledger, Violation, survive,
    workload::{OPS, Op, Session, in_parallel, workloads},
};

/// Everything that a run did to its disks, and what crashes left of them.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    trace: Vec<String>,
    left: Vec<(String, Vec<u8>)>,
}

/// A life of power cuts, errors, short writes and lies: all of it follows from the seed.
fn live(seed: u64) -> Run {
    let mut random = Random::new(seed);
    let (mut disk, mut ledger) = (SimDisk::new(), Ledger::default());
    let mut run = Run { trace: Vec::new(), left: Vec::new() };
    for life in 0..4 {
        disk.record_trace(true);
        let faults = [Fault::EINTR, Fault::ShortWrite(100), Fault::EIO];
        for fault in faults {
            disk.fail_at(1 + random.below(80), fault, Times::Once);
        }
        let mut session = Session::new(disk, ledger, seed * 1000 + 10 * life);
        for _ in 0..6 {
            session.run(OPS[usize::try_from(random.below(6)).unwrap()]);
        }
        run.trace.extend(session.disk.trace());
        disk = session.disk.crash(CrashPlan::seeded(random.bits()).filled(Fill::Stale));
        let names = disk.file_names().into_iter();
        run.left.extend(names.map(|name| (name.clone(), disk.read_file(&name).unwrap())));
        ledger = session.ledger.clone();
        if let Ok(store) = common::open(&disk.crash(CrashPlan::everything()), 1) {
            ledger.check(&store).unwrap();
        }
    }
    run
}

/// A run is repeated exactly by its seed, and another seed gives another one: whatever a simulation
/// finds can be seen again.
#[test]
fn the_same_seed_gives_the_same_trace_byte_for_byte() {
    let seeds: Vec<u64> = (0..200).collect();
    in_parallel(&seeds, |seed| {
        let run = live(*seed);
        assert!(run.trace.len() > 20, "seed {seed}: {} calls", run.trace.len());
        assert_eq!(run, live(*seed), "seed {seed}");
        assert_ne!(run.trace, live(seed + 1).trace, "seed {seed}");
    });
}

/// What came of crashes of disks that lied.
#[derive(Debug, Default)]
struct Outcomes {
    /// Everything was there.
    kept: AtomicU64,
    /// Commits were missing, from one of them on.
    lost: AtomicU64,
    /// The damage was noticed.
    refused: AtomicU64,
}

/// The calls of a workload that sync.
fn syncs(ops: &[Op]) -> Vec<u64> {
    let disk = SimDisk::new();
    disk.record_trace(true);
    Session::new(disk.clone(), Ledger::default(), 0).run_all(ops);
    let calls = (1..).zip(disk.trace());
    calls.filter(|(_, line)| line.contains(" sync")).map(|(call, _)| call).collect()
}

fn crash_after_a_lie(ops: &[Op], call: u64, times: Times, outcomes: &Outcomes) {
    let disk = SimDisk::new();
    disk.fail_at(call, Fault::LyingSync, times);
    let mut session = Session::new(disk, Ledger::default(), 0);
    session.run_all(ops);
    let seeded = (0..4).map(|n| CrashPlan::seeded(call * 10 + n));
    let filled = seeded.map(|plan| plan.filled(Fill::Stale));
    for plan in [CrashPlan::durable_only()].into_iter().chain(filled) {
        let disk = session.disk.crash(plan);
        let is_whole = survive(&disk, &mut session.ledger.clone(), 1000).is_ok();
        let mut ledger = session.ledger.clone();
        ledger.forget_acknowledgements();
        let outcome = match survive(&disk, &mut ledger, 1000) {
            Ok(()) if is_whole => &outcomes.kept,
            Ok(()) => &outcomes.lost,
            Err(
                Violation::NotOpened(
                    OpenError::Corrupt(_)
                    | OpenError::MissingSegment { .. }
                    | OpenError::MissingEnd { .. }
                    | OpenError::NotALog { .. },
                )
                | Violation::NotRead(ReadError::Corrupt(_)),
            ) => &outcomes.refused,
            Err(violation) => {
                panic!("{violation}\nafter a lie of call {call} ({times:?}) in {ops:?}, {plan:?}")
            }
        };
        // Relaxed: read after all threads have ended.
        outcome.fetch_add(1, Ordering::Relaxed);
    }
}

/// G2 (a commit is whole or absent): a disk that says that it synced, and did not, can take what it lied about. But what is left is
/// a beginning of the log, or refused: no commit is torn, altered, invented, doubled, out of order.
#[test]
fn a_lying_disk_costs_the_end_or_is_found_out() {
    let outcomes = Outcomes::default();
    in_parallel(&workloads(3), |ops| {
        for call in syncs(ops) {
            for times in [Times::Once, Times::Forever] {
                crash_after_a_lie(ops, call, times, &outcomes);
            }
        }
    });
    println!("{outcomes:?}");
    for outcome in [outcomes.kept, outcomes.lost, outcomes.refused] {
        assert!(outcome.into_inner() > 100);
    }
}
