//! All recorded reports, the oldest first.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    error::BenchError,
    number::{Spread, float, human, wide},
    render::{
        chart::{Axis, Chart, Point, Scale},
        table::Table,
    },
    report::{
        backend::{ALL, Backend},
        error::ReportError,
        files,
        pictures::of_backend,
        results::{FILE, Results},
        summary::{Summary, workloads},
    },
};

/// A recorded report.
#[derive(Debug)]
struct Recorded {
    name: String,
    results: Results,
}

/// Workloads of the history: with how many callers, and what a rate is of.
const SHOWN: [(&str, u64, &str); 3] =
    [("financial", 100, "commands/s"), ("orders", 50, "commands/s"), ("batch", 1, "events/s")];

/// Writes the history of all reports in a directory of records into that directory; returns which
/// files.
///
/// # Errors
/// [`ReportError::Results`]: there is no report, or one cannot be read.
pub(crate) fn write(directory: &Path) -> Result<Vec<PathBuf>, BenchError> {
    let all = read(directory)?;
    let mut files = vec![("history.md".to_owned(), page(&all))];
    for (workload, callers, unit) in SHOWN {
        files.push((file(workload), chart(&all, workload, callers, unit).svg()?));
    }
    files::replace(directory, files)
}

fn file(workload: &str) -> String {
    format!("history-{workload}.svg")
}

fn read(directory: &Path) -> Result<Vec<Recorded>, BenchError> {
    let wrong = |what: String| ReportError::Results { file: directory.to_owned(), what };
    let entries = fs::read_dir(directory).map_err(|error| wrong(error.to_string()))?;
    let paths = entries.flatten().map(|entry| entry.path());
    let mut all = Vec::new();
    for path in paths.filter(|path| path.join(FILE).is_file()) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        all.push(Recorded { name: name.unwrap_or_default(), results: Results::read(&path)? });
    }
    if all.is_empty() {
        let what = format!("there is no */{FILE}; make one with `annals-bench report --record`");
        return Err(wrong(what).into());
    }
    // Dates are written so that their order is that of time.
    all.sort_by(|a, b| (&a.results.machine.date, &a.name).cmp(&(&b.results.machine.date, &b.name)));
    Ok(all)
}

fn rate(results: &Results, workload: &str, callers: u64, backend: &str) -> Option<Spread> {
    let groups = workloads(results);
    let group =
        groups.iter().find(|group| (group.workload, group.callers) == (workload, callers))?;
    let summary = group.summaries.iter().find(|summary| summary.first.backend == backend)?;
    Some(Summary::own_rate(summary))
}

fn page(all: &[Recorded]) -> String {
    let mut page = "# History of the performance report\n\nEvery recorded report, the oldest first. \
                    Rates are medians of its rounds. The same machine is faster or slower at another \
                    hour, and the raw disk says by how much: compare columns of one line, or two \
                    reports with `annals-bench compare`. Written by `annals-bench history`.\n\n"
        .to_owned();
    let mut table = Table::new(["run", "raw syncs/s", "rounds", "commit", "record"]);
    for (number, Recorded { name, results }) in (1..).zip(all) {
        let raw = Spread::of(results.raw_syncs).map_or(f64::NAN, |raw| raw.median);
        let machine = &results.machine;
        table.line([
            format!("{number}: {}", machine.date),
            human(raw),
            results.rounds.to_string(),
            machine.commit.clone(),
            format!("[{name}]({name}/README.md)"),
        ]);
    }
    let _ = write!(page, "{table}");
    for (workload, callers, unit) in SHOWN {
        let headings = ["run"].into_iter().chain(ALL.map(|backend| backend.title)).chain([""]);
        let mut table = Table::new(headings);
        for (number, recorded) in (1..).zip(all) {
            let cell = |backend: &Backend| {
                let rate = rate(&recorded.results, workload, callers, backend.name);
                rate.map_or_else(|| "not run".to_owned(), |rate| human(rate.median))
            };
            let cells = ALL.iter().map(cell).chain([String::new()]);
            table.line(std::iter::once(format!("{number}")).chain(cells));
        }
        let title = title(workload, callers, unit);
        let table = table.without_empty_columns();
        let _ = write!(page, "\n## {title}\n\n{table}\n![{title}]({})\n", file(workload));
    }
    page
}

fn title(workload: &str, callers: u64, unit: &str) -> String {
    let word = if callers == 1 { "caller" } else { "callers" };
    format!("{workload}, {callers} {word}: {unit}")
}

fn chart(all: &[Recorded], workload: &str, callers: u64, unit: &str) -> Chart {
    let line = |backend: &Backend| {
        let point = |(index, recorded): (usize, &Recorded)| {
            let rate = rate(&recorded.results, workload, callers, backend.name)?;
            let spread = Some((rate.min, rate.max));
            Some(Point { x: float(wide(index + 1)), y: rate.median, spread })
        };
        let points = all.iter().enumerate().filter_map(point).collect();
        of_backend(backend.name, points)
    };
    let lines = ALL.iter().map(line).filter(|line| !line.points.is_empty());
    Chart {
        title: title(workload, callers, unit),
        x: Axis { label: "recorded run".to_owned(), scale: Scale::Ordinal },
        y: Axis { label: unit.to_owned(), scale: Scale::Logarithmic },
        lines: lines.collect(),
        footer: all.last().map(|last| last.results.machine.footer()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::results::tests::results;

    fn record(directory: &Path, name: &str, date: &str) {
        let mut results = results();
        results.machine.date = date.to_owned();
        for run in &mut results.runs {
            run.row.callers = 100;
        }
        fs::create_dir(directory.join(name)).unwrap();
        fs::write(directory.join(name).join(FILE), results.json().unwrap()).unwrap();
    }

    #[test]
    fn reports_stand_in_the_order_of_time() {
        let directory = tempfile::tempdir().unwrap();
        record(directory.path(), "a", "2026-11-24 01:00 UTC");
        record(directory.path(), "b", "2026-11-23 09:00 UTC");
        fs::create_dir(directory.path().join("of-something-else")).unwrap();
        let files = write(directory.path()).unwrap();
        assert_eq!(files.len(), 4);
        let page = fs::read_to_string(directory.path().join("history.md")).unwrap();
        let [b, a] = ["[b](b/README.md)", "[a](a/README.md)"].map(|link| page.find(link).unwrap());
        assert!(b < a, "{page}");
        assert!(page.contains("financial, 100 callers") && page.contains("20.0"), "{page}");
        assert_eq!(write(directory.path()).unwrap().len(), 4, "it is written anew");
    }

    #[test]
    fn where_there_is_nothing_or_something_else_it_says_so() {
        let directory = tempfile::tempdir().unwrap();
        let refused = || write(directory.path()).unwrap_err().to_string();
        assert!(refused().contains("report --record"), "{}", refused());
        record(directory.path(), "a", "2026-11-24 01:00 UTC");
        fs::write(directory.path().join("a").join(FILE), r#"{"schema": 9}"#).unwrap();
        assert!(refused().contains("schema 9"), "{}", refused());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing half-written");
    }
}
