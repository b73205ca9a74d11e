//! The report's pictures.

use crate::{
    error::BenchError,
    number::human,
    render::{
        chart::{Axis, Chart, Line, Point, Scale, Stroke},
        dots::{Dot, Dots, Mark, Place},
    },
    report::{
        backend::{self, ALL, Backend, Program},
        bounds,
        results::Results,
        scene::Scene,
        summary::{self, Group, Summary},
    },
};

/// A picture, and what it shows.
#[derive(Debug)]
pub(crate) struct Picture {
    pub(crate) file: String,
    pub(crate) title: String,
    /// What to see in it.
    pub(crate) text: String,
    pub(crate) svg: String,
}

/// All pictures that the results give.
pub(crate) fn all(results: &Results) -> Result<Vec<Picture>, BenchError> {
    let groups = summary::workloads(results);
    let mut pictures: Vec<Picture> =
        groups.iter().map(|group| throughput(results, group)).collect();
    for group in &groups {
        pictures.push(distribution(results, group)?);
    }
    for scaled in SCALES {
        pictures.extend(scale(results, scaled)?);
    }
    pictures.extend(load(results)?);
    Ok(pictures)
}

fn file(kind: &str, group: &Group<'_>) -> String {
    format!("{kind}-{}-{}.svg", group.workload, group.callers)
}

/// Rates by backend; those that were not run as well.
fn throughput(results: &Results, group: &Group<'_>) -> Picture {
    let line = |backend: &Backend| {
        let summary = group.summaries.iter().find(|summary| summary.first.backend == backend.name);
        let is_missing = results.not_run.iter().any(|not| not.backend == backend.name);
        let rate = summary.map(Summary::own_rate);
        if rate.is_none() && !is_missing {
            return None;
        }
        let mark = if backend.program == Program::Own { Mark::Disc } else { Mark::Square };
        let place = rate.map(|rate| Place { value: rate.median, min: rate.min, max: rate.max });
        let text = rate.map_or_else(|| "not run".to_owned(), |rate| human(rate.median));
        Some(Dot { name: backend.title.to_owned(), place, text, mark })
    };
    let dots = Dots {
        title: format!("{}: {}", group.title(), group.unit()),
        label: group.unit().to_owned(),
        lines: ALL.iter().filter_map(line).collect(),
        footer: results.machine.footer(),
    };
    Picture {
        file: file("throughput", group),
        title: format!("{}: {}", group.title(), group.unit()),
        text: "A dot is the median of the rounds, its line goes from the smallest to the largest. \
               Right is better."
            .to_owned(),
        svg: dots.svg(),
    }
}

fn distribution(results: &Results, group: &Group<'_>) -> Result<Picture, BenchError> {
    let lines = group.summaries.iter().map(|summary| {
        let points = summary.latency().curve().into_iter();
        let points = points.map(|(x, y)| Point { x, y, spread: None }).collect();
        Line { is_marked: false, ..of_backend(&summary.first.backend, points) }
    });
    let chart = Chart {
        title: format!("{}: latency", group.title()),
        x: Axis { label: "percentile".to_owned(), scale: Scale::Nines },
        y: Axis { label: "latency".to_owned(), scale: Scale::Time },
        lines: lines.collect(),
        footer: results.machine.footer(),
    };
    Ok(Picture {
        file: file("latency", group),
        title: format!("{}: latency", group.title()),
        text: "How long commands took, by the share of commands that took no longer; each step to \
               the right is a tenth of the commands that are left. Lower is better."
            .to_owned(),
        svg: chart.svg()?,
    })
}

/// A curve over a scale.
#[derive(Debug, Clone, Copy)]
struct Scaled {
    scene: Scene,
    file: &'static str,
    title: &'static str,
    x: &'static str,
    /// One and many of what is on the axis.
    unit: &'static str,
    y: &'static str,
}

const SCALES: [Scaled; 4] = [
    Scaled {
        scene: Scene::Callers,
        file: "scale-callers.svg",
        title: "Financial by the number of callers",
        x: "callers",
        unit: "callers",
        y: "commands/s",
    },
    Scaled {
        scene: Scene::Accounts,
        file: "scale-accounts.svg",
        title: "Financial by the number of accounts, 100 callers",
        x: "accounts",
        unit: "accounts",
        y: "commands/s",
    },
    Scaled {
        scene: Scene::Streams,
        file: "scale-streams.svg",
        title: "Appends by the number of streams, one event each, 16 callers",
        x: "streams of an append",
        unit: "streams",
        y: "appends/s",
    },
    Scaled {
        scene: Scene::Payload,
        file: "scale-payload.svg",
        title: "Appends of one event by its size, 16 callers",
        x: "bytes of payload",
        unit: "bytes",
        y: "appends/s",
    },
];

fn scale(results: &Results, scaled: Scaled) -> Result<Option<Picture>, BenchError> {
    let summaries = summary::of_scene(results, scaled.scene);
    if summaries.is_empty() {
        return Ok(None);
    }
    let chart = Chart {
        title: scaled.title.to_owned(),
        x: Axis { label: scaled.x.to_owned(), scale: Scale::Logarithmic },
        y: Axis { label: scaled.y.to_owned(), scale: Scale::Logarithmic },
        lines: by_backend(&summaries, |summary| {
            let rate = summary.rate();
            (rate.median, Some((rate.min, rate.max)))
        }),
        footer: results.machine.footer(),
    };
    let ends = bounds::of_ends(results, &summaries, scaled.unit);
    let (file, title) = (scaled.file.to_owned(), scaled.title.to_owned());
    Ok(Some(Picture { file, title, text: ends, svg: chart.svg()? }))
}

