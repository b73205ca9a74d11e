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
    let mut commit = encoding::view(log_id, frame).map_err(malformed)?;
    let events =
        if is_backward { commit.events_backward().map_err(malformed)? } else { commit.events() };
    for event in events {
        let event = event.map_err(malformed)?;
        if wanted(&event) && visit(&event).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}
