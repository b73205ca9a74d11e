//! Segments made ahead of need: filled with zeroes and synced, so that the commit path only
//! overwrites. Overwriting takes about half the time of growing a file, and a full disk shows
//! here, before anyone was promised anything.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use annals_sync::{Condvar, Mutex};

use crate::{
    access::Access,
    background::Background,
    error::Failure,
    map::Map,
    num::to_usize,
    options::{LogOptions, ReadMode},
    storage::{self, Directory, File},
};

/// Names of prepared files end with this; whatever bears it at opening is left over.
pub(crate) const SUFFIX: &str = ".prepared";

/// Zeroes, written in pieces of this size. It decides the size of the page cache's folios, and so
/// what later writes, faults and syncs cost: `docs/design.md` has the figures.
static ZEROES: [u8; 256 << 10] = [0; 256 << 10];

/// Zeroes are synced in steps of this size, so that no commit waits behind a whole segment.
const SYNC_BYTES: u64 = 1 << 20;

/// A file of zeroes, durable but for its name.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) name: String,
    pub(crate) file: Arc<dyn File>,
    pub(crate) map: Option<Map>,
    pub(crate) capacity: u64,
}

/// Makes the next segment while the current one is filled.
#[derive(Debug)]
pub(crate) struct Preparer {
    directory: Arc<dyn Directory>,
    read_mode: ReadMode,
    map_access: Access,
    slot: Mutex<Slot>,
    changed: Condvar,
    stopping: AtomicBool,
    /// How many were begun: it makes their names unique.
    begun: AtomicU64,
}

#[derive(Debug, Default)]
enum Slot {
    #[default]
    Idle,
    Busy,
    Ready(Prepared),
    Failed(Failure),
}

impl Preparer {
    pub(crate) fn new(directory: Arc<dyn Directory>, options: &LogOptions) -> Self {
        Self {
            directory,
            read_mode: options.read_mode,
            map_access: options.map_access(),
            slot: Mutex::default(),
            changed: Condvar::new(),
            stopping: AtomicBool::new(false),
            begun: AtomicU64::new(0),
        }
    }

    /// Starts to prepare a segment, unless that is done or under way.
    pub(crate) fn request(self: &Arc<Self>, background: &Background, capacity: u64) {
        {
            let mut slot = self.slot.lock();
            if !matches!(*slot, Slot::Idle) {
                return;
            }
            *slot = Slot::Busy;
        }
        let preparer = self.clone();
        if !background.run(move || preparer.prepare(capacity)) {
            let source = Arc::new(io::Error::other("the log is closed"));
            let file = self.directory.display("");
            *self.slot.lock() = Slot::Failed(Failure { action: "extend", file, source });
            self.changed.notify_all();
        }
    }

    /// The prepared segment, if there is one with at least this capacity.
    pub(crate) fn take(&self, capacity: u64) -> Option<Prepared> {
        let mut slot = self.slot.lock();
        match std::mem::take(&mut *slot) {
            Slot::Ready(prepared) if prepared.capacity >= capacity => Some(prepared),
            other => {
                *slot = other;
                None
            }
        }
    }

    /// Returns when [`Preparer::take`] may have one.
    ///
    /// # Errors
    /// It could not be made. Asking again tries again.
    pub(crate) fn wait(
        self: &Arc<Self>,
        background: &Background,
        capacity: u64,
    ) -> Result<(), Failure> {
        self.forget_failure();
        loop {
            self.request(background, capacity);
            let mut slot = self.slot.lock();
            if matches!(*slot, Slot::Busy) {
                self.changed.wait(&mut slot);
            }
            match std::mem::take(&mut *slot) {
                Slot::Ready(prepared) if prepared.capacity < capacity => {
                    drop(slot);
                    self.discard(&prepared);
                }
                Slot::Failed(failure) => return Err(failure),
                ready @ Slot::Ready(_) => {
                    *slot = ready;
                    return Ok(());
                }
                other => *slot = other,
            }
        }
    }

    /// A failure that nobody waited for says nothing about now.
    fn forget_failure(&self) {
        let mut slot = self.slot.lock();
        if matches!(*slot, Slot::Failed(_)) {
            *slot = Slot::Idle;
        }
    }

    /// Ends what is under way soon.
    pub(crate) fn stop(&self) {
        // Relaxed: it only makes the work shorter.
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Removes what was made for nothing.
    pub(crate) fn discard_ready(&self) {
        let slot = std::mem::take(&mut *self.slot.lock());
        if let Slot::Ready(prepared) = slot {
            self.discard(&prepared);
        }
    }

    fn discard(&self, prepared: &Prepared) {
        // What is left over is removed at the next opening.
        drop(self.directory.remove(&prepared.name));
    }

    fn prepare(&self, capacity: u64) {
        // Relaxed: only uniqueness counts.
        let name = format!("{:020}{SUFFIX}", self.begun.fetch_add(1, Ordering::Relaxed));
        let attempt = || {
            if self.stopping.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            self.make(&name, capacity)
        };
        let made = catch_unwind(AssertUnwindSafe(attempt))
            .unwrap_or_else(|_| Err(io::Error::other("a panic")));
        let slot = made.map_or_else(
            |error| {
                if error.kind() != io::ErrorKind::AlreadyExists {
                    // The room that it took is given back; an error adds nothing to the first.
                    drop(self.directory.remove(&name));
                }
                let file = self.directory.display(&name);
                Slot::Failed(Failure { action: "prepare", file, source: Arc::new(error) })
            },
            Slot::Ready,
        );
        *self.slot.lock() = slot;
        self.changed.notify_all();
    }

    /// Makes a file of zeroes in this thread.
    pub(crate) fn make(&self, name: &str, capacity: u64) -> io::Result<Prepared> {
        let file = self.directory.create(name)?;
        self.fill(&*file, capacity)?;
        let map = match self.read_mode {
            ReadMode::Map | ReadMode::MapCheckedOnce => file.map(capacity, self.map_access)?,
            ReadMode::Pread => None,
        };
        Ok(Prepared { name: name.to_owned(), file, map, capacity })
    }

    fn fill(&self, file: &dyn File, capacity: u64) -> io::Result<()> {
        if file.extend(capacity)? {
            return Ok(());
        }
        let mut offset = 0;
        while offset < capacity {
            let len = to_usize(capacity - offset).min(ZEROES.len());
            storage::write_all(file, offset, ZEROES.get(..len).unwrap_or_default())?;
            offset += crate::num::to_u64(len);
            if offset.is_multiple_of(SYNC_BYTES) || offset == capacity {
                file.sync_data()?;
            }
            if self.stopping.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::Interrupted.into());
            }
        }
        Ok(())
    }
}
