//! The log: open, push, read, how far it is durable, close.

use std::{
    io,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use annals_planted::{Bug, planted};
use annals_sync::{Mutex, thread};

use crate::{
    address::Address,
    background::Helpers,
    commit::{self, Shared},
    environment::Threads,
    error::{Failure, OpenError, PushError, ReadError},
    format::{FrameKind, HEAD_LEN, Header},
    judge::io_error,
    options::LogOptions,
    reader::{Pattern, Reader},
    recovery::{self, Recovery, Replay, TornTail},
    rise::Rise,
    scan::SealedEnd,
    segment::Segment,
    stats::LogStats,
    storage::{Directory, LockError, WriterLock},
    tail::{NewFrame, Tail},
    ticket::Ticket,
};

/// When this much has gathered, it is written even if nobody waits for it yet.
const FLUSH_BYTES: usize = 256 << 10;

/// An open log. One process at a time has it open for writing.
#[derive(Debug)]
pub struct Log {
    pub(crate) shared: Arc<Shared>,
    flusher: Mutex<Option<thread::JoinHandle<()>>>,
    lock: Mutex<Option<Box<dyn WriterLock>>>,
    /// The thread that closes.
    closer: OnceLock<thread::ThreadId>,
    torn: Option<TornTail>,
    /// Whether [`Log::close`] is done: nothing more becomes durable.
    ended: AtomicBool,
}

/// A frame that has its place.
#[derive(Debug)]
pub struct Pushed {
    /// Where it begins.
    pub address: Address,
    /// The number of its first record.
    pub first_record: u64,
    /// Says when it is durable.
    pub ticket: Ticket,
    /// The segment that ended with the frame before, if this frame is the first of a segment.
    pub sealed: Option<Header>,
}

/// Why a frame has no place yet.
#[derive(Debug)]
pub enum NotPushed {
    /// The next segment is not ready: call [`Log::make_room`] without holding any lock, then
    /// push again.
    NoRoomYet {
        /// What to pass on.
        capacity: u64,
    },
    /// It will not have one.
    Failed(PushError),
}

impl Log {
    /// Opens the log in a directory, or makes one, and shows `replay` what is in it.
    ///
    /// # Errors
    /// [`OpenError`]; nothing was changed unless it is [`OpenError::Io`].
    pub fn open(
        directory: Arc<dyn Directory>,
        options: LogOptions,
        replay: &mut dyn Replay,
    ) -> Result<Self, OpenError> {
        options.validate()?;
        recovery::refuse_foreign(&*directory)?;
        let lock = directory.lock().map_err(|error| match error {
            LockError::Held { holder } => {
                OpenError::Locked { directory: directory.display(""), holder }
            }
            LockError::Io(source) => io_error("lock", directory.display(""))(source),
        })?;
        let recovered = Recovery { directory: &directory, options: &options }.run(replay)?;
        let torn = recovered.torn.clone();
        let threads = options.threads;
        let start = || io::Result::Ok((Helpers::start(threads)?, directory.display("")));
        let (helpers, path) =
            start().map_err(io_error("start a thread for", directory.display("")))?;
        let shared = Arc::new(Shared::new(directory, options, recovered, helpers));
        let flusher = match threads {
            Threads::Inline => None,
            Threads::Background => {
                let shared = shared.clone();
                let run = move || commit::run_flusher(&shared);
                let thread = thread::Builder::new().name("annals-flusher".into()).spawn(run);
                Some(thread.map_err(io_error("start a thread for", path))?)
            }
        };
        let (flusher, lock) = (Mutex::new(flusher), Mutex::new(Some(lock)));
        let (closer, ended) = (OnceLock::new(), AtomicBool::new(false));
        Ok(Self { shared, flusher, lock, closer, torn, ended })
    }

    /// Puts a frame at the end. Its records follow those of the frame pushed before.
    ///
    /// # Errors
    /// Nothing was written. The frame may have its place later, or never.
    pub fn push(&self, frame: &NewFrame<'_>) -> Result<Pushed, NotPushed> {
        let shared = &self.shared;
        let mut tail = shared.tail.lock();
        if let Some(failure) = shared.watermark.failure()
            && !planted(Bug::GoesOnAfterFailure)
        {
            return Err(NotPushed::Failed(PushError::Poisoned(failure.clone())));
        }
        if tail.closed {
            return Err(NotPushed::Failed(PushError::Closed));
        }
        let sealed = if tail.fits(frame) { None } else { self.roll(&mut tail, frame)? };
        let first_record = tail.next_record;
        let (address, is_through) = tail.put(frame);
        let ticket = if is_through {
            shared.watermark.show(tail.next_record - 1);
            Ticket::ended()
        } else {
            Ticket::new(shared.clone(), tail.group)
        };
        let is_much = tail.gathered_bytes() >= FLUSH_BYTES;
        let next = tail
            .wants_next(shared.options.segment_bytes)
            .then_some(tail.segment.header.segment + 1);
        drop(tail);
        if let Some(number) = next {
            shared.preparer.request(&shared.helpers.preparing, shared.options.capacity(number));
        }
        if is_much && shared.options.threads == Threads::Background {
            shared.flush_soon();
        }
        Ok(Pushed { address, first_record, ticket, sealed })
    }

    /// Goes on in the next segment; returns the header of the one that ended, if one did.
    fn roll(&self, tail: &mut Tail, frame: &NewFrame<'_>) -> Result<Option<Header>, NotPushed> {
        let capacity = Tail::capacity_for(frame);
        let prepared = self.shared.preparer.take(capacity);
        let prepared = prepared.ok_or(NotPushed::NoRoomYet { capacity })?;
        let sealed = (!tail.is_empty()).then_some(tail.segment.header);
        let path = self.shared.directory.display(&Segment::name(tail.next_record));
        let segment = tail.roll(prepared, path, frame.time);
        let mut segments = self.shared.segments.write();
        if sealed.is_none()
            && let Some(empty) = segments.pop()
        {
            empty.replace();
        }
        segments.push(segment);
        Ok(sealed)
    }

    /// Returns when the next segment is ready for a frame that needs `capacity`.
    ///
    /// # Errors
    /// [`PushError::NoRoom`]: it cannot be made now. Asking again tries again.
    pub fn make_room(&self, capacity: u64) -> Result<(), PushError> {
        let number = self.shared.tail.lock().segment.header.segment + 1;
        let capacity = capacity.max(self.shared.options.capacity(number));
        if capacity > crate::format::SEGMENT_BYTES_MAX {
            return Err(PushError::TooLarge);
        }
        let shared = &self.shared;
        shared.preparer.wait(&shared.helpers.preparing, capacity).map_err(|failure| {
            let is_closed = shared.tail.lock().closed;
            if is_closed { PushError::Closed } else { PushError::NoRoom(failure) }
        })
    }

    /// A ticket for everything pushed so far.
    pub fn ticket(&self) -> Ticket {
        let tail = self.shared.tail.lock();
        let is_early = tail.gathering.is_empty() || planted(Bug::TicketTooEarly);
        let group = if is_early { tail.group - 1 } else { tail.group };
        Ticket::new(self.shared.clone(), group)
    }

    /// The last record that may be seen: the watermark.
    pub fn durable(&self) -> u64 {
        self.shared.watermark.record()
    }

    /// Wakes those who wait for the watermark, for who knows that it may be seen higher now.
    /// Without any lock held: a waker may run anything.
    pub fn announce(&self) {
        self.shared.watermark.rises.wake_all();
    }

    /// The record that the next frame begins with.
    pub fn next_record(&self) -> u64 {
        self.shared.tail.lock().next_record
    }

    /// Why nothing more becomes durable, if so.
    pub fn failure(&self) -> Option<Failure> {
        self.shared.watermark.failure().cloned()
    }

    /// For the watermark's next rise, or the log's failure or close. Ask for it, look at the
    /// watermark, then wait.
    pub fn listen(&self) -> Rise {
        self.shared.watermark.rises.listen()
    }

    /// Blocks until record `number` may be seen.
    ///
    /// # Errors
    /// The log failed before.
    pub fn wait(&self, number: u64) -> Result<(), Failure> {
        loop {
            let rise = self.listen();
            if self.durable() >= number {
                return Ok(());
            }
            if let Some(failure) = self.failure() {
                return Err(failure);
            }
            self.shared.flush_soon();
            rise.wait();
        }
    }

    /// A reader of this log's frames.
    pub fn reader(&self, pattern: Pattern) -> Reader {
        Reader::new(self.shared.clone(), pattern)
    }

    /// The header of the segment that the next frame goes into, if it fits.
    pub fn active_segment(&self) -> Header {
        self.shared.tail.lock().segment.header
    }

    /// The log's random id.
    pub fn id(&self) -> u128 {
        self.shared.log_id
    }

    /// The directory that it lies in.
    pub fn directory(&self) -> &Arc<dyn Directory> {
        &self.shared.directory
    }

    /// What opening cut off, if anything.
    pub fn torn_tail(&self) -> Option<&TornTail> {
        self.torn.as_ref()
    }

    /// The header of a sealed segment.
    pub fn sealed_segment(&self, number: u64) -> Option<Header> {
        self.sealed(number).map(|segment| segment.header)
    }

    fn sealed(&self, number: u64) -> Option<Arc<Segment>> {
        let segments = self.shared.segments.read();
        let (_, sealed) = segments.split_last()?;
        sealed.iter().find(|segment| segment.header.segment == number).cloned()
    }

    /// How the frames of a sealed segment end, as its seal says.
    ///
    /// # Errors
    /// The system, or bytes that are not what was written.
    pub fn sealed_end(&self, number: u64) -> Result<Option<SealedEnd>, ReadError> {
        let Some(segment) = self.sealed(number) else { return Ok(None) };
        let offset = segment.written();
        let seal = Address { segment: number, offset: offset.saturating_sub(HEAD_LEN) };
        let seal = self.reader(Pattern::Probe).frame(seal)?.head.checksum;
        Ok(Some(SealedEnd { offset, seal }))
    }

    /// Runs a job on the log's helper thread. Says whether it does: not after closing.
    pub fn in_background(&self, job: impl FnOnce() + Send + 'static) -> bool {
        self.shared.helpers.jobs.run(job)
    }

    /// What the log did and takes.
    pub fn stats(&self) -> LogStats {
        let segments = self.shared.segments.read();
        LogStats {
            segments: crate::num::to_u64(segments.len()),
            bytes_used: segments.iter().map(|segment| segment.written()).sum(),
            bytes_reserved: segments.iter().map(|segment| segment.header.capacity).sum(),
            groups: self.shared.counters.groups.load(Ordering::Relaxed),
            syncs: self.shared.counters.syncs.load(Ordering::Relaxed),
            waypoint_bytes: segments.iter().map(|segment| segment.waypoint_bytes()).sum(),
        }
    }

    /// Writes what is left, marks the end as clean, and lets another writer in. More frames are
    /// not taken; reading goes on. Called by a waker while the log is being closed, it returns before
    /// that is done if it would wait for the thread that it runs in.
    ///
    /// # Errors
    /// The log failed, now or before.
    pub fn close(&self) -> Result<(), Failure> {
        // Held to the end: who closes second returns when the first is done, and only then may
        // another writer come.
        let lock = self.lock.try_lock();
        if lock.is_none() && self.closing_waits_here() {
            return self.failure().map_or(Ok(()), Err);
        }
        let mut lock = lock.unwrap_or_else(|| self.lock.lock());
        if lock.is_some() {
            self.closer.get_or_init(|| thread::current().id());
            self.shared.tail.lock().closed = true;
            self.flush();
            self.mark_end();
            self.stop_threads();
            *lock = None;
        }
        // Who sees it sees the last rise. SeqCst, as the watermark: who waits looks here afterwards.
        self.ended.store(true, Ordering::SeqCst);
        drop(lock);
        self.shared.watermark.rises.wake_all();
        self.failure().map_or(Ok(()), Err)
    }

    /// Whether whoever closes can go on only when this thread does: a waker that it woke, or that
    /// the flusher did, which it waits for.
    fn closing_waits_here(&self) -> bool {
        self.shared.flusher.is_here() || self.closer.get() == Some(&thread::current().id())
    }

    /// Writes and syncs what gathered.
    fn flush(&self) {
        while self.shared.lead_next() {}
        if !planted(Bug::NoSyncAtClose) {
            self.shared.sync_now();
        }
    }

    /// Says in the log that everything before is durable: in a group of its own, after theirs.
    fn mark_end(&self) {
        let time = self.shared.options.environment.now_micros();
        let mut tail = self.shared.tail.lock();
        let is_marked = matches!(tail.previous_kind, Some(FrameKind::Close | FrameKind::Seal));
        // An empty segment stays empty: it may be replaced.
        if !is_marked && !tail.is_empty() {
            // There is always room for a seal, which says as much.
            let kind = if tail.fits_control() { FrameKind::Close } else { FrameKind::Seal };
            tail.put_control(kind, time);
        }
        drop(tail);
        self.flush();
    }

    /// Whether [`Log::close`] has done its work: nothing more becomes durable.
    pub fn is_closed(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    fn stop_threads(&self) {
        self.shared.preparer.stop();
        self.shared.helpers.preparing.stop();
        self.shared.helpers.jobs.stop();
        self.shared.preparer.discard_ready();
        self.shared.flusher.stop();
        let flusher = self.flusher.lock().take();
        if let Some(flusher) = flusher.filter(|_| !self.shared.flusher.is_here()) {
            // A flusher that panicked has poisoned the log already.
            drop(flusher.join());
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if !self.is_closed() {
            // Nothing acknowledged depends on it; who wants to know calls `close`.
            drop(self.close());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::{io, sync::atomic::AtomicI64, time::Duration};

    use super::*;
    use crate::{environment::Environment, memory::Memory, options::SyncPolicy};

    /// A clock that only the test moves.
    #[derive(Debug, Default)]
    struct Clock(AtomicI64);

    impl Environment for Clock {
        fn now_micros(&self) -> i64 {
            self.0.load(Ordering::SeqCst)
        }
        fn random(&self) -> io::Result<u128> {
            Ok(4)
        }
    }

    fn push(log: &Log, body: &[u8]) -> Pushed {
        let body_checksum = crate::format::body_checksum(body);
        let frame = NewFrame { record_count: 1, time: 0, stamps: &[], body, body_checksum };
        log.push(&frame)
            .or_else(|_| {
                log.make_room(Tail::capacity_for(&frame)).unwrap();
                log.push(&frame)
            })
            .unwrap()
    }

    /// A group's memory is used again, but for a large one's: one large commit would take it for ever.
    #[test]
    fn a_group_counts_its_frames_and_leaves_its_memory() {
        let options = LogOptions { threads: Threads::Inline, ..LogOptions::default() };
        let log = Log::open(Arc::new(Memory::default()), options, &mut ()).unwrap();
        // The large one has a segment of its own, so that a seal comes before it.
        for (bodies, len, frames, is_kept) in
            [(3, 64, 3, true), (1, 5 << 20, 2, false), (2, 8, 2, true)]
        {
            let body = vec![1; len];
            let pushed: Vec<Pushed> = (0..bodies).map(|_| push(&log, &body)).collect();
            let mut tail = log.shared.tail.lock();
            let group = tail.take().unwrap();
            let bytes: usize = group.parts.iter().map(|part| part.bytes.len()).sum();
            assert_eq!(group.bytes, u64::try_from(bytes).unwrap());
            assert_eq!((group.frames, group.last_record), (frames, log_end(&pushed)));
            drop(group);
            let durable = tail.durable;
            assert_eq!(tail.written(durable), log_end(&pushed));
            assert_eq!(tail.spare.capacity() > 0, is_kept, "after {len} bytes");
            drop(tail);
        }
    }

    fn log_end(pushed: &[Pushed]) -> u64 {
        pushed.last().unwrap().first_record
    }

    /// What gathered while a group was written that failed would follow a hole: an opening stops there,
    /// whatever had been said of it.
    #[test]
    fn what_gathers_while_a_group_fails_is_not_written() {
        let options = LogOptions { threads: Threads::Inline, ..LogOptions::default() };
        let log = Log::open(Arc::new(Memory::default()), options, &mut ()).unwrap();
        let first = push(&log, &[0; 8]);
        // As who leads does.
        let group = log.shared.tail.lock().take().unwrap();
        let second = push(&log, &[0; 8]);
        assert_eq!((group.last_record, second.first_record), (1, 2));
        let source = Arc::new(io::ErrorKind::StorageFull.into());
        log.shared.watermark.fail(Failure { action: "write", file: "a".to_owned(), source });
        assert!(!log.shared.lead_next() && !log.shared.lead());
        assert!(first.ticket.wait().is_err() && second.ticket.wait().is_err());
        assert!(log.close().is_err());
        assert_eq!((log.durable(), log.stats().groups, log.stats().syncs), (0, 0, 0));
    }

    /// Where nothing is new, nothing is synced: neither at an interval's end nor at the log's.
    #[test]
    fn what_is_durable_is_not_synced_again() {
        let options = LogOptions { threads: Threads::Inline, ..LogOptions::default() };
        let log = Log::open(Arc::new(Memory::default()), options, &mut ()).unwrap();
        for syncs in 1..=2 {
            push(&log, &[0; 8]).ticket.wait().unwrap();
            log.shared.sync_now();
            assert_eq!(log.stats().syncs, syncs);
        }
        log.close().unwrap();
        assert_eq!(log.stats().syncs, 3, "the close mark's");
        log.close().unwrap();
        assert_eq!(log.stats().syncs, 3);
    }

    /// A segment that was begun, and of which nothing is written, is not what there is to sync: its
    /// group is written then, and synced with the end of the segment before.
    #[test]
    fn a_segment_without_bytes_is_not_synced() {
        let options = LogOptions {
            segment_bytes: 8 << 10,
            sync_policy: SyncPolicy::Never,
            threads: Threads::Inline,
            ..LogOptions::default()
        };
        let log = Log::open(Arc::new(Memory::default()), options, &mut ()).unwrap();
        let [first, second] = [(); 2].map(|()| push(&log, &[1; 3000]));
        assert_eq!((first.address.segment, second.address.segment), (1, 2));
        assert_eq!((log.durable(), log.stats().syncs), (1, 0));
        log.shared.sync_now();
        assert_eq!((log.durable(), log.stats().syncs), (2, 2));
    }

    #[test]
    fn it_syncs_when_an_interval_is_over_and_not_before() {
        let (interval, clock) = (Duration::from_hours(1), Arc::new(Clock::default()));
        let options = LogOptions {
            environment: clock.clone(),
            sync_policy: SyncPolicy::Never,
            // No other thread syncs.
            threads: Threads::Inline,
            ..LogOptions::default()
        };
        let log = Log::open(Arc::new(Memory::default()), options, &mut ()).unwrap();
        let (mut synced, hour) = (0, 3_600_000_000);
        let mut seen = Vec::new();
        for now in [hour - 1, hour, hour + 1, 3 * hour, -5] {
            push(&log, &[0; 8]).ticket.wait().unwrap();
            clock.0.store(now, Ordering::SeqCst);
            let before = log.stats().syncs;
            let left = log.shared.sync_when_due(&mut synced, interval);
            seen.push((left.as_micros(), log.stats().syncs - before, synced));
        }
        let full = interval.as_micros();
        // The last: a clock that was set back.
        let expected = [(1, 0, 0), (full, 1, hour), (full - 1, 0, hour), (full, 1, 3 * hour)];
        assert_eq!(seen[..4], expected);
        assert_eq!(seen[4], (full, 1, -5));
    }
}
