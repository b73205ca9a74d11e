//! The targets that EventCore's performance report set, and what came of them here.

use crate::{
    number::human,
    report::summary::{Group, Summary},
};

/// A target: met from the upper end on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) name: &'static str,
    workload: &'static str,
    low: f64,
    high: f64,
    of: fn(&Summary<'_>) -> f64,
    is_less_better: bool,
}

/// Payments touch one stream or two, so they are held to the target of single-stream commands.
pub(crate) const TARGETS: [Target; 5] = [
    Target {
        name: "single-stream, 5,000-10,000 commands/s",
        workload: "financial",
        low: 5_000.0,
        high: 10_000.0,
        of: |summary| summary.rate().median,
        is_less_better: false,
    },
    Target {
        name: "financial, p95 below 10 ms",
        workload: "financial",
        low: 10_000.0,
        high: 10_000.0,
        of: |summary| summary.micros_at(0.95).median,
        is_less_better: true,
    },
    Target {
        name: "multi-stream, 2,000-5,000 commands/s",
        workload: "orders",
        low: 2_000.0,
        high: 5_000.0,
        of: |summary| summary.rate().median,
        is_less_better: false,
    },
    Target {
        name: "orders, p95 below 10 ms",
        workload: "orders",
        low: 10_000.0,
        high: 10_000.0,
        of: |summary| summary.micros_at(0.95).median,
        is_less_better: true,
    },
    Target {
        name: "batched, 20,000 events/s",
        workload: "batch",
        low: 20_000.0,
        high: 20_000.0,
        of: |summary| summary.events_rate().median,
        is_less_better: false,
    },
];

impl Target {
    /// The workload that is held to it: batches by one caller.
    pub(crate) fn group<'a, 'g>(&self, groups: &'g [Group<'a>]) -> Option<&'g Group<'a>> {
        groups.iter().find(|group| group.workload == self.workload)
    }

    /// Whether it is met, and by what factor.
    pub(crate) fn verdict(&self, summary: &Summary<'_>) -> String {
        self.judge((self.of)(summary))
    }

    fn judge(&self, value: f64) -> String {
        if self.is_less_better {
            let factor = self.high / value;
            let word = if value < self.high { "met" } else { "not met" };
            return format!("{word}, x {}", human(factor));
        }
        let factor = human(value / self.high);
        match value {
            _ if value >= self.high && self.low < self.high => {
                format!("met, x {factor} of the upper end")
            }
            _ if value >= self.high => format!("met, x {factor}"),
            _ if value >= self.low => {
                format!("within, x {} of the lower end", human(value / self.low))
            }
            _ => format!("not met, x {}", human(value / self.low)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_are_of_the_end_that_matters() {
        let [rate, latency, ..] = TARGETS;
        assert_eq!(rate.judge(20_000.0), "met, x 2.00 of the upper end");
        assert_eq!(rate.judge(7_500.0), "within, x 1.50 of the lower end");
        assert_eq!(rate.judge(2_500.0), "not met, x 0.50");
        assert_eq!(latency.judge(2_500.0), "met, x 4.00");
        assert_eq!(latency.judge(20_000.0), "not met, x 0.50");
        assert_eq!(latency.judge(10_000.0), "not met, x 1.00", "below, not at");
        assert_eq!(TARGETS[4].judge(40_000.0), "met, x 2.00");
    }
}
