//! The events of a frame, shown one by one.

use std::ops::ControlFlow;

use annals_event::{CommitHead, CommitView, EventView, Malformed, Position};
use annals_wal::FrameView;

use crate::{encoding, error::ReadError};

/// Reads the commit in a frame into `commit`, in the place of the one before.
#[inline]
pub(crate) fn read<'a>(
    commit: &mut CommitView<'a>,
    log_id: u128,
    frame: &FrameView<'a>,
) -> Result<(), ReadError> {
    commit
        .read(encoding::head(log_id, frame), frame.body)
        .map_err(|source| malformed(Position::new(frame.head.first_record), source))
}

/// Shows the events of a commit, in order or backward, until `show` says to stop.
#[inline]
pub(crate) fn show<'a>(
    commit: &mut CommitView<'a>,
    is_backward: bool,
    mut show: impl FnMut(&EventView<'a>) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, ReadError> {
    let CommitHead { first, events, .. } = commit.head();
    let malformed = |source| malformed(first, source);
    // A commit of one event is the same in both directions.
    let events = if is_backward && events > 1 {
        commit.events_backward().map_err(malformed)?
    } else {
        commit.events()
    };
    for event in events {
        if show(&event.map_err(malformed)?).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// A commit's checksums are right and its bytes are no commit.
#[cold]
pub(crate) fn malformed(position: Position, source: Malformed) -> ReadError {
    ReadError::Malformed { position, source }
}
