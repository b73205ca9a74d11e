//! What the reliability tests share: appends that say which one they are, a ledger of what became
//! of them, and the checker that holds a store to the ledger.
//!
//! The checker is the oracle of every crash test, so it is itself shown lost, torn, doubled and
//! invented commits (`tests/power_cut.rs`).
#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod workload;

use std::{collections::BTreeMap, fmt, sync::Arc};

use annals::{
    Annals, Append, AppendError, Committed, EventId, LogQuery, NewEvent, OpenError, Options,
    Pending, Position, ReadError, RecordedEvent, StreamId, StreamQuery, Threads,
};
use annals_sim::{CrashPlan, Fault, SimDisk, SimEnvironment, Times};

/// The smallest segment: a header's page and as much for frames.
pub(crate) const SEGMENT_BYTES: u64 = 8 << 10;

/// Options of a run that is the same each time: no threads, no clock, small segments. Each seed
/// has a second of its own, so that time goes on from one opening to the next.
pub(crate) fn options(seed: u64) -> Options {
    let environment = SimEnvironment::new(seed);
    environment.advance(i64::try_from(seed).unwrap() * 1_000_000);
    Options::new()
        .threads(Threads::Inline)
        .environment(Arc::new(environment))
        .segment_bytes(SEGMENT_BYTES)
}

/// Opens the store on a simulated disk.
pub(crate) fn open(disk: &SimDisk, seed: u64) -> Result<Annals, OpenError> {
    options(seed).open_on(Arc::new(disk.clone()))
}

pub(crate) fn stream(name: &str) -> StreamId {
    StreamId::new(name).unwrap()
}

/// Bytes of a payload before its filler: which append, which event of it.
const LABEL: usize = 16;

/// Append number `number`, with an event for each stream and payload length. Some appends give
/// their events ids, some metadata and tags, so that frames differ in shape.
pub(crate) fn numbered(number: u64, events: &[(&str, usize)]) -> Append {
    let event = |(index, (name, len)): (usize, &(&str, usize))| {
        let index = u64::try_from(index).unwrap();
        let label = [number.to_le_bytes(), index.to_le_bytes()].concat();
        let mut payload = label.clone();
        // No zero among them: a missing one is seen.
        payload.extend((1..=u8::MAX).cycle().skip(LABEL).take(len.saturating_sub(LABEL)));
        let event = NewEvent::new(stream(name), "Happened", payload).unwrap();
        match number % 3 {
            1 => event.with_id(EventId::new(label.try_into().unwrap())),
            2 => event.with_metadata(*b"who and why").with_tag("tagged"),
            _ => event,
        }
    };
    Append::new().events(events.iter().enumerate().map(event))
}

/// Which append an event is of.
fn number_of(event: &RecordedEvent) -> Option<u64> {
    event.payload.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

/// What is known of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It must be there, at this position, for ever.
    Acknowledged(Position),
    /// It may be there, whole, or not.
    Unknown,
    /// It must not be there, ever.
    Refused,
}

/// Every append that was tried, by number, and what became of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    entries: Vec<(Append, Fate)>,
}

/// What a store shows of itself: everything, read in every way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shown {
    pub(crate) events: Vec<RecordedEvent>,
    /// By stream: the version it is said to have, and its events.
    pub(crate) streams: BTreeMap<StreamId, (u64, Vec<RecordedEvent>)>,
}

/// How a store breaks its word.
#[derive(Debug)]
pub(crate) enum Violation {
    /// It cannot be opened although nothing but a crash or a fault happened to it.
    NotOpened(OpenError),
    /// It cannot be read.
    NotRead(ReadError),
    /// A new append is not taken.
    NotAppended(AppendError),
    /// An acknowledged append is missing.
    Lost(u64),
    /// Only some events of an append are there, or not one after the other.
    Partial(u64),
    /// An event that nobody appended.
    Invented(Position),
    /// An append is there that was refused, or found missing before.
    Risen(u64),
    /// Appends are not in the order in which they were made, or one is there twice.
    OutOfOrder(u64),
    /// An event has other content than was appended.
    Altered(u64),
    /// An append is not where its acknowledgement said.
    Moved(u64),
    /// Positions are not 1, 2, 3, ...
    Gap(Position),
    /// Versions of a stream are not 1, 2, 3, ..., or reading it shows something else than reading
    /// everything does.
    WrongStream(StreamId),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOpened(error) => write!(f, "not opened: {error}"),
            Self::NotRead(error) => write!(f, "not read: {error}"),
            Self::NotAppended(error) => write!(f, "not appended: {error}"),
            other => write!(f, "{other:?}"),
        }
    }
}

