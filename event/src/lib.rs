//! The words of Annals: events, streams, versions, positions, expectations, and the bytes of a
//! commit. Pure data: no I/O, no clock, no threads.
//!
//! Everything above knows these words; the log below ([`annals-wal`]) does not.
//!
//! [`annals-wal`]: https://docs.rs/annals-wal

pub mod limits;

mod append;
mod commit_events;
mod commit_head;
mod commit_tables;
mod decode;
mod encode;
mod event;
mod event_id;
mod event_type;
mod event_view;
mod expected;
mod metadata;
mod name;
mod ordinal;
mod query;
mod snapshot_store;
mod store;
mod stream_id;
mod wire;

pub use append::{Append, Committed, InvalidAppend, Versions};
pub use commit_events::Events;
pub use commit_head::CommitHead;
pub use decode::CommitView;
pub use encode::{Encoder, StreamUse};
pub use event::{NewEvent, RecordedEvent, Timestamp};
pub use event_id::EventId;
pub use event_type::{CodecId, EventType, SchemaVersion};
pub use event_view::EventView;
pub use expected::{Conflict, ExpectedVersion};
pub use metadata::Metadata;
pub use name::InvalidName;
pub use ordinal::{Position, StreamVersion};
pub use query::{Direction, Filter, LogQuery, StreamQuery};
pub use snapshot_store::SnapshotStore;
pub use store::{AppendFailure, ReadFrom, Sequenced, Snapshot, Store};
pub use stream_id::StreamId;
pub use wire::Malformed;
