//! One bit of one frame is not what was written: every way to read notices it before an event is
//! shown, or does not touch the frame. What checking once means is shown, too.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    reason = "a test"
)]

mod common;
#[path = "common/image.rs"]
mod image_layout;

use std::{ops::ControlFlow, sync::Arc};

use annals::{
    Annals, Append, AppendError, Delivery, Directory, LogQuery, Memory, NewEvent, Position,
    ReadError, ReadFrom, ReadMode, RecordedEvent, Snapshot, Store, StreamQuery, StreamVersion,
    SyncPolicy,
};
use annals_wal::Access;
use common::stream;

const FRAMES_START: usize = 4096;
const SEAL_LEN: usize = 48;
const STREAMS: [&str; 3] = ["a", "b", "c"];

/// Opens the store. Reading from memory maps files as reading from a disk does.
fn open(memory: &Memory, mode: ReadMode) -> Annals {
    let options = common::options(1).read_mode(mode).sync_policy(SyncPolicy::Never);
    options.open_on(Arc::new(memory.clone())).unwrap()
}

/// A closed log of several segments, its events, and the name of its second segment.
fn log() -> (Memory, Vec<RecordedEvent>, String) {
    let memory = Memory::default();
    let store = open(&memory, ReadMode::Map);
    for number in 0..90_usize {
        // Single events, and batches over all streams.
        let events = if number % 3 == 0 { 7 } else { 1 };
        let event = |index| {
            let name = STREAMS[(number + index) % STREAMS.len()];
            NewEvent::new(stream(name), "Happened", vec![7; 20 + number % 11]).unwrap()
        };
        store.append(&Append::new().events((0..events).map(event))).wait().unwrap();
    }
    let events: Vec<_> = store.read_all(LogQuery::forward()).map(Result::unwrap).collect();
    store.close().unwrap();
    let names = memory.names().unwrap();
    let of = |kind: &str| {
        let has_kind = |name: &&String| name.rsplit_once('.').is_some_and(|(_, end)| end == kind);
        names.iter().filter(has_kind).cloned().collect::<Vec<_>>()
    };
    assert!(of("idx").len() > 2, "{names:?}");
    (memory, events, of("seg")[1].clone())
}

/// Flips a bit of a file.
fn flip(memory: &Memory, name: &str, byte: usize, bit: usize) {
    let file = memory.open(name, Access::Write).unwrap();
    let mut bytes = [0];
    let offset = u64::try_from(byte).unwrap();
    assert_eq!(file.read_at(offset, &mut bytes).unwrap(), 1);
    assert_eq!(file.write_at(offset, &[bytes[0] ^ 1 << bit]).unwrap(), 1);
}

fn content_of(memory: &Memory, name: &str) -> Vec<u8> {
    let file = memory.open(name, Access::Read).unwrap();
    let mut bytes = vec![0; usize::try_from(file.size().unwrap()).unwrap()];
    assert_eq!(file.read_at(0, &mut bytes).unwrap(), bytes.len());
    bytes
}

/// Where the frames of a sealed segment end, without the seal.
fn frames_end(memory: &Memory, name: &str) -> usize {
    let used = content_of(memory, name).iter().rposition(|byte| *byte != 0).unwrap() + 1;
    used.next_multiple_of(8) - SEAL_LEN
}

/// What a way to read showed, and whether it ended with an error.
type Shown = (Vec<RecordedEvent>, Option<ReadError>);

fn iterated(events: annals::Events) -> Shown {
    let (mut shown, mut failed) = (Vec::new(), None);
    for event in events {
        match event {
            Ok(event) => shown.push(event),
            Err(error) => failed = Some(error),
        }
    }
    (shown, failed)
}

fn visited(events: annals::Events) -> Shown {
    let mut shown = Vec::new();
    let ended = events.visit(|event| {
        shown.push(event.to_owned().unwrap());
        ControlFlow::Continue(())
    });
    (shown, ended.err())
}

