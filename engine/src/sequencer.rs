//! The order of all appends.
//!
//! An append goes this way:
//! 1. In the caller's thread, without a lock: it is validated and encoded, the body's checksum is
//!    computed, its streams are looked up ([`Draft::new`]).
//! 2. Under the sequencer's lock, without I/O: its ids and expectations are checked against the
//!    index, it gets its versions and positions, its frame goes to the tail of the log, its
//!    events go into the index ([`Sequencer::sequence`]).
//! 3. Whoever leads writes and syncs the frame with its group (`annals-wal`).
//!
//! The index runs ahead of the disk. Nobody outside sees it before the watermark passes, except
//! decisions, whose answers wait.

use std::{cell::RefCell, sync::Arc};

use annals_event::{Append, Committed, Conflict, Encoder, Position, StreamId, Timestamp};
use annals_index::{CommitPlace, Head, SegmentPlaces, StreamNumber, Update};
use annals_planted::{Bug, planted};
use annals_wal::{Address, NewFrame, NotPushed, PushError, body_checksum};

use crate::{
    error::{AppendError, Conflicts},
    images,
    inner::{Inner, Sequencer},
    known::{self, Known},
    pending::Pending,
};

thread_local! {
    /// The buffers of this thread's drafts.
    static BUFFERS: RefCell<Buffers> = RefCell::default();
}

#[derive(Debug, Default)]
struct Buffers {
    encoder: Encoder,
    /// The streams that it writes to, as the encoder has them; `None`: nobody knows it yet.
    written: Vec<Option<StreamNumber>>,
    /// The streams that it expects something of, each once, with the number of the expectation.
    expected: Vec<(Option<StreamNumber>, usize)>,
}

/// An append, ready to be put in order.
struct Draft<'a> {
    append: &'a Append,
    buffers: &'a Buffers,
    time: Timestamp,
    body_checksum: u32,
}

/// What became of a draft.
enum Sequenced {
    /// It has its place, up to this position. The segment that ended with the commit before, if one
    /// did, and the first position after it.
    Placed(Pending, Position, Option<(Arc<SegmentPlaces>, Position)>),
    /// It conflicts with what is there.
    Conflicting(Pending),
    /// Its ids are known: it was appended before, or they name other events.
    Known(Known),
    /// The log must make room first.
    NoRoomYet(u64),
}

/// Puts an append in order.
pub(crate) fn append(inner: &Arc<Inner>, append: &Append) -> Pending {
    BUFFERS.with(|buffers| match buffers.try_borrow_mut() {
        Ok(mut buffers) => append_with(inner, append, &mut buffers),
        // A waker or a subscriber that appends while this thread appends.
        Err(_) => append_with(inner, append, &mut Buffers::default()),
    })
}

fn append_with(inner: &Arc<Inner>, append: &Append, buffers: &mut Buffers) -> Pending {
    let draft = match Draft::new(inner, append, buffers) {
        Ok(draft) => draft,
        Err(error) => return Pending::refused(error),
    };
    loop {
        let sequenced = inner.sequencer().sequence(inner, &draft);
        match sequenced {
            Ok(Sequenced::Placed(pending, last, ended)) => {
                inner.announce(last);
                if let Some((places, next)) = ended {
                    images::make_soon(inner, places, next);
                }
                return pending;
            }
            Ok(Sequenced::Conflicting(pending)) => return pending,
            Ok(Sequenced::Known(known)) => return known::repeat(inner, append, &known),
            Ok(Sequenced::NoRoomYet(capacity)) => {
                if let Err(error) = inner.log.make_room(capacity) {
                    return Pending::refused(error.into());
                }
            }
            Err(error) => return Pending::refused(error),
        }
    }
}

impl<'a> Draft<'a> {
    fn new(
        inner: &Inner,
        append: &'a Append,
        buffers: &'a mut Buffers,
    ) -> Result<Self, AppendError> {
        buffers.encoder.encode(append)?;
        let Buffers { encoder, written, expected } = &mut *buffers;
        let streams = encoder.streams().iter().filter_map(|stream| stream.stream(append));
        written.clear();
        written.extend(streams.map(|stream| inner.index.find(stream.as_str())));
        expected.clear();
        for (at, (id, _)) in append.expectations.iter().enumerate() {
            // Who expects something of the streams that it writes names them in the same order.
            let same = encoder.streams().get(at).and_then(|stream| stream.stream(append));
            let number = match same.filter(|same| same.is_same(id)) {
                Some(_) => written.get(at).copied().flatten(),
                None => inner.index.find(id.as_str()),
            };
            expected.push((number, at));
        }
        if expected.len() > 1 {
            // The same stream twice says the same twice: one conflict is enough. Numbers are faster to
            // compare; one that nobody knew a moment ago may have one now, and another then.
            let name = |at: usize| append.expectations.get(at).map(|(id, _)| id.as_str());
            let are_known = expected.iter().all(|(number, _)| number.is_some());
            let order = |(one, at): &(_, usize), (other, there): &(_, usize)| {
                if are_known { Ord::cmp(one, other) } else { name(*at).cmp(&name(*there)) }
            };
            expected.sort_unstable_by(|one, other| order(one, other).then(one.1.cmp(&other.1)));
            expected.dedup_by(|one, other| order(one, other).is_eq());
            expected.sort_unstable_by_key(|(_, at)| *at);
        }
        let body_checksum = body_checksum(buffers.encoder.body());
        let time = Timestamp(inner.options.environment.now_micros());
        Ok(Self { append, buffers, time, body_checksum })
    }
}

