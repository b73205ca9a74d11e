//! The store does what a list of events would do: random appends, expectations, repetitions, reads
//! and subscriptions against a naive model, in memory and on disks of all kinds, with the store
//! opened again in between; and many threads at once, of whom none may see anything else.
//!
//! Whatever fails prints the seed that it failed with.
#![allow(
    clippy::unwrap_used,
    clippy::unused_self,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used,
    missing_docs,
    reason = "a test"
)]

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    ops::ControlFlow,
    path::Path,
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use annals::{
    Annals, Append, AppendError, CodecId, CommitDelivery, Committed, Conflict, Conflicts, Delivery,
    Direction, Directory, EventId, EventView, ExpectedVersion, File, Filter, LogQuery, NewEvent,
    Options, Position, ReadError, ReadFrom, ReadMode, RecordedEvent, SchemaVersion, Snapshot,
    Store, StreamId, StreamQuery, StreamVersion, Subscription, SyncPolicy,
};
use annals_sim::{Random, SimDisk};
use annals_wal::{Access, LockError, Map, WriterLock};
use common::{open, options, stream};

const STREAMS: [&str; 9] =
    ["a", "ab", "abc", "order-1", "order-2", "order-10", "Order-1", "öde", "\u{10FFFF}"];
const TYPES: [&str; 3] = ["Opened", "Closed", "Open"];

/// A list of events, and what was told to those who appended them.
#[derive(Default)]
struct Model {
    events: Vec<RecordedEvent>,
    /// Appends whose events have ids, and their results.
    identified: Vec<(Append, Committed)>,
}

/// What an append should hear.
#[derive(Debug, PartialEq)]
enum Answer {
    /// These versions, from this position on.
    Committed(Position, Vec<StreamVersion>),
    /// What it heard the first time.
    Repeated(Committed),
    IdInUse(EventId, Position),
    Conflict(Vec<Conflict>),
}

impl Model {
    fn version(&self, stream: &StreamId) -> StreamVersion {
        StreamVersion::new(count(self.events.iter().filter(|event| event.stream == *stream)))
    }

    fn answer(&self, append: &Append) -> Answer {
        let ids: Vec<EventId> = append.events.iter().filter_map(|event| event.id).collect();
        let known = |id: &EventId| self.events.iter().find(|event| event.id == *id);
        if let Some(event) = ids.iter().find_map(known) {
            let same = |(first, _): &&(Append, Committed)| {
                first.events.iter().map(|event| event.id.unwrap()).eq(ids.iter().copied())
            };
            return match self.identified.iter().find(same) {
                Some((_, committed)) => Answer::Repeated(committed.clone()),
                None => Answer::IdInUse(event.id, event.position),
            };
        }
        let mut conflicts: Vec<Conflict> = Vec::new();
        for (stream, expected) in &append.expectations {
            let actual = self.version(stream);
            let holds = match expected {
                ExpectedVersion::Any => true,
                ExpectedVersion::NoStream => actual.get() == 0,
                ExpectedVersion::Exists => actual.get() > 0,
                ExpectedVersion::Exactly(version) => actual == *version,
            };
            if !holds && conflicts.iter().all(|known| known.stream != *stream) {
                let (stream, expected) = (stream.clone(), *expected);
                conflicts.push(Conflict { stream, expected, actual });
            }
        }
        if !conflicts.is_empty() {
            return Answer::Conflict(conflicts);
        }
        let mut written: Vec<(&StreamId, u64)> = Vec::new();
        for event in &append.events {
            match written.iter_mut().find(|(stream, _)| **stream == event.stream) {
                Some((_, events)) => *events += 1,
                None => written.push((&event.stream, 1)),
            }
        }
        let after = |(stream, events): &(&StreamId, u64)| self.version(stream).plus(*events);
        let first = Position::new(count(&self.events) + 1);
        Answer::Committed(first, written.iter().map(after).collect())
    }

    /// Takes over what was appended. An id that the store gives is known when it is read.
    fn take(&mut self, append: &Append, committed: &Committed, ids: &[EventId]) {
        for (event, id) in append.events.iter().zip(ids) {
            let recorded = RecordedEvent {
                stream: event.stream.clone(),
                version: self.version(&event.stream).next(),
                position: Position::new(count(&self.events) + 1),
                time: committed.time,
                id: event.id.unwrap_or(*id),
                event_type: event.event_type.clone(),
                codec: event.codec,
                schema_version: event.schema_version,
                payload: event.payload.clone(),
                metadata: event.metadata.clone(),
                tags: event.tags.clone(),
            };
            self.events.push(recorded);
        }
        if append.events[0].id.is_some() {
            self.identified.push((append.clone(), committed.clone()));
        }
    }

    fn in_order(&self, direction: Direction) -> Vec<&RecordedEvent> {
        match direction {
            Direction::Forward => self.events.iter().collect(),
            Direction::Backward => self.events.iter().rev().collect(),
        }
    }
}

fn count(items: impl IntoIterator) -> u64 {
    u64::try_from(items.into_iter().count()).unwrap()
}

/// Whether a number is on the right side of where a query begins.
fn is_from(direction: Direction, from: Option<u64>, number: u64) -> bool {
    from.is_none_or(|from| match direction {
        Direction::Forward => number >= from,
        Direction::Backward => number <= from,
    })
}

/// Random choices of a test.
struct Choices(Random);

