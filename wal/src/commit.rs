//! The commit path below the sequencer: a group is taken, written, synced, published.
//!
//! 1. Whoever leads takes the writer: a caller that blocks, in its own thread, or the flusher for
//!    callers that do not.
//! 2. It takes the group that gathered in the tail; the next one gathers meanwhile.
//! 3. One write and one sync for each segment in the group, nearly always one.
//! 4. The watermark rises: those who waited for this group go on.
//! 5. If another group gathered, the flusher writes it, and goes on until nobody gathers.
//!
//! The order of locks: `writer`, then `tail`, then `segments`. The first failure poisons: nothing
//! is published after it.

use std::{hint, io, sync::Arc, time::Duration};

use annals_planted::{Bug, planted};
use annals_sync::{
    Mutex, RwLock,
    atomic::{Ordering, Ordering::SeqCst},
    looks, thread,
};

use crate::{
    address::Address,
    background::Helpers,
    checked::CheckedFrames,
    environment::Threads,
    error::Failure,
    flusher::Flusher,
    num::{to_u64, to_usize},
    observe::{self, Meters},
    options::{LogOptions, SyncPolicy},
    pace::{Pace, SPINS, TURNS, YIELDS},
    poison::{self, PoisonUnlessDone, WakeAfterFailure},
    prepare::Preparer,
    recovery::Recovered,
    segment::Segment,
    stats::Counters,
    storage::{self, Directory},
    tail::{Group, Part, Tail},
    watermark::Watermark,
};

/// What callers, the flusher and the helper share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) options: LogOptions,
    pub(crate) log_id: u128,
    /// All segments, in order; the last is the tail's.
    pub(crate) segments: RwLock<Vec<Arc<Segment>>>,
    pub(crate) tail: Mutex<Tail>,
    pub(crate) watermark: Watermark,
    pub(crate) preparer: Arc<Preparer>,
    pub(crate) helpers: Helpers,
    /// Whoever holds it writes; nobody else does.
    pub(crate) writer: Mutex<Writer>,
    pub(crate) flusher: Flusher,
    pub(crate) counters: Counters,
    pub(crate) meters: Meters,
    pub(crate) checked: CheckedFrames,
    pub(crate) pace: Pace,
}

/// How many of the segments that ended last are searched with all their waypoints.
const FINE_SEGMENTS: u64 = 16;

/// What only the leader knows.
#[derive(Debug)]
pub(crate) struct Writer {
    /// Everything before is synced.
    pub(crate) durable: Address,
    /// The segment that has bytes which are written and not synced.
    pub(crate) unsynced: Option<(Arc<Segment>, u64)>,
}

impl Shared {
    /// A log as it was recovered.
    pub(crate) fn new(
        directory: Arc<dyn Directory>,
        options: LogOptions,
        recovered: Recovered,
        helpers: Helpers,
    ) -> Self {
        let Recovered { segments, end, .. } = recovered;
        #[expect(clippy::indexing_slicing, reason = "recovery opens or makes at least one segment")]
        let segment = segments[segments.len() - 1].clone();
        let durable = Address { segment: segment.header.segment, offset: end.offset };
        let tail = Tail {
            offset: end.offset,
            next_record: end.next_record,
            previous_len: end.previous_len,
            previous_kind: end.previous_kind,
            chain: end.chain,
            durable,
            group: 1,
            gathering: Vec::new(),
            in_flight: Arc::default(),
            spare: Vec::new(),
            stamped: Vec::new(),
            closed: false,
            has_asked: false,
            segment: segment.clone(),
        };
        Self {
            log_id: segment.header.log_id,
            watermark: Watermark::new(end.next_record - 1),
            preparer: Arc::new(Preparer::new(directory.clone(), &options)),
            directory,
            options,
            segments: RwLock::new(segments),
            tail: Mutex::new(tail),
            helpers,
            writer: Mutex::new(Writer { durable, unsynced: None }),
            flusher: Flusher::default(),
            counters: Counters::default(),
            meters: Meters::new(),
            checked: CheckedFrames::default(),
            pace: Pace::default(),
        }
    }

    /// Writes the group that gathered, and what gathers meanwhile as long as it is this thread's
    /// turn, if nobody else is at it: whoever is at it hands over. Says whether there was a group.
    pub(crate) fn lead(&self) -> bool {
        // SeqCst, with the flusher's: it looks for frames again after it has stopped to lead.
        if self.flusher.leads.load(SeqCst) && !self.pace.is_quick() {
            return false;
        }
        let (mut led, mut more) = (false, TURNS);
        let _waiters = WakeAfterFailure(&self.watermark);
        while let Some(mut writer) = self.writer.try_lock() {
            let ended = self.commit(&mut writer);
            drop(writer);
            led |= ended.is_some();
            if !self.hand_over(ended, more) {
                break;
            }
            more = more.saturating_sub(1);
        }
        led
    }

