//! Runs commands on a store.

use annals_event::Store;

use crate::{
    codec::{Bincode, Codec},
    command::Command,
    error::ExecuteError,
    execution::{Executed, Execution, Step},
    payloads::Payloads,
};

/// Runs commands on a store. Cheap to clone if the store is.
#[derive(Debug, Clone)]
pub struct Executor<S, K = Bincode> {
    store: S,
    payloads: Payloads<K>,
    attempts_max: u32,
}

/// How [`Executor::execute`] ends.
type ExecuteResult<C, S> =
    Result<Executed, ExecuteError<<C as Command>::Rejection, <S as Store>::Error>>;

impl<S: Store> Executor<S> {
    /// An executor that writes bincode and tries each command at most ten times.
    pub fn new(store: S) -> Self {
        Self::with_codec(store, Bincode)
    }
}

impl<S: Store, K: Codec> Executor<S, K> {
    /// An executor with a codec of one's choice.
    pub fn with_codec(store: S, codec: K) -> Self {
        Self { store, payloads: Payloads::new(codec), attempts_max: 10 }
    }

    /// Tries each command at most this often; at least once.
    #[must_use]
    pub fn attempts_max(mut self, attempts: u32) -> Self {
        self.attempts_max = attempts.max(1);
        self
    }

    /// The store.
    pub fn store(&self) -> &S {
        &self.store
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
        let mut execution = Execution::new(command, &self.payloads, self.attempts_max);
        let mut step = execution.start();
        loop {
            step = match step {
                Step::Read(streams, at) => {
                    let snapshot = self.store.read(&streams, at).await;
                    execution.on_read(snapshot.map_err(ExecuteError::Store)?)
                }
                Step::Append(append) => execution.on_append(self.store.append(&append).await),
                Step::Settle(position, outcome) => {
                    self.store.settle(position).await.map_err(ExecuteError::Store)?;
                    return outcome;
                }
                Step::Done(outcome) => return outcome,
            }
        }
    }

    /// As [`Executor::execute`], in a thread that blocks: where nobody else is at it, the
    /// thread itself writes and syncs.
    ///
    /// # Errors
    /// [`ExecuteError`]: rejected, contended, invalid, or the store failed.
    pub fn execute_blocking<C: Command>(&self, command: &C) -> ExecuteResult<C, S> {
        let mut execution = Execution::new(command, &self.payloads, self.attempts_max);
        let mut step = execution.start();
        loop {
            step = match step {
                Step::Read(streams, at) => {
                    let snapshot = self.store.read_blocking(&streams, at);
                    execution.on_read(snapshot.map_err(ExecuteError::Store)?)
                }
                Step::Append(append) => execution.on_append(self.store.append_blocking(&append)),
                Step::Settle(position, outcome) => {
                    self.store.settle_blocking(position).map_err(ExecuteError::Store)?;
                    return outcome;
                }
                Step::Done(outcome) => return outcome,
            }
        }
    }
}
