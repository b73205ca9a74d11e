//! One line of a write workload: who appends what, where to, and when that is acknowledged.

use std::{fmt, time::Duration};

use annals::{StreamId, SyncPolicy};

use crate::{
    error::BenchError,
    number::{human_count, wide},
    request::Request,
    shape::{BATCH, Shape},
};

/// What is measured: who appends what, where to, and when that is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) shape: Shape,
    pub(crate) callers: Callers,
    pub(crate) streams: Streams,
    pub(crate) answer: Answer,
    pub(crate) keeping: Keeping,
}

/// How many appends are in flight, and who waits for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Callers {
    /// Threads; each blocks until its append is durable.
    Threads(usize),
    /// tokio tasks; each awaits its append.
    Tasks(usize),
    /// One thread that keeps so many `Pending`s and waits for the oldest.
    Window(usize),
}

/// Which streams the callers append to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Streams {
    /// Every caller its own.
    Own,
    /// All callers these few.
    Shared(usize),
}

/// When a caller is told of a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// When what it conflicts with is durable: `Annals::append`.
    Durable,
    /// At once, as the executor is: `Store::append`.
    AtOnce,
}

/// Where the log is, and when an append is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeping {
    /// On disk, after a sync.
    Durable,
    /// On disk, synced every 10 ms, acknowledged before.
    Interval,
    /// On disk, never synced while it runs.
    Never,
    /// In memory.
    Memory,
}

impl Case {
    /// Durable, every caller with streams of its own.
    pub(crate) fn new(shape: Shape, callers: Callers) -> Self {
        let (streams, answer, keeping) = (Streams::Own, Answer::Durable, Keeping::Durable);
        Self { shape, callers, streams, answer, keeping }
    }

    /// The case that this one is compared with, besides the raw disk.
    pub(crate) fn base(&self) -> Option<Self> {
        if self.streams != Streams::Own {
            return Some(Self { streams: Streams::Own, answer: Answer::Durable, ..*self });
        }
        let is_two = self.callers == Callers::Threads(2) && self.keeping != Keeping::Durable;
        is_two.then_some(Self { callers: Callers::Threads(1), ..*self })
    }

    /// One request for each append that is in flight at once.
    pub(crate) fn requests(&self) -> Result<Vec<Request>, BenchError> {
        (0..self.callers.count())
            .map(|caller| Request::new(&self.shape, self.streams_of(caller)?))
            .collect()
    }

    fn streams_of(&self, caller: usize) -> Result<Vec<StreamId>, BenchError> {
        let name = |index: usize| match self.streams {
            Streams::Own => format!("own-{caller}-{index}"),
            Streams::Shared(count) => format!("shared-{}", (caller + index) % count),
        };
        let count = match self.streams {
            Streams::Own => self.shape.streams,
            Streams::Shared(count) => self.shape.streams.min(count),
        };
        (0..count).map(|index| Ok(StreamId::new(&name(index))?)).collect()
    }

    /// What one of these is called in a rate.
    pub(crate) fn unit(&self) -> &'static str {
        if self.shape == BATCH { "events/s" } else { "commits/s" }
    }

    /// How many units one append counts for.
    pub(crate) fn units(&self) -> u64 {
        if self.shape == BATCH { wide(self.shape.events) } else { 1 }
    }

    /// What a plot calls the cases that only differ by the number of callers.
    pub(crate) fn series(&self) -> String {
        let mut parts = Vec::new();
        if self.keeping != Keeping::Durable {
            parts.push(format!("{}, {}", self.shape.name, self.keeping));
        }
        if let Streams::Shared(_) = self.streams {
            parts.push(format!("{}, {}, {}", self.shape.name, self.streams, self.answer));
        }
        parts.push(self.callers.kind().to_owned());
        parts.join(", ")
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, ", self.shape.name)?;
        if self.keeping != Keeping::Durable {
            write!(f, "{}, ", self.keeping)?;
        }
        write!(f, "{}", self.callers)?;
        if let Streams::Shared(_) = self.streams {
            write!(f, ", {}, {}", self.streams, self.answer)?;
        }
        Ok(())
    }
}

impl Callers {
    pub(crate) fn count(self) -> usize {
        let (Self::Threads(count) | Self::Tasks(count) | Self::Window(count)) = self;
        count
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Threads(_) => "threads",
            Self::Tasks(_) => "tasks",
            Self::Window(_) => "one thread with a window",
        }
    }
}

/// With thousands apart.
fn count_of(callers: usize) -> String {
    human_count(wide(callers))
}

impl fmt::Display for Callers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Threads(1) => f.write_str("1 thread"),
            Self::Threads(count) => write!(f, "{} threads", count_of(*count)),
            Self::Tasks(count) => write!(f, "{} tasks", count_of(*count)),
            Self::Window(count) => write!(f, "1 thread, window of {}", count_of(*count)),
        }
    }
}

impl fmt::Display for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => f.write_str("own streams"),
            Self::Shared(1) => f.write_str("all on 1 stream"),
            Self::Shared(count) => write!(f, "all on {count} streams"),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Durable => "told when durable",
            Self::AtOnce => "told at once",
        })
    }
}

impl Keeping {
    /// `None`: in memory.
    pub(crate) fn sync_policy(self) -> Option<SyncPolicy> {
        match self {
            Self::Durable => Some(SyncPolicy::Always),
            Self::Interval => Some(SyncPolicy::Interval(Duration::from_millis(10))),
            Self::Never => Some(SyncPolicy::Never),
            Self::Memory => None,
        }
    }
}

impl fmt::Display for Keeping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Durable => "durable",
            Self::Interval => "Interval(10 ms)",
            Self::Never => "Never",
            Self::Memory => "in memory",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::{MULTI, SINGLE};

    fn hot(shape: Shape, count: usize) -> Case {
        Case { streams: Streams::Shared(count), ..Case::new(shape, Callers::Threads(2)) }
    }

    #[test]
    fn callers_share_streams_only_when_told_to() {
        let names = |case: Case, caller| -> Vec<String> {
            case.streams_of(caller).unwrap().iter().map(ToString::to_string).collect()
        };
        let own = Case::new(MULTI, Callers::Threads(2));
        assert_eq!(names(own, 1), ["own-1-0", "own-1-1", "own-1-2", "own-1-3"]);
        assert_eq!(names(hot(SINGLE, 4), 5), ["shared-1"]);
        assert_eq!(names(hot(MULTI, 4), 1), ["shared-1", "shared-2", "shared-3", "shared-0"]);
        assert_eq!(names(hot(MULTI, 1), 1), ["shared-0"]);
    }

    #[test]
    fn hot_streams_are_compared_with_own_ones() {
        let own = Case::new(SINGLE, Callers::Threads(2));
        assert_eq!(hot(SINGLE, 4).base(), Some(own));
        assert_eq!(own.base(), None);
    }

    #[test]
    fn without_syncs_two_threads_are_compared_with_one() {
        let of =
            |count| Case { keeping: Keeping::Memory, ..Case::new(SINGLE, Callers::Threads(count)) };
        assert_eq!(of(2).base(), Some(of(1)));
        assert_eq!(of(16).base(), None);
    }
}
