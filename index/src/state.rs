//! What of the index changes with each commit: heads of all streams, places of the active segment.

use annals_event::{EventId, Position, StreamVersion};

use crate::{
    names::{self, StreamNumber},
    pieces::Pieces,
    places::{SegmentPlaces, StreamPlaces},
};

/// Where a stream stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Head {
    /// How many events it has, sequenced ones included.
    pub version: StreamVersion,
    /// The position of its last event.
    pub last: Position,
    /// The number of the last segment that has events of it; 0 if none has.
    pub(crate) last_segment: u64,
    /// Where it is in that segment's places; says nothing of sealed segments.
    pub(crate) slot: u32,
}

/// A commit's place and events, for [`crate::Update::add`].
#[derive(Debug)]
pub struct CommitPlace<'a> {
    /// The number of the segment that its frame is in.
    pub segment: u64,
    /// The offset of its frame, in bytes.
    pub offset: u64,
    /// The position of its first event.
    pub first: Position,
    /// The streams it writes to.
    pub streams: &'a [StreamNumber],
}

/// What changes with each commit.
#[derive(Debug)]
pub(crate) struct State {
    /// By stream number; streams that only have a number are missing at the end.
    pub(crate) heads: Pieces<Head>,
    pub(crate) active: SegmentPlaces,
}

impl State {
    pub(crate) fn head(&self, stream: StreamNumber) -> Head {
        self.heads.get(names::index(stream)).copied().unwrap_or_default()
    }

    /// The events of a stream in the active segment, if it has any.
    pub(crate) fn in_active(&self, stream: StreamNumber) -> Option<&StreamPlaces> {
        let head = self.head(stream);
        (head.last_segment == self.active.segment).then(|| self.active.at(head.slot)).flatten()
    }

    /// Adds a commit to the active segment. `events` has, for each event in order, which of the
    /// commit's streams it belongs to and its id, if the caller gave one.
    pub(crate) fn add(
        &mut self,
        commit: &CommitPlace<'_>,
        events: impl Iterator<Item = (usize, Option<EventId>)>,
    ) {
        for (position, (stream, id)) in (commit.first.get()..).map(Position::new).zip(events) {
            let Some(stream) = commit.streams.get(stream) else { continue };
            self.add_event(*stream, position, commit.offset);
            if let Some(id) = id {
                self.active.ids.insert(id, position);
            }
        }
    }

    fn add_event(&mut self, stream: StreamNumber, position: Position, offset: u64) {
        let mut head = self.head(stream);
        if head.last_segment != self.active.segment {
            let base = head.version.get();
            let previous_segment = std::mem::replace(&mut head.last_segment, self.active.segment);
            let places = StreamPlaces { base, previous_segment, places: Pieces::default() };
            head.slot = self.active.begin(stream, places);
        }
        let place = self.active.shorten(position, offset);
        if let Some(places) = self.active.at_mut(head.slot) {
            places.places.push(place);
        }
        head.version = head.version.next();
        head.last = position;
        self.set_head(stream, head);
    }

    pub(crate) fn set_head(&mut self, stream: StreamNumber, head: Head) {
        let index = names::index(stream);
        while index >= self.heads.len() {
            self.heads.push(Head::default());
        }
        if let Some(slot) = self.heads.get_mut(index) {
            *slot = head;
        }
    }
}
