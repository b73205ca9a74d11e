//! One line of a command workload.

use std::fmt;

use super::{bank::Bank, shop::Shop};
use crate::case::{Callers, Keeping};

/// One line: who asks for what, and where it is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CommandCase {
    pub(crate) asked: Asked,
    pub(crate) callers: Callers,
    pub(crate) keeping: Keeping,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Asked {
    Bank(Bank),
    Shop(Shop),
}

impl fmt::Display for CommandCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.keeping != Keeping::Durable {
            write!(f, "{}, ", self.keeping)?;
        }
        let (what, count, is_cached) = match self.asked {
            Asked::Bank(Bank { accounts, is_cached, .. }) => ("accounts", accounts, is_cached),
            Asked::Shop(Shop { products, is_cached }) => ("products", products, is_cached),
        };
        write!(f, "{}, {} {what}", self.callers, crate::number::human_count(count))?;
        match self.asked {
            Asked::Bank(Bank { deposits: 1.., accounts, .. }) if accounts < MANY => {
                f.write_str(" of 10,000 events")?;
            }
            _ => {}
        }
        if is_cached { Ok(()) } else { f.write_str(", no cache") }
    }
}

/// How many accounts are many.
const MANY: u64 = 1_000_000;

/// How many events a long stream has.
const LONG: u64 = 10_000;

fn bank(accounts: u64, callers: Callers, keeping: Keeping) -> CommandCase {
    // Many accounts are hardly met twice: without money in them all would be refused.
    let deposits = u64::from(accounts == MANY);
    let asked = Asked::Bank(Bank { accounts, deposits, is_cached: true });
    CommandCase { asked, callers, keeping }
}

fn shop(products: u64, callers: Callers, keeping: Keeping) -> CommandCase {
    let asked = Asked::Shop(Shop { products, is_cached: true });
    CommandCase { asked, callers, keeping }
}

/// The cases of Financial.
pub(crate) fn financial() -> Vec<CommandCase> {
    use Callers::{Tasks, Threads};
    let durable = |accounts, callers| bank(accounts, callers, Keeping::Durable);
    let tasks = |bank| CommandCase {
        asked: Asked::Bank(bank),
        callers: Tasks(100),
        keeping: Keeping::Durable,
    };
    let long = |is_cached| tasks(Bank { accounts: 100, deposits: LONG, is_cached });
    vec![
        durable(100, Threads(100)),
        durable(100, Tasks(100)),
        durable(100, Tasks(1_000)),
        durable(MANY, Tasks(100)),
        tasks(Bank { accounts: MANY, deposits: 1, is_cached: false }),
        long(true),
        long(false),
        durable(2, Threads(100)),
        bank(100, Threads(2), Keeping::Memory),
        bank(100, Threads(100), Keeping::Memory),
        bank(100, Tasks(100), Keeping::Memory),
        bank(2, Tasks(100), Keeping::Memory),
    ]
}

/// The cases of Orders.
pub(crate) fn orders() -> Vec<CommandCase> {
    use Callers::{Tasks, Threads};
    let durable = |products, callers| shop(products, callers, Keeping::Durable);
    vec![
        durable(50, Threads(50)),
        durable(50, Tasks(50)),
        durable(50, Tasks(1_000)),
        durable(2, Threads(50)),
        durable(2, Tasks(50)),
        shop(50, Threads(2), Keeping::Memory),
        shop(50, Threads(50), Keeping::Memory),
        shop(50, Tasks(50), Keeping::Memory),
        shop(2, Tasks(50), Keeping::Memory),
    ]
}
