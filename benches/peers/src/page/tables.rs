//! Tables of results, the best first.

use annals_bench::{Spread, Table, human};

use crate::{
    reading::{MEASURES, ReadingRow},
    results::ANNALS,
    rounds::{CaseResult, CaseRow},
    system::Role,
};

/// The table of a case.
pub(super) fn of_case(result: &CaseResult) -> String {
    let mut table = Table::new([
        "system",
        result.case.unit(),
        "min - max",
        "x raw",
        "x Annals",
        "p50 us",
        "p99 us",
        "remark",
    ]);
    let mut lines: Vec<(f64, Vec<String>)> =
        result.rows.iter().map(|row| (order(row.value()), line(result, row))).collect();
    if let Some(raw) = Spread::of(result.raw.iter().copied()) {
        let mut cells = vec!["raw disk, one caller".to_owned(), human(raw.median), extent(raw)];
        cells.extend([String::new(), String::new()]);
        let latency = result.raw_latency.map(|latency| [latency.p50, latency.p99].map(human));
        cells.extend(latency.unwrap_or_default());
        cells.push(String::new());
        lines.push((raw.median, cells));
    }
    lines.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    for (_, cells) in lines {
        table.line(cells);
    }
    table.to_string()
}

/// Those without a value last.
fn order(value: Option<Spread>) -> f64 {
    value.map_or(-1.0, |value| value.median)
}

fn line(result: &CaseResult, row: &CaseRow) -> Vec<String> {
    let to_annals = result.of(ANNALS).and_then(|annals| row.to(annals));
    let latency = row.latency.percentiles();
    let is_measured = row.value().is_some();
    let micros = |micros: f64| if is_measured { human(micros) } else { String::new() };
    vec![
        format!("`{}`", row.peer.name),
        row.value().map(|value| human(value.median)).unwrap_or_default(),
        row.value().map(extent).unwrap_or_default(),
        ratio(row.to_raw()),
        ratio(to_annals),
        micros(latency.p50),
        micros(latency.p99),
        remark(row),
    ]
}

fn remark(row: &CaseRow) -> String {
    let mut remarks = Vec::new();
    if row.peer.role == Role::Memory {
        remarks.push("not durable".to_owned());
    }
    if row.conflicts > 0 {
        let conflicts = human(row.conflicts_per_commit());
        remarks.push(format!("{conflicts} conflicts for each commit"));
    }
    if !row.troubles.is_empty() {
        let runs = row.runs.len();
        remarks.push(format!("**trouble in {} of {runs} runs**", row.troubles.len()));
    }
    remarks.join(", ")
}

fn extent(Spread { min, max, .. }: Spread) -> String {
    format!("{} - {}", human(min), human(max))
}

fn ratio(spread: Option<Spread>) -> String {
    spread.map(|spread| human(spread.median)).unwrap_or_default()
}

/// One table of all cases in memory: a line for each system.
pub(super) fn of_tmpfs(results: &[CaseResult]) -> String {
    let headings: Vec<String> =
        results.iter().map(|result| format!("{}, {}", result.case, result.case.unit())).collect();
    let headings = ["system"].into_iter().chain(headings.iter().map(String::as_str)).chain([""]);
    let mut table = Table::new(headings);
    let mut names: Vec<&str> = Vec::new();
    for row in results.iter().flat_map(|result| &result.rows) {
        if !names.contains(&row.peer.name) {
            names.push(row.peer.name);
        }
    }
    for name in names {
        let cell = |result: &CaseResult| {
            let row = result.of(name)?;
            let value = human(row.value()?.median);
            let to_annals = result.of(ANNALS).and_then(|annals| row.to(annals));
            Some(to_annals.map_or(value.clone(), |to| format!("{value} ({})", human(to.median))))
        };
        let cells = results.iter().map(|result| cell(result).unwrap_or_default());
        table.line([format!("`{name}`")].into_iter().chain(cells).chain([String::new()]));
    }
    table.to_string()
}

/// What opening, reading and keeping costs.
pub(super) fn of_readings(rows: &[ReadingRow]) -> String {
    let names = MEASURES.iter().map(|measure| measure.name);
    let headings = ["system"].into_iter().chain(names).chain(["bytes on disk an event", ""]);
    let mut table = Table::new(headings);
    let annals = rows.iter().find(|row| row.peer.name == ANNALS);
    for row in rows {
        let mut cells = vec![format!("`{}`", row.peer.name)];
        for measure in &MEASURES {
            let own = annals.and_then(|annals| annals.value(measure));
            cells.push(
                row.value(measure)
                    .map(|value| beside(value.median, own.map(|own| own.median)))
                    .unwrap_or_default(),
            );
        }
        let own = annals.and_then(|annals| annals.bytes_per_event);
        cells.push(row.bytes_per_event.map(|bytes| beside(bytes, own)).unwrap_or_default());
        cells.push(if row.troubles.is_empty() { String::new() } else { "**trouble**".to_owned() });
        table.line(cells);
    }
    table.to_string()
}

/// A number, and in brackets how many times that of Annals it is.
fn beside(value: f64, annals: Option<f64>) -> String {
    match annals {
        Some(annals) if annals > 0.0 => format!("{} ({})", human(value), human(value / annals)),
        _ => human(value),
    }
}
