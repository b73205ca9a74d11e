//! State that falls into parts, one for each stream: what the cache can keep for all commands
//! that touch a stream, whatever other streams they touch.

use std::{any::Any, fmt};

use annals_event::{EventId, Position, StreamId, StreamVersion, Timestamp};

use crate::{
    recorded::Recorded,
    stream_index::{StreamIndex, hash_of},
};

/// What the events of one stream amount to: an account's balance, a product's stock.
pub trait StreamState: Default + Send + 'static {
    /// What can happen to it.
    type Event;

    /// Folds an event of its stream into it.
    fn evolve(&mut self, recorded: &Recorded<Self::Event>);

    /// How much memory it takes, in bytes, what it points to included: what the cache counts.
    fn bytes(&self) -> usize {
        size_of::<Self>()
    }
}

/// A command's state that has a part for each of its streams, each folded from that stream's
/// events alone. With [`Caching::per_stream`] the parts are kept between commands.
///
/// [`Caching::per_stream`]: crate::Caching::per_stream
pub struct PerStream<P> {
    parts: Vec<Box<Part<P>>>,
    index: StreamIndex,
    /// What streams without events amount to.
    nothing: P,
}

/// One stream's part.
#[derive(Debug)]
pub(crate) struct Part<P> {
    stream: StreamId,
    pub(crate) state: P,
    /// All events up to this one are in it, and no others.
    pub(crate) last: Mark,
    /// Whether an event was left out, so that `last` says nothing.
    has_gap: bool,
    /// The version up to which it is saved, or about to be.
    saved: StreamVersion,
}

/// An event of a stream, told from all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) version: StreamVersion,
    pub(crate) position: Position,
    pub(crate) id: EventId,
    pub(crate) time: Timestamp,
}

impl<P: Default> Default for PerStream<P> {
    fn default() -> Self {
        Self { parts: Vec::new(), index: StreamIndex::default(), nothing: P::default() }
    }
}

impl<P: fmt::Debug> fmt::Debug for PerStream<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<P: StreamState> PerStream<P> {
    /// Folds an event into the part of its stream. A command's `evolve` calls it for each event.
    pub fn evolve(&mut self, recorded: &Recorded<P::Event>) {
        let part = self.part_mut(&recorded.stream);
        part.state.evolve(recorded);
        let Recorded { version, position, id, time, .. } = *recorded;
        part.advance(Mark { version, position, id, time });
    }

    /// Counts an event that means nothing to this program as folded.
    fn skip(&mut self, stream: &StreamId, mark: Mark) {
        self.part_mut(stream).advance(mark);
    }

    fn part_mut(&mut self, stream: &StreamId) -> &mut Part<P> {
        let hash = hash_of(stream);
        let at = self.find(hash, stream).unwrap_or_else(|| {
            self.insert(hash, Box::new(Part::new(stream.clone())));
            self.parts.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "found, or inserted right before")]
        &mut self.parts[at]
    }

    fn insert(&mut self, hash: u64, part: Box<Part<P>>) {
        self.parts.push(part);
        self.index.push(hash);
    }
}

impl<P> PerStream<P> {
    /// What a stream's events amount to; the default, if it has none or was not read.
    pub fn of(&self, stream: &StreamId) -> &P {
        let part = self.find(hash_of(stream), stream).and_then(|at| self.parts.get(at));
        part.map_or(&self.nothing, |part| &part.state)
    }

    /// The streams that have events, and what these amount to, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&StreamId, &P)> {
        self.parts.iter().map(|part| (&part.stream, &part.state))
    }

    fn find(&self, hash: u64, stream: &StreamId) -> Option<usize> {
        let is_same = |at: usize| self.parts.get(at).is_some_and(|part| part.stream == *stream);
        self.index.find(hash, is_same)
    }
}

impl<P: StreamState> Part<P> {
    fn new(stream: StreamId) -> Self {
        let last = Mark {
            version: StreamVersion::ZERO,
            position: Position::ZERO,
            id: EventId::new([0; 16]),
            time: Timestamp(0),
        };
        Self { stream, state: P::default(), last, has_gap: false, saved: StreamVersion::ZERO }
    }

    /// As it was saved.
    pub(crate) fn loaded(stream: StreamId, state: P, last: Mark) -> Self {
        Self { stream, state, last, has_gap: false, saved: last.version }
    }

    fn advance(&mut self, mark: Mark) {
        self.has_gap |= mark.version != self.last.version.next();
        self.last = mark;
    }

    /// Whether it is to be saved now, every so many events. Says so once.
    fn becomes_due(&mut self, every: Option<u64>) -> bool {
        let since = self.last.version.get() - self.saved.get();
        let is_due = every.is_some_and(|every| since >= every);
        if is_due {
            self.saved = self.last.version;
        }
        is_due
    }
}

/// A part whose type is known to its command only.
pub(crate) type AnyPart = Box<dyn Any + Send>;

/// A part that is handed over.
pub(crate) struct Drained<'a> {
    pub(crate) stream: &'a StreamId,
    pub(crate) hash: u64,
    pub(crate) part: AnyPart,
    /// How much memory it takes.
    pub(crate) bytes: usize,
    pub(crate) is_due: bool,
}

/// What the executor does with the parts of a state of type `S`.
pub(crate) trait Parts<S>: Sync {
    /// Takes over a part; says how far it goes.
    fn insert(&self, state: &mut S, hash: u64, part: AnyPart) -> Option<Mark>;

    /// Counts an event that the command does not see as folded.
    fn skip(&self, state: &mut S, stream: &StreamId, mark: Mark);

    /// Hands over all parts that are whole. Every so many events one is due to be saved.
    fn drain(&self, state: S, every: Option<u64>, keep: &mut dyn FnMut(Drained<'_>));
}

/// The parts of [`PerStream`].
pub(crate) struct PartsOf<P>(pub(crate) std::marker::PhantomData<fn() -> P>);

impl<P: StreamState> Parts<PerStream<P>> for PartsOf<P> {
    fn insert(&self, state: &mut PerStream<P>, hash: u64, part: AnyPart) -> Option<Mark> {
        let part = part.downcast::<Part<P>>().ok()?;
        let last = part.last;
        state.insert(hash, part);
        Some(last)
    }

    fn skip(&self, state: &mut PerStream<P>, stream: &StreamId, mark: Mark) {
        state.skip(stream, mark);
    }

    fn drain(&self, state: PerStream<P>, every: Option<u64>, keep: &mut dyn FnMut(Drained<'_>)) {
        for (mut part, hash) in state.parts.into_iter().zip(state.index.hashes()) {
            if !part.has_gap {
                let (stream, bytes) = (part.stream.clone(), part.state.bytes());
                let is_due = part.becomes_due(every);
                keep(Drained { stream: &stream, hash: *hash, part, bytes, is_due });
            }
        }
    }
}