impl Choices {
    fn below(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    fn is_rare(&mut self, one_in: u64) -> bool {
        self.below(one_in) == 0
    }

    fn one_of<T: Copy>(&mut self, items: &[T]) -> T {
        items[usize::try_from(self.below(count(items))).unwrap()]
    }

    fn stream(&mut self) -> StreamId {
        stream(self.one_of(&STREAMS))
    }

    fn bytes(&mut self, len_max: u64) -> Vec<u8> {
        (0..self.below(len_max + 1)).map(|_| self.0.bits().to_le_bytes()[0]).collect()
    }

    fn direction(&mut self) -> Direction {
        self.one_of(&[Direction::Forward, Direction::Backward])
    }

    /// None, or a number around those that there are.
    fn around(&mut self, most: u64) -> Option<u64> {
        (!self.is_rare(3)).then(|| self.below(most + 3))
    }

    fn event(&mut self) -> NewEvent {
        let len_max = self.one_of(&[0, 20, 300, 300, 300, 2500]);
        let payload = self.bytes(len_max);
        let mut event = NewEvent::new(self.stream(), self.one_of(&TYPES), payload).unwrap();
        if self.is_rare(3) {
            event = event.with_metadata(self.bytes(30));
        }
        if self.is_rare(3) {
            let codec = CodecId(self.0.bits().to_le_bytes()[0]);
            event = event.with_codec(codec, SchemaVersion(u16::from(self.below(2) == 0)));
        }
        while self.is_rare(4) && event.tags.len() < 64 {
            event = event.with_tag(self.one_of(&["red", "green", "ü"]));
        }
        event
    }

    fn expectation(&mut self, model: &Model) -> (StreamId, ExpectedVersion) {
        let stream = self.stream();
        let actual = model.version(&stream);
        let expected = match self.below(6) {
            0 => ExpectedVersion::Any,
            1 => ExpectedVersion::NoStream,
            2 => ExpectedVersion::Exists,
            3 => ExpectedVersion::Exactly(StreamVersion::new(self.below(actual.get() + 3))),
            _ => ExpectedVersion::Exactly(actual),
        };
        (stream, expected)
    }

    /// An append that a store can take, if its expectations hold.
    fn append(&mut self, model: &Model) -> Append {
        loop {
            let mut append = Append::new();
            for _ in 0..=self.below(4) {
                append = append.event(self.event());
            }
            if self.is_rare(60) {
                append.events[0].payload = vec![7; 9000];
            }
            let repeated = model.identified.len();
            if self.is_rare(4) {
                for event in &mut append.events {
                    event.id = Some(self.id());
                }
            } else if self.is_rare(4) && repeated > 0 {
                let index = usize::try_from(self.below(count(&model.identified))).unwrap();
                append = model.identified[index].0.clone();
                self.spoil(&mut append);
            }
            append.expectations.clear();
            while self.is_rare(2) {
                append.expectations.push(self.expectation(model));
            }
            if append.validate().is_ok() {
                return append;
            }
        }
    }

    fn id(&mut self) -> EventId {
        EventId::new(
            [self.0.bits().to_le_bytes(), self.0.bits().to_le_bytes()].concat()[..16]
                .try_into()
                .unwrap(),
        )
    }

    /// Makes a repetition one of other events, perhaps.
    fn spoil(&mut self, append: &mut Append) {
        match self.below(5) {
            0 => append.events.push(self.event().with_id(self.id())),
            1 if append.events.len() > 1 => drop(append.events.pop()),
            2 => append.events.insert(0, self.event().with_id(self.id())),
            3 => append.events.reverse(),
            _ => {}
        }
    }

    fn filter(&mut self) -> (Filter, Vec<&'static str>, Vec<&'static str>) {
        let (mut prefixes, mut types) = (Vec::new(), Vec::new());
        while self.is_rare(2) {
            prefixes.push(self.one_of(&["a", "ab", "order", "order-1", "o", "none", ""]));
        }
        while self.is_rare(3) {
            types.push(self.one_of(&["Opened", "Open", "Never"]));
        }
        let filter = prefixes.iter().fold(Filter::all(), |f, prefix| f.stream_prefix(*prefix));
        let filter = types.iter().fold(filter, |f, name| f.event_type(*name));
        (filter, prefixes, types)
    }
}

fn passes(event: &RecordedEvent, prefixes: &[&str], types: &[&str]) -> bool {
    let stream = event.stream.as_str().as_bytes();
    let is_prefixed = prefixes.iter().any(|prefix| stream.starts_with(prefix.as_bytes()));
    let is_typed = types.contains(&event.event_type.as_str());
    (prefixes.is_empty() || is_prefixed) && (types.is_empty() || is_typed)
}

/// Where a store lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Medium {
    Memory,
    Simulated,
    Files(ReadMode, SyncPolicy),
}

/// A store and its model, side by side.
struct Pair<'a> {
    medium: Medium,
    path: &'a Path,
    disk: SimDisk,
    store: Annals,
    model: Model,
    choices: Choices,
    /// How often it was opened.
    opened: u64,
    /// Subscriptions since the beginning, and how many events they had.
    subscriptions: Vec<(Subscription, usize)>,
}

impl<'a> Pair<'a> {
    fn new(medium: Medium, path: &'a Path, seed: u64) -> Self {
        let disk = SimDisk::new();
        let store = open_on(medium, path, &disk, 0);
        let subscriptions = vec![(store.subscribe(Position::ZERO), 0)];
        let (model, choices) = (Model::default(), Choices(Random::new(seed)));
        Self { medium, path, disk, store, model, choices, opened: 0, subscriptions }
    }

    fn step(&mut self) {
        match self.choices.below(20) {
            0..8 => {
                let append = self.choices.append(&self.model);
                self.append(&append);
            }
            8..10 => self.append_many(),
            10..13 => self.read_stream(),
            13..16 => self.read_all(),
            16 => self.look_around(),
            17 => self.snapshot(),
            18 => self.subscribe(),
            _ if self.choices.is_rare(4) => self.reopen(),
            _ => {}
        }
        self.follow();
    }

