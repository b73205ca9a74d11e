//! Orders of one to four products for a customer; no stock is ever negative.

use std::collections::HashMap;

use annals::{
    Annals, Bincode, Caching, Command, CommandStreams, Decision, Event, Executor, LogQuery,
    Payloads, PerStream, Recorded, StreamId, StreamState,
};
use serde::{Deserialize, Serialize};

use super::load::Load;
use crate::{
    error::BenchError,
    random::Random,
    report::plan::{Order, Orders},
};

/// So many products, and whether states are kept between commands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shop {
    pub(crate) products: u64,
    pub(crate) is_cached: bool,
}

const CUSTOMERS: u64 = 1000;

/// How much of each product there is at first.
const STOCK: u64 = 1000;

/// One request in so many brings new stock, as much as the others take on average.
const RESTOCK_EVERY: u64 = 10;

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
pub(crate) enum ShopEvent {
    Stocked { count: u64 },
    Taken { count: u64 },
    Ordered { pieces: u64 },
    Bought { pieces: u64 },
}

/// A product, an order or a customer.
#[derive(Debug, Default)]
pub(crate) struct Item {
    stock: u64,
    is_ordered: bool,
    bought: u64,
}

impl StreamState for Item {
    type Event = ShopEvent;

    fn evolve(&mut self, recorded: &Recorded<ShopEvent>) {
        match recorded.event {
            ShopEvent::Stocked { count } => self.stock += count,
            ShopEvent::Taken { count } => self.stock -= count,
            ShopEvent::Ordered { .. } => self.is_ordered = true,
            ShopEvent::Bought { pieces } => self.bought += pieces,
        }
    }
}

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Request {
    what: What,
    is_cached: bool,
}

#[derive(Debug)]
enum What {
    Order { customer: StreamId, order: StreamId, products: Vec<(StreamId, u64)> },
    Restock { product: StreamId, count: u64 },
}

impl Request {
    /// An order of the report.
    pub(crate) fn ordering(order: &Order) -> Result<Self, BenchError> {
        let products =
            order.products.iter().map(|(number, pieces)| Ok((product(*number)?, *pieces)));
        let what = What::Order {
            customer: StreamId::new(&Orders::customer_stream(order.customer))?,
            order: StreamId::new(&Orders::order_stream(order.order))?,
            products: products.collect::<Result<_, BenchError>>()?,
        };
        Ok(Self { what, is_cached: true })
    }
}

#[derive(Debug)]
pub(crate) enum Refused {
    OrderedBefore,
    OutOfStock,
}

impl CommandStreams for Request {
    fn streams(&self) -> Vec<StreamId> {
        match &self.what {
            What::Order { customer, order, products } => {
                let named = [customer, order].into_iter();
                named.chain(products.iter().map(|(product, _)| product)).cloned().collect()
            }
            What::Restock { product, .. } => vec![product.clone()],
        }
    }
}

impl Command for Request {
    type State = PerStream<Item>;
    type Event = ShopEvent;
    type Rejection = Refused;

    fn evolve(&self, items: &mut PerStream<Item>, recorded: &Recorded<ShopEvent>) {
        items.evolve(recorded);
    }

    fn caching(&self) -> Caching<PerStream<Item>> {
        if self.is_cached { Caching::per_stream() } else { Caching::nothing() }
    }

    fn decide(&self, items: &PerStream<Item>) -> Result<Decision<ShopEvent>, Refused> {
        let (customer, order, products) = match &self.what {
            What::Order { customer, order, products } => (customer, order, products),
            What::Restock { product, count } => {
                return Ok(Decision::one(product.clone(), ShopEvent::Stocked { count: *count }));
            }
        };
        if items.of(order).is_ordered {
            return Err(Refused::OrderedBefore);
        }
        if products.iter().any(|(product, count)| items.of(product).stock < *count) {
            return Err(Refused::OutOfStock);
        }
        let pieces = products.iter().map(|(_, count)| count).sum();
        let mut decision = Decision::one(order.clone(), ShopEvent::Ordered { pieces })
            .and(customer.clone(), ShopEvent::Bought { pieces });
        for (product, count) in products {
            decision = decision.and(product.clone(), ShopEvent::Taken { count: *count });
        }
        Ok(decision)
    }
}

fn product(number: u64) -> Result<StreamId, BenchError> {
    Ok(StreamId::new(&Orders::product_stream(number))?)
}

impl Load for Shop {
    type Request = Request;

    fn prepare(&self, executor: &Executor<Annals>) -> Result<(), BenchError> {
        for number in 0..self.products {
            let what = What::Restock { product: product(number)?, count: STOCK };
            let restocked = executor.execute_blocking(&Request { what, is_cached: self.is_cached });
            restocked.map_err(|error| BenchError::Command(format!("{error:?}")))?;
        }
        Ok(())
    }

    fn next(&self, random: &mut Random, caller: usize, count: u64) -> Result<Request, BenchError> {
        let is_cached = self.is_cached;
        let first = random.below(self.products);
        if random.below(RESTOCK_EVERY) == 0 {
            // On average 2.5 products of 2 each in nine orders; fewer if there are fewer products.
            let count = if self.products < 4 { 27 } else { 45 };
            return Ok(Request {
                what: What::Restock { product: product(first)?, count },
                is_cached,
            });
        }
        let kinds = (1 + random.below(4)).min(self.products);
        let products = (0..kinds)
            .map(|kind| Ok((product((first + kind) % self.products)?, 1 + random.below(3))))
            .collect::<Result<_, BenchError>>()?;
        let what = What::Order {
            customer: StreamId::new(&format!("customer-{:04}", random.below(CUSTOMERS)))?,
            order: StreamId::new(&format!("order-{caller}-{count}"))?,
            products,
        };
        Ok(Request { what, is_cached })
    }

    /// No stock was ever negative, and no order was placed twice.
    fn audit(&self, annals: &Annals) -> Result<(), BenchError> {
        let mut stocks: HashMap<StreamId, u64> = HashMap::new();
        let (mut ordered, mut taken) = (0, 0);
        let payloads = Payloads::new(Bincode);
        for event in annals.read_all(LogQuery::forward()) {
            let event = event?;
            let (stream, at) = (event.stream.clone(), event.position);
            let lost = |what: &str| BenchError::Lost(format!("{stream} at {at}: {what}"));
            let decoded = payloads.decode(event).map_err(|error| lost(&error.to_string()))?;
            let Some(event) = decoded else { continue };
            match event.event {
                ShopEvent::Stocked { count } => {
                    *stocks.entry(event.stream.clone()).or_default() += count;
                }
                ShopEvent::Taken { count } => {
                    taken += count;
                    let stock = stocks.entry(event.stream.clone()).or_default();
                    *stock =
                        stock.checked_sub(count).ok_or_else(|| lost("sold what is not there"))?;
                }
                ShopEvent::Ordered { .. } if event.version.get() > 1 => {
                    return Err(lost("ordered twice"));
                }
                ShopEvent::Ordered { pieces } => ordered += pieces,
                ShopEvent::Bought { .. } => {}
            }
        }
        if ordered == taken {
            return Ok(());
        }
        Err(BenchError::Lost(format!("{ordered} pieces were ordered, {taken} were taken")))
    }
}
