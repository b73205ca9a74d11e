//! What commands are to reach, and whether they did.

use std::fmt;

use super::case::{Asked, CommandCase};
use crate::{
    case::Keeping,
    number::{float, human, per, short},
    row::Row,
};

/// What a case of commands is to reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Goal {
    /// At least so many commands in a second.
    Rate(f64),
    /// At least so much of the rate of appends that decide nothing.
    OfBase(f64),
    /// 99 of 100 take less, in milliseconds.
    P99Millis(f64),
    /// 95 of 100 take less than three raw writes, as the median is, and a millisecond.
    P95OfRaw,
    /// At most so much processor time for each, in microseconds.
    CpuMicros(f64),
    /// Fewer conflicts for each command.
    Conflicts(f64),
    /// No command gives up after conflicts.
    NobodyGivesUp,
}

/// What became of all commands of a case.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Totals {
    pub(crate) settled: u64,
    pub(crate) rejected: u64,
    pub(crate) failed: u64,
    pub(crate) conflicts: u64,
    /// Of all together.
    pub(crate) cpu_micros: f64,
}

impl CommandCase {
    /// What it is to reach.
    pub(crate) fn goals(&self) -> Vec<Goal> {
        use Goal::{Conflicts, CpuMicros, NobodyGivesUp, OfBase, P95OfRaw, P99Millis, Rate};
        let callers = self.callers.count();
        let special: &[Goal] = match (self.asked, self.keeping, callers) {
            (Asked::Bank(bank), Keeping::Durable, 100) if bank.accounts == 100 => {
                match (bank.deposits, bank.is_cached) {
                    (0, _) => &[Rate(100_000.0), OfBase(0.7), P99Millis(5.0), P95OfRaw],
                    (_, true) => &[Rate(100_000.0), P99Millis(5.0)],
                    (_, false) => return vec![NobodyGivesUp],
                }
            }
            (Asked::Bank(_), Keeping::Durable, 1_000) => &[Rate(200_000.0)],
            (Asked::Bank(bank), Keeping::Memory, 100) if bank.accounts == 100 => &[Rate(300_000.0)],
            (Asked::Shop(shop), Keeping::Durable, 50) if shop.products == 2 => {
                &[Rate(40_000.0), Conflicts(0.05), P99Millis(10.0)]
            }
            (Asked::Shop(_), Keeping::Durable, 50) => &[Rate(50_000.0), P99Millis(10.0), P95OfRaw],
            (Asked::Shop(_), Keeping::Durable, 1_000) => &[Rate(100_000.0)],
            (Asked::Shop(shop), Keeping::Memory, 50) if shop.products == 50 => &[Rate(150_000.0)],
            _ => &[],
        };
        [&[NobodyGivesUp, CpuMicros(10.0)], special].concat()
    }
}

/// Each goal, and whether it was met.
pub(crate) fn verdicts(goals: &[Goal], row: &Row, raw: Option<&Row>, totals: &Totals) -> String {
    let verdict = |goal: &Goal| {
        let met = if goal.is_met(row, raw, totals)? { "met" } else { "not met" };
        Some(format!("{goal}: {met}"))
    };
    goals.iter().filter_map(verdict).collect::<Vec<_>>().join("; ")
}

impl Goal {
    /// `None`: nothing that could tell was measured.
    fn is_met(self, row: &Row, raw: Option<&Row>, totals: &Totals) -> Option<bool> {
        let each = |total| per(total, totals.settled);
        Some(match self {
            Self::Rate(rate) => row.value()?.median >= rate,
            Self::OfBase(share) => row.to_base()?.median >= share,
            Self::P99Millis(millis) => row.percentiles()?.p99 < millis * 1e3,
            Self::P95OfRaw => row.percentiles()?.p95 < 3.0 * raw?.percentiles()?.p50 + 1e3,
            Self::CpuMicros(micros) => each(totals.cpu_micros) <= micros,
            Self::Conflicts(share) => each(float(totals.conflicts)) < share,
            Self::NobodyGivesUp => totals.failed == 0,
        })
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate(rate) => write!(f, "{}/s", human(*rate)),
            Self::OfBase(share) => write!(f, "{} of base", short(*share)),
            Self::P99Millis(millis) => write!(f, "p99 < {} ms", short(*millis)),
            Self::P95OfRaw => f.write_str("p95 < 3 raw + 1 ms"),
            Self::CpuMicros(micros) => write!(f, "{} us of processor", short(*micros)),
            Self::Conflicts(share) => write!(f, "< {} conflicts", short(*share)),
            Self::NobodyGivesUp => f.write_str("nobody gives up"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{latency::Latency, row::Run, workload::Workload};

    fn row(value: f64, base: f64, millis: u64) -> Row {
        let mut latency = Latency::new().unwrap();
        (0..100).for_each(|_| latency.record(Duration::from_millis(millis)));
        let run = Run { base: Some(base), ..Run::of(value) };
        let (runs, latency) = (vec![run], Some(latency));
        Row { runs, latency, ..Row::new(Workload::Financial, "", "commands/s") }
    }

    #[test]
    fn each_goal_can_be_met_and_missed() {
        let all = [
            Goal::Rate(100.0),
            Goal::OfBase(0.5),
            Goal::P99Millis(5.0),
            Goal::P95OfRaw,
            Goal::CpuMicros(10.0),
            Goal::Conflicts(0.05),
            Goal::NobodyGivesUp,
        ];
        let raw = row(1.0, 1.0, 1);
        let good = Totals { settled: 100, cpu_micros: 1_000.0, conflicts: 4, ..Totals::default() };
        let said = verdicts(&all, &row(100.0, 200.0, 3), Some(&raw), &good);
        assert_eq!(said.matches(": met").count(), all.len(), "{said}");
        let bad = Totals { failed: 1, conflicts: 5, cpu_micros: 1_001.0, ..good };
        let said = verdicts(&all, &row(99.0, 200.0, 6), Some(&raw), &bad);
        assert_eq!(said.matches(": not met").count(), all.len(), "{said}");
        assert_eq!(verdicts(&[Goal::P95OfRaw], &row(1.0, 1.0, 1), None, &good), "");
    }
}
