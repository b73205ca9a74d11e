//! Commands: read what they need, decide, append if nothing moved, else decide again.
//!
//! A [`Command`] is pure; an [`Executor`] runs it on any [`annals_event::Store`]. Decisions are
//! made on sequenced events, which may not be durable yet; whatever is told to the caller waits
//! until it is, rejections included.

mod codec;
mod command;
mod error;
mod event;
mod execution;
mod executor;
mod payloads;
mod recorded;

pub use codec::{Bincode, Codec, CodecError};
pub use command::{Command, CommandStreams, Decision};
pub use error::{ExecuteError, InvalidCommand};
pub use event::Event;
pub use execution::Executed;
pub use executor::Executor;
pub use payloads::{DecodeError, EncodeError, Payloads};
pub use recorded::Recorded;
