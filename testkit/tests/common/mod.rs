//! A store that is a list behind a lock, with a bug where a test plants one.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test")]

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
    thread,
    time::Duration,
};

use annals_event::{
    Append, AppendFailure, Committed, Conflict, EventId, ExpectedVersion, InvalidAppend, NewEvent,
    Position, ReadFrom, RecordedEvent, Sequenced, Snapshot, Store, StreamId, StreamVersion,
    Timestamp, Versions,
};

/// What is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    /// Unknown streams are at version 1.
    UnknownStreamsHaveAVersion,
    /// Tags are lost.
    LosesTags,
    /// Metadata comes back as the payload.
    LosesMetadata,
    /// The codec comes back as 0.
    LosesCodec,
    /// Stream names are the same in upper and lower case.
    IgnoresCase,
    /// Stream names are patterns in which `_` is any character.
    TakesNamesForPatterns,
    /// Spaces around names are cut off.
    TrimsNames,
    /// Payloads end at the first zero byte.
    EndsAtZero,
    /// `after` is ignored.
    ReadsFromTheStart,
    /// The event at `after` is read again.
    ReadsOneTooMany,
    /// Versions are only those of the events read.
    CountsWhatItReads,
    /// `at` is ignored.
    ReadsTheNewest,
    /// Versions are the newest, whatever `at` says.
    VersionsOfNow,
    /// Events come stream by stream.
    ReadsStreamByStream,
    /// Versions come in the order of names.
    SortsVersions,
    /// A conflict uses up a position.
    ConflictsLeaveGaps,
    /// `last` is one too high.
    LastIsBehind,
    /// Versions of a commit come in the order of names.
    SortsCommitVersions,
    /// A commit has at most 1,000 events: what is more is lost.
    CutsLargeAppends,
    /// A conflict in one stream lets the others through.
    AppendsByStream,
    /// Appends without events are taken.
    TakesEmptyAppends,
    /// What no store can take is reported as a conflict.
    InvalidIsAConflict,
    /// Contradicting expectations: the last is taken.
    LastExpectationWins,
    /// `Exists` is not checked.
    ExistsIsAny,
    /// `NoStream` is `Any` for streams that are only read.
    NoStreamIsAnyWhenOnlyRead,
    /// `Exactly(v)` is at least v.
    ExactlyIsAtLeast,
    /// Only streams that the append writes to are checked.
    ChecksOnlyWritten,
    /// Only the first conflict is reported.
    ReportsFirstConflict,
    /// Conflicts name the expectations that hold as well.
    ReportsAllExpectations,
    /// Conflicts are said to be at position 0.
    ConflictAtNowhere,
    /// What is actual in a conflict is one too low.
    ActualIsOff,
    /// Ids are stored and not looked at.
    IgnoresIds,
    /// A repetition is answered with where the log is now.
    RepetitionMoves,
    /// An expectation is checked before the ids are looked for.
    ChecksBeforeIds,
    /// An append of which one id is known is taken for a repetition.
    OneIdIsEnough,
    /// A repetition is not called one.
    HidesRepetitions,
    /// An id is found only if it is the first of its commit.
    FindsFirstIds,
    /// What is found is said to be where the log is now.
    FindsAtTheEnd,
    /// Derived ids are all the same.
    SameIds,
    /// Derived ids are not those of `derived_id`.
    OtherIds,
    /// An append is seen only once someone waited for it.
    SeenWhenWaitedFor,
    /// An append whose ticket is dropped is gone.
    DroppedIsGone,
    /// An append that is awaited happens stream by stream.
    AwaitsBetweenStreams,
    /// Settling what is there is an error unless someone waited.
    CannotSettle,
    /// The check and the append are two steps.
    ChecksBeforeItLocks,
    /// Each stream is read by itself.
    ReadsApart,
    /// Of what is only read, the newest version is not looked at under the lock.
    ChecksOnlyReadBeforeItLocks,
}

/// How it fails.
#[derive(Debug)]
pub(crate) struct NaiveError(String);

impl std::fmt::Display for NaiveError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NaiveError {}

#[derive(Debug, Clone)]
pub(crate) struct Naive {
    bug: Option<Bug>,
    state: Arc<Mutex<State>>,
    /// How many threads have checked and not appended yet.
    between: Arc<AtomicU32>,
}

