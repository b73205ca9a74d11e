//! What came of a command.

use std::fmt::{Debug, Write};

use annals_engine::{Annals, AppendError};
use annals_event::{LogQuery, Position, StreamId};
use annals_executor::{Codec, Command, Event, ExecuteError, Executed, Payloads};

use crate::{
    diff::diff,
    fail::{fail, or_fail},
    scenario::Given,
    stream_name::StreamName,
};

/// What came of a command, to be compared with what should have.
#[derive(Debug)]
#[must_use = "say what should have come of it: `then`, `then_nothing`, `then_rejected`"]
pub struct Outcome<C: Command, K> {
    pub(crate) given: Given<K>,
    pub(crate) result: Result<Executed, ExecuteError<C::Rejection, AppendError>>,
    pub(crate) events: Vec<(StreamId, C::Event)>,
}

/// The typed events of the log after a position.
#[track_caller]
pub(crate) fn since<E: Event, K: Codec>(
    annals: &Annals,
    payloads: &Payloads<K>,
    before: Position,
) -> Vec<(StreamId, E)> {
    let mut events = Vec::new();
    for event in annals.read_all(LogQuery::forward().from(before.next())) {
        let event = or_fail("the events of the command cannot be read", event);
        let decoded = payloads.decode(event);
        let decoded = or_fail("an event of the command does not come back from its codec", decoded);
        events.extend(decoded.map(|recorded| (recorded.stream, recorded.event)));
    }
    events
}

impl<C: Command, K: Codec> Outcome<C, K>
where
    C::Event: Debug + PartialEq,
    C::Rejection: Debug,
{
    /// The command decided on these events, in this order. Goes on with them as what happened.
    ///
    /// # Panics
    /// It did not; says in what it differs.
    #[track_caller]
    pub fn then<S: StreamName>(
        self,
        expected: impl IntoIterator<Item = (S, C::Event)>,
    ) -> Given<K> {
        let expected: Vec<(StreamId, C::Event)> =
            expected.into_iter().map(|(stream, event)| (stream.stream(), event)).collect();
        if let Err(error) = &self.result {
            let expected = listed(&expected);
            fail(format_args!("expected the command to decide on\n{expected}and {}", why(error)));
        }
        if expected != self.events {
            let difference = diff(&listed(&expected), &listed(&self.events));
            fail(format_args!(
                "the command decided otherwise (- expected, + decided):\n{difference}"
            ));
        }
        self.given
    }

    /// The command decided that there is nothing to do.
    ///
    /// # Panics
    /// It decided on events, or was rejected.
    #[track_caller]
    pub fn then_nothing(self) -> Given<K> {
        self.then::<StreamId>([])
    }

    /// The command was rejected, with this.
    ///
    /// # Panics
    /// It was not, or with something else; says in what it differs.
    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "a test writes it where it stands")]
    pub fn then_rejected(self, expected: C::Rejection) -> Given<K>
    where
        C::Rejection: PartialEq,
    {
        let is_expected =
            matches!(&self.result, Err(ExecuteError::Rejected(found)) if *found == expected);
        if is_expected {
            return self.given;
        }
        match &self.result {
            Err(ExecuteError::Rejected(found)) => {
                let difference = diff(&format!("{expected:#?}"), &format!("{found:#?}"));
                fail(format_args!(
                    "the command was rejected otherwise (- expected, + found):\n{difference}"
                ))
            }
            Err(error) => fail(format_args!(
                "expected the command to be rejected with\n{expected:#?}\nand {}",
                why(error)
            )),
            Ok(_) => fail(format_args!(
                "expected the command to be rejected with\n{expected:#?}\nand it decided on\n{}",
                listed(&self.events)
            )),
        }
    }
}

impl<C: Command, K> Outcome<C, K> {
    /// What the executor returned.
    pub fn result(&self) -> &Result<Executed, ExecuteError<C::Rejection, AppendError>> {
        &self.result
    }

    /// The events that were appended, each with its stream.
    pub fn events(&self) -> &[(StreamId, C::Event)] {
        &self.events
    }
}

/// What is told of a command that did not happen.
fn why<R: Debug>(error: &ExecuteError<R, AppendError>) -> String {
    match error {
        ExecuteError::Rejected(rejection) => format!("it was rejected with\n{rejection:#?}"),
        error => format!("it failed: {error}"),
    }
}

/// Events for people: a stream and an event after the other.
fn listed<E: Debug>(events: &[(StreamId, E)]) -> String {
    if events.is_empty() {
        return "no events\n".to_owned();
    }
    let mut text = String::new();
    for (stream, event) in events {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "{stream}: {event:#?}");
    }
    text
}
