//! Why a benchmark ended without a result.

use std::{
    io,
    path::{Path, PathBuf},
};

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
    /// The system refused what was to be done with a file that is measured.
    #[error("cannot {action} {}: {source}; another place is chosen with --dir", path.display())]
    File {
        /// What was to be done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The system does not have a way to write, or does not allow it.
    #[error("not available: {0}")]
    NotAvailable(io::Error),
    /// Latencies could not be counted.
    #[error("latencies cannot be counted: {0}")]
    Latency(String),
    /// A plot could not be drawn.
    #[error("a plot cannot be drawn: {0}")]
    Plot(String),
    /// Counts of this build say nothing about what users run.
    #[error("this is a debug build; count with `cargo run --release -p annals-bench -- count`")]
    DebugBuild,
    /// Valgrind did not count.
    #[error("valgrind did not count instructions: {0}")]
    Valgrind(String),
    /// There is no hot path of this name.
    #[error("there is no hot path {0:?}")]
    UnknownPath(String),
    /// Something runs beside the operations that are counted.
    #[error("{path}: {threads} threads run, and counts are for the caller's alone")]
    Threads {
        /// The hot path.
        path: &'static str,
        /// How many there are.
        threads: usize,
    },
    /// A log became so full that preparing the next segment was counted, too.
    #[error("{0}: its log fills half of a segment, so counts are not for its operations alone")]
    HalfFull(&'static str),
    /// The file with recorded counts cannot be used.
    #[error("{file}: {source}; name the file with recorded counts, or one that can be written")]
    RecordFile {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A record of counts is damaged.
    #[error("{file}, line {line}: {what}; restore it, or make it anew with `count --record`")]
    Record {
        /// The record.
        file: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Hot paths take more instructions than recorded, or are not recorded.
    #[error(
        "these hot paths are worse than recorded, or in only one of the two: {0}; make them \
         better, or record again and say in the commit why"
    )]
    Instructions(String),
    /// A report was not made.
    #[error(transparent)]
    Report(#[from] crate::report::error::ReportError),
    /// A caller ended without saying why.
    #[error("a caller panicked")]
    Panicked,
}

impl BenchError {
    /// Says what was to be done with which file.
    pub(crate) fn of_file(action: &'static str, path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::File { action, path: path.to_owned(), source }
    }

    /// As [`BenchError::of_file`], where not every system can do what is tried.
    pub(crate) fn of_way(action: &'static str, path: &Path) -> impl Fn(io::Error) -> Self {
        use io::ErrorKind::{InvalidInput, OutOfMemory, PermissionDenied, Unsupported};
        // What is forbidden has EPERM, what a file system does not know EINVAL; a limit on locked
        // memory is ENOMEM.
        move |source| match source.kind() {
            Unsupported | InvalidInput | PermissionDenied | OutOfMemory => {
                Self::NotAvailable(source)
            }
            _ => Self::of_file(action, path)(source),
        }
    }
}

/// Says what was to be done when the system refused.
pub(crate) fn io_error(action: &'static str) -> impl Fn(io::Error) -> BenchError {
    move |source| BenchError::Io { action, source }
}
