//! Which single flipped bit explains what is wrong with a segment. A bit is found by the checksum of
//! what it lies in, and only taken if it is the only one that makes everything right: the
//! checksum, what the frame says of itself, and what the frames before and after say of it.

use std::collections::BTreeSet;

use crate::{
    format::{
        ALIGN, FRAMES_START, FrameHead, FrameKind, Head, Header, SegmentHeader, body_checksum,
    },
    frame::FrameView,
    num::{to_u64, to_usize},
    scan::{End, Scan},
    syndrome::flipped_bit,
};

/// In a larger body, other damage would look like one flipped bit too often: with 4 MiB in one case
/// of 128.
pub(crate) const BODY_BYTES_MAX: u64 = 4 << 20;

/// A bit of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bit {
    /// The byte in the file.
    pub offset: u64,
    /// The bit in the byte.
    pub mask: u8,
}

impl Bit {
    fn new(offset: u64, byte: usize, mask: u8) -> Self {
        Self { offset: offset + to_u64(byte), mask }
    }

    /// Flips it, if it is there.
    pub(crate) fn flip(self, bytes: &mut [u8]) {
        if let Some(byte) = bytes.get_mut(to_usize(self.offset)) {
            *byte ^= self.mask;
        }
    }
}

/// The only one of some bits with which the bytes are right.
fn only(
    bits: impl IntoIterator<Item = Bit>,
    bytes: &mut [u8],
    mut is_right: impl FnMut(&[u8]) -> bool,
) -> Option<Bit> {
    let mut right = bits.into_iter().filter(|bit| {
        bit.flip(bytes);
        let found = is_right(bytes);
        bit.flip(bytes);
        found
    });
    let first = right.next()?;
    right.next().is_none().then_some(first)
}

fn bits_of(offset: u64, len: usize) -> impl Iterator<Item = Bit> {
    (0..len).flat_map(move |byte| (0..8).map(move |bit| Bit::new(offset, byte, 1 << bit)))
}

/// The bits that are set among bytes that should be zero; two, if there are more.
fn set_bits(offset: u64, bytes: &[u8]) -> Vec<Bit> {
    let set = bytes.iter().enumerate().filter(|(_, byte)| **byte != 0);
    let bits = set.flat_map(|(at, byte)| {
        (0..8)
            .filter(move |bit| byte >> bit & 1 == 1)
            .map(move |bit| Bit::new(offset, at, 1 << bit))
    });
    bits.take(2).collect()
}

/// The bit that makes a header right: the checksum, its own sense, `is_right`, and the chain of the
/// first frame, where one is whole.
pub(crate) fn header_bit(bytes: &mut [u8], is_right: impl Fn(&Header) -> bool) -> Option<Bit> {
    let padding = bytes.get(SegmentHeader::LEN..to_usize(FRAMES_START))?;
    let stray = set_bits(to_u64(SegmentHeader::LEN), padding);
    only(bits_of(0, SegmentHeader::LEN).chain(stray), bytes, |bytes| {
        let page = bytes.get(..to_usize(FRAMES_START)).unwrap_or_default();
        Header::decode(page).is_ok_and(|header| {
            let first = Scan::new(bytes, &header).next();
            is_right(&header) && !matches!(first, Err(End::Disordered(_)))
        })
    })
}

