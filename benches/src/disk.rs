//! The ways in which a log could write, measured without the log: side by side in one run, so that
//! the choices in `docs/design.md` can be checked on any machine.

mod aligned;
mod case;
mod durable;
mod filling;
mod group;
mod leading;
#[cfg(target_os = "linux")]
mod linux;
mod mapped;
mod prepared;
mod preparing;
mod timed;
mod turns;
#[cfg(target_os = "linux")]
mod uring;
mod way;

pub(crate) mod part;
pub(crate) mod plan;

use crate::{
    disk::{
        case::{Case, Trial},
        durable::Durable,
        filling::Filling,
        leading::Leading,
        part::Part,
        plan::DiskPlan,
        preparing::Preparing,
    },
    error::BenchError,
    progress::Progress,
    row::Row,
    scratch::Scratch,
};

/// Measures every case of a part.
pub(crate) fn run(
    part: Part,
    plan: &DiskPlan,
    scratch: &Scratch,
    progress: &Progress,
) -> Result<Vec<Row>, BenchError> {
    turns::run(part, cases(part), plan, scratch, progress)
}

fn cases(part: Part) -> Vec<Case> {
    fn boxed<T: Trial + 'static>(trials: Vec<(T, Option<T>)>) -> Vec<Case> {
        trials.into_iter().map(|(trial, base)| Case::new(trial, base.as_ref())).collect()
    }
    match part {
        Part::Prepare => boxed(Preparing::all()),
        Part::Durable => boxed(Durable::all()),
        Part::Lead => boxed(Leading::all()),
        Part::Fill => boxed(Filling::all()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_case_has_a_name_of_its_own_and_its_base_beside_it() {
        for part in part::ALL {
            let cases = cases(part);
            let names: HashSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
            assert_eq!(names.len(), cases.len(), "{part}");
            let mut bases = cases.iter().filter_map(|case| case.base.as_deref());
            assert!(bases.all(|base| names.contains(base)), "{part}");
            assert!(cases.iter().any(|case| case.base.is_none()), "{part}");
        }
    }
}
