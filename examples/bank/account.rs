//! The rules of the bank: deposits, withdrawals and transfers over accounts.

use annals::{
    Caching, Command, CommandStreams, Decision, Event, PerStream, Recorded, StreamId, StreamState,
};
use serde::{Deserialize, Serialize};

/// What can happen to an account. Amounts are in cents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Event)]
pub(crate) enum AccountEvent {
    /// Money came in from outside.
    Deposited { cents: u64 },
    /// Money went out.
    Withdrawn { cents: u64 },
    /// Money went to another account.
    Sent { cents: u64 },
    /// Money came from another account.
    Received { cents: u64 },
}

impl AccountEvent {
    /// The balance after this event.
    pub(crate) fn apply(&self, balance: u64) -> u64 {
        match self {
            Self::Deposited { cents } | Self::Received { cents } => balance.saturating_add(*cents),
            Self::Withdrawn { cents } | Self::Sent { cents } => balance.saturating_sub(*cents),
        }
    }
}

/// What a customer can ask for.
#[derive(Debug, Clone)]
pub(crate) enum Request {
    Deposit { account: StreamId, cents: u64 },
    Withdraw { account: StreamId, cents: u64 },
    Transfer { from: StreamId, to: StreamId, cents: u64 },
}

/// The account does not have that much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InsufficientFunds;

impl CommandStreams for Request {
    fn streams(&self) -> Vec<StreamId> {
        match self {
            Self::Deposit { account, .. } | Self::Withdraw { account, .. } => vec![account.clone()],
            Self::Transfer { from, to, .. } => vec![from.clone(), to.clone()],
        }
    }
}

/// What the events of one account amount to.
#[derive(Debug, Default)]
pub(crate) struct Account {
    balance: u64,
}

impl StreamState for Account {
    type Event = AccountEvent;

    fn evolve(&mut self, recorded: &Recorded<AccountEvent>) {
        self.balance = recorded.event.apply(self.balance);
    }
}

impl Command for Request {
    type State = PerStream<Account>;
    type Event = AccountEvent;
    type Rejection = InsufficientFunds;

    fn evolve(&self, accounts: &mut PerStream<Account>, recorded: &Recorded<AccountEvent>) {
        accounts.evolve(recorded);
    }

    fn caching(&self) -> Caching<PerStream<Account>> {
        Caching::per_stream()
    }

    fn decide(
        &self,
        accounts: &PerStream<Account>,
    ) -> Result<Decision<AccountEvent>, InsufficientFunds> {
        let cents = self.cents();
        if self.payer().is_some_and(|payer| accounts.of(payer).balance < cents) {
            return Err(InsufficientFunds);
        }
        Ok(match self.clone() {
            Self::Deposit { account, .. } => {
                Decision::one(account, AccountEvent::Deposited { cents })
            }
            Self::Withdraw { account, .. } => {
                Decision::one(account, AccountEvent::Withdrawn { cents })
            }
            Self::Transfer { from, to, .. } => Decision::one(from, AccountEvent::Sent { cents })
                .and(to, AccountEvent::Received { cents }),
        })
    }
}

impl Request {
    fn cents(&self) -> u64 {
        match self {
            Self::Deposit { cents, .. }
            | Self::Withdraw { cents, .. }
            | Self::Transfer { cents, .. } => *cents,
        }
    }

    fn payer(&self) -> Option<&StreamId> {
        match self {
            Self::Deposit { .. } => None,
            Self::Withdraw { account, .. } => Some(account),
            Self::Transfer { from, .. } => Some(from),
        }
    }
}
