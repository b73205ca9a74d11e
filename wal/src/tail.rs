//! The end of the log: where frames are put in order, and gather for the next group.
//!
//! Invariants: frames are contiguous; a frame is in `gathering`, then in `in_flight`, then in its
//! file; nobody does I/O while holding the tail. Where a frame may be seen before it is synced and
//! its segment is mapped for writing, it goes to its file at once, if nothing before it gathers.

use std::sync::Arc;

use crate::{
    address::Address,
    format::{self, FRAMES_START, FrameKind, HEAD_LEN, Head, Header},
    num::{to_u64, to_usize},
    prepare::Prepared,
    segment::Segment,
};
use annals_planted::{Bug, planted};

/// A larger buffer is not kept for the next group.
const SPARE_BYTES_MAX: usize = 4 << 20;

/// A frame to put at the end of the log.
#[derive(Debug, Clone, Copy)]
pub struct NewFrame<'a> {
    /// How many records it has, at least one.
    pub record_count: u32,
    /// When it was put in order, in microseconds since 1970-01-01T00:00:00Z.
    pub time: i64,
    /// Numbers that are only known now; at least one.
    pub stamps: &'a [u64],
    /// Its records; the length is a multiple of 8 and not 0.
    pub body: &'a [u8],
    /// The checksum of the body: [`crate::body_checksum`].
    pub body_checksum: u32,
}

impl NewFrame<'_> {
    fn stamp_count(&self) -> u16 {
        u16::try_from(self.stamps.len()).unwrap_or(u16::MAX)
    }

    fn len(&self) -> u64 {
        HEAD_LEN + 8 * u64::from(self.stamp_count()) + to_u64(self.body.len())
    }
}

/// Bytes of one segment that are written together.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) segment: Arc<Segment>,
    /// Where the first byte goes.
    pub(crate) start: u64,
    pub(crate) bytes: Vec<u8>,
    /// The name that the segment's file still has, if this part is its first.
    pub(crate) prepared_name: Option<String>,
}

/// What is written and synced together.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) number: u64,
    pub(crate) parts: Arc<Vec<Part>>,
    /// The last record in it.
    pub(crate) last_record: u64,
    /// How many frames it has, those of the log's own included.
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
}

/// The end of the log.
#[derive(Debug)]
pub(crate) struct Tail {
    /// Where the next frame goes.
    pub(crate) segment: Arc<Segment>,
    pub(crate) offset: u64,
    pub(crate) next_record: u64,
    pub(crate) previous_len: u64,
    pub(crate) previous_kind: Option<FrameKind>,
    /// The checksum of the last frame that is finished.
    pub(crate) chain: u32,
    /// Everything before is synced.
    pub(crate) durable: Address,
    /// The number of the group that gathers.
    pub(crate) group: u64,
    pub(crate) gathering: Vec<Part>,
    pub(crate) in_flight: Arc<Vec<Part>>,
    /// A buffer to use again.
    pub(crate) spare: Vec<u8>,
    /// A head with its stamps, for [`Tail::put_through`].
    pub(crate) stamped: Vec<u8>,
    pub(crate) closed: bool,
    /// Whether the next segment was asked for.
    pub(crate) has_asked: bool,
}

impl Tail {
    /// Whether the frame, and a seal behind it, still go into the segment.
    pub(crate) fn fits(&self, frame: &NewFrame<'_>) -> bool {
        self.previous_kind != Some(FrameKind::Seal)
            && self.offset + frame.len() + HEAD_LEN <= self.segment.header.capacity
    }

    /// The smallest segment that the frame goes into.
    pub(crate) fn capacity_for(frame: &NewFrame<'_>) -> u64 {
        (FRAMES_START + frame.len() + HEAD_LEN).next_multiple_of(FRAMES_START)
    }

    /// Whether it is time to prepare the next segment: when this one is half full, so that a
    /// small log takes little room; at once, when it is as large as they get. Says so once.
    pub(crate) fn wants_next(&mut self, segment_bytes: u64) -> bool {
        let capacity = self.segment.header.capacity;
        let wants = capacity >= segment_bytes || self.offset >= capacity / 2;
        wants && !std::mem::replace(&mut self.has_asked, true)
    }

    /// How much gathers for the segment at the end.
    pub(crate) fn gathered_bytes(&self) -> usize {
        self.gathering.last().map_or(0, |part| part.bytes.len())
    }