    fn append(&mut self, append: &Append) {
        let pending = self.store.append(append);
        let outcome =
            if self.choices.is_rare(2) { pending.wait() } else { pollster::block_on(pending) };
        self.compare(append, outcome);
    }

    /// Several appends on their way at once.
    fn append_many(&mut self) {
        let mut appends = Vec::new();
        for _ in 0..2 + self.choices.below(4) {
            // Expectations and ids would depend on the others.
            let mut append = self.choices.append(&self.model);
            append.expectations.clear();
            append.events.iter_mut().for_each(|event| event.id = None);
            let pending = self.store.append(&append);
            appends.push((append, pending));
        }
        for (append, pending) in appends {
            self.compare(&append, pending.wait());
        }
    }

    fn compare(&mut self, append: &Append, outcome: Result<Committed, AppendError>) {
        let answer = self.model.answer(append);
        match (outcome, answer) {
            (Ok(committed), Answer::Committed(first, versions)) => {
                assert_eq!(committed.first, first);
                assert_eq!(committed.last, first.plus(count(&append.events) - 1));
                assert_eq!(committed.versions.to_vec(), versions);
                let query = LogQuery::forward().from(first).limit(count(&append.events));
                let read = self.store.read_all(query).map(|event| event.unwrap().id);
                let ids: Vec<EventId> = read.collect();
                self.model.take(append, &committed, &ids);
                let distinct: BTreeSet<_> = self.model.events.iter().map(|e| e.id).collect();
                assert_eq!(distinct.len(), self.model.events.len(), "ids are not unique");
            }
            (Ok(committed), Answer::Repeated(first)) => assert_eq!(committed, first),
            (Err(AppendError::IdInUse { id, position }), answer) => {
                assert_eq!(answer, Answer::IdInUse(id, position));
            }
            (Err(AppendError::Conflict(Conflicts(conflicts))), answer) => {
                assert_eq!(answer, Answer::Conflict(conflicts));
            }
            (outcome, answer) => panic!("{outcome:?}, where {answer:?} was right"),
        }
    }

    fn read_stream(&mut self) {
        let stream = self.choices.stream();
        let version = self.model.version(&stream).get();
        let query = StreamQuery {
            direction: self.choices.direction(),
            from: self.choices.around(version).map(StreamVersion::new),
            limit: self.choices.around(8),
        };
        let from = query.from.map(StreamVersion::get);
        let expected = self.model.in_order(query.direction).into_iter().filter(|event| {
            event.stream == stream && is_from(query.direction, from, event.version.get())
        });
        let expected = expected.take(limit(query.limit));
        self.same(self.store.read_stream(&stream, query), expected, &(&stream, query));
        let expected = self.model.in_order(query.direction).into_iter().filter(|event| {
            event.stream == stream && is_from(query.direction, from, event.version.get())
        });
        let mut expected = expected.take(limit(query.limit));
        let visit = self.store.read_stream(&stream, query).visit(|event| {
            assert_eq!(Some(&event.to_owned().unwrap()), expected.next());
            ControlFlow::Continue(())
        });
        visit.unwrap();
        assert_eq!(expected.next(), None);
    }

    fn read_all(&mut self) {
        let (filter, prefixes, types) = self.choices.filter();
        let query = LogQuery {
            direction: self.choices.direction(),
            from: self.choices.around(count(&self.model.events)).map(Position::new),
            limit: self.choices.around(20),
            filter,
        };
        let from = query.from.map(Position::get);
        let expected = self.model.in_order(query.direction).into_iter().filter(|event| {
            is_from(query.direction, from, event.position.get()) && passes(event, &prefixes, &types)
        });
        let expected = expected.take(limit(query.limit));
        self.same(self.store.read_all(query.clone()), expected, &query);
    }

