//! The numbers for programs.

use annals_bench::Spread;

use crate::{
    reading::MEASURES,
    results::{ANNALS, Results},
    rounds::CaseResult,
};

const RESULTS: &str = "place,case,system,unit,median,min,max,to_raw,to_annals,p50_us,p90_us,p99_us,\
                       p999_us,max_us,conflicts_per_commit,troubles";
const RUNS: &str = "place,case,system,round,value,raw";
const READINGS: &str = "system,bytes_per_event,measure,median,min,max,troubles";

/// A line for each system in each case.
pub(crate) fn results_csv(results: &Results) -> String {
    let mut lines = vec![RESULTS.to_owned()];
    for (place, result) in cases(results) {
        let head = |system: &str| {
            format!("{place},{},{system},{}", result.case.slug(), result.case.unit())
        };
        let raw = Spread::of(result.raw.iter().copied());
        lines.extend(raw.map(|raw| format!("{},{},,,,,,,,,", head("raw"), spread(Some(raw)))));
        let annals = result.of(ANNALS);
        for row in &result.rows {
            let latency = row.latency.percentiles();
            let to_annals = annals.and_then(|annals| row.to(annals));
            let cells = [
                head(row.peer.name),
                spread(row.value()),
                median(row.to_raw()),
                median(to_annals),
                [latency.p50, latency.p90, latency.p99, latency.p999, latency.max]
                    .map(|micros| format!("{micros:.1}"))
                    .join(","),
                format!("{:.4}", row.conflicts_per_commit()),
                row.troubles.len().to_string(),
            ];
            lines.push(cells.join(","));
        }
    }
    finish(&lines)
}

/// A line for each run.
pub(crate) fn runs_csv(results: &Results) -> String {
    let mut lines = vec![RUNS.to_owned()];
    for (place, result) in cases(results) {
        for row in &result.rows {
            for (run, round) in row.runs.iter().zip(1..) {
                let value = run.map(|run| format!("{:.1}", run.value)).unwrap_or_default();
                let raw = run.and_then(|run| run.raw).map(|raw| format!("{raw:.1}"));
                let raw = raw.unwrap_or_default();
                let case = result.case.slug();
                lines.push(format!("{place},{case},{},{round},{value},{raw}", row.peer.name));
            }
        }
    }
    finish(&lines)
}

/// A line for each thing that was read, with each system.
pub(crate) fn readings_csv(results: &Results) -> String {
    let mut lines = vec![READINGS.to_owned()];
    for row in &results.readings {
        let bytes = row.bytes_per_event.map(|bytes| format!("{bytes:.1}")).unwrap_or_default();
        for measure in &MEASURES {
            let (name, slug, troubles) = (row.peer.name, measure.slug, row.troubles.len());
            let value = spread(row.value(measure));
            lines.push(format!("{name},{bytes},{slug},{value},{troubles}"));
        }
    }
    finish(&lines)
}

fn cases(results: &Results) -> impl Iterator<Item = (&'static str, &CaseResult)> {
    let on_disk = results.on_disk.iter().map(|result| ("disk", result));
    on_disk.chain(results.on_tmpfs.iter().map(|result| ("memory", result)))
}

fn spread(spread: Option<Spread>) -> String {
    spread.map_or_else(
        || ",,".to_owned(),
        |Spread { median, min, max }| format!("{median:.2},{min:.2},{max:.2}"),
    )
}

fn median(spread: Option<Spread>) -> String {
    spread.map(|spread| format!("{:.4}", spread.median)).unwrap_or_default()
}

fn finish(lines: &[String]) -> String {
    lines.join("\n") + "\n"
}
