//! What a command decides on.

use annals_event::{EventId, StreamId};

/// Events that a command decided on, in order; perhaps none.
///
/// ```
/// use annals_executor::Decision;
/// use annals_event::{EventId, StreamId};
///
/// let [from, to] = ["from", "to"].map(StreamId::new);
/// let decision = Decision::one(from?, "sent").and(to?, "received").with_tag("transfer");
/// # Ok::<(), annals_event::InvalidName>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision<E> {
    pub(crate) events: Vec<Decided<E>>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decided<E> {
    pub(crate) stream: StreamId,
    pub(crate) event: E,
    pub(crate) id: Option<EventId>,
    pub(crate) tags: Vec<String>,
}

impl<E> Decision<E> {
    /// There is nothing to do. That is as consistent as any other decision: it held at one
    /// position of the log.
    pub fn nothing() -> Self {
        Self { events: Vec::new() }
    }

    /// One event.
    pub fn one(stream: StreamId, event: E) -> Self {
        Self { events: vec![Decided::new(stream, event)] }
    }

    /// With one more event. Its stream must be one that the command declared or discovered.
    #[must_use]
    pub fn and(mut self, stream: StreamId, event: E) -> Self {
        self.events.push(Decided::new(stream, event));
        self
    }

    /// With an id for the event that was added last. All events of a decision have ids or none;
    /// with an idempotency key they have those of the key. A decision whose ids are in the log
    /// already is not appended again.
    #[must_use]
    pub fn with_id(mut self, id: EventId) -> Self {
        if let Some(last) = self.events.last_mut() {
            last.id = Some(id);
        }
        self
    }

    /// With a label for the event that was added last.
    #[must_use]
    pub fn with_tag(mut self, tag: impl Into<String>) -> Self {
        if let Some(last) = self.events.last_mut() {
            last.tags.push(tag.into());
        }
        self
    }
}

impl<E> Decided<E> {
    fn new(stream: StreamId, event: E) -> Self {
        Self { stream, event, id: None, tags: Vec::new() }
    }
}
