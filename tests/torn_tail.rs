//! Damage to segments: zeroes as a power cut leaves them, missing ends, flipped bits. At every
//! place of the last frames of a log, and in its sealed segments and their images.
//!
//! What is to be expected follows from when a frame was written, not from what the code says: a
//! frame that another group was written after is proven durable, and so is everything before the
//! mark of a clean close. Damage there is refused. Elsewhere the log ends before the damage.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used,
    missing_docs,
    reason = "a test"
)]

mod common;

use std::{fs, ops::Range};

use annals::{
    Annals, Corruption, LogQuery, OpenError, Options, ReadError, ReadMode, RecordedEvent,
    StreamQuery, StreamVersion,
};
use annals_sim::{CrashPlan, Fault, SimDisk, Times};
use common::{Fate, Ledger, Shown, open, survive};

/// A frame, by `docs/format.md`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Frame {
    bytes: Range<usize>,
    is_commit: bool,
    /// The position of its first event; of the next one, if it has none.
    first: u64,
    /// How many groups were written before its own.
    group: usize,
}

/// Where frames begin.
const FRAMES_START: usize = 4096;

/// The frames of a segment. `groups` says how many commits each group has; control marks have
/// groups of their own.
fn frames(segment: &[u8], groups: &[usize]) -> Vec<Frame> {
    let number = |at: usize, len: usize| {
        segment[at..at + len].iter().rev().fold(0, |high, byte| high << 8 | u64::from(*byte))
    };
    let mut group_of_commit = groups.iter().enumerate().flat_map(|(n, len)| vec![n; *len]);
    let (mut frames, mut start) = (Vec::new(), FRAMES_START);
    while start < segment.len() && segment[start + 12] != 0 {
        let stamps = number(start + 14, 2);
        let len = usize::try_from(48 + 8 * stamps + number(start + 8, 4)).unwrap();
        let is_commit = segment[start + 12] == 1;
        let group = if is_commit { group_of_commit.next().unwrap() } else { groups.len() };
        let first = number(start + 16, 8);
        frames.push(Frame { bytes: start..start + len, is_commit, first, group });
        start += len;
    }
    assert_eq!(group_of_commit.count(), 0, "a commit is missing");
    frames
}

/// How the log came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// Closed.
    Closed,
    /// The process was killed.
    Killed,
    /// The sync of the last group failed, and the process was killed.
    Failed,
}

/// A log, as it lies on the disk.
struct Victim {
    disk: SimDisk,
    /// The segment that is to be damaged.
    name: String,
    bytes: Vec<u8>,
    frames: Vec<Frame>,
    ledger: Ledger,
    /// How many commits lie in segments before.
    before: usize,
}

/// A commit: the streams of its events and the lengths of their payloads.
type Events = &'static [(&'static str, usize)];
/// Commits that share a write and a sync.
type Group = &'static [Events];

/// One-segment logs, and a log that goes on in a second segment.
const SHAPES: [&[Group]; 4] = [
    &[&[&[("a", 30)]]],
    &[
        &[&[("a", 30)]],
        &[&[("a", 20), ("b", 40), ("a", 16)]],
        &[&[("c", 17), ("b", 18), ("a", 19), ("c", 20)]],
        &[&[("b", 25)]],
    ],
    &[&[&[("a", 30)]], &[&[("b", 30), ("a", 60)], &[("a", 23)], &[("c", 16), ("c", 33)]]],
    &[
        &[&[("a", 1900)]],
        &[&[("b", 1900)]],
        &[&[("a", 20)]],
        &[&[("c", 22), ("a", 29)], &[("b", 21)]],
    ],
];

/// Writes a log: each group with its commits, each commit with its events.
fn write(groups: &[Group], ended: Ended) -> Victim {
    let (disk, mut ledger) = (SimDisk::new(), Ledger::default());
    let store = open(&disk, 0).unwrap();
    for (index, group) in groups.iter().enumerate() {
        let started: Vec<_> = group.iter().map(|c| ledger.start(&store, c)).collect();
        if ended == Ended::Failed && index + 1 == groups.len() {
            // The write, then the sync.
            disk.fail_at(disk.calls() + 2, Fault::EIO, Times::Forever);
        }
        for started in started {
            ledger.finish(started).ok();
        }
    }
    if ended == Ended::Closed {
        store.close().unwrap();
    }
    let disk = disk.crash(CrashPlan::everything());
    let name = names(&disk, ".seg").pop().unwrap();
    let bytes = disk.read_file(&name).unwrap();
    let first: u64 = name[..20].parse().unwrap();
    let is_before = |fate: &Fate| matches!(fate, Fate::Acknowledged(at) if at.get() < first);
    let before = ledger.fates().filter(is_before).count();
    let mut lens: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    let mut skipped = before;
    lens.retain(|len| {
        let is_here = skipped == 0;
        skipped = skipped.saturating_sub(*len);
        is_here
    });
    let frames = frames(&bytes, &lens);
    Victim { disk, name, bytes, frames, ledger, before }
}

