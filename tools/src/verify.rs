//! `log-dump verify`: everything that can be checked, segment by segment.
//!
//! 1. The header, the file's size and its place among the others ([`annals_wal::list_segments`]).
//! 2. Every frame: checksums, chain, positions ([`annals_wal::Frames`]).
//! 3. Every commit: that it decodes to its end, and that the versions of its streams go on.
//! 4. How the frames end, and that the next segment continues them.
//! 5. The index image: that it leads to each event. One that opening would not use is noted. One
//!    of the last segment shows that another followed.
//!
//! What is wrong is what opening would refuse, and more: opening trusts images, and does not look
//! behind the seal of a segment that others follow.

use std::ops::ControlFlow;

use annals_wal::{FrameKind, FrameView, OpenError, SealedEnd};

use crate::{
    commit::Commit,
    console::{Console, Outcome},
    error::DumpError,
    escape::{escape, name},
    image::{self, ImageState},
    log_directory::LogDirectory,
    problem::Problem,
    progress::Progress,
    versions::{SegmentEvents, Versions},
    walk::{Origin, State, Walk, Walked, is_in_place},
    words::counted,
};

/// How the image of a segment is called in its line.
const IMAGE_FITS: &str = "image fits";
const IMAGE_WRONG: &str = "image wrong";

/// What was found so far.
#[derive(Debug)]
struct Verification<'a> {
    log: &'a LogDirectory,
    progress: Progress,
    versions: Versions,
    totals: Totals,
}

#[derive(Debug, Default)]
struct Totals {
    /// The sizes of the segments before.
    bytes: u64,
    segments: u64,
    commits: u64,
    events: u64,
    images: u64,
    problems: usize,
}

/// Checks everything; writes a line for each segment, what is wrong with it, and the result.
///
/// # Errors
/// [`DumpError`]: a file may not be read, or the output not be written.
pub fn verify(log: &LogDirectory, console: &mut Console<'_>) -> Result<Outcome, DumpError> {
    let sizes = log.segments.iter().filter_map(|segment| segment.size);
    let progress = Progress::new(sizes.fold(0, u64::saturating_add));
    let (versions, totals) = (Versions::default(), Totals::default());
    let mut verification = Verification { log, progress, versions, totals };
    let mut walk = Walk::new(log);
    while verification.segment(&mut walk, console)? {}
    let Verification { totals, versions, progress, .. } = verification;
    drop(progress);
    let Totals { segments, commits, events, images, problems, .. } = totals;
    let counts = [
        counted(segments, "segment"),
        counted(commits, "commit"),
        counted(events, "event"),
        counted(versions.count(), "stream"),
        counted(images, "image"),
    ];
    let counts = counts.join(", ");
    match Outcome::of(problems) {
        Outcome::Sound => console.line(format_args!("ok: {counts}"))?,
        Outcome::Damaged => console.line(format_args!(
            "damaged: {}; what can be read: {counts}; \
             see what `log-dump repair --dry-run` says, restore the directory from a copy, or save \
             what `log-dump events --json` shows",
            counted(u64::try_from(problems).unwrap_or(u64::MAX), "problem"),
        ))?,
    }
    Ok(Outcome::of(problems))
}

