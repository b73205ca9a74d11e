//! Frame after frame of one segment, and what to make of the place where they end.
//!
//! The decision table of `docs/format.md`, "Recovery", stands here row by row: [`Scan::next`]
//! says how the frames end, [`Scan::judge`] what that means in the last segment of a log.

use annals_planted::{Bug, planted};

use crate::{
    address::Address,
    format::{ALIGN, FRAMES_START, FrameKind, HEAD_LEN, Head, HeadFault, Header, Seed},
    frame::FrameView,
    num::{to_u64, to_usize},
};

/// Walks over the frames of one segment, all of whose bytes are in memory.
#[derive(Debug, Clone)]
pub(crate) struct Scan<'a> {
    bytes: &'a [u8],
    seed: Seed,
    segment: u64,
    /// Where the next frame must begin.
    pub(crate) offset: u64,
    /// The chain that it must carry.
    pub(crate) chain: u32,
    /// The record that it must begin with.
    pub(crate) next_record: u64,
    /// The length of the frame before.
    pub(crate) previous_len: u64,
    /// What the frames so far prove to be durable.
    pub(crate) durable: u64,
    /// The kind of the frame before.
    pub(crate) previous_kind: Option<FrameKind>,
}

/// Why the frames of a segment end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// A seal: nothing may follow.
    Sealed,
    /// Nothing was written from here on, as far as the next head's bytes show.
    Blank,
    /// Bytes that are no frame.
    Invalid(&'static str),
    /// A whole frame, in its place, that does not continue the one before.
    Disordered(&'static str),
    /// A whole frame of a newer version.
    Newer,
}

/// How the frames of a sealed segment end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedEnd {
    /// Behind its seal, in bytes.
    pub offset: u64,
    /// The checksum of the seal's head. Through the chain it depends on every frame before.
    pub seal: u32,
}

/// What the end of the frames means in the last segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The log ends here.
    Clean,
    /// The log ends here; what follows was never acknowledged. Zero it.
    Torn {
        /// How many bytes follow up to the last that is not zero.
        bytes: u64,
    },
    /// What follows was, or may have been, acknowledged.
    Corrupt {
        /// What is wrong.
        reason: &'static str,
        /// The first record that a later frame proves to exist.
        readable_again: Option<u64>,
    },
    /// Something follows that only a newer version knows.
    Newer,
}

impl<'a> Scan<'a> {
    /// Starts behind the header, with which `bytes` begin.
    pub(crate) fn new(bytes: &'a [u8], header: &Header) -> Self {
        Self {
            bytes,
            seed: header.seed(),
            segment: header.segment,
            offset: FRAMES_START,
            chain: Header::checksum(bytes),
            next_record: header.first_record,
            previous_len: 0,
            durable: 0,
            previous_kind: None,
        }
    }

