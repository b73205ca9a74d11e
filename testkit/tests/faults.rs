//! Faults come where they were planned, and commands meet them as they would in earnest.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test")]

use annals::{
    Annals, Append, AppendFailure, Command, CommandStreams, Decision, Event, ExecuteError,
    Executor, ExpectedVersion, NewEvent, Position, ReadFrom, Recorded, Store, StreamId,
    StreamVersion,
};
use annals_testkit::{At, Calls, FaultError, FaultPlan, FaultStore};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Counted {
    count: u64,
}

/// Counts to three.
struct Count(StreamId);

impl CommandStreams for Count {
    fn streams(&self) -> Vec<StreamId> {
        vec![self.0.clone()]
    }
}

impl Command for Count {
    type State = u64;
    type Event = Counted;
    type Rejection = &'static str;

    fn evolve(&self, count: &mut u64, recorded: &Recorded<Counted>) {
        *count = recorded.event.count;
    }

    fn decide(&self, count: &u64) -> Result<Decision<Counted>, &'static str> {
        if *count == 3 {
            return Err("three is enough");
        }
        Ok(Decision::one(self.0.clone(), Counted { count: count + 1 }))
    }
}

fn counter() -> StreamId {
    StreamId::new("counter").unwrap()
}

type Faulty = FaultStore<Annals>;

fn executor(plan: FaultPlan) -> Executor<Faulty> {
    Executor::new(FaultStore::new(Annals::in_memory().unwrap(), plan)).attempts_max(3)
}

fn version(store: &Faulty) -> u64 {
    store.inner().stream_version(&counter()).get()
}

fn count(
    executor: &Executor<Faulty>,
    is_blocking: bool,
) -> Result<annals::Executed, ExecuteError<&'static str, <Faulty as Store>::Error>> {
    if is_blocking {
        executor.execute_blocking(&Count(counter()))
    } else {
        pollster::block_on(executor.execute(&Count(counter())))
    }
}

#[test]
fn conflicts_are_met_and_decided_again() {
    for is_blocking in [true, false] {
        let executor = executor(FaultPlan::new().conflict(1..=2));
        let executed = count(&executor, is_blocking).unwrap();
        assert_eq!((executed.attempts, version(executor.store())), (3, 1));
        assert_eq!(count(&executor, is_blocking).unwrap().attempts, 1);
        assert_eq!(executor.store().calls().appends, 4);
    }
}

#[test]
fn conflicts_that_persist_end_the_command() {
    for is_blocking in [true, false] {
        let executor = executor(FaultPlan::new().conflict(1..=3));
        match count(&executor, is_blocking) {
            Err(ExecuteError::Contended { conflicts, attempts: 3 }) => {
                let [conflict] = conflicts.as_slice() else { panic!("{conflicts:?}") };
                assert_eq!(conflict.stream, counter());
                assert!(!conflict.expected.holds(conflict.actual), "{conflict}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(version(executor.store()), 0);
        assert!(count(&executor, is_blocking).is_ok());
    }
}

#[test]
fn a_refused_append_did_not_happen_and_one_whose_answer_is_lost_did() {
    for is_blocking in [true, false] {
        let executor = executor(FaultPlan::new().refuse(1).lose_answer(2));
        let error = |result| match result {
            Err(ExecuteError::Store(FaultError::Planned { call, number, remark })) => {
                (call, number, remark)
            }
            other => panic!("{other:?}"),
        };
        let refused = error(count(&executor, is_blocking));
        assert_eq!(refused, ("append", 1, "; nothing was appended"));
        assert_eq!(version(executor.store()), 0);
        let lost = error(count(&executor, is_blocking));
        assert_eq!(lost, ("append", 2, "; its outcome is unknown"));
        assert_eq!(version(executor.store()), 1);
        // The next command counts on, whatever was told.
        count(&executor, is_blocking).unwrap();
        assert_eq!(version(executor.store()), 2);
    }
}

#[test]
fn reads_and_settlements_fail_where_planned() {
    for is_blocking in [true, false] {
        let plan = FaultPlan::new().fail_reads(1).fail_settlements(1..=1);
        let executor = executor(plan);
        match count(&executor, is_blocking) {
            Err(ExecuteError::Store(FaultError::Planned { call: "read", number: 1, .. })) => {}
            other => panic!("{other:?}"),
        }
        for _ in 0..3 {
            count(&executor, is_blocking).unwrap();
        }
        // What the rejection rests on may not be durable: it is not told.
        match count(&executor, is_blocking) {
            Err(ExecuteError::Store(FaultError::Planned { call: "settlement", .. })) => {}
            other => panic!("{other:?}"),
        }
        let result = count(&executor, is_blocking);
        assert!(matches!(result, Err(ExecuteError::Rejected(_))), "{result:?}");
        let Calls { reads, appends, settlements } = executor.store().calls();
        assert_eq!((appends, settlements), (3, 2));
        assert!(reads >= 3, "{reads}");
    }
}

/// Another command comes between decision and append: a conflict in earnest, which the executor
/// meets with what the other one left.
#[test]
fn what_happens_meanwhile_is_decided_on() {
    let store = FaultStore::new(Annals::in_memory().unwrap(), FaultPlan::new());
    let store = store.meanwhile(At::Calls(1..=2), |annals: &Annals| {
        Executor::new(annals.clone()).execute_blocking(&Count(counter())).unwrap();
    });
    let executor = Executor::new(store).attempts_max(3);
    let executed = count(&executor, true).unwrap();
    assert_eq!(executed.attempts, 3);
    assert_eq!(executed.committed.unwrap().versions.as_slice(), [StreamVersion::new(3)]);
    let result = count(&executor, true);
    assert!(matches!(result, Err(ExecuteError::Rejected("three is enough"))), "{result:?}");
}

/// The same seed, the same faults, however the calls are made.
#[test]
fn faults_by_seed_are_the_same_each_time() {
    let faults = |seed| -> Vec<bool> {
        let plan = FaultPlan::new().conflict(At::OneIn { calls: 3, seed });
        let store = FaultStore::new(Annals::in_memory().unwrap(), plan);
        let append = |n: u64| {
            let event = NewEvent::new(counter(), "Counted", "x").unwrap();
            let append = Append::new().event(event).expect(counter(), ExpectedVersion::Any);
            let read = StreamId::new("read").unwrap();
            let append = append.expect(read, ExpectedVersion::NoStream);
            let result = if n.is_multiple_of(2) {
                store.append_blocking(&append)
            } else {
                pollster::block_on(store.append(&append))
            };
            matches!(result, Err(AppendFailure::Conflict { .. }))
        };
        (0..60).map(append).collect()
    };
    assert_eq!(faults(7), faults(7));
    assert_ne!(faults(7), faults(8));
    let count = faults(7).iter().filter(|is_fault| **is_fault).count();
    assert!((8..=32).contains(&count), "{count} of 60");
}

#[test]
fn what_cannot_conflict_does_not() {
    let plan = FaultPlan::new().conflict(At::Every(1));
    let store = FaultStore::new(Annals::in_memory().unwrap(), plan);
    let event = NewEvent::new(counter(), "Counted", "x").unwrap();
    assert!(store.append_blocking(&Append::new().event(event)).is_ok());
    let from = ReadFrom { stream: counter(), after: StreamVersion::ZERO };
    assert_eq!(store.read_blocking(&[from], None).unwrap().position, Position::new(1));
    let clone = store.clone();
    assert_eq!(clone.calls(), Calls { reads: 1, appends: 1, settlements: 0 });
}
