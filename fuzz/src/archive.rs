//! A directory of files in few bytes, as fuzz input: every input is one.
//!
//! File after file: kind (1 byte), first position (4, little-endian), size in pages (1), length
//! of the content (2), content. The content of a segment is its header's 64 bytes and what
//! stands from byte 4096 on; the zeroes between and behind are left out.

use std::collections::BTreeMap;

use crate::naive::crc;

const HEADER: usize = 64;
const PAGE: usize = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Segment,
    Image,
    Prepared,
    Moved,
}

pub(crate) const KINDS: [Kind; 4] = [Kind::Segment, Kind::Image, Kind::Prepared, Kind::Moved];

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    pub(crate) first: u32,
    /// The size of the file; it is larger if its content is.
    pub(crate) pages: u8,
    pub(crate) content: Vec<u8>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Archive(pub(crate) Vec<Entry>);

impl Entry {
    /// A file as it lies in a directory, if its name says what it is.
    pub(crate) fn of(name: &str, bytes: &[u8]) -> Option<Self> {
        let (digits, suffix) = name.split_at_checked(20)?;
        let kind = KINDS.into_iter().find(|kind| kind.suffix() == suffix)?;
        // Frames have lengths that are multiples of 8.
        let last = bytes.iter().rposition(|byte| *byte != 0);
        let end = last.map_or(0, |last| (last + 1).next_multiple_of(8));
        let content = match kind {
            Kind::Image => bytes.to_vec(),
            _ if end <= PAGE => bytes[..HEADER.min(bytes.len())].to_vec(),
            _ => [&bytes[..HEADER], &bytes[PAGE..end]].concat(),
        };
        let pages = u8::try_from(bytes.len().div_ceil(PAGE)).ok()?;
        Some(Self { kind, first: digits.parse().ok()?, pages, content })
    }

    pub(crate) fn name(&self) -> String {
        format!("{:020}{}", self.first, self.kind.suffix())
    }

    /// The bytes of the file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        if self.kind == Kind::Image {
            return self.content.clone();
        }
        let mut bytes = self.content[..HEADER.min(self.content.len())].to_vec();
        if let Some(frames) = self.content.get(HEADER..).filter(|frames| !frames.is_empty()) {
            bytes.resize(PAGE, 0);
            bytes.extend_from_slice(frames);
        }
        bytes.resize(bytes.len().max(usize::from(self.pages) * PAGE), 0);
        bytes
    }
}

impl Kind {
    fn suffix(self) -> &'static str {
        match self {
            Self::Segment => ".seg",
            Self::Image => ".idx",
            Self::Prepared => ".prepared",
            Self::Moved => ".seg.moved",
        }
    }
}

impl Archive {
    pub(crate) fn parse(mut input: &[u8]) -> Self {
        let mut entries = Vec::new();
        while let Some((head, rest)) = input.split_first_chunk::<8>() {
            let [kind, first @ .., pages, low, high] = *head;
            let len = usize::from(u16::from_le_bytes([low, high])).min(rest.len());
            let (content, rest) = rest.split_at(len);
            let kind = KINDS[usize::from(kind) % KINDS.len()];
            let first = u32::from_le_bytes(first);
            entries.push(Entry { kind, first, pages, content: content.to_vec() });
            input = rest;
        }
        Self(entries)
    }

    pub(crate) fn to_input(&self) -> Vec<u8> {
        let mut input = Vec::new();
        for entry in &self.0 {
            let len = entry.content.len().min(usize::from(u16::MAX));
            input.push(u8::try_from(KINDS.iter().position(|k| *k == entry.kind).unwrap()).unwrap());
            input.extend_from_slice(&entry.first.to_le_bytes());
            input.push(entry.pages);
            input.extend_from_slice(&u16::try_from(len).unwrap().to_le_bytes());
            input.extend_from_slice(&entry.content[..len]);
        }
        input
    }

    /// The files, by name; of files with the same name the last.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        self.0.iter().map(|entry| (entry.name(), entry.bytes())).collect()
    }
}

/// The header of the first segment of a log, of so many pages.
pub(crate) fn segment_header(pages: u8) -> Vec<u8> {
    let mut header = b"ANNALSEG".to_vec();
    header.extend_from_slice(&1_u64.to_le_bytes());
    header.extend_from_slice(&[7; 16]);
    header.extend_from_slice(&1_u64.to_le_bytes());
    header.extend_from_slice(&1_u64.to_le_bytes());
    header.extend_from_slice(&(u64::from(pages) * 4096).to_le_bytes());
    header.extend_from_slice(&0_u32.to_le_bytes());
    let checksum = crc(0, &header);
    header.extend_from_slice(&checksum.to_le_bytes());
    header
}
