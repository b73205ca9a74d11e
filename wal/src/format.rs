//! The bytes of a segment. `docs/format.md` is the specification; a test below compares the two.
//!
//! A segment is a header page and then frames, each at a multiple of [`ALIGN`]. Every checksum of
//! a segment is seeded with the log's id and the segment's number, and a frame's also with its
//! offset: stale, foreign or misplaced bytes never parse.

use annals_planted::{Bug, planted};

use crate::{
    address::Address,
    layout::{array_at, layout, put_at, u16_at, u32_at, u64_at},
};

/// The format that this code writes, and the only one that it reads.
pub const FORMAT_VERSION: u32 = 1;

/// First bytes of every segment.
pub(crate) const MAGIC: [u8; 8] = *b"ANNALSEG";

/// Where the first frame of a segment begins: the header has a page of its own, which is not
/// written again when frames are.
pub(crate) const FRAMES_START: u64 = 4096;

/// Frames begin at multiples of this, and their lengths are multiples of it.
pub(crate) const ALIGN: u64 = 8;

/// The largest segment: an offset divided by [`ALIGN`] is a 32-bit number.
pub(crate) const SEGMENT_BYTES_MAX: u64 = 1 << 34;

layout! {
    /// The first bytes of a segment. The rest of its page is zero.
    SegmentHeader, 64 {
        MAGIC: 0..8,
        FORMAT_VERSION: 8..12,
        FLAGS: 12..16,
        LOG_ID: 16..32,
        SEGMENT_NUMBER: 32..40,
        FIRST_RECORD: 40..48,
        CAPACITY: 48..56,
        CHAIN: 56..60,
        CHECKSUM: 60..64,
    }
}

layout! {
    /// The first bytes of a frame; the stamps and the body follow.
    FrameHead, 48 {
        HEAD_CHECKSUM: 0..4,
        BODY_CHECKSUM: 4..8,
        BODY_LEN: 8..12,
        KIND: 12..13,
        FLAGS: 13..14,
        STAMP_COUNT: 14..16,
        FIRST_RECORD: 16..24,
        TIME: 24..32,
        RECORD_COUNT: 32..36,
        CHAIN: 36..40,
        PREVIOUS_LEN: 40..44,
        DURABLE: 44..48,
    }
}

/// The length of a frame without stamps and body.
pub(crate) const HEAD_LEN: u64 = 48;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    /// Records: one commit.
    Commit,
    /// The segment ends here.
    Seal,
    /// The log was closed here: everything before is durable.
    Close,
}

impl FrameKind {
    const fn code(self) -> u8 {
        match self {
            Self::Commit => 1,
            Self::Seal => 2,
            Self::Close => 3,
        }
    }

    #[inline]
    const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Commit),
            2 => Some(Self::Seal),
            3 => Some(Self::Close),
            _ => None,
        }
    }
}

/// What a segment's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The log's random id.
    pub log_id: u128,
    /// Which segment of the log, from 1.
    pub segment: u64,
    /// The number of the first record in it.
    pub first_record: u64,
    /// The file's size in bytes; it never changes.
    pub capacity: u64,
    /// The checksum of the seal of the segment before; 0 for the first.
    pub chain: u32,
}

/// Why bytes are not a segment's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    /// They do not begin as one.
    NoSegment,
    /// They were written by a newer version.
    Newer { version: u32 },
    /// The checksum, or something that it covers, is wrong.
    Damaged(&'static str),
}

impl Header {
    /// The header's page.
    pub(crate) fn encode(&self, page: &mut [u8]) {
        put_at(page, SegmentHeader::MAGIC, MAGIC);
        put_at(page, SegmentHeader::FORMAT_VERSION, FORMAT_VERSION.to_le_bytes());
        put_at(page, SegmentHeader::FLAGS, [0; 4]);
        put_at(page, SegmentHeader::LOG_ID, self.log_id.to_le_bytes());
        put_at(page, SegmentHeader::SEGMENT_NUMBER, self.segment.to_le_bytes());
        put_at(page, SegmentHeader::FIRST_RECORD, self.first_record.to_le_bytes());
        put_at(page, SegmentHeader::CAPACITY, self.capacity.to_le_bytes());
        put_at(page, SegmentHeader::CHAIN, self.chain.to_le_bytes());
        let checksum = Self::checksum(page);
        put_at(page, SegmentHeader::CHECKSUM, checksum.to_le_bytes());
    }

