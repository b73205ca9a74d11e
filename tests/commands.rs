//! Commands on the engine and on the store in memory: decided on what is sequenced, answered
//! when it is durable.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test"
)]

use std::{sync::Arc, thread};

use annals::{
    Annals, Append, AppendError, Bincode, CodecId, Command, CommandStreams, Decision, Event,
    ExecuteError, Executor, InvalidCommand, NewEvent, Options, Payloads, Position, Recorded,
    SchemaVersion, StreamId, StreamQuery, StreamVersion, Threads,
};
use annals_sim::{Fault, SimDisk, SimEnvironment, Times};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Money {
    In(u64),
    Out(u64),
    /// Names another account that belongs to the same customer.
    Linked(String),
}

impl Event for Money {
    fn event_type(&self) -> &'static str {
        match self {
            Self::In(_) => "In",
            Self::Out(_) => "Out",
            Self::Linked(_) => "Linked",
        }
    }
}

fn id(name: &str) -> StreamId {
    StreamId::new(name).unwrap()
}

struct Deposit(StreamId, u64);

impl CommandStreams for Deposit {
    fn streams(&self) -> Vec<StreamId> {
        vec![self.0.clone()]
    }
}

impl Command for Deposit {
    type State = ();
    type Event = Money;
    type Rejection = ();
    fn evolve(&self, (): &mut (), _: &Recorded<Money>) {}
    fn decide(&self, (): &()) -> Result<Decision<Money>, ()> {
        Ok(Decision::one(self.0.clone(), Money::In(self.1)))
    }
}

/// Moves money between two streams, if the first has it.
struct Transfer(StreamId, StreamId, u64);

impl CommandStreams for Transfer {
    fn streams(&self) -> Vec<StreamId> {
        vec![self.0.clone(), self.1.clone()]
    }
}

impl Command for Transfer {
    type State = u64;
    type Event = Money;
    type Rejection = u64;
    fn evolve(&self, balance: &mut u64, recorded: &Recorded<Money>) {
        match &recorded.event {
            Money::In(cents) if recorded.stream == self.0 => *balance += cents,
            Money::Out(cents) if recorded.stream == self.0 => *balance -= cents,
            _ => {}
        }
    }
    fn decide(&self, balance: &u64) -> Result<Decision<Money>, u64> {
        if *balance < self.2 {
            return Err(*balance);
        }
        let out = Decision::one(self.0.clone(), Money::Out(self.2));
        Ok(out.and(self.1.clone(), Money::In(self.2)))
    }
}

/// Reads an account and, round by round, the accounts that it is linked to; emits their sum to
/// the first.
struct SumLinked(StreamId);

#[derive(Default)]
struct Linked {
    accounts: Vec<StreamId>,
    sum: u64,
    seen: Vec<(StreamId, Position)>,
}

impl CommandStreams for SumLinked {
    fn streams(&self) -> Vec<StreamId> {
        vec![self.0.clone(), self.0.clone()]
    }
}

impl Command for SumLinked {
    type State = Linked;
    type Event = Money;
    type Rejection = ();
    fn discover(&self, state: &Linked) -> Vec<StreamId> {
        state.accounts.clone()
    }
    fn evolve(&self, state: &mut Linked, recorded: &Recorded<Money>) {
        state.seen.push((recorded.stream.clone(), recorded.position));
        match &recorded.event {
            Money::In(cents) => state.sum += cents,
            Money::Out(cents) => state.sum -= cents,
            Money::Linked(name) => state.accounts.push(id(name)),
        }
    }
    fn decide(&self, state: &Linked) -> Result<Decision<Money>, ()> {
        let mut once = state.seen.clone();
        once.dedup();
        assert_eq!(once, state.seen, "each stream is read once");
        Ok(Decision::one(self.0.clone(), Money::In(state.sum)))
    }
}

fn stores() -> (tempfile::TempDir, Vec<Annals>) {
    let dir = tempfile::tempdir().unwrap();
    let on_disk = Options::new().segment_bytes(64 << 10).open(dir.path()).unwrap();
    (dir, vec![on_disk, Annals::in_memory().unwrap()])
}

