//! Commands and appends on Postgres, in one run: with everything on, and with one thing after the
//! other taken away. Rates are of this run and this machine; the ratios say more.
//!
//! `DATABASE_URL=... cargo run --release -p annals-postgres --example parity`
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    clippy::as_conversions,
    reason = "an example"
)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use annals::{
    Append, AppendFailure, Caching, Command, CommandStreams, Committed, Decision, Event, EventId,
    ExecuteError, Executor, ExpectedVersion, NewEvent, PerStream, Position, ReadFrom, Recorded,
    Sequenced, Snapshot, Store, StreamId, StreamState, StreamVersion, Versions,
};
use annals_postgres::{PostgresStore, Role, Settings, StoreError, init};
use serde::{Deserialize, Serialize};

/// A store that reads stream after stream, each with a query of its own.
struct OneByOne(PostgresStore);

impl Store for OneByOne {
    type Error = StoreError;
    type Ticket = <PostgresStore as Store>::Ticket;

    async fn read(&self, from: &[ReadFrom], at: Option<Position>) -> Result<Snapshot, StoreError> {
        let (mut at, mut versions, mut events) = (at, Versions::new(), Vec::new());
        for one in from {
            let snapshot = self.0.read(std::slice::from_ref(one), at).await?;
            at = Some(snapshot.position);
            versions.extend(snapshot.versions);
            events.extend(snapshot.events);
        }
        events.sort_by_key(|event| event.position);
        Ok(Snapshot { position: at.unwrap_or_default(), versions, events })
    }

    async fn sequence(
        &self,
        append: &Append,
    ) -> Result<Sequenced<Self::Ticket>, AppendFailure<StoreError>> {
        self.0.sequence(append).await
    }

    async fn settle(&self, position: Position) -> Result<(), StoreError> {
        self.0.settle(position).await
    }

    async fn find(&self, id: EventId) -> Result<Option<Committed>, StoreError> {
        self.0.find(id).await
    }

    fn read_blocking(
        &self,
        from: &[ReadFrom],
        at: Option<Position>,
    ) -> Result<Snapshot, StoreError> {
        self.0.read_blocking(from, at)
    }

    fn sequence_blocking(
        &self,
        append: &Append,
    ) -> Result<Sequenced<Self::Ticket>, AppendFailure<StoreError>> {
        self.0.sequence_blocking(append)
    }

    fn wait(&self, ticket: Self::Ticket) -> Result<(), StoreError> {
        self.0.wait(ticket)
    }

    fn settle_blocking(&self, position: Position) -> Result<(), StoreError> {
        self.0.settle_blocking(position)
    }

    fn find_blocking(&self, id: EventId) -> Result<Option<Committed>, StoreError> {
        self.0.find_blocking(id)
    }

    fn derived_id(&self, position: Position) -> EventId {
        self.0.derived_id(position)
    }
}

#[derive(Serialize, Deserialize, Event)]
enum Change {
    Changed { by: i64 },
}

/// Changes every one of its streams, if none falls below nothing.
struct Changes(Vec<(StreamId, i64)>);

#[derive(Default)]
struct Sum(i64);

impl StreamState for Sum {
    type Event = Change;

    fn evolve(&mut self, recorded: &Recorded<Change>) {
        let Change::Changed { by } = recorded.event;
        self.0 += by;
    }
}

impl CommandStreams for Changes {
    fn streams(&self) -> Vec<StreamId> {
        self.0.iter().map(|(stream, _)| stream.clone()).collect()
    }
}

impl Command for Changes {
    type State = PerStream<Sum>;
    type Event = Change;
    type Rejection = ();

    fn evolve(&self, sums: &mut PerStream<Sum>, recorded: &Recorded<Change>) {
        sums.evolve(recorded);
    }

    fn caching(&self) -> Caching<PerStream<Sum>> {
        Caching::per_stream()
    }

    fn decide(&self, sums: &PerStream<Sum>) -> Result<Decision<Change>, ()> {
        if self.0.iter().any(|(stream, by)| 1_000 + sums.of(stream).0 + by < 0) {
            return Err(());
        }
        let mut decision = Decision::nothing();
        for (stream, by) in &self.0 {
            decision = decision.and(stream.clone(), Change::Changed { by: *by });
        }
        Ok(decision)
    }
}

fn random(state: &mut u64, end: u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % end
}

fn stream(kind: &str, number: u64) -> StreamId {
    StreamId::new(&format!("{kind}-{number}")).unwrap()
}

