//! The report's tables: for the terminal, Markdown and HTML alike.

use crate::{
    number::{human, human_count},
    render::table::Table,
    report::{
        backend::{self, ALL, Program},
        results::Results,
        summary::{Group, Summary, workloads},
        targets::TARGETS,
    },
};

/// A table with its heading.
#[derive(Debug)]
pub(crate) struct Titled {
    pub(crate) title: String,
    pub(crate) table: Table,
}

/// Targets, then two tables for each workload.
pub(crate) fn all(results: &Results) -> Vec<Titled> {
    let groups = workloads(results);
    let mut tables = vec![Titled {
        title: "The targets of EventCore's performance report".to_owned(),
        table: targets(results, &groups),
    }];
    for group in &groups {
        tables.push(Titled { title: group.title(), table: outcomes(results, group) });
        tables
            .push(Titled { title: format!("{}: latency", group.title()), table: latencies(group) });
    }
    tables
}

/// Backends as columns would not fit into a terminal, so they are lines.
fn targets(results: &Results, groups: &[Group<'_>]) -> Table {
    let mut table = Table::new(["backend"].into_iter().chain(TARGETS.map(|target| target.name)));
    for backend in ALL {
        let cell = |target: &crate::report::targets::Target| {
            let group = target.group(groups)?;
            let summary = group.summaries.iter().find(|s| s.first.backend == backend.name)?;
            Some(target.verdict(summary))
        };
        let cells: Vec<_> = TARGETS.iter().map(cell).collect();
        if cells.iter().any(Option::is_some) {
            let cells = cells.into_iter().map(|cell| cell.unwrap_or_else(|| "-".to_owned()));
            table.line(std::iter::once(backend.title.to_owned()).chain(cells));
        } else if let Some(not) = results.not_run.iter().find(|not| not.backend == backend.name) {
            let cells = TARGETS.map(|_| "not run".to_owned());
            table.line(std::iter::once(backend::title(&not.backend).to_owned()).chain(cells));
        }
    }
    table
}

const OUTCOMES: [&str; 17] = [
    "backend",
    "",
    "min - max",
    "x EventCore",
    "commands/s",
    "asked",
    "accepted",
    "rejected",
    "conflicts",
    "failed",
    "attempts",
    "cpu us",
    "server cpu us",
    "bytes",
    "syncs",
    "peak MB",
    "acknowledged means",
];

fn outcomes(results: &Results, group: &Group<'_>) -> Table {
    let headings = OUTCOMES.map(|heading| if heading.is_empty() { group.unit() } else { heading });
    // Of commands the second column says it already.
    let is_wanted = |index: usize| group.is_of_events() || index != COMMANDS;
    let wanted = |cells: Vec<String>| {
        let cells = cells.into_iter().enumerate();
        cells.filter(|(index, _)| is_wanted(*index)).map(|(_, cell)| cell).collect::<Vec<_>>()
    };
    let headings = wanted(headings.map(str::to_owned).to_vec());
    let mut table = Table::new(headings.iter().map(String::as_str));
    for backend in ALL {
        let is_of = |summary: &&Summary<'_>| summary.first.backend == backend.name;
        if let Some(summary) = group.summaries.iter().find(is_of) {
            table.line(wanted(outcome(group, summary)));
        } else if results.not_run.iter().any(|not| not.backend == backend.name) {
            let mut cells = vec![backend.title.to_owned(), "not run".to_owned()];
            cells.resize(headings.len(), String::new());
            table.line(cells);
        }
    }
    table.without_empty_columns()
}

/// Which of these columns has the rate of commands.
const COMMANDS: usize = 4;

/// The ratio to the best of EventCore's backends that promise the same.
fn to_peers(group: &Group<'_>, summary: &Summary<'_>) -> Option<f64> {
    let own = backend::of(&summary.first.backend).filter(|own| own.program == Program::Own)?;
    let is_like = |other: &&Summary<'_>| {
        let other = backend::of(&other.first.backend);
        other.is_some_and(|b| b.program == Program::Peers && b.promise == own.promise)
    };
    let peers = group.summaries.iter().filter(is_like).map(|peer| peer.own_rate().median);
    Some(summary.own_rate().median / peers.reduce(f64::max)?)
}

