//! Runs the cases of a command workload in rounds, beside appends that decide nothing.

use annals::{Annals, Executor, Options};

use super::{
    callers::{self, Outcome},
    case::{Asked, CommandCase},
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
    row::{Row, Run},
    scratch::{self, Scratch},
    shape::{MULTI, SINGLE},
    window::Window,
    workload::Workload,
    writes,
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
    let row = |case: &CommandCase| Row {
        x: Some(float(wide(case.callers.count()))),
        ..Row::new(workload, case.to_string(), "commands/s")
    };
    let mut rows: Vec<Row> = cases.iter().map(row).collect();
    for _ in 0..plan.runs {
        for (case, row) in cases.iter().zip(&mut rows) {
            progress.now(&row.case);
            let base = case.base(workload);
            let (base_rate, raw) = (writes::measure(&base, plan, scratch)?.rate, None);
            row.base = Some(base.to_string());
            let sample = measure(case, plan, scratch)?;
            row.runs.push(Run { raw, base: Some(base_rate), ..Run::of(sample.rate) });
            row.remark = sample.remark();
            let outcome = &sample.outcome.latency;
            row.latency = Some(latency::merge(row.latency.iter().chain([outcome]))?);
            progress.done();
        }
    }
    Ok(rows)
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
        let Outcome { settled_in_all, rejected, failed, conflicts, .. } = self.outcome;
        let share = |count| human(per(float(count), settled_in_all));
        format!(
            "{} us of processor each, {} commands a group, {} conflicts and {} rejections each, \
             {failed} gave up, {} of states found",
            human(self.cpu_micros),
            human(self.commands_per_group),
            share(conflicts),
            share(rejected),
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