fn subscribed(store: &Annals) -> Shown {
    let (mut subscription, mut shown) = (store.subscribe(Position::ZERO), Vec::new());
    loop {
        match subscription.try_recv() {
            Ok(Some(Delivery::Event(event))) => shown.push(event),
            Ok(Some(Delivery::CaughtUp(_)) | None) => return (shown, None),
            Err(error) => return (shown, Some(error)),
        }
    }
}

fn snapshot(store: &Annals, name: &str) -> Shown {
    match snapshot_of(store, name, StreamVersion::ZERO, None) {
        Ok(snapshot) => (snapshot.events, None),
        Err(error) => (Vec::new(), Some(error)),
    }
}

fn snapshot_of(
    store: &Annals,
    name: &str,
    after: StreamVersion,
    at: Option<Position>,
) -> Result<Snapshot, ReadError> {
    let from = ReadFrom { stream: stream(name), after };
    store.read_blocking(&[from], at).map_err(|error| match error {
        AppendError::Read(error) => error,
        error => panic!("{error:?}"),
    })
}

/// A way to read: its name, what it showed, and what it should show if it shows everything.
#[derive(Clone)]
struct Reading {
    what: String,
    shown: Shown,
    expected: Vec<RecordedEvent>,
}

impl Reading {
    /// Whether it showed what was written, as far as it went, and everything if it did not fail.
    fn is_right(&self) -> bool {
        let (shown, failed) = &self.shown;
        match failed {
            None => *shown == self.expected,
            Some(ReadError::Corrupt(_)) => self.expected.starts_with(shown),
            Some(_) => false,
        }
    }
}

/// Every way to read that begins somewhere and goes on to the end.
fn long_readings(store: &Annals, events: &[RecordedEvent]) -> Vec<Reading> {
    let reading = |what: &str, shown, expected: &[RecordedEvent]| Reading {
        what: what.to_owned(),
        shown,
        expected: expected.to_vec(),
    };
    let backward: Vec<_> = events.iter().rev().cloned().collect();
    let mut readings = vec![
        reading("iterated", iterated(store.read_all(LogQuery::forward())), events),
        reading("visited", visited(store.read_all(LogQuery::forward())), events),
        reading("backward", iterated(store.read_all(LogQuery::backward())), &backward),
        reading("visited backward", visited(store.read_all(LogQuery::backward())), &backward),
        reading("subscribed", subscribed(store), events),
    ];
    for name in STREAMS {
        let own: Vec<_> = events.iter().filter(|e| e.stream.as_str() == name).cloned().collect();
        let backward: Vec<_> = own.iter().rev().cloned().collect();
        let read = |query| store.read_stream(&stream(name), query);
        readings.extend([
            reading("stream iterated", iterated(read(StreamQuery::forward())), &own),
            reading("stream visited", visited(read(StreamQuery::forward())), &own),
            reading("stream backward", iterated(read(StreamQuery::backward())), &backward),
            reading("snapshot", snapshot(store, name), &own),
        ]);
    }
    readings
}

/// Every event by itself: by position and by version, both ways.
fn short_readings(store: &Annals, events: &[RecordedEvent]) -> Vec<Reading> {
    let mut readings = Vec::new();
    for event in events {
        let all = [LogQuery::forward(), LogQuery::backward()]
            .map(|query| store.read_all(query.from(event.position).limit(1)));
        let own = [StreamQuery::forward(), StreamQuery::backward()]
            .map(|query| store.read_stream(&event.stream, query.from(event.version).limit(1)));
        readings.extend(all.into_iter().chain(own).zip(0..).map(|(events, way)| Reading {
            what: format!("{} by itself, way {way}", event.position),
            shown: visited(events),
            expected: vec![event.clone()],
        }));
    }
    readings
}