    /// The next frame.
    ///
    /// # Errors
    /// How the frames end.
    pub(crate) fn next(&mut self) -> Result<FrameView<'a>, End> {
        if self.previous_kind == Some(FrameKind::Seal) {
            return Err(End::Sealed);
        }
        let rest = self.rest();
        let head = match Head::decode(self.seed, self.offset, rest) {
            Ok(head) => head,
            Err(HeadFault::Newer) => return Err(End::Newer),
            Err(HeadFault::Invalid(_) | HeadFault::Cut(_))
                if is_zero(rest.get(..to_usize(HEAD_LEN)).unwrap_or(rest)) =>
            {
                return Err(End::Blank);
            }
            Err(HeadFault::Invalid(reason) | HeadFault::Cut(reason)) => {
                return Err(End::Invalid(reason));
            }
        };
        let address = Address { segment: self.segment, offset: self.offset };
        let frame = FrameView::split(address, head, rest)
            .ok_or(End::Invalid("the frame is longer than what is left of the segment"))?;
        if !frame.is_body_intact() {
            return Err(End::Invalid("the body's checksum does not match"));
        }
        self.check_order(&head)?;
        self.pass(&head);
        Ok(frame)
    }

    fn check_order(&self, head: &Head) -> Result<(), End> {
        if planted(Bug::StaleFramesAccepted) {
            return Ok(());
        }
        if head.chain != self.chain || head.previous_len != self.previous_len {
            return Err(End::Disordered("the frame does not continue the one before it"));
        }
        if head.first_record != self.next_record {
            return Err(End::Disordered("the frame's first position is not the next one"));
        }
        if head.durable > self.offset || head.durable < self.durable {
            return Err(End::Disordered("the frame's durable offset is impossible"));
        }
        Ok(())
    }

    fn pass(&mut self, head: &Head) {
        self.offset += head.frame_len();
        self.chain = head.checksum;
        self.next_record = head.next_record();
        self.previous_len = head.frame_len();
        self.durable = head.durable;
        self.previous_kind = Some(head.kind);
    }

    /// The same place in a copy of the segment.
    pub(crate) fn over<'b>(&self, bytes: &'b [u8]) -> Scan<'b> {
        let Self { seed, segment, offset, chain, next_record, previous_len, durable, .. } = *self;
        let previous_kind = self.previous_kind;
        Scan {
            bytes,
            seed,
            segment,
            offset,
            chain,
            next_record,
            previous_len,
            durable,
            previous_kind,
        }
    }

    /// A later place, at which a frame stands that nothing is known before.
    pub(crate) fn resumed(&self, offset: u64, head: &Head) -> Self {
        Self {
            offset,
            chain: head.chain,
            next_record: head.first_record,
            previous_len: head.previous_len,
            durable: head.durable,
            previous_kind: None,
            ..*self
        }
    }

    /// The head of the next frame, if it is whole and continues the one before.
    pub(crate) fn head(&self) -> Option<Head> {
        let head = Head::decode(self.seed, self.offset, self.rest()).ok()?;
        self.check_order(&head).is_ok().then_some(head)
    }

    /// How many bytes the checksum of the next head covers, and how it differs from what it should
    /// be.
    pub(crate) fn head_difference(&self) -> Option<(usize, u32)> {
        Head::difference(self.seed, self.offset, self.rest())
    }

    /// What would be a head at `offset`, if it were one, and fits.
    pub(crate) fn own_head_at(&self, offset: u64) -> Option<Head> {
        let bytes = self.bytes.get(to_usize(offset)..)?;
        // A head's kind is never 0: most bytes need no checksum to be told from one.
        Head::decode_own(bytes).filter(|head| head.frame_len() <= to_u64(bytes.len()))
    }

    /// Where the segment ends.
    pub(crate) fn segment_end(&self) -> u64 {
        to_u64(self.bytes.len())
    }

    /// How many bytes follow.
    pub(crate) fn left(&self) -> u64 {
        to_u64(self.rest().len())
    }

    /// The bytes from the next frame on.
    fn rest(&self) -> &'a [u8] {
        self.bytes.get(to_usize(self.offset)..).unwrap_or_default()
    }

    /// What the end of the frames means, if this is the last segment.
    pub(crate) fn judge(&self, end: End) -> Verdict {
        let garbage = self.garbage_len();
        match end {
            End::Newer => Verdict::Newer,
            // A writer keeps room for it: the next one would write behind the segment's end.
            _ if end != End::Sealed && self.left() < HEAD_LEN => {
                let reason = "the frames leave no room for a seal";
                Verdict::Corrupt { reason, readable_again: None }
            }
            End::Disordered(reason) if self.is_left_over() => self.judge_tail(reason, garbage),
            End::Disordered(reason) => Verdict::Corrupt { reason, readable_again: None },
            End::Sealed | End::Blank if garbage == 0 => Verdict::Clean,
            End::Sealed => self.judge_tail("bytes follow the seal, where nobody writes", garbage),
            End::Blank => self.judge_tail("zeroes stand where a frame was", garbage),
            End::Invalid(reason) => self.judge_tail(reason, garbage),
        }
    }

    /// Whether the frame here is one that was never acknowledged, from before a recovery whose
    /// zeroes the disk lost although a later sync succeeded. The frame before it was written
    /// after that recovery; one that belongs here would have seen the frame before it durable,
    /// unless both are of the last group, which proves nothing anyway.
    fn is_left_over(&self) -> bool {
        let before = self.offset.saturating_sub(self.previous_len);
        let head = Head::decode(self.seed, self.offset, self.rest());
        self.previous_len > 0
            && !planted(Bug::LeftOverRefused)
            && head.is_ok_and(|head| head.chain != self.chain && head.durable <= before)
    }

    /// Whether a later frame says that this place was durable before it was written.
    fn judge_tail(&self, reason: &'static str, garbage: u64) -> Verdict {
        if planted(Bug::CutsOffDamage) {
            return Verdict::Torn { bytes: garbage };
        }
        // Checksums cost time, and bytes made on purpose can look like a head everywhere.
        let mut budget = 8 * garbage + (1 << 20);
        let places = self.offset..self.offset + garbage;
        for offset in places.step_by(to_usize(ALIGN)) {
            let Some(head) = self.plausible_head_at(offset) else { continue };
            let Some(left) = budget.checked_sub(head.stamped_len()) else {
                let reason = "what follows looks like frames in too many places to be judged";
                return Verdict::Corrupt { reason, readable_again: None };
            };
            budget = left;
            let bytes = self.bytes.get(to_usize(offset)..).unwrap_or_default();
            if let Ok(head) = Head::decode(self.seed, offset, bytes) {
                let readable_again = Some(head.first_record);
                return Verdict::Corrupt { reason, readable_again };
            }
        }
        Verdict::Torn { bytes: garbage }
    }

    /// A head at `offset` that would be proof, if its checksum were right.
    fn plausible_head_at(&self, offset: u64) -> Option<Head> {
        let bytes = self.bytes.get(to_usize(offset)..)?;
        // A head's kind is never 0: most bytes need no checksum to be told from one.
        let own = Head::decode_own(bytes)?;
        let plausible = own.first_record >= self.next_record
            && (self.offset + 1..=offset).contains(&own.durable)
            && own.frame_len() <= to_u64(bytes.len());
        plausible.then_some(own)
    }

    /// How many bytes follow up to the last that is not zero.
    pub(crate) fn garbage_len(&self) -> u64 {
        let rest = self.rest();
        // Whole blocks first: nearly all of a prepared segment is zero.
        let mut end = rest.len();
        while let Some(block) = end.checked_sub(4096).and_then(|start| rest.get(start..end)) {
            if !is_zero(block) {
                break;
            }
            end -= 4096;
        }
        let last = rest.get(..end).unwrap_or_default().iter().rposition(|byte| *byte != 0);
        last.map_or(0, |index| to_u64(index + 1))
    }
}