impl Victim {
    /// A copy of the log with other bytes in the segment.
    fn with(&self, bytes: &[u8]) -> SimDisk {
        let disk = self.disk.crash(CrashPlan::everything());
        disk.write_file(&self.name, bytes);
        disk
    }

    fn with_flipped(&self, bit: usize) -> SimDisk {
        let mut bytes = self.bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        self.with(&bytes)
    }

    /// The segment with zeroes from a byte of frame `index` on, and the first frame that this
    /// damages: the last bytes of a body may have been zeroes before.
    fn zeroed(&self, index: usize, start: usize) -> (Vec<u8>, usize) {
        let (mut bytes, frame) = (self.bytes.clone(), self.frames[index].bytes.clone());
        bytes[start..].fill(0);
        let is_whole = bytes[frame.clone()] == self.bytes[frame];
        (bytes, index + usize::from(is_whole))
    }

    /// How many commits there are before frame `index`.
    fn commits_before(&self, index: usize) -> usize {
        self.before + self.frames[..index].iter().filter(|frame| frame.is_commit).count()
    }

    fn last_three(&self) -> Range<usize> {
        self.frames.len().saturating_sub(3)..self.frames.len()
    }

    /// The log ends before frame `index`, with what is before it whole, and goes on from there.
    fn is_cut(&self, disk: &SimDisk, index: usize, at: &str) {
        let mut ledger = self.ledger.clone();
        ledger.forget_from(self.commits_before(index));
        let outcome = survive(disk, &mut ledger, 10);
        outcome.unwrap_or_else(|violation| panic!("{violation}: {at}"));
        // One more was appended.
        let is_there = |fate: &Fate| matches!(fate, Fate::Acknowledged(_));
        let there: Vec<bool> = ledger.fates().map(|fate| is_there(&fate)).collect();
        let cut = self.commits_before(index);
        let expected = (0..there.len()).map(|n| n < cut || n + 1 == there.len());
        assert!(there.iter().copied().eq(expected), "not a prefix of {cut}: {there:?}: {at}");
    }

    /// Opening is refused, with file, offset and positions, and changes nothing.
    fn is_refused(&self, disk: &SimDisk, offset: usize, first: u64, at: &str) {
        let before = disk.read_file(&self.name);
        match open(disk, 10) {
            Err(OpenError::Corrupt(corruption)) => {
                let text = OpenError::Corrupt(corruption.clone()).to_string();
                let Corruption { file, offset: found, first_record, .. } = corruption;
                assert!(file.ends_with(&self.name), "{text}: {at}");
                assert_eq!((found, first_record), (u64::try_from(offset).unwrap(), first), "{at}");
                assert!(text.contains(&format!("at byte {offset}")), "{text}");
                assert!(
                    text.contains(&format!("positions from {first}")) || {
                        text.contains(&format!("positions {first} to"))
                    },
                    "{text}"
                );
            }
            other => panic!("not refused: {at}: {:?}", other.map(|store| store.position())),
        }
        assert_eq!(disk.read_file(&self.name), before, "refused and changed: {at}");
    }

    /// Whether a frame is proven durable: something was written in a later group.
    fn is_proven(&self, index: usize) -> bool {
        self.frames.iter().any(|frame| frame.group > self.frames[index].group)
    }
}

fn victims() -> impl Iterator<Item = (String, Victim)> {
    SHAPES.into_iter().flat_map(|shape| {
        [Ended::Closed, Ended::Killed, Ended::Failed].map(|ended| {
            let victim = write(shape, ended);
            (format!("{ended:?} {shape:?}"), victim)
        })
    })
}

/// G6 (torn tail): zeroes from any byte of the last three frames on, as a power cut leaves them,
/// end the log before that frame: nothing partial, nothing of what is before is missing.
#[test]
fn zeroes_from_any_byte_on_end_the_log_before_that_frame() {
    let mut count = 0;
    for (what, victim) in victims() {
        for index in victim.last_three() {
            for start in victim.frames[index].bytes.clone() {
                let (bytes, damaged) = victim.zeroed(index, start);
                let at = format!("{what}, zero from byte {start} on");
                victim.is_cut(&victim.with(&bytes), damaged, &at);
                count += 1;
            }
        }
    }
    println!("{count} zeroed ends");
}

