//! What a decision rests on: streams, their versions, and the state folded from them.

use annals_event::{
    Append, Committed, ExpectedVersion, Position, ReadFrom, RecordedEvent, Snapshot, StreamId,
    StreamVersion,
};
use smallvec::SmallVec;

use annals_planted::{Bug, planted};

use crate::{
    caching::{Caching, Kind, Whole},
    codec::Codec,
    command::Command,
    event_error::DecodeError,
    guard::{Panicked, guard},
    payloads::Payloads,
    per_stream::{Drained, Mark},
    recorded::Recorded,
    snapshot_keeper::{Due, Keeper},
    state_cache::{StateCache, StateKey},
    stream_index::{StreamIndex, hash_of},
};

/// Streams, their versions, and the state folded from them.
///
/// Invariant: unless `is_broken`, `state` is the fold of all streams up to their `after`.
pub(crate) struct Basis<S: 'static> {
    state: S,
    caching: Caching<S>,
    /// The declared streams, then the discovered ones; `after` is the version that is folded.
    streams: Vec<ReadFrom>,
    index: StreamIndex,
    declared: usize,
    /// Folding ended half way.
    is_broken: bool,
    /// For streams, by number, whose state comes from a snapshot: the event to read before it is
    /// believed.
    unproven: SmallVec<[(usize, Mark); 1]>,
    /// Whether a snapshot was not of this log: no others are looked for.
    distrusts: bool,
}

/// A state that is kept as one, and what it is the fold of.
struct Kept<S> {
    state: S,
    streams: Vec<ReadFrom>,
}

/// Why folding ended half way.
pub(crate) enum Unfolded {
    Panicked(Panicked),
    Undecoded { stream: StreamId, position: Position, source: DecodeError },
}

impl<S: Default + Send + 'static> Basis<S> {
    /// Nothing is folded yet. Names that come twice count once.
    pub(crate) fn new(declared: Vec<StreamId>, caching: Caching<S>) -> Self {
        let mut basis = Self {
            state: S::default(),
            caching,
            streams: Vec::with_capacity(declared.len()),
            index: StreamIndex::default(),
            declared: 0,
            is_broken: false,
            unproven: SmallVec::new(),
            distrusts: false,
        };
        basis.add(declared);
        basis.declared = basis.streams.len();
        basis
    }

    pub(crate) fn state(&self) -> &S {
        &self.state
    }

    /// All streams; those from some number on are to be read next.
    pub(crate) fn streams(&self) -> &[ReadFrom] {
        &self.streams
    }

    /// The hashes of the streams' names.
    pub(crate) fn hashes(&self) -> &[u64] {
        self.index.hashes()
    }

    /// Whether streams were added to the declared ones.
    pub(crate) fn has_discovered(&self) -> bool {
        self.streams.len() > self.declared
    }

    pub(crate) fn is_kept_per_stream(&self) -> bool {
        matches!(self.caching.0, Kind::PerStream { .. })
    }

    pub(crate) fn has(&self, stream: &StreamId) -> bool {
        self.find(hash_of(stream), stream).is_some()
    }

    fn find(&self, hash: u64, stream: &StreamId) -> Option<usize> {
        let is_same = |at: usize| self.streams.get(at).is_some_and(|from| from.stream == *stream);
        self.index.find(hash, is_same)
    }

    /// Adds those streams that are new.
    pub(crate) fn add(&mut self, streams: Vec<StreamId>) {
        for stream in streams {
            let hash = hash_of(&stream);
            if self.find(hash, &stream).is_none() {
                self.streams.push(ReadFrom { stream, after: StreamVersion::ZERO });
                self.index.push(hash);
            }
        }
    }

    /// Begins again with the declared streams, from their first events on.
    pub(crate) fn begin_again(&mut self) {
        self.state = S::default();
        self.is_broken = false;
        self.unproven.clear();
        self.streams.truncate(self.declared);
        self.index.truncate(self.declared);
        for from in &mut self.streams {
            from.after = StreamVersion::ZERO;
        }
    }

    /// What every stream is expected to be at.
    pub(crate) fn expectations(&self) -> Vec<(StreamId, ExpectedVersion)> {
        let expect = |from: &ReadFrom| (from.stream.clone(), ExpectedVersion::Exactly(from.after));
        let is_partial = planted(Bug::DiscoveredUnchecked);
        let count = if is_partial { self.declared } else { self.streams.len() };
        self.streams.iter().take(count).map(expect).collect()
    }
}

