//! A segmented write-ahead log of numbered records, with group fsync. It knows nothing of events.
//!
//! `docs/format.md` is the specification of the bytes.

mod access;
mod address;
mod background;
mod checked;
mod commit;
mod disk;
mod environment;
mod error;
mod flusher;
mod format;
mod frame;
mod inspect;
mod judge;
mod layout;
mod log;
mod map;
mod memory;
mod mend;
mod mended;
#[cfg(all(test, annals_loom))]
mod models;
mod naming;
mod num;
mod observe;
mod options;
mod pace;
mod prepare;
mod reader;
mod recovery;
mod repair;
mod scan;
mod segment;
mod sidecar;
mod stats;
mod storage;
mod stretch;
mod syndrome;
mod tail;
mod ticket;
mod watermark;

pub use access::Access;
pub use address::Address;
pub use disk::Disk;
pub use environment::{Environment, SystemEnvironment, Threads};
pub use error::{Corruption, Failure, OpenError, PushError, ReadError};
pub use event_listener::{EventListener, Listener};
pub use format::{FORMAT_VERSION, FrameKind, Head, Header, body_checksum};
pub use frame::FrameView;
pub use inspect::{Ending, Frames, SegmentBytes, SegmentFile, Successor, list_segments};
pub use log::{Log, NotPushed, Pushed};
pub use map::Map;
pub use memory::Memory;
pub use mend::Bit;
pub use mended::Mended;
pub use options::{LogOptions, ReadMode, SyncPolicy};
pub use reader::{Pattern, Reader};
pub use recovery::{Replay, TornTail};
pub use repair::{Part, Repair, find_repairs, write_repairs};
pub use sidecar::Sidecar;
pub use stats::LogStats;
pub use storage::{Directory, File, LockError, WriterLock};
pub use stretch::Stretch;
pub use tail::NewFrame;
pub use ticket::Ticket;
