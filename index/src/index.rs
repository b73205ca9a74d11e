//! The index itself: heads of all streams, places of the events of each segment.

use std::sync::Arc;

use annals_event::{EventId, Position, StreamId, StreamVersion};
use annals_planted::{Bug, planted};
use annals_sync::{RwLock, RwLockWriteGuard};

use crate::{
    ids::Changed,
    image::{Image, ImageEntry},
    names::{Names, StreamNumber},
    pieces::Pieces,
    places::{Identified, SegmentPlaces},
    state::{CommitPlace, Head, State},
};

/// How large the index is; for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct IndexStats {
    /// How many streams have events.
    pub streams: u64,
    /// How many events have their places in memory.
    pub places_in_memory: u64,
    /// How many segments have their places in an image.
    pub images: u64,
}

/// The ids of an image are not what they were when it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongIds {
    /// The position of the first event of its segment.
    pub segment_first: Position,
}

/// Which streams exist, at which version, and where their events lie.
#[derive(Debug)]
pub struct Index {
    pub(crate) names: Names,
    pub(crate) state: RwLock<State>,
    /// Every segment but the active one, by number from 1. Locked after `state`.
    pub(crate) sealed: RwLock<Vec<Sealed>>,
}

#[derive(Debug, Clone)]
pub(crate) enum Sealed {
    /// The image is not written yet.
    Memory(Arc<SegmentPlaces>),
    Image(Arc<Image>),
}

/// An image that goes on where the segments before it end.
#[derive(Debug)]
pub struct ContinuingImage {
    /// The image.
    pub image: Image,
    /// Its streams.
    entries: Vec<ImageEntry>,
}

/// The index while a commit is checked and added: nothing of it changes in between.
#[derive(Debug)]
pub struct Update<'a> {
    index: &'a Index,
    state: RwLockWriteGuard<'a, State>,
}

impl Update<'_> {
    /// Where a stream stands, sequenced events included.
    pub fn head(&self, stream: StreamNumber) -> Head {
        self.state.head(stream)
    }

    /// Adds a commit. `events` has, for each event in order, which of the commit's streams it
    /// belongs to and its id, if the caller gave one.
    pub fn add(
        &mut self,
        commit: &CommitPlace<'_>,
        events: impl Iterator<Item = (usize, Option<EventId>)>,
    ) {
        self.state.add(commit, events);
    }

    /// The next commit is the first of a new segment. Returns the places of the one that ended,
    /// to make its image from.
    pub fn roll(&mut self, segment: u64, first: Position) -> Arc<SegmentPlaces> {
        let ended = std::mem::replace(&mut self.state.active, SegmentPlaces::new(segment, first));
        let ended = Arc::new(ended);
        self.index.sealed.write().push(Sealed::Memory(ended.clone()));
        ended
    }
}

impl Index {
    /// An index of nothing. `seed` is random, so that names that collide cannot be chosen.
    pub fn new(seed: u64) -> Self {
        let active = SegmentPlaces::new(1, Position::new(1));
        Self {
            names: Names::new(seed),
            state: RwLock::new(State { heads: Pieces::default(), active }),
            sealed: RwLock::default(),
        }
    }

    /// The number of a stream; gives it one if it has none.
    pub fn intern(&self, stream: &StreamId) -> StreamNumber {
        self.names.intern(stream)
    }

    /// The number of a stream that has one.
    pub fn find(&self, stream: &str) -> Option<StreamNumber> {
        self.names.find(stream)
    }

    /// The name of a stream.
    pub fn name(&self, stream: StreamNumber) -> Option<StreamId> {
        self.names.name(stream)
    }

    /// Where a stream stands, sequenced events included.
    pub fn head(&self, stream: StreamNumber) -> Head {
        self.state.read().head(stream)
    }

