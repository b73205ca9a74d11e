//! `log-dump frames`: a line for each frame of the log.

use std::ops::ControlFlow;

use annals_event::CommitView;
use annals_wal::{FrameKind, FrameView};

use crate::{
    commit,
    console::{Console, Outcome},
    error::DumpError,
    escape::name,
    json::Object,
    log_directory::LogDirectory,
    time::rfc_3339,
    walk::{Origin, State, Walk, Walked},
    words::positions,
};

/// Writes a line for each frame, and one for what stands behind them in a torn segment. What is
/// wrong is told.
///
/// # Errors
/// [`DumpError`]: a file may not be read, or the output not be written.
pub fn frames(
    log: &LogDirectory,
    json: bool,
    console: &mut Console<'_>,
) -> Result<Outcome, DumpError> {
    let (mut walk, mut problems) = (Walk::new(log), 0);
    loop {
        let mut visit = |origin: &Origin<'_>, frame: &FrameView<'_>| {
            let commit = (frame.head.kind == FrameKind::Commit).then(|| {
                commit::view(origin.header.log_id, frame).map_err(|error| error.to_string())
            });
            let show = if json { object } else { text };
            console.line(show(frame, commit.as_ref()))?;
            Ok(ControlFlow::Continue(()))
        };
        let Some(walked) = walk.next(&mut visit)? else { return Ok(Outcome::of(problems)) };
        show_torn(&walked, json, console)?;
        problems += walked.problems.len();
        for problem in &walked.problems {
            console.tell(problem.text())?;
        }
    }
}

/// A commit, or why there is none in a frame that should have one.
type Commit<'a> = Result<CommitView<'a>, String>;

const fn kind(kind: FrameKind) -> &'static str {
    match kind {
        FrameKind::Commit => "commit",
        FrameKind::Seal => "seal",
        FrameKind::Close => "close",
    }
}

fn text(frame: &FrameView<'_>, commit: Option<&Commit<'_>>) -> String {
    let (head, address) = (&frame.head, frame.address);
    let records = match head.kind {
        FrameKind::Commit => positions(head.first_record, head.next_record()),
        FrameKind::Seal | FrameKind::Close => format!("before position {}", head.first_record),
    };
    let streams = match commit {
        None => String::new(),
        Some(Err(error)) => format!("  {error}"),
        Some(Ok(commit)) => {
            let streams = commit.streams();
            let names = streams.map(|(stream, version)| format!(" {}@{version}", name(stream)));
            format!("  streams{}", names.collect::<String>())
        }
    };
    format!(
        "segment {} offset {}  {}  {} bytes  {records}  {}  checksum {:08x}{streams}",
        address.segment,
        address.offset,
        kind(head.kind),
        head.frame_len(),
        rfc_3339(head.time),
        head.checksum,
    )
}

fn object(frame: &FrameView<'_>, commit: Option<&Commit<'_>>) -> String {
    let (head, address) = (&frame.head, frame.address);
    let is_commit = head.kind == FrameKind::Commit;
    let object = Object::new()
        .put("segment", address.segment)
        .put("offset", address.offset)
        .put("kind", kind(head.kind))
        .put("length", head.frame_len())
        .put("next_position", head.next_record())
        .put_some("first_position", is_commit.then_some(head.first_record))
        .put_some("last_position", is_commit.then(|| head.next_record().saturating_sub(1)))
        .put_some("events", is_commit.then_some(head.record_count))
        .put("time", rfc_3339(head.time))
        .put("time_micros", head.time)
        .put("checksum", format!("{:08x}", head.checksum))
        .put("body_checksum", format!("{:08x}", head.body_checksum))
        .put("durable_offset", head.durable);
    let stream = |(stream, version): (&str, annals_event::StreamVersion)| {
        Object::new().put("stream", stream).put("version_before", version.get())
    };
    let object = match commit {
        None => object,
        Some(Err(error)) => object.put("problem", error.as_str()),
        Some(Ok(commit)) => object.put_objects("streams", commit.streams().map(stream)),
    };
    object.finish()
}

/// Bytes behind the last frame are shown as one that is torn.
fn show_torn(walked: &Walked<'_>, json: bool, console: &mut Console<'_>) -> Result<(), DumpError> {
    let State::Torn(torn) = &walked.state else { return Ok(()) };
    if json {
        let object = Object::new()
            .put("segment", walked.header.map(|header| header.segment))
            .put("offset", torn.offset)
            .put("kind", "torn")
            .put("length", torn.bytes);
        return console.line(object.finish());
    }
    let (number, offset, bytes) = (walked.number(), torn.offset, torn.bytes);
    console.line(format!("segment {number} offset {offset}  torn  {bytes} bytes"))
}
