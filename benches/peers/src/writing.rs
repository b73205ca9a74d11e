//! One run of a case with one system: a new log, callers, and afterwards the question whether the
//! log holds what they were told.

use std::{fs, path::Path};

use annals_bench::{Latency, Scratch, float};

use crate::{
    callers,
    case::Case,
    plan::Plan,
    system::{Failure, Peer, Role, System},
    trouble::{Trouble, guarded},
    verify,
};

/// What one run gave.
#[derive(Debug)]
pub(crate) struct Sample {
    /// Acknowledged appends in a second.
    pub(crate) rate: f64,
    /// From the first attempt to the acknowledgement.
    pub(crate) latency: Latency,
    pub(crate) acknowledged_in_all: u64,
    pub(crate) conflicts: u64,
}

/// Runs a case once, in a new log that is gone afterwards.
pub(crate) fn measure(
    peer: &Peer,
    case: &Case,
    plan: &Plan,
    scratch: &Scratch,
) -> Result<Sample, Trouble> {
    let path = scratch.path("log");
    let sample = guarded(|| run(peer, case, plan, &path));
    // Also of a system that failed.
    let removed = fs::remove_dir_all(&path);
    let sample = sample?;
    removed.map_err(|error| Trouble::Failed(format!("its log cannot be removed: {error}")))?;
    Ok(sample)
}

fn run(peer: &Peer, case: &Case, plan: &Plan, path: &Path) -> Result<Sample, Trouble> {
    let system = open_new(peer, path)?;
    let outcome = callers::run(&*system, case.requests(), plan.warm_up(), plan.length)?;
    let system = match peer.role {
        Role::Memory => system,
        Role::System | Role::Way(_) => {
            system.close()?;
            (peer.open)(path)?
        }
    };
    verify::holds(&*system, &outcome.written)?;
    system.close()?;
    Ok(Sample {
        rate: float(outcome.acknowledged) / plan.length.as_secs_f64(),
        latency: outcome.latency,
        acknowledged_in_all: outcome.acknowledged_in_all,
        conflicts: outcome.conflicts,
    })
}

/// Opens a system in a directory that it makes.
pub(crate) fn open_new(peer: &Peer, path: &Path) -> Result<Box<dyn System>, Failure> {
    fs::create_dir(path)?;
    (peer.open)(path)
}
