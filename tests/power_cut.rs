//! Power cuts at every I/O call of every small workload, on a disk that forgets as much as POSIX
//! allows, and again while recovering from them.
//!
//! A workload is up to four operations. It is run with its calls failing from one of them on, for
//! each of them, and the disk is then crashed in several ways: what was not synced is lost, kept,
//! or kept in part. What is left is opened, held to the ledger of what was acknowledged
//! (`common::Ledger`), written to and opened again. Recovery is cut short in the same way, at each
//! of its calls, and so is the recovery of that.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used,
    missing_docs,
    reason = "a test"
)]

mod common;

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    thread,
};

use annals::{Annals, AppendError, Position, StreamId};
use annals_sim::{CrashPlan, Fault, Fill, Random, SimDisk, Times};
use common::{Fate, Ledger, Shown, Violation, numbered, open, stream, survive};

/// What a workload is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    /// One event in one stream.
    One,
    /// Four events in three streams.
    Many,
    /// Half a segment: the second one begins a new segment.
    Large,
    /// Two appends in one group.
    Pair,
    /// More than a segment: it gets one of its own.
    Oversize,
    /// Close and open.
    Reopen,
}

const OPS: [Op; 6] = [Op::One, Op::Many, Op::Large, Op::Pair, Op::Oversize, Op::Reopen];

/// Every workload of up to so many operations.
fn workloads(len_max: usize) -> Vec<Vec<Op>> {
    let mut all: Vec<Vec<Op>> = vec![Vec::new()];
    let mut start = 0;
    for _ in 0..len_max {
        let end = all.len();
        for shorter in start..end {
            all.extend(OPS.map(|op| [all[shorter].as_slice(), &[op]].concat()));
        }
        start = end;
    }
    all
}

/// A store on a disk, while it can be opened, and what was asked of it.
struct Session {
    disk: SimDisk,
    store: Option<Annals>,
    ledger: Ledger,
    seed: u64,
}

impl Session {
    fn new(disk: SimDisk, ledger: Ledger, seed: u64) -> Self {
        let mut session = Self { disk, store: None, ledger, seed };
        session.open();
        session
    }

    /// Opens the store, unless the disk is dead.
    fn open(&mut self) {
        match open(&self.disk, self.seed) {
            Ok(store) => self.store = Some(store),
            Err(error) => assert!(self.disk.faults_struck() > 0, "not opened: {error}"),
        }
    }

    fn run_all(&mut self, ops: &[Op]) {
        for op in ops {
            self.run(*op);
        }
    }

    fn run(&mut self, op: Op) {
        let Some(store) = &self.store else { return };
        match op {
            Op::One => self.append(&[("a", 30)]),
            Op::Many => self.append(&[("a", 20), ("b", 600), ("c", 40), ("a", 16)]),
            Op::Large => self.append(&[("b", 2200)]),
            Op::Oversize => self.append(&[("c", 9000)]),
            Op::Pair => {
                let first = self.ledger.start(store, &[("a", 700)]);
                let second = self.ledger.start(store, &[("c", 50), ("b", 50)]);
                for started in [first, second] {
                    self.ledger.finish(started).ok();
                }
            }
            Op::Reopen => {
                store.close().ok();
                self.store = None;
                self.seed += 1;
                self.open();
            }
        }
    }

    fn append(&mut self, events: &[(&str, usize)]) {
        let Some(store) = &self.store else { return };
        self.ledger.append(store, events).ok();
    }
}

/// Runs a workload on a new disk that dies at a call.
fn run_until(ops: &[Op], call: u64) -> Session {
    let disk = SimDisk::new();
    disk.fail_at(call, Fault::EIO, Times::Forever);
    let mut session = Session::new(disk, Ledger::default(), 0);
    session.run_all(ops);
    session
}

/// How many calls a workload makes where nothing fails.
fn calls(ops: &[Op]) -> u64 {
    run_until(ops, u64::MAX).disk.calls()
}

/// Ways to crash: the worst and the best, then some of those in between, others for each seed.
fn crash_plans(seed: u64, count: u64) -> impl Iterator<Item = CrashPlan> {
    let in_between = (0..count).map(move |n| {
        let plan = CrashPlan::seeded(seed.wrapping_mul(100).wrapping_add(n));
        if n % 3 == 2 { plan.filled(Fill::Stale) } else { plan }
    });
    [CrashPlan::durable_only(), CrashPlan::everything()].into_iter().chain(in_between)
}