/// G7 (torn or corrupt): whichever bit of a sealed segment's frames is flipped, each way to read
/// everything ends with an error, and nothing is ever shown that was not written.
#[test]
fn a_flipped_bit_is_noticed_by_every_way_to_read() {
    let (memory, events, segment) = log();
    let end = frames_end(&memory, &segment);
    assert!(end > FRAMES_START + 3000, "{end}");
    for mode in [ReadMode::Map, ReadMode::MapCheckedOnce, ReadMode::Pread] {
        for byte in (FRAMES_START..end).step_by(29) {
            let bit = byte % 8;
            flip(&memory, &segment, byte, bit);
            let store = open(&memory, mode);
            // The second time, frames that were whole are known.
            for _ in 0..2 {
                let short = short_readings(&store, &events);
                let mut failed = 0;
                for reading in &short {
                    assert!(reading.is_right(), "{}: {mode:?}, byte {byte}", reading.what);
                    failed += usize::from(reading.shown.1.is_some());
                }
                assert!(failed >= 4 && failed < short.len() / 2, "{failed}: byte {byte}");
                let (mut log, mut streams) = (0, 0);
                for reading in long_readings(&store, &events) {
                    assert!(reading.is_right(), "{}: {mode:?}, byte {byte}", reading.what);
                    let failed = usize::from(reading.shown.1.is_some());
                    let is_stream =
                        reading.what.contains("stream") || reading.what.contains("snapshot");
                    if is_stream { streams += failed } else { log += failed }
                }
                assert_eq!(log, 5, "ways to read the log that failed: {mode:?}, byte {byte}");
                // The frame has events of at least one stream.
                assert!(streams >= 4, "{streams} ways to read streams failed: byte {byte}");
            }
            drop(store);
            flip(&memory, &segment, byte, bit);
        }
    }
    let store = open(&memory, ReadMode::Map);
    let all = [long_readings(&store, &events), short_readings(&store, &events)].concat();
    assert!(all.iter().all(|reading| reading.shown.1.is_none() && reading.is_right()));
}

/// G7 (torn or corrupt): with the modes that check each time, a bit that flips under a store that
/// has read it is noticed, too. With the one that checks once it shows a wrong event, and the
/// checker sees that: so it can fail.
#[test]
fn what_was_checked_is_not_checked_again_and_the_checker_sees_wrong_events() {
    let (memory, events, segment) = log();
    // The last byte of a payload: behind the last event of a frame are less than 8 zeroes.
    let byte = frames_end(&memory, &segment) - 8;
    for mode in [ReadMode::Map, ReadMode::MapCheckedOnce, ReadMode::Pread] {
        let store = open(&memory, mode);
        let read = |store: &Annals| {
            [long_readings(store, &events), short_readings(store, &events)].concat()
        };
        assert!(read(&store).iter().all(|reading| reading.shown.1.is_none()));
        flip(&memory, &segment, byte, 3);
        let (wrong, failed) = read(&store).iter().fold((0, 0), |(wrong, failed), reading| {
            (
                wrong + usize::from(!reading.is_right()),
                failed + usize::from(reading.shown.1.is_some()),
            )
        });
        println!("{mode:?}: {wrong} readings were wrong, {failed} failed");
        match mode {
            ReadMode::MapCheckedOnce => assert!(wrong > 5, "{wrong}"),
            ReadMode::Map | ReadMode::Pread => {
                assert!(wrong == 0 && failed > 5, "{wrong} {failed}");
            }
        }
        flip(&memory, &segment, byte, 3);
    }
}

