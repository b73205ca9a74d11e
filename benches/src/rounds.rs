//! Runs the cases of a write workload in rounds: each case once in every round, so that what is
//! compared is measured side by side while the machine drifts. The raw disk is measured before
//! and after every durable run.

use crate::{
    case::{Case, Keeping},
    error::BenchError,
    latency::Latency,
    number::{float, human, human_count, per, wide},
    plan::Plan,
    progress::Progress,
    row::{Row, Run},
    scratch::Scratch,
    workload::Workload,
    writes::{self, Sample},
    yardstick::{self, Yardstick},
};

/// What the runs of one case gave so far.
struct Gathered {
    case: Case,
    /// How many bytes the raw disk writes for comparison; `None`: there is none.
    raw_bytes: Option<usize>,
    row: Row,
    latency: Latency,
    sums: Sums,
}

/// Sums of what is a remark only.
#[derive(Debug, Default)]
struct Sums {
    acknowledged: u64,
    conflicts: u64,
    appends_per_group: f64,
    cpu_micros: f64,
}

/// Runs all cases as often as planned.
pub(crate) fn run(
    workload: Workload,
    cases: &[Case],
    plan: &Plan,
    scratch: &Scratch,
    progress: &Progress,
) -> Result<Vec<Row>, BenchError> {
    let mut all = Vec::new();
    for case in cases {
        all.push(Gathered::new(workload, *case)?);
    }
    let mut yardsticks = Yardsticks::new(&all, scratch)?;
    progress.begin(&workload.to_string(), u64::from(plan.runs) * wide(cases.len()));
    for _ in 0..plan.runs {
        for gathered in &mut all {
            progress.now(&gathered.row.case);
            match yardsticks.of(gathered.raw_bytes) {
                Some(raw) => {
                    let measure = || writes::measure(&gathered.case, plan, scratch);
                    let (sample, rate) = raw.beside(plan, measure)?;
                    gathered.take(&sample, Some(rate))?;
                }
                None => gathered.take(&writes::measure(&gathered.case, plan, scratch)?, None)?,
            }
            progress.done();
        }
    }
    let mut rows: Vec<Row> = all.into_iter().map(Gathered::into_row).collect();
    compare(cases, &mut rows);
    let mut first = yardsticks.into_rows(workload);
    first.append(&mut rows);
    Ok(first)
}

/// A case's name where it is clear which workload it belongs to.
fn name(workload: Workload, case: &Case) -> String {
    let name = case.to_string();
    name.strip_prefix(&format!("{workload}, ")).map(str::to_owned).unwrap_or(name)
}

impl Gathered {
    fn new(workload: Workload, case: Case) -> Result<Self, BenchError> {
        let row = Row {
            series: case.series(),
            x: Some(float(wide(case.callers.count()))),
            ..Row::new(workload, name(workload, &case), case.unit())
        };
        let is_durable = case.keeping == Keeping::Durable;
        let raw_bytes = is_durable.then(|| yardstick::bytes_for(&case.shape)).transpose()?;
        let (latency, sums) = (Latency::new()?, Sums::default());
        Ok(Self { case, raw_bytes, row, latency, sums })
    }

    fn take(&mut self, sample: &Sample, raw: Option<f64>) -> Result<(), BenchError> {
        let units = float(self.case.units());
        let raw = raw.map(|raw| raw * units);
        self.row.runs.push(Run { raw, ..Run::of(sample.rate * units) });
        let tally = &sample.outcome.tally;
        self.sums.acknowledged += tally.acknowledged_in_all;
        self.sums.conflicts += tally.conflicts;
        self.sums.appends_per_group += sample.appends_per_group;
        self.sums.cpu_micros += sample.cpu_micros;
        self.latency.add(&tally.latency)
    }

    fn into_row(self) -> Row {
        let remark = self.sums.remark(wide(self.row.runs.len()));
        Row { latency: Some(self.latency), remark, ..self.row }
    }
}

impl Sums {
    fn remark(&self, runs: u64) -> String {
        let appends = human(per(self.appends_per_group, runs));
        let micros = human(per(self.cpu_micros, runs));
        let remark = format!("{appends} appends a group, {micros} us of processor each");
        if self.conflicts == 0 {
            return remark;
        }
        let conflicts = human(per(float(self.conflicts), self.acknowledged));
        format!("{remark}, {conflicts} conflicts for each commit")
    }
}

