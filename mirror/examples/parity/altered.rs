//! Postgres used as it should not be.

use std::sync::Arc;

use annals::{
    Append, AppendFailure, Committed, EventId, Position, ReadFrom, Sequenced, Snapshot, Store,
    Versions,
};
use annals_postgres::{PostgresStore, Settings, StoreError};
use tokio::sync::Semaphore;

/// So many connections are made at once where each call makes its own.
const AT_ONCE: usize = 8;

/// What is done otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    AsItIs,
    /// Each stream is read by a query of its own.
    StreamByStream,
    /// What is read is read twice.
    Twice,
    /// Each call connects.
    Unpooled,
}

/// A store that is used otherwise.
pub(crate) struct Altered {
    store: PostgresStore,
    settings: Settings,
    way: Way,
    connecting: Arc<Semaphore>,
}

impl Altered {
    pub(crate) fn new(settings: Settings, way: Way) -> Self {
        let store = PostgresStore::open(settings.clone()).unwrap();
        Self { store, settings, way, connecting: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// A store that has just connected.
    async fn connect(&self) -> PostgresStore {
        let settings = self.settings.clone().readers(1);
        let opening = tokio::task::spawn_blocking(|| PostgresStore::open(settings));
        opening.await.unwrap().unwrap()
    }

    async fn read_one_by_one(
        &self,
        from: &[ReadFrom],
        at: Option<Position>,
    ) -> Result<Snapshot, StoreError> {
        let (mut at, mut versions, mut events) = (at, Versions::new(), Vec::new());
        for one in from {
            let snapshot = self.store.read(std::slice::from_ref(one), at).await?;
            at = Some(snapshot.position);
            versions.extend(snapshot.versions);
            events.extend(snapshot.events);
        }
        events.sort_by_key(|event| event.position);
        Ok(Snapshot { position: at.unwrap_or_default(), versions, events })
    }
}

impl Store for Altered {
    type Error = StoreError;
    type Ticket = <PostgresStore as Store>::Ticket;

    async fn read(&self, from: &[ReadFrom], at: Option<Position>) -> Result<Snapshot, StoreError> {
        match self.way {
            Way::AsItIs => self.store.read(from, at).await,
            Way::StreamByStream => self.read_one_by_one(from, at).await,
            Way::Twice => {
                let first = self.store.read(from, at).await?;
                self.store.read(from, Some(first.position)).await
            }
            Way::Unpooled => {
                let _permit = self.connecting.acquire().await.unwrap();
                self.connect().await.read(from, at).await
            }
        }
    }

    async fn sequence(
        &self,
        append: &Append,
    ) -> Result<Sequenced<Self::Ticket>, AppendFailure<StoreError>> {
        if self.way == Way::Unpooled {
            let _permit = self.connecting.acquire().await.unwrap();
            return self.connect().await.sequence(append).await;
        }
        self.store.sequence(append).await
    }

    async fn settle(&self, position: Position) -> Result<(), StoreError> {
        self.store.settle(position).await
    }

    async fn find(&self, id: EventId) -> Result<Option<Committed>, StoreError> {
        self.store.find(id).await
    }

    fn read_blocking(
        &self,
        from: &[ReadFrom],
        at: Option<Position>,
    ) -> Result<Snapshot, StoreError> {
        self.store.read_blocking(from, at)
    }

    fn sequence_blocking(
        &self,
        append: &Append,
    ) -> Result<Sequenced<Self::Ticket>, AppendFailure<StoreError>> {
        self.store.sequence_blocking(append)
    }

    fn wait(&self, ticket: Self::Ticket) -> Result<(), StoreError> {
        self.store.wait(ticket)
    }

    fn settle_blocking(&self, position: Position) -> Result<(), StoreError> {
        self.store.settle_blocking(position)
    }

    fn find_blocking(&self, id: EventId) -> Result<Option<Committed>, StoreError> {
        self.store.find_blocking(id)
    }

    fn derived_id(&self, position: Position) -> EventId {
        self.store.derived_id(position)
    }
}
