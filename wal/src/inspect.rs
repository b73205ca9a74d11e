//! Looking at a log's directory without opening it: only reading, without the writer's lock, and
//! whatever the damage. What is wrong is judged as opening would, by the same code.
//!
//! A writer may be at work meanwhile. Two reads of a file are then no snapshot: a later part of
//! it may show frames that prove an earlier part durable which was read too early. So where the
//! frames of a segment do not end cleanly, the rest is read again as long as they go on; what a
//! frame in the first reading proves durable stands in the second.

use std::{io, sync::Arc};

use crate::{
    access::Access,
    error::OpenError,
    format::{FrameKind, Header, SEGMENT_BYTES_MAX},
    frame::FrameView,
    judge::{check_header, check_sequence, decode_header, io_error, judge_last, judge_sealed},
    mend::next_frame,
    naming::{self, SegmentName},
    num::to_usize,
    recovery::TornTail,
    scan::{End, Scan},
    segment::Segment,
    storage::{self, Directory, File},
};

/// The file of a segment, as it was found.
#[derive(Debug)]
pub struct SegmentFile {
    /// Its name in the directory. It ends with `.moved`, if an opening was interrupted while the
    /// segment got its name anew.
    pub name: String,
    /// Its path, for messages.
    pub path: String,
    /// The number of its first record, as its name says.
    pub first_record: u64,
    /// Its size in bytes, if it can be opened.
    pub size: Option<u64>,
    /// Its header, if there is a whole one in it.
    pub header: Option<Header>,
    /// Why the log could not be opened, as far as the header and its place among the others show.
    pub fault: Option<OpenError>,
}

/// The bytes of a segment, read at once.
#[derive(Debug)]
pub struct SegmentBytes {
    segment: Segment,
    bytes: Vec<u8>,
}

/// The whole frames of a segment, in order. Ends where they end; [`Frames::ending`] says how.
#[derive(Debug)]
pub struct Frames<'a> {
    segment: &'a Segment,
    scan: Scan<'a>,
    end: Option<End>,
}

/// What follows a segment.
#[derive(Debug, Clone, Copy)]
pub enum Successor<'a> {
    /// Nothing: it is the last.
    None,
    /// A segment with this header.
    Segment(&'a Header),
    /// A segment whose header is unknown or not the next one.
    Unknown,
}

/// How the frames of a segment end, if the log can be opened as far as that goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// With a seal.
    Sealed {
        /// How many bytes behind it are not zero, or stand before one that is not. Opening does
        /// not look there in a segment that others follow; nobody writes there.
        stray_bytes: u64,
    },
    /// In zeroes: this is where the log goes on.
    Blank {
        /// Whether the last frame says that the log was closed.
        is_closed: bool,
    },
    /// In bytes that are no whole frame, and that nothing proves to be acknowledged: a crash cut
    /// them short, or a writer is writing them now. The next opening for writing zeroes them.
    Torn(TornTail),
}

/// What stands before a segment, for its place in the sequence.
#[derive(Debug, Clone, Copy)]
enum Before {
    /// It must be the log's first.
    Nothing,
    /// A segment with this header; of a damaged one the number is right.
    Segment(Header),
    /// A segment that says nothing of itself: any may follow.
    Unknown,
}

/// The files of a log's segments, in order; none, if the directory has no log.
///
/// # Errors
/// The directory cannot be listed. What is wrong with a file stands in [`SegmentFile::fault`].
pub fn list_segments(directory: &dyn Directory) -> Result<Vec<SegmentFile>, OpenError> {
    let names = directory.names().map_err(io_error("list", directory.display("")))?;
    let names = naming::segments(&names);
    let mut files: Vec<SegmentFile> = Vec::with_capacity(names.len());
    let mut before = Before::Nothing;
    for name in names {
        let mut found = SegmentFile::new(directory, name);
        before = found.look(directory, before);
        files.push(found);
    }
    Ok(files)
}

impl SegmentFile {
    fn new(directory: &dyn Directory, found: SegmentName) -> Self {
        let SegmentName { first_record, name } = found;
        let path = directory.display(&name);
        Self { name, path, first_record, size: None, header: None, fault: None }
    }

    /// Fills in what the file shows; returns what that is for the one after it.
    fn look(&mut self, directory: &dyn Directory, before: Before) -> Before {
        match self.check(directory, before) {
            Ok(header) => Before::Segment(header),
            Err(fault) => {
                let is_behind_a_hole = matches!(fault, OpenError::MissingSegment { .. });
                self.fault = Some(fault);
                match (before, self.header) {
                    (_, Some(header)) if is_behind_a_hole => Before::Segment(header),
                    // Whatever it holds, it has its number's place.
                    (Before::Segment(before), _) => {
                        let segment = before.segment.saturating_add(1);
                        Before::Segment(Header { segment, ..before })
                    }
                    (Before::Nothing, Some(header)) => {
                        Before::Segment(Header { segment: 1, ..header })
                    }
                    (Before::Unknown, Some(header)) => Before::Segment(header),
                    (Before::Nothing | Before::Unknown, None) => Before::Unknown,
                }
            }
        }
    }

