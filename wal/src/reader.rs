//! Reading frames: by address, by record, to and fro. Every frame is checked before it is shown.
//!
//! A reader has a buffer of its own and lends frames out of it, or out of the mapped file. What
//! is not in its file yet is copied from the tail.

use std::{ops::Range, sync::Arc};

use crate::{
    address::Address,
    commit::Shared,
    error::{Corruption, ReadError},
    format::{ALIGN, FRAMES_START, FrameKind, HEAD_LEN, Head, HeadFault},
    frame::FrameView,
    num::{to_u64, to_usize},
    segment::Segment,
};

/// What one `pread` brings in when reading forward or backward.
const SCAN_BYTES: u64 = 256 << 10;

/// What one `pread` brings in when reading here and there.
const PROBE_BYTES: u64 = 4 << 10;

/// Reads frames of a log. Cheap to make; one per thread.
#[derive(Debug)]
pub struct Reader {
    shared: Arc<Shared>,
    segment: Arc<Segment>,
    window: Window,
    pattern: Pattern,
}

/// In which order frames will be read: how much to read at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// Here and there.
    Probe,
    /// One after the other.
    Forward,
    /// One before the other.
    Backward,
}

/// Bytes of a segment that were read, or of a frame that was copied.
#[derive(Debug, Default)]
struct Window {
    segment: u64,
    start: u64,
    bytes: Vec<u8>,
    /// Copied from the tail: its head may lack what is only known when it is written.
    is_copy: bool,
}

impl Window {
    fn get(&self, segment: u64, range: &Range<u64>) -> Option<&[u8]> {
        let end = self.start + to_u64(self.bytes.len());
        if self.segment != segment || range.start < self.start || range.end > end {
            return None;
        }
        self.bytes.get(to_usize(range.start - self.start)..to_usize(range.end - self.start))
    }
}

impl Reader {
    pub(crate) fn new(shared: Arc<Shared>, pattern: Pattern) -> Self {
        #[expect(clippy::indexing_slicing, reason = "a log has at least one segment")]
        let segment = {
            let segments = shared.segments.read();
            segments[segments.len() - 1].clone()
        };
        Self { shared, segment, window: Window::default(), pattern }
    }

