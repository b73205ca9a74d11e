//! `log-dump`: looks into the log of an Annals store without opening it. It takes no lock, writes
//! nothing, and works beside a writer and on damaged logs. Only `repair --write` writes, and locks.
//!
//! A command is a function from a [`LogDirectory`] to lines of text; the binary is [`run`].

mod cli;
mod commit;
mod console;
mod contents;
mod error;
mod escape;
mod events;
mod frames;
mod image;
mod json;
mod log_directory;
mod problem;
mod progress;
mod repair;
mod segments;
mod streams;
mod time;
mod verify;
mod versions;
mod walk;
mod words;

pub use cli::{Arguments, run};
pub use console::{Console, Outcome};
pub use error::DumpError;
pub use escape::{escape, is_hidden, quote};
pub use events::{Selection, events};
pub use frames::frames;
pub use log_directory::LogDirectory;
pub use repair::{RepairMode, repair};
pub use segments::segments;
pub use streams::streams;
pub use verify::verify;
