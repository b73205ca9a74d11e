//! What is made of the results: tables, files, plots.

pub(crate) mod chart;
mod csv;
pub(crate) mod dots;
mod json;
mod markdown;
mod plots;
mod record;
pub(crate) mod table;

pub use chart::{Axis, Chart, Line, Point, Scale};
pub(crate) use csv::{results_csv, runs_csv, soak_csv};
pub(crate) use json::machine_json;
pub(crate) use markdown::{disk_markdown, run_markdown, soak_markdown};
pub(crate) use plots::{Plot, run_plots, soak_plots};
pub use record::Record;
pub use table::Table;
pub(crate) use table::of_rows;
