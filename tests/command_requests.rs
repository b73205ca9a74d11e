//! What goes along with a command: metadata, ids, idempotency keys, how often it is tried, how long
//! it may take; and many at once.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test"
)]

use std::{
    future::{Pending, pending},
    path::Path,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use annals::{
    Annals, Append, AppendError, AppendFailure, Backoff, Bincode, Caching, Command, CommandStreams,
    Committed, Conflict, Decision, Event, EventId, ExecuteError, Executed, Executor,
    ExecutorOptions, ExpectedVersion, IdempotencyKey, InvalidCommand, LogQuery, Metadata, Options,
    Payloads, PerStream, Position, ReadFrom, Recorded, Request, RetryPolicy, Sequenced, Sleep,
    Snapshot, Store, StreamId, StreamState, StreamVersion, Timer, Timestamp,
};
use annals_testkit::{FaultPlan, FaultStore};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Event)]
enum Money {
    In(u64),
    Out(u64),
}

fn id(name: &str) -> StreamId {
    StreamId::new(name).unwrap()
}

#[derive(Debug, Default)]
struct Account {
    cents: u64,
    /// Who moved money last.
    actor: Option<String>,
}

impl StreamState for Account {
    type Event = Money;
    fn evolve(&mut self, recorded: &Recorded<Money>) {
        match recorded.event {
            Money::In(cents) => self.cents += cents,
            Money::Out(cents) => self.cents -= cents,
        }
        self.actor = recorded.read_metadata().unwrap().actor;
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Refused {
    Has(u64),
    Actor(String),
}

/// Puts money in, or takes it out.
struct Move {
    account: StreamId,
    what: Money,
    /// Refused if it is who moved money last.
    unless: &'static str,
    ids: Vec<EventId>,
}

fn put(account: &str, cents: u64) -> Move {
    Move { account: id(account), what: Money::In(cents), unless: "", ids: Vec::new() }
}

fn take(account: &str, cents: u64) -> Move {
    Move { what: Money::Out(cents), ..put(account, cents) }
}

impl CommandStreams for Move {
    fn streams(&self) -> Vec<StreamId> {
        vec![self.account.clone()]
    }
}

impl Command for Move {
    type State = PerStream<Account>;
    type Event = Money;
    type Rejection = Refused;
    fn evolve(&self, accounts: &mut PerStream<Account>, recorded: &Recorded<Money>) {
        accounts.evolve(recorded);
    }
    fn caching(&self) -> Caching<PerStream<Account>> {
        Caching::per_stream()
    }
    fn decide(&self, accounts: &PerStream<Account>) -> Result<Decision<Money>, Refused> {
        let account = accounts.of(&self.account);
        match &account.actor {
            Some(actor) if actor == self.unless => return Err(Refused::Actor(actor.clone())),
            _ => {}
        }
        if let Money::Out(cents) = self.what
            && account.cents < cents
        {
            return Err(Refused::Has(account.cents));
        }
        let decision = Decision::one(self.account.clone(), self.what.clone()).with_tag("moved");
        Ok(match &self.ids[..] {
            [first] => decision.with_id(*first),
            _ => decision,
        })
    }
}

fn count(annals: &Annals) -> u64 {
    annals.position().get()
}

/// Metadata comes with every event of a command, and `evolve` sees it, read or just appended.
#[test]
fn metadata_goes_along_with_every_event() {
    let annals = Annals::in_memory().unwrap();
    let executor = Executor::new(annals.clone());
    let metadata = Metadata::new()
        .correlation(EventId::new([1; 16]))
        .causation(EventId::new([2; 16]))
        .actor("alice")
        .time(Timestamp(17))
        .with("ip", "::1");
    let request = |command| Request::new(command).metadata(&metadata);
    executor.execute_blocking(request(&put("a", 5))).unwrap();
    let event = annals.read_all(LogQuery::forward()).next().unwrap().unwrap();
    assert_eq!(Metadata::decode(&event.metadata), Ok(metadata.clone()));
    assert_eq!(event.tags, ["moved"]);

    let unless = Move { unless: "alice", ..put("a", 5) };
    for executor in [&executor, &Executor::new(annals.clone())] {
        match executor.execute_blocking(&unless) {
            Err(ExecuteError::Rejected(Refused::Actor(actor))) => assert_eq!(actor, "alice"),
            other => panic!("{other:?}"),
        }
    }
    executor.execute_blocking(&put("a", 5)).unwrap();
    executor.execute_blocking(&unless).unwrap();
}

/// A command that was sent with a key happens once: the first outcome is told again, although the
/// account has been emptied since, also after the store was opened again. Proves G24.
#[test]
fn a_key_makes_a_command_happen_once() {
    let dir = tempfile::tempdir().unwrap();
    let open = |path: &Path| Options::new().segment_bytes(64 << 10).open(path).unwrap();
    let key = IdempotencyKey::new("request-17");
    let all = take("a", 9);
    let first = {
        let annals = open(dir.path());
        let executor = Executor::new(annals.clone());
        executor.execute_blocking(&put("a", 9)).unwrap();
        let first = executor.execute_blocking(Request::new(&all).key(key)).unwrap();
        assert!(!first.is_repeat);
        let again = executor.execute_blocking(Request::new(&all).key(key)).unwrap();
        assert!(again.is_repeat);
        assert_eq!(again.committed, first.committed);
        assert_eq!(count(&annals), 2);
        first
    };
    // The index of ids comes from the log, and then from an image.
    for _ in 0..2 {
        let annals = open(dir.path());
        let executor = Executor::new(annals.clone());
        let again = pollster::block_on(executor.execute(Request::new(&all).key(key))).unwrap();
        assert_eq!((again.is_repeat, again.committed), (true, first.committed.clone()));
        for n in 0..2_000_u32 {
            executor.execute_blocking(&put(&format!("{n:0>50}"), 1)).unwrap();
        }
        assert!(annals.stats().log.segments > 1);
    }
}

/// What left no events is not known by its key: it is decided again.
#[test]
fn a_rejection_is_not_remembered() {
    let annals = Annals::in_memory().unwrap();
    let executor = Executor::new(annals.clone());
    let key = IdempotencyKey::new([7; 16]);
    let withdraw = take("a", 9);
    let refused = executor.execute_blocking(Request::new(&withdraw).key(key));
    assert!(matches!(refused, Err(ExecuteError::Rejected(Refused::Has(0)))), "{refused:?}");
    executor.execute_blocking(&put("a", 9)).unwrap();
    let executed = executor.execute_blocking(Request::new(&withdraw).key(key)).unwrap();
    assert!(!executed.is_repeat);
}

/// The same key from many threads, through executors that know nothing of each other: one
/// appends, all are told the same. Proves G24.
#[test]
fn the_same_key_from_many_threads_is_one() {
    let annals = Annals::in_memory().unwrap();
    for round in 0..50 {
        let key = IdempotencyKey::new(format!("round {round}"));
        let command = put("a", 1);
        let outcomes: Vec<Executed> = thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    let executor = Executor::new(annals.clone()).attempts_max(1000);
                    let command = &command;
                    let request = move || Request::new(command).key(key);
                    scope.spawn(move || executor.execute_blocking(request()).unwrap())
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(outcomes.iter().filter(|executed| !executed.is_repeat).count(), 1);
        assert!(outcomes.iter().all(|executed| executed.committed == outcomes[0].committed));
        assert_eq!(count(&annals), round + 1);
    }
}

/// When an append's answer is lost, the same key finds out.
#[test]
fn a_key_settles_an_outcome_that_was_unknown() {
    let annals = Annals::in_memory().unwrap();
    let store = FaultStore::new(annals.clone(), FaultPlan::new().lose_answer(1));
    let executor = Executor::new(store);
    let (key, command) = (IdempotencyKey::new("k"), put("a", 1));
    let lost = executor.execute_blocking(Request::new(&command).key(key));
    assert!(matches!(lost, Err(ExecuteError::Store(_))), "{lost:?}");
    let again = executor.execute_blocking(Request::new(&command).key(key)).unwrap();
    assert!(again.is_repeat);
    assert_eq!(count(&annals), 1);
}

/// Events may be given ids by the decision instead, but not both.
#[test]
fn ids_come_from_the_decision_or_from_the_key() {
    let annals = Annals::in_memory().unwrap();
    let executor = Executor::new(annals.clone());
    let command = Move { ids: vec![EventId::new([9; 16])], ..put("a", 1) };
    assert!(!executor.execute_blocking(&command).unwrap().is_repeat);
    let again = executor.execute_blocking(&command).unwrap();
    assert_eq!((again.is_repeat, again.committed.unwrap().first), (true, Position::new(1)));
    // What is kept of the account is not changed by what was not appended.
    assert!(executor.execute_blocking(&take("a", 2)).is_err());
    let both = executor.execute_blocking(Request::new(&command).key(IdempotencyKey::new("k")));
    assert!(matches!(both, Err(ExecuteError::Invalid(InvalidCommand::IdAndKey))), "{both:?}");
    assert_eq!(count(&annals), 1);
}

/// A timer whose time passes only while somebody sleeps.
#[derive(Debug, Default)]
struct Dream {
    now: Mutex<Duration>,
    slept: Mutex<Vec<Duration>>,
}

impl Dream {
    fn pass(&self, until: Duration) {
        let mut now = self.now.lock().unwrap();
        self.slept.lock().unwrap().push(until.saturating_sub(*now));
        *now = until.max(*now);
    }
}

/// Time for another who sleeps as well is the same.
struct DreamSleep(Arc<Dream>, Duration);

impl Future for DreamSleep {
    type Output = ();
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        self.0.pass(self.1);
        Poll::Ready(())
    }
}

#[derive(Debug, Clone, Default)]
struct DreamTimer(Arc<Dream>);

impl Timer for DreamTimer {
    fn now(&self) -> Duration {
        *self.0.now.lock().unwrap()
    }
    fn sleep(&self, until: Duration) -> Sleep {
        Box::pin(DreamSleep(self.0.clone(), until))
    }
    fn sleep_blocking(&self, until: Duration) {
        self.0.pass(until);
    }
    fn random(&self) -> u64 {
        0
    }
}

fn executor_with<S: Store>(store: S, timer: &DreamTimer) -> Executor<S> {
    let options = ExecutorOptions::new().timer(Arc::new(timer.clone()));
    Executor::with_options(store, Payloads::new(Bincode), options)
}

/// After each conflict the hook is told, and as much time passes as the policy says; when the
/// attempts are used up, every stream is named with what was expected and what is.
#[test]
fn conflicts_are_told_waited_for_and_named() {
    for is_blocking in [true, false] {
        let annals = Annals::in_memory().unwrap();
        let store = FaultStore::new(annals.clone(), FaultPlan::new()).meanwhile(
            1..=4,
            |annals: &Annals| {
                Executor::new(annals.clone()).execute_blocking(&put("a", 1)).unwrap();
            },
        );
        let timer = DreamTimer::default();
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = told.clone();
        let millis = Duration::from_millis;
        let policy = RetryPolicy::new()
            .attempts_max(4)
            .backoff(Backoff::Exponential { first: millis(8), max: millis(12) })
            .on_retry(move |retry| {
                let conflicts = retry.conflicts.to_vec();
                tell.lock().unwrap().push((retry.attempt, retry.delay, conflicts));
            });
        let executor = executor_with(store, &timer).retry(policy);
        let command = put("a", 10);
        let result = if is_blocking {
            executor.execute_blocking(&command)
        } else {
            pollster::block_on(executor.execute(&command))
        };
        let conflict = |version| {
            let expected = ExpectedVersion::Exactly(StreamVersion::new(version));
            vec![Conflict { stream: id("a"), expected, actual: StreamVersion::new(version + 1) }]
        };
        match result {
            Err(ExecuteError::Contended { conflicts, attempts: 4 }) => {
                assert_eq!(conflicts, conflict(3));
            }
            other => panic!("{other:?}"),
        }
        let delays = [0, 4, 6].map(millis);
        assert_eq!(*timer.0.slept.lock().unwrap(), delays[1..]);
        let tell = |(n, delay): (u32, Duration)| (n, delay, conflict(u64::from(n) - 1));
        let expected: Vec<_> = (1..).zip(delays).map(tell).collect();
        assert_eq!(*told.lock().unwrap(), expected);
        // The next finds nobody in its way.
        assert_eq!(executor.execute_blocking(&command).unwrap().attempts, 1);
    }
}

/// A store that never answers some calls, until it is free.
struct Stuck {
    annals: Annals,
    at: &'static str,
    is_free: AtomicBool,
}

impl Stuck {
    fn new(annals: Annals, at: &'static str) -> Self {
        Self { annals, at, is_free: AtomicBool::new(false) }
    }

