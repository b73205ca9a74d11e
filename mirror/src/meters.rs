//! Numbers for the recorder that the program has installed, if it wants any: with the feature
//! `metrics`. Without it they are nothing. They are looked up when a mirror is started.

/// What a mirror counts.
#[cfg(feature = "metrics")]
pub(crate) struct Meters {
    events: metrics::Counter,
    waits: metrics::Counter,
    lag: metrics::Gauge,
}

#[cfg(feature = "metrics")]
impl Meters {
    pub(crate) fn new() -> Self {
        Self {
            events: metrics::counter!("annals_mirror_events_total"),
            waits: metrics::counter!("annals_mirror_waits_total"),
            lag: metrics::gauge!("annals_mirror_lag_events"),
        }
    }

    /// So many events were copied.
    pub(crate) fn copied(&self, events: u64) {
        self.events.increment(events);
    }

    /// The server is away.
    pub(crate) fn waits(&self) {
        self.waits.increment(1);
    }

    /// So many events are yet to be copied.
    #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "metrics are floats")]
    pub(crate) fn lag(&self, events: u64) {
        self.lag.set(events as f64);
    }
}

/// Nothing is counted without the feature `metrics`.
#[cfg(not(feature = "metrics"))]
pub(crate) struct Meters;

#[cfg(not(feature = "metrics"))]
#[expect(clippy::unused_self, reason = "the same calls with and without the feature")]
impl Meters {
    pub(crate) fn new() -> Self {
        Self
    }

    pub(crate) fn copied(&self, _: u64) {}

    pub(crate) fn waits(&self) {}

    pub(crate) fn lag(&self, _: u64) {}
}

impl std::fmt::Debug for Meters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meters")
    }
}
