//! Small workloads, how they are run on simulated disks, and the disks that a power cut may leave
//! of them.

use std::{
    collections::HashSet,
    env,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use annals::{Annals, SyncPolicy};
use annals_sim::{CrashPlan, Fault, Fill, SimDisk, Times};

use super::{Ledger, options};

/// Whether to do everything, which takes minutes: the gate does, with `ANNALS_THOROUGH=1`.
pub(crate) fn is_thorough() -> bool {
    env::var_os("ANNALS_THOROUGH").is_some()
}

/// What a workload is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
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

pub(crate) const OPS: [Op; 6] = [Op::One, Op::Many, Op::Large, Op::Pair, Op::Oversize, Op::Reopen];

/// Every workload of up to so many operations.
pub(crate) fn workloads(len_max: usize) -> Vec<Vec<Op>> {
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
pub(crate) struct Session {
    pub(crate) disk: SimDisk,
    pub(crate) store: Option<Annals>,
    pub(crate) ledger: Ledger,
    seed: u64,
    policy: SyncPolicy,
}

impl Session {
    pub(crate) fn new(disk: SimDisk, ledger: Ledger, seed: u64) -> Self {
        Self::with(SyncPolicy::Always, disk, ledger, seed)
    }

    pub(crate) fn with(policy: SyncPolicy, disk: SimDisk, ledger: Ledger, seed: u64) -> Self {
        let mut session = Self { disk, store: None, ledger, seed, policy };
        session.open();
        session
    }

    /// Opens the store, unless the disk is dead.
    fn open(&mut self) {
        let options = options(self.seed).sync_policy(self.policy);
        match options.open_on(Arc::new(self.disk.clone())) {
            Ok(store) => self.store = Some(store),
            Err(error) => assert!(self.disk.faults_struck() > 0, "not opened: {error}"),
        }
    }

    pub(crate) fn run_all(&mut self, ops: &[Op]) {
        for op in ops {
            self.run(*op);
        }
    }

    pub(crate) fn run(&mut self, op: Op) {
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

    pub(crate) fn append(&mut self, events: &[(&str, usize)]) {
        let Some(store) = &self.store else { return };
        self.ledger.append(store, events).ok();
    }
}

/// Runs a workload on a new disk that dies at a call.
pub(crate) fn run_until(ops: &[Op], call: u64) -> Session {
    let disk = SimDisk::new();
    disk.fail_at(call, Fault::EIO, Times::Forever);
    let mut session = Session::new(disk, Ledger::default(), 0);
    session.run_all(ops);
    session
}

/// How many calls a workload makes where nothing fails.
pub(crate) fn calls(ops: &[Op]) -> u64 {
    run_until(ops, u64::MAX).disk.calls()
}

/// Ways to crash: the worst and the best, then some of those in between, others for each seed.
pub(crate) fn crash_plans(seed: u64, count: u64) -> impl Iterator<Item = CrashPlan> {
    let in_between = (0..count).map(move |n| {
        let plan = CrashPlan::seeded(seed.wrapping_mul(100).wrapping_add(n));
        if n % 3 == 2 { plan.filled(Fill::Stale) } else { plan }
    });
    [CrashPlan::durable_only(), CrashPlan::everything()].into_iter().chain(in_between)
}

/// How a disk was crashed.
#[derive(Debug, Clone)]
#[expect(dead_code, reason = "it is shown when a test fails")]
pub(crate) enum Crash {
    Plan(CrashPlan),
    /// What became of each thing that was not synced.
    Picks(Fill, Vec<usize>),
}

/// The different disks that crashes leave behind, and how.
pub(crate) fn crashes(disk: &SimDisk, seed: u64, count: u64) -> Vec<(CrashPlan, SimDisk)> {
    let crashes = crash_plans(seed, count).map(|plan| (plan, disk.crash(plan)));
    distinct(crashes)
}

pub(crate) fn distinct<T>(crashes: impl Iterator<Item = (T, SimDisk)>) -> Vec<(T, SimDisk)> {
    let mut known = HashSet::new();
    crashes.filter(|(_, disk)| known.insert(fingerprint(disk))).collect()
}

/// All disks that crashes may leave behind, if those are not more than so many with each fill;
/// otherwise so many of them.
pub(crate) fn crashes_of_all_sorts(
    disk: &SimDisk,
    seed: u64,
    count: usize,
) -> Vec<(Crash, SimDisk)> {
    let every = [Fill::Zeros, Fill::Stale].map(|fill| every_crash(disk, fill, count));
    if let [Some(zeros), Some(stale)] = every {
        return distinct(zeros.into_iter().chain(stale));
    }
    let some = crashes(disk, seed, u64::try_from(count).unwrap()).into_iter();
    some.map(|(plan, disk)| (Crash::Plan(plan), disk)).collect()
}

/// Every crash, if there are not more than so many.
pub(crate) fn every_crash(
    disk: &SimDisk,
    fill: Fill,
    count_max: usize,
) -> Option<Vec<(Crash, SimDisk)>> {
    let mut all = Vec::new();
    // What was picked, and of how many.
    let mut picks: Vec<(usize, usize)> = Vec::new();
    loop {
        let mut asked = 0;
        let crashed = disk.crash_by(fill, &mut |options| {
            if asked == picks.len() {
                picks.push((0, options));
            }
            asked += 1;
            picks[asked - 1].0
        });
        let combinations = picks.iter().try_fold(1_usize, |all, (_, n)| all.checked_mul(*n));
        if combinations.is_none_or(|combinations| combinations > count_max) {
            return None;
        }
        all.push((Crash::Picks(fill, picks.iter().map(|(pick, _)| *pick).collect()), crashed));
        // The next path: another pick as late as possible.
        while let Some((pick, options)) = picks.pop() {
            if pick + 1 < options {
                picks.push((pick + 1, options));
                break;
            }
        }
        if picks.is_empty() {
            return Some(all);
        }
    }
}

/// The same for disks with the same bytes, and as good as never for others.
pub(crate) fn fingerprint(disk: &SimDisk) -> u64 {
    let mix =
        |sum: u64, word: u64| (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    let add = |sum: u64, bytes: &[u8]| {
        let (words, rest) = bytes.as_chunks();
        let sum = words.iter().fold(sum, |sum, word| mix(sum, u64::from_le_bytes(*word)));
        mix(
            rest.iter().fold(sum, |sum, byte| mix(sum, (*byte).into())),
            u64::try_from(bytes.len()).unwrap(),
        )
    };
    let names = disk.file_names();
    names.iter().fold(0, |sum, name| {
        add(add(sum, name.as_bytes()), &disk.read_file(name).unwrap_or_default())
    })
}

/// Runs jobs on all cores.
pub(crate) fn in_parallel<T: Sync>(jobs: &[T], run: impl Fn(&T) + Sync) {
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
