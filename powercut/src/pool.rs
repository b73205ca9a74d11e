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
    error::PowercutError, examiner::Examiner, filesystem::Filesystem, recording::Recording,
    states::State, violation::Violation,
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

/// Examiners at work.
#[derive(Debug)]
pub(crate) struct Pool {
    jobs: SyncSender<Job>,
    workers: Vec<JoinHandle<()>>,
    findings: Arc<Mutex<Vec<Finding>>>,
    examined: Arc<AtomicU64>,
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
        let (findings, examined) = (Arc::default(), Arc::default());
        let workers = examiners.into_iter().map(|examiner| {
            let waiting: Arc<Mutex<Receiver<Job>>> = Arc::clone(&waiting);
            let findings = Arc::clone(&findings);
            let examined = Arc::clone(&examined);
            let work = move || work(&examiner, &waiting, &findings, &examined);
            thread::Builder::new().name("examiner".to_owned()).spawn(work)
        });
        let workers = workers.collect::<Result<Vec<_>, _>>();
        let workers = workers.map_err(PowercutError::io("start an examiner"))?;
        Ok(Self { jobs, workers, findings, examined })
    }

    /// Has a state examined; waits until somebody has time for it soon. Says whether somebody
    /// will.
    pub(crate) fn examine(&self, recording: &Arc<Recording>, state: State) -> bool {
        self.jobs.send(Job { recording: Arc::clone(recording), state }).is_ok()
    }

    /// How many states were examined so far.
    pub(crate) fn examined(&self) -> u64 {
        // Relaxed: it is only shown.
        self.examined.load(Ordering::Relaxed)
    }

    /// How many broken promises were found so far.
    pub(crate) fn found(&self) -> usize {
        self.findings.lock().len()
    }

    /// Returns what was found, when everything is examined.
    ///
    /// # Errors
    /// An examiner panicked.
    pub(crate) fn finish(self) -> Result<(u64, Vec<Finding>), PowercutError> {
        drop(self.jobs);
        for worker in self.workers {
            worker.join().map_err(|_| PowercutError::Panicked("an examiner"))?;
        }
        let findings = std::mem::take(&mut *self.findings.lock());
        Ok((self.examined.load(Ordering::Relaxed), findings))
    }
}

fn work(
    examiner: &Examiner,
    waiting: &Mutex<Receiver<Job>>,
    findings: &Mutex<Vec<Finding>>,
    examined: &AtomicU64,
) {
    loop {
        let job = waiting.lock().recv();
        let Ok(Job { recording, state }) = job else { return };
        let outcome = examiner.examine(&recording, &state);
        examined.fetch_add(1, Ordering::Relaxed);
        if let Err(violation) = outcome {
            findings.lock().push(Finding { recording, state, violation });
        }
    }
}
