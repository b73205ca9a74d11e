//! Checksums, and what follows from one frame for the next, made right again: so that an input
//! gets past the checks that keep out nearly everything, to those behind them.

use std::collections::BTreeMap;

use crate::{
    archive::{Archive, Entry, Kind},
    naive::{Head, commit, crc, number},
};

/// How much is made right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mend {
    Nothing,
    /// Checksums.
    Checksums,
    /// And what each frame says of the one before, and each image of the last.
    Chain,
    /// And what each segment says of the one before, and its name and size.
    Segments,
    /// And the versions of the streams.
    Versions,
}

pub(crate) const MENDS: [Mend; 5] =
    [Mend::Nothing, Mend::Checksums, Mend::Chain, Mend::Segments, Mend::Versions];

/// Where the frames of a segment begin in the content of an entry, and in its file.
const CONTENT_START: usize = 64;
const FILE_START: usize = 4096;

pub(crate) fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    if let Some(target) = bytes.get_mut(at..at + N) {
        target.copy_from_slice(&value);
    }
}

/// The length of the frame that the bytes begin with, by its head; `None`: it is longer than
/// they are, or there is none.
pub(crate) fn frame_len(bytes: &[u8]) -> Option<usize> {
    let head = bytes.get(..48).filter(|head| head.iter().any(|byte| *byte != 0))?;
    let len = 48 + 8 * number(head, 14..16) + number(head, 8..12);
    usize::try_from(len).ok().filter(|len| *len <= bytes.len())
}

/// The places of the frames in the content of an entry.
pub(crate) fn frames(content: &[u8]) -> Vec<std::ops::Range<usize>> {
    let (mut frames, mut at) = (Vec::new(), CONTENT_START);
    while let Some(len) = content.get(at..).and_then(frame_len) {
        frames.push(at..at + len);
        at += len;
    }
    frames
}

/// What is known after the segments before.
#[derive(Debug, Default)]
struct Known {
    /// The first segment's log, then number, chain and next position of the segment before.
    before: Option<([u8; 16], u64, u32, u64)>,
    /// The checksum of the last head of each segment, by its first position.
    seals: BTreeMap<u32, u32>,
    versions: BTreeMap<String, u64>,
}

pub(crate) fn mend_archive(archive: &mut Archive, mend: Mend) {
    let mut known = Known::default();
    if mend >= Mend::Segments {
        archive.0.sort_by_key(|entry| entry.first);
    }
    for entry in archive.0.iter_mut().filter(|entry| entry.kind != Kind::Image) {
        mend_segment(entry, mend, &mut known);
    }
    for entry in archive.0.iter_mut().filter(|entry| entry.kind == Kind::Image) {
        let seal = known.seals.get(&entry.first).filter(|_| mend >= Mend::Chain);
        if let Some(seal) = seal {
            put(&mut entry.content, 72, seal.to_le_bytes());
        }
        mend_image(&mut entry.content, mend);
    }
}

fn mend_segment(entry: &mut Entry, mend: Mend, known: &mut Known) {
    if mend == Mend::Nothing || entry.content.len() < CONTENT_START {
        return;
    }
    let pages = entry.content.len().saturating_sub(CONTENT_START).div_ceil(FILE_START) + 1;
    let is_in_order = mend >= Mend::Segments && entry.kind != Kind::Prepared;
    if is_in_order {
        entry.pages = entry.pages.max(u8::try_from(pages).unwrap_or(u8::MAX));
        let capacity = u64::from(entry.pages) * 4096;
        let (log_id, segment, chain, first) = match known.before {
            Some((log_id, segment, chain, next)) => (log_id, segment + 1, chain, next),
            None => ([7; 16], 1, 0, 1),
        };
        entry.first = u32::try_from(first).unwrap_or(u32::MAX);
        put(&mut entry.content, 0, *b"ANNALSEG");
        put(&mut entry.content, 8, 1_u64.to_le_bytes());
        put(&mut entry.content, 16, log_id);
        put(&mut entry.content, 32, segment.to_le_bytes());
        put(&mut entry.content, 40, first.to_le_bytes());
        put(&mut entry.content, 48, capacity.to_le_bytes());
        put(&mut entry.content, 56, chain.to_le_bytes());
    }
    let checksum = crc(0, &entry.content[..60]);
    put(&mut entry.content, 60, checksum.to_le_bytes());
    let (chain, next) = mend_frames(&mut entry.content, mend, &mut known.versions);
    known.seals.insert(entry.first, chain);
    if is_in_order {
        let log_id = entry.content[16..32].try_into().unwrap();
        known.before = Some((log_id, number(&entry.content, 32..40), chain, next));
    }
}

