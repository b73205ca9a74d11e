//! Commands of one process take turns at their streams: no conflicts, no deadlock, and nothing is
//! left behind by commands that panic or are dropped half way.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test"
)]

use std::{
    future,
    pin::pin,
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll, Waker},
    thread,
};

use annals::{
    Annals, Append, AppendError, AppendFailure, Caching, Command, CommandStreams, Committed,
    Decision, Event, EventId, ExecuteError, Executor, Options, PerStream, Position, ReadFrom,
    Recorded, Sequenced, Snapshot, Store, StreamId, StreamState, StreamVersion,
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Event)]
enum Counted {
    /// The stream's new count, as the command saw it.
    To(u64),
    /// The stream that comes along.
    With(String),
}

fn id(name: &str) -> StreamId {
    StreamId::new(name).unwrap()
}

#[derive(Debug, Default)]
struct Counter {
    count: u64,
    with: Vec<StreamId>,
}

impl StreamState for Counter {
    type Event = Counted;
    fn evolve(&mut self, recorded: &Recorded<Counted>) {
        match &recorded.event {
            Counted::To(count) => {
                assert_eq!(*count, self.count + 1, "counted on what was there");
                self.count = *count;
            }
            Counted::With(name) => self.with.push(id(name)),
        }
    }
}

/// Counts in all its streams, those that come along included.
struct Count {
    streams: Vec<StreamId>,
    is_cached: bool,
}

impl CommandStreams for Count {
    fn streams(&self) -> Vec<StreamId> {
        self.streams.clone()
    }
}

impl Command for Count {
    type State = PerStream<Counter>;
    type Event = Counted;
    type Rejection = ();
    fn discover(&self, counters: &PerStream<Counter>) -> Vec<StreamId> {
        counters.iter().flat_map(|(_, counter)| counter.with.clone()).collect()
    }
    fn evolve(&self, counters: &mut PerStream<Counter>, recorded: &Recorded<Counted>) {
        counters.evolve(recorded);
    }
    fn caching(&self) -> Caching<PerStream<Counter>> {
        if self.is_cached { Caching::per_stream() } else { Caching::nothing() }
    }
    fn decide(&self, counters: &PerStream<Counter>) -> Result<Decision<Counted>, ()> {
        let mut streams = self.streams.clone();
        streams.extend(self.discover(counters));
        streams.sort();
        streams.dedup();
        let one = |decision: Decision<Counted>, stream: &StreamId| {
            decision.and(stream.clone(), Counted::To(counters.of(stream).count + 1))
        };
        Ok(streams.iter().fold(Decision::nothing(), one))
    }
}

/// Has another stream come along.
struct Bind(StreamId, String);

impl CommandStreams for Bind {
    fn streams(&self) -> Vec<StreamId> {
        vec![self.0.clone()]
    }
}

impl Command for Bind {
    type State = ();
    type Event = Counted;
    type Rejection = ();
    fn evolve(&self, (): &mut (), _: &Recorded<Counted>) {}
    fn decide(&self, (): &()) -> Result<Decision<Counted>, ()> {
        Ok(Decision::one(self.0.clone(), Counted::With(self.1.clone())))
    }
}

/// Many threads and tasks count in the same few streams, named in any order: every command
/// succeeds at the first attempt. Proves G21.
#[test]
fn commands_of_one_process_do_not_conflict() {
    const COMMANDS: u64 = 100;
    let dir = tempfile::tempdir().unwrap();
    let on_disk = Options::new().segment_bytes(64 << 10).open(dir.path()).unwrap();
    for annals in [on_disk, Annals::in_memory().unwrap()] {
        let executor = Executor::new(annals.clone()).attempts_max(1);
        let counted = AtomicU64::new(0);
        thread::scope(|scope| {
            for worker in 0..8_u64 {
                let (executor, counted) = (&executor, &counted);
                scope.spawn(move || {
                    for step in 0..COMMANDS {
                        let streams = [worker, worker + step, step].map(|n| n % 4);
                        let streams = streams.map(|n| id(&format!("counter-{n}"))).to_vec();
                        let count = Count { streams, is_cached: step % 3 > 0 };
                        let executed = if worker % 2 == 0 {
                            executor.execute_blocking(&count).unwrap()
                        } else {
                            pollster::block_on(executor.execute(&count)).unwrap()
                        };
                        assert_eq!(executed.attempts, 1);
                        let committed = executed.committed.unwrap();
                        counted.fetch_add(
                            u64::try_from(committed.versions.len()).unwrap(),
                            Ordering::SeqCst,
                        );
                    }
                });
            }
        });
        let versions = annals.streams("counter-").into_iter().map(|(_, version)| version.get());
        assert_eq!(versions.sum::<u64>(), counted.into_inner());
    }
}

