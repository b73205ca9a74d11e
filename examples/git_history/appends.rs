//! Appends that expect each stream at exactly the version that it has.

use std::collections::HashMap;

use annals::{Annals, Append, EventId, ExpectedVersion, NewEvent, StreamId, StreamVersion, limits};

use crate::stop::Stop;

/// Events of one part take at most this: far below the limit of an append.
const PART_BYTES_MAX: usize = limits::COMMIT_BYTES_MAX / 2;

/// Makes appends, and knows the version of every stream after the last of them: what is on its
/// way is not in [`Annals::stream_version`] yet, and nobody else writes.
#[derive(Debug)]
pub(crate) struct Appends<'a> {
    annals: &'a Annals,
    versions: HashMap<StreamId, StreamVersion>,
}

impl<'a> Appends<'a> {
    pub(crate) fn new(annals: &'a Annals) -> Self {
        Self { annals, versions: annals.streams("").into_iter().collect() }
    }

    /// The append of these events, to be appended next.
    pub(crate) fn next(&mut self, events: Vec<NewEvent>) -> Append {
        let mut append = Append::new();
        let mut previous = None;
        for event in &events {
            let version = self.versions.entry(event.stream.clone()).or_default();
            // A broken tree can name a file twice: side by side, as the events are by path.
            if previous != Some(&event.stream) {
                append = append.expect(event.stream.clone(), exactly(*version));
            }
            previous = Some(&event.stream);
            *version = version.next();
        }
        append.events(events)
    }

    /// Appends the events of a large commit in as many parts as it takes, and waits for each.
    /// Returns how many.
    pub(crate) fn append_large(
        &mut self,
        commit: &str,
        events: Vec<NewEvent>,
    ) -> Result<usize, Stop> {
        let mut parts = parts(events);
        if parts.len() > 1 {
            identify(commit, &mut parts)?;
        }
        let count = parts.len();
        for part in parts {
            let append = self.next(part);
            let waited = self.annals.append(&append).wait();
            let committed =
                waited.map_err(|error| Stop::failure(format!("commit {commit}: {error}")))?;
            // A part that was in the log already has not raised them.
            let streams = append.expectations.into_iter().map(|(stream, _)| stream);
            self.versions.extend(streams.zip(committed.versions));
        }
        Ok(count)
    }
}

fn exactly(version: StreamVersion) -> ExpectedVersion {
    if version == StreamVersion::ZERO {
        ExpectedVersion::NoStream
    } else {
        ExpectedVersion::Exactly(version)
    }
}

/// As few parts as possible, each within the limits of an append.
fn parts(events: Vec<NewEvent>) -> Vec<Vec<NewEvent>> {
    let mut parts = Vec::new();
    let (mut part, mut part_bytes) = (Vec::new(), 0);
    for event in events {
        // Besides these, an event here takes less than 128 bytes.
        let bytes = event.payload.len() + event.stream.as_str().len() + 128;
        let is_full = part.len() == limits::COMMIT_EVENTS_MAX;
        if is_full || part_bytes + bytes > PART_BYTES_MAX {
            parts.extend((!part.is_empty()).then(|| std::mem::take(&mut part)));
            part_bytes = 0;
        }
        part_bytes += bytes;
        part.push(event);
    }
    parts.push(part);
    parts
}

/// Gives each event an id, made of the beginning of the commit's hash and its number in it.
fn identify(commit: &str, parts: &mut [Vec<NewEvent>]) -> Result<(), Stop> {
    let prefix = u128::from_str_radix(commit.get(..24).unwrap_or_default(), 16)?;
    for (number, event) in (0_u32..).zip(parts.iter_mut().flatten()) {
        event.id = Some(EventId::new(((prefix << 32) | u128::from(number)).to_le_bytes()));
    }
    Ok(())
}
