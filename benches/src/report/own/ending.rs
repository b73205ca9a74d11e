//! How streams ended, read from the store.

use annals::{Bincode, Payloads, ReadFrom, RecordedEvent, Store, StreamVersion};

use super::preparing::stream;
use crate::{
    commands::{bank::AccountEvent, shop::ShopEvent},
    error::BenchError,
    report::plan::{Batch, EndState, Financial, Orders, Workload},
};

/// How many streams are read at a time.
const READ_STREAMS: usize = 200;

/// How every stream that the workload may have touched ended.
pub(crate) fn read<S: Store>(workload: &Workload, store: &S) -> Result<EndState, BenchError> {
    let (mut state, mut events) = (EndState::new(), 0);
    let mut position = None;
    for names in names(workload).chunks(READ_STREAMS) {
        let after = StreamVersion::new(0);
        let streams = names.iter().map(|name| Ok(ReadFrom { stream: stream(name)?, after }));
        let streams = streams.collect::<Result<Vec<_>, BenchError>>()?;
        let snapshot = store.read_blocking(&streams, None);
        let snapshot = snapshot.map_err(|error| BenchError::Command(error.to_string()))?;
        position = Some(snapshot.position.get());
        for event in snapshot.events {
            events += 1;
            let (name, change) = (event.stream.clone(), change(workload, event)?);
            let mut is_possible = true;
            state.evolve(name.as_str(), |value| change.apply(value, &mut is_possible));
            if !is_possible {
                return Err(BenchError::Lost(format!("{name} gave more than it had")));
            }
        }
    }
    match position {
        Some(position) if position != events => {
            let elsewhere = format!("{position} events in all, {events} in the workload's streams");
            Err(BenchError::Lost(elsewhere))
        }
        _ => Ok(state),
    }
}

/// Every stream that a command may have written to, rejected ones included.
fn names(workload: &Workload) -> Vec<String> {
    match workload {
        Workload::Financial(financial) => (0..financial.accounts).map(Financial::stream).collect(),
        Workload::Orders(orders) => {
            let of_command = |number| {
                let order = orders.command(number);
                let customer = Orders::customer_stream(order.customer);
                [Orders::order_stream(order.order), customer]
            };
            let products = (0..orders.products).map(Orders::product_stream);
            unique((0..orders.commands).flat_map(of_command).chain(products))
        }
        Workload::Batch(batch) => {
            let of_caller = |caller| batch.command(caller).streams;
            unique((0..batch.callers.min(batch.appends)).flat_map(of_caller))
        }
    }
}

fn unique(names: impl Iterator<Item = String>) -> Vec<String> {
    let names: std::collections::BTreeSet<String> = names.collect();
    names.into_iter().collect()
}

/// What an event does to its stream's value.
enum Change {
    Plus(u64),
    Minus(u64),
    Payload(Vec<u8>),
}

impl Change {
    fn apply(&self, value: u64, is_possible: &mut bool) -> u64 {
        match self {
            Self::Plus(count) => value + count,
            Self::Minus(count) => value.checked_sub(*count).unwrap_or_else(|| {
                *is_possible = false;
                0
            }),
            Self::Payload(payload) => Batch::evolve(value, payload),
        }
    }
}

fn change(workload: &Workload, event: RecordedEvent) -> Result<Change, BenchError> {
    let payloads = Payloads::new(Bincode);
    let unreadable = |error: annals::DecodeError| BenchError::Lost(error.to_string());
    let unknown = || BenchError::Lost("an event of another type".to_owned());
    Ok(match workload {
        Workload::Financial(_) => {
            let decoded = payloads.decode::<AccountEvent>(event).map_err(unreadable)?;
            match decoded.ok_or_else(unknown)?.event {
                AccountEvent::Deposited { cents } | AccountEvent::Received { cents } => {
                    Change::Plus(cents)
                }
                AccountEvent::Withdrawn { cents } | AccountEvent::Sent { cents } => {
                    Change::Minus(cents)
                }
            }
        }
        Workload::Orders(_) => {
            let decoded = payloads.decode::<ShopEvent>(event).map_err(unreadable)?;
            match decoded.ok_or_else(unknown)?.event {
                ShopEvent::Stocked { count } => Change::Plus(count),
                ShopEvent::Taken { count } => Change::Minus(count),
                ShopEvent::Ordered { pieces } | ShopEvent::Bought { pieces } => {
                    Change::Plus(pieces)
                }
            }
        }
        Workload::Batch(_) => Change::Payload(event.payload),
    })
}
