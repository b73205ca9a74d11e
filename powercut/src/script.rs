//! The ways to go through a workload.

/// A way to go through a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Script {
    /// Nothing fails.
    Plain,
    /// Requests of the disk, or calls of the system, fail; then they work again.
    Failing,
    /// Calls of the system fail for ever, until this process ends: another goes on.
    Sick,
    /// What the disk holds cannot be read; then it can again.
    Unreadable,
    /// The filesystem is filled up; then there is room again.
    Full,
}

impl Script {
    /// Whether the disk or calls of the system fail on purpose.
    pub(crate) fn is_failing(self) -> bool {
        matches!(self, Self::Failing | Self::Sick | Self::Unreadable)
    }

    /// What another process goes on with, on the same mount, when one has ended for a reason that
    /// the script knows.
    pub(crate) fn next(self) -> Self {
        match self {
            Self::Unreadable => Self::Plain,
            Self::Sick | Self::Failing => Self::Failing,
            Self::Plain | Self::Full => self,
        }
    }

    /// As it is written on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Failing => "failing",
            Self::Sick => "sick",
            Self::Unreadable => "unreadable",
            Self::Full => "full",
        }
    }
}
