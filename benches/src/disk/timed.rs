//! Writes of one caller, one after the other.

use std::{
    io,
    time::{Duration, Instant},
};

use crate::{
    disk::case::Sample,
    error::BenchError,
    latency::Latency,
    number::{float, per},
    process,
};

/// Counts writes; what happens between two loops does not count.
#[derive(Debug)]
pub(crate) struct Timed {
    latency: Latency,
    pub(crate) total: Duration,
    cpu_seconds: f64,
}

impl Timed {
    pub(crate) fn new() -> Result<Self, BenchError> {
        Ok(Self { latency: Latency::new()?, total: Duration::ZERO, cpu_seconds: 0.0 })
    }

    /// Writes until `total` has reached a length, but at most so often.
    pub(crate) fn repeat(
        &mut self,
        length: Duration,
        writes_max: u64,
        mut write: impl FnMut() -> io::Result<()>,
    ) -> io::Result<()> {
        let (cpu_before, mut now) = (process::cpu_seconds(), Instant::now());
        for _ in 0..writes_max {
            write()?;
            let before = std::mem::replace(&mut now, Instant::now());
            self.latency.record(now - before);
            self.total += now - before;
            if self.total >= length {
                break;
            }
        }
        self.cpu_seconds += process::cpu_seconds() - cpu_before;
        Ok(())
    }

    /// How many writes in a second; `extra`: processor time of each, in microseconds.
    pub(crate) fn sample(self) -> Sample {
        let count = self.latency.count();
        let rate = float(count) / self.total.as_secs_f64();
        Sample { rate, extra: per(self.cpu_seconds * 1e6, count), latency: self.latency }
    }
}
