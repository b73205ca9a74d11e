//! Reading frames: by address, by record, to and fro. Every frame is checked before it is shown.
//!
//! A reader has a buffer of its own and lends frames out of it, or out of the mapped file. What
//! is not in its file yet is copied from the tail.

use std::{ops::Range, sync::Arc};

use crate::{
    address::Address,
    commit::Shared,
    error::ReadError,
    format::{HEAD_LEN, Head},
    frame::FrameView,
    num::to_usize,
    options::ReadMode,
    segment::Segment,
    stretch::{Checks, Stretch, Trust, Walk},
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

/// In which order frames will be read: how much to read at once, and which need no check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// Here and there.
    Probe,
    /// One after the other, from a place that the reader found: [`Reader::seek`].
    Forward,
    /// One before the other, from a place that the reader found.
    Backward,
}

/// Bytes of the reader's segment that were read, or of a frame that was copied.
#[derive(Debug, Default)]
struct Window {
    start: u64,
    bytes: Vec<u8>,
    /// Copied from the tail: its head may lack what is only known when it is written.
    is_copy: bool,
}

impl Window {
    /// The bytes of a range of the file, if all of them are here.
    fn get(&self, range: &Range<u64>) -> Option<&[u8]> {
        if self.is_copy {
            return None;
        }
        let start = range.start.checked_sub(self.start)?;
        self.bytes.get(to_usize(start)..to_usize(range.end - self.start))
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
        let stretch = self.stretch(address)?;
        match stretch.frame(address.offset) {
            Some(frame) => Ok(frame),
            None => Err(stretch.lost()),
        }
    }

    /// Bytes that have the frame at `address`, which came from this log, and others around it.
    ///
    /// # Errors
    /// The system, or bytes that are not what was written.
    pub fn stretch(&mut self, address: Address) -> Result<Stretch<'_>, ReadError> {
        self.enter(address.segment)?;
        let is_own = !self.is_in_file(address) && self.copy_from_tail(address);
        if !is_own && !self.segment.is_mapped() {
            self.load_frame(address.offset)?;
        }
        Ok(self.loaded(address.offset, is_own))
    }

    /// As [`Reader::stretch`], but of the frame at `address` there may be only the head.
    fn heads(&mut self, address: Address) -> Result<Stretch<'_>, ReadError> {
        self.enter(address.segment)?;
        let is_own = !self.is_in_file(address) && self.copy_from_tail(address);
        if !is_own && !self.segment.is_mapped() {
            self.load_head(address.offset)?;
        }
        Ok(self.loaded(address.offset, is_own))
    }

    /// What is in memory after loading.
    fn loaded(&self, first: u64, is_own: bool) -> Stretch<'_> {
        let segment = &*self.segment;
        let window = (self.window.start, self.window.bytes.as_slice());
        let mapped = segment.mapped().filter(|_| !is_own);
        let remembers = self.shared.options.read_mode == ReadMode::MapCheckedOnce;
        let trust = match self.pattern {
            _ if is_own => Trust::Own,
            _ if mapped.is_none() || !remembers => Trust::Nothing,
            Pattern::Probe => Trust::Lately(&self.shared.checked),
            Pattern::Forward | Pattern::Backward => Trust::Walked,
        };
        let (start, bytes) = mapped.map_or(window, |mapped| (0, mapped));
        Stretch { segment, start, bytes, first, trust }
    }

    /// Copies a frame that is not in its file yet. `false`: it went there in between, or is
    /// nowhere.
    fn copy_from_tail(&mut self, address: Address) -> bool {
        let Window { start, bytes, is_copy } = &mut self.window;
        (*start, *is_copy) = (address.offset, true);
        let copied = self.shared.tail.lock().copy_frame(address, bytes);
        if copied.is_none() {
            bytes.clear();
        }
        copied.is_some()
    }

    /// Has the window cover the head at `offset` with its stamps; returns the frame's length, if
    /// the head is whole.
    fn load_head(&mut self, offset: u64) -> Result<Option<u64>, ReadError> {
        let own = self.load(offset..offset + HEAD_LEN)?.and_then(Head::decode_own);
        let Some(own) = own else { return Ok(None) };
        let seed = self.segment.seed;
        let stamped = self.load(offset..offset + own.stamped_len())?;
        // No memory by a length that nobody wrote.
        let head = stamped.and_then(|stamped| Head::decode(seed, offset, stamped).ok());
        Ok(head.map(|head| head.frame_len()))
    }

    /// Has the window cover the frame at `offset`, if its head is whole.
    fn load_frame(&mut self, offset: u64) -> Result<(), ReadError> {
        if let Some(len) = self.load_head(offset)? {
            self.load(offset..offset + len)?;
        }
        Ok(())
    }

    /// Whether the frame is to be read from its file.
    fn is_in_file(&self, address: Address) -> bool {
        address.offset < self.segment.written()
    }

    /// Goes to a segment of the log: a place that leads to none was not the log's.
    fn enter(&mut self, number: u64) -> Result<(), ReadError> {
        if self.segment.header.segment == number && !self.segment.is_replaced() {
            return Ok(());
        }
        let segments = self.shared.segments.read();
        let first = segments.first().map_or(1, |segment| segment.header.segment);
        let index = number.checked_sub(first).map(to_usize);
        let Some(segment) = index.and_then(|index| segments.get(index)) else {
            let Segment { header, .. } = &*self.segment;
            let reason = format!("the log has no segment {number}, to which a place leads");
            let corruption = self.segment.corruption(0, header.first_record, &reason);
            return Err(ReadError::Corrupt(corruption));
        };
        self.segment = segment.clone();
        self.window.bytes.clear();
        Ok(())
    }

    /// Has the window cover a range of the file; returns it, if the file goes so far.
    fn load(&mut self, range: Range<u64>) -> Result<Option<&[u8]>, ReadError> {
        let segment = &self.segment;
        if self.window.get(&range).is_none() {
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
            self.window.start = start;
            self.window.is_copy = false;
            segment.read(start, end.saturating_sub(start), &mut self.window.bytes)?;
        }
        Ok(self.window.get(&range))
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
        self.enter(number)?;
        let from = Address { segment: number, offset: self.segment.waypoint_before(record) };
        match self.walk(from, record, Checks::Ends) {
            Err(ReadError::Corrupt(_)) => self.walk(from, record, Checks::All),
            walked => walked,
        }
    }

    /// Walks over heads up to the frame that has `record`: forward, whatever comes after.
    fn walk(&mut self, from: Address, record: u64, checks: Checks) -> Result<Address, ReadError> {
        let pattern = self.pattern;
        if let Pattern::Backward = pattern {
            self.pattern = Pattern::Forward;
        }
        let walked = self.walk_on(from, record, checks);
        self.pattern = pattern;
        walked
    }

    fn walk_on(
        &mut self,
        mut from: Address,
        record: u64,
        checks: Checks,
    ) -> Result<Address, ReadError> {
        loop {
            match self.heads(from)?.walk(from, record, checks)? {
                Walk::Found(address) => return Ok(address),
                Walk::GoesOn(address) => from = address,
            }
        }
    }

    /// The place before a frame, of which there is one unless the frame is the log's first.
    ///
    /// # Errors
    /// The system, or bytes that are not what was written.
    pub fn before(&mut self, address: Address, head: &Head) -> Result<Option<Address>, ReadError> {
        if let Some(address) = head.previous(address) {
            return Ok(Some(address));
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
        self.enter(address.segment - 1)?;
        let offset = self.segment.written().saturating_sub(HEAD_LEN);
        Ok(Some(Address { segment: address.segment - 1, offset }))
    }
}
