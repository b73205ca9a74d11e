//! A workload of the report.

use super::{batch::Batch, end_state::EndState, financial::Financial, orders::Orders};

/// A workload of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// Payments: one or two streams each.
    Financial(Financial),
    /// Orders: three to six streams each.
    Orders(Orders),
    /// Appends of many events.
    Batch(Batch),
}

impl Workload {
    /// How many commands there are. The clock runs for these.
    pub fn commands(&self) -> u64 {
        match self {
            Self::Financial(financial) => financial.commands,
            Self::Orders(orders) => orders.commands,
            Self::Batch(batch) => batch.appends,
        }
    }

    /// Whether a command must be accepted. All others must be rejected.
    pub fn is_possible(&self, number: u64) -> bool {
        match self {
            Self::Financial(financial) => financial.is_possible(number),
            Self::Orders(orders) => orders.is_possible(number),
            Self::Batch(_) => true,
        }
    }

    /// How all streams must end if all commands were carried out.
    pub fn end_state(&self) -> EndState {
        self.end_state_without(|_| false)
    }

    /// How all streams must end if some commands were given up, and all others carried out or
    /// rejected as they must be.
    ///
    /// A backend that answers contention with an error ends otherwise than one that does not, and
    /// yet must hold exactly what it acknowledged.
    pub fn end_state_without(&self, is_given_up: impl Fn(u64) -> bool) -> EndState {
        let is_done = |number: &u64| self.is_possible(*number) && !is_given_up(*number);
        let done = (0..self.commands()).filter(is_done);
        match self {
            Self::Financial(financial) => financial.end_state(done),
            Self::Orders(orders) => orders.end_state(done),
            Self::Batch(batch) => batch.end_state(done),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{
        super::{Order, Payment},
        *,
    };

    const FINANCIAL: Financial = Financial { commands: 10_000, accounts: 100, seed: 1 };
    const ORDERS: Orders = Orders { commands: 5_000, products: 50, seed: 1 };
    const BATCH: Batch = Batch {
        appends: 24,
        callers: 8,
        streams: 5,
        events_per_stream: 20,
        payload_bytes: 100,
        seed: 1,
    };

    /// Carries a payment out as a command does: from state.
    fn pay(balances: &mut [u64], payment: Payment) -> bool {
        let index = |account: u64| usize::try_from(account).unwrap();
        let (from, to, cents) = match payment {
            Payment::Deposit { account, cents } => (None, Some(account), cents),
            Payment::Withdraw { account, cents } => (Some(account), None, cents),
            Payment::Transfer { from, to, cents } => (Some(from), Some(to), cents),
        };
        if from.is_some_and(|from| balances[index(from)] < cents) {
            return false;
        }
        from.inspect(|from| balances[index(*from)] -= cents);
        to.inspect(|to| balances[index(*to)] += cents);
        true
    }

    #[test]
    fn payments_end_alike_in_any_order() {
        let mut numbers: Vec<u64> = (0..FINANCIAL.commands).collect();
        let expected = Workload::Financial(FINANCIAL).end_state();
        for order in [|_: &u64| 0, |number: &u64| u64::MAX - number, |number: &u64| number % 7] {
            numbers.sort_by_key(order);
            let mut balances = vec![FINANCIAL.opening_cents(); 100];
            for number in &numbers {
                let is_done = pay(&mut balances, FINANCIAL.command(*number));
                assert_eq!(is_done, FINANCIAL.is_possible(*number), "{number}");
            }
            for (account, balance) in (0..).zip(balances) {
                let ending = expected.get(&Financial::stream(account)).unwrap();
                assert_eq!(ending.value, balance, "{account}");
            }
        }
    }

    #[test]
    fn payments_are_as_they_are_said_to_be() {
        let possible = (0..10_000).filter(|number| FINANCIAL.is_possible(*number)).count();
        assert!((9_400..9_600).contains(&possible), "{possible}");
        let mut kinds = [0_u32; 3];
        for number in 0..10_000 {
            match FINANCIAL.command(number) {
                Payment::Deposit { .. } => kinds[0] += 1,
                Payment::Withdraw { .. } => kinds[1] += 1,
                Payment::Transfer { from, to, .. } => {
                    assert!(from != to && from < 100 && to < 100);
                    kinds[2] += 1;
                }
            }
        }
        assert!(kinds[0] > 3_500 && kinds[1] > 1_800 && kinds[2] > 3_800, "{kinds:?}");
        let other = Financial { seed: 2, ..FINANCIAL };
        let same = (0..10_000).filter(|n| FINANCIAL.command(*n) == other.command(*n)).count();
        assert!(same < 10, "{same} commands of another seed are the same");
    }

    #[test]
    fn orders_end_alike_in_any_order() {
        let expected = Workload::Orders(ORDERS).end_state();
        let mut stocks = vec![ORDERS.stock(); 50];
        let mut possible = 0;
        for number in (0..ORDERS.commands).rev() {
            let Order { products, order, .. } = ORDERS.command(number);
            let stock = |product: u64| usize::try_from(product).unwrap();
            assert!((1..=4).contains(&products.len()));
            let different: HashSet<u64> = products.iter().map(|(product, _)| *product).collect();
            assert_eq!(different.len(), products.len());
            let is_done = products.iter().all(|(product, count)| stocks[stock(*product)] >= *count);
            assert_eq!(is_done, ORDERS.is_possible(number), "{number}");
            assert_eq!(expected.get(&Orders::order_stream(order)).is_some(), is_done);
            for (product, count) in products.iter().filter(|_| is_done) {
                stocks[stock(*product)] -= count;
            }
            possible += u64::from(is_done);
        }
        assert!((4_700..4_800).contains(&possible), "{possible}");
        for (product, stock) in (0..).zip(stocks) {
            assert_eq!(expected.get(&Orders::product_stream(product)).unwrap().value, stock);
        }
    }

    #[test]
    fn appends_follow_those_of_their_caller() {
        let mut versions = std::collections::HashMap::new();
        let mut payloads = HashSet::new();
        for number in 0..BATCH.appends {
            let append = BATCH.command(number);
            assert_eq!((append.streams.len(), append.events.len()), (5, 100));
            for stream in &append.streams {
                let version: &mut u64 = versions.entry(stream.clone()).or_default();
                assert_eq!(*version, append.version);
                *version += 20;
            }
            for (_, payload) in append.events {
                assert!(payload.len() == 100 && payloads.insert(payload));
            }
        }
        let end = Workload::Batch(BATCH).end_state();
        assert_eq!((end.events(), end.streams().count()), (2_400, 40));
    }

    #[test]
    fn what_was_given_up_is_missing_and_nothing_else() {
        for workload in [Workload::Financial(FINANCIAL), Workload::Orders(ORDERS)] {
            let all = workload.end_state();
            let mut numbers = 7..workload.commands();
            let number = numbers.find(|number| workload.is_possible(*number)).unwrap();
            let without = workload.end_state_without(|given_up| given_up == number);
            assert!(without.events() < all.events() && without.digest() != all.digest());
            let rejected = numbers.find(|number| !workload.is_possible(*number)).unwrap();
            assert_eq!(workload.end_state_without(|given_up| given_up == rejected), all);
        }
    }
}