    /// The frame at `address`, which came from this log.
    ///
    /// # Errors
    /// The system, or bytes that are not what was written.
    pub fn frame(&mut self, address: Address) -> Result<FrameView<'_>, ReadError> {
        let head = self.head(address)?;
        let range = address.offset..address.offset + head.frame_len();
        let is_finished = self.is_in_file(address);
        if is_finished {
            self.load(&range)?;
        }
        let segment = &self.segment;
        let corrupt = |reason| corruption(segment, address.offset, head.first_record, reason);
        let bytes = if is_finished && segment.is_mapped() {
            segment.mapped(&range)
        } else {
            self.window.get(segment.header.segment, &range)
        };
        let frame = bytes.and_then(|bytes| FrameView::split(address, head, bytes));
        let frame = frame.ok_or_else(|| corrupt("the frame is longer than what was written"))?;
        // A frame that was copied from the tail never left this process.
        if is_finished && !frame.is_body_intact() {
            return Err(corrupt("the body's checksum does not match"));
        }
        Ok(frame)
    }

    /// The head of the frame at `address`; its body is not looked at.
    ///
    /// # Errors
    /// The system, or bytes that are not what was written.
    pub fn head(&mut self, address: Address) -> Result<Head, ReadError> {
        self.enter(address.segment);
        if !self.is_in_file(address) {
            self.window.segment = address.segment;
            self.window.start = address.offset;
            self.window.is_copy = true;
            let tail = self.shared.tail.lock();
            if let Some(head) = tail.copy_frame(address, &mut self.window.bytes) {
                return Ok(head);
            }
            // It went to its file in between, or is nowhere.
            self.window.bytes.clear();
        }
        self.head_in_file(address.offset)
    }

    fn head_in_file(&mut self, offset: u64) -> Result<Head, ReadError> {
        self.load(&(offset..offset + HEAD_LEN))?;
        let stamps = Head::decode_own(self.loaded(&(offset..offset + HEAD_LEN)))
            .map_or(0, |head| head.stamp_count);
        let range = offset..offset + HEAD_LEN + 8 * u64::from(stamps);
        self.load(&range)?;
        Head::decode(self.segment.seed, offset, self.loaded(&range)).map_err(|fault| {
            let reason = match fault {
                HeadFault::Invalid(reason) => reason,
                HeadFault::Newer => "the frame is of a kind that this version does not know",
            };
            corruption(&self.segment, offset, self.segment.header.first_record, reason)
        })
    }

    /// Whether the frame is to be read from its file.
    fn is_in_file(&self, address: Address) -> bool {
        address.offset < self.segment.written()
    }

    /// Goes to a segment of the log.
    fn enter(&mut self, number: u64) {
        if self.segment.header.segment == number && !self.segment.is_replaced() {
            return;
        }
        let segments = self.shared.segments.read();
        let first = segments.first().map_or(1, |segment| segment.header.segment);
        let index = to_usize(number.saturating_sub(first));
        if let Some(segment) = segments.get(index) {
            self.segment = segment.clone();
            self.window.bytes.clear();
        }
    }

    /// Has the window cover a range of the file, unless the file is mapped.
    fn load(&mut self, range: &Range<u64>) -> Result<(), ReadError> {
        let segment = &self.segment;
        let is_loaded =
            !self.window.is_copy && self.window.get(segment.header.segment, range).is_some();
        if segment.is_mapped() || is_loaded {
            return Ok(());
        }
        let start = match self.pattern {
            Pattern::Probe | Pattern::Forward => range.start,
            Pattern::Backward => range.end.saturating_sub(SCAN_BYTES).min(range.start),
        };
        let end = match self.pattern {
            Pattern::Probe => range.end.max(range.start + PROBE_BYTES),
            Pattern::Forward => range.end.max(range.start + SCAN_BYTES),
            Pattern::Backward => range.end,
        };
        let end = end.min(segment.written());
        self.window.segment = segment.header.segment;
        self.window.start = start;
        self.window.is_copy = false;
        segment.read(start, end.saturating_sub(start), &mut self.window.bytes)?;
        Ok(())
    }

    /// Bytes of a range after [`Reader::load`], perhaps fewer than asked for.
    fn loaded(&self, range: &Range<u64>) -> &[u8] {
        let segment = &self.segment;
        let found = if segment.is_mapped() {
            segment.mapped(range)
        } else {
            self.window.get(segment.header.segment, range)
        };
        found.unwrap_or_default()
    }

    /// The commit that has `record`, which must have been written.
    ///
    /// # Errors
    /// The system, or bytes that are not what was written.
    pub fn seek(&mut self, record: u64) -> Result<Address, ReadError> {
        let number = {
            let segments = self.shared.segments.read();
            let after = segments.partition_point(|s| s.header.first_record <= record);
            segments.get(after.saturating_sub(1)).map_or(1, |s| s.header.segment)
        };
        self.enter(number);
        let waypoint = self.segment.waypoint_before(record);
        let mut address = Address { segment: number, offset: waypoint.offset };
        loop {
            let head = self.head(address)?;
            if head.kind == FrameKind::Commit {
                self.segment.note(head.first_record, address.offset);
            }
            if head.next_record() > record {
                return Ok(address);
            }
            address = self.after(address, &head);
        }
    }

    /// The place after a frame. There may be nothing yet.
    pub fn after(&self, address: Address, head: &Head) -> Address {
        match head.kind {
            FrameKind::Seal => Address { segment: address.segment + 1, offset: FRAMES_START },
            FrameKind::Commit | FrameKind::Close => {
                Address { offset: address.offset + head.frame_len(), ..address }
            }
        }
    }

    /// The place before a frame, of which there is one unless the frame is the log's first.
    ///
    /// # Errors
    /// The system, or bytes that are not what was written.
    pub fn before(&mut self, address: Address, head: &Head) -> Result<Option<Address>, ReadError> {
        if head.previous_len > 0 {
            let offset = address.offset.saturating_sub(head.previous_len);
            return Ok(Some(Address { offset, ..address }));
        }
        let is_first = self
            .shared
            .segments
            .read()
            .first()
            .is_none_or(|first| first.header.segment >= address.segment);
        if is_first {
            return Ok(None);
        }
        // The last frame of the segment before is its seal, which stands where writing ended.
        self.enter(address.segment - 1);
        let offset = self.segment.written().saturating_sub(HEAD_LEN);
        Ok(Some(Address { segment: address.segment - 1, offset: offset - offset % ALIGN }))
    }
}

fn corruption(segment: &Segment, offset: u64, first_record: u64, reason: &str) -> ReadError {
    let corruption: Corruption = segment.corruption(offset, first_record, reason);
    ReadError::Corrupt(corruption)
}
