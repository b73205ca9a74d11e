//! What happened, before a command is tried.

use annals_engine::Annals;
use annals_event::{Append, NewEvent};
#[cfg(feature = "bincode")]
use annals_executor::Bincode;
use annals_executor::{Codec, Command, Event, Executor, Payloads};

use crate::{
    fail::or_fail,
    outcome::{Outcome, since},
    stream_name::StreamName,
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
