//! What is done again and again while instructions are counted.
//!
//! Nothing depends on chance: the log's id and the seed of the index are fixed, and the caller's
//! thread does everything. What helper threads do otherwise (prepare segments, write for callers
//! that do not block) is not counted: no log fills half of its first segment, which is where the
//! next one is prepared.

use std::{hint::black_box, io, ops::ControlFlow, path::Path, sync::Arc};

use annals::{
    Annals, AppendError, Environment, Events, Executor, LogQuery, Options, Position, StreamQuery,
    SystemEnvironment, Threads,
};
use annals_event::Encoder;
use annals_wal::body_checksum;

use crate::{
    error::BenchError,
    instructions::bank::{self, KeptTransfer, Transfer},
    number::wide,
    random::Random,
    request::Request,
    sample_log,
    shape::{BATCH, SINGLE, Shape},
};

/// What is counted, made ready.
pub(crate) struct Operation {
    /// Done again and again. Says how many units it did.
    step: Box<dyn FnMut() -> Result<u64, BenchError>>,
    /// The store that it is done on, if it is always the same.
    store: Option<Annals>,
}

/// Where the first segment of a log is half full.
const HALF_SEGMENT_BYTES: u64 = 512 << 10;

impl Operation {
    fn new(step: impl FnMut() -> Result<u64, BenchError> + 'static) -> Self {
        Self { step: Box::new(step), store: None }
    }

    fn on(
        store: Annals,
        mut step: impl FnMut(&Annals) -> Result<u64, BenchError> + 'static,
    ) -> Self {
        let handle = store.clone();
        Self { store: Some(store), ..Self::new(move || step(&handle)) }
    }

    /// Does it once. Says how many units that was.
    pub(crate) fn step(&mut self) -> Result<u64, BenchError> {
        (self.step)()
    }

    /// Whether nothing else was done meanwhile: no segment was prepared.
    pub(crate) fn is_alone(&self) -> bool {
        let stats = self.store.as_ref().map(Annals::stats);
        stats.is_none_or(|stats| stats.log.bytes_used < HALF_SEGMENT_BYTES)
    }
}

/// How many events the log of single events has.
pub(crate) const SINGLES: u64 = 2_000;

/// How many events the log of batches has.
pub(crate) const BATCHED: u64 = 3_000;

/// How many events the stream has that is scattered over the log of single events.
pub(crate) const SCATTERED: u64 = 1_000;

/// How many other streams that log has.
const STREAMS: usize = 100;

/// How many accounts the bank has: enough for every command to find its own.
const ACCOUNTS: usize = 1_010;

/// From an append to the body of a frame.
pub(crate) fn encode(shape: &Shape) -> Result<Operation, BenchError> {
    let request = request(shape)?;
    let mut encoder = Encoder::default();
    Ok(Operation::new(move || {
        encoder.encode(black_box(request.append())).map_err(AppendError::from)?;
        black_box(encoder.body());
        Ok(1)
    }))
}

/// The checksum of a body of 4 KiB.
pub(crate) fn checksum() -> Operation {
    let body = vec![0x5A; 4096];
    Operation::new(move || {
        black_box(body_checksum(black_box(&body)));
        Ok(1)
    })
}

/// An append to a store in memory, each stream expected at its exact version.
pub(crate) fn append_in_memory(shape: &Shape) -> Result<Operation, BenchError> {
    append(options().in_memory()?, shape)
}

/// As [`append_in_memory`], on disk, synced before it is acknowledged.
pub(crate) fn append_durably(shape: &Shape, dir: &Path) -> Result<Operation, BenchError> {
    append(options().open(dir)?, shape)
}

fn append(annals: Annals, shape: &Shape) -> Result<Operation, BenchError> {
    let mut request = request(shape)?;
    Ok(Operation::on(annals, move |annals| {
        request.acknowledge(&annals.append(request.append()).wait()?);
        Ok(1)
    }))
}

/// An append whose stream has moved.
pub(crate) fn conflict() -> Result<Operation, BenchError> {
    let annals = options().in_memory()?;
    let stale = request(&SINGLE)?;
    annals.append(stale.append()).wait()?;
    Ok(Operation::on(annals, move |annals| match annals.append(stale.append()).wait() {
        Err(AppendError::Conflict(conflicts)) => {
            black_box(conflicts);
            Ok(1)
        }
        Err(other) => Err(other.into()),
        Ok(_) => Err(BenchError::Lost("an append that must conflict did not".to_owned())),
    }))
}

/// A command that reads one event and appends one.
pub(crate) fn deposit() -> Result<Operation, BenchError> {
    let annals = options().in_memory()?;
    let executor = Executor::new(annals.clone());
    let mut accounts = bank::open(&executor, ACCOUNTS)?.into_iter().cycle();
    Ok(Operation::on(annals, move |_| {
        let Some(account) = accounts.next() else { return Ok(0) };
        bank::execute(&executor, &Transfer { from: None, to: account, cents: 1 })
    }))
}

