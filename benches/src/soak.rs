//! W2 with 100 threads for a long time: whether latency and memory stay as they are, and what a
//! change of segments costs.

mod interval;
mod observer;

use std::{
    thread,
    time::{Duration, Instant},
};

use annals::{Annals, StreamId};
use parking_lot::Mutex;

pub(crate) use interval::{Interval, Seen};

use crate::{
    error::BenchError,
    latency::Latency,
    progress::Progress,
    request::Request,
    scratch::Scratch,
    shape::SINGLE,
    soak::observer::Observer,
    verify,
    yardstick::{PAGE_BYTES, Yardstick},
};

pub(crate) const CALLERS: usize = 100;

/// What a soak gave.
#[derive(Debug)]
pub(crate) struct Soak {
    pub(crate) intervals: Vec<Interval>,
    pub(crate) latency: Latency,
    /// Writes and syncs of 4 KiB in a second by one caller, before and after.
    pub(crate) raw: [f64; 2],
    pub(crate) commits: u64,
}

/// Appends for so long.
pub(crate) fn run(
    length: Duration,
    scratch: &Scratch,
    progress: &Progress,
) -> Result<Soak, BenchError> {
    let mut yardstick = Yardstick::new(scratch, PAGE_BYTES)?;
    let second = Duration::from_secs(1);
    let before = yardstick.rate(second)?;
    let path = scratch.path("log");
    let annals = Annals::open(&path)?;
    let seen: Vec<Mutex<Seen>> =
        (0..CALLERS).map(|_| Seen::new().map(Mutex::new)).collect::<Result<_, _>>()?;
    let mut observer = Observer::new(&annals, &seen, progress)?;
    let requests = append(&annals, &seen, length, &mut observer)?;
    let (intervals, latency) = observer.end();
    annals.close()?;
    drop(annals);
    let after = yardstick.rate(second)?;
    let written = requests.iter().flat_map(Request::written).collect();
    verify::holds(&Annals::open(&path)?, &written)?;
    Ok(Soak { intervals, latency, raw: [before, after], commits: written.values().sum() })
}

/// Has all callers append, while the observer looks on.
fn append(
    annals: &Annals,
    seen: &[Mutex<Seen>],
    length: Duration,
    observer: &mut Observer<'_>,
) -> Result<Vec<Request>, BenchError> {
    let end = Instant::now() + length;
    thread::scope(|scope| {
        let call = |(number, seen)| scope.spawn(move || call(annals, number, seen, end));
        let callers: Vec<_> = (0..).zip(seen).map(call).collect();
        let watched = observer.watch(end);
        let ended = callers.into_iter().map(thread::ScopedJoinHandle::join);
        let requests = ended.map(|ended| ended.map_err(|_| BenchError::Panicked)?).collect();
        watched.and(requests)
    })
}

fn call(
    annals: &Annals,
    number: u64,
    seen: &Mutex<Seen>,
    end: Instant,
) -> Result<Request, BenchError> {
    let mut request = Request::new(&SINGLE, vec![StreamId::new(&format!("own-{number}"))?])?;
    let mut now = Instant::now();
    while now < end {
        request.acknowledge(&annals.append(request.append()).wait()?);
        let started = std::mem::replace(&mut now, Instant::now());
        seen.lock().record(now - started);
    }
    Ok(request)
}
