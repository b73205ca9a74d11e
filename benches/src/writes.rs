//! One run of a write case: a new log, callers, and afterwards the question whether the log holds
//! what they were told.

use std::path::Path;

use annals::{Annals, Options};

use crate::{
    callers,
    case::{Case, Keeping},
    error::BenchError,
    number::{float, per},
    outcome::Outcome,
    plan::Plan,
    process,
    scratch::{self, Scratch},
    verify,
    window::Window,
};

/// What one run of a case gave.
#[derive(Debug)]
pub(crate) struct Sample {
    /// Acknowledged appends in a second.
    pub(crate) rate: f64,
    pub(crate) outcome: Outcome,
    /// Acknowledged appends that shared a write and a sync, on average.
    pub(crate) appends_per_group: f64,
    /// Processor time of one acknowledged append, callers included, in microseconds.
    pub(crate) cpu_micros: f64,
}

/// Runs a case once, in a new log that is gone afterwards.
pub(crate) fn measure(case: &Case, plan: &Plan, scratch: &Scratch) -> Result<Sample, BenchError> {
    let path = scratch.path("log");
    let annals = open(case.keeping, &path)?;
    let sample = run(case, &annals, plan)?;
    let written = &sample.outcome.written;
    if case.keeping == Keeping::Memory {
        verify::holds(&annals, written)?;
        return Ok(sample);
    }
    annals.close()?;
    drop(annals);
    let annals = Annals::open(&path)?;
    verify::holds(&annals, written)?;
    annals.close()?;
    drop(annals);
    scratch::remove(&path)?;
    Ok(sample)
}

/// Runs a case's callers on an open store.
pub(crate) fn run(case: &Case, annals: &Annals, plan: &Plan) -> Result<Sample, BenchError> {
    let cpu_before = process::cpu_seconds();
    let window = Window::new(plan.warm_up(), plan.length(case.keeping == Keeping::Memory));
    let outcome = callers::run(case, annals, window)?;
    let in_all = outcome.tally.acknowledged_in_all;
    Ok(Sample {
        rate: float(outcome.tally.acknowledged) / window.seconds(),
        appends_per_group: per(float(in_all), annals.stats().log.groups),
        cpu_micros: process::cpu_micros_per(cpu_before, in_all),
        outcome,
    })
}

fn open(keeping: Keeping, path: &Path) -> Result<Annals, BenchError> {
    Ok(match keeping.sync_policy() {
        Some(policy) => Options::new().sync_policy(policy).open(path)?,
        None => Annals::in_memory()?,
    })
}
