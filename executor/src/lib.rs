//! Commands: read what they need, decide, append if nothing moved, else decide again.
//!
//! A [`Command`] is pure; an [`Executor`] runs it on any [`annals_event::Store`]. Decisions are
//! made on sequenced events, which may not be durable yet; whatever is told to the caller waits
//! until it is, rejections included.

#[doc(hidden)]
pub mod __private;
mod codec;
mod command;
mod content;
mod decision;
mod error;
mod event;
mod event_error;
mod payloads;
mod recorded;
mod require;
mod stream_field;
mod upcast;

mod caching;
mod per_stream;
mod snapshot;
mod snapshot_keeper;
mod state_cache;
mod stream_index;
mod turns;

mod idempotency;
mod request;
mod retry;
mod timer;

mod meter;
mod observe;

mod basis;
mod execution;
mod executor;
mod guard;
mod options;
mod outcome;

mod block_on;
mod deadline;
mod join;

#[cfg(feature = "derive")]
pub use annals_derive::{Command, Event};
pub use caching::Caching;
#[cfg(feature = "json")]
pub use codec::json::Json;
#[cfg(feature = "msgpack")]
pub use codec::message_pack::MessagePack;
#[cfg(feature = "postcard")]
pub use codec::postcard::Postcard;
pub use codec::{Codec, CodecError, bincode::Bincode};
pub use command::{Command, CommandStreams};
pub use decision::Decision;
pub use error::{ExecuteError, InvalidCommand};
pub use event::{Event, EventSchema};
pub use event_error::{DecodeError, EncodeError};
pub use executor::Executor;
pub use idempotency::IdempotencyKey;
pub use options::ExecutorOptions;
pub use outcome::Executed;
pub use payloads::Payloads;
pub use per_stream::{PerStream, StreamState};
pub use recorded::Recorded;
pub use request::Request;
pub use retry::{Backoff, Retry, RetryPolicy};
pub use snapshot::Snapshots;
pub use state_cache::CacheStats;
pub use stream_field::StreamField;
pub use timer::{Sleep, SystemTimer, Timer};
pub use upcast::{OldEvent, Upcasted};
