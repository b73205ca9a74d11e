//! Opening a store: from a directory to a handle.

use std::{path::Path, sync::Arc};

use annals_event::Position;
use annals_index::Index;
use annals_wal::{Directory, Disk, Log, LogOptions, Memory, OpenError, SyncPolicy};

use crate::{annals::Annals, images, inner::Inner, options::Options, replay::Opening};

impl Annals {
    /// Opens the store in a directory with the default [`Options`], or makes one there.
    ///
    /// # Errors
    /// [`OpenError`], which says what, where and what to do.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Options::new().open(path)
    }

    /// Makes a store in memory: the same code, without files. It is gone with its last handle.
    ///
    /// # Errors
    /// [`OpenError`], when no thread can be started.
    pub fn in_memory() -> Result<Self, OpenError> {
        Options::new().in_memory()
    }
}

impl Options {
    /// Opens the store in a directory, or makes one there: the directory is created if it is
    /// missing, and must hold nothing else.
    ///
    /// # Errors
    /// [`OpenError`], which says what, where and what to do.
    pub fn open(self, path: impl AsRef<Path>) -> Result<Annals, OpenError> {
        let path = path.as_ref();
        let disk = Disk::create(path).map_err(|source| OpenError::Io {
            action: "open the directory",
            file: path.display().to_string(),
            source,
        })?;
        self.open_on(Arc::new(disk))
    }

    /// Makes a store in memory: the same code, on files without names. It is gone with its last
    /// handle. There is nothing to sync: its policy is [`SyncPolicy::Never`].
    ///
    /// # Errors
    /// [`OpenError`], when the system has no more memory or threads.
    pub fn in_memory(self) -> Result<Annals, OpenError> {
        self.sync_policy(SyncPolicy::Never).open_on(Arc::new(Memory::default()))
    }

    /// Opens the store in a directory of one's own making: a simulated disk, say.
    ///
    /// # Errors
    /// [`OpenError`], which says what, where and what to do.
    pub fn open_on(self, directory: Arc<dyn Directory>) -> Result<Annals, OpenError> {
        open_log(directory, self.into_log())
    }
}

/// Opens the log in a directory and fills the index from it.
fn open_log(directory: Arc<dyn Directory>, options: LogOptions) -> Result<Annals, OpenError> {
    let path = directory.display("");
    let random = options.environment.random();
    let random = random.map_err(|source| OpenError::Io {
        action: "get randomness for",
        file: path.clone(),
        source,
    })?;
    let [seed @ .., _, _, _, _, _, _, _, _] = random.to_le_bytes();
    let index = Arc::new(Index::new(u64::from_le_bytes(seed)));
    let read_mode = options.read_mode;
    let mut opening = Opening {
        index: &index,
        directory: directory.clone(),
        read_mode,
        image: None,
        beside: None,
        without_image: Vec::new(),
    };
    let log = Log::open(directory, options.clone(), &mut opening)?;
    if let Some(last) = opening.beside {
        images::remove(&**log.directory(), &last);
    }
    let active = log.active_segment();
    opening.enter(active.segment, active.first_record);
    let without_image = opening.without_image;
    if let Some(torn) = log.torn_tail() {
        let (file, offset, bytes) = (&torn.file, torn.offset, torn.bytes);
        tracing::warn!(file, offset, bytes, "cut off what was never acknowledged");
    }
    tracing::info!(path, position = log.durable(), "opened");
    let inner = Arc::new(Inner::new(log, index, options));
    for places in without_image {
        images::make_soon(&inner, places, Position::ZERO);
    }
    Ok(Annals::from_inner(inner))
}