    fn same<'e>(
        &self,
        events: annals::Events,
        expected: impl Iterator<Item = &'e RecordedEvent>,
        what: &dyn std::fmt::Debug,
    ) {
        let events: Result<Vec<_>, ReadError> = events.collect();
        let events = events.unwrap_or_else(|error| panic!("{error}: {what:?}"));
        let positions = |events: &[&RecordedEvent]| -> Vec<_> {
            events.iter().map(|event| event.position.get()).collect()
        };
        let (found, expected) = (events.iter().collect::<Vec<_>>(), expected.collect::<Vec<_>>());
        assert_eq!(positions(&found), positions(&expected), "{what:?}");
        assert!(found == expected, "{what:?}");
    }

    fn look_around(&mut self) {
        let prefix = self.choices.one_of(&["", "a", "ab", "order-1", "Order", "ö", "none"]);
        let mut expected: BTreeMap<StreamId, StreamVersion> = BTreeMap::new();
        for event in &self.model.events {
            if event.stream.as_str().starts_with(prefix) {
                expected.insert(event.stream.clone(), event.version);
            }
        }
        assert_eq!(self.store.streams(prefix), expected.into_iter().collect::<Vec<_>>());
        for name in STREAMS {
            let stream = stream(name);
            assert_eq!(self.store.stream_version(&stream), self.model.version(&stream));
        }
        let streams: BTreeSet<_> = self.model.events.iter().map(|event| &event.stream).collect();
        let stats = self.store.stats();
        assert_eq!(stats.position.get(), count(&self.model.events));
        assert_eq!(stats.streams, count(streams));
        assert_eq!(self.store.position(), stats.position);
    }

    /// Several streams as they were at one position.
    fn snapshot(&mut self) {
        let at = self.choices.below(count(&self.model.events) + 1);
        let at = self.choices.is_rare(2).then_some(Position::new(at));
        let position = at.unwrap_or(self.store.position());
        let mut names = STREAMS.to_vec();
        names.retain(|_| self.choices.is_rare(2));
        let streams: Vec<ReadFrom> = names
            .iter()
            .map(|name| ReadFrom {
                stream: stream(name),
                after: StreamVersion::new(self.choices.below(5)),
            })
            .collect();
        let known = |event: &&RecordedEvent| event.position <= position;
        let version = |from: &ReadFrom| {
            let of_stream = self.model.events.iter().filter(known);
            StreamVersion::new(count(of_stream.filter(|event| event.stream == from.stream)))
        };
        let is_wanted = |event: &&RecordedEvent| {
            streams.iter().any(|f| f.stream == event.stream && event.version > f.after)
        };
        let events = self.model.events.iter().filter(known).filter(is_wanted).cloned().collect();
        let expected =
            Snapshot { position, versions: streams.iter().map(version).collect(), events };
        assert_eq!(self.store.read_blocking(&streams, at).unwrap(), expected);
    }

    /// A new subscription delivers what there is, says so once, and is silent.
    fn subscribe(&mut self) {
        let after = self.choices.below(count(&self.model.events) + 1);
        let (filter, prefixes, types) = self.choices.filter();
        let mut subscription = self.store.subscribe_to(Position::new(after), filter);
        let expected = self
            .model
            .events
            .iter()
            .filter(|event| event.position.get() > after && passes(event, &prefixes, &types));
        for event in expected {
            assert_eq!(subscription.try_recv().unwrap(), Some(Delivery::Event(event.clone())));
        }
        let caught_up = Delivery::CaughtUp(self.store.position());
        assert_eq!(pollster::block_on(subscription.next()).unwrap(), caught_up);
        assert_eq!(subscription.try_recv().unwrap(), None);
        if prefixes.is_empty() && types.is_empty() && self.subscriptions.len() < 4 {
            self.subscriptions.push((subscription, self.model.events.len()));
        }
    }

    /// Old subscriptions go on where they were.
    fn follow(&mut self) {
        for (subscription, known) in &mut self.subscriptions {
            while let Some(delivery) = subscription.try_recv().unwrap() {
                let end = *known == self.model.events.len();
                match delivery {
                    Delivery::Event(event) => {
                        assert_eq!(event, self.model.events[*known]);
                        *known += 1;
                    }
                    Delivery::CaughtUp(position) => {
                        assert!(end);
                        assert_eq!(position, self.store.position());
                    }
                }
            }
            assert_eq!(*known, self.model.events.len());
        }
    }

    fn reopen(&mut self) {
        if self.medium == Medium::Memory {
            return;
        }
        if self.choices.is_rare(2) {
            self.store.close().unwrap();
        }
        let had = self.subscriptions.drain(..).map(|(_, known)| known).collect::<Vec<_>>();
        self.opened += 1;
        // The old one is dropped first: it is the writer.
        self.store = Annals::in_memory().unwrap();
        self.store = open_on(self.medium, self.path, &self.disk, self.opened);
        let resume = |known: usize| {
            let after = Position::new(u64::try_from(known).unwrap());
            (self.store.subscribe(after), known)
        };
        self.subscriptions = had.into_iter().map(resume).collect();
        self.same(self.store.read_all(LogQuery::forward()), self.model.events.iter(), &"all");
        self.look_around();
    }
}

fn limit(limit: Option<u64>) -> usize {
    limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap())
}

fn open_on(medium: Medium, path: &Path, disk: &SimDisk, opened: u64) -> Annals {
    // Not all of them whole pages, nor the same each time.
    let bytes = [8 << 10, 8193, 12_345, 40_000];
    let bytes = bytes[usize::try_from(opened).unwrap() % 4];
    let small = || Options::new().segment_bytes(bytes);
    match medium {
        Medium::Memory => small().in_memory(),
        Medium::Simulated => options(opened).segment_bytes(bytes).open_on(Arc::new(disk.clone())),
        Medium::Files(mode, policy) => small().read_mode(mode).sync_policy(policy).open(path),
    }
    .unwrap()
}

fn side_by_side(medium: Medium, seeds: u64, steps: usize) {
    let mut events = 0;
    for seed in 0..seeds {
        println!("{medium:?}, seed {seed}");
        let dir = tempfile::tempdir().unwrap();
        let mut pair = Pair::new(medium, dir.path(), seed);
        for _ in 0..steps {
            pair.step();
        }
        pair.reopen();
        events += pair.model.events.len();
    }
    println!("{medium:?}: {} steps, {events} events", usize::try_from(seeds).unwrap() * steps);
}

/// G9, G10, G11 (one log, whatever the medium): in memory, the store does what a list of events would do.
#[test]
fn in_memory_it_is_a_list_of_events() {
    side_by_side(Medium::Memory, 40, 300);
}

/// G9, G10, G11 (one log, whatever the medium): on a simulated disk, opened again and again.
#[test]
fn on_a_simulated_disk_it_is_a_list_of_events() {
    side_by_side(Medium::Simulated, 100, 300);
}

/// G9, G10, G11 (one log, whatever the medium): in mapped files, with helper threads.
#[test]
fn in_mapped_files_it_is_a_list_of_events() {
    side_by_side(Medium::Files(ReadMode::Map, SyncPolicy::Never), 10, 300);
    side_by_side(Medium::Files(ReadMode::Map, SyncPolicy::Always), 2, 100);
}