    /// Puts a frame at the end. It must fit. Says where it is, and whether it is in its file
    /// already.
    pub(crate) fn put(&mut self, frame: &NewFrame<'_>) -> (Address, bool) {
        let head = Head {
            record_count: frame.record_count,
            stamp_count: frame.stamp_count(),
            body_len: u32::try_from(frame.body.len()).unwrap_or(u32::MAX),
            body_checksum: frame.body_checksum,
            ..self.control(FrameKind::Commit, frame.time)
        };
        let address = Address { segment: self.segment.header.segment, offset: self.offset };
        let is_through = self.put_through(&head, frame.stamps, frame.body);
        if !is_through {
            self.gather(&head, frame.stamps, frame.body);
        }
        self.advance(&head);
        (address, is_through)
    }

    /// Puts a seal or a close mark at the end.
    pub(crate) fn put_control(&mut self, kind: FrameKind, time: i64) {
        let head = self.control(kind, time);
        self.gather(&head, &[], &[]);
        self.advance(&head);
    }

    /// Whether a close mark, and a seal behind it, still go into the segment.
    pub(crate) fn fits_control(&self) -> bool {
        self.offset + 2 * HEAD_LEN <= self.segment.header.capacity
    }

    fn control(&self, kind: FrameKind, time: i64) -> Head {
        Head {
            kind,
            first_record: self.next_record,
            record_count: 0,
            time,
            stamp_count: 0,
            body_len: 0,
            body_checksum: format::body_checksum(&[]),
            previous_len: self.previous_len,
            chain: 0,
            durable: 0,
            checksum: 0,
        }
    }

    /// Adds a frame to the group that gathers.
    fn gather(&mut self, head: &Head, stamps: &[u64], body: &[u8]) {
        let bytes = &mut self.part().bytes;
        encode_stamped(head, stamps, bytes);
        bytes.extend_from_slice(body);
    }

    /// Writes a frame through its segment's mapping, finished. Says whether it did: not while
    /// frames before it are on their way, nor where the segment is not mapped for writing.
    fn put_through(&mut self, head: &Head, stamps: &[u64], body: &[u8]) -> bool {
        let segment = &self.segment;
        let is_next =
            self.gathering.is_empty() && self.in_flight.is_empty() || planted(Bug::FrameOvertakes);
        let Some(map) = segment.writable_map().filter(|_| is_next) else { return false };
        self.stamped.clear();
        encode_stamped(head, stamps, &mut self.stamped);
        let durable = durable_in(segment, self.durable);
        let checksum =
            format::finish(segment.seed, self.offset, self.chain, durable, &mut self.stamped);
        if !map.write(to_usize(self.offset), &self.stamped, body) {
            return false;
        }
        segment.note(head.first_record, self.offset);
        segment.publish(self.offset + head.frame_len());
        self.chain = checksum;
        true
    }

    fn advance(&mut self, head: &Head) {
        self.offset += head.frame_len();
        self.next_record = head.next_record();
        self.previous_len = head.frame_len();
        self.previous_kind = Some(head.kind);
    }

    /// The part that gathers for the segment at the end.
    fn part(&mut self) -> &mut Part {
        let number = self.segment.header.segment;
        let is_there = self.gathering.last().is_some_and(|p| p.segment.header.segment == number);
        if !is_there {
            let part = Part {
                segment: self.segment.clone(),
                start: self.offset,
                bytes: std::mem::take(&mut self.spare),
                prepared_name: None,
            };
            self.gathering.push(part);
        }
        let last = self.gathering.len() - 1;
        #[expect(clippy::indexing_slicing, reason = "the part is there, or was just pushed")]
        &mut self.gathering[last]
    }

    /// Whether the segment has no records yet. Only right after opening: a segment that is begun
    /// gets its first frame at once.
    pub(crate) fn is_empty(&self) -> bool {
        self.next_record == self.segment.header.first_record
    }

