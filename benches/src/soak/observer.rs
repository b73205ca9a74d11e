//! Looks at the callers ten times a second, and says every ten seconds what it saw.

use std::time::{Duration, Instant};

use annals::Annals;
use parking_lot::Mutex;

use crate::{
    error::BenchError,
    latency::Latency,
    number::float,
    process::{self, ProcessMemory},
    progress::Progress,
    soak::interval::{Interval, Seen, Slowest},
};

/// How long a line of the result is.
const INTERVAL: Duration = Duration::from_secs(10);

/// How finely appends near a change of segments are told from others.
const SLICE: Duration = Duration::from_millis(100);

/// The slowest append of a slice, and whether the number of segments changed.
type Slice = (Duration, bool);

pub(crate) struct Observer<'a> {
    annals: &'a Annals,
    seen: &'a [Mutex<Seen>],
    progress: &'a Progress,
    began: Instant,
    /// When the current interval began.
    since: Instant,
    segments: u64,
    slices: [Slice; 3],
    slowest: Slowest,
    total: Latency,
    intervals: Vec<Interval>,
}

impl<'a> Observer<'a> {
    pub(crate) fn new(
        annals: &'a Annals,
        seen: &'a [Mutex<Seen>],
        progress: &'a Progress,
    ) -> Result<Self, BenchError> {
        let now = Instant::now();
        Ok(Self {
            annals,
            seen,
            progress,
            began: now,
            since: now,
            segments: annals.stats().log.segments,
            slices: [Slice::default(); 3],
            slowest: Slowest::default(),
            total: Latency::new()?,
            intervals: Vec::new(),
        })
    }

    /// Looks on until the end.
    pub(crate) fn watch(&mut self, end: Instant) -> Result<(), BenchError> {
        self.began = Instant::now();
        self.since = self.began;
        let steps = (end - self.began).as_secs() / INTERVAL.as_secs();
        self.progress.begin("soak", steps.max(1));
        while Instant::now() < end {
            process::pause(SLICE);
            self.look();
            if self.since.elapsed() >= INTERVAL || Instant::now() >= end {
                let interval = self.interval()?;
                self.progress.print(&interval.to_string());
                self.progress.done();
                self.intervals.push(interval);
            }
        }
        Ok(())
    }

    pub(crate) fn end(self) -> (Vec<Interval>, Latency) {
        (self.intervals, self.total)
    }

    /// Ends a slice. It counts as near a change of segments if one fell into it, or into the one
    /// before or after: so the one before is judged.
    fn look(&mut self) {
        let segments = self.annals.stats().log.segments;
        let has_changed = std::mem::replace(&mut self.segments, segments) != segments;
        let slowest = self.seen.iter().map(|seen| seen.lock().take_slowest()).max();
        let [_, before, last] = self.slices;
        self.slices = [before, last, (slowest.unwrap_or_default(), has_changed)];
        let is_near = self.slices.iter().any(|(_, has_changed)| *has_changed);
        self.slowest.saw(last.0, is_near);
    }

    /// Ends an interval.
    fn interval(&mut self) -> Result<Interval, BenchError> {
        let mut latency = Latency::new()?;
        for seen in self.seen {
            let mut seen = seen.lock();
            latency.add(&seen.latency)?;
            seen.latency.clear();
        }
        self.total.add(&latency)?;
        let now = Instant::now();
        let length = now - std::mem::replace(&mut self.since, now);
        let ProcessMemory { own, mapped } = process::memory();
        Ok(Interval {
            seconds: (now - self.began).as_secs_f64(),
            commits_per_second: float(latency.count()) / length.as_secs_f64(),
            latency: latency.percentiles(),
            memory_mb: float(own) / 1e6,
            mapped_mb: float(mapped) / 1e6,
            segments: self.segments,
            slowest: std::mem::take(&mut self.slowest),
        })
    }
}
