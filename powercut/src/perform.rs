//! Does what a workload says, on a mounted disk that is recorded: in a process of its own, since
//! whoever serves a disk must not wait for it.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicU64},
    thread,
};

use annals::{Annals, Directory, Disk, Options, SyncPolicy};
use annals_sim::Random;
use parking_lot::Mutex;

use crate::{
    caller::Desk,
    error::PowercutError,
    filesystem::Filesystem,
    meddled::{Meddled, Meddler},
    mount::Mounted,
    note::Note,
    notes::Notes,
    plant::Plant,
    request::label_of,
    shown::Shown,
    watch::Watch,
    workload::{self, Workload},
};

/// What is to be performed, and where.
#[derive(Debug, Clone, clap::Args)]
pub struct Performance {
    /// The name of the workload.
    #[arg(long)]
    pub(crate) workload: String,
    /// What its random choices follow from.
    #[arg(long)]
    pub(crate) seed: u64,
    /// The number of its first append.
    #[arg(long)]
    pub(crate) first_number: u64,
    /// The size of a segment in bytes.
    #[arg(long)]
    pub(crate) segment_bytes: u64,
    /// What is on the device.
    #[arg(long)]
    pub(crate) filesystem: Filesystem,
    /// The device.
    #[arg(long)]
    pub(crate) device: PathBuf,
    /// Where to mount it.
    #[arg(long)]
    pub(crate) at: PathBuf,
    /// The file that takes notes.
    #[arg(long)]
    pub(crate) notes: PathBuf,
    /// A planted defect.
    #[arg(long)]
    pub(crate) plant: Option<Plant>,
}

/// A store that is worked on.
struct Stage<'a> {
    desk: Desk,
    performance: &'a Performance,
    /// Where the store is, and its neighbours.
    place: &'a Path,
}

/// Performs a workload.
///
/// # Errors
/// The store breaks its word, or the system refuses.
pub(crate) fn perform(performance: &Performance) -> Result<(), PowercutError> {
    let notes = Notes::open(&performance.notes).map_err(PowercutError::io("open the notes"))?;
    let notes = Arc::new(notes);
    let workload = workload::by_name(&performance.workload);
    let workload =
        workload.ok_or_else(|| PowercutError::NoSuchWorkload(performance.workload.clone()))?;
    let workload = Workload { segment_bytes: performance.segment_bytes, ..workload };
    let mounted = Mounted::new(performance.filesystem, &performance.device, &performance.at);
    let mounted = mounted.map_err(PowercutError::io("mount the recorded disk"))?;
    let desk = Desk {
        workload,
        watch: Arc::new(Watch::new(notes.clone())),
        notes,
        next: AtomicU64::new(performance.first_number),
        is_failing: false,
    };
    let place = mounted.store();
    Stage { desk, performance, place: &place }.run()?;
    mounted.unmount().map_err(PowercutError::io("unmount the recorded disk"))
}

impl Stage<'_> {
    fn run(&self) -> Result<(), PowercutError> {
        for round in 0..self.desk.workload.rounds {
            let store = self.open(round)?;
            self.note_what_is_found(&store)?;
            self.call_all(&store, round)?;
            self.end(store, round)?;
        }
        Ok(())
    }

    fn open(&self, round: u64) -> Result<Annals, PowercutError> {
        let Workload { segment_bytes, sync_policy, read_mode, threads, .. } = self.desk.workload;
        let options = Options::new()
            .segment_bytes(segment_bytes)
            .sync_policy(sync_policy)
            .read_mode(read_mode)
            .threads(threads);
        let what = || format!("open the store in round {round}");
        let disk = Disk::create(self.place).map_err(PowercutError::io(&what()))?;
        let directory: Arc<dyn Directory> = match self.meddler() {
            Some(meddler) => Arc::new(Meddled::new(disk, meddler)),
            None => Arc::new(disk),
        };
        options.open_on(directory).map_err(|error| PowercutError::Broken {
            count: 1,
            first: format!("cannot {}: {error}", what()),
        })
    }

    fn meddler(&self) -> Option<Arc<dyn Meddler>> {
        match (self.performance.plant, self.desk.workload.sync_policy) {
            (Some(plant), _) => Some(plant.meddler()),
            (None, SyncPolicy::Always) => None,
            (None, _) => Some(self.desk.watch.clone()),
        }
    }

    /// What opening found stays: it says so by showing it.
    fn note_what_is_found(&self, store: &Annals) -> Result<(), PowercutError> {
        let shown = Shown::by(store).map_err(|error| PowercutError::Broken {
            count: 1,
            first: format!("what was opened cannot be read: {error}"),
        })?;
        let firsts = shown.events.iter().filter_map(|event| match label_of(event)? {
            (number, 0) => Some((number, event.position.get())),
            _ => None,
        });
        self.desk.note(&Note::Found(firsts.collect()))
    }

    /// All callers append at the same time.
    fn call_all(&self, store: &Annals, round: u64) -> Result<(), PowercutError> {
        let outcomes = Mutex::new(Ok(()));
        let call = |caller: u64| {
            let seed = Random::new(self.performance.seed ^ (round << 8 | caller)).bits();
            let outcome = self.desk.call(store, seed);
            let mut outcomes = outcomes.lock();
            if outcomes.is_ok() {
                *outcomes = outcome;
            }
        };
        let has_neighbours = self.desk.workload.has_neighbours;
        thread::scope(|scope| {
            let name = |caller| thread::Builder::new().name(format!("caller-{caller}"));
            for caller in 1..self.desk.workload.callers {
                name(caller).spawn_scoped(scope, move || call(caller))?;
            }
            if has_neighbours {
                name(99).spawn_scoped(scope, || self.change_neighbours(round))?;
            }
            call(0);
            Ok(())
        })
        .map_err(PowercutError::io("start a thread"))?;
        outcomes.into_inner()
    }

    /// Changes other files, and syncs all of the filesystem now and then. It is not what is
    /// tested: an error of it does not matter.
    fn change_neighbours(&self, round: u64) {
        let mut random = Random::new(self.performance.seed ^ 0xbeef ^ round);
        let Some(parent) = self.place.parent() else { return };
        for number in 0..30 {
            let path = parent.join(format!("neighbour-{}", random.below(5)));
            match random.below(4) {
                0 => drop(fs::remove_file(&path)),
                1 => drop(fs::rename(&path, parent.join("moved"))),
                _ => drop(append_to(&path, number, random.below(20_000))),
            }
            if random.below(8) == 0 {
                drop(OpenOptions::new().read(true).open(parent).map(rustix::fs::syncfs));
            }
        }
    }

    /// Closes the store, in each of the ways that there are.
    fn end(&self, store: Annals, round: u64) -> Result<(), PowercutError> {
        let is_last = round + 1 == self.desk.workload.rounds;
        if self.desk.workload.sync_policy != SyncPolicy::Always
            && is_last
            && !self.desk.watch.wait()
        {
            let first = "what was acknowledged was never synced".to_owned();
            return Err(PowercutError::Broken { count: 1, first });
        }
        if round % 2 == 0 {
            store.close().map_err(|error| PowercutError::Broken {
                count: 1,
                first: format!("the store does not close: {error}"),
            })?;
        }
        drop(store);
        Ok(())
    }
}

fn append_to(path: &Path, byte: u8, len: u64) -> std::io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    file.write_all(&vec![byte; crate::number::to_usize(len)])
}
