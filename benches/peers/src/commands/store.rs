//! A store of EventCore, opened and with what is there before the clock starts.

use annals_bench::report::plan::Workload;
use eventcore::Event;
use eventcore_types::EventStore;

use super::{batch, money, shop};
use crate::system::Failure;

/// So many streams are begun in one append.
const STREAMS_AT_ONCE: usize = 500;

/// Puts in what is there before the clock starts. Returns how many events.
pub(crate) async fn prepare<S: EventStore>(store: &S, plan: &Workload) -> Result<u64, Failure> {
    match plan {
        Workload::Financial(plan) => begin(store, &money::opened(plan)?).await,
        Workload::Orders(plan) => begin(store, &shop::stocked(plan)?).await,
        Workload::Batch(_) => Ok(0),
    }
}

/// Appends the first events of streams.
async fn begin<E: Event + Sync, S: EventStore>(store: &S, events: &[E]) -> Result<u64, Failure> {
    for events in events.chunks(STREAMS_AT_ONCE) {
        let streams: Vec<_> = events.iter().map(|event| event.stream_id().clone()).collect();
        store.append_events(batch::all_at(&streams, 0, events.to_vec())?).await?;
    }
    Ok(annals_bench::wide(events.len()))
}