    fn is_stuck(&self, at: &'static str) -> bool {
        self.at == at && !self.is_free.load(Ordering::SeqCst)
    }

    async fn pass(&self, at: &'static str) {
        if self.is_stuck(at) {
            let () = pending().await;
        }
    }
}

/// The ticket of an append that never becomes durable.
enum StuckTicket {
    Never(Pending<()>),
    Of(<Annals as Store>::Ticket),
}

impl Future for StuckTicket {
    type Output = Result<(), AppendError>;
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::Never(never) => pin!(never).poll(context).map(Ok),
            Self::Of(ticket) => pin!(ticket).poll(context),
        }
    }
}

type Failure = AppendFailure<AppendError>;

impl Store for Stuck {
    type Error = AppendError;
    type Ticket = StuckTicket;

    async fn read(
        &self,
        streams: &[ReadFrom],
        at: Option<Position>,
    ) -> Result<Snapshot, AppendError> {
        self.pass("read").await;
        self.annals.read(streams, at).await
    }
    async fn sequence(&self, append: &Append) -> Result<Sequenced<StuckTicket>, Failure> {
        self.pass("before sequence").await;
        let sequenced = self.annals.sequence(append).await;
        self.pass("after sequence").await;
        let never = self.is_stuck("ticket");
        sequenced.map(|Sequenced { committed, ticket, is_repeat }| {
            let ticket =
                if never { StuckTicket::Never(pending()) } else { StuckTicket::Of(ticket) };
            Sequenced { committed, ticket, is_repeat }
        })
    }
    async fn settle(&self, position: Position) -> Result<(), AppendError> {
        self.pass("settle").await;
        self.annals.settle(position).await
    }
    async fn find(&self, id: EventId) -> Result<Option<Committed>, AppendError> {
        self.pass("find").await;
        self.annals.find(id).await
    }
    fn read_blocking(&self, _: &[ReadFrom], _: Option<Position>) -> Result<Snapshot, AppendError> {
        unreachable!("what has a timeout does not block")
    }
    fn sequence_blocking(&self, _: &Append) -> Result<Sequenced<StuckTicket>, Failure> {
        unreachable!("what has a timeout does not block")
    }
    fn wait(&self, _: StuckTicket) -> Result<(), AppendError> {
        unreachable!("what has a timeout does not block")
    }
    fn settle_blocking(&self, _: Position) -> Result<(), AppendError> {
        unreachable!("what has a timeout does not block")
    }
    fn find_blocking(&self, _: EventId) -> Result<Option<Committed>, AppendError> {
        unreachable!("what has a timeout does not block")
    }
    fn derived_id(&self, position: Position) -> EventId {
        self.annals.derived_id(position)
    }
}

