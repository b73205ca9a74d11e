//! Logs to read and to open.

use std::path::PathBuf;

use annals::{Annals, StreamId};

use crate::{
    error::BenchError,
    number::wide,
    outcome::Written,
    request::Request,
    shape::{BATCH, SINGLE, Shape},
    verify,
};

/// How many streams a log has, besides the scattered one.
pub(crate) const STREAMS: usize = 1000;

/// How many events the scattered stream has.
pub(crate) const SCATTERED_EVENTS: u64 = 1000;

/// A log that was filled and closed.
#[derive(Debug)]
pub(crate) struct SampleLog {
    pub(crate) path: PathBuf,
    pub(crate) events: u64,
}

/// The name of a stream of a log of single events.
pub(crate) fn stream(number: usize) -> Result<StreamId, BenchError> {
    Ok(StreamId::new(&format!("stream-{number:04}"))?)
}

/// The stream with events scattered over a log of single events.
pub(crate) fn scattered() -> Result<StreamId, BenchError> {
    Ok(StreamId::new("scattered")?)
}

/// A request for each stream of a log of single events.
pub(crate) fn requests() -> Result<Vec<Request>, BenchError> {
    (0..STREAMS).map(|number| Request::new(&SINGLE, vec![stream(number)?])).collect()
}

/// Appends requests in turn, durably, so many in all.
pub(crate) fn fill(
    annals: &Annals,
    requests: &mut [Request],
    appends: u64,
) -> Result<(), BenchError> {
    let mut left = appends;
    while left > 0 {
        let count = requests.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let (some, _) = requests.split_at_mut(count);
        let pendings: Vec<_> = some.iter().map(|request| annals.append(request.append())).collect();
        for (request, pending) in some.iter_mut().zip(pendings) {
            request.acknowledge(&pending.wait()?);
        }
        requests.rotate_left(count);
        left -= wide(count);
    }
    Ok(())
}

/// What requests wrote.
pub(crate) fn written(requests: &[Request]) -> Written {
    requests.iter().flat_map(Request::written).collect()
}

/// A log of single events, with a stream scattered over it.
pub(crate) fn singles(path: PathBuf, events: u64) -> Result<SampleLog, BenchError> {
    let annals = Annals::open(&path)?;
    let mut requests = requests()?;
    let mut rare = Request::new(&SINGLE, vec![scattered()?])?;
    for _ in 0..SCATTERED_EVENTS {
        fill(&annals, &mut requests, (events / SCATTERED_EVENTS).saturating_sub(1))?;
        rare.acknowledge(&annals.append(rare.append()).wait()?);
    }
    requests.push(rare);
    close(&annals, path, &requests)
}

/// A log of batches.
pub(crate) fn batches(path: PathBuf, events: u64) -> Result<SampleLog, BenchError> {
    of_shape(&BATCH, path, events)
}

/// A log of appends of one shape, each of 100 callers in turn with streams of its own.
pub(crate) fn of_shape(shape: &Shape, path: PathBuf, events: u64) -> Result<SampleLog, BenchError> {
    let annals = Annals::open(&path)?;
    let mut requests = shape_requests(shape)?;
    fill(&annals, &mut requests, events / wide(shape.events))?;
    close(&annals, path, &requests)
}

/// Requests of 100 callers.
pub(crate) fn shape_requests(shape: &Shape) -> Result<Vec<Request>, BenchError> {
    crate::case::Case::new(*shape, crate::case::Callers::Threads(100)).requests()
}

fn close(annals: &Annals, path: PathBuf, requests: &[Request]) -> Result<SampleLog, BenchError> {
    verify::holds(annals, &written(requests))?;
    let events = annals.position().get();
    annals.close()?;
    Ok(SampleLog { path, events })
}
