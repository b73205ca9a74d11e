//! W5, second half: what readers cost the writers.

use std::{
    fmt,
    hint::black_box,
    ops::ControlFlow,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
};

use annals::{Annals, Delivery, LogQuery, Position, ReadError};

use crate::{
    case::{Callers, Case},
    error::BenchError,
    latency,
    number::{human, per},
    plan::Plan,
    progress::Progress,
    row::{Row, Run},
    scratch::{self, Scratch},
    shape::SINGLE,
    verify,
    workload::Workload,
    writes::{self, Sample},
};

const READERS: usize = 4;

/// What the readers do.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Readers {
    None,
    /// Each reads the whole log, again and again.
    Scan,
    /// Each has a subscription from the beginning.
    Follow,
}

const CASES: [Readers; 3] = [Readers::None, Readers::Follow, Readers::Scan];

/// Runs all cases as often as planned.
pub(crate) fn run(
    plan: &Plan,
    scratch: &Scratch,
    progress: &Progress,
) -> Result<Vec<Row>, BenchError> {
    progress.begin("W5", u64::from(plan.runs) * 3);
    let mut rows = CASES.map(|readers| Row::new(Workload::W5, readers.to_string(), "commits/s"));
    for _ in 0..plan.runs {
        let mut alone = None;
        for (readers, row) in CASES.into_iter().zip(&mut rows) {
            progress.now(&row.case);
            let (sample, read) = measure(readers, plan, scratch)?;
            row.runs.push(Run { base: alone, ..Run::of(sample.rate) });
            let latency = &sample.outcome.tally.latency;
            row.latency = Some(latency::merge(row.latency.iter().chain([latency]))?);
            if readers == Readers::None {
                alone = Some(sample.rate);
            } else {
                row.base = Some(Readers::None.to_string());
                let share =
                    per(crate::number::float(read), sample.outcome.tally.acknowledged_in_all);
                row.remark = format!("{} events read for each appended", human(share));
            }
            progress.done();
        }
    }
    Ok(rows.into())
}

/// Writers, with readers beside them; returns also how many events were read.
fn measure(readers: Readers, plan: &Plan, scratch: &Scratch) -> Result<(Sample, u64), BenchError> {
    let path = scratch.path("log");
    let annals = Annals::open(&path)?;
    let (is_over, read) = (AtomicBool::new(false), AtomicU64::new(0));
    let sample = thread::scope(|scope| {
        let reader = || match readers {
            Readers::None => Ok(()),
            Readers::Scan => scan(&annals, &is_over, &read),
            Readers::Follow => follow(&annals, &read),
        };
        let readers: Vec<_> = (0..READERS).map(|_| scope.spawn(reader)).collect();
        let sample = writes::run(&Case::new(SINGLE, Callers::Threads(16)), &annals, plan);
        is_over.store(true, Ordering::Relaxed);
        // Closing ends subscriptions, once everything was delivered.
        annals.close()?;
        for reader in readers {
            reader.join().map_err(|_| BenchError::Panicked)??;
        }
        sample
    })?;
    drop(annals);
    verify::holds(&Annals::open(&path)?, &sample.outcome.written)?;
    scratch::remove(&path)?;
    Ok((sample, read.into_inner()))
}

fn scan(annals: &Annals, is_over: &AtomicBool, read: &AtomicU64) -> Result<(), BenchError> {
    // Relaxed, here and in `follow`: a flag and a count for people.
    while !is_over.load(Ordering::Relaxed) {
        let mut count = 0;
        annals.read_all(LogQuery::forward()).visit(|event| {
            black_box(event.payload);
            count += 1;
            if is_over.load(Ordering::Relaxed) {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        read.fetch_add(count, Ordering::Relaxed);
    }
    Ok(())
}

fn follow(annals: &Annals, read: &AtomicU64) -> Result<(), BenchError> {
    let mut subscription = annals.subscribe(Position::ZERO);
    loop {
        match subscription.recv() {
            Ok(Delivery::Event(event)) => {
                black_box(event);
                read.fetch_add(1, Ordering::Relaxed);
            }
            Ok(Delivery::CaughtUp(_)) => {}
            Err(ReadError::Closed) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

impl fmt::Display for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("W2, 16 threads, ")?;
        f.write_str(match self {
            Self::None => "alone",
            Self::Scan => "beside 4 that scan the log",
            Self::Follow => "beside 4 subscriptions",
        })
    }
}