/// Puts beside each run what the case it is compared with reached in the same round.
fn compare(cases: &[Case], rows: &mut [Row]) {
    for (index, case) in cases.iter().enumerate() {
        let Some(base) = case.base() else { continue };
        let Some(at) = cases.iter().position(|other| *other == base) else { continue };
        let values: Vec<f64> = rows
            .get(at)
            .map(|row| row.runs.iter().map(|run| run.value).collect())
            .unwrap_or_default();
        if let Some(row) = rows.get_mut(index) {
            row.base = Some(base.to_string());
            for (run, value) in row.runs.iter_mut().zip(values) {
                run.base = Some(value);
            }
        }
    }
}

/// The raw disk with one size of writes, and its rates so far.
pub(crate) struct Raw {
    yardstick: Yardstick,
    rates: Vec<f64>,
}

impl Raw {
    pub(crate) fn new(scratch: &Scratch, bytes: usize) -> Result<Self, BenchError> {
        Ok(Self { yardstick: Yardstick::new(scratch, bytes)?, rates: Vec::new() })
    }

    /// Runs something durable between two measurements of the raw disk; returns also their mean.
    pub(crate) fn beside<T>(
        &mut self,
        plan: &Plan,
        measure: impl FnOnce() -> Result<T, BenchError>,
    ) -> Result<(T, f64), BenchError> {
        let before = self.yardstick.rate(plan.yardstick())?;
        let sample = measure()?;
        let after = self.yardstick.rate(plan.yardstick())?;
        let rate = f64::midpoint(before, after);
        self.rates.push(rate);
        Ok((sample, rate))
    }

    /// A line for the raw disk itself.
    pub(crate) fn into_row(self, workload: Workload) -> Row {
        let Self { yardstick, rates } = self;
        let bytes = human_count(wide(yardstick.bytes()));
        let case = format!("raw: overwrite {bytes} bytes, fdatasync");
        let remark = format!("{} us of processor each", human(yardstick.cpu_micros()));
        Row {
            runs: rates.into_iter().map(Run::of).collect(),
            latency: Some(yardstick.latency),
            remark,
            series: RAW_SERIES.to_owned(),
            ..Row::new(workload, case, "writes/s")
        }
    }
}

/// One for each size that the durable cases' appends have.
struct Yardsticks(Vec<Raw>);

impl Yardsticks {
    fn new(all: &[Gathered], scratch: &Scratch) -> Result<Self, BenchError> {
        let mut yardsticks = Self(Vec::new());
        for bytes in all.iter().filter_map(|gathered| gathered.raw_bytes) {
            if yardsticks.of(Some(bytes)).is_none() {
                yardsticks.0.push(Raw::new(scratch, bytes)?);
            }
        }
        Ok(yardsticks)
    }

    fn of(&mut self, bytes: Option<usize>) -> Option<&mut Raw> {
        self.0.iter_mut().find(|raw| Some(raw.yardstick.bytes()) == bytes)
    }

    /// Lines for the raw disk itself.
    fn into_rows(self, workload: Workload) -> Vec<Row> {
        self.0.into_iter().map(|raw| raw.into_row(workload)).collect()
    }
}

/// The series of the raw disk.
pub(crate) const RAW_SERIES: &str = "raw disk";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        case::{Callers, Streams},
        shape::SINGLE,
    };

    #[test]
    fn a_case_is_compared_with_its_base_in_the_same_round() {
        let own = Case::new(SINGLE, Callers::Threads(16));
        let hot = Case { streams: Streams::Shared(1), ..own };
        let row = |values: [f64; 2]| Row {
            runs: values.map(Run::of).to_vec(),
            ..Row::new(Workload::Hot, "", "")
        };
        let mut rows = [row([10.0, 20.0]), row([5.0, 16.0])];
        compare(&[own, hot], &mut rows);
        let bases: Vec<_> = rows[1].runs.iter().map(|run| run.base).collect();
        assert_eq!(bases, [Some(10.0), Some(20.0)]);
        assert_eq!(rows[1].base.as_deref(), Some("W2, 16 threads"));
        assert_eq!(rows[0].base, None);
    }
}
