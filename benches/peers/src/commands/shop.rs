//! Orders as commands of EventCore.

use annals_bench::report::plan::{Order, Orders};
use eventcore::{
    CommandError, CommandLogic, CommandStreams, Event, NewEvents, RetryPolicy, StreamDeclarations,
    StreamId, execute, require,
};
use eventcore_types::EventStore;
use serde::{Deserialize, Serialize};

use super::kept::{Kept, id};
use crate::system::Failure;

/// What happens to a product, an order or a customer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum ShopEvent {
    Stocked { product: StreamId, pieces: u64 },
    Taken { product: StreamId, pieces: u64 },
    Ordered { order: StreamId, pieces: u64 },
    Bought { customer: StreamId, pieces: u64 },
}

impl Event for ShopEvent {
    fn stream_id(&self) -> &StreamId {
        match self {
            Self::Stocked { product, .. } | Self::Taken { product, .. } => product,
            Self::Ordered { order, .. } => order,
            Self::Bought { customer, .. } => customer,
        }
    }

    fn event_type_name() -> &'static str {
        "ShopEvent"
    }
}

impl Kept for ShopEvent {
    fn evolve(&self, value: u64) -> Option<u64> {
        match self {
            Self::Stocked { pieces, .. }
            | Self::Ordered { pieces, .. }
            | Self::Bought { pieces, .. } => value.checked_add(*pieces),
            Self::Taken { pieces, .. } => value.checked_sub(*pieces),
        }
    }
}

/// Products before the clock starts.
pub(crate) fn stocked(plan: &Orders) -> Result<Vec<ShopEvent>, Failure> {
    let pieces = plan.stock();
    let stock =
        |product| Ok(ShopEvent::Stocked { product: id(Orders::product_stream(product))?, pieces });
    (0..plan.products).map(stock).collect()
}

/// Carries an order out.
pub(crate) async fn order<S: EventStore>(
    store: &S,
    order: Order,
    policy: RetryPolicy,
) -> Result<(), CommandError> {
    let command = PlaceOrder::new(order).map_err(|error| error.to_string())?;
    execute(store, command, policy).await?;
    Ok(())
}

/// The derive of EventCore takes fields that are streams, not a list of them.
struct PlaceOrder {
    order: StreamId,
    customer: StreamId,
    products: Vec<(StreamId, u64)>,
    streams: StreamDeclarations,
}

impl PlaceOrder {
    fn new(order: Order) -> Result<Self, Failure> {
        let Order { order, customer, products } = order;
        let product = |(product, pieces)| Ok((id(Orders::product_stream(product))?, pieces));
        let products = products.into_iter().map(product).collect::<Result<Vec<_>, Failure>>()?;
        let order = id(Orders::order_stream(order))?;
        let customer = id(Orders::customer_stream(customer))?;
        let named = [&order, &customer].into_iter().chain(products.iter().map(|(id, _)| id));
        let streams = StreamDeclarations::try_from_streams(named.cloned())?;
        Ok(Self { order, customer, products, streams })
    }
}

impl CommandStreams for PlaceOrder {
    fn stream_declarations(&self) -> StreamDeclarations {
        self.streams.clone()
    }
}

/// What the rules look at.
#[derive(Default)]
struct Shelf {
    is_ordered: bool,
    /// As many as the command has products, in its order; none before the first event of one.
    stocks: Vec<u64>,
}

impl CommandLogic for PlaceOrder {
    type Event = ShopEvent;
    type State = Shelf;

    fn apply(&self, mut found: Shelf, event: &ShopEvent) -> Shelf {
        match event {
            ShopEvent::Ordered { .. } => found.is_ordered = true,
            ShopEvent::Bought { .. } => {}
            ShopEvent::Stocked { product, .. } | ShopEvent::Taken { product, .. } => {
                found.stocks.resize(self.products.len(), 0);
                let place = self.products.iter().position(|(id, _)| id == product);
                if let Some(stock) = place.and_then(|place| found.stocks.get_mut(place)) {
                    *stock = event.evolve(*stock).unwrap_or_default();
                }
            }
        }
        found
    }

    fn handle(&self, found: Shelf) -> Result<NewEvents<ShopEvent>, CommandError> {
        require!(!found.is_ordered, "this order was placed before");
        let stocks = found.stocks.iter().chain(std::iter::repeat(&0));
        let is_there = self.products.iter().zip(stocks).all(|((_, pieces), stock)| pieces <= stock);
        require!(is_there, "out of stock");
        let pieces = self.products.iter().map(|(_, pieces)| pieces).sum();
        let ordered = ShopEvent::Ordered { order: self.order.clone(), pieces };
        let bought = ShopEvent::Bought { customer: self.customer.clone(), pieces };
        let taken = self.products.iter().map(|(product, pieces)| ShopEvent::Taken {
            product: product.clone(),
            pieces: *pieces,
        });
        Ok([ordered, bought].into_iter().chain(taken).collect::<Vec<_>>().into())
    }
}
