//! The image of a sealed segment: its streams with the places of their events, sorted for
//! searching, as bytes. `docs/format.md`, "Index image".
//!
//! An image is derived: whoever cannot use it makes it again from the segment. Its tables have a
//! checksum; its places are checked when used, against the frame that they lead to.

use std::{fmt, ops::Range};

use annals_event::{EventId, Position, StreamId};

use crate::{
    ids::{self, Changed, Ids},
    places::{Identified, Place, PlaceInSegment, SegmentPlaces, StreamPlaces, lengthen},
};

/// First bytes of every image.
const MAGIC: [u8; 8] = *b"ANNALIDX";
/// The version that this code writes, and the only one that it reads.
const VERSION: u32 = 1;

/// Where the header's fields begin; `docs/format.md` has the same table.
mod header {
    pub(super) const MAGIC: usize = 0;
    pub(super) const VERSION: usize = 8;
    pub(super) const FLAGS: usize = 12;
    pub(super) const LOG_ID: usize = 16;
    pub(super) const SEGMENT_NUMBER: usize = 32;
    pub(super) const FIRST_POSITION: usize = 40;
    pub(super) const SEGMENT_END: usize = 48;
    pub(super) const STREAM_COUNT: usize = 56;
    pub(super) const NAMES_LEN: usize = 60;
    pub(super) const PLACE_COUNT: usize = 64;
    pub(super) const ID_COUNT: usize = 68;
    pub(super) const SEAL: usize = 72;
    pub(super) const RESERVED: usize = 76;
    pub(super) const TABLES_CHECKSUM: usize = 88;
    pub(super) const HEADER_CHECKSUM: usize = 92;
    pub(super) const LEN: usize = 96;
}

/// Where the fields of a row of the streams table begin.
mod row {
    pub(super) const NAME_START: usize = 0;
    pub(super) const NAME_LEN: usize = 4;
    pub(super) const BASE: usize = 8;
    pub(super) const PREVIOUS_SEGMENT: usize = 16;
    pub(super) const LAST_POSITION: usize = 24;
    pub(super) const PLACES_START: usize = 32;
    pub(super) const COUNT: usize = 36;
    pub(super) const LEN: usize = 40;
}

/// A row of the places table.
const PLACE_LEN: usize = 8;

/// Bytes that stay as they are: a mapped file, or a copy of it.
pub trait ImageBytes: AsRef<[u8]> + Send + Sync + fmt::Debug {}

impl<T: AsRef<[u8]> + Send + Sync + fmt::Debug> ImageBytes for T {}

/// Which segment an image must be of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageSource {
    /// The log's id.
    pub log_id: u128,
    /// The segment's number.
    pub segment: u64,
    /// The position of its first event.
    pub first: Position,
}

/// Why bytes are not the image of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageFault(pub &'static str);

/// The image of a sealed segment, for searching.
#[derive(Debug)]
pub struct Image {
    bytes: Box<dyn ImageBytes>,
    source: ImageSource,
    segment_end: u64,
    seal: u32,
    tables_checksum: u32,
    rows: Range<usize>,
    names: Range<usize>,
    places: Range<usize>,
    ids: Range<usize>,
    known_ids: Ids,
}

/// A stream in an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageEntry {
    /// Its name.
    pub name: StreamId,
    /// Its version before its first event in the segment.
    pub base: u64,
    /// How many events of it the segment has.
    pub count: u64,
    /// The segment before this one that has events of it; 0 if none has.
    pub previous_segment: u64,
    /// The position of its last event in the segment.
    pub last: Position,
}

/// The events of one stream in an image.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ImageRun {
    /// The stream's version before its first event in the segment.
    pub(crate) base: u64,
    pub(crate) count: u64,
    /// The segment before this one that has events of it; 0 if none has.
    pub(crate) previous_segment: u64,
    /// Its first row in the places table.
    start: usize,
}

/// A row of the streams table.
#[derive(Debug, Clone, Copy)]
struct Row<'a> {
    name: &'a [u8],
    base: u64,
    previous_segment: u64,
    last: u64,
    places_start: usize,
    count: usize,
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or([0; N])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

fn len_at(bytes: &[u8], at: usize) -> usize {
    usize::try_from(u32_at(bytes, at)).unwrap_or(usize::MAX)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, at))
}