/// G9, G10, G11 (one log, whatever the medium): in files that are read, with helper threads.
#[test]
fn in_read_files_it_is_a_list_of_events() {
    side_by_side(Medium::Files(ReadMode::Pread, SyncPolicy::Never), 10, 300);
    side_by_side(Medium::Files(ReadMode::Pread, SyncPolicy::Always), 2, 100);
}

/// G9, G12: a stream of which nothing is durable yet is in no list, and who wants no event is shown
/// none.
#[test]
fn what_is_on_its_way_or_not_wanted_is_not_shown() {
    let store = open(&SimDisk::new(), 0).unwrap();
    let append = |name| Append::new().event(NewEvent::new(stream(name), TYPES[0], "x").unwrap());
    store.append(&append("a")).wait().unwrap();
    let on_its_way = store.append(&append("ab"));
    assert_eq!(store.streams(""), [(stream("a"), StreamVersion::new(1))]);
    assert_eq!(store.stream_version(&stream("ab")), StreamVersion::ZERO);
    on_its_way.wait().unwrap();
    assert_eq!(store.streams("ab"), [(stream("ab"), StreamVersion::new(1))]);
    let nothing = |_: &EventView<'_>| panic!("an event that nobody wants");
    store.read_stream(&stream("a"), StreamQuery::forward().limit(0)).visit(nothing).unwrap();
    store.read_all(LogQuery::forward().limit(0)).visit(nothing).unwrap();
}

/// G11: events with ids that are appended again while the first append is on its way to the disk are one
/// append, wherever that stands in its group.
#[test]
fn an_id_is_found_on_its_way_to_the_disk() {
    let store = open(&SimDisk::new(), 0).unwrap();
    let append = |number: u8| {
        let event = NewEvent::new(stream("a"), TYPES[0], "x").unwrap();
        Append::new().event(event.with_id(EventId::new([number; 16])))
    };
    let pending: Vec<_> = (0..3).map(|number| store.append(&append(number))).collect();
    let again: Vec<_> = (0..3).map(|number| store.append(&append(number))).collect();
    assert_eq!(store.position(), Position::ZERO, "nothing is written yet");
    for (first, again) in pending.into_iter().zip(again) {
        assert_eq!(first.wait().unwrap(), again.wait().unwrap());
    }
    assert_eq!(store.position(), Position::new(3));
}

// Many threads.

const THREADS: u64 = 8;
const APPENDS: u64 = 40;
const SHARED: [&str; 4] = ["shared-0", "shared-1", "shared-2", "shared-3"];

/// What an append saw when it was decided: who, which, and the versions of all shared streams.
fn decision(thread: u64, number: u64, versions: &[u64]) -> Vec<u8> {
    let words = [thread, number].into_iter().chain(versions.iter().copied());
    words.flat_map(u64::to_le_bytes).collect()
}

fn words(payload: &[u8]) -> Vec<u64> {
    payload.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect()
}

/// Appends to two of the shared streams and only reads the others; all are expected to be as they
/// were read, durable or only in order. Returns what was acknowledged.
fn contend(store: &Annals, thread: u64) -> Vec<Committed> {
    let mut random = Random::new(thread);
    let streams = SHARED.map(stream);
    let reads = streams.clone().map(|stream| ReadFrom { stream, after: StreamVersion::ZERO });
    let mut acknowledged = Vec::new();
    while count(&acknowledged) < APPENDS {
        let versions: Vec<StreamVersion> = if random.below(2) == 0 {
            streams.iter().map(|stream| store.stream_version(stream)).collect()
        } else {
            store.read_blocking(&reads, None).unwrap().versions.to_vec()
        };
        let known: Vec<u64> = versions.iter().map(|version| version.get()).collect();
        let payload = decision(thread, count(&acknowledged), &known);
        let mut append = Append::new();
        for (stream, version) in streams.iter().zip(versions) {
            append = append.expect(stream.clone(), ExpectedVersion::Exactly(version));
        }
        let first = usize::try_from(random.below(4)).unwrap();
        for stream in [first, (first + 1) % 4] {
            let event = NewEvent::new(streams[stream].clone(), "Decided", payload.clone());
            append = append.event(event.unwrap());
        }
        let pending = store.append(&append);
        let outcome =
            if random.below(2) == 0 { pending.wait() } else { pollster::block_on(pending) };
        match outcome {
            Ok(committed) => acknowledged.push(committed),
            Err(AppendError::Conflict(Conflicts(conflicts))) => assert!(!conflicts.is_empty()),
            Err(error) => panic!("{error}"),
        }
    }
    acknowledged
}

/// Everything that a subscription delivers, in the order of delivery.
fn listen(store: &Annals, after: Position) -> Vec<RecordedEvent> {
    let (mut subscription, mut events) = (store.subscribe(after), Vec::new());
    while after.get() + count(&events) < 2 * THREADS * APPENDS {
        let delivery = if events.len() % 2 == 0 {
            subscription.recv()
        } else {
            pollster::block_on(subscription.next())
        };
        match delivery.unwrap() {
            Delivery::Event(event) => events.push(event),
            Delivery::CaughtUp(position) => assert!(position.get() >= count(&events)),
        }
    }
    events
}

