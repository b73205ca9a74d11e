use std::sync::atomic::{AtomicU64, Ordering};

use annals_bench::report::{Measured, plan::Financial};
use clap::Parser;
use eventcore::{Event, EventStream, StreamId};
use eventcore_memory::InMemoryEventStore;
use eventcore_types::{
    EventFilter, EventPage, EventReader, EventStore, EventStoreError, EventStreamSlice,
    StreamPosition, StreamVersion, StreamWrites,
};
use tokio::runtime::Runtime;

use super::{
    Commands,
    run::{on_store, run},
};
use crate::{
    arguments::{Arguments, Command},
    error::PeersError,
};

fn commands(line: &str) -> Result<Commands, String> {
    let words = ["annals-peers", "commands"].into_iter().chain(line.split_whitespace());
    match Arguments::try_parse_from(words).map_err(|error| error.to_string())?.command {
        Some(Command::Commands(commands)) => Ok(commands),
        None => Err("no subcommand".to_owned()),
    }
}

/// In a directory of its own, which must be empty afterwards.
fn row(line: &str) -> Result<Measured, PeersError> {
    let directory = tempfile::tempdir().unwrap();
    let mut commands = commands(line).unwrap();
    commands.dir = directory.path().join("new");
    let measured = run(&commands);
    let left = std::fs::read_dir(&commands.dir).map_or(0, Iterator::count);
    assert_eq!(left, 0, "files are left over");
    measured
}

#[test]
fn every_backend_ends_as_planned() {
    for backend in ["memory", "sqlite", "files"] {
        for workload in [
            "financial --commands 300 --callers 20 --accounts 20",
            "orders --commands 200 --callers 10",
            "batch --commands 12",
            "batch-200 --commands 12 --callers 3",
        ] {
            let line = format!("--backend eventcore-{backend} --workload {workload} --seed 7");
            let measured = row(&line).unwrap();
            let asked = commands(&line).unwrap().asked;
            let (plan, counts) = (asked.plan(), measured.counts);
            let is_possible = |number: &u64| plan.is_possible(*number);
            let possible = (0..plan.commands()).filter(is_possible).count();
            assert_eq!(counts.accepted, annals_bench::wide(possible), "{line}");
            assert_eq!(counts.accepted + counts.rejected, plan.commands(), "{line}");
            assert_eq!(measured.digest, plan.end_state().digest(), "{line}");
            assert_eq!(measured.digest, measured.expected_digest, "{line}");
            assert_eq!((measured.callers, &measured.workload), (asked.callers(), &asked.name()));
            assert!(measured.attempts >= Some(counts.asked) && measured.events > 0, "{line}");
        }
    }
}

#[test]
fn every_attempt_counts() {
    let contended = "--workload financial --commands 200 --callers 20 --accounts 2";
    let measured = row(&format!("--backend eventcore-files {contended}")).unwrap();
    assert!(measured.attempts > Some(200), "20 callers on 2 accounts never met");
    assert_eq!((measured.counts.conflicts, measured.counts.failed), (0, 0));
}

/// Does not do what it is asked: for one append in so many, or for appends to one stream.
struct Broken {
    store: InMemoryEventStore,
    appends: AtomicU64,
    /// Acknowledges without keeping anything.
    forgets_each: u64,
    refuses: Option<StreamId>,
}

impl Broken {
    fn new(forgets_each: u64, refuses: Option<&str>) -> Self {
        let refuses = refuses.map(|stream| StreamId::try_new(stream.to_owned()).unwrap());
        let (store, appends) = (InMemoryEventStore::new(), AtomicU64::new(0));
        Self { store, appends, forgets_each, refuses }
    }
}

impl EventStore for Broken {
    async fn read_stream<E: Event>(
        &self,
        stream: StreamId,
    ) -> Result<EventStream<E>, EventStoreError> {
        self.store.read_stream(stream).await
    }

    async fn append_events(
        &self,
        writes: StreamWrites,
    ) -> Result<EventStreamSlice, EventStoreError> {
        let appends = self.appends.fetch_add(1, Ordering::Relaxed);
        let refused = self.refuses.as_ref().filter(|stream| {
            // The first append is that of all accounts.
            appends > 0 && writes.expected_versions().contains_key(*stream)
        });
        if let Some(stream_id) = refused.cloned() {
            let (expected, actual) = (StreamVersion::new(1), StreamVersion::new(2));
            return Err(EventStoreError::VersionConflict { stream_id, expected, actual });
        }
        if appends % self.forgets_each == self.forgets_each - 1 {
            return Ok(EventStreamSlice);
        }
        self.store.append_events(writes).await
    }
}

impl EventReader for Broken {
    type Error = EventStoreError;

    async fn read_events<E: Event>(
        &self,
        filter: EventFilter,
        page: EventPage,
    ) -> Result<Vec<(E, StreamPosition)>, EventStoreError> {
        self.store.read_events(filter, page).await
    }
}

fn on_broken(store: Broken) -> Result<Measured, PeersError> {
    let line = "--backend eventcore-memory --workload financial --commands 100 --callers 20 \
                --accounts 10 --retry default";
    Runtime::new().unwrap().block_on(on_store(store, &commands(line).unwrap()))
}

#[test]
fn what_was_acknowledged_and_is_not_there_is_noticed() {
    let error = on_broken(Broken::new(50, None)).unwrap_err();
    assert!(matches!(error, PeersError::Unequal { .. }), "{error}");
    assert!(error.to_string().contains("account-"), "{error}");
    on_broken(Broken::new(u64::MAX, None)).unwrap();
}

#[test]
fn what_was_given_up_counts_as_a_conflict_and_is_not_expected() {
    let measured = on_broken(Broken::new(u64::MAX, Some("account-0000003"))).unwrap();
    let conflicts = measured.counts.conflicts;
    assert!(conflicts > 0 && measured.counts.accepted > 0, "{:?}", measured.counts);
    assert_eq!(measured.digest, measured.expected_digest);
    let all = Financial { commands: 100, accounts: 10, seed: 1 };
    let all = annals_bench::report::plan::Workload::Financial(all).end_state();
    assert_ne!(measured.digest, all.digest());
    // Four retries of each.
    assert!(measured.attempts >= Some(100 + 4 * conflicts), "{:?}", measured.attempts);
}

#[test]
fn what_cannot_be_is_refused_with_what_can() {
    let error = |line: &str| commands(line).unwrap_err();
    let unknown = error("--backend eventcore-redis --workload orders");
    assert!(unknown.contains("eventcore-memory, eventcore-sqlite, eventcore-files"), "{unknown}");
    let server = error("--backend eventcore-postgres --workload orders");
    assert!(server.contains("--postgres"), "{server}");
    assert!(error("--backend eventcore-files").contains("--workload"));
}

#[test]
fn a_directory_or_a_server_that_is_not_there_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut files = commands("--backend eventcore-files --workload batch --commands 1").unwrap();
    files.dir = file.path().join("below");
    let error = run(&files).unwrap_err().to_string();
    assert!(error.contains("below cannot be written to") && error.contains("--dir"), "{error}");
    let postgres = "--backend eventcore-postgres --workload batch --commands 1";
    let nowhere = file.path().display();
    let error = row(&format!("{postgres} --postgres postgres://me:secret@127.0.0.1:1/x"));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("127.0.0.1, port 1") && !error.contains("secret"), "{error}");
    let line = format!("{postgres} --postgres host={nowhere}");
    let error = row(&line).unwrap_err().to_string();
    assert!(error.contains("cannot be used"), "{error}");
}