fn balance(annals: &Annals, account: &StreamId) -> u64 {
    let payloads = Payloads::new(Bincode);
    annals.read_stream(account, StreamQuery::forward()).fold(0, |balance, event| {
        match payloads.decode(event.unwrap()).unwrap().unwrap().event {
            Money::In(cents) => balance + cents,
            Money::Out(cents) => balance - cents,
            Money::Linked(_) => balance,
        }
    })
}

/// Money is neither made nor lost when many move it at once between few accounts. Proves G13.
#[test]
fn money_is_conserved_under_contention() {
    let (_dir, stores) = stores();
    for annals in stores {
        let executor = Executor::new(annals.clone()).attempts_max(10_000);
        let accounts: Vec<StreamId> = (0..3).map(|n| id(&format!("account-{n}"))).collect();
        for account in &accounts {
            executor.execute_blocking(&Deposit(account.clone(), 100)).unwrap();
        }
        thread::scope(|scope| {
            for worker in 0..6_usize {
                let (executor, accounts) = (&executor, &accounts);
                scope.spawn(move || {
                    for step in 0..60 {
                        let from = accounts[(worker + step) % 3].clone();
                        let to = accounts[(worker + step + 1) % 3].clone();
                        let transfer = Transfer(from, to, 40);
                        let result = if worker % 2 == 0 {
                            executor.execute_blocking(&transfer)
                        } else {
                            pollster::block_on(executor.execute(&transfer))
                        };
                        match result {
                            Ok(executed) => {
                                let committed = executed.committed.unwrap();
                                assert!(annals_position(executor) >= committed.last);
                            }
                            Err(ExecuteError::Rejected(balance)) => assert!(balance < 40),
                            Err(other) => panic!("{other}"),
                        }
                    }
                });
            }
        });
        assert_eq!(accounts.iter().map(|a| balance(&annals, a)).sum::<u64>(), 300);
    }
}

fn annals_position(executor: &Executor<Annals>) -> Position {
    executor.store().position()
}

/// A rejection rests on an event that is sequenced and not durable: when that event cannot
/// become durable, the rejection must not be told, to a thread or to a task. Proves G12.
#[test]
fn a_rejection_waits_for_what_it_was_decided_on() {
    for is_task in [false, true] {
        let disk = SimDisk::new();
        let options = Options::new().threads(Threads::Inline).segment_bytes(64 << 10);
        let options = options.environment(Arc::new(SimEnvironment::new(1)));
        let annals = options.open_on(Arc::new(disk.clone())).unwrap();
        let (from, to) = (id("from"), id("to"));
        let executor = Executor::new(annals.clone());
        executor.execute_blocking(&Deposit(from.clone(), 50)).unwrap();

        let withdrawal = Payloads::new(Bincode).encode(from.clone(), &Money::Out(50)).unwrap();
        let pending = annals.append(&Append::new().event(withdrawal));
        assert_eq!(annals.stream_version(&from), StreamVersion::new(1), "not visible outside");
        // Only writes fail, so that the decision can read.
        disk.fail_at(disk.calls() + 1, Fault::ShortWrite(0), Times::Forever);
        let transfer = Transfer(from, to, 50);
        let result = if is_task {
            pollster::block_on(executor.execute(&transfer))
        } else {
            executor.execute_blocking(&transfer)
        };
        assert!(matches!(result, Err(ExecuteError::Store(AppendError::Poisoned(_)))), "{result:?}");
        assert!(matches!(pending.wait(), Err(AppendError::OutcomeUnknown(_))));
    }
}

/// The same, when nothing fails: the rejection is told, and what it rests on is durable then.
#[test]
fn a_rejection_makes_what_it_was_decided_on_durable() {
    let (_dir, stores) = stores();
    for annals in stores {
        let executor = Executor::new(annals.clone());
        let (from, to) = (id("from"), id("to"));
        executor.execute_blocking(&Deposit(from.clone(), 50)).unwrap();
        executor.execute_blocking(&Transfer(from.clone(), to.clone(), 50)).unwrap();
        let result = executor.execute_blocking(&Transfer(from, to, 50));
        assert!(matches!(result, Err(ExecuteError::Rejected(0))));
        assert_eq!(annals.position(), Position::new(3));
    }
}

