//! State that falls into parts, one for each stream: what the cache can keep for all commands
//! that touch a stream, whatever other streams they touch.

use std::{any::Any, fmt};

use annals_event::{Position, StreamId, StreamVersion};

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
    state: P,
    /// All events up to this version are in it, and no others.
    version: StreamVersion,
    /// Where the last of them is.
    position: Position,
    /// Whether an event was left out, so that `version` says nothing.
    has_gap: bool,
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
        part.advance(recorded.version, recorded.position);
    }

    /// Counts an event that means nothing to this program as folded.
    fn skip(&mut self, stream: &StreamId, version: StreamVersion, position: Position) {
        self.part_mut(stream).advance(version, position);
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
        let (version, position) = (StreamVersion::ZERO, Position::ZERO);
        Self { stream, state: P::default(), version, position, has_gap: false }
    }

    fn advance(&mut self, version: StreamVersion, position: Position) {
        self.has_gap |= version != self.version.next();
        self.version = version;
        self.position = position;
    }
}

/// A part whose type is known to its command only.
pub(crate) type AnyPart = Box<dyn Any + Send>;

/// How far a part goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) version: StreamVersion,
    pub(crate) position: Position,
}

/// What the executor does with the parts of a state of type `S`.
pub(crate) trait Parts<S>: Sync {
    /// Takes over a part; says how far it goes.
    fn insert(&self, state: &mut S, hash: u64, part: AnyPart) -> Option<Extent>;

    /// Counts an event that the command does not see as folded.
    fn skip(&self, state: &mut S, stream: &StreamId, version: StreamVersion, position: Position);

    /// Hands over all parts that are whole, with the bytes that they take.
    fn drain(&self, state: S, keep: &mut dyn FnMut(&StreamId, u64, AnyPart, usize));
}

/// The parts of [`PerStream`].
pub(crate) struct PartsOf<P>(pub(crate) std::marker::PhantomData<fn() -> P>);

impl<P: StreamState> Parts<PerStream<P>> for PartsOf<P> {
    fn insert(&self, state: &mut PerStream<P>, hash: u64, part: AnyPart) -> Option<Extent> {
        let part = part.downcast::<Part<P>>().ok()?;
        let extent = Extent { version: part.version, position: part.position };
        state.insert(hash, part);
        Some(extent)
    }

    fn skip(
        &self,
        state: &mut PerStream<P>,
        stream: &StreamId,
        version: StreamVersion,
        position: Position,
    ) {
        state.skip(stream, version, position);
    }

    fn drain(&self, state: PerStream<P>, keep: &mut dyn FnMut(&StreamId, u64, AnyPart, usize)) {
        for (part, hash) in state.parts.into_iter().zip(state.index.hashes()) {
            if !part.has_gap {
                let (stream, bytes) = (part.stream.clone(), part.state.bytes());
                keep(&stream, *hash, part, bytes);
            }
        }
    }
}
