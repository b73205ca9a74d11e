//! Between the words of `annals-event` and the frames of `annals-wal`.

use annals_event::{CommitHead, CommitView, Malformed, Position, Timestamp};
use annals_wal::FrameView;

/// What a frame's head says of its commit.
#[inline]
pub(crate) fn head<'a>(log_id: u128, frame: &FrameView<'a>) -> CommitHead<'a> {
    CommitHead {
        log_id,
        first: Position::new(frame.head.first_record),
        events: frame.head.record_count,
        time: Timestamp(frame.head.time),
        versions: frame.stamps,
    }
}

/// The commit in a frame.
pub(crate) fn view<'a>(log_id: u128, frame: &FrameView<'a>) -> Result<CommitView<'a>, Malformed> {
    CommitView::parse(head(log_id, frame), frame.body)
}