/// Between the cache and the command.
impl<S: Default + Send + 'static> Basis<S> {
    /// Takes over what is kept of the declared streams; may add streams that were discovered.
    pub(crate) fn take_kept(&mut self, cache: &StateCache, keeper: Option<&Keeper>) {
        let Kind::Whole(whole) = &self.caching.0 else {
            self.take_parts(cache, keeper, 0, Position::MAX);
            return;
        };
        let key = whole.key(self);
        if let Some(kept) = cache.take::<Kept<S>>(&key) {
            let Kept { state, streams } = *kept;
            self.state = state;
            self.streams = streams;
            for from in self.streams.iter().skip(self.declared) {
                self.index.push(hash_of(&from.stream));
            }
        }
    }

    /// Takes over what is kept of each stream from number `first` on. Says whether none of it is
    /// newer than `at`, the position that the others were read at.
    pub(crate) fn take_parts(
        &mut self,
        cache: &StateCache,
        keeper: Option<&Keeper>,
        first: usize,
        at: Position,
    ) -> bool {
        let Kind::PerStream { part, parts, snapshots } = self.caching.0 else { return true };
        let keeper = keeper.filter(|_| !self.distrusts).zip(snapshots);
        let mut none_is_newer = true;
        let numbered = self.streams.iter_mut().zip(self.index.hashes()).enumerate().skip(first);
        for (number, (from, hash)) in numbered {
            let streams = std::slice::from_ref(&*from);
            let key = StateKey { name: part, number: 0, hash: *hash, streams };
            if let Some(kept) = cache.take_any(&key) {
                let Some(last) = parts.insert(&mut self.state, *hash, kept) else { continue };
                from.after = last.version;
                none_is_newer &= last.position <= at;
            } else if let Some((keeper, form)) = &keeper
                && let Some((saved, last)) = keeper.load(form, &from.stream)
                && last.position <= at
                && parts.insert(&mut self.state, *hash, saved).is_some()
            {
                // Its last event is read again.
                from.after = StreamVersion::new(last.version.get() - 1);
                self.unproven.push((number, last));
            }
        }
        none_is_newer
    }

    /// Whether the log has the events that the snapshots end with. They are taken out of what was
    /// read: they are folded already. If not, nothing is left, and snapshots are not used again.
    pub(crate) fn prove(&mut self, read: &mut Snapshot, keeper: Option<&Keeper>) -> bool {
        for (number, mark) in std::mem::take(&mut self.unproven) {
            let Some(from) = self.streams.get(number) else { continue };
            let at = read.events.iter().position(|event| event.stream == from.stream);
            let event = at.and_then(|at| Some((at, read.events.get(at)?)));
            let proven = event.filter(|(_, event)| mark_of(event) == mark).map(|(at, _)| at);
            if let Some(at) = proven {
                drop(read.events.remove(at));
            } else {
                let reason = "its last event is not in this log";
                if let Some(keeper) = keeper {
                    keeper.not_used(&from.stream, &reason);
                }
                self.begin_again();
                self.distrusts = true;
                return false;
            }
        }
        true
    }

    /// Leaves the state to the cache and begins again.
    pub(crate) fn put_back(&mut self, cache: &StateCache, keeper: Option<&Keeper>) {
        let state = std::mem::take(&mut self.state);
        match &self.caching.0 {
            _ if self.is_broken || !self.unproven.is_empty() => {}
            Kind::Nothing => {}
            Kind::Whole(whole) => {
                if self.streams.iter().any(|from| from.after > StreamVersion::ZERO) {
                    let bytes = (whole.bytes)(&state);
                    let kept = Kept { state, streams: self.streams.clone() };
                    cache.put(&whole.key(self), Box::new(kept), bytes);
                }
            }
            Kind::PerStream { part: name, parts, snapshots } => {
                let keeper = keeper.zip(*snapshots);
                let every = keeper.as_ref().map(|(_, form)| form.snapshots.every);
                parts.drain(state, every, &mut |drained| {
                    let Drained { stream, hash, part, bytes, is_due } = drained;
                    let at = self.find(hash, stream);
                    let Some(from) = at.and_then(|at| self.streams.get(at)) else { return };
                    let streams = std::slice::from_ref(from);
                    cache.put(&StateKey { name: *name, number: 0, hash, streams }, part, bytes);
                    if let (true, Some((keeper, form))) = (is_due, keeper) {
                        let stream = from.stream.clone();
                        keeper.save_soon(Due { part: *name, stream, hash, form });
                    }
                });
            }
        }
        self.begin_again();
    }
}