/// G21: the same when each stream brings others along that are found only while the command runs.
/// Streams form a ring, so that everybody wants what somebody else has.
#[test]
fn discovered_streams_make_no_deadlock_and_no_conflict() {
    let annals = Annals::in_memory().unwrap();
    let executor = Executor::new(annals.clone()).attempts_max(1);
    for n in 0..4 {
        let next = format!("counter-{}", (n + 1) % 4);
        executor.execute_blocking(&Bind(id(&format!("counter-{n}")), next)).unwrap();
    }
    thread::scope(|scope| {
        for worker in 0..8_u64 {
            let executor = &executor;
            scope.spawn(move || {
                for step in 0..50 {
                    let streams = vec![id(&format!("counter-{}", (worker + step) % 4))];
                    let count = Count { streams, is_cached: step % 2 == 0 };
                    let executed = executor.execute_blocking(&count).unwrap();
                    assert_eq!(executed.committed.unwrap().versions.len(), 4, "the whole ring");
                }
            });
        }
    });
    for (_, version) in annals.streams("counter-") {
        assert_eq!(version, StreamVersion::new(1 + 8 * 50));
    }
}

/// Panics where it is told to.
struct Panics(&'static str);

impl CommandStreams for Panics {
    fn streams(&self) -> Vec<StreamId> {
        assert_ne!(self.0, "streams", "as told");
        vec![id("a")]
    }
}

impl Command for Panics {
    type State = PerStream<Counter>;
    type Event = Counted;
    type Rejection = ();
    fn discover(&self, _: &PerStream<Counter>) -> Vec<StreamId> {
        assert_ne!(self.0, "discover", "as told");
        Vec::new()
    }
    fn evolve(&self, counters: &mut PerStream<Counter>, recorded: &Recorded<Counted>) {
        counters.evolve(recorded);
        assert_ne!(self.0, "evolve", "as told");
        assert!(self.0 != "evolve own" || recorded.version.get() < 3, "as told");
    }
    fn caching(&self) -> Caching<PerStream<Counter>> {
        Caching::per_stream()
    }
    fn decide(&self, counters: &PerStream<Counter>) -> Result<Decision<Counted>, ()> {
        assert_ne!(self.0, "decide", "as told");
        Ok(Decision::one(id("a"), Counted::To(counters.of(&id("a")).count + 1)))
    }
}

/// A command that panics gets an error; the next one finds the streams free and their state
/// right. Proves G22.
#[test]
fn a_panic_is_an_error_of_its_command_alone() {
    let annals = Annals::in_memory().unwrap();
    let count = Count { streams: vec![id("a")], is_cached: true };
    for (appended, place) in (1..).zip(["streams", "discover", "evolve", "decide"]) {
        let executor = Executor::new(annals.clone()).attempts_max(1);
        executor.execute_blocking(&count).unwrap();
        // Without what is kept, there is something to evolve.
        let fresh = Executor::new(annals.clone());
        for executor in [&fresh, &executor] {
            match executor.execute_blocking(&Panics(place)) {
                Err(ExecuteError::Panicked { place: at, message }) => {
                    assert!(at == place && message.contains("as told"), "{at}: {message}");
                }
                // What is kept need not be folded again, only what it appends: see below.
                Ok(_) if place == "evolve" => {}
                other => panic!("{other:?}"),
            }
        }
        assert!(annals.position().get() >= appended);
    }
}

/// A panic in `evolve` of what the command itself appended comes too late to be its error.
#[test]
fn what_is_appended_is_appended_although_evolve_panics_on_it() {
    let annals = Annals::in_memory().unwrap();
    let executor = Executor::new(annals.clone()).attempts_max(1);
    let count = Count { streams: vec![id("a")], is_cached: true };
    executor.execute_blocking(&count).unwrap();
    executor.execute_blocking(&count).unwrap();
    let executed = executor.execute_blocking(&Panics("evolve own")).unwrap();
    assert_eq!(executed.committed.unwrap().first, Position::new(3));
    executor.execute_blocking(&count).unwrap();
    assert_eq!(annals.position(), Position::new(4));
}

/// A store whose every answer comes at the second look, as if from far away.
#[derive(Clone)]
struct Slow(Annals);

async fn look_again() {
    let mut looked = false;
    future::poll_fn(|context| {
        if std::mem::replace(&mut looked, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

type Failure = AppendFailure<AppendError>;

impl Store for Slow {
    type Error = AppendError;
    type Ticket = <Annals as Store>::Ticket;

    async fn read(
        &self,
        streams: &[ReadFrom],
        at: Option<Position>,
    ) -> Result<Snapshot, AppendError> {
        look_again().await;
        self.0.read(streams, at).await
    }
    async fn sequence(&self, append: &Append) -> Result<Sequenced<Self::Ticket>, Failure> {
        look_again().await;
        let sequenced = self.0.sequence(append).await;
        look_again().await;
        sequenced
    }
    async fn settle(&self, position: Position) -> Result<(), AppendError> {
        self.0.settle(position).await
    }
    async fn find(&self, id: EventId) -> Result<Option<Committed>, AppendError> {
        self.0.find(id).await
    }
    fn read_blocking(
        &self,
        streams: &[ReadFrom],
        at: Option<Position>,
    ) -> Result<Snapshot, AppendError> {
        self.0.read_blocking(streams, at)
    }
    fn sequence_blocking(&self, append: &Append) -> Result<Sequenced<Self::Ticket>, Failure> {
        self.0.sequence_blocking(append)
    }
    fn wait(&self, ticket: Self::Ticket) -> Result<(), AppendError> {
        self.0.wait(ticket)
    }
    fn settle_blocking(&self, position: Position) -> Result<(), AppendError> {
        self.0.settle_blocking(position)
    }
    fn find_blocking(&self, id: EventId) -> Result<Option<Committed>, AppendError> {
        self.0.find_blocking(id)
    }
    fn derived_id(&self, position: Position) -> EventId {
        self.0.derived_id(position)
    }
}

/// A command that is dropped, however far it got, happened wholly or not at all; it leaves the
/// streams free and their state right. Proves G22.
#[test]
fn a_dropped_command_leaves_nothing_behind() {
    let mut furthest = 0;
    for polls in 0.. {
        let annals = Annals::in_memory().unwrap();
        let executor = Executor::new(Slow(annals.clone())).attempts_max(1);
        let both = || Count { streams: vec![id("a"), id("b")], is_cached: true };
        executor.execute_blocking(&both()).unwrap();
        let is_ready = {
            let command = both();
            let mut future = pin!(executor.execute(&command));
            let mut context = Context::from_waker(Waker::noop());
            (0..polls).any(|_| future.as_mut().poll(&mut context).is_ready())
        };
        let versions = [id("a"), id("b")].map(|stream| {
            let from = ReadFrom { stream, after: StreamVersion::MAX };
            annals.read_blocking(&[from], None).unwrap().versions[0]
        });
        assert_eq!(versions[0], versions[1], "wholly or not at all");
        // Its turn is over, and what it folded is right.
        executor.execute_blocking(&both()).unwrap();
        let before = executor.cache_stats();
        executor.execute_blocking(&both()).unwrap();
        assert_eq!(executor.cache_stats().hits, before.hits + 2);
        if is_ready {
            break;
        }
        furthest = polls;
    }
    assert!(furthest >= 3, "it was dropped at each of its stops: {furthest}");
}

/// One that waits for its turn and is dropped does not hold up those behind it.
#[test]
fn a_command_dropped_in_the_queue_holds_nobody_up() {
    let annals = Annals::in_memory().unwrap();
    let executor = Executor::new(Slow(annals.clone())).attempts_max(1);
    let commands = [(); 3].map(|()| Count { streams: vec![id("a")], is_cached: true });
    let mut context = Context::from_waker(Waker::noop());
    let mut first = Box::pin(executor.execute(&commands[0]));
    let mut second = Box::pin(executor.execute(&commands[1]));
    let mut third = Box::pin(executor.execute(&commands[2]));
    for future in [&mut first, &mut second, &mut third] {
        assert!(future.as_mut().poll(&mut context).is_pending());
    }
    drop(second);
    pollster::block_on(first).unwrap();
    pollster::block_on(third).unwrap();
    assert_eq!(annals.position(), Position::new(2));
}
