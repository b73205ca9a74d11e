//! Commands and appends, on any store.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use annals::{
    Append, Caching, Command, CommandStreams, Decision, Event, ExecuteError, Executor,
    ExpectedVersion, NewEvent, PerStream, Recorded, Store, StreamId, StreamState, StreamVersion,
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
pub(crate) enum Change {
    Changed { by: i64 },
}

/// Changes every one of its streams, if none falls below nothing.
pub(crate) struct Changes(Vec<(StreamId, i64)>);

#[derive(Default)]
pub(crate) struct Sum(i64);

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
pub(crate) fn financial(state: &mut u64) -> Changes {
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
pub(crate) fn order(state: &mut u64) -> Changes {
    let first = random(state, 50);
    let mut changes = vec![
        (stream("order", random(state, u64::MAX >> 33)), 1),
        (stream("customer", random(state, 1000)), 1),
    ];
    let by = if random(state, 2) == 0 { -1 } else { 1 };
    changes.extend((0..=random(state, 4)).map(|n| (stream("product", (first + n) % 50), by)));
    Changes(changes)
}

/// What was done in a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Done {
    /// Commands or events.
    pub(crate) count: u64,
    pub(crate) failed: u64,
    pub(crate) seconds: f64,
}

/// Commands of so many callers, each with one on its way.
pub(crate) async fn commands<S: Store + 'static>(
    store: S,
    callers: u64,
    next: fn(&mut u64) -> Changes,
    time: Duration,
) -> Done {
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
    let (count, failed) = (done.load(Ordering::Relaxed), failed.load(Ordering::Relaxed));
    Done { count, failed, seconds: started.elapsed().as_secs_f64() }
}

const EVENTS: u64 = 100;
const STREAMS: u64 = 5;

/// One caller, 100 events over 5 streams, with what is expected of each: so many events in an
/// append.
pub(crate) async fn batches<S: Store>(store: S, events_of_an_append: u64, time: Duration) -> Done {
    let (started, mut count) = (Instant::now(), 0);
    let mut versions = [0; 5];
    while started.elapsed() < time {
        for first in (0..EVENTS).step_by(usize::try_from(events_of_an_append).unwrap()) {
            let mut append = Append::new();
            let before = versions;
            for number in first..first + events_of_an_append {
                let place = usize::try_from(number % STREAMS).unwrap();
                versions[place] += 1;
                let stream = stream("batch", number % STREAMS);
                append = append.event(NewEvent::new(stream, "Happened", vec![7; 100]).unwrap());
            }
            for (number, (before, now)) in (0..).zip(before.into_iter().zip(versions)) {
                if now > before {
                    let expected = ExpectedVersion::Exactly(StreamVersion::new(before));
                    append = append.expect(stream("batch", number), expected);
                }
            }
            store.append(&append).await.unwrap();
            count += events_of_an_append;
        }
    }
    Done { count, failed: 0, seconds: started.elapsed().as_secs_f64() }
}
