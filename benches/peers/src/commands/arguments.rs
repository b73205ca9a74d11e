//! What a run of commands is told.

use std::{num::NonZeroU32, path::PathBuf, time::Duration};

use annals_bench::report::Asked;
use clap::ValueEnum;
use eventcore::{BackoffStrategy, DelayMilliseconds, RetryPolicy};

/// Runs a workload of `annals-bench report` on EventCore, and prints its row as one line of JSON.
#[derive(Debug, clap::Args)]
pub(crate) struct Commands {
    /// Where EventCore keeps events.
    #[arg(long, value_enum)]
    pub(crate) backend: Backend,
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// Where files lie while they are measured: a directory on the disk in question.
    #[arg(long, default_value = "target/peers")]
    pub(crate) dir: PathBuf,
    /// The server of eventcore-postgres, as `postgres://user@host/database` or `host=... user=...
    /// dbname=...`. The run makes a database of its own there, and drops it.
    #[arg(long, value_name = "CONNECTION", required_if_eq("backend", "eventcore-postgres"))]
    pub(crate) postgres: Option<String>,
    /// How many connections eventcore-postgres has. 10 is its default.
    #[arg(long, default_value = "10")]
    pub(crate) connections: NonZeroU32,
    /// How commands are tried again after a conflict.
    #[arg(long, value_enum, default_value_t = Retry::Patient)]
    pub(crate) retry: Retry,
}

/// Where EventCore keeps events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    /// In memory.
    #[value(name = "eventcore-memory")]
    Memory,
    /// In a file of `SQLite`.
    #[value(name = "eventcore-sqlite")]
    Sqlite,
    /// In a file for each append.
    #[value(name = "eventcore-files")]
    Files,
    /// In a database of Postgres.
    #[value(name = "eventcore-postgres")]
    Postgres,
}

impl Backend {
    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// What it guarantees when a command is acknowledged.
    pub(crate) fn promise(self) -> &'static str {
        match self {
            Self::Memory => "nothing is kept: it is in memory",
            Self::Sqlite => "synced to disk by each commit: journal_mode WAL, synchronous FULL",
            Self::Files => {
                "synced to disk by each append: a file of its own and its directory, FsyncPolicy::Full"
            }
            Self::Postgres => {
                "synced to disk by the server, if its fsync and synchronous_commit are on"
            }
        }
    }
}

/// How commands are tried again after a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Retry {
    /// As EventCore does unless it is told otherwise: four times, after 10, 20, 40 and 80 ms.
    Default,
    /// Until it succeeds, after 2 ms each time: no command is lost.
    Patient,
}

const PATIENT_RETRIES: u32 = 10_000;
const PATIENT_DELAY: Duration = Duration::from_millis(2);

impl Retry {
    pub(crate) fn policy(self) -> RetryPolicy {
        let policy = RetryPolicy::new();
        match self {
            Self::Default => policy,
            Self::Patient => {
                let delay = u64::try_from(PATIENT_DELAY.as_millis()).unwrap_or_default();
                let delay_ms = DelayMilliseconds::new(delay);
                policy
                    .max_retries(PATIENT_RETRIES)
                    .backoff_strategy(BackoffStrategy::Fixed { delay_ms })
            }
        }
    }

    pub(crate) fn note(self) -> String {
        match self {
            Self::Default => {
                "retries: EventCore's default, 4 after 10, 20, 40 and 80 ms".to_owned()
            }
            Self::Patient => {
                format!(
                    "retries: up to {PATIENT_RETRIES}, each after {} ms",
                    PATIENT_DELAY.as_millis()
                )
            }
        }
    }
}
