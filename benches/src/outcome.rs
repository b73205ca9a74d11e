//! What came of appends: of one, of all that a caller made, of all callers.

use std::{collections::HashMap, time::Instant};

use annals::{AppendError, AppendFailure, Committed, Conflict, StreamId};

use crate::{error::BenchError, latency::Latency, request::Request, window::Window};

/// What came of one append.
pub(crate) enum Attempt {
    Acknowledged(Committed),
    Conflicted(Vec<Conflict>),
}

/// From `Annals::append`.
pub(crate) fn of_append(result: Result<Committed, AppendError>) -> Result<Attempt, BenchError> {
    match result {
        Ok(committed) => Ok(Attempt::Acknowledged(committed)),
        Err(AppendError::Conflict(conflicts)) => Ok(Attempt::Conflicted(conflicts.0)),
        Err(error) => Err(error.into()),
    }
}

/// From `Store::append`.
pub(crate) fn of_store(
    result: Result<Committed, AppendFailure<AppendError>>,
) -> Result<Attempt, BenchError> {
    match result {
        Ok(committed) => Ok(Attempt::Acknowledged(committed)),
        Err(AppendFailure::Conflict { conflicts, .. }) => Ok(Attempt::Conflicted(conflicts)),
        Err(AppendFailure::Store(error)) => Err(error.into()),
    }
}

/// Counts what comes of appends, in the time that counts and in all.
#[derive(Debug)]
pub(crate) struct Tally {
    window: Window,
    /// Acknowledged in the time that counts.
    pub(crate) acknowledged: u64,
    /// Acknowledged in all, warm-up included.
    pub(crate) acknowledged_in_all: u64,
    /// Conflicts in all, warm-up included.
    pub(crate) conflicts: u64,
    /// From the first attempt to the acknowledgement.
    pub(crate) latency: Latency,
}

impl Tally {
    pub(crate) fn new(window: Window) -> Result<Self, BenchError> {
        let latency = Latency::new()?;
        Ok(Self { window, acknowledged: 0, acknowledged_in_all: 0, conflicts: 0, latency })
    }

    /// Counts an attempt that ended `now`, and tells the request. `started`: when the first
    /// attempt was made; that of the next append afterwards.
    pub(crate) fn settle(
        &mut self,
        attempt: &Attempt,
        request: &mut Request,
        started: &mut Instant,
        now: Instant,
    ) {
        match attempt {
            Attempt::Acknowledged(committed) => {
                self.acknowledged_in_all += 1;
                if self.window.has(now) {
                    self.acknowledged += 1;
                    self.latency.record(now - *started);
                }
                request.acknowledge(committed);
                *started = now;
            }
            Attempt::Conflicted(conflicts) => {
                self.conflicts += 1;
                request.correct(conflicts);
            }
        }
    }

    pub(crate) fn add(&mut self, other: &Self) -> Result<(), BenchError> {
        self.acknowledged += other.acknowledged;
        self.acknowledged_in_all += other.acknowledged_in_all;
        self.conflicts += other.conflicts;
        self.latency.add(&other.latency)
    }
}

/// How many events were acknowledged, by stream.
pub(crate) type Written = HashMap<StreamId, u64>;

/// What came of all callers' appends.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) tally: Tally,
    pub(crate) written: Written,
}

impl Outcome {
    pub(crate) fn new(window: Window) -> Result<Self, BenchError> {
        Ok(Self { tally: Tally::new(window)?, written: Written::new() })
    }

    /// With what a request wrote.
    pub(crate) fn wrote(&mut self, request: &Request) {
        for (stream, events) in request.written() {
            *self.written.entry(stream).or_default() += events;
        }
    }
}