/// G7: what was not read since the store was opened is checked when it is read first, in every mode: in a
/// segment that was not replayed, and behind the frames that were.
#[test]
fn what_was_not_read_yet_is_checked() {
    let modes = [ReadMode::Map, ReadMode::MapCheckedOnce, ReadMode::Pread];
    for (mode, is_new) in modes.into_iter().flat_map(|mode| [(mode, false), (mode, true)]) {
        let (memory, events, segment) = log();
        let store = open(&memory, mode);
        let event = NewEvent::new(stream("a"), "Happened", vec![7; 20]).unwrap();
        store.append(&Append::new().event(event)).wait().unwrap();
        let names = memory.names().unwrap().into_iter().filter(|name| name.contains("seg"));
        let active = names.max().unwrap();
        // The last byte of a segment's last event. The active one has no seal yet.
        let (name, byte) = if is_new {
            (&active, frames_end(&memory, &active) + SEAL_LEN - 8)
        } else {
            (&segment, frames_end(&memory, &segment) - 8)
        };
        flip(&memory, name, byte, 3);
        let before: Vec<_> = iterated(store.read_all(LogQuery::backward())).0;
        let is_right = |event: &RecordedEvent| events.contains(event) || event.payload == [7; 20];
        assert!(before.iter().all(is_right), "{mode:?}: {name}");
        let (shown, failed) = iterated(store.read_all(LogQuery::forward()));
        assert!(failed.is_some() && events.starts_with(&shown), "{mode:?}: {name}");
    }
}

/// Reads a stream and says which file is blamed, and for which position.
fn blamed(store: &Annals, name: &str) -> Option<(String, Position)> {
    let error = store.read_stream(&stream(name), StreamQuery::forward()).find_map(Result::err)?;
    match error {
        ReadError::WrongImage { file, position } => Some((file, position)),
        ReadError::Corrupt(corruption) => {
            Some((corruption.file, Position::new(corruption.first_record)))
        }
        other => panic!("{other}"),
    }
}

/// G8 (derived): a place that leads astray is the image's fault, whatever of it is damaged; a frame that
/// is damaged where the place leads is the segment's.
#[test]
fn who_is_to_blame_is_named() {
    let (memory, _, segment) = log();
    let image = segment.replace("seg", "idx");
    let content = content_of(&memory, &image);
    let places = image_layout::places(&content);
    // Somewhere in the middle, and of a batch.
    for place in [places + 2 * 8, places + 3 * 8, places + 4 * 8] {
        let frame = image_layout::number(&content, place + 4) * 8;
        let [position, offset] = [place, place + 4];
        let damages = [
            ("its frame's place", &image, vec![(offset, 0)]),
            ("its frame's place, far away", &image, vec![(offset + 3, 7)]),
            ("its position, a little", &image, vec![(position, 0)]),
            ("its position, far away", &image, vec![(position + 3, 6)]),
            ("both", &image, vec![(position + 3, 6), (offset, 0)]),
            ("its frame", &segment, vec![(frame + 60, 0)]),
        ];
        for (what, damaged, bits) in damages {
            let flip_all = || {
                for (byte, bit) in &bits {
                    flip(&memory, damaged, *byte, *bit);
                }
            };
            let store = open(&memory, ReadMode::Map);
            assert_eq!(blamed(&store, STREAMS[0]), None);
            flip_all();
            let (file, _) = blamed(&store, STREAMS[0]).unwrap();
            assert!(file.ends_with(damaged.as_str()), "{what}: {file} is to blame");
            drop(store);
            flip_all();
        }
    }
}

/// G8: the last event that there is stands in a segment that has ended, since what followed was lost: damage
/// to its frame is still the segment's fault, not the image's.
#[test]
fn the_last_event_of_all_is_not_the_image_s_fault() {
    let (memory, events, _) = log();
    let last = memory.names().unwrap().into_iter().filter(|name| name.contains("seg")).max();
    let last = last.unwrap();
    let file = memory.open(&last, Access::Write).unwrap();
    let len = usize::try_from(file.size().unwrap()).unwrap() - FRAMES_START;
    file.write_at(4096, &vec![0; len]).unwrap();
    let store = open(&memory, ReadMode::Map);
    let newest = &events[usize::try_from(store.position().get()).unwrap() - 1];
    assert!(newest.position < events.last().unwrap().position);
    let before = memory.names().unwrap().into_iter().filter(|name| name.contains("seg"));
    let before = before.filter(|name| *name < last).max().unwrap();
    flip(&memory, &before, frames_end(&memory, &before) - 8, 0);
    let (file, position) = blamed(&store, newest.stream.as_str()).unwrap();
    assert!(file.ends_with(&before), "{file} is to blame");
    assert!(position <= newest.position);
}

