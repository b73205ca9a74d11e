//! What a command is.

use annals_event::{EventId, Position, SchemaVersion, StreamId, StreamVersion, Timestamp};
use serde::{Serialize, de::DeserializeOwned};

/// A typed event: usually an enum with a variant for each thing that can happen.
pub trait Event: Serialize + DeserializeOwned + Send {
    /// The name of this event's type: what filters and people see. The same for every event of a
    /// variant, and never changed once events of it are in a log.
    fn event_type(&self) -> &'static str;

    /// Which shape of its type the event has.
    fn schema_version(&self) -> SchemaVersion {
        SchemaVersion::FIRST
    }
}

/// A typed event as it lies in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded<E> {
    /// What happened.
    pub event: E,
    /// Its stream.
    pub stream: StreamId,
    /// The version of the stream after it.
    pub version: StreamVersion,
    /// Its position in the log.
    pub position: Position,
    /// When its commit was put in order.
    pub time: Timestamp,
    /// Its identity, given or derived.
    pub id: EventId,
    /// What goes along with it.
    pub metadata: Vec<u8>,
}

/// Events that a command decided on, in order; perhaps none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision<E> {
    pub(crate) events: Vec<(StreamId, E)>,
}

impl<E> Decision<E> {
    /// There is nothing to do. That is as consistent as any other decision: it held at one
    /// position of the log.
    pub fn nothing() -> Self {
        Self { events: Vec::new() }
    }

    /// One event.
    pub fn one(stream: StreamId, event: E) -> Self {
        Self { events: vec![(stream, event)] }
    }

    /// With one more event. Its stream must be one that the command declared or discovered.
    #[must_use]
    pub fn and(mut self, stream: StreamId, event: E) -> Self {
        self.events.push((stream, event));
        self
    }
}

/// A request to change something, with the rules that decide it. All of it is pure: no I/O, no
/// clock, no randomness; it may run several times.
pub trait Command: Sync {
    /// What the decision is made on.
    type State: Default + Send;
    /// What can happen.
    type Event: Event;
    /// A business reason to refuse.
    type Rejection: Send;

    /// The streams to read first: the command's consistency boundary. At least one.
    fn streams(&self) -> Vec<StreamId>;

    /// More streams to read, seen from the state so far. Asked again until it names none that
    /// was not read: all of them are read at one position.
    fn discover(&self, _state: &Self::State) -> Vec<StreamId> {
        Vec::new()
    }

    /// Folds an event into the state. Events come in the order of the log, those of discovered
    /// streams after those that led to them.
    fn evolve(&self, state: &mut Self::State, event: &Recorded<Self::Event>);

    /// Decides.
    ///
    /// # Errors
    /// The rules do not allow it.
    fn decide(&self, state: &Self::State) -> Result<Decision<Self::Event>, Self::Rejection>;
}
