//! Power cuts at every I/O call of every small workload, on a disk that forgets as much as POSIX
//! allows, and again while recovering from them.
//!
//! A workload is up to four operations: three, unless it is done thoroughly. It is run with its
//! calls failing from one of them on, for each of them, and the disk is then crashed in every way,
//! or in many where there are many: what was not synced is lost, kept, or kept in part. What is
//! left is opened, held to the ledger of what was acknowledged (`common::Ledger`), written to and
//! opened again. Recovery is cut short in the same way, at each of its calls, and so is the
//! recovery of that, and of that.
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
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use annals::{
    Annals, AppendError, LogQuery, Options, Position, StreamId, StreamQuery, SyncPolicy, Threads,
};
use annals_sim::{CrashPlan, Fault, Random, SimDisk, SimEnvironment, Times};
use common::{
    Fate, Ledger, Shown, Violation, numbered, open, stream, survive,
    workload::{
        OPS, Op, Session, calls, crash_plans, crashes, crashes_of_all_sorts, fingerprint,
        in_parallel, is_thorough, run_until, workloads,
    },
};

/// Counts the states that were opened, by how often the power was cut before.
#[derive(Debug, Default)]
struct Counts([AtomicU64; 5]);

impl Counts {
    fn add(&self, cuts: usize) {
        // Relaxed: read after all threads have ended.
        self.0[cuts].fetch_add(1, Ordering::Relaxed);
    }

