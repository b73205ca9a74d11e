//! What things say of themselves to people, and what they are unless told otherwise.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

use std::{future::pending, sync::Arc, time::Duration};

use annals_event::{
    Conflict, EventId, ExpectedVersion, Position, StreamId, StreamVersion, Timestamp,
};
use annals_executor::{
    Caching, ExecuteError, ExecutorOptions, PerStream, Recorded, RetryPolicy, Sleep, StreamState,
    Timer,
};

#[derive(Debug, Default, Clone, PartialEq)]
struct Sum(u64);

impl StreamState for Sum {
    type Event = u64;

    fn evolve(&mut self, recorded: &Recorded<u64>) {
        self.0 += recorded.event;
    }
}

fn stream(name: &str) -> StreamId {
    StreamId::new(name).unwrap()
}

#[test]
fn every_conflict_of_a_contended_command_is_told() {
    let conflict = |name, actual| Conflict {
        stream: stream(name),
        expected: ExpectedVersion::Exactly(StreamVersion::new(1)),
        actual: StreamVersion::new(actual),
    };
    let conflicts = vec![conflict("a", 2), conflict("b", 3)];
    let both = format!("{}; {}", conflicts[0], conflicts[1]);
    let error = ExecuteError::<String, String>::Contended { conflicts, attempts: 4 };
    assert_eq!(error.to_string(), format!("4 attempts conflicted, the last one with {both}"));
}

#[test]
fn parts_of_a_state_are_listed_and_shown() {
    let mut state = PerStream::<Sum>::default();
    for (name, event) in [("a", 1), ("b", 20), ("a", 300)] {
        state.evolve(&Recorded {
            event,
            stream: stream(name),
            version: StreamVersion::new(1),
            position: Position::new(1),
            time: Timestamp(0),
            id: EventId::new([0; 16]),
            metadata: Vec::new(),
        });
    }
    let mut listed: Vec<_> =
        state.iter().map(|(stream, sum)| (stream.as_str().to_owned(), sum.0)).collect();
    listed.sort();
    assert_eq!(listed, [("a".to_owned(), 301), ("b".to_owned(), 20)]);
    let shown = format!("{state:?}");
    assert!(shown.contains("Sum(301)") && shown.contains("Sum(20)"), "{shown}");
    assert_eq!(Sum(7).bytes(), 8, "of a state that points to nothing");
}

#[test]
fn caching_and_retries_say_what_they_are() {
    assert_eq!(format!("{:?}", Caching::<u64>::nothing()), "Caching::nothing");
    let per_stream = Caching::<PerStream<Sum>>::per_stream();
    assert_eq!(format!("{per_stream:?}"), "Caching::per_stream");
    let policy = format!("{:?}", RetryPolicy::default());
    assert!(policy.contains("attempts_max") && policy.contains("has_hook: false"), "{policy}");
}

#[derive(Debug)]
struct NeverOver;

impl Timer for NeverOver {
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) -> Sleep {
        Box::pin(pending())
    }

    fn sleep_blocking(&self, _: Duration) {}

    fn random(&self) -> u64 {
        0
    }
}

#[test]
fn each_option_leaves_the_others_alone() {
    let options = ExecutorOptions::new().timer(Arc::new(NeverOver)).cache_bytes(5);
    let shown = format!("{options:?}");
    assert!(shown.contains("NeverOver") && shown.contains("cache_bytes: 5"), "{shown}");
}
