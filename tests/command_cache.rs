//! State that is kept between commands: it is what a fold from the beginning would give, whoever
//! else writes; it saves reading; and nobody sees a state that never was.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test"
)]

use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use annals::{
    Annals, Append, AppendError, AppendFailure, Bincode, Caching, Command, CommandStreams,
    Committed, Decision, Event, EventId, EventView, ExecuteError, Executor, ExpectedVersion,
    NewEvent, Options, Payloads, PerStream, Position, ReadFrom, Recorded, Sequenced, Snapshot,
    Store, StreamId, StreamQuery, StreamState, StreamVersion, Threads,
};
use annals_sim::{Fault, SimDisk, SimEnvironment, Times};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Event)]
enum Money {
    In(i64),
    /// The other stream that its sum belongs to.
    With(String),
    Nothing,
}

fn id(name: &str) -> StreamId {
    StreamId::new(name).unwrap()
}

/// What one stream amounts to, kept for each stream.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Purse {
    cents: i64,
    events: u64,
    with: Option<StreamId>,
}

impl Purse {
    fn add(&mut self, event: &Money) {
        self.events += 1;
        match event {
            Money::In(cents) => self.cents += cents,
            Money::With(name) => self.with = Some(id(name)),
            Money::Nothing => {}
        }
    }
}

impl StreamState for Purse {
    type Event = Money;
    fn evolve(&mut self, recorded: &Recorded<Money>) {
        assert_eq!(recorded.version.get(), self.events + 1, "of {}", recorded.stream);
        self.add(&recorded.event);
    }
}

/// Which state is kept, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    No,
    Whole,
}

/// Looks at two streams, which always have 100 cents together, and moves some. With
/// `is_discovering` the second is found through the first.
struct Move<const IS_DISCOVERING: bool> {
    from: StreamId,
    to: StreamId,
    cents: i64,
    kept: Kept,
}

impl<const IS_DISCOVERING: bool> CommandStreams for Move<IS_DISCOVERING> {
    fn streams(&self) -> Vec<StreamId> {
        if IS_DISCOVERING {
            vec![self.from.clone()]
        } else {
            vec![self.from.clone(), self.to.clone()]
        }
    }
}

#[derive(Debug, Default)]
struct Both {
    from: Purse,
    to: Purse,
}

impl<const IS_DISCOVERING: bool> Command for Move<IS_DISCOVERING> {
    type State = Both;
    type Event = Money;
    type Rejection = ();

    fn discover(&self, both: &Both) -> Vec<StreamId> {
        if both.to.events > 0 {
            assert_eq!(both.from.cents + both.to.cents, 100, "a state that never was");
        }
        both.from.with.iter().cloned().collect()
    }

    fn evolve(&self, both: &mut Both, recorded: &Recorded<Money>) {
        let purse = if recorded.stream == self.from { &mut both.from } else { &mut both.to };
        purse.evolve(recorded);
    }

    fn caching(&self) -> Caching<Both> {
        match self.kept {
            Kept::No => Caching::nothing(),
            Kept::Whole => Caching::whole::<Self>(),
        }
    }

    fn decide(&self, both: &Both) -> Result<Decision<Money>, ()> {
        assert_eq!(both.from.cents + both.to.cents, 100, "a state that never was");
        decide(&self.from, &self.to, self.cents)
    }
}

fn decide(from: &StreamId, to: &StreamId, cents: i64) -> Result<Decision<Money>, ()> {
    match cents % 5 {
        0 => Err(()),
        1 => Ok(Decision::nothing()),
        _ => Ok(Decision::one(from.clone(), Money::In(-cents)).and(to.clone(), Money::In(cents))),
    }
}

/// The same, with a state that is kept for each stream.
struct MoveParts<const IS_DISCOVERING: bool>(Move<IS_DISCOVERING>);

impl<const IS_DISCOVERING: bool> CommandStreams for MoveParts<IS_DISCOVERING> {
    fn streams(&self) -> Vec<StreamId> {
        self.0.streams()
    }
}

impl<const IS_DISCOVERING: bool> Command for MoveParts<IS_DISCOVERING> {
    type State = PerStream<Purse>;
    type Event = Money;
    type Rejection = ();