/// G10, G14 (serializable): of many threads that decide on what they read, each is acknowledged only if
/// everything that it read, also what it did not write to, was still so just before its commit;
/// every acknowledged append is in the log once; every subscriber sees exactly the log.
fn many_threads(options: Options, path: Option<&Path>) {
    let store = path.map_or(options.clone().in_memory(), |path| options.clone().open(path));
    let store = store.unwrap();
    let (acknowledged, heard) = thread::scope(|scope| {
        let listeners: Vec<_> = (0..2)
            .map(|n| {
                let store = &store;
                scope.spawn(move || listen(store, Position::new(100 * n)))
            })
            .collect();
        let store = &store;
        let writers: Vec<_> =
            (0..THREADS).map(|thread| scope.spawn(move || contend(store, thread))).collect();
        let writers: Vec<_> = writers.into_iter().map(|w| w.join().unwrap()).collect();
        (writers, listeners.into_iter().map(|l| l.join().unwrap()).collect::<Vec<_>>())
    });
    let log: Vec<RecordedEvent> = store.read_all(LogQuery::forward()).map(Result::unwrap).collect();
    assert_eq!(count(&log), 2 * THREADS * APPENDS, "one acknowledgement, one commit");
    for (n, heard) in heard.iter().enumerate() {
        assert!(heard.iter().eq(&log[100 * n..]), "subscriber {n} saw something else");
    }
    let mut versions: BTreeMap<&StreamId, u64> = BTreeMap::new();
    for commit in log.chunks(2) {
        let words = words(&commit[0].payload);
        assert_eq!(commit[0].payload, commit[1].payload, "a commit is contiguous");
        let (thread, number) = (usize::try_from(words[0]), usize::try_from(words[1]));
        let committed = &acknowledged[thread.unwrap()][number.unwrap()];
        assert_eq!((committed.first, committed.last), (commit[0].position, commit[1].position));
        for (name, seen) in SHARED.map(stream).iter().zip(&words[2..]) {
            assert_eq!(versions.get(name).copied().unwrap_or(0), *seen, "decided on the past");
        }
        for (event, said) in commit.iter().zip(&committed.versions) {
            let version = versions.entry(&event.stream).or_default();
            *version += 1;
            assert_eq!((event.version.get(), said.get()), (*version, *version));
        }
    }
    if let Some(path) = path {
        drop(store);
        let store = options.open(path).unwrap();
        let again: Result<Vec<_>, _> = store.read_all(LogQuery::forward()).collect();
        assert!(again.unwrap() == log, "another log after opening it again");
    }
}

#[test]
fn many_threads_in_memory_are_serializable() {
    for _ in 0..5 {
        many_threads(Options::new().segment_bytes(8 << 10), None);
    }
}

/// G10, G14 (serializable; subscriptions deliver everything once, in order): on real files.
#[test]
fn many_threads_on_files_are_serializable() {
    for mode in [ReadMode::Map, ReadMode::Pread] {
        let dir = tempfile::tempdir().unwrap();
        many_threads(Options::new().segment_bytes(8 << 10).read_mode(mode), Some(dir.path()));
    }
}

/// G11 (idempotent): of many who append the same events at once, one appends them, and all hear
/// the same.
#[test]
fn the_same_append_from_many_threads_is_one() {
    let store = Options::new().segment_bytes(8 << 10).in_memory().unwrap();
    let barrier = Barrier::new(4);
    let repeat = || {
        let mut heard = Vec::new();
        for round in 0..200_u64 {
            let id = |n: u64| [round.to_le_bytes(), n.to_le_bytes()].concat().try_into().unwrap();
            let event = |n| {
                let event = NewEvent::new(stream("a"), "Happened", vec![7; 300]).unwrap();
                event.with_id(EventId::new(id(n)))
            };
            let append = Append::new().events([event(0), event(1)]);
            barrier.wait();
            heard.push(store.append(&append).wait().unwrap());
        }
        heard
    };
    let heard: Vec<Vec<Committed>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(repeat)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(heard.iter().all(|other| *other == heard[0]));
    assert_eq!(store.position().get(), 400);
}

/// What a reader may see at any moment: events of one stream that follow each other, and as many
/// as were durable when it asked, or more.
fn look_at(store: &Annals, random: &mut Random, names: &[StreamId]) {
    let name = &names[usize::try_from(random.below(count(names))).unwrap()];
    let (version, position) = (store.stream_version(name), store.position());
    match random.below(4) {
        0 => {
            let from = StreamVersion::new(1 + random.below(version.get() + 1));
            let query = StreamQuery::forward().from(from);
            let events = store.read_stream(name, query).map(Result::unwrap);
            let versions: Vec<u64> = events.map(|event| event.version.get()).collect();
            let end = from.get() + count(&versions);
            assert!(versions.iter().copied().eq(from.get()..end));
            assert!(end > version.get() || from > version, "{end} of {version}");
        }
        1 => {
            let events = store.read_stream(name, StreamQuery::backward().limit(5));
            let events: Vec<_> = events.map(Result::unwrap).collect();
            assert!((version.get().min(5)..=5).contains(&count(&events)));
            assert!(events.is_sorted_by(|a, b| a.version.previous() == b.version));
            assert!(events.first().is_none_or(|event| event.version >= version));
        }
        2 => {
            let from = Position::new(1 + random.below(position.get() + 1));
            let events = store.read_all(LogQuery::forward().from(from)).map(Result::unwrap);
            let positions: Vec<u64> = events.map(|event| event.position.get()).collect();
            let end = from.get() + count(&positions);
            assert!(positions.iter().copied().eq(from.get()..end));
            assert!(end > position.get(), "{end} of {position}");
        }
        _ => {
            let from = Position::new(random.below(position.get() + 1));
            let events = store.read_all(LogQuery::backward().from(from).limit(40));
            let positions: Vec<u64> = events.map(|event| event.unwrap().position.get()).collect();
            assert!(positions.iter().copied().eq((1..=from.get()).rev().take(40)));
        }
    }
}

