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
            Asked::Bank(Bank { accounts, is_cached }) => ("accounts", accounts, is_cached),
            Asked::Shop(Shop { products, is_cached }) => ("products", products, is_cached),
        };
        write!(f, "{}, {} {what}", self.callers, crate::number::human_count(count))?;
        if is_cached { Ok(()) } else { f.write_str(", no cache") }
    }
}

fn bank(accounts: u64, callers: Callers, keeping: Keeping) -> CommandCase {
    let asked = Asked::Bank(Bank { accounts, is_cached: true });
    CommandCase { asked, callers, keeping }
}

fn shop(products: u64, callers: Callers, keeping: Keeping) -> CommandCase {
    let asked = Asked::Shop(Shop { products, is_cached: true });
    CommandCase { asked, callers, keeping }
}

/// The cases of Financial.
pub(crate) fn financial() -> Vec<CommandCase> {
    use Callers::{Tasks, Threads};
    let uncached = Bank { accounts: 1_000_000, is_cached: false };
    let durable = |accounts, callers| bank(accounts, callers, Keeping::Durable);
    vec![
        durable(100, Threads(100)),
        durable(100, Tasks(100)),
        durable(100, Tasks(1_000)),
        durable(1_000_000, Tasks(100)),
        CommandCase {
            asked: Asked::Bank(uncached),
            callers: Tasks(100),
            keeping: Keeping::Durable,
        },
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
