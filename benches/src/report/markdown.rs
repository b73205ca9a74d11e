//! The report as Markdown.

use std::fmt::Write;

use crate::{
    number::human,
    render::table::Table,
    report::{
        pictures::Picture,
        prose,
        results::Results,
        tables::{self, Titled},
    },
};

/// The page of a report.
pub(crate) fn page(results: &Results, pictures: &[Picture]) -> String {
    let mut page = format!("# Performance report\n\n```sh\n{}\n```\n\n", results.command);
    let _ = writeln!(page, "{}", circumstances(results));
    let _ = writeln!(page, "{}\n", prose::HOW.trim());
    for paragraph in prose::PARAGRAPHS {
        let _ = writeln!(page, "- **{}**: {}", paragraph.term, paragraph.text);
    }
    for Titled { title, table } in tables::all(results) {
        let _ = write!(page, "\n## {title}\n\n{table}");
    }
    let notes = tables::notes(results);
    if !notes.is_empty() {
        page.push_str("\n## Notes\n\n");
        for note in notes {
            let _ = writeln!(page, "- {note}");
        }
    }
    page.push_str("\n## Pictures\n");
    for Picture { title, file, text, .. } in pictures {
        let _ = write!(page, "\n### {title}\n\n{text}\n\n![{title}]({file})\n");
    }
    page
}

/// Where it was measured.
pub(crate) fn circumstances(results: &Results) -> Table {
    let mut table = Table::new(["machine", ""]);
    for (name, value) in lines(results) {
        table.line([name, value]);
    }
    table
}

/// Names and values.
pub(crate) fn lines(results: &Results) -> Vec<(String, String)> {
    let machine = results.machine.lines().into_iter();
    let mut lines: Vec<_> = machine.map(|(name, value)| (name.to_owned(), value)).collect();
    let [before, after] = results.raw_syncs.map(human);
    let raw = format!(
        "one caller overwrote and synced 4 KiB {before} times a second before, {after} after"
    );
    lines.push(("raw disk".to_owned(), raw));
    lines.push(("rounds".to_owned(), results.rounds.to_string()));
    lines.extend(results.server.iter().map(|server| ("server".to_owned(), server.clone())));
    lines
}
