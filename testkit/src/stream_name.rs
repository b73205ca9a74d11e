//! Streams, named as a test likes to.

use annals_event::StreamId;

use crate::fail::or_fail;

/// What names a stream in a test: a `StreamId`, or its text.
pub trait StreamName {
    /// The stream.
    ///
    /// # Panics
    /// The text is no valid name of a stream.
    fn stream(self) -> StreamId;
}

impl StreamName for StreamId {
    fn stream(self) -> StreamId {
        self
    }
}

impl StreamName for &StreamId {
    fn stream(self) -> StreamId {
        self.clone()
    }
}

impl StreamName for &str {
    #[track_caller]
    fn stream(self) -> StreamId {
        or_fail("the name of a stream in the test", StreamId::new(self))
    }
}

impl StreamName for String {
    #[track_caller]
    fn stream(self) -> StreamId {
        self.as_str().stream()
    }
}