/// A command that reads two streams of one event each and appends one event to each.
pub(crate) fn transfer() -> Result<Operation, BenchError> {
    let annals = options().in_memory()?;
    let executor = Executor::new(annals.clone());
    let mut accounts = bank::open(&executor, ACCOUNTS)?.into_iter().cycle();
    Ok(Operation::on(annals, move |_| {
        let (Some(from), Some(to)) = (accounts.next(), accounts.next()) else { return Ok(0) };
        bank::execute(&executor, &Transfer { from: Some(from), to, cents: 1 })
    }))
}

/// As [`transfer`], of balances that are kept: no event is read.
pub(crate) fn kept_transfer() -> Result<Operation, BenchError> {
    let annals = options().in_memory()?;
    let executor = Executor::new(annals.clone());
    let accounts = bank::open(&executor, ACCOUNTS)?;
    for pair in accounts.chunks(2) {
        let [from, to] = pair else { continue };
        let warm = Transfer { from: Some(from.clone()), to: to.clone(), cents: 1 };
        bank::execute(&executor, &KeptTransfer(warm))?;
    }
    let mut accounts = accounts.into_iter().cycle();
    Ok(Operation::on(annals, move |_| {
        let (Some(from), Some(to)) = (accounts.next(), accounts.next()) else { return Ok(0) };
        bank::execute(&executor, &KeptTransfer(Transfer { from: Some(from), to, cents: 1 }))
    }))
}

/// The whole log of single events, in order, as views.
pub(crate) fn scan_singles(dir: &Path) -> Result<Operation, BenchError> {
    Ok(Operation::on(singles(dir)?, |annals| count(annals.read_all(LogQuery::forward()))))
}

/// The whole log of batches, in order, as views.
pub(crate) fn scan_batches(dir: &Path) -> Result<Operation, BenchError> {
    let annals = options().open(dir)?;
    let mut requests = [request(&BATCH)?];
    sample_log::fill(&annals, &mut requests, BATCHED / wide(BATCH.events))?;
    Ok(Operation::on(annals, |annals| count(annals.read_all(LogQuery::forward()))))
}

/// A stream that is scattered over the log, as views.
pub(crate) fn read_scattered(dir: &Path) -> Result<Operation, BenchError> {
    let stream = sample_log::scattered()?;
    Ok(Operation::on(singles(dir)?, move |annals| {
        count(annals.read_stream(&stream, StreamQuery::forward()))
    }))
}

/// One event somewhere in the log, as a view.
pub(crate) fn read_by_position(dir: &Path) -> Result<Operation, BenchError> {
    let mut random = Random::new(1);
    Ok(Operation::on(singles(dir)?, move |annals| {
        let position = Position::new(1 + random.below(SINGLES));
        count(annals.read_all(LogQuery::forward().from(position).limit(1)))
    }))
}

/// Opening a log that was closed cleanly, all of it in one segment without an image.
pub(crate) fn open(dir: &Path) -> Result<Operation, BenchError> {
    singles(dir)?.close()?;
    let dir = dir.to_owned();
    Ok(Operation::new(move || Ok(options().open(&dir)?.position().get())))
}

/// A log on disk of single events, every second one of the scattered stream.
fn singles(dir: &Path) -> Result<Annals, BenchError> {
    let annals = options().open(dir)?;
    let mut requests = sample_log::requests()?;
    requests.truncate(STREAMS);
    let mut scattered = [Request::new(&SINGLE, vec![sample_log::scattered()?])?];
    for _ in 0..SCATTERED {
        sample_log::fill(&annals, &mut requests, SINGLES / SCATTERED - 1)?;
        sample_log::fill(&annals, &mut scattered, 1)?;
    }
    Ok(annals)
}

fn request(shape: &Shape) -> Result<Request, BenchError> {
    let streams = (0..shape.streams).map(sample_log::stream).collect::<Result<_, _>>()?;
    Request::new(shape, streams)
}

fn count(events: Events) -> Result<u64, BenchError> {
    let mut found = 0;
    events.visit(|event| {
        black_box(event.payload);
        found += 1;
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

fn options() -> Options {
    Options::new().threads(Threads::Inline).environment(Arc::new(Unchanging))
}

/// The system's clock, and randomness that is the same in every process.
#[derive(Debug)]
struct Unchanging;

impl Environment for Unchanging {
    fn now_micros(&self) -> i64 {
        SystemEnvironment.now_micros()
    }

    fn random(&self) -> io::Result<u128> {
        Ok(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_that_fills_half_a_segment_is_found() {
        let mut operation = append_in_memory(&BATCH).unwrap();
        operation.step().unwrap();
        assert!(operation.is_alone());
        for _ in 0..50 {
            operation.step().unwrap();
        }
        assert!(!operation.is_alone());
    }
}