#[derive(Debug, Default)]
struct State {
    events: Vec<Stored>,
    commits: Vec<(Vec<EventId>, Committed)>,
    /// Positions that a bug used up.
    gaps: u64,
    /// Whether anyone has waited.
    waited: bool,
}

#[derive(Debug, Clone)]
struct Stored {
    event: RecordedEvent,
    is_hidden: bool,
}

/// Says when an append is durable.
pub(crate) struct NaiveTicket {
    store: Naive,
    committed: Committed,
    is_done: bool,
}

type Outcome = Result<Sequenced<NaiveTicket>, AppendFailure<NaiveError>>;

impl Naive {
    pub(crate) fn new(bug: Option<Bug>) -> Self {
        Self { bug, state: Arc::default(), between: Arc::default() }
    }

    pub(crate) fn forget_last(&self) {
        self.state.lock().unwrap().events.pop();
    }

    pub(crate) fn forget_ids(&self) {
        self.state.lock().unwrap().commits.clear();
    }

    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// Whether two names are those of one stream.
    fn is_same(&self, one: &StreamId, other: &StreamId) -> bool {
        let (one, other) = (one.as_str(), other.as_str());
        match self.bug {
            Some(Bug::IgnoresCase) => one.to_lowercase() == other.to_lowercase(),
            Some(Bug::TrimsNames) => one.trim() == other.trim(),
            Some(Bug::TakesNamesForPatterns) => {
                let mut pairs = one.chars().zip(other.chars());
                let is_match = pairs.all(|(a, b)| a == b || a == '_' || b == '_');
                is_match && one.chars().count() == other.chars().count()
            }
            _ => one == other,
        }
    }

    fn version(&self, state: &State, stream: &StreamId, at: u64) -> u64 {
        let at_least = u64::from(self.has(Bug::UnknownStreamsHaveAVersion));
        let events = state.events.iter().filter(|stored| !stored.is_hidden);
        let events = events.filter(|s| s.event.position.get() <= at);
        let count = events.filter(|s| self.is_same(&s.event.stream, stream)).count();
        u64::try_from(count).unwrap().max(at_least)
    }

    fn read_now(&self, streams: &[ReadFrom], at: Option<Position>) -> Snapshot {
        if self.has(Bug::ReadsApart) && streams.len() > 1 {
            return self.read_apart(streams, at);
        }
        let state = self.state.lock().unwrap();
        let newest = state.position();
        let at = if self.has(Bug::ReadsTheNewest) { None } else { at };
        let position = at.map_or(newest, |at| at.get().min(newest));
        let versions_at = if self.has(Bug::VersionsOfNow) { newest } else { position };
        let mut versions = Versions::new();
        let mut events = Vec::new();
        let mut sorted: Vec<&ReadFrom> = streams.iter().collect();
        if self.has(Bug::SortsVersions) {
            sorted.sort_by(|a, b| a.stream.cmp(&b.stream));
        }
        for ReadFrom { stream, after } in sorted {
            let after = match self.bug {
                Some(Bug::ReadsFromTheStart) => 0,
                Some(Bug::ReadsOneTooMany) => after.get().saturating_sub(1),
                _ => after.get(),
            };
            let visible = state.events.iter().filter(|stored| !stored.is_hidden);
            let read = visible.filter(|stored| {
                let event = &stored.event;
                self.is_same(&event.stream, stream)
                    && event.version.get() > after
                    && event.position.get() <= position
            });
            let read: Vec<RecordedEvent> = read.map(|stored| self.shown(&stored.event)).collect();
            let version = match self.bug {
                Some(Bug::CountsWhatItReads) => u64::try_from(read.len()).unwrap(),
                _ => self.version(&state, stream, versions_at),
            };
            versions.push(StreamVersion::new(version));
            events.extend(read);
        }
        if !self.has(Bug::ReadsStreamByStream) {
            events.sort_by_key(|event| event.position);
        }
        Snapshot { position: Position::new(position), versions, events }
    }

    fn read_apart(&self, streams: &[ReadFrom], at: Option<Position>) -> Snapshot {
        let mut all =
            Snapshot { position: Position::ZERO, versions: Versions::new(), events: Vec::new() };
        for stream in streams {
            let one = self.read_now(std::slice::from_ref(stream), at);
            pause();
            all.position = all.position.max(one.position);
            all.versions.extend(one.versions);
            all.events.extend(one.events);
        }
        all.events.sort_by_key(|event| event.position);
        all
    }