/// Returns the last head's checksum, and the position after it.
pub(crate) fn mend_frames(
    content: &mut [u8],
    mend: Mend,
    versions: &mut BTreeMap<String, u64>,
) -> (u32, u64) {
    let (header, _) = content.split_at(CONTENT_START);
    let seed = crc(0, &header[16..40]);
    let (mut chain, mut next) = (crc(0, &header[..60]), number(header, 40..48));
    let (mut previous_len, mut durable) = (0_u64, 0_u64);
    for range in frames(content) {
        let place = u64::try_from(range.start - CONTENT_START + FILE_START).unwrap();
        let frame = &mut content[range];
        let stamped = 48 + 8 * usize::try_from(number(frame, 14..16)).unwrap();
        if mend >= Mend::Chain {
            put(frame, 16, next.to_le_bytes());
            put(frame, 36, chain.to_le_bytes());
            put(frame, 40, u32::try_from(previous_len / 8).unwrap().to_le_bytes());
            durable = (8 * number(frame, 44..48)).clamp(durable, place);
            put(frame, 44, u32::try_from(durable / 8).unwrap().to_le_bytes());
        }
        if mend >= Mend::Versions {
            mend_stamps(frame, stamped, versions);
        }
        let body = crc(0, frame.get(stamped..).unwrap_or_default());
        put(frame, 4, body.to_le_bytes());
        let units = u32::try_from(place / 8).unwrap();
        chain = crc(seed ^ units, frame.get(4..stamped).unwrap_or_default());
        put(frame, 0, chain.to_le_bytes());
        next = number(frame, 16..24).saturating_add(number(frame, 32..36));
        previous_len = u64::try_from(frame.len()).unwrap();
    }
    (chain, next)
}

/// Has a commit continue its streams where they are.
fn mend_stamps(frame: &mut [u8], stamped: usize, versions: &mut BTreeMap<String, u64>) {
    let (head, body) = frame.split_at_mut(stamped);
    let stamps = vec![0; (stamped - 48) / 8];
    let count = u32::try_from(number(head, 32..36)).unwrap();
    let decoded = Head { log_id: 0, first: 0, count, time: 0, stamps: &stamps };
    let Some((streams, events)) = commit(&decoded, body) else { return };
    for (index, (name, _)) in streams.iter().enumerate() {
        let before = versions.get(name).copied().unwrap_or_default();
        put(head, 48 + 8 * index, before.to_le_bytes());
    }
    for event in events {
        *versions.entry(event.stream).or_default() += 1;
    }
}

pub(crate) fn mend_image(content: &mut [u8], mend: Mend) {
    if mend == Mend::Nothing || content.len() < 96 {
        return;
    }
    if mend >= Mend::Chain {
        mend_counts(content);
    }
    let len = |at: usize| usize::try_from(number(content, at..at + 4)).unwrap();
    let tables = 40 * len(56) + len(60) + 20 * len(68);
    let tables = crc(0, content.get(96..96 + tables).unwrap_or_default());
    put(content, 88, tables.to_le_bytes());
    let header = crc(0, &content[..92]);
    put(content, 92, header.to_le_bytes());
}

/// Has the places fill what the tables leave.
fn mend_counts(content: &mut [u8]) {
    let len = |at: usize| usize::try_from(number(content, at..at + 4)).unwrap();
    let tables = 96 + 40 * len(56) + len(60) + 20 * len(68);
    if let Some(places) = content.len().checked_sub(tables) {
        put(content, 64, u32::try_from(places / 8).unwrap_or(u32::MAX).to_le_bytes());
    }
}
