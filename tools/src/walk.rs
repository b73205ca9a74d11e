//! From segment to segment, whatever their state: what can be read is shown, what cannot is told.

use std::{io, ops::ControlFlow};

use annals_wal::{
    Ending, FrameKind, FrameView, Header, OpenError, SegmentBytes, SegmentFile, Successor, TornTail,
};

use crate::{error::DumpError, log_directory::LogDirectory, problem::Problem, words::positions};

/// The segment that a frame is in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) header: Header,
    pub(crate) file: &'a SegmentFile,
}

/// Takes the frames of a segment; says whether to go on.
pub(crate) type Visit<'v> =
    dyn FnMut(&Origin<'_>, &FrameView<'_>) -> Result<ControlFlow<()>, DumpError> + 'v;

/// The segments of a log, one after the other.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    log: &'a LogDirectory,
    index: usize,
    /// The position after the segment before, where that is known.
    expected: Option<u64>,
}

/// What a walk over a segment found.
#[derive(Debug)]
pub(crate) struct Walked<'a> {
    /// Its file.
    pub(crate) file: &'a SegmentFile,
    /// The header in it.
    pub(crate) header: Option<Header>,
    pub(crate) commits: u64,
    pub(crate) events: u64,
    /// The positions of the first event, and of the one after the last, that can be read.
    pub(crate) first: u64,
    pub(crate) next: u64,
    /// Where the whole frames end, in bytes.
    pub(crate) used: u64,
    /// The checksum of the last one's head.
    pub(crate) chain: u32,
    pub(crate) state: State,
    /// What is wrong; nothing, unless the state is [`State::Damaged`], or bytes stand behind its
    /// seal.
    pub(crate) problems: Vec<Problem>,
}

/// How a segment stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// The log goes on in it.
    Active,
    /// The log goes on in it, and was closed there.
    Closed,
    /// Complete.
    Sealed,
    /// The log goes on in it; what a crash left behind stands at its end.
    Torn(TornTail),
    /// Opening refuses it, or it was not walked to its end.
    Damaged,
}

impl State {
    /// What it is called.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Closed => "closed cleanly",
            Self::Sealed => "sealed",
            Self::Torn(_) => "torn tail",
            Self::Damaged => "damaged",
        }
    }
}

/// Whether a file is the segment that its place says; one may be missing before it.
pub(crate) fn is_in_place(file: &SegmentFile) -> bool {
    matches!(file.fault, None | Some(OpenError::MissingSegment { .. }))
}

/// Whether a file is a segment of another place or another log: how it ends says nothing here.
fn is_misplaced(file: &SegmentFile) -> bool {
    let capacity = file.header.map(|header| header.capacity);
    !is_in_place(file) && capacity.is_some() && capacity == file.size
}

impl<'a> Walk<'a> {
    pub(crate) fn new(log: &'a LogDirectory) -> Self {
        Self { log, index: 0, expected: None }
    }

    /// Leaves out segments that lie wholly before a position.
    pub(crate) fn skip_before(&mut self, position: u64) {
        let ends_before = |pair: &[SegmentFile]| {
            matches!(pair, [segment, next]
                if segment.fault.is_none() && next.fault.is_none() && next.first_record <= position)
        };
        while self.log.segments.get(self.index..self.index + 2).is_some_and(ends_before) {
            self.index += 1;
        }
    }

