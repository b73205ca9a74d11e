//! Those who ask: a task each, which asks for the next thing as soon as it has its answer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
    vec,
};

use annals_bench::{
    Latency,
    report::{
        Asked, Counts,
        plan::{BatchAppend, Financial, Order, Orders, Payment, Workload},
    },
};
use eventcore::{CommandError, MetricsHook, RetryContext, RetryPolicy};
use eventcore_types::EventStore;
use tokio::task::JoinSet;

use super::{batch, money, shop};
use crate::system::Failure;

/// What callers were told.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) counts: Counts,
    /// From its caller's last answer, or the start, to the answer of each command.
    pub(crate) latency: Latency,
    /// Commands that were given up or failed; in order at the end.
    pub(crate) given_up: Vec<u64>,
    pub(crate) first_failure: Option<String>,
}

impl Told {
    fn new(asked: u64) -> Result<Self, Failure> {
        let counts = Counts { asked, ..Counts::default() };
        Ok(Self { counts, latency: Latency::new()?, given_up: Vec::new(), first_failure: None })
    }

    fn settle(&mut self, number: u64, answer: Result<(), CommandError>) {
        match answer {
            Ok(()) => self.counts.accepted += 1,
            Err(CommandError::BusinessRuleViolation(_)) => self.counts.rejected += 1,
            Err(CommandError::ConcurrencyError(_)) => {
                self.counts.conflicts += 1;
                self.given_up.push(number);
            }
            Err(error) => {
                self.counts.failed += 1;
                self.given_up.push(number);
                self.first_failure.get_or_insert(error.to_string());
            }
        }
    }

    fn add(&mut self, other: Self) -> Result<(), Failure> {
        self.counts.accepted += other.counts.accepted;
        self.counts.rejected += other.counts.rejected;
        self.counts.conflicts += other.counts.conflicts;
        self.counts.failed += other.counts.failed;
        self.given_up.extend(other.given_up);
        self.first_failure = self.first_failure.take().or(other.first_failure);
        Ok(self.latency.add(&other.latency)?)
    }
}

/// Counts attempts after the first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Retries(Arc<AtomicU64>);

impl MetricsHook for Retries {
    fn on_retry_attempt(&self, _: &RetryContext) {
        // Read when those who count have ended and were joined.
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Retries {
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a caller asks for.
enum Request {
    Payment(Payment),
    Order(Order),
    Append(BatchAppend),
}

/// What a caller asks for next, with the command's number.
enum Todo {
    /// The next payment that nobody asked for.
    Payments(Financial, Arc<AtomicU64>),
    /// The next order that nobody placed.
    Orders(Orders, Arc<AtomicU64>),
    /// Its own appends, which follow each other.
    Appends(vec::IntoIter<(u64, BatchAppend)>),
}

impl Todo {
    fn next(&mut self) -> Option<(u64, Request)> {
        match self {
            Self::Payments(plan, next) => {
                let number = claim(next, plan.commands)?;
                Some((number, Request::Payment(plan.command(number))))
            }
            Self::Orders(plan, next) => {
                let number = claim(next, plan.commands)?;
                Some((number, Request::Order(plan.command(number))))
            }
            Self::Appends(appends) => {
                appends.next().map(|(number, append)| (number, Request::Append(append)))
            }
        }
    }
}

/// A number that nobody has yet, of so many.
fn claim(next: &AtomicU64, count: u64) -> Option<u64> {
    // Just a counter: nothing else is ordered by it.
    let number = next.fetch_add(1, Ordering::Relaxed);
    (number < count).then_some(number)
}

/// Those who ask.
pub(crate) struct Callers {
    asked: u64,
    todo: Vec<Todo>,
}

impl Callers {
    /// With what takes long to make: payloads of batches are not what is measured.
    pub(crate) fn new(asked: &Asked) -> Self {
        let plan = asked.plan();
        let next = Arc::new(AtomicU64::new(0));
        let todo = |caller| match plan {
            Workload::Financial(plan) => Todo::Payments(plan, Arc::clone(&next)),
            Workload::Orders(plan) => Todo::Orders(plan, Arc::clone(&next)),
            Workload::Batch(plan) => {
                let own = (0..plan.appends).filter(|number| plan.caller_of(*number) == caller);
                let appends: Vec<_> = own.map(|number| (number, plan.command(number))).collect();
                Todo::Appends(appends.into_iter())
            }
        };
        Self { asked: plan.commands(), todo: (0..asked.callers()).map(todo).collect() }
    }

    /// Has them ask for all commands. To be called in a runtime.
    pub(crate) async fn ask<S: EventStore + Send + Sync + 'static>(
        self,
        store: &Arc<S>,
        policy: &RetryPolicy,
    ) -> Result<Told, Failure> {
        let mut told = Told::new(self.asked)?;
        let mut tasks = JoinSet::new();
        for todo in self.todo {
            tasks.spawn(call(Arc::clone(store), todo, policy.clone()));
        }
        while let Some(ended) = tasks.join_next().await {
            told.add(ended.map_err(|_| "a caller panicked")??)?;
        }
        told.given_up.sort_unstable();
        Ok(told)
    }
}

async fn call<S: EventStore + Send + Sync + 'static>(
    store: Arc<S>,
    mut todo: Todo,
    policy: RetryPolicy,
) -> Result<Told, Failure> {
    let mut told = Told::new(0)?;
    let mut before = Instant::now();
    while let Some((number, request)) = todo.next() {
        let answer = match request {
            Request::Payment(payment) => money::pay(&*store, payment, policy.clone()).await,
            Request::Order(order) => shop::order(&*store, order, policy.clone()).await,
            Request::Append(append) => batch::append(&*store, append).await,
        };
        let now = Instant::now();
        told.latency.record(now - before);
        told.settle(number, answer);
        before = now;
        // The store in memory never waits: others, and those who sleep, would never get a turn.
        tokio::task::yield_now().await;
    }
    Ok(told)
}
