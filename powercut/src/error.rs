//! Why a run ended without a good result.

use std::{io, path::PathBuf};

/// Why a run ended without a good result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PowercutError {
    /// This machine cannot do it. It is no success: the exit code is 3.
    #[error("not measured: {what}; {remedy}")]
    NotMeasured {
        /// What is missing.
        what: String,
        /// What to do about it.
        remedy: String,
    },
    /// The system refused.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was to be done.
        action: String,
        /// Why not.
        source: io::Error,
    },
    /// A program of the system failed.
    #[error("{program} failed: {said}")]
    Program {
        /// Which.
        program: String,
        /// What it said.
        said: String,
    },
    /// The store, or the filesystem below it, broke its word.
    #[error("{count} broken promise(s); the first: {first}")]
    Broken {
        /// How many were seen.
        count: u64,
        /// The first, and how to see it again.
        first: String,
    },
    /// The filesystem says that blocks of its own are damaged.
    #[error("{0}")]
    Damaged(String),
    /// The store broke its word while a workload ran.
    #[error("{0}")]
    BrokenWord(String),
    /// A planted defect was not noticed: the checks check nothing.
    #[error("not noticed: {0}; a check that cannot fail proves nothing")]
    NotNoticed(String),
    /// Fewer states were made than were asked for.
    #[error("only {made} of {wanted} states of {filesystem} were made")]
    TooFew {
        /// Of which filesystem.
        filesystem: &'static str,
        /// How many were made.
        made: u64,
        /// How many were asked for.
        wanted: u64,
    },
    /// A recording has no such state.
    #[error("{} has {count} states, from 0 on: there is no {number}", .recording.display())]
    NoSuchState {
        /// The recording's file.
        recording: PathBuf,
        /// How many states it has.
        count: u64,
        /// Which was asked for.
        number: u64,
    },
    /// There is no workload of that name.
    #[error("there is no workload {0}; `annals-powercut workloads` lists them")]
    NoSuchWorkload(String),
    /// Part of the program panicked.
    #[error("{0} panicked; that is a bug, please report it")]
    Panicked(&'static str),
}

impl PowercutError {
    /// Whether it is about the store, or the filesystem below it, and not about the machine.
    pub(crate) fn is_about_the_store(&self) -> bool {
        use PowercutError::{Broken, BrokenWord, Damaged, NotNoticed, TooFew};
        matches!(self, Broken { .. } | BrokenWord(_) | Damaged(_) | NotNoticed(_) | TooFew { .. })
    }

    /// What the program ends with: 3 where nothing was measured, otherwise 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NotMeasured { .. } => 3,
            _ => 1,
        }
    }

    /// Says what was to be done when the system refused.
    pub(crate) fn io(action: &str) -> impl Fn(io::Error) -> Self + use<> {
        let action = action.to_owned();
        move |source| Self::Io { action: action.clone(), source }
    }
}
