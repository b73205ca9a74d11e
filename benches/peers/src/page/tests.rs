use std::path::Path;

use annals_bench::{Latency, MULTI, SINGLE};

use super::*;
use crate::{
    case::Case,
    plan::Plan,
    reading::{Reading, ReadingRow},
    rounds::{CaseResult, CaseRow, Run},
    system::Peer,
    systems::ALL,
    trouble::Trouble,
};

fn peer(name: &str) -> &'static Peer {
    ALL.iter().find(|peer| peer.name == name).unwrap()
}

fn row(name: &str, values: [f64; 2]) -> CaseRow {
    let run = |value| Some(Run { value, raw: Some(100.0) });
    CaseRow {
        peer: peer(name),
        runs: values.map(run).to_vec(),
        latency: Latency::new().unwrap(),
        acknowledged: 10,
        conflicts: 0,
        troubles: Vec::new(),
    }
}

fn reading(name: &str, open_ms: f64, bytes: f64) -> ReadingRow {
    let run = Reading {
        open_ms: Some(open_ms),
        events_per_second: 1e6,
        stream_micros: 10.0,
        event_micros: 1.0,
    };
    let (runs, troubles) = (vec![run], Vec::new());
    ReadingRow { peer: peer(name), bytes_per_event: Some(bytes), runs, troubles }
}

fn results() -> Results {
    let case = |shape, callers, rows| CaseResult {
        case: Case { shape, callers, is_hot: false },
        raw: vec![100.0, 110.0],
        raw_latency: None,
        rows,
    };
    let mut failed = row("redb", [7.0, 7.0]);
    failed.runs = vec![None, None];
    failed.troubles = vec![Trouble::Lost("all | of\nit".to_owned()); 2];
    let single = vec![
        row("annals", [200.0, 400.0]),
        row("annals-tasks", [800.0, 800.0]),
        row("okaywal", [100.0, 300.0]),
        row("okaywal+grouping", [300.0, 500.0]),
        row("eventcore-memory", [900.0, 900.0]),
        failed,
    ];
    let multi = vec![row("annals", [200.0, 200.0]), row("okaywal", [100.0, 100.0])];
    Results {
        machine: annals_bench::Machine::look(Path::new("/")),
        plan: Plan::quick(),
        command: "the command".to_owned(),
        peers: ["annals", "annals-tasks", "okaywal", "okaywal+grouping", "redb"].map(peer).to_vec(),
        on_disk: vec![case(SINGLE, 16, single), case(MULTI, 1, multi)],
        on_tmpfs: Vec::new(),
        readings: vec![reading("annals", 2.0, 120.0), reading("redb", 1.0, 150.0)],
    }
}

/// The lines of a text with this in them, with single spaces.
fn lines(text: &str, part: &str) -> Vec<String> {
    let squeezed = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    text.lines().filter(|line| line.contains(part)).map(squeezed).collect()
}

#[test]
fn the_best_stand_on_top_and_ratios_are_taken_by_round() {
    let results = results();
    let table = tables::of_case(&results.on_disk[0]);
    let order: Vec<_> = table.lines().skip(2).filter_map(|line| line.split('`').nth(1)).collect();
    let expected =
        ["eventcore-memory", "annals-tasks", "okaywal+grouping", "annals", "okaywal", "redb"];
    assert_eq!(order, expected);
    // 100 / 200 and 300 / 400.
    let okaywal = lines(&table, "`okaywal`");
    assert!(okaywal[0].starts_with("| `okaywal` | 200 | 100 - 300 | 2.00 | 0.62 |"), "{okaywal:?}");
    assert!(lines(&table, "`eventcore-memory`")[0].contains("not durable"));
    assert!(lines(&table, "`redb`")[0].contains("**trouble in 2 of 2 runs**"));
}

#[test]
fn losses_are_said_and_troubles_too() {
    let page = page(&results(), "plots/");
    let losses = lines(&page, "times as fast");
    assert_eq!(losses.len(), 1, "{losses:?}");
    assert!(losses[0].starts_with("- W2, 16 callers: `okaywal+grouping` (1.38 times as fast)"));
    assert!(losses[0].contains("`eventcore-memory`, which keeps nothing on disk"), "{losses:?}");
    assert_eq!(lines(&page, "times as good"), ["- start-up, ms: `redb` (2.00 times as good)"]);
    let lost = lines(&page, "lost: all");
    assert_eq!(lost, ["- `redb`, W2, 16 callers: lost: all of it"; 2]);
    assert!(page.contains("(plots/w2-16.svg)") && page.contains("the command"));
}

#[test]
fn what_does_not_last_is_no_rival_in_the_summary() {
    let table = summary::table(&results());
    let single = lines(&table, "W2, 16 callers");
    // Best as it is: okaywal; in any way: okaywal+grouping.
    let expected =
        "| W2, 16 callers | 300 | commits/s | 3.00 | 1.67 | 0.73 | `okaywal`, `okaywal+grouping` |";
    assert_eq!(single[0], expected);
    assert!(single[1].starts_with("| W2, 16 callers, from tasks | 800 |"));
}

#[test]
fn every_plot_that_the_page_shows_is_drawn() {
    let results = results();
    let page = page(&results, "plots/");
    let plots = plots(&results).unwrap();
    assert_eq!(page.matches("](plots/").count(), plots.len());
    for plot in plots {
        assert!(page.contains(&format!("](plots/{})", plot.file)), "{}", plot.file);
        assert!(plot.svg.contains("annals"), "{}", plot.file);
    }
}

#[test]
fn every_line_of_the_numbers_has_a_cell_for_each_heading() {
    let results = results();
    for csv in [results_csv(&results), runs_csv(&results), readings_csv(&results)] {
        let cells = |line: &str| line.matches(',').count();
        let headings = cells(csv.lines().next().unwrap());
        assert!(csv.lines().count() > 2);
        assert!(csv.lines().all(|line| cells(line) == headings), "{csv}");
    }
}
