//! The cases of the write workloads.

use crate::{
    case::{
        Answer::{AtOnce, Durable},
        Callers::{self, Tasks, Threads, Window},
        Case, Keeping, Streams,
    },
    shape::{BATCH, MULTI, SINGLE, Shape},
    workload::Workload,
};

/// The cases of a workload; none for one that does not only append.
pub(crate) fn cases(workload: Workload) -> Vec<Case> {
    match workload {
        Workload::W1 => durable(
            BATCH,
            &[
                &[Threads(1)],
                &[2, 8, 64, 100].map(Window),
                &[2, 8, 64, 100].map(Tasks),
                &[2, 8].map(Threads),
            ],
        ),
        Workload::W2 => durable(
            SINGLE,
            &[
                &[1, 16, 100].map(Threads),
                &[16, 100, 1_000, 10_000].map(Tasks),
                &[16, 100, 1_000, 10_000].map(Window),
            ],
        ),
        Workload::W3 => durable(
            MULTI,
            &[&[1, 16, 50].map(Threads), &[50, 1_000].map(Tasks), &[50, 1_000].map(Window)],
        ),
        Workload::Hot => [
            hot(SINGLE, &[Threads(16), Threads(100), Tasks(100)]),
            hot(MULTI, &[Threads(16), Tasks(50)]),
        ]
        .concat(),
        Workload::W4 => [Keeping::Interval, Keeping::Never, Keeping::Memory].map(early).concat(),
        Workload::W5 | Workload::W6 | Workload::W7 | Workload::Financial | Workload::Orders => {
            Vec::new()
        }
    }
}

fn durable(shape: Shape, callers: &[&[Callers]]) -> Vec<Case> {
    callers.concat().into_iter().map(|callers| Case::new(shape, callers)).collect()
}

/// Own streams, to compare with; then shared ones.
fn hot(shape: Shape, callers: &[Callers]) -> Vec<Case> {
    let mut cases = Vec::new();
    for callers in callers {
        let own = Case::new(shape, *callers);
        cases.push(own);
        for (count, answer) in [(1, Durable), (1, AtOnce), (4, Durable), (4, AtOnce)] {
            cases.push(Case { streams: Streams::Shared(count), answer, ..own });
        }
    }
    cases
}

fn early(keeping: Keeping) -> Vec<Case> {
    let cases = [
        durable(BATCH, &[&[Threads(1), Window(8)]]),
        durable(SINGLE, &[&[1, 2, 16].map(Threads), &[Window(100), Tasks(100)]]),
        durable(MULTI, &[&[1, 16].map(Threads)]),
    ];
    cases.concat().into_iter().map(|case| Case { keeping, ..case }).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_case_has_a_name_of_its_own_and_its_base_beside_it() {
        for workload in crate::workload::ALL {
            let cases = cases(workload);
            let names: HashSet<String> = cases.iter().map(ToString::to_string).collect();
            assert_eq!(names.len(), cases.len(), "{workload}");
            let hot = cases.iter().filter(|case| case.streams != Streams::Own);
            assert!(hot.filter_map(Case::base).all(|base| cases.contains(&base)), "{workload}");
        }
    }
}
