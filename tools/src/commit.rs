//! Between the frames of the log and the words of `annals-event`.

use annals_event::{
    CommitHead, CommitView, EventView, Malformed, Position, StreamVersion, Timestamp,
};
use annals_wal::{Address, FrameView};

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

/// A commit that was decoded to its end.
#[derive(Debug)]
pub(crate) struct Commit<'a> {
    /// Where its frame lies.
    pub(crate) address: Address,
    /// Its streams, each with its version before.
    pub(crate) streams: Vec<(&'a str, StreamVersion)>,
    pub(crate) events: Vec<EventView<'a>>,
}

impl<'a> Commit<'a> {
    /// Decodes the commit in a frame.
    pub(crate) fn decode(log_id: u128, frame: &FrameView<'a>) -> Result<Self, Malformed> {
        let mut view = view(log_id, frame)?;
        let streams = view.streams().collect();
        let events = view.events().collect::<Result<_, _>>()?;
        Ok(Self { address: frame.address, streams, events })
    }
}
