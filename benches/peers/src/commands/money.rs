//! Payments as commands of EventCore.

use annals_bench::report::plan::{Financial, Payment};
use eventcore::{
    Command, CommandError, CommandLogic, Event, NewEvents, RetryPolicy, StreamId, execute, require,
};
use eventcore_types::EventStore;
use serde::{Deserialize, Serialize};

use super::kept::{Kept, id};
use crate::system::Failure;

/// What happens to an account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum AccountEvent {
    Opened { account: StreamId, cents: u64 },
    Deposited { account: StreamId, cents: u64 },
    Withdrawn { account: StreamId, cents: u64 },
    Sent { account: StreamId, cents: u64 },
    Received { account: StreamId, cents: u64 },
}

impl Event for AccountEvent {
    fn stream_id(&self) -> &StreamId {
        match self {
            Self::Opened { account, .. }
            | Self::Deposited { account, .. }
            | Self::Withdrawn { account, .. }
            | Self::Sent { account, .. }
            | Self::Received { account, .. } => account,
        }
    }

    fn event_type_name() -> &'static str {
        "AccountEvent"
    }
}

impl Kept for AccountEvent {
    fn evolve(&self, value: u64) -> Option<u64> {
        match self {
            Self::Opened { cents, .. }
            | Self::Deposited { cents, .. }
            | Self::Received { cents, .. } => value.checked_add(*cents),
            Self::Withdrawn { cents, .. } | Self::Sent { cents, .. } => value.checked_sub(*cents),
        }
    }
}

/// Accounts before the clock starts.
pub(crate) fn opened(plan: &Financial) -> Result<Vec<AccountEvent>, Failure> {
    let cents = plan.opening_cents();
    let open =
        |account| Ok(AccountEvent::Opened { account: id(Financial::stream(account))?, cents });
    (0..plan.accounts).map(open).collect()
}

/// Carries a payment out.
pub(crate) async fn pay<S: EventStore>(
    store: &S,
    payment: Payment,
    policy: RetryPolicy,
) -> Result<(), CommandError> {
    let id = |account| id(Financial::stream(account)).map_err(|error| error.to_string());
    match payment {
        Payment::Deposit { account, cents } => {
            execute(store, Deposit { account: id(account)?, cents }, policy).await?
        }
        Payment::Withdraw { account, cents } => {
            execute(store, Withdraw { account: id(account)?, cents }, policy).await?
        }
        Payment::Transfer { from, to, cents } => {
            execute(store, Transfer { from: id(from)?, to: id(to)?, cents }, policy).await?
        }
    };
    Ok(())
}

#[derive(Command)]
struct Deposit {
    #[stream]
    account: StreamId,
    cents: u64,
}

impl CommandLogic for Deposit {
    type Event = AccountEvent;
    type State = ();

    fn apply(&self, (): (), _: &AccountEvent) {}

    fn handle(&self, (): ()) -> Result<NewEvents<AccountEvent>, CommandError> {
        let Self { account, cents } = self;
        Ok(vec![AccountEvent::Deposited { account: account.clone(), cents: *cents }].into())
    }
}

#[derive(Command)]
struct Withdraw {
    #[stream]
    account: StreamId,
    cents: u64,
}

impl CommandLogic for Withdraw {
    type Event = AccountEvent;
    type State = u64;

    fn apply(&self, balance: u64, event: &AccountEvent) -> u64 {
        event.evolve(balance).unwrap_or_default()
    }

    fn handle(&self, balance: u64) -> Result<NewEvents<AccountEvent>, CommandError> {
        let Self { account, cents } = self;
        require!(balance >= *cents, "insufficient funds");
        Ok(vec![AccountEvent::Withdrawn { account: account.clone(), cents: *cents }].into())
    }
}

#[derive(Command)]
struct Transfer {
    #[stream]
    from: StreamId,
    #[stream]
    to: StreamId,
    cents: u64,
}

impl CommandLogic for Transfer {
    type Event = AccountEvent;
    /// Of the account that is taken from.
    type State = u64;

    fn apply(&self, balance: u64, event: &AccountEvent) -> u64 {
        if *event.stream_id() == self.from {
            event.evolve(balance).unwrap_or_default()
        } else {
            balance
        }
    }

    fn handle(&self, balance: u64) -> Result<NewEvents<AccountEvent>, CommandError> {
        let Self { from, to, cents } = self;
        require!(balance >= *cents, "insufficient funds");
        let sent = AccountEvent::Sent { account: from.clone(), cents: *cents };
        let received = AccountEvent::Received { account: to.clone(), cents: *cents };
        Ok(vec![sent, received].into())
    }
}
