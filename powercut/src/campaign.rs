//! Cuts the power so many times on one filesystem: records workloads, and has the disks that power
//! cuts may leave behind examined while the next workload is recorded. Some of these disks are
//! where another recording begins: of the recovery, in which the power is cut again.

use std::{
    collections::{HashSet, VecDeque},
    path::Path,
    sync::{
        Arc,
        mpsc::{self, Receiver, SyncSender},
    },
    thread,
};

use annals::SyncPolicy;
use annals_sim::Random;

use crate::{
    error::PowercutError,
    filesystem::Filesystem,
    image::Image,
    note::Note,
    number::{to_u64, to_usize},
    plant::Plant,
    pool::{Examined, Finding, Pool},
    progress::Progress,
    recorder::{Recorder, Scene},
    recording::{Happening, Recording},
    script::Script,
    states::{self, Kept, State, States},
    workload::{self, Workload},
};

/// How often, where, and of what.
#[derive(Debug, Clone)]
pub(crate) struct Campaign {
    pub(crate) filesystem: Filesystem,
    pub(crate) workloads: Vec<Workload>,
    pub(crate) seed: u64,
    /// How many states are to be examined.
    pub(crate) wanted: u64,
    /// How many random subsets of the unflushed sectors at each boundary.
    pub(crate) subsets: u64,
    /// How many states are examined at the same time.
    pub(crate) workers: usize,
    pub(crate) plant: Option<Plant>,
    /// It ends when so many broken promises were found.
    pub(crate) findings_max: usize,
}

/// What was examined.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) states: u64,
    pub(crate) recordings: u64,
    /// States by what they kept of the unflushed writes: none, all, some.
    pub(crate) kept: [u64; 3],
    /// States by how often the power was cut before: never, once, twice.
    pub(crate) cuts: [u64; 3],
    /// Requests that were recorded: writes, discards, flushes.
    pub(crate) requests: [u64; 3],
    /// Boundaries between requests that leave a disk which no earlier one since the last flush does:
    /// how many there were in the recordings, and at how many a state was examined.
    pub(crate) boundaries: [u64; 2],
    /// States, examined or gone on with, of which only whole blocks are missing, since the
    /// filesystem takes nothing else.
    pub(crate) not_torn: u64,
    /// Digests of the states: the same disk may follow from power cuts at several moments, with
    /// other promises to keep.
    pub(crate) disks: HashSet<u64>,
    pub(crate) findings: Vec<Finding>,
}

/// A disk that a power cut left behind, where another recording begins.
#[derive(Debug, Clone)]
struct Origin {
    recording: Arc<Recording>,
    state: State,
}

/// The power is cut up to so many times in one life of a store.
const CUTS_MAX: u64 = 3;

/// How many recordings are made ahead.
const AHEAD: usize = 2;

impl Campaign {
    /// Runs it.
    ///
    /// # Errors
    /// The system refuses, or a workload fails although nothing is wrong with its disk.
    pub(crate) fn run(&self, scratch: &Path, progress: &Progress) -> Result<Tally, PowercutError> {
        let base = self.filesystem.make(scratch)?;
        let pool = Pool::new(self.filesystem, scratch, self.workers, base.size())?;
        let recorder = Recorder::new(scratch)?;
        let mut tally = Tally::default();
        let outcome = thread::scope(|scope| {
            let (scenes, waiting) = mpsc::sync_channel(AHEAD);
            let (finished, recordings) = mpsc::sync_channel(AHEAD);
            let record = move || record_all(&recorder, &waiting, &finished);
            let thread = thread::Builder::new().name("recorder".to_owned());
            thread.spawn_scoped(scope, record).map_err(PowercutError::io("start the recorder"))?;
            self.direct(&base, &scenes, &recordings, &pool, &mut tally, progress)
        });
        let Examined { states, not_torn, findings } = pool.finish()?;
        outcome?;
        progress.at(states);
        Ok(Tally { states, not_torn: tally.not_torn + not_torn, findings, ..tally })
    }

    /// Says what is recorded next, and has the states examined.
    fn direct(
        &self,
        base: &Image,
        scenes: &SyncSender<Scene>,
        recordings: &Receiver<Result<Recording, PowercutError>>,
        pool: &Pool,
        tally: &mut Tally,
        progress: &Progress,
    ) -> Result<(), PowercutError> {
        let mut openings = self.openings(base);
        let mut recoveries: VecDeque<Origin> = VecDeque::new();
        let mut under_way = VecDeque::new();
        let mut made = 0;
        loop {
            while under_way.len() < AHEAD {
                let origin = recoveries.pop_front();
                let scene = match &origin {
                    Some(origin) => Some(self.recovery(origin)),
                    None => openings.next(),
                };
                if scene.is_none_or(|scene| scenes.send(scene).is_err()) {
                    break;
                }
                under_way.push_back(origin);
            }
            let Ok(outcome) = recordings.recv() else { return Ok(()) };
            let origin = under_way.pop_front().flatten();
            let recording = match outcome {
                Err(PowercutError::Damaged(said)) => {
                    let sibling = origin.and_then(|origin| origin.with_whole_blocks());
                    recoveries.push_front(sibling.ok_or(PowercutError::Damaged(said))?);
                    tally.not_torn += 1;
                    continue;
                }
                outcome => Arc::new(outcome?),
            };
            tally.count(&recording);
            progress.now(&recording.workload);
            let state = self.send_states(&recording, pool, tally, &mut made, progress);
            if made >= self.wanted || pool.found() >= self.findings_max {
                return Ok(());
            }
            let may_go_on = recording.cuts + 1 < CUTS_MAX && self.plant.is_none();
            let state = state.filter(|_| may_go_on);
            recoveries.extend(state.map(|state| Origin { recording, state }));
        }
    }