    fn discover(&self, purses: &PerStream<Purse>) -> Vec<StreamId> {
        purses.of(&self.0.from).with.iter().cloned().collect()
    }

    fn evolve(&self, purses: &mut PerStream<Purse>, recorded: &Recorded<Money>) {
        purses.evolve(recorded);
    }

    fn caching(&self) -> Caching<PerStream<Purse>> {
        Caching::per_stream()
    }

    fn decide(&self, purses: &PerStream<Purse>) -> Result<Decision<Money>, ()> {
        let Move { from, to, cents, .. } = &self.0;
        assert_eq!(purses.of(from).cents + purses.of(to).cents, 100, "a state that never was");
        decide(from, to, *cents)
    }
}

fn event(stream: &StreamId, event: &Money) -> NewEvent {
    Payloads::new(Bincode).encode(stream.clone(), event).unwrap()
}

/// Two streams that know each other and have 100 cents together.
fn prepare(annals: &Annals) -> [StreamId; 2] {
    let [a, b] = [id("a"), id("b")];
    let append = Append::new()
        .event(event(&a, &Money::In(100)))
        .event(event(&a, &Money::With("b".to_owned())))
        .event(event(&b, &Money::With("a".to_owned())));
    annals.append(&append).wait().unwrap();
    [a, b]
}

/// Moves money behind everybody's back, about once for each command.
fn move_behind(annals: &Annals, [a, b]: &[StreamId; 2], done: &AtomicU64, commands: u64) {
    let mut written = 0;
    while done.load(Ordering::SeqCst) < commands {
        if written > done.load(Ordering::SeqCst) {
            thread::yield_now();
            continue;
        }
        written += 1;
        let cents = i64::try_from(written % 17).unwrap() - 8;
        let append =
            Append::new().event(event(a, &Money::In(cents))).event(event(b, &Money::In(-cents)));
        annals.append(&append).wait().unwrap();
    }
}