/// G13 (nothing is lost or invented): what is discovered in a stream that was discovered is read too.
#[test]
fn streams_are_discovered_in_rounds_and_all_are_in_the_check() {
    let (_dir, stores) = stores();
    for annals in stores {
        let executor = Executor::new(annals.clone());
        for (n, next) in [(0, 1), (1, 2), (2, 0)] {
            let account = id(&format!("account-{n}"));
            executor.execute_blocking(&Deposit(account.clone(), 10)).unwrap();
            let link = Money::Linked(format!("account-{next}"));
            let link = Payloads::new(Bincode).encode(account, &link).unwrap();
            annals.append(&Append::new().event(link)).wait().unwrap();
        }
        let executed = executor.execute_blocking(&SumLinked(id("account-0"))).unwrap();
        assert_eq!((executed.attempts, executed.position), (1, Position::new(6)));
        assert_eq!(balance(&annals, &id("account-0")), 10 + 30);
    }
}

/// A command made of functions, for what no command may do.
struct Bad {
    streams: Vec<StreamId>,
    emits_to: StreamId,
    discovers: bool,
}

impl CommandStreams for Bad {
    fn streams(&self) -> Vec<StreamId> {
        self.streams.clone()
    }
}

impl Command for Bad {
    type State = u64;
    type Event = Money;
    type Rejection = ();
    fn discover(&self, _: &u64) -> Vec<StreamId> {
        thread_local!(static ROUND: std::cell::Cell<u64> = const { std::cell::Cell::new(0) });
        let round = ROUND.with(|round| round.replace(round.get() + 1));
        if self.discovers { vec![id(&format!("round-{round}"))] } else { Vec::new() }
    }
    fn evolve(&self, _: &mut u64, _: &Recorded<Money>) {}
    fn decide(&self, _: &u64) -> Result<Decision<Money>, ()> {
        Ok(Decision::one(self.emits_to.clone(), Money::In(1)))
    }
}