    /// The streams whose name begins with `prefix`, by name.
    pub fn streams(&self, prefix: &str) -> Vec<(StreamId, StreamNumber)> {
        let numbered = self.names.all().into_iter().zip((0..).map(StreamNumber));
        let mut found: Vec<_> =
            numbered.filter(|(name, _)| name.as_str().starts_with(prefix)).collect();
        found.sort_unstable();
        found
    }

    /// The index as the one sees it who adds to it; readers wait meanwhile.
    pub fn update(&self) -> Update<'_> {
        Update { index: self, state: self.state.write() }
    }

    /// Uses an image from now on, instead of the places in memory that it was made from.
    pub fn replace(&self, image: Arc<Image>) {
        let mut sealed = self.sealed.write();
        let slot = usize::try_from(image.segment() - 1).ok().and_then(|i| sealed.get_mut(i));
        if let Some(slot) = slot {
            *slot = Sealed::Image(image);
        }
    }

    /// An image with its streams, if it goes on where the segments before it end, for each of them.
    pub fn continues(&self, image: Image) -> Option<ContinuingImage> {
        let entries: Vec<ImageEntry> = image.entries().collect();
        // Its bytes may come from the disk again at any time: these are what they were.
        if !image.is_unchanged() {
            return None;
        }
        let state = self.state.read();
        let (mut events, mut before) = (0_u64, None);
        let all_continue = entries.iter().all(|entry| {
            events = events.saturating_add(entry.count);
            let head = self.names.find(entry.name.as_str()).map(|stream| state.head(stream));
            let head = head.unwrap_or_default();
            // A stream with two rows would have two places to go on from.
            let is_in_order = before.is_none_or(|before| before < &entry.name);
            before = Some(&entry.name);
            is_in_order
                && entry.base == head.version.get()
                && entry.previous_segment == head.last_segment
                && entry.base.checked_add(entry.count).is_some()
        });
        let continues = all_continue && events == image.event_count();
        (continues || planted(Bug::ImageUnchecked)).then_some(ContinuingImage { image, entries })
    }

    /// Takes a sealed segment's streams from its image, at opening, in order.
    pub fn adopt(&self, ContinuingImage { image, entries }: ContinuingImage) {
        let mut state = self.state.write();
        for entry in entries {
            let stream = self.names.intern(&entry.name);
            let head = Head {
                version: StreamVersion::new(entry.base + entry.count),
                last: entry.last,
                last_segment: image.segment(),
                slot: 0,
            };
            state.set_head(stream, head);
        }
        state.active = SegmentPlaces::new(image.segment() + 1, image.next_position());
        self.sealed.write().push(Sealed::Image(Arc::new(image)));
    }

    /// The number of the segment that commits are added to.
    pub fn active_segment(&self) -> u64 {
        self.state.read().active.segment
    }

    /// The event that was given this id. Where an image leads is to be checked: its bytes may come from
    /// the disk again at any time.
    ///
    /// # Errors
    /// Nobody knows: the ids of an image are not what they were when it was opened.
    pub fn find_id(&self, id: &EventId) -> Result<Option<Identified>, WrongIds> {
        let in_memory = |places: &SegmentPlaces| {
            let position = *places.ids.get(id)?;
            Some(Identified { position, segment_first: places.first })
        };
        let active = in_memory(&self.state.read().active);
        if active.is_some() {
            return Ok(active);
        }
        let sealed = self.sealed.read();
        let mut found = sealed.iter().rev().map(|segment| match segment {
            Sealed::Memory(places) => Ok(in_memory(places)),
            Sealed::Image(image) => {
                image.find_id(id).map_err(|Changed| WrongIds { segment_first: image.first() })
            }
        });
        found.find_map(Result::transpose).transpose()
    }

    /// The bytes of the image of a sealed segment. `segment_end`: where its frames end; `seal`: the
    /// checksum of its seal.
    pub fn encode_image(
        &self,
        places: &SegmentPlaces,
        log_id: u128,
        segment_end: u64,
        seal: u32,
    ) -> Vec<u8> {
        let named = places
            .streams
            .iter()
            .filter_map(|(stream, places)| Some((self.names.name(*stream)?, places)));
        crate::image::encode(places, named.collect(), log_id, (segment_end, seal))
    }

    /// How large the index is.
    pub fn stats(&self) -> IndexStats {
        let state = self.state.read();
        let count = |places: &SegmentPlaces| -> usize {
            places.streams.iter().map(|(_, stream)| stream.places.len()).sum()
        };
        let sealed = self.sealed.read();
        let in_memory = sealed.iter().filter_map(|segment| match segment {
            Sealed::Memory(places) => Some(count(places)),
            Sealed::Image(_) => None,
        });
        let places = count(&state.active) + in_memory.clone().sum::<usize>();
        let streams = state.heads.iter().filter(|head| head.version > StreamVersion::ZERO).count();
        let images = sealed.len() - in_memory.count();
        IndexStats { streams: wide(streams), places_in_memory: wide(places), images: wide(images) }
    }
}

