//! An append that a caller makes again and again: only versions change in between. So what is
//! measured is the store, not the making of requests.
//!
//! The first eight bytes of each payload are the version that the event will have in its stream:
//! whoever reads the log later can tell that nothing is missing, doubled or misplaced.

use annals::{
    Append, Committed, Conflict, EventType, ExpectedVersion, NewEvent, StreamId, StreamVersion,
};

use crate::{
    error::BenchError,
    shape::{PAYLOAD_BYTES, Shape},
};

/// An append that is made again and again.
#[derive(Debug)]
pub(crate) struct Request {
    append: Append,
    streams: Vec<Told>,
    acknowledged: u64,
}

/// A stream and the version of it that the caller was told last.
#[derive(Debug)]
struct Told {
    stream: StreamId,
    version: u64,
    /// How many events of the append go there.
    events: u64,
}

impl Request {
    pub(crate) fn new(shape: &Shape, streams: Vec<StreamId>) -> Result<Self, BenchError> {
        let happened = EventType::new("Happened")?;
        let event = |stream: &StreamId| {
            NewEvent::typed(stream.clone(), happened.clone(), vec![0x5A; PAYLOAD_BYTES])
        };
        let events: Vec<_> = streams.iter().cycle().take(shape.events).map(event).collect();
        let count = |stream: &StreamId| {
            crate::number::wide(events.iter().filter(|event| event.stream == *stream).count())
        };
        let told: Vec<_> = streams
            .iter()
            .map(|stream| Told { stream: stream.clone(), version: 0, events: count(stream) })
            .collect();
        let expectations =
            streams.into_iter().map(|stream| (stream, ExpectedVersion::NoStream)).collect();
        let append = Append { events, expectations };
        let mut request = Self { append, streams: told, acknowledged: 0 };
        request.renew();
        Ok(request)
    }

    /// The append, as it is to be made next.
    pub(crate) fn append(&self) -> &Append {
        &self.append
    }

    /// It was acknowledged: the next one expects the versions after it.
    pub(crate) fn acknowledge(&mut self, committed: &Committed) {
        for (told, version) in self.streams.iter_mut().zip(&committed.versions) {
            told.version = version.get();
        }
        self.acknowledged += 1;
        self.renew();
    }

    /// It conflicted: the next attempt expects the actual versions.
    pub(crate) fn correct(&mut self, conflicts: &[Conflict]) {
        for conflict in conflicts {
            let told = self.streams.iter_mut().find(|told| told.stream == conflict.stream);
            if let Some(told) = told {
                told.version = conflict.actual.get();
            }
        }
        self.renew();
    }

    /// How many events were acknowledged, by stream.
    pub(crate) fn written(&self) -> impl Iterator<Item = (StreamId, u64)> {
        self.streams.iter().map(|told| (told.stream.clone(), told.events * self.acknowledged))
    }

    /// Writes what the caller was told into expectations and payloads.
    fn renew(&mut self) {
        let told = self.streams.iter();
        for ((_, expected), told) in self.append.expectations.iter_mut().zip(told) {
            *expected = ExpectedVersion::Exactly(StreamVersion::new(told.version));
        }
        let mut round = 0;
        for events in self.append.events.chunks_mut(self.streams.len()) {
            round += 1;
            for (event, told) in events.iter_mut().zip(&self.streams) {
                stamp(&mut event.payload, told.version + round);
            }
        }
    }
}

fn stamp(payload: &mut [u8], version: u64) {
    if let Some(head) = payload.first_chunk_mut() {
        *head = version.to_le_bytes();
    }
}

/// Whether a payload is the one that was appended as its stream's event of this version.
pub(crate) fn is_stamped(payload: &[u8], version: StreamVersion) -> bool {
    payload.len() == PAYLOAD_BYTES
        && payload.first_chunk().is_some_and(|head| u64::from_le_bytes(*head) == version.get())
}

#[cfg(test)]
mod tests {
    use annals::{Annals, AppendError, LogQuery};

    use super::*;
    use crate::shape::BATCH;

    #[test]
    fn a_request_follows_its_streams() {
        let annals = Annals::in_memory().unwrap();
        let streams = || (0..5).map(|n| StreamId::new(&format!("s-{n}")).unwrap()).collect();
        let mut first = Request::new(&BATCH, streams()).unwrap();
        let mut second = Request::new(&BATCH, streams()).unwrap();
        first.acknowledge(&annals.append(first.append()).wait().unwrap());
        first.acknowledge(&annals.append(first.append()).wait().unwrap());
        let Err(AppendError::Conflict(conflicts)) = annals.append(second.append()).wait() else {
            panic!("it expected nothing");
        };
        second.correct(&conflicts.0);
        second.acknowledge(&annals.append(second.append()).wait().unwrap());
        assert!(first.written().all(|(_, events)| events == 40));
        assert!(second.written().all(|(_, events)| events == 20));
        let events: Vec<_> = annals.read_all(LogQuery::forward()).map(Result::unwrap).collect();
        assert_eq!(events.len(), 300);
        assert!(events.iter().all(|event| is_stamped(&event.payload, event.version)));
    }
}
