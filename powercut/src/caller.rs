//! A caller that appends what a workload says, and notes what it asks and hears.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use annals::{Annals, AppendError, Pending, SyncPolicy};
use annals_sim::Random;

use crate::{
    error::PowercutError,
    note::Note,
    notes::Notes,
    request::{PAYLOAD_BYTES_MIN, Request},
    watch::Watch,
    workload::Workload,
};

/// What all callers of a workload share.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) workload: Workload,
    pub(crate) notes: Arc<Notes>,
    pub(crate) watch: Arc<Watch>,
    /// The number of the next append.
    pub(crate) next: AtomicU64,
    /// Whether the disk fails on purpose, so that refusals are no surprise.
    pub(crate) is_failing: bool,
}

/// An append that is on its way.
struct Started {
    number: u64,
    pending: Pending,
}

impl Desk {
    /// One caller's appends of one round.
    ///
    /// # Errors
    /// The store breaks its word, or the notes cannot be written.
    pub(crate) fn call(&self, store: &Annals, seed: u64) -> Result<(), PowercutError> {
        let mut random = Random::new(seed);
        let (mut left, mut poisoned) = (self.workload.appends, false);
        while left > 0 {
            let together = (1 + random.below(self.workload.together)).min(left);
            let started = (0..together).map(|_| self.start(store, &mut random));
            for started in started.collect::<Result<Vec<_>, _>>()? {
                poisoned |= self.finish(started, poisoned)?;
            }
            left -= together;
        }
        Ok(())
    }

    fn draw(&self, random: &mut Random) -> Request {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let Workload { events_max, streams, payload_bytes_max, .. } = self.workload;
        let events = (0..=random.below(events_max)).map(|_| {
            let span = payload_bytes_max.saturating_sub(PAYLOAD_BYTES_MIN) + 1;
            (random.below(streams), PAYLOAD_BYTES_MIN + random.below(span))
        });
        Request { number, events: events.collect() }
    }

    fn start(&self, store: &Annals, random: &mut Random) -> Result<Started, PowercutError> {
        let request = self.draw(random);
        let append = request
            .append()
            .map_err(|error| PowercutError::io("name a stream")(io::Error::other(error)))?;
        let number = request.number;
        self.note(&Note::Tried(request))?;
        Ok(Started { number, pending: store.append(&append) })
    }

    /// Waits for an append. Says whether the store only reads from now on.
    fn finish(&self, started: Started, was_poisoned: bool) -> Result<bool, PowercutError> {
        let Started { number, pending } = started;
        match pending.wait() {
            Ok(_) if was_poisoned => Err(PowercutError::Broken {
                count: 1,
                first: format!("append {number} was acknowledged after a failed write or sync"),
            }),
            Ok(committed) => {
                self.note_success(number, committed.first.get())?;
                Ok(false)
            }
            Err(error) if !self.is_failing => Err(unexpected(&error)),
            Err(AppendError::OutcomeUnknown(_)) => Ok(true),
            Err(AppendError::Poisoned(_)) => {
                self.note(&Note::Refused { number })?;
                Ok(true)
            }
            Err(AppendError::NoRoom(_)) => {
                self.note(&Note::Refused { number })?;
                Ok(false)
            }
            Err(error) => Err(unexpected(&error)),
        }
    }

    fn note_success(&self, number: u64, first: u64) -> Result<(), PowercutError> {
        match self.workload.sync_policy {
            SyncPolicy::Always => self.note(&Note::Acknowledged { number, first }),
            _ => self.watch.tell(number, first).map_err(PowercutError::io("leave a note")),
        }
    }

    pub(crate) fn note(&self, note: &Note) -> Result<(), PowercutError> {
        self.notes.put(note).map_err(PowercutError::io("leave a note"))
    }
}

fn unexpected(error: &AppendError) -> PowercutError {
    PowercutError::Broken { count: 1, first: format!("an append failed: {error}") }
}
