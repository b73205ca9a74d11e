//! Results for people.

use crate::{
    chapter,
    machine::Machine,
    number::{float, human, short},
    render::{
        plots::Plot,
        table::{self, Table},
    },
    row::Row,
    soak::{CALLERS, Interval, Soak},
};

/// The page of a run.
pub(crate) fn run_markdown(
    machine: &Machine,
    command: &str,
    rows: &[Row],
    plots: &[Plot],
) -> String {
    let parts = vec![head("Workloads", machine, command), RUN_PROSE.to_owned()];
    with_chapters(parts, rows, plots)
}

/// The page of the ways to write.
pub(crate) fn disk_markdown(machine: &Machine, command: &str, rows: &[Row]) -> String {
    let parts = vec![head("Ways to write", machine, command), DISK_PROSE.to_owned()];
    with_chapters(parts, rows, &[])
}

fn with_chapters(mut parts: Vec<String>, rows: &[Row], plots: &[Plot]) -> String {
    for chapter in chapter::all() {
        let mut of = rows.iter().filter(|row| row.chapter == chapter).peekable();
        if of.peek().is_none() {
            continue;
        }
        parts.push(format!("## {}\n\n{}\n", chapter.title(), chapter.prose()));
        parts.push(table::of_rows(of).to_string());
        let of_chapter = plots.iter().filter(|p| p.workload.is_some_and(|w| chapter == w));
        parts.extend(of_chapter.map(Plot::link));
    }
    parts.join("\n")
}

const DISK_PROSE: &str = "\
What a log could do, without the log. The cases of a part took turns, in another order in every \
round, each time with new files. What is shown is the median of the runs, and the smallest and \
largest of them; `x base` is the ratio to another case of the same round, larger is faster; \
latencies are of all runs together. Compare ratios, not absolutes.\n";

const RUN_PROSE: &str = "\
Medians of runs that took turns. `x raw` is the ratio to a raw overwrite + `fdatasync` for each \
append by one caller, measured before and after each run; `x base` the ratio to another case of \
the same round. Latencies are of all runs together; `appends a group` shared a write and a sync. \
Compare ratios, not absolutes: `benches/README.md` says how.\n";

/// The page of a soak.
pub(crate) fn soak_markdown(
    machine: &Machine,
    command: &str,
    soak: &Soak,
    plots: &[Plot],
) -> String {
    let mut table = Table::new(Interval::HEADINGS);
    for interval in &soak.intervals {
        table.line(interval.cells());
    }
    let table = table.without_empty_columns().to_string();
    let mut parts = vec![head("Soak", machine, command), soak_prose(soak), table];
    parts.extend(plots.iter().map(Plot::link));
    parts.join("\n")
}

fn soak_prose(soak: &Soak) -> String {
    let [before, after] = soak.raw.map(human);
    let latency = soak.latency.percentiles();
    let [p50, p99, p999, max] = [latency.p50, latency.p99, latency.p999, latency.max].map(human);
    let commits = short(float(soak.commits));
    format!(
        "W2 with {CALLERS} threads: {commits} commits, all found in the log afterwards. Latency \
         in microseconds: p50 {p50}, p99 {p99}, p99.9 {p999}, max {max}. One caller overwrote and \
         synced 4 KiB {before} times a second before, {after} times after. `memory` is the \
         process without mapped files; `mapped` is page cache. `at a change`: within 0.1 s of a \
         change of segments.\n"
    )
}

fn head(title: &str, machine: &Machine, command: &str) -> String {
    let mut table = Table::new(["machine", ""]);
    for (name, value) in machine.lines() {
        table.line([name.to_owned(), value]);
    }
    format!("# {title}\n\n```sh\n{command}\n```\n\n{table}")
}
