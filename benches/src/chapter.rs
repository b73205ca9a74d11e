//! What a line of the result belongs to.

use std::fmt;

use crate::{disk::part::Part, workload::Workload};

/// What a line of the result belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chapter {
    Workload(Workload),
    Disk(Part),
}

/// All of them, in the order in which a page has them.
pub(crate) fn all() -> impl Iterator<Item = Chapter> {
    let workloads = crate::workload::ALL.into_iter().map(Chapter::Workload);
    workloads.chain(crate::disk::part::ALL.into_iter().map(Chapter::Disk))
}

impl Chapter {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Workload(workload) => workload.title(),
            Self::Disk(part) => part.title(),
        }
    }

    pub(crate) fn prose(self) -> &'static str {
        match self {
            Self::Workload(workload) => workload.prose(),
            Self::Disk(part) => part.prose(),
        }
    }
}

impl From<Workload> for Chapter {
    fn from(workload: Workload) -> Self {
        Self::Workload(workload)
    }
}

impl From<Part> for Chapter {
    fn from(part: Part) -> Self {
        Self::Disk(part)
    }
}

impl PartialEq<Workload> for Chapter {
    fn eq(&self, workload: &Workload) -> bool {
        *self == Self::Workload(*workload)
    }
}

impl fmt::Display for Chapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workload(workload) => workload.fmt(f),
            Self::Disk(part) => part.fmt(f),
        }
    }
}
