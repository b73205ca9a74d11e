//! Why there is no comparison.

use std::{io, path::PathBuf};

use annals_bench::BenchError;

use crate::system::Failure;

/// Why there is no comparison.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PeersError {
    /// It cannot be measured or written.
    #[error(transparent)]
    Bench(#[from] BenchError),
    /// The page cannot be written.
    #[error("{page} cannot be written: {source}; choose another place with --out")]
    Page {
        /// The file.
        page: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Annals itself failed or lost something; everything is written nevertheless.
    #[error("annals failed or lost something {times} times; that is a bug, please report it")]
    Annals {
        /// How often.
        times: usize,
    },
    /// A backend of EventCore cannot be used.
    #[error("{backend} cannot be used: {source}")]
    Backend {
        /// The backend.
        backend: String,
        /// Why not.
        source: Failure,
    },
    /// A backend does not hold what it acknowledged.
    #[error("{backend} does not hold what it acknowledged: {difference}")]
    Unequal {
        /// The backend.
        backend: String,
        /// What differs first.
        difference: String,
    },
    /// Files cannot be written there.
    #[error("{directory} cannot be written to: {source}; choose another one with --dir")]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A server does not do what it must.
    #[error(
        "the Postgres server at {host}, port {port}, cannot be used: {source}; the run needs one \
         on which it may create a database"
    )]
    Server {
        /// Where it is.
        host: String,
        /// At which port.
        port: u16,
        /// Why it cannot.
        source: Failure,
    },
    /// What was given is no connection.
    #[error(
        "--postgres: {what}; it is like postgres://user@host/database or `host=... user=... \
         dbname=...`"
    )]
    Connection {
        /// What is wrong with it.
        what: String,
    },
    /// The system does not let callers run.
    #[error("callers cannot be started: {0}")]
    Runtime(io::Error),
    /// The row cannot be written.
    #[error("the row cannot be written: {0}")]
    Row(#[from] serde_json::Error),
    /// Somebody ended the run.
    #[error("interrupted: there is no row")]
    Interrupted,
}
