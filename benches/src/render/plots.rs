//! Which plots a record has.

use crate::{
    error::BenchError,
    machine::Machine,
    render::chart::{Axis, Chart, Line, Point, Scale},
    rounds::RAW_SERIES,
    row::Row,
    soak::{Interval, Soak},
    workload::Workload,
};

/// A plot in a file of its own.
#[derive(Debug)]
pub(crate) struct Plot {
    /// `None`: it is not about one.
    pub(crate) workload: Option<Workload>,
    pub(crate) file: String,
    pub(crate) title: String,
    pub(crate) svg: String,
}

impl Plot {
    fn new(
        workload: Option<Workload>,
        file: String,
        mut chart: Chart,
        machine: &Machine,
    ) -> Result<Self, BenchError> {
        chart.footer = machine.footer();
        Ok(Self { workload, file, title: chart.title.clone(), svg: chart.svg()? })
    }

    /// As Markdown shows it.
    pub(crate) fn link(&self) -> String {
        format!("![{}]({})\n", self.title, self.file)
    }
}

/// Every plot that the rows of a run give.
pub(crate) fn run_plots(rows: &[Row], machine: &Machine) -> Result<Vec<Plot>, BenchError> {
    use Workload::{W1, W2, W3, W4, W5, W6};
    let mut plots = Vec::new();
    for workload in [W1, W2, W3, W4, W6] {
        let of: Vec<&Row> = rows.iter().filter(|row| row.chapter == workload).collect();
        let chart = by_size(workload, &of);
        if chart.lines.iter().any(|line| !line.is_reference) {
            let kind = if workload == W6 { "opening" } else { "throughput" };
            plots.push(Plot::new(Some(workload), file(kind, workload, ""), chart, machine)?);
        }
    }
    for (workload, series) in [
        (W1, "threads"),
        (W1, "tasks"),
        (W2, "threads"),
        (W2, "tasks"),
        (W2, "one thread with a window"),
        (W3, "threads"),
        (W3, "tasks"),
        (W5, ""),
    ] {
        let of: Vec<&Row> = rows.iter().filter(|row| row.chapter == workload).collect();
        let chart = latencies(workload, series, &of);
        if chart.lines.iter().any(|line| !line.is_reference) {
            plots.push(Plot::new(
                Some(workload),
                file("latency", workload, series),
                chart,
                machine,
            )?);
        }
    }
    Ok(plots)
}

fn file(kind: &str, workload: Workload, series: &str) -> String {
    let series = series.split(' ').next_back().filter(|word| !word.is_empty());
    let series = series.map(|word| format!("-{word}")).unwrap_or_default();
    format!("{kind}-{}{series}.svg", workload.to_string().to_lowercase())
}

/// Throughput by callers, or time by the size of the log.
fn by_size(workload: Workload, rows: &[&Row]) -> Chart {
    let mut lines: Vec<Line> = Vec::new();
    for row in rows {
        let Some((x, value)) = row.x.zip(row.value()) else { continue };
        let point = Point { x, y: value.median, spread: Some((value.min, value.max)) };
        match lines.iter_mut().find(|line| line.name == row.series) {
            Some(line) => line.points.push(point),
            None => lines.push(Line::marked(row.series.clone(), vec![point])),
        }
    }
    lines.retain(|line| line.points.len() > 1);
    let raw = rows.iter().find_map(|row| row.raw()).map(|raw| raw.median);
    let xs: Vec<f64> = lines.iter().flat_map(|line| &line.points).map(|point| point.x).collect();
    if let (Some(raw), Some(min), Some(max)) =
        (raw, xs.iter().copied().reduce(f64::min), xs.iter().copied().reduce(f64::max))
    {
        let ends = [min, max].map(|x| Point { x, y: raw, spread: None });
        lines.push(Line::reference("raw disk, one caller", ends.to_vec()));
    }
    let unit = rows.iter().find(|row| row.x.is_some()).map_or("", |row| row.unit);
    let y = match workload {
        Workload::W6 => "ms until it is open",
        Workload::W4 => "a second: events of W1, commits else",
        _ => unit,
    };
    Chart {
        title: workload.title().to_owned(),
        x: Axis { label: workload.x_axis().to_owned(), scale: Scale::Logarithmic },
        y: Axis { label: y.to_owned(), scale: Scale::Logarithmic },
        lines,
        footer: Default::default(),
    }
}

/// The distribution of latencies, by percentile.
fn latencies(workload: Workload, series: &str, rows: &[&Row]) -> Chart {
    let is_wanted = |row: &&&Row| {
        let is_of_series = series.is_empty() || row.series == series;
        row.latency.is_some() && (is_of_series || row.series == RAW_SERIES)
    };
    let line = |row: &&Row| {
        let curve = row.latency.as_ref().map(crate::latency::Latency::curve).unwrap_or_default();
        let points = curve.into_iter().map(|(x, y)| Point { x, y, spread: None }).collect();
        if row.series == RAW_SERIES {
            Line::reference("raw disk, one caller", points)
        } else {
            Line { is_marked: false, ..Line::marked(row.case.clone(), points) }
        }
    };
    let what = if series.is_empty() { String::new() } else { format!(", {series}") };
    Chart {
        title: format!("{}{what}: latency", workload.title()),
        x: Axis { label: "percentile".to_owned(), scale: Scale::Nines },
        y: Axis { label: "latency".to_owned(), scale: Scale::Time },
        lines: rows.iter().filter(is_wanted).map(line).collect(),
        footer: Default::default(),
    }
}

/// Latency and memory over time.
pub(crate) fn soak_plots(soak: &Soak, machine: &Machine) -> Result<Vec<Plot>, BenchError> {
    let line = |name: &str, of: fn(&Interval) -> f64| {
        let point = |i: &Interval| Point { x: i.seconds, y: of(i), spread: None };
        let points = soak.intervals.iter().map(point).collect();
        Line { is_marked: false, ..Line::marked(name, points) }
    };
    let chart = |title: &str, label: &str, scale, lines| Chart {
        title: title.to_owned(),
        x: Axis { label: "seconds".to_owned(), scale: Scale::Linear },
        y: Axis { label: label.to_owned(), scale },
        lines,
        footer: Default::default(),
    };
    let latency = vec![
        line("max", |i| i.latency.max),
        line("p99.9", |i| i.latency.p999),
        line("p99", |i| i.latency.p99),
        line("p50", |i| i.latency.p50),
    ];
    let latency = chart("Soak: latency", "latency", Scale::Time, latency);
    let memory = vec![line("process", |i| i.memory_mb), line("mapped files", |i| i.mapped_mb)];
    let memory = chart("Soak: memory", "MB", Scale::Linear, memory);
    let rate = vec![line("commits/s", |i| i.commits_per_second)];
    let rate = chart("Soak: throughput", "commits/s", Scale::Linear, rate);
    [("throughput", rate), ("latency", latency), ("memory", memory)]
        .into_iter()
        .map(|(name, chart)| Plot::new(None, format!("soak-{name}.svg"), chart, machine))
        .collect()
}

impl Line {
    fn reference(name: &str, points: Vec<Point>) -> Self {
        Self { is_reference: true, is_marked: false, ..Self::marked(name, points) }
    }
}
