//! Two reports side by side: what is better, what is worse, and what is noise.

use std::fmt::Write;

use crate::{
    number::{Spread, human},
    render::table::Table,
    report::{
        backend,
        results::Results,
        scene::Scene,
        summary::{Summary, of_scene},
    },
};

/// What the difference of two sets of runs is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Better,
    Worse,
    Noise,
    /// Fewer than three runs on one side say nothing.
    TooFew,
}

/// How many runs each side needs.
const RUNS_MIN: usize = 3;

impl Verdict {
    /// Noise, unless all runs of one side lie above all of the other: the test of Mann and Whitney
    /// ("On a test of whether one of two random variables is stochastically larger than the
    /// other", 1947) at its extreme, U = 0. Of two times three runs of the same thing, one in ten is
    /// so by chance; of two times five, one in 126.
    pub(crate) fn of(old: &[f64], new: &[f64], is_less_better: bool) -> Self {
        if old.len().min(new.len()) < RUNS_MIN {
            return Self::TooFew;
        }
        let (Some(old), Some(new)) = (ends(old), ends(new)) else { return Self::TooFew };
        let is_above = new.min > old.max;
        let is_below = new.max < old.min;
        match (is_above, is_below) {
            (true, _) if is_less_better => Self::Worse,
            (_, true) if is_less_better => Self::Better,
            (true, _) => Self::Better,
            (_, true) => Self::Worse,
            _ => Self::Noise,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "WORSE",
            Self::Noise => "noise",
            Self::TooFew => "too few runs",
        }
    }
}

fn ends(values: &[f64]) -> Option<Spread> {
    Spread::of(values.iter().copied())
}

/// What is compared of runs.
struct Quantity {
    name: &'static str,
    is_less_better: bool,
    of: fn(&Summary<'_>) -> Vec<f64>,
}

const QUANTITIES: [Quantity; 3] = [
    Quantity {
        name: "rate",
        is_less_better: false,
        of: |summary| summary.each(|row| crate::number::float(row.settled()) / row.seconds),
    },
    Quantity {
        name: "p95 us",
        is_less_better: true,
        of: |summary| summary.each(|row| row.latency.micros_at(0.95)),
    },
    Quantity {
        name: "cpu us",
        is_less_better: true,
        of: |summary| {
            summary.each(|row| crate::number::per(row.cpu_seconds * 1e6, row.counts.asked))
        },
    },
];

const SCENES: [(Scene, &str); 6] = [
    (Scene::Workloads, ""),
    (Scene::Callers, "by callers: "),
    (Scene::Accounts, "by accounts: "),
    (Scene::Streams, "by streams: "),
    (Scene::Payload, "by payload: "),
    (Scene::Load, "by load: "),
];

/// For people: what both reports have.
pub(crate) fn text(old: &Results, new: &Results) -> String {
    let mut table =
        Table::new(["what", "backend", "of", "old", "min - max", "new", "min - max", "ratio", ""]);
    let mut counts = [0_usize; 3];
    for (scene, name) in SCENES {
        let (of_old, of_new) = (of_scene(old, scene), of_scene(new, scene));
        for summary in &of_new {
            let Some(before) = of_old.iter().find(|before| is_same(before, summary)) else {
                continue;
            };
            for quantity in &QUANTITIES {
                let (a, b) = ((quantity.of)(before), (quantity.of)(summary));
                let verdict = Verdict::of(&a, &b, quantity.is_less_better);
                let place = [Verdict::Better, Verdict::Worse, Verdict::Noise];
                if let Some(count) =
                    place.iter().position(|v| *v == verdict).and_then(|at| counts.get_mut(at))
                {
                    *count += 1;
                }
                table.line(line(&what(name, summary), summary, quantity, &a, &b, verdict));
            }
        }
    }
    let [better, worse, noise] = counts;
    let mut text = warnings(old, new) + &table.to_string();
    let _ = writeln!(
        text,
        "\n{better} better, {worse} worse, {noise} noise. Noise: not all runs of one side lie above \
         all of the other. Of {} comparisons of the same thing with itself, about {} would be told \
         apart by chance.",
        better + worse + noise,
        human(by_chance(old.rounds.min(new.rounds), better + worse + noise)),
    );
    text
}

/// 2 / C(2n, n) of all, with n runs on each side.
fn by_chance(rounds: u32, comparisons: usize) -> f64 {
    let ways =
        (1..=rounds).fold(1.0, |ways, k| ways * (f64::from(rounds) + f64::from(k)) / f64::from(k));
    2.0 / ways * crate::number::float(crate::number::wide(comparisons))
}

fn is_same(a: &Summary<'_>, b: &Summary<'_>) -> bool {
    let key = |s: &Summary<'_>| {
        (s.first.backend.clone(), s.first.workload.clone(), s.first.callers, s.first.counts.asked)
    };
    key(a) == key(b) && a.x.total_cmp(&b.x).is_eq()
}

