//! Callers that execute one command after the other.

use std::{sync::Arc, thread, time::Instant};

use annals::{Annals, Command, ExecuteError, Executed, Executor};
use tokio::{runtime, task::JoinSet};

use super::load::Load;
use crate::{
    case::Callers,
    error::{BenchError, io_error},
    latency::Latency,
    random::Random,
    window::Window,
};

/// What came of commands. Rates and latencies are of the time that counts, the rest is of all.
#[derive(Debug)]
pub(crate) struct Outcome {
    window: Window,
    /// Accepted or rejected in the time that counts.
    pub(crate) settled: u64,
    pub(crate) settled_in_all: u64,
    pub(crate) rejected: u64,
    /// Commands that met conflicts until they gave up.
    pub(crate) failed: u64,
    pub(crate) conflicts: u64,
    pub(crate) latency: Latency,
}

impl Outcome {
    fn new(window: Window) -> Result<Self, BenchError> {
        let latency = Latency::new()?;
        Ok(Self {
            window,
            settled: 0,
            settled_in_all: 0,
            rejected: 0,
            failed: 0,
            conflicts: 0,
            latency,
        })
    }

    fn take<R: std::fmt::Debug>(
        &mut self,
        result: Result<Executed, ExecuteError<R, annals::AppendError>>,
        started: Instant,
        now: Instant,
    ) -> Result<(), BenchError> {
        match result {
            Ok(executed) => self.conflicts += u64::from(executed.attempts - 1),
            Err(ExecuteError::Rejected(_)) => self.rejected += 1,
            Err(ExecuteError::Contended { attempts, .. }) => {
                self.failed += 1;
                self.conflicts += u64::from(attempts);
            }
            Err(error) => return Err(BenchError::Command(format!("{error:?}"))),
        }
        self.settled_in_all += 1;
        if self.window.has(now) {
            self.settled += 1;
            self.latency.record(now - started);
        }
        Ok(())
    }

    fn add(&mut self, other: &Self) -> Result<(), BenchError> {
        self.settled += other.settled;
        self.settled_in_all += other.settled_in_all;
        self.rejected += other.rejected;
        self.failed += other.failed;
        self.conflicts += other.conflicts;
        self.latency.add(&other.latency)
    }
}

/// All callers, until the time is over.
pub(crate) fn run<L: Load + Clone + Send + 'static>(
    load: &L,
    callers: Callers,
    executor: &Executor<Annals>,
    window: Window,
) -> Result<Outcome, BenchError>
where
    L::Request: Command + Send,
{
    let outcomes = match callers {
        Callers::Threads(count) => threads(load, count, executor, window)?,
        Callers::Tasks(count) | Callers::Window(count) => tasks(load, count, executor, window)?,
    };
    let mut all = Outcome::new(window)?;
    for outcome in outcomes {
        all.add(&outcome)?;
    }
    Ok(all)
}

fn random(caller: usize) -> Random {
    Random::new(crate::number::wide(caller) + 1)
}

fn threads<L: Load>(
    load: &L,
    count: usize,
    executor: &Executor<Annals>,
    window: Window,
) -> Result<Vec<Outcome>, BenchError> {
    let call = |caller| {
        let (mut outcome, mut random) = (Outcome::new(window)?, random(caller));
        let mut started = Instant::now();
        for count in 0.. {
            if window.is_over(started) {
                break;
            }
            let request = load.next(&mut random, caller, count)?;
            let result = executor.execute_blocking(&request);
            let now = Instant::now();
            outcome.take(result, started, now)?;
            started = now;
        }
        Ok(outcome)
    };
    thread::scope(|scope| {
        let callers: Vec<_> = (0..count).map(|caller| scope.spawn(move || call(caller))).collect();
        let joined = callers.into_iter().map(thread::ScopedJoinHandle::join);
        joined.map(|caller| caller.map_err(|_| BenchError::Panicked)?).collect()
    })
}

/// tokio tasks, on as many workers as there are cores. Each worker counts for itself, since the
/// tallies of a thousand tasks would not fit into the caches.
fn tasks<L: Load + Clone + Send + 'static>(
    load: &L,
    count: usize,
    executor: &Executor<Annals>,
    window: Window,
) -> Result<Vec<Outcome>, BenchError>
where
    L::Request: Send,
{
    let runtime = runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(io_error("start tokio"))?;
    let tallies: Vec<_> = (0..TALLIES)
        .map(|_| Outcome::new(window).map(parking_lot::Mutex::new))
        .collect::<Result<_, _>>()?;
    let tallies = Arc::new(tallies);
    let ended = runtime.block_on(async {
        let call = |caller| {
            let (load, executor, tallies) = (load.clone(), executor.clone(), tallies.clone());
            async move {
                let mut random = random(caller);
                let mut started = Instant::now();
                for count in 0.. {
                    if window.is_over(started) {
                        break;
                    }
                    let request = load.next(&mut random, caller, count)?;
                    let result = executor.execute(&request).await;
                    let now = Instant::now();
                    if let Some(tally) = tallies.get(caller % TALLIES) {
                        tally.lock().take(result, started, now)?;
                    }
                    started = now;
                }
                Ok(())
            }
        };
        let tasks: JoinSet<Result<(), BenchError>> = (0..count).map(call).collect();
        tasks.join_all().await
    });
    ended.into_iter().collect::<Result<(), _>>()?;
    let tallies = Arc::into_inner(tallies).ok_or(BenchError::Panicked)?;
    Ok(tallies.into_iter().map(parking_lot::Mutex::into_inner).collect())
}

const TALLIES: usize = 16;
