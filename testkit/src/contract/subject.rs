//! The store that is checked, and how it is called.

use annals_event::{
    Append, AppendFailure, Committed, Conflict, EventId, ExpectedVersion, NewEvent, Position,
    ReadFrom, RecordedEvent, Sequenced, Snapshot, Store, StreamId, StreamVersion,
};

use crate::contract::violation::Violation;

/// Runs a future to its end.
pub trait Runner: Sync {
    /// Runs a future to its end, in this thread.
    fn run<F: Future>(&self, future: F) -> F::Output;
}

/// Runs futures without a runtime.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoRuntime;

impl Runner for NoRuntime {
    fn run<F: Future>(&self, future: F) -> F::Output {
        pollster::block_on(future)
    }
}

/// An empty store that is to be checked, and how it is to be called.
#[derive(Debug)]
pub struct Subject<'a, S, R = NoRuntime> {
    store: &'a S,
    /// `None`: the blocking calls.
    runner: Option<&'a R>,
}

impl<S, R> Clone for Subject<'_, S, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S, R> Copy for Subject<'_, S, R> {}

/// What an append that should work or conflict came to.
pub(crate) type Appended = Result<Committed, (Vec<Conflict>, Position)>;

impl<'a, S: Store, R: Runner> Subject<'a, S, R> {
    /// A store, called so that each call blocks.
    pub fn blocking(store: &'a S) -> Self {
        Self { store, runner: None }
    }

    /// A store whose calls are awaited.
    pub fn awaited(store: &'a S, runner: &'a R) -> Self {
        Self { store, runner: Some(runner) }
    }

    pub(crate) fn store(&self) -> &'a S {
        self.store
    }

    pub(crate) fn runner(&self) -> Option<&'a R> {
        self.runner
    }

    pub(crate) fn read_at(
        &self,
        streams: &[ReadFrom],
        at: Option<Position>,
    ) -> Result<Snapshot, Violation> {
        let result = match self.runner {
            None => self.store.read_blocking(streams, at),
            Some(runner) => runner.run(self.store.read(streams, at)),
        };
        result.map_err(|error| Violation::failed("reading", &error))
    }

    /// Streams from their beginning, at the newest position.
    pub(crate) fn read(&self, streams: &[&str]) -> Result<Snapshot, Violation> {
        self.read_at(&streams.iter().map(|name| from_start(name)).collect::<Vec<_>>(), None)
    }

    /// The versions of streams.
    pub(crate) fn versions(&self, streams: &[&str]) -> Result<Vec<u64>, Violation> {
        let snapshot = self.read(streams)?;
        Ok(snapshot.versions.iter().map(|version| version.get()).collect())
    }

    pub(crate) fn sequence(
        &self,
        append: &Append,
    ) -> Result<Sequenced<S::Ticket>, AppendFailure<S::Error>> {
        match self.runner {
            None => self.store.sequence_blocking(append),
            Some(runner) => runner.run(self.store.sequence(append)),
        }
    }

    pub(crate) fn wait(&self, ticket: S::Ticket) -> Result<(), Violation> {
        let result = match self.runner {
            None => self.store.wait(ticket),
            Some(runner) => runner.run(ticket),
        };
        result.map_err(|error| Violation::failed("waiting for an append", &error))
    }

    pub(crate) fn settle(&self, position: Position) -> Result<(), Violation> {
        let result = match self.runner {
            None => self.store.settle_blocking(position),
            Some(runner) => runner.run(self.store.settle(position)),
        };
        result.map_err(|error| Violation::failed("settling", &error))
    }

    pub(crate) fn find(&self, id: EventId) -> Result<Option<Committed>, Violation> {
        let result = match self.runner {
            None => self.store.find_blocking(id),
            Some(runner) => runner.run(self.store.find(id)),
        };
        result.map_err(|error| Violation::failed("finding an id", &error))
    }

    /// Appends; a conflict is an answer, everything else a violation.
    pub(crate) fn try_append(&self, append: &Append) -> Result<Appended, Violation> {
        let result = match self.runner {
            None => self.store.append_blocking(append),
            Some(runner) => runner.run(self.store.append(append)),
        };
        match result {
            Ok(committed) => Ok(Ok(committed)),
            Err(AppendFailure::Conflict { conflicts, position }) => Ok(Err((conflicts, position))),
            Err(AppendFailure::Store(error)) => Err(Violation::failed("an append", &error)),
        }
    }

    /// Appends what must be accepted.
    pub(crate) fn append(&self, append: &Append) -> Result<Committed, Violation> {
        self.try_append(append)?.map_err(|(conflicts, _)| {
            Violation::new(format!("an append conflicted with {conflicts:?}"))
        })
    }

    /// Appends one event to each of the streams.
    pub(crate) fn append_to(&self, streams: &[&str]) -> Result<Committed, Violation> {
        self.append(&Append::new().events(streams.iter().map(|name| event(name, "x"))))
    }
}

pub(crate) fn stream(name: &str) -> StreamId {
    // The names that the checks use are valid; another would be seen at once.
    StreamId::new(name).unwrap_or_else(|error| crate::fail::fail(error))
}

pub(crate) fn event(name: &str, payload: &str) -> NewEvent {
    NewEvent::new(stream(name), "Happened", payload)
        .unwrap_or_else(|error| crate::fail::fail(error))
}

pub(crate) fn id(number: u8) -> EventId {
    EventId::new([number; 16])
}

pub(crate) fn exactly(version: u64) -> ExpectedVersion {
    ExpectedVersion::Exactly(StreamVersion::new(version))
}

pub(crate) fn from_start(name: &str) -> ReadFrom {
    ReadFrom { stream: stream(name), after: StreamVersion::ZERO }
}

/// Which events these are, by stream and payload.
pub(crate) fn told_apart(events: &[RecordedEvent]) -> Vec<(String, String)> {
    let told = |event: &RecordedEvent| {
        (event.stream.to_string(), String::from_utf8_lossy(&event.payload).into_owned())
    };
    events.iter().map(told).collect()
}