    /// Seals the segment and goes on in a prepared one; an empty segment is replaced by it.
    pub(crate) fn roll(&mut self, prepared: Prepared, path: String, time: i64) -> Arc<Segment> {
        let before = self.segment.header;
        let mut number = before.segment + 1;
        if self.is_empty() {
            // Two segments cannot begin with the same record: they would have the same name.
            number = before.segment;
            self.chain = before.chain;
            self.gathering.clear();
            // What was durable of the file before says nothing of this one.
            self.durable = Address { segment: number, offset: 0 };
        } else if self.previous_kind != Some(FrameKind::Seal) && !planted(Bug::NoSeal) {
            self.put_control(FrameKind::Seal, time);
        }
        let header = Header {
            segment: number,
            first_record: self.next_record,
            capacity: prepared.capacity,
            // `take` fills it in, when the seal's checksum is known.
            chain: 0,
            ..before
        };
        let segment = Arc::new(Segment::new(header, path, prepared.file, prepared.map));
        self.segment = segment.clone();
        self.has_asked = false;
        self.offset = 0;
        let part = self.part();
        part.prepared_name = Some(prepared.name);
        part.bytes.resize(to_usize(FRAMES_START), 0);
        self.offset = FRAMES_START;
        self.previous_len = 0;
        self.previous_kind = None;
        segment
    }

    /// Takes the group that gathers, finished for writing; the next one gathers from now on.
    pub(crate) fn take(&mut self) -> Option<Group> {
        if self.gathering.is_empty() {
            return None;
        }
        let mut parts = std::mem::take(&mut self.gathering);
        let (mut frames, mut bytes) = (0, 0);
        for part in &mut parts {
            frames += finish(part, &mut self.chain, self.durable);
            bytes += to_u64(part.bytes.len());
        }
        self.in_flight = Arc::new(parts);
        let number = self.group;
        self.group += 1;
        let (parts, last_record) = (self.in_flight.clone(), self.next_record - 1);
        Some(Group { number, parts, last_record, frames, bytes })
    }

    /// Says that the group taken last is in its files. `durable`: everything before is synced.
    /// Returns the last record that is in order by now.
    pub(crate) fn written(&mut self, durable: Address) -> u64 {
        self.durable = durable;
        let parts = std::mem::take(&mut self.in_flight);
        let part = Arc::into_inner(parts).and_then(|mut parts| parts.pop());
        // One large commit must not take memory for ever.
        if let Some(part) = part.filter(|part| part.bytes.capacity() <= SPARE_BYTES_MAX) {
            self.spare = part.bytes;
            self.spare.clear();
        }
        self.next_record - 1
    }

    /// Copies the frame at `address` into `out`, if it is not in its file yet.
    pub(crate) fn copy_frame(&self, address: Address, out: &mut Vec<u8>) -> Option<Head> {
        let find = |part: &&Part| {
            let end = part.start + to_u64(part.bytes.len());
            part.segment.header.segment == address.segment
                && (part.start..end).contains(&address.offset)
        };
        let part = self.gathering.iter().find(find).or_else(|| self.in_flight.iter().find(find))?;
        let bytes = part.bytes.get(to_usize(address.offset - part.start)..)?;
        let head = Head::decode_own(bytes)?;
        out.clear();
        out.extend_from_slice(bytes.get(..to_usize(head.frame_len()))?);
        Some(head)
    }
}

/// Appends a head and its stamps.
fn encode_stamped(head: &Head, stamps: &[u64], out: &mut Vec<u8>) {
    head.encode(out);
    for stamp in stamps {
        out.extend_from_slice(&stamp.to_le_bytes());
    }
}

/// How much of a segment is synced.
fn durable_in(segment: &Segment, durable: Address) -> u64 {
    if durable.segment == segment.header.segment { durable.offset } else { 0 }
}

/// Finishes all frames of a part, and the header if the part has it, and continues the chain;
/// returns how many frames there were.
fn finish(part: &mut Part, chain: &mut u32, durable: Address) -> u64 {
    let segment = &part.segment;
    // A segment that begins here may have the number of the empty one that it replaces.
    let durable = if part.prepared_name.is_some() { 0 } else { durable_in(segment, durable) };
    let (mut at, mut frames) = (0, 0);
    if part.prepared_name.is_some() {
        at = to_usize(FRAMES_START);
        let page = part.bytes.get_mut(..at).unwrap_or_default();
        Header { chain: *chain, ..segment.header }.encode(page);
        *chain = Header::checksum(page);
    }
    while let Some(frame) = part.bytes.get_mut(at..).filter(|rest| !rest.is_empty()) {
        let Some(head) = Head::decode_own(frame) else { break };
        let offset = part.start + to_u64(at);
        let durable = if planted(Bug::ProofTooEarly) { offset } else { durable };
        *chain = format::finish(segment.seed, offset, *chain, durable, frame);
        segment.note(head.first_record, offset);
        at += to_usize(head.frame_len());
        frames += 1;
    }
    frames
}