    /// The checksum of a header's page as it stands.
    pub(crate) fn checksum(page: &[u8]) -> u32 {
        crc32fast::hash(page.get(..SegmentHeader::CHECKSUM).unwrap_or_default())
    }

    /// Reads the header's page.
    pub(crate) fn decode(page: &[u8]) -> Result<Self, HeaderFault> {
        if array_at(page, SegmentHeader::MAGIC) != MAGIC {
            return Err(HeaderFault::NoSegment);
        }
        if u32_at(page, SegmentHeader::CHECKSUM) != Self::checksum(page) {
            return Err(HeaderFault::Damaged("the header's checksum does not match"));
        }
        let version = u32_at(page, SegmentHeader::FORMAT_VERSION);
        if version > FORMAT_VERSION || u32_at(page, SegmentHeader::FLAGS) != 0 {
            return Err(HeaderFault::Newer { version });
        }
        let rest = page.get(SegmentHeader::LEN..).unwrap_or_default();
        if version == 0 || rest.iter().any(|byte| *byte != 0) {
            return Err(HeaderFault::Damaged("the header's page has bytes that nobody wrote"));
        }
        Ok(Self {
            log_id: u128::from_le_bytes(array_at(page, SegmentHeader::LOG_ID)),
            segment: u64_at(page, SegmentHeader::SEGMENT_NUMBER),
            first_record: u64_at(page, SegmentHeader::FIRST_RECORD),
            capacity: u64_at(page, SegmentHeader::CAPACITY),
            chain: u32_at(page, SegmentHeader::CHAIN),
        })
    }

    /// What seeds the checksums of the segment's frames.
    pub(crate) fn seed(&self) -> Seed {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.log_id.to_le_bytes());
        hasher.update(&self.segment.to_le_bytes());
        Seed(hasher.finalize())
    }
}

/// Seeds the checksums of a segment's frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seed(u32);

impl Seed {
    /// The checksum of a frame's head with its stamps, at `offset`.
    #[inline]
    fn checksum(self, offset: u64, head_and_stamps: &[u8]) -> u32 {
        let [a, b, c, d, ..] = (offset / ALIGN).to_le_bytes();
        let mut hasher =
            crc32fast::Hasher::new_with_initial(self.0 ^ u32::from_le_bytes([a, b, c, d]));
        hasher.update(head_and_stamps.get(FrameHead::BODY_CHECKSUM..).unwrap_or_default());
        hasher.finalize()
    }
}

/// What a frame's head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// What the frame is.
    pub kind: FrameKind,
    /// The number of its first record; of the next one, if it has none.
    pub first_record: u64,
    /// How many records it has.
    pub record_count: u32,
    /// When it was put in order, in microseconds since 1970-01-01T00:00:00Z.
    pub time: i64,
    /// How many stamps follow the head, 8 bytes each.
    pub stamp_count: u16,
    /// The length of the body in bytes, a multiple of 8.
    pub body_len: u32,
    /// The checksum of the body.
    pub body_checksum: u32,
    /// The length of the frame before in this segment; 0 for the first.
    pub previous_len: u64,
    /// The head checksum of the frame before; of the header, for the first.
    pub chain: u32,
    /// Everything in this segment before this offset was durable when the frame was written.
    pub durable: u64,
    /// The checksum over the head and the stamps.
    pub checksum: u32,
}

