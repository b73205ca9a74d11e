//! `log-dump segments`: a line for each file of the log.

use std::ops::ControlFlow;

use crate::{
    console::{Console, Outcome},
    error::DumpError,
    escape::name,
    json::Object,
    log_directory::LogDirectory,
    problem::Problem,
    walk::{State, Walk, Walked},
    words::counted,
};

/// Sums over all segments.
#[derive(Debug, Default)]
struct Total {
    segments: u64,
    images: u64,
    commits: u64,
    events: u64,
    used: u64,
    capacity: u64,
}

/// Writes a line for each segment, and one for all. What is wrong is told.
///
/// # Errors
/// [`DumpError`]: a file may not be read, or the output not be written.
pub fn segments(
    log: &LogDirectory,
    json: bool,
    console: &mut Console<'_>,
) -> Result<Outcome, DumpError> {
    let (mut walk, mut total, mut problems) = (Walk::new(log), Total::default(), 0);
    while let Some(walked) = walk.next(&mut |_, _| Ok(ControlFlow::Continue(())))? {
        let has_image = log.image_name(walked.file).is_some();
        total.add(&walked, has_image);
        let line = if json { object(&walked, has_image) } else { text(&walked, has_image) };
        console.line(line)?;
        problems += walked.problems.len();
        for problem in &walked.problems {
            console.tell(problem.text())?;
        }
    }
    console.line(if json { total.object() } else { total.text() })?;
    Ok(Outcome::of(problems))
}

fn text(walked: &Walked<'_>, has_image: bool) -> String {
    format!(
        "segment {}  {}  {}  {}  {}  {} of {} bytes  {}  {}",
        walked.number(),
        name(&walked.file.name),
        walked.positions(),
        counted(walked.commits, "commit"),
        counted(walked.events, "event"),
        walked.used,
        walked.capacity(),
        walked.state.name(),
        if has_image { "image" } else { "no image" },
    )
}

fn object(walked: &Walked<'_>, has_image: bool) -> String {
    let has_events = walked.next > walked.first;
    let torn = match &walked.state {
        State::Torn(torn) => Some(torn.bytes),
        _ => None,
    };
    let problems: Vec<&str> = walked.problems.iter().map(Problem::text).collect();
    Object::new()
        .put("segment", walked.header.map(|header| header.segment))
        .put("file", walked.file.name.as_str())
        .put("first_position", has_events.then_some(walked.first))
        .put("last_position", has_events.then(|| walked.next - 1))
        .put("commits", walked.commits)
        .put("events", walked.events)
        .put("bytes_used", walked.used)
        .put("capacity", walked.capacity())
        .put("state", walked.state.name())
        .put_some("torn_bytes", torn)
        .put("has_image", has_image)
        .put_some("problems", (!problems.is_empty()).then_some(problems))
        .finish()
}

impl Total {
    fn add(&mut self, walked: &Walked<'_>, has_image: bool) {
        self.segments += 1;
        self.images += u64::from(has_image);
        self.commits += walked.commits;
        self.events += walked.events;
        // Sizes are what damaged files say.
        self.used = self.used.saturating_add(walked.used);
        self.capacity = self.capacity.saturating_add(walked.capacity());
    }

    fn text(&self) -> String {
        format!(
            "total {}  {}  {}  {} of {} bytes  {}",
            counted(self.segments, "segment"),
            counted(self.commits, "commit"),
            counted(self.events, "event"),
            self.used,
            self.capacity,
            counted(self.images, "image"),
        )
    }

    fn object(&self) -> String {
        let total = Object::new()
            .put("segments", self.segments)
            .put("images", self.images)
            .put("commits", self.commits)
            .put("events", self.events)
            .put("bytes_used", self.used)
            .put("capacity", self.capacity);
        Object::new().put_object("total", total).finish()
    }
}