fn mark_of(event: &RecordedEvent) -> Mark {
    let RecordedEvent { version, position, id, time, .. } = *event;
    Mark { version, position, id, time }
}

impl<S: 'static> Whole<S> {
    fn key<'a>(&self, basis: &'a Basis<S>) -> StateKey<'a> {
        let declared = basis.index.hashes().iter().take(basis.declared);
        let hash = declared.fold(0_u64, |hash, stream| hash.rotate_left(7) ^ stream);
        let streams = basis.streams.get(..basis.declared).unwrap_or_default();
        StateKey { name: self.name, number: self.number, hash, streams }
    }
}

/// Folding.
impl<S: Default + Send + 'static> Basis<S> {
    /// Folds what was read of the streams from number `first` on.
    pub(crate) fn fold<C: Command<State = S>>(
        &mut self,
        command: &C,
        payloads: &Payloads<impl Codec>,
        first: usize,
        snapshot: Snapshot,
    ) -> Result<(), Unfolded> {
        for event in snapshot.events {
            if planted(Bug::StateNotRefreshed) && self.is_kept(&event) {
                continue;
            }
            if let Err(error) = self.fold_one(command, payloads, event) {
                self.is_broken = true;
                return Err(error);
            }
        }
        for (from, version) in self.streams.iter_mut().skip(first).zip(snapshot.versions) {
            from.after = version;
        }
        Ok(())
    }

    /// Whether the state has an earlier event of the same stream.
    fn is_kept(&self, event: &RecordedEvent) -> bool {
        let at = self.find(hash_of(&event.stream), &event.stream);
        let from = at.and_then(|at| self.streams.get(at));
        from.is_some_and(|from| from.after > StreamVersion::ZERO)
    }

    fn fold_one<C: Command<State = S>>(
        &mut self,
        command: &C,
        payloads: &Payloads<impl Codec>,
        event: RecordedEvent,
    ) -> Result<(), Unfolded> {
        let (stream, mark) = (event.stream.clone(), mark_of(&event));
        match payloads.decode::<C::Event>(event) {
            Ok(Some(recorded)) => {
                let fold = || command.evolve(&mut self.state, &recorded);
                guard("evolve", fold).map_err(Unfolded::Panicked)
            }
            Ok(None) => {
                if let Kind::PerStream { parts, .. } = &self.caching.0 {
                    parts.skip(&mut self.state, &stream, mark);
                }
                Ok(())
            }
            Err(source) => Err(Unfolded::Undecoded { stream, position: mark.position, source }),
        }
    }

    /// Folds what the command itself appended, so that the next one need not read it.
    pub(crate) fn fold_own<C: Command<State = S>>(
        &mut self,
        command: &C,
        committed: &Committed,
        append: Append,
        events: Vec<C::Event>,
        derived_id: impl Fn(Position) -> annals_event::EventId,
    ) {
        if matches!(self.caching.0, Kind::Nothing) {
            return;
        }
        let mut position = committed.first;
        for (new, event) in append.events.into_iter().zip(events) {
            let at = self.find(hash_of(&new.stream), &new.stream);
            let Some(from) = at.and_then(|at| self.streams.get_mut(at)) else { continue };
            from.after = from.after.next();
            let recorded = Recorded {
                event,
                version: from.after,
                position,
                time: committed.time,
                id: new.id.unwrap_or_else(|| derived_id(position)),
                stream: new.stream,
                metadata: new.metadata,
            };
            position = position.next();
            if planted(Bug::OwnEventsNotFolded) {
                continue;
            }
            // It is appended: a panic is for the next command that reads it.
            self.is_broken |=
                guard("evolve", || command.evolve(&mut self.state, &recorded)).is_err();
        }
    }
}
