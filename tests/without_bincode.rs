//! A build without bincode: `cargo test --no-default-features --features json --test
//! without_bincode`. Built with it, the same commands run with the same codec.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

use annals::{
    Annals, Append, CodecId, Command, CommandStreams, Decision, Event, ExecuteError, Executor,
    Json, NewEvent, Recorded, SchemaVersion, StreamId, StreamQuery,
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
enum Counted {
    Up { by: u64 },
}

impl Event for Counted {
    fn event_type(&self) -> &'static str {
        "Up"
    }
}

struct Count(StreamId);

impl CommandStreams for Count {
    fn streams(&self) -> Vec<StreamId> {
        vec![self.0.clone()]
    }
}

impl Command for Count {
    type State = u64;
    type Event = Counted;
    type Rejection = ();

    fn evolve(&self, sum: &mut u64, recorded: &Recorded<Counted>) {
        let Counted::Up { by } = recorded.event;
        *sum += by;
    }

    fn decide(&self, sum: &u64) -> Result<Decision<Counted>, ()> {
        Ok(Decision::one(self.0.clone(), Counted::Up { by: sum + 1 }))
    }
}

#[test]
fn commands_run_with_another_codec() {
    let annals = Annals::in_memory().unwrap();
    let executor = Executor::with_codec(annals.clone(), Json);
    let stream = StreamId::new("counter").unwrap();
    for _ in 0..3 {
        executor.execute_blocking(&Count(stream.clone())).unwrap();
    }
    let events = annals.read_stream(&stream, StreamQuery::forward());
    let payloads = events.map(|event| String::from_utf8(event.unwrap().payload).unwrap());
    assert_eq!(payloads.collect::<Vec<_>>(), [r#"{"by":1}"#, r#"{"by":2}"#, r#"{"by":4}"#]);
}

/// What bincode wrote is read where bincode is, and named where it is not.
#[test]
fn an_event_of_a_codec_that_is_not_there_is_an_error_that_names_the_feature() {
    let annals = Annals::in_memory().unwrap();
    let stream = StreamId::new("counter").unwrap();
    let event = NewEvent::new(stream.clone(), "Up", [1]).unwrap();
    let event = event.with_codec(CodecId::BINCODE, SchemaVersion::FIRST);
    annals.append(&Append::new().event(event)).wait().unwrap();
    let result = Executor::with_codec(annals, Json).execute_blocking(&Count(stream));
    if cfg!(feature = "bincode") {
        assert!(result.is_ok(), "{result:?}");
    } else {
        let error = result.unwrap_err();
        assert!(matches!(error, ExecuteError::Decode { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("position 1 of stream counter"), "{text}");
        assert!(text.contains("bincode wrote it; enable the feature `bincode`"), "{text}");
    }
}
