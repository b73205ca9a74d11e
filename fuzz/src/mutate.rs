//! Mutations that know what the bytes are: fields, frames and files are changed, copied, moved
//! and dropped, bodies are left to libFuzzer, and then more or less of it is mended.

use std::{collections::BTreeMap, ops::Range};

use annals_sim::Random;

use crate::{
    archive::{Archive, Entry, KINDS, Kind, segment_header},
    mend::{MENDS, Mend, frames, mend_archive, mend_frames, mend_image, put},
};

/// libFuzzer's own mutations: of so many of the bytes, to at most so many; returns how many.
pub type Fuzzer = fn(&mut [u8], usize, usize) -> usize;

/// Offset and size of a field.
type Field = (usize, usize);

/// Of a frame's head.
const HEAD_FIELDS: [Field; 12] = [
    (0, 4),
    (4, 4),
    (8, 4),
    (12, 1),
    (13, 1),
    (14, 2),
    (16, 8),
    (24, 8),
    (32, 4),
    (36, 4),
    (40, 4),
    (44, 4),
];
/// Of a segment's header.
const HEADER_FIELDS: [Field; 9] =
    [(0, 8), (8, 4), (12, 4), (16, 16), (32, 8), (40, 8), (48, 8), (56, 4), (60, 4)];
/// Of an image's header.
const IMAGE_FIELDS: [Field; 13] = [
    (0, 8),
    (8, 4),
    (12, 4),
    (16, 16),
    (32, 8),
    (40, 8),
    (48, 8),
    (56, 4),
    (60, 4),
    (64, 4),
    (68, 4),
    (88, 4),
    (92, 4),
];

/// What libFuzzer gives a mutator, and where the result goes.
#[derive(Debug)]
pub struct Input<'a> {
    pub data: &'a mut [u8],
    pub size: usize,
    pub max_size: usize,
    pub seed: u32,
    pub fuzzer: Fuzzer,
}

impl Input<'_> {
    fn mutator(&self) -> Mutator {
        Mutator { random: Random::new(self.seed.into()), fuzzer: self.fuzzer }
    }

    fn bytes(&self) -> &[u8] {
        &self.data[..self.size]
    }

    fn put(self, bytes: &[u8]) -> usize {
        let len = bytes.len().min(self.max_size);
        self.data[..len].copy_from_slice(&bytes[..len]);
        len
    }

    fn left_to_fuzzer(self) -> usize {
        (self.fuzzer)(self.data, self.size, self.max_size)
    }
}

/// Changes the input of [`crate::store`] or [`crate::dump`]; returns its new length.
pub fn mutate_archive(input: Input<'_>) -> usize {
    let mut mutator = input.mutator();
    if mutator.one_in(32) {
        return input.left_to_fuzzer();
    }
    let mut archive = Archive::parse(input.bytes());
    for _ in 0..=mutator.pick(3) {
        if archive.0.is_empty() {
            let content = segment_header(2);
            archive.0.push(Entry { kind: Kind::Segment, first: 1, pages: 2, content });
        }
        let index = mutator.pick(archive.0.len());
        match (mutator.pick(6), archive.0[index].kind) {
            (0, _) => mutator.files(&mut archive.0),
            (_, Kind::Image) => mutator.image(&mut archive.0[index].content),
            (_, _) => mutator.segment(&mut archive.0[index].content),
        }
    }
    mend_archive(&mut archive, mutator.mend());
    input.put(&archive.to_input())
}

/// Changes the input of [`crate::frame`]; returns its new length.
pub fn mutate_frames(input: Input<'_>) -> usize {
    let mut mutator = input.mutator();
    if mutator.one_in(32) {
        return input.left_to_fuzzer();
    }
    let header = segment_header(2);
    let mut content = [header.as_slice(), input.bytes()].concat();
    for _ in 0..=mutator.pick(3) {
        mutator.segment(&mut content);
        content.resize(content.len().max(header.len()), 0);
        content[..header.len()].copy_from_slice(&header);
    }
    let mend = mutator.mend();
    if mend > Mend::Nothing {
        mend_frames(&mut content, mend, &mut BTreeMap::new());
    }
    input.put(&content[header.len()..])
}

/// Changes the input of [`crate::image`]; returns its new length.
pub fn mutate_image(input: Input<'_>) -> usize {
    let mut mutator = input.mutator();
    if mutator.one_in(32) {
        return input.left_to_fuzzer();
    }
    let mut content = input.bytes().to_vec();
    for _ in 0..=mutator.pick(3) {
        mutator.image(&mut content);
    }
    mend_image(&mut content, mutator.mend());
    input.put(&content)
}

/// Chooses what to change.
struct Mutator {
    random: Random,
    fuzzer: Fuzzer,
}

impl Mutator {
    fn pick(&mut self, count: usize) -> usize {
        usize::try_from(self.random.below(u64::try_from(count).unwrap())).unwrap()
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.pick(count) == 0
    }

    /// How much to mend: mostly everything.
    fn mend(&mut self) -> Mend {
        MENDS[self.pick(MENDS.len() + 3).min(MENDS.len() - 1)]
    }