/// Commands of all kinds over the same streams, while others write to them without commands: each
/// sees what was at some position, kept or not. Proves G20.
#[test]
fn nobody_sees_a_state_that_never_was() {
    let annals = Annals::in_memory().unwrap();
    let streams = prepare(&annals);
    let executor = Executor::new(annals.clone()).attempts_max(100_000);
    let done = AtomicU64::new(0);
    thread::scope(|scope| {
        scope.spawn(|| move_behind(&annals, &streams, &done, 1000));
        let workers: Vec<_> = (0..4_i64)
            .map(|worker| {
                let (executor, streams, done) = (&executor, &streams, &done);
                scope.spawn(move || {
                    for step in 0..250_i64 {
                        let [a, b] = streams.clone();
                        let (from, to) = if step % 2 == 0 { (a, b) } else { (b, a) };
                        let kept = if step % 4 < 2 { Kept::No } else { Kept::Whole };
                        let cents = step * 7 + worker;
                        let result = match (worker + step / 4) % 4 {
                            0 => run(executor, &Move::<false> { from, to, cents, kept }),
                            1 => run(executor, &Move::<true> { from, to, cents, kept }),
                            2 => run(executor, &MoveParts(Move::<false> { from, to, cents, kept })),
                            _ => run(executor, &MoveParts(Move::<true> { from, to, cents, kept })),
                        };
                        assert!(matches!(result, Ok(_) | Err(ExecuteError::Rejected(()))));
                        done.fetch_add(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        let ended: Vec<_> = workers.into_iter().map(thread::ScopedJoinHandle::join).collect();
        done.store(1000, Ordering::SeqCst);
        assert!(ended.into_iter().all(|worker| worker.is_ok()));
    });
    let stats = executor.cache_stats();
    assert!(stats.hits > 0 && stats.misses > 0, "{stats:?}");
}

/// G20: the checker above finds a store that reads stream by stream.
#[test]
fn a_store_that_reads_stream_by_stream_is_found() {
    let annals = Annals::in_memory().unwrap();
    let streams = prepare(&annals);
    let store = Counting { is_torn: true, ..Counting::new(annals) };
    let executor = Executor::new(store);
    let result = executor.execute_blocking(&MoveParts(moving::<false>(&streams, 5, Kept::No)));
    match result {
        Err(ExecuteError::Panicked { message, .. }) => assert!(message.contains("never was")),
        other => panic!("{other:?}"),
    }
}

type Result1 = Result<annals::Executed, ExecuteError<(), AppendError>>;

fn run<C: Command<Rejection = ()>>(executor: &Executor<Annals>, command: &C) -> Result1 {
    let result = executor.execute_blocking(command);
    if let Err(ExecuteError::Panicked { message, .. }) = &result {
        panic!("{message}");
    }
    result
}

/// A store that counts what is read from it.
#[derive(Clone)]
struct Counting {
    annals: Annals,
    events: Arc<AtomicU64>,
    /// Reads stream by stream, and somebody writes in between: what no store may do.
    is_torn: bool,
}

impl Counting {
    fn new(annals: Annals) -> Self {
        Self { annals, events: Arc::default(), is_torn: false }
    }

    fn read(&self, streams: &[ReadFrom], at: Option<Position>) -> Result<Snapshot, AppendError> {
        if !self.is_torn || streams.len() < 2 {
            return Ok(self.count(self.annals.read_blocking(streams, at)?));
        }
        let [mut first, second] = [0, 1].map(|n| {
            let snapshot = self.annals.read_blocking(&streams[n..=n], None).unwrap();
            let append = Append::new()
                .event(event(&streams[0].stream, &Money::In(-7)))
                .event(event(&streams[1].stream, &Money::In(7)));
            self.annals.append(&append).wait().unwrap();
            snapshot
        });
        first.versions.extend(second.versions);
        first.events.extend(second.events);
        Ok(Snapshot { position: second.position, ..first })
    }

    /// How many events were read since the last time.
    fn take(&self) -> u64 {
        self.events.swap(0, Ordering::SeqCst)
    }

    fn count(&self, snapshot: Snapshot) -> Snapshot {
        self.events.fetch_add(snapshot.events.len().try_into().unwrap(), Ordering::SeqCst);
        snapshot
    }
}

type Failure = AppendFailure<AppendError>;

impl Store for Counting {
    type Error = AppendError;
    type Ticket = <Annals as Store>::Ticket;

    async fn read(
        &self,
        streams: &[ReadFrom],
        at: Option<Position>,
    ) -> Result<Snapshot, AppendError> {
        Self::read(self, streams, at)
    }
    async fn sequence(&self, append: &Append) -> Result<Sequenced<Self::Ticket>, Failure> {
        self.annals.sequence(append).await
    }
    async fn settle(&self, position: Position) -> Result<(), AppendError> {
        self.annals.settle(position).await
    }
    async fn find(&self, id: EventId) -> Result<Option<Committed>, AppendError> {
        self.annals.find(id).await
    }
    fn read_blocking(
        &self,
        streams: &[ReadFrom],
        at: Option<Position>,
    ) -> Result<Snapshot, AppendError> {
        Self::read(self, streams, at)
    }
    fn sequence_blocking(&self, append: &Append) -> Result<Sequenced<Self::Ticket>, Failure> {
        self.annals.sequence_blocking(append)
    }
    fn wait(&self, ticket: Self::Ticket) -> Result<(), AppendError> {
        self.annals.wait(ticket)
    }
    fn settle_blocking(&self, position: Position) -> Result<(), AppendError> {
        self.annals.settle_blocking(position)
    }
    fn find_blocking(&self, id: EventId) -> Result<Option<Committed>, AppendError> {
        self.annals.find_blocking(id)
    }
    fn derived_id(&self, position: Position) -> EventId {
        self.annals.derived_id(position)
    }
}

fn moving<const D: bool>([from, to]: &[StreamId; 2], cents: i64, kept: Kept) -> Move<D> {
    Move { from: from.clone(), to: to.clone(), cents, kept }
}

/// What a command appended, or looked at, is not read again by the next one; what others wrote is,
/// and nothing else.
#[test]
fn only_what_moved_is_read() {
    for (is_parts, is_discovering) in [(false, false), (false, true), (true, false), (true, true)] {
        let annals = Annals::in_memory().unwrap();
        let streams = prepare(&annals);
        let store = Counting::new(annals.clone());
        let executor = Executor::new(store.clone());
        let execute = |cents| {
            let (kept, parts) = (Kept::Whole, Kept::No);
            let result = match (is_parts, is_discovering) {
                (false, false) => {
                    executor.execute_blocking(&moving::<false>(&streams, cents, kept))
                }
                (false, true) => executor.execute_blocking(&moving::<true>(&streams, cents, kept)),
                (true, false) => {
                    executor.execute_blocking(&MoveParts(moving::<false>(&streams, cents, parts)))
                }
                (true, true) => {
                    executor.execute_blocking(&MoveParts(moving::<true>(&streams, cents, parts)))
                }
            };
            assert!(matches!(result, Ok(_) | Err(ExecuteError::Rejected(()))), "{result:?}");
            store.take()
        };
        assert_eq!(execute(2), 3, "everything, the first time");
        assert_eq!([3, 5, 6, 7].map(execute), [0; 4]);
        let foreign = Append::new()
            .event(event(&streams[0], &Money::In(-1)))
            .event(event(&streams[1], &Money::In(1)))
            .event(event(&id("c"), &Money::In(1000)));
        annals.append(&foreign).wait().unwrap();
        // Where a moved, another stream than b might be discovered: all of it is folded anew.
        let anew = if is_discovering && !is_parts { annals.position().get() - 1 } else { 0 };
        assert_eq!(execute(2), 2 + anew);
        assert_eq!([3, 5, 6, 7].map(execute), [0; 4]);
    }
}

/// A part serves every command that reads its stream, however it came to it.
#[test]
fn parts_serve_declared_and_discovered_streams() {
    let annals = Annals::in_memory().unwrap();
    let streams = prepare(&annals);
    let store = Counting::new(annals);
    let executor = Executor::new(store.clone());
    executor.execute_blocking(&MoveParts(moving::<false>(&streams, 2, Kept::No))).unwrap();
    assert_eq!(store.take(), 3);
    executor.execute_blocking(&MoveParts(moving::<true>(&streams, 2, Kept::No))).unwrap();
    executor.execute_blocking(&MoveParts(moving::<false>(&streams, 2, Kept::No))).unwrap();
    assert_eq!(store.take(), 0);
}

/// The state of a stream is folded once for all commands that read it, not for each combination.
#[test]
fn parts_are_shared_by_all_combinations_of_streams() {
    let annals = Annals::in_memory().unwrap();
    let store = Counting::new(annals.clone());
    let executor = Executor::new(store.clone());
    let names: Vec<StreamId> = (0..10).map(|n| id(&format!("purse-{n}"))).collect();
    for name in &names {
        let append = Append::new().events((0..20).map(|n| event(name, &Money::In(n % 2 * 5))));
        annals.append(&append).wait().unwrap();
    }
    for (n, from) in names.iter().enumerate() {
        for to in names.iter().skip(n + 1) {
            let pair = [from.clone(), to.clone()];
            let result = executor.execute_blocking(&MoveParts(moving::<false>(&pair, 5, Kept::No)));
            assert!(matches!(result, Err(ExecuteError::Rejected(()))), "{result:?}");
        }
    }
    assert_eq!(store.take(), 200, "each event once");
    let stats = executor.cache_stats();
    assert_eq!((stats.misses, stats.hits, stats.states), (10, 80, 10));
}

/// A command that leaves events out of its state leaves no wrong state behind.
#[test]
fn a_part_with_a_gap_is_not_kept() {
    struct Careless(Move<false>);
    impl CommandStreams for Careless {
        fn streams(&self) -> Vec<StreamId> {
            self.0.streams()
        }
    }
    impl Command for Careless {
        type State = PerStream<Sum>;
        type Event = Money;
        type Rejection = i64;
        fn evolve(&self, state: &mut PerStream<Sum>, recorded: &Recorded<Money>) {
            if recorded.stream == self.0.from || recorded.version.get() % 2 == 1 {
                state.evolve(recorded);
            }
        }
        fn caching(&self) -> Caching<PerStream<Sum>> {
            Caching::per_stream()
        }
        fn decide(&self, state: &PerStream<Sum>) -> Result<Decision<Money>, i64> {
            Err(state.of(&self.0.from).0)
        }
    }
    #[derive(Default)]
    struct Sum(i64);
    impl StreamState for Sum {
        type Event = Money;
        fn evolve(&mut self, recorded: &Recorded<Money>) {
            if let Money::In(cents) = recorded.event {
                self.0 += cents;
            }
        }
    }
    let annals = Annals::in_memory().unwrap();
    let [a, b] = [id("a"), id("b")];
    for cents in 1..=5 {
        let append =
            Append::new().event(event(&a, &Money::In(cents))).event(event(&b, &Money::In(cents)));
        annals.append(&append).wait().unwrap();
    }
    let executor = Executor::new(annals);
    let sum = |streams: &[StreamId; 2]| match executor.execute_blocking(&Careless(moving(
        streams,
        0,
        Kept::No,
    ))) {
        Err(ExecuteError::Rejected(sum)) => sum,
        other => panic!("{other:?}"),
    };
    let [there, back] = [[a.clone(), b.clone()], [b, a]];
    assert_eq!((sum(&there), sum(&back), sum(&there)), (15, 15, 15));
}

/// States that were folded from events which did not become durable are not kept.
#[test]
fn nothing_is_kept_when_the_log_fails() {
    let disk = SimDisk::new();
    let options = Options::new().threads(Threads::Inline).segment_bytes(64 << 10);
    let options = options.environment(Arc::new(SimEnvironment::new(1)));
    let annals = options.open_on(Arc::new(disk.clone())).unwrap();
    let streams = prepare(&annals);
    let executor = Executor::new(annals);
    let command = MoveParts(moving::<false>(&streams, 2, Kept::No));
    executor.execute_blocking(&command).unwrap();
    assert_eq!(executor.cache_stats().states, 2);
    disk.fail_at(disk.calls() + 1, Fault::ShortWrite(0), Times::Forever);
    let failed = executor.execute_blocking(&command);
    assert!(matches!(failed, Err(ExecuteError::Store(AppendError::OutcomeUnknown(_)))));
    assert_eq!(executor.cache_stats().states, 0);
    let failed = executor.execute_blocking(&command);
    assert!(matches!(failed, Err(ExecuteError::Store(AppendError::Poisoned(_)))));
    // What it is told now rests on what is not durable.
    let rejected = MoveParts(moving::<false>(&streams, 5, Kept::No));
    let failed = executor.execute_blocking(&rejected);
    assert!(matches!(failed, Err(ExecuteError::Store(AppendError::Poisoned(_)))), "{failed:?}");
}

/// A command that gives nothing new is checked at one position, kept state or not.
#[test]
fn a_decision_without_events_held_at_one_position() {
    let annals = Annals::in_memory().unwrap();
    let streams = prepare(&annals);
    let executor = Executor::new(annals.clone());
    let command = MoveParts(moving::<false>(&streams, 1, Kept::No));
    let first = executor.execute_blocking(&command).unwrap();
    assert_eq!((first.committed, first.position), (None, Position::new(3)));
    let foreign = Append::new()
        .expect(streams[0].clone(), ExpectedVersion::Exactly(StreamVersion::new(2)))
        .event(event(&streams[0], &Money::In(-9)))
        .event(event(&streams[1], &Money::In(9)));
    annals.append(&foreign).wait().unwrap();
    let second = executor.execute_blocking(&command).unwrap();
    assert_eq!((second.committed, second.position), (None, Position::new(5)));
}

/// The sum of one stream, whoever else writes to it.
#[derive(Debug, Default)]
struct Tally(i64);

impl StreamState for Tally {
    type Event = Money;
    fn evolve(&mut self, recorded: &Recorded<Money>) {
        if let Money::In(cents) = recorded.event {
            self.0 += cents;
        }
    }
}

struct Count(StreamId);

impl CommandStreams for Count {
    fn streams(&self) -> Vec<StreamId> {
        vec![self.0.clone()]
    }
}

impl Command for Count {
    type State = PerStream<Tally>;
    type Event = Money;
    type Rejection = i64;

    fn evolve(&self, tallies: &mut PerStream<Tally>, recorded: &Recorded<Money>) {
        tallies.evolve(recorded);
    }

    fn caching(&self) -> Caching<PerStream<Tally>> {
        Caching::per_stream()
    }

    fn decide(&self, tallies: &PerStream<Tally>) -> Result<Decision<Money>, i64> {
        Err(tallies.of(&self.0).0)
    }
}

/// An event that is skipped is passed for good, as one that is folded: it is not read again.
#[test]
fn what_is_skipped_is_not_read_again() {
    let annals = Annals::in_memory().unwrap();
    let a = id("a");
    let unknown = || NewEvent::new(a.clone(), "Frozen", "").unwrap();
    let store = Counting::new(annals.clone());
    let payloads = Payloads::new(Bincode).skip_unknown();
    let executor = Executor::with_payloads(store.clone(), payloads);
    let count = || match executor.execute_blocking(&Count(a.clone())) {
        Err(ExecuteError::Rejected(sum)) => (sum, store.take()),
        other => panic!("{other:?}"),
    };
    let append = |events: Vec<NewEvent>| {
        annals.append(&Append::new().events(events)).wait().unwrap();
    };
    append(vec![event(&a, &Money::In(1)), unknown(), unknown()]);
    assert_eq!([count(), count()], [(1, 3), (1, 0)]);
    append(vec![unknown()]);
    assert_eq!([count(), count()], [(1, 1), (1, 0)]);
    append(vec![event(&a, &Money::In(5)), unknown()]);
    assert_eq!([count(), count()], [(6, 2), (6, 0)]);
}

/// Counts the events of a stream, and appends one; or says how many there are. Its `evolve` panics on
/// what it has appended itself.
struct Counts {
    stream: StreamId,
    has_decided: AtomicBool,
    is_asking: bool,
}

impl CommandStreams for Counts {
    fn streams(&self) -> Vec<StreamId> {
        vec![self.stream.clone()]
    }
}

impl Command for Counts {
    type State = u64;
    type Event = Money;
    type Rejection = u64;

    fn evolve(&self, count: &mut u64, _: &Recorded<Money>) {
        assert!(!self.has_decided.load(Ordering::Relaxed), "of its own event");
        *count += 1;
    }

    fn caching(&self) -> Caching<u64> {
        Caching::whole::<Self>()
    }

    fn decide(&self, count: &u64) -> Result<Decision<Money>, u64> {
        if self.is_asking {
            return Err(*count);
        }
        self.has_decided.store(true, Ordering::Relaxed);
        Ok(Decision::one(self.stream.clone(), Money::Nothing))
    }
}

/// G22: a state that a panic left half folded is not kept: the next command folds from the beginning.
#[test]
fn a_state_that_a_panic_left_is_not_kept() {
    let executor = Executor::new(Annals::in_memory().unwrap());
    let count = |is_asking| {
        let stream = id("counted");
        executor.execute_blocking(&Counts {
            stream,
            has_decided: AtomicBool::new(false),
            is_asking,
        })
    };
    for expected in 1..=3 {
        assert!(count(false).unwrap().committed.is_some());
        match count(true) {
            Err(ExecuteError::Rejected(found)) => assert_eq!(found, expected),
            other => panic!("{other:?}"),
        }
    }
}

/// An event is decoded where it lies as it is from a copy.
#[test]
fn an_event_is_decoded_where_it_lies() {
    let annals = Annals::in_memory().unwrap();
    let payloads = Payloads::new(Bincode);
    let written = [Money::In(7), Money::With("b".to_owned()), Money::Nothing];
    for money in &written {
        annals.append(&Append::new().event(event(&id("a"), money))).wait().unwrap();
    }
    let mut read = Vec::new();
    let visit = |view: &EventView<'_>| {
        read.push(payloads.decode_view::<Money>(view).unwrap().unwrap());
        ControlFlow::Continue(())
    };
    annals.read_stream(&id("a"), StreamQuery::forward()).visit(visit).unwrap();
    assert_eq!(read, written);
}
