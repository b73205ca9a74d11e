//! Whether an index image is what its segment's frames say.

use annals_event::Position;
use annals_index::{Image, ImageEntry, ImageSource};
use annals_wal::{Directory, Header, ReadMode, SealedEnd, Sidecar};

use crate::versions::{SegmentEvents, StreamEvents};

/// How an index image stands to its segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ImageState {
    /// Every table and every place is right.
    Fits,
    /// Opening does not use it, and makes it anew. Why.
    Unusable(String),
    /// Opening uses it, and it leads astray. Why.
    Wrong(String),
}

/// Compares an image with the events of its segment, whose frames end so.
pub(crate) fn check(
    directory: &dyn Directory,
    name: &str,
    header: &Header,
    end: SealedEnd,
    events: &SegmentEvents,
) -> ImageState {
    let source = ImageSource {
        log_id: header.log_id,
        segment: header.segment,
        first: Position::new(header.first_record),
    };
    let sidecar = match Sidecar::open(directory, name, ReadMode::Pread) {
        Ok(sidecar) => sidecar,
        Err(error) => return ImageState::Unusable(error.to_string()),
    };
    let image = match Image::open(Box::new(sidecar), source) {
        Ok(image) => image,
        Err(fault) => return ImageState::Unusable(fault.0.to_owned()),
    };
    if image.segment_end() != end.offset {
        let (said, found) = (image.segment_end(), end.offset);
        let reason = format!("it says that the segment ends at byte {said}, not {found}");
        return ImageState::Unusable(reason);
    }
    if image.seal() != end.seal {
        return ImageState::Unusable("it is of other frames than the segment has".to_owned());
    }
    difference(&image, events).map_or(ImageState::Fits, ImageState::Wrong)
}

fn difference(image: &Image, events: &SegmentEvents) -> Option<String> {
    let mut entries = image.entries();
    for (name, stream) in &events.streams {
        let entry = entries.next().filter(|entry| entry.name.as_str() == name);
        let Some(entry) = entry else {
            return Some(format!("stream \"{name}\" is not where it should be"));
        };
        if let Some(what) = wrong_entry(&entry, stream) {
            return Some(format!("its {what} of stream \"{name}\" is wrong"));
        }
        if let Some(position) = wrong_place(image, name, stream) {
            return Some(format!("the place of stream \"{name}\" at position {position} is wrong"));
        }
    }
    if let Some(entry) = entries.next() {
        return Some(format!("stream \"{}\" has no events there", entry.name));
    }
    let ids = events.ids.iter().map(|(id, position)| (*id, Position::new(*position)));
    (!image.ids().eq(ids)).then(|| "its ids are not those of the events".to_owned())
}

fn wrong_entry(entry: &ImageEntry, stream: &StreamEvents) -> Option<&'static str> {
    let last = stream.places.last().map_or(0, |(position, _)| *position);
    let is_count = usize::try_from(entry.count).is_ok_and(|count| count == stream.places.len());
    let is_previous = |previous| entry.previous_segment == previous;
    let checks = [
        (entry.base == stream.base, "version"),
        (is_count, "number of events"),
        (entry.last.get() == last, "last position"),
        (stream.previous_segment.is_none_or(is_previous), "previous segment"),
    ];
    checks.into_iter().find_map(|(is_right, what)| (!is_right).then_some(what))
}

/// The position of the first event whose place is wrong.
fn wrong_place(image: &Image, name: &str, stream: &StreamEvents) -> Option<u64> {
    let mut places = Vec::new();
    image.places(name, 0..usize::MAX, &mut places);
    let mut places = places.iter().map(|place| (place.position.get(), place.offset));
    let wrong = stream.places.iter().find(|place| places.next() != Some(**place));
    wrong.map(|(position, _)| *position)
}
