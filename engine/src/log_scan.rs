//! The events of the whole log, frame after frame.

use std::{ops::ControlFlow, sync::Arc};

use annals_event::{Direction, EventView, Filter, Position};
use annals_wal::{Address, FrameKind, Pattern, Reader};

use crate::{
    error::ReadError,
    frames::{self, Visit},
    inner::Inner,
};

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
    /// The frame that comes next. `None`: it is looked for by position.
    next: Option<Address>,
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
        Self { reader, log_id: inner.log.id(), is_backward, filter, from, to, next: None }
    }

    /// Has a forward scan go on up to a later position.
    pub(crate) fn extend(&mut self, to: Position) {
        self.to = self.to.max(to);
    }

    /// The next position of a forward scan: everything before was looked at.
    pub(crate) fn position(&self) -> Position {
        self.from
    }

    /// Whether nothing is left to read.
    pub(crate) fn is_done(&self) -> bool {
        self.from > self.to
    }

    /// Shows the events of the next frame. `Break`: there are no more, or `visit` said so.
    pub(crate) fn next(&mut self, visit: &mut Visit<'_>) -> Result<ControlFlow<()>, ReadError> {
        if self.is_done() {
            return Ok(ControlFlow::Break(()));
        }
        let address = match self.next {
            Some(address) => address,
            None => self.reader.seek(if self.is_backward { self.to } else { self.from }.get())?,
        };
        let (from, to, filter) = (self.from, self.to, &self.filter);
        let frame = self.reader.frame(address)?;
        let head = frame.head;
        let mut flow = ControlFlow::Continue(());
        if head.kind == FrameKind::Commit {
            let mut wanted = |event: &EventView<'_>| {
                (from..=to).contains(&event.position)
                    && filter.passes(event.stream, event.event_type)
            };
            flow = frames::visit(self.log_id, &frame, self.is_backward, &mut wanted, visit)?;
        }
        self.next = if self.is_backward {
            self.to = Position::new(head.first_record).previous();
            self.reader.before(address, &head)?
        } else {
            self.from = Position::new(head.next_record());
            Some(self.reader.after(address, &head))
        };
        Ok(flow)
    }
}
