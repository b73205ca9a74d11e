//! Deposits, withdrawals and transfers over accounts; no balance is ever negative.

use std::collections::HashMap;

use annals::{
    Annals, Append, Bincode, Caching, Command, CommandStreams, Decision, Event, Executor, LogQuery,
    Payloads, PerStream, Recorded, Store, StreamId, StreamState,
};
use serde::{Deserialize, Serialize};

use super::load::Load;
use crate::{
    error::BenchError,
    random::Random,
    report::plan::{Financial, Payment},
};

/// So many accounts, each with so many deposits at first, and whether their states are kept
/// between commands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bank {
    pub(crate) accounts: u64,
    pub(crate) deposits: u64,
    pub(crate) is_cached: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
pub(crate) enum AccountEvent {
    Deposited { cents: u64 },
    Withdrawn { cents: u64 },
    Sent { cents: u64 },
    Received { cents: u64 },
}

#[derive(Debug, Default)]
pub(crate) struct Account {
    cents: u64,
}

impl StreamState for Account {
    type Event = AccountEvent;

    fn evolve(&mut self, recorded: &Recorded<AccountEvent>) {
        match recorded.event {
            AccountEvent::Deposited { cents } | AccountEvent::Received { cents } => {
                self.cents += cents;
            }
            AccountEvent::Withdrawn { cents } | AccountEvent::Sent { cents } => self.cents -= cents,
        }
    }
}

/// How much each of these deposits is.
const DEPOSIT_CENTS: u64 = 100_000;

/// What a customer asks for.
#[derive(Debug)]
pub(crate) struct Request {
    what: What,
    is_cached: bool,
}

#[derive(Debug)]
enum What {
    Deposit { account: StreamId, cents: u64 },
    Withdraw { account: StreamId, cents: u64 },
    Transfer { from: StreamId, to: StreamId, cents: u64 },
}

impl Request {
    /// A payment of the report.
    pub(crate) fn paying(payment: Payment) -> Result<Self, BenchError> {
        let what = match payment {
            Payment::Deposit { account: to, cents } => {
                What::Deposit { account: account(to)?, cents }
            }
            Payment::Withdraw { account: from, cents } => {
                What::Withdraw { account: account(from)?, cents }
            }
            Payment::Transfer { from, to, cents } => {
                What::Transfer { from: account(from)?, to: account(to)?, cents }
            }
        };
        Ok(Self { what, is_cached: true })
    }
}

#[derive(Debug)]
pub(crate) struct InsufficientFunds;

impl CommandStreams for Request {
    fn streams(&self) -> Vec<StreamId> {
        match &self.what {
            What::Deposit { account, .. } | What::Withdraw { account, .. } => vec![account.clone()],
            What::Transfer { from, to, .. } => vec![from.clone(), to.clone()],
        }
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
        if self.is_cached { Caching::per_stream() } else { Caching::nothing() }
    }

    fn decide(
        &self,
        accounts: &PerStream<Account>,
    ) -> Result<Decision<AccountEvent>, InsufficientFunds> {
        let has = |account: &StreamId, cents: u64| {
            if accounts.of(account).cents < cents { Err(InsufficientFunds) } else { Ok(()) }
        };
        match &self.what {
            What::Deposit { account, cents } => {
                let deposited = AccountEvent::Deposited { cents: *cents };
                Ok(Decision::one(account.clone(), deposited))
            }
            What::Withdraw { account, cents } => {
                has(account, *cents)?;
                let withdrawn = AccountEvent::Withdrawn { cents: *cents };
                Ok(Decision::one(account.clone(), withdrawn))
            }
            What::Transfer { from, to, cents } => {
                has(from, *cents)?;
                let sent = Decision::one(from.clone(), AccountEvent::Sent { cents: *cents });
                Ok(sent.and(to.clone(), AccountEvent::Received { cents: *cents }))
            }
        }
    }
}

fn account(number: u64) -> Result<StreamId, BenchError> {
    Ok(StreamId::new(&Financial::stream(number))?)
}

impl Load for Bank {
    type Request = Request;

    /// The accounts' deposits lie in turn, one by one, as commands would have left them.
    fn prepare(&self, executor: &Executor<Annals>) -> Result<(), BenchError> {
        let (annals, payloads) = (executor.store(), Payloads::new(Bincode));
        let command = |error: String| BenchError::Command(error);
        let accounts = (0..self.accounts).map(account).collect::<Result<Vec<_>, _>>()?;
        for _ in 0..self.deposits {
            for account in &accounts {
                let deposited = AccountEvent::Deposited { cents: DEPOSIT_CENTS };
                let event = payloads.encode(account.clone(), &deposited);
                let event = event.map_err(|error| command(error.to_string()))?;
                drop(annals.append(&Append::new().event(event)));
            }
        }
        annals.settle_blocking(annals.stats().sequenced)?;
        // Long streams are read once, which is not what is measured here.
        let accounts = accounts.into_iter().filter(|_| self.is_cached && self.deposits > 1);
        for account in accounts {
            let what = What::Deposit { account, cents: 1 };
            let request = Request { what, is_cached: true };
            let executed = executor.execute_blocking(&request);
            executed.map_err(|error| command(format!("{error:?}")))?;
        }
        Ok(())
    }

    fn next(&self, random: &mut Random, _: usize, _: u64) -> Result<Request, BenchError> {
        let number = random.below(self.accounts);
        let cents = 1 + random.below(10_000);
        let what = match random.below(10) {
            0..4 => What::Deposit { account: account(number)?, cents },
            4..6 => What::Withdraw { account: account(number)?, cents },
            _ => {
                let other = (number + 1 + random.below(self.accounts - 1)) % self.accounts;
                What::Transfer { from: account(number)?, to: account(other)?, cents }
            }
        };
        Ok(Request { what, is_cached: self.is_cached })
    }

    /// No balance was ever negative, and all that was sent arrived.
    fn audit(&self, annals: &Annals) -> Result<(), BenchError> {
        let mut balances: HashMap<StreamId, u64> = HashMap::new();
        let (mut paid_in, mut paid_out) = (0, 0);
        let payloads = Payloads::new(Bincode);
        for event in annals.read_all(LogQuery::forward()) {
            let event = event?;
            let balance = balances.entry(event.stream.clone()).or_default();
            let (stream, at) = (event.stream.clone(), event.position);
            let lost = |what: &str| BenchError::Lost(format!("{stream} at {at}: {what}"));
            let decoded = payloads.decode(event).map_err(|error| lost(&error.to_string()))?;
            let Some(event) = decoded else { continue };
            let left = match event.event {
                AccountEvent::Deposited { cents } => {
                    paid_in += cents;
                    balance.checked_add(cents)
                }
                AccountEvent::Withdrawn { cents } => {
                    paid_out += cents;
                    balance.checked_sub(cents)
                }
                AccountEvent::Sent { cents } => balance.checked_sub(cents),
                AccountEvent::Received { cents } => balance.checked_add(cents),
            };
            *balance = left.ok_or_else(|| lost("overdrawn"))?;
        }
        let sum: u64 = balances.values().sum();
        if sum + paid_out == paid_in {
            return Ok(());
        }
        Err(BenchError::Lost(format!("{paid_in} paid in, {paid_out} paid out, {sum} left")))
    }
}
