//! What all handles of one store share.

use std::sync::Arc;

use annals_event::Position;
use annals_index::{Head, Index, StreamNumber};
use annals_planted::{Bug, planted};
use annals_sync::{
    Mutex, MutexGuard,
    atomic::{AtomicU64, Ordering::SeqCst},
    looks,
};
use annals_wal::{Log, LogOptions};

/// How often a thread looks for the sequencer before it gives up its core.
const SPINS: u32 = 200;

/// An open store.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) log: Log,
    pub(crate) index: Arc<Index>,
    pub(crate) options: LogOptions,
    /// Gives appends their order. Never held across I/O.
    sequencer: Mutex<Sequencer>,
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

    /// The sequencer, when nobody else has it. It is held for about a hundred nanoseconds: to spin
    /// that long is cheaper than to yield the core, which the lock itself would do earlier.
    pub(crate) fn sequencer(&self) -> MutexGuard<'_, Sequencer> {
        for _ in 0..looks(SPINS) {
            if let Some(sequencer) = self.sequencer.try_lock() {
                return sequencer;
            }
            std::hint::spin_loop();
        }
        self.sequencer.lock()
    }

    /// The last position that may be seen by anyone: the watermark, as far as the index has it.
    /// A frame may be written before the append that made it has told the index.
    pub(crate) fn durable(&self) -> Position {
        let (durable, sequenced) = (self.log.durable(), self.sequenced.load(SeqCst));
        match () {
            () if planted(Bug::IndexAheadOfLog) => Position::new(sequenced),
            () if planted(Bug::LogAheadOfIndex) => Position::new(durable),
            () => Position::new(durable.min(sequenced)),
        }
    }

    /// The last position that is in order and in the index, durable or not.
    pub(crate) fn sequenced(&self) -> Position {
        Position::new(self.sequenced.load(SeqCst))
    }

    /// Says that everything up to `position` is in the index. `SeqCst`, as all of the watermark:
    /// whoever raises the later of the two sees the other, and wakes those who wait.
    pub(crate) fn raise(&self, position: Position) {
        self.sequenced.store(position.get(), SeqCst);
    }

    /// Wakes those who wait for the watermark, if it was as far as the index is now before.
    pub(crate) fn announce(&self) {
        if self.log.durable() >= self.sequenced.load(SeqCst) {
            self.log.announce();
        }
    }
}
