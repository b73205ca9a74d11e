//! The smallest bank that runs on commands.

use annals::{
    Annals, Caching, Command, CommandStreams, Decision, Event, Executor, PerStream, Recorded,
    StreamId, StreamState,
};
use serde::{Deserialize, Serialize};

use crate::error::BenchError;

/// What can happen to an account, in cents.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Money {
    In(u64),
    Out(u64),
}

impl Event for Money {
    fn event_type(&self) -> &'static str {
        match self {
            Self::In(_) => "In",
            Self::Out(_) => "Out",
        }
    }
}

/// Moves money to an account, from another one or from outside.
#[derive(Debug, Clone)]
pub(crate) struct Transfer {
    pub(crate) from: Option<StreamId>,
    pub(crate) to: StreamId,
    pub(crate) cents: u64,
}

impl CommandStreams for Transfer {
    fn streams(&self) -> Vec<StreamId> {
        self.from.iter().chain([&self.to]).cloned().collect()
    }
}

impl Command for Transfer {
    /// The balance of the account that pays.
    type State = u64;
    type Event = Money;
    type Rejection = ();

    fn evolve(&self, balance: &mut u64, recorded: &Recorded<Money>) {
        if self.from.as_ref() == Some(&recorded.stream) {
            *balance = match recorded.event {
                Money::In(cents) => balance.saturating_add(cents),
                Money::Out(cents) => balance.saturating_sub(cents),
            };
        }
    }

    fn decide(&self, balance: &u64) -> Result<Decision<Money>, ()> {
        let received = Money::In(self.cents);
        match &self.from {
            None => Ok(Decision::one(self.to.clone(), received)),
            Some(_) if *balance < self.cents => Err(()),
            Some(from) => {
                let sent = Decision::one(from.clone(), Money::Out(self.cents));
                Ok(sent.and(self.to.clone(), received))
            }
        }
    }
}

/// An account's balance.
#[derive(Debug, Default)]
pub(crate) struct Balance(u64);

impl StreamState for Balance {
    type Event = Money;

    fn evolve(&mut self, recorded: &Recorded<Money>) {
        self.0 = match recorded.event {
            Money::In(cents) => self.0.saturating_add(cents),
            Money::Out(cents) => self.0.saturating_sub(cents),
        };
    }
}

/// As [`Transfer`], with balances that are kept between commands.
#[derive(Debug, Clone)]
pub(crate) struct KeptTransfer(pub(crate) Transfer);

impl CommandStreams for KeptTransfer {
    fn streams(&self) -> Vec<StreamId> {
        self.0.streams()
    }
}

impl Command for KeptTransfer {
    type State = PerStream<Balance>;
    type Event = Money;
    type Rejection = ();

    fn evolve(&self, balances: &mut PerStream<Balance>, recorded: &Recorded<Money>) {
        balances.evolve(recorded);
    }

    fn caching(&self) -> Caching<PerStream<Balance>> {
        Caching::per_stream()
    }

    fn decide(&self, balances: &PerStream<Balance>) -> Result<Decision<Money>, ()> {
        let balance = self.0.from.as_ref().map_or(0, |from| balances.of(from).0);
        self.0.decide(&balance)
    }
}

/// Executes a command. Says whether it happened, as a count.
pub(crate) fn execute<C>(executor: &Executor<Annals>, command: &C) -> Result<u64, BenchError>
where
    C: Command<Rejection = ()>,
{
    match executor.execute_blocking(command) {
        Ok(executed) => Ok(u64::from(executed.committed.is_some())),
        Err(error) => Err(BenchError::Command(error.to_string())),
    }
}

/// Opens accounts, each with money from outside.
pub(crate) fn open(
    executor: &Executor<Annals>,
    accounts: usize,
) -> Result<Vec<StreamId>, BenchError> {
    let open = |number| {
        let to = StreamId::new(&format!("account-{number:04}"))?;
        execute(executor, &Transfer { from: None, to: to.clone(), cents: 100 })?;
        Ok(to)
    };
    (0..accounts).map(open).collect()
}