fn what(scene: &str, summary: &Summary<'_>) -> String {
    let (workload, callers) = (&summary.first.workload, summary.first.callers);
    if scene.is_empty() {
        format!("{workload}, {callers} callers")
    } else {
        format!("{scene}{}", human(summary.x))
    }
}

fn line(
    what: &str,
    summary: &Summary<'_>,
    quantity: &Quantity,
    old: &[f64],
    new: &[f64],
    verdict: Verdict,
) -> Vec<String> {
    let median = |values: &[f64]| ends(values).map_or(f64::NAN, |spread| spread.median);
    let spread = |values: &[f64]| {
        ends(values).map(|s| format!("{} - {}", human(s.min), human(s.max))).unwrap_or_default()
    };
    vec![
        what.to_owned(),
        backend::title(&summary.first.backend).to_owned(),
        quantity.name.to_owned(),
        human(median(old)),
        spread(old),
        human(median(new)),
        spread(new),
        format!("x {}", human(median(new) / median(old))),
        verdict.word().to_owned(),
    ]
}

/// Where the two were not measured alike.
fn warnings(old: &Results, new: &Results) -> String {
    let mut text = String::new();
    let raw = |results: &Results| Spread::of(results.raw_syncs).map_or(f64::NAN, |s| s.median);
    let _ = writeln!(
        text,
        "old: {}, commit {}; raw disk {}/s\nnew: {}, commit {}; raw disk {}/s, x {}\n",
        old.machine.date,
        old.machine.commit,
        human(raw(old)),
        new.machine.date,
        new.machine.commit,
        human(raw(new)),
        human(raw(new) / raw(old)),
    );
    let facts = [
        ("processor", &old.machine.cpu, &new.machine.cpu),
        ("kernel", &old.machine.kernel, &new.machine.kernel),
        ("file system", &old.machine.file_system, &new.machine.file_system),
    ];
    for (name, old, new) in facts.iter().filter(|(_, old, new)| old != new) {
        let _ = writeln!(text, "another {name}: {old} and {new}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::results::tests::results;

    #[test]
    fn what_overlaps_is_noise_and_the_rest_is_not() {
        let of = |old: &[f64], new: &[f64]| Verdict::of(old, new, false);
        assert_eq!(of(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]), Verdict::Better);
        assert_eq!(of(&[4.0, 5.0, 6.0], &[3.0, 2.0, 1.0]), Verdict::Worse);
        assert_eq!(of(&[1.0, 2.0, 3.0], &[3.0, 4.0, 5.0]), Verdict::Noise, "they touch");
        assert_eq!(of(&[1.0, 2.0, 9.0], &[4.0, 5.0, 6.0]), Verdict::Noise);
        assert_eq!(of(&[1.0, 2.0], &[4.0, 5.0, 6.0]), Verdict::TooFew);
        assert_eq!(of(&[], &[]), Verdict::TooFew);
        assert_eq!(Verdict::of(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0], true), Verdict::Worse);
        assert_eq!(Verdict::of(&[4.0, 5.0, 6.0], &[1.0, 2.0, 3.0], true), Verdict::Better);
    }

    #[test]
    fn chance_is_that_of_all_orders() {
        assert!((by_chance(3, 10) - 1.0).abs() < 1e-9, "2 of 20 orders");
        assert!((by_chance(5, 126) - 1.0).abs() < 1e-9, "2 of 252 orders");
    }

    #[test]
    fn a_planted_loss_is_found_and_the_same_is_noise() {
        let old = results();
        assert!(text(&old, &old).contains("0 better, 0 worse, 6 noise"));
        let mut slow = results();
        for run in slow.runs.iter_mut().filter(|run| run.row.backend == "annals-disk") {
            run.row.seconds *= 2.0;
        }
        let told = text(&old, &slow);
        assert!(told.contains("0 better, 1 worse, 5 noise"), "{told}");
        let line = told.lines().find(|line| line.contains("WORSE")).unwrap();
        assert!(line.contains("Annals, disk") && line.contains("x 0.50"), "{line}");
        slow.machine.kernel = "another".to_owned();
        assert!(text(&old, &slow).contains("another kernel: "));
    }
}