    fn shown(&self, event: &RecordedEvent) -> RecordedEvent {
        let mut event = event.clone();
        match self.bug {
            Some(Bug::LosesTags) => event.tags.clear(),
            Some(Bug::LosesMetadata) => event.metadata.clear(),
            Some(Bug::LosesCodec) => event.codec = annals_event::CodecId::RAW,
            Some(Bug::EndsAtZero) => {
                let end = event.payload.iter().position(|byte| *byte == 0);
                event.payload.truncate(end.unwrap_or(event.payload.len()));
            }
            _ => {}
        }
        event
    }

    fn sequence_now(&self, append: &Append) -> Outcome {
        self.validate(append)?;
        let mut append = append.clone();
        if self.has(Bug::CutsLargeAppends) {
            append.events.truncate(1_000);
        }
        let mut state = self.state.lock().unwrap();
        if self.has(Bug::ChecksBeforeItLocks) {
            self.check(&state, &append, |_| true)?;
            append.expectations.clear();
            drop(state);
            self.meet();
            state = self.state.lock().unwrap();
        }
        if self.has(Bug::ChecksOnlyReadBeforeItLocks) {
            let is_written =
                |stream: &StreamId| append.events.iter().any(|event| event.stream == *stream);
            self.check(&state, &append, |stream| !is_written(stream))?;
            let written = append.events.iter().map(|event| event.stream.clone());
            let written: Vec<StreamId> = written.collect();
            append.expectations.retain(|(stream, _)| written.contains(stream));
            drop(state);
            self.meet();
            state = self.state.lock().unwrap();
        }
        if self.has(Bug::ChecksBeforeIds) {
            self.check(&state, &append, |_| true)?;
        }
        if let Some(committed) = self.known(&state, &append)? {
            return Ok(self.ticket(committed, !self.has(Bug::HidesRepetitions)));
        }
        if self.has(Bug::AppendsByStream) {
            let all = append.clone();
            let passes = |stream: &StreamId| self.check(&state, &all, |s| s == stream).is_ok();
            append.events.retain(|event| passes(&event.stream));
            if append.events.is_empty() {
                self.check(&state, &append, |_| true)?;
            }
        } else if let Err(conflict) = self.check(&state, &append, |_| true) {
            state.gaps += u64::from(self.has(Bug::ConflictsLeaveGaps));
            return Err(conflict);
        }
        let committed = self.push(&mut state, &append.events);
        Ok(self.ticket(committed, false))
    }

    /// Waits for another thread that has checked and not appended yet, unless none comes.
    fn meet(&self) {
        self.between.fetch_add(1, Ordering::SeqCst);
        for _ in 0..500 {
            if self.between.load(Ordering::SeqCst) > 1 {
                break;
            }
            thread::sleep(Duration::from_micros(100));
        }
        pause();
        self.between.fetch_sub(1, Ordering::SeqCst);
    }

    fn validate(&self, append: &Append) -> Result<(), AppendFailure<NaiveError>> {
        let refused = |error: InvalidAppend| AppendFailure::Store(NaiveError(error.to_string()));
        match (append.validate(), self.bug) {
            (Ok(()), _)
            | (Err(InvalidAppend::Empty), Some(Bug::TakesEmptyAppends))
            | (
                Err(InvalidAppend::ContradictoryExpectations { .. }),
                Some(Bug::LastExpectationWins),
            ) => Ok(()),
            (Err(_), Some(Bug::InvalidIsAConflict)) => {
                Err(AppendFailure::Conflict { conflicts: Vec::new(), position: Position::ZERO })
            }
            (Err(error), _) => Err(refused(error)),
        }
    }