/// A deposit, a withdrawal or a transfer over 100 accounts.
fn financial(state: &mut u64) -> Changes {
    let (first, cents) = (random(state, 100), i64::try_from(random(state, 100)).unwrap());
    Changes(match random(state, 10) {
        0..4 => vec![(stream("account", first), cents)],
        4..6 => vec![(stream("account", first), -cents)],
        _ => vec![
            (stream("account", first), -cents),
            (stream("account", (first + 1 + random(state, 99)) % 100), cents),
        ],
    })
}

/// An order, its customer and one to four of 50 products.
fn order(state: &mut u64) -> Changes {
    let first = random(state, 50);
    let mut changes = vec![
        (stream("order", random(state, u64::MAX >> 33)), 1),
        (stream("customer", random(state, 1000)), 1),
    ];
    let by = if random(state, 2) == 0 { -1 } else { 1 };
    changes.extend((0..=random(state, 4)).map(|n| (stream("product", (first + n) % 50), by)));
    Changes(changes)
}

async fn commands<S: Store + 'static>(
    store: S,
    callers: u64,
    next: fn(&mut u64) -> Changes,
    time: Duration,
) -> (f64, u64) {
    let executor = Executor::new(store);
    let (done, failed) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let started = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let (executor, done, failed) = (executor.clone(), done.clone(), failed.clone());
            tokio::spawn(async move {
                let mut state = caller * 77 + 5;
                while started.elapsed() < time {
                    match executor.execute(&next(&mut state)).await {
                        Ok(_) | Err(ExecuteError::Rejected(())) => &done,
                        Err(_) => &failed,
                    }
                    .fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let rate = done.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64();
    (rate, failed.load(Ordering::Relaxed))
}

/// One caller, 100 events over 5 streams in each append.
async fn batches(store: PostgresStore, time: Duration) -> f64 {
    let (started, mut count) = (Instant::now(), 0);
    while started.elapsed() < time {
        let mut append = Append::new();
        for number in 0..100 {
            let event =
                NewEvent::new(stream("batch", number % 5), "Happened", vec![7; 100]).unwrap();
            append = append.event(event);
        }
        for number in 0..5 {
            let version = StreamVersion::new(count * 20);
            append = append.expect(stream("batch", number), ExpectedVersion::Exactly(version));
        }
        store.append(&append).await.unwrap();
        count += 1;
    }
    count as f64 * 100.0 / started.elapsed().as_secs_f64()
}

/// How a store is set.
type Set = fn(Settings) -> Settings;

#[tokio::main]
async fn main() {
    let url = std::env::var("DATABASE_URL").unwrap();
    let seconds = std::env::args().nth(1).map_or(3, |text| text.parse().unwrap());
    let time = Duration::from_secs(seconds);
    let fresh = |set: fn(Settings) -> Settings, name: &str| {
        let schema = format!("parity {name} {}", std::process::id());
        let settings = set(Settings::parse(&url).unwrap().schema(schema));
        init(&settings, Role::Store).unwrap();
        PostgresStore::open(settings).unwrap()
    };
    let ways: [(&str, Set); 4] = [
        ("as it is", |settings| settings),
        ("each append and read by itself", |settings| settings.gathered_max(1)),
        ("statements not prepared", |settings| settings.prepared(false)),
        ("one connection that reads", |settings| settings.readers(1)),
    ];
    println!(
        "| | financial, 100 callers, commands/s | orders, 50 callers, commands/s | batches, events/s |"
    );
    println!("|---|--:|--:|--:|");
    for (name, set) in ways {
        let financial = commands(fresh(set, &format!("{name} f")), 100, financial, time).await;
        let orders = commands(fresh(set, &format!("{name} o")), 50, order, time).await;
        let batches = batches(fresh(set, &format!("{name} b")), time).await;
        println!(
            "| {name} | {:.0} ({} failed) | {:.0} ({} failed) | {batches:.0} |",
            financial.0, financial.1, orders.0, orders.1
        );
    }
    let all: [(&str, Set); 2] = [
        ("each stream read by itself", |settings| settings),
        ("all of these", |settings| settings.gathered_max(1).prepared(false).readers(1)),
    ];
    for (name, set) in all {
        let store = |kind: &str| OneByOne(fresh(set, &format!("{name} {kind}")));
        let financial = commands(store("f"), 100, financial, time).await;
        let orders = commands(store("o"), 50, order, time).await;
        let batches = batches(store("b").0, time).await;
        println!(
            "| {name} | {:.0} ({} failed) | {:.0} ({} failed) | {batches:.0} |",
            financial.0, financial.1, orders.0, orders.1
        );
    }
}