impl Image {
    /// Reads an image: its header and its tables, not its places.
    ///
    /// # Errors
    /// The bytes are not the image of that segment.
    pub fn open(bytes: Box<dyn ImageBytes>, source: ImageSource) -> Result<Self, ImageFault> {
        let all = (*bytes).as_ref();
        let head = all.get(..header::LEN).ok_or(ImageFault("it is too short"))?;
        if array_at(head, header::MAGIC) != MAGIC || u32_at(head, header::VERSION) != VERSION {
            return Err(ImageFault("it is no image of this version"));
        }
        let covered = head.get(..header::HEADER_CHECKSUM).unwrap_or_default();
        if u32_at(head, header::HEADER_CHECKSUM) != crc32fast::hash(covered) {
            return Err(ImageFault("the header's checksum does not match"));
        }
        let found = ImageSource {
            log_id: u128::from_le_bytes(array_at(head, header::LOG_ID)),
            segment: u64_at(head, header::SEGMENT_NUMBER),
            first: Position::new(u64_at(head, header::FIRST_POSITION)),
        };
        if found != source || u32_at(head, header::FLAGS) != 0 {
            return Err(ImageFault("it is of another segment"));
        }
        let rows = section(header::LEN, len_at(head, header::STREAM_COUNT), row::LEN)?;
        let names = section(rows.end, len_at(head, header::NAMES_LEN), 1)?;
        let ids = section(names.end, len_at(head, header::ID_COUNT), ids::ROW_LEN)?;
        let places = section(ids.end, len_at(head, header::PLACE_COUNT), PLACE_LEN)?;
        let tables = all.get(rows.start..ids.end).filter(|_| places.end == all.len());
        let tables = tables.ok_or(ImageFault("its length is not what its header says"))?;
        // Before the checksum: what changes in between does not match it.
        let known_ids = Ids::of(all.get(ids.clone()).unwrap_or_default());
        let tables_checksum = u32_at(head, header::TABLES_CHECKSUM);
        if tables_checksum != crc32fast::hash(tables) {
            return Err(ImageFault("the tables' checksum does not match"));
        }
        let segment_end = u64_at(head, header::SEGMENT_END);
        let seal = u32_at(head, header::SEAL);
        Ok(Self {
            bytes,
            source,
            segment_end,
            seal,
            tables_checksum,
            rows,
            names,
            places,
            ids,
            known_ids,
        })
    }

    /// Whether its tables are what they were when the image was opened.
    pub(crate) fn is_unchanged(&self) -> bool {
        crc32fast::hash(self.bytes(&(self.rows.start..self.ids.end))) == self.tables_checksum
    }

    /// The number of the segment.
    pub fn segment(&self) -> u64 {
        self.source.segment
    }

    /// The position of the segment's first event.
    pub(crate) fn first(&self) -> Position {
        self.source.first
    }

    /// The position after the segment's last event: every event has one place.
    pub(crate) fn next_position(&self) -> Position {
        self.source.first.plus(self.event_count())
    }

    /// How many events the segment has.
    pub(crate) fn event_count(&self) -> u64 {
        u64::try_from(self.places.len() / PLACE_LEN).unwrap_or(u64::MAX)
    }

    /// Where the frames of the segment end, in bytes.
    pub fn segment_end(&self) -> u64 {
        self.segment_end
    }

    /// The checksum of the segment's seal: an image is only of frames that are chained to it.
    pub fn seal(&self) -> u32 {
        self.seal
    }

    fn bytes(&self, section: &Range<usize>) -> &[u8] {
        (*self.bytes).as_ref().get(section.clone()).unwrap_or_default()
    }