    fn known(
        &self,
        state: &State,
        append: &Append,
    ) -> Result<Option<Committed>, AppendFailure<NaiveError>> {
        let ids: Vec<EventId> = append.events.iter().filter_map(|event| event.id).collect();
        if ids.is_empty() || self.has(Bug::IgnoresIds) {
            return Ok(None);
        }
        for (known, committed) in &state.commits {
            if !known.iter().any(|id| ids.contains(id)) {
                continue;
            }
            let stored = |event: &NewEvent| {
                let same =
                    |s: &Stored| Some(s.event.id) == event.id && s.event.stream == event.stream;
                state.events.iter().any(same)
            };
            let is_same = *known == ids && append.events.iter().all(stored);
            if !is_same && !self.has(Bug::OneIdIsEnough) {
                let error = NaiveError("an id names another event".to_owned());
                return Err(AppendFailure::Store(error));
            }
            let mut committed = committed.clone();
            if self.has(Bug::RepetitionMoves) {
                committed.last = Position::new(state.position());
            }
            return Ok(Some(committed));
        }
        Ok(None)
    }

    /// Checks the expectations of the streams that `is_checked`.
    fn check(
        &self,
        state: &State,
        append: &Append,
        is_checked: impl Fn(&StreamId) -> bool,
    ) -> Result<(), AppendFailure<NaiveError>> {
        let mut conflicts = Vec::new();
        let mut holding = Vec::new();
        for (stream, expected) in &append.expectations {
            let is_written = append.events.iter().any(|event| event.stream == *stream);
            let actual = StreamVersion::new(self.version(state, stream, u64::MAX));
            let holds = match (self.bug, expected) {
                (Some(Bug::ExistsIsAny), ExpectedVersion::Exists) => true,
                (Some(Bug::NoStreamIsAnyWhenOnlyRead), ExpectedVersion::NoStream) => {
                    !is_written || expected.holds(actual)
                }
                (Some(Bug::ExactlyIsAtLeast), ExpectedVersion::Exactly(v)) => actual >= *v,
                (Some(Bug::ChecksOnlyWritten), _) => !is_written || expected.holds(actual),
                _ => expected.holds(actual),
            };
            let told = match self.bug {
                Some(Bug::ActualIsOff) => actual.previous(),
                _ => actual,
            };
            let conflict = Conflict { stream: stream.clone(), expected: *expected, actual: told };
            let told = if holds || !is_checked(stream) { &mut holding } else { &mut conflicts };
            told.push(conflict);
        }
        if conflicts.is_empty() {
            return Ok(());
        }
        match self.bug {
            Some(Bug::ReportsFirstConflict) => conflicts.truncate(1),
            Some(Bug::ReportsAllExpectations) => conflicts.extend(holding),
            _ => {}
        }
        let position = match self.bug {
            Some(Bug::ConflictAtNowhere) => 0,
            _ => state.position(),
        };
        Err(AppendFailure::Conflict { conflicts, position: Position::new(position) })
    }

    fn push(&self, state: &mut State, events: &[NewEvent]) -> Committed {
        let first = state.position() + 1;
        let mut written: Vec<StreamId> = Vec::new();
        for event in events {
            let position = Position::new(state.position() + 1);
            let version =
                state.events.iter().filter(|s| self.is_same(&s.event.stream, &event.stream));
            let version = u64::try_from(version.count()).unwrap() + 1;
            let id = event.id.unwrap_or_else(|| match self.bug {
                Some(Bug::OtherIds) => self.derived_id(position.next()),
                _ => self.derived_id(position),
            });
            if !written.contains(&event.stream) {
                written.push(event.stream.clone());
            }
            let event = RecordedEvent {
                stream: event.stream.clone(),
                version: StreamVersion::new(version),
                position,
                time: Timestamp(7),
                id,
                event_type: event.event_type.clone(),
                codec: event.codec,
                schema_version: event.schema_version,
                payload: event.payload.clone(),
                metadata: event.metadata.clone(),
                tags: event.tags.clone(),
            };
            state.events.push(Stored { event, is_hidden: false });
        }
        if self.has(Bug::SortsCommitVersions) {
            written.sort();
        }
        let version = |stream| StreamVersion::new(self.version(state, stream, u64::MAX));
        let committed = Committed {
            first: Position::new(first),
            last: Position::new(state.position() + u64::from(self.has(Bug::LastIsBehind))),
            time: Timestamp(7),
            versions: written.iter().map(version).collect(),
        };
        let ids: Vec<EventId> = events.iter().filter_map(|event| event.id).collect();
        state.commits.push((ids, committed.clone()));
        if self.has(Bug::SeenWhenWaitedFor) {
            set_hidden(state, &committed, true);
        }
        committed
    }

