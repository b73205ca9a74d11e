//! Callers that carry out a number of commands, as fast as they are answered or at a fixed rate.
//!
//! Latency counts from the moment at which a caller meant to ask. Where callers ask again as soon as
//! they are answered, that is the answer before. At a fixed rate it is the command's place in the
//! plan, however late its caller comes to it: so a pause of the store counts for every command that
//! should have been asked for meanwhile (Tene, "How NOT to Measure Latency", 2015).

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use tokio::{runtime, task::JoinSet};

use super::work::{Numbers, Settled, Work};
use crate::{
    error::{BenchError, io_error},
    latency::Latency,
    report::measured::Counts,
};

/// What came of commands.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) counts: Counts,
    pub(crate) events: u64,
    pub(crate) latency: Latency,
    /// The numbers of commands that gave up or failed.
    pub(crate) given_up: Vec<u64>,
    /// What the first one said that failed.
    pub(crate) failure: Option<String>,
}

impl Outcome {
    fn new() -> Result<Self, BenchError> {
        Ok(Self {
            counts: Counts::default(),
            events: 0,
            latency: Latency::new()?,
            given_up: Vec::new(),
            failure: None,
        })
    }

    fn take(&mut self, number: u64, settled: Settled, took: Duration) {
        self.latency.record(took);
        match settled {
            Settled::Accepted { events } => {
                self.counts.accepted += 1;
                self.events += events;
            }
            Settled::Rejected => self.counts.rejected += 1,
            Settled::GivenUp => {
                self.counts.conflicts += 1;
                self.given_up.push(number);
            }
            Settled::Failed(said) => {
                self.counts.failed += 1;
                self.given_up.push(number);
                self.failure.get_or_insert(said);
            }
        }
    }

    fn add(&mut self, other: Self) -> Result<(), BenchError> {
        self.counts.accepted += other.counts.accepted;
        self.counts.rejected += other.counts.rejected;
        self.counts.conflicts += other.counts.conflicts;
        self.counts.failed += other.counts.failed;
        self.events += other.events;
        self.given_up.extend(other.given_up);
        self.failure = self.failure.take().or(other.failure);
        self.latency.add(&other.latency)
    }
}

/// All callers, until all numbers are given out. `rate`: so many commands in a second, all callers
/// together; `None`: as fast as they are answered.
pub(crate) fn run<W: Work>(
    work: W,
    numbers: Numbers,
    callers: u64,
    rate: Option<f64>,
) -> Result<Outcome, BenchError> {
    let (work, numbers) = (Arc::new(work), Arc::new(numbers));
    let mut all = Outcome::new()?;
    let outcomes = match rate {
        Some(rate) => on_threads(&work, &numbers, callers, &|number| Some(place(number, rate)))?,
        // A lone caller that blocks needs nobody else to wake it.
        None if callers == 1 => on_threads(&work, &numbers, callers, &|_| None)?,
        None => on_tasks(&work, &numbers, callers)?,
    };
    outcomes.into_iter().try_for_each(|outcome| all.add(outcome))?;
    Ok(all)
}

/// When a command is to begin, after the start.
fn place(number: u64, rate: f64) -> Duration {
    Duration::try_from_secs_f64(crate::number::float(number) / rate).unwrap_or(Duration::MAX)
}

fn on_threads<W: Work>(
    work: &Arc<W>,
    numbers: &Numbers,
    callers: u64,
    place: &(dyn Fn(u64) -> Option<Duration> + Sync),
) -> Result<Vec<Outcome>, BenchError> {
    let start = Instant::now();
    let call = |caller| {
        let (mut outcome, mut answered) = (Outcome::new()?, Instant::now());
        for taken in 0.. {
            let Some(number) = numbers.next(caller, taken) else { break };
            let meant = place(number).map_or(answered, |place| start + place);
            thread::sleep(meant.saturating_duration_since(Instant::now()));
            let settled = work.carry_out_blocking(number)?;
            answered = Instant::now();
            outcome.take(number, settled, answered - meant);
        }
        Ok(outcome)
    };
    thread::scope(|scope| {
        let callers: Vec<_> =
            (0..callers).map(|caller| scope.spawn(move || call(caller))).collect();
        let joined = callers.into_iter().map(thread::ScopedJoinHandle::join);
        joined.map(|caller| caller.map_err(|_| BenchError::Panicked)?).collect()
    })
}

/// tokio tasks, on as many workers as there are cores.
fn on_tasks<W: Work>(
    work: &Arc<W>,
    numbers: &Arc<Numbers>,
    callers: u64,
) -> Result<Vec<Outcome>, BenchError> {
    let runtime = runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(io_error("start tokio"))?;
    // The histograms of a thousand tasks would not fit into the caches.
    let tallies = (0..TALLIES).map(|_| Outcome::new().map(parking_lot::Mutex::new));
    let tallies = Arc::new(tallies.collect::<Result<Vec<_>, _>>()?);
    let ended = runtime.block_on(async {
        let call = |caller| {
            let (work, numbers, tallies) = (work.clone(), numbers.clone(), tallies.clone());
            async move {
                let tally = usize::try_from(caller).unwrap_or_default() % TALLIES;
                let mut answered = Instant::now();
                for taken in 0.. {
                    let Some(number) = numbers.next(caller, taken) else { break };
                    let settled = work.carry_out(number).await?;
                    let before = std::mem::replace(&mut answered, Instant::now());
                    if let Some(tally) = tallies.get(tally) {
                        tally.lock().take(number, settled, answered - before);
                    }
                }
                Ok(())
            }
        };
        let tasks: JoinSet<Result<(), BenchError>> = (0..callers).map(call).collect();
        tasks.join_all().await
    });
    ended.into_iter().collect::<Result<(), _>>()?;
    let tallies = Arc::into_inner(tallies).ok_or(BenchError::Panicked)?;
    Ok(tallies.into_iter().map(parking_lot::Mutex::into_inner).collect())
}

const TALLIES: usize = 16;
