//! Orders of some products for a customer.

use super::{
    draw::{IMPOSSIBLE_EVERY, random_of},
    end_state::{EndState, Ending},
};

/// Orders of one to four products for one of 1,000 customers: three to six streams.
///
/// Rules of every command: the order is new, and there is enough of each product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Orders {
    /// How many commands there are, each an order.
    pub commands: u64,
    /// How many products, 4 or more.
    pub products: u64,
    /// Other seeds, other commands.
    pub seed: u64,
}

/// What a customer asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The order's number.
    pub order: u64,
    /// The customer's number, from 0.
    pub customer: u64,
    /// Products by number, from 0, each at most once; and how much of each.
    pub products: Vec<(u64, u64)>,
}

const CUSTOMERS: u64 = 1_000;

/// The most that a possible order takes of a product.
const PIECES_MAX: u64 = 3;

const KINDS_MAX: u64 = 4;

impl Orders {
    /// How much of each product comes in before the clock starts: its first event. Enough for all
    /// orders to want the same one.
    pub fn stock(&self) -> u64 {
        self.commands * PIECES_MAX
    }

    /// The stream of a customer.
    pub fn customer_stream(customer: u64) -> String {
        format!("customer-{customer:04}")
    }

    /// The stream of an order.
    pub fn order_stream(order: u64) -> String {
        format!("order-{order:08}")
    }

    /// The stream of a product.
    pub fn product_stream(product: u64) -> String {
        format!("product-{product:07}")
    }

    /// A command, by its number from 0.
    pub fn command(&self, number: u64) -> Order {
        let mut random = random_of(self.seed, number);
        let (customer, first) = (random.below(CUSTOMERS), random.below(self.products));
        let kinds = 1 + random.below(KINDS_MAX);
        let product = |kind| (first + kind) % self.products;
        let mut products: Vec<_> =
            (0..kinds).map(|kind| (product(kind), 1 + random.below(PIECES_MAX))).collect();
        if random.below(IMPOSSIBLE_EVERY) == 0 {
            // The last one, so that all that came before would have to be given back.
            if let Some((_, pieces)) = products.last_mut() {
                *pieces += self.stock();
            }
        }
        Order { order: number, customer, products }
    }

    /// Whether a command must be accepted. All others must be rejected.
    pub fn is_possible(&self, number: u64) -> bool {
        self.command(number).products.iter().all(|(_, pieces)| *pieces <= PIECES_MAX)
    }

    /// How streams end when these commands were carried out: the stock of products, the pieces of
    /// orders, and how many pieces customers bought.
    pub(super) fn end_state(&self, commands: impl Iterator<Item = u64>) -> EndState {
        let mut state = EndState::new();
        let stocked = Ending { value: self.stock(), version: 1 };
        for product in 0..self.products {
            state.set(&Self::product_stream(product), stocked);
        }
        for number in commands {
            let Order { order, customer, products } = self.command(number);
            let all: u64 = products.iter().map(|(_, pieces)| pieces).sum();
            state.evolve(&Self::order_stream(order), |ordered| ordered + all);
            state.evolve(&Self::customer_stream(customer), |bought| bought + all);
            for (product, pieces) in products {
                state.evolve(&Self::product_stream(product), |stock| stock - pieces);
            }
        }
        state
    }
}