/// G9: readers beside writers see a log without gaps, which ends not before what was durable when
/// they asked, while segments end and images take the place of memory.
#[test]
fn readers_beside_writers_see_no_gap() {
    let dir = tempfile::tempdir().unwrap();
    for mode in [ReadMode::Map, ReadMode::Pread] {
        let options = Options::new().segment_bytes(8 << 10).sync_policy(SyncPolicy::Never);
        let store = options.read_mode(mode).open(dir.path().join(format!("{mode:?}"))).unwrap();
        let names: Vec<StreamId> = (0..3).map(|n| stream(&format!("written-{n}"))).collect();
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let (store, names, done) = (&store, &names, &done);
            let readers: Vec<_> = (0..2)
                .map(|seed| {
                    scope.spawn(move || {
                        let (mut random, mut looks) = (Random::new(seed), 0);
                        while looks < 20 || !done.load(Ordering::Relaxed) {
                            look_at(store, &mut random, names);
                            looks += 1;
                        }
                    })
                })
                .collect();
            for round in 0..1200 {
                let name = &names[round % 3];
                let event = NewEvent::new(name.clone(), "Happened", vec![7; 300]).unwrap();
                let pending = store.append(&Append::new().events([event.clone(), event]));
                // Now and then nobody waits: a dropped append is appended all the same.
                if round % 4 != 0 {
                    pending.wait().unwrap();
                }
            }
            done.store(true, Ordering::Relaxed);
            drop(readers);
        });
        store.close().unwrap();
        assert_eq!(store.position().get(), 2400);
        assert!(store.stats().images > 50, "{:?}", store.stats());
    }
}

/// G14: everyone who waits for the next event of a store that is closed hears that it is closed:
/// nobody waits for ever, however many ask at once.
#[test]
fn every_subscriber_hears_of_the_close() {
    for round in 0..150 {
        let store = Annals::in_memory().unwrap();
        let ready = Barrier::new(9);
        thread::scope(|scope| {
            for number in 0..8 {
                let (store, ready) = (&store, &ready);
                scope.spawn(move || {
                    let mut subscription = store.subscribe(Position::ZERO);
                    ready.wait();
                    let end = loop {
                        let delivery = match (number + round) % 2 {
                            0 => subscription.recv(),
                            _ => pollster::block_on(subscription.next()),
                        };
                        if let Err(error) = delivery {
                            break error;
                        }
                    };
                    assert!(matches!(end, ReadError::Closed), "{end}");
                });
            }
            ready.wait();
            store.close().unwrap();
        });
    }
}

/// G12: reads of what is in order and not yet durable: a large commit is read while it waits for the
/// group before it, is written and is published. A frame was once copied from the log's tail
/// unfinished, looked for in the copy when it was in its file, and called damaged.
#[test]
fn what_is_read_on_its_way_to_the_disk_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let store = Options::new().read_mode(ReadMode::Pread).open(dir.path()).unwrap();
    let is_done = AtomicBool::new(false);
    let event = |name: &str| NewEvent::new(stream(name), "Happened", "payload").unwrap();
    thread::scope(|scope| {
        for thread in 0..2 {
            let (store, is_done) = (&store, &is_done);
            scope.spawn(move || {
                let append = Append::new().event(event(&format!("busy-{thread}")));
                // Relaxed: nothing depends on when it is seen.
                while !is_done.load(Ordering::Relaxed) {
                    store.append(&append).wait().unwrap();
                }
            });
        }
        let mut failures = Vec::new();
        for round in 0..150 {
            let name = format!("large-{round}");
            let pending = store.append(&Append::new().events((0..2000).map(|_| event(&name))));
            let read = ReadFrom { stream: stream(&name), after: StreamVersion::ZERO };
            match store.read_blocking(&[read], None) {
                Ok(snapshot) => assert_eq!(snapshot.events.len(), 2000),
                Err(error) => failures.push(error.to_string()),
            }
            pending.wait().unwrap();
        }
        is_done.store(true, Ordering::Relaxed);
        assert_eq!(failures, [""; 0]);
    });
}

// What others do in the middle of things.

/// Called when a file is synced.
type Hook = Arc<Mutex<Option<Box<dyn FnMut() + Send>>>>;

/// A disk that calls its hook.
#[derive(Clone)]
struct Hooked {
    disk: SimDisk,
    hook: Hook,
}

struct HookedFile {
    file: Arc<dyn File>,
    hook: Hook,
}

impl std::fmt::Debug for Hooked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hooked")
    }
}

impl std::fmt::Debug for HookedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HookedFile")
    }
}

impl Hooked {
    fn file(&self, file: io::Result<Arc<dyn File>>) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(HookedFile { file: file?, hook: self.hook.clone() }))
    }
}

impl Directory for Hooked {
    fn lock(&self) -> Result<Box<dyn WriterLock>, LockError> {
        self.disk.lock()
    }
    fn names(&self) -> io::Result<Vec<String>> {
        self.disk.names()
    }
    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.file(self.disk.create(name))
    }
    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn File>> {
        self.file(self.disk.open(name, access))
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }
    fn sync(&self) -> io::Result<()> {
        self.disk.sync()
    }
    fn display(&self, name: &str) -> String {
        self.disk.display(name)
    }
}

impl File for HookedFile {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, out)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_at(offset, bytes)
    }
    fn sync_data(&self) -> io::Result<()> {
        if let Some(hook) = &mut *self.hook.lock().unwrap() {
            hook();
        }
        self.file.sync_data()
    }
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }
    fn map(&self, len: u64, access: Access) -> io::Result<Option<Map>> {
        self.file.map(len, access)
    }
}

