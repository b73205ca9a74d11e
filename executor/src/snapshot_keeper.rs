//! Loads and saves snapshots.
//!
//! Saving is nobody's way to an answer: a helper thread takes a turn at the stream as a command
//! does, writes down what the cache has kept of it, ends the turn and saves. When it falls behind,
//! what is due is left out, and comes with a later state.

use std::{
    fmt, io,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use annals_event::{ReadFrom, SnapshotStore, StreamId, StreamVersion};

use crate::{
    guard::guard,
    meter::Meter,
    per_stream::{AnyPart, Mark},
    snapshot::{Form, Unusable},
    state_cache::{StateCache, StateKey},
    turns::Turns,
};

/// How many streams can be due at once.
const DUE_MAX: usize = 1024;

/// What the helper thread is asked for.
enum Job {
    Save(Box<Due>),
    /// To say so when it has come to here.
    Tell(SyncSender<()>),
}

/// A stream whose part is to be saved.
pub(crate) struct Due {
    pub(crate) part: std::any::TypeId,
    pub(crate) stream: StreamId,
    pub(crate) hash: u64,
    pub(crate) form: Form,
}

/// Loads and saves snapshots.
pub(crate) struct Keeper {
    store: Arc<dyn SnapshotStore>,
    jobs: SyncSender<Job>,
    loaded: Meter,
    unusable: Meter,
}

/// What the helper thread has in its hands.
struct Saver {
    store: Arc<dyn SnapshotStore>,
    turns: Arc<Turns>,
    cache: Arc<StateCache>,
    saved: Meter,
    failed: Meter,
}

fn meter(outcome: &'static str) -> Meter {
    Meter::labelled("annals_snapshots_total", "outcome", outcome)
}

impl Keeper {
    /// Starts the helper thread, which ends when the keeper is dropped.
    pub(crate) fn start(
        store: Arc<dyn SnapshotStore>,
        turns: Arc<Turns>,
        cache: Arc<StateCache>,
    ) -> io::Result<Self> {
        let (jobs, receiver) = sync_channel(DUE_MAX);
        let (saved, failed) = (meter("saved"), meter("failed"));
        let helper = Saver { store: store.clone(), turns, cache, saved, failed };
        let thread = thread::Builder::new().name("annals-snapshots".into());
        thread.spawn(move || helper.run(&receiver))?;
        Ok(Self { store, jobs, loaded: meter("loaded"), unusable: meter("unusable") })
    }

    /// Has the part of a stream saved, soon, if there is room.
    pub(crate) fn save_soon(&self, due: Due) {
        drop(self.jobs.try_send(Job::Save(Box::new(due))));
    }

    /// Returns when everything is saved that was asked for.
    pub(crate) fn settle(&self) {
        let (told, tell) = sync_channel(1);
        let is_asked = self.jobs.send(Job::Tell(told)).is_ok();
        // An error: there is no helper thread any more, and nothing to wait for.
        let _is_told = is_asked && tell.recv().is_ok();
    }

    /// The part of a stream as it was saved last, and the event to read before it is believed.
    pub(crate) fn load(&self, form: &Form, stream: &StreamId) -> Option<(AnyPart, Mark)> {
        match self.try_load(form, stream) {
            Ok(loaded) => {
                self.loaded.add(u64::from(loaded.is_some()));
                loaded
            }
            Err(reason) => {
                self.not_used(stream, &reason);
                None
            }
        }
    }

    fn try_load(
        &self,
        form: &Form,
        stream: &StreamId,
    ) -> Result<Option<(AnyPart, Mark)>, Unusable> {
        let Some(bytes) = self.store.load(&form.key(stream)).map_err(Unusable::Unread)? else {
            return Ok(None);
        };
        let decoded = guard("deserialize", || form.decode(stream, &bytes));
        decoded.map_err(|panicked| Unusable::Panics(panicked.message))?.map(Some)
    }

    /// Takes note of a snapshot that is of no use.
    pub(crate) fn not_used(&self, stream: &StreamId, reason: &dyn fmt::Display) {
        self.unusable.add(1);
        tracing::warn!(%stream, %reason, "a snapshot is not used");
    }
}

impl Saver {
    fn run(&self, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            match job {
                Job::Save(due) => self.save(&due),
                Job::Tell(told) => drop(told.send(())),
            }
        }
    }

    fn save(&self, due: &Due) {
        let Some(bytes) = self.write(due) else { return };
        match self.store.save(&due.form.key(&due.stream), &bytes) {
            Ok(()) => self.saved.add(1),
            Err(error) => {
                self.failed.add(1);
                let stream = &due.stream;
                tracing::warn!(%stream, %error, "a snapshot could not be saved");
            }
        }
    }

    /// The bytes of what the cache has of a stream, if anything.
    fn write(&self, due: &Due) -> Option<Vec<u8>> {
        let Due { part: name, stream, hash, form } = due;
        let _turn = self.turns.queue([*hash].as_slice().into()).wait();
        let streams = [ReadFrom { stream: stream.clone(), after: StreamVersion::ZERO }];
        let key = StateKey { name: *name, number: 0, hash: *hash, streams: &streams };
        let part = self.cache.take_quietly(&key)?;
        // After a panic the part is not put back: it may be half of something.
        let written = guard("serialize", || form.write(&part)).ok().flatten()?;
        match written {
            Ok(written) => {
                self.cache.put(&key, part, written.in_memory);
                Some(form.encode(stream, &written))
            }
            Err(error) => {
                // The part is not kept either: nobody knows how large it is.
                self.failed.add(1);
                tracing::warn!(%stream, %error, "a snapshot could not be written");
                None
            }
        }
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").field("store", &self.store).finish_non_exhaustive()
    }
}
