//! `log-dump events`: a line for each event of the log.

use std::ops::{ControlFlow, RangeInclusive};

use annals_event::{CodecId, EventView, Filter, SchemaVersion};
use annals_wal::{FrameKind, FrameView};

use crate::{
    commit,
    console::{Console, Outcome},
    contents,
    error::DumpError,
    escape::{name, quote},
    json::Object,
    log_directory::LogDirectory,
    problem::Problem,
    time::rfc_3339,
    walk::{Origin, Walk},
};

/// Which events to show, and how.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Which positions.
    pub positions: RangeInclusive<u64>,
    /// Which streams and types.
    pub filter: Filter,
    /// How many at most.
    pub limit: u64,
    /// Whether as lines of JSON.
    pub json: bool,
}

/// Shows the events of frames until enough were shown.
struct Shower<'s, 'c, 'w> {
    selection: &'s Selection,
    console: &'s mut Console<'c>,
    left: u64,
    problems: &'w mut Vec<Problem>,
}

/// Writes a line for each event of the selection. What is wrong is told.
///
/// # Errors
/// [`DumpError`]: a file may not be read, or the output not be written.
pub fn events(
    log: &LogDirectory,
    selection: &Selection,
    console: &mut Console<'_>,
) -> Result<Outcome, DumpError> {
    let (mut walk, mut count, mut left) = (Walk::new(log), 0, selection.limit);
    walk.skip_before(*selection.positions.start());
    while left > 0 {
        let mut problems = Vec::new();
        let mut shower = Shower { selection, console, left, problems: &mut problems };
        let walked = walk.next(&mut |origin, frame| shower.frame(origin, frame))?;
        left = shower.left;
        let Some(walked) = walked else { break };
        for problem in problems.iter().chain(&walked.problems) {
            console.tell(problem.text())?;
            count += 1;
        }
    }
    Ok(Outcome::of(count))
}

impl Shower<'_, '_, '_> {
    fn frame(
        &mut self,
        origin: &Origin<'_>,
        frame: &FrameView<'_>,
    ) -> Result<ControlFlow<()>, DumpError> {
        let positions = &self.selection.positions;
        if frame.head.first_record > *positions.end() {
            self.left = 0;
        }
        if self.left == 0 {
            return Ok(ControlFlow::Break(()));
        }
        let is_before = frame.head.next_record() <= *positions.start();
        if frame.head.kind != FrameKind::Commit || is_before {
            return Ok(ControlFlow::Continue(()));
        }
        let mut commit = match commit::view(origin.header.log_id, frame) {
            Ok(commit) => commit,
            Err(error) => return Ok(self.note(origin, frame, error.to_string())),
        };
        for event in commit.events() {
            match event {
                Ok(event) => self.event(&event)?,
                Err(error) => return Ok(self.note(origin, frame, error.to_string())),
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn event(&mut self, event: &EventView<'_>) -> Result<(), DumpError> {
        let Selection { positions, filter, json, .. } = self.selection;
        let is_wanted = positions.contains(&event.position.get())
            && filter.passes(event.stream, event.event_type);
        if is_wanted && self.left > 0 {
            self.left -= 1;
            self.console.line(if *json { object(event) } else { text(event) })?;
        }
        Ok(())
    }

    fn note(
        &mut self,
        origin: &Origin<'_>,
        frame: &FrameView<'_>,
        reason: String,
    ) -> ControlFlow<()> {
        self.problems.push(Problem::in_frame(&origin.file.path, frame, reason));
        ControlFlow::Continue(())
    }
}

fn text(event: &EventView<'_>) -> String {
    let mut parts = vec![
        event.position.to_string(),
        rfc_3339(event.time.0),
        format!("{}@{}", name(event.stream), event.version),
        name(event.event_type),
    ];
    if event.codec != CodecId::RAW {
        parts.push(format!("codec={}", event.codec.0));
    }
    if event.schema_version != SchemaVersion::FIRST {
        parts.push(format!("schema={}", event.schema_version.0));
    }
    if event.id_given {
        parts.push(format!("id={}", event.id));
    }
    parts.extend(event.tags().map(|tag| format!("tag={}", quote(tag))));
    if !event.metadata.is_empty() {
        parts.push(contents::text("metadata", event.metadata, false));
    }
    parts.push(contents::text("payload", event.payload, true));
    parts.join(" ")
}

fn object(event: &EventView<'_>) -> String {
    let object = Object::new()
        .put("position", event.position.get())
        .put("time", rfc_3339(event.time.0))
        .put("stream", event.stream)
        .put("version", event.version.get())
        .put("type", event.event_type)
        .put("codec", event.codec.0)
        .put("schema_version", event.schema_version.0)
        .put("id", event.id.to_string())
        .put("id_given", event.id_given)
        .put("tags", event.tags().collect::<Vec<_>>());
    let object = contents::put(object, "metadata", event.metadata);
    contents::put(object, "payload", event.payload).finish()
}