/// G7 (torn or corrupt): a segment has its whole size before it has its name, so that a shorter
/// one was damaged by something else than a power cut, and is refused.
#[test]
fn a_segment_that_ends_early_or_late_is_refused() {
    let mut count = 0;
    for (what, victim) in victims() {
        let first = victim.frames.first().unwrap().first;
        let last_three = &victim.frames[victim.last_three()];
        let cuts = last_three.iter().flat_map(|frame| frame.bytes.clone());
        for len in [0, 1, 63, 64, 4095, 4096].into_iter().chain(cuts) {
            let disk = victim.with(&victim.bytes[..len]);
            victim.is_refused(&disk, 0, first, &format!("{what}, cut to {len} bytes"));
            count += 1;
        }
        let longer = [victim.bytes.as_slice(), &[0; 8]].concat();
        victim.is_refused(&victim.with(&longer), 0, first, &format!("{what}, longer"));
    }
    println!("{count} missing ends");
}

/// G7 (torn or corrupt): any flipped bit in a frame that is proven durable, by a later group or
/// by the mark of a clean close, is refused; in one that is not, it ends the log before it.
#[test]
fn every_flipped_bit_of_the_last_frames_is_found() {
    let (mut refused, mut cut) = (0, 0);
    for (what, victim) in victims() {
        for index in victim.last_three() {
            let Frame { bytes, first, .. } = victim.frames[index].clone();
            for bit in 8 * bytes.start..8 * bytes.end {
                let (disk, at) = (victim.with_flipped(bit), format!("{what}, bit {bit}"));
                if victim.is_proven(index) {
                    victim.is_refused(&disk, bytes.start, first, &at);
                    refused += 1;
                } else {
                    victim.is_cut(&disk, index, &at);
                    cut += 1;
                }
            }
        }
    }
    println!("{refused} flipped bits refused, {cut} cut off");
    assert!(refused > 0 && cut > 0);
}

/// G7 (torn or corrupt): any flipped bit in the header is refused, and so is one in the zeroes
/// behind it.
#[test]
fn every_flipped_bit_of_the_header_is_refused() {
    for (what, victim) in victims() {
        let first = victim.frames.first().unwrap().first;
        let padding = (8 * 64..8 * FRAMES_START).step_by(61);
        for bit in (0..8 * 64).chain(padding) {
            let at = format!("{what}, bit {bit} of the header");
            victim.is_refused(&victim.with_flipped(bit), 0, first, &at);
        }
    }
}

/// G6 (torn tail): a bit that was flipped behind the last frame, where nothing was ever written,
/// costs nothing.
#[test]
fn a_flipped_bit_behind_the_last_frame_costs_nothing() {
    for (what, victim) in victims() {
        let end = victim.frames.last().unwrap().bytes.end;
        let bits = (8 * end..8 * victim.bytes.len()).step_by(97);
        for bit in bits.chain(8 * end..8 * (end + 16)) {
            let at = format!("{what}, bit {bit} behind the end");
            victim.is_cut(&victim.with_flipped(bit), victim.frames.len(), &at);
        }
    }
}

/// G7 (a clean close is a proof): after a clean close no single flipped bit of a commit passes
/// for a torn tail, however full the segment is: where the mark does not fit, something else
/// says that the commit was durable.
#[test]
fn a_clean_close_proves_the_last_commit_however_full_the_segment_is() {
    for len in (3700..4000).step_by(8) {
        let (disk, mut ledger) = (SimDisk::new(), Ledger::default());
        let store = open(&disk, 0).unwrap();
        ledger.append(&store, &[("a", len)]).unwrap();
        store.close().unwrap();
        drop(store);
        survive(&disk, &mut ledger.clone(), 10).unwrap();
        let name = disk.file_names()[0].clone();
        disk.flip_bit(&name, 4096 + 100, 0).unwrap();
        match open(&disk, 20) {
            Err(OpenError::Corrupt(Corruption { offset: 4096, first_record: 1, .. })) => {}
            other => panic!("{len} bytes: {:?}", other.map(|store| store.position())),
        }
    }
}

/// A log of several sealed segments with images, and what it shows.
fn sealed() -> (SimDisk, Ledger, Shown) {
    let (disk, mut ledger) = (SimDisk::new(), Ledger::default());
    let store = open(&disk, 0).unwrap();
    for round in 0..5 {
        ledger.append(&store, &[("a", 20), ("b", 30), ("a", 17)]).unwrap();
        ledger.append(&store, &[("b", 40), ("a", 19 + round)]).unwrap();
        ledger.append(&store, &[("c", 1300), ("a", 18), ("c", 400), ("b", 20)]).unwrap();
    }
    store.close().unwrap();
    let shown = Shown::by(&store).unwrap();
    (disk.crash(CrashPlan::everything()), ledger, shown)
}

