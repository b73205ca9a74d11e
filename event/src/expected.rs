//! What an append expects of a stream, and what it hears when it expected wrong.

use std::fmt;

use crate::{ordinal::StreamVersion, stream_id::StreamId};

/// What an append expects of a stream, written or only read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedVersion {
    /// Anything.
    Any,
    /// No events yet.
    NoStream,
    /// At least one event.
    Exists,
    /// Exactly this many events; `Exactly(ZERO)` says the same as `NoStream`.
    Exactly(StreamVersion),
}

impl ExpectedVersion {
    /// Whether a stream at `actual` is as expected.
    pub fn holds(self, actual: StreamVersion) -> bool {
        match self {
            Self::Any => true,
            Self::NoStream => actual == StreamVersion::ZERO,
            Self::Exists => actual > StreamVersion::ZERO,
            Self::Exactly(version) => actual == version,
        }
    }

    /// Whether both say the same.
    pub(crate) fn agrees_with(self, other: Self) -> bool {
        self.normal() == other.normal()
    }

    fn normal(self) -> Self {
        if self == Self::NoStream { Self::Exactly(StreamVersion::ZERO) } else { self }
    }
}

impl fmt::Display for ExpectedVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any version"),
            Self::NoStream => f.write_str("no events"),
            Self::Exists => f.write_str("at least one event"),
            Self::Exactly(version) => write!(f, "version {version}"),
        }
    }
}

/// A stream was not as expected. Nothing was appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The stream.
    pub stream: StreamId,
    /// What was expected.
    pub expected: ExpectedVersion,
    /// The version it had.
    pub actual: StreamVersion,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "stream {} was expected to have {} and is at version {}",
            self.stream, self.expected, self.actual
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expectations_hold_where_they_should() {
        use ExpectedVersion::{Any, Exactly, Exists, NoStream};
        let held: Vec<[bool; 2]> =
            [Any, NoStream, Exists, Exactly(StreamVersion::ZERO), Exactly(StreamVersion::new(2))]
                .iter()
                .map(|e| [e.holds(StreamVersion::ZERO), e.holds(StreamVersion::new(2))])
                .collect();
        let expected = [[true, true], [true, false], [false, true], [true, false], [false, true]];
        assert_eq!(held, expected);
    }
}
