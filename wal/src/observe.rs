//! What the log tells of its groups: a span of `tracing` for each, and with the feature `metrics`
//! numbers for whatever recorder is installed. `docs/observability.md` has both as a table.

use std::io;

use tracing::Span;

use crate::{environment::Environment, tail::Group};

/// The span of a group on its way to the disk. It has no parent: it belongs to all whose commits
/// are in it, not to the one who happens to write it.
pub(crate) fn span(group: &Group) -> Span {
    tracing::debug_span!(
        parent: None,
        "group",
        number = group.number,
        commits = group.frames,
        last_position = group.last_record,
        bytes = group.bytes,
    )
}

/// What the log counts. Looked up when the log is opened: install a recorder before.
#[cfg(feature = "metrics")]
pub(crate) struct Meters {
    groups: metrics::Counter,
    commits: metrics::Histogram,
    bytes: metrics::Histogram,
    sync_seconds: metrics::Histogram,
    lag: metrics::Gauge,
}

#[cfg(feature = "metrics")]
impl Meters {
    pub(crate) fn new() -> Self {
        Self {
            groups: metrics::counter!("annals_groups_total"),
            commits: metrics::histogram!("annals_group_commits"),
            bytes: metrics::histogram!("annals_group_bytes"),
            sync_seconds: metrics::histogram!("annals_sync_seconds"),
            lag: metrics::gauge!("annals_watermark_lag_events"),
        }
    }

    /// A group ended, and so many records are in order and not in a group that ended.
    pub(crate) fn group(&self, frames: u64, bytes: u64, behind: u64) {
        self.groups.increment(1);
        self.commits.record(float(frames));
        self.bytes.record(float(bytes));
        self.lag.set(float(behind));
    }

    /// Syncs, and records how long it took. A clock that was set back meanwhile makes it 0.
    pub(crate) fn timed(
        &self,
        environment: &dyn Environment,
        sync: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let began = environment.now_micros();
        let synced = sync();
        let micros = environment.now_micros().saturating_sub(began);
        self.sync_seconds.record(float(u64::try_from(micros).unwrap_or_default()) / 1e6);
        synced
    }
}

#[cfg(feature = "metrics")]
#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "metrics are floats")]
fn float(count: u64) -> f64 {
    count as f64
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

    pub(crate) fn group(&self, _: u64, _: u64, _: u64) {}

    pub(crate) fn timed(
        &self,
        _: &dyn Environment,
        sync: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        sync()
    }
}

impl std::fmt::Debug for Meters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meters")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::SystemEnvironment;

    /// With numbers and without, what is timed is done, once, and says how it went.
    #[test]
    fn what_is_timed_is_done() {
        let meters = Meters::new();
        let mut done = 0;
        let mut sync = |result: Result<(), io::ErrorKind>| {
            meters.timed(&SystemEnvironment, || {
                done += 1;
                result.map_err(io::Error::from)
            })
        };
        assert!(sync(Ok(())).is_ok());
        assert!(sync(Err(io::ErrorKind::StorageFull)).is_err());
        assert_eq!(done, 2);
    }
}
