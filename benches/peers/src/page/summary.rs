//! What the page says first: how Annals compares, where it loses, what went wrong.

use annals_bench::{Spread, Table, human};

use crate::{
    page::is_annals,
    reading::{MEASURES, ReadingRow},
    results::{ANNALS, Results},
    rounds::{CaseResult, CaseRow},
    system::Role,
};

/// A line for each case and way to call Annals.
pub(super) fn table(results: &Results) -> String {
    let mut table = Table::new([
        "appending",
        "Annals",
        "unit",
        "x raw",
        "times the best other as it is",
        "times the best other in any way",
        "which are",
    ]);
    for result in &results.on_disk {
        for annals in result.rows.iter().filter(|row| is_annals(row.peer.name)) {
            table.line(line(result, annals));
        }
    }
    if results.peers.iter().any(|peer| is_annals(peer.name)) {
        table.to_string()
    } else {
        "Annals was not measured.\n".to_owned()
    }
}

fn line(result: &CaseResult, annals: &CaseRow) -> Vec<String> {
    let others = || result.rows.iter().filter(|row| !is_annals(row.peer.name) && is_durable(row));
    let as_it_is = best(others().filter(|row| row.peer.role == Role::System));
    let any_way = best(others());
    let times = |other: Option<&CaseRow>| other.and_then(|other| annals.to(other));
    let name = |other: Option<&CaseRow>| other.map(|row| format!("`{}`", row.peer.name));
    let mut names: Vec<String> = [name(as_it_is), name(any_way)].into_iter().flatten().collect();
    names.dedup();
    let way = if annals.peer.name == ANNALS { "" } else { ", from tasks" };
    vec![
        format!("{}{way}", result.case),
        annals.value().map(|value| human(value.median)).unwrap_or_default(),
        result.case.unit().to_owned(),
        ratio(annals.to_raw()),
        ratio(times(as_it_is)),
        ratio(times(any_way)),
        names.join(", "),
    ]
}

fn is_durable(row: &CaseRow) -> bool {
    row.peer.role != Role::Memory
}

fn best<'a>(rows: impl Iterator<Item = &'a CaseRow>) -> Option<&'a CaseRow> {
    let median = |row: &CaseRow| row.value().map_or(0.0, |value| value.median);
    rows.filter(|row| row.value().is_some()).max_by(|a, b| median(a).total_cmp(&median(b)))
}

fn ratio(ratio: Option<Spread>) -> String {
    ratio.map(|ratio| format!("{:.2}", ratio.median)).unwrap_or_default()
}

/// Everything at which another system was better than Annals.
pub(super) fn losses(results: &Results) -> String {
    let mut losses = Vec::new();
    for result in &results.on_disk {
        losses.extend(case_losses(result));
    }
    losses.extend(reading_losses(&results.readings));
    if !results.peers.iter().any(|peer| peer.name == ANNALS) {
        return String::new();
    }
    if losses.is_empty() {
        return "No other system was better at anything that was measured.\n".to_owned();
    }
    format!("Where Annals is not the best:\n\n{}", losses.concat())
}

/// Where others append faster. Annals from tasks is only compared with others from tasks.
fn case_losses(result: &CaseResult) -> Option<String> {
    let annals = result.of(ANNALS)?;
    let faster = result.rows.iter().filter(|row| !is_annals(row.peer.name)).filter_map(|row| {
        let times = row.to(annals)?.median;
        let remark = if is_durable(row) { "" } else { ", which keeps nothing on disk" };
        let name = row.peer.name;
        (times > 1.0).then(|| format!("`{name}`{remark} ({times:.2} times as fast)"))
    });
    let faster: Vec<String> = faster.collect();
    (!faster.is_empty()).then(|| format!("- {}: {}\n", result.case, faster.join(", ")))
}

fn reading_losses(readings: &[ReadingRow]) -> Vec<String> {
    let Some(annals) = readings.iter().find(|row| row.peer.name == ANNALS) else {
        return Vec::new();
    };
    let mut losses = Vec::new();
    let mut compare = |what: &str, is_rate: bool, of: &dyn Fn(&ReadingRow) -> Option<f64>| {
        let Some(own) = of(annals) else { return };
        let better = readings.iter().filter_map(|row| {
            let other = of(row)?;
            let times = if is_rate { other / own } else { own / other };
            (times > 1.0).then(|| format!("`{}` ({times:.2} times as good)", row.peer.name))
        });
        let better: Vec<String> = better.collect();
        if !better.is_empty() {
            losses.push(format!("- {what}: {}\n", better.join(", ")));
        }
    };
    for measure in &MEASURES {
        let median = |row: &ReadingRow| row.value(measure).map(|value| value.median);
        compare(measure.name, measure.is_rate, &median);
    }
    compare("bytes on disk for an event", false, &|row| row.bytes_per_event);
    losses
}

/// What systems did that they must not do.
pub(super) fn troubles(results: &Results) -> String {
    let troubles = results.troubles();
    if troubles.is_empty() {
        return "Every system kept everything that it acknowledged, and failed nowhere: after each \
                run its log was read and counted.\n"
            .to_owned();
    }
    let line =
        |(peer, place, trouble): &(&crate::system::Peer, String, &crate::trouble::Trouble)| {
            // As a program may have written it.
            let text = trouble.to_string().replace(['\n', '|', '`'], " ");
            format!("- `{}`, {place}: {text}\n", peer.name)
        };
    let lines: String = troubles.iter().map(line).collect();
    format!("**What failed or was lost:**\n\n{lines}")
}
