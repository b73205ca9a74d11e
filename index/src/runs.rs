//! The events of a stream, segment by segment, as readers want them.
//!
//! Images are looked at without a lock: they may have to come from the disk.

use std::{
    ops::{Range, RangeInclusive},
    sync::Arc,
};

use annals_event::{Position, StreamVersion};
use annals_planted::{Bug, planted};

use crate::{
    image::{Image, ImageRun},
    index::{Index, Sealed},
    names::StreamNumber,
    places::{Place, SegmentPlaces, StreamPlaces},
};

/// The events of a stream in one segment: versions `base + 1` to `base + count`.
#[derive(Debug, Clone)]
pub struct Run {
    /// The number of the segment.
    pub segment: u64,
    /// The stream's version before its first event there.
    pub base: StreamVersion,
    /// How many events it has there.
    pub count: u64,
    /// The position of the segment's first event.
    first: Position,
    /// The segment before that has events of the stream; 0 if none has.
    previous: u64,
    source: Source,
}

/// Where the places of a run are kept.
#[derive(Debug, Clone)]
enum Source {
    /// With the active segment's, or with a sealed one's that was active when the run was found.
    Active,
    Memory(Arc<SegmentPlaces>),
    Image(Arc<Image>, ImageRun),
}

impl Run {
    fn in_memory(places: &SegmentPlaces, found: &StreamPlaces, source: Source) -> Self {
        Self {
            segment: places.segment,
            first: places.first,
            base: StreamVersion::new(found.base),
            count: wide(found.places.len()),
            previous: found.previous_segment,
            source,
        }
    }
}

impl Index {
    /// The newest run of a stream, whose name is `name`.
    pub fn last_run(&self, stream: StreamNumber, name: &str) -> Option<Run> {
        let segment = {
            let state = self.state.read();
            let segment = state.head(stream).last_segment;
            if segment == state.active.segment {
                let found = state.in_active(stream)?;
                return Some(Run::in_memory(&state.active, found, Source::Active));
            }
            segment
        };
        self.sealed_run(stream, name, segment)
    }

    /// The run of the stream before this one.
    pub fn run_before(&self, stream: StreamNumber, name: &str, run: &Run) -> Option<Run> {
        // A wrong image must not lead in a circle.
        let segment = Some(run.previous).filter(|previous| *previous < run.segment)?;
        self.sealed_run(stream, name, segment)
    }

    fn sealed_run(&self, stream: StreamNumber, name: &str, segment: u64) -> Option<Run> {
        match self.sealed(segment)? {
            Sealed::Memory(places) => {
                let run = Run::in_memory(&places, places.find(stream)?, Source::Active);
                Some(Run { source: Source::Memory(places), ..run })
            }
            Sealed::Image(image) => {
                let found = image.find(name)?;
                Some(Run {
                    segment,
                    first: image.first(),
                    base: StreamVersion::new(found.base),
                    count: found.count,
                    previous: found.previous_segment,
                    source: Source::Image(image, found),
                })
            }
        }
    }

    fn sealed(&self, segment: u64) -> Option<Sealed> {
        let index = usize::try_from(segment.checked_sub(1)?).ok()?;
        self.sealed.read().get(index).cloned()
    }

    /// Appends the places of some versions of a run to `out`, oldest first.
    pub fn places(
        &self,
        stream: StreamNumber,
        run: &Run,
        versions: RangeInclusive<u64>,
        out: &mut Vec<Place>,
    ) {
        let base = run.base.get();
        let from = versions.start().saturating_sub(base.saturating_add(1));
        let to = versions.end().saturating_sub(base).min(run.count);
        let range = clamp(from)..clamp(to.max(from));
        match &run.source {
            Source::Active => self.places_once_active(stream, run.segment, range, out),
            Source::Memory(places) => {
                if let Some(found) = places.find(stream) {
                    places.copy(found, range, out);
                }
            }
            Source::Image(image, found) => image.places_of(found, range, out),
        }
    }

    /// As [`Index::places`], of a segment that was the active one when the run was found.
    fn places_once_active(
        &self,
        stream: StreamNumber,
        segment: u64,
        range: Range<usize>,
        out: &mut Vec<Place>,
    ) {
        {
            let state = self.state.read();
            if segment == state.active.segment {
                if let Some(found) = state.in_active(stream) {
                    state.active.copy(found, range, out);
                }
                return;
            }
        }
        // It was sealed meanwhile.
        let sealed = self.sealed(segment).filter(|_| !planted(Bug::EndedMeanwhile));
        match sealed {
            Some(Sealed::Memory(places)) => {
                if let Some(found) = places.find(stream) {
                    places.copy(found, range, out);
                }
            }
            Some(Sealed::Image(image)) => {
                if let Some(name) = self.names.name(stream) {
                    image.places(name.as_str(), range, out);
                }
            }
            None => {}
        }
    }

    /// The version that a stream had when `position` was the newest.
    pub fn version_at(&self, stream: StreamNumber, position: Position) -> StreamVersion {
        let head = self.head(stream);
        if head.last <= position || planted(Bug::VersionOfNow) {
            return head.version;
        }
        let Some(name) = self.names.name(stream) else { return StreamVersion::ZERO };
        let mut run = self.last_run(stream, name.as_str());
        while let Some(found) = run {
            let visible = self.count_up_to(stream, &found, position);
            // Everything before the segment is visible: no older image has to be trusted.
            let is_within = found.first <= position.next();
            if visible > 0 || is_within {
                return found.base.plus(visible);
            }
            run = self.run_before(stream, name.as_str(), &found);
        }
        StreamVersion::ZERO
    }

    /// How many events of a run lie up to a position.
    fn count_up_to(&self, stream: StreamNumber, run: &Run, position: Position) -> u64 {
        match &run.source {
            Source::Active => {
                let state = self.state.read();
                if run.segment == state.active.segment {
                    let found = state.in_active(stream);
                    return found.map_or(0, |found| state.active.count_up_to(found, position));
                }
            }
            Source::Memory(places) => {
                let found = places.find(stream);
                return found.map_or(0, |found| places.count_up_to(found, position));
            }
            // Where all are visible, the row says so, which has a checksum.
            Source::Image(_, found) if found.last <= position => return found.count,
            Source::Image(..) => {}
        }
        let mut places = Vec::new();
        self.places(stream, run, 0..=u64::MAX, &mut places);
        wide(places.partition_point(|place| place.position <= position))
    }
}

fn wide(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn clamp(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