fn outcome(group: &Group<'_>, summary: &Summary<'_>) -> Vec<String> {
    let known = |number: Option<f64>| number.map_or_else(|| "?".to_owned(), human);
    let count = |of: fn(&crate::report::measured::Counts) -> u64| {
        human_count(summary.total(|row| of(&row.counts)))
    };
    let rate = summary.own_rate();
    let promise = backend::of(&summary.first.backend);
    vec![
        backend::title(&summary.first.backend).to_owned(),
        human(rate.median),
        if summary.rows.len() > 1 {
            format!("{} - {}", human(rate.min), human(rate.max))
        } else {
            String::new()
        },
        to_peers(group, summary).map(human).unwrap_or_default(),
        human(summary.rate().median),
        count(|counts| counts.asked),
        count(|counts| counts.accepted),
        count(|counts| counts.rejected),
        count(|counts| counts.conflicts),
        count(|counts| counts.failed),
        known(summary.attempts()),
        human(summary.cpu_micros()),
        summary.server_cpu_micros().map(human).unwrap_or_default(),
        known(summary.written_bytes()),
        known(summary.syncs()),
        known(summary.peak_megabytes()),
        promise.map_or_else(String::new, |backend| backend.promise.to_owned()),
    ]
}

/// Percentiles of the report: their names, and shares.
pub(crate) const PERCENTILES: [(&str, f64); 8] = [
    ("min", 0.0),
    ("p50", 0.5),
    ("p75", 0.75),
    ("p90", 0.9),
    ("p95", 0.95),
    ("p99", 0.99),
    ("p99.9", 0.999),
    ("max", 1.0),
];

fn latencies(group: &Group<'_>) -> Table {
    let headings = ["us"].into_iter().chain(PERCENTILES.map(|(name, _)| name));
    let mut table = Table::new(headings.chain(["p95 min - max"]));
    for summary in &group.summaries {
        let latency = summary.latency();
        let p95 = summary.micros_at(0.95);
        let spread = format!("{} - {}", human(p95.min), human(p95.max));
        let spread = if summary.rows.len() > 1 { spread } else { String::new() };
        let cells = PERCENTILES.map(|(_, share)| human(latency.micros_at(share)));
        let name = backend::title(&summary.first.backend).to_owned();
        table.line(std::iter::once(name).chain(cells).chain([spread]));
    }
    table.without_empty_columns()
}

/// What backends say besides: each thing once.
pub(crate) fn notes(results: &Results) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    for not in &results.not_run {
        notes.push(format!("{}: not run: {}", backend::title(&not.backend), not.why));
    }
    let groups = workloads(results);
    for backend in ALL {
        let of: Vec<_> = groups
            .iter()
            .flat_map(|group| group.summaries.iter().map(move |summary| (group, summary)))
            .filter(|(_, summary)| summary.first.backend == backend.name)
            .collect();
        let mut said: Vec<&String> = Vec::new();
        for note in of.iter().flat_map(|(_, summary)| &summary.first.notes) {
            if said.contains(&note) {
                continue;
            }
            said.push(note);
            let with = of.iter().filter(|(_, summary)| summary.first.notes.contains(note));
            let titles: Vec<String> = with.map(|(group, _)| group.title()).collect();
            notes.push(if titles.len() == of.len() {
                format!("{}: {note}", backend.title)
            } else {
                format!("{}: {note} ({})", backend.title, titles.join("; "))
            });
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::results::tests::results;

    #[test]
    fn annals_is_compared_with_the_best_that_promises_the_same() {
        let mut results = results();
        for (name, factor) in [("eventcore-sqlite", 4.0), ("eventcore-files", 2.0)] {
            let of_disk = results.runs.iter().filter(|run| run.row.backend == "annals-disk");
            let mut runs: Vec<_> = of_disk.cloned().collect();
            for run in &mut runs {
                run.row.backend = name.to_owned();
                run.row.seconds *= factor;
            }
            results.runs.extend(runs);
        }
        let text = all(&results)[1].table.to_string();
        let cells = |name: &str| text.lines().find(|line| line.contains(name)).unwrap().to_owned();
        assert!(cells("Annals, disk").contains("|        2.00 |"), "{text}");
        assert!(!cells("Annals, memory").contains("2.00 |"), "{text}");
    }

    #[test]
    fn every_backend_has_a_line_and_what_was_not_run_says_so() {
        let results = results();
        let tables = all(&results);
        assert_eq!(tables.len(), 3);
        for Titled { title, table } in tables.iter().take(2) {
            let text = table.to_string();
            assert_eq!(text.lines().count(), 2 + 3, "{title}\n{text}");
            let not_run = text.lines().find(|line| line.contains("Annals, Postgres")).unwrap();
            assert!(not_run.contains("not run"), "{text}");
        }
        let outcomes = tables[1].table.to_string();
        assert!(
            outcomes.contains("commands/s |   min - max |") && outcomes.contains("16.7 - 25.0")
        );
        assert!(tables[2].table.to_string().contains("p99.9"));
        assert!(!outcomes.contains("x EventCore"), "there is none to compare with");
        let notes = notes(&results);
        assert!(notes[0].contains("no <Postgres> here"), "{notes:?}");
    }
}