    fn row(&self, index: usize) -> Option<Row<'_>> {
        let row = self.bytes(&self.rows).get(index * row::LEN..)?.get(..row::LEN)?;
        let name_start = len_at(row, row::NAME_START);
        let name_end = name_start.checked_add(len_at(row, row::NAME_LEN))?;
        Some(Row {
            name: self.bytes(&self.names).get(name_start..name_end)?,
            base: u64_at(row, row::BASE),
            previous_segment: u64_at(row, row::PREVIOUS_SEGMENT),
            last: u64_at(row, row::LAST_POSITION),
            places_start: len_at(row, row::PLACES_START),
            count: len_at(row, row::COUNT),
        })
    }

    fn find_row(&self, name: &str) -> Option<Row<'_>> {
        let (mut low, mut high) = (0, self.rows.len() / row::LEN);
        while low < high {
            let middle = low.midpoint(high);
            let row = self.row(middle)?;
            match row.name.cmp(name.as_bytes()) {
                std::cmp::Ordering::Equal => return Some(row),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// The events of the stream of that name, if the segment has some.
    pub(crate) fn find(&self, name: &str) -> Option<ImageRun> {
        let row = self.find_row(name)?;
        Some(ImageRun {
            base: row.base,
            count: u64::try_from(row.count).ok()?,
            previous_segment: row.previous_segment,
            start: row.places_start,
        })
    }

    /// Every stream that the segment has events of, by name.
    pub fn entries(&self) -> impl Iterator<Item = ImageEntry> {
        let count = self.rows.len() / row::LEN;
        (0..count).filter_map(|index| self.row(index).and_then(entry))
    }

    /// Appends the places of a stream's events, the first being 0, to `out`.
    pub fn places(&self, name: &str, events: Range<usize>, out: &mut Vec<Place>) {
        if let Some(run) = self.find(name) {
            self.places_of(&run, events, out);
        }
    }

    /// As [`Image::places`], of a stream that was found before.
    pub(crate) fn places_of(&self, run: &ImageRun, events: Range<usize>, out: &mut Vec<Place>) {
        let end = events.end.min(usize::try_from(run.count).unwrap_or(usize::MAX));
        let start = run.start.saturating_add(events.start.min(end));
        let bytes = self.bytes(&self.places);
        let (places, _) = bytes.as_chunks::<PLACE_LEN>();
        let found = places.get(start..run.start.saturating_add(end)).unwrap_or_default();
        out.extend(found.iter().map(|place| {
            let place = PlaceInSegment { position: u32_at(place, 0), offset: u32_at(place, 4) };
            lengthen(self.source.segment, self.source.first, place)
        }));
    }

    /// Every id that an event of the segment was given, sorted, with the event's position.
    pub fn ids(&self) -> impl Iterator<Item = (EventId, Position)> {
        let rows = ids::rows(self.bytes(&self.ids));
        rows.map(|(id, ahead)| (id, self.source.first.plus(u64::from(ahead))))
    }

    /// The event that was given this id.
    pub(crate) fn find_id(&self, id: &EventId) -> Result<Option<Identified>, Changed> {
        let segment_first = self.source.first;
        let found = self.known_ids.find(self.bytes(&self.ids), id)?;
        let position = found.map(|ahead| segment_first.plus(u64::from(ahead)));
        Ok(position.map(|position| Identified { position, segment_first }))
    }
}

/// A section of `count` items of `size` bytes each.
fn section(start: usize, count: usize, size: usize) -> Result<Range<usize>, ImageFault> {
    let len = count.checked_mul(size).and_then(|len| start.checked_add(len));
    len.map(|end| start..end).ok_or(ImageFault("it is longer than memory"))
}

fn entry(row: Row<'_>) -> Option<ImageEntry> {
    Some(ImageEntry {
        name: StreamId::new(str::from_utf8(row.name).ok()?).ok()?,
        base: row.base,
        count: u64::try_from(row.count).ok()?,
        previous_segment: row.previous_segment,
        last: Position::new(row.last),
    })
}

fn put_len(out: &mut Vec<u8>, len: usize) {
    out.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
}

/// The bytes of an image.
pub(crate) fn encode(
    segment: &SegmentPlaces,
    mut streams: Vec<(StreamId, &StreamPlaces)>,
    log_id: u128,
    (segment_end, seal): (u64, u32),
) -> Vec<u8> {
    streams.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    let (mut rows, mut names, mut places) = (Vec::new(), Vec::new(), Vec::new());
    for (name, stream) in &streams {
        let last = stream.places.last().map_or(0, |place| u64::from(place.position));
        put_len(&mut rows, names.len());
        put_len(&mut rows, name.as_str().len());
        rows.extend_from_slice(&stream.base.to_le_bytes());
        rows.extend_from_slice(&stream.previous_segment.to_le_bytes());
        rows.extend_from_slice(&segment.first.plus(last).get().to_le_bytes());
        put_len(&mut rows, places.len() / PLACE_LEN);
        put_len(&mut rows, stream.places.len());
        names.extend_from_slice(name.as_str().as_bytes());
        for place in stream.places.iter() {
            places.extend_from_slice(&place.position.to_le_bytes());
            places.extend_from_slice(&place.offset.to_le_bytes());
        }
    }
    let ids = ids::encode(segment);
    let mut out = vec![0; header::LEN];
    for table in [&rows, &names, &ids] {
        out.extend_from_slice(table);
    }
    let tables_checksum = crc32fast::hash(out.get(header::LEN..).unwrap_or_default());
    out.extend_from_slice(&places);
    let counts = [streams.len(), names.len(), places.len() / PLACE_LEN, ids.len() / ids::ROW_LEN];
    let head = encode_header(segment, log_id, (segment_end, seal), counts, tables_checksum);
    if let Some(target) = out.first_chunk_mut() {
        *target = head;
    }
    out
}

fn encode_header(
    segment: &SegmentPlaces,
    log_id: u128,
    (segment_end, seal): (u64, u32),
    counts: [usize; 4],
    tables_checksum: u32,
) -> [u8; header::LEN] {
    let mut out = Vec::with_capacity(header::LEN);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&log_id.to_le_bytes());
    out.extend_from_slice(&segment.segment.to_le_bytes());
    out.extend_from_slice(&segment.first.get().to_le_bytes());
    out.extend_from_slice(&segment_end.to_le_bytes());
    for count in counts {
        put_len(&mut out, count);
    }
    out.extend_from_slice(&seal.to_le_bytes());
    out.resize(header::TABLES_CHECKSUM, 0);
    out.extend_from_slice(&tables_checksum.to_le_bytes());
    let checksum = crc32fast::hash(&out);
    out.extend_from_slice(&checksum.to_le_bytes());
    out.first_chunk().copied().unwrap_or([0; header::LEN])
}