/// Why bytes are not a frame's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeadFault {
    /// Fewer bytes than it says.
    Cut(&'static str),
    /// Not a checksum that fits.
    Invalid(&'static str),
    /// Whole, and written by a newer version.
    Newer,
}

impl Head {
    /// The length of head and stamps together.
    #[inline]
    pub(crate) fn stamped_len(&self) -> u64 {
        HEAD_LEN + 8 * u64::from(self.stamp_count)
    }

    /// The length of the whole frame in bytes.
    #[inline]
    pub fn frame_len(&self) -> u64 {
        self.stamped_len() + u64::from(self.body_len)
    }

    /// The number of the record after the frame's last.
    #[inline]
    pub fn next_record(&self) -> u64 {
        self.first_record.saturating_add(u64::from(self.record_count))
    }

    /// Where the frame after this one begins, which begins at `address`. There may be nothing yet.
    #[inline]
    pub fn next(&self, address: Address) -> Address {
        match self.kind {
            FrameKind::Seal => Address { segment: address.segment + 1, offset: FRAMES_START },
            FrameKind::Commit | FrameKind::Close => {
                Address { offset: address.offset + self.frame_len(), ..address }
            }
        }
    }

    /// Where the frame before this one begins, which begins at `address`. `None`: this is the
    /// first of its segment.
    #[inline]
    pub fn previous(&self, address: Address) -> Option<Address> {
        let offset = address.offset.saturating_sub(self.previous_len);
        (self.previous_len > 0).then_some(Address { offset, ..address })
    }

    /// Appends the head. What [`finish`] fills in later is zero.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let mut head = [0; FrameHead::LEN];
        put_at(&mut head, FrameHead::BODY_CHECKSUM, self.body_checksum.to_le_bytes());
        put_at(&mut head, FrameHead::BODY_LEN, self.body_len.to_le_bytes());
        put_at(&mut head, FrameHead::KIND, [self.kind.code()]);
        put_at(&mut head, FrameHead::STAMP_COUNT, self.stamp_count.to_le_bytes());
        put_at(&mut head, FrameHead::FIRST_RECORD, self.first_record.to_le_bytes());
        put_at(&mut head, FrameHead::TIME, self.time.to_le_bytes());
        put_at(&mut head, FrameHead::RECORD_COUNT, self.record_count.to_le_bytes());
        put_at(&mut head, FrameHead::PREVIOUS_LEN, in_units(self.previous_len).to_le_bytes());
        out.extend_from_slice(&head);
    }

    /// Reads a head that this process encoded and nobody else wrote: no checksum is looked at.
    /// `None` only if the bytes are too short.
    #[expect(clippy::inline_always, reason = "copying heads costs more than checking them")]
    #[inline(always)]
    pub(crate) fn decode_own(bytes: &[u8]) -> Option<Self> {
        let head = bytes.first_chunk::<{ FrameHead::LEN }>()?;
        Some(Self {
            kind: FrameKind::from_code(array_at::<1>(head, FrameHead::KIND)[0])?,
            first_record: u64_at(head, FrameHead::FIRST_RECORD),
            record_count: u32_at(head, FrameHead::RECORD_COUNT),
            time: i64::from_le_bytes(array_at(head, FrameHead::TIME)),
            stamp_count: u16_at(head, FrameHead::STAMP_COUNT),
            body_len: u32_at(head, FrameHead::BODY_LEN),
            body_checksum: u32_at(head, FrameHead::BODY_CHECKSUM),
            previous_len: u64::from(u32_at(head, FrameHead::PREVIOUS_LEN)) * ALIGN,
            chain: u32_at(head, FrameHead::CHAIN),
            durable: u64::from(u32_at(head, FrameHead::DURABLE)) * ALIGN,
            checksum: u32_at(head, FrameHead::HEAD_CHECKSUM),
        })
    }

    /// Reads the head at `offset` of a segment, of which `bytes` are the bytes from there on.
    #[expect(clippy::inline_always, reason = "copying heads costs more than checking them")]
    #[inline(always)]
    pub(crate) fn decode(seed: Seed, offset: u64, bytes: &[u8]) -> Result<Self, HeadFault> {
        if bytes.len() < FrameHead::LEN {
            return Err(HeadFault::Cut("fewer bytes are left than a frame has"));
        }
        let stamp_count = u16_at(bytes, FrameHead::STAMP_COUNT);
        let stamped_len = FrameHead::LEN + 8 * usize::from(stamp_count);
        let Some(stamped) = bytes.get(..stamped_len) else {
            return Err(HeadFault::Cut("the head is longer than what is left of the segment"));
        };
        let checksum = u32_at(bytes, FrameHead::HEAD_CHECKSUM);
        if checksum != seed.checksum(offset, stamped) && !planted(Bug::HeadChecksumIgnored) {
            return Err(HeadFault::Invalid("the head's checksum does not match"));
        }
        let flags = array_at::<1>(bytes, FrameHead::FLAGS);
        let head = Self::decode_own(bytes).filter(|_| flags == [0]).ok_or(HeadFault::Newer)?;
        if !head.is_plausible() {
            return Err(HeadFault::Invalid("the head contradicts itself"));
        }
        Ok(head)
    }

    /// How many bytes the head's checksum covers, and how it differs from the one in the head.
    /// `None` if there are not as many.
    pub(crate) fn difference(seed: Seed, offset: u64, bytes: &[u8]) -> Option<(usize, u32)> {
        let stamped_len = FrameHead::LEN + 8 * usize::from(u16_at(bytes, FrameHead::STAMP_COUNT));
        let stamped = bytes.get(..stamped_len)?;
        let found = u32_at(bytes, FrameHead::HEAD_CHECKSUM);
        Some((stamped_len - FrameHead::BODY_CHECKSUM, found ^ seed.checksum(offset, stamped)))
    }

    /// Whether this is what was written at `offset`, where `bytes` begin.
    #[inline]
    pub(crate) fn is_intact(&self, seed: Seed, offset: u64, bytes: &[u8]) -> bool {
        let stamped = bytes.get(..FrameHead::LEN + 8 * usize::from(self.stamp_count));
        stamped.is_some_and(|stamped| seed.checksum(offset, stamped) == self.checksum)
            && array_at::<1>(bytes, FrameHead::FLAGS) == [0]
            && self.is_plausible()
    }

    /// What holds of every head ever written, whatever its checksum says.
    #[inline]
    fn is_plausible(&self) -> bool {
        let shape = match self.kind {
            FrameKind::Commit => self.record_count > 0 && self.stamp_count > 0 && self.body_len > 0,
            FrameKind::Seal | FrameKind::Close => {
                (self.record_count, self.stamp_count, self.body_len) == (0, 0, 0)
            }
        };
        shape
            && u64::from(self.body_len).is_multiple_of(ALIGN)
            && self.first_record.checked_add(u64::from(self.record_count)).is_some()
    }
}

