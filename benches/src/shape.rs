//! What one append looks like.

/// How many bytes every event carries.
pub const PAYLOAD_BYTES: usize = 100;

/// What one append looks like: how many events, spread over how many streams in turn. Every
/// stream is expected at its exact version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// The workload that is about it.
    pub name: &'static str,
    /// How many events it has.
    pub events: usize,
    /// Over how many streams they are spread.
    pub streams: usize,
}

/// Many events, few streams: an import, or a command with a large result.
pub const BATCH: Shape = Shape { name: "W1", events: 100, streams: 5 };

/// One event: most commands.
pub const SINGLE: Shape = Shape { name: "W2", events: 1, streams: 1 };

/// One event in each of four streams: a command over several entities.
pub const MULTI: Shape = Shape { name: "W3", events: 4, streams: 4 };
