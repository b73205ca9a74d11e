//! Few threads in every order, by `loom`: what is durable is found while commits go on, segments
//! end and images take the place of what is in memory. The code is the index's own; only the locks
//! and atomics are the checker's.
//!
//! ```sh
//! RUSTFLAGS="--cfg annals_loom" cargo test -p annals-index --lib models
//! ```

use std::sync::Arc;

use annals_event::{EventId, Position, StreamId, StreamVersion};
use annals_sync::{
    atomic::{AtomicU64, Ordering::SeqCst},
    thread::{Builder, JoinHandle},
};

use crate::{CommitPlace, Image, ImageSource, Index, Place, SegmentPlaces, StreamNumber};

const LOG_ID: u128 = 7;
const SEGMENT_END: u64 = 8192;
const ID: EventId = EventId::new([3; 16]);

/// Goes through every order in which at most so many threads are interrupted.
fn in_every_order(preemptions: usize, check: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(check);
}

fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    Builder::new().spawn(run).unwrap()
}

fn name(name: &str) -> StreamId {
    StreamId::new(name).unwrap()
}

/// An index, and up to where everybody may see it; as the engine and the log have them.
struct Scene {
    index: Index,
    durable: AtomicU64,
}

impl Scene {
    /// With one event in the first segment.
    fn new() -> Arc<Self> {
        let scene = Self { index: Index::new(0), durable: AtomicU64::new(0) };
        scene.add(1, 1);
        Arc::new(scene)
    }

    fn stream(&self) -> StreamNumber {
        self.index.intern(&name("a"))
    }

    fn place(segment: u64, position: u64) -> Place {
        Place { segment, offset: 4096 + 64 * position, position: Position::new(position) }
    }

    /// An event, first in the index and then durable.
    fn add(&self, segment: u64, position: u64) {
        let Place { offset, position: first, .. } = Self::place(segment, position);
        let commit = CommitPlace { segment, offset, first, streams: &[self.stream()] };
        let id = (position == 1).then_some(ID);
        self.index.update().add(&commit, [(0, id)].into_iter());
        self.durable.store(position, SeqCst);
    }

    /// The first segment ends behind its only event.
    fn roll(&self) -> Arc<SegmentPlaces> {
        self.index.update().roll(2, Position::new(2))
    }

    /// Takes its places out of memory.
    fn replace(&self, places: &SegmentPlaces) {
        let bytes = self.index.encode_image(places, LOG_ID, SEGMENT_END, 0);
        let source = ImageSource { log_id: LOG_ID, segment: 1, first: Position::new(1) };
        self.index.replace(Arc::new(Image::open(Box::new(bytes), source).unwrap()));
    }

    /// What a reader finds that reads the stream up to what is durable, newest first.
    fn check_reader(&self) {
        let (stream, durable) = (self.stream(), self.durable.load(SeqCst));
        let version = self.index.version_at(stream, Position::new(durable));
        assert_eq!(version.version, StreamVersion::new(durable), "every event is of this stream");
        let mut found = Vec::new();
        let mut run = self.index.last_run(stream, "a");
        while let Some(here) = run {
            let mut places = Vec::new();
            self.index.places(stream, &here, 0..=durable, &mut places);
            found.extend(places.into_iter().rev());
            run = self.index.run_before(stream, "a", &here);
        }
        let all = (1..=durable).rev().map(|position| Self::place(position, position));
        assert_eq!(found, all.collect::<Vec<_>>(), "up to {durable}");
    }
}

/// G12: a reader looks while the segment that it looks at ends, its image takes its place, and the next
/// one begins.
#[test]
fn what_is_durable_is_found() {
    in_every_order(8, || {
        let scene = Scene::new();
        let reading = scene.clone();
        let reader = spawn(move || reading.check_reader());
        let places = scene.roll();
        scene.replace(&places);
        scene.add(2, 2);
        reader.join().unwrap();
    });
}

/// As in a store: who ends the segment goes on, and a helper makes the image meanwhile.
#[test]
fn what_is_durable_is_found_beside_a_helper() {
    in_every_order(4, || {
        let scene = Scene::new();
        let (reading, helping) = (scene.clone(), scene.clone());
        let reader = spawn(move || reading.check_reader());
        let places = scene.roll();
        let helper = spawn(move || helping.replace(&places));
        scene.add(2, 2);
        reader.join().unwrap();
        helper.join().unwrap();
    });
}

/// An id is found while the places that it is kept with become an ended segment's, and an image.
#[test]
fn an_id_is_found() {
    in_every_order(8, || {
        let scene = Scene::new();
        let reading = scene.clone();
        let reader = spawn(move || reading.index.find_id(&ID));
        let places = scene.roll();
        scene.replace(&places);
        let found = reader.join().unwrap().unwrap();
        assert_eq!(found.map(|found| found.position), Some(Position::new(1)));
    });
}

/// Two threads number the same stream, and one of them another: each has one number, and whoever
/// finds a number finds its name.
#[test]
fn a_name_has_one_number() {
    in_every_order(8, || {
        let index = Arc::new(Index::new(0));
        let other = index.clone();
        let numbering = spawn(move || (other.intern(&name("a")), other.intern(&name("b"))));
        let first = index.intern(&name("a"));
        if let Some(number) = index.find("b") {
            assert_eq!(index.name(number), Some(name("b")));
        }
        let (same, second) = numbering.join().unwrap();
        assert!(first == same && first != second);
        assert_eq!(
            [first, second].map(|number| index.name(number)),
            ["a", "b"].map(name).map(Some)
        );
    });
}