fn names(disk: &SimDisk, suffix: &str) -> Vec<String> {
    disk.file_names().into_iter().filter(|name| name.ends_with(suffix)).collect()
}

/// G7 (corruption is found): without its image, a sealed segment is walked over when the log is
/// opened, and any flipped bit in it is refused, with its file.
#[test]
fn every_flipped_bit_of_a_sealed_segment_is_refused_when_it_is_replayed() {
    let (disk, ..) = sealed();
    for image in names(&disk, ".idx") {
        annals_wal::Directory::remove(&disk, &image).unwrap();
    }
    let disk = disk.crash(CrashPlan::everything());
    let segments = names(&disk, ".seg");
    assert!(segments.len() > 2);
    let mut count = 0;
    for name in &segments[..segments.len() - 1] {
        let bytes = disk.read_file(name).unwrap();
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        for bit in (0..8 * 64).chain((8 * FRAMES_START..8 * used).step_by(5)) {
            let copy = disk.crash(CrashPlan::everything());
            copy.flip_bit(name, u64::try_from(bit / 8).unwrap(), u8::try_from(bit % 8).unwrap())
                .unwrap();
            let Err(OpenError::Corrupt(corruption)) = open(&copy, 10) else {
                panic!("{name}, bit {bit} was not found")
            };
            assert!(corruption.file.ends_with(name), "{name}, bit {bit}: {corruption}");
            assert!(corruption.offset <= u64::try_from(bit / 8).unwrap(), "{corruption}");
            count += 1;
        }
    }
    println!("{count} flipped bits in {} sealed segments", segments.len() - 1);
}

/// What is read of a stream or of the log until the first error.
fn read(events: annals::Events) -> (Vec<RecordedEvent>, Option<ReadError>) {
    let (mut read, mut failed) = (Vec::new(), None);
    for event in events {
        match event {
            Ok(event) => read.push(event),
            Err(error) => failed = Some(error),
        }
    }
    (read, failed)
}

/// Reads everything in many ways: each shows the beginning of what it should, and all of it or
/// an error of which `is_right` says so. Says how many errors there were.
fn is_never_wrong(
    store: &Annals,
    shown: &Shown,
    is_right: impl Fn(&ReadError) -> bool,
    at: &str,
) -> usize {
    let mut errors = 0;
    let mut check = |events: annals::Events, expected: Vec<&RecordedEvent>| {
        let (read, error) = read(events);
        assert!(read.len() <= expected.len(), "more than there is: {at}");
        assert!(read.iter().zip(&expected).all(|(a, b)| a == *b), "a wrong event: {at}");
        assert!(error.is_some() || read.len() == expected.len(), "events are missing: {at}");
        assert!(error.as_ref().is_none_or(&is_right), "{error:?}: {at}");
        errors += usize::from(error.is_some());
    };
    check(store.read_all(LogQuery::forward()), shown.events.iter().collect());
    check(store.read_all(LogQuery::backward()), shown.events.iter().rev().collect());
    for (stream, (version, events)) in &shown.streams {
        assert_eq!(store.stream_version(stream).get(), *version, "{at}");
        check(store.read_stream(stream, StreamQuery::forward()), events.iter().collect());
        check(store.read_stream(stream, StreamQuery::backward()), events.iter().rev().collect());
        for (index, event) in events.iter().enumerate() {
            let from = StreamVersion::new(u64::try_from(index).unwrap() + 1);
            let forward = StreamQuery::forward().from(from).limit(1);
            check(store.read_stream(stream, forward), vec![event]);
            let backward = StreamQuery::backward().from(from).limit(1);
            check(store.read_stream(stream, backward), vec![event]);
        }
    }
    errors
}

/// G7 (corruption is found): where a sealed segment is not walked over when the log is opened,
/// a flipped bit in a commit is found when it is read: an error that names the file, and never
/// another event than the one that was written.
#[test]
fn a_flipped_bit_of_a_sealed_segment_is_found_when_it_is_read() {
    let (disk, _, shown) = sealed();
    let name = &names(&disk, ".seg")[1];
    let bytes = disk.read_file(name).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let (mut found, mut refused) = (0, 0);
    for bit in (8 * FRAMES_START..8 * used).step_by(37) {
        let (copy, at) = (disk.crash(CrashPlan::everything()), format!("bit {bit}"));
        copy.flip_bit(name, u64::try_from(bit / 8).unwrap(), u8::try_from(bit % 8).unwrap())
            .unwrap();
        let is_right = |error: &ReadError| match error {
            ReadError::Corrupt(corruption) => corruption.file.ends_with(name),
            _ => false,
        };
        match open(&copy, 10) {
            // The seal is looked at.
            Err(OpenError::Corrupt(corruption)) if corruption.file.ends_with(name) => refused += 1,
            Err(error) => panic!("{error}: {at}"),
            Ok(store) => {
                let errors = is_never_wrong(&store, &shown, is_right, &at);
                assert!(errors > 0, "not found: {at}");
                found += 1;
            }
        }
    }
    println!("{found} flipped bits found by reading, {refused} in the seal");
    assert!(found > 0 && refused > 0);
}

