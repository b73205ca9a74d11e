//! What all handles of one store share.

use std::sync::Arc;

use annals_event::{Position, StreamVersion};
use annals_index::{Head, Index, StreamNumber};
use annals_planted::{Bug, planted};
use annals_sync::{
    Mutex, MutexGuard,
    atomic::{AtomicU64, Ordering::SeqCst},
    looks,
};
use annals_wal::{Log, LogOptions};

/// How often a thread looks for the sequencer before it gives up its core.
const SPINS: u32 = 200;

/// An open store.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) log: Log,
    pub(crate) index: Arc<Index>,
    pub(crate) options: LogOptions,
    /// Gives appends their order. Never held across I/O.
    sequencer: Mutex<Sequencer>,
    /// The last position that is in the index.
    sequenced: AtomicU64,
}

/// Gives appends their order (`sequencer.rs`). Held by one append at a time, never across I/O.
/// The order itself is in the log and the index; these are buffers.
#[derive(Debug, Default)]
pub(crate) struct Sequencer {
    pub(crate) heads: Vec<Head>,
    pub(crate) stamps: Vec<u64>,
    pub(crate) written: Vec<StreamNumber>,
}

impl Inner {
    pub(crate) fn new(log: Log, index: Arc<Index>, options: LogOptions) -> Self {
        let sequenced = AtomicU64::new(log.durable());
        Self { log, index, options, sequenced, sequencer: Mutex::default() }
    }

    /// The sequencer, when nobody else has it. It is held for about a hundred nanoseconds: to spin
    /// that long is cheaper than to yield the core, which the lock itself would do earlier.
    pub(crate) fn sequencer(&self) -> MutexGuard<'_, Sequencer> {
        for _ in 0..looks(SPINS) {
            if let Some(sequencer) = self.sequencer.try_lock() {
                return sequencer;
            }
            std::hint::spin_loop();
        }
        self.sequencer.lock()
    }

    /// The last position that may be seen by anyone: the watermark, as far as the index has it.
    /// A frame may be written before the append that made it has told the index.
    pub(crate) fn durable(&self) -> Position {
        let (durable, sequenced) = (self.log.durable(), self.sequenced.load(SeqCst));
        match () {
            () if planted(Bug::IndexAheadOfLog) => Position::new(sequenced),
            () if planted(Bug::LogAheadOfIndex) => Position::new(durable),
            () => Position::new(durable.min(sequenced)),
        }
    }

    /// The version that a stream had at a durable position of just now. All images that there were
    /// then are of older segments, and none is asked.
    pub(crate) fn durable_version(&self, stream: StreamNumber, newest: Position) -> StreamVersion {
        self.index.version_at(stream, newest).version
    }

    /// The last position that is in order and in the index, durable or not.
    pub(crate) fn sequenced(&self) -> Position {
        Position::new(self.sequenced.load(SeqCst))
    }

    /// Says that everything up to `position` is in the index. `SeqCst`, as all of the watermark:
    /// whoever raises the later of the two sees the other, and wakes those who wait for `position`.
    pub(crate) fn raise(&self, position: Position) {
        self.sequenced.store(position.get(), SeqCst);
    }

    /// Wakes those who wait for `position`, which was raised by this thread, if the watermark was
    /// there before. (How far the index is meanwhile does not matter: others see to what is theirs.)
    pub(crate) fn announce(&self, position: Position) {
        let newest = if planted(Bug::AnnouncedByTheLast) { self.sequenced() } else { position };
        if self.log.durable() >= newest.get() {
            self.log.announce();
        }
    }
}

