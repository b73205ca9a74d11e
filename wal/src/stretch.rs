//! Bytes of one segment in memory, from which frames are read one after the other. Every frame is
//! checked before it is shown.

use crate::{
    address::Address,
    checked::CheckedFrames,
    error::ReadError,
    format::{FrameKind, Head, HeadFault},
    frame::FrameView,
    map,
    num::{to_u64, to_usize},
    segment::Segment,
};

/// Bytes of one segment in memory: a whole mapped file, what one `pread` brought in, or one frame
/// that is not in its file yet. Reading frame after frame from it needs no lock.
#[derive(Debug, Clone, Copy)]
pub struct Stretch<'a> {
    pub(crate) segment: &'a Segment,
    /// The offset of the first byte.
    pub(crate) start: u64,
    pub(crate) bytes: &'a [u8],
    /// The offset that it was loaded for: what is cut short there is cut short in the log.
    pub(crate) first: u64,
    pub(crate) trust: Trust<'a>,
}

/// Which frames need no check.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trust<'a> {
    /// None.
    Nothing,
    /// The one that was copied from the tail, before it was finished: it has no checksums, and
    /// never left this process.
    Own,
    /// Those of the mapped file that were checked one after the other from its beginning on. Only
    /// where a frame is known to begin.
    Walked,
    /// Those of the mapped file that were checked lately, each by itself.
    Lately(&'a CheckedFrames),
}

/// How much is asked for at once.
const PREFETCHED_MAX: u64 = 512;

/// Where a walk along heads ended.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Walk {
    /// At the frame that has the record.
    Found(Address),
    /// At a frame that does not lie here.
    GoesOn(Address),
}

/// Which heads a walk checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checks {
    /// Those that count: of the frame that is looked for, and where a waypoint is noted. A wrong
    /// step between them does not lead to a head that is whole in its place and has the record.
    Ends,
    /// All: to find the one that is damaged.
    All,
}

