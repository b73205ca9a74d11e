//! A store on the recorded disk while a workload goes through its rounds: opened, worked on by all
//! callers, closed.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use annals::{Annals, Directory, Disk, OpenError, Options, SyncPolicy};
use annals_sim::Random;
use parking_lot::Mutex;

use crate::{
    caller::Desk, error::PowercutError, filesystem::Filesystem, meddled::Meddled, note::Note,
    number::to_usize, plant::Plant, request::label_of, shown::Shown, workload::Workload,
};

/// A store that is worked on.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) desk: Desk,
    pub(crate) filesystem: Filesystem,
    pub(crate) seed: u64,
    pub(crate) plant: Option<Plant>,
    /// Where the store is.
    pub(crate) place: PathBuf,
    /// Whether calls that read fail on purpose.
    pub(crate) may_misread: bool,
}

impl Stage {
    /// Goes through all rounds, where nothing fails.
    ///
    /// # Errors
    /// The store breaks its word.
    pub(crate) fn run(&self) -> Result<(), PowercutError> {
        for round in 0..self.desk.workload().rounds {
            let store =
                self.open().map_err(|error| broken("the store cannot be opened", &error))?;
            self.note_what_is_found(&store)?;
            self.call_all(&store, round)?;
            self.end(store, round)?;
        }
        Ok(())
    }

    /// Opens the store.
    ///
    /// # Errors
    /// As it says.
    pub(crate) fn open(&self) -> Result<Annals, OpenError> {
        let Workload { segment_bytes, sync_policy, read_mode, threads, .. } = *self.desk.workload();
        self.desk.open();
        let options = Options::new()
            .segment_bytes(segment_bytes)
            .sync_policy(sync_policy)
            .read_mode(read_mode)
            .threads(threads);
        let disk = Disk::create(&self.place).map_err(|source| OpenError::Io {
            action: "open the directory",
            file: self.place.display().to_string(),
            source,
        })?;
        let mut directory: Arc<dyn Directory> = Arc::new(disk);
        if let Some(plant) = self.plant {
            directory = Arc::new(Meddled::new(directory, plant.meddler()));
        }
        if sync_policy != SyncPolicy::Always {
            directory = Arc::new(Meddled::new(directory, self.desk.watch().clone()));
        }
        options.open_on(directory)
    }

    /// What opening found stays: it says so by showing it.
    pub(crate) fn note_what_is_found(&self, store: &Annals) -> Result<(), PowercutError> {
        let shown =
            Shown::by(store).map_err(|error| broken("what was opened is unread", &error))?;
        self.note_what_is_shown(&shown)
    }

    /// The same, where it was read already.
    pub(crate) fn note_what_is_shown(&self, shown: &Shown) -> Result<(), PowercutError> {
        let firsts = shown.events.iter().filter_map(|event| match label_of(event)? {
            (number, 0) => Some((number, event.position.get())),
            _ => None,
        });
        self.desk.begin(shown.position);
        self.desk.note(&Note::Found(firsts.collect()))
    }

    /// All callers append at the same time.
    pub(crate) fn call_all(&self, store: &Annals, round: u64) -> Result<(), PowercutError> {
        let outcomes = Mutex::new(Ok(()));
        let call = |caller: u64| {
            let seed = Random::new(self.seed ^ (round << 8 | caller)).bits();
            let outcome = self.desk.call(store, seed);
            let mut outcomes = outcomes.lock();
            if outcomes.is_ok() {
                *outcomes = outcome;
            }
        };
        let Workload { callers, has_neighbours, .. } = *self.desk.workload();
        thread::scope(|scope| {
            let name = |caller| thread::Builder::new().name(format!("caller-{caller}"));
            let call = &call;
            for caller in 1..callers {
                name(caller).spawn_scoped(scope, move || call(caller))?;
            }
            if has_neighbours {
                name(callers).spawn_scoped(scope, || self.change_neighbours(round))?;
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
        let mut random = Random::new(self.seed ^ 0xbeef ^ round);
        let Some(parent) = self.place.parent() else { return };
        for number in 0..30 {
            let path = parent.join(format!("neighbour-{}", random.below(5)));
            match random.below(4) {
                0 => drop(fs::remove_file(&path)),
                1 => drop(fs::rename(&path, parent.join("moved"))),
                _ => drop(append_to(&path, number, random.below(20_000))),
            }
            if random.below(8) == 0 {
                drop(sync_all(parent));
            }
        }
    }

    /// Closes the store, in each of the ways that there are.
    fn end(&self, store: Annals, round: u64) -> Result<(), PowercutError> {
        let Workload { sync_policy, rounds, .. } = *self.desk.workload();
        let must_settle = sync_policy != SyncPolicy::Always && round + 1 == rounds;
        if must_settle && !self.desk.settle(&store, self.seed)? {
            let what = "what was acknowledged was never synced".to_owned();
            return Err(PowercutError::BrokenWord(what));
        }
        if round.is_multiple_of(2) {
            store.close().map_err(|error| broken("the store does not close", &error))?;
        }
        drop(store);
        Ok(())
    }
}

/// Syncs the whole filesystem that a directory is on.
///
/// # Errors
/// As the system says.
pub(crate) fn sync_all(directory: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(OpenOptions::new().read(true).open(directory)?)?)
}

fn append_to(path: &Path, byte: u8, len: u64) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    file.write_all(&vec![byte; to_usize(len)])
}

/// The store broke its word.
pub(crate) fn broken(what: &str, error: &dyn std::error::Error) -> PowercutError {
    PowercutError::BrokenWord(format!("{what}: {error}"))
}
