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
    /// The segment before that has events of the stream; 0 if none has.
    previous: u64,
    source: Source,
}

/// The version that a stream had at a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionAt {
    /// The version.
    pub version: StreamVersion,
    /// Whether memory knows it. What an image says must be compared with the log: its bytes may
    /// have changed since it was opened.
    pub is_certain: bool,
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
    pub fn version_at(&self, stream: StreamNumber, position: Position) -> VersionAt {
        let head = self.head(stream);
        if head.last <= position || planted(Bug::VersionOfNow) {
            return VersionAt { version: head.version, is_certain: true };
        }
        let unknown = VersionAt { version: StreamVersion::ZERO, is_certain: false };
        let Some(name) = self.names.name(stream) else { return unknown };
        let mut run = self.last_run(stream, name.as_str());
        while let Some(found) = run {
            let seen = self.version_within(stream, &found, position);
            // Where older events are visible, how many is this run's base.
            if seen.version > found.base || self.has_ended_by(found.previous, position) {
                return seen;
            }
            run = self.run_before(stream, name.as_str(), &found);
        }
        unknown
    }

    /// Whether a segment, if there is one, has no events behind a position. No image is asked.
    fn has_ended_by(&self, segment: u64, position: Position) -> bool {
        let next = segment.saturating_add(1);
        let active = {
            let state = self.state.read();
            (state.active.segment == next).then_some(state.active.first)
        };
        let first_behind = active.or_else(|| match self.sealed(next)? {
            Sealed::Memory(places) => Some(places.first),
            Sealed::Image(image) => Some(image.first()),
        });
        segment == 0 || first_behind.is_some_and(|first| first <= position.next())
    }

    /// The version that a stream had at a position, if nothing before the run lies behind it.
    fn version_within(&self, stream: StreamNumber, run: &Run, position: Position) -> VersionAt {
        let counted = |count| VersionAt { version: run.base.plus(count), is_certain: true };
        match &run.source {
            Source::Active => {
                let state = self.state.read();
                if run.segment == state.active.segment {
                    let found = state.in_active(stream);
                    let count = |found| state.active.count_up_to(found, position);
                    return counted(found.map_or(0, count));
                }
            }
            Source::Memory(places) => {
                let found = places.find(stream);
                return counted(found.map_or(0, |found| places.count_up_to(found, position)));
            }
            // All of it lies behind: no place need be looked at.
            Source::Image(image, _) if position < image.first() => {
                return VersionAt { is_certain: false, ..counted(0) };
            }
            Source::Image(..) => {}
        }
        let mut places = Vec::new();
        self.places(stream, run, 0..=u64::MAX, &mut places);
        let count = wide(places.partition_point(|place| place.position <= position));
        VersionAt { is_certain: false, ..counted(count) }
    }
}

fn wide(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn clamp(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