    fn total(&self) -> u64 {
        self.0.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

/// Cuts the power at each call of the last operation: those before are cut in shorter workloads.
fn cut_everywhere(ops: &[Op], counts: &Counts) {
    let known = ops.split_last().map_or(0, |(_, shorter)| calls(shorter));
    for call in known + 1..=calls(ops) {
        let session = run_until(ops, call);
        let disks = crashes_of_all_sorts(&session.disk, call, 64);
        for (index, (crash, disk)) in disks.iter().enumerate() {
            counts.add(1);
            let at = || format!("{ops:?} until call {call}, then {crash:?}");
            hold(&survive(disk, &mut session.ledger.clone(), 1000), &at);
            // Some are cut again, at each call of the recovery; some of those more often.
            let one_of = if is_thorough() && ops.len() <= 3 { 3 } else { 10 };
            if (usize::try_from(call).unwrap() + index).is_multiple_of(one_of) {
                cut_recovery(disk, &session.ledger, 2, counts, &at);
            }
        }
    }
}

/// A recovery is cut, and the recovery from that, and that from that.
const DEPTH: usize = 3;

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
            let seed = || fingerprint(&disk) ^ u64::try_from(cuts).unwrap();
            let is_chosen = || Random::new(seed()).below(500) == 0;
            if cuts <= DEPTH && is_chosen() {
                cut_recovery(&disk, &session.ledger, cuts + 1, counts, &at);
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
    let (len_max, states) = if is_thorough() { (4, 1_000_000) } else { (3, 50_000) };
    let workloads = workloads(len_max);
    in_parallel(&workloads, |ops| cut_everywhere(ops, &counts));
    println!("{} workloads, {} crash states: {counts:?}", workloads.len(), counts.total());
    assert!(counts.total() >= states, "{counts:?}");
    let depth = if is_thorough() { DEPTH } else { DEPTH - 1 };
    for count in &counts.0[1..=depth + 1] {
        assert!(count.load(Ordering::Relaxed) > 1000, "{counts:?}");
    }
}

/// What logs lived through.
#[derive(Debug, Default)]
struct Lives {
    /// Power cuts while the log was opened, and while it was open.
    opening: AtomicU64,
    open: AtomicU64,
    /// Commits that were acknowledged and are there at the end.
    acknowledged: AtomicU64,
}

/// How often the power is cut in a life.
const CUTS: u64 = 12;

/// One log that lives through many power cuts, at any call and of any kind.
fn live_dangerously(seed: u64, lives: &Lives) {
    let mut random = Random::new(seed);
    let (mut disk, mut ledger) = (SimDisk::new(), Ledger::default());
    for cut in 0..CUTS {
        disk.fail_at(1 + random.below(60), Fault::EIO, Times::Forever);
        let mut session = Session::new(disk, ledger, 100 * cut);
        let at = || format!("seed {seed}, power cut {cut}");
        match session.store.as_ref().map(|store| session.ledger.check(store)) {
            None | Some(Ok(()) | Err(Violation::NotRead(_))) => {}
            Some(violation) => hold(&violation, &at),
        }
        let moment = if session.store.is_none() { &lives.opening } else { &lives.open };
        while session.disk.faults_struck() == 0 {
            if random.below(4) == 0 {
                session.run(OPS[usize::try_from(random.below(6)).unwrap()]);
                continue;
            }
            let streams = ["a", "b", "c"].map(|name| (name, 16 + random.below(900)));
            let events = streams.map(|(name, len)| (name, usize::try_from(len).unwrap()));
            session.append(&events[usize::try_from(random.below(3)).unwrap()..]);
        }
        // Relaxed: read after all threads have ended.
        moment.fetch_add(1, Ordering::Relaxed);
        let plan =
            crash_plans(random.bits(), 6).nth(usize::try_from(random.below(8)).unwrap()).unwrap();
        disk = session.disk.crash(plan);
        ledger = session.ledger.clone();
    }
    hold(&survive(&disk, &mut ledger, 100 * CUTS), &|| format!("seed {seed}, at the end"));
    let acknowledged = u64::try_from(ledger.acknowledged()).unwrap();
    lives.acknowledged.fetch_add(acknowledged, Ordering::Relaxed);
}

/// G1, G3 (acknowledged is durable; recovery is repeatable): a log that is cut off again and again,
/// wherever it is, keeps everything that it ever acknowledged, and what a recovery found missing
/// stays missing.
#[test]
fn a_long_life_of_power_cuts_loses_nothing() {
    let (seeds, lives): (Vec<u64>, _) = ((0..2000).collect(), Lives::default());
    in_parallel(&seeds, |seed| live_dangerously(*seed, &lives));
    let report = format!("{} lives: {lives:?}", seeds.len());
    println!("{report}");
    let [opening, open, acknowledged] =
        [lives.opening, lives.open, lives.acknowledged].map(AtomicU64::into_inner);
    assert_eq!(opening + open, 2000 * CUTS);
    assert!(opening >= 8_000 && open >= 12_000 && acknowledged >= 15_000, "{report}");
}

/// Runs a workload that acknowledges before it syncs, on a disk that dies at a
/// call, and opens what crashes leave: all of it where the process was killed; a beginning of what
/// was acknowledged where the power was cut.
fn cut_relaxed(ops: &[Op], call: u64) -> Session {
    let disk = SimDisk::new();
    disk.fail_at(call, Fault::EIO, Times::Forever);
    let mut session = Session::with(SyncPolicy::Never, disk, Ledger::default(), 0);
    session.run_all(ops);
    for (plan, disk) in crashes(&session.disk, call, 8) {
        let at = || format!("{ops:?} without syncs until call {call}, then {plan:?}");
        let mut ledger = session.ledger.clone();
        if plan != CrashPlan::everything() {
            ledger.forget_acknowledgements();
        }
        hold(&survive(&disk, &mut ledger, 1000), &at);
        let before = session.ledger.fates().zip(ledger.fates());
        let acknowledged = before.filter(|(fate, _)| matches!(fate, Fate::Acknowledged(_)));
        let is_there = acknowledged.map(|(_, fate)| matches!(fate, Fate::Acknowledged(_)));
        assert!(is_there.is_sorted_by(|earlier, later| earlier >= later), "a hole: {}", at());
    }
    session
}

/// Where acknowledging does not wait for the sync, a killed process loses nothing, and a power cut
/// only the end: what is left is a beginning of what was acknowledged, each commit whole.
#[test]
fn without_syncs_a_power_cut_takes_only_the_end() {
    in_parallel(&workloads(3), |ops| {
        let calls = cut_relaxed(ops, u64::MAX).disk.calls();
        for call in (1..=calls).rev().step_by(2) {
            cut_relaxed(ops, call);
        }
    });
}

// With threads.

const THREADS: u64 = 4;
const APPENDS: u64 = 40;

fn own_stream(thread: u64) -> StreamId {
    stream(&format!("of-thread-{thread}"))
}

/// Opens what a crash left, and holds each thread's stream to what the thread had heard before.
fn threads_lost_nothing(disk: &SimDisk, heard: &[u64], at: &str) {
    let store = open(disk, 1).unwrap_or_else(|error| panic!("{error}: {at}"));
    for (thread, heard) in (0..).zip(heard) {
        let events = store.read_stream(&own_stream(thread), StreamQuery::forward());
        let payloads: Vec<u64> = events.map(|event| first_word(&event.unwrap().payload)).collect();
        assert!(payloads.iter().copied().eq(0..payloads.len().try_into().unwrap()), "{at}");
        let there = u64::try_from(payloads.len()).unwrap() / 2;
        assert!(there >= *heard, "thread {thread} heard of {heard}, {there} are there: {at}");
        assert!(payloads.len().is_multiple_of(2), "half a commit: {at}");
    }
    let positions = store.read_all(LogQuery::forward()).map(|event| event.unwrap().position.get());
    assert!(positions.eq(1..=store.position().get()), "{at}");
}

fn first_word(payload: &[u8]) -> u64 {
    u64::from_le_bytes(*payload.first_chunk().unwrap())
}

/// Appends two events at a time, numbered on, and says how many appends were acknowledged.
fn append_on(store: &Annals, thread: u64, heard: &AtomicU64) {
    for n in 0..APPENDS {
        let mut append = numbered(0, &[("a", 16), ("a", 300)]);
        for (event, number) in append.events.iter_mut().zip(2 * n..) {
            event.stream = own_stream(thread);
            event.payload[..8].copy_from_slice(&number.to_le_bytes());
        }
        let pending = store.append(&append);
        if n % 2 == 0 { pending.wait() } else { pollster::block_on(pending) }.unwrap();
        // Release pairs with the Acquire of who cuts the power.
        heard.store(n + 1, Ordering::Release);
    }
}

/// G1 (acknowledged is durable): the power is cut again and again while many threads append, with
/// groups, segments and images on their way: at no moment is something acknowledged that would
/// not be found.
#[test]
fn what_threads_have_heard_of_survives_a_power_cut_at_any_moment() {
    let mut cuts = 0;
    for seed in 0..20 {
        let disk = SimDisk::new();
        let options = Options::new()
            .threads(Threads::Background)
            .environment(Arc::new(SimEnvironment::new(seed)))
            .segment_bytes(16 << 10);
        let store = options.open_on(Arc::new(disk.clone())).unwrap();
        let heard: Vec<AtomicU64> = (0..THREADS).map(|_| AtomicU64::new(0)).collect();
        thread::scope(|scope| {
            let writers: Vec<_> = (0..THREADS)
                .zip(&heard)
                .map(|(thread, heard)| {
                    let store = &store;
                    scope.spawn(move || append_on(store, thread, heard))
                })
                .collect();
            while writers.iter().any(|writer| !writer.is_finished()) {
                let before: Vec<u64> = heard.iter().map(|h| h.load(Ordering::Acquire)).collect();
                let plan =
                    crash_plans(seed * 1000 + cuts, 3).nth(usize::try_from(cuts % 5).unwrap());
                let plan = plan.unwrap();
                let at = format!("seed {seed}, {plan:?}");
                threads_lost_nothing(&disk.crash(plan), &before, &at);
                cuts += 1;
            }
        });
        drop(store);
        threads_lost_nothing(&disk, &[APPENDS; 4], "at the end");
    }
    println!("{cuts} power cuts among threads");
    assert!(cuts > 20);
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

/// G1: the crash tests find a log that acknowledges before it syncs, whatever the workload; and one
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

/// G1: the checker names what is wrong with a store that loses, tears, doubles, swaps, invents,
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

/// G2: the ledger decides once: what a check found missing must not come back.
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