/// The different disks that crashes leave behind, and how.
fn crashes(disk: &SimDisk, seed: u64, count: u64) -> Vec<(CrashPlan, SimDisk)> {
    let mut known = HashSet::new();
    let crashes = crash_plans(seed, count).map(|plan| (plan, disk.crash(plan)));
    crashes.filter(|(_, disk)| known.insert(fingerprint(disk))).collect()
}

fn fingerprint(disk: &SimDisk) -> u64 {
    let mut hasher = DefaultHasher::new();
    for name in disk.file_names() {
        disk.read_file(&name).hash(&mut hasher);
        name.hash(&mut hasher);
    }
    hasher.finish()
}

/// Counts the states that were opened, by how often the power was cut before.
#[derive(Debug, Default)]
struct Counts([AtomicU64; 4]);

impl Counts {
    fn add(&self, cuts: usize) {
        // Relaxed: read after all threads have ended.
        self.0[cuts].fetch_add(1, Ordering::Relaxed);
    }

    fn total(&self) -> u64 {
        self.0.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

/// Runs jobs on all cores.
fn in_parallel<T: Sync>(jobs: &[T], run: impl Fn(&T) + Sync) {
    let (next, cores) = (AtomicUsize::new(0), thread::available_parallelism().unwrap().get());
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                // Relaxed: only uniqueness counts.
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    run(job);
                }
            });
        }
    });
}

/// Cuts the power at each call of the last operation: those before are cut in shorter workloads.
fn cut_everywhere(ops: &[Op], counts: &Counts) {
    let known = ops.split_last().map_or(0, |(_, shorter)| calls(shorter));
    for call in known + 1..=calls(ops) {
        let session = run_until(ops, call);
        let disks = crashes(&session.disk, call, 16);
        for (index, (plan, disk)) in disks.iter().enumerate() {
            counts.add(1);
            let at = || format!("{ops:?} until call {call}, then {plan:?}");
            hold(&survive(disk, &mut session.ledger.clone(), 1000), &at);
            // Short workloads are cut twice, at each call of the recovery; some of them thrice.
            if ops.len() <= 3 && (usize::try_from(call).unwrap() + index).is_multiple_of(3) {
                cut_recovery(disk, &session.ledger, 2, counts, &at);
            }
        }
    }
}

/// Cuts the power at each call of opening a disk and of the first append.
fn cut_recovery(
    disk: &SimDisk,
    ledger: &Ledger,
    cuts: usize,
    counts: &Counts,
    before: &dyn Fn() -> String,
) {
    for call in 1.. {
        let again = disk.crash(CrashPlan::everything());
        again.fail_at(call, Fault::EIO, Times::Forever);
        let mut session = Session::new(again, ledger.clone(), 2000);
        let at = || format!("{}, then recovery until call {call}", before());
        // Where opening succeeded, it has decided what is there.
        match session.store.as_ref().map(|store| session.ledger.check(store)) {
            None | Some(Ok(()) | Err(Violation::NotRead(_))) => {}
            Some(violation) => hold(&violation, &at),
        }
        session.run(Op::One);
        if session.disk.faults_struck() == 0 {
            return;
        }
        for (plan, disk) in crashes(&session.disk, call, 2) {
            counts.add(cuts);
            let at = || format!("{}, then {plan:?}", at());
            hold(&survive(&disk, &mut session.ledger.clone(), 3000), &at);
            if cuts == 2 && fingerprint(&disk).is_multiple_of(100) {
                cut_recovery(&disk, &session.ledger, 3, counts, &at);
            }
        }
    }
}

#[track_caller]
fn hold(outcome: &Result<(), Violation>, at: &dyn Fn() -> String) {
    if let Err(violation) = outcome {
        panic!("{violation}\nafter {}", at());
    }
}

/// G1, G2 (acknowledged is durable; a commit is whole or absent): no power cut at any call of any
/// workload of up to four operations loses, tears, doubles, moves or invents anything, and no
/// power cut while recovering does.
#[test]
fn every_small_workload_survives_a_power_cut_at_every_call() {
    let counts = Counts::default();
    let workloads = workloads(4);
    in_parallel(&workloads, |ops| cut_everywhere(ops, &counts));
    println!("{} workloads, {} crash states: {counts:?}", workloads.len(), counts.total());
    assert!(counts.total() >= 100_000, "{counts:?}");
    assert!(counts.0[3].load(Ordering::Relaxed) > 1000, "{counts:?}");
}

