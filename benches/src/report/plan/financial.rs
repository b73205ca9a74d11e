//! Deposits, withdrawals and transfers over accounts.

use super::{
    draw::{IMPOSSIBLE_EVERY, random_of},
    end_state::{EndState, Ending},
};

/// Deposits (four of ten), withdrawals (two) and transfers (four) over accounts.
///
/// Rule of every command: an account has what is taken from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Financial {
    /// How many commands there are.
    pub commands: u64,
    /// How many accounts, 2 or more.
    pub accounts: u64,
    /// Other seeds, other commands.
    pub seed: u64,
}

/// What a customer asks for. Accounts are numbered from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payment {
    /// Money comes in.
    Deposit {
        /// Where to.
        account: u64,
        /// How much.
        cents: u64,
    },
    /// Money goes out.
    Withdraw {
        /// Where from.
        account: u64,
        /// How much.
        cents: u64,
    },
    /// Money goes from one account to another one.
    Transfer {
        /// Where from.
        from: u64,
        /// Where to; never the same account.
        to: u64,
        /// How much.
        cents: u64,
    },
}

/// The most that a possible command asks for.
const CENTS_MAX: u64 = 10_000;

impl Financial {
    /// What every account is opened with before the clock starts: its first event. Enough for all
    /// commands to take from the same one.
    pub fn opening_cents(&self) -> u64 {
        self.commands * CENTS_MAX
    }

    /// The stream of an account.
    pub fn stream(account: u64) -> String {
        format!("account-{account:07}")
    }

    /// A command, by its number from 0.
    pub fn command(&self, number: u64) -> Payment {
        let mut random = random_of(self.seed, number);
        let account = random.below(self.accounts);
        let (kind, cents) = (random.below(10), 1 + random.below(CENTS_MAX));
        let is_impossible = random.below(IMPOSSIBLE_EVERY) == 0;
        // More than an account has that got all that was ever paid in.
        let cents = if is_impossible { 2 * self.opening_cents() + cents } else { cents };
        match kind {
            0..4 if !is_impossible => Payment::Deposit { account, cents },
            4..6 => Payment::Withdraw { account, cents },
            _ => {
                let to = (account + 1 + random.below(self.accounts - 1)) % self.accounts;
                Payment::Transfer { from: account, to, cents }
            }
        }
    }

    /// Whether a command must be accepted. All others must be rejected.
    pub fn is_possible(&self, number: u64) -> bool {
        let (Payment::Deposit { cents, .. }
        | Payment::Withdraw { cents, .. }
        | Payment::Transfer { cents, .. }) = self.command(number);
        cents <= CENTS_MAX
    }

    /// How accounts end, in cents, when these commands were carried out.
    pub(super) fn end_state(&self, commands: impl Iterator<Item = u64>) -> EndState {
        let mut state = EndState::new();
        let opened = Ending { value: self.opening_cents(), version: 1 };
        for account in 0..self.accounts {
            state.set(&Self::stream(account), opened);
        }
        for number in commands {
            match self.command(number) {
                Payment::Deposit { account, cents } => {
                    state.evolve(&Self::stream(account), |balance| balance + cents);
                }
                Payment::Withdraw { account, cents } => {
                    state.evolve(&Self::stream(account), |balance| balance - cents);
                }
                Payment::Transfer { from, to, cents } => {
                    state.evolve(&Self::stream(from), |balance| balance - cents);
                    state.evolve(&Self::stream(to), |balance| balance + cents);
                }
            }
        }
        state
    }
}