/// Fills in what is known only when a frame is written: the chain, how much was durable, and the
/// checksum, which is returned. `frame` begins with the frame's head and stamps.
pub(crate) fn finish(seed: Seed, offset: u64, chain: u32, durable: u64, frame: &mut [u8]) -> u32 {
    put_at(frame, FrameHead::CHAIN, chain.to_le_bytes());
    put_at(frame, FrameHead::DURABLE, in_units(durable).to_le_bytes());
    let stamps = usize::from(u16_at(frame, FrameHead::STAMP_COUNT));
    let stamped = frame.get(..FrameHead::LEN + 8 * stamps).unwrap_or_default();
    let checksum = seed.checksum(offset, stamped);
    put_at(frame, FrameHead::HEAD_CHECKSUM, checksum.to_le_bytes());
    checksum
}

/// The checksum of a body.
#[inline]
pub fn body_checksum(body: &[u8]) -> u32 {
    crc32fast::hash(body)
}

/// An offset or a length within a segment, in units of [`ALIGN`].
fn in_units(bytes: u64) -> u32 {
    u32::try_from(bytes / ALIGN).unwrap_or(u32::MAX)
}

const _: () = {
    assert!(
        FrameHead::LEN.is_multiple_of(8) && FRAMES_START.is_multiple_of(ALIGN),
        "frames are aligned"
    );
    assert!(SEGMENT_BYTES_MAX / ALIGN <= 1 << 32, "offsets in units are 32 bits");
};

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of the table below a heading of the document: name, first byte, byte after the
    /// last.
    fn rows(heading: &str) -> Vec<(String, usize, usize)> {
        let document = include_str!("../../docs/format.md");
        let section = document.split(heading).nth(1).unwrap();
        let section = section.split("\n## ").next().unwrap();
        let cells = section.lines().map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
        let row = |cells: Vec<&str>| {
            let offset: usize = cells.get(1)?.parse().ok()?;
            let size: usize = cells.get(2)?.parse().ok()?;
            Some((cells.get(3)?.to_uppercase(), offset, offset + size))
        };
        cells.filter_map(row).collect()
    }

    fn of_code(fields: &[(&str, usize, usize)]) -> Vec<(String, usize, usize)> {
        fields.iter().map(|(name, from, to)| ((*name).to_owned(), *from, *to)).collect()
    }

    /// G19: of headers and heads.
    #[test]
    fn the_document_and_the_code_agree() {
        assert_eq!(rows("## Segment header (64 bytes)"), of_code(SegmentHeader::FIELDS));
        assert_eq!(rows("## Frame head (48 bytes)"), of_code(FrameHead::FIELDS));
    }

    #[test]
    fn a_header_comes_back_and_every_flipped_bit_is_seen() {
        let header =
            Header { log_id: 7, segment: 3, first_record: 9, capacity: 8192, chain: 0xDEAD };
        let mut page = vec![0; usize::try_from(FRAMES_START).unwrap()];
        header.encode(&mut page);
        assert_eq!(Header::decode(&page), Ok(header));
        for bit in 0..page.len() * 8 {
            page[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::decode(&page).is_err(), "bit {bit}");
            page[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn a_newer_header_is_told_from_a_damaged_one() {
        let header = Header { log_id: 7, segment: 1, first_record: 1, capacity: 8192, chain: 0 };
        let mut page = vec![0; usize::try_from(FRAMES_START).unwrap()];
        header.encode(&mut page);
        page[SegmentHeader::FORMAT_VERSION] = 2;
        assert!(matches!(Header::decode(&page), Err(HeaderFault::Damaged(_))));
        let checksum = Header::checksum(&page);
        put_at(&mut page, SegmentHeader::CHECKSUM, checksum.to_le_bytes());
        assert_eq!(Header::decode(&page), Err(HeaderFault::Newer { version: 2 }));
    }

    const WHOLE: Head = Head {
        kind: FrameKind::Commit,
        first_record: 9,
        record_count: 1,
        time: 5,
        stamp_count: 1,
        body_len: 8,
        body_checksum: 0,
        previous_len: 0,
        chain: 3,
        durable: 0,
        checksum: 0,
    };

    /// A head with its stamps, and a checksum that is right at `offset`.
    fn stamped(seed: Seed, offset: u64, head: &Head, flags: u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        head.encode(&mut bytes);
        bytes.resize(bytes.len() + 8 * usize::from(head.stamp_count), 7);
        bytes[FrameHead::FLAGS] = flags;
        finish(seed, offset, head.chain, head.durable, &mut bytes);
        bytes
    }

    #[test]
    fn a_head_that_contradicts_itself_is_none_whatever_its_checksum() {
        let seed = Seed(7);
        let is_one = |head: &Head| {
            let bytes = stamped(seed, FRAMES_START, head, 0);
            let decoded = Head::decode(seed, FRAMES_START, &bytes);
            let own = Head::decode_own(&bytes).unwrap();
            assert_eq!(own.is_intact(seed, FRAMES_START, &bytes), decoded.is_ok());
            decoded.is_ok()
        };
        let end = Head { record_count: 0, stamp_count: 0, body_len: 0, ..WHOLE };
        assert!(is_one(&WHOLE));
        assert!(!is_one(&Head { record_count: 0, ..WHOLE }));
        assert!(!is_one(&Head { stamp_count: 0, ..WHOLE }));
        assert!(!is_one(&Head { body_len: 0, ..WHOLE }));
        assert!(!is_one(&Head { body_len: 12, ..WHOLE }));
        assert!(!is_one(&Head { first_record: u64::MAX, ..WHOLE }));
        assert!(!is_one(&Head { kind: FrameKind::Commit, ..end }));
        for kind in [FrameKind::Seal, FrameKind::Close] {
            assert!(is_one(&Head { kind, ..end }));
            assert!(!is_one(&Head { kind, record_count: 1, ..end }));
            assert!(!is_one(&Head { kind, stamp_count: 1, ..end }));
            assert!(!is_one(&Head { kind, body_len: 8, ..end }));
        }
    }

    #[test]
    fn a_head_with_flags_is_of_a_newer_version_and_is_not_intact() {
        let (seed, offset) = (Seed(7), FRAMES_START);
        let bytes = stamped(seed, offset, &WHOLE, 1);
        assert_eq!(Head::decode(seed, offset, &bytes), Err(HeadFault::Newer));
        assert!(!Head::decode_own(&bytes).unwrap().is_intact(seed, offset, &bytes));
    }

    #[test]
    fn a_head_is_intact_while_its_bytes_are_those_that_were_read() {
        let (seed, offset) = (Seed(7), FRAMES_START);
        let mut bytes = stamped(seed, offset, &WHOLE, 0);
        let head = Head::decode(seed, offset, &bytes).unwrap();
        assert!(head.is_intact(seed, offset, &bytes));
        for bit in FrameHead::BODY_CHECKSUM * 8..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(!head.is_intact(seed, offset, &bytes), "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn a_head_is_one_only_where_it_was_written() {
        for seed in (0..32).map(|bit| Seed(u32::MAX >> bit)) {
            let bytes = stamped(seed, FRAMES_START, &WHOLE, 0);
            assert!(Head::decode(seed, FRAMES_START, &bytes).is_ok());
            for elsewhere in (3..34).map(|bit| FRAMES_START ^ (1 << bit)) {
                assert!(Head::decode(seed, elsewhere, &bytes).is_err(), "{seed:?} {elsewhere}");
            }
        }
    }
}
