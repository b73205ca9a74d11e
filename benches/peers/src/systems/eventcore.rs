//! The stores of `EventCore`: in memory, and on `SQLite`.

use std::{ops::ControlFlow, path::Path, sync::Arc};

use eventcore_memory::InMemoryEventStore;
use eventcore_sqlite::SqliteEventStore;
use eventcore_types::{
    BatchSize, Event, EventFilter, EventPage, EventReader, EventStore, EventStoreError, StreamId,
    StreamVersion, StreamWrites,
};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};

use crate::{
    append::{Append, Conflict, Stream},
    system::{
        Address, Answer, Appending, Awaiting, Caller, Facts, Failure, Peer, Role, System, Visit,
    },
};

/// Nothing on disk.
pub(crate) const MEMORY: Peer = Peer {
    name: "eventcore-memory",
    role: Role::Memory,
    open: |_| Ok(opened(InMemoryEventStore::new(), runtime()?)),
    of_crate: "eventcore-memory",
    facts: Facts {
        kind: "event store",
        durable: "nothing: in memory",
        versions: "itself, of all streams of an append",
        index: "in memory",
        order: "as appended",
        settings: "called from tokio tasks, since its API is async",
    },
};

/// On `SQLite`.
pub(crate) const SQLITE: Peer = Peer {
    name: "eventcore-sqlite",
    role: Role::System,
    open: open_sqlite,
    of_crate: "eventcore-sqlite",
    facts: Facts {
        kind: "event store",
        durable: "each commit",
        versions: "itself, of all streams of an append",
        index: "an index over stream and version",
        order: "as appended",
        settings: "journal_mode WAL, synchronous FULL; called from tokio tasks, since its API is async",
    },
};

/// Read at a time.
const PAGE_EVENTS: usize = 10_000;

/// An event with a payload, which is text since EventCore keeps JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Happened {
    pub(crate) stream: StreamId,
    pub(crate) payload: String,
}

impl Event for Happened {
    fn stream_id(&self) -> &StreamId {
        &self.stream
    }

    fn event_type_name() -> &'static str {
        "Happened"
    }
}

struct EventCore<S> {
    store: Arc<S>,
    runtime: Runtime,
}

fn open_sqlite(path: &Path) -> Result<Box<dyn System>, Failure> {
    let runtime = runtime()?;
    let store = runtime.block_on(sqlite_store(path))?;
    Ok(opened(store, runtime))
}

/// A store on `SQLite` in this directory, whose commits are synced.
pub(crate) async fn sqlite_store(path: &Path) -> Result<SqliteEventStore, Failure> {
    let connection = rusqlite::Connection::open(path.join("eventcore.sqlite"))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let store = SqliteEventStore::from_connection(connection);
    store.migrate().await?;
    Ok(store)
}

fn runtime() -> Result<Runtime, Failure> {
    Ok(Builder::new_multi_thread().worker_threads(1).build()?)
}

fn opened<S>(store: S, runtime: Runtime) -> Box<dyn System>
where
    S: EventStore + EventReader<Error = EventStoreError> + Send + Sync + 'static,
{
    Box::new(EventCore { store: Arc::new(store), runtime })
}

impl<S> System for EventCore<S>
where
    S: EventStore + EventReader<Error = EventStoreError> + Send + Sync + 'static,
{
    fn caller(&self) -> Result<Caller, Failure> {
        Ok(Caller::Task(Box::new(OfCaller(Arc::clone(&self.store)))))
    }

    fn read_all(&self, visit: &mut Visit<'_>) -> Result<(), Failure> {
        let limit = BatchSize::new(PAGE_EVENTS);
        let mut page = EventPage::first(limit);
        loop {
            let events = self.store.read_events::<Happened>(EventFilter::all(), page);
            let events = self.runtime.block_on(events)?;
            for (event, _) in &events {
                if visit(event.payload.as_bytes()) == ControlFlow::Break(()) {
                    return Ok(());
                }
            }
            let Some((_, last)) = events.last() else { return Ok(()) };
            page = EventPage::after(*last, limit);
        }
    }

    fn read_stream(&self, stream: &Stream, visit: &mut Visit<'_>) -> Result<(), Failure> {
        self.read_after(stream, 0, visit)
    }

    fn read_one(&self, address: &Address<'_>, visit: &mut Visit<'_>) -> Result<(), Failure> {
        self.read_after(address.stream, address.version - 1, &mut |payload| {
            let _ = visit(payload);
            ControlFlow::Break(())
        })
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        Ok(())
    }
}

impl<S: EventStore> EventCore<S> {
    fn read_after(
        &self,
        stream: &Stream,
        version: u64,
        visit: &mut Visit<'_>,
    ) -> Result<(), Failure> {
        let stream = id(stream)?;
        let version = StreamVersion::new(usize::try_from(version)?);
        self.runtime.block_on(async {
            let mut events = self.store.read_stream_after::<Happened>(stream, version).await?;
            while let Some(event) = events.next().await {
                if visit(event?.payload.as_bytes()) == ControlFlow::Break(()) {
                    break;
                }
            }
            Ok(())
        })
    }
}

fn id(stream: &Stream) -> Result<StreamId, Failure> {
    Ok(StreamId::try_new(stream.name.clone())?)
}

struct OfCaller<S>(Arc<S>);

impl<S: EventStore + Send + Sync + 'static> Awaiting for OfCaller<S> {
    fn append<'a>(&'a mut self, append: &'a Append) -> Appending<'a> {
        Box::pin(async move {
            let result = self.0.append_events(make(append)?).await;
            match result {
                Ok(_) => Ok(Answer::Committed),
                Err(EventStoreError::VersionConflict { stream_id, actual, .. }) => {
                    let name: &str = stream_id.as_ref();
                    let target = append.targets.iter().position(|t| t.stream.name == name);
                    let target = target.ok_or("it names a stream that it was not asked about")?;
                    let actual = u64::try_from(actual.into_inner())?;
                    Ok(Answer::Conflict(vec![Conflict { target, actual }]))
                }
                Err(error) => Err(error.into()),
            }
        })
    }
}

/// Makes a new request for each append, as an application does.
fn make(append: &Append) -> Result<StreamWrites, Failure> {
    let mut writes = StreamWrites::new();
    let mut streams = Vec::with_capacity(append.targets.len());
    for target in &append.targets {
        let stream = id(&target.stream)?;
        let version = StreamVersion::new(usize::try_from(target.version)?);
        writes = writes.register_stream(stream.clone(), version)?;
        streams.push(stream);
    }
    for event in &append.events {
        let stream = streams.get(event.target).ok_or("an event has no stream")?.clone();
        let payload = String::from_utf8(event.payload.to_vec())?;
        writes = writes.append(Happened { stream, payload })?;
    }
    Ok(writes)
}
