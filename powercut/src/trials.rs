//! Lets disks fail and fill up: every k-th write or flush of the disk fails, once or from then on;
//! calls of the system fail (through strace); the filesystem has no room left. What a power cut
//! after that leaves behind is examined as well.

use std::{path::Path, sync::Arc};

use annals_sim::Random;

use crate::{
    block_fault::{BlockFault, BlockRequest},
    calls::{self, Call},
    error::PowercutError,
    filesystem::Filesystem,
    image::Image,
    note::Note,
    number::to_u64,
    plant::Plant,
    pool::{Examined, Finding, Pool},
    progress::Progress,
    recorder::{Recorder, Scene},
    recording::{Happening, Recording},
    script::Script,
    states::States,
    workload::{self, Workload},
};

/// How often, and where.
#[derive(Debug, Clone)]
pub(crate) struct Trials {
    pub(crate) filesystem: Filesystem,
    pub(crate) seed: u64,
    /// How many of each sort: writes and flushes that fail once, and that fail from then on.
    pub(crate) count: u64,
    pub(crate) workers: usize,
    /// A planted defect: only disks fail then, and it ends when something was found.
    pub(crate) plant: Option<Plant>,
}

/// What was tried.
#[derive(Debug, Default)]
pub(crate) struct TrialTally {
    /// Runs on a disk of which a request failed.
    pub(crate) failing: u64,
    /// Runs of which a system call failed.
    pub(crate) calls: u64,
    /// Runs on a filesystem that filled up.
    pub(crate) full: u64,
    /// Runs on a disk that gave nothing back.
    pub(crate) unreadable: u64,
    /// How often `SIGBUS` ended one that read mapped files, or wrote through a mapping.
    pub(crate) bus_errors: u64,
    /// States that were examined.
    pub(crate) states: u64,
    /// States of which only whole blocks are missing, since the filesystem takes nothing else.
    pub(crate) not_torn: u64,
    pub(crate) findings: Vec<Finding>,
}

/// How many states of each run are examined, at most.
const STATES_MAX: u64 = 12;

impl Trials {
    /// Tries everything.
    ///
    /// # Errors
    /// The store breaks its word, or the system refuses.
    pub(crate) fn run(
        &self,
        scratch: &Path,
        progress: &Progress,
    ) -> Result<TrialTally, PowercutError> {
        let base = self.filesystem.make(scratch)?;
        let pool = Pool::new(self.filesystem, scratch, self.workers, base.size())?;
        let recorder = Recorder::new(scratch)?;
        let mut tally = TrialTally::default();
        let outcome = self.try_all(&recorder, &base, &pool, &mut tally, progress);
        let Examined { states, not_torn, findings } = pool.finish()?;
        outcome?;
        Ok(TrialTally { states, not_torn, findings, ..tally })
    }

    /// How many runs there are.
    pub(crate) fn len(&self) -> u64 {
        let full = to_u64(workload::FULL.len());
        to_u64(workload::FAILING.len()) * (4 * self.count + 1)
            + full
            + to_u64(workload::UNREADABLE.len())
            + to_u64(calls::all(self.seed, self.count, Path::new("")).len())
    }

    fn try_all(
        &self,
        recorder: &Recorder,
        base: &Image,
        pool: &Pool,
        tally: &mut TrialTally,
        progress: &Progress,
    ) -> Result<(), PowercutError> {
        let mut bus_errors = 0;
        let mut run = |scene: Scene| {
            let recording = Arc::new(recorder.record(&scene)?);
            send_states(&recording, pool);
            progress.advance();
            bus_errors += recording.count(&Note::BusError);
            Ok::<_, PowercutError>(recording)
        };
        for workload in workload::FAILING {
            let healthy = run(self.scene(base, workload, Script::Failing))?;
            for fault in self.faults(&healthy) {
                let scene = self.scene(base, workload, Script::Failing);
                let recording = run(Scene { fault: Some(fault), ..scene })?;
                tally.failing += u64::from(recording.count(&Note::Failed) > 0);
                if self.plant.is_some() && pool.found() > 0 {
                    return Ok(());
                }
            }
        }
        if self.plant.is_some() {
            return Ok(());
        }
        for workload in workload::FULL {
            run(self.scene(base, workload, Script::Full))?;
            tally.full += 1;
        }
        for workload in workload::UNREADABLE {
            run(self.scene(base, workload, Script::Unreadable))?;
            tally.unreadable += 1;
        }
        for Call { workload, script, through } in
            calls::all(self.seed, self.count, &recorder.store())
        {
            run(Scene { through, ..self.scene(base, workload, script) })?;
            tally.calls += 1;
        }
        tally.bus_errors = bus_errors;
        Ok(())
    }

    /// A scene in which nothing fails yet.
    fn scene(&self, base: &Image, workload: Workload, script: Script) -> Scene {
        Scene {
            filesystem: self.filesystem,
            workload,
            seed: self.seed,
            subsets: 4,
            cuts: 0,
            base: base.clone(),
            before: Vec::new(),
            plant: self.plant,
            script,
            fault: None,
            through: Vec::new(),
        }
    }

    /// Faults of all sorts, spread evenly over the requests of a healthy run.
    fn faults(&self, healthy: &Recording) -> Vec<BlockFault> {
        // What comes after the disk was healed does not fail.
        let is_healed = |happening: &&Happening| **happening == Happening::Note(Note::Healed);
        let before = healthy.happenings.iter().take_while(|happening| !is_healed(happening));
        let (mut writes, mut flushes) = (0, 0);
        for happening in before {
            match happening {
                Happening::Write { .. } | Happening::Failed { .. } | Happening::Zero { .. } => {
                    writes += 1;
                }
                Happening::Flush => flushes += 1,
                Happening::Note(_) => {}
            }
        }
        let mut faults = Vec::new();
        for (request, requests) in [(BlockRequest::Write, writes), (BlockRequest::Flush, flushes)] {
            for is_lasting in [false, true] {
                // Another start for each seed, so that each request has its turn.
                let start = Random::new(self.seed).below((requests / self.count).max(1));
                let first = |n| 1 + (start + n * requests / self.count) % requests.max(1);
                let fault = |n| BlockFault { request, first: first(n), is_lasting };
                faults.extend((0..self.count).map(fault));
            }
        }
        faults
    }
}

/// Has some of the states examined that are possible from the first failure on, or from anywhere
/// if none is recorded, and the last one.
fn send_states(recording: &Arc<Recording>, pool: &Pool) {
    let is_failure = |happening: &Happening| *happening == Happening::Note(Note::Failed);
    let start = recording.happenings.iter().position(is_failure).unwrap_or(0);
    let left = to_u64(recording.happenings.len() - start);
    let possible = left * (1 + recording.subsets);
    let mut random = Random::new(recording.seed ^ to_u64(start));
    let mut states = States::new(recording).filter(|state| state.cut >= start).peekable();
    while let Some(state) = states.next() {
        let is_chosen = random.below(possible) < STATES_MAX || states.peek().is_none();
        if is_chosen && !pool.examine(recording, state) {
            return;
        }
    }
}
