//! What was seen in ten seconds.

use std::{fmt, time::Duration};

use crate::{
    error::BenchError,
    latency::{Latency, Percentiles},
    number::human,
};

/// What one caller saw since it was asked last.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) latency: Latency,
    slowest: Duration,
}

impl Seen {
    pub(crate) fn new() -> Result<Self, BenchError> {
        Ok(Self { latency: Latency::new()?, slowest: Duration::ZERO })
    }

    pub(crate) fn record(&mut self, took: Duration) {
        self.latency.record(took);
        self.slowest = self.slowest.max(took);
    }

    /// The slowest append since this was asked last.
    pub(crate) fn take_slowest(&mut self) -> Duration {
        std::mem::take(&mut self.slowest)
    }
}

/// A line of the result.
#[derive(Debug, Clone, serde::Serialize)]
pub(crate) struct Interval {
    /// When it ended, from the beginning.
    pub(crate) seconds: f64,
    pub(crate) commits_per_second: f64,
    pub(crate) latency: Percentiles,
    /// Of the process, without mapped files, in megabytes.
    pub(crate) memory_mb: f64,
    /// Of mapped files: the page cache.
    pub(crate) mapped_mb: f64,
    pub(crate) segments: u64,
    pub(crate) slowest: Slowest,
}

/// The slowest appends, in milliseconds.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub(crate) struct Slowest {
    /// Near a change of segments; `None` if there was none.
    pub(crate) at_change_ms: Option<f64>,
    pub(crate) elsewhere_ms: Option<f64>,
}

impl Slowest {
    pub(crate) fn saw(&mut self, slowest: Duration, is_change: bool) {
        let side = if is_change { &mut self.at_change_ms } else { &mut self.elsewhere_ms };
        *side = Some(side.unwrap_or_default().max(slowest.as_secs_f64() * 1e3));
    }
}

impl Interval {
    /// What the columns of [`Interval::cells`] are.
    pub(crate) const HEADINGS: [&'static str; 11] = [
        "s",
        "commits/s",
        "p50 us",
        "p99 us",
        "p99.9 us",
        "max us",
        "memory MB",
        "mapped MB",
        "segments",
        "slowest at a change, ms",
        "elsewhere, ms",
    ];

    pub(crate) fn cells(&self) -> [String; 11] {
        let Percentiles { p50, p99, p999, max, .. } = self.latency;
        let optional = |number: Option<f64>| number.map(human).unwrap_or_default();
        [
            format!("{:.0}", self.seconds),
            human(self.commits_per_second),
            human(p50),
            human(p99),
            human(p999),
            human(max),
            human(self.memory_mb),
            human(self.mapped_mb),
            self.segments.to_string(),
            optional(self.slowest.at_change_ms),
            optional(self.slowest.elsewhere_ms),
        ]
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = Self::HEADINGS.iter().zip(self.cells()).filter(|(_, cell)| !cell.is_empty());
        let said: Vec<_> = said.map(|(heading, cell)| format!("{heading} {cell}")).collect();
        f.write_str(&said.join(" | "))
    }
}