#[cfg(all(test, not(any(annals_loom, annals_shuttle))))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::{
        future::Future,
        pin::pin,
        task::{Context, Poll, Waker},
    };

    use annals_event::{Append, Encoder, NewEvent, StreamId};
    use annals_wal::{NewFrame, Ticket, body_checksum};

    use super::*;
    use crate::{Annals, Delivery, ReadError};

    fn store() -> (tempfile::TempDir, Annals) {
        let dir = tempfile::tempdir().unwrap();
        let annals = Annals::open(dir.path()).unwrap();
        (dir, annals)
    }

    /// The frame of a commit with so many events, in the log and not in the index: what an append
    /// that is interrupted there has done.
    fn push(inner: &Inner, events: u32, shorten: impl FnOnce(&mut Vec<u8>)) -> Ticket {
        let event = NewEvent::new(StreamId::new("a").unwrap(), "Happened", "x").unwrap();
        let append = (0..events).fold(Append::new(), |append, _| append.event(event.clone()));
        let mut encoder = Encoder::default();
        encoder.encode(&append).unwrap();
        let mut body = encoder.body().to_vec();
        shorten(&mut body);
        let (checksum, stamps) = (body_checksum(&body), [0]);
        let frame = NewFrame {
            record_count: events,
            time: 0,
            stamps: &stamps,
            body: &body,
            body_checksum: checksum,
        };
        inner.log.push(&frame).unwrap().ticket
    }

    /// An append told those who wait only if nobody had raised the index further meanwhile. With one
    /// that was raised, and not written, after it, a subscription slept over an acknowledged event.
    #[test]
    fn an_append_announces_what_is_its_own() {
        let (_dir, annals) = store();
        let inner = annals.inner();
        push(inner, 1, |_| ()).wait().unwrap();
        let rise = inner.log.listen();
        let other = push(inner, 1, |_| ());
        inner.raise(Position::new(1));
        inner.raise(Position::new(2));
        inner.announce(Position::new(1));
        let mut context = Context::from_waker(Waker::noop());
        assert!(pin!(rise).poll(&mut context).is_ready());
        let rise = inner.log.listen();
        inner.announce(Position::new(2));
        assert!(pin!(rise).poll(&mut context).is_pending(), "it is not durable");
        other.wait().unwrap();
    }

    /// A store that was closed while an append was interrupted between the log and the index told
    /// its subscriptions that it was over, before they had that append's events.
    #[test]
    fn nothing_is_over_before_the_index_has_what_is_durable() {
        let (_dir, annals) = store();
        let inner = annals.inner();
        push(inner, 1, |_| ()).wait().unwrap();
        annals.close().unwrap();
        let mut subscription = annals.subscribe(Position::ZERO);
        assert_eq!(subscription.try_recv().unwrap(), Some(Delivery::CaughtUp(Position::ZERO)));
        assert_eq!(subscription.try_recv().unwrap(), None);
        let mut next = Box::pin(subscription.next());
        let mut context = Context::from_waker(Waker::noop());
        assert!(next.as_mut().poll(&mut context).is_pending());
        inner.raise(Position::new(1));
        inner.announce(Position::new(1));
        let polled = next.as_mut().poll(&mut context);
        drop(next);
        let Poll::Ready(Ok(Delivery::Event(event))) = polled else { panic!() };
        assert_eq!(event.position, Position::new(1));
        assert_eq!(subscription.try_recv().unwrap(), Some(Delivery::CaughtUp(Position::new(1))));
        assert!(matches!(subscription.try_recv(), Err(ReadError::Closed)));
    }

    /// Events before the part of a commit that makes no sense were delivered again with each try.
    #[test]
    fn nothing_of_a_commit_that_makes_no_sense_is_delivered() {
        let (_dir, annals) = store();
        let inner = annals.inner();
        // The second event's payload is said to be longer than what is left.
        push(inner, 2, |body| {
            let at = body.iter().rposition(|byte| *byte == b'x').unwrap() - 1;
            assert_eq!(body[at], 1);
            body[at] = 100;
        })
        .wait()
        .unwrap();
        inner.raise(Position::new(2));
        let mut subscription = annals.subscribe(Position::ZERO);
        for _ in 0..3 {
            assert!(matches!(subscription.try_recv(), Err(ReadError::Malformed { .. })));
        }
    }
}