#[test]
fn what_no_command_may_do_is_refused_and_nothing_is_appended() {
    let (_dir, stores) = stores();
    for annals in stores {
        let executor = Executor::new(annals.clone());
        let run = |streams: Vec<StreamId>, emits_to: &str, discovers| {
            let bad = Bad { streams, emits_to: id(emits_to), discovers };
            match executor.execute_blocking(&bad) {
                Err(ExecuteError::Invalid(error)) => error,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(run(vec![], "a", false), InvalidCommand::NoStreams);
        let undeclared = InvalidCommand::UndeclaredStream { stream: id("b") };
        assert_eq!(run(vec![id("a")], "b", false), undeclared);
        let endless = run(vec![id("a")], "a", true);
        assert!(matches!(endless, InvalidCommand::EndlessDiscovery { .. }), "{endless:?}");
        assert_eq!(annals.position(), Position::ZERO);
    }
}

#[test]
fn an_event_of_another_codec_or_type_is_an_error_that_names_it() {
    let annals = Annals::in_memory().unwrap();
    let executor = Executor::new(annals.clone());
    let raw = NewEvent::new(id("raw"), "Raw", "bytes").unwrap();
    annals.append(&Append::new().event(raw)).wait().unwrap();
    let error = executor.execute_blocking(&Deposit(id("raw"), 1)).unwrap_err();
    assert!(error.to_string().contains("position 1 of stream raw"), "{error}");
    let foreign = NewEvent::new(id("foreign"), "Foreign", [200, 1, 2]).unwrap();
    let foreign = foreign.with_codec(CodecId::BINCODE, SchemaVersion::FIRST);
    annals.append(&Append::new().event(foreign)).wait().unwrap();
    let error = executor.execute_blocking(&Deposit(id("foreign"), 1)).unwrap_err();
    assert!(error.to_string().contains("position 2 of stream foreign"), "{error}");
}

/// A conflict that persists names the streams, and the attempts are bounded.
#[test]
fn retries_are_bounded() {
    /// Appends behind the back of its own command, in every attempt.
    struct Racing(Annals);
    impl CommandStreams for Racing {
        fn streams(&self) -> Vec<StreamId> {
            vec![id("raced"), id("quiet")]
        }
    }

    impl Command for Racing {
        type State = ();
        type Event = Money;
        type Rejection = ();
        fn evolve(&self, (): &mut (), _: &Recorded<Money>) {}
        fn decide(&self, (): &()) -> Result<Decision<Money>, ()> {
            Executor::new(self.0.clone()).execute_blocking(&Deposit(id("raced"), 1)).unwrap();
            Ok(Decision::one(id("quiet"), Money::In(1)))
        }
    }
    let (_dir, stores) = stores();
    for annals in stores {
        let executor = Executor::new(annals.clone()).attempts_max(3);
        match executor.execute_blocking(&Racing(annals.clone())) {
            Err(ExecuteError::Contended { conflicts, attempts: 3 }) => {
                assert_eq!(conflicts.len(), 1);
                assert_eq!(conflicts[0].stream, id("raced"));
                assert_eq!(conflicts[0].actual, StreamVersion::new(3));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(annals.stream_version(&id("quiet")), StreamVersion::ZERO);
    }
}

/// The same calls in a tokio runtime, with many tasks on few threads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_execute_commands() {
    let dir = tempfile::tempdir().unwrap();
    let annals = Options::new().segment_bytes(64 << 10).open(dir.path()).unwrap();
    let executor = Arc::new(Executor::new(annals.clone()).attempts_max(10_000));
    let tasks: Vec<_> = (0..200)
        .map(|n| {
            let executor = executor.clone();
            tokio::spawn(async move {
                executor.execute(&Deposit(id(&format!("account-{}", n % 10)), 1)).await.unwrap()
            })
        })
        .collect();
    for task in tasks {
        assert!(task.await.unwrap().committed.is_some());
    }
    let sum: u64 = (0..10).map(|n| balance(&annals, &id(&format!("account-{n}")))).sum();
    assert_eq!(sum, 200);
}

/// Discovers one stream after the other, so many in all, each through the one before.
struct Chain(u64);

impl CommandStreams for Chain {
    fn streams(&self) -> Vec<StreamId> {
        vec![id("link-0")]
    }
}

impl Command for Chain {
    type State = u64;
    type Event = Money;
    type Rejection = u64;

    fn discover(&self, read: &u64) -> Vec<StreamId> {
        (*read <= self.0).then(|| id(&format!("link-{read}"))).into_iter().collect()
    }

    fn evolve(&self, read: &mut u64, _: &Recorded<Money>) {
        *read += 1;
    }

    fn decide(&self, read: &u64) -> Result<Decision<Money>, u64> {
        Err(*read)
    }
}

/// As many rounds of discovery as are allowed are allowed, and no more.
#[test]
fn discovery_may_take_as_many_rounds_as_it_is_said_to() {
    let annals = Annals::in_memory().unwrap();
    for link in 0..100 {
        let event = Payloads::new(Bincode).encode(id(&format!("link-{link}")), &Money::In(1));
        annals.append(&Append::new().event(event.unwrap())).wait().unwrap();
    }
    let executor = Executor::new(annals);
    let Err(ExecuteError::Invalid(InvalidCommand::EndlessDiscovery { rounds })) =
        executor.execute_blocking(&Chain(99))
    else {
        panic!("it should not end")
    };
    let most = u64::from(rounds);
    for (streams, is_allowed) in [(most - 1, true), (most, true), (most + 1, false)] {
        let result = executor.execute_blocking(&Chain(streams));
        match result {
            Err(ExecuteError::Rejected(read)) => assert!(is_allowed && read == streams + 1),
            Err(ExecuteError::Invalid(_)) => assert!(!is_allowed, "{streams}"),
            other => panic!("{other:?}"),
        }
    }
}
