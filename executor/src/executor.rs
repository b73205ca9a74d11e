//! Runs commands on a store.

use std::sync::Arc;

use annals_event::Store;

use crate::{
    codec::{Codec, bincode::Bincode},
    command::Command,
    error::ExecuteError,
    execution::{Ended, Executed, Execution, RestsOn, Shared, Step},
    payloads::Payloads,
    state_cache::{CacheStats, StateCache},
    turns::Turns,
};

/// How many bytes of state are kept unless said.
const CACHE_BYTES: u64 = 64 << 20;

/// Runs commands on a store. Clones are cheap, and share their queues and their cache: make one
/// executor for a store and clone it.
#[derive(Debug)]
pub struct Executor<S, K = Bincode> {
    shared: Arc<Shared<S, K>>,
    attempts_max: u32,
}

impl<S, K> Clone for Executor<S, K> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), attempts_max: self.attempts_max }
    }
}

/// How [`Executor::execute`] ends.
type ExecuteResult<C, S> =
    Result<Executed, ExecuteError<<C as Command>::Rejection, <S as Store>::Error>>;

type End<C, S> = Ended<<C as Command>::Rejection, S>;

#[cfg(feature = "bincode")]
impl<S: Store> Executor<S> {
    /// An executor that writes bincode and tries each command at most ten times.
    pub fn new(store: S) -> Self {
        Self::with_codec(store, Bincode)
    }
}

impl<S: Store, K: Codec> Executor<S, K> {
    /// An executor with a codec of one's choice.
    pub fn with_codec(store: S, codec: K) -> Self {
        Self::with_payloads(store, Payloads::new(codec))
    }

    /// An executor that is told how events become payloads and come back: with which codec, and
    /// whether events of unknown types are skipped. What is skipped counts in its stream's version
    /// as any other.
    pub fn with_payloads(store: S, payloads: Payloads<K>) -> Self {
        let turns = Arc::new(Turns::default());
        let cache = StateCache::new(CACHE_BYTES);
        Self { shared: Arc::new(Shared { store, payloads, turns, cache }), attempts_max: 10 }
    }

    /// Tries each command at most this often; at least once.
    #[must_use]
    pub fn attempts_max(mut self, attempts: u32) -> Self {
        self.attempts_max = attempts.max(1);
        self
    }

    /// The store.
    pub fn store(&self) -> &S {
        &self.shared.store
    }

    /// What the cache of states did and takes.
    pub fn cache_stats(&self) -> CacheStats {
        self.shared.cache.stats()
    }

    /// Executes a command: reads, decides, appends; decides again when something moved. What it
    /// returns is durable, a rejection included.
    ///
    /// Dropped before it is ready, it never appends half of anything: the command happened
    /// wholly, or not at all.
    ///
    /// # Errors
    /// [`ExecuteError`]: rejected, contended, invalid, or the store failed.
    pub async fn execute<C: Command>(&self, command: &C) -> ExecuteResult<C, S> {
        let Ended { outcome, rests_on } = self.decide(command).await?;
        let store = &self.shared.store;
        let settled = match rests_on {
            RestsOn::Nothing => Ok(()),
            RestsOn::Position(position) => store.settle(position).await,
            RestsOn::Ticket(ticket) => ticket.await,
        };
        self.told(settled, outcome)
    }

    /// As [`Executor::execute`], in a thread that blocks: where nobody else is at it, the
    /// thread itself writes and syncs.
    ///
    /// # Errors
    /// [`ExecuteError`]: rejected, contended, invalid, or the store failed.
    pub fn execute_blocking<C: Command>(&self, command: &C) -> ExecuteResult<C, S> {
        let Ended { outcome, rests_on } = self.decide_blocking(command)?;
        let store = &self.shared.store;
        let settled = match rests_on {
            RestsOn::Nothing => Ok(()),
            RestsOn::Position(position) => store.settle_blocking(position),
            RestsOn::Ticket(ticket) => store.wait(ticket),
        };
        self.told(settled, outcome)
    }

    /// What is told of an outcome after waiting for what it rests on.
    fn told<C>(
        &self,
        settled: Result<(), S::Error>,
        outcome: Result<Executed, ExecuteError<C, S::Error>>,
    ) -> Result<Executed, ExecuteError<C, S::Error>> {
        match settled {
            Ok(()) => outcome,
            Err(error) => {
                // State was folded from events that may not be there when the store is opened.
                self.shared.cache.clear();
                Err(ExecuteError::Store(error))
            }
        }
    }

    /// Runs a command up to where its outcome is fixed, durable or not.
    async fn decide<C: Command>(
        &self,
        command: &C,
    ) -> Result<End<C, S>, ExecuteError<C::Rejection, S::Error>> {
        let shared = &*self.shared;
        let (mut execution, mut step) = Execution::start(command, shared, self.attempts_max)?;
        loop {
            step = match step {
                Step::Queue(keys) => {
                    let mut turn = shared.turns.queue(keys);
                    (&mut turn).await;
                    execution.on_turn(turn)
                }
                Step::Read(first, at) => {
                    let read = shared.store.read(execution.streams(first), at).await;
                    execution.on_read(first, read.map_err(ExecuteError::Store)?)
                }
                Step::Sequence(append) => {
                    let result = shared.store.sequence(&append).await;
                    execution.on_sequenced(append, result)
                }
                Step::Ended(ended) => return Ok(ended),
            }
        }
    }

    /// As [`Executor::decide`], blocking.
    fn decide_blocking<C: Command>(
        &self,
        command: &C,
    ) -> Result<End<C, S>, ExecuteError<C::Rejection, S::Error>> {
        let shared = &*self.shared;
        let (mut execution, mut step) = Execution::start(command, shared, self.attempts_max)?;
        loop {
            step = match step {
                Step::Queue(keys) => execution.on_turn(shared.turns.queue(keys).wait()),
                Step::Read(first, at) => {
                    let read = shared.store.read_blocking(execution.streams(first), at);
                    execution.on_read(first, read.map_err(ExecuteError::Store)?)
                }
                Step::Sequence(append) => {
                    let result = shared.store.sequence_blocking(&append);
                    execution.on_sequenced(append, result)
                }
                Step::Ended(ended) => return Ok(ended),
            }
        }
    }
}
