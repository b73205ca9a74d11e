//! Results for other programs: comma-separated values, as RFC 4180 has them.

use crate::{number::Spread, row::Row, soak::Interval};

/// A column of the results: its name, and a row's cell in it.
type Column = (&'static str, fn(&Row) -> String);

const COLUMNS: [Column; 21] = [
    ("workload", |row| row.chapter.to_string()),
    ("case", |row| row.case.clone()),
    ("series", |row| row.series.clone()),
    ("x", |row| number(row.x)),
    ("unit", |row| row.unit.to_owned()),
    ("runs", |row| row.runs.len().to_string()),
    ("median", |row| median(row.value())),
    ("min", |row| number(row.value().map(|value| value.min))),
    ("max", |row| number(row.value().map(|value| value.max))),
    ("raw_median", |row| median(row.raw())),
    ("ratio_to_raw", |row| median(row.to_raw())),
    ("base", |row| row.base.clone().unwrap_or_default()),
    ("ratio_to_base", |row| median(row.to_base())),
    ("p50_us", |row| number(row.percentiles().map(|latency| latency.p50))),
    ("p90_us", |row| number(row.percentiles().map(|latency| latency.p90))),
    ("p95_us", |row| number(row.percentiles().map(|latency| latency.p95))),
    ("p99_us", |row| number(row.percentiles().map(|latency| latency.p99))),
    ("p99.9_us", |row| number(row.percentiles().map(|latency| latency.p999))),
    ("max_us", |row| number(row.percentiles().map(|latency| latency.max))),
    ("goals", |row| row.goals.clone()),
    ("remark", |row| row.remark.clone()),
];

/// A line for each case.
pub(crate) fn results_csv(rows: &[Row]) -> String {
    let of = |row| line(COLUMNS.iter().map(|(_, cell)| cell(row)));
    let lines = rows.iter().map(of);
    line(COLUMNS.iter().map(|(name, _)| *name)) + &lines.collect::<String>()
}

/// A line for each run.
pub(crate) fn runs_csv(rows: &[Row]) -> String {
    let mut out = line(["workload", "case", "run", "unit", "value", "raw", "base"]);
    for row in rows {
        for (index, run) in row.runs.iter().enumerate() {
            out += &line([
                row.chapter.to_string(),
                row.case.clone(),
                (index + 1).to_string(),
                row.unit.to_owned(),
                number(Some(run.value)),
                number(run.raw),
                number(run.base),
            ]);
        }
    }
    out
}

/// A line for each interval.
pub(crate) fn soak_csv(intervals: &[Interval]) -> String {
    let mut out = line([
        "seconds",
        "commits_per_second",
        "p50_us",
        "p99_us",
        "p99.9_us",
        "max_us",
        "memory_mb",
        "mapped_mb",
        "segments",
        "slowest_at_change_ms",
        "slowest_elsewhere_ms",
    ]);
    for interval in intervals {
        let latency = interval.latency;
        out += &line([
            number(Some(interval.seconds)),
            number(Some(interval.commits_per_second)),
            number(Some(latency.p50)),
            number(Some(latency.p99)),
            number(Some(latency.p999)),
            number(Some(latency.max)),
            number(Some(interval.memory_mb)),
            number(Some(interval.mapped_mb)),
            interval.segments.to_string(),
            number(interval.slowest.at_change_ms),
            number(interval.slowest.elsewhere_ms),
        ]);
    }
    out
}

fn median(spread: Option<Spread>) -> String {
    number(spread.map(|spread| spread.median))
}

fn number(number: Option<f64>) -> String {
    let digits = number.map(|number| format!("{number:.4}")).unwrap_or_default();
    if digits.contains('.') {
        digits.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        digits
    }
}

fn line<T: AsRef<str>>(cells: impl IntoIterator<Item = T>) -> String {
    let cells: Vec<String> = cells.into_iter().map(|cell| quoted(cell.as_ref())).collect();
    cells.join(",") + "\n"
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{row::Run, workload::Workload};

    #[test]
    fn cells_with_commas_and_quotes_are_quoted() {
        assert_eq!(line(["a", "b,c", "say \"d\""]), "a,\"b,c\",\"say \"\"d\"\"\"\n");
        assert_eq!([0.5, 100.0, 0.000_04].map(|n| number(Some(n))), ["0.5", "100", "0"]);
    }

    #[test]
    fn every_line_has_as_many_cells_as_the_first() {
        let mut row = Row::new(Workload::W2, "one", "commits/s");
        row.runs = vec![Run::of(1.5), Run { raw: Some(3.0), ..Run::of(2.5) }];
        let commas = |text: &str| -> Vec<usize> {
            text.lines().map(|line| line.matches(',').count()).collect()
        };
        assert_eq!(commas(&results_csv(std::slice::from_ref(&row))), [20, 20]);
        assert_eq!(runs_csv(&[row]).lines().nth(2), Some("W2,one,2,commits/s,2.5,3,"));
    }
}