/// A marked line for each backend.
fn by_backend(
    summaries: &[Summary<'_>],
    y: impl Fn(&Summary<'_>) -> (f64, Option<(f64, f64)>),
) -> Vec<Line> {
    let line = |backend: &Backend| {
        let of = summaries.iter().filter(|summary| summary.first.backend == backend.name);
        let point = |summary: &Summary<'_>| {
            let (median, spread) = y(summary);
            Point { x: summary.x, y: median, spread }
        };
        let mut points: Vec<Point> = of.map(point).filter(|point| point.y > 0.0).collect();
        points.sort_by(|a, b| a.x.total_cmp(&b.x));
        of_backend(backend.name, points)
    };
    ALL.iter().map(line).filter(|line| !line.points.is_empty()).collect()
}

/// The line of a backend: the same colour in all pictures, and dashes for others than Annals.
pub(crate) fn of_backend(name: &str, points: Vec<Point>) -> Line {
    let place = ALL.iter().position(|backend| backend.name == name);
    let is_own = backend::of(name).is_none_or(|backend| backend.program == Program::Own);
    let stroke = if is_own { Stroke::Solid } else { Stroke::Dashed };
    Line { colour: place, stroke, ..Line::marked(backend::title(name), points) }
}

const SHOWN: [(&str, f64); 4] = [("p99.9", 0.999), ("p99", 0.99), ("p95", 0.95), ("p50", 0.5)];

/// At fixed rates: latency by what is asked for, and by how much shared a sync.
fn load(results: &Results) -> Result<Vec<Picture>, BenchError> {
    let mut summaries = summary::of_scene(results, Scene::Load);
    if summaries.is_empty() {
        return Ok(Vec::new());
    }
    summaries.sort_by(|a, b| a.x.total_cmp(&b.x));
    let lines = |x: &dyn Fn(&Summary<'_>) -> Option<f64>| -> Vec<Line> {
        let line = |(name, share): (&str, f64)| {
            let point = |summary: &Summary<'_>| {
                let spread = summary.micros_at(share);
                Some(Point {
                    x: x(summary)?,
                    y: spread.median,
                    spread: Some((spread.min, spread.max)),
                })
            };
            Line::marked(name, summaries.iter().filter_map(point).collect())
        };
        SHOWN.map(line).into()
    };
    let chart = |title: &str, x: &str, lines| Chart {
        title: title.to_owned(),
        x: Axis { label: x.to_owned(), scale: Scale::Logarithmic },
        y: Axis { label: "latency".to_owned(), scale: Scale::Time },
        lines,
        footer: results.machine.footer(),
    };
    let by_load = "Financial on disk at fixed rates: latency by load";
    let by_group = "Financial on disk at fixed rates: latency by group size";
    let offered =
        chart(by_load, "commands asked for in a second", lines(&|summary| Some(summary.x)));
    let group =
        |summary: &Summary<'_>| summary.syncs().filter(|syncs| *syncs > 0.0).map(f64::recip);
    let grouped = chart(by_group, "commands that share a sync, on average", lines(&group));
    let dots = |line| Line { stroke: Stroke::None, ..line };
    let grouped = Chart { lines: grouped.lines.into_iter().map(dots).collect(), ..grouped };
    Ok(vec![
        Picture {
            file: "load-latency.svg".to_owned(),
            title: by_load.to_owned(),
            text: bounds::of_load(&summaries),
            svg: offered.svg()?,
        },
        Picture {
            file: "load-groups.svg".to_owned(),
            title: by_group.to_owned(),
            text:
                "The same runs: what waits while a sync runs shares the next one, so groups grow \
                   with the load by themselves. Each rate is a dot of each colour; those at the left are the \
                 smallest rates, where most commands have a sync of their own."
                    .to_owned(),
            svg: grouped.svg()?,
        },
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::results::tests::results;

    #[test]
    fn there_is_a_picture_for_everything_that_was_measured() {
        let mut results = results();
        let files = |results: &Results| -> Vec<String> {
            all(results).unwrap().into_iter().map(|picture| picture.file).collect()
        };
        assert_eq!(files(&results), ["throughput-financial-2.svg", "latency-financial-2.svg"]);
        for scene in [Scene::Callers, Scene::Accounts, Scene::Streams, Scene::Payload, Scene::Load]
        {
            for x in [10.0, 1000.0] {
                let mut run = results.runs[0].clone();
                (run.scene, run.x, run.row.syncs) = (scene, x, Some(5));
                results.runs.push(run);
            }
        }
        assert_eq!(files(&results).len(), 2 + 4 + 2);
        for picture in all(&results).unwrap() {
            assert!(picture.svg.contains("</svg>") && !picture.text.is_empty(), "{}", picture.file);
            assert!(!picture.svg.contains("NaN"), "{}", picture.file);
        }
    }
}