impl Verification<'_> {
    /// Checks the next segment. Says whether there was one.
    fn segment(
        &mut self,
        walk: &mut Walk<'_>,
        console: &mut Console<'_>,
    ) -> Result<bool, DumpError> {
        let Some(file) = walk.peek() else { return Ok(false) };
        if matches!(file.fault, Some(OpenError::MissingSegment { .. })) {
            self.versions.pass_gap();
        }
        let mut events = self.log.image_name(file).map(|_| SegmentEvents::default());
        let mut problems = Vec::new();
        let mut visit = |origin: &Origin<'_>, frame: &FrameView<'_>| {
            self.progress.set(self.totals.bytes.saturating_add(frame.address.offset));
            if let Err(reason) = self.commit(origin, frame, events.as_mut()) {
                problems.push(Problem::in_frame(&origin.file.path, frame, reason));
            }
            Ok(ControlFlow::Continue(()))
        };
        let Some(walked) = walk.next(&mut visit)? else { return Ok(false) };
        let (image, note) = self.image(&walked, events.as_ref(), &mut problems);
        let is_image_usable = matches!(image, IMAGE_FITS | IMAGE_WRONG);
        if walk.peek().is_none() && is_image_usable && self.log.ends_with(walked.file)? {
            problems.push(missing_end(&walked));
        }
        if walked.state == State::Damaged {
            self.versions.pass_gap();
        }
        self.totals.add(&walked, &problems);
        let lines = || -> Result<(), DumpError> {
            console.line(summary(&walked, image))?;
            for note in note.into_iter().chain(torn_note(&walked.state)) {
                console.line(format_args!("  note: {}", escape(&note)))?;
            }
            for problem in walked.problems.iter().chain(&problems) {
                console.line(format_args!("  wrong: {problem}"))?;
            }
            Ok(console.out.flush()?)
        };
        self.progress.aside(lines)?;
        Ok(true)
    }

    /// Checks a commit.
    fn commit(
        &mut self,
        origin: &Origin<'_>,
        frame: &FrameView<'_>,
        events: Option<&mut SegmentEvents>,
    ) -> Result<(), String> {
        if frame.head.kind != FrameKind::Commit {
            return Ok(());
        }
        match Commit::decode(origin.header.log_id, frame) {
            Ok(commit) if is_in_place(origin.file) => self.versions.add(&commit, events),
            // Versions say nothing in a file that is not where it belongs.
            Ok(_) => Ok(()),
            Err(error) => {
                self.versions.pass_gap();
                Err(error.to_string())
            }
        }
    }

    /// How the segment's image is called in its line, and what is to be noted.
    fn image(
        &mut self,
        walked: &Walked<'_>,
        events: Option<&SegmentEvents>,
        problems: &mut Vec<Problem>,
    ) -> (&'static str, Option<String>) {
        let Some((name, events)) = self.log.image_name(walked.file).zip(events) else {
            return ("no image", None);
        };
        let Some(header) = walked.header.filter(|_| walked.state == State::Sealed) else {
            return ("image not checked", None);
        };
        let directory = &*self.log.directory;
        let end = SealedEnd { offset: walked.used, seal: walked.chain };
        match image::check(directory, &name, &header, end, events) {
            ImageState::Fits => {
                self.totals.images += 1;
                (IMAGE_FITS, None)
            }
            ImageState::Unusable(reason) => {
                let note =
                    format!("{name} is not used, and made anew when the store is opened: {reason}");
                ("image unusable", Some(note))
            }
            ImageState::Wrong(reason) => {
                let path = directory.display(&name);
                problems.push(Problem::new(format!(
                    "{path} does not match its segment: {reason}; \
                     delete it and open the store: it is made anew"
                )));
                (IMAGE_WRONG, None)
            }
        }
    }
}

impl Totals {
    fn add(&mut self, walked: &Walked<'_>, problems: &[Problem]) {
        self.bytes = self.bytes.saturating_add(walked.file.size.unwrap_or_default());
        self.segments += 1;
        self.commits += walked.commits;
        self.events += walked.events;
        self.problems += walked.problems.len() + problems.len();
    }
}

fn summary(walked: &Walked<'_>, image: &str) -> String {
    format!(
        "segment {}  {}  {}  {}  {}  {}  {image}",
        walked.number(),
        name(&walked.file.name),
        walked.positions(),
        counted(walked.commits, "commit"),
        counted(walked.events, "event"),
        walked.state.name(),
    )
}

/// What opening says of the last segment, if it is complete and has an image.
fn missing_end(walked: &Walked<'_>) -> Problem {
    let segment = walked.header.map_or(1, |header| header.segment).saturating_add(1);
    let before = walked.file.path.clone();
    Problem::of_opening(&OpenError::MissingEnd { segment, before })
}

/// What a torn tail is: no damage.
fn torn_note(state: &State) -> Option<String> {
    let State::Torn(torn) = state else { return None };
    let (bytes, offset) = (torn.bytes, torn.offset);
    Some(format!(
        "torn tail: {bytes} bytes from byte {offset} on are no whole commit and were never \
         acknowledged; a crash cut them short, or a writer is writing them now; the next opening \
         for writing cuts them off"
    ))
}