    /// For one who waits for a group: leads, or, where groups are quick, stays awake for a while
    /// to see it end. Says whether to look at the group again.
    pub(crate) fn lead_or_linger(&self, group: u64) -> bool {
        if self.lead() {
            return true;
        }
        // A waker that waits in the flusher: if it slept, nobody would write.
        if self.flusher.is_here() && !planted(Bug::FlusherSleeps) {
            return self.lead_next();
        }
        let looks = if self.pace.is_quick() { looks(SPINS + YIELDS) } else { 0 };
        (0..looks).any(|look| {
            if look < SPINS {
                hint::spin_loop();
            } else {
                thread::yield_now();
            }
            self.watermark.outcome(group).is_some() || self.lead()
        })
    }

    /// As [`Shared::lead`], after whoever is at it.
    pub(crate) fn lead_next(&self) -> bool {
        let _waiters = WakeAfterFailure(&self.watermark);
        let ended = self.commit(&mut self.writer.lock());
        let goes_on = self.hand_over(ended, 0) && self.lead();
        goes_on || ended.is_some()
    }

    /// Wakes those whose group ended, and has the group that gathers written: by the flusher, or,
    /// without one, by this thread. No lock is held: a waker may run anything. Says whether this
    /// thread is to go on.
    fn hand_over(&self, ended: Option<u64>, more: u32) -> bool {
        self.watermark.wake(ended);
        let gathers = !self.tail.lock().gathering.is_empty();
        if !gathers || self.watermark.failure().is_some() {
            return false;
        }
        match self.options.threads {
            Threads::Inline => true,
            // Another quick group takes less time than to wake the flusher for it.
            Threads::Background if more > 0 && self.pace.is_quick() => {
                !planted(Bug::QuickGroupLeft)
            }
            Threads::Background => {
                self.flusher.lead();
                false
            }
        }
    }

    /// Writes groups as long as there is one; under the policies that acknowledge before the sync
    /// one at most, since an interval may be over. Says whether there was any.
    fn lead_on(&self) -> bool {
        let mut led = false;
        loop {
            self.flusher.leads.store(true, SeqCst);
            while self.lead_next() {
                led = true;
                if self.options.sync_policy != SyncPolicy::Always {
                    break;
                }
            }
            self.flusher.leads.store(false, SeqCst);
            // Who waits because this thread was leading has a frame here.
            let gathers = !self.tail.lock().gathering.is_empty();
            let is_over = !gathers || planted(Bug::NoLookAfterLeading);
            if is_over || self.watermark.failure().is_some() {
                return led;
            }
            if self.options.sync_policy != SyncPolicy::Always {
                self.flusher.wake();
                return led;
            }
        }
    }

    /// Writes the group that gathered; returns its number, if there was one.
    fn commit(&self, writer: &mut Writer) -> Option<u64> {
        if self.watermark.failure().is_some() && !planted(Bug::GoesOnAfterFailure) {
            return None;
        }
        let group = self.tail.lock().take()?;
        let ended = Some(group.number);
        let mut guard = PoisonUnlessDone::new(&self.tail, &self.watermark, &*self.directory);
        let _span = observe::span(&group).entered();
        if planted(Bug::WatermarkTooEarly) {
            self.watermark.publish(group.number, group.last_record);
        }
        let environment = &*self.options.environment;
        match self.pace.timed(environment, group.number, || self.write(&group, writer)) {
            Ok(()) => {
                let Group { number, parts, last_record, frames, bytes } = group;
                drop(parts);
                // Before `written`, which lets frames go to their file at once and be seen.
                self.watermark.publish(number, last_record);
                let newest = self.tail.lock().written(writer.durable);
                self.meters.group(frames, bytes, newest.saturating_sub(last_record));
            }
            Err(failure) => {
                tracing::error!(%failure, "the log failed; open it again");
                poison::fail(&self.tail, &self.watermark, failure);
            }
        }
        // Relaxed: nothing is inferred from a count.
        self.counters.groups.fetch_add(1, Ordering::Relaxed);
        guard.is_done = true;
        ended
    }

    fn write(&self, group: &Group, writer: &mut Writer) -> Result<(), Failure> {
        let last = group.parts.len().saturating_sub(1);
        for (index, part) in group.parts.iter().enumerate() {
            let end = part.start + to_u64(part.bytes.len());
            let failed = |action| move |error: io::Error| part.segment.failure(action, error);
            let file = part.segment.file().map_err(failed("write"))?;
            storage::write_all(&*file, part.start, &part.bytes).map_err(failed("write"))?;
            writer.unsynced = Some((part.segment.clone(), end));
            let is_at_edge = index < last || part.prepared_name.is_some();
            if planted(Bug::NamedBeforeSync) {
                self.name(part)?;
            }
            if self.must_sync(group, is_at_edge) {
                self.sync(writer)?;
            }
            // Not before: after a failed sync the file may show other bytes than were written.
            part.segment.publish(end);
            if !planted(Bug::NamedBeforeSync) {
                self.name(part)?;
            }
            if index < last {
                part.segment.release();
                self.thin_out(part.segment.header.segment);
            }
        }
        Ok(())
    }

