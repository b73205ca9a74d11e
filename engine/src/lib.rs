//! The embedded store: open, append, read, subscribe.
//!
//! Start with [`Annals`].

mod annals;
mod encoding;
mod error;
mod events;
mod frames;
mod images;
mod inner;
mod known;
mod log_scan;
mod open;
mod options;
mod pending;
mod replay;
mod sequencer;
mod snapshot_files;
mod store;
mod stream_scan;
mod subscription;

pub use annals::{Annals, Stats};
pub use annals_wal::{
    Corruption, Directory, Disk, Environment, Failure, File, LogStats, Memory, OpenError, ReadMode,
    SyncPolicy, SystemEnvironment, Threads, TornTail,
};
pub use error::{AppendError, CloseError, Conflicts, ReadError};
pub use events::Events;
pub use options::Options;
pub use pending::Pending;
pub use snapshot_files::SnapshotFiles;
pub use subscription::{CommitDelivery, Delivery, Subscription};
