//! What bounds the ends of a scale, judged by what the runs took.

use crate::{
    number::{Spread, float, human, human_count, wide},
    report::{
        backend::{self, IN_MEMORY},
        results::Results,
        summary::Summary,
    },
};

/// From this share of the raw disk's syncs on, the disk is what is waited for.
const DISK_IS_BUSY: f64 = 0.6;

/// From this share of the cores' time on, the processor is.
const PROCESSOR_IS_BUSY: f64 = 0.75;

/// From so many attempts for each command on, conflicts are.
const ATTEMPTS_ARE_MANY: f64 = 2.0;

/// What bounds both ends of a scale, for each backend that has them.
pub(crate) fn of_ends(results: &Results, summaries: &[Summary<'_>], unit: &str) -> String {
    let mut sentences = Vec::new();
    let mut names: Vec<&str> = summaries.iter().map(|s| s.first.backend.as_str()).collect();
    names.dedup();
    for name in names {
        let mut of: Vec<&Summary<'_>> =
            summaries.iter().filter(|summary| summary.first.backend == name).collect();
        of.sort_by(|a, b| a.x.total_cmp(&b.x));
        let ends = of.first().into_iter().chain(of.last().filter(|_| of.len() > 1));
        let told: Vec<String> = ends.map(|end| tell(results, end, unit)).collect();
        sentences.push(format!("{}: {}.", backend::title(name), told.join("; ")));
    }
    sentences.join(" ")
}

fn tell(results: &Results, end: &Summary<'_>, unit: &str) -> String {
    let x = if end.x < 1000.0 { human_count_of(end.x) } else { human(end.x) };
    let unit = if x == "1" { unit.trim_end_matches('s') } else { unit };
    format!("at {x} {unit} {}/s, bounded by {}", human(end.rate().median), bound(results, end))
}

fn human_count_of(number: f64) -> String {
    format!("{number:.0}")
}

/// What it is bounded by, and the evidence.
fn bound(results: &Results, summary: &Summary<'_>) -> String {
    let share = summary.cpu_share(results.machine.cores);
    let busy = format!("cores {:.0} % busy", share * 100.0);
    let cores = float(wide(results.machine.cores));
    let given_up = summary.total(|row| row.counts.conflicts);
    let raw = Spread::of(results.raw_syncs).map_or(f64::NAN, |raw| raw.median);
    let syncs = summary.syncs_a_second().filter(|syncs| *syncs > 0.0);
    let evidence = match syncs {
        Some(syncs) => {
            let shared = human(summary.syncs().map_or(f64::NAN, f64::recip));
            let of_raw = human(syncs / raw);
            format!(
                "{busy}, {} syncs a second ({of_raw} of the raw disk's), {shared} commands a sync",
                human(syncs)
            )
        }
        None => busy,
    };
    let what = if given_up > 0 {
        format!("conflicts ({} gave up)", human_count(given_up))
    } else if summary.attempts().is_some_and(|attempts| attempts >= ATTEMPTS_ARE_MANY) {
        "conflicts, after which commands wait and try again".to_owned()
    } else if syncs.is_some_and(|syncs| syncs / raw >= DISK_IS_BUSY) {
        "syncs of the disk".to_owned()
    } else if share >= PROCESSOR_IS_BUSY {
        "the processor".to_owned()
    } else if summary.first.callers == 1 && share * cores >= PROCESSOR_IS_BUSY {
        "the core of the one caller".to_owned()
    } else if syncs.is_some() {
        "syncs that take longer than the raw disk's and what happens between them".to_owned()
    } else if backend::of(&summary.first.backend).is_some_and(|b| b.promise == IN_MEMORY) {
        "callers that wait for each other".to_owned()
    } else {
        "waiting, for the disk or for each other: nobody counts its syncs".to_owned()
    };
    let attempts = summary.attempts().filter(|attempts| *attempts >= 1.005);
    let attempts = attempts.map_or_else(String::new, |a| format!(", {} attempts", human(a)));
    format!("{what} ({evidence}{attempts})")
}

/// What fixed rates did.
pub(crate) fn of_load(summaries: &[Summary<'_>]) -> String {
    let kept = |summary: &&Summary<'_>| summary.rate().median >= summary.x * 0.95;
    let most = summaries.iter().filter(kept).map(|summary| summary.x).fold(0.0, f64::max);
    let late = summaries.iter().filter(|summary| !kept(summary));
    let late: Vec<String> = late
        .map(|s| format!("{} asked, {} answered", human(s.x), human(s.rate().median)))
        .collect();
    let late = if late.is_empty() {
        "All rates were kept.".to_owned()
    } else {
        format!("Not kept were: {} a second.", late.join("; "))
    };
    format!(
        "100 callers ask at fixed moments; latency counts from the moment that was planned, also \
         where the caller came later. The largest rate that was kept is {} a second. {late}",
        human(most)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{results::tests::results, scene::Scene, summary::of_scene};

    fn told(change: impl Fn(&mut crate::report::measured::Measured)) -> String {
        let mut results = results();
        results.runs.retain(|run| run.row.backend == "annals-disk");
        results.machine.cores = 2;
        for run in &mut results.runs {
            run.row.seconds = 1.0;
            change(&mut run.row);
        }
        let summaries = of_scene(&results, Scene::Workloads);
        of_ends(&results, &summaries, "callers")
    }

    #[test]
    fn the_bound_follows_from_the_evidence() {
        let disk = told(|row| (row.syncs, row.cpu_seconds) = (Some(5_000), 0.5));
        assert!(
            disk.contains("bounded by syncs of the disk") && disk.contains("25 % busy"),
            "{disk}"
        );
        let processor = told(|row| (row.syncs, row.cpu_seconds) = (Some(10), 1.9));
        assert!(processor.contains("bounded by the processor (cores 95 %"), "{processor}");
        let conflicts = told(|row| row.counts.conflicts = 1);
        assert!(conflicts.contains("bounded by conflicts (3 gave up)"), "{conflicts}");
        let waiting = told(|row| row.cpu_seconds = 0.1);
        assert!(waiting.contains("nobody counts its syncs"), "{waiting}");
    }

    #[test]
    fn rates_that_were_not_kept_are_told() {
        let mut results = results();
        for (run, x) in results.runs.iter_mut().zip([20.0, 100.0]) {
            (run.scene, run.x, run.row.seconds) = (Scene::Load, x, 0.5);
        }
        let text = of_load(&of_scene(&results, Scene::Load));
        assert!(
            text.contains("100 asked, 20.0 answered") && text.contains("kept is 20.0"),
            "{text}"
        );
    }
}