/// Wherever a command is stuck, it ends with its time, says whether anything may have happened,
/// and is in nobody's way. Proves G25.
#[test]
fn time_is_over_wherever_it_is_stuck() {
    let stops = [
        ("find", false, 0),
        ("read", false, 0),
        ("before sequence", true, 0),
        ("after sequence", true, 1),
        ("ticket", true, 1),
        ("settle", false, 0),
    ];
    for (at, is_unknown, appended) in stops {
        for is_blocking in [false, true] {
            let annals = Annals::in_memory().unwrap();
            let timer = DreamTimer::default();
            let executor = executor_with(Stuck::new(annals.clone(), at), &timer);
            let command = if at == "settle" { take("a", 1) } else { put("a", 1) };
            let request = || {
                let request = Request::new(&command).key(IdempotencyKey::new("k"));
                request.timeout(Duration::from_secs(3))
            };
            let result = if is_blocking {
                executor.execute_blocking(request())
            } else {
                pollster::block_on(executor.execute(request()))
            };
            match result {
                Err(ExecuteError::TimedOut { is_outcome_unknown }) => {
                    assert_eq!(is_outcome_unknown, is_unknown, "{at}");
                }
                other => panic!("{at}: {other:?}"),
            }
            assert_eq!(timer.now(), Duration::from_secs(3));
            annals.settle_blocking(Position::MAX).unwrap();
            assert_eq!(count(&annals), appended, "{at}");
            // Its turn is over: the next one does not wait for it.
            executor.store().is_free.store(true, Ordering::SeqCst);
            pollster::block_on(executor.execute(&put("a", 1))).unwrap();
        }
    }
}

