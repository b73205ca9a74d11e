//! Why a command could not do its work at all. What is wrong with a log is not an error here: it
//! is what the commands show.

use std::io;

use annals_wal::OpenError;

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DumpError {
    /// The directory cannot be opened.
    #[error("cannot open {directory}: {source}; {}", advice(.source))]
    Directory {
        /// What was given as the log's directory.
        directory: String,
        /// What the system said.
        source: io::Error,
    },
    /// The directory has no segment.
    #[error(
        "{directory} holds no log: there is no segment (*.seg) in it; \
         give the directory that the store was opened in"
    )]
    NoLog {
        /// The directory.
        directory: String,
    },
    /// A file cannot be read for want of permission.
    #[error("{0}; run log-dump as a user who may read the store's files")]
    NotAllowed(String),
    /// A writer has the log open.
    #[error("{directory} is open for writing by {holder}; close it there before it is repaired")]
    InUse {
        /// The directory.
        directory: String,
        /// Who has it.
        holder: String,
    },
    /// The writer's lock cannot be taken.
    #[error(
        "cannot lock {directory}: {source}; \
         run log-dump as the user who owns the store, where it can be written"
    )]
    NoLock {
        /// The directory.
        directory: String,
        /// What the system said.
        source: io::Error,
    },
    /// The directory cannot be listed, or a repair not be made.
    #[error(transparent)]
    Log(#[from] OpenError),
    /// The result cannot be written.
    #[error("cannot write the output: {0}; see where it goes")]
    Output(#[from] io::Error),
}

impl DumpError {
    /// Whether whoever read the output has gone: nothing is wrong, and nobody is to be told.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "run log-dump as a user who may read it",
        io::ErrorKind::NotADirectory => "give the directory that the file is in",
        _ => "give the directory that the store was opened in",
    }
}