/// G8 (derived): of a commit's events of one stream, the place of a later one is damaged. Those before were
/// told behind the error, and out of their order.
#[test]
fn nothing_is_read_behind_an_error() {
    let (memory, events, segment) = log();
    let image = segment.replace("seg", "idx");
    let content = content_of(&memory, &image);
    let first = u64::from_le_bytes(content[40..48].try_into().unwrap());
    let places = image_layout::places(&content);
    let own: Vec<_> = events.iter().filter(|e| e.stream.as_str() == STREAMS[0]).cloned().collect();
    let here = own.iter().position(|event| event.position.get() >= first).unwrap();
    let mut short = 0;
    for place in 0..20 {
        flip(&memory, &image, places + 8 * place + 3, 6);
        let store = open(&memory, ReadMode::Map);
        let mut reading = store.read_stream(&stream(STREAMS[0]), StreamQuery::forward());
        let (mut shown, mut failed) = (Vec::new(), false);
        for event in &mut reading {
            assert!(!failed, "{event:?} behind the error");
            match event {
                Ok(event) => shown.push(event),
                Err(_) => failed = true,
            }
        }
        assert!(failed && shown == own[..here + place], "{} of {}", shown.len(), here + place);
        short += usize::from(own[here + place - 1].time == own[here + place].time);
        drop(store);
        flip(&memory, &image, places + 8 * place + 3, 6);
    }
    assert!(short > 2, "some were not the first of their commit");
}

/// How many events of a stream a snapshot of the past counts, without reading them.
fn version_at(store: &Annals, name: &str, at: Position) -> Result<StreamVersion, ReadError> {
    let snapshot = snapshot_of(store, name, StreamVersion::new(u64::MAX), Some(at));
    snapshot.map(|snapshot| snapshot.versions[0])
}

/// G8 (derived): how many events a stream had at a position of the past is an image's word, whose bytes
/// may change under an open store. A flipped bit once gave a snapshot with events missing at its end, and its
/// reader decided on that.
#[test]
fn no_version_of_the_past_is_wrong_because_of_a_flipped_bit() {
    let (memory, events, segment) = log();
    let image = segment.replace("seg", "idx");
    let len = content_of(&memory, &image).len();
    let truth = |name: &str, at: Position| {
        let own = events.iter().filter(|e| e.stream.as_str() == name && e.position <= at);
        StreamVersion::new(u64::try_from(own.count()).unwrap())
    };
    let past = (0..=events.len()).step_by(3).map(|at| Position::new(u64::try_from(at).unwrap()));
    let asked = past.flat_map(|at| STREAMS.map(|name| (name, at, truth(name, at))));
    let asked: Vec<_> = asked.collect();
    for mode in [ReadMode::Map, ReadMode::MapCheckedOnce] {
        let store = open(&memory, mode);
        let (mut right, mut noticed) = (0, 0);
        for byte in 0..len {
            flip(&memory, &image, byte, byte % 8);
            for (name, at, version) in &asked {
                match version_at(&store, name, *at) {
                    Ok(found) => {
                        assert_eq!(found, *version, "{mode:?}: {name} at {at}, byte {byte}");
                        right += 1;
                    }
                    Err(ReadError::Unindexed { .. } | ReadError::WrongImage { .. }) => noticed += 1,
                    Err(other) => panic!("{mode:?}: {name} at {at}, byte {byte}: {other}"),
                }
            }
            flip(&memory, &image, byte, byte % 8);
        }
        println!("{mode:?}: {right} right, {noticed} noticed");
        assert!(right > 0 && noticed > 0);
    }
}