/// One that waits in the queue is out of time as well, in real time, and leaves the queue.
#[test]
fn time_is_over_in_the_queue() {
    let annals = Annals::in_memory().unwrap();
    let executor = Executor::new(Stuck::new(annals, "read"));
    let [first, second] = [put("a", 1), put("a", 1)];
    let mut first = Box::pin(executor.execute(&first));
    assert!(first.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let request = Request::new(&second).timeout(Duration::from_millis(5));
    let result = executor.execute_blocking(request);
    assert!(matches!(result, Err(ExecuteError::TimedOut { is_outcome_unknown: false })));
    drop(first);
}

/// Time that is over before the append begins leaves nothing behind, although nothing was stuck.
#[test]
fn nothing_is_appended_when_the_time_is_over() {
    let annals = Annals::in_memory().unwrap();
    let executor = executor_with(annals.clone(), &DreamTimer::default());
    let command = put("a", 1);
    let request = Request::new(&command).timeout(Duration::ZERO);
    let result = executor.execute_blocking(request);
    assert!(matches!(result, Err(ExecuteError::TimedOut { is_outcome_unknown: false })));
    assert_eq!(annals.read_blocking(&[], None).unwrap().position, Position::ZERO);
}

/// Many commands in one call: each has an outcome of its own, those over one stream happen in
/// their order, and they share syncs.
#[test]
fn many_commands_are_in_flight_together() {
    let dir = tempfile::tempdir().unwrap();
    let annals = Options::new().segment_bytes(64 << 10).open(dir.path()).unwrap();
    let executor = Executor::new(annals.clone());
    let commands: Vec<Move> =
        (0..200).map(|n| if n % 2 == 0 { put("a", 1) } else { take("a", 1 + n % 4) }).collect();
    let groups = annals.stats().log.groups;
    let outcomes = executor.execute_all_blocking(&commands);
    // In, out, in, out (refused: it has 1 and 3 are asked for), and so on.
    let cents = |n: u64| -> u64 { if n % 4 == 1 { 2 } else { 4 } };
    let mut balance = 0;
    for (n, outcome) in (0..).zip(&outcomes) {
        if n % 2 == 0 {
            balance += 1;
            assert!(outcome.is_ok());
        } else if balance >= cents(n) {
            balance -= cents(n);
            assert!(outcome.is_ok(), "{n}");
        } else {
            assert!(
                matches!(outcome, Err(ExecuteError::Rejected(Refused::Has(has))) if *has == balance)
            );
        }
    }
    assert_eq!(outcomes.len(), 200);
    assert!(annals.stats().log.groups - groups < 50, "{:?}", annals.stats().log);
    let requests = commands.iter().map(|command| Request::new(command).timeout(Duration::MAX));
    assert_eq!(pollster::block_on(executor.execute_all(requests)).len(), 200);
    let none = executor.execute_all_blocking(Vec::<&Move>::new());
    assert!(none.is_empty());
}

/// A hook that panics is the command's error; the command's streams are free afterwards.
#[test]
fn a_hook_may_panic() {
    let annals = Annals::in_memory().unwrap();
    let store = FaultStore::new(annals, FaultPlan::new().conflict(1));
    let calls = AtomicU64::new(0);
    let policy = RetryPolicy::new().on_retry(move |_| {
        assert_eq!(calls.fetch_add(1, Ordering::SeqCst), 7, "as told");
    });
    let executor = Executor::new(store).retry(policy);
    let result = executor.execute_blocking(&put("a", 1));
    assert!(matches!(result, Err(ExecuteError::Panicked { place: "on_retry", .. })), "{result:?}");
    executor.execute_blocking(&put("a", 1)).unwrap();
}