    fn check(&mut self, directory: &dyn Directory, before: Before) -> Result<Header, OpenError> {
        let file = self.open(directory)?;
        let size = file.size().map_err(io_error("measure", self.path.clone()))?;
        self.size = Some(size);
        let header = decode_header(&*file, &self.path, self.first_record)?;
        self.header = Some(header);
        check_header(&header, size, self.path.clone(), self.first_record)?;
        let segment = Segment::new(header, self.path.clone(), file, None);
        match &before {
            Before::Nothing => check_sequence(None, &segment)?,
            Before::Segment(before) => check_sequence(Some(before), &segment)?,
            Before::Unknown => {}
        }
        Ok(header)
    }

    fn open(&self, directory: &dyn Directory) -> Result<Arc<dyn File>, OpenError> {
        directory.open(&self.name, Access::Read).map_err(io_error("open", self.path.clone()))
    }

    /// Reads the segment, all of it at once, into memory.
    ///
    /// # Errors
    /// It cannot be read, or its header is not whole.
    pub fn read(&self, directory: &dyn Directory) -> Result<SegmentBytes, OpenError> {
        let file = self.open(directory)?;
        // Not the header that was seen before: a writer may have put another file in its place.
        let header = decode_header(&*file, &self.path, self.first_record)?;
        let segment = Segment::new(header, self.path.clone(), file, None);
        let bytes = read_settled(&segment).map_err(io_error("read", self.path.clone()))?;
        Ok(SegmentBytes { segment, bytes })
    }
}

/// The bytes of a segment, the rest of them read again while its frames go on.
fn read_settled(segment: &Segment) -> io::Result<Vec<u8>> {
    let file = segment.file()?;
    let len = file.size()?.min(segment.header.capacity).min(SEGMENT_BYTES_MAX);
    let mut bytes = storage::read_front(&*file, len)?;
    let mut last_offset = 0;
    loop {
        let mut scan = Scan::new(&bytes, &segment.header);
        let end = end_of(&mut scan);
        let offset = scan.offset;
        let is_clean = matches!(end, End::Sealed | End::Blank) && scan.garbage_len() == 0;
        if is_clean || offset == last_offset {
            return Ok(bytes);
        }
        last_offset = offset;
        let rest = bytes.get_mut(to_usize(offset)..).unwrap_or_default();
        storage::read_up_to(&*file, offset, rest)?;
    }
}

/// Walks to where the frames end.
pub(crate) fn end_of(scan: &mut Scan<'_>) -> End {
    loop {
        if let Err(end) = scan.next() {
            return end;
        }
    }
}

impl SegmentBytes {
    /// Its header.
    pub fn header(&self) -> &Header {
        &self.segment.header
    }

    /// Its frames.
    pub fn frames(&self) -> Frames<'_> {
        let scan = Scan::new(&self.bytes, &self.segment.header);
        Frames { segment: &self.segment, scan, end: None }
    }

    /// The frames behind the place where others ended, for whoever wants to know what is left
    /// behind damage: from the first one on that is whole.
    pub fn frames_behind(&self, ended: &Frames<'_>) -> Option<Frames<'_>> {
        let scan = next_frame(&ended.scan.over(&self.bytes))?;
        Some(Frames { segment: &self.segment, scan, end: None })
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = FrameView<'a>;

    fn next(&mut self) -> Option<FrameView<'a>> {
        if self.end.is_some() {
            return None;
        }
        self.scan.next().map_err(|end| self.end = Some(end)).ok()
    }
}

impl Frames<'_> {
    /// Where the frames so far end, in bytes.
    pub fn offset(&self) -> u64 {
        self.scan.offset
    }

    /// The number of the record after those so far.
    pub fn next_record(&self) -> u64 {
        self.scan.next_record
    }

    /// Walks over what is left, and says how the frames end.
    ///
    /// # Errors
    /// Why the log could not be opened, or read on, because of it.
    pub fn ending(mut self, next: Successor<'_>) -> Result<Ending, OpenError> {
        let end = self.end.unwrap_or_else(|| end_of(&mut self.scan));
        let (segment, scan) = (self.segment, &self.scan);
        let next = match next {
            Successor::None => return last_ending(segment, scan, end),
            Successor::Segment(header) => Some(header),
            Successor::Unknown => None,
        };
        judge_sealed(segment, scan, end, next)?;
        Ok(Ending::Sealed { stray_bytes: scan.garbage_len() })
    }
}

fn last_ending(segment: &Segment, scan: &Scan<'_>, end: End) -> Result<Ending, OpenError> {
    let bytes = judge_last(segment, scan, end)?;
    Ok(if bytes > 0 {
        Ending::Torn(TornTail { file: segment.path.clone(), offset: scan.offset, bytes })
    } else if end == End::Sealed {
        Ending::Sealed { stray_bytes: 0 }
    } else {
        Ending::Blank { is_closed: scan.previous_kind == Some(FrameKind::Close) }
    })
}
