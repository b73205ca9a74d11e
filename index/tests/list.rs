//! What the index answers is what a list of all events would answer: in memory, in images, and
//! adopted at opening.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use annals_event::{EventId, Position, StreamId, StreamVersion};
use annals_index::{
    CommitPlace, Image, ImageFault, ImageSource, Index, Place, Run, SegmentPlaces, StreamNumber,
    VersionAt,
};

const LOG: u128 = 7;
const STREAMS: [&str; 5] = ["account-2", "account-1", "order-1", "seldom", "account-10"];
const SEGMENTS: u64 = 6;
const COMMITS_EACH: u64 = 40;

/// An event as a list has it.
#[derive(Debug, Clone)]
struct Event {
    stream: usize,
    place: Place,
    id: Option<EventId>,
}

/// An index, and the list of what was added to it.
struct Both {
    index: Index,
    numbers: Vec<StreamNumber>,
    list: Vec<Event>,
    ended: Vec<Arc<SegmentPlaces>>,
}

fn segment_end(segment: u64) -> u64 {
    10_000 + segment
}

fn seal(segment: u64) -> u32 {
    u32::MAX - u32::try_from(segment).unwrap()
}

impl Both {
    fn new() -> Self {
        let index = Index::new(1);
        let numbers = STREAMS.map(|name| index.intern(&StreamId::new(name).unwrap())).to_vec();
        let mut both = Self { index, numbers, list: Vec::new(), ended: Vec::new() };
        for segment in 1..=SEGMENTS {
            if segment > 1 {
                let ended = both.index.update().roll(segment, both.next());
                both.ended.push(ended);
            }
            (0..COMMITS_EACH).for_each(|commit| both.commit(segment, commit));
        }
        both
    }

    fn next(&self) -> Position {
        Position::new(u64::try_from(self.list.len()).unwrap() + 1)
    }

    /// One to three events. "order-1" has none in the third segment, "seldom" one in the second.
    fn commit(&mut self, segment: u64, commit: u64) {
        let streams: Vec<usize> = match (segment, commit) {
            (2, 17) => vec![3, 0],
            (3, _) => vec![0, 4],
            (_, n) if n % 3 == 0 => vec![2, 0, 2],
            (_, n) if n % 7 == 0 => vec![1],
            _ => vec![0, 2],
        };
        let numbers: Vec<StreamNumber> = streams.iter().map(|at| self.numbers[*at]).collect();
        let (offset, first) = (64 + commit * 256, self.next());
        let place = CommitPlace { segment, offset, first, streams: &numbers };
        let before = self.list.len();
        for (stream, position) in streams.iter().zip(first.get()..) {
            let position = Position::new(position);
            let id = position.get().is_multiple_of(3);
            let id = id.then(|| EventId::new((u128::from(position.get()) << 64).to_le_bytes()));
            let place = Place { segment, offset, position };
            self.list.push(Event { stream: *stream, place, id });
        }
        let events = self.list[before..].iter().enumerate().map(|(at, event)| (at, event.id));
        self.index.update().add(&place, events);
    }

    fn image(&self, ended: &SegmentPlaces) -> Image {
        let segment = ended.segment();
        let bytes = self.index.encode_image(ended, LOG, segment_end(segment), seal(segment));
        Image::open(Box::new(bytes), self.source(segment)).unwrap()
    }

    fn source(&self, segment: u64) -> ImageSource {
        let first = self.list.iter().find(|event| event.place.segment == segment).unwrap();
        ImageSource { log_id: LOG, segment, first: first.place.position }
    }

    /// Another index, made from the images of all segments but the last, whose commits are added.
    fn opened(&self) -> Self {
        let index = Index::new(2);
        for ended in &self.ended {
            let image = index.continues(self.image(ended)).unwrap();
            assert_eq!(index.active_segment(), ended.segment());
            index.adopt(image);
        }
        let ended = self.ended.clone();
        let numbers = STREAMS.map(|name| index.intern(&StreamId::new(name).unwrap())).to_vec();
        let mut both = Self { index, numbers, list: Vec::new(), ended };
        let sealed = self.list.iter().filter(|event| event.place.segment < SEGMENTS);
        both.list = sealed.cloned().collect();
        (0..COMMITS_EACH).for_each(|commit| both.commit(SEGMENTS, commit));
        both
    }

    fn of(&self, stream: usize) -> Vec<&Event> {
        self.list.iter().filter(|event| event.stream == stream).collect()
    }

