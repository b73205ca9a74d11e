//! Why a benchmark ended without a result.

use std::{io, path::PathBuf};

/// Why a benchmark ended without a result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// A directory that was asked for cannot be written to.
    #[error("{directory} cannot be written to: {source}; choose another one with {option}")]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// Which option names it.
        option: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// The store could not be opened.
    #[error(transparent)]
    Open(#[from] annals::OpenError),
    /// An append failed for another reason than a conflict.
    #[error(transparent)]
    Append(#[from] annals::AppendError),
    /// Events could not be read.
    #[error(transparent)]
    Read(#[from] annals::ReadError),
    /// The store could not be closed.
    #[error(transparent)]
    Close(#[from] annals::CloseError),
    /// A workload made a name that is none.
    #[error(transparent)]
    Name(#[from] annals::InvalidName),
    /// A command failed for another reason than a conflict.
    #[error("a command failed: {0}")]
    Command(String),
    /// The log does not hold what was acknowledged.
    #[error("the log does not hold what was acknowledged: {0}; that is a bug, please report it")]
    Lost(String),
    /// The system refused.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was to be done.
        action: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// Latencies could not be counted.
    #[error("latencies cannot be counted: {0}")]
    Latency(String),
    /// A plot could not be drawn.
    #[error("a plot cannot be drawn: {0}")]
    Plot(String),
    /// A caller ended without saying why.
    #[error("a caller panicked")]
    Panicked,
}

/// Says what was to be done when the system refused.
pub(crate) fn io_error(action: &'static str) -> impl Fn(io::Error) -> BenchError {
    move |source| BenchError::Io { action, source }
}
