//! The events of one stream, by their places in the index.
//!
//! Places are taken a few at a time, so that reading the newest event of a long stream does not
//! cost its length. What a place leads to is checked against what was looked for: a wrong image
//! is an error, never a wrong event.

use std::{
    ops::{ControlFlow, RangeInclusive},
    sync::Arc,
};

use annals_event::{
    CommitView, Direction, EventView, Position, StreamId, StreamQuery, StreamVersion,
};
use annals_index::{Place, Run, StreamNumber};
use annals_wal::{Address, FrameKind, Pattern, Reader};

use crate::{error::ReadError, frames, images, inner::Inner};

/// How many places are taken from the index at once: few first, since many readers want few.
const PLACES_FIRST: u64 = 8;
const PLACES_MAX: u64 = 512;

/// So many places ahead, so many bytes are asked for before they are needed: what a commit of one
/// small event takes.
const PREFETCHED: usize = 4;
const EVENT_BYTES: u64 = 256;

/// Reads one stream's events.
#[derive(Debug)]
pub(crate) struct StreamScan {
    inner: Arc<Inner>,
    reader: Reader,
    name: StreamId,
    number: StreamNumber,
    is_backward: bool,
    /// Runs that are not read to their end, the next one last. Of a backward scan it is one: the
    /// one before is looked for when it is read.
    runs: Vec<Run>,
    /// The versions whose places are not taken from the index yet.
    from: u64,
    to: u64,
    places: Places,
    /// How many are taken from the index next.
    batch: u64,
}

/// Places of consecutive versions, in the order in which they are read: of one run, so in one segment.
#[derive(Debug)]
struct Places {
    all: Vec<Place>,
    /// Those before it were read.
    next: usize,
    /// The version of the next.
    version: u64,
    is_backward: bool,
}

impl Places {
    /// The place that comes next.
    #[inline]
    fn next(&self) -> Option<Place> {
        self.all.get(self.next).copied()
    }

    /// Whether an event is the one that the next place should lead to.
    #[inline]
    fn lead_to(&self, event: &EventView<'_>) -> bool {
        self.next().is_some_and(|place| {
            (self.version, place.position) == (event.version.get(), event.position)
        })
    }

    /// Goes on to the one after the next.
    #[inline]
    fn pass(&mut self) {
        self.next += 1;
        self.version = if self.is_backward { self.version - 1 } else { self.version + 1 };
    }

    /// Whether the next place is in this frame.
    #[inline]
    fn are_in(&self, frame: Address) -> bool {
        self.next().is_some_and(|place| address(place) == frame)
    }
}

fn address(place: Place) -> Address {
    Address { segment: place.segment, offset: place.offset }
}

impl StreamScan {
    /// `newest`: nothing behind that version is read.
    pub(crate) fn new(
        inner: &Arc<Inner>,
        (stream, number): (&StreamId, StreamNumber),
        query: &StreamQuery,
        newest: StreamVersion,
    ) -> Self {
        let newest = newest.get();
        let asked = query.from.map(StreamVersion::get);
        let (from, to) = match query.direction {
            Direction::Forward => (asked.unwrap_or(1).max(1), newest),
            Direction::Backward => (1, asked.unwrap_or(newest).min(newest)),
        };
        let is_backward = query.direction == Direction::Backward;
        let mut scan = Self {
            inner: inner.clone(),
            reader: inner.log.reader(Pattern::Probe),
            name: stream.clone(),
            number,
            is_backward,
            runs: Vec::new(),
            from,
            to,
            places: Places { all: Vec::new(), next: 0, version: 0, is_backward },
            batch: PLACES_FIRST,
        };
        if from <= to {
            scan.runs.extend(inner.index.last_run(number, stream.as_str()));
            // Forward, the oldest that has something to read comes first.
            while !is_backward
                && scan.runs.last().is_some_and(|run| run.base.get() >= from)
                && let Some(before) = scan.run_before()
            {
                scan.runs.push(before);
            }
        }
        scan
    }

    /// The run before the last in the list.
    fn run_before(&self) -> Option<Run> {
        self.inner.index.run_before(self.number, self.name.as_str(), self.runs.last()?)
    }

