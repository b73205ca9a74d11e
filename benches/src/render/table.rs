//! Tables with aligned columns: legible in a terminal as they are, and Markdown.

use std::fmt;

use crate::{
    latency::Percentiles,
    number::{Spread, human},
    row::Row,
};

/// A table; the cells of its first column are aligned left, and those of its last.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    headings: Vec<String>,
    lines: Vec<Vec<String>>,
}

impl Table {
    /// Without lines yet.
    pub fn new<'a>(headings: impl IntoIterator<Item = &'a str>) -> Self {
        let headings = headings.into_iter().map(str::to_owned).collect();
        Self { headings, lines: Vec::new() }
    }

    /// Adds a line with a cell for each heading.
    pub fn line(&mut self, cells: impl IntoIterator<Item = String>) {
        self.lines.push(cells.into_iter().collect());
    }

    /// Without columns that have nothing in them.
    pub(crate) fn without_empty_columns(self) -> Self {
        let is_filled = |index: usize| {
            self.lines.iter().any(|line| line.get(index).is_some_and(|c| !c.is_empty()))
        };
        let filled: Vec<bool> = (0..self.headings.len()).map(is_filled).collect();
        let keep = |cells: &Vec<String>| -> Vec<String> {
            cells
                .iter()
                .zip(&filled)
                .filter(|(_, keep)| **keep)
                .map(|(cell, _)| cell.clone())
                .collect()
        };
        Self { headings: keep(&self.headings), lines: self.lines.iter().map(keep).collect() }
    }

    pub(crate) fn headings(&self) -> &[String] {
        &self.headings
    }

    pub(crate) fn lines(&self) -> &[Vec<String>] {
        &self.lines
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.lines.iter().chain([&self.headings]).filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0).max(3)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.headings.len().saturating_sub(1);
        let is_left = |column| column == 0 || column == last;
        let widths: Vec<usize> =
            (0..self.headings.len()).map(|column| self.width(column)).collect();
        let mut line = |cells: &[String]| {
            for (column, (cell, width)) in cells.iter().zip(&widths).enumerate() {
                if is_left(column) {
                    write!(f, "| {cell:<width$} ")?;
                } else {
                    write!(f, "| {cell:>width$} ")?;
                }
            }
            writeln!(f, "|")
        };
        line(&self.headings)?;
        let rule = |(column, width): (usize, &usize)| {
            if is_left(column) { "-".repeat(*width) } else { "-".repeat(width - 1) + ":" }
        };
        line(&widths.iter().enumerate().map(rule).collect::<Vec<_>>())?;
        self.lines.iter().try_for_each(|cells| line(cells))
    }
}

const HEADINGS: [&str; 14] = [
    "case",
    "median",
    "unit",
    "min - max",
    "x raw",
    "x base",
    "p50 us",
    "p90 us",
    "p95 us",
    "p99 us",
    "p99.9 us",
    "max us",
    "goals",
    "remark",
];

/// The table of a workload.
pub(crate) fn of_rows<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Table {
    let mut table = Table::new(HEADINGS);
    for row in rows {
        table.line(cells(row));
    }
    table.without_empty_columns()
}

fn cells(row: &Row) -> Vec<String> {
    let ratio = |spread: Option<Spread>| spread.map(|s| human(s.median)).unwrap_or_default();
    let value = row.value();
    let spread = value.filter(|_| row.runs.len() > 1);
    let mut cells = vec![
        row.case.clone(),
        value.map(|value| human(value.median)).unwrap_or_default(),
        row.unit.to_owned(),
        spread.map(|s| format!("{} - {}", human(s.min), human(s.max))).unwrap_or_default(),
        ratio(row.to_raw()),
        ratio(row.to_base()),
    ];
    match row.percentiles() {
        Some(Percentiles { p50, p90, p95, p99, p999, max }) => {
            cells.extend([p50, p90, p95, p99, p999, max].map(human));
        }
        None => cells.extend([const { String::new() }; 6]),
    }
    cells.extend([row.goals.clone(), row.remark.clone()]);
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{row::Run, workload::Workload};

    #[test]
    fn columns_are_aligned_and_empty_ones_left_out() {
        let mut row = Row::new(Workload::W1, "1 thread", "events/s");
        row.runs = vec![Run { raw: Some(500.0), ..Run::of(1_000.0) }];
        row.remark = "a remark".to_owned();
        let other = Row::new(Workload::W1, "x", "events/s");
        let expected = "\
            | case     | median |     unit | x raw | remark   |\n\
            | -------- | -----: | -------: | ----: | -------- |\n\
            | 1 thread |  1,000 | events/s |  2.00 | a remark |\n\
            | x        |        | events/s |       |          |\n";
        assert_eq!(of_rows(&[row, other]).to_string(), expected);
    }
}