    /// Every question that the index answers, of every stream and every position.
    fn check(&self) {
        let (active, has_no_image) = (self.source(SEGMENTS).first, self.stats().2 == 0);
        for (stream, name) in STREAMS.iter().enumerate() {
            let (number, events) = (self.numbers[stream], self.of(stream));
            let version = StreamVersion::new(u64::try_from(events.len()).unwrap());
            let head = self.index.head(number);
            let last = events.last().map_or(Position::default(), |event| event.place.position);
            assert_eq!((head.version, head.last), (version, last), "{name}");
            assert_eq!(self.index.update().head(number), head, "{name}");
            assert_eq!(self.index.name(number), Some(StreamId::new(name).unwrap()));
            for position in (0..self.next().get() + 2).map(Position::new) {
                let visible = events.iter().filter(|event| event.place.position <= position);
                let visible = StreamVersion::new(u64::try_from(visible.count()).unwrap());
                let found = self.index.version_at(number, position);
                assert_eq!(found.version, visible, "{name} at {position:?}");
                // No image is asked that need not be.
                let is_known = has_no_image || position.next() >= active;
                assert!(found.is_certain || !is_known, "{name} at {position:?}");
            }
            self.check_runs(stream);
        }
        for Event { id, place, .. } in &self.list {
            if let Some(id) = id {
                let found = self.index.find_id(id).unwrap();
                assert_eq!(found.map(|found| found.position), Some(place.position));
            }
        }
        assert_eq!(self.index.find_id(&EventId::new([9; 16])), Ok(None));
        assert_eq!(self.index.active_segment(), SEGMENTS);
    }

    /// The runs of a stream, newest first, and their places.
    fn check_runs(&self, stream: usize) {
        let (number, name, events) = (self.numbers[stream], STREAMS[stream], self.of(stream));
        let mut run = self.index.last_run(number, name);
        for segment in (1..=SEGMENTS).rev() {
            let expected: Vec<Place> = events.iter().map(|event| event.place).collect();
            let before = expected.iter().filter(|place| place.segment < segment).count();
            let here = expected.iter().filter(|place| place.segment == segment).count();
            if here == 0 {
                continue;
            }
            let found = run.unwrap();
            let base = StreamVersion::new(u64::try_from(before).unwrap());
            let count = u64::try_from(here).unwrap();
            assert_eq!((found.segment, found.base, found.count), (segment, base, count), "{name}");
            let all = &expected[before..before + here];
            assert_eq!(self.places(number, &found, 0, u64::MAX), all, "{name} in {segment}");
            let (from, to) = (base.get() + 2, base.get() + 4);
            let few = &all[1.min(here)..4.min(here)];
            assert_eq!(self.places(number, &found, from, to), few, "{name} in {segment}");
            run = self.index.run_before(number, name, &found);
        }
        assert!(run.is_none(), "{name}: {run:?}");
    }

    fn places(&self, stream: StreamNumber, run: &Run, from: u64, to: u64) -> Vec<Place> {
        let mut out = Vec::new();
        self.index.places(stream, run, from..=to, &mut out);
        out
    }

    /// Streams, events whose places are in memory, images.
    fn stats(&self) -> (u64, usize, u64) {
        let stats = self.index.stats();
        (stats.streams, usize::try_from(stats.places_in_memory).unwrap(), stats.images)
    }
}

#[test]
fn it_answers_as_a_list_does_before_while_and_after_segments_become_images() {
    let both = Both::new();
    both.check();
    assert_eq!(both.stats(), (5, both.list.len(), 0));
    let mut in_memory = both.list.len();
    // Out of order: another thread may be done first.
    for (image, at) in (1..).zip([3, 0, 4, 1, 2]) {
        let ended = &both.ended[at];
        both.index.replace(Arc::new(both.image(ended)));
        both.check();
        in_memory -= both.list.iter().filter(|e| e.place.segment == ended.segment()).count();
        assert_eq!(both.stats(), (5, in_memory, image));
    }
    let opened = both.opened();
    opened.check();
    assert_eq!(opened.stats(), (5, in_memory, 5));
}

/// G8 (derived): an image that says of a stream that its events before lie in the same segment, with checksums that
/// are right. Whoever reads backward would never come to an end.
#[test]
fn a_hostile_image_leads_nobody_in_a_circle() {
    const SEGMENT: u64 = 5;
    let both = Both::new();
    let ended = both.ended.iter().find(|ended| ended.segment() == SEGMENT).unwrap();
    let mut bytes = both.index.encode_image(ended, LOG, segment_end(SEGMENT), seal(SEGMENT));
    let number = |at: usize| {
        usize::try_from(u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())).unwrap()
    };
    // The previous segment of the first stream by name; then the checksums of the tables and the header.
    let tables_end = 96 + number(56) * 40 + number(60) + number(68) * 20;
    bytes[112..120].copy_from_slice(&SEGMENT.to_le_bytes());
    let checksum = crc32fast::hash(&bytes[96..tables_end]);
    bytes[88..92].copy_from_slice(&checksum.to_le_bytes());
    let checksum = crc32fast::hash(&bytes[..92]);
    bytes[92..96].copy_from_slice(&checksum.to_le_bytes());
    let image = Image::open(Box::new(bytes), both.source(SEGMENT)).unwrap();
    both.index.replace(Arc::new(image));

    let name = "account-1";
    let at = STREAMS.iter().position(|stream| *stream == name).unwrap();
    let newest = both.index.last_run(both.numbers[at], name).unwrap();
    let run = both.index.run_before(both.numbers[at], name, &newest).unwrap();
    assert_eq!(run.segment, SEGMENT);
    assert!(both.index.run_before(both.numbers[at], name, &run).is_none());
}

