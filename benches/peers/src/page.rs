//! The comparison page.

mod bars;
mod csv;
mod facts;
mod prose;
mod summary;
mod tables;

use annals_bench::{BenchError, Table};

pub(crate) use csv::{readings_csv, results_csv, runs_csv};

use crate::{
    page::bars::{Bar, Bars},
    reading::MEASURES,
    results::{ANNALS, Results},
};

/// A plot in a file of its own.
#[derive(Debug)]
pub(crate) struct Plot {
    pub(crate) file: String,
    pub(crate) svg: String,
}

/// The page; `plots`: where its plots are, as seen from it, with a `/` at the end.
pub(crate) fn page(results: &Results, plots: &str) -> String {
    let mut parts = vec![prose::HEAD.to_owned()];
    parts.push(format!("```sh\n{}\n```\n", results.command));
    parts.push(prose::rerun(results));
    parts.push(machine(results));
    parts.push("## In short\n".to_owned());
    parts.push(summary::table(results));
    parts.push(summary::losses(results));
    parts.push(summary::troubles(results));
    parts.push("## The systems\n".to_owned());
    parts.push(facts::table(results));
    parts.push(prose::HONESTY.to_owned());
    parts.push("## Appending\n".to_owned());
    parts.push(prose::COLUMNS.to_owned());
    for result in &results.on_disk {
        parts.push(format!("### {}\n\n{}\n", result.case, result.case.prose()));
        parts.push(tables::of_case(result));
        parts.push(format!("![{}]({plots}{}.svg)\n", result.case, result.case.slug()));
    }
    if !results.on_tmpfs.is_empty() {
        parts.push(prose::TMPFS.to_owned());
        parts.push(tables::of_tmpfs(&results.on_tmpfs));
    }
    parts.push("## Opening, reading, keeping\n".to_owned());
    parts.push(prose::reading(results));
    parts.push(tables::of_readings(&results.readings));
    for measure in &MEASURES {
        parts.push(format!("![{}]({plots}{}.svg)\n", measure.name, measure.slug));
    }
    parts.join("\n")
}

fn machine(results: &Results) -> String {
    let mut table = Table::new(["machine", ""]);
    for (name, value) in results.machine.lines() {
        table.line([name.to_owned(), value]);
    }
    table.to_string()
}

/// All plots of the page.
pub(crate) fn plots(results: &Results) -> Result<Vec<Plot>, BenchError> {
    let mut plots = Vec::new();
    for result in &results.on_disk {
        let bar = |row: &crate::rounds::CaseRow| Some(Bar::new(row.peer, row.value()?));
        let mut bars: Vec<Bar> = result.rows.iter().filter_map(bar).collect();
        bars.extend(annals_bench::Spread::of(result.raw.iter().copied()).map(Bar::raw));
        bars.sort_by(|a, b| b.value.median.total_cmp(&a.value.median));
        let title = format!("{}: {}", result.case, result.case.unit());
        let svg = Bars { title, lines: bars, footer: results.machine.footer() }.svg()?;
        plots.push(Plot { file: format!("{}.svg", result.case.slug()), svg });
    }
    for measure in &MEASURES {
        let rows = results.readings.iter();
        let bar = |row: &crate::reading::ReadingRow| Some(Bar::new(row.peer, row.value(measure)?));
        let mut bars: Vec<Bar> = rows.filter_map(bar).collect();
        bars.sort_by(|a, b| a.value.median.total_cmp(&b.value.median));
        if measure.is_rate {
            bars.reverse();
        }
        let title = measure.name.to_owned();
        let svg = Bars { title, lines: bars, footer: results.machine.footer() }.svg()?;
        plots.push(Plot { file: format!("{}.svg", measure.slug), svg });
    }
    Ok(plots)
}

/// Whether a system is Annals, whatever it is called from.
fn is_annals(name: &str) -> bool {
    name.starts_with(ANNALS)
}

#[cfg(test)]
mod tests;