/// One log that lives through many power cuts, at any call and of any kind.
fn live_dangerously(seed: u64) -> u64 {
    let mut random = Random::new(seed);
    let (mut disk, mut ledger) = (SimDisk::new(), Ledger::default());
    let cuts = 12;
    for cut in 0..cuts {
        disk.fail_at(1 + random.below(60), Fault::EIO, Times::Forever);
        let mut session = Session::new(disk, ledger, 100 * cut);
        let at = || format!("seed {seed}, power cut {cut}");
        match session.store.as_ref().map(|store| session.ledger.check(store)) {
            None | Some(Ok(()) | Err(Violation::NotRead(_))) => {}
            Some(violation) => hold(&violation, &at),
        }
        while session.disk.faults_struck() == 0 {
            if random.below(4) == 0 {
                session.run(OPS[usize::try_from(random.below(6)).unwrap()]);
                continue;
            }
            let streams = ["a", "b", "c"].map(|name| (name, 16 + random.below(900)));
            let events = streams.map(|(name, len)| (name, usize::try_from(len).unwrap()));
            session.append(&events[usize::try_from(random.below(3)).unwrap()..]);
        }
        let plan =
            crash_plans(random.bits(), 6).nth(usize::try_from(random.below(8)).unwrap()).unwrap();
        disk = session.disk.crash(plan);
        ledger = session.ledger.clone();
    }
    hold(&survive(&disk, &mut ledger, 100 * cuts), &|| format!("seed {seed}, at the end"));
    cuts
}

/// G3 (recovery is repeatable): a log that is cut off again and again, wherever it is, keeps
/// everything that it ever acknowledged, and what a recovery found missing stays missing.
#[test]
fn a_long_life_of_power_cuts_loses_nothing() {
    let (seeds, cuts): (Vec<u64>, _) = ((0..2000).collect(), AtomicU64::new(0));
    in_parallel(&seeds, |seed| {
        cuts.fetch_add(live_dangerously(*seed), Ordering::Relaxed);
    });
    println!("{} lives, {} power cuts", seeds.len(), cuts.into_inner());
}

// The checker can fail: planted bugs.

/// Runs a workload on a disk where calls say that they synced, and did not: those of which
/// `is_lie` says so, by what they are and how many syncs come after them; says what is found after
/// the worst crash.
fn with_lies(ops: &[Op], is_lie: impl Fn(&str, usize) -> bool) -> Result<(), Violation> {
    let honest = SimDisk::new();
    honest.record_trace(true);
    let mut session = Session::new(honest, Ledger::default(), 0);
    session.run_all(ops);
    let disk = SimDisk::new();
    let calls = (1..).zip(session.disk.trace());
    let syncs: Vec<(u64, String)> = calls.filter(|(_, line)| line.contains(" sync")).collect();
    for (later, (call, line)) in syncs.iter().rev().enumerate() {
        if is_lie(line.split_once(' ').unwrap().1, later) {
            disk.fail_at(*call, Fault::LyingSync, Times::Once);
        }
    }
    let mut session = Session::new(disk, Ledger::default(), 0);
    session.run_all(ops);
    assert!(session.disk.faults_struck() > 0, "no call is a lie in {ops:?}");
    assert!(session.ledger.acknowledged() > 0, "nothing was acknowledged in {ops:?}");
    survive(&session.disk.crash(CrashPlan::durable_only()), &mut session.ledger, 1000)
}

/// The crash tests find a log that acknowledges before it syncs, whatever the workload; and one
/// that leaves out the sync of a commit, of a new segment, or of the directory.
#[test]
fn a_planted_lie_is_found() {
    for ops in workloads(3).iter().filter(|ops| ops.iter().any(|op| *op != Op::Reopen)) {
        let outcome = with_lies(ops, |_, _| true);
        assert!(matches!(outcome, Err(Violation::Lost(0))), "{ops:?}: {outcome:?}");
    }
    let commit = with_lies(&[Op::One, Op::One], |call, later| call != "sync ok" && later == 0);
    assert!(matches!(commit, Err(Violation::Lost(1))), "{commit:?}");
    let rolled = [Op::Large, Op::Large];
    let segment = with_lies(&rolled, |call, _| call.contains(" 00000000000000000000.prepared "));
    assert!(matches!(segment, Err(Violation::NotOpened(_))), "{segment:?}");
    let name = with_lies(&rolled, |call, later| call == "sync ok" && later <= 1);
    assert!(matches!(name, Err(Violation::Lost(1))), "{name:?}");
}

