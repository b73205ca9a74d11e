//! `log-dump streams`: a line for each stream of the log.

use std::{collections::BTreeMap, ops::ControlFlow};

use annals_event::Malformed;
use annals_wal::{FrameKind, FrameView};

use crate::{
    commit,
    console::{Console, Outcome},
    error::DumpError,
    escape::name,
    json::Object,
    log_directory::LogDirectory,
    problem::Problem,
    walk::{Origin, Walk},
};

/// What the readable frames say of a stream.
#[derive(Debug, Clone, Copy)]
struct Stream {
    /// How many events it has.
    version: u64,
    /// The positions of the first and the last that can be read.
    first: u64,
    last: u64,
}

/// Streams whose name begins with a prefix, by name.
#[derive(Debug)]
struct Streams<'a> {
    prefix: &'a str,
    found: BTreeMap<String, Stream>,
}

/// Writes a line for each stream whose name begins with `prefix`, by name. What is wrong is
/// told.
///
/// # Errors
/// [`DumpError`]: a file may not be read, or the output not be written.
pub fn streams(
    log: &LogDirectory,
    prefix: &str,
    json: bool,
    console: &mut Console<'_>,
) -> Result<Outcome, DumpError> {
    let mut streams = Streams { prefix, found: BTreeMap::new() };
    let (mut walk, mut count) = (Walk::new(log), 0);
    loop {
        let mut problems = Vec::new();
        let mut visit = |origin: &Origin<'_>, frame: &FrameView<'_>| {
            if frame.head.kind == FrameKind::Commit
                && let Err(error) = streams.add(origin, frame)
            {
                problems.push(Problem::in_frame(&origin.file.path, frame, error.to_string()));
            }
            Ok(ControlFlow::Continue(()))
        };
        let Some(walked) = walk.next(&mut visit)? else { break };
        for problem in problems.iter().chain(&walked.problems) {
            console.tell(problem.text())?;
            count += 1;
        }
    }
    for (name, stream) in &streams.found {
        console.line(if json { object(name, stream) } else { text(name, stream) })?;
    }
    Ok(Outcome::of(count))
}

impl Streams<'_> {
    fn add(&mut self, origin: &Origin<'_>, frame: &FrameView<'_>) -> Result<(), Malformed> {
        let mut commit = commit::view(origin.header.log_id, frame)?;
        for event in commit.events() {
            let event = event?;
            let (version, position) = (event.version.get(), event.position.get());
            if !event.stream.starts_with(self.prefix) {
                continue;
            }
            if let Some(stream) = self.found.get_mut(event.stream) {
                stream.version = version;
                stream.last = position;
            } else {
                let stream = Stream { version, first: position, last: position };
                self.found.insert(event.stream.to_owned(), stream);
            }
        }
        Ok(())
    }
}

fn text(stream: &str, found: &Stream) -> String {
    let Stream { version, first, last } = found;
    format!("{}  version {version}  first position {first}  last position {last}", name(stream))
}

fn object(name: &str, found: &Stream) -> String {
    Object::new()
        .put("stream", name)
        .put("version", found.version)
        .put("first_position", found.first)
        .put("last_position", found.last)
        .finish()
}
