//! What all handles of one store share.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use annals_event::Position;
use annals_index::{Head, Index, StreamNumber};
use annals_wal::{Log, LogOptions};
use parking_lot::Mutex;

/// An open store.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) log: Log,
    pub(crate) index: Arc<Index>,
    pub(crate) options: LogOptions,
    /// Gives appends their order. Never held across I/O.
    pub(crate) sequencer: Mutex<Sequencer>,
    /// The last position that is in the index.
    sequenced: AtomicU64,
}

/// Gives appends their order (`sequencer.rs`). Held by one append at a time, never across I/O.
/// The order itself is in the log and the index; these are buffers.
#[derive(Debug, Default)]
pub(crate) struct Sequencer {
    pub(crate) heads: Vec<Head>,
    pub(crate) stamps: Vec<u64>,
    pub(crate) written: Vec<StreamNumber>,
}

impl Inner {
    pub(crate) fn new(log: Log, index: Arc<Index>, options: LogOptions) -> Self {
        let sequenced = AtomicU64::new(log.durable());
        Self { log, index, options, sequenced, sequencer: Mutex::default() }
    }

    /// The last position that may be seen by anyone: the watermark.
    pub(crate) fn durable(&self) -> Position {
        Position::new(self.log.durable())
    }

    /// The last position that is in order and in the index, durable or not.
    pub(crate) fn sequenced(&self) -> Position {
        // Acquire pairs with the Release in `raise`: who sees the position finds its events.
        Position::new(self.sequenced.load(Ordering::Acquire))
    }

    /// Says that everything up to `position` is in the index.
    pub(crate) fn raise(&self, position: Position) {
        self.sequenced.store(position.get(), Ordering::Release);
    }
}
