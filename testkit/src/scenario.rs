//! What happened, a command, and what came of it.

use std::fmt::Debug;

use annals_engine::{Annals, AppendError};
use annals_event::{Append, NewEvent, StreamId};
#[cfg(feature = "bincode")]
use annals_executor::Bincode;
use annals_executor::{Codec, Command, Event, ExecuteError, Executed, Executor, Payloads};

use crate::{
    diff::diff,
    fail::{fail, or_fail},
    stream_name::StreamName,
    telling::{listed, since, why},
};

/// What happened: events in streams, in a store in memory.
#[derive(Debug)]
pub struct Given<K> {
    annals: Annals,
    payloads: Payloads<K>,
}

/// What happened before: events, each with its stream.
///
/// ```
/// use annals::{Command, Decision, Event, Recorded, StreamId, require};
/// use annals_testkit::given;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
/// enum Account {
///     Deposited(u64),
///     Withdrawn(u64),
/// }
///
/// #[derive(Command)]
/// struct Withdraw {
///     #[stream]
///     account: StreamId,
///     cents: u64,
/// }
///
/// impl Command for Withdraw {
///     type State = u64;
///     type Event = Account;
///     type Rejection = String;
///
///     fn evolve(&self, balance: &mut u64, recorded: &Recorded<Account>) {
///         match recorded.event {
///             Account::Deposited(cents) => *balance += cents,
///             Account::Withdrawn(cents) => *balance -= cents,
///         }
///     }
///
///     fn decide(&self, balance: &u64) -> Result<Decision<Account>, String> {
///         require!(*balance >= self.cents, "only {} cents are left", balance);
///         Ok(Decision::one(self.account.clone(), Account::Withdrawn(self.cents)))
///     }
/// }
///
/// let withdraw = Withdraw { account: StreamId::new("alice")?, cents: 60 };
/// given([("alice", Account::Deposited(100))])
///     .when(&withdraw)
///     .then([("alice", Account::Withdrawn(60))])
///     .when(&withdraw)
///     .then_rejected("only 40 cents are left".to_owned());
/// # Ok::<(), annals::InvalidName>(())
/// ```
///
/// # Panics
/// An event cannot be appended.
#[cfg(feature = "bincode")]
#[track_caller]
pub fn given<S: StreamName, E: Event>(events: impl IntoIterator<Item = (S, E)>) -> Given<Bincode> {
    given_with(Payloads::new(Bincode), events)
}

/// As [`given()`], with the codec of one's choice, or with unknown events skipped.
///
/// # Panics
/// An event cannot be appended.
#[track_caller]
pub fn given_with<K: Codec, S: StreamName, E: Event>(
    payloads: Payloads<K>,
    events: impl IntoIterator<Item = (S, E)>,
) -> Given<K> {
    let annals = or_fail("a store in memory", Annals::in_memory());
    let mut given = Given { annals, payloads };
    for (stream, event) in events {
        given = given.and(stream, event);
    }
    given
}

impl<K: Codec> Given<K> {
    /// With one more event, of any Rust type.
    ///
    /// # Panics
    /// The event cannot be appended.
    #[must_use]
    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "an event that happened belongs here")]
    pub fn and<E: Event>(self, stream: impl StreamName, event: E) -> Self {
        let encoded = self.payloads.encode(stream.stream(), &event);
        let event = or_fail("an event that is given cannot be written", encoded);
        self.and_recorded(event)
    }

    /// With one more event as it lies in a log: of an older version, say, or of another program.
    ///
    /// # Panics
    /// The event cannot be appended.
    #[must_use]
    #[track_caller]
    pub fn and_recorded(self, event: NewEvent) -> Self {
        let appended = self.annals.append(&Append::new().event(event)).wait();
        or_fail("an event that is given cannot be appended", appended);
        self
    }

    /// Executes a command, as an executor would: what it decides is encoded, appended and read
    /// again.
    #[track_caller]
    pub fn when<C: Command>(self, command: &C) -> Outcome<C, K>
    where
        K: Clone,
    {
        let before = self.annals.position();
        let executor = Executor::with_payloads(self.annals.clone(), self.payloads.clone());
        let result = executor.execute_blocking(command);
        let events = since(&self.annals, &self.payloads, before);
        Outcome { given: self, result, events }
    }

    /// The store with what happened.
    pub fn store(&self) -> &Annals {
        &self.annals
    }
}

/// What came of a command, to be compared with what should have.
#[derive(Debug)]
#[must_use = "say what should have come of it: `then`, `then_nothing`, `then_rejected`"]
pub struct Outcome<C: Command, K> {
    given: Given<K>,
    result: Result<Executed, ExecuteError<C::Rejection, AppendError>>,
    events: Vec<(StreamId, C::Event)>,
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