impl Sequencer {
    fn sequence(&mut self, inner: &Inner, draft: &Draft<'_>) -> Result<Sequenced, AppendError> {
        if let Some(known) = known::find_any(inner, draft.append)? {
            return Ok(Sequenced::Known(known));
        }
        let mut index = inner.index.update();
        let conflicts = conflicts(inner, &index, draft);
        if !conflicts.is_empty() {
            let outcome = Err(AppendError::Conflict(Conflicts(conflicts)));
            // The versions that it conflicts with may not be durable: the answer waits for them.
            return Ok(Sequenced::Conflicting(Pending::new(outcome, inner.log.ticket())));
        }
        self.heads.clear();
        let written = draft.buffers.encoder.streams().iter().zip(&draft.buffers.written);
        self.heads.extend(written.map(|(stream, known)| {
            let name = stream.stream(draft.append).map_or("", StreamId::as_str);
            head(inner, &index, *known, name)
        }));
        self.stamps.clear();
        self.stamps.extend(self.heads.iter().map(|head| head.version.get()));
        let frame = NewFrame {
            record_count: u32::try_from(draft.append.events.len()).unwrap_or(u32::MAX),
            time: draft.time.0,
            stamps: &self.stamps,
            body: draft.buffers.encoder.body(),
            body_checksum: draft.body_checksum,
        };
        let pushed = match inner.log.push(&frame) {
            Ok(pushed) => pushed,
            Err(NotPushed::NoRoomYet { capacity }) => return Ok(Sequenced::NoRoomYet(capacity)),
            Err(NotPushed::Failed(error)) => return Err(error.into()),
        };
        let first = Position::new(pushed.first_record);
        let ended = pushed.sealed.map(|_| (index.roll(pushed.address.segment, first), first));
        self.add_to_index(inner, &mut index, draft, pushed.address, first);
        let committed = self.committed(draft, first);
        let last = committed.last;
        // Before the index is let go: who finds an id there finds its position in order.
        inner.raise(last);
        drop(index);
        Ok(Sequenced::Placed(Pending::new(Ok(committed), pushed.ticket), last, ended))
    }

    /// Streams get their numbers only now: an append that is refused leaves nothing behind.
    fn add_to_index(
        &mut self,
        inner: &Inner,
        index: &mut Update<'_>,
        draft: &Draft<'_>,
        at: Address,
        first: Position,
    ) {
        self.written.clear();
        for (stream, known) in draft.buffers.encoder.streams().iter().zip(&draft.buffers.written) {
            let number = known.or_else(|| Some(inner.index.intern(stream.stream(draft.append)?)));
            self.written.extend(number);
        }
        let place =
            CommitPlace { segment: at.segment, offset: at.offset, first, streams: &self.written };
        let numbers = draft.buffers.encoder.stream_numbers();
        index.add(&place, numbers.zip(draft.append.events.iter().map(|event| event.id)));
    }

    /// The result of a commit whose streams were at `self.heads` before.
    fn committed(&self, draft: &Draft<'_>, first: Position) -> Committed {
        let uses = draft.buffers.encoder.streams().iter();
        let events = u64::try_from(draft.append.events.len()).unwrap_or(u64::MAX);
        Committed {
            first,
            last: first.plus(events - 1),
            time: draft.time,
            versions: uses
                .zip(&self.heads)
                .map(|(u, head)| u.version_after(head.version))
                .collect(),
        }
    }
}

/// Where a stream stands. One that was unknown before the lock may be known by now.
fn head(inner: &Inner, index: &Update<'_>, known: Option<StreamNumber>, name: &str) -> Head {
    let number = known.or_else(|| inner.index.find(name));
    number.map_or_else(Head::default, |number| index.head(number))
}

/// Every expectation that does not hold.
fn conflicts(inner: &Inner, index: &Update<'_>, draft: &Draft<'_>) -> Vec<Conflict> {
    let mut conflicts: Vec<Conflict> = Vec::new();
    for (known, at) in &draft.buffers.expected {
        let Some((stream, expected)) = draft.append.expectations.get(*at) else { continue };
        let actual = head(inner, index, *known, stream.as_str()).version;
        if !expected.holds(actual) && !is_overlooked(draft, *known, *at) {
            let (stream, expected) = (stream.clone(), *expected);
            conflicts.push(Conflict { stream, expected, actual });
        }
    }
    spoil(&mut conflicts, draft.append);
    conflicts
}

/// Whether a planted bug keeps a conflict from being seen.
fn is_overlooked(draft: &Draft<'_>, known: Option<StreamNumber>, at: usize) -> bool {
    let is_last = at > 0 && at + 1 == draft.append.expectations.len();
    let is_written = draft.buffers.written.contains(&known);
    planted(Bug::OneStreamUnchecked) && is_last || planted(Bug::ReadStreamsUnchecked) && !is_written
}

/// What planted bugs make of conflicts.
fn spoil(conflicts: &mut Vec<Conflict>, append: &Append) {
    if planted(Bug::OneConflictOfMany) {
        conflicts.truncate(1);
    }
    if let (Some(conflict), Some((stream, _))) =
        (conflicts.first_mut(), append.expectations.first())
        && planted(Bug::ConflictOfWrongStream)
    {
        conflict.stream = stream.clone();
    }
}

impl From<PushError> for AppendError {
    fn from(error: PushError) -> Self {
        match error {
            PushError::NoRoom(failure) => Self::NoRoom(failure),
            PushError::Poisoned(failure) => Self::Poisoned(failure),
            // An append within the limits always fits into some segment.
            _ => Self::Closed,
        }
    }
}
