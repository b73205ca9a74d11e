//! Examiners at work: states go in, what is wrong with them comes out.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver, SyncSender},
    },
    thread::{self, JoinHandle},
};

use parking_lot::Mutex;

use crate::{
    error::PowercutError,
    examiner::Examiner,
    filesystem::Filesystem,
    recording::Recording,
    states::{self, State},
    violation::Violation,
};

/// A state, and the recording that it is of.
#[derive(Debug)]
struct Job {
    recording: Arc<Recording>,
    state: State,
}

/// A state in which a promise is broken.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) recording: Arc<Recording>,
    pub(crate) state: State,
    pub(crate) violation: Violation,
}

/// What was examined.
#[derive(Debug)]
pub(crate) struct Examined {
    pub(crate) states: u64,
    /// Those of which only whole blocks are missing, since the filesystem takes nothing else.
    pub(crate) not_torn: u64,
    pub(crate) findings: Vec<Finding>,
}

/// Examiners at work.
#[derive(Debug)]
pub(crate) struct Pool {
    jobs: SyncSender<Job>,
    workers: Vec<JoinHandle<()>>,
    findings: Arc<Mutex<Vec<Finding>>>,
    counts: Arc<Counts>,
}

/// How many states were examined; read while it goes on, and when it is over.
#[derive(Debug, Default)]
struct Counts {
    examined: AtomicU64,
    /// Those of which only whole blocks are missing, since the filesystem takes nothing else.
    not_torn: AtomicU64,
}

impl Pool {
    /// Makes so many examiners of disks of one size in bytes.
    ///
    /// # Errors
    /// As the system says.
    pub(crate) fn new(
        filesystem: Filesystem,
        scratch: &Path,
        count: usize,
        bytes: u64,
    ) -> Result<Self, PowercutError> {
        // All of them before any is at work: a process that is started meanwhile would hold files
        // open that are on the examined disks.
        let examiners = (0..count).map(|n| Examiner::new(filesystem, scratch, n, bytes));
        let examiners = examiners.collect::<Result<Vec<_>, _>>()?;
        let (jobs, waiting) = mpsc::sync_channel(2 * count);
        let waiting = Arc::new(Mutex::new(waiting));
        let (findings, counts) = (Arc::default(), Arc::default());
        let workers = examiners.into_iter().map(|examiner| {
            let waiting: Arc<Mutex<Receiver<Job>>> = Arc::clone(&waiting);
            let findings = Arc::clone(&findings);
            let counts = Arc::clone(&counts);
            let work = move || work(&examiner, &waiting, &findings, &counts);
            thread::Builder::new().name("examiner".to_owned()).spawn(work)
        });
        let workers = workers.collect::<Result<Vec<_>, _>>();
        let workers = workers.map_err(PowercutError::io("start an examiner"))?;
        Ok(Self { jobs, workers, findings, counts })
    }

    /// Has a state examined; waits until somebody has time for it soon. Says whether somebody
    /// will.
    pub(crate) fn examine(&self, recording: &Arc<Recording>, state: State) -> bool {
        self.jobs.send(Job { recording: Arc::clone(recording), state }).is_ok()
    }

    /// How many states were examined so far.
    pub(crate) fn examined(&self) -> u64 {
        // Relaxed: it is only shown.
        self.counts.examined.load(Ordering::Relaxed)
    }

    /// How many broken promises were found so far.
    pub(crate) fn found(&self) -> usize {
        self.findings.lock().len()
    }

    /// Returns what was found, when everything is examined.
    ///
    /// # Errors
    /// An examiner panicked.
    pub(crate) fn finish(self) -> Result<Examined, PowercutError> {
        drop(self.jobs);
        for worker in self.workers {
            worker.join().map_err(|_| PowercutError::Panicked("an examiner"))?;
        }
        let findings = std::mem::take(&mut *self.findings.lock());
        // Relaxed: all threads have ended.
        let states = self.counts.examined.load(Ordering::Relaxed);
        let not_torn = self.counts.not_torn.load(Ordering::Relaxed);
        Ok(Examined { states, not_torn, findings })
    }
}

fn work(
    examiner: &Examiner,
    waiting: &Mutex<Receiver<Job>>,
    findings: &Mutex<Vec<Finding>>,
    counts: &Counts,
) {
    loop {
        let job = waiting.lock().recv();
        let Ok(Job { recording, state }) = job else { return };
        let outcome = examine(examiner, &recording, state, counts);
        counts.examined.fetch_add(1, Ordering::Relaxed);
        if let Err(finding) = outcome {
            findings.lock().push(*finding);
        }
    }
}

/// Examines a state. A filesystem that does not outlive that blocks of its own are torn gets them
/// whole: that is no fault of the store.
fn examine(
    examiner: &Examiner,
    recording: &Arc<Recording>,
    state: State,
    counts: &Counts,
) -> Result<(), Box<Finding>> {
    let finding =
        |state, violation| Box::new(Finding { recording: Arc::clone(recording), state, violation });
    let Err(violation) = examiner.examine(recording, &state) else { return Ok(()) };
    let sibling = states::with_whole_blocks(recording, &state);
    let Some(sibling) = sibling.filter(|_| violation.is_of_the_filesystem()) else {
        return Err(finding(state, violation));
    };
    counts.not_torn.fetch_add(1, Ordering::Relaxed);
    examiner.examine(recording, &sibling).map_err(|violation| finding(sibling, violation))
}