impl<'a> Stretch<'a> {
    /// The frame at `offset`, checked. `None`: it does not lie here, or is damaged;
    /// [`Stretch::missing`] tells.
    #[expect(clippy::inline_always, reason = "copying heads costs more than checking them")]
    #[inline(always)]
    pub fn frame(&self, offset: u64) -> Option<FrameView<'a>> {
        let bytes = self.from(offset);
        let address = Address { segment: self.segment.header.segment, offset };
        let frame = FrameView::split(address, Head::decode_own(bytes)?, bytes)?;
        if !self.trusts(address) {
            if !frame.is_intact(self.segment.seed, bytes) {
                return None;
            }
            match self.trust {
                Trust::Nothing | Trust::Own => {}
                Trust::Walked => {
                    self.segment.note_checked(offset, offset + frame.head.frame_len());
                }
                Trust::Lately(checked) => checked.put(address),
            }
        }
        Some(frame)
    }

    /// Whether the frame at `address` needs no check.
    #[inline]
    fn trusts(&self, address: Address) -> bool {
        match self.trust {
            Trust::Nothing => false,
            Trust::Own => true,
            Trust::Walked => self.segment.is_checked(address.offset),
            Trust::Lately(checked) => checked.has(address),
        }
    }

    /// Why there is no frame at `offset`. `Ok`: it lies elsewhere.
    ///
    /// # Errors
    /// Bytes that are not what was written.
    #[cold]
    pub fn missing(&self, offset: u64) -> Result<(), ReadError> {
        let bytes = self.from(offset);
        let (first, fault) = match self.decode(offset) {
            Err(fault) => (self.segment.header.first_record, fault),
            Ok(head) if to_u64(bytes.len()) < head.frame_len() => {
                let reason = "the frame is longer than what was written";
                (head.first_record, HeadFault::Cut(reason))
            }
            Ok(head) => {
                (head.first_record, HeadFault::Invalid("the body's checksum does not match"))
            }
        };
        let reason = match fault {
            HeadFault::Cut(_) if offset != self.first => return Ok(()),
            HeadFault::Cut(reason) | HeadFault::Invalid(reason) => reason,
            HeadFault::Newer => "the frame is of a kind that this version does not know",
        };
        Err(self.corrupt(offset, first, reason))
    }

    /// Why the frame is missing that the stretch was made for.
    #[cold]
    pub(crate) fn lost(&self) -> ReadError {
        let first = self.segment.header.first_record;
        let reason = "the frame is longer than what was written";
        self.missing(self.first).err().unwrap_or_else(|| self.corrupt(self.first, first, reason))
    }

    fn corrupt(&self, offset: u64, first_record: u64, reason: &str) -> ReadError {
        ReadError::Corrupt(self.segment.corruption(offset, first_record, reason))
    }

    /// Says that the bytes of a frame at `offset` will be read soon: a hint. Of a long one the
    /// front is enough; what follows is read in order, and the processor notices that by itself.
    #[inline]
    pub fn prefetch(&self, offset: u64, len: u64) {
        let bytes = self.from(offset);
        map::prefetch(bytes.get(..to_usize(len.min(PREFETCHED_MAX))).unwrap_or(bytes));
    }

    /// The head at `offset`, checked unless it never had a checksum.
    fn decode(&self, offset: u64) -> Result<Head, HeadFault> {
        let bytes = self.from(offset);
        if matches!(self.trust, Trust::Own) {
            return Head::decode_own(bytes).ok_or(HeadFault::Cut("it is not in the tail"));
        }
        Head::decode(self.segment.seed, offset, bytes)
    }

    /// The bytes from `offset` on.
    #[inline]
    fn from(&self, offset: u64) -> &'a [u8] {
        let at = offset.checked_sub(self.start);
        at.and_then(|at| self.bytes.get(to_usize(at)..)).unwrap_or_default()
    }

    /// Walks from head to head, up to the frame that has `record`. Notes waypoints.
    pub(crate) fn walk(
        &self,
        from: Address,
        record: u64,
        checks: Checks,
    ) -> Result<Walk, ReadError> {
        // Each head says only where the next one is: without a hint, they come one by one.
        self.prefetch(from.offset, PREFETCHED_MAX);
        let mut at = from;
        loop {
            if checks == Checks::Ends
                && let Some(next) = self.step_over(at, record)
            {
                at = next;
                continue;
            }
            let Ok(head) = self.decode(at.offset) else {
                self.missing(at.offset)?;
                return Ok(Walk::GoesOn(at));
            };
            if head.first_record > record {
                let reason = "the frame is not the one that a frame before leads to";
                return Err(self.corrupt(at.offset, head.first_record, reason));
            }
            if head.kind == FrameKind::Commit {
                self.segment.note(head.first_record, at.offset);
            }
            if head.next_record() > record {
                return Ok(Walk::Found(at));
            }
            at = head.next(at);
            if at.segment != from.segment {
                return Ok(Walk::GoesOn(at));
            }
        }
    }

    /// The place after a commit that is not the one looked for, nor to be noted: unchecked.
    #[inline]
    fn step_over(&self, at: Address, record: u64) -> Option<Address> {
        let head = Head::decode_own(self.from(at.offset))?;
        let is_passed = head.kind == FrameKind::Commit && head.next_record() <= record;
        (is_passed && !self.segment.is_due(at.offset)).then(|| head.next(at))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use std::sync::Arc;

    use super::*;
    use crate::{
        format::{FRAMES_START, body_checksum},
        log::Log,
        memory::Memory,
        options::{LogOptions, ReadMode},
        reader::Pattern,
        tail::NewFrame,
    };

    /// A log of three frames, and where each begins.
    fn log(read_mode: ReadMode) -> (Log, Vec<u64>) {
        let options = LogOptions { read_mode, ..LogOptions::default() };
        let log = Log::open(Arc::new(Memory::default()), options, &mut ()).unwrap();
        let body = [7; 40];
        let body_checksum = body_checksum(&body);
        let frame = NewFrame { record_count: 1, time: 5, stamps: &[9], body: &body, body_checksum };
        let pushed = [(); 3].map(|()| log.push(&frame).unwrap());
        let offsets = pushed.iter().map(|pushed| pushed.address.offset).collect();
        for pushed in pushed {
            pushed.ticket.wait().unwrap();
        }
        (log, offsets)
    }

    /// A frame that goes on behind the end is elsewhere, unless it is what was loaded for: then, and
    /// if it is all here, something is wrong with it.
    #[test]
    fn what_is_missing_is_elsewhere_or_damaged() {
        let (log, offsets) = log(ReadMode::Pread);
        let mut reader = log.reader(Pattern::Forward);
        let address = Address { segment: 1, offset: offsets[0] };
        let stretch = reader.stretch(address).unwrap();
        let [second, third] = [1, 2].map(|index| to_usize(offsets[index] - offsets[0]));
        let body_byte = third - 1;
        let flipped = |byte: usize| {
            let mut bytes = stretch.bytes.to_vec();
            bytes[byte] ^= 1;
            bytes
        };
        let body = "the body's checksum does not match";
        let longer = "the frame is longer than what was written";
        // What is flipped, how many bytes are here, and why the second frame is not.
        for (byte, len, reason, reason_if_first) in [
            (body_byte, stretch.bytes.len(), Some(body), body),
            (body_byte, third, Some(body), body),
            (body_byte, third - 1, None, longer),
            (
                second,
                third,
                Some("the head's checksum does not match"),
                "the head's checksum does not match",
            ),
            (body_byte, second + 47, None, "fewer bytes are left than a frame has"),
            (body_byte, second, None, "fewer bytes are left than a frame has"),
        ] {
            let bytes = &flipped(byte)[..len];
            for (first, expected) in [(0, reason), (1, Some(reason_if_first))] {
                let stretch = Stretch { bytes, first: offsets[first], ..stretch };
                assert!(stretch.frame(offsets[1]).is_none());
                let found = match stretch.missing(offsets[1]) {
                    Err(ReadError::Corrupt(found)) => Some(found),
                    other => other.map(|()| None).unwrap(),
                };
                assert_eq!(found.as_ref().map(|found| found.reason.as_str()), expected, "{len}");
                assert!(found.is_none_or(|found| found.offset == offsets[1]));
            }
        }
    }

    /// What was checked from a segment's beginning on is known, up to where the last frame ends.
    #[test]
    fn a_walk_notes_how_far_it_checked() {
        let (log, offsets) = log(ReadMode::MapCheckedOnce);
        let mut reader = log.reader(Pattern::Forward);
        let address = Address { segment: 1, offset: FRAMES_START };
        let stretch = reader.stretch(address).unwrap();
        for (index, offset) in offsets.iter().enumerate() {
            assert!(!stretch.segment.is_checked(*offset), "frame {index}");
            assert!(stretch.frame(*offset).is_some());
            assert!(stretch.segment.is_checked(*offset), "frame {index}");
        }
    }
}