/// G8 (images are derived): any flipped bit of an image is noticed and the image made anew, or
/// is an error that names the image: never another event than the one asked for.
#[test]
fn a_flipped_bit_of_an_image_never_shows_a_wrong_event() {
    let (disk, _, shown) = sealed();
    let (mut made_anew, mut found) = (0, 0);
    let images = names(&disk, ".idx");
    assert!(images.len() > 1);
    for name in &images {
        let len = disk.read_file(name).unwrap().len();
        for bit in 0..8 * len {
            let (copy, at) = (disk.crash(CrashPlan::everything()), format!("{name}, bit {bit}"));
            copy.flip_bit(name, u64::try_from(bit / 8).unwrap(), u8::try_from(bit % 8).unwrap())
                .unwrap();
            let store = open(&copy, 10).unwrap();
            let is_right = |error: &ReadError| match error {
                ReadError::WrongImage { file, .. } => file.ends_with(name),
                _ => false,
            };
            let errors = is_never_wrong(&store, &shown, is_right, &at);
            let is_anew = copy.read_file(name) == disk.read_file(name);
            assert!(is_anew || errors > 0, "neither made anew nor an error: {at}");
            made_anew += usize::from(is_anew);
            found += usize::from(errors > 0);
        }
    }
    println!("{made_anew} images made anew, {found} found wrong when used");
    assert!(made_anew > 0 && found > 0);
}

/// G8 (images are derived): without images, or with those of other segments in their place, the
/// log shows the same.
#[test]
fn missing_and_exchanged_images_change_nothing() {
    let (disk, _, shown) = sealed();
    let images = names(&disk, ".idx");
    let contents: Vec<_> = images.iter().map(|name| disk.read_file(name).unwrap()).collect();
    for shift in 0..images.len() {
        for missing in 0..1 << images.len() {
            let copy = disk.crash(CrashPlan::everything());
            for (index, name) in images.iter().enumerate() {
                copy.write_file(name, &contents[(index + shift) % images.len()]);
                if missing >> index & 1 == 1 {
                    annals_wal::Directory::remove(&copy, name).unwrap();
                }
            }
            let store = open(&copy, 10).unwrap();
            let at = format!("shifted by {shift}, without {missing:b}");
            assert_eq!(is_never_wrong(&store, &shown, |_| false, &at), 0);
        }
    }
}

/// G7 (torn or corrupt): the same on real files, mapped and read: some zeroed ends, some flipped
/// bits, some missing ends.
#[test]
fn real_files_are_judged_alike() {
    for read_mode in [ReadMode::Map, ReadMode::Pread] {
        for ended in [Ended::Closed, Ended::Killed] {
            let victim = write(SHAPES[1], ended);
            let dir = tempfile::tempdir().unwrap();
            let open_with = |bytes: &[u8]| {
                fs::write(dir.path().join(&victim.name), bytes).unwrap();
                Options::new().segment_bytes(8 << 10).read_mode(read_mode).open(dir.path())
            };
            for index in victim.last_three() {
                for byte in victim.frames[index].bytes.clone().step_by(29) {
                    let at = format!("{read_mode:?}, {ended:?}, byte {byte}");
                    let (zeroed, damaged) = victim.zeroed(index, byte);
                    let mut ledger = victim.ledger.clone();
                    let kept = victim.commits_before(damaged);
                    ledger.forget_from(kept);
                    ledger.check(&open_with(&zeroed).unwrap()).unwrap();
                    assert_eq!(ledger.acknowledged(), kept, "{at}");
                    let cut = open_with(&victim.bytes[..byte]);
                    assert!(matches!(cut, Err(OpenError::Corrupt(_))), "{at}: {cut:?}");
                    let mut flipped = victim.bytes.clone();
                    flipped[byte] ^= 0x10;
                    assert_eq!(open_with(&flipped).is_err(), victim.is_proven(index), "{at}");
                }
            }
        }
    }
}