/// What a frame must be, beyond what its segment says: a seal what follows it, a commit whole.
pub(crate) type IsRight<'a> = &'a dyn Fn(&FrameView<'_>) -> bool;

/// The bit that makes the frame right at which `place` stands, of a segment of these bytes.
pub(crate) fn frame_bit(place: &Scan<'_>, bytes: &mut [u8], is_right: IsRight<'_>) -> Option<Bit> {
    let is_whole = |bytes: &[u8]| {
        let mut scan = place.over(bytes);
        // A chain that does not go on behind it would be damage of another kind.
        scan.next().is_ok_and(|frame| is_right(&frame))
            && !matches!(scan.next(), Err(End::Disordered(_)))
    };
    if let Some(head) = place.over(bytes).head() {
        return only(body_bit(place.offset, &head, bytes), bytes, is_whole);
    }
    let bits = head_bits(place, bytes);
    only(bits, bytes, |bytes| {
        // The body may have a flipped bit of its own, which is found next.
        let head = place.over(bytes).head().filter(|head| head.kind == FrameKind::Commit);
        is_whole(bytes) || head.is_some_and(|head| body_bit(place.offset, &head, bytes).is_some())
    })
}

/// The bit of a body that its checksum, which is in the head, tells.
fn body_bit(offset: u64, head: &Head, bytes: &[u8]) -> Option<Bit> {
    let start = offset + head.stamped_len();
    let body = bytes.get(to_usize(start)..to_usize(offset + head.frame_len()))?;
    if u64::from(head.body_len) > BODY_BYTES_MAX {
        return None;
    }
    let (byte, mask) = flipped_bit(body.len(), head.body_checksum ^ body_checksum(body))?;
    Some(Bit::new(start, byte, mask))
}

/// The bits of a head and its stamps of which one may be flipped.
fn head_bits(place: &Scan<'_>, bytes: &[u8]) -> BTreeSet<Bit> {
    let offset = place.offset;
    // How many stamps there are says how much the checksum covers: these bits are tried.
    let mut bits: BTreeSet<Bit> = bits_of(offset + to_u64(FrameHead::STAMP_COUNT), 2).collect();
    if let Some((len, difference)) = place.over(bytes).head_difference() {
        if difference.is_power_of_two() {
            // The checksum itself.
            bits.extend(bits_of(offset, 4).nth(to_usize(difference.trailing_zeros().into())));
        }
        let covered = offset + to_u64(FrameHead::BODY_CHECKSUM);
        let found = flipped_bit(len, difference);
        bits.extend(found.map(|(byte, mask)| Bit::new(covered, byte, mask)));
    }
    bits
}

/// The only bit that is set behind `offset`, where nobody writes.
pub(crate) fn stray_bit(offset: u64, bytes: &[u8]) -> Option<Bit> {
    let stray = set_bits(offset, bytes.get(to_usize(offset)..)?);
    if let [bit] = stray[..] { Some(bit) } else { None }
}

/// The first whole frame behind a place at which none is, with the record that it begins with or a
/// later one.
pub(crate) fn next_frame<'a>(place: &Scan<'a>) -> Option<Scan<'a>> {
    // Bytes made on purpose can look like a head everywhere.
    let mut budget = 8 * place.left() + (1 << 20);
    let places = place.offset + ALIGN..place.segment_end();
    for offset in places.step_by(to_usize(ALIGN)) {
        let own = place.own_head_at(offset);
        let Some(own) = own.filter(|own| own.first_record >= place.next_record) else { continue };
        budget = budget.checked_sub(own.frame_len())?;
        let resumed = place.resumed(offset, &own);
        if resumed.clone().next().is_ok() {
            return Some(resumed);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::format::{HEAD_LEN, finish};

    const HEADER: Header =
        Header { log_id: 3, segment: 1, first_record: 1, capacity: 8 << 10, chain: 0 };

    /// A commit with this body, which may go on behind it.
    fn commit(body: &[u8]) -> Head {
        Head {
            kind: FrameKind::Commit,
            first_record: 1,
            record_count: 1,
            time: 0,
            stamp_count: 1,
            body_len: u32::try_from(body.len()).unwrap(),
            body_checksum: body_checksum(body),
            previous_len: 0,
            chain: 0,
            durable: 0,
            checksum: 0,
        }
    }

    /// In larger bodies, chance would look like a flipped bit too often.
    #[test]
    fn bodies_of_four_mebibytes_are_mended_and_no_larger_ones() {
        for (len, is_found) in [(4 << 20, true), ((4 << 20) + 8, false)] {
            let mut bytes = vec![7; to_usize(HEAD_LEN + 8) + len];
            let head = commit(&bytes[to_usize(HEAD_LEN + 8)..]);
            let flipped = Bit::new(0, bytes.len() - 1, 4);
            flipped.flip(&mut bytes);
            assert_eq!(body_bit(0, &head, &bytes), is_found.then_some(flipped), "{len} bytes");
        }
    }

    /// Bytes that were written in the body of a commit look like a frame where it ends: what stands
    /// before a place is known, and no frame begins there.
    #[test]
    fn the_next_frame_begins_behind_the_place() {
        let body = [7; 16];
        let mut frame = Vec::new();
        commit(&body).encode(&mut frame);
        frame.extend([0; 8]);
        for (offset, is_found) in
            [(FRAMES_START - 8, false), (FRAMES_START, false), (FRAMES_START + 8, true)]
        {
            finish(HEADER.seed(), offset, 0, 0, &mut frame);
            let mut bytes = vec![0; to_usize(HEADER.capacity)];
            let whole = [&frame[..], &body].concat();
            bytes[to_usize(offset)..][..whole.len()].copy_from_slice(&whole);
            let place = Scan::new(&bytes, &HEADER);
            let found = next_frame(&place).map(|found| found.offset);
            assert_eq!(found, is_found.then_some(offset));
        }
    }
}
