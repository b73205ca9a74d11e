//! What is measured when systems append.

use std::fmt;

use annals_bench::{BATCH, MULTI, Random, SINGLE, Shape};

use crate::{
    append::{Append, Stream},
    system::{Peer, Role},
};

/// What is measured: what each append is, and how many callers make them at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) shape: Shape,
    pub(crate) callers: u32,
    /// All callers append to the same stream.
    pub(crate) is_hot: bool,
}

const fn own(shape: Shape, callers: u32) -> Case {
    Case { shape, callers, is_hot: false }
}

/// On a disk.
pub(crate) const ON_DISK: &[Case] = &[
    own(BATCH, 1),
    own(SINGLE, 1),
    own(SINGLE, 16),
    own(SINGLE, 100),
    own(MULTI, 1),
    own(MULTI, 16),
    own(MULTI, 50),
    Case { shape: SINGLE, callers: 16, is_hot: true },
];

/// In memory that looks like a disk: what the processor makes of it.
pub(crate) const ON_TMPFS: &[Case] =
    &[own(BATCH, 1), own(SINGLE, 1), own(SINGLE, 16), own(SINGLE, 100)];

/// Who is measured there: the others would show what a disk does for them, or against them.
pub(crate) const PEERS_ON_TMPFS: &[&str] = &["annals", "annals-tasks", "tephra", "tephra-tasks"];

impl Case {
    /// Whether a system is measured: grouping needs company.
    pub(crate) fn admits(&self, peer: &Peer) -> bool {
        self.callers > 1 || !matches!(peer.role, Role::Way(_))
    }

    /// A request for each caller.
    pub(crate) fn requests(&self) -> Vec<Append> {
        let count = u32::try_from(self.shape.streams).unwrap_or(u32::MAX);
        let request = |caller: u32| {
            let first = if self.is_hot { 1 } else { 1 + caller * count };
            let streams = (first..first + count).map(Stream::new).collect();
            Append::new(&self.shape, streams, &mut Random::new(u64::from(caller)))
        };
        (0..self.callers).map(request).collect()
    }

    /// What a rate counts: events of batches, commits otherwise.
    pub(crate) fn unit(&self) -> &'static str {
        if self.shape == BATCH { "events/s" } else { "commits/s" }
    }

    /// How many units an append has.
    pub(crate) fn units(&self) -> f64 {
        if self.shape == BATCH {
            annals_bench::float(annals_bench::wide(self.shape.events))
        } else {
            1.0
        }
    }

    /// A name for files.
    pub(crate) fn slug(&self) -> String {
        let hot = if self.is_hot { "hot-" } else { "" };
        format!("{hot}{}-{}", self.shape.name.to_lowercase(), self.callers)
    }

    /// What an append is, in words.
    pub(crate) fn prose(&self) -> String {
        let what = match (self.shape.events, self.shape.streams) {
            (1, _) => "Each append has one event for a stream".to_owned(),
            (events, streams) if events == streams => {
                format!("Each append has one event for each of {streams} streams")
            }
            (events, streams) => format!("Each append has {events} events over {streams} streams"),
        };
        let whose = match (self.is_hot, self.shape.streams) {
            (true, _) => {
                "that all callers share. A caller that conflicts tries again at the version it was told."
            }
            (false, 1) => "of its caller.",
            (false, _) => "of its caller, all expected.",
        };
        format!("{what} {whose}")
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let callers = if self.callers == 1 { "caller" } else { "callers" };
        write!(f, "{}, {} {callers}", self.shape.name, self.callers)?;
        if self.is_hot { f.write_str(" on one stream") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn callers_have_streams_of_their_own_unless_it_is_hot() {
        for case in ON_DISK {
            let streams = |append: &Append| -> Vec<u32> {
                append.targets.iter().map(|target| target.stream.number).collect()
            };
            let all: Vec<u32> = case.requests().iter().flat_map(streams).collect();
            let different = all.iter().collect::<HashSet<_>>().len();
            assert_eq!(different, if case.is_hot { 1 } else { all.len() }, "{case}");
            assert!(!all.contains(&0));
        }
    }

    #[test]
    fn every_case_has_a_name_of_its_own() {
        let names: HashSet<String> = ON_DISK.iter().map(Case::slug).collect();
        assert_eq!(names.len(), ON_DISK.len());
        assert_eq!(ON_DISK.last().unwrap().to_string(), "W2, 16 callers on one stream");
    }
}
