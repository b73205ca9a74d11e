//! The ways to go through a workload.

/// A way to go through a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Script {
    /// Nothing fails.
    Plain,
    /// Requests of the disk, or calls of the system, fail; then they work again.
    Failing,
    /// The filesystem is filled up; then there is room again.
    Full,
}

impl Script {
    /// As it is written on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Failing => "failing",
            Self::Full => "full",
        }
    }
}