fn wide(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::image::ImageSource;

    /// The image of a segment with one event in each of two streams, of these names.
    fn bytes(names: [&str; 2]) -> Vec<u8> {
        let index = Index::new(0);
        for (name, first) in ["a", "b"].into_iter().zip(1..) {
            let stream = index.intern(&StreamId::new(name).unwrap());
            let first = Position::new(first);
            let commit = CommitPlace { segment: 1, offset: 4096, first, streams: &[stream] };
            index.update().add(&commit, [(0, None)].into_iter());
        }
        let places = index.update().roll(2, Position::new(3));
        let mut bytes = index.encode_image(&places, 7, 8192, 0);
        // The header, two rows, then the names.
        let (start, end) = (96, 96 + 2 * 40 + 2);
        bytes[end - 2..end].copy_from_slice(names.concat().as_bytes());
        let tables = crc32fast::hash(&bytes[start..end]).to_le_bytes();
        bytes[88..92].copy_from_slice(&tables);
        let header = crc32fast::hash(&bytes[..92]).to_le_bytes();
        bytes[92..96].copy_from_slice(&header);
        bytes
    }

    fn image(names: [&str; 2]) -> Image {
        let source = ImageSource { log_id: 7, segment: 1, first: Position::new(1) };
        Image::open(Box::new(bytes(names)), source).unwrap()
    }

    /// An image that had a stream twice, with right checksums, was taken: the stream's version
    /// was then another at each look.
    #[test]
    fn an_image_whose_streams_are_not_in_order_is_not_taken() {
        let continues = |names| Index::new(0).continues(image(names)).is_some();
        assert!(continues(["a", "b"]));
        assert!(!continues(["a", "a"]));
        assert!(!continues(["b", "a"]));
    }

    /// Bytes that are others from the second look on.
    #[derive(Debug)]
    struct Changing([Vec<u8>; 2], AtomicUsize);

    impl AsRef<[u8]> for Changing {
        fn as_ref(&self) -> &[u8] {
            let [first, later] = &self.0;
            // Relaxed: only a count.
            if self.1.fetch_add(1, Ordering::Relaxed) == 0 { first } else { later }
        }
    }

    /// A page of a mapped image was read from the disk again, and was another, after its checksum was
    /// compared and before its rows were taken: a stream of it stood elsewhere for as long as the store
    /// was open.
    #[test]
    fn an_image_that_changes_after_it_was_checked_is_not_taken() {
        let whole = bytes(["a", "b"]);
        // The last position of the first stream.
        let mut changed = whole.clone();
        changed[96 + 24] ^= 4;
        for (later, is_taken) in [(whole.clone(), true), (changed, false)] {
            let source = ImageSource { log_id: 7, segment: 1, first: Position::new(1) };
            let changing = Changing([whole.clone(), later], AtomicUsize::new(0));
            let image = Image::open(Box::new(changing), source).unwrap();
            assert_eq!(Index::new(0).continues(image).is_some(), is_taken);
        }
    }
}
