//! Those who append: threads, tasks, or one thread with a window of appends in flight. All use
//! the store as its users do.

mod pendings;
mod tasks;
mod threads;

use annals::Annals;

use crate::{
    case::{Callers, Case},
    error::BenchError,
    outcome::Outcome,
    window::Window,
};

/// Has a case's callers append until the window is over; every append was answered then.
pub(crate) fn run(case: &Case, annals: &Annals, window: Window) -> Result<Outcome, BenchError> {
    let requests = case.requests()?;
    match case.callers {
        Callers::Threads(_) => threads::run(annals, requests, case.answer, window),
        Callers::Tasks(_) => tasks::run(annals, requests, case.answer, window),
        Callers::Window(_) => pendings::run(annals, requests, window),
    }
}