    /// The file of the next segment.
    pub(crate) fn peek(&self) -> Option<&'a SegmentFile> {
        self.log.segments.get(self.index)
    }

    /// Walks over the next segment. `None`: there is no more.
    pub(crate) fn next(&mut self, visit: &mut Visit<'_>) -> Result<Option<Walked<'a>>, DumpError> {
        let Some(file) = self.peek() else { return Ok(None) };
        self.index += 1;
        let mut walked = Walked::new(file);
        if let Some(fault) = &file.fault {
            walked.note(fault)?;
            self.name_gap(fault, &mut walked);
        }
        match file.read(&*self.log.directory) {
            Ok(bytes) => self.walk_frames(&bytes, &mut walked, visit)?,
            // It was said above.
            Err(_) if file.fault.is_some() => {}
            Err(error) => walked.note(&error)?,
        }
        self.expected = (walked.state != State::Damaged).then_some(walked.next);
        Ok(Some(walked))
    }

    fn walk_frames(
        &self,
        bytes: &SegmentBytes,
        walked: &mut Walked<'_>,
        visit: &mut Visit<'_>,
    ) -> Result<(), DumpError> {
        let header = *bytes.header();
        walked.header = Some(header);
        walked.first = header.first_record;
        let origin = Origin { header, file: walked.file };
        let mut frames = bytes.frames();
        let mut flow = ControlFlow::Continue(());
        while flow.is_continue()
            && let Some(frame) = frames.next()
        {
            walked.commits += u64::from(frame.head.kind == FrameKind::Commit);
            walked.events += u64::from(frame.head.record_count);
            walked.chain = frame.head.checksum;
            flow = visit(&origin, &frame)?;
        }
        walked.used = frames.offset();
        walked.next = frames.next_record();
        if flow.is_continue() && !is_misplaced(walked.file) {
            match frames.ending(self.successor()) {
                Ok(ending) => walked.end(ending),
                Err(error) => walked.note(&error)?,
            }
        }
        Ok(())
    }

    fn successor(&self) -> Successor<'a> {
        match self.peek() {
            None => Successor::None,
            Some(SegmentFile { header: Some(header), fault: None, .. }) => {
                Successor::Segment(header)
            }
            Some(_) => Successor::Unknown,
        }
    }

    /// Which positions a missing segment had.
    fn name_gap(&self, fault: &OpenError, walked: &mut Walked<'_>) {
        let (first, next) = (self.expected.unwrap_or(1), walked.file.first_record);
        let is_known = self.expected.is_some() || self.index == 1;
        if matches!(fault, OpenError::MissingSegment { .. }) && is_known && first < next {
            let positions = positions(first, next);
            walked.problems.push(Problem::new(format!("what is missing: {positions}")));
        }
    }
}

impl<'a> Walked<'a> {
    fn new(file: &'a SegmentFile) -> Self {
        Self {
            file,
            header: None,
            commits: 0,
            events: 0,
            first: file.first_record,
            next: file.first_record,
            used: 0,
            chain: 0,
            state: State::Damaged,
            problems: Vec::new(),
        }
    }

    /// Notes what is wrong with it.
    fn note(&mut self, error: &OpenError) -> Result<(), DumpError> {
        let problem = Problem::of_opening(error);
        if let OpenError::Io { source, .. } = error
            && source.kind() == io::ErrorKind::PermissionDenied
        {
            return Err(DumpError::NotAllowed(problem.text().to_owned()));
        }
        self.problems.push(problem);
        Ok(())
    }

    fn end(&mut self, ending: Ending) {
        if let Ending::Sealed { stray_bytes: 1.. } = ending {
            let (file, used, next) = (&self.file.path, self.used, self.next);
            self.problems.push(Problem::new(format!(
                "{file} is damaged at byte {used}: bytes follow the seal, where nobody writes; \
                 every position before {next} can be read"
            )));
        }
        if is_in_place(self.file) {
            self.state = match ending {
                Ending::Sealed { .. } => State::Sealed,
                Ending::Blank { is_closed: true } => State::Closed,
                Ending::Blank { is_closed: false } => State::Active,
                Ending::Torn(torn) => State::Torn(torn),
            };
        }
    }

    /// The capacity that its header says, or the size of its file.
    pub(crate) fn capacity(&self) -> u64 {
        self.header.map(|header| header.capacity).or(self.file.size).unwrap_or_default()
    }

    /// The positions of its events as words.
    pub(crate) fn positions(&self) -> String {
        positions(self.first, self.next)
    }

    /// Its number as words.
    pub(crate) fn number(&self) -> String {
        self.header.map_or_else(|| "?".to_owned(), |header| header.segment.to_string())
    }
}
