//! Has the cases of a part take turns: each once in every round, in an order of its own.

use crate::{
    disk::{
        case::{Case, Sample},
        part::Part,
        plan::DiskPlan,
    },
    error::BenchError,
    latency::Latency,
    number::{per, wide},
    progress::Progress,
    random::Random,
    row::{Row, Run},
    scratch::Scratch,
};

/// The same orders in every run of the program.
const SEED: u64 = 0x414E_4E41_4C53;

/// What the runs of one case gave so far.
struct Gathered {
    case: Case,
    runs: Vec<Run>,
    latency: Latency,
    extra: f64,
    /// Why there will be no more.
    missing: Option<String>,
}

/// Runs all cases as often as planned.
pub(crate) fn run(
    part: Part,
    cases: Vec<Case>,
    plan: &DiskPlan,
    scratch: &Scratch,
    progress: &Progress,
) -> Result<Vec<Row>, BenchError> {
    let mut all = cases.into_iter().map(Gathered::new).collect::<Result<Vec<_>, _>>()?;
    let mut random = Random::new(SEED);
    progress.begin(&part.to_string(), u64::from(plan.runs) * wide(all.len()));
    for _ in 0..plan.runs {
        for index in order(all.len(), &mut random) {
            if let Some(gathered) = all.get_mut(index) {
                progress.now(&gathered.case.name);
                gathered.run(plan, scratch)?;
            }
            progress.done();
        }
    }
    compare(&mut all);
    Ok(all.into_iter().map(|gathered| gathered.into_row(part)).collect())
}

/// All numbers below `count`, shuffled (Fisher and Yates).
fn order(count: usize, random: &mut Random) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    for index in (1..count).rev() {
        let other = random.below(wide(index) + 1);
        order.swap(index, usize::try_from(other).unwrap_or(index));
    }
    order
}

impl Gathered {
    fn new(case: Case) -> Result<Self, BenchError> {
        let latency = Latency::new()?;
        Ok(Self { case, runs: Vec::new(), latency, extra: 0.0, missing: None })
    }

    fn run(&mut self, plan: &DiskPlan, scratch: &Scratch) -> Result<(), BenchError> {
        if self.missing.is_some() {
            return Ok(());
        }
        match self.case.trial.measure(plan.length(), scratch) {
            Ok(Sample { rate, latency, extra }) => {
                self.runs.push(Run::of(rate));
                self.extra += extra;
                self.latency.add(&latency)
            }
            Err(error @ BenchError::NotAvailable(_)) => {
                self.missing = Some(error.to_string());
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn into_row(self, part: Part) -> Row {
        let Self { case: Case { name, base, trial }, runs, latency, extra, missing } = self;
        let mean = per(extra, wide(runs.len()));
        let remark = missing.unwrap_or_else(|| trial.remark(mean));
        Row { runs, latency: Some(latency), base, remark, ..Row::new(part, name, trial.unit()) }
    }
}

/// Puts beside each run what the case it is compared with reached in the same round.
fn compare(all: &mut [Gathered]) {
    let values: Vec<(String, Vec<f64>)> = all
        .iter()
        .map(|of| (of.case.name.clone(), of.runs.iter().map(|run| run.value).collect()))
        .collect();
    for gathered in all {
        let base = values.iter().find(|(name, _)| Some(name) == gathered.case.base.as_ref());
        let Some((_, values)) = base else { continue };
        for (run, value) in gathered.runs.iter_mut().zip(values) {
            run.base = Some(*value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, fmt, io, time::Duration};

    use super::*;
    use crate::{disk::case::Trial, interrupt::Interrupt};

    /// Twice, three times, ... as fast each time; or not available.
    struct Planted(&'static str, Cell<f64>, Option<io::ErrorKind>);

    impl Trial for Planted {
        fn unit(&self) -> &'static str {
            "writes/s"
        }

        fn measure(&self, _: Duration, _: &Scratch) -> Result<Sample, BenchError> {
            if let Some(kind) = self.2 {
                let path = std::path::Path::new("here");
                return Err(BenchError::of_way("write to", path)(kind.into()));
            }
            let rate = self.1.get();
            self.1.set(rate * 2.0);
            Ok(Sample { rate, latency: Latency::new()?, extra: 7.0 })
        }

        fn remark(&self, extra: f64) -> String {
            format!("{extra} each")
        }
    }

    impl fmt::Display for Planted {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    fn rows(kind: io::ErrorKind) -> Result<Vec<Row>, BenchError> {
        let base = || Planted("base", Cell::new(10.0), None);
        let cases = vec![
            Case::new(base(), None),
            Case::new(Planted("fast", Cell::new(30.0), None), Some(&base())),
            Case::new(Planted("none", Cell::new(1.0), Some(kind)), Some(&base())),
        ];
        let directory = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(directory.path(), &Interrupt::listen().unwrap()).unwrap();
        let plan = DiskPlan { seconds: 0.1, runs: 3 };
        run(Part::Lead, cases, &plan, &scratch, &Progress::new())
    }

    #[test]
    fn ratios_are_of_one_round_and_what_is_missing_says_why() {
        let rows = rows(io::ErrorKind::PermissionDenied).unwrap();
        let median = |row: &Row| (row.value().map(|s| s.median), row.to_base().map(|s| s.median));
        let medians: Vec<_> = rows.iter().map(median).collect();
        assert_eq!(medians, [(Some(20.0), None), (Some(60.0), Some(3.0)), (None, None)]);
        assert_eq!(rows[1].remark, "7 each");
        assert_eq!(rows[2].remark, "not available: permission denied");
    }

    #[test]
    fn a_full_disk_ends_the_run() {
        let error = rows(io::ErrorKind::StorageFull).unwrap_err().to_string();
        let expected = "cannot write to here: no storage space; another place is chosen with --dir";
        assert_eq!(error, expected);
    }

    #[test]
    fn each_round_has_every_case_once_in_an_order_of_its_own() {
        let mut random = Random::new(SEED);
        let orders = [(); 3].map(|()| order(20, &mut random));
        for order in &orders {
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..20).collect::<Vec<_>>());
        }
        assert_ne!(orders[0], orders[1]);
    }
}