const _: () = assert!(header::RESERVED + 12 == header::TABLES_CHECKSUM, "12 bytes are reserved");

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of the table below a heading of the document: offset, size, name.
    fn rows(heading: &str) -> Vec<(usize, usize, String)> {
        let document = include_str!("../../docs/format.md");
        let section = document.split(heading).nth(1).unwrap();
        let section = section.split("\n## ").next().unwrap();
        let cells = section.lines().map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
        let row = |cells: Vec<&str>| {
            let offset = cells.get(1)?.parse().ok()?;
            Some((offset, cells.get(2)?.parse().ok()?, (*cells.get(3)?).to_owned()))
        };
        cells.filter_map(row).collect()
    }

    fn check(heading: &str, fields: &[(&str, usize)], len: usize) {
        let rows = rows(heading);
        let names: Vec<_> = rows.iter().map(|(at, _, name)| (name.as_str(), *at)).collect();
        assert_eq!(names, fields);
        let mut end = 0;
        for (offset, size, name) in &rows {
            assert_eq!(*offset, end, "{name}: a hole or an overlap");
            end += size;
        }
        assert_eq!(end, len);
    }

    /// G19: of images.
    #[test]
    fn the_document_and_the_code_agree() {
        let header = [
            ("magic", header::MAGIC),
            ("version", header::VERSION),
            ("flags", header::FLAGS),
            ("log_id", header::LOG_ID),
            ("segment_number", header::SEGMENT_NUMBER),
            ("first_position", header::FIRST_POSITION),
            ("segment_end", header::SEGMENT_END),
            ("stream_count", header::STREAM_COUNT),
            ("names_len", header::NAMES_LEN),
            ("place_count", header::PLACE_COUNT),
            ("id_count", header::ID_COUNT),
            ("seal", header::SEAL),
            ("reserved", header::RESERVED),
            ("tables_checksum", header::TABLES_CHECKSUM),
            ("header_checksum", header::HEADER_CHECKSUM),
        ];
        check("## Index image header (96 bytes)", &header, header::LEN);
        let row = [
            ("name_start", row::NAME_START),
            ("name_len", row::NAME_LEN),
            ("base", row::BASE),
            ("previous_segment", row::PREVIOUS_SEGMENT),
            ("last_position", row::LAST_POSITION),
            ("places_start", row::PLACES_START),
            ("count", row::COUNT),
        ];
        check("## Streams table row (40 bytes)", &row, row::LEN);
    }
}
