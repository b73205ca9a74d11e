//! Why there is no comparison.

use std::{io, path::PathBuf};

use annals_bench::BenchError;

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
}
