//! What must be there before the clock starts.

use annals::{Append, Bincode, ExpectedVersion, NewEvent, Payloads, Store, StreamId};

use crate::{
    commands::{bank::AccountEvent, shop::ShopEvent},
    error::BenchError,
    report::plan::{Financial, Orders, Workload},
};

/// How many streams each append begins.
const APPEND_STREAMS: usize = 1000;

/// Opens accounts, stocks products.
pub(crate) fn prepare<S: Store>(workload: &Workload, store: &S) -> Result<(), BenchError> {
    let payloads = Payloads::new(Bincode);
    let encoded = |error: annals::EncodeError| BenchError::Command(error.to_string());
    match workload {
        Workload::Financial(financial) => {
            let opened = AccountEvent::Deposited { cents: financial.opening_cents() };
            let event = |account| {
                payloads.encode(stream(&Financial::stream(account))?, &opened).map_err(encoded)
            };
            append_all((0..financial.accounts).map(event), store)
        }
        Workload::Orders(orders) => {
            let stocked = ShopEvent::Stocked { count: orders.stock() };
            let event = |product| {
                payloads
                    .encode(stream(&Orders::product_stream(product))?, &stocked)
                    .map_err(encoded)
            };
            append_all((0..orders.products).map(event), store)
        }
        Workload::Batch(_) => Ok(()),
    }
}

pub(crate) fn stream(name: &str) -> Result<StreamId, BenchError> {
    Ok(StreamId::new(name)?)
}

fn append_all<S: Store>(
    events: impl Iterator<Item = Result<NewEvent, BenchError>>,
    store: &S,
) -> Result<(), BenchError> {
    let events = events.collect::<Result<Vec<_>, _>>()?;
    for events in events.chunks(APPEND_STREAMS) {
        let expected = events.iter().map(|event| (event.stream.clone(), ExpectedVersion::NoStream));
        let append = Append { events: events.to_vec(), expectations: expected.collect() };
        store.append_blocking(&append).map_err(|failure| {
            BenchError::Command(format!("what must be there first was not appended: {failure:?}"))
        })?;
    }
    Ok(())
}
