//! A caller that appends what a workload says, and notes what it asks and hears.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
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
    workload: Workload,
    notes: Arc<Notes>,
    watch: Arc<Watch>,
    /// Whether the disk fails on purpose, so that refusals are no surprise.
    is_failing: bool,
    /// The number of the next append.
    next: AtomicU64,
    /// Whether somebody heard that the open store only reads from now on.
    is_poisoned: AtomicBool,
    /// How many appends were refused for want of room.
    no_room: AtomicU64,
    /// The last position that was acknowledged or found.
    last: AtomicU64,
}

/// An append that is on its way.
struct Started {
    number: u64,
    pending: Pending,
    /// Whether somebody had heard of a failure before.
    is_late: bool,
}

impl Desk {
    pub(crate) fn new(workload: Workload, notes: Notes, next: u64, is_failing: bool) -> Self {
        let notes = Arc::new(notes);
        Self {
            workload,
            watch: Arc::new(Watch::new(notes.clone())),
            notes,
            is_failing,
            next: AtomicU64::new(next),
            is_poisoned: AtomicBool::new(false),
            no_room: AtomicU64::new(0),
            last: AtomicU64::new(0),
        }
    }

    pub(crate) fn workload(&self) -> &Workload {
        &self.workload
    }

    pub(crate) fn watch(&self) -> &Arc<Watch> {
        &self.watch
    }

    /// A store is to be opened.
    pub(crate) fn open(&self) {
        if self.is_failing {
            self.watch.forget();
        }
    }

    /// A store was opened and shows everything up to this position.
    pub(crate) fn begin(&self, last: u64) {
        self.is_poisoned.store(false, Ordering::SeqCst);
        self.last.store(last, Ordering::SeqCst);
    }

    /// Whether somebody heard that the open store only reads from now on.
    pub(crate) fn is_poisoned(&self) -> bool {
        self.is_poisoned.load(Ordering::SeqCst)
    }

    /// How many appends were refused for want of room.
    pub(crate) fn no_room(&self) -> u64 {
        self.no_room.load(Ordering::SeqCst)
    }

    /// The last position that was acknowledged or found.
    pub(crate) fn last(&self) -> u64 {
        self.last.load(Ordering::SeqCst)
    }

    /// One caller's appends of one round.
    ///
    /// # Errors
    /// The store breaks its word, or the notes cannot be written.
    pub(crate) fn call(&self, store: &Annals, seed: u64) -> Result<(), PowercutError> {
        let mut random = Random::new(seed);
        let mut left = self.workload.appends;
        while left > 0 {
            let together = (1 + random.below(self.workload.together)).min(left);
            let started = (0..together).map(|_| self.start(store, &mut random));
            for started in started.collect::<Result<Vec<_>, _>>()? {
                self.finish(started)?;
            }
            left -= together;
        }
        Ok(())
    }

    /// Returns when everything that was told is durable; says whether it is within a time that is
    /// long for any machine.
    ///
    /// # Errors
    /// The store breaks its word, or the notes cannot be written.
    pub(crate) fn settle(&self, store: &Annals, seed: u64) -> Result<bool, PowercutError> {
        // What was synced before it was told is known to be durable at the next sync only: one
        // more append, of which nothing is told, makes sure that there is one.
        let started = self.start(store, &mut Random::new(seed))?;
        started.pending.wait().map_err(|error| unexpected(&error))?;
        Ok(self.watch.wait())
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
        let append = request.append().map_err(io::Error::other);
        let append = append.map_err(PowercutError::io("name a stream"))?;
        let (number, is_late) = (request.number, self.is_poisoned());
        self.note(&Note::Tried(request))?;
        Ok(Started { number, pending: store.append(&append), is_late })
    }

    fn finish(&self, started: Started) -> Result<(), PowercutError> {
        let Started { number, pending, is_late } = started;
        let refused = Note::Refused { number };
        match pending.wait() {
            Ok(_) if is_late => {
                let what = format!("append {number} was acknowledged after a failed write or sync");
                Err(PowercutError::BrokenWord(what))
            }
            Ok(committed) => {
                self.last.fetch_max(committed.last.get(), Ordering::SeqCst);
                self.note_success(number, committed.first.get())
            }
            Err(error) if !self.is_failing => Err(unexpected(&error)),
            Err(AppendError::OutcomeUnknown(_)) => {
                self.is_poisoned.store(true, Ordering::SeqCst);
                Ok(())
            }
            Err(AppendError::Poisoned(_)) => {
                self.is_poisoned.store(true, Ordering::SeqCst);
                self.note(&refused)
            }
            Err(AppendError::NoRoom(_)) => {
                self.no_room.fetch_add(1, Ordering::SeqCst);
                self.note(&refused)
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
    PowercutError::BrokenWord(format!("an append failed: {error}"))
}
