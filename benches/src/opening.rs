//! W6: how long opening takes, by the size of the log.

use std::{
    fmt, fs, io,
    path::Path,
    time::{Duration, Instant},
};

use annals::Annals;

use crate::{
    cold,
    error::{BenchError, io_error},
    number::{float, short, wide},
    plan::Plan,
    progress::Progress,
    request::Request,
    row::{Row, Run},
    sample_log,
    scratch::{self, Scratch},
    verify,
    workload::Workload,
};

/// How the log was left, and where its files are.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Left {
    /// Closed cleanly; in the page cache.
    Warm,
    /// Closed cleanly; dropped from the page cache.
    Cold,
    /// As a killed process leaves it; in the page cache.
    Killed,
}

const LEFT: [Left; 3] = [Left::Warm, Left::Cold, Left::Killed];

/// Grows one log and opens it at each size that is planned.
pub(crate) fn run(
    plan: &Plan,
    scratch: &Scratch,
    progress: &Progress,
) -> Result<Vec<Row>, BenchError> {
    progress.begin("W6", u64::from(plan.runs) * wide(LEFT.len() * plan.opened_events.len()));
    let (log, killed) = (scratch.path("opened"), scratch.path("killed"));
    let mut requests = sample_log::requests()?;
    let mut rows = Vec::new();
    for events in &plan.opened_events {
        progress.now(&format!("filling a log of {} events", short(float(*events))));
        grow(&log, &killed, &mut requests, *events)?;
        for left in LEFT {
            rows.push(Row {
                series: left.to_string(),
                x: Some(float(*events)),
                ..Row::new(Workload::W6, format!("{} events, {left}", short(float(*events))), "ms")
            });
        }
        let from = rows.len() - LEFT.len();
        for _ in 0..plan.runs {
            for (left, row) in LEFT.into_iter().zip(rows.iter_mut().skip(from)) {
                progress.now(&row.case);
                let took = measure(left, &log, &killed, scratch)?;
                row.runs.push(Run::of(took.as_secs_f64() * 1e3));
                progress.done();
            }
        }
        scratch::remove(&killed)?;
    }
    scratch::remove(&log)?;
    Ok(rows)
}

/// Has the log grow to so many events; copies it before it is closed.
fn grow(
    log: &Path,
    killed: &Path,
    requests: &mut [Request],
    events: u64,
) -> Result<(), BenchError> {
    let annals = Annals::open(log)?;
    sample_log::fill(&annals, requests, events.saturating_sub(annals.position().get()))?;
    copy(log, killed)?;
    verify::holds(&annals, &sample_log::written(requests))?;
    annals.close()?;
    Ok(())
}

fn measure(
    left: Left,
    log: &Path,
    killed: &Path,
    scratch: &Scratch,
) -> Result<Duration, BenchError> {
    match left {
        Left::Warm => time(log),
        Left::Cold => {
            cold::evict(log)?;
            time(log)
        }
        Left::Killed => {
            // A copy of the copy: opening repairs it.
            let path = scratch.path("repaired");
            copy(killed, &path)?;
            let took = time(&path)?;
            scratch::remove(&path)?;
            Ok(took)
        }
    }
}

fn time(path: &Path) -> Result<Duration, BenchError> {
    let start = Instant::now();
    let annals = Annals::open(path)?;
    let took = start.elapsed();
    annals.close()?;
    Ok(took)
}

/// Copies the files of a log, and has them on disk.
fn copy(from: &Path, to: &Path) -> Result<(), BenchError> {
    let files = || -> io::Result<()> {
        fs::create_dir(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            match fs::copy(entry.path(), to.join(entry.file_name())) {
                // The store's helper thread gave a segment its name in between.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => drop(other?),
            }
        }
        Ok(())
    };
    files().map_err(io_error("copy a log"))?;
    cold::sync(to)
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warm => "closed, warm",
            Self::Cold => "closed, cold",
            Self::Killed => "killed, warm",
        })
    }
}
