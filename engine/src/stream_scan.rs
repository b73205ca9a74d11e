//! The events of one stream, by their places in the index.
//!
//! Places are taken a few at a time, so that reading the newest event of a long stream does not
//! cost its length. What a place leads to is checked against what was looked for: a wrong image
//! is an error, never a wrong event.

use std::{ops::ControlFlow, sync::Arc};

use annals_event::{Direction, Position, StreamId, StreamQuery, StreamVersion};
use annals_index::{Place, Run, StreamNumber};
use annals_wal::{FrameKind, Pattern, Reader};

use crate::{
    error::ReadError,
    frames::{self, Visit},
    images,
    inner::Inner,
};

/// How many places are taken from the index at once.
const PLACES_MAX: u64 = 512;

/// Reads one stream's events.
#[derive(Debug)]
pub(crate) struct StreamScan {
    inner: Arc<Inner>,
    reader: Reader,
    name: StreamId,
    number: StreamNumber,
    is_backward: bool,
    /// Runs that are not read to their end, the next one last.
    runs: Vec<Run>,
    /// The versions that are still to come.
    from: u64,
    to: u64,
    /// The next versions and their places, the next one last.
    places: Vec<(u64, Place)>,
}

impl StreamScan {
    /// `None`: nobody knows the stream. `newest`: nothing behind that position is read.
    pub(crate) fn new(
        inner: &Arc<Inner>,
        stream: &StreamId,
        query: &StreamQuery,
        newest: Position,
    ) -> Option<Self> {
        let number = inner.index.find(stream.as_str())?;
        let newest = inner.index.version_at(number, newest).get();
        let asked = query.from.map(StreamVersion::get);
        let (from, to) = match query.direction {
            Direction::Forward => (asked.unwrap_or(1).max(1), newest),
            Direction::Backward => (1, asked.unwrap_or(newest).min(newest)),
        };
        let is_backward = query.direction == Direction::Backward;
        let mut runs = inner.index.runs(number, StreamVersion::new(from));
        if !is_backward {
            runs.reverse();
        }
        Some(Self {
            inner: inner.clone(),
            reader: inner.log.reader(Pattern::Probe),
            name: stream.clone(),
            number,
            is_backward,
            runs,
            from,
            to,
            places: Vec::new(),
        })
    }

    /// Shows the events of the next frame. `Break`: there are no more, or `visit` said so.
    pub(crate) fn next(&mut self, visit: &mut Visit<'_>) -> Result<ControlFlow<()>, ReadError> {
        if self.places.is_empty() {
            self.refill()?;
        }
        let Some((_, place)) = self.places.last().copied() else {
            return Ok(ControlFlow::Break(()));
        };
        // Later events of the stream in the same frame come along.
        let same = |(_, other): &&(u64, Place)| {
            (other.segment, other.offset) == (place.segment, place.offset)
        };
        let count = self.places.iter().rev().take_while(same).count();
        let kept = self.places.len() - count;
        let mut expected = self.places.split_off(kept);
        let address = annals_wal::Address { segment: place.segment, offset: place.offset };
        let frame = match self.reader.frame(address) {
            Ok(frame) if frame.head.kind == FrameKind::Commit => frame,
            Ok(_) => return Err(wrong_image(&self.inner, place)),
            Err(error) => return Err(self.explain(error.into(), place)),
        };
        let name = self.name.as_str();
        // One after the other: behind a place that leads nowhere, nothing is shown.
        let mut wanted = |event: &annals_event::EventView<'_>| {
            let is_next = |&mut (version, place): &mut (u64, Place)| {
                (version, place.position) == (event.version.get(), event.position)
            };
            event.stream == name && expected.pop_if(is_next).is_some()
        };
        let log_id = self.inner.log.id();
        let flow = frames::visit(log_id, &frame, self.is_backward, &mut wanted, visit)?;
        if flow.is_continue() && !expected.is_empty() {
            return Err(wrong_image(&self.inner, place));
        }
        Ok(flow)
    }

    /// Takes the places of the next versions from the index. Versions go on without a gap, or an
    /// image is damaged: bytes of a mapped file may come from the disk again at any time.
    fn refill(&mut self) -> Result<(), ReadError> {
        while self.from <= self.to && self.places.is_empty() {
            let next = if self.is_backward { self.to } else { self.from };
            let run = self.runs.last().copied().ok_or_else(|| self.unindexed(next))?;
            let (first, last) = (run.base.next().get(), run.base.plus(run.count).get());
            let is_beside = if self.is_backward { first > next } else { last < next };
            if is_beside {
                self.runs.pop();
                continue;
            }
            if !(first..=last).contains(&next) {
                return Err(self.unindexed(next));
            }
            let versions = if self.is_backward {
                next.saturating_sub(PLACES_MAX - 1).max(first).max(self.from)..=next
            } else {
                next..=next.saturating_add(PLACES_MAX - 1).min(last).min(self.to)
            };
            let mut places = Vec::new();
            self.inner.index.places(self.number, &run, versions.clone(), &mut places);
            let wanted = versions.end() - versions.start() + 1;
            if u64::try_from(places.len()) != Ok(wanted) {
                return Err(self.unindexed(next));
            }
            self.places.extend(versions.clone().zip(places));
            if self.is_backward {
                self.to = versions.start().saturating_sub(1);
            } else {
                self.from = versions.end().saturating_add(1);
                self.places.reverse();
            }
        }
        Ok(())
    }

    fn unindexed(&self, version: u64) -> ReadError {
        ReadError::Unindexed { stream: self.name.clone(), version: StreamVersion::new(version) }
    }

    /// A frame that is not where an image says is the image's fault, not the segment's.
    fn explain(&self, error: ReadError, place: Place) -> ReadError {
        let is_imaged = self.inner.log.sealed_segment(place.segment).is_some();
        if !is_imaged || !matches!(error, ReadError::Corrupt(_)) {
            return error;
        }
        if place.position > self.inner.durable() {
            return wrong_image(&self.inner, place);
        }
        // Where does the log itself have the position?
        match self.inner.log.reader(Pattern::Probe).seek(place.position.get()) {
            Ok(address) if (address.segment, address.offset) != (place.segment, place.offset) => {
                wrong_image(&self.inner, place)
            }
            Ok(_) => error,
            Err(damage) => damage.into(),
        }
    }
}

fn wrong_image(inner: &Inner, place: Place) -> ReadError {
    let segment = inner.log.sealed_segment(place.segment);
    let first = segment.map_or(0, |(header, _)| header.first_record);
    let file = inner.log.directory().display(&images::name(first));
    ReadError::WrongImage { file, position: place.position }
}
