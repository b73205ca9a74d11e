//! Appends of many events, each stream expected at its exact version.

use annals::{
    Append, AppendFailure, Committed, EventType, ExpectedVersion, NewEvent, Store, StreamId,
    StreamVersion,
};

use super::work::{Settled, Work, events_of};
use crate::{error::BenchError, report::plan::Batch};

/// Appends, made before the clock starts, and where they go.
#[derive(Debug)]
pub(crate) struct Appending<S> {
    appends: Vec<Append>,
    store: S,
}

impl<S: Store> Appending<S> {
    pub(crate) fn new(batch: Batch, store: S) -> Result<Self, BenchError> {
        let event_type = EventType::new("Happened")?;
        let appends = (0..batch.appends).map(|number| append_of(&batch, number, &event_type));
        Ok(Self { appends: appends.collect::<Result<_, _>>()?, store })
    }

    fn append_of(&self, number: u64) -> Result<&Append, BenchError> {
        let append = usize::try_from(number).ok().and_then(|index| self.appends.get(index));
        append.ok_or_else(|| BenchError::Command(format!("there is no append {number}")))
    }
}

fn append_of(batch: &Batch, number: u64, event_type: &EventType) -> Result<Append, BenchError> {
    let asked = batch.command(number);
    let streams = asked.streams.iter().map(|name| StreamId::new(name));
    let streams = streams.collect::<Result<Vec<_>, _>>()?;
    let expected = ExpectedVersion::Exactly(StreamVersion::new(asked.version));
    let expectations = streams.iter().map(|stream| (stream.clone(), expected)).collect();
    let event = |(index, payload): (usize, String)| {
        let stream = streams.get(index)?.clone();
        Some(NewEvent::typed(stream, event_type.clone(), payload))
    };
    Ok(Append { events: asked.events.into_iter().filter_map(event).collect(), expectations })
}

impl<S: Store + 'static> Work for Appending<S> {
    async fn carry_out(&self, number: u64) -> Result<Settled, BenchError> {
        let append = self.append_of(number)?;
        Ok(settled(self.store.append(append).await))
    }

    fn carry_out_blocking(&self, number: u64) -> Result<Settled, BenchError> {
        let append = self.append_of(number)?;
        Ok(settled(self.store.append_blocking(append)))
    }
}

fn settled<E: std::error::Error>(result: Result<Committed, AppendFailure<E>>) -> Settled {
    match result {
        Ok(committed) => Settled::Accepted { events: events_of(&committed) },
        Err(AppendFailure::Conflict { .. }) => Settled::GivenUp,
        Err(AppendFailure::Store(error)) => Settled::Failed(error.to_string()),
    }
}