    /// A segment ended: one that ended long ago keeps less in memory.
    fn thin_out(&self, ended: u64) {
        let Some(past) = ended.checked_sub(FINE_SEGMENTS + 1).map(to_usize) else { return };
        let past = self.segments.read().get(past).cloned();
        if let Some(past) = past {
            past.thin_out();
        }
    }

    /// Whether what is written is synced before it is seen. A segment that ends, and one that
    /// begins, are at an edge: they are synced whatever the policy.
    fn must_sync(&self, group: &Group, is_at_edge: bool) -> bool {
        let is_forgotten = planted(Bug::AckBeforeSync)
            || planted(Bug::AckBeforeSyncAtTimes) && group.number.is_multiple_of(7);
        let is_policy = self.options.sync_policy == SyncPolicy::Always && !is_forgotten;
        is_policy || is_at_edge && !planted(Bug::NoSyncBetweenSegments)
    }

    /// Gives a segment that begins with this part, and is durable, its name, durably.
    fn name(&self, part: &Part) -> Result<(), Failure> {
        let Some(prepared_name) = &part.prepared_name else { return Ok(()) };
        let name = Segment::name(part.segment.header.first_record);
        let renamed = self.directory.rename(prepared_name, &name);
        let is_synced = !planted(Bug::NoDirectorySync);
        let named = renamed.and_then(|()| if is_synced { self.directory.sync() } else { Ok(()) });
        named.map_err(|error| part.segment.failure("name", error))
    }

    /// Syncs what is written.
    fn sync(&self, writer: &mut Writer) -> Result<(), Failure> {
        let Some((segment, end)) = writer.unsynced.take() else { return Ok(()) };
        self.counters.syncs.fetch_add(1, Ordering::Relaxed);
        let is_same = writer.durable.segment == segment.header.segment;
        segment.withdraw(if is_same { writer.durable.offset } else { 0 }..end);
        let environment = &*self.options.environment;
        let sync = || segment.file().and_then(|file| storage::sync_data(&*file));
        let synced = self.meters.timed(environment, sync);
        synced.map_err(|error| segment.failure("sync", error))?;
        writer.durable = Address { segment: segment.header.segment, offset: end };
        Ok(())
    }

    /// Syncs what is written, under the policies that acknowledge before.
    pub(crate) fn sync_now(&self) {
        let _waiters = WakeAfterFailure(&self.watermark);
        let mut writer = self.writer.lock();
        let segment = self.tail.lock().segment.clone();
        let end = Address { segment: segment.header.segment, offset: segment.written() };
        // Frames that went to their file at once were not written by this writer.
        if end > writer.durable && end.offset > 0 {
            writer.unsynced = Some((segment, end.offset));
        }
        if self.watermark.failure().is_none() {
            let mut guard = PoisonUnlessDone::new(&self.tail, &self.watermark, &*self.directory);
            match self.sync(&mut writer) {
                Ok(()) => self.tail.lock().durable = writer.durable,
                Err(failure) => poison::fail(&self.tail, &self.watermark, failure),
            }
            guard.is_done = true;
        }
        drop(writer);
        if self.hand_over(None, 0) {
            self.lead();
        }
    }

    /// Syncs if the last time is an interval ago; returns how long until the next time. A clock
    /// that was set back makes it due at once.
    pub(crate) fn sync_when_due(&self, synced: &mut i64, interval: Duration) -> Duration {
        let now = self.options.environment.now_micros();
        let elapsed = u64::try_from(now.saturating_sub(*synced)).ok().map(Duration::from_micros);
        match elapsed.and_then(|elapsed| interval.checked_sub(elapsed)) {
            Some(left) if !left.is_zero() => left,
            _ if planted(Bug::IntervalNotKept) => interval,
            _ => {
                self.sync_now();
                *synced = now;
                interval
            }
        }
    }

    /// Has the group that gathers written by the flusher.
    pub(crate) fn flush_soon(&self) {
        match self.options.threads {
            Threads::Background => self.flusher.wake(),
            Threads::Inline => drop(self.lead()),
        }
    }
}

/// The flusher's thread: writes groups for callers that do not block, and syncs in intervals.
pub(crate) fn run_flusher(shared: &Shared) {
    // Set once: this is the only thread that runs this.
    drop(shared.flusher.thread.set(thread::current()));
    let mut synced = shared.options.environment.now_micros();
    loop {
        let led = shared.flusher.wanted.swap(false, Ordering::AcqRel) && shared.lead_on();
        if led {
            // More may have gathered meanwhile. Not a store: it would hide the swap of who wants
            // the flusher to stop, and with it that it is to stop.
            shared.flusher.wanted.swap(true, Ordering::AcqRel);
        } else if shared.flusher.stopping.load(Ordering::Acquire) {
            return;
        }
        match shared.options.sync_policy {
            SyncPolicy::Interval(interval) => {
                let left = shared.sync_when_due(&mut synced, interval);
                if !led {
                    thread::park_timeout(left);
                }
            }
            SyncPolicy::Always | SyncPolicy::Never if led => {}
            SyncPolicy::Always | SyncPolicy::Never => thread::park(),
        }
    }
}
