//! The events of the whole log, frame after frame.

use std::{ops::ControlFlow, sync::Arc};

use annals_event::{CommitView, Direction, EventView, Filter, Position};
use annals_wal::{Address, FrameKind, Head, Pattern, Reader};

use crate::{error::ReadError, frames, inner::Inner};

/// Reads the log's events.
#[derive(Debug)]
pub(crate) struct LogScan {
    reader: Reader,
    log_id: u128,
    is_backward: bool,
    filter: Filter,
    /// The positions that are still to come.
    from: Position,
    to: Position,
    /// Where the commit begins whose events were shown last.
    commit: Position,
    next: Next,
}

/// The frame that comes next.
#[derive(Debug)]
enum Next {
    /// The one that has the next position.
    Position,
    /// The one here.
    At(Address),
    /// The one before this one, which is the first of its segment.
    Before(Address, Head),
}

impl LogScan {
    /// Positions `from` to `to`, both included.
    pub(crate) fn new(
        inner: &Arc<Inner>,
        direction: Direction,
        filter: Filter,
        from: Position,
        to: Position,
    ) -> Self {
        let (pattern, is_backward) = match direction {
            Direction::Forward => (Pattern::Forward, false),
            Direction::Backward => (Pattern::Backward, true),
        };
        let reader = inner.log.reader(pattern);
        let from = from.max(Position::new(1));
        let (log_id, commit, next) = (inner.log.id(), Position::ZERO, Next::Position);
        Self { reader, log_id, is_backward, filter, from, to, commit, next }
    }

    /// Has a forward scan go on up to a later position.
    pub(crate) fn extend(&mut self, to: Position) {
        self.to = self.to.max(to);
    }

    /// The next position of a forward scan: everything before was looked at.
    pub(crate) fn position(&self) -> Position {
        self.from
    }

    /// The first position of the commit whose events were shown last.
    pub(crate) fn commit(&self) -> Position {
        self.commit
    }

    /// Whether nothing is left to read.
    pub(crate) fn is_done(&self) -> bool {
        self.from > self.to
    }

    /// Shows the events of the next frames, at most so many, from bytes that are at hand. `Break`:
    /// there are no more, or `visit` said so.
    pub(crate) fn visit(
        &mut self,
        frames_max: usize,
        visit: &mut impl FnMut(&EventView<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ReadError> {
        if self.is_done() {
            return Ok(ControlFlow::Break(()));
        }
        let Some(mut address) = self.find_next()? else { return Ok(ControlFlow::Break(())) };
        let Self { reader, log_id, is_backward, filter, from, to, commit: first, next } = self;
        let stretch = reader.stretch(address)?;
        let mut commit = CommitView::default();
        for _ in 0..frames_max {
            let Some(frame) = stretch.frame(address.offset) else {
                stretch.missing(address.offset)?;
                break;
            };
            let head = frame.head;
            if *is_backward && let Some(previous) = head.previous(address) {
                let ahead = if head.previous_len < 1024 { 1024 } else { 0 };
                stretch.prefetch(previous.offset.saturating_sub(ahead), head.previous_len);
            }
            let mut flow = ControlFlow::Continue(());
            if head.kind == FrameKind::Commit {
                *first = Position::new(head.first_record);
                let range = *from..=*to;
                let show = |event: &EventView<'_>| {
                    let is_wanted = range.contains(&event.position)
                        && filter.passes(event.stream, event.event_type);
                    if is_wanted { visit(event) } else { ControlFlow::Continue(()) }
                };
                frames::read(&mut commit, *log_id, &frame)?;
                flow = frames::show(&mut commit, *is_backward, show)?;
            }
            if *is_backward {
                *to = Position::new(head.first_record).previous();
                *next = head.previous(address).map_or(Next::Before(address, head), Next::At);
            } else {
                *from = Position::new(head.next_record());
                *next = Next::At(head.next(address));
            }
            match *next {
                _ if flow.is_break() || from > to => return Ok(flow),
                Next::At(at) if at.segment == address.segment => address = at,
                _ => break,
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The address of the next frame.
    fn find_next(&mut self) -> Result<Option<Address>, ReadError> {
        Ok(match self.next {
            Next::At(address) => Some(address),
            Next::Before(address, head) => self.reader.before(address, &head)?,
            Next::Position if self.is_backward => Some(self.reader.seek(self.to.get())?),
            Next::Position => Some(self.reader.seek(self.from.get())?),
        })
    }
}
