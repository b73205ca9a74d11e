//! A line of the result.

use crate::{
    chapter::Chapter,
    latency::{Latency, Percentiles},
    number::Spread,
};

/// A line of the result: one case, measured several times.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) chapter: Chapter,
    pub(crate) case: String,
    /// What a plot draws as one line.
    pub(crate) series: String,
    /// Where on that line: the number of callers, or of events.
    pub(crate) x: Option<f64>,
    pub(crate) unit: &'static str,
    pub(crate) runs: Vec<Run>,
    /// Of all runs.
    pub(crate) latency: Option<Latency>,
    /// What `Run::base` is.
    pub(crate) base: Option<String>,
    /// What it was to reach, and whether it did.
    pub(crate) goals: String,
    pub(crate) remark: String,
}

/// One measurement.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub(crate) struct Run {
    /// In the row's unit.
    pub(crate) value: f64,
    /// What one caller would reach with a raw write and sync for each append, in the same unit.
    pub(crate) raw: Option<f64>,
    /// What another case reached in the same round.
    pub(crate) base: Option<f64>,
}

impl Run {
    pub(crate) fn of(value: f64) -> Self {
        Self { value, raw: None, base: None }
    }
}

impl Row {
    pub(crate) fn new(
        chapter: impl Into<Chapter>,
        case: impl Into<String>,
        unit: &'static str,
    ) -> Self {
        Self {
            chapter: chapter.into(),
            case: case.into(),
            series: String::new(),
            x: None,
            unit,
            runs: Vec::new(),
            latency: None,
            base: None,
            goals: String::new(),
            remark: String::new(),
        }
    }

    pub(crate) fn value(&self) -> Option<Spread> {
        Spread::of(self.runs.iter().map(|run| run.value))
    }

    /// The raw disk, in the row's unit.
    pub(crate) fn raw(&self) -> Option<Spread> {
        Spread::of(self.runs.iter().filter_map(|run| run.raw))
    }

    /// Value by raw disk, round by round.
    pub(crate) fn to_raw(&self) -> Option<Spread> {
        Spread::of(self.runs.iter().filter_map(|run| Some(run.value / run.raw?)))
    }

    /// Value by base, round by round.
    pub(crate) fn to_base(&self) -> Option<Spread> {
        Spread::of(self.runs.iter().filter_map(|run| Some(run.value / run.base?)))
    }

    pub(crate) fn percentiles(&self) -> Option<Percentiles> {
        let latency = self.latency.as_ref().filter(|latency| latency.count() > 0);
        latency.map(Latency::percentiles)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Workload;

    #[test]
    fn ratios_are_taken_within_a_round() {
        let mut row = Row::new(Workload::W2, "1 thread", "commits/s");
        let run = |value, raw| Run { raw: Some(raw), ..Run::of(value) };
        row.runs = vec![run(10.0, 10.0), run(60.0, 100.0), run(8.0, 10.0)];
        assert_eq!(row.to_raw(), Some(Spread { median: 0.8, min: 0.6, max: 1.0 }));
        assert_eq!(row.to_base(), None);
    }
}
