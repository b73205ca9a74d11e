//! Index images of sealed segments: files beside the segments, made by the helper thread, read
//! when the store is opened. Losing one costs time, never data.

use std::{
    io,
    sync::{Arc, Weak},
};

use annals_event::Position;
use annals_index::{Image, ImageSource, SegmentPlaces};
use annals_wal::{Directory, Header, ReadMode, Sidecar};

use crate::{error::ReadError, inner::Inner};

/// The name of the image of the segment that begins with this position.
pub(crate) fn name(first: u64) -> String {
    format!("{first:020}.idx")
}

/// What lies where the image of a segment has its place.
pub(crate) fn find(directory: &dyn Directory, header: &Header, mode: ReadMode) -> Option<Sidecar> {
    Sidecar::open(directory, &name(header.first_record), mode).ok()
}

/// The image of a segment, if there is one that can be used.
pub(crate) fn load(directory: &dyn Directory, header: &Header, mode: ReadMode) -> Option<Image> {
    read(directory, header, find(directory, header, mode)?)
}

/// The image of a segment, if these bytes can be used as such.
pub(crate) fn read(directory: &dyn Directory, header: &Header, bytes: Sidecar) -> Option<Image> {
    let source = ImageSource {
        log_id: header.log_id,
        segment: header.segment,
        first: Position::new(header.first_record),
    };
    match Image::open(Box::new(bytes), source) {
        Ok(image) => Some(image),
        Err(fault) => {
            let file = directory.display(&name(header.first_record));
            tracing::warn!(file, reason = fault.0, "an index image is unusable and made anew");
            None
        }
    }
}

/// Removes what lies where the image of the last segment will have its place. An image is made when
/// another segment follows, so that one is of another life of the log.
pub(crate) fn remove(directory: &dyn Directory, last: &Header) {
    let name = name(last.first_record);
    let file = directory.display(&name);
    match Sidecar::remove(directory, &name) {
        Ok(()) => tracing::warn!(
            file,
            "removed an index image beside the last segment: the log was restored from an older \
             copy, or has lost its end"
        ),
        // It is not used all the same: the segment will have another seal.
        Err(error) => tracing::warn!(file, %error, "an index image could not be removed"),
    }
}

/// The image of the segment with this first position leads astray.
pub(crate) fn wrong(inner: &Inner, first: Position, position: Position) -> ReadError {
    let file = inner.log.directory().display(&name(first.get()));
    ReadError::WrongImage { file, position }
}

/// Has the image of an ended segment made, and used from then on. `next`: the position of the
/// first event after it, which is durable only after the segment's seal.
pub(crate) fn make_soon(inner: &Arc<Inner>, places: Arc<SegmentPlaces>, next: Position) {
    // Weak: a job must not keep a store open that nobody uses any more.
    let weak: Weak<Inner> = Arc::downgrade(inner);
    // Not taken when the log is closing: the next opening replays the segment and makes it.
    inner.log.in_background(move || {
        if let Some(inner) = weak.upgrade() {
            make(&inner, &places, next);
        }
    });
}

fn make(inner: &Inner, places: &SegmentPlaces, next: Position) {
    // The segment's end is known when its seal is written.
    if inner.log.wait(next.get()).is_err() {
        return;
    }
    let Some(header) = inner.log.sealed_segment(places.segment()) else { return };
    let directory = &**inner.log.directory();
    let name = name(header.first_record);
    if let Err(error) = write(inner, places, &header, &name) {
        let file = directory.display(&name);
        tracing::warn!(file, %error, "an index image could not be written");
        return;
    }
    if let Some(image) = load(directory, &header, inner.options.read_mode) {
        inner.index.replace(Arc::new(image));
    }
}

fn write(inner: &Inner, places: &SegmentPlaces, header: &Header, name: &str) -> io::Result<()> {
    let end = inner.log.sealed_end(header.segment).map_err(io::Error::other)?;
    let end = end.ok_or(io::ErrorKind::NotFound)?;
    let bytes = inner.index.encode_image(places, header.log_id, end.offset, end.seal);
    Sidecar::write(&**inner.log.directory(), name, &bytes)
}
