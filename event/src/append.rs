//! The request to append, and its result.

use std::collections::{HashMap, HashSet};

use smallvec::SmallVec;

use crate::{
    event::{NewEvent, Timestamp},
    event_id::EventId,
    expected::ExpectedVersion,
    limits,
    name::{self, InvalidName},
    ordinal::{Position, StreamVersion},
    stream_id::StreamId,
};

/// One atomic append: all of its events or none, and only if every expectation holds.
///
/// ```
/// use annals_event::{Append, ExpectedVersion, NewEvent, StreamId};
///
/// let from = StreamId::new("account-1")?;
/// let to = StreamId::new("account-2")?;
/// let append = Append::new()
///     .expect(from.clone(), ExpectedVersion::Exists)
///     .event(NewEvent::new(from, "Withdrawn", "5")?)
///     .event(NewEvent::new(to, "Deposited", "5")?);
/// assert_eq!(append.events.len(), 2);
/// # Ok::<(), annals_event::InvalidName>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Append {
    /// The events, in order.
    pub events: Vec<NewEvent>,
    /// What must hold of these streams, written or only read. A stream not named here may be
    /// at any version.
    pub expectations: Vec<(StreamId, ExpectedVersion)>,
}

impl Append {
    /// An append of nothing, to add to.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more event.
    #[must_use]
    pub fn event(mut self, event: NewEvent) -> Self {
        self.events.push(event);
        self
    }

    /// With more events.
    #[must_use]
    pub fn events(mut self, events: impl IntoIterator<Item = NewEvent>) -> Self {
        self.events.extend(events);
        self
    }

    /// With an expectation of a stream, written or only read.
    #[must_use]
    pub fn expect(mut self, stream: StreamId, expected: ExpectedVersion) -> Self {
        self.expectations.push((stream, expected));
        self
    }

    /// Whether the append is within every limit and says nothing twice in two ways.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn validate(&self) -> Result<(), InvalidAppend> {
        self.validate_size()?;
        self.validate_expectations()?;
        self.validate_ids()
    }

    fn validate_size(&self) -> Result<(), InvalidAppend> {
        if self.events.is_empty() {
            return Err(InvalidAppend::Empty);
        }
        if self.events.len() > limits::COMMIT_EVENTS_MAX {
            return Err(InvalidAppend::TooManyEvents { events: self.events.len() });
        }
        if self.expectations.len() > limits::COMMIT_STREAMS_MAX {
            return Err(InvalidAppend::TooManyStreams { streams: self.expectations.len() });
        }
        let mut commit_bytes = 0_usize;
        for (index, event) in self.events.iter().enumerate() {
            let bytes = event.content_bytes();
            if bytes > limits::EVENT_BYTES_MAX {
                return Err(InvalidAppend::EventTooLarge { index, bytes });
            }
            if event.tags.len() > limits::EVENT_TAGS_MAX {
                return Err(InvalidAppend::TooManyTags { index, tags: event.tags.len() });
            }
            for tag in &event.tags {
                name::check(tag, "the tag")?;
            }
            // 48: no event has more than this on disk besides its names, tags and contents.
            let names = event.stream.as_str().len() + event.event_type.as_str().len();
            commit_bytes += bytes + names + event.tags.len() + 48;
        }
        if commit_bytes > limits::COMMIT_BYTES_MAX {
            return Err(InvalidAppend::CommitTooLarge { bytes: commit_bytes });
        }
        Ok(())
    }

    fn validate_expectations(&self) -> Result<(), InvalidAppend> {
        if let [_] | [] = self.expectations.as_slice() {
            return Ok(());
        }
        let disagree = |stream: &StreamId, first: ExpectedVersion, second: ExpectedVersion| {
            InvalidAppend::ContradictoryExpectations { stream: stream.clone(), first, second }
        };
        // A few are compared with each other; many go through a map.
        if self.expectations.len() <= 8 {
            for (index, (stream, second)) in self.expectations.iter().enumerate() {
                let earlier = self.expectations.iter().take(index).find(|(seen, _)| seen == stream);
                if let Some((_, first)) = earlier.filter(|(_, first)| !first.agrees_with(*second)) {
                    return Err(disagree(stream, *first, *second));
                }
            }
            return Ok(());
        }
        let mut seen = HashMap::with_capacity(self.expectations.len());
        for (stream, expected) in &self.expectations {
            let first = *seen.entry(stream).or_insert(*expected);
            if !first.agrees_with(*expected) {
                return Err(disagree(stream, first, *expected));
            }
        }
        Ok(())
    }

    fn validate_ids(&self) -> Result<(), InvalidAppend> {
        let given = self.events.iter().filter_map(|event| event.id);
        let count = given.clone().count();
        if count == 0 {
            return Ok(());
        }
        if count < self.events.len() {
            return Err(InvalidAppend::SomeIdsMissing);
        }
        let mut seen = HashSet::with_capacity(count);
        for id in given {
            if !seen.insert(id) {
                return Err(InvalidAppend::RepeatedId { id });
            }
        }
        Ok(())
    }
}

