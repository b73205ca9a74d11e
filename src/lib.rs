#![doc = include_str!("../README.md")]

#[cfg(doctest)]
mod documents;

pub use annals_engine::{
    Annals, AppendError, CloseError, CommitDelivery, Conflicts, Corruption, Delivery, Directory,
    Disk, Environment, Events, Failure, File, LogStats, Memory, OpenError, Options, Pending,
    ReadError, ReadMode, SnapshotFiles, Stats, Subscription, SyncPolicy, SystemEnvironment,
    Threads, TornTail,
};
pub use annals_event::{
    Append, AppendFailure, CodecId, Committed, Conflict, Direction, EventId, EventType, EventView,
    ExpectedVersion, Filter, InvalidAppend, InvalidName, LogQuery, Malformed, Metadata, NewEvent,
    Position, ReadFrom, RecordedEvent, SchemaVersion, Sequenced, Snapshot, SnapshotStore, Store,
    StreamId, StreamQuery, StreamVersion, Timestamp, Versions, limits,
};
#[doc(hidden)]
pub use annals_executor::__private;
#[cfg(feature = "json")]
pub use annals_executor::Json;
#[cfg(feature = "msgpack")]
pub use annals_executor::MessagePack;
#[cfg(feature = "postcard")]
pub use annals_executor::Postcard;
pub use annals_executor::{
    Backoff, Bincode, CacheStats, Caching, Codec, CodecError, Command, CommandStreams, Decision,
    DecodeError, EncodeError, Event, EventSchema, ExecuteError, Executed, Executor,
    ExecutorOptions, IdempotencyKey, InvalidCommand, OldEvent, Payloads, PerStream, Recorded,
    Request, Retry, RetryPolicy, Sleep, Snapshots, StreamField, StreamState, SystemTimer, Timer,
    Upcasted, require,
};