/// G14 (subscriptions miss nothing): a subscriber that looks while the store is being closed does
/// not hear that it is closed before it had everything that the close itself writes.
#[test]
fn a_subscription_gets_what_the_close_writes() {
    let hooked = Hooked { disk: SimDisk::new(), hook: Hook::default() };
    let store = options(0).open_on(Arc::new(hooked.clone())).unwrap();
    let subscription = Arc::new(Mutex::new(store.subscribe(Position::ZERO)));
    let receive = {
        let subscription = subscription.clone();
        move || subscription.lock().unwrap().try_recv()
    };
    assert_eq!(receive().unwrap(), Some(Delivery::CaughtUp(Position::ZERO)));
    let event = NewEvent::new(stream("a"), "Happened", "").unwrap();
    let pending = store.append(&Append::new().event(event));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let look = {
        let (seen, receive) = (seen.clone(), receive.clone());
        move || seen.lock().unwrap().push(receive())
    };
    *hooked.hook.lock().unwrap() = Some(Box::new(look));
    store.close().unwrap();
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    assert!(seen.len() >= 2, "the event, then the mark");
    let mut deliveries: Vec<_> =
        seen.into_iter().map(|seen| seen.expect("not yet closed")).collect();
    let end = loop {
        match receive() {
            Ok(delivery) => deliveries.push(delivery),
            Err(error) => break error,
        }
    };
    assert!(matches!(end, ReadError::Closed), "{end}");
    let events = deliveries.iter().filter(|d| matches!(d, Some(Delivery::Event(_))));
    assert_eq!(events.count(), 1);
    assert_eq!(pending.wait().unwrap().first, Position::new(1));
}

/// G14 (subscriptions miss nothing): from commit to commit each is delivered wholly and says where
/// it begins, also from its middle on, filtered, and after single events of it.
#[test]
fn a_subscription_can_go_from_commit_to_commit() {
    let store = Options::new().in_memory().unwrap();
    for names in [&["a", "b", "a"][..], &["b"], &["a", "a"]] {
        let events = names.iter().map(|n| NewEvent::new(stream(n), "Happened", "").unwrap());
        store.append(&Append::new().events(events.collect::<Vec<_>>())).wait().unwrap();
    }
    let delivered = |mut subscription: Subscription, single: u64| {
        for _ in 0..single {
            assert!(matches!(subscription.try_recv().unwrap(), Some(Delivery::Event(_))));
        }
        let mut commits = Vec::new();
        loop {
            match pollster::block_on(subscription.next_commit()).unwrap() {
                CommitDelivery::Commit { first, events } => {
                    let positions: Vec<_> = events.iter().map(|e| e.position.get()).collect();
                    commits.push((first.get(), positions));
                }
                CommitDelivery::CaughtUp(position) => {
                    assert_eq!(position, store.position());
                    assert_eq!(subscription.try_recv_commit().unwrap(), None);
                    return commits;
                }
            }
        }
    };
    let all = [(1, vec![1, 2, 3]), (4, vec![4]), (5, vec![5, 6])];
    assert_eq!(delivered(store.subscribe(Position::ZERO), 0), all);
    let middle = [(1, vec![3]), (4, vec![4]), (5, vec![5, 6])];
    assert_eq!(delivered(store.subscribe(Position::new(2)), 0), middle);
    assert_eq!(delivered(store.subscribe(Position::ZERO), 2), middle);
    let only_a = Filter::all().stream_prefix("a");
    let filtered = [(1, vec![1, 3]), (5, vec![5, 6])];
    assert_eq!(delivered(store.subscribe_to(Position::ZERO, only_a), 0), filtered);
}

/// G14 (subscriptions miss nothing): a subscription that began on an empty log is not lost when
/// the first append does not fit into the first segment, and replaces it.
#[test]
fn a_subscription_from_the_beginning_sees_a_first_event_of_any_size() {
    let dir = tempfile::tempdir().unwrap();
    let small = || Options::new().segment_bytes(8 << 10);
    let on_disk = |mode| {
        let path = dir.path().join(format!("{mode:?}"));
        small().read_mode(mode).open(path).unwrap()
    };
    let stores = [small().in_memory().unwrap(), on_disk(ReadMode::Map), on_disk(ReadMode::Pread)];
    for store in stores {
        let mut subscription = store.subscribe(Position::ZERO);
        assert_eq!(subscription.recv().unwrap(), Delivery::CaughtUp(Position::ZERO));
        let event = NewEvent::new(stream("a"), "Happened", vec![7; 100_000]).unwrap();
        store.append(&Append::new().event(event.clone())).wait().unwrap();
        let Delivery::Event(delivered) = subscription.recv().unwrap() else { panic!("no event") };
        assert_eq!(delivered.payload, event.payload);
        store.append(&Append::new().event(event)).wait().unwrap();
    }
}

/// G9 (opening is quick): after a clean close every sealed segment has an image, and opening
/// reads no sealed segment from end to end.
#[test]
fn opening_after_a_close_reads_images_and_not_segments() {
    let disk = SimDisk::new();
    let store = open(&disk, 0).unwrap();
    for _ in 0..20 {
        let event = NewEvent::new(stream("a"), "Happened", vec![7; 1500]).unwrap();
        store.append(&Append::new().event(event)).wait().unwrap();
    }
    let segments = store.stats().log.segments;
    store.close().unwrap();
    drop(store);
    disk.record_trace(true);
    let store = open(&disk, 1).unwrap();
    let whole = disk.trace().into_iter().filter(|line| line.contains(".seg 0 8192 "));
    assert_eq!(whole.count(), 1, "only the last one is replayed");
    assert_eq!((store.stats().images, segments > 5), (segments - 1, true));
}
