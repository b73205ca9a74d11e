//! Where the events of one segment lie: eight bytes each, in memory until the segment's image is
//! written.

use std::{ops::Range, sync::OnceLock};

use annals_event::{EventId, Position};
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::{names::StreamNumber, pieces::Pieces};

/// Where an event lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The number of its segment.
    pub segment: u64,
    /// The offset of its frame there, in bytes.
    pub offset: u64,
    /// Its position.
    pub position: Position,
}

/// An event that was given an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identified {
    /// Its position.
    pub position: Position,
    /// The position of the first event of its segment.
    pub segment_first: Position,
}

/// Where an event lies, within its segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PlaceInSegment {
    /// Its position, counted from the segment's first.
    pub(crate) position: u32,
    /// The offset of its frame, in units of 8 bytes.
    pub(crate) offset: u32,
}

const _: () = assert!(size_of::<PlaceInSegment>() == 8, "eight bytes an event");

/// The events of one stream in one segment.
#[derive(Debug, Clone, Default)]
pub(crate) struct StreamPlaces {
    /// The stream's version before its first event here.
    pub(crate) base: u64,
    /// The segment before this one that has events of the stream; 0 if none has.
    pub(crate) previous_segment: u64,
    pub(crate) places: Pieces<PlaceInSegment>,
}

/// Where the events of one segment lie.
#[derive(Debug)]
pub struct SegmentPlaces {
    pub(crate) segment: u64,
    pub(crate) first: Position,
    /// The place of a stream here is its slot. Who adds to the segment knows it
    /// ([`crate::Head`]).
    pub(crate) streams: Pieces<(StreamNumber, StreamPlaces)>,
    /// The slots in the order of the streams' numbers, made by the first who looks for a stream
    /// when nothing is added any more.
    sorted: OnceLock<Vec<u32>>,
    pub(crate) ids: HashMap<EventId, Position, FixedState>,
}

impl SegmentPlaces {
    pub(crate) fn new(segment: u64, first: Position) -> Self {
        let (streams, ids) = (Pieces::default(), HashMap::default());
        Self { segment, first, streams, sorted: OnceLock::new(), ids }
    }

    /// The events of a stream in a segment that is sealed, if it has any.
    pub(crate) fn find(&self, stream: StreamNumber) -> Option<&StreamPlaces> {
        let number = |slot: &u32| self.streams.get(wide(*slot)).map(|(number, _)| *number);
        let sorted = self.sorted.get_or_init(|| {
            let mut slots: Vec<u32> = (0..).take(self.streams.len()).collect();
            slots.sort_unstable_by_key(number);
            slots
        });
        let found = sorted.binary_search_by_key(&Some(stream), number).ok()?;
        self.at(*sorted.get(found)?)
    }

    /// The events of the stream in this slot.
    pub(crate) fn at(&self, slot: u32) -> Option<&StreamPlaces> {
        self.streams.get(wide(slot)).map(|(_, places)| places)
    }

    /// As [`SegmentPlaces::at`], to add to.
    pub(crate) fn at_mut(&mut self, slot: u32) -> Option<&mut StreamPlaces> {
        self.streams.get_mut(wide(slot)).map(|(_, places)| places)
    }

    /// Gives a stream that has no events here yet a slot.
    pub(crate) fn begin(&mut self, stream: StreamNumber, places: StreamPlaces) -> u32 {
        let slot = u32::try_from(self.streams.len()).unwrap_or(u32::MAX);
        self.streams.push((stream, places));
        slot
    }

    /// The number of the segment.
    pub fn segment(&self) -> u64 {
        self.segment
    }

    /// How many events of a stream lie up to a position.
    pub(crate) fn count_up_to(&self, stream: &StreamPlaces, position: Position) -> u64 {
        let visible =
            |place: &PlaceInSegment| self.first.plus(u64::from(place.position)) <= position;
        u64::try_from(stream.places.partition_point(visible)).unwrap_or(u64::MAX)
    }

    /// Appends the places of a stream's events, the first being 0, to `out`.
    pub(crate) fn copy(&self, stream: &StreamPlaces, events: Range<usize>, out: &mut Vec<Place>) {
        let found = stream.places.range(events.start, events.end);
        out.extend(found.map(|place| lengthen(self.segment, self.first, *place)));
    }

    /// A place as the segment keeps it.
    pub(crate) fn shorten(&self, position: Position, offset: u64) -> PlaceInSegment {
        let position = position.get().saturating_sub(self.first.get());
        PlaceInSegment {
            position: u32::try_from(position).unwrap_or(u32::MAX),
            offset: u32::try_from(offset / 8).unwrap_or(u32::MAX),
        }
    }
}

#[expect(clippy::as_conversions, reason = "u32 to usize, which has 64 bits here")]
const fn wide(slot: u32) -> usize {
    slot as usize
}

/// A place as readers want it.
pub(crate) fn lengthen(segment: u64, first: Position, place: PlaceInSegment) -> Place {
    Place {
        segment,
        offset: u64::from(place.offset) * 8,
        position: first.plus(u64::from(place.position)),
    }
}
