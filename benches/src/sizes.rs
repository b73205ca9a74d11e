//! W7: what an event takes on disk and in memory.

use annals::Annals;

use crate::{
    error::BenchError,
    number::{float, human, human_count, per, wide},
    plan::Plan,
    progress::Progress,
    row::{Row, Run},
    sample_log,
    scratch::{self, Scratch, sizes},
    shape::{BATCH, MULTI, SINGLE, Shape},
    verify,
    workload::Workload,
};

/// Bytes for each place in memory, as `Stats::places_in_memory` says.
const PLACE_BYTES: u64 = 8;

/// Counts the bytes of a log of each shape.
pub(crate) fn run(
    plan: &Plan,
    scratch: &Scratch,
    progress: &Progress,
) -> Result<Vec<Row>, BenchError> {
    progress.begin("W7", 3);
    let mut rows = Vec::new();
    for shape in [BATCH, SINGLE, MULTI] {
        progress.now(shape.name);
        rows.append(&mut measure(&shape, plan.sized_events, scratch)?);
        progress.done();
    }
    Ok(rows)
}

fn measure(shape: &Shape, events: u64, scratch: &Scratch) -> Result<Vec<Row>, BenchError> {
    let path = scratch.path("sized");
    let annals = Annals::open(&path)?;
    let mut requests = sample_log::shape_requests(shape)?;
    sample_log::fill(&annals, &mut requests, events / wide(shape.events))?;
    verify::holds(&annals, &sample_log::written(&requests))?;
    let stats = annals.stats();
    annals.close()?;
    drop(annals);
    let (all, images) = (sizes(&path, "")?, sizes(&path, ".idx")?);
    scratch::remove(&path)?;
    let events = stats.position.get();
    let memory = stats.places_in_memory * PLACE_BYTES + stats.log.waypoint_bytes;
    let row = |what: &str, bytes: u64, remark: String| Row {
        runs: vec![Run::of(per(float(bytes), events))],
        remark,
        ..Row::new(Workload::W7, format!("{}, {what}", shape.name), "bytes/event")
    };
    let files = format!("{} segments, {} MB long", stats.log.segments, human(float(all.len) / 1e6));
    let active = human_count(stats.places_in_memory);
    let places = format!("{active} of {} events in the active segment", human_count(events));
    Ok(vec![
        row("in the log", stats.log.bytes_used, String::new()),
        row("on disk", all.allocated, files),
        row("in index images", images.len, format!("{} images", stats.images)),
        row("in memory", memory, places),
    ])
}
