//! Between the words of `annals-event` and the frames of `annals-wal`.

use annals_event::{CommitHead, CommitView, Malformed, Position, Timestamp};
use annals_wal::FrameView;

/// The commit in a frame.
pub(crate) fn view<'a>(log_id: u128, frame: &FrameView<'a>) -> Result<CommitView<'a>, Malformed> {
    let head = CommitHead {
        log_id,
        first: Position::new(frame.head.first_record),
        events: frame.head.record_count,
        time: Timestamp(frame.head.time),
        versions: frame.stamps,
    };
    CommitView::parse(head, frame.body)
}
