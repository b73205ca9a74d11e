//! Segments and frames.

use std::ops::Range;

/// A number of up to 8 bytes, little-endian; missing bytes are zero.
pub(crate) fn number(bytes: &[u8], range: Range<usize>) -> u64 {
    let bytes = bytes.get(range).unwrap_or_default();
    bytes.iter().rev().fold(0, |high, byte| high << 8 | u64::from(*byte))
}

fn small(bytes: &[u8], range: Range<usize>) -> u32 {
    u32::try_from(number(bytes, range)).unwrap()
}

fn len(number: u64) -> usize {
    usize::try_from(number).unwrap()
}

/// CRC of a byte, by table.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "below 256")]
        let mut crc = index as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
};

/// CRC-32, seeded.
pub(crate) fn crc(seed: u32, bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| crc >> 8 ^ TABLE[usize::from(crc.to_le_bytes()[0] ^ byte)];
    !bytes.iter().fold(!seed, step)
}

/// What a segment's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) log_id: u128,
    pub(crate) segment: u64,
    pub(crate) first: u64,
    pub(crate) capacity: u64,
    pub(crate) chain: u32,
    pub(crate) checksum: u32,
    /// What the checksums of its frames begin with.
    seed: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    Damaged,
    Newer,
}

/// Rule 1 of "Segment header".
pub(crate) fn header(segment: &[u8]) -> Result<Header, HeaderFault> {
    let page = segment.get(..4096).ok_or(HeaderFault::Damaged)?;
    let checksum = small(page, 60..64);
    if &page[..8] != b"ANNALSEG" || checksum != crc(0, &page[..60]) {
        return Err(HeaderFault::Damaged);
    }
    if small(page, 8..12) > 1 || small(page, 12..16) != 0 {
        return Err(HeaderFault::Newer);
    }
    if small(page, 8..12) != 1 || page[64..].iter().any(|byte| *byte != 0) {
        return Err(HeaderFault::Damaged);
    }
    Ok(Header {
        log_id: u128::from_le_bytes(page[16..32].try_into().unwrap()),
        segment: number(page, 32..40),
        first: number(page, 40..48),
        capacity: number(page, 48..56),
        chain: small(page, 56..60),
        checksum,
        seed: crc(0, &page[16..40]),
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameKind {
    Commit,
    Seal,
    Close,
}

/// A frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) bytes: Range<usize>,
    pub(crate) kind: FrameKind,
    pub(crate) first: u64,
    pub(crate) count: u32,
    pub(crate) time: i64,
    pub(crate) chain: u32,
    pub(crate) previous_len: u64,
    pub(crate) durable: u64,
    pub(crate) checksum: u32,
    pub(crate) stamps: Vec<u64>,
    pub(crate) body: Range<usize>,
}

/// What stands at a place of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A frame whose checksums match and that says nothing impossible.
    Frame(Frame),
    /// A whole head of an unknown kind or flag.
    Newer,
    /// As [`Place::Frame`], but the body is damaged or does not end in the segment.
    Bodiless(Frame),
    Invalid,
}

impl Header {
    /// What stands at an offset, by rules 1 to 3 of "Frame head".
    pub(crate) fn place(&self, segment: &[u8], offset: usize) -> Place {
        let Some(rest) = segment.get(offset..).filter(|rest| rest.len() >= 48) else {
            return Place::Invalid;
        };
        let units = u32::try_from(u64::try_from(offset / 8).unwrap() & 0xFFFF_FFFF).unwrap();
        let stamped = 48 + 8 * len(number(rest, 14..16));
        let Some(covered) = rest.get(4..stamped) else { return Place::Invalid };
        if crc(self.seed ^ units, covered) != small(rest, 0..4) {
            return Place::Invalid;
        }
        let kind = match rest[12] {
            1 => FrameKind::Commit,
            2 => FrameKind::Seal,
            3 => FrameKind::Close,
            _ => return Place::Newer,
        };
        if rest[13] != 0 {
            return Place::Newer;
        }
        let body = stamped..stamped + len(number(rest, 8..12));
        let frame = Frame {
            bytes: offset..offset + body.end,
            kind,
            first: number(rest, 16..24),
            count: small(rest, 32..36),
            time: i64::from_le_bytes(rest[24..32].try_into().unwrap()),
            chain: small(rest, 36..40),
            previous_len: 8 * number(rest, 40..44),
            durable: 8 * number(rest, 44..48),
            checksum: small(rest, 0..4),
            stamps: (48..stamped).step_by(8).map(|at| number(rest, at..at + 8)).collect(),
            body: offset + body.start..offset + body.end,
        };
        if !frame.is_possible() {
            return Place::Invalid;
        }
        match rest.get(body) {
            Some(body) if crc(0, body) == small(rest, 4..8) => Place::Frame(frame),
            _ => Place::Bodiless(frame),
        }
    }
}

impl Frame {
    fn is_possible(&self) -> bool {
        let has_something = [self.count > 0, !self.stamps.is_empty(), !self.body.is_empty()];
        let expected = self.kind == FrameKind::Commit;
        has_something == [expected; 3]
            && self.body.len().is_multiple_of(8)
            && self.first.checked_add(self.count.into()).is_some()
    }

    /// The position after its last event.
    pub(crate) fn next(&self) -> u64 {
        self.first + u64::from(self.count)
    }
}

/// What the end of the frames means in the last segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Clean,
    Torn,
    Corrupt,
    Newer,
}