#[test]
fn a_stream_that_has_only_a_number_is_not_counted() {
    let index = Index::new(1);
    let stream = index.intern(&StreamId::new("nothing").unwrap());
    assert_eq!(index.stats().streams, 0);
    let version = index.version_at(stream, Position::new(5));
    assert_eq!(version, VersionAt { version: StreamVersion::ZERO, is_certain: true });
    assert!(index.last_run(stream, "nothing").is_none());
}

#[test]
fn streams_are_found_by_the_beginning_of_their_name() {
    let both = Both::new();
    let names = |prefix| -> Vec<String> {
        let found = both.index.streams(prefix).into_iter();
        found
            .map(|(name, number)| {
                assert_eq!(both.index.find(name.as_str()), Some(number));
                name.as_str().to_owned()
            })
            .collect()
    };
    assert_eq!(names("account-"), ["account-1", "account-10", "account-2"]);
    assert_eq!(names("account-1"), ["account-1", "account-10"]);
    assert_eq!(names("").len(), 5);
    assert!(names("nobody").is_empty());
}

#[test]
fn an_image_says_what_its_segment_had() {
    let both = Both::new();
    for ended in &both.ended {
        let segment = ended.segment();
        let image = both.image(ended);
        assert_eq!((image.segment(), image.segment_end()), (segment, segment_end(segment)));
        assert_eq!(image.seal(), seal(segment));
        let here = |event: &&Event| event.place.segment == segment;
        let events: Vec<&Event> = both.list.iter().filter(here).collect();
        let mut ids: Vec<_> =
            events.iter().filter_map(|e| Some((e.id?, e.place.position))).collect();
        ids.sort_unstable();
        assert!(image.ids().eq(ids), "ids of {segment}");
        let mut names = Vec::new();
        for entry in image.entries() {
            let stream = STREAMS.iter().position(|name| *name == entry.name.as_str()).unwrap();
            let places = events.iter().filter(|event| event.stream == stream);
            let places: Vec<Place> = places.map(|event| event.place).collect();
            let mut found = Vec::new();
            image.places(entry.name.as_str(), 0..usize::MAX, &mut found);
            assert_eq!(found, places);
            assert_eq!(usize::try_from(entry.count), Ok(places.len()));
            assert_eq!(Some(entry.last), places.last().map(|place| place.position));
            names.push(entry.name);
        }
        assert!(names.is_sorted());
    }
}

/// Bytes of an image after a change of its header, with the header's checksum put right.
fn changed(both: &Both, change: impl Fn(&mut [u8])) -> Option<ImageFault> {
    let mut bytes = both.index.encode_image(&both.ended[0], LOG, segment_end(1), seal(1));
    change(&mut bytes);
    let checksum = crc32fast::hash(&bytes[..92]).to_le_bytes();
    bytes[92..96].copy_from_slice(&checksum);
    Image::open(Box::new(bytes), both.source(1)).err()
}

#[test]
fn an_image_of_something_else_is_refused_for_its_reason() {
    let both = Both::new();
    assert_eq!(changed(&both, |_| ()), None);
    let kind = Some(ImageFault("it is no image of this version"));
    assert_eq!(changed(&both, |bytes| bytes[0] ^= 1), kind);
    assert_eq!(changed(&both, |bytes| bytes[8] ^= 1), kind);
    let other = Some(ImageFault("it is of another segment"));
    for field in [12, 16, 32, 40] {
        assert_eq!(changed(&both, |bytes| bytes[field] ^= 1), other, "at {field}");
    }
    let length = Some(ImageFault("its length is not what its header says"));
    assert_eq!(changed(&both, |bytes| bytes[64] ^= 1), length);
    let tables = Some(ImageFault("the tables' checksum does not match"));
    assert_eq!(changed(&both, |bytes| bytes[96] ^= 1), tables);
}

/// Names that a segment has no events of are looked for and not found, wherever they would stand.
#[test]
fn names_that_are_not_there_are_not_found() {
    let both = Both::new();
    let image = both.image(&both.ended[0]);
    let names: Vec<String> = image.entries().map(|entry| entry.name.as_str().to_owned()).collect();
    let absent = names.iter().flat_map(|name| [format!("{name}\u{1}"), format!("{name}~")]);
    let around = ["!".to_owned(), "\u{10FFFF}~".to_owned()];
    for name in absent.chain(around).filter(|name| !names.contains(name)) {
        let mut places = Vec::new();
        image.places(&name, 0..usize::MAX, &mut places);
        assert!(places.is_empty(), "{name}");
    }
}

/// A stream that has a number and no event is none yet.
#[test]
fn streams_without_events_are_not_counted() {
    let index = Index::new(3);
    let [_, without, with] =
        ["a", "b", "c"].map(|name| index.intern(&StreamId::new(name).unwrap()));
    assert_eq!(index.stats().streams, 0);
    let place = CommitPlace { segment: 1, offset: 4096, first: Position::new(1), streams: &[with] };
    index.update().add(&place, [(0, None)].into_iter());
    assert_eq!(index.stats().streams, 1);
    assert_eq!(index.head(without).version, StreamVersion::ZERO);
}
