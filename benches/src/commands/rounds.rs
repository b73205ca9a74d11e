//! Runs the cases of a command workload in rounds, beside appends that decide nothing.

use annals::{Annals, Executor, Options};

use super::{
    callers::{self, Outcome},
    case::{Asked, CommandCase},
    goals::{self, Totals},
    load::Load,
};
use crate::{
    case::{Case, Keeping},
    error::BenchError,
    latency,
    number::{float, human, per, wide},
    plan::Plan,
    process,
    progress::Progress,
    rounds::Raw,
    row::{Row, Run},
    scratch::{self, Scratch},
    shape::{MULTI, SINGLE},
    window::Window,
    workload::Workload,
    writes,
    yardstick::PAGE_BYTES,
};

/// Runs all cases as often as planned.
pub(crate) fn run(
    workload: Workload,
    plan: &Plan,
    scratch: &Scratch,
    progress: &Progress,
) -> Result<Vec<Row>, BenchError> {
    let mut cases = match workload {
        Workload::Orders => super::case::orders(),
        _ => super::case::financial(),
    };
    cases.retain(|case| plan.has(case));
    progress.begin(&workload.to_string(), u64::from(plan.runs) * wide(cases.len()));
    let mut all: Vec<Gathered> = cases.iter().map(|case| Gathered::new(workload, case)).collect();
    let mut raw = Raw::new(scratch, PAGE_BYTES)?;
    for _ in 0..plan.runs {
        for gathered in &mut all {
            progress.now(&gathered.row.case);
            let case = gathered.case;
            let base = case.base(workload);
            let base_rate = writes::measure(&base, plan, scratch)?.rate;
            let (sample, raw) = if case.keeping == Keeping::Durable {
                let (sample, rate) = raw.beside(plan, || measure(&case, plan, scratch))?;
                (sample, Some(rate))
            } else {
                (measure(&case, plan, scratch)?, None)
            };
            gathered.row.base = Some(base.to_string());
            gathered.take(&sample, Run { raw, base: Some(base_rate), ..Run::of(sample.rate) })?;
            progress.done();
        }
    }
    let raw = Some(raw.into_row(workload)).filter(|raw| !raw.runs.is_empty());
    let rows = all.into_iter().map(|gathered| gathered.into_row(raw.as_ref()));
    let rows: Vec<Row> = rows.collect();
    Ok(raw.into_iter().chain(rows).collect())
}

/// What the runs of one case gave so far.
struct Gathered {
    case: CommandCase,
    row: Row,
    totals: Totals,
    remark: String,
}

impl Gathered {
    fn new(workload: Workload, case: &CommandCase) -> Self {
        let row = Row {
            x: Some(float(wide(case.callers.count()))),
            ..Row::new(workload, case.to_string(), "commands/s")
        };
        Self { case: *case, row, totals: Totals::default(), remark: String::new() }
    }

    fn take(&mut self, sample: &Sample, run: Run) -> Result<(), BenchError> {
        let Sample { outcome, cpu_micros, .. } = sample;
        self.row.runs.push(run);
        self.totals.settled += outcome.settled_in_all;
        self.totals.rejected += outcome.rejected;
        self.totals.failed += outcome.failed;
        self.totals.conflicts += outcome.conflicts;
        self.totals.cpu_micros += cpu_micros * float(outcome.settled_in_all);
        let before = self.row.latency.iter();
        self.row.latency = Some(latency::merge(before.chain([&outcome.latency]))?);
        self.remark = sample.remark();
        Ok(())
    }

    fn into_row(self, raw: Option<&Row>) -> Row {
        let Self { case, row, totals, remark } = self;
        let goals = goals::verdicts(&case.goals(), &row, raw, &totals);
        Row { goals, remark: format!("{}, {remark}", totals.remark()), ..row }
    }
}

impl Totals {
    /// Every command is one of these.
    fn remark(&self) -> String {
        let Self { settled, rejected, failed, conflicts, cpu_micros } = *self;
        let accepted = settled - rejected - failed;
        let share = |count| human(per(100.0 * float(count), settled));
        format!(
            "{} % accepted, {} % rejected, {} % gave up; {} conflicts and {} us of processor each",
            share(accepted),
            share(rejected),
            share(failed),
            human(per(float(conflicts), settled)),
            human(per(cpu_micros, settled)),
        )
    }
}

impl CommandCase {
    /// The engine's own: as many callers that append without deciding anything.
    fn base(&self, workload: Workload) -> Case {
        let shape = if workload == Workload::Orders { MULTI } else { SINGLE };
        Case { keeping: self.keeping, ..Case::new(shape, self.callers) }
    }
}

/// What one run of a case gave.
struct Sample {
    /// Commands that were accepted or rejected in a second.
    rate: f64,
    outcome: Outcome,
    cpu_micros: f64,
    commands_per_group: f64,
    hit_share: f64,
}

impl Sample {
    fn remark(&self) -> String {
        format!(
            "{} commands a group, {} of states found",
            human(self.commands_per_group),
            human(self.hit_share),
        )
    }
}

/// Runs a case once, in a new log that is gone afterwards.
fn measure(case: &CommandCase, plan: &Plan, scratch: &Scratch) -> Result<Sample, BenchError> {
    let path = scratch.path("log");
    let annals = match case.keeping.sync_policy() {
        Some(policy) => Options::new().sync_policy(policy).open(&path)?,
        None => Annals::in_memory()?,
    };
    let sample = match &case.asked {
        Asked::Bank(bank) => run_load(bank, case, &annals, plan)?,
        Asked::Shop(shop) => run_load(shop, case, &annals, plan)?,
    };
    if case.keeping != Keeping::Memory {
        annals.close()?;
        drop(annals);
        scratch::remove(&path)?;
    }
    Ok(sample)
}

fn run_load<L: Load + Clone + Send + 'static>(
    load: &L,
    case: &CommandCase,
    annals: &Annals,
    plan: &Plan,
) -> Result<Sample, BenchError>
where
    L::Request: Send,
{
    let executor = Executor::new(annals.clone());
    load.prepare(&executor)?;
    let groups = annals.stats().log.groups;
    let cpu_before = process::cpu_seconds();
    let window = Window::new(plan.warm_up(), plan.length(case.keeping == Keeping::Memory));
    let outcome = callers::run(load, case.callers, &executor, window)?;
    let settled = outcome.settled_in_all;
    let cpu_micros = process::cpu_micros_per(cpu_before, settled);
    let cache = executor.cache_stats();
    load.audit(annals)?;
    Ok(Sample {
        rate: float(outcome.settled) / window.seconds(),
        cpu_micros,
        commands_per_group: per(float(settled), annals.stats().log.groups - groups),
        hit_share: per(float(cache.hits), (cache.hits + cache.misses).max(1)),
        outcome,
    })
}
