//! Those who ask: a task each, which asks for the next thing as soon as it has its answer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use annals_bench::{
    Latency,
    report::{Asked, Counts, plan::Workload},
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

/// Which command a caller asks for next.
#[derive(Debug)]
enum Next {
    /// The next one that nobody asked for.
    Shared(Arc<AtomicU64>),
    /// Its own, which follow each other.
    Own { number: u64, step: u64 },
}

impl Next {
    fn take(&mut self) -> u64 {
        match self {
            Self::Shared(next) => next.fetch_add(1, Ordering::Relaxed),
            Self::Own { number, step } => {
                let taken = *number;
                *number += *step;
                taken
            }
        }
    }
}

/// Has callers ask for all commands. To be called in a runtime.
pub(crate) async fn ask<S: EventStore + Send + Sync + 'static>(
    store: &Arc<S>,
    asked: &Asked,
    policy: &RetryPolicy,
) -> Result<Told, Failure> {
    let (plan, callers) = (asked.plan(), asked.callers());
    let shared = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let next = match plan {
            Workload::Batch(_) => Next::Own { number: caller, step: callers },
            _ => Next::Shared(Arc::clone(&shared)),
        };
        tasks.spawn(call(Arc::clone(store), plan, next, policy.clone()));
    }
    let mut told = Told::new(plan.commands())?;
    while let Some(ended) = tasks.join_next().await {
        told.add(ended.map_err(|_| "a caller panicked")??)?;
    }
    told.given_up.sort_unstable();
    Ok(told)
}

async fn call<S: EventStore + Send + Sync + 'static>(
    store: Arc<S>,
    plan: Workload,
    mut next: Next,
    policy: RetryPolicy,
) -> Result<Told, Failure> {
    let mut told = Told::new(0)?;
    let mut before = Instant::now();
    loop {
        let number = next.take();
        if number >= plan.commands() {
            return Ok(told);
        }
        let answer = match plan {
            Workload::Financial(plan) => {
                money::pay(&*store, plan.command(number), policy.clone()).await
            }
            Workload::Orders(plan) => {
                shop::order(&*store, plan.command(number), policy.clone()).await
            }
            Workload::Batch(plan) => batch::append(&*store, plan.command(number)).await,
        };
        let now = Instant::now();
        told.latency.record(now - before);
        told.settle(number, answer);
        before = now;
        // The store in memory never waits: others, and those who sleep, would never get a turn.
        tokio::task::yield_now().await;
    }
}
