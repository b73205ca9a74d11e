//! Numbers for the recorder that the program has installed, if it wants any: with the feature
//! `metrics`. Without it they are nothing, and cost nothing.
//!
//! A meter is looked up when its executor is made: install the recorder before.

use std::time::Duration;

/// Counts.
#[derive(Clone)]
pub(crate) struct Meter {
    #[cfg(feature = "metrics")]
    counter: metrics::Counter,
}

/// Records how long things took.
#[derive(Clone)]
pub(crate) struct Distribution {
    #[cfg(feature = "metrics")]
    histogram: metrics::Histogram,
}

#[cfg(feature = "metrics")]
impl Meter {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { counter: metrics::counter!(name) }
    }

    pub(crate) fn labelled(name: &'static str, label: &'static str, value: &'static str) -> Self {
        Self { counter: metrics::counter!(name, label => value) }
    }

    pub(crate) fn add(&self, count: u64) {
        self.counter.increment(count);
    }
}

#[cfg(not(feature = "metrics"))]
#[expect(clippy::unused_self, reason = "the same calls with and without the feature")]
impl Meter {
    pub(crate) fn new(_: &'static str) -> Self {
        Self {}
    }

    pub(crate) fn labelled(_: &'static str, _: &'static str, _: &'static str) -> Self {
        Self {}
    }

    pub(crate) fn add(&self, _: u64) {}
}

#[cfg(feature = "metrics")]
impl Distribution {
    /// Whether it is worth while to look at the clock.
    pub(crate) const IS_RECORDED: bool = true;

    pub(crate) fn new(name: &'static str) -> Self {
        Self { histogram: metrics::histogram!(name) }
    }

    pub(crate) fn record(&self, took: Duration) {
        self.histogram.record(took.as_secs_f64());
    }
}

#[cfg(not(feature = "metrics"))]
#[expect(clippy::unused_self, reason = "the same calls with and without the feature")]
impl Distribution {
    /// Whether it is worth while to look at the clock.
    pub(crate) const IS_RECORDED: bool = false;

    pub(crate) fn new(_: &'static str) -> Self {
        Self {}
    }

    pub(crate) fn record(&self, _: Duration) {}
}

impl std::fmt::Debug for Meter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meter")
    }
}

impl std::fmt::Debug for Distribution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Distribution")
    }
}
