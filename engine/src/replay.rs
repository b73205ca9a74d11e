//! From the log to the index, when the store is opened.

use std::sync::Arc;

use annals_event::Position;
use annals_index::{CommitPlace, ContinuingImage, Index, SegmentPlaces, StreamNumber};
use annals_wal::{Directory, FrameView, Header, ReadMode, Replay, SealedEnd};

use crate::{encoding, images};

/// Fills the index with what the log has.
#[derive(Debug)]
pub(crate) struct Opening<'a> {
    pub(crate) index: &'a Index,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) read_mode: ReadMode,
    /// The image of the segment that is next, if it has one.
    pub(crate) image: Option<ContinuingImage>,
    /// The segment that an image was looked for last, if something lies in its place.
    pub(crate) beside: Option<Header>,
    /// Segments that have no image.
    pub(crate) without_image: Vec<Arc<SegmentPlaces>>,
}

impl Opening<'_> {
    /// Goes on in a segment, unless it is the active one already.
    pub(crate) fn enter(&mut self, segment: u64, first: u64) {
        if self.index.active_segment() < segment {
            self.without_image.push(self.index.update().roll(segment, Position::new(first)));
        }
    }
}

impl Replay for Opening<'_> {
    fn sealed_end(&mut self, header: &Header) -> Option<SealedEnd> {
        let bytes = images::find(&*self.directory, header, self.read_mode);
        self.beside = bytes.is_some().then_some(*header);
        let image = bytes.and_then(|bytes| images::read(&*self.directory, header, bytes));
        self.image = image.and_then(|image| self.index.continues(image));
        let image = &self.image.as_ref()?.image;
        Some(SealedEnd { offset: image.segment_end(), seal: image.seal() })
    }

    fn sealed(&mut self, header: &Header) -> Result<(), String> {
        self.enter(header.segment, header.first_record);
        let image = self.image.take().ok_or("its image is gone")?;
        self.index.adopt(image);
        Ok(())
    }

    fn commit(&mut self, frame: &FrameView<'_>) -> Result<(), String> {
        self.enter(frame.address.segment, frame.head.first_record);
        // The log's id only matters for derived event ids, which the index does not keep.
        let mut commit = encoding::view(0, frame).map_err(|error| error.to_string())?;
        let mut streams: Vec<StreamNumber> = Vec::with_capacity(commit.streams().len());
        for (name, before) in commit.streams() {
            let stream = self.index.find(name).map_or_else(
                || annals_event::StreamId::new(name).map(|id| self.index.intern(&id)),
                Ok,
            );
            let stream = stream.map_err(|error| error.to_string())?;
            let known = self.index.head(stream).version;
            if known != before {
                return Err(format!("stream {name:?} is at version {known}, not {before}"));
            }
            streams.push(stream);
        }
        let mut sorted = streams.clone();
        sorted.sort_unstable();
        sorted.dedup();
        if sorted.len() < streams.len() {
            return Err("a stream is named twice".to_owned());
        }
        let mut events = Vec::new();
        for event in commit.events() {
            let event = event.map_err(|error| error.to_string())?;
            events.push((event.stream_number, event.id_given.then_some(event.id)));
        }
        let place = CommitPlace {
            segment: frame.address.segment,
            offset: frame.address.offset,
            first: Position::new(frame.head.first_record),
            streams: &streams,
        };
        self.index.update().add(&place, events.into_iter());
        Ok(())
    }
}