    fn ticket(&self, committed: Committed, is_repeat: bool) -> Sequenced<NaiveTicket> {
        let ticket =
            NaiveTicket { store: self.clone(), committed: committed.clone(), is_done: false };
        Sequenced { committed, ticket, is_repeat }
    }

    fn find_now(&self, id: EventId) -> Option<Committed> {
        let state = self.state.lock().unwrap();
        let has = |ids: &[EventId]| match self.bug {
            Some(Bug::FindsFirstIds) => ids.first() == Some(&id),
            _ => ids.contains(&id),
        };
        let mut found = state.commits.iter().find(|(ids, _)| has(ids))?.1.clone();
        if self.has(Bug::FindsAtTheEnd) {
            found.last = Position::new(state.position());
        }
        Some(found)
    }

    fn settle_now(&self, position: Position) -> Result<(), NaiveError> {
        let state = self.state.lock().unwrap();
        if self.has(Bug::CannotSettle) && position > Position::ZERO && !state.waited {
            return Err(NaiveError("nobody has waited".to_owned()));
        }
        Ok(())
    }
}

fn set_hidden(state: &mut State, committed: &Committed, is_hidden: bool) {
    for stored in &mut state.events {
        if (committed.first..=committed.last).contains(&stored.event.position) {
            stored.is_hidden = is_hidden;
        }
    }
}

/// Long enough for others to come between.
fn pause() {
    thread::sleep(Duration::from_micros(200));
}

impl State {
    fn position(&self) -> u64 {
        u64::try_from(self.events.len()).unwrap() + self.gaps
    }
}

impl NaiveTicket {
    fn done(&mut self) {
        self.is_done = true;
        let mut state = self.store.state.lock().unwrap();
        state.waited = true;
        set_hidden(&mut state, &self.committed, false);
    }
}

impl Future for NaiveTicket {
    type Output = Result<(), NaiveError>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        self.done();
        Poll::Ready(Ok(()))
    }
}

impl Drop for NaiveTicket {
    fn drop(&mut self) {
        if self.store.has(Bug::DroppedIsGone) && !self.is_done {
            let mut state = self.store.state.lock().unwrap();
            let first = self.committed.first;
            state.events.retain(|stored| stored.event.position < first);
        }
    }
}

impl Store for Naive {
    type Error = NaiveError;
    type Ticket = NaiveTicket;

    async fn read(
        &self,
        streams: &[ReadFrom],
        at: Option<Position>,
    ) -> Result<Snapshot, NaiveError> {
        Ok(self.read_now(streams, at))
    }

    async fn sequence(&self, append: &Append) -> Outcome {
        if self.has(Bug::AwaitsBetweenStreams) && append.expectations.is_empty() {
            let mut versions = Versions::new();
            for event in &append.events {
                let one = self.sequence_now(&Append::new().event(event.clone()))?;
                versions.extend(one.committed.versions);
                look_again().await;
            }
            let last = self.state.lock().unwrap().commits.last().cloned();
            return Ok(self.ticket(Committed { versions, ..last.unwrap().1 }, false));
        }
        self.sequence_now(append)
    }

    async fn settle(&self, position: Position) -> Result<(), NaiveError> {
        self.settle_now(position)
    }

    async fn find(&self, id: EventId) -> Result<Option<Committed>, NaiveError> {
        Ok(self.find_now(id))
    }

    fn read_blocking(
        &self,
        streams: &[ReadFrom],
        at: Option<Position>,
    ) -> Result<Snapshot, NaiveError> {
        Ok(self.read_now(streams, at))
    }

    fn sequence_blocking(&self, append: &Append) -> Outcome {
        self.sequence_now(append)
    }

    fn wait(&self, mut ticket: NaiveTicket) -> Result<(), NaiveError> {
        ticket.done();
        Ok(())
    }

    fn settle_blocking(&self, position: Position) -> Result<(), NaiveError> {
        self.settle_now(position)
    }

    fn find_blocking(&self, id: EventId) -> Result<Option<Committed>, NaiveError> {
        Ok(self.find_now(id))
    }

    fn derived_id(&self, position: Position) -> EventId {
        match self.bug {
            Some(Bug::SameIds) => EventId::new([9; 16]),
            _ => EventId::derived(42, position),
        }
    }
}

/// Pending once.
async fn look_again() {
    let mut looked = false;
    poll_fn(|context| {
        if std::mem::replace(&mut looked, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