    /// A number that is likely to matter.
    fn number(&mut self, old: u64) -> u64 {
        match self.pick(8) {
            0 => 0,
            1 => 1,
            2 => u64::MAX >> self.pick(64),
            3 => 1 << self.pick(64),
            4 => old.wrapping_add(1),
            5 => old.wrapping_sub(1),
            6 => old ^ (1 << self.pick(64)),
            _ => self.random.below(1 << 12),
        }
    }

    fn field(&mut self, bytes: &mut [u8], fields: &[Field]) {
        let (at, size) = fields[self.pick(fields.len())];
        let Some(field) = bytes.get_mut(at..at + size) else { return };
        let (mut old, len) = ([0; 8], size.min(8));
        old[..len].copy_from_slice(&field[..len]);
        let new = self.number(u64::from_le_bytes(old)).to_le_bytes();
        field[..len].copy_from_slice(&new[..len]);
    }

    /// Has libFuzzer change the bytes from a place on, which may become a few more.
    fn rest(&mut self, content: &mut Vec<u8>, start: usize) {
        let mut rest = content.split_off(start);
        let len = rest.len();
        rest.resize(len + 64, 0);
        let len = (self.fuzzer)(&mut rest, len, len + 64);
        content.extend_from_slice(&rest[..len]);
    }

    fn segment(&mut self, content: &mut Vec<u8>) {
        let all = frames(content);
        if all.is_empty() || self.one_in(16) {
            let end = all.last().map_or(content.len().min(64), |last| last.end);
            return match self.pick(4) {
                0 => self.field(content, &HEADER_FIELDS),
                1 => self.control(content, end),
                2 => content.truncate(self.pick(content.len() + 1)),
                _ => self.rest(content, end),
            };
        }
        let frame = all[self.pick(all.len())].clone();
        let other = all[self.pick(all.len())].clone();
        match self.pick(12) {
            0..3 => self.field(&mut content[frame], &HEAD_FIELDS),
            3..6 => self.body(content, frame),
            6 => self.stamps(content, &frame),
            7 => drop(content.splice(other.start..other.start, content[frame].to_vec())),
            8 => drop(content.drain(frame)),
            9 => self.control(content, frame.end),
            10 => content[frame.start..].fill(0),
            _ => self.field(content, &HEADER_FIELDS),
        }
    }

    /// Changes the body of a frame, and the length in its head.
    fn body(&mut self, content: &mut Vec<u8>, frame: Range<usize>) {
        let start = frame.start + 48 + 8 * stamps(content, &frame);
        let mut body = content[start..frame.end].to_vec();
        self.rest(&mut body, 0);
        if !self.one_in(8) {
            while body.last() == Some(&0) && !self.one_in(4) {
                body.pop();
            }
            body.resize(body.len().next_multiple_of(8), 0);
        }
        let len = u32::try_from(body.len()).unwrap();
        content.splice(start..frame.end, body);
        put(content, frame.start + 8, len.to_le_bytes());
    }

    /// Adds a stamp to a frame, or takes one away.
    fn stamps(&mut self, content: &mut Vec<u8>, frame: &Range<usize>) {
        let count = stamps(content, frame);
        let end = frame.start + 48 + 8 * count;
        let count = if self.one_in(2) || count == 0 {
            content.splice(end..end, [0; 8]);
            count + 1
        } else {
            content.drain(end - 8..end);
            count - 1
        };
        let count = u16::try_from(count).unwrap_or(u16::MAX);
        put(content, frame.start + 14, count.to_le_bytes());
    }

    /// Puts a seal or a close mark at a place.
    fn control(&mut self, content: &mut Vec<u8>, at: usize) {
        let mut head = [0; 48];
        head[12] = if self.one_in(2) { 2 } else { 3 };
        if self.one_in(2) {
            // It proves everything before to be durable, once it is mended.
            head[44..].fill(0xFF);
        }
        content.splice(at..at, head);
    }

    fn image(&mut self, content: &mut Vec<u8>) {
        match self.pick(4) {
            0 => self.field(content, &IMAGE_FIELDS),
            1 if content.len() > 96 => {
                // A number in one of the tables.
                let at = 96 + 4 * self.pick((content.len() - 96) / 4 + 1);
                self.field(content, &[(at, 4), (at, 8)]);
            }
            _ => self.rest(content, content.len().min(96)),
        }
    }

    fn files(&mut self, entries: &mut Vec<Entry>) {
        let (index, other) = (self.pick(entries.len()), self.pick(entries.len()));
        let first = |number: u64| u32::try_from(number & 0xFFFF_FFFF).unwrap();
        match self.pick(8) {
            0 => drop(entries.remove(index)),
            1 => {
                let mut copy = entries[index].clone();
                copy.first = first(self.number(copy.first.into()));
                entries.push(copy);
            }
            2 => {
                let content = entries[other].content.clone();
                entries[other].content = std::mem::replace(&mut entries[index].content, content);
            }
            3 => entries[index].kind = KINDS[self.pick(KINDS.len())],
            4 => entries[index].pages = entries[index].pages.wrapping_add(1),
            5 => entries[index].pages = entries[index].pages.saturating_sub(1),
            6 => entries[index].first = first(self.number(entries[index].first.into())),
            _ => entries.swap(index, other),
        }
    }
}

fn stamps(content: &[u8], frame: &Range<usize>) -> usize {
    usize::from(u16::from_le_bytes([content[frame.start + 14], content[frame.start + 15]]))
}