/// Whether every byte is zero.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    // Eight at a time: a prepared segment has millions of them.
    let (chunks, rest) = bytes.as_chunks::<32>();
    chunks.iter().all(|chunk| *chunk == [0; 32]) && rest.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use super::*;
    use crate::{
        format::{FrameHead, body_checksum, finish},
        layout::{array_at, put_at},
    };

    const HEADER: Header =
        Header { log_id: 3, segment: 1, first_record: 1, capacity: 8 << 10, chain: 0 };

    /// A segment with one frame for each durable offset, which it says; and where they begin.
    fn segment(durable: &[u64]) -> (Vec<u8>, Vec<u64>) {
        let mut bytes = vec![0; to_usize(FRAMES_START)];
        HEADER.encode(&mut bytes);
        let (mut chain, mut previous_len) = (Header::checksum(&bytes), 0);
        let mut offsets = Vec::new();
        for (first_record, durable) in (1..).zip(durable) {
            let body = [7; 16];
            let head = Head {
                kind: FrameKind::Commit,
                first_record,
                record_count: 1,
                time: 0,
                stamp_count: 1,
                body_len: 16,
                body_checksum: body_checksum(&body),
                previous_len,
                chain: 0,
                durable: 0,
                checksum: 0,
            };
            let mut frame = Vec::new();
            head.encode(&mut frame);
            frame.extend([0; 8]);
            let offset = to_u64(bytes.len());
            chain = finish(HEADER.seed(), offset, chain, *durable, &mut frame);
            frame.extend(body);
            previous_len = to_u64(frame.len());
            offsets.push(offset);
            bytes.extend(frame);
        }
        bytes.resize(to_usize(HEADER.capacity), 0);
        (bytes, offsets)
    }

    fn ends(bytes: &[u8]) -> (u64, End, Verdict) {
        let mut scan = Scan::new(bytes, &HEADER);
        let end = loop {
            if let Err(end) = scan.next() {
                break end;
            }
        };
        (scan.next_record - 1, end, scan.judge(end))
    }

    /// What a frame says was durable when it was written lies before it, and never goes back.
    #[test]
    fn a_durable_offset_is_possible_or_the_frame_is_refused() {
        let disordered = End::Disordered("the frame's durable offset is impossible");
        let second = segment(&[0, 0]).1[1];
        for (durable, frames) in [
            ([0, 0], 2),
            ([4096, 4096], 2),
            ([4096, second], 2),
            ([4096, second + 8], 1),
            ([4104, 4104], 0),
            ([4096, 4088], 1),
        ] {
            let (found, end, verdict) = ends(&segment(&durable).0);
            assert_eq!(found, frames, "{durable:?}");
            if frames == 2 {
                assert_eq!((end, verdict), (End::Blank, Verdict::Clean), "{durable:?}");
            } else {
                assert_eq!(end, disordered, "{durable:?}");
            }
        }
    }

    /// Who goes on at a later frame, of which nothing is known before, reads what is from there on.
    #[test]
    fn a_scan_that_is_resumed_goes_on_from_there() {
        let (mut bytes, offsets) = segment(&[0, 4096, 4096, 4160]);
        let [_, damaged, whole, _] = offsets[..] else { unreachable!() };
        bytes[to_usize(damaged)] ^= 1;
        let mut scan = Scan::new(&bytes, &HEADER);
        scan.next().unwrap();
        assert!(matches!(scan.clone().next(), Err(End::Invalid(_))));
        let own = scan.own_head_at(whole).unwrap();
        let mut resumed = scan.resumed(whole, &own);
        let frames: Vec<_> = std::iter::from_fn(|| resumed.next().ok()).collect();
        assert_eq!(frames.iter().map(|frame| frame.head.first_record).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(resumed.next().err(), Some(End::Blank));
        // The frames after a seal are none, unless one is resumed behind it.
        let sealed = Scan { previous_kind: Some(FrameKind::Seal), durable: 8000, ..scan };
        assert!(sealed.resumed(whole, &own).next().is_ok());
    }

    /// A commit that was acknowledged stood behind a frame of a recovery, and was cut off with what
    /// that recovery had left over: nothing else may look like it. A frame is left over if it
    /// continues another than the one before it, and had not seen that one durable.
    #[test]
    fn only_what_saw_nothing_of_the_frame_before_is_left_over() {
        let [first, second] = segment(&[0, 0]).1[..] else { unreachable!() };
        let torn = Verdict::Torn { bytes: second - first };
        for (at, is_of_another, first_record, durable, is_left_over) in [
            (second, true, 2, 0, true),
            (second, true, 9, first, true),
            (second, true, 2, first + 8, false),
            (second, false, 3, first, false),
            // Of the header before it nothing was to be seen.
            (first, true, 1, 0, false),
        ] {
            let (mut bytes, _) = segment(&[0, 0]);
            let place = to_usize(at);
            let chain = array_at(&bytes[place..], FrameHead::CHAIN);
            let chain = u32::from_le_bytes(chain) ^ u32::from(is_of_another);
            put_at(&mut bytes[place..], FrameHead::FIRST_RECORD, u64::to_le_bytes(first_record));
            finish(HEADER.seed(), at, chain, durable, &mut bytes[place..]);
            let (found, end, verdict) = ends(&bytes);
            assert_eq!(found, u64::from(at == second));
            let End::Disordered(reason) = end else { panic!("{end:?}") };
            let corrupt = Verdict::Corrupt { reason, readable_again: None };
            let expected = if is_left_over { torn } else { corrupt };
            assert_eq!(verdict, expected, "{first_record} at {at} saw {durable}");
        }
    }
}
