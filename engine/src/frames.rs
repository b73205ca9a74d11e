//! Events of one frame, handed out one by one.

use std::ops::ControlFlow;

use annals_event::{EventView, Position};
use annals_wal::FrameView;

use crate::{encoding, error::ReadError};

/// Takes events as they are read, borrowed from the log; says whether to go on.
pub(crate) type Visit<'v> = dyn FnMut(&EventView<'_>) -> ControlFlow<()> + 'v;

/// Shows the events of a frame that `wanted` says, in order or backward; `wanted` is asked in
/// that order, too.
pub(crate) fn visit(
    log_id: u128,
    frame: &FrameView<'_>,
    is_backward: bool,
    wanted: &mut dyn FnMut(&EventView<'_>) -> bool,
    visit: &mut Visit<'_>,
) -> Result<ControlFlow<()>, ReadError> {
    let position = Position::new(frame.head.first_record);
    let malformed = |source| ReadError::Malformed { position, source };
    let commit = encoding::view(log_id, frame).map_err(malformed)?;
    let mut show = |event: &EventView<'_>| {
        if wanted(event) { visit(event) } else { ControlFlow::Continue(()) }
    };
    let mut kept = Vec::new();
    for event in commit.into_events() {
        let event = event.map_err(malformed)?;
        if is_backward {
            kept.push(event);
        } else if show(&event).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    for event in kept.iter().rev() {
        if show(event).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}
