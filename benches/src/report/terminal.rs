//! The report in a terminal.

use std::fmt::Write;

use crate::report::{
    results::Results,
    tables::{self, Titled},
};

/// Tables, and what there is to say.
pub(crate) fn text(results: &Results) -> String {
    let mut text = String::new();
    for Titled { title, table } in tables::all(results) {
        let _ = write!(text, "\n{title}\n\n{table}");
    }
    let notes = tables::notes(results);
    if !notes.is_empty() {
        text.push('\n');
        for note in notes {
            let _ = writeln!(text, "{note}");
        }
    }
    text
}