/// The frames of a segment.
#[derive(Debug, Clone)]
pub(crate) struct Frames {
    pub(crate) all: Vec<Frame>,
    /// Where they end, and with which position the log goes on.
    pub(crate) end: usize,
    pub(crate) next: u64,
    /// The head checksum of the last one; of the header, if there is none.
    pub(crate) chain: u32,
    pub(crate) is_sealed: bool,
    /// What this end means, if the segment is the log's last.
    pub(crate) verdict: Verdict,
}

/// Rule 4 of "Frame head", frame after frame, and the table of "Recovery".
pub(crate) fn frames(segment: &[u8], header: &Header) -> Frames {
    let (mut frames, mut end): (Vec<Frame>, _) = (Vec::new(), 4096);
    let (mut chain, mut next, mut previous_len, mut durable) =
        (header.checksum, header.first, 0, 0);
    let (mut is_sealed, mut is_newer, mut disordered) = (false, false, None);
    while !is_sealed {
        match header.place(segment, end) {
            Place::Frame(frame) => {
                let limit = u64::try_from(end).unwrap();
                let continues = frame.chain == chain
                    && frame.previous_len == previous_len
                    && frame.first == next
                    && (durable..=limit).contains(&frame.durable);
                if !continues {
                    disordered = Some(frame);
                    break;
                }
                is_sealed = frame.kind == FrameKind::Seal;
                (end, chain, next) = (frame.bytes.end, frame.checksum, frame.next());
                (previous_len, durable) =
                    (u64::try_from(frame.bytes.len()).unwrap(), frame.durable);
                frames.push(frame);
            }
            Place::Newer => {
                is_newer = true;
                break;
            }
            Place::Bodiless(_) | Place::Invalid => break,
        }
    }
    let rest = segment.get(end..).unwrap_or_default();
    // R3 and R4: whether a later frame says that this place was durable.
    let place = u64::try_from(end).unwrap();
    let is_witness = |at: usize| {
        let durable = 8 * number(segment, at + 44..at + 48);
        let is_before = (place + 1..=u64::try_from(at).unwrap()).contains(&durable);
        // Only then its checksum is computed: this is done at every place.
        is_before
            && match header.place(segment, at) {
                Place::Frame(frame) | Place::Bodiless(frame) => {
                    frame.first >= next && frame.bytes.end <= segment.len()
                }
                Place::Newer | Place::Invalid => false,
            }
    };
    let is_proven = || (end + 8..segment.len()).step_by(8).any(is_witness);
    // R5: a frame from before a recovery whose zeroes were lost.
    let is_left_over = |frame: &Frame| {
        previous_len > 0 && frame.chain != chain && frame.durable <= place - previous_len
    };
    let verdict = if is_newer {
        Verdict::Newer
    } else if !is_sealed && rest.len() < 48 {
        // Whoever writes keeps room for a seal.
        Verdict::Corrupt
    } else if rest.iter().all(|byte| *byte == 0) {
        Verdict::Clean
    } else if disordered.is_some_and(|frame| !is_left_over(&frame)) || is_proven() {
        Verdict::Corrupt
    } else {
        Verdict::Torn
    };
    Frames { all: frames, end, next, chain, is_sealed, verdict }
}
