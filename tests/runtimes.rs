//! The same commands in tokio, with one thread and with many, in smol, without any runtime, and in
//! threads that block: nothing of a runtime is needed, and none stands in the way of another.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test")]

use std::{sync::Arc, thread, time::Duration};

use annals::{
    Annals, Backoff, Caching, Command, Decision, Event, ExecuteError, Executed, Executor, Options,
    PerStream, Recorded, Request, RetryPolicy, StreamId, StreamState,
};
use annals_testkit::{FaultPlan, FaultStore};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
enum Money {
    In(u64),
    Out(u64),
}

#[derive(Debug, Default)]
struct Account(u64);

impl StreamState for Account {
    type Event = Money;
    fn evolve(&mut self, recorded: &Recorded<Money>) {
        match recorded.event {
            Money::In(cents) => self.0 += cents,
            Money::Out(cents) => self.0 -= cents,
        }
    }
}

/// Moves one cent.
#[derive(Debug, Clone, Command)]
struct Transfer {
    #[stream]
    from: StreamId,
    #[stream]
    to: StreamId,
}

impl Command for Transfer {
    type State = PerStream<Account>;
    type Event = Money;
    type Rejection = &'static str;
    fn evolve(&self, accounts: &mut PerStream<Account>, recorded: &Recorded<Money>) {
        accounts.evolve(recorded);
    }
    fn caching(&self) -> Caching<PerStream<Account>> {
        Caching::per_stream()
    }
    fn decide(&self, accounts: &PerStream<Account>) -> Result<Decision<Money>, &'static str> {
        let received = Decision::one(self.to.clone(), Money::In(1));
        match accounts.of(&self.from).0 {
            // Money comes from outside.
            _ if self.from.as_str() == "outside" => Ok(received),
            0 => Err("nothing left"),
            _ => Ok(received.and(self.from.clone(), Money::Out(1))),
        }
    }
}

fn transfer(from: &str, to: &str) -> Transfer {
    let [from, to] = [from, to].map(|name| StreamId::new(name).unwrap());
    Transfer { from, to }
}

/// How many callers, and how many transfers each.
const CALLERS: u64 = 8;
const EACH: u64 = 40;

/// What one caller does: puts in a cent, and moves it on.
fn of_caller(number: u64) -> [Transfer; 2] {
    let account = if number.is_multiple_of(2) { "a" } else { "b" };
    [transfer("outside", account), transfer(account, "shared")]
}

async fn call(executor: Executor<Annals>, number: u64) -> u64 {
    let mut done = 0;
    for _ in 0..EACH {
        for command in of_caller(number) {
            executor.execute(&command).await.unwrap();
            done += 1;
        }
    }
    done
}

/// Two that conflict in the first attempt and wait before the second, and one that never ends.
async fn wait(executor: Executor<FaultStore<Annals>>) -> [Executed; 2] {
    let command = transfer("outside", "a");
    let first = executor.execute(&command).await.unwrap();
    let timed = Request::new(&command).timeout(Duration::from_hours(1));
    let second = executor.execute(timed).await.unwrap();
    let late = Request::new(&command).timeout(Duration::ZERO);
    let late = executor.execute(late).await;
    assert!(matches!(late, Err(ExecuteError::TimedOut { is_outcome_unknown: false })), "{late:?}");
    [first, second]
}

struct Bank {
    annals: Annals,
    dir: tempfile::TempDir,
}

impl Bank {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let annals = Options::new().segment_bytes(1 << 20).open(dir.path()).unwrap();
        Self { annals, dir }
    }

    fn executor(&self) -> Executor<Annals> {
        Executor::new(self.annals.clone())
    }

    /// Its first append of each of two commands conflicts.
    fn faulty(&self) -> Executor<FaultStore<Annals>> {
        let plan = FaultPlan::new().conflict(1..=1).conflict(3..=3);
        let policy = RetryPolicy::new().backoff(Backoff::Fixed(Duration::from_millis(2)));
        Executor::new(FaultStore::new(self.annals.clone(), plan)).retry(policy)
    }

    /// Holds the bank to what its callers did.
    fn check(self, done: &[u64], waited: &[Executed]) {
        assert_eq!(done.iter().sum::<u64>(), CALLERS * EACH * 2);
        assert_eq!(waited.iter().map(|executed| executed.attempts).collect::<Vec<_>>(), [2, 2]);
        let events = CALLERS * EACH * 3 + 2;
        assert_eq!(self.annals.position().get(), events);
        let Self { annals, dir } = self;
        annals.close().unwrap();
        let again = Options::new().segment_bytes(1 << 20).open(dir.path()).unwrap();
        assert_eq!(again.position().get(), events);
        let executor = Executor::new(again);
        for _ in 0..CALLERS * EACH {
            executor.execute_blocking(&transfer("shared", "outside")).unwrap();
        }
        let empty = executor.execute_blocking(&transfer("shared", "outside"));
        assert!(matches!(empty, Err(ExecuteError::Rejected("nothing left"))), "{empty:?}");
    }
}

async fn in_tokio(bank: Bank) {
    let callers: Vec<_> =
        (0..CALLERS).map(|number| tokio::spawn(call(bank.executor(), number))).collect();
    let mut done = Vec::new();
    for caller in callers {
        done.push(caller.await.unwrap());
    }
    let waited = tokio::spawn(wait(bank.faulty())).await.unwrap();
    bank.check(&done, &waited);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_run_in_tokio_with_many_threads() {
    in_tokio(Bank::new()).await;
}

#[tokio::test(flavor = "current_thread")]
async fn commands_run_in_tokio_with_one_thread() {
    in_tokio(Bank::new()).await;
}

#[test]
fn commands_run_in_smol() {
    let bank = Bank::new();
    let (done, waited) = smol::block_on(async {
        let callers: Vec<_> =
            (0..CALLERS).map(|number| smol::spawn(call(bank.executor(), number))).collect();
        let mut done = Vec::new();
        for caller in callers {
            done.push(caller.await);
        }
        (done, smol::spawn(wait(bank.faulty())).await)
    });
    bank.check(&done, &waited);
}

/// No runtime at all: a future is polled by whoever wants its end.
#[test]
fn commands_run_without_a_runtime() {
    let bank = Bank::new();
    let executor = bank.executor();
    let commands: Vec<Transfer> =
        (0..CALLERS).flat_map(|number| (0..EACH).flat_map(move |_| of_caller(number))).collect();
    let results = pollster::block_on(executor.execute_all(&commands));
    let done = results.iter().filter(|result| result.is_ok()).count();
    let waited = pollster::block_on(wait(bank.faulty()));
    bank.check(&[u64::try_from(done).unwrap()], &waited);
}

#[test]
fn commands_run_in_threads_that_block() {
    let bank = Arc::new(Bank::new());
    let callers: Vec<_> = (0..CALLERS)
        .map(|number| {
            let executor = bank.executor();
            let run = move || {
                let commands = (0..EACH).flat_map(|_| of_caller(number));
                let results = commands.map(|command| executor.execute_blocking(&command).unwrap());
                u64::try_from(results.count()).unwrap()
            };
            thread::Builder::new().spawn(run).unwrap()
        })
        .collect();
    let done: Vec<u64> = callers.into_iter().map(|caller| caller.join().unwrap()).collect();
    let (executor, command) = (bank.faulty(), transfer("outside", "a"));
    let waited = [(); 2].map(|()| executor.execute_blocking(&command).unwrap());
    Arc::into_inner(bank).unwrap().check(&done, &waited);
}
