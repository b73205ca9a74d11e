//! What to read: of a stream, of the whole log.

use crate::ordinal::{Position, StreamVersion};

/// Oldest first or newest first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Direction {
    /// Oldest first.
    #[default]
    Forward,
    /// Newest first.
    Backward,
}

/// Which events of one stream, and in which order. Everything, oldest first, unless said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StreamQuery {
    /// The order.
    pub direction: Direction,
    /// The first version to return, itself included: the lowest when reading forward, the
    /// highest when reading backward. `None`: from the stream's end in that direction.
    pub from: Option<StreamVersion>,
    /// At most this many events.
    pub limit: Option<u64>,
}

impl StreamQuery {
    /// Oldest first.
    pub fn forward() -> Self {
        Self::default()
    }

    /// Newest first.
    pub fn backward() -> Self {
        Self { direction: Direction::Backward, ..Self::default() }
    }

    /// Starting with this version.
    #[must_use]
    pub fn from(mut self, version: StreamVersion) -> Self {
        self.from = Some(version);
        self
    }

    /// At most this many events.
    #[must_use]
    pub fn limit(mut self, events: u64) -> Self {
        self.limit = Some(events);
        self
    }
}

/// Which events of the log, and in which order. Everything, oldest first, unless said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// The order.
    pub direction: Direction,
    /// The first position to return, itself included. `None`: from the log's end in that
    /// direction.
    pub from: Option<Position>,
    /// At most this many events, counted after the filter.
    pub limit: Option<u64>,
    /// Which events at all.
    pub filter: Filter,
}

impl LogQuery {
    /// Oldest first.
    pub fn forward() -> Self {
        Self::default()
    }

    /// Newest first.
    pub fn backward() -> Self {
        Self { direction: Direction::Backward, ..Self::default() }
    }

    /// Starting with this position.
    #[must_use]
    pub fn from(mut self, position: Position) -> Self {
        self.from = Some(position);
        self
    }

    /// At most this many events, counted after the filter.
    #[must_use]
    pub fn limit(mut self, events: u64) -> Self {
        self.limit = Some(events);
        self
    }

    /// Only events that pass.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }
}

/// Which events pass: those whose stream begins with one of the prefixes (or any, if none is
/// given) *and* whose type is one of the types (or any). Bytes are compared as they are: no
/// case folding, no wildcards.
///
/// ```
/// use annals_event::Filter;
///
/// let filter = Filter::all().stream_prefix("account-").event_type("Deposited");
/// assert!(filter.passes("account-1", "Deposited"));
/// assert!(!filter.passes("Account-1", "Deposited"));
/// assert!(!filter.passes("account-1", "Withdrawn"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    stream_prefixes: Vec<String>,
    event_types: Vec<String>,
}

impl Filter {
    /// Everything passes.
    pub fn all() -> Self {
        Self::default()
    }

    /// Also streams with this prefix.
    #[must_use]
    pub fn stream_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.stream_prefixes.push(prefix.into());
        self
    }

    /// Also events of this type.
    #[must_use]
    pub fn event_type(mut self, event_type: impl Into<String>) -> Self {
        self.event_types.push(event_type.into());
        self
    }

    /// Whether an event of this stream and type passes.
    pub fn passes(&self, stream: &str, event_type: &str) -> bool {
        let stream_passes = self.stream_prefixes.is_empty()
            || self.stream_prefixes.iter().any(|prefix| stream.starts_with(prefix));
        let type_passes =
            self.event_types.is_empty() || self.event_types.iter().any(|name| name == event_type);
        stream_passes && type_passes
    }
}