impl Ledger {
    /// The number of the next append.
    pub(crate) fn next(&self) -> u64 {
        u64::try_from(self.entries.len()).unwrap()
    }

    /// Notes an append whose outcome is not known yet; returns its number.
    pub(crate) fn tried(&mut self, append: Append) -> u64 {
        self.entries.push((append, Fate::Unknown));
        self.next() - 1
    }

    /// Notes the outcome of an append.
    pub(crate) fn heard(&mut self, number: u64, outcome: &Result<Committed, AppendError>) {
        self.entries[usize::try_from(number).unwrap()].1 = match outcome {
            Ok(committed) => Fate::Acknowledged(committed.first),
            Err(AppendError::OutcomeUnknown(_)) => Fate::Unknown,
            Err(_) => Fate::Refused,
        };
    }

    /// Starts the next append, without waiting for it.
    pub(crate) fn start(&mut self, store: &Annals, events: &[(&str, usize)]) -> (u64, Pending) {
        let append = numbered(self.next(), events);
        let pending = store.append(&append);
        (self.tried(append), pending)
    }

    /// Waits for an append that was started.
    pub(crate) fn finish(
        &mut self,
        (number, pending): (u64, Pending),
    ) -> Result<Committed, AppendError> {
        let outcome = pending.wait();
        self.heard(number, &outcome);
        outcome
    }

    /// Makes the next append.
    pub(crate) fn append(
        &mut self,
        store: &Annals,
        events: &[(&str, usize)],
    ) -> Result<Committed, AppendError> {
        let started = self.start(store, events);
        self.finish(started)
    }

    /// Says that nothing that was acknowledged need be there.
    pub(crate) fn forget_acknowledgements(&mut self) {
        for (_, fate) in &mut self.entries {
            if matches!(fate, Fate::Acknowledged(_)) {
                *fate = Fate::Unknown;
            }
        }
    }

    /// Says that nothing is known any more of the appends from this one on.
    pub(crate) fn forget_from(&mut self, number: usize) {
        self.entries.iter_mut().skip(number).for_each(|(_, fate)| *fate = Fate::Unknown);
    }

    pub(crate) fn fates(&self) -> impl Iterator<Item = Fate> {
        self.entries.iter().map(|(_, fate)| *fate)
    }

    /// How many appends were acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        self.fates().filter(|fate| matches!(fate, Fate::Acknowledged(_))).count()
    }

    /// Holds a store that was just opened to the ledger. What was unknown is known from then on:
    /// what is there stays, what is not there stays away.
    pub(crate) fn check(&mut self, store: &Annals) -> Result<(), Violation> {
        let found = self.compare(&Shown::by(store)?)?;
        for ((_, fate), place) in self.entries.iter_mut().zip(found) {
            *fate = place.map_or(Fate::Refused, Fate::Acknowledged);
        }
        Ok(())
    }

    /// Where each append is, if the store keeps its word.
    pub(crate) fn compare(&self, shown: &Shown) -> Result<Vec<Option<Position>>, Violation> {
        let mut found = vec![None; self.entries.len()];
        let mut versions: BTreeMap<&StreamId, Vec<&RecordedEvent>> = BTreeMap::new();
        let (mut rest, mut position) = (shown.events.as_slice(), Position::ZERO);
        let mut smallest = 0;
        while let Some(event) = rest.first() {
            let number = number_of(event).ok_or(Violation::Invented(event.position))?;
            let entry = usize::try_from(number).ok().and_then(|index| self.entries.get(index));
            let (append, fate) = entry.ok_or(Violation::Invented(event.position))?;
            if number < smallest {
                return Err(Violation::OutOfOrder(number));
            }
            smallest = number + 1;
            let (commit, behind) =
                rest.split_at_checked(append.events.len()).ok_or(Violation::Partial(number))?;
            compare_commit(number, append, commit)?;
            match fate {
                Fate::Refused => return Err(Violation::Risen(number)),
                Fate::Acknowledged(first) if *first != event.position => {
                    return Err(Violation::Moved(number));
                }
                Fate::Acknowledged(_) | Fate::Unknown => {}
            }
            for event in commit {
                position = position.next();
                if event.position != position {
                    return Err(Violation::Gap(event.position));
                }
                versions.entry(&event.stream).or_default().push(event);
            }
            found[usize::try_from(number).unwrap()] = Some(event.position);
            rest = behind;
        }
        let missing = |(fate, place): &(Fate, &Option<Position>)| {
            matches!(fate, Fate::Acknowledged(_)) && place.is_none()
        };
        if let Some(index) = self.fates().zip(&found).position(|pair| missing(&pair)) {
            return Err(Violation::Lost(u64::try_from(index).unwrap()));
        }
        compare_streams(&versions, shown)?;
        Ok(found)
    }
}