/// An append that no store can take, whatever its state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAppend {
    /// No events.
    #[error("the append has no events; give it at least one")]
    Empty,
    /// More than [`limits::COMMIT_EVENTS_MAX`] events.
    #[error("the append has {events} events; split it into appends of at most 65,535")]
    TooManyEvents {
        /// How many it has.
        events: usize,
    },
    /// More than [`limits::COMMIT_STREAMS_MAX`] expectations.
    #[error("the append names {streams} streams; at most 65,535 can be checked at once")]
    TooManyStreams {
        /// How many it names.
        streams: usize,
    },
    /// More than [`limits::EVENT_TAGS_MAX`] tags on an event.
    #[error("event {index} of the append has {tags} tags; an event may have at most 64")]
    TooManyTags {
        /// Which event, from 0.
        index: usize,
        /// How many it has.
        tags: usize,
    },
    /// An event above [`limits::EVENT_BYTES_MAX`].
    #[error(
        "event {index} of the append has {bytes} bytes; an event may have at most 16 MiB: \
         store large contents elsewhere and append a reference"
    )]
    EventTooLarge {
        /// Which event, from 0.
        index: usize,
        /// Payload, metadata and tags together.
        bytes: usize,
    },
    /// A commit above [`limits::COMMIT_BYTES_MAX`].
    #[error("the append has {bytes} bytes; a commit may have at most 64 MiB: split it")]
    CommitTooLarge {
        /// All events together.
        bytes: usize,
    },
    /// A tag is no valid name.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// One stream, two expectations that do not say the same.
    #[error("the append expects stream {stream} at {first} and also at {second}; keep one of them")]
    ContradictoryExpectations {
        /// The stream.
        stream: StreamId,
        /// What was said first.
        first: ExpectedVersion,
        /// What was said later.
        second: ExpectedVersion,
    },
    /// Ids on some events only.
    #[error("some events of the append have ids and some have none; give all of them ids or none")]
    SomeIdsMissing,
    /// The same id on two events of one append.
    #[error("two events of the append have the id {id}; an id names one event")]
    RepeatedId {
        /// The id.
        id: EventId,
    },
}

/// The versions of a commit's streams after it, in the order in which it first wrote to them.
pub type Versions = SmallVec<[StreamVersion; 4]>;

/// A durable append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The position of its first event.
    pub first: Position,
    /// The position of its last event.
    pub last: Position,
    /// When it was appended, just before it was put in order.
    pub time: Timestamp,
    /// The version of each stream after it, in the order in which the append first wrote to them.
    pub versions: Versions,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(stream: &str) -> NewEvent {
        NewEvent::new(StreamId::new(stream).unwrap(), "Happened", "x").unwrap()
    }

    #[test]
    fn an_append_needs_an_event() {
        assert_eq!(Append::new().validate(), Err(InvalidAppend::Empty));
        let only_expects =
            Append::new().expect(StreamId::new("a").unwrap(), ExpectedVersion::NoStream);
        assert_eq!(only_expects.validate(), Err(InvalidAppend::Empty));
    }

    #[test]
    fn sizes_are_bounded_at_the_limit() {
        let mut large = event("a");
        large.payload = vec![0; limits::EVENT_BYTES_MAX];
        let fits = Append::new().event(large.clone());
        assert_eq!(fits.validate(), Ok(()));
        large.metadata.push(0);
        let error = Append::new().event(large).validate();
        let bytes = limits::EVENT_BYTES_MAX + 1;
        assert_eq!(error, Err(InvalidAppend::EventTooLarge { index: 0, bytes }));

        let many = Append::new().events((0..65_536).map(|_| event("a")));
        assert_eq!(many.validate(), Err(InvalidAppend::TooManyEvents { events: 65_536 }));

        let mut quarter = event("a");
        quarter.payload = vec![0; limits::EVENT_BYTES_MAX];
        let four = Append::new().events(std::iter::repeat_n(quarter, 4));
        assert!(matches!(four.validate(), Err(InvalidAppend::CommitTooLarge { .. })));
    }

    #[test]
    fn contradictions_are_refused_repetitions_are_not() {
        for others in [0, 20] {
            let stream = StreamId::new("a").unwrap();
            let mut append = Append::new().event(event("a"));
            for n in 0..others {
                let other = StreamId::new(&format!("other-{n}")).unwrap();
                append = append.expect(other, ExpectedVersion::Any);
            }
            let append = append
                .expect(stream.clone(), ExpectedVersion::NoStream)
                .expect(stream.clone(), ExpectedVersion::Exactly(StreamVersion::ZERO));
            assert_eq!(append.validate(), Ok(()), "both say that there is nothing yet");
            let append = append.expect(stream, ExpectedVersion::Exists);
            assert!(matches!(
                append.validate(),
                Err(InvalidAppend::ContradictoryExpectations { .. })
            ));
        }
    }

    #[test]
    fn ids_are_all_or_none_and_distinct() {
        let id = EventId::new([1; 16]);
        let mixed = Append::new().event(event("a").with_id(id)).event(event("a"));
        assert_eq!(mixed.validate(), Err(InvalidAppend::SomeIdsMissing));
        let twice = Append::new().event(event("a").with_id(id)).event(event("b").with_id(id));
        assert_eq!(twice.validate(), Err(InvalidAppend::RepeatedId { id }));
    }

    #[test]
    fn tags_are_names() {
        let tagged = Append::new().event(event("a").with_tag("ok").with_tag("\u{7}"));
        assert!(matches!(tagged.validate(), Err(InvalidAppend::Name(_))));
        let mut many = event("a");
        many.tags = vec!["t".to_owned(); 65];
        let error = Append::new().event(many).validate();
        assert_eq!(error, Err(InvalidAppend::TooManyTags { index: 0, tags: 65 }));
    }
}