    /// Every workload, again and again, each time with another seed.
    fn openings(&self, base: &Image) -> impl Iterator<Item = Scene> {
        let passes = (0..).map(|pass| self.seed.wrapping_add(pass));
        let scene = |seed, workload: &Workload| Scene {
            filesystem: self.filesystem,
            workload: *workload,
            seed,
            subsets: self.subsets,
            cuts: 0,
            base: base.clone(),
            before: Vec::new(),
            plant: self.plant,
            script: Script::Plain,
            fault: None,
            through: Vec::new(),
        };
        passes.flat_map(move |seed| {
            self.workloads.iter().map(move |workload| scene(seed, workload)).collect::<Vec<_>>()
        })
    }

    /// What happens on a disk that a power cut left behind.
    fn recovery(&self, origin: &Origin) -> Scene {
        let Origin { recording, state } = origin;
        let mut before: Vec<Note> = recording.notes(state.cut, state.end).cloned().collect();
        before.push(Note::PowerCut);
        let segment_bytes = recording.segment_bytes;
        Scene {
            filesystem: self.filesystem,
            workload: Workload {
                segment_bytes,
                sync_policy: SyncPolicy::Always,
                ..workload::RECOVERY
            },
            seed: Random::new(recording.seed ^ (state.number << 8)).bits(),
            subsets: self.subsets,
            cuts: recording.cuts + 1,
            base: state.image.clone(),
            before,
            plant: None,
            script: Script::Plain,
            fault: None,
            through: Vec::new(),
        }
    }

    /// Has the states of a recording examined, all of them or some of all sorts. Returns one of
    /// them, any.
    fn send_states(
        &self,
        recording: &Arc<Recording>,
        pool: &Pool,
        tally: &mut Tally,
        made: &mut u64,
        progress: &Progress,
    ) -> Option<State> {
        let share = self.wanted.div_ceil(2 * to_u64(self.workloads.len()).max(1));
        let share = if recording.cuts == 0 { share } else { share / 4 };
        let possible = requests(recording) * (1 + self.subsets) + 1;
        let mut random = Random::new(recording.seed ^ 0x5747_4154_4553);
        let (mut chosen, mut seen) = (None, 0);
        let (mut boundary, mut covered) = (None, None);
        for state in States::new(recording) {
            let is_next = boundary.replace(state.cut) != Some(state.cut);
            let [all, examined] = &mut tally.boundaries;
            *all += u64::from(is_next);
            if random.below(possible) >= share.max(60) {
                continue;
            }
            if *made >= self.wanted || pool.found() >= self.findings_max {
                break;
            }
            seen += 1;
            if random.below(seen) == 0 {
                chosen = Some(state.clone());
            }
            *made += 1;
            *examined += u64::from(covered.replace(state.cut) != Some(state.cut));
            tally.count_state(recording, &state);
            if !pool.examine(recording, state) {
                break;
            }
            progress.at(pool.examined());
        }
        chosen
    }
}

impl Origin {
    /// The same, of which only whole blocks are missing; `None` if that is no other disk.
    fn with_whole_blocks(&self) -> Option<Self> {
        let state = states::with_whole_blocks(&self.recording, &self.state)?;
        let is_other = state.image.digest() != self.state.image.digest();
        is_other.then(|| Self { recording: Arc::clone(&self.recording), state })
    }
}

fn requests(recording: &Recording) -> u64 {
    let is_request = |happening: &&Happening| !matches!(happening, Happening::Note(_));
    to_u64(recording.happenings.iter().filter(is_request).count())
}

impl Tally {
    /// At how many hundredths of the boundaries a state was examined.
    pub(crate) fn covered_percent(&self) -> u64 {
        let [all, examined] = self.boundaries;
        (examined * 100).checked_div(all).unwrap_or(0)
    }

    fn count(&mut self, recording: &Recording) {
        self.recordings += 1;
        let [writes, discards, flushes] = &mut self.requests;
        for happening in &recording.happenings {
            match happening {
                Happening::Write { .. } | Happening::Failed { .. } => *writes += 1,
                Happening::Zero { .. } => *discards += 1,
                Happening::Flush => *flushes += 1,
                Happening::Note(_) => {}
            }
        }
    }

    fn count_state(&mut self, recording: &Recording, state: &State) {
        let kept = match state.kept {
            Kept::Durable => 0,
            Kept::Prefix => 1,
            Kept::Subset(_) => 2,
        };
        self.disks.insert(state.image.digest());
        for (counts, index) in [(&mut self.kept, kept), (&mut self.cuts, to_usize(recording.cuts))]
        {
            if let Some(count) = counts.get_mut(index) {
                *count += 1;
            }
        }
    }
}

fn record_all(
    recorder: &Recorder,
    scenes: &Receiver<Scene>,
    finished: &SyncSender<Result<Recording, PowercutError>>,
) {
    for scene in scenes {
        if finished.send(recorder.record(&scene)).is_err() {
            return;
        }
    }
}