fn compare_commit(number: u64, append: &Append, commit: &[RecordedEvent]) -> Result<(), Violation> {
    for (new, recorded) in append.events.iter().zip(commit) {
        if number_of(recorded) != Some(number) {
            return Err(Violation::Partial(number));
        }
        let is_same = recorded.stream == new.stream
            && recorded.event_type == new.event_type
            && recorded.payload == new.payload
            && recorded.metadata == new.metadata
            && recorded.tags == new.tags
            && new.id.is_none_or(|id| id == recorded.id)
            && recorded.time == commit[0].time;
        if !is_same {
            let label = |payload: &[u8]| payload.get(..LABEL).map(<[u8]>::to_vec);
            let is_other_event = label(&recorded.payload) != label(&new.payload);
            return Err(if is_other_event {
                Violation::Partial(number)
            } else {
                Violation::Altered(number)
            });
        }
    }
    Ok(())
}

fn compare_streams(
    versions: &BTreeMap<&StreamId, Vec<&RecordedEvent>>,
    shown: &Shown,
) -> Result<(), Violation> {
    for (stream, (version, events)) in &shown.streams {
        let expected = versions.get(stream).map(Vec::as_slice).unwrap_or_default();
        let is_dense = expected.iter().zip(1..).all(|(event, n)| event.version.get() == n);
        let is_said = *version == u64::try_from(expected.len()).unwrap();
        if !is_dense || !is_said || !events.iter().eq(expected.iter().copied()) {
            return Err(Violation::WrongStream(stream.clone()));
        }
    }
    match versions.keys().find(|stream| !shown.streams.contains_key(**stream)) {
        Some(stream) => Err(Violation::WrongStream((*stream).clone())),
        None => Ok(()),
    }
}

impl Shown {
    /// Reads a store in every way.
    pub(crate) fn by(store: &Annals) -> Result<Self, Violation> {
        let read = |events: annals::Events| events.collect::<Result<Vec<_>, _>>();
        let events = read(store.read_all(LogQuery::forward())).map_err(Violation::NotRead)?;
        let mut streams = BTreeMap::new();
        for (stream, version) in store.streams("") {
            let forward = read(store.read_stream(&stream, StreamQuery::forward()));
            let forward = forward.map_err(Violation::NotRead)?;
            streams.insert(stream, (version.get(), forward));
        }
        Ok(Self { events, streams })
    }
}

/// Opens a copy of what is left after a crash, holds it to the ledger, goes on with it, and opens
/// it again.
pub(crate) fn survive(disk: &SimDisk, ledger: &mut Ledger, seed: u64) -> Result<(), Violation> {
    let disk = &disk.crash(CrashPlan::everything());
    let store = open(disk, seed).map_err(Violation::NotOpened)?;
    ledger.check(&store)?;
    ledger.append(&store, &[("a", 40), ("new", 20)]).map_err(Violation::NotAppended)?;
    drop(store);
    let store = open(disk, seed + 1).map_err(Violation::NotOpened)?;
    ledger.check(&store)
}

/// A disk as a power cut leaves it whose log ends in a group of three commits of the same length,
/// of which only some sectors survived.
pub(crate) fn torn(seed: u64) -> (SimDisk, Ledger) {
    let (disk, mut ledger) = (SimDisk::new(), Ledger::default());
    let store = open(&disk, 0).unwrap();
    for len in [20, 30, 40] {
        ledger.append(&store, &[("a", len)]).unwrap();
    }
    let started: Vec<_> = (0..3).map(|_| ledger.start(&store, &[("a", 600)])).collect();
    disk.fail_at(disk.calls() + 2, Fault::EIO, Times::Forever);
    for started in started {
        ledger.finish(started).unwrap_err();
    }
    (disk.crash(CrashPlan::seeded(seed)), ledger)
}
