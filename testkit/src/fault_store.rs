//! A store with conflicts and failures at the calls that a test names.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use annals_event::{
    Append, AppendFailure, Committed, Conflict, EventId, ExpectedVersion, Position, ReadFrom,
    Sequenced, Snapshot, Store, StreamVersion,
};

use crate::fault_plan::{AppendFault, At, FaultPlan};

/// A store that fails where a [`FaultPlan`] says, and is the store within otherwise. Clones count
/// their calls together.
///
/// ```
/// use annals::{Annals, Executor};
/// use annals_testkit::{FaultPlan, FaultStore};
///
/// let store = FaultStore::new(Annals::in_memory()?, FaultPlan::new().conflict(1..=2));
/// let executor = Executor::new(store).attempts_max(3);
/// # assert_eq!(executor.store().calls().appends, 0);
/// # Ok::<(), annals::OpenError>(())
/// ```
pub struct FaultStore<S> {
    store: S,
    plan: Arc<FaultPlan>,
    meanwhile: Option<Arc<Meanwhile<S>>>,
    counters: Arc<Counters>,
}

/// What happens just before some appends.
struct Meanwhile<S> {
    at: At,
    happens: Box<dyn Fn(&S) + Send + Sync>,
}

#[derive(Default)]
struct Counters {
    reads: AtomicU64,
    appends: AtomicU64,
    settlements: AtomicU64,
}

/// How many calls there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calls {
    /// Reads.
    pub reads: u64,
    /// Appends.
    pub appends: u64,
    /// Settlements.
    pub settlements: u64,
}

/// How a [`FaultStore`] fails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultError<E> {
    /// As planned.
    #[error("{call} {number} was planned to fail{remark}")]
    Planned {
        /// What was called.
        call: &'static str,
        /// Which one, from 1.
        number: u64,
        /// What became of it.
        remark: &'static str,
    },
    /// The store within failed.
    #[error(transparent)]
    Store(E),
}

/// Says when an append is durable, or that its answer was lost.
#[derive(Debug)]
pub struct FaultTicket<T> {
    ticket: T,
    /// The number of the append whose answer is lost.
    lost: Option<u64>,
}

impl<S: Store> FaultStore<S> {
    /// A store with faults.
    pub fn new(store: S, plan: FaultPlan) -> Self {
        Self { store, plan: Arc::new(plan), meanwhile: None, counters: Arc::default() }
    }

    /// Something happens just before these appends: another command, say, so that they conflict
    /// in earnest. Replaces what was said before.
    #[must_use]
    pub fn meanwhile(
        mut self,
        appends: impl Into<At>,
        happens: impl Fn(&S) + Send + Sync + 'static,
    ) -> Self {
        let meanwhile = Meanwhile { at: appends.into(), happens: Box::new(happens) };
        self.meanwhile = Some(Arc::new(meanwhile));
        self
    }

    /// How many calls there were, those that failed included.
    pub fn calls(&self) -> Calls {
        // Counters alone: nothing else is read on their word.
        let Counters { reads, appends, settlements } = &*self.counters;
        let [reads, appends, settlements] =
            [reads, appends, settlements].map(|counter| counter.load(Ordering::Relaxed));
        Calls { reads, appends, settlements }
    }

    /// The store within.
    pub fn inner(&self) -> &S {
        &self.store
    }

    fn before_read(&self) -> Result<(), FaultError<S::Error>> {
        let number = next(&self.counters.reads);
        if self.plan.of_read(number) {
            return Err(FaultError::Planned { call: "read", number, remark: "" });
        }
        Ok(())
    }

    fn before_settlement(&self) -> Result<(), FaultError<S::Error>> {
        let number = next(&self.counters.settlements);
        if self.plan.of_settlement(number) {
            return Err(FaultError::Planned { call: "settlement", number, remark: "" });
        }
        Ok(())
    }

    /// The number of the append, if its answer is to be lost.
    fn before_append(&self, append: &Append) -> Result<Option<u64>, Failure<S>> {
        let number = next(&self.counters.appends);
        if let Some(meanwhile) = &self.meanwhile
            && meanwhile.at.includes(number)
        {
            (meanwhile.happens)(&self.store);
        }
        match (self.plan.of_append(number), conflict(append)) {
            (None, _) | (Some(AppendFault::Conflict), None) => Ok(None),
            (Some(AppendFault::Conflict), Some(conflict)) => {
                Err(AppendFailure::Conflict { conflicts: vec![conflict], position: Position::ZERO })
            }
            (Some(AppendFault::Refusal), _) => {
                let remark = "; nothing was appended";
                let error = FaultError::Planned { call: "append", number, remark };
                Err(AppendFailure::Store(error))
            }
            (Some(AppendFault::LostAnswer), _) => Ok(Some(number)),
        }
    }
}

