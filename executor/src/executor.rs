//! Runs commands on a store.

use std::{
    io,
    sync::{Arc, OnceLock},
    time::Duration,
};

use annals_event::{SnapshotStore, Store};
use annals_planted::{Bug, planted};
use tracing::Instrument;

use crate::{
    block_on::block_on,
    codec::{Codec, bincode::Bincode},
    command::Command,
    deadline::{Stage, before},
    error::ExecuteError,
    execution::{Execution, Shared, Step},
    join::join_all,
    observe::{Meters, Observation},
    options::ExecutorOptions,
    outcome::{Ended, ErrorOf, Executed, Outcome, RestsOn},
    payloads::Payloads,
    request::Request,
    retry::RetryPolicy,
    snapshot_keeper::Keeper,
    state_cache::{CacheStats, StateCache},
    turns::{Keys, Turn, Turns},
};

/// Runs commands on a store. Clones are cheap, and share their queues and their cache: make one
/// executor for a store and clone it.
#[derive(Debug)]
pub struct Executor<S, K = Bincode> {
    shared: Arc<Shared<S, K>>,
    policy: RetryPolicy,
}

impl<S, K> Clone for Executor<S, K> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), policy: self.policy.clone() }
    }
}

/// How [`Executor::execute`] ends.
type ExecuteResult<C, S> = Result<Executed, ErrorOf<C, S>>;

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
        Self::with_options(store, payloads, ExecutorOptions::new())
    }

    /// An executor that is told everything.
    pub fn with_options(store: S, payloads: Payloads<K>, options: ExecutorOptions) -> Self {
        let ExecutorOptions { cache_bytes, timer } = options;
        let (turns, cache) = (Arc::new(Turns::default()), Arc::new(StateCache::new(cache_bytes)));
        let (meters, keeper) = (Meters::new(), OnceLock::new());
        let shared = Shared { store, payloads, turns, cache, keeper, timer, meters };
        Self { shared: Arc::new(shared), policy: RetryPolicy::default() }
    }

    /// Saves folded state now and then, for commands whose [`Caching`] asks for it, and loads it
    /// where the cache has none. The first store that is given stays.
    ///
    /// A snapshot is saved by a helper thread, never on the way to an answer; it is believed only
    /// if the log has the event that it ends with.
    ///
    /// [`Caching`]: crate::Caching
    ///
    /// # Errors
    /// The helper thread cannot be started.
    pub fn with_snapshots(self, store: Arc<dyn SnapshotStore>) -> io::Result<Self> {
        let Shared { turns, cache, keeper, .. } = &*self.shared;
        let started = Keeper::start(store, turns.clone(), cache.clone())?;
        // One that comes second ends at once.
        drop(keeper.set(started));
        Ok(self)
    }

    /// Blocks until the snapshots are saved that are due by now: before a program ends, say.
    pub fn settle_snapshots(&self) {
        if let Some(keeper) = self.shared.keeper() {
            keeper.settle();
        }
    }

    /// Tries each command at most this often; at least once.
    #[must_use]
    pub fn attempts_max(mut self, attempts: u32) -> Self {
        self.policy = self.policy.attempts_max(attempts);
        self
    }

    /// Does as the policy says after a conflict. Clones that were made before do as they did.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.policy = policy;
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
    /// [`ExecuteError`]: rejected, contended, invalid, out of time, or the store failed.
    pub async fn execute<'c, C: Command + 'c>(
        &self,
        request: impl Into<Request<'c, C>>,
    ) -> ExecuteResult<C, S> {
        let request = request.into();
        let observation = self.observe::<C>();
        let result = self.run_in_time(&request).instrument(observation.span.clone()).await;
        observation.end(&result);
        result
    }

    /// As [`Executor::execute`], in a thread that blocks: where nobody else is at it, the
    /// thread itself writes and syncs.
    ///
    /// # Errors
    /// [`ExecuteError`]: rejected, contended, invalid, out of time, or the store failed.
    pub fn execute_blocking<'c, C: Command + 'c>(
        &self,
        request: impl Into<Request<'c, C>>,
    ) -> ExecuteResult<C, S> {
        let request = request.into();
        if request.timeout.is_some() {
            return block_on(self.execute(request));
        }
        let observation = self.observe::<C>();
        let entered = observation.span.enter();
        let result = self.decide_blocking(&request).and_then(|ended| self.finish_blocking(ended));
        drop(entered);
        observation.end(&result);
        result
    }

    /// Executes commands, all in flight together: they share writes and syncs. Those over the
    /// same streams are decided in their order; each is an outcome of its own.
    pub async fn execute_all<'c, C: Command + 'c, R: Into<Request<'c, C>>>(
        &self,
        requests: impl IntoIterator<Item = R>,
    ) -> Vec<ExecuteResult<C, S>> {
        let requests: Vec<Request<'c, C>> = requests.into_iter().map(Into::into).collect();
        join_all(requests.into_iter().map(|request| self.execute(request))).await
    }

    /// As [`Executor::execute_all`], in a thread that blocks.
    pub fn execute_all_blocking<'c, C: Command + 'c, R: Into<Request<'c, C>>>(
        &self,
        requests: impl IntoIterator<Item = R>,
    ) -> Vec<ExecuteResult<C, S>> {
        block_on(self.execute_all(requests))
    }

    fn observe<C>(&self) -> Observation<'_> {
        Observation::begin::<C>(&self.shared.meters, &*self.shared.timer)
    }

    async fn run_in_time<C: Command>(&self, request: &Request<'_, C>) -> ExecuteResult<C, S> {
        let stage = Stage::default();
        let Some(timeout) = request.timeout else { return self.run(request, None, &stage).await };
        let timer = &*self.shared.timer;
        let deadline = timer.now().saturating_add(timeout);
        let run = self.run(request, Some(deadline), &stage);
        let result = before(timer.sleep(deadline), run).await;
        result.unwrap_or_else(|| Err(stage.timed_out()))
    }

    async fn run<C: Command>(
        &self,
        request: &Request<'_, C>,
        deadline: Option<Duration>,
        stage: &Stage,
    ) -> ExecuteResult<C, S> {
        let Ended { outcome, rests_on } = self.decide(request, deadline, stage).await?;
        let store = &self.shared.store;
        let settled = match rests_on {
            RestsOn::Nothing => Ok(()),
            RestsOn::Position(position) => store.settle(position).await,
            RestsOn::Ticket(_) if planted(Bug::AnswerDoesNotWait) => Ok(()),
            RestsOn::Ticket(ticket) => ticket.await,
        };
        self.told(settled, outcome)
    }

    fn finish_blocking<R>(&self, ended: Ended<R, S>) -> Outcome<R, S::Error> {
        let store = &self.shared.store;
        let settled = match ended.rests_on {
            RestsOn::Nothing => Ok(()),
            RestsOn::Position(position) => store.settle_blocking(position),
            RestsOn::Ticket(_) if planted(Bug::AnswerDoesNotWait) => Ok(()),
            RestsOn::Ticket(ticket) => store.wait(ticket),
        };
        self.told(settled, ended.outcome)
    }

    /// What is told of an outcome after waiting for what it rests on.
    fn told<R>(
        &self,
        settled: Result<(), S::Error>,
        outcome: Outcome<R, S::Error>,
    ) -> Outcome<R, S::Error> {
        match settled {
            Ok(()) => outcome,
            Err(error) => {
                // State was folded from events that may not be there when the store is opened.
                if !planted(Bug::StateKeptAfterFailure) {
                    self.shared.cache.clear();
                }
                Err(ExecuteError::Store(error))
            }
        }
    }

    fn queue(&self, keys: Keys) -> Turn {
        let turn = self.shared.turns.queue(keys);
        self.shared.meters.queued.add(u64::from(turn.is_waiting()));
        turn
    }

    /// Runs a command up to where its outcome is fixed, durable or not.
    async fn decide<C: Command>(
        &self,
        request: &Request<'_, C>,
        deadline: Option<Duration>,
        stage: &Stage,
    ) -> Result<End<C, S>, ErrorOf<C, S>> {
        let Shared { store, timer, .. } = &*self.shared;
        let (mut execution, mut step) = Execution::start(request, &self.shared, &self.policy)?;
        loop {
            step = match step {
                Step::Queue(keys) => {
                    let mut turn = self.queue(keys);
                    (&mut turn).await;
                    execution.on_turn(turn)
                }
                Step::Find(id) => {
                    execution.on_found(store.find(id).await.map_err(ExecuteError::Store)?)
                }
                Step::Read(first, at) => {
                    let read = store.read(execution.streams(first), at).await;
                    execution.on_read(first, read.map_err(ExecuteError::Store)?)
                }
                Step::Sequence(_) if deadline.is_some_and(|deadline| timer.now() >= deadline) => {
                    return Err(stage.timed_out());
                }
                Step::Sequence(append) => {
                    stage.begins_to_append();
                    let result = store.sequence(&append).await;
                    stage.appended(result.is_ok());
                    execution.on_sequenced(append, result)
                }
                Step::Pause(delay) => {
                    timer.sleep(timer.now().saturating_add(delay)).await;
                    execution.on_pause()
                }
                Step::Ended(ended) => return Ok(ended),
            }
        }
    }

    /// As [`Executor::decide`], blocking, for as long as it takes.
    fn decide_blocking<C: Command>(
        &self,
        request: &Request<'_, C>,
    ) -> Result<End<C, S>, ErrorOf<C, S>> {
        let Shared { store, timer, .. } = &*self.shared;
        let (mut execution, mut step) = Execution::start(request, &self.shared, &self.policy)?;
        loop {
            step = match step {
                Step::Queue(keys) => execution.on_turn(self.queue(keys).wait()),
                Step::Find(id) => {
                    execution.on_found(store.find_blocking(id).map_err(ExecuteError::Store)?)
                }
                Step::Read(first, at) => {
                    let read = store.read_blocking(execution.streams(first), at);
                    execution.on_read(first, read.map_err(ExecuteError::Store)?)
                }
                Step::Sequence(append) => {
                    let result = store.sequence_blocking(&append);
                    execution.on_sequenced(append, result)
                }
                Step::Pause(delay) => {
                    timer.sleep_blocking(timer.now().saturating_add(delay));
                    execution.on_pause()
                }
                Step::Ended(ended) => return Ok(ended),
            }
        }
    }
}