    /// Shows the events of the next frames, at most so many, from bytes that are at hand. `Break`:
    /// there are no more, or `visit` said so.
    pub(crate) fn visit(
        &mut self,
        frames_max: usize,
        visit: &mut impl FnMut(&EventView<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ReadError> {
        self.refill()?;
        let Some(mut place) = self.places.next() else {
            return Ok(ControlFlow::Break(()));
        };
        let Self { inner, reader, name, is_backward, places, .. } = self;
        let explain = |error: annals_wal::ReadError, place| explain(inner, error.into(), place);
        let stretch = reader.stretch(address(place)).map_err(|error| explain(error, place))?;
        let mut commit = CommitView::knowing(name.as_str());
        for _ in 0..frames_max {
            if let Some(soon) = places.all.get(places.next + PREFETCHED) {
                stretch.prefetch(soon.offset, EVENT_BYTES);
            }
            let address = address(place);
            let Some(frame) = stretch.frame(place.offset) else {
                stretch.missing(place.offset).map_err(|error| explain(error, place))?;
                break;
            };
            if frame.head.kind != FrameKind::Commit {
                return Err(wrong_image(inner, place));
            }
            frames::read(&mut commit, inner.log.id(), &frame)?;
            let number = commit.known_stream();
            let mut flow = ControlFlow::Continue(());
            // One after the other: behind a place that leads nowhere, nothing is shown.
            let show = |event: &EventView<'_>| {
                if Some(event.stream_number) == number && places.lead_to(event) {
                    places.pass();
                    flow = visit(event);
                    if flow.is_break() || !places.are_in(address) {
                        return ControlFlow::Break(());
                    }
                }
                ControlFlow::Continue(())
            };
            let _: ControlFlow<()> = frames::show(&mut commit, *is_backward, show)?;
            if flow.is_break() {
                return Ok(flow);
            }
            match places.next() {
                Some(lost) if places.are_in(address) => return Err(wrong_image(inner, lost)),
                Some(next) => place = next,
                None => break,
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Takes the places of the next versions from the index, when there are none left. Versions go
    /// on without a gap, or an image is damaged: bytes of a mapped file may come from the disk
    /// again at any time.
    fn refill(&mut self) -> Result<(), ReadError> {
        while self.from <= self.to && self.places.next().is_none() {
            let next = if self.is_backward { self.to } else { self.from };
            let run = self.runs.last().ok_or_else(|| self.unindexed(next))?;
            let (first, last) = (run.base.next().get(), run.base.plus(run.count).get());
            let is_beside = if self.is_backward { first > next } else { last < next };
            if is_beside {
                let before = if self.is_backward { self.run_before() } else { None };
                self.runs.pop();
                self.runs.extend(before);
                continue;
            }
            if !(first..=last).contains(&next) {
                return Err(self.unindexed(next));
            }
            let versions = self.next_versions(first, last);
            self.batch = (self.batch * 4).min(PLACES_MAX);
            let places = &mut self.places;
            places.all.clear();
            self.inner.index.places(self.number, run, versions.clone(), &mut places.all);
            if places.all.len() != versions.clone().count() {
                return Err(self.unindexed(next));
            }
            places.next = 0;
            places.version = next;
            if self.is_backward {
                places.all.reverse();
                self.to = versions.start().saturating_sub(1);
            } else {
                self.from = versions.end().saturating_add(1);
            }
        }
        Ok(())
    }

    #[cold]
    fn unindexed(&self, version: u64) -> ReadError {
        ReadError::Unindexed { stream: self.name.clone(), version: StreamVersion::new(version) }
    }

    /// Those whose places are taken next, of a run that has `first` to `last`.
    fn next_versions(&self, first: u64, last: u64) -> RangeInclusive<u64> {
        if self.is_backward {
            self.to.saturating_sub(self.batch - 1).max(first).max(self.from)..=self.to
        } else {
            self.from..=self.from.saturating_add(self.batch - 1).min(last).min(self.to)
        }
    }
}

/// A frame that is not where an image says is the image's fault, not the segment's.
fn explain(inner: &Inner, error: ReadError, place: Place) -> ReadError {
    let is_imaged = inner.log.sealed_segment(place.segment).is_some();
    if !is_imaged || !matches!(error, ReadError::Corrupt(_)) {
        return error;
    }
    if place.position > inner.durable() {
        return wrong_image(inner, place);
    }
    // Where does the log itself have the position?
    match inner.log.reader(Pattern::Probe).seek(place.position.get()) {
        Ok(found) if found != address(place) => wrong_image(inner, place),
        Ok(_) => error,
        Err(damage) => damage.into(),
    }
}

fn wrong_image(inner: &Inner, place: Place) -> ReadError {
    let segment = inner.log.sealed_segment(place.segment);
    let first = segment.map_or(0, |header| header.first_record);
    images::wrong(inner, Position::new(first), place.position)
}