/// Three appends, and what a store shows that has them.
fn shown() -> (Ledger, Shown) {
    let (disk, mut ledger) = (SimDisk::new(), Ledger::default());
    let store = open(&disk, 0).unwrap();
    for len in [20, 30, 40] {
        ledger.append(&store, &[("a", len), ("b", len), ("a", len)]).unwrap();
    }
    let shown = Shown::by(&store).unwrap();
    ledger.compare(&shown).unwrap();
    (ledger, shown)
}

/// The checker names what is wrong with a store that loses, tears, doubles, swaps, invents,
/// revives, moves or alters.
#[test]
fn every_kind_of_broken_word_is_found() {
    let found = |change: &dyn Fn(&mut Ledger, &mut Shown)| {
        let (mut ledger, mut shown) = shown();
        change(&mut ledger, &mut shown);
        ledger.compare(&shown).expect_err("it is broken")
    };
    let lost = found(&|_, shown| shown.events.truncate(6));
    assert!(matches!(lost, Violation::Lost(2)), "{lost:?}");
    let lost = found(&|_, shown| drop(shown.events.drain(..3)));
    assert!(matches!(lost, Violation::Moved(1) | Violation::Gap(_)), "{lost:?}");
    let partial = found(&|_, shown| shown.events.truncate(8));
    assert!(matches!(partial, Violation::Partial(2)), "{partial:?}");
    let partial = found(&|_, shown| drop(shown.events.remove(4)));
    assert!(matches!(partial, Violation::Partial(1)), "{partial:?}");
    let partial = found(&|_, shown| shown.events.swap(3, 5));
    assert!(matches!(partial, Violation::Partial(1)), "{partial:?}");
    let doubled = found(&|_, shown| shown.events.extend_from_within(6..));
    assert!(matches!(doubled, Violation::OutOfOrder(2)), "{doubled:?}");
    let swapped = found(&|_, shown| shown.events.rotate_left(3));
    assert!(!matches!(swapped, Violation::Lost(_)), "{swapped:?}");
    let invented = found(&|_, shown| {
        let more = numbered(3, &[("a", 20)]).events.remove(0).payload;
        shown.events.push(annals::RecordedEvent { payload: more, ..shown.events[0].clone() });
    });
    assert!(matches!(invented, Violation::Invented(_)), "{invented:?}");
    let risen = found(&|ledger, _| ledger.heard(1, &Err(AppendError::Closed)));
    assert!(matches!(risen, Violation::Risen(1)), "{risen:?}");
    let altered = found(&|_, shown| shown.events[7].payload[19] ^= 1);
    assert!(matches!(altered, Violation::Altered(2)), "{altered:?}");
    let gap = found(&|_, shown| shown.events[8].position = Position::new(10));
    assert!(matches!(gap, Violation::Gap(_)), "{gap:?}");
}

/// The checker holds the streams to the log.
#[test]
fn a_stream_that_differs_from_the_log_is_found() {
    let found = |change: &dyn Fn(&mut Shown, StreamId)| {
        let (ledger, mut shown) = shown();
        change(&mut shown, stream("a"));
        ledger.compare(&shown).expect_err("it is broken")
    };
    let is_wrong = |violation: Violation| matches!(violation, Violation::WrongStream(_));
    assert!(is_wrong(found(&|shown, a| shown.streams.get_mut(&a).unwrap().0 += 1)));
    assert!(is_wrong(found(&|shown, a| drop(shown.streams.get_mut(&a).unwrap().1.pop()))));
    assert!(is_wrong(found(&|shown, a| drop(shown.streams.remove(&a)))));
    assert!(is_wrong(found(&|shown, _| {
        shown.streams.insert(stream("new"), (1, shown.events[..1].to_vec()));
    })));
    assert!(is_wrong(found(&|shown, a| {
        let wrong = annals::StreamVersion::new(7);
        shown.events[0].version = wrong;
        shown.streams.get_mut(&a).unwrap().1[0].version = wrong;
    })));
}

/// The ledger decides once: what a check found missing must not come back.
#[test]
fn an_unknown_append_is_decided_by_the_first_check() {
    let disk = SimDisk::new();
    let mut ledger = Ledger::default();
    let store = open(&disk, 0).unwrap();
    ledger.tried(numbered(0, &[("a", 20)]));
    ledger.check(&store).unwrap();
    assert_eq!(ledger.fates().collect::<Vec<_>>(), [Fate::Refused]);
    store.append(&numbered(0, &[("a", 20)])).wait().unwrap();
    assert!(matches!(ledger.check(&store), Err(Violation::Risen(0))));
}
