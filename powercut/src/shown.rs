//! Everything that a store shows of itself, read in every way.

use std::collections::BTreeMap;

use annals::{Annals, Events, LogQuery, ReadError, RecordedEvent, StreamId, StreamQuery};

/// Everything that a store shows of itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shown {
    /// The whole log, forward.
    pub(crate) events: Vec<RecordedEvent>,
    /// The whole log, backward.
    pub(crate) backward: Vec<RecordedEvent>,
    /// The last position.
    pub(crate) position: u64,
    /// By stream: the version that it is said to have, and its events.
    pub(crate) streams: BTreeMap<StreamId, (u64, Vec<RecordedEvent>)>,
}

impl Shown {
    /// Reads a store.
    ///
    /// # Errors
    /// As the store says.
    pub(crate) fn by(store: &Annals) -> Result<Self, ReadError> {
        let read = |events: Events| events.collect::<Result<Vec<_>, _>>();
        let events = read(store.read_all(LogQuery::forward()))?;
        let backward = read(store.read_all(LogQuery::backward()))?;
        let mut streams = BTreeMap::new();
        for (stream, version) in store.streams("") {
            let events = read(store.read_stream(&stream, StreamQuery::forward()))?;
            streams.insert(stream, (version.get(), events));
        }
        Ok(Self { events, backward, position: store.position().get(), streams })
    }
}