type Failure<S> = AppendFailure<FaultError<<S as Store>::Error>>;

fn next(counter: &AtomicU64) -> u64 {
    // A number for each call; nothing else is ordered by it.
    counter.fetch_add(1, Ordering::Relaxed) + 1
}

/// The conflict that an append could have met: its first expectation, missed by one event.
fn conflict(append: &Append) -> Option<Conflict> {
    let failing = |(stream, expected): &(_, ExpectedVersion)| {
        let actual = match *expected {
            ExpectedVersion::Any => return None,
            ExpectedVersion::Exists => StreamVersion::ZERO,
            ExpectedVersion::NoStream => StreamVersion::new(1),
            ExpectedVersion::Exactly(version) => version.next(),
        };
        Some(Conflict { stream: Clone::clone(stream), expected: *expected, actual })
    };
    append.expectations.iter().find_map(failing)
}

fn sequenced<S: Store>(
    lost: Option<u64>,
    result: Result<Sequenced<S::Ticket>, AppendFailure<S::Error>>,
) -> Result<Sequenced<FaultTicket<S::Ticket>>, Failure<S>> {
    match result {
        Ok(Sequenced { committed, ticket, is_repeat }) => {
            Ok(Sequenced { committed, ticket: FaultTicket { ticket, lost }, is_repeat })
        }
        Err(AppendFailure::Conflict { conflicts, position }) => {
            Err(AppendFailure::Conflict { conflicts, position })
        }
        Err(AppendFailure::Store(error)) => Err(AppendFailure::Store(FaultError::Store(error))),
    }
}

/// What is told of an append after waiting for it.
fn told<E>(lost: Option<u64>, result: Result<(), E>) -> Result<(), FaultError<E>> {
    result.map_err(FaultError::Store)?;
    match lost {
        None => Ok(()),
        Some(number) => {
            let remark = "; its outcome is unknown";
            Err(FaultError::Planned { call: "append", number, remark })
        }
    }
}

impl<T, E> Future for FaultTicket<T>
where
    T: Future<Output = Result<(), E>> + Unpin,
{
    type Output = Result<(), FaultError<E>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let lost = self.lost;
        Pin::new(&mut self.ticket).poll(context).map(|result| told(lost, result))
    }
}

impl<S> Store for FaultStore<S>
where
    S: Store,
    S::Ticket: Unpin,
{
    type Error = FaultError<S::Error>;
    type Ticket = FaultTicket<S::Ticket>;

    async fn read(
        &self,
        streams: &[ReadFrom],
        at: Option<Position>,
    ) -> Result<Snapshot, Self::Error> {
        self.before_read()?;
        self.store.read(streams, at).await.map_err(FaultError::Store)
    }

    async fn sequence(&self, append: &Append) -> Result<Sequenced<Self::Ticket>, Failure<S>> {
        let lost = self.before_append(append)?;
        sequenced::<S>(lost, self.store.sequence(append).await)
    }

    async fn settle(&self, position: Position) -> Result<(), Self::Error> {
        self.before_settlement()?;
        self.store.settle(position).await.map_err(FaultError::Store)
    }

    /// A read, as far as the plan and the counters go.
    async fn find(&self, id: EventId) -> Result<Option<Committed>, Self::Error> {
        self.before_read()?;
        self.store.find(id).await.map_err(FaultError::Store)
    }

    fn read_blocking(
        &self,
        streams: &[ReadFrom],
        at: Option<Position>,
    ) -> Result<Snapshot, Self::Error> {
        self.before_read()?;
        self.store.read_blocking(streams, at).map_err(FaultError::Store)
    }

    fn sequence_blocking(&self, append: &Append) -> Result<Sequenced<Self::Ticket>, Failure<S>> {
        let lost = self.before_append(append)?;
        sequenced::<S>(lost, self.store.sequence_blocking(append))
    }

    fn wait(&self, ticket: Self::Ticket) -> Result<(), Self::Error> {
        told(ticket.lost, self.store.wait(ticket.ticket))
    }

    fn settle_blocking(&self, position: Position) -> Result<(), Self::Error> {
        self.before_settlement()?;
        self.store.settle_blocking(position).map_err(FaultError::Store)
    }

    fn find_blocking(&self, id: EventId) -> Result<Option<Committed>, Self::Error> {
        self.before_read()?;
        self.store.find_blocking(id).map_err(FaultError::Store)
    }

    fn derived_id(&self, position: Position) -> EventId {
        self.store.derived_id(position)
    }
}

impl<S: Clone> Clone for FaultStore<S> {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
            plan: self.plan.clone(),
            meanwhile: self.meanwhile.clone(),
            counters: self.counters.clone(),
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for FaultStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { store, plan, .. } = self;
        let mut text = f.debug_struct("FaultStore");
        text.field("store", store).field("plan", plan).finish_non_exhaustive()
    }
}
