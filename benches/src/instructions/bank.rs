//! The smallest bank that runs on commands.

use annals::{Annals, Command, CommandStreams, Decision, Event, Executor, Recorded, StreamId};
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

/// Executes a command. Says whether it happened, as a count.
pub(crate) fn execute(executor: &Executor<Annals>, command: &Transfer) -> Result<u64, BenchError> {
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
