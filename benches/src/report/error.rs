//! Why a report was not made.

/// Why a report was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// Outcomes of commands do not add up to what was asked for.
    #[error(
        "{workload} on {backend}: {accepted} accepted + {rejected} rejected + {conflicts} conflicts + \
         {failed} failed is not the {asked} that were asked for; that is a bug of the harness"
    )]
    Sums {
        /// The workload.
        workload: String,
        /// Where it ran.
        backend: String,
        /// How many commands were to run.
        asked: u64,
        /// How many happened.
        accepted: u64,
        /// How many the rules refused.
        rejected: u64,
        /// How many gave up after conflicts.
        conflicts: u64,
        /// How many failed otherwise.
        failed: u64,
    },
    /// A row says something that cannot be.
    #[error("{workload} on {backend}: {what}; that is a bug of the harness")]
    Impossible {
        /// The workload.
        workload: String,
        /// Where it ran.
        backend: String,
        /// What is wrong.
        what: String,
    },
    /// All commands were settled, and the state afterwards is another than it must be.
    #[error(
        "{workload} on {backend}: the state afterwards is {actual}, and must be {expected}; events \
         were lost, doubled or misplaced"
    )]
    State {
        /// The workload.
        workload: String,
        /// Where it ran.
        backend: String,
        /// The digest of the state that must be.
        expected: String,
        /// The digest of the state that is.
        actual: String,
    },
    /// A run ended without a row.
    #[error("{workload} on {backend} was not measured: {said}")]
    Child {
        /// The workload.
        workload: String,
        /// Where it was to run.
        backend: String,
        /// What its process said.
        said: String,
    },
    /// The program that runs EventCore is not where it is said to be.
    #[error(
        "there is no program {}; build it with `cargo build --release --manifest-path \
         benches/peers/Cargo.toml`, or leave --peers away", program.display()
    )]
    NoPeers {
        /// Where it is said to be.
        program: std::path::PathBuf,
    },
    /// There is no Postgres server.
    #[error("no Postgres server: {0}")]
    NoServer(String),
    /// A file with results of a report cannot be used.
    #[error("{}: {what}", file.display())]
    Results {
        /// The file.
        file: std::path::PathBuf,
        /// What is wrong with it, and what to do.
        what: String,
    },
}
