//! What is in the store afterwards.

use std::collections::HashSet;

use annals_bench::report::plan::{EndState, Ending};
use eventcore::StreamId;
use eventcore_types::{
    BatchSize, EventFilter, EventPage, EventReader, EventStore, EventStoreError, StreamPosition,
};
use futures::StreamExt;

use super::kept::Kept;
use crate::system::Failure;

/// Read at a time.
const PAGE_EVENTS: usize = 10_000;

/// How all streams end, those that nobody expects included.
pub(crate) async fn end_state<E, S>(store: &S) -> Result<EndState, Failure>
where
    E: Kept,
    S: EventStore + EventReader<Error = EventStoreError>,
{
    let mut state = EndState::new();
    for stream in streams::<E, S>(store).await? {
        let name: String = stream.clone().into();
        let mut ending = Ending { value: 0, version: 0 };
        let mut events = store.read_stream::<E>(stream).await?;
        while let Some(event) = events.next().await {
            let value = event?.evolve(ending.value);
            ending.value = value.ok_or_else(|| format!("{name}: more was taken than was there"))?;
            ending.version += 1;
        }
        state.set(&name, ending);
    }
    Ok(state)
}

/// All streams that have events.
async fn streams<E, S>(store: &S) -> Result<Vec<StreamId>, Failure>
where
    E: Kept,
    S: EventReader<Error = EventStoreError>,
{
    let limit = BatchSize::new(PAGE_EVENTS);
    let mut streams = HashSet::new();
    let mut last: Option<StreamPosition> = None;
    loop {
        let page =
            last.map_or_else(|| EventPage::first(limit), |last| EventPage::after(last, limit));
        let events = store.read_events::<E>(EventFilter::all(), page).await?;
        streams.extend(events.iter().map(|(event, _)| event.stream_id().clone()));
        let Some((_, position)) = events.last() else { return Ok(streams.into_iter().collect()) };
        last = Some(*position);
    }
}
